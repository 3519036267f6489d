/* wasm_relaxed.c: the kernels that gain from relaxed SIMD (https://github.com/WebAssembly/relaxed-simd): a
 * dot product of bytes, one instruction where the CPU has VNNI or SDOT, and a fused multiply-add. The other
 * ops use wasm_simd128.c's. */
#include "wasm_relaxed.h"

#define RUN_DOTS(bits) 1
#define FOUR_AT_ONCE false

INLINE void dot(v128_t *run, v128_t *isum, Weights w, Acts a, v128_t ones, bool first, bool last) {
    (void)run, (void)ones, (void)first, (void)last;
    *isum = keep(wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w, *isum));
}

#define KERNELS_RELAXED
#define KERNEL(field, function) KERNEL_TYPE(field) function;
#include "kernels.inc"

#include "wasm_matmul.h"
#include "wasm_attend.h"

MATMUL_KERNELS(relaxed)

ATTEND_KERNELS(relaxed)

const Kernels kernels_relaxed = {
    .name = "relaxed",
#define KERNELS_RELAXED
#define KERNEL(field, function) .field = function,
#include "kernels.inc"
};
