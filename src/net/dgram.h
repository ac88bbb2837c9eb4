/* Batches of datagrams: many are received and sent by one system call, and none is copied on the way. Functions that
   answer an int answer 0 or an errno. */
#ifndef LS_NET_DGRAM_H
#define LS_NET_DGRAM_H

#include "addr.h"
#include <stdint.h>

/* The most datagrams, bytes of one, and bytes of all that a batch has room for. */
enum { LS_DGRAM_COUNT = 65536, LS_DGRAM_SIZE = 65535, LS_DGRAM_TOTAL = 1 << 30 };

/* Datagrams of one peer that lie one behind the other, all of one length but for the last, which may be shorter: what
   the kernel receives and sends as one message where it can. Often it is a single one. */
typedef struct ls_Run {
    uint32_t offset;  /* of the first byte */
    uint32_t bytes;   /* of all of them */
    uint32_t segment; /* bytes of each but the last */
    uint32_t count;
    uint32_t start;   /* the number in the batch of the first */
    uint32_t length;  /* more than bytes: the true length of a single one that was cut */
    ls_Addr peer;     /* whom it came from, or goes to */
} ls_Run;

#if LS_HAVE_MMSG
typedef struct mmsghdr ls_Message;
#else
typedef struct ls_Message {
    struct msghdr msg_hdr;
    unsigned msg_len;
} ls_Message;
#endif

typedef struct ls_Place ls_Place; /* where a message is received to */

typedef struct ls_Batch {
    uint32_t room;    /* the most datagrams that can be added, or messages that can be received */
    uint32_t size;    /* the most bytes of one */
    uint32_t runs;    /* how many there are */
    uint32_t count;   /* the datagrams in them */
    uint32_t sent;    /* how many of these have been sent */
    uint32_t end;     /* of the bytes of the last run */
    uint32_t near;    /* the run that was looked for last */
    uint32_t slot;    /* the distance of the places of messages; 0: none has been made ready */
    uint32_t control; /* bytes of control data that a message has room for */
    uint32_t total;   /* bytes of data there is room for */
    ls_Run *run;
    ls_Message *messages;
    ls_Place *places;
    char *data;
} ls_Batch;

/* How a batch is sent. */
typedef struct ls_Route {
    int family;        /* of the socket */
    int connected;     /* what is said about peers is ignored */
    uint32_t segment;  /* its UDP_SEGMENT: runs of datagrams up to that length go as one message; 0: it is off */
    const ls_Addr *to; /* the destination of all, which must suit the family; NULL: each has its own */
} ls_Route;

typedef struct ls_Datagram {
    const char *data;
    size_t bytes, length; /* length: before it was cut */
    const ls_Addr *peer;
} ls_Datagram;

/* Bytes that a batch needs for its contents; 0: more than LS_DGRAM_TOTAL. */
size_t ls_dgram_memory(size_t count, size_t size);

/* Makes an empty batch whose contents are in that memory, which is aligned as malloc's is. */
void ls_dgram_init(ls_Batch *b, void *memory, size_t count, size_t size);

void ls_dgram_clear(ls_Batch *b);

/* What has been sent is to be sent again. */
void ls_dgram_rewind(ls_Batch *b);

/* Datagrams that are still to be sent. */
size_t ls_dgram_left(const ls_Batch *b);

/* The datagram with that number, from 0, of those that are left. */
ls_Datagram ls_dgram_get(ls_Batch *b, size_t number);

/* addr: NULL for none. EMSGSIZE: longer than size; ENOBUFS: the batch is full. */
int ls_dgram_add(ls_Batch *b, const void *data, size_t bytes, const ls_Addr *addr);

/* Replaces the contents by what waits. how: LS_DGRAM_COALESCED: messages may hold many datagrams (UDP_GRO);
   LS_DGRAM_PARTED: and the first of these may have been taken one by one (part.h); LS_DGRAM_LOCAL: a unix domain
   socket, whose control data is not received. A message that holds many is told apart in any case, but without
   LS_DGRAM_COALESCED those that have no room are lost. */
enum { LS_DGRAM_SINGLE, LS_DGRAM_LOCAL, LS_DGRAM_COALESCED, LS_DGRAM_PARTED };
int ls_dgram_recv(ls_Batch *b, int fd, int how);

/* Sends from the first that is left on, until one cannot be sent. *sent: how many; where that is 0, the error tells
   why, and but for EAGAIN the datagram in question is given up. */
int ls_dgram_send(ls_Batch *b, int fd, const ls_Route *route, size_t *sent);

#endif
