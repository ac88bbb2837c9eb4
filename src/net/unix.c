/* Unix domain sockets in the file system: who may use them, and what dead ones have left behind. Who the peer is. */
#include "unix.h"
#include "fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#if LS_HAVE_XUCRED_PID
#include <sys/ucred.h>
#endif
#include <unistd.h>

enum { PERMISSIONS = 07777 };

int ls_unix_ispath(const ls_Addr *addr) {
    return addr->u.sa.sa_family == AF_UNIX && addr->u.un.sun_path[0] != '\0';
}

/* Connecting a datagram socket is refused if the file belongs to no socket any more. One that lives is connected to, if
   it is of that kind, and else answers EPROTOTYPE, also a stream that does not listen yet; it notices nothing. */
static int is_dead(const ls_Addr *addr) {
    struct stat file;
    int fd, err;
    if (lstat(addr->u.un.sun_path, &file) < 0 || !S_ISSOCK(file.st_mode)) return 0;
    if (ls_fd_socket(AF_UNIX, SOCK_DGRAM, &fd) != 0) return 0;
    err = ls_fd_connect(fd, addr);
    ls_fd_close(fd);
    return err == ECONNREFUSED;
}

/* Gives the file its permissions: the umask may have taken some away, other systems have made it with others. The path
   may lead elsewhere by now: no call follows a link, and nothing but a socket is changed. narrow: the file has been
   made with no more than these. */
#if LS_HAVE_O_PATH
static int permit(const char *path, mode_t mode, int narrow) {
    char name[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
    struct stat file;
    int err = 0, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &file) < 0) err = errno;
    else if (!S_ISSOCK(file.st_mode) || (narrow && file.st_mode & PERMISSIONS & ~mode)) err = ENOENT;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd); /* fchmod(2) takes no such descriptor */
    if (!err && (file.st_mode & PERMISSIONS) != mode && chmod(name, mode) < 0) err = errno;
    if (fd >= 0) close(fd);
    return err;
}
#else
static int permit(const char *path, mode_t mode, int narrow) {
    struct stat file;
    (void)narrow;
    if (lstat(path, &file) < 0) return errno;
    if (!S_ISSOCK(file.st_mode)) return ENOENT;
    return (file.st_mode & PERMISSIONS) == mode || fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}
#endif

/* Has the socket been bound already? The file must not go for what cannot take its place. */
static int is_bound(int fd) {
    ls_Addr own;
    char text[LS_ADDR_TEXT];
    return ls_fd_local(fd, &own) != 0 || ls_addr_format(&own, 0, text) > 0;
}

int ls_unix_bind(int fd, const ls_Addr *addr, int mode, int replace) {
    const char *path = addr->u.un.sun_path;
    /* Linux makes the file with the socket's permissions, less the umask: never more than is wanted, for no moment.
       Other systems refuse, or do nothing. */
    int narrow = LS_HAVE_SOCKET_MODE && mode >= 0 && fchmod(fd, (mode_t)mode) == 0, err = ls_fd_bind(fd, addr);
    if (err == EADDRINUSE && replace && !is_bound(fd) && is_dead(addr) && unlink(path) == 0) err = ls_fd_bind(fd, addr);
    if (err || mode < 0) return err;
    err = permit(path, (mode_t)mode, narrow);
    if (err && err != ENOENT) unlink(path); /* ENOENT: it is gone, and what is there now is somebody else's */
    return err;
}

void ls_unix_remove(const ls_Addr *addr) {
    if (ls_unix_ispath(addr)) unlink(addr->u.un.sun_path);
}

/* ---- the peer ---- */

#if LS_HAVE_UCRED

int ls_unix_peercred(int fd, ls_Credentials *peer) {
    struct ucred found;
    socklen_t len = sizeof found;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &len) < 0) return errno;
    if (found.uid == (uid_t)-1) return ENOTCONN; /* what Linux gives for nobody */
    peer->pid = found.pid;
    peer->uid = found.uid;
    peer->gid = found.gid;
    return 0;
}

#elif LS_HAVE_GETPEEREID

/* The process, or 0. */
#if defined(LOCAL_PEERPID)
static pid_t peer_process(int fd) {
    pid_t pid = 0;
    socklen_t len = sizeof pid;
    return getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &len) < 0 ? 0 : pid;
}
#elif LS_HAVE_XUCRED_PID
static pid_t peer_process(int fd) {
    struct xucred found;
    socklen_t len = sizeof found;
    return getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, &found, &len) < 0 || len < sizeof found ? 0 : found.cr_pid;
}
#elif LS_HAVE_UNPCBID
static pid_t peer_process(int fd) {
    const int level = 0; /* SOL_LOCAL, which older headers do not name */
    struct unpcbid found;
    socklen_t len = sizeof found;
    return getsockopt(fd, level, LOCAL_PEEREID, &found, &len) < 0 || len < sizeof found ? 0 : found.unp_pid;
}
#elif LS_HAVE_SOCKPEERCRED
static pid_t peer_process(int fd) {
    struct sockpeercred found;
    socklen_t len = sizeof found;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &len) < 0 || len < sizeof found ? 0 : found.pid;
}
#else
static pid_t peer_process(int fd) { return (void)fd, 0; }
#endif

int ls_unix_peercred(int fd, ls_Credentials *peer) {
    if (getpeereid(fd, &peer->uid, &peer->gid) < 0) return errno;
    peer->pid = peer_process(fd);
    return 0;
}

#else

int ls_unix_peercred(int fd, ls_Credentials *peer) {
    ls_Addr addr;
    int err = ls_fd_peer(fd, &addr);
    (void)peer;
    return err ? err : ENOPROTOOPT;
}

#endif
