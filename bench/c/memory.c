/* The far ends of connections whose near ends are being weighed. */
#include "cref.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* cref.hold(port, least, [data]): makes a TCP connection to this port of loopback, sends the data, and keeps it until
   the process ends. Its descriptor is the first free one from least on: those below are left to what is weighed. */
static int cref_hold(lua_State *L) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    size_t size = 0;
    const char *data = luaL_optlstring(L, 3, "", &size);
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    server.sin_port = htons((uint16_t)cref_int(L, 1));
    if (first < 0) return cref_fail(L, "socket");
    fd = fcntl(first, F_DUPFD_CLOEXEC, cref_int(L, 2));
    close(first);
    if (fd < 0) return cref_fail(L, "fcntl");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0) return cref_fail(L, "connect");
    if (size > 0 && send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) return cref_fail(L, "send");
    return 0;
}

const luaL_Reg cref_memory[] = { { "hold", cref_hold }, { NULL, NULL } };
