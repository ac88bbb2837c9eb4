/* Receiving: the methods of sockets that make a string of what came. Batches, messages and buffers are left to files of
   their own. */
#include "err.h"
#include "net/fd.h"
#include "option.h"
#include "socket.h"
#include "state.h"
#include "value.h"

/* What is not plain data: the end of a stream, nothing at all, a datagram cut to size and its true length. */
static int push_odd(lua_State *L, const ls_Socket *s, const char *data, size_t size, size_t n) {
    if (n == 0 && ls_socket_ended(s, size)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, data, n < size ? n : size);
    if (n <= size) return 1;
    lua_pushinteger(L, (lua_Integer)n);
    return 2;
}

/* Pushes the n bytes that came, of which size are wanted; answers the number of values. */
LS_HOT int push_received(lua_State *L, const ls_Socket *s, const char *data, size_t size, size_t n) {
    if (LS_LIKELY(n - 1 < size)) { /* 1 to size */
        lua_pushlstring(L, data, n);
        return 1;
    }
    return push_odd(L, s, data, size, n);
}

/* As receive, for more than LS_SOCKET_RECEIVE: into a block of the state, no larger than what waits. */
static int receive_large(lua_State *L, ls_Socket *s, int peek, size_t size, int *results, ls_Addr *peer) {
    size_t n, room = ls_socket_room(s, size);
    char *data = ls_state_lend(L, LS_STATE_RECEIVE, room);
    int err;
    err = ls_option_recv(s, peek | (ls_socket_isstream(s) ? 0 : LS_FD_DATAGRAM), data, room, &n, peer);
    *results = err ? 0 : push_received(L, s, data, room, n);
    ls_state_giveback(L, LS_STATE_RECEIVE, -1 - *results);
    return err;
}

/* Receives up to size bytes and pushes them, *results values. All of a datagram is read whatever the size, so that its
   true length is known. peek: LS_FD_PEEK or 0. */
LS_HOT int receive(lua_State *L, ls_Socket *s, int peek, size_t size, int *results, ls_Addr *peer) {
    char data[LS_SOCKET_RECEIVE];
    int err, datagram = !ls_socket_isstream(s);
    size_t n;
    if (size > sizeof data) return receive_large(L, s, peek, size, results, peer);
    if (datagram) err = ls_option_recv(s, peek | LS_FD_DATAGRAM, data, sizeof data, &n, peer);
    else err = ls_fd_recv(s->fd, peek, data, size, &n, peer);
    if (LS_LIKELY(!err)) *results = push_received(L, s, data, size, n);
    return err;
}

/* ---- through a layer ---- */

/* How much room to receive into: no more than what waits, where much is wanted. */
static size_t room_above(const ls_Socket *s, ls_Layer *layer, size_t size) {
    size_t pending = 0, room;
    if (size <= LS_SOCKET_RECEIVE) return size;
    layer->type->ready(layer, &pending);
    room = ls_socket_room(s, size);
    return pending < size - room ? room + pending : size;
}

static int receive_above(lua_State *L, const ls_Socket *s, ls_Layer *layer, int peek, size_t size) {
    char local[LS_SOCKET_RECEIVE], *data = local;
    size_t room = room_above(s, layer, size), n;
    int lent = room > sizeof local, err, results;
    if (lent) data = ls_state_lend(L, LS_STATE_RECEIVE, room);
    err = layer->type ? layer->type->receive(layer, peek, data, room, &n) : EBADF; /* a finalizer has closed it */
    if (layer->type) ls_layer_refresh(layer);
    results = err ? ls_socket_fail(L, s, err) : push_received(L, s, data, room, n);
    if (lent) ls_state_giveback(L, LS_STATE_RECEIVE, -1 - results);
    return results;
}

/* What is no plain socket: one that has a layer, or was finalized. */
static int receive_slowly(lua_State *L, int peek) {
    ls_Socket *s = ls_socket_checkslowly(L);
    ls_Layer *layer = ls_socket_layer(s);
    size_t size = ls_value_size(L, 2, LS_SOCKET_RECEIVE);
    return layer ? receive_above(L, s, layer, peek, size) : ls_fail(L, EBADF);
}

/* As recvfrom of any stream: the address is unknown. */
static int receive_from_slowly(lua_State *L) {
    int results = receive_slowly(L, 0);
    if (results != 1 || !lua_isstring(L, -1)) return results;
    lua_pushnil(L);
    lua_pushnil(L);
    return 3;
}

/* ---- the methods ---- */

LS_HOT int receive_plain(lua_State *L, ls_Socket *s, size_t size) {
    int results, err = receive(L, s, 0, size, &results, NULL);
    return LS_LIKELY(!err) ? results : ls_fail_io(L, err);
}

int ls_receive(lua_State *L, ls_Socket *s, size_t size) { return receive_plain(L, s, size); }

/* sock:recv([size]) -> data [, length] | false | nil | nil, message, name;  length: of a datagram that was cut */
static int sock_recv(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    if (!LS_LIKELY(s != NULL)) return receive_slowly(L, 0);
    return receive_plain(L, s, ls_value_size(L, 2, LS_SOCKET_RECEIVE));
}

/* sock:peek([size]) -> as recv; the data stays there */
static int sock_peek(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    int results, err;
    if (!LS_LIKELY(s != NULL)) return receive_slowly(L, 1);
    err = receive(L, s, LS_FD_PEEK, ls_value_size(L, 2, LS_SOCKET_RECEIVE), &results, NULL);
    return err ? ls_fail_io(L, err) : results;
}

int ls_receive_from(lua_State *L, ls_Socket *s, size_t size) {
    ls_Addr peer;
    int results, err = receive(L, s, 0, size, &results, &peer);
    if (err) return ls_fail_io(L, err);
    if (lua_isnil(L, -1)) return 1;
    ls_value_pushpeer(L, &peer);
    if (results == 1) return 3;
    lua_pushvalue(L, -3); /* data, length, address, port, length: the first length goes */
    lua_remove(L, -4);
    return 4;
}

/* sock:recvfrom([size]) -> data, address, port [, length] | false | nil | nil, message, name */
static int sock_recvfrom(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    if (!LS_LIKELY(s != NULL)) return receive_from_slowly(L);
    return ls_receive_from(L, s, ls_value_size(L, 2, LS_SOCKET_RECEIVE));
}

const luaL_Reg ls_receive_methods[] = {
    { "recv", sock_recv },
    { "recvfrom", sock_recvfrom },
    { "peek", sock_peek },
    { NULL, NULL },
};
