/* The roots that a context trusts. */
#include "roots.h"

#include "pem.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the system's ---- */

/* Where systems keep them, in case OpenSSL was built to look elsewhere. */
static const char *const usual_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
};

/* "a1b2c3d4.0": how OpenSSL looks for a root in a directory. */
static int is_hash(const char *name) {
    return strlen(name) == 10 && strspn(name, "0123456789abcdef") == 8 && strcmp(name + 8, ".0") == 0;
}

static int has_hashes(const char *path) {
    DIR *directory = path ? opendir(path) : NULL;
    const struct dirent *entry = NULL;
    if (!directory) return 0;
    do entry = readdir(directory);
    while (entry && !is_hash(entry->d_name));
    closedir(directory);
    return entry != NULL;
}

static const char *place_of(const char *variable, const char *usual) {
    const char *place = getenv(variable);
    return place && *place ? place : usual;
}

static int is_empty(X509_STORE *store) {
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) == 0;
}

/* As OpenSSL does it: the file is read now, the directory where a root is looked for. */
static void load_system(X509_STORE *store) {
    const char *file = place_of(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    const char *path = place_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    size_t i;
    if (access(file, R_OK) == 0) X509_STORE_load_file(store, file);
    if (has_hashes(path)) X509_STORE_load_path(store, path);
    else if (is_empty(store) && !getenv(X509_get_default_cert_file_env()) && !getenv(X509_get_default_cert_dir_env()))
        for (i = 0; i < sizeof usual_files / sizeof usual_files[0] && is_empty(store); i++)
            if (access(usual_files[i], R_OK) == 0) X509_STORE_load_file(store, usual_files[i]);
    ERR_clear_error();
}

static int has_system(X509_STORE *store) {
    return !is_empty(store) || has_hashes(place_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
}

static int use_system(SSL_CTX *ctx, lt_Shared *shared, lt_Failure *failure) {
    if (!shared->system) {
        X509_STORE *store = X509_STORE_new();
        if (!store) return lt_failure_errno(failure, ENOMEM, "the system's roots");
        load_system(store);
        if (!has_system(store)) {
            X509_STORE_free(store);
            return lt_failure_set(failure, ENOENT, "the system has no trusted roots: give ca, cafile or capath");
        }
        shared->system = store;
    }
    SSL_CTX_set1_cert_store(ctx, shared->system);
    return 0;
}

/* ---- the context's own ---- */

/* A server also tells its clients which ones it trusts. */
static int add_roots(SSL_CTX *ctx, X509_STORE *store, lt_Source source, int server, lt_Failure *failure) {
    STACK_OF(X509) *roots;
    int i, ok = 1;
    if (lt_pem_certificates(source, &roots, failure)) return failure->code;
    for (i = 0; i < sk_X509_num(roots) && ok; i++) {
        ok = X509_STORE_add_cert(store, sk_X509_value(roots, i));
        if (ok && server) ok = SSL_CTX_add_client_CA(ctx, sk_X509_value(roots, i));
    }
    sk_X509_pop_free(roots, X509_free);
    return ok ? 0 : lt_failure_ofqueue(failure, source.name);
}

static int add_path(X509_STORE *store, const lt_Text *path, lt_Failure *failure) {
    DIR *directory = opendir(path->data);
    if (!directory) return lt_failure_errno(failure, errno, path->data);
    closedir(directory);
    return X509_STORE_load_path(store, path->data) ? 0 : lt_failure_ofqueue(failure, path->data);
}

int lt_roots_open(SSL_CTX *ctx, const lt_Options *o, lt_Shared *shared, lt_Failure *failure) {
    static const lt_Text none = { NULL, 0 };
    int ca = lt_options_given(&o->ca), cafile = lt_options_given(&o->cafile), capath = lt_options_given(&o->capath);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (!ca && !cafile && !capath) return o->server || !o->verify ? 0 : use_system(ctx, shared, failure);
    if (ca && add_roots(ctx, store, lt_pem_source(&o->ca, &none, "ca"), o->server, failure)) return failure->code;
    if (cafile && add_roots(ctx, store, lt_pem_source(&none, &o->cafile, "cafile"), o->server, failure))
        return failure->code;
    return capath ? add_path(store, &o->capath, failure) : 0;
}
