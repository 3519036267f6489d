/* memory.c: see memory.h. */
#include "memory.h"

#include <stdlib.h>

#include "gemma.h"

/* How far memory may grow beyond the plan (SLACK in web/engine/instance.js): no plan is exact. */
static const uint64_t GROWTH = 64u << 20;

/* The largest memories that wasm/build.mk links: all that 32 bits address, and what browsers give to
 * memory64. A single block may be all of it: emmalloc takes sizes to 2^32 - 57, of which it adds 8 bytes
 * itself, and dlmalloc to 2^64 less some hundred. (emmalloc asks for memory in 64 bits and compares sizes
 * unsigned. dlmalloc, as a 32-bit program, stops at 2^31.) */
uint64_t gemma_capacity(int address_bits) {
    return (address_bits == 32 ? (uint64_t)4 << 30 : (uint64_t)16 << 30) - GROWTH;
}

void *memory_aligned(uint64_t bytes) {
    enum { ALIGNMENT = 64 };
    if (bytes > gemma_capacity(8 * sizeof(void *))) return NULL;
    return aligned_alloc(ALIGNMENT, ((size_t)bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

bool memory_grow(void **array, int *cap, int64_t n, uint64_t size) {
    if (n <= *cap) return true;
    int64_t more = *cap < 16 ? 16 : 2 * (int64_t)*cap;
    if (more < n) more = n;
    if (more > INT32_MAX || (uint64_t)more * size > SIZE_MAX / 2) return false;
    void *bigger = realloc(*array, (size_t)((uint64_t)more * size));
    if (!bigger) return false;
    *array = bigger;
    *cap = (int)more;
    return true;
}

void *memory_spare(void) {
    enum { SPARE = 256 << 10 };
    return malloc(SPARE);
}
