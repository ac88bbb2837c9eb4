/* What a context is made of at a time: reload makes another one, and connections keep the one that they began with. */
#ifndef LT_SETUP_H
#define LT_SETUP_H

#include "server.h"
#include "sessions.h"
#include "shared.h"
#include "verify.h"

typedef struct lt_Setup {
    int holders;
    lt_Shared *shared;
    SSL_CTX *ctx;
    int is_server, any_eof, ask;
    int keylog; /* a descriptor, or -1 */
    lt_Checks checks;
    lt_Sessions sessions;
    lt_Server server;
} lt_Setup;

/* 0 or the failure's code. */
int lt_setup_make(lt_Setup **setup, const lt_Options *options, lt_Shared *shared, lt_Failure *failure);
lt_Setup *lt_setup_hold(lt_Setup *setup);
void lt_setup_release(lt_Setup *setup); /* NULL is harmless */

#endif
