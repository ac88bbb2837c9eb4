/* What a socket is asked to be: the arguments of bind, connect and socket, in order or by name. All of them are read,
   and each raises where it is wrong, before anything is opened; what comes after never raises. */
#ifndef LS_REQUEST_H
#define LS_REQUEST_H

#include "net/addr.h"
#include "option.h"
#include "socket.h"

/* Who asks, as the arguments that may be named differ. */
enum { LS_REQUEST_BIND = 1, LS_REQUEST_CONNECT = 2, LS_REQUEST_SOCKET = 4, LS_REQUEST_PLACE = 8 /* sock:bind */ };

/* What the pointers lead to is on the Lua stack. */
typedef struct ls_Request {
    int asker;
    int type; /* SOCK_... */
    int multicast, backlog;
    int ttl;    /* of multicast */
    int family; /* AF_UNSPEC: any */
    const char *address, *local; /* local: where a socket that connects is bound to; NULL: none was given */
    size_t len, local_len;
    int port, local_port; /* -1: none was given */
    int mode; /* permissions of a path; -1: what the umask leaves */
    int replace, inherit;
    ls_Setting *settings;
    int count, room; /* of the settings */
} ls_Request;

enum { LS_REQUEST_BACKLOG = 5 }; /* where none is given */

void ls_request_init(ls_Request *r, int asker);

/* Reads the table at this place of the stack, { name = value, ... }; all above it goes, and every value stays. */
void ls_request_read(lua_State *L, int table, ls_Request *r);

/* The argument after the type, where there is one. */
int ls_request_type(lua_State *L, int arg, ls_Request *r);

/* Reads [address], port, or a path and [port], from this argument on. Answers the argument behind. */
int ls_request_place(lua_State *L, int arg, ls_Request *r);

/* The same where an address must be given. */
int ls_request_peer(lua_State *L, int arg, ls_Request *r);

/* Read a type and a family by name, as the readers of value.h do. */
const char *ls_request_readtype(lua_State *L, int index, ls_Request *r);
const char *ls_request_readfamily(lua_State *L, int index, ls_Request *r);

/* Any address of the family, where none was given. */
void ls_request_default(ls_Request *r);

unsigned ls_request_port(int port); /* 0, that any will do, where none was given */

/* Does it contradict itself? Then the failure is pushed; answers how many values that are. */
int ls_request_refuse(lua_State *L, const ls_Request *r);

/* Opens the socket. 0 or an errno. */
int ls_request_open(const ls_Request *r, ls_Socket *s, int family);

/* Sets the options that were asked for. 0 or an errno. */
int ls_request_apply(const ls_Request *r, ls_Socket *s);

/* Binds the socket as far as a path's mode and dead file are concerned, too. 0 or an errno. */
int ls_request_bind(const ls_Request *r, const ls_Socket *s, const ls_Addr *addr);

#endif
