/* echo_load CONNECTIONS ROUNDS SECONDS [NAME PORT PID]...: the other end of every echo server. A process of its own for
   each server, which is process PID and listens to PORT, holds that many connections to it. In each round all servers
   have their turn, one after the other, in any order: for some seconds one message of 64 bytes is in flight on each of
   its connections, and every byte that comes back is checked. Prints for each turn: name, round, requests, wall
   seconds, and the CPU seconds that the server used. SEED decides on the orders. With DEPTH so many messages are in
   flight on a connection: they are sent at once, and the next ones when all are answered; what is printed ends with the
   segments that an answer came in. It uses io_uring where that is allowed, as it must not be what the servers wait for;
   otherwise, and with LOAD=epoll, epoll. */
#include "ring.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { SIZE = 64, DEEPEST = 64, AT_ONCE = 256, GROUP = 1000, PATIENCE = 20 /* seconds */ };

typedef struct Connection {
    int fd;
    unsigned got;     /* bytes of the answers so far */
    uint64_t message; /* the number of the first one: no two messages are the same */
    char *data;       /* the messages, and then as much room for the answers */
} Connection;

static unsigned depth = 1; /* messages in flight on each */

typedef struct Load {
    Connection *connections;
    char *data;   /* of all */
    size_t count; /* of connections that are open */
    int epoll;    /* -1: it has a ring */
    uint64_t sent, answered;
    int over; /* nothing more is sent */
#ifdef RING_KNOWN
    Ring ring;
#endif
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
    const char *end = data + depth * SIZE;
    memset(data, 'x', depth * SIZE);
    for (; data < end; data += SIZE, number++) {
        memcpy(data, &number, sizeof number);
        memcpy(data + SIZE - sizeof number, &number, sizeof number);
    }
}

static char *room(const Connection *connection) {
    return connection->data + depth * SIZE;
}

/* The messages for it. */
static void compose_next(Load *load, Connection *connection) {
    connection->got = 0;
    connection->message = load->sent + 1;
    load->sent += depth;
    compose(connection->data, connection->message);
}

/* So many bytes have come: true when the answers are whole. */
static int take(Load *load, Connection *connection, ssize_t n) {
    if (n <= 0) fatal("recv");
    connection->got += (unsigned)n;
    if (connection->got < depth * SIZE) return 0;
    if (memcmp(connection->data, room(connection), depth * SIZE) != 0) {
        fputs("an answer differs from its message\n", stderr);
        exit(1);
    }
    load->answered += depth;
    return 1;
}

/* ---- with epoll ---- */

static void epoll_send(const Connection *connection) {
    if (send(connection->fd, connection->data, depth * SIZE, MSG_NOSIGNAL) != (ssize_t)depth * SIZE) fatal("send");
}

static void epoll_turn(Load *load, double end) {
    struct epoll_event events[AT_ONCE];
    int i, n = epoll_wait(load->epoll, events, AT_ONCE, -1);
    if (!load->over) load->over = now(CLOCK_MONOTONIC) >= end;
    for (i = 0; i < n; i++) {
        Connection *connection = events[i].data.ptr;
        size_t missing = depth * SIZE - connection->got;
        ssize_t got = recv(connection->fd, room(connection) + connection->got, missing, 0);
        if (!take(load, connection, got) || load->over) continue;
        compose_next(load, connection);
        epoll_send(connection);
    }
}

static void epoll_add(const Load *load, Connection *connection) {
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) fatal("epoll_ctl");
}

/* ---- with a ring: all that a turn sends and receives is one system call ---- */

#ifdef RING_KNOWN

/* All that is missing: a completion for parts of it would cost more. */
static void ring_receive(Load *load, Connection *connection) {
    struct io_uring_sqe *sqe =
        ring_request(&load->ring, IORING_OP_RECV, connection->fd, (uint64_t)(uintptr_t)connection);
    sqe->addr = (uint64_t)(uintptr_t)(room(connection) + connection->got);
    sqe->len = depth * SIZE - connection->got;
    sqe->msg_flags = MSG_WAITALL;
    sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
}

/* A completion without a connection says that a send has failed. */
static void ring_send(Load *load, Connection *connection) {
    struct io_uring_sqe *sqe = ring_request(&load->ring, IORING_OP_SEND, connection->fd, 0);
    sqe->addr = (uint64_t)(uintptr_t)connection->data;
    sqe->len = depth * SIZE;
    sqe->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    ring_receive(load, connection);
}

static void ring_turn(Load *load, double end) {
    struct io_uring_cqe cqe;
    if (ring_enter(&load->ring, 1) < 0) fatal("io_uring_enter");
    if (!load->over) load->over = now(CLOCK_MONOTONIC) >= end;
    while (ring_next(&load->ring, &cqe)) {
        Connection *connection = (Connection *)(uintptr_t)cqe.user_data;
        if (!connection) errno = -cqe.res, fatal("send");
        if (!take(load, connection, cqe.res)) ring_receive(load, connection);
        else if (!load->over) compose_next(load, connection), ring_send(load, connection);
    }
}

static int open_ring(Load *load) {
    const char *wanted = getenv("LOAD");
    return (!wanted || strcmp(wanted, "epoll") != 0) && ring_open(&load->ring) == 0;
}

#else

static void ring_send(Load *load, Connection *connection) { (void)load, epoll_send(connection); }
static void ring_turn(Load *load, double end) { epoll_turn(load, end); }
static int open_ring(Load *load) { (void)load; return 0; }

#endif

/* ---- with either ---- */

static void send_next(Load *load, Connection *connection) {
    compose_next(load, connection);
    if (load->epoll < 0) ring_send(load, connection);
    else epoll_send(connection);
}

/* Closed loop: whatever is answered is followed by the next message, until the time is over; then the rest comes in.
   SIGALRM ends the process where no answer comes. */
static void exchange(Load *load, size_t first, double seconds) {
    double end = now(CLOCK_MONOTONIC) + seconds;
    size_t i;
    load->over = seconds <= 0;
    alarm(PATIENCE + (unsigned)seconds);
    for (i = first; i < load->count; i++) send_next(load, &load->connections[i]);
    while (load->answered < load->sent) {
        if (load->epoll < 0) ring_turn(load, end);
        else epoll_turn(load, end);
    }
    alarm(0);
}

/* Closing resets the connection, so that thousands of ports do not stay in TIME_WAIT. */
static void open_connection(Load *load, const struct sockaddr_in *server) {
    struct linger at_once = { 1, 0 };
    Connection *connection = &load->connections[load->count];
    connection->data = load->data + load->count++ * 2 * depth * SIZE;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fatal("socket");
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(connection->fd, (const struct sockaddr *)server, sizeof *server) < 0) fatal("connect");
    if (load->epoll >= 0) epoll_add(load, connection);
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

/* ---- taking turns ---- */

typedef struct Turn {
    double requests, wall, cpu, segments;
} Turn;

typedef struct Server {
    const char *name;
    uint16_t port;
    pid_t pid;
    int go, done; /* pipes to and from the process that loads it; -1: it has failed */
    Turn turn;
} Server;

/* Segments with data that have come, on all connections. */
static double count_segments(const Load *load) {
    double count = 0;
    size_t i;
    for (i = 0; i < load->count; i++) {
        struct tcp_info info = { 0 };
        socklen_t len = sizeof info;
        if (getsockopt(load->connections[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) fatal("TCP_INFO");
        count += info.tcpi_data_segs_in;
    }
    return count;
}

static Turn take_turn(Load *load, clockid_t server_clock, double seconds) {
    uint64_t before = load->answered;
    double segments = count_segments(load), wall = now(CLOCK_MONOTONIC), cpu = now(server_clock);
    Turn turn;
    exchange(load, 0, seconds);
    turn.cpu = now(server_clock) - cpu;
    turn.wall = now(CLOCK_MONOTONIC) - wall;
    turn.requests = (double)(load->answered - before);
    turn.segments = count_segments(load) - segments;
    return turn;
}

/* The process that loads a server: says that its connections are open, then takes a turn whenever it is told to. */
static void load_server(const Server *server, size_t connections, double seconds, int go, int done) {
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    Load load = { 0 };
    Turn turn = { 0 };
    clockid_t server_clock;
    char told;
    addr.sin_port = htons(server->port);
    if (clock_getcpuclockid(server->pid, &server_clock) != 0) fatal("the server's clock");
    load.connections = calloc(connections, sizeof *load.connections);
    load.data = calloc(connections, 2 * depth * SIZE);
    if (!load.connections || !load.data) fatal("load");
    load.epoll = open_ring(&load) ? -1 : epoll_create1(EPOLL_CLOEXEC);
    open_all(&load, connections, &addr);
    do {
        if (write(done, &turn, sizeof turn) != sizeof turn) fatal("write");
        if (read(go, &told, 1) != 1) exit(0); /* the parent has ended */
        turn = take_turn(&load, server_clock, seconds);
    } while (1);
}

static int await(Server *server) {
    if (read(server->done, &server->turn, sizeof server->turn) == sizeof server->turn) return 1;
    fprintf(stderr, "%s failed\n", server->name);
    server->done = -1;
    return 0;
}

/* Its turn; false when it cannot, or could not earlier. */
static int tell(Server *server) {
    return server->done >= 0 && write(server->go, "", 1) == 1 && await(server);
}

static int start(Server *server, size_t connections, double seconds) {
    int go[2], done[2];
    pid_t child;
    if (pipe(go) < 0 || pipe(done) < 0) fatal("pipe");
    child = fork();
    if (child < 0) fatal("fork");
    if (child == 0) {
        close(go[1]);
        close(done[0]);
        load_server(server, connections, seconds, go[0], done[1]);
    }
    close(go[0]);
    close(done[1]);
    server->go = go[1];
    server->done = done[0];
    return await(server);
}

static void shuffle(int *order, int count) {
    int i;
    for (i = count - 1; i > 0; i--) {
        int k = rand() % (i + 1), other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
}

static void print_turn(const Server *server, int round) {
    const Turn *turn = &server->turn;
    printf("%s\t%d\t%.0f\t%.6f\t%.6f", server->name, round, turn->requests, turn->wall, turn->cpu);
    if (getenv("DEPTH")) printf("\tsegments=%.2f", turn->segments / turn->requests);
    putchar('\n');
}

/* Answers how many turns could not be taken. */
static int take_turns(Server *servers, int count, int round, int *order) {
    int i, failed = 0;
    shuffle(order, count);
    for (i = 0; i < count; i++) failed += !tell(&servers[order[i]]);
    for (i = 0; i < count; i++)
        if (servers[i].done >= 0) print_turn(&servers[i], round);
    return failed;
}

int main(int argc, char **argv) {
    enum { MOST = 16 };
    Server servers[MOST];
    const char *seed = getenv("SEED"), *deep = getenv("DEPTH");
    int order[MOST], count = (argc - 4) / 3, failed = 0, rounds, i;
    if (argc < 4 || argc != 4 + 3 * count || count > MOST) return 2;
    if (deep) depth = (unsigned)atoi(deep);
    if (depth < 1 || depth > DEEPEST) return 2;
    rounds = atoi(argv[2]);
    srand(seed ? (unsigned)atol(seed) : (unsigned)time(NULL));
    signal(SIGPIPE, SIG_IGN);
    for (i = 0; i < count; i++) {
        char **arg = argv + 4 + 3 * i;
        Server server = { arg[0], (uint16_t)atoi(arg[1]), atoi(arg[2]), -1, -1, { 0, 0, 0, 0 } };
        servers[i] = server;
        order[i] = i;
        failed += !start(&servers[i], (size_t)atoi(argv[1]), atof(argv[3]));
    }
    for (i = 1; i <= rounds; i++) failed += take_turns(servers, count, i, order);
    for (i = 0; i < count; i++) close(servers[i].go);
    while (wait(NULL) > 0) continue;
    return failed != 0;
}
