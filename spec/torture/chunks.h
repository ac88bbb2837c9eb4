/* The files in Lua that each state loads, compiled once. */
#ifndef TORTURE_CHUNKS_H
#define TORTURE_CHUNKS_H

#include <lua.h>

/* As luaL_loadfile. */
int chunks_load(lua_State *L, const char *path);

/* Has dofile and require of a state take them. */
void chunks_open(lua_State *L);

#endif
