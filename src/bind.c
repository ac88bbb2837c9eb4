/* lsocket.bind and lsocket.connect: sockets with an address, from arguments in order or by name. Addresses are left to
   net/addr.c and net/gai.c, options to option.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/gai.h"
#include "net/mcast.h"
#include "net/unix.h"
#include "option.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What bind and connect are asked for. What the pointers lead to is on the Lua stack. */
typedef struct Request {
    int connects;
    int type; /* SOCK_... */
    int multicast, backlog;
    int ttl;    /* of multicast */
    int family; /* AF_UNSPEC: any */
    const char *address, *local; /* local: where a socket that connects is bound to; NULL: none was given */
    size_t len, local_len;
    int port, local_port; /* -1: none was given */
    int mode; /* permissions of a path; -1: what the umask leaves */
    int replace, inherit;
    ls_Setting *settings;
    int count, room; /* of the settings */
} Request;

static void init(Request *r, int connects) {
    memset(r, 0, sizeof *r);
    r->connects = connects;
    r->type = SOCK_STREAM;
    r->backlog = 5;
    r->ttl = 1;
    r->port = r->local_port = r->mode = -1;
}

/* ---- arguments in order ---- */

static int read_type(const char *name, Request *r) {
    int multicast = strcasecmp(name, "mcast") == 0, type = multicast ? SOCK_DGRAM : ls_value_type(name);
    if (!type) return 0;
    r->type = type;
    r->multicast = multicast;
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

/* ---- arguments by name: each function reads the value at this place, and answers NULL or what is wrong ---- */

static const char *named_type(lua_State *L, int index, Request *r) {
    int known = lua_type(L, index) == LUA_TSTRING && read_type(lua_tostring(L, index), r);
    return known ? NULL : "tcp, udp, mcast or seqpacket expected";
}

static const char *named_family(lua_State *L, int index, Request *r) {
    static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    int i;
    for (i = 0; i < 3; i++)
        if (strcmp(ls_value_family(families[i]), name) == 0) r->family = families[i];
    return r->family != AF_UNSPEC ? NULL : "inet, inet6 or unix expected";
}

static const char *named_address(lua_State *L, int index, Request *r) {
    return ls_value_readaddress(L, index, &r->address, &r->len);
}

static const char *named_port(lua_State *L, int index, Request *r) {
    return ls_value_readport(L, index, &r->port);
}

static const char *named_localaddress(lua_State *L, int index, Request *r) {
    return r->connects ? ls_value_readaddress(L, index, &r->local, &r->local_len) : "no such argument of bind";
}

static const char *named_localport(lua_State *L, int index, Request *r) {
    return r->connects ? ls_value_readport(L, index, &r->local_port) : "no such argument of bind";
}

static const char *named_backlog(lua_State *L, int index, Request *r) {
    return ls_value_readint(L, index, "backlog", 0, INT_MAX, &r->backlog);
}

/* A string: Lua has no octal numbers, and 440 for 0440 would grant what nobody meant. */
static const char *named_mode(lua_State *L, int index, Request *r) {
    const char *digits = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    size_t len = strspn(digits, "01234567");
    if (len < 1 || len > 4 || len != lua_rawlen(L, index)) return "octal digits expected, such as \"660\"";
    r->mode = (int)strtol(digits, NULL, 8);
    return r->mode <= 0777 ? NULL : "\"777\" is the most";
}

static const char *read_boolean(lua_State *L, int index, int *value) {
    *value = lua_toboolean(L, index);
    return lua_isboolean(L, index) ? NULL : "boolean expected";
}

static const char *named_unlink(lua_State *L, int index, Request *r) { return read_boolean(L, index, &r->replace); }

static const char *named_inherit(lua_State *L, int index, Request *r) { return read_boolean(L, index, &r->inherit); }

static const char *named_option(lua_State *L, int index, const char *name, size_t len, Request *r) {
    const ls_Option *option = ls_option_find(name, len);
    if (!option || r->count == r->room) return "no such argument";
    return ls_option_read(L, index, option, &r->settings[r->count++]);
}

typedef struct Argument {
    const char *name;
    const char *(*read)(lua_State *L, int index, Request *r);
} Argument;

static const Argument arguments[] = {
    { "type", named_type },       { "family", named_family },
    { "address", named_address }, { "localaddress", named_localaddress },
    { "port", named_port },       { "localport", named_localport },
    { "backlog", named_backlog }, { "inherit", named_inherit },
    { "mode", named_mode },       { "unlink", named_unlink },
    { NULL, NULL },
};

static const char *read_named(lua_State *L, int index, const char *name, size_t len, Request *r) {
    const Argument *argument = arguments;
    if (r->multicast && strcmp(name, "ttl") == 0) return ls_value_readint(L, index, name, 0, 255, &r->ttl);
    while (argument->name && strcmp(argument->name, name) != 0) argument++;
    return argument->name ? argument->read(L, index, r) : named_option(L, index, name, len, r);
}

static void refuse(lua_State *L, const char *name, const char *problem) {
    luaL_argerror(L, 1, lua_pushfstring(L, "%s: %s", name, problem));
}

/* The type first: it tells what ttl means. */
static void read_type_of(lua_State *L, Request *r) {
    const char *problem;
    lua_pushliteral(L, "type");
    lua_rawget(L, 1);
    problem = lua_isnil(L, -1) ? NULL : named_type(L, lua_gettop(L), r);
    if (problem) refuse(L, "type", problem);
}

static int count_fields(lua_State *L) {
    int n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) n++;
    return n;
}

/* { name = value, ... }; every value stays on the stack. */
static void read_table(lua_State *L, Request *r) {
    lua_settop(L, 1);
    read_type_of(L, r);
    r->room = count_fields(L);
    r->settings = ls_newuserdata(L, (size_t)(r->room + 1) * sizeof *r->settings);
    for (lua_pushnil(L); lua_next(L, 1);) {
        const char *name, *problem;
        size_t len = 0;
        luaL_checkstack(L, LUA_MINSTACK, "too many arguments");
        lua_insert(L, -2); /* value, key */
        name = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : luaL_typename(L, -1);
        problem = read_named(L, lua_gettop(L) - 1, name, len, r);
        if (problem) refuse(L, name, problem);
    }
}

/* ---- opening ---- */

typedef struct Opening {
    const Request *request;
    ls_Socket *s;
    ls_Addr local; /* where a socket that connects is bound to, before; its len is 0 for nowhere */
} Opening;

static int apply_settings(const Opening *o) {
    int i, err = 0;
    for (i = 0; i < o->request->count && !err; i++) err = ls_option_apply(o->s, &o->request->settings[i]);
    if (!err && o->request->inherit) err = ls_fd_inherit(o->s->fd, 1);
    return err;
}

static int bind_at(const Opening *o, const ls_Addr *addr) {
    const Request *r = o->request;
    return ls_unix_ispath(addr) ? ls_unix_bind(o->s->fd, addr, r->mode, r->replace) : ls_fd_bind(o->s->fd, addr);
}

static int bind_to(const Opening *o, const ls_Addr *addr) {
    const Request *r = o->request;
    int fd = o->s->fd, err = 0;
    if (r->type == SOCK_STREAM && ls_addr_isinternet(addr)) err = ls_fd_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r->multicast) err = ls_mcast_receive(fd, addr);
    if (!err) err = apply_settings(o);
    if (!err) err = bind_at(o, addr);
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
    return local.u.sa.sa_family == addr->u.sa.sa_family ? bind_at(o, &local) : EAFNOSUPPORT;
}

static int connect_to(const Opening *o, const ls_Addr *addr) {
    int fd = o->s->fd, err = o->request->multicast ? ls_mcast_send(fd, addr, o->request->ttl) : 0;
    if (!err) err = apply_settings(o);
    if (!err) err = bind_local(o, addr);
    if (err) return err;
    err = ls_fd_connect(fd, addr);
    if (err) ls_unix_remove(&o->local);
    return err;
}

/* Opens the socket at one address; on failure it is closed again, ready for the next. */
static int open_at(void *opening, const ls_Addr *where) {
    const Opening *o = opening;
    const Request *r = o->request;
    ls_Addr addr = *where;
    int err, family = addr.u.sa.sa_family;
    if (r->family != AF_UNSPEC && r->family != family) return EAFNOSUPPORT;
    if (r->multicast) ls_mcast_choose(&addr);
    else if (ls_addr_haslostzone(&addr)) return EINVAL;
    err = ls_fd_socket(family, r->type, &o->s->fd);
    if (err) return err;
    o->s->family = (unsigned short)family;
    err = r->connects ? connect_to(o, &addr) : bind_to(o, &addr);
    if (err) ls_socket_close(o->s);
    return err;
}

static unsigned port_or_any(int port) { return port < 0 ? 0 : (unsigned)port; }

/* Reads where a socket that connects is bound to. Host names are not looked up. */
static int parse_local(const Request *r, ls_Addr *local) {
    int err;
    local->len = 0;
    local->u.sa.sa_family = AF_UNSPEC;
    if (!r->local) return 0;
    err = ls_addr_numeric(r->local, r->local_len, port_or_any(r->local_port), local);
    return !err && ls_addr_haslostzone(local) ? EINVAL : err;
}

/* Has it a path to be bound to? */
static int has_path(const Request *r) {
    const char *text = r->connects ? r->local : r->address;
    return text && *text != '@' && ls_addr_isunix(text, r->connects ? r->local_len : r->len);
}

static int open_socket(lua_State *L, const Request *r) {
    int is_unix = ls_addr_isunix(r->address, r->len), err;
    Opening opening;
    if (is_unix && r->multicast)
        return ls_fail_text(L, EOPNOTSUPP, "multicast not available for unix domain sockets");
    if (r->family != AF_UNSPEC && is_unix != (r->family == AF_UNIX)) return ls_fail(L, EAFNOSUPPORT);
    if (!is_unix && r->port < 0) return ls_fail_text(L, EINVAL, "an internet address needs a port");
    if (r->mode >= 0 && !has_path(r)) return ls_fail_text(L, EINVAL, "only a path can have a mode");
    err = parse_local(r, &opening.local);
    if (err) return ls_fail(L, err);
    opening.request = r;
    opening.s = ls_socket_new(L);
    opening.s->type = (unsigned char)r->type;
    opening.s->flags = (unsigned char)((r->connects ? 0 : LS_SOCKET_BOUND) | (r->multicast ? LS_SOCKET_MULTICAST : 0));
    err = ls_gai_try(r->address, r->len, port_or_any(r->port), r->family, open_at, &opening);
    return err ? ls_fail(L, err) : 1;
}

/* lsocket.bind([type], [address], port, [backlog]) -> socket | nil, message, name;  or bind{ name = value, ... } */
static int core_bind(lua_State *L) {
    Request r;
    init(&r, 0);
    if (lua_istable(L, 1)) read_table(L, &r);
    else read_bind(L, &r);
    if (!r.address) {
        r.address = r.family == AF_INET6 ? LS_ANY_IPV6 : LS_ANY_IPV4;
        r.len = strlen(r.address);
    }
    return open_socket(L, &r);
}

/* lsocket.connect([type], address, port, [ttl]) -> socket | nil, message, name;  or connect{ name = value, ... } */
static int core_connect(lua_State *L) {
    Request r;
    init(&r, 1);
    if (lua_istable(L, 1)) read_table(L, &r);
    else read_connect(L, &r);
    if (!r.address) return luaL_argerror(L, 1, "address expected");
    return open_socket(L, &r);
}

static const luaL_Reg functions[] = { { "bind", core_bind }, { "connect", core_connect }, { NULL, NULL } };

void ls_bind_open(lua_State *L) {
    ls_state_register(L, functions);
}
