/* ls_fd on real sockets: what receiving and sending do with streams and datagrams, without ever raising SIGPIPE. */
#include "fd_check.h"

#include <limits.h>

/* ---- recv and send: streams ---- */

static void streams_carry_bytes_until_their_end(void **state) {
    Pair pair = connected();
    char data[16];
    size_t n = 77;
    (void)state;
    assert_int_equal(ls_fd_recv(pair.far, 0, data, sizeof data, &n, NULL), EAGAIN);
    must_send(pair.near, "one two");
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_recv(pair.far, 0, data, 3, &n, NULL), 0); /* a stream is not cut */
    assert_int_equal(n, 3);
    assert_memory_equal(data, "one", 3);
    expect_data(pair.far, 0, " two");
    assert_int_equal(ls_fd_send(pair.near, "", 0, &n, NULL), 0);
    assert_int_equal(n, 0);
    assert_int_equal(ls_fd_close(pair.near), 0);
    wait_for(pair.far, POLLIN);
    n = 77;
    assert_int_equal(ls_fd_recv(pair.far, 0, data, sizeof data, &n, NULL), 0);
    assert_int_equal(n, 0);
    ls_fd_close(pair.far);
}

static void nothing_is_written_behind_the_buffer(void **state) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0, size;
    char *block = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0), *end = block + page;
    Pair pair = connected(), letters = datagrams();
    (void)state;
    assert_true(block != MAP_FAILED);
    assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    for (size = 0; size < 5; size++) {
        must_send(pair.near, "12345");
        must_send(letters.near, "12345");
        wait_for(pair.far, POLLIN);
        wait_for(letters.far, POLLIN);
        memset(block, 'x', page);
        assert_int_equal(ls_fd_recv(pair.far, 0, end - size, size, &n, NULL), 0);
        assert_int_equal(n, size);
        assert_memory_equal(end - size, "12345", size);
        while (n < 5) { /* the rest */
            size_t more = 0;
            assert_int_equal(ls_fd_recv(pair.far, 0, end - 5, 5 - n, &more, NULL), 0);
            n += more;
        }
        memset(block, 'x', page);
        assert_int_equal(ls_fd_recv(letters.far, 1, end - size, size, &n, NULL), 0);
        assert_memory_equal(end - size, "12345", size);
        assert_int_equal(end[-(ptrdiff_t)size - 1], 'x');
    }
    munmap(block, 2 * page);
    close_pair(pair);
    close_pair(letters);
}

static void a_full_stream_takes_no_more(void **state) {
    Pair pair = connected();
    char *data = calloc(1, 1 << 20), small[4096];
    size_t n = 0, sent = 0, got = 0;
    int err, i;
    (void)state;
    assert_non_null(data);
    assert_int_equal(ls_fd_setint(pair.near, SOL_SOCKET, SO_SNDBUF, 65536), 0);
    for (i = 0; (err = ls_fd_send(pair.near, data, 1 << 20, &n, NULL)) == 0 && i < 1000; i++) sent += n;
    assert_int_equal(err, EAGAIN);
    assert_true(sent > 0);
    assert_int_not_equal(sent % (1 << 20), 0); /* the last was taken in part */
    while (got < sent) {
        wait_for(pair.far, POLLIN);
        assert_int_equal(ls_fd_recv(pair.far, 0, small, sizeof small, &n, NULL), 0);
        assert_true(n > 0);
        got += n;
    }
    assert_int_equal(got, sent);
    assert_int_equal(ls_fd_recv(pair.far, 0, small, sizeof small, &n, NULL), EAGAIN);
    free(data);
    close_pair(pair);
}

static void a_reset_connection(void **state) {
    struct linger at_once = { 1, 0 };
    Pair pair = connected();
    char data[4];
    size_t n;
    (void)state;
    assert_int_equal(setsockopt(pair.near, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    assert_int_equal(ls_fd_close(pair.near), 0);
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_recv(pair.far, 0, data, sizeof data, &n, NULL), ECONNRESET);
    assert_int_equal(ls_fd_recv(pair.far, 0, data, sizeof data, &n, NULL), 0);
    assert_int_equal(n, 0);
    ls_fd_close(pair.far);
}

/* The sender of a stream's bytes is its peer; recvfrom(2) tells none. */
static void a_stream_tells_no_sender(void **state) {
    Pair pair = connected();
    ls_Addr peer;
    char data[4], text[LS_ADDR_TEXT];
    size_t n;
    (void)state;
    must_send(pair.near, "x");
    wait_for(pair.far, POLLIN);
    memset(&peer, 0xaa, sizeof peer);
    assert_int_equal(ls_fd_recv(pair.far, 0, data, sizeof data, &n, &peer), 0);
    assert_int_equal(peer.len, 0);
    assert_int_equal(ls_addr_format(&peer, 1, text), 0);
    close_pair(pair);
}

/* ---- recv and send: datagrams ---- */

static void datagrams_tell_their_sender(void **state) {
    static const char *const hosts[] = { "127.0.0.1", "::1" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(hosts); i++) {
        ls_Addr here, there, peer;
        int far = bound(SOCK_DGRAM, hosts[i], &there), near = bound(SOCK_DGRAM, hosts[i], &here);
        char data[16];
        size_t n = 0;
        assert_int_equal(ls_fd_recv(far, 1, data, sizeof data, &n, &peer), EAGAIN);
        assert_int_equal(ls_fd_send(near, "hello", 5, &n, &there), 0);
        assert_int_equal(n, 5);
        wait_for(far, POLLIN);
        memset(&peer, 0xaa, sizeof peer);
        assert_int_equal(ls_fd_recv(far, 1, data, sizeof data, &n, &peer), 0);
        assert_int_equal(n, 5);
        assert_memory_equal(data, "hello", 5);
        assert_int_equal(peer.len, here.len);
        assert_true(ls_addr_equal(&peer, &here));
        close_pair((Pair){ near, far });
    }
}

/* The true length of five bytes that were cut to size. */
static size_t cut_length(size_t size) {
    return LS_HAVE_TRUE_LENGTH ? 5 : size;
}

static void a_cut_datagram_tells_its_true_length(void **state) {
    static const size_t sizes[] = { 4, 1, 0 };
    Pair pair = datagrams();
    char data[16];
    size_t i, n = 77;
    (void)state;
    for (i = 0; i < COUNT(sizes); i++) {
        must_send(pair.near, "12345");
        must_send(pair.near, "next");
        wait_for(pair.far, POLLIN);
        assert_int_equal(ls_fd_recv(pair.far, 1, data, sizes[i], &n, NULL), 0);
        assert_int_equal(n, cut_length(sizes[i]));
        assert_memory_equal(data, "12345", sizes[i]);
        expect_data(pair.far, 1, "next"); /* what was cut off is gone */
    }
    close_pair(pair);
}

static void a_cut_unix_datagram(void **state) {
    ls_Addr where = path("receiver"), peer;
    int far = opened(AF_UNIX, SOCK_DGRAM), near = opened(AF_UNIX, SOCK_DGRAM);
    char data[16];
    size_t n = 77;
    (void)state;
    assert_int_equal(ls_fd_bind(far, &where), 0);
    assert_int_equal(ls_fd_send(near, "12345", 5, &n, &where), 0);
    memset(&peer, 0xaa, sizeof peer);
    assert_int_equal(ls_fd_recv(far, 1, data, 3, &n, &peer), 0);
    assert_int_equal(n, cut_length(3));
    assert_memory_equal(data, "123", 3);
    assert_int_equal(peer.len, 0); /* the sender has no name */
    assert_int_equal(ls_addr_family(&peer), AF_UNIX);
    close_pair((Pair){ near, far });
    remove_path(&where);
}

static void a_unix_datagram_with_a_named_sender(void **state) {
    ls_Addr where = path("receiver"), sender = path("sender"), peer;
    int far = opened(AF_UNIX, SOCK_DGRAM), near = opened(AF_UNIX, SOCK_DGRAM);
    char data[16];
    size_t n = 77;
    (void)state;
    assert_int_equal(ls_fd_bind(far, &where), 0);
    assert_int_equal(ls_fd_bind(near, &sender), 0);
    assert_int_equal(ls_fd_send(near, "12345", 5, &n, &where), 0);
    assert_int_equal(ls_fd_recv(far, 1, data, sizeof data, &n, &peer), 0);
    assert_int_equal(n, 5);
    assert_int_equal(ls_fd_send(far, "back", 4, &n, &peer), 0); /* what recv tells, send takes */
    expect_data(near, 1, "back");
    close_pair((Pair){ near, far });
    remove_path(&where);
    remove_path(&sender);
}

static void an_empty_datagram_is_one(void **state) {
    ls_Addr here, there, peer;
    int far = bound(SOCK_DGRAM, "127.0.0.1", &there), near = bound(SOCK_DGRAM, "127.0.0.1", &here);
    char data[4];
    size_t n = 77;
    (void)state;
    assert_int_equal(ls_fd_send(near, "", 0, &n, &there), 0);
    assert_int_equal(n, 0);
    wait_for(far, POLLIN);
    n = 77;
    assert_int_equal(ls_fd_recv(far, 1, data, sizeof data, &n, &peer), 0);
    assert_int_equal(n, 0);
    assert_true(ls_addr_equal(&peer, &here));
    assert_int_equal(ls_fd_recv(far, 1, data, sizeof data, &n, &peer), EAGAIN);
    close_pair((Pair){ near, far });
}

static void the_largest_datagram(void **state) {
    enum { LARGEST = 65507 };
    static char data[65536], got[65536];
    Pair pair = datagrams();
    size_t n = 0;
    (void)state;
    memset(data, 'd', sizeof data);
    assert_int_equal(ls_fd_setint(pair.near, SOL_SOCKET, SO_SNDBUF, 1 << 18), 0);
    assert_int_equal(ls_fd_send(pair.near, data, LARGEST, &n, NULL), 0);
    assert_int_equal(n, LARGEST);
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_recv(pair.far, 1, got, sizeof got, &n, NULL), 0);
    assert_int_equal(n, LARGEST);
    assert_memory_equal(got, data, LARGEST);
    assert_int_equal(ls_fd_send(pair.near, data, LARGEST + 1, &n, NULL), EMSGSIZE);
    close_pair(pair);
}

static void without_a_connection(void **state) {
    int stream = opened(AF_INET, SOCK_STREAM), datagram = opened(AF_INET, SOCK_DGRAM);
    char data[4];
    size_t n;
    (void)state;
    assert_int_equal(ls_fd_recv(stream, 0, data, sizeof data, &n, NULL), ENOTCONN);
    assert_int_equal(ls_fd_send(datagram, data, 1, &n, NULL), EDESTADDRREQ);
    close_pair((Pair){ stream, datagram });
}

static void on_a_closed_descriptor(void **state) {
    ls_Addr where = address("127.0.0.1", 9), peer;
    char data[4] = "abc";
    size_t n;
    int datagram;
    (void)state;
    for (datagram = 0; datagram <= 1; datagram++) {
        assert_int_equal(ls_fd_recv(-1, datagram, data, sizeof data, &n, NULL), EBADF);
        assert_int_equal(ls_fd_recv(-1, datagram, data, sizeof data, &n, &peer), EBADF);
    }
    assert_int_equal(ls_fd_send(-1, data, sizeof data, &n, NULL), EBADF);
    assert_int_equal(ls_fd_send(-1, data, 0, &n, NULL), EBADF);
    assert_int_equal(ls_fd_send(-1, data, sizeof data, &n, &where), EBADF);
}

/* ---- peeking, pieces and files ---- */

static void peeking_takes_nothing(void **state) {
    Pair pairs[] = { connected(), datagrams() };
    char data[16];
    size_t n = 77;
    int datagram, k;
    (void)state;
    for (datagram = 0; datagram <= 1; datagram++) {
        Pair pair = pairs[datagram];
        assert_int_equal(ls_fd_recv(pair.far, datagram | LS_FD_PEEK, data, sizeof data, &n, NULL), EAGAIN);
        must_send(pair.near, "12345");
        wait_for(pair.far, POLLIN);
        for (k = 0; k < 3; k++) {
            assert_int_equal(ls_fd_recv(pair.far, datagram | LS_FD_PEEK, data, 2, &n, NULL), 0);
            assert_int_equal(n, datagram ? cut_length(2) : 2);
            assert_memory_equal(data, "12", 2);
        }
        expect_data(pair.far, datagram, "12345");
        close_pair(pair);
    }
}

static void pieces_are_sent_in_their_order(void **state) {
    Pair pairs[] = { connected(), datagrams() };
    int datagram;
    (void)state;
    for (datagram = 0; datagram <= 1; datagram++) {
        Pair pair = pairs[datagram];
        struct iovec pieces[1024] = { piece("one"), piece(""), piece(" two") };
        size_t n = 77, i;
        assert_int_equal(ls_fd_sendpieces(pair.near, pieces, 3, &n), 0);
        assert_int_equal(n, 7);
        expect_data(pair.far, datagram, "one two");
        for (i = 0; i < 1024; i++) pieces[i] = piece(i < 200 ? "x" : "");
        assert_int_equal(ls_fd_sendpieces(pair.near, pieces, 1024, &n), 0);
        assert_int_equal(n, 200);
        wait_for(pair.far, POLLIN);
        assert_int_equal(ls_fd_pending(pair.far, &n), 0);
        assert_true(n >= 200);
        assert_int_equal(ls_fd_sendpieces(pair.near, NULL, 0, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(ls_fd_sendpieces(-1, pieces, 1, &n), EBADF);
        close_pair(pair);
    }
}

static void a_file_is_sent_from_any_place(void **state) {
    static const struct {
        int64_t offset;
        size_t count;
        const char *text;
    } rows[] = {
        { 0, 10, "0123456789" }, { 0, INT_MAX, "0123456789" }, { 3, 4, "3456" },           { 9, 5, "9" },
        { 10, 5, "" },           { 11, 5, "" },                { (int64_t)1 << 33, 1, "" }, { 2, 0, "" },
    };
    Pair pair = connected();
    int file = file_of("0123456789");
    size_t i, n = 77;
    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(ls_fd_sendfile(pair.near, file, rows[i].offset, rows[i].count, &n), 0);
        assert_int_equal(n, strlen(rows[i].text));
        if (n > 0) expect_data(pair.far, 0, rows[i].text);
    }
    assert_int_equal(lseek(file, 0, SEEK_CUR), 10); /* where writing has left it */
    close(file);
    close_pair(pair);
}

/* Beyond what 32 bits can name, with or without a sign; the file is a hole but for its last bytes. */
static void a_file_is_sent_from_beyond_2_and_4_gigabytes(void **state) {
    static const int64_t offsets[] = { (int64_t)1 << 31, ((int64_t)1 << 32) + 5 };
    Pair pair = connected();
    size_t i, n = 77;
    (void)state;
    assert_true(sizeof(off_t) >= 8);
    for (i = 0; i < COUNT(offsets); i++) {
        int file = file_of("0123456789");
        assert_int_equal(pwrite(file, "far away", 8, (off_t)offsets[i]), 8);
        assert_int_equal(ls_fd_sendfile(pair.near, file, offsets[i], 3, &n), 0);
        assert_int_equal(n, 3);
        expect_data(pair.far, 0, "far");
        assert_int_equal(ls_fd_sendfile(pair.near, file, offsets[i] + 4, INT_MAX, &n), 0);
        assert_int_equal(n, 4);
        expect_data(pair.far, 0, "away");
        close(file);
    }
    close_pair(pair);
}

static void what_cannot_be_sent_as_a_file(void **state) {
    Pair pair = connected();
    int ends[2], file = file_of("data");
    size_t n;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(ls_fd_sendfile(pair.near, ends[0], 0, 1, &n), ESPIPE);
    assert_int_equal(ls_fd_sendfile(pair.near, -1, 0, 1, &n), EBADF);
    assert_int_equal(ls_fd_sendfile(-1, file, 0, 1, &n), EBADF);
    close_pair((Pair){ ends[0], ends[1] });
    close(file);
    close_pair(pair);
}

static void a_full_stream_takes_no_file(void **state) {
    Pair pair = connected();
    static char text[1 << 16];
    int file, err = 0, i;
    size_t n = 0;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    file = file_of(text);
    for (i = 0; err == 0 && i < 10000; i++) err = ls_fd_sendfile(pair.near, file, 0, INT_MAX, &n);
    assert_int_equal(err, EAGAIN);
    close(file);
    close_pair(pair);
}

/* ---- no SIGPIPE ---- */

static volatile sig_atomic_t pipes;

static void count_pipe(int number) {
    (void)number;
    pipes++;
}

static int is_pending(int number) {
    sigset_t set;
    assert_int_equal(sigpending(&set), 0);
    return sigismember(&set, number);
}

static int is_blocked(int number) {
    sigset_t set;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, number);
}

static void change_mask(int how, int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    assert_int_equal(sigprocmask(how, &set, NULL), 0);
}

/* A stream whose reader is gone, so that every write would raise SIGPIPE. */
static int broken_pipe(int family) {
    int ends[2];
    Pair pair;
    if (family == AF_INET) {
        pair = connected();
    } else {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        pair.near = ends[0];
        pair.far = ends[1];
    }
    assert_int_equal(ls_fd_close(pair.far), 0);
    if (family == AF_INET) { /* the first write is answered by a reset */
        must_send(pair.near, "x");
        wait_for(pair.near, POLLHUP);
        ls_fd_error(pair.near);
    }
    return pair.near;
}

/* In one of the three WAYS. */
enum { WAYS = 3 };
static int write_in(int way, int fd) {
    struct iovec pieces[] = { piece("x"), piece("y") };
    size_t n;
    int file, err;
    if (way == 0) return ls_fd_send(fd, "x", 1, &n, NULL);
    if (way == 1) return ls_fd_sendpieces(fd, pieces, 2, &n);
    file = file_of("x");
    err = ls_fd_sendfile(fd, file, 0, 1, &n);
    close(file);
    return err;
}

static void no_write_raises_sigpipe(void **state) {
    static const int families[] = { AF_INET, AF_UNIX };
    struct sigaction before, now;
    size_t i;
    int k;
    (void)state;
    if (STAND_IN && !LS_HAVE_MSG_NOSIGNAL) skip();
    before = handle(SIGPIPE, count_pipe);
    for (i = 0; i < COUNT(families); i++) {
        int fd = broken_pipe(families[i]);
        for (k = 0; k < 2 * WAYS; k++) {
            pipes = 0;
            assert_int_equal(write_in(k % WAYS, fd), EPIPE);
            assert_int_equal(pipes, 0);
            assert_false(is_pending(SIGPIPE));
            assert_false(is_blocked(SIGPIPE));
        }
        ls_fd_close(fd);
    }
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, count_pipe);
    raise(SIGPIPE);
    assert_int_equal(pipes, 1); /* it still comes to whoever means it */
    sigaction(SIGPIPE, &before, NULL);
}

static void a_blocked_sigpipe_stays_blocked_and_clear(void **state) {
    struct sigaction before = handle(SIGPIPE, count_pipe);
    int fd = broken_pipe(AF_UNIX);
    int way;
    (void)state;
    pipes = 0;
    change_mask(SIG_BLOCK, SIGPIPE);
    for (way = 0; way < WAYS; way++) {
        assert_int_equal(write_in(way, fd), EPIPE);
        assert_true(is_blocked(SIGPIPE));
        if (!STAND_IN || LS_HAVE_MSG_NOSIGNAL) assert_false(is_pending(SIGPIPE));
    }
    change_mask(SIG_UNBLOCK, SIGPIPE);
    if (!STAND_IN || LS_HAVE_MSG_NOSIGNAL) assert_int_equal(pipes, 0);
    ls_fd_close(fd);
    sigaction(SIGPIPE, &before, NULL);
}

static void a_sigpipe_that_waits_is_not_ours_to_take(void **state) {
    struct sigaction before = handle(SIGPIPE, count_pipe);
    int fd = broken_pipe(AF_UNIX);
    int way;
    (void)state;
    pipes = 0;
    change_mask(SIG_BLOCK, SIGPIPE);
    raise(SIGPIPE);
    assert_true(is_pending(SIGPIPE));
    for (way = 0; way < WAYS; way++) {
        assert_int_equal(write_in(way, fd), EPIPE);
        assert_true(is_pending(SIGPIPE));
    }
    assert_int_equal(pipes, 0);
    change_mask(SIG_UNBLOCK, SIGPIPE);
    assert_int_equal(pipes, 1);
    ls_fd_close(fd);
    sigaction(SIGPIPE, &before, NULL);
}

static void an_ignored_sigpipe_stays_ignored(void **state) {
    struct sigaction before = handle(SIGPIPE, SIG_IGN), now;
    int fd = broken_pipe(AF_UNIX);
    int way;
    (void)state;
    for (way = 0; way < WAYS; way++) assert_int_equal(write_in(way, fd), EPIPE);
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
    assert_false(is_pending(SIGPIPE));
    ls_fd_close(fd);
    sigaction(SIGPIPE, &before, NULL);
}

/* ---- pending ---- */

static void pending_on_a_stream(void **state) {
    Pair pair = connected();
    size_t n = 77;
    (void)state;
    assert_int_equal(ls_fd_pending(pair.far, &n), 0);
    assert_int_equal(n, 0);
    must_send(pair.near, "12345");
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_pending(pair.far, &n), 0);
    assert_int_equal(n, 5);
    expect_data(pair.far, 0, "12345"); /* asking took nothing */
    assert_int_equal(ls_fd_close(pair.near), 0);
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_pending(pair.far, &n), 0);
    assert_int_equal(n, 0);
    ls_fd_close(pair.far);
    assert_int_equal(ls_fd_pending(-1, &n), EBADF);
}

static void pending_on_datagrams(void **state) {
    Pair pair = datagrams();
    ls_Addr where = path("receiver");
    int far = opened(AF_UNIX, SOCK_DGRAM), near = opened(AF_UNIX, SOCK_DGRAM);
    size_t n = 77;
    (void)state;
    assert_int_equal(ls_fd_pending(pair.far, &n), 0);
    assert_int_equal(n, 0);
    must_send(pair.near, "12345");
    must_send(pair.near, "1");
    wait_for(pair.far, POLLIN);
    assert_int_equal(ls_fd_pending(pair.far, &n), 0);
    assert_true(n >= 5);
    assert_int_equal(ls_fd_bind(far, &where), 0);
    assert_int_equal(ls_fd_connect(near, &where), 0);
    assert_int_equal(ls_fd_pending(far, &n), 0);
    assert_int_equal(n, 0);
    must_send(near, "123");
    must_send(near, "12345");
    assert_int_equal(ls_fd_pending(far, &n), 0);
    assert_true(n >= 3);
    close_pair(pair);
    close_pair((Pair){ near, far });
    remove_path(&where);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(streams_carry_bytes_until_their_end),
        TEST_OPEN(nothing_is_written_behind_the_buffer),
        TEST_OPEN(a_full_stream_takes_no_more),
        TEST_OPEN(a_reset_connection),
        TEST_OPEN(a_stream_tells_no_sender),
        TEST_OPEN(datagrams_tell_their_sender),
        TEST_OPEN(a_cut_datagram_tells_its_true_length),
        TEST_OPEN(a_cut_unix_datagram),
        TEST_OPEN(a_unix_datagram_with_a_named_sender),
        TEST_OPEN(an_empty_datagram_is_one),
        TEST_OPEN(the_largest_datagram),
        TEST_OPEN(without_a_connection),
        TEST_OPEN(on_a_closed_descriptor),
        TEST_OPEN(peeking_takes_nothing),
        TEST_OPEN(pieces_are_sent_in_their_order),
        TEST_OPEN(a_file_is_sent_from_any_place),
        TEST_OPEN(a_file_is_sent_from_beyond_2_and_4_gigabytes),
        TEST_OPEN(what_cannot_be_sent_as_a_file),
        TEST_OPEN(a_full_stream_takes_no_file),
        TEST_OPEN(no_write_raises_sigpipe),
        TEST_OPEN(a_blocked_sigpipe_stays_blocked_and_clear),
        TEST_OPEN(a_sigpipe_that_waits_is_not_ours_to_take),
        TEST_OPEN(an_ignored_sigpipe_stays_ignored),
        TEST_OPEN(pending_on_a_stream),
        TEST_OPEN(pending_on_datagrams),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
