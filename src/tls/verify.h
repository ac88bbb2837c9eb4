/* What is checked of the peer's certificate, by callbacks of OpenSSL. A failure goes to the connection's handle. */
#ifndef LT_VERIFY_H
#define LT_VERIFY_H

#include "handle.h"

typedef struct lt_Checks {
    int chain; /* is it verified at all? */
    int ocsp;  /* 0; 1: what comes is checked; 2: it must come */
    STACK_OF(X509_CRL) *lists;
    unsigned char *pins; /* digests of LT_PIN_SIZE */
    size_t pins_len;
    unsigned char *alpn; /* what a client offers, as it is sent; NULL: nothing */
    size_t alpn_len;
} lt_Checks;

/* The checks have to live as long as the context. mode: SSL_VERIFY_... */
void lt_verify_open(SSL_CTX *ctx, lt_Checks *checks, int mode);
void lt_verify_close(lt_Checks *checks);

/* The name or address that a client's certificate must have. 1, or 0 where memory is lacking. */
int lt_verify_name(SSL *ssl, const char *name);

/* Is the protocol that a server has chosen one that was offered, or none? OpenSSL leaves that to the client. */
int lt_verify_alpn(SSL *ssl, const lt_Checks *checks);

/* The digest of a certificate's public key. 1 or 0. */
int lt_verify_pin(X509 *certificate, unsigned char *digest);

#endif
