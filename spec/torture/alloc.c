/* malloc and its like, and Lua's allocator: count what is held, and fail on order. What the C library allocates for
   itself passes here, too. */
#define _GNU_SOURCE
#include "inject.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__ /* which has a malloc of its own: only Lua's requests are seen then */
#define __libc_realloc realloc
#define __libc_free free
#else
void *__libc_malloc(size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t c_bytes, lua_bytes;
static int armed, mode;
static long requests, nth, failures;
static const void *refused; /* the block of Lua's that could not grow */
static size_t refused_size;
static __thread int ignoring, uncounted;

static void lock(void) { pthread_mutex_lock(&mutex); }

static void unlock(void) { pthread_mutex_unlock(&mutex); }

void inject_arm(int on) { armed = on; }

int inject_is_armed(void) { return armed; }

void alloc_plan(long number, int how) {
    nth = number;
    mode = how;
    requests = failures = 0;
    refused_size = 0;
}

long alloc_requests(void) { return requests; }

long alloc_failures(void) { return failures; }

size_t alloc_lua_bytes(void) { return lua_bytes; }

size_t alloc_c_bytes(void) { return c_bytes; }

void alloc_ignore(int on) { ignoring = on; }

void alloc_uncounted(int on) { uncounted = on; }

/* Is this request to fail? */
static int fails(void) {
    int due;
    if (!armed || nth == 0 || ignoring) return 0;
    requests++;
    due = mode == ALLOC_ON ? requests >= nth : requests == nth;
    failures += due;
    return due;
}

/* ---- Lua's ---- */

static int lua_fails(const void *block, size_t size) {
    int again = armed && mode == ALLOC_TWICE && size == refused_size && block == refused;
    refused_size = 0;
    if (again || !fails()) return again;
    refused = block;
    refused_size = size;
    return 1;
}

/* The size that Lua gives for a block is not counted with: LuaJIT's is another for a function that was not finished. */
void *alloc_for_lua(void *nothing, void *block, size_t before, size_t size) {
    void *grown = NULL;
    size_t old = block ? malloc_usable_size(block) : 0;
    (void)nothing;
    lock();
    if (size == 0) __libc_free(block);
    else if ((block && size <= before) || !lua_fails(block, size)) grown = __libc_realloc(block, size);
    if (size == 0 || grown) lua_bytes += malloc_usable_size(grown) - old;
    unlock();
    return grown;
}

/* ---- the C library's ---- */

#ifndef __SANITIZE_ADDRESS__

/* In front of every block. The bytes of the block behind it are aligned as malloc's must be. */
typedef struct Header {
    size_t size; /* 0: not counted */
    void *start; /* what the C library gave */
} Header;

static int fails_locked(void) {
    int due;
    lock();
    due = fails();
    unlock();
    if (due) errno = ENOMEM;
    return due;
}

static void count(size_t more, size_t less) {
    lock();
    c_bytes += more - less;
    unlock();
}

static Header *header_of(void *block) { return (Header *)block - 1; }

static void *allocate(size_t alignment, size_t size) {
    size_t shift = alignment > sizeof(Header) ? alignment : sizeof(Header);
    char *start;
    Header *header;
    if (size > SIZE_MAX / 2 || fails_locked()) return NULL;
    start = alignment > sizeof(Header) ? __libc_memalign(alignment, size + shift) : __libc_malloc(size + shift);
    if (!start) return NULL;
    header = header_of(start + shift);
    header->start = start;
    header->size = ignoring || uncounted ? 0 : size + 1;
    count(header->size, 0);
    return header + 1;
}

void *malloc(size_t size) { return allocate(0, size); }

void *calloc(size_t items, size_t size) {
    void *block = size == 0 || items <= SIZE_MAX / size ? allocate(0, items * size) : NULL;
    return block ? memset(block, 0, items * size) : NULL;
}

void free(void *block) {
    if (!block) return;
    count(0, header_of(block)->size);
    __libc_free(header_of(block)->start);
}

/* Of aligned blocks nobody asks for another size. */
void *realloc(void *block, size_t size) {
    Header *header;
    size_t before;
    if (!block) return malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (size > SIZE_MAX / 2 || fails_locked()) return NULL;
    before = header_of(block)->size;
    header = __libc_realloc(header_of(block)->start, size + sizeof *header);
    if (!header) return NULL;
    header->start = header;
    header->size = before ? size + 1 : 0;
    count(header->size, before);
    return header + 1;
}

void *memalign(size_t alignment, size_t size) { return allocate(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return allocate(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = allocate(alignment, size);
    return *block ? 0 : ENOMEM;
}

/* The C library's own calls malloc directly. */
char *strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

#endif
