/* A certificate with its chain and its key. */
#include "identity.h"

#include "names.h"
#include "pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>

X509 *lt_identity_leaf(const lt_Identity *identity) {
    return sk_X509_value(identity->certificates, 0);
}

/* The list holds the certificates, while this one holds nothing. */
static STACK_OF(X509) *chain_of(const lt_Identity *identity) {
    STACK_OF(X509) *chain = sk_X509_dup(identity->certificates);
    if (chain) sk_X509_shift(chain);
    return chain;
}

int lt_identity_use(const lt_Identity *identity, SSL *ssl) {
    STACK_OF(X509) *chain = chain_of(identity);
    int ok = chain && SSL_use_cert_and_key(ssl, lt_identity_leaf(identity), identity->key, chain, 1);
    sk_X509_free(chain);
    return ok;
}

int lt_identity_usealways(const lt_Identity *identity, SSL_CTX *ctx) {
    STACK_OF(X509) *chain = chain_of(identity);
    int ok = chain && SSL_CTX_use_cert_and_key(ctx, lt_identity_leaf(identity), identity->key, chain, 1);
    sk_X509_free(chain);
    return ok;
}

/* ---- the names ---- */

static int add_name(lt_Identity *identity, const char *text, size_t len, lt_Failure *failure) {
    char name[LT_NAMES_MOST];
    if (lt_names_host(text, len, name) != NULL) return 0; /* no client asks for such a name */
    identity->names[identity->count] = OPENSSL_strdup(name);
    if (!identity->names[identity->count]) return lt_failure_errno(failure, ENOMEM, "certificate");
    identity->count++;
    return 0;
}

static int reserve_names(lt_Identity *identity, int count, lt_Failure *failure) {
    identity->names = OPENSSL_zalloc((size_t)(count + 1) * sizeof *identity->names);
    return identity->names ? 0 : lt_failure_errno(failure, ENOMEM, "certificate");
}

static int take_names(lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure) {
    int i, err = reserve_names(identity, pair->names.count, failure);
    for (i = 0; i < pair->names.count && !err; i++)
        err = add_name(identity, pair->names.list[i].data, pair->names.list[i].len, failure);
    return err;
}

static int read_names(lt_Identity *identity, GENERAL_NAMES *names, lt_Failure *failure) {
    int i, count = sk_GENERAL_NAME_num(names), err = reserve_names(identity, count > 0 ? count : 0, failure);
    for (i = 0; i < count && !err; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        err = add_name(identity, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                       (size_t)ASN1_STRING_length(name->d.dNSName), failure);
    }
    return err;
}

static int load_names(lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure) {
    GENERAL_NAMES *names;
    int err;
    if (pair->names.list) return take_names(identity, pair, failure);
    names = X509_get_ext_d2i(lt_identity_leaf(identity), NID_subject_alt_name, NULL, NULL);
    err = read_names(identity, names, failure);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return err;
}

int lt_identity_fits(const lt_Identity *identity, const char *name) {
    int i, best = 0;
    for (i = 0; i < identity->count; i++) {
        int fits = lt_names_match(identity->names[i], name);
        if (fits > best) best = fits;
    }
    return best;
}

/* ---- loading ---- */

static const char *name_of(const lt_Text *path, const char *argument) {
    return lt_options_given(path) ? path->data : argument;
}

/* Its own key, or the one that stands with it. */
static int check_key(const lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure) {
    int fits = X509_check_private_key(lt_identity_leaf(identity), identity->key);
    ERR_clear_error();
    if (fits) return 0;
    return lt_failure_set(failure, LT_KEY, "%s: the key does not fit the certificate: %s",
                          name_of(&pair->keyfile, "key"), name_of(&pair->certfile, "cert"));
}

/* Its own, or that which stands with the certificate. */
static lt_Source key_source(const lt_Pair *pair) {
    if (lt_options_given(&pair->key) || lt_options_given(&pair->keyfile))
        return lt_pem_source(&pair->key, &pair->keyfile, "key");
    return lt_pem_source(&pair->cert, &pair->certfile, "cert");
}

static int check_staple(const lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure) {
    const unsigned char *der = identity->staple;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, (long)identity->staple_len);
    int successful = response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    if (successful) return 0;
    return lt_failure_set(failure, LT_OCSP, "%s: no successful OCSP response in DER", pair->ocspfile.data);
}

static int load_staple(lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure) {
    char *data;
    if (!lt_options_given(&pair->ocspfile)) return 0;
    if (lt_pem_load(&pair->ocspfile, &data, &identity->staple_len, failure)) return failure->code;
    identity->staple = (unsigned char *)data;
    return check_staple(identity, pair, failure);
}

int lt_identity_load(lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure) {
    memset(identity, 0, sizeof *identity);
    if (lt_pem_certificates(lt_pem_source(&pair->cert, &pair->certfile, "cert"), &identity->certificates, failure))
        return failure->code;
    if (lt_pem_key(key_source(pair), &pair->password, &identity->key, failure)) return failure->code;
    if (check_key(identity, pair, failure) || load_names(identity, pair, failure)) return failure->code;
    return load_staple(identity, pair, failure);
}

void lt_identity_free(lt_Identity *identity) {
    while (identity->count > 0) OPENSSL_free(identity->names[--identity->count]);
    OPENSSL_free(identity->names);
    OPENSSL_free(identity->staple);
    sk_X509_pop_free(identity->certificates, X509_free);
    EVP_PKEY_free(identity->key);
    memset(identity, 0, sizeof *identity);
}
