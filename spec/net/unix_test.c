/* ls_unix, and what ls_fd does for unix domain sockets alone: paths and their permissions, files that dead sockets
   left, pairs, the ends of records, and descriptors that are no sockets. */
#include "net/unix.h"

#include "fd_check.h"

static unsigned mode_of(const ls_Addr *addr) {
    struct stat file;
    assert_int_equal(lstat(addr->u.un.sun_path, &file), 0);
    return (unsigned)file.st_mode & 0777;
}

static int bound_to(int type, const ls_Addr *addr, int mode) {
    int fd = opened(AF_UNIX, type);
    assert_int_equal(ls_unix_bind(fd, addr, mode, 1), 0);
    return fd;
}

static void only_paths_are_paths(void **state) {
    ls_Addr addr = path("x");
    (void)state;
    assert_true(ls_unix_ispath(&addr));
    addr = address("127.0.0.1", 1);
    assert_false(ls_unix_ispath(&addr));
    ls_unix_remove(&addr);
    if (!LS_HAVE_ABSTRACT_UNIX) return;
    addr = address("@x", 0);
    assert_false(ls_unix_ispath(&addr));
    ls_unix_remove(&addr);
}

static void a_mode_is_what_the_file_gets(void **state) {
    static const unsigned masks[] = { 0, 022, 077, 0777 }, modes[] = { 0, 0600, 0660, 0606, 0777 };
    ls_Addr addr = path("x");
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(masks); i++) {
        mode_t before = umask((mode_t)masks[i]);
        for (k = 0; k < COUNT(modes); k++) {
            int fd = bound_to(SOCK_STREAM, &addr, (int)modes[k]);
            assert_int_equal(mode_of(&addr), modes[k]);
            assert_int_equal(ls_fd_close(fd), 0);
            ls_unix_remove(&addr);
        }
        umask(before);
    }
}

static void a_dead_socket_is_replaced_and_a_live_one_is_not(void **state) {
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
    ls_Addr addr = path("x");
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(types); i++) {
        for (k = 0; k < COUNT(types); k++) {
            int old = bound_to(types[i], &addr, -1), fd = opened(AF_UNIX, types[k]); /* a stream that does not listen */
            assert_int_equal(ls_unix_bind(fd, &addr, -1, 1), EADDRINUSE);
            assert_int_equal(ls_fd_close(old), 0);
            assert_int_equal(ls_unix_bind(fd, &addr, -1, 0), EADDRINUSE);
            assert_int_equal(ls_unix_bind(fd, &addr, 0600, 1), 0);
            assert_int_equal(mode_of(&addr), 0600);
            assert_int_equal(ls_fd_close(fd), 0);
            ls_unix_remove(&addr);
        }
    }
}

static void nothing_else_is_replaced(void **state) {
    ls_Addr addr = path("x"), link = path("y");
    int fd = opened(AF_UNIX, SOCK_STREAM), file = open(addr.u.un.sun_path, O_CREAT | O_WRONLY, 0600);
    (void)state;
    assert_int_equal(ls_unix_bind(fd, &addr, -1, 1), EADDRINUSE);
    assert_int_equal(close(file), 0);
    remove_path(&addr);
    assert_int_equal(ls_fd_close(bound_to(SOCK_STREAM, &addr, -1)), 0);
    assert_int_equal(symlink(addr.u.un.sun_path, link.u.un.sun_path), 0);
    assert_int_equal(ls_unix_bind(fd, &link, -1, 1), EADDRINUSE);
    remove_path(&link);
    remove_path(&addr);
    assert_int_equal(ls_fd_close(fd), 0);
}

static void a_full_path_is_told_without_reading_further(void **state) {
    ls_Addr addr;
    char text[LS_ADDR_TEXT];
    (void)state;
    memset(&addr, 0, sizeof addr);
    addr.u.un.sun_family = AF_UNIX;
    memset(addr.u.un.sun_path, 'x', sizeof addr.u.un.sun_path);
    addr.len = (socklen_t)(sizeof addr.u.un + 1); /* what Linux answers for it */
    assert_int_equal(ls_addr_format(&addr, 1, text), sizeof addr.u.un.sun_path);
}

static void pairs_are_connected_and_born_right(void **state) {
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(types); i++) {
        int fds[2];
        assert_int_equal(ls_fd_pair(types[i], fds), 0);
        for (k = 0; k < 2; k++) {
            assert_int_equal(fcntl(fds[k], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
            assert_int_equal(fcntl(fds[k], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
            must_send(fds[k], "data");
            expect_data(fds[1 - k], types[i] == SOCK_STREAM ? 0 : LS_FD_DATAGRAM, "data");
        }
        close_pair((Pair){ fds[0], fds[1] });
    }
}

static void an_empty_record_is_not_the_end(void **state) {
    static const char *const records[] = { "", "", "abc" };
    char data[8];
    size_t i, n;
    int fds[2];
    (void)state;
    if (!LS_HAVE_POLLRDHUP) skip();
    assert_int_equal(ls_fd_pair(SOCK_SEQPACKET, fds), 0);
    for (i = 0; i < COUNT(records); i++) must_send(fds[0], records[i]);
    assert_int_equal(ls_fd_recv(fds[1], LS_FD_DATAGRAM, data, sizeof data, &n, NULL), 0);
    assert_false(ls_fd_ended(fds[1]));
    assert_int_equal(ls_fd_close(fds[0]), 0);
    assert_int_equal(ls_fd_recv(fds[1], LS_FD_DATAGRAM, data, sizeof data, &n, NULL), 0);
    assert_int_equal(n, 0);
    assert_false(ls_fd_ended(fds[1]));
    expect_data(fds[1], LS_FD_DATAGRAM, "abc");
    assert_int_equal(ls_fd_recv(fds[1], LS_FD_DATAGRAM, data, sizeof data, &n, NULL), 0);
    assert_int_equal(n, 0);
    assert_true(ls_fd_ended(fds[1]));
    assert_int_equal(ls_fd_close(fds[1]), 0);
}

static void pipes_are_adopted_read_and_written(void **state) {
    struct iovec pieces[] = { piece("ab"), piece("c") };
    ls_Addr peer, to = address("127.0.0.1", 9);
    ls_Kind kind;
    char data[8];
    size_t n;
    int fds[2], copy = -1;
    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(ls_fd_adopt(fds[0], &kind), 0);
    assert_int_equal(kind.type, 0);
    assert_int_equal(kind.family, AF_UNSPEC);
    assert_int_equal(ls_fd_adopt(fds[1], &kind), 0);
    assert_string_equal(ls_fd_what(fds[0]), "pipe");
    assert_int_equal(ls_fd_recv(fds[0], 0, data, sizeof data, &n, NULL), EAGAIN);
    assert_int_equal(ls_fd_sendpieces(fds[1], pieces, 2, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(ls_fd_dup(fds[1], &copy), 0);
    assert_int_equal(ls_fd_close(fds[1]), 0);
    must_send(copy, "de");
    assert_int_equal(ls_fd_send(copy, "x", 1, &n, &to), ENOTSOCK);
    assert_int_equal(ls_fd_recv(fds[0], LS_FD_PEEK, data, sizeof data, &n, NULL), ENOTSOCK);
    assert_int_equal(ls_fd_recv(fds[0], 0, data, sizeof data, &n, &peer), 0);
    assert_int_equal(n, 5);
    assert_memory_equal(data, "abcde", 5);
    assert_int_equal(peer.len, 0);
    assert_int_equal(ls_fd_close(fds[0]), 0);
    assert_int_equal(ls_fd_send(copy, "x", 1, &n, NULL), EPIPE); /* and the process lives */
    assert_int_equal(ls_fd_inherit(copy, 1), 0);
    assert_int_equal(fcntl(copy, F_GETFD) & FD_CLOEXEC, 0);
    assert_int_equal(ls_fd_close(copy), 0);
    assert_int_equal(ls_fd_adopt(copy, &kind), EBADF);
    assert_int_equal(ls_fd_dup(copy, &fds[0]), EBADF);
    assert_int_equal(ls_fd_inherit(copy, 1), EBADF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(only_paths_are_paths),
        TEST_OPEN(a_mode_is_what_the_file_gets),
        TEST_OPEN(a_dead_socket_is_replaced_and_a_live_one_is_not),
        TEST_OPEN(nothing_else_is_replaced),
        TEST_OPEN(a_full_path_is_told_without_reading_further),
        TEST_OPEN(pairs_are_connected_and_born_right),
        TEST_OPEN(an_empty_record_is_not_the_end),
        TEST_OPEN(pipes_are_adopted_read_and_written),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
