/* Multicast and broadcast. Each function answers 0 or an errno. */
#ifndef LS_NET_MCAST_H
#define LS_NET_MCAST_H

#include "addr.h"

/* Gives an IPv6 group of interface or link scope (ff01::, ff02::) that has no zone the first interface that is up,
   multicast-capable, not loopback, and has an IPv6 address; without one such, leaves the choice to the kernel. */
void ls_mcast_choose(ls_Addr *group);

/* Joins or leaves a group on the interface of its ifindex (0: the system's choice), for all senders or, where source is
   not NULL, for that one. A socket that has joined receives no group that others of this machine have joined. */
int ls_mcast_join(int fd, const ls_Addr *group, const ls_Addr *source);
int ls_mcast_leave(int fd, const ls_Addr *group, const ls_Addr *source);

/* Makes fd a receiver at addr: shares the port, may receive broadcasts, joins where addr is a group. Before bind. */
int ls_mcast_receive(int fd, const ls_Addr *addr);

/* Makes fd a sender to addr: may broadcast, packets live for ttl hops and leave by the zone of addr. Before connect. */
int ls_mcast_send(int fd, const ls_Addr *addr, int ttl);

/* The interface that packets to groups leave by, of a socket of that family; 0: the system's choice. An IPv6 socket is
   told for IPv4, too, which it may speak. Of an IPv4 socket it is not known where the interface has no IPv4 address. */
int ls_mcast_setinterface(int fd, int family, unsigned index);
int ls_mcast_getinterface(int fd, int family, unsigned *index);

/* The hops that packets to groups live (IP_MULTICAST_TTL), or whether they reach this machine (IP_MULTICAST_LOOP). */
int ls_mcast_setoctet(int fd, int option, int value);

#endif
