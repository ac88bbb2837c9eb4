/* The tickets of a server: how many, and keys that processes share. */
#ifndef LT_TICKETS_H
#define LT_TICKETS_H

#include "options.h"

#include <openssl/ssl.h>

/* Several keys of LT_TICKETKEY_SIZE: tickets are made with the first, and those of each are accepted. They are
   what the app data of the context begins with. */
typedef struct lt_TicketKeys {
    unsigned char *keys; /* NULL: OpenSSL makes one for this context */
    size_t len;
} lt_TicketKeys;

/* 1, or 0 where memory is lacking. */
int lt_tickets_open(SSL_CTX *ctx, const lt_Options *options, lt_TicketKeys *keys);
void lt_tickets_close(lt_TicketKeys *keys);

#endif
