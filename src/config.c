/* config.c: see config.h. Keys are those of llama.cpp (llama-model.cpp, load_hparams; src/models/gemma*.cpp) and, where they differ, of Ollama
 * (convert/convert_gemma3.go), whose files leave out much of what llama.cpp's say. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

enum {
    MAX_LAYER = 256,
    MAX_EMBD = 65536,
    MAX_FF = 1 << 18,       /* the activations of a batch must fit what 32 bits address */
    MAX_HEAD = 1024,
    MAX_HEAD_DIM = 512,
    MAX_ALL_HEADS = 65536,  /* numbers in all query heads of a token */
    MAX_GROUP = 128,        /* query heads that share one K/V head */
    MAX_VOCAB = 4 << 20,
    MAX_CTX = 1 << 24,
    MAX_PADDING = 1024,     /* tokens without a row, or rows without a token: more are the vocabulary of another model */
    REQUIRED = -1,          /* as a default: the file must have the key */
};

/* Asks for "architecture.key". After the first failure all further questions return their default: the caller looks at
 * err->status once, at the end. */
typedef struct {
    const Gguf *g;
    const char *architecture;
    GemmaError *err;
    char key[80];
} Reader;

static bool failed(const Reader *r) {
    return r->err->status != GEMMA_OK;
}

static const char *full_key(Reader *r, const char *key) {
    snprintf(r->key, sizeof r->key, "%s.%s", r->architecture, key);
    return r->key;
}

static bool is_whole_number(double x, int min, int max) { return x >= min && x <= max && x == floor(x); }

/* A number for all layers, or a list with one for each: values[n_layer]. */
static void read_ints(Reader *r, const char *key, int min, int max, int silent, int *values, int n_layer) {
    int64_t value = silent;
    const GgufEntry *e = failed(r) ? NULL : gguf_find(r->g, full_key(r, key));
    if (!failed(r) && !e && silent == REQUIRED) error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is missing.", r->key);
    if (e && e->type != GGUF_ARRAY) gguf_get_int(r->g, r->key, min, max, &value, r->err);
    bool by_layer = e && e->type == GGUF_ARRAY;
    if (by_layer && (e->elem_type == GGUF_STRING || e->count == 0))
        error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is a list without numbers; a number was expected.", r->key);
    else if (by_layer && e->count < (uint64_t)n_layer)
        error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" has %" PRIu64 " values; one for each of %d layers was expected.", r->key, e->count, n_layer);
    for (int i = 0; i < n_layer; i++) {
        values[i] = (int)value;
        if (!by_layer || failed(r)) continue;
        double number = gguf_number_at(e, (uint64_t)i);
        if (is_whole_number(number, min, max)) values[i] = (int)number;
        else error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is %.17g for layer %d; a whole number from %d to %d was expected.", r->key, number, i,
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
            error_set(r->err, GEMMA_UNSUPPORTED, "Metadata entry \"%s\" differs from layer to layer, which this engine does not run.", r->key);
    return value;
}

static float read_float(Reader *r, const char *key, float min, float max, float silent) {
    if (failed(r)) return silent;
    float value = silent;
    gguf_get_float(r->g, full_key(r, key), &value, r->err);
    if (failed(r)) return silent;
    if (value < min || value > max)
        error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is %g; %g to %g was expected.", r->key, (double)value,
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
        error_set(r->err, GEMMA_UNSUPPORTED, "This model has %s %d; this engine runs multiples of %d.", what, n, of);
}

static void check_layer(Reader *r, const Config *c, const LayerConfig *l) {
    if (failed(r)) return;
    if (l->head_dim < 4 || l->head_dim > MAX_HEAD_DIM)
        error_set(r->err, GEMMA_BAD_FILE, "This model's heads have %d numbers (embedding_length / head_count); 4 to %d were expected.",
                  l->head_dim, MAX_HEAD_DIM);
    else if (l->n_head > c->n_embd || l->n_head * l->head_dim > MAX_ALL_HEADS)
        error_set(r->err, GEMMA_BAD_FILE, "This model has %d heads of %d numbers each on an embedding of %d; at most as many heads as "
                  "that, and %d numbers in all, were expected.", l->n_head, l->head_dim, c->n_embd, MAX_ALL_HEADS);
    else if (l->n_head % l->n_head_kv || l->n_head / l->n_head_kv > MAX_GROUP)
        error_set(r->err, GEMMA_BAD_FILE, "This model has %d query heads and %d key/value heads; a multiple of up to %d times was "
                  "expected.", l->n_head, l->n_head_kv, MAX_GROUP);
    require_multiple(r, "a head size of", l->head_dim, 4);
    require_multiple(r, "a feed-forward length of", l->n_ff, 32);
    require_multiple(r, "heads of a total size of", l->n_head * l->head_dim, 32);
}

/* Sizes of the model, and of each layer. */
static void read_sizes(Reader *r, Config *c) {
    int n_head[MAX_LAYER], n_head_kv[MAX_LAYER], n_ff[MAX_LAYER];
    c->n_layer = read_int(r, "block_count", 1, MAX_LAYER, REQUIRED);
    c->n_embd = read_int(r, "embedding_length", 1, MAX_EMBD, REQUIRED);
    c->n_ctx_train = read_int(r, "context_length", 1, MAX_CTX, REQUIRED);
    if (failed(r)) return;
    read_ints(r, "feed_forward_length", 1, MAX_FF, REQUIRED, n_ff, c->n_layer);
    read_ints(r, "attention.head_count", 1, MAX_HEAD, REQUIRED, n_head, c->n_layer);
    if (failed(r)) return;
    int head_dim = read_int(r, "attention.key_length", 1, MAX_HEAD_DIM, rows_divided(r, "blk.0.attn_q.weight", n_head[0], c->n_embd / n_head[0]));
    int value_length = read_int(r, "attention.value_length", 1, MAX_HEAD_DIM, head_dim);
    int n_rot = read_int(r, "rope.dimension_count", 1, MAX_HEAD_DIM, head_dim);
    if (!failed(r) && head_dim > 0)
        read_ints(r, "attention.head_count_kv", 1, MAX_HEAD, rows_divided(r, "blk.0.attn_k.weight", head_dim, n_head[0]), n_head_kv, c->n_layer);
    else memcpy(n_head_kv, n_head, sizeof n_head_kv);
    require_multiple(r, "an embedding length of", c->n_embd, 32);
    if (!failed(r) && (value_length != head_dim || n_rot != head_dim))
        error_set(r->err, GEMMA_UNSUPPORTED, "This model's heads have %d numbers in keys, %d in values and rotate %d of them; "
                  "this engine runs models where the three are equal.", head_dim, value_length, n_rot);
    if (!failed(r) && !(c->layers = calloc((size_t)c->n_layer, sizeof *c->layers)))
        error_set(r->err, GEMMA_NO_MEMORY, "No memory is left for the table of layers.");
    for (int i = 0; i < c->n_layer && !failed(r); i++) {
        c->layers[i] = (LayerConfig){.n_head = n_head[i], .n_head_kv = n_head_kv[i], .head_dim = head_dim, .n_ff = n_ff[i]};
        check_layer(r, c, &c->layers[i]);
    }
}

static void read_vocabulary(Reader *r, Config *c) {
    if (failed(r)) return;
    const GgufEntry *tokens = gguf_find(r->g, "tokenizer.ggml.tokens");
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->elem_type != GGUF_STRING)
        error_set(r->err, GEMMA_BAD_FILE, "This file has no vocabulary (tokenizer.ggml.tokens, a list of strings).");
    else if (tokens->count < 2 || tokens->count > MAX_VOCAB)
        error_set(r->err, GEMMA_BAD_FILE, "The vocabulary (tokenizer.ggml.tokens) has %" PRIu64 " tokens; 2 to %d were expected.",
                  tokens->count, MAX_VOCAB);
    else c->n_vocab = (int)tokens->count;
}

/* Ids are those that have a text and a row. In many files some have only one of them: rows are padded to a round number, or the token of an
 * image has a text and no row. */
static void bound_vocabulary(Reader *r, Config *c) {
    static const char *const matrices[] = {"token_embd.weight", "output.weight"};
    int n_tokens = c->n_vocab;
    for (int i = 0; i < 2 && !failed(r); i++) {
        const GgufTensor *t = gguf_find_tensor(r->g, matrices[i]);
        if (!t) continue;
        if (t->dims[1] + MAX_PADDING < (uint64_t)n_tokens || t->dims[1] > (uint64_t)n_tokens + MAX_PADDING)
            error_set(r->err, GEMMA_BAD_FILE, "Tensor %s has %" PRIu64 " rows for a vocabulary of %d tokens; they may differ by %d at most: the "
                      "file's tokenizer is another model's; convert the model again.", matrices[i], t->dims[1], n_tokens, MAX_PADDING);
        else if (t->dims[1] < (uint64_t)c->n_vocab) c->n_vocab = (int)t->dims[1];
    }
}

/* 1 / factor. Older files say rope.scale_linear. A factor of 0 means none, as in llama.cpp. `silent`: the factor where the file names none. */
static float read_rope_scale(Reader *r, float silent) {
    GgufString type = {"linear", 6};
    char quoted[72];
    if (failed(r)) return 1;
    gguf_get_string(r->g, full_key(r, "rope.scaling.type"), &type, r->err);
    if (failed(r) || gguf_equals(type, "none")) return 1;
    if (!gguf_equals(type, "linear")) {
        error_set(r->err, GEMMA_UNSUPPORTED, "This model scales RoPE by \"%s\"; this engine knows \"linear\".",
                  error_quote(quoted, type.p, type.n));
        return 1;
    }
    float factor = read_float(r, "rope.scale_linear", 0, 1e6f, silent);
    factor = read_float(r, "rope.scaling.factor", 0, 1e6f, factor);
    return factor > 0 ? 1 / factor : 1;
}

/* The index of a RoPE in the config's list, to which it is added when it is new. */
static int find_rope(Config *c, Rope rope) {
    int i = 0;
    while (i < c->n_ropes && (c->ropes[i].head_dim != rope.head_dim || c->ropes[i].base != rope.base || c->ropes[i].scale != rope.scale)) i++;
    if (i == c->n_ropes) c->ropes[c->n_ropes++] = rope;     /* at most two in each head size: local and global */
    return i;
}

/* Which layers see a window, and what follows from it. */
typedef struct {
    int window;                     /* 0: all layers are global */
    float base, base_local, scale;  /* of RoPE; scale in global layers only */
    bool scale_by_embd;
} LayerRules;

static void fill_layer(Config *c, LayerConfig *l, const LayerRules *rules, bool is_local) {
    l->window = is_local ? rules->window : 0;
    l->rope = find_rope(c, (Rope){l->head_dim, is_local ? rules->base_local : rules->base, is_local ? 1 : rules->scale});
    l->attn_scale = 1 / sqrtf((float)(rules->scale_by_embd ? c->n_embd / l->n_head : l->head_dim));
}

static bool is_local(const LayerRules *rules, int period, int i) { return rules->window > 0 && (period == 0 || i % period < period - 1); }

/* attention.sliding_window_pattern is a period, or one bool per layer: true for a local one. */
static void read_layers(Reader *r, Config *c, const LayerRules *rules) {
    if (failed(r)) return;
    const GgufEntry *local = gguf_find(r->g, full_key(r, "attention.sliding_window_pattern"));
    bool by_layer = local && local->type == GGUF_ARRAY;
    if (by_layer && (local->elem_type != GGUF_BOOL || local->count < (uint64_t)c->n_layer)) {
        error_set(r->err, GEMMA_BAD_FILE, "Metadata entry \"%s\" has %" PRIu64 " values; one bool for each of %d layers was expected.",
                  r->key, local->count, c->n_layer);
        return;
    }
    int period = by_layer ? 0 : read_int(r, "attention.sliding_window_pattern", 0, MAX_LAYER, c->arch->period);
    for (int i = 0; i < c->n_layer && !failed(r); i++)
        fill_layer(c, &c->layers[i], rules, by_layer ? rules->window > 0 && gguf_number_at(local, (uint64_t)i) != 0 : is_local(rules, period, i));
}

/* What an architecture decides where the file is silent. */
static void read_rules(Reader *r, Config *c) {
    const Arch *a = c->arch;
    if (failed(r)) return;
    ArchSize size = arch_size(a, c->n_layer);
    LayerRules rules = {.scale_by_embd = size.scale_by_embd};
    if (a->period > 1) rules.window = read_int(r, "attention.sliding_window", 0, MAX_CTX, size.window);
    rules.base = read_float(r, "rope.global.freq_base", 1, 1e12f, a->rope_base);        /* Ollama's first name */
    rules.base = read_float(r, "rope.freq_base", 1, 1e12f, rules.base);
    rules.base_local = a->rope_base_local > 0 ? a->rope_base_local : rules.base;
    rules.base_local = read_float(r, "rope.local.freq_base", 1, 1e12f, rules.base_local);   /* Ollama's */
    rules.base_local = read_float(r, "rope.freq_base_swa", 1, 1e12f, rules.base_local);
    rules.scale = read_rope_scale(r, size.rope_factor);
    if (a->attn_softcap > 0) c->attn_softcap = read_float(r, "attn_logit_softcapping", 0, 1e6f, a->attn_softcap);
    float final_softcap = rules.window ? a->final_softcap : a->final_softcap_global;
    if (a->final_softcap_global > 0) c->final_softcap = read_float(r, "final_logit_softcapping", 0, 1e6f, final_softcap);
    if (size.never_capped && rules.window) c->final_softcap = 0;
    read_layers(r, c, &rules);
}

/* Of the parts that llama.cpp's gguf-split makes, each is a GGUF with some of the tensors; whoever opens a file by its name joins them. */
static bool is_whole(const Gguf *g, GemmaError *err) {
    int64_t count = 0, no = 0;
    gguf_get_int(g, "split.count", 0, UINT16_MAX, &count, err);
    if (err->status == GEMMA_OK) gguf_get_int(g, "split.no", 0, UINT16_MAX, &no, err);
    if (err->status == GEMMA_OK && count > 1)
        error_set(err, GEMMA_BAD_FILE, "This is part %lld of a model in %lld files; give all of them the names that they had, "
                  "such as NAME-00001-of-%05lld.gguf.", (long long)no + 1, (long long)count, (long long)count);
    return err->status == GEMMA_OK;
}

GemmaStatus config_read_as(Config *c, const Arch *arch, const Gguf *g, GemmaError *err) {
    Reader r = {.g = g, .architecture = arch->name, .err = err};
    *c = (Config){.arch = arch};
    err->status = GEMMA_OK;
    read_sizes(&r, c);
    read_vocabulary(&r, c);
    bound_vocabulary(&r, c);
    c->rms_eps = read_float(&r, "attention.layer_norm_rms_epsilon", 0, 1, 1e-6f);
    c->embd_scale = sqrtf((float)c->n_embd);
    read_rules(&r, c);
    if (failed(&r)) config_free(c);
    return err->status;
}

GemmaStatus config_read(Config *c, const Gguf *g, GemmaError *err) {
    *c = (Config){0};
    err->status = GEMMA_OK;
    if (!is_whole(g, err)) return err->status;
    GgufString name;
    if (!gguf_get_string(g, "general.architecture", &name, err))
        return err->status != GEMMA_OK ? err->status
                                       : error_set(err, GEMMA_BAD_FILE, "Metadata entry \"general.architecture\" is missing.");
    const Arch *arch = arch_find(name.p, name.n);
    if (arch) return config_read_as(c, arch, g, err);
    char quoted[72], known[200] = "";
    for (int i = 0; arch_at(i); i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i == 0 ? "" : !arch_at(i + 1) ? " and " : ", ", arch_at(i)->name);
    return error_set(err, GEMMA_UNSUPPORTED, "This file holds a \"%s\" model; this engine runs %s.", error_quote(quoted, name.p, name.n), known);
}

/* What a benchmark's shape says; the rest follows from the architecture. */
typedef struct {
    char architecture[16];
    int n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff, n_vocab, n_ctx_train, window;
} Shape;

/* "gemma2 layers 26 embd 2304 heads 8 kv 4 dim 256 ff 9216 vocab 256000 ctx 8192 window 4096" */
static bool parse_shape(Shape *s, const char *text) {
    const struct {
        const char *name;
        int *number;
    } sizes[] = {
        {" layers ", &s->n_layer}, {" embd ", &s->n_embd}, {" heads ", &s->n_head}, {" kv ", &s->n_head_kv}, {" dim ", &s->head_dim},
        {" ff ", &s->n_ff}, {" vocab ", &s->n_vocab}, {" ctx ", &s->n_ctx_train}, {" window ", &s->window},
    };
    size_t n = strcspn(text, " ");
    if (n >= sizeof s->architecture) return false;
    memcpy(s->architecture, text, n);
    text += n;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t length = strlen(sizes[i].name), n_digits;
        if (strncmp(text, sizes[i].name, length) != 0) return false;
        text += length;
        n_digits = strspn(text, "0123456789");
        if (n_digits < 1 || n_digits > 9) return false;
        *sizes[i].number = 0;
        for (; n_digits > 0; n_digits--) *sizes[i].number = *sizes[i].number * 10 + (*text++ - '0');
    }
    return *text == 0;
}

static bool within(int n, int min, int max) {
    return n >= min && n <= max;
}

/* The numbers may come from a file. */
static bool shape_is_sound(const Shape *s) {
    return within(s->n_layer, 1, MAX_LAYER) && within(s->n_embd, 32, MAX_EMBD) && within(s->n_head, 1, MAX_HEAD) &&
           within(s->n_head_kv, 1, s->n_head) && within(s->head_dim, 4, MAX_HEAD_DIM) && within(s->n_ff, 32, MAX_FF) &&
           within(s->n_vocab, 2, MAX_VOCAB) && within(s->n_ctx_train, 1, MAX_CTX) && within(s->window, 0, MAX_CTX) &&
           s->n_head * s->head_dim <= MAX_ALL_HEADS && s->n_head % s->n_head_kv == 0 && s->n_head / s->n_head_kv <= MAX_GROUP &&
           s->n_embd % 32 == 0 && s->n_ff % 32 == 0 && s->n_head * s->head_dim % 32 == 0 && s->head_dim % 4 == 0;
}

static bool find_shape(Shape *s, const char *text) {
    for (int i = 0; arch_shape_at(i); i++) {
        const ArchShape *a = arch_shape_at(i);
        if (strcmp(text, a->name) != 0) continue;
        *s = (Shape){.n_layer = a->n_layer, .n_embd = a->n_embd, .n_head = a->n_head, .n_head_kv = a->n_head_kv, .head_dim = a->head_dim,
                     .n_ff = a->n_ff, .n_vocab = a->n_vocab, .n_ctx_train = a->n_ctx_train, .window = a->window};
        strcpy(s->architecture, a->arch);
        return true;
    }
    return parse_shape(s, text);
}

GemmaStatus config_preset(Config *c, const char *shape, GemmaError *err) {
    Shape s = {0};
    *c = (Config){0};
    bool found = find_shape(&s, shape) && shape_is_sound(&s);
    const Arch *arch = found ? arch_find(s.architecture, strlen(s.architecture)) : NULL;
    if (!arch) {
        char quoted[72];
        return error_set(err, GEMMA_BAD_ARGUMENT, "The shape \"%s\" is not known: it must be a name such as gemma-2b or gemma3-270m, or all its sizes "
                         "(see config.h).", error_quote(quoted, shape, strlen(shape)));
    }
    LayerRules rules = {s.window, arch->rope_base, arch->rope_base_local > 0 ? arch->rope_base_local : arch->rope_base, 1, false};
    *c = (Config){
        .arch = arch, .n_layer = s.n_layer, .n_embd = s.n_embd, .n_vocab = s.n_vocab, .n_ctx_train = s.n_ctx_train, .rms_eps = 1e-6f,
        .embd_scale = sqrtf((float)s.n_embd), .attn_softcap = arch->attn_softcap, .final_softcap = arch->final_softcap,
        .layers = calloc((size_t)s.n_layer, sizeof *c->layers),
    };
    if (!c->layers) return error_set(err, GEMMA_NO_MEMORY, "No memory is left for the table of layers.");
    for (int i = 0; i < c->n_layer; i++) {
        c->layers[i] = (LayerConfig){.n_head = s.n_head, .n_head_kv = s.n_head_kv, .head_dim = s.head_dim, .n_ff = s.n_ff};
        fill_layer(c, &c->layers[i], &rules, is_local(&rules, arch->period, i));
    }
    return GEMMA_OK;
}

static int larger(int a, int b) { return a > b ? a : b; }

ConfigWidest config_widest(const Config *c) {
    ConfigWidest w = {0};
    for (const LayerConfig *l = c->layers; l < c->layers + c->n_layer; l++)
        w = (ConfigWidest){larger(w.n_q, l->n_head * l->head_dim), larger(w.n_kv, l->n_head_kv * l->head_dim), larger(w.n_head, l->n_head),
                           larger(w.head_dim, l->head_dim), larger(w.n_ff, l->n_ff)};
    return w;
}

void config_free(Config *c) {
    if (!c) return;
    free(c->layers);
    *c = (Config){0};
}
