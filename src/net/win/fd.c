/* The system calls, once each, made of Winsock's: sockets that no program inherits, never block, and keep their port to
   themselves. What the bytes mean is left to others. */
#include "../fd.h"

#include <io.h>
#include <mstcpip.h>
#include <string.h>

static const DWORD CONNRESET = 0x9800000c; /* SIO_UDP_CONNRESET, which mingw has as a signed number */

static int failure(void) { return ls_win_errno((unsigned long)WSAGetLastError()); }

/* ---- opening and closing ---- */

static int set_nonblocking(int fd) {
    u_long on = 1;
    return ioctlsocket((SOCKET)fd, (long)FIONBIO, &on) == 0 ? 0 : failure();
}

/* A socket that could not be made ready is closed, so that nobody has to. */
static int adopt(SOCKET made, int *out) {
    int fd = (int)made, err = made == INVALID_SOCKET ? failure() : 0;
    if (err) return err;
    SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0);
    err = set_nonblocking(fd);
    if (err) closesocket(made);
    else *out = fd;
    return err;
}

static SOCKET open_socket(int family, int type) {
    return WSASocketW(family, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/* An error that a datagram without a peer has met is not to end the receiving of others. */
static void ignore_refusals(int fd, int on) {
    BOOL reported = !on;
    DWORD bytes;
    WSAIoctl((SOCKET)fd, CONNRESET, &reported, sizeof reported, NULL, 0, &bytes, NULL, NULL);
}

/* IPv6's speak IPv4, too, as elsewhere. */
int ls_fd_socket(int family, int type, int *out) {
    int err = ls_win_start();
    if (!err) err = adopt(open_socket(family, type), out);
    if (err) return err;
    if (type == SOCK_DGRAM) ignore_refusals(*out, 1);
    if (family == AF_INET6) ls_fd_setint(*out, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    return 0;
}

int ls_fd_accept(int listener, int *out, ls_Addr *peer) {
    int len = sizeof peer->u;
    SOCKET fd = accept((SOCKET)listener, &peer->u.sa, &len);
    int err;
    peer->len = (socklen_t)len;
    err = adopt(fd, out);
    return err == ECONNRESET || err == ENOTCONN ? ECONNABORTED : err; /* it has gone already */
}

int ls_fd_adopt(int fd, ls_Kind *kind) {
    ls_Addr addr;
    int err = ls_win_start();
    memset(kind, 0, sizeof *kind);
    if (!err) err = ls_fd_getint(fd, SOL_SOCKET, SO_TYPE, &kind->type);
    if (!err) err = set_nonblocking(fd);
    if (!err) err = ls_fd_local(fd, &addr);
    if (err) return err;
    SetHandleInformation((HANDLE)(SOCKET)fd, HANDLE_FLAG_INHERIT, 0);
    kind->family = ls_addr_family(&addr);
    if (kind->type == SOCK_DGRAM) kind->listening = ls_fd_peer(fd, &addr) == ENOTCONN;
    else ls_fd_getint(fd, SOL_SOCKET, SO_ACCEPTCONN, &kind->listening); /* or it is left at 0 */
    return 0;
}

const char *ls_fd_what(int fd) { return (void)fd, "unknown"; }

/* ---- pairs: over loopback, as there is no socketpair(2) ---- */

static SOCKET open_loopback(int type, ls_Addr *addr) {
    SOCKET fd = open_socket(AF_INET, type);
    int len = sizeof addr->u.in4;
    ls_addr_any(addr, AF_INET, 0);
    addr->u.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd != INVALID_SOCKET && bind(fd, &addr->u.sa, len) == 0 && getsockname(fd, &addr->u.sa, &len) == 0) return fd;
    if (fd != INVALID_SOCKET) closesocket(fd);
    return INVALID_SOCKET;
}

/* Another program may have connected first: its connection is not ours. */
static SOCKET accept_from(SOCKET listener, const ls_Addr *wanted) {
    ls_Addr peer;
    int len = sizeof peer.u;
    SOCKET fd;
    while ((fd = accept(listener, &peer.u.sa, &len)) != INVALID_SOCKET) {
        peer.len = (socklen_t)len;
        if (ls_addr_equal(&peer, wanted)) return fd;
        closesocket(fd);
        len = sizeof peer.u;
    }
    return INVALID_SOCKET;
}

static void pair_streams(SOCKET made[2]) {
    ls_Addr here, there;
    SOCKET listener = open_loopback(SOCK_STREAM, &there);
    made[0] = listener == INVALID_SOCKET ? INVALID_SOCKET : open_loopback(SOCK_STREAM, &here);
    made[1] = INVALID_SOCKET;
    if (made[0] != INVALID_SOCKET && listen(listener, SOMAXCONN) == 0 &&
        connect(made[0], &there.u.sa, (int)there.len) == 0)
        made[1] = accept_from(listener, &here);
    if (listener != INVALID_SOCKET) closesocket(listener);
}

static int connect_each(SOCKET made[2], const ls_Addr addr[2]) {
    return connect(made[0], &addr[1].u.sa, (int)addr[1].len) == 0 &&
           connect(made[1], &addr[0].u.sa, (int)addr[0].len) == 0;
}

static void pair_datagrams(SOCKET made[2]) {
    ls_Addr addr[2];
    made[0] = open_loopback(SOCK_DGRAM, &addr[0]);
    made[1] = open_loopback(SOCK_DGRAM, &addr[1]);
    if (made[0] == INVALID_SOCKET || made[1] == INVALID_SOCKET) return;
    if (connect_each(made, addr)) return;
    closesocket(made[1]);
    made[1] = INVALID_SOCKET;
}

int ls_fd_pair(int type, int fds[2]) {
    SOCKET made[2];
    int err = ls_win_start(), i;
    if (!err && type != SOCK_STREAM && type != SOCK_DGRAM) err = EPROTONOSUPPORT;
    if (err) return err;
    if (type == SOCK_STREAM) pair_streams(made);
    else pair_datagrams(made);
    err = adopt(made[1], &fds[1]);
    if (err && made[0] != INVALID_SOCKET) closesocket(made[0]);
    if (err) return err;
    err = adopt(made[0], &fds[0]);
    if (err) ls_fd_close(fds[1]);
    for (i = 0; i < 2 && !err && type == SOCK_STREAM; i++) ls_fd_setint(fds[i], IPPROTO_TCP, TCP_NODELAY, 1);
    return err;
}

int ls_fd_dup(int fd, int *out) {
    WSAPROTOCOL_INFOW info;
    if (WSADuplicateSocketW((SOCKET)fd, GetCurrentProcessId(), &info) != 0) return failure();
    return adopt(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                            WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT), out);
}

int ls_fd_inherit(int fd, int on) {
    DWORD flags = on ? HANDLE_FLAG_INHERIT : 0;
    if (!ls_fd_isopen(fd)) return EBADF;
    return SetHandleInformation((HANDLE)(SOCKET)fd, HANDLE_FLAG_INHERIT, flags) ? 0 : ls_win_errno(GetLastError());
}

/* ---- addresses ---- */

/* Nobody else may bind to the port, unless both ask to share it. */
int ls_fd_bind(int fd, const ls_Addr *addr) {
    int shared = 0;
    ls_fd_getint(fd, SOL_SOCKET, SO_REUSEADDR, &shared);
    if (!shared && ls_addr_isinternet(addr)) ls_fd_setint(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
    if (bind((SOCKET)fd, &addr->u.sa, (int)addr->len) == 0) return 0;
    return WSAGetLastError() == WSAEACCES && ls_addr_port(addr) ? EADDRINUSE : failure();
}

/* Winsock does not choose a port by itself. */
static int bind_to_any(int fd) {
    ls_Addr addr;
    int err = ls_fd_local(fd, &addr);
    if (!err) ls_addr_any(&addr, ls_addr_family(&addr), 0);
    return err ? err : ls_fd_bind(fd, &addr);
}

int ls_fd_listen(int fd, int backlog) {
    if (listen((SOCKET)fd, backlog) == 0) return 0;
    if (ls_win_isdatagram(fd)) return EOPNOTSUPP;
    if (WSAGetLastError() == WSAEINVAL && bind_to_any(fd) == 0 && listen((SOCKET)fd, backlog) == 0) return 0;
    return failure();
}

int ls_fd_connect(int fd, const ls_Addr *addr) {
    if (connect((SOCKET)fd, &addr->u.sa, (int)addr->len) != 0) {
        int code = WSAGetLastError();
        return code == WSAEWOULDBLOCK ? 0 : ls_win_errno((unsigned long)code);
    }
    if (ls_win_isdatagram(fd)) ignore_refusals(fd, 0);
    return 0;
}

int ls_fd_disconnect(int fd) {
    ls_Addr addr;
    int err = ls_fd_local(fd, &addr);
    if (err) return err;
    ls_addr_any(&addr, ls_addr_family(&addr), 0);
    if (connect((SOCKET)fd, &addr.u.sa, (int)addr.len) != 0) return failure();
    ignore_refusals(fd, 1);
    return 0;
}

int ls_fd_shutdown(int fd, int how) { return shutdown((SOCKET)fd, how) == 0 ? 0 : failure(); }

int ls_fd_close(int fd) { return closesocket((SOCKET)fd) == 0 ? 0 : failure(); }

/* Winsock does not tell the address of a socket that has none yet. */
static int unbound(int fd, ls_Addr *addr) {
    WSAPROTOCOL_INFOW info;
    int len = sizeof info;
    if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &len) != 0) return failure();
    ls_addr_any(addr, info.iAddressFamily, 0);
    return 0;
}

int ls_fd_local(int fd, ls_Addr *addr) {
    int len = sizeof addr->u;
    if (getsockname((SOCKET)fd, &addr->u.sa, &len) != 0)
        return WSAGetLastError() == WSAEINVAL ? unbound(fd, addr) : failure();
    addr->len = (socklen_t)len;
    return 0;
}

int ls_fd_peer(int fd, ls_Addr *addr) {
    int len = sizeof addr->u;
    if (getpeername((SOCKET)fd, &addr->u.sa, &len) != 0) return failure();
    addr->len = (socklen_t)len;
    return 0;
}

/* ---- bytes ---- */

int ls_fd_recvagain(int fd, int flags, void *data, size_t size, size_t *n, ls_Addr *peer) {
    (void)fd, (void)flags, (void)data, (void)size, (void)n, (void)peer;
    return errno;
}

int ls_fd_sendagain(int fd, const void *data, size_t size, size_t *n, const ls_Addr *to) {
    (void)fd, (void)data, (void)size, (void)n, (void)to;
    return errno;
}

int ls_fd_sendpieces(int fd, struct iovec *pieces, unsigned short count, size_t *n) {
    struct msghdr message;
    ssize_t sent;
    if (count == 0) return ls_fd_send(fd, "", 0, n, NULL);
    memset(&message, 0, sizeof message);
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    sent = sendmsg(fd, &message, 0);
    *n = (size_t)sent;
    return sent < 0 ? errno : 0;
}

static int read_at(HANDLE file, void *data, DWORD size, int64_t offset, DWORD *got) {
    OVERLAPPED place;
    memset(&place, 0, sizeof place);
    place.Offset = (DWORD)offset;
    place.OffsetHigh = (DWORD)(offset >> 32);
    *got = 0;
    if (ReadFile(file, data, size, got, &place) || GetLastError() == ERROR_HANDLE_EOF) return 0;
    return ls_win_errno(GetLastError());
}

/* To read moves the file's own position, which is put back. */
int ls_fd_readat(int file, void *data, size_t size, int64_t offset, size_t *n) {
    HANDLE handle = (HANDLE)_get_osfhandle(file);
    LARGE_INTEGER here, nowhere = { { 0, 0 } };
    DWORD got;
    int err;
    if (GetFileType(handle) != FILE_TYPE_DISK) return handle == INVALID_HANDLE_VALUE ? EBADF : ESPIPE;
    if (!SetFilePointerEx(handle, nowhere, &here, FILE_CURRENT)) return ls_win_errno(GetLastError());
    err = read_at(handle, data, size < INT_MAX ? (DWORD)size : INT_MAX, offset, &got);
    SetFilePointerEx(handle, here, NULL, FILE_BEGIN);
    *n = got;
    return err;
}

/* TransmitFile would block. */
int ls_fd_sendfile(int fd, int file, int64_t offset, size_t count, size_t *n) {
    char data[65536];
    size_t got;
    int err = ls_fd_isopen(fd) ? 0 : EBADF;
    if (!err) err = ls_fd_readat(file, data, count < sizeof data ? count : sizeof data, offset, &got);
    return err ? err : ls_fd_send(fd, data, got, n, NULL);
}

int ls_fd_ended(int fd) { return (void)fd, 1; }

int ls_fd_pending(int fd, size_t *n) {
    u_long waiting;
    if (ioctlsocket((SOCKET)fd, FIONREAD, &waiting) != 0) return failure();
    *n = waiting;
    return 0;
}

/* ---- options ---- */

int ls_fd_isopen(int fd) {
    int type;
    return ls_fd_getint(fd, SOL_SOCKET, SO_TYPE, &type) == 0;
}

int ls_fd_error(int fd) {
    int pending = 0, err = ls_fd_getint(fd, SOL_SOCKET, SO_ERROR, &pending);
    return err ? err : pending;
}

/* SO_REUSEADDR lets one program take the port of another. What others mean by it of a stream, that a port can be bound
   to anew at once, is so without it. */
static int option_of(int fd, int level, int option) {
    if (level != SOL_SOCKET || option != SO_REUSEADDR || ls_win_isdatagram(fd)) return option;
    return SO_EXCLUSIVEADDRUSE;
}

static int set_linger(int fd, const struct linger *value) {
    ls_Linger two = { (u_short)(value->l_onoff != 0), (u_short)value->l_linger };
    return setsockopt((SOCKET)fd, SOL_SOCKET, SO_LINGER, (const char *)&two, sizeof two) == 0 ? 0 : failure();
}

int ls_fd_setopt(int fd, int level, int option, const void *value, size_t size) {
    int number = option_of(fd, level, option);
    if (level == SOL_SOCKET && option == SO_LINGER) return set_linger(fd, value);
    return setsockopt((SOCKET)fd, level, number, value, (int)size) == 0 ? 0 : failure();
}

static int get_linger(int fd, struct linger *value) {
    ls_Linger two = { 0, 0 };
    int len = sizeof two;
    if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_LINGER, (char *)&two, &len) != 0) return failure();
    value->l_onoff = two.l_onoff;
    value->l_linger = two.l_linger;
    return 0;
}

int ls_fd_getopt(int fd, int level, int option, void *value, size_t *size) {
    int len = (int)*size, number = option_of(fd, level, option);
    if (level == SOL_SOCKET && option == SO_LINGER) return get_linger(fd, value);
    if (getsockopt((SOCKET)fd, level, number, value, &len) != 0) return failure();
    if ((size_t)len < *size) *size = (size_t)len;
    if (level == SOL_SOCKET && option == SO_ERROR) *(int *)value = ls_win_errno(*(const DWORD *)value);
    return 0;
}

int ls_fd_setint(int fd, int level, int option, int value) {
    return ls_fd_setopt(fd, level, option, &value, sizeof value);
}

/* Some flags are told by a byte. */
int ls_fd_getint(int fd, int level, int option, int *value) {
    int number = 0;
    size_t size = sizeof number;
    int err = ls_fd_getopt(fd, level, option, &number, &size);
    if (!err) *value = number;
    return err;
}

/* ---- time and waiting ---- */

double ls_fd_now(void) {
    LARGE_INTEGER ticks, second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&second);
    return (double)ticks.QuadPart / (double)second.QuadPart;
}

double ls_fd_time(void) {
    struct timespec t;
    ls_win_realtime(&t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int ls_fd_poll(struct pollfd *fds, size_t count, double seconds, int *ready) {
    double left = seconds * 1000;
    do {
        int step = ls_fd_milliseconds(left);
        *ready = poll(fds, (nfds_t)count, step);
        if (*ready < 0) return errno;
        left -= step;
    } while (*ready == 0 && left > 0);
    return 0;
}
