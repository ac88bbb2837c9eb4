/* See standin.h. */
#ifndef LS_SPEC_UCRED_H
#define LS_SPEC_UCRED_H

#include <sys/types.h>

struct xucred {
    unsigned cr_version;
    uid_t cr_uid;
    short cr_ngroups;
    gid_t cr_groups[16];
    pid_t cr_pid;
};

#endif
