/* Lua values <-> C values. What the values are for is left to the callers. */
#include "value.h"
#include "net/iface.h"

#include <string.h>
#include <strings.h>

static const char *wrong_type(lua_State *L, int index, const char *expected) {
    return lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, index));
}

int ls_value_wrongtype(lua_State *L, int arg, const char *expected) {
    return luaL_argerror(L, arg, wrong_type(L, arg, expected));
}

int ls_value_refuse(lua_State *L, int arg, const char *name, const char *problem) {
    return luaL_argerror(L, arg, lua_pushfstring(L, "%s: %s", name, problem));
}

const char *ls_value_readint(lua_State *L, int index, const char *what, int low, int high, int *value) {
    lua_Number number = lua_tonumber(L, index);
    if (!lua_isnumber(L, index)) return wrong_type(L, index, "number");
    if (!(number >= low && number <= high) || number != (int)number)
        return lua_pushfstring(L, "%s must be an integer from %d to %d", what, low, high);
    *value = (int)number;
    return NULL;
}

const char *ls_value_readport(lua_State *L, int index, int *port) {
    if (lua_isnoneornil(L, index)) return "number expected, got no value"; /* nil stands for none here */
    if (lua_type(L, index) == LUA_TSTRING) {
        const char *text = lua_tostring(L, index);
        if (*text == '\0' || strspn(text, "0123456789") != lua_rawlen(L, index))
            return "port must be a number or a string of digits";
    }
    return ls_value_readint(L, index, "port", 0, 65535, port);
}

const char *ls_value_readaddress(lua_State *L, int index, const char **address, size_t *len) {
    if (lua_type(L, index) != LUA_TSTRING) return wrong_type(L, index, "string");
    *address = lua_tolstring(L, index, len);
    return (*address)[0] != '@' && memchr(*address, '\0', *len) ? "address contains a NUL byte" : NULL;
}

/* A number, or a string of digits and nothing else, as in a zone. */
static int is_index(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TSTRING) return lua_type(L, index) == LUA_TNUMBER;
    return lua_rawlen(L, index) > 0 && strspn(lua_tostring(L, index), "0123456789") == lua_rawlen(L, index);
}

const char *ls_value_readinterface(lua_State *L, int index, unsigned *interface, int *err) {
    const char *text;
    size_t len;
    int number = 0;
    if (is_index(L, index)) {
        const char *problem = ls_value_readint(L, index, "interface", 1, INT_MAX, &number);
        *interface = (unsigned)number;
        *err = 0;
        return problem;
    }
    if (lua_type(L, index) != LUA_TSTRING) return wrong_type(L, index, "interface name, index or address");
    text = lua_tolstring(L, index, &len);
    if (memchr(text, '\0', len)) return "interface contains a NUL byte";
    *err = ls_iface_find(text, len, interface);
    return NULL;
}

void ls_value_accept(lua_State *L, int arg, const char *problem) {
    if (problem) luaL_argerror(L, arg, problem);
}

int ls_value_int(lua_State *L, int arg, const char *what, int low, int high) {
    int value = 0;
    ls_value_accept(L, arg, ls_value_readint(L, arg, what, low, high, &value));
    return value;
}

int ls_value_port(lua_State *L, int arg) {
    int port = 0;
    ls_value_accept(L, arg, ls_value_readport(L, arg, &port));
    return port;
}

const char *ls_value_address(lua_State *L, int arg, size_t *len) {
    const char *address = NULL;
    ls_value_accept(L, arg, ls_value_readaddress(L, arg, &address, len));
    return address;
}

unsigned ls_value_portof(lua_State *L, const char *address, size_t len, int arg) {
    return lua_isnoneornil(L, arg) && ls_addr_isunix(address, len) ? 0 : (unsigned)ls_value_port(L, arg);
}

lua_Number ls_value_whole(lua_State *L, int arg, const char *what, lua_Number fallback) {
    lua_Number number = lua_tonumber(L, arg);
    int small = number > -LS_VALUE_EXACT && number < LS_VALUE_EXACT;
    int whole = small ? number == (lua_Number)(int64_t)number : number - number == 0; /* not for NaN and infinity */
    if (lua_isnoneornil(L, arg)) return fallback;
    if (!lua_isnumber(L, arg)) ls_value_wrongtype(L, arg, "number");
    if (!whole) luaL_argerror(L, arg, lua_pushfstring(L, "%s must be an integer", what));
    return number;
}

size_t ls_value_anysize(lua_State *L, int arg, size_t fallback) {
    return lua_isnoneornil(L, arg) ? fallback : (size_t)ls_value_int(L, arg, "size", 0, INT_MAX);
}

int ls_value_events(lua_State *L, int arg) {
    static const char *const names[] = { "r", "w", "rw", NULL };
    return luaL_checkoption(L, arg, NULL, names) + 1;
}

double ls_value_anytimeout(lua_State *L, int arg) {
    if (lua_isnumber(L, arg)) luaL_argerror(L, arg, "timeout is not a number");
    if (!lua_isnoneornil(L, arg)) ls_value_wrongtype(L, arg, "number");
    return -1;
}

void ls_value_pushtext(lua_State *L, const ls_Addr *addr, int zone) {
    char text[LS_ADDR_TEXT];
    lua_pushlstring(L, text, ls_addr_format(addr, zone, text));
}

void ls_value_pushpeer(lua_State *L, const ls_Addr *addr) {
    char text[LS_ADDR_TEXT];
    size_t len = ls_addr_format(addr, 1, text);
    if (len == 0) {
        lua_pushnil(L);
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, text, len);
        lua_pushinteger(L, (lua_Integer)ls_addr_port(addr));
    }
}

void ls_value_pushrecord(lua_State *L, const ls_Addr *addr, int zone) {
    lua_createtable(L, 0, 3);
    lua_pushstring(L, ls_value_family(ls_addr_family(addr)));
    lua_setfield(L, -2, "family");
    ls_value_pushtext(L, addr, zone);
    lua_setfield(L, -2, "addr");
}

void ls_value_pushunsigned(lua_State *L, uint64_t value) {
    if (value < (uint64_t)LS_VALUE_EXACT && (value <= INT_MAX || sizeof(lua_Integer) == 8))
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnumber(L, (lua_Number)value);
}

static void set_number(lua_State *L, const char *name, uint64_t value) {
    ls_value_pushunsigned(L, value);
    lua_setfield(L, -2, name);
}

void ls_value_pushcredentials(lua_State *L, const ls_Credentials *who) {
    lua_createtable(L, 0, 3);
    if (who->pid) set_number(L, "pid", (uint64_t)who->pid);
    set_number(L, "uid", who->uid);
    set_number(L, "gid", who->gid);
}

int ls_value_file(lua_State *L, int index) {
    FILE *file;
    int same;
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return LS_VALUE_NOFILE;
    luaL_getmetatable(L, LUA_FILEHANDLE);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!same) return LS_VALUE_NOFILE;
    file = ls_tofile(lua_touserdata(L, index));
    return file ? fileno(file) : LS_VALUE_CLOSED;
}

int ls_value_openfile(lua_State *L, int arg) {
    int fd = ls_value_file(L, arg);
    return fd == LS_VALUE_CLOSED ? luaL_argerror(L, arg, "the file is closed") : fd;
}

const char *ls_value_family(int family) {
    return family == AF_INET ? "inet" : family == AF_INET6 ? "inet6" : family == AF_UNIX ? "unix" : "unknown";
}

typedef struct Type {
    const char *name;
    int type;
} Type;

static const Type types[] = { { "tcp", SOCK_STREAM }, { "udp", SOCK_DGRAM }, { "seqpacket", SOCK_SEQPACKET } };

enum { TYPES = sizeof types / sizeof types[0] };

int ls_value_type(const char *name) {
    int i;
    for (i = 0; i < TYPES; i++)
        if (strcasecmp(types[i].name, name) == 0) return types[i].type;
    return 0;
}

const char *ls_value_typename(int type) {
    int i;
    for (i = 0; i < TYPES; i++)
        if (types[i].type == type) return types[i].name;
    return "unknown";
}
