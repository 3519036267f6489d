/* kv_cache.h: keys and values of a session's positions, of each layer that has its own, in blocks of
 * ATTN_BLOCK positions that are allocated when they are first needed: all of the context in global layers, a
 * ring of blocks in sliding-window layers. Owns the rules of going back, and which blocks a copy needs. Knows
 * no maths and no tokens. */
#ifndef KV_CACHE_H
#define KV_CACHE_H

#include "config.h"

/* Rings hold their window, one batch, and at least this many positions to go back. */
enum { KV_REWIND = 64 };

typedef struct {
    uint8_t **blocks;   /* [n_blocks]; block b of the positions lies at b % n_blocks. NULL: not needed yet.
                         * See ops_kv_head_bytes. */
    int n_blocks;
    int window;         /* 0: none */
    size_t block_bytes;
} KvLayer;

typedef struct {
    KvLayer *layers;    /* [n_layer]: those layers of the model that have keys and values of their own, see
                         * LayerConfig.cache */
    int n_layer;
    int high;           /* positions [0, high) may have been written since the cache was empty: a ring has
                         * lost what lies behind them */
    uint8_t **table;    /* the blocks of all layers */
} KvCache;

/* Bytes for a context of n_ctx that is full. */
uint64_t kv_cache_bytes(const Config *c, int n_ctx, GemmaPrecision precision);
/* Bytes that are allocated now. */
uint64_t kv_cache_used(const KvCache *cache);

/* An empty cache. False when memory is short. */
bool kv_cache_new(KvCache *cache, const Config *c, int n_ctx, GemmaPrecision precision);
void kv_cache_free(KvCache *cache);

/* Whether a session that goes back to its first n positions can continue from there: whether rings still have
 * what that needs. */
bool kv_cache_holds(const KvCache *cache, int n);
/* How many of the first `n` positions can be kept when the rest is dropped: n, or 0 if a ring has lost what
 * they need. Frees the blocks that hold none of those kept. */
int kv_cache_rewind(KvCache *cache, int n);
/* Before positions [from, to) are written, from <= high: allocates their blocks. False when memory is short;
 * blocks allocated so far stay. */
bool kv_cache_reserve(KvCache *cache, int from, int to);

/* The first block that is held of one of these layers; and for copies: allocates the blocks [first, end) of
 * one. False when memory is short. */
int kv_layer_first(const KvCache *cache, int layer);
bool kv_layer_reserve(KvLayer *l, int first, int end);
/* A copy of what `from` holds of its first n positions. False when memory is short; *to is then empty. */
bool kv_cache_copy(KvCache *to, const KvCache *from, int n);

#endif
