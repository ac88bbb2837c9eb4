/* Unix domain sockets in the file system: who may use them, and what dead ones have left behind. Who the peer is. */
#include "unix.h"
#include "fd.h"

#include <sys/stat.h>
#include <unistd.h>

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

int ls_unix_bind(int fd, const ls_Addr *addr, int mode, int replace) {
    const char *path = addr->u.un.sun_path;
    int err;
    /* Linux makes the file with the socket's permissions, less the umask: never more than is wanted, for no moment.
       Other systems refuse. */
    if (mode >= 0 && fchmod(fd, (mode_t)mode) < 0) errno = 0;
    err = ls_fd_bind(fd, addr);
    if (err == EADDRINUSE && replace && is_dead(addr) && unlink(path) == 0) err = ls_fd_bind(fd, addr);
    if (!err && mode >= 0 && chmod(path, (mode_t)mode) < 0) {
        err = errno;
        unlink(path);
    }
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

int ls_unix_peercred(int fd, ls_Credentials *peer) {
    if (getpeereid(fd, &peer->uid, &peer->gid) < 0) return errno;
    peer->pid = 0;
#ifdef LOCAL_PEERPID
    {
        socklen_t len = sizeof peer->pid;
        if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &peer->pid, &len) < 0) peer->pid = 0;
    }
#endif
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
