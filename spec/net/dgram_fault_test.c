/* Batches when a system call is interrupted, or the kernel refuses to cut a message in datagrams. src/net/dgram.c is
   compiled into this program a second time, under other names, and its system calls first ask the test's plan. */
#include "net/fd.h"

#include "fd_check.h"

#define ls_dgram_memory faulty_dgram_memory
#define ls_dgram_init faulty_dgram_init
#define ls_dgram_clear faulty_dgram_clear
#define ls_dgram_rewind faulty_dgram_rewind
#define ls_dgram_left faulty_dgram_left
#define ls_dgram_get faulty_dgram_get
#define ls_dgram_add faulty_dgram_add
#define ls_dgram_recv faulty_dgram_recv
#define ls_dgram_send faulty_dgram_send

#include "net/dgram.h"

static struct Plan {
    int times, err; /* so many calls fail with this errno, */
    int segmented;  /* or only those with a message that is to be cut */
} plan;

static int calls;

static unsigned waiting; /* messages that the kernel is said to have, each of one byte; 0: ask it */

static inline int is_cut(const struct msghdr *header) {
    uint16_t segment = 0;
    if (header->msg_controllen) memcpy(&segment, CMSG_DATA((struct cmsghdr *)header->msg_control), sizeof segment);
    return segment != 0;
}

static inline int is_one_cut(const ls_Message *messages, unsigned count) {
    unsigned i;
    for (i = 0; i < count; i++)
        if (is_cut(&messages[i].msg_hdr)) return 1;
    return 0;
}

static int fails(int segmented) {
    calls++;
    if (plan.times <= 0 || (plan.segmented && !segmented)) return 0;
    plan.times--;
    errno = plan.err;
    return 1;
}

/* Gives of those that are said to wait as many as the kernel would in one call. */
static inline int invent(ls_Message *messages, unsigned count) {
    unsigned i, most = count < 1024 ? count : 1024, n = waiting < most ? waiting : most;
    for (i = 0; i < n; i++) {
        messages[i].msg_len = 1;
        messages[i].msg_hdr.msg_namelen = 0;
        messages[i].msg_hdr.msg_controllen = 0;
    }
    waiting -= n;
    calls++;
    return (int)n;
}

/* Within its own expansion a macro's name is the function's. */
#define recvmmsg(fd, messages, count, flags, time) \
    (waiting ? invent((messages), (count)) : fails(0) ? -1 : recvmmsg((fd), (messages), (count), (flags), (time)))
#define recvmsg(...) (fails(0) ? -1 : recvmsg(__VA_ARGS__))
#define sendmmsg(fd, messages, count, flags) \
    (fails(is_one_cut((messages), (count))) ? -1 : sendmmsg((fd), (messages), (count), (flags)))
#define ls_fd_sendonce(fd, data, size, to) (fails(0) ? -1 : ls_fd_sendonce((fd), (data), (size), (to)))
#define sendmsg(fd, header, flags) (fails(is_cut(header)) ? -1 : sendmsg((fd), (header), (flags)))

#include "net/dgram.c"

#undef recvmmsg
#undef recvmsg
#undef sendmmsg
#undef sendmsg
#undef ls_fd_sendonce

static void plan_failures(int times, int err, int segmented) {
    struct Plan next = { times, err, segmented };
    plan = next;
    calls = 0;
}

enum { DATAGRAMS = 5 };

static ls_Batch new_batch(void) {
    ls_Batch b;
    void *memory = malloc(ls_dgram_memory(DATAGRAMS, 10));
    assert_non_null(memory);
    ls_dgram_init(&b, memory, DATAGRAMS, 10);
    return b;
}

static void free_batch(ls_Batch *b) { free(b->messages); }

static ls_Batch full_batch(void) {
    ls_Batch b = new_batch();
    int i;
    for (i = 0; i < DATAGRAMS; i++) assert_int_equal(ls_dgram_add(&b, "datagram", 8, NULL), 0);
    return b;
}

static void must_come(int fd) {
    int i;
    for (i = 0; i < DATAGRAMS; i++) expect_data(fd, 1, "datagram");
}

static void interrupted_calls_are_repeated(void **state) {
    Pair pair = datagrams();
    ls_Batch b = full_batch();
    ls_Route route = { AF_INET, 1, 0, NULL };
    size_t sent = 0;
    (void)state;
    plan_failures(3, EINTR, 0);
    assert_int_equal(ls_dgram_send(&b, pair.near, &route, &sent), 0);
    assert_int_equal(sent, DATAGRAMS);
    assert_true(calls > 3);
    wait_for(pair.far, POLLIN);
    plan_failures(3, EINTR, 0);
    assert_int_equal(ls_dgram_recv(&b, pair.far, 0), 0);
    assert_int_equal(ls_dgram_left(&b), DATAGRAMS);
    assert_true(calls > 3);
    free_batch(&b);
    close_pair(pair);
}

static void other_failures_are_told(void **state) {
    Pair pair = datagrams();
    ls_Batch b = full_batch();
    ls_Route route = { AF_INET, 1, 0, NULL };
    size_t sent = 9;
    (void)state;
    plan_failures(1, EAGAIN, 0);
    assert_int_equal(ls_dgram_send(&b, pair.near, &route, &sent), EAGAIN);
    assert_int_equal(ls_dgram_left(&b), DATAGRAMS);
    plan_failures(1, ENOBUFS, 0);
    assert_int_equal(ls_dgram_send(&b, pair.near, &route, &sent), ENOBUFS);
    assert_int_equal(ls_dgram_left(&b), DATAGRAMS - 1);
    assert_int_equal(sent, 0);
    plan_failures(1, ECONNREFUSED, 0);
    assert_int_equal(ls_dgram_recv(&b, pair.far, 0), ECONNREFUSED);
    assert_int_equal(ls_dgram_left(&b), 0);
    free_batch(&b);
    close_pair(pair);
}

/* As it does where a datagram does not fit the path, or the device makes no checksums. */
static void where_the_kernel_does_not_cut_each_goes_alone(void **state) {
    static const int errors[] = { EINVAL, EIO, EMSGSIZE, ENOBUFS };
    size_t i;
    (void)state;
    if (!LS_HAVE_UDP_OFFLOAD || !LS_HAVE_MMSG) skip();
    for (i = 0; i < COUNT(errors); i++) {
        Pair pair = datagrams();
        ls_Batch b = full_batch();
        ls_Route route = { AF_INET, 1, 100, NULL };
        size_t sent = 0;
#if LS_HAVE_UDP_OFFLOAD
        assert_int_equal(ls_fd_setint(pair.near, IPPROTO_UDP, UDP_SEGMENT, 100), 0);
#endif
        plan_failures(100, errors[i], 1);
        assert_int_equal(ls_dgram_send(&b, pair.near, &route, &sent), 0);
        assert_int_equal(sent, DATAGRAMS);
        assert_int_equal(plan.times, 99);
        must_come(pair.far);
        free_batch(&b);
        close_pair(pair);
    }
}

static void more_than_a_call_takes_is_received(void **state) {
    static const unsigned counts[] = { 1, 1023, 1024, 1025, 3000 };
    size_t i;
    (void)state;
    if (!LS_HAVE_MMSG) skip();
    for (i = 0; i < COUNT(counts); i++) {
        void *memory = malloc(ls_dgram_memory(3000, 100));
        ls_Batch b;
        assert_non_null(memory);
        ls_dgram_init(&b, memory, 3000, 100);
        waiting = counts[i];
        plan_failures(1, EAGAIN, 0);
        assert_int_equal(ls_dgram_recv(&b, -1, 0), 0);
        assert_int_equal(ls_dgram_left(&b), counts[i]);
        assert_int_equal(ls_dgram_get(&b, counts[i] - 1).bytes, 1);
        assert_int_equal(calls, counts[i] / 1024 + 1);
        free_batch(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(interrupted_calls_are_repeated),
        TEST_OPEN(more_than_a_call_takes_is_received),
        TEST_OPEN(other_failures_are_told),
        TEST_OPEN(where_the_kernel_does_not_cut_each_goes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
