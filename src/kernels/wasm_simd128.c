/* wasm_simd128.c: the kernels in plain WebAssembly SIMD, for engines without relaxed SIMD (Safari). Also the
 * ops that gain nothing from it, which both variants use. */
#include <math.h>

#include "kernels.h"
#include <wasm_simd128.h>

#define MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#include "wasm_inline.h"

/* There is no dot product of bytes, but one of pairs of 16-bit integers. So a quad of bytes is taken as its
 * even and its odd bytes, which costs an AND and a shift:
 *
 *     codes   k0 k1 k2 k3 | ...     even   k0  k2 | ...     odd   k1  k3 | ...      each 16 bits
 */
#define SPLIT_8 false
#define RUN_DOTS(bits) 1
#define FOUR_AT_ONCE false
#define LOOKUP wasm_i8x16_swizzle
typedef struct { v128_t even, odd; } Weights;
typedef struct { v128_t even, odd; } Acts;
/* Pairs (k0, k2), (k4, k6) .. (k28, k30), then (k1, k3) .. (k29, k31). */
typedef struct { int32_t even[8], odd[8]; } Staged;

INLINE Weights weights(v128_t codes) {
    return (Weights){wasm_v128_and(codes, wasm_i16x8_splat(0x00ff)), wasm_u16x8_shr(codes, 8)};
}
INLINE Staged stage(const ActBlock *x) {
    Staged s;
    for (int half = 0; half < 2; half++) {
        v128_t q = wasm_v128_load(x->q + 16 * half);
        wasm_v128_store(s.even + 4 * half, wasm_i16x8_shr(wasm_i16x8_shl(q, 8), 8));
        wasm_v128_store(s.odd + 4 * half, wasm_i16x8_shr(q, 8));
    }
    return s;
}
INLINE Acts acts(const Staged *s, size_t j) {
    return (Acts){keep(wasm_v128_load32_splat(s->even + j)), keep(wasm_v128_load32_splat(s->odd + j))};
}
INLINE void dot(v128_t *run, v128_t *isum, Weights w, Acts a, v128_t ones, bool first, bool last) {
    (void)run, (void)ones, (void)first, (void)last;
    *isum = keep(wasm_i32x4_add(*isum, wasm_i32x4_dot_i16x8(w.even, a.even)));
    *isum = keep(wasm_i32x4_add(*isum, wasm_i32x4_dot_i16x8(w.odd, a.odd)));
}

#define KERNELS_SIMD128
#define KERNEL(field, function) KERNEL_TYPE(field) function;
#include "kernels.inc"

#include "wasm_matmul.h"
#include "wasm_attend.h"

MATMUL_KERNELS(simd128)

ATTEND_KERNELS(simd128)

/* ------------------------------------------------------------------------------------------ vectors */

/* Roundings as in quantize_scalar, which gives the same bytes. */
void quantize_simd128(const float *x, ActBlock *out, int n) {
    v128_t magnitude = hidden_i32(0x7fffffff), round = hidden_f32(0x1.8p23f), ones = hidden_i32(0x00010001);
    for (int b = 0; b < n / BLOCK_COLS; b++, x += BLOCK_COLS, out++) {
        /* Magnitudes compare as integers: NaN above infinity above all numbers. */
        v128_t max4 = wasm_i32x4_splat(0);
        for (int i = 0; i < BLOCK_COLS; i += 4)
            max4 = wasm_i32x4_max(max4, wasm_v128_and(wasm_v128_load(x + i), magnitude));
        max4 = wasm_i32x4_max(max4, wasm_i32x4_shuffle(max4, max4, 2, 3, 0, 1));
        max4 = wasm_i32x4_max(max4, wasm_i32x4_shuffle(max4, max4, 1, 0, 3, 2));
        float max = wasm_f32x4_extract_lane(max4, 0);
        *out = (ActBlock){.scale = 0};
        if (max < QUANTIZE_TINY) continue;
        out->scale = max / 127 * F16E_UNIT;
        if (!isfinite(max)) continue;

        v128_t inverse = wasm_f32x4_splat(127 / max), q16[4];
        for (int i = 0; i < 4; i++) {
            v128_t q[2];
            for (int half = 0; half < 2; half++) {
                v128_t scaled = wasm_f32x4_mul(wasm_v128_load(x + 8 * i + 4 * half), inverse);
                /* the low bits hold the rounded number */
                q[half] = wasm_i32x4_sub(wasm_f32x4_add(scaled, round), round);
            }
            q16[i] = wasm_i16x8_narrow_i32x4(q[0], q[1]);
        }
        for (int half = 0; half < 2; half++) {
            wasm_v128_store(out->q + 16 * half, wasm_i8x16_narrow_i16x8(q16[2 * half], q16[2 * half + 1]));
            v128_t sum = wasm_i32x4_dot_i16x8(wasm_i16x8_add(q16[2 * half], q16[2 * half + 1]), ones);
            sum = wasm_i32x4_add(sum, wasm_i32x4_shuffle(sum, sum, 2, 3, 0, 1));
            out->sum[half] = wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1);
        }
        v128_t squares = wasm_i32x4_splat(0);
        for (int i = 0; i < 4; i++) squares = wasm_i32x4_add(squares, wasm_i32x4_dot_i16x8(q16[i], q16[i]));
        squares = wasm_i32x4_add(squares, wasm_i32x4_shuffle(squares, squares, 2, 3, 0, 1));
        out->squares = wasm_i32x4_extract_lane(squares, 0) + wasm_i32x4_extract_lane(squares, 1);
    }
}

void rms_norm_simd128(const float *x, const float *weight, float *y, int n, float eps) {
    v128_t sum[4] = {wasm_f32x4_splat(0), wasm_f32x4_splat(0), wasm_f32x4_splat(0), wasm_f32x4_splat(0)};
    for (int i = 0; i < n; i += 16)
        for (int j = 0; j < 4 && i + 4 * j < n; j++) {
            v128_t v = load_up_to_4(x + i + 4 * j, n - i - 4 * j);
            sum[j] = MADD(v, v, sum[j]);
        }
    float total = sum_lanes(wasm_f32x4_add(wasm_f32x4_add(sum[0], sum[1]), wasm_f32x4_add(sum[2], sum[3])));
    v128_t inverse = wasm_f32x4_splat(1 / sqrtf(total / (float)n + eps));
    for (int i = 0; i < n; i += 4) {
        v128_t v = wasm_f32x4_mul(load_up_to_4(x + i, n - i), inverse);
        store_up_to_4(y + i, wasm_f32x4_mul(v, load_up_to_4(weight + i, n - i)), n - i);
    }
}

void rope_simd128(float *x, int n_head, int head_dim, const float *cos_sin) {
    int half = head_dim / 2;
    for (int h = 0; h < n_head; h++, x += head_dim)
        for (int i = 0; i < half; i += 4) {
            int n = half - i;
            v128_t a = load_up_to_4(x + i, n), b = load_up_to_4(x + half + i, n);
            v128_t c = load_up_to_4(cos_sin + i, n), s = load_up_to_4(cos_sin + half + i, n);
            store_up_to_4(x + i, wasm_f32x4_sub(wasm_f32x4_mul(a, c), wasm_f32x4_mul(b, s)), n);
            store_up_to_4(x + half + i, wasm_f32x4_add(wasm_f32x4_mul(a, s), wasm_f32x4_mul(b, c)), n);
        }
}

/* x/2 * (1 + tanh u) = x / (1 + e^-2u) */
void geglu_simd128(float *gate, const float *up, int n) {
    ExpConstants e = exp_constants();
    /* sqrt(2 / pi) */
    v128_t linear = hidden_f32(-2 * 0.797884560802865f),
        cubic = hidden_f32(-2 * 0.797884560802865f * 0.044715f);
    for (int i = 0; i < n; i += 4) {
        v128_t x = load_up_to_4(gate + i, n - i);
        v128_t minus_2u = wasm_f32x4_mul(x, MADD(wasm_f32x4_mul(x, x), cubic, linear));
        v128_t gelu = wasm_f32x4_div(x, wasm_f32x4_add(e.one, exp_f32x4(minus_2u, &e)));
        store_up_to_4(gate + i, wasm_f32x4_mul(gelu, load_up_to_4(up + i, n - i)), n - i);
    }
}

void add_simd128(float *y, const float *x, int n) {
    for (int i = 0; i < n; i += 4)
        store_up_to_4(y + i, wasm_f32x4_add(load_up_to_4(y + i, n - i), load_up_to_4(x + i, n - i)), n - i);
}

void softcap_simd128(float *x, int n, float cap) {
    ExpConstants e = exp_constants();
    v128_t cap4 = wasm_f32x4_splat(cap), inverse = wasm_f32x4_splat(1 / cap);
    for (int i = 0; i < n; i += 4) {
        v128_t v = tanh_f32x4(wasm_f32x4_mul(load_up_to_4(x + i, n - i), inverse), &e);
        store_up_to_4(x + i, wasm_f32x4_mul(v, cap4), n - i);
    }
}

/* Step by step as quant.c's f32_to_f16. */
void to_f16_simd128(const float *x, uint16_t *out, int n) {
    v128_t magnitude = hidden_i32(0x7fffffff), one = hidden_i32(1), bias = hidden_i32(0xfff - (112 << 23)),
        half = hidden_f32(0.5f);
    v128_t first_normal = hidden_i32(0x38800000), infinity = hidden_i32(0x7f800000),
        h_infinity = hidden_i32(0x7c00), h_nan = hidden_i32(0x7e00);
    for (int i = 0; i < n; i += 4) {
        v128_t f = load_up_to_4(x + i, n - i), rest = wasm_v128_and(f, magnitude);
        v128_t odd = wasm_v128_and(wasm_u32x4_shr(rest, 13), one);
        v128_t normal = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_add(rest, bias), odd), 13);
        /* Below 2^-14 a f16 counts units of 2^-24, which is the last bit of a float in [0.5, 1): the addition
         * rounds. */
        v128_t small = wasm_i32x4_sub(wasm_f32x4_add(rest, half), half);
        v128_t h = wasm_v128_bitselect(small, normal, wasm_i32x4_lt(rest, first_normal));
        h = wasm_v128_bitselect(h_nan, wasm_i32x4_min(h, h_infinity), wasm_i32x4_gt(rest, infinity));
        h = wasm_v128_or(h, wasm_i32x4_shl(wasm_u32x4_shr(f, 31), 15));
        h = wasm_u16x8_narrow_i32x4(h, h);
        if (n - i >= 4) {
            wasm_v128_store64_lane(out + i, h, 0);
        } else {
            uint16_t four[8];
            wasm_v128_store(four, h);
            memcpy(out + i, four, (size_t)(n - i) * sizeof *out);
        }
    }
}

/* The largest value first, then where it is: NaN loses every comparison in both. */
int argmax_simd128(const float *x, int n) {
    v128_t max[4];
    for (int j = 0; j < 4; j++) max[j] = wasm_f32x4_splat(-INFINITY);
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 4; j++) max[j] = wasm_f32x4_pmax(max[j], wasm_v128_load(x + i + 4 * j));
    float largest = max_lanes(wasm_f32x4_pmax(wasm_f32x4_pmax(max[0], max[1]),
        wasm_f32x4_pmax(max[2], max[3])));
    for (; i < n; i++)
        if (x[i] > largest) largest = x[i];
    for (i = 0; i + 4 <= n; i += 4)
        if (wasm_v128_any_true(wasm_f32x4_eq(wasm_v128_load(x + i), wasm_f32x4_splat(largest)))) break;
    for (; i < n; i++)
        if (x[i] == largest) return i;
    return 0;
}

/* ------------------------------------------------------------------------------------------ the table */

const Kernels kernels_simd128 = {
    .name = "simd128",
#define KERNELS_SIMD128
#define KERNEL(field, function) .field = function,
#include "kernels.inc"
};
