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

LS_HOT int place_of(Wait *wait, int fd) {
    size_t slot = (size_t)fd & wait->mask;
    int place;
    while ((place = wait->slots[slot]) >= 0) {
        if (wait->fds[place].fd == fd) return place;
        slot = (slot + 1) & wait->mask;
    }
    place = wait->slots[slot] = (int)wait->count++;
    wait->fds[place].fd = fd;
    wait->fds[place].events = wait->fds[place].revents = 0;
    return place;
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

static int read_table(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg)) return 0;
    if (!lua_istable(L, arg)) ls_value_wrongtype(L, arg, "table");
    return arg;
}

/* ([read [, write]] [, timeout]): the first number is the time, wherever it stands. */
static void read_request(lua_State *L, Request *request) {
    int arg = 1;
    request->read = request->write = 0;
    if (!lua_isnumber(L, arg)) request->read = read_table(L, arg++);
    if (arg == 2 && !lua_isnumber(L, arg)) request->write = read_table(L, arg++);
    request->timed = !lua_isnoneornil(L, arg);
    request->timeout = request->timed ? luaL_checknumber(L, arg) : -1;
    if (request->timeout != request->timeout) luaL_argerror(L, arg, "timeout is not a number");
}

/* Polls, and pushes the answer. */
static int answer(lua_State *L, const Request *request, Wait *wait, size_t reads) {
    int ready, err;
    if (wait->count == 0 && !(request->timed && request->timeout >= 0))
        return ls_fail_text(L, EINVAL, "no open sockets to check and no timeout set");
    err = ls_fd_poll(wait->fds, wait->count, request->timeout, &ready);
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

/* lsocket.select([read [, write]] [, timeout]) -> readable [, writable] | false | nil, message, name */
static int core_select(lua_State *L) {
    char small[SMALL * (sizeof(struct pollfd) + 5 * sizeof(int))];
    void *block = small;
    Request request;
    Wait wait;
    size_t reads, elements, slots = 2;
    int results;
    read_request(L, &request);
    lua_settop(L, 3);
    reads = count_elements(L, request.read);
    elements = reads + count_elements(L, request.write);
    while (slots < 2 * elements) slots *= 2;
    if (block_size(elements, slots) > sizeof small)
        block = ls_state_lend(L, LS_STATE_SELECT, block_size(elements, slots));
    lay_out(&wait, block, elements, slots);
    reads = request.read ? enter(L, &wait, request.read, reads, POLLIN) : 0;
    if (request.write) enter(L, &wait, request.write, elements - wait.item_count, POLLOUT);
    results = answer(L, &request, &wait, reads);
    if (block != small) ls_state_giveback(L, LS_STATE_SELECT, 4);
    return results;
}

static const luaL_Reg functions[] = { { "select", core_select }, { NULL, NULL } };

void ls_select_open(lua_State *L) {
    ls_state_register(L, functions);
}
