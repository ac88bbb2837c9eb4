/* relay_load UPLOADS RATE SECONDS PORT PID: uploads through a relay, which is process PID, as fast as it takes them,
   while the sink that it relays to reads RATE megabytes a second in all; and beside them 64 bytes every 10 ms, which
   the relay sends back. Connections begin with a line: the port of the sink, or "echo". Prints: megabytes that were
   sent to the relay, the CPU seconds that it used, the kilobytes by which its memory was larger at most, and the
   microseconds that half and 99 % of the echoes took at most. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, BLOCK = 65536, ROOM = 65536, SIZE = 64, ECHOES = 100000, LISTENER = 0, ECHO = 1, FIRST = 2 };

static struct pollfd fds[FIRST + 2 * MOST]; /* the listener, the echo, the uploads, and what the relay connects */
static char block[BLOCK];

static void fatal(const char *what) {
    perror(what);
    exit(1);
}

static double now(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) < 0) fatal("clock_gettime");
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Little room, as it is the relay that is to hold back; and the connections have it from the listener. */
static int open_sink(uint16_t *port) {
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), room = ROOM;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, MOST) < 0) fatal("listen");
    getsockname(fd, (struct sockaddr *)&addr, &len);
    *port = ntohs(addr.sin_port);
    return fd;
}

static int open_connection(uint16_t port, const char *line) {
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = ROOM, on = 1;
    addr.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) fatal("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) fatal("send");
    return fd;
}

/* Kilobytes of the process's memory as its status names it: now, or at most since it was asked to forget. */
static long memory(const char *pid, const char *name) {
    char path[64], line[256];
    long kilobytes = -1;
    FILE *status;
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    status = fopen(path, "r");
    while (status && kilobytes < 0 && fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0) kilobytes = atol(line + strlen(name));
    if (!status || fclose(status) != 0 || kilobytes < 0) fatal(name);
    return kilobytes;
}

static void forget_peak(const char *pid) {
    char path[64];
    FILE *refs;
    snprintf(path, sizeof path, "/proc/%s/clear_refs", pid);
    refs = fopen(path, "w");
    if (!refs || fputs("5", refs) < 0 || fclose(refs) != 0) fatal(path);
}

/* ---- what goes on ---- */

static double echoes[ECHOES];
static size_t echo_count, echo_got = SIZE;
static double echo_sent;

static void play_echo(double moment) {
    char data[SIZE];
    ssize_t n = fds[ECHO].revents ? recv(fds[ECHO].fd, data, SIZE - echo_got, 0) : 0;
    if (n > 0) echo_got += (size_t)n;
    if (n > 0 && echo_got == SIZE && echo_count < ECHOES) echoes[echo_count++] = now(CLOCK_MONOTONIC) - echo_sent;
    if (echo_got < SIZE || moment < echo_sent + 0.01) return;
    echo_got = 0;
    echo_sent = now(CLOCK_MONOTONIC);
    if (send(fds[ECHO].fd, block, SIZE, MSG_NOSIGNAL) != SIZE) fatal("echo");
}

static double upload(int count) {
    double sent = 0;
    int i;
    for (i = FIRST; i < FIRST + count; i++) {
        ssize_t n = fds[i].revents ? send(fds[i].fd, block, BLOCK, MSG_NOSIGNAL) : 0;
        if (n < 0 && errno != EAGAIN) fatal("upload");
        if (n > 0) sent += (double)n;
    }
    return sent;
}

/* Reads so many bytes from the connections of the relay, in turn: answers how many it got. */
static double drain(int first, int count, double most) {
    static char data[BLOCK];
    static int turn;
    double got = 0;
    int i;
    for (i = 0; i < count && got < most; i++) {
        size_t size = most - got < BLOCK ? (size_t)(most - got) : BLOCK;
        ssize_t n = recv(fds[first + turn++ % count].fd, data, size, MSG_DONTWAIT);
        if (n > 0) got += (double)n;
    }
    return got;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Answers how many bytes were sent. */
static double run(int uploads, double rate, double seconds) {
    double start = now(CLOCK_MONOTONIC), moment = start, sent = 0, drained = 0;
    int sinks = 0, i;
    for (i = 0; i < FIRST + uploads; i++) fds[i].events = i < FIRST ? POLLIN : POLLOUT;
    while (moment < start + seconds) {
        if (poll(fds, (nfds_t)(FIRST + uploads), 1) < 0) fatal("poll");
        if (fds[LISTENER].revents && sinks < uploads) {
            int fd = accept(fds[LISTENER].fd, NULL, NULL);
            if (fd >= 0) fds[FIRST + uploads + sinks++].fd = fd;
        }
        play_echo(moment);
        sent += upload(uploads);
        moment = now(CLOCK_MONOTONIC);
        drained += drain(FIRST + uploads, sinks, (moment - start) * rate - drained);
    }
    if (sinks < uploads || drained == 0 || echo_count == 0) fputs("it does not relay\n", stderr), exit(1);
    return sent;
}

int main(int argc, char **argv) {
    uint16_t port, sink_port;
    clockid_t relay_clock;
    char line[16];
    double cpu, sent;
    int uploads, i;
    long before;
    if (argc != 6) return 2;
    uploads = atoi(argv[1]);
    port = (uint16_t)atoi(argv[4]);
    if (uploads < 1 || uploads > MOST) return 2;
    if (clock_getcpuclockid(atoi(argv[5]), &relay_clock) != 0) fatal("the relay's clock");
    forget_peak(argv[5]);
    before = memory(argv[5], "VmRSS:");
    cpu = now(relay_clock);
    fds[LISTENER].fd = open_sink(&sink_port);
    fds[ECHO].fd = open_connection(port, "echo\n");
    snprintf(line, sizeof line, "%d\n", sink_port);
    for (i = 0; i < uploads; i++) fds[FIRST + i].fd = open_connection(port, line);
    sent = run(uploads, 1e6 * atof(argv[2]), atof(argv[3]));
    cpu = now(relay_clock) - cpu;
    qsort(echoes, echo_count, sizeof *echoes, compare);
    printf("%.0f %.6f %ld %.0f %.0f\n", sent / 1e6, cpu, memory(argv[5], "VmHWM:") - before,
        echoes[echo_count / 2] * 1e6, echoes[echo_count * 99 / 100] * 1e6);
    return 0;
}
