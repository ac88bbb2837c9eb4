/* The pause at the client's hello. */
#include "hello.h"

#include "names.h"

#include <string.h>

void lt_hello_free(lt_Hello *hello) {
    if (!hello) return;
    OPENSSL_free(hello->name);
    OPENSSL_free(hello->alpn);
    OPENSSL_free(hello);
}

static unsigned number_at(const unsigned char *bytes) {
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* A list of names, of which only the first is ever there: length, type 0, length, name. */
static int take_name(SSL *ssl, lt_Hello *hello) {
    const unsigned char *bytes;
    char name[LT_NAMES_MOST];
    size_t len;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &len)) return 1;
    if (len < 5 || bytes[2] != TLSEXT_NAMETYPE_host_name || number_at(bytes + 3) > len - 5) return 1;
    if (lt_names_host((const char *)bytes + 5, number_at(bytes + 3), name) != NULL) return 1;
    hello->name = OPENSSL_strdup(name);
    return hello->name != NULL;
}

static int take_alpn(SSL *ssl, lt_Hello *hello) {
    const unsigned char *bytes;
    size_t len;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes, &len)) return 1;
    if (len < 3 || number_at(bytes) != len - 2) return 1;
    hello->alpn = OPENSSL_memdup(bytes + 2, len - 2);
    hello->alpn_len = len - 2;
    return hello->alpn != NULL;
}

static void take_version(lt_Hello *hello, unsigned version) {
    if (version < TLS1_VERSION || version > TLS1_3_VERSION || hello->count == 8) return;
    hello->versions[hello->count++] = (int)version;
}

static void take_versions(SSL *ssl, lt_Hello *hello) {
    const unsigned char *bytes;
    size_t len, at;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &bytes, &len))
        take_version(hello, SSL_client_hello_get0_legacy_version(ssl));
    else
        for (at = 1; at + 1 < len; at += 2) take_version(hello, number_at(bytes + at));
}

/* OpenSSL's callback. */
static int wait_for_choice(SSL *ssl, int *alert, void *context) {
    lt_Handle *handle = lt_handle_of(ssl);
    lt_Hello *hello;
    (void)context;
    if (!handle->asking) return SSL_CLIENT_HELLO_SUCCESS;
    if (handle->hello) return SSL_CLIENT_HELLO_RETRY;
    hello = OPENSSL_zalloc(sizeof *hello);
    if (hello && take_name(ssl, hello) && take_alpn(ssl, hello)) {
        take_versions(ssl, hello);
        handle->hello = hello;
        return SSL_CLIENT_HELLO_RETRY;
    }
    lt_hello_free(hello);
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

void lt_hello_open(SSL_CTX *ctx) {
    SSL_CTX_set_client_hello_cb(ctx, wait_for_choice, NULL);
}
