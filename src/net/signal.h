/* Signals: told by a descriptor that becomes readable, and then one after the other, by number. Any thread may use
   this; a listener is one thread's. The program's masks of blocked signals are left as they are.

   While anybody listens to a signal, a handler of the library's own is in place of what the program had there, and
   that is not called. When the last one closes, what was there before is put back, unless somebody has put another
   handler in place meanwhile. Programs that are executed start with the default.

   A child of fork(2) has listeners of its own to the same signals, whose descriptors have the same numbers: what is
   told here is told to one process alone. */
#ifndef LS_NET_SIGNAL_H
#define LS_NET_SIGNAL_H

#include "../config.h"
#include <signal.h>

typedef struct ls_Signals ls_Signals;

/* Listens to every signal of the set. 0 or an errno; EINVAL: one that no handler can have is in it. */
int ls_signal_open(const sigset_t *set, ls_Signals **signals);

/* One that has come; 0: there is none. All take turns. */
int ls_signal_waiting(const ls_Signals *signals);

/* Takes it: it waits no more, unless it comes again. 0: it was taken already. */
int ls_signal_take(ls_Signals *signals, int number);

/* Readable while there is something to tell. */
int ls_signal_getfd(const ls_Signals *signals);

/* What was not told is lost. */
void ls_signal_close(ls_Signals *signals);

#endif
