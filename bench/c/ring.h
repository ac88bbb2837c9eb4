/* A ring of io_uring's by its system calls, for the programs of bench/c/: requests are put in by ring_request, told to
   the kernel by ring_enter, and what became of them is taken out by ring_next. One thread uses it. Where the headers
   are older than Linux 6.1, there is no RING_KNOWN and nothing else. */
#ifndef RING_H
#define RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef IORING_SETUP_DEFER_TASKRUN
#define RING_KNOWN

enum { RING_SUBMISSIONS = 4096, RING_COMPLETIONS = 32768 };

typedef struct Ring {
    int fd;
    unsigned *sq_tail, *cq_head, *cq_tail, sq_mask, cq_mask;
    unsigned queued; /* requests that the kernel has not taken yet */
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
} Ring;

/* With the best flags that the kernel knows: a descriptor, or -1 and errno. */
static inline int ring_set_up(struct io_uring_params *params) {
    static const unsigned best[] = { IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_COOP_TASKRUN, 0 };
    size_t i;
    int fd = -1;
    for (i = 0; fd < 0 && i < sizeof best / sizeof *best; i++) {
        memset(params, 0, sizeof *params);
        params->flags = IORING_SETUP_CQSIZE | best[i];
        params->cq_entries = RING_COMPLETIONS;
        fd = (int)syscall(SYS_io_uring_setup, RING_SUBMISSIONS, params);
        if (fd < 0 && errno != EINVAL) break;
    }
    return fd;
}

/* 0, or -1 and errno where io_uring is not allowed or too old. */
static inline int ring_open(Ring *ring) {
    struct io_uring_params params;
    size_t submissions, completions, size;
    unsigned i, *array;
    char *queues;
    ring->queued = 0;
    ring->fd = ring_set_up(&params);
    if (ring->fd < 0) return -1;
    submissions = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    completions = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    size = submissions > completions ? submissions : completions; /* one mapping has both */
    queues = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
    ring->sqes = mmap(NULL, params.sq_entries * sizeof *ring->sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
        IORING_OFF_SQES);
    if (queues == MAP_FAILED || (void *)ring->sqes == MAP_FAILED) return -1;
    array = (void *)(queues + params.sq_off.array);
    for (i = 0; i < params.sq_entries; i++) array[i] = i;
    ring->sq_tail = (void *)(queues + params.sq_off.tail);
    ring->sq_mask = params.sq_entries - 1;
    ring->cq_head = (void *)(queues + params.cq_off.head);
    ring->cq_tail = (void *)(queues + params.cq_off.tail);
    ring->cq_mask = params.cq_entries - 1;
    ring->cqes = (void *)(queues + params.cq_off.cqes);
    return 0;
}

/* Tells the kernel of the requests, and waits for so many completions: 0, or -1 and errno. */
static inline int ring_enter(Ring *ring, unsigned wait_for) {
    long taken = syscall(SYS_io_uring_enter, ring->fd, ring->queued, wait_for, IORING_ENTER_GETEVENTS, NULL, 0);
    if (taken >= 0) ring->queued -= (unsigned)taken;
    return taken >= 0 || errno == EINTR || errno == EAGAIN || errno == EBUSY ? 0 : -1;
}

/* A request to be filled before the next call. There is always room: where there is not, the kernel takes some. */
static inline struct io_uring_sqe *ring_request(Ring *ring, unsigned opcode, int fd, uint64_t user_data) {
    struct io_uring_sqe *sqe;
    while (ring->queued > ring->sq_mask) ring_enter(ring, 0);
    sqe = &ring->sqes[*ring->sq_tail & ring->sq_mask];
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = (uint8_t)opcode;
    sqe->fd = fd;
    sqe->user_data = user_data;
    __atomic_store_n(ring->sq_tail, *ring->sq_tail + 1, __ATOMIC_RELEASE); /* it is looked at when it is told of */
    ring->queued++;
    return sqe;
}

static inline int ring_empty(const Ring *ring) {
    return *ring->cq_head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
}

/* The next completion, if there is one. */
static inline int ring_next(Ring *ring, struct io_uring_cqe *cqe) {
    if (ring_empty(ring)) return 0;
    *cqe = ring->cqes[*ring->cq_head & ring->cq_mask];
    __atomic_store_n(ring->cq_head, *ring->cq_head + 1, __ATOMIC_RELEASE);
    return 1;
}

#endif
#endif
