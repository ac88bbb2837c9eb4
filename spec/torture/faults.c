/* System calls that fail on order, and a table of what their manual pages say they can fail with. The calls themselves
   are made with syscall(2), so that nothing of the C library stands in between. */
#define _GNU_SOURCE
#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    SOCKET, BIND, LISTEN, CONNECT, ACCEPT, ACCEPT4, RECV, RECVFROM, RECVMSG, RECVMMSG, SEND, SENDTO, SENDMSG, SENDMMSG,
    SENDFILE, SETSOCKOPT, GETSOCKOPT, GETSOCKNAME, GETPEERNAME, EPOLL_CREATE1, EPOLL_CTL, EPOLL_WAIT, POLL, GETADDRINFO,
    GETIFADDRS, PTHREAD_CREATE, EVENTFD, PIPE, PIPE2, FCNTL, IOCTL, CLOSE, SOCKETPAIR, SHUTDOWN, READ, READV, WRITEV,
    PREAD, CHMOD, FCHMOD, UNLINK, FCNTL_DUPFD, FCNTL_SETFL, SETSOCKOPT_ALL, GETSOCKOPT_EXTRA,
    EPOLL_CTL_REMOVE, EPOLL_CTL_CHECK, EPOLL_CTL_TIMER, TIMERFD_CREATE, TIMERFD_SETTIME, WRITE, GETNAMEINFO,
    GETHOSTNAME, IO_URING_SETUP, IO_URING_REGISTER, IO_URING_ENTER, MMAP, MADVISE, CALLS
};

#define RECEIVE EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK, ETIMEDOUT
#define PUT EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, EPERM, EPIPE
#define TRANSMIT EACCES, EAGAIN, EALREADY, EBADF, ECONNREFUSED, ECONNRESET, EDESTADDRREQ, EFAULT, EHOSTUNREACH, EINTR, \
                 EINVAL, EISCONN, EMSGSIZE, ENETDOWN, ENETUNREACH, ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, \
                 EPERM, EPIPE

const Call fault_calls[] = {
    [SOCKET] = { "socket", { EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT } },
    [BIND] = { "bind", { EACCES, EADDRINUSE, EADDRNOTAVAIL, EBADF, EFAULT, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM,
                         ENOTDIR, ENOTSOCK, EROFS } },
    [LISTEN] = { "listen", { EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP } },
    [CONNECT] = { "connect", { EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF,
                               ECONNREFUSED, EFAULT, EINPROGRESS, EINTR, EISCONN, ENETUNREACH, ENOTSOCK, EPROTOTYPE,
                               ETIMEDOUT } },
    [ACCEPT] = { "accept", { EAGAIN, EBADF, ECONNABORTED, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM,
                             ENOTSOCK, EOPNOTSUPP, EPERM, EPROTO } },
    [ACCEPT4] = { "accept4", { EAGAIN, EBADF, ECONNABORTED, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM,
                               ENOTSOCK, EOPNOTSUPP, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
                               EHOSTUNREACH, ENETUNREACH, ETIMEDOUT } },
    [RECV] = { "recv", { RECEIVE } },
    [RECVFROM] = { "recvfrom", { RECEIVE } },
    [RECVMSG] = { "recvmsg", { RECEIVE } },
    [RECVMMSG] = { "recvmmsg", { RECEIVE } },
    [SEND] = { "send", { TRANSMIT } },
    [SENDTO] = { "sendto", { TRANSMIT } },
    [SENDMSG] = { "sendmsg", { TRANSMIT, ETOOMANYREFS } },
    [SENDMMSG] = { "sendmmsg", { TRANSMIT } },
    [SENDFILE] = { "sendfile", { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, ENOMEM, EOVERFLOW, ESPIPE, EPIPE,
                                 ECONNRESET } },
    [SETSOCKOPT] = { "setsockopt", { EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, ENOMEM, EDOM, EPERM } },
    [SETSOCKOPT_ALL] = { "setsockopt(MULTICAST_ALL)", { ENOPROTOOPT } },
    [GETSOCKOPT_EXTRA] = { "getsockopt(extra)", { ENOPROTOOPT, EOPNOTSUPP } },
    [GETSOCKOPT] = { "getsockopt", { EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK } },
    [GETSOCKNAME] = { "getsockname", { EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK } },
    [GETPEERNAME] = { "getpeername", { EBADF, EFAULT, EINVAL, ENOBUFS, ENOTCONN, ENOTSOCK } },
    [EPOLL_CREATE1] = { "epoll_create1", { EINVAL, EMFILE, ENFILE, ENOMEM } },
    [EPOLL_CTL] = { "epoll_ctl", { EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM } },
    [EPOLL_CTL_CHECK] = { "epoll_ctl(ONESHOT)", { EINVAL, ENOMEM, EPERM } },
    [EPOLL_CTL_REMOVE] = { "epoll_ctl(DEL)", { EBADF, EINVAL, ENOENT, ENOMEM, EPERM } },
    [EPOLL_CTL_TIMER] = { "epoll_ctl(timer)", { ENOMEM, ENOSPC } },
    [TIMERFD_CREATE] = { "timerfd_create", { EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM } },
    [TIMERFD_SETTIME] = { "timerfd_settime", { EBADF, EINVAL } },
    [EPOLL_WAIT] = { "epoll_wait", { EBADF, EFAULT, EINTR, EINVAL } },
    [POLL] = { "poll", { EFAULT, EINTR, EINVAL, ENOMEM } },
    [GETADDRINFO] = { "getaddrinfo", { EAI_ADDRFAMILY, EAI_AGAIN, EAI_BADFLAGS, EAI_FAIL, EAI_FAMILY, EAI_MEMORY,
                                       EAI_NODATA, EAI_NONAME, EAI_SERVICE, EAI_SOCKTYPE, EAI_SYSTEM } },
    [GETNAMEINFO] = { "getnameinfo", { EAI_AGAIN, EAI_BADFLAGS, EAI_FAIL, EAI_FAMILY, EAI_MEMORY, EAI_NONAME,
                                       EAI_SYSTEM } },
    [GETHOSTNAME] = { "gethostname", { EFAULT, EINVAL, ENAMETOOLONG, EPERM } },
    [GETIFADDRS] = { "getifaddrs", { EACCES, EMFILE, ENFILE, ENOBUFS, ENOMEM, EINVAL } },
    [PTHREAD_CREATE] = { "pthread_create", { EAGAIN, EINVAL, EPERM } },
    [EVENTFD] = { "eventfd", { EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM } },
    [PIPE] = { "pipe", { EFAULT, EMFILE, ENFILE } },
    [PIPE2] = { "pipe2", { EFAULT, EINVAL, EMFILE, ENFILE } },
    [FCNTL] = { "fcntl", { EBADF } },
    [FCNTL_DUPFD] = { "fcntl(F_DUPFD)", { EBADF, EINVAL, EMFILE } },
    [FCNTL_SETFL] = { "fcntl(F_SETFL)", { EBADF, EINVAL, EPERM } },
    [IOCTL] = { "ioctl", { EBADF, EFAULT, EINVAL, ENOTTY } },
    [CLOSE] = { "close", { EINTR, EIO, ENOSPC, EDQUOT } },
    [SOCKETPAIR] = { "socketpair", { EAFNOSUPPORT, EFAULT, EMFILE, ENFILE, EOPNOTSUPP, EPROTONOSUPPORT } },
    [SHUTDOWN] = { "shutdown", { EBADF, EINVAL, ENOTCONN, ENOTSOCK } },
    [READ] = { "read", { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR } },
    [READV] = { "readv", { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR } },
    [WRITEV] = { "writev", { PUT } },
    [WRITE] = { "write", { PUT } },
    [PREAD] = { "pread", { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR, ENXIO, EOVERFLOW, ESPIPE } },
    [CHMOD] = { "chmod", { EACCES, EIO, ELOOP, ENOENT, ENOMEM, EPERM, EROFS } },
    [FCHMOD] = { "fchmod", { EBADF, EIO, EPERM, EROFS } },
    [IO_URING_SETUP] = { "io_uring_setup", { EFAULT, EINVAL, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM } },
    [IO_URING_REGISTER] = { "io_uring_register", { EEXIST, EFAULT, EINVAL, ENOMEM } },
    [IO_URING_ENTER] = { "io_uring_enter", { EAGAIN, EBADF, EBUSY, EEXIST, EFAULT, EINTR, EINVAL, ENXIO, EOPNOTSUPP } },
    [MMAP] = { "mmap", { EAGAIN, ENFILE, ENOMEM } },
    [MADVISE] = { "madvise", { EAGAIN, ENOMEM } },
    [UNLINK] = { "unlink", { EACCES, EBUSY, EIO, ENOENT, ENOMEM, EPERM, EROFS } },
};
const int fault_call_count = CALLS;

enum { STACK_STEP = 4096 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long seen[CALLS], nth, failures, threads;
static int target, planned_error, bad_close, random_on;
static uint64_t state; /* of the random numbers */

int fault_is_gai(int call) { return call == GETADDRINFO || call == GETNAMEINFO; }

void fault_plan(int call, long number, int error) {
    memset(seen, 0, sizeof seen);
    target = call;
    nth = number;
    planned_error = error;
    failures = 0;
    random_on = 0;
    bad_close = 0;
}

void fault_plan_random(unsigned seed) {
    fault_plan(0, 0, 0);
    random_on = 1;
    state = seed;
}

long fault_failures(void) { return failures; }

long fault_seen(int call) { return seen[call]; }

long fault_threads(void) { return threads; }

int fault_bad_close(void) { return bad_close; }

/* What the call is to fail with now; 0: it is to be made. */
static int due(int call) {
    int error = 0;
    pthread_mutex_lock(&mutex);
    if (inject_is_armed() && ++seen[call] == nth && call == target) {
        failures++;
        error = planned_error;
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

/* ---- at random ---- */

/* One of 0 to below n. */
static unsigned draw(unsigned n) {
    unsigned number;
    pthread_mutex_lock(&mutex);
    state = state * 6364136223846793005u + 1442695040888963407u;
    number = (unsigned)(state >> 33) % n;
    pthread_mutex_unlock(&mutex);
    return number;
}

static int is_random(void) { return random_on && inject_is_armed(); }

/* In half of all calls, that many times in a row at most: a signal, or nothing there. */
static int disturbance(int may_block) {
    unsigned kind = is_random() ? draw(may_block ? 4 : 3) : 0;
    if (kind < 2) return 0;
    failures++;
    return kind == 2 ? EINTR : EAGAIN;
}

static size_t shorter(size_t size) {
    if (!is_random() || size < 2 || draw(2) == 0) return size;
    failures++;
    return 1 + draw(size < 4096 ? (unsigned)size - 1 : 4095);
}

static int is_stream(int fd) {
    int type = 0;
    socklen_t len = sizeof type;
    return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type == SOCK_STREAM;
}

static int has_no_datagrams(int fd) { return is_random() && is_stream(fd); }

/* The pieces, cut short in a copy. Answers how many are left. */
static size_t shorten(int fd, const struct iovec *pieces, size_t count, struct iovec *copy) {
    if (!has_no_datagrams(fd) || count == 0 || draw(2) == 0) return count;
    failures++;
    count = 1 + draw((unsigned)count);
    memcpy(copy, pieces, count * sizeof *copy);
    copy[count - 1].iov_len = shorter(copy[count - 1].iov_len);
    return count;
}

#define FAIL(call) \
    do { \
        int error = due(call); \
        if (error) return errno = error, -1; \
    } while (0)

#define DISTURB(call, may_block) \
    do { \
        int error = due(call); \
        if (!error) error = disturbance(may_block); \
        if (error) return errno = error, -1; \
    } while (0)

/* ---- sockets ---- */

int socket(int family, int type, int protocol) {
    FAIL(SOCKET);
    return (int)syscall(SYS_socket, family, type, protocol);
}

int socketpair(int family, int type, int protocol, int fds[2]) {
    FAIL(SOCKETPAIR);
    return (int)syscall(SYS_socketpair, family, type, protocol, fds);
}

int bind(int fd, const struct sockaddr *addr, socklen_t len) {
    FAIL(BIND);
    return (int)syscall(SYS_bind, fd, addr, len);
}

int listen(int fd, int backlog) {
    FAIL(LISTEN);
    return (int)syscall(SYS_listen, fd, backlog);
}

/* What is said to go on by itself has begun. */
int connect(int fd, const struct sockaddr *addr, socklen_t len) {
    int error = due(CONNECT), result;
    if (!error && is_random()) error = disturbance(0);
    if (error && error != EINTR && error != EINPROGRESS) return errno = error, -1;
    result = (int)syscall(SYS_connect, fd, addr, len);
    if (!error || (result < 0 && errno != EINPROGRESS)) return result;
    return errno = error, -1;
}

int accept(int fd, struct sockaddr *addr, socklen_t *len) {
    DISTURB(ACCEPT, 1);
    return (int)syscall(SYS_accept, fd, addr, len);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags) {
    DISTURB(ACCEPT4, 1);
    return (int)syscall(SYS_accept4, fd, addr, len, flags);
}

int shutdown(int fd, int how) {
    FAIL(SHUTDOWN);
    return (int)syscall(SYS_shutdown, fd, how);
}

/* What not every kernel has, and nobody must have. */
static int is_multicast_all(int level, int option) {
    return level == IPPROTO_IPV6 ? option == IPV6_MULTICAST_ALL : level == IPPROTO_IP && option == IP_MULTICAST_ALL;
}

static int is_extra(int level, int option) {
    if (level == SOL_SOCKET) return option == SO_ACCEPTCONN;
    return level == IPPROTO_UDP && (option == UDP_SEGMENT || option == UDP_GRO);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len) {
    FAIL(is_multicast_all(level, option) ? SETSOCKOPT_ALL : SETSOCKOPT);
    return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len) {
    FAIL(is_extra(level, option) ? GETSOCKOPT_EXTRA : GETSOCKOPT);
    return (int)syscall(SYS_getsockopt, fd, level, option, value, len);
}

int getsockname(int fd, struct sockaddr *addr, socklen_t *len) {
    FAIL(GETSOCKNAME);
    return (int)syscall(SYS_getsockname, fd, addr, len);
}

int getpeername(int fd, struct sockaddr *addr, socklen_t *len) {
    FAIL(GETPEERNAME);
    return (int)syscall(SYS_getpeername, fd, addr, len);
}

/* ---- bytes ---- */

static size_t cut(int fd, size_t size) { return has_no_datagrams(fd) ? shorter(size) : size; }

ssize_t recv(int fd, void *data, size_t size, int flags) {
    DISTURB(RECV, 1);
    return syscall(SYS_recvfrom, fd, data, cut(fd, size), flags, (void *)NULL, (void *)NULL);
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *addr, socklen_t *len) {
    DISTURB(RECVFROM, 1);
    return syscall(SYS_recvfrom, fd, data, cut(fd, size), flags, addr, len);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    struct iovec pieces[1024];
    struct msghdr copy = *message;
    ssize_t got;
    DISTURB(RECVMSG, 1);
    copy.msg_iovlen = shorten(fd, copy.msg_iov, copy.msg_iovlen, pieces);
    if (copy.msg_iovlen < message->msg_iovlen) copy.msg_iov = pieces;
    got = syscall(SYS_recvmsg, fd, &copy, flags);
    copy.msg_iov = message->msg_iov;
    copy.msg_iovlen = message->msg_iovlen;
    *message = copy;
    return got;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    DISTURB(RECVMMSG, 1);
    return (int)syscall(SYS_recvmmsg, fd, messages, shorter(count), flags, timeout);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    DISTURB(SEND, 1);
    return syscall(SYS_sendto, fd, data, cut(fd, size), flags, (void *)NULL, 0);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *addr, socklen_t len) {
    DISTURB(SENDTO, 1);
    return syscall(SYS_sendto, fd, data, cut(fd, size), flags, addr, len);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    struct iovec pieces[1024];
    struct msghdr copy = *message;
    DISTURB(SENDMSG, 1);
    copy.msg_iovlen = shorten(fd, copy.msg_iov, copy.msg_iovlen, pieces);
    if (copy.msg_iovlen < message->msg_iovlen) copy.msg_iov = pieces;
    return syscall(SYS_sendmsg, fd, &copy, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    DISTURB(SENDMMSG, 1);
    return (int)syscall(SYS_sendmmsg, fd, messages, shorter(count), flags);
}

ssize_t sendfile(int fd, int file, off_t *offset, size_t count) {
    DISTURB(SENDFILE, 1);
    return syscall(SYS_sendfile, fd, file, offset, shorter(count));
}

ssize_t sendfile64(int fd, int file, off_t *offset, size_t count) { return sendfile(fd, file, offset, count); }

ssize_t read(int fd, void *data, size_t size) {
    DISTURB(READ, 1);
    return syscall(SYS_read, fd, data, cut(fd, size));
}

/* To the bell of a look-up alone, which takes its eight bytes or nothing. */
ssize_t write(int fd, const void *data, size_t size) {
    DISTURB(WRITE, 0);
    return syscall(SYS_write, fd, data, size);
}

ssize_t readv(int fd, const struct iovec *pieces, int count) {
    DISTURB(READV, 1);
    return syscall(SYS_readv, fd, pieces, count);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    struct iovec copy[1024];
    size_t left;
    DISTURB(WRITEV, 1);
    left = shorten(fd, pieces, (size_t)count, copy);
    return syscall(SYS_writev, fd, left < (size_t)count ? copy : pieces, left);
}

ssize_t pread(int file, void *data, size_t size, off_t offset) {
    DISTURB(PREAD, 0);
    return syscall(SYS_pread64, file, data, shorter(size), offset);
}

ssize_t pread64(int file, void *data, size_t size, off_t offset) { return pread(file, data, size, offset); }

/* ---- descriptors ---- */

/* A descriptor is gone whatever close(2) says. */
int close(int fd) {
    int error = due(CLOSE);
    if (syscall(SYS_close, fd) < 0) {
        bad_close++;
        return -1;
    }
    return error ? (errno = error, -1) : 0;
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    long argument;
    va_start(rest, command);
    argument = va_arg(rest, long);
    va_end(rest);
    FAIL(command == F_DUPFD_CLOEXEC ? FCNTL_DUPFD : command == F_SETFL ? FCNTL_SETFL : FCNTL);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    long argument;
    va_start(rest, command);
    argument = va_arg(rest, long);
    va_end(rest);
    return fcntl(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    void *argument;
    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    FAIL(IOCTL);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int eventfd(unsigned value, int flags) {
    FAIL(EVENTFD);
    return (int)syscall(SYS_eventfd2, value, flags);
}

int pipe(int fds[2]) {
    FAIL(PIPE);
    return (int)syscall(SYS_pipe2, fds, 0);
}

int pipe2(int fds[2], int flags) {
    FAIL(PIPE2);
    return (int)syscall(SYS_pipe2, fds, flags);
}

int chmod(const char *path, mode_t mode) {
    FAIL(CHMOD);
    return (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

int fchmod(int fd, mode_t mode) {
    FAIL(FCHMOD);
    return (int)syscall(SYS_fchmod, fd, mode);
}

int unlink(const char *path) {
    FAIL(UNLINK);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* ---- waiting ---- */

int epoll_create1(int flags) {
    FAIL(EPOLL_CREATE1);
    return (int)syscall(SYS_epoll_create1, flags);
}

int timerfd_create(int clock, int flags) {
    FAIL(TIMERFD_CREATE);
    return (int)syscall(SYS_timerfd_create, clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value) {
    FAIL(TIMERFD_SETTIME);
    return (int)syscall(SYS_timerfd_settime, fd, flags, new_value, old_value);
}

int epoll_ctl(int fd, int operation, int other, struct epoll_event *event) {
    FAIL(operation == EPOLL_CTL_DEL ? EPOLL_CTL_REMOVE :
         event->data.u64 == UINT64_MAX ? EPOLL_CTL_TIMER :
         operation == EPOLL_CTL_MOD && event->events & EPOLLONESHOT ? EPOLL_CTL_CHECK : EPOLL_CTL);
    return (int)syscall(SYS_epoll_ctl, fd, operation, other, event);
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout) {
    DISTURB(EPOLL_WAIT, 0);
    return (int)syscall(SYS_epoll_pwait, fd, events, room, timeout, (void *)NULL, (size_t)8);
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    struct timespec time = { timeout / 1000, timeout % 1000 * 1000000L };
    DISTURB(POLL, 0);
    return (int)syscall(SYS_ppoll, fds, count, timeout < 0 ? NULL : &time, (void *)NULL, (size_t)8);
}

/* ---- rings ---- */

/* The function that this file stands in front of. */
static void *original(const char *name) {
    void *found;
    alloc_ignore(1);
    found = dlsym(RTLD_NEXT, name);
    alloc_ignore(0);
    return found;
}

/* What calls of the kernel have no function of their own: those of rings, and all that is made here. It takes six
   arguments from those who give fewer, too: what is beyond is any memory of the caller. */
__attribute__((no_sanitize_address)) long syscall(long number, ...) {
    static long (*make)(long, ...);
    long arguments[6];
    va_list rest;
    int i;
    va_start(rest, number);
    for (i = 0; i < 6; i++) arguments[i] = va_arg(rest, long);
    va_end(rest);
    if (!make) {
        void *found = original("syscall");
        memcpy(&make, &found, sizeof make);
    }
    if (number == SYS_io_uring_setup) FAIL(IO_URING_SETUP);
    if (number == SYS_io_uring_register) FAIL(IO_URING_REGISTER);
    if (number == SYS_io_uring_enter) DISTURB(IO_URING_ENTER, 0);
    return make(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

/* Of a file, as the queues of a ring are: Lua has memory of the other kind. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    int error = fd >= 0 ? due(MMAP) : 0;
    if (error) return errno = error, MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

int madvise(void *at, size_t size, int advice) {
    FAIL(MADVISE);
    return (int)syscall(SYS_madvise, at, size, advice);
}

/* ---- what the C library does with several calls ---- */

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    int (*ask)(const char *, const char *, const struct addrinfo *, struct addrinfo **), error = due(GETADDRINFO);
    void *found = original("getaddrinfo");
    memcpy(&ask, &found, sizeof ask);
    if (error == EAI_SYSTEM) errno = EIO;
    return error ? error : ask(name, service, hints, list);
}

int getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t room, char *service,
                socklen_t service_room, int flags) {
    int (*ask)(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int), error = due(GETNAMEINFO);
    void *found = original("getnameinfo");
    memcpy(&ask, &found, sizeof ask);
    if (error == EAI_SYSTEM) errno = EIO;
    return error ? error : ask(addr, len, host, room, service, service_room, flags);
}

int gethostname(char *name, size_t room) {
    int (*ask)(char *, size_t);
    void *found = original("gethostname");
    memcpy(&ask, &found, sizeof ask);
    FAIL(GETHOSTNAME);
    return ask(name, room);
}

int getifaddrs(struct ifaddrs **list) {
    int (*ask)(struct ifaddrs **);
    void *found = original("getifaddrs");
    memcpy(&ask, &found, sizeof ask);
    FAIL(GETIFADDRS);
    return ask(list);
}

/* Each thread gets a larger stack than all before it, so that the C library makes a new one, which can fail. What it
   stands on stays for the next one, and is nobody's leak. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    int (*start)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *), error = due(PTHREAD_CREATE);
    void *found = original("pthread_create");
    pthread_attr_t larger = *attributes;
    size_t size;
    memcpy(&start, &found, sizeof start);
    if (error) return error;
    threads++;
    pthread_attr_getstacksize(&larger, &size);
    pthread_attr_setstacksize(&larger, size + (size_t)threads * STACK_STEP);
    alloc_uncounted(1);
    error = start(thread, &larger, run, argument);
    alloc_uncounted(0);
    return error;
}

/* Threads that have nothing to do end at once, so that nothing of them is left after a scenario. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *guard, const struct timespec *until) {
    (void)condition, (void)guard, (void)until;
    return ETIMEDOUT;
}
