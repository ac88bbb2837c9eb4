/* The differences between Lua 5.1 .. 5.5 and LuaJIT, and nothing else. */
#ifndef LS_COMPAT_H
#define LS_COMPAT_H

#include "config.h"

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM == 501
#define lua_rawlen lua_objlen
#endif

/* A userdata without user values, which would cost memory. */
#if LUA_VERSION_NUM >= 504
#define ls_newuserdata(L, size) lua_newuserdatauv((L), (size), 0)
#else
#define ls_newuserdata(L, size) lua_newuserdata((L), (size))
#endif

#endif
