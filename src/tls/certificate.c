/* Certificates as tables. */
#include "certificate.h"

#include "../state.h"
#include "failure.h"
#include "pem.h"
#include "shared.h"
#include "text.h"
#include "verify.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- fields ---- */

static void set_name(lua_State *L, const char *field, const X509_NAME *name) {
    char text[1024];
    lt_text_name(name, text, sizeof text);
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

void lt_certificate_settime(lua_State *L, const char *field, const ASN1_TIME *when) {
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds, known = epoch && when && ASN1_TIME_diff(&days, &seconds, epoch, when);
    ASN1_TIME_free(epoch);
    if (!known) return;
    lua_pushnumber(L, (lua_Number)days * 86400 + seconds);
    if (LUA_VERSION_NUM >= 503) {
        lua_Number number = lua_tonumber(L, -1);
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)number);
    }
    lua_setfield(L, -2, field);
}

static void set_hex(lua_State *L, const char *field, const unsigned char *bytes, size_t len) {
    char text[2 * 64 + 1];
    lt_text_hex(bytes, len < 64 ? len : 64, text);
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void set_serial(lua_State *L, X509 *certificate) {
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    set_hex(L, "serial", ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
}

static void set_fingerprint(lua_State *L, X509 *certificate) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;
    if (X509_digest(certificate, EVP_sha256(), digest, &len)) set_hex(L, "fingerprint", digest, len);
}

static void set_pin(lua_State *L, X509 *certificate) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[64] = "sha256/";
    if (!lt_verify_pin(certificate, digest)) return;
    EVP_EncodeBlock((unsigned char *)text + 7, digest, 32);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "pin");
}

static void set_der(lua_State *L, X509 *certificate) {
    int len = i2d_X509(certificate, NULL);
    unsigned char *block, *end;
    if (len <= 0) return;
    block = end = ls_newuserdata(L, (size_t)len);
    if (i2d_X509(certificate, &end) == len) lua_pushlstring(L, (const char *)block, (size_t)len);
    else lua_pushnil(L);
    lua_remove(L, -2);
    lua_setfield(L, -2, "der");
}

/* ---- alternative names ---- */

static void release_names(void *names) {
    GENERAL_NAMES_free(names);
}

static int push_address(lua_State *L, const ASN1_OCTET_STRING *bytes) {
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(bytes), family = len == 4 ? AF_INET : AF_INET6;
    if ((len != 4 && len != 16) || !inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text)) return 0;
    lua_pushstring(L, text);
    return 1;
}

static int push_dns(lua_State *L, const ASN1_IA5STRING *text) {
    lua_pushlstring(L, (const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    return 1;
}

/* Pushes the array of those of a type. */
static void push_names(lua_State *L, GENERAL_NAMES *names, int type) {
    int i, count = 0;
    lua_newtable(L);
    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != type) continue;
        if (type == GEN_DNS ? push_dns(L, name->d.dNSName) : push_address(L, name->d.iPAddress))
            lua_rawseti(L, -2, ++count);
    }
}

static void set_names(lua_State *L, X509 *certificate) {
    ls_Owner *owner = lt_shared_core(L)->own(L, release_names);
    owner->thing = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    push_names(L, owner->thing, GEN_DNS);
    lua_setfield(L, -3, "names");
    push_names(L, owner->thing, GEN_IPADD);
    lua_setfield(L, -3, "addresses");
    lt_shared_core(L)->release(owner);
    lua_pop(L, 1);
}

/* ---- tables ---- */

void lt_certificate_push(lua_State *L, X509 *certificate) {
    luaL_checkstack(L, LUA_MINSTACK, "certificate");
    lua_createtable(L, 0, 10);
    set_name(L, "subject", X509_get_subject_name(certificate));
    set_name(L, "issuer", X509_get_issuer_name(certificate));
    set_names(L, certificate);
    lt_certificate_settime(L, "notbefore", X509_get0_notBefore(certificate));
    lt_certificate_settime(L, "notafter", X509_get0_notAfter(certificate));
    set_serial(L, certificate);
    set_fingerprint(L, certificate);
    set_pin(L, certificate);
    set_der(L, certificate);
    ERR_clear_error();
}

void lt_certificate_pushall(lua_State *L, STACK_OF(X509) *certificates) {
    int i, count = sk_X509_num(certificates);
    lua_createtable(L, count > 0 ? count : 0, 0);
    for (i = 0; i < count; i++) {
        lt_certificate_push(L, sk_X509_value(certificates, i));
        lua_rawseti(L, -2, i + 1);
    }
}

/* ---- parsing ---- */

static void release_certificate(void *certificate) {
    X509_free(certificate);
}

static X509 *parse_pem(const char *text, size_t len) {
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, lt_pem_nopassword, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static X509 *parse_der(const char *text, size_t len) {
    const unsigned char *end = (const unsigned char *)text;
    X509 *certificate = d2i_X509(NULL, &end, (long)len);
    if (!certificate || end == (const unsigned char *)text + len) return certificate;
    X509_free(certificate); /* something follows */
    return NULL;
}

static X509 *parse(const char *text, size_t len) {
    if (len > INT_MAX) return NULL;
    return len > 0 && *text == 0x30 ? parse_der(text, len) : parse_pem(text, len);
}

int lt_certificate_parse(lua_State *L) {
    size_t len;
    const char *text;
    ls_Owner *owner;
    if (lua_type(L, 1) != LUA_TSTRING) return lt_shared_core(L)->wrongtype(L, 1, "string");
    text = lua_tolstring(L, 1, &len);
    owner = lt_shared_core(L)->own(L, release_certificate);
    ERR_clear_error();
    owner->thing = parse(text, len);
    if (!owner->thing) {
        lt_Failure failure = { 0, "" };
        lt_failure_set(&failure, LT_PEM, "no certificate in PEM or DER");
        ERR_clear_error();
        return lt_failure_push(L, lt_shared_core(L), &failure);
    }
    lt_certificate_push(L, owner->thing);
    lt_shared_core(L)->release(owner);
    return 1;
}
