/* ctls: TLS in C as a Lua module, for bench/tls.lua: OpenSSL on a BIO of its own, whose input comes 64 KiB at a time
   and whose output leaves in one call, on descriptors that Lua gives it. It checks no names, and raises whatever goes
   wrong. */
#include <lauxlib.h>
#include <lua.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BLOCK = 65536 };

typedef struct Queue {
    char *data;
    size_t at, used, room;
} Queue;

typedef struct Side {
    SSL *ssl;
    int fd;
    Queue in, out;
} Side;

static char shared[BLOCK]; /* what is received, until a call has ended */
static int resuming;       /* the index of a context's session */

static int fail(lua_State *L, const char *what) {
    char text[256];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, text, sizeof text);
    return luaL_error(L, "%s: %s", what, code ? text : strerror(errno));
}

/* ---- queues ---- */

static size_t queue_size(const Queue *q) {
    return q->used - q->at;
}

static void queue_free(Queue *q) {
    free(q->data);
    memset(q, 0, sizeof *q);
}

static int queue_put(Queue *q, const char *data, size_t size) {
    if (q->used + size > q->room) {
        size_t room = q->room ? 2 * q->room : 1024;
        char *bigger;
        while (room < q->used + size) room *= 2;
        bigger = realloc(q->data, room);
        if (!bigger) return 0;
        q->data = bigger;
        q->room = room;
    }
    memcpy(q->data + q->used, data, size);
    q->used += size;
    return 1;
}

static size_t queue_take(Queue *q, char *data, size_t size) {
    if (size > queue_size(q)) size = queue_size(q);
    memcpy(data, q->data + q->at, size);
    q->at += size;
    if (q->at == q->used) queue_free(q);
    return size;
}

/* ---- the BIO ---- */

/* What is left of a block belongs to its connection. */
static int side_read(BIO *bio, char *data, int size) {
    Side *s = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    if (queue_size(&s->in)) return (int)queue_take(&s->in, data, (size_t)size);
    n = recv(s->fd, shared, sizeof shared, 0);
    if (n < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    if (n <= 0) return (int)n;
    if (n <= size) {
        memcpy(data, shared, (size_t)n);
        return (int)n;
    }
    memcpy(data, shared, (size_t)size);
    return queue_put(&s->in, shared + size, (size_t)(n - size)) ? size : -1;
}

static int side_write(BIO *bio, const char *data, int size) {
    Side *s = BIO_get_data(bio);
    return queue_put(&s->out, data, (size_t)size) ? size : -1;
}

static long side_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO *side_bio(Side *s) {
    static BIO_METHOD *method;
    BIO *bio;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "two queues");
        BIO_meth_set_read(method, side_read);
        BIO_meth_set_write(method, side_write);
        BIO_meth_set_ctrl(method, side_ctrl);
    }
    bio = BIO_new(method);
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    return bio;
}

/* What the kernel does not take stays in the queue. */
static int side_flush(lua_State *L, Side *s) {
    ssize_t n;
    if (!queue_size(&s->out)) return 1;
    n = send(s->fd, s->out.data + s->out.at, queue_size(&s->out), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return fail(L, "send");
    if (n > 0) s->out.at += (size_t)n;
    if (!queue_size(&s->out)) s->out.at = s->out.used = 0;
    return s->out.used == 0;
}

/* ---- what Lua calls ---- */

/* A client's context keeps its newest session. */
static int keep_session(SSL *ssl, SSL_SESSION *session) {
    SSL_CTX *context = SSL_get_SSL_CTX(ssl);
    SSL_SESSION_free(SSL_CTX_get_ex_data(context, resuming));
    SSL_CTX_set_ex_data(context, resuming, session);
    return 1;
}

/* ctls.context("server", certfile, keyfile) -> context;  ctls.context("client", cafile) -> context */
static int ctls_context(lua_State *L) {
    int server = strcmp(luaL_checkstring(L, 1), "server") == 0;
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!context) return fail(L, "SSL_CTX_new");
    if (!resuming) resuming = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_session_cache_mode(context, server ? SSL_SESS_CACHE_OFF
                                                   : SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    if (server) {
        if (SSL_CTX_use_certificate_chain_file(context, luaL_checkstring(L, 2)) != 1) return fail(L, "certificate");
        if (SSL_CTX_use_PrivateKey_file(context, luaL_checkstring(L, 3), SSL_FILETYPE_PEM) != 1) return fail(L, "key");
    } else {
        if (SSL_CTX_load_verify_file(context, luaL_checkstring(L, 2)) != 1) return fail(L, "roots");
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
    lua_pushlightuserdata(L, context);
    return 1;
}

/* ctls.new(context, fd, [resume]) -> side */
static int ctls_new(lua_State *L) {
    SSL_CTX *context = lua_touserdata(L, 1);
    Side *s = calloc(1, sizeof *s);
    SSL_SESSION *session = SSL_CTX_get_ex_data(context, resuming);
    BIO *bio;
    if (!s || !(s->ssl = SSL_new(context))) return fail(L, "SSL_new");
    s->fd = (int)luaL_checkinteger(L, 2);
    bio = side_bio(s);
    SSL_set_bio(s->ssl, bio, bio);
    if (SSL_is_server(s->ssl)) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
        if (lua_toboolean(L, 3) && session) SSL_set_session(s->ssl, session);
    }
    lua_pushlightuserdata(L, s);
    return 1;
}

/* ctls.handshake(side) -> has it finished? */
static int ctls_handshake(lua_State *L) {
    Side *s = lua_touserdata(L, 1);
    int result = SSL_do_handshake(s->ssl);
    if (result != 1 && SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ) return fail(L, "handshake");
    side_flush(L, s);
    lua_pushboolean(L, result == 1);
    return 1;
}

/* ctls.resumed(side) -> boolean */
static int ctls_resumed(lua_State *L) {
    Side *s = lua_touserdata(L, 1);
    lua_pushboolean(L, SSL_session_reused(s->ssl));
    return 1;
}

/* ctls.send(side, data) -> count;  false while something is left of an earlier call */
static int ctls_send(lua_State *L) {
    Side *s = lua_touserdata(L, 1);
    size_t size, done = 0, n;
    const char *data = luaL_checklstring(L, 2, &size);
    if (!side_flush(L, s)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    while (done < size) {
        if (SSL_write_ex(s->ssl, data + done, size - done, &n) != 1) return fail(L, "write");
        done += n;
    }
    side_flush(L, s);
    lua_pushinteger(L, (lua_Integer)done);
    return 1;
}

/* ctls.recv(side, size) -> data | false;  size: at most 64 KiB */
static int ctls_recv(lua_State *L) {
    Side *s = lua_touserdata(L, 1);
    char data[BLOCK];
    size_t size = (size_t)luaL_checkinteger(L, 2), n;
    if (SSL_read_ex(s->ssl, data, size, &n) == 1) {
        lua_pushlstring(L, data, n);
    } else if (SSL_get_error(s->ssl, 0) == SSL_ERROR_WANT_READ) {
        lua_pushboolean(L, 0);
    } else {
        return fail(L, "read");
    }
    return 1;
}

/* ctls.close(side): says goodbye, as the others do, and leaves the descriptor open */
static int ctls_close(lua_State *L) {
    Side *s = lua_touserdata(L, 1);
    SSL_shutdown(s->ssl);
    side_flush(L, s);
    SSL_free(s->ssl);
    queue_free(&s->in);
    queue_free(&s->out);
    free(s);
    return 0;
}

static const luaL_Reg functions[] = {
    { "context", ctls_context }, { "new", ctls_new },   { "handshake", ctls_handshake }, { "resumed", ctls_resumed },
    { "send", ctls_send },       { "recv", ctls_recv }, { "close", ctls_close },         { NULL, NULL },
};

__attribute__((visibility("default"))) int luaopen_ctls(lua_State *L);
int luaopen_ctls(lua_State *L) {
    const luaL_Reg *f;
    lua_newtable(L);
    for (f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
