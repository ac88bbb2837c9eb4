/* Control messages: arbitrary memory read, against a walk of our own; what was written read again; descriptors sent and
   received, none of them lost and none closed twice; envelopes sent to oneself. */
#include "fuzz.h"
#include "net/cmsg.h"
#include "net/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 8, PARTS = 600 };

static int sockets[2]; /* UDP, of both families, each bound to a port of its own */
static ls_Addr addresses[2];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const int families[] = { AF_INET, AF_INET6 };
    static const char *const texts[] = { "127.0.0.1", "::1" };
    int i;
    (void)argc;
    (void)argv;
    for (i = 0; i < 2; i++) {
        fuzz_require(ls_addr_parse(texts[i], strlen(texts[i]), 0, &addresses[i]) == 0 &&
                     ls_fd_socket(families[i], SOCK_DGRAM, &sockets[i]) == 0 &&
                     ls_fd_bind(sockets[i], &addresses[i]) == 0 && ls_fd_local(sockets[i], &addresses[i]) == 0,
                     "there are sockets");
    }
    ls_fd_setint(sockets[0], IPPROTO_IP, IP_PKTINFO, 1);
    ls_fd_setint(sockets[0], IPPROTO_IP, IP_RECVTTL, 1);
    ls_fd_setint(sockets[0], IPPROTO_IP, IP_RECVTOS, 1);
    ls_fd_setint(sockets[1], IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    ls_fd_setint(sockets[1], IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    ls_fd_setint(sockets[1], IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    return 0;
}

/* ---- reading ---- */

typedef struct Place {
    size_t start, size; /* of the data */
    int level, type;
} Place;

/* What is in the memory, by the rules of cmsg(3): a length, a level, a type, then data, all aligned. */
static size_t walk(const char *memory, size_t size, Place places[PARTS]) {
    size_t at = 0, count = 0;
    while (count < PARTS && size - at >= sizeof(struct cmsghdr)) {
        struct cmsghdr header;
        size_t length;
        memcpy(&header, memory + at, sizeof header);
        length = header.cmsg_len > size - at ? size - at : header.cmsg_len;
        if (length < sizeof header) break;
        places[count].start = at + sizeof header;
        places[count].size = length - sizeof header;
        places[count].level = header.cmsg_level;
        places[count++].type = header.cmsg_type;
        length = (length + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1);
        at = length > size - at ? size : at + length;
    }
    return count;
}

/* The other kind is SCM_PIDFD, which older headers do not name. */
static int has_descriptors(const Place *place) {
    return place->level == SOL_SOCKET && (place->type == SCM_RIGHTS || (LS_HAVE_PIDFD && place->type == 4));
}

/* Puts descriptors of ours in the place of those that the input made up; -1 for those that are too many. */
static size_t arm(char *memory, const Place *places, size_t count, int fds[MOST], int *lost) {
    size_t made = 0, i, at;
    *lost = 0;
    for (i = 0; i < count; i++) {
        if (!has_descriptors(&places[i])) continue;
        for (at = 0; at + sizeof(int) <= places[i].size; at += sizeof(int)) {
            int fd = made < MOST ? fds[made++] = open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
            memcpy(memory + places[i].start + at, &fd, sizeof fd);
            *lost = 1;
        }
    }
    return made;
}

static void check_parts(const struct msghdr *header, const Place *places, size_t count) {
    size_t at = 0, i;
    ls_Part part;
    for (i = 0; ls_cmsg_next(header, &at, &part); i++) {
        fuzz_require(i < count, "there are as many messages");
        fuzz_require(part.level == places[i].level && part.type == places[i].type, "of the same kinds");
        fuzz_require(part.data == (const char *)header->msg_control + places[i].start, "in the same places");
        fuzz_require(part.size == places[i].size, "of the same sizes");
    }
    fuzz_require(i == count, "and none is missing");
}

static void read_any(Input *in) {
    int fds[MOST], lost, flags = (int)fuzz_byte(in) & 1 ? MSG_CTRUNC : 0;
    size_t size = in->left, count, made, i;
    char *memory = malloc(size);
    Place *places = malloc(PARTS * sizeof *places);
    struct msghdr header;
    ls_Envelope e;
    if (size) memcpy(memory, in->data, size);
    in->left = 0;
    count = walk(memory, size, places);
    made = arm(memory, places, count, fds, &lost);
    memset(&header, 0, sizeof header);
    header.msg_control = memory;
    header.msg_controllen = size;
    header.msg_flags = flags;
    check_parts(&header, places, count);
    ls_cmsg_read(&header, &e);
    fuzz_require(e.lost == (lost || flags), "it tells that something was lost");
    for (i = 0; i < made; i++) fuzz_require(!ls_fd_isopen(fds[i]), "descriptors that nobody wants are closed");
    if (e.has & LS_HAS_REPORT) fuzz_require(e.report.offender.len <= sizeof e.report.offender.u, "it is an address");
    free(memory);
    free(places);
}

/* ---- writing ---- */

static void write_and_read(Input *in) {
    char memory[4096] = { 0 }, *exact;
    struct msghdr header;
    Place *places = malloc(PARTS * sizeof *places);
    size_t count = 0, size;
    memset(&header, 0, sizeof header);
    header.msg_control = memory;
    while (in->left > 0 && count < PARTS) {
        int level = (int)fuzz_byte(in), type = (int)fuzz_byte(in);
        const char *data = fuzz_bytes(in, 255, &size);
        if (header.msg_controllen + CMSG_SPACE(size) > sizeof memory) break;
        places[count].level = level;
        places[count].type = type;
        places[count].start = header.msg_controllen + CMSG_LEN(0);
        places[count].size = size;
        ls_cmsg_put(&header, level, type, data, size);
        fuzz_require(memcmp(memory + places[count++].start, data, size) == 0, "the data is where it belongs");
    }
    exact = malloc(header.msg_controllen);
    if (header.msg_controllen) memcpy(exact, memory, header.msg_controllen);
    header.msg_control = exact;
    check_parts(&header, places, count);
    free(exact);
    free(places);
}

/* ---- descriptors ---- */

static void check_delivery(ls_Delivery *d, size_t count, size_t most) {
    size_t i;
    fuzz_require(d->count == (count < most ? count : most), "as many as were wanted");
    fuzz_require(d->surplus == count - d->count && !d->lost, "the others are counted");
    for (i = 0; i < d->count; i++) {
        int flags = fcntl(d->fds[i], F_GETFD);
        fuzz_require(flags >= 0 && flags & FD_CLOEXEC, "they are open, and close-on-exec");
        close(d->fds[i]);
    }
}

static void pass(Input *in) {
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    int pair[2], fds[LS_CMSG_DESCRIPTORS], type = types[fuzz_byte(in) % 3], as_message = (int)fuzz_byte(in) & 1;
    size_t count = fuzz_byte(in) % (LS_CMSG_DESCRIPTORS + 1), most = fuzz_byte(in), size, room = fuzz_byte(in), n, i;
    const char *data = fuzz_bytes(in, 255, &size);
    char *received = malloc(room + 1);
    ls_Delivery d;
    ls_Envelope e;
    int how = type == SOCK_STREAM ? 0 : LS_FD_DATAGRAM, err;
    fuzz_require(ls_fd_pair(type, pair) == 0, "there are sockets");
    if (most > LS_CMSG_DESCRIPTORS) most = LS_CMSG_DESCRIPTORS;
    for (i = 0; i < count; i++) fds[i] = pair[i & 1];
    if ((size > 0 || type != SOCK_STREAM) && ls_cmsg_sendfds(pair[0], data, size, fds, count, &n) == 0) {
        fuzz_require(n == size, "all is sent");
        err = as_message ? ls_cmsg_recv(pair[1], how, received, room, &n, &e)
                         : ls_cmsg_recvfds(pair[1], how, received, room, most, &n, &d);
        if (room > 0 || type != SOCK_STREAM) {
            fuzz_require(err == 0, "it is received");
            fuzz_require(n == (how || size < room ? size : room) || n == room + 1, "with its length");
            fuzz_require(memcmp(received, data, size < room ? size : room) == 0, "and its bytes");
        }
        if (!err && as_message) fuzz_require(!e.lost == (count == 0) || room == 0, "it tells of descriptors");
        if (!err && !as_message) check_delivery(&d, d.count + d.surplus == 0 && room == 0 ? 0 : count, most);
    }
    ls_fd_close(pair[0]);
    ls_fd_close(pair[1]);
    free(received);
}

/* ---- envelopes ---- */

static void choose_addr(Input *in, ls_Addr *addr) {
    static const char *const texts[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::11%veth0", "10.11.0.1",
                                         "224.0.0.5%lo", "/tmp/x", "::" };
    const char *text = texts[fuzz_byte(in) % 8];
    if (ls_addr_parse(text, strlen(text), 0, addr) != 0) addr->len = 0;
}

static void drain(int fd) {
    char data[16];
    ls_Envelope e;
    size_t n;
    while (ls_cmsg_recv(fd, LS_FD_DATAGRAM, data, sizeof data, &n, &e) == 0) continue;
}

static void send_envelope(Input *in) {
    int which = (int)fuzz_byte(in) & 1, family = which ? AF_INET6 : AF_INET;
    ls_Envelope e, back;
    size_t size, n, room;
    char received[300];
    const char *data = fuzz_bytes(in, 255, &size);
    memset(&e, 0, sizeof e);
    e.has = fuzz_byte(in);
    e.peer = addresses[which];
    if (fuzz_byte(in) % 4 == 0) choose_addr(in, &e.peer);
    choose_addr(in, &e.local);
    if (e.local.len == 0) e.has &= ~(unsigned)LS_HAS_LOCAL;
    e.interface = fuzz_byte(in) % 8;
    e.ttl = (int)fuzz_byte(in);
    e.tos = (int)fuzz_byte(in);
    e.segment = (int)(fuzz_number(in) & 0xffff);
    room = fuzz_byte(in);
    if (ls_cmsg_send(sockets[which], family, data, size, &e, &n) != 0) return;
    fuzz_require(n == size, "all is sent");
    if (ls_cmsg_recv(sockets[which], LS_FD_DATAGRAM, received, room, &n, &back) == 0 && !(e.has & LS_HAS_SEGMENT)) {
        fuzz_require(n > room ? size > room : n == size, "all is received, or it is told that not");
        fuzz_require(memcmp(received, data, n < room ? n : room) == 0, "and is what was sent");
        fuzz_require(back.has & LS_HAS_LOCAL && back.has & LS_HAS_INTERFACE && !back.lost, "with where it went");
        if (e.has & LS_HAS_TTL && e.ttl > 0) fuzz_require(back.has & LS_HAS_TTL && back.ttl == e.ttl, "its ttl");
        if (e.has & LS_HAS_TOS) fuzz_require(back.has & LS_HAS_TOS && back.tos == e.tos, "and its tos");
    }
    drain(sockets[which]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const operations[])(Input *) = { read_any, write_and_read, pass, send_envelope };
    Input in = { data, size };
    int descriptors = fuzz_descriptors();
    operations[fuzz_byte(&in) % 4](&in);
    fuzz_require_descriptors(descriptors);
    return 0;
}
