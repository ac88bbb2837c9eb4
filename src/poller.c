/* The poller: waits for any of very many objects. How the kernel does it is left to the backends in net/poll_*.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/poll.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is registered for a descriptor, by its number. */
typedef struct Entry {
    unsigned tag;    /* another one for each registration */
    unsigned events; /* LS_POLL_...; 0: nothing is registered */
} Entry;

/* Its table holds, for the descriptor fd, the value to give back at fd + 1, and the object, where it is another one, at
   -(fd + 1): what is registered stays alive. */
typedef struct Poller {
    const void *magic;
    const ls_Backend *backend; /* NULL: closed */
    void *self;
    Entry *entries;
    size_t room, count;
    unsigned last_tag;
} Poller;

static const char magics[LS_STATE_MAGICS];

enum {
    FEW = 64,     /* what a new poller has room for */
    AT_ONCE = 256 /* what is ready beyond that waits for the next call */
};

/* ---- the object ---- */

static Poller *check_slowly(lua_State *L) {
    Poller *p = ls_state_finalized(L, 1, sizeof *p, &magics[LS_STATE_GONE], LS_STATE_POLLER);
    if (!p) ls_value_wrongtype(L, 1, "poller");
    return p;
}

LS_HOT Poller *check_self(lua_State *L) {
    Poller *p = ls_state_object(L, 1, sizeof *p, &magics[LS_STATE_ALIVE]);
    return p ? p : check_slowly(L);
}

static void shut(Poller *p) {
    if (p->backend) p->backend->close(p->self);
    free(p->entries);
    p->backend = NULL;
    p->entries = NULL;
    p->room = p->count = 0;
}

static Poller *new_poller(lua_State *L) {
    Poller *p = ls_newuserdatawithtable(L, sizeof *p);
    memset(p, 0, sizeof *p);
    p->magic = &magics[LS_STATE_ALIVE];
    lua_createtable(L, FEW, 0);
    ls_setusertable(L, -2);
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLER);
    lua_setmetatable(L, -2);
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLERS);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return p;
}

/* lsocket.poller([backend]) -> poller | nil, message, name;  backend: "epoll", "kqueue", "poll" */
static int core_poller(lua_State *L) {
    const char *name = luaL_optstring(L, 1, ls_poll_backends[0]->name);
    const ls_Backend *const *backend = ls_poll_backends;
    Poller *p;
    int err;
    while (*backend && strcmp((*backend)->name, name) != 0) backend++;
    if (!*backend) {
        if (strcmp(name, "epoll") != 0 && strcmp(name, "kqueue") != 0)
            return luaL_argerror(L, 1, lua_pushfstring(L, "no backend is called '%s'", name));
        return ls_fail(L, EOPNOTSUPP);
    }
    p = new_poller(L);
    err = (*backend)->open(&p->self);
    if (err) return ls_fail(L, err);
    p->backend = *backend;
    return 1;
}

/* ---- registering ---- */

/* Pushes the object registered for fd, given the poller's table on top; nil where there is none. */
static void push_object(lua_State *L, int fd) {
    lua_rawgeti(L, -1, -(fd + 1));
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_rawgeti(L, -1, fd + 1);
}

static int is_registered(lua_State *L, const Poller *p, int fd, int object) {
    int same;
    if (fd < 0 || (size_t)fd >= p->room || !p->entries[fd].events) return 0;
    push_object(L, fd);
    same = lua_rawequal(L, -1, object);
    lua_pop(L, 1);
    return same;
}

/* Sets t[key] for the table on top to what stands at index; 0: nil. */
static void set_item(lua_State *L, int key, int index) {
    if (index) lua_pushvalue(L, index);
    else lua_pushnil(L);
    lua_rawseti(L, -2, key);
}

static int make_room(Poller *p, int fd) {
    size_t room = p->room ? p->room : FEW;
    Entry *entries;
    if ((size_t)fd < p->room) return 0;
    while (room <= (size_t)fd) room *= 2;
    entries = realloc(p->entries, room * sizeof *entries);
    if (!entries) return ENOMEM;
    memset(entries + p->room, 0, (room - p->room) * sizeof *entries);
    p->entries = entries;
    p->room = room;
    return 0;
}

static unsigned check_events(lua_State *L, int arg) {
    static const char *const names[] = { "r", "w", "rw", NULL };
    return (unsigned)luaL_checkoption(L, arg, NULL, names) + 1; /* LS_POLL_READ, LS_POLL_WRITE, both */
}

/* The descriptor of the object, argument 2. */
static int check_object(lua_State *L) {
    int fd = ls_socket_descriptor(L, 2);
    if (fd == LS_SOCKET_NONE) ls_value_wrongtype(L, 2, "socket");
    return fd;
}

static int set_events(Poller *p, int fd, unsigned events) {
    Entry *entry = &p->entries[fd];
    int err = p->backend->set(p->self, fd, entry->tag, (int)entry->events, (int)events);
    if (err) return err;
    p->count += (events != 0) - (size_t)(entry->events != 0);
    entry->events = events;
    return 0;
}

/* Takes out what is registered for fd, given the poller's table on top. */
static void take_out(lua_State *L, Poller *p, int fd) {
    if (p->entries[fd].events) p->count--;
    p->entries[fd].events = 0;
    set_item(L, -(fd + 1), 0);
    set_item(L, fd + 1, 0);
}

/* Marks a socket, so that it leaves its pollers when it is closed. */
static void watch(lua_State *L, int index) {
    ls_Socket *s = ls_socket_test(L, index);
    if (s) s->flags |= LS_SOCKET_WATCHED;
}

/* poller:add(obj, events [, value]) -> true | nil, message, name;  events: "r", "w", "rw"; value: obj by default */
static int poller_add(lua_State *L) {
    Poller *p = check_self(L);
    int fd = check_object(L), value = lua_isnoneornil(L, 4) ? 2 : 4, err;
    unsigned events = check_events(L, 3);
    lua_settop(L, 4);
    if (!p->backend || !ls_fd_isopen(fd)) return ls_fail(L, EBADF); /* so no number that is none takes memory */
    err = make_room(p, fd);
    if (err) return ls_fail(L, err);
    ls_getusertable(L, 1);
    if (is_registered(L, p, fd, 2)) return ls_fail(L, EEXIST);
    /* The table first, as it may throw; an earlier object of this number has been closed behind our back. */
    set_item(L, -(fd + 1), value == 2 ? 0 : 2);
    set_item(L, fd + 1, value);
    p->entries[fd].tag = ++p->last_tag;
    err = set_events(p, fd, events);
    if (err) {
        take_out(L, p, fd);
        return ls_fail(L, err);
    }
    watch(L, 2);
    return ls_succeed(L);
}

/* poller:modify(obj, events [, value]) -> true | nil, message, name;  without value the old one stays */
static int poller_modify(lua_State *L) {
    Poller *p = check_self(L);
    int fd = check_object(L), err;
    unsigned events = check_events(L, 3);
    lua_settop(L, 4);
    if (!p->backend || fd < 0) return ls_fail(L, EBADF);
    ls_getusertable(L, 1);
    if (!is_registered(L, p, fd, 2)) return ls_fail(L, ENOENT);
    if (!lua_isnil(L, 4)) {
        set_item(L, -(fd + 1), lua_rawequal(L, 2, 4) ? 0 : 2);
        set_item(L, fd + 1, 4);
    }
    err = events == p->entries[fd].events ? 0 : set_events(p, fd, events);
    return ls_result(L, err);
}

/* poller:remove(obj) -> true | nil, message, name */
static int poller_remove(lua_State *L) {
    Poller *p = check_self(L);
    int fd = check_object(L), err;
    if (!p->backend || fd < 0) return ls_fail(L, EBADF);
    ls_getusertable(L, 1);
    if (!is_registered(L, p, fd, 2)) return ls_fail(L, ENOENT);
    err = set_events(p, fd, 0);
    if (err) return ls_fail(L, err);
    take_out(L, p, fd);
    return ls_succeed(L);
}

/* forget(descriptor, object): takes it out of every poller. Called by what is about to be closed. */
static int forget(lua_State *L) {
    int fd = (int)lua_tointeger(L, 1);
    lua_settop(L, 2);
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLERS);
    for (lua_pushnil(L); lua_next(L, 3); lua_settop(L, 4)) {
        Poller *p = lua_touserdata(L, 4);
        ls_getusertable(L, 4);
        if (!is_registered(L, p, fd, 2)) continue;
        set_events(p, fd, 0);
        take_out(L, p, fd); /* whatever the system has said: it is as good as closed */
    }
    return 0;
}

/* ---- waiting ---- */

/* Ends an array that was refilled: clears what is left of the one before. */
LS_HOT void cut(lua_State *L, int table, int n) {
    int old = (int)lua_rawlen(L, table);
    for (; old > n; old--) {
        lua_pushnil(L);
        lua_rawseti(L, table, old);
    }
}

/* Fills the arrays at 3 and 4 from the events, given the poller's table at 5. Answers how many were told. */
LS_HOT int fill(lua_State *L, const Poller *p, const ls_Event *events, size_t count) {
    int readable = 0, writable = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        int fd = events[i].fd, set;
        /* A finalizer may have closed the poller; an earlier owner of the number may still be open elsewhere. */
        if ((size_t)fd >= p->room || p->entries[fd].tag != events[i].tag) continue;
        set = events[i].events & (int)p->entries[fd].events;
        if (set & LS_POLL_READ) {
            lua_rawgeti(L, 5, fd + 1);
            lua_rawseti(L, 3, ++readable);
        }
        if (set & LS_POLL_WRITE) {
            lua_rawgeti(L, 5, fd + 1);
            lua_rawseti(L, 4, ++writable);
        }
    }
    cut(L, 3, readable);
    cut(L, 4, writable);
    return readable + writable;
}

/* The time to wait, in seconds; negative: for ever. */
LS_HOT double check_timeout(lua_State *L, int arg) {
    int given;
    double timeout = ls_tonumber(L, arg, &given);
    if (LS_LIKELY(given && timeout == timeout)) return timeout;
    if (given) luaL_argerror(L, arg, "timeout is not a number");
    if (!lua_isnoneornil(L, arg)) ls_value_wrongtype(L, arg, "number");
    return -1;
}

/* An array that was passed in, or a new one in its place. */
LS_HOT void take_array(lua_State *L, int arg) {
    if (LS_LIKELY(lua_istable(L, arg))) return;
    if (!lua_isnil(L, arg)) ls_value_wrongtype(L, arg, "table");
    lua_newtable(L);
    lua_replace(L, arg);
}

/* poller:wait([timeout [, readable, writable]]) -> readable, writable | false | nil, message, name */
static int poller_wait(lua_State *L) {
    ls_Event events[AT_ONCE];
    Poller *p = check_self(L);
    double timeout = check_timeout(L, 2);
    size_t count;
    int err;
    if (lua_gettop(L) != 4) lua_settop(L, 4);
    take_array(L, 3);
    take_array(L, 4);
    if (!p->backend) return ls_fail(L, EBADF);
    if (p->count == 0 && timeout < 0) return ls_fail_text(L, EINVAL, "nothing to wait for and no timeout set");
    err = p->backend->wait(p->self, timeout, events, AT_ONCE, &count);
    if (err) return ls_fail(L, err);
    ls_getusertable(L, 1);
    if (fill(L, p, events, count) == 0) {
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_settop(L, 4);
    return 2;
}

/* ---- the rest ---- */

/* poller:getfd() -> descriptor | nil, message, name;  readable while an event waits; -1 when closed */
static int poller_getfd(lua_State *L) {
    Poller *p = check_self(L);
    int fd = p->backend ? p->backend->getfd(p->self) : -1;
    if (p->backend && fd < 0) return ls_fail(L, EOPNOTSUPP);
    lua_pushinteger(L, fd);
    return 1;
}

/* poller:close() -> true;  what was registered stays open; another poller that knows this one forgets it */
static int poller_close(lua_State *L) {
    Poller *p = check_self(L);
    if (p->backend) ls_state_forget(L, p->backend->getfd(p->self), 1);
    shut(p);
    lua_newtable(L);
    ls_setusertable(L, 1);
    return ls_succeed(L);
}

static int poller_gc(lua_State *L) {
    Poller *p = check_self(L);
    shut(p);
    p->magic = &magics[LS_STATE_GONE];
    return 0;
}

static int poller_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check_self(L)->count);
    return 1;
}

static int poller_tostring(lua_State *L) {
    lua_pushfstring(L, "poller: %p", (void *)check_self(L));
    return 1;
}

static const luaL_Reg methods[] = {
    { "wait", poller_wait },   { "add", poller_add },     { "modify", poller_modify }, { "remove", poller_remove },
    { "getfd", poller_getfd }, { "close", poller_close }, { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", poller_gc },
    { "__close", poller_close },
    { "__len", poller_len },
    { "__tostring", poller_tostring },
    { NULL, NULL },
};

static const luaL_Reg functions[] = { { "poller", core_poller }, { NULL, NULL } };

/* Pushes the table of the pollers, by weak keys. A program that opens the library again has one for all of it, as a
   poller may know an object of an earlier opening. */
static void push_pollers(lua_State *L) {
    lua_pushlightuserdata(L, (void *)&magics[LS_STATE_ALIVE]);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, (void *)&magics[LS_STATE_ALIVE]);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void ls_poller_open(lua_State *L) {
    ls_state_class(L, LS_STATE_POLLER, "poller", methods, metamethods);
    push_pollers(L);
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_POLLERS);
    lua_pushvalue(L, LS_OPEN_STATE);
    lua_pushcclosure(L, forget, 1);
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_FORGET);
    ls_state_register(L, functions);
}
