/* Roots in files, as systems other than Windows have them. */
#include "system.h"

#include "named.h"

#include <openssl/err.h>
#include <stdlib.h>

/* Where systems keep them, in case OpenSSL was built to look elsewhere. */
static const char *const usual_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
};

static const char *or_usual(const char *given, const char *usual) { return given && *given ? given : usual; }

int lt_system_load(X509_STORE *store) {
    const char *file = getenv(X509_get_default_cert_file_env()), *path = getenv(X509_get_default_cert_dir_env());
    int any = lt_named_load(store, or_usual(file, X509_get_default_cert_file()),
                            or_usual(path, X509_get_default_cert_dir()));
    size_t i;
    if (!file && !path)
        for (i = 0; i < sizeof usual_files / sizeof usual_files[0] && !any; i++)
            any = lt_named_load(store, usual_files[i], NULL);
    ERR_clear_error();
    return any;
}
