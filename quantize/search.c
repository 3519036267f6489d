/* search.c: see search.h. Gives rows to the searches (search_32.c, search_k.c), and has the plain roundings,
 * in vectors along a block; the order of their operations is that of quantize_row_*_ref in ggml. */
#include "search.h"

#include <assert.h>

#include "search_inline.h"

/* Whatever the engine reads, but for three that are only read. */
bool quantizer_supports(uint32_t type) {
    return quant_info(type) != NULL && type != QUANT_Q2_K && type != QUANT_Q3_K && type != QUANT_IQ4_NL;
}

/* ------------------------------------------------------------------------------------ plain */

/* The least and the largest of 32. */
INLINE void limits(const float *x, float *least, float *largest) {
    Lanes low = load(x), high = low;
    for (int i = LANES; i < 32; i += LANES) {
        low = at_most(load(x + i), low);
        high = at_least(load(x + i), high);
    }
    *least = -largest_lane(-low);
    *largest = largest_lane(high);
}

/* The first of those of largest magnitude. */
INLINE float furthest(const float *x) {
    float least, largest;
    limits(x, &least, &largest);
    if (-least != largest) return -least > largest ? least : largest;
    int i = 0;
    while (i < 31 && fabsf(x[i]) != largest) i++;
    return x[i];
}

/* (x - offset) * inverse + middle, cut off to integers from 0 to 15 or 31. */
INLINE void plain_codes(const float *x, float offset, float inverse, float middle, bool five_bits,
    uint8_t *block) {
    uint8_t codes[32];
    for (int i = 0; i < 32; i += LANES) {
        Lanes code = (load(x + i) - offset) * inverse + middle;
        store_codes(codes + i, at_least(at_most(code, all(five_bits ? 31 : 15)), all(0)));
    }
    write_codes(codes, five_bits, block);
}

/* Q4_0: d = the furthest / -8, q = x / d + 8.   Q5_0: 16 for 8. */
INLINE void plain_scaled(const float *x, bool five_bits, uint8_t *block) {
    float reach = five_bits ? 16 : 8, d = furthest(x) / -reach;
    store16(block, f32_to_f16(d));
    plain_codes(x, 0, d != 0 ? 1 / d : 0, reach + 0.5f, five_bits, block + 2);
}

/* Q4_1: d = (largest - least) / 15, m = least, q = (x - m) / d.   Q5_1: 31 for 15. */
INLINE void plain_offset(const float *x, bool five_bits, uint8_t *block) {
    float least, largest;
    limits(x, &least, &largest);
    float d = (largest - least) / (five_bits ? 31 : 15);
    store16(block, f32_to_f16(d));
    store16(block + 2, f32_to_f16(least));
    plain_codes(x, least, d != 0 ? 1 / d : 0, 0.5f, five_bits, block + 4);
}

/* Q8_0: d = the largest magnitude / 127, q = x / d rounded, halves away from 0. */
INLINE void plain_q8_0(const float *x, uint8_t *block) {
    float d = fabsf(furthest(x)) / 127, inverse = d != 0 ? 1 / d : 0;
    store16(block, f32_to_f16(d));
    for (int i = 0; i < 32; i += LANES) {
        Lanes code = at_least(at_most(load(x + i) * inverse, all(127)), all(-127));
        /* Half, with the sign of the code; but the float below it, which with any half makes up an integer,
         * while half would round itself up. */
        Lanes half = (Lanes)(((Mask)code & INT32_MIN) | (Mask)all(0x1.fffffep-2f));
        store_codes(block + 2 + i, code + half);
    }
}

static void plain_row(QuantType type, const float *x, int n_cols, uint8_t *row) {
    size_t bytes = quant_row_bytes(type, 32);
    for (int j = 0; j < n_cols; j += 32, row += bytes) {
        switch ((int)type) {
        case QUANT_Q4_0: plain_scaled(x + j, false, row); break;
        case QUANT_Q4_1: plain_offset(x + j, false, row); break;
        case QUANT_Q5_0: plain_scaled(x + j, true, row); break;
        case QUANT_Q5_1: plain_offset(x + j, true, row); break;
        case QUANT_Q8_0: plain_q8_0(x + j, row); break;
        }
    }
}

/* ------------------------------------------------------------------------------------ rows */

void quantize_rows(QuantType type, const float *x, int64_t n_rows, int n_cols, const float *importance,
    bool plain, void *out) {
    assert(quantizer_supports(type));
    uint8_t *row = out;
    int block = quant_info(type)->block;
    for (int64_t r = 0; r < n_rows; r++, x += n_cols, row += quant_row_bytes(type, n_cols)) {
        if (block == 1) quant_encode_row(type, x, row, n_cols);
        else if (block == 256) search_row_k(type, x, n_cols, importance, row);
        else if (plain) plain_row(type, x, n_cols, row);
        else search_row_32(type, x, n_cols, importance, row);
    }
}
