/* The list of what a fork renews, behind a mutex: threads share it, as the kernel copies a process whole. */
#include "fork.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#ifndef RTLD_NOLOAD
#define RTLD_NOLOAD 0
#endif

static struct Forks {
    pthread_mutex_t mutex;
    ls_Fork *first;
    int prepared;
} forks = { .mutex = PTHREAD_MUTEX_INITIALIZER };

unsigned ls_fork_count, ls_fork_copies;

static void lock(void) { pthread_mutex_lock(&forks.mutex); }

static void unlock(void) { pthread_mutex_unlock(&forks.mutex); }

static void count_copy(void) {
    ls_fork_copies++;
    unlock();
}

static void renew_all(void) {
    ls_Fork *item;
    ls_fork_count++;
    for (item = forks.first; item; item = item->next) item->renew(item);
    count_copy();
}

void ls_fork_stay(void) {
    Dl_info self;
    if (dladdr(&forks, &self)) dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

static int prepare(void) {
    int err = forks.prepared ? 0 : pthread_atfork(lock, count_copy, renew_all);
    if (err || forks.prepared) return err;
    ls_fork_stay();
    forks.prepared = 1;
    return 0;
}

int ls_fork_notice(void) {
    int err;
    lock();
    err = prepare();
    unlock();
    return err;
}

int ls_fork_join(ls_Fork *self) {
    int err;
    lock();
    err = prepare();
    if (!err) {
        self->previous = NULL;
        self->next = forks.first;
        if (forks.first) forks.first->previous = self;
        forks.first = self;
    }
    unlock();
    return err;
}

void ls_fork_leave(ls_Fork *self) {
    lock();
    if (self->previous) self->previous->next = self->next;
    else forks.first = self->next;
    if (self->next) self->next->previous = self->previous;
    unlock();
}
