/* The differences between Lua 5.1 .. 5.5 and LuaJIT, and nothing else. */
#ifndef LS_COMPAT_H
#define LS_COMPAT_H

#include "config.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#if LUA_VERSION_NUM == 501
#define lua_rawlen lua_objlen
#endif

/* The integer at this place of the stack, or 0 where there is none: in one call where Lua has integers. */
#if LUA_VERSION_NUM >= 503
#define ls_tointeger(L, index) lua_tointegerx((L), (index), NULL)
#else
static inline lua_Integer ls_tointeger(lua_State *L, int index) {
    lua_Number number = lua_tonumber(L, index);
    return number >= -0x7fffffff && number <= 0x7fffffff && number == (int)number ? (lua_Integer)number : 0;
}
#endif

/* The number at this place of the stack; *is: is there one? */
#if LUA_VERSION_NUM >= 502
#define ls_tonumber(L, index, is) lua_tonumberx((L), (index), (is))
#else
static inline lua_Number ls_tonumber(lua_State *L, int index, int *is) {
    *is = lua_isnumber(L, index);
    return lua_tonumber(L, index);
}
#endif

/* The thread of the state that is no coroutine, which Lua 5.1 does not tell: this one. */
#if LUA_VERSION_NUM >= 502
static inline lua_State *ls_mainthread(lua_State *L) {
    lua_State *thread;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    thread = lua_tothread(L, -1);
    lua_pop(L, 1);
    return thread;
}
#else
#define ls_mainthread(L) (L)
#endif

/* May the coroutine that runs yield here? Where Lua does not tell, 0. */
#if LUA_VERSION_NUM >= 503 || defined(LUA_JITLIBNAME)
#define ls_isyieldable(L) lua_isyieldable(L)
#else
#define ls_isyieldable(L) 0
#endif

/* Does lua_pushlstring copy the bytes before the collector may run a finalizer? */
#define LS_PUSH_COPIES_FIRST (LUA_VERSION_NUM >= 504)

/* The C file in an object of Lua's io library, which lua_touserdata tells; NULL: it is closed. */
static inline FILE *ls_tofile(void *object) {
#if LUA_VERSION_NUM >= 502
    luaL_Stream *stream = object;
    return stream->closef ? stream->f : NULL;
#else
    return *(FILE **)object; /* LuaJIT's has more fields behind it */
#endif
}

/* A userdata without user values, which would cost memory. */
#if LUA_VERSION_NUM >= 504
#define ls_newuserdata(L, size) lua_newuserdatauv((L), (size), 0)
#else
#define ls_newuserdata(L, size) lua_newuserdata((L), (size))
#endif

/* A userdata with one table of its own: pops the table that becomes it, pushes it. */
#if LUA_VERSION_NUM >= 504
#define ls_newuserdatawithtable(L, size) lua_newuserdatauv((L), (size), 1)
#define ls_setusertable(L, index) lua_setiuservalue((L), (index), 1)
#define ls_getusertable(L, index) lua_getiuservalue((L), (index), 1)
#elif LUA_VERSION_NUM >= 502
#define ls_newuserdatawithtable(L, size) lua_newuserdata((L), (size))
#define ls_setusertable(L, index) lua_setuservalue((L), (index))
#define ls_getusertable(L, index) lua_getuservalue((L), (index))
#else
#define ls_newuserdatawithtable(L, size) lua_newuserdata((L), (size))
#define ls_setusertable(L, index) lua_setfenv((L), (index))
#define ls_getusertable(L, index) lua_getfenv((L), (index))
#endif

#endif
