/* Runs the scenarios that scene.lua finds, each many times in a state of its own, while one thing after another fails:
     torture alloc [SCENARIO]                each allocation, in each of the ways of inject.h
     torture faults [SCENARIO]               each system call, with each of its errors
     torture random SEED ROUNDS [SCENARIO]   calls that are interrupted, would block, or do a part of the work
     torture collect [SCENARIO]              nothing, but the collector never rests, and finalizers use the library
     torture names                           which public functions no scenario calls
   After each run the state is closed, and nothing may be left: no descriptor, no byte. What the run was told is judged
   by scene.lua. Ends with "N passed, N failed": a scenario is one. */
#define _GNU_SOURCE
#include "chunks.h"
#include "collect.h"
#include "inject.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if LUA_VERSION_NUM == 501
#define lua_rawlen lua_objlen
#endif

int luaopen_lsocket(lua_State *L);
int luaopen_toy(lua_State *L); /* the layer of spec/layer/ */
#ifdef TORTURE_TLS
int luaopen_lsocket_tls(lua_State *L);
#endif

enum {
    DESCRIPTORS = 256,
    SECONDS = 30,   /* for a run; five times as many while the collector never rests */
    FRAMES = 50,    /* of the stack, told when it crashes */
    PASSED = 3,     /* the first descriptor that systemd passes */
    ALLOCATIONS = 5 /* the most for each cycle of a collector that does not rest */
};

/* What is to fail in the run that is going on. */
typedef struct Order {
    const char *mode; /* "plain", "alloc", "faults", "random", "collect" */
    const char *scenario;
    int how, call, error; /* of the mode; collect: instructions between two cycles, 0: any number */
    long nth;
    unsigned seed;
} Order;

typedef struct Left {
    size_t c_bytes, lua_bytes;
    char open[DESCRIPTORS];
} Left;

static Order order;
static char called[200][48]; /* names of public functions */
static int call_count, verbose, resting; /* resting: the collector does */
static long injected, runs;

/* ---- saying where it is ---- */

static const char *describe(void) {
    static const char *const ways[] = { "once", "twice", "for good" };
    static char text[200];
    if (strcmp(order.mode, "alloc") == 0)
        snprintf(text, sizeof text, "%s: allocation %ld fails %s", order.scenario, order.nth, ways[order.how]);
    else if (strcmp(order.mode, "faults") == 0)
        snprintf(text, sizeof text, "%s: %s no. %ld fails with %s", order.scenario, fault_calls[order.call].name,
                 order.nth, fault_is_gai(order.call) ? gai_strerror(order.error) : strerrorname_np(order.error));
    else if (strcmp(order.mode, "random") == 0)
        snprintf(text, sizeof text, "%s: seed %u", order.scenario, order.seed);
    else snprintf(text, sizeof text, "%s: nothing fails", order.scenario);
    return text;
}

/* A crash, or an endless run: where it was, for addr2line(1). What is left undone here ends with the process. */
static void die(int number) {
    void *frames[FRAMES];
    printf("FAILED  %s: signal %d (%s), %s thread\n", describe(), number, strsignal(number),
           syscall(SYS_gettid) == getpid() ? "the main" : "another");
    fflush(stdout);
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDOUT_FILENO);
    printf("0 passed, 1 failed\n");
    fflush(stdout);
    _exit(1);
}

/* An error that nothing catches, after which Lua aborts. */
static int panic(lua_State *L) {
    printf("FAILED  %s: an error outside of every call: %s\n", describe(), lua_tostring(L, -1));
    fflush(stdout);
    return 0;
}

static void complain(const char *problem) {
    printf("FAILED  %s: %s\n", describe(), problem);
}

/* ---- what is left ---- */

static int is_open(int fd) { return syscall(SYS_fcntl, fd, F_GETFD, 0L) >= 0; }

static void look(Left *left) {
    struct pollfd entries[DESCRIPTORS];
    struct timespec none = { 0, 0 };
    int fd;
    left->c_bytes = alloc_c_bytes();
    left->lua_bytes = alloc_lua_bytes();
    for (fd = 0; fd < DESCRIPTORS; fd++) entries[fd] = (struct pollfd){ fd, 0, 0 };
    syscall(SYS_ppoll, entries, (long)DESCRIPTORS, &none, NULL, (size_t)8);
    for (fd = 0; fd < DESCRIPTORS; fd++) left->open[fd] = !(entries[fd].revents & POLLNVAL);
}

/* What is left that was not there before; NULL: nothing. */
static const char *compare(const Left *before) {
    static char text[100];
    Left now;
    int fd;
    look(&now);
    for (fd = 0; fd < DESCRIPTORS; fd++) {
        if (now.open[fd] == before->open[fd]) continue;
        snprintf(text, sizeof text, "descriptor %d is %s", fd, now.open[fd] ? "left open" : "closed");
        return text;
    }
    snprintf(text, sizeof text, "%ld bytes of Lua's are left", (long)(now.lua_bytes - before->lua_bytes));
    if (now.lua_bytes != before->lua_bytes) return text;
    snprintf(text, sizeof text, "%ld bytes of malloc's are left", (long)(now.c_bytes - before->c_bytes));
    return now.c_bytes > before->c_bytes ? text : NULL;
}

static int count_threads(void) {
    DIR *dir = opendir("/proc/self/task");
    int n = 0;
    while (dir && readdir(dir)) n++;
    if (dir) closedir(dir);
    return n - 2; /* . and .. */
}

/* Threads that look names up end by themselves, see faults.c. */
static void await_threads(void) {
    struct timespec moment = { 0, 100000 };
    int i;
    for (i = 0; i < 200000 && count_threads() > 1; i++) nanosleep(&moment, NULL);
}

/* ---- the table "torture", which scene.lua has ---- */

/* fired() -> has it failed? */
static int lua_fired(lua_State *L) {
    lua_pushboolean(L, alloc_failures() + fault_failures() > 0);
    return 1;
}

/* arm(on) -> whether it was;  on: from now on things may fail */
static int lua_arm(lua_State *L) {
    int before = inject_is_armed();
    inject_arm(lua_toboolean(L, 1));
    lua_pushboolean(L, before);
    return 1;
}

/* wait(fd, events, milliseconds) -> has it become ready within that time, or within 5 seconds? */
static int lua_wait(lua_State *L) {
    long milliseconds = (long)luaL_optinteger(L, 3, 5000);
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    struct pollfd entry;
    entry.fd = (int)luaL_checkinteger(L, 1);
    entry.events = *luaL_checkstring(L, 2) == 'r' ? POLLIN : POLLOUT;
    lua_pushboolean(L, syscall(SYS_ppoll, &entry, 1, &time, NULL, (size_t)8) > 0);
    return 1;
}

/* pipe() -> descriptor to read, descriptor to write */
static int lua_pipe(lua_State *L) {
    int fds[2];
    if (syscall(SYS_pipe2, fds, O_CLOEXEC) < 0) return luaL_error(L, "no pipe");
    lua_pushinteger(L, fds[0]);
    lua_pushinteger(L, fds[1]);
    return 2;
}

/* raise(): sends USR1 to this thread */
static int lua_raise(lua_State *L) {
    (void)L;
    return raise(SIGUSR1), 0;
}

/* close(fd): if it is open */
static int lua_close_fd(lua_State *L) {
    syscall(SYS_close, (int)luaL_checkinteger(L, 1));
    return 0;
}

/* pass(): puts two sockets where systemd passes them; harmless where those descriptors are open already */
static int lua_pass(lua_State *L) {
    char number[24];
    int fds[2];
    if (is_open(PASSED) || is_open(PASSED + 1)) return luaL_error(L, "descriptor 3 or 4 is open");
    if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds) < 0) return luaL_error(L, "no sockets");
    snprintf(number, sizeof number, "%ld", (long)getpid());
    alloc_ignore(1);
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "one:two", 1);
    alloc_ignore(0);
    return 0;
}

/* called(name): this public function was called */
static int lua_called(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    int i;
    for (i = 0; i < call_count; i++)
        if (strcmp(called[i], name) == 0) return 0;
    snprintf(called[call_count++], sizeof called[0], "%s", name);
    return 0;
}

static void set_text(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void push_torture(lua_State *L) {
    static const luaL_Reg functions[] = {
        { "fired", lua_fired }, { "arm", lua_arm },        { "wait", lua_wait }, { "pipe", lua_pipe },
        { "close", lua_close_fd }, { "pass", lua_pass }, { "called", lua_called },
        { "raise", lua_raise }, { NULL, NULL },
    };
    const luaL_Reg *f;
    lua_newtable(L);
    for (f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    set_text(L, "mode", order.mode);
    set_text(L, "scenario", order.scenario);
    if (strcmp(order.mode, "faults") != 0) return;
    set_text(L, "call", fault_calls[order.call].name);
    set_text(L, "text", fault_is_gai(order.call) ? gai_strerror(order.error) : strerror(order.error));
    if (!fault_is_gai(order.call)) set_text(L, "error", strerrorname_np(order.error));
}

/* ---- a run ---- */

static void check(lua_State *L, int status) {
    if (status == 0) return;
    complain(lua_tostring(L, -1));
    exit(1);
}

/* Calls a function of scene.lua, whose table is at 1, with what is on the stack above it. */
static void call_scene(lua_State *L, const char *name, int results) {
    lua_getfield(L, 1, name);
    lua_insert(L, 2);
    check(L, lua_pcall(L, lua_gettop(L) - 2, results, 0));
}

static lua_State *new_state(void) {
#if LUA_VERSION_NUM >= 505
    lua_State *L = lua_newstate(alloc_for_lua, NULL, 1);
#else
    lua_State *L = lua_newstate(alloc_for_lua, NULL);
#endif
    lua_atpanic(L, panic);
    luaL_openlibs(L);
    chunks_open(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_lsocket);
    lua_setfield(L, -2, "lsocket");
    lua_pushcfunction(L, luaopen_toy);
    lua_setfield(L, -2, "toy");
#ifdef TORTURE_TLS
    lua_pushcfunction(L, luaopen_lsocket_tls);
    lua_setfield(L, -2, "lsocket.tls");
#endif
    lua_settop(L, 0);
    push_torture(L);
    lua_setglobal(L, "torture");
    check(L, chunks_load(L, "spec/torture/scene.lua"));
    check(L, lua_pcall(L, 0, 1, 0));
    if (resting) lua_gc(L, LUA_GCSTOP, 0);
    return L;
}

static int collecting(void) { return strcmp(order.mode, "collect") == 0; }

/* Calls the function on top as pcall does, under the collector. */
static int play_collecting(lua_State *L) {
    int status;
    lua_getfield(L, 1, "intrude");
    collect_always(L, order.how);
    status = lua_pcall(L, 0, 0, 0);
    collect_rarely(L);
    return status;
}

/* Runs the scenario; the problem, which the caller frees, or NULL. */
static char *play(void) {
    lua_State *L = new_state();
    char *problem = NULL;
    int status;
    alarm(collecting() ? 5 * SECONDS : SECONDS);
    call_scene(L, "prepare", 1);
    inject_arm(1);
    status = collecting() ? play_collecting(L) : lua_pcall(L, 0, 0, 0);
    inject_arm(0);
    if (status == 0) lua_settop(L, 1);
    call_scene(L, "judge", 1); /* given the error, if there is one */
    if (lua_isstring(L, 2)) problem = strdup(lua_tostring(L, 2));
    lua_settop(L, 1);
    call_scene(L, "finish", 0);
    lua_close(L);
    alarm(0);
    runs++;
    injected += alloc_failures() + fault_failures();
    return problem;
}

static void plan(void) {
    alloc_plan(0, ALLOC_ONCE);
    fault_plan(0, 0, 0);
    if (strcmp(order.mode, "alloc") == 0) alloc_plan(order.nth, order.how);
    if (collecting()) alloc_plan(ALLOC_COUNTED, ALLOC_ONCE);
    if (strcmp(order.mode, "faults") == 0) fault_plan(order.call, order.nth, order.error);
    if (strcmp(order.mode, "random") == 0) fault_plan_random(order.seed);
}

/* As play, and sees to it that nothing is left. */
static const char *play_alone(void) {
    static char text[500];
    const char *left;
    Left before;
    long threads = fault_threads();
    char *problem;
    look(&before);
    plan();
    problem = play();
    if (problem) snprintf(text, sizeof text, "%s", problem);
    free(problem);
    if (problem) return text;
    if (fault_threads() > threads) await_threads();
    left = compare(&before);
    return !left && fault_bad_close() ? "a descriptor is closed that is not open" : left;
}

/* What the C library allocates when something happens for the first time, and keeps, is there the second time; but it
   may happen later, as when more threads than ever before look names up at the same moment. And a finalizer that Lua
   has no memory to call is never called: so the collector rests from the second time on. A leak comes each time. */
static int run(void) {
    const char *problem = play_alone();
    int times = 10;
    for (resting = 1; problem && strstr(problem, "left") && times > 0; times--) problem = play_alone();
    resting = 0;
    if (problem) complain(problem);
    return problem == NULL;
}

static int has_failed(void) { return alloc_failures() + fault_failures() > 0; }

/* ---- the modes: each runs one scenario, and answers how many runs were wrong ---- */

static int run_plain(void) {
    order.mode = "plain";
    return !run();
}

/* OpenSSL allocates thousands of times in a handshake: of those TORTURE_STEP says how many to leave out. */
static long step_of(const char *scenario) {
    const char *step = getenv("TORTURE_STEP");
    if (strncmp(scenario, "TLS", 3) != 0) return 1;
    return step ? strtol(step, NULL, 10) : 97;
}

static int run_alloc(void) {
    int wrong = 0;
    long step = step_of(order.scenario);
    order.mode = "alloc";
    for (order.how = 0; order.how < ALLOC_MODES; order.how++) {
        order.nth = order.how + 1 - step;
        do {
            order.nth += step;
            wrong += !run();
        } while (has_failed() && wrong < 20);
    }
    return wrong;
}

static int run_faults(void) {
    const int *error;
    int wrong = 0;
    for (order.call = 0; order.call < fault_call_count; order.call++) {
        for (error = fault_calls[order.call].errors; *error && wrong < 20; error++) {
            order.mode = "faults";
            order.error = *error;
            order.nth = 0;
            do {
                order.nth++;
                wrong += !run();
            } while (has_failed() && wrong < 20);
            if (order.nth == 1) break; /* the scenario makes no such call */
        }
    }
    return wrong;
}

static unsigned first_seed = 1, rounds = 1;

static int run_random(void) {
    int wrong = 0;
    order.mode = "random";
    for (order.seed = first_seed; order.seed < first_seed + rounds && wrong < 20; order.seed++) wrong += !run();
    return wrong;
}

static long requested, answered; /* allocations, and the cycles that ran for them */

/* With a cycle at every allocation, which are compared; then also at every instruction. */
static int run_collect(void) {
    long cycles = collect_cycles();
    order.mode = "collect";
    order.how = 0;
    if (!run()) return 1;
    cycles = collect_cycles() - cycles;
    answered += cycles;
    requested += alloc_requests();
    if (verbose) printf("%s: %ld cycles, %ld allocations\n", order.scenario, cycles, alloc_requests());
    if (cycles < alloc_requests() / ALLOCATIONS) {
        complain("the collector rests");
        return 1;
    }
    order.how = 1;
    return !run();
}

/* ---- all of them ---- */

/* Pushes the names of the scenarios; its state is the caller's. */
static lua_State *list_scenarios(void) {
    lua_State *L;
    order.mode = "plain";
    order.scenario = "none";
    L = new_state();
    lua_getfield(L, 1, "names");
    return L;
}

static int count_missing(void) {
    lua_State *L = new_state();
    int i, missing;
    lua_newtable(L);
    for (i = 0; i < call_count; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, called[i]);
    }
    call_scene(L, "missing", 1);
    missing = (int)lua_rawlen(L, 2);
    for (i = 1; i <= missing; i++) {
        lua_rawgeti(L, 2, i);
        printf("FAILED  no scenario calls %s\n", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_close(L);
    return missing;
}

static void watch_signals(void) {
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGALRM };
    void *frame;
    size_t i;
    backtrace(&frame, 1); /* loads what it needs, which it cannot in a crash */
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) signal(numbers[i], die);
}

int main(int argc, char **argv) {
    static char buffer[BUFSIZ];
    const char *mode = argc > 1 ? argv[1] : "", *only;
    int random = strcmp(mode, "random") == 0, names = strcmp(mode, "names") == 0, passed = 0, failed = 0, i, count;
    int collect = strcmp(mode, "collect") == 0;
    int (*run_scenario)(void) = random ? run_random : strcmp(mode, "alloc") == 0 ? run_alloc
                              : collect ? run_collect : run_faults;
    lua_State *scenarios;
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
    if (random && argc > 3) {
        first_seed = (unsigned)strtoul(argv[2], NULL, 10);
        rounds = (unsigned)strtoul(argv[3], NULL, 10);
    }
    only = argc > (random ? 4 : 2) ? argv[random ? 4 : 2] : NULL;
    verbose = getenv("TORTURE_VERBOSE") != NULL;
    watch_signals();
    scenarios = list_scenarios();
    count = (int)lua_rawlen(scenarios, -1);
    for (i = 1; i <= count; i++) {
        long before = injected;
        int wrong;
        lua_rawgeti(scenarios, 2, i);
        order.scenario = lua_tostring(scenarios, -1); /* which stays, in the list */
        lua_pop(scenarios, 1);
        if (only && strcmp(only, order.scenario) != 0) continue;
        wrong = run_plain();
        if (!wrong && !names) wrong = run_scenario();
        if (wrong) failed++;
        else passed++;
        if (verbose) printf("%s: %ld injected\n", order.scenario, injected - before);
    }
    if (names) failed += count_missing();
    lua_close(scenarios);
    if (random) printf("seeds %u to %u\n", first_seed, first_seed + rounds - 1);
    if (collect)
        printf("%ld cycles at %ld allocations, %ld in all\n", answered, requested, collect_cycles());
    printf("%ld failures injected in %ld runs\n%d passed, %d failed\n", injected, runs, passed, failed);
    return failed > 0;
}
