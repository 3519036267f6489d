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

/* A number, or an array with one number per layer, which must be equal. */
static int read_int(Reader *r, const char *key, int min, int max, int silent) {
    if (failed(r)) return silent;
    const GgufEntry *e = gguf_find(r->g, full_key(r, key));
    if (!e) {
        if (silent == REQUIRED)
            error_set(r->err, GEMMA_BAD_FILE, "metadata entry \"%s\" is missing; get the model from another place, or convert it again", r->key);
        return silent;
    }
    int64_t value = silent;
    if (e->type != GGUF_ARRAY) {
        gguf_get_int(r->g, r->key, min, max, &value, r->err);
        return (int)value;
    }
    if (e->elem_type == GGUF_STRING || e->count == 0) {
        error_set(r->err, GEMMA_BAD_FILE, "metadata entry \"%s\" is a list without numbers; a number was expected", r->key);
        return silent;
    }
    double first = gguf_number_at(e, 0);
    for (uint64_t i = 1; i < e->count; i++) {
        if (gguf_number_at(e, i) == first) continue;
        error_set(r->err, GEMMA_UNSUPPORTED, "metadata entry \"%s\" differs from layer to layer, which this engine does not run",
                  r->key);
        return silent;
    }
    if (!(first >= min && first <= max && first == floor(first))) {
        error_set(r->err, GEMMA_BAD_FILE, "metadata entry \"%s\" is %.17g; a whole number from %d to %d was expected", r->key,
                  first, min, max);
        return silent;
    }
    return (int)first;
}

static float read_float(Reader *r, const char *key, float min, float max, float silent) {
    if (failed(r)) return silent;
    float value = silent;
    gguf_get_float(r->g, full_key(r, key), &value, r->err);
    if (failed(r)) return silent;
    if (value < min || value > max)
        error_set(r->err, GEMMA_BAD_FILE, "metadata entry \"%s\" is %g; %g to %g was expected", r->key, (double)value,
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
        error_set(r->err, GEMMA_UNSUPPORTED, "this model has %s %d; this engine runs multiples of %d", what, n, of);
}

static void read_sizes(Reader *r, Config *c) {
    c->n_layer = read_int(r, "block_count", 1, MAX_LAYER, REQUIRED);
    c->n_embd = read_int(r, "embedding_length", 1, MAX_EMBD, REQUIRED);
    c->n_ff = read_int(r, "feed_forward_length", 1, MAX_FF, REQUIRED);
    c->n_head = read_int(r, "attention.head_count", 1, MAX_HEAD, REQUIRED);
    c->n_ctx_train = read_int(r, "context_length", 1, MAX_CTX, REQUIRED);
    if (failed(r)) return;
    c->head_dim = read_int(r, "attention.key_length", 1, MAX_HEAD_DIM, rows_divided(r, "blk.0.attn_q.weight", c->n_head, c->n_embd / c->n_head));
    int value_length = read_int(r, "attention.value_length", 1, MAX_HEAD_DIM, c->head_dim);
    if (failed(r) || c->head_dim == 0) c->n_head_kv = c->n_head;
    else c->n_head_kv = read_int(r, "attention.head_count_kv", 1, MAX_HEAD, rows_divided(r, "blk.0.attn_k.weight", c->head_dim, c->n_head));
    int n_rot = read_int(r, "rope.dimension_count", 1, MAX_HEAD_DIM, c->head_dim);
    if (failed(r)) return;
    if (c->head_dim < 4 || c->head_dim > MAX_HEAD_DIM)
        error_set(r->err, GEMMA_BAD_FILE, "this model's heads have %d numbers (embedding_length / head_count); 4 to %d were expected",
                  c->head_dim, MAX_HEAD_DIM);
    else if (value_length != c->head_dim || n_rot != c->head_dim)
        error_set(r->err, GEMMA_UNSUPPORTED, "this model's heads have %d numbers in keys, %d in values and rotate %d of them; "
                  "this engine runs models where the three are equal", c->head_dim, value_length, n_rot);
    else if (c->n_head > c->n_embd || c->n_head * c->head_dim > MAX_ALL_HEADS)
        error_set(r->err, GEMMA_BAD_FILE, "this model has %d heads of %d numbers each on an embedding of %d; at most as many heads as "
                  "that, and %d numbers in all, were expected", c->n_head, c->head_dim, c->n_embd, MAX_ALL_HEADS);
    else if (c->n_head % c->n_head_kv || c->n_head / c->n_head_kv > MAX_GROUP)
        error_set(r->err, GEMMA_BAD_FILE, "this model has %d query heads and %d key/value heads; a multiple of up to %d times was "
                  "expected", c->n_head, c->n_head_kv, MAX_GROUP);
    require_multiple(r, "a head size of", c->head_dim, 4);
    require_multiple(r, "an embedding length of", c->n_embd, 32);
    require_multiple(r, "a feed-forward length of", c->n_ff, 32);
    require_multiple(r, "heads of a total size of", c->n_head * c->head_dim, 32);
}

static void read_vocabulary(Reader *r, Config *c) {
    if (failed(r)) return;
    const GgufEntry *tokens = gguf_find(r->g, "tokenizer.ggml.tokens");
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->elem_type != GGUF_STRING)
        error_set(r->err, GEMMA_BAD_FILE, "this file has no vocabulary (tokenizer.ggml.tokens, a list of strings)");
    else if (tokens->count < 2 || tokens->count > MAX_VOCAB)
        error_set(r->err, GEMMA_BAD_FILE, "the vocabulary (tokenizer.ggml.tokens) has %" PRIu64 " tokens; 2 to %d were expected",
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
            error_set(r->err, GEMMA_BAD_FILE, "tensor %s has %" PRIu64 " rows for a vocabulary of %d tokens; they may differ by %d at most: the "
                      "file's tokenizer is another model's; convert the model again", matrices[i], t->dims[1], n_tokens, MAX_PADDING);
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
        error_set(r->err, GEMMA_UNSUPPORTED, "this model scales RoPE by \"%s\"; this engine knows \"linear\"",
                  error_quote(quoted, type.p, type.n));
        return 1;
    }
    float factor = read_float(r, "rope.scale_linear", 0, 1e6f, silent);
    factor = read_float(r, "rope.scaling.factor", 0, 1e6f, factor);
    return factor > 0 ? 1 / factor : 1;
}

/* What tells local (sliding-window) layers from global ones. */
typedef struct {
    int window;                     /* 0: all layers are global */
    int period;                     /* the last of each `period` layers is global; 0: none is */
    float base, base_local;         /* of RoPE */
    float scale;                    /* of positions, in global layers only */
} Attention;

/* attention.sliding_window_pattern is a period, or one bool per layer: true for a local one. */
static void read_layers(Reader *r, Config *c, const Attention *a) {
    if (failed(r)) return;
    const GgufEntry *local = gguf_find(r->g, full_key(r, "attention.sliding_window_pattern"));
    bool by_layer = local && local->type == GGUF_ARRAY;
    if (by_layer && (local->elem_type != GGUF_BOOL || local->count < (uint64_t)c->n_layer)) {
        error_set(r->err, GEMMA_BAD_FILE, "metadata entry \"%s\" has %" PRIu64 " values; one bool for each of %d layers was expected",
                  r->key, local->count, c->n_layer);
        return;
    }
    int period = by_layer ? 0 : read_int(r, "attention.sliding_window_pattern", 0, MAX_LAYER, a->period);
    c->layers = calloc((size_t)c->n_layer, sizeof *c->layers);
    if (!c->layers) {
        error_set(r->err, GEMMA_NO_MEMORY, "no memory is left for the table of layers");
        return;
    }
    for (int i = 0; i < c->n_layer; i++) {
        bool is_local = a->window > 0 &&
                        (by_layer ? gguf_number_at(local, (uint64_t)i) != 0 : period == 0 || i % period < period - 1);
        c->layers[i] = is_local ? (LayerConfig){a->window, a->base_local, 1} : (LayerConfig){0, a->base, a->scale};
    }
}

/* Scores are scaled by 1/sqrt(head_dim), but the 27B models, known by their number of layers, were trained with
 * 1/sqrt(n_embd / n_head)  (query_pre_attn_scalar in gemma_pytorch's config.py). */
static float attn_scale(const Config *c, int layers_of_27b) {
    return 1 / sqrtf((float)(c->n_layer == layers_of_27b ? c->n_embd / c->n_head : c->head_dim));
}

static void read_gemma(Reader *r, Config *c) {
    Attention a = {.window = 0};
    a.base = read_float(r, "rope.freq_base", 1, 1e12f, 10000);
    a.scale = read_rope_scale(r, 1);
    if (failed(r)) return;
    c->attn_scale = attn_scale(c, 0);
    read_layers(r, c, &a);
}

static void read_gemma2(Reader *r, Config *c) {
    Attention a = {.period = 2};
    a.window = read_int(r, "attention.sliding_window", 0, MAX_CTX, 4096);
    a.base = read_float(r, "rope.freq_base", 1, 1e12f, 10000);
    a.base_local = read_float(r, "rope.freq_base_swa", 1, 1e12f, a.base);
    a.scale = read_rope_scale(r, 1);
    c->attn_softcap = read_float(r, "attn_logit_softcapping", 0, 1e6f, 50);
    c->final_softcap = read_float(r, "final_logit_softcapping", 0, 1e6f, 30);
    c->post_norms = true;
    if (failed(r)) return;
    c->attn_scale = attn_scale(c, 46);
    read_layers(r, c, &a);
}

/* What Gemma 3 was trained with, known by its number of layers (google/gemma_pytorch, config.py). */
static const struct Gemma3 {
    int n_layer, window;
    float factor;           /* of positions in global layers */
} gemma3_sizes[] = {{18, 512, 1}, {26, 512, 1}, {34, 1024, 8}, {48, 1024, 8}, {62, 1024, 8}};

static void read_gemma3(Reader *r, Config *c) {
    Attention a = {.period = 6};
    /* A model of another size that is silent about the window has none, and then (llama.cpp, gemma3.cpp) its logits are capped at 30. */
    struct Gemma3 size = {c->n_layer, 0, 1};
    for (size_t i = 0; i < sizeof gemma3_sizes / sizeof *gemma3_sizes; i++)
        if (gemma3_sizes[i].n_layer == c->n_layer) size = gemma3_sizes[i];
    a.window = read_int(r, "attention.sliding_window", 0, MAX_CTX, size.window);
    a.base = read_float(r, "rope.global.freq_base", 1, 1e12f, 1e6f);        /* Ollama's first name */
    a.base = read_float(r, "rope.freq_base", 1, 1e12f, a.base);
    a.base_local = read_float(r, "rope.local.freq_base", 1, 1e12f, 10000);  /* Ollama's */
    a.base_local = read_float(r, "rope.freq_base_swa", 1, 1e12f, a.base_local);
    a.scale = read_rope_scale(r, size.factor);
    c->final_softcap = read_float(r, "final_logit_softcapping", 0, 1e6f, a.window ? 0 : 30);
    if (c->n_layer == 26 && a.window) c->final_softcap = 0;     /* Ollama's first files of the 1B say 30, which it does not have */
    c->post_norms = c->qk_norms = true;
    if (failed(r)) return;
    c->attn_scale = attn_scale(c, 62);
    read_layers(r, c, &a);
}

/* Of the parts that llama.cpp's gguf-split makes, each is a GGUF with some of the tensors; whoever opens a file by its name joins them. */
static bool is_whole(const Gguf *g, GemmaError *err) {
    int64_t count = 0, no = 0;
    gguf_get_int(g, "split.count", 0, UINT16_MAX, &count, err);
    if (err->status == GEMMA_OK) gguf_get_int(g, "split.no", 0, UINT16_MAX, &no, err);
    if (err->status == GEMMA_OK && count > 1)
        error_set(err, GEMMA_BAD_FILE, "this is part %lld of a model in %lld files; give all of them the names that they had, "
                  "such as NAME-00001-of-%05lld.gguf", (long long)no + 1, (long long)count, (long long)count);
    return err->status == GEMMA_OK;
}

GemmaStatus config_read(Config *c, const Gguf *g, GemmaError *err) {
    static const struct {
        const char *architecture;
        void (*read)(Reader *r, Config *c);
    } known[] = {{"gemma", read_gemma}, {"gemma2", read_gemma2}, {"gemma3", read_gemma3}};

    *c = (Config){0};
    err->status = GEMMA_OK;
    if (!is_whole(g, err)) return err->status;
    GgufString architecture;
    if (!gguf_get_string(g, "general.architecture", &architecture, err))
        return err->status != GEMMA_OK ? err->status
                                       : error_set(err, GEMMA_BAD_FILE, "metadata entry \"general.architecture\" is missing");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!gguf_equals(architecture, known[i].architecture)) continue;
        Reader r = {.g = g, .architecture = known[i].architecture, .err = err};
        strcpy(c->architecture, known[i].architecture);
        read_sizes(&r, c);
        read_vocabulary(&r, c);
        bound_vocabulary(&r, c);
        c->rms_eps = read_float(&r, "attention.layer_norm_rms_epsilon", 0, 1, 1e-6f);
        c->embd_scale = sqrtf((float)c->n_embd);
        if (!failed(&r)) known[i].read(&r, c);
        if (failed(&r)) config_free(c);
        return err->status;
    }
    char quoted[72];
    return error_set(err, GEMMA_UNSUPPORTED, "this file holds a \"%s\" model; this engine runs gemma, gemma2 and gemma3",
                     error_quote(quoted, architecture.p, architecture.n));
}

/* What a benchmark's shape says; the rest follows from the architecture. */
typedef struct {
    char architecture[8];
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

GemmaStatus config_preset(Config *c, const char *shape, GemmaError *err) {
    static const struct {
        const char *name, *shape;
    } known[] = {
        {"gemma-2b", "gemma layers 18 embd 2048 heads 8 kv 1 dim 256 ff 16384 vocab 256000 ctx 8192 window 0"},
        {"gemma-7b", "gemma layers 28 embd 3072 heads 16 kv 16 dim 256 ff 24576 vocab 256000 ctx 8192 window 0"},
        {"gemma3-270m", "gemma3 layers 18 embd 640 heads 4 kv 1 dim 256 ff 2048 vocab 262144 ctx 32768 window 512"},
        {"gemma3-1b", "gemma3 layers 26 embd 1152 heads 4 kv 1 dim 256 ff 6912 vocab 262144 ctx 32768 window 512"},
    };
    Shape s = {0};
    const char *text = shape;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(shape, known[i].name) == 0) text = known[i].shape;
    *c = (Config){0};
    bool two = false, three = false;
    if (!parse_shape(&s, text) || !shape_is_sound(&s) ||
        !((two = strcmp(s.architecture, "gemma2") == 0) || (three = strcmp(s.architecture, "gemma3") == 0) || strcmp(s.architecture, "gemma") == 0)) {
        char quoted[72];
        return error_set(err, GEMMA_BAD_ARGUMENT, "the shape \"%s\" is not known: gemma-2b, gemma-7b, gemma3-270m, gemma3-1b, or all its sizes "
                         "(see config.h)", error_quote(quoted, shape, strlen(shape)));
    }
    *c = (Config){
        .n_layer = s.n_layer, .n_embd = s.n_embd, .n_head = s.n_head, .n_head_kv = s.n_head_kv, .head_dim = s.head_dim, .n_ff = s.n_ff,
        .n_vocab = s.n_vocab, .n_ctx_train = s.n_ctx_train, .rms_eps = 1e-6f, .embd_scale = sqrtf((float)s.n_embd),
        .attn_scale = 1 / sqrtf((float)s.head_dim), .attn_softcap = two ? 50 : 0, .final_softcap = two ? 30 : 0,
        .post_norms = two || three, .qk_norms = three, .layers = calloc((size_t)s.n_layer, sizeof *c->layers),
    };
    strcpy(c->architecture, s.architecture);
    if (!c->layers) return error_set(err, GEMMA_NO_MEMORY, "no memory is left for the table of layers");
    int period = two ? 2 : three ? 6 : 1;
    for (int l = 0; l < c->n_layer; l++) {
        bool global = s.window == 0 || l % period == period - 1;
        c->layers[l] = global ? (LayerConfig){0, three ? 1e6f : 10000, 1} : (LayerConfig){s.window, 10000, 1};
    }
    return GEMMA_OK;
}

void config_free(Config *c) {
    if (!c) return;
    free(c->layers);
    *c = (Config){0};
}
