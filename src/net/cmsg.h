/* Control messages: what the kernel tells beside the data it hands over, and is told beside the data it takes.
   Functions that answer an int answer 0 or an errno, unless they say otherwise. */
#ifndef LS_NET_CMSG_H
#define LS_NET_CMSG_H

#include "addr.h"
#include "unix.h"
#include <stdint.h>
#include <sys/uio.h>

/* ---- one by one ---- */

typedef struct ls_Part {
    int level, type;
    const char *data; /* aligned for nothing */
    size_t size;
} ls_Part;

/* The control message at *place, from 0, which moves to the next one. Answers 0 where there is none. Whatever stands in
   the memory, nothing behind its end is read. */
int ls_cmsg_next(const struct msghdr *header, size_t *place, ls_Part *part);

/* Appends one to msg_control, behind msg_controllen bytes; there must be room. */
void ls_cmsg_put(struct msghdr *header, int level, int type, const void *data, size_t size);

/* ---- all that there is about a datagram ---- */

enum { /* the fields of an envelope that hold something */
    LS_HAS_LOCAL = 1,
    LS_HAS_INTERFACE = 2,
    LS_HAS_TTL = 4,
    LS_HAS_TOS = 8,
    LS_HAS_SEGMENT = 16,
    LS_HAS_TIME = 32,
    LS_HAS_CREDENTIALS = 64,
    LS_HAS_REPORT = 128
};

/* An error from the queue. */
typedef struct ls_Report {
    int err;
    int origin;     /* LS_ORIGIN_... */
    int type, code; /* of the ICMP message */
    unsigned mtu;   /* of the path, with EMSGSIZE; 0: not told */
    ls_Addr offender; /* who reported it; len is 0 for nobody */
} ls_Report;

enum { LS_ORIGIN_OTHER, LS_ORIGIN_LOCAL, LS_ORIGIN_ICMP, LS_ORIGIN_ICMP6 };

typedef struct ls_Envelope {
    unsigned has;       /* LS_HAS_... */
    int lost;           /* control data was lost: there was no room, or it was descriptors, which were closed */
    ls_Addr peer;       /* who sent it, or where it goes; len is 0 for nobody */
    ls_Addr local;      /* where it was sent to, or is sent from; port 0 */
    unsigned interface; /* its index */
    int ttl, tos;
    int segment;        /* the length of the datagrams that it consists of */
    double time;        /* when it came, in seconds since 1970 */
    ls_Credentials credentials; /* of the sender */
    ls_Report report;
} ls_Envelope;

/* Reads all control messages into the envelope, but for peer. Descriptors among them are closed. */
void ls_cmsg_read(const struct msghdr *header, ls_Envelope *envelope);

/* Receives data, and what the kernel tells about it because options asked for it. how: what applies of LS_FD_DATAGRAM
   and LS_CMSG_ERROR (from the queue of errors; peer is where the datagram in question was sent to).
   *n: as ls_fd_recv, but always more than size where the data was cut. */
enum { LS_CMSG_ERROR = 64 };
int ls_cmsg_recv(int fd, int how, void *data, size_t size, size_t *n, ls_Envelope *envelope);

/* Sends data as the envelope says: to peer, from local, by interface, with ttl, tos and segment; other fields are not
   looked at. family: the socket's. EAFNOSUPPORT: the addresses are of different families; ENOPROTOOPT: this platform
   cannot. */
int ls_cmsg_send(int fd, int family, const void *data, size_t size, const ls_Envelope *envelope, size_t *n);

/* ---- descriptors ---- */

enum { LS_CMSG_DESCRIPTORS = 253 }; /* Linux takes no more in a message */

/* Sends data and at most LS_CMSG_DESCRIPTORS descriptors with it. */
int ls_cmsg_sendfds(int fd, const void *data, size_t size, const int *fds, size_t count, size_t *n);

/* What came of descriptors. */
typedef struct ls_Delivery {
    int fds[LS_CMSG_DESCRIPTORS]; /* close-on-exec, and the caller's */
    size_t count;
    size_t surplus; /* so many more were closed */
    int lost;       /* the system had no room for others, and told not how many */
} ls_Delivery;

/* Receives data and at most most descriptors. how and *n: as ls_fd_recv. */
int ls_cmsg_recvfds(int fd, int how, void *data, size_t size, size_t most, size_t *n, ls_Delivery *delivery);

#endif
