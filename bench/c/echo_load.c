/* echo_load PORT CONNECTIONS SECONDS PID: the other end of every echo server. Keeps one message of 64 bytes in flight on
   each connection for some seconds, checks every byte that comes back, and prints: requests, wall seconds, and the CPU
   seconds that the server, process PID, used meanwhile. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, AT_ONCE = 256, GROUP = 1000, PATIENCE = 20000 /* milliseconds */ };

typedef struct Connection {
    int fd;
    unsigned got;     /* bytes of the answer so far */
    uint64_t message; /* its number: no two messages are the same */
    char answer[SIZE];
} Connection;

typedef struct Load {
    Connection *connections;
    size_t count; /* of connections that are open */
    int epoll;
    uint64_t sent, answered;
} Load;

static void fatal(const char *what) {
    perror(what);
    exit(1);
}

static double now(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) < 0) fatal("clock_gettime");
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void compose(char *data, uint64_t number) {
    memset(data, 'x', SIZE);
    memcpy(data, &number, sizeof number);
    memcpy(data + SIZE - sizeof number, &number, sizeof number);
}

static void send_next(Load *load, Connection *connection) {
    char data[SIZE];
    connection->got = 0;
    connection->message = ++load->sent;
    compose(data, connection->message);
    if (send(connection->fd, data, SIZE, MSG_NOSIGNAL) != SIZE) fatal("send");
}

/* True when the answer is whole. */
static int receive(Load *load, Connection *connection) {
    char expected[SIZE];
    ssize_t n = recv(connection->fd, connection->answer + connection->got, SIZE - connection->got, 0);
    if (n <= 0) fatal("recv");
    connection->got += (unsigned)n;
    if (connection->got < SIZE) return 0;
    compose(expected, connection->message);
    if (memcmp(connection->answer, expected, SIZE) != 0) {
        fputs("an answer differs from its message\n", stderr);
        exit(1);
    }
    load->answered++;
    return 1;
}

/* Closed loop: whatever is answered is followed by the next message, until the time is over; then the rest comes in. */
static void exchange(Load *load, size_t first, double seconds) {
    double end = now(CLOCK_MONOTONIC) + seconds;
    int over = seconds <= 0;
    size_t i;
    for (i = first; i < load->count; i++) send_next(load, &load->connections[i]);
    while (load->answered < load->sent) {
        struct epoll_event events[AT_ONCE];
        int k, n = epoll_wait(load->epoll, events, AT_ONCE, PATIENCE);
        if (n <= 0) fatal("no answer");
        if (!over) over = now(CLOCK_MONOTONIC) >= end;
        for (k = 0; k < n; k++) {
            Connection *connection = events[k].data.ptr;
            if (receive(load, connection) && !over) send_next(load, connection);
        }
    }
}

/* Closing resets the connection, so that thousands of ports do not stay in TIME_WAIT. */
static void open_connection(Load *load, const struct sockaddr_in *server) {
    struct linger at_once = { 1, 0 };
    Connection *connection = &load->connections[load->count++];
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fatal("socket");
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(connection->fd, (const struct sockaddr *)server, sizeof *server) < 0) fatal("connect");
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) fatal("epoll_ctl");
}

/* By groups smaller than the server's backlog; once all are answered, all have been accepted and are warm. */
static void open_all(Load *load, size_t wanted, const struct sockaddr_in *server) {
    while (load->count < wanted) {
        size_t first = load->count;
        while (load->count < wanted && load->count < first + GROUP) open_connection(load, server);
        exchange(load, first, 0);
    }
    exchange(load, 0, 0);
}

int main(int argc, char **argv) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    Load load = { 0 };
    clockid_t server_clock;
    uint64_t before;
    double wall, cpu;
    size_t wanted;
    if (argc != 5) return 2;
    server.sin_port = htons((uint16_t)atoi(argv[1]));
    wanted = (size_t)atoi(argv[2]);
    if (clock_getcpuclockid(atoi(argv[4]), &server_clock) != 0) fatal("the server's clock");
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc(wanted, sizeof *load.connections);
    if (load.epoll < 0 || !load.connections) fatal("load");
    open_all(&load, wanted, &server);
    before = load.answered;
    wall = now(CLOCK_MONOTONIC);
    cpu = now(server_clock);
    exchange(&load, 0, atof(argv[3]));
    cpu = now(server_clock) - cpu;
    wall = now(CLOCK_MONOTONIC) - wall;
    printf("%llu\t%.6f\t%.6f\n", (unsigned long long)(load.answered - before), wall, cpu);
    return 0;
}
