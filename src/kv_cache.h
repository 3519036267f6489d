/* kv_cache.h: keys and values of every position, per layer: all of the context in global layers, a ring in sliding-window
 * layers. Owns the rules of going back. Knows no maths and no tokens. */
#ifndef KV_CACHE_H
#define KV_CACHE_H

#include "config.h"

/* Rings hold their window, one batch, and this many positions to go back. The batch's positions are there to go back, too, unless one is
 * under way: so what drafts and a batch that was given up have written over is never needed by what comes before them. */
enum { KV_REWIND = 64 };

typedef struct {
    void *k, *v;        /* [cap][n_head_kv * head_dim], f16 or, exact, f32; position p lies at p % cap. Int8: blocks of kernels/kv8.h,
                         * k[cap / ATTN_BLOCK][n_head_kv], v NULL */
    int cap;            /* a multiple of ATTN_BLOCK */
    int window;         /* 0: none */
} KvLayer;

typedef struct {
    KvLayer *layers;
    int n_layer;
    int high;           /* positions ever written since the cache was empty: what lies `cap` behind the end of their last block is gone */
    void *memory;
} KvCache;

/* Bytes for a context of n_ctx. */
uint64_t kv_cache_bytes(const Config *c, int n_ctx, GemmaPrecision precision);
/* False when memory is short. The memory is not touched: context that is not used costs nothing. */
bool kv_cache_new(KvCache *cache, const Config *c, int n_ctx, GemmaPrecision precision);
void kv_cache_free(KvCache *cache);

/* Of the first `n` positions, how many can be kept when the rest is given up: n, or 0 if a ring has lost what they need. */
int kv_cache_rewind(KvCache *cache, int n);
/* Positions [0, n) are now written. */
void kv_cache_advance(KvCache *cache, int n);

#endif
