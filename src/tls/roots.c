/* The roots that a context trusts. */
#include "roots.h"

#include "pem.h"
#include "system.h"

#include <dirent.h>
#include <errno.h>

/* ---- the system's ---- */

static int use_system(SSL_CTX *ctx, lt_Shared *shared, lt_Failure *failure) {
    if (!shared->system) {
        X509_STORE *store = X509_STORE_new();
        if (!store) return lt_failure_errno(failure, ENOMEM, "the system's roots");
        if (!lt_system_load(store)) {
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
