/* The far ends of connections whose near ends are being weighed. */
#include "cref.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* cref.hold(port, least): makes a TCP connection to this port of loopback and keeps it until the process ends. Its
   descriptor is the first free one from least on: those below are left to the sockets that are weighed. */
static int cref_hold(lua_State *L) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    server.sin_port = htons((uint16_t)cref_int(L, 1));
    if (first < 0) return cref_fail(L, "socket");
    fd = fcntl(first, F_DUPFD_CLOEXEC, cref_int(L, 2));
    close(first);
    if (fd < 0) return cref_fail(L, "fcntl");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0) return cref_fail(L, "connect");
    return 0;
}

const luaL_Reg cref_memory[] = { { "hold", cref_hold }, { NULL, NULL } };
