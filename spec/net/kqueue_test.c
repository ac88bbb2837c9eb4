/* What poll_kqueue.c must bear of kernels that are not here: pipes that nobody reads, failures in mid-way, times that
   are too long, forks. Over a stand-in (fake/sys/event.h), so not where kqueue is. What all backends do: poll_test. */
#include "net/poll.h"

#include "check.h"

#if LS_HAVE_KQUEUE
int main(void) { return 0; }
#else
#undef LS_HAVE_KQUEUE
#define LS_HAVE_KQUEUE 1
#include "../../src/net/poll_kqueue.c"

#include <math.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { BOTH = LS_POLL_READ | LS_POLL_WRITE };

static const ls_Backend *const backend = &ls_poll_kqueue;

static Kqueue *open_queue(void) {
    void *self = NULL;
    assert_int_equal(backend->open(&self), 0);
    return self;
}

static size_t look(Kqueue *queue, ls_Event *events, size_t room) {
    size_t n = 99;
    assert_int_equal(backend->wait(queue, 0, events, room, &n), 0);
    return n;
}

/* The end to write to of a pipe that nobody reads. */
static int broken_pipe(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    return ends[1];
}

static int has_note(const Kqueue *queue, int fd, short filter) {
    struct kevent event;
    EV_SET(&event, (uintptr_t)fd, filter, 0, 0, 0, NULL);
    return fake_find(queue->fd, &event) != NULL;
}

/* ---- broken pipes ---- */

static void says_that_a_broken_pipe_is_ready(void **state) {
    static const int errors[] = { EPIPE, EBADF };
    ls_Event events[4];
    size_t i, round;
    (void)state;
    for (i = 0; i < COUNT(errors); i++) {
        Kqueue *queue = open_queue();
        int fd = broken_pipe();
        fake.broken_error = errors[i];
        assert_int_equal(backend->set(queue, fd, 7, 0, LS_POLL_WRITE), 0);
        for (round = 0; round < 3; round++) {
            assert_int_equal(look(queue, events, 4), 1);
            assert_int_equal(events[0].fd, fd);
            assert_int_equal(events[0].tag, 7);
            assert_int_equal(events[0].events, LS_POLL_WRITE);
            assert_int_equal(backend->check(queue, fd, 7, LS_POLL_WRITE), 0);
        }
        assert_int_equal(backend->set(queue, fd, 8, LS_POLL_WRITE, BOTH), 0);
        assert_true(look(queue, events, 4) >= 1);
        assert_int_equal(events[0].tag, 8);
        assert_int_equal(backend->set(queue, fd, 8, BOTH, 0), 0);
        assert_int_equal(look(queue, events, 4), 0);
        backend->close(queue);
        close(fd);
    }
    fake.broken_error = EPIPE;
}

static void does_not_wait_beside_a_broken_pipe(void **state) {
    Kqueue *queue = open_queue();
    int fd = broken_pipe();
    ls_Event events[4];
    size_t n = 0;
    (void)state;
    assert_int_equal(backend->set(queue, fd, 1, 0, LS_POLL_WRITE), 0);
    assert_int_equal(backend->wait(queue, -1, events, 4, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(backend->wait(queue, 1000, events, 1, &n), 0);
    assert_int_equal(n, 1);
    backend->close(queue);
    close(fd);
}

/* Which has its number again: the same as closed, or somebody else's. */
static void forgets_a_broken_pipe_that_was_closed(void **state) {
    int other, fds[2];
    ls_Event events[4];
    (void)state;
    for (other = 0; other < 2; other++) {
        Kqueue *queue = open_queue();
        int fd = broken_pipe();
        assert_int_equal(backend->set(queue, fd, 1, 0, LS_POLL_WRITE), 0);
        close(fd);
        if (other) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
            assert_int_equal(fds[1], fd);
        }
        assert_int_equal(look(queue, events, 4), 1);
        assert_int_equal(events[0].events, 0);
        assert_int_not_equal(backend->check(queue, fd, 1, LS_POLL_WRITE), 0);
        assert_int_equal(look(queue, events, 4), 0);
        if (other) {
            assert_int_equal(backend->set(queue, fd, 2, 0, LS_POLL_WRITE), 0);
            assert_int_equal(look(queue, events, 4), 1);
            close(fds[0]);
            close(fds[1]);
        }
        backend->close(queue);
    }
}

/* Without anybody having looked in between. */
static void takes_the_number_of_a_broken_pipe(void **state) {
    Kqueue *queue = open_queue();
    int fd = broken_pipe(), fds[2];
    ls_Event events[4];
    (void)state;
    assert_int_equal(backend->set(queue, fd, 1, 0, LS_POLL_WRITE), 0);
    close(fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fds[1], fd);
    assert_int_equal(backend->set(queue, fd, 2, 0, LS_POLL_WRITE), 0);
    assert_int_equal(look(queue, events, 4), 1);
    assert_int_equal(events[0].tag, 2);
    assert_int_equal(queue->count, 0);
    backend->close(queue);
    close(fds[0]);
    close(fds[1]);
}

static void gives_everybody_a_turn_beside_broken_pipes(void **state) {
    enum { PIPES = 20, ROOM = 4 };
    Kqueue *queue = open_queue();
    int pipes[PIPES], fds[2], seen[PIPES + 1] = { 0 }, told = 0, round, i;
    ls_Event events[ROOM];
    size_t n, k;
    (void)state;
    for (i = 0; i < PIPES; i++) {
        pipes[i] = broken_pipe();
        assert_int_equal(backend->set(queue, pipes[i], (unsigned)i, 0, LS_POLL_WRITE), 0);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(backend->set(queue, fds[0], PIPES, 0, LS_POLL_WRITE), 0);
    for (round = 0; round < PIPES && told <= PIPES; round++) {
        n = look(queue, events, ROOM);
        assert_in_range(n, 1, ROOM);
        for (k = 0; k < n; k++) told += !seen[events[k].tag]++;
    }
    assert_int_equal(told, PIPES + 1);
    backend->close(queue);
    for (i = 0; i < PIPES; i++) close(pipes[i]);
    close(fds[0]);
    close(fds[1]);
}

/* ---- failures ---- */

static void undoes_what_is_half_done(void **state) {
    Kqueue *queue = open_queue();
    ls_Event events[4];
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fake.add_error[1] = ENOMEM;
    assert_int_equal(backend->set(queue, fds[0], 1, 0, BOTH), ENOMEM);
    assert_false(has_note(queue, fds[0], EVFILT_READ));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(look(queue, events, 4), 0);

    assert_int_equal(backend->set(queue, fds[0], 2, 0, LS_POLL_READ), 0);
    fake.add_error[1] = ENOMEM;
    assert_int_equal(backend->set(queue, fds[0], 2, LS_POLL_READ, BOTH), ENOMEM);
    fake.add_error[1] = ENOMEM;
    assert_int_equal(backend->set(queue, fds[0], 2, LS_POLL_READ, LS_POLL_WRITE), ENOMEM);
    assert_true(has_note(queue, fds[0], EVFILT_READ)); /* as before */
    assert_false(has_note(queue, fds[0], EVFILT_WRITE));

    assert_int_equal(backend->set(queue, fds[0], 2, LS_POLL_READ, LS_POLL_WRITE), 0);
    fake.add_error[0] = ENOMEM;
    assert_int_equal(backend->set(queue, fds[0], 2, LS_POLL_WRITE, BOTH), ENOMEM);
    assert_false(has_note(queue, fds[0], EVFILT_READ));
    assert_true(has_note(queue, fds[0], EVFILT_WRITE));
    backend->close(queue);
    close(fds[0]);
    close(fds[1]);
}

static void waits_longer_than_the_kernel_takes(void **state) {
    static const double times[] = { 1e8, 2.5e8, 1e9, 1.5 };
    static const int waits[] = { 1, 3, 10, 1 };
    Kqueue *queue = open_queue();
    ls_Event event;
    size_t i, n;
    (void)state;
    fake.hurries = 1;
    for (i = 0; i < COUNT(times); i++) {
        fake.waits = 0;
        fake.waited = 0;
        assert_int_equal(backend->wait(queue, times[i], &event, 1, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(fake.waits, waits[i]);
        assert_true(fabs(fake.waited - times[i]) < 1e-6);
    }
    fake.hurries = 0;
    backend->close(queue);
}

/* ---- forks ---- */

static void in_child(void (*run)(Kqueue *queue, int fd, int number)) {
    Kqueue *queue = open_queue();
    int fd = broken_pipe(), number = queue->fd, status = -1;
    pid_t child;
    assert_int_equal(backend->set(queue, fd, 1, 0, LS_POLL_WRITE), 0);
    child = fork();
    if (child == 0) {
        run(queue, fd, number);
        leave(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    backend->close(queue);
    close(fd);
}

static void must(int condition) {
    if (!condition) leave(1);
}

static void look_in_child(Kqueue *queue, int fd, int number) {
    ls_Event event;
    size_t n = 0;
    must(queue->fd == number && fcntl(number, F_GETFD) & FD_CLOEXEC);
    must(backend->reopen(queue) == 0 && queue->fd == number);
    must(backend->set(queue, fd, 1, 0, LS_POLL_WRITE) == 0 && queue->count == 1);
    must(backend->wait(queue, 0, &event, 1, &n) == 0 && n == 1);
}

static void leave_alone_in_child(Kqueue *queue, int fd, int number) {
    (void)fd;
    must(queue->fd != number && fcntl(queue->fd, F_GETFD) & FD_CLOEXEC);
    backend->close(queue);
    must(fcntl(number, F_GETFD) >= 0);
}

static void has_another_queue_in_a_child(void **state) {
    (void)state;
    in_child(look_in_child);
}

static void leaves_alone_who_has_its_number_in_a_child(void **state) {
    (void)state;
    fake.forked = 1;
    in_child(leave_alone_in_child);
    fake.forked = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(says_that_a_broken_pipe_is_ready),
        TEST_OPEN(does_not_wait_beside_a_broken_pipe),
        TEST_OPEN(forgets_a_broken_pipe_that_was_closed),
        TEST_OPEN(takes_the_number_of_a_broken_pipe),
        TEST_OPEN(gives_everybody_a_turn_beside_broken_pipes),
        TEST_OPEN(undoes_what_is_half_done),
        TEST_OPEN(waits_longer_than_the_kernel_takes),
        TEST_OPEN(has_another_queue_in_a_child),
        TEST_OPEN(leaves_alone_who_has_its_number_in_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
