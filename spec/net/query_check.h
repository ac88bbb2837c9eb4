/* src/net/query.c compiled a second time over a resolver that does as it is told, for what no real one can be made to
   do, and what the tests of look-ups need beside. */
#ifndef LS_SPEC_QUERY_CHECK_H
#define LS_SPEC_QUERY_CHECK_H

#include "net/query.h"

#include "check.h"

#include "net/gai.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define NONAME LS_EAI(EAI_NONAME)
#define PATIENCE 20000 /* milliseconds; a wait that works ends at once */

/* ---- a resolver that does as it is told: "held..." waits for the gate, "fail..." fails, others are 127.0.0.1 ---- */

static struct Resolver {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int open;         /* the gate */
    int asked, lists_out;
    int threads_left; /* that can be started; negative: any number */
    int patient;      /* threads that have nothing to do stay; behind the crew's mutex */
    int late;         /* threads begin only when a fork waits for them, 2: one has */
} resolver = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, -1, 0, 0 };

static struct sockaddr_in in4 = { .sin_family = AF_INET };
static struct addrinfo only = { .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&in4, .ai_addrlen = sizeof in4 };

static inline int told_lookup(const char *name, size_t len, int family, int canonical, struct addrinfo **list) {
    int fails = len >= 4 && memcmp(name, "fail", 4) == 0;
    (void)family, (void)canonical;
    pthread_mutex_lock(&resolver.mutex);
    resolver.asked++;
    pthread_cond_broadcast(&resolver.changed);
    if (len >= 4 && memcmp(name, "held", 4) == 0)
        while (!resolver.open) pthread_cond_wait(&resolver.changed, &resolver.mutex);
    if (!fails) resolver.lists_out++;
    pthread_mutex_unlock(&resolver.mutex);
    *list = &only;
    return fails ? LS_EAI(EAI_AGAIN) : 0;
}

/* An address has the name "told", once the gate is open; 127.0.0.9 has none. */
static inline int told_reverse(const ls_Addr *addr, char name[NI_MAXHOST]) {
    int known = ntohl(addr->u.in4.sin_addr.s_addr) != 0x7f000009;
    pthread_mutex_lock(&resolver.mutex);
    resolver.asked++;
    pthread_cond_broadcast(&resolver.changed);
    while (!resolver.open) pthread_cond_wait(&resolver.changed, &resolver.mutex);
    pthread_mutex_unlock(&resolver.mutex);
    if (known) memcpy(name, "told", 5);
    return known ? 0 : NONAME;
}

static inline void told_free(struct addrinfo *list) {
    assert_ptr_equal(list, &only);
    pthread_mutex_lock(&resolver.mutex);
    resolver.lists_out--;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.mutex);
}

static void *begin_late(void *nothing);

static inline int told_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                              void *argument) {
    if (resolver.threads_left == 0) return EAGAIN;
    if (resolver.threads_left > 0) resolver.threads_left--;
    return pthread_create(thread, attributes, resolver.late ? begin_late : run, argument);
}

/* Threads that have nothing to do wait 20 ms, not IDLE_SECONDS, unless they are to be patient. */
static inline int told_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (resolver.patient || until->tv_sec - now.tv_sec < 5) return pthread_cond_timedwait(condition, mutex, until);
    now.tv_nsec += 20000000;
    if (now.tv_nsec >= 1000000000) {
        now.tv_sec++;
        now.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(condition, mutex, &now);
}

int told_query_start(const ls_Question *question, ls_Query **query);
int told_query_answer(ls_Query *query, const struct addrinfo **list);
int told_query_getfd(ls_Query *query, int *fd);
void told_query_drop(ls_Query *query);

#define ls_gai_lookup told_lookup
#define ls_gai_reverse told_reverse
#define freeaddrinfo told_free
#define pthread_create told_create
#define pthread_cond_timedwait told_wait
#define ls_query_start told_query_start
#define ls_query_answer told_query_answer
#define ls_query_getfd told_query_getfd
#define ls_query_drop told_query_drop

#include "net/query.c"

#undef ls_gai_lookup
#undef ls_gai_reverse
#undef freeaddrinfo
#undef pthread_create
#undef pthread_cond_timedwait
#undef ls_query_start
#undef ls_query_answer
#undef ls_query_getfd
#undef ls_query_drop

/* A thread that is not at work before a fork waits; where none does, after a while. */
static void *begin_late(void *nothing) {
    struct timespec step = { 0, 1000000 };
    int rounds, waited = 0;
    for (rounds = 0; !waited && rounds < 1000; rounds++) {
        nanosleep(&step, NULL);
        lock();
        waited = crew.forks > 0;
        if (waited) resolver.late = 2;
        unlock();
    }
    return work(nothing);
}

/* ---- what the tests need ---- */

static inline ls_Question question(const char *text, int family) {
    ls_Question asked = { text, strlen(text), family, LS_QUERY_ADDRESSES };
    return asked;
}

static inline int told_start(const char *text, int family, ls_Query **query) {
    ls_Question asked = question(text, family);
    return told_query_start(&asked, query);
}

/* What was found, or NULL, and the error. */
static inline const struct addrinfo *told_found(ls_Query *q, int err) {
    const struct addrinfo *list = NULL;
    assert_int_equal(told_query_answer(q, &list), err);
    return list;
}

static inline ls_Query *told_wanted(const char *text, int wanted) {
    ls_Question asked = question(text, AF_UNSPEC);
    ls_Query *q = NULL;
    asked.wanted = wanted;
    assert_int_equal(told_query_start(&asked, &q), 0);
    return q;
}

static inline ls_Query *told(const char *name) { return told_wanted(name, LS_QUERY_ADDRESSES); }

static inline int told_answer(ls_Query *q) {
    const struct addrinfo *list;
    return told_query_answer(q, &list);
}

static inline int told_fd(ls_Query *q) {
    int fd = -2;
    assert_int_equal(told_query_getfd(q, &fd), 0);
    return fd;
}

static inline int is_readable(int fd, int milliseconds) {
    struct pollfd entry = { fd, POLLIN, 0 };
    return poll(&entry, 1, milliseconds) == 1 && entry.revents & POLLIN;
}

static inline int await_answer(ls_Query *q) {
    assert_true(is_readable(told_fd(q), PATIENCE));
    return told_answer(q);
}

static inline void set_gate(int open) {
    pthread_mutex_lock(&resolver.mutex);
    resolver.open = open;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.mutex);
}

/* Waits until a figure of the resolver's is what is wanted. */
static inline void await_figure(const int *figure, int wanted) {
    struct timespec until;
    int err = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE / 1000;
    pthread_mutex_lock(&resolver.mutex);
    while (*figure != wanted && err == 0) err = pthread_cond_timedwait(&resolver.changed, &resolver.mutex, &until);
    pthread_mutex_unlock(&resolver.mutex);
    assert_int_equal(err, 0);
}

/* Waits until so many threads are left. */
static inline void await_workers(int wanted) {
    int rounds, workers = -1;
    for (rounds = 0; workers != wanted && rounds < PATIENCE; rounds++) {
        struct timespec step = { 0, 1000000 };
        lock();
        workers = crew.workers;
        unlock();
        if (workers != wanted) nanosleep(&step, NULL);
    }
    assert_int_equal(workers, wanted);
}

static inline void set_patient(int patient) {
    lock();
    resolver.patient = patient;
    pthread_cond_broadcast(&crew.work);
    unlock();
}

/* Each test of the told resolver begins without threads, and with the gate shut. */
static inline void start_over(void) {
    set_gate(1);
    set_patient(0);
    await_workers(0);
    set_gate(0);
    resolver.asked = 0;
    resolver.threads_left = -1;
    assert_int_equal(resolver.lists_out, 0);
}

#endif
