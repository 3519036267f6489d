/* model.c: the loaded checkpoint: its plan, its memory, and the public functions that only ask it
 * something. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "kernels/kv8.h"
#include "session.h"

#ifndef GEMMA_KERNELS
#define GEMMA_KERNELS kernels_scalar    /* native tests; a wasm module names its variant */
#endif

const Kernels *model_kernels(void) { return &GEMMA_KERNELS; }

/* ------------------------------------------------------------------------------------ the plan */

static char *copy_name(const Gguf *g, GemmaError *err) {
    GgufString s = {"", 0};
    err->status = GEMMA_OK;
    if (!gguf_get_string(g, "general.name", &s, err) && err->status != GEMMA_OK) return NULL;
    char *name = malloc(s.n + 1);
    if (!name) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the model's name.");
        return NULL;
    }
    memcpy(name, s.p, s.n);
    name[s.n] = 0;
    return name;
}

uint64_t model_header_bytes(const GemmaModel *m) {
    enum { BYTES_PER_TOKEN = 25 };      /* its text, kind and score */
    return m->gguf.header_size ? m->gguf.header_size : (uint64_t)m->config.n_vocab * BYTES_PER_TOKEN;
}

/* Bytes of weights in the file. */
static uint64_t bytes_in_file(const GemmaModel *m) {
    uint64_t header = model_header_bytes(m);
    return m->gguf.file_size > header ? m->gguf.file_size - header : 1;
}

/* The type that makes the packed weights of this model nearest to the bytes in the file. */
static const QuantInfo *type_by_size(const GemmaModel *m, GemmaError *err) {
    const QuantInfo *best = NULL;
    uint64_t wanted = bytes_in_file(m), least = UINT64_MAX;
    for (int i = 0; quant_at(i); i++) {
        Weights w;
        if (weights_bind(&w, &m->config, &(Gguf){0}, quant_at(i)->type, err) != GEMMA_OK) return NULL;
        uint64_t apart = w.bytes > wanted ? w.bytes - wanted : wanted - w.bytes;
        weights_free(&w);
        if (apart >= least) continue;
        least = apart;
        best = quant_at(i);
    }
    return best;
}

/* Of most weights: what the file says of itself, or else by its size. */
static const QuantInfo *find_type(const GemmaModel *m, GemmaError *err) {
    int64_t file_type = -1;
    GemmaError ignored;
    gguf_get_int(&m->gguf, "general.file_type", 0, UINT32_MAX, &file_type, &ignored);
    const QuantInfo *type = file_type < 0 ? NULL : quant_by_file_type((uint32_t)file_type);
    if (type) return type;
    if (file_type < 0 || m->gguf.is_whole) return type_by_size(m, err);
    error_set(err, GEMMA_UNSUPPORTED,
        "The weights are stored in a way (general.file_type %lld) that this engine does not read; "
        "it reads F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K.",
        (long long)file_type);
    return NULL;
}

static bool knows_types(const Weights *w) {
    for (int i = 0; i < w->n_slots; i++)
        if (!w->slots[i].tensor) return false;
    return true;
}

static void make_plan(GemmaModel *m, const QuantInfo *type) {
    const Weights *w = &m->weights;
    unsigned guessed = m->config.guessed | (knows_types(w) ? 0 : GEMMA_GUESSED_TYPES);
    /* The file's weights are not quite those that are guessed: the file's size says how many bytes they
     * are. */
    double scale = guessed && m->gguf.file_size ? (double)bytes_in_file(m) / (double)w->file_bytes : 1;
    m->plan = (GemmaPlan){
        .shape = config_shape(&m->config), .name = m->name, .chat = m->chat.tuned,
        .chat_style = chat_style(&m->chat), .chat_stop = m->chat.stop ? m->chat.stop : "",
            .chat_leads = chat_leads(&m->chat),
        .type = type->name, .guessed = guessed,
        .weight_bytes = (uint64_t)((double)w->bytes * scale),
            .bytes_per_token = (uint64_t)((double)w->bytes_per_token * scale),
    };
}

/* All but the config, which is there. */
static GemmaStatus plan_weights(GemmaModel *m, const QuantInfo *type, GemmaError *err) {
    if (!type) type = find_type(m, err);
    if (!type) return err->status;
    GemmaStatus s = weights_bind(&m->weights, &m->config, &m->gguf, type->type, err);
    if (s != GEMMA_OK) return s;
    m->name = copy_name(&m->gguf, err);
    if (!m->name) return err->status;
    chat_read(&m->chat, &m->gguf, m->config.n_vocab);
    make_plan(m, type);
    return GEMMA_OK;
}

GemmaStatus model_plan(GemmaModel *m, GemmaError *err) {
    GemmaStatus s = config_read(&m->config, &m->gguf, err);
    return s == GEMMA_OK ? plan_weights(m, NULL, err) : s;
}

GemmaStatus model_plan_shape(GemmaModel *m, const GemmaShape *shape, const QuantInfo *type, GemmaError *err) {
    GemmaStatus s = config_of_shape(&m->config, shape, err);
    return s == GEMMA_OK ? plan_weights(m, type, err) : s;
}

void model_forget_plan(GemmaModel *m) {
    weights_free(&m->weights);
    config_free(&m->config);
    gguf_free(&m->gguf);
    free(m->name);
    m->name = NULL;
}

GemmaStatus gemma_published_shape(const char *name, GemmaShape *shape, GemmaError *err) {
    char quoted[72], known[256] = "";
    size_t n = 0;
    for (int i = 0; arch_shape_at(i); i++) {
        const char *one = arch_shape_at(i)->name;
        if (n < sizeof known) n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", one);
        if (strcmp(one, name) != 0) continue;
        *shape = arch_shape_at(i)->shape;
        return GEMMA_OK;
    }
    return error_set(err, GEMMA_BAD_ARGUMENT, "No published shape is named %s. These are: %s.",
        error_quote(quoted, name, strlen(name)), known);
}

/* ------------------------------------------------------------------------------------ memory */

uint64_t model_need(const GemmaModel *m, const GemmaOptions *options, int n_ctx) {
    enum { THREAD_STACK = 300 << 10, FIXED = 2 << 20 };     /* the program's own data and stack, the
                                                             * allocator's slack */
    const Config *c = &m->config;
    return m->plan.weight_bytes + tokenizer_bytes(&m->gguf, c->n_vocab) + batch_bytes(c, n_ctx,
        options->n_threads) +
           (n_ctx ? session_bytes(c, n_ctx, options->precision) : 0)
        + (uint64_t)options->n_threads * THREAD_STACK + FIXED;
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
        return error_set(err, GEMMA_BAD_ARGUMENT, "%d threads asked for; 1 to 256 are possible.",
            options->n_threads);
    }
    for (const LayerConfig *l = m->config.layers; l < m->config.layers + m->config.n_layer
        && options->precision == GEMMA_INT8_CACHE; l++)
        if (l->head_dim % KV8_COLS != 0)
            return error_set(err, GEMMA_BAD_ARGUMENT,
                "The heads of this model have %d elements; an int8 cache takes multiples of %d.",
                l->head_dim, KV8_COLS);
    m->options = *options;
    GemmaStatus s = weights_allocate(&m->weights, err);
    if (s != GEMMA_OK) return s;
    m->pool = pool_new(options->n_threads);
    if (!m->pool) return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for %d threads.",
        options->n_threads);
    return batch_new(&m->batch, m) ? GEMMA_OK : error_set(err, GEMMA_NO_MEMORY,
        "Not enough memory for the activations: %llu MB are needed.",
        (unsigned long long)(batch_bytes(&m->config, 1, options->n_threads) >> 20));
}

void gemma_model_free(GemmaModel *m) {
    if (!m) return;
    batch_free(&m->batch);
    pool_free(m->pool);
    text_tokens_free(m->vocabulary);
    tokenizer_free(m->tokenizer);
    model_forget_plan(m);
    free(m->header);
    free(m);
}

const GemmaPlan *gemma_model_plan(const GemmaModel *m) { return &m->plan; }

static GemmaStatus check_vocabulary(const GemmaModel *m, GemmaError *err) {
    return m->tokenizer ? GEMMA_OK : error_set(err, GEMMA_UNSUPPORTED,
        "A model of random weights has no vocabulary; give it ids.");
}

GemmaStatus gemma_tokenize(const GemmaModel *m, const char *utf8, size_t n, unsigned flags, GemmaIds *ids,
    GemmaError *err) {
    if (check_vocabulary(m, err) != GEMMA_OK) return err->status;
    int n_ids = tokenizer_encode(m->tokenizer, utf8, n, flags & GEMMA_ADD_BOS, flags & GEMMA_PARSE_CONTROL,
        ids->ids, ids->cap);
    if (n_ids < 0) return error_set(err, GEMMA_NO_MEMORY,
        "Not enough memory for the tokens of a text of %zu bytes.", n);
    ids->n = n_ids;
    return GEMMA_OK;
}

int gemma_token_bytes(const GemmaModel *m, int32_t id, char buf[256]) {
    return m->tokenizer ? tokenizer_decode(m->tokenizer, id, buf) : 0;
}

bool gemma_adds_bos(const GemmaModel *m) { return m->tokenizer && tokenizer_adds_bos(m->tokenizer); }
bool gemma_is_control(const GemmaModel *m, int32_t id) {
    return m->tokenizer && tokenizer_is_control(m->tokenizer, id);
}
bool gemma_is_end(const GemmaModel *m, int32_t id) {
    return m->tokenizer && tokenizer_is_end(m->tokenizer, id);
}

GemmaStatus gemma_chat(const GemmaModel *m, const GemmaTurn *turns, int n_turns,
    GemmaConversation conversation, GemmaIds *ids, GemmaError *err) {
    return check_vocabulary(m, err) == GEMMA_OK ? chat_encode(&m->chat, m->tokenizer, turns, n_turns,
        conversation, ids, err) : err->status;
}
