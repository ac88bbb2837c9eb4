/* Options of sockets: one table, a row an option. What an option does is left to the system. */
#include "option_kind.h"

#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>

/* ---- the table ---- */

/* What this platform has by another name, or not at all. */
#ifdef SO_BINDTODEVICE
#define DEVICE_LEVEL SOL_SOCKET
#define DEVICE SO_BINDTODEVICE
#define DEVICE6 0
#elif defined(IP_BOUND_IF)
#define DEVICE_LEVEL IPPROTO_IP
#define DEVICE IP_BOUND_IF
#define DEVICE6 IPV6_BOUND_IF
#else
#define DEVICE_LEVEL IPPROTO_IP
#define DEVICE LS_ABSENT
#define DEVICE6 LS_ABSENT
#endif
#ifdef TCP_KEEPALIVE
#define KEEPIDLE TCP_KEEPALIVE
#elif defined(TCP_KEEPIDLE)
#define KEEPIDLE TCP_KEEPIDLE
#else
#define KEEPIDLE LS_ABSENT
#endif
#ifdef TCP_CORK
#define CORK TCP_CORK
#elif defined(TCP_NOPUSH)
#define CORK TCP_NOPUSH
#else
#define CORK LS_ABSENT
#endif
#ifdef SO_TIMESTAMPNS
#define TIMESTAMP SO_TIMESTAMPNS
#else
#define TIMESTAMP SO_TIMESTAMP
#endif
#if LS_HAVE_IP_PKTINFO
#define PKTINFO IP_PKTINFO
#elif LS_HAVE_IP_SENDSRCADDR
#define PKTINFO IP_RECVDSTADDR
#else
#define PKTINFO LS_ABSENT
#endif
#if LS_HAVE_UDP_OFFLOAD
#define SEGMENT UDP_SEGMENT
#define GRO UDP_GRO
#else
#define SEGMENT LS_ABSENT
#define GRO LS_ABSENT
#endif
#if LS_HAVE_ERROR_QUEUE
#define RECVERR IP_RECVERR
#define RECVERR6 IPV6_RECVERR
#else
#define RECVERR LS_ABSENT
#define RECVERR6 LS_ABSENT
#endif
#if LS_HAVE_UCRED
#define PASSCRED SO_PASSCRED
#else
#define PASSCRED LS_ABSENT
#endif
#if LS_HAVE_TCP_INFO
#define INFO TCP_INFO
#else
#define INFO LS_ABSENT
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND LS_ABSENT
#endif
#ifndef IPV6_MTU
#define IPV6_MTU LS_ABSENT
#endif
#ifndef IPV6_MTU_DISCOVER
#define IPV6_MTU_DISCOVER LS_ABSENT
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL LS_ABSENT
#endif
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT LS_ABSENT
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT LS_ABSENT
#endif
#ifndef IP_FREEBIND
#define IP_FREEBIND LS_ABSENT
#endif
#ifndef IP_MTU
#define IP_MTU LS_ABSENT
#endif
#ifndef IP_MTU_DISCOVER
#define IP_MTU_DISCOVER LS_ABSENT
#endif
#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL LS_ABSENT
#endif
#ifndef IP_TRANSPARENT
#define IP_TRANSPARENT LS_ABSENT
#endif
#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL LS_ABSENT
#endif
#ifndef SO_DOMAIN
#define SO_DOMAIN LS_ABSENT
#endif
#ifndef SO_INCOMING_CPU
#define SO_INCOMING_CPU LS_ABSENT
#endif
#ifndef SO_MARK
#define SO_MARK LS_ABSENT
#endif
#ifndef SO_PRIORITY
#define SO_PRIORITY LS_ABSENT
#endif
#ifndef SO_PROTOCOL
#define SO_PROTOCOL LS_ABSENT
#endif
#ifndef SO_RCVBUFFORCE
#define SO_RCVBUFFORCE LS_ABSENT
#endif
#ifndef SO_REUSEPORT
#define SO_REUSEPORT LS_ABSENT
#endif
#ifndef SO_SNDBUFFORCE
#define SO_SNDBUFFORCE LS_ABSENT
#endif
#ifndef TCP_CONGESTION
#define TCP_CONGESTION LS_ABSENT
#endif
#ifndef TCP_DEFER_ACCEPT
#define TCP_DEFER_ACCEPT LS_ABSENT
#endif
#ifndef TCP_FASTOPEN
#define TCP_FASTOPEN LS_ABSENT
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT LS_ABSENT
#endif
#ifndef TCP_KEEPCNT
#define TCP_KEEPCNT LS_ABSENT
#endif
#ifndef TCP_KEEPINTVL
#define TCP_KEEPINTVL LS_ABSENT
#endif
#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT LS_ABSENT
#endif
#ifndef TCP_QUICKACK
#define TCP_QUICKACK LS_ABSENT
#endif
#ifndef TCP_SYNCNT
#define TCP_SYNCNT LS_ABSENT
#endif
#ifndef TCP_USER_TIMEOUT
#define TCP_USER_TIMEOUT LS_ABSENT
#endif
#ifndef TCP_WINDOW_CLAMP
#define TCP_WINDOW_CLAMP LS_ABSENT
#endif

/* Some systems tell less of an IPv4 packet. */
#ifndef IP_RECVTOS
#define IP_RECVTOS LS_ABSENT
#endif

enum { MOST = INT_MAX / 2 }; /* the kernel doubles it */

#define PLAIN(name, kind, level, number) { name, &ls_option_##kind, level, number, 0, 0, 0, 0, 0 }
#define FAMILY(name, kind, number, number6) { name, &ls_option_##kind, IPPROTO_IP, number, number6, 0, 0, 0, 0 }
#define RANGE(name, kind, level, number, low, high) { name, &ls_option_##kind, level, number, 0, low, high, 0, 0 }
#define TIME(name, level, number, low, high, unit) { name, &ls_option_seconds, level, number, 0, low, high, unit, 0 }

static const ls_Option options[] = {
    /* of every socket */
    PLAIN("reuseaddr", flag, SOL_SOCKET, SO_REUSEADDR),
    PLAIN("reuseport", flag, SOL_SOCKET, SO_REUSEPORT),
    PLAIN("broadcast", flag, SOL_SOCKET, SO_BROADCAST),
    PLAIN("dontroute", flag, SOL_SOCKET, SO_DONTROUTE),
    PLAIN("keepalive", flag, SOL_SOCKET, SO_KEEPALIVE),
    PLAIN("oobinline", flag, SOL_SOCKET, SO_OOBINLINE),
    RANGE("linger", linger, SOL_SOCKET, SO_LINGER, 0, 32767),
    RANGE("rcvbuf", buffer, SOL_SOCKET, SO_RCVBUF, 0, MOST),
    RANGE("sndbuf", buffer, SOL_SOCKET, SO_SNDBUF, 0, MOST),
    RANGE("rcvlowat", integer, SOL_SOCKET, SO_RCVLOWAT, 1, INT_MAX),
    RANGE("priority", integer, SOL_SOCKET, SO_PRIORITY, 0, INT_MAX),
    RANGE("mark", integer, SOL_SOCKET, SO_MARK, 0, INT_MAX),
    { "device", &ls_option_device, DEVICE_LEVEL, DEVICE, DEVICE6, 0, 0, 0, 0 },
    PLAIN("timestamp", flag, SOL_SOCKET, TIMESTAMP),
    PLAIN("passcred", flag, SOL_SOCKET, PASSCRED),
    TIME("busypoll", SOL_SOCKET, SO_BUSY_POLL, 0, INT_MAX, 1000000),
    RANGE("incomingcpu", integer, SOL_SOCKET, SO_INCOMING_CPU, 0, INT_MAX),
    /* tcp */
    PLAIN("nodelay", flag, IPPROTO_TCP, TCP_NODELAY),
    PLAIN("cork", flag, IPPROTO_TCP, CORK),
    PLAIN("quickack", flag, IPPROTO_TCP, TCP_QUICKACK),
    TIME("keepidle", IPPROTO_TCP, KEEPIDLE, 1, 32767, 1),
    TIME("keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, 1),
    RANGE("keepcnt", integer, IPPROTO_TCP, TCP_KEEPCNT, 1, 127),
    TIME("usertimeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX, 1000),
    RANGE("syncnt", integer, IPPROTO_TCP, TCP_SYNCNT, 1, 127),
    RANGE("maxseg", integer, IPPROTO_TCP, TCP_MAXSEG, 88, 32767),
    RANGE("windowclamp", integer, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, INT_MAX),
    PLAIN("congestion", text, IPPROTO_TCP, TCP_CONGESTION),
    RANGE("fastopen", integer, IPPROTO_TCP, TCP_FASTOPEN, 0, INT_MAX),
    PLAIN("fastopenconnect", flag, IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
    TIME("deferaccept", IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 32767, 1),
    RANGE("notsentlowat", integer, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, INT_MAX),
    /* internet */
    PLAIN("v6only", flag, IPPROTO_IPV6, IPV6_V6ONLY),
    { "ttl", &ls_option_integer, IPPROTO_IP, IP_TTL, IPV6_UNICAST_HOPS, 1, 255, 0, 0 },
    { "tos", &ls_option_integer, IPPROTO_IP, IP_TOS, IPV6_TCLASS, 0, 255, 0, 0 },
    { "mcastttl", &ls_option_byte, IPPROTO_IP, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 0, 255, 0, 0 },
    FAMILY("mcastloop", byte_flag, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP),
    FAMILY("mcastif", mcastif, IP_MULTICAST_IF, IPV6_MULTICAST_IF),
    FAMILY("mcastall", flag, IP_MULTICAST_ALL, IPV6_MULTICAST_ALL),
    FAMILY("pktinfo", flag, PKTINFO, IPV6_RECVPKTINFO),
    FAMILY("recvttl", flag, IP_RECVTTL, IPV6_RECVHOPLIMIT),
    FAMILY("recvtos", flag, IP_RECVTOS, IPV6_RECVTCLASS),
    FAMILY("recverr", flag, RECVERR, RECVERR6),
    FAMILY("mtudiscover", discovery, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER),
    FAMILY("freebind", flag, IP_FREEBIND, IPV6_FREEBIND),
    FAMILY("transparent", flag, IP_TRANSPARENT, IPV6_TRANSPARENT),
    PLAIN("bindnoport", flag, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    /* udp */
    { "segment", &ls_option_integer, IPPROTO_UDP, SEGMENT, 0, 0, 65535, 0, LS_SOCKET_SEGMENT },
    { "gro", &ls_option_flag, IPPROTO_UDP, GRO, 0, 0, 1, 0, LS_SOCKET_GRO },
    /* what can only be read */
    PLAIN("error", told_error, SOL_SOCKET, SO_ERROR),
    PLAIN("type", told_type, SOL_SOCKET, SO_TYPE),
    PLAIN("domain", told_domain, SOL_SOCKET, SO_DOMAIN),
    PLAIN("protocol", told_integer, SOL_SOCKET, SO_PROTOCOL),
    PLAIN("acceptconn", told_flag, SOL_SOCKET, SO_ACCEPTCONN),
    FAMILY("mtu", told_integer, IP_MTU, IPV6_MTU),
    PLAIN("tcpinfo", told_tcpinfo, IPPROTO_TCP, INFO),
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
    if (!option->kind->read) return lua_pushfstring(L, "%s can only be read", option->name);
    return option->kind->read(L, index, option, setting);
}

/* Only options with a number have a mirror. */
static void mirror(ls_Socket *s, const ls_Option *o, int on) {
    s->flags = (unsigned char)(on ? s->flags | o->mirror : s->flags & ~o->mirror);
}

/* Sockets of another type have not got the option either, but some protocols say so in another way. */
static int unify(int err) { return err == EOPNOTSUPP ? ENOPROTOOPT : err; }

int ls_option_apply(ls_Socket *s, const ls_Setting *setting) {
    const ls_Option *o = setting->option;
    int err = o->kind->set(s, setting);
    if (!err && o->mirror) mirror(s, o, setting->value.number);
    return unify(err);
}

void ls_option_mirror(ls_Socket *s) {
    int i, value;
    for (i = 0; i < OPTIONS; i++)
        if (options[i].mirror && ls_option_getnumber(s, &options[i], &value) == 0) mirror(s, &options[i], value);
}

/* ---- methods ---- */

/* The option that the second argument names; raises where there is none. */
static const ls_Option *check_option(lua_State *L) {
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    const ls_Option *option = ls_option_find(name, len);
    if (!option) luaL_argerror(L, 2, lua_pushfstring(L, "no option is called '%s'", name));
    return option;
}

static int check_number(lua_State *L, int arg, const char *what) {
    return ls_value_int(L, arg, what, INT_MIN, INT_MAX);
}

/* A number that stands for itself, not for a name. */
static int is_by_number(lua_State *L) { return lua_type(L, 2) == LUA_TNUMBER; }

static int set_by_number(lua_State *L, ls_Socket *s) {
    int level = check_number(L, 2, "level"), number = check_number(L, 3, "number"), value, err;
    const char *bytes = (const char *)&value;
    size_t len = sizeof value;
    if (lua_type(L, 4) == LUA_TSTRING) bytes = lua_tolstring(L, 4, &len);
    else if (lua_type(L, 4) == LUA_TNUMBER) value = check_number(L, 4, "value");
    else return ls_value_wrongtype(L, 4, "string or number");
    err = ls_fd_setbytes(s->fd, level, number, bytes, len);
    if (!err) ls_option_mirror(s);
    return ls_result(L, err);
}

/* sock:setopt(name, value) -> true | nil, message, name;  or setopt(level, number, bytes) */
static int sock_setopt(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_Setting setting;
    const char *problem;
    if (is_by_number(L)) return set_by_number(L, s);
    problem = ls_option_read(L, 3, check_option(L), &setting);
    if (problem) return luaL_argerror(L, 3, problem);
    return ls_result(L, ls_option_apply(s, &setting));
}

enum { BYTES_MOST = 65536 };

static int get_by_number(lua_State *L, const ls_Socket *s) {
    int level = check_number(L, 2, "level"), number = check_number(L, 3, "number"), err;
    size_t size = lua_isnoneornil(L, 4) ? sizeof(int) : (size_t)ls_value_int(L, 4, "size", 0, BYTES_MOST);
    char bytes[BYTES_MOST];
    memset(bytes, 0, size); /* the system may fill less than it says */
    err = ls_fd_getbytes(s->fd, level, number, bytes, &size);
    if (err) return ls_fail(L, err);
    lua_pushlstring(L, bytes, size);
    return 1;
}

/* sock:getopt(name) -> value | nil, message, name;  or getopt(level, number [, size]) -> bytes */
static int sock_getopt(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    const ls_Option *o;
    int err;
    if (is_by_number(L)) return get_by_number(L, s);
    o = check_option(L);
    err = unify(o->kind->get(L, s, o));
    return err ? ls_fail(L, err) : 1;
}

static const luaL_Reg methods[] = { { "setopt", sock_setopt }, { "getopt", sock_getopt }, { NULL, NULL } };

void ls_option_open(lua_State *L) { ls_socket_extend(L, methods); }
