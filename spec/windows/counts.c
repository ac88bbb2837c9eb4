/* What spec/process.lua reads from /proc elsewhere: the handles of this process, and its memory. */
#include <windows.h>

#include <psapi.h>

#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

enum { STEP = 4, GAP = 1000 * STEP }; /* of the numbers of handles; no gap among those that are open is as wide */

/* handles() -> how many are open: Wine does not tell it, so each is asked for. */
static int handles(lua_State *L) {
    lua_Integer count = 0;
    uintptr_t number, last = 0;
    DWORD flags;
    for (number = STEP; number < last + GAP; number += STEP) {
        if (!GetHandleInformation((HANDLE)number, &flags)) continue;
        last = number;
        count++;
    }
    lua_pushinteger(L, count);
    return 1;
}

/* memory() -> bytes of the process that are in memory */
static int memory(lua_State *L) {
    PROCESS_MEMORY_COUNTERS counters;
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters))
        return luaL_error(L, "no figure of memory");
    lua_pushinteger(L, (lua_Integer)counters.WorkingSetSize);
    return 1;
}

__declspec(dllexport) int luaopen_counts(lua_State *L) {
    static const luaL_Reg functions[] = { { "handles", handles }, { "memory", memory }, { NULL, NULL } };
    luaL_newlib(L, functions);
    return 1;
}
