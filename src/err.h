/* Failures -> Lua results. The only place that builds an error result. Each function answers how many values it
   pushed, for a C function to return. */
#ifndef LS_ERR_H
#define LS_ERR_H

#include "compat.h"

/* true */
int ls_succeed(lua_State *L);

/* nil, message, name;  err: an errno or LS_EAI(code) */
int ls_fail(lua_State *L, int err);

/* the same with a text of our own, where the system has none that fits */
int ls_fail_text(lua_State *L, int err, const char *text);

/* the same with a name of our own, too: what a layer reports */
int ls_fail_named(lua_State *L, const char *text, const char *name);

/* Pushes the symbol of an errno or LS_EAI(code). */
void ls_err_pushname(lua_State *L, int err);

/* false where the call would block, else as ls_fail */
int ls_fail_io(lua_State *L, int err);

/* true or, where err is not 0, as ls_fail */
int ls_result(lua_State *L, int err);

#endif
