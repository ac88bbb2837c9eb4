/* The sessions that a client keeps, by name, to resume them: those of the names that were used last. */
#ifndef LT_SESSIONS_H
#define LT_SESSIONS_H

#include "handle.h"

typedef struct lt_Sessions {
    struct lt_Name *first; /* the one that was used last */
    int count, most;       /* names */
} lt_Sessions;

/* Keeps what servers send to the context's clients, under the key of each one's handle. most: names; 0: nothing. 1, or
   0 where memory is lacking. */
int lt_sessions_open(lt_Sessions *sessions, int most, SSL_CTX *ctx);
void lt_sessions_close(lt_Sessions *sessions);

/* Gives the SSL one that was kept under its handle's key, if there is any. One of TLS 1.3 is not kept any longer. */
void lt_sessions_resume(lt_Sessions *sessions, SSL *ssl);

#endif
