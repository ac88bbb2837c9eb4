/* The table of contents of cref, its clocks, and what the workloads need of the system beside what they measure. */
#include "cref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int cref_int(lua_State *L, int arg) {
    return (int)luaL_checkinteger(L, arg);
}

int cref_fail(lua_State *L, const char *call) {
    return luaL_error(L, "%s: %s", call, strerror(errno));
}

static int push_seconds(lua_State *L, clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

/* cref.clock() -> seconds that have passed since some moment */
static int cref_clock(lua_State *L) {
    return push_seconds(L, CLOCK_MONOTONIC);
}

/* cref.cpu() -> seconds of processor time that the process has used */
static int cref_cpu(lua_State *L) {
    return push_seconds(L, CLOCK_PROCESS_CPUTIME_ID);
}

/* cref.dup(fd) -> another descriptor for the same socket, for a library that wants to own one */
static int cref_dup(lua_State *L) {
    int fd = fcntl(cref_int(L, 1), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return cref_fail(L, "fcntl");
    lua_pushinteger(L, fd);
    return 1;
}

/* cref.close(fd) */
static int cref_close(lua_State *L) {
    return close(cref_int(L, 1)) < 0 ? cref_fail(L, "close") : 0;
}

static const luaL_Reg cref_system[] = {
    { "clock", cref_clock }, { "cpu", cref_cpu }, { "dup", cref_dup }, { "close", cref_close }, { NULL, NULL },
};

static const luaL_Reg *const tables[] = {
    cref_system, cref_tcp, cref_select_functions, cref_churn, cref_memory, cref_instructions, cref_udp,
    cref_buffer,
};

/* A loop, as luaL_register and luaL_setfuncs are not in every Lua. */
__attribute__((visibility("default"))) int luaopen_cref(lua_State *L);
int luaopen_cref(lua_State *L) {
    size_t i;
    const luaL_Reg *f;
    lua_newtable(L);
    for (i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (f = tables[i]; f->name; f++) {
            lua_pushcfunction(L, f->func);
            lua_setfield(L, -2, f->name);
        }
    }
    return 1;
}
