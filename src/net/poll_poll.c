/* Waiting with poll(2), which every system has: a wait costs what is registered. */
#include "poll.h"

#include "fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What was registered under a number: poll(2) itself knows the number alone. */
typedef struct Identity {
    unsigned tag;
    dev_t device;
    ino_t file;
} Identity;

typedef struct Poll {
    struct pollfd *fds;
    Identity *who;  /* of fds */
    int *places;    /* by descriptor: where it stands in fds, -1 for nowhere */
    size_t count, room, place_room;
    size_t next; /* where to begin to look, so that everybody has a turn where more are ready than the caller takes */
} Poll;

static int poll_backend_open(void **self) {
    *self = calloc(1, sizeof(Poll));
    return *self ? 0 : ENOMEM;
}

/* A fork has copied it. */
static int poll_backend_reopen(void *self) {
    (void)self;
    return 0;
}

static void poll_backend_close(void *self) {
    Poll *poll = self;
    free(poll->fds);
    free(poll->who);
    free(poll->places);
    free(poll);
}

/* Where there is no memory, what is registered stays as it was. */
static int make_room(Poll *poll, int fd) {
    size_t room = poll->room ? 2 * poll->room : 16, places = poll->place_room ? poll->place_room : 64;
    if (poll->count == poll->room) {
        struct pollfd *fds = realloc(poll->fds, room * sizeof *fds);
        Identity *who = realloc(poll->who, room * sizeof *who);
        if (fds) poll->fds = fds;
        if (who) poll->who = who;
        if (!fds || !who) return ENOMEM;
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
    poll->who[place] = poll->who[poll->count];
    poll->places[poll->fds[place].fd] = (int)place;
}

static int place_of(const Poll *poll, int fd) {
    return (size_t)fd < poll->place_room ? poll->places[fd] : -1;
}

static int identify(int fd, unsigned tag, Identity *who) {
    struct stat info;
    if (fstat(fd, &info) < 0) return errno;
    who->tag = tag;
    who->device = info.st_dev;
    who->file = info.st_ino;
    return 0;
}

static int poll_backend_set(void *self, int fd, unsigned tag, int before, int after) {
    Poll *poll = self;
    int place = place_of(poll, fd), err;
    Identity who = { 0 };
    (void)before;
    if (!after) {
        if (place >= 0) take_out(poll, (size_t)place);
        return 0;
    }
    err = identify(fd, tag, &who);
    if (!err && place < 0) err = make_room(poll, fd);
    if (err) return err;
    if (place < 0) place = poll->places[fd] = (int)poll->count++;
    poll->fds[place].fd = fd;
    poll->fds[place].events = (short)((after & LS_POLL_READ ? POLLIN : 0) | (after & LS_POLL_WRITE ? POLLOUT : 0));
    poll->fds[place].revents = 0;
    poll->who[place] = who;
    return 0;
}

static int poll_backend_check(void *self, int fd, unsigned tag, int after) {
    Poll *poll = self;
    int place = place_of(poll, fd), err;
    Identity now = { 0 };
    (void)after;
    if (place < 0) return ENOENT;
    err = identify(fd, tag, &now);
    if (!err && (now.device != poll->who[place].device || now.file != poll->who[place].file)) err = ENOENT;
    if (err) take_out(poll, (size_t)place);
    return err;
}

static void report(const Poll *poll, size_t place, ls_Event *event) {
    int set = poll->fds[place].revents;
    int failed = set & (POLLERR | POLLHUP) ? LS_POLL_READ | LS_POLL_WRITE : 0;
    event->fd = poll->fds[place].fd;
    event->tag = poll->who[place].tag;
    event->events = failed | (set & POLLIN ? LS_POLL_READ : 0) | (set & POLLOUT ? LS_POLL_WRITE : 0);
}

static int poll_backend_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    Poll *poll = self;
    int ready, err = ls_fd_poll(poll->fds, poll->count, seconds, &ready);
    size_t seen;
    if (err) return err;
    *n = 0;
    for (seen = 0; ready > 0 && *n < room && seen < poll->count; seen++) {
        size_t place = poll->next < poll->count ? poll->next : 0;
        poll->next = place + 1;
        if (!poll->fds[place].revents) continue;
        ready--;
        report(poll, place, &events[(*n)++]); /* nothing in it: POLLNVAL, it is closed */
    }
    return 0;
}

static int poll_backend_getfd(void *self) {
    (void)self;
    return -1;
}

const ls_Backend ls_poll_poll = {
    "poll",           LS_POLL_FOREIGN,    poll_backend_open, poll_backend_close, poll_backend_reopen,
    poll_backend_set, poll_backend_check, poll_backend_wait, poll_backend_getfd, NULL,
};
