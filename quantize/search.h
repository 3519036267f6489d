/* search.h: from floats to the blocks of quant.h, with scales and minimums searched such that the weights
 * read back differ least. Formats and error measures are llama.cpp's (ggml-quants.c). Knows nothing of files,
 * tensors or threads. */
#ifndef SEARCH_H
#define SEARCH_H

#include "quant.h"

/* What quantize_rows writes: F32, F16, BF16 (rounded to nearest), Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K,
 * Q6_K. */
bool quantizer_supports(uint32_t type);

/* out: n_rows rows of quant_row_bytes(type, n_cols) bytes each, from x[n_rows, n_cols]; n_cols is a multiple
 * of the type's block.
 *
 * What is made small in each block is the sum of v_j * (x_j - what is read back)^2 over its columns j.
 * importance[n_cols], >= 0, says how much a column counts, as the mean square of what it is multiplied with;
 * NULL when nothing is known of that. Then
 *     v_j = importance_j * sqrt(s + x_j^2)       s the mean square of the row; of types in blocks of 256,
 *                                                twice that of the block
 *     v_j = r + |x_j|                            without importance; r the root mean square of the block of 32
 *     v_j = x_j^2                                without importance, Q6_K
 * These are llama.cpp's, but that it has v_j = importance_j for Q6_K: then a far weight in a column that
 * hardly counts is lost.
 *
 * `plain` asks for the reference rounding of Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 instead, scales from the
 * extremes of a block, which knows no importance: the bytes that llama.cpp and the Python package gguf write.
 * K types have none; they are searched anyway.
 *
 * A row's bytes depend on its own floats, importance and plain only: rows may be shared out in any way.
 * Values beyond 1e9, which no format reaches, count as 1e9; a scale that 16 bits do not hold becomes the
 * largest that they do. */
void quantize_rows(QuantType type, const float *x, int64_t n_rows, int n_cols, const float *importance,
    bool plain, void *out);

#endif
