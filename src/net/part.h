/* Datagrams one by one from a socket whose datagrams come put together (UDP_GRO). A message stays in the kernel until
   the last of its datagrams has been taken; how far it has been read is kept there, too, for all who share it. */
#ifndef LS_NET_PART_H
#define LS_NET_PART_H

#include "addr.h"

#include <stddef.h>
#include <sys/uio.h>

enum {
    LS_PART_ROOM = 65536, /* a message is no longer */
    LS_PART_CONTROL = 320 /* room for the length of its datagrams, and for all that Linux tells before: times, marks */
};

/* The length of the datagrams that a message was put together of, but for the last; 0: it is one. */
size_t ls_part_length(const struct msghdr *header);

/* As ls_fd_recv for a datagram; data has LS_PART_ROOM bytes of room. */
int ls_part_recv(int fd, int how, void *data, size_t *n, ls_Addr *peer);

/* As ls_fd_sendpieces, to an address or the peer, but the datagram goes as it is, whatever UDP_SEGMENT is set to. */
int ls_part_send(int fd, struct iovec *pieces, unsigned short count, size_t *n, const ls_Addr *to);

/* Bytes of the first message that have been taken. It is to be received now, as a whole; failed tells what has come of
   that, 0 or an errno, so that nothing is taken twice. */
size_t ls_part_taken(int fd);
void ls_part_failed(int fd, size_t taken, int err);

#endif
