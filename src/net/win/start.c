/* The beginning of Winsock, and the clock that tells the time of day. */
#include "posix.h"

static BOOL CALLBACK start(INIT_ONCE *once, void *err, void **nothing) {
    WSADATA data;
    (void)once, (void)nothing;
    *(int *)err = ls_win_errno((unsigned long)WSAStartup(MAKEWORD(2, 2), &data));
    return *(int *)err == 0;
}

/* What has failed is tried again. It is never ended: other libraries, and other states of Lua, may use it. */
int ls_win_start(void) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    int err = 0;
    InitOnceExecuteOnce(&once, start, &err, NULL);
    return err;
}

/* Windows counts 100 nanoseconds from 1601 on. */
int ls_win_realtime(struct timespec *time) {
    const uint64_t second = 10000000, epoch = 11644473600ull;
    FILETIME now;
    uint64_t ticks;
    GetSystemTimePreciseAsFileTime(&now);
    ticks = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
    time->tv_sec = (time_t)(ticks / second - epoch);
    time->tv_nsec = (long)(ticks % second * 100);
    return 0;
}
