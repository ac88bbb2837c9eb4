/* A layer for specs, compiled by spec/layer/toy.lua: what TLS is, without the secrets. A record is its length in two
   bytes and so many bytes, each of them changed; it can be read when all of it has come. A record of no bytes is the
   goodbye. A handshake is a byte in each direction. */
#include "layer.h"
#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD = 16384, AT_ONCE = 65536, HEAD = 2, GREETING = 'T', CHANGE = 0x55 };
enum { TRUNCATED = LS_LAYER_CODE + 1, TOO_LONG, IMPOLITE }; /* its failures */

/* Bytes that come and go. */
typedef struct Bytes {
    unsigned char *data;
    size_t start, count, room;
} Bytes;

typedef struct Toy {
    ls_Layer layer;
    Bytes in, plain, out;
    int greeted, finished; /* the handshake: our byte is on its way, theirs has come */
    int asks;              /* it pauses once before that */
    int said, ended;       /* goodbye: by us, by the peer */
    int failure;           /* what each later call returns */
} Toy;

static const ls_LayerCore *core;
static int alive; /* how many there are */

/* ---- bytes ---- */

static int reserve(Bytes *b, size_t more) {
    unsigned char *data;
    if (b->start > 0) memmove(b->data, b->data + b->start, b->count);
    b->start = 0;
    if (b->count + more <= b->room) return 0;
    data = realloc(b->data, b->count + more);
    if (!data) return ENOMEM;
    b->data = data;
    b->room = b->count + more;
    return 0;
}

static void drop(Bytes *b, size_t count) {
    b->start += count;
    b->count -= count;
}

static void append(Bytes *b, const void *data, size_t count, unsigned char change) {
    size_t i;
    const unsigned char *from = data;
    for (i = 0; i < count; i++) b->data[b->start + b->count++] = from[i] ^ change;
}

/* ---- in ---- */

static int fail(Toy *toy, int err) {
    if (err && err != EAGAIN) toy->failure = err;
    return err;
}

/* The length of the next record where it has come as a whole; else -1. */
static int next_record(const Toy *toy) {
    const unsigned char *head = toy->in.data + toy->in.start;
    size_t length = toy->in.count < HEAD ? 0 : (size_t)head[0] << 8 | head[1];
    if (toy->in.count < HEAD) return -1;
    return length > RECORD || toy->in.count >= HEAD + length ? (int)length : -1;
}

/* Takes records, until there are so many bytes. 0, or EAGAIN where the kernel must be asked. */
static int take_records(Toy *toy, size_t size) {
    while (!toy->ended && toy->plain.count < size) {
        int length = next_record(toy);
        if (length < 0) return EAGAIN;
        if (length > RECORD) return fail(toy, TOO_LONG);
        if (reserve(&toy->plain, (size_t)length) != 0) return ENOMEM;
        append(&toy->plain, toy->in.data + toy->in.start + HEAD, (size_t)length, CHANGE);
        drop(&toy->in, HEAD + (size_t)length);
        if (length == 0) toy->ended = 1;
    }
    return 0;
}

static int ask_kernel(Toy *toy) {
    size_t n;
    int err = reserve(&toy->in, AT_ONCE);
    if (err) return err;
    err = core->receive(toy->layer.fd, toy->in.data + toy->in.count, AT_ONCE, &n);
    if (!err && n == 0) err = TRUNCATED;
    if (!err) toy->in.count += n;
    return fail(toy, err);
}

static int toy_receive(ls_Layer *layer, int peek, void *data, size_t size, size_t *n) {
    Toy *toy = (Toy *)layer;
    int err = toy->failure || toy->finished ? toy->failure : ENOTCONN;
    while (!err) {
        err = take_records(toy, size);
        if (err != EAGAIN) break;
        err = ask_kernel(toy);
    }
    if (err && toy->plain.count == 0) return err;
    *n = toy->plain.count < size ? toy->plain.count : size;
    if (*n > 0) memcpy(data, toy->plain.data + toy->plain.start, *n);
    if (!peek) drop(&toy->plain, *n);
    return 0;
}

static int toy_ready(ls_Layer *layer, size_t *pending) {
    const Toy *toy = (const Toy *)layer;
    *pending = toy->plain.count;
    return toy->plain.count > 0 || toy->failure || toy->ended || (toy->finished && next_record(toy) >= 0);
}

/* ---- out ---- */

static int toy_flush(ls_Layer *layer) {
    Toy *toy = (Toy *)layer;
    while (toy->out.count > 0) {
        struct iovec piece;
        size_t n;
        int err;
        piece.iov_base = toy->out.data + toy->out.start;
        piece.iov_len = toy->out.count;
        err = core->send(layer->fd, &piece, 1, &n);
        if (err) return fail(toy, err);
        drop(&toy->out, n);
    }
    return 0;
}

/* The beginning of a record. */
static void append_head(Bytes *out, size_t length) {
    unsigned char head[HEAD];
    head[0] = (unsigned char)(length >> 8);
    head[1] = (unsigned char)length;
    append(out, head, HEAD, 0);
}

/* One piece, as records. */
static int append_piece(Toy *toy, const char *data, size_t size) {
    if (reserve(&toy->out, size + (size / RECORD + 1) * HEAD) != 0) return ENOMEM;
    while (size > 0) {
        size_t length = size < RECORD ? size : RECORD;
        append_head(&toy->out, length);
        append(&toy->out, data, length, CHANGE);
        data += length;
        size -= length;
    }
    return 0;
}

static int toy_send(ls_Layer *layer, const struct iovec *pieces, unsigned count, size_t *n) {
    Toy *toy = (Toy *)layer;
    unsigned i;
    int err = toy->failure ? toy->failure : !toy->finished ? ENOTCONN : toy->said ? EPIPE : toy_flush(layer);
    *n = 0;
    for (i = 0; i < count && !err && *n < AT_ONCE; i++) {
        size_t size = pieces[i].iov_len < AT_ONCE - *n ? pieces[i].iov_len : AT_ONCE - *n;
        err = append_piece(toy, pieces[i].iov_base, size);
        if (!err) *n += size;
    }
    if (!err) err = toy_flush(layer);
    return *n > 0 && (err == EAGAIN || err == ENOMEM) ? 0 : err;
}

/* ---- the beginning and the end ---- */

static int toy_handshake(ls_Layer *layer, const char **direction) {
    Toy *toy = (Toy *)layer;
    int err = toy->failure;
    if (!err && !toy->greeted) err = reserve(&toy->out, 1);
    if (!err && !toy->greeted) toy->out.data[toy->out.count++] = GREETING, toy->greeted = 1;
    if (!err) err = toy_flush(layer);
    *direction = "w";
    if (err || toy->finished) return err;
    *direction = toy->asks ? "hello" : "r";
    if (toy->in.count == 0) err = ask_kernel(toy);
    if (err || toy->asks) return toy->asks = 0, err ? err : EAGAIN;
    if (toy->in.data[toy->in.start] != GREETING) return fail(toy, IMPOLITE);
    drop(&toy->in, 1);
    toy->finished = 1;
    return 0;
}

static int say_goodbye(Toy *toy) {
    int err = toy->said ? 0 : reserve(&toy->out, HEAD);
    if (err) return err;
    if (!toy->said) append_head(&toy->out, 0);
    toy->said = 1;
    return toy_flush(&toy->layer);
}

static int toy_shutdown(ls_Layer *layer, int how) {
    int err = how == SHUT_RD ? 0 : say_goodbye((Toy *)layer);
    return err ? err : core->shutdown(layer->fd, how);
}

static void toy_close(ls_Layer *layer, int polite) {
    Toy *toy = (Toy *)layer;
    if (polite && toy->finished && !toy->failure) say_goodbye(toy);
    free(toy->in.data);
    free(toy->plain.data);
    free(toy->out.data);
    alive--;
}

static void toy_explain(const ls_Layer *layer, int code, const char **text, const char **name) {
    static const char *const rows[][2] = {
        { "the toy was cut off", "ETOY_TRUNCATED" },
        { "the toy's record is too long", "ETOY_LENGTH" },
        { "the toy was not greeted", "ETOY_GREETING" },
    };
    (void)layer;
    *text = rows[code - TRUNCATED][0];
    *name = rows[code - TRUNCATED][1];
}

static const ls_LayerType toy_type = {
    toy_receive, toy_send, toy_flush, toy_shutdown, toy_handshake, toy_ready, toy_close, toy_explain,
};

/* ---- for Lua ---- */

/* start(sock [, "ready" | "ask"]) -> true;  ready: no handshake; ask: one that pauses */
static int start(lua_State *L) {
    const ls_Socket *s = core->test(L, 1);
    const char *how = luaL_optstring(L, 2, "");
    Toy *toy;
    if (!s) return core->wrongtype(L, 1, "socket");
    if (s->fd < 0) return core->fail(L, EBADF);
    if (core->of(s, NULL)) return core->fail_text(L, EISCONN, "it has a layer");
    toy = (Toy *)core->attach(L, 1, sizeof *toy, &toy_type);
    alive++;
    toy->greeted = toy->finished = strcmp(how, "ready") == 0;
    toy->asks = strcmp(how, "ask") == 0;
    return core->succeed(L);
}

/* count() -> how many there are */
static int count(lua_State *L) {
    lua_pushinteger(L, alive);
    return 1;
}

/* sock:toy() -> the bytes that wait to be sent, and the library's own value | nil, message, name */
static int sock_toy(lua_State *L) {
    const ls_Socket *s = core->test(L, 1);
    const Toy *toy = s ? (const Toy *)core->of(s, &toy_type) : NULL;
    if (!toy) return core->fail_named(L, "no toy", "ETOY_NONE");
    lua_pushinteger(L, (lua_Integer)toy->out.count);
    lua_pushvalue(L, lua_upvalueindex(2));
    return 2;
}

int luaopen_toy(lua_State *L);

int luaopen_toy(lua_State *L) {
    static const luaL_Reg functions[] = { { "start", start }, { "count", count }, { NULL, NULL } };
    luaL_Reg methods[] = { { "toy", sock_toy }, { "handshake", NULL }, { NULL, NULL } };
    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, LS_LAYER_KEY);
    core = lua_touserdata(L, 1);
    if (!core || core->version != LS_LAYER_VERSION) return luaL_error(L, "the library has other layers");
    methods[1].func = core->handshake;
    lua_pushliteral(L, "own");
    core->extend(L, methods);
    lua_newtable(L);
    lua_pushliteral(L, "own");
    core->enroll(L, functions);
    return 1;
}
