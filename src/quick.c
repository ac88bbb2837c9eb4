/* The methods of lsocket.luasocket's objects that send or receive a datagram. Such a call is one system call, and what
   Lua does around it shows: so Lua is called only where it must wait, where something is odd, and now and then, to see
   whether others are to run. Lua 5.1 and LuaJIT cannot wait below a function in C: there all of it is Lua's. */
#include "socket.h"
#include "value.h"

#if LUA_VERSION_NUM >= 502

#if LUA_VERSION_NUM >= 503
static int give(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return lua_gettop(L);
}
#else
static int give(lua_State *L) { return lua_gettop(L); }
#endif

enum { SIZE = 8192 }; /* bytes that are received, unless others are wanted */
enum { CALLS = 8 };   /* of a coroutine that go by without Lua, at most */

/* What a method has with it. */
enum {
    LEFT = lua_upvalueindex(1),  /* int: calls until the next one that is Lua's */
    FIELD = lua_upvalueindex(2), /* "object": where an object has its socket */
    WHOLE = lua_upvalueindex(3), /* (object, ...): the method in Lua */
    REST = lua_upvalueindex(4)   /* (object, ..., results): the same, after a try that has brought nothing */
};

/* Pushes the socket of the object, and answers it; NULL: nothing that could be tried. */
LS_HOT ls_Socket *push_socket(lua_State *L) {
    if (lua_type(L, 1) != LUA_TTABLE) return NULL;
    lua_pushvalue(L, FIELD);
    lua_rawget(L, 1);
    return ls_socket_find(L, -1);
}

/* ---- what they do: each pushes the socket and what comes of it, and answers how many values; 0: nothing was tried ---- */

/* Argument 2; 0: something odd. */
LS_HOT size_t wanted(lua_State *L) {
    int type = lua_type(L, 2);
    lua_Integer size;
    if (LS_LIKELY(type <= LUA_TNIL)) return SIZE;
    size = type == LUA_TNUMBER ? ls_tointeger(L, 2) : 0;
    return size > 0 && size <= LS_SOCKET_RECEIVE ? (size_t)size : 0;
}

LS_HOT int try_receive(lua_State *L) {
    size_t size = wanted(L);
    ls_Socket *s = size ? push_socket(L) : NULL;
    return LS_LIKELY(s != NULL) ? ls_receive(L, s, size) : 0;
}

LS_HOT int try_receivefrom(lua_State *L) {
    size_t size = wanted(L);
    ls_Socket *s = size ? push_socket(L) : NULL;
    return LS_LIKELY(s != NULL) ? ls_receive_from(L, s, size) : 0;
}

LS_HOT int try_send(lua_State *L) {
    size_t len;
    const char *data = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
    ls_Socket *s = data ? push_socket(L) : NULL;
    return LS_LIKELY(s != NULL) ? ls_send_all(L, s, data, len) : 0;
}

/* Arguments 3 and 4 are a numeric address and a port; else 0. */
LS_HOT int read_peer(lua_State *L, ls_Addr *peer) {
    size_t len;
    const char *text = lua_type(L, 3) == LUA_TSTRING ? lua_tolstring(L, 3, &len) : NULL;
    int port = 0;
    if (!text || ls_value_readport(L, 4, &port) || port == 0) return 0;
    return ls_addr_numeric(text, len, (unsigned)port, peer) == 0;
}

LS_HOT int try_sendto(lua_State *L) {
    ls_Addr peer;
    size_t len;
    const char *data = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
    ls_Socket *s = data && read_peer(L, &peer) ? push_socket(L) : NULL;
    if (!s || s->fd < 0 || s->type != SOCK_DGRAM || s->family != peer.u.sa.sa_family) return 0;
    return ls_send_to(L, s, data, len, &peer);
}

/* ---- the methods ---- */

/* Calls a function with all that is on the stack; it may wait. */
static int pass(lua_State *L, int fn) {
    lua_pushvalue(L, fn);
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, give);
    return lua_gettop(L);
}

/* After a try with so many results: what stands before them are the arguments, of which some may be missing, and the
   socket. */
static int go_on(lua_State *L, int arguments, int count) {
    int given = lua_gettop(L) - count - 1;
    lua_remove(L, given + 1);
    for (; given < arguments; given++) {
        lua_pushnil(L);
        lua_insert(L, given + 1);
    }
    return pass(L, REST);
}

/* Are others to run, perhaps? Where no coroutine runs there are none. */
static int is_due(lua_State *L, int *left) {
    int alone = lua_pushthread(L);
    lua_pop(L, 1);
    *left = CALLS;
    return !alone;
}

LS_HOT int run(lua_State *L, int try(lua_State *), int arguments, int results) {
    int *left = lua_touserdata(L, LEFT), given, count;
    given = lua_gettop(L);
    count = given > arguments || (--*left < 0 && is_due(L, left)) ? 0 : try(L);
    if (!LS_LIKELY(count > 0)) {
        lua_settop(L, given);
        return pass(L, WHOLE);
    }
    if (!LS_LIKELY(lua_toboolean(L, -count))) return go_on(L, arguments, count);
    if (!LS_LIKELY(count <= results)) lua_pop(L, count - results);
    return count < results ? count : results;
}

static int quick_receive(lua_State *L) { return run(L, try_receive, 2, 1); }
static int quick_receivefrom(lua_State *L) { return run(L, try_receivefrom, 2, 3); }
static int quick_send(lua_State *L) { return run(L, try_send, 2, 1); }
static int quick_sendto(lua_State *L) { return run(L, try_sendto, 4, 1); }

/* __quick(name, whole, rest) -> a method: "receive", "receivefrom", "send" or "sendto" */
int ls_quick_method(lua_State *L) {
    static const char *const names[] = { "receive", "receivefrom", "send", "sendto", NULL };
    static const lua_CFunction methods[] = { quick_receive, quick_receivefrom, quick_send, quick_sendto };
    lua_CFunction method = methods[luaL_checkoption(L, 1, NULL, names)];
    *(int *)ls_newuserdata(L, sizeof(int)) = CALLS;
    lua_pushliteral(L, "object");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushcclosure(L, method, 4);
    return 1;
}

#endif
