/* Waiting with kqueue(2) of macOS and the BSDs, level-triggered: a wait costs what became ready. */
#include "poll.h"

#if LS_HAVE_KQUEUE
#include "fd.h"
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    AT_ONCE = 256,
    LONGEST = 100000000 /* seconds: macOS up to 10.14 takes no more */
};

/* The writing end of a pipe that nobody reads any more: the kernel refuses to add what poll(2) says is ready. So it is
   kept here, and told with every wait. */
typedef struct Broken {
    int fd;
    unsigned tag;
} Broken;

typedef struct Kqueue {
    ls_Fork fork; /* the first member */
    int fd;       /* -1: a fork could not make another one */
    Broken *broken;
    size_t count, room;
    size_t next; /* of the broken ones: where to begin */
} Kqueue;

static int kqueue_backend_reopen(void *self) {
    Kqueue *queue = self;
    if (queue->fd >= 0) return 0;
    queue->fd = kqueue();
    if (queue->fd < 0) return errno;
    fcntl(queue->fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

/* The child has not inherited the queue, and its number is free, unless somebody else's handler was quick. */
static void renew(ls_Fork *fork) {
    Kqueue *queue = (void *)fork;
    int number = queue->fd;
    queue->fd = -1;
    if (kqueue_backend_reopen(queue) != 0 || number < 0 || queue->fd == number) return;
    if (fcntl(number, F_GETFD) >= 0 || dup2(queue->fd, number) < 0) return;
    fcntl(number, F_SETFD, FD_CLOEXEC);
    close(queue->fd);
    queue->fd = number;
}

static void release(Kqueue *queue) {
    if (queue->fd >= 0) close(queue->fd);
    free(queue->broken);
    free(queue);
}

static int kqueue_backend_open(void **self) {
    Kqueue *queue = calloc(1, sizeof *queue);
    int err;
    if (!queue) return ENOMEM;
    queue->fork.renew = renew;
    queue->fd = -1;
    err = kqueue_backend_reopen(queue);
    if (!err) err = ls_fork_join(&queue->fork);
    if (err) release(queue);
    else *self = queue;
    return err;
}

static void kqueue_backend_close(void *self) {
    Kqueue *queue = self;
    ls_fork_leave(&queue->fork);
    release(queue);
}

/* Reading and writing are two filters. */
static int change(const Kqueue *queue, int fd, unsigned tag, int event, unsigned short flags) {
    short filter = event == LS_POLL_READ ? EVFILT_READ : EVFILT_WRITE;
    struct kevent item;
    EV_SET(&item, (uintptr_t)fd, filter, flags, 0, 0, (void *)(uintptr_t)tag);
    return kevent(queue->fd, &item, 1, NULL, 0, NULL) < 0 ? errno : 0;
}

/* ---- broken pipes ---- */

/* Does adding it to write to fail for this reason? On NetBSD it does as if it were closed. */
static int is_broken(int fd, int err) {
    return err == EPIPE || (err == EBADF && ls_fd_isopen(fd));
}

static Broken *find_broken(const Kqueue *queue, int fd) {
    size_t i;
    for (i = 0; i < queue->count; i++)
        if (queue->broken[i].fd == fd) return &queue->broken[i];
    return NULL;
}

static void drop_broken(Kqueue *queue, int fd) {
    Broken *broken = find_broken(queue, fd);
    if (broken) *broken = queue->broken[--queue->count];
}

static int keep_broken(Kqueue *queue, int fd, unsigned tag) {
    Broken *broken = find_broken(queue, fd);
    if (!broken && queue->count == queue->room) {
        size_t room = queue->room ? 2 * queue->room : 4;
        Broken *grown = realloc(queue->broken, room * sizeof *grown);
        if (!grown) return ENOMEM;
        queue->broken = grown;
        queue->room = room;
    }
    if (!broken) broken = &queue->broken[queue->count++];
    broken->fd = fd;
    broken->tag = tag;
    return 0;
}

/* Is it a broken pipe still? ENOENT: the number is another one's now. */
static int check_broken(Kqueue *queue, const Broken *broken) {
    int fd = broken->fd, err = change(queue, fd, broken->tag, LS_POLL_WRITE, EV_ADD);
    if (is_broken(fd, err)) return 0;
    if (!err) change(queue, fd, broken->tag, LS_POLL_WRITE, EV_DELETE);
    return err ? err : ENOENT;
}

/* Tells of at most room of them. Answers how many there are in events. */
static size_t tell_broken(Kqueue *queue, ls_Event *events, size_t room) {
    size_t n = 0;
    while (n < room && n < queue->count) {
        const Broken *broken;
        if (queue->next >= queue->count) queue->next = 0;
        broken = &queue->broken[queue->next++];
        events[n].fd = broken->fd;
        events[n].tag = broken->tag;
        events[n++].events = check_broken(queue, broken) == 0 ? LS_POLL_WRITE : 0;
    }
    return n;
}

/* ---- registering ---- */

static int add(Kqueue *queue, int fd, unsigned tag, int event) {
    int err = change(queue, fd, tag, event, EV_ADD);
    if (event == LS_POLL_READ) return err;
    if (is_broken(fd, err)) return keep_broken(queue, fd, tag);
    drop_broken(queue, fd);
    return err;
}

static int take_out(Kqueue *queue, int fd, unsigned tag, int event) {
    int err = change(queue, fd, tag, event, EV_DELETE);
    if (event == LS_POLL_WRITE) drop_broken(queue, fd);
    return err == ENOENT || err == EBADF ? 0 : err;
}

/* Does it for each of the events that are in a set of them, until one fails. */
static int each(Kqueue *queue, int fd, unsigned tag, int events, int (*apply)(Kqueue *, int, unsigned, int)) {
    int err = 0;
    if (events & LS_POLL_READ) err = apply(queue, fd, tag, LS_POLL_READ);
    if (!err && (events & LS_POLL_WRITE)) err = apply(queue, fd, tag, LS_POLL_WRITE);
    return err;
}

static int kqueue_backend_set(void *self, int fd, unsigned tag, int before, int after) {
    Kqueue *queue = self;
    int err = each(queue, fd, tag, after, add);
    if (!err) return each(queue, fd, tag, before & ~after, take_out);
    each(queue, fd, tag, after & ~before, take_out); /* what there was of it already */
    return err;
}

/* Closing takes out what was registered, whatever copies there are. So all there is to ask for is that it be there. */
static int kqueue_backend_check(void *self, int fd, unsigned tag, int after) {
    Kqueue *queue = self;
    int event = after & LS_POLL_READ ? LS_POLL_READ : LS_POLL_WRITE, err;
    const Broken *broken = event == LS_POLL_WRITE ? find_broken(queue, fd) : NULL;
    if (!broken) return change(queue, fd, tag, event, EV_ENABLE);
    err = check_broken(queue, broken);
    if (err) drop_broken(queue, fd);
    return err;
}

/* ---- waiting ---- */

/* Once: *seconds is what is left after. The count, or -1. */
static int wait_once(const Kqueue *queue, double *seconds, struct kevent *ready, unsigned short room) {
    double step = *seconds < LONGEST ? *seconds : LONGEST;
    struct timespec time;
    int forever = *seconds < 0;
    time.tv_sec = forever ? 0 : (time_t)step;
    time.tv_nsec = forever ? 0 : (long)((step - (double)time.tv_sec) * 1e9);
    *seconds -= step;
    return kevent(queue->fd, NULL, 0, ready, room, forever ? NULL : &time);
}

static int kqueue_backend_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    Kqueue *queue = self;
    struct kevent ready[AT_ONCE];
    size_t told = queue->count > 0 ? tell_broken(queue, events, (room + 1) / 2) : 0;
    int i, count;
    room -= told;
    *n = told;
    if (room == 0) return 0;
    if (told > 0) seconds = 0;
    do count = wait_once(queue, &seconds, ready, (unsigned short)(room < AT_ONCE ? room : AT_ONCE));
    while (count == 0 && seconds > 0);
    if (count < 0) return errno;
    for (i = 0; i < count; i++) {
        ls_Event *event = &events[told + (size_t)i];
        event->fd = (int)ready[i].ident;
        event->tag = (unsigned)(uintptr_t)ready[i].udata;
        event->events = ready[i].filter == EVFILT_READ ? LS_POLL_READ : LS_POLL_WRITE;
    }
    *n += (size_t)count;
    return 0;
}

static int kqueue_backend_getfd(void *self) {
    const Kqueue *queue = self;
    return queue->fd;
}

const ls_Backend ls_poll_kqueue = {
    "kqueue",           0,                    kqueue_backend_open, kqueue_backend_close, kqueue_backend_reopen,
    kqueue_backend_set, kqueue_backend_check, kqueue_backend_wait, kqueue_backend_getfd, NULL,
};
#endif
