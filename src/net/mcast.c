/* Multicast and broadcast: joining, hop limits and the choice of the interface. */
#include "mcast.h"
#include "fd.h"
#include "iface.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>

static unsigned first_ipv6_interface(void) {
    const unsigned wanted = IFF_UP | IFF_MULTICAST;
    struct ifaddrs *list, *item;
    unsigned index = 0;
    if (getifaddrs(&list) < 0) return 0;
    for (item = list; item && index == 0; item = item->ifa_next)
        if ((item->ifa_flags & (wanted | IFF_LOOPBACK)) == wanted && item->ifa_addr &&
            item->ifa_addr->sa_family == AF_INET6)
            index = if_nametoindex(item->ifa_name);
    freeifaddrs(list);
    return index;
}

void ls_mcast_choose(ls_Addr *group) {
    struct sockaddr_in6 *in6 = &group->u.in6;
    if (in6->sin6_family != AF_INET6 || in6->sin6_scope_id != 0) return;
    if (IN6_IS_ADDR_MC_NODELOCAL(&in6->sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&in6->sin6_addr))
        in6->sin6_scope_id = group->ifindex = first_ipv6_interface();
}

/* ---- membership ---- */

/* Linux hands a socket what any other socket of the machine has joined, unless told not to. For IPv4 only what was
   joined on that interface comes then; for IPv6 what was joined on any. */
static void refuse_foreign_groups(int fd, int family) {
#ifdef IP_MULTICAST_ALL
    if (family == AF_INET) ls_fd_setint(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
#endif
#ifdef IPV6_MULTICAST_ALL
    if (family == AF_INET6) ls_fd_setint(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
    (void)fd, (void)family;
}

enum { JOIN, LEAVE };

#if LS_HAVE_GROUP_REQ
static void store(struct sockaddr_storage *storage, const ls_Addr *addr) {
    memcpy(storage, &addr->u, addr->len);
#if LS_HAVE_SA_LEN
    storage->ss_len = (uint8_t)addr->len;
#endif
}

/* RFC 3678's requests: one for both families, that names any interface. */
static int change_by_index(int fd, int how, const ls_Addr *group, const ls_Addr *source) {
    int level = group->u.sa.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    int any = how == JOIN ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
    int one = how == JOIN ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP;
    struct group_source_req request;
    memset(&request, 0, sizeof request);
    request.gsr_interface = group->ifindex;
    store(&request.gsr_group, group);
    /* Without a source it is a struct group_req, with which it begins. */
    if (!source) return ls_fd_setopt(fd, level, any, &request, sizeof(struct group_req));
    store(&request.gsr_source, source);
    return ls_fd_setopt(fd, level, one, &request, sizeof request);
}
#else
static int change_by_index(int fd, int how, const ls_Addr *group, const ls_Addr *source) {
    (void)fd, (void)how, (void)group, (void)source;
    return ENOPROTOOPT;
}
#endif

static int change_ipv4_source(int fd, int how, const struct ip_mreq *all, const ls_Addr *source) {
#ifdef IP_ADD_SOURCE_MEMBERSHIP
    struct ip_mreq_source request;
    memset(&request, 0, sizeof request);
    request.imr_multiaddr = all->imr_multiaddr;
    request.imr_interface = all->imr_interface;
    request.imr_sourceaddr = source->u.in4.sin_addr;
    return ls_fd_setopt(fd, IPPROTO_IP, how == JOIN ? IP_ADD_SOURCE_MEMBERSHIP : IP_DROP_SOURCE_MEMBERSHIP, &request,
                        sizeof request);
#else
    (void)fd, (void)how, (void)all, (void)source;
    return ENOPROTOOPT;
#endif
}

/* The older requests: an interface is named by its first IPv4 address. */
static int change_ipv4(int fd, int how, const ls_Addr *group, const ls_Addr *source) {
    struct ip_mreq request;
    int err = 0;
    memset(&request, 0, sizeof request);
    request.imr_multiaddr = group->u.in4.sin_addr;
    if (group->ifindex) err = ls_iface_address(group->ifindex, &request.imr_interface);
    if (err) return err;
    if (source) return change_ipv4_source(fd, how, &request, source);
    return ls_fd_setopt(fd, IPPROTO_IP, how == JOIN ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request, sizeof request);
}

static int change_ipv6(int fd, int how, const ls_Addr *group) {
    struct ipv6_mreq request;
    memset(&request, 0, sizeof request);
    request.ipv6mr_multiaddr = group->u.in6.sin6_addr;
    request.ipv6mr_interface = group->ifindex;
    return ls_fd_setopt(fd, IPPROTO_IPV6, how == JOIN ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request, sizeof request);
}

/* Only Linux lets RFC 3678's requests leave the interface open; the older ones may everywhere. */
static int change(int fd, int how, const ls_Addr *group, const ls_Addr *source) {
    int is_ipv4 = group->u.sa.sa_family == AF_INET;
    if ((LS_HAVE_GROUP_REQ && group->ifindex) || (source && !is_ipv4))
        return change_by_index(fd, how, group, source);
    return is_ipv4 ? change_ipv4(fd, how, group, source) : change_ipv6(fd, how, group);
}

int ls_mcast_join(int fd, const ls_Addr *group, const ls_Addr *source) {
    refuse_foreign_groups(fd, group->u.sa.sa_family);
    return change(fd, JOIN, group, source);
}

int ls_mcast_leave(int fd, const ls_Addr *group, const ls_Addr *source) { return change(fd, LEAVE, group, source); }

/* ---- mcast in bind and connect ---- */

int ls_mcast_receive(int fd, const ls_Addr *addr) {
    int err = ls_fd_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!err) err = ls_fd_setint(fd, SOL_SOCKET, SO_BROADCAST, 1);
    return !err && ls_addr_isgroup(addr) ? ls_mcast_join(fd, addr, NULL) : err;
}

#if LS_HAVE_IP_MREQN
typedef struct ip_mreqn Ipv4Interface;

static int ipv4_interface(unsigned index, Ipv4Interface *choice) {
    memset(choice, 0, sizeof *choice);
    choice->imr_ifindex = (int)index;
    return 0;
}
#define INTERFACE_OF(choice) (choice)
#else
typedef struct ip_mreq Ipv4Interface;

/* Without ip_mreqn an interface is named by its first IPv4 address. */
static int ipv4_interface(unsigned index, Ipv4Interface *choice) {
    memset(choice, 0, sizeof *choice);
    return index ? ls_iface_address(index, &choice->imr_interface) : 0;
}
#define INTERFACE_OF(choice) (choice).imr_interface
#endif

/* ---- sending ---- */

int ls_mcast_setoctet(int fd, int option, int value) {
    unsigned char octet = (unsigned char)value; /* OpenBSD takes no int here */
    return ls_fd_setopt(fd, IPPROTO_IP, option, &octet, sizeof octet);
}

static int leave_by_ipv4(int fd, unsigned index) {
    Ipv4Interface choice;
    int err = ipv4_interface(index, &choice);
#if LS_HAVE_IP_MREQN
    /* Asked for it, the kernel tells the address alone. Where there is none, the index does. */
    if (index) err = ls_iface_address(index, &choice.imr_address);
    if (err == EADDRNOTAVAIL) err = 0;
#endif
    if (err) return err;
    return ls_fd_setopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &INTERFACE_OF(choice), sizeof INTERFACE_OF(choice));
}

int ls_mcast_setinterface(int fd, int family, unsigned index) {
    int err;
    if (family != AF_INET6) return leave_by_ipv4(fd, index);
    err = ls_fd_setopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
    if (!err) leave_by_ipv4(fd, index); /* many systems refuse it */
    return err;
}

int ls_mcast_getinterface(int fd, int family, unsigned *index) {
    struct in_addr address;
    size_t size = family == AF_INET6 ? sizeof *index : sizeof address;
    int err;
    *index = 0;
    if (family == AF_INET6) return ls_fd_getopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, &size);
    err = ls_fd_getopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size);
    if (err || address.s_addr == INADDR_ANY) return err;
    err = ls_iface_having(&address, index);
    return err == EADDRNOTAVAIL ? 0 : err; /* it has lost the address since */
}

/* ---- mcast in connect ---- */

static int send_ipv4(int fd, unsigned index, int ttl) {
    int err = ls_mcast_setoctet(fd, IP_MULTICAST_TTL, ttl);
    return err || index == 0 ? err : leave_by_ipv4(fd, index);
}

static int send_ipv6(int fd, unsigned index, int ttl) {
    int err = ls_fd_setint(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
    return err || index == 0 ? err : ls_fd_setopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
}

int ls_mcast_send(int fd, const ls_Addr *addr, int ttl) {
    int err = ls_fd_setint(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (err) return err;
    if (addr->u.sa.sa_family == AF_INET6) return send_ipv6(fd, addr->u.in6.sin6_scope_id, ttl);
    return send_ipv4(fd, addr->ifindex, ttl);
}
