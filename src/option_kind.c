/* The kinds of options. Which option is of which kind is left to option.c. */
#include "option_kind.h"

#include "err.h"
#include "net/fd.h"
#include "net/mcast.h"
#include "net/tcpinfo.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* ---- where an option is ---- */

static int has_family(const ls_Option *o) { return o->number6 != 0; }

/* The level and number for this socket. 0; EBADF: it is closed; ENOPROTOOPT: there is none. */
static int find_place(const ls_Socket *s, const ls_Option *o, int *level, int *number) {
    int is_ipv6 = has_family(o) && s->family == AF_INET6;
    *level = is_ipv6 ? IPPROTO_IPV6 : o->level;
    *number = is_ipv6 ? o->number6 : o->number;
    if (s->fd < 0) return EBADF;
    return *number == LS_ABSENT || (s->family == AF_UNIX && *level != SOL_SOCKET) ? ENOPROTOOPT : 0;
}

static int set_number(const ls_Socket *s, const ls_Option *o, int value) {
    int level, number, err = find_place(s, o, &level, &number);
    if (!err) err = ls_fd_setint(s->fd, level, number, value);
    /* An IPv6 socket may speak IPv4, too, and obeys IPv4's option then. Where it cannot, the system refuses. */
    if (!err && level == IPPROTO_IPV6 && has_family(o) && o->number != LS_ABSENT)
        ls_fd_setint(s->fd, o->level, o->number, value);
    return err;
}

int ls_option_getnumber(const ls_Socket *s, const ls_Option *o, int *value) {
    int level, number, err = find_place(s, o, &level, &number);
    *value = 0;
    return err ? err : ls_fd_getint(s->fd, level, number, value);
}

/* ---- kinds: numbers ---- */

static const char *expected(lua_State *L, int index, const char *what) {
    return lua_pushfstring(L, "%s expected, got %s", what, luaL_typename(L, index));
}

static const char *read_integer(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    return ls_value_readint(L, index, o->name, o->low, o->high, &setting->value.number);
}

static const char *read_flag(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    (void)o;
    setting->value.number = lua_toboolean(L, index);
    return lua_isboolean(L, index) ? NULL : expected(L, index, "boolean");
}

static int set_integer(const ls_Socket *s, const ls_Setting *setting) {
    return set_number(s, setting->option, setting->value.number);
}

static int get_integer(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    lua_pushinteger(L, value);
    return err;
}

static int get_flag(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    lua_pushboolean(L, value);
    return err;
}

/* The size of a buffer; without the part that the kernel adds for itself. */
static int get_buffer(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    lua_pushinteger(L, LS_HAVE_DOUBLED_BUFFERS ? value / 2 : value);
    return err;
}

const ls_OptionKind ls_option_integer = { read_integer, set_integer, get_integer };
const ls_OptionKind ls_option_flag = { read_flag, set_integer, get_flag };
const ls_OptionKind ls_option_buffer = { read_integer, set_integer, get_buffer };
const ls_OptionKind ls_option_told_integer = { NULL, NULL, get_integer };
const ls_OptionKind ls_option_told_flag = { NULL, NULL, get_flag };

/* OpenBSD takes a byte for these of IPv4, which others take as well. */
static int set_byte(const ls_Socket *s, const ls_Setting *setting) {
    const ls_Option *o = setting->option;
    unsigned char byte = (unsigned char)setting->value.number;
    if (s->fd < 0 || s->family != AF_INET || o->number == LS_ABSENT) return set_integer(s, setting);
    return ls_fd_setbytes(s->fd, o->level, o->number, &byte, sizeof byte);
}

const ls_OptionKind ls_option_byte = { read_integer, set_byte, get_integer };
const ls_OptionKind ls_option_byte_flag = { read_flag, set_byte, get_flag };

/* A time in seconds; what the system has no unit for is rounded up. */
static const char *read_seconds(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    lua_Number units = lua_tonumber(L, index) * o->unit;
    if (!lua_isnumber(L, index)) return expected(L, index, "number");
    if (!(units >= o->low && units <= o->high))
        return lua_pushfstring(L, "%s must be from %d to %d seconds", o->name, o->low, o->high / o->unit);
    setting->value.number = (int)units + ((int)units < units);
    return NULL;
}

static int get_seconds(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    if (value % o->unit == 0) lua_pushinteger(L, value / o->unit);
    else lua_pushnumber(L, (lua_Number)value / o->unit);
    return err;
}

const ls_OptionKind ls_option_seconds = { read_seconds, set_integer, get_seconds };

/* ---- kinds: structures and words ---- */

/* SO_LINGER: seconds, or false. */
static const char *read_linger(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    int is_false = lua_isboolean(L, index) && !lua_toboolean(L, index), time = 0;
    const char *problem = is_false ? NULL : ls_value_readint(L, index, o->name, o->low, o->high, &time);
    setting->value.linger.l_onoff = !is_false;
    setting->value.linger.l_linger = time;
    return problem;
}

static int set_linger(const ls_Socket *s, const ls_Setting *setting) {
    const struct linger *value = &setting->value.linger;
    return ls_fd_setbytes(s->fd, SOL_SOCKET, SO_LINGER, value, sizeof *value);
}

static int get_linger(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    struct linger value = { 0, 0 };
    size_t len = sizeof value;
    int err = ls_fd_getbytes(s->fd, o->level, o->number, &value, &len);
    if (value.l_onoff) lua_pushinteger(L, value.l_linger);
    else lua_pushboolean(L, 0);
    return err;
}

const ls_OptionKind ls_option_linger = { read_linger, set_linger, get_linger };

static const char *read_text(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    size_t len;
    (void)o;
    if (lua_type(L, index) != LUA_TSTRING) return expected(L, index, "string");
    setting->value.text.bytes = lua_tolstring(L, index, &len);
    setting->value.text.len = len;
    return memchr(setting->value.text.bytes, '\0', len) ? lua_pushfstring(L, "%s contains a NUL byte", o->name) : NULL;
}

static int set_text(const ls_Socket *s, const ls_Setting *setting) {
    int level, number, err = find_place(s, setting->option, &level, &number);
    return err ? err : ls_fd_setbytes(s->fd, level, number, setting->value.text.bytes, setting->value.text.len);
}

static int get_text(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    char text[64] = "";
    size_t len = sizeof text - 1;
    int level, number, err = find_place(s, o, &level, &number);
    if (!err) err = ls_fd_getbytes(s->fd, level, number, text, &len);
    lua_pushstring(L, text);
    return err;
}

const ls_OptionKind ls_option_text = { read_text, set_text, get_text };

/* An interface: its name, index or address; "" for none, as it is at first. Its name is what is told. */
static const char *read_interface(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    int none = lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) == 0;
    (void)o;
    setting->value.interface.index = 0;
    setting->value.interface.err = 0;
    if (none) return NULL;
    return ls_value_readinterface(L, index, &setting->value.interface.index, &setting->value.interface.err);
}

static void push_interface(lua_State *L, unsigned index) {
    char name[IF_NAMESIZE] = "";
    if (index) if_indextoname(index, name); /* "" for one that is gone */
    lua_pushstring(L, name);
}

static int set_mcastif(const ls_Socket *s, const ls_Setting *setting) {
    int level, number, err = find_place(s, setting->option, &level, &number);
    if (!err) err = setting->value.interface.err;
    return err ? err : ls_mcast_setinterface(s->fd, s->family, setting->value.interface.index);
}

static int get_mcastif(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    unsigned index = 0;
    int level, number, err = find_place(s, o, &level, &number);
    if (!err) err = ls_mcast_getinterface(s->fd, s->family, &index);
    push_interface(L, index);
    return err;
}

const ls_OptionKind ls_option_mcastif = { read_interface, set_mcastif, get_mcastif };

/* Linux wants the interface's name here, macOS its index. */
#ifdef SO_BINDTODEVICE

static int set_device(const ls_Socket *s, const ls_Setting *setting) {
    char name[IF_NAMESIZE] = "";
    unsigned index = setting->value.interface.index;
    if (s->fd < 0) return EBADF;
    if (setting->value.interface.err) return setting->value.interface.err;
    if (index && !if_indextoname(index, name)) return ENODEV;
    return ls_fd_setbytes(s->fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name));
}

const ls_OptionKind ls_option_device = { read_interface, set_device, get_text };
#else

static int set_device(const ls_Socket *s, const ls_Setting *setting) {
    if (s->fd >= 0 && setting->value.interface.err) return setting->value.interface.err;
    return set_number(s, setting->option, (int)setting->value.interface.index);
}

static int get_device(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    push_interface(L, (unsigned)value);
    return err;
}

const ls_OptionKind ls_option_device = { read_interface, set_device, get_device };
#endif

/* IP_MTU_DISCOVER: a word for each of the system's values, which both families share. */
static const char *const discoveries[] = { "dont", "want", "do", "probe" };
enum { DISCOVERIES = sizeof discoveries / sizeof discoveries[0] };

static const char *read_discovery(lua_State *L, int index, const ls_Option *o, ls_Setting *setting) {
    const char *word = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    int i;
    for (i = 0; i < DISCOVERIES; i++)
        if (strcmp(word, discoveries[i]) == 0) break;
    setting->value.number = i;
    return i < DISCOVERIES ? NULL : lua_pushfstring(L, "%s must be dont, want, do or probe", o->name);
}

static int get_discovery(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    if (value >= 0 && value < DISCOVERIES) lua_pushstring(L, discoveries[value]);
    else lua_pushinteger(L, value);
    return err;
}

const ls_OptionKind ls_option_discovery = { read_discovery, set_integer, get_discovery };

/* ---- kinds: what the kernel knows ---- */

static int get_error(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    if (value) ls_err_pushname(L, value);
    else lua_pushboolean(L, 0);
    return err;
}

static int get_type(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    lua_pushstring(L, ls_value_typename(value));
    return err;
}

static int get_domain(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    int value, err = ls_option_getnumber(s, o, &value);
    lua_pushstring(L, ls_value_family(value));
    return err;
}

static int get_tcpinfo(lua_State *L, const ls_Socket *s, const ls_Option *o) {
    const char *name;
    uint64_t value;
    ls_TcpInfo info;
    size_t i;
    int level, number, err = find_place(s, o, &level, &number);
    if (!err) err = ls_tcpinfo_get(s->fd, &info);
    if (err) return err;
    lua_createtable(L, 0, 64);
    for (i = 0; (name = ls_tcpinfo_field(&info, i, &value)) != NULL; i++) {
        if (value <= INT_MAX) lua_pushinteger(L, (lua_Integer)value);
        else lua_pushnumber(L, (lua_Number)value);
        lua_setfield(L, -2, name);
    }
    return 0;
}

const ls_OptionKind ls_option_told_error = { NULL, NULL, get_error };
const ls_OptionKind ls_option_told_type = { NULL, NULL, get_type };
const ls_OptionKind ls_option_told_domain = { NULL, NULL, get_domain };
const ls_OptionKind ls_option_told_tcpinfo = { NULL, NULL, get_tcpinfo };
