/* memory.h: blocks of memory whose size is known in 64 bits, and which may be more than an address size can
 * hold (gemma_capacity). Knows no models. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* At least `bytes`, aligned to 64, contents undefined; free() frees it. NULL when the address size can't hold
 * that much, or memory is short. */
void *memory_aligned(uint64_t bytes);

/* Makes an array of *cap elements of `size` bytes hold at least n, by doubling. False when memory is short;
 * the array then stays as it is. */
bool memory_grow(void **array, int *cap, int64_t n, uint64_t size);

/* Reserve this much while sessions allocate, and free it afterwards: reading the tokens and texts of any
 * session takes memory, too. NULL: there is not that much. */
void *memory_spare(void);

#endif
