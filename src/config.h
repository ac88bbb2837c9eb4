/* What this platform has. The only file that names operating systems; every other file asks for an LS_HAVE_ name.
   Include it first: it also asks the C library for its extensions. Each name can be given on the command line. */
#ifndef LS_CONFIG_H
#define LS_CONFIG_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE 1
#define __APPLE_USE_RFC_3542 1
#elif defined(__NetBSD__) && !defined(_NETBSD_SOURCE)
#define _NETBSD_SOURCE 1
#endif

/* Places in files have 64 bits on every machine, and so has the time, where the C library can have it so. */
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#if _FILE_OFFSET_BITS == 64 && !defined(_TIME_BITS)
#define _TIME_BITS 64
#endif

/* For what every send and recv passes through: a call saved is worth having there. */
#define LS_HOT static inline __attribute__((always_inline))
#define LS_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* A function that Lua finds in the module. */
#ifdef _WIN32
#define LS_EXPORT __declspec(dllexport)
#else
#define LS_EXPORT __attribute__((visibility("default")))
#endif

#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

/* accept4(2): the flags of a new connection in one call. */
#ifndef LS_HAVE_ACCEPT4
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#define LS_HAVE_ACCEPT4 1
#else
#define LS_HAVE_ACCEPT4 0
#endif
#endif

/* SOCK_CLOEXEC and SOCK_NONBLOCK in the type of socket(2). */
#ifndef LS_HAVE_SOCK_FLAGS
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
#define LS_HAVE_SOCK_FLAGS 1
#else
#define LS_HAVE_SOCK_FLAGS 0
#endif
#endif

/* A write to a closed connection must not raise SIGPIPE: MSG_NOSIGNAL in the call, or SO_NOSIGPIPE on the socket.
   Where neither is, the signal is held back for the length of the call. */
#ifndef LS_HAVE_MSG_NOSIGNAL
#ifdef MSG_NOSIGNAL
#define LS_HAVE_MSG_NOSIGNAL 1
#else
#define LS_HAVE_MSG_NOSIGNAL 0
#endif
#endif

#ifndef LS_HAVE_SO_NOSIGPIPE
#ifdef SO_NOSIGPIPE
#define LS_HAVE_SO_NOSIGPIPE 1
#else
#define LS_HAVE_SO_NOSIGPIPE 0
#endif
#endif

/* sendfile(2) from a file to a socket, as Linux has it; others have calls of that name which differ. */
#ifndef LS_HAVE_SENDFILE
#if defined(__linux__)
#define LS_HAVE_SENDFILE 1
#else
#define LS_HAVE_SENDFILE 0
#endif
#endif

/* recv(2) with MSG_TRUNC tells how long a datagram was that did not fit. */
#ifndef LS_HAVE_TRUE_LENGTH
#if defined(__linux__) || (defined(__FreeBSD__) && __FreeBSD__ >= 14)
#define LS_HAVE_TRUE_LENGTH 1
#else
#define LS_HAVE_TRUE_LENGTH 0
#endif
#endif

/* poll(2) tells with POLLRDHUP that the peer sends no more. */
#ifndef LS_HAVE_POLLRDHUP
#if defined(__linux__) || (defined(__FreeBSD__) && defined(POLLRDHUP))
#define LS_HAVE_POLLRDHUP 1
#else
#define LS_HAVE_POLLRDHUP 0
#endif
#endif

/* recvmmsg(2) and sendmmsg(2): many datagrams a call. OpenBSD has had them since 7.2, and MSG_WAITFORONE with them. */
#ifndef LS_HAVE_MMSG
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || \
    (defined(__OpenBSD__) && defined(MSG_WAITFORONE))
#define LS_HAVE_MMSG 1
#else
#define LS_HAVE_MMSG 0
#endif
#endif

/* UDP_SEGMENT and UDP_GRO, udp(7): the kernel cuts a message in datagrams, and puts datagrams together. */
#ifndef LS_HAVE_UDP_OFFLOAD
#if defined(__linux__) && defined(UDP_SEGMENT) && defined(UDP_GRO)
#define LS_HAVE_UDP_OFFLOAD 1
#else
#define LS_HAVE_UDP_OFFLOAD 0
#endif
#endif

/* recvmsg(2) makes the descriptors that it receives close-on-exec, if MSG_CMSG_CLOEXEC asks for it. */
#ifndef LS_HAVE_CMSG_CLOEXEC
#ifdef MSG_CMSG_CLOEXEC
#define LS_HAVE_CMSG_CLOEXEC 1
#else
#define LS_HAVE_CMSG_CLOEXEC 0
#endif
#endif

/* Where an IPv4 datagram was sent to and by which interface it came, or is to leave: IP_PKTINFO, with ipi_spec_dst;
   elsewhere the address alone: IP_RECVDSTADDR and IP_SENDSRCADDR. IPv6 has IPV6_PKTINFO everywhere (RFC 3542). */
#ifndef LS_HAVE_IP_PKTINFO
#if defined(__linux__) || defined(__APPLE__) || defined(_WIN32)
#define LS_HAVE_IP_PKTINFO 1
#else
#define LS_HAVE_IP_PKTINFO 0
#endif
#endif
#ifndef LS_HAVE_IP_SENDSRCADDR
#if defined(IP_RECVDSTADDR) && defined(IP_SENDSRCADDR)
#define LS_HAVE_IP_SENDSRCADDR 1
#else
#define LS_HAVE_IP_SENDSRCADDR 0
#endif
#endif

/* Beside IP_RECVDSTADDR, IP_RECVIF tells by a sockaddr_dl by which interface it came. */
#ifndef LS_HAVE_IP_RECVIF
#if !LS_HAVE_IP_PKTINFO && defined(IP_RECVIF)
#define LS_HAVE_IP_RECVIF 1
#else
#define LS_HAVE_IP_RECVIF 0
#endif
#endif

/* IP_PKTINFO takes the source and the interface of a datagram at once; macOS ignores the source then. */
#ifndef LS_HAVE_PKTINFO_OF_BOTH
#if defined(__APPLE__)
#define LS_HAVE_PKTINFO_OF_BOTH 0
#else
#define LS_HAVE_PKTINFO_OF_BOTH 1
#endif
#endif

/* IP_TTL and IP_TOS of a single IPv4 datagram, as sendmsg(2) is told. */
#ifndef LS_HAVE_IP_TTL_CONTROL
#if defined(__linux__)
#define LS_HAVE_IP_TTL_CONTROL 1
#else
#define LS_HAVE_IP_TTL_CONTROL 0
#endif
#endif

/* The queue of a socket's errors, IP_RECVERR in ip(7). */
#ifndef LS_HAVE_ERROR_QUEUE
#if defined(__linux__)
#define LS_HAVE_ERROR_QUEUE 1
#else
#define LS_HAVE_ERROR_QUEUE 0
#endif
#endif

/* SCM_PIDFD: a message brings a descriptor of its sender's process, unix(7). Few headers name it. */
#ifndef LS_HAVE_PIDFD
#if defined(__linux__)
#define LS_HAVE_PIDFD 1
#else
#define LS_HAVE_PIDFD 0
#endif
#endif

/* Who is at the other end of a unix domain socket: SO_PEERCRED and SCM_CREDENTIALS with a struct ucred, unix(7); or
   getpeereid(3), which does not tell the process: that do LOCAL_PEERPID (macOS), LOCAL_PEERCRED's struct xucred
   (FreeBSD from 13 on), LOCAL_PEEREID's struct unpcbid (NetBSD) or SO_PEERCRED's struct sockpeercred (OpenBSD). */
#ifndef LS_HAVE_UCRED
#if defined(__linux__)
#define LS_HAVE_UCRED 1
#else
#define LS_HAVE_UCRED 0
#endif
#endif
#ifndef LS_HAVE_GETPEEREID
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#define LS_HAVE_GETPEEREID 1
#else
#define LS_HAVE_GETPEEREID 0
#endif
#endif

#ifndef LS_HAVE_XUCRED_PID
#if defined(__FreeBSD__) && __FreeBSD__ >= 13
#define LS_HAVE_XUCRED_PID 1
#else
#define LS_HAVE_XUCRED_PID 0
#endif
#endif
#ifndef LS_HAVE_UNPCBID
#if defined(__NetBSD__)
#define LS_HAVE_UNPCBID 1
#else
#define LS_HAVE_UNPCBID 0
#endif
#endif
#ifndef LS_HAVE_SOCKPEERCRED
#if defined(__OpenBSD__)
#define LS_HAVE_SOCKPEERCRED 1
#else
#define LS_HAVE_SOCKPEERCRED 0
#endif
#endif

/* TCP_INFO with Linux' struct tcp_info, which it describes in linux/tcp.h. */
#ifndef LS_HAVE_TCP_INFO
#if defined(__linux__)
#define LS_HAVE_TCP_INFO 1
#else
#define LS_HAVE_TCP_INFO 0
#endif
#endif

/* SO_RCVBUF and SO_SNDBUF give twice what was set: the kernel's own share of the memory is in it, socket(7). */
#ifndef LS_HAVE_DOUBLED_BUFFERS
#if defined(__linux__)
#define LS_HAVE_DOUBLED_BUFFERS 1
#else
#define LS_HAVE_DOUBLED_BUFFERS 0
#endif
#endif

/* unix(7) names without a file: a NUL byte, then the name. */
#ifndef LS_HAVE_ABSTRACT_UNIX
#if defined(__linux__)
#define LS_HAVE_ABSTRACT_UNIX 1
#else
#define LS_HAVE_ABSTRACT_UNIX 0
#endif
#endif

/* A unix socket's file has the permissions that fchmod(2) gave the socket before it was bound, less the umask. */
#ifndef LS_HAVE_SOCKET_MODE
#if defined(__linux__)
#define LS_HAVE_SOCKET_MODE 1
#else
#define LS_HAVE_SOCKET_MODE 0
#endif
#endif

/* O_PATH of open(2), and /proc/self/fd: a file is looked at and changed, of which nothing but its place is open. */
#ifndef LS_HAVE_O_PATH
#if defined(__linux__)
#define LS_HAVE_O_PATH 1
#else
#define LS_HAVE_O_PATH 0
#endif
#endif

/* RFC 3678's group_req and group_source_req: a group of either family, joined on an interface given by index. */
#ifndef LS_HAVE_GROUP_REQ
#if defined(MCAST_JOIN_GROUP) && defined(MCAST_JOIN_SOURCE_GROUP)
#define LS_HAVE_GROUP_REQ 1
#else
#define LS_HAVE_GROUP_REQ 0
#endif
#endif

/* struct ip_mreqn: IPv4 groups are sent to by an interface given by index; else by the interface's address. */
#ifndef LS_HAVE_IP_MREQN
#if defined(__linux__) || defined(__FreeBSD__) || defined(__APPLE__)
#define LS_HAVE_IP_MREQN 1
#else
#define LS_HAVE_IP_MREQN 0
#endif
#endif

/* Ways to wait that cost what became ready; poll(2) is there always. */
#ifndef LS_HAVE_EPOLL
#if defined(__linux__)
#define LS_HAVE_EPOLL 1
#else
#define LS_HAVE_EPOLL 0
#endif
#endif
#ifndef LS_HAVE_KQUEUE
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#define LS_HAVE_KQUEUE 1
#else
#define LS_HAVE_KQUEUE 0
#endif
#endif

#ifndef LS_HAVE_AFD
#if defined(_WIN32)
#define LS_HAVE_AFD 1
#else
#define LS_HAVE_AFD 0
#endif
#endif

/* io_uring(7), with headers of a kernel that has all of what net/ring.c uses. Whether the one that runs has it, and
   allows it, opening a ring tells. */
#if !defined(LS_HAVE_IO_URING) && defined(__linux__) && defined(__has_include)
#if __has_include(<linux/io_uring.h>) && __has_include(<linux/version.h>)
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
#define LS_HAVE_IO_URING 1
#endif
#endif
#endif
#ifndef LS_HAVE_IO_URING
#define LS_HAVE_IO_URING 0
#endif

/* eventfd(2): a descriptor that a thread makes readable; else it takes a pipe. */
#ifndef LS_HAVE_EVENTFD
#if defined(__linux__)
#define LS_HAVE_EVENTFD 1
#else
#define LS_HAVE_EVENTFD 0
#endif
#endif

/* strerror_r gives the text (GNU) or fills the buffer (POSIX). Android's is GNU's from API 23 on, with _GNU_SOURCE. */
#ifndef LS_HAVE_GNU_STRERROR_R
#if defined(__GLIBC__) || (defined(__ANDROID__) && defined(__ANDROID_API__) && __ANDROID_API__ >= 23)
#define LS_HAVE_GNU_STRERROR_R 1
#else
#define LS_HAVE_GNU_STRERROR_R 0
#endif
#endif
#if defined(__GLIBC__)
#define LS_POSIX_STRERROR_R __xpg_strerror_r
int __xpg_strerror_r(int err, char *text, size_t size);
#else
#define LS_POSIX_STRERROR_R strerror_r
#endif

/* A sockaddr that says how long it is. Calls do not need it; a netmask may be cut short by it. */
#ifndef LS_HAVE_SA_LEN
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#define LS_HAVE_SA_LEN 1
#else
#define LS_HAVE_SA_LEN 0
#endif
#endif

/* Where getifaddrs(3) puts hardware addresses: AF_PACKET records, or AF_LINK ones. */
#ifndef LS_HAVE_AF_PACKET
#if defined(__linux__)
#define LS_HAVE_AF_PACKET 1
#else
#define LS_HAVE_AF_PACKET 0
#endif
#endif
#ifndef LS_HAVE_AF_LINK
#if LS_HAVE_SA_LEN || defined(_WIN32)
#define LS_HAVE_AF_LINK 1
#else
#define LS_HAVE_AF_LINK 0
#endif
#endif

/* RFC 3493's names, which some systems spell in the older way. */
#if !defined(IPV6_JOIN_GROUP) && defined(IPV6_ADD_MEMBERSHIP)
#define IPV6_JOIN_GROUP IPV6_ADD_MEMBERSHIP
#define IPV6_LEAVE_GROUP IPV6_DROP_MEMBERSHIP
#endif

#endif
