/* The methods of lsocket.luasocket's objects that send or receive. Such a call is one system call, and what Lua does
   around it shows: so Lua is called only where it must wait, where something is odd, and now and then, to see whether
   others are to run. Lua 5.1 and LuaJIT cannot wait below a function in C: there all of it is Lua's. */
#include "buffer.h"
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

enum { DATAGRAM = 8192 }; /* bytes that are received, unless others are wanted */
enum { CALLS = 8 };       /* of a coroutine that go by without Lua, at most */

/* What a method has with it, after LS_STATE. */
enum {
    LEFT = lua_upvalueindex(2),   /* int: calls until the next one that is Lua's */
    OBJECT = lua_upvalueindex(3), /* "object", "buffer", "sent": fields of an object */
    BUFFER = lua_upvalueindex(4),
    SENT = lua_upvalueindex(5),
    WHOLE = lua_upvalueindex(6), /* (object, ...): the method in Lua */
    REST = lua_upvalueindex(7)   /* (object, ..., results): the same, after a try that has brought nothing */
};

/* Pushes a field of the object; the name is an upvalue. */
LS_HOT void push_field(lua_State *L, int name) {
    lua_pushvalue(L, name);
    lua_rawget(L, 1);
}

/* Pushes the socket of the object, and answers it; NULL: nothing that could be tried. */
LS_HOT ls_Socket *push_socket(lua_State *L) {
    if (lua_type(L, 1) != LUA_TTABLE) return NULL;
    push_field(L, OBJECT);
    return ls_socket_find(L, -1);
}

/* ---- what they do ----

   Each pushes one value that it needs and what comes of it, and answers how many values those are, negative where they
   are no result; 0: nothing was tried. */

LS_HOT int told(lua_State *L, int count) { return LS_LIKELY(lua_toboolean(L, -count)) ? count : -count; }

/* Argument 2; 0: something odd. */
LS_HOT size_t wanted(lua_State *L) {
    int type = lua_type(L, 2);
    lua_Integer size;
    if (LS_LIKELY(type <= LUA_TNIL)) return DATAGRAM;
    size = type == LUA_TNUMBER ? ls_tointeger(L, 2) : 0;
    return size > 0 && size <= LS_SOCKET_RECEIVE ? (size_t)size : 0;
}

LS_HOT int try_receive(lua_State *L) {
    size_t size = wanted(L);
    ls_Socket *s = size ? push_socket(L) : NULL;
    return LS_LIKELY(s != NULL) ? told(L, ls_receive(L, s, size)) : 0;
}

LS_HOT int try_receivefrom(lua_State *L) {
    size_t size = wanted(L);
    ls_Socket *s = size ? push_socket(L) : NULL;
    return LS_LIKELY(s != NULL) ? told(L, ls_receive_from(L, s, size)) : 0;
}

LS_HOT int try_send(lua_State *L) {
    size_t len;
    const char *data = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
    ls_Socket *s = data ? push_socket(L) : NULL;
    return LS_LIKELY(s != NULL) ? told(L, ls_send_all(L, s, data, len)) : 0;
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
    return told(L, ls_send_to(L, s, data, len, &peer));
}

/* Of a stream. The buffer counts the calls. */
LS_HOT int try_read(lua_State *L) {
    ls_Socket *s;
    int count;
    lua_settop(L, 3);
    s = push_socket(L);
    if (!LS_LIKELY(s != NULL)) return 0;
    push_field(L, BUFFER);
    lua_insert(L, 4);
    count = ls_wish_receiveby(L, 4, s, 2);
    if (LS_LIKELY(count > 0 && lua_type(L, -count) == LUA_TSTRING)) return count;
    lua_remove(L, 4);
    return -count;
}

/* Bytes of a stream have been sent, how many is on the stack. */
LS_HOT void count_sent(lua_State *L) {
    lua_pushvalue(L, SENT);
    push_field(L, SENT);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -2);
    } else {
        lua_pushvalue(L, -3);
        lua_arith(L, LUA_OPADD);
    }
    lua_rawset(L, 1);
}

LS_HOT int try_write(lua_State *L) {
    int count = lua_gettop(L) == 2 ? try_send(L) : 0;
    if (LS_LIKELY(count > 0)) count_sent(L);
    return count;
}

/* ---- the methods ---- */

/* Calls a function with all that is on the stack; it may wait. */
static int pass(lua_State *L, int fn) {
    lua_pushvalue(L, fn);
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, give);
    return lua_gettop(L);
}

/* After a try that has given so many values: what stands before them are the arguments, of which some may be missing,
   and what it has pushed first. */
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
    int *left = lua_touserdata(L, LEFT), given = lua_gettop(L), count;
    count = given > arguments || (--*left < 0 && is_due(L, left)) ? 0 : try(L);
    if (!LS_LIKELY(count > 0)) {
        if (count < 0) return go_on(L, arguments, -count);
        lua_settop(L, given);
        return pass(L, WHOLE);
    }
    lua_settop(L, lua_gettop(L) + results - count);
    return results;
}

static int quick_receive(lua_State *L) { return run(L, try_receive, 2, 1); }
static int quick_receivefrom(lua_State *L) { return run(L, try_receivefrom, 2, 3); }
static int quick_send(lua_State *L) { return run(L, try_send, 2, 1); }
static int quick_sendto(lua_State *L) { return run(L, try_sendto, 4, 1); }
static int quick_read(lua_State *L) { return run(L, try_read, 3, 3); }
static int quick_write(lua_State *L) { return run(L, try_write, 4, 3); }

/* __quick(name, whole, rest) -> a method: "receive", "receivefrom", "send" or "sendto" of datagrams, "read" or "write"
   of a stream: its receive or send */
int ls_quick_method(lua_State *L) {
    static const char *const names[] = { "receive", "receivefrom", "send", "sendto", "read", "write", NULL };
    static const lua_CFunction methods[] = { quick_receive, quick_receivefrom, quick_send,
                                             quick_sendto,  quick_read,        quick_write };
    lua_CFunction method = methods[luaL_checkoption(L, 1, NULL, names)];
    lua_pushvalue(L, LS_STATE);
    *(int *)ls_newuserdata(L, sizeof(int)) = CALLS;
    lua_pushliteral(L, "object");
    lua_pushliteral(L, "buffer");
    lua_pushliteral(L, "sent");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushcclosure(L, method, 7);
    return 1;
}

#endif
