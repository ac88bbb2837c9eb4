/* lsocket.select: waits for any of many sockets, with poll(2). Every call asks about every socket. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

/* Each descriptor is polled once, however often it is listed: poll refuses more entries than a process may open.
   items: for each element of the tables its place in fds, -1 for a closed one. slots: open addressing from descriptor
   to place in fds, -1 for free. All three lie in one block. */
typedef struct Wait {
    struct pollfd *fds;
    int *items, *slots;
    size_t count, item_count, mask;
} Wait;

enum {
    SMALL = 32,           /* elements that need no block */
    MOST = INT_MAX / 128, /* elements of a table: the block's size must fit 32 bits */
    POPPED = 8            /* elements at once off the stack: each call costs */
};

static size_t block_size(size_t elements, size_t slots) {
    return elements * (sizeof(struct pollfd) + sizeof(int)) + slots * sizeof(int);
}

static void lay_out(Wait *wait, void *block, size_t elements, size_t slots) {
    wait->fds = block;
    wait->items = (int *)(wait->fds + elements);
    wait->slots = wait->items + elements;
    wait->count = wait->item_count = 0;
    wait->mask = slots - 1;
    memset(wait->slots, -1, slots * sizeof(int));
}

/* The descriptor of the element on top of the stack; negative: closed. */
static int descriptor_of(lua_State *L, int table, int i) {
    int fd = ls_socket_descriptor(L, -1);
    if (fd == LS_SOCKET_NONE) {
        int number = lua_type(L, -1) == LUA_TNUMBER;
        const char *culprit = number ? "no descriptor" : lua_pushfstring(L, "a %s", luaL_typename(L, -1));
        luaL_argerror(L, table, lua_pushfstring(L, "tables can only contain sockets; element %d is %s", i, culprit));
    }
    return fd;
}

/* The slot of that descriptor, or the free one in which it would be. */
LS_HOT size_t slot_of(const Wait *wait, int fd) {
    size_t slot = (size_t)fd & wait->mask;
    while (wait->slots[slot] >= 0 && wait->fds[wait->slots[slot]].fd != fd) slot = (slot + 1) & wait->mask;
    return slot;
}

LS_HOT int place_of(Wait *wait, int fd) {
    size_t slot = slot_of(wait, fd);
    int place = wait->slots[slot];
    if (place >= 0) return place;
    place = wait->slots[slot] = (int)wait->count++;
    wait->fds[place].fd = fd;
    wait->fds[place].events = wait->fds[place].revents = 0;
    return place;
}

/* What is polled for that descriptor, or NULL. */
static struct pollfd *entry_of(const Wait *wait, int fd) {
    int place = wait->slots[slot_of(wait, fd)];
    return place >= 0 ? &wait->fds[place] : NULL;
}

/* Enters the elements of a table, up to the first nil. room: as many as there were when the block was made; a getfd
   method may have added some since. */
static size_t enter(lua_State *L, Wait *wait, int table, size_t room, short event) {
    int *items = wait->items + wait->item_count;
    int top = lua_gettop(L), n = 0;
    while (n < (int)room) {
        const ls_Socket *s;
        int fd, place;
        lua_rawgeti(L, table, n + 1);
        s = ls_socket_find(L, -1);
        if (LS_LIKELY(s != NULL)) fd = s->fd;
        else if (lua_isnil(L, -1)) break;
        else fd = descriptor_of(L, table, n + 1);
        place = items[n++] = fd < 0 ? -1 : place_of(wait, fd);
        if (place >= 0) wait->fds[place].events |= event;
        if (n % POPPED == 0) lua_settop(L, top);
    }
    lua_settop(L, top);
    wait->item_count += (size_t)n;
    return (size_t)n;
}

/* Pushes those of a table's elements that are ready, each once: the event is struck off when it has been told. Answers
   0, or EBADF for a descriptor that was closed behind its socket's back. left: how many descriptors have anything to
   tell, so that nobody looks further than the last of them. */
static int push_ready(lua_State *L, Wait *wait, int table, const int *items, size_t count, short event, int left) {
    short wanted = (short)(event | POLLHUP | POLLERR);
    size_t i;
    int n = 0;
    lua_newtable(L);
    for (i = 0; i < count && left > 0; i++) {
        struct pollfd *entry = items[i] < 0 ? NULL : &wait->fds[items[i]];
        if (!entry || !entry->revents) continue;
        if (entry->revents & POLLNVAL) return EBADF;
        if (!(entry->events & event) || !(entry->revents & wanted)) continue;
        entry->events &= (short)~event;
        left--;
        lua_rawgeti(L, table, (int)i + 1);
        lua_rawseti(L, -2, ++n);
    }
    return 0;
}

typedef struct Request {
    int read, write; /* the tables' places on the stack; 0: absent */
    int timed;
    double timeout;  /* seconds; negative: for ever */
} Request;

/* Each argument's type is asked for once, as each call costs. */
static int is_time(lua_State *L, int arg, int type) {
    return type == LUA_TNUMBER || (type == LUA_TSTRING && lua_isnumber(L, arg));
}

static int read_table(lua_State *L, int arg, int type) {
    if (type <= LUA_TNIL) return 0;
    if (type != LUA_TTABLE) ls_value_wrongtype(L, arg, "table");
    return arg;
}

/* ([read [, write]] [, timeout]): the first number is the time, wherever it stands. */
static void read_request(lua_State *L, Request *request) {
    int arg = 1, type = lua_type(L, 1);
    request->read = request->write = 0;
    if (!is_time(L, 1, type)) {
        request->read = read_table(L, 1, type);
        type = lua_type(L, arg = 2);
    }
    if (arg == 2 && !is_time(L, 2, type)) {
        request->write = read_table(L, 2, type);
        type = lua_type(L, arg = 3);
    }
    request->timed = type > LUA_TNIL;
    request->timeout = request->timed ? luaL_checknumber(L, arg) : -1;
    if (request->timeout != request->timeout) luaL_argerror(L, arg, "timeout is not a number");
}

/* The entry of a layer that holds what is asked about, or NULL. */
static struct pollfd *held_entry(const Wait *wait, const ls_Layer *layer) {
    struct pollfd *entry = entry_of(wait, layer->fd);
    return entry && entry->events & POLLIN ? entry : NULL;
}

static int any_held(const Wait *wait, const ls_LayerRings *rings) {
    const ls_Layer *layer = ls_layer_firstready(rings);
    while (layer && !held_entry(wait, layer)) layer = ls_layer_nextready(layer);
    return layer != NULL;
}

/* Adds what layers hold to what the kernel has reported. */
static void add_held(const Wait *wait, const ls_LayerRings *rings, int *ready) {
    const ls_Layer *layer;
    for (layer = ls_layer_firstready(rings); layer; layer = ls_layer_nextready(layer)) {
        struct pollfd *entry = held_entry(wait, layer);
        if (!entry) continue;
        if (!entry->revents) ++*ready;
        entry->revents |= POLLIN;
    }
}

/* Asks the kernel for room for what layers have to send, too. */
static void lend(const Wait *wait, const ls_LayerRings *rings) {
    ls_Layer *layer;
    for (layer = ls_layer_firstunsent(rings); layer; layer = ls_layer_nextunsent(layer)) {
        struct pollfd *entry = entry_of(wait, layer->fd);
        if (!entry || entry->events & POLLOUT) continue;
        entry->events |= POLLOUT;
        layer->lent = 1;
    }
}

/* Asks no more, and forgets what was answered; was there room for any? */
static int take_back(const Wait *wait, const ls_LayerRings *rings, int *ready) {
    ls_Layer *layer;
    int room = 0;
    for (layer = ls_layer_firstunsent(rings); layer; layer = ls_layer_nextunsent(layer)) {
        struct pollfd *entry = layer->lent ? entry_of(wait, layer->fd) : NULL;
        layer->lent = 0;
        if (!entry) continue;
        entry->events &= ~POLLOUT;
        if (!(entry->revents & POLLOUT)) continue;
        entry->revents &= ~POLLOUT;
        if (!entry->revents) --*ready;
        room = 1;
    }
    return room;
}

/* Polls where there are layers that hold something, or have something to send, which leaves meanwhile. */
static int poll_layers(const Wait *wait, ls_LayerRings *rings, double timeout, int *ready) {
    double until = timeout > 0 ? ls_fd_now() + timeout : 0;
    int err, room;
    do {
        ls_layer_flushall(rings);
        if (any_held(wait, rings)) timeout = 0;
        lend(wait, rings);
        err = ls_fd_poll(wait->fds, wait->count, timeout, ready);
        room = take_back(wait, rings, ready);
        if (timeout > 0) timeout = until > ls_fd_now() ? until - ls_fd_now() : 0;
    } while (!err && *ready == 0 && room && timeout != 0);
    ls_layer_flushall(rings);
    if (err == EINTR && any_held(wait, rings)) err = *ready = 0;
    if (!err) add_held(wait, rings, ready);
    return err;
}

#define RINGS lua_upvalueindex(2)

static int poll_all(lua_State *L, const Wait *wait, double timeout, int *ready) {
    ls_LayerRings *rings = lua_touserdata(L, RINGS);
    if (!LS_LIKELY(rings->busy == 0)) return poll_layers(wait, rings, timeout, ready);
    return ls_fd_poll(wait->fds, wait->count, timeout, ready);
}

/* Polls, and pushes the answer. */
static int answer(lua_State *L, const Request *request, Wait *wait, size_t reads) {
    int ready, err;
    if (wait->count == 0 && !(request->timed && request->timeout >= 0))
        return ls_fail_text(L, EINVAL, "no open sockets to check and no timeout set");
    err = poll_all(L, wait, request->timeout, &ready);
    if (err) return ls_fail(L, err);
    if (ready == 0) {
        lua_pushboolean(L, 0);
        return 1;
    }
    err = push_ready(L, wait, request->read, wait->items, reads, POLLIN, ready);
    if (!err && request->write)
        err = push_ready(L, wait, request->write, wait->items + reads, wait->item_count - reads, POLLOUT, ready);
    if (err) return ls_fail(L, err);
    return request->write ? 2 : 1;
}

/* How many elements to make room for. A table with holes may say any number, and more than 32 bits. */
static size_t count_elements(lua_State *L, int table) {
    uint64_t count = table ? lua_rawlen(L, table) : 0;
    if (count > MOST) luaL_error(L, "too many sockets");
    return (size_t)count;
}

/* What is done with the room for so many elements to read, and so many to write. */
typedef int Run(lua_State *L, const Request *request, Wait *wait, size_t reads, size_t writes);

/* Calls it with three arguments on the stack. */
static int run_in_room(lua_State *L, const Request *request, Run *run) {
    char small[SMALL * (sizeof(struct pollfd) + 5 * sizeof(int))];
    void *block = small;
    Wait wait;
    size_t reads = count_elements(L, request->read), writes = count_elements(L, request->write), slots = 2;
    int results;
    while (slots < 2 * (reads + writes)) slots *= 2;
    if (block_size(reads + writes, slots) > sizeof small)
        block = ls_state_lend(L, LS_STATE_SELECT, block_size(reads + writes, slots));
    lay_out(&wait, block, reads + writes, slots);
    results = run(L, request, &wait, reads, writes);
    if (block != small) ls_state_giveback(L, LS_STATE_SELECT, 4);
    return results;
}

static int select_sockets(lua_State *L, const Request *request, Wait *wait, size_t reads, size_t writes) {
    reads = request->read ? enter(L, wait, request->read, reads, POLLIN) : 0;
    if (request->write) enter(L, wait, request->write, writes, POLLOUT);
    return answer(L, request, wait, reads);
}

/* lsocket.select([read [, write]] [, timeout]) -> readable [, writable] | false | nil, message, name */
static int core_select(lua_State *L) {
    Request request;
    read_request(L, &request);
    lua_settop(L, 3);
    return run_in_room(L, &request, select_sockets);
}

/* ---- the same of lsocket.luasocket: see "LuaSocket's interface" in doc/design.md ---- */

#define OBJECT lua_upvalueindex(3)
#define BUFFER lua_upvalueindex(4)

/* Pushes what a method of the object on top of the stack returns, or nil where it has none. */
static void call_method(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    if (lua_isnil(L, -1)) return;
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
}

static void push_own(lua_State *L, int name) {
    lua_pushvalue(L, name);
    lua_rawget(L, -2);
}

/* The same by the object's methods, whosever it is. */
static int look_at_any(lua_State *L, int *dirty) {
    int fd;
    call_method(L, "getfd");
    fd = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : -1;
    lua_pop(L, 1);
    if (fd < 0) return -1;
    call_method(L, "dirty");
    *dirty = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return fd;
}

/* The descriptor of the object on top of the stack; negative: it has none. *dirty: something received was not read. */
static int look_at(lua_State *L, int *dirty) {
    const ls_Socket *s = NULL;
    *dirty = 0;
    if (lua_istable(L, -1)) {
        push_own(L, OBJECT);
        s = ls_socket_test(L, -1);
        lua_pop(L, 1);
    }
    if (!s) return look_at_any(L, dirty);
    push_own(L, BUFFER);
    *dirty = s->fd >= 0 && ls_buffer_isfilled(L, -1);
    lua_pop(L, 1);
    return s->fd;
}

/* An element that is dirty has the item of its place, counted backwards from here. */
enum { DIRTY = -2 };

/* Enters the elements of a table, up to the first nil. *dirties: how many are dirty, of those to read alone. */
static size_t enter_objects(lua_State *L, Wait *wait, int table, size_t room, short event, int *dirties) {
    int *items = wait->items + wait->item_count;
    int top = lua_gettop(L), n;
    for (n = 0; n < (int)room; n++) {
        int dirty, fd;
        lua_rawgeti(L, table, n + 1);
        if (lua_isnil(L, -1)) break;
        fd = look_at(L, &dirty);
        items[n] = fd < 0 ? -1 : place_of(wait, fd);
        if (fd >= 0 && dirty && event == POLLIN) {
            items[n] = DIRTY - items[n];
            ++*dirties;
        } else if (fd >= 0) {
            wait->fds[items[n]].events |= event;
        }
        lua_settop(L, top);
    }
    lua_settop(L, top);
    wait->item_count += (size_t)n;
    return (size_t)n;
}

/* Adds an element of a table to the result on top, as its element number n, and under itself. */
static void add_object(lua_State *L, int table, size_t i, int n) {
    lua_rawgeti(L, table, (int)i + 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, n);
    lua_pushinteger(L, n);
    lua_rawset(L, -3);
}

/* As push_ready, with the dirty ones first. *n: how many there are. */
static int push_objects(lua_State *L, Wait *wait, int table, const int *items, size_t count, short event, int *n) {
    short wanted = (short)(event | POLLHUP | POLLERR);
    size_t i;
    *n = 0;
    lua_newtable(L);
    for (i = 0; i < count; i++)
        if (items[i] <= DIRTY) add_object(L, table, i, ++*n);
    for (i = 0; i < count; i++) {
        struct pollfd *entry = items[i] < 0 ? NULL : &wait->fds[items[i]];
        if (!entry || !entry->revents) continue;
        if (entry->revents & POLLNVAL) return EBADF;
        if (!(entry->events & event) || !(entry->revents & wanted)) continue;
        entry->events &= (short)~event;
        add_object(L, table, i, ++*n);
    }
    return 0;
}

static int select_objects(lua_State *L, const Request *request, Wait *wait, size_t reads, size_t writes) {
    int dirties = 0, ready, found = 0, room = 0, err;
    reads = request->read ? enter_objects(L, wait, request->read, reads, POLLIN, &dirties) : 0;
    writes = request->write ? enter_objects(L, wait, request->write, writes, POLLOUT, &dirties) : 0;
    err = poll_all(L, wait, dirties > 0 ? 0 : request->timeout, &ready);
    if (!err) err = push_objects(L, wait, request->read, wait->items, reads, POLLIN, &found);
    if (!err) err = push_objects(L, wait, request->write, wait->items + reads, writes, POLLOUT, &room);
    if (err) return ls_fail(L, err);
    if (found + room > 0) return 2;
    lua_pushliteral(L, "timeout");
    return 3;
}

/* __select(read, write, timeout) -> readable, writable [, "timeout"] | nil, message, name */
static int sock_select(lua_State *L) {
    Request request = { lua_istable(L, 1) ? 1 : 0, lua_istable(L, 2) ? 2 : 0, 1, ls_value_timeout(L, 3) };
    lua_settop(L, 3);
    return run_in_room(L, &request, select_objects);
}

/* ---- opening ---- */

/* The second upvalue is the rings, which each call looks at. */
static void push_upvalues(lua_State *L) {
    lua_pushvalue(L, LS_OPEN_STATE);
    lua_rawgeti(L, -1, LS_STATE_LAYERS);
    lua_rawgeti(L, -1, LS_LAYER_RINGS);
    lua_remove(L, -2);
}

void ls_select_open(lua_State *L) {
    push_upvalues(L);
    lua_pushcclosure(L, core_select, 2);
    lua_setfield(L, -2, "select");
    lua_rawgeti(L, LS_OPEN_STATE, LS_STATE_SOCKET);
    push_upvalues(L);
    lua_pushliteral(L, "object");
    lua_pushliteral(L, "buffer");
    lua_pushcclosure(L, sock_select, 4);
    lua_setfield(L, -2, "__select");
    lua_pop(L, 1);
}
