/* transformer.c: see transformer.h. The file to read first. */
#include "transformer.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------------------------ the model */

/* sub = Attention(normed). Grouped queries: n_head / n_head_kv query heads share a key and a value head. */
static void attention(Transformer *t, const LayerWeights *l, const LayerConfig *layer, const KvLayer *kv, int n_tok, int pos) {
    const Config *c = t->c;
    Ops *ops = &t->ops;
    const float *rope = t->rope[layer->window > 0];

    ops_matmul(ops, t->normed, n_tok, (MatmulTerm[]){{&l->attn_q, t->q}, {&l->attn_k, t->k}, {&l->attn_v, t->v}}, 3);
    if (l->attn_q_norm) {
        ops_rms_norm(ops, t->q, l->attn_q_norm, t->q, n_tok * c->n_head, c->head_dim, c->rms_eps);
        ops_rms_norm(ops, t->k, l->attn_k_norm, t->k, n_tok * c->n_head_kv, c->head_dim, c->rms_eps);
    }
    ops_rope(ops, t->q, n_tok, c->n_head, c->head_dim, rope);
    ops_rope(ops, t->k, n_tok, c->n_head_kv, c->head_dim, rope);
    ops_store_kv(ops, &(OpsStoreKv){
        .k = t->k, .v = t->v, .to_k = kv->k, .to_v = kv->v,
        .n_tok = n_tok, .n_head_kv = c->n_head_kv, .head_dim = c->head_dim, .pos = pos, .cap = kv->cap,
    });
    ops_attention(ops, &(OpsAttention){
        .q = t->q, .out = t->attn, .k = kv->k, .v = kv->v,
        .n_tok = n_tok, .n_head = c->n_head, .n_head_kv = c->n_head_kv, .head_dim = c->head_dim,
        .pos = pos, .cap = kv->cap, .window = layer->window, .scale = c->attn_scale, .softcap = c->attn_softcap,
    });
    ops_matmul(ops, t->attn, n_tok, (MatmulTerm[]){{&l->attn_output, t->sub}}, 1);
}

/* sub = ffn_down(gelu(ffn_gate(normed)) * ffn_up(normed)) */
static void feed_forward(Transformer *t, const LayerWeights *l, int n_tok) {
    ops_matmul(&t->ops, t->normed, n_tok, (MatmulTerm[]){{&l->ffn_gate, t->gate}, {&l->ffn_up, t->up}}, 2);
    ops_geglu(&t->ops, t->gate, t->up, n_tok, t->c->n_ff);
    ops_matmul(&t->ops, t->gate, n_tok, (MatmulTerm[]){{&l->ffn_down, t->sub}}, 1);
}

static void norm(Transformer *t, const float *x, const float *weight, float *y, int n_tok) {
    ops_rms_norm(&t->ops, x, weight, y, n_tok, t->c->n_embd, t->c->rms_eps);
}

/* x += sub; Gemma 2 and 3 norm a sub-layer's output, too. */
static void add_to_residual(Transformer *t, const float *post_norm, int n_tok) {
    if (post_norm) norm(t, t->sub, post_norm, t->sub, n_tok);
    ops_add(&t->ops, t->x, t->sub, n_tok, t->c->n_embd);
}

/* cos and sin of the angles pos * freq_i, i = 0 .. head_dim/2 - 1, for each token. */
typedef struct {
    const Transformer *t;
    int pos;
} RopeTask;

static void fill_rope(void *context, int begin, int end, int thread) {
    (void)thread;
    const RopeTask *task = context;
    const Transformer *t = task->t;
    int half = t->c->head_dim / 2;
    for (int kind = 0; kind < 2; kind++) {
        for (int i = begin; i < end; i++) {
            float *cos_sin = t->rope[kind] + (size_t)i * (size_t)t->c->head_dim;
            for (int j = 0; j < half; j++) {
                double angle = (task->pos + i) * t->rope_freq[kind][j];
                cos_sin[j] = (float)cos(angle);
                cos_sin[half + j] = (float)sin(angle);
            }
        }
    }
}

void transformer_begin(Transformer *t, const int32_t *ids, int n_tok, int pos) {
    t->n_tok = 0;
    t->n_pass = n_tok;
    t->pos = pos;
    t->layer = 0;
    kv_cache_advance(&t->cache, pos + n_tok);
    pool_run(t->ops.pool, n_tok, 8, fill_rope, &(RopeTask){t, pos});
    /* Gemma scales its embeddings by sqrt(n_embd); the factor is not rounded. */
    ops_embed(&t->ops, &t->w->token_embd, ids, n_tok, t->c->embd_scale, t->x);
}

bool transformer_layer(Transformer *t) {
    const Config *c = t->c;
    const LayerWeights *l = &t->w->layers[t->layer];
    int n_tok = t->n_pass;
    norm(t, t->x, l->attn_norm, t->normed, n_tok);
    attention(t, l, &c->layers[t->layer], &t->cache.layers[t->layer], n_tok, t->pos);
    add_to_residual(t, l->post_attention_norm, n_tok);
    norm(t, t->x, l->ffn_norm, t->normed, n_tok);
    feed_forward(t, l, n_tok);
    add_to_residual(t, l->post_ffw_norm, n_tok);
    if (++t->layer < c->n_layer) return true;

    norm(t, t->x, t->w->output_norm, t->x, n_tok);
    t->n_tok = n_tok;
    t->n_pass = 0;
    return false;
}

void transformer_logits(Transformer *t, int first, int n) {
    const Config *c = t->c;
    ops_matmul(&t->ops, t->x + (size_t)first * (size_t)c->n_embd, n, (MatmulTerm[]){{&t->w->output, t->logits}}, 1);
    if (c->final_softcap > 0) ops_softcap(&t->ops, t->logits, n * c->n_vocab, c->final_softcap);
}

bool transformer_best_logits(Transformer *t, int i, int k, const int32_t *also, int n_also) {
    const Config *c = t->c;
    if (t->ops.precision == GEMMA_EXACT || !shortlist_pays(&t->w->output, k)) return false;
    shortlist_matmul(&t->shortlist, &t->ops, &t->w->output, t->x + (size_t)i * (size_t)c->n_embd, k, also, n_also, t->logits);
    if (c->final_softcap > 0) ops_softcap(&t->ops, t->logits, c->n_vocab, c->final_softcap);
    return true;
}

/* ------------------------------------------------------------------------------------ its memory */

/* Floats a token needs in a batch, in the order of `lay_out`. */
static size_t batch_floats(const Config *c) {
    size_t n_q = (size_t)c->n_head * (size_t)c->head_dim, n_kv = (size_t)c->n_head_kv * (size_t)c->head_dim;
    return 3 * (size_t)c->n_embd + 2 * n_q + 2 * n_kv + 2 * (size_t)c->n_ff + 2 * (size_t)c->head_dim;
}

/* Large models get smaller batches: nobody waits for 256 tokens of theirs in one go, and activations should be small beside weights. */
static int batch_size(const Config *c) {
    enum { ACTIVATION_BYTES = 24 << 20, UNIT = 8 };
    _Static_assert(UNIT >= 1 + GEMMA_MAX_DRAFT, "a token and its guesses are one batch");
    size_t n = ACTIVATION_BYTES / (batch_floats(c) * sizeof(float)) / UNIT * UNIT;
    return n > GEMMA_MAX_BATCH ? GEMMA_MAX_BATCH : n < UNIT ? UNIT : (int)n;
}

static OpsLimits ops_limits(const Config *c, int n_ctx) {
    int n = c->n_embd > c->n_ff ? c->n_embd : c->n_ff, n_q = c->n_head * c->head_dim;
    return (OpsLimits){.n_tok = batch_size(c), .n_cols = n > n_q ? n : n_q, .n_pos = n_ctx, .n_head = c->n_head, .head_dim = c->head_dim};
}

static size_t activation_bytes(const Config *c) {
    size_t floats = (size_t)batch_size(c) * batch_floats(c) + (1 + GEMMA_MAX_DRAFT) * (size_t)c->n_vocab;
    return (floats * sizeof(float) + 63) / 64 * 64;
}

static size_t freq_bytes(const Config *c) { return (size_t)c->head_dim * sizeof(double); }

uint64_t transformer_bytes(const Config *c, int n_ctx, int n_threads, GemmaPrecision precision) {
    OpsLimits most = ops_limits(c, n_ctx);
    return activation_bytes(c) + freq_bytes(c) + ops_bytes(n_threads, &most) + shortlist_bytes(c->n_vocab) + kv_cache_bytes(c, n_ctx, precision);
}

static void lay_out(Transformer *t) {
    const Config *c = t->c;
    size_t n = (size_t)t->batch, n_embd = n * (size_t)c->n_embd, n_ff = n * (size_t)c->n_ff;
    size_t n_q = n * (size_t)c->n_head * (size_t)c->head_dim, n_kv = n * (size_t)c->n_head_kv * (size_t)c->head_dim;
    size_t n_rope = n * (size_t)c->head_dim;
    struct { float **field; size_t n; } parts[] = {
        {&t->normed, n_embd}, {&t->sub, n_embd}, {&t->q, n_q}, {&t->attn, n_q}, {&t->k, n_kv}, {&t->v, n_kv},
        {&t->gate, n_ff}, {&t->up, n_ff}, {&t->rope[0], n_rope}, {&t->rope[1], n_rope}, {&t->logits, (1 + GEMMA_MAX_DRAFT) * (size_t)c->n_vocab},
    };
    float *at = t->x + n_embd;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].field = at;
        at += parts[i].n;
    }
}

/* Global layers share one base and scale, windowed layers another. */
static void fill_frequencies(Transformer *t) {
    int half = t->c->head_dim / 2;
    t->rope_freq[1] = t->rope_freq[0] + half;
    for (int i = 0; i < t->c->n_layer; i++) {
        const LayerConfig *layer = &t->c->layers[i];
        double *freq = t->rope_freq[layer->window > 0];
        for (int j = 0; j < half; j++) freq[j] = layer->rope_scale * pow(layer->rope_base, -2.0 * j / t->c->head_dim);
    }
}

bool transformer_new(Transformer *t, const Config *c, const Weights *w, const Kernels *kernels, Pool *pool, GemmaPrecision precision, int n_ctx) {
    OpsLimits most = ops_limits(c, n_ctx);
    *t = (Transformer){.c = c, .w = w, .batch = batch_size(c)};
    t->x = aligned_alloc(64, activation_bytes(c));
    t->rope_freq[0] = calloc(1, freq_bytes(c));
    if (!t->x || !t->rope_freq[0] || !ops_new(&t->ops, kernels, pool, precision, &most) || !shortlist_new(&t->shortlist, c->n_vocab) ||
        !kv_cache_new(&t->cache, c, n_ctx, precision)) {
        transformer_free(t);
        return false;
    }
    lay_out(t);
    fill_frequencies(t);
    return true;
}

void transformer_free(Transformer *t) {
    free(t->x);
    free(t->rope_freq[0]);
    ops_free(&t->ops);
    shortlist_free(&t->shortlist);
    kv_cache_free(&t->cache);
    *t = (Transformer){0};
}
