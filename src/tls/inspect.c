/* What is known of a connection: sock:tls, export, binding. */
#include "inspect.h"

#include "../socket.h"
#include "certificate.h"
#include "connection.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <string.h>

lt_Connection *lt_inspect_self(lua_State *L) {
    const ls_LayerCore *core = lt_shared_core(L);
    ls_Socket *s = core->test(L, 1);
    if (!s) core->wrongtype(L, 1, "socket");
    return (lt_Connection *)core->of(s, &lt_connection_type);
}

int lt_inspect_failplain(lua_State *L) {
    const ls_LayerCore *core = lt_shared_core(L);
    const ls_Socket *s = core->test(L, 1);
    if (s && s->fd < 0) return core->fail(L, EBADF);
    return core->fail_text(L, EOPNOTSUPP, "the socket has no TLS");
}

/* The handshake is not finished, or has failed. */
static int fail_unfinished(lua_State *L, const lt_Connection *c) {
    return lt_shared_core(L)->fail_layer(L, &c->layer, c->handle.failure.code ? c->handle.failure.code : LT_UNFINISHED);
}

/* ---- texts are copied before anything is pushed: a finalizer may close the connection then ---- */

enum { TEXT = 256 };

static void copy(char *out, const char *text, size_t len) {
    if (!text || len >= TEXT) len = 0;
    if (len > 0) memcpy(out, text, len);
    out[len] = '\0';
}

static void copy_text(char *out, const char *text) {
    copy(out, text, text ? strlen(text) : 0);
}

/* Of the table on top; an empty one is left out. */
static void set_text(lua_State *L, const char *field, const char *text) {
    if (*text == '\0') return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void set_flag(lua_State *L, const char *field, int flag) {
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, field);
}

static const char *version_of(int version) {
    static const char *const names[] = { "1.0", "1.1", "1.2", "1.3" };
    return version >= TLS1_VERSION && version <= TLS1_3_VERSION ? names[version - TLS1_VERSION] : "";
}

/* ---- the connection ---- */

typedef struct Facts {
    char cipher[TEXT], group[TEXT], alpn[TEXT], name[TEXT];
    const char *version;
    int resumed, verified, server;
} Facts;

static int is_verified(const lt_Connection *c) {
    return c->setup->checks.chain && SSL_get0_peer_certificate(c->ssl) && SSL_get_verify_result(c->ssl) == X509_V_OK;
}

static void collect(const lt_Connection *c, Facts *facts) {
    const unsigned char *alpn;
    unsigned len;
    int group = (int)SSL_get_negotiated_group(c->ssl);
    facts->server = c->setup->is_server;
    copy_text(facts->cipher, SSL_get_cipher_name(c->ssl));
    copy_text(facts->group, group ? SSL_group_to_name(c->ssl, group) : NULL);
    SSL_get0_alpn_selected(c->ssl, &alpn, &len);
    copy(facts->alpn, (const char *)alpn, len);
    copy_text(facts->name, facts->server ? SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) : c->handle.name);
    facts->version = version_of(SSL_version(c->ssl));
    facts->resumed = SSL_session_reused(c->ssl);
    facts->verified = is_verified(c);
    ERR_clear_error();
}

static int push_facts(lua_State *L, const lt_Connection *c) {
    Facts facts;
    if (!c->done) return fail_unfinished(L, c);
    collect(c, &facts);
    lua_createtable(L, 0, 8);
    set_text(L, "version", facts.version);
    set_text(L, "cipher", facts.cipher);
    set_text(L, "group", facts.group);
    set_text(L, "alpn", facts.alpn);
    set_text(L, "name", facts.name);
    set_flag(L, "resumed", facts.resumed);
    set_flag(L, "verified", facts.verified);
    set_flag(L, "server", facts.server);
    return 1;
}

/* ---- the peer ---- */

static void release_certificate(void *certificate) {
    X509_free(certificate);
}

static void release_certificates(void *certificates) {
    sk_X509_pop_free(certificates, X509_free);
}

static int fail_nocert(lua_State *L) {
    return lt_shared_core(L)->fail_named(L, "the peer has no certificate", lt_failure_name(LT_NOCERT));
}

static int push_peer(lua_State *L, const lt_Connection *c) {
    ls_Owner *owner = lt_shared_core(L)->own(L, release_certificate);
    owner->thing = c->ssl ? SSL_get1_peer_certificate(c->ssl) : NULL;
    if (!owner->thing) return c->done ? fail_nocert(L) : fail_unfinished(L, c);
    lt_certificate_push(L, owner->thing);
    lt_shared_core(L)->release(owner);
    return 1;
}

/* The chain that was verified; else what the peer has sent, to which a server's side has to add the leaf. */
static STACK_OF(X509) *chain_of(const lt_Connection *c) {
    STACK_OF(X509) *chain = is_verified(c) ? SSL_get0_verified_chain(c->ssl) : NULL;
    X509 *leaf = SSL_get0_peer_certificate(c->ssl);
    if (sk_X509_num(chain) > 0) return X509_chain_up_ref(chain);
    chain = SSL_get_peer_cert_chain(c->ssl);
    chain = chain ? X509_chain_up_ref(chain) : sk_X509_new_null();
    if (!chain || !leaf || (sk_X509_num(chain) > 0 && X509_cmp(sk_X509_value(chain, 0), leaf) == 0)) return chain;
    if (sk_X509_unshift(chain, leaf)) X509_up_ref(leaf);
    return chain;
}

static int push_chain(lua_State *L, const lt_Connection *c) {
    ls_Owner *owner = lt_shared_core(L)->own(L, release_certificates);
    if (!c->done) return fail_unfinished(L, c);
    if (!SSL_get0_peer_certificate(c->ssl)) return fail_nocert(L);
    owner->thing = chain_of(c);
    lt_certificate_pushall(L, owner->thing);
    lt_shared_core(L)->release(owner);
    return 1;
}

/* ---- what the authority has said ---- */

static void release_basic(void *response) {
    OCSP_BASICRESP_free(response);
}

static OCSP_BASICRESP *parse_staple(const unsigned char *der, long len) {
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, len);
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    OCSP_RESPONSE_free(response);
    return basic;
}

static void push_status(lua_State *L, OCSP_BASICRESP *response) {
    OCSP_SINGLERESP *single = OCSP_resp_get0(response, 0);
    ASN1_GENERALIZEDTIME *update = NULL, *next = NULL;
    int status = single ? OCSP_single_get0_status(single, NULL, NULL, &update, &next) : -1;
    set_text(L, "status", status == V_OCSP_CERTSTATUS_GOOD      ? "good"
                          : status == V_OCSP_CERTSTATUS_REVOKED ? "revoked"
                                                                : "unknown");
    lt_certificate_settime(L, "thisupdate", update);
    lt_certificate_settime(L, "nextupdate", next);
}

/* How long the response is that has come; 0: there is none. */
static long staple_of(const lt_Connection *c, const unsigned char **der) {
    long len = c->done && !c->setup->is_server ? SSL_get_tlsext_status_ocsp_resp(c->ssl, der) : 0;
    return len > 0 ? len : 0;
}

/* { status = , thisupdate = , nextupdate = , der = };  the response is asked for again once there is room: a finalizer
   may have closed the connection. */
static int push_ocsp(lua_State *L, const lt_Connection *c) {
    ls_Owner *owner = lt_shared_core(L)->own(L, release_basic);
    const unsigned char *der;
    long len;
    char *block;
    len = staple_of(c, &der);
    block = ls_newuserdata(L, (size_t)len + 1);
    if (!c->done) return fail_unfinished(L, c);
    if (len == 0) return lt_shared_core(L)->fail_named(L, "no OCSP response", lt_failure_name(LT_OCSP));
    if (staple_of(c, &der) == len) memcpy(block, der, (size_t)len);
    owner->thing = parse_staple((const unsigned char *)block, len);
    lua_createtable(L, 0, 4);
    if (owner->thing) push_status(L, owner->thing);
    lua_pushlstring(L, block, (size_t)len);
    lua_setfield(L, -2, "der");
    lt_shared_core(L)->release(owner);
    ERR_clear_error();
    return 1;
}

/* ---- the client's hello ---- */

static void set_protocols(lua_State *L, const unsigned char *alpn, size_t len) {
    size_t at;
    int i = 0;
    lua_newtable(L);
    for (at = 0; at < len && at + 1 + alpn[at] <= len; at += 1u + alpn[at]) {
        lua_pushlstring(L, (const char *)alpn + at + 1, alpn[at]);
        lua_rawseti(L, -2, ++i);
    }
    lua_setfield(L, -2, "alpn");
}

static void set_versions(lua_State *L, const lt_Hello *hello) {
    int i;
    lua_createtable(L, hello->count, 0);
    for (i = 0; i < hello->count; i++) {
        lua_pushstring(L, version_of(hello->versions[i]));
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "versions");
}

/* { name = , alpn = , versions = } of a copy, for the same reason. */
static int push_hello(lua_State *L, const lt_Connection *c) {
    lt_Hello hello;
    char name[TEXT];
    unsigned char *alpn;
    if (c->handle.failure.code) return fail_unfinished(L, c);
    if (!lt_connection_asks(c))
        return lt_shared_core(L)->fail_text(L, EINVAL, "the handshake does not wait for a context");
    hello = *c->handle.hello;
    copy_text(name, hello.name);
    alpn = ls_newuserdata(L, hello.alpn_len + 1);
    if (!lt_connection_asks(c)) return lt_inspect_failplain(L); /* a finalizer has closed it */
    if (hello.alpn_len > 0) memcpy(alpn, hello.alpn, hello.alpn_len);
    lua_createtable(L, 0, 3);
    set_text(L, "name", name);
    set_protocols(L, alpn, hello.alpn_len);
    set_versions(L, &hello);
    return 1;
}

/* sock:tls([what]) -> table | nil, message, name;  what: "peer", "chain", "ocsp", "hello" */
int lt_inspect_tls(lua_State *L) {
    static const char *const names[] = { "peer", "chain", "ocsp", "hello", NULL };
    static int (*const pushers[])(lua_State *L, const lt_Connection *c) = {
        push_peer, push_chain, push_ocsp, push_hello,
    };
    const lt_Connection *c = lt_inspect_self(L);
    int what = lua_isnoneornil(L, 2) ? -1 : luaL_checkoption(L, 2, NULL, names);
    if (!c) return lt_inspect_failplain(L);
    return what < 0 ? push_facts(L, c) : pushers[what](L, c);
}

/* ---- secrets that both ends have ---- */

enum { MOST = 8160 }; /* bytes: 255 times a digest */

static int fail_ssl(lua_State *L) {
    lt_Failure failure = { 0, "" };
    lt_failure_ofqueue(&failure, NULL);
    return lt_failure_push(L, lt_shared_core(L), &failure);
}

/* sock:export(label, length [, context]) -> bytes | nil, message, name */
int lt_inspect_export(lua_State *L) {
    const lt_Connection *c = lt_inspect_self(L);
    size_t label_len, context_len = 0;
    const char *label = luaL_checklstring(L, 2, &label_len);
    lua_Number length = luaL_checknumber(L, 3);
    const char *context = luaL_optlstring(L, 4, NULL, &context_len);
    unsigned char bytes[MOST];
    luaL_argcheck(L, length >= 1 && length <= MOST && length == (int)length, 3, "an integer from 1 to 8160 expected");
    if (!c) return lt_inspect_failplain(L);
    if (!c->done) return fail_unfinished(L, c);
    ERR_clear_error();
    if (SSL_export_keying_material(c->ssl, bytes, (size_t)length, label, label_len, (const unsigned char *)context,
                                   context_len, context != NULL) != 1)
        return fail_ssl(L);
    lua_pushlstring(L, (const char *)bytes, (size_t)length);
    return 1;
}

/* ---- channel bindings ---- */

/* Each returns how many bytes it has written; 0: there is no such binding. */
static size_t bind_exporter(const lt_Connection *c, unsigned char *bytes) {
    static const char label[] = "EXPORTER-Channel-Binding";
    static const unsigned char none[1] = { 0 }; /* a context of no bytes is not the same as none, with TLS 1.2 */
    if (SSL_version(c->ssl) < TLS1_3_VERSION && SSL_get_extms_support(c->ssl) != 1) return 0;
    return SSL_export_keying_material(c->ssl, bytes, 32, label, sizeof label - 1, none, 0, 1) == 1 ? 32 : 0;
}

/* The digest of the server's certificate: that of its signature, SHA-256 in place of an older one (RFC 5929). */
static size_t bind_endpoint(const lt_Connection *c, unsigned char *bytes) {
    X509 *certificate = c->setup->is_server ? SSL_get_certificate(c->ssl) : SSL_get0_peer_certificate(c->ssl);
    unsigned len = 0;
    int digest;
    if (!certificate || !X509_get_signature_info(certificate, &digest, NULL, NULL, NULL)) return 0;
    if (digest == NID_undef) return 0;
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
    if (!EVP_get_digestbynid(digest) || !X509_digest(certificate, EVP_get_digestbynid(digest), bytes, &len)) return 0;
    return len;
}

/* The first Finished of the handshake: the client's, or the server's of one that is resumed. */
static size_t bind_unique(const lt_Connection *c, unsigned char *bytes) {
    if (SSL_version(c->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(c->ssl) != 1) return 0;
    if (!c->setup->is_server == !SSL_session_reused(c->ssl)) return SSL_get_finished(c->ssl, bytes, EVP_MAX_MD_SIZE);
    return SSL_get_peer_finished(c->ssl, bytes, EVP_MAX_MD_SIZE);
}

/* sock:binding(type) -> bytes | nil, message, name */
int lt_inspect_binding(lua_State *L) {
    static const char *const names[] = { "tls-exporter", "tls-server-end-point", "tls-unique", NULL };
    static size_t (*const binders[])(const lt_Connection *c, unsigned char *bytes) = {
        bind_exporter, bind_endpoint, bind_unique,
    };
    const lt_Connection *c = lt_inspect_self(L);
    int type = luaL_checkoption(L, 2, NULL, names);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    size_t len;
    if (!c) return lt_inspect_failplain(L);
    if (!c->done) return fail_unfinished(L, c);
    len = binders[type](c, bytes);
    ERR_clear_error();
    if (len == 0) return lt_shared_core(L)->fail_text(L, EOPNOTSUPP, "the connection has no such channel binding");
    lua_pushlstring(L, (const char *)bytes, len);
    return 1;
}
