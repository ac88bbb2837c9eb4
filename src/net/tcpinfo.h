/* What the kernel knows of a TCP connection: TCP_INFO of tcp(7). */
#ifndef LS_NET_TCPINFO_H
#define LS_NET_TCPINFO_H

#include "../config.h"
#include <stddef.h>
#include <stdint.h>

typedef struct ls_TcpInfo {
    size_t len; /* the bytes that this kernel filled */
    unsigned char bytes[512];
} ls_TcpInfo;

/* 0; ENOPROTOOPT: not here; or what getsockopt(2) says. */
int ls_tcpinfo_get(int fd, ls_TcpInfo *info);

/* The field with that number, from 0; NULL beyond the last that this kernel has filled. */
const char *ls_tcpinfo_field(const ls_TcpInfo *info, size_t number, uint64_t *value);

#endif
