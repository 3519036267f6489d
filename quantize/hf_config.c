/* hf_config.c: see hf_config.h. Defaults are those of transformers' configuration classes (models/gemma*,
 * configuration_gemma*.py), which published files rely on; keys are those that llama.cpp's converter writes
 * (conversion/gemma.py). */
#include "hf_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

enum { MAX_SIZE = 1 << 24, MAX_LAYER = 1024, MAX_HEAD = 4096 };

static const HfConfig DEFAULTS[] = {
    {.architecture = "gemma", .generation = 1, .n_layer = 28, .n_embd = 3072, .n_ff = 24576, .n_head = 16, .n_head_kv = 16,
     .head_dim = 256, .n_vocab = 256000, .n_ctx = 8192, .rms_eps = 1e-6, .rope_theta = 10000, .tied = true},
    {.architecture = "gemma2", .generation = 2, .n_layer = 26, .n_embd = 2304, .n_ff = 9216, .n_head = 8, .n_head_kv = 4,
     .head_dim = 256, .n_vocab = 256000, .n_ctx = 8192, .rms_eps = 1e-6, .rope_theta = 10000, .tied = true,
     .sliding_window = 4096, .attn_softcap = 50, .final_softcap = 30},
    {.architecture = "gemma3", .generation = 3, .n_layer = 26, .n_embd = 2304, .n_ff = 9216, .n_head = 8, .n_head_kv = 4,
     .head_dim = 256, .n_vocab = 262208, .n_ctx = 131072, .rms_eps = 1e-6, .rope_theta = 1e6, .tied = true, .sliding_window = 4096},
};

/* After the first failure nothing more is read: look at err->status at the end. */
typedef struct {
    const JsonNode *root, *text;    /* text_config of a multimodal model, or NULL; it goes first */
    GemmaError *err;
} Reader;

static bool failed(const Reader *r) {
    return r->err->status != GEMMA_OK;
}

static const JsonNode *find(const Reader *r, const char *key) {
    const JsonNode *value = json_get(r->text, key);
    return value ? value : json_get(r->root, key);
}

static void read_size(Reader *r, const char *key, int max, int *value) {
    const JsonNode *node = find(r, key);
    int64_t number;
    if (failed(r) || !node) return;
    if (json_int(node, &number) && number >= 1 && number <= max) *value = (int)number;
    else error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is no whole number from 1 to %d", key, max);
}

static void read_number(Reader *r, const JsonNode *object, const char *key, double *value) {
    const JsonNode *node = object ? json_get(object, key) : find(r, key);
    double number;
    if (failed(r) || !node) return;
    if (json_double(node, &number) && number > 0 && number < 1e12) *value = number;
    else error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is no number above 0", key);
}

/* A cap may be null: none. */
static void read_cap(Reader *r, const char *key, double *cap) {
    const JsonNode *node = json_find(r->text, key);
    if (!node) node = json_find(r->root, key);
    if (node && node->kind == JSON_NULL) *cap = 0;
    else read_number(r, NULL, key, cap);
}

static void read_bool(Reader *r, const char *key, bool *value) {
    const JsonNode *node = find(r, key);
    if (failed(r) || !node) return;
    if (node->kind == JSON_TRUE || node->kind == JSON_FALSE) *value = node->kind == JSON_TRUE;
    else error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is neither true nor false", key);
}

/* ------------------------------------------------------------------------------------------ which model */

static const JsonNode *first_architecture(const JsonNode *object) {
    const JsonNode *list = json_get(object, "architectures");
    return list && list->kind == JSON_ARRAY && list->n > 0 ? json_first(list) : NULL;
}

/* The name of a class of transformers or, where a file is silent about that, its model_type. The classes without "For" have no output
 * head: that is the embedding. */
static bool read_architecture(Reader *r, HfConfig *c) {
    static const struct {
        const char *name;
        int generation;
    } known[] = {{"GemmaForCausalLM", 1}, {"Gemma2ForCausalLM", 2}, {"Gemma3ForCausalLM", 3}, {"Gemma3ForConditionalGeneration", 3},
                 {"GemmaModel", 1}, {"Gemma2Model", 2}, {"Gemma3TextModel", 3}, {"Gemma3Model", 3},
                 {"gemma", 1}, {"gemma2", 2}, {"gemma3_text", 3}, {"gemma3", 3}};
    const JsonNode *name = first_architecture(r->text);
    if (!name) name = first_architecture(r->root);
    if (!name) name = json_get(r->root, "model_type");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!json_equals(name, known[i].name)) continue;
        *c = DEFAULTS[known[i].generation - 1];
        return true;
    }
    char quoted[72];
    if (!name || name->kind != JSON_STRING)
        error_set(r->err, GEMMA_BAD_FILE, "it says neither its \"architectures\" nor its \"model_type\": is it a model's config.json?");
    else error_set(r->err, GEMMA_UNSUPPORTED, "its architecture is \"%s\"; GemmaForCausalLM, Gemma2ForCausalLM, Gemma3ForCausalLM and "
                   "Gemma3ForConditionalGeneration are converted", error_quote(quoted, name->text, name->n));
    return false;
}

/* ------------------------------------------------------------------------------------------ RoPE */

/* Linear scaling, told by an object of either form: {"rope_type" or "type": "linear", "factor": 8}. */
static void read_scaling(Reader *r, const JsonNode *scaling, double *factor) {
    const JsonNode *type = json_get(scaling, "rope_type");
    char quoted[72];
    if (!type) type = json_get(scaling, "type");
    if (failed(r) || !type || json_equals(type, "default")) return;
    if (json_equals(type, "linear")) read_number(r, scaling, "factor", factor);
    else error_set(r->err, GEMMA_UNSUPPORTED, "it scales RoPE by \"%s\"; \"linear\" is converted",
                   error_quote(quoted, type->kind == JSON_STRING ? type->text : "", type->kind == JSON_STRING ? type->n : 0));
}

/* transformers 5 says rope_parameters, by kind of layer where there are two; before it was rope_theta, rope_local_base_freq,
 * rope_scaling. */
static void read_rope(Reader *r, HfConfig *c) {
    const JsonNode *parameters = find(r, "rope_parameters");
    const JsonNode *global = json_get(parameters, "full_attention"), *local = json_get(parameters, "sliding_attention");
    read_number(r, NULL, "rope_theta", &c->rope_theta);
    read_number(r, NULL, "rope_local_base_freq", &c->rope_theta_local);
    read_scaling(r, find(r, "rope_scaling"), &c->rope_factor);
    if (!global) global = parameters;
    if (global) {
        read_number(r, global, "rope_theta", &c->rope_theta);
        read_scaling(r, global, &c->rope_factor);
    }
    if (local) read_number(r, local, "rope_theta", &c->rope_theta_local);
    if (c->generation == 3 && c->rope_theta_local == 0) c->rope_theta_local = 10000;
    if (!failed(r) && c->generation < 3 && c->rope_factor > 0)
        error_set(r->err, GEMMA_UNSUPPORTED, "it scales RoPE, which Gemma %d does not", c->generation);
}

/* ------------------------------------------------------------------------------------------ what a GGUF can't say */

/* The last of each `period` layers is global, all others have a sliding window. */
static void check_layers(Reader *r, const HfConfig *c) {
    int period = c->generation == 3 ? 6 : 2, told = period;
    const JsonNode *types = find(r, "layer_types");
    if (failed(r) || c->generation == 1) return;
    if (!types || types->kind != JSON_ARRAY) {
        read_size(r, "sliding_window_pattern", MAX_LAYER, &told);
        if (!failed(r) && told != period)
            error_set(r->err, GEMMA_UNSUPPORTED, "one in %d layers is global (sliding_window_pattern); one in %d was expected", told,
                      period);
        return;
    }
    if (types->n != (uint32_t)c->n_layer) {
        error_set(r->err, GEMMA_BAD_FILE, "it has %d layers, but layer_types tells of %u", c->n_layer, types->n);
        return;
    }
    const JsonNode *type = json_first(types);
    for (int i = 0; i < c->n_layer; i++, type = json_next(type)) {
        const char *expected = i % period == period - 1 ? "full_attention" : "sliding_attention";
        if (json_equals(type, expected)) continue;
        error_set(r->err, GEMMA_UNSUPPORTED, "layer %d is not of type %s (layer_types), as one in %d being global would have it", i,
                  expected, period);
        return;
    }
}

/* Readers of the GGUF take 1 / sqrt(head_dim), and for the 27B models, which they know by their layers, 1 / sqrt(n_embd /
 * n_head). */
static void check_attn_scale(Reader *r, const HfConfig *c) {
    int layers_of_27b = c->generation == 2 ? 46 : 62;
    double expected = c->n_layer == layers_of_27b ? c->n_embd / c->n_head : c->head_dim, told = expected;
    if (c->generation == 1) return;
    read_number(r, NULL, "query_pre_attn_scalar", &told);
    if (!failed(r) && told != expected)
        error_set(r->err, GEMMA_UNSUPPORTED, "query_pre_attn_scalar is %g; %g is what readers of the GGUF will take", told, expected);
}

static void check_activation(Reader *r) {
    const JsonNode *name = find(r, "hidden_activation");
    char quoted[72];
    if (failed(r) || !name || json_equals(name, "gelu_pytorch_tanh")) return;
    error_set(r->err, GEMMA_UNSUPPORTED, "hidden_activation is \"%s\"; gelu_pytorch_tanh was expected",
              error_quote(quoted, name->kind == JSON_STRING ? name->text : "", name->kind == JSON_STRING ? name->n : 0));
}

static void check_attention(Reader *r) {
    bool both_ways = false;
    read_bool(r, "use_bidirectional_attention", &both_ways);
    if (!failed(r) && both_ways)
        error_set(r->err, GEMMA_UNSUPPORTED, "use_bidirectional_attention is true; a model that writes text looks back only");
}

bool hf_config_read(HfConfig *c, const JsonNode *root, GemmaError *err) {
    Reader r = {root, json_get(root, "text_config"), err};
    err->status = GEMMA_OK;
    if (!read_architecture(&r, c)) return false;
    read_size(&r, "num_hidden_layers", MAX_LAYER, &c->n_layer);
    read_size(&r, "hidden_size", MAX_SIZE, &c->n_embd);
    read_size(&r, "intermediate_size", MAX_SIZE, &c->n_ff);
    read_size(&r, "num_attention_heads", MAX_HEAD, &c->n_head);
    c->n_head_kv = c->generation == 1 ? c->n_head : c->n_head_kv;
    read_size(&r, "num_key_value_heads", MAX_HEAD, &c->n_head_kv);
    read_size(&r, "head_dim", MAX_HEAD, &c->head_dim);
    read_size(&r, "vocab_size", MAX_SIZE, &c->n_vocab);
    read_size(&r, "max_position_embeddings", MAX_SIZE, &c->n_ctx);
    read_number(&r, NULL, "rms_norm_eps", &c->rms_eps);
    if (c->generation > 1) read_size(&r, "sliding_window", MAX_SIZE, &c->sliding_window);
    if (c->generation > 1) read_cap(&r, "final_logit_softcapping", &c->final_softcap);
    if (c->generation > 1) read_cap(&r, "attn_logit_softcapping", &c->attn_softcap);
    read_bool(&r, "tie_word_embeddings", &c->tied);
    read_rope(&r, c);
    check_layers(&r, c);
    check_attn_scale(&r, c);
    check_activation(&r);
    check_attention(&r);
    if (!failed(&r) && c->generation == 2 && (c->attn_softcap == 0 || c->final_softcap == 0))
        error_set(err, GEMMA_UNSUPPORTED, "a soft cap of the logits is null; a Gemma 2 has both");
    if (!failed(&r) && c->generation == 3 && c->attn_softcap != 0)
        error_set(err, GEMMA_UNSUPPORTED, "attn_logit_softcapping is %g; a Gemma 3 has none", c->attn_softcap);
    if (!failed(&r) && c->generation < 3 && !c->tied)
        error_set(err, GEMMA_UNSUPPORTED, "tie_word_embeddings is false; a Gemma %d has no output head of its own", c->generation);
    return !failed(&r);
}

/* ------------------------------------------------------------------------------------------ writing */

/* "gemma3.key" in buf. */
static const char *full_key(const HfConfig *c, const char *key, char buf[96]) {
    snprintf(buf, 96, "%s.%s", c->architecture, key);
    return buf;
}

void hf_config_write(const HfConfig *c, GgufEntries *e) {
    char key[96];
    const struct {
        const char *key;
        int value;
    } sizes[] = {
        {"context_length", c->n_ctx}, {"embedding_length", c->n_embd}, {"block_count", c->n_layer}, {"feed_forward_length", c->n_ff},
        {"attention.head_count", c->n_head}, {"attention.head_count_kv", c->n_head_kv}, {"attention.key_length", c->head_dim},
        {"attention.value_length", c->head_dim},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) gguf_put_u32(e, full_key(c, sizes[i].key, key), (uint32_t)sizes[i].value);
    gguf_put_f32(e, full_key(c, "attention.layer_norm_rms_epsilon", key), (float)c->rms_eps);
    if (c->rope_factor > 0) {
        gguf_put_string(e, full_key(c, "rope.scaling.type", key), "linear", 6);
        gguf_put_f32(e, full_key(c, "rope.scaling.factor", key), (float)c->rope_factor);
    }
    /* Readers take 10000 where the file is silent, as those of Gemma 1 and 2 are. */
    if (c->generation == 3 || c->rope_theta != 10000) gguf_put_f32(e, full_key(c, "rope.freq_base", key), (float)c->rope_theta);
    if (c->rope_theta_local > 0) gguf_put_f32(e, full_key(c, "rope.freq_base_swa", key), (float)c->rope_theta_local);
    if (c->attn_softcap > 0) gguf_put_f32(e, full_key(c, "attn_logit_softcapping", key), (float)c->attn_softcap);
    if (c->final_softcap > 0) gguf_put_f32(e, full_key(c, "final_logit_softcapping", key), (float)c->final_softcap);
    if (c->sliding_window > 0) gguf_put_u32(e, full_key(c, "attention.sliding_window", key), (uint32_t)c->sliding_window);
}
