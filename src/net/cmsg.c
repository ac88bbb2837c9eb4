/* Control messages read and written, and the calls that carry them. Asking the kernel for them is left to options. */
#include "cmsg.h"

#include "fd.h"

#include <fcntl.h>
#if LS_HAVE_IP_RECVIF
#include <net/if_dl.h>
#endif
#include <stddef.h>
#include <string.h>
#include <time.h>
#if LS_HAVE_ERROR_QUEUE
#include <linux/errqueue.h>
#endif

/* ---- one by one ---- */

/* CMSG_NXTHDR does not look whether the first one fits, and differs between systems in what it does look at. */
int ls_cmsg_next(const struct msghdr *header, size_t *place, ls_Part *part) {
    const char *start = (const char *)header->msg_control + *place;
    size_t left = header->msg_controllen - *place, length, step;
    struct cmsghdr c;
    if (left < CMSG_LEN(0)) return 0;
    memcpy(&c, start, sizeof c);
    length = c.cmsg_len < left ? c.cmsg_len : left; /* some systems leave it as it was where they cut */
    if (length < CMSG_LEN(0)) return 0;
    part->level = c.cmsg_level;
    part->type = c.cmsg_type;
    part->data = start + CMSG_LEN(0);
    part->size = length - CMSG_LEN(0);
    step = CMSG_SPACE(part->size);
    *place += step < left ? step : left;
    return 1;
}

void ls_cmsg_put(struct msghdr *header, int level, int type, const void *data, size_t size) {
    char *start = (char *)header->msg_control + header->msg_controllen;
    struct cmsghdr c;
    memset(&c, 0, sizeof c);
    c.cmsg_level = level;
    c.cmsg_type = type;
    c.cmsg_len = (unsigned)CMSG_LEN(size);
    memset(start, 0, CMSG_SPACE(size));
    memcpy(start, &c, sizeof c);
    memcpy(start + CMSG_LEN(0), data, size);
    header->msg_controllen += (unsigned)CMSG_SPACE(size);
}

/* ---- the calls ---- */

#if LS_HAVE_CMSG_CLOEXEC
#define CLOSE_ON_EXEC MSG_CMSG_CLOEXEC
#else
#define CLOSE_ON_EXEC 0
#endif
#if LS_HAVE_ERROR_QUEUE
#define ERROR_QUEUE MSG_ERRQUEUE
#else
#define ERROR_QUEUE 0
#endif

/* *n is the true length of what was cut, or more than there was room for where the system does not tell it. */
static int receive(int fd, int how, struct msghdr *header, size_t *n) {
    size_t room = header->msg_iov->iov_len;
    int flags = CLOSE_ON_EXEC | (LS_HAVE_TRUE_LENGTH && how & LS_FD_DATAGRAM ? MSG_TRUNC : 0);
    ssize_t got;
    if (how & LS_CMSG_ERROR) flags |= ERROR_QUEUE;
    do got = recvmsg(fd, header, flags);
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno;
    *n = (size_t)got;
    if (header->msg_flags & MSG_TRUNC && *n <= room) *n = room + 1;
    return 0;
}

static int transmit(int fd, struct msghdr *header, size_t *n) {
    ssize_t sent;
    if (header->msg_controllen == 0) header->msg_control = NULL;
    do LS_FD_WITHOUT_SIGPIPE(sent, sendmsg(fd, header, LS_FD_SEND_FLAGS));
    while (sent < 0 && errno == EINTR);
    *n = (size_t)sent;
    return sent < 0 ? errno : 0;
}

static struct msghdr header_of(struct iovec *piece, void *control, size_t room) {
    struct msghdr header;
    memset(&header, 0, sizeof header);
    header.msg_iov = piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = (unsigned)room;
    return header;
}

/* ---- an envelope that came ---- */

typedef struct Reader {
    int level, type;
    size_t least; /* bytes that it must have */
    void (*read)(const ls_Part *part, ls_Envelope *e);
} Reader;

/* An int here, a byte there. */
static int number_of(const ls_Part *part) {
    int number;
    if (part->size < sizeof number) return *(const unsigned char *)part->data;
    memcpy(&number, part->data, sizeof number);
    return number;
}

static void set_interface(ls_Envelope *e, unsigned index) {
    e->has |= LS_HAS_INTERFACE;
    e->interface = index;
}

static ls_Addr *set_local(ls_Envelope *e, int family) {
    e->has |= LS_HAS_LOCAL;
    ls_addr_any(&e->local, family, 0);
    return &e->local;
}

#if LS_HAVE_IP_PKTINFO
static void read_pktinfo4(const ls_Part *part, ls_Envelope *e) {
    struct in_pktinfo info;
    memcpy(&info, part->data, sizeof info);
    set_local(e, AF_INET)->u.in4.sin_addr = info.ipi_addr;
    set_interface(e, (unsigned)info.ipi_ifindex);
}
#elif LS_HAVE_IP_SENDSRCADDR
static void read_destination4(const ls_Part *part, ls_Envelope *e) {
    memcpy(&set_local(e, AF_INET)->u.in4.sin_addr, part->data, sizeof(struct in_addr));
}
#endif

#if LS_HAVE_IP_RECVIF
/* As much of a sockaddr_dl as the system gives, which is more than the index. */
static void read_interface4(const ls_Part *part, ls_Envelope *e) {
    struct sockaddr_dl from;
    memset(&from, 0, sizeof from);
    memcpy(&from, part->data, part->size < sizeof from ? part->size : sizeof from);
    set_interface(e, from.sdl_index);
}
#endif

static void read_pktinfo6(const ls_Part *part, ls_Envelope *e) {
    struct in6_pktinfo info;
    const struct in6_addr *ip = &info.ipi6_addr;
    struct sockaddr_in6 *local = &set_local(e, AF_INET6)->u.in6;
    memcpy(&info, part->data, sizeof info);
    set_interface(e, (unsigned)info.ipi6_ifindex);
    local->sin6_addr = *ip;
    if (IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_MC_LINKLOCAL(ip)) local->sin6_scope_id = e->interface;
}

static void read_ttl(const ls_Part *part, ls_Envelope *e) {
    e->has |= LS_HAS_TTL;
    e->ttl = number_of(part);
}

static void read_tos(const ls_Part *part, ls_Envelope *e) {
    e->has |= LS_HAS_TOS;
    e->tos = number_of(part);
}

static void set_time(ls_Envelope *e, double seconds, double fraction) {
    e->has |= LS_HAS_TIME;
    e->time = seconds + fraction;
}

#ifdef SCM_TIMESTAMPNS
static void read_timespec(const ls_Part *part, ls_Envelope *e) {
    struct timespec time;
    memcpy(&time, part->data, sizeof time);
    set_time(e, (double)time.tv_sec, (double)time.tv_nsec / 1e9);
}
#endif

static void read_timeval(const ls_Part *part, ls_Envelope *e) {
    struct timeval time;
    memcpy(&time, part->data, sizeof time);
    set_time(e, (double)time.tv_sec, (double)time.tv_usec / 1e6);
}

#if LS_HAVE_UDP_OFFLOAD
static void read_segment(const ls_Part *part, ls_Envelope *e) {
    e->has |= LS_HAS_SEGMENT;
    e->segment = number_of(part);
}
#endif

#if LS_HAVE_UCRED
static void read_credentials(const ls_Part *part, ls_Envelope *e) {
    struct ucred sender;
    memcpy(&sender, part->data, sizeof sender);
    e->has |= LS_HAS_CREDENTIALS;
    e->credentials.pid = sender.pid;
    e->credentials.uid = sender.uid;
    e->credentials.gid = sender.gid;
}
#endif

#if LS_HAVE_ERROR_QUEUE
static int origin_of(int origin) {
    switch (origin) {
    case SO_EE_ORIGIN_LOCAL: return LS_ORIGIN_LOCAL;
    case SO_EE_ORIGIN_ICMP: return LS_ORIGIN_ICMP;
    case SO_EE_ORIGIN_ICMP6: return LS_ORIGIN_ICMP6;
    default: return LS_ORIGIN_OTHER;
    }
}

/* The address of whoever reported the error stands behind it. */
static void read_offender(const char *data, size_t size, ls_Addr *offender) {
    struct sockaddr sa;
    offender->len = 0;
    if (size < sizeof sa) return;
    memcpy(&sa, data, sizeof sa);
    if (sa.sa_family == AF_INET && size >= sizeof offender->u.in4) offender->len = sizeof offender->u.in4;
    else if (sa.sa_family == AF_INET6 && size >= sizeof offender->u.in6) offender->len = sizeof offender->u.in6;
    memcpy(&offender->u, data, offender->len);
}

static void read_report(const ls_Part *part, ls_Envelope *e) {
    struct sock_extended_err error;
    ls_Report *report = &e->report;
    memcpy(&error, part->data, sizeof error);
    e->has |= LS_HAS_REPORT;
    report->err = (int)error.ee_errno;
    report->origin = origin_of(error.ee_origin);
    report->type = error.ee_type;
    report->code = error.ee_code;
    report->mtu = report->err == EMSGSIZE ? error.ee_info : 0;
    read_offender(part->data + sizeof error, part->size - sizeof error, &report->offender);
}
#endif

/* Each system has some of these. */
static const Reader readers[] = {
#if LS_HAVE_IP_PKTINFO
    { IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo), read_pktinfo4 },
#elif LS_HAVE_IP_SENDSRCADDR
    { IPPROTO_IP, IP_RECVDSTADDR, sizeof(struct in_addr), read_destination4 },
#endif
#if LS_HAVE_IP_RECVIF
    { IPPROTO_IP, IP_RECVIF, offsetof(struct sockaddr_dl, sdl_data), read_interface4 },
#endif
    { IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo), read_pktinfo6 },
    { IPPROTO_IP, IP_TTL, 1, read_ttl },
    { IPPROTO_IP, IP_TOS, 1, read_tos },
#ifdef IP_RECVTTL
    { IPPROTO_IP, IP_RECVTTL, 1, read_ttl },
#endif
#ifdef IP_RECVTOS
    { IPPROTO_IP, IP_RECVTOS, 1, read_tos },
#endif
    { IPPROTO_IPV6, IPV6_HOPLIMIT, 1, read_ttl },
    { IPPROTO_IPV6, IPV6_TCLASS, 1, read_tos },
#ifdef SCM_TIMESTAMPNS
    { SOL_SOCKET, SCM_TIMESTAMPNS, sizeof(struct timespec), read_timespec },
#endif
    { SOL_SOCKET, SCM_TIMESTAMP, sizeof(struct timeval), read_timeval },
#if LS_HAVE_UDP_OFFLOAD
    { IPPROTO_UDP, UDP_GRO, 1, read_segment },
#endif
#if LS_HAVE_UCRED
    { SOL_SOCKET, SCM_CREDENTIALS, sizeof(struct ucred), read_credentials },
#endif
#if LS_HAVE_ERROR_QUEUE
    { IPPROTO_IP, IP_RECVERR, sizeof(struct sock_extended_err), read_report },
    { IPPROTO_IPV6, IPV6_RECVERR, sizeof(struct sock_extended_err), read_report },
#endif
};

enum { READERS = sizeof readers / sizeof readers[0] };

static int is_rights(const ls_Part *part) { return part->level == SOL_SOCKET && part->type == SCM_RIGHTS; }

/* It comes where SO_PASSPIDFD has been set by number. */
static int is_pidfd(const ls_Part *part) {
    const int scm_pidfd = 4;
    return LS_HAVE_PIDFD && part->level == SOL_SOCKET && part->type == scm_pidfd;
}

static size_t descriptors_in(const ls_Part *part) {
    return is_rights(part) || is_pidfd(part) ? part->size / sizeof(int) : 0;
}

static int descriptor_at(const ls_Part *part, size_t i) {
    int fd;
    memcpy(&fd, part->data + i * sizeof fd, sizeof fd);
    return fd;
}

static void read_part(const ls_Part *part, ls_Envelope *e) {
    size_t i;
    for (i = 0; i < descriptors_in(part); i++) {
        ls_fd_close(descriptor_at(part, i));
        e->lost = 1;
    }
    for (i = 0; i < READERS; i++)
        if (readers[i].level == part->level && readers[i].type == part->type && part->size >= readers[i].least)
            readers[i].read(part, e);
}

void ls_cmsg_read(const struct msghdr *header, ls_Envelope *e) {
    ls_Part part;
    size_t place = 0;
    e->has = 0;
    e->lost = (header->msg_flags & MSG_CTRUNC) != 0;
    while (ls_cmsg_next(header, &place, &part)) read_part(&part, e);
}

int ls_cmsg_recv(int fd, int how, void *data, size_t size, size_t *n, ls_Envelope *e) {
    union {
        struct cmsghdr header;
        char room[512]; /* all of the above together */
    } control;
    struct iovec piece = { data, size };
    struct msghdr header = header_of(&piece, &control, sizeof control);
    int err;
    if (how & LS_CMSG_ERROR && !LS_HAVE_ERROR_QUEUE) return EOPNOTSUPP;
    header.msg_name = &e->peer.u;
    header.msg_namelen = sizeof e->peer.u;
    err = receive(fd, how, &header, n);
    if (err) return err;
    e->peer.len = header.msg_namelen;
    e->peer.ifindex = 0;
    ls_cmsg_read(&header, e);
    /* An IPv6 socket may be told of IPv4 in IPv4's own way. */
    if (e->has & LS_HAS_LOCAL && ls_addr_family(&e->peer) == AF_INET6) ls_addr_suit(&e->local, AF_INET6);
    return 0;
}

/* ---- an envelope that goes ---- */

static void put_number(struct msghdr *header, int level, int type, int number) {
    ls_cmsg_put(header, level, type, &number, sizeof number);
}

static int is_mapped(const ls_Addr *addr) {
    return addr->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->u.in6.sin6_addr);
}

/* A datagram to ::ffff:a.b.c.d leaves an IPv6 socket as IPv4, and takes IPv4's control messages. */
static int version_of(int fd, int family, const ls_Addr *to) {
    ls_Addr peer = *to;
    if (family != AF_INET6 || (to->len == 0 && ls_fd_peer(fd, &peer) != 0)) return family;
    return is_mapped(&peer) ? AF_INET : AF_INET6;
}

/* 0.0.0.0 or :: where no address is given. */
static int find_source(const ls_Envelope *e, int version, ls_Addr *source) {
    ls_addr_any(source, version, 0);
    if (!(e->has & LS_HAS_LOCAL)) return 0;
    if (ls_addr_haslostzone(&e->local)) return EINVAL;
    if (version == AF_INET && is_mapped(&e->local)) {
        memcpy(&source->u.in4.sin_addr, &e->local.u.in6.sin6_addr.s6_addr[12], 4);
        return 0;
    }
    *source = e->local;
    return source->u.sa.sa_family == version && !is_mapped(source) ? 0 : EAFNOSUPPORT;
}

static int put_source4(struct msghdr *header, const ls_Addr *source, unsigned interface) {
#if LS_HAVE_IP_PKTINFO
    struct in_pktinfo info;
    if (!LS_HAVE_PKTINFO_OF_BOTH && interface && source->u.in4.sin_addr.s_addr != INADDR_ANY) return ENOPROTOOPT;
    memset(&info, 0, sizeof info);
    info.ipi_spec_dst = source->u.in4.sin_addr;
    memcpy(&info.ipi_ifindex, &interface, sizeof info.ipi_ifindex); /* an int, or unsigned */
    ls_cmsg_put(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    return 0;
#elif LS_HAVE_IP_SENDSRCADDR
    if (interface) return ENOPROTOOPT;
    ls_cmsg_put(header, IPPROTO_IP, IP_SENDSRCADDR, &source->u.in4.sin_addr, sizeof source->u.in4.sin_addr);
    return 0;
#else
    (void)header;
    (void)source;
    (void)interface;
    return ENOPROTOOPT;
#endif
}

static int put_source6(struct msghdr *header, const ls_Addr *source, unsigned interface) {
    struct in6_pktinfo info;
    unsigned zone = source->u.in6.sin6_scope_id;
    if (interface && zone && interface != zone) return EINVAL;
    memset(&info, 0, sizeof info);
    info.ipi6_addr = source->u.in6.sin6_addr;
    info.ipi6_ifindex = interface ? interface : zone;
    ls_cmsg_put(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    return 0;
}

static int put_source(struct msghdr *header, int version, const ls_Envelope *e) {
    unsigned interface = e->has & LS_HAS_INTERFACE ? e->interface : 0;
    ls_Addr source;
    int err = find_source(e, version, &source);
    if (err) return err;
    return version == AF_INET ? put_source4(header, &source, interface) : put_source6(header, &source, interface);
}

static int put_ttl_and_tos(struct msghdr *header, int version, const ls_Envelope *e) {
    int ipv4 = version == AF_INET, level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (ipv4 && !LS_HAVE_IP_TTL_CONTROL) return ENOPROTOOPT;
    if (e->has & LS_HAS_TTL) put_number(header, level, ipv4 ? IP_TTL : IPV6_HOPLIMIT, e->ttl);
    if (e->has & LS_HAS_TOS) put_number(header, level, ipv4 ? IP_TOS : IPV6_TCLASS, e->tos);
    return 0;
}

static int put_segment(struct msghdr *header, const ls_Envelope *e) {
#if LS_HAVE_UDP_OFFLOAD
    uint16_t length = (uint16_t)e->segment;
    ls_cmsg_put(header, IPPROTO_UDP, UDP_SEGMENT, &length, sizeof length);
    return 0;
#else
    (void)header;
    (void)e;
    return ENOPROTOOPT;
#endif
}

static int put_all(struct msghdr *header, int version, const ls_Envelope *e) {
    int err = 0;
    if (e->has & (LS_HAS_LOCAL | LS_HAS_INTERFACE)) err = put_source(header, version, e);
    if (!err && e->has & (LS_HAS_TTL | LS_HAS_TOS)) err = put_ttl_and_tos(header, version, e);
    if (!err && e->has & LS_HAS_SEGMENT) err = put_segment(header, e);
    return err;
}

int ls_cmsg_send(int fd, int family, const void *data, size_t size, const ls_Envelope *e, size_t *n) {
    union {
        struct cmsghdr header;
        char room[256]; /* all of the above together */
    } control;
    struct iovec piece = { (void *)(uintptr_t)data, size }; /* which sendmsg(2) only reads */
    struct msghdr header = header_of(&piece, &control, 0);
    ls_Addr to = e->peer;
    int err = to.len ? ls_addr_suit(&to, family) : 0;
    if (!err && e->has) err = put_all(&header, version_of(fd, family, &to), e);
    if (err) return err;
    if (to.len) {
        header.msg_name = &to.u;
        header.msg_namelen = to.len;
    }
    return transmit(fd, &header, n);
}

/* ---- descriptors ---- */

/* Aligned as a control message is, with room for as many as there can be and for the sender's credentials. */
typedef union Rights {
    struct cmsghdr header;
    char room[CMSG_SPACE(LS_CMSG_DESCRIPTORS * sizeof(int)) + 64];
} Rights;

int ls_cmsg_sendfds(int fd, const void *data, size_t size, const int *fds, size_t count, size_t *n) {
    Rights control;
    struct iovec piece = { (void *)(uintptr_t)data, size };
    struct msghdr header = header_of(&piece, &control, 0);
    if (count > 0) ls_cmsg_put(&header, SOL_SOCKET, SCM_RIGHTS, fds, count * sizeof *fds);
    return transmit(fd, &header, n);
}

static void deliver(ls_Delivery *d, int fd, size_t most) {
    if (d->count >= most) {
        ls_fd_close(fd);
        d->surplus++;
        return;
    }
    if (!CLOSE_ON_EXEC) fcntl(fd, F_SETFD, FD_CLOEXEC);
    d->fds[d->count++] = fd;
}

int ls_cmsg_recvfds(int fd, int how, void *data, size_t size, size_t most, size_t *n, ls_Delivery *d) {
    Rights control;
    struct iovec piece = { data, size };
    struct msghdr header = header_of(&piece, &control, sizeof control);
    ls_Part part;
    size_t place = 0, i;
    int err = receive(fd, how, &header, n);
    if (err) return err;
    d->count = d->surplus = 0;
    d->lost = (header.msg_flags & MSG_CTRUNC) != 0;
    while (ls_cmsg_next(&header, &place, &part))
        for (i = 0; i < descriptors_in(&part); i++) deliver(d, descriptor_at(&part, i), is_rights(&part) ? most : 0);
    return 0;
}
