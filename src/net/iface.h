/* This machine, its interfaces by what people call them, and its own name. */
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

/* A hardware address as "02:fc:.." with a NUL behind it, its first 32 bytes at most. Answers how long that is; 0: there
   is none, or it is all zeros, as loopback's is. */
enum { LS_IFACE_HARDWARE = 32, LS_IFACE_TEXT = 3 * LS_IFACE_HARDWARE };
size_t ls_iface_hardware(const unsigned char *bytes, size_t len, char text[LS_IFACE_TEXT]);

/* What this machine calls itself, which need not be a name that others know. 0 or an errno. */
enum { LS_IFACE_HOST = 256 }; /* with the NUL */
int ls_iface_hostname(char name[LS_IFACE_HOST]);

#endif
