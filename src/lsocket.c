/* luaopen_lsocket: the table of contents. */
#include "lsocket.h"

#include "socket.h"
#include "state.h"

#define VERSION "2.0.0"

static void set_constant(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

LS_EXPORT int luaopen_lsocket(lua_State *L);

int luaopen_lsocket(lua_State *L) {
    lua_settop(L, 0);
    ls_state_open(L);
    ls_socket_open(L);
    ls_layered_open(L);
    lua_newtable(L);
    ls_bind_open(L);
    ls_steps_open(L);
    ls_wait_open(L);
    ls_descriptor_open(L);
    ls_select_open(L);
    ls_poller_open(L);
    ls_rings_open(L);
    ls_batch_open(L);
    ls_buffer_open(L);
    ls_message_open(L);
    ls_pass_open(L);
    ls_option_open(L);
    ls_mcast_open(L);
    ls_lookup_open(L);
    ls_signals_open(L);
    ls_address_open(L);
    ls_iface_open(L);
    ls_clock_open(L);
    set_constant(L, "INADDR_ANY", LS_ANY_IPV4);
    set_constant(L, "IN6ADDR_ANY", LS_ANY_IPV6);
    set_constant(L, "_VERSION", VERSION);
    return 1;
}
