/* The socket object: a userdata that owns one descriptor. */
#ifndef LS_SOCKET_H
#define LS_SOCKET_H

#include "compat.h"
#include "layer.h"
#include "net/addr.h"
#include "state.h"

#include <errno.h>
#include <stdint.h>

typedef struct ls_Socket {
    const void *magic;    /* tells a socket from any other userdata without a look-up; or its layer */
    int fd;               /* -1: closed */
    unsigned family : 5;   /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: no socket but a pipe, a terminal ... */
    unsigned type : 3;     /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET; 0: no socket */
    unsigned flags : 8;    /* LS_SOCKET_... */
    unsigned segment : 16; /* its option, as far as the flags mirror it */
} ls_Socket;

enum {
    LS_SOCKET_BOUND = 1, /* made by bind, or it listens; of datagrams: without a peer */
    LS_SOCKET_MULTICAST = 2,
    LS_SOCKET_WATCHED = 4, /* pollers know it */
    LS_SOCKET_SEGMENT = 8, /* its option segment is not 0 */
    LS_SOCKET_GRO = 16,    /* its option gro is on */
    LS_SOCKET_SHARED = 32, /* others may have set these two since: who needs to know asks the kernel */
    LS_SOCKET_PARTED = 64, /* datagrams that came put together have been taken one by one */
    LS_SOCKET_ASKED = 128  /* it may have been asked for a connection, by this object or another one */
};

/* Pushes a socket that is born closed: open a descriptor into it, and any error after that leaks nothing. */
ls_Socket *ls_socket_new(lua_State *L);

/* Notes what it is; a family that is none of those above becomes one that no system has for them. */
LS_HOT void ls_socket_define(ls_Socket *s, int family, int type) {
    s->family = family < 31 ? (unsigned)family & 31U : 31U;
    s->type = (unsigned)type & 7U;
}

/* Gives a socket that was born closed an open descriptor, and finds out what it is. On failure it stays closed, and the
   descriptor the caller's. 0 or an errno. */
int ls_socket_adopt(ls_Socket *s, int fd);

/* Its descriptor is, or may be, another object's or process's, too: no flag mirrors an option for good,
   and others may ask for a connection. */
void ls_socket_share(ls_Socket *s);

/* Bytes without bounds, as those of a pipe are, too; everything else comes in records. */
LS_HOT int ls_socket_isstream(const ls_Socket *s) { return s->type == SOCK_STREAM || s->type == 0; }

/* More than any UDP datagram, and little enough for the C stack; what is larger is received into a block. */
enum { LS_SOCKET_RECEIVE = 65536 };

/* The size of the block to receive up to size bytes into, more than LS_SOCKET_RECEIVE: no larger than what waits. */
size_t ls_socket_room(const ls_Socket *s, size_t size);

/* Receiving gave 0 bytes where up to size were wanted: is it the end? */
int ls_socket_ended(const ls_Socket *s, size_t size);

/* The socket at this place of the stack, or NULL, whatever its state. Only from a function of the library. */
ls_Socket *ls_socket_test(lua_State *L, int index);

extern const char ls_socket_magics[LS_STATE_MAGICS];
ls_Socket *ls_socket_checkslowly(lua_State *L);

/* As ls_socket_test, but NULL for one that was finalized, and for one that has a layer: plain sockets pay nothing for
   there being layers. */
LS_HOT ls_Socket *ls_socket_find(lua_State *L, int index) {
    return ls_state_object(L, index, sizeof(ls_Socket), &ls_socket_magics[LS_STATE_ALIVE]);
}

/* The layer that is under a socket, or NULL. */
LS_HOT ls_Layer *ls_socket_layer(const ls_Socket *s) {
    const char *magic = s->magic;
    if (LS_LIKELY(magic == &ls_socket_magics[LS_STATE_ALIVE])) return NULL;
    return magic == &ls_socket_magics[LS_STATE_GONE] ? NULL : (ls_Layer *)(uintptr_t)magic;
}

/* What a socket with a layer cannot do, as it would go past it: EOPNOTSUPP; else 0. */
LS_HOT int ls_socket_refuse(const ls_Socket *s) { return ls_socket_layer(s) ? EOPNOTSUPP : 0; }

/* The one at this place of the stack, if it has a layer; else NULL. */
ls_Socket *ls_socket_testlayered(lua_State *L, int index);

/* Takes the socket its layer, if it has one; polite: says goodbye to the peer first. */
void ls_socket_unlayer(ls_Socket *s, int polite);

/* The rings of the layers of this state. */
ls_LayerRings *ls_socket_rings(lua_State *L);

/* What a call on this socket returns that has failed: false where it would block; else nil, message, name. */
int ls_socket_fail(lua_State *L, const ls_Socket *s, int err);

/* The first argument of every method; raises where it is no socket. */
LS_HOT ls_Socket *ls_socket_self(lua_State *L) {
    ls_Socket *s = ls_socket_find(L, 1);
    return LS_LIKELY(s) ? s : ls_socket_checkslowly(L);
}

/* The descriptor of anything that can be waited for: a socket, an integer, an object with a method getfd (which is
   called). LS_SOCKET_CLOSED: it has none any more; LS_SOCKET_NONE: it is no such thing. */
enum { LS_SOCKET_CLOSED = -1, LS_SOCKET_NONE = -2 };
int ls_socket_descriptor(lua_State *L, int index);

/* 0 or an errno; harmless on a closed one. */
int ls_socket_close(ls_Socket *s);

/* Takes the descriptor away from the socket, argument 1, which leaves its pollers and is as good as closed. Answers the
   descriptor, which the caller owns, or -1. */
int ls_socket_detach(lua_State *L, ls_Socket *s);

extern const luaL_Reg ls_send_methods[];    /* those that send, in send.c */
extern const luaL_Reg ls_receive_methods[]; /* those that receive, in receive.c */
int ls_send_write(lua_State *L);            /* what streams write with */
int ls_send_span(lua_State *L);             /* what lsocket.luasocket sends with */
int ls_quick_method(lua_State *L);          /* its methods in C, from Lua 5.2 on */
int ls_wait_yieldif(lua_State *L);          /* what tasks wait with */

/* What the methods recv, recvfrom, send (of all that is there) and sendto do to a socket without a layer: they push
   what these return, and answer how many values. */
int ls_receive(lua_State *L, ls_Socket *s, size_t size);
int ls_receive_from(lua_State *L, ls_Socket *s, size_t size);
int ls_send_all(lua_State *L, ls_Socket *s, const char *data, size_t len);
int ls_send_to(lua_State *L, ls_Socket *s, const char *data, size_t len, const ls_Addr *peer);

void ls_socket_open(lua_State *L);

/* Adds methods to sockets. Only while the library opens, after ls_socket_open. */
void ls_socket_extend(lua_State *L, const luaL_Reg *methods);

#endif
