/* What is checked of the peer's certificate. */
#include "verify.h"

#include "names.h"
#include "options.h"
#include "text.h"
#include "until.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- the name ---- */

int lt_verify_name(SSL *ssl, const char *name) {
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (lt_names_isaddress(name)) return X509_VERIFY_PARAM_set1_ip_asc(param, name);
    return X509_VERIFY_PARAM_set1_host(param, name, 0);
}

/* ---- the chain ---- */

static void report(lt_Handle *handle, X509_STORE_CTX *chain) {
    int result = X509_STORE_CTX_get_error(chain), code = lt_failure_ofverify(result);
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    char subject[160] = "";
    if (certificate) lt_text_name(X509_get_subject_name(certificate), subject, sizeof subject);
    lt_failure_set(&handle->failure, code, "%s%s%s (depth %d: %s)", X509_verify_cert_error_string(result),
                   code == LT_NAME ? ": " : "", code == LT_NAME && handle->name ? handle->name : "",
                   X509_STORE_CTX_get_error_depth(chain), subject);
}

int lt_verify_pin(X509 *certificate, unsigned char *digest) {
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    int ok = len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    return ok;
}

static int has_pin(const lt_Checks *checks, X509 *certificate) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t at;
    if (!certificate || !lt_verify_pin(certificate, digest)) return 0;
    for (at = 0; at < checks->pins_len; at += LT_PIN_SIZE)
        if (memcmp(checks->pins + at, digest, LT_PIN_SIZE) == 0) return 1;
    return 0;
}

static int verify_pin(const lt_Checks *checks, X509_STORE_CTX *chain, lt_Handle *handle) {
    if (!checks->pins || has_pin(checks, X509_STORE_CTX_get0_cert(chain))) return 1;
    lt_failure_set(&handle->failure, LT_PIN, "the peer's public key is none of the pinned ones");
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* What the chain was verified by ends some time. */
static void note_ends(lt_Handle *handle, const lt_Checks *checks, X509_STORE_CTX *chain) {
    STACK_OF(X509) *certificates = X509_STORE_CTX_get0_chain(chain);
    int i;
    for (i = 0; i < sk_X509_num(certificates); i++)
        lt_until_note(handle, X509_get0_notAfter(sk_X509_value(certificates, i)), 0);
    for (i = 0; i < sk_X509_CRL_num(checks->lists); i++)
        lt_until_note(handle, X509_CRL_get0_nextUpdate(sk_X509_CRL_value(checks->lists, i)), 0);
}

/* OpenSSL's callback. */
static int verify(X509_STORE_CTX *chain, void *context) {
    const lt_Checks *checks = context;
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    lt_Handle *handle = lt_handle_of(ssl);
    if (!checks->chain) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
    } else {
        if (checks->lists) X509_STORE_CTX_set0_crls(chain, checks->lists);
        if (X509_verify_cert(chain) <= 0) {
            report(handle, chain);
            return 0;
        }
        note_ends(handle, checks, chain);
    }
    return verify_pin(checks, chain, handle);
}

/* ---- what the certificate's authority says ---- */

static int refuse_staple(lt_Handle *handle, int code, const char *why) {
    lt_failure_set(&handle->failure, code, "OCSP: %s", why);
    ERR_clear_error();
    return 0;
}

/* The certificate says itself that a response always comes with it (RFC 7633). */
static int must_staple(X509 *leaf) {
    TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
    int i, must = 0;
    for (i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLSEXT_TYPE_status_request) must = 1;
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    return must;
}

static X509 *issuer_of(SSL *ssl, X509 *leaf) {
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    if (sk_X509_num(chain) < 1) chain = SSL_get_peer_cert_chain(ssl);
    return sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : leaf;
}

/* Seconds. A response that does not say how long it holds would hold for ever: whoever has one that is good could show
   it for a certificate that was revoked since. RFC 5019 wants no such response taken; RFC 6960 has it mean that newer
   ones can be had at any time. */
enum { SKEW = 300, OLDEST = 7 * 24 * 3600 };

static int is_current(ASN1_GENERALIZEDTIME *update, ASN1_GENERALIZEDTIME *next) {
    return OCSP_check_validity(update, next, SKEW, next ? -1 : OLDEST);
}

/* Does the response that was found speak of this certificate, of now, and well? */
static int check_status(OCSP_BASICRESP *response, OCSP_CERTID *id, lt_Handle *handle) {
    ASN1_GENERALIZEDTIME *update, *next;
    int status, reason;
    if (!OCSP_resp_find_status(response, id, &status, &reason, NULL, &update, &next))
        return refuse_staple(handle, LT_OCSP, "the response is for another certificate");
    if (!is_current(update, next)) return refuse_staple(handle, LT_OCSP, "the response is out of date");
    if (status == V_OCSP_CERTSTATUS_REVOKED) return refuse_staple(handle, LT_REVOKED, "the certificate is revoked");
    if (status != V_OCSP_CERTSTATUS_GOOD) return refuse_staple(handle, LT_OCSP, "the certificate is unknown");
    lt_until_note(handle, next ? next : update, next ? SKEW : OLDEST);
    return 1;
}

static int check_basic(SSL *ssl, OCSP_BASICRESP *response, X509 *leaf, lt_Handle *handle) {
    X509_STORE *roots = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
    OCSP_CERTID *id;
    int ok;
    if (OCSP_basic_verify(response, SSL_get_peer_cert_chain(ssl), roots, 0) <= 0)
        return refuse_staple(handle, LT_OCSP, "the response is not signed by the authority");
    id = OCSP_cert_to_id(NULL, leaf, issuer_of(ssl, leaf));
    if (!id) return refuse_staple(handle, ENOMEM, "out of memory");
    ok = check_status(response, id, handle);
    OCSP_CERTID_free(id);
    return ok;
}

static int check_staple(SSL *ssl, const unsigned char *der, long len, X509 *leaf, lt_Handle *handle) {
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, len);
    OCSP_BASICRESP *basic = NULL;
    int ok, successful = response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
    if (successful) basic = OCSP_response_get1_basic(response);
    ok = basic ? check_basic(ssl, basic, leaf, handle) : refuse_staple(handle, LT_OCSP, "the response cannot be read");
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return ok;
}

/* OpenSSL's callback, of a client, once the chain is verified. */
static int verify_staple(SSL *ssl, void *context) {
    const lt_Checks *checks = context;
    lt_Handle *handle = lt_handle_of(ssl);
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    const unsigned char *der;
    long len = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
    if (SSL_session_reused(ssl)) return 1; /* it was checked when the session began */
    if (!leaf) return refuse_staple(handle, LT_NOCERT, "the peer has no certificate");
    if (len > 0) return check_staple(ssl, der, len, leaf, handle);
    if (checks->ocsp < 2 && !must_staple(leaf)) return 1;
    return refuse_staple(handle, LT_OCSP, "the server has sent no response");
}

/* ---- the protocol ---- */

int lt_verify_alpn(SSL *ssl, const lt_Checks *checks) {
    const unsigned char *chosen;
    unsigned len;
    size_t at;
    SSL_get0_alpn_selected(ssl, &chosen, &len);
    for (at = 0; len > 0 && at < checks->alpn_len; at += 1u + checks->alpn[at])
        if (checks->alpn[at] == len && memcmp(checks->alpn + at + 1, chosen, len) == 0) return 1;
    return len == 0;
}

/* ---- contexts ---- */

void lt_verify_open(SSL_CTX *ctx, lt_Checks *checks, int mode) {
    SSL_CTX_set_verify(ctx, mode, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, checks);
    if (!checks->ocsp) return;
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(ctx, verify_staple);
    SSL_CTX_set_tlsext_status_arg(ctx, checks);
}

void lt_verify_close(lt_Checks *checks) {
    sk_X509_CRL_pop_free(checks->lists, X509_CRL_free);
    OPENSSL_free(checks->pins);
    OPENSSL_free(checks->alpn);
    memset(checks, 0, sizeof *checks);
}
