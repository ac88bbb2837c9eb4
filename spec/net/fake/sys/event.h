/* kqueue(2) for systems that have none, so that the code that calls it is run there, too: what the library needs of it,
   and what it must bear, over poll(2). The compiler looks for it after the system's own headers. */
#ifndef LS_SPEC_EVENT_H
#define LS_SPEC_EVENT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define LS_FAKE_KQUEUE 1

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EV_ADD 1
#define EV_DELETE 2
#define EV_ENABLE 4

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    intptr_t data;
    void *udata;
};

#define EV_SET(event, i, f, how, ff, d, u)                                                                            \
    ((event)->ident = (i), (event)->filter = (f), (event)->flags = (how), (event)->fflags = (ff),                      \
     (event)->data = (d), (event)->udata = (u))

enum { FAKE_NOTES = 512 };

typedef struct FakeNote {
    int queue; /* the number of its descriptor; 0: free */
    struct kevent event;
    dev_t device;
    ino_t file;
} FakeNote;

static struct {
    FakeNote notes[FAKE_NOTES];
    int next;                   /* to look at */
    int broken_error;           /* for adding a broken pipe to write to */
    int add_error[2];           /* the next time that it is read from, written to */
    int hurries, waits;         /* does no wait wait? How many there were */
    double waited;              /* for so many seconds */
    int forked;                 /* what a handler of somebody else's opens first in a child: 1, /dev/null */
} fake = { .broken_error = EPIPE };

static inline void fake_forget(int queue) {
    int i;
    for (i = 0; i < FAKE_NOTES; i++)
        if (fake.notes[i].queue == queue) fake.notes[i].queue = 0;
}

/* What stands for the descriptor of a queue, and for nothing else. */
#define FAKE_FILE "/dev/full"

static inline int fake_open(void) { return open(FAKE_FILE, O_RDONLY); }

/* A child does not get queues. */
static inline void fake_child(void) {
    struct stat queue, info;
    int fd;
    stat(FAKE_FILE, &queue);
    for (fd = 0; fd < 256; fd++) {
        if (fstat(fd, &info) < 0 || info.st_rdev != queue.st_rdev) continue;
        fake_forget(fd);
        close(fd);
    }
    if (fake.forked) open("/dev/null", O_RDONLY);
}

/* Before any handler of the library, as the kernel itself is. */
static void __attribute__((constructor)) fake_prepare(void) {
    pthread_atfork(NULL, NULL, fake_child);
}

static inline int kqueue(void) {
    int fd = fake_open();
    if (fd >= 0) fake_forget(fd);
    return fd;
}

static inline int fake_same(const FakeNote *note) {
    struct stat info;
    return fstat((int)note->event.ident, &info) == 0 && info.st_dev == note->device && info.st_ino == note->file;
}

/* Closing takes notes out; that is made up for when somebody looks. */
static inline FakeNote *fake_find(int queue, const struct kevent *event) {
    int i;
    for (i = 0; i < FAKE_NOTES; i++) {
        FakeNote *note = &fake.notes[i];
        if (note->queue != queue || note->event.ident != event->ident || note->event.filter != event->filter) continue;
        if (fake_same(note)) return note;
        note->queue = 0;
    }
    return NULL;
}

static inline int fake_revents(const struct kevent *event) {
    struct pollfd entry;
    entry.fd = (int)event->ident;
    entry.events = event->filter == EVFILT_READ ? POLLIN : POLLOUT;
    entry.revents = 0;
    poll(&entry, 1, 0);
    return entry.revents;
}

static inline int fake_add_error(const struct kevent *event) {
    int *planned = &fake.add_error[event->filter == EVFILT_WRITE], err = *planned;
    struct stat info;
    *planned = 0;
    if (err) return err;
    if (fstat((int)event->ident, &info) < 0) return EBADF;
    if (event->filter == EVFILT_READ || !S_ISFIFO(info.st_mode)) return 0;
    return fake_revents(event) & POLLERR ? fake.broken_error : 0;
}

static inline int fake_add(int queue, const struct kevent *event) {
    FakeNote *note = fake_find(queue, event);
    struct stat info;
    int i, err = fake_add_error(event);
    if (err) return err;
    for (i = 0; i < FAKE_NOTES && !note; i++)
        if (!fake.notes[i].queue) note = &fake.notes[i];
    if (!note) return ENOMEM;
    fstat((int)event->ident, &info);
    note->queue = queue;
    note->event = *event;
    note->device = info.st_dev;
    note->file = info.st_ino;
    return 0;
}

static inline int fake_change(int queue, const struct kevent *event) {
    FakeNote *note;
    if (fcntl((int)event->ident, F_GETFD) < 0) return EBADF;
    if (event->flags & EV_ADD) return fake_add(queue, event);
    note = fake_find(queue, event);
    if (!note) return ENOENT;
    if (event->flags & EV_DELETE) note->queue = 0;
    return 0;
}

static inline int fake_look(int queue, struct kevent *events, int room) {
    int i, n = 0;
    for (i = 0; i < FAKE_NOTES && n < room; i++) {
        FakeNote *note = &fake.notes[fake.next++ % FAKE_NOTES];
        if (note->queue != queue) continue;
        if (!fake_same(note)) note->queue = 0;
        else if (fake_revents(&note->event)) events[n++] = note->event;
    }
    return n;
}

static inline int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events, int room,
                         const struct timespec *time) {
    double left = time ? (double)time->tv_sec + (double)time->tv_nsec / 1e9 : 1;
    int i, n;
    if (fcntl(queue, F_GETFD) < 0) return errno = EBADF, -1;
    if (time && time->tv_sec > 100000000) return errno = EINVAL, -1;
    for (i = 0; i < change_count; i++) {
        int err = fake_change(queue, &changes[i]);
        if (err) return errno = err, -1;
    }
    if (room == 0) return 0;
    fake.waits++;
    if (time) fake.waited += left;
    for (;;) {
        n = fake_look(queue, events, room);
        if (n > 0 || left <= 0 || fake.hurries) return n;
        poll(NULL, 0, 1);
        if (time) left -= 0.001;
    }
}

#endif
