/* Datagrams: one a call, many a call, and many as one (segmentation and coalescing). */
#include "cref.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST = 64 /* datagrams a call */, LARGEST = 65536 /* bytes of all of them */ };

/* ---- preparing ---- */

static void set_room(int fd, int force, int usual) {
    int size = 2 << 20;
    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, usual, &size, sizeof size);
}

/* cref.udp_room(fd): gives a socket room for more datagrams; as much as the system allows */
static int cref_udp_room(lua_State *L) {
    int fd = cref_int(L, 1);
    set_room(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_room(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    return 0;
}

/* cref.udp_offload(from, to, segment): switches segmentation on and coalescing */
static int cref_udp_offload(lua_State *L) {
    int segment = cref_int(L, 3), on = 1;
    if (setsockopt(cref_int(L, 1), SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0 ||
        setsockopt(cref_int(L, 2), SOL_UDP, UDP_GRO, &on, sizeof on) < 0)
        return cref_fail(L, "setsockopt");
    return 0;
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* cref.udp_fill(fd, count, size, seed, burst): sends datagrams that nobody has seen before, burst of them in one piece,
   for the socket to cut */
static int cref_udp_fill(lua_State *L) {
    char data[LARGEST];
    int fd = cref_int(L, 1), count = cref_int(L, 2), burst = cref_int(L, 5), i;
    size_t bytes = (size_t)cref_int(L, 3) * (size_t)burst, at;
    uint64_t state = 0x9e3779b97f4a7c15u * (uint64_t)(cref_int(L, 4) + 1);
    luaL_argcheck(L, bytes <= LARGEST, 5, "too large");
    for (i = 0; i < count; i += burst) {
        for (at = 0; at + 8 <= bytes; at += 8) {
            uint64_t word = next_random(&state);
            memcpy(data + at, &word, 8);
        }
        if (send(fd, data, bytes, 0) != (ssize_t)bytes) return cref_fail(L, "send");
    }
    return 0;
}

/* cref.udp_drain(fd) -> bytes: takes all that waits; how much that was */
static int cref_udp_drain(lua_State *L) {
    char data[LARGEST];
    int fd = cref_int(L, 1);
    ssize_t n;
    size_t total = 0;
    while ((n = recv(fd, data, sizeof data, MSG_DONTWAIT)) >= 0) total += (size_t)n;
    lua_pushnumber(L, (lua_Number)total);
    return 1;
}

/* ---- one a call ---- */

typedef struct Exchange {
    int from, to, rounds;
    const char *messages, *end; /* one behind the other; from the end it goes on with the first */
    size_t size;
    int batch; /* so many are sent, and then so many received */
} Exchange;

/* The arguments from, to, rounds, messages, size, batch. */
static Exchange check_exchange(lua_State *L) {
    Exchange e = { cref_int(L, 1), cref_int(L, 2), cref_int(L, 3), NULL, NULL, (size_t)cref_int(L, 5), 0 };
    size_t len;
    e.messages = luaL_checklstring(L, 4, &len);
    e.end = e.messages + len;
    e.batch = cref_int(L, 6);
    luaL_argcheck(L, e.batch <= MOST && (size_t)e.batch * e.size <= (len < LARGEST ? len : LARGEST), 6, "too large");
    return e;
}

static const char *after(const Exchange *e, const char *at, size_t bytes) {
    return at + 2 * bytes > e->end ? e->messages : at + bytes;
}

/* Inlined into each caller with its ends: NULL where it does not name the peer, or does not ask for it. */
static inline __attribute__((always_inline)) int exchange(lua_State *L, const struct sockaddr_in *peer, int ask) {
    char data[LARGEST];
    Exchange e = check_exchange(L);
    const char *at = e.messages;
    struct sockaddr_storage source;
    socklen_t len;
    int i, k;
    for (i = 0; i < e.rounds; i += e.batch) {
        for (k = 0; k < e.batch; k++, at = after(&e, at, e.size)) {
            ssize_t n = peer ? sendto(e.from, at, e.size, 0, (const struct sockaddr *)peer, sizeof *peer)
                             : send(e.from, at, e.size, 0);
            if (n != (ssize_t)e.size) return cref_fail(L, "send");
        }
        for (k = 0; k < e.batch; k++) {
            len = sizeof source;
            if (recvfrom(e.to, data, sizeof data, 0, ask ? (struct sockaddr *)&source : NULL, ask ? &len : NULL) < 0)
                return cref_fail(L, "recv");
        }
    }
    return 0;
}

/* cref.udp_exchange(from, to, rounds, messages, size, batch) */
static int cref_udp_exchange(lua_State *L) {
    return exchange(L, NULL, 0);
}

/* cref.udp_exchange_from(from, to, rounds, messages, size, batch): asks where they come from */
static int cref_udp_exchange_from(lua_State *L) {
    return exchange(L, NULL, 1);
}

/* cref.udp_exchange_to(from, to, rounds, messages, size, batch, port): says where they go, to a port of loopback */
static int cref_udp_exchange_to(lua_State *L) {
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    peer.sin_port = htons((uint16_t)cref_int(L, 7));
    return exchange(L, &peer, 0);
}

/* ---- many a call ---- */

typedef struct Batch {
    struct mmsghdr message[MOST];
    struct iovec piece[MOST];
    struct sockaddr_storage peer[MOST];
} Batch;

/* A batch of datagrams of this size that lie one behind the other. */
static void prepare(Batch *b, const char *data, size_t size, int count) {
    int i;
    memset(b->message, 0, (size_t)count * sizeof *b->message);
    for (i = 0; i < count; i++) {
        b->piece[i].iov_base = (char *)data + (size_t)i * size;
        b->piece[i].iov_len = size;
        b->message[i].msg_hdr.msg_iov = &b->piece[i];
        b->message[i].msg_hdr.msg_iovlen = 1;
    }
}

static int receive(Batch *b, int fd, size_t size, int count) {
    int i;
    for (i = 0; i < count; i++) {
        b->piece[i].iov_len = size;
        b->message[i].msg_hdr.msg_name = &b->peer[i];
        b->message[i].msg_hdr.msg_namelen = sizeof b->peer[i];
    }
    return recvmmsg(fd, b->message, (unsigned)count, 0, NULL);
}

/* Sends what was received to the peer that a socket is connected to. */
static int pass_on(Batch *b, int fd, int count) {
    int i;
    for (i = 0; i < count; i++) {
        b->piece[i].iov_len = b->message[i].msg_len;
        b->message[i].msg_hdr.msg_name = NULL;
        b->message[i].msg_hdr.msg_namelen = 0;
    }
    return sendmmsg(fd, b->message, (unsigned)count, 0);
}

/* cref.udp_many(from, to, rounds, messages, size, batch): sendmmsg, recvmmsg */
static int cref_udp_many(lua_State *L) {
    char data[LARGEST];
    Exchange e = check_exchange(L);
    size_t bytes = e.size * (size_t)e.batch;
    Batch out, in;
    const char *at = e.messages;
    int i;
    prepare(&in, data, e.size, e.batch);
    for (i = 0; i < e.rounds; i += e.batch, at = after(&e, at, bytes)) {
        prepare(&out, at, e.size, e.batch);
        if (sendmmsg(e.from, out.message, (unsigned)e.batch, 0) != e.batch) return cref_fail(L, "sendmmsg");
        if (receive(&in, e.to, e.size, e.batch) != e.batch) return cref_fail(L, "recvmmsg");
    }
    return 0;
}

/* cref.udp_receive(fd, rounds, size, batch): recvmmsg alone */
static int cref_udp_receive(lua_State *L) {
    char data[LARGEST];
    int fd = cref_int(L, 1), rounds = cref_int(L, 2), size = cref_int(L, 3), batch = cref_int(L, 4), i;
    Batch b;
    luaL_argcheck(L, batch <= MOST && batch * size <= LARGEST, 4, "too large");
    prepare(&b, data, (size_t)size, batch);
    for (i = 0; i < rounds; i += batch)
        if (receive(&b, fd, (size_t)size, batch) != batch) return cref_fail(L, "recvmmsg");
    return 0;
}

/* cref.udp_relay(from, to, rounds, size, batch): recvmmsg here, sendmmsg there */
static int cref_udp_relay(lua_State *L) {
    char data[LARGEST];
    int from = cref_int(L, 1), to = cref_int(L, 2), rounds = cref_int(L, 3), size = cref_int(L, 4);
    int batch = cref_int(L, 5), i;
    Batch b;
    luaL_argcheck(L, batch <= MOST && batch * size <= LARGEST, 5, "too large");
    prepare(&b, data, (size_t)size, batch);
    for (i = 0; i < rounds; i += batch) {
        if (receive(&b, from, (size_t)size, batch) != batch) return cref_fail(L, "recvmmsg");
        if (pass_on(&b, to, batch) != batch) return cref_fail(L, "sendmmsg");
    }
    return 0;
}

/* ---- many as one ---- */

/* Receives what has been coalesced, and counts the datagrams in it. */
static int receive_coalesced(int fd, char *data) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec piece = { data, LARGEST };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control };
    ssize_t n = recvmsg(fd, &message, 0);
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    int segment;
    if (n <= 0) return -1;
    if (!c || c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) return 1;
    memcpy(&segment, CMSG_DATA(c), sizeof segment);
    return (int)((n + segment - 1) / segment);
}

/* cref.udp_segments(from, to, rounds, messages, size, batch): the sockets have had udp_offload */
static int cref_udp_segments(lua_State *L) {
    char data[LARGEST];
    Exchange e = check_exchange(L);
    size_t bytes = e.size * (size_t)e.batch;
    const char *at = e.messages;
    int i, got, n;
    for (i = 0; i < e.rounds; i += e.batch, at = after(&e, at, bytes)) {
        if (send(e.from, at, bytes, 0) != (ssize_t)bytes) return cref_fail(L, "send");
        for (got = 0; got < e.batch; got += n) {
            n = receive_coalesced(e.to, data);
            if (n < 0) return cref_fail(L, "recvmsg");
        }
    }
    return 0;
}

const luaL_Reg cref_udp[] = {
    { "udp_room", cref_udp_room },
    { "udp_offload", cref_udp_offload },
    { "udp_fill", cref_udp_fill },
    { "udp_drain", cref_udp_drain },
    { "udp_exchange", cref_udp_exchange },
    { "udp_exchange_from", cref_udp_exchange_from },
    { "udp_exchange_to", cref_udp_exchange_to },
    { "udp_many", cref_udp_many },
    { "udp_receive", cref_udp_receive },
    { "udp_relay", cref_udp_relay },
    { "udp_segments", cref_udp_segments },
    { NULL, NULL },
};
