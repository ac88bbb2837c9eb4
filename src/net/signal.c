/* Listening to signals. How a signal wakes whoever waits is left to bell.c.
   The handler may run in any thread at any moment, also while another one opens or closes, and can wait for nobody. So
   the list of listeners only grows: one that is closed stays in it, for the next to be opened. What the handler uses is
   atomic, or set while it does not look: it looks at a listener only between two steps of its count of lookers, and
   whoever closes one waits until nobody looks. */
#include "signal.h"

#include "bell.h"
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BITS = 32,
    WORDS = 4,
    SIGNALS = BITS * WORDS, /* no system has more */
    MOMENT = 10000          /* nanoseconds to wait for a handler in another thread */
};

struct ls_Signals {
    ls_Signals *next;                       /* never changes */
    unsigned wanted[WORDS], pending[WORDS]; /* a bit for each signal */
    int lookers;                            /* handlers that are at it */
    int bell[2];
    int open; /* behind the mutex */
    int last; /* what was taken last: the next one after it has its turn */
};

static void renew(ls_Fork *self);

static struct Handling {
    ls_Fork fork;
    pthread_mutex_t mutex;
    ls_Signals *first;
    struct sigaction before[SIGNALS]; /* what was there before the handler */
    int listeners[SIGNALS];
    int owner; /* the process: one made past fork(2) has nothing to tell here */
    int prepared;
    sigset_t mask; /* of the thread that forks, meanwhile */
} handling = { .fork = { .renew = renew }, .mutex = PTHREAD_MUTEX_INITIALIZER };

#define LOAD(place) __atomic_load_n((place), __ATOMIC_SEQ_CST)
#define STORE(place, value) __atomic_store_n((place), (value), __ATOMIC_SEQ_CST)
#define SET(place, bits) __atomic_fetch_or((place), (bits), __ATOMIC_SEQ_CST)
#define CLEAR(place, bits) __atomic_fetch_and((place), ~(bits), __ATOMIC_SEQ_CST)
#define ADD(place, number) __atomic_add_fetch((place), (number), __ATOMIC_SEQ_CST)

static void lock(void) { pthread_mutex_lock(&handling.mutex); }

static void unlock(void) { pthread_mutex_unlock(&handling.mutex); }

static unsigned bit_of(int number) { return 1u << number % BITS; }

static int wants(const ls_Signals *s, int number) {
    return (LOAD(&s->wanted[number / BITS]) & bit_of(number)) != 0;
}

/* ---- the handler ---- */

/* Where the signal waits to be told already, the bell has been rung, or is about to be. */
static int tell(ls_Signals *s, int number) {
    int told;
    if (!wants(s, number)) return 0;
    ADD(&s->lookers, 1);
    told = wants(s, number); /* or it was closed in between */
    if (told && !(SET(&s->pending[number / BITS], bit_of(number)) & bit_of(number))) ls_bell_ring(s->bell);
    ADD(&s->lookers, -1);
    return told;
}

static int tell_all(int number) {
    ls_Signals *s;
    int told = 0;
    for (s = LOAD(&handling.first); s; s = s->next) told |= tell(s, number);
    return told;
}

static int put_handler(int number);

/* Nobody listens any more: somebody who had found the handler here has put it back, as system(3) does. So what was
   there before takes its place, and gets the signal when the handler has returned. Somebody may have begun to listen
   at this very moment. */
static void step_aside(int number) {
    sigaction(number, &handling.before[number], NULL);
    if (tell_all(number)) put_handler(number);
    else raise(number);
}

static void handle(int number) {
    int err = errno;
    if (getpid() == LOAD(&handling.owner) && !tell_all(number)) step_aside(number);
    errno = err;
}

/* No other signal interrupts it; calls go on after it where the system can do that. */
static int put_handler(int number) {
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_handler = handle;
    ours.sa_flags = SA_RESTART | SA_ONSTACK;
    sigfillset(&ours.sa_mask);
    return sigaction(number, &ours, NULL) < 0 ? errno : 0;
}

/* ---- what the system does with a signal; all below is called by whoever has the lock ---- */

static int is_ours(const struct sigaction *action) {
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == handle;
}

/* 0 or an errno. */
static int catch(int number) {
    struct sigaction now;
    int err = sigaction(number, NULL, &now) < 0 ? errno : 0;
    if (!err && !is_ours(&now)) {
        handling.before[number] = now;
        err = put_handler(number);
    }
    if (!err) handling.listeners[number]++;
    return err;
}

static void let_go(int number) {
    struct sigaction now;
    if (--handling.listeners[number] > 0) return;
    sigaction(number, NULL, &now);
    if (is_ours(&now)) sigaction(number, &handling.before[number], NULL);
}

/* ---- forks ---- */

/* No signal reaches the child before its listeners are its own. */
static void before_fork(void) {
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    lock();
    handling.mask = mask;
}

static void after_fork(void) {
    sigset_t mask = handling.mask;
    unlock();
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* In the child: what has come is the parent's to tell, and the handlers that were at it are in its threads. */
static void renew(ls_Fork *self) {
    ls_Signals *s;
    (void)self;
    STORE(&handling.owner, (int)getpid());
    for (s = handling.first; s; s = s->next) {
        s->lookers = 0;
        memset(s->pending, 0, sizeof s->pending);
        ls_bell_replace(s->bell);
    }
}

/* Whoever joins also has pollers look anew at what they know: a bell that is a pipe is another file now. The handlers
   come second, so that in the child they let signals in when all is renewed. */
static int prepare(void) {
    int err = handling.prepared ? 0 : ls_fork_join(&handling.fork);
    if (err || handling.prepared) return err;
    err = pthread_atfork(before_fork, after_fork, after_fork);
    if (err) {
        ls_fork_leave(&handling.fork);
        return err;
    }
    STORE(&handling.owner, (int)getpid());
    handling.prepared = 1;
    return 0;
}

/* ---- listeners ---- */

/* One that nobody has, or a new one; NULL: there is no memory. */
static ls_Signals *obtain(void) {
    ls_Signals *s = handling.first;
    while (s && s->open) s = s->next;
    if (s) return s;
    s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->bell[0] = s->bell[1] = -1;
    s->next = handling.first;
    STORE(&handling.first, s);
    return s;
}

static void forget(ls_Signals *s, int number) {
    if (!wants(s, number)) return;
    let_go(number);
    CLEAR(&s->wanted[number / BITS], bit_of(number));
}

/* What was there before is back before the listener is deaf: no signal is lost between them. */
static void release(ls_Signals *s) {
    struct timespec moment = { 0, MOMENT };
    int number;
    for (number = 1; number < SIGNALS; number++) forget(s, number);
    while (LOAD(&s->lookers) > 0) nanosleep(&moment, NULL);
    ls_bell_close(s->bell);
    memset(s->pending, 0, sizeof s->pending);
    s->open = 0;
}

static int listen_to(ls_Signals *s, int number) {
    int err;
    SET(&s->wanted[number / BITS], bit_of(number)); /* first: the handler finds somebody who listens */
    err = catch(number);
    if (err) CLEAR(&s->wanted[number / BITS], bit_of(number));
    return err;
}

static int listen_to_all(ls_Signals *s, const sigset_t *set) {
    int number, err = ls_bell_open(s->bell);
    s->open = 1;
    s->last = 0;
    for (number = 1; number < SIGNALS && !err; number++)
        if (sigismember(set, number) == 1) err = listen_to(s, number);
    if (err) release(s);
    return err;
}

int ls_signal_open(const sigset_t *set, ls_Signals **signals) {
    int err;
    lock();
    err = prepare();
    *signals = err ? NULL : obtain();
    if (!err) err = *signals ? listen_to_all(*signals, set) : ENOMEM;
    unlock();
    return err;
}

void ls_signal_close(ls_Signals *s) {
    lock();
    release(s);
    unlock();
}

/* ---- what has come ---- */

static int has_pending(const ls_Signals *s) {
    int i;
    for (i = 0; i < WORDS; i++)
        if (LOAD(&s->pending[i])) return 1;
    return 0;
}

static int is_pending(const ls_Signals *s, int number) {
    return (LOAD(&s->pending[number / BITS]) & bit_of(number)) != 0;
}

/* The bell goes on ringing while something waits; what comes while it is silenced rings it anew. */
static void hush(const ls_Signals *s) {
    if (has_pending(s)) return;
    ls_bell_silence(s->bell);
    if (has_pending(s)) ls_bell_ring(s->bell);
}

int ls_signal_waiting(const ls_Signals *s) {
    int number = s->last, i;
    for (i = 0; i < SIGNALS; i++) {
        number = (number + 1) % SIGNALS;
        if (is_pending(s, number)) return number;
    }
    hush(s);
    return 0;
}

int ls_signal_take(ls_Signals *s, int number) {
    int taken = (CLEAR(&s->pending[number / BITS], bit_of(number)) & bit_of(number)) != 0;
    s->last = number;
    hush(s);
    return taken;
}

int ls_signal_getfd(const ls_Signals *s) { return s->bell[0]; }
