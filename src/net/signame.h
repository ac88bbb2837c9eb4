/* Names of signals, as signal(7) has them but for SIG: "TERM", "RTMIN+1". */
#ifndef LS_NET_SIGNAME_H
#define LS_NET_SIGNAME_H

#include "../config.h"
#include <stddef.h>

/* The number of a name; 0: there is none. */
int ls_signame_number(const char *name, size_t len);

/* The name of a number that ls_signame_number gives: the first one, where it has several. */
enum { LS_SIGNAME_ROOM = 16 };
void ls_signame_text(int number, char text[LS_SIGNAME_ROOM]);

/* May it be listened to? Not where the system takes no handler, or repeats what has caused it when that returns. */
int ls_signame_allowed(int number);

#endif
