/* Bytes in order, and the searches for where a record ends. What is done for every line stands in the header. */
#include "bytes.h"

#include <stdlib.h>

enum { SMALL = 1024 }; /* memory of this size is not worth giving back */

/* ---- the spare block ---- */

/* Large enough to receive 64 KiB behind what is left of the bytes before. malloc does not yet map such a block by
   itself, which would cost a page fault for each 4 KiB of it. */
enum { SPARE_LEAST = 65536, SPARE_SIZE = 98304 };

static char *allocate(ls_Spare *spare, size_t *size) {
    char *memory;
    if (!spare || *size < SPARE_LEAST || *size > SPARE_SIZE) return malloc(*size);
    *size = SPARE_SIZE;
    memory = spare->memory;
    spare->memory = NULL;
    return memory ? memory : malloc(SPARE_SIZE);
}

static void release(ls_Spare *spare, char *memory, size_t size) {
    if (spare && size == SPARE_SIZE && !spare->memory && !spare->closed) spare->memory = memory;
    else free(memory);
}

void ls_spare_close(ls_Spare *spare) {
    free(spare->memory);
    spare->memory = NULL;
    spare->closed = 1;
}

/* ---- the bytes ---- */

static void move_to_front(ls_Bytes *b) {
    size_t count = ls_bytes_count(b);
    memmove(b->memory, b->memory + b->first, count);
    b->first = 0;
    b->end = count;
}

/* Always another block: a small one that stays where a large one was would keep its place from being used again. */
static int resize(ls_Bytes *b, size_t size) {
    size_t count = ls_bytes_count(b);
    char *memory = allocate(b->spare, &size);
    if (!memory) return ENOMEM;
    if (count > 0) memcpy(memory, b->memory + b->first, count);
    release(b->spare, b->memory, b->size);
    b->memory = memory;
    b->size = size;
    b->first = 0;
    b->end = count;
    return 0;
}

/* What goes out leaves a gap in front. It is closed where that moves no more bytes than went out; else the memory grows
   to twice what is there. So a byte is moved a few times, however many pass through. */
int ls_bytes_reserve(ls_Bytes *b, size_t count, char **room) {
    size_t used = ls_bytes_count(b);
    if (b->size - b->end < count) {
        if (used > SIZE_MAX / 4 || count > SIZE_MAX / 4) return ENOMEM;
        if (b->first >= used && b->size - used >= count) move_to_front(b);
        else if (resize(b, 2 * used + count) != 0) return ENOMEM;
    }
    *room = b->memory ? b->memory + b->end : NULL; /* none, for nothing */
    return 0;
}

/* Gives memory back of which little is in use: a connection that waits for the rest of a line must not hold what it
   once received at once. If that fails, it stays. */
static void shrink(ls_Bytes *b) {
    size_t used = ls_bytes_count(b);
    if (b->size > SMALL && used < b->size / 16) (void)resize(b, 2 * used);
}

void ls_bytes_filled(ls_Bytes *b, size_t count) {
    b->end += count;
    if (b->first == b->end) ls_bytes_clear(b);
    else shrink(b);
}

int ls_bytes_append(ls_Bytes *b, const char *data, size_t count) {
    char *room;
    if (count == 0) return 0;
    if (ls_bytes_reserve(b, count, &room) != 0) return ENOMEM;
    memcpy(room, data, count);
    b->end += count;
    return 0;
}

int ls_bytes_missing(ls_Bytes *b, size_t searched, size_t limit) {
    shrink(b);
    return searched > limit ? EMSGSIZE : EAGAIN;
}

/* A search for the same delimiter goes on, one for another begins anew. */
static int remember(ls_Bytes *b, const char *delimiter, size_t length) {
    char *copy;
    if (b->length == length && memcmp(b->delimiter, delimiter, length) == 0) return 0;
    copy = realloc(b->delimiter, length);
    if (!copy) return ENOMEM;
    memcpy(copy, delimiter, length);
    b->delimiter = copy;
    b->length = length;
    b->searched = 0;
    return 0;
}

int ls_bytes_find(ls_Bytes *b, const char *delimiter, size_t length, size_t limit, size_t *at) {
    size_t count = ls_bytes_count(b), places = count < length ? 0 : count - length + 1;
    const char *front = ls_bytes_front(b), *found;
    if (remember(b, delimiter, length) != 0) return ENOMEM;
    places = ls_bytes_window(places, limit);
    while (b->searched < places) {
        found = memchr(front + b->searched, delimiter[0], places - b->searched);
        b->searched = found ? (size_t)(found - front) : places;
        if (!found) break;
        *at = b->searched;
        if (memcmp(found, delimiter, length) == 0) return 0;
        b->searched++;
    }
    return ls_bytes_missing(b, b->searched, limit);
}

void ls_bytes_clear(ls_Bytes *b) {
    release(b->spare, b->memory, b->size);
    b->gone += ls_bytes_count(b);
    b->memory = NULL;
    b->size = b->first = b->end = b->lined = b->searched = 0;
}

void ls_bytes_free(ls_Bytes *b) {
    ls_bytes_clear(b);
    free(b->delimiter);
    b->delimiter = NULL;
    b->length = 0;
}
