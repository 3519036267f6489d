/* kv_cache.c: see kv_cache.h. */
#include "kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "ops.h"

static int blocks_of(int n_pos) { return (n_pos + ATTN_BLOCK - 1) / ATTN_BLOCK; }

static size_t block_bytes(const LayerConfig *l, GemmaPrecision precision) {
    return (size_t)l->n_head_kv * ops_kv_head_bytes(l->head_dim, precision);
}

/* A ring is overwritten a block at a time, for every type of keys and values: kv8 clears whole blocks. */
static int layer_blocks(const LayerConfig *layer, int n_ctx) {
    int all = blocks_of(n_ctx);
    if (!layer->window || layer->window >= n_ctx) return all;
    int ring = blocks_of(layer->window + GEMMA_MAX_BATCH + KV_REWIND + ATTN_BLOCK - 1);
    return ring < all ? ring : all;
}

uint64_t kv_cache_bytes(const Config *c, int n_ctx, GemmaPrecision precision) {
    uint64_t bytes = (uint64_t)c->n_caches * sizeof(KvLayer);
    for (int i = 0; i < c->n_layer; i++) {
        const LayerConfig *l = &c->layers[i];
        if (l->kv_layer == i) bytes += (uint64_t)layer_blocks(l, n_ctx)
            * (block_bytes(l, precision) + sizeof(uint8_t *));
    }
    return bytes;
}

uint64_t kv_cache_used(const KvCache *cache) {
    uint64_t bytes = 0;
    for (int i = 0; i < cache->n_layer; i++)
        for (int b = 0; b < cache->layers[i].n_blocks; b++) bytes += cache->layers[i].blocks[b]
            ? cache->layers[i].block_bytes : 0;
    return bytes;
}

/* The table of layers[n_layer], whose sizes are set: no blocks yet. */
static bool make_table(KvCache *cache) {
    size_t n = 0;
    for (int i = 0; i < cache->n_layer; i++) n += (size_t)cache->layers[i].n_blocks;
    cache->table = calloc(n, sizeof *cache->table);
    uint8_t **at = cache->table;
    for (int i = 0; i < cache->n_layer && at; at += cache->layers[i++].n_blocks) cache->layers[i].blocks = at;
    return at != NULL;
}

bool kv_cache_new(KvCache *cache, const Config *c, int n_ctx, GemmaPrecision precision) {
    *cache = (KvCache){.n_layer = c->n_caches, .layers = calloc((size_t)c->n_caches, sizeof *cache->layers)};
    for (const LayerConfig *l = c->layers; l < c->layers + c->n_layer && cache->layers; l++)
        cache->layers[l->cache] = (KvLayer){
            NULL, layer_blocks(l, n_ctx), l->window, block_bytes(l, precision)};
    if (cache->layers && make_table(cache)) return true;
    kv_cache_free(cache);
    return false;
}

/* Gives back the blocks [first, n_blocks) of a layer. */
static void give_back(KvLayer *l, int first) {
    for (int b = first; b < l->n_blocks; b++) {
        free(l->blocks[b]);
        l->blocks[b] = NULL;
    }
}

void kv_cache_free(KvCache *cache) {
    for (int i = 0; i < cache->n_layer && cache->table; i++) give_back(&cache->layers[i], 0);
    free(cache->layers);
    free(cache->table);
    *cache = (KvCache){0};
}

int kv_layer_first(const KvCache *cache, int layer) {
    int first = blocks_of(cache->high) - cache->layers[layer].n_blocks;
    return first > 0 ? first : 0;
}

bool kv_cache_holds(const KvCache *cache, int n) {
    for (int i = 0; i < cache->n_layer; i++) {
        int first_needed = n - cache->layers[i].window + 1;     /* the next query is at position n */
        if (cache->layers[i].window == 0 || first_needed < 0) first_needed = 0;
        if (first_needed / ATTN_BLOCK < kv_layer_first(cache, i)) return false;
    }
    return true;
}

int kv_cache_rewind(KvCache *cache, int n) {
    if (!kv_cache_holds(cache, n)) n = 0;
    for (int i = 0; i < cache->n_layer; i++)
        if (n == 0 || kv_layer_first(cache, i) == 0) give_back(&cache->layers[i], blocks_of(n));
    if (n == 0) cache->high = 0;
    return n;
}

bool kv_layer_reserve(KvLayer *l, int first, int end) {
    void *spare = NULL;
    bool fits = true;
    for (int b = first; b < end && fits; b++) {
        uint8_t **block = &l->blocks[b % l->n_blocks];
        if (*block) continue;
        if (!spare) spare = memory_spare();
        fits = spare && (*block = memory_aligned(l->block_bytes));
    }
    free(spare);
    return fits;
}

bool kv_cache_reserve(KvCache *cache, int from, int to) {
    int first = from / ATTN_BLOCK, end = blocks_of(to);
    for (int i = 0; i < cache->n_layer; i++)
        if (!kv_layer_reserve(&cache->layers[i], first, end)) return false;
    if (to > cache->high) cache->high = to;
    return true;
}

bool kv_cache_copy(KvCache *to, const KvCache *from, int n) {
    *to = (KvCache){.n_layer = from->n_layer, .high = from->high,
        .layers = malloc((size_t)from->n_layer * sizeof *to->layers)};
    bool done = to->layers != NULL;
    if (done) memcpy(to->layers, from->layers, (size_t)from->n_layer * sizeof *to->layers);
    done = done && make_table(to);
    for (int i = 0; i < from->n_layer && done; i++) {
        KvLayer *l = &to->layers[i];
        int first = kv_layer_first(from, i), end = blocks_of(n);
        done = kv_layer_reserve(l, first, end);
        for (int b = first; b < end && done; b++)
            memcpy(l->blocks[b % l->n_blocks], from->layers[i].blocks[b % l->n_blocks], l->block_bytes);
    }
    if (!done) kv_cache_free(to);
    return done;
}
