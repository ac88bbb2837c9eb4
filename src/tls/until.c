/* How long a session may be resumed. A server has the time in the ticket, as the data that OpenSSL leaves to programs.
   A client has it there, too, since such data goes over to the sessions that follow. */
#include "until.h"

#include <errno.h>
#include <string.h>
#include <time.h>

void lt_until_note(lt_Handle *handle, const ASN1_TIME *end, int seconds) {
    int64_t now = (int64_t)time(NULL), until;
    int days, rest;
    if (!end || !ASN1_TIME_diff(&days, &rest, NULL, end)) return;
    until = now + (int64_t)days * 86400 + rest + seconds;
    if (until > now && (handle->until == 0 || until < handle->until)) handle->until = until;
}

int lt_until_mark(const lt_Handle *handle, SSL_SESSION *session) {
    return handle->until == 0 || SSL_SESSION_set1_ticket_appdata(session, &handle->until, sizeof handle->until);
}

int lt_until_isover(SSL_SESSION *session) {
    int64_t until;
    void *data;
    size_t len;
    if (!SSL_SESSION_get0_ticket_appdata(session, &data, &len) || len != sizeof until) return 0;
    memcpy(&until, data, sizeof until);
    return until <= (int64_t)time(NULL);
}

/* ---- tickets: OpenSSL's callbacks ---- */

static int make_ticket(SSL *ssl, void *context) {
    lt_Handle *handle = lt_handle_of(ssl);
    (void)context;
    if (lt_until_mark(handle, SSL_get_session(ssl))) return 1;
    lt_failure_errno(&handle->failure, ENOMEM, "session");
    return 0;
}

static SSL_TICKET_RETURN take_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t len,
                                     SSL_TICKET_STATUS status, void *context) {
    (void)ssl, (void)name, (void)len, (void)context;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (lt_until_isover(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void lt_until_open(SSL_CTX *ctx) {
    SSL_CTX_set_session_ticket_cb(ctx, make_ticket, take_ticket, NULL);
}
