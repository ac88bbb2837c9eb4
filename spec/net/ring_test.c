/* The ring: many requests at once, what ends while nobody looks, forks, threads. */
#include "net/ring.h"

#include "check.h"

#if LS_HAVE_IO_URING
#include <pthread.h>
#include <sys/un.h>
#include <sys/wait.h>

/* A ring, where the kernel has it and allows it. */
static ls_Ring *open_ring(void) {
    ls_Ring *ring = NULL;
    int err = ls_ring_open(&ring);
    if (err == ENOSYS || err == EPERM) {
        print_message("no ring here: %s\n", strerror(err));
        skip();
    }
    assert_int_equal(err, 0);
    return ring;
}

static void make_pair(int fds[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static void close_pair(const int fds[2]) {
    close(fds[0]);
    close(fds[1]);
}

/* Waits for the next end, 10 seconds at the most. */
static ls_Done next(ls_Ring *ring) {
    ls_Done done;
    int i;
    for (i = 0; i < 100; i++) {
        if (ls_ring_fetch(ring, &done)) return done;
        assert_int_equal(ls_ring_enter(ring, 0.1), 0);
    }
    fail_msg("%s", "nothing has ended");
    return done;
}

static void receives_what_comes(void **state) {
    ls_Ring *ring = open_ring();
    ls_Done done;
    int fds[2];
    (void)state;
    make_pair(fds);
    assert_int_equal(ls_ring_receive(ring, fds[0], 2, 100), 0);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    assert_false(ls_ring_fetch(ring, &done));
    assert_int_equal(write(fds[1], "text", 4), 4);
    done = next(ring);
    assert_int_equal(done.id, 2);
    assert_int_equal(done.result, 4);
    assert_false(done.more);
    assert_memory_equal(ls_ring_buffer(ring, done.buffer), "text", 4);
    ls_ring_giveback(ring, done.buffer);
    ls_ring_close(ring);
    close_pair(fds);
}

static void sends_a_block(void **state) {
    ls_Ring *ring = open_ring();
    int fds[2], block = ls_ring_takeblock(ring);
    char text[8];
    (void)state;
    make_pair(fds);
    memcpy(ls_ring_block(ring, block), "text", 4);
    assert_int_equal(ls_ring_send(ring, fds[0], 4, block, 4), 0);
    assert_int_equal(next(ring).result, 4);
    ls_ring_givebackblock(ring, block);
    assert_int_equal(read(fds[1], text, sizeof text), 4);
    ls_ring_close(ring);
    close_pair(fds);
}

static void blocks_are_used_up(void **state) {
    ls_Ring *ring = open_ring();
    int count = 0, last = -1, block;
    (void)state;
    while ((block = ls_ring_takeblock(ring)) >= 0) {
        memset(ls_ring_block(ring, block), count, LS_RING_SEND);
        last = block;
        count++;
    }
    assert_int_equal(count, 512);
    ls_ring_givebackblock(ring, last);
    assert_int_equal(ls_ring_takeblock(ring), last);
    ls_ring_close(ring);
}

/* More than there are buffers; and more requests than their queue has places for. */
static void buffers_are_used_up(void **state) {
    enum { MANY = 600 };
    ls_Ring *ring = open_ring();
    int fds[2], i, bytes = 0, without = 0, buffers[MANY], count = 0;
    char data[MANY] = { 0 };
    (void)state;
    make_pair(fds);
    assert_int_equal(write(fds[1], data, MANY), MANY);
    for (i = 0; i < MANY; i++) assert_int_equal(ls_ring_receive(ring, fds[0], 2, 1), 0);
    for (i = 0; i < MANY; i++) {
        ls_Done done = next(ring);
        if (done.result == -ENOBUFS) without++;
        else bytes += done.result;
        if (done.buffer != LS_RING_NOBUFFER) buffers[count++] = done.buffer;
    }
    assert_int_equal(bytes, 512);
    assert_int_equal(without, MANY - 512);
    for (i = 0; i < count; i++) ls_ring_giveback(ring, buffers[i]);
    assert_int_equal(ls_ring_receive(ring, fds[0], 2, 100), 0);
    assert_int_equal(next(ring).result, MANY - 512);
    ls_ring_close(ring);
    close_pair(fds);
}

/* More ends at once than their queue has places for wait in the kernel. */
static void a_full_queue_loses_nothing(void **state) {
    enum { MANY = 10000 };
    ls_Ring *ring = open_ring();
    char *seen = calloc(MANY, 1);
    int fds[2], i;
    (void)state;
    make_pair(fds);
    for (i = 0; i < MANY; i++) assert_int_equal(ls_ring_poll(ring, fds[0], (uint64_t)i * 2, POLLIN), 0);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    for (i = 0; i < MANY; i++) {
        ls_Done done = next(ring);
        assert_true(done.result & POLLIN);
        seen[done.id / 2]++;
    }
    for (i = 0; i < MANY; i++) assert_int_equal(seen[i], 1);
    free(seen);
    ls_ring_close(ring);
    close_pair(fds);
}

/* Of what waits for nothing, one is cancelled; and closing ends the others, some of which were not begun. */
static void requests_are_cancelled(void **state) {
    ls_Ring *ring = open_ring();
    ls_Done done;
    int fds[2], i;
    (void)state;
    make_pair(fds);
    for (i = 0; i < 1000; i++) assert_int_equal(ls_ring_receive(ring, fds[0], (uint64_t)i * 2, 1), 0);
    assert_int_equal(ls_ring_cancel(ring, 500 * 2), 0);
    done = next(ring);
    assert_int_equal(done.id, 1000);
    assert_int_equal(done.result, -ECANCELED);
    assert_int_equal(ls_ring_cancel(ring, 500 * 2), 0);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    assert_false(ls_ring_fetch(ring, &done));
    assert_int_equal(ls_ring_receive(ring, fds[1], 2, 1), 0);
    ls_ring_close(ring);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(read(fds[0], &done, 1), 1);
    close_pair(fds);
}

static int connect_to(const struct sockaddr_un *name, socklen_t len) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const void *)name, len), 0);
    return fd;
}

/* What is accepted and not fetched, closing closes: TEST_OPEN counts. */
static void accepts_until_it_is_closed(void **state) {
    ls_Ring *ring = open_ring();
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t len = sizeof name;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), clients[4], i;
    (void)state;
    assert_int_equal(bind(listener, (const void *)&name, sizeof name.sun_family), 0);
    assert_int_equal(getsockname(listener, (void *)&name, &len), 0);
    assert_int_equal(listen(listener, 10), 0);
    assert_int_equal(ls_ring_accept(ring, listener, LS_RING_ACCEPTS), 0);
    for (i = 0; i < 4; i++) clients[i] = connect_to(&name, len);
    for (i = 0; i < 2; i++) {
        ls_Done done = next(ring);
        assert_true(done.result >= 0);
        assert_true(done.more);
        assert_int_equal(fcntl(done.result, F_GETFD), FD_CLOEXEC);
        assert_true(fcntl(done.result, F_GETFL) & O_NONBLOCK);
        close(done.result);
    }
    ls_ring_close(ring);
    for (i = 0; i < 4; i++) close(clients[i]);
    close(listener);
}

static int in_child(ls_Ring *ring, int fd) {
    ls_Done done;
    if (ls_ring_isours(ring) || ls_ring_enter(ring, 0) != EBADF || ls_ring_fetch(ring, &done)) return 1;
    if (ls_ring_receive(ring, fd, 2, 1) != EBADF || ls_ring_takeblock(ring) != -1 || ls_ring_buffer(ring, 0)) return 2;
    ls_ring_giveback(ring, 0);
    ls_ring_close(ring);
    return 0;
}

static void a_child_does_not_disturb_it(void **state) {
    ls_Ring *ring = open_ring();
    int fds[2], status = -1;
    pid_t child;
    (void)state;
    make_pair(fds);
    assert_int_equal(ls_ring_receive(ring, fds[0], 2, 100), 0);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    child = fork();
    if (child == 0) leave(in_child(ring, fds[0]));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(write(fds[1], "text", 4), 4);
    assert_int_equal(next(ring).result, 4);
    ls_ring_close(ring);
    close_pair(fds);
}

static void *use_elsewhere(void *ring) { return (void *)(intptr_t)ls_ring_enter(ring, 0); }

static void *close_elsewhere(void *ring) {
    ls_ring_close(ring);
    return NULL;
}

static void *on_a_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return result;
}

/* Where it is closed elsewhere, too, and does not hang. */
static void another_thread_is_refused(void **state) {
    ls_Ring *ring = open_ring();
    int fds[2];
    (void)state;
    make_pair(fds);
    assert_int_equal(ls_ring_receive(ring, fds[0], 2, 100), 0);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    assert_int_equal((intptr_t)on_a_thread(use_elsewhere, ring), EEXIST);
    assert_int_equal(write(fds[1], "text", 4), 4);
    assert_int_equal(next(ring).result, 4);
    assert_int_equal(ls_ring_receive(ring, fds[0], 2, 100), 0);
    assert_int_equal(ls_ring_enter(ring, 0), 0);
    on_a_thread(close_elsewhere, ring);
    close_pair(fds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(receives_what_comes),        TEST_OPEN(sends_a_block),
        TEST_OPEN(blocks_are_used_up),         TEST_OPEN(buffers_are_used_up),
        TEST_OPEN(a_full_queue_loses_nothing), TEST_OPEN(requests_are_cancelled),
        TEST_OPEN(accepts_until_it_is_closed), TEST_OPEN(a_child_does_not_disturb_it),
        TEST_OPEN(another_thread_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void there_is_none(void **state) {
    (void)state;
    skip();
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(there_is_none) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
