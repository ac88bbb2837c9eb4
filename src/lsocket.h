/* What each file adds to the module table on top of the stack, while the library opens. */
#ifndef LS_LSOCKET_H
#define LS_LSOCKET_H

#include "compat.h"

#define LS_ANY_IPV4 "0.0.0.0"
#define LS_ANY_IPV6 "::"

void ls_bind_open(lua_State *L);
void ls_descriptor_open(lua_State *L);
void ls_select_open(lua_State *L);
void ls_poller_open(lua_State *L);
void ls_batch_open(lua_State *L);
void ls_buffer_open(lua_State *L);
void ls_message_open(lua_State *L);
void ls_pass_open(lua_State *L);
void ls_option_open(lua_State *L);
void ls_mcast_open(lua_State *L);
void ls_lookup_open(lua_State *L);
void ls_iface_open(lua_State *L);
void ls_clock_open(lua_State *L);

#endif
