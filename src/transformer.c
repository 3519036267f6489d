/* transformer.c: see transformer.h. The file to read first. */
#include "transformer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The parts that are still wanted, as the layer that is next sees them. */
static int list_sequences(const Workspace *ws, OpsSequence *sequences) {
    int n = 0;
    for (const BatchPart *p = ws->parts; p < ws->parts + ws->n_parts; p++) {
        if (!p->cache) continue;
        const KvLayer *kv = &p->cache->layers[ws->c->layers[ws->layer].cache];
        sequences[n++] = (OpsSequence){kv->blocks, kv->n_blocks, p->row, p->n_tok, p->pos};
    }
    return n;
}

/* ------------------------------------------------------------------------------------ the model */

/* sub = Attention(normed). Grouped queries: n_head / n_head_kv query heads share a key and a value head. A
 * layer without its own keys and values reads what an earlier one has stored for the same rows. */
static void attention(Workspace *ws, const LayerWeights *w, const LayerConfig *l) {
    const Config *c = ws->c;
    Ops *ops = &ws->ops;
    int n_rows = ws->n_rows;
    bool own_kv = l->kv_layer == ws->layer;
    OpsSequence sequences[MAX_PARTS];

    ops_matmul(ops, ws->normed, n_rows,
        (MatmulTerm[]){{&w->attn_q, ws->q}, {&w->attn_k, ws->k}, {&w->attn_v, ws->v}}, own_kv ? 3 : 1);
    if (w->attn_q_norm) ops_rms_norm(ops, ws->q, w->attn_q_norm, ws->q, n_rows * l->n_head, l->head_dim, c->rms_eps);
    if (w->attn_k_norm) ops_rms_norm(ops, ws->k, w->attn_k_norm, ws->k, n_rows * l->n_head_kv, l->head_dim, c->rms_eps);
    ops_rope(ops, ws->q, n_rows, l->n_head, l->head_dim, ws->rope[l->rope]);
    if (own_kv) ops_rope(ops, ws->k, n_rows, l->n_head_kv, l->head_dim, ws->rope[l->rope]);
    OpsAttention a = {
        .sequences = sequences, .n_sequences = list_sequences(ws, sequences),
        .q = ws->q, .k = ws->k, .v = ws->v, .out = ws->attn,
        .n_head = l->n_head, .n_head_kv = l->n_head_kv, .head_dim = l->head_dim,
        .window = l->window, .scale = l->attn_scale, .softcap = c->attn_softcap,
    };
    if (own_kv) ops_store_kv(ops, &a);
    ops_attention(ops, &a);
    ops_matmul(ops, ws->attn, n_rows, (MatmulTerm[]){{&w->attn_output, ws->sub}}, 1);
}

/* sub = ffn_down(gelu(ffn_gate(normed)) * ffn_up(normed)) */
static void feed_forward(Workspace *ws, const LayerWeights *w, const LayerConfig *l) {
    int n_rows = ws->n_rows;
    ops_matmul(&ws->ops, ws->normed, n_rows, (MatmulTerm[]){{&w->ffn_gate, ws->gate}, {&w->ffn_up, ws->up}}, 2);
    ops_geglu(&ws->ops, ws->gate, ws->up, n_rows, l->n_ff);
    ops_matmul(&ws->ops, ws->gate, n_rows, (MatmulTerm[]){{&w->ffn_down, ws->sub}}, 1);
}

static void norm(Workspace *ws, const float *x, const float *weight, float *y) {
    ops_rms_norm(&ws->ops, x, weight, y, ws->n_rows, ws->c->n_embd, ws->c->rms_eps);
}

/* x += sub; Gemma 2 and 3 norm a sub-layer's output, too. */
static void add_to_residual(Workspace *ws, const float *post_norm) {
    if (post_norm) norm(ws, ws->sub, post_norm, ws->sub);
    ops_add(&ws->ops, ws->x, ws->sub, ws->n_rows, ws->c->n_embd);
}

bool transformer_layer(Workspace *ws) {
    const LayerWeights *w = &ws->w->layers[ws->layer];
    const LayerConfig *l = &ws->c->layers[ws->layer];
    norm(ws, ws->x, w->attn_norm, ws->normed);
    attention(ws, w, l);
    add_to_residual(ws, w->post_attention_norm);
    norm(ws, ws->x, w->ffn_norm, ws->normed);
    feed_forward(ws, w, l);
    add_to_residual(ws, w->post_ffw_norm);
    if (++ws->layer < ws->c->n_layer) return true;

    norm(ws, ws->x, ws->w->output_norm, ws->x);
    ws->n_rows = 0;
    return false;
}

static float *logits_row(Workspace *ws, int row) { return ws->logits + (size_t)row * (size_t)ws->c->n_vocab; }

static void cap_logits(Workspace *ws, int row, int n) {
    const Config *c = ws->c;
    if (c->final_softcap > 0) ops_softcap(&ws->ops, logits_row(ws, row), n * c->n_vocab, c->final_softcap);
}

void transformer_logits(Workspace *ws, const float *x, int row, int n) {
    ops_matmul(&ws->ops, x, n, (MatmulTerm[]){{&ws->w->output, logits_row(ws, row)}}, 1);
    cap_logits(ws, row, n);
}

bool transformer_prefers_best(const Workspace *ws, int k) { return ws->ops.precision != GEMMA_EXACT && shortlist_pays(&ws->w->output, k); }

void transformer_best_logits(Workspace *ws, const float *x, const ShortlistWant *want, int row, int n) {
    shortlist_matmul(&ws->shortlist, &ws->ops, &ws->w->output, x, n, want, logits_row(ws, row));
    cap_logits(ws, row, n);
}

bool transformer_prefers_some(const Workspace *ws) { return ws->ops.precision != GEMMA_EXACT && ws->w->output.kind < PANEL_FIRST_FLOAT; }

void transformer_some_logits(Workspace *ws, const float *x, const uint32_t *bits, int row) {
    shortlist_rows(&ws->shortlist, &ws->ops, &ws->w->output, x, bits, logits_row(ws, row));
    cap_logits(ws, row, 1);
}

/* ------------------------------------------------------------------------------------ the batch */

/* cos and sin of the angles pos * freq_i, i = 0 .. head_dim/2 - 1, for rows [begin, end) of a part. */
typedef struct {
    const Workspace *ws;
    const BatchPart *part;
} RopeTask;

static void fill_rope(void *context, int begin, int end, int thread) {
    (void)thread;
    const RopeTask *task = context;
    const Workspace *ws = task->ws;
    for (int k = 0; k < ws->c->n_ropes; k++) {
        int head_dim = ws->c->ropes[k].head_dim, half = head_dim / 2;
        for (int i = begin; i < end; i++) {
            float *cos_sin = ws->rope[k] + (size_t)(task->part->row + i) * (size_t)head_dim;
            for (int j = 0; j < half; j++) {
                double angle = (task->part->pos + i) * ws->rope_freq[k][j];
                cos_sin[j] = (float)cos(angle);
                cos_sin[half + j] = (float)sin(angle);
            }
        }
    }
}

static void compute_rope(const Workspace *ws, const BatchPart *p) { pool_run(ws->ops.pool, p->n_tok, 8, fill_rope, &(RopeTask){ws, p}); }

void transformer_begin(Workspace *ws, const BatchPart *parts, int n_parts) {
    assert(n_parts >= 1 && n_parts <= MAX_PARTS);
    ws->layer = ws->n_rows = 0;
    ws->n_parts = n_parts;
    for (int i = 0; i < n_parts; i++) {
        BatchPart *p = &ws->parts[i];
        *p = parts[i];
        p->row = ws->n_rows;
        ws->n_rows += p->n_tok;
        compute_rope(ws, p);
        /* Gemma scales its embeddings by sqrt(n_embd); the factor is not rounded. */
        ops_embed(&ws->ops, &ws->w->token_embd, p->ids, p->n_tok, ws->c->embd_scale,
            ws->x + (size_t)p->row * (size_t)ws->c->n_embd);
    }
    assert(ws->n_rows <= ws->batch);
}

static size_t residual_bytes(const Workspace *ws, int n_rows) { return (size_t)n_rows * (size_t)ws->c->n_embd * sizeof *ws->x; }

void transformer_park(Workspace *ws) {
    ParkedPass *p = &ws->parked;
    assert(!p->n_rows);
    p->n_parts = ws->n_parts;
    p->n_rows = ws->n_rows;
    p->layer = ws->layer;
    memcpy(p->parts, ws->parts, sizeof p->parts);
    memcpy(p->x, ws->x, residual_bytes(ws, p->n_rows));
    ws->n_rows = 0;
}

void transformer_resume(Workspace *ws) {
    ParkedPass *p = &ws->parked;
    assert(!ws->n_rows);
    ws->n_parts = p->n_parts;
    ws->n_rows = p->n_rows;
    ws->layer = p->layer;
    memcpy(ws->parts, p->parts, sizeof ws->parts);
    memcpy(ws->x, p->x, residual_bytes(ws, ws->n_rows));
    for (int i = 0; i < ws->n_parts; i++) compute_rope(ws, &ws->parts[i]);
    p->n_rows = 0;
}

/* ------------------------------------------------------------------------------------ its memory */

/* Floats a row needs in a batch, beside those of a parked one. */
static size_t row_floats(const Config *c) {
    ConfigWidest w = config_widest(c);
    return 3 * (size_t)c->n_embd + 2 * (size_t)w.n_q + 2 * (size_t)w.n_kv + 2 * (size_t)w.n_ff + (size_t)c->n_ropes * (size_t)w.head_dim;
}

/* Large models get smaller batches: 256 tokens at once would take too long, and activations should be small
 * beside weights. */
static int batch_size(const Config *c) {
    enum { ACTIVATION_BYTES = 24 << 20, UNIT = 8 };
    _Static_assert(UNIT >= 1 + GEMMA_MAX_DRAFT, "a token and its draft are one batch");
    size_t n = ACTIVATION_BYTES / (row_floats(c) * sizeof(float)) / UNIT * UNIT;
    return n > GEMMA_MAX_BATCH ? GEMMA_MAX_BATCH : n < UNIT ? UNIT : (int)n;
}

static OpsLimits ops_limits(const Config *c) {
    ConfigWidest w = config_widest(c);
    int n = c->n_embd > w.n_ff ? c->n_embd : w.n_ff;
    return (OpsLimits){.n_tok = batch_size(c), .n_cols = n > w.n_q ? n : w.n_q, .n_head = w.n_head, .head_dim = w.head_dim};
}

static size_t activation_bytes(const Config *c) {
    size_t floats = (size_t)batch_size(c) * (row_floats(c) + (size_t)c->n_embd) + MAX_PARTS * (size_t)c->n_vocab;
    return (floats * sizeof(float) + 63) / 64 * 64;
}

static size_t freq_bytes(const Config *c) { return (size_t)c->n_ropes * (size_t)config_widest(c).head_dim / 2 * sizeof(double); }

uint64_t workspace_bytes(const Config *c, int n_ctx, int n_threads) {
    OpsLimits most = ops_limits(c);
    return activation_bytes(c) + freq_bytes(c) + ops_bytes(n_threads, &most, n_ctx) + shortlist_bytes(c->n_vocab);
}

static void lay_out(Workspace *ws) {
    const Config *c = ws->c;
    ConfigWidest w = config_widest(c);
    size_t n = (size_t)ws->batch, n_embd = n * (size_t)c->n_embd,
        n_q = n * (size_t)w.n_q, n_kv = n * (size_t)w.n_kv, n_ff = n * (size_t)w.n_ff;
    struct { float **field; size_t n; } arrays[] = {
        {&ws->normed, n_embd}, {&ws->sub, n_embd}, {&ws->q, n_q}, {&ws->attn, n_q}, {&ws->k, n_kv}, {&ws->v, n_kv},
        {&ws->gate, n_ff}, {&ws->up, n_ff}, {&ws->logits, MAX_PARTS * (size_t)c->n_vocab}, {&ws->parked.x, n_embd},
    };
    float *at = ws->x + n_embd;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i].field = at;
        at += arrays[i].n;
    }
    for (int k = 0; k < c->n_ropes; k++, at += n * (size_t)w.head_dim) ws->rope[k] = at;
}

static void fill_frequencies(Workspace *ws) {
    int widest = config_widest(ws->c).head_dim;
    for (int k = 0; k < ws->c->n_ropes; k++) {
        const Rope *rope = &ws->c->ropes[k];
        ws->rope_freq[k] = ws->rope_freq[0] + k * widest / 2;
        for (int j = 0; j < rope->head_dim / 2; j++) ws->rope_freq[k][j] = rope->scale * pow(rope->base, -2.0 * j / rope->head_dim);
    }
}

bool workspace_new(Workspace *ws, const Config *c, const Weights *w, const Kernels *kernels, Pool *pool, GemmaPrecision precision) {
    OpsLimits most = ops_limits(c);
    *ws = (Workspace){.c = c, .w = w, .batch = batch_size(c)};
    ws->x = aligned_alloc(64, activation_bytes(c));
    ws->rope_freq[0] = calloc(1, freq_bytes(c));
    if (!ws->x || !ws->rope_freq[0] || !ops_new(&ws->ops, kernels, pool, precision, &most)
        || !shortlist_new(&ws->shortlist, c->n_vocab)) {
        workspace_free(ws);
        return false;
    }
    lay_out(ws);
    fill_frequencies(ws);
    return true;
}

void workspace_free(Workspace *ws) {
    free(ws->x);
    free(ws->rope_freq[0]);
    ops_free(&ws->ops);
    shortlist_free(&ws->shortlist);
    *ws = (Workspace){0};
}
