/* The roots that a context trusts. */
#ifndef LT_ROOTS_H
#define LT_ROOTS_H

#include "failure.h"
#include "options.h"
#include "shared.h"

#include <openssl/ssl.h>

/* Those of the options, or the system's where a client has none. 0 or the failure's code. */
int lt_roots_open(SSL_CTX *ctx, const lt_Options *options, lt_Shared *shared, lt_Failure *failure);

#endif
