/* Interfaces by name, index and address, with getifaddrs(3). What is done with them is left to others. */
#include "iface.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <unistd.h>

/* Are they the same host? Zones count where both have one. */
static int is_same_host(const ls_Addr *a, const ls_Addr *b) {
    unsigned zone, other;
    if (a->u.sa.sa_family != b->u.sa.sa_family) return 0;
    if (a->u.sa.sa_family == AF_INET) return a->u.in4.sin_addr.s_addr == b->u.in4.sin_addr.s_addr;
    zone = a->u.in6.sin6_scope_id;
    other = b->u.in6.sin6_scope_id;
    return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16) == 0 && (zone == 0 || other == 0 || zone == other);
}

static int find_address(const ls_Addr *wanted, unsigned *index) {
    struct ifaddrs *list, *item;
    int err = EADDRNOTAVAIL;
    if (getifaddrs(&list) < 0) return errno;
    for (item = list; item && err; item = item->ifa_next) {
        int family = item->ifa_addr ? item->ifa_addr->sa_family : AF_UNSPEC;
        ls_Addr addr;
        if (family != AF_INET && family != AF_INET6) continue;
        ls_addr_copy(&addr, item->ifa_addr, family);
        if (!is_same_host(&addr, wanted)) continue;
        *index = if_nametoindex(item->ifa_name);
        err = 0;
    }
    freeifaddrs(list);
    return err;
}

int ls_iface_having(const struct in_addr *address, unsigned *index) {
    ls_Addr addr;
    memset(&addr.u.in4, 0, sizeof addr.u.in4);
    addr.u.in4.sin_family = AF_INET;
    addr.u.in4.sin_addr = *address;
    return find_address(&addr, index);
}

int ls_iface_find(const char *text, size_t len, unsigned *index) {
    char name[IF_NAMESIZE];
    ls_Addr addr;
    if (!ls_addr_isunix(text, len) && ls_addr_parse(text, len, 0, &addr) == 0) return find_address(&addr, index);
    if (len >= sizeof name || memchr(text, ':', len)) return ENODEV; /* if_nametoindex would read "eth0:1" as eth0 */
    memcpy(name, text, len);
    name[len] = '\0';
    *index = if_nametoindex(name);
    return *index && strlen(name) == len ? 0 : ENODEV;
}

int ls_iface_address(unsigned index, struct in_addr *address) {
    char name[IF_NAMESIZE];
    struct ifaddrs *list, *item;
    int err = EADDRNOTAVAIL;
    if (!if_indextoname(index, name)) return ENODEV;
    if (getifaddrs(&list) < 0) return errno;
    for (item = list; item && err; item = item->ifa_next) {
        if (!item->ifa_addr || item->ifa_addr->sa_family != AF_INET || strcmp(item->ifa_name, name) != 0) continue;
        memcpy(address, &((struct sockaddr_in *)(void *)item->ifa_addr)->sin_addr, sizeof *address);
        err = 0;
    }
    freeifaddrs(list);
    return err;
}

size_t ls_iface_hardware(const unsigned char *bytes, size_t len, char text[LS_IFACE_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    size_t i;
    int any = 0;
    if (len > LS_IFACE_HARDWARE) len = LS_IFACE_HARDWARE;
    for (i = 0; i < len; i++) {
        any |= bytes[i];
        text[3 * i] = digits[bytes[i] >> 4];
        text[3 * i + 1] = digits[bytes[i] & 15];
        text[3 * i + 2] = i + 1 < len ? ':' : '\0';
    }
    return any ? 3 * len - 1 : 0;
}

int ls_iface_hostname(char name[LS_IFACE_HOST]) {
    if (gethostname(name, LS_IFACE_HOST) < 0) return errno;
    name[LS_IFACE_HOST - 1] = '\0'; /* which one that is cut may lack */
    return 0;
}
