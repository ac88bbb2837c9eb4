/* Datagrams one by one where they come put together. Many at a time are left to dgram.c. */
#include "part.h"

#include "cmsg.h"
#include "fd.h"

#include <string.h>

#if LS_HAVE_UDP_OFFLOAD

size_t ls_part_length(const struct msghdr *header) {
    int length = 0;
    ls_Part part;
    size_t place = 0;
    while (ls_cmsg_next(header, &place, &part))
        if (part.level == IPPROTO_UDP && part.type == UDP_GRO && part.size == sizeof length)
            memcpy(&length, part.data, sizeof length);
    return length > 0 ? (size_t)length : 0;
}

/* The kernel's own use of the number, where the next peek begins, is switched off meanwhile. */
static void keep(int fd, size_t taken) { ls_fd_setint(fd, SOL_SOCKET, SO_PEEK_OFF, taken ? (int)taken : -1); }

size_t ls_part_taken(int fd) {
    int taken = 0;
    if (ls_fd_getint(fd, SOL_SOCKET, SO_PEEK_OFF, &taken) != 0 || taken <= 0) return 0;
    keep(fd, 0);
    return (size_t)taken;
}

/* EAGAIN: there is no message, somebody else has received it. */
void ls_part_failed(int fd, size_t taken, int err) {
    if (taken && err && err != EAGAIN) keep(fd, taken);
}

/* The first message, which stays there. *length: of its datagrams. */
static int look(int fd, void *data, size_t *n, size_t *length, ls_Addr *peer) {
    union {
        size_t aligned;
        char room[LS_PART_CONTROL];
    } control;
    struct iovec piece = { data, LS_PART_ROOM };
    struct msghdr header;
    ssize_t got;
    memset(&header, 0, sizeof header);
    header.msg_name = peer ? &peer->u : NULL;
    header.msg_namelen = peer ? sizeof peer->u : 0;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = &control;
    header.msg_controllen = sizeof control;
    do got = recvmsg(fd, &header, MSG_PEEK);
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno;
    if (peer) peer->len = header.msg_namelen;
    *n = (size_t)got;
    *length = ls_part_length(&header);
    return 0;
}

int ls_part_recv(int fd, int how, void *data, size_t *n, ls_Addr *peer) {
    size_t taken = ls_part_taken(fd), length, rest;
    int err = look(fd, data, n, &length, peer);
    ls_part_failed(fd, taken, err);
    if (err) return err;
    if (length == 0 || length >= *n || taken >= *n) taken = 0, length = *n;
    rest = *n - taken;
    if (length > rest) length = rest;
    if (how & LS_FD_PEEK) keep(fd, taken);
    else if (length < rest) keep(fd, taken + length);
    else err = ls_fd_recv(fd, 0, data, 0, n, NULL);
    memmove(data, (char *)data + taken, length);
    *n = length;
    return err;
}

int ls_part_send(int fd, struct iovec *pieces, unsigned short count, size_t *n, const ls_Addr *to) {
    union {
        size_t aligned;
        char room[CMSG_SPACE(sizeof(uint16_t))];
    } control;
    uint16_t none = 0;
    struct msghdr header;
    ssize_t sent;
    memset(&header, 0, sizeof header);
    header.msg_name = to ? (void *)(uintptr_t)&to->u : NULL; /* msghdr has no const */
    header.msg_namelen = to ? to->len : 0;
    header.msg_iov = pieces;
    header.msg_iovlen = count;
    header.msg_control = &control;
    ls_cmsg_put(&header, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof none);
    do LS_FD_WITHOUT_SIGPIPE(sent, sendmsg(fd, &header, LS_FD_SEND_FLAGS));
    while (sent < 0 && errno == EINTR);
    *n = (size_t)sent;
    return sent < 0 ? errno : 0;
}

#else

int ls_part_send(int fd, struct iovec *pieces, unsigned short count, size_t *n, const ls_Addr *to) {
    return to ? EOPNOTSUPP : ls_fd_sendpieces(fd, pieces, count, n); /* no flag asks for it */
}

size_t ls_part_length(const struct msghdr *header) { return (void)header, 0; }

size_t ls_part_taken(int fd) { return (void)fd, 0; }

void ls_part_failed(int fd, size_t taken, int err) { (void)fd, (void)taken, (void)err; }

int ls_part_recv(int fd, int how, void *data, size_t *n, ls_Addr *peer) {
    return ls_fd_recv(fd, how | LS_FD_DATAGRAM, data, LS_PART_ROOM, n, peer);
}

#endif
