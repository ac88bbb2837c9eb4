/* As POSIX has it. */
#include "kernel.h"

#include <limits.h>
#include <sys/socket.h>

void lt_kernel_widen(int fd, int more) {
    int size = 0;
    socklen_t len = sizeof size;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) != 0 || size > INT_MAX - more) return;
    size += more;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, len);
}

int lt_kernel_isaborted(int fd) {
    struct linger linger;
    socklen_t len = sizeof linger;
    return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff && linger.l_linger == 0;
}
