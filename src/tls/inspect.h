/* The methods that sockets get for TLS. */
#ifndef LT_INSPECT_H
#define LT_INSPECT_H

#include "../compat.h"

/* The connection under the socket that is argument 1; NULL: it has none. Raises where it is no socket. */
struct lt_Connection *lt_inspect_self(lua_State *L);

/* Pushes why there is none: the socket is closed, or has no TLS. */
int lt_inspect_failplain(lua_State *L);

int lt_inspect_tls(lua_State *L);
int lt_inspect_export(lua_State *L);
int lt_inspect_binding(lua_State *L);

#endif
