/* Membership in multicast groups: the methods join and leave. The simple way, type "mcast", is bind's and connect's. */
#include "net/mcast.h"
#include "err.h"
#include "lsocket.h"
#include "socket.h"
#include "value.h"

#include <errno.h>

/* A numeric address: what a name stands for today is nothing to be a member of. */
static int read_numeric(lua_State *L, int arg, ls_Addr *addr) {
    size_t len;
    const char *text = ls_value_address(L, arg, &len);
    return ls_addr_numeric(text, len, 0, addr);
}

/* Gives the group its interface: the argument, which may repeat the group's own zone but not contradict it. */
static int read_interface(lua_State *L, int arg, ls_Addr *group) {
    unsigned index = 0;
    int err = 0;
    if (lua_isnoneornil(L, arg)) return 0;
    ls_value_accept(L, arg, ls_value_readinterface(L, arg, &index, &err));
    if (err) return err;
    if (group->ifindex && group->ifindex != index) return EINVAL;
    group->ifindex = index;
    if (group->u.sa.sa_family == AF_INET6) group->u.in6.sin6_scope_id = index;
    return 0;
}

/* What is wrong with it on every system, whatever the kernel would say. 0: nothing. source may be NULL. */
static int judge(const ls_Socket *s, const ls_Addr *group, const ls_Addr *source) {
    int family = group->u.sa.sa_family;
    if (s->fd < 0) return EBADF;
    if (s->family == AF_UNIX || s->type == SOCK_STREAM) return EOPNOTSUPP;
    if (!ls_addr_isgroup(group)) return EINVAL;
    if (source && source->u.sa.sa_family != family) return EAFNOSUPPORT;
    return s->family == AF_INET && family != AF_INET ? EAFNOSUPPORT : 0; /* an IPv6 socket may take IPv4, too */
}

static int change(lua_State *L, int (*make)(int fd, const ls_Addr *group, const ls_Addr *source)) {
    ls_Socket *s = ls_socket_self(L);
    ls_Addr group, one, *source = lua_isnoneornil(L, 4) ? NULL : &one;
    int err = read_numeric(L, 2, &group);
    if (!err) err = read_interface(L, 3, &group);
    if (!err && source) err = read_numeric(L, 4, source);
    if (!err) err = judge(s, &group, source);
    if (err) return ls_fail(L, err);
    ls_mcast_choose(&group);
    err = make(s->fd, &group, source);
    if (err) return ls_fail(L, err);
    s->flags |= LS_SOCKET_MULTICAST;
    return ls_succeed(L);
}

/* sock:join(group [, interface [, source]]) -> true | nil, message, name */
static int sock_join(lua_State *L) { return change(L, ls_mcast_join); }

/* sock:leave(group [, interface [, source]]) -> true | nil, message, name */
static int sock_leave(lua_State *L) { return change(L, ls_mcast_leave); }

static const luaL_Reg methods[] = { { "join", sock_join }, { "leave", sock_leave }, { NULL, NULL } };

void ls_mcast_open(lua_State *L) { ls_socket_extend(L, methods); }
