/* Text <-> socket address. No look-ups: what is no number, path or abstract name is left to gai.c. */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define PATH_ROOM sizeof(((struct sockaddr_un *)0)->sun_path)

static int parse_abstract(const char *name, size_t len, ls_Addr *addr) {
    if (!LS_HAVE_ABSTRACT_UNIX) return EAFNOSUPPORT;
    if (len > PATH_ROOM - 1) return ENAMETOOLONG;
    addr->u.un.sun_family = AF_UNIX;
    memcpy(addr->u.un.sun_path + 1, name, len); /* sun_path[0] stays NUL: that makes it abstract */
    addr->len = (socklen_t)(PATH_OFFSET + 1 + len);
    return 0;
}

static int parse_path(const char *path, size_t len, ls_Addr *addr) {
    if (len > PATH_ROOM - 1) return ENAMETOOLONG;
    addr->u.un.sun_family = AF_UNIX;
    memcpy(addr->u.un.sun_path, path, len);
    addr->len = (socklen_t)(PATH_OFFSET + len + 1);
    return 0;
}

/* "eth0" or "2" -> 2; 0 where there is no such interface. */
static unsigned parse_zone(const char *zone) {
    char *end;
    unsigned long long index = strtoull(zone, &end, 10); /* unsigned long may be no larger than an index */
    if (*zone >= '0' && *zone <= '9' && *end == '\0') return index <= UINT_MAX ? (unsigned)index : 0;
    return strchr(zone, ':') ? 0 : if_nametoindex(zone); /* which would read "eth0:1" as eth0 */
}

static int only(const char *text, const char *characters) {
    return text[strspn(text, characters)] == '\0';
}

/* Four decimal numbers, as inet_pton reads them; with a leading zero it is left to inet_aton, which takes it for octal.
   Nearly every address is of this kind, datagrams come and go with one each, and the C library is ten times slower. */
static int parse_dotted(const char *text, struct in_addr *ip) {
    unsigned char bytes[4];
    int i;
    for (i = 0; i < 4; i++) {
        const char *start = text;
        unsigned value = 0;
        while (*text >= '0' && *text <= '9' && text - start < 3) value = value * 10 + (unsigned)(*text++ - '0');
        if (text == start || value > 255 || (*start == '0' && text - start > 1)) return 0;
        if (*text++ != (i < 3 ? '.' : '\0')) return 0;
        bytes[i] = (unsigned char)value;
    }
    memcpy(ip, bytes, sizeof bytes);
    return 1;
}

/* inet_aton stops at a blank, so give it nothing but what its forms are made of: 127.1, 0x7f.1, 0177.1, 2130706433. */
static int parse_ipv4(const char *text, struct in_addr *ip) {
    if (parse_dotted(text, ip)) return 1;
    return text[0] >= '0' && text[0] <= '9' && only(text, "0123456789abcdefABCDEFxX.") && inet_aton(text, ip) != 0;
}

static int parse_numeric(const char *text, const char *zone, ls_Addr *addr) {
    if (parse_ipv4(text, &addr->u.in4.sin_addr)) {
        addr->u.in4.sin_family = AF_INET;
        addr->len = sizeof(addr->u.in4);
        if (zone && !ls_addr_isgroup(addr)) return LS_EAI(EAI_NONAME);
    } else if (inet_pton(AF_INET6, text, &addr->u.in6.sin6_addr) == 1) {
        addr->u.in6.sin6_family = AF_INET6;
        addr->len = sizeof(addr->u.in6);
    } else if (zone || strchr(text, ':') || only(text, "0123456789.")) {
        return LS_EAI(EAI_NONAME);
    } else {
        return LS_ADDR_NAME;
    }
    if (!zone) return 0;
    addr->ifindex = parse_zone(zone);
    if (addr->ifindex == 0) return ENODEV;
    if (addr->u.sa.sa_family == AF_INET6) addr->u.in6.sin6_scope_id = addr->ifindex;
    return 0;
}

int ls_addr_parse(const char *text, size_t len, unsigned port, ls_Addr *addr) {
    char host[NI_MAXHOST], *zone;
    int err, bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    memset(addr, 0, sizeof *addr);
    if (len > 0 && text[0] == '@') return parse_abstract(text + 1, len - 1, addr);
    if (ls_addr_isunix(text, len)) return parse_path(text, len, addr);
    if (len >= sizeof host) return ENAMETOOLONG;
    if (bracketed) {
        text++;
        len -= 2;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    zone = strchr(host, '%');
    if (zone) *zone++ = '\0';
    err = parse_numeric(host, zone, addr);
    if (err == 0) ls_addr_setport(addr, port);
    return err == LS_ADDR_NAME && bracketed ? LS_EAI(EAI_NONAME) : err;
}

int ls_addr_numeric(const char *text, size_t len, unsigned port, ls_Addr *addr) {
    int err = ls_addr_parse(text, len, port, addr);
    return err == LS_ADDR_NAME ? LS_EAI(EAI_NONAME) : err;
}

int ls_addr_isunix(const char *text, size_t len) {
    return len > 0 && (text[0] == '@' || memchr(text, '/', len) != NULL);
}

static socklen_t length_of(int family) {
    return family == AF_INET ? sizeof(struct sockaddr_in) : family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

void ls_addr_any(ls_Addr *addr, int family, unsigned port) {
    memset(addr, 0, sizeof *addr);
    addr->u.sa.sa_family = (sa_family_t)family;
    addr->len = length_of(family);
    ls_addr_setport(addr, port);
}

int ls_addr_isblank(const ls_Addr *addr) {
    return addr->u.sa.sa_family == AF_UNIX && addr->len == PATH_OFFSET + 1 && addr->u.un.sun_path[0] == '\0';
}

/* Where an internet address has its bytes, and how many; NULL: it is none. */
static void *bytes_in(ls_Addr *addr, size_t *len) {
    switch (ls_addr_family(addr)) {
    case AF_INET: return *len = sizeof addr->u.in4.sin_addr, &addr->u.in4.sin_addr;
    case AF_INET6: return *len = sizeof addr->u.in6.sin6_addr, &addr->u.in6.sin6_addr;
    default: return *len = 0, NULL;
    }
}

size_t ls_addr_bytes(const ls_Addr *addr, unsigned char bytes[LS_ADDR_BYTES]) {
    ls_Addr copy = *addr;
    size_t len;
    const void *from = bytes_in(&copy, &len);
    if (from) memcpy(bytes, from, len);
    return len;
}

int ls_addr_frombytes(ls_Addr *addr, const void *bytes, size_t len) {
    size_t room;
    void *to;
    if (len != 4 && len != 16) return EINVAL;
    ls_addr_any(addr, len == 4 ? AF_INET : AF_INET6, 0);
    to = bytes_in(addr, &room);
    memcpy(to, bytes, room);
    return 0;
}

void ls_addr_copy(ls_Addr *addr, const struct sockaddr *sa, int family) {
    size_t len = length_of(family);
#if LS_HAVE_SA_LEN
    if (sa->sa_len < len) len = sa->sa_len;
#endif
    memset(addr, 0, sizeof *addr);
    memcpy(&addr->u, sa, len);
    addr->u.sa.sa_family = (sa_family_t)family;
    addr->len = length_of(family);
}

static size_t format_unix(const ls_Addr *addr, char *text) {
    const char *path = addr->u.un.sun_path;
    size_t len = addr->len > PATH_OFFSET ? addr->len - PATH_OFFSET : 0;
    if (len > PATH_ROOM) len = PATH_ROOM; /* Linux counts the NUL that a full path has no room for */
    if (LS_HAVE_ABSTRACT_UNIX && len > 0 && path[0] == '\0') {
        text[0] = '@';
        memcpy(text + 1, path + 1, len - 1);
        return len;
    }
    len = strnlen(path, len);
    memcpy(text, path, len);
    return len;
}

static size_t format_ipv4(const ls_Addr *addr, char *text) {
    unsigned char bytes[4];
    char *end = text;
    int i;
    memcpy(bytes, &addr->u.in4.sin_addr, sizeof bytes);
    for (i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (i > 0) *end++ = '.';
        if (value >= 100) *end++ = (char)('0' + value / 100);
        if (value >= 10) *end++ = (char)('0' + value / 10 % 10);
        *end++ = (char)('0' + value % 10);
    }
    return (size_t)(end - text);
}

static size_t format_ipv6(const ls_Addr *addr, int zone, char *text) {
    char name[IF_NAMESIZE];
    size_t len;
    unsigned index = addr->u.in6.sin6_scope_id;
    inet_ntop(AF_INET6, &addr->u.in6.sin6_addr, text, INET6_ADDRSTRLEN);
    len = strlen(text);
    if (zone && index != 0) {
        if (if_indextoname(index, name)) len += (size_t)snprintf(text + len, LS_ADDR_TEXT - len, "%%%s", name);
        else len += (size_t)snprintf(text + len, LS_ADDR_TEXT - len, "%%%u", index);
    }
    return len;
}

size_t ls_addr_format(const ls_Addr *addr, int zone, char text[LS_ADDR_TEXT]) {
    switch (ls_addr_family(addr)) {
    case AF_INET: return format_ipv4(addr, text);
    case AF_INET6: return format_ipv6(addr, zone, text);
    case AF_UNIX: return format_unix(addr, text);
    default: return 0;
    }
}

int ls_addr_family(const ls_Addr *addr) {
    return addr->len >= offsetof(struct sockaddr, sa_data) ? addr->u.sa.sa_family : AF_UNIX;
}

int ls_addr_isinternet(const ls_Addr *addr) {
    int family = ls_addr_family(addr);
    return family == AF_INET || family == AF_INET6;
}

unsigned ls_addr_port(const ls_Addr *addr) {
    switch (ls_addr_family(addr)) {
    case AF_INET: return ntohs(addr->u.in4.sin_port);
    case AF_INET6: return ntohs(addr->u.in6.sin6_port);
    default: return 0;
    }
}

void ls_addr_setport(ls_Addr *addr, unsigned port) {
    if (addr->u.sa.sa_family == AF_INET) addr->u.in4.sin_port = htons((in_port_t)port);
    else if (addr->u.sa.sa_family == AF_INET6) addr->u.in6.sin6_port = htons((in_port_t)port);
}

int ls_addr_suit(ls_Addr *addr, int family) {
    struct sockaddr_in6 in6;
    if (ls_addr_haslostzone(addr)) return EINVAL;
    if (addr->u.sa.sa_family == family) return 0;
    if (addr->u.sa.sa_family != AF_INET || family != AF_INET6) return EAFNOSUPPORT;
    memset(&in6, 0, sizeof in6);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = addr->u.in4.sin_port;
    in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&in6.sin6_addr.s6_addr[12], &addr->u.in4.sin_addr, 4);
    addr->u.in6 = in6;
    addr->len = sizeof in6;
    return 0;
}

int ls_addr_haslostzone(const ls_Addr *addr) {
    return addr->u.sa.sa_family == AF_INET && addr->ifindex != 0;
}

int ls_addr_isgroup(const ls_Addr *addr) {
    switch (addr->u.sa.sa_family) {
    case AF_INET: return IN_MULTICAST(ntohl(addr->u.in4.sin_addr.s_addr));
    case AF_INET6: return IN6_IS_ADDR_MULTICAST(&addr->u.in6.sin6_addr);
    default: return 0;
    }
}

int ls_addr_equal(const ls_Addr *a, const ls_Addr *b) {
    if (a->u.sa.sa_family != b->u.sa.sa_family) return 0;
    switch (a->u.sa.sa_family) {
    case AF_INET:
        return a->u.in4.sin_port == b->u.in4.sin_port && a->u.in4.sin_addr.s_addr == b->u.in4.sin_addr.s_addr;
    case AF_INET6:
        return a->u.in6.sin6_port == b->u.in6.sin6_port && a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id &&
               memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr) == 0;
    default: return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
    }
}
