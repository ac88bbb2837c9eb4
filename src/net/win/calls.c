/* The calls that bytes pass through, as POSIX has them: made of Winsock's. */
#include "posix.h"

#include <limits.h>
#include <string.h>

#undef recv
#undef recvfrom
#undef send
#undef sendto

enum {
    PIECES = 1024,
    MOST = 262144 /* bytes to send at once: the system takes any number, and keeps what does not go yet in memory */
};

int ls_win_isdatagram(int fd) {
    int type = 0, size = sizeof type;
    return getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0 && type == SOCK_DGRAM;
}

static int length_of(size_t size) { return size < INT_MAX ? (int)size : INT_MAX; }

/* A datagram is shorter. */
static int portion_of(size_t size) { return size < MOST ? (int)size : MOST; }

/* ---- failures ---- */

/* What a connection has ended with, where the calls tell no more than that it has; else err. */
static int cause_of(int fd, int err) {
    DWORD pending = 0;
    int size = sizeof pending;
    if (ls_win_isdatagram(fd) || getsockopt((SOCKET)fd, SOL_SOCKET, SO_ERROR, (char *)&pending, &size) != 0) return err;
    return pending ? ls_win_errno(pending) : err;
}

static int is_end(int err) { return err == ECONNRESET || err == ECONNABORTED || err == ENOTCONN || err == EPIPE; }

/* The peer of a datagram was never there. */
static int judge_received(int fd, int err) {
    if (!is_end(err)) return err;
    if (ls_win_isdatagram(fd)) return err == ECONNRESET ? ECONNREFUSED : err;
    err = cause_of(fd, err);
    return err == ECONNABORTED ? ECONNRESET : err;
}

/* room: of the data, which a datagram that was cut has filled. Wine ends a stream in silence where it has failed. */
static ssize_t received(int fd, ssize_t got, size_t room) {
    int code = got < 0 ? WSAGetLastError() : 0;
    if (got > 0) return got;
    if (code == WSAEMSGSIZE) return (ssize_t)room;
    if (code == WSAESHUTDOWN) return 0;
    if (got < 0) errno = judge_received(fd, ls_win_errno((unsigned long)code));
    else errno = room > 0 ? cause_of(fd, 0) : 0;
    return errno ? -1 : 0;
}

/* Nobody is there to receive it, for whatever reason. */
static int judge_sent(int fd, int err, const void *to) {
    if (ls_win_isdatagram(fd)) {
        if (!to && (err == ENOTCONN || err == EINVAL)) return EDESTADDRREQ;
        return err == ECONNRESET ? ECONNREFUSED : err;
    }
    if (!is_end(err)) return err;
    err = cause_of(fd, err);
    return is_end(err) ? EPIPE : err;
}

static ssize_t sent(int fd, ssize_t count, const void *to) {
    int err = count < 0 ? ls_win_errno((unsigned long)WSAGetLastError()) : 0;
    if (count >= 0) return count;
    errno = err == EAGAIN ? err : judge_sent(fd, err, to);
    return -1;
}

/* ---- from and to one place ---- */

ssize_t ls_win_recv(int fd, void *data, size_t size, int flags) {
    return received(fd, recv((SOCKET)fd, data, length_of(size), flags), size);
}

/* Winsock leaves the address of a stream's peer as it was. */
ssize_t ls_win_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *len) {
    int room = (int)*len, got;
    from->sa_family = AF_UNSPEC;
    got = recvfrom((SOCKET)fd, data, length_of(size), flags, from, &room);
    *len = from->sa_family == AF_UNSPEC ? 0 : (socklen_t)room;
    return received(fd, got, size);
}

ssize_t ls_win_send(int fd, const void *data, size_t size, int flags) {
    return sent(fd, send((SOCKET)fd, data, portion_of(size), flags), NULL);
}

ssize_t ls_win_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t len) {
    return sent(fd, sendto((SOCKET)fd, data, portion_of(size), flags, to, (int)len), to);
}

/* ---- messages ---- */

/* A message of Winsock's from one of POSIX', with at most so many bytes. Returns how many. */
static size_t translate(const struct msghdr *header, size_t most, WSABUF *pieces, WSAMSG *message) {
    size_t total = 0, count = 0;
    while (count < header->msg_iovlen && count < PIECES && total < most) {
        size_t length = header->msg_iov[count].iov_len;
        pieces[count].buf = header->msg_iov[count].iov_base;
        pieces[count].len = (ULONG)(length < most - total ? length : most - total);
        total += pieces[count++].len;
    }
    memset(message, 0, sizeof *message);
    message->name = header->msg_name;
    message->namelen = header->msg_name ? (int)header->msg_namelen : 0;
    message->lpBuffers = pieces;
    message->dwBufferCount = (DWORD)count;
    if (header->msg_controllen > 0) {
        message->Control.buf = header->msg_control;
        message->Control.len = (ULONG)header->msg_controllen;
    }
    return total;
}

/* The one call that has no name: Winsock is asked for it. */
static LPFN_WSARECVMSG find_recvmsg(int fd) {
    static LPFN_WSARECVMSG found;
    LPFN_WSARECVMSG function = __atomic_load_n(&found, __ATOMIC_RELAXED);
    GUID name = WSAID_WSARECVMSG;
    DWORD bytes;
    if (function) return function;
    if (WSAIoctl((SOCKET)fd, SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &function, sizeof function, &bytes,
                 NULL, NULL) != 0)
        return NULL;
    __atomic_store_n(&found, function, __ATOMIC_RELAXED);
    return function;
}

static ssize_t receive_stream(int fd, WSAMSG *message, size_t room) {
    DWORD bytes = 0, how = message->dwFlags;
    message->namelen = 0;
    message->Control.len = 0;
    if (WSARecv((SOCKET)fd, message->lpBuffers, message->dwBufferCount, &bytes, &how, NULL, NULL) != 0)
        return received(fd, -1, room);
    return received(fd, (ssize_t)bytes, room);
}

static ssize_t receive_datagram(int fd, WSAMSG *message, size_t room) {
    LPFN_WSARECVMSG function = find_recvmsg(fd);
    DWORD bytes = 0;
    if (function && function((SOCKET)fd, message, &bytes, NULL, NULL) == 0) return (ssize_t)bytes;
    if (WSAGetLastError() == WSAEMSGSIZE) message->dwFlags |= MSG_TRUNC;
    return received(fd, -1, room);
}

ssize_t ls_win_recvmsg(int fd, struct msghdr *header, int flags) {
    WSABUF pieces[PIECES];
    WSAMSG message;
    size_t room = translate(header, INT_MAX, pieces, &message);
    int datagram = ls_win_isdatagram(fd);
    ssize_t got;
    message.dwFlags = (DWORD)flags;
    got = datagram ? receive_datagram(fd, &message, room) : receive_stream(fd, &message, room);
    if (got < 0) return got;
    header->msg_namelen = (socklen_t)message.namelen;
    header->msg_controllen = message.Control.len;
    header->msg_flags = datagram ? (int)message.dwFlags & (MSG_TRUNC | MSG_CTRUNC) : 0;
    return got;
}

ssize_t ls_win_sendmsg(int fd, const struct msghdr *header, int flags) {
    WSABUF pieces[PIECES];
    WSAMSG message;
    DWORD bytes = 0;
    int failed;
    translate(header, MOST, pieces, &message);
    if (message.Control.len > 0)
        failed = WSASendMsg((SOCKET)fd, &message, (DWORD)flags, &bytes, NULL, NULL);
    else
        failed = WSASendTo((SOCKET)fd, pieces, message.dwBufferCount, &bytes, (DWORD)flags, message.name,
                           message.namelen, NULL, NULL);
    return sent(fd, failed ? -1 : (ssize_t)bytes, message.name);
}
