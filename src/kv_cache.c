/* kv_cache.c: see kv_cache.h. */
#include "kv_cache.h"

#include <stdlib.h>

#include "kernels/kernels.h"
#include "kernels/kv8.h"
#include "memory.h"

static int round_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

/* Slots of a layer. */
static int layer_cap(const LayerConfig *layer, int n_ctx) {
    int all = round_up(n_ctx, ATTN_BLOCK);
    if (!layer->window || layer->window >= n_ctx) return all;
    int ring = round_up(layer->window + GEMMA_MAX_BATCH + KV_REWIND, ATTN_BLOCK);
    return ring < all ? ring : all;
}

/* Keys and values of `cap` slots. */
static uint64_t slots_bytes(const Config *c, int cap, GemmaPrecision precision) {
    uint64_t n_head_kv = (uint64_t)c->n_head_kv;
    if (precision == GEMMA_INT8_CACHE) return (uint64_t)(cap / ATTN_BLOCK) * n_head_kv * kv8_block_bytes(c->head_dim);
    return (uint64_t)cap * n_head_kv * (uint64_t)c->head_dim * 2 * (precision == GEMMA_EXACT ? sizeof(float) : sizeof(uint16_t));
}

uint64_t kv_cache_bytes(const Config *c, int n_ctx, GemmaPrecision precision) {
    uint64_t bytes = 0;
    for (int i = 0; i < c->n_layer; i++) bytes += slots_bytes(c, layer_cap(&c->layers[i], n_ctx), precision);
    return bytes;
}

bool kv_cache_new(KvCache *cache, const Config *c, int n_ctx, GemmaPrecision precision) {
    uint64_t bytes = kv_cache_bytes(c, n_ctx, precision);
    *cache = (KvCache){.n_layer = c->n_layer};
    cache->layers = calloc((size_t)c->n_layer, sizeof *cache->layers);
    cache->memory = memory_aligned(bytes);
    if (!cache->layers || !cache->memory) {
        kv_cache_free(cache);
        return false;
    }
    uint8_t *at = cache->memory;
    for (int i = 0; i < c->n_layer; i++) {
        int cap = layer_cap(&c->layers[i], n_ctx);
        size_t size = (size_t)slots_bytes(c, cap, precision);
        cache->layers[i] = (KvLayer){at, precision == GEMMA_INT8_CACHE ? NULL : at + size / 2, cap, c->layers[i].window};
        at += size;
    }
    return true;
}

void kv_cache_free(KvCache *cache) {
    free(cache->layers);
    free(cache->memory);
    *cache = (KvCache){0};
}

/* A position is written over with its whole block: an int8 cache clears a block before it writes the block's first position (kv8.h), and
 * the other types follow the same rule, so that all go back equally far. */
int kv_cache_rewind(KvCache *cache, int n) {
    int end = round_up(cache->high, ATTN_BLOCK);
    for (int i = 0; i < cache->n_layer; i++) {
        const KvLayer *l = &cache->layers[i];
        int first_held = end - l->cap, first_needed = n - l->window + 1;    /* the next query is at position n */
        if (l->window && first_held > 0 && first_needed < first_held) n = 0;
    }
    if (n == 0) cache->high = 0;
    return n;
}

void kv_cache_advance(KvCache *cache, int n) {
    if (n > cache->high) cache->high = n;
}
