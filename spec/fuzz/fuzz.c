#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DESCRIPTORS = 256 };

unsigned fuzz_byte(Input *in) {
    if (in->left == 0) return 0;
    in->left--;
    return *in->data++;
}

uint32_t fuzz_number(Input *in) {
    uint32_t number = fuzz_byte(in);
    number |= (uint32_t)fuzz_byte(in) << 8;
    number |= (uint32_t)fuzz_byte(in) << 16;
    return number | (uint32_t)fuzz_byte(in) << 24;
}

const char *fuzz_bytes(Input *in, size_t most, size_t *size) {
    const char *bytes;
    *size = fuzz_byte(in);
    if (*size > most) *size = most;
    if (*size > in->left) *size = in->left;
    bytes = (const char *)in->data;
    in->data += *size;
    in->left -= *size;
    return bytes;
}

void fuzz_require(int holds, const char *text) {
    if (holds) return;
    fprintf(stderr, "fuzz: this does not hold: %s\n", text);
    abort();
}

int fuzz_descriptors(void) {
    int fd, count = 0;
    for (fd = 0; fd < DESCRIPTORS; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

void fuzz_require_descriptors(int count) {
    int i;
    for (i = 0; i < 2000 && fuzz_descriptors() != count; i++) usleep(1000);
    fuzz_require(fuzz_descriptors() == count, "as many descriptors as before");
}
