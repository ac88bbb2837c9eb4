/* The system calls, once each: descriptors that are close-on-exec and never block, calls that repeat after a signal,
   writes that raise no SIGPIPE. Each answers 0 or an errno; results go through the out-parameters, set only on 0. */
#ifndef LS_NET_FD_H
#define LS_NET_FD_H

#include "addr.h"
#include <poll.h>

int ls_fd_socket(int family, int type, int *fd);
int ls_fd_accept(int listener, int *fd, ls_Addr *peer);
int ls_fd_bind(int fd, const ls_Addr *addr);
int ls_fd_listen(int fd, int backlog);

/* 0 also where the connection is still being made: the descriptor becomes writable, ls_fd_error tells the outcome. */
int ls_fd_connect(int fd, const ls_Addr *addr);

/* The descriptor is gone whatever the answer. */
int ls_fd_close(int fd);

/* *n: how many bytes came. A datagram that is longer than size is cut, and *n is its true length where the platform
   tells it, so *n may exceed size. peer (may be NULL): peer->len is 0 where the sender has no address. */
int ls_fd_recv(int fd, int datagram, void *data, size_t size, size_t *n, ls_Addr *peer);

/* to: NULL for the connected peer. */
int ls_fd_send(int fd, const void *data, size_t size, size_t *n, const ls_Addr *to);

/* What waits to be read, in bytes; for datagrams at least the length of the first. */
int ls_fd_pending(int fd, size_t *n);

/* The error that waits in SO_ERROR (0: none), or why it cannot be had. Reading clears it. */
int ls_fd_error(int fd);

int ls_fd_local(int fd, ls_Addr *addr);
int ls_fd_peer(int fd, ls_Addr *addr);

int ls_fd_setint(int fd, int level, int option, int value);

/* poll(2) with a time in seconds, rounded up to milliseconds; negative: for ever. EINTR ends it. *ready may be 0. */
int ls_fd_poll(struct pollfd *fds, size_t count, double seconds, int *ready);

#endif
