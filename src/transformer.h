/* transformer.h: THE FORWARD PASS. Tokens in, hidden states and logits out, for Gemma 1 (arXiv 2403.08295), Gemma 2 (2408.00118)
 * and Gemma 3 (2503.19786). What tells them apart is data: the config's per-layer table, and weights that may be NULL.
 * Knows no instruction sets, bits, files or text. */
#ifndef TRANSFORMER_H
#define TRANSFORMER_H

#include "config.h"
#include "kv_cache.h"
#include "ops.h"
#include "shortlist.h"
#include "weights.h"

typedef struct {
    const Config *c;            /* borrowed, as is w */
    const Weights *w;
    Ops ops;
    KvCache cache;
    Shortlist shortlist;

    int batch;                  /* most tokens of one pass: B */

    /* Activations of one batch. */
    float *x;                   /* [B, n_embd]: the residual stream; after a pass the final, normed hidden states */
    float *normed;              /* [B, n_embd]: a sub-layer's input */
    float *sub;                 /* [B, n_embd]: a sub-layer's output */
    float *q, *attn;            /* [B, n_head * head_dim] */
    float *k, *v;               /* [B, n_head_kv * head_dim] */
    float *gate, *up;           /* [B, n_ff] */
    float *logits;              /* [1 + GEMMA_MAX_DRAFT, n_vocab] */
    float *rope[2];             /* [B, head_dim]: cosines and sines at each token, for global and for windowed layers */
    double *rope_freq[2];       /* [head_dim / 2]: radians a position */
    int n_tok;                  /* tokens of the last pass; 0 while one is under way */
    int n_pass;                 /* tokens of the pass under way; 0: none */
    int pos, layer;             /* its first position, its next layer */
} Transformer;

/* Bytes that transformer_new allocates, KV cache included. */
uint64_t transformer_bytes(const Config *c, int n_ctx, int n_threads, GemmaPrecision precision);
/* False when memory is short; *t is then empty. */
bool transformer_new(Transformer *t, const Config *c, const Weights *w, const Kernels *kernels, Pool *pool, GemmaPrecision precision, int n_ctx);
void transformer_free(Transformer *t);

/* THE PASS, in slices, so that whoever waits can be heard: begin, then a layer at a time until there are no more.
 *
 * begin: ids[n_tok], 1 to t->batch of them, at positions pos .. pos + n_tok - 1; the cache must hold [0, pos). */
void transformer_begin(Transformer *t, const int32_t *ids, int n_tok, int pos);
/* False after the last layer: t->x then holds the final hidden states. */
bool transformer_layer(Transformer *t);
/* Gives up a pass that is under way, if one is. What it has written to the cache lies beyond the positions that are held. */
static inline void transformer_abandon(Transformer *t) { t->n_pass = 0; }

/* The logits of tokens [first, first + n) of the last pass, n <= 1 + GEMMA_MAX_DRAFT. */
void transformer_logits(Transformer *t, int first, int n);

/* Of token i the k largest logits and those of `also`; in the place of others something not larger. False, and nothing done, where
 * this is not cheaper than all. */
bool transformer_best_logits(Transformer *t, int i, int k, const int32_t *also, int n_also);

#endif
