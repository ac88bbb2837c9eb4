/* Batches of datagrams: what they hold, and that they arrive as they were sent, whatever the kernel does with them. */
#include "net/dgram.h"

#include "fd_check.h"

/* A batch whose memory ends where nothing may be touched. */
static ls_Batch new_batch(size_t count, size_t size) {
    size_t memory = ls_dgram_memory(count, size);
    ls_Batch b;
    assert_true(memory > 0);
    memory = (memory + 7) / 8 * 8;
    ls_dgram_init(&b, guarded(memory) - memory, count, size);
    return b;
}

static void add(ls_Batch *b, const char *text) {
    assert_int_equal(ls_dgram_add(b, text, strlen(text), NULL), 0);
}

static void expect(ls_Batch *b, size_t number, const char *text) {
    ls_Datagram d = ls_dgram_get(b, number);
    assert_int_equal(d.bytes, strlen(text));
    assert_int_equal(d.length, strlen(text));
    assert_memory_equal(d.data, text, d.bytes);
}

static ls_Route to_peer(void) {
    ls_Route route = { AF_INET, 1, 0, NULL };
    return route;
}

/* Sends all that is left to the connected peer. */
static void send_all(ls_Batch *b, int fd, int segmented) {
    ls_Route route = to_peer();
    size_t left = ls_dgram_left(b), sent = 99;
    route.segment = segmented ? 1400 : 0;
    assert_int_equal(ls_dgram_send(b, fd, &route, &sent), 0);
    assert_int_equal(sent, left);
    assert_int_equal(ls_dgram_left(b), 0);
}

static void large_buffers(Pair pair) {
    assert_int_equal(ls_fd_setint(pair.near, SOL_SOCKET, SO_SNDBUF, 1 << 20), 0);
    assert_int_equal(ls_fd_setint(pair.far, SOL_SOCKET, SO_RCVBUF, 1 << 20), 0);
}

/* ---- what a batch holds ---- */

static void what_was_added_is_there(void **state) {
    ls_Batch b = new_batch(6, 8);
    ls_Addr one = address("10.0.0.1", 7), other = address("fe80::1", 8);
    ls_Datagram d;
    (void)state;
    assert_int_equal(ls_dgram_left(&b), 0);
    assert_int_equal(ls_dgram_add(&b, "one", 3, &one), 0);
    assert_int_equal(ls_dgram_add(&b, "two", 3, &one), 0);
    assert_int_equal(ls_dgram_add(&b, "", 0, &one), 0);
    assert_int_equal(ls_dgram_add(&b, "12345678", 8, &other), 0);
    assert_int_equal(ls_dgram_add(&b, "123456789", 9, &other), EMSGSIZE);
    assert_int_equal(ls_dgram_add(&b, "five", 4, NULL), 0);
    assert_int_equal(ls_dgram_add(&b, "5", 1, NULL), 0);
    assert_int_equal(ls_dgram_add(&b, "", 0, NULL), ENOBUFS);
    assert_int_equal(ls_dgram_left(&b), 6);
    expect(&b, 5, "5");
    expect(&b, 0, "one");
    expect(&b, 2, "");
    expect(&b, 1, "two");
    expect(&b, 4, "five");
    d = ls_dgram_get(&b, 3);
    assert_true(ls_addr_equal(d.peer, &other));
    assert_true(ls_addr_equal(ls_dgram_get(&b, 2).peer, &one));
    assert_int_equal(ls_dgram_get(&b, 4).peer->len, 0);
    ls_dgram_clear(&b);
    assert_int_equal(ls_dgram_left(&b), 0);
    add(&b, "anew");
    expect(&b, 0, "anew");
}

static void as_many_fit_as_were_asked_for(void **state) {
    static const size_t sizes[] = { 1, 63, 64, 65, 1500, 65535 };
    char *data = calloc(1, 65536);
    size_t i, k;
    (void)state;
    assert_non_null(data);
    for (i = 0; i < COUNT(sizes); i++) {
        ls_Batch b = new_batch(5, sizes[i]);
        for (k = 0; k < 5; k++) assert_int_equal(ls_dgram_add(&b, data, sizes[i], NULL), 0);
        assert_int_equal(ls_dgram_add(&b, data, 0, NULL), ENOBUFS);
        assert_int_equal(ls_dgram_add(&b, data, sizes[i] + 1, NULL), EMSGSIZE);
    }
    free(data);
}

static void too_much_memory_is_none(void **state) {
    (void)state;
    assert_int_equal(ls_dgram_memory(LS_DGRAM_COUNT, LS_DGRAM_SIZE), 0);
    assert_int_equal(ls_dgram_memory(16385, LS_DGRAM_SIZE), 0);
    assert_true(ls_dgram_memory(16384, LS_DGRAM_SIZE) > LS_DGRAM_TOTAL);
    assert_true(ls_dgram_memory(1, 1) > 65536); /* what is coalesced must fit */
}

/* ---- there and back ---- */

static void datagrams_arrive(void **state) {
    Pair pair = datagrams();
    ls_Batch b = new_batch(4, 100), in = new_batch(4, 100);
    ls_Addr near;
    (void)state;
    assert_int_equal(ls_dgram_recv(&in, pair.far, 0), EAGAIN);
    assert_int_equal(ls_fd_local(pair.near, &near), 0);
    add(&b, "one");
    add(&b, "");
    add(&b, "three");
    send_all(&b, pair.near, 0);
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_dgram_recv(&in, pair.far, 0), 0);
    assert_int_equal(ls_dgram_left(&in), 3);
    expect(&in, 0, "one");
    expect(&in, 1, "");
    expect(&in, 2, "three");
    assert_true(ls_addr_equal(ls_dgram_get(&in, 1).peer, &near));
    add(&in, "behind them");
    expect(&in, 3, "behind them");
    expect(&in, 2, "three");
    assert_int_equal(ls_dgram_recv(&in, pair.far, 0), EAGAIN);
    assert_int_equal(ls_dgram_left(&in), 0);
    close_pair(pair);
}

static void long_ones_are_cut_and_no_byte_is_written_behind(void **state) {
    Pair pair = datagrams();
    ls_Batch in = new_batch(3, 64); /* 64 times 1024 would fill the area; three are far from it */
    ls_Batch full = new_batch(1024, 64);
    char data[200];
    size_t n, i;
    (void)state;
    memset(data, 'x', sizeof data);
    large_buffers(pair);
    must_send(pair.near, "short");
    assert_int_equal(ls_fd_send(pair.near, data, 200, &n, NULL), 0);
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_dgram_recv(&in, pair.far, 0), 0);
    assert_int_equal(ls_dgram_left(&in), 2);
    expect(&in, 0, "short");
    assert_int_equal(ls_dgram_get(&in, 1).bytes, 64);
    assert_int_equal(ls_dgram_get(&in, 1).length, LS_HAVE_TRUE_LENGTH ? 200 : 65);
    add(&in, "y"); /* is no part of the one that was cut */
    assert_int_equal(ls_dgram_get(&in, 1).bytes, 64);
    expect(&in, 2, "y");
    for (i = 0; i < 1024; i++) ls_fd_send(pair.near, data, 200, &n, NULL);
    assert_int_equal(ls_dgram_recv(&full, pair.far, 0), 0); /* the last place ends at the guarded page */
    assert_true(ls_dgram_left(&full) > 0);
    close_pair(pair);
}

static void what_is_sent_can_be_sent_again(void **state) {
    Pair pair = datagrams();
    ls_Batch b = new_batch(3, 100);
    (void)state;
    add(&b, "one");
    add(&b, "two");
    send_all(&b, pair.near, 0);
    ls_dgram_rewind(&b);
    expect(&b, 1, "two");
    send_all(&b, pair.near, 0);
    expect_data(pair.far, 1, "one");
    expect_data(pair.far, 1, "two");
    expect_data(pair.far, 1, "one");
    expect_data(pair.far, 1, "two");
    add(&b, "a new one"); /* those that went are gone */
    assert_int_equal(ls_dgram_left(&b), 1);
    expect(&b, 0, "a new one");
    close_pair(pair);
}

static void an_error_takes_its_datagram_along(void **state) {
    Pair pair = datagrams();
    ls_Batch b = new_batch(3, 65535);
    ls_Route route = to_peer();
    char *data = calloc(1, 65535);
    size_t sent;
    (void)state;
    assert_non_null(data);
    add(&b, "one");
    assert_int_equal(ls_dgram_add(&b, data, 65535, NULL), 0); /* more than UDP has room for */
    add(&b, "three");
    assert_int_equal(ls_dgram_send(&b, pair.near, &route, &sent), 0);
    assert_int_equal(sent, 1);
    assert_int_equal(ls_dgram_send(&b, pair.near, &route, &sent), EMSGSIZE);
    assert_int_equal(sent, 0);
    assert_int_equal(ls_dgram_left(&b), 1);
    send_all(&b, pair.near, 0);
    expect_data(pair.far, 1, "one");
    expect_data(pair.far, 1, "three");
    assert_int_equal(ls_dgram_send(&b, -1, &route, &sent), 0); /* nothing is left that could fail */
    add(&b, "x");
    assert_int_equal(ls_dgram_send(&b, -1, &route, &sent), EBADF);
    free(data);
    close_pair(pair);
}

/* To whom each goes: its own address, one for all, or the peer's; made fit for the socket's family. */
static void addresses(void **state) {
    ls_Addr where, unused, wrong = address("/no/where", 0);
    int far = bound(SOCK_DGRAM, "127.0.0.1", &where), near = bound(SOCK_DGRAM, "::", &unused);
    ls_Batch b = new_batch(4, 10);
    ls_Route route = { AF_INET6, 0, 0, NULL };
    ls_Addr mapped = where;
    size_t sent;
    (void)state;
    assert_int_equal(ls_addr_suit(&mapped, AF_INET6), 0);
    assert_int_equal(ls_dgram_add(&b, "1", 1, &where), 0);
    assert_int_equal(ls_dgram_add(&b, "2", 1, &wrong), 0);
    add(&b, "3");
    assert_int_equal(ls_dgram_send(&b, near, &route, &sent), 0);
    assert_int_equal(sent, 1);
    assert_true(ls_addr_equal(ls_dgram_get(&b, 0).peer, &wrong));
    assert_int_equal(ls_dgram_send(&b, near, &route, &sent), EAFNOSUPPORT);
    assert_int_equal(ls_dgram_send(&b, near, &route, &sent), EDESTADDRREQ);
    ls_dgram_rewind(&b);
    assert_true(ls_addr_equal(ls_dgram_get(&b, 0).peer, &where));
    route.to = &mapped;
    assert_int_equal(ls_dgram_send(&b, near, &route, &sent), 0);
    assert_int_equal(sent, 3);
    expect_data(far, 1, "1");
    expect_data(far, 1, "1");
    expect_data(far, 1, "2");
    expect_data(far, 1, "3");
    ls_fd_close(near);
    ls_fd_close(far);
}

/* ---- the kernel's help ---- */

#if LS_HAVE_UDP_OFFLOAD
#define SET(fd, option, value) assert_int_equal(ls_fd_setint((fd), IPPROTO_UDP, (option), (value)), 0)
#else
#define SET(fd, option, value) ((void)0)
#endif

static unsigned random_below(unsigned *seed, unsigned limit) {
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) % limit;
}

/* Lengths as they come in practice: long runs of one, now and then another, shorter, longer or empty. */
static size_t some_length(unsigned *seed, size_t last) {
    unsigned dice = random_below(seed, 20);
    return dice == 0 ? random_below(seed, 1400) : dice == 1 ? 0 : dice == 2 ? 100 : dice == 3 ? 2000 : last;
}

static void fill_randomly(ls_Batch *b, unsigned *seed, unsigned mark) {
    char data[2000];
    size_t length = random_below(seed, 300), i, count = 1 + random_below(seed, 200);
    memset(data, (int)('a' + mark % 26), sizeof data);
    for (i = 0; i < count; i++) {
        length = some_length(seed, length);
        snprintf(data, sizeof data, "%u", (unsigned)i);
        assert_int_equal(ls_dgram_add(b, data, length, NULL), 0);
    }
}

/* Everything in b must come, in order; it is received by what the seed says. */
static void must_come(ls_Batch *b, ls_Batch *in, int fd, int how) {
    size_t number = 0, left = ls_dgram_left(b), i;
    while (number < left) {
        wait_for(fd, POLLIN);
        assert_int_equal(ls_dgram_recv(in, fd, how), 0);
        for (i = 0; i < ls_dgram_left(in); i++, number++) {
            ls_Datagram sent = ls_dgram_get(b, number), got = ls_dgram_get(in, i);
            assert_int_equal(got.bytes, sent.bytes);
            assert_int_equal(got.length, sent.bytes);
            assert_memory_equal(got.data, sent.data, sent.bytes);
        }
    }
    assert_int_equal(number, left);
}

static void offload_changes_nothing(void **state) {
    unsigned seed = 3, round;
    (void)state;
    need_kernel("control data in the order of bytes of its machine", htons(1) != 1);
    for (round = 0; round < 64; round++) {
        int segmented = LS_HAVE_UDP_OFFLOAD && (round & 1), coalesced = LS_HAVE_UDP_OFFLOAD && (round & 2);
        Pair pair = datagrams(), relay = datagrams();
        ls_Batch b = new_batch(200, 2000), in = new_batch(round & 4 ? 7 : 200, round & 8 ? 2000 : 65535);
        ls_Batch last = new_batch(100, 2000);
        ls_Route route = to_peer();
        size_t sent;
        large_buffers(pair);
        large_buffers(relay);
        if (segmented) SET(pair.near, UDP_SEGMENT, 1400);
        if (coalesced) SET(pair.far, UDP_GRO, 1);
        fill_randomly(&b, &seed, round);
        send_all(&b, pair.near, segmented);
        ls_dgram_rewind(&b);
        must_come(&b, &in, pair.far, coalesced ? LS_DGRAM_COALESCED : LS_DGRAM_SINGLE);
        /* What was received last goes on as it lies there. */
        if (!segmented) SET(relay.near, UDP_SEGMENT, 1400);
        route.segment = LS_HAVE_UDP_OFFLOAD && !segmented ? 1400 : 0;
        assert_int_equal(ls_dgram_send(&in, relay.near, &route, &sent), 0);
        ls_dgram_rewind(&in);
        assert_int_equal(sent, ls_dgram_left(&in));
        must_come(&in, &last, relay.far, LS_DGRAM_SINGLE);
        close_pair(pair);
        close_pair(relay);
    }
}

/* One message, where it may be one: so the offload is really used. */
static void runs_travel_as_one_message(void **state) {
    Pair pair = datagrams();
    ls_Batch b = new_batch(64, 100), in = new_batch(64, 100);
    char text[101] = "";
    int i;
    (void)state;
    need_kernel("control data in the order of bytes of its machine", htons(1) != 1);
    if (!LS_HAVE_UDP_OFFLOAD) skip();
    SET(pair.near, UDP_SEGMENT, 1000);
    SET(pair.far, UDP_GRO, 1);
    memset(text, 'x', 100);
    for (i = 0; i < 63; i++) add(&b, text);
    add(&b, "the last is shorter");
    send_all(&b, pair.near, 1);
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_dgram_recv(&in, pair.far, LS_DGRAM_COALESCED), 0);
    assert_int_equal(in.runs, 1);
    assert_int_equal(ls_dgram_left(&in), 64);
    expect(&in, 62, text);
    expect(&in, 63, "the last is shorter");
    assert_int_equal(ls_dgram_add(&in, "", 0, NULL), ENOBUFS);
    close_pair(pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(what_was_added_is_there),
        TEST_OPEN(as_many_fit_as_were_asked_for),
        TEST_OPEN(too_much_memory_is_none),
        TEST_OPEN(datagrams_arrive),
        TEST_OPEN(long_ones_are_cut_and_no_byte_is_written_behind),
        TEST_OPEN(what_is_sent_can_be_sent_again),
        TEST_OPEN(an_error_takes_its_datagram_along),
        TEST_OPEN(addresses),
        TEST_OPEN(offload_changes_nothing),
        TEST_OPEN(runs_travel_as_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
