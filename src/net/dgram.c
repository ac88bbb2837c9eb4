/* Batches of datagrams: recvmmsg and sendmmsg, or loops of single calls; segmentation and coalescing by the kernel. */
#include "dgram.h"

#include "cmsg.h"
#include "fd.h"
#include "part.h"

#include <string.h>

enum {
    WIDE = 65536,       /* the slot that takes any message, coalesced ones too */
    CALL = 1024,        /* messages that the kernel takes in one call */
    CHUNK = 64,         /* messages that are made ready for sending at once */
    PIECES = 512,       /* and the pieces that they consist of */
    SEGMENTS = 64,      /* datagrams that every kernel with UDP_SEGMENT takes in one message */
    SEGMENTED = 65487   /* and their bytes: what IPv6 leaves of 64 KiB */
};

/* What other options tell about a message stands before the length of its datagrams. In C99 a cmsghdr, which may end in
   a flexible array, must not be a member of a member. */
struct ls_Place {
    struct iovec iov;
    union {
        size_t aligned;
        char room[LS_PART_CONTROL];
    } control;
};

/* ---- the memory ---- */

static uint32_t slot_of(size_t size) { return (uint32_t)(size + 63) / 64 * 64; }

static size_t total_of(size_t count, size_t size) {
    size_t total = count * slot_of(size);
    return total < WIDE ? WIDE : total;
}

size_t ls_dgram_memory(size_t count, size_t size) {
    if (slot_of(size) > LS_DGRAM_TOTAL / count) return 0;
    return count * (sizeof(ls_Message) + sizeof(ls_Place) + sizeof(ls_Run)) + total_of(count, size);
}

void ls_dgram_init(ls_Batch *b, void *memory, size_t count, size_t size) {
    memset(b, 0, sizeof *b);
    b->room = (uint32_t)count;
    b->size = (uint32_t)size;
    b->total = (uint32_t)total_of(count, size);
    b->messages = memory;
    b->places = (ls_Place *)(b->messages + count);
    b->run = (ls_Run *)(b->places + count);
    b->data = (char *)(b->run + count);
}

/* ---- the datagrams ---- */

void ls_dgram_clear(ls_Batch *b) {
    b->runs = b->count = b->sent = b->end = b->near = 0;
}

void ls_dgram_rewind(ls_Batch *b) { b->sent = 0; }

size_t ls_dgram_left(const ls_Batch *b) { return b->count - b->sent; }

/* The run that has this datagram; who asks for one after the other finds it at once. */
static const ls_Run *find(ls_Batch *b, uint32_t number) {
    while (number < b->run[b->near].start) b->near--;
    while (number >= b->run[b->near].start + b->run[b->near].count) b->near++;
    return &b->run[b->near];
}

ls_Datagram ls_dgram_get(ls_Batch *b, size_t number) {
    uint32_t absolute = b->sent + (uint32_t)number;
    const ls_Run *run = find(b, absolute);
    uint32_t skip = (absolute - run->start) * run->segment, rest = run->bytes - skip;
    ls_Datagram d;
    d.data = b->data + run->offset + skip;
    d.bytes = rest < run->segment ? rest : run->segment;
    d.length = run->length > run->bytes ? run->length : d.bytes;
    d.peer = &run->peer;
    return d;
}

static int same_peer(const ls_Addr *a, const ls_Addr *b) {
    return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
}

/* Are all its datagrams of one length? Then more may follow. */
static int is_even(const ls_Run *run) {
    return run->bytes == run->count * run->segment && run->length == run->bytes;
}

/* The run that a datagram of that length is added to: the last one, if it may stand there, or a new one. */
static ls_Run *open_run(ls_Batch *b, size_t bytes, const ls_Addr *peer) {
    ls_Run *run = b->runs ? &b->run[b->runs - 1] : NULL;
    if (run && bytes > 0 && bytes <= run->segment && is_even(run) && same_peer(&run->peer, peer)) return run;
    run = &b->run[b->runs++];
    run->offset = b->end;
    run->segment = (uint32_t)bytes;
    run->bytes = run->count = run->length = 0;
    run->start = b->count;
    run->peer = *peer;
    return run;
}

int ls_dgram_add(ls_Batch *b, const void *data, size_t bytes, const ls_Addr *addr) {
    static const ls_Addr none;
    ls_Run *run;
    if (bytes > b->size) return EMSGSIZE;
    if (b->sent == b->count) ls_dgram_clear(b);
    if (b->count >= b->room || bytes > b->total - b->end) return ENOBUFS;
    run = open_run(b, bytes, addr ? addr : &none);
    memcpy(b->data + b->end, data, bytes);
    b->end += (uint32_t)bytes;
    run->bytes += (uint32_t)bytes;
    run->length = run->bytes;
    run->count++;
    b->count++;
    return 0;
}

/* ---- receiving ---- */

enum { RECEIVE_FLAGS = LS_HAVE_TRUE_LENGTH ? MSG_TRUNC : 0 };

static int receive_one(int fd, ls_Message *message) {
    ssize_t got;
    do got = recvmsg(fd, &message->msg_hdr, RECEIVE_FLAGS);
    while (got < 0 && errno == EINTR);
    message->msg_len = (unsigned)got;
    return got < 0 ? errno : 0;
}

/* An error that follows a datagram: recvmmsg tells it at the next call; the loop loses it, unless it lasts. One alone
   is cheaper by recvmsg. */
static int receive_messages(int fd, ls_Message *messages, uint32_t count, uint32_t *n) {
#if LS_HAVE_MMSG
    if (count > 1) {
        ssize_t got;
        do got = recvmmsg(fd, messages, count, RECEIVE_FLAGS, NULL);
        while (got < 0 && errno == EINTR);
        *n = (uint32_t)got;
        return got < 0 ? errno : 0;
    }
#endif
    for (*n = 0; *n < count; ++*n) {
        int err = receive_one(fd, &messages[*n]);
        if (err) return *n ? 0 : err;
    }
    return 0;
}

/* What a call leaves changed in a message. */
static void renew(struct msghdr *header, uint32_t control) {
    header->msg_namelen = sizeof(((ls_Addr *)0)->u);
    header->msg_controllen = control;
}

/* Bytes of a message. */
static uint32_t room_of(const ls_Batch *b) { return b->slot < WIDE ? b->size : LS_DGRAM_SIZE; }

/* Makes the messages ready, each to be received into a place of its own. Answers how many these are. There is room for
   control data only where no descriptors can come, which would stay open for ever. */
static uint32_t prepare(ls_Batch *b, int how) {
    uint32_t slot = how >= LS_DGRAM_COALESCED ? WIDE : slot_of(b->size);
    uint32_t control = how == LS_DGRAM_LOCAL ? 0 : sizeof b->places->control;
    uint32_t i, count = b->total / slot < b->room ? b->total / slot : b->room;
    if (b->slot == slot && b->control == control) return count;
    b->slot = slot;
    b->control = control;
    for (i = 0; i < count; i++) {
        struct msghdr *header = &b->messages[i].msg_hdr;
        b->places[i].iov.iov_base = b->data + i * slot;
        b->places[i].iov.iov_len = room_of(b);
        header->msg_name = &b->run[i].peer.u;
        header->msg_iov = &b->places[i].iov;
        header->msg_iovlen = 1;
        header->msg_control = b->places[i].control.room;
        header->msg_flags = 0;
        renew(header, control);
    }
    return count;
}

static uint32_t true_length(const ls_Message *message, uint32_t room) {
    if (LS_HAVE_TRUE_LENGTH || !(message->msg_hdr.msg_flags & MSG_TRUNC)) return (uint32_t)message->msg_len;
    return room + 1;
}

/* How many bytes of a message that holds several datagrams are whole ones. */
static uint32_t whole(uint32_t length, uint32_t each, uint32_t room) {
    return length <= room ? length : room / each * each;
}

/* What a run is of so many bytes of a message, whose datagrams have that length. */
static void divide(ls_Run *run, uint32_t length, uint32_t each, uint32_t room) {
    uint32_t bytes = each && each < length ? whole(length, each, room) : 0;
    if (bytes > 0) {
        run->bytes = run->length = bytes; /* datagrams that had no room are lost, as on the way */
        run->segment = each;
        run->count = (bytes + each - 1) / each;
    } else { /* a single one, or the first alone, cut */
        run->length = each && each < length ? each : length;
        run->bytes = run->segment = run->length < room ? run->length : room;
        run->count = 1;
    }
}

/* The first bytes of a message have been taken one datagram at a time. */
static void pass_over(ls_Run *run, uint32_t taken) {
    uint32_t gone = run->segment ? taken / run->segment : 0;
    if (gone == 0 || gone >= run->count) return;
    run->offset += taken;
    run->bytes -= taken;
    run->length = run->bytes;
    run->count -= gone;
    if (run->segment > run->bytes) run->segment = run->bytes;
}

/* Makes runs of the next n messages, which have been received. */
static void take(ls_Batch *b, uint32_t n, uint32_t taken) {
    uint32_t room = room_of(b), i;
    for (i = b->runs; i < b->runs + n; i++) {
        ls_Run *run = &b->run[i];
        struct msghdr *header = &b->messages[i].msg_hdr;
        uint32_t each = header->msg_controllen ? (uint32_t)ls_part_length(header) : 0;
        run->offset = i * b->slot;
        divide(run, true_length(&b->messages[i], room), each, room);
        if (i == 0) pass_over(run, taken);
        run->start = b->count;
        run->peer.len = header->msg_namelen;
        run->peer.ifindex = 0;
        b->count += run->count;
        renew(header, b->control);
    }
    b->runs += n;
}

int ls_dgram_recv(ls_Batch *b, int fd, int how) {
    uint32_t places = prepare(b, how), taken = how == LS_DGRAM_PARTED ? (uint32_t)ls_part_taken(fd) : 0, most, n;
    const ls_Run *last;
    int err;
    ls_dgram_clear(b);
    do {
        most = places - b->runs < CALL ? places - b->runs : CALL;
        err = receive_messages(fd, b->messages + b->runs, most, &n);
        if (!err) take(b, n, taken);
    } while (!err && n == most && b->runs < places);
    if (b->runs == 0) {
        ls_part_failed(fd, taken, err);
        return err;
    }
    last = &b->run[b->runs - 1];
    b->end = last->offset + last->bytes;
    return 0;
}

/* ---- sending ---- */

/* A datagram by its run, and how many of the run stand before it. */
typedef struct Position {
    const ls_Run *run;
    uint32_t skip;
} Position;

typedef struct Chunk {
    ls_Message messages[CHUNK];
    uint32_t datagrams[CHUNK]; /* how many each message is made of */
    struct iovec pieces[PIECES];
    uint32_t count, used; /* messages, pieces */
    ls_Addr names[CHUNK]; /* of those whose own address does not suit the socket */
#if LS_HAVE_UDP_OFFLOAD
    union {
        size_t aligned;
        char room[CMSG_SPACE(sizeof(uint16_t))];
    } controls[CHUNK];
#endif
} Chunk;

/* Is it plain bytes for the peer, or the system to cut? */
static int is_plain(const struct msghdr *header) {
    return header->msg_iovlen == 1 && !header->msg_name && !header->msg_control;
}

static int send_one(int fd, const struct msghdr *header) {
    const struct iovec *piece = header->msg_iov;
    ssize_t sent;
    do {
        if (is_plain(header)) sent = ls_fd_sendonce(fd, piece->iov_base, piece->iov_len, NULL);
        else LS_FD_WITHOUT_SIGPIPE(sent, sendmsg(fd, header, LS_FD_SEND_FLAGS));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

/* One alone is cheaper by send or sendmsg. */
static int send_messages(int fd, ls_Message *messages, uint32_t count, uint32_t *n) {
#if LS_HAVE_MMSG
    if (count > 1) {
        ssize_t sent;
        do LS_FD_WITHOUT_SIGPIPE(sent, sendmmsg(fd, messages, count, LS_FD_SEND_FLAGS));
        while (sent < 0 && errno == EINTR);
        *n = (uint32_t)sent;
        return sent < 0 ? errno : 0;
    }
#endif
    for (*n = 0; *n < count; ++*n) {
        int err = send_one(fd, &messages[*n].msg_hdr);
        if (err) return *n ? 0 : err;
    }
    return 0;
}

/* Tells the kernel to cut this message in datagrams of that length; 0: not to, whatever the socket's option says. */
static void set_segment(Chunk *chunk, uint32_t length) {
#if LS_HAVE_UDP_OFFLOAD
    struct msghdr *header = &chunk->messages[chunk->count].msg_hdr;
    uint16_t value = (uint16_t)length;
    header->msg_control = &chunk->controls[chunk->count];
    ls_cmsg_put(header, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value);
#else
    (void)chunk;
    (void)length;
#endif
}

static int set_name(Chunk *chunk, const ls_Route *route, const ls_Addr *peer) {
    struct msghdr *header = &chunk->messages[chunk->count].msg_hdr;
    const ls_Addr *to = route->to ? route->to : peer;
    header->msg_name = NULL;
    header->msg_namelen = 0;
    if (!route->to && (route->connected || peer->len == 0)) return 0;
    if (to->u.sa.sa_family != route->family || ls_addr_haslostzone(to)) {
        ls_Addr *name = &chunk->names[chunk->count];
        int err;
        *name = *to;
        err = ls_addr_suit(name, route->family);
        if (err) return err;
        to = name;
    }
    header->msg_name = (void *)(uintptr_t)&to->u; /* msghdr has no const */
    header->msg_namelen = to->len;
    return 0;
}

/* May this run continue a message whose datagrams so far are as long as those of the first? */
static int continues(const ls_Run *run, const ls_Run *first, const ls_Route *route) {
    if (run->bytes == 0 || run->segment > first->segment) return 0;
    if (run->segment < first->segment && run->count > 1) return 0;
    return route->connected || route->to || same_peer(&run->peer, &first->peer);
}

/* Adds the datagrams of the next message to the pieces, at most so many; answers how many. */
static uint32_t gather(Chunk *chunk, const ls_Batch *b, Position *next, uint32_t most, const ls_Route *route) {
    const ls_Run *first = next->run;
    uint32_t taken = 0, bytes = 0;
    do {
        const ls_Run *run = next->run;
        struct iovec *piece = &chunk->pieces[chunk->used++];
        uint32_t skipped = next->skip * run->segment, n = run->count - next->skip, length = run->bytes - skipped;
        piece->iov_base = b->data + run->offset + skipped;
        if (n > most - taken) {
            n = most - taken;
            length = n * run->segment;
        }
        piece->iov_len = length;
        taken += n;
        bytes += length;
        next->skip += n;
        if (next->skip < run->count) break;
        next->run++;
        next->skip = 0;
        if (taken == most || bytes < taken * first->segment) break;
    } while (next->run < b->run + b->runs && chunk->used < PIECES && continues(next->run, first, route));
    return taken;
}

/* The most datagrams of a message that begins with this run. */
static uint32_t most_of(const ls_Run *run, uint32_t limit) {
    if (run->segment == 0 || run->segment > limit || run->segment > SEGMENTED) return 1;
    return SEGMENTED / run->segment < SEGMENTS ? SEGMENTED / run->segment : SEGMENTS;
}

/* Where the option is the length that is to be cut, the kernel need not be told. */
static int needs_segment(const ls_Route *route, const ls_Run *run, uint32_t n) {
    return route->segment && (n == 1 || run->segment != route->segment);
}

/* Makes messages ready from the first datagram that is left on. limit: 0 for one datagram a message. */
static int fill(Chunk *chunk, ls_Batch *b, const ls_Route *route, uint32_t limit) {
    Position next = { find(b, b->sent), 0 };
    next.skip = b->sent - next.run->start;
    chunk->count = chunk->used = 0;
    while (next.run < b->run + b->runs && chunk->count < CHUNK && chunk->used < PIECES) {
        struct msghdr *header = &chunk->messages[chunk->count].msg_hdr;
        const ls_Run *run = next.run;
        uint32_t n;
        int err = set_name(chunk, route, &run->peer);
        if (err) return chunk->count ? 0 : err;
        header->msg_iov = &chunk->pieces[chunk->used];
        n = gather(chunk, b, &next, most_of(run, limit), route);
        header->msg_iovlen = (unsigned short)(&chunk->pieces[chunk->used] - header->msg_iov); /* an int or a size_t */
        header->msg_control = NULL;
        header->msg_controllen = 0;
        header->msg_flags = 0;
        if (needs_segment(route, run, n)) set_segment(chunk, n > 1 ? run->segment : 0);
        chunk->datagrams[chunk->count++] = n;
    }
    return 0;
}

/* Is it the offload that failed, and not the datagrams? The path's MTU, a device without checksums, the buffer. */
static int is_refused(const Chunk *chunk, int err) {
    return chunk->count && chunk->datagrams[0] > 1 &&
           (err == EINVAL || err == EIO || err == EMSGSIZE || err == ENOBUFS);
}

int ls_dgram_send(ls_Batch *b, int fd, const ls_Route *route, size_t *sent) {
    Chunk chunk;
    uint32_t limit = route->segment, before = b->sent, i;
    int err = 0;
    while (b->sent < b->count) {
        uint32_t done = 0;
        err = fill(&chunk, b, route, limit);
        if (!err) err = send_messages(fd, chunk.messages, chunk.count, &done);
        if (is_refused(&chunk, err)) {
            limit = 0; /* each by itself, then */
            continue;
        }
        if (err) break;
        for (i = 0; i < done; i++) b->sent += chunk.datagrams[i];
        if (done < chunk.count) break;
    }
    *sent = b->sent - before;
    if (*sent) return 0;
    if (err && err != EAGAIN) b->sent++;
    return err;
}
