/* The roots of Windows' own store; or, as everywhere, the file and the directory that the environment names. */
#include <winsock2.h>

#include <windows.h>

#include <wincrypt.h>

#include "../hashes.h"
#include "../system.h"

#include <openssl/err.h>
#include <stdlib.h>

static int load_named(X509_STORE *store, const char *file, const char *path) {
    int hashes = lt_hashes_any(path);
    if (file) X509_STORE_load_file(store, file);
    if (hashes) X509_STORE_load_path(store, path);
    return hashes || sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0;
}

static int add(X509_STORE *store, const CERT_CONTEXT *root) {
    const unsigned char *der = root->pbCertEncoded;
    X509 *certificate = d2i_X509(NULL, &der, (long)root->cbCertEncoded);
    int added = certificate && X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
    return added;
}

static int load_store(X509_STORE *store) {
    HCERTSTORE roots = CertOpenSystemStoreW(0, L"ROOT");
    const CERT_CONTEXT *root = NULL;
    int count = 0;
    if (!roots) return 0;
    while ((root = CertEnumCertificatesInStore(roots, root)) != NULL) count += add(store, root);
    CertCloseStore(roots, 0);
    return count > 0;
}

int lt_system_load(X509_STORE *store) {
    const char *file = getenv(X509_get_default_cert_file_env()), *path = getenv(X509_get_default_cert_dir_env());
    int any = file || path ? load_named(store, file, path) : load_store(store);
    ERR_clear_error();
    return any;
}
