/* What busted uses of lua-system, for a Lua that the system's lua-system is not built for: see tools/fetch. */
#include <lauxlib.h>
#include <lua.h>
#include <time.h>

static int push_time(lua_State *L, clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

static int gettime(lua_State *L) { return push_time(L, CLOCK_REALTIME); }
static int monotime(lua_State *L) { return push_time(L, CLOCK_MONOTONIC); }

static int pause_for(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);
    struct timespec left = { (time_t)seconds, (long)((seconds - (lua_Number)(time_t)seconds) * 1e9) };
    nanosleep(&left, NULL);
    return 0;
}

int luaopen_system(lua_State *L);
int luaopen_system(lua_State *L) {
    static const luaL_Reg functions[] = {
        { "gettime", gettime }, { "monotime", monotime }, { "sleep", pause_for }, { NULL, NULL }
    };
    luaL_newlib(L, functions);
    return 1;
}
