/* Host names -> addresses and back, with getaddrinfo(3) and getnameinfo(3). Blocks the calling thread while the
   system's resolver works. */
#ifndef LS_NET_GAI_H
#define LS_NET_GAI_H

#include "addr.h"

/* The addresses of a name that ls_addr_parse leaves to a resolver; freeaddrinfo is the caller's duty.
   family: AF_UNSPEC for any. canonical: the first one's ai_canonname is to tell what the name stands for.
   0, an errno or LS_EAI(code). */
int ls_gai_lookup(const char *name, size_t len, int family, int canonical, struct addrinfo **list);

/* The name of an internet address. 0, an errno or LS_EAI(code). */
int ls_gai_reverse(const ls_Addr *addr, char name[NI_MAXHOST]);

/* Calls try with each address that text means (numeric, unix or by look-up), in the system's order, until one answers
   0. Answers 0, or the last error. */
typedef int ls_TryAddr(void *context, const ls_Addr *addr);
int ls_gai_try(const char *text, size_t len, unsigned port, int family, ls_TryAddr *try, void *context);

/* The same with the addresses that a socket of this family can take, made so: an IPv6 socket reaches those that have
   IPv4 alone, too. */
int ls_gai_reach(const char *text, size_t len, unsigned port, int family, ls_TryAddr *try, void *context);

#endif
