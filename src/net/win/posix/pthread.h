/* Threads, as much of them as query.c uses: slim locks, condition variables, threads that nobody waits for. There is no
   fork. */
#ifndef LS_NET_WIN_PTHREAD_H
#define LS_NET_WIN_PTHREAD_H

#include "../posix.h"

typedef SRWLOCK pthread_mutex_t;
typedef CONDITION_VARIABLE pthread_cond_t;
typedef size_t pthread_attr_t; /* the stack */
typedef HANDLE pthread_t;

#define PTHREAD_MUTEX_INITIALIZER SRWLOCK_INIT
#define PTHREAD_COND_INITIALIZER CONDITION_VARIABLE_INIT
#define PTHREAD_CREATE_DETACHED 1

static inline void pthread_mutex_lock(pthread_mutex_t *mutex) { AcquireSRWLockExclusive(mutex); }
static inline void pthread_mutex_unlock(pthread_mutex_t *mutex) { ReleaseSRWLockExclusive(mutex); }
static inline void pthread_cond_init(pthread_cond_t *cond, const void *none) {
    (void)none;
    InitializeConditionVariable(cond);
}
static inline void pthread_cond_signal(pthread_cond_t *cond) { WakeConditionVariable(cond); }
static inline void pthread_cond_broadcast(pthread_cond_t *cond) { WakeAllConditionVariable(cond); }

/* until: by CLOCK_REALTIME. 0 or ETIMEDOUT. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

static inline int pthread_attr_init(pthread_attr_t *attributes) { return *attributes = 0, 0; }
static inline void pthread_attr_setdetachstate(pthread_attr_t *attributes, int state) { (void)attributes, (void)state; }
static inline void pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size) { *attributes = size; }
static inline void pthread_attr_destroy(pthread_attr_t *attributes) { (void)attributes; }
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument);

static inline int pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
    return (void)before, (void)parent, (void)child, 0;
}

#endif
