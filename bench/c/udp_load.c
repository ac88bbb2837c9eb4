/* udp_load PORT COUNT WINDOW: the other end of a server of datagrams on this machine. Asks it COUNT questions of a name
   server's kind, WINDOW of them in flight, and looks whether each answer is one to a question. Ends with 1 where an
   answer does not come. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { HEAD = 12, MOST = 512, PATIENCE = 10 /* seconds */ };

/* box.example, A, IN */
static const char question[] = "\3box\7example\0\0\1\0\1";

static void fatal(const char *what) {
    perror(what);
    exit(1);
}

static int open_socket(const char *port) {
    struct sockaddr_in to = { 0 };
    struct timeval patience = { PATIENCE, 0 };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    to.sin_family = AF_INET;
    to.sin_port = htons((unsigned short)atoi(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fatal("connect");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) fatal("setsockopt");
    return fd;
}

static void ask(int fd, long number) {
    char query[HEAD + sizeof question - 1] = { 0 };
    query[0] = (char)(number >> 8);
    query[1] = (char)number;
    query[2] = 1; /* recursion is desired */
    query[5] = 1; /* one question */
    memcpy(query + HEAD, question, sizeof question - 1);
    if (send(fd, query, sizeof query, 0) != sizeof query) fatal("send");
}

int main(int argc, char **argv) {
    long count, window, sent = 0, answered;
    char answer[MOST];
    int fd;
    if (argc != 4) return 2;
    fd = open_socket(argv[1]);
    count = atol(argv[2]);
    window = atol(argv[3]);
    while (sent < window && sent < count) ask(fd, sent++);
    for (answered = 0; answered < count; answered++) {
        ssize_t n = recv(fd, answer, sizeof answer, 0);
        if (n < 0) fatal("recv");
        if (n < HEAD || !(answer[2] & 0x80)) return fputs("what is this answer?\n", stderr), 1;
        if (sent < count) ask(fd, sent++);
    }
    return 0;
}
