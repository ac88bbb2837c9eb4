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

static int set(int fd, int level, int option, const void *value, size_t size) {
    return setsockopt(fd, level, option, value, (socklen_t)size) < 0 ? errno : 0;
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

/* Linux hands a socket what any other socket of the machine has joined on any interface, unless told not to. For IPv6
   there is no such choice: what comes to a group that is joined at all is received from every interface. */
static void refuse_foreign_groups(int fd) {
#ifdef IP_MULTICAST_ALL
    ls_fd_setint(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
#else
    (void)fd;
#endif
}

static int join(int fd, const ls_Addr *group) {
    if (group->u.sa.sa_family == AF_INET) {
        Ipv4Interface request;
        int err = ipv4_interface(group->ifindex, &request);
        request.imr_multiaddr = group->u.in4.sin_addr;
        refuse_foreign_groups(fd);
        return err ? err : set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
    } else {
        struct ipv6_mreq request;
        memset(&request, 0, sizeof request);
        request.ipv6mr_multiaddr = group->u.in6.sin6_addr;
        request.ipv6mr_interface = group->u.in6.sin6_scope_id;
        return set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
    }
}

int ls_mcast_receive(int fd, const ls_Addr *addr) {
    int err = ls_fd_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!err) err = ls_fd_setint(fd, SOL_SOCKET, SO_BROADCAST, 1);
    return !err && ls_addr_isgroup(addr) ? join(fd, addr) : err;
}

/* ---- sending ---- */

int ls_mcast_setoctet(int fd, int option, int value) {
    unsigned char octet = (unsigned char)value; /* OpenBSD takes no int here */
    return set(fd, IPPROTO_IP, option, &octet, sizeof octet);
}

static int leave_by_ipv4(int fd, unsigned index) {
    Ipv4Interface choice;
    int err = ipv4_interface(index, &choice);
#if LS_HAVE_IP_MREQN
    /* Asked for it, the kernel tells the address alone. Where there is none, the index does. */
    if (index) ls_iface_address(index, &choice.imr_address);
#endif
    return err ? err : set(fd, IPPROTO_IP, IP_MULTICAST_IF, &INTERFACE_OF(choice), sizeof INTERFACE_OF(choice));
}

int ls_mcast_setinterface(int fd, int family, unsigned index) {
    int err;
    if (family != AF_INET6) return leave_by_ipv4(fd, index);
    err = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
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
    if (!err && address.s_addr != INADDR_ANY) ls_iface_having(&address, index); /* it may have lost the address */
    return err;
}

/* ---- mcast in connect ---- */

static int send_ipv4(int fd, unsigned index, int ttl) {
    int err = ls_mcast_setoctet(fd, IP_MULTICAST_TTL, ttl);
    return err || index == 0 ? err : leave_by_ipv4(fd, index);
}

static int send_ipv6(int fd, unsigned index, int ttl) {
    int err = ls_fd_setint(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
    return err || index == 0 ? err : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
}

int ls_mcast_send(int fd, const ls_Addr *addr, int ttl) {
    int err = ls_fd_setint(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (err) return err;
    if (addr->u.sa.sa_family == AF_INET6) return send_ipv6(fd, addr->u.in6.sin6_scope_id, ttl);
    return send_ipv4(fd, addr->ifindex, ttl);
}
