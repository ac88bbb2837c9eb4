/* Options by number, of sockets of every kind: whatever is set and asked for, the results keep to the contract. */
#include "fuzz.h"

#include <lauxlib.h>
#include <lua.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int luaopen_lsocket(lua_State *L);

enum { MODULE = 1, SOCKET, OTHERS, FIRST };

static lua_State *L;

/* A socket, and what keeps it connected; in this order, a byte of the input chooses. */
static const char *const makers[] = {
    "local ls = ... return ls.bind('127.0.0.1', 0)",
    "local ls = ... local l = ls.bind('127.0.0.1', 0)\n"
    "local c = ls.connect('127.0.0.1', l:info('socket').port) return c, l, l:accept()",
    "local ls = ... local l = ls.bind('::1', 0) return ls.connect('::1', l:info('socket').port), l",
    "local ls = ... return ls.bind('udp', '127.0.0.1', 0)",
    "local ls = ... return ls.bind('udp', '::', 0)",
    "local ls = ... local r = ls.bind('udp', '127.0.0.1', 0)\n"
    "return ls.connect('udp', '127.0.0.1', r:info('socket').port), r",
    "local ls = ... return ls.bind('mcast', '239.1.2.3%lo', 0)",
    "local ls = ... return ls.pair()",
    "local ls = ... return ls.pair('udp')",
    "local ls = ... return ls.pair('seqpacket')",
    "local ls = ... local s = ls.pair() s:close() return s",
};

enum { MAKERS = sizeof makers / sizeof makers[0] };

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    int i;
    (void)argc;
    (void)argv;
    L = luaL_newstate();
    lua_pushcfunction(L, luaopen_lsocket);
    lua_call(L, 0, 1);
    lua_newtable(L); /* stands where the makers' functions are found */
    for (i = 0; i < MAKERS; i++) {
        fuzz_require(luaL_loadstring(L, makers[i]) == 0, "a maker compiles");
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, LUA_REGISTRYINDEX, "makers");
    return 0;
}

static void make_socket(unsigned kind) {
    int i;
    lua_getfield(L, LUA_REGISTRYINDEX, "makers");
    lua_rawgeti(L, -1, (int)(kind % MAKERS) + 1);
    lua_remove(L, -2);
    lua_pushvalue(L, MODULE);
    lua_call(L, 1, LUA_MULTRET);
    fuzz_require(lua_isuserdata(L, SOCKET), "there is a socket");
    lua_createtable(L, 2, 0);
    lua_insert(L, OTHERS);
    for (i = 1; lua_gettop(L) > OTHERS; i++) lua_rawseti(L, OTHERS, i);
}

/* Most levels and numbers are those that exist. Numbers of the packet filter are left alone. */
static int choose_level(Input *in) {
    static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, SOL_SOCKET };
    unsigned choice = fuzz_byte(in);
    if (choice % 8 == 7) return (int)(fuzz_number(in) & 0x7fffffff);
    return levels[choice % 8 % 6];
}

static int choose_number(Input *in) {
    unsigned choice = fuzz_byte(in);
    int number = choice == 255 ? (int)(fuzz_number(in) & 0x7fffffff) : (int)choice;
    return number >= 64 && number < 200 && number != UDP_SEGMENT && number != UDP_GRO ? number - 64 : number;
}

static void check_failure(void) {
    fuzz_require(lua_gettop(L) == FIRST + 2, "a failure has three results");
    fuzz_require(lua_type(L, FIRST + 1) == LUA_TSTRING && lua_type(L, FIRST + 2) == LUA_TSTRING, "two are strings");
    fuzz_require(lua_tostring(L, FIRST + 2)[0] == 'E', "the name is an errno's");
}

/* Calls a method with what is above the first place. 0: it raised an error, and that was allowed. */
static int call(const char *name, int may_raise) {
    int arguments = lua_gettop(L) - FIRST + 1;
    lua_getfield(L, SOCKET, name);
    lua_pushvalue(L, SOCKET);
    lua_rotate(L, FIRST, 2);
    if (lua_pcall(L, arguments + 1, LUA_MULTRET, 0) == 0) return 1;
    fuzz_require(may_raise && lua_type(L, FIRST) == LUA_TSTRING, "nothing raises but a wrong value, with a text");
    return 0;
}

static void set(Input *in) {
    size_t size, times;
    const char *bytes;
    luaL_Buffer all;
    unsigned how = fuzz_byte(in);
    lua_pushinteger(L, choose_level(in));
    lua_pushinteger(L, choose_number(in));
    if (how & 1) {
        lua_pushinteger(L, (int32_t)fuzz_number(in));
    } else {
        bytes = fuzz_bytes(in, 255, &size);
        luaL_buffinit(L, &all);
        for (times = how & 2 ? 1 : (size_t)1 << (how >> 2) % 10; times > 0; times--) luaL_addlstring(&all, bytes, size);
        luaL_pushresult(&all);
    }
    size = lua_rawlen(L, -1);
    if (!call("setopt", size > 65536)) return;
    if (lua_isnil(L, FIRST)) check_failure();
    else fuzz_require(lua_isboolean(L, FIRST) && lua_toboolean(L, FIRST), "setting gives true");
}

static void get(Input *in) {
    unsigned how = fuzz_byte(in);
    size_t room = how & 2 ? fuzz_byte(in) : fuzz_number(in) % 66000;
    int level = choose_level(in), number = choose_number(in);
    if (level == SOL_SOCKET && number == SO_PEERPIDFD) return; /* makes a descriptor, which is the caller's */
    lua_pushinteger(L, level);
    lua_pushinteger(L, number);
    if (how & 1) lua_pushinteger(L, (lua_Integer)room);
    if (!call("getopt", room > 65536)) return;
    if (lua_isnil(L, FIRST)) check_failure();
    else if (lua_type(L, FIRST) != LUA_TSTRING) fuzz_require(!(how & 1) && lua_isinteger(L, FIRST), "it is an integer");
    else fuzz_require(lua_rawlen(L, FIRST) <= (how & 1 ? room : sizeof(int) - 1), "it fits, or is too short for one");
}

/* By name, with a value that may be none. */
static void name(Input *in) {
    static const char *const names[] = { "segment", "gro", "tos", "ttl", "linger", "device", "mcastif", "congestion",
                                         "tcpinfo", "error", "rcvbuf", "mtudiscover", "keepidle", "mcastttl",
                                         "usertimeout", "busypoll", "domain", "type", "v6only", "pktinfo" };
    unsigned how = fuzz_byte(in);
    size_t size;
    const char *bytes;
    lua_pushstring(L, names[fuzz_byte(in) % (sizeof names / sizeof names[0])]);
    if (how & 1) {
        if (call("getopt", 0) && lua_isnil(L, FIRST)) check_failure();
        return;
    }
    if (how & 2) lua_pushnumber(L, (lua_Number)(int32_t)fuzz_number(in) / (how & 4 ? 1000 : 1));
    else if (how & 8) lua_pushboolean(L, how & 4);
    else bytes = fuzz_bytes(in, 40, &size), lua_pushlstring(L, bytes, size);
    if (call("setopt", 1) && lua_isnil(L, FIRST)) check_failure();
}

/* Of those that keep the socket connected, the last may be its peer. What comes with its data depends on options. */
static void have_peer_send(void) {
    lua_rawgeti(L, OTHERS, (int)lua_rawlen(L, OTHERS));
    if (lua_isuserdata(L, -1)) {
        lua_getfield(L, -1, "send");
        lua_insert(L, -2);
        lua_pushliteral(L, "from the peer");
        fuzz_require(lua_pcall(L, 2, 0, 0) == 0, "sending does not raise");
    }
    lua_settop(L, OTHERS);
}

/* The socket still does what a socket does. */
static void use(Input *in) {
    static const char *const methods[] = { "recv", "recvmsg", "status", "getfd", "recverr", "recvfds" };
    unsigned how = fuzz_byte(in);
    if (how & 2) have_peer_send();
    if (how & 1) {
        lua_pushliteral(L, "some data");
        call("send", 0);
    } else {
        call(methods[fuzz_byte(in) % (sizeof methods / sizeof methods[0])], 0);
    }
    if (lua_gettop(L) >= FIRST && lua_isnil(L, FIRST) && lua_gettop(L) > FIRST) check_failure();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const operations[])(Input *) = { set, get, name, use, set, get };
    Input in = { data, size };
    int descriptors = fuzz_descriptors(), steps;
    make_socket(fuzz_byte(&in));
    for (steps = 0; in.left > 0 && steps < 50; steps++) {
        operations[fuzz_byte(&in) % 6](&in);
        lua_settop(L, OTHERS);
    }
    lua_settop(L, MODULE);
    lua_gc(L, LUA_GCCOLLECT, 0);
    fuzz_require_descriptors(descriptors);
    return 0;
}
