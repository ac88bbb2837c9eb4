/* Certificates as tables. */
#ifndef LT_CERTIFICATE_H
#define LT_CERTIFICATE_H

#include "../compat.h"

#include <openssl/x509.h>

/* Pushes the table. The caller holds the certificate. */
void lt_certificate_push(lua_State *L, X509 *certificate);

/* Pushes an array of them. */
void lt_certificate_pushall(lua_State *L, STACK_OF(X509) *certificates);

/* Sets the field to a time, in seconds since 1970, of the table on top. */
void lt_certificate_settime(lua_State *L, const char *field, const ASN1_TIME *when);

/* tls.certificate(pem or der) -> table | nil, message, name */
int lt_certificate_parse(lua_State *L);

#endif
