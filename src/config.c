/* config.c: see config.h. Keys are those of llama.cpp (llama-model.cpp, load_hparams; src/models/gemma*.cpp)
 * and, where they differ, of Ollama (convert/convert_gemma3.go), whose files leave out much of what
 * llama.cpp's say. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* What runs once a file is made small rather than fast: modules are downloaded. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

enum {
    MAX_LAYER = GEMMA_MAX_LAYERS,
    MAX_EMBD = 65536,
    MAX_FF = 1 << 18,       /* the activations of a batch must fit what 32 bits address */
    MAX_HEAD = 1024,
    MAX_HEAD_DIM = 512,
    MAX_ALL_HEADS = 65536,  /* numbers in all query heads of a token */
    MAX_GROUP = 128,        /* query heads that share one K/V head */
    MAX_VOCAB = GEMMA_MAX_VOCABULARY,
    MAX_CTX = 1 << 24,
    MAX_PADDING = 1024,     /* tokens without a row, or rows without a token: more are the vocabulary of
                             * another model */
    REQUIRED = -1,          /* as a default: the file must have the key */
};

/* Asks for "architecture.key". After the first failure all further questions return their default: the caller
 * looks at err->status once, at the end. */
typedef struct {
    const Gguf *g;
    const Arch *arch;
    const GemmaShape *like;     /* of a header's beginning: a published shape, for what is not there;
                                 * otherwise NULL */
    unsigned guessed;
    GemmaError *err;
    char key[80];
} Reader;

static bool failed(const Reader *r) {
    return r->err->status != GEMMA_OK;
}

static const char *full_key(Reader *r, const char *key) {
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch->name, key);
    return r->key;
}

static bool is_whole_number(double x, int min, int max) { return x >= min && x <= max && x == floor(x); }

/* A number for all layers, or a list with one for each: values[n_layer]. */
static void read_ints(Reader *r, const char *key, int min, int max, int silent, int *values, int n_layer) {
    int64_t value = silent;
    const GgufEntry *e = failed(r) ? NULL : gguf_find(r->g, full_key(r, key));
    if (!failed(r) && !e && silent == REQUIRED)
        error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is missing.", r->key);
    if (e && e->type != GGUF_ARRAY) gguf_get_int(r->g, r->key, min, max, &value, r->err);
    bool by_layer = e && e->type == GGUF_ARRAY;
    if (by_layer && (e->elem_type == GGUF_STRING || e->count == 0))
        error_set(r->err, GEMMA_BAD_FILE,
            "Metadata entry \"%s\" is a list without numbers; a number was expected.", r->key);
    else if (by_layer && e->count < (uint64_t)n_layer)
        error_set(r->err, GEMMA_BAD_FILE,
            "Metadata entry \"%s\" has %" PRIu64 " values; one for each of %d layers was expected.", r->key,
            e->count, n_layer);
    for (int i = 0; i < n_layer; i++) {
        values[i] = (int)value;
        if (!by_layer || failed(r)) continue;
        double number = gguf_number_at(e, (uint64_t)i);
        if (is_whole_number(number, min, max)) values[i] = (int)number;
        else error_set(r->err, GEMMA_BAD_FILE,
            "Metadata entry \"%s\" is %.17g for layer %d; a whole number from %d to %d was expected.",
            r->key, number, i,
                       min, max);
    }
}

/* One number for the whole model; a list must have equal ones. */
static int read_int(Reader *r, const char *key, int min, int max, int silent) {
    int value = silent;
    read_ints(r, key, min, max, silent, &value, 1);
    const GgufEntry *e = failed(r) ? NULL : gguf_find(r->g, r->key);
    for (uint64_t i = 1; e && e->type == GGUF_ARRAY && i < e->count && !failed(r); i++)
        if (gguf_number_at(e, i) != gguf_number_at(e, 0))
            error_set(r->err, GEMMA_UNSUPPORTED,
                "Metadata entry \"%s\" differs from layer to layer, which this engine does not run.", r->key);
    return value;
}

/* The default of a key that every file has: of a header's beginning without it, what a published model
 * has. */
static int required(Reader *r, const char *key, int like) {
    if (!r->like || gguf_find(r->g, full_key(r, key))) return REQUIRED;
    r->guessed |= GEMMA_GUESSED_SIZES;
    return like;
}

static float read_float(Reader *r, const char *key, float min, float max, float silent) {
    if (failed(r)) return silent;
    float value = silent;
    gguf_get_float(r->g, full_key(r, key), &value, r->err);
    if (failed(r)) return silent;
    if (value < min || value > max)
        error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is %g; %g to %g was expected.", r->key,
            (double)value,
                  (double)min, (double)max);
    return value;
}

/* What a matrix of the first layer says where the metadata is silent: its rows divided by `of`. */
static int rows_divided(const Reader *r, const char *tensor, int of, int otherwise) {
    const GgufTensor *t = gguf_find_tensor(r->g, tensor);
    uint64_t n = t ? t->dims[1] / (uint64_t)of : 0;
    return t && n > 0 && n <= MAX_ALL_HEADS && n * (uint64_t)of == t->dims[1] ? (int)n : otherwise;
}

static void require_multiple(Reader *r, const char *what, int n, int of) {
    if (!failed(r) && n % of)
        error_set(r->err, GEMMA_UNSUPPORTED, "This model has %s %d; this engine runs multiples of %d.", what,
            n, of);
}

static void check_layer(Reader *r, const Config *c, const LayerConfig *l) {
    if (failed(r)) return;
    if (l->head_dim < 4 || l->head_dim > MAX_HEAD_DIM)
        error_set(r->err, GEMMA_BAD_FILE,
            "This model's heads have %d numbers (embedding_length / head_count); 4 to %d were expected.",
                  l->head_dim, MAX_HEAD_DIM);
    else if (l->n_head > c->n_embd || l->n_head * l->head_dim > MAX_ALL_HEADS)
        error_set(r->err, GEMMA_BAD_FILE,
            "This model has %d heads of %d numbers each on an embedding of %d; at most as many heads as "
                  "that, and %d numbers in all, were expected.", l->n_head, l->head_dim, c->n_embd,
                      MAX_ALL_HEADS);
    else if (l->n_head % l->n_head_kv || l->n_head / l->n_head_kv > MAX_GROUP)
        error_set(r->err, GEMMA_BAD_FILE,
            "This model has %d query heads and %d key/value heads; a multiple of up to %d times was "
                  "expected.", l->n_head, l->n_head_kv, MAX_GROUP);
    require_multiple(r, "a head size of", l->head_dim, 4);
    require_multiple(r, "a feed-forward length of", l->n_ff, 32);
    require_multiple(r, "heads of a total size of", l->n_head * l->head_dim, 32);
}

/* Sizes of the model, and of each layer. */
static void read_sizes(Reader *r, Config *c) {
    int n_head[MAX_LAYER], n_ff[MAX_LAYER];
    const GemmaShape like = r->like ? *r->like : (GemmaShape){0};
    c->n_layer = read_int(r, "block_count", 1, MAX_LAYER, required(r, "block_count", like.n_layer));
    c->n_embd = read_int(r, "embedding_length", 1, MAX_EMBD, required(r, "embedding_length", like.n_embd));
    c->n_ctx_train = read_int(r, "context_length", 1, MAX_CTX,
        required(r, "context_length", like.n_ctx_train));
    if (failed(r)) return;
    read_ints(r, "feed_forward_length", 1, MAX_FF, required(r, "feed_forward_length", like.n_ff),
        n_ff, c->n_layer);
    read_ints(r, "attention.head_count", 1, MAX_HEAD, required(r, "attention.head_count", like.n_head),
        n_head, c->n_layer);
    require_multiple(r, "an embedding length of", c->n_embd, 32);
    if (!failed(r) && !(c->layers = calloc((size_t)c->n_layer, sizeof *c->layers)))
        error_set(r->err, GEMMA_NO_MEMORY, "Not enough memory for the table of layers.");
    for (int i = 0; i < c->n_layer && !failed(r); i++) c->layers[i] = (LayerConfig){
        .n_head = n_head[i], .n_ff = n_ff[i]};
}

/* A size of heads in each layer: `key`, and in layers with a window `key_swa` where the file has it. */
static void read_head_sizes(Reader *r, const Config *c, const char *key, const int *silent, int *values) {
    int local[MAX_LAYER];
    char key_swa[48];
    snprintf(key_swa, sizeof key_swa, "%s_swa", key);
    read_ints(r, key, 1, MAX_HEAD_DIM, 0, values, c->n_layer);
    read_ints(r, key_swa, 1, MAX_HEAD_DIM, 0, local, c->n_layer);
    for (int i = 0; i < c->n_layer; i++) {
        if (c->layers[i].window && local[i]) values[i] = local[i];
        if (!values[i]) values[i] = silent[i];
    }
}

/* Head sizes and K/V heads; where the file is silent, of all layers what the first one's tensors say. After
 * read_windows. */
static void read_heads(Reader *r, Config *c) {
    int head_dim[MAX_LAYER], value_length[MAX_LAYER], n_rot[MAX_LAYER], n_head_kv[MAX_LAYER],
        silent[MAX_LAYER];
    if (failed(r)) return;
    int n_head = c->layers[0].n_head, like = r->like ? r->like->head_dim : 0, like_kv = r->like
        ? r->like->n_head_kv : 0;
    silent[0] = rows_divided(r, "blk.0.attn_q.weight", n_head, like ? like : c->n_embd / n_head);
    for (int i = 1; i < c->n_layer; i++) silent[i] = silent[0];
    read_head_sizes(r, c, "attention.key_length", silent, head_dim);
    read_head_sizes(r, c, "attention.value_length", head_dim, value_length);
    read_head_sizes(r, c, "rope.dimension_count", head_dim, n_rot);
    if (failed(r)) return;
    int of_tensor = head_dim[0] > 0 ? rows_divided(r, "blk.0.attn_k.weight", head_dim[0], like_kv ? like_kv
        : n_head) : n_head;
    read_ints(r, "attention.head_count_kv", 1, MAX_HEAD, of_tensor, n_head_kv, c->n_layer);
    for (int i = 0; i < c->n_layer && !failed(r); i++) {
        c->layers[i].head_dim = head_dim[i];
        c->layers[i].n_head_kv = n_head_kv[i];
        if (value_length[i] != head_dim[i] || n_rot[i] != head_dim[i])
            error_set(r->err, GEMMA_UNSUPPORTED,
                "This model's heads have %d numbers in keys, %d in values and rotate %d of them; "
                      "this engine runs models where the three are equal.", head_dim[i],
                          value_length[i], n_rot[i]);
        check_layer(r, c, &c->layers[i]);
    }
}

/* Takes the vocabulary of the architecture's published models, for a header's beginning, which may not even
 * have its length. */
static void guess_vocabulary(Reader *r, Config *c) {
    c->n_vocab = read_int(r, "vocab_size", 2, MAX_VOCAB, 0);
    if (c->n_vocab || failed(r)) return;
    r->guessed |= GEMMA_GUESSED_VOCABULARY;
    if (r->like) c->n_vocab = r->like->n_vocab;
    for (int i = 0; arch_shape_at(i) && !c->n_vocab; i++)
        if (strcmp(arch_shape_at(i)->shape.architecture, r->arch->name) == 0) c->n_vocab = arch_shape_at(i)
            ->shape.n_vocab;
}

static void read_vocabulary(Reader *r, Config *c) {
    static const char key[] = "tokenizer.ggml.tokens";
    if (failed(r)) return;
    const GgufEntry *tokens = gguf_equals(r->g->cut.key, key) ? &r->g->cut : gguf_find(r->g, key);
    if (!tokens && !r->g->is_whole) guess_vocabulary(r, c);
    else if (!tokens || tokens->type != GGUF_ARRAY || tokens->elem_type != GGUF_STRING)
        error_set(r->err, GEMMA_BAD_FILE, "This file has no vocabulary (%s, a list of strings).", key);
    else if (tokens->count < 2 || tokens->count > MAX_VOCAB)
        error_set(r->err, GEMMA_BAD_FILE,
            "The vocabulary (%s) has %" PRIu64 " tokens; 2 to %d were expected.", key,
            tokens->count, MAX_VOCAB);
    else c->n_vocab = (int)tokens->count;
}

/* Ids are those that have a text and a row. In many files some have only one of them: rows are padded to a
 * round number, or the token of an image has a text and no row. */
static void bound_vocabulary(Reader *r, Config *c) {
    static const char *const matrices[] = {"token_embd.weight", "output.weight"};
    int n_tokens = c->n_vocab;
    for (int i = 0; i < 2 && !failed(r); i++) {
        const GgufTensor *t = gguf_find_tensor(r->g, matrices[i]);
        if (!t) continue;
        if (t->dims[1] + MAX_PADDING < (uint64_t)n_tokens || t->dims[1] > (uint64_t)n_tokens + MAX_PADDING)
            error_set(r->err, GEMMA_BAD_FILE,
                "Tensor %s has %" PRIu64 " rows for a vocabulary of %d tokens; they may differ by %d at most: "
                "the file's tokenizer is another model's; convert the model again.",
                matrices[i], t->dims[1], n_tokens, MAX_PADDING);
        else if (t->dims[1] < (uint64_t)c->n_vocab) c->n_vocab = (int)t->dims[1];
    }
}

/* 1 / factor. Older files say rope.scale_linear. A factor of 0 means none, as in llama.cpp. `silent`: the
 * factor where the file names none. */
static float read_rope_scale(Reader *r, float silent) {
    GgufString type = {"linear", 6};
    char quoted[72];
    if (failed(r)) return 1;
    gguf_get_string(r->g, full_key(r, "rope.scaling.type"), &type, r->err);
    if (failed(r) || gguf_equals(type, "none")) return 1;
    if (!gguf_equals(type, "linear")) {
        error_set(r->err, GEMMA_UNSUPPORTED,
            "This model scales RoPE by \"%s\"; this engine knows \"linear\".",
                  error_quote(quoted, type.p, type.n));
        return 1;
    }
    float factor = read_float(r, "rope.scale_linear", 0, 1e6f, silent);
    factor = read_float(r, "rope.scaling.factor", 0, 1e6f, factor);
    return factor > 0 ? 1 / factor : 1;
}

/* The index of a RoPE in the config's list, to which it is added when it is new; -1 when the list is full. */
static int find_rope(Config *c, Rope rope) {
    int i = 0;
    while (i < c->n_ropes && (c->ropes[i].head_dim != rope.head_dim || c->ropes[i].base != rope.base
        || c->ropes[i].scale != rope.scale)) i++;
    if (i == MAX_ROPES) return -1;
    if (i == c->n_ropes) c->ropes[c->n_ropes++] = rope;
    return i;
}

/* What follows from whether a layer sees a window. */
typedef struct {
    float base, base_local, scale;  /* of RoPE; scale in global layers only */
    bool scale_by_embd;
} LayerRules;

static void fill_layer(Reader *r, Config *c, LayerConfig *l, const LayerRules *rules) {
    l->rope = find_rope(c, (Rope){l->head_dim, l->window ? rules->base_local : rules->base, l->window ? 1
        : rules->scale});
    l->attn_scale = 1 / sqrtf((float)(rules->scale_by_embd ? c->n_embd / l->n_head : l->head_dim));
    if (l->rope < 0 && !failed(r))
        error_set(r->err, GEMMA_UNSUPPORTED,
            "The heads of this model's layers have more than %d sizes or RoPE bases; "
            "this engine runs up to that many.", MAX_ROPES);
}

/* attention.sliding_window_pattern is a period, or one bool per layer: true for a local one. Returns the
 * window, 0 where all layers are global. */
static int read_windows(Reader *r, Config *c) {
    if (failed(r)) return 0;
    int window = c->arch->period > 1 ? read_int(r, "attention.sliding_window", 0, MAX_CTX,
        arch_size(c->arch, c->n_layer).window) : 0;
    if (failed(r)) return 0;
    const GgufEntry *local = gguf_find(r->g, full_key(r, "attention.sliding_window_pattern"));
    bool by_layer = local && local->type == GGUF_ARRAY;
    if (by_layer && (local->elem_type != GGUF_BOOL || local->count < (uint64_t)c->n_layer)) {
        error_set(r->err, GEMMA_BAD_FILE,
            "Metadata entry \"%s\" has %" PRIu64 " values; one bool for each of %d layers was expected.",
                  r->key, local->count, c->n_layer);
        return 0;
    }
    int period = by_layer ? 0 : read_int(r, "attention.sliding_window_pattern", 0, MAX_LAYER,
        c->arch->period);
    for (int i = 0; i < c->n_layer && !failed(r); i++) {
        bool is_local = by_layer ? gguf_number_at(local, (uint64_t)i) != 0 : period == 0
            || i % period < period - 1;
        c->layers[i].window = is_local ? window : 0;
    }
    return window;
}

/* attention.shared_kv_layers: how many layers at the end compute no keys and values. They read those of the
 * last layer of their kind, with a window or without, that has (llama.cpp, gemma3n and gemma4). */
static void read_sharing(Reader *r, Config *c) {
    if (failed(r)) return;
    int n_own = c->n_layer - read_int(r, "attention.shared_kv_layers", 0, c->n_layer - 1, 0);
    for (int i = 0; i < c->n_layer && !failed(r); i++) {
        LayerConfig *l = &c->layers[i];
        int from = i < n_own ? i : n_own - 1;
        while (from >= 0 && c->layers[from].window != l->window) from--;
        const LayerConfig *owner = from < 0 ? NULL : &c->layers[from];
        if (!owner)
            error_set(r->err, GEMMA_BAD_FILE,
                "Layer %d shares the keys and values of another layer, "
                "but none of the first %d layers has the same window.", i, n_own);
        else if (owner->n_head_kv != l->n_head_kv || owner->head_dim != l->head_dim)
            error_set(r->err, GEMMA_BAD_FILE,
                "Layer %d reads the keys and values of layer %d, but has %d heads of %d numbers for them, "
                "not %d of %d.",
                i, from, l->n_head_kv, l->head_dim, owner->n_head_kv, owner->head_dim);
        if (failed(r)) return;
        l->kv_layer = from;
        l->cache = from == i ? c->n_caches++ : owner->cache;
    }
}

/* What an architecture decides where the file is silent. */
static void read_rules(Reader *r, Config *c, int window) {
    const Arch *a = c->arch;
    if (failed(r)) return;
    ArchSize size = arch_size(a, c->n_layer);
    LayerRules rules = {.scale_by_embd = size.scale_by_embd};
    /* Ollama's first name */
    rules.base = read_float(r, "rope.global.freq_base", 1, 1e12f, a->rope_base);
    rules.base = read_float(r, "rope.freq_base", 1, 1e12f, rules.base);
    rules.base_local = a->rope_base_local > 0 ? a->rope_base_local : rules.base;
    rules.base_local = read_float(r, "rope.local.freq_base", 1, 1e12f, rules.base_local);   /* Ollama's */
    rules.base_local = read_float(r, "rope.freq_base_swa", 1, 1e12f, rules.base_local);
    rules.scale = read_rope_scale(r, size.rope_factor);
    if (a->attn_softcap > 0) c->attn_softcap = read_float(r, "attn_logit_softcapping", 0, 1e6f,
        a->attn_softcap);
    float final_softcap = window ? a->final_softcap : a->final_softcap_global;
    if (a->final_softcap_global > 0) c->final_softcap = read_float(r, "final_logit_softcapping", 0, 1e6f,
        final_softcap);
    if (size.never_capped && window) c->final_softcap = 0;
    for (int i = 0; i < c->n_layer && !failed(r); i++) fill_layer(r, c, &c->layers[i], &rules);
}

/* Each part that llama.cpp's gguf-split makes is a GGUF with some of the tensors. Code that opens files by
 * name joins them. */
static bool is_no_part(const Gguf *g, GemmaError *err) {
    int64_t count = 0, no = 0;
    gguf_get_int(g, "split.count", 0, UINT16_MAX, &count, err);
    if (err->status == GEMMA_OK) gguf_get_int(g, "split.no", 0, UINT16_MAX, &no, err);
    if (err->status == GEMMA_OK && count > 1)
        error_set(err, GEMMA_BAD_FILE,
            "This is part %lld of a model in %lld files; give all of them the names that they had, "
                  "such as NAME-00001-of-%05lld.gguf.", (long long)no + 1, (long long)count,
                      (long long)count);
    return err->status == GEMMA_OK;
}

/* Weights in all matrices, about. */
static double n_weights(const GemmaShape *s) {
    double n_q = (double)s->n_head * s->head_dim, n_kv = (double)s->n_head_kv * s->head_dim;
    return (double)s->n_vocab * s->n_embd + s->n_layer * ((2 * n_q + 2 * n_kv) * s->n_embd
        + 3.0 * s->n_embd * s->n_ff);
}

static bool says(const Reader *r, const char *key, int n) {
    char full[80];
    GemmaError ignored = {0};
    int64_t value = n;
    snprintf(full, sizeof full, "%s.%s", r->arch->name, key);
    gguf_get_int(r->g, full, INT64_MIN, INT64_MAX, &value, &ignored);
    return value == n;
}

/* The published shape of this architecture that has the sizes which a header's beginning says; of several,
 * the one that is nearest to the file's size with 4.85 bits a weight, as most files are. NULL when there is
 * none. */
static const GemmaShape *find_like(const Reader *r) {
    const GemmaShape *best = NULL;
    double least = INFINITY;
    for (int i = 0; arch_shape_at(i); i++) {
        const GemmaShape *s = &arch_shape_at(i)->shape;
        if (strcmp(s->architecture, r->arch->name) != 0 || !says(r, "block_count", s->n_layer)
            || !says(r, "embedding_length", s->n_embd)) continue;
        double apart = fabs(log(n_weights(s) * 4.85 / 8 / ((double)r->g->file_size + 1)));
        if (apart < least) {
            least = apart;
            best = s;
        }
    }
    return best;
}

GemmaStatus config_read_as(Config *c, const Arch *arch, const Gguf *g, GemmaError *err) {
    Reader r = {.g = g, .arch = arch, .err = err};
    *c = (Config){.arch = arch};
    err->status = GEMMA_OK;
    if (!g->is_whole) r.like = find_like(&r);
    read_sizes(&r, c);
    int window = read_windows(&r, c);
    read_heads(&r, c);
    read_sharing(&r, c);
    read_vocabulary(&r, c);
    bound_vocabulary(&r, c);
    c->rms_eps = read_float(&r, "attention.layer_norm_rms_epsilon", 0, 1, 1e-6f);
    c->embd_scale = sqrtf((float)c->n_embd);
    read_rules(&r, c, window);
    c->guessed = r.guessed;
    if (failed(&r)) config_free(c);
    return err->status;
}

static GemmaStatus unknown_architecture(GgufString name, GemmaError *err) {
    char quoted[72], known[96];
    return error_set(err, GEMMA_UNSUPPORTED, "This file holds a \"%s\" model; this engine runs %s.",
        error_quote(quoted, name.p, name.n),
                     arch_names(known));
}

GemmaStatus config_read(Config *c, const Gguf *g, GemmaError *err) {
    *c = (Config){0};
    err->status = GEMMA_OK;
    if (g->is_whole && !is_no_part(g, err)) return err->status;
    GgufString name;
    if (!gguf_get_string(g, "general.architecture", &name, err))
        return err->status != GEMMA_OK ? err->status
                                       : error_set(err, GEMMA_BAD_FILE,
                                           "Metadata entry \"general.architecture\" is missing%s.",
                                                   g->is_whole ? "" : " in the file's beginning");
    const Arch *arch = arch_find(name.p, name.n);
    return arch ? config_read_as(c, arch, g, err) : unknown_architecture(name, err);
}

GemmaStatus config_of_shape(Config *c, const GemmaShape *s, GemmaError *err) {
    const struct {
        const char *name;
        const int *number;
    } sizes[] = {
        {"block_count", &s->n_layer}, {"embedding_length", &s->n_embd}, {"attention.head_count", &s->n_head},
        {"attention.head_count_kv", &s->n_head_kv}, {"attention.key_length", &s->head_dim},
            {"feed_forward_length", &s->n_ff},
        {"context_length", &s->n_ctx_train}, {"attention.sliding_window", &s->window},
    };
    enum { N_SIZES = sizeof sizes / sizeof *sizes };
    static const char tokens[] = "tokenizer.ggml.tokens";
    const Arch *arch = arch_find(s->architecture, strlen(s->architecture));
    *c = (Config){0};
    if (!arch) return unknown_architecture((GgufString){s->architecture, strlen(s->architecture)}, err);
    char keys[N_SIZES][48];
    GgufEntry entries[N_SIZES];
    for (int i = 0; i < N_SIZES; i++) {
        size_t n = (size_t)snprintf(keys[i], sizeof keys[i], "%s.%s", arch->name, sizes[i].name);
        entries[i] = (GgufEntry){{keys[i], n}, GGUF_INT32, GGUF_INT32, 1, (const uint8_t *)sizes[i].number};
    }
    uint64_t n_vocab = s->n_vocab < 0 ? 0 : (uint64_t)s->n_vocab;
    return config_read_as(c, arch, &(Gguf){.entries = entries, .n_entries = N_SIZES,
                                           .cut = {{tokens, sizeof tokens - 1}, GGUF_ARRAY, GGUF_STRING,
                                               n_vocab, NULL}}, err);
}

GemmaShape config_shape(const Config *c) {
    const LayerConfig *l = c->layers;
    GemmaShape s = {c->arch->name, c->n_layer, c->n_embd, l->n_head, l->n_head_kv, l->head_dim, l->n_ff,
        c->n_vocab, c->n_ctx_train, 0};
    for (int i = 0; i < c->n_layer; i++)
        if (l[i].window) s.window = l[i].window;
    return s;
}

static int larger(int a, int b) { return a > b ? a : b; }

ConfigWidest config_widest(const Config *c) {
    ConfigWidest w = {0};
    for (const LayerConfig *l = c->layers; l < c->layers + c->n_layer; l++)
        w = (ConfigWidest){larger(w.n_q, l->n_head * l->head_dim), larger(w.n_kv, l->n_head_kv * l->head_dim),
            larger(w.n_head, l->n_head),
                           larger(w.head_dim, l->head_dim), larger(w.n_ff, l->n_ff)};
    return w;
}

void config_free(Config *c) {
    if (!c) return;
    free(c->layers);
    *c = (Config){0};
}

#ifdef __clang__
#pragma clang attribute pop
#endif
