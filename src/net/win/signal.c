/* What Windows has of signals: a console's Ctrl-C is INT, Ctrl-Break is QUIT, a window that is closed is HUP, and the
   end of the session is TERM. The system calls a handler in a thread of its own, which may wait for the lock. */
#include "../signal.h"

#include "../bell.h"
#include "../fork.h"

#include <stdlib.h>

enum { SIGNALS = 32 };

struct ls_Signals {
    ls_Signals *next;
    uint32_t wanted, pending; /* a bit for each signal */
    int bell[2];
    int last; /* what was taken last: the next one after it has its turn */
};

static struct Handling {
    SRWLOCK lock;
    ls_Signals *first;
    int prepared;
} handling = { .lock = SRWLOCK_INIT };

static void lock(void) { AcquireSRWLockExclusive(&handling.lock); }

static void unlock(void) { ReleaseSRWLockExclusive(&handling.lock); }

static uint32_t bit_of(int number) { return (uint32_t)1 << number; }

static int number_of(DWORD event) {
    switch (event) {
    case CTRL_C_EVENT: return SIGINT;
    case CTRL_BREAK_EVENT: return SIGQUIT;
    case CTRL_CLOSE_EVENT: return SIGHUP;
    default: return SIGTERM;
    }
}

/* FALSE: nobody listens, and the system does what it does without us. */
static BOOL WINAPI handle(DWORD event) {
    uint32_t bit = bit_of(number_of(event));
    ls_Signals *s;
    BOOL told = FALSE;
    lock();
    for (s = handling.first; s; s = s->next) {
        if (!(s->wanted & bit)) continue;
        told = TRUE;
        s->pending |= bit;
        ls_bell_ring(s->bell);
    }
    unlock();
    return told;
}

/* The handler stays, and so does the module. */
static int prepare(void) {
    if (handling.prepared) return 0;
    ls_fork_stay();
    if (!SetConsoleCtrlHandler(handle, TRUE)) return ls_win_errno(GetLastError());
    handling.prepared = 1;
    return 0;
}

static int enter(ls_Signals *s) {
    int err;
    lock();
    err = prepare();
    if (!err) {
        s->next = handling.first;
        handling.first = s;
    }
    unlock();
    return err;
}

/* All that have a name can be listened to, though most never come. */
int ls_signal_open(const sigset_t *set, ls_Signals **signals) {
    ls_Signals *s = calloc(1, sizeof *s);
    int err = s ? ls_bell_open(s->bell) : ENOMEM;
    if (!err) {
        s->wanted = *set;
        err = enter(s);
        if (err) ls_bell_close(s->bell);
    }
    if (err) free(s);
    else *signals = s;
    return err;
}

void ls_signal_close(ls_Signals *s) {
    ls_Signals **place = &handling.first;
    lock();
    while (*place != s) place = &(*place)->next;
    *place = s->next;
    unlock();
    ls_bell_close(s->bell);
    free(s);
}

int ls_signal_waiting(const ls_Signals *s) {
    uint32_t pending;
    int number = s->last, i;
    lock();
    pending = s->pending;
    if (!pending) ls_bell_silence(s->bell);
    unlock();
    for (i = 0; i < SIGNALS && pending; i++) {
        number = (number + 1) % SIGNALS;
        if (pending & bit_of(number)) return number;
    }
    return 0;
}

int ls_signal_take(ls_Signals *s, int number) {
    int taken;
    lock();
    taken = (s->pending & bit_of(number)) != 0;
    s->pending &= ~bit_of(number);
    s->last = number;
    if (!s->pending) ls_bell_silence(s->bell);
    unlock();
    return taken;
}

int ls_signal_getfd(const ls_Signals *s) { return s->bell[0]; }
