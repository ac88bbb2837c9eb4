/* Datagrams with all that there is about them: where they were sent to, by which interface, how and when. How the
   kernel tells and is told is left to net/cmsg.c, asking it to tell to the options. */
#include "err.h"
#include "lsocket.h"
#include "net/cmsg.h"
#include "net/fd.h"
#include "net/part.h"
#include "option.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>

/* ---- what came ---- */

static const char *const told[] = {
    "address", "port", "destination", "interface", "ttl", "tos", "ecn", "timestamp", "segment", "truncated",
    "controltruncated", "credentials", "error", "origin", "type", "code", "mtu", "offender", NULL,
};

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_address(lua_State *L, const char *name, const ls_Addr *addr) {
    ls_value_pushtext(L, addr, 1);
    lua_setfield(L, -2, name);
}

static void set_peer(lua_State *L, const ls_Addr *peer) {
    ls_value_pushpeer(L, peer);
    lua_setfield(L, -3, "port");
    lua_setfield(L, -2, "address");
}

static void set_report(lua_State *L, const ls_Report *report) {
    static const char *const origins[] = { "other", "local", "icmp", "icmp6" };
    ls_err_pushname(L, report->err);
    lua_setfield(L, -2, "error");
    lua_pushstring(L, origins[report->origin]);
    lua_setfield(L, -2, "origin");
    if (report->origin == LS_ORIGIN_ICMP || report->origin == LS_ORIGIN_ICMP6) {
        set_integer(L, "type", report->type);
        set_integer(L, "code", report->code);
    }
    if (report->mtu) set_integer(L, "mtu", (lua_Integer)report->mtu);
    if (report->offender.len) set_address(L, "offender", &report->offender);
}

static void set_told(lua_State *L, const ls_Envelope *e) {
    if (e->has & LS_HAS_LOCAL) set_address(L, "destination", &e->local);
    if (e->has & LS_HAS_INTERFACE) set_integer(L, "interface", (lua_Integer)e->interface);
    if (e->has & LS_HAS_TTL) set_integer(L, "ttl", e->ttl);
    if (e->has & LS_HAS_TOS) {
        set_integer(L, "tos", e->tos);
        set_integer(L, "ecn", e->tos & 3);
    }
    if (e->has & LS_HAS_SEGMENT) set_integer(L, "segment", e->segment);
    if (e->has & LS_HAS_TIME) {
        lua_pushnumber(L, (lua_Number)e->time);
        lua_setfield(L, -2, "timestamp");
    }
    if (e->has & LS_HAS_CREDENTIALS) {
        ls_value_pushcredentials(L, &e->credentials);
        lua_setfield(L, -2, "credentials");
    }
    if (e->has & LS_HAS_REPORT) set_report(L, &e->report);
    if (e->lost) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "controltruncated");
    }
}

enum { TABLE = 3 }; /* the argument that is refilled */

/* Pushes the table that was given, without what an earlier message left there, or a new one. */
static void push_table(lua_State *L) {
    int i;
    if (lua_isnil(L, TABLE)) {
        lua_createtable(L, 0, 8);
        return;
    }
    lua_pushvalue(L, TABLE);
    for (i = 0; told[i]; i++) {
        lua_getfield(L, -1, told[i]);
        if (!lua_isnil(L, -1)) {
            lua_pushnil(L);
            lua_setfield(L, -3, told[i]);
        }
        lua_pop(L, 1);
    }
}

/* Pushes data and table; n: how many bytes came, more than size where some were cut off. */
static int push_message(lua_State *L, const char *data, size_t size, size_t n, const ls_Envelope *e) {
    lua_pushlstring(L, data, n < size ? n : size);
    push_table(L);
    set_peer(L, &e->peer);
    set_told(L, e);
    if (n > size) set_integer(L, "truncated", (lua_Integer)n);
    return 2;
}

/* (size, table) -> the results of recvmsg; how: LS_CMSG_ERROR or 0 */
static int receive(lua_State *L, ls_Socket *s, int how) {
    char local[LS_SOCKET_RECEIVE], *data = local;
    size_t size = ls_value_size(L, 2, sizeof local), room = sizeof local, taken = 0, n;
    int lent = size > sizeof local, stream = ls_socket_isstream(s) && !how, results = 1, err;
    ls_Envelope e;
    if (!lua_isnoneornil(L, TABLE)) luaL_checktype(L, TABLE, LUA_TTABLE);
    lua_settop(L, TABLE);
    if (lent) data = ls_state_lend(L, LS_STATE_RECEIVE, room = ls_socket_room(s, size));
    else if (stream) room = size; /* all of a datagram is read, so that its true length is known */
    if (!how && !stream && ls_option_mirrored(s) & LS_SOCKET_GRO && ls_option_isparted(s)) taken = ls_part_taken(s->fd);
    err = ls_cmsg_recv(s->fd, how | (stream ? 0 : LS_FD_DATAGRAM), data, room, &n, &e);
    ls_part_failed(s->fd, taken, err);
    if (!err && taken && taken < n && e.has & LS_HAS_SEGMENT) memmove(data, data + taken, n -= taken);
    if (err) results = ls_fail_io(L, err);
    else if (n == 0 && !how && ls_socket_ended(s, size)) lua_pushnil(L);
    else results = push_message(L, data, size < room ? size : room, n, &e);
    if (lent) ls_state_giveback(L, LS_STATE_RECEIVE, TABLE + 1);
    return results;
}

/* sock:recvmsg([size [, table]]) -> data, table | false | nil | nil, message, name */
static int sock_recvmsg(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    return LS_LIKELY(!ls_socket_layer(s)) ? receive(L, s, 0) : ls_fail(L, EOPNOTSUPP);
}

/* Does it speak IPv4 or IPv6? */
static int is_internet(const ls_Socket *s) { return s->family == AF_INET || s->family == AF_INET6; }

/* sock:recverr([size [, table]]) -> data, table | false | nil, message, name;  an error from the socket's queue */
static int sock_recverr(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    if (s->fd < 0) return ls_fail(L, EBADF);
    if (!is_internet(s)) return ls_fail(L, EOPNOTSUPP); /* which would ignore it, and give data */
    return receive(L, s, LS_CMSG_ERROR);
}

/* ---- what goes ---- */

/* What sendmsg is asked for. What the pointers lead to is on the Lua stack. */
typedef struct Letter {
    ls_Envelope e;
    const char *data, *address, *source; /* NULL: none was given */
    size_t len, address_len, source_len;
    int port, ecn; /* -1: none was given */
    int err;       /* what is not as it should be, and yet no wrong value */
} Letter;

/* Puts the strings of an array together, in its place. */
static const char *join(lua_State *L, int index) {
    luaL_Buffer joined;
    int i;
    luaL_buffinit(L, &joined);
    for (i = 1; lua_rawgeti(L, index, i), lua_isstring(L, -1); i++) luaL_addvalue(&joined);
    if (!lua_isnil(L, -1)) return lua_pushfstring(L, "element %d: string expected, got %s", i, luaL_typename(L, -1));
    lua_pop(L, 1);
    luaL_pushresult(&joined);
    lua_replace(L, index);
    return NULL;
}

static const char *read_data(lua_State *L, int index, Letter *letter) {
    const char *problem = lua_istable(L, index) ? join(L, index) : NULL;
    if (problem) return problem;
    letter->data = lua_tolstring(L, index, &letter->len);
    return letter->data ? NULL : lua_pushfstring(L, "string or table expected, got %s", luaL_typename(L, index));
}

static const char *read_address(lua_State *L, int index, Letter *letter) {
    return ls_value_readaddress(L, index, &letter->address, &letter->address_len);
}

static const char *read_port(lua_State *L, int index, Letter *letter) {
    return ls_value_readport(L, index, &letter->port);
}

static const char *read_source(lua_State *L, int index, Letter *letter) {
    return ls_value_readaddress(L, index, &letter->source, &letter->source_len);
}

static const char *read_interface(lua_State *L, int index, Letter *letter) {
    letter->e.has |= LS_HAS_INTERFACE;
    return ls_value_readinterface(L, index, &letter->e.interface, &letter->err);
}

static const char *read_ttl(lua_State *L, int index, Letter *letter) {
    letter->e.has |= LS_HAS_TTL;
    return ls_value_readint(L, index, "ttl", 1, 255, &letter->e.ttl);
}

static const char *read_tos(lua_State *L, int index, Letter *letter) {
    letter->e.has |= LS_HAS_TOS;
    return ls_value_readint(L, index, "tos", 0, 255, &letter->e.tos);
}

static const char *read_ecn(lua_State *L, int index, Letter *letter) {
    letter->e.has |= LS_HAS_TOS;
    return ls_value_readint(L, index, "ecn", 0, 3, &letter->ecn);
}

static const char *read_segment(lua_State *L, int index, Letter *letter) {
    letter->e.has |= LS_HAS_SEGMENT;
    return ls_value_readint(L, index, "segment", 0, 65535, &letter->e.segment);
}

/* Each function reads the value at this place, and answers NULL or what is wrong with it. */
typedef struct Field {
    const char *name;
    const char *(*read)(lua_State *L, int index, Letter *letter);
} Field;

static const Field fields[] = {
    { "data", read_data }, { "address", read_address }, { "port", read_port },
    { "source", read_source }, { "interface", read_interface }, { "ttl", read_ttl },
    { "tos", read_tos }, { "ecn", read_ecn }, { "segment", read_segment },
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

static void refuse(lua_State *L, const char *name, const char *problem) {
    luaL_argerror(L, 2, lua_pushfstring(L, "%s: %s", name, problem));
}

static int is_field(const char *name, size_t len) {
    int i;
    for (i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0 && strlen(name) == len) return 1;
    return 0;
}

static void refuse_unknown(lua_State *L) {
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        size_t len = 0;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &len) : luaL_typename(L, -2);
        if (!is_field(name, len)) refuse(L, name, "no such field");
    }
}

/* Reads the table, argument 2; every value stays on the stack. */
static void read_letter(lua_State *L, Letter *letter) {
    int i;
    memset(letter, 0, sizeof *letter);
    letter->port = letter->ecn = -1;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    refuse_unknown(L);
    luaL_checkstack(L, FIELDS + LUA_MINSTACK, "too many fields");
    for (i = 0; i < FIELDS; i++) {
        const char *problem;
        lua_pushstring(L, fields[i].name);
        lua_rawget(L, 2);
        if (lua_isnil(L, -1) && fields[i].read != read_data) continue;
        problem = fields[i].read(L, lua_gettop(L), letter);
        if (problem) refuse(L, fields[i].name, problem);
    }
    if (letter->address && letter->port < 0 && !ls_addr_isunix(letter->address, letter->address_len))
        refuse(L, "port", "number expected, got no value");
    if (letter->port >= 0 && !letter->address) refuse(L, "address", "string expected, got no value");
    if (letter->ecn >= 0) letter->e.tos = (letter->e.tos & ~3) | letter->ecn;
}

static int post(ls_Socket *s, Letter *letter, size_t *n) {
    int connection = ls_socket_isstream(s) || s->type == SOCK_SEQPACKET, err = letter->err;
    unsigned port = letter->port < 0 ? 0 : (unsigned)letter->port;
    if (letter->source) letter->e.has |= LS_HAS_LOCAL;
    if (s->fd < 0) return EBADF;
    if (letter->e.has && (connection || !is_internet(s))) return EOPNOTSUPP;
    if (ls_socket_refuse(s)) return EOPNOTSUPP;
    if (!err && letter->address && !connection)
        err = ls_addr_numeric(letter->address, letter->address_len, port, &letter->e.peer);
    if (!err && letter->source) err = ls_addr_numeric(letter->source, letter->source_len, 0, &letter->e.local);
    if (!(letter->e.has & LS_HAS_SEGMENT) && ls_option_mirrored(s) & LS_SOCKET_SEGMENT) letter->e.has |= LS_HAS_SEGMENT;
    return err ? err : ls_cmsg_send(s->fd, s->family, letter->data, letter->len, &letter->e, n);
}

/* sock:sendmsg(message) -> count | false | nil, message, name;  message: { data = , address = , port = , ... } */
static int sock_sendmsg(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    Letter letter;
    size_t n;
    int err;
    read_letter(L, &letter);
    err = post(s, &letter, &n);
    if (err) return ls_fail_io(L, err);
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

static const luaL_Reg methods[] = {
    { "recvmsg", sock_recvmsg }, { "sendmsg", sock_sendmsg }, { "recverr", sock_recverr }, { NULL, NULL },
};

void ls_message_open(lua_State *L) { ls_socket_extend(L, methods); }
