/* lsocket.getinterfaces: the addresses of this machine's interfaces, with getifaddrs(3). lsocket.gethostname: what it
   calls itself. */
#include "err.h"
#include "lsocket.h"
#include "net/addr.h"
#include "net/iface.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#if LS_HAVE_AF_PACKET
#include <netpacket/packet.h>
#elif LS_HAVE_AF_LINK
#include <net/if_dl.h>
#endif

static void release_list(void *list) {
    freeifaddrs(list);
}

static const struct {
    unsigned bit;
    const char *name;
} flags[] = {
    { IFF_UP, "up" },           { IFF_LOOPBACK, "loopback" }, { IFF_POINTOPOINT, "pointopoint" },
    { IFF_RUNNING, "running" }, { IFF_BROADCAST, "broadcast" }, { IFF_MULTICAST, "multicast" },
};

static void set_flags(lua_State *L, unsigned set) {
    size_t i;
    lua_newtable(L);
    for (i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!(set & flags[i].bit)) continue;
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, flags[i].name);
    }
    lua_setfield(L, -2, "flags");
}

/* unless: glibc gives the interface's own address where there is no broadcast address or no other end. May be NULL. */
static void set_address(lua_State *L, const char *field, const struct sockaddr *sa, int family, const ls_Addr *unless) {
    ls_Addr addr;
    if (!sa) return;
    ls_addr_copy(&addr, sa, family);
    if (unless && ls_addr_equal(&addr, unless)) return;
    ls_value_pushtext(L, &addr, 0);
    lua_setfield(L, -2, field);
}

/* The bytes of a link-layer record's address, NULL for any other record. */
static const unsigned char *hardware_of(const struct ifaddrs *item, size_t *len) {
#if LS_HAVE_AF_PACKET
    const struct sockaddr_ll *link = (const void *)item->ifa_addr;
    if (!link || link->sll_family != AF_PACKET) return NULL;
    *len = link->sll_halen < sizeof link->sll_addr ? link->sll_halen : sizeof link->sll_addr;
    return link->sll_addr;
#elif LS_HAVE_AF_LINK
    const struct sockaddr_dl *link = (const void *)item->ifa_addr;
    if (!link || link->sdl_family != AF_LINK) return NULL;
    *len = link->sdl_alen;
    return (const unsigned char *)LLADDR(link);
#else
    (void)item, (void)len;
    return NULL;
#endif
}

/* hwaddr = "02:fc:..", from the link-layer record of the same name, but for the label in "eth0:label"; loopback's is
   all zeros, and none. */
static void set_hardware(lua_State *L, const struct ifaddrs *list, const char *name) {
    char text[LS_IFACE_TEXT];
    const unsigned char *bytes = NULL;
    size_t len = 0, name_len = strcspn(name, ":");
    for (; list && !bytes; list = list->ifa_next)
        if (strncmp(list->ifa_name, name, name_len) == 0 && list->ifa_name[name_len] == '\0')
            bytes = hardware_of(list, &len);
    len = ls_iface_hardware(bytes, len, text);
    if (len == 0) return;
    lua_pushlstring(L, text, len);
    lua_setfield(L, -2, "hwaddr");
}

static void push_interface(lua_State *L, const struct ifaddrs *list, const struct ifaddrs *item) {
    const struct sockaddr *sa = item->ifa_addr;
    ls_Addr addr;
    ls_addr_copy(&addr, sa, sa->sa_family);
    ls_value_pushrecord(L, &addr, 0);
    lua_pushstring(L, item->ifa_name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, (lua_Integer)if_nametoindex(item->ifa_name));
    lua_setfield(L, -2, "index");
    set_address(L, "mask", item->ifa_netmask, sa->sa_family, NULL);
    if (sa->sa_family == AF_INET && (item->ifa_flags & IFF_BROADCAST))
        set_address(L, "broadcast", item->ifa_broadaddr, AF_INET, &addr);
    if (item->ifa_flags & IFF_POINTOPOINT) set_address(L, "peer", item->ifa_dstaddr, sa->sa_family, &addr);
    set_hardware(L, list, item->ifa_name);
    set_flags(L, item->ifa_flags);
}

/* lsocket.getinterfaces() -> { { name = , family = , addr = , mask = , ... }, ... } | nil, message, name */
static int core_getinterfaces(lua_State *L) {
    ls_Owner *owner = ls_state_own(L, release_list);
    struct ifaddrs *list, *item;
    int n = 0;
    if (getifaddrs(&list) < 0) return ls_fail(L, errno);
    owner->thing = list;
    lua_newtable(L);
    for (item = list; item; item = item->ifa_next) {
        /* An interface without any address (a fresh tun) has no sockaddr at all. */
        int family = item->ifa_addr ? item->ifa_addr->sa_family : AF_UNSPEC;
        if (family != AF_INET && family != AF_INET6) continue;
        push_interface(L, list, item);
        lua_rawseti(L, -2, ++n);
    }
    ls_state_release(owner);
    return 1;
}

/* lsocket.gethostname() -> name | nil, message, name */
static int core_gethostname(lua_State *L) {
    char name[LS_IFACE_HOST];
    int err = ls_iface_hostname(name);
    if (err) return ls_fail(L, err);
    lua_pushstring(L, name);
    return 1;
}

static const luaL_Reg functions[] = {
    { "getinterfaces", core_getinterfaces }, { "gethostname", core_gethostname }, { NULL, NULL },
};

void ls_iface_open(lua_State *L) {
    ls_state_register(L, functions);
}
