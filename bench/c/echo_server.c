/* echo_server [pieces]: an echo server with level-triggered epoll, which the servers written in Lua are compared with.
   It prints its port, and runs until it is killed. Messages are so short that the kernel always has room for the
   answer. With "pieces" each 64 bytes of it are sent in three calls. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 256, RECEIVE_SIZE = 4096 };

static int fatal(const char *what) {
    perror(what);
    exit(1);
}

static int open_listener(void) {
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 4096) < 0) return fatal("listen");
    getsockname(fd, (struct sockaddr *)&addr, &len);
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fatal("epoll_ctl");
}

static void accept_one(int epoll, int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) watch(epoll, fd);
}

static int in_pieces;

static void send_pieces(int fd, const char *data, size_t size) {
    static const size_t lengths[] = { 16, 32, 16 };
    size_t i;
    for (i = 0; size > 0; i = (i + 1) % 3) {
        size_t piece = size < lengths[i] ? size : lengths[i];
        send(fd, data, piece, MSG_NOSIGNAL);
        data += piece;
        size -= piece;
    }
}

static void echo(int fd) {
    char data[RECEIVE_SIZE];
    ssize_t n = recv(fd, data, sizeof data, 0);
    if (n <= 0) close(fd);
    else if (in_pieces) send_pieces(fd, data, (size_t)n);
    else send(fd, data, (size_t)n, MSG_NOSIGNAL);
}

int main(int argc, char **argv) {
    struct epoll_event events[AT_ONCE];
    int listener = open_listener(), epoll = epoll_create1(EPOLL_CLOEXEC), on = 1;
    in_pieces = argc > 1 && strcmp(argv[1], "pieces") == 0;
    if (in_pieces) setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* and so have connections */
    watch(epoll, listener);
    for (;;) {
        int i, n = epoll_wait(epoll, events, AT_ONCE, -1);
        for (i = 0; i < n; i++) {
            if (events[i].data.fd == listener) accept_one(epoll, listener);
            else echo(events[i].data.fd);
        }
    }
}
