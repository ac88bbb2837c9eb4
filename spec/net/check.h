/* What every C test needs: cmocka with what it wants included before, guarded memory, the count of open descriptors.
   Include it after a header of src/, which asks the C library for its extensions. */
#ifndef LS_SPEC_CHECK_H
#define LS_SPEC_CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#ifdef LS_COVERAGE
void __gcov_dump(void);
#else
#define __gcov_dump() (void)0
#endif

/* Ends a child of a test. What it ran counts where coverage is measured. */
static inline void leave(int status) {
    __gcov_dump();
    _exit(status);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Is this tools/sandbox's network? */
static inline int in_sandbox(void) {
    const char *sandbox = getenv("LS_SANDBOX");
    return sandbox && strcmp(sandbox, "1") == 0;
}

/* Skips a test of what qemu-user does not pass on to the kernel; tools/machines tells whether it is used. has: as it
   was found here, as another version may have it. */
static inline void need_kernel(const char *what, int has) {
    if (has || !getenv("LS_EMULATED")) return;
    print_message("qemu-user lacks %s\n", what);
    skip();
}

/* The end of a block of at least size bytes: who reads or writes there crashes. */
static inline char *guarded(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), usable = (size + page - 1) / page * page;
    char *block = mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    assert_true(block != MAP_FAILED);
    assert_int_equal(mprotect(block + usable, page, PROT_NONE), 0);
    return block + usable;
}

static inline int count_open(void) {
    int fd, count = 0;
    for (fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A file that has this in it, and no name. */
static inline int file_of(const char *text) {
    char name[] = "/tmp/fd_test.XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* A test that fails, too, where it or the library leaves a descriptor open. */
typedef struct Body {
    void (*run)(void **state);
} Body;

static inline void run_and_compare(void **state) {
    const Body *body = *state;
    int before = count_open();
    body->run(state);
    assert_int_equal(count_open(), before);
}

#define TEST_OPEN(name) { #name, run_and_compare, NULL, NULL, &(Body){ name } }

#endif
