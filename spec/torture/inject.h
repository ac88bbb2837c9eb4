/* Failures on order, for spec/torture/main.c: one allocation, or one system call, at a chosen moment. The functions
   that fail stand in front of the C library's own of the same names; test code only. */
#ifndef TORTURE_INJECT_H
#define TORTURE_INJECT_H

#include <stddef.h>

/* Nothing fails while it is not armed. Both are counted from 1; 0: none fails. */
void inject_arm(int on);
int inject_is_armed(void);

/* ---- allocations: Lua's and malloc's ---- */

enum {
    ALLOC_ONCE,  /* one request fails; Lua from 5.2 on collects and asks again */
    ALLOC_TWICE, /* this second request fails, too */
    ALLOC_ON,    /* and every one after it */
    ALLOC_MODES
};
enum { ALLOC_COUNTED = -1 }; /* none fails, and requests are counted */
void alloc_plan(long nth, int mode);
long alloc_requests(void); /* since the plan was made, while armed */
long alloc_failures(void);

void *alloc_for_lua(void *nothing, void *block, size_t before, size_t size);
size_t alloc_lua_bytes(void);
size_t alloc_c_bytes(void);

/* What the calling thread allocates now is the C library's own, and none of our business. */
void alloc_ignore(int on);

/* The same, but it fails as all else does. */
void alloc_uncounted(int on);

/* ---- system calls ---- */

typedef struct Call {
    const char *name;
    int errors[24]; /* errnos, or codes of getaddrinfo; 0 after the last */
} Call;

extern const Call fault_calls[];
extern const int fault_call_count;
int fault_is_gai(int call); /* do its errors come from getaddrinfo? */

void fault_plan(int call, long nth, int error);
void fault_plan_random(unsigned seed);
long fault_failures(void);
long fault_seen(int call); /* calls since the plan was made */
long fault_threads(void);  /* that were ever started */
int fault_bad_close(void); /* how often a descriptor was closed that was not open */

#endif
