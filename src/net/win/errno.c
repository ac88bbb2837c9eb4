/* The errors of Winsock and Windows -> errno, and the texts of errno, of which the C library has few. */
#include "posix.h"

#include <stdio.h>
#include <string.h>

typedef struct Code {
    unsigned long code;
    int err;
} Code;

#define WINSOCK(name) { WSA##name, name }

static const Code codes[] = {
    { WSAEWOULDBLOCK, EAGAIN }, { WSAENOTSOCK, EBADF }, /* what is no socket is no descriptor */
    WINSOCK(EINTR), WINSOCK(EBADF), WINSOCK(EACCES), WINSOCK(EFAULT), WINSOCK(EINVAL), WINSOCK(EMFILE),
    WINSOCK(EINPROGRESS), WINSOCK(EALREADY), WINSOCK(EDESTADDRREQ), WINSOCK(EMSGSIZE),
    WINSOCK(EPROTOTYPE), WINSOCK(ENOPROTOOPT), WINSOCK(EPROTONOSUPPORT), WINSOCK(EOPNOTSUPP), WINSOCK(EAFNOSUPPORT),
    WINSOCK(EADDRINUSE), WINSOCK(EADDRNOTAVAIL), WINSOCK(ENETDOWN), WINSOCK(ENETUNREACH), WINSOCK(ENETRESET),
    WINSOCK(ECONNABORTED), WINSOCK(ECONNRESET), WINSOCK(ENOBUFS), WINSOCK(EISCONN), WINSOCK(ENOTCONN),
    WINSOCK(ETIMEDOUT), WINSOCK(ECONNREFUSED), WINSOCK(ELOOP), WINSOCK(ENAMETOOLONG), WINSOCK(EHOSTUNREACH),
    WINSOCK(ENOTEMPTY), WINSOCK(EDQUOT), WINSOCK(ESTALE), WINSOCK(EHOSTDOWN), WINSOCK(EPFNOSUPPORT),
    { WSAESHUTDOWN, EPIPE }, { WSAESOCKTNOSUPPORT, EPROTONOSUPPORT }, { WSAEDISCON, ECONNRESET },
    { WSANOTINITIALISED, ENETDOWN }, { WSASYSNOTREADY, ENETDOWN }, { WSAVERNOTSUPPORTED, ENOSYS },
    { ERROR_FILE_NOT_FOUND, ENOENT }, { ERROR_PATH_NOT_FOUND, ENOENT }, { ERROR_TOO_MANY_OPEN_FILES, EMFILE },
    { ERROR_ACCESS_DENIED, EACCES }, { ERROR_INVALID_HANDLE, EBADF }, { ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
    { ERROR_OUTOFMEMORY, ENOMEM }, { ERROR_NOT_SUPPORTED, EOPNOTSUPP }, { ERROR_INVALID_PARAMETER, EINVAL },
    { ERROR_NOT_FOUND, ENOENT }, { ERROR_SHARING_VIOLATION, EBUSY }, { ERROR_OPERATION_ABORTED, ECANCELED },
    { ERROR_NETNAME_DELETED, ECONNRESET }, { ERROR_CONNECTION_REFUSED, ECONNREFUSED }, { ERROR_TIMEOUT, ETIMEDOUT },
    { ERROR_PORT_UNREACHABLE, ECONNREFUSED }, { ERROR_MORE_DATA, EMSGSIZE }, { ERROR_INVALID_FUNCTION, EINVAL },
};

int ls_win_errno(unsigned long code) {
    size_t i;
    if (code == 0) return 0;
    for (i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code) return codes[i].err;
    return EIO;
}

int ls_win_fail(void) {
    errno = ls_win_errno((unsigned long)WSAGetLastError());
    return -1;
}

typedef struct Text {
    int err;
    const char *text;
} Text;

static const Text texts[] = {
    { EADDRINUSE, "Address already in use" },
    { EADDRNOTAVAIL, "Cannot assign requested address" },
    { EAFNOSUPPORT, "Address family not supported by protocol" },
    { EAGAIN, "Resource temporarily unavailable" },
    { EALREADY, "Operation already in progress" },
    { EBUSY, "Device or resource busy" },
    { ECANCELED, "Operation canceled" },
    { ECONNABORTED, "Software caused connection abort" },
    { ECONNREFUSED, "Connection refused" },
    { ECONNRESET, "Connection reset by peer" },
    { EDESTADDRREQ, "Destination address required" },
    { EDQUOT, "Disk quota exceeded" },
    { EHOSTDOWN, "Host is down" },
    { EHOSTUNREACH, "No route to host" },
    { EINPROGRESS, "Operation now in progress" },
    { EINTR, "Interrupted system call" },
    { EISCONN, "Transport endpoint is already connected" },
    { ELOOP, "Too many levels of symbolic links" },
    { EMSGSIZE, "Message too long" },
    { ENAMETOOLONG, "File name too long" },
    { ENETDOWN, "Network is down" },
    { ENETRESET, "Network dropped connection on reset" },
    { ENETUNREACH, "Network is unreachable" },
    { ENOBUFS, "No buffer space available" },
    { ENOPROTOOPT, "Protocol not available" },
    { ENOTCONN, "Transport endpoint is not connected" },
    { ENOTSOCK, "Socket operation on non-socket" },
    { EOPNOTSUPP, "Operation not supported" },
    { EOVERFLOW, "Value too large for defined data type" },
    { EPFNOSUPPORT, "Protocol family not supported" },
    { EPROTO, "Protocol error" },
    { EPROTONOSUPPORT, "Protocol not supported" },
    { EPROTOTYPE, "Protocol wrong type for socket" },
    { ESPIPE, "Illegal seek" },
    { ESTALE, "Stale file handle" },
    { ETIMEDOUT, "Connection timed out" },
};

int ls_win_strerror(int err, char *text, size_t size) {
    size_t i = 0, count = sizeof texts / sizeof texts[0];
    int length;
    while (i < count && texts[i].err != err) i++;
    length = snprintf(text, size, "%s", i < count ? texts[i].text : strerror(err));
    return length >= 0 && (size_t)length < size ? 0 : ERANGE;
}
