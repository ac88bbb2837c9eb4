/* The bytes between OpenSSL and the kernel: a BIO of our own with a queue for each direction. It takes all that OpenSSL
   writes, so that nothing ever has to be written again, and it asks the kernel only when it may. */
#ifndef LT_LINK_H
#define LT_LINK_H

#include "shared.h"

#include <stddef.h>

typedef struct lt_Queue {
    char *block; /* its own, or the shared one of the state, which it has only in the course of a call; NULL: empty */
    size_t at, end, room;
} lt_Queue;

typedef struct lt_Link {
    lt_Shared *shared;
    int fd;
    int dry;      /* the kernel is not asked for more in this call */
    int fills;    /* how often it was asked in this call */
    int first;    /* the first byte that has come; -1: none has */
    int keeps;    /* what OpenSSL has read stays in the queue */
    int ended;    /* the kernel has no more */
    int err;      /* receiving has failed, or memory was lacking: an errno */
    int send_err; /* sending has failed */
    lt_Queue in, out;
} lt_Link;

/* A BIO for the link, which has to live as long; NULL where memory is lacking. */
BIO *lt_link_bio(lt_Link *link);

/* Puts bytes that have come already in front of the kernel's. 0 or ENOMEM. */
int lt_link_received(lt_Link *link, const char *data, size_t len);

/* A call begins: with or without the kernel. */
void lt_link_begin(lt_Link *link);

/* Sends what is queued. 0: nothing is left; EAGAIN, an errno. */
int lt_link_flush(lt_Link *link);

/* The call is over: what is left gets blocks of its own. */
void lt_link_settle(lt_Link *link);

/* OpenSSL reads again, from the first byte that was kept, and nothing is kept any more. */
void lt_link_rewind(lt_Link *link);

/* Is there a whole record in the queue? */
int lt_link_hasrecord(const lt_Link *link);

void lt_link_free(lt_Link *link);

#endif
