/* The buffer: bytes received or appended in, lines and records out. How they are kept and searched is left to
   net/bytes.c. */
#include "buffer.h"
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "option.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>

/* Making a string may run the collector, and that a finalizer which uses the buffer. Where that can be before the
   string has its bytes, they are copied first to where they stay: here, with those of the next short records, as a copy
   of each alone is read again before the processor has it whole, which costs more than the copy. */
typedef struct Window {
    const ls_Buffer *of;
    uint64_t start; /* how many bytes had gone out of it; its next ones are these */
    size_t count;
    size_t fills; /* while it is the same, so are they */
    char bytes[1024];
} Window;

/* What the buffers of a Lua state have in common. */
typedef struct Shared {
    ls_Spare spare;
    Window window;
} Shared;

const char ls_buffer_magics[LS_STATE_MAGICS];

enum { CALLS = 64 }; /* of __receive until others have their turn, unless __limit says otherwise */

/* ---- the object ---- */

ls_Buffer *ls_buffer_checkslowly(lua_State *L) {
    ls_Buffer *b = ls_state_finalized(L, 1, sizeof *b, &ls_buffer_magics[LS_STATE_GONE], LS_STATE_BUFFER);
    if (!b) ls_value_wrongtype(L, 1, "buffer");
    return b;
}

int ls_buffer_isfilled(lua_State *L, int index) {
    const ls_Buffer *b = ls_state_object(L, index, sizeof *b, &ls_buffer_magics[LS_STATE_ALIVE]);
    return b && ls_bytes_count(&b->bytes) > 0;
}

/* lsocket.buffer([max]) -> buffer */
static int core_buffer(lua_State *L) {
    size_t max = lua_isnoneornil(L, 1) ? LS_BYTES_UNLIMITED : (size_t)ls_value_int(L, 1, "max", 1, INT_MAX);
    ls_Buffer *b = ls_newuserdata(L, sizeof *b);
    memset(b, 0, sizeof *b);
    b->magic = &ls_buffer_magics[LS_STATE_ALIVE];
    b->max = max;
    b->limit = CALLS;
    lua_rawgeti(L, LS_STATE, LS_STATE_SHARED);
    b->shared = lua_touserdata(L, -1);
    b->bytes.spare = &b->shared->spare;
    if (b->shared->window.of == b) b->shared->window.of = NULL; /* another one was in its place */
    lua_pop(L, 1);
    lua_rawgeti(L, LS_STATE, LS_STATE_BUFFER);
    lua_setmetatable(L, -2);
    return 1;
}

/* ---- bytes in ---- */

/* How much room to receive into: no more than what waits, where much is wanted; a datagram's whole length. */
static size_t room_for(const ls_Socket *s, size_t size) {
    int stream = ls_socket_isstream(s);
    size_t waiting;
    if (stream && size <= LS_BUFFER_RECEIVE) return size;
    if (ls_fd_pending(s->fd, &waiting) != 0) waiting = 0; /* receiving tells why */
    if (waiting < LS_BUFFER_RECEIVE) return LS_BUFFER_RECEIVE;
    return stream && waiting > size ? size : waiting;
}

ls_Socket *ls_buffer_checksocket(lua_State *L) {
    ls_Socket *s = ls_socket_test(L, 2);
    if (!s) ls_value_wrongtype(L, 2, "socket");
    return s;
}

int ls_buffer_fill(ls_Buffer *b, ls_Layer *layer, size_t size, size_t *n) {
    char *room;
    int err = b->max == 0 ? EBADF : ls_bytes_reserve(&b->bytes, size, &room);
    if (err) return err;
    err = layer->type->receive(layer, 0, room, size, n);
    ls_layer_refresh(layer);
    ls_bytes_filled(&b->bytes, err ? 0 : *n);
    return err;
}

/* From what is no plain socket: one that has a layer, or was finalized. */
static int receive_slowly(lua_State *L, ls_Buffer *b) {
    const ls_Socket *s = ls_buffer_checksocket(L);
    ls_Layer *layer = ls_socket_layer(s);
    size_t size = ls_value_size(L, 3, LS_BUFFER_RECEIVE), n;
    int err = layer ? ls_buffer_fill(b, layer, room_for(s, size), &n) : EBADF;
    if (err) return ls_socket_fail(L, s, err);
    if (n == 0 && size > 0) lua_pushnil(L);
    else lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* buffer:recv(sock [, size]) -> count | false | nil | nil, message, name;  size: not for datagrams */
static int buffer_recv(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    ls_Socket *s = ls_socket_find(L, 2);
    size_t size, n;
    char *room;
    int err;
    if (!LS_LIKELY(s != NULL)) return receive_slowly(L, b);
    size = room_for(s, ls_value_size(L, 3, LS_BUFFER_RECEIVE));
    err = b->max == 0 ? EBADF : ls_bytes_reserve(&b->bytes, size, &room);
    if (err) return ls_fail(L, err);
    err = ls_option_recv(s, ls_socket_isstream(s) ? 0 : LS_FD_DATAGRAM, room, size, &n, NULL);
    if (!err && n > size) err = EMSGSIZE; /* another datagram than the one that was asked about: somebody reads, too */
    ls_bytes_filled(&b->bytes, err ? 0 : n);
    if (err) return ls_fail_io(L, err);
    if (n == 0 && ls_socket_ended(s, size)) lua_pushnil(L);
    else lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* buffer:append(data) -> true | nil, message, name */
static int buffer_append(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    return ls_result(L, b->max == 0 ? EBADF : ls_bytes_append(&b->bytes, data, len));
}

/* ---- records out ---- */

void ls_buffer_pushcopy(lua_State *L, const ls_Bytes *bytes, size_t len, ls_Copier *copier) {
    int large = len > LS_BUFFER_RECEIVE; /* too large to be kept for the next time */
    char *copy = large ? ls_newuserdata(L, len) : ls_state_lend(L, LS_STATE_RECEIVE, LS_BUFFER_RECEIVE);
    if (ls_bytes_count(bytes) < len) len = 0; /* that ran a finalizer: nobody will see the string */
    lua_pushlstring(L, copy, copier(copy, ls_bytes_front(bytes), len));
    if (!large) ls_state_giveback(L, LS_STATE_RECEIVE, -2);
    lua_remove(L, -2);
}

/* Pushes the first len bytes. */
#if LS_PUSH_COPIES_FIRST
LS_HOT void push_front(lua_State *L, const ls_Buffer *b, size_t len) {
    lua_pushlstring(L, ls_bytes_front(&b->bytes), len);
}
#else
static size_t copy_all(char *to, const char *from, size_t len) {
    memcpy(to, from, len);
    return len;
}

static void fill(Window *w, const ls_Buffer *b) {
    size_t count = ls_bytes_count(&b->bytes);
    w->of = b;
    w->start = b->bytes.gone;
    w->count = count < sizeof w->bytes ? count : sizeof w->bytes;
    w->fills++;
    memcpy(w->bytes, ls_bytes_front(&b->bytes), w->count);
}

LS_HOT void push_front(lua_State *L, const ls_Buffer *b, size_t len) {
    Window *w = &b->shared->window;
    size_t fills;
    if (len > sizeof w->bytes) {
        ls_buffer_pushcopy(L, &b->bytes, len, copy_all);
        return;
    }
    if (!LS_LIKELY(w->of == b && b->bytes.gone - w->start + len <= w->count)) fill(w, b);
    fills = w->fills;
    lua_pushlstring(L, w->bytes + (b->bytes.gone - w->start), len);
    if (LS_LIKELY(w->fills == fills)) return;
    lua_pop(L, 1); /* a finalizer has put others in their place */
    ls_buffer_pushcopy(L, &b->bytes, len, copy_all);
}
#endif

void ls_buffer_push(lua_State *L, const ls_Buffer *b, size_t len) { push_front(L, b, len); }

/* Pushes the first len bytes and lets count of them go; 0: a finalizer came in between, and another record may come
   first now. */
LS_HOT int give(lua_State *L, ls_Buffer *b, size_t len, size_t count) {
    uint64_t gone = b->bytes.gone;
    push_front(L, b, len);
    if (LS_LIKELY(b->bytes.gone == gone)) {
        ls_bytes_drop(&b->bytes, count);
        return 1;
    }
    lua_pop(L, 1);
    return 0;
}

/* There is no whole record. */
static int give_none(lua_State *L, int err) {
    return err == EMSGSIZE ? ls_fail_text(L, err, "record too long") : ls_fail_io(L, err);
}

/* Pushes the next line; keep: with its end. 0, or why there is none. */
LS_HOT int give_line(lua_State *L, ls_Buffer *b, int keep) {
    size_t at = 0, len;
    do {
        int err = ls_bytes_line(&b->bytes, b->max, &at);
        if (!LS_LIKELY(!err)) return err;
        len = keep ? at + 1 : at - (at > 0 && ls_bytes_front(&b->bytes)[at - 1] == '\r');
    } while (!LS_LIKELY(give(L, b, len, at + 1)));
    return 0;
}

/* buffer:line([keep]) -> string | false | nil, message, name;  keep: with its end */
static int buffer_line(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    int err = give_line(L, b, lua_toboolean(L, 2));
    return LS_LIKELY(!err) ? 1 : give_none(L, err);
}

/* What buffer:lines() gives a loop to call: line, but for nil in place of false. */
LS_HOT int next_line(lua_State *L, int keep) {
    int err = give_line(L, ls_buffer_check(L), keep);
    if (LS_LIKELY(!err)) return 1;
    if (err != EAGAIN) return give_none(L, err);
    lua_pushnil(L);
    return 1;
}

static int next_bare(lua_State *L) {
    return next_line(L, 0);
}

static int next_kept(lua_State *L) {
    return next_line(L, 1);
}

/* buffer:lines([keep]) -> iterator, buffer: the same iterator for all buffers, so that LuaJIT knows it again */
static int buffer_lines(lua_State *L) {
    ls_buffer_check(L);
    lua_rawgeti(L, LS_STATE, lua_toboolean(L, 2) ? LS_STATE_KEPT : LS_STATE_BARE);
    lua_pushvalue(L, 1);
    return 2;
}

/* buffer:upto(delimiter [, max [, keep]]) -> string | false | nil, message, name;  keep: with the delimiter */
static int buffer_upto(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    size_t length, at, max = b->max;
    const char *delimiter = luaL_checklstring(L, 2, &length);
    int keep = lua_toboolean(L, 4);
    luaL_argcheck(L, length > 0, 2, "delimiter is empty");
    if (!lua_isnoneornil(L, 3)) max = (size_t)ls_value_int(L, 3, "max", 1, INT_MAX);
    do {
        int err = ls_bytes_find(&b->bytes, delimiter, length, max, &at);
        if (err) return give_none(L, err);
    } while (!give(L, b, keep ? at + length : at, at + length));
    return 1;
}

/* buffer:take(count) -> string | false */
static int buffer_take(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    size_t count = (size_t)ls_value_int(L, 2, "count", 0, INT_MAX);
    do {
        int err = ls_bytes_enough(&b->bytes, count);
        if (err) return give_none(L, err);
    } while (!give(L, b, count, count));
    return 1;
}

/* What is there, at most as many bytes as argument 2 says; stays: they stay where they are. */
static int give_some(lua_State *L, int stays) {
    ls_Buffer *b = ls_buffer_check(L);
    size_t most = ls_value_size(L, 2, LS_BYTES_UNLIMITED), count;
    do {
        count = ls_bytes_count(&b->bytes);
        if (count == 0) return give_none(L, EAGAIN);
        if (count > most) count = most;
    } while (!give(L, b, count, stays ? 0 : count));
    return 1;
}

/* buffer:some([most]) -> string | false */
static int buffer_some(lua_State *L) {
    return give_some(L, 0);
}

/* buffer:peek([most]) -> as some; the bytes stay there */
static int buffer_peek(lua_State *L) {
    return give_some(L, 1);
}

/* ---- the rest ---- */

/* buffer:clear() -> true */
static int buffer_clear(lua_State *L) {
    ls_bytes_clear(&ls_buffer_check(L)->bytes);
    return ls_succeed(L);
}

static int buffer_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)ls_bytes_count(&ls_buffer_check(L)->bytes));
    return 1;
}

static int buffer_tostring(lua_State *L) {
    lua_pushfstring(L, "buffer: %p", (void *)ls_buffer_check(L));
    return 1;
}

static int buffer_gc(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    ls_bytes_free(&b->bytes);
    b->max = 0;
    b->magic = &ls_buffer_magics[LS_STATE_GONE];
    return 0;
}

static const luaL_Reg methods[] = {
    { "line", buffer_line }, { "lines", buffer_lines }, { "recv", buffer_recv },
    { "take", buffer_take }, { "upto", buffer_upto },   { "some", buffer_some },
    { "peek", buffer_peek },     { "append", buffer_append }, { "clear", buffer_clear }, { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", buffer_gc },
    { "__len", buffer_len },
    { "__tostring", buffer_tostring },
    { "__yieldif", ls_wait_yieldif },
    { "__receive", ls_wish_receive },
    { "__rest", ls_wish_rest },
    { "__gone", ls_wish_gone },
    { "__limit", ls_wish_limit },
    { NULL, NULL },
};

static const luaL_Reg functions[] = { { "buffer", core_buffer }, { NULL, NULL } };

/* When all is closed, this may come before the buffers' own, which find it closed. */
static int shared_gc(lua_State *L) {
    ls_spare_close(&((Shared *)lua_touserdata(L, 1))->spare);
    return 0;
}

static void make_shared(lua_State *L) {
    memset(ls_newuserdata(L, sizeof(Shared)), 0, sizeof(Shared));
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, shared_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_SHARED);
}

static void make_iterator(lua_State *L, lua_CFunction next, int field) {
    lua_pushvalue(L, LS_OPEN_STATE);
    lua_pushcclosure(L, next, 1);
    lua_rawseti(L, LS_OPEN_STATE, field);
}

void ls_buffer_open(lua_State *L) {
    make_iterator(L, next_bare, LS_STATE_BARE);
    make_iterator(L, next_kept, LS_STATE_KEPT);
    make_shared(L);
    ls_state_class(L, LS_STATE_BUFFER, "buffer", methods, metamethods);
    ls_state_register(L, functions);
}
