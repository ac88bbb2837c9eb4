/* poll(2) by WSAPoll, and what the backend made of it asks about a descriptor. */
#include "posix.h"

#include "posix/sys/stat.h"

#include <stdlib.h>

enum { FEW = 64 };

/* WSAPoll refuses to be asked for nothing, and to wait for nothing. */
static int wait_for_none(int milliseconds) {
    Sleep(milliseconds < 0 ? INFINITE : (DWORD)milliseconds);
    return 0;
}

/* WSAPoll may fail as a whole for one that is no socket. Returns how many are none. */
static int mark_closed(WSAPOLLFD *copies, nfds_t count) {
    nfds_t i;
    int closed = 0;
    for (i = 0; i < count; i++) {
        int type, size = sizeof type;
        copies[i].revents = 0;
        if (getsockopt(copies[i].fd, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0) continue;
        copies[i].revents = POLLNVAL;
        closed++;
    }
    return closed > 0 ? closed : -1;
}

static int call(struct pollfd *fds, WSAPOLLFD *copies, nfds_t count, int milliseconds) {
    nfds_t i;
    int ready;
    for (i = 0; i < count; i++) {
        copies[i].fd = (SOCKET)fds[i].fd;
        copies[i].events = (SHORT)(fds[i].events & (POLLIN | POLLOUT));
        copies[i].revents = 0;
    }
    ready = WSAPoll(copies, count, milliseconds);
    if (ready < 0 && WSAGetLastError() == WSAENOTSOCK) ready = mark_closed(copies, count);
    for (i = 0; i < count; i++) fds[i].revents = copies[i].revents;
    return ready < 0 ? ls_win_fail() : ready;
}

int ls_win_poll(struct pollfd *fds, nfds_t count, int milliseconds) {
    WSAPOLLFD few[FEW], *copies = few;
    int ready;
    if (count == 0) return wait_for_none(milliseconds);
    if (count > FEW) copies = malloc(count * sizeof *copies);
    if (!copies) {
        errno = ENOMEM;
        return -1;
    }
    ready = call(fds, copies, count, milliseconds);
    if (copies != few) free(copies);
    return ready;
}

/* One socket is like another. */
int ls_win_fstat(int fd, struct ls_win_stat *info) {
    int type, size = sizeof type;
    info->st_dev = 0;
    info->st_ino = 0;
    return getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0 ? 0 : ls_win_fail();
}
