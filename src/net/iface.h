/* The interfaces of this machine, by what people call them. */
#ifndef LS_NET_IFACE_H
#define LS_NET_IFACE_H

#include "addr.h"

/* The index of the interface that text names, or whose numeric address it is. 0; ENODEV: there is no such interface;
   EADDRNOTAVAIL: no interface has that address; or what kept the list from us. */
int ls_iface_find(const char *text, size_t len, unsigned *index);

/* The first IPv4 address of that interface. EADDRNOTAVAIL: it has none. */
int ls_iface_address(unsigned index, struct in_addr *address);

/* The index of the interface that has this IPv4 address. EADDRNOTAVAIL: none has. */
int ls_iface_having(const struct in_addr *address, unsigned *index);

#endif
