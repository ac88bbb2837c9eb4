/* lsocket.bind and lsocket.connect: sockets with an address. What they are asked for is read by request.c, addresses
   are left to net/addr.c and net/gai.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/gai.h"
#include "net/mcast.h"
#include "net/unix.h"
#include "request.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>

/* ---- arguments ---- */

/* Options behind other arguments, as the loop's functions take them: here all are in one table, or none. */
static void refuse_options(lua_State *L, int arg) {
    if (lua_istable(L, arg)) luaL_argerror(L, arg, "number expected, got table: pass all arguments in one table");
}

/* ([type], [address], port, [backlog]) */
static void read_bind(lua_State *L, ls_Request *r) {
    int arg = ls_request_place(L, ls_request_type(L, 1, r), r);
    refuse_options(L, arg);
    if (!lua_isnoneornil(L, arg)) r->backlog = ls_value_int(L, arg, "backlog", 0, INT_MAX);
}

/* ([type], address, port, [ttl]) */
static void read_connect(lua_State *L, ls_Request *r) {
    int arg = ls_request_peer(L, ls_request_type(L, 1, r), r);
    refuse_options(L, arg);
    if (!lua_isnoneornil(L, arg)) r->ttl = ls_value_int(L, arg, "ttl", 0, 255);
}

/* ---- opening ---- */

static int connects(const ls_Request *r) { return r->asker == LS_REQUEST_CONNECT; }

typedef struct Opening {
    const ls_Request *request;
    ls_Socket *s;
    ls_Addr local; /* where a socket that connects is bound to, before; its len is 0 for nowhere */
} Opening;

static int bind_to(const Opening *o, const ls_Addr *addr) {
    const ls_Request *r = o->request;
    int fd = o->s->fd, err = 0;
    if (r->type == SOCK_STREAM && ls_addr_isinternet(addr)) err = ls_fd_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r->multicast) err = ls_mcast_receive(fd, addr);
    if (!err) err = ls_request_apply(r, o->s);
    if (!err) err = ls_request_bind(r, o->s, addr);
    if (err || r->type == SOCK_DGRAM) return err;
    err = ls_fd_listen(fd, r->backlog);
    if (err) ls_unix_remove(addr);
    return err;
}

static int bind_local(const Opening *o, const ls_Addr *addr) {
    ls_Addr local = o->local;
    if (local.len == 0) {
        if (o->request->local_port < 0 || !ls_addr_isinternet(addr)) return 0;
        ls_addr_any(&local, addr->u.sa.sa_family, (unsigned)o->request->local_port);
    }
    return local.u.sa.sa_family == addr->u.sa.sa_family ? ls_request_bind(o->request, o->s, &local) : EAFNOSUPPORT;
}

static int connect_to(const Opening *o, const ls_Addr *addr) {
    int fd = o->s->fd, err = o->request->multicast ? ls_mcast_send(fd, addr, o->request->ttl) : 0;
    if (!err) err = ls_request_apply(o->request, o->s);
    if (!err) err = bind_local(o, addr);
    if (err) return err;
    err = ls_fd_connect(fd, addr);
    if (err) ls_unix_remove(&o->local);
    return err;
}

/* Opens the socket at one address; on failure it is closed again, ready for the next. */
static int open_at(void *opening, const ls_Addr *where) {
    const Opening *o = opening;
    const ls_Request *r = o->request;
    ls_Addr addr = *where;
    int err, family = addr.u.sa.sa_family;
    if (r->family != AF_UNSPEC && r->family != family) return EAFNOSUPPORT;
    if (r->multicast) ls_mcast_choose(&addr);
    else if (ls_addr_haslostzone(&addr)) return EINVAL;
    err = ls_request_open(r, o->s, family);
    if (err) return err;
    err = connects(r) ? connect_to(o, &addr) : bind_to(o, &addr);
    if (err) ls_socket_close(o->s);
    return err;
}

/* Reads where a socket that connects is bound to. Host names are not looked up. */
static int parse_local(const ls_Request *r, ls_Addr *local) {
    int err;
    local->len = 0;
    local->u.sa.sa_family = AF_UNSPEC;
    if (!r->local) return 0;
    err = ls_addr_numeric(r->local, r->local_len, ls_request_port(r->local_port), local);
    return !err && ls_addr_haslostzone(local) ? EINVAL : err;
}

static int open_socket(lua_State *L, const ls_Request *r) {
    int refused = ls_request_refuse(L, r), err;
    Opening opening;
    if (refused) return refused;
    err = parse_local(r, &opening.local);
    if (err) return ls_fail(L, err);
    opening.request = r;
    opening.s = ls_socket_new(L);
    opening.s->flags = connects(r) ? LS_SOCKET_ASKED : LS_SOCKET_BOUND;
    if (r->multicast) opening.s->flags |= LS_SOCKET_MULTICAST;
    err = ls_gai_try(r->address, r->len, ls_request_port(r->port), r->family, open_at, &opening);
    return err ? ls_fail(L, err) : 1;
}

/* lsocket.bind([type], [address], port, [backlog]) -> socket | nil, message, name;  or bind{ name = value, ... } */
static int core_bind(lua_State *L) {
    ls_Request r;
    ls_request_init(&r, LS_REQUEST_BIND);
    if (lua_istable(L, 1)) ls_request_read(L, 1, &r);
    else read_bind(L, &r);
    ls_request_default(&r);
    return open_socket(L, &r);
}

/* lsocket.connect([type], address, port, [ttl]) -> socket | nil, message, name;  or connect{ name = value, ... } */
static int core_connect(lua_State *L) {
    ls_Request r;
    ls_request_init(&r, LS_REQUEST_CONNECT);
    if (lua_istable(L, 1)) ls_request_read(L, 1, &r);
    else read_connect(L, &r);
    if (!r.address) return luaL_argerror(L, 1, "address expected");
    return open_socket(L, &r);
}

static const luaL_Reg functions[] = { { "bind", core_bind }, { "connect", core_connect }, { NULL, NULL } };

void ls_bind_open(lua_State *L) {
    ls_state_register(L, functions);
}
