/* Waiting with Linux's epoll(7), level-triggered: a wait costs what became ready. */
#include "poll.h"

#if LS_HAVE_EPOLL
#include "fd.h"
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { AT_ONCE = 256 };

static const uint64_t RING = UINT64_MAX; /* the data of the timer's event: descriptor -1 */
static const double FAR = 0.1;           /* seconds from which on a timer is worth a system call */

typedef struct Epoll {
    ls_Fork fork; /* the first member */
    int fd;       /* -1: a fork could not make another one */
    int timer;    /* timerfd_create(2): -1: there is none yet */
    double set;   /* when it goes off; 0: it does not */
} Epoll;

static int epoll_backend_reopen(void *self) {
    Epoll *epoll = self;
    if (epoll->fd < 0) epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll->fd < 0 ? errno : 0;
}

static void drop_timer(Epoll *epoll) {
    if (epoll->timer >= 0) close(epoll->timer);
    epoll->timer = -1;
    epoll->set = 0;
}

/* The child's descriptor is the parent's set: what one of them takes out, the other no longer hears of. */
static void renew(ls_Fork *fork) {
    Epoll *epoll = (void *)fork;
    int number = epoll->fd, fd;
    drop_timer(epoll); /* which is the parent's, too */
    if (number >= 0) close(number); /* first, so that there is room for another one */
    epoll->fd = -1;
    if (epoll_backend_reopen(epoll) != 0 || epoll->fd == number) return;
    fd = dup3(epoll->fd, number, O_CLOEXEC);
    if (fd < 0) return;
    close(epoll->fd);
    epoll->fd = fd;
}

static void epoll_backend_close(void *self) {
    Epoll *epoll = self;
    ls_fork_leave(&epoll->fork);
    drop_timer(epoll);
    if (epoll->fd >= 0) close(epoll->fd);
    free(epoll);
}

static int epoll_backend_open(void **self) {
    Epoll *epoll = malloc(sizeof *epoll);
    int err;
    if (!epoll) return ENOMEM;
    epoll->fork.renew = renew;
    epoll->fd = epoll->timer = -1;
    epoll->set = 0;
    err = epoll_backend_reopen(epoll);
    if (!err) err = ls_fork_join(&epoll->fork);
    if (!err) {
        *self = epoll;
        return 0;
    }
    if (epoll->fd >= 0) close(epoll->fd);
    free(epoll);
    return err;
}

/* The set goes on to tell of a descriptor that was closed while a copy lives, and nobody can take it out, as its number
   is gone. So what is foreign is silent when it has been told, until it is found to be there still. */
static int control(const Epoll *epoll, int operation, int fd, unsigned tag, int wanted) {
    struct epoll_event event;
    if (fd == epoll->timer) return operation == EPOLL_CTL_ADD ? EBADF : ENOENT; /* what had the number is gone */
    memset(&event, 0, sizeof event);
    event.events = (wanted & LS_POLL_READ ? EPOLLIN : 0) | (wanted & LS_POLL_WRITE ? EPOLLOUT : 0) |
                   (wanted & LS_POLL_FOREIGN ? EPOLLONESHOT : 0);
    event.data.u64 = (uint64_t)tag << 32 | (unsigned)fd;
    return epoll_ctl(epoll->fd, operation, fd, &event) < 0 ? errno : 0;
}

static int epoll_backend_set(void *self, int fd, unsigned tag, int before, int after) {
    const Epoll *epoll = self;
    int err;
    if (!after) {
        /* Closing took it out already, unless another process holds the same socket open. */
        err = control(epoll, EPOLL_CTL_DEL, fd, tag, 0);
        return err == ENOENT || err == EBADF ? 0 : err;
    }
    err = control(epoll, before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, tag, after);
    if (err == ENOENT) err = control(epoll, EPOLL_CTL_ADD, fd, tag, after);
    else if (err == EEXIST) err = control(epoll, EPOLL_CTL_MOD, fd, tag, after);
    return err;
}

/* The kernel finds a registration by the number and what it stands for now; this one is told again from now on. */
static int epoll_backend_check(void *self, int fd, unsigned tag, int after) {
    return control(self, EPOLL_CTL_MOD, fd, tag, after);
}

/* ---- the timer ---- */

static int make_timer(Epoll *epoll) {
    struct epoll_event event;
    if (epoll->timer >= 0) return 1;
    epoll->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (epoll->timer < 0) return 0;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.u64 = RING;
    if (epoll_ctl(epoll->fd, EPOLL_CTL_ADD, epoll->timer, &event) == 0) return 1;
    drop_timer(epoll);
    return 0;
}

static int set_timer(Epoll *epoll, double when) {
    struct itimerspec at;
    memset(&at, 0, sizeof at);
    at.it_value.tv_sec = (time_t)when;
    at.it_value.tv_nsec = (long)((when - (double)at.it_value.tv_sec) * 1e9);
    if (timerfd_settime(epoll->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0) return 0;
    epoll->set = when;
    return 1;
}

LS_HOT int epoll_backend_alarm(void *self, double when) {
    static const double most = INT_MAX; /* seconds, some 68 years, which a time_t always has */
    Epoll *epoll = self;
    if (LS_LIKELY(epoll->set > 0 && epoll->set <= when)) return 1;
    if (when - ls_fd_now() < FAR) return 0;
    return make_timer(epoll) && set_timer(epoll, when < most ? when : most);
}

/* It has gone off: as to set it anew silences it, too, it does not matter whether it can be read. */
static void silence(Epoll *epoll) {
    uint64_t times;
    ssize_t n = read(epoll->timer, &times, sizeof times);
    (void)n;
    epoll->set = 0;
}

/* ---- waiting ---- */

static int epoll_backend_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    Epoll *epoll = self;
    struct epoll_event ready[AT_ONCE];
    ls_Event *event = events;
    double left = seconds * 1000;
    int i, count;
    if (room > AT_ONCE) room = AT_ONCE;
    do {
        int step = ls_fd_milliseconds(left);
        count = epoll_wait(epoll->fd, ready, (int)room, step);
        if (count < 0) return errno;
        left -= step;
    } while (count == 0 && left > 0);
    for (i = 0; i < count; i++) {
        unsigned set = ready[i].events;
        int failed = set & (EPOLLERR | EPOLLHUP) ? LS_POLL_READ | LS_POLL_WRITE : 0;
        event->fd = (int)(ready[i].data.u64 & 0xffffffff);
        event->tag = (unsigned)(ready[i].data.u64 >> 32);
        event->events = failed | (set & EPOLLIN ? LS_POLL_READ : 0) | (set & EPOLLOUT ? LS_POLL_WRITE : 0);
        if (event->fd >= 0) event++;
        else silence(epoll);
    }
    *n = (size_t)(event - events);
    return 0;
}

static int epoll_backend_getfd(void *self) {
    const Epoll *epoll = self;
    return epoll->fd;
}

const ls_Backend ls_poll_epoll = {
    "epoll",           LS_POLL_FOREIGN,     epoll_backend_open, epoll_backend_close, epoll_backend_reopen,
    epoll_backend_set, epoll_backend_check, epoll_backend_wait, epoll_backend_getfd, epoll_backend_alarm,
};
#endif
