/* Text <-> socket address: numeric IPv4 and IPv6 with zones, unix paths, abstract names. Names: see gai.h. */
#ifndef LS_NET_ADDR_H
#define LS_NET_ADDR_H

#include "../config.h"
#include <net/if.h>
#include <netdb.h>
#include <stddef.h>
#include <sys/un.h>

typedef struct ls_Addr {
    socklen_t len;     /* bytes in use of the union; 0: no address (an unnamed peer may have one of these) */
    unsigned ifindex;  /* the zone of an IPv4 group; sockaddr_in has no room for it */
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
} ls_Addr;

/* What getaddrinfo answers (EAI_NONAME, ...) travels beside errno in one int, above every errno. */
#define LS_EAI(code) (0x10000 + ((code) < 0 ? -(code) : (code)))
#define LS_ISEAI(err) ((err) >= 0x10000)
#define LS_EAI_CODE(err) ((EAI_NONAME < 0 ? -1 : 1) * ((err) - 0x10000))

/* Room for the text of any address: a unix path or abstract name, or IPv6 with its zone. */
enum { LS_ADDR_TEXT = sizeof(struct sockaddr_un) + INET6_ADDRSTRLEN + IF_NAMESIZE + 2 };

/* What ls_addr_parse answers for a text that is a host name. */
enum { LS_ADDR_NAME = -1 };

/* Reads text (len bytes, NULs allowed in abstract names only) as, in this order: "@name", a path (any '/'), a numeric
   address (brackets and %zone allowed). Answers 0, LS_ADDR_NAME where only a resolver can tell, or an error:
   ENAMETOOLONG (does not fit sun_path, or no host name is that long), EAFNOSUPPORT (no abstract names here),
   ENODEV (no such zone), LS_EAI(EAI_NONAME) (nothing that a name server may be asked). */
int ls_addr_parse(const char *text, size_t len, unsigned port, ls_Addr *addr);

/* The same for who looks no names up: a host name is LS_EAI(EAI_NONAME), too. */
int ls_addr_numeric(const char *text, size_t len, unsigned port, ls_Addr *addr);

/* Every address of a family (AF_INET, AF_INET6), with a port. */
void ls_addr_any(ls_Addr *addr, int family, unsigned port);

/* Is it a unix path or abstract name, which takes no port? */
int ls_addr_isunix(const char *text, size_t len);

/* Is it an abstract name of no bytes ("@")? */
int ls_addr_isblank(const ls_Addr *addr);

/* The bytes of an internet address in network order, without port and zone: how many, 0 where it is none. */
enum { LS_ADDR_BYTES = 16 };
size_t ls_addr_bytes(const ls_Addr *addr, unsigned char bytes[LS_ADDR_BYTES]);

/* Back, from 4 or 16 bytes; EINVAL: other than that. */
int ls_addr_frombytes(ls_Addr *addr, const void *bytes, size_t len);

/* Copies an internet sockaddr; a netmask may be cut short and without its family (BSD), so the family is given. */
void ls_addr_copy(ls_Addr *addr, const struct sockaddr *sa, int family);

/* Writes the address without port into text; a path or abstract name may hold NULs, so the length is the answer: 0 for
   an unnamed one, and for a family that is not ours.
   zone: append %zone to an IPv6 address that has one. */
size_t ls_addr_format(const ls_Addr *addr, int zone, char text[LS_ADDR_TEXT]);

/* AF_UNIX for an address without a family, too: an unnamed peer. */
int ls_addr_family(const ls_Addr *addr);
int ls_addr_isinternet(const ls_Addr *addr);
unsigned ls_addr_port(const ls_Addr *addr);
void ls_addr_setport(ls_Addr *addr, unsigned port);

/* Makes the address one that a socket of this family can send to: IPv4 becomes ::ffff:a.b.c.d for an IPv6 socket.
   0, EAFNOSUPPORT, or EINVAL for an IPv4 group with a zone. */
int ls_addr_suit(ls_Addr *addr, int family);

/* Has it a zone that its sockaddr cannot hold (an IPv4 group's)? Only multicast sockets can do what it asks. */
int ls_addr_haslostzone(const ls_Addr *addr);

/* Is it a multicast group (224.0.0.0/4, ff00::/8)? */
int ls_addr_isgroup(const ls_Addr *addr);

int ls_addr_equal(const ls_Addr *a, const ls_Addr *b);

#endif
