/* The methods of sockets that send. What strings and files hold goes to the kernel from where it lies; the system calls
   are left to net/fd.c. */
#include "err.h"
#include "net/fd.h"
#include "net/gai.h"
#include "option.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

static int push_sent(lua_State *L, const ls_Socket *s, int err, size_t n) {
    if (err) return ls_socket_fail(L, s, err);
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* ---- through a layer ---- */

/* What the layer has taken leaves: 0, EAGAIN or why not. Without a layer nothing waits. */
static int flush(const ls_Socket *s) {
    ls_Layer *layer = ls_socket_layer(s);
    return layer ? ls_layer_flush(layer) : 0;
}

/* Pieces of a stream go to the layer, or to the kernel. */
static int send_down(const ls_Socket *s, struct iovec *pieces, unsigned short count, size_t bytes, size_t *n) {
    ls_Layer *layer = ls_socket_layer(s);
    int err;
    if (!layer) return ls_fd_sendpieces(s->fd, pieces, count, n);
    *n = 0;
    if (bytes == 0) return flush(s);
    err = layer->type->send(layer, pieces, count, n);
    ls_layer_refresh(layer);
    return err;
}

/* The same for a string, of any kind of socket. */
static int send_string(ls_Socket *s, const char *data, size_t size, size_t *n) {
    struct iovec piece = { (void *)(uintptr_t)data, size }; /* which is only read */
    return ls_socket_layer(s) ? send_down(s, &piece, 1, size, n) : ls_option_send(s, data, size, n, NULL);
}

/* ---- a part of the data ---- */

/* So many bytes, after those that are passed over. */
typedef struct Range {
    uint64_t skip, size;
} Range;

static lua_Number check_first(lua_State *L) { return ls_value_whole(L, 3, "first", 1); }

static lua_Number check_last(lua_State *L) { return ls_value_whole(L, 4, "last", -1); }

/* Places in so many bytes, as string.sub takes them. */
static Range range_of(lua_Number first, lua_Number last, uint64_t bytes) {
    lua_Number end = (lua_Number)bytes;
    Range range = { 0, 0 };
    if (first < 0) first += end + 1;
    if (last < 0) last += end + 1;
    if (first < 1) first = 1;
    if (last > end) last = end;
    if (first > last) return range;
    range.skip = (uint64_t)first - 1;
    range.size = (uint64_t)last - range.skip;
    return range;
}

static int send_part(lua_State *L, ls_Socket *s) {
    lua_Number first = check_first(L), last = check_last(L);
    size_t len, n;
    const char *data = lua_tolstring(L, 2, &len);
    Range range = range_of(first, last, len);
    int err = send_string(s, data + range.skip, (size_t)range.size, &n);
    return push_sent(L, s, err, n);
}

/* ---- several strings: the elements of an array, or arguments ---- */

enum {
    TINY = 64,      /* up to here strings are copied together: 100,000 of 16 bytes take 2/3 of the time that way */
    COPIES = 65536, /* room for copies, on the C stack */
    PIECES = 1000   /* gathered for one call, which takes 1024; each keeps a string on the Lua stack */
};
static const uint64_t UNKNOWN = (uint64_t)1 << 53; /* bytes: more than there are */

/* The strings on their way to the kernel. */
typedef struct Array {
    int table;     /* the argument that has them as its elements; 0: they are arguments */
    int arguments; /* how many there are; what stands on the stack above them is for a while */
    Range range;   /* counted from the next element */
    int next;      /* element, or argument */
    size_t sent;   /* before what is gathered now */
    size_t gathered, copied;
    unsigned short count;
    struct iovec pieces[PIECES];
    char copies[COPIES];
} Array;

/* Pushes the next element as a string and answers it; NULL where the array ends. What a number becomes is on the stack
   alone. A wrong element ends what has been sent in part, as that must be told first: the next call gets here again. */
static const char *push_element(lua_State *L, Array *a, size_t *len) {
    const char *text;
    if (a->table) lua_rawgeti(L, a->table, a->next);
    else if (a->next <= a->arguments) lua_pushvalue(L, a->next);
    else lua_pushnil(L);
    text = lua_tolstring(L, -1, len);
    if (!text && !lua_isnil(L, -1) && a->sent == 0)
        luaL_argerror(L, a->table,
                      lua_pushfstring(L, "element %d: string expected, got %s", a->next, luaL_typename(L, -1)));
    a->next++;
    return text;
}

/* From that element on, where it begins anew. */
static uint64_t count_bytes(lua_State *L, Array *a, int first) {
    uint64_t bytes = 0;
    size_t len;
    for (a->next = first; push_element(L, a, &len); lua_pop(L, 1)) bytes += len;
    lua_pop(L, 1);
    a->next = first;
    return bytes;
}

/* The part of a string that is in the range, which goes on behind it. */
static const char *take_part(Range *range, const char *text, size_t *len) {
    size_t skip = (size_t)range->skip, left = *len - skip;
    *len = left < range->size ? left : (size_t)range->size;
    range->size -= *len;
    range->skip = 0;
    return text + skip;
}

/* Pushes the next string of which the range has a part, and answers the part; NULL, and nothing pushed, at the end. */
static const char *push_next(lua_State *L, Array *a, size_t *len) {
    for (; a->range.size > 0; lua_pop(L, 1)) {
        const char *text = push_element(L, a, len);
        if (!text) a->range.size = 0;
        else if (*len <= a->range.skip) a->range.skip -= *len;
        else return take_part(&a->range, text, len);
    }
    return NULL;
}

static void add_piece(Array *a, const char *text, size_t len) {
    struct iovec *piece = a->pieces + a->count;
    if (a->count > 0 && (char *)piece[-1].iov_base + piece[-1].iov_len == text) {
        piece[-1].iov_len += len; /* copies stand side by side */
        return;
    }
    piece->iov_base = (void *)(uintptr_t)text; /* which sendmsg(2) only reads */
    piece->iov_len = len;
    a->count++;
}

/* Gathers what one call takes. Strings that are not copied stay on the stack: no collector takes them from there. */
static void gather(lua_State *L, Array *a) {
    a->gathered = a->copied = a->count = 0;
    while (a->count < PIECES && a->copied <= COPIES - TINY) {
        size_t len;
        const char *text = push_next(L, a, &len);
        if (!text) break;
        if (len <= TINY) {
            text = memcpy(a->copies + a->copied, text, len);
            a->copied += len;
            lua_pop(L, 1);
        } else {
            luaL_checkstack(L, LUA_MINSTACK, "too many strings");
        }
        add_piece(a, text, len);
        a->gathered += len;
    }
}

/* As long as all is taken, there may be room for more. */
static int send_stream(lua_State *L, const ls_Socket *s, Array *a) {
    size_t n;
    int err;
    do {
        gather(L, a);
        err = send_down(s, a->pieces, a->count, a->gathered, &n);
        lua_settop(L, a->arguments);
        if (!err) a->sent += n;
    } while (!err && n == a->gathered && a->range.size > 0);
    return a->sent > 0 ? 0 : err;
}

/* Copies all of the range together, and sends that. */
static int send_joined(lua_State *L, ls_Socket *s, Array *a, int first) {
    uint64_t bytes = count_bytes(L, a, first);
    const char *text;
    char *block;
    size_t len, n = 0;
    int err;
    bytes -= a->range.skip < bytes ? a->range.skip : bytes;
    if (a->range.size > bytes) a->range.size = bytes; /* no more is copied, even if a finalizer changes the array now */
    if (a->range.size > INT_MAX) return EMSGSIZE;
    block = ls_state_lend(L, LS_STATE_SEND, (size_t)a->range.size);
    for (; (text = push_next(L, a, &len)) != NULL; lua_pop(L, 1)) {
        memcpy(block + n, text, len);
        n += len;
    }
    err = ls_option_send(s, block, n, &a->sent, NULL);
    ls_state_giveback(L, LS_STATE_SEND, a->arguments + 1);
    return err;
}

static int send_datagram(lua_State *L, ls_Socket *s, Array *a) {
    Range whole = a->range;
    int first = a->next;
    gather(L, a);
    if (a->range.size == 0) return ls_option_sendpieces(s, a->pieces, a->count, &a->sent);
    lua_settop(L, a->arguments);
    a->range = whole;
    return send_joined(L, s, a, first);
}

static int send_gathered(lua_State *L, ls_Socket *s, Array *a) {
    return ls_socket_isstream(s) ? send_stream(L, s, a) : send_datagram(L, s, a);
}

static int send_array(lua_State *L, ls_Socket *s) {
    lua_Number first = check_first(L), last = check_last(L);
    Array a;
    int err;
    a.table = 2;
    a.arguments = 4;
    a.next = 1;
    a.sent = 0;
    lua_settop(L, a.arguments);
    a.range = range_of(first, last, first < 0 || last < -1 ? count_bytes(L, &a, 1) : UNKNOWN);
    err = send_gathered(L, s, &a);
    return push_sent(L, s, err, a.sent);
}

/* ---- send ---- */

static int send_otherwise(lua_State *L, ls_Socket *s) {
    if (lua_istable(L, 2)) return send_array(L, s);
    if (!lua_isstring(L, 2)) return ls_value_wrongtype(L, 2, "string or table");
    return send_part(L, s);
}

static int send_slowly(lua_State *L) { return send_otherwise(L, ls_socket_checkslowly(L)); }

/* sock:send(data [, first [, last]]) -> count | false | nil, message, name;  data: a string or an array of strings */
static int sock_send(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    size_t len;
    const char *data;
    ssize_t sent;
    if (!LS_LIKELY(s != NULL)) return send_slowly(L);
    data = lua_gettop(L) == 2 && !(s->flags & LS_OPTION_CUTS) ? lua_tolstring(L, 2, &len) : NULL;
    if (!LS_LIKELY(data != NULL)) return send_otherwise(L, s);
    sent = ls_fd_sendonce(s->fd, data, len, NULL);
    if (!LS_LIKELY(sent >= 0)) return errno == EINTR || errno == ENOTSOCK ? send_part(L, s) : ls_fail_io(L, errno);
    lua_pushinteger(L, (lua_Integer)sent);
    return 1;
}

/* ---- what is left of several pieces ---- */

static int push_place(lua_State *L, lua_Number next) {
    if (LUA_VERSION_NUM < 503) lua_pushnumber(L, next); /* integers may have 32 bits there */
    else lua_pushinteger(L, (lua_Integer)next);
    return 1;
}

/* true: so many bytes were all that was left; else where the next call goes on. */
static int push_next_place(lua_State *L, lua_Number first, size_t sent, uint64_t left) {
    return sent == left ? ls_succeed(L) : push_place(L, first + (lua_Number)sent);
}

static void check_pieces(lua_State *L) {
    int i, count = lua_gettop(L);
    for (i = 3; i <= count || i == 3; i++) {
        if (lua_isstring(L, i)) continue;
        luaL_argerror(L, i, lua_pushfstring(L, "piece %d: string expected, got %s", i - 2, luaL_typename(L, i)));
    }
}

static int send_pieces(lua_State *L, ls_Socket *s) {
    lua_Number first = ls_value_whole(L, 2, "first", 1);
    Array a;
    uint64_t left;
    int err;
    if (first < 1) luaL_argerror(L, 2, "first must be from 1 on");
    a.arguments = lua_gettop(L);
    a.table = a.arguments == 3 && lua_istable(L, 3) ? 3 : 0;
    if (!a.table) check_pieces(L);
    a.sent = 0;
    a.range = range_of(first, -1, count_bytes(L, &a, a.table ? 1 : 3));
    left = a.range.size;
    err = send_gathered(L, s, &a);
    if (err) return ls_socket_fail(L, s, err);
    err = a.sent == left ? flush(s) : 0;
    if (err == EAGAIN && left > 0) return push_place(L, first + (lua_Number)left); /* the layer has taken it */
    return err ? ls_socket_fail(L, s, err) : push_next_place(L, first, a.sent, left);
}

/* The one string that is sent whole, which most writes are; NULL where there is more to it. */
LS_HOT const char *one_string(lua_State *L, const ls_Socket *s, size_t *len) {
    int plain = lua_gettop(L) == 3 && lua_tonumber(L, 2) == 1 && !(s->flags & LS_OPTION_CUTS);
    return plain ? lua_tolstring(L, 3, len) : NULL;
}

LS_HOT int send_one(lua_State *L, ls_Socket *s, const char *data, size_t len) {
    ssize_t sent = ls_fd_sendonce(s->fd, data, len, NULL);
    if (!LS_LIKELY(sent >= 0)) return errno == EINTR || errno == ENOTSOCK ? send_pieces(L, s) : ls_fail_io(L, errno);
    return push_next_place(L, 1, (size_t)sent, len);
}

static int send_pieces_slowly(lua_State *L) { return send_pieces(L, ls_socket_checkslowly(L)); }

/* sock:sendrest(first, data, ...) -> true | next | false | nil, message, name;  data: an array stands alone */
static int sock_sendrest(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    size_t len;
    const char *data;
    if (!LS_LIKELY(s != NULL)) return send_pieces_slowly(L);
    data = one_string(L, s, &len);
    return LS_LIKELY(data != NULL) ? send_one(L, s, data, len) : send_pieces(L, s);
}

/* Is a piece wrong, or an element of the array that stands alone? */
static int is_wrong(lua_State *L) {
    int i, count = lua_gettop(L), type = LUA_TNIL;
    if (count == 3 && lua_istable(L, 3)) {
        for (i = 1; i == 1 || type == LUA_TSTRING || type == LUA_TNUMBER; i++) {
            lua_rawgeti(L, 3, i);
            type = lua_type(L, -1);
            lua_pop(L, 1);
        }
        return type != LUA_TNIL;
    }
    for (i = 3; i <= count && lua_isstring(L, i);) i++;
    return i <= count || count < 3;
}

static int write_slowly(lua_State *L, ls_Socket *s) {
    if (is_wrong(L)) return ls_fail(L, s->fd < 0 ? EBADF : EINVAL);
    return send_pieces(L, s);
}

/* What streams write with: sendrest, but for a wrong piece, which is nil, message, "EINVAL", or "EBADF" of a closed
   socket: they name it as they were called. */
int ls_send_write(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    size_t len;
    const char *data;
    if (!LS_LIKELY(s != NULL)) return write_slowly(L, ls_socket_checkslowly(L));
    data = one_string(L, s, &len);
    return LS_LIKELY(data != NULL) ? send_one(L, s, data, len) : write_slowly(L, s);
}

/* ---- all of a string, for lsocket.luasocket ---- */

/* The whole part of an argument; what there is, where it is absent. 0: it is no number. */
static int read_place(lua_State *L, int arg, lua_Number *place) {
    lua_Number number = lua_tonumber(L, arg);
    if (lua_isnoneornil(L, arg)) return 1;
    *place = number > -LS_VALUE_EXACT && number < LS_VALUE_EXACT ? (lua_Number)(int64_t)number : number;
    return lua_isnumber(L, arg);
}

/* Arguments 3 and 4 are places, as LuaSocket takes them: *first is at least 1, and may be behind the end. EINVAL: one
   is no number. */
static int read_span(lua_State *L, size_t len, lua_Number *first, Range *range) {
    lua_Number end = (lua_Number)len, last = end;
    *first = 1;
    if (!read_place(L, 3, first) || !read_place(L, 4, &last)) return EINVAL;
    if (*first < 0) *first += end + 1;
    if (last < 0) last += end + 1;
    if (!(*first >= 1)) *first = 1;
    if (last > end) last = end;
    range->skip = range->size = 0;
    if (!(*first <= last)) return 0;
    range->skip = (uint64_t)*first - 1;
    range->size = (uint64_t)last - range->skip;
    return 0;
}

/* What __send returns when so many bytes have been taken. A failure after some of them is told by the next call. */
static int push_span(lua_State *L, const ls_Socket *s, int err, lua_Number before, size_t sent) {
    if (err && err != EAGAIN && sent == 0) return ls_socket_fail(L, s, err);
    if (err) lua_pushboolean(L, 0);
    return push_place(L, before + (lua_Number)sent) + (err != 0);
}

/* Sends until all is taken, or none any more. An empty datagram is sent, too. */
static int send_range(lua_State *L, ls_Socket *s, const char *data, size_t size, lua_Number before) {
    int layered = ls_socket_layer(s) != NULL, err = 0, empty = size == 0 && !ls_socket_isstream(s);
    size_t sent = 0, n = 0;
    while ((sent < size || empty) && !err) {
        empty = 0;
        err = layered ? send_string(s, data + sent, size - sent, &n) : ls_fd_send(s->fd, data, size, &n, NULL);
        if (!err) sent += n;
        if (!err && sent < size && !layered) err = EAGAIN; /* there is no room for more */
    }
    if (layered && !err) err = flush(s);
    return push_span(L, s, err, before, sent);
}

int ls_send_all(lua_State *L, ls_Socket *s, const char *data, size_t len) { return send_range(L, s, data, len, 0); }

/* __send(socket, data [, first [, last]]) -> place of the last byte | false, place: of the last one that was taken, and
   no more can be now | nil, message, name: nothing was taken. "EINVAL": a wrong argument */
int ls_send_span(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    size_t len;
    const char *data = lua_tolstring(L, 2, &len);
    lua_Number first;
    Range range;
    if (!data) return ls_fail(L, EINVAL);
    if (LS_LIKELY(lua_gettop(L) == 2 || (lua_isnil(L, 3) && lua_isnil(L, 4)))) return ls_send_all(L, s, data, len);
    if (read_span(L, len, &first, &range) != 0) return ls_fail(L, EINVAL);
    return send_range(L, s, data + range.skip, (size_t)range.size, first - 1);
}

/* ---- to an address ---- */

typedef struct Letter {
    ls_Socket *s;
    const char *data;
    size_t len, sent;
} Letter;

static int send_to(void *context, const ls_Addr *addr) {
    Letter *letter = context;
    return ls_option_send(letter->s, letter->data, letter->len, &letter->sent, addr);
}

int ls_send_to(lua_State *L, ls_Socket *s, const char *data, size_t len, const ls_Addr *peer) {
    size_t sent;
    int err = ls_option_send(s, data, len, &sent, peer);
    return push_sent(L, s, err, sent);
}

/* sock:sendto(data, address [, port]) -> count | false | nil, message, name;  a connection ignores the address */
static int sock_sendto(lua_State *L) {
    Letter letter = { ls_socket_self(L), NULL, 0, 0 };
    size_t len;
    unsigned port;
    const char *address;
    int err;
    letter.data = luaL_checklstring(L, 2, &letter.len);
    address = ls_value_address(L, 3, &len);
    port = ls_value_portof(L, address, len, 4);
    if (ls_socket_isstream(letter.s)) err = send_string(letter.s, letter.data, letter.len, &letter.sent);
    else if (letter.s->type == SOCK_SEQPACKET || letter.s->fd < 0)
        err = ls_fd_send(letter.s->fd, letter.data, letter.len, &letter.sent, NULL);
    else
        err = ls_gai_reach(address, len, port, letter.s->family, send_to, &letter);
    return push_sent(L, letter.s, err, letter.sent);
}

/* ---- a file ---- */

/* The descriptor that argument 2 is or has. */
static int check_file(lua_State *L) {
    int fd;
    if (lua_type(L, 2) == LUA_TNUMBER) return ls_value_int(L, 2, "descriptor", 0, INT_MAX);
    fd = ls_value_openfile(L, 2);
    return fd == LS_VALUE_NOFILE ? ls_value_wrongtype(L, 2, "file or descriptor") : fd;
}

static int64_t check_extent(lua_State *L, int arg, const char *what, lua_Number fallback) {
    lua_Number value = ls_value_whole(L, arg, what, fallback);
    int possible = value >= 0 && value <= LS_VALUE_EXACT;
    if (!possible) luaL_argerror(L, arg, lua_pushfstring(L, "%s must be from 0 to 2^53", what));
    return (int64_t)value;
}

/* Through the layer, a part of it; at its end, what waits in the layer. */
static int send_file_above(const ls_Socket *s, int file, int64_t offset, size_t count, size_t *n) {
    char data[LS_SOCKET_RECEIVE];
    struct iovec piece = { data, 0 };
    int err = ls_fd_readat(file, data, count < sizeof data ? count : sizeof data, offset, &piece.iov_len);
    return err ? err : send_down(s, &piece, 1, piece.iov_len, n);
}

/* sock:sendfile(file [, offset [, count]]) -> count | false | nil, message, name;  file: Lua's, or a descriptor */
static int sock_sendfile(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    int file = check_file(L), err;
    int64_t offset = check_extent(L, 3, "offset", 0), count = check_extent(L, 4, "count", INT_MAX);
    size_t n, most = count < INT_MAX ? (size_t)count : INT_MAX;
    if (s->fd >= 0 && !ls_socket_isstream(s)) return ls_fail(L, EOPNOTSUPP);
    if (ls_socket_layer(s)) err = send_file_above(s, file, offset, most, &n);
    else err = ls_fd_sendfile(s->fd, file, offset, most, &n);
    return push_sent(L, s, err, n);
}

const luaL_Reg ls_send_methods[] = {
    { "send", sock_send },
    { "sendrest", sock_sendrest },
    { "sendto", sock_sendto },
    { "sendfile", sock_sendfile },
    { NULL, NULL },
};
