/* wasm_inline.h: small vector functions that the WebAssembly variants share. Knows no ops.
 *
 * The including file first defines MADD(a, b, c), its a * b + c on f32x4. */
#ifndef WASM_INLINE_H
#define WASM_INLINE_H

#include <float.h>
#include <string.h>
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))

/* Before a loop of constant length: unroll it wholly. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

/* The value itself, but LLVM can neither move its computation across the next keep() nor merge it. Without
 * this the dot products of one accumulator are sorted into one serial chain, up to twice as slow. */
INLINE v128_t keep(v128_t v) {
#ifdef __wasm__
    __asm__ volatile("" : "+r"(v));
#endif
    return v;
}

/* The pointer itself, of origin unknown to LLVM: loads at constant distances from it then become loads with
 * an offset, where loop-strength reduction would compute each address apart. */
INLINE const void *keep_pointer(const void *p) {
#ifdef __wasm__
    __asm__ volatile("" : "+r"(p));
#endif
    return p;
}

/* Prefetches the cache line at p by a load whose value is not used. */
INLINE void prefetch(const uint8_t *p) {
#ifdef __wasm__
    keep(wasm_v128_load32_zero(p));
#else
    (void)p;
#endif
}

/* A constant in all lanes, read from memory: V8 builds an ordinary v128 constant anew, in three instructions,
 * at each use, but keeps a loaded one in a register. */
INLINE v128_t hidden_i32(int32_t value) {
    volatile int32_t memory = value;
    return wasm_i32x4_splat(memory);
}
INLINE v128_t hidden_f32(float value) {
    volatile float memory = value;
    return wasm_f32x4_splat(memory);
}

/* ------------------------------------------------------------------------------------------ halves */

/* The value to pass to read_f16 as `mask`. */
enum { F16_MASK = (int)0x8fffffff };

/* Four halves, with their exponents read in f32's bias: f16 needs a factor of 2^112, f16e of F16E_UNIT.
 * Infinity and NaN become finite numbers of 65536 and more (in f16). */
INLINE v128_t read_f16(const void *p, v128_t mask) {
    return wasm_v128_and(wasm_i32x4_shl(wasm_i32x4_load16x4(p), 13), mask);
}
#define F16_UNIT 0x1p112f

/* ------------------------------------------------------------------------------------------ any length */

/* x[0..3], zeros beyond n. */
INLINE v128_t load_up_to_4(const float *x, int n) {
    if (n >= 4) return wasm_v128_load(x);
    float part[4] = {0};
    memcpy(part, x, (size_t)n * sizeof *x);
    return wasm_v128_load(part);
}

INLINE void store_up_to_4(float *y, v128_t v, int n) {
    if (n >= 4) {
        wasm_v128_store(y, v);
        return;
    }
    float part[4];
    wasm_v128_store(part, v);
    memcpy(y, part, (size_t)n * sizeof *y);
}

/* ------------------------------------------------------------------------------------------ across lanes */

/* (sum of a, sum of b, sum of c, sum of d) */
INLINE v128_t sum_lanes_of_4(v128_t a, v128_t b, v128_t c, v128_t d) {
    v128_t ab = wasm_f32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    v128_t cd = wasm_f32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    return wasm_f32x4_add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

INLINE float sum_lanes(v128_t v) {
    v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1);
}

INLINE float max_lanes(v128_t v) {
    v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2));
    return wasm_f32x4_extract_lane(v, 0);
}

/* ------------------------------------------------------------------------------------------ functions */

/* Constants of the functions below; load once, before the loop. */
typedef struct { v128_t low, high, log2_e, round, ln2_high, ln2_low, c[6], one, two; } ExpConstants;

INLINE ExpConstants exp_constants(void) {
    return (ExpConstants){
        .low = hidden_f32(-87), .high = hidden_f32(88),
        .log2_e = hidden_f32(1.44269504088896341f),
        .round = hidden_f32(0x1.8p23f),             /* adding it leaves the rounded number in the low bits */
        /* n * high is exact */
        .ln2_high = hidden_f32(-0.693359375f), .ln2_low = hidden_f32(2.12194440e-4f),
        .c = {hidden_f32(1.9875691500e-4f), hidden_f32(1.3981999507e-3f), hidden_f32(8.3334519073e-3f),
              hidden_f32(4.1665795894e-2f), hidden_f32(1.6666665459e-1f), hidden_f32(5.0000001201e-1f)},
        .one = hidden_f32(1), .two = hidden_f32(2),
    };
}

/* e^x to 2 ulp: 2^n * e^r with n = round(x / ln 2), e^r by the polynomial of Cephes' expf. Below -87 it is 0,
 * above 88 it is e^88; NaN stays. */
INLINE v128_t exp_f32x4(v128_t x, const ExpConstants *k) {
    v128_t tiny = wasm_f32x4_lt(x, k->low);
    x = wasm_f32x4_pmin(wasm_f32x4_pmax(x, k->low), k->high);
    v128_t shifted = MADD(x, k->log2_e, k->round), n = wasm_f32x4_sub(shifted, k->round);
    v128_t r = MADD(n, k->ln2_low, MADD(n, k->ln2_high, x)), p = k->c[0];
    UNROLL for (int i = 1; i < 6; i++) p = MADD(p, r, k->c[i]);
    p = MADD(p, wasm_f32x4_mul(r, r), wasm_f32x4_add(r, k->one));
    return wasm_v128_andnot(wasm_i32x4_add(p, wasm_i32x4_shl(shifted, 23)), tiny);
}

/* tanh x = 1 - 2 / (e^2x + 1), to 2e-7 absolute. */
INLINE v128_t tanh_f32x4(v128_t x, const ExpConstants *k) {
    v128_t e = exp_f32x4(wasm_f32x4_add(x, x), k);
    return wasm_f32x4_sub(k->one, wasm_f32x4_div(k->two, wasm_f32x4_add(e, k->one)));
}

#endif
