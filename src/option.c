/* Options of sockets: one table, a row an option. What an option does is left to the system. */
#include "option.h"

#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* How values are read, set and told. read answers NULL or what is wrong with the value at this place of the stack. The
   others answer 0 or an errno; get pushes the value. *on: is it not 0? */
typedef struct Kind {
    const char *(*read)(lua_State *L, int index, const ls_Option *option, ls_Setting *setting);
    int (*set)(int fd, const ls_Setting *setting, int *on);
    int (*get)(lua_State *L, int fd, const ls_Option *option);
} Kind;

struct ls_Option {
    const char *name;
    const Kind *kind;
    int level, number;   /* ABSENT: this platform has it not */
    int low, high;       /* of an integer */
    unsigned char mirror; /* LS_SOCKET_...: is kept while it is on; 0: nothing is */
};

enum { ABSENT = -1 };

/* ---- kinds ---- */

static const char *read_integer(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return ls_value_readint(L, index, o->name, o->low, o->high, &setting->value.number);
}

static const char *read_flag(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    (void)o;
    setting->value.number = lua_toboolean(L, index);
    return lua_isboolean(L, index) ? NULL : lua_pushfstring(L, "boolean expected, got %s", luaL_typename(L, index));
}

static int set_int(int fd, const ls_Setting *setting, int *on) {
    const ls_Option *o = setting->option;
    *on = setting->value.number != 0;
    return o->number == ABSENT ? ENOPROTOOPT : ls_fd_setint(fd, o->level, o->number, setting->value.number);
}

static int get_int(int fd, const ls_Option *o, int *value) {
    return o->number == ABSENT ? ENOPROTOOPT : ls_fd_getint(fd, o->level, o->number, value);
}

static int get_integer(lua_State *L, int fd, const ls_Option *o) {
    int value = 0, err = get_int(fd, o, &value);
    lua_pushinteger(L, value);
    return err;
}

static int get_flag(lua_State *L, int fd, const ls_Option *o) {
    int value = 0, err = get_int(fd, o, &value);
    lua_pushboolean(L, value);
    return err;
}

/* The size of a buffer; without the part that the kernel adds for itself. */
static int get_buffer(lua_State *L, int fd, const ls_Option *o) {
    int value = 0, err = get_int(fd, o, &value);
    lua_pushinteger(L, LS_HAVE_DOUBLED_BUFFERS ? value / 2 : value);
    return err;
}

/* What an IPv6 socket is told for IPv4, too, which it may speak. */
static int set_twice(int fd, const ls_Setting *setting, int *on) {
    const ls_Option *o = setting->option;
    int err = set_int(fd, setting, on);
    if (o->level != IPPROTO_IP) return err;
    return ls_fd_setint(fd, IPPROTO_IPV6, o->high, setting->value.number) == 0 ? 0 : err;
}

static const Kind integer = { read_integer, set_int, get_integer };
static const Kind flag = { read_flag, set_int, get_flag };
static const Kind told = { read_flag, set_twice, get_flag };
static const Kind buffer = { read_integer, set_int, get_buffer };

/* ---- the table ---- */

#if LS_HAVE_UDP_OFFLOAD
#define SEGMENT UDP_SEGMENT
#define GRO UDP_GRO
#else
#define SEGMENT ABSENT
#define GRO ABSENT
#endif

#if LS_HAVE_IP_PKTINFO
#define PKTINFO IP_PKTINFO
#elif LS_HAVE_IP_SENDSRCADDR
#define PKTINFO IP_RECVDSTADDR
#else
#define PKTINFO ABSENT
#endif
#if LS_HAVE_ERROR_QUEUE
#define RECVERR IP_RECVERR
#define RECVERR6 IPV6_RECVERR
#else
#define RECVERR ABSENT
#define RECVERR6 ABSENT
#endif
#ifdef SO_TIMESTAMPNS
#define TIMESTAMP SO_TIMESTAMPNS
#else
#define TIMESTAMP SO_TIMESTAMP
#endif
#if LS_HAVE_UCRED
#define PASSCRED SO_PASSCRED
#else
#define PASSCRED ABSENT
#endif

enum { MOST = INT_MAX / 2 }; /* the kernel doubles it */

static const ls_Option options[] = {
    { "rcvbuf", &buffer, SOL_SOCKET, SO_RCVBUF, 0, MOST, 0 },
    { "sndbuf", &buffer, SOL_SOCKET, SO_SNDBUF, 0, MOST, 0 },
    { "reuseaddr", &flag, SOL_SOCKET, SO_REUSEADDR, 0, 1, 0 },
    { "v6only", &flag, IPPROTO_IPV6, IPV6_V6ONLY, 0, 1, 0 },
    { "ttl", &integer, IPPROTO_IP, IP_TTL, 1, 255, 0 },
    { "pktinfo", &told, IPPROTO_IP, PKTINFO, 0, IPV6_RECVPKTINFO, 0 },
    { "recvttl", &told, IPPROTO_IP, IP_RECVTTL, 0, IPV6_RECVHOPLIMIT, 0 },
    { "recvtos", &told, IPPROTO_IP, IP_RECVTOS, 0, IPV6_RECVTCLASS, 0 },
    { "recverr", &told, IPPROTO_IP, RECVERR, 0, RECVERR6, 0 },
    { "timestamp", &flag, SOL_SOCKET, TIMESTAMP, 0, 1, 0 },
    { "passcred", &flag, SOL_SOCKET, PASSCRED, 0, 1, 0 },
    { "segment", &integer, IPPROTO_UDP, SEGMENT, 0, 65535, LS_SOCKET_SEGMENT },
    { "gro", &flag, IPPROTO_UDP, GRO, 0, 1, LS_SOCKET_GRO },
};

enum { OPTIONS = sizeof options / sizeof options[0] };

const ls_Option *ls_option_find(const char *name, size_t len) {
    int i;
    for (i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && strlen(name) == len) return &options[i];
    return NULL;
}

const char *ls_option_read(lua_State *L, int index, const ls_Option *option, ls_Setting *setting) {
    setting->option = option;
    return option->kind->read(L, index, option, setting);
}

int ls_option_apply(ls_Socket *s, const ls_Setting *setting) {
    const ls_Option *o = setting->option;
    int on, err = o->kind->set(s->fd, setting, &on);
    if (!err) s->flags = (unsigned char)(on ? s->flags | o->mirror : s->flags & ~o->mirror);
    return err;
}

void ls_option_mirror(ls_Socket *s) {
    int i, value;
    for (i = 0; i < OPTIONS; i++) {
        const ls_Option *o = &options[i];
        if (o->mirror && get_int(s->fd, o, &value) == 0 && value) s->flags |= o->mirror;
    }
}

/* The option that the second argument names; raises where there is none. */
static const ls_Option *check_option(lua_State *L) {
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    const ls_Option *option = ls_option_find(name, len);
    if (!option) luaL_argerror(L, 2, lua_pushfstring(L, "no option is called '%s'", name));
    return option;
}

/* sock:setopt(name, value) -> true | nil, message, name */
static int sock_setopt(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_Setting setting;
    const char *problem = ls_option_read(L, 3, check_option(L), &setting);
    if (problem) return luaL_argerror(L, 3, problem);
    return ls_result(L, ls_option_apply(s, &setting));
}

/* sock:getopt(name) -> value | nil, message, name */
static int sock_getopt(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    const ls_Option *o = check_option(L);
    int err = o->kind->get(L, s->fd, o);
    return err ? ls_fail(L, err) : 1;
}

static const luaL_Reg methods[] = { { "setopt", sock_setopt }, { "getopt", sock_getopt }, { NULL, NULL } };

void ls_option_open(lua_State *L) { ls_socket_extend(L, methods); }
