/* Look-ups on threads of their own. What a look-up is, is left to gai.c.
   What the threads share is in one variable, crew, behind its mutex; those of others are in doc/design.md. */
#include "query.h"

#include "bell.h"
#include "fork.h"
#include "gai.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    THREADS = 64,            /* the most; a new one only where all others are at work */
    STACK = 1024 * 1024,     /* of a thread: room for what resolvers load as modules */
    STACK_STEP = 64 * 1024,  /* what it grows by with each fork, see after_fork_in_child */
    IDLE_SECONDS = 10,       /* then a thread ends */
    FORK_MILLISECONDS = 500, /* the most that a fork waits for the next look-up to end, see before_fork */
    THOUSAND = 1000,
    MILLION = 1000000
};

typedef enum State {
    WAITING, /* in line */
    ASKING,  /* in line, and a thread is at it */
    LOST,    /* a fork has taken the threads away; it is begun anew when somebody asks for it */
    DONE
} State;

struct ls_Query {
    ls_Query *previous, *next; /* in line */
    State state;
    int orphaned;  /* nobody wants it any more: whoever is at it frees it */
    int bell[2];   /* the descriptor that becomes readable, and the one that makes it so; -1: nobody has asked for it */
    int err;
    struct addrinfo *list;
    struct addrinfo only; /* the list, where what was asked for is an address itself, or its name */
    ls_Addr addr;         /* in it */
    int family, wanted;
    size_t len;
    char name[]; /* what is asked for, or the answer where an address is: only who is at it touches it */
};

static struct Crew {
    pthread_mutex_t mutex;
    pthread_cond_t work;    /* there is something to do */
    pthread_cond_t rest;    /* somebody has come to rest, for a fork that is going on */
    ls_Query *first, *last; /* the line; those that are being asked for stand first */
    int workers, idle;      /* threads; those of them that have nothing to do */
    int starting;           /* those that have not begun to look for it */
    int waiting, asking;    /* queries in line */
    int forks;              /* that are going on: nobody begins to ask */
    int prepared;
    size_t stack;           /* of a new thread */
} crew = { .mutex = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .rest = PTHREAD_COND_INITIALIZER,
           .stack = STACK };

static void lock(void) { pthread_mutex_lock(&crew.mutex); }

static void unlock(void) { pthread_mutex_unlock(&crew.mutex); }

static struct timespec in_milliseconds(long milliseconds) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += milliseconds % THOUSAND * MILLION;
    time.tv_sec += milliseconds / THOUSAND + time.tv_nsec / (THOUSAND * MILLION);
    time.tv_nsec %= THOUSAND * MILLION;
    return time;
}

/* ---- queries; all below is called by whoever has the lock ---- */

static void join_line(ls_Query *q) {
    q->previous = crew.last;
    q->next = NULL;
    if (crew.last) crew.last->next = q;
    else crew.first = q;
    crew.last = q;
    q->state = WAITING;
    crew.waiting++;
}

/* One less of those that may hold locks of the C library. */
static void come_to_rest(int *count) {
    --*count;
    if (crew.forks > 0) pthread_cond_broadcast(&crew.rest);
}

static void leave_line(ls_Query *q) {
    if (q->previous) q->previous->next = q->next;
    else crew.first = q->next;
    if (q->next) q->next->previous = q->previous;
    else crew.last = q->previous;
    if (q->state == ASKING) come_to_rest(&crew.asking);
    else crew.waiting--;
}

static void release(ls_Query *q) {
    if (q->list && q->list != &q->only) freeaddrinfo(q->list);
    free(q);
}

static void finish(ls_Query *q, int err, struct addrinfo *list) {
    q->state = DONE;
    q->err = err;
    q->list = err ? NULL : list;
    ls_bell_ring(q->bell);
    if (q->orphaned) release(q);
}

/* ---- the threads ---- */

/* The first in line that nobody is at; NULL: there is none, or a fork is going on. */
static ls_Query *first_waiting(void) {
    ls_Query *q = crew.forks > 0 ? NULL : crew.first;
    while (q && q->state != WAITING) q = q->next;
    return q;
}

/* Waits for something to do; NULL: there has been nothing for too long. */
static ls_Query *next_query(void) {
    struct timespec until = in_milliseconds(IDLE_SECONDS * THOUSAND);
    ls_Query *q;
    int err = 0;
    crew.idle++;
    while (!(q = first_waiting()) && err != ETIMEDOUT) err = pthread_cond_timedwait(&crew.work, &crew.mutex, &until);
    crew.idle--;
    return q;
}

/* Asks the system's resolver, which may take its time. */
static int consult(ls_Query *q, struct addrinfo **list) {
    if (q->wanted != LS_QUERY_NAME)
        return ls_gai_lookup(q->name, q->len, q->family, q->wanted == LS_QUERY_CANONICAL, list);
    *list = &q->only;
    return ls_gai_reverse(&q->addr, q->name);
}

static void *work(void *nothing) {
    ls_Query *q;
    lock();
    come_to_rest(&crew.starting);
    while ((q = next_query()) != NULL) {
        struct addrinfo *list = NULL;
        int err;
        q->state = ASKING;
        crew.waiting--;
        crew.asking++;
        unlock();
        err = consult(q, &list);
        lock();
        leave_line(q);
        finish(q, err, list);
    }
    crew.workers--;
    unlock();
    return nothing;
}

/* Starts a thread that no signal reaches: signals are for the program's own. */
static int hire(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, mask;
    int err = pthread_attr_init(&attributes);
    if (err) return err;
    sigfillset(&all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, crew.stack);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    err = pthread_create(&thread, &attributes, work, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    pthread_attr_destroy(&attributes);
    if (!err) {
        crew.workers++;
        crew.starting++;
    }
    return err;
}

/* Has everybody in line looked after, as far as there may be threads. 0, or why there is not even one. */
static int call_workers(void) {
    int err = 0;
    if (crew.waiting > crew.idle && crew.workers < THREADS) err = hire();
    pthread_cond_signal(&crew.work);
    return crew.workers > 0 ? 0 : err;
}

/* ---- forks: the child has no threads but the one that forked ---- */

/* Some C libraries, and sanitizers, hold locks of their own while a thread starts and during a look-up, and a child
   that inherits one held would wait for it for ever. So a fork lets those end that are about to, and no other begin,
   for as long as one after the other does. What takes longer waits for a name server, and holds no lock. */
static void before_fork(void) {
    int err = 0, busy;
    lock();
    crew.forks++;
    while ((busy = crew.starting + crew.asking) > 0 && err != ETIMEDOUT) {
        struct timespec until = in_milliseconds(FORK_MILLISECONDS);
        while (crew.starting + crew.asking == busy && err != ETIMEDOUT)
            err = pthread_cond_timedwait(&crew.rest, &crew.mutex, &until);
    }
}

static void after_fork(void) {
    crew.forks--;
    if (crew.waiting > 0) call_workers();
    pthread_cond_broadcast(&crew.work);
    unlock();
}

/* What was in line is lost. Its bell rings in this process alone, and does so now: whoever waits comes to ask.
   glibc gives a new thread the stack of one that a fork has ended, and with it the sockets that the resolver had open
   there, which are still the parent's, too. So the new ones need larger stacks. */
static void after_fork_in_child(void) {
    ls_Query *q;
    if (crew.asking > 0) crew.stack += STACK_STEP;
    pthread_cond_init(&crew.work, NULL);
    pthread_cond_init(&crew.rest, NULL);
    crew.workers = crew.idle = crew.starting = crew.forks = 0;
    while ((q = crew.first) != NULL) {
        leave_line(q);
        q->state = LOST;
        ls_bell_replace(q->bell);
        ls_bell_ring(q->bell);
        if (q->orphaned) release(q);
    }
    unlock();
}

static int prepare(void) {
    int err;
    if (crew.prepared) return 0;
    err = pthread_atfork(before_fork, after_fork, after_fork_in_child);
    if (err) return err;
    ls_fork_stay();
    crew.prepared = 1;
    return 0;
}

/* ---- from outside ---- */

static int ask(ls_Query *q) {
    int err = prepare();
    if (err) return err;
    join_line(q);
    err = call_workers();
    if (err) leave_line(q);
    return err;
}

/* Begins again what a fork has ended. */
static void revive(ls_Query *q) {
    int err;
    if (q->state != LOST) return;
    ls_bell_silence(q->bell);
    err = ask(q);
    if (err) finish(q, err, NULL);
}

/* The list of the address alone. */
static void list_only(ls_Query *q) {
    q->only.ai_family = q->addr.u.sa.sa_family;
    q->only.ai_addr = &q->addr.u.sa;
    q->only.ai_addrlen = q->addr.len;
    if (q->wanted != LS_QUERY_ADDRESSES) q->only.ai_canonname = q->name;
}

/* The answer for what no resolver may be asked: the address that it is, or an error. */
static void answer(ls_Query *q, int err) {
    if (!err && q->family != AF_UNSPEC && q->family != q->addr.u.sa.sa_family) err = LS_EAI(EAI_NONAME);
    if (!err && q->only.ai_canonname) q->name[ls_addr_format(&q->addr, 1, q->name)] = '\0';
    finish(q, err, &q->only);
}

static int begin(ls_Query *q, const ls_Question *question) {
    int is_unix = ls_addr_isunix(question->text, question->len), reverse = question->wanted == LS_QUERY_NAME;
    int err = is_unix ? LS_EAI(EAI_NONAME) : ls_addr_parse(question->text, question->len, 0, &q->addr);
    q->bell[0] = q->bell[1] = -1;
    q->family = question->family;
    q->wanted = question->wanted;
    if (!err) list_only(q);
    if (err != (reverse ? 0 : LS_ADDR_NAME)) {
        answer(q, err == LS_ADDR_NAME ? LS_EAI(EAI_NONAME) : err);
        return 0;
    }
    q->len = reverse ? 0 : question->len;
    memcpy(q->name, question->text, q->len);
    lock();
    err = ask(q);
    unlock();
    return err;
}

/* The bytes that the text of the query takes. No host's name is longer than NI_MAXHOST. */
static size_t room_for(const ls_Question *question) {
    if (question->wanted != LS_QUERY_ADDRESSES) return NI_MAXHOST;
    return question->len < NI_MAXHOST ? question->len : 0;
}

int ls_query_start(const ls_Question *question, ls_Query **query) {
    ls_Query *q = calloc(1, sizeof *q + room_for(question));
    int err = q ? begin(q, question) : ENOMEM;
    if (err) free(q);
    else *query = q;
    return err;
}

int ls_query_answer(ls_Query *q, const struct addrinfo **list) {
    int err;
    lock();
    revive(q);
    err = q->state == DONE ? q->err : LS_QUERY_RUNNING;
    *list = q->list;
    unlock();
    return err;
}

int ls_query_getfd(ls_Query *q, int *fd) {
    int err = 0;
    lock();
    revive(q);
    if (q->bell[0] < 0) {
        err = ls_bell_open(q->bell);
        if (q->state == DONE) ls_bell_ring(q->bell);
    }
    *fd = q->bell[0];
    unlock();
    return err;
}

/* Nobody can stop a thread that is at it. */
void ls_query_drop(ls_Query *q) {
    lock();
    if (q->state == WAITING) leave_line(q);
    ls_bell_close(q->bell);
    if (q->state == ASKING) q->orphaned = 1;
    else release(q);
    unlock();
}
