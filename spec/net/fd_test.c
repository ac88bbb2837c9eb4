/* ls_fd on real sockets: birth, connections, errors, waiting, and no descriptor left. Bytes are left to fd_data_test.c,
   system calls that are interrupted or fail half-way to fd_fault_test.c. */
#include "fd_check.h"

#include <math.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

/* ---- birth ---- */

static void expect_born_right(int fd) {
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
#if LS_HAVE_SO_NOSIGPIPE
    {
        int set = 0;
        socklen_t len = sizeof set;
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &set, &len), 0);
        assert_int_not_equal(set, 0);
    }
#endif
}

static void sockets_are_born_close_on_exec_and_nonblocking(void **state) {
    static const int families[] = { AF_INET, AF_INET6, AF_UNIX }, types[] = { SOCK_STREAM, SOCK_DGRAM };
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(families); i++) {
        for (k = 0; k < COUNT(types); k++) {
            int fd = opened(families[i], types[k]), type = 0;
            socklen_t len = sizeof type;
            expect_born_right(fd);
            assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
            assert_int_equal(type, types[k]);
            assert_int_equal(ls_fd_close(fd), 0);
        }
    }
}

static void a_family_that_does_not_exist(void **state) {
    int fd = -77;
    (void)state;
    assert_int_equal(ls_fd_socket(12345, SOCK_STREAM, &fd), EAFNOSUPPORT);
    assert_int_equal(fd, -77);
}

/* ---- accept ---- */

static void accepted_sockets_are_born_the_same(void **state) {
    ls_Addr where, local;
    int listener = listening("127.0.0.1", &where), near = opened(AF_INET, SOCK_STREAM), far = -1;
    ls_Addr peer;
    (void)state;
    assert_int_equal(ls_fd_connect(near, &where), 0);
    wait_for(listener, POLLIN);
    memset(&peer, 0xaa, sizeof peer);
    assert_int_equal(ls_fd_accept(listener, &far, &peer), 0);
    expect_born_right(far);
    assert_int_equal(ls_fd_local(near, &local), 0);
    assert_int_equal(peer.len, sizeof peer.u.in4);
    assert_true(ls_addr_equal(&peer, &local));
    close_pair((Pair){ near, far });
    ls_fd_close(listener);
}

static void accepted_over_ipv6(void **state) {
    ls_Addr where, local, peer;
    int listener = listening("::1", &where), near = opened(AF_INET6, SOCK_STREAM), far = -1;
    (void)state;
    assert_int_equal(ls_fd_connect(near, &where), 0);
    wait_for(listener, POLLIN);
    assert_int_equal(ls_fd_accept(listener, &far, &peer), 0);
    expect_born_right(far);
    assert_int_equal(ls_fd_local(near, &local), 0);
    assert_true(ls_addr_equal(&peer, &local));
    close_pair((Pair){ near, far });
    ls_fd_close(listener);
}

static void accepted_from_an_unnamed_unix_socket(void **state) {
    ls_Addr where = path("listener"), peer;
    char text[LS_ADDR_TEXT];
    int listener = opened(AF_UNIX, SOCK_STREAM), near = opened(AF_UNIX, SOCK_STREAM), far = -1;
    (void)state;
    assert_int_equal(ls_fd_bind(listener, &where), 0);
    assert_int_equal(ls_fd_listen(listener, 5), 0);
    assert_int_equal(ls_fd_connect(near, &where), 0);
    memset(&peer, 0xaa, sizeof peer);
    assert_int_equal(ls_fd_accept(listener, &far, &peer), 0);
    expect_born_right(far);
    assert_int_equal(ls_addr_family(&peer), AF_UNIX);
    assert_int_equal(ls_addr_format(&peer, 1, text), 0);
    close_pair((Pair){ near, far });
    ls_fd_close(listener);
    remove_path(&where);
}

static void accept_with_nothing_waiting(void **state) {
    ls_Addr where, peer;
    int listener = listening("127.0.0.1", &where), fd = -77;
    (void)state;
    assert_int_equal(ls_fd_accept(listener, &fd, &peer), EAGAIN);
    assert_int_equal(ls_fd_accept(listener, &fd, &peer), EAGAIN);
    assert_int_equal(fd, -77);
    ls_fd_close(listener);
}

static void accept_on_what_does_not_listen(void **state) {
    int datagram = opened(AF_INET, SOCK_DGRAM), stream = opened(AF_INET, SOCK_STREAM), fd = -77;
    ls_Addr peer;
    (void)state;
    assert_int_equal(ls_fd_accept(datagram, &fd, &peer), EOPNOTSUPP);
    assert_int_equal(ls_fd_accept(stream, &fd, &peer), EINVAL);
    assert_int_equal(ls_fd_accept(-1, &fd, &peer), EBADF);
    assert_int_equal(fd, -77);
    close_pair((Pair){ datagram, stream });
}

/* ---- bind and listen ---- */

static void bind_and_local(void **state) {
    ls_Addr first, second = address("203.0.113.1", 0);
    int fd = bound(SOCK_DGRAM, "127.0.0.1", &first), other = opened(AF_INET, SOCK_DGRAM);
    char text[LS_ADDR_TEXT];
    (void)state;
    assert_int_equal(ls_addr_format(&first, 1, text), 9);
    assert_memory_equal(text, "127.0.0.1", 9);
    assert_int_not_equal(ls_addr_port(&first), 0);
    assert_int_equal(ls_fd_bind(other, &first), EADDRINUSE);
    assert_int_equal(ls_fd_bind(other, &second), EADDRNOTAVAIL);
    second = address("::1", 0);
    assert_int_equal(ls_fd_bind(-1, &first), EBADF);
    assert_int_equal(ls_fd_local(-1, &second), EBADF);
    close_pair((Pair){ fd, other });
}

static void listen_makes_a_listener(void **state) {
    int datagram = opened(AF_INET, SOCK_DGRAM), stream, accepts = 0;
    socklen_t len = sizeof accepts;
    ls_Addr where;
    (void)state;
    stream = listening("127.0.0.1", &where);
    assert_int_equal(getsockopt(stream, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len), 0);
    assert_int_not_equal(accepts, 0);
    assert_int_equal(ls_fd_listen(datagram, 5), EOPNOTSUPP);
    assert_int_equal(ls_fd_listen(-1, 5), EBADF);
    close_pair((Pair){ datagram, stream });
}

static void the_names_of_unix_sockets(void **state) {
    ls_Addr where = path("socket"), got;
    int fd = opened(AF_UNIX, SOCK_DGRAM);
    char text[LS_ADDR_TEXT];
    (void)state;
    assert_int_equal(ls_fd_local(fd, &got), 0);
    assert_int_equal(ls_addr_family(&got), AF_UNIX);
    assert_int_equal(ls_addr_format(&got, 1, text), 0);
    assert_int_equal(ls_fd_bind(fd, &where), 0);
    memset(&got, 0xaa, sizeof got);
    assert_int_equal(ls_fd_local(fd, &got), 0);
    assert_int_equal(ls_addr_format(&got, 1, text), strlen(where.u.un.sun_path));
    assert_memory_equal(text, where.u.un.sun_path, strlen(where.u.un.sun_path));
    assert_int_equal(ls_fd_close(fd), 0);
    fd = opened(AF_UNIX, SOCK_DGRAM);
    assert_int_equal(ls_fd_bind(fd, &where), EADDRINUSE); /* the file stays behind */
    assert_int_equal(ls_fd_close(fd), 0);
    remove_path(&where);
}

/* ---- connect ---- */

static void connect_and_peer(void **state) {
    ls_Addr where, peer;
    int listener = listening("127.0.0.1", &where);
    Pair pair = connected_over(listener, &where);
    (void)state;
    assert_int_equal(ls_fd_peer(pair.near, &peer), 0);
    assert_true(ls_addr_equal(&peer, &where));
    assert_int_equal(ls_fd_peer(listener, &peer), ENOTCONN);
    assert_int_equal(ls_fd_peer(-1, &peer), EBADF);
    assert_int_equal(ls_fd_connect(-1, &where), EBADF);
    close_pair(pair);
    ls_fd_close(listener);
}

/* Nobody answers at this address of veth0's network, so the connection is never made and never refused in time. */
static void connect_in_progress(void **state) {
    ls_Addr nobody, peer;
    struct pollfd entry = { .events = POLLOUT };
    int ready = -1;
    (void)state;
    if (!in_sandbox()) skip();
    nobody = address("10.11.0.99", 9);
    entry.fd = opened(AF_INET, SOCK_STREAM);
    assert_int_equal(ls_fd_connect(entry.fd, &nobody), 0);
    assert_int_equal(ls_fd_poll(&entry, 1, 0, &ready), 0);
    assert_int_equal(ready, 0);
    assert_int_equal(ls_fd_error(entry.fd), 0);
    assert_int_equal(ls_fd_peer(entry.fd, &peer), ENOTCONN);
    assert_int_equal(ls_fd_close(entry.fd), 0);
}

/* A port that was bound a moment ago and is no longer listened at. */
static ls_Addr closed_port(int type) {
    ls_Addr where;
    assert_int_equal(ls_fd_close(bound(type, "127.0.0.1", &where)), 0);
    return where;
}

static void connect_refused_is_told_once(void **state) {
    ls_Addr where = closed_port(SOCK_STREAM);
    int fd = opened(AF_INET, SOCK_STREAM), err;
    (void)state;
    err = ls_fd_connect(fd, &where);
    if (err == 0) {
        assert_true(wait_for(fd, POLLOUT) & (POLLERR | POLLHUP));
        err = ls_fd_error(fd);
        assert_int_equal(ls_fd_error(fd), 0);
    }
    assert_int_equal(err, ECONNREFUSED);
    ls_fd_close(fd);
}

static void connect_on_unix(void **state) {
    ls_Addr where = path("listener"), peer;
    int listener = opened(AF_UNIX, SOCK_STREAM), fd = opened(AF_UNIX, SOCK_STREAM), more[64], count = 0, err;
    (void)state;
    assert_int_equal(ls_fd_connect(fd, &where), ENOENT);
    assert_int_equal(ls_fd_bind(listener, &where), 0);
    assert_int_equal(ls_fd_connect(fd, &where), ECONNREFUSED);
    assert_int_equal(ls_fd_listen(listener, 1), 0);
    assert_int_equal(ls_fd_connect(fd, &where), 0);
    assert_int_equal(ls_fd_peer(fd, &peer), 0);
    assert_true(ls_addr_equal(&peer, &where));
    do { /* until the backlog is full */
        more[count] = opened(AF_UNIX, SOCK_STREAM);
        err = ls_fd_connect(more[count++], &where);
    } while (!err && count < (int)COUNT(more));
    assert_int_equal(err, EAGAIN);
    while (count > 0) ls_fd_close(more[--count]);
    close_pair((Pair){ fd, listener });
    remove_path(&where);
}

static void connect_to_another_family(void **state) {
    ls_Addr where = address("::1", 9);
    int fd = opened(AF_INET, SOCK_DGRAM);
    (void)state;
    assert_int_equal(ls_fd_connect(fd, &where), EAFNOSUPPORT);
    ls_fd_close(fd);
}

/* ---- close ---- */

static void close_frees_the_descriptor(void **state) {
    int fd = opened(AF_INET, SOCK_STREAM);
    (void)state;
    assert_int_equal(ls_fd_close(fd), 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(ls_fd_close(fd), EBADF);
    assert_int_equal(ls_fd_close(-1), EBADF);
}

/* ---- the pending error ---- */

static void an_error_is_read_once(void **state) {
    ls_Addr where = closed_port(SOCK_DGRAM);
    int fd = opened(AF_INET, SOCK_DGRAM), pipe_ends[2];
    size_t n;
    (void)state;
    assert_int_equal(ls_fd_error(fd), 0);
    assert_int_equal(ls_fd_connect(fd, &where), 0);
    assert_int_equal(ls_fd_send(fd, "x", 1, &n, NULL), 0);
    wait_for(fd, POLLIN);
    assert_int_equal(ls_fd_error(fd), ECONNREFUSED);
    assert_int_equal(ls_fd_error(fd), 0);
    ls_fd_close(fd);
    assert_int_equal(ls_fd_error(-1), EBADF);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(ls_fd_error(pipe_ends[0]), ENOTSOCK);
    close_pair((Pair){ pipe_ends[0], pipe_ends[1] });
}

static void recv_and_send_read_the_error_too(void **state) {
    int i;
    (void)state;
    for (i = 0; i < 2; i++) {
        ls_Addr where = closed_port(SOCK_DGRAM);
        int fd = opened(AF_INET, SOCK_DGRAM), err;
        char data[4];
        size_t n;
        assert_int_equal(ls_fd_connect(fd, &where), 0);
        assert_int_equal(ls_fd_send(fd, "x", 1, &n, NULL), 0);
        wait_for(fd, POLLIN);
        err = i ? ls_fd_send(fd, "y", 1, &n, NULL) : ls_fd_recv(fd, 1, data, sizeof data, &n, NULL);
        assert_int_equal(err, ECONNREFUSED);
        assert_int_equal(ls_fd_error(fd), 0);
        ls_fd_close(fd);
    }
}

/* ---- options ---- */

static void options(void **state) {
    int fd = opened(AF_INET, SOCK_STREAM), value = 0;
    socklen_t len = sizeof value;
    (void)state;
    assert_int_equal(ls_fd_setint(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_not_equal(value, 0);
    assert_int_equal(ls_fd_setint(fd, IPPROTO_TCP, TCP_NODELAY, 0), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_equal(value, 0);
    assert_int_equal(ls_fd_setint(fd, SOL_SOCKET, 0x7ffe, 1), ENOPROTOOPT);
    assert_int_equal(ls_fd_setint(-1, SOL_SOCKET, SO_REUSEADDR, 1), EBADF);
    ls_fd_close(fd);
}

/* ---- poll ---- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* No wait is shorter than it was asked for, were it by a part of a millisecond. */
static void poll_rounds_up(void **state) {
    static const double waits[] = { 1e-9, 0.0001, 0.0009, 0.001, 0.0011, 0.0049, 0.0051, 0.02, 0.0203 };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(waits); i++) {
        double start = now(), least = waits[i] < 0.001 ? 0.001 : waits[i];
        int ready = 77;
        assert_int_equal(ls_fd_poll(NULL, 0, waits[i], &ready), 0);
        assert_int_equal(ready, 0);
        if (now() - start < least) fail_msg("%g seconds were %g", waits[i], now() - start);
        assert_true(now() - start < PATIENCE);
    }
}

static void poll_with_no_time(void **state) {
    static const double none[] = { 0.0, -0.0 };
    Pair pair = datagrams();
    struct pollfd entry = { .fd = pair.far, .events = POLLIN };
    size_t i;
    int ready = 77;
    (void)state;
    for (i = 0; i < COUNT(none); i++) {
        assert_int_equal(ls_fd_poll(&entry, 1, none[i], &ready), 0);
        assert_int_equal(ready, 0);
    }
    must_send(pair.near, "x");
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_poll(&entry, 1, 0, &ready), 0);
    assert_int_equal(ready, 1);
    assert_int_equal(entry.revents, POLLIN);
    close_pair(pair);
}

static void poll_counts_what_is_ready(void **state) {
    Pair pair = datagrams();
    struct pollfd entries[] = { { .fd = pair.near, .events = POLLOUT },
                                { .fd = pair.far, .events = POLLIN },
                                { .fd = -1, .events = POLLIN },
                                { .fd = pair.far, .events = POLLIN | POLLOUT } };
    int ready = 0;
    (void)state;
    assert_int_equal(ls_fd_poll(entries, COUNT(entries), PATIENCE, &ready), 0);
    assert_int_equal(ready, 2);
    assert_int_equal(entries[0].revents, POLLOUT);
    assert_int_equal(entries[1].revents, 0);
    assert_int_equal(entries[2].revents, 0);
    assert_int_equal(entries[3].revents, POLLOUT);
    close_pair(pair);
    assert_int_equal(ls_fd_poll(entries, 1, PATIENCE, &ready), 0);
    assert_int_equal(ready, 1);
    assert_int_equal(entries[0].revents, POLLNVAL);
}

/* A negative time is for ever, a time too long for poll's int is longer than this test: a child ends each wait. */
static void poll_waits_for_an_event(void **state) {
    static const double times[] = { -1, -0.0001, -1e300, PATIENCE, 1e7, 1e300 };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(times); i++) {
        Pair pair = datagrams();
        struct pollfd entry = { .fd = pair.far, .events = POLLIN };
        double start = now();
        int ready = 77, status = -1;
        pid_t child = fork();
        if (child == 0) {
            size_t n;
            poll(NULL, 0, 20);
            _exit(ls_fd_send(pair.near, "x", 1, &n, NULL));
        }
        assert_true(child > 0);
        assert_int_equal(ls_fd_poll(&entry, 1, times[i], &ready), 0);
        assert_int_equal(ready, 1);
        assert_true(now() - start >= 0.02);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        close_pair(pair);
    }
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number) {
    (void)number;
    alarms++;
}

/* The timer goes on, so that a signal before the wait cannot be the only one. */
static void a_signal_ends_poll(void **state) {
    static const double times[] = { -1, INFINITY, PATIENCE };
    struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
    struct sigaction before = handle(SIGALRM, count_alarm);
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(times); i++) {
        int ready, err;
        alarms = 0;
        assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
        err = ls_fd_poll(NULL, 0, times[i], &ready);
        setitimer(ITIMER_REAL, &never, NULL);
        assert_int_equal(err, EINTR);
        assert_true(alarms > 0);
    }
    sigaction(SIGALRM, &before, NULL);
}

static int ring_ends[2];

static void ring(int number) {
    (void)number;
    if (write(ring_ends[1], "x", 1) != 1) _exit(1);
}

static void what_a_signal_makes_ready_is_told_by_poll(void **state) {
    struct itimerval once = { { 0, 0 }, { 0, 20000 } };
    struct sigaction before = handle(SIGALRM, ring);
    struct pollfd entry = { 0, POLLIN, 0 };
    int ready = 0;
    (void)state;
    assert_int_equal(pipe(ring_ends), 0);
    entry.fd = ring_ends[0];
    assert_int_equal(setitimer(ITIMER_REAL, &once, NULL), 0);
    assert_int_equal(ls_fd_poll(&entry, 1, PATIENCE, &ready), 0);
    assert_int_equal(ready, 1);
    assert_true(entry.revents & POLLIN);
    close(ring_ends[0]);
    close(ring_ends[1]);
    sigaction(SIGALRM, &before, NULL);
}

static void the_time_of_day(void **state) {
    double before = (double)time(NULL), told = ls_fd_time();
    (void)state;
    assert_true(told >= before && told < before + PATIENCE);
}

/* ---- no peer any more ---- */

static void a_datagram_socket_may_lose_its_peer(void **state) {
    static const char *const texts[] = { "127.0.0.1", "::1" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        ls_Addr where, peer, other = address(texts[i], 9);
        int fd = bound(SOCK_DGRAM, texts[i], &where);
        assert_int_equal(ls_fd_disconnect(fd), 0); /* it has none */
        assert_int_equal(ls_fd_connect(fd, &other), 0);
        assert_int_equal(ls_fd_peer(fd, &peer), 0);
        assert_int_equal(ls_fd_disconnect(fd), 0);
        assert_int_equal(ls_fd_peer(fd, &peer), ENOTCONN);
        ls_fd_close(fd);
    }
    assert_int_equal(ls_fd_disconnect(-1), EBADF);
}

#if LS_HAVE_ABSTRACT_UNIX
static void the_system_chooses_an_abstract_name(void **state) {
    ls_Addr blank = address("@", 0), first, second;
    int one = opened(AF_UNIX, SOCK_DGRAM), two = opened(AF_UNIX, SOCK_DGRAM);
    (void)state;
    assert_int_equal(ls_fd_bind(one, &blank), 0);
    assert_int_equal(ls_fd_bind(two, &blank), 0);
    assert_int_equal(ls_fd_local(one, &first), 0);
    assert_int_equal(ls_fd_local(two, &second), 0);
    assert_true(first.len > blank.len && !ls_addr_equal(&first, &second));
    ls_fd_close(one);
    ls_fd_close(two);
}
#endif

/* ---- no descriptor left ---- */

/* As many as are open now, and not one more; the lowest free number is the limit. */
static struct rlimit forbid_more(void) {
    struct rlimit before, now_allowed;
    int lowest = dup(0);
    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now_allowed = before;
    now_allowed.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now_allowed), 0);
    return before;
}

static void too_many_open_files(void **state) {
    ls_Addr where, peer;
    int listener = listening("127.0.0.1", &where), near = opened(AF_INET, SOCK_STREAM);
    int fd = -77, count = count_open(), errs[3];
    struct rlimit before;
    (void)state;
    assert_int_equal(ls_fd_connect(near, &where), 0);
    wait_for(listener, POLLIN);
    before = forbid_more();
    errs[0] = ls_fd_socket(AF_INET, SOCK_STREAM, &fd);
    errs[1] = ls_fd_accept(listener, &fd, &peer);
    errs[2] = ls_fd_accept(listener, &fd, &peer);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(errs[0], EMFILE);
    assert_int_equal(errs[1], EMFILE);
    assert_int_equal(errs[2], EMFILE);
    assert_int_equal(fd, -77);
    assert_int_equal(count_open(), count);
    assert_int_equal(ls_fd_accept(listener, &fd, &peer), 0); /* the connection has waited */
    close_pair((Pair){ near, fd });
    ls_fd_close(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(sockets_are_born_close_on_exec_and_nonblocking),
        TEST_OPEN(a_family_that_does_not_exist),
        TEST_OPEN(accepted_sockets_are_born_the_same),
        TEST_OPEN(accepted_over_ipv6),
        TEST_OPEN(accepted_from_an_unnamed_unix_socket),
        TEST_OPEN(accept_with_nothing_waiting),
        TEST_OPEN(accept_on_what_does_not_listen),
        TEST_OPEN(bind_and_local),
        TEST_OPEN(listen_makes_a_listener),
        TEST_OPEN(the_names_of_unix_sockets),
        TEST_OPEN(connect_and_peer),
        TEST_OPEN(connect_in_progress),
        TEST_OPEN(connect_refused_is_told_once),
        TEST_OPEN(connect_on_unix),
        TEST_OPEN(connect_to_another_family),
        TEST_OPEN(close_frees_the_descriptor),
        TEST_OPEN(an_error_is_read_once),
        TEST_OPEN(recv_and_send_read_the_error_too),
        TEST_OPEN(options),
        TEST_OPEN(poll_rounds_up),
        TEST_OPEN(poll_with_no_time),
        TEST_OPEN(poll_counts_what_is_ready),
        TEST_OPEN(poll_waits_for_an_event),
        TEST_OPEN(a_signal_ends_poll),
        TEST_OPEN(what_a_signal_makes_ready_is_told_by_poll),
        TEST_OPEN(the_time_of_day),
        TEST_OPEN(a_datagram_socket_may_lose_its_peer),
#if LS_HAVE_ABSTRACT_UNIX
        TEST_OPEN(the_system_chooses_an_abstract_name),
#endif
        TEST_OPEN(too_many_open_files),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
