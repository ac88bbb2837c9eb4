/* A server's side of a context. */
#include "server.h"

#include "handle.h"
#include "hello.h"
#include "names.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

static lt_Server *server_of(SSL *ssl) {
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* ---- certificates by name ---- */

/* The connection uses all that fit the name as well: one for each kind of key, where there are several. */
static int use_fitting(SSL *ssl, const lt_Server *server, const char *name, int fits) {
    int i, ok = 1;
    SSL_certs_clear(ssl);
    for (i = 0; i < server->count && ok; i++)
        if (lt_identity_fits(&server->identities[i], name) == fits) ok = lt_identity_use(&server->identities[i], ssl);
    return ok;
}

static int best_fit(const lt_Server *server, const char *name) {
    int i, best = 0;
    for (i = 0; i < server->count && best < 2; i++) {
        int fits = lt_identity_fits(&server->identities[i], name);
        if (fits > best) best = fits;
    }
    return best;
}

static int refuse_name(SSL *ssl, int *alert, const char *name) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    lt_failure_set(&lt_handle_of(ssl)->failure, LT_NAME, "no certificate for the name: %s", name);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* OpenSSL's callback, also where the client names nothing. */
static int choose(SSL *ssl, int *alert, void *context) {
    const lt_Server *server = server_of(ssl);
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char name[LT_NAMES_MOST];
    int fits;
    (void)context;
    if (!asked || lt_names_host(asked, strlen(asked), name) != NULL) *name = '\0';
    fits = *name ? best_fit(server, name) : 0;
    if (fits == 0) return server->strict ? refuse_name(ssl, alert, *name ? name : "none") : SSL_TLSEXT_ERR_NOACK;
    if (use_fitting(ssl, server, name, fits)) return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Does it stand for the same name as the first, for clients with another kind of key? */
static int is_default(const lt_Server *server, int i) {
    const lt_Identity *first = &server->identities[0];
    return i == 0 || (first->count > 0 && lt_identity_fits(&server->identities[i], first->names[0]) == 2);
}

/* OpenSSL refuses a certificate that is too weak when it is used. */
static int try_identity(SSL_CTX *ctx, const lt_Server *server, int i, const char *name, lt_Failure *failure) {
    SSL *ssl = SSL_new(ctx);
    int ok = ssl && lt_identity_use(&server->identities[i], ssl);
    if (ok && is_default(server, i)) ok = lt_identity_usealways(&server->identities[i], ctx);
    SSL_free(ssl);
    return ok ? 0 : lt_failure_ofqueue(failure, name);
}

static int add_identity(SSL_CTX *ctx, lt_Server *server, const lt_Pair *pair, lt_Failure *failure) {
    int i = server->count++;
    if (lt_identity_load(&server->identities[i], pair, failure)) return failure->code;
    return try_identity(ctx, server, i, lt_options_given(&pair->certfile) ? pair->certfile.data : "cert", failure);
}

static int add_identities(SSL_CTX *ctx, lt_Server *server, const lt_Options *options, lt_Failure *failure) {
    int i, own = lt_options_given(&options->own.cert) || lt_options_given(&options->own.certfile);
    server->identities = OPENSSL_zalloc((size_t)(options->certificates.count + 1) * sizeof *server->identities);
    if (!server->identities) return lt_failure_errno(failure, ENOMEM, "certificates");
    if (own && add_identity(ctx, server, &options->own, failure)) return failure->code;
    for (i = 0; i < options->certificates.count; i++)
        if (add_identity(ctx, server, &options->certificates.list[i], failure)) return failure->code;
    server->strict = options->strict;
    if (server->count > 1 || server->strict) SSL_CTX_set_tlsext_servername_callback(ctx, choose);
    return 0;
}

/* ---- what else clients may ask for ---- */

/* OpenSSL's callback: the response for the certificate that was chosen. */
static int staple(SSL *ssl, void *context) {
    const lt_Server *server = server_of(ssl);
    X509 *chosen = SSL_get_certificate(ssl);
    unsigned char *copy;
    int i = 0;
    (void)context;
    while (i < server->count && lt_identity_leaf(&server->identities[i]) != chosen) i++;
    if (i == server->count || !server->identities[i].staple) return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(server->identities[i].staple, server->identities[i].staple_len);
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)server->identities[i].staple_len);
    return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL's callback: the first of ours that the client has, too. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in,
                       unsigned in_len, void *context) {
    const lt_Server *server = server_of(ssl);
    unsigned char *chosen;
    (void)context;
    if (SSL_select_next_proto(&chosen, len, server->alpn, (unsigned)server->alpn_len, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int has_staple(const lt_Server *server) {
    int i = 0;
    while (i < server->count && !server->identities[i].staple) i++;
    return i < server->count;
}

/* ---- all of it ---- */

int lt_server_open(SSL_CTX *ctx, lt_Server *server, const lt_Options *options, lt_Failure *failure) {
    if (!SSL_CTX_set_app_data(ctx, (char *)server)) return lt_failure_errno(failure, ENOMEM, "context");
    if (add_identities(ctx, server, options, failure)) return failure->code;
    if (has_staple(server)) SSL_CTX_set_tlsext_status_cb(ctx, staple);
    if (lt_options_given(&options->alpn)) {
        server->alpn = OPENSSL_memdup(options->alpn.data, options->alpn.len);
        server->alpn_len = options->alpn.len;
        if (!server->alpn) return lt_failure_errno(failure, ENOMEM, "alpn");
        SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    }
    if (options->ask) lt_hello_open(ctx);
    return lt_tickets_open(ctx, options, &server->ticketkeys) ? 0 : lt_failure_errno(failure, ENOMEM, "tickets");
}

void lt_server_close(lt_Server *server) {
    while (server->count > 0) lt_identity_free(&server->identities[--server->count]);
    OPENSSL_free(server->identities);
    OPENSSL_free(server->alpn);
    lt_tickets_close(&server->ticketkeys);
    memset(server, 0, sizeof *server);
}
