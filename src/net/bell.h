/* Bells: a descriptor that becomes readable when somebody else rings it, a thread or the handler of a signal.
   eventfd(2), or a pipe. A bell is two descriptors, which may be one: to wait for, and to ring. */
#ifndef LS_NET_BELL_H
#define LS_NET_BELL_H

#include "../config.h"

/* 0 or an errno; both are -1 then. */
int ls_bell_open(int bell[2]);
void ls_bell_close(int bell[2]);

/* Both are harmless where the bell is closed. ring: a handler may call it; it changes errno. */
void ls_bell_ring(const int bell[2]);
void ls_bell_silence(const int bell[2]);

/* Another bell under the same numbers: this one is another process's, too. System calls alone. */
void ls_bell_replace(int bell[2]);

#endif
