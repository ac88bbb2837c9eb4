/* One ready socket among many, with poll(2). */
#include "cref.h"

#include <poll.h>

enum { MOST = 4096 };

/* cref.select(fds, count, n) -> ready: polls an array of n descriptors count times, and counts those that are ready */
static int cref_select(lua_State *L) {
    struct pollfd fds[MOST];
    nfds_t n = (nfds_t)cref_int(L, 3), at;
    int count = cref_int(L, 2), i, ready = 0;
    for (at = 0; at < n && at < MOST; at++) {
        lua_rawgeti(L, 1, (int)at + 1);
        fds[at].fd = cref_int(L, -1);
        fds[at].events = POLLIN;
        lua_pop(L, 1);
    }
    for (i = 0; i < count; i++) {
        if (poll(fds, at, 5000) < 1) return cref_fail(L, "poll");
        for (nfds_t k = 0; k < at; k++) ready += (fds[k].revents & POLLIN) != 0;
    }
    lua_pushinteger(L, ready);
    return 1;
}

const luaL_Reg cref_select_functions[] = { { "select", cref_select }, { NULL, NULL } };
