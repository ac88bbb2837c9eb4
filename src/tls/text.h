/* Parts of certificates as text. */
#ifndef LT_TEXT_H
#define LT_TEXT_H

#include <openssl/x509.h>

/* "CN=www.example,O=Example" (RFC 2253, in UTF-8), cut to size. */
void lt_text_name(const X509_NAME *name, char *text, size_t size);

/* Two digits for each byte, and a zero. */
void lt_text_hex(const unsigned char *bytes, size_t len, char *text);

#endif
