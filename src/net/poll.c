/* The list of the backends that this platform has. Each has its own file. */
#include "poll.h"

const ls_Backend *const ls_poll_backends[] = {
#if LS_HAVE_EPOLL
    &ls_poll_epoll,
#endif
#if LS_HAVE_KQUEUE
    &ls_poll_kqueue,
#endif
#if LS_HAVE_AFD
    &ls_poll_afd,
#endif
    &ls_poll_poll,
    NULL,
};
