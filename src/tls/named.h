/* Roots in a file and a folder whose names are known. */
#ifndef LT_NAMED_H
#define LT_NAMED_H

#include <openssl/x509_vfy.h>

/* Adds them to a store, as OpenSSL does it: the file is read now, the folder where a root is looked for. NULL: there is
   none. Does the store trust any then? What could not be read is left in OpenSSL's queue. */
int lt_named_load(X509_STORE *store, const char *file, const char *path);

#endif
