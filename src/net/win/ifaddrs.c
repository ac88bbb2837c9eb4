/* getifaddrs(3) by GetAdaptersAddresses: an item for each address of an interface, and one for its hardware address. */
#include "posix/ifaddrs.h"

#include "posix/net/if_dl.h"

#include <stdlib.h>
#include <string.h>

typedef union Place {
    struct sockaddr sa;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    struct sockaddr_dl link;
} Place;

typedef struct Item {
    struct ifaddrs public; /* the first member */
    char name[IF_NAMESIZE];
    Place address, mask, broadcast;
} Item;

void freeifaddrs(struct ifaddrs *list) {
    while (list) {
        struct ifaddrs *next = list->ifa_next;
        free(list);
        list = next;
    }
}

/* What Windows tells of its adapters, to be freed; NULL: code tells why not. */
static IP_ADAPTER_ADDRESSES *adapters(ULONG *code) {
    const ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    ULONG size = 16384;
    IP_ADAPTER_ADDRESSES *list = NULL;
    int tries = 8; /* there may be more each time */
    do {
        free(list);
        list = malloc(size);
        *code = list ? GetAdaptersAddresses(AF_UNSPEC, flags, NULL, list, &size) : ERROR_NOT_ENOUGH_MEMORY;
    } while (*code == ERROR_BUFFER_OVERFLOW && --tries > 0);
    if (*code == 0) return list;
    free(list);
    return NULL;
}

static unsigned flags_of(const IP_ADAPTER_ADDRESSES *adapter) {
    unsigned flags = adapter->OperStatus == IfOperStatusUp ? IFF_UP | IFF_RUNNING : 0;
    if (!(adapter->Flags & IP_ADAPTER_NO_MULTICAST)) flags |= IFF_MULTICAST;
    if (adapter->IfType == IF_TYPE_SOFTWARE_LOOPBACK) return flags | IFF_LOOPBACK;
    if (adapter->IfType == IF_TYPE_PPP || adapter->IfType == IF_TYPE_TUNNEL) return flags | IFF_POINTOPOINT;
    return flags | IFF_BROADCAST;
}

/* An item at the end of the list; NULL: there is no memory. */
static Item *append(struct ifaddrs ***end, const IP_ADAPTER_ADDRESSES *adapter) {
    Item *item = calloc(1, sizeof *item);
    NET_IFINDEX index = adapter->IfIndex ? adapter->IfIndex : adapter->Ipv6IfIndex;
    if (!item) return NULL;
    if (!if_indextoname(index, item->name))
        memcpy(item->name, adapter->AdapterName, strnlen(adapter->AdapterName, IF_NAMESIZE - 1));
    item->public.ifa_name = item->name;
    item->public.ifa_flags = flags_of(adapter);
    item->public.ifa_addr = &item->address.sa;
    **end = &item->public;
    *end = &item->public.ifa_next;
    return item;
}

/* The first bits are ones. */
static void fill(unsigned char *bytes, size_t size, unsigned bits) {
    size_t i;
    for (i = 0; i < size; i++) {
        unsigned left = bits > 8 * i ? bits - 8 * (unsigned)i : 0;
        bytes[i] = (unsigned char)(left >= 8 ? 0xff : 0xff << (8 - left));
    }
}

static void set_mask(Item *item, unsigned bits) {
    item->mask.sa.sa_family = item->address.sa.sa_family;
    if (item->mask.sa.sa_family == AF_INET) fill((unsigned char *)&item->mask.in4.sin_addr, 4, bits);
    else fill((unsigned char *)&item->mask.in6.sin6_addr, 16, bits);
    item->public.ifa_netmask = &item->mask.sa;
}

static void set_broadcast(Item *item) {
    if (item->address.sa.sa_family != AF_INET || !(item->public.ifa_flags & IFF_BROADCAST)) return;
    item->broadcast.in4.sin_family = AF_INET;
    item->broadcast.in4.sin_addr.s_addr = item->address.in4.sin_addr.s_addr | ~item->mask.in4.sin_addr.s_addr;
    item->public.ifa_broadaddr = &item->broadcast.sa;
}

static int add_address(struct ifaddrs ***end, const IP_ADAPTER_ADDRESSES *adapter,
                       const IP_ADAPTER_UNICAST_ADDRESS *unicast) {
    Item *item = append(end, adapter);
    if (!item) return ENOMEM;
    memcpy(&item->address, unicast->Address.lpSockaddr,
           unicast->Address.lpSockaddr->sa_family == AF_INET ? sizeof item->address.in4 : sizeof item->address.in6);
    set_mask(item, unicast->OnLinkPrefixLength);
    set_broadcast(item);
    return 0;
}

static int add_hardware(struct ifaddrs ***end, const IP_ADAPTER_ADDRESSES *adapter) {
    Item *item = append(end, adapter);
    size_t len = adapter->PhysicalAddressLength;
    if (!item) return ENOMEM;
    item->address.link.sdl_family = AF_LINK;
    item->address.link.sdl_alen = (unsigned char)(len < sizeof item->address.link.sdl_data ? len : 0);
    memcpy(item->address.link.sdl_data, adapter->PhysicalAddress, item->address.link.sdl_alen);
    return 0;
}

static int add_adapter(struct ifaddrs ***end, const IP_ADAPTER_ADDRESSES *adapter) {
    const IP_ADAPTER_UNICAST_ADDRESS *unicast = adapter->FirstUnicastAddress;
    int err = add_hardware(end, adapter);
    for (; unicast && !err; unicast = unicast->Next) err = add_address(end, adapter, unicast);
    return err;
}

int getifaddrs(struct ifaddrs **list) {
    struct ifaddrs **end = list;
    ULONG code = 0;
    IP_ADAPTER_ADDRESSES *all, *adapter;
    int err = ls_win_start();
    *list = NULL;
    all = err ? NULL : adapters(&code);
    if (!err) err = code == ERROR_NO_DATA ? 0 : ls_win_errno(code);
    for (adapter = all; adapter && !err; adapter = adapter->Next) err = add_adapter(&end, adapter);
    free(all);
    if (!err) return 0;
    freeifaddrs(*list);
    errno = err;
    return -1;
}
