/* Sockets in steps: made here, and bound, made to listen and connected later, each by a method of its own. What the
   steps have in common with bind and connect is in request.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/gai.h"
#include "request.h"
#include "socket.h"
#include "state.h"
#include "value.h"

/* A datagram socket without a peer counts as one that listens. */
static void set_alone(ls_Socket *s, int alone) {
    if (s->type != SOCK_DGRAM) return;
    s->flags = (unsigned char)(alone ? s->flags | LS_SOCKET_BOUND : s->flags & ~LS_SOCKET_BOUND);
}

/* ---- made ---- */

/* ([type [, family]]) */
static void read_socket(lua_State *L, ls_Request *r) {
    if (!lua_isnoneornil(L, 1)) ls_value_accept(L, 1, ls_request_readtype(L, 1, r));
    if (!lua_isnoneornil(L, 2)) ls_value_accept(L, 2, ls_request_readfamily(L, 2, r));
}

/* lsocket.socket([type [, family]]) -> socket | nil, message, name;  or socket{ name = value, ... } */
static int core_socket(lua_State *L) {
    ls_Request r;
    ls_Socket *s;
    int err;
    ls_request_init(&r, LS_REQUEST_SOCKET);
    if (lua_istable(L, 1)) ls_request_read(L, 1, &r);
    else read_socket(L, &r);
    if (r.family == AF_UNSPEC) r.family = r.type == SOCK_SEQPACKET ? AF_UNIX : AF_INET; /* no other has records */
    s = ls_socket_new(L);
    err = ls_request_open(&r, s, r.family);
    if (!err) err = ls_request_apply(&r, s);
    if (err) ls_socket_close(s);
    set_alone(s, 1);
    return err ? ls_fail(L, err) : 1;
}

/* ---- the steps ---- */

typedef struct Step {
    ls_Request request;
    ls_Socket *s;
} Step;

/* 0, or why no step can be taken with it at all. */
static int judge(const ls_Socket *s) { return s->fd < 0 ? EBADF : s->type == 0 ? ENOTSOCK : 0; }

/* Tries each address that the request means, as the socket's family has it. */
static int take(lua_State *L, Step *step, ls_TryAddr *try) {
    ls_Request *r = &step->request;
    int err = judge(step->s), refused;
    if (err) return ls_fail(L, err);
    r->family = step->s->family;
    ls_request_default(r);
    refused = ls_request_refuse(L, r);
    if (refused) return refused;
    return ls_result(L, ls_gai_reach(r->address, r->len, ls_request_port(r->port), r->family, try, step));
}

static int try_bind(void *context, const ls_Addr *addr) {
    const Step *step = context;
    return ls_request_bind(&step->request, step->s, addr);
}

/* sock:bind([address], port) -> true | nil, message, name;  or bind(path), or bind{ name = value, ... } */
static int sock_bind(lua_State *L) {
    Step step = { .s = ls_socket_self(L) };
    ls_request_init(&step.request, LS_REQUEST_PLACE);
    if (lua_istable(L, 2)) ls_request_read(L, 2, &step.request);
    else ls_request_place(L, 2, &step.request);
    return take(L, &step, try_bind);
}

/* sock:listen([backlog]) -> true | nil, message, name */
static int sock_listen(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    int backlog = lua_isnoneornil(L, 2) ? LS_REQUEST_BACKLOG : ls_value_int(L, 2, "backlog", 0, INT_MAX);
    int err = ls_fd_listen(s->fd, backlog);
    if (!err) s->flags |= LS_SOCKET_BOUND;
    return ls_result(L, err);
}

/* Linux says once that a connection is made where another one is asked for meanwhile. */
static int is_connected(const ls_Socket *s) {
    ls_Addr peer;
    return s->flags & LS_SOCKET_ASKED && s->type != SOCK_DGRAM && ls_fd_peer(s->fd, &peer) == 0;
}

static int try_connect(void *context, const ls_Addr *addr) {
    ls_Socket *s = ((const Step *)context)->s;
    int err = is_connected(s) ? EISCONN : ls_fd_connect(s->fd, addr);
    s->flags |= LS_SOCKET_ASKED;
    if (!err) set_alone(s, 0);
    return err;
}

static int disconnect(lua_State *L, ls_Socket *s) {
    int err = judge(s);
    if (!err) err = s->type == SOCK_DGRAM ? ls_fd_disconnect(s->fd) : EOPNOTSUPP;
    if (!err) set_alone(s, 1);
    return ls_result(L, err);
}

/* sock:connect(address [, port]) -> true | nil, message, name;  connect(): a datagram socket has no peer any more */
static int sock_connect(lua_State *L) {
    Step step = { .s = ls_socket_self(L) };
    if (lua_gettop(L) == 1) return disconnect(L, step.s);
    ls_request_init(&step.request, LS_REQUEST_PLACE);
    ls_request_peer(L, 2, &step.request);
    return take(L, &step, try_connect);
}

static const luaL_Reg methods[] = {
    { "bind", sock_bind }, { "listen", sock_listen }, { "connect", sock_connect }, { NULL, NULL },
};

static const luaL_Reg functions[] = { { "socket", core_socket }, { NULL, NULL } };

void ls_steps_open(lua_State *L) {
    ls_socket_extend(L, methods);
    ls_state_register(L, functions);
}
