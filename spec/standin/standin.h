/* What the BSDs have and Linux has not, so that the code for them is compiled here: with -include, and -Ispec/standin
   for the headers that only they have. The numbers are made up. */
#ifndef LS_SPEC_STANDIN_H
#define LS_SPEC_STANDIN_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* as config.h, which comes later, would */
#endif

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#define SOL_LOCAL 0
#define LOCAL_PEERCRED 1
#define LOCAL_PEEREID 3
#define IP_RECVDSTADDR 7
#define IP_SENDSRCADDR IP_RECVDSTADDR
#undef IP_RECVIF
#define IP_RECVIF 20

struct unpcbid {
    pid_t unp_pid;
    uid_t unp_euid;
    gid_t unp_egid;
};

struct sockpeercred {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

int getpeereid(int fd, uid_t *uid, gid_t *gid);

#endif
