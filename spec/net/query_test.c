/* ls_query: names of this machine's hosts file, looked up on threads; and src/net/query.c compiled a second time over a
   resolver that does as it is told, for what no real one can be made to do. */
#include "net/query.h"

#include "check.h"

#include "net/gai.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
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

static int told_lookup(const char *name, size_t len, int family, struct addrinfo **list) {
    int fails = len >= 4 && memcmp(name, "fail", 4) == 0;
    (void)family;
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

static void told_free(struct addrinfo *list) {
    assert_ptr_equal(list, &only);
    pthread_mutex_lock(&resolver.mutex);
    resolver.lists_out--;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.mutex);
}

static void *begin_late(void *nothing);

static int told_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    if (resolver.threads_left == 0) return EAGAIN;
    if (resolver.threads_left > 0) resolver.threads_left--;
    return pthread_create(thread, attributes, resolver.late ? begin_late : run, argument);
}

/* Threads that have nothing to do wait 20 ms, not IDLE_SECONDS, unless they are to be patient. */
static int told_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
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

int told_query_start(const char *name, size_t len, int family, ls_Query **query);
int told_query_answer(ls_Query *query, const struct addrinfo **list);
int told_query_getfd(ls_Query *query, int *fd);
void told_query_cancel(ls_Query *query);
void told_query_drop(ls_Query *query);

#define ls_gai_lookup told_lookup
#define freeaddrinfo told_free
#define pthread_create told_create
#define pthread_cond_timedwait told_wait
#define ls_query_start told_query_start
#define ls_query_answer told_query_answer
#define ls_query_getfd told_query_getfd
#define ls_query_cancel told_query_cancel
#define ls_query_drop told_query_drop

#include "net/query.c"

#undef ls_gai_lookup
#undef freeaddrinfo
#undef pthread_create
#undef pthread_cond_timedwait
#undef ls_query_start
#undef ls_query_answer
#undef ls_query_getfd
#undef ls_query_cancel
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

static ls_Query *told(const char *name) {
    ls_Query *q = NULL;
    assert_int_equal(told_query_start(name, strlen(name), AF_UNSPEC, &q), 0);
    return q;
}

static int told_answer(ls_Query *q) {
    const struct addrinfo *list;
    return told_query_answer(q, &list);
}

static int told_fd(ls_Query *q) {
    int fd = -2;
    assert_int_equal(told_query_getfd(q, &fd), 0);
    return fd;
}

static int is_readable(int fd, int milliseconds) {
    struct pollfd entry = { fd, POLLIN, 0 };
    return poll(&entry, 1, milliseconds) == 1 && entry.revents & POLLIN;
}

static int await_answer(ls_Query *q) {
    assert_true(is_readable(told_fd(q), PATIENCE));
    return told_answer(q);
}

static void set_gate(int open) {
    pthread_mutex_lock(&resolver.mutex);
    resolver.open = open;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.mutex);
}

/* Waits until a figure of the resolver's is what is wanted. */
static void await_figure(const int *figure, int wanted) {
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
static void await_workers(int wanted) {
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

static void set_patient(int patient) {
    lock();
    resolver.patient = patient;
    pthread_cond_broadcast(&crew.work);
    unlock();
}

/* Each test of the told resolver begins without threads, and with the gate shut. */
static void start_over(void) {
    set_gate(1);
    set_patient(0);
    await_workers(0);
    set_gate(0);
    resolver.asked = 0;
    resolver.threads_left = -1;
    assert_int_equal(resolver.lists_out, 0);
}

/* ---- the system's resolver ---- */

static int await_real(const char *name, int family, const struct addrinfo **list, ls_Query **query) {
    int fd;
    assert_int_equal(ls_query_start(name, strlen(name), family, query), 0);
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
            int err = ls_gai_lookup(names[i], strlen(names[i]), families[k], &wanted);
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
        for (i = 0; i < COUNT(q); i++) assert_int_equal(ls_query_start("localhost", 9, AF_UNSPEC, &q[i]), 0);
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
    const struct addrinfo *list = NULL;
    ls_Query *q = NULL;
    size_t i;
    (void)state;
    start_over();
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(told_query_start(rows[i].text, strlen(rows[i].text), rows[i].family, &q), 0);
        assert_int_equal(told_query_answer(q, &list), rows[i].err);
        assert_true(is_readable(told_fd(q), 0));
        if (rows[i].err == 0) assert_true(list->ai_family == list->ai_addr->sa_family && !list->ai_next);
        told_query_drop(q);
    }
    memset(name, 'a', sizeof name);
    assert_int_equal(told_query_start(name, sizeof name, AF_UNSPEC, &q), 0);
    assert_int_equal(told_answer(q), ENAMETOOLONG);
    told_query_drop(q);
    assert_int_equal(resolver.asked, 0);
    assert_int_equal(crew.workers, 0);
}

/* ---- over the told resolver ---- */

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
    ls_Query *q[5 * WORKERS];
    size_t i;
    (void)state;
    start_over();
    for (i = 0; i < COUNT(q); i++) q[i] = told("held");
    await_figure(&resolver.asked, WORKERS);
    assert_int_equal(crew.workers, WORKERS);
    for (i = WORKERS; i < COUNT(q); i += 2) told_query_drop(q[i]); /* these are never asked for */
    set_gate(1);
    for (i = 0; i < COUNT(q); i++) {
        if (i >= WORKERS && (i - WORKERS) % 2 == 0) continue;
        assert_int_equal(await_answer(q[i]), 0);
        told_query_drop(q[i]);
    }
    await_workers(0);
    assert_int_equal(resolver.asked, WORKERS + (int)(COUNT(q) - WORKERS) / 2);
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

static void cancelling_ends_it_at_any_time(void **state) {
    ls_Query *first[WORKERS], *running = NULL, *waiting, *done;
    size_t i;
    int fd;
    (void)state;
    start_over();
    for (i = 0; i < WORKERS; i++) first[i] = told("held");
    await_figure(&resolver.asked, WORKERS);
    running = first[0];
    waiting = told("held");
    done = told("127.0.0.1");
    fd = told_fd(running);
    told_fd(done);
    told_query_cancel(running);
    told_query_cancel(waiting);
    told_query_cancel(done);
    told_query_cancel(done);
    assert_true(fcntl(fd, F_GETFD) < 0);
    assert_int_equal(told_answer(running), ECANCELED);
    assert_int_equal(told_answer(waiting), ECANCELED);
    assert_int_equal(told_answer(done), ECANCELED);
    assert_int_equal(told_fd(running), -1);
    told_query_drop(waiting);
    told_query_drop(done);
    set_gate(1);
    for (i = 1; i < WORKERS; i++) told_query_drop(first[i]); /* some still run, some may be done */
    await_workers(0);
    assert_int_equal(told_answer(running), ECANCELED);
    assert_int_equal(resolver.lists_out, 1);
    told_query_drop(running);
    assert_int_equal(resolver.lists_out, 0);
    assert_int_equal(resolver.asked, WORKERS);
}

static void dropped_queries_are_freed_by_their_thread(void **state) {
    int i;
    (void)state;
    start_over();
    for (i = 0; i < WORKERS; i++) {
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
    assert_int_equal(told_query_start("name", 4, AF_UNSPEC, &q), EAGAIN);
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

/* ---- forks ---- */

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
    told_query_cancel(waiting);
    fine = fine && told_answer(waiting) == ECANCELED;
    set_gate(1);
    fine = fine && await_answer(running) == 0 && told_answer(running) == 0;
    told_query_drop(running);
    told_query_drop(waiting);
    told_query_drop(done);
    return fine;
}

static void look_ups_survive_a_fork_on_both_sides(void **state) {
    ls_Query *q[WORKERS + 1], *done = (start_over(), told("done")), *dropped = told("held");
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
    await_figure(&resolver.asked, WORKERS + 1);
    started = now();
    child = fork();
    if (child == 0) {
        renew_resolver();
        leave(goes_on_in_child(q[0], q[WORKERS], done, fd) ? 0 : 1);
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
        TEST_OPEN(names_of_the_hosts_file),
        TEST_OPEN(a_child_can_look_names_up),
        TEST_OPEN(what_is_no_name_is_answered_at_once),
        TEST_OPEN(the_descriptor_is_readable_when_the_answer_is_there),
        TEST_OPEN(failures_are_answers),
        TEST_OPEN(a_few_threads_work_and_the_rest_waits),
        TEST_OPEN(a_thread_that_is_free_is_used_again),
        TEST_OPEN(cancelling_ends_it_at_any_time),
        TEST_OPEN(dropped_queries_are_freed_by_their_thread),
        TEST_OPEN(without_threads),
        TEST_OPEN(no_signal_reaches_the_threads),
        TEST_OPEN(look_ups_survive_a_fork_on_both_sides),
        TEST_OPEN(a_fork_waits_for_a_thread_that_starts),
        TEST_OPEN(a_fork_without_look_ups_costs_nothing),
        TEST_OPEN(a_child_without_threads_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
