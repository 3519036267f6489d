/* ops.c: see ops.h. */
#include "ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kv8.h"
#include "memory.h"
#include "pack.h"

/* 1, 2, 4 or 8 streams; another one is tried every 32nd token. */
enum { STREAM_WAYS = 4, STREAM_PERIOD = 32 };

/* Rows smaller than this many floats in all are not worth a fork. */
enum { FORK_FLOATS = 16 << 10 };

static bool is_exact(const Ops *ops) { return ops->precision == GEMMA_EXACT; }

/* A thread needs room for one kernel at a time; exact matmuls for one row of weights. */
static size_t scratch_bytes(int max_cols) {
    size_t n = (size_t)max_cols * sizeof(float);
    if (n < MATMUL_SCRATCH) n = MATMUL_SCRATCH;
    if (n < ATTEND_SCRATCH) n = ATTEND_SCRATCH;
    return (n + 63) / 64 * 64;
}

static uint64_t acts_bytes(const OpsLimits *most) {
    return (uint64_t)most->n_tok * (uint64_t)(most->n_cols / BLOCK_COLS) * sizeof(ActBlock) + 1;
}

/* Of a context that 32 bits can't address it is more than they can say. */
static uint64_t parts_bytes(const OpsLimits *most, int n_pos) {
    uint64_t n_blocks = (uint64_t)n_pos / ATTN_BLOCK + 2;
    return n_blocks * (uint64_t)most->n_head * (uint64_t)attend_part_floats(&(AttendArgs){
        .head_dim = most->head_dim}) * sizeof(float);
}

uint64_t ops_bytes(int n_threads, const OpsLimits *most, int n_pos) {
    return (uint64_t)scratch_bytes(most->n_cols) * (uint64_t)n_threads + acts_bytes(most)
        + parts_bytes(most, n_pos);
}

bool ops_new(Ops *ops, const Kernels *kernels, Pool *pool, GemmaPrecision precision, const OpsLimits *most) {
    *ops = (Ops){.kernels = kernels, .pool = pool, .precision = precision, .clock = clock_new(clock_now),
        .most = *most};
    tuner_init(&ops->streams, STREAM_WAYS, STREAM_PERIOD);
    ops->scratch_stride = scratch_bytes(most->n_cols);
    ops->scratch = memory_aligned((uint64_t)ops->scratch_stride * (uint64_t)pool_threads(pool));
    ops->acts = memory_aligned(acts_bytes(most));
    if (ops->scratch && ops->acts) return true;
    ops_free(ops);
    return false;
}

bool ops_fit(Ops *ops, int n_pos) {
    if (n_pos <= ops->n_pos) return true;
    float *parts = memory_aligned(parts_bytes(&ops->most, n_pos));
    if (!parts) return false;
    free(ops->parts);
    ops->parts = parts;
    ops->n_pos = n_pos;
    return true;
}

void ops_free(Ops *ops) {
    free(ops->scratch);
    free(ops->acts);
    free(ops->parts);
    *ops = (Ops){0};
}

void *ops_scratch(const Ops *ops, int thread) { return ops->scratch + (size_t)thread * ops->scratch_stride; }

/* ------------------------------------------------------------------------------------ the profile */

const char *const op_name[OP_KINDS] = {
    [PANEL_P2K] = "matmul Q2_K", [PANEL_P3K] = "matmul Q3_K", [PANEL_P4] = "matmul Q4_0",
    [PANEL_P4N] = "matmul IQ4_NL", [PANEL_P4M] = "matmul Q4_1", [PANEL_P4K] = "matmul Q4_K",
        [PANEL_P5] = "matmul Q5_0",
    [PANEL_P5M] = "matmul Q5_1", [PANEL_P5K] = "matmul Q5_K", [PANEL_P6K] = "matmul Q6_K",
        [PANEL_P8] = "matmul Q8_0",
    [PANEL_F16] = "matmul F16", [PANEL_BF16] = "matmul BF16", [PANEL_F32] = "matmul F32",
    [OP_EMBED] = "embed", [OP_NORM] = "norm", [OP_QUANTIZE] = "quantize", [OP_ROPE] = "rope",
        [OP_STORE_KV] = "store kv",
    [OP_ATTENTION] = "attention", [OP_GEGLU] = "geglu", [OP_ADD] = "add", [OP_SOFTCAP] = "softcap",
    [OP_SCREEN] = "screen Q8_0", [OP_SHORTLIST] = "shortlist Q8_0",
};

static double profile_clock(Ops *ops) { return ops->profiling ? clock_read(&ops->clock) : 0; }

void ops_count(Ops *ops, int op, double seconds, uint64_t bytes, uint64_t macs) {
    if (!ops->profiling) return;
    OpCost *c = &ops->cost[op];
    c->seconds += seconds;
    c->calls++;
    c->bytes += bytes;
    c->macs += macs;
}

/* Counts a call of `op` that began at `start`. */
static void count_cost(Ops *ops, int op, double start, uint64_t bytes, uint64_t macs) {
    ops_count(ops, op, profile_clock(ops) - start, bytes, macs);
}

/* ------------------------------------------------------------------------------------ rows of floats */

/* What is done to each row of an array. */
typedef struct RowTask RowTask;
struct RowTask {
    const Ops *ops;
    void (*row)(const RowTask *t, int i);
    const float *x, *weight;
    float *y;
    ActBlock *acts;
    const Matrix *matrix;
    const int32_t *ids;
    int n, n_head;
    float eps, scale;
};

static void run_rows(void *context, int begin, int end, int thread) {
    (void)thread;
    const RowTask *t = context;
    for (int i = begin; i < end; i++) t->row(t, i);
}

static void each_row(Ops *ops, int op, const RowTask *t, int n_rows) {
    double start = profile_clock(ops);
    int grain = FORK_FLOATS / t->n;
    pool_run(ops->pool, n_rows, grain < 1 ? 1 : grain, run_rows, (void *)t);
    count_cost(ops, op, start, 0, 0);
}

static void embed_row(const RowTask *t, int i) {
    float *y = t->y + (size_t)i * (size_t)t->n;
    unpack_row(t->matrix, t->ids[i], y);
    for (int j = 0; j < t->n; j++) y[j] *= t->scale;
}

void ops_embed(Ops *ops, const Matrix *w, const int32_t *ids, int n_tok, float scale, float *x) {
    RowTask t = {.ops = ops, .row = embed_row, .matrix = w, .ids = ids, .y = x, .n = w->n_cols,
        .scale = scale};
    each_row(ops, OP_EMBED, &t, n_tok);
}

static void norm_row(const RowTask *t, int i) {
    size_t at = (size_t)i * (size_t)t->n;
    t->ops->kernels->rms_norm(t->x + at, t->weight, t->y + at, t->n, t->eps);
}

void ops_rms_norm(Ops *ops, const float *x, const float *weight, float *y, int n_rows, int n, float eps) {
    each_row(ops, OP_NORM, &(RowTask){.ops = ops, .row = norm_row, .x = x, .weight = weight, .y = y, .n = n,
        .eps = eps}, n_rows);
}

static void rope_row(const RowTask *t, int i) {
    int head_dim = t->n / t->n_head;
    t->ops->kernels->rope(t->y + (size_t)i * (size_t)t->n, t->n_head, head_dim,
        t->x + (size_t)i * (size_t)head_dim);
}

void ops_rope(Ops *ops, float *x, int n_tok, int n_head, int head_dim, const float *cos_sin) {
    RowTask t = {.ops = ops, .row = rope_row, .x = cos_sin, .y = x, .n = n_head * head_dim, .n_head = n_head};
    each_row(ops, OP_ROPE, &t, n_tok);
}

size_t ops_kv_head_bytes(int head_dim, GemmaPrecision precision) {
    if (precision == GEMMA_INT8_CACHE) return kv8_block_bytes(head_dim);
    return 2 * (size_t)ATTN_BLOCK * (size_t)head_dim * (precision == GEMMA_EXACT ? sizeof(float)
        : sizeof(uint16_t));
}

/* The sequence of item i of a work list; each sequence has first[j + 1] - first[j] items. */
static int sequence_of(const int *first, int i) {
    int j = 0;
    while (i >= first[j + 1]) j++;
    return j;
}

/* Where a K/V head's keys and values of the block that holds `pos` lie. */
static uint8_t *head_block(const Ops *ops, const OpsAttention *a, const OpsSequence *s, int pos,
    int head_kv) {
    return s->blocks[pos / ATTN_BLOCK % s->n_blocks] + (size_t)head_kv * ops_kv_head_bytes(a->head_dim,
        ops->precision);
}

typedef struct {
    const Ops *ops;
    const OpsAttention *a;
    int first[OPS_MAX_SEQUENCES + 1];       /* items, which are tokens, of each sequence */
} StoreTask;

/* Key and value of one head at place `at` of a block. */
static void store_head(const Ops *ops, const float *k, const float *v, int head_dim, void *block, int at) {
    size_t to = (size_t)at * (size_t)head_dim, to_v = to + (size_t)ATTN_BLOCK * (size_t)head_dim;
    switch (ops->precision) {
    case GEMMA_EXACT:
        memcpy((float *)block + to, k, (size_t)head_dim * sizeof(float));
        memcpy((float *)block + to_v, v, (size_t)head_dim * sizeof(float));
        break;
    case GEMMA_F16_CACHE:
        ops->kernels->to_f16(k, (uint16_t *)block + to, head_dim);
        ops->kernels->to_f16(v, (uint16_t *)block + to_v, head_dim);
        break;
    case GEMMA_INT8_CACHE:
        kv8_store(k, v, head_dim, block, at);
        break;
    }
}

static void store_tokens(void *context, int begin, int end, int thread) {
    (void)thread;
    const StoreTask *t = context;
    const OpsAttention *a = t->a;
    for (int i = begin; i < end; i++) {
        int j = sequence_of(t->first, i);
        const OpsSequence *s = &a->sequences[j];
        int token = i - t->first[j], pos = s->pos + token;
        size_t from = (size_t)(s->row + token) * (size_t)(a->n_head_kv * a->head_dim);
        for (int h = 0; h < a->n_head_kv; h++, from += (size_t)a->head_dim)
            store_head(t->ops, a->k + from, a->v + from, a->head_dim, head_block(t->ops, a, s, pos, h),
                pos % ATTN_BLOCK);
    }
}

/* Blocks of bytes that begin in this batch. */
static void clear_blocks(const Ops *ops, const OpsAttention *a, const OpsSequence *s) {
    for (int pos = s->pos; pos < s->pos + s->n_tok; pos++)
        for (int h = 0; h < a->n_head_kv && pos % ATTN_BLOCK == 0; h++)
            kv8_clear(a->head_dim, head_block(ops, a, s, pos, h));
}

void ops_store_kv(Ops *ops, const OpsAttention *a) {
    double start = profile_clock(ops);
    StoreTask t = {.ops = ops, .a = a};
    for (int j = 0; j < a->n_sequences; j++) {
        if (ops->precision == GEMMA_INT8_CACHE) clear_blocks(ops, a, &a->sequences[j]);
        t.first[j + 1] = t.first[j] + a->sequences[j].n_tok;
    }
    int grain = FORK_FLOATS / (2 * a->n_head_kv * a->head_dim);
    pool_run(ops->pool, t.first[a->n_sequences], grain < 1 ? 1 : grain, store_tokens, &t);
    count_cost(ops, OP_STORE_KV, start, 0, 0);
}

static void geglu_row(const RowTask *t, int i) {
    size_t at = (size_t)i * (size_t)t->n;
    t->ops->kernels->geglu(t->y + at, t->x + at, t->n);
}

void ops_geglu(Ops *ops, float *gate, const float *up, int n_tok, int n) {
    each_row(ops, OP_GEGLU, &(RowTask){.ops = ops, .row = geglu_row, .x = up, .y = gate, .n = n}, n_tok);
}

static void add_row(const RowTask *t, int i) {
    size_t at = (size_t)i * (size_t)t->n;
    t->ops->kernels->add(t->y + at, t->x + at, t->n);
}

void ops_add(Ops *ops, float *y, const float *x, int n_tok, int n) {
    each_row(ops, OP_ADD, &(RowTask){.ops = ops, .row = add_row, .x = x, .y = y, .n = n}, n_tok);
}

void ops_softcap(Ops *ops, float *x, int n, float cap) {
    double start = profile_clock(ops);
    ops->kernels->softcap(x, n, cap);
    count_cost(ops, OP_SOFTCAP, start, 0, 0);
}

/* ------------------------------------------------------------------------------------ matmul */

/* The tiles of all terms form one row of work, cut into groups of `group` tiles; no group spans two terms. */
typedef struct {
    const Ops *ops;
    const float *x;
    int n_tok, n_cols, group;
    const MatmulTerm *terms;
    int first_group[OPS_MAX_TERMS + 1];
} MatmulTask;

static void matmul_tiles(const MatmulTask *t, const MatmulTerm *term, int tile, int n_tiles, int thread) {
    bool quantised = term->w->kind < PANEL_FIRST_FLOAT;
    const void *x = quantised ? (const void *)t->ops->acts : t->x;
    size_t stride = quantised ? (size_t)(t->n_cols / BLOCK_COLS) * sizeof(ActBlock)
        : (size_t)t->n_cols * sizeof(float);
    t->ops->kernels->matmul[term->w->kind](term->w, tile, n_tiles, x, stride, t->n_tok, term->y,
        (size_t)term->w->n_rows,
                                           ops_scratch(t->ops, thread));
}

static void matmul_tiles_exact(const MatmulTask *t, const MatmulTerm *term, int tile,
    int n_tiles, int thread) {
    float *w = ops_scratch(t->ops, thread);
    int end = (tile + n_tiles) * TILE_ROWS < term->w->n_rows ? (tile + n_tiles) * TILE_ROWS : term->w->n_rows;
    for (int row = tile * TILE_ROWS; row < end; row++) {
        unpack_row(term->w, row, w);
        for (int i = 0; i < t->n_tok; i++) {
            term->y[(size_t)i * (size_t)term->w->n_rows + (size_t)row] = dot_exact(w,
                t->x + (size_t)i * (size_t)t->n_cols, t->n_cols);
        }
    }
}

static void run_groups(void *context, int begin, int end, int thread) {
    const MatmulTask *t = context;
    for (int g = begin, i = 0; g < end; g++) {
        while (g >= t->first_group[i + 1]) i++;
        const MatmulTerm *term = &t->terms[i];
        int tile = (g - t->first_group[i]) * t->group, left = matrix_tiles(term->w) - tile;
        (is_exact(t->ops) ? matmul_tiles_exact : matmul_tiles)(t, term, tile, left < t->group ? left
            : t->group, thread);
    }
}

static void quantize_row(const RowTask *t, int i) {
    t->ops->kernels->quantize(t->x + (size_t)i * (size_t)t->n,
        t->acts + (size_t)i * (size_t)(t->n / BLOCK_COLS), t->n);
}

void ops_quantize(Ops *ops, const float *x, int n_tok, int n) {
    each_row(ops, OP_QUANTIZE, &(RowTask){
        .ops = ops, .row = quantize_row, .x = x, .acts = ops->acts, .n = n}, n_tok);
}

void ops_tune(Ops *ops, uint64_t bytes, double seconds) {
    if (bytes > 2 * ops->tuning_bytes) {
        tuner_init(&ops->streams, STREAM_WAYS, STREAM_PERIOD);
        ops->tuning_bytes = bytes;
    } else if (bytes >= ops->tuning_bytes / 2) {
        tuner_report(&ops->streams, &ops->clock, seconds, (double)bytes);
    }
}

/* The observer: adds x[n_tok, n_cols], before it is quantised, to what has gone into the terms' matrices. */
static void observe(Ops *ops, const float *x, int n_tok, const MatmulTerm *terms, int n_terms) {
    for (int i = 0; i < n_terms; i++) {
        int j = 0, n_cols = terms[i].w->n_cols;
        while (j < ops->n_observed && ops->observed[j].w != terms[i].w) j++;
        if (j == ops->n_observed) continue;
        OpsObserved *o = &ops->observed[j];
        for (const float *row = x; row < x + (size_t)n_tok * (size_t)n_cols; row += n_cols)
            for (int k = 0; k < n_cols; k++) o->squares[k] += (double)row[k] * (double)row[k];
        o->n_tok += (uint64_t)n_tok;
    }
}

/* How the tiles are shared out: a thread takes `take` at a time, and walks `group` of them together. */
typedef struct { int take, group; } Shares;

static Shares share_tiles(int n_tiles, int n_threads, int n_tok, int streams) {
    Shares s = {.take = n_tok > 1 ? 2 : 8};     /* with more tokens a tile is more work, and the last one to
                                                 * end keeps the others waiting */
    /* each thread should get several */
    while (s.take > 1 && n_tiles < s.take * 3 * n_threads) s.take /= 2;
    s.group = n_tok > 1 || s.take < streams ? s.take : streams;
    return s;
}

void ops_matmul(Ops *ops, const float *x, int n_tok, const MatmulTerm *terms, int n_terms) {
    assert(n_terms >= 1 && n_terms <= OPS_MAX_TERMS && terms[0].w->n_cols <= ops->most.n_cols);
    MatmulTask t = {.ops = ops, .x = x, .n_tok = n_tok, .n_cols = terms[0].w->n_cols, .terms = terms};
    int n_tiles = 0;
    uint64_t bytes = 0;
    bool quantised = false;
    if (ops->observed) observe(ops, x, n_tok, terms, n_terms);
    for (int i = 0; i < n_terms; i++) {
        n_tiles += matrix_tiles(terms[i].w);
        bytes += (uint64_t)matrix_tiles(terms[i].w) * matrix_tile_bytes(terms[i].w);
        quantised |= terms[i].w->kind < PANEL_FIRST_FLOAT;
    }
    if (quantised && !is_exact(ops)) {
        ops_quantize(ops, x, n_tok, t.n_cols);
    }
    double start = profile_clock(ops);
    double tuning_start = n_tok == 1 ? clock_read(&ops->clock) : 0;
    Shares shares = share_tiles(n_tiles, pool_active(ops->pool), n_tok, 1 << tuner_choice(&ops->streams));
    t.group = shares.group;
    for (int i = 0; i < n_terms; i++)
        t.first_group[i + 1] = t.first_group[i] + (matrix_tiles(terms[i].w) + t.group - 1) / t.group;
    pool_run(ops->pool, t.first_group[n_terms], shares.take / shares.group, run_groups, &t);
    if (n_tok == 1) ops_tune(ops, bytes, clock_read(&ops->clock) - tuning_start);
    count_cost(ops, terms[0].w->kind, start, bytes,
        (uint64_t)n_tiles * TILE_ROWS * (uint64_t)t.n_cols * (uint64_t)n_tok);
}

/* ------------------------------------------------------------------------------------ attention */

/* What a kernel needs for tokens [first, first + n_tok) of a sequence and the query heads of one K/V head. */
static AttendArgs attend_args(const Ops *ops, const OpsAttention *a, const OpsSequence *s, int first,
    int n_tok, int head_kv) {
    int n_q = a->n_head / a->n_head_kv;
    size_t stride = (size_t)a->n_head * (size_t)a->head_dim;
    size_t at = (size_t)(s->row + first) * stride + (size_t)(head_kv * n_q) * (size_t)a->head_dim;
    return (AttendArgs){
        .q = a->q + at, .out = a->out + at, .q_stride = stride, .n_tok = n_tok, .n_q = n_q,
            .head_dim = a->head_dim,
        .blocks = s->blocks, .n_blocks = s->n_blocks,
            .head_at = (size_t)head_kv * ops_kv_head_bytes(a->head_dim, ops->precision),
        .in_bytes = ops->precision == GEMMA_INT8_CACHE, .pos = s->pos + first, .window = a->window,
            .scale = a->scale, .softcap = a->softcap,
    };
}

/* Work items are (chunk of a sequence's tokens) x (K/V head), and the tokens of a chunk share the widening of
 * keys and values. */
typedef struct {
    const Ops *ops;
    const OpsAttention *a;
    int chunk;                  /* tokens */
    int first[OPS_MAX_SEQUENCES + 1];       /* items of each sequence */
} ChunkTask;

static void attend_chunks(void *context, int begin, int end, int thread) {
    const ChunkTask *t = context;
    const OpsAttention *a = t->a;
    for (int i = begin; i < end; i++) {
        int j = sequence_of(t->first, i), item = i - t->first[j];
        const OpsSequence *s = &a->sequences[j];
        int head_kv = item % a->n_head_kv, first = item / a->n_head_kv * t->chunk;
        AttendArgs args = attend_args(t->ops, a, s, first, s->n_tok - first < t->chunk ? s->n_tok - first
            : t->chunk, head_kv);
        if (is_exact(t->ops)) attend_exact(&args);
        else t->ops->kernels->attend(&args, ops_scratch(t->ops, thread));
    }
}

static void attention_in_chunks(Ops *ops, const OpsAttention *a, int n_tok) {
    ChunkTask t = {.ops = ops, .a = a, .chunk = 16};
    while (t.chunk > 1 && t.chunk * (a->n_head / a->n_head_kv) > ATTN_MAX_QUERIES) t.chunk /= 2;
    /* something for every thread */
    while (t.chunk > 1 && n_tok <= t.chunk * (pool_active(ops->pool) - 1) / a->n_head_kv) t.chunk /= 2;
    for (int j = 0; j < a->n_sequences; j++)
        t.first[j + 1] = t.first[j] + (a->sequences[j].n_tok + t.chunk - 1) / t.chunk * a->n_head_kv;
    pool_run(ops->pool, t.first[a->n_sequences], 1, attend_chunks, &t);
}

/* One token of a sequence: work items are (K/V head) x (block of positions), whose parts are then merged for
 * each K/V head. */
typedef struct {
    const Ops *ops;
    const OpsAttention *a;
    const OpsSequence *s;
    int n_blocks;
    size_t head_floats;         /* of all parts of a K/V head */
} BlockTask;

static void attend_blocks(void *context, int begin, int end, int thread) {
    const BlockTask *t = context;
    while (begin < end) {
        int head_kv = begin / t->n_blocks, first = begin % t->n_blocks;
        int last = t->n_blocks - first < end - begin ? t->n_blocks : first + end - begin;
        AttendArgs args = attend_args(t->ops, t->a, t->s, 0, 1, head_kv);
        t->ops->kernels->attend_blocks(&args, first, last, t->ops->parts + (size_t)head_kv * t->head_floats,
            ops_scratch(t->ops, thread));
        begin += last - first;
    }
}

static void merge_blocks(void *context, int begin, int end, int thread) {
    (void)thread;
    const BlockTask *t = context;
    for (int head_kv = begin; head_kv < end; head_kv++) {
        AttendArgs args = attend_args(t->ops, t->a, t->s, 0, 1, head_kv);
        t->ops->kernels->attend_merge(&args, t->ops->parts + (size_t)head_kv * t->head_floats);
    }
}

static void attention_in_blocks(Ops *ops, const OpsAttention *a, const OpsSequence *s) {
    AttendArgs args = attend_args(ops, a, s, 0, 1, 0);
    BlockTask t = {.ops = ops, .a = a, .s = s, .n_blocks = attend_n_blocks(&args)};
    t.head_floats = (size_t)t.n_blocks * (size_t)args.n_q * (size_t)attend_part_floats(&args);
    int n_items = t.n_blocks * a->n_head_kv, take = n_items / (4 * pool_active(ops->pool));
    pool_run(ops->pool, n_items, take < 1 ? 1 : take, attend_blocks, &t);
    pool_run(ops->pool, a->n_head_kv, 1, merge_blocks, &t);
}

void ops_attention(Ops *ops, const OpsAttention *a) {
    assert(a->n_sequences <= OPS_MAX_SEQUENCES);
    double start = profile_clock(ops);
    int n_tok = 0;
    uint64_t seen = 0;
    for (int j = 0; j < a->n_sequences; j++) {
        n_tok += a->sequences[j].n_tok;
        for (int i = 0; i < a->sequences[j].n_tok; i++) {
            int n = a->sequences[j].pos + i + 1;
            seen += (uint64_t)(a->window && n > a->window ? a->window : n);
        }
    }
    bool few = n_tok == a->n_sequences && n_tok * a->n_head_kv < 2 * pool_active(ops->pool)
        && pool_active(ops->pool) > 1;
    if (few && !is_exact(ops)) {
        for (int j = 0; j < a->n_sequences; j++) attention_in_blocks(ops, a, &a->sequences[j]);
    } else {
        attention_in_chunks(ops, a, n_tok);
    }
    count_cost(ops, OP_ATTENTION, start, 0, seen * 2 * (uint64_t)a->n_head * (uint64_t)a->head_dim);
}
