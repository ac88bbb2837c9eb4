/* A server's side of a context: its certificates by name, protocols, tickets. */
#ifndef LT_SERVER_H
#define LT_SERVER_H

#include "identity.h"
#include "tickets.h"

typedef struct lt_Server {
    lt_TicketKeys ticketkeys; /* first, as tickets.c finds it there */
    lt_Identity *identities;
    int count, strict;
    unsigned char *alpn;
    size_t alpn_len;
} lt_Server;

/* 0 or the failure's code. The server, which begins as zeros, has to live as long as the context; free it whatever
   comes. */
int lt_server_open(SSL_CTX *ctx, lt_Server *server, const lt_Options *options, lt_Failure *failure);
void lt_server_close(lt_Server *server);

#endif
