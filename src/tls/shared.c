/* What the library keeps for one Lua state. */
#include "shared.h"

#include <openssl/crypto.h>

lt_Shared *lt_shared_new(const ls_LayerCore *core) {
    lt_Shared *shared = OPENSSL_malloc(sizeof *shared);
    if (!shared) return NULL;
    shared->holders = 1;
    shared->core = core;
    shared->method = NULL;
    shared->system = NULL;
    return shared;
}

lt_Shared *lt_shared_hold(lt_Shared *shared) {
    shared->holders++;
    return shared;
}

void lt_shared_release(lt_Shared *shared) {
    if (!shared || --shared->holders > 0) return;
    BIO_meth_free(shared->method);
    X509_STORE_free(shared->system);
    OPENSSL_free(shared);
}

/* ---- of a Lua state ---- */

static lt_Place *place_of(lua_State *L) {
    lt_Place *place;
    lua_rawgeti(L, LT_OWN, LT_OWN_PLACE);
    place = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return place;
}

lt_Shared *lt_shared_get(lua_State *L) {
    return place_of(L)->shared;
}

const ls_LayerCore *lt_shared_core(lua_State *L) {
    return place_of(L)->core;
}

static int place_gc(lua_State *L) {
    lt_Place *place = lua_touserdata(L, 1);
    lt_shared_release(place->shared);
    place->shared = NULL;
    return 0;
}

void lt_shared_open(lua_State *L, const ls_LayerCore *core, int own) {
    lt_Place *place = ls_newuserdata(L, sizeof *place);
    place->core = core;
    place->shared = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, place_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    place->shared = lt_shared_new(core);
    if (!place->shared) luaL_error(L, "not enough memory");
    lua_rawseti(L, own, LT_OWN_PLACE);
}
