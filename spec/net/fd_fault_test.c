/* ls_fd when a system call is interrupted or fails half-way. src/net/fd.c is compiled into this program a second time,
   under other names, and each system call that it makes first asks the test's plan. Real failures: fd_test.c. */
#include "net/addr.h"

/* What fd.h and fd.c include, so that the names below are only changed in their own text. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#if LS_HAVE_SENDFILE
#include <sys/sendfile.h>
#endif
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

#include <math.h>

/* ---- the plan ---- */

enum { ANY = 1, CONNECTS, CLOSES, ACCEPTS, RECEIVES, SENDS, READS, POLLS };

static struct Plan {
    int call;  /* the kind of call that fails, or ANY; 0: none does */
    int after; /* so many go well first */
    int times; /* so many fail, */
    int err;   /* with this errno */
} plan;

static int calls; /* of the planned kind, so far */

static void plan_failures(int call, int after, int times, int err) {
    struct Plan next = { call, after, times, err };
    plan = next;
    calls = 0;
}

static int fails(int call) {
    if (plan.call != call && plan.call != ANY) return 0;
    if (calls++ < plan.after || calls > plan.after + plan.times) return 0;
    errno = plan.err;
    return 1;
}

/* Of a call that does its work, and is interrupted then. */
static int fails_after(int result, int call) {
    return fails(call) ? -1 : result;
}

/* sendfile(2) does not know such files. */
static int strange_files;

static int option_fails; /* setsockopt(2), with EINVAL */

/* The times that poll is given; it answers that nothing is ready, and at last that something is. */
static int waits[8], wait_count, wait_limit;

static int note_wait(int milliseconds) {
    if (fails(POLLS)) return -1;
    waits[wait_count++] = milliseconds;
    return wait_count == wait_limit;
}

/* ---- fd.c, once more: each of its functions that other files see needs another name here ---- */

#define ls_fd_socket faulty_fd_socket
#define ls_fd_accept faulty_fd_accept
#define ls_fd_adopt faulty_fd_adopt
#define ls_fd_what faulty_fd_what
#define ls_fd_pair faulty_fd_pair
#define ls_fd_dup faulty_fd_dup
#define ls_fd_inherit faulty_fd_inherit
#define ls_fd_disconnect faulty_fd_disconnect
#define ls_fd_shutdown faulty_fd_shutdown
#define ls_fd_ended faulty_fd_ended
#define ls_fd_bind faulty_fd_bind
#define ls_fd_listen faulty_fd_listen
#define ls_fd_connect faulty_fd_connect
#define ls_fd_close faulty_fd_close
#define ls_fd_readat faulty_fd_readat
#define ls_fd_recv faulty_fd_recv
#define ls_fd_send faulty_fd_send
#define ls_fd_recvagain faulty_fd_recvagain
#define ls_fd_sendagain faulty_fd_sendagain
#define ls_fd_sendpieces faulty_fd_sendpieces
#define ls_fd_sendfile faulty_fd_sendfile
#define ls_fd_hold faulty_fd_hold
#define ls_fd_release faulty_fd_release
#define ls_fd_pending faulty_fd_pending
#define ls_fd_error faulty_fd_error
#define ls_fd_local faulty_fd_local
#define ls_fd_peer faulty_fd_peer
#define ls_fd_setopt faulty_fd_setopt
#define ls_fd_getopt faulty_fd_getopt
#define ls_fd_setint faulty_fd_setint
#define ls_fd_getint faulty_fd_getint
#define ls_fd_now faulty_fd_now
#define ls_fd_time faulty_fd_time
#define ls_fd_poll faulty_fd_poll
#define ls_fd_isopen faulty_fd_isopen
#define ls_fd_milliseconds faulty_fd_milliseconds

/* Within its own expansion a macro's name is the function's. */
#define socket(...) (fails(0) ? -1 : socket(__VA_ARGS__))
#define accept(...) (fails(ACCEPTS) ? -1 : accept(__VA_ARGS__))
#define accept4(...) (fails(ACCEPTS) ? -1 : accept4(__VA_ARGS__))
#define connect(...) fails_after(connect(__VA_ARGS__), CONNECTS)
#define close(fd) fails_after(close(fd), CLOSES)
#define fcntl(...) (fails(0) ? -1 : fcntl(__VA_ARGS__))
#define setsockopt(...) (option_fails ? (errno = EINVAL, -1) : fails(0) ? -1 : setsockopt(__VA_ARGS__))
#define recv(...) (fails(RECEIVES) ? -1 : recv(__VA_ARGS__))
#define recvfrom(...) (fails(RECEIVES) ? -1 : recvfrom(__VA_ARGS__))
#define send(...) (fails(SENDS) ? -1 : send(__VA_ARGS__))
#define sendto(...) (fails(SENDS) ? -1 : sendto(__VA_ARGS__))
#define sendmsg(...) (fails(SENDS) ? -1 : sendmsg(__VA_ARGS__))
#define sendfile(...) (strange_files ? (errno = EINVAL, -1) : fails(SENDS) ? -1 : sendfile(__VA_ARGS__))
#define pread(...) (fails(READS) ? -1 : pread(__VA_ARGS__))
#define poll(fds, count, milliseconds) ((void)(fds), (void)(count), note_wait(milliseconds))

#include "net/fd.c"

#undef socket
#undef accept
#undef accept4
#undef connect
#undef close
#undef fcntl
#undef setsockopt
#undef recv
#undef recvfrom
#undef send
#undef sendto
#undef sendmsg
#undef sendfile
#undef pread
#undef poll

/* ---- sockets to try things on ---- */

static int listener;
static ls_Addr where;

static int open_listener(void **state) {
    static const char localhost[] = "127.0.0.1";
    (void)state;
    plan_failures(0, 0, 0, 0);
    return ls_addr_parse(localhost, sizeof localhost - 1, 0, &where) || ls_fd_socket(AF_INET, SOCK_STREAM, &listener) ||
           ls_fd_bind(listener, &where) || ls_fd_listen(listener, 5) || ls_fd_local(listener, &where);
}

static int close_listener(void **state) {
    (void)state;
    plan_failures(0, 0, 0, 0);
    return close(listener);
}

static void wait_for(int fd, short events) {
    struct pollfd entry = { .fd = fd, .events = events };
    assert_int_equal(poll(&entry, 1, 10000), 1);
}

static int connecting(void) {
    int fd = -1;
    assert_int_equal(ls_fd_socket(AF_INET, SOCK_STREAM, &fd), 0);
    assert_int_equal(ls_fd_connect(fd, &where), 0);
    wait_for(listener, POLLIN);
    return fd;
}

static void make_pair(int *near, int *far) {
    ls_Addr peer;
    *near = connecting();
    assert_int_equal(ls_fd_accept(listener, far, &peer), 0);
}

/* ---- interrupted ---- */

static void calls_are_repeated_after_a_signal(void **state) {
    static const int rounds[] = { 0, 1, 5 };
    int near, far, i;
    char data[8];
    size_t k, n = 0;
    ls_Addr peer;
    (void)state;
    for (k = 0; k < COUNT(rounds); k++) {
        near = connecting();
        plan_failures(ACCEPTS, 0, rounds[k], EINTR);
        assert_int_equal(ls_fd_accept(listener, &far, &peer), 0);
        assert_int_equal(calls, rounds[k] + 1);
        for (i = 0; i < 2; i++) { /* with and without an address */
            plan_failures(SENDS, 0, rounds[k], EINTR);
            assert_int_equal(ls_fd_send(near, "abc", 3, &n, i ? &where : NULL), 0);
            assert_int_equal(n, 3);
            assert_int_equal(calls, rounds[k] + 1);
            wait_for(far, POLLIN);
            plan_failures(RECEIVES, 0, rounds[k], EINTR);
            assert_int_equal(ls_fd_recv(far, 0, data, sizeof data, &n, i ? &peer : NULL), 0);
            assert_int_equal(n, 3);
            assert_memory_equal(data, "abc", 3);
            assert_int_equal(calls, rounds[k] + 1);
        }
        plan_failures(0, 0, 0, 0);
        close(near);
        close(far);
    }
}

/* By a sendfile(2) that takes it, and by one that does not. */
static void pieces_and_files_are_repeated_after_a_signal(void **state) {
    static const int rounds[] = { 0, 1, 5 };
    struct iovec pieces[] = { { (char[]){ "ab" }, 2 }, { (char[]){ "c" }, 1 } };
    int near, far, file = file_of("abc");
    char data[8];
    size_t k, n = 0;
    (void)state;
    make_pair(&near, &far);
    for (k = 0; k < COUNT(rounds); k++) {
        plan_failures(SENDS, 0, rounds[k], EINTR);
        assert_int_equal(ls_fd_sendpieces(near, pieces, 2, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(calls, rounds[k] + 1);
        for (strange_files = 0; strange_files <= 1; strange_files++) {
            plan_failures(SENDS, 0, rounds[k], EINTR);
            assert_int_equal(ls_fd_sendfile(near, file, 0, 100, &n), 0);
            assert_int_equal(n, 3);
            assert_int_equal(calls, rounds[k] + 1);
        }
        plan_failures(READS, 0, rounds[k], EINTR);
        assert_int_equal(ls_fd_sendfile(near, file, 0, 100, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(calls, rounds[k] + 1);
        strange_files = 0;
        plan_failures(0, 0, 0, 0);
        for (n = 0; n < 12; n += 3) {
            wait_for(far, POLLIN);
            assert_int_equal(recv(far, data, 3, MSG_WAITALL), 3);
            assert_memory_equal(data, "abc", 3);
        }
    }
    close(file);
    close(near);
    close(far);
}

/* The second call would be told that the first is under way. */
static void what_the_bsds_say_when_they_have_disconnected(void **state) {
    static const int errs[] = { EAFNOSUPPORT, EINVAL, ENOENT };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(errs); i++) {
        ls_Addr target, peer;
        int fd = -1;
        assert_int_equal(ls_addr_parse("127.0.0.1", 9, 9, &target), 0);
        assert_int_equal(ls_fd_socket(AF_INET, SOCK_DGRAM, &fd), 0);
        assert_int_equal(ls_fd_connect(fd, &target), 0);
        plan_failures(CONNECTS, 0, 1, errs[i]);
        assert_int_equal(ls_fd_disconnect(fd), 0);
        plan_failures(0, 0, 0, 0);
        assert_int_equal(ls_fd_peer(fd, &peer), ENOTCONN);
        assert_int_equal(ls_fd_close(fd), 0);
    }
}

static void connect_goes_on_after_a_signal(void **state) {
    int fd = -1, far = -1;
    ls_Addr peer;
    (void)state;
    assert_int_equal(ls_fd_socket(AF_INET, SOCK_STREAM, &fd), 0);
    plan_failures(CONNECTS, 0, 1, EINTR);
    assert_int_equal(ls_fd_connect(fd, &where), 0);
    assert_int_equal(calls, 1);
    wait_for(fd, POLLOUT);
    assert_int_equal(ls_fd_error(fd), 0);
    assert_int_equal(ls_fd_peer(fd, &peer), 0);
    assert_int_equal(ls_fd_accept(listener, &far, &peer), 0);
    close(fd);
    close(far);
}

/* Closed a second time, the number might be another thread's by then. */
static void close_is_never_repeated(void **state) {
    static const struct {
        int err, answer;
    } rows[] = { { EINTR, 0 }, { EINPROGRESS, 0 }, { EIO, EIO } };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        int fd = -1, count = count_open();
        assert_int_equal(ls_fd_socket(AF_INET, SOCK_STREAM, &fd), 0);
        plan_failures(CLOSES, 0, 1, rows[i].err);
        assert_int_equal(ls_fd_close(fd), rows[i].answer);
        assert_int_equal(calls, 1);
        assert_int_equal(count_open(), count);
    }
}

/* But it looks once whether the signal has made anything ready. */
static void poll_does_not_wait_again(void **state) {
    static const double times[] = { -1, 0, 1, INFINITY };
    size_t i;
    int ready;
    (void)state;
    for (i = 0; i < COUNT(times); i++) {
        plan_failures(POLLS, 0, 1, EINTR);
        assert_int_equal(ls_fd_poll(NULL, 0, times[i], &ready), EINTR);
        assert_int_equal(calls, 2);
    }
}

static void other_failures_are_told_at_once(void **state) {
    static const int errors[] = { EAGAIN, ECONNRESET, ENOBUFS, EPIPE, EACCES };
    int near, far, fd = -77, file = file_of("x");
    char data[8];
    struct iovec piece = { data, sizeof data };
    ls_Addr peer;
    size_t i, n;
    (void)state;
    make_pair(&near, &far);
    for (i = 0; i < COUNT(errors); i++) {
        plan_failures(SENDS, 0, 1, errors[i]);
        assert_int_equal(ls_fd_send(near, "abc", 3, &n, NULL), errors[i]);
        assert_int_equal(calls, 1);
        plan_failures(SENDS, 0, 1, errors[i]);
        assert_int_equal(ls_fd_sendpieces(near, &piece, 1, &n), errors[i]);
        assert_int_equal(calls, 1);
        for (strange_files = 0; strange_files <= 1; strange_files++) {
            plan_failures(SENDS, 0, 1, errors[i]);
            assert_int_equal(ls_fd_sendfile(near, file, 0, 1, &n), errors[i]);
            assert_int_equal(calls, 1);
        }
        plan_failures(READS, 0, 1, errors[i]);
        assert_int_equal(ls_fd_sendfile(near, file, 0, 1, &n), errors[i]);
        assert_int_equal(calls, 1);
        strange_files = 0;
        plan_failures(RECEIVES, 0, 1, errors[i]);
        assert_int_equal(ls_fd_recv(far, 0, data, sizeof data, &n, NULL), errors[i]);
        assert_int_equal(calls, 1);
        plan_failures(ACCEPTS, 0, 1, errors[i]);
        assert_int_equal(ls_fd_accept(listener, &fd, &peer), errors[i]);
        assert_int_equal(calls, 1);
        assert_int_equal(fd, -77);
        plan_failures(CONNECTS, 0, 1, errors[i]);
        assert_int_equal(ls_fd_connect(near, &where), errors[i]);
        assert_int_equal(calls, 1);
    }
    plan_failures(0, 0, 0, 0);
    close(file);
    close(near);
    close(far);
}

/* Where SIGPIPE is held back for the length of a write, a failure without the signal must not be waited on. */
static void a_broken_pipe_without_its_signal(void **state) {
    sigset_t before, after, pending;
    int near, far;
    size_t n;
    (void)state;
    make_pair(&near, &far);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
    plan_failures(SENDS, 0, 1, EPIPE);
    assert_int_equal(ls_fd_send(near, "abc", 3, &n, NULL), EPIPE);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &after), 0);
    assert_int_equal(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
    plan_failures(0, 0, 0, 0);
    close(near);
    close(far);
}

/* ---- half-made ---- */

/* Whichever call fails on the way, nothing stays open and nothing is handed out. */
static void a_half_made_socket_is_closed(void **state) {
    int failing, err = -1, count = count_open();
    (void)state;
    for (failing = 0; err != 0; failing++) {
        int fd = -77;
        plan_failures(ANY, failing, 1, EIO);
        err = ls_fd_socket(AF_INET, SOCK_STREAM, &fd);
        plan_failures(0, 0, 0, 0);
        if (err == 0) {
            close(fd);
        } else {
            assert_int_equal(err, EIO);
            assert_int_equal(fd, -77);
        }
        assert_int_equal(count_open(), count);
        assert_true(failing < 20);
    }
    assert_true(failing > 1);
}

static void a_half_made_connection_is_closed(void **state) {
    int failing, err = -1, count = count_open();
    ls_Addr peer;
    (void)state;
    for (failing = 0; err != 0; failing++) {
        int fd = -77, near = connecting();
        plan_failures(ANY, failing, 1, EIO);
        err = ls_fd_accept(listener, &fd, &peer);
        plan_failures(0, 0, 0, 0);
        if (err == 0) {
            close(fd);
        } else {
            assert_int_equal(err, EIO);
            assert_int_equal(fd, -77);
            if (failing == 0) { /* the call itself: the connection waits still */
                assert_int_equal(ls_fd_accept(listener, &fd, &peer), 0);
                close(fd);
            }
        }
        close(near);
        assert_int_equal(count_open(), count);
        assert_true(failing < 20);
    }
    assert_true(failing > 1);
}

/* ---- time ---- */

static void expect_waits(double seconds, int answers, int count, const int *expected) {
    int ready = -77, i;
    wait_count = 0;
    wait_limit = answers;
    assert_int_equal(ls_fd_poll(NULL, 0, seconds, &ready), 0);
    assert_int_equal(ready, answers > 0);
    assert_int_equal(wait_count, count);
    for (i = 0; i < count; i++)
        if (waits[i] != expected[i]) fail_msg("%.17g seconds: %d milliseconds, not %d", seconds, waits[i], expected[i]);
}

static void seconds_become_milliseconds(void **state) {
    static const struct {
        double seconds;
        int milliseconds;
    } rows[] = {
        { 0, 0 },           { -0.0, 0 },        { 1e-300, 1 },       { 1e-6, 1 },
        { 0.0005, 1 },      { 0.000999, 1 },    { 0.001, 1 },        { 0.0010001, 2 },
        { 0.0015, 2 },      { 0.002, 2 },       { 0.5, 500 },        { 0.9999, 1000 },
        { 1, 1000 },        { 1.9999, 2000 },   { 86400, 86400000 }, { 2147483.5, 2147483500 },
        { -1, -1 },         { -1e-300, -1 },    { -0.0001, -1 },     { -1e300, -1 },
        { -INFINITY, -1 },  { 2147483, 2147483000 },
    };
    size_t i;
    (void)state;
    plan_failures(0, 0, 0, 0);
    for (i = 0; i < COUNT(rows); i++) expect_waits(rows[i].seconds, rows[i].milliseconds < 0, 1, &rows[i].milliseconds);
}

/* poll takes an int of milliseconds, which is less than 25 days. */
static void long_times_are_waited_for_in_steps(void **state) {
    static const int in_three[] = { INT_MAX, INT_MAX, 705032706 }, for_ever[] = { INT_MAX, INT_MAX, INT_MAX, INT_MAX };
    static const int just_over[] = { INT_MAX, 1 };
    (void)state;
    plan_failures(0, 0, 0, 0);
    expect_waits(5e6, 0, 3, in_three);
    expect_waits(5e6, 2, 2, in_three); /* something is ready in between */
    expect_waits(2147483.647, 0, 1, in_three);
    expect_waits(2147483.6475, 0, 2, just_over);
    expect_waits(1e300, 4, 4, for_ever);
    expect_waits(INFINITY, 4, 4, for_ever);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_listener, close_listener)

/* As a socket of macOS's answers that is shut down both ways, when it is told not to raise SIGPIPE. */
static void a_socket_that_has_ended_is_adopted(void **state) {
    ls_Kind kind;
    int near, far;
    (void)state;
    make_pair(&near, &far);
    plan_failures(0, 0, 0, 0);
    option_fails = 1;
    assert_int_equal(ls_fd_adopt(near, &kind), 0);
    option_fails = 0;
    assert_int_equal(kind.type, SOCK_STREAM);
    assert_int_equal(ls_fd_close(near) + ls_fd_close(far), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(calls_are_repeated_after_a_signal),
        TEST(pieces_and_files_are_repeated_after_a_signal),
        TEST(connect_goes_on_after_a_signal),
        TEST(what_the_bsds_say_when_they_have_disconnected),
        TEST(close_is_never_repeated),
        TEST(poll_does_not_wait_again),
        TEST(other_failures_are_told_at_once),
        TEST(a_broken_pipe_without_its_signal),
        TEST(a_half_made_socket_is_closed),
        TEST(a_half_made_connection_is_closed),
        TEST(a_socket_that_has_ended_is_adopted),
        TEST(seconds_become_milliseconds),
        TEST(long_times_are_waited_for_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
