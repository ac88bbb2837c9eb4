/* The tickets of a server. A key is a name of 16 bytes, 32 for the HMAC and 32 for the cipher. */
#include "tickets.h"

#include "until.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

enum { NAME = 16, SECRET = 32 };

static int start_mac(EVP_MAC_CTX *mac, unsigned char *key) {
    char digest[] = "SHA256";
    OSSL_PARAM params[3];
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key + NAME, SECRET);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, params);
}

static int start_cipher(EVP_CIPHER_CTX *cipher, const unsigned char *key, const unsigned char *iv, int making) {
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + NAME + SECRET, iv, making);
}

static int make(unsigned char *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    memcpy(name, key, NAME);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) <= 0) return -1;
    return start_cipher(cipher, key, iv, 1) && start_mac(mac, key) ? 1 : -1;
}

/* OpenSSL's callback. 0: no such key; 2: accepted, and a new ticket has to follow. */
static int use_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int making) {
    const lt_TicketKeys *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)); /* where the app data begins */
    size_t at;
    if (making) return make(keys->keys, name, iv, cipher, mac);
    for (at = 0; at < keys->len; at += LT_TICKETKEY_SIZE) {
        if (memcmp(keys->keys + at, name, NAME) != 0) continue;
        if (!start_cipher(cipher, keys->keys + at, iv, 0) || !start_mac(mac, keys->keys + at)) return -1;
        return at == 0 ? 1 : 2;
    }
    return 0;
}

int lt_tickets_open(SSL_CTX *ctx, const lt_Options *options, lt_TicketKeys *keys) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, (size_t)options->tickets);
    if (options->tickets == 0) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    lt_until_open(ctx);
    if (!lt_options_given(&options->ticketkeys)) return 1;
    keys->keys = OPENSSL_memdup(options->ticketkeys.data, options->ticketkeys.len);
    keys->len = options->ticketkeys.len;
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, use_key);
    return keys->keys != NULL;
}

void lt_tickets_close(lt_TicketKeys *keys) {
    OPENSSL_clear_free(keys->keys, keys->len);
    keys->keys = NULL;
}
