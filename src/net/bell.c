/* Bells. Who rings them, and what for, is left to the callers. */
#include "bell.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
#if LS_HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

void ls_bell_close(int bell[2]) {
    if (bell[0] >= 0) close(bell[0]);
    if (bell[1] != bell[0]) close(bell[1]);
    bell[0] = bell[1] = -1;
}

/* One that is full is readable, which is all that is wanted. */
void ls_bell_ring(const int bell[2]) {
    uint64_t one = 1;
    ssize_t written;
    do written = bell[1] < 0 ? 0 : write(bell[1], &one, sizeof one);
    while (written < 0 && errno == EINTR);
}

/* An eventfd is silent after the first read, which takes a call less. */
void ls_bell_silence(const int bell[2]) {
    uint64_t rings[64];
    ssize_t got;
    do got = bell[0] < 0 ? 0 : read(bell[0], rings, sizeof rings);
    while ((got < 0 && errno == EINTR) || got == (ssize_t)sizeof rings);
}

int ls_bell_open(int bell[2]) {
#if LS_HAVE_EVENTFD
    bell[0] = bell[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell[0] < 0 ? errno : 0;
#else
    ls_Kind kind;
    int err = pipe(bell) < 0 ? errno : 0;
    if (err) {
        bell[0] = bell[1] = -1;
        return err;
    }
    err = ls_fd_adopt(bell[0], &kind);
    if (!err) err = ls_fd_adopt(bell[1], &kind);
    if (err) ls_bell_close(bell);
    return err;
#endif
}

/* Where no more descriptors can be had, giving it up makes room for the other, at just these numbers. */
void ls_bell_replace(int bell[2]) {
    int other[2], i, count = bell[1] == bell[0] ? 1 : 2;
    if (bell[0] < 0) return;
    if (ls_bell_open(other) != 0) {
        ls_bell_close(bell);
        ls_bell_open(bell); /* or there is none */
        return;
    }
    for (i = 0; i < count; i++) {
        dup2(other[i], bell[i]);
        fcntl(bell[i], F_SETFD, FD_CLOEXEC);
    }
    ls_bell_close(other);
}
