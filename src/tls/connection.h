/* A connection: the layer under a socket that speaks TLS. */
#ifndef LT_CONNECTION_H
#define LT_CONNECTION_H

#include "link.h"
#include "setup.h"

typedef struct lt_Connection {
    ls_Layer layer; /* first */
    lt_Handle handle;
    lt_Link link;
    lt_Setup *setup;
    SSL *ssl;
    unsigned char done;  /* the handshake */
    unsigned char ended; /* the peer has said goodbye, or its end is taken for it */
    unsigned char said;  /* we have said it */
    unsigned char deaf;  /* we have shut down receiving: the kernel's end is ours */
} lt_Connection;

extern const ls_LayerType lt_connection_type;

/* What a connection is to be. Names are as lt_names_host returns them; NULL: none. */
typedef struct lt_Start {
    const char *host;     /* the name that is sent, unless it is an address */
    const char *verify;   /* the name that is verified */
    const char *received; /* bytes that came already */
    size_t received_len;
} lt_Start;

/* Begins: the connection is zeros behind its layer. 0 or an errno; then every later call fails. */
int lt_connection_start(lt_Connection *c, lt_Setup *setup, const lt_Start *start);

/* Is the program asked for a context? choose: begins anew with it, as the client's hello is still there. */
int lt_connection_asks(const lt_Connection *c);
int lt_connection_choose(lt_Connection *c, lt_Setup *setup);

#endif
