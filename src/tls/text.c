/* Parts of certificates as text. */
#include "text.h"

#include <openssl/bio.h>
#include <string.h>

void lt_text_name(const X509_NAME *name, char *text, size_t size) {
    BIO *bio = BIO_new(BIO_s_mem());
    int len = 0;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
        len = BIO_read(bio, text, (int)size - 1);
    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

void lt_text_hex(const unsigned char *bytes, size_t len, char *text) {
    static const char digits[] = "0123456789abcdef";
    for (; len > 0; len--, bytes++) {
        *text++ = digits[*bytes >> 4];
        *text++ = digits[*bytes & 15];
    }
    *text = '\0';
}
