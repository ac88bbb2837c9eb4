/* The fields of struct tcp_info, found by their place: the kernel only ever adds to its end, and headers are often older
   than the kernel. */
#include "tcpinfo.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

typedef struct Field {
    const char *name;
    unsigned char bits; /* 8 to 64: an integer at a place that its size divides */
} Field;

static const Field fields[] = {
    { "state", 8 },           { "ca_state", 8 },       { "retransmits", 8 },
    { "probes", 8 },          { "backoff", 8 },        { "options", 8 },
    { NULL, 8 },              { NULL, 8 }, /* parts of bytes: window scales and flags */
    { "rto", 32 },            { "ato", 32 },           { "snd_mss", 32 },
    { "rcv_mss", 32 },        { "unacked", 32 },       { "sacked", 32 },
    { "lost", 32 },           { "retrans", 32 },       { "fackets", 32 },
    { "last_data_sent", 32 }, { "last_ack_sent", 32 }, { "last_data_recv", 32 },
    { "last_ack_recv", 32 },  { "pmtu", 32 },          { "rcv_ssthresh", 32 },
    { "rtt", 32 },            { "rttvar", 32 },        { "snd_ssthresh", 32 },
    { "snd_cwnd", 32 },       { "advmss", 32 },        { "reordering", 32 },
    { "rcv_rtt", 32 },        { "rcv_space", 32 },     { "total_retrans", 32 },
    { "pacing_rate", 64 },    { "max_pacing_rate", 64 }, { "bytes_acked", 64 },
    { "bytes_received", 64 }, { "segs_out", 32 },      { "segs_in", 32 },
    { "notsent_bytes", 32 },  { "min_rtt", 32 },       { "data_segs_in", 32 },
    { "data_segs_out", 32 },  { "delivery_rate", 64 }, { "busy_time", 64 },
    { "rwnd_limited", 64 },   { "sndbuf_limited", 64 }, { "delivered", 32 },
    { "delivered_ce", 32 },   { "bytes_sent", 64 },    { "bytes_retrans", 64 },
    { "dsack_dups", 32 },     { "reord_seen", 32 },    { "rcv_ooopack", 32 },
    { "snd_wnd", 32 },        { "rcv_wnd", 32 },       { "rehash", 32 },
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

int ls_tcpinfo_get(int fd, ls_TcpInfo *info) {
#if LS_HAVE_TCP_INFO
    socklen_t len = sizeof info->bytes;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info->bytes, &len) < 0) return errno;
    info->len = len;
    return 0;
#else
    (void)fd, (void)info;
    return ENOPROTOOPT;
#endif
}

static uint64_t read_integer(const unsigned char *bytes, unsigned bits) {
    uint64_t wide;
    uint32_t narrow;
    if (bits == 8) return *bytes;
    if (bits == 32) return memcpy(&narrow, bytes, sizeof narrow), narrow;
    return memcpy(&wide, bytes, sizeof wide), wide;
}

const char *ls_tcpinfo_field(const ls_TcpInfo *info, size_t number, uint64_t *value) {
    size_t i, at = 0, named = 0;
    for (i = 0; i < FIELDS; at += fields[i].bits / 8u, i++) {
        if (!fields[i].name || named++ < number) continue;
        if (at + fields[i].bits / 8u > info->len) return NULL;
        *value = read_integer(info->bytes + at, fields[i].bits);
        return fields[i].name;
    }
    return NULL;
}
