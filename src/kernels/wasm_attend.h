/* wasm_attend.h: attention for the WebAssembly variants; kernels.h has the contract. The including file
 * defines MADD first.
 *
 * For each block of 64 positions: its keys and values become floats in scratch; all scores; the softmax of
 * each query; the values' weighted sums, which are the block's parts. Both products work in tiles of 2
 * queries x 4 vectors, eight independent accumulators; what a query adds, and in which order, does not depend
 * on its neighbours in the tile. Whether a part is merged at once (attend) or later (attend_blocks,
 * attend_merge), the operations are the same.
 *
 * Bytes (kv8.h) are multiplied by wasm_matmul.h's prefill_tile, which must be included before: a block's keys
 * are a matrix of 64 rows, its values one of head_dim rows and 64 columns. */
#ifndef WASM_ATTEND_H
#define WASM_ATTEND_H

#include "kernels.h"
#include "kv8.h"
#include "wasm_inline.h"
#include "wasm_matmul.h"

/* Positions [begin, end) of the current block, counted from its start. */
typedef struct { int begin, end; } Range;

/* What is known of a query: of all blocks before the current one, its attention being out / sum, with weights
 * exp(score - max); and of the current block, its part. */
typedef struct {
    _Alignas(16) float weight[ATTN_BLOCK];  /* scores of the current block, then exp(score - part_max); 0
                                             * where the query does not look */
    float max, sum, part_max, part_sum;
    float keep, gain;           /* what out so far and the part are multiplied with when they are added up */
    uint32_t at;                /* where in q the query lies, in floats */
    float *out;                 /* where its result is added up, or its part goes */
    Range see;                  /* of the current block */
} Query;
_Static_assert(sizeof(Query) <= (ATTN_BLOCK + 16) * sizeof(float), "scratch");

INLINE int max_int(int a, int b) { return a > b ? a : b; }
INLINE int min_int(int a, int b) { return a < b ? a : b; }

/* What token t sees of the block that starts at position `block`. */
INLINE Range visible(const AttendArgs *a, int block, int t) {
    int first = a->window > 0 ? a->pos + t + 1 - a->window : 0;
    return (Range){max_int(first - block, 0), min_int(a->pos + t + 1 - block, ATTN_BLOCK)};
}

/* dst[n][head_dim] = n rows of halves */
INLINE void rows_to_f32(const uint16_t *src, int n, int head_dim, float *dst) {
    v128_t mask = hidden_i32(F16_MASK), unit = hidden_f32(F16_UNIT);
    for (int i = 0; i < n * head_dim; i += 4)
        wasm_v128_store(dst + i, wasm_f32x4_mul(read_f16(src + i, mask), unit));
}

/* score[4] of n_query (constant, 1 or 2) queries with the 4 keys k[4][head_dim] */
INLINE void score_tile(const float *const *q, int n_query, const float *k, int head_dim,
    float *const *score) {
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
    v128_t begin = wasm_i32x4_splat(query->see.begin), end = wasm_i32x4_splat(query->see.end),
        factor = wasm_f32x4_splat(scale);
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
    query->part_max = max_lanes(max);
    v128_t part_max = wasm_f32x4_splat(query->part_max), sum = wasm_f32x4_splat(0);
    for (int p = 0; p < ATTN_BLOCK; p += 4) {
        v128_t weight = exp_f32x4(wasm_f32x4_sub(wasm_v128_load(query->weight + p), part_max), e);
        sum = wasm_f32x4_add(sum, weight);
        wasm_v128_store(query->weight + p, weight);
    }
    query->part_sum = sum_lanes(sum);
}

/* Joins the part's max and sum to those of the blocks before; out is then out * keep + part * gain. */
INLINE void merge_sums(Query *query, const ExpConstants *e) {
    float max = query->max > query->part_max ? query->max : query->part_max;
    v128_t below = wasm_f32x4_sub(wasm_f32x4_make(query->max, query->part_max, 0, 0), wasm_f32x4_splat(max)),
        factors = exp_f32x4(below, e);
    query->max = max;
    query->keep = wasm_f32x4_extract_lane(factors, 0);
    query->gain = wasm_f32x4_extract_lane(factors, 1);
    query->sum = query->sum * query->keep + query->part_sum * query->gain;
}

INLINE v128_t merge_values(v128_t out, v128_t part, const Query *query) {
    return MADD(part, wasm_f32x4_splat(query->gain), wasm_f32x4_mul(out, wasm_f32x4_splat(query->keep)));
}

/* Elements d .. d + 4 * n_vec - 1 of the parts of n_query neighbouring queries; n_query, n_vec and `merge`
 * are constants. Positions that only one of them sees have weight 0 in the other. */
INLINE void value_tile(const Query *query, int n_query, int n_vec, const float *v, int d, int head_dim,
    Range see, bool merge) {
    v128_t acc[2][4];
    for (int i = 0; i < 2 * 4; i++) acc[i / 4][i % 4] = wasm_f32x4_splat(0);
    for (int p = see.begin; p < see.end; p++) {
        v128_t value[4];
        for (int i = 0; i < n_vec; i++) value[i] = wasm_v128_load(v + (size_t)p * head_dim + d + 4 * i);
        for (int j = 0; j < n_query; j++) {
            v128_t weight = wasm_v128_load32_splat(query[j].weight + p);
            for (int i = 0; i < n_vec; i++) acc[j][i] = MADD(weight, value[i], acc[j][i]);
        }
    }
    for (int j = 0; j < n_query; j++)
        for (int i = 0; i < n_vec; i++) {
            float *out = query[j].out + d + 4 * i;
            wasm_v128_store(out, merge ? merge_values(wasm_v128_load(out), acc[j][i], &query[j]) : acc[j][i]);
        }
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

/* Elements d .. d + 4 * n_vec - 1 of the parts of queries [begin, end). */
INLINE void values_of(Query *queries, int begin, int end, const float *v, int d, int n_vec,
    int head_dim, bool merge) {
    for (int i = begin, n; i < end; i += n) {
        n = min_int(2, end - i);
        Range see = {queries[i].see.begin, queries[i + n - 1].see.end};
        if (n == 2) value_tile(queries + i, 2, n_vec, v, d, head_dim, see, merge);
        else value_tile(queries + i, 1, n_vec, v, d, head_dim, see, merge);
    }
}

typedef struct {
    union {
        struct { float k[ATTN_BLOCK * ATTN_MAX_HEAD_DIM], v[ATTN_BLOCK * ATTN_MAX_HEAD_DIM]; };
        struct {
            ActBlock q[ATTN_MAX_QUERIES * ATTN_MAX_HEAD_DIM / BLOCK_COLS];
            ActBlock weight[ATTN_MAX_QUERIES * ATTN_BLOCK / BLOCK_COLS];
            /* of a tile, where weights() changes codes */
            Weights panels[ATTN_MAX_HEAD_DIM / BLOCK_COLS * (QUADS + 1) * VECS];
        };
    };
    Query queries[ATTN_MAX_QUERIES];
} AttendScratch;
_Static_assert(sizeof(AttendScratch) <= ATTEND_SCRATCH, "scratch");

INLINE void begin_queries(const AttendArgs *a, AttendScratch *s) {
    for (int i = 0; i < a->n_tok * a->n_q; i++) {
        Query *query = &s->queries[i];
        query->at = (uint32_t)((size_t)(i / a->n_q) * a->q_stride + (size_t)(i % a->n_q) * a->head_dim);
        query->max = -FLT_MAX;
        query->sum = 0;
        if (a->in_bytes) quantize_simd128(a->q + query->at,
            s->q + i * (a->head_dim / BLOCK_COLS), a->head_dim);
    }
}

INLINE void softmax_queries(const AttendArgs *a, AttendScratch *s, int begin, int end,
    const ExpConstants *e, bool merge) {
    for (int i = begin; i < end; i++) {
        softmax_block(&s->queries[i], a->scale, a->softcap, e);
        if (merge) merge_sums(&s->queries[i], e);
    }
}

/* ------------------------------------------------------------------------------------------ bytes */

#define KEYS ((Family){.bits = 7, .groups = 1})
#define VALUES ((Family){.bits = 7, .groups = 1, .bare = true})

/* n_blocks panels as prefill_tile wants them: as they lie, or in `room`. */
INLINE const v128_t *ready_panels(Family f, const uint8_t *p, int n_blocks, Weights *room) {
    if (sizeof(Weights) == sizeof(v128_t)) return (const v128_t *)p;
    for (int b = 0; b < n_blocks; b++) {
        v128_t *out = (v128_t *)room + b * unpacked_block(f);
        for (int i = 0; i < QUADS * VECS; i++, p += sizeof(v128_t)) ((Weights *)out)
            [i] = weights(wasm_v128_load(p));
        if (f.bare) continue;
        memcpy(out + unpacked_scales(f), p, VECS * sizeof(v128_t));
        p += VECS * sizeof(v128_t);
    }
    return (v128_t *)room;
}

/* sum[2][VECS] of n_query (1 or 2) queries, whose activations lie n_blocks apart. */
INLINE void bytes_tile(Family f, const v128_t *panels, int n_blocks, const ActBlock *x, int n_query, Masks m,
    v128_t *sum) {
    for (int i = 0; i < 2 * VECS; i++) sum[i] = wasm_f32x4_splat(0);
    if (n_query == 2) prefill_tile(f, panels, n_blocks, x, n_blocks * sizeof *x, 2, m, sum, NULL);
    else prefill_tile(f, panels, n_blocks, x, n_blocks * sizeof *x, 1, m, sum, NULL);
}

/* The scores of queries [begin, end) with positions [p_begin, p_end) of a block. */
INLINE void byte_scores(const AttendArgs *a, const uint8_t *block, int begin, int end, int p_begin, int p_end,
    AttendScratch *s, Masks m) {
    int n_blocks = a->head_dim / BLOCK_COLS;
    for (int tile = p_begin / TILE_ROWS; tile * TILE_ROWS < p_end; tile++) {
        const v128_t *panels = ready_panels(KEYS, block + tile * kv8_key_tile_bytes(a->head_dim),
            n_blocks, s->panels);
        for (int i = begin, n; i < end; i += n) {
            n = min_int(2, end - i);
            v128_t sum[2 * VECS];
            bytes_tile(KEYS, panels, n_blocks, s->q + i * n_blocks, n, m, sum);
            for (int j = 0; j < n; j++) memcpy(s->queries[i + j].weight + tile * TILE_ROWS, sum + j * VECS,
                VECS * sizeof *sum);
        }
    }
}

/* The parts of queries [begin, end), from their weights. */
INLINE void byte_values(const AttendArgs *a, const uint8_t *block, int begin, int end, bool merge,
    AttendScratch *s, Masks m) {
    enum { N_BLOCKS = ATTN_BLOCK / BLOCK_COLS };
    const float *scale = (const float *)(const void *)(block + kv8_scales_at(a->head_dim));
    for (int i = begin; i < end; i++) {
        float scaled[ATTN_BLOCK];
        for (int p = 0; p < ATTN_BLOCK; p += 4) {
            v128_t weight = wasm_v128_load(s->queries[i].weight + p),
                unseen = wasm_f32x4_eq(weight, wasm_f32x4_splat(0));
            /* What a query does not see may be damaged without harm to it. */
            wasm_v128_store(scaled + p,
                wasm_v128_andnot(wasm_f32x4_mul(weight, wasm_v128_load(scale + p)), unseen));
        }
        quantize_simd128(scaled, s->weight + i * N_BLOCKS, ATTN_BLOCK);
    }
    for (int d = 0; d < a->head_dim; d += TILE_ROWS) {
        const v128_t *panels = ready_panels(VALUES, block + kv8_values_at(a->head_dim)
            + d / TILE_ROWS * N_BLOCKS * KV8_PANEL, N_BLOCKS, s->panels);
        for (int i = begin, n; i < end; i += n) {
            n = min_int(2, end - i);
            v128_t sum[2 * VECS];
            bytes_tile(VALUES, panels, N_BLOCKS, s->weight + i * N_BLOCKS, n, m, sum);
            for (int j = 0; j < n; j++)
                for (int v = 0; v < VECS; v++) {
                    float *out = s->queries[i + j].out + d + 4 * v;
                    v128_t part = sum[j * VECS + v];
                    wasm_v128_store(out, merge ? merge_values(wasm_v128_load(out), part, &s->queries[i + j])
                        : part);
                }
        }
    }
}

/* ------------------------------------------------------------------------------------------ blocks */

/* The parts of all queries that see something of the block that starts at position `block`. */
INLINE void attend_block(const AttendArgs *a, int block, AttendScratch *s,
    const ExpConstants *e, bool merge) {
    int head_dim = a->head_dim;
    /* The tokens that see something here, and what they see together, in whole groups of 4 positions. */
    int t_begin = max_int(block - a->pos, 0);
    int t_end = a->window > 0 ? min_int(a->n_tok, block + ATTN_BLOCK - 1 + a->window - a->pos) : a->n_tok;
    int begin = t_begin * a->n_q, end = t_end * a->n_q;
    int p_begin = visible(a, block, t_begin).begin & ~3, p_end = (visible(a, block, t_end - 1).end + 3) & ~3;
    for (int i = begin; i < end; i++) s->queries[i].see = visible(a, block, i / a->n_q);

    Masks m = load_masks();
    const void *cached = attend_head_at(a, block);
    if (a->in_bytes) {
        byte_scores(a, cached, begin, end, p_begin, p_end, s, m);
        softmax_queries(a, s, begin, end, e, merge);
        byte_values(a, cached, begin, end, merge, s, m);
        return;
    }
    const uint16_t *k = cached, *v = k + ATTN_BLOCK * head_dim;
    size_t row = (size_t)p_begin * head_dim;
    rows_to_f32(k + row, p_end - p_begin, head_dim, s->k + row);
    rows_to_f32(v + row, p_end - p_begin, head_dim, s->v + row);
    for (int p = p_begin; p < p_end; p += 4)
        scores_of_4(a, s->queries, begin, end, s->k + (size_t)p * head_dim, p);
    softmax_queries(a, s, begin, end, e, merge);
    int d = 0;
    for (; d + 16 <= head_dim; d += 16) values_of(s->queries, begin, end, s->v, d, 4, head_dim, merge);
    for (; d < head_dim; d += 4) values_of(s->queries, begin, end, s->v, d, 1, head_dim, merge);
}

/* out /= sum */
INLINE void end_query(const Query *query, int head_dim) {
    v128_t inverse = wasm_f32x4_splat(1 / query->sum);
    for (int d = 0; d < head_dim; d += 4)
        wasm_v128_store(query->out + d, wasm_f32x4_mul(wasm_v128_load(query->out + d), inverse));
}

INLINE void attend_inline(const AttendArgs *a, void *scratch) {
    AttendScratch *s = scratch;
    int n_query = a->n_tok * a->n_q, last = a->pos + a->n_tok - 1;
    ExpConstants e = exp_constants();
    begin_queries(a, s);
    for (int i = 0; i < n_query; i++) {
        s->queries[i].out = a->out + s->queries[i].at;
        memset(s->queries[i].out, 0, (size_t)a->head_dim * sizeof *a->out);
    }
    for (int block = attend_first_block(a) * ATTN_BLOCK; block <= last; block += ATTN_BLOCK)
        attend_block(a, block, s, &e, true);
    for (int i = 0; i < n_query; i++) end_query(&s->queries[i], a->head_dim);
}

INLINE void attend_blocks_inline(const AttendArgs *a, int begin, int end, float *parts, void *scratch) {
    AttendScratch *s = scratch;
    ExpConstants e = exp_constants();
    begin_queries(a, s);
    parts += (size_t)begin * a->n_q * attend_part_floats(a);
    for (int b = begin; b < end; b++) {
        for (int i = 0; i < a->n_q; i++) s->queries[i].out = parts + i * attend_part_floats(a);
        attend_block(a, (attend_first_block(a) + b) * ATTN_BLOCK, s, &e, false);
        for (int i = 0; i < a->n_q; i++, parts += attend_part_floats(a)) {
            parts[a->head_dim] = s->queries[i].part_max;
            parts[a->head_dim + 1] = s->queries[i].part_sum;
        }
    }
}

INLINE void attend_merge_inline(const AttendArgs *a, const float *parts) {
    ExpConstants e = exp_constants();
    size_t part_floats = attend_part_floats(a);
    for (int i = 0; i < a->n_q; i++) {
        Query query = {.max = -FLT_MAX, .out = a->out + (size_t)i * a->head_dim};
        memset(query.out, 0, (size_t)a->head_dim * sizeof *a->out);
        for (int b = 0; b < attend_n_blocks(a); b++) {
            const float *part = parts + ((size_t)b * a->n_q + i) * part_floats;
            query.part_max = part[a->head_dim];
            query.part_sum = part[a->head_dim + 1];
            merge_sums(&query, &e);
            for (int d = 0; d < a->head_dim; d += 4)
                wasm_v128_store(query.out + d, merge_values(wasm_v128_load(query.out + d),
                    wasm_v128_load(part + d), &query));
        }
        end_query(&query, a->head_dim);
    }
}

/* Defines attend_<isa>, attend_blocks_<isa> and attend_merge_<isa>. */
#define ATTEND_KERNELS(isa) \
    void attend_##isa(const AttendArgs *a, void *scratch) { attend_inline(a, scratch); } \
    void attend_blocks_##isa(const AttendArgs *a, int begin, int end, float *parts, void *scratch) { \
        attend_blocks_inline(a, begin, end, parts, scratch); \
    } \
    void attend_merge_##isa(const AttendArgs *a, const float *parts) { attend_merge_inline(a, parts); }

#endif
