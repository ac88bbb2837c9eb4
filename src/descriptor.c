/* Sockets from open descriptors, and descriptors from sockets: what the process was given, gives away or copies. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* lsocket.pair([type]) -> socket, socket | nil, message, name;  type: "tcp" (default), "udp", "seqpacket" */
static int core_pair(lua_State *L) {
    int type = ls_value_type(luaL_optstring(L, 1, "tcp")), fds[2] = { -1, -1 }, err, i;
    ls_Socket *ends[2];
    if (!type) return luaL_argerror(L, 1, "tcp, udp or seqpacket expected");
    ends[0] = ls_socket_new(L);
    ends[1] = ls_socket_new(L);
    err = ls_fd_pair(type, fds);
    for (i = 0; i < 2; i++) {
        ends[i]->fd = fds[i];
        ls_socket_define(ends[i], AF_UNIX, type);
    }
    if (!err) return 2;
    ls_socket_close(ends[0]);
    return ls_fail(L, err);
}

/* Adopts a copy, so that the other one stays its owner's. */
static int adopt_copy(ls_Socket *s, int fd) {
    int copy, err = ls_fd_dup(fd, &copy);
    if (err) return err;
    err = ls_socket_adopt(s, copy);
    if (err) ls_fd_close(copy);
    return err;
}

/* lsocket.fromfd(fd) -> socket | nil, message, name;  fd: a descriptor, which the socket owns, or a file of Lua's */
static int core_fromfd(lua_State *L) {
    int file = ls_value_openfile(L, 1), is_file = file != LS_VALUE_NOFILE;
    int fd = is_file ? file : ls_value_int(L, 1, "descriptor", -1, INT_MAX);
    ls_Socket *s = ls_socket_new(L);
    int err = is_file ? adopt_copy(s, fd) : ls_socket_adopt(s, fd);
    return err ? ls_fail(L, err) : 1;
}

/* ---- what systemd passes: sd_listen_fds(3) ---- */

enum { FIRST_PASSED = 3, NUMBER_MOST = INT_MAX - FIRST_PASSED };

/* A variable that is a number; 0: it is not set; -1: it is no such number. */
static int read_number(const char *name) {
    const char *text = getenv(name);
    unsigned long number;
    if (!text) return 0;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') return -1;
    number = strtoul(text, NULL, 10);
    return number > 0 && number <= NUMBER_MOST ? (int)number : -1;
}

/* How many descriptors are for this process; 0: none; -1: the variables contradict themselves. */
static int count_passed(void) {
    int pid = read_number("LISTEN_PID");
    if (pid == 0 || (pid > 0 && pid != (int)getpid())) return 0;
    return pid < 0 ? -1 : read_number("LISTEN_FDS");
}

/* Pushes an array of the parts between colons, and answers how many there are. */
static int push_names(lua_State *L, const char *text) {
    int n = 0;
    lua_newtable(L);
    for (;;) {
        size_t len = strcspn(text, ":");
        lua_pushlstring(L, text, len);
        lua_rawseti(L, -2, ++n);
        if (text[len] == '\0') return n;
        text += len + 1;
    }
}

static int push_unknown_names(lua_State *L, int count) {
    int i;
    lua_createtable(L, count, 0);
    for (i = 1; i <= count; i++) {
        lua_pushliteral(L, "unknown");
        lua_rawseti(L, -2, i);
    }
    return count;
}

/* Fills an array on top with closed sockets, as many as there are descriptors. */
static void make_sockets(lua_State *L, int count) {
    int i;
    for (i = 1; i <= count; i++) {
        ls_socket_new(L);
        lua_rawseti(L, -2, i);
    }
}

/* Gives the sockets of the array at this place their descriptors. Nothing is allocated, so nothing can throw. */
static int adopt_all(lua_State *L, int sockets, int count) {
    int i, err = 0;
    for (i = 0; i < count && !err; i++) {
        lua_rawgeti(L, sockets, i + 1);
        err = ls_socket_adopt(lua_touserdata(L, -1), FIRST_PASSED + i);
        lua_pop(L, 1);
    }
    return err;
}

/* Pushes the sockets, closed still, and their names. */
static int prepare(lua_State *L, int count) {
    const char *names = getenv("LISTEN_FDNAMES");
    int i;
    if (count < 0) return EINVAL;
    for (i = 0; i < count; i++)
        if (!ls_fd_isopen(FIRST_PASSED + i)) return EBADF;
    lua_newtable(L);
    make_sockets(L, count);
    if (count == 0) lua_newtable(L);
    else if ((names ? push_names(L, names) : push_unknown_names(L, count)) != count) return EINVAL;
    return 0;
}

/* lsocket.listenfds() -> sockets, names | nil, message, name */
static int core_listenfds(lua_State *L) {
    int count = count_passed(), err;
    lua_settop(L, 0);
    err = prepare(L, count);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!err) err = adopt_all(L, 1, count);
    return err ? ls_fail(L, err) : 2;
}

/* ---- methods ---- */

/* sock:detach() -> descriptor | nil, message, name;  the object is closed, the descriptor is the caller's */
static int sock_detach(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    int fd;
    if (ls_socket_refuse(s)) return ls_fail(L, EOPNOTSUPP);
    fd = ls_socket_detach(L, s);
    if (fd < 0) return ls_fail(L, EBADF);
    lua_pushinteger(L, fd);
    return 1;
}

/* sock:dup() -> socket | nil, message, name */
static int sock_dup(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_Socket *copy = ls_socket_new(L);
    int err = ls_socket_refuse(s);
    if (!err) err = ls_fd_dup(s->fd, &copy->fd);
    if (err) return ls_fail(L, err);
    copy->family = s->family;
    copy->type = s->type;
    ls_socket_share(s);
    copy->flags = (unsigned char)(s->flags & ~LS_SOCKET_WATCHED);
    return 1;
}

/* sock:inherit([on]) -> true | nil, message, name;  on: true (default): programs that are started get the descriptor */
static int sock_inherit(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    int given = !lua_isnoneornil(L, 2);
    ls_socket_share(s);
    if (given && !lua_isboolean(L, 2)) return ls_value_wrongtype(L, 2, "boolean");
    return ls_result(L, ls_fd_inherit(s->fd, !given || lua_toboolean(L, 2)));
}

static const luaL_Reg methods[] = {
    { "detach", sock_detach }, { "dup", sock_dup }, { "inherit", sock_inherit }, { NULL, NULL },
};

static const luaL_Reg functions[] = {
    { "pair", core_pair }, { "fromfd", core_fromfd }, { "listenfds", core_listenfds }, { NULL, NULL },
};

void ls_descriptor_open(lua_State *L) {
    ls_socket_extend(L, methods);
    ls_state_register(L, functions);
}
