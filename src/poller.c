/* The poller: waits for any of very many objects. How the kernel does it is left to the backends in net/poll_*.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/fork.h"
#include "net/poll.h"
#include "poller_layers.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A poller has two tables of its own, which keep alive what is registered: of the values that wait gives back, and of
   the objects. Both have what belongs to the descriptor fd at fd + 1. The values are its user table, as wait needs no
   more; the objects are at OBJECTS in it. */
enum { OBJECTS = 0 };

typedef struct Poller {
    const void *magic;
    ls_PollerSet set;
    size_t count; /* of entries with events */
    unsigned last_tag;
    unsigned forks; /* ls_fork_count when the kernel was told what is registered; another one: it must be told anew */
    int guarded;    /* has there been anything foreign, which a wait may have to take out? */
    int lost;       /* has anything left by itself since the loop was last told? */
    int full;       /* was there as much at the last wait as it takes, and perhaps more? */
} Poller;

static const char magics[LS_STATE_MAGICS];

enum {
    FEW = 64,      /* what a new poller has room for */
    AT_ONCE = 256, /* what is ready beyond that waits for the next call */
    OFTEN = 64     /* the same for the loop: so it sees often whose time has come */
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
    if (p->set.backend) p->set.backend->close(p->set.self);
    free(p->set.entries);
    p->set.backend = NULL;
    p->set.entries = NULL;
    p->set.room = p->count = 0;
}

/* Gives the poller at this place of the stack new tables. */
static void set_tables(lua_State *L, int index, int room) {
    lua_createtable(L, room, 1);
    lua_createtable(L, room, 0);
    lua_rawseti(L, -2, OBJECTS);
    ls_setusertable(L, index);
}

static Poller *new_poller(lua_State *L) {
    Poller *p = ls_newuserdatawithtable(L, sizeof *p);
    memset(p, 0, sizeof *p);
    p->magic = &magics[LS_STATE_ALIVE];
    p->set.rings = ls_socket_rings(L);
    set_tables(L, lua_gettop(L), FEW);
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLER);
    lua_setmetatable(L, -2);
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLERS);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return p;
}

/* Is that a backend of some platform? */
static int is_backend(const char *name) {
    return strcmp(name, "epoll") == 0 || strcmp(name, "kqueue") == 0 || strcmp(name, "afd") == 0;
}

/* lsocket.poller([backend]) -> poller | nil, message, name;  backend: "epoll", "kqueue", "afd", "poll" */
static int core_poller(lua_State *L) {
    const char *name = luaL_optstring(L, 1, ls_poll_backends[0]->name);
    const ls_Backend *const *backend = ls_poll_backends;
    Poller *p;
    int err;
    while (*backend && strcmp((*backend)->name, name) != 0) backend++;
    if (!*backend) {
        if (is_backend(name)) return ls_fail(L, EOPNOTSUPP);
        return luaL_argerror(L, 1, lua_pushfstring(L, "no backend is called '%s'", name));
    }
    p = new_poller(L);
    err = (*backend)->open(&p->set.self);
    if (err) return ls_fail(L, err);
    p->set.backend = *backend;
    p->forks = ls_fork_count;
    return 1;
}

/* ---- the tables ---- */

LS_HOT int has(const Poller *p, int fd) { return ls_poller_has(&p->set, fd); }

/* Is this object registered for fd? Given the poller's table on top. */
static int is_registered(lua_State *L, const Poller *p, int fd, int object) {
    int same;
    if (!has(p, fd)) return 0;
    lua_rawgeti(L, -1, OBJECTS);
    lua_rawgeti(L, -1, fd + 1);
    same = lua_rawequal(L, -1, object);
    lua_pop(L, 2);
    return same;
}

/* Pops a value and sets table[fd + 1] to it, for the table on top then. */
static void set_value(lua_State *L, int fd) {
    lua_rawseti(L, -2, fd + 1);
}

/* The same for the table of objects. */
static void set_object(lua_State *L, int fd) {
    lua_rawgeti(L, -2, OBJECTS);
    lua_insert(L, -2);
    lua_rawseti(L, -2, fd + 1);
    lua_pop(L, 1);
}

/* Takes out what is registered for fd, given the poller's table on top. */
static void take_out(lua_State *L, Poller *p, int fd) {
    if (p->set.entries[fd].events) p->count--;
    p->set.entries[fd].events = 0;
    lua_pushnil(L);
    set_value(L, fd);
    lua_pushnil(L);
    set_object(L, fd);
}

/* The same for what has left by itself. */
static void lose(lua_State *L, Poller *p, int fd) {
    take_out(L, p, fd);
    p->lost = 1;
}

static int make_room(Poller *p, int fd) {
    size_t room = p->set.room ? p->set.room : FEW;
    ls_PollerEntry *entries;
    if ((size_t)fd < p->set.room) return 0;
    while (room <= (size_t)fd) room *= 2;
    entries = realloc(p->set.entries, room * sizeof *entries);
    if (!entries) return ENOMEM;
    memset(entries + p->set.room, 0, (room - p->set.room) * sizeof *entries);
    p->set.entries = entries;
    p->set.room = room;
    return 0;
}

/* The descriptor of the object, argument 2. */
static int check_object(lua_State *L) {
    int fd = ls_socket_descriptor(L, 2);
    if (fd == LS_SOCKET_NONE) ls_value_wrongtype(L, 2, "socket, descriptor or object with getfd");
    return fd;
}

static int set_events(Poller *p, int fd, unsigned events) {
    ls_PollerEntry *entry = &p->set.entries[fd];
    int err = p->set.backend->set(p->set.self, fd, entry->tag, (int)entry->events, (int)events);
    if (err) return err;
    if (events && !entry->events) p->count++;
    if (!events && entry->events) p->count--;
    entry->events = events;
    return 0;
}

/* Is what is registered for fd there still? EBADF, ENOENT: it was closed unseen, the number may be another one's. */
static int check(const Poller *p, int fd) {
    const ls_PollerEntry *entry = &p->set.entries[fd];
    return p->set.backend->check(p->set.self, fd, entry->tag, (int)entry->events);
}

static int is_gone(int err) { return err == EBADF || err == ENOENT; }

/* ---- forks ---- */

/* Tells the kernel what the poller on top has registered. What was closed meanwhile leaves. */
static int enter(lua_State *L, Poller *p) {
    int err = p->set.backend->reopen(p->set.self);
    size_t fd;
    ls_getusertable(L, -1);
    for (fd = 0; fd < p->set.room && !err; fd++) {
        const ls_PollerEntry *entry = &p->set.entries[fd];
        if (entry->events) err = p->set.backend->set(p->set.self, (int)fd, entry->tag, 0, (int)entry->events);
        if (err != EBADF) continue;
        lose(L, p, (int)fd);
        err = 0;
    }
    lua_pop(L, 1);
    if (!err) p->forks = ls_fork_count;
    return err;
}

/* In the child of a fork the kernel knows nothing of what is registered. All pollers are told of at once, as one may
   stand in another one. */
static int enter_all(lua_State *L) {
    int pollers = lua_gettop(L) + 1, err = 0;
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLERS);
    for (lua_pushnil(L); !err && lua_next(L, pollers); lua_settop(L, pollers + 1)) {
        Poller *p = lua_touserdata(L, pollers + 1);
        lua_settop(L, pollers + 1);
        if (p->set.backend && p->forks != ls_fork_count) err = enter(L, p);
    }
    lua_settop(L, pollers - 1);
    return err;
}

LS_HOT int catch_up(lua_State *L, const Poller *p) {
    return LS_LIKELY(p->forks == ls_fork_count) ? 0 : enter_all(L);
}

/* ---- changing ---- */

/* Makes a socket leave its pollers when it is closed. Answers LS_POLL_FOREIGN for anything else, which may not. */
static int watch(lua_State *L, const Poller *p, int index) {
    ls_Socket *s = ls_socket_test(L, index);
    if (!s) return p->set.backend->guards;
    s->flags |= LS_SOCKET_WATCHED;
    return 0;
}

/* Finds out whether the descriptor can be registered, and makes room for it. */
static int prepare(lua_State *L, Poller *p, int fd) {
    int err;
    if (!p->set.backend || !ls_fd_isopen(fd)) return EBADF; /* so no number that is none takes memory */
    err = catch_up(L, p);
    if (!err) err = make_room(p, fd);
    return err ? err : has(p, fd) && !is_gone(check(p, fd)) ? EEXIST : 0;
}

/* poller:add(obj, events [, value]) -> true | nil, message, name;  events: "r", "w", "rw"; value: obj by default */
static int poller_add(lua_State *L) {
    Poller *p = check_self(L);
    int fd = check_object(L), value = lua_isnoneornil(L, 4) ? 2 : 4, err;
    unsigned events = (unsigned)ls_value_events(L, 3);
    lua_settop(L, 4);
    err = prepare(L, p, fd);
    if (err) return ls_fail(L, err);
    ls_getusertable(L, 1);
    if (has(p, fd)) lose(L, p, fd); /* it was closed behind our back */
    /* The tables first, as they may throw. */
    lua_pushvalue(L, 2);
    set_object(L, fd);
    lua_pushvalue(L, value);
    set_value(L, fd);
    if (!p->set.backend) return ls_fail(L, EBADF); /* a finalizer has closed it */
    p->set.entries[fd].tag = ++p->last_tag;
    events |= (unsigned)watch(L, p, 2);
    if (events & LS_POLL_FOREIGN) p->guarded = 1;
    err = set_events(p, fd, events);
    if (!err) return ls_succeed(L);
    take_out(L, p, fd);
    return ls_fail(L, err);
}

/* poller:modify(obj, events [, value]) -> true | nil, message, name;  without value the old one stays */
static int poller_modify(lua_State *L) {
    Poller *p = check_self(L);
    int fd = check_object(L), err;
    unsigned events = (unsigned)ls_value_events(L, 3);
    lua_settop(L, 4);
    if (!p->set.backend || fd < 0) return ls_fail(L, EBADF);
    ls_getusertable(L, 1);
    if (!is_registered(L, p, fd, 2)) return ls_fail(L, ENOENT);
    if (!lua_isnil(L, 4)) {
        lua_pushvalue(L, 4);
        set_value(L, fd);
    }
    events |= p->set.entries[fd].events & LS_POLL_FOREIGN;
    err = events == p->set.entries[fd].events ? 0 : set_events(p, fd, events);
    return ls_result(L, err);
}

/* poller:remove(obj) -> true | nil, message, name */
static int poller_remove(lua_State *L) {
    Poller *p = check_self(L);
    int fd = check_object(L), err;
    if (!p->set.backend || fd < 0) return ls_fail(L, EBADF);
    ls_getusertable(L, 1);
    if (!is_registered(L, p, fd, 2)) return ls_fail(L, ENOENT);
    err = set_events(p, fd, 0);
    if (err) return ls_fail(L, err);
    take_out(L, p, fd);
    return ls_succeed(L);
}

/* forget(descriptor, object): takes it out of every poller and ring. Called by what is about to be closed. */
static int forget(lua_State *L) {
    int fd = (int)lua_tointeger(L, 1);
    lua_settop(L, 2);
    ls_rings_forget(L, fd);
    lua_rawgeti(L, LS_STATE, LS_STATE_POLLERS);
    for (lua_pushnil(L); lua_next(L, 3); lua_settop(L, 4)) {
        Poller *p = lua_touserdata(L, 4);
        ls_getusertable(L, 4);
        if (!is_registered(L, p, fd, 2)) continue;
        set_events(p, fd, 0);
        lose(L, p, fd); /* whatever the system has said: it is as good as closed */
    }
    return 0;
}

/* ---- waiting ---- */

/* An event that may be of something closed: takes it out where it is. Where a finalizer has just forked, the set knows
   nothing about it. */
static int leaves(lua_State *L, Poller *p, int fd) {
    int err = p->forks == ls_fork_count ? check(p, fd) : 0;
    if (is_gone(err)) lose(L, p, fd);
    else if (err) p->forks = ls_fork_count - 1; /* it is silent now: the next wait tells the kernel of all anew */
    return is_gone(err);
}

/* Fills the arrays at 3 and 4 from the events, given the poller's table at 5. Answers how many were told. */
LS_HOT int fill(lua_State *L, Poller *p, const ls_Event *events, size_t count) {
    int readable = 0, writable = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        int fd = events[i].fd, set;
        /* A finalizer may have closed the poller; an earlier owner of the number may still be open elsewhere. */
        if ((size_t)fd >= p->set.room || p->set.entries[fd].tag != events[i].tag) continue;
        set = events[i].events & (int)p->set.entries[fd].events;
        if (!LS_LIKELY(set && !(p->set.entries[fd].events & LS_POLL_FOREIGN)) && leaves(L, p, fd)) continue;
        if (set & LS_POLL_READ) {
            lua_rawgeti(L, 5, fd + 1);
            lua_rawseti(L, 3, ++readable);
        }
        if (set & LS_POLL_WRITE) {
            lua_rawgeti(L, 5, fd + 1);
            lua_rawseti(L, 4, ++writable);
        }
    }
    ls_value_cut(L, 3, readable);
    ls_value_cut(L, 4, writable);
    return readable + writable;
}

/* An array that was passed in, or a new one in its place. */
LS_HOT void take_array(lua_State *L, int arg) {
    if (LS_LIKELY(lua_istable(L, arg))) return;
    if (!lua_isnil(L, arg)) ls_value_wrongtype(L, arg, "table");
    lua_newtable(L);
    lua_replace(L, arg);
}

/* What a signal has made ready, such as the descriptor of who listens to it, is told rather than the signal. */
static int wait_interrupted(const Poller *p, ls_Event *events, size_t room, size_t *count) {
    int err = p->set.backend->wait(p->set.self, 0, events, room, count);
    return !err && *count == 0 ? EINTR : err;
}

/* As wait_once, where layers hold or send something. */
static int wait_with_layers(Poller *p, double timeout, ls_Event *events, size_t room, size_t *count) {
    int err = ls_poller_wait(&p->set, timeout, events, room, count);
    p->full = 1; /* as far as is known */
    return err == EINTR ? wait_interrupted(p, events, room, count) : err;
}

/* Waits once; *count events, no more than there is room for, or an errno. */
LS_HOT int wait_once(lua_State *L, Poller *p, double timeout, ls_Event *events, size_t room, size_t *count) {
    int err = p->set.backend ? catch_up(L, p) : EBADF;
    if (!LS_LIKELY(p->set.rings->busy == 0) && !err) return wait_with_layers(p, timeout, events, room, count);
    if (LS_LIKELY(!err)) err = p->set.backend->wait(p->set.self, timeout, events, room, count);
    if (!LS_LIKELY(err != EINTR)) err = wait_interrupted(p, events, room, count);
    p->full = !err && *count == room;
    return err;
}

/* All that there was to tell is gone: is there time to wait for more? until: when it is over, 0 where nobody knows. */
static int goes_on(double *timeout, double until) {
    if (until == 0) return *timeout < 0;
    *timeout = until - ls_fd_now();
    return *timeout > 0;
}

/* Waits as the arguments 2 to 4 say, timeout being the number of argument 2. alert: for the loop, whose wait ends when
   something has left by itself. */
LS_HOT int wait_for(lua_State *L, Poller *p, double timeout, int alert) {
    ls_Event events[AT_ONCE];
    double until = p->guarded && timeout > 0 ? ls_fd_now() + timeout : 0;
    size_t count, before, room = alert ? OFTEN : AT_ONCE;
    int err, told;
    if (lua_gettop(L) != 4) lua_settop(L, 4);
    take_array(L, 3);
    take_array(L, 4);
    do {
        before = p->count;
        if (before == 0 && timeout < 0 && p->set.backend)
            return ls_fail_text(L, EINVAL, "nothing to wait for and no timeout set");
        err = wait_once(L, p, timeout, events, room, &count);
        if (err) return ls_fail(L, err);
        ls_getusertable(L, 1);
        told = fill(L, p, events, count);
        lua_settop(L, 4);
        if (told > 0) return 2;
    } while (p->count < before && !(alert && p->lost) && goes_on(&timeout, until));
    lua_pushboolean(L, 0);
    return 1;
}

/* poller:wait([timeout [, readable, writable]]) -> readable, writable | false | nil, message, name */
static int poller_wait(lua_State *L) {
    Poller *p = check_self(L);
    return wait_for(L, p, ls_value_timeout(L, 2), 0);
}

/* The time that is left until one that is due; negative, no limit: the backend sees to it. */
LS_HOT double time_until(const Poller *p, double due) {
    double left;
    if (p->count > 0 && p->set.backend->alarm && p->set.backend->alarm(p->set.self, due)) return -1;
    left = due - ls_fd_now();
    return left > 0 ? left : 0;
}

/* Waits also no longer than until a time that is due; what poller_wait gives, and if the time has come a third value,
   what time it is then. */
LS_HOT int wait_until(lua_State *L, Poller *p, double timeout, double due) {
    double left = timeout == 0 ? 0 : time_until(p, due), now;
    int results = wait_for(L, p, timeout >= 0 && (left < 0 || timeout < left) ? timeout : left, 1);
    if (results == 3) return 3;
    if (LS_LIKELY(results == 2 && left != 0 && !p->full)) return 2;
    now = ls_fd_now();
    if (now < due) return results;
    if (results == 1) lua_pushnil(L);
    lua_pushnumber(L, now);
    return 3;
}

/* What the loop waits with: wait, or with a fifth argument, until the time that is due. But nothing at once where
   nothing is registered, and ESTALE where something has left by itself since it was last told. */
static int poller_alert(lua_State *L) {
    Poller *p = check_self(L);
    double timeout = ls_value_timeout(L, 2);
    if (!LS_LIKELY(!p->lost)) {
        p->lost = 0;
        return ls_fail_text(L, ESTALE, "something has left");
    }
    if (!LS_LIKELY(p->count > 0) && p->set.backend) return 0;
    return lua_gettop(L) == 5 ? wait_until(L, p, timeout, lua_tonumber(L, 5)) : wait_for(L, p, timeout, 1);
}

/* Does a layer hold what the poller would report at once? For the loop. */
static int poller_ready(lua_State *L) {
    const Poller *p = check_self(L);
    if (!p->set.backend) return ls_fail(L, EBADF);
    lua_pushboolean(L, ls_poller_holds(&p->set));
    return 1;
}

/* Before its descriptor is waited for in another way: has something left by itself, or does a layer hold what the
   poller would report? And after it: what layers have to send wakes whoever waits so. nil: there is nothing to do. For
   the loop. */
static int poller_lend(lua_State *L) {
    Poller *p = check_self(L);
    if (LS_LIKELY(p->set.rings->busy == 0 && !p->lost) || !p->set.backend) return 0;
    ls_layer_flushall(p->set.rings);
    lua_pushboolean(L, p->lost || ls_poller_holds(&p->set));
    ls_poller_lend(&p->set);
    return 1;
}

static int poller_takeback(lua_State *L) {
    Poller *p = check_self(L);
    if (p->set.backend) ls_poller_takeback(&p->set);
    return 0;
}

/* ---- the rest ---- */

/* poller:getfd() -> descriptor | nil, message, name;  readable while an event waits; -1 when closed */
static int poller_getfd(lua_State *L) {
    Poller *p = check_self(L);
    int err = p->set.backend ? catch_up(L, p) : 0, fd = -1;
    if (err) return ls_fail(L, err);
    if (p->set.backend) fd = p->set.backend->getfd(p->set.self);
    if (p->set.backend && fd < 0) return ls_fail(L, EOPNOTSUPP);
    lua_pushinteger(L, fd);
    return 1;
}

/* poller:close() -> true;  what was registered stays open; another poller that knows this one forgets it */
static int poller_close(lua_State *L) {
    Poller *p = check_self(L);
    if (p->set.backend) ls_state_forget(L, p->set.backend->getfd(p->set.self), 1);
    shut(p);
    set_tables(L, 1, 0);
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
    { "__wait", poller_alert },
    { "__ready", poller_ready },
    { "__lend", poller_lend },
    { "__takeback", poller_takeback },
    { NULL, NULL },
};

static const luaL_Reg functions[] = { { "poller", core_poller }, { NULL, NULL } };

void ls_poller_open(lua_State *L) {
    ls_state_class(L, LS_STATE_POLLER, "poller", methods, metamethods);
    ls_state_pushlist(L, &magics[LS_STATE_ALIVE]); /* a poller may know an object of an earlier opening */
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_POLLERS);
    lua_pushvalue(L, LS_OPEN_STATE);
    lua_pushcclosure(L, forget, 1);
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_FORGET);
    ls_state_register(L, functions);
}
