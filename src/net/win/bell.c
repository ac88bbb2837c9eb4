/* Bells: a pair of sockets. Who rings them, and what for, is left to the callers. */
#include "../bell.h"

#include "../fd.h"

int ls_bell_open(int bell[2]) {
    int err = ls_fd_pair(SOCK_STREAM, bell);
    if (err) bell[0] = bell[1] = -1;
    return err;
}

void ls_bell_close(int bell[2]) {
    if (bell[0] >= 0) ls_fd_close(bell[0]);
    if (bell[1] >= 0) ls_fd_close(bell[1]);
    bell[0] = bell[1] = -1;
}

/* One that is full is readable, which is all that is wanted. */
void ls_bell_ring(const int bell[2]) {
    if (bell[1] >= 0) send(bell[1], "", 1, 0);
}

void ls_bell_silence(const int bell[2]) {
    char rings[64];
    while (bell[0] >= 0 && recv(bell[0], rings, sizeof rings, 0) == (ssize_t)sizeof rings) continue;
}

/* There are no other processes that could have it. */
void ls_bell_replace(int bell[2]) { (void)bell; }
