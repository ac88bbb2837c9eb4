/* luaopen_lsocket_tls: the table of contents. */
#include "certificate.h"
#include "context.h"
#include "inspect.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/ssl.h>

LS_EXPORT int luaopen_lsocket_tls(lua_State *L);

/* sock:choose(context) -> true | nil, message, name */
static int sock_choose(lua_State *L) {
    lt_Connection *c = lt_inspect_self(L);
    lt_Context *context = lt_context_check(L, 2);
    const ls_LayerCore *core = lt_shared_core(L);
    int err;
    luaL_argcheck(L, context->setup->is_server, 2, "a server's context expected");
    if (!c) return lt_inspect_failplain(L);
    if (!lt_connection_asks(c)) return core->fail_text(L, EINVAL, "the handshake does not wait for a context");
    err = lt_connection_choose(c, context->setup);
    return err ? core->fail_layer(L, &c->layer, err) : core->succeed(L);
}

static const luaL_Reg functions[] = {
    { "client", lt_context_client },
    { "server", lt_context_server },
    { "certificate", lt_certificate_parse },
    { NULL, NULL },
};

static const luaL_Reg methods[] = {
    { "choose", sock_choose },
    { "tls", lt_inspect_tls },
    { "export", lt_inspect_export },
    { "binding", lt_inspect_binding },
    { NULL, NULL },
};

/* ---- opening ---- */

/* A socket may be collected after the library's turn to be unloaded, and then still needs its code. */
static void stay_loaded(void) {
    Dl_info self;
    if (dladdr(&lt_connection_type, &self)) dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

static const ls_LayerCore *find_core(lua_State *L) {
    const ls_LayerCore *core;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "lsocket");
    lua_call(L, 1, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, LS_LAYER_KEY);
    core = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!core || core->version != LS_LAYER_VERSION) luaL_error(L, "lsocket.tls and lsocket are of different versions");
    return core;
}

static void extend_sockets(lua_State *L, const ls_LayerCore *core, int own) {
    const luaL_Reg handshake[] = { { "handshake", core->handshake }, { NULL, NULL } };
    lua_pushvalue(L, own);
    core->extend(L, methods);
    lua_pushvalue(L, own);
    core->extend(L, handshake);
}

int luaopen_lsocket_tls(lua_State *L) {
    const ls_LayerCore *core;
    lua_settop(L, 0);
    core = find_core(L);
    if (!OPENSSL_init_ssl(0, NULL)) return luaL_error(L, "OpenSSL cannot be initialized");
    stay_loaded();
    lua_createtable(L, LT_OWN_SIZE, 0);
    lt_shared_open(L, core, 1);
    lt_context_open(L, core, 1);
    extend_sockets(L, core, 1);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    core->enroll(L, functions);
    return 1;
}
