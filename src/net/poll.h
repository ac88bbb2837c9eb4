/* What every way of waiting for many descriptors looks like: one const table of functions for each kernel facility.
   Functions answer 0 or an errno. self is the backend's own memory; a backend serves one thread.
   After a fork (see fork.h) the child's set is empty: whoever knows what was in it calls reopen, then set for each. */
#ifndef LS_NET_POLL_H
#define LS_NET_POLL_H

#include "../config.h"
#include <stddef.h>

enum {
    LS_POLL_READ = 1,
    LS_POLL_WRITE = 2,
    LS_POLL_FOREIGN = 4 /* to set, beside them: somebody else may close the descriptor; see guards */
};

/* A descriptor that became ready. A failure or a hang-up is both, read and write; mask it with what was asked for. */
typedef struct ls_Event {
    int fd;
    unsigned tag; /* what set was given for it: tells a registration from an earlier one of the same number */
    int events;   /* LS_POLL_READ, LS_POLL_WRITE; 0: it seems to have been closed, check tells */
} ls_Event;

typedef struct ls_Backend {
    const char *name;

    /* LS_POLL_FOREIGN: events may come of a descriptor that was closed while a copy of it lives, in this process or in
       another one. So a foreign one must be checked after each event, and may be silent before. 0: the kernel sees to
       it. */
    int guards;

    int (*open)(void **self);
    void (*close)(void *self);

    /* Makes the set of a child where the fork itself could not. Harmless where there is one. */
    int (*reopen)(void *self);

    /* From what was asked about the descriptor (0: nothing) to what is (0: nothing more); where it fails, nothing has
       changed. A descriptor that has been closed in between, and maybe opened anew, is no error. */
    int (*set)(void *self, int fd, unsigned tag, int before, int after);

    /* Is what was set under this number there still? EBADF, ENOENT: it has been closed, or the number is another one's
       now. The same arguments as those of set; after is not 0. */
    int (*check)(void *self, int fd, unsigned tag, int after);

    /* Up to room events, *n of them; 0 when the time (in seconds; negative: for ever) is over. EINTR ends it. */
    int (*wait)(void *self, double seconds, ls_Event *events, size_t room, size_t *n);

    /* A descriptor that is readable while an event waits, the same number in a child; -1 where there is none. */
    int (*getfd)(void *self);

    /* Does a wait, or one that comes, end by that time of ls_fd_now without being told? It may end earlier, once. So a
       time that is far off costs the waits before it nothing. 0: no, or it is not far off. NULL: never. */
    int (*alarm)(void *self, double when);
} ls_Backend;

#if LS_HAVE_EPOLL
extern const ls_Backend ls_poll_epoll;
#endif
#if LS_HAVE_KQUEUE
extern const ls_Backend ls_poll_kqueue;
#endif
#if LS_HAVE_AFD
extern const ls_Backend ls_poll_afd;
#endif
extern const ls_Backend ls_poll_poll;

/* Those that this platform has, the best one first; NULL ends them. */
extern const ls_Backend *const ls_poll_backends[];

#endif
