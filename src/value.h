/* Lua values <-> C values: arguments checked, addresses pushed. A wrong argument raises an error that names it. */
#ifndef LS_VALUE_H
#define LS_VALUE_H

#include "compat.h"
#include "net/addr.h"
#include "net/unix.h"

#include <limits.h>
#include <stdint.h>

/* luaL_typeerror, which not every Lua has. Does not return. */
int ls_value_wrongtype(lua_State *L, int arg, const char *expected);

/* What is wrong with a named argument of the table that is argument arg. Does not return. */
int ls_value_refuse(lua_State *L, int arg, const char *name, const char *problem);

/* Each reads the value at this place of the stack and answers NULL, or what is wrong with it (a text on the stack).
   int: an integer from low to high, or a string that reads as one; what: its name.
   port: an integer from 0 to 65535, or a string of digits.
   address: a string without NUL bytes, unless it is an abstract name. */
const char *ls_value_readint(lua_State *L, int index, const char *what, int low, int high, int *value);
const char *ls_value_readport(lua_State *L, int index, int *port);
const char *ls_value_readaddress(lua_State *L, int index, const char **address, size_t *len);

/* interface: its name, its index (a positive integer), or a numeric address that it has. *err: whether there is one, as
   ls_iface_find says. */
const char *ls_value_readinterface(lua_State *L, int index, unsigned *interface, int *err);

/* Raises where a reader has found something wrong with argument arg. */
void ls_value_accept(lua_State *L, int arg, const char *problem);

/* The same for an argument; these raise. */
int ls_value_int(lua_State *L, int arg, const char *what, int low, int high);
int ls_value_port(lua_State *L, int arg);
const char *ls_value_address(lua_State *L, int arg, size_t *len);

/* The port that goes with an address, which a path or abstract name does without: 0 where none is given. */
unsigned ls_value_portof(lua_State *L, const char *address, size_t len, int arg);

#define LS_VALUE_EXACT 9007199254740992.0 /* 2^53: up to here a double holds every integer */

/* An integer of any size, or a string that reads as one; beyond LS_VALUE_EXACT it may be rounded. fallback as below. */
lua_Number ls_value_whole(lua_State *L, int arg, const char *what, lua_Number fallback);

/* A count of bytes: 0 to 2^31 - 1. fallback: what it is where the argument is absent or nil. */
size_t ls_value_anysize(lua_State *L, int arg, size_t fallback);
LS_HOT size_t ls_value_size(lua_State *L, int arg, size_t fallback) {
    lua_Integer size = ls_tointeger(L, arg);
    return LS_LIKELY(size > 0 && size <= INT_MAX) ? (size_t)size : ls_value_anysize(L, arg, fallback);
}

/* "r", "w" or "rw": 1, 2 or both, as poll.h and shutdown have them. */
int ls_value_events(lua_State *L, int arg);

/* Ends an array that was refilled: clears what is left of the one before. */
LS_HOT void ls_value_cut(lua_State *L, int table, int n) {
    int old = (int)lua_rawlen(L, table);
    for (; old > n; old--) {
        lua_pushnil(L);
        lua_rawseti(L, table, old);
    }
}

/* A time to wait for, in seconds; negative: for ever, as where it is absent or nil. anytimeout: the same where it is no
   number, or NaN. */
double ls_value_anytimeout(lua_State *L, int arg);
LS_HOT double ls_value_timeout(lua_State *L, int arg) {
    int given;
    double timeout = ls_tonumber(L, arg, &given);
    return LS_LIKELY(given && timeout == timeout) ? timeout : ls_value_anytimeout(L, arg);
}

/* Pushes the address as text; zone: with its %zone. */
void ls_value_pushtext(lua_State *L, const ls_Addr *addr, int zone);

/* Pushes address and port as accept and recvfrom give them: nil, nil where there is no address. */
void ls_value_pushpeer(lua_State *L, const ls_Addr *addr);

/* Pushes a table { family = , addr = }. */
void ls_value_pushrecord(lua_State *L, const ls_Addr *addr, int zone);

/* Pushes a number that may be larger than an integer of Lua, which has 32 bits in 5.1 on machines of 32 bits. */
void ls_value_pushunsigned(lua_State *L, uint64_t value);

/* Pushes a table { pid = , uid = , gid = }. */
void ls_value_pushcredentials(lua_State *L, const ls_Credentials *who);

/* The descriptor of a file of Lua's io library; LS_VALUE_CLOSED: it is closed; LS_VALUE_NOFILE: it is none.
   openfile: of an argument, and raises where it is closed. */
enum { LS_VALUE_CLOSED = -1, LS_VALUE_NOFILE = -2 };
int ls_value_file(lua_State *L, int index);
int ls_value_openfile(lua_State *L, int arg);

/* "inet", "inet6", "unix", "unknown" */
const char *ls_value_family(int family);

/* "tcp", "udp", "seqpacket", in any case of letters -> SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET; 0 for another name.
   typename: back; "unknown" for another type. */
int ls_value_type(const char *name);
const char *ls_value_typename(int type);

#endif
