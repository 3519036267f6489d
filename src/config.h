/* config.h: a model's hyper-parameters, from GGUF metadata. All that tells one Gemma from another is decided
 * here, as numbers in a per-layer table; the forward pass never asks for the architecture. Knows nothing of
 * weights. */
#ifndef CONFIG_H
#define CONFIG_H

#include "arch.h"
#include "gguf.h"

/* theta_i = pos * scale * base^(-2i / head_dim) */
typedef struct {
    int head_dim;
    float base;
    float scale;            /* 1 / factor of linear scaling; 1 without */
} Rope;
enum { MAX_ROPES = 4 };

/* All that the forward pass asks of a layer. */
typedef struct {
    int n_head, n_head_kv, head_dim, n_ff;
    int window;             /* a query sees itself and window - 1 positions before it; 0: all of them */
    int rope;               /* which of the config's */
    int kv_layer;           /* whose keys and values it reads: its own, or those of an earlier layer, whose
                             * window, K/V heads and RoPE it has */
    int cache;              /* where they lie: caches are numbered in the order of the layers that have their
                             * own */
    float attn_scale;       /* 1/sqrt(head_dim), in the 27B models 1/sqrt(n_embd / n_head) */
} LayerConfig;

typedef struct {
    const Arch *arch;
    int n_layer, n_embd, n_vocab;
    int n_caches;           /* layers that have their own keys and values */
    int n_ctx_train;
    float rms_eps;
    float embd_scale;       /* sqrt(n_embd), not rounded */
    float attn_softcap;     /* scores become cap * tanh(score / cap); 0: none */
    float final_softcap;    /* the same for logits */
    Rope ropes[MAX_ROPES];
    int n_ropes;
    unsigned guessed;       /* GEMMA_GUESSED_SIZES, GEMMA_GUESSED_VOCABULARY: what a header's beginning did
                             * not say */
    LayerConfig *layers;    /* [n_layer] */
} Config;

/* The largest of each size in any layer: what memory for one layer must hold. */
typedef struct {
    int n_q, n_kv;          /* numbers in all query heads, and in all key heads */
    int n_head, head_dim, n_ff;
} ConfigWidest;
ConfigWidest config_widest(const Config *c);

/* Where metadata is silent, sizes are read off the first layer's tensors, and all else is what the Gemma of
 * that architecture and number of layers was trained with. n_vocab counts the ids that have a text in
 * tokenizer.ggml.tokens and a row in the embedding and the head. Of a header's beginning (g->is_whole is
 * false), what is not there yet is taken from the published model whose sizes these are, or that is nearest
 * to the size of the file. GEMMA_UNSUPPORTED names another architecture. config_free it. */
GemmaStatus config_read(Config *c, const Gguf *g, GemmaError *err);
/* The same by a row that need not be in the table. */
GemmaStatus config_read_as(Config *c, const Arch *arch, const Gguf *g, GemmaError *err);
/* The same of a shape without a file: its numbers are read as those of a header would be. */
GemmaStatus config_of_shape(Config *c, const GemmaShape *shape, GemmaError *err);
/* Its numbers, or of sizes that differ the first layer's; `window`: of the layers that have one. */
GemmaShape config_shape(const Config *c);
void config_free(Config *c);

#endif
