/* Where getifaddrs puts hardware addresses. */
#ifndef LS_NET_WIN_IF_DL_H
#define LS_NET_WIN_IF_DL_H

#include "../../posix.h"

#define AF_LINK 33
struct sockaddr_dl {
    sa_family_t sdl_family;
    unsigned char sdl_alen;
    unsigned char sdl_data[8];
};
#define LLADDR(link) ((link)->sdl_data)

#endif
