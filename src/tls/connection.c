/* A connection: the layer under a socket that speaks TLS. */
#include "connection.h"

#include "hello.h"
#include "kernel.h"
#include "names.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static lt_Connection *of(ls_Layer *layer) {
    return (lt_Connection *)layer;
}

/* ---- failures ---- */

static int fail_errno(lt_Connection *c, int err) {
    return lt_failure_set(&c->handle.failure, err, "%s", strerror(err));
}

/* The kernel has no more, and the peer has not said goodbye. */
static int fail_truncated(lt_Connection *c) {
    return lt_failure_set(&c->handle.failure, LT_TRUNCATED, "the connection ended %s",
                          c->done ? "without close_notify" : "in the handshake");
}

/* OpenSSL has failed; a callback may have said why already. The alert that it has written goes out. */
static int fail_openssl(lt_Connection *c) {
    if (c->link.err) fail_errno(c, c->link.err);
    lt_failure_ofqueue(&c->handle.failure, NULL);
    lt_link_flush(&c->link);
    return c->handle.failure.code;
}

/* OpenSSL wants to read: what has come of it. */
static int starve(lt_Connection *c) {
    if (c->link.err) return fail_errno(c, c->link.err);
    if (!c->link.ended) return EAGAIN;
    if (!c->done || !(c->setup->any_eof || c->deaf)) return fail_truncated(c);
    c->ended = 1;
    return 0;
}

/* ---- calls ---- */

/* Every call begins here, and nowhere else OpenSSL's queue of errors is left from another connection's. */
static int begin(lt_Connection *c) {
    lt_failure_forget();
    lt_link_begin(&c->link);
    if (c->link.out.block) lt_link_flush(&c->link);
    if (c->link.err) fail_errno(c, c->link.err);
    return c->handle.failure.code;
}

/* SSL_read has failed: 0 at the end. */
static int why_not_read(lt_Connection *c, int result) {
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ: return starve(c);
    case SSL_ERROR_ZERO_RETURN: c->ended = 1; return 0;
    default: return fail_openssl(c);
    }
}

/* A whole record that is left in the queue is looked into, as select would not see it. */
static void look_ahead(lt_Connection *c) {
    char byte;
    int result;
    if (!c->done || c->ended || c->handle.failure.code) return;
    if (!lt_link_hasrecord(&c->link) || SSL_pending(c->ssl) > 0) return;
    c->link.dry = 1;
    result = SSL_peek(c->ssl, &byte, 1);
    if (result <= 0) why_not_read(c, result);
}

/* And ends here. */
static int finish(lt_Connection *c, int err) {
    look_ahead(c);
    if (c->link.out.block) lt_link_flush(&c->link); /* what OpenSSL has answered on its own */
    lt_link_settle(&c->link);
    return err;
}

/* ---- receiving ---- */

static int take(lt_Connection *c, int peek, void *data, size_t size, size_t *n) {
    int most = size < INT_MAX ? (int)size : INT_MAX;
    int result = peek ? SSL_peek(c->ssl, data, most) : SSL_read(c->ssl, data, most);
    if (result <= 0) return why_not_read(c, result);
    *n += (size_t)result;
    c->link.dry = 1; /* the kernel has more, or not: this call has something to return */
    return 0;
}

static int receive(ls_Layer *layer, int peek, void *data, size_t size, size_t *n) {
    lt_Connection *c = of(layer);
    int err = begin(c);
    *n = 0;
    if (err) return err;
    if (!c->done) return LT_UNFINISHED;
    while (!err && !c->ended && *n < size) {
        err = take(c, peek, (char *)data + *n, size - *n, n);
        if (peek) break; /* it would see the same bytes again */
    }
    return finish(c, *n > 0 ? 0 : err);
}

static int ready(ls_Layer *layer, size_t *pending) {
    const lt_Connection *c = of(layer);
    int failed = c->handle.failure.code != 0;
    *pending = c->done && !failed ? (size_t)SSL_pending(c->ssl) : 0;
    return failed || c->ended || *pending > 0;
}

/* ---- sending ---- */

enum { MOST = 65536, RECORD = SSL3_RT_MAX_PLAIN_LENGTH };

static int encrypt(lt_Connection *c, const void *data, size_t len) {
    return SSL_write(c->ssl, data, (int)len) > 0 ? 0 : fail_openssl(c);
}

/* What one call takes of the pieces, small ones put together to whole records. */
typedef struct Gathered {
    size_t taken, held;
    char record[RECORD];
} Gathered;

static int encrypt_held(lt_Connection *c, Gathered *g) {
    int err = g->held > 0 ? encrypt(c, g->record, g->held) : 0;
    g->held = 0;
    return err;
}

static int hold(lt_Connection *c, Gathered *g, const char *data, size_t len) {
    int err = 0;
    while (len > 0 && !err) {
        size_t part = RECORD - g->held < len ? RECORD - g->held : len;
        memcpy(g->record + g->held, data, part);
        g->held += part;
        data += part;
        len -= part;
        if (g->held == RECORD) err = encrypt_held(c, g);
    }
    return err;
}

static int add(lt_Connection *c, Gathered *g, const struct iovec *piece, int last) {
    size_t len = piece->iov_len < MOST - g->taken ? piece->iov_len : MOST - g->taken;
    g->taken += len;
    if (g->held == 0 && len > 0 && (last || len >= RECORD)) return encrypt(c, piece->iov_base, len);
    return hold(c, g, piece->iov_base, len);
}

static int encrypt_pieces(lt_Connection *c, const struct iovec *pieces, unsigned count, size_t *n) {
    Gathered g;
    unsigned i;
    int err = 0;
    g.taken = g.held = 0;
    for (i = 0; i < count && g.taken < MOST && !err; i++) err = add(c, &g, &pieces[i], i + 1 == count);
    if (!err) err = encrypt_held(c, &g);
    *n = g.taken;
    return err;
}

/* Where only a part of a message such as a ticket has come, OpenSSL sends nothing before its end. The rest of a
   server's is on its way. A client has no cause to send a part, for which a task would try to send again and again. */
static int end_message(lt_Connection *c) {
    char byte;
    int result, err;
    if (!SSL_in_init(c->ssl)) return 0;
    result = SSL_peek(c->ssl, &byte, 1);
    err = result <= 0 ? why_not_read(c, result) : 0;
    if (err && err != EAGAIN) return err;
    if (!SSL_in_init(c->ssl)) return 0;
    if (c->ended) return EPIPE;
    if (c->setup->is_server) return lt_failure_set(&c->handle.failure, LT_PROTOCOL, "the peer ends no message");
    return EAGAIN;
}

static int can_send(lt_Connection *c) {
    if (!c->done) return LT_UNFINISHED;
    if (c->link.send_err) return c->link.send_err;
    if (c->said) return EPIPE;
    return c->link.out.block ? EAGAIN : end_message(c);
}

static int send_pieces(ls_Layer *layer, const struct iovec *pieces, unsigned count, size_t *n) {
    lt_Connection *c = of(layer);
    int err = begin(c);
    if (!err) err = can_send(c);
    if (err) return finish(c, err);
    err = encrypt_pieces(c, pieces, count, n);
    if (!err && lt_link_flush(&c->link) != EAGAIN) err = c->link.send_err;
    lt_link_settle(&c->link);
    return err || !c->link.err ? err : fail_errno(c, c->link.err);
}

static int flush(ls_Layer *layer) {
    lt_Connection *c = of(layer);
    return c->link.out.block ? lt_link_flush(&c->link) : c->link.send_err; /* an alert leaves after a failure, too */
}

/* ---- the end ---- */

static void say_goodbye(lt_Connection *c) {
    if (c->said) return;
    c->said = 1;
    SSL_shutdown(c->ssl);
}

/* The last of what we have to say. */
static int end_sending(lt_Connection *c) {
    int err = lt_link_flush(&c->link);
    if (!err && !c->said) err = end_message(c);
    if (!err) {
        say_goodbye(c);
        err = lt_link_flush(&c->link);
    }
    lt_link_settle(&c->link);
    return err;
}

static int shut_down(ls_Layer *layer, int how) {
    lt_Connection *c = of(layer);
    int err = begin(c);
    if (how != SHUT_RD && c->done && !err) err = end_sending(c);
    if (err == EAGAIN) return err;
    c->deaf |= how != SHUT_WR;
    how = c->setup->shared->core->shutdown(layer->fd, how);
    return err ? err : how;
}

/* What has come and was not read makes the kernel reset the connection, and the peer loses what it has not read. */
static void drain(lt_Connection *c) {
    lt_Shared *shared = c->setup->shared;
    size_t n;
    shared->core->receive(c->layer.fd, shared->input, LT_INPUT, &n);
}

/* Says goodbye. What is the last gets room in the kernel: without it the peer could not trust what it has got. */
static void part(lt_Connection *c) {
    if (end_sending(c) != EAGAIN) return;
    lt_kernel_widen(c->layer.fd, 4 * MOST);
    end_sending(c);
}

static void close_connection(ls_Layer *layer, int polite) {
    lt_Connection *c = of(layer);
    if (!c->setup) return;
    if (polite && !lt_kernel_isaborted(layer->fd)) {
        if (begin(c) == 0 && c->done) part(c);
        drain(c);
    }
    if (c->ssl && !c->handle.failure.code) SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    lt_failure_forget();
    lt_link_free(&c->link);
    lt_hello_free(c->handle.hello);
    OPENSSL_free(c->handle.key);
    OPENSSL_free(c->handle.name);
    lt_setup_release(c->setup);
    memset((char *)c + sizeof c->layer, 0, sizeof *c - sizeof c->layer); /* whoever still looks finds it unfinished */
    c->handle.failure.code = EBADF;
}

/* ---- the handshake ---- */

/* The first byte that has come begins no record of TLS: the peer speaks something else. */
static int is_foreign(const lt_Connection *c) {
    return c->link.first >= 0 && c->link.first != SSL3_RT_HANDSHAKE && c->link.first != SSL3_RT_ALERT;
}

/* OpenSSL has verified what is to be verified. Should it ever have left that out, the connection fails here. */
static int finish_handshake(lt_Connection *c) {
    long result = SSL_get_verify_result(c->ssl);
    if (c->setup->checks.chain && result != X509_V_OK)
        return lt_failure_set(&c->handle.failure, lt_failure_ofverify(result), "%s",
                              X509_verify_cert_error_string(result));
    if (!c->setup->is_server && !SSL_get0_peer_certificate(c->ssl))
        return lt_failure_set(&c->handle.failure, LT_NOCERT, "the server has no certificate");
    if (!c->setup->is_server && !lt_verify_alpn(c->ssl, &c->setup->checks))
        return lt_failure_set(&c->handle.failure, LT_ALPN, "the server has chosen a protocol that was not offered");
    c->done = 1;
    return 0;
}

/* *direction is changed where it is not "r". */
static int advance(lt_Connection *c, const char **direction) {
    int result = SSL_do_handshake(c->ssl);
    if (result == 1) return finish_handshake(c);
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: *direction = "hello"; return EAGAIN;
    case SSL_ERROR_WANT_READ: return starve(c);
    default:
        if (is_foreign(c)) lt_failure_set(&c->handle.failure, LT_NOTTLS, "the peer does not speak TLS");
        return fail_openssl(c);
    }
}

/* The peer takes nothing any more: perhaps it has said why. */
static int last_words(lt_Connection *c, int sending) {
    const char *direction = "r";
    int err;
    lt_link_begin(&c->link);
    err = advance(c, &direction);
    return err == EAGAIN ? fail_errno(c, sending) : err;
}

static int handshake(ls_Layer *layer, const char **direction) {
    lt_Connection *c = of(layer);
    int err = begin(c), left;
    *direction = "r";
    if (!err) err = c->done ? end_message(c) : advance(c, direction);
    if (err && err != EAGAIN) return finish(c, err);
    left = lt_link_flush(&c->link);
    if (left == EAGAIN) {
        *direction = "w";
        err = EAGAIN;
    }
    if (left && left != EAGAIN && !c->done) err = last_words(c, left);
    return finish(c, err);
}

static void explain(const ls_Layer *layer, int code, const char **text, const char **name) {
    const lt_Connection *c = (const lt_Connection *)layer;
    *text = code == LT_UNFINISHED ? "TLS handshake not finished" : c->handle.failure.text;
    *name = lt_failure_name(code);
}

const ls_LayerType lt_connection_type = {
    receive, send_pieces, flush, shut_down, handshake, ready, close_connection, explain,
};

/* ---- the beginning ---- */

/* An SSL that reads and writes by the link. */
static SSL *new_ssl(lt_Connection *c, lt_Setup *setup) {
    SSL *ssl = SSL_new(setup->ctx);
    BIO *bio = ssl ? lt_link_bio(&c->link) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    if (!SSL_set_app_data(ssl, (char *)&c->handle)) {
        SSL_free(ssl);
        return NULL;
    }
    c->handle.keylog = setup->keylog;
    if (setup->is_server) SSL_set_accept_state(ssl);
    else SSL_set_connect_state(ssl);
    return ssl;
}

/* Sessions go by the name that was verified, and by the one that was sent. */
static int set_key(lt_Connection *c, const lt_Start *start) {
    size_t len = strlen(start->host) + strlen(start->verify ? start->verify : "") + 2;
    c->handle.key = OPENSSL_malloc(len);
    if (!c->handle.key) return ENOMEM;
    snprintf(c->handle.key, len, "%s\n%s", start->verify ? start->verify : "", start->host);
    return 0;
}

static int start_client(lt_Connection *c, const lt_Start *start) {
    int named = start->host && !lt_names_isaddress(start->host);
    if (named && !SSL_set_tlsext_host_name(c->ssl, start->host)) return ENOMEM;
    if (start->verify) {
        c->handle.name = OPENSSL_strdup(start->verify);
        if (!c->handle.name || !lt_verify_name(c->ssl, start->verify)) return ENOMEM;
    }
    if (start->host && c->setup->sessions.most > 0) {
        if (set_key(c, start)) return ENOMEM;
        lt_sessions_resume(&c->setup->sessions, c->ssl);
    }
    return 0;
}

int lt_connection_start(lt_Connection *c, lt_Setup *setup, const lt_Start *start) {
    int err;
    lt_failure_forget();
    c->setup = lt_setup_hold(setup);
    c->link.shared = setup->shared;
    c->link.fd = c->layer.fd;
    c->link.first = -1;
    c->handle.asking = setup->is_server && setup->ask;
    c->link.keeps = c->handle.asking;
    err = lt_link_received(&c->link, start->received, start->received_len);
    c->ssl = err ? NULL : new_ssl(c, setup);
    if (!c->ssl) return fail_errno(c, ENOMEM);
    err = setup->is_server ? 0 : start_client(c, start);
    lt_failure_forget();
    return err ? fail_errno(c, err) : 0;
}

int lt_connection_asks(const lt_Connection *c) {
    return c->handle.hello != NULL && c->handle.asking && !c->handle.failure.code;
}

int lt_connection_choose(lt_Connection *c, lt_Setup *setup) {
    SSL *ssl;
    lt_failure_forget();
    ssl = new_ssl(c, setup);
    if (!ssl) return fail_errno(c, ENOMEM);
    SSL_free(c->ssl);
    c->ssl = ssl;
    lt_setup_hold(setup);
    lt_setup_release(c->setup);
    c->setup = setup;
    lt_link_rewind(&c->link);
    c->handle.asking = 0;
    lt_hello_free(c->handle.hello);
    c->handle.hello = NULL;
    return 0;
}
