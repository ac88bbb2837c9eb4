/* A certificate with its chain, its key, the names it is for, and what its authority has said of it. */
#ifndef LT_IDENTITY_H
#define LT_IDENTITY_H

#include "failure.h"
#include "options.h"

#include <openssl/ssl.h>

typedef struct lt_Identity {
    STACK_OF(X509) *certificates; /* the leaf first */
    EVP_PKEY *key;
    char **names;
    int count;
    unsigned char *staple; /* an OCSP response in DER; NULL: none */
    size_t staple_len;
} lt_Identity;

/* 0 or the failure's code. Whatever it is, free the identity. */
int lt_identity_load(lt_Identity *identity, const lt_Pair *pair, lt_Failure *failure);
void lt_identity_free(lt_Identity *identity);

X509 *lt_identity_leaf(const lt_Identity *identity);

/* Is it for that name? 1: by a wildcard; 2: exactly. */
int lt_identity_fits(const lt_Identity *identity, const char *name);

/* A connection, or every one of a context, uses it beside those of other kinds of keys. 1, or 0: OpenSSL's queue has
   the reason. */
int lt_identity_use(const lt_Identity *identity, SSL *ssl);
int lt_identity_usealways(const lt_Identity *identity, SSL_CTX *ctx);

#endif
