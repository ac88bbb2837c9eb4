/* The names of signals. Listening to them is left to signal.c. */
#include "signame.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct Name {
    const char *name;
    int number;
} Name;

#define ROW(name) { #name, SIG##name }

static const Name names[] = {
    ROW(HUP), ROW(INT), ROW(QUIT), ROW(ILL), ROW(TRAP), ROW(ABRT), ROW(BUS), ROW(FPE), ROW(KILL), ROW(USR1), ROW(SEGV),
    ROW(USR2), ROW(PIPE), ROW(ALRM), ROW(TERM), ROW(CHLD), ROW(CONT), ROW(STOP), ROW(TSTP), ROW(TTIN), ROW(TTOU),
    ROW(URG), ROW(XCPU), ROW(XFSZ), ROW(VTALRM), ROW(PROF), ROW(SYS),
#ifdef SIGWINCH
    ROW(WINCH),
#endif
#ifdef SIGIO
    ROW(IO),
#endif
#ifdef SIGPOLL
    ROW(POLL),
#endif
#ifdef SIGPWR
    ROW(PWR),
#endif
#ifdef SIGSTKFLT
    ROW(STKFLT),
#endif
#ifdef SIGINFO
    ROW(INFO),
#endif
#ifdef SIGEMT
    ROW(EMT),
#endif
#ifdef SIGTHR
    ROW(THR),
#endif
#ifdef SIGLIBRT
    ROW(LIBRT),
#endif
};

enum { NAMES = sizeof names / sizeof names[0] };

/* RTMIN is known only when the program runs, as threads may take some for themselves. */
static int realtime_number(const char *name, size_t len) {
    int number = 0;
#ifdef SIGRTMIN
    char other[LS_SIGNAME_ROOM];
    for (number = SIGRTMIN; number <= SIGRTMAX; number++) {
        ls_signame_text(number, other);
        if (strlen(other) == len && memcmp(other, name, len) == 0) return number;
    }
    number = 0;
#else
    (void)name, (void)len;
#endif
    return number;
}

int ls_signame_number(const char *name, size_t len) {
    int i;
    for (i = 0; i < NAMES; i++)
        if (strlen(names[i].name) == len && memcmp(names[i].name, name, len) == 0) return names[i].number;
    return realtime_number(name, len);
}

void ls_signame_text(int number, char text[LS_SIGNAME_ROOM]) {
    int i = 0, above = 0;
    while (i < NAMES && names[i].number != number) i++;
#ifdef SIGRTMIN
    above = number - SIGRTMIN;
#endif
    if (i < NAMES) snprintf(text, LS_SIGNAME_ROOM, "%s", names[i].name);
    else if (above == 0) snprintf(text, LS_SIGNAME_ROOM, "RTMIN");
    else snprintf(text, LS_SIGNAME_ROOM, "RTMIN+%d", above);
}

int ls_signame_allowed(int number) {
    static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    size_t i;
    for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (refused[i] == number) return 0;
    return 1;
}
