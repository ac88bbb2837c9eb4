/* The backends of net/poll.h against their contract, each one that this platform has. */
#include "net/poll.h"

#include "check.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static const ls_Backend *backend; /* the one under test */

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

/* Waits without waiting; answers how many events there are. */
static size_t look(void *self, ls_Event *events, size_t room) {
    size_t n = 99;
    assert_int_equal(backend->wait(self, 0, events, room, &n), 0);
    return n;
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

static void waits_for_the_time(void **state) {
    void *self = open_backend();
    struct timespec before, after;
    ls_Event event;
    size_t n;
    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(backend->wait(self, 0.02, &event, 1, &n), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_int_equal(n, 0);
    assert_true((double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9 >= 0.0199);
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

static void has_a_descriptor_that_is_readable_with_an_event(void **state) {
    void *self = open_backend();
    Pair pair = open_pair();
    struct pollfd entry;
    (void)state;
    entry.fd = backend->getfd(self);
    entry.events = POLLIN;
    if (entry.fd >= 0) {
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
        TEST_OPEN(tells_a_hang_up_as_both),
        TEST_OPEN(gives_everybody_a_turn),
        TEST_OPEN(waits_for_the_time),
        TEST_OPEN(waits_for_ever_until_something_comes),
        TEST_OPEN(has_a_descriptor_that_is_readable_with_an_event),
    };
    size_t i;
    int failed = 0;
    for (i = 0; ls_poll_backends[i]; i++) {
        backend = ls_poll_backends[i];
        failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
    }
    return failed;
}
