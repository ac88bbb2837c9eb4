/* Streams: one message after the other, and as many bytes as will go. */
#include "cref.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* cref.prime(from, to, count): leaves count bytes, and no others, waiting in a connection. With some in it, what is
   received is no message that was sent, but the end of one and the beginning of the next: a string new to Lua. */
static int cref_prime(lua_State *L) {
    char data[65536];
    int from = cref_int(L, 1), to = cref_int(L, 2), count = cref_int(L, 3);
    while (recv(to, data, sizeof data, MSG_DONTWAIT) > 0) continue;
    if (count && send(from, data, (size_t)count, MSG_NOSIGNAL) != count) return cref_fail(L, "send");
    return 0;
}

typedef struct Connection {
    int from, to;
    int epoll; /* -1: none */
} Connection;

/* Waiting as a workload does it, until the receiver is readable. */
typedef int Wait(const Connection *c);

static int wait_not(const Connection *c) {
    (void)c;
    return 1;
}

static int wait_poll(const Connection *c) {
    struct pollfd fd = { c->to, POLLIN, 0 };
    return poll(&fd, 1, 5000);
}

static int wait_epoll(const Connection *c) {
    struct epoll_event events[256];
    return epoll_wait(c->epoll, events, 256, 5000);
}

/* Inlined into each caller together with its wait. */
static inline __attribute__((always_inline)) int pingpong(lua_State *L, Wait *wait) {
    Connection c = { cref_int(L, 1), cref_int(L, 2), lua_isnoneornil(L, 6) ? -1 : cref_int(L, 6) };
    int rounds = cref_int(L, 3), size = cref_int(L, 5), i;
    size_t len;
    const char *messages = luaL_checklstring(L, 4, &len);
    size_t step = (size_t)size, at = 0;
    char data[65536];
    for (i = 0; i < rounds; i++) {
        if (send(c.from, messages + at, step, MSG_NOSIGNAL) != size) return cref_fail(L, "send");
        if (wait(&c) != 1) return cref_fail(L, "wait");
        /* On a busy machine a message may arrive a little later; it is received by the next turn. */
        if (recv(c.to, data, step, 0) < 0 && errno != EAGAIN) return cref_fail(L, "recv");
        at = at + 2 * step > len ? 0 : at + step;
    }
    return 0;
}

/* cref.pingpong(from, to, rounds, messages, size): messages is a string of some of them */
static int cref_pingpong(lua_State *L) {
    return pingpong(L, wait_not);
}

/* cref.pingpong_poll(from, to, rounds, messages, size) */
static int cref_pingpong_poll(lua_State *L) {
    return pingpong(L, wait_poll);
}

/* cref.pingpong_epoll(from, to, rounds, messages, size, epoll) */
static int cref_pingpong_epoll(lua_State *L) {
    return pingpong(L, wait_epoll);
}

/* cref.epoll() -> descriptor: an empty epoll set */
static int cref_epoll(lua_State *L) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return cref_fail(L, "epoll_create1");
    lua_pushinteger(L, epoll);
    return 1;
}

/* cref.epoll_add(epoll, fd): registers it as readable */
static int cref_epoll_add(lua_State *L) {
    struct epoll_event event = { EPOLLIN, { .fd = cref_int(L, 2) } };
    if (epoll_ctl(cref_int(L, 1), EPOLL_CTL_ADD, event.data.fd, &event) < 0) return cref_fail(L, "epoll_ctl");
    return 0;
}

/* The bare binding: the least that a C function called from Lua can do to send and to receive a string. It knows no
   objects, no failures and no nil.
   cref.send(fd, data) -> count */
static int cref_send(lua_State *L) {
    int fd = (int)lua_tonumber(L, 1);
    size_t size;
    const char *data = lua_tolstring(L, 2, &size);
    lua_pushinteger(L, (lua_Integer)send(fd, data, size, MSG_NOSIGNAL));
    return 1;
}

/* cref.recv(fd, size) -> data;  size: at most 64 KiB */
static int cref_recv(lua_State *L) {
    char data[65536];
    ssize_t n = recv((int)lua_tonumber(L, 1), data, (size_t)lua_tonumber(L, 2), 0);
    lua_pushlstring(L, data, n < 0 ? 0 : (size_t)n);
    return 1;
}

/* cref.wait(epoll) -> fd: one that is readable */
static int cref_wait(lua_State *L) {
    struct epoll_event event;
    int n = epoll_wait((int)lua_tonumber(L, 1), &event, 1, 5000);
    lua_pushinteger(L, n == 1 ? event.data.fd : -1);
    return 1;
}

/* cref.fill(fd, message, count): sends a message count times; it must fit, see cref.roomy */
static int cref_fill(lua_State *L) {
    int fd = cref_int(L, 1), count = cref_int(L, 3), i;
    size_t size;
    const char *message = luaL_checklstring(L, 2, &size);
    for (i = 0; i < count; i++)
        if (send(fd, message, size, MSG_NOSIGNAL) != (ssize_t)size) return cref_fail(L, "send");
    return 0;
}

/* cref.drain(fd, size): receives so many bytes, 64 KiB a call */
static int cref_drain(lua_State *L) {
    char data[65536];
    int fd = cref_int(L, 1), size = cref_int(L, 2);
    while (size > 0) {
        ssize_t n = recv(fd, data, sizeof data, 0);
        if (n < 0 && errno != EAGAIN) return cref_fail(L, "recv");
        if (n > 0) size -= (int)n;
    }
    return 0;
}

/* cref.roomy(fd, size): gives a socket buffers of that many bytes */
static int cref_roomy(lua_State *L) {
    int fd = cref_int(L, 1), size = cref_int(L, 2);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0) return cref_fail(L, "SO_SNDBUF");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0) return cref_fail(L, "SO_RCVBUF");
    return 0;
}

const luaL_Reg cref_tcp[] = {
    { "prime", cref_prime },
    { "pingpong", cref_pingpong },
    { "pingpong_poll", cref_pingpong_poll },
    { "pingpong_epoll", cref_pingpong_epoll },
    { "epoll", cref_epoll },
    { "epoll_add", cref_epoll_add },
    { "send", cref_send },
    { "recv", cref_recv },
    { "wait", cref_wait },
    { "fill", cref_fill },
    { "drain", cref_drain },
    { "roomy", cref_roomy },
    { NULL, NULL },
};
