/* Linux's io_uring(7), by its three system calls. Two queues lie in memory that the kernel shares: requests (SQ) and
   what they have come to (CQ). A third one, of buffers, is what received bytes are put into. */
#include "ring.h"

#if LS_HAVE_IO_URING
#include "fork.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REQUESTS = 256, /* places in the queue of requests, which is handed over where it is full */
    DONE = 4096,    /* what requests have come to beyond that waits in the kernel */
    BUFFERS = 512,
    BLOCKS = 512,
    GROUP = 0,  /* of the buffers */
    TRIES = 100 /* to end what is under way, of a tenth of a second at most */
};

/* Memory that is shared with the kernel, or at least read by it. */
typedef struct Map {
    char *at;
    size_t size;
} Map;

struct ls_Ring {
    ls_Fork fork;     /* the first member */
    int fd;           /* -1: another process has opened it */
    unsigned pending; /* requests of which the end was not fetched */
    Map queues, entries, buffers, room, blocks;
    unsigned *sq_head, *sq_tail, sq_mask, tail; /* tail: with what the kernel was not told of yet */
    unsigned *cq_head, *cq_tail, cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    struct io_uring_buf_ring *ready; /* the buffers that requests may take */
    unsigned short ready_tail;
    int free_blocks, next_block[BLOCKS]; /* a list; -1 ends it */
};

#define LOAD(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
#define STORE(place, value) __atomic_store_n((place), (value), __ATOMIC_RELEASE)

/* ---- memory ---- */

/* A fork must not have the parent's own memory copied when it is next written to: a page would no longer be the one
   that the kernel has. The child unmaps all of it, see renew. */
static int map(Map *map, size_t size, int fd, off_t offset) {
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (at == MAP_FAILED) return errno;
    map->at = at;
    map->size = size;
    return fd < 0 && madvise(at, size, MADV_WIPEONFORK) < 0 ? errno : 0;
}

static void unmap(Map *map) {
    if (map->at) munmap(map->at, map->size);
    map->at = NULL;
}

/* The kernel has its own hold on the first three. */
static void unmap_all(ls_Ring *ring, int is_done) {
    unmap(&ring->queues);
    unmap(&ring->entries);
    unmap(&ring->buffers);
    if (!is_done) return;
    unmap(&ring->room);
    unmap(&ring->blocks);
}

static unsigned *word(const ls_Ring *ring, unsigned offset) { return (unsigned *)(void *)(ring->queues.at + offset); }

static int map_queues(ls_Ring *ring, const struct io_uring_params *p) {
    size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    unsigned i, *places;
    int err = map(&ring->queues, sq > cq ? sq : cq, ring->fd, IORING_OFF_SQ_RING);
    if (!err) err = map(&ring->entries, p->sq_entries * sizeof *ring->sqes, ring->fd, IORING_OFF_SQES);
    if (err) return err;
    ring->sq_head = word(ring, p->sq_off.head);
    ring->sq_tail = word(ring, p->sq_off.tail);
    ring->sq_mask = *word(ring, p->sq_off.ring_mask);
    ring->cq_head = word(ring, p->cq_off.head);
    ring->cq_tail = word(ring, p->cq_off.tail);
    ring->cq_mask = *word(ring, p->cq_off.ring_mask);
    ring->sqes = (void *)ring->entries.at;
    ring->cqes = (void *)word(ring, p->cq_off.cqes);
    places = word(ring, p->sq_off.array);
    for (i = 0; i < p->sq_entries; i++) places[i] = i;
    return 0;
}

/* ---- buffers ---- */

static char *buffer_at(const ls_Ring *ring, int buffer) { return ring->room.at + (size_t)buffer * LS_RING_RECEIVE; }

const char *ls_ring_buffer(const ls_Ring *ring, int buffer) { return ring->room.at ? buffer_at(ring, buffer) : NULL; }

void ls_ring_giveback(ls_Ring *ring, int buffer) {
    struct io_uring_buf *place;
    if (!ring->ready) return;
    place = &ring->ready->bufs[ring->ready_tail & (BUFFERS - 1)];
    place->addr = (uint64_t)(uintptr_t)buffer_at(ring, buffer);
    place->len = LS_RING_RECEIVE;
    place->bid = (unsigned short)buffer;
    STORE(&ring->ready->tail, ++ring->ready_tail);
}

static int provide_buffers(ls_Ring *ring) {
    struct io_uring_buf_reg reg;
    int buffer, err = map(&ring->room, (size_t)BUFFERS * LS_RING_RECEIVE, -1, 0);
    if (!err) err = map(&ring->buffers, BUFFERS * sizeof(struct io_uring_buf), -1, 0);
    if (err) return err;
    ring->ready = (void *)ring->buffers.at;
    memset(&reg, 0, sizeof reg);
    reg.ring_addr = (uint64_t)(uintptr_t)ring->ready;
    reg.ring_entries = BUFFERS;
    reg.bgid = GROUP;
    if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &reg, 1) < 0) return errno;
    for (buffer = 0; buffer < BUFFERS; buffer++) ls_ring_giveback(ring, buffer);
    return 0;
}

/* ---- blocks ---- */

int ls_ring_takeblock(ls_Ring *ring) {
    int block = ring->free_blocks;
    if (block >= 0) ring->free_blocks = ring->next_block[block];
    return block;
}

char *ls_ring_block(ls_Ring *ring, int block) { return ring->blocks.at + (size_t)block * LS_RING_SEND; }

void ls_ring_givebackblock(ls_Ring *ring, int block) {
    ring->next_block[block] = ring->free_blocks;
    ring->free_blocks = block;
}

static int make_blocks(ls_Ring *ring) {
    int block;
    ring->free_blocks = -1;
    for (block = BLOCKS - 1; block >= 0; block--) ls_ring_givebackblock(ring, block);
    return map(&ring->blocks, (size_t)BLOCKS * LS_RING_SEND, -1, 0);
}

/* ---- the system calls ---- */

static int setup(ls_Ring *ring, struct io_uring_params *p) {
    static const unsigned wanted = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
    memset(p, 0, sizeof *p);
    p->flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    p->cq_entries = DONE;
    ring->fd = (int)syscall(SYS_io_uring_setup, REQUESTS, p); /* it is close-on-exec by itself */
    if (ring->fd < 0) return errno;
    return (p->features & wanted) == wanted ? 0 : ENOSYS;
}

static unsigned untold(const ls_Ring *ring) { return ring->tail - LOAD(ring->sq_head); }

/* Hands requests over, and waits until so many have ended, or the time is over. 0 or an errno. */
static int enter(const ls_Ring *ring, unsigned requests, unsigned wait, const struct __kernel_timespec *time) {
    struct io_uring_getevents_arg arg;
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    memset(&arg, 0, sizeof arg);
    arg.ts = (uint64_t)(uintptr_t)time;
    STORE(ring->sq_tail, ring->tail);
    return syscall(SYS_io_uring_enter, ring->fd, requests, wait, flags, &arg, sizeof arg) < 0 ? errno : 0;
}

/* The same with all requests. Where memory is short the kernel takes none of them now, and has a look at what is under
   way only if it is given none. */
static int enter_all(const ls_Ring *ring, unsigned wait, const struct __kernel_timespec *time) {
    int err = enter(ring, untold(ring), wait, time);
    if (err == EAGAIN || err == EBUSY) err = enter(ring, 0, 0, NULL);
    return err == ETIME || err == EAGAIN || err == EBUSY ? 0 : err;
}

static int has_ended(const ls_Ring *ring) { return LOAD(ring->cq_tail) != *ring->cq_head; }

int ls_ring_enter(ls_Ring *ring, double seconds) {
    static const double most = 1e9;
    struct __kernel_timespec time;
    int err;
    if (ring->fd < 0) return EBADF;
    if (seconds == 0 || has_ended(ring)) return enter_all(ring, 0, NULL);
    if (seconds > most) seconds = most;
    time.tv_sec = (int64_t)seconds;
    time.tv_nsec = (int64_t)((seconds - (double)time.tv_sec) * 1e9);
    err = enter_all(ring, 1, seconds < 0 ? NULL : &time);
    return err == EINTR && has_ended(ring) ? 0 : err;
}

/* ---- requests ---- */

/* A place for a request, all zeros but for what every one has. 0 or an errno. */
static int ask(ls_Ring *ring, int op, int fd, uint64_t id, struct io_uring_sqe **place) {
    struct io_uring_sqe *sqe;
    int err;
    if (ring->fd < 0) return EBADF;
    if (untold(ring) > ring->sq_mask) {
        err = enter_all(ring, 0, NULL);
        if (untold(ring) > ring->sq_mask) return err ? err : EAGAIN;
    }
    sqe = &ring->sqes[ring->tail++ & ring->sq_mask];
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = (unsigned char)op;
    sqe->fd = fd;
    sqe->user_data = id;
    ring->pending++;
    *place = sqe;
    return 0;
}

/* A task that waits to receive has found nothing there: so it is not even tried first. */
int ls_ring_receive(ls_Ring *ring, int fd, uint64_t id, size_t size) {
    struct io_uring_sqe *sqe;
    int err = ask(ring, IORING_OP_RECV, fd, id, &sqe);
    if (err) return err;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
    sqe->len = size < LS_RING_RECEIVE ? (unsigned)size : LS_RING_RECEIVE;
    return 0;
}

int ls_ring_send(ls_Ring *ring, int fd, uint64_t id, int block, size_t size) {
    struct io_uring_sqe *sqe;
    int err = ask(ring, IORING_OP_SEND, fd, id, &sqe);
    if (err) return err;
    sqe->addr = (uint64_t)(uintptr_t)ls_ring_block(ring, block);
    sqe->len = (unsigned)size;
    sqe->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    return 0;
}

int ls_ring_accept(ls_Ring *ring, int fd, uint64_t id) {
    struct io_uring_sqe *sqe;
    int err = ask(ring, IORING_OP_ACCEPT, fd, id, &sqe);
    if (err) return err;
    sqe->ioprio = IORING_ACCEPT_MULTISHOT;
    sqe->accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    return 0;
}

/* The halves of the word are exchanged where the order of bytes is another. */
int ls_ring_poll(ls_Ring *ring, int fd, uint64_t id, int events) {
    struct io_uring_sqe *sqe;
    int err = ask(ring, IORING_OP_POLL_ADD, fd, id, &sqe);
    if (err) return err;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    sqe->poll32_events = (unsigned)events << 16 | (unsigned)events >> 16;
#else
    sqe->poll32_events = (unsigned)events;
#endif
    return 0;
}

static const uint64_t NOBODY = UINT64_MAX; /* the id of what nobody wants to hear the end of */

int ls_ring_cancel(ls_Ring *ring, uint64_t id) {
    struct io_uring_sqe *sqe;
    int err = ask(ring, IORING_OP_ASYNC_CANCEL, -1, NOBODY, &sqe);
    if (!err) sqe->addr = id;
    return err;
}

static int cancel_all(ls_Ring *ring) {
    struct io_uring_sqe *sqe;
    int err = ask(ring, IORING_OP_ASYNC_CANCEL, -1, NOBODY, &sqe);
    if (!err) sqe->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    return err;
}

/* ---- what has ended ---- */

static void read_end(const struct io_uring_cqe *cqe, ls_Done *done) {
    done->id = cqe->user_data;
    done->result = cqe->res;
    done->buffer = cqe->flags & IORING_CQE_F_BUFFER ? (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT) : LS_RING_NOBUFFER;
    done->more = (cqe->flags & IORING_CQE_F_MORE) != 0;
}

int ls_ring_fetch(ls_Ring *ring, ls_Done *done) {
    unsigned head;
    if (ring->fd < 0) return 0;
    for (head = *ring->cq_head; head != LOAD(ring->cq_tail); head++) {
        read_end(&ring->cqes[head & ring->cq_mask], done);
        if (!done->more) ring->pending--;
        STORE(ring->cq_head, head + 1);
        if (done->id != NOBODY) return 1;
    }
    return 0;
}

/* ---- the ring ---- */

int ls_ring_isours(const ls_Ring *ring) { return ring->fd >= 0; }

/* The child gives up what it has of the parent's ring. */
static void renew(ls_Fork *fork) {
    ls_Ring *ring = (void *)fork;
    if (ring->fd >= 0) close(ring->fd);
    ring->fd = -1;
    unmap_all(ring, 1);
    ring->ready = NULL;
    ring->free_blocks = -1;
}

static int make(ls_Ring *ring) {
    struct io_uring_params p;
    int err = setup(ring, &p);
    if (!err) err = map_queues(ring, &p);
    if (!err) err = provide_buffers(ring);
    if (err == EINVAL) err = ENOSYS; /* an older kernel, which does not know all that was asked for */
    if (!err) err = make_blocks(ring);
    return err ? err : ls_fork_join(&ring->fork);
}

int ls_ring_open(ls_Ring **out) {
    ls_Ring *ring = calloc(1, sizeof *ring);
    int err;
    if (!ring) return ENOMEM;
    ring->fork.renew = renew;
    err = make(ring);
    if (!err) {
        *out = ring;
        return 0;
    }
    if (ring->fd >= 0) close(ring->fd);
    unmap_all(ring, 1);
    free(ring);
    return err;
}

static void fetch_all(ls_Ring *ring) {
    ls_Done done;
    while (ls_ring_fetch(ring, &done))
        if (done.id & LS_RING_ACCEPTS && done.result >= 0) close(done.result);
}

/* Is the kernel done with the ring's memory? It is at once, as all that is asked for here can be cancelled. But another
   thread than the ring's cannot cancel anything. */
static int end_all(ls_Ring *ring) {
    static const struct __kernel_timespec moment = { 0, 100000000 };
    int tries, asked = 0, err = 0;
    fetch_all(ring);
    for (tries = 0; ring->pending > 0 && tries < TRIES && err != EEXIST && err != EBADF; tries++) {
        if (!asked) asked = cancel_all(ring) == 0;
        err = enter_all(ring, 1, &moment);
        fetch_all(ring);
    }
    return ring->pending == 0;
}

/* Where the kernel may still write to it, memory that is given up is not given back. */
void ls_ring_close(ls_Ring *ring) {
    int is_done = 1;
    ls_fork_leave(&ring->fork);
    if (ring->fd >= 0) {
        is_done = end_all(ring);
        close(ring->fd);
    }
    unmap_all(ring, is_done);
    free(ring);
}
#endif
