/* What a fork(2) means for things of the kernel that one process alone can use, as a set of descriptors to wait for:
   the child gets one of its own under the same number, before it runs any other code. What was in it, is left to
   whoever filled it: ls_fork_count tells that it is empty. */
#ifndef LS_NET_FORK_H
#define LS_NET_FORK_H

#include "../config.h"

/* To be the first member of what is to be renewed. renew is called in the child: it may do nothing but system calls. */
typedef struct ls_Fork {
    struct ls_Fork *previous, *next;
    void (*renew)(struct ls_Fork *self);
} ls_Fork;

/* From join to leave each fork renews it. join: 0 or an errno. Any thread may call both. */
int ls_fork_join(ls_Fork *self);
void ls_fork_leave(ls_Fork *self);

/* Keeps this library from being unloaded, as Lua does when a state closes. To be called before there are handlers of
   forks, which not every C library forgets then, or threads, which run its code. It cannot be loaded once more where it
   is part of the program itself, which nobody unloads. */
void ls_fork_stay(void);

/* Has later forks counted. 0 or an errno. */
int ls_fork_notice(void);

/* How many forks this process and those it comes from have had since; until then nobody else has what it has not given
   away. */
extern unsigned ls_fork_copies;

/* How many forks lie between this process and the first that had anything to renew. Changes in a new child alone. */
extern unsigned ls_fork_count;

#endif
