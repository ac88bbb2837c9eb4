/* What a context is made of at a time. */
#include "setup.h"

#include "pem.h"
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define USUAL_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* ---- what is the same for all ---- */

static void set_basics(SSL_CTX *ctx) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_default_passwd_cb(ctx, lt_pem_nopassword);
    SSL_CTX_set_read_ahead(ctx, 0);
}

static int set_versions(SSL_CTX *ctx, const lt_Options *o, lt_Failure *failure) {
    if (SSL_CTX_set_min_proto_version(ctx, o->min) && SSL_CTX_set_max_proto_version(ctx, o->max)) return 0;
    return lt_failure_ofqueue(failure, "min");
}

static int set_ciphers(SSL_CTX *ctx, const lt_Options *o, lt_Failure *failure) {
    const char *ciphers = lt_options_given(&o->ciphers) ? o->ciphers.data : USUAL_CIPHERS;
    int ok = SSL_CTX_set_cipher_list(ctx, ciphers);
    SSL_CTX_set_security_level(ctx, 2); /* whatever the list says */
    if (!ok) return lt_failure_set(failure, LT_CIPHER, "ciphers: OpenSSL has none of these: %s", ciphers);
    if (lt_options_given(&o->ciphersuites) && !SSL_CTX_set_ciphersuites(ctx, o->ciphersuites.data))
        return lt_failure_set(failure, LT_CIPHER, "ciphersuites: OpenSSL has none of these: %s", o->ciphersuites.data);
    if (lt_options_given(&o->groups) && !SSL_CTX_set1_groups_list(ctx, o->groups.data))
        return lt_failure_set(failure, LT_CIPHER, "groups: OpenSSL does not know these: %s", o->groups.data);
    return 0;
}

/* ---- keys for whoever may look into the connections ---- */

/* OpenSSL's callback. One write, so that the lines of several processes do not mix. */
static void write_key(const SSL *ssl, const char *line) {
    const lt_Handle *handle = SSL_get_app_data(ssl);
    char text[512];
    size_t len = strlen(line);
    if (handle->keylog < 0 || len >= sizeof text) return;
    memcpy(text, line, len);
    text[len] = '\n';
    if (write(handle->keylog, text, (unsigned)len + 1) < 0) return; /* the connection matters more */
}

static int open_keylog(lt_Setup *setup, const lt_Options *o, lt_Failure *failure) {
    if (!lt_options_given(&o->keylog)) return 0;
    setup->keylog = open(o->keylog.data, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (setup->keylog < 0) return lt_failure_errno(failure, errno, o->keylog.data);
    SSL_CTX_set_keylog_callback(setup->ctx, write_key);
    return 0;
}

/* ---- what is checked of peers ---- */

static int mode_of(const lt_Options *o) {
    if (!o->server) return o->verify || lt_options_given(&o->pins) ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (!o->clients) return SSL_VERIFY_NONE;
    return SSL_VERIFY_PEER | (o->clients == 2 ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
}

static int load_lists(lt_Checks *checks, const lt_Options *o, lt_Failure *failure) {
    static const lt_Text none = { NULL, 0 };
    if (lt_options_given(&o->crl) && lt_pem_lists(lt_pem_source(&o->crl, &none, "crl"), &checks->lists, failure))
        return failure->code;
    if (!lt_options_given(&o->crlfile)) return 0;
    return lt_pem_lists(lt_pem_source(&none, &o->crlfile, "crlfile"), &checks->lists, failure);
}

static int set_checks(lt_Setup *setup, const lt_Options *o, lt_Failure *failure) {
    static const unsigned long flags[] = {
        0, X509_V_FLAG_CRL_CHECK, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL,
    };
    setup->checks.chain = o->server ? o->clients != 0 : o->verify;
    setup->checks.ocsp = o->ocsp;
    if (load_lists(&setup->checks, o, failure)) return failure->code;
    if (lt_options_given(&o->pins)) {
        setup->checks.pins = OPENSSL_memdup(o->pins.data, o->pins.len);
        setup->checks.pins_len = o->pins.len;
        if (!setup->checks.pins) return lt_failure_errno(failure, ENOMEM, "pins");
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(setup->ctx), flags[o->crlcheck]);
    lt_verify_open(setup->ctx, &setup->checks, mode_of(o));
    return lt_roots_open(setup->ctx, o, setup->shared, failure);
}

/* ---- the two sides ---- */

/* What a server's clients are verified by, into one digest. */
static int digest_checks(EVP_MD_CTX *md, const lt_Setup *setup, const lt_Options *o) {
    STACK_OF(X509_OBJECT) *roots = X509_STORE_get0_objects(SSL_CTX_get_cert_store(setup->ctx));
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len;
    int i, ok = EVP_DigestUpdate(md, &o->clients, sizeof o->clients) &&
                EVP_DigestUpdate(md, &o->crlcheck, sizeof o->crlcheck) &&
                (!o->capath.data || EVP_DigestUpdate(md, o->capath.data, o->capath.len));
    for (i = 0; i < sk_X509_OBJECT_num(roots) && ok; i++) {
        X509 *root = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(roots, i));
        ok = root && X509_digest(root, EVP_sha256(), bytes, &len) && EVP_DigestUpdate(md, bytes, len);
    }
    for (i = 0; i < sk_X509_CRL_num(setup->checks.lists) && ok; i++)
        ok = X509_CRL_digest(sk_X509_CRL_value(setup->checks.lists, i), EVP_sha256(), bytes, &len) &&
             EVP_DigestUpdate(md, bytes, len);
    return ok;
}

/* A session that one context has begun must not be taken up by another one which asks for more: with ticketkeys that
   may be another process's, or the same one's after a reload. */
static int set_sessionid(const lt_Setup *setup, const lt_Options *o) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) && digest_checks(md, setup, o) &&
             EVP_DigestFinal_ex(md, digest, NULL) && SSL_CTX_set_session_id_context(setup->ctx, digest, 32);
    EVP_MD_CTX_free(md);
    return ok;
}

static int open_server(lt_Setup *setup, const lt_Options *o, lt_Failure *failure) {
    if (!set_sessionid(setup, o)) return lt_failure_errno(failure, ENOMEM, "sessions");
    return lt_server_open(setup->ctx, &setup->server, o, failure);
}

static int use_own(SSL_CTX *ctx, const lt_Pair *pair, lt_Failure *failure) {
    lt_Identity identity;
    if (!lt_identity_load(&identity, pair, failure) && !lt_identity_usealways(&identity, ctx))
        lt_failure_ofqueue(failure, lt_options_given(&pair->certfile) ? pair->certfile.data : "cert");
    lt_identity_free(&identity);
    return failure->code;
}

static int open_client(lt_Setup *setup, const lt_Options *o, lt_Failure *failure) {
    int own = lt_options_given(&o->own.cert) || lt_options_given(&o->own.certfile);
    if (!lt_sessions_open(&setup->sessions, o->sessions, setup->ctx))
        return lt_failure_errno(failure, ENOMEM, "context");
    if (own && use_own(setup->ctx, &o->own, failure)) return failure->code;
    if (!lt_options_given(&o->alpn)) return 0;
    setup->checks.alpn = OPENSSL_memdup(o->alpn.data, o->alpn.len);
    setup->checks.alpn_len = o->alpn.len;
    if (setup->checks.alpn && SSL_CTX_set_alpn_protos(setup->ctx, setup->checks.alpn, (unsigned)o->alpn.len) == 0)
        return 0;
    return lt_failure_errno(failure, ENOMEM, "alpn");
}

/* ---- all of it ---- */

static int fill(lt_Setup *setup, const lt_Options *o, lt_Failure *failure) {
    setup->ctx = SSL_CTX_new(o->server ? TLS_server_method() : TLS_client_method());
    if (!setup->ctx) return lt_failure_ofqueue(failure, "SSL_CTX_new");
    set_basics(setup->ctx);
    if (set_versions(setup->ctx, o, failure) || set_ciphers(setup->ctx, o, failure)) return failure->code;
    if (set_checks(setup, o, failure) || open_keylog(setup, o, failure)) return failure->code;
    return o->server ? open_server(setup, o, failure) : open_client(setup, o, failure);
}

int lt_setup_make(lt_Setup **out, const lt_Options *options, lt_Shared *shared, lt_Failure *failure) {
    lt_Setup *setup;
    ERR_clear_error();
    if (!shared) return lt_failure_set(failure, ECANCELED, "the Lua state is closing");
    setup = OPENSSL_zalloc(sizeof *setup);
    if (!setup) return lt_failure_errno(failure, ENOMEM, "context");
    setup->holders = 1;
    setup->shared = lt_shared_hold(shared);
    setup->is_server = options->server;
    setup->any_eof = options->any_eof;
    setup->ask = options->ask;
    setup->keylog = -1;
    fill(setup, options, failure);
    ERR_clear_error();
    if (failure->code) lt_setup_release(setup);
    else *out = setup;
    return failure->code;
}

lt_Setup *lt_setup_hold(lt_Setup *setup) {
    setup->holders++;
    return setup;
}

void lt_setup_release(lt_Setup *setup) {
    if (!setup || --setup->holders > 0) return;
    SSL_CTX_free(setup->ctx);
    lt_verify_close(&setup->checks);
    lt_sessions_close(&setup->sessions);
    lt_server_close(&setup->server);
    if (setup->keylog >= 0) close(setup->keylog);
    lt_shared_release(setup->shared);
    OPENSSL_free(setup);
}
