/* kv8.h: keys and values as bytes: the layout of an int8 cache, the contract between kv8_store, which writes
 * it, and the attention kernels. Knows no models or threads.
 *
 * 64 positions (ATTN_BLOCK) of one K/V head are a block of kv8_block_bytes(head_dim). In it lie panels of 16
 * rows x 32 columns of codes 1..127, 512 bytes: 32 vectors (j, v), j = 0..7 outermost, v = 0..3; byte 4r + c
 * of vector (j, v) is row 4v + r, column 4j + c.
 *
 *   keys      rows are positions, columns the head's elements: for each 16 positions, for each 32 elements
 *             a panel, followed by the scales of its 16 rows (f32, / F16E_UNIT):     k = (code - 64) * scale
 *   values    rows are the head's elements, columns positions: for each 16 elements, for each 32 positions
 *             a panel
 *   scales    [64] f32: the scale of each position's values:     v = (code - 64) * scale
 *
 * Codes of 7 bits, since the byte dot product of relaxed SIMD takes no more in its second operand. */
#ifndef KV8_H
#define KV8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KV8_COLS = 32, KV8_PANEL = 512, KV8_OFFSET = 64 };

/* 16 positions */
static inline size_t kv8_key_tile_bytes(int head_dim) {
    return (size_t)(head_dim / KV8_COLS) * (KV8_PANEL + 64);
}
static inline size_t kv8_values_at(int head_dim) { return 4 * kv8_key_tile_bytes(head_dim); }
static inline size_t kv8_scales_at(int head_dim) {
    return kv8_values_at(head_dim) + (size_t)(head_dim / 16) * 2 * KV8_PANEL;
}
static inline size_t kv8_block_bytes(int head_dim) { return kv8_scales_at(head_dim) + 64 * sizeof(float); }

/* Before the first position of a block is written: makes all its bytes codes and finite scales, since kernels
 * take 16 positions at once. */
void kv8_clear(int head_dim, uint8_t *block);

/* Writes key and value [head_dim], a multiple of 32, of position `at` (0..63) of a block. What is not finite
 * becomes scales that are not. */
void kv8_store(const float *k, const float *v, int head_dim, uint8_t *block, int at);

/* Whether all codes of a block that comes from outside are of 7 bits. Its scales may be any number. */
bool kv8_is_valid(int head_dim, const uint8_t *block);

#endif
