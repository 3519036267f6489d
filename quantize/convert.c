/* convert.c: see convert.h. Here is what the tensors are called on either side; hf_config, hf_tokenizer and
 * model_card make the metadata. */
#include "convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "foreign.h"
#include "hf_config.h"
#include "hf_tokenizer.h"
#include "json_file.h"
#include "model_card.h"
#include "safetensors.h"

/* What a dimension is called; SIZE_NONE: there is none. */
typedef enum { SIZE_NONE, SIZE_EMBD, SIZE_FF, SIZE_Q, SIZE_KV, SIZE_HEAD, SIZE_VOCAB, N_SIZES } Size;

/* Which models have a tensor, by their row in arch.c. */
/* IN_OTHERS: in those without post-norms */
typedef enum { IN_ALL, IN_QK_NORMED, IN_POST_NORMED, IN_OTHERS } Presence;

/* Norms have one dimension, and are stored as their difference from 1. */
typedef struct {
    Presence presence;
    const char *hf, *gguf;      /* without prefix and ".weight" */
    Size rows, cols;
} Name;

static const Name OUTSIDE[] = {
    {IN_ALL, "embed_tokens", "token_embd", SIZE_VOCAB, SIZE_EMBD},
    {IN_ALL, "norm", "output_norm", SIZE_NONE, SIZE_EMBD},
};

static const Name IN_LAYER[] = {
    {IN_ALL, "input_layernorm", "attn_norm", SIZE_NONE, SIZE_EMBD},
    {IN_ALL, "self_attn.q_proj", "attn_q", SIZE_Q, SIZE_EMBD},
    {IN_ALL, "self_attn.k_proj", "attn_k", SIZE_KV, SIZE_EMBD},
    {IN_ALL, "self_attn.v_proj", "attn_v", SIZE_KV, SIZE_EMBD},
    {IN_ALL, "self_attn.o_proj", "attn_output", SIZE_EMBD, SIZE_Q},
    {IN_QK_NORMED, "self_attn.q_norm", "attn_q_norm", SIZE_NONE, SIZE_HEAD},
    {IN_QK_NORMED, "self_attn.k_norm", "attn_k_norm", SIZE_NONE, SIZE_HEAD},
    {IN_OTHERS, "post_attention_layernorm", "ffn_norm", SIZE_NONE, SIZE_EMBD},
    {IN_POST_NORMED, "post_attention_layernorm", "post_attention_norm", SIZE_NONE, SIZE_EMBD},
    {IN_POST_NORMED, "pre_feedforward_layernorm", "ffn_norm", SIZE_NONE, SIZE_EMBD},
    {IN_POST_NORMED, "post_feedforward_layernorm", "post_ffw_norm", SIZE_NONE, SIZE_EMBD},
    {IN_ALL, "mlp.gate_proj", "ffn_gate", SIZE_FF, SIZE_EMBD},
    {IN_ALL, "mlp.up_proj", "ffn_up", SIZE_FF, SIZE_EMBD},
    {IN_ALL, "mlp.down_proj", "ffn_down", SIZE_EMBD, SIZE_FF},
};

enum { N_OUTSIDE = sizeof OUTSIDE / sizeof *OUTSIDE, N_IN_LAYER = sizeof IN_LAYER / sizeof *IN_LAYER };

/* Where the text model's tensors are: alone, in a multimodal checkpoint of transformers 5, and of before; and
 * the same of models without an output head. */
static const char *const PREFIXES[] = {"model.", "model.language_model.", "language_model.model.",
    "language_model.", ""};
static const char *const HEADS[] = {"lm_head.weight", "language_model.lm_head.weight"};
/* What a multimodal checkpoint has besides. */
static const char *const OTHER_PARTS[] = {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                                          "model.multi_modal_projector."};

typedef struct {
    Source *source;
    const Safetensors *from;
    const HfConfig *config;
    const char *prefix;
    bool *used;                 /* [from->n_tensors] */
    GemmaError *err;
} Conversion;

/* ------------------------------------------------------------------------------------------ tensors */

static uint64_t size_of(const HfConfig *c, Size size) {
    const int sizes[N_SIZES] = {[SIZE_NONE] = 1, [SIZE_EMBD] = c->n_embd, [SIZE_FF] = c->n_ff,
        [SIZE_Q] = c->n_head * c->head_dim,
                                [SIZE_KV] = c->n_head_kv * c->head_dim, [SIZE_HEAD] = c->head_dim,
                                    [SIZE_VOCAB] = c->n_vocab};
    return (uint64_t)sizes[size];
}

static bool check_shape(const Conversion *v, const SafeTensor *t, const Name *name) {
    uint64_t rows = size_of(v->config, name->rows), cols = size_of(v->config, name->cols);
    bool is_norm = name->rows == SIZE_NONE;
    char found[120] = "";
    size_t n = 0;
    if (t->n_dims == (is_norm ? 1 : 2) && t->dims[t->n_dims - 1] == cols && (is_norm || t->dims[0] == rows))
        return true;
    for (int i = 0; i < t->n_dims && n < sizeof found; i++)
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%" PRIu64, i ? ", " : "", t->dims[i]);
    char expected[64];
    if (is_norm) snprintf(expected, sizeof expected, "%" PRIu64, cols);
    else snprintf(expected, sizeof expected, "%" PRIu64 ", %" PRIu64, rows, cols);
    error_set(v->err, GEMMA_BAD_FILE, "Tensor %s should be [%s] by config.json, but is [%s].", t->name,
        expected, found);
    return error_in_file(v->err, v->from->shards[t->shard].path);
}

static bool add_tensor(Conversion *v, const char *hf_name, const char *gguf_name, const Name *name) {
    const SafeTensor *t = safetensors_find(v->from, hf_name);
    if (!t) {
        error_set(v->err, GEMMA_BAD_FILE, "Tensor %s is missing, which a %s of %d layers needs.", hf_name,
            v->config->arch->name,
                  v->config->n_layer);
        return false;
    }
    v->used[t - v->from->tensors] = true;
    if (t->type == SAFETENSORS_OTHER_TYPE) {
        error_set(v->err, GEMMA_UNSUPPORTED, "Tensor %s is stored as %s; F32, F16 and BF16 are converted.",
            t->name, t->dtype);
        return error_in_file(v->err, v->from->shards[t->shard].path);
    }
    if (!check_shape(v, t, name)) return false;
    bool is_norm = name->rows == SIZE_NONE;
    SourceTensor *to = &v->source->tensors[v->source->n_tensors++];
    *to = (SourceTensor){.name = strdup(gguf_name), .label = strdup(hf_name), .n_dims = is_norm ? 1 : 2,
                         .dims = {size_of(v->config, name->cols), size_of(v->config, name->rows), 1, 1},
                             .type = (QuantType)t->type,
                         .file = &v->from->shards[t->shard], .offset = t->offset, .add_one = is_norm};
    if (to->name && to->label) return true;
    error_set(v->err, GEMMA_NO_MEMORY, "Not enough memory for the names of the tensors.");
    return false;
}

static bool is_present(const Name *name, const Arch *arch) {
    switch (name->presence) {
    case IN_QK_NORMED: return arch->qk_norms;
    case IN_POST_NORMED: return arch->post_norms;
    case IN_OTHERS: return !arch->post_norms;
    default: return true;
    }
}

/* `layer` -1: outside of the layers. */
static bool add_named(Conversion *v, const Name *name, int layer) {
    char hf[160], gguf[96];
    if (!is_present(name, v->config->arch)) return true;
    if (layer < 0) {
        snprintf(hf, sizeof hf, "%s%s.weight", v->prefix, name->hf);
        snprintf(gguf, sizeof gguf, "%s.weight", name->gguf);
    } else {
        snprintf(hf, sizeof hf, "%slayers.%d.%s.weight", v->prefix, layer, name->hf);
        snprintf(gguf, sizeof gguf, "blk.%d.%s.weight", layer, name->gguf);
    }
    return add_tensor(v, hf, gguf, name);
}

static const char *find_prefix(const Safetensors *from) {
    for (size_t i = 0; i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%sembed_tokens.weight", PREFIXES[i]);
        if (safetensors_find(from, name)) return PREFIXES[i];
    }
    return PREFIXES[0];
}

/* ------------------------------------------------------------------------------------------ the output head */

enum { COMPARED_WEIGHTS = 1 << 16 };    /* at a time */

/* n weights of t from number `first` on, as floats; raw has room for 4 * n bytes. */
static bool read_weights(const Conversion *v, const SafeTensor *t, uint64_t first, size_t n,
    uint8_t *raw, float *x) {
    size_t size = quant_row_bytes((QuantType)t->type, 1);
    if (!file_read(&v->from->shards[t->shard], t->offset + first * size, raw, n * size, v->err)) return false;
    quant_decode_row((QuantType)t->type, raw, x, (int)n);
    return true;
}

/* Whether two tensors of the same dimensions hold the same weights. Their dtypes may differ. */
static bool compare_weights(const Conversion *v, const SafeTensor *a, const SafeTensor *b, bool *same) {
    uint64_t n_weights = a->size / quant_row_bytes((QuantType)a->type, 1);
    uint8_t *raw = malloc(4 * COMPARED_WEIGHTS);
    float *x = malloc(COMPARED_WEIGHTS * sizeof *x), *y = malloc(COMPARED_WEIGHTS * sizeof *y);
    bool good = raw && x && y;
    if (!good) error_set(v->err, GEMMA_NO_MEMORY, "Not enough memory to compare tensors.");
    *same = true;
    for (uint64_t first = 0; good && *same && first < n_weights; first += COMPARED_WEIGHTS) {
        size_t n = n_weights - first < COMPARED_WEIGHTS ? (size_t)(n_weights - first) : COMPARED_WEIGHTS;
        good = read_weights(v, a, first, n, raw, x) && read_weights(v, b, first, n, raw, y);
        *same = good && memcmp(x, y, n * sizeof *x) == 0;
    }
    free(raw);
    free(x);
    free(y);
    return good;
}

static const SafeTensor *find_head(const Conversion *v) {
    const SafeTensor *head = safetensors_find(v->from, HEADS[1]);
    return head ? head : safetensors_find(v->from, HEADS[0]);
}

static const SafeTensor *find_embedding(const Conversion *v) {
    char name[64];
    snprintf(name, sizeof name, "%s%s.weight", v->prefix, OUTSIDE[0].hf);
    return safetensors_find(v->from, name);
}

/* An output head that holds what the embedding holds is left out: readers of the GGUF then take the
 * embedding. One that differs is a part of the model, even if tie_word_embeddings says otherwise: training
 * has changed one of the two. (transformers 5 does the same.) */
static bool add_head(Conversion *v) {
    static const Name name = {IN_ALL, "lm_head", "output", SIZE_VOCAB, SIZE_EMBD};
    const SafeTensor *head = find_head(v), *embedding = find_embedding(v);
    bool same;
    if (!head && !v->config->tied)
        source_note(v->source,
            "tie_word_embeddings is false, but there is no %s: the embedding is the output head", HEADS[0]);
    if (!head) return true;
    if (!add_tensor(v, head->name, "output.weight", &name) || !compare_weights(v, head, embedding, &same))
        return false;
    if (same) {
        source_drop_last(v->source);
        source_note(v->source, "left out: %s, which equals the embedding", head->name);
        return true;
    }
    if (v->config->tied)
        source_note(v->source,
            "kept: %s, which differs from the embedding although tie_word_embeddings is not false", head->name);
    if (v->config->arch->generation < 3)
        source_note(v->source, "llama.cpp does not open a %s with an output head of its own, as this one has",
            v->config->arch->name);
    return true;
}

/* ------------------------------------------------------------------------------------------ what is left */

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* Which part of a checkpoint that is not converted holds the tensor; NULL: it should have been converted. */
static const char *other_part(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof OTHER_PARTS / sizeof *OTHER_PARTS; i++)
        if (begins(name, OTHER_PARTS[i])) return OTHER_PARTS[i];
    return n > 20 && strcmp(name + n - 20, ".rotary_emb.inv_freq") == 0 ? "rotary_emb.inv_freq" : NULL;
}

/* Tensors are sorted by name, so those of a part mostly follow one another: one line for each run. */
static bool name_the_rest(const Conversion *v) {
    for (size_t i = 0; i < v->from->n_tensors;) {
        size_t first = i++;
        const char *name = v->from->tensors[first].name, *part = v->used[first] ? NULL : other_part(name);
        if (v->used[first]) continue;
        if (!part) {
            error_set(v->err, GEMMA_UNSUPPORTED, "Tensor %s is not one of a %s.", name,
                v->config->arch->name);
            return error_in_file(v->err, v->from->shards[v->from->tensors[first].shard].path);
        }
        while (i < v->from->n_tensors && !v->used[i] && other_part(v->from->tensors[i].name) == part) i++;
        if (i == first + 1) source_note(v->source, "left out: %s", name);
        else source_note(v->source, "left out: %s and %zu more of %s", name, i - first - 1, part);
    }
    return true;
}

/* Parts that are not converted may be stored as they like. */
static bool check_quantisation(const Safetensors *from, const JsonNode *config, GemmaError *err) {
    for (size_t i = 0; i < from->n_tensors; i++) {
        const SafeTensor *t = &from->tensors[i];
        const char *method = other_part(t->name) ? NULL : foreign_quantisation(t, config);
        if (!method) continue;
        error_set(err, GEMMA_UNSUPPORTED,
            "Its weights are quantised by %s (tensor %s is %s), which is not converted: give the checkpoint "
                  "in BF16, F16 or F32 that it was made of.", method, t->name, t->dtype);
        return false;
    }
    return true;
}

static bool add_tensors(Source *s, const Safetensors *from, const HfConfig *c, GemmaError *err) {
    Conversion v = {s, from, c, find_prefix(from), calloc(from->n_tensors + 1, sizeof(bool)), err};
    if (!v.used) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the list of tensors.");
        return false;
    }
    bool good = source_reserve(s, N_OUTSIDE + 1 + (size_t)c->n_layer * N_IN_LAYER, err);
    for (int i = 0; good && i < N_OUTSIDE; i++) good = add_named(&v, &OUTSIDE[i], -1);
    good = good && add_head(&v);
    for (int layer = 0; good && layer < c->n_layer; layer++)
        for (int i = 0; good && i < N_IN_LAYER; i++) good = add_named(&v, &IN_LAYER[i], layer);
    good = good && name_the_rest(&v);
    free(v.used);
    return good;
}

/* ------------------------------------------------------------------------------------------ all of it */

static bool write_metadata(Source *s, const char *dir, const char *name, const JsonNode *config,
    const HfConfig *c, GemmaError *err) {
    HfTokenizer tokenizer;
    uint64_t n_weights = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        n_weights += s->tensors[i].dims[0] * source_rows(&s->tensors[i]);
    gguf_put_string(&s->metadata, "general.architecture", c->arch->name, strlen(c->arch->name));
    if (!model_card_write(&s->metadata, dir, name, n_weights, &s->name, err)) return false;
    hf_config_write(c, &s->metadata);
    if (!hf_tokenizer_read(&tokenizer, dir, config, c->n_vocab, s, err)) return false;
    hf_tokenizer_write(&tokenizer, c->arch->generation, &s->metadata);
    hf_tokenizer_free(&tokenizer);
    return true;
}

/* The files become the source's. */
static void take_files(Source *s, Safetensors *from) {
    s->files = from->shards;
    s->n_files = from->n_shards;
    from->shards = NULL;
    from->n_shards = 0;
}

bool convert_open(Source *s, const char *dir, const char *name, GemmaError *err) {
    JsonFile config;
    Safetensors from = {0};
    HfConfig c;
    *s = (Source){0};
    if (!foreign_check_folder(dir, err) || !json_file_open(&config, dir, "config.json", true, err))
        return false;
    bool good = hf_config_read(&c, config.root, err);
    if (!good) {
        char *path = path_join(dir, "config.json");
        if (path) error_in_file(err, path);
        free(path);
    }
    good = good && safetensors_open(&from, dir, err) && (check_quantisation(&from, config.root, err)
        || error_in_file(err, dir));
    if (good) {
        if (from.index_is_left) source_note(s,
            "left out: model.safetensors.index.json and its shards, beside model.safetensors");
        good = add_tensors(s, &from, &c, err);
        take_files(s, &from);
        if (!good) error_in_file(err, dir);
    }
    if (good) {
        s->arch = c.arch;
        s->n_layer = c.n_layer;
        good = write_metadata(s, dir, name, config.root, &c, err);
    }
    safetensors_close(&from);
    json_file_close(&config);
    if (!good) source_free(s);
    return good;
}
