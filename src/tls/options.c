/* The arguments of tls.client and tls.server. */
#include "options.h"

#include "names.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is read lives in a table ---- */

typedef struct Reading {
    int kept; /* the table's place on the stack */
} Reading;

static void keep(lua_State *L, const Reading *r) {
    lua_rawseti(L, r->kept, (int)lua_rawlen(L, r->kept) + 1);
}

/* Memory that lives as long. */
static void *allocate(lua_State *L, const Reading *r, size_t size) {
    void *block = ls_newuserdata(L, size ? size : 1);
    memset(block, 0, size ? size : 1);
    keep(L, r);
    return block;
}

int lt_options_given(const lt_Text *text) {
    return text->data != NULL;
}

/* ---- values: each function reads the one at this place, and returns NULL or what is wrong ---- */

static const char *expected(lua_State *L, int index, const char *what) {
    return lua_pushfstring(L, "%s expected, got %s", what, luaL_typename(L, index));
}

static const char *read_text(lua_State *L, int index, Reading *r, void *field) {
    lt_Text *text = field;
    if (lua_type(L, index) != LUA_TSTRING) return expected(L, index, "string");
    text->data = lua_tolstring(L, index, &text->len);
    lua_pushvalue(L, index);
    keep(L, r);
    return NULL;
}

static const char *read_path(lua_State *L, int index, Reading *r, void *field) {
    const char *problem = read_text(L, index, r, field);
    const lt_Text *text = field;
    if (problem) return problem;
    if (text->len == 0) return "path is empty";
    return memchr(text->data, '\0', text->len) ? "path contains a NUL byte" : NULL;
}

/* OpenSSL's own syntax. */
static const char *read_list(lua_State *L, int index, Reading *r, void *field) {
    const char *problem = read_text(L, index, r, field);
    const lt_Text *text = field;
    if (problem) return problem;
    if (text->len == 0) return "list is empty";
    return memchr(text->data, '\0', text->len) ? "contains a NUL byte" : NULL;
}

static const char *read_boolean(lua_State *L, int index, Reading *r, void *field) {
    (void)r;
    if (!lua_isboolean(L, index)) return expected(L, index, "boolean");
    *(int *)field = lua_toboolean(L, index);
    return NULL;
}

/* One of two words: 0 or 1 for their place, or -1. */
static int word_at(lua_State *L, int index, const char *first, const char *second) {
    const char *word = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    return strcmp(word, first) == 0 ? 0 : strcmp(word, second) == 0 ? 1 : -1;
}

static const char *read_version(lua_State *L, int index, Reading *r, void *field) {
    int at = word_at(L, index, "1.2", "1.3");
    (void)r;
    if (at >= 0) *(int *)field = at == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    return at >= 0 ? NULL : "\"1.2\" or \"1.3\" expected";
}

static const char *read_eof(lua_State *L, int index, Reading *r, void *field) {
    int at = word_at(L, index, "strict", "any");
    (void)r;
    *(int *)field = at;
    return at >= 0 ? NULL : "\"strict\" or \"any\" expected";
}

static const char *read_crlcheck(lua_State *L, int index, Reading *r, void *field) {
    int at = word_at(L, index, "leaf", "chain");
    (void)r;
    *(int *)field = at + 1;
    return at >= 0 ? NULL : "\"leaf\" or \"chain\" expected";
}

static const char *read_clients(lua_State *L, int index, Reading *r, void *field) {
    int at = word_at(L, index, "request", "require"), none = lua_isboolean(L, index) && !lua_toboolean(L, index);
    (void)r;
    *(int *)field = at + 1;
    return at >= 0 || none ? NULL : "false, \"request\" or \"require\" expected";
}

static const char *read_ocsp(lua_State *L, int index, Reading *r, void *field) {
    if (lua_isboolean(L, index)) return read_boolean(L, index, r, field);
    *(int *)field = 2;
    return word_at(L, index, "require", "require") == 0 ? NULL : "boolean or \"require\" expected";
}

static const char *read_count(lua_State *L, int index, Reading *r, void *field) {
    lua_Number number = lua_tonumber(L, index);
    (void)r;
    if (lua_type(L, index) != LUA_TNUMBER) return expected(L, index, "number");
    if (!(number >= 0 && number <= 1000000) || number != (int)number) return "an integer from 0 to 1000000 expected";
    *(int *)field = (int)number;
    return NULL;
}

static const char *read_tickets(lua_State *L, int index, Reading *r, void *field) {
    const char *problem = read_count(L, index, r, field);
    return problem || *(int *)field <= 100 ? problem : "an integer from 0 to 100 expected";
}

/* true: the file that the environment names, or none. */
static const char *read_keylog(lua_State *L, int index, Reading *r, void *field) {
    const char *path;
    if (!lua_isboolean(L, index)) return read_path(L, index, r, field);
    path = lua_toboolean(L, index) ? getenv("SSLKEYLOGFILE") : NULL;
    if (!path || *path == '\0') return NULL;
    lua_pushstring(L, path);
    return read_path(L, lua_gettop(L), r, field);
}

/* ---- arrays ---- */

/* How many elements there are, least or more, with nothing beside them that would be left out in silence. Returns NULL
   or what is wrong. */
static const char *count_elements(lua_State *L, int index, const char *what, int least, int *count) {
    int i;
    *count = 0;
    if (!lua_istable(L, index)) return expected(L, index, what);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) ++*count;
    for (i = 1; i <= *count; i++, lua_pop(L, 1)) {
        lua_rawgeti(L, index, i);
        if (lua_isnil(L, -1)) return lua_pushfstring(L, "%s expected: its keys are not 1 to %d", what, *count);
    }
    return *count >= least ? NULL : lua_pushfstring(L, "%s expected: it is empty", what);
}

/* Pushes an element of the array and returns it; NULL where it is no string. */
static const char *element(lua_State *L, int index, int i, size_t *len) {
    lua_rawgeti(L, index, i);
    return lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
}

static const char *wrong_element(lua_State *L, int i, const char *problem) {
    return lua_pushfstring(L, "element %d: %s", i, problem);
}

static const char *read_alpn(lua_State *L, int index, Reading *r, void *field) {
    lt_Text *alpn = field;
    size_t len, size = 0;
    int i, count;
    const char *problem = count_elements(L, index, "array of strings", 0, &count);
    char *out;
    if (problem) return problem;
    for (i = 1; i <= count; i++, lua_pop(L, 1)) {
        const char *name = element(L, index, i, &len);
        if (!name || len < 1 || len > 255) return wrong_element(L, i, "string of 1 to 255 bytes expected");
        size += len + 1;
    }
    if (size > 65535) return "too many protocols";
    if (size == 0) return NULL;
    alpn->data = out = allocate(L, r, size);
    alpn->len = size;
    for (i = 1; i <= count; i++, lua_pop(L, 1)) {
        const char *name = element(L, index, i, &len);
        *out++ = (char)len;
        memcpy(out, name, len);
        out += len;
    }
    return NULL;
}

/* The digest that "sha256/..." stands for. */
static int decode_pin(const char *pin, size_t len, unsigned char *digest) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[36];
    if (len != 7 + 44 || memcmp(pin, "sha256/", 7) != 0) return 0;
    pin += 7;
    if (strspn(pin, digits) != 43 || pin[43] != '=') return 0;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)pin, 44) != 33) return 0;
    memcpy(digest, bytes, LT_PIN_SIZE);
    return 1;
}

static const char *read_pins(lua_State *L, int index, Reading *r, void *field) {
    lt_Text *pins = field;
    unsigned char *digests;
    size_t len;
    int i, count;
    const char *problem = count_elements(L, index, "array of \"sha256/...\"", 1, &count);
    if (problem) return problem;
    digests = allocate(L, r, (size_t)count * LT_PIN_SIZE);
    for (i = 1; i <= count; i++, lua_pop(L, 1)) {
        const char *pin = element(L, index, i, &len);
        if (!pin || !decode_pin(pin, len, digests + (size_t)(i - 1) * LT_PIN_SIZE))
            return wrong_element(L, i, "\"sha256/\" and 32 bytes in base64 expected");
    }
    pins->data = (const char *)digests;
    pins->len = (size_t)count * LT_PIN_SIZE;
    return NULL;
}

/* A string, or an array: new tickets are made with the first key, those of the others are accepted. */
static const char *read_ticketkeys(lua_State *L, int index, Reading *r, void *field) {
    lt_Text *keys = field;
    size_t len;
    const char *problem;
    char *out;
    int i, count;
    if (lua_type(L, index) == LUA_TSTRING) {
        read_text(L, index, r, field);
        return keys->len == LT_TICKETKEY_SIZE ? NULL : "80 bytes expected";
    }
    problem = count_elements(L, index, "string of 80 bytes or array of them", 1, &count);
    if (problem) return problem;
    out = allocate(L, r, (size_t)count * LT_TICKETKEY_SIZE);
    for (i = 1; i <= count; i++, lua_pop(L, 1)) {
        const char *key = element(L, index, i, &len);
        if (!key || len != LT_TICKETKEY_SIZE) return wrong_element(L, i, "string of 80 bytes expected");
        memcpy(out + (size_t)(i - 1) * LT_TICKETKEY_SIZE, key, LT_TICKETKEY_SIZE);
    }
    keys->data = out;
    keys->len = (size_t)count * LT_TICKETKEY_SIZE;
    return NULL;
}

/* ---- certificates with names ---- */

static const char *check_name(const char *name, size_t len) {
    char plain[LT_NAMES_MOST];
    const char *problem = lt_names_host(name, len, plain);
    const char *star = problem ? NULL : strchr(name, '*');
    if (!star) return problem;
    return star == name && name[1] == '.' && !strchr(name + 1, '*') ? NULL : "a star stands for the first label alone";
}

static const char *read_names(lua_State *L, int index, Reading *r, void *field) {
    lt_Texts *names = field;
    int i, count;
    const char *problem = count_elements(L, index, "array of names", 1, &count);
    if (problem) return problem;
    names->list = allocate(L, r, (size_t)count * sizeof *names->list);
    for (i = 1; i <= count; i++, lua_pop(L, 1)) {
        lua_rawgeti(L, index, i);
        problem = read_text(L, lua_gettop(L), r, &names->list[i - 1]);
        if (!problem) problem = check_name(names->list[i - 1].data, names->list[i - 1].len);
        if (problem) return wrong_element(L, i, problem);
    }
    names->count = count;
    return NULL;
}

static const char *read_certificates(lua_State *L, int index, Reading *r, void *field);

/* ---- the arguments ---- */

typedef const char *(*Reader)(lua_State *L, int index, Reading *r, void *field);

typedef struct Argument {
    const char *name;
    int askers; /* who may name it */
    Reader read;
    size_t field; /* in lt_Pair where certificates may have it, else in lt_Options */
} Argument;

enum { CLIENT = 1, SERVER = 2, BOTH = 3, PAIR = 4 };

#define OF_PAIR(askers, name, read) { #name, (askers) | PAIR, read, offsetof(lt_Pair, name) }
#define OF_OPTIONS(askers, name, read) { #name, askers, read, offsetof(lt_Options, name) }

static const Argument arguments[] = {
    OF_PAIR(BOTH, cert, read_text),
    OF_PAIR(BOTH, key, read_text),
    OF_PAIR(BOTH, certfile, read_path),
    OF_PAIR(BOTH, keyfile, read_path),
    OF_PAIR(BOTH, password, read_text),
    OF_PAIR(SERVER, ocspfile, read_path),
    OF_PAIR(0, names, read_names),
    OF_OPTIONS(BOTH, ca, read_text),
    OF_OPTIONS(BOTH, cafile, read_path),
    OF_OPTIONS(BOTH, capath, read_path),
    OF_OPTIONS(BOTH, min, read_version),
    OF_OPTIONS(BOTH, max, read_version),
    OF_OPTIONS(BOTH, ciphers, read_list),
    OF_OPTIONS(BOTH, ciphersuites, read_list),
    OF_OPTIONS(BOTH, groups, read_list),
    OF_OPTIONS(BOTH, alpn, read_alpn),
    OF_OPTIONS(BOTH, crl, read_text),
    OF_OPTIONS(BOTH, crlfile, read_path),
    OF_OPTIONS(BOTH, crlcheck, read_crlcheck),
    OF_OPTIONS(BOTH, keylog, read_keylog),
    { "eof", BOTH, read_eof, offsetof(lt_Options, any_eof) },
    OF_OPTIONS(CLIENT, verify, read_boolean),
    OF_OPTIONS(CLIENT, pins, read_pins),
    OF_OPTIONS(CLIENT, sessions, read_count),
    OF_OPTIONS(CLIENT, ocsp, read_ocsp),
    OF_OPTIONS(SERVER, clients, read_clients),
    OF_OPTIONS(SERVER, certificates, read_certificates),
    OF_OPTIONS(SERVER, strict, read_boolean),
    OF_OPTIONS(SERVER, tickets, read_tickets),
    OF_OPTIONS(SERVER, ticketkeys, read_ticketkeys),
    OF_OPTIONS(SERVER, ask, read_boolean),
};

enum { ARGUMENTS = sizeof arguments / sizeof arguments[0] };

static const Argument *find_argument(const char *name) {
    int i;
    for (i = 0; i < ARGUMENTS; i++)
        if (strcmp(arguments[i].name, name) == 0) return &arguments[i];
    return NULL;
}

static const char *refuse_name(const Argument *argument, int asker) {
    if (!argument) return "no such argument";
    return asker == CLIENT   ? "no such argument of a client"
           : asker == SERVER ? "no such argument of a server"
                             : "no such argument of a certificate";
}

/* Reads the table at this place. options: NULL for one of certificates. */
static const char *read_table(lua_State *L, int index, int asker, Reading *r, lt_Options *options, lt_Pair *pair) {
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        int top = lua_gettop(L);
        const char *name = lua_type(L, top - 1) == LUA_TSTRING ? lua_tostring(L, top - 1) : luaL_typename(L, top - 1);
        const Argument *argument = find_argument(name);
        const char *problem;
        luaL_checkstack(L, LUA_MINSTACK, "too many arguments");
        if (!argument || !(argument->askers & asker)) {
            problem = refuse_name(argument, asker);
        } else {
            char *base = argument->askers & PAIR ? (char *)pair : (char *)options;
            problem = argument->read(L, top, r, base + argument->field);
        }
        if (problem) return lua_pushfstring(L, "%s: %s", name, problem);
        lua_settop(L, top);
    }
    return NULL;
}

/* What belongs together. own: of the options themselves. */
static const char *check_pair(const lt_Pair *pair) {
    int cert = lt_options_given(&pair->cert), certfile = lt_options_given(&pair->certfile);
    int key = lt_options_given(&pair->key), keyfile = lt_options_given(&pair->keyfile);
    if (cert && certfile) return "certfile: there is cert already";
    if (key && keyfile) return "keyfile: there is key already";
    if ((key || keyfile) && !cert && !certfile) return "key: there is no certificate";
    if (lt_options_given(&pair->ocspfile) && !cert && !certfile) return "ocspfile: there is no certificate";
    return NULL;
}

static const char *read_certificates(lua_State *L, int index, Reading *r, void *field) {
    lt_Pairs *pairs = field;
    int i, count;
    const char *problem = count_elements(L, index, "array of certificates", 1, &count);
    if (problem) return problem;
    pairs->list = allocate(L, r, (size_t)count * sizeof *pairs->list);
    pairs->count = count;
    for (i = 0; i < count; i++) {
        lt_Pair *pair = &pairs->list[i];
        lua_rawgeti(L, index, i + 1);
        if (!lua_istable(L, -1)) return wrong_element(L, i + 1, expected(L, lua_gettop(L), "table"));
        problem = read_table(L, lua_gettop(L), PAIR, r, NULL, pair);
        if (!problem) problem = check_pair(pair);
        if (!problem && !lt_options_given(&pair->cert) && !lt_options_given(&pair->certfile))
            problem = "cert or certfile expected";
        if (problem) return wrong_element(L, i + 1, problem);
        lua_pop(L, 1);
    }
    return NULL;
}

/* ---- what follows from them ---- */

static int has_roots(const lt_Options *o) {
    return lt_options_given(&o->ca) || lt_options_given(&o->cafile) || lt_options_given(&o->capath);
}

/* What would be left out in silence where no certificates of clients are looked at. */
static const char *check_unasked(const lt_Options *o) {
    if (lt_options_given(&o->ca)) return "ca: clients is not set";
    if (lt_options_given(&o->cafile)) return "cafile: clients is not set";
    if (lt_options_given(&o->capath)) return "capath: clients is not set";
    if (lt_options_given(&o->crl)) return "crl: clients is not set";
    if (lt_options_given(&o->crlfile)) return "crlfile: clients is not set";
    return o->crlcheck ? "crlcheck: clients is not set" : NULL;
}

static const char *check_server(const lt_Options *o) {
    int own = lt_options_given(&o->own.cert) || lt_options_given(&o->own.certfile);
    if (!own && o->certificates.count == 0 && !o->ask) return "cert, certfile or certificates expected";
    if (o->clients && !has_roots(o)) return "clients: ca, cafile or capath expected";
    return o->clients ? NULL : check_unasked(o);
}

static const char *check_all(const lt_Options *o) {
    const char *problem = check_pair(&o->own);
    if (problem) return problem;
    if (o->max && o->max < o->min) return "max: less than min";
    if (o->ocsp && !o->verify) return "ocsp: verify is false";
    return o->server ? check_server(o) : NULL;
}

/* The defaults that are not 0. */
static void set_defaults(lt_Options *options, int server) {
    memset(options, 0, sizeof *options);
    options->server = server;
    options->min = TLS1_2_VERSION;
    options->verify = 1;
    options->sessions = 100;
    options->tickets = 2;
}

void lt_options_read(lua_State *L, lt_Options *options, int server, int kept) {
    Reading r;
    const char *problem;
    r.kept = kept;
    set_defaults(options, server);
    problem = read_table(L, 1, server ? SERVER : CLIENT, &r, options, &options->own);
    if (!problem) problem = check_all(options);
    if (problem) luaL_argerror(L, 1, problem);
    if (!options->crlcheck && (lt_options_given(&options->crl) || lt_options_given(&options->crlfile)))
        options->crlcheck = 1;
}
