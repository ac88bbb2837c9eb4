/* A collector that never rests, in every Lua. The allocator itself must not call it, so it is told that it is always
   late: the pause is none, and a step is the whole of a cycle. That this works is shown by counting cycles. */
#include "collect.h"

#include "inject.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { USUAL = 200 /* per cent */ };

static const char key; /* of the registry: the function that finalizers call */
static long cycles;

static void push_sentinel(lua_State *L);

/* A sentinel is garbage from the beginning, and is followed by the next one. What a finalizer allocates is not counted,
   as no collector runs in it. */
static int sentinel_gc(lua_State *L) {
    int armed = inject_is_armed();
    inject_arm(0);
    cycles++;
    push_sentinel(L);
    lua_pushlightuserdata(L, (void *)&key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_isfunction(L, -1) && lua_pcall(L, 0, 0, 0) != 0) {
        printf("FAILED  a finalizer: %s\n", lua_tostring(L, -1));
        exit(1);
    }
#if LUA_VERSION_NUM == 502
    lua_gc(L, LUA_GCRESTART, 0); /* what was allocated here has bought it a rest */
#endif
    inject_arm(armed);
    return 0;
}

static void push_sentinel(lua_State *L) {
    lua_newuserdata(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, sentinel_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
}

/* How long it rests and how fast it works, in per cent. */
static void set_pace(lua_State *L, int pause, int speed) {
#if LUA_VERSION_NUM >= 505
    lua_gc(L, LUA_GCPARAM, LUA_GCPPAUSE, pause);
    lua_gc(L, LUA_GCPARAM, LUA_GCPSTEPMUL, speed);
#else
    lua_gc(L, LUA_GCSETPAUSE, pause);
    lua_gc(L, LUA_GCSETSTEPMUL, speed);
#endif
}

static void hook(lua_State *L, lua_Debug *where) {
    (void)where;
    lua_gc(L, LUA_GCCOLLECT, 0);
}

static void set_function(lua_State *L) {
    lua_pushlightuserdata(L, (void *)&key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void collect_always(lua_State *L, int instructions) {
    set_function(L);
    push_sentinel(L);
    lua_pop(L, 1);
#if LUA_VERSION_NUM == 504
    set_pace(L, 0, 1000);
    lua_gc(L, LUA_GCINC, 0, 0, 40); /* as much work as 2^40 bytes ask for; 0: that stays */
#elif LUA_VERSION_NUM == 503 || LUA_VERSION_NUM == 502
    set_pace(L, 0, INT_MAX);
#else
    set_pace(L, 0, 0); /* no end within a cycle */
#endif
    lua_gc(L, LUA_GCCOLLECT, 0); /* or the usual pause would come first */
    if (instructions) lua_sethook(L, hook, LUA_MASKCOUNT, instructions);
}

void collect_rarely(lua_State *L) {
    lua_sethook(L, NULL, 0, 0);
    lua_pushnil(L);
    set_function(L);
    set_pace(L, USUAL, USUAL);
}

long collect_cycles(void) { return cycles; }
