/* echo_uring [try]: an echo server on io_uring, which stands beside the one with epoll: what a ring makes of the same
   requests. It prints its port, and runs until it is killed; with "try" it ends once it has its ring. Where io_uring is
   not allowed, or too old, it says so and ends with 1.

   One multishot request accepts. Each connection has one request at the kernel: a receive, which takes its buffer from
   a ring of them when bytes have come; then a send of that buffer; then the next receive. A turn is one system call for
   all connections, which submits the requests that the last turn has made, and waits. */
#include "ring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifdef RING_KNOWN

enum { BUFFERS = 2048, BUFFER_SIZE = 1024, GROUP = 0 };

/* What a completion is of, in its user_data, with the descriptor and the number of the buffer. */
enum { ACCEPT, RECEIVE, SEND };

static Ring ring;
static struct io_uring_buf *buffers; /* the kernel's list of those that are free; the first one's resv is its tail */
static uint16_t buffers_tail;
static char *memory; /* of all buffers */

static int fatal(const char *what) {
    perror(what);
    exit(1);
}

static int open_listener(void) {
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 4096) < 0) return fatal("listen");
    getsockname(fd, (struct sockaddr *)&addr, &len);
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

/* ---- buffers ---- */

/* The kernel may have it from when the tail is told. */
static void free_buffer(unsigned number) {
    struct io_uring_buf *buffer = &buffers[buffers_tail++ & (BUFFERS - 1)];
    buffer->addr = (uint64_t)(uintptr_t)(memory + (size_t)number * BUFFER_SIZE);
    buffer->len = BUFFER_SIZE;
    buffer->bid = (uint16_t)number;
}

static void tell_buffers(void) {
    __atomic_store_n(&buffers[0].resv, buffers_tail, __ATOMIC_RELEASE);
}

static void *map(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) fatal("mmap");
    return pages;
}

static void add_buffers(void) {
    struct io_uring_buf_reg list = { .ring_entries = BUFFERS, .bgid = GROUP };
    unsigned i;
    memory = map((size_t)BUFFERS * BUFFER_SIZE);
    buffers = map(BUFFERS * sizeof *buffers);
    list.ring_addr = (uint64_t)(uintptr_t)buffers;
    if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING, &list, 1) < 0) fatal("io_uring's buffers");
    for (i = 0; i < BUFFERS; i++) free_buffer(i);
    tell_buffers();
}

/* ---- requests ---- */

static struct io_uring_sqe *request(unsigned opcode, int fd, unsigned kind, unsigned buffer) {
    return ring_request(&ring, opcode, fd, (uint64_t)kind << 48 | (uint64_t)buffer << 32 | (uint32_t)fd);
}

static void accept_all(int listener) {
    struct io_uring_sqe *sqe = request(IORING_OP_ACCEPT, listener, ACCEPT, 0);
    sqe->ioprio = IORING_ACCEPT_MULTISHOT;
    sqe->accept_flags = SOCK_CLOEXEC;
}

/* Nothing has come yet, as the peer waits for an answer: so it is not tried first. */
static void receive(int fd) {
    struct io_uring_sqe *sqe = request(IORING_OP_RECV, fd, RECEIVE, 0);
    sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
}

static void answer(int fd, unsigned buffer, unsigned size) {
    struct io_uring_sqe *sqe = request(IORING_OP_SEND, fd, SEND, buffer);
    sqe->addr = (uint64_t)(uintptr_t)(memory + (size_t)buffer * BUFFER_SIZE);
    sqe->len = size;
    sqe->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

/* ---- completions ---- */

static void complete(const struct io_uring_cqe *cqe) {
    int fd = (int)(uint32_t)cqe->user_data;
    switch (cqe->user_data >> 48) {
        case ACCEPT:
            if (cqe->res >= 0) receive(cqe->res);
            if (!(cqe->flags & IORING_CQE_F_MORE)) accept_all(fd);
            break;
        case RECEIVE:
            if (cqe->res > 0) answer(fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (unsigned)cqe->res);
            else if (cqe->res == -ENOBUFS) receive(fd);
            else close(fd);
            break;
        case SEND:
            free_buffer((unsigned)(cqe->user_data >> 32) & 0xffff);
            receive(fd);
            break;
    }
}

int main(int argc, char **argv) {
    if (ring_open(&ring) < 0) return fatal("io_uring");
    add_buffers();
    if (argc > 1 && strcmp(argv[1], "try") == 0) return 0;
    accept_all(open_listener());
    for (;;) {
        struct io_uring_cqe cqe;
        if (ring_enter(&ring, 1) < 0) fatal("io_uring_enter");
        while (ring_next(&ring, &cqe)) complete(&cqe);
        tell_buffers();
    }
}

#else

int main(void) {
    fputs("io_uring: compiled with headers that are older than Linux 6.1\n", stderr);
    return 1;
}

#endif
