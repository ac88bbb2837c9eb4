/* Sockets of this machine for the tests of ls_fd to try things on. */
#ifndef LS_SPEC_FD_CHECK_H
#define LS_SPEC_FD_CHECK_H

#include "net/fd.h"

#include "check.h"

#include <sys/stat.h>

/* Linux has no SO_NOSIGPIPE: a build that names another option in its place checks that the option is set, no more. */
#if LS_HAVE_SO_NOSIGPIPE
#define STAND_IN (SO_NOSIGPIPE == SO_KEEPALIVE)
#else
#define STAND_IN 0
#endif

/* Longer than anything here takes, so that a mistake ends as a failure. */
enum { PATIENCE = 10 };

static inline ls_Addr address(const char *text, unsigned port) {
    ls_Addr addr;
    assert_int_equal(ls_addr_parse(text, strlen(text), port, &addr), 0);
    return addr;
}

static inline int opened(int family, int type) {
    int fd = -1;
    assert_int_equal(ls_fd_socket(family, type, &fd), 0);
    assert_true(fd >= 0);
    return fd;
}

/* Bound at a port of the system's choice, which where then holds. */
static inline int bound(int type, const char *text, ls_Addr *where) {
    int fd;
    *where = address(text, 0);
    fd = opened(ls_addr_family(where), type);
    assert_int_equal(ls_fd_bind(fd, where), 0);
    assert_int_equal(ls_fd_local(fd, where), 0);
    return fd;
}

static inline int listening(const char *text, ls_Addr *where) {
    int fd = bound(SOCK_STREAM, text, where);
    assert_int_equal(ls_fd_listen(fd, 5), 0);
    return fd;
}

static inline short wait_for(int fd, short events) {
    struct pollfd entry = { .fd = fd, .events = events };
    int ready = -1;
    assert_int_equal(ls_fd_poll(&entry, 1, PATIENCE, &ready), 0);
    assert_int_equal(ready, 1);
    return entry.revents;
}

typedef struct Pair {
    int near, far;
} Pair;

/* A connection over this listener. */
static inline Pair connected_over(int listener, const ls_Addr *where) {
    ls_Addr peer;
    Pair pair;
    pair.near = opened(ls_addr_family(where), SOCK_STREAM);
    assert_int_equal(ls_fd_connect(pair.near, where), 0);
    wait_for(listener, POLLIN);
    pair.far = -1;
    assert_int_equal(ls_fd_accept(listener, &pair.far, &peer), 0);
    wait_for(pair.near, POLLOUT);
    assert_int_equal(ls_fd_error(pair.near), 0);
    return pair;
}

static inline Pair connected(void) {
    ls_Addr where;
    int listener = listening("127.0.0.1", &where);
    Pair pair = connected_over(listener, &where);
    assert_int_equal(ls_fd_close(listener), 0);
    return pair;
}

static inline void close_pair(Pair pair) {
    assert_int_equal(ls_fd_close(pair.near), 0);
    assert_int_equal(ls_fd_close(pair.far), 0);
}

/* Two datagram sockets, the first connected to the second. */
static inline Pair datagrams(void) {
    ls_Addr where, unused;
    Pair pair;
    pair.far = bound(SOCK_DGRAM, "127.0.0.1", &where);
    pair.near = bound(SOCK_DGRAM, "127.0.0.1", &unused);
    assert_int_equal(ls_fd_connect(pair.near, &where), 0);
    return pair;
}

static inline void must_send(int fd, const char *text) {
    size_t n = 0;
    assert_int_equal(ls_fd_send(fd, text, strlen(text), &n, NULL), 0);
    assert_int_equal(n, strlen(text));
}

static inline void expect_data(int fd, int datagram, const char *text) {
    char data[256];
    size_t n = SIZE_MAX;
    wait_for(fd, POLLIN);
    assert_int_equal(ls_fd_recv(fd, datagram, data, sizeof data, &n, NULL), 0);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(data, text, n);
}

static inline struct iovec piece(const char *text) {
    return (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text) };
}

/* Answers how the signal was handled before. */
static inline struct sigaction handle(int number, void (*handler)(int)) {
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(number, &action, &before), 0);
    return before;
}

/* The path of a unix socket in the program's own directory. */
static inline ls_Addr path(const char *name) {
    char text[64];
    snprintf(text, sizeof text, "/tmp/fd_test.%ld/%s", (long)getpid(), name);
    unlink(text);
    return address(text, 0);
}

static inline void remove_path(const ls_Addr *addr) {
    assert_int_equal(unlink(addr->u.un.sun_path), 0);
}

/* Around all tests of a program. */
static inline int make_directory(void **state) {
    char text[64];
    (void)state;
    snprintf(text, sizeof text, "/tmp/fd_test.%ld", (long)getpid());
    return mkdir(text, 0700);
}

static inline int remove_directory(void **state) {
    char text[64];
    (void)state;
    snprintf(text, sizeof text, "/tmp/fd_test.%ld", (long)getpid());
    return rmdir(text);
}

#endif
