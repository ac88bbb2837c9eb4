/* Names of hosts: what a client verifies, and what a server has certificates for. */
#ifndef LT_NAMES_H
#define LT_NAMES_H

#include <stddef.h>

enum { LT_NAMES_MOST = 255 }; /* bytes of a name, with the zero at its end */

/* Copies the name in small letters, without the dot at its end, and without the brackets and the zone of an IPv6
   address. Returns NULL, or what is wrong with it. */
const char *lt_names_host(const char *text, size_t len, char *name);

/* Is it an address, as text? */
int lt_names_isaddress(const char *name);

/* Does the name fit the pattern, which may be "*.example"? The star stands for one label. 2: without a star. */
int lt_names_match(const char *pattern, const char *name);

#endif
