/* Look-ups in a process that forks, over a resolver that does as it is told. */
#include "query_check.h"

#include <sys/resource.h>
#include <sys/wait.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* In the child: nobody waits for the resolver any more. */
static void renew_resolver(void) {
    alarm(PATIENCE / 1000);
    pthread_mutex_init(&resolver.mutex, NULL);
    pthread_cond_init(&resolver.changed, NULL);
}

/* In the child: what ran or waited is begun anew, and what it does there is its own affair. */
static int goes_on_in_child(ls_Query *running, ls_Query *waiting, ls_Query *done, int fd) {
    int fine = is_readable(fd, 0); /* whoever waits must come and ask */
    fine = fine && told_answer(running) == LS_QUERY_RUNNING && !is_readable(fd, 20) && told_fd(running) == fd;
    fine = fine && (fcntl(fd, F_GETFD) & FD_CLOEXEC) && told_answer(done) == 0;
    told_query_drop(waiting);
    set_gate(1);
    fine = fine && await_answer(running) == 0 && told_answer(running) == 0;
    told_query_drop(running);
    told_query_drop(done);
    return fine;
}

static void look_ups_survive_a_fork_on_both_sides(void **state) {
    ls_Query *q[THREADS], *done = (start_over(), told("done")), *dropped = told("held");
    size_t i;
    int fd, status = -1;
    double started;
    pid_t child;
    (void)state;
    assert_int_equal(await_answer(done), 0);
    await_figure(&resolver.asked, 2);
    told_query_drop(dropped);
    for (i = 0; i < COUNT(q); i++) q[i] = told("held");
    fd = told_fd(q[0]);
    await_figure(&resolver.asked, THREADS + 1); /* one waits, as what was dropped has a place */
    started = now();
    child = fork();
    if (child == 0) {
        renew_resolver();
        leave(goes_on_in_child(q[0], q[THREADS - 1], done, fd) ? 0 : 1);
    }
    assert_true(now() - started < PATIENCE / 1000.0); /* it waits for none that hangs */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(is_readable(fd, 20));
    assert_int_equal(told_answer(q[0]), LS_QUERY_RUNNING);
    set_gate(1);
    for (i = 0; i < COUNT(q); i++) {
        assert_int_equal(await_answer(q[i]), 0);
        told_query_drop(q[i]);
    }
    told_query_drop(done);
    await_workers(0);
    assert_int_equal(resolver.lists_out, 0);
}

/* It may hold locks of the C library, as one that asks may. */
static void a_fork_waits_for_a_thread_that_starts(void **state) {
    ls_Query *q;
    int status = -1;
    pid_t child;
    (void)state;
    start_over();
    resolver.late = 1;
    q = told("name");
    child = fork();
    if (child == 0) {
        int begun = resolver.late == 2;
        resolver.late = 0;
        renew_resolver();
        leave(begun && await_answer(q) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(resolver.late, 2);
    resolver.late = 0;
    assert_int_equal(await_answer(q), 0);
    told_query_drop(q);
}

static void a_fork_without_look_ups_costs_nothing(void **state) {
    double started = (start_over(), now());
    int i, status;
    (void)state;
    for (i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) leave(0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    assert_true(now() - started < i * FORK_MILLISECONDS / 1000.0);
}

/* In the child: no descriptor can be had, and that of the parent must not become readable. */
static int asks_without_descriptors(ls_Query *q, int fd) {
    int fine = is_readable(fd, 0) && told_fd(q) == fd && told_answer(q) == LS_QUERY_RUNNING && !is_readable(fd, 0);
    set_gate(1);
    return fine && await_answer(q) == 0 && told_fd(q) == fd;
}

static void a_child_without_descriptors_has_a_bell_of_its_own(void **state) {
    ls_Query *q = (start_over(), told("held"));
    struct rlimit before, none;
    int fd = told_fd(q), taken[256], count = 0, next, status = -1;
    pid_t child;
    (void)state;
    await_figure(&resolver.asked, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while ((next = dup(fd)) >= 0) taken[count++] = next;
    child = fork();
    if (child == 0) {
        renew_resolver();
        leave(asks_without_descriptors(q, fd) ? 0 : 1);
    }
    while (count > 0) assert_int_equal(close(taken[--count]), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(is_readable(fd, 0));
    assert_int_equal(told_answer(q), LS_QUERY_RUNNING);
    set_gate(1);
    assert_int_equal(await_answer(q), 0);
    told_query_drop(q);
}

static void a_child_without_threads_is_told(void **state) {
    ls_Query *q = (start_over(), told("held"));
    int status = -1;
    pid_t child;
    (void)state;
    told_fd(q);
    await_figure(&resolver.asked, 1);
    resolver.threads_left = 0;
    child = fork();
    if (child == 0) {
        renew_resolver();
        leave(await_answer(q) == EAGAIN && is_readable(told_fd(q), 0) && told_answer(q) == EAGAIN ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    set_gate(1);
    assert_int_equal(await_answer(q), 0);
    told_query_drop(q);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(look_ups_survive_a_fork_on_both_sides),
        TEST_OPEN(a_fork_waits_for_a_thread_that_starts),
        TEST_OPEN(a_fork_without_look_ups_costs_nothing),
        TEST_OPEN(a_child_without_descriptors_has_a_bell_of_its_own),
        TEST_OPEN(a_child_without_threads_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
