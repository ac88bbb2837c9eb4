/* Sockets with a layer: how they are found and get it, and what a library that has one gets from this one. */
#include "err.h"
#include "layer.h"
#include "lsocket.h"
#include "net/fd.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- the layer of a socket ---- */

/* The layer of the object at this place of the stack, or NULL. */
static const ls_Layer *layer_at(lua_State *L, int index) {
    const ls_Layer *layer;
    lua_rawgeti(L, LS_STATE, LS_STATE_LAYERS);
    lua_pushvalue(L, index < 0 ? index - 1 : index);
    lua_rawget(L, -2);
    layer = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return layer;
}

/* The magic may be anything here. So the table alone tells, which no program reaches. */
ls_Socket *ls_socket_testlayered(lua_State *L, int index) {
    ls_Socket *s = lua_touserdata(L, index);
    const ls_Layer *layer = s ? layer_at(L, index) : NULL;
    return layer && layer->type && layer->socket == s ? s : NULL;
}

/* It may be the parent's connection, too, which the child of a fork must not end. */
void ls_socket_unlayer(ls_Socket *s, int polite) {
    ls_Layer *layer = ls_socket_layer(s);
    if (!layer) return;
    s->magic = &ls_socket_magics[LS_STATE_ALIVE];
    ls_layer_close(layer, polite && layer->process == (int)getpid());
}

int ls_socket_fail(lua_State *L, const ls_Socket *s, int err) { return ls_layer_fail(L, ls_socket_layer(s), err); }

/* A layer is collected with its socket; in which order, is the collector's choice. When the state closes, that is
   before the library whose code this calls is unloaded, which the socket may be older than. */
static int layer_gc(lua_State *L) {
    const ls_Layer *layer = lua_touserdata(L, 1);
    ls_Socket *s = layer->socket;
    if (!s) return 0;
    ls_socket_unlayer(s, 0);
    ls_socket_close(s);
    return 0;
}

static void stand_alone(ls_LayerRing *place, ls_Layer *layer) {
    place->before = place->next = place;
    place->layer = layer;
}

/* Pushes a layer that is none yet. */
static ls_Layer *new_layer(lua_State *L, size_t size) {
    ls_Layer *layer = ls_newuserdata(L, size);
    memset(layer, 0, size);
    stand_alone(&layer->ready, layer);
    stand_alone(&layer->unsent, layer);
    layer->rings = ls_socket_rings(L);
    layer->process = (int)getpid();
    lua_rawgeti(L, LS_STATE, LS_STATE_LAYER);
    lua_setmetatable(L, -2);
    return layer;
}

static ls_Layer *attach(lua_State *L, int index, size_t size, const ls_LayerType *type) {
    ls_Socket *s = lua_touserdata(L, index);
    ls_Layer *layer;
    lua_pushvalue(L, index);
    lua_rawgeti(L, LS_STATE, LS_STATE_LAYERS);
    lua_insert(L, -2);
    layer = new_layer(L, size);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    layer->type = type;
    layer->fd = s->fd;
    layer->socket = s;
    s->magic = layer;
    return layer;
}

ls_LayerRings *ls_socket_rings(lua_State *L) {
    ls_LayerRings *rings;
    lua_rawgeti(L, LS_STATE, LS_STATE_LAYERS);
    lua_rawgeti(L, -1, LS_LAYER_RINGS);
    rings = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return rings;
}

/* ---- methods ---- */

/* sock:pending() -> bytes | nil, message, name;  what the layer holds: recv returns it without the kernel */
static int sock_pending(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    ls_Layer *layer = ls_socket_layer(s);
    size_t bytes = 0;
    if (s->fd < 0) return ls_fail(L, EBADF);
    if (layer) layer->type->ready(layer, &bytes);
    lua_pushinteger(L, (lua_Integer)bytes);
    return 1;
}

static int push_direction(lua_State *L, const char *direction) {
    lua_pushboolean(L, 0);
    lua_pushstring(L, direction);
    return 2;
}

/* sock:handshake() -> true | false, direction | nil, message, name;  for the libraries of layers to add */
static int sock_handshake(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    ls_Layer *layer = ls_socket_layer(s);
    const char *direction = "r";
    int err;
    if (!layer) return ls_fail(L, s->fd < 0 ? EBADF : EOPNOTSUPP);
    err = layer->type->handshake ? layer->type->handshake(layer, &direction) : 0;
    ls_layer_refresh(layer);
    if (err == EAGAIN) return push_direction(L, direction);
    return err ? ls_socket_fail(L, s, err) : ls_succeed(L);
}

/* ---- for other libraries ---- */

static const char state_key = 0; /* its address leads to the state table, in the registry */

static void push_state(lua_State *L) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&state_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Sets functions in the table on top; own, state: the places of their upvalues. */
static void set_functions(lua_State *L, const luaL_Reg *functions, int own, int state) {
    for (; functions->name; functions++) {
        lua_pushvalue(L, state);
        lua_pushvalue(L, own);
        lua_pushcclosure(L, functions->func, 2);
        lua_setfield(L, -2, functions->name);
    }
}

static void extend(lua_State *L, const luaL_Reg *methods) {
    int own = lua_gettop(L);
    push_state(L);
    lua_rawgeti(L, -1, LS_STATE_SOCKET);
    lua_getfield(L, -1, "__index");
    set_functions(L, methods, own, own + 1);
    lua_settop(L, own - 1);
}

static void enroll(lua_State *L, const luaL_Reg *functions) {
    int own = lua_gettop(L);
    push_state(L);
    lua_pushvalue(L, own - 1);
    set_functions(L, functions, own, own + 1);
    lua_settop(L, own - 1);
}

static ls_Layer *layer_of(const ls_Socket *s, const ls_LayerType *type) {
    ls_Layer *layer = ls_socket_layer(s);
    return layer && (!type || layer->type == type) ? layer : NULL;
}

static int receive(int fd, void *data, size_t size, size_t *n) { return ls_fd_recv(fd, 0, data, size, n, NULL); }

/* send(2) costs less than sendmsg(2). */
static int send_pieces(int fd, struct iovec *pieces, unsigned short count, size_t *n) {
    return count == 1 ? ls_fd_send(fd, pieces->iov_base, pieces->iov_len, n, NULL)
                      : ls_fd_sendpieces(fd, pieces, count, n);
}

static const ls_LayerCore core = {
    LS_LAYER_VERSION, extend, enroll, ls_socket_test, layer_of, attach, ls_layer_refresh, sock_handshake, ls_succeed,
    ls_fail, ls_fail_text, ls_fail_named, ls_layer_fail, ls_state_own, ls_state_release, ls_value_wrongtype, receive,
    send_pieces, ls_fd_shutdown,
};

/* ---- opening ---- */

static const luaL_Reg methods[] = { { "pending", sock_pending }, { NULL, NULL } };

/* Pushes the table of the layers, with the rings. A program that opens the library again has one for all of it. */
static void push_layers(lua_State *L) {
    ls_LayerRings *rings;
    lua_pushlightuserdata(L, (void *)(uintptr_t)&core);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_newtable(L);
    rings = ls_newuserdata(L, sizeof *rings);
    rings->busy = 0;
    stand_alone(&rings->ready, NULL);
    stand_alone(&rings->unsent, NULL);
    lua_rawseti(L, -2, LS_LAYER_RINGS);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&core);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void ls_layered_open(lua_State *L) {
    push_layers(L);
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_LAYERS);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, layer_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_LAYER);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&state_key);
    lua_pushvalue(L, LS_OPEN_STATE);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&core);
    lua_setfield(L, LUA_REGISTRYINDEX, LS_LAYER_KEY);
    ls_socket_extend(L, methods);
}
