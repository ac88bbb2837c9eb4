/* Waiting with kqueue(2) of macOS and the BSDs, level-triggered: a wait costs what became ready. */
#include "poll.h"

#if LS_HAVE_KQUEUE
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

enum { AT_ONCE = 256 };

typedef struct Kqueue {
    int fd;
} Kqueue;

static int kqueue_backend_open(void **self) {
    Kqueue *queue = malloc(sizeof *queue);
    if (!queue) return ENOMEM;
    queue->fd = kqueue();
    if (queue->fd < 0) {
        int err = errno;
        free(queue);
        return err;
    }
    fcntl(queue->fd, F_SETFD, FD_CLOEXEC);
    *self = queue;
    return 0;
}

static void kqueue_backend_close(void *self) {
    Kqueue *queue = self;
    close(queue->fd);
    free(queue);
}

/* Reading and writing are two filters, each added or deleted by itself. */
static int filter(const Kqueue *queue, int fd, unsigned tag, short which, int wanted) {
    struct kevent change;
    EV_SET(&change, (uintptr_t)fd, which, wanted ? EV_ADD : EV_DELETE, 0, 0, (void *)(uintptr_t)tag);
    if (kevent(queue->fd, &change, 1, NULL, 0, NULL) == 0) return 0;
    return !wanted && (errno == ENOENT || errno == EBADF) ? 0 : errno;
}

static int kqueue_backend_set(void *self, int fd, unsigned tag, int before, int after) {
    const Kqueue *queue = self;
    int either = before | after, err = 0;
    if (either & LS_POLL_READ) err = filter(queue, fd, tag, EVFILT_READ, after & LS_POLL_READ);
    if (!err && (either & LS_POLL_WRITE)) err = filter(queue, fd, tag, EVFILT_WRITE, after & LS_POLL_WRITE);
    return err;
}

static int kqueue_backend_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    const Kqueue *queue = self;
    struct kevent ready[AT_ONCE];
    struct timespec time;
    double left = seconds < 1e9 ? seconds : 1e9;
    int i, count;
    if (room > AT_ONCE) room = AT_ONCE;
    time.tv_sec = (time_t)left;
    time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
    count = kevent(queue->fd, NULL, 0, ready, (int)room, seconds < 0 ? NULL : &time);
    if (count < 0) return errno;
    for (i = 0; i < count; i++) {
        events[i].fd = (int)ready[i].ident;
        events[i].tag = (unsigned)(uintptr_t)ready[i].udata;
        events[i].events = ready[i].filter == EVFILT_READ ? LS_POLL_READ : LS_POLL_WRITE;
    }
    *n = (size_t)count;
    return 0;
}

static int kqueue_backend_getfd(void *self) {
    const Kqueue *queue = self;
    return queue->fd;
}

const ls_Backend ls_poll_kqueue = { "kqueue",           kqueue_backend_open, kqueue_backend_close,
                                    kqueue_backend_set, kqueue_backend_wait, kqueue_backend_getfd };
#endif
