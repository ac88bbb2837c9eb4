/* Waiting with Linux's epoll(7), level-triggered: a wait costs what became ready. */
#include "poll.h"

#if LS_HAVE_EPOLL
#include "fd.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { AT_ONCE = 256 };

typedef struct Epoll {
    int fd;
} Epoll;

static int epoll_backend_open(void **self) {
    Epoll *epoll = malloc(sizeof *epoll);
    if (!epoll) return ENOMEM;
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll->fd < 0) {
        int err = errno;
        free(epoll);
        return err;
    }
    *self = epoll;
    return 0;
}

static void epoll_backend_close(void *self) {
    Epoll *epoll = self;
    close(epoll->fd);
    free(epoll);
}

static int control(const Epoll *epoll, int operation, int fd, struct epoll_event *event) {
    return epoll_ctl(epoll->fd, operation, fd, event) < 0 ? errno : 0;
}

static int epoll_backend_set(void *self, int fd, unsigned tag, int before, int after) {
    const Epoll *epoll = self;
    struct epoll_event event;
    int err;
    memset(&event, 0, sizeof event);
    event.events = (after & LS_POLL_READ ? EPOLLIN : 0) | (after & LS_POLL_WRITE ? EPOLLOUT : 0);
    event.data.u64 = (uint64_t)tag << 32 | (unsigned)fd;
    if (!after) {
        /* Closing took it out already, unless another process holds the same socket open. */
        err = control(epoll, EPOLL_CTL_DEL, fd, &event);
        return err == ENOENT || err == EBADF ? 0 : err;
    }
    err = control(epoll, before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (err == ENOENT) err = control(epoll, EPOLL_CTL_ADD, fd, &event);
    else if (err == EEXIST) err = control(epoll, EPOLL_CTL_MOD, fd, &event);
    return err;
}

static int epoll_backend_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    const Epoll *epoll = self;
    struct epoll_event ready[AT_ONCE];
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
        events[i].fd = (int)(ready[i].data.u64 & 0xffffffff);
        events[i].tag = (unsigned)(ready[i].data.u64 >> 32);
        events[i].events = failed | (set & EPOLLIN ? LS_POLL_READ : 0) | (set & EPOLLOUT ? LS_POLL_WRITE : 0);
    }
    *n = (size_t)count;
    return 0;
}

static int epoll_backend_getfd(void *self) {
    const Epoll *epoll = self;
    return epoll->fd;
}

const ls_Backend ls_poll_epoll = { "epoll",           epoll_backend_open, epoll_backend_close,
                                   epoll_backend_set, epoll_backend_wait, epoll_backend_getfd };
#endif
