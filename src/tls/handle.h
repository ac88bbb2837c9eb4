/* What OpenSSL's callbacks find of a connection: the app data of its SSL. */
#ifndef LT_HANDLE_H
#define LT_HANDLE_H

#include "failure.h"

#include <openssl/ssl.h>
#include <stdint.h>

/* What a client has said, for the program to choose a context by. */
typedef struct lt_Hello {
    char *name; /* NULL: none */
    unsigned char *alpn; /* lengths before names */
    size_t alpn_len;
    int versions[8], count; /* TLS1_3_VERSION ... */
} lt_Hello;

typedef struct lt_Handle {
    lt_Failure failure;
    char *name;      /* what a server's certificate is verified for; NULL: nothing */
    char *key;       /* a client's sessions are kept under it; NULL: nowhere */
    lt_Hello *hello; /* while the program is asked */
    int asking;      /* the program is to be asked */
    int keylog;      /* a descriptor; -1: no keys are written */
    int64_t until;   /* what the peer was verified by is valid until then; 0: nothing was, or its session was resumed */
} lt_Handle;

static inline lt_Handle *lt_handle_of(SSL *ssl) {
    return SSL_get_app_data(ssl);
}

#endif
