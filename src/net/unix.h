/* What only unix domain sockets have: a place in the file system, and a peer whose process is known. */
#ifndef LS_NET_UNIX_H
#define LS_NET_UNIX_H

#include "addr.h"

/* Is it a path? Abstract names and internet addresses are none. */
int ls_unix_ispath(const ls_Addr *addr);

/* Binds to a path. mode: its permissions, -1: what the process's umask leaves. replace: removes a socket's file of
   which no socket is left, and nothing else. On failure there is no file that was not there before. 0 or an errno. */
int ls_unix_bind(int fd, const ls_Addr *addr, int mode, int replace);

/* Removes what binding has made; harmless where addr is no path. */
void ls_unix_remove(const ls_Addr *addr);

typedef struct ls_Credentials {
    pid_t pid; /* 0: not told */
    uid_t uid;
    gid_t gid;
} ls_Credentials;

/* Those of the peer, when it connected or began to listen. 0 or an errno; ENOTCONN: it is not known;
   ENOPROTOOPT: this platform cannot tell. */
int ls_unix_peercred(int fd, ls_Credentials *peer);

#endif
