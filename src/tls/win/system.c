/* The roots of Windows' own store; or, as everywhere, the file and the directory that the environment names. */
#include <winsock2.h>

#include <windows.h>

#include <wincrypt.h>

#include "../named.h"
#include "../system.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static int has_servers(const CERT_ENHKEY_USAGE *usage) {
    DWORD i;
    for (i = 0; i < usage->cUsageIdentifier; i++)
        if (strcmp(usage->rgpszUsageIdentifier[i], szOID_PKIX_KP_SERVER_AUTH) == 0) return 1;
    return 0;
}

/* Does Windows trust it for servers, not for programs or mail alone? The last error says what no usage at all means. */
static int is_for_servers(const CERT_CONTEXT *root) {
    DWORD size = 0;
    CERT_ENHKEY_USAGE *usage;
    int is;
    if (!CertGetEnhancedKeyUsage(root, 0, NULL, &size)) return GetLastError() == (DWORD)CRYPT_E_NOT_FOUND;
    usage = OPENSSL_malloc(size);
    if (!usage || !CertGetEnhancedKeyUsage(root, 0, usage, &size)) is = 0;
    else if (usage->cUsageIdentifier == 0) is = GetLastError() == (DWORD)CRYPT_E_NOT_FOUND;
    else is = has_servers(usage);
    OPENSSL_free(usage);
    return is;
}

static int add(X509_STORE *store, const CERT_CONTEXT *root) {
    const unsigned char *der = root->pbCertEncoded;
    X509 *certificate = is_for_servers(root) ? d2i_X509(NULL, &der, (long)root->cbCertEncoded) : NULL;
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
    int any = file || path ? lt_named_load(store, file, path) : load_store(store);
    ERR_clear_error();
    return any;
}
