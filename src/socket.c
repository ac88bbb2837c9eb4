/* The socket object, what it is, connections and their end. Making sockets is left to bind.c and descriptor.c, sending
   to send.c, receiving to receive.c, waiting to select.c. */
#include "socket.h"

#include "err.h"
#include "net/fd.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

const char ls_socket_magics[LS_STATE_MAGICS] = { 0 };

/* ---- the object ---- */

ls_Socket *ls_socket_new(lua_State *L) {
    ls_Socket *s = ls_newuserdata(L, sizeof *s);
    memset(s, 0, sizeof *s);
    s->magic = &ls_socket_magics[LS_STATE_ALIVE];
    s->fd = -1;
    lua_rawgeti(L, LS_STATE, LS_STATE_SOCKET);
    lua_setmetatable(L, -2);
    return s;
}

int ls_socket_adopt(ls_Socket *s, int fd) {
    ls_Kind kind;
    int err = ls_fd_adopt(fd, &kind);
    if (err) return err;
    s->fd = fd;
    ls_socket_define(s, kind.family, kind.type);
    s->flags = kind.listening ? LS_SOCKET_BOUND : 0;
    ls_socket_share(s);
    return 0;
}

size_t ls_socket_room(const ls_Socket *s, size_t size) {
    size_t waiting;
    if (ls_fd_pending(s->fd, &waiting) != 0) waiting = 0; /* receiving tells why */
    if (waiting < LS_SOCKET_RECEIVE) return LS_SOCKET_RECEIVE;
    return waiting < size ? waiting : size;
}

void ls_socket_share(ls_Socket *s) {
    s->flags |= LS_SOCKET_ASKED;
    if (LS_HAVE_UDP_OFFLOAD && s->type == SOCK_DGRAM && s->family != AF_UNIX) s->flags |= LS_SOCKET_SHARED;
}

int ls_socket_ended(const ls_Socket *s, size_t size) {
    if (s->type == SOCK_SEQPACKET) return ls_fd_ended(s->fd);
    return size > 0 && ls_socket_isstream(s);
}

ls_Socket *ls_socket_test(lua_State *L, int index) {
    ls_Socket *s = ls_socket_find(L, index);
    if (!s) s = ls_socket_testlayered(L, index);
    return s ? s : ls_state_finalized(L, index, sizeof *s, &ls_socket_magics[LS_STATE_GONE], LS_STATE_SOCKET);
}

ls_Socket *ls_socket_checkslowly(lua_State *L) {
    ls_Socket *s = ls_socket_test(L, 1);
    if (!s) ls_value_wrongtype(L, 1, "socket");
    return s;
}

/* obj:getfd(), for what is no socket of ours: a poller, a LuaSocket object, an object of the program's own. Raises
   where it fails, as a lookup's does that finds no descriptor left. */
static int call_getfd(lua_State *L, int index) {
    int type = lua_type(L, index), fd;
    if (type != LUA_TTABLE && type != LUA_TUSERDATA) return LS_SOCKET_NONE;
    lua_pushvalue(L, index);
    lua_getfield(L, -1, "getfd");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 2);
        return LS_SOCKET_NONE;
    }
    lua_insert(L, -2);
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2) && lua_isstring(L, -1)) luaL_error(L, "getfd: %s", lua_tostring(L, -1));
    fd = lua_type(L, -2) == LUA_TNUMBER ? ls_socket_descriptor(L, -2) : LS_SOCKET_NONE;
    lua_pop(L, 2);
    return fd;
}

int ls_socket_descriptor(lua_State *L, int index) {
    const ls_Socket *s = ls_socket_test(L, index);
    lua_Number fd;
    if (s) return s->fd;
    if (lua_type(L, index) != LUA_TNUMBER) return call_getfd(L, index);
    fd = lua_tonumber(L, index);
    if (fd < 0) return LS_SOCKET_CLOSED;
    return fd <= INT_MAX && fd == (int)fd ? (int)fd : LS_SOCKET_NONE;
}

/* To be done before it is closed, but for the finalizer: pollers keep their sockets alive. */
static void leave_pollers(lua_State *L, ls_Socket *s) {
    if (s->flags & LS_SOCKET_WATCHED) ls_state_forget(L, s->fd, 1);
    s->flags &= (unsigned char)~LS_SOCKET_WATCHED;
}

int ls_socket_close(ls_Socket *s) {
    int fd = s->fd;
    s->fd = -1;
    return fd < 0 ? 0 : ls_fd_close(fd);
}

int ls_socket_detach(lua_State *L, ls_Socket *s) {
    int fd;
    leave_pollers(L, s); /* a finalizer or a hook may close it meanwhile */
    fd = s->fd;
    s->fd = -1;
    return fd;
}

/* ---- what it is ---- */

static const char *type_of(const ls_Socket *s) {
    if (s->fd < 0) return "unknown";
    return s->type ? ls_value_typename(s->type) : ls_fd_what(s->fd);
}

static int push_standard_info(lua_State *L, const ls_Socket *s) {
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, s->fd);
    lua_setfield(L, -2, "fd");
    lua_pushstring(L, ls_value_family(s->family));
    lua_setfield(L, -2, "family");
    lua_pushstring(L, type_of(s));
    lua_setfield(L, -2, "type");
    lua_pushboolean(L, s->fd >= 0 && (s->flags & LS_SOCKET_BOUND));
    lua_setfield(L, -2, "listening");
    lua_pushboolean(L, s->flags & LS_SOCKET_MULTICAST);
    lua_setfield(L, -2, "multicast");
    return 1;
}

static int push_end(lua_State *L, int err, const ls_Addr *addr) {
    if (err) return ls_fail(L, err);
    ls_value_pushrecord(L, addr, 1);
    if (ls_addr_isinternet(addr)) {
        lua_pushinteger(L, (lua_Integer)ls_addr_port(addr));
        lua_setfield(L, -2, "port");
    }
    return 1;
}

/* sock:info([what]) -> table | nil | nil, message, name;  what: "peer", "socket" */
static int sock_info(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    const char *what = luaL_optstring(L, 2, NULL);
    ls_Addr addr;
    if (!what) return push_standard_info(L, s);
    if (strcasecmp(what, "peer") == 0) return push_end(L, ls_fd_peer(s->fd, &addr), &addr);
    if (strcasecmp(what, "socket") == 0) return push_end(L, ls_fd_local(s->fd, &addr), &addr);
    lua_pushnil(L);
    return 1;
}

/* sock:status() -> true | nil, message, name;  the socket's pending error, which reading clears */
static int sock_status(lua_State *L) {
    return ls_result(L, ls_fd_error(ls_socket_self(L)->fd));
}

/* sock:getfd() -> descriptor;  -1 when closed */
static int sock_getfd(lua_State *L) {
    lua_pushinteger(L, ls_socket_self(L)->fd);
    return 1;
}

/* sock:setfd(-1) -> true | nil, message, name;  forgets the descriptor without closing it */
static int sock_setfd(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    if (luaL_checknumber(L, 2) != -1) return ls_fail_text(L, EINVAL, "bad argument #1 to 'setfd' (invalid fd)");
    if (ls_socket_refuse(s)) return ls_fail(L, EOPNOTSUPP);
    ls_socket_detach(L, s);
    return ls_succeed(L);
}

/* ---- connections ---- */

/* The connection that was announced is gone again: as good as none. */
static int is_gone(int err) {
    return err == ECONNABORTED || err == EPROTO;
}

/* Pushes a socket that takes the next connection: 0 or an errno. */
static int accept_next(lua_State *L, ls_Addr *peer) {
    const ls_Socket *listener = ls_socket_self(L);
    ls_Socket *s = ls_socket_new(L);
    int err = ls_fd_accept(listener->fd, &s->fd, peer);
    s->family = listener->family;
    s->type = listener->type;
    return is_gone(err) ? EAGAIN : err;
}

/* sock:accept() -> socket, address, port | false | nil, message, name;  unix: socket, nil, nil */
static int sock_accept(lua_State *L) {
    ls_Addr peer;
    int err = accept_next(L, &peer);
    if (err) return ls_fail_io(L, err);
    if (ls_socket_self(L)->family == AF_UNIX) peer.len = 0;
    ls_value_pushpeer(L, &peer);
    return 3;
}

/* The same for lsocket.luasocket, which does not ask whose connection it is. */
static int sock_take(lua_State *L) {
    ls_Addr peer;
    int err = accept_next(L, &peer);
    return err ? ls_fail_io(L, err) : 1;
}

/* ---- the end ---- */

/* Sends what waits in the layer, and the goodbye of its own. */
static int shut_layer(lua_State *L, const ls_Socket *s, ls_Layer *layer, int how) {
    int err = layer->type->shutdown(layer, how);
    ls_layer_refresh(layer);
    return err ? ls_socket_fail(L, s, err) : ls_succeed(L);
}

/* sock:shutdown([how]) -> true | false | nil, message, name;  how: "r", "w", "rw" (default); false: a layer's output
   waits for room */
static int sock_shutdown(lua_State *L) {
    static const char *const names[] = { "r", "w", "rw", NULL };
    static const int ways[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
    const ls_Socket *s = ls_socket_self(L);
    ls_Layer *layer = ls_socket_layer(s);
    /* LuaJIT takes any other type for the default, if there is one. */
    int way = lua_isnoneornil(L, 2) ? 2 : luaL_checkoption(L, 2, NULL, names);
    if (layer) return shut_layer(L, s, layer, ways[way]);
    return ls_result(L, ls_fd_shutdown(s->fd, ways[way]));
}

static int close_layered(lua_State *L, int polite) {
    ls_Socket *s = ls_socket_self(L);
    leave_pollers(L, s);
    ls_socket_unlayer(s, polite);
    return ls_result(L, ls_socket_close(s));
}

/* sock:close() -> true | nil, message, name;  harmless when closed */
static int sock_close(lua_State *L) { return close_layered(L, 1); }

/* The same for the loop, after a failure: a layer does not say that this was all. */
static int sock_drop(lua_State *L) { return close_layered(L, 0); }

static int sock_gc(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_socket_unlayer(s, 0);
    ls_socket_close(s);
    s->magic = &ls_socket_magics[LS_STATE_GONE];
    return 0;
}

static int sock_tostring(lua_State *L) {
    lua_pushfstring(L, "socket: %p", (void *)ls_socket_self(L));
    return 1;
}

static const luaL_Reg methods[] = {
    { "accept", sock_accept },
    { "close", sock_close },
    { "shutdown", sock_shutdown },
    { "status", sock_status },
    { "getfd", sock_getfd },
    { "setfd", sock_setfd },
    { "info", sock_info },
    { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", sock_gc },
    { "__close", sock_close },
    { "__tostring", sock_tostring },
    { "__write", ls_send_write },
    { "__send", ls_send_span },
    { "__accept", sock_take },
#if LUA_VERSION_NUM >= 502
    { "__quick", ls_quick_method },
#endif
    { "__drop", sock_drop },
    { NULL, NULL },
};

void ls_socket_open(lua_State *L) {
    /* What is called most goes first: the first keys of a table get the places where a look-up begins. */
    ls_state_class(L, LS_STATE_SOCKET, "socket", ls_send_methods, metamethods);
    ls_socket_extend(L, ls_receive_methods);
    ls_socket_extend(L, methods);
}

void ls_socket_extend(lua_State *L, const luaL_Reg *more) {
    lua_rawgeti(L, LS_OPEN_STATE, LS_STATE_SOCKET);
    lua_getfield(L, -1, "__index");
    ls_state_register(L, more);
    lua_pop(L, 2);
}
