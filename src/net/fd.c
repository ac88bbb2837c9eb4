/* The system calls, once each, with what every platform needs around them. What the bytes mean is left to others. */
#include "fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#if LS_HAVE_SENDFILE
#include <sys/sendfile.h>
#endif
#include <time.h>
#include <unistd.h>

/* ---- no SIGPIPE ---- */

#if LS_HAVE_SO_NOSIGPIPE
static int refuse_sigpipe(int fd) { return ls_fd_setint(fd, SOL_SOCKET, SO_NOSIGPIPE, 1); }
#else
static int refuse_sigpipe(int fd) { return (void)fd, 0; }
#endif

static int sigpipe_is_pending(void) {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE);
}

static void only_sigpipe(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void ls_fd_hold(ls_Held *held) {
    sigset_t pipes;
    only_sigpipe(&pipes);
    pthread_sigmask(SIG_BLOCK, &pipes, &held->mask);
    held->waiting = sigismember(&held->mask, SIGPIPE) && sigpipe_is_pending(); /* let through, it does not wait */
}

ssize_t ls_fd_release(const ls_Held *held, ssize_t result) {
    int saved = errno, number;
    sigset_t pipes;
    only_sigpipe(&pipes);
    if (!held->waiting && sigpipe_is_pending()) sigwait(&pipes, &number);
    pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
    errno = saved;
    return result;
}

/* ---- opening and closing ---- */

static int set_flags(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return errno;
    return 0;
}

/* A descriptor that could not be made ready is closed, so that nobody has to. */
static int adopt(int fd, int err, int *out) {
    if (!err && refuse_sigpipe(fd) != 0) err = ECONNABORTED; /* macOS: the peer of a new connection has gone already */
    if (err) close(fd);
    else *out = fd;
    return err;
}

int ls_fd_socket(int family, int type, int *out) {
#if LS_HAVE_SOCK_FLAGS
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? errno : adopt(fd, 0, out);
#else
    int fd = socket(family, type, 0);
    return fd < 0 ? errno : adopt(fd, set_flags(fd), out);
#endif
}

static int accept_once(int listener, ls_Addr *peer) {
    peer->len = sizeof peer->u;
#if LS_HAVE_ACCEPT4
    return accept4(listener, &peer->u.sa, &peer->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    return accept(listener, &peer->u.sa, &peer->len);
#endif
}

int ls_fd_accept(int listener, int *out, ls_Addr *peer) {
    int fd;
    do fd = accept_once(listener, peer);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? errno : adopt(fd, LS_HAVE_ACCEPT4 ? 0 : set_flags(fd), out);
}

/* Two answers about a socket's ends are no failures: it has no peer; macOS answers EINVAL after shutdown(2). */
static int judge_end(int err) { return err == ENOTCONN || err == EINVAL ? 0 : err; }

static int find_ends(int fd, ls_Kind *kind) {
    ls_Addr addr;
    int err = ls_fd_local(fd, &addr);
    kind->family = err ? AF_UNSPEC : ls_addr_family(&addr);
    if (judge_end(err)) return err;
    if (kind->type == SOCK_DGRAM) {
        err = ls_fd_peer(fd, &addr);
        kind->listening = err == ENOTCONN;
        return judge_end(err);
    }
    ls_fd_getint(fd, SOL_SOCKET, SO_ACCEPTCONN, &kind->listening); /* or it is left at 0 */
    return 0;
}

int ls_fd_adopt(int fd, ls_Kind *kind) {
    int err = set_flags(fd);
    memset(kind, 0, sizeof *kind);
    if (err) return err;
    err = ls_fd_getint(fd, SOL_SOCKET, SO_TYPE, &kind->type);
    if (err) return err == ENOTSOCK ? 0 : err;
    err = find_ends(fd, kind);
    return err ? err : judge_end(refuse_sigpipe(fd)); /* one that is shut down both ways takes no option on macOS */
}

const char *ls_fd_what(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) return "unknown";
    if (S_ISFIFO(status.st_mode)) return "pipe";
    if (S_ISREG(status.st_mode)) return "file";
    return isatty(fd) ? "tty" : "unknown";
}

int ls_fd_pair(int type, int fds[2]) {
    int made[2], err;
#if LS_HAVE_SOCK_FLAGS
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, made) < 0) return errno;
    err = adopt(made[0], 0, &fds[0]);
    return adopt(made[1], err, &fds[1]);
#else
    if (socketpair(AF_UNIX, type, 0, made) < 0) return errno;
    err = adopt(made[0], set_flags(made[0]), &fds[0]);
    return adopt(made[1], err ? err : set_flags(made[1]), &fds[1]);
#endif
}

int ls_fd_dup(int fd, int *out) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return errno;
    *out = copy;
    return 0;
}

int ls_fd_inherit(int fd, int on) {
    return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? errno : 0;
}

int ls_fd_bind(int fd, const ls_Addr *addr) {
    socklen_t len = ls_addr_isblank(addr) ? sizeof addr->u.un.sun_family : addr->len;
    return bind(fd, &addr->u.sa, len) < 0 ? errno : 0;
}

int ls_fd_listen(int fd, int backlog) {
    return listen(fd, backlog) < 0 ? errno : 0;
}

int ls_fd_connect(int fd, const ls_Addr *addr) {
    /* After EINTR the connection goes on by itself; calling again would answer EALREADY. */
    if (connect(fd, &addr->u.sa, addr->len) == 0 || errno == EINPROGRESS || errno == EINTR) return 0;
    return errno;
}

/* The BSDs have disconnected it where they answer EAFNOSUPPORT, EINVAL or ENOENT. */
int ls_fd_disconnect(int fd) {
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    ls_Addr peer;
    int err = connect(fd, &nobody, sizeof nobody) < 0 ? errno : 0;
    return err && ls_fd_peer(fd, &peer) == ENOTCONN ? 0 : err;
}

int ls_fd_shutdown(int fd, int how) {
    return shutdown(fd, how) < 0 ? errno : 0;
}

int ls_fd_close(int fd) {
    return close(fd) < 0 && errno != EINTR && errno != EINPROGRESS ? errno : 0;
}

/* ---- bytes ---- */

/* For pipes and the like, which nobody can peek into. */
static ssize_t read_instead(int fd, void *data, size_t size, ls_Addr *peer) {
    ssize_t got;
    if (peer) peer->len = 0;
    do got = read(fd, data, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* write(2) has no flag that could ask for no signal, and no system a way to tell a pipe once and for all. */
static ssize_t write_instead(int fd, const struct iovec *pieces, int count) {
    ssize_t written;
    ls_Held held;
    ls_fd_hold(&held);
    do written = writev(fd, pieces, count);
    while (written < 0 && errno == EINTR);
    return ls_fd_release(&held, written);
}

int ls_fd_recvagain(int fd, int flags, void *data, size_t size, size_t *n, ls_Addr *peer) {
    ssize_t got = -1;
    while (got < 0 && errno == EINTR) got = ls_fd_recvonce(fd, flags, data, size, peer);
    if (got < 0 && errno == ENOTSOCK && !(flags & MSG_PEEK)) got = read_instead(fd, data, size, peer);
    *n = (size_t)got;
    return got < 0 ? errno : 0;
}

int ls_fd_sendagain(int fd, const void *data, size_t size, size_t *n, const ls_Addr *to) {
    ssize_t sent = -1;
    while (sent < 0 && errno == EINTR) sent = ls_fd_sendonce(fd, data, size, to);
    if (sent < 0 && errno == ENOTSOCK && !to) {
        struct iovec piece = { (void *)(uintptr_t)data, size }; /* which writev(2) only reads */
        sent = write_instead(fd, &piece, 1);
    }
    *n = (size_t)sent;
    return sent < 0 ? errno : 0;
}

int ls_fd_sendpieces(int fd, struct iovec *pieces, unsigned short count, size_t *n) {
    struct msghdr message;
    ssize_t sent;
    if (count == 0) return ls_fd_send(fd, "", 0, n, NULL); /* sendmsg(2) may refuse that: POSIX wants a piece */
    memset(&message, 0, sizeof message);
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    do LS_FD_WITHOUT_SIGPIPE(sent, sendmsg(fd, &message, LS_FD_SEND_FLAGS));
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == ENOTSOCK) sent = write_instead(fd, pieces, count);
    *n = (size_t)sent;
    return sent < 0 ? errno : 0;
}

int ls_fd_readat(int file, void *data, size_t size, int64_t offset, size_t *n) {
    ssize_t got;
    do got = pread(file, data, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    *n = (size_t)got;
    return got < 0 ? errno : 0;
}

/* sendfile by a copy, for systems without it, and for files that it cannot take. */
static int send_read(int fd, int file, int64_t offset, size_t count, size_t *n) {
    char data[65536];
    size_t got;
    int err = ls_fd_readat(file, data, count < sizeof data ? count : sizeof data, offset, &got);
    return err ? err : ls_fd_send(fd, data, got, n, NULL);
}

int ls_fd_sendfile(int fd, int file, int64_t offset, size_t count, size_t *n) {
#if LS_HAVE_SENDFILE
    off_t from = (off_t)offset;
    ssize_t sent;
    ls_Held held;
    ls_fd_hold(&held); /* sendfile(2) has no flags that could ask for no signal */
    do sent = sendfile(fd, file, &from, count);
    while (sent < 0 && errno == EINTR);
    sent = ls_fd_release(&held, sent);
    *n = (size_t)sent;
    if (sent >= 0) return 0;
    if (errno != EINVAL) return errno;
#endif
    return send_read(fd, file, offset, count, n);
}

int ls_fd_ended(int fd) {
#if LS_HAVE_POLLRDHUP
    struct pollfd entry = { fd, POLLRDHUP, 0 };
    size_t waiting = 0;
    if (poll(&entry, 1, 0) == 0) return 0;
    return ls_fd_pending(fd, &waiting) != 0 || waiting == 0; /* it sums up the records that are left */
#else
    return (void)fd, 1;
#endif
}

int ls_fd_pending(int fd, size_t *n) {
    int waiting;
    if (ioctl(fd, FIONREAD, &waiting) < 0) return errno;
    *n = waiting > 0 ? (size_t)waiting : 0;
    return 0;
}

/* ---- what the kernel knows ---- */

int ls_fd_isopen(int fd) {
    return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

int ls_fd_error(int fd) {
    int pending = 0, err = ls_fd_getint(fd, SOL_SOCKET, SO_ERROR, &pending);
    return err ? err : pending;
}

int ls_fd_local(int fd, ls_Addr *addr) {
    addr->len = sizeof addr->u;
    return getsockname(fd, &addr->u.sa, &addr->len) < 0 ? errno : 0;
}

int ls_fd_peer(int fd, ls_Addr *addr) {
    addr->len = sizeof addr->u;
    return getpeername(fd, &addr->u.sa, &addr->len) < 0 ? errno : 0;
}

int ls_fd_setopt(int fd, int level, int option, const void *value, size_t size) {
    return setsockopt(fd, level, option, value, (socklen_t)size) < 0 ? errno : 0;
}

int ls_fd_getopt(int fd, int level, int option, void *value, size_t *size) {
    socklen_t len = (socklen_t)*size;
    if (getsockopt(fd, level, option, value, &len) < 0) return errno;
    if (len < *size) *size = len;
    return 0;
}

int ls_fd_setint(int fd, int level, int option, int value) {
    return ls_fd_setopt(fd, level, option, &value, sizeof value);
}

int ls_fd_getint(int fd, int level, int option, int *value) {
    union {
        int number;
        unsigned char byte; /* as the BSDs answer for some options of multicast */
    } answer = { 0 };
    size_t size = sizeof answer;
    int err = ls_fd_getopt(fd, level, option, &answer, &size);
    if (!err) *value = size == 1 ? answer.byte : answer.number;
    return err;
}

/* ---- waiting ---- */

static double time_by(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double ls_fd_now(void) { return time_by(CLOCK_MONOTONIC); }

double ls_fd_time(void) { return time_by(CLOCK_REALTIME); }

/* What a signal has made ready, such as the bell of who listens to it, is told rather than the signal. */
static int poll_interrupted(struct pollfd *fds, size_t count, int *ready) {
    *ready = poll(fds, (nfds_t)count, 0);
    return *ready < 0 ? errno : *ready == 0 ? EINTR : 0;
}

int ls_fd_poll(struct pollfd *fds, size_t count, double seconds, int *ready) {
    double left = seconds * 1000;
    do {
        int step = ls_fd_milliseconds(left);
        *ready = poll(fds, (nfds_t)count, step);
        if (*ready < 0) return errno == EINTR ? poll_interrupted(fds, count, ready) : errno;
        left -= step;
    } while (*ready == 0 && left > 0);
    return 0;
}
