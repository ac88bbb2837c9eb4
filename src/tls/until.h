/* How long a session may be resumed: until the first of what its peer was verified by ends. A resumed connection
   verifies nothing anew, and each gives the next one its session, which would otherwise never end. */
#ifndef LT_UNTIL_H
#define LT_UNTIL_H

#include "handle.h"

/* What ends then, or so many seconds after, was looked at: NULL and what has ended already, and yet was good enough,
   change nothing. */
void lt_until_note(lt_Handle *handle, const ASN1_TIME *end, int seconds);

/* A session begins: it gets what was noted. 1, or 0 where memory is lacking. */
int lt_until_mark(const lt_Handle *handle, SSL_SESSION *session);

/* Is its time over? */
int lt_until_isover(SSL_SESSION *session);

/* The same for the tickets of a server. */
void lt_until_open(SSL_CTX *ctx);

#endif
