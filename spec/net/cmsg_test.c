/* Control messages: read from any memory without leaving it, and carried by calls that may fail. src/net/cmsg.c is
   compiled into this program a second time, under other names; its system calls first ask the test's plan. */
#include "net/fd.h"

#include "fd_check.h"

#include <sys/resource.h>

#define ls_cmsg_next faulty_cmsg_next
#define ls_cmsg_put faulty_cmsg_put
#define ls_cmsg_read faulty_cmsg_read
#define ls_cmsg_recv faulty_cmsg_recv
#define ls_cmsg_send faulty_cmsg_send
#define ls_cmsg_sendfds faulty_cmsg_sendfds
#define ls_cmsg_recvfds faulty_cmsg_recvfds

#include "net/cmsg.h"

static struct Plan {
    int times, err; /* so many calls fail with this errno */
} plan;

static int calls;

static void plan_failures(int times, int err) {
    plan.times = times;
    plan.err = err;
    calls = 0;
}

static int fails(void) {
    calls++;
    if (plan.times <= 0) return 0;
    plan.times--;
    errno = plan.err;
    return 1;
}

/* Descriptors that strange memory names are not this test's. */
static int pretend, closed;

static int close_or_count(int fd) {
    closed++;
    return pretend ? 0 : ls_fd_close(fd);
}

#define recvmsg(...) (fails() ? -1 : recvmsg(__VA_ARGS__))
#define sendmsg(...) (fails() ? -1 : sendmsg(__VA_ARGS__))
#define ls_fd_close close_or_count

#include "net/cmsg.c"

#undef recvmsg
#undef sendmsg
#undef ls_fd_close

/* ---- memory of any kind ---- */

enum { ROOM = 512 };

static struct msghdr header_at_guard(size_t size) {
    static char *end;
    struct msghdr header;
    if (!end) end = guarded(ROOM);
    memset(&header, 0, sizeof header);
    header.msg_control = end - size;
    header.msg_controllen = (unsigned)size; /* a size_t or a socklen_t */
    return header;
}

static uint64_t seed = 20240229;

static unsigned chance(unsigned most) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % (most + 1);
}

/* Random bytes, in which now and then a header stands that is nearly right. */
static void fill(const struct msghdr *header) {
    static const int types[][2] = {
        { SOL_SOCKET, SCM_RIGHTS }, { SOL_SOCKET, SCM_TIMESTAMP },
        { IPPROTO_IP, IP_TTL }, { IPPROTO_IPV6, IPV6_PKTINFO },
#if LS_HAVE_ERROR_QUEUE
        { IPPROTO_IP, IP_RECVERR }, { IPPROTO_IPV6, IPV6_RECVERR },
#endif
#if LS_HAVE_UCRED
        { SOL_SOCKET, SCM_CREDENTIALS },
#endif
    };
    char *memory = header->msg_control;
    size_t size = header->msg_controllen, place, i;
    for (i = 0; i < size; i++) memory[i] = (char)chance(255);
    for (place = 0; place + sizeof(struct cmsghdr) <= size; place += CMSG_SPACE(chance(64))) {
        const int *type = types[chance((unsigned)COUNT(types) - 1)];
        struct cmsghdr c;
        memset(&c, 0, sizeof c);
        c.cmsg_len = chance(9) ? CMSG_LEN(chance(64)) : chance(9) ? chance(20) : (size_t)-(long)chance(3);
        c.cmsg_level = type[0];
        c.cmsg_type = type[1];
        memcpy(memory + place, &c, sizeof c);
    }
}

static void no_byte_beyond_the_end_is_read(void **state) {
    int round;
    (void)state;
    pretend = 1;
    for (round = 0; round < 50000; round++) {
        struct msghdr header = header_at_guard(chance(ROOM));
        const char *start = header.msg_control, *end = start + header.msg_controllen;
        size_t place = 0, before = 0, descriptors = 0;
        ls_Part part;
        ls_Envelope e;
        fill(&header);
        for (; faulty_cmsg_next(&header, &place, &part); before = place) {
            assert_true(place > before && place <= header.msg_controllen);
            assert_true(part.data >= start + CMSG_LEN(0) && part.data + part.size <= end);
            descriptors += descriptors_in(&part);
        }
        closed = 0;
        faulty_cmsg_read(&header, &e);
        assert_int_equal(closed, descriptors);
        assert_int_equal(e.lost, descriptors > 0);
    }
    pretend = 0;
}

static void what_is_put_is_read_again(void **state) {
    char data[40];
    size_t size, i;
    (void)state;
    for (i = 0; i < sizeof data; i++) data[i] = (char)i;
    for (size = 0; size <= sizeof data; size++) {
        struct msghdr header = header_at_guard(3 * CMSG_SPACE(size));
        size_t place = 0;
        ls_Part part;
        header.msg_controllen = 0;
        for (i = 0; i < 3; i++) faulty_cmsg_put(&header, 7, (int)i, data, size);
        assert_int_equal(header.msg_controllen, 3 * CMSG_SPACE(size));
        for (i = 0; i < 3; i++) {
            assert_int_equal(faulty_cmsg_next(&header, &place, &part), 1);
            assert_int_equal(part.level, 7);
            assert_int_equal(part.type, i);
            assert_int_equal(part.size, size);
            assert_memory_equal(part.data, data, size);
        }
        assert_int_equal(faulty_cmsg_next(&header, &place, &part), 0);
    }
}

/* The system's own way to read them agrees. */
static void what_is_put_is_what_the_system_knows(void **state) {
    struct msghdr header = header_at_guard(CMSG_SPACE(5) + CMSG_SPACE(8));
    struct cmsghdr *c;
    (void)state;
    header.msg_controllen = 0;
    faulty_cmsg_put(&header, 1, 2, "five", 5);
    faulty_cmsg_put(&header, 3, 4, "01234567", 8);
    c = CMSG_FIRSTHDR(&header);
    assert_int_equal(c->cmsg_len, CMSG_LEN(5));
    assert_memory_equal(CMSG_DATA(c), "five", 5);
    c = CMSG_NXTHDR(&header, c);
    assert_int_equal(c->cmsg_type, 4);
    assert_memory_equal(CMSG_DATA(c), "01234567", 8);
    assert_null(CMSG_NXTHDR(&header, c));
}

/* As the system tells it: the seconds in as many bits as its time_t has. */
static void a_time_after_2038_is_read(void **state) {
    struct msghdr header = header_at_guard(CMSG_SPACE(sizeof(struct timeval)));
    struct timeval time = { 0, 250000 };
    ls_Envelope e;
    (void)state;
    assert_true(sizeof time.tv_sec >= 8);
    time.tv_sec = (time_t)((int64_t)1 << 32);
    header.msg_controllen = 0;
    faulty_cmsg_put(&header, SOL_SOCKET, SCM_TIMESTAMP, &time, sizeof time);
    faulty_cmsg_read(&header, &e);
    assert_int_equal(e.has, LS_HAS_TIME);
    assert_true(e.time == 4294967296.25);
}

/* ---- calls that fail ---- */

typedef struct Ends {
    int near, far;
} Ends;

static Ends ends_of(int type) {
    int fds[2];
    Ends ends;
    assert_int_equal(ls_fd_pair(type, fds), 0);
    ends.near = fds[0];
    ends.far = fds[1];
    return ends;
}

static void close_ends(Ends ends) {
    close(ends.near);
    close(ends.far);
}

static void interrupted_calls_are_repeated(void **state) {
    static const int rounds[] = { 0, 1, 5 };
    Ends ends = ends_of(SOCK_DGRAM);
    char data[8];
    size_t n, i;
    (void)state;
    for (i = 0; i < COUNT(rounds); i++) {
        ls_Envelope e;
        ls_Delivery d;
        memset(&e, 0, sizeof e);
        plan_failures(rounds[i], EINTR);
        assert_int_equal(faulty_cmsg_send(ends.near, AF_UNIX, "abc", 3, &e, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(calls, rounds[i] + 1);
        plan_failures(rounds[i], EINTR);
        assert_int_equal(faulty_cmsg_recv(ends.far, LS_FD_DATAGRAM, data, sizeof data, &n, &e), 0);
        assert_int_equal(n, 3);
        plan_failures(rounds[i], EINTR);
        assert_int_equal(faulty_cmsg_sendfds(ends.near, "", 0, &ends.near, 1, &n), 0);
        plan_failures(rounds[i], EINTR);
        assert_int_equal(faulty_cmsg_recvfds(ends.far, LS_FD_DATAGRAM, data, sizeof data, 0, &n, &d), 0);
        assert_int_equal(calls, rounds[i] + 1);
        assert_int_equal(d.surplus, 1);
    }
    close_ends(ends);
}

static void other_failures_are_told_at_once(void **state) {
    static const int errors[] = { EAGAIN, ENOBUFS, ENOMEM, EMSGSIZE, ETOOMANYREFS, ECONNREFUSED };
    Ends ends = ends_of(SOCK_DGRAM);
    char data[8];
    size_t n, i;
    (void)state;
    for (i = 0; i < COUNT(errors); i++) {
        ls_Envelope e;
        ls_Delivery d;
        memset(&e, 0, sizeof e);
        plan_failures(1, errors[i]);
        assert_int_equal(faulty_cmsg_send(ends.near, AF_UNIX, "abc", 3, &e, &n), errors[i]);
        plan_failures(1, errors[i]);
        assert_int_equal(faulty_cmsg_recv(ends.far, 0, data, sizeof data, &n, &e), errors[i]);
        plan_failures(1, errors[i]);
        assert_int_equal(faulty_cmsg_sendfds(ends.near, "", 0, &ends.near, 1, &n), errors[i]);
        plan_failures(1, errors[i]);
        assert_int_equal(faulty_cmsg_recvfds(ends.far, 0, data, sizeof data, 9, &n, &d), errors[i]);
        assert_int_equal(calls, 1);
    }
    close_ends(ends);
}

/* ---- descriptors ---- */

static void send_copies(int fd, int what, size_t count) {
    int fds[LS_CMSG_DESCRIPTORS];
    size_t i, n;
    for (i = 0; i < count; i++) fds[i] = what;
    assert_int_equal(faulty_cmsg_sendfds(fd, "x", 1, fds, count, &n), 0);
    assert_int_equal(n, 1);
}

#ifndef MOST_SENT /* musl's sendmsg takes fewer than the kernel does */
#define MOST_SENT LS_CMSG_DESCRIPTORS
#endif

static void as_many_as_are_wanted_are_delivered(void **state) {
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    static const size_t counts[] = { 0, 1, 2, 3, 64, 252, MOST_SENT }, most[] = { 0, 1, 2, 64, 253 };
    size_t t, c, m, i, n;
    (void)state;
    for (t = 0; t < COUNT(types); t++) {
        Ends ends = ends_of(types[t]);
        for (c = 0; c < COUNT(counts); c++) {
            for (m = 0; m < COUNT(most); m++) {
                char data[8];
                ls_Delivery d;
                size_t delivered = counts[c] < most[m] ? counts[c] : most[m];
                send_copies(ends.near, ends.near, counts[c]);
                assert_int_equal(faulty_cmsg_recvfds(ends.far, 0, data, sizeof data, most[m], &n, &d), 0);
                assert_int_equal(n, 1);
                assert_int_equal(d.count, delivered);
                assert_int_equal(d.surplus, counts[c] - delivered);
                assert_int_equal(d.lost, 0);
                for (i = 0; i < d.count; i++) {
                    assert_int_equal(fcntl(d.fds[i], F_GETFD), FD_CLOEXEC);
                    close(d.fds[i]);
                }
            }
        }
        close_ends(ends);
    }
}

static void descriptors_that_nobody_asked_for_are_closed(void **state) {
    Ends ends = ends_of(SOCK_DGRAM);
    char data[8];
    ls_Envelope e;
    size_t n;
    (void)state;
    send_copies(ends.near, ends.near, 100);
    assert_int_equal(faulty_cmsg_recv(ends.far, LS_FD_DATAGRAM, data, sizeof data, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(e.lost, 1);
    send_copies(ends.near, ends.near, 0);
    assert_int_equal(faulty_cmsg_recv(ends.far, LS_FD_DATAGRAM, data, sizeof data, &n, &e), 0);
    assert_int_equal(e.lost, 0);
    close_ends(ends);
}

static void what_the_system_has_no_room_for_is_told(void **state) {
    struct rlimit before, low;
    Ends ends = ends_of(SOCK_DGRAM);
    int next = dup(ends.near);
    char data[8];
    ls_Delivery d;
    size_t n;
    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)next + 2;
    send_copies(ends.near, ends.near, 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(faulty_cmsg_recvfds(ends.far, 0, data, sizeof data, 5, &n, &d), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(d.count, 2);
    assert_int_equal(d.lost, 1);
    close(d.fds[0]);
    close(d.fds[1]);
    close_ends(ends);
}

/* As the BSDs tell it, by the headers that stand for theirs. */
static void an_interface_is_read_from_a_link_address(void **state) {
#if LS_HAVE_IP_RECVIF
    struct sockaddr_dl from = { .sdl_index = 7 };
    union {
        size_t aligned;
        char room[64];
    } control;
    struct msghdr header;
    ls_Envelope e;
    memset(&header, 0, sizeof header);
    header.msg_control = &control;
    ls_cmsg_put(&header, IPPROTO_IP, IP_RECVIF, &from, offsetof(struct sockaddr_dl, sdl_data));
    ls_cmsg_read(&header, &e);
    assert_int_equal(e.has, LS_HAS_INTERFACE);
    assert_int_equal(e.interface, 7);
#else
    skip();
#endif
    (void)state;
}

/* macOS would leave the source out. */
static void source_and_interface_go_together_or_not_at_all(void **state) {
#if LS_HAVE_IP_PKTINFO
    Pair pair = datagrams();
    ls_Envelope e;
    size_t n;
    int both;
    memset(&e, 0, sizeof e);
    e.local = address("127.0.0.1", 0);
    e.interface = 1;
    e.has = LS_HAS_LOCAL | LS_HAS_INTERFACE;
    both = ls_cmsg_send(pair.near, AF_INET, "both", 4, &e, &n);
    need_kernel("numbers of IP_PKTINFO in this order of bytes", both != ENODEV);
    assert_int_equal(both, LS_HAVE_PKTINFO_OF_BOTH ? 0 : ENOPROTOOPT);
    e.has = LS_HAS_LOCAL;
    assert_int_equal(ls_cmsg_send(pair.near, AF_INET, "one", 3, &e, &n), 0);
    if (both == 0) expect_data(pair.far, LS_FD_DATAGRAM, "both");
    expect_data(pair.far, LS_FD_DATAGRAM, "one");
    close_pair(pair);
#else
    skip();
#endif
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(an_interface_is_read_from_a_link_address),
        TEST_OPEN(source_and_interface_go_together_or_not_at_all),
        TEST_OPEN(no_byte_beyond_the_end_is_read),
        TEST_OPEN(what_is_put_is_read_again),
        TEST_OPEN(what_is_put_is_what_the_system_knows),
        TEST_OPEN(a_time_after_2038_is_read),
        TEST_OPEN(interrupted_calls_are_repeated),
        TEST_OPEN(other_failures_are_told_at_once),
        TEST_OPEN(as_many_as_are_wanted_are_delivered),
        TEST_OPEN(descriptors_that_nobody_asked_for_are_closed),
        TEST_OPEN(what_the_system_has_no_room_for_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
