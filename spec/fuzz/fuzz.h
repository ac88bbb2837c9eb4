/* What the fuzz targets share: the input, taken piece by piece, and what must hold. Test code only. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

typedef struct Input {
    const uint8_t *data;
    size_t left;
} Input;

/* 0 where the input has ended. */
unsigned fuzz_byte(Input *in);
uint32_t fuzz_number(Input *in);

/* The next bytes: at most most of them, how many is told by a byte of the input. */
const char *fuzz_bytes(Input *in, size_t most, size_t *size);

/* Ends the process with this text where it does not hold. */
void fuzz_require(int holds, const char *text);

/* How many descriptors are open. */
int fuzz_descriptors(void);

/* They must be as many again, at once or, for threads that still work, soon. */
void fuzz_require_descriptors(int count);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
