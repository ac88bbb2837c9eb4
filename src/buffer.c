/* The buffer: bytes received or appended in, lines and records out. How they are kept and searched is left to
   net/bytes.c. */
#include "err.h"
#include "lsocket.h"
#include "net/bytes.h"
#include "net/fd.h"
#include "option.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>

typedef struct Buffer {
    const void *magic;
    size_t max; /* of bytes in a record; 0: the buffer was finalized */
    struct Shared *shared;
    ls_Bytes bytes;
    uint64_t passed; /* bytes that __receive has returned without putting them here */
    unsigned calls, limit; /* how often __receive was called, and may be, until others have their turn */
} Buffer;

/* Making a string may run the collector, and that a finalizer which uses the buffer. Where that can be before the
   string has its bytes, they are copied first to where they stay: here, with those of the next short records, as a copy
   of each alone is read again before the processor has it whole, which costs more than the copy. */
typedef struct Window {
    const Buffer *of;
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

static const char magics[LS_STATE_MAGICS];

enum {
    AT_ONCE = 16, /* times that a call receives before others have their turn */
    CALLS = 64    /* calls until others have their turn, unless __limit says otherwise */
};

/* ---- the object ---- */

static Buffer *check_slowly(lua_State *L) {
    Buffer *b = ls_state_finalized(L, 1, sizeof *b, &magics[LS_STATE_GONE], LS_STATE_BUFFER);
    if (!b) ls_value_wrongtype(L, 1, "buffer");
    return b;
}

LS_HOT Buffer *check_buffer(lua_State *L) {
    Buffer *b = ls_state_object(L, 1, sizeof *b, &magics[LS_STATE_ALIVE]);
    return LS_LIKELY(b != NULL) ? b : check_slowly(L);
}

int ls_buffer_isfilled(lua_State *L, int index) {
    const Buffer *b = ls_state_object(L, index, sizeof *b, &magics[LS_STATE_ALIVE]);
    return b && ls_bytes_count(&b->bytes) > 0;
}

/* lsocket.buffer([max]) -> buffer */
static int core_buffer(lua_State *L) {
    size_t max = lua_isnoneornil(L, 1) ? LS_BYTES_UNLIMITED : (size_t)ls_value_int(L, 1, "max", 1, INT_MAX);
    Buffer *b = ls_newuserdata(L, sizeof *b);
    memset(b, 0, sizeof *b);
    b->magic = &magics[LS_STATE_ALIVE];
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

enum { RECEIVE_SIZE = 65536 };

/* How much room to receive into: no more than what waits, where much is wanted; a datagram's whole length. */
static size_t room_for(const ls_Socket *s, size_t size) {
    int stream = ls_socket_isstream(s);
    size_t waiting;
    if (stream && size <= RECEIVE_SIZE) return size;
    if (ls_fd_pending(s->fd, &waiting) != 0) waiting = 0; /* receiving tells why */
    if (waiting < RECEIVE_SIZE) return RECEIVE_SIZE;
    return stream && waiting > size ? size : waiting;
}

static ls_Socket *check_socket(lua_State *L, int arg) {
    ls_Socket *s = ls_socket_test(L, arg);
    if (!s) ls_value_wrongtype(L, arg, "socket");
    return s;
}

/* Up to size bytes of a stream that has a layer. No Lua runs in between. */
static int fill_above(Buffer *b, ls_Layer *layer, size_t size, size_t *n) {
    char *room;
    int err = b->max == 0 ? EBADF : ls_bytes_reserve(&b->bytes, size, &room);
    if (err) return err;
    err = layer->type->receive(layer, 0, room, size, n);
    ls_layer_refresh(layer);
    ls_bytes_filled(&b->bytes, err ? 0 : *n);
    return err;
}

/* From what is no plain socket: one that has a layer, or was finalized. */
static int receive_slowly(lua_State *L, Buffer *b) {
    const ls_Socket *s = check_socket(L, 2);
    ls_Layer *layer = ls_socket_layer(s);
    size_t size = ls_value_size(L, 3, RECEIVE_SIZE), n;
    int err = layer ? fill_above(b, layer, room_for(s, size), &n) : EBADF;
    if (err) return ls_socket_fail(L, s, err);
    if (n == 0 && size > 0) lua_pushnil(L);
    else lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* buffer:recv(sock [, size]) -> count | false | nil | nil, message, name;  size: not for datagrams */
static int buffer_recv(lua_State *L) {
    Buffer *b = check_buffer(L);
    ls_Socket *s = ls_socket_find(L, 2);
    size_t size, n;
    char *room;
    int err;
    if (!LS_LIKELY(s != NULL)) return receive_slowly(L, b);
    size = room_for(s, ls_value_size(L, 3, RECEIVE_SIZE));
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
    Buffer *b = check_buffer(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    return ls_result(L, b->max == 0 ? EBADF : ls_bytes_append(&b->bytes, data, len));
}

/* ---- records out ---- */

typedef size_t Copier(char *to, const char *from, size_t len);

/* Pushes the first len bytes as they are copied to a block of the state, which may run a finalizer. */
static void push_copy(lua_State *L, const ls_Bytes *bytes, size_t len, Copier *copier) {
    int large = len > RECEIVE_SIZE; /* too large to be kept for the next time */
    char *copy = large ? ls_newuserdata(L, len) : ls_state_lend(L, LS_STATE_RECEIVE, RECEIVE_SIZE);
    if (ls_bytes_count(bytes) < len) len = 0; /* that ran a finalizer: nobody will see the string */
    lua_pushlstring(L, copy, copier(copy, ls_bytes_front(bytes), len));
    if (!large) ls_state_giveback(L, LS_STATE_RECEIVE, -2);
    lua_remove(L, -2);
}

/* Pushes the first len bytes. */
#if LS_PUSH_COPIES_FIRST
LS_HOT void push_front(lua_State *L, const Buffer *b, size_t len) {
    lua_pushlstring(L, ls_bytes_front(&b->bytes), len);
}
#else
static size_t copy_all(char *to, const char *from, size_t len) {
    memcpy(to, from, len);
    return len;
}

static void fill(Window *w, const Buffer *b) {
    size_t count = ls_bytes_count(&b->bytes);
    w->of = b;
    w->start = b->bytes.gone;
    w->count = count < sizeof w->bytes ? count : sizeof w->bytes;
    w->fills++;
    memcpy(w->bytes, ls_bytes_front(&b->bytes), w->count);
}

LS_HOT void push_front(lua_State *L, const Buffer *b, size_t len) {
    Window *w = &b->shared->window;
    size_t fills;
    if (len > sizeof w->bytes) {
        push_copy(L, &b->bytes, len, copy_all);
        return;
    }
    if (!LS_LIKELY(w->of == b && b->bytes.gone - w->start + len <= w->count)) fill(w, b);
    fills = w->fills;
    lua_pushlstring(L, w->bytes + (b->bytes.gone - w->start), len);
    if (LS_LIKELY(w->fills == fills)) return;
    lua_pop(L, 1); /* a finalizer has put others in their place */
    push_copy(L, &b->bytes, len, copy_all);
}
#endif

/* Pushes the first len bytes and lets count of them go; 0: a finalizer came in between, and another record may come
   first now. */
LS_HOT int give(lua_State *L, Buffer *b, size_t len, size_t count) {
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
LS_HOT int give_line(lua_State *L, Buffer *b, int keep) {
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
    Buffer *b = check_buffer(L);
    int err = give_line(L, b, lua_toboolean(L, 2));
    return LS_LIKELY(!err) ? 1 : give_none(L, err);
}

/* What buffer:lines() gives a loop to call: line, but for nil in place of false. */
LS_HOT int next_line(lua_State *L, int keep) {
    int err = give_line(L, check_buffer(L), keep);
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
    check_buffer(L);
    lua_rawgeti(L, LS_STATE, lua_toboolean(L, 2) ? LS_STATE_KEPT : LS_STATE_BARE);
    lua_pushvalue(L, 1);
    return 2;
}

/* buffer:upto(delimiter [, max [, keep]]) -> string | false | nil, message, name;  keep: with the delimiter */
static int buffer_upto(lua_State *L) {
    Buffer *b = check_buffer(L);
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
    Buffer *b = check_buffer(L);
    size_t count = (size_t)ls_value_int(L, 2, "count", 0, INT_MAX);
    do {
        int err = ls_bytes_enough(&b->bytes, count);
        if (err) return give_none(L, err);
    } while (!give(L, b, count, count));
    return 1;
}

/* What is there, at most as many bytes as argument 2 says; stays: they stay where they are. */
static int give_some(lua_State *L, int stays) {
    Buffer *b = check_buffer(L);
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

/* ---- what lsocket.luasocket receives: see "LuaSocket's interface" in doc/design.md ---- */

typedef enum Kind { LINE, ALL, COUNT } Kind;

/* What is wanted: a line without its end and without any "\r", all up to the end of the stream, or so many bytes. */
typedef struct Wish {
    Kind kind;
    size_t count;
    int prefix; /* the place on the stack of what the result begins with, which count includes; 0: nothing */
} Wish;

/* 0 or EINVAL. */
static int read_pattern(lua_State *L, int index, Wish *wish) {
    const char *text;
    lua_Number count;
    int is_number;
    wish->kind = LINE;
    wish->count = 0;
    if (lua_isnoneornil(L, index)) return 0;
    count = ls_tonumber(L, index, &is_number);
    if (is_number) {
        wish->kind = COUNT;
        if (!(count >= 0)) return EINVAL;
        wish->count = count < LS_VALUE_EXACT ? (size_t)count : (size_t)LS_VALUE_EXACT;
        return 0;
    }
    text = lua_tostring(L, index);
    if (!text || text[0] != '*') return EINVAL;
    if (text[1] == 'a') wish->kind = ALL;
    return text[1] == 'a' || text[1] == 'l' ? 0 : EINVAL;
}

/* 0 or EINVAL. */
static int read_wish(lua_State *L, int index, Wish *wish) {
    int err = read_pattern(L, index, wish);
    wish->prefix = 0;
    if (err || lua_isnoneornil(L, index + 1)) return err;
    if (!lua_tolstring(L, index + 1, &(size_t){ 0 })) return EINVAL;
    if (lua_rawlen(L, index + 1) > 0) wish->prefix = index + 1;
    return 0;
}

static size_t copy_clean(char *to, const char *from, size_t len) {
    char *end = to;
    size_t i;
    for (i = 0; i < len; i++)
        if (from[i] != '\r') *end++ = from[i];
    return (size_t)(end - to);
}

/* Pushes the first len bytes without any "\r". */
LS_HOT void push_clean(lua_State *L, const Buffer *b, size_t len) {
    const char *front = ls_bytes_front(&b->bytes), *found = len > 0 ? memchr(front, '\r', len) : NULL;
    if (LS_LIKELY(!found || found == front + len - 1)) push_front(L, b, found ? len - 1 : len);
    else push_copy(L, &b->bytes, len, copy_clean);
}

/* Pushes what begins with the prefix and goes on with the first len bytes, and lets count of them go; 0: as give. */
LS_HOT int grant(lua_State *L, Buffer *b, const Wish *wish, size_t len, size_t count) {
    uint64_t gone = b->bytes.gone;
    if (wish->prefix) lua_pushvalue(L, wish->prefix);
    if (wish->kind == LINE) push_clean(L, b, len);
    else push_front(L, b, len);
    if (wish->prefix) lua_concat(L, 2);
    if (LS_LIKELY(b->bytes.gone == gone)) {
        ls_bytes_drop(&b->bytes, count);
        return 1;
    }
    lua_pop(L, 1);
    return 0;
}

/* Is what is wanted there? Then *len bytes of it, with the end that is none of it *count. */
LS_HOT int is_granted(lua_State *L, Buffer *b, const Wish *wish, size_t *len, size_t *count) {
    size_t prefix = wish->prefix ? (size_t)lua_rawlen(L, wish->prefix) : 0;
    if (wish->kind == LINE) {
        if (ls_bytes_line(&b->bytes, LS_BYTES_UNLIMITED, len) != 0) return 0;
        *count = *len + 1;
        return 1;
    }
    *len = *count = wish->count > prefix ? wish->count - prefix : 0;
    if (wish->kind == ALL) return 0;
    return (*len > 0 || prefix > 0 || ls_bytes_count(&b->bytes) > 0) && *len <= ls_bytes_count(&b->bytes);
}

/* Receives once, from any kind of socket: 0 or an errno; *n is 0 at the end. */
LS_HOT int receive_some(Buffer *b, const ls_Socket *s, size_t *n) {
    ls_Layer *layer = ls_socket_layer(s);
    char *room;
    int err;
    if (!LS_LIKELY(!layer)) return fill_above(b, layer, RECEIVE_SIZE, n);
    err = b->max == 0 || s->fd < 0 ? EBADF : ls_bytes_reserve(&b->bytes, RECEIVE_SIZE, &room);
    if (err) return err;
    err = ls_fd_recv(s->fd, 0, room, RECEIVE_SIZE, n, NULL);
    ls_bytes_filled(&b->bytes, err ? 0 : *n);
    return err;
}

/* Receives what is wanted past the empty buffer, if just that comes: 0, a string is pushed; EAGAIN: it did not, and is
   in the buffer; or another errno. *n is 0 at the end. */
static int receive_past(lua_State *L, Buffer *b, const ls_Socket *s, size_t wanted, size_t *n) {
    char data[RECEIVE_SIZE];
    int err = s->fd < 0 ? EBADF : ls_fd_recv(s->fd, 0, data, sizeof data, n, NULL);
    if (err) return err;
    if (LS_LIKELY(*n == wanted)) {
        b->passed += wanted;
        lua_pushlstring(L, data, wanted);
        return 0;
    }
    return ls_bytes_append(&b->bytes, data, *n);
}

static void grant_rest(lua_State *L, Buffer *b, const Wish *wish) {
    size_t count;
    do count = ls_bytes_count(&b->bytes);
    while (!grant(L, b, wish, count, count));
}

/* Receives until what is wanted is there, and pushes it; or pushes what __receive returns in place of it. */
static int receive_wish(lua_State *L, Buffer *b, const ls_Socket *s, const Wish *wish) {
    size_t len = 0, count = 0, n;
    int i, err;
    for (i = 0; i < AT_ONCE; i++) {
        while (is_granted(L, b, wish, &len, &count))
            if (LS_LIKELY(grant(L, b, wish, len, count))) return 1;
        err = receive_some(b, s, &n);
        if (err) return ls_socket_fail(L, s, err);
        if (n > 0) continue;
        if (wish->kind == ALL && ls_bytes_count(&b->bytes) > 0) grant_rest(L, b, wish);
        else lua_pushnil(L);
        return 1;
    }
    return ls_succeed(L);
}

/* The same, what is wanted being said at this place of the stack, unless others are to have their turn. What comes alone
   does not go through the buffer. */
LS_HOT int receive_wanted(lua_State *L, Buffer *b, const ls_Socket *s, int pattern) {
    Wish wish;
    size_t n;
    int err = read_wish(L, pattern, &wish);
    if (err) return ls_fail(L, err);
    if (++b->calls > b->limit) {
        b->calls = 0;
        return ls_succeed(L);
    }
    if (wish.kind != COUNT || wish.count == 0 || wish.prefix || ls_bytes_count(&b->bytes) > 0 || b->max == 0 ||
        ls_socket_layer(s))
        return receive_wish(L, b, s, &wish);
    err = receive_past(L, b, s, wish.count, &n);
    if (!err && n == wish.count) return 1;
    if (err) return ls_fail_io(L, err);
    if (n > 0) return receive_wish(L, b, s, &wish);
    lua_pushnil(L);
    return 1;
}

int ls_buffer_receive(lua_State *L, int index, const ls_Socket *s, int pattern) {
    Buffer *b = ls_state_object(L, index, sizeof *b, &magics[LS_STATE_ALIVE]);
    return LS_LIKELY(b != NULL) ? receive_wanted(L, b, s, pattern) : 0;
}

/* __receive(buffer, socket, pattern, prefix) -> string | false: it would block | true: others are to have their turn |
   nil: the end is there | nil, message, name;  what came stays there where nothing is returned */
static int buffer_receive(lua_State *L) {
    Buffer *b = check_buffer(L);
    const ls_Socket *s = ls_socket_find(L, 2);
    return receive_wanted(L, b, LS_LIKELY(s != NULL) ? s : check_socket(L, 2), 3);
}

/* __rest(buffer, pattern, prefix) -> string;  what there is of that which cannot be had whole */
static int buffer_rest(lua_State *L) {
    Buffer *b = check_buffer(L);
    Wish wish;
    int err = read_wish(L, 2, &wish);
    if (err) return ls_fail(L, err);
    grant_rest(L, b, &wish);
    return 1;
}

/* __limit(buffer, calls): after so many calls of __receive others are to have their turn. */
static int buffer_limit(lua_State *L) {
    check_buffer(L)->limit = (unsigned)ls_value_int(L, 2, "calls", 1, INT_MAX);
    return 0;
}

/* __gone(buffer) -> count;  bytes that have ever gone out of it */
static int buffer_gone(lua_State *L) {
    const Buffer *b = check_buffer(L);
    ls_value_pushunsigned(L, b->bytes.gone + b->passed);
    return 1;
}

/* buffer:clear() -> true */
static int buffer_clear(lua_State *L) {
    ls_bytes_clear(&check_buffer(L)->bytes);
    return ls_succeed(L);
}

static int buffer_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)ls_bytes_count(&check_buffer(L)->bytes));
    return 1;
}

static int buffer_tostring(lua_State *L) {
    lua_pushfstring(L, "buffer: %p", (void *)check_buffer(L));
    return 1;
}

static int buffer_gc(lua_State *L) {
    Buffer *b = check_buffer(L);
    ls_bytes_free(&b->bytes);
    b->max = 0;
    b->magic = &magics[LS_STATE_GONE];
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
    { "__receive", buffer_receive },
    { "__rest", buffer_rest },
    { "__gone", buffer_gone },
    { "__limit", buffer_limit },
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
