/* What each file adds to the module table on top of the stack, while the library opens. */
#ifndef LS_LSOCKET_H
#define LS_LSOCKET_H

#include "compat.h"

#define LS_ANY_IPV4 "0.0.0.0"
#define LS_ANY_IPV6 "::"

void ls_layered_open(lua_State *L); /* before pollers */
void ls_bind_open(lua_State *L);
void ls_steps_open(lua_State *L);
void ls_wait_open(lua_State *L);
void ls_descriptor_open(lua_State *L);
void ls_select_open(lua_State *L);
void ls_poller_open(lua_State *L);
void ls_rings_open(lua_State *L);
void ls_batch_open(lua_State *L);
void ls_buffer_open(lua_State *L);
void ls_message_open(lua_State *L);
void ls_pass_open(lua_State *L);
void ls_option_open(lua_State *L);
void ls_mcast_open(lua_State *L);
void ls_lookup_open(lua_State *L);
void ls_signals_open(lua_State *L);
void ls_address_open(lua_State *L);
void ls_iface_open(lua_State *L);
void ls_clock_open(lua_State *L);

/* Is the value at this place of the stack a buffer that has bytes? */
int ls_buffer_isfilled(lua_State *L, int index);

/* A descriptor is about to be given up: requests of rings that it has end. For ls_state_forget. */
void ls_rings_forget(lua_State *L, int fd);

#endif
