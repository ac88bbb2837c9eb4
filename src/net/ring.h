/* Linux's io_uring(7): requests that the kernel gets all at once, in the call that also waits for what has ended.
   A ring serves the thread that has opened it. Received bytes come in buffers that all requests share; sent ones are
   copied to blocks of the ring's own. So the kernel never writes to memory of the caller, nor reads it after a call. */
#ifndef LS_NET_RING_H
#define LS_NET_RING_H

#include "../config.h"

#if LS_HAVE_IO_URING
#include <stddef.h>
#include <stdint.h>

enum {
    LS_RING_RECEIVE = 4096, /* bytes that a request receives at most */
    LS_RING_SEND = 4096,    /* bytes that a request sends at most */
    LS_RING_NOBUFFER = -1
};

/* An id is any number, but for this bit: requests that accept have it, and no others. */
#define LS_RING_ACCEPTS UINT64_C(1)

typedef struct ls_Ring ls_Ring;

/* What a request has come to. */
typedef struct ls_Done {
    uint64_t id; /* what the request was given */
    int result;  /* bytes, events or a new descriptor, which is the caller's; or a negative errno */
    int buffer;  /* which one the bytes are in, to be given back; or LS_RING_NOBUFFER */
    int more;    /* it goes on, and comes to more */
} ls_Done;

/* 0 or an errno: ENOSYS where there is none, or only an older one; EPERM where it is forbidden; ENOMEM, EMFILE. */
int ls_ring_open(ls_Ring **ring);

/* Cancels what is left, and returns when the kernel is done with the ring's memory. Descriptors that were accepted and
   not fetched are closed. */
void ls_ring_close(ls_Ring *ring);

/* Is this the process that has opened it? In another one, the child of a fork, it can only be closed: all else fails
   with EBADF, and does not reach the parent's. */
int ls_ring_isours(const ls_Ring *ring);

/* Requests. They begin when ls_ring_enter is called; those of one kind, in their order. 0 or an errno; EAGAIN: the
   kernel takes none now.
   receive: 1 to size bytes, once there are any; result 0: the end. -ENOBUFS: bytes are there, but no buffer was.
   send: size bytes of the block, all of them; where it fails or is cancelled in between, as many as were sent. The
   block is the caller's again at the end.
   accept: one descriptor after another, close-on-exec and non-blocking, until it fails or is cancelled. It may end with
   a descriptor, too.
   poll: events of poll(2), once. */
int ls_ring_receive(ls_Ring *ring, int fd, uint64_t id, size_t size);
int ls_ring_send(ls_Ring *ring, int fd, uint64_t id, int block, size_t size);
int ls_ring_accept(ls_Ring *ring, int fd, uint64_t id);
int ls_ring_poll(ls_Ring *ring, int fd, uint64_t id, int events);

/* Has the request with that id end soon, if it has not: with -ECANCELED, or with what it has come to. */
int ls_ring_cancel(ls_Ring *ring, uint64_t id);

/* A block for a request to send, LS_RING_SEND bytes; -1: there is none. */
int ls_ring_takeblock(ls_Ring *ring);
char *ls_ring_block(ls_Ring *ring, int block);
void ls_ring_givebackblock(ls_Ring *ring, int block);

/* The bytes in a buffer, until it is given back; NULL in another process. */
const char *ls_ring_buffer(const ls_Ring *ring, int buffer);
void ls_ring_giveback(ls_Ring *ring, int buffer);

/* Begins all requests, and waits until one has ended, at most so many seconds (negative: for ever). 0 also when the
   time is over, or earlier; EINTR: a signal has come; EEXIST: another thread has opened the ring. */
int ls_ring_enter(ls_Ring *ring, double seconds);

/* What was not fetched yet; 0: nothing. What nobody fetches, the kernel keeps. */
int ls_ring_fetch(ls_Ring *ring, ls_Done *done);

#endif
#endif
