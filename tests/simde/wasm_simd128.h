/* wasm_simd128.h: stands in for the compiler's own header in native builds, so that sanitizers and fuzzers
 * see the WebAssembly kernels: SIMDe's plain SIMD (Debian's libsimde-dev), and the relaxed instructions in
 * use, which SIMDe 0.7.4 lacks. */
#ifndef TESTS_WASM_SIMD128_H
#define TESTS_WASM_SIMD128_H

#include <string.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/simde-common.h>
/* What is inside an instruction is SIMDe's business, and takes the compiler a minute. */
#undef SIMDE_FUNCTION_ATTRIBUTES
#define SIMDE_FUNCTION_ATTRIBUTES __attribute__((no_sanitize("undefined"))) HEDLEY_ALWAYS_INLINE static
#include <simde/wasm/simd128.h>

#ifdef __FMA__
/* The same by the processor's own instructions: the loops take ten times as long under sanitizers. FMA's
 * processors have those of SSSE3. */
#include <immintrin.h>

static inline v128_t wasm_i16x8_relaxed_dot_i8x16_i7x16(v128_t a, v128_t b) {
    if (_mm_movemask_epi8(b)) __builtin_trap();
    return _mm_maddubs_epi16(b, a);
}

static inline v128_t wasm_i32x4_relaxed_dot_i8x16_i7x16_add(v128_t a, v128_t b, v128_t c) {
    return _mm_add_epi32(c, _mm_madd_epi16(wasm_i16x8_relaxed_dot_i8x16_i7x16(a, b), _mm_set1_epi16(1)));
}

static inline v128_t wasm_i8x16_relaxed_swizzle(v128_t table, v128_t bytes) {
    if (_mm_movemask_epi8(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(15))) || _mm_movemask_epi8(bytes))
        __builtin_trap();
    return _mm_shuffle_epi8(table, bytes);
}

static inline v128_t wasm_f32x4_relaxed_madd(v128_t a, v128_t b, v128_t c) {
    return _mm_castps_si128(_mm_fmadd_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _mm_castsi128_ps(c)));
}
#else

/* c[i] + a[4i..4i+3] . b[4i..4i+3], a signed; b in 0..127, anything else differs from machine to machine and
 * is trapped. */
static inline v128_t wasm_i32x4_relaxed_dot_i8x16_i7x16_add(v128_t a, v128_t b, v128_t c) {
    int8_t a8[16], b8[16];
    int32_t c32[4];
    memcpy(a8, &a, 16);
    memcpy(b8, &b, 16);
    memcpy(c32, &c, 16);
    for (int i = 0; i < 16; i++) {
        if (b8[i] < 0) __builtin_trap();
        c32[i / 4] += a8[i] * b8[i];
    }
    memcpy(&c, c32, 16);
    return c;
}

/* i16 lane i: a[2i] * b[2i] + a[2i+1] * b[2i+1], a signed; b in 0..127. With that the sum always fits. */
static inline v128_t wasm_i16x8_relaxed_dot_i8x16_i7x16(v128_t a, v128_t b) {
    int8_t a8[16], b8[16];
    int16_t c16[8];
    memcpy(a8, &a, 16);
    memcpy(b8, &b, 16);
    for (int i = 0; i < 8; i++) {
        if (b8[2 * i] < 0 || b8[2 * i + 1] < 0) __builtin_trap();
        c16[i] = (int16_t)(a8[2 * i] * b8[2 * i] + a8[2 * i + 1] * b8[2 * i + 1]);
    }
    memcpy(&a, c16, 16);
    return a;
}

/* table[byte]; from 16 on it differs from machine to machine and is trapped. */
static inline v128_t wasm_i8x16_relaxed_swizzle(v128_t table, v128_t bytes) {
    uint8_t t[16], b[16];
    memcpy(t, &table, 16);
    memcpy(b, &bytes, 16);
    for (int i = 0; i < 16; i++) {
        if (b[i] > 15) __builtin_trap();
        b[i] = t[b[i]];
    }
    memcpy(&table, b, 16);
    return table;
}

static inline v128_t wasm_f32x4_relaxed_madd(v128_t a, v128_t b, v128_t c) {
    float a32[4], b32[4], c32[4];
    memcpy(a32, &a, 16);
    memcpy(b32, &b, 16);
    memcpy(c32, &c, 16);
    for (int i = 0; i < 4; i++) c32[i] = __builtin_fmaf(a32[i], b32[i], c32[i]);
    memcpy(&c, c32, 16);
    return c;
}
#endif

#endif
