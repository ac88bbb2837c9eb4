/* PEM: certificates, keys and revocation lists, from a text or from a file. Each function returns 0 or the failure's
   code; messages name the file. */
#ifndef LT_PEM_H
#define LT_PEM_H

#include "failure.h"
#include "options.h"

#include <openssl/x509.h>

/* A text; where it is not given, a file. */
typedef struct lt_Source {
    const lt_Text *text, *path;
    const char *name; /* of the argument that has the text */
} lt_Source;

lt_Source lt_pem_source(const lt_Text *text, const lt_Text *path, const char *name);

/* The whole file; free it with OPENSSL_free. */
int lt_pem_load(const lt_Text *path, char **data, size_t *len, lt_Failure *failure);

/* For OpenSSL to call where it needs a password and there is none: its own function asks on the terminal. */
int lt_pem_nopassword(char *buffer, int size, int writing, void *context);

/* The certificates that are there, at least one. */
int lt_pem_certificates(lt_Source source, STACK_OF(X509) **certificates, lt_Failure *failure);

/* password: may be not given, and then a key that needs one fails. */
int lt_pem_key(lt_Source source, const lt_Text *password, EVP_PKEY **key, lt_Failure *failure);

/* The lists that are there, at least one, added to the stack, which is made where it is NULL. */
int lt_pem_lists(lt_Source source, STACK_OF(X509_CRL) **lists, lt_Failure *failure);

#endif
