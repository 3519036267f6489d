/* search_inline.h: what the searches of search_32.c and search_k.c share: groups of weights side by side, one
 * in each lane of a vector. No sum ever crosses lanes, so a result does not depend on how many of them the
 * machine has. Everything is inlined with constant numbers of weights and codes. Knows no block formats.
 *
 * A group is searched in its own unit, in which its weights reach to 1. So no sum overflows, for any
 * weights. */
#ifndef SEARCH_INLINE_H
#define SEARCH_INLINE_H

#include <math.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "quant.h"

/* One row of a type in blocks of 32 and of 256; arguments as in search.h. */
void search_row_32(QuantType type, const float *x, int n_cols, const float *importance, uint8_t *row);
void search_row_k(QuantType type, const float *x, int n_cols, const float *importance, uint8_t *row);

#define INLINE static inline __attribute__((always_inline))

/* ------------------------------------------------------------------------------------ lanes */

#ifdef __AVX__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float Lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t Mask __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef uint8_t Bytes __attribute__((vector_size(LANES * sizeof(float))));
typedef uint8_t BytesOf4 __attribute__((vector_size(4 * sizeof(float))));
typedef float Quad __attribute__((vector_size(4 * sizeof(float))));
typedef int32_t MaskOf4 __attribute__((vector_size(4 * sizeof(int32_t))));

INLINE Lanes all(float f) { return (Lanes){0} + f; }

/* a < b ? then : otherwise */
INLINE Lanes if_less(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
    Mask less = a < b;
    return (Lanes)((less & (Mask)then) | (~less & (Mask)otherwise));
}

/* The limit if a is no number. Compilers do not see that if_less would do, which costs a third of the
 * speed. */
INLINE Lanes at_most(Lanes a, Lanes limit) {
#if defined(__AVX__)
    return _mm256_min_ps(a, limit);
#elif defined(__x86_64__)
    return _mm_min_ps(a, limit);
#else
    return if_less(a, limit, a, limit);
#endif
}

INLINE Lanes at_least(Lanes a, Lanes limit) {
#if defined(__AVX__)
    return _mm256_max_ps(a, limit);
#elif defined(__x86_64__)
    return _mm_max_ps(a, limit);
#else
    return if_less(limit, a, a, limit);
#endif
}

INLINE Lanes magnitude(Lanes a) { return (Lanes)((Mask)a & 0x7fffffff); }

INLINE Lanes square_root(Lanes a) {
    for (int k = 0; k < LANES; k++) a[k] = sqrtf(a[k]);
    return a;
}

/* 1 / a; 0 for 0. */
INLINE Lanes inverse_of(Lanes a) { return if_less(all(0), magnitude(a), 1 / a, all(0)); }

INLINE Quad larger(Quad a, Quad b) {
    MaskOf4 more = a > b;
    return (Quad)((more & (MaskOf4)a) | (~more & (MaskOf4)b));
}

INLINE float largest_lane(Lanes a) {
    Quad first = __builtin_shufflevector(a, a, 0, 1, 2, 3);
    Quad last = __builtin_shufflevector(a, a, LANES - 4, LANES - 3, LANES - 2, LANES - 1);
    Quad q = larger(first, last);
    q = larger(q, __builtin_shufflevector(q, q, 2, 3, 0, 1));
    q = larger(q, __builtin_shufflevector(q, q, 1, 0, 3, 2));
    return q[0];
}

/* a + ROUNDER - ROUNDER is a rounded to the nearest integer for magnitudes below 2^22; others stay beyond
 * every limit of a code. */
#define ROUNDER 0x1.8p23f
INLINE Lanes code_of(Lanes a, float lowest, float highest) {
    return at_least(at_most(a + ROUNDER - ROUNDER, all(highest)), all(lowest));
}

/* ------------------------------------------------------------------------------------ groups */

enum { MAX_GROUP = 32 };

typedef struct {
    Lanes x[MAX_GROUP];     /* the weights: weight i of each group */
    Lanes v[MAX_GROUP];     /* how much they count */
} Groups;

/* to[i]: float i of each of the LANES groups of n that stand one after the other at x. */
INLINE void load_lanes(Lanes *to, const float *x, int n) {
    for (int k = 0; k < LANES; k += 4) {
        for (int i = 0; i < n; i += 4) {
            Quad row[4], column[4];
            for (int r = 0; r < 4; r++) memcpy(&row[r], x + (k + r) * n + i, sizeof row[r]);
            Quad ab01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5),
                cd01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
            Quad ab23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5),
                cd23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
            column[0] = __builtin_shufflevector(ab01, ab23, 0, 1, 4, 5);
            column[1] = __builtin_shufflevector(ab01, ab23, 2, 3, 6, 7);
            column[2] = __builtin_shufflevector(cd01, cd23, 0, 1, 4, 5);
            column[3] = __builtin_shufflevector(cd01, cd23, 2, 3, 6, 7);
            for (int c = 0; c < 4; c++) memcpy((float *)(to + i + c) + k, &column[c], sizeof column[c]);
        }
    }
}

#define BEYOND 1e9f         /* no format reaches it */

INLINE void load_groups(Groups *g, const float *x, int n) {
    load_lanes(g->x, x, n);
    for (int i = 0; i < n; i++) g->x[i] = at_least(at_most(g->x[i], all(BEYOND)), all(-BEYOND));
}

INLINE Lanes mean_square(const Groups *g, int n) {
    Lanes sum = {0};
    for (int i = 0; i < n; i++) sum += g->x[i] * g->x[i];
    return sum / (float)n;
}

/* v = importance * sqrt(s + x^2), or r + |x|. */
INLINE void count_columns(Groups *g, int n, const float *importance, float s, Lanes r) {
    if (importance) load_lanes(g->v, importance, n);
    for (int i = 0; i < n; i++) g->v[i] = importance ? g->v[i] * square_root(s + g->x[i] * g->x[i])
        : r + magnitude(g->x[i]);
}

INLINE Lanes largest_count(const Groups *g, int n) {
    Lanes largest = {0};
    for (int i = 0; i < n; i++) largest = at_least(g->v[i], largest);
    return largest;
}

/* Divides by `largest`, and lets nothing count for less than a millionth of that, so that a group gets a
 * sensible scale even if none of its columns counts; nor for more, should 1 / largest be infinite. */
INLINE void scale_counts(Groups *g, int n, Lanes largest) {
    Lanes inverse = inverse_of(largest);
    for (int i = 0; i < n; i++) g->v[i] = at_least(at_most(g->v[i] * inverse, all(1)), all(1e-6f));
}

#define NOTHING 0x1p-30f    /* no format has a scale of that size: the least one is 2^-24 */

/* ------------------------------------------------------------------------------------ x = scale * code */

/* Divides the weights by the one of largest magnitude, the first of these, and returns it; 0 where all are
 * next to nothing. */
INLINE Lanes normalise(Groups *g, int n) {
    Lanes largest = {0}, size = all(NOTHING);
    for (int i = 0; i < n; i++) {
        Lanes a = magnitude(g->x[i]);
        largest = if_less(size, a, g->x[i], largest);
        size = at_least(a, size);
    }
    Lanes inverse = inverse_of(largest);
    for (int i = 0; i < n; i++) g->x[i] *= inverse;
    return largest;
}

/* Takes the least squares scale of the codes that `inverse` leads to, xc / cc, which lowers the error by xc^2
 * / cc, if that is better. */
INLINE void try_scale(const Groups *g, int n, Lanes inverse, float lowest, float highest, Lanes *scale,
    Lanes *gain) {
    Lanes xc = {0}, cc = {0};
    for (int i = 0; i < n; i++) {
        Lanes code = code_of(g->x[i] * inverse, lowest, highest), vc = g->v[i] * code;
        xc += vc * g->x[i];
        cc += vc * code;
    }
    Lanes fitted = xc / at_least(cc, all(1e-30f)), its_gain = fitted * xc;
    *scale = if_less(*gain, its_gain, fitted, *scale);
    *gain = at_least(its_gain, *gain);
}

/* A normalised group's scale. The largest weight gets `steps` codes from `first` on in turn, be they between
 * two codes or beyond. The first of these is well below the last code: a step a little too wide is often made
 * good by how the weights happen to lie. */
INLINE Lanes fit_scale(const Groups *g, int n, float lowest, float highest, float first,
    float step, int steps) {
    Lanes scale = {0}, gain = {0};
    for (int k = 0; k < steps; k++) try_scale(g, n, all(first + step * (float)k), lowest, highest,
        &scale, &gain);
    try_scale(g, n, inverse_of(scale), lowest, highest, &scale, &gain);
    return scale;
}

/* ------------------------------------------------------------------------------------ x = scale * code + offset */

typedef struct {
    Lanes low, range;       /* the weights were low + range * (those of the group, from 0 to 1) */
} Span;

/* With `from_zero` low is at most 0. */
INLINE Span normalise_span(Groups *g, int n, bool from_zero) {
    Lanes low = g->x[0], high = g->x[0];
    for (int i = 1; i < n; i++) {
        low = at_most(g->x[i], low);
        high = at_least(g->x[i], high);
    }
    if (from_zero) low = at_most(low, all(0));
    /* Less than an offset of 16 bits tells apart is no range. */
    Lanes least = at_least(at_least(magnitude(low), magnitude(high)) * 1e-5f, all(NOTHING));
    Span s = {low, at_least(high - low, least)};
    Lanes inverse = 1 / s.range;
    for (int i = 0; i < n; i++) g->x[i] = (g->x[i] - low) * inverse;
    return s;
}

/* Of the weights x, codes c and counts v, what least squares need: names are products summed. */
typedef struct {
    Lanes v, vx, vxx, vc, vcc, vcx;
} Sums;

INLINE Sums sums_of_weights(const Groups *g, int n) {
    Sums s = {0};
    for (int i = 0; i < n; i++) {
        Lanes vx = g->v[i] * g->x[i];
        s.v += g->v[i];
        s.vx += vx;
        s.vxx += vx * g->x[i];
    }
    return s;
}

/* The codes are those that offset and inverse (of the scale) lead to. */
INLINE void sum_codes(Sums *s, const Groups *g, int n, Lanes offset, Lanes inverse, float highest) {
    s->vc = s->vcc = s->vcx = all(0);
    for (int i = 0; i < n; i++) {
        Lanes code = code_of((g->x[i] - offset) * inverse, 0, highest), vc = g->v[i] * code;
        s->vc += vc;
        s->vcc += vc * code;
        s->vcx += vc * g->x[i];
    }
}

typedef struct {
    Lanes scale, offset, error;
} Line;

/* Takes the least squares line, if it is better: from the two normal equations, or through the largest offset
 * that is allowed. Where all codes that count are the same, the determinant is nothing but rounding; such
 * lines start from the least weight. */
INLINE void try_line(const Sums *s, Lanes largest_offset, Line *best) {
    Lanes determinant = s->v * s->vcc - s->vc * s->vc,
        fitted = (s->vcc * s->vx - s->vc * s->vcx) / determinant;
    Lanes offset = at_most(if_less(1e-5f * s->v * s->vcc, determinant, fitted, all(0)), largest_offset);
    Lanes scale = (s->vcx - offset * s->vc) / at_least(s->vcc, all(1e-30f));
    Lanes error = s->vxx + scale * (scale * s->vcc + 2 * (offset * s->vc - s->vcx))
        + offset * (offset * s->v - 2 * s->vx);
    best->scale = if_less(error, best->error, scale, best->scale);
    best->offset = if_less(error, best->error, offset, best->offset);
    best->error = at_most(error, best->error);
}

/* A normalised group's scale and offset, by the same search. *s are the sums of its weights. */
INLINE Line fit_line(const Groups *g, int n, Sums *s, float highest, Lanes largest_offset, float first,
    float step, int steps) {
    Line best = {all(0), at_most(s->vx / s->v, largest_offset), s->vxx};
    for (int k = 0; k < steps; k++) {
        sum_codes(s, g, n, all(0), all(first + step * (float)k), highest);
        try_line(s, largest_offset, &best);
    }
    for (int k = 0; k < 2; k++) {
        sum_codes(s, g, n, best.offset, inverse_of(best.scale), highest);
        try_line(s, largest_offset, &best);
    }
    return best;
}

/* ------------------------------------------------------------------------------------ into the block */

/* As far as 16 bits reach. */
INLINE uint16_t offset_bits(float m) { return f32_to_f16(fminf(fmaxf(m, -65504), 65504)); }

/* Scales of a few units of 2^-24, the smallest that there are, are rounded up: rounded down by half, or to
 * nothing, they would cut weights off. */
INLINE uint16_t scale_bits(float d) {
    if (fabsf(d) < 0x1p-21f) d = copysignf(ceilf(fabsf(d) * 0x1p24f) * 0x1p-24f, d);
    return offset_bits(d);
}

INLINE Lanes load(const float *x) {
    Lanes a;
    memcpy(&a, x, sizeof a);
    return a;
}

/* Numbers from -128 to 255, cut off to integers. */
INLINE void store_codes(uint8_t *codes, Lanes a) {
    Bytes b = (Bytes)__builtin_convertvector(a, Mask);
    for (int k = 0; k < LANES / 4; k++) {
        BytesOf4 four;
        memcpy(&four, (uint8_t *)&b + 16 * k, sizeof four);
        four = __builtin_shufflevector(four, four, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
        memcpy(codes + 4 * k, &four, 4);
    }
}

/* codes[n] = (x - offset) / d rounded, from `lowest` to `highest`, plus bias; those of 0 if d is 0. */
INLINE void encode(const float *x, int n, float d, float offset, float lowest, float highest, float bias,
    uint8_t *codes) {
    float inverse = d != 0 ? 1 / d : 0;
    for (int i = 0; i < n; i += LANES)
        store_codes(codes + i, code_of((load(x + i) - offset) * inverse, lowest, highest) + bias);
}

INLINE void store16(uint8_t *p, uint16_t h) {
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

/* 32 codes of 4 or 5 bits, as the blocks of 32 hold them: fifth bits (if there are), then code j beside code
 * j + 16. */
INLINE void write_codes(const uint8_t codes[32], bool five_bits, uint8_t *block) {
    uint64_t eight[4];
    memcpy(eight, codes, sizeof eight);
    for (int i = 0; i < 4 && five_bits; i++) *block++ = (uint8_t)
        ((eight[i] >> 4 & 0x0101010101010101) * 0x0102040810204080 >> 56);
    for (int i = 0; i < 2; i++) {
        uint64_t pairs = (eight[i] & 0x0f0f0f0f0f0f0f0f) | (eight[i + 2] & 0x0f0f0f0f0f0f0f0f) << 4;
        memcpy(block + 8 * i, &pairs, sizeof pairs);
    }
}

#endif
