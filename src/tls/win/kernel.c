/* As Winsock has it. */
#include "../kernel.h"

#include <limits.h>
#include <winsock2.h>

void lt_kernel_widen(int fd, int more) {
    int size = 0, len = sizeof size;
    if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_SNDBUF, (char *)&size, &len) != 0 || size > INT_MAX - more) return;
    size += more;
    setsockopt((SOCKET)fd, SOL_SOCKET, SO_SNDBUF, (const char *)&size, len);
}

int lt_kernel_isaborted(int fd) {
    LINGER linger;
    int len = sizeof linger;
    return getsockopt((SOCKET)fd, SOL_SOCKET, SO_LINGER, (char *)&linger, &len) == 0 && linger.l_onoff &&
           linger.l_linger == 0;
}
