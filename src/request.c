/* What a socket is asked to be: arguments read, and what they ask for done where it is the same for all who ask. When
   it is done is left to bind.c and steps.c. */
#include "request.h"

#include "err.h"
#include "lsocket.h"
#include "net/unix.h"
#include "value.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void ls_request_init(ls_Request *r, int asker) {
    memset(r, 0, sizeof *r);
    r->asker = asker;
    r->type = SOCK_STREAM;
    r->backlog = LS_REQUEST_BACKLOG;
    r->ttl = 1;
    r->port = r->local_port = r->mode = -1;
}

/* ---- arguments in order ---- */

static int read_type(const char *name, ls_Request *r) {
    int multicast = strcasecmp(name, "mcast") == 0, type = multicast ? SOCK_DGRAM : ls_value_type(name);
    if (!type) return 0;
    r->type = type;
    r->multicast = multicast;
    return 1;
}

int ls_request_type(lua_State *L, int arg, ls_Request *r) {
    return lua_type(L, arg) == LUA_TSTRING && read_type(lua_tostring(L, arg), r) ? arg + 1 : arg;
}

/* A string, but for one of digits that no number follows: that is the port. */
static int is_address(lua_State *L, int arg) {
    const char *text;
    if (lua_type(L, arg) != LUA_TSTRING) return 0;
    text = lua_tostring(L, arg);
    return *text == '\0' || text[strspn(text, "0123456789")] != '\0' || lua_isnumber(L, arg + 1);
}

int ls_request_place(lua_State *L, int arg, ls_Request *r) {
    if (is_address(L, arg)) return ls_request_peer(L, arg, r);
    r->port = ls_value_port(L, arg);
    return arg + 1;
}

int ls_request_peer(lua_State *L, int arg, ls_Request *r) {
    r->address = ls_value_address(L, arg, &r->len);
    if (!lua_isnoneornil(L, arg + 1)) r->port = ls_value_port(L, arg + 1);
    return arg + 2;
}

/* ---- arguments by name: each function reads the value at this place, and answers NULL or what is wrong ---- */

const char *ls_request_readtype(lua_State *L, int index, ls_Request *r) {
    int known = lua_type(L, index) == LUA_TSTRING && read_type(lua_tostring(L, index), r);
    if (r->asker != LS_REQUEST_SOCKET) return known ? NULL : "tcp, udp, mcast or seqpacket expected";
    return known && !r->multicast ? NULL : "tcp, udp or seqpacket expected";
}

const char *ls_request_readfamily(lua_State *L, int index, ls_Request *r) {
    static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    int i;
    for (i = 0; i < 3; i++)
        if (strcmp(ls_value_family(families[i]), name) == 0) r->family = families[i];
    return r->family != AF_UNSPEC ? NULL : "inet, inet6 or unix expected";
}

static const char *named_address(lua_State *L, int index, ls_Request *r) {
    return ls_value_readaddress(L, index, &r->address, &r->len);
}

static const char *named_port(lua_State *L, int index, ls_Request *r) {
    return ls_value_readport(L, index, &r->port);
}

static const char *named_localaddress(lua_State *L, int index, ls_Request *r) {
    return ls_value_readaddress(L, index, &r->local, &r->local_len);
}

static const char *named_localport(lua_State *L, int index, ls_Request *r) {
    return ls_value_readport(L, index, &r->local_port);
}

static const char *named_backlog(lua_State *L, int index, ls_Request *r) {
    return ls_value_readint(L, index, "backlog", 0, INT_MAX, &r->backlog);
}

/* A string: Lua has no octal numbers, and 440 for 0440 would grant what nobody meant. */
static const char *named_mode(lua_State *L, int index, ls_Request *r) {
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

static const char *named_unlink(lua_State *L, int index, ls_Request *r) { return read_boolean(L, index, &r->replace); }

static const char *named_inherit(lua_State *L, int index, ls_Request *r) { return read_boolean(L, index, &r->inherit); }

static const char *named_option(lua_State *L, int index, const char *name, size_t len, ls_Request *r) {
    const ls_Option *option = r->asker == LS_REQUEST_PLACE ? NULL : ls_option_find(name, len);
    if (!option || r->count == r->room) return "no such argument";
    return ls_option_read(L, index, option, &r->settings[r->count++]);
}

typedef struct Argument {
    const char *name;
    int askers; /* who may name it */
    const char *(*read)(lua_State *L, int index, ls_Request *r);
} Argument;

enum {
    MAKERS = LS_REQUEST_BIND | LS_REQUEST_CONNECT | LS_REQUEST_SOCKET,
    BINDERS = LS_REQUEST_BIND | LS_REQUEST_CONNECT | LS_REQUEST_PLACE
};

static const Argument arguments[] = {
    { "type", MAKERS, ls_request_readtype },
    { "family", MAKERS, ls_request_readfamily },
    { "inherit", MAKERS, named_inherit },
    { "address", BINDERS, named_address },
    { "port", BINDERS, named_port },
    { "mode", BINDERS, named_mode },
    { "unlink", BINDERS, named_unlink },
    { "backlog", LS_REQUEST_BIND | LS_REQUEST_CONNECT, named_backlog },
    { "localaddress", LS_REQUEST_CONNECT, named_localaddress },
    { "localport", LS_REQUEST_CONNECT, named_localport },
    { NULL, 0, NULL },
};

static const char *read_named(lua_State *L, int index, const char *name, size_t len, ls_Request *r) {
    const Argument *argument = arguments;
    if (r->multicast && strcmp(name, "ttl") == 0) return ls_value_readint(L, index, name, 0, 255, &r->ttl);
    while (argument->name && strcmp(argument->name, name) != 0) argument++;
    if (!argument->name) return named_option(L, index, name, len, r);
    if (argument->askers & r->asker) return argument->read(L, index, r);
    return r->asker == LS_REQUEST_SOCKET ? "no such argument of socket" : "no such argument of bind";
}

/* The type first: it tells what ttl means. */
static void read_type_of(lua_State *L, int table, ls_Request *r) {
    const char *problem;
    lua_pushliteral(L, "type");
    lua_rawget(L, table);
    problem = lua_isnil(L, -1) ? NULL : read_named(L, lua_gettop(L), "type", 4, r);
    if (problem) ls_value_refuse(L, table, "type", problem);
}

static int count_fields(lua_State *L, int table) {
    int n = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) n++;
    return n;
}

void ls_request_read(lua_State *L, int table, ls_Request *r) {
    lua_settop(L, table);
    read_type_of(L, table, r);
    r->room = count_fields(L, table);
    r->settings = ls_newuserdata(L, (size_t)(r->room + 1) * sizeof *r->settings);
    for (lua_pushnil(L); lua_next(L, table);) {
        const char *name, *problem;
        size_t len = 0;
        luaL_checkstack(L, LUA_MINSTACK, "too many arguments");
        lua_insert(L, -2); /* value, key */
        name = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : luaL_typename(L, -1);
        problem = read_named(L, lua_gettop(L) - 1, name, len, r);
        if (problem) ls_value_refuse(L, table, name, problem);
    }
}

/* ---- what follows from them ---- */

void ls_request_default(ls_Request *r) {
    if (r->address) return;
    r->address = r->family == AF_INET6 ? LS_ANY_IPV6 : LS_ANY_IPV4;
    r->len = strlen(r->address);
}

unsigned ls_request_port(int port) { return port < 0 ? 0 : (unsigned)port; }

/* Has it a path to be bound to? */
static int has_path(const ls_Request *r) {
    int connects = r->asker == LS_REQUEST_CONNECT;
    const char *text = connects ? r->local : r->address;
    return text && *text != '@' && ls_addr_isunix(text, connects ? r->local_len : r->len);
}

int ls_request_refuse(lua_State *L, const ls_Request *r) {
    int is_unix = ls_addr_isunix(r->address, r->len);
    if (is_unix && r->multicast)
        return ls_fail_text(L, EOPNOTSUPP, "multicast not available for unix domain sockets");
    if (r->family != AF_UNSPEC && is_unix != (r->family == AF_UNIX)) return ls_fail(L, EAFNOSUPPORT);
    if (!is_unix && r->port < 0) return ls_fail_text(L, EINVAL, "an internet address needs a port");
    if (r->mode >= 0 && !has_path(r)) return ls_fail_text(L, EINVAL, "only a path can have a mode");
    return 0;
}

int ls_request_open(const ls_Request *r, ls_Socket *s, int family) {
    ls_socket_define(s, family, r->type);
    return ls_fd_socket(family, r->type, &s->fd);
}

int ls_request_apply(const ls_Request *r, ls_Socket *s) {
    int i, err = 0;
    for (i = 0; i < r->count && !err; i++) err = ls_option_apply(s, &r->settings[i]);
    if (!err && r->inherit) err = ls_fd_inherit(s->fd, 1);
    return err;
}

int ls_request_bind(const ls_Request *r, const ls_Socket *s, const ls_Addr *addr) {
    return ls_unix_ispath(addr) ? ls_unix_bind(s->fd, addr, r->mode, r->replace) : ls_fd_bind(s->fd, addr);
}
