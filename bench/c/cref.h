/* cref: the C reference as a Lua module. Each file of bench/c/ without a main has a table of functions, listed here and
   in cref.c. They do what a workload does with the same system calls, on descriptors that Lua gives them. */
#ifndef CREF_H
#define CREF_H

#include <lauxlib.h>
#include <lua.h>

extern const luaL_Reg cref_tcp[];
extern const luaL_Reg cref_select_functions[];
extern const luaL_Reg cref_churn[];
extern const luaL_Reg cref_memory[];
extern const luaL_Reg cref_instructions[];
extern const luaL_Reg cref_udp[];
extern const luaL_Reg cref_buffer[];

/* An integer argument: a descriptor, a count, a size. */
int cref_int(lua_State *L, int arg);

/* Raises what errno says: a benchmark that fails has measured nothing. */
int cref_fail(lua_State *L, const char *call);

#endif
