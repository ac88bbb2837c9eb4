/* luaopen_lsocket_mime: what LuaSocket calls mime.core, for programs that run without LuaSocket. Base64 (RFC 4648), the
   quoted-printable encoding (RFC 2045), line breaks, and the dots of SMTP. Knows nothing of sockets. */
#include "compat.h"

#include <limits.h>
#include <string.h>

#define CRLF "\r\n"
#define SOFT_BREAK "=\r\n"
#define LINE 76 /* characters, as RFC 2045 has it */

/* ---- filters that take two strings, one after the other ---- */

/* Bytes are held until it is certain what becomes of them. */
typedef struct Filter {
    luaL_Buffer out;
    unsigned char held[4];
    size_t count;       /* of bytes that are held */
    const char *marker; /* what an end of a line becomes */
} Filter;

/* Looks at what is held, to which one byte was added; or at the end, at all that is left. */
typedef void Step(Filter *f);

static void feed(Filter *f, Step *step, const char *bytes, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) {
        f->held[f->count++] = (unsigned char)bytes[i];
        step(f);
    }
}

/* The results of the last call: all that was left, or nil where that is nothing, and nil. */
static int finish(lua_State *L, Filter *f, Step *last) {
    size_t size;
    last(f);
    luaL_pushresult(&f->out);
    lua_tolstring(L, -1, &size);
    if (size == 0) lua_pushnil(L);
    lua_pushnil(L);
    return 2;
}

/* filter(first, second) -> what is certain, what is held; all, nil without a second; nil, nil without a first */
static int apply(lua_State *L, Step *step, Step *last, const char *marker) {
    Filter f;
    size_t size, more = 0;
    const char *first = luaL_optlstring(L, 1, NULL, &size), *second = luaL_optlstring(L, 2, NULL, &more);
    lua_settop(L, 3);
    f.count = 0;
    f.marker = marker;
    luaL_buffinit(L, &f.out);
    if (first) feed(&f, step, first, size);
    if (!second || !first) return finish(L, &f, last);
    feed(&f, step, second, more);
    luaL_pushresult(&f.out);
    lua_pushlstring(L, (const char *)f.held, f.count);
    return 2;
}

static void put(Filter *f, int c) {
    luaL_addchar(&f->out, (char)c);
}

static void drop(Filter *f) {
    f->count = 0;
}

/* ---- base64 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 24 bits: so many of their four digits, and padding for the others. */
static void put_digits(Filter *f, int digits) {
    unsigned long bits = (unsigned long)f->held[0] << 16 | (unsigned long)f->held[1] << 8 | f->held[2];
    int i;
    for (i = 0; i < 4; i++) put(f, i < digits ? alphabet[bits >> (18 - 6 * i) & 63] : '=');
    drop(f);
}

static void encode64(Filter *f) {
    if (f->count == 3) put_digits(f, 4);
}

static void pad64(Filter *f) {
    int digits = (int)f->count + 1;
    if (f->count == 0) return;
    memset(f->held + f->count, 0, sizeof f->held - f->count);
    put_digits(f, digits);
}

/* The value of a digit; padding counts as 0, and what is no digit as -1. */
static int value64(int c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '/') return c == '+' ? 62 : 63;
    return c == '=' ? 0 : -1;
}

static void put_bytes(Filter *f, int count) {
    unsigned long bits = 0;
    int i;
    for (i = 0; i < 4; i++) bits = bits << 6 | (unsigned long)value64(f->held[i]);
    for (i = 0; i < count; i++) put(f, (int)(bits >> (16 - 8 * i) & 255));
    drop(f);
}

static void decode64(Filter *f) {
    if (value64(f->held[f->count - 1]) < 0) f->count--; /* a line break, or what does not belong there */
    if (f->count == 4) put_bytes(f, f->held[2] == '=' ? 1 : f->held[3] == '=' ? 2 : 3);
}

/* b64(first, second) */
static int mime_b64(lua_State *L) {
    return apply(L, encode64, pad64, NULL);
}

/* unb64(first, second) */
static int mime_unb64(lua_State *L) {
    return apply(L, decode64, drop, NULL);
}

/* ---- quoted-printable ---- */

static const char hex[] = "0123456789ABCDEF";

static void quote(Filter *f, int c) {
    put(f, '=');
    put(f, hex[c >> 4]);
    put(f, hex[c & 15]);
}

static int is_blank(int c) {
    return c == ' ' || c == '\t';
}

static int is_plain(int c) {
    return c > ' ' && c < 127 && c != '=';
}

static int is_break(const unsigned char *bytes) {
    return bytes[0] == '\r' && bytes[1] == '\n';
}

static void end_line(Filter *f) {
    luaL_addstring(&f->out, f->marker);
    drop(f);
}

/* The first byte that is held: a space is quoted at the end of a line alone, and CR where no LF follows. */
static void encode_first(Filter *f) {
    int c = f->held[0];
    if (is_break(f->held)) {
        end_line(f);
    } else if (is_blank(c) && is_break(f->held + 1)) {
        quote(f, c);
        end_line(f);
    } else {
        if (is_plain(c) || is_blank(c)) put(f, c);
        else quote(f, c);
        memmove(f->held, f->held + 1, --f->count);
    }
}

/* How many bytes have to be held before it is certain what becomes of the first. */
static size_t needed(int first) {
    return is_blank(first) ? 3 : first == '\r' ? 2 : 1;
}

static void encode_qp(Filter *f) {
    while (f->count > 0 && f->count >= needed(f->held[0])) encode_first(f);
}

/* A soft break keeps the last line from ending with a space, and from being one with what comes later. */
static void end_qp(Filter *f) {
    size_t i;
    for (i = 0; i < f->count; i++) {
        if (is_plain(f->held[i])) put(f, f->held[i]);
        else quote(f, f->held[i]);
    }
    if (f->count > 0) luaL_addstring(&f->out, SOFT_BREAK);
}

/* The value of a digit, in either case, or -1. */
static int value16(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Three bytes, the first of which is '='. What is no escape stays as it is. */
static void decode_escape(Filter *f) {
    int high = value16(f->held[1]), low = value16(f->held[2]);
    if (high >= 0 && low >= 0) put(f, high << 4 | low);
    else if (!is_break(f->held + 1)) luaL_addlstring(&f->out, (const char *)f->held, 3);
    drop(f);
}

/* Two bytes, the first of which is CR, which must not be alone. */
static void decode_break(Filter *f) {
    if (is_break(f->held)) luaL_addlstring(&f->out, CRLF, 2);
    drop(f);
}

static void decode_qp(Filter *f) {
    int c = f->held[0];
    if (c == '=') {
        if (f->count == 3) decode_escape(f);
    } else if (c == '\r') {
        if (f->count == 2) decode_break(f);
    } else {
        if (c == '\t' || (c >= ' ' && c < 127)) put(f, c);
        drop(f);
    }
}

/* qp(first, second [, marker]) */
static int mime_qp(lua_State *L) {
    return apply(L, encode_qp, end_qp, luaL_optstring(L, 3, CRLF));
}

/* unqp(first, second) */
static int mime_unqp(lua_State *L) {
    return apply(L, decode_qp, drop, NULL);
}

/* ---- filters that take a state and a string ---- */

/* An argument as an int; what is beyond one is the nearest. */
static int check_int(lua_State *L, int index) {
    lua_Number number = luaL_checknumber(L, index);
    if (number >= INT_MAX) return INT_MAX;
    return number > INT_MIN ? (int)number : INT_MIN;
}

/* The results: what the buffer holds, and the state to go on with. */
static int give(lua_State *L, luaL_Buffer *out, int state) {
    luaL_pushresult(out);
    lua_pushinteger(L, state);
    return 2;
}

/* The results where there is no string. */
static int give_last(lua_State *L, const char *text, int state) {
    lua_pushstring(L, text); /* NULL is nil */
    lua_pushinteger(L, state);
    return 2;
}

/* filter(left, text [, length]) -> text, left: how much room the last line has. room: what a character needs. */
static int wrap(lua_State *L, const char *line_break, int room(int c)) {
    luaL_Buffer out;
    int left = check_int(L, 1), length = lua_isnoneornil(L, 3) ? LINE : check_int(L, 3);
    size_t i, size;
    const char *text = luaL_optlstring(L, 2, NULL, &size);
    if (!text) return give_last(L, left < length ? line_break : NULL, length);
    luaL_buffinit(L, &out);
    for (i = 0; i < size; i++) {
        if (text[i] == '\r') continue;
        if (text[i] == '\n' || left < room(text[i])) {
            luaL_addstring(&out, text[i] == '\n' ? CRLF : line_break);
            left = length;
        }
        if (text[i] == '\n') continue;
        luaL_addchar(&out, text[i]);
        if (left > INT_MIN) left--;
    }
    return give(L, &out, left);
}

static int room_of_one(int c) {
    (void)c;
    return 1;
}

/* An escape is not cut, and the soft break needs room, too. */
static int room_of_quoted(int c) {
    return c == '=' ? 4 : 2;
}

/* wrp(left, text [, length]) */
static int mime_wrp(lua_State *L) {
    return wrap(L, CRLF, room_of_one);
}

/* qpwrp(left, text [, length]) */
static int mime_qpwrp(lua_State *L) {
    return wrap(L, SOFT_BREAK, room_of_quoted);
}

static int ends_line(int c) {
    return c == '\r' || c == '\n';
}

/* eol(last, text [, marker]) -> text, last: CR, LF, and each of the two before the other, become one marker. */
static int mime_eol(lua_State *L) {
    luaL_Buffer out;
    int last = (int)luaL_checkinteger(L, 1);
    size_t i, size;
    const char *text = luaL_optlstring(L, 2, NULL, &size), *marker = luaL_optstring(L, 3, CRLF);
    if (!text) return give_last(L, NULL, 0);
    luaL_buffinit(L, &out);
    for (i = 0; i < size; i++) {
        int is_second = ends_line(text[i]) && ends_line(last);
        if (!ends_line(text[i])) luaL_addchar(&out, text[i]);
        else if (!is_second || text[i] == last) luaL_addstring(&out, marker);
        last = ends_line(text[i]) && !is_second ? text[i] : 0;
    }
    return give(L, &out, last);
}

/* What was seen last: CR, a whole break, or something else. */
enum { INSIDE, AFTER_CR, AT_LINE };

static int after(int state, int c) {
    if (c == '\r') return AFTER_CR;
    return c == '\n' && state == AFTER_CR ? AT_LINE : INSIDE;
}

/* dot(state, text) -> text, state: a dot that begins a line is doubled. */
static int mime_dot(lua_State *L) {
    luaL_Buffer out;
    int state = check_int(L, 1);
    size_t i, size;
    const char *text = luaL_optlstring(L, 2, NULL, &size);
    if (!text) return give_last(L, NULL, AT_LINE);
    luaL_buffinit(L, &out);
    for (i = 0; i < size; i++) {
        luaL_addchar(&out, text[i]);
        if (text[i] == '.' && state == AT_LINE) luaL_addchar(&out, '.');
        state = after(state, text[i]);
    }
    return give(L, &out, state);
}

static const luaL_Reg functions[] = {
    { "b64", mime_b64 },     { "unb64", mime_unb64 }, { "qp", mime_qp },   { "unqp", mime_unqp }, { "wrp", mime_wrp },
    { "qpwrp", mime_qpwrp }, { "eol", mime_eol },     { "dot", mime_dot }, { NULL, NULL },
};

LS_EXPORT int luaopen_lsocket_mime(lua_State *L);

int luaopen_lsocket_mime(lua_State *L) {
    const luaL_Reg *f;
    lua_newtable(L);
    for (f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    lua_pushliteral(L, "MIME 1.0.3"); /* the version of the interface */
    lua_setfield(L, -2, "_VERSION");
    return 1;
}
