/* lsocket.now: the time, for measuring how much of it passes. lsocket.time: the time of day, with a fraction. */
#include "lsocket.h"
#include "net/fd.h"
#include "state.h"

/* lsocket.now() -> seconds */
static int core_now(lua_State *L) {
    lua_pushnumber(L, ls_fd_now());
    return 1;
}

/* lsocket.time() -> seconds since 1970 */
static int core_time(lua_State *L) {
    lua_pushnumber(L, ls_fd_time());
    return 1;
}

static const luaL_Reg functions[] = { { "now", core_now }, { "time", core_time }, { NULL, NULL } };

void ls_clock_open(lua_State *L) {
    ls_state_register(L, functions);
}
