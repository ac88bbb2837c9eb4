/* PEM: certificates, keys and revocation lists. */
#include "pem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

lt_Source lt_pem_source(const lt_Text *text, const lt_Text *path, const char *name) {
    lt_Source source;
    source.text = text;
    source.path = path;
    source.name = name;
    return source;
}

static const char *name_of(lt_Source source) {
    return lt_options_given(source.text) ? source.name : source.path->data;
}

/* ---- files ---- */

enum { MOST = 64 << 20 }; /* bytes of a file: the system's roots have a quarter of a million */

/* More room for what is read, up to MOST. 0 or an errno. */
static int grow(char **data, size_t *room) {
    size_t more = *room ? 2 * *room : 16 << 10;
    char *grown = more <= MOST ? OPENSSL_clear_realloc(*data, *room, more) : NULL;
    if (!grown) return more <= MOST ? ENOMEM : EFBIG;
    *data = grown;
    *room = more;
    return 0;
}

static ssize_t read_some(int fd, char *data, size_t size) {
    ssize_t n;
    do n = read(fd, data, (unsigned)size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* 0 or an errno; a directory opens, and fails to be read. */
static int load(int fd, char **data, size_t *len) {
    size_t room = 0;
    ssize_t n = 0;
    int err = 0;
    *data = NULL;
    *len = 0;
    do {
        *len += (size_t)n;
        err = *len == room ? grow(data, &room) : 0;
        n = err ? 0 : read_some(fd, *data + *len, room - *len);
        if (n < 0) err = errno;
    } while (n > 0);
    if (err) OPENSSL_clear_free(*data, room);
    return err;
}

int lt_pem_load(const lt_Text *path, char **data, size_t *len, lt_Failure *failure) {
    int err, fd = open(path->data, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return lt_failure_errno(failure, errno, path->data);
    err = load(fd, data, len);
    close(fd);
    return err ? lt_failure_errno(failure, err, path->data) : 0;
}

/* A BIO that reads the source; *loaded: to be freed after it. NULL: see the failure. */
static BIO *open_source(lt_Source source, char **loaded, lt_Failure *failure) {
    const char *data = source.text->data;
    size_t len = source.text->len;
    BIO *bio;
    *loaded = NULL;
    if (!lt_options_given(source.text)) {
        if (lt_pem_load(source.path, loaded, &len, failure)) return NULL;
        data = *loaded;
    }
    bio = len <= INT_MAX ? BIO_new_mem_buf(data, (int)len) : NULL;
    if (bio) return bio;
    OPENSSL_free(*loaded);
    lt_failure_errno(failure, ENOMEM, name_of(source));
    return NULL;
}

static void close_source(BIO *bio, char *loaded) {
    BIO_free(bio);
    OPENSSL_free(loaded);
}

int lt_pem_nopassword(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

/* ---- several of a kind ---- */

/* Why there are no more: 0 where the source ended after at least one. */
static int finish(lt_Source source, int count, const char *what, lt_Failure *failure) {
    unsigned long error = ERR_peek_last_error();
    int ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    const char *reason = ERR_reason_error_string(error);
    if (error && ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) lt_failure_errno(failure, ENOMEM, name_of(source));
    else if (!ended) lt_failure_set(failure, LT_PEM, "%s: %s", name_of(source), reason ? reason : "not PEM");
    else if (count == 0) lt_failure_set(failure, LT_PEM, "%s: no %s", name_of(source), what);
    ERR_clear_error();
    return failure->code;
}

static int read_certificates(BIO *bio, STACK_OF(X509) *certificates) {
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, lt_pem_nopassword, NULL)) != NULL)
        if (sk_X509_push(certificates, certificate) == 0) {
            X509_free(certificate);
            break;
        }
    return sk_X509_num(certificates);
}

int lt_pem_certificates(lt_Source source, STACK_OF(X509) **certificates, lt_Failure *failure) {
    char *loaded;
    BIO *bio = open_source(source, &loaded, failure);
    if (!bio) return failure->code;
    ERR_clear_error();
    *certificates = sk_X509_new_null();
    if (*certificates) finish(source, read_certificates(bio, *certificates), "certificate", failure);
    else lt_failure_errno(failure, ENOMEM, name_of(source));
    close_source(bio, loaded);
    if (!failure->code) return 0;
    sk_X509_pop_free(*certificates, X509_free);
    *certificates = NULL;
    return failure->code;
}

static int read_lists(BIO *bio, STACK_OF(X509_CRL) *lists) {
    X509_CRL *list;
    int count = 0;
    for (; (list = PEM_read_bio_X509_CRL(bio, NULL, lt_pem_nopassword, NULL)) != NULL; count++)
        if (sk_X509_CRL_push(lists, list) == 0) {
            X509_CRL_free(list);
            break;
        }
    return count;
}

int lt_pem_lists(lt_Source source, STACK_OF(X509_CRL) **lists, lt_Failure *failure) {
    char *loaded;
    BIO *bio = open_source(source, &loaded, failure);
    if (!bio) return failure->code;
    ERR_clear_error();
    if (!*lists) *lists = sk_X509_CRL_new_null();
    if (*lists) finish(source, read_lists(bio, *lists), "revocation list", failure);
    else lt_failure_errno(failure, ENOMEM, name_of(source));
    close_source(bio, loaded);
    return failure->code;
}

/* ---- a key ---- */

typedef struct Secret {
    const lt_Text *password;
    int asked;
} Secret;

static int give_password(char *buffer, int size, int writing, void *context) {
    Secret *secret = context;
    (void)writing;
    secret->asked = 1;
    if (!lt_options_given(secret->password) || secret->password->len > (size_t)size) return -1;
    memcpy(buffer, secret->password->data, secret->password->len);
    return (int)secret->password->len;
}

static int refuse_key(lt_Source source, const Secret *secret, lt_Failure *failure) {
    if (secret->asked && !lt_options_given(secret->password))
        lt_failure_set(failure, LT_PASSWORD, "%s: the key needs a password", name_of(source));
    else if (secret->asked)
        lt_failure_set(failure, LT_PASSWORD, "%s: the password does not open the key", name_of(source));
    else
        lt_failure_set(failure, LT_PEM, "%s: no private key", name_of(source));
    ERR_clear_error();
    return failure->code;
}

int lt_pem_key(lt_Source source, const lt_Text *password, EVP_PKEY **key, lt_Failure *failure) {
    Secret secret;
    char *loaded;
    BIO *bio = open_source(source, &loaded, failure);
    if (!bio) return failure->code;
    secret.password = password;
    secret.asked = 0;
    *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &secret);
    close_source(bio, loaded);
    return *key ? 0 : refuse_key(source, &secret, failure);
}
