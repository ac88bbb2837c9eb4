/* Failures of TLS: a code and a text. The code is an errno, or one of those below, whose names programs see. */
#ifndef LT_FAILURE_H
#define LT_FAILURE_H

#include "../layer.h"

enum {
    LT_EXPIRED = LS_LAYER_CODE,
    LT_NOTYET, LT_NAME, LT_UNTRUSTED, LT_SELFSIGNED, LT_REVOKED, LT_CRL, LT_WEAK, LT_PURPOSE, LT_CONSTRAINT, LT_CERT,
    LT_PIN, LT_OCSP, LT_NOCERT, LT_ALERT, LT_VERSION, LT_CIPHER, LT_ALPN, LT_NOTTLS, LT_TRUNCATED, LT_PROTOCOL,
    LT_PEM, LT_KEY, LT_PASSWORD,
    LT_UNFINISHED /* not a failure that stays: the handshake has to go on first */
};

typedef struct lt_Failure {
    int code; /* 0: none */
    char text[300];
} lt_Failure;

/* Sets the failure, unless there is one; returns its code. */
__attribute__((format(printf, 3, 4))) int lt_failure_set(lt_Failure *failure, int code, const char *format, ...);

/* Sets it to an errno; what: the file or the call. */
int lt_failure_errno(lt_Failure *failure, int err, const char *what);

/* "ETLS_..." */
const char *lt_failure_name(int code);

/* What a result of certificate verification (X509_V_ERR_...) is called. */
int lt_failure_ofverify(long result);

/* The last error in OpenSSL's queue, which is emptied. what: as above, may be NULL. */
int lt_failure_ofqueue(lt_Failure *failure, const char *what);

/* Empties the queue. */
void lt_failure_forget(void);

/* Pushes nil, message, name. */
int lt_failure_push(lua_State *L, const ls_LayerCore *core, const lt_Failure *failure);

#endif
