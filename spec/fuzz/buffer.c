/* The buffer, from Lua's side, against a model: an array of bytes that is searched from the front each time. */
#include "fuzz.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int luaopen_lsocket(lua_State *L);

enum { ROOM = 1 << 20, MODULE = 1, BUFFER, STREAM, DATAGRAM, ENDS };

typedef struct Model {
    char *bytes;
    size_t count, max; /* max: of a record */
} Model;

static lua_State *L;
static Model model;
static int peers[ENDS]; /* the other ends of the sockets, by their places on the stack */

/* Every input leaves them empty. */
static void make_pair(int place, int type) {
    int fds[2];
    fuzz_require(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds) == 0, "there are sockets");
    peers[place] = fds[1];
    lua_getfield(L, MODULE, "fromfd");
    lua_pushinteger(L, fds[0]);
    lua_call(L, 1, 1);
    lua_replace(L, place);
}

/* No library but the one: all that there is is collected after each input. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    L = luaL_newstate();
    lua_pushcfunction(L, luaopen_lsocket);
    lua_call(L, 0, 1);
    lua_settop(L, ENDS - 1);
    make_pair(STREAM, SOCK_STREAM);
    make_pair(DATAGRAM, SOCK_DGRAM);
    model.bytes = malloc(ROOM);
    return 0;
}

static void append_to_model(const char *bytes, size_t size) {
    memcpy(model.bytes + model.count, bytes, size);
    model.count += size;
}

static void drop_from_model(size_t size) {
    model.count -= size;
    memmove(model.bytes, model.bytes + size, model.count);
}

/* Calls a method of the buffer with what is on the stack above the sockets. The results are left there. */
static void call(const char *name) {
    int arguments = lua_gettop(L) - ENDS + 1;
    lua_getfield(L, BUFFER, name);
    lua_pushvalue(L, BUFFER);
    lua_rotate(L, ENDS, 2);
    lua_call(L, arguments + 1, LUA_MULTRET);
}

static void require_bytes(const char *bytes, size_t size) {
    size_t len;
    const char *text;
    fuzz_require(lua_type(L, ENDS) == LUA_TSTRING, "a string is given");
    text = lua_tolstring(L, ENDS, &len);
    fuzz_require(len == size && memcmp(text, bytes, size) == 0, "of the bytes that the model has");
}

static void require_failure(const char *name) {
    fuzz_require(lua_gettop(L) == ENDS + 2 && lua_isnil(L, ENDS) && lua_isstring(L, ENDS + 1), "nil, message, name");
    fuzz_require(strcmp(lua_tostring(L, ENDS + 2), name) == 0, "of the error that the model has");
}

/* ---- the operations ---- */

static void append(Input *in) {
    size_t size, i, times;
    const char *bytes = fuzz_bytes(in, 255, &size);
    luaL_Buffer all;
    times = (size_t)1 << fuzz_byte(in) % 9;
    if (size * times > ROOM - model.count) return;
    luaL_buffinit(L, &all);
    for (i = 0; i < times; i++) {
        luaL_addlstring(&all, bytes, size);
        append_to_model(bytes, size);
    }
    luaL_pushresult(&all);
    call("append");
    fuzz_require(lua_toboolean(L, ENDS), "bytes can be appended");
}

/* At most one message waits, so that the model need not know how messages are joined. */
static void receive(Input *in) {
    static char whole[66000];
    size_t size, times = (size_t)1 << fuzz_byte(in) % 9, i, wanted = 65536, expected;
    int place = fuzz_byte(in) & 1 ? STREAM : DATAGRAM, limited = (int)fuzz_byte(in) & 1, sent;
    const char *bytes = fuzz_bytes(in, 255, &size);
    for (i = 0; i < times; i++) memcpy(whole + i * size, bytes, size);
    size *= times;
    if (2 * size > ROOM - model.count) return;
    sent = size > 0 && send(peers[place], whole, size, 0) == (ssize_t)size;
    lua_pushvalue(L, place);
    if (limited) lua_pushinteger(L, (lua_Integer)(wanted = fuzz_number(in) % 70000));
    call("recv");
    if (place == STREAM && wanted == 0) {
        fuzz_require(lua_isinteger(L, ENDS) ? lua_tointeger(L, ENDS) == 0 : lua_isboolean(L, ENDS), "none was wanted");
        expected = 0;
    } else if (!sent) {
        fuzz_require(lua_isboolean(L, ENDS) && !lua_toboolean(L, ENDS), "nothing is there yet");
        return;
    } else {
        expected = place == STREAM && wanted < size ? wanted : size;
        fuzz_require(lua_isinteger(L, ENDS) && lua_tointeger(L, ENDS) == (lua_Integer)expected, "all is received");
    }
    append_to_model(whole, expected);
    lua_settop(L, ENDS - 1);
    while (sent && expected < size) { /* the rest of the stream */
        lua_pushvalue(L, place);
        call("recv");
        fuzz_require(lua_isinteger(L, ENDS), "the rest is received");
        append_to_model(whole + expected, (size_t)lua_tointeger(L, ENDS));
        expected += (size_t)lua_tointeger(L, ENDS);
        lua_settop(L, ENDS - 1);
    }
}

/* Where the record of the model ends; or requires that none was given, and answers 0. */
static int find(const char *delimiter, size_t length, size_t limit, size_t *at) {
    size_t places = model.count < length ? 0 : model.count - length + 1;
    for (*at = 0; *at < places && *at <= limit; ++*at)
        if (memcmp(model.bytes + *at, delimiter, length) == 0) return 1;
    if (places > limit) require_failure("EMSGSIZE");
    else fuzz_require(lua_isboolean(L, ENDS) && !lua_toboolean(L, ENDS), "no record is complete");
    return 0;
}

static void line(Input *in) {
    int keep = (int)fuzz_byte(in) & 1;
    size_t at;
    lua_pushboolean(L, keep);
    call("line");
    if (!find("\n", 1, model.max, &at)) return;
    require_bytes(model.bytes, keep ? at + 1 : at - (at > 0 && model.bytes[at - 1] == '\r'));
    drop_from_model(at + 1);
}

static void upto(Input *in) {
    size_t length, at, limit = model.max;
    const char *delimiter = fuzz_bytes(in, 4, &length);
    if (length == 0) return;
    lua_pushlstring(L, delimiter, length);
    if (fuzz_byte(in) & 1) lua_pushinteger(L, (lua_Integer)(limit = 1 + fuzz_number(in) % 1000));
    call("upto");
    if (!find(delimiter, length, limit, &at)) return;
    require_bytes(model.bytes, at);
    drop_from_model(at + length);
}

static void take(Input *in) {
    size_t count = fuzz_number(in) % (fuzz_byte(in) & 1 ? 100 : 70000);
    lua_pushinteger(L, (lua_Integer)count);
    call("take");
    if (count > model.count) {
        fuzz_require(lua_isboolean(L, ENDS) && !lua_toboolean(L, ENDS), "so many are not there");
        return;
    }
    require_bytes(model.bytes, count);
    drop_from_model(count);
}

static void some(Input *in) {
    size_t most = fuzz_number(in) % 70000, count = model.count;
    if (fuzz_byte(in) & 1) {
        lua_pushinteger(L, (lua_Integer)most);
        if (most < count) count = most;
    }
    call("some");
    if (model.count == 0) {
        fuzz_require(lua_isboolean(L, ENDS) && !lua_toboolean(L, ENDS), "nothing is there");
        return;
    }
    require_bytes(model.bytes, count);
    drop_from_model(count);
}

static void clear(Input *in) {
    (void)in;
    call("clear");
    model.count = 0;
}

static void collect(Input *in) { lua_gc(L, fuzz_byte(in) & 1 ? LUA_GCCOLLECT : LUA_GCSTEP, 0); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const operations[])(Input *) = { append, receive, line, upto, take, some, clear, collect,
                                                   append, receive, line, upto, line };
    Input in = { data, size };
    unsigned max = fuzz_byte(&in), steps;
    model.count = 0;
    model.max = max ? max : (size_t)-1;
    lua_getfield(L, MODULE, "buffer");
    if (max) lua_pushinteger(L, (lua_Integer)max);
    lua_call(L, max > 0, 1);
    lua_replace(L, BUFFER);
    for (steps = 0; in.left > 0 && steps < 200; steps++) {
        operations[fuzz_byte(&in) % (sizeof operations / sizeof operations[0])](&in);
        lua_settop(L, ENDS - 1);
        lua_len(L, BUFFER);
        fuzz_require(lua_tointeger(L, ENDS) == (lua_Integer)model.count, "the buffer has as many bytes as the model");
        lua_settop(L, ENDS - 1);
    }
    lua_pushnil(L);
    lua_replace(L, BUFFER);
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}
