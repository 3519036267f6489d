/* search_32.c: the searched blocks of 32 weights (drawn in quant.c), LANES of a row at a time. */
#include "search_inline.h"

INLINE bool has_offset(QuantType type) { return type == QUANT_Q4_1 || type == QUANT_Q5_1; }
INLINE float lowest_code(QuantType type) {
    return has_offset(type) ? 0 : type == QUANT_Q4_0 ? -8 : type == QUANT_Q5_0 ? -16 : -127;
}
INLINE float highest_code(QuantType type) {
    return type == QUANT_Q4_0 ? 7 : type == QUANT_Q5_1 ? 31 : type == QUANT_Q8_0 ? 127 : 15;
}

INLINE void write_block(QuantType type, const float *x, float scale, float offset, uint8_t *block) {
    uint8_t codes[32];
    uint16_t d = scale_bits(scale), m = offset_bits(offset);
    float lowest = lowest_code(type);
    float bias = type == QUANT_Q8_0 ? 0 : -lowest;
    encode(x, 32, f16_to_f32(d), has_offset(type) ? f16_to_f32(m) : 0, lowest,
        highest_code(type), bias, codes);
    store16(block, d);
    block += 2;
    if (has_offset(type)) {
        store16(block, m);
        block += 2;
    }
    if (type == QUANT_Q8_0) memcpy(block, codes, 32);
    else write_codes(codes, type == QUANT_Q5_0 || type == QUANT_Q5_1, block);
}

/* Scales, and offsets where there are such, of LANES blocks. */
INLINE Lanes search_blocks(QuantType type, const float *x, const float *importance, float row_square,
    Lanes *offset) {
    float lowest = lowest_code(type), highest = highest_code(type);
    Groups g;
    load_groups(&g, x, 32);
    count_columns(&g, 32, importance, row_square, square_root(mean_square(&g, 32)));
    scale_counts(&g, 32, largest_count(&g, 32));
    *offset = all(0);
    if (has_offset(type)) {
        Span span = normalise_span(&g, 32, false);
        Sums sums = sums_of_weights(&g, 32);
        Line line = fit_line(&g, 32, &sums, highest, all(INFINITY), highest - 2.1f, 0.3f, 11);
        *offset = span.low + line.offset * span.range;
        return line.scale * span.range;
    }
    Lanes largest = normalise(&g, 32);
    if (type == QUANT_Q8_0) return fit_scale(&g, 32, lowest, highest, highest - 6, 0.8f, 10) * largest;
    /* The largest goes where there is one code more, so that signs change. */
    return -fit_scale(&g, 32, -highest, -lowest, -lowest - 2.1f, 0.3f, 11) * largest;
}

static float mean_square_of_row(const float *x, int n) {
    Quad sum = {0}, a;
    for (int j = 0; j < n; j += 4) {
        memcpy(&a, x + j, sizeof a);
        sum += a * a;
    }
    return (sum[0] + sum[1] + sum[2] + sum[3]) / (float)n;
}

INLINE void search_row(QuantType type, const float *x, int n_cols, const float *importance, uint8_t *row) {
    size_t bytes = quant_row_bytes(type, 32);
    float row_square = importance ? mean_square_of_row(x, n_cols) : 0;
    for (int j = 0; j < n_cols; j += 32 * LANES) {
        int n_blocks = (n_cols - j) / 32 < LANES ? (n_cols - j) / 32 : LANES;
        const float *blocks = x + j, *counts = importance ? importance + j : NULL;
        float padded[32 * LANES], padded_counts[32 * LANES];
        if (n_blocks < LANES) {     /* the row's end */
            size_t live = (size_t)n_blocks * 32 * sizeof *x;
            memset(padded, 0, sizeof padded);
            memset(padded_counts, 0, sizeof padded_counts);
            blocks = memcpy(padded, blocks, live);
            if (counts) counts = memcpy(padded_counts, counts, live);
        }
        Lanes offset, scale = search_blocks(type, blocks, counts, row_square, &offset);
        for (int k = 0; k < n_blocks; k++, row += bytes)
            write_block(type, blocks + 32 * k, scale[k], offset[k], row);
    }
}

void search_row_32(QuantType type, const float *x, int n_cols, const float *importance, uint8_t *row) {
    switch ((int)type) {
    case QUANT_Q4_0: search_row(QUANT_Q4_0, x, n_cols, importance, row); break;
    case QUANT_Q4_1: search_row(QUANT_Q4_1, x, n_cols, importance, row); break;
    case QUANT_Q5_0: search_row(QUANT_Q5_0, x, n_cols, importance, row); break;
    case QUANT_Q5_1: search_row(QUANT_Q5_1, x, n_cols, importance, row); break;
    case QUANT_Q8_0: search_row(QUANT_Q8_0, x, n_cols, importance, row); break;
    }
}
