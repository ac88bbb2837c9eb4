/* A collector that never rests, for spec/torture/main.c; test code only. */
#ifndef TORTURE_COLLECT_H
#define TORTURE_COLLECT_H

#include <lua.h>

/* From now on a whole cycle runs wherever Lua looks whether it is time for one, which is at nearly every allocation,
   and, unless it is 0, after every so many instructions. Pops a function, which a finalizer calls after each cycle. */
void collect_always(lua_State *L, int instructions);

/* Back to Lua's usual pace. */
void collect_rarely(lua_State *L);

long collect_cycles(void); /* that have ended, since the program started */

#endif
