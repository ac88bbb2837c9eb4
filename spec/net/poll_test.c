/* The backends of net/poll.h against their contract, each one that this platform has; where that is not kqueue, it over
   a stand-in (fake/sys/event.h). */
#include "net/poll.h"

#include "check.h"

#include "net/fork.h"

#include <math.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#if !LS_HAVE_KQUEUE
#undef LS_HAVE_KQUEUE
#define LS_HAVE_KQUEUE 1
#include "../../src/net/poll_kqueue.c"
#endif

static const ls_Backend *backend; /* the one under test */

static int is_fake(void) {
#ifdef LS_FAKE_KQUEUE
    return backend == &ls_poll_kqueue;
#else
    return 0;
#endif
}

typedef struct Pair {
    int ours, theirs;
} Pair;

static Pair open_pair(void) {
    int fds[2];
    Pair pair;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair.ours = fds[0];
    pair.theirs = fds[1];
    return pair;
}

static void close_pair(Pair pair) {
    close(pair.ours);
    close(pair.theirs);
}

static void *open_backend(void) {
    void *self = NULL;
    assert_int_equal(backend->open(&self), 0);
    assert_non_null(self);
    return self;
}

/* Waits without waiting, and forgets what seems to have been closed; answers how many events there are. */
static size_t look(void *self, ls_Event *events, size_t room) {
    size_t n = 99, i, kept = 0;
    assert_int_equal(backend->wait(self, 0, events, room, &n), 0);
    for (i = 0; i < n; i++) {
        if (events[i].events) events[kept++] = events[i];
        else assert_int_not_equal(backend->check(self, events[i].fd, events[i].tag, LS_POLL_WRITE), 0);
    }
    return kept;
}

static void tells_what_is_ready(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    ls_Event event;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 7, 0, LS_POLL_READ), 0);
    assert_int_equal(look(self, &event, 1), 0);
    assert_int_equal(write(pair.theirs, "x", 1), 1);
    assert_int_equal(look(self, &event, 1), 1);
    assert_int_equal(event.fd, pair.ours);
    assert_int_equal(event.tag, 7);
    assert_int_equal(event.events, LS_POLL_READ);
    assert_int_equal(look(self, &event, 1), 1); /* until it is read */
    backend->close(self);
    close_pair(pair);
}

static void changes_what_is_asked_and_the_tag(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    ls_Event event;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_READ), 0);
    assert_int_equal(backend->set(self, pair.ours, 2, LS_POLL_READ, LS_POLL_WRITE), 0);
    assert_int_equal(look(self, &event, 1), 1);
    assert_int_equal(event.tag, 2);
    assert_int_equal(event.events, LS_POLL_WRITE);
    assert_int_equal(backend->set(self, pair.ours, 2, LS_POLL_WRITE, 0), 0);
    assert_int_equal(look(self, &event, 1), 0);
    assert_int_equal(backend->set(self, pair.ours, 2, 0, 0), 0); /* not there: no error */
    backend->close(self);
    close_pair(pair);
}

static void forgets_what_was_closed(void **state) {
    void *self = open_backend();
    Pair pair = open_pair(), next;
    ls_Event event;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_WRITE), 0);
    close_pair(pair);
    assert_int_equal(look(self, &event, 1), 0);
    assert_int_equal(backend->set(self, pair.ours, 1, LS_POLL_WRITE, 0), 0);
    next = open_pair();
    assert_int_equal(next.ours, pair.ours);
    assert_int_equal(look(self, &event, 1), 0);
    /* Registered anew, whether the backend was told of the end of the first or not. */
    assert_int_equal(backend->set(self, next.ours, 2, LS_POLL_WRITE, LS_POLL_WRITE), 0);
    assert_int_equal(look(self, &event, 1), 1);
    assert_int_equal(event.tag, 2);
    backend->close(self);
    close_pair(next);
}

static int is_gone(void *self, int fd, unsigned tag, int events) {
    int err = backend->check(self, fd, tag, events);
    assert_true(err == 0 || err == EBADF || err == ENOENT);
    return err != 0;
}

static void knows_what_is_there_still(void **state) {
    void *self = open_backend();
    Pair pair = open_pair(), next;
    int both = LS_POLL_READ | LS_POLL_WRITE;
    (void)state;
    assert_true(is_gone(self, pair.ours, 1, LS_POLL_WRITE));
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_WRITE), 0);
    assert_false(is_gone(self, pair.ours, 1, LS_POLL_WRITE));
    assert_int_equal(backend->set(self, pair.theirs, 2, 0, both), 0);
    assert_false(is_gone(self, pair.theirs, 2, both));
    close_pair(pair);
    next = open_pair();
    assert_int_equal(next.ours, pair.ours);
    assert_true(is_gone(self, pair.ours, 1, LS_POLL_WRITE));
    close_pair(next);
    assert_true(is_gone(self, pair.theirs, 2, both));
    backend->close(self);
}

/* A foreign one, of which there is a copy. */
static void tells_a_foreign_one_until_it_is_closed(void **state) {
    int wanted = LS_POLL_WRITE | backend->guards, round, copy;
    void *self = open_backend();
    Pair pair = open_pair();
    ls_Event event;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_READ | backend->guards), 0);
    assert_int_equal(backend->set(self, pair.ours, 1, LS_POLL_READ | backend->guards, wanted), 0);
    for (round = 0; round < 3; round++) {
        assert_int_equal(look(self, &event, 1), 1);
        assert_int_equal(event.events, LS_POLL_WRITE);
        assert_false(is_gone(self, pair.ours, 1, wanted));
    }
    copy = dup(pair.ours);
    close(pair.ours);
    if (look(self, &event, 1) == 1) assert_true(is_gone(self, event.fd, event.tag, wanted));
    assert_int_equal(look(self, &event, 1), 0);
    backend->close(self);
    close(copy);
    close(pair.theirs);
}

/* ---- forks ---- */

static void expect_success(pid_t child) {
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* In a child: assertions would go on with the parent's tests. */
static void must(int condition, int line) {
    if (condition) return;
    fprintf(stderr, "in a child: line %d\n", line);
    leave(1);
}
#define MUST(condition) must(condition, __LINE__)

static int counts(void *self, size_t wanted) {
    ls_Event events[4];
    size_t n = 0;
    return backend->wait(self, 0, events, 4, &n) == 0 && n == wanted;
}

static void gives_a_child_a_set_of_its_own(void **state) {
    void *self = open_backend();
    Pair pair = open_pair(), other = open_pair();
    unsigned forks = ls_fork_count;
    int before = count_open(), fd = backend->getfd(self);
    pid_t child;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_WRITE), 0);
    child = fork();
    if (child == 0) {
        MUST(fd < 0 || ls_fork_count == forks + 1);
        MUST(count_open() == before && backend->getfd(self) == fd);
        MUST(fd < 0 || fcntl(fd, F_GETFD) & FD_CLOEXEC);
        MUST(counts(self, fd < 0));
        MUST(backend->reopen(self) == 0);
        MUST(backend->set(self, pair.ours, 1, 0, LS_POLL_WRITE) == 0);
        MUST(backend->set(self, other.ours, 2, 0, LS_POLL_WRITE) == 0 && counts(self, 2));
        MUST(backend->set(self, pair.ours, 1, LS_POLL_WRITE, 0) == 0 && counts(self, 1));
        backend->close(self);
        leave(0);
    }
    expect_success(child);
    assert_int_equal(ls_fork_count, forks);
    assert_true(counts(self, 1));
    backend->close(self);
    close_pair(pair);
    close_pair(other);
}

static pid_t fork_without_descriptors(int limit) {
    struct rlimit numbers = { (rlim_t)limit, (rlim_t)limit };
    MUST(setrlimit(RLIMIT_NOFILE, &numbers) == 0 && dup(0) < 0);
    return fork();
}

static void needs_no_more_descriptors_for_it(void **state) {
    void *first = open_backend(), *second = open_backend();
    int free_number = dup(0), one = backend->getfd(first), other = backend->getfd(second), status = 1;
    pid_t child;
    (void)state;
    close(free_number);
    child = fork();
    if (child == 0) {
        child = fork_without_descriptors(free_number);
        if (child > 0) leave(waitpid(child, &status, 0) != child || status != 0);
        MUST(backend->getfd(first) == one && backend->getfd(second) == other);
        MUST(one < 0 || (fcntl(one, F_GETFD) >= 0 && fcntl(other, F_GETFD) >= 0));
        leave(0);
    }
    expect_success(child);
    backend->close(first);
    backend->close(second);
}

/* ---- events ---- */

static void tells_a_hang_up_as_both(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    ls_Event events[2];
    size_t i, n;
    int told = 0;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_READ | LS_POLL_WRITE), 0);
    close(pair.theirs);
    n = look(self, events, 2); /* kqueue: an event for each */
    for (i = 0; i < n; i++) told |= events[i].events;
    assert_int_equal(told, LS_POLL_READ | LS_POLL_WRITE);
    backend->close(self);
    close(pair.ours);
}

static void gives_everybody_a_turn(void **state) {
    enum { PAIRS = 20, ROOM = 3 };
    void *self = open_backend();
    Pair pairs[PAIRS];
    ls_Event events[ROOM];
    int seen[PAIRS] = { 0 }, told = 0, round;
    unsigned i;
    size_t k, n;
    (void)state;
    for (i = 0; i < PAIRS; i++) {
        pairs[i] = open_pair();
        assert_int_equal(backend->set(self, pairs[i].ours, i, 0, LS_POLL_WRITE), 0);
    }
    for (round = 0; round < 2 * PAIRS && told < PAIRS; round++) {
        n = look(self, events, ROOM);
        assert_in_range(n, 1, ROOM);
        for (k = 0; k < n; k++) {
            assert_int_equal(events[k].fd, pairs[events[k].tag].ours);
            if (!seen[events[k].tag]++) told++;
        }
    }
    assert_int_equal(told, PAIRS);
    for (i = 0; i < PAIRS; i += 2) { /* taking some out leaves the others */
        assert_int_equal(backend->set(self, pairs[i].ours, i, LS_POLL_WRITE, 0), 0);
        close_pair(pairs[i]);
    }
    for (round = 0; round < PAIRS; round++) {
        n = look(self, events, ROOM);
        for (k = 0; k < n; k++) assert_int_equal(events[k].tag % 2, 1);
    }
    backend->close(self);
    for (i = 1; i < PAIRS; i += 2) close_pair(pairs[i]);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void waits_for_the_time(void **state) {
    void *self = open_backend();
    double start = now();
    ls_Event event;
    size_t n;
    (void)state;
    assert_int_equal(backend->wait(self, 0.02, &event, 1, &n), 0);
    assert_int_equal(n, 0);
    assert_true(now() - start >= 0.0199);
    backend->close(self);
}

static void waits_for_ever_until_something_comes(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    ls_Event event;
    size_t n;
    (void)state;
    assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_WRITE), 0);
    assert_int_equal(backend->wait(self, -1, &event, 1, &n), 0);
    assert_int_equal(n, 1);
    backend->close(self);
    close_pair(pair);
}

/* Waits for ever; when it has ended, by the clock. Nothing may have come. */
static double wait_for_alarm(void *self) {
    ls_Event events[2];
    size_t n = 99;
    assert_int_equal(backend->wait(self, -1, events, 2, &n), 0);
    assert_int_equal(n, 0);
    return now();
}

static void ends_a_wait_at_a_time_that_is_far_off(void **state) {
    void *self = open_backend();
    double start = now();
    (void)state;
    if (backend->alarm) {
        assert_false(backend->alarm(self, start + 0.001)); /* not worth it */
        assert_false(backend->alarm(self, start - 1));
        assert_true(backend->alarm(self, start + 60));
        assert_true(backend->alarm(self, start + 0.2)); /* sooner */
        assert_true(backend->alarm(self, HUGE_VAL));    /* and no later */
        assert_true(wait_for_alarm(self) >= start + 0.1999);
        assert_true(backend->alarm(self, HUGE_VAL)); /* it is set anew */
        assert_false(backend->alarm(self, now() + 0.001));
    } else {
        assert_true(strcmp(backend->name, "epoll") != 0);
    }
    backend->close(self);
}

static void tells_what_is_ready_beside_an_alarm(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    struct pollfd entry;
    ls_Event events[3];
    double start = now();
    (void)state;
    if (backend->alarm) {
        assert_true(backend->alarm(self, start + 0.15));
        wait_for_alarm(self);
        assert_true(backend->alarm(self, now() + 0.15));
        entry.fd = backend->getfd(self);
        entry.events = POLLIN;
        assert_int_equal(poll(&entry, 1, -1), 1); /* it has gone off */
        assert_int_equal(backend->set(self, pair.ours, 3, 0, LS_POLL_WRITE), 0);
        assert_int_equal(look(self, events, 3), 1);
        assert_int_equal(events[0].tag, 3);
        assert_int_equal(look(self, events, 3), 1); /* and the alarm no more */
    }
    backend->close(self);
    close_pair(pair);
}

static void leaves_a_child_without_the_alarm(void **state) {
    void *self = open_backend();
    double start = now();
    pid_t child;
    (void)state;
    if (backend->alarm) {
        assert_true(backend->alarm(self, start + 0.2));
        child = fork();
        if (child == 0) {
            ls_Event event;
            size_t n;
            MUST(backend->reopen(self) == 0 && backend->wait(self, 0.3, &event, 1, &n) == 0 && now() >= start + 0.3);
            MUST(backend->alarm(self, now() + 0.15) && backend->wait(self, -1, &event, 1, &n) == 0);
            backend->close(self);
            leave(0);
        }
        assert_true(wait_for_alarm(self) >= start + 0.1999);
        expect_success(child);
    }
    backend->close(self);
}

static void takes_the_timer_for_nothing_else(void **state) {
    void *self = open_backend();
    Pair pair = open_pair(), copy = { dup(pair.ours), -1 };
    ls_Event event;
    double start = now();
    (void)state;
    if (backend->alarm) {
        assert_int_equal(backend->set(self, pair.ours, 5, 0, LS_POLL_WRITE), 0);
        close(pair.ours); /* the timer gets the number */
        assert_true(backend->alarm(self, start + 0.2));
        assert_int_not_equal(fcntl(pair.ours, F_GETFD), -1);
        assert_int_equal(backend->check(self, pair.ours, 5, LS_POLL_WRITE), ENOENT);
        assert_int_equal(backend->set(self, pair.ours, 6, LS_POLL_WRITE, LS_POLL_READ), EBADF);
        assert_int_equal(backend->set(self, pair.ours, 6, LS_POLL_READ, 0), 0);
        close(copy.ours);
        copy.ours = -1;
        assert_int_equal(look(self, &event, 1), 0);
        assert_true(wait_for_alarm(self) >= start + 0.1999);
    } else {
        close(pair.ours);
    }
    backend->close(self);
    close(pair.theirs);
    if (copy.ours >= 0) close(copy.ours);
}

static void does_without_an_alarm_where_descriptors_have_run_out(void **state) {
    struct rlimit before, none;
    void *self = open_backend();
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    if (backend->alarm) assert_false(backend->alarm(self, now() + 60));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (backend->alarm) assert_true(backend->alarm(self, now() + 60));
    backend->close(self);
}

static void has_a_descriptor_that_is_readable_with_an_event(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    struct pollfd entry;
    (void)state;
    entry.fd = backend->getfd(self);
    entry.events = POLLIN;
    if (is_fake()) {
        assert_true(fcntl(entry.fd, F_GETFD) & FD_CLOEXEC);
    } else if (entry.fd >= 0) {
        assert_true(fcntl(entry.fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(poll(&entry, 1, 0), 0);
        assert_int_equal(backend->set(self, pair.ours, 1, 0, LS_POLL_WRITE), 0);
        assert_int_equal(poll(&entry, 1, 0), 1);
    } else {
        assert_string_equal(backend->name, "poll");
    }
    backend->close(self);
    close_pair(pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(tells_what_is_ready),
        TEST_OPEN(changes_what_is_asked_and_the_tag),
        TEST_OPEN(forgets_what_was_closed),
        TEST_OPEN(knows_what_is_there_still),
        TEST_OPEN(tells_a_foreign_one_until_it_is_closed),
        TEST_OPEN(gives_a_child_a_set_of_its_own),
        TEST_OPEN(needs_no_more_descriptors_for_it),
        TEST_OPEN(tells_a_hang_up_as_both),
        TEST_OPEN(gives_everybody_a_turn),
        TEST_OPEN(waits_for_the_time),
        TEST_OPEN(waits_for_ever_until_something_comes),
        TEST_OPEN(ends_a_wait_at_a_time_that_is_far_off),
        TEST_OPEN(tells_what_is_ready_beside_an_alarm),
        TEST_OPEN(leaves_a_child_without_the_alarm),
        TEST_OPEN(takes_the_timer_for_nothing_else),
        TEST_OPEN(does_without_an_alarm_where_descriptors_have_run_out),
        TEST_OPEN(has_a_descriptor_that_is_readable_with_an_event),
    };
    size_t i;
    int failed = 0;
    for (i = 0; ls_poll_backends[i]; i++) {
        backend = ls_poll_backends[i];
        failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
    }
#ifdef LS_FAKE_KQUEUE
    backend = &ls_poll_kqueue;
    failed += cmocka_run_group_tests_name("kqueue, a stand-in", tests, NULL, NULL);
#endif
    return failed;
}
