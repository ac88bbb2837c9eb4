/* Bytes in order: they come in at the end and go out at the front. Where a record ends is looked for once: each search
   goes on where the one before it ended. Who sends the bytes, and what they mean, is left to others. */
#ifndef LS_NET_BYTES_H
#define LS_NET_BYTES_H

#include "../config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One block, kept for whoever wants one of its size next: to receive much takes one for a moment, again and again, and
   malloc's price for that is beyond that of a few lines. All zero: there is none yet. It must outlive who shares it. */
typedef struct ls_Spare {
    char *memory;
    int closed; /* keeps nothing any more */
} ls_Spare;

void ls_spare_close(ls_Spare *spare);

/* All zero: empty. The memory is as large as it has to be: an empty one has none. */
typedef struct ls_Bytes {
    char *memory;
    size_t size;           /* of the memory */
    size_t first, end;     /* where in it the bytes begin and end */
    uint64_t gone;         /* how many have ever gone out: while it is the same, so is what stands at the front */
    size_t lined;          /* so many of them, from the front on, are no "\n" */
    size_t searched;       /* so many of them begin no delimiter, the one that was looked for last: */
    char *delimiter;       /* a copy of it */
    size_t length;
    ls_Spare *spare; /* shared with others; may be NULL */
} ls_Bytes;

#define LS_BYTES_UNLIMITED ((size_t)-1)

LS_HOT size_t ls_bytes_count(const ls_Bytes *b) { return b->end - b->first; }

/* Where they begin; they may move when something comes in. */
LS_HOT const char *ls_bytes_front(const ls_Bytes *b) { return b->memory ? b->memory + b->first : ""; }

/* Makes room for count bytes more. *room: where they go; how many were put there is told to ls_bytes_filled, also when
   it is none, before anything else is done. 0 or ENOMEM. */
int ls_bytes_reserve(ls_Bytes *b, size_t count, char **room);
void ls_bytes_filled(ls_Bytes *b, size_t count);

/* 0 or ENOMEM, and then nothing has come in. */
int ls_bytes_append(ls_Bytes *b, const char *data, size_t count);

/* Finds the first delimiter. *at: how many bytes are before it, at most limit. 0, or EAGAIN: it is not there yet, or
   EMSGSIZE: there are more than limit bytes before it, or ENOMEM. */
int ls_bytes_find(ls_Bytes *b, const char *delimiter, size_t length, size_t limit, size_t *at);

/* The same for "\n". */
LS_HOT int ls_bytes_line(ls_Bytes *b, size_t limit, size_t *at);

/* Are there so many? 0 or EAGAIN. */
LS_HOT int ls_bytes_enough(ls_Bytes *b, size_t count);

/* Lets the first count bytes go; so many are there. */
LS_HOT void ls_bytes_drop(ls_Bytes *b, size_t count);

/* Lets all of them go. */
void ls_bytes_clear(ls_Bytes *b);

/* The same, and forgets what was looked for: nothing is allocated any more. */
void ls_bytes_free(ls_Bytes *b);

/* ---- the hot path ---- */

/* EAGAIN, or EMSGSIZE where so many bytes are no delimiter that it is beyond the limit. Who has to wait for more does
   not keep memory that only what went out needed. */
int ls_bytes_missing(ls_Bytes *b, size_t searched, size_t limit);

/* As far as the first byte that would be too much. */
LS_HOT size_t ls_bytes_window(size_t count, size_t limit) { return count <= limit ? count : limit + 1; }

LS_HOT int ls_bytes_line(ls_Bytes *b, size_t limit, size_t *at) {
    size_t window = ls_bytes_window(ls_bytes_count(b), limit);
    if (LS_LIKELY(b->lined < window)) {
        const char *from = b->memory + b->first + b->lined, *found = memchr(from, '\n', window - b->lined);
        b->lined = found ? b->lined + (size_t)(found - from) : window;
        *at = b->lined;
        if (LS_LIKELY(found != NULL)) return 0;
    }
    return ls_bytes_missing(b, b->lined, limit);
}

LS_HOT int ls_bytes_enough(ls_Bytes *b, size_t count) {
    return count <= ls_bytes_count(b) ? 0 : ls_bytes_missing(b, 0, 0);
}

LS_HOT size_t ls_bytes_less(size_t from, size_t count) { return from > count ? from - count : 0; }

LS_HOT void ls_bytes_drop(ls_Bytes *b, size_t count) {
    b->first += count;
    b->gone += count;
    b->lined = ls_bytes_less(b->lined, count);
    b->searched = ls_bytes_less(b->searched, count);
    if (b->first == b->end) ls_bytes_clear(b);
}

#endif
