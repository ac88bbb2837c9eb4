/* Bytes that nobody has encrypted, certificates that are none: tls.lua decodes the input into calls of lsocket.tls.
   Here is what it runs in, and what is looked at after each input: the descriptors. */
#include "fuzz.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

enum { RUN = 1 };

int luaopen_lsocket(lua_State *L);
int luaopen_lsocket_tls(lua_State *L);

static lua_State *L;

/* The stack is left with the function that tls.lua returns. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "lsocket", luaopen_lsocket, 0);
    luaL_requiref(L, "lsocket.tls", luaopen_lsocket_tls, 0);
    lua_settop(L, 0);
    if (luaL_dofile(L, "spec/fuzz/tls.lua") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return 1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int descriptors;
    lua_gc(L, LUA_GCCOLLECT, 0);
    descriptors = fuzz_descriptors();
    lua_pushvalue(L, RUN);
    lua_pushlstring(L, (const char *)data, size);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        fuzz_require(0, "nothing is wrong");
    }
    lua_gc(L, LUA_GCCOLLECT, 0);
    fuzz_require_descriptors(descriptors);
    return 0;
}
