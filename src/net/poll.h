/* What every way of waiting for many descriptors looks like: one const table of functions for each kernel facility.
   Functions answer 0 or an errno. self is the backend's own memory; a backend serves one thread. */
#ifndef LS_NET_POLL_H
#define LS_NET_POLL_H

#include "../config.h"
#include <stddef.h>

enum { LS_POLL_READ = 1, LS_POLL_WRITE = 2 };

/* A descriptor that became ready. A failure or a hang-up is both, read and write; mask it with what was asked for. */
typedef struct ls_Event {
    int fd;
    unsigned tag; /* what set was given for it: tells a registration from an earlier one of the same number */
    int events;   /* LS_POLL_... */
} ls_Event;

typedef struct ls_Backend {
    const char *name;
    int (*open)(void **self);
    void (*close)(void *self);

    /* From what was asked about the descriptor (0: nothing) to what is (0: nothing more). A descriptor that has been
       closed in between, and maybe opened anew, is no error. */
    int (*set)(void *self, int fd, unsigned tag, int before, int after);

    /* Up to room events, *n of them; 0 when the time (in seconds; negative: for ever) is over. EINTR ends it. */
    int (*wait)(void *self, double seconds, ls_Event *events, size_t room, size_t *n);

    /* A descriptor that is readable while an event waits; -1 where there is none. */
    int (*getfd)(void *self);
} ls_Backend;

#if LS_HAVE_EPOLL
extern const ls_Backend ls_poll_epoll;
#endif
#if LS_HAVE_KQUEUE
extern const ls_Backend ls_poll_kqueue;
#endif
extern const ls_Backend ls_poll_poll;

/* Those that this platform has, the best one first; NULL ends them. */
extern const ls_Backend *const ls_poll_backends[];

#endif
