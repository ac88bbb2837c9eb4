/* Roots in files, as systems other than Windows have them. */
#include "system.h"

#include "hashes.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

/* Where systems keep them, in case OpenSSL was built to look elsewhere. */
static const char *const usual_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
};

static const char *place_of(const char *variable, const char *usual) {
    const char *place = getenv(variable);
    return place && *place ? place : usual;
}

static int is_empty(X509_STORE *store) {
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) == 0;
}

/* As OpenSSL does it: the file is read now, the directory where a root is looked for. */
int lt_system_load(X509_STORE *store) {
    const char *file = place_of(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    const char *path = place_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    int hashes = lt_hashes_any(path);
    size_t i;
    if (access(file, R_OK) == 0) X509_STORE_load_file(store, file);
    if (hashes) X509_STORE_load_path(store, path);
    else if (is_empty(store) && !getenv(X509_get_default_cert_file_env()) && !getenv(X509_get_default_cert_dir_env()))
        for (i = 0; i < sizeof usual_files / sizeof usual_files[0] && is_empty(store); i++)
            if (access(usual_files[i], R_OK) == 0) X509_STORE_load_file(store, usual_files[i]);
    ERR_clear_error();
    return hashes || !is_empty(store);
}
