/* wasm_relaxed.c: the kernels that gain from relaxed SIMD (https://github.com/WebAssembly/relaxed-simd): a dot product of bytes,
 * one instruction where the CPU has VNNI or SDOT, and a fused multiply-add. The other ops use wasm_simd128.c's. */
#include "kernels.h"
#include <wasm_simd128.h>

#define MADD wasm_f32x4_relaxed_madd
#include "wasm_inline.h"

/* The dot product's second operand must stay within 0..127 to mean the same on every machine, so codes are dotted with their
 * offset in, and codes of 8 bits in two halves. */
#define SPLIT_8 true
#define RUN_DOTS(bits) 1
typedef v128_t Weights;
typedef v128_t Acts;
typedef const int8_t *Staged;

INLINE Weights weights(v128_t codes) { return codes; }
INLINE Staged stage(const ActBlock *x) { return x->q; }
INLINE Acts acts(const Staged *q, size_t j) { return keep(wasm_v128_load32_splat(*q + 4 * j)); }
INLINE void dot(v128_t *run, v128_t *isum, Weights w, Acts a, v128_t ones, bool first, bool last) {
    (void)run, (void)ones, (void)first, (void)last;
    *isum = keep(wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w, *isum));
}

#include "wasm_attend.h"
#include "wasm_matmul.h"

#define KERNEL(field, scalar, simd128, relaxed, relaxed16) KERNEL_TYPE(field) relaxed;
#include "kernels.inc"

MATMUL_KERNELS(relaxed)

ATTEND_KERNELS(relaxed)

const Kernels kernels_relaxed = {
    .name = "relaxed",
#define KERNEL(field, scalar, simd128, relaxed, relaxed16) .field = relaxed,
#include "kernels.inc"
};
