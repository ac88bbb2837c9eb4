/* The constructors and luaopen_lsocket: the table of contents. */
#include "lsocket.h"

#include "err.h"
#include "net/fd.h"
#include "net/gai.h"
#include "net/mcast.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define VERSION "2.0.0"

/* What bind and connect are asked for. */
typedef struct Request {
    int type; /* SOCK_STREAM, SOCK_DGRAM */
    int multicast, reuseaddr, backlog, ttl;
    int port; /* -1: none was given */
    const char *address;
    size_t len;
} Request;

static const Request defaults = { SOCK_STREAM, 0, 0, 5, 1, -1, NULL, 0 };

/* ---- reading arguments ---- */

static int read_type(const char *name, Request *r) {
    r->multicast = strcasecmp(name, "mcast") == 0;
    if (strcasecmp(name, "tcp") == 0) r->type = SOCK_STREAM;
    else if (r->multicast || strcasecmp(name, "udp") == 0) r->type = SOCK_DGRAM;
    else return 0;
    return 1;
}

/* The argument after the type, where there is one. */
static int skip_type(lua_State *L, Request *r) {
    return lua_type(L, 1) == LUA_TSTRING && read_type(lua_tostring(L, 1), r) ? 2 : 1;
}

/* A string, but for one of digits that a port could be, or that stands alone. */
static int is_address(lua_State *L, int arg) {
    const char *text;
    if (lua_type(L, arg) != LUA_TSTRING) return 0;
    text = lua_tostring(L, arg);
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') return 1;
    return !lua_isnoneornil(L, arg + 1) && lua_tonumber(L, arg) > 65535;
}

/* ([type], [address], port, [backlog]) */
static void read_bind(lua_State *L, Request *r) {
    int arg = skip_type(L, r);
    if (is_address(L, arg)) r->address = ls_value_address(L, arg++, &r->len);
    if (!r->address || !lua_isnoneornil(L, arg)) r->port = ls_value_port(L, arg);
    if (!lua_isnoneornil(L, arg + 1)) r->backlog = ls_value_int(L, arg + 1, "backlog", 0, INT_MAX);
}

/* ([type], address, port, [ttl]) */
static void read_connect(lua_State *L, Request *r) {
    int arg = skip_type(L, r);
    r->address = ls_value_address(L, arg++, &r->len);
    if (!lua_isnoneornil(L, arg)) r->port = ls_value_port(L, arg);
    if (!lua_isnoneornil(L, arg + 1)) r->ttl = ls_value_int(L, arg + 1, "ttl", 0, 255);
}

/* Reads the value on top of the stack as the named argument; answers NULL or what is wrong. */
static const char *read_named(lua_State *L, const char *name, Request *r) {
    if (strcmp(name, "type") == 0) {
        int known = lua_type(L, -1) == LUA_TSTRING && read_type(lua_tostring(L, -1), r);
        return known ? NULL : "tcp, udp or mcast expected";
    }
    if (strcmp(name, "address") == 0) return ls_value_readaddress(L, -1, &r->address, &r->len);
    if (strcmp(name, "port") == 0) return ls_value_readport(L, -1, &r->port);
    if (strcmp(name, "backlog") == 0) return ls_value_readint(L, -1, name, 0, INT_MAX, &r->backlog);
    if (strcmp(name, "ttl") == 0) return ls_value_readint(L, -1, name, 0, 255, &r->ttl);
    if (strcmp(name, "reuseaddr") == 0) {
        r->reuseaddr = lua_toboolean(L, -1);
        return lua_isboolean(L, -1) ? NULL : "boolean expected";
    }
    return "no such argument";
}

/* { name = value, ... } */
static void read_table(lua_State *L, Request *r) {
    lua_settop(L, 1);
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 2)) {
        const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
        const char *problem = read_named(L, name, r);
        if (problem) luaL_argerror(L, 1, lua_pushfstring(L, "%s: %s", name, problem));
    }
}

/* ---- opening ---- */

typedef struct Opening {
    const Request *request;
    ls_Socket *s;
} Opening;

static int bind_to(const Request *r, int fd, const ls_Addr *addr) {
    int shared = r->reuseaddr || (r->type == SOCK_STREAM && addr->u.sa.sa_family != AF_UNIX);
    int err = shared ? ls_fd_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
    if (!err && r->multicast) err = ls_mcast_receive(fd, addr);
    if (!err) err = ls_fd_bind(fd, addr);
    if (!err && r->type == SOCK_STREAM) err = ls_fd_listen(fd, r->backlog);
    return err;
}

static int connect_to(const Request *r, int fd, const ls_Addr *addr) {
    int err = r->multicast ? ls_mcast_send(fd, addr, r->ttl) : 0;
    return err ? err : ls_fd_connect(fd, addr);
}

/* Opens the socket at one address; on failure it is closed again, ready for the next. */
static int open_at(Opening *o, const ls_Addr *where, int (*use)(const Request *, int, const ls_Addr *)) {
    ls_Addr addr = *where;
    int err;
    if (o->request->multicast) ls_mcast_choose(&addr);
    else if (ls_addr_haslostzone(&addr)) return EINVAL;
    err = ls_fd_socket(addr.u.sa.sa_family, o->request->type, &o->s->fd);
    if (err) return err;
    o->s->family = addr.u.sa.sa_family;
    err = use(o->request, o->s->fd, &addr);
    if (err) ls_socket_close(o->s);
    return err;
}

static int try_bind(void *opening, const ls_Addr *addr) { return open_at(opening, addr, bind_to); }

static int try_connect(void *opening, const ls_Addr *addr) { return open_at(opening, addr, connect_to); }

static int open_socket(lua_State *L, const Request *r, ls_TryAddr *try, int flags) {
    int is_unix = ls_addr_isunix(r->address, r->len), err;
    Opening opening;
    if (is_unix && r->multicast)
        return ls_fail_text(L, EOPNOTSUPP, "multicast not available for unix domain sockets");
    if (!is_unix && r->port < 0) return ls_fail_text(L, EINVAL, "an internet address needs a port");
    opening.request = r;
    opening.s = ls_socket_new(L);
    opening.s->type = (unsigned char)r->type;
    opening.s->flags = (unsigned char)(flags | (r->multicast ? LS_SOCKET_MULTICAST : 0));
    err = ls_gai_try(r->address, r->len, r->port < 0 ? 0 : (unsigned)r->port, AF_UNSPEC, try, &opening);
    return err ? ls_fail(L, err) : 1;
}

#define ANY_IPV4 "0.0.0.0"

/* lsocket.bind([type], [address], port, [backlog]) -> socket | nil, message, name;  or bind{ name = value, ... } */
static int core_bind(lua_State *L) {
    Request r = defaults;
    if (lua_istable(L, 1)) read_table(L, &r);
    else read_bind(L, &r);
    if (!r.address) {
        r.address = ANY_IPV4;
        r.len = sizeof ANY_IPV4 - 1;
    }
    return open_socket(L, &r, try_bind, LS_SOCKET_BOUND);
}

/* lsocket.connect([type], address, port, [ttl]) -> socket | nil, message, name;  or connect{ name = value, ... } */
static int core_connect(lua_State *L) {
    Request r = defaults;
    if (lua_istable(L, 1)) read_table(L, &r);
    else read_connect(L, &r);
    if (!r.address) return luaL_argerror(L, 1, "address expected");
    return open_socket(L, &r, try_connect, 0);
}

static const luaL_Reg constructors[] = { { "bind", core_bind }, { "connect", core_connect }, { NULL, NULL } };

static void set_constant(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

__attribute__((visibility("default"))) int luaopen_lsocket(lua_State *L);

int luaopen_lsocket(lua_State *L) {
    lua_settop(L, 0);
    ls_state_open(L);
    ls_socket_open(L);
    lua_newtable(L);
    ls_state_register(L, constructors);
    ls_select_open(L);
    ls_poller_open(L);
    ls_batch_open(L);
    ls_option_open(L);
    ls_lookup_open(L);
    ls_iface_open(L);
    ls_clock_open(L);
    set_constant(L, "INADDR_ANY", ANY_IPV4);
    set_constant(L, "IN6ADDR_ANY", "::");
    set_constant(L, "_VERSION", VERSION);
    return 1;
}
