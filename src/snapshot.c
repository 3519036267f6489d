/* snapshot.c: copies of a session: clone, save to bytes, restore from bytes. Owns the format of saved
 * sessions; trusts nothing that it reads. Knows which blocks a cache holds, and asks kv8.h whether bytes can
 * be one.
 *
 * A saved session, numbers in little-endian order:
 *
 *     SavedHeader | Sampler (without unused biases) | tokens, int32 each
 *     | the grammar of its constraint, as text
 *     | of each layer the whole blocks that n_done positions consist of, as far as the cache holds them
 *     | a checksum of all before it, uint64
 *
 * Only whole blocks of ATTN_BLOCK positions are saved: after a restore the few tokens behind them are
 * evaluated again, with the same result, since a row's result depends on nothing but the tokens before it. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "kernels/kv8.h"
#include "session.h"

enum { VERSION = 2, MAX_SAVED_BIASES = SAMPLER_MAX_BIASES, MAX_SAVED_GRAMMAR = 64 << 20 };
static const char MAGIC[8] = "GemmaKV";

typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t precision;
    uint64_t model;             /* fingerprint */
    int32_t n_ctx, n_tokens;
    int32_t n_done;             /* a multiple of ATTN_BLOCK, less than n_tokens */
    int32_t high;               /* of the cache */
    GemmaSampling params;
    uint64_t rng[4];
    int32_t n_bias;
    int32_t constraint_begin;   /* the first token that a constraint concerns */
    uint64_t n_grammar;         /* bytes of its text; 0: there is none */
} SavedHeader;
_Static_assert(sizeof(SavedHeader) % 8 == 0, "no padding at its end");

/* ------------------------------------------------------------------------------------ sums */

/* FNV-1a over words of 8 bytes, so that gigabytes take a second; the last word is filled up with zeros. */
static uint64_t hash(uint64_t h, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, p, n);
    return (h ^ rest ^ n) * 0x100000001b3u;
}
static const uint64_t HASH_START = 0xcbf29ce484222325u;

/* Tells models apart, by what the file says and by the first bytes of every tensor: fine-tunes may say the
 * same. */
static uint64_t fingerprint(const GemmaModel *m) {
    enum { SAMPLE = 256 };
    uint64_t h = hash(HASH_START, m->config.arch->name, strlen(m->config.arch->name));
    if (m->header) h = hash(h, m->header, (size_t)m->gguf.header_size);
    for (int i = 0; i < m->weights.n_slots; i++) {
        const WeightSlot *slot = &m->weights.slots[i];
        uint64_t next = i + 1 < m->weights.n_slots ? m->weights.slots[i + 1].offset : m->weights.bytes,
            n = next - slot->offset;
        h = hash(h, slot->name, strlen(slot->name));
        h = hash(h, m->weights.memory + slot->offset, n < SAMPLE ? (size_t)n : SAMPLE);
    }
    return h;
}

/* ------------------------------------------------------------------------------------ clone */

GemmaSession *gemma_session_clone(const GemmaSession *from, GemmaError *err) {
    GemmaModel *m = from->model;
    GemmaSession *s = gemma_session_new(m, from->n_ctx, err);
    if (!s) return NULL;
    KvCache copy;
    if (!kv_cache_copy(&copy, &from->cache, from->n_done)) {
        gemma_session_free(s);
        error_set(err, GEMMA_NO_MEMORY,
            "Not enough memory for a copy of a session's keys and values: %llu MB are needed.",
                  (unsigned long long)(kv_cache_used(&from->cache) >> 20));
        return NULL;
    }
    kv_cache_free(&s->cache);
    s->cache = copy;
    s->sampler = from->sampler;
    memcpy(s->tokens, from->tokens, (size_t)from->n_tokens * sizeof *s->tokens);
    memcpy(s->hidden, from->hidden, (1 + GEMMA_MAX_DRAFT) * (size_t)m->config.n_embd * sizeof *s->hidden);
    s->n_tokens = from->n_tokens;
    s->n_done = from->n_done;
    s->n_draft = from->n_draft;
    s->has_hidden = from->has_hidden;
    s->row = from->row;
    constraint_copy(&s->constraint, &from->constraint);
    if (!from->pooled) return s;
    if (gemma_session_pool(s, err) != GEMMA_OK) {
        gemma_session_free(s);
        return NULL;
    }
    memcpy(s->pooled, from->pooled, (size_t)m->config.n_embd * sizeof *s->pooled);
    s->n_pooled = from->n_pooled;
    return s;
}

/* ------------------------------------------------------------------------------------ save */

/* Positions of whole blocks from which a copy can continue; 0 where a ring has lost what that needs. */
static int saved_positions(const GemmaSession *s) {
    int n = s->n_tokens - s->n_draft - 1;
    if (s->n_done < n) n = s->n_done;
    n = n / ATTN_BLOCK * ATTN_BLOCK;
    return n > 0 && kv_cache_holds(&s->cache, n) ? n : 0;
}

static uint64_t blocks_bytes(const KvCache *cache, int n_done) {
    uint64_t bytes = 0;
    for (int i = 0; i < cache->n_layer; i++) {
        int n = n_done / ATTN_BLOCK - kv_layer_first(cache, i);
        bytes += n > 0 ? (uint64_t)n * cache->layers[i].block_bytes : 0;
    }
    return bytes;
}

static uint64_t saved_bytes(const KvCache *cache, const SavedHeader *h) {
    return sizeof *h + (uint64_t)h->n_bias * sizeof(Bias) + (uint64_t)h->n_tokens * sizeof(int32_t)
        + h->n_grammar + blocks_bytes(cache, h->n_done) + sizeof(uint64_t);
}

static SavedHeader header_of(const GemmaSession *s) {
    SavedHeader h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.version = VERSION;
    h.precision = s->model->options.precision;
    h.model = fingerprint(s->model);
    h.n_ctx = s->n_ctx;
    h.n_tokens = s->n_tokens - s->n_draft;
    h.n_done = saved_positions(s);
    h.high = h.n_done ? s->cache.high : 0;
    h.params = s->sampler.params;
    memcpy(h.rng, s->sampler.rng, sizeof h.rng);
    h.n_bias = s->sampler.n_bias;
    if (s->constraint.grammar) {
        size_t n;
        constraint_text(&s->constraint, &n);
        h.n_grammar = n;
        h.constraint_begin = s->constraint.begin;
    }
    return h;
}

uint64_t gemma_session_save(const GemmaSession *s, uint8_t *bytes, uint64_t cap) {
    SavedHeader h = header_of(s);
    uint64_t n = saved_bytes(&s->cache, &h);
    if (n > cap) return n;
    uint8_t *at = bytes;
#define PUT(from, size) (memcpy(at, from, size), at += (size))
    PUT(&h, sizeof h);
    PUT(s->sampler.bias, (size_t)h.n_bias * sizeof(Bias));
    PUT(s->tokens, (size_t)h.n_tokens * sizeof *s->tokens);
    size_t n_grammar = 0;
    const char *grammar = h.n_grammar ? constraint_text(&s->constraint, &n_grammar) : "";
    PUT(grammar, n_grammar);
    for (int i = 0; i < s->cache.n_layer; i++) {
        const KvLayer *l = &s->cache.layers[i];
        for (int b = kv_layer_first(&s->cache, i); b < h.n_done / ATTN_BLOCK; b++)
            PUT(l->blocks[b % l->n_blocks], l->block_bytes);
    }
    uint64_t sum = hash(HASH_START, bytes, (size_t)(at - bytes));
    PUT(&sum, sizeof sum);
#undef PUT
    return n;
}

/* ------------------------------------------------------------------------------------ restore */

static GemmaStatus bad(GemmaError *err, const char *what) {
    return error_set(err, GEMMA_BAD_FILE, "This saved session %s; start a new session.", what);
}

/* The numbers that say how long everything is. */
static GemmaStatus check_header(const SavedHeader *h, const GemmaModel *m, GemmaError *err) {
    if (memcmp(h->magic, MAGIC, sizeof h->magic))
        return bad(err, "is none: it does not begin with \"GemmaKV\"");
    if (h->version != VERSION) return bad(err, "was written by another version");
    if (h->model != fingerprint(m)) return bad(err, "belongs to another model");
    if (h->precision != m->options.precision)
        return bad(err, "has its keys and values in another type (kvType)");
    if (h->n_ctx < 1 || h->n_ctx > m->config.n_ctx_train || h->n_tokens < 0 || h->n_tokens > h->n_ctx
        || h->n_bias < 0 ||
        h->n_bias > MAX_SAVED_BIASES || h->n_done < 0 || h->n_done % ATTN_BLOCK
            || (h->n_done && h->n_done >= h->n_tokens) ||
        h->high < h->n_done || h->high > h->n_ctx || h->constraint_begin < 0
            || h->constraint_begin > h->n_tokens ||
        h->n_grammar > MAX_SAVED_GRAMMAR)
        return bad(err, "has numbers that can't be");
    return GEMMA_OK;
}

/* The constraint of grammar[n], and the text that it has had so far. */
static GemmaStatus read_constraint(GemmaSession *s, const SavedHeader *h, const uint8_t *grammar,
    GemmaError *err) {
    GemmaGrammar *g = gemma_grammar_new((const char *)grammar, (size_t)h->n_grammar, err);
    if (!g) return err->status == GEMMA_NO_MEMORY ? err->status
        : bad(err, "has a constraint that is no grammar");
    GemmaStatus status = session_constrain(s, g, h->constraint_begin, err);
    gemma_grammar_free(g);      /* the session has it */
    for (int i = h->constraint_begin; status == GEMMA_OK && i < h->n_tokens; i++)
        if (!constraint_push(&s->constraint, s->model->vocabulary, s->tokens[i], false)
            || !s->constraint.grammar)
            return bad(err, "has tokens that do not fit its constraint");
    return status;
}

/* Any bytes are halves, but not any are codes of an int8 cache. `block` has all K/V heads of the cache's
 * layer. */
static bool is_block(const GemmaModel *m, int cache, const uint8_t *block) {
    const LayerConfig *l = m->config.layers;
    while (l->cache != cache) l++;
    if (m->options.precision != GEMMA_INT8_CACHE) return true;
    for (int h = 0; h < l->n_head_kv; h++, block += kv8_block_bytes(l->head_dim))
        if (!kv8_is_valid(l->head_dim, block)) return false;
    return true;
}

/* What follows the header, into a new session; the lengths are right. */
static GemmaStatus read_session(GemmaSession *s, const SavedHeader *h, const uint8_t *at, GemmaError *err) {
    GemmaStatus status = sampler_set(&s->sampler, &h->params, err);
    if (status != GEMMA_OK) return status;
    memcpy(s->sampler.rng, h->rng, sizeof h->rng);
    for (int i = 0; i < h->n_bias; i++, at += sizeof(Bias)) {
        Bias b;
        memcpy(&b, at, sizeof b);
        status = gemma_session_bias(s, b.id, b.bias, err);
        if (status != GEMMA_OK) return status;
    }
    memcpy(s->tokens, at, (size_t)h->n_tokens * sizeof *s->tokens);
    at += (size_t)h->n_tokens * sizeof *s->tokens;
    for (int i = 0; i < h->n_tokens; i++)
        if (s->tokens[i] < 0 || s->tokens[i] >= s->model->config.n_vocab)
            return bad(err, "has tokens that the model has not");
    s->n_tokens = h->n_tokens;
    if (h->n_grammar && (status = read_constraint(s, h, at, err)) != GEMMA_OK) return status;
    at += h->n_grammar;
    for (int i = 0; i < s->cache.n_layer; i++) {
        KvLayer *l = &s->cache.layers[i];
        int first = kv_layer_first(&s->cache, i), end = h->n_done / ATTN_BLOCK;
        if (!kv_layer_reserve(l, first, end))
            return error_set(err, GEMMA_NO_MEMORY,
            "Not enough memory for the keys and values of a saved session.");
        for (int b = first; b < end; b++, at += l->block_bytes) {
            if (!is_block(s->model, i, at)) return bad(err, "has keys and values that can't be");
            memcpy(l->blocks[b % l->n_blocks], at, l->block_bytes);
        }
    }
    s->n_done = h->n_done;
    return GEMMA_OK;
}

GemmaSession *gemma_session_restore(GemmaModel *m, const uint8_t *bytes, uint64_t n, GemmaError *err) {
    SavedHeader h;
    GemmaSession *s = NULL;
    uint64_t sum;
    if (n < sizeof h + sizeof sum) {
        bad(err, "is too short");
        return NULL;
    }
    memcpy(&h, bytes, sizeof h);
    if (check_header(&h, m, err) != GEMMA_OK || !(s = gemma_session_new(m, h.n_ctx, err))) return NULL;
    s->cache.high = h.high;
    memcpy(&sum, bytes + n - sizeof sum, sizeof sum);
    GemmaStatus status = n != saved_bytes(&s->cache, &h) ? bad(err, "is cut off, or longer than it should be")
                         : sum != hash(HASH_START, bytes, (size_t)(n - sizeof sum))
                             ? bad(err, "is damaged: its checksum differs")
                         : h.n_done && !kv_cache_holds(&s->cache, h.n_done)
                             ? bad(err, "has numbers that can't be")
                         : read_session(s, &h, bytes + sizeof h, err);
    if (status == GEMMA_OK) return s;
    gemma_session_free(s);
    return NULL;
}
