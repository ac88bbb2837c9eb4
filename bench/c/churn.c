/* Connections that are opened, accepted and closed. */
#include "cref.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* cref.connect(port, count) -> descriptors: connects to the port on 127.0.0.1 */
static int cref_connect(lua_State *L) {
    struct sockaddr_in addr;
    int count = cref_int(L, 2), i;
    luaL_checkstack(L, count, NULL);
    memset(&addr, 0, sizeof addr);
    addr.sin_family = AF_INET;
    addr.sin_port = htons((in_port_t)cref_int(L, 1));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) return cref_fail(L, "socket");
        (void)!connect(fd, (struct sockaddr *)&addr, sizeof addr); /* is in progress */
        lua_pushinteger(L, fd);
    }
    return count;
}

/* cref.close_all(fd...) */
static int cref_close_all(lua_State *L) {
    int i;
    for (i = 1; i <= lua_gettop(L); i++) close(cref_int(L, i));
    return 0;
}

/* cref.accept(listener, count): accepts with the peer's address, and closes */
static int cref_accept(lua_State *L) {
    int listener = cref_int(L, 1), count = cref_int(L, 2), i;
    for (i = 0; i < count;) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) continue; /* on a busy machine one may come a little later */
        if (fd < 0) return cref_fail(L, "accept4");
        close(fd);
        i++;
    }
    return 0;
}

const luaL_Reg cref_churn[] = {
    { "connect", cref_connect }, { "close_all", cref_close_all }, { "accept", cref_accept }, { NULL, NULL },
};
