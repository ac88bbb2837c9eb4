/* What lsocket.luasocket receives through a buffer: a line, all, or so many bytes, with a prefix. See "LuaSocket's
   interface" in doc/design.md. */
#include "buffer.h"
#include "err.h"
#include "net/fd.h"
#include "value.h"

#include <errno.h>
#include <string.h>

enum { AT_ONCE = 16 }; /* times that a call receives before others have their turn */

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
LS_HOT void push_clean(lua_State *L, const ls_Buffer *b, size_t len) {
    const char *front = ls_bytes_front(&b->bytes), *found = len > 0 ? memchr(front, '\r', len) : NULL;
    if (LS_LIKELY(!found || found == front + len - 1)) ls_buffer_push(L, b, found ? len - 1 : len);
    else ls_buffer_pushcopy(L, &b->bytes, len, copy_clean);
}

/* Pushes what begins with the prefix and goes on with the first len bytes, and lets count of them go; 0: as give. */
LS_HOT int grant(lua_State *L, ls_Buffer *b, const Wish *wish, size_t len, size_t count) {
    uint64_t gone = b->bytes.gone;
    if (wish->prefix) lua_pushvalue(L, wish->prefix);
    if (wish->kind == LINE) push_clean(L, b, len);
    else ls_buffer_push(L, b, len);
    if (wish->prefix) lua_concat(L, 2);
    if (LS_LIKELY(b->bytes.gone == gone)) {
        ls_bytes_drop(&b->bytes, count);
        return 1;
    }
    lua_pop(L, 1);
    return 0;
}

/* Is what is wanted there? Then *len bytes of it, with the end that is none of it *count. */
LS_HOT int is_granted(lua_State *L, ls_Buffer *b, const Wish *wish, size_t *len, size_t *count) {
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
LS_HOT int receive_some(ls_Buffer *b, const ls_Socket *s, size_t *n) {
    ls_Layer *layer = ls_socket_layer(s);
    char *room;
    int err;
    if (!LS_LIKELY(!layer)) return ls_buffer_fill(b, layer, LS_BUFFER_RECEIVE, n);
    err = b->max == 0 || s->fd < 0 ? EBADF : ls_bytes_reserve(&b->bytes, LS_BUFFER_RECEIVE, &room);
    if (err) return err;
    err = ls_fd_recv(s->fd, 0, room, LS_BUFFER_RECEIVE, n, NULL);
    ls_bytes_filled(&b->bytes, err ? 0 : *n);
    return err;
}

/* Receives what is wanted past the empty buffer, if just that comes: 0, a string is pushed; EAGAIN: it did not, and is
   in the buffer; or another errno. *n is 0 at the end. */
static int receive_past(lua_State *L, ls_Buffer *b, const ls_Socket *s, size_t wanted, size_t *n) {
    char data[LS_BUFFER_RECEIVE];
    int err = s->fd < 0 ? EBADF : ls_fd_recv(s->fd, 0, data, sizeof data, n, NULL);
    if (err) return err;
    if (LS_LIKELY(*n == wanted)) {
        b->passed += wanted;
        lua_pushlstring(L, data, wanted);
        return 0;
    }
    return ls_bytes_append(&b->bytes, data, *n);
}

static void grant_rest(lua_State *L, ls_Buffer *b, const Wish *wish) {
    size_t count;
    do count = ls_bytes_count(&b->bytes);
    while (!grant(L, b, wish, count, count));
}

/* Receives until what is wanted is there, and pushes it; or pushes what __receive returns in place of it. */
static int receive_wish(lua_State *L, ls_Buffer *b, const ls_Socket *s, const Wish *wish) {
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

/* The same, what is wanted being said at this place of the stack, unless others are to have their turn. What comes
   alone does not go through the buffer. */
LS_HOT int receive_wanted(lua_State *L, ls_Buffer *b, const ls_Socket *s, int pattern) {
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

int ls_wish_receiveby(lua_State *L, int index, const ls_Socket *s, int pattern) {
    ls_Buffer *b = ls_buffer_find(L, index);
    return LS_LIKELY(b != NULL) ? receive_wanted(L, b, s, pattern) : 0;
}

/* __receive(buffer, socket, pattern, prefix) -> string | false: it would block | true: others are to have their turn |
   nil: the end is there | nil, message, name;  what came stays there where nothing is returned */
int ls_wish_receive(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    const ls_Socket *s = ls_socket_find(L, 2);
    return receive_wanted(L, b, LS_LIKELY(s != NULL) ? s : ls_buffer_checksocket(L), 3);
}

/* __rest(buffer, pattern, prefix) -> string;  what there is of that which cannot be had whole */
int ls_wish_rest(lua_State *L) {
    ls_Buffer *b = ls_buffer_check(L);
    Wish wish;
    int err = read_wish(L, 2, &wish);
    if (err) return ls_fail(L, err);
    grant_rest(L, b, &wish);
    return 1;
}

/* __limit(buffer, calls): after so many calls of __receive others are to have their turn. */
int ls_wish_limit(lua_State *L) {
    ls_buffer_check(L)->limit = (unsigned)ls_value_int(L, 2, "calls", 1, INT_MAX);
    return 0;
}

/* __gone(buffer) -> count;  bytes that have ever gone out of it */
int ls_wish_gone(lua_State *L) {
    const ls_Buffer *b = ls_buffer_check(L);
    ls_value_pushunsigned(L, b->bytes.gone + b->passed);
    return 1;
}
