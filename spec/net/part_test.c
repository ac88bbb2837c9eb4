/* Datagrams one by one from a message that holds many. src/net/part.c is compiled into this program a second time,
   under other names, and its calls may fail. */
#include "net/part.h"

#include "fd_check.h"

#include "net/cmsg.h"

#if LS_HAVE_UDP_OFFLOAD
static int times, error; /* so many calls fail with this errno */

static int fails(void) {
    if (times <= 0) return 0;
    times--;
    errno = error;
    return 1;
}
#endif

#define ls_part_recv faulty_part_recv
#define ls_part_taken faulty_part_taken
#define ls_part_failed faulty_part_failed
#define ls_part_length faulty_part_length
#define ls_part_send faulty_part_send
size_t ls_part_length(const struct msghdr *header);
int ls_part_recv(int fd, int how, void *data, size_t *n, ls_Addr *peer);
int ls_part_send(int fd, struct iovec *pieces, unsigned short count, size_t *n, const ls_Addr *to);
size_t ls_part_taken(int fd);
void ls_part_failed(int fd, size_t taken, int err);

#define recvmsg(...) (fails() ? -1 : recvmsg(__VA_ARGS__))
#define sendmsg(...) (fails() ? -1 : sendmsg(__VA_ARGS__))

#include "net/part.c"

#undef recvmsg
#undef sendmsg

static char data[LS_PART_ROOM];

#if LS_HAVE_UDP_OFFLOAD
#define SET(fd, option, value) assert_int_equal(ls_fd_setint((fd), IPPROTO_UDP, (option), (value)), 0)

/* Three datagrams as one message: of 4, 4 and 3 bytes. */
static void send_three(Pair pair) {
    size_t n;
    SET(pair.near, UDP_SEGMENT, 4);
    SET(pair.far, UDP_GRO, 1);
    assert_int_equal(ls_fd_send(pair.near, "one1two2end", 11, &n, NULL), 0);
    wait_for(pair.far, POLLIN);
}

static int has_offset(int fd) { return ls_fd_setint(fd, SOL_SOCKET, SO_PEEK_OFF, -1) == 0; }

static void expect_part(int fd, int how, const char *text) {
    ls_Addr peer;
    size_t n = 0;
    assert_int_equal(ls_part_recv(fd, how, data, &n, &peer), 0);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(data, text, n);
    assert_int_equal(ls_addr_family(&peer), AF_INET);
}

static void each_comes_by_itself(void **state) {
    Pair pair = datagrams();
    size_t n;
    (void)state;
    need_kernel("control data in the order of bytes of its machine", htons(1) != 1);
    need_kernel("SO_PEEK_OFF", has_offset(pair.far));
    send_three(pair);
    expect_part(pair.far, LS_FD_PEEK, "one1");
    expect_part(pair.far, 0, "one1");
    expect_part(pair.far, LS_FD_PEEK, "two2");
    expect_part(pair.far, LS_FD_PEEK, "two2");
    assert_int_equal(ls_part_taken(pair.far), 4);
    expect_part(pair.far, 0, "one1"); /* who was told takes it whole */
    expect_part(pair.far, 0, "two2");
    expect_part(pair.far, 0, "end");
    assert_int_equal(ls_part_taken(pair.far), 0);
    assert_int_equal(ls_part_recv(pair.far, 0, data, &n, NULL), EAGAIN);
    must_send(pair.near, "");
    wait_for(pair.far, POLLIN);
    expect_part(pair.far, 0, "");
    assert_int_equal(ls_part_recv(pair.far, 0, data, &n, NULL), EAGAIN);
    close_pair(pair);
}

static void failures_take_nothing(void **state) {
    static const int errors[] = { ENOBUFS, EAGAIN, ECONNREFUSED };
    Pair pair = datagrams();
    size_t i, n;
    (void)state;
    need_kernel("control data in the order of bytes of its machine", htons(1) != 1);
    need_kernel("SO_PEEK_OFF", has_offset(pair.far));
    send_three(pair);
    for (i = 0; i < COUNT(errors); i++) {
        times = 1;
        error = errors[i];
        assert_int_equal(ls_part_recv(pair.far, 0, data, &n, NULL), error);
    }
    times = 3;
    error = EINTR;
    expect_part(pair.far, 0, "one1");
    times = 1;
    error = ECONNREFUSED;
    assert_int_equal(ls_part_recv(pair.far, 0, data, &n, NULL), error);
    times = 3;
    error = EINTR;
    expect_part(pair.far, 0, "two2");
    expect_part(pair.far, 0, "end");
    close_pair(pair);
}
static void nothing_is_cut(void **state) {
    Pair pair = datagrams();
    struct iovec pieces[] = { piece("one1"), piece("two2"), piece("end") };
    size_t n = 0;
    (void)state;
    SET(pair.near, UDP_SEGMENT, 4);
    times = 2;
    error = EINTR;
    assert_int_equal(ls_part_send(pair.near, pieces, 3, &n, NULL), 0);
    assert_int_equal(n, 11);
    expect_data(pair.far, LS_FD_DATAGRAM, "one1two2end");
    times = 1;
    error = ENOBUFS;
    assert_int_equal(ls_part_send(pair.near, pieces, 3, &n, NULL), ENOBUFS);
    close_pair(pair);
}
#endif

static void what_is_single_comes_as_ever(void **state) {
    Pair pair = datagrams();
    size_t n = 0;
    (void)state;
    must_send(pair.near, "single");
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_part_taken(pair.far), 0);
    assert_int_equal(ls_part_recv(pair.far, 0, data, &n, NULL), 0);
    assert_int_equal(n, 6);
    assert_int_equal(ls_part_recv(pair.far, 0, data, &n, NULL), EAGAIN);
    close_pair(pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if LS_HAVE_UDP_OFFLOAD
        TEST_OPEN(each_comes_by_itself),
        TEST_OPEN(failures_take_nothing),
        TEST_OPEN(nothing_is_cut),
#endif
        TEST_OPEN(what_is_single_comes_as_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
