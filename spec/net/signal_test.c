/* Signals: who is told of them, and what is left of the program's own handling of them. */
#include "net/signal.h"

#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE = 20000 /* milliseconds; a wait that works ends at once */ };

/* ---- what the tests need ---- */

static sigset_t set_of(int first, int second) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    sigaddset(&set, second);
    return set;
}

static ls_Signals *listener(int first, int second) {
    sigset_t set = set_of(first, second);
    ls_Signals *s = NULL;
    assert_int_equal(ls_signal_open(&set, &s), 0);
    return s;
}

static int is_readable(const ls_Signals *s, int milliseconds) {
    struct pollfd entry = { ls_signal_getfd(s), POLLIN, 0 };
    int ready;
    do ready = poll(&entry, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    return ready == 1 && entry.revents & POLLIN;
}

static int next(ls_Signals *s) {
    int number = ls_signal_waiting(s);
    return number && ls_signal_take(s, number) ? number : 0;
}

static int await(ls_Signals *s) { return is_readable(s, PATIENCE) ? next(s) : 0; }

static volatile sig_atomic_t own_calls;

static void own_handler(int number) { own_calls += number; }

static void (*handler_of(int number))(int) {
    struct sigaction action;
    assert_int_equal(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

static void put(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

static int status_of(pid_t child) {
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* ---- telling ---- */

static void a_signal_is_told_once(void **state) {
    ls_Signals *s = listener(SIGUSR1, SIGUSR2);
    (void)state;
    assert_false(is_readable(s, 0));
    assert_int_equal(next(s), 0);
    raise(SIGUSR1);
    assert_true(is_readable(s, 0));
    assert_int_equal(ls_signal_waiting(s), SIGUSR1);
    assert_true(is_readable(s, 0));
    assert_true(ls_signal_take(s, SIGUSR1));
    assert_false(ls_signal_take(s, SIGUSR1));
    assert_false(is_readable(s, 0));
    assert_int_equal(next(s), 0);
    ls_signal_close(s);
}

static void a_burst_loses_no_name(void **state) {
    ls_Signals *s = listener(SIGUSR1, SIGUSR2);
    int i;
    (void)state;
    for (i = 0; i < 100000; i++) raise(i % 2 ? SIGUSR1 : SIGUSR2);
    assert_int_equal(next(s) + next(s), SIGUSR1 + SIGUSR2);
    assert_int_equal(next(s), 0);
    assert_false(is_readable(s, 0));
    ls_signal_close(s);
}

static void none_is_kept_from_being_told_by_another(void **state) {
    ls_Signals *s = listener(SIGHUP, SIGTERM);
    int i;
    (void)state;
    raise(SIGTERM);
    for (i = 0; i < 2; i++) {
        raise(SIGHUP);
        if (next(s) == SIGTERM) break;
    }
    assert_int_equal(i, 1);
    ls_signal_close(s);
}

static void each_listener_is_told(void **state) {
    ls_Signals *one = listener(SIGUSR1, SIGUSR2), *other = listener(SIGUSR1, SIGUSR1);
    (void)state;
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(next(one) + next(one), SIGUSR1 + SIGUSR2);
    assert_int_equal(next(other), SIGUSR1);
    assert_int_equal(next(other), 0);
    ls_signal_close(one);
    raise(SIGUSR1);
    assert_int_equal(next(other), SIGUSR1);
    ls_signal_close(other);
}

static void what_a_listener_was_not_asked_is_not_told_to_the_next(void **state) {
    ls_Signals *s = listener(SIGUSR1, SIGUSR1);
    (void)state;
    raise(SIGUSR1);
    ls_signal_close(s);
    s = listener(SIGUSR1, SIGUSR2);
    assert_int_equal(next(s), 0);
    assert_false(is_readable(s, 0));
    ls_signal_close(s);
}

static void errno_stays(void **state) {
    ls_Signals *s = listener(SIGUSR1, SIGUSR1);
    (void)state;
#if LS_HAVE_EVENTFD
    close(ls_signal_getfd(s)); /* so that ringing fails; the other end of a pipe is not to be had */
#endif
    errno = ENOTTY;
    raise(SIGUSR1);
    assert_int_equal(errno, ENOTTY);
#if LS_HAVE_EVENTFD
    assert_int_equal(dup2(STDERR_FILENO, ls_signal_getfd(s)), ls_signal_getfd(s));
#endif
    assert_int_equal(next(s), SIGUSR1);
    ls_signal_close(s);
}

/* ---- what was there before ---- */

static void the_last_one_puts_back_what_was_there(void **state) {
    void (*const handlers[])(int) = { SIG_DFL, SIG_IGN, own_handler };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(handlers); i++) {
        ls_Signals *one, *other;
        put(SIGUSR1, handlers[i]);
        one = listener(SIGUSR1, SIGUSR1);
        other = listener(SIGUSR1, SIGUSR1);
        ls_signal_close(one);
        assert_true(handler_of(SIGUSR1) != handlers[i]);
        ls_signal_close(other);
        assert_true(handler_of(SIGUSR1) == handlers[i]);
    }
    put(SIGUSR1, SIG_DFL);
}

static void the_programs_handler_rests_meanwhile(void **state) {
    ls_Signals *s;
    (void)state;
    put(SIGUSR1, own_handler);
    own_calls = 0;
    s = listener(SIGUSR1, SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(own_calls, 0);
    ls_signal_close(s);
    raise(SIGUSR1);
    assert_int_equal(own_calls, SIGUSR1);
    put(SIGUSR1, SIG_DFL);
}

static void a_handler_that_was_put_in_place_meanwhile_stays(void **state) {
    ls_Signals *s = listener(SIGUSR1, SIGUSR1), *other;
    (void)state;
    own_calls = 0;
    put(SIGUSR1, own_handler);
    ls_signal_close(s);
    assert_true(handler_of(SIGUSR1) == own_handler);
    s = listener(SIGUSR1, SIGUSR1);
    put(SIGUSR1, SIG_IGN);
    other = listener(SIGUSR1, SIGUSR1); /* listens all the same, and so does the first again */
    raise(SIGUSR1);
    assert_int_equal(next(s), SIGUSR1);
    assert_int_equal(next(other), SIGUSR1);
    ls_signal_close(s);
    ls_signal_close(other);
    assert_true(handler_of(SIGUSR1) == SIG_IGN);
    put(SIGUSR1, SIG_DFL);
}

/* As system(3) does with INT and QUIT, if the last one closes while it waits. */
static void put_back_late(int number, void (*before)(int)) {
    struct sigaction ours;
    ls_Signals *s;
    put(number, before);
    s = listener(number, number);
    assert_int_equal(sigaction(number, NULL, &ours), 0);
    put(number, SIG_IGN);
    ls_signal_close(s);
    assert_int_equal(sigaction(number, &ours, NULL), 0);
}

static void a_handler_that_was_put_back_late_steps_aside(void **state) {
    ls_Signals *s;
    pid_t child;
    (void)state;
    own_calls = 0;
    put_back_late(SIGUSR1, own_handler);
    raise(SIGUSR1);
    assert_int_equal(own_calls, SIGUSR1);
    assert_true(handler_of(SIGUSR1) == own_handler);
    put_back_late(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    assert_true(handler_of(SIGUSR1) == SIG_IGN);
    put_back_late(SIGUSR1, own_handler);
    s = listener(SIGUSR1, SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(next(s), SIGUSR1);
    ls_signal_close(s);
    assert_true(handler_of(SIGUSR1) == own_handler);
    child = fork();
    if (child == 0) {
        put_back_late(SIGTERM, SIG_DFL);
        raise(SIGTERM);
        leave(0);
    }
    assert_int_equal(WTERMSIG(status_of(child)), SIGTERM);
    put(SIGUSR1, SIG_DFL);
}

static void nothing_is_left_where_no_descriptor_is(void **state) {
    struct rlimit before, none;
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    ls_Signals *s;
    (void)state;
    ls_signal_close(listener(SIGUSR1, SIGUSR2));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(ls_signal_open(&set, &s), EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
    ls_signal_close(listener(SIGUSR1, SIGUSR2));
}

static void nothing_is_left_where_no_handler_can_be(void **state) {
    sigset_t set = set_of(SIGUSR1, SIGSTOP);
    ls_Signals *s;
    (void)state;
    assert_int_equal(ls_signal_open(&set, &s), EINVAL);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
    s = listener(SIGUSR1, SIGUSR2);
    raise(SIGUSR1);
    assert_int_equal(next(s), SIGUSR1);
    ls_signal_close(s);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
}

static void many_listen(void **state) {
    ls_Signals *many[60];
    size_t round, i;
    (void)state;
    for (round = 0; round < 3; round++) {
        for (i = 0; i < COUNT(many); i++) many[i] = listener(SIGUSR1, i % 2 ? SIGUSR2 : SIGUSR1);
        raise(SIGUSR1);
        raise(SIGUSR2);
        for (i = 0; i < COUNT(many); i++) {
            assert_int_equal(next(many[i]) + next(many[i]), i % 2 ? SIGUSR1 + SIGUSR2 : SIGUSR1);
            ls_signal_close(many[i]);
        }
    }
    assert_true(handler_of(SIGUSR1) == SIG_DFL && handler_of(SIGUSR2) == SIG_DFL);
}

/* ---- threads ---- */

static void mask(int how, int number) {
    sigset_t set = set_of(number, number);
    assert_int_equal(pthread_sigmask(how, &set, NULL), 0);
}

static int go_on; /* behind the mutex */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int goes_on(void) {
    int on;
    pthread_mutex_lock(&gate);
    on = go_on;
    pthread_mutex_unlock(&gate);
    return on;
}

static void set_going(int on) {
    pthread_mutex_lock(&gate);
    go_on = on;
    pthread_mutex_unlock(&gate);
}

static void *idle(void *number) {
    struct timespec moment = { 0, 1000000 };
    mask(SIG_UNBLOCK, *(int *)number);
    while (goes_on()) nanosleep(&moment, NULL);
    return NULL;
}

static void a_signal_comes_through_any_thread_that_does_not_block_it(void **state) {
    int number = SIGUSR1;
    ls_Signals *s = listener(number, number);
    pthread_t thread;
    (void)state;
    mask(SIG_BLOCK, number);
    kill(getpid(), number);
    assert_false(is_readable(s, 20)); /* every thread blocks it */
    set_going(1);
    assert_int_equal(pthread_create(&thread, NULL, idle, &number), 0);
    assert_int_equal(await(s), number);
    pthread_kill(thread, number);
    assert_int_equal(await(s), number);
    kill(getpid(), number);
    assert_int_equal(await(s), number);
    set_going(0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mask(SIG_UNBLOCK, number);
    assert_int_equal(next(s), 0);
    ls_signal_close(s);
}

static void *write_later(void *fd) {
    struct timespec moment = { 0, 50000000 };
    nanosleep(&moment, NULL);
    assert_int_equal(write(*(int *)fd, "x", 1), 1);
    return NULL;
}

static void *disturb(void *main_thread) {
    struct timespec moment = { 0, 10000000 };
    nanosleep(&moment, NULL);
    pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    return NULL;
}

/* qemu-user's emulation of i386 dies where signals come to several threads, and where a process forks then. */
static void need_signals(void) { need_kernel("signals to threads, where pointers are short", sizeof(void *) > 4); }

static void calls_go_on_after_it(void **state) {
    need_signals();
    ls_Signals *s;
    pthread_t self = pthread_self(), writer, other;
    int ends[2];
    char byte;
    (void)state;
    s = listener(SIGUSR1, SIGUSR1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_later, &ends[1]), 0);
    assert_int_equal(pthread_create(&other, NULL, disturb, &self), 0);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    pthread_join(writer, NULL);
    pthread_join(other, NULL);
    assert_int_equal(await(s), SIGUSR1);
    close(ends[0]);
    close(ends[1]);
    ls_signal_close(s);
}

enum { OPENERS = 3, ROUNDS = 300 };

/* Opens, is told, closes; the signals of the others come at any moment. */
static void *open_and_close(void *nothing) {
    int i;
    for (i = 0; i < ROUNDS; i++) {
        ls_Signals *s = listener(SIGUSR1, i % 2 ? SIGUSR2 : SIGUSR1);
        kill(getpid(), SIGUSR1);
        pthread_kill(pthread_self(), SIGUSR1);
        if (await(s) == SIGUSR2) assert_int_equal(await(s), SIGUSR1);
        ls_signal_close(s);
    }
    return nothing;
}

static void listeners_come_and_go_in_threads(void **state) {
    need_signals();
    ls_Signals *keeper = listener(SIGUSR1, SIGUSR2); /* or a signal could find nobody */
    pthread_t threads[OPENERS];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    for (i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(await(keeper), SIGUSR1);
    ls_signal_close(keeper);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
}

/* ---- processes ---- */

static int has_its_own(ls_Signals *s, pid_t parent) {
    int fine = !is_readable(s, 0) && next(s) == 0; /* what came before is the parent's */
    fine = fine && (fcntl(ls_signal_getfd(s), F_GETFD) & FD_CLOEXEC);
    raise(SIGUSR1);
    fine = fine && next(s) == SIGUSR1 && getppid() == parent;
    raise(SIGUSR2); /* which the parent must not see */
    ls_signal_close(s);
    return fine && handler_of(SIGUSR1) == SIG_DFL;
}

static void a_child_listens_for_itself(void **state) {
    need_signals();
    ls_Signals *s = listener(SIGUSR1, SIGUSR2);
    pid_t self = getpid(), child;
    (void)state;
    raise(SIGUSR1);
    child = fork();
    if (child == 0) {
        alarm(PATIENCE / 1000);
        leave(has_its_own(s, self) ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
    assert_int_equal(next(s), SIGUSR1);
    assert_int_equal(next(s), 0);
    assert_false(is_readable(s, 0));
    raise(SIGUSR2);
    assert_int_equal(await(s), SIGUSR2);
    ls_signal_close(s);
}

static void a_fork_leaves_the_mask_alone(void **state) {
    need_signals();
    sigset_t before, after;
    pid_t child;
    (void)state;
    ls_signal_close(listener(SIGUSR1, SIGUSR1));
    mask(SIG_BLOCK, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    child = fork();
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    if (child == 0) leave(sigismember(&after, SIGUSR2) == 1 && sigismember(&after, SIGUSR1) == 0 ? 0 : 1);
    assert_int_equal(status_of(child), 0);
    assert_true(sigismember(&after, SIGUSR2) == 1 && sigismember(&after, SIGUSR1) == sigismember(&before, SIGUSR1));
    mask(SIG_UNBLOCK, SIGUSR2);
}

/* A vfork(2) shares the memory, and the descriptors are copies that lead to the parent's bell. */
static void what_reaches_a_child_past_fork_is_not_told_to_the_parent(void **state) {
    need_signals();
    ls_Signals *s = listener(SIGUSR1, SIGUSR1);
    pid_t child;
    (void)state;
    child = vfork();
    if (child == 0) {
        kill(getpid(), SIGUSR1);
        _exit(0);
    }
    assert_int_equal(status_of(child), 0);
    assert_false(is_readable(s, 0));
    assert_int_equal(next(s), 0);
    ls_signal_close(s);
}

static void executed_programs_start_with_the_default(void **state) {
    need_signals();
    ls_Signals *s = listener(SIGTERM, SIGINT);
    pid_t child;
    (void)state;
    child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "kill -TERM $$; exit 0", (char *)NULL);
        leave(1);
    }
    assert_int_equal(WTERMSIG(status_of(child)), SIGTERM);
    assert_false(is_readable(s, 0));
    ls_signal_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(a_signal_is_told_once),
        TEST_OPEN(a_burst_loses_no_name),
        TEST_OPEN(none_is_kept_from_being_told_by_another),
        TEST_OPEN(each_listener_is_told),
        TEST_OPEN(what_a_listener_was_not_asked_is_not_told_to_the_next),
        TEST_OPEN(errno_stays),
        TEST_OPEN(the_last_one_puts_back_what_was_there),
        TEST_OPEN(the_programs_handler_rests_meanwhile),
        TEST_OPEN(a_handler_that_was_put_in_place_meanwhile_stays),
        TEST_OPEN(a_handler_that_was_put_back_late_steps_aside),
        TEST_OPEN(nothing_is_left_where_no_descriptor_is),
        TEST_OPEN(nothing_is_left_where_no_handler_can_be),
        TEST_OPEN(many_listen),
        TEST_OPEN(a_signal_comes_through_any_thread_that_does_not_block_it),
        TEST_OPEN(calls_go_on_after_it),
        TEST_OPEN(listeners_come_and_go_in_threads),
        TEST_OPEN(a_child_listens_for_itself),
        TEST_OPEN(a_fork_leaves_the_mask_alone),
        TEST_OPEN(what_reaches_a_child_past_fork_is_not_told_to_the_parent),
        TEST_OPEN(executed_programs_start_with_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
