/* The pause in which a server's program chooses a context: what the client has said is kept for it. */
#ifndef LT_HELLO_H
#define LT_HELLO_H

#include "handle.h"

/* Connections of the context whose handle is asking pause at the client's hello. */
void lt_hello_open(SSL_CTX *ctx);
void lt_hello_free(lt_Hello *hello); /* NULL is harmless */

#endif
