/* What instructions are counted of beside sending and receiving. */
#include "cref.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static int knock(int port) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), failed;
    server.sin_port = htons((uint16_t)port);
    failed = connect(fd, (struct sockaddr *)&server, sizeof server);
    close(fd);
    return failed;
}

/* cref.knock(port): makes a connection and closes it; the listener can accept it all the same */
static int cref_knock(lua_State *L) {
    return knock(cref_int(L, 1)) ? cref_fail(L, "connect") : 0;
}

/* cref.welcome(listener, port, rounds): knocks, accepts and closes */
static int cref_welcome(lua_State *L) {
    int listener = cref_int(L, 1), port = cref_int(L, 2), rounds = cref_int(L, 3), i;
    for (i = 0; i < rounds; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd;
        if (knock(port)) return cref_fail(L, "connect");
        fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return cref_fail(L, "accept4");
        close(fd);
    }
    return 0;
}

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

/* cref.object() -> a userdata whose method nothing does nothing */
static int cref_object(lua_State *L) {
    lua_newuserdata(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, nothing);
    lua_setfield(L, -2, "nothing");
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    return 1;
}

const luaL_Reg cref_instructions[] = {
    { "knock", cref_knock },
    { "welcome", cref_welcome },
    { "object", cref_object },
    { NULL, NULL },
};
