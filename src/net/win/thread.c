/* The part of pthread.h that is more than a line. */
#include "posix/pthread.h"

#include <stdlib.h>

static DWORD milliseconds_until(const struct timespec *until) {
    struct timespec now;
    double left;
    clock_gettime(CLOCK_REALTIME, &now);
    left = (double)(until->tv_sec - now.tv_sec) * 1e3 + (double)(until->tv_nsec - now.tv_nsec) / 1e6;
    return left > 0 ? (DWORD)left + 1 : 0;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    return SleepConditionVariableSRW(cond, mutex, milliseconds_until(until), 0) ? 0 : ETIMEDOUT;
}

typedef struct Task {
    void *(*function)(void *);
    void *argument;
} Task;

static DWORD WINAPI run(void *task) {
    Task copy = *(Task *)task;
    free(task);
    copy.function(copy.argument);
    return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument) {
    Task *task = malloc(sizeof *task);
    if (!task) return ENOMEM;
    task->function = function;
    task->argument = argument;
    *thread = CreateThread(NULL, *attributes, run, task, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (*thread) {
        CloseHandle(*thread); /* it runs on */
        return 0;
    }
    free(task);
    return EAGAIN;
}
