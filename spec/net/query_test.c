/* ls_query: names of this machine's hosts file, looked up on threads, and what a resolver that does as it is told
   brings about. Forks: query_fork_test.c. */
#include "query_check.h"

#include <sys/wait.h>

/* ---- the system's resolver ---- */

static int real_start(const char *name, int family, ls_Query **query) {
    ls_Question asked = question(name, family);
    return ls_query_start(&asked, query);
}

static int await_real(const char *name, int family, const struct addrinfo **list, ls_Query **query) {
    int fd;
    assert_int_equal(real_start(name, family, query), 0);
    assert_int_equal(ls_query_getfd(*query, &fd), 0);
    assert_true(is_readable(fd, PATIENCE));
    return ls_query_answer(*query, list);
}

static void names_of_the_hosts_file(void **state) {
    static const char *const names[] = { "localhost", "db", "six.example", "twofaced.example", "twice.example" };
    static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
    size_t i, k;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(names); i++) {
        for (k = 0; k < COUNT(families); k++) {
            struct addrinfo *wanted = NULL, *item;
            const struct addrinfo *list = NULL;
            ls_Query *q = NULL;
            int err = ls_gai_lookup(names[i], strlen(names[i]), families[k], 0, &wanted);
            assert_int_equal(await_real(names[i], families[k], &list, &q), err);
            for (item = err ? NULL : wanted; item; item = item->ai_next, list = list->ai_next) {
                assert_int_equal(item->ai_addrlen, list->ai_addrlen);
                assert_memory_equal(item->ai_addr, list->ai_addr, item->ai_addrlen);
            }
            if (!err) assert_null(list);
            if (!err) freeaddrinfo(wanted);
            ls_query_drop(q);
        }
    }
}

/* Threads that are busy all the time, as C libraries hold locks then that a child would inherit. */
static void a_child_can_look_names_up(void **state) {
    ls_Query *q[200];
    size_t i;
    int round, failures = 0;
    (void)state;
    if (!in_sandbox()) skip();
    for (round = 0; round < 20; round++) {
        pid_t child;
        int status = -1, fd;
        for (i = 0; i < COUNT(q); i++) assert_int_equal(real_start("localhost", AF_UNSPEC, &q[i]), 0);
        assert_int_equal(ls_query_getfd(q[round], &fd), 0);
        assert_true(is_readable(fd, PATIENCE)); /* so all threads are at it */
        child = fork();
        if (child == 0) {
            const struct addrinfo *list;
            ls_Query *mine = NULL;
            int fine;
            alarm(PATIENCE / 1000);
            fine = await_real("db", AF_UNSPEC, &list, &mine) == 0 && list->ai_family == AF_INET;
            for (i = 0; i < COUNT(q); i++) {
                fine = fine && ls_query_getfd(q[i], &fd) == 0 && is_readable(fd, PATIENCE);
                fine = fine && ls_query_answer(q[i], &list) == 0 && list->ai_family != AF_UNSPEC;
            }
            leave(fine ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        failures += status != 0;
        for (i = 0; i < COUNT(q); i++) {
            const struct addrinfo *list;
            assert_int_equal(ls_query_getfd(q[i], &fd), 0);
            assert_true(is_readable(fd, PATIENCE));
            assert_int_equal(ls_query_answer(q[i], &list), 0);
            ls_query_drop(q[i]);
        }
    }
    assert_int_equal(failures, 0);
}

/* ---- without a look-up ---- */

static void what_is_no_name_is_answered_at_once(void **state) {
    static const struct {
        const char *text;
        int family, err;
    } rows[] = {
        { "127.0.0.1", AF_UNSPEC, 0 },   { "127.0.0.1", AF_INET, 0 },  { "127.0.0.1", AF_INET6, NONAME },
        { "::1", AF_INET6, 0 },          { "::1", AF_INET, NONAME },   { "", AF_UNSPEC, NONAME },
        { "1.2.3.4.5", AF_INET, NONAME }, { "/tmp/x", AF_INET, NONAME }, { "@name", AF_UNSPEC, NONAME },
        { "fe80::1%nosuchif0", AF_UNSPEC, ENODEV },
    };
    static char name[1 << 20];
    ls_Question long_one = { name, sizeof name, AF_UNSPEC, LS_QUERY_ADDRESSES };
    const struct addrinfo *list = NULL;
    ls_Query *q = NULL;
    size_t i;
    (void)state;
    start_over();
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(told_start(rows[i].text, rows[i].family, &q), 0);
        assert_int_equal(told_query_answer(q, &list), rows[i].err);
        assert_true(is_readable(told_fd(q), 0));
        if (rows[i].err == 0) assert_true(list->ai_family == list->ai_addr->sa_family && !list->ai_next);
        told_query_drop(q);
    }
    memset(name, 'a', sizeof name);
    assert_int_equal(told_query_start(&long_one, &q), 0);
    assert_int_equal(told_answer(q), ENAMETOOLONG);
    told_query_drop(q);
    assert_int_equal(resolver.asked, 0);
    assert_int_equal(crew.workers, 0);
}

static void an_address_is_its_own_canonical_name(void **state) {
    const struct addrinfo *list;
    ls_Query *q = (start_over(), told_wanted("127.1", LS_QUERY_CANONICAL));
    (void)state;
    assert_string_equal(told_found(q, 0)->ai_canonname, "127.0.0.1");
    told_query_drop(q);
    q = told_wanted("nobody knows", LS_QUERY_NAME); /* which is no address */
    assert_null(told_found(q, NONAME));
    told_query_drop(q);
    q = told_wanted("/tmp/x", LS_QUERY_NAME);
    assert_null(told_found(q, NONAME));
    told_query_drop(q);
    q = told_wanted("::1", LS_QUERY_ADDRESSES);
    list = told_found(q, 0);
    assert_null(list->ai_canonname);
    told_query_drop(q);
    assert_int_equal(resolver.asked, 0);
}

/* ---- over the told resolver ---- */

static void the_name_of_an_address(void **state) {
    ls_Query *q = (start_over(), told_wanted("127.0.0.1", LS_QUERY_NAME)), *none, *dropped;
    (void)state;
    none = told_wanted("127.0.0.9", LS_QUERY_NAME);
    dropped = told_wanted("127.0.0.1", LS_QUERY_NAME);
    await_figure(&resolver.asked, 3);
    told_query_drop(dropped); /* its thread frees it */
    assert_int_equal(told_answer(q), LS_QUERY_RUNNING);
    set_gate(1);
    assert_int_equal(await_answer(q), 0);
    assert_string_equal(told_found(q, 0)->ai_canonname, "told");
    assert_int_equal(await_answer(none), NONAME);
    told_query_drop(q);
    told_query_drop(none);
    await_workers(0);
}

static void the_descriptor_is_readable_when_the_answer_is_there(void **state) {
    ls_Query *early = (start_over(), told("held early")), *late = told("held late");
    const struct addrinfo *list, *again;
    int fd = told_fd(early);
    (void)state;
    await_figure(&resolver.asked, 2);
    assert_int_equal(told_answer(early), LS_QUERY_RUNNING);
    assert_int_equal(told_answer(early), LS_QUERY_RUNNING);
    assert_false(is_readable(fd, 20));
    set_gate(1);
    assert_int_equal(await_answer(early), 0);
    assert_int_equal(fd, told_fd(early));
    await_workers(0);
    assert_true(is_readable(told_fd(late), 0)); /* asked for only now */
    assert_int_equal(told_query_answer(late, &list), 0);
    assert_int_equal(told_query_answer(late, &again), 0);
    assert_ptr_equal(list, again);
    assert_true(is_readable(fd, 0) && fcntl(fd, F_GETFD) & FD_CLOEXEC && fcntl(fd, F_GETFL) & O_NONBLOCK);
    told_query_drop(early);
    told_query_drop(late);
    assert_int_equal(resolver.lists_out, 0);
}

static void failures_are_answers(void **state) {
    ls_Query *q = (start_over(), told("failing"));
    (void)state;
    assert_int_equal(await_answer(q), LS_EAI(EAI_AGAIN));
    assert_int_equal(told_answer(q), LS_EAI(EAI_AGAIN));
    told_query_drop(q);
}

static void a_few_threads_work_and_the_rest_waits(void **state) {
    ls_Query *q[5 * THREADS];
    size_t i;
    (void)state;
    start_over();
    for (i = 0; i < COUNT(q); i++) q[i] = told("held");
    await_figure(&resolver.asked, THREADS);
    assert_int_equal(crew.workers, THREADS);
    for (i = THREADS; i < COUNT(q); i += 2) told_query_drop(q[i]); /* these are never asked for */
    set_gate(1);
    for (i = 0; i < COUNT(q); i++) {
        if (i >= THREADS && (i - THREADS) % 2 == 0) continue;
        assert_int_equal(await_answer(q[i]), 0);
        told_query_drop(q[i]);
    }
    await_workers(0);
    assert_int_equal(resolver.asked, THREADS + (int)(COUNT(q) - THREADS) / 2);
    assert_true(!crew.first && !crew.last && crew.waiting == 0 && crew.asking == 0 && crew.idle == 0);
}

static void a_thread_that_is_free_is_used_again(void **state) {
    int i;
    (void)state;
    start_over();
    set_patient(1);
    resolver.threads_left = 1;
    for (i = 0; i < 100; i++) {
        ls_Query *q = told("free");
        assert_int_equal(await_answer(q), 0);
        told_query_drop(q);
    }
    assert_int_equal(resolver.asked, 100);
    set_patient(0);
}

static void what_is_dropped_leaves_nothing_whatever_it_does(void **state) {
    ls_Query *first[THREADS], *waiting, *done;
    size_t i;
    int running_fd, done_fd;
    (void)state;
    start_over();
    for (i = 0; i < THREADS; i++) first[i] = told("held");
    await_figure(&resolver.asked, THREADS);
    waiting = told("held");
    done = told("127.0.0.1");
    running_fd = told_fd(first[0]);
    done_fd = told_fd(done);
    told_query_drop(waiting);
    told_query_drop(first[0]);
    told_query_drop(done);
    assert_true(fcntl(running_fd, F_GETFD) < 0 && fcntl(done_fd, F_GETFD) < 0);
    set_gate(1);
    for (i = 1; i < THREADS; i++) told_query_drop(first[i]); /* some still run, some may be done */
    await_workers(0);
    assert_int_equal(resolver.lists_out, 0);
    assert_int_equal(resolver.asked, THREADS);
}

static void expect_rest(void) {
    start_over();
    assert_true(!crew.first && !crew.last && crew.waiting == 0 && crew.asking == 0 && crew.idle == 0);
}

/* Those that ask for what nobody wants any more take places until their resolver gives up, but no more than that. */
static void what_is_dropped_holds_up_nothing_while_there_are_places(void **state) {
    ls_Query *first[THREADS - 1], *waiting[THREADS], *last;
    int i;
    (void)state;
    start_over();
    for (i = 0; i < THREADS - 1; i++) first[i] = told("held");
    await_figure(&resolver.asked, THREADS - 1);
    for (i = 0; i < THREADS - 1; i++) told_query_drop(first[i]);
    last = told("name");
    assert_int_equal(await_answer(last), 0); /* while the gate is shut for all others */
    told_query_drop(last);
    for (i = 0; i < THREADS; i++) waiting[i] = told("held");
    for (i = 1; i < THREADS; i++) told_query_drop(waiting[i]);
    set_gate(1);
    assert_int_equal(await_answer(waiting[0]), 0);
    told_query_drop(waiting[0]);
    await_workers(0);
    expect_rest();
}

static void there_is_a_bound_to_that(void **state) {
    ls_Query *waiting, *last;
    int i;
    (void)state;
    start_over();
    for (i = 0; i < THREADS; i++) {
        ls_Query *q = told("held");
        await_figure(&resolver.asked, i + 1);
        told_query_drop(q);
    }
    waiting = told("name");
    assert_int_equal(crew.workers, THREADS);
    assert_false(is_readable(told_fd(waiting), 20));
    set_patient(1);
    set_gate(1);
    assert_int_equal(await_answer(waiting), 0);
    last = told("last");
    assert_int_equal(await_answer(last), 0);
    told_query_drop(waiting);
    told_query_drop(last);
    set_patient(0);
    await_workers(0);
    expect_rest();
}

static void a_place_that_gets_no_thread_is_looked_after_by_the_others(void **state) {
    ls_Query *running, *waiting;
    (void)state;
    start_over();
    resolver.threads_left = 1;
    running = told("held");
    await_figure(&resolver.asked, 1);
    waiting = told("name");
    told_query_drop(running);
    assert_int_equal(told_answer(waiting), LS_QUERY_RUNNING);
    set_gate(1);
    assert_int_equal(await_answer(waiting), 0);
    told_query_drop(waiting);
    expect_rest();
}

static void dropped_queries_are_freed_by_their_thread(void **state) {
    int i;
    (void)state;
    start_over();
    for (i = 0; i < THREADS; i++) {
        ls_Query *q = told("held");
        told_fd(q);
        await_figure(&resolver.asked, i + 1);
        told_query_drop(q);
    }
    set_gate(1);
    await_workers(0);
    assert_int_equal(resolver.lists_out, 0);
}

static void without_threads(void **state) {
    ls_Query *q = NULL, *second;
    (void)state;
    start_over();
    resolver.threads_left = 0;
    assert_int_equal(told_start("name", AF_UNSPEC, &q), EAGAIN);
    assert_null(crew.first);
    resolver.threads_left = 1;
    q = told("held");
    second = told("second"); /* one thread does for all, if it must */
    assert_int_equal(crew.workers, 1);
    set_gate(1);
    assert_int_equal(await_answer(q), 0);
    assert_int_equal(await_answer(second), 0);
    told_query_drop(q);
    told_query_drop(second);
}

static void no_signal_reaches_the_threads(void **state) {
    struct timespec patience = { PATIENCE / 1000, 0 };
    ls_Query *q = (start_over(), told("held"));
    sigset_t set, old;
    (void)state;
    await_figure(&resolver.asked, 1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    assert_false(sigismember(&old, SIGUSR1));
    kill(getpid(), SIGUSR1); /* which would end the process, if a thread took it */
    assert_int_equal(sigtimedwait(&set, NULL, &patience), SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    set_gate(1);
    told_query_drop(q);
    await_workers(0);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(names_of_the_hosts_file),
        TEST_OPEN(a_child_can_look_names_up),
        TEST_OPEN(what_is_no_name_is_answered_at_once),
        TEST_OPEN(an_address_is_its_own_canonical_name),
        TEST_OPEN(the_name_of_an_address),
        TEST_OPEN(the_descriptor_is_readable_when_the_answer_is_there),
        TEST_OPEN(failures_are_answers),
        TEST_OPEN(a_few_threads_work_and_the_rest_waits),
        TEST_OPEN(a_thread_that_is_free_is_used_again),
        TEST_OPEN(what_is_dropped_leaves_nothing_whatever_it_does),
        TEST_OPEN(what_is_dropped_holds_up_nothing_while_there_are_places),
        TEST_OPEN(there_is_a_bound_to_that),
        TEST_OPEN(a_place_that_gets_no_thread_is_looked_after_by_the_others),
        TEST_OPEN(dropped_queries_are_freed_by_their_thread),
        TEST_OPEN(without_threads),
        TEST_OPEN(no_signal_reaches_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
