/* echo_load CONNECTIONS ROUNDS SECONDS [NAME PORT PID]...: the other end of every echo server. A process of its own for
   each server, which is process PID and listens to PORT, holds that many connections to it. In each round all servers
   have their turn, one after the other, in any order: for some seconds one message of 64 bytes is in flight on each of
   its connections, and every byte that comes back is checked. Prints for each turn: name, round, requests, wall
   seconds, the CPU seconds that the server used, and "stolen=" with the ticks that the hypervisor took in the round, if
   any. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* ---- taking turns ---- */

typedef struct Turn {
    double requests, wall, cpu;
} Turn;

typedef struct Server {
    const char *name;
    uint16_t port;
    pid_t pid;
    int go, done; /* pipes to and from the process that loads it; -1: it has failed */
    Turn turn;
} Server;

static Turn take_turn(Load *load, clockid_t server_clock, double seconds) {
    uint64_t before = load->answered;
    double wall = now(CLOCK_MONOTONIC), cpu = now(server_clock);
    Turn turn;
    exchange(load, 0, seconds);
    turn.cpu = now(server_clock) - cpu;
    turn.wall = now(CLOCK_MONOTONIC) - wall;
    turn.requests = (double)(load->answered - before);
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
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc(connections, sizeof *load.connections);
    if (load.epoll < 0 || !load.connections) fatal("load");
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

static unsigned long stolen(void) {
    unsigned long ticks = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (file) {
        if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %lu", &ticks) != 1) ticks = 0;
        fclose(file);
    }
    return ticks;
}

static void shuffle(int *order, int count) {
    int i;
    for (i = count - 1; i > 0; i--) {
        int k = rand() % (i + 1), other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
}

static void print_turn(const Server *server, int round, unsigned long ticks) {
    const Turn *turn = &server->turn;
    printf("%s\t%d\t%.0f\t%.6f\t%.6f\t", server->name, round, turn->requests, turn->wall, turn->cpu);
    if (ticks) printf("stolen=%lu", ticks);
    putchar('\n');
}

/* Answers how many turns could not be taken. */
static int take_turns(Server *servers, int count, int round, int *order) {
    unsigned long before = stolen(), ticks;
    int i, failed = 0;
    shuffle(order, count);
    for (i = 0; i < count; i++) failed += !tell(&servers[order[i]]);
    ticks = stolen() - before;
    for (i = 0; i < count; i++)
        if (servers[i].done >= 0) print_turn(&servers[i], round, ticks);
    return failed;
}

int main(int argc, char **argv) {
    enum { MOST = 16 };
    Server servers[MOST];
    int order[MOST], count = (argc - 4) / 3, failed = 0, rounds, i;
    if (argc < 4 || argc != 4 + 3 * count || count > MOST) return 2;
    rounds = atoi(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    for (i = 0; i < count; i++) {
        char **arg = argv + 4 + 3 * i;
        Server server = { arg[0], (uint16_t)atoi(arg[1]), atoi(arg[2]), -1, -1, { 0, 0, 0 } };
        servers[i] = server;
        order[i] = i;
        failed += !start(&servers[i], (size_t)atoi(argv[1]), atof(argv[3]));
    }
    for (i = 1; i <= rounds; i++) failed += take_turns(servers, count, i, order);
    for (i = 0; i < count; i++) close(servers[i].go);
    while (wait(NULL) > 0) continue;
    return failed != 0;
}
