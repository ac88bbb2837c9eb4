/* The context object. */
#include "context.h"

#include "../socket.h"
#include "certificate.h"
#include "names.h"

#include <errno.h>
#include <string.h>

static const char context_magic = 0;

/* ---- the object ---- */

lt_Context *lt_context_check(lua_State *L, int arg) {
    lt_Context *context = lua_touserdata(L, arg);
    if (!context || lua_rawlen(L, arg) < sizeof *context || context->magic != &context_magic)
        lt_shared_core(L)->wrongtype(L, arg, "TLS context");
    return context;
}

/* Pushes one that has no setup yet, and a table for what its options point to, which lives as long. */
static lt_Context *push_context(lua_State *L) {
    lt_Context *context = ls_newuserdatawithtable(L, sizeof *context);
    context->magic = &context_magic;
    context->setup = NULL;
    lua_rawgeti(L, LT_OWN, LT_OWN_CONTEXT);
    lua_setmetatable(L, -2);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    ls_setusertable(L, -3);
    return context;
}

static int make(lua_State *L, int server) {
    lt_Failure failure = { 0, "" };
    lt_Context *context;
    if (!lua_istable(L, 1)) return lt_shared_core(L)->wrongtype(L, 1, "table");
    lua_settop(L, 1);
    context = push_context(L);
    lt_options_read(L, &context->options, server, 3);
    lua_settop(L, 2);
    if (lt_setup_make(&context->setup, &context->options, lt_shared_get(L), &failure))
        return lt_failure_push(L, lt_shared_core(L), &failure);
    return 1;
}

int lt_context_client(lua_State *L) {
    return make(L, 0);
}

int lt_context_server(lua_State *L) {
    return make(L, 1);
}

/* context:reload() -> true | nil, message, name */
static int context_reload(lua_State *L) {
    lt_Context *context = lt_context_check(L, 1);
    lt_Failure failure = { 0, "" };
    lt_Setup *setup;
    if (lt_setup_make(&setup, &context->options, lt_shared_get(L), &failure))
        return lt_failure_push(L, lt_shared_core(L), &failure);
    lt_setup_release(context->setup);
    context->setup = setup;
    return lt_shared_core(L)->succeed(L);
}

static int context_gc(lua_State *L) {
    lt_Context *context = lt_context_check(L, 1);
    lt_setup_release(context->setup);
    context->setup = NULL;
    context->magic = NULL;
    return 0;
}

static int context_tostring(lua_State *L) {
    lua_pushfstring(L, "TLS context: %p", (void *)lt_context_check(L, 1));
    return 1;
}

/* ---- what it is ---- */

static void release_setup(void *setup) {
    lt_setup_release(setup);
}

/* The leaves of its certificates. */
static void push_certificates(lua_State *L, const lt_Setup *setup) {
    X509 *own = setup->is_server ? NULL : SSL_CTX_get0_certificate(setup->ctx);
    int i;
    lua_newtable(L);
    if (own) {
        lt_certificate_push(L, own);
        lua_rawseti(L, -2, 1);
    }
    for (i = 0; i < setup->server.count; i++) {
        lt_certificate_push(L, lt_identity_leaf(&setup->server.identities[i]));
        lua_rawseti(L, -2, i + 1);
    }
}

/* context:info() -> { server = , verify = , ask = , sessions = , certificates = } */
static int context_info(lua_State *L) {
    lt_Context *context = lt_context_check(L, 1);
    ls_Owner *owner = lt_shared_core(L)->own(L, release_setup);
    const lt_Setup *setup = owner->thing = lt_setup_hold(context->setup);
    lua_createtable(L, 0, 5);
    lua_pushboolean(L, setup->is_server);
    lua_setfield(L, -2, "server");
    lua_pushboolean(L, setup->ask);
    lua_setfield(L, -2, "ask");
    lua_pushboolean(L, setup->checks.chain);
    lua_setfield(L, -2, "verify");
    lua_pushinteger(L, setup->sessions.count);
    lua_setfield(L, -2, "sessions");
    push_certificates(L, setup);
    lua_setfield(L, -2, "certificates");
    lt_shared_core(L)->release(owner);
    return 1;
}

/* ---- connections ---- */

/* Copies a name out of argument arg, where it is given; field: its name in a table. */
static const char *read_host(lua_State *L, int index, int arg, const char *field, char *name) {
    size_t len;
    const char *text, *problem;
    if (lua_isnoneornil(L, index)) return NULL;
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_argerror(L, arg, lua_pushfstring(L, "%s: string expected, got %s", field, luaL_typename(L, index)));
    text = lua_tolstring(L, index, &len);
    problem = lt_names_host(text, len, name);
    if (problem) luaL_argerror(L, arg, lua_pushfstring(L, "%s %s", field, problem));
    return name;
}

/* The table of options that is argument 4. */
static void read_options(lua_State *L, lt_Start *start, char *verify) {
    if (lua_isnoneornil(L, 4)) return;
    if (!lua_istable(L, 4)) lt_shared_core(L)->wrongtype(L, 4, "table");
    for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
        if (strcmp(name, "verifyname") == 0) {
            start->verify = read_host(L, lua_gettop(L), 4, name, verify);
        } else if (strcmp(name, "received") == 0) {
            if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, 4, "received: string expected");
            start->received = lua_tolstring(L, -1, &start->received_len); /* which the table holds */
        } else {
            luaL_argerror(L, 4, lua_pushfstring(L, "%s: no such option", name));
        }
    }
}

static void check_names(lua_State *L, const lt_Setup *setup, lt_Start *start) {
    if (setup->is_server) {
        luaL_argcheck(L, !start->host && !start->verify, 3, "a server's connection has no host");
    } else if (setup->checks.chain) {
        luaL_argcheck(L, start->host, 3, "host expected");
        if (!start->verify) start->verify = start->host;
    } else {
        luaL_argcheck(L, !start->verify, 4, "verifyname: the context does not verify");
    }
}

static ls_Socket *check_stream(lua_State *L, const ls_LayerCore *core) {
    ls_Socket *s = core->test(L, 2);
    if (!s) core->wrongtype(L, 2, "socket");
    luaL_argcheck(L, s->fd < 0 || s->type == SOCK_STREAM, 2, "stream socket expected");
    luaL_argcheck(L, s->fd < 0 || !(s->flags & LS_SOCKET_BOUND), 2, "the socket listens");
    luaL_argcheck(L, !core->of(s, NULL), 2, "the socket has a layer already");
    return s;
}

/* context:start(sock [, host [, options]]) -> true | nil, message, name */
static int context_start(lua_State *L) {
    lt_Context *context = lt_context_check(L, 1);
    const ls_LayerCore *core = lt_shared_core(L);
    const ls_Socket *s = check_stream(L, core);
    char host[LT_NAMES_MOST], verify[LT_NAMES_MOST];
    lt_Start start = { NULL, NULL, NULL, 0 };
    lt_Connection *c;
    int err;
    lua_settop(L, 4);
    start.host = read_host(L, 3, 3, "host", host);
    read_options(L, &start, verify);
    check_names(L, context->setup, &start);
    if (s->fd < 0) return core->fail(L, EBADF);
    c = (lt_Connection *)core->attach(L, 2, sizeof *c, &lt_connection_type);
    err = lt_connection_start(c, context->setup, &start);
    core->refresh(&c->layer);
    return err ? core->fail_layer(L, &c->layer, err) : core->succeed(L);
}

static const luaL_Reg methods[] = {
    { "start", context_start }, { "reload", context_reload }, { "info", context_info }, { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", context_gc }, { "__tostring", context_tostring }, { NULL, NULL },
};

void lt_context_open(lua_State *L, const ls_LayerCore *core, int own) {
    lua_createtable(L, 0, 5);
    lua_pushvalue(L, own);
    core->enroll(L, metamethods);
    lua_newtable(L);
    lua_pushvalue(L, own);
    core->enroll(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "TLS context");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "TLS context");
    lua_setfield(L, -2, "__type");
    lua_rawseti(L, own, LT_OWN_CONTEXT);
}
