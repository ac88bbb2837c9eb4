/* Unix domain sockets, of which Windows has streams since Windows 10. Their files have no permissions of their own, and
   nobody tells who the peer is. */
#include "../unix.h"

#include "../fd.h"

int ls_unix_ispath(const ls_Addr *addr) {
    return addr->u.sa.sa_family == AF_UNIX && addr->u.un.sun_path[0] != '\0';
}

/* Is it a socket's file, which connecting finds nobody behind? */
static int is_dead(const ls_Addr *addr) {
    DWORD attributes = GetFileAttributesA(addr->u.un.sun_path);
    int fd, err;
    if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_REPARSE_POINT)) return 0;
    if (ls_fd_socket(AF_UNIX, SOCK_STREAM, &fd) != 0) return 0;
    err = ls_fd_connect(fd, addr);
    ls_fd_close(fd);
    return err == ECONNREFUSED;
}

int ls_unix_bind(int fd, const ls_Addr *addr, int mode, int replace) {
    int err = mode >= 0 ? ENOPROTOOPT : ls_fd_bind(fd, addr);
    if (err == EADDRINUSE && replace && is_dead(addr) && DeleteFileA(addr->u.un.sun_path)) err = ls_fd_bind(fd, addr);
    return err;
}

void ls_unix_remove(const ls_Addr *addr) {
    if (ls_unix_ispath(addr)) DeleteFileA(addr->u.un.sun_path);
}

int ls_unix_peercred(int fd, ls_Credentials *peer) {
    ls_Addr addr;
    int err = ls_fd_peer(fd, &addr);
    (void)peer;
    return err ? err : ENOPROTOOPT;
}
