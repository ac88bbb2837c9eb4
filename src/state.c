/* What the library keeps for one Lua state. Which fields there are is said in the header. */
#include "state.h"

#include <stdint.h>

void ls_state_release(ls_Owner *owner) {
    if (owner->thing) owner->release(owner->thing);
    owner->thing = NULL;
}

/* No function but the collector reaches an owner, and debug.getmetatable finds none without one. */
static int owner_gc(lua_State *L) {
    ls_state_release(lua_touserdata(L, 1));
    return 0;
}

void *ls_state_finalized(lua_State *L, int index, size_t size, const void *magic, int field) {
    void *object = ls_state_object(L, index, size, magic);
    int same;
    if (!object || !lua_getmetatable(L, index)) return NULL;
    lua_rawgeti(L, LS_STATE, field);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? object : NULL;
}

void ls_state_open(lua_State *L) {
    lua_createtable(L, LS_STATE_SIZE, 0);
    lua_newtable(L);
    lua_pushcfunction(L, owner_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_OWNER);
}

void ls_state_register(lua_State *L, const luaL_Reg *functions) {
    for (; functions->name; functions++) {
        lua_pushvalue(L, LS_OPEN_STATE);
        lua_pushcclosure(L, functions->func, 1);
        lua_setfield(L, -2, functions->name);
    }
}

void ls_state_class(lua_State *L, int field, const char *type, const luaL_Reg *methods, const luaL_Reg *metamethods) {
    lua_createtable(L, 0, 8);
    lua_createtable(L, 0, 64); /* roomy: few keys share a place, and none moves when others are added */
    ls_state_register(L, methods);
    lua_setfield(L, -2, "__index");
    ls_state_register(L, metamethods);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__type");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_rawseti(L, LS_OPEN_STATE, field);
}

void ls_state_forget(lua_State *L, int fd, int index) {
    lua_pushvalue(L, index);
    lua_rawgeti(L, LS_STATE, LS_STATE_FORGET);
    lua_insert(L, -2);
    lua_pushinteger(L, fd);
    lua_insert(L, -2);
    lua_call(L, 2, 0);
}

void ls_state_pushlist(lua_State *L, const void *key) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void *ls_state_lend(lua_State *L, int field, size_t size) {
    lua_rawgeti(L, LS_STATE, field);
    if (lua_rawlen(L, -1) < size) {
        lua_pop(L, 1);
        return ls_newuserdata(L, size);
    }
    lua_pushnil(L);
    lua_rawseti(L, LS_STATE, field);
    return lua_touserdata(L, -1);
}

void ls_state_giveback(lua_State *L, int field, int index) {
    lua_pushvalue(L, index);
    lua_rawseti(L, LS_STATE, field);
}

ls_Owner *ls_state_own(lua_State *L, void (*release)(void *thing)) {
    ls_Owner *owner = ls_newuserdata(L, sizeof *owner);
    owner->thing = NULL;
    owner->release = release;
    lua_rawgeti(L, LS_STATE, LS_STATE_OWNER);
    lua_setmetatable(L, -2);
    return owner;
}
