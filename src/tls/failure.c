/* Failures of TLS: what OpenSSL reports -> codes, texts and names. */
#include "failure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Row {
    int from, to;
} Row;

static int find(const Row *rows, size_t count, int from, int otherwise) {
    size_t i;
    for (i = 0; i < count; i++)
        if (rows[i].from == from) return rows[i].to;
    return otherwise;
}

#define FIND(rows, from, otherwise) find(rows, sizeof(rows) / sizeof(rows)[0], (from), (otherwise))

int lt_failure_set(lt_Failure *failure, int code, const char *format, ...) {
    va_list arguments;
    if (failure->code) return failure->code;
    failure->code = code;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return code;
}

int lt_failure_errno(lt_Failure *failure, int err, const char *what) {
    return lt_failure_set(failure, err, "%s: %s", what, strerror(err));
}

const char *lt_failure_name(int code) {
    static const char *const names[] = {
        "ETLS_EXPIRED", "ETLS_NOTYET",  "ETLS_NAME",       "ETLS_UNTRUSTED", "ETLS_SELFSIGNED", "ETLS_REVOKED",
        "ETLS_CRL",     "ETLS_WEAK",    "ETLS_PURPOSE",    "ETLS_CONSTRAINT", "ETLS_CERT",      "ETLS_PIN",
        "ETLS_OCSP",    "ETLS_NOCERT",  "ETLS_ALERT",      "ETLS_VERSION",   "ETLS_CIPHER",    "ETLS_ALPN",
        "ETLS_NOTTLS",  "ETLS_TRUNCATED", "ETLS_PROTOCOL", "ETLS_PEM",       "ETLS_KEY",        "ETLS_PASSWORD",
        "ENOTCONN",
    };
    return names[code - LT_EXPIRED];
}

static const Row verify_rows[] = {
    { X509_V_ERR_CERT_HAS_EXPIRED, LT_EXPIRED },
    { X509_V_ERR_CERT_NOT_YET_VALID, LT_NOTYET },
    { X509_V_ERR_HOSTNAME_MISMATCH, LT_NAME },
    { X509_V_ERR_IP_ADDRESS_MISMATCH, LT_NAME },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, LT_UNTRUSTED },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, LT_UNTRUSTED },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, LT_UNTRUSTED },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, LT_UNTRUSTED },
    { X509_V_ERR_CERT_UNTRUSTED, LT_UNTRUSTED },
    { X509_V_ERR_CERT_REJECTED, LT_UNTRUSTED },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, LT_SELFSIGNED },
    { X509_V_ERR_CERT_REVOKED, LT_REVOKED },
    { X509_V_ERR_UNABLE_TO_GET_CRL, LT_CRL },
    { X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, LT_CRL },
    { X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, LT_CRL },
    { X509_V_ERR_CRL_SIGNATURE_FAILURE, LT_CRL },
    { X509_V_ERR_CRL_NOT_YET_VALID, LT_CRL },
    { X509_V_ERR_CRL_HAS_EXPIRED, LT_CRL },
    { X509_V_ERR_CRL_PATH_VALIDATION_ERROR, LT_CRL },
    { X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, LT_CRL },
    { X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, LT_CRL },
    { X509_V_ERR_DIFFERENT_CRL_SCOPE, LT_CRL },
    { X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, LT_CRL },
    { X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, LT_CRL },
    { X509_V_ERR_EE_KEY_TOO_SMALL, LT_WEAK },
    { X509_V_ERR_CA_KEY_TOO_SMALL, LT_WEAK },
    { X509_V_ERR_CA_MD_TOO_WEAK, LT_WEAK },
    { X509_V_ERR_INVALID_PURPOSE, LT_PURPOSE },
    { X509_V_ERR_INVALID_CA, LT_PURPOSE },
    { X509_V_ERR_INVALID_NON_CA, LT_PURPOSE },
    { X509_V_ERR_KEYUSAGE_NO_CERTSIGN, LT_PURPOSE },
    { X509_V_ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE, LT_PURPOSE },
    { X509_V_ERR_PATH_LENGTH_EXCEEDED, LT_CONSTRAINT },
    { X509_V_ERR_PERMITTED_VIOLATION, LT_CONSTRAINT },
    { X509_V_ERR_EXCLUDED_VIOLATION, LT_CONSTRAINT },
    { X509_V_ERR_SUBTREE_MINMAX, LT_CONSTRAINT },
    { X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, LT_CONSTRAINT },
    { X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, LT_CONSTRAINT },
    { X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, LT_CONSTRAINT },
    { X509_V_ERR_OUT_OF_MEM, ENOMEM },
};

int lt_failure_ofverify(long result) {
    return FIND(verify_rows, (int)result, LT_CERT);
}

static const Row ssl_rows[] = {
    { SSL_R_UNSUPPORTED_PROTOCOL, LT_VERSION },
    { SSL_R_UNKNOWN_PROTOCOL, LT_VERSION },
    { SSL_R_WRONG_SSL_VERSION, LT_VERSION },
    { SSL_R_VERSION_TOO_LOW, LT_VERSION },
    { SSL_R_VERSION_TOO_HIGH, LT_VERSION },
    { SSL_R_NO_PROTOCOLS_AVAILABLE, LT_VERSION },
    { SSL_R_INAPPROPRIATE_FALLBACK, LT_VERSION },
    { SSL_R_NO_SHARED_CIPHER, LT_CIPHER },
    { SSL_R_NO_CIPHERS_AVAILABLE, LT_CIPHER },
    { SSL_R_NO_CIPHER_MATCH, LT_CIPHER },
    { SSL_R_NO_SHARED_GROUPS, LT_CIPHER },
    { SSL_R_NO_SUITABLE_GROUPS, LT_CIPHER },
    { SSL_R_NO_SUITABLE_KEY_SHARE, LT_CIPHER },
    { SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, LT_CIPHER },
    { SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, LT_CIPHER },
    { SSL_R_NO_APPLICATION_PROTOCOL, LT_ALPN },
    { SSL_R_WRONG_VERSION_NUMBER, LT_NOTTLS },
    { SSL_R_HTTP_REQUEST, LT_NOTTLS },
    { SSL_R_HTTPS_PROXY_REQUEST, LT_NOTTLS },
    { SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, LT_NOCERT },
    { SSL_R_UNEXPECTED_EOF_WHILE_READING, LT_TRUNCATED },
    { SSL_R_INVALID_STATUS_RESPONSE, LT_OCSP },
    { SSL_R_EE_KEY_TOO_SMALL, LT_WEAK },
    { SSL_R_CA_KEY_TOO_SMALL, LT_WEAK },
    { SSL_R_CA_MD_TOO_WEAK, LT_WEAK },
    { SSL_R_DH_KEY_TOO_SMALL, LT_WEAK },
};

static int code_of(unsigned long error) {
    int reason = ERR_GET_REASON(error);
    if (ERR_SYSTEM_ERROR(error)) return reason;
    if (reason == ERR_R_MALLOC_FAILURE) return ENOMEM;
    if (ERR_GET_LIB(error) == ERR_LIB_X509 && reason == X509_R_KEY_VALUES_MISMATCH) return LT_KEY;
    if (ERR_GET_LIB(error) != ERR_LIB_SSL) return LT_PROTOCOL;
    return reason >= SSL_AD_REASON_OFFSET ? LT_ALERT : FIND(ssl_rows, reason, LT_PROTOCOL);
}

int lt_failure_ofqueue(lt_Failure *failure, const char *what) {
    unsigned long error = ERR_peek_last_error();
    int code = error ? code_of(error) : LT_PROTOCOL;
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    if (!text) text = code == ENOMEM ? strerror(ENOMEM) : "unknown error";
    if (code == LT_ALERT)
        lt_failure_set(failure, code, "the peer has sent the alert: %s",
                       SSL_alert_desc_string_long(ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET));
    else
        lt_failure_set(failure, code, "%s%s%s", what ? what : "", what ? ": " : "", text);
    ERR_clear_error();
    return failure->code;
}

/* OpenSSL clears all places of the queue, which costs more than to look whether there is anything. */
void lt_failure_forget(void) {
    if (ERR_peek_error()) ERR_clear_error();
}

int lt_failure_push(lua_State *L, const ls_LayerCore *core, const lt_Failure *failure) {
    if (failure->code < LS_LAYER_CODE) return core->fail_text(L, failure->code, failure->text);
    return core->fail_named(L, failure->text, lt_failure_name(failure->code));
}
