/* wasm_attend.h: attention for the WebAssembly variants; kernels.h has the contract. The including file defines MADD first.
 *
 * For each block of 64 positions: its keys and values become floats in scratch; all scores; the softmax of each query; the values'
 * weighted sums. Both products work in tiles of 2 queries x 4 vectors, eight independent accumulators; what a
 * query adds, and in which order, does not depend on its neighbours in the tile. */
#ifndef WASM_ATTEND_H
#define WASM_ATTEND_H

#include "kernels.h"
#include "wasm_inline.h"

/* Positions [begin, end) of the current block, counted from its start. */
typedef struct { int begin, end; } Range;

/* What is kept of a query between its blocks: the attention so far is out / sum, its weights exp(score - max). */
typedef struct {
    float weight[ATTN_BLOCK];   /* scores of the current block, then exp(score - max); 0 where the query does not look */
    float max, sum;
    float shrink;               /* what the output so far is multiplied with, because max grew */
    uint32_t at;                /* where in q and out the query lies, in floats */
    Range see;                  /* of the current block */
    int32_t unused[2];          /* keeps weights 16-byte aligned */
} Query;

INLINE int max_int(int a, int b) { return a > b ? a : b; }
INLINE int min_int(int a, int b) { return a < b ? a : b; }

/* What token t sees of the block that starts at position `block`. */
INLINE Range visible(const AttendArgs *a, int block, int t) {
    int first = a->window > 0 ? a->pos + t + 1 - a->window : 0;
    return (Range){max_int(first - block, 0), min_int(a->pos + t + 1 - block, ATTN_BLOCK)};
}

/* dst[n][head_dim] = n rows of halves */
INLINE void rows_to_f32(const uint16_t *src, size_t stride, int n, int head_dim, float *dst) {
    v128_t mask = hidden_i32(F16_MASK), unit = hidden_f32(F16_UNIT);
    for (int p = 0; p < n; p++, src += stride, dst += head_dim)
        for (int i = 0; i < head_dim; i += 4)
            wasm_v128_store(dst + i, wasm_f32x4_mul(read_f16(src + i, mask), unit));
}

/* score[4] of n_query (constant, 1 or 2) queries with the 4 keys k[4][head_dim] */
INLINE void score_tile(const float *const *q, int n_query, const float *k, int head_dim, float *const *score) {
    v128_t acc[2][4];
    for (int i = 0; i < 2 * 4; i++) acc[i / 4][i % 4] = wasm_f32x4_splat(0);
    for (int i = 0; i < head_dim; i += 4) {
        v128_t key[4];
        for (int p = 0; p < 4; p++) key[p] = wasm_v128_load(k + p * head_dim + i);
        for (int j = 0; j < n_query; j++) {
            v128_t query = wasm_v128_load(q[j] + i);
            for (int p = 0; p < 4; p++) acc[j][p] = MADD(query, key[p], acc[j][p]);
        }
    }
    for (int j = 0; j < n_query; j++)
        wasm_v128_store(score[j], sum_lanes_of_4(acc[j][0], acc[j][1], acc[j][2], acc[j][3]));
}

/* Raw scores to weights; updates max, sum and shrink. */
INLINE void softmax_block(Query *query, float scale, float softcap, const ExpConstants *e) {
    v128_t lane = wasm_i32x4_make(0, 1, 2, 3), none = wasm_f32x4_splat(-FLT_MAX), max = none;
    v128_t begin = wasm_i32x4_splat(query->see.begin), end = wasm_i32x4_splat(query->see.end), factor = wasm_f32x4_splat(scale);
    v128_t cap = wasm_f32x4_splat(softcap), cap_inverse = wasm_f32x4_splat(softcap > 0 ? 1 / softcap : 0);
    for (int p = 0; p < ATTN_BLOCK; p += 4) {
        v128_t at = wasm_i32x4_add(wasm_i32x4_splat(p), lane);
        v128_t seen = wasm_v128_and(wasm_i32x4_ge(at, begin), wasm_i32x4_lt(at, end));
        v128_t s = wasm_f32x4_mul(wasm_v128_load(query->weight + p), factor);
        if (softcap > 0) s = wasm_f32x4_mul(cap, tanh_f32x4(wasm_f32x4_mul(s, cap_inverse), e));
        s = wasm_v128_bitselect(s, none, seen);
        max = wasm_f32x4_pmax(max, s);
        wasm_v128_store(query->weight + p, s);
    }
    float old_max = query->max;
    query->max = max_lanes(wasm_f32x4_pmax(wasm_f32x4_splat(old_max), max));
    v128_t new_max = wasm_f32x4_splat(query->max), sum = wasm_f32x4_splat(0);
    for (int p = 0; p < ATTN_BLOCK; p += 4) {
        v128_t weight = exp_f32x4(wasm_f32x4_sub(wasm_v128_load(query->weight + p), new_max), e);
        sum = wasm_f32x4_add(sum, weight);
        wasm_v128_store(query->weight + p, weight);
    }
    query->shrink = wasm_f32x4_extract_lane(exp_f32x4(wasm_f32x4_sub(wasm_f32x4_splat(old_max), new_max), e), 0);
    query->sum = query->sum * query->shrink + sum_lanes(sum);
}

/* out[j][4 * n_vec] = out[j] * shrink + sum over the positions of weight * v[position]; n_query and n_vec are constants */
INLINE void value_tile(const Query *query, float *const *out, int n_query, int n_vec, const float *v, int head_dim, Range see) {
    v128_t acc[2][4];
    for (int j = 0; j < n_query; j++)
        for (int i = 0; i < n_vec; i++)
            acc[j][i] = wasm_f32x4_mul(wasm_v128_load(out[j] + 4 * i), wasm_f32x4_splat(query[j].shrink));
    for (int p = see.begin; p < see.end; p++) {
        v128_t value[4];
        for (int i = 0; i < n_vec; i++) value[i] = wasm_v128_load(v + (size_t)p * head_dim + 4 * i);
        for (int j = 0; j < n_query; j++) {
            v128_t weight = wasm_v128_load32_splat(query[j].weight + p);
            for (int i = 0; i < n_vec; i++) acc[j][i] = MADD(weight, value[i], acc[j][i]);
        }
    }
    for (int j = 0; j < n_query; j++)
        for (int i = 0; i < n_vec; i++) wasm_v128_store(out[j] + 4 * i, acc[j][i]);
}

/* The scores of queries [begin, end) with the four keys at position p of the block. */
INLINE void scores_of_4(const AttendArgs *a, Query *queries, int begin, int end, const float *k, int p) {
    for (int i = begin, n; i < end; i += n) {
        n = min_int(2, end - i);
        Query *q = &queries[i], *q1 = &queries[i + n - 1];
        if (q->see.begin >= p + 4 || q1->see.end <= p) continue;
        const float *x[2] = {a->q + q->at, a->q + q1->at};
        float *score[2] = {q->weight + p, q1->weight + p};
        if (n == 2) score_tile(x, 2, k, a->head_dim, score);
        else score_tile(x, 1, k, a->head_dim, score);
    }
}

/* Adds elements [d, d + 4 * n_vec) of the block's values to the outputs of queries [begin, end). */
INLINE void values_of(const AttendArgs *a, Query *queries, int begin, int end, const float *v, int d, int n_vec) {
    for (int i = begin, n; i < end; i += n) {
        n = min_int(2, end - i);
        Query *q = &queries[i], *q1 = &queries[i + n - 1];
        float *out[2] = {a->out + q->at + d, a->out + q1->at + d};
        Range see = {q->see.begin, q1->see.end};
        if (n == 2) value_tile(q, out, 2, n_vec, v + d, a->head_dim, see);
        else value_tile(q, out, 1, n_vec, v + d, a->head_dim, see);
    }
}

INLINE void attend_inline(const AttendArgs *a, void *scratch) {
    int head_dim = a->head_dim, n_query = a->n_tok * a->n_q, last = a->pos + a->n_tok - 1;
    float *k = scratch, *v = k + ATTN_BLOCK * head_dim;
    Query *queries = (Query *)(v + ATTN_BLOCK * head_dim);
    ExpConstants e = exp_constants();
    for (int i = 0; i < n_query; i++) {
        size_t at = (size_t)(i / a->n_q) * a->q_stride + (size_t)(i % a->n_q) * head_dim;
        queries[i].at = (uint32_t)at;
        queries[i].max = -FLT_MAX;
        queries[i].sum = 0;
        memset(a->out + at, 0, (size_t)head_dim * sizeof *a->out);
    }

    int first = a->window > 0 ? max_int(a->pos + 1 - a->window, 0) : 0;
    for (int block = first / ATTN_BLOCK * ATTN_BLOCK; block <= last; block += ATTN_BLOCK) {
        /* The tokens that see something here, and what they see together, in whole groups of 4 positions. */
        int t_begin = max_int(block - a->pos, 0);
        int t_end = a->window > 0 ? min_int(a->n_tok, block + ATTN_BLOCK - 1 + a->window - a->pos) : a->n_tok;
        int begin = t_begin * a->n_q, end = t_end * a->n_q;
        int p_begin = visible(a, block, t_begin).begin & ~3, p_end = (visible(a, block, t_end - 1).end + 3) & ~3;
        for (int i = begin; i < end; i++) queries[i].see = visible(a, block, i / a->n_q);

        size_t slot = (size_t)((block + p_begin) % a->cap) * a->kv_stride, row = (size_t)p_begin * head_dim;
        rows_to_f32(a->k + slot, a->kv_stride, p_end - p_begin, head_dim, k + row);
        rows_to_f32(a->v + slot, a->kv_stride, p_end - p_begin, head_dim, v + row);
        for (int p = p_begin; p < p_end; p += 4) scores_of_4(a, queries, begin, end, k + (size_t)p * head_dim, p);
        for (int i = begin; i < end; i++) softmax_block(&queries[i], a->scale, a->softcap, &e);
        int d = 0;
        for (; d + 16 <= head_dim; d += 16) values_of(a, queries, begin, end, v, d, 4);
        for (; d < head_dim; d += 4) values_of(a, queries, begin, end, v, d, 1);
    }
    for (int i = 0; i < n_query; i++) {
        float *out = a->out + queries[i].at;
        v128_t inverse = wasm_f32x4_splat(1 / queries[i].sum);
        for (int d = 0; d < head_dim; d += 4) wasm_v128_store(out + d, wasm_f32x4_mul(wasm_v128_load(out + d), inverse));
    }
}

#endif
