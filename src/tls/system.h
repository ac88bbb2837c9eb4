/* The roots that the system trusts. */
#ifndef LT_SYSTEM_H
#define LT_SYSTEM_H

#include <openssl/x509_vfy.h>

/* Adds them to a store; does it trust any then? */
int lt_system_load(X509_STORE *store);

#endif
