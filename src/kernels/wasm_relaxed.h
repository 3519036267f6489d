/* wasm_relaxed.h: what the two variants with relaxed SIMD share: all but their dot product. */
#ifndef WASM_RELAXED_H
#define WASM_RELAXED_H

#include "kernels.h"
#include <wasm_simd128.h>

#define MADD wasm_f32x4_relaxed_madd
#include "wasm_inline.h"

/* The dot product's second operand must stay within 0..127 to mean the same on every machine, so codes are
 * dotted with their offset in, and codes of 8 bits in two halves. The lookup, for the same reason, takes
 * indices of 0..15 only; it saves the clamping. */
#define SPLIT_8 true
#define LOOKUP wasm_i8x16_relaxed_swizzle
typedef v128_t Weights;
typedef v128_t Acts;
typedef const int8_t *Staged;

INLINE Weights weights(v128_t codes) { return codes; }
INLINE Staged stage(const ActBlock *x) { return x->q; }
INLINE Acts acts(const Staged *q, size_t j) { return keep(wasm_v128_load32_splat(*q + 4 * j)); }

#endif
