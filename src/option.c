/* Options of sockets: one table, a row an option. What an option does is left to the system, how its value is read, set
   and told to option_kinds.c. */
#include "option.h"

#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/part.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

/* ---- constants that a platform may lack, or call by another name ---- */

#define ABSENT LS_OPTION_ABSENT

#ifndef SO_REUSEPORT
#define SO_REUSEPORT ABSENT
#endif
#ifndef SO_REUSEPORT_LB
#define SO_REUSEPORT_LB ABSENT
#endif
#ifndef SO_RCVBUFFORCE
#define SO_RCVBUFFORCE ABSENT
#endif
#ifndef SO_SNDBUFFORCE
#define SO_SNDBUFFORCE ABSENT
#endif
#ifndef SO_PRIORITY
#define SO_PRIORITY ABSENT
#endif
#ifndef SO_MARK
#define SO_MARK ABSENT
#endif
#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL ABSENT
#endif
#ifndef SO_INCOMING_CPU
#define SO_INCOMING_CPU ABSENT
#endif
#if !LS_HAVE_UCRED
#undef SO_PASSCRED
#define SO_PASSCRED ABSENT
#endif
#ifndef SO_DOMAIN
#define SO_DOMAIN ABSENT
#endif
#ifndef SO_PROTOCOL
#define SO_PROTOCOL ABSENT
#endif
#ifndef TCP_KEEPIDLE
#ifdef TCP_KEEPALIVE
#define TCP_KEEPIDLE TCP_KEEPALIVE
#else
#define TCP_KEEPIDLE ABSENT
#endif
#endif
#ifndef TCP_KEEPINTVL
#define TCP_KEEPINTVL ABSENT
#endif
#ifndef TCP_KEEPCNT
#define TCP_KEEPCNT ABSENT
#endif
#ifndef TCP_CORK
#ifdef TCP_NOPUSH
#define TCP_CORK TCP_NOPUSH
#else
#define TCP_CORK ABSENT
#endif
#endif
#ifndef TCP_QUICKACK
#define TCP_QUICKACK ABSENT
#endif
#ifndef TCP_USER_TIMEOUT
#define TCP_USER_TIMEOUT ABSENT
#endif
#ifndef TCP_SYNCNT
#define TCP_SYNCNT ABSENT
#endif
#ifndef TCP_CONGESTION
#define TCP_CONGESTION ABSENT
#endif
#ifndef TCP_FASTOPEN
#define TCP_FASTOPEN ABSENT
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT ABSENT
#endif
#ifndef TCP_DEFER_ACCEPT
#define TCP_DEFER_ACCEPT ABSENT
#endif
#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT ABSENT
#endif
#ifndef TCP_INFO
#define TCP_INFO ABSENT
#endif
#ifndef IP_RECVTTL
#define IP_RECVTTL ABSENT
#endif
#ifndef IP_RECVTOS
#define IP_RECVTOS ABSENT
#endif
#if !LS_HAVE_ERROR_QUEUE
#undef IP_RECVERR
#undef IPV6_RECVERR
#define IP_RECVERR ABSENT
#define IPV6_RECVERR ABSENT
#endif
#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL ABSENT
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL ABSENT
#endif
#ifndef IP_MTU_DISCOVER
#define IP_MTU_DISCOVER ABSENT
#endif
#ifndef IPV6_MTU_DISCOVER
#define IPV6_MTU_DISCOVER ABSENT
#endif
#ifndef IP_MTU
#define IP_MTU ABSENT
#endif
#ifndef IPV6_MTU
#define IPV6_MTU ABSENT
#endif
#ifndef IP_FREEBIND
#define IP_FREEBIND ABSENT
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND ABSENT
#endif
#ifndef IP_TRANSPARENT
#ifdef IP_BINDANY
#define IP_TRANSPARENT IP_BINDANY
#else
#define IP_TRANSPARENT ABSENT
#endif
#endif
#ifndef IPV6_TRANSPARENT
#ifdef IPV6_BINDANY
#define IPV6_TRANSPARENT IPV6_BINDANY
#else
#define IPV6_TRANSPARENT ABSENT
#endif
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT ABSENT
#endif

/* Whole seconds everywhere; macOS counts SO_LINGER in ticks. */
#ifdef SO_LINGER_SEC
#define LINGERING SO_LINGER_SEC
#else
#define LINGERING SO_LINGER
#endif

/* What recvmsg tells: the time in nanoseconds or microseconds; the address with or without the interface. */
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
#define PKTINFO ABSENT
#endif

#if defined(SO_BINDTODEVICE)
#define BOUND LS_KIND_DEVICE, 0, 0, SOCKET(SO_BINDTODEVICE)
#elif defined(IP_BOUND_IF)
#define BOUND LS_KIND_INTERFACE, 0, 0, IP(IP_BOUND_IF, IPV6_BOUND_IF)
#else
#define BOUND LS_KIND_INTERFACE, 0, 0, SOCKET(ABSENT)
#endif

#if LS_HAVE_UDP_OFFLOAD
#define SEGMENT UDP_SEGMENT
#define GRO UDP_GRO
#else
#define SEGMENT ABSENT
#define GRO ABSENT
#endif

/* ---- the table ---- */

#define FLAG LS_KIND_FLAG, 0, 1
#define INTEGER(low, high) LS_KIND_INTEGER, low, high
#define BUFFER LS_KIND_BUFFER, 0, INT_MAX / 2 /* the kernel doubles it */
#define FORCED LS_KIND_FORCED, 0, INT_MAX / 2
#define SECONDS(low) LS_KIND_SECONDS, low, INT_MAX
#define MILLISECONDS(low) LS_KIND_MILLISECONDS, low, INT_MAX
#define MICROSECONDS(low) LS_KIND_MICROSECONDS, low, INT_MAX
#define LINGER LS_KIND_LINGER, 0, 65535 /* more than that some kernels cut */
#define STRING(low, high) LS_KIND_STRING, low, high
#define MCASTIF LS_KIND_MCASTIF, 0, 0
#define OCTET LS_KIND_OCTET, 0, 255
#define OCTETFLAG LS_KIND_OCTETFLAG, 0, 1
#define MTUDISCOVER LS_KIND_MTUDISCOVER, 0, 0
#define PACKETINFO LS_KIND_PKTINFO, 0, 1
#define READ(kind) LS_KIND_##kind, 0, 0

/* For IP, the second constant is IPv6's. IP_ONCE: an IPv6 socket needs it alone. */
#define SOCKET(number) SOL_SOCKET, number, ABSENT, 0, 0
#define TCP(number) IPPROTO_TCP, number, ABSENT, 0, 0
#define UDP(number, mirror) IPPROTO_UDP, number, ABSENT, 0, mirror
#define IP(number, number6) IPPROTO_IP, number, number6, 1, 0
#define IP_ONCE(number, number6) IPPROTO_IP, number, number6, 0, 0

static const ls_Option options[] = {
    { "reuseaddr", FLAG, SOCKET(SO_REUSEADDR) },
    { "reuseport", FLAG, SOCKET(SO_REUSEPORT) },
    { "reuseportlb", FLAG, SOCKET(SO_REUSEPORT_LB) },
    { "broadcast", FLAG, SOCKET(SO_BROADCAST) },
    { "dontroute", FLAG, SOCKET(SO_DONTROUTE) },
    { "device", BOUND },
    { "rcvbuf", BUFFER, SOCKET(SO_RCVBUF) },
    { "sndbuf", BUFFER, SOCKET(SO_SNDBUF) },
    { "rcvbufforce", FORCED, SOCKET(SO_RCVBUFFORCE) },
    { "sndbufforce", FORCED, SOCKET(SO_SNDBUFFORCE) },
    { "rcvlowat", INTEGER(1, INT_MAX), SOCKET(SO_RCVLOWAT) },
    { "linger", LINGER, SOCKET(LINGERING) },
    { "oobinline", FLAG, SOCKET(SO_OOBINLINE) },
    { "timestamp", FLAG, SOCKET(TIMESTAMP) },
    { "passcred", FLAG, SOCKET(SO_PASSCRED) },
    { "priority", INTEGER(0, INT_MAX), SOCKET(SO_PRIORITY) },
    { "mark", INTEGER(0, INT_MAX), SOCKET(SO_MARK) },
    { "busypoll", MICROSECONDS(0), SOCKET(SO_BUSY_POLL) },
    { "incomingcpu", INTEGER(-1, INT_MAX), SOCKET(SO_INCOMING_CPU) },
    { "error", READ(ERROR), SOCKET(SO_ERROR) },
    { "type", READ(TYPE), SOCKET(SO_TYPE) },
    { "domain", READ(DOMAIN), SOCKET(SO_DOMAIN) },
    { "protocol", READ(READINTEGER), SOCKET(SO_PROTOCOL) },
    { "acceptconn", READ(READFLAG), SOCKET(SO_ACCEPTCONN) },

    { "keepalive", FLAG, SOCKET(SO_KEEPALIVE) },
    { "keepidle", SECONDS(1), TCP(TCP_KEEPIDLE) },
    { "keepintvl", SECONDS(1), TCP(TCP_KEEPINTVL) },
    { "keepcnt", INTEGER(1, INT_MAX), TCP(TCP_KEEPCNT) },
    { "usertimeout", MILLISECONDS(0), TCP(TCP_USER_TIMEOUT) },
    { "syncnt", INTEGER(1, INT_MAX), TCP(TCP_SYNCNT) },
    { "nodelay", FLAG, TCP(TCP_NODELAY) },
    { "cork", FLAG, TCP(TCP_CORK) },
    { "quickack", FLAG, TCP(TCP_QUICKACK) },
    { "maxseg", INTEGER(1, 65535), TCP(TCP_MAXSEG) },
    { "congestion", STRING(1, 15), TCP(TCP_CONGESTION) },
    { "fastopen", INTEGER(0, INT_MAX), TCP(TCP_FASTOPEN) },
    { "fastopenconnect", FLAG, TCP(TCP_FASTOPEN_CONNECT) },
    { "deferaccept", SECONDS(0), TCP(TCP_DEFER_ACCEPT) },
    { "notsentlowat", INTEGER(0, INT_MAX), TCP(TCP_NOTSENT_LOWAT) },
    { "tcpinfo", READ(TCPINFO), TCP(TCP_INFO) },

    { "v6only", FLAG, IP(ABSENT, IPV6_V6ONLY) },
    { "ttl", INTEGER(1, 255), IP(IP_TTL, IPV6_UNICAST_HOPS) },
    { "tos", INTEGER(0, 255), IP(IP_TOS, IPV6_TCLASS) },
    { "mcastttl", OCTET, IP(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS) },
    { "mcastloop", OCTETFLAG, IP(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP) },
    { "mcastif", MCASTIF, IP(IP_MULTICAST_IF, IPV6_MULTICAST_IF) },
    { "mcastall", FLAG, IP(IP_MULTICAST_ALL, IPV6_MULTICAST_ALL) },
    /* An IPv6 socket of Linux's tells of IPv4's packets, too, with the address in IPv6's form, and told both, it tells
       twice. Not so with the others. */
    { "pktinfo", PACKETINFO, IP_ONCE(PKTINFO, IPV6_RECVPKTINFO) },
    { "recvttl", FLAG, IP(IP_RECVTTL, IPV6_RECVHOPLIMIT) },
    { "recvtos", FLAG, IP(IP_RECVTOS, IPV6_RECVTCLASS) },
    { "recverr", FLAG, IP(IP_RECVERR, IPV6_RECVERR) },
    { "mtudiscover", MTUDISCOVER, IP(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER) },
    { "mtu", READ(READINTEGER), IP(IP_MTU, IPV6_MTU) },
    { "freebind", FLAG, IP(IP_FREEBIND, IPV6_FREEBIND) },
    { "transparent", FLAG, IP(IP_TRANSPARENT, IPV6_TRANSPARENT) },
    { "bindaddressnoport", FLAG, IP(IP_BIND_ADDRESS_NO_PORT, ABSENT) },

    { "segment", INTEGER(0, 65535), UDP(SEGMENT, LS_SOCKET_SEGMENT) },
    { "gro", FLAG, UDP(GRO, LS_SOCKET_GRO) },
};

enum { OPTIONS = sizeof options / sizeof options[0] };

/* ---- by name ---- */

const ls_Option *ls_option_find(const char *name, size_t len) {
    int i;
    for (i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && strlen(name) == len) return &options[i];
    return NULL;
}

const char *ls_option_read(lua_State *L, int index, const ls_Option *option, ls_Setting *setting) {
    memset(setting, 0, sizeof *setting);
    setting->option = option;
    return ls_option_kinds[option->kind].read(L, index, option, setting);
}

/* Kernels have several errors for a socket whose family or type has no such option. */
static int unify(int err) { return err == EOPNOTSUPP ? ENOPROTOOPT : err; }

int ls_option_apply(ls_Socket *s, const ls_Setting *setting) {
    const ls_Option *o = setting->option;
    int err = s->fd < 0 ? EBADF : setting->err;
    if (!err) err = ls_option_kinds[o->kind].set(s, setting);
    if (!err && o->mirror) ls_option_mirror(s);
    return unify(err);
}

void ls_option_mirror(ls_Socket *s) {
    int i, value;
    for (i = 0; i < OPTIONS; i++) {
        const ls_Option *o = &options[i];
        int on = o->mirror && ls_option_getint(s, o, &value) == 0 && value;
        s->flags = (unsigned char)(on ? s->flags | o->mirror : s->flags & ~o->mirror);
        if (o->mirror == LS_SOCKET_SEGMENT) s->segment = on ? (unsigned short)value : 0;
    }
    if (s->flags & LS_SOCKET_GRO && !(s->flags & LS_SOCKET_SHARED) && ls_fork_notice() != 0) ls_socket_share(s);
}

int ls_option_recvpart(ls_Socket *s, int how, void *data, size_t size, size_t *n, ls_Addr *peer) {
    if (!(ls_option_mirrored(s) & LS_SOCKET_GRO)) return ls_fd_recv(s->fd, how, data, size, n, peer);
    s->flags |= LS_SOCKET_PARTED;
    return ls_part_recv(s->fd, how, data, n, peer);
}

int ls_option_send(ls_Socket *s, const void *data, size_t size, size_t *n, const ls_Addr *to) {
    struct iovec piece = { (void *)(uintptr_t)data, size }; /* which sendmsg(2) only reads */
    int cuts = s->flags & LS_OPTION_CUTS && ls_option_mirrored(s) & LS_SOCKET_SEGMENT;
    return cuts ? ls_part_send(s->fd, &piece, 1, n, to) : ls_fd_send(s->fd, data, size, n, to);
}

int ls_option_sendpieces(ls_Socket *s, struct iovec *pieces, unsigned short count, size_t *n) {
    int cuts = s->flags & LS_OPTION_CUTS && ls_option_mirrored(s) & LS_SOCKET_SEGMENT;
    return cuts ? ls_part_send(s->fd, pieces, count, n, NULL) : ls_fd_sendpieces(s->fd, pieces, count, n);
}

/* The option that the second argument names; raises where there is none. */
static const ls_Option *check_option(lua_State *L) {
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    const ls_Option *option = ls_option_find(name, len);
    if (!option) luaL_argerror(L, 2, lua_pushfstring(L, "no option is called '%s'", name));
    return option;
}

/* ---- by number ---- */

enum { LARGEST = 65536 }; /* bytes of an option that has no name */

static void check_place(lua_State *L, int *level, int *number) {
    *level = ls_value_int(L, 2, "level", 0, INT_MAX);
    *number = ls_value_int(L, 3, "number", 0, INT_MAX);
}

static int set_numbered(lua_State *L, ls_Socket *s) {
    int level, number, value, err;
    size_t size = sizeof value;
    const void *bytes = &value;
    check_place(L, &level, &number);
    if (lua_type(L, 4) == LUA_TSTRING) bytes = lua_tolstring(L, 4, &size);
    else value = ls_value_int(L, 4, "value", INT_MIN, INT_MAX);
    if (size > LARGEST) return luaL_argerror(L, 4, "too many bytes");
    err = ls_fd_setopt(s->fd, level, number, bytes, size);
    if (!err) ls_option_mirror(s); /* it may have been one of those */
    return ls_result(L, err);
}

/* The room that the kernel is told of, as it may read what is there, and write where that points: the bytes that the
   program gives, and zeros. Answers its size. */
static size_t read_room(lua_State *L, char bytes[LARGEST]) {
    size_t size = sizeof(int), given = 0;
    const char *text = NULL;
    if (!lua_isnoneornil(L, 5)) {
        luaL_checktype(L, 5, LUA_TSTRING);
        text = lua_tolstring(L, 5, &given);
        if (given > LARGEST) luaL_argerror(L, 5, "too many bytes");
        size = given;
    }
    if (!lua_isnoneornil(L, 4)) size = (size_t)ls_value_int(L, 4, "size", 0, LARGEST);
    if (given > size) luaL_argerror(L, 5, "more bytes than size");
    memset(bytes, 0, size);
    if (text) memcpy(bytes, text, given);
    return size;
}

static int get_numbered(lua_State *L, const ls_Socket *s) {
    char bytes[LARGEST];
    int level, number, value, err, plain = lua_isnoneornil(L, 4) && lua_isnoneornil(L, 5);
    size_t size;
    check_place(L, &level, &number);
    size = read_room(L, bytes);
    err = ls_fd_getopt(s->fd, level, number, bytes, &size);
    if (err) return ls_fail(L, err);
    if (plain && size == sizeof value) {
        memcpy(&value, bytes, size);
        lua_pushinteger(L, value);
    } else {
        lua_pushlstring(L, bytes, size); /* fewer are no integer */
    }
    return 1;
}

/* ---- methods ---- */

/* sock:setopt(name, value) -> true | nil, message, name
   sock:setopt(level, number, bytes | integer) -> the same */
static int sock_setopt(lua_State *L) {
    ls_Socket *s = ls_socket_self(L);
    ls_Setting setting;
    const char *problem;
    if (lua_type(L, 2) == LUA_TNUMBER) return set_numbered(L, s);
    problem = ls_option_read(L, 3, check_option(L), &setting);
    if (problem) return luaL_argerror(L, 3, problem);
    return ls_result(L, ls_option_apply(s, &setting));
}

/* sock:getopt(name) -> value | nil, message, name
   sock:getopt(level, number [, size [, bytes]]) -> integer | bytes | nil, message, name;  bytes: what it reads */
static int sock_getopt(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    const ls_Option *o;
    int err;
    if (lua_type(L, 2) == LUA_TNUMBER) return get_numbered(L, s);
    o = check_option(L);
    err = s->fd < 0 ? EBADF : ls_option_kinds[o->kind].get(L, s, o);
    return err ? ls_fail(L, unify(err)) : 1;
}

static const luaL_Reg methods[] = { { "setopt", sock_setopt }, { "getopt", sock_getopt }, { NULL, NULL } };

void ls_option_open(lua_State *L) { ls_socket_extend(L, methods); }
