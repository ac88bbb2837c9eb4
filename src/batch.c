/* The batch: room for many datagrams, and the methods of sockets that receive and send it at once. How the kernel does
   that is left to net/dgram.c. */
#include "err.h"
#include "lsocket.h"
#include "net/dgram.h"
#include "net/fd.h"
#include "option.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* One userdata; the contents stand behind it. */
typedef struct Batch {
    const void *magic;
    ls_Batch b;
} Batch;

static const char magics[LS_STATE_MAGICS];

/* ---- the object ---- */

static ls_Batch *check_slowly(lua_State *L, int arg) {
    Batch *batch = ls_state_finalized(L, arg, sizeof *batch, &magics[LS_STATE_GONE], LS_STATE_BATCH);
    if (!batch) ls_value_wrongtype(L, arg, "batch");
    return &batch->b;
}

LS_HOT ls_Batch *check_batch(lua_State *L, int arg) {
    Batch *batch = ls_state_object(L, arg, sizeof *batch, &magics[LS_STATE_ALIVE]);
    return LS_LIKELY(batch != NULL) ? &batch->b : check_slowly(L, arg);
}

/* lsocket.batch(count [, size]) -> batch */
static int core_batch(lua_State *L) {
    size_t count = (size_t)ls_value_int(L, 1, "count", 1, LS_DGRAM_COUNT), size = LS_DGRAM_SIZE, memory;
    Batch *batch;
    if (!lua_isnoneornil(L, 2)) size = (size_t)ls_value_int(L, 2, "size", 1, LS_DGRAM_SIZE);
    memory = ls_dgram_memory(count, size);
    if (memory == 0) return luaL_argerror(L, 1, "a batch holds no more than 1 GiB: give a smaller count or size");
    batch = ls_newuserdata(L, sizeof *batch + memory);
    batch->magic = &magics[LS_STATE_ALIVE];
    ls_dgram_init(&batch->b, batch + 1, count, size);
    lua_rawgeti(L, LS_STATE, LS_STATE_BATCH);
    lua_setmetatable(L, -2);
    return 1;
}

/* ---- the datagrams ---- */

/* batch:get(index) -> data, address, port [, length];  length: of a datagram that was cut */
static int batch_get(lua_State *L) {
    ls_Batch *b = check_batch(L, 1);
    size_t left = ls_dgram_left(b);
    lua_Integer index = ls_tointeger(L, 2); /* of 64 bits, too, where sizes have 32 */
    ls_Datagram d;
    if (!LS_LIKELY((uint64_t)index - 1 < left)) index = ls_value_int(L, 2, "index", 1, (int)left);
    d = ls_dgram_get(b, (size_t)index - 1);
    lua_pushlstring(L, d.data, d.bytes);
    ls_value_pushpeer(L, d.peer);
    if (d.length == d.bytes) return 3;
    lua_pushinteger(L, (lua_Integer)d.length);
    return 4;
}

/* Reads address and port, which follow each other from arg on, without looking a name up. Answers 0 or an errno. */
static int read_peer(lua_State *L, int arg, ls_Addr *addr) {
    size_t len;
    const char *text = ls_value_address(L, arg, &len);
    return ls_addr_numeric(text, len, ls_value_portof(L, text, len, arg + 1), addr);
}

/* batch:add(data [, address, port]) -> true | false | nil, message, name;  false: it is full */
static int batch_add(lua_State *L) {
    ls_Batch *b = check_batch(L, 1);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    int named = !lua_isnoneornil(L, 3), err;
    ls_Addr addr;
    err = named ? read_peer(L, 3, &addr) : 0;
    if (!err) err = ls_dgram_add(b, data, len, named ? &addr : NULL);
    if (err != ENOBUFS) return ls_result(L, err);
    lua_pushboolean(L, 0);
    return 1;
}

/* batch:clear() -> true */
static int batch_clear(lua_State *L) {
    ls_dgram_clear(check_batch(L, 1));
    return ls_succeed(L);
}

/* batch:rewind() -> true;  what has been sent is to be sent again */
static int batch_rewind(lua_State *L) {
    ls_dgram_rewind(check_batch(L, 1));
    return ls_succeed(L);
}

static int batch_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)ls_dgram_left(check_batch(L, 1)));
    return 1;
}

static int batch_tostring(lua_State *L) {
    check_batch(L, 1);
    lua_pushfstring(L, "batch: %p", lua_touserdata(L, 1));
    return 1;
}

static int batch_gc(lua_State *L) {
    check_batch(L, 1);
    ((Batch *)lua_touserdata(L, 1))->magic = &magics[LS_STATE_GONE];
    return 0;
}

/* ---- methods of sockets ---- */

static int push_count(lua_State *L, size_t n) {
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* sock:recvmany(batch) -> count | false | nil, message, name */
static int sock_recvmany(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_Batch *b = check_batch(L, 2);
    int err, how = LS_DGRAM_SINGLE;
    if (s->type != SOCK_DGRAM && s->fd >= 0) return ls_fail(L, EOPNOTSUPP);
    if (s->family == AF_UNIX) how = LS_DGRAM_LOCAL;
    else if (ls_option_mirrored(s) & LS_SOCKET_GRO)
        how = ls_option_isparted(s) ? LS_DGRAM_PARTED : LS_DGRAM_COALESCED;
    err = ls_dgram_recv(b, s->fd, how);
    return LS_LIKELY(!err) ? push_count(L, ls_dgram_left(b)) : ls_fail_io(L, err);
}

/* sock:sendmany(batch [, address, port]) -> count | false | nil, message, name;  address: where all of it goes */
static int sock_sendmany(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_Batch *b = check_batch(L, 2);
    ls_Route route = { s->family, !(s->flags & LS_SOCKET_BOUND), ls_option_mirrored(s) ? s->segment : 0, NULL };
    ls_Addr to;
    size_t sent;
    int err = 0;
    if (!lua_isnoneornil(L, 3)) {
        err = read_peer(L, 3, &to);
        if (!err) err = ls_addr_suit(&to, s->family);
        route.to = &to;
    }
    if (s->fd < 0) err = EBADF;
    else if (s->type != SOCK_DGRAM) err = EOPNOTSUPP;
    if (err) return ls_fail(L, err);
    err = ls_dgram_send(b, s->fd, &route, &sent);
    return LS_LIKELY(!err) ? push_count(L, sent) : ls_fail_io(L, err);
}

static const luaL_Reg methods[] = {
    { "get", batch_get }, { "add", batch_add }, { "clear", batch_clear }, { "rewind", batch_rewind }, { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", batch_gc }, { "__len", batch_len }, { "__tostring", batch_tostring }, { NULL, NULL },
};

static const luaL_Reg socket_methods[] = {
    { "recvmany", sock_recvmany }, { "sendmany", sock_sendmany }, { NULL, NULL },
};

static const luaL_Reg functions[] = { { "batch", core_batch }, { NULL, NULL } };

void ls_batch_open(lua_State *L) {
    ls_state_class(L, LS_STATE_BATCH, "batch", methods, metamethods);
    ls_socket_extend(L, socket_methods);
    ls_state_register(L, functions);
}
