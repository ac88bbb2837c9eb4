/* What a poller has registered, and waiting for it where sockets have layers, which hold or have to send something that
   the kernel knows nothing about. */
#ifndef LS_POLLER_LAYERS_H
#define LS_POLLER_LAYERS_H

#include "layer.h"
#include "net/poll.h"

/* What is registered for a descriptor, by its number. */
typedef struct ls_PollerEntry {
    unsigned tag;    /* another one for each registration */
    unsigned events; /* LS_POLL_...; 0: nothing is registered */
} ls_PollerEntry;

typedef struct ls_PollerSet {
    const ls_Backend *backend; /* NULL: the poller is closed */
    void *self;
    ls_PollerEntry *entries;
    size_t room;
    ls_LayerRings *rings; /* of the state */
} ls_PollerSet;

LS_HOT int ls_poller_has(const ls_PollerSet *set, int fd) {
    return fd >= 0 && (size_t)fd < set->room && set->entries[fd].events;
}

/* Does a layer hold what is asked about? */
int ls_poller_holds(const ls_PollerSet *set);

/* As the backend's wait, where there are layers that hold or have to send something. What they hold is reported, and
   the kernel does not wait then. What they have to send leaves meanwhile. */
int ls_poller_wait(ls_PollerSet *set, double timeout, ls_Event *events, size_t room, size_t *count);

/* Asks the kernel for room for what the layers of registered sockets have to send, too; and no more. */
void ls_poller_lend(ls_PollerSet *set);
void ls_poller_takeback(ls_PollerSet *set);

#endif
