/* What poll(2)'s backend compares: is a descriptor still what it was? Windows tells only whether it is a socket. */
#ifndef LS_NET_WIN_STAT_H
#define LS_NET_WIN_STAT_H

#include "../../posix.h"

struct ls_win_stat {
    dev_t st_dev;
    ino_t st_ino;
};
#define stat ls_win_stat
#define fstat ls_win_fstat
int ls_win_fstat(int fd, struct ls_win_stat *info);

#endif
