/* Kinds of values that options have: how they are read, set and told. Which options there are is left to option.c. */
#include "option_kinds.h"

#include "err.h"
#include "net/fd.h"
#include "net/mcast.h"
#include "value.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

/* ---- where an option is ---- */

/* The level, and the number: the family's own where there are two. */
static int find_place(const ls_Socket *s, const ls_Option *o, int *number) {
    int is_ipv6 = s->family == AF_INET6 && o->number6 != LS_OPTION_ABSENT;
    *number = is_ipv6 ? o->number6 : o->number;
    return is_ipv6 ? IPPROTO_IPV6 : o->level;
}

/* Sets what an IPv6 socket is to do with IPv4, which it speaks with addresses such as ::ffff:192.0.2.1. On Linux that
   obeys IPv4's options (ttl, tos ...) alone; the BSDs and macOS refuse them on such a socket, which does no harm. */
static void set_ipv4_too(const ls_Socket *s, const ls_Option *o, const void *value, size_t size) {
    if (s->family == AF_INET6 && o->dual && o->number != LS_OPTION_ABSENT)
        ls_fd_setopt(s->fd, o->level, o->number, value, size);
}

static int set_value(const ls_Socket *s, const ls_Option *o, const void *value, size_t size) {
    int number, level = find_place(s, o, &number), err;
    if (number == LS_OPTION_ABSENT) return ENOPROTOOPT;
    err = ls_fd_setopt(s->fd, level, number, value, size);
    if (!err) set_ipv4_too(s, o, value, size);
    return err;
}

static int get_value(const ls_Socket *s, const ls_Option *o, void *value, size_t *size) {
    int number, level = find_place(s, o, &number);
    return number == LS_OPTION_ABSENT ? ENOPROTOOPT : ls_fd_getopt(s->fd, level, number, value, size);
}

int ls_option_getint(const ls_Socket *s, const ls_Option *o, int *value) {
    int number, level = find_place(s, o, &number);
    return number == LS_OPTION_ABSENT ? ENOPROTOOPT : ls_fd_getint(s->fd, level, number, value);
}

/* ---- numbers ---- */

static const char *read_integer(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return ls_value_readint(L, index, o->name, o->low, o->high, &setting->number);
}

static const char *read_flag(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    (void)o;
    setting->number = lua_toboolean(L, index);
    return lua_isboolean(L, index) ? NULL : lua_pushfstring(L, "boolean expected, got %s", luaL_typename(L, index));
}

static int set_int(const ls_Socket *s, const ls_Setting *setting) {
    return set_value(s, setting->option, &setting->number, sizeof setting->number);
}

static int get_integer(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value = 0, err = ls_option_getint(s, o, &value);
    lua_pushinteger(L, value);
    return err;
}

static int get_flag(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value = 0, err = ls_option_getint(s, o, &value);
    lua_pushboolean(L, value);
    return err;
}

static int get_buffer(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value = 0, err = ls_option_getint(s, o, &value);
    lua_pushinteger(L, LS_HAVE_DOUBLED_BUFFERS ? value / 2 : value);
    return err;
}

/* What SO_RCVBUFFORCE and SO_SNDBUFFORCE have set, SO_RCVBUF and SO_SNDBUF tell. */
static int get_forced(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    ls_Option plain = *o;
#ifdef SO_RCVBUFFORCE
    if (o->number != LS_OPTION_ABSENT) plain.number = o->number == SO_RCVBUFFORCE ? SO_RCVBUF : SO_SNDBUF;
#endif
    return get_buffer(L, s, &plain);
}

static int set_octet(const ls_Socket *s, const ls_Setting *setting) {
    const ls_Option *o = setting->option;
    int err;
    if (s->family != AF_INET6) return ls_mcast_setoctet(s->fd, o->number, setting->number);
    err = ls_fd_setint(s->fd, IPPROTO_IPV6, o->number6, setting->number);
    if (!err) ls_mcast_setoctet(s->fd, o->number, setting->number);
    return err;
}

/* ---- times ---- */

/* A number of seconds, rounded up to a whole number of the kernel's units, of which there are so many in a second. What
   a double adds to 0.0011 s in microseconds does not count. */
static const char *read_time(lua_State *L, int index, const ls_Option *o, int unit, ls_Setting *setting) {
    double number = lua_tonumber(L, index) * unit;
    if (!lua_isnumber(L, index)) return lua_pushfstring(L, "number expected, got %s", luaL_typename(L, index));
    if (number >= 0 && number <= o->high) {
        setting->number = (int)number + (number - (int)number > number * 1e-9);
        if (setting->number >= o->low) return NULL;
    }
    return lua_pushfstring(L, "%s must be from %f to %f seconds", o->name, (lua_Number)o->low / unit,
                           (lua_Number)o->high / unit);
}

static int get_time(lua_State *L, const ls_Socket *s, const ls_Option *o, int unit) {
    int value = 0, err = ls_option_getint(s, o, &value);
    if (value % unit == 0) lua_pushinteger(L, value / unit);
    else lua_pushnumber(L, (lua_Number)value / unit);
    return err;
}

enum { SECOND = 1, MILLISECONDS = 1000, MICROSECONDS = 1000000 };

static const char *read_seconds(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return read_time(L, index, o, SECOND, setting);
}

static const char *read_milliseconds(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return read_time(L, index, o, MILLISECONDS, setting);
}

static const char *read_microseconds(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return read_time(L, index, o, MICROSECONDS, setting);
}

static int get_milliseconds(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    return get_time(L, s, o, MILLISECONDS);
}

static int get_microseconds(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    return get_time(L, s, o, MICROSECONDS);
}

/* Is it false, which stands for none? Then the number is that. */
static int is_none(lua_State *L, int index, int none, ls_Setting *setting) {
    setting->number = none;
    return lua_isboolean(L, index) && !lua_toboolean(L, index);
}

enum { NO_LINGER = -1 };

static const char *read_linger(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return is_none(L, index, NO_LINGER, setting) ? NULL : read_seconds(L, index, o, setting);
}

static int set_linger(const ls_Socket *s, const ls_Setting *setting) {
    struct linger linger;
    linger.l_onoff = setting->number != NO_LINGER;
    linger.l_linger = linger.l_onoff ? setting->number : 0;
    return set_value(s, setting->option, &linger, sizeof linger);
}

static int get_linger(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    struct linger linger = { 0, 0 };
    size_t size = sizeof linger;
    int err = get_value(s, o, &linger, &size);
    if (linger.l_onoff) lua_pushinteger(L, linger.l_linger);
    else lua_pushboolean(L, 0);
    return err;
}

/* ---- names ---- */

static const char *read_string(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    if (lua_type(L, index) != LUA_TSTRING)
        return lua_pushfstring(L, "string expected, got %s", luaL_typename(L, index));
    setting->text = lua_tolstring(L, index, &setting->len);
    if (setting->len >= (size_t)o->low && setting->len <= (size_t)o->high && strlen(setting->text) == setting->len)
        return NULL;
    return lua_pushfstring(L, "%s must have %d to %d bytes, none of them NUL", o->name, o->low, o->high);
}

static int set_string(const ls_Socket *s, const ls_Setting *setting) {
    return set_value(s, setting->option, setting->text, setting->len);
}

/* The kernel's answer, which may or may not end with a NUL byte. */
static int get_text(const ls_Socket *s, const ls_Option *o, char *text, size_t room) {
    size_t size = room - 1;
    int err = get_value(s, o, text, &size);
    text[err ? 0 : size] = '\0';
    return err;
}

static int get_string(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    char text[64] = "";
    int err = get_text(s, o, text, sizeof text);
    lua_pushstring(L, text);
    return err;
}

typedef struct Choice {
    const char *name;
    int number;
} Choice;

/* How large a packet may be, and what becomes of larger ones: ip(7). */
static const Choice discoveries[] = {
#ifdef IP_PMTUDISC_DO
    { "want", IP_PMTUDISC_WANT },
    { "dont", IP_PMTUDISC_DONT },
    { "do", IP_PMTUDISC_DO },
    { "probe", IP_PMTUDISC_PROBE },
#else
    { "want", 1 }, { "dont", 0 }, { "do", 2 }, { "probe", 3 }, /* nobody to be told */
#endif
};

enum { DISCOVERIES = sizeof discoveries / sizeof discoveries[0] };

static const char *read_discovery(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    int i;
    (void)o;
    for (i = 0; i < DISCOVERIES; i++)
        if (strcmp(discoveries[i].name, name) == 0 && strlen(name) == lua_rawlen(L, index)) break;
    if (i == DISCOVERIES) return "\"want\", \"dont\", \"do\" or \"probe\" expected";
    setting->number = discoveries[i].number;
    return NULL;
}

/* The kernel has further ways, which can be set by number. */
static int get_discovery(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int i, value = 0, err = ls_option_getint(s, o, &value);
    for (i = 0; i < DISCOVERIES && discoveries[i].number != value; i++) continue;
    if (i < DISCOVERIES) lua_pushstring(L, discoveries[i].name);
    else lua_pushinteger(L, value);
    return err;
}

/* ---- interfaces ---- */

static const char *read_interface(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    unsigned interface = 0;
    const char *problem = NULL;
    (void)o;
    if (!is_none(L, index, 0, setting)) problem = ls_value_readinterface(L, index, &interface, &setting->err);
    setting->number = (int)interface;
    return problem;
}

/* Pushes its name; the index where it has gone, false where there is none. */
static void push_interface(lua_State *L, unsigned index) {
    char name[IF_NAMESIZE];
    if (index == 0) lua_pushboolean(L, 0);
    else if (if_indextoname(index, name)) lua_pushstring(L, name);
    else lua_pushinteger(L, (lua_Integer)index);
}

static int get_interface(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int index = 0, err = ls_option_getint(s, o, &index);
    push_interface(L, (unsigned)index);
    return err;
}

static int set_device(const ls_Socket *s, const ls_Setting *setting) {
    char name[IF_NAMESIZE] = "";
    if (setting->number && !if_indextoname((unsigned)setting->number, name)) return ENODEV;
    return set_value(s, setting->option, name, strlen(name) + 1);
}

static int get_device(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    char name[IF_NAMESIZE + 1] = "";
    int err = get_text(s, o, name, sizeof name);
    if (*name) lua_pushstring(L, name);
    else lua_pushboolean(L, 0);
    return err;
}

static int set_mcastif(const ls_Socket *s, const ls_Setting *setting) {
    return ls_mcast_setinterface(s->fd, s->family, (unsigned)setting->number);
}

/* Some systems tell the address and the interface of an IPv4 datagram by an option each. */
static int set_pktinfo(const ls_Socket *s, const ls_Setting *setting) {
    int err = set_int(s, setting);
#if LS_HAVE_IP_RECVIF
    if (!err && s->family == AF_INET) err = ls_fd_setint(s->fd, IPPROTO_IP, IP_RECVIF, setting->number);
#endif
    return err;
}

static int get_mcastif(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    unsigned index = 0;
    int err = ls_mcast_getinterface(s->fd, s->family, &index);
    (void)o;
    push_interface(L, index);
    return err;
}

/* ---- what can only be read ---- */

static const char *refuse(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    (void)index, (void)setting;
    return lua_pushfstring(L, "%s can only be read", o->name);
}

static int get_error(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int pending = 0, err = ls_option_getint(s, o, &pending);
    if (pending) ls_err_pushname(L, pending);
    else lua_pushboolean(L, 0);
    return err;
}

static int get_type(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int type = 0, err = ls_option_getint(s, o, &type);
    lua_pushstring(L, ls_value_typename(type));
    return err;
}

static int get_domain(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int family = 0, err = ls_option_getint(s, o, &family);
    lua_pushstring(L, ls_value_family(family));
    return err;
}

#if LS_HAVE_TCP_INFO
typedef struct Field {
    const char *name; /* NULL: two fields of four bits, or nothing of interest */
    unsigned size;
} Field;

/* struct tcp_info as the kernel has it, which adds to the end of it; the C library's headers follow years later. Each
   field lies at a multiple of its size, on every machine. */
static const Field fields[] = {
    { "state", 1 }, { "ca_state", 1 }, { "retransmits", 1 }, { "probes", 1 }, { "backoff", 1 }, { "options", 1 },
    { NULL, 1 }, { NULL, 1 },
    { "rto", 4 }, { "ato", 4 }, { "snd_mss", 4 }, { "rcv_mss", 4 },
    { "unacked", 4 }, { "sacked", 4 }, { "lost", 4 }, { "retrans", 4 }, { "fackets", 4 },
    { "last_data_sent", 4 }, { "last_ack_sent", 4 }, { "last_data_recv", 4 }, { "last_ack_recv", 4 },
    { "pmtu", 4 }, { "rcv_ssthresh", 4 }, { "rtt", 4 }, { "rttvar", 4 }, { "snd_ssthresh", 4 }, { "snd_cwnd", 4 },
    { "advmss", 4 }, { "reordering", 4 }, { "rcv_rtt", 4 }, { "rcv_space", 4 }, { "total_retrans", 4 },
    { "pacing_rate", 8 }, { "max_pacing_rate", 8 }, { "bytes_acked", 8 }, { "bytes_received", 8 },
    { "segs_out", 4 }, { "segs_in", 4 }, { "notsent_bytes", 4 }, { "min_rtt", 4 },
    { "data_segs_in", 4 }, { "data_segs_out", 4 },
    { "delivery_rate", 8 }, { "busy_time", 8 }, { "rwnd_limited", 8 }, { "sndbuf_limited", 8 },
    { "delivered", 4 }, { "delivered_ce", 4 }, { "bytes_sent", 8 }, { "bytes_retrans", 8 },
    { "dsack_dups", 4 }, { "reord_seen", 4 }, { "rcv_ooopack", 4 }, { "snd_wnd", 4 }, { "rcv_wnd", 4 },
    { "rehash", 4 }, { "total_rto", 2 }, { "total_rto_recoveries", 2 }, { "total_rto_time", 4 },
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

/* "No limit" is 2^64 - 1 there: beyond what an integer of Lua holds, as it may be. */
static void push_field(lua_State *L, const unsigned char *bytes, unsigned size) {
    uint64_t huge;
    uint32_t large;
    uint16_t small;
    if (size == 8) {
        memcpy(&huge, bytes, size);
        ls_value_pushunsigned(L, huge);
    } else if (size == 4) {
        memcpy(&large, bytes, size);
        ls_value_pushunsigned(L, large);
    } else {
        memcpy(&small, bytes, size == 2 ? size : 0);
        lua_pushinteger(L, size == 2 ? small : *bytes);
    }
}

/* A table of those fields that this kernel has. */
static int get_tcpinfo(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    union {
        struct tcp_info info;
        unsigned char bytes[512];
    } answer;
    size_t size = sizeof answer, at = 0;
    int i, err;
    memset(&answer, 0, sizeof answer);
    err = get_value(s, o, &answer, &size);
    lua_createtable(L, 0, FIELDS);
    for (i = 0; i < FIELDS && at + fields[i].size <= size; at += fields[i++].size) {
        if (!fields[i].name) continue;
        push_field(L, answer.bytes + at, fields[i].size);
        lua_setfield(L, -2, fields[i].name);
    }
    lua_pushinteger(L, answer.info.tcpi_snd_wscale);
    lua_setfield(L, -2, "snd_wscale");
    lua_pushinteger(L, answer.info.tcpi_rcv_wscale);
    lua_setfield(L, -2, "rcv_wscale");
    return err;
}
#else
static int get_tcpinfo(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    (void)s, (void)o;
    lua_pushnil(L);
    return ENOPROTOOPT;
}
#endif

const ls_OptionKind ls_option_kinds[] = {
    [LS_KIND_FLAG] = { read_flag, set_int, get_flag },
    [LS_KIND_INTEGER] = { read_integer, set_int, get_integer },
    [LS_KIND_BUFFER] = { read_integer, set_int, get_buffer },
    [LS_KIND_FORCED] = { read_integer, set_int, get_forced },
    [LS_KIND_SECONDS] = { read_seconds, set_int, get_integer },
    [LS_KIND_MILLISECONDS] = { read_milliseconds, set_int, get_milliseconds },
    [LS_KIND_MICROSECONDS] = { read_microseconds, set_int, get_microseconds },
    [LS_KIND_LINGER] = { read_linger, set_linger, get_linger },
    [LS_KIND_STRING] = { read_string, set_string, get_string },
    [LS_KIND_DEVICE] = { read_interface, set_device, get_device },
    [LS_KIND_INTERFACE] = { read_interface, set_int, get_interface },
    [LS_KIND_MCASTIF] = { read_interface, set_mcastif, get_mcastif },
    [LS_KIND_OCTET] = { read_integer, set_octet, get_integer },
    [LS_KIND_OCTETFLAG] = { read_flag, set_octet, get_flag },
    [LS_KIND_MTUDISCOVER] = { read_discovery, set_int, get_discovery },
    [LS_KIND_PKTINFO] = { read_flag, set_pktinfo, get_flag },
    [LS_KIND_READINTEGER] = { refuse, NULL, get_integer },
    [LS_KIND_READFLAG] = { refuse, NULL, get_flag },
    [LS_KIND_ERROR] = { refuse, NULL, get_error },
    [LS_KIND_TYPE] = { refuse, NULL, get_type },
    [LS_KIND_DOMAIN] = { refuse, NULL, get_domain },
    [LS_KIND_TCPINFO] = { refuse, NULL, get_tcpinfo },
};
