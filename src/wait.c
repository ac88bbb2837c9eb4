/* sock:wait: waits for one socket, with poll(2), and allocates nothing. Many at once are left to select.c and
   poller.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/poll.h"
#include "socket.h"
#include "value.h"

/* Waits on after a signal. But where its handler has set a hook, as for Ctrl-C in the standalone interpreter, Lua is to
   run that first: here, or in the main thread, which may be waiting for this one. */
static int await(lua_State *L, struct pollfd *entry, double timeout, int *ready) {
    lua_State *main = ls_mainthread(L);
    const lua_Hook hook = lua_gethook(L), mains = lua_gethook(main);
    double until = timeout > 0 ? ls_fd_now() + timeout : 0;
    int err = ls_fd_poll(entry, 1, timeout, ready);
    while (err == EINTR && lua_gethook(L) == hook && lua_gethook(main) == mains) {
        double left = timeout > 0 ? until - ls_fd_now() : timeout;
        err = ls_fd_poll(entry, 1, timeout > 0 && left < 0 ? 0 : left, ready);
    }
    return err;
}

/* What of the events has come. A failure or a hang-up is all that was asked for: the next call tells which. */
static int happened(const struct pollfd *entry, int events) {
    int set = entry->revents;
    if (set & (POLLERR | POLLHUP)) return events;
    return (set & POLLIN ? LS_POLL_READ : 0) | (set & POLLOUT ? LS_POLL_WRITE : 0);
}

/* What the layer has to send leaves meanwhile, for which the kernel is asked for room, too. As await, and *ready is
   whether anything has come that was asked for. */
static int await_layer(lua_State *L, ls_Layer *layer, struct pollfd *entry, double timeout, int *ready) {
    short wanted = entry->events;
    double until = timeout > 0 ? ls_fd_now() + timeout : 0;
    int err, room;
    do {
        int held;
        ls_layer_flushall(layer->rings);
        held = wanted & POLLIN && ls_layer_isready(layer);
        entry->events = (short)(wanted | (ls_layer_isunsent(layer) ? POLLOUT : 0));
        err = await(L, entry, held ? 0 : timeout, ready);
        if (err) return err;
        if (held) entry->revents |= POLLIN;
        room = entry->revents & POLLOUT;
        *ready = entry->revents & (wanted | POLLERR | POLLHUP | POLLNVAL);
        if (timeout > 0) timeout = until > ls_fd_now() ? until - ls_fd_now() : 0;
    } while (!*ready && room && timeout != 0);
    entry->revents = (short)*ready;
    return 0;
}

/* sock:wait(events [, timeout]) -> "r" | "w" | "rw" | false | nil, message, name;  events: "r", "w", "rw" */
static int sock_wait(lua_State *L) {
    static const char *const names[] = { "r", "w", "rw" };
    const ls_Socket *s = ls_socket_self(L);
    int events = ls_value_events(L, 2), ready, err;
    double timeout = ls_value_timeout(L, 3);
    struct pollfd entry = { s->fd, 0, 0 };
    ls_Layer *layer = ls_socket_layer(s);
    if (s->fd < 0) return ls_fail(L, EBADF);
    entry.events = (short)((events & LS_POLL_READ ? POLLIN : 0) | (events & LS_POLL_WRITE ? POLLOUT : 0));
    err = layer ? await_layer(L, layer, &entry, timeout, &ready) : await(L, &entry, timeout, &ready);
    if (!err && entry.revents & POLLNVAL) err = EBADF; /* it was closed behind the socket's back */
    if (err) return ls_fail(L, err);
    if (ready) lua_pushstring(L, names[happened(&entry, events) - 1]);
    else lua_pushboolean(L, 0);
    return 1;
}

/* yieldif(thread, ...): yields the rest if that coroutine is the one that runs, else returns the first of it. For the
   loop. */
int ls_wait_yieldif(lua_State *L) {
    if (LS_LIKELY(lua_tothread(L, 1) == L)) return lua_yield(L, lua_gettop(L) - 1);
    lua_settop(L, 2);
    return 1;
}

static const luaL_Reg methods[] = { { "wait", sock_wait }, { NULL, NULL } };

void ls_wait_open(lua_State *L) { ls_socket_extend(L, methods); }
