/* wasm_relaxed16.c: relaxed SIMD for x86 without AVX-VNNI, which is most of it: there the dot product of
 * bytes that wasm_relaxed.c uses is five instructions, but its half, the sum of two products in 16 bits, is
 * one. So sums run in 16 bits for as long as they fit. */
#include "wasm_relaxed.h"

/* A run's largest sum: 2 * 127 * (2^bits - 1) a dot, below 2^15. */
#define RUN_DOTS(bits) ((bits) <= 4 ? 8 : (bits) == 5 ? 4 : (bits) == 6 ? 2 : 1)
#define FOUR_AT_ONCE true

INLINE void dot(v128_t *run, v128_t *isum, Weights w, Acts a, v128_t ones, bool first, bool last) {
    v128_t products = wasm_i16x8_relaxed_dot_i8x16_i7x16(a, w);
    *run = keep(first ? products : wasm_i16x8_add(*run, products));
    if (last) *isum = keep(wasm_i32x4_add(*isum, wasm_i32x4_dot_i16x8(*run, ones)));
}

#define KERNELS_RELAXED16
#define KERNEL(field, function) KERNEL_TYPE(field) function;
#include "kernels.inc"

#include "wasm_matmul.h"
#include "wasm_attend.h"

MATMUL_KERNELS(relaxed16)

ATTEND_KERNELS(relaxed16)

const Kernels kernels_relaxed16 = {
    .name = "relaxed16",
#define KERNELS_RELAXED16
#define KERNEL(field, function) .field = function,
#include "kernels.inc"
};
