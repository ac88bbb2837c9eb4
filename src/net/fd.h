/* The system calls, once each: descriptors that are close-on-exec and never block, calls that repeat after a signal,
   writes that raise no SIGPIPE. Each answers 0 or an errno; the out-parameters hold results only where it is 0. */
#ifndef LS_NET_FD_H
#define LS_NET_FD_H

#include "addr.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/uio.h>

int ls_fd_socket(int family, int type, int *fd);
int ls_fd_accept(int listener, int *fd, ls_Addr *peer);

/* An abstract name of no bytes: the system chooses one (autobind, unix(7)). */
int ls_fd_bind(int fd, const ls_Addr *addr);
int ls_fd_listen(int fd, int backlog);

/* What an open descriptor is. It becomes close-on-exec and non-blocking. 0 or an errno. */
typedef struct ls_Kind {
    int family, type; /* AF_UNSPEC and 0: it is no socket */
    int listening;    /* or a datagram socket without a peer */
} ls_Kind;
int ls_fd_adopt(int fd, ls_Kind *kind);

/* "pipe", "tty", "file": what a descriptor is that is no socket; "unknown" for others. */
const char *ls_fd_what(int fd);

/* Two connected unix domain sockets. */
int ls_fd_pair(int type, int fds[2]);

/* Another descriptor of the same thing. */
int ls_fd_dup(int fd, int *out);

/* on: programs that the process starts get the descriptor. */
int ls_fd_inherit(int fd, int on);

/* how: SHUT_RD, SHUT_WR, SHUT_RDWR */
int ls_fd_shutdown(int fd, int how);

/* 0 also where the connection is still being made: the descriptor becomes writable, ls_fd_error tells the outcome. */
int ls_fd_connect(int fd, const ls_Addr *addr);

/* Takes a datagram socket its peer. */
int ls_fd_disconnect(int fd);

/* The descriptor is gone whatever the answer. */
int ls_fd_close(int fd);

/* how: 0, or what applies of these, for a socket that is no stream, and for data that stays where it is.
   *n: how many bytes came. A datagram that is longer than size is cut, and *n is its true length where the platform
   tells it, so *n may exceed size. peer (may be NULL): peer->len is 0 where the sender has no address. */
enum { LS_FD_DATAGRAM = 1, LS_FD_PEEK = 2 };
LS_HOT int ls_fd_recv(int fd, int how, void *data, size_t size, size_t *n, ls_Addr *peer);

/* to: NULL for the connected peer. */
LS_HOT int ls_fd_send(int fd, const void *data, size_t size, size_t *n, const ls_Addr *to);

/* The same for data in several places, at most 1024; of a datagram they are one. */
int ls_fd_sendpieces(int fd, struct iovec *pieces, unsigned short count, size_t *n);

/* Sends bytes of a file to a stream. The file's own position is neither used nor moved. *n may be less than count, and
   is 0 at the end of the file. */
int ls_fd_sendfile(int fd, int file, int64_t offset, size_t count, size_t *n);

/* Reads a file from there, without its own position. *n is 0 at its end. */
int ls_fd_readat(int file, void *data, size_t size, int64_t offset, size_t *n);

/* Is there such a descriptor in this process? */
int ls_fd_isopen(int fd);

/* Receiving gave 0 bytes of a SOCK_SEQPACKET: is it the end, and not an empty record? Only where empty records stand at
   the very end, and the peer has closed, they are taken for it: nothing tells them apart then. */
int ls_fd_ended(int fd);

/* What waits to be read, in bytes; for datagrams at least the length of the first. */
int ls_fd_pending(int fd, size_t *n);

/* The error that waits in SO_ERROR (0: none), or why it cannot be had. Reading clears it. */
int ls_fd_error(int fd);

int ls_fd_local(int fd, ls_Addr *addr);
int ls_fd_peer(int fd, ls_Addr *addr);

/* setsockopt(2) and getsockopt(2). *size: the room, then how much is there; it never exceeds the room. */
int ls_fd_setopt(int fd, int level, int option, const void *value, size_t size);
int ls_fd_getopt(int fd, int level, int option, void *value, size_t *size);

/* The same for a C int. */
int ls_fd_setint(int fd, int level, int option, int value);
int ls_fd_getint(int fd, int level, int option, int *value);

/* Seconds since some moment, by a clock that nobody sets: CLOCK_MONOTONIC. */
double ls_fd_now(void);

/* Seconds since 1970, by the clock that tells the time of day: CLOCK_REALTIME. */
double ls_fd_time(void);

/* The time left, in milliseconds, as poll(2) and its like take it: rounded up, -1 for ever, at most some 24 days. */
LS_HOT int ls_fd_milliseconds(double left) {
    return left < 0 ? -1 : left < INT_MAX ? (int)left + ((int)left < left) : INT_MAX;
}

/* poll(2) with a time in seconds, rounded up to milliseconds; negative: for ever. *ready may be 0. EINTR: a signal has
   come, and nothing is ready. */
int ls_fd_poll(struct pollfd *fds, size_t count, double seconds, int *ready);

/* ---- the hot path: inline, so that it costs little more than the system call ---- */

#if LS_HAVE_MSG_NOSIGNAL
#define LS_FD_SEND_FLAGS MSG_NOSIGNAL
#else
#define LS_FD_SEND_FLAGS 0
#endif

/* Holds SIGPIPE back for the length of a call, and takes the one that the call brought. */
typedef struct ls_Held {
    sigset_t mask;
    int waiting; /* one was pending before: not ours to take */
} ls_Held;
void ls_fd_hold(ls_Held *held);
ssize_t ls_fd_release(const ls_Held *held, ssize_t result);

/* A statement: makes the call, whose result goes to that variable. */
#if LS_HAVE_MSG_NOSIGNAL || LS_HAVE_SO_NOSIGPIPE
#define LS_FD_WITHOUT_SIGPIPE(result, call) (result) = (call)
#else
#define LS_FD_WITHOUT_SIGPIPE(result, call) \
    do { \
        ls_Held held; \
        ls_fd_hold(&held); \
        (result) = ls_fd_release(&held, (call)); \
    } while (0)
#endif

/* The same after a first failure, which errno tells: again, if it was a signal; with read(2) and write(2), if it is no
   socket. */
int ls_fd_recvagain(int fd, int flags, void *data, size_t size, size_t *n, ls_Addr *peer);
int ls_fd_sendagain(int fd, const void *data, size_t size, size_t *n, const ls_Addr *to);

LS_HOT ssize_t ls_fd_recvonce(int fd, int flags, void *data, size_t size, ls_Addr *peer) {
    if (!peer) return recv(fd, data, size, flags);
    peer->len = sizeof peer->u;
    return recvfrom(fd, data, size, flags, &peer->u.sa, &peer->len);
}

LS_HOT int ls_fd_recv(int fd, int how, void *data, size_t size, size_t *n, ls_Addr *peer) {
    int flags = (LS_HAVE_TRUE_LENGTH && how & LS_FD_DATAGRAM ? MSG_TRUNC : 0) | (how & LS_FD_PEEK ? MSG_PEEK : 0);
    ssize_t got = ls_fd_recvonce(fd, flags, data, size, peer);
    *n = (size_t)got;
    return LS_LIKELY(got >= 0) ? 0 : ls_fd_recvagain(fd, flags, data, size, n, peer);
}

LS_HOT ssize_t ls_fd_sendonce(int fd, const void *data, size_t size, const ls_Addr *to) {
    ssize_t sent;
    if (!to) LS_FD_WITHOUT_SIGPIPE(sent, send(fd, data, size, LS_FD_SEND_FLAGS));
    else LS_FD_WITHOUT_SIGPIPE(sent, sendto(fd, data, size, LS_FD_SEND_FLAGS, &to->u.sa, to->len));
    return sent;
}

LS_HOT int ls_fd_send(int fd, const void *data, size_t size, size_t *n, const ls_Addr *to) {
    ssize_t sent = ls_fd_sendonce(fd, data, size, to);
    *n = (size_t)sent;
    return LS_LIKELY(sent >= 0) ? 0 : ls_fd_sendagain(fd, data, size, n, to);
}

#endif
