/* Options of sockets: one table, a row an option. What an option does is left to the system. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

typedef struct Option Option;

/* How values are read and told. set takes the third argument, and raises where it is none; *on: is it not 0? get pushes
   the value. Both answer 0 or an errno. */
typedef struct Kind {
    int (*set)(lua_State *L, int fd, const Option *option, int *on);
    int (*get)(lua_State *L, int fd, const Option *option);
} Kind;

struct Option {
    const char *name;
    const Kind *kind;
    int level, number;   /* ABSENT: this platform has it not */
    int low, high;       /* of an integer */
    unsigned char mirror; /* LS_SOCKET_...: is kept while it is on; 0: nothing is */
};

enum { ABSENT = -1 };

/* ---- kinds ---- */

static int set_integer(lua_State *L, int fd, const Option *o, int *on) {
    int value = ls_value_int(L, 3, o->name, o->low, o->high);
    *on = value != 0;
    return o->number == ABSENT ? ENOPROTOOPT : ls_fd_setint(fd, o->level, o->number, value);
}

static int get_int(int fd, const Option *o, int *value) {
    return o->number == ABSENT ? ENOPROTOOPT : ls_fd_getint(fd, o->level, o->number, value);
}

static int get_integer(lua_State *L, int fd, const Option *o) {
    int value = 0, err = get_int(fd, o, &value);
    lua_pushinteger(L, value);
    return err;
}

static const Kind integer = { set_integer, get_integer };

static int set_flag(lua_State *L, int fd, const Option *o, int *on) {
    luaL_checktype(L, 3, LUA_TBOOLEAN);
    *on = lua_toboolean(L, 3);
    return o->number == ABSENT ? ENOPROTOOPT : ls_fd_setint(fd, o->level, o->number, *on);
}

static int get_flag(lua_State *L, int fd, const Option *o) {
    int value = 0, err = get_int(fd, o, &value);
    lua_pushboolean(L, value);
    return err;
}

static const Kind flag = { set_flag, get_flag };

/* The size of a buffer; without the part that the kernel adds for itself. */
static int get_buffer(lua_State *L, int fd, const Option *o) {
    int value = 0, err = get_int(fd, o, &value);
    lua_pushinteger(L, LS_HAVE_DOUBLED_BUFFERS ? value / 2 : value);
    return err;
}

static const Kind buffer = { set_integer, get_buffer };

/* ---- the table ---- */

#if LS_HAVE_UDP_OFFLOAD
#define SEGMENT UDP_SEGMENT
#define GRO UDP_GRO
#else
#define SEGMENT ABSENT
#define GRO ABSENT
#endif

enum { MOST = INT_MAX / 2 }; /* the kernel doubles it */

static const Option options[] = {
    { "rcvbuf", &buffer, SOL_SOCKET, SO_RCVBUF, 0, MOST, 0 },
    { "sndbuf", &buffer, SOL_SOCKET, SO_SNDBUF, 0, MOST, 0 },
    { "segment", &integer, IPPROTO_UDP, SEGMENT, 0, 65535, LS_SOCKET_SEGMENT },
    { "gro", &flag, IPPROTO_UDP, GRO, 0, 1, LS_SOCKET_GRO },
};

enum { OPTIONS = sizeof options / sizeof options[0] };

/* The option that the second argument names; raises where there is none. */
static const Option *check_option(lua_State *L) {
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    int i;
    for (i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && strlen(name) == len) return &options[i];
    luaL_argerror(L, 2, lua_pushfstring(L, "no option is called '%s'", name));
    return NULL;
}

/* sock:setopt(name, value) -> true | nil, message, name */
static int sock_setopt(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    const Option *o = check_option(L);
    int on, err = o->kind->set(L, s->fd, o, &on);
    if (err) return ls_fail(L, err);
    s->flags = (unsigned char)(on ? s->flags | o->mirror : s->flags & ~o->mirror);
    return ls_succeed(L);
}

/* sock:getopt(name) -> value | nil, message, name */
static int sock_getopt(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    const Option *o = check_option(L);
    int err = o->kind->get(L, s->fd, o);
    return err ? ls_fail(L, err) : 1;
}

static const luaL_Reg methods[] = { { "setopt", sock_setopt }, { "getopt", sock_getopt }, { NULL, NULL } };

void ls_option_open(lua_State *L) { ls_socket_extend(L, methods); }
