/* transformer.h: THE FORWARD PASS. Tokens in, hidden states and logits out, for Gemma 1 (arXiv 2403.08295),
 * Gemma 2 (2408.00118) and Gemma 3 (2503.19786). What tells them apart is data: the config's per-layer table,
 * and weights that may be NULL. A pass takes a batch of rows, each of them a token at a position of some
 * sequence: matrices are read once for all rows, attention runs per sequence, and no row's result depends on
 * what else is in the batch. Knows no instruction sets, bits, files or text, and of sessions only their
 * caches. */
#ifndef TRANSFORMER_H
#define TRANSFORMER_H

#include "config.h"
#include "kv_cache.h"
#include "ops.h"
#include "shortlist.h"
#include "weights.h"

/* Largest number of sequences in a batch, and of rows whose logits are computed at once: a token and its
 * draft, or a token of each sequence. */
enum { MAX_PARTS = 1 + GEMMA_MAX_DRAFT };
_Static_assert((int)MAX_PARTS <= (int)OPS_MAX_SEQUENCES, "attention takes a batch");
_Static_assert((int)MAX_PARTS <= (int)SHORTLIST_MOST, "so does the two-pass head");

/* The rows of one sequence in a batch: ids[n_tok] at positions pos .. pos + n_tok - 1. */
typedef struct {
    const KvCache *cache;       /* holds [0, pos), and has the blocks of the rest. NULL: given up, its rows
                                 * are computed but not used */
    const int32_t *ids;         /* read by transformer_begin only */
    int n_tok, pos;
    int row;                    /* its first in the batch, set by transformer_begin */
} BatchPart;

/* A pass that waits between two layers while another is computed. */
typedef struct {
    float *x;                   /* [B, n_embd] */
    BatchPart parts[MAX_PARTS];
    int n_parts, n_rows, layer; /* as the workspace's; n_rows 0: none waits */
} ParkedPass;

/* The scratch memory of a pass: one for a model, shared by its sessions. */
typedef struct {
    const Config *c;            /* borrowed, as is w */
    const Weights *w;
    Ops ops;
    Shortlist shortlist;

    int batch;                  /* most rows of one pass: B */

    /* Activations of one batch. */
    float *x;                   /* [B, n_embd]: the residual stream; after a pass the final, normed hidden
                                 * states */
    float *normed;              /* [B, n_embd]: a sub-layer's input */
    float *sub;                 /* [B, n_embd]: a sub-layer's output */
    float *q, *attn;            /* [B, n_head * head_dim]; these and the next have room for the widest
                                 * layer */
    float *k, *v;               /* [B, n_head_kv * head_dim] */
    float *gate, *up;           /* [B, n_ff] */
    float *logits;              /* [MAX_PARTS, n_vocab] */
    float *rope[MAX_ROPES];     /* [B, head_dim]: cosines and sines at each row, of each of the config's
                                 * RoPEs */
    double *rope_freq[MAX_ROPES];   /* [head_dim / 2]: radians a position */

    /* The pass under way. */
    BatchPart parts[MAX_PARTS];
    int n_parts;
    int n_rows;                 /* 0: none is under way */
    int layer;                  /* the next one */
    ParkedPass parked;
} Workspace;

/* Bytes that workspace_new allocates, for contexts of up to n_ctx. */
uint64_t workspace_bytes(const Config *c, int n_ctx, int n_threads);
/* False when memory is short; *ws is then empty. */
bool workspace_new(Workspace *ws, const Config *c, const Weights *w, const Kernels *kernels, Pool *pool,
    GemmaPrecision precision);
void workspace_free(Workspace *ws);

/* THE PASS, in slices, so that the caller can do other work between them: begin, then a layer at a time until
 * there are no more.
 *
 * begin: the rows of parts[n_parts], in this order; 1 to ws->batch rows in all. */
void transformer_begin(Workspace *ws, const BatchPart *parts, int n_parts);
/* False after the last layer: ws->x then holds the final hidden states. */
bool transformer_layer(Workspace *ws);
/* Gives up a pass that is under way. What it has written to caches lies beyond the positions that are
 * held. */
static inline void transformer_abandon(Workspace *ws) { ws->n_rows = 0; }
/* Lets the pass under way wait, so that another can begin; one at a time. Resume continues it when none is
 * under way. */
void transformer_park(Workspace *ws);
void transformer_resume(Workspace *ws);

/* Rows [row, row + n) of ws->logits[MAX_PARTS, n_vocab], of final hidden states x[n, n_embd]. */
void transformer_logits(Workspace *ws, const float *x, int row, int n);

/* The same: those that want[n] wants; in the place of others something not larger than the k-th. */
void transformer_best_logits(Workspace *ws, const float *x, const ShortlistWant *want, int row, int n);
/* Row `row`, of x[n_embd]: those of tokens that have a bit in bits[(n_vocab + 31) / 32]; in the place of
 * others anything. */
void transformer_some_logits(Workspace *ws, const float *x, const uint32_t *bits, int row);
/* Whether it is cheaper to find the k best logits of a row than to compute all. */
bool transformer_prefers_best(const Workspace *ws, int k);
/* And those of few tokens. */
bool transformer_prefers_some(const Workspace *ws);

#endif
