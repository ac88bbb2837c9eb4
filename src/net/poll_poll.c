/* Waiting with poll(2), which every system has: a wait costs what is registered. */
#include "poll.h"

#include "fd.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Poll {
    struct pollfd *fds;
    unsigned *tags; /* of fds */
    int *places;    /* by descriptor: where it stands in fds, -1 for nowhere */
    size_t count, room, place_room;
    size_t next; /* where to begin to look, so that everybody has a turn where more are ready than the caller takes */
} Poll;

static int poll_backend_open(void **self) {
    *self = calloc(1, sizeof(Poll));
    return *self ? 0 : ENOMEM;
}

static void poll_backend_close(void *self) {
    Poll *poll = self;
    free(poll->fds);
    free(poll->tags);
    free(poll->places);
    free(poll);
}

/* Where there is no memory, what is registered stays as it was. */
static int make_room(Poll *poll, int fd) {
    size_t room = poll->room ? 2 * poll->room : 16, places = poll->place_room ? poll->place_room : 64;
    if (poll->count == poll->room) {
        struct pollfd *fds = realloc(poll->fds, room * sizeof *fds);
        unsigned *tags = realloc(poll->tags, room * sizeof *tags);
        if (fds) poll->fds = fds;
        if (tags) poll->tags = tags;
        if (!fds || !tags) return ENOMEM;
        poll->room = room;
    }
    if ((size_t)fd >= poll->place_room) {
        int *grown;
        while (places <= (size_t)fd) places *= 2;
        grown = realloc(poll->places, places * sizeof *grown);
        if (!grown) return ENOMEM;
        poll->places = grown;
        while (poll->place_room < places) poll->places[poll->place_room++] = -1;
    }
    return 0;
}

static void take_out(Poll *poll, size_t place) {
    poll->places[poll->fds[place].fd] = -1;
    poll->count--;
    if (place == poll->count) return;
    poll->fds[place] = poll->fds[poll->count];
    poll->tags[place] = poll->tags[poll->count];
    poll->places[poll->fds[place].fd] = (int)place;
}

static int poll_backend_set(void *self, int fd, unsigned tag, int before, int after) {
    Poll *poll = self;
    int place = (size_t)fd < poll->place_room ? poll->places[fd] : -1;
    (void)before;
    if (!after) {
        if (place >= 0) take_out(poll, (size_t)place);
        return 0;
    }
    if (place < 0) {
        int err = make_room(poll, fd);
        if (err) return err;
        place = poll->places[fd] = (int)poll->count++;
    }
    poll->fds[place].fd = fd;
    poll->fds[place].events = (short)((after & LS_POLL_READ ? POLLIN : 0) | (after & LS_POLL_WRITE ? POLLOUT : 0));
    poll->fds[place].revents = 0;
    poll->tags[place] = tag;
    return 0;
}

static void report(const Poll *poll, size_t place, ls_Event *event) {
    int set = poll->fds[place].revents;
    int failed = set & (POLLERR | POLLHUP) ? LS_POLL_READ | LS_POLL_WRITE : 0;
    event->fd = poll->fds[place].fd;
    event->tag = poll->tags[place];
    event->events = failed | (set & POLLIN ? LS_POLL_READ : 0) | (set & POLLOUT ? LS_POLL_WRITE : 0);
}

static int poll_backend_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    Poll *poll = self;
    int ready, err = ls_fd_poll(poll->fds, poll->count, seconds, &ready);
    size_t seen = 0;
    if (err) return err;
    *n = 0;
    while (ready > 0 && *n < room && seen < poll->count) {
        size_t place = poll->next < poll->count ? poll->next : 0;
        int set = poll->fds[place].revents;
        poll->next = place + 1;
        if (set) ready--;
        if (set & POLLNVAL) { /* closed: it leaves, and what takes its place is looked at next */
            take_out(poll, place);
            poll->next = place;
            continue;
        }
        if (set) report(poll, place, &events[(*n)++]);
        seen++;
    }
    return 0;
}

static int poll_backend_getfd(void *self) {
    (void)self;
    return -1;
}

const ls_Backend ls_poll_poll = { "poll",           poll_backend_open, poll_backend_close,
                                  poll_backend_set, poll_backend_wait, poll_backend_getfd };
