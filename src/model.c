/* model.c: the loaded checkpoint: its plan, its memory, and the public functions that only ask it something. */
#include "model.h"

#include <stdlib.h>

#include "error.h"
#include "kernels/kv8.h"
#include "session.h"

#ifndef GEMMA_KERNELS
#define GEMMA_KERNELS kernels_scalar    /* native tests; a wasm module names its variant */
#endif

const Kernels *model_kernels(void) { return &GEMMA_KERNELS; }

void model_make_plan(GemmaModel *m) {
    const Config *c = &m->config;
    m->plan = (GemmaPlan){
        .architecture = c->arch->name, .name = m->name, .chat = m->chat.tuned,
        .chat_style = chat_style(&m->chat), .chat_stop = m->chat.stop ? m->chat.stop : "", .chat_leads = chat_leads(&m->chat),
        .n_layer = c->n_layer, .n_embd = c->n_embd, .n_vocab = c->n_vocab, .n_ctx_train = c->n_ctx_train,
        .file_size = m->gguf.file_size, .header_size = m->gguf.header_size,
        .weight_bytes = m->weights.bytes, .bytes_per_token = m->weights.bytes_per_token,
    };
}

uint64_t model_need(const GemmaModel *m, const GemmaOptions *options, int n_ctx) {
    enum { THREAD_STACK = 300 << 10, FIXED = 2 << 20 };     /* the program's own data and stack, the allocator's slack */
    const Config *c = &m->config;
    return m->weights.bytes + tokenizer_bytes(&m->gguf, c->n_vocab) + batch_bytes(c, n_ctx, options->n_threads) +
           session_bytes(c, n_ctx, options->precision) + (uint64_t)options->n_threads * THREAD_STACK + FIXED;
}

bool model_is_observed(const GemmaModel *m, const WeightSlot *slot) {
    return slot->matrix && slot->matrix != &m->weights.token_embd && slot->matrix != &m->weights.output;
}

size_t model_observed_columns(const GemmaModel *m) {
    size_t n = 0;
    for (int i = 0; i < m->weights.n_slots; i++) {
        const WeightSlot *slot = &m->weights.slots[i];
        if (model_is_observed(m, slot)) n += (size_t)slot->n_cols;
    }
    return n;
}

uint64_t model_observer_bytes(const GemmaModel *m) {
    return (uint64_t)m->weights.n_slots * sizeof(OpsObserved) + model_observed_columns(m) * sizeof(double);
}

GemmaStatus model_allocate(GemmaModel *m, const GemmaOptions *options, GemmaError *err) {
    if (options->n_threads < 1 || options->n_threads > 256) {
        return error_set(err, GEMMA_BAD_ARGUMENT, "%d threads asked for; 1 to 256 are possible.", options->n_threads);
    }
    for (const LayerConfig *l = m->config.layers; l < m->config.layers + m->config.n_layer && options->precision == GEMMA_INT8_CACHE; l++)
        if (l->head_dim % KV8_COLS != 0)
            return error_set(err, GEMMA_BAD_ARGUMENT, "The heads of this model have %d elements; an int8 cache takes multiples of %d.", l->head_dim, KV8_COLS);
    m->options = *options;
    GemmaStatus s = weights_allocate(&m->weights, err);
    if (s != GEMMA_OK) return s;
    m->pool = pool_new(options->n_threads);
    if (!m->pool) return error_set(err, GEMMA_NO_MEMORY, "No memory is left for %d threads.", options->n_threads);
    return batch_new(&m->batch, m) ? GEMMA_OK : error_set(err, GEMMA_NO_MEMORY, "No memory is left for the activations: %llu MB are needed.",
        (unsigned long long)(batch_bytes(&m->config, 1, options->n_threads) >> 20));
}

void gemma_model_free(GemmaModel *m) {
    if (!m) return;
    batch_free(&m->batch);
    pool_free(m->pool);
    tokenizer_free(m->tokenizer);
    weights_free(&m->weights);
    config_free(&m->config);
    gguf_free(&m->gguf);
    free(m->header);
    free(m->name);
    free(m);
}

const GemmaPlan *gemma_model_plan(const GemmaModel *m) { return &m->plan; }

int gemma_tokenize(const GemmaModel *m, const char *utf8, size_t n, bool add_bos, bool parse_special, int32_t *ids, int cap) {
    return m->tokenizer ? tokenizer_encode(m->tokenizer, utf8, n, add_bos, parse_special, ids, cap) : 0;
}

int gemma_token_bytes(const GemmaModel *m, int32_t id, char buf[256]) {
    return m->tokenizer ? tokenizer_decode(m->tokenizer, id, buf) : 0;
}

bool gemma_adds_bos(const GemmaModel *m) { return m->tokenizer && tokenizer_adds_bos(m->tokenizer); }
bool gemma_is_control(const GemmaModel *m, int32_t id) { return m->tokenizer && tokenizer_is_control(m->tokenizer, id); }
bool gemma_is_end(const GemmaModel *m, int32_t id) { return m->tokenizer && tokenizer_is_end(m->tokenizer, id); }

int gemma_chat(const GemmaModel *m, const GemmaTurn *turns, int n_turns, bool first, bool closed, int32_t *ids, int cap) {
    return m->tokenizer ? chat_encode(&m->chat, m->tokenizer, turns, n_turns, first, closed, ids, cap) : -2;
}
