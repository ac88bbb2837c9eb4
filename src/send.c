/* The methods of sockets that send. What strings and files hold goes to the kernel from where it lies; the system calls
   are left to net/fd.c. */
#include "err.h"
#include "net/fd.h"
#include "net/gai.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

static int push_sent(lua_State *L, int err, size_t n) {
    if (err) return ls_fail_io(L, err);
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
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

static int send_part(lua_State *L, const ls_Socket *s) {
    lua_Number first = check_first(L), last = check_last(L);
    size_t len, n;
    const char *data = lua_tolstring(L, 2, &len);
    Range range = range_of(first, last, len);
    int err = ls_fd_send(s->fd, data + range.skip, (size_t)range.size, &n, NULL);
    return push_sent(L, err, n);
}

/* ---- several strings: the elements of an array, or arguments ---- */

enum {
    SHORT = 64,     /* up to here strings are copied together: 100,000 of 16 bytes take 2/3 of the time that way */
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
    while (a->count < PIECES && a->copied <= COPIES - SHORT) {
        size_t len;
        const char *text = push_next(L, a, &len);
        if (!text) break;
        if (len <= SHORT) {
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
static int send_stream(lua_State *L, int fd, Array *a) {
    size_t n;
    int err;
    do {
        gather(L, a);
        err = ls_fd_sendpieces(fd, a->pieces, a->count, &n);
        lua_settop(L, a->arguments);
        if (!err) a->sent += n;
    } while (!err && n == a->gathered && a->range.size > 0);
    return a->sent > 0 ? 0 : err;
}

/* Copies all of the range together, and sends that. */
static int send_joined(lua_State *L, int fd, Array *a, int first) {
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
    err = ls_fd_send(fd, block, n, &a->sent, NULL);
    ls_state_giveback(L, LS_STATE_SEND, a->arguments + 1);
    return err;
}

static int send_datagram(lua_State *L, int fd, Array *a) {
    Range whole = a->range;
    int first = a->next;
    gather(L, a);
    if (a->range.size == 0) return ls_fd_sendpieces(fd, a->pieces, a->count, &a->sent);
    lua_settop(L, a->arguments);
    a->range = whole;
    return send_joined(L, fd, a, first);
}

static int send_gathered(lua_State *L, const ls_Socket *s, Array *a) {
    return ls_socket_isstream(s) ? send_stream(L, s->fd, a) : send_datagram(L, s->fd, a);
}

static int send_array(lua_State *L, const ls_Socket *s) {
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
    return push_sent(L, err, a.sent);
}

/* ---- send ---- */

static int send_otherwise(lua_State *L, const ls_Socket *s) {
    if (lua_istable(L, 2)) return send_array(L, s);
    if (!lua_isstring(L, 2)) return ls_value_wrongtype(L, 2, "string or table");
    return send_part(L, s);
}

/* sock:send(data [, first [, last]]) -> count | false | nil, message, name;  data: a string or an array of strings */
static int sock_send(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    size_t len;
    const char *data = lua_gettop(L) == 2 ? lua_tolstring(L, 2, &len) : NULL;
    ssize_t sent;
    if (!LS_LIKELY(data != NULL)) return send_otherwise(L, s);
    sent = ls_fd_sendonce(s->fd, data, len, NULL);
    if (!LS_LIKELY(sent >= 0)) return errno == EINTR || errno == ENOTSOCK ? send_part(L, s) : ls_fail_io(L, errno);
    lua_pushinteger(L, (lua_Integer)sent);
    return 1;
}

/* ---- what is left of several pieces ---- */

/* true: so many bytes were all that was left; else where the next call goes on. */
static int push_next_place(lua_State *L, lua_Number first, size_t sent, uint64_t left) {
    lua_Number next = first + (lua_Number)sent;
    if (sent == left) return ls_succeed(L);
    if (LUA_VERSION_NUM < 503) lua_pushnumber(L, next); /* integers may have 32 bits there */
    else lua_pushinteger(L, (lua_Integer)next);
    return 1;
}

static void check_pieces(lua_State *L) {
    int i, count = lua_gettop(L);
    for (i = 3; i <= count || i == 3; i++) {
        if (lua_isstring(L, i)) continue;
        luaL_argerror(L, i, lua_pushfstring(L, "piece %d: string expected, got %s", i - 2, luaL_typename(L, i)));
    }
}

static int send_pieces(lua_State *L, const ls_Socket *s) {
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
    return err ? ls_fail_io(L, err) : push_next_place(L, first, a.sent, left);
}

/* sock:sendrest(first, data, ...) -> true | next | false | nil, message, name;  data: an array stands alone */
static int sock_sendrest(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    size_t len;
    const char *data = lua_gettop(L) == 3 && lua_tonumber(L, 2) == 1 ? lua_tolstring(L, 3, &len) : NULL;
    ssize_t sent;
    if (!LS_LIKELY(data != NULL)) return send_pieces(L, s);
    sent = ls_fd_sendonce(s->fd, data, len, NULL);
    if (!LS_LIKELY(sent >= 0)) return errno == EINTR || errno == ENOTSOCK ? send_pieces(L, s) : ls_fail_io(L, errno);
    return push_next_place(L, 1, (size_t)sent, len);
}

/* ---- to an address ---- */

typedef struct Letter {
    const ls_Socket *s;
    const char *data;
    size_t len, sent;
} Letter;

static int send_to(void *context, const ls_Addr *addr) {
    Letter *letter = context;
    ls_Addr to = *addr;
    int err = ls_addr_suit(&to, letter->s->family);
    return err ? err : ls_fd_send(letter->s->fd, letter->data, letter->len, &letter->sent, &to);
}

/* A name is looked up in the socket's family; an IPv6 socket reaches those that have IPv4 alone, too. */
static int post(Letter *letter, const char *address, size_t len, unsigned port) {
    int err = ls_gai_try(address, len, port, letter->s->family, send_to, letter);
    if (LS_ISEAI(err) && letter->s->family == AF_INET6)
        err = ls_gai_try(address, len, port, AF_INET, send_to, letter);
    return err;
}

/* sock:sendto(data, address, port) -> count | false | nil, message, name;  a connection ignores the address */
static int sock_sendto(lua_State *L) {
    Letter letter = { ls_socket_self(L), NULL, 0, 0 };
    size_t len;
    unsigned port;
    const char *address;
    int err;
    letter.data = luaL_checklstring(L, 2, &letter.len);
    address = ls_value_address(L, 3, &len);
    port = (unsigned)ls_value_port(L, 4);
    if (ls_socket_isstream(letter.s) || letter.s->type == SOCK_SEQPACKET || letter.s->fd < 0)
        err = ls_fd_send(letter.s->fd, letter.data, letter.len, &letter.sent, NULL);
    else
        err = post(&letter, address, len, port);
    return push_sent(L, err, letter.sent);
}

/* ---- a file ---- */

/* The descriptor that argument 2 is or has. */
static int check_file(lua_State *L) {
    int fd;
    if (lua_type(L, 2) == LUA_TNUMBER) return ls_value_int(L, 2, "descriptor", 0, INT_MAX);
    fd = ls_value_file(L, 2);
    if (fd == LS_VALUE_NOFILE) return ls_value_wrongtype(L, 2, "file or descriptor");
    return fd == LS_VALUE_CLOSED ? luaL_argerror(L, 2, "the file is closed") : fd;
}

static int64_t check_extent(lua_State *L, int arg, const char *what, lua_Number fallback) {
    lua_Number value = ls_value_whole(L, arg, what, fallback);
    int possible = value >= 0 && value <= LS_VALUE_EXACT;
    if (!possible) luaL_argerror(L, arg, lua_pushfstring(L, "%s must be from 0 to 2^53", what));
    return (int64_t)value;
}

/* sock:sendfile(file [, offset [, count]]) -> count | false | nil, message, name;  file: Lua's, or a descriptor */
static int sock_sendfile(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    int file = check_file(L), err;
    int64_t offset = check_extent(L, 3, "offset", 0), count = check_extent(L, 4, "count", INT_MAX);
    size_t n;
    if (s->fd >= 0 && !ls_socket_isstream(s)) return ls_fail(L, EOPNOTSUPP);
    err = ls_fd_sendfile(s->fd, file, offset, count < INT_MAX ? (size_t)count : INT_MAX, &n);
    return push_sent(L, err, n);
}

const luaL_Reg ls_send_methods[] = {
    { "send", sock_send },
    { "sendrest", sock_sendrest },
    { "sendto", sock_sendto },
    { "sendfile", sock_sendfile },
    { NULL, NULL },
};
