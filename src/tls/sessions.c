/* The sessions that a client keeps. */
#include "sessions.h"

#include "until.h"

#include <string.h>
#include <time.h>

enum { EACH = 4 }; /* sessions of a name: a server sends two at a time */

typedef struct lt_Name {
    struct lt_Name *next;
    char *key;
    SSL_SESSION *kept[EACH]; /* the newest last */
    int count;
} Name;

/* ---- the list of names ---- */

static void drop_sessions(Name *name) {
    while (name->count > 0) SSL_SESSION_free(name->kept[--name->count]);
}

static void free_name(Name *name) {
    drop_sessions(name);
    OPENSSL_free(name->key);
    OPENSSL_free(name);
}

/* Takes the name out of the list; NULL: it is not there. */
static Name *unlink_name(lt_Sessions *sessions, const char *key) {
    Name **place = &sessions->first, *name;
    while (*place && strcmp((*place)->key, key) != 0) place = &(*place)->next;
    name = *place;
    if (!name) return NULL;
    *place = name->next;
    sessions->count--;
    return name;
}

static void drop_last(lt_Sessions *sessions) {
    Name **place = &sessions->first;
    while ((*place)->next) place = &(*place)->next;
    free_name(*place);
    *place = NULL;
    sessions->count--;
}

static void link_name(lt_Sessions *sessions, Name *name) {
    name->next = sessions->first;
    sessions->first = name;
    sessions->count++;
    if (sessions->count > sessions->most) drop_last(sessions);
}

static Name *new_name(const char *key) {
    Name *name = OPENSSL_zalloc(sizeof *name);
    if (!name) return NULL;
    name->key = OPENSSL_strdup(key);
    if (name->key) return name;
    OPENSSL_free(name);
    return NULL;
}

/* ---- sessions in and out ---- */

static int is_single(const SSL_SESSION *session) {
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

static void add_session(Name *name, SSL_SESSION *session) {
    if (!is_single(session)) drop_sessions(name); /* it is used until the next one comes */
    if (name->count == EACH) {
        SSL_SESSION_free(name->kept[0]);
        memmove(name->kept, name->kept + 1, (EACH - 1) * sizeof name->kept[0]);
        name->count--;
    }
    name->kept[name->count++] = session;
}

/* OpenSSL's callback. 1: the session is ours now. */
static int keep(SSL *ssl, SSL_SESSION *session) {
    lt_Sessions *sessions = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const char *key = lt_handle_of(ssl)->key;
    Name *name;
    if (!key || SSL_get_verify_result(ssl) != X509_V_OK || !lt_until_mark(lt_handle_of(ssl), session)) return 0;
    name = unlink_name(sessions, key);
    if (!name) name = new_name(key);
    if (!name) return 0;
    add_session(name, session);
    link_name(sessions, name);
    return 1;
}

static int is_usable(SSL_SESSION *session) {
    time_t now = time(NULL), start = (time_t)SSL_SESSION_get_time(session);
    if (!SSL_SESSION_is_resumable(session)) return 0;
    if (now < start || now - start >= SSL_SESSION_get_timeout(session)) return 0;
    return !lt_until_isover(session);
}

/* The caller owns it; NULL: there is none. */
static SSL_SESSION *take_session(Name *name) {
    while (name->count > 0) {
        SSL_SESSION *session = name->kept[name->count - 1];
        if (is_usable(session)) {
            if (is_single(session)) name->count--;
            else SSL_SESSION_up_ref(session);
            return session;
        }
        SSL_SESSION_free(session);
        name->count--;
    }
    return NULL;
}

void lt_sessions_resume(lt_Sessions *sessions, SSL *ssl) {
    const char *key = lt_handle_of(ssl)->key;
    Name *name = key ? unlink_name(sessions, key) : NULL;
    SSL_SESSION *session;
    if (!name) return;
    session = take_session(name);
    if (session) SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
    if (name->count > 0) link_name(sessions, name);
    else free_name(name);
}

int lt_sessions_open(lt_Sessions *sessions, int most, SSL_CTX *ctx) {
    sessions->first = NULL;
    sessions->count = 0;
    sessions->most = most;
    SSL_CTX_set_session_cache_mode(ctx, most ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (most) SSL_CTX_sess_set_new_cb(ctx, keep);
    return SSL_CTX_set_app_data(ctx, (char *)sessions);
}

void lt_sessions_close(lt_Sessions *sessions) {
    Name *name;
    while ((name = sessions->first) != NULL) {
        sessions->first = name->next;
        free_name(name);
    }
}
