/* Waiting for sockets with layers: what a layer holds is reported beside what the kernel has, and what it has to send
   leaves while the program waits. */
#include "poller_layers.h"

#include "net/fd.h"

#include <errno.h>

/* In an entry's events, within a wait: a layer holds what is asked about. */
enum { HELD = 8 };

/* Is it asked about whether this one can be read? */
static int is_asked(const ls_PollerSet *set, const ls_Layer *layer) {
    return ls_poller_has(set, layer->fd) && set->entries[layer->fd].events & LS_POLL_READ;
}

/* Marks the entries of which the layers hold something; answers how many there are. */
static size_t mark_held(ls_PollerSet *set) {
    const ls_Layer *layer;
    size_t count = 0;
    for (layer = ls_layer_firstready(set->rings); layer; layer = ls_layer_nextready(layer)) {
        if (!is_asked(set, layer)) continue;
        set->entries[layer->fd].events |= HELD;
        count++;
    }
    return count;
}

/* Takes the mark away; was it there? */
static int unmark(ls_PollerSet *set, int fd) {
    ls_PollerEntry *entry = &set->entries[fd];
    int held = (entry->events & HELD) != 0;
    entry->events &= ~(unsigned)HELD;
    return held;
}

/* What the kernel has reported can be read, too, if it is held. */
static void add_to_reported(ls_PollerSet *set, ls_Event *events, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        int fd = events[i].fd;
        if (!ls_poller_has(set, fd) || set->entries[fd].tag != events[i].tag) continue;
        if (unmark(set, fd)) events[i].events |= LS_POLL_READ;
    }
}

/* Adds events for the others, as far as there is room. Those that were told go to the end of the ring, so that each has
   its turn. */
static void add_held(ls_PollerSet *set, ls_Event *events, size_t room, size_t *count) {
    size_t left = set->rings->busy; /* at least as many as are ready */
    ls_Layer *layer = ls_layer_firstready(set->rings), *next;
    for (; layer && left > 0; layer = next, left--) {
        int fd = layer->fd;
        next = ls_layer_nextready(layer);
        if (!ls_poller_has(set, fd) || !unmark(set, fd) || *count >= room) continue;
        events[*count].fd = fd;
        events[*count].tag = set->entries[fd].tag;
        events[(*count)++].events = LS_POLL_READ;
        ls_layer_requeue(layer);
    }
}

void ls_poller_lend(ls_PollerSet *set) {
    ls_Layer *layer;
    for (layer = ls_layer_firstunsent(set->rings); layer; layer = ls_layer_nextunsent(layer)) {
        const ls_PollerEntry *entry = ls_poller_has(set, layer->fd) ? &set->entries[layer->fd] : NULL;
        int before = entry ? (int)entry->events : LS_POLL_WRITE;
        if (before & (LS_POLL_WRITE | LS_POLL_FOREIGN)) continue;
        layer->lent = set->backend->set(set->self, layer->fd, entry->tag, before, before | LS_POLL_WRITE) == 0;
    }
}

void ls_poller_takeback(ls_PollerSet *set) {
    ls_Layer *layer;
    for (layer = ls_layer_firstunsent(set->rings); layer; layer = ls_layer_nextunsent(layer)) {
        const ls_PollerEntry *entry = layer->lent ? &set->entries[layer->fd] : NULL;
        int events = entry ? (int)entry->events : 0;
        if (entry) set->backend->set(set->self, layer->fd, entry->tag, events | LS_POLL_WRITE, events);
        layer->lent = 0;
    }
}

/* Drops the events that only this was asked for; were there any? */
static int drop_lent(const ls_PollerSet *set, ls_Event *events, size_t *count) {
    size_t i, kept = 0, all = *count;
    for (i = 0; i < all; i++) {
        int fd = events[i].fd;
        unsigned wanted = ls_poller_has(set, fd) ? set->entries[fd].events : LS_POLL_WRITE;
        if (events[i].events == LS_POLL_WRITE && !(wanted & (LS_POLL_WRITE | LS_POLL_FOREIGN))) continue;
        events[kept++] = events[i];
    }
    *count = kept;
    return kept < all;
}

/* Waits for the kernel, which is asked for that room, too. *dropped: has it reported any, and nothing else? */
static int wait_lent(ls_PollerSet *set, double timeout, ls_Event *events, size_t room, size_t *count, int *dropped) {
    int err;
    ls_poller_lend(set);
    err = set->backend->wait(set->self, timeout, events, room, count);
    ls_poller_takeback(set);
    *dropped = !err && drop_lent(set, events, count) && *count == 0;
    return err;
}

/* Adds what layers hold to what the kernel has reported. A signal is not told before that; another failure is. */
static int report_held(ls_PollerSet *set, int err, ls_Event *events, size_t room, size_t *count) {
    if (err) *count = err == EINTR ? 0 : room;
    else add_to_reported(set, events, *count);
    add_held(set, events, room, count);
    return err == EINTR ? 0 : err;
}

int ls_poller_holds(const ls_PollerSet *set) {
    const ls_Layer *layer = ls_layer_firstready(set->rings);
    while (layer && !is_asked(set, layer)) layer = ls_layer_nextready(layer);
    return layer != NULL;
}

int ls_poller_wait(ls_PollerSet *set, double timeout, ls_Event *events, size_t room, size_t *count) {
    double until = timeout > 0 ? ls_fd_now() + timeout : 0;
    int err, dropped = 0;
    do {
        ls_layer_flushall(set->rings);
        if (mark_held(set) > 0) {
            err = set->backend->wait(set->self, 0, events, room / 2, count);
            return report_held(set, err, events, room, count);
        }
        err = wait_lent(set, timeout, events, room, count, &dropped);
        if (timeout > 0) timeout = until > ls_fd_now() ? until - ls_fd_now() : 0;
    } while (dropped && timeout != 0);
    return err;
}
