/* latency_load CONNECTIONS RATE SECONDS PORT PID: asks an echo server, which is process PID, RATE times a second, also
   where it has not answered yet (an open loop): each message of 64 bytes has its moment, on one connection after the
   other. An answer has taken as long as it comes after that moment, even if the message itself went out late. It looks
   at the clock all the time instead of sleeping. Prints: answers, the CPU seconds that the server used, and in
   microseconds what half, 99 % and 99.9 % of the answers took at most. The first quarter does not count. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, AT_ONCE = 64, OCTAVES = 64, STEPS = 64, PATIENCE = 5 /* seconds */, WARM = 4 };

typedef struct Connection {
    int fd;
    uint64_t next; /* the message whose answer comes next */
    size_t got;    /* bytes of it */
    char answer[SIZE];
} Connection;

typedef struct Load {
    Connection *connections;
    uint64_t count, sent, answered, first; /* the first message that counts: until then all gets warm */
    double rate, start;                    /* a second, and the moment of message 0 */
    int epoll;
    uint64_t histogram[OCTAVES][STEPS]; /* of nanoseconds: STEPS to an octave */
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

static void open_connection(Load *load, Connection *connection, uint16_t port) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct linger at_once = { 1, 0 };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    server.sin_port = htons(port);
    connection->next = (uint64_t)(connection - load->connections);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fatal("socket");
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(connection->fd, (struct sockaddr *)&server, sizeof server) < 0) fatal("connect");
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) fatal("epoll_ctl");
}

/* ---- the histogram ---- */

static void note(Load *load, double seconds) {
    uint64_t nanoseconds = (uint64_t)(seconds * 1e9) + STEPS; /* from there on an octave has all its steps */
    unsigned octave = 0;
    while (nanoseconds >> octave >= 2 * STEPS) octave++;
    load->histogram[octave][(nanoseconds >> octave) - STEPS]++;
}

/* Microseconds that this part of the answers took at most. */
static double quantile(const Load *load, double part) {
    uint64_t left = (uint64_t)(part * (double)(load->answered - load->first));
    unsigned i = 0;
    const uint64_t *counts = load->histogram[0];
    while (i < OCTAVES * STEPS - 1 && counts[i] <= left) left -= counts[i++];
    return ((double)((uint64_t)(i % STEPS + STEPS + 1) << i / STEPS) - STEPS) / 1e3;
}

/* ---- asking ---- */

static void ask(Load *load) {
    char data[SIZE] = { 0 };
    int fd = load->connections[load->sent % load->count].fd;
    memcpy(data, &load->sent, sizeof load->sent);
    if (send(fd, data, SIZE, MSG_NOSIGNAL | MSG_DONTWAIT) != SIZE) fatal("send");
    load->sent++;
}

static void receive(Load *load, Connection *connection) {
    ssize_t n = recv(connection->fd, connection->answer + connection->got, SIZE - connection->got, MSG_DONTWAIT);
    if (n <= 0) fatal("recv");
    connection->got += (size_t)n;
    if (connection->got < SIZE) return;
    if (memcmp(connection->answer, &connection->next, sizeof connection->next) != 0) exit(1);
    if (connection->next >= load->first)
        note(load, now(CLOCK_MONOTONIC) - (load->start + (double)connection->next / load->rate));
    load->answered++;
    connection->got = 0;
    connection->next += load->count;
}

static void receive_some(Load *load) {
    struct epoll_event events[AT_ONCE];
    int i, n = epoll_wait(load->epoll, events, AT_ONCE, 0);
    if (n < 0) fatal("epoll_wait");
    for (i = 0; i < n; i++) receive(load, events[i].data.ptr);
}

static void ask_for(Load *load, double seconds) {
    uint64_t all = (uint64_t)(seconds * load->rate);
    load->first = all / WARM;
    load->start = now(CLOCK_MONOTONIC);
    while (load->answered < all) {
        double passed = now(CLOCK_MONOTONIC) - load->start;
        uint64_t due = (uint64_t)(passed * load->rate);
        while (load->sent < due && load->sent < all) ask(load);
        if (passed > seconds + PATIENCE) fputs("no answer\n", stderr), exit(1);
        receive_some(load);
    }
}

int main(int argc, char **argv) {
    static Load load;
    clockid_t server_clock;
    double cpu;
    uint64_t i;
    if (argc != 6) return 2;
    load.count = (uint64_t)atol(argv[1]);
    load.rate = atof(argv[2]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc(load.count, sizeof *load.connections);
    if (load.epoll < 0 || !load.connections || !load.count) fatal("load");
    if (clock_getcpuclockid(atoi(argv[5]), &server_clock) != 0) fatal("the server's clock");
    for (i = 0; i < load.count; i++) open_connection(&load, &load.connections[i], (uint16_t)atoi(argv[4]));
    cpu = now(server_clock);
    ask_for(&load, atof(argv[3]));
    printf("%.0f %.6f %.1f %.1f %.1f\n", (double)load.answered, now(server_clock) - cpu, quantile(&load, 0.5),
        quantile(&load, 0.99), quantile(&load, 0.999));
    return 0;
}
