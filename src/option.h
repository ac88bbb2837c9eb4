/* Options of sockets by name. Reading a value may raise, setting it never does, so what is read before a socket is
   opened can be set while something of the C library's is held. */
#ifndef LS_OPTION_H
#define LS_OPTION_H

#include "net/fd.h"
#include "net/fork.h"
#include "option_kinds.h"
#include "socket.h"

/* The option of that name, or NULL. */
const ls_Option *ls_option_find(const char *name, size_t len);

/* Reads the value at this place of the stack, where it must stay while the setting is used. Answers NULL, or what is
   wrong with it (a text on the stack). */
const char *ls_option_read(lua_State *L, int index, const ls_Option *option, ls_Setting *setting);

/* Sets it on an open socket whose family and type are known. 0 or an errno. */
int ls_option_apply(ls_Socket *s, const ls_Setting *setting);

/* Finds out which of the options that the socket's flags mirror are on. */
void ls_option_mirror(ls_Socket *s);

/* The flags that mirror options, as they are now: LS_SOCKET_GRO, LS_SOCKET_SEGMENT. */
LS_HOT int ls_option_mirrored(ls_Socket *s) {
    if (s->flags & LS_SOCKET_SHARED) ls_option_mirror(s);
    return s->flags & (LS_SOCKET_GRO | LS_SOCKET_SEGMENT);
}

/* Can a part of the first message have been taken? Where nobody else has the socket, the kernel need not be asked. */
LS_HOT int ls_option_isparted(const ls_Socket *s) {
    return s->flags & (LS_SOCKET_PARTED | LS_SOCKET_SHARED) || ls_fork_copies > 0;
}

/* ls_fd_recv, but for a datagram socket whose gro is on each datagram comes by itself; data has LS_SOCKET_RECEIVE bytes
   of room, or is a stream's. */
int ls_option_recvpart(ls_Socket *s, int how, void *data, size_t size, size_t *n, ls_Addr *peer);
LS_HOT int ls_option_recv(ls_Socket *s, int how, void *data, size_t size, size_t *n, ls_Addr *peer) {
    if (LS_LIKELY(!(s->flags & (LS_SOCKET_GRO | LS_SOCKET_SHARED)))) return ls_fd_recv(s->fd, how, data, size, n, peer);
    return ls_option_recvpart(s, how, data, size, n, peer);
}

/* ls_fd_send and ls_fd_sendpieces, but a datagram is never cut, whatever segment is. */
enum { LS_OPTION_CUTS = LS_SOCKET_SEGMENT | LS_SOCKET_SHARED };
int ls_option_send(ls_Socket *s, const void *data, size_t size, size_t *n, const ls_Addr *to);
int ls_option_sendpieces(ls_Socket *s, struct iovec *pieces, unsigned short count, size_t *n);

#endif
