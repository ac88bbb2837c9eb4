/* getifaddrs(3), made of GetAdaptersAddresses. An interface is called what if_indextoname calls it. */
#ifndef LS_NET_WIN_IFADDRS_H
#define LS_NET_WIN_IFADDRS_H

#include "../posix.h"

#define IFF_RUNNING 0x40
#define IFF_POINTOPOINT IFF_POINTTOPOINT

struct ifaddrs {
    struct ifaddrs *ifa_next;
    char *ifa_name;
    unsigned ifa_flags;
    struct sockaddr *ifa_addr, *ifa_netmask, *ifa_dstaddr, *ifa_broadaddr;
};

int getifaddrs(struct ifaddrs **list);
void freeifaddrs(struct ifaddrs *list);

#endif
