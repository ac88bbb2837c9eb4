/* What POSIX calls sockets, made of Winsock: its names, its types and errno. The headers in posix/, which stand for
   those that Windows does not have, include it; config.h does so before all else by sys/socket.h. A descriptor is the
   handle of a socket, of which Windows uses no more than 32 bits. */
#ifndef LS_NET_WIN_POSIX_H
#define LS_NET_WIN_POSIX_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif

/* Winsock's own, which are not as POSIX has them. */
#define pollfd ls_win_pollfd
#define socklen_t ls_win_socklen
#define linger ls_win_linger
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <afunix.h>
#include <mswsock.h>
#include <iphlpapi.h>
#undef pollfd
#undef socklen_t
#undef linger
typedef struct ls_win_linger ls_Linger;
#undef interface
#undef near
#undef far
#undef small

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

typedef unsigned socklen_t;
typedef unsigned short sa_family_t;
typedef unsigned short in_port_t;
typedef unsigned nfds_t;
typedef unsigned uid_t, gid_t;

/* ---- errno ---- */

/* Those that the C library does not number. */
#define EDQUOT WSAEDQUOT
#define EHOSTDOWN WSAEHOSTDOWN
#define EMULTIHOP 10100
#define EPFNOSUPPORT WSAEPFNOSUPPORT
#define EREMOTEIO 10101
#define ESHUTDOWN WSAESHUTDOWN
#define ESOCKTNOSUPPORT WSAESOCKTNOSUPPORT
#define ESTALE WSAESTALE
#define ETOOMANYREFS WSAETOOMANYREFS
#define EUSERS WSAEUSERS
#undef EWOULDBLOCK
#define EWOULDBLOCK EAGAIN

/* The errno of what a call of Windows has failed with; 0 of 0. */
int ls_win_errno(unsigned long code);

/* Sets errno to that of Winsock's last error, and returns -1. */
int ls_win_fail(void);

/* 0, or ERANGE: the text is cut. */
int ls_win_strerror(int err, char *text, size_t size);
#define strerror_r ls_win_strerror

/* ---- names ---- */

#define EAI_OVERFLOW WSA_E_NO_MORE
#define EAI_SYSTEM WSASYSCALLFAILURE
#undef gai_strerror
#define gai_strerror ls_win_gai_strerror
const char *ls_win_gai_strerror(int code);

int ls_win_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int ls_win_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, size_t room, char *service,
                       size_t service_room, int flags);
int ls_win_gethostname(char *name, size_t size);
#define getaddrinfo ls_win_getaddrinfo
#define getnameinfo ls_win_getnameinfo
#define gethostname ls_win_gethostname

/* inet_aton(3): 127.1, 0x7f.1, 0177.1, 2130706433. */
int ls_win_aton(const char *text, struct in_addr *ip);
#define inet_aton ls_win_aton

/* ---- sockets ---- */

struct iovec {
    void *iov_base;
    size_t iov_len;
};

struct msghdr {
    void *msg_name;
    socklen_t msg_namelen;
    struct iovec *msg_iov;
    size_t msg_iovlen;
    void *msg_control;
    size_t msg_controllen;
    int msg_flags;
};

/* As Winsock's WSACMSGHDR. */
#undef cmsghdr
struct cmsghdr {
    size_t cmsg_len;
    int cmsg_level, cmsg_type;
};
#undef CMSG_LEN
#undef CMSG_SPACE
#define LS_WIN_ALIGN(size) (((size) + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1))
#define CMSG_LEN(size) (LS_WIN_ALIGN(sizeof(struct cmsghdr)) + (size))
#define CMSG_SPACE(size) (LS_WIN_ALIGN(sizeof(struct cmsghdr)) + LS_WIN_ALIGN(size))

/* Calls as POSIX has them: errno tells why one has failed. recv gives the first bytes of a datagram that is longer, and
   0 where receiving has been shut down; sendmsg and recvmsg call Winsock's only where there is control data. */
ssize_t ls_win_recv(int fd, void *data, size_t size, int flags);
ssize_t ls_win_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *len);
ssize_t ls_win_send(int fd, const void *data, size_t size, int flags);
ssize_t ls_win_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t len);
ssize_t ls_win_recvmsg(int fd, struct msghdr *header, int flags);
ssize_t ls_win_sendmsg(int fd, const struct msghdr *header, int flags);
#define recv ls_win_recv
#define recvfrom ls_win_recvfrom
#define send ls_win_send
#define sendto ls_win_sendto
#define recvmsg ls_win_recvmsg
#define sendmsg ls_win_sendmsg

#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH

/* Winsock's has two shorts. */
struct linger {
    int l_onoff, l_linger;
};

#undef IN_MULTICAST
#define IN_MULTICAST(ip) (((ip) & 0xf0000000u) == 0xe0000000u)

/* One option asks for it and names it; the source of a datagram stands where its destination does. */
#define IPV6_RECVPKTINFO IPV6_PKTINFO
#define IPV6_RECVHOPLIMIT IPV6_HOPLIMIT
#define ipi_spec_dst ipi_addr

/* What mingw's headers lack of Windows 10, or have as no macro. */
#ifndef MSG_TRUNC
#define MSG_TRUNC 0x0100
#define MSG_CTRUNC 0x0200
#endif
#define TCP_KEEPIDLE 3
#define TCP_MAXSEG 4
#define TCP_FASTOPEN 15
#define TCP_KEEPCNT 16
#define TCP_KEEPINTVL 17
#define IP_PMTUDISC_WANT 0
#define IP_PMTUDISC_DO 1
#define IP_PMTUDISC_DONT 2
#define IP_PMTUDISC_PROBE 3

/* What no socket of Windows is told or tells. */
#undef IP_RECVIF
#define MSG_NOSIGNAL 0
#define SCM_RIGHTS 0x7ff1
#define SO_TIMESTAMP 0x7ff2
#define SCM_TIMESTAMP SO_TIMESTAMP

/* Does nothing: no program that is started gets a descriptor. */
#define F_SETFD 2
#define FD_CLOEXEC 1
static inline int fcntl(int fd, int command, int flags) { return (void)fd, (void)command, (void)flags, 0; }

/* A file is not inherited, and its bytes are as they are. */
#define O_CLOEXEC (_O_NOINHERIT | _O_BINARY)

/* Begins to use Winsock, once in a process. 0 or an errno. */
int ls_win_start(void);

/* Is it a socket of datagrams? */
int ls_win_isdatagram(int fd);

/* ---- waiting ---- */

struct pollfd {
    int fd;
    short events, revents;
};
int ls_win_poll(struct pollfd *fds, nfds_t count, int milliseconds);
#define poll ls_win_poll

/* ---- time ---- */

#ifndef CLOCK_REALTIME
#define CLOCK_REALTIME 0
#endif
int ls_win_realtime(struct timespec *time);
#undef clock_gettime
#define clock_gettime(clock, time) ls_win_realtime(time)

/* ---- signals, by the numbers of Linux ---- */

#define SIGHUP 1
#define SIGQUIT 3
#define SIGTRAP 5
#define SIGBUS 7
#define SIGKILL 9
#define SIGUSR1 10
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 24
#define SIGTTOU 25
#define SIGURG 26
#define SIGXCPU 27
#define SIGXFSZ 28
#define SIGVTALRM 29
#define SIGPROF 30
#define SIGSYS 31
typedef uint32_t ls_win_sigset;
#define sigset_t ls_win_sigset
#define SIG_SETMASK 0
static inline void sigemptyset(sigset_t *set) { *set = 0; }
static inline void sigfillset(sigset_t *set) { *set = ~(sigset_t)0; }
static inline void sigaddset(sigset_t *set, int number) { *set |= (sigset_t)1 << (number & 31); }
static inline int sigismember(const sigset_t *set, int number) { return *set >> (number & 31) & 1; }
#undef pthread_sigmask
static inline void pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
    (void)how, (void)set, (void)before;
}

/* ---- the rest ---- */

#define unsetenv(name) _putenv_s((name), "")

#endif
