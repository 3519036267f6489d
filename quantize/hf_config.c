/* hf_config.c: see hf_config.h. Keys are those that llama.cpp's converter writes
 * (conversion/gemma.py). */
#include "hf_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

enum { MAX_SIZE = 1 << 24, MAX_LAYER = 1024, MAX_HEAD = 4096, DEFAULT_ATTN_SCALAR = 256 };

/* transformers says the same numbers for caps and RoPE's bases as the engine takes where a GGUF is silent. */
static HfConfig defaults_of(const Arch *arch) {
    const GemmaShape *s = &arch->checkpoint.shape;
    return (HfConfig){
        .arch = arch, .n_layer = s->n_layer, .n_embd = s->n_embd, .n_ff = s->n_ff, .n_head = s->n_head,
            .n_head_kv = s->n_head_kv,
        .head_dim = s->head_dim, .n_vocab = s->n_vocab, .n_ctx = s->n_ctx_train, .rms_eps = 1e-6,
            .rope_theta = (double)arch->rope_base,
        .rope_theta_local = (double)arch->rope_base_local, .tied = true, .sliding_window = s->window,
        .attn_softcap = (double)arch->attn_softcap, .final_softcap = (double)arch->final_softcap,
    };
}

/* After the first failure nothing more is read: look at err->status at the end. */
typedef struct {
    const JsonNode *root, *text;    /* text: what describes the text model, the root itself or its
                                     * text_config */
    GemmaError *err;
} Reader;

static bool failed(const Reader *r) {
    return r->err->status != GEMMA_OK;
}

/* The value, which may be null; NULL when there is none. */
static const JsonNode *find(const Reader *r, const char *key) {
    return json_find(r->text, key);
}

static bool is_told(const JsonNode *node) {
    return node && node->kind != JSON_NULL;
}

/* "gelu" in buf, for a sentence; anything but a string gives "". */
static const char *quote(const JsonNode *node, char buf[72]) {
    bool is_text = node && node->kind == JSON_STRING;
    return error_quote(buf, is_text ? node->text : "", is_text ? node->n : 0);
}

static void read_size(Reader *r, const char *key, int max, int *value) {
    const JsonNode *node = find(r, key);
    int64_t number;
    if (failed(r) || !node) return;
    if (json_int(node, &number) && number >= 1 && number <= max) *value = (int)number;
    else error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is no whole number from 1 to %d.", key, max);
}

/* The value of `key` that was found, which the file will hold as a float; NULL leaves *value alone. */
static void read_found(Reader *r, const char *key, const JsonNode *node, double *value) {
    double number;
    if (failed(r) || !node) return;
    if (json_double(node, &number) && (float)number > 0 && number < 1e12) *value = number;
    else error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is no number above 0 and below 1e12.", key);
}

static void read_number(Reader *r, const char *key, double *value) {
    read_found(r, key, find(r, key), value);
}

/* A cap may be null: none. */
static void read_cap(Reader *r, const char *key, double *cap) {
    const JsonNode *node = find(r, key);
    if (node && node->kind == JSON_NULL) *cap = 0;
    else read_found(r, key, node, cap);
}

/* null leaves *value alone. */
static void read_bool(Reader *r, const JsonNode *object, const char *key, bool *value) {
    const JsonNode *node = json_get(object, key);
    if (failed(r) || !node) return;
    if (node->kind == JSON_TRUE || node->kind == JSON_FALSE) *value = node->kind == JSON_TRUE;
    else error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is neither true nor false.", key);
}

/* ------------------------------------------------------------------------------------------ which model */

static const JsonNode *first_architecture(const JsonNode *object) {
    const JsonNode *list = json_get(object, "architectures");
    return list && list->kind == JSON_ARRAY && list->n > 0 ? json_first(list) : NULL;
}

static bool is_one_of(const JsonNode *name, const char *const *names) {
    while (*names && !json_equals(name, *names)) names++;
    return *names;
}

/* The name of a class of transformers or, where a file is silent about that, its model_type. The classes
 * without "For" have no output head: that is the embedding. */
static bool read_architecture(Reader *r, HfConfig *c) {
    const JsonNode *name = first_architecture(r->text);
    if (!name) name = first_architecture(r->root);
    if (!name) name = json_get(r->root, "model_type");
    for (int i = 0; arch_at(i); i++) {
        const ArchCheckpoint *known = &arch_at(i)->checkpoint;
        if (!is_one_of(name, known->classes) && !is_one_of(name, known->types)) continue;
        *c = defaults_of(arch_at(i));
        return true;
    }
    char quoted[72], names[96];
    if (!name || name->kind != JSON_STRING)
        error_set(r->err, GEMMA_BAD_FILE,
            "It says neither its \"architectures\" nor its \"model_type\": is it a model's config.json?");
    else error_set(r->err, GEMMA_UNSUPPORTED, "Its architecture is \"%s\"; models of %s are converted.",
                   error_quote(quoted, name->text, name->n), arch_names(names));
    return false;
}

/* transformers goes by the model_type where its class is looked up: one that contradicts the architecture is
 * another model. */
static void check_model_type(Reader *r, const HfConfig *c) {
    const JsonNode *type = json_get(r->root, "model_type");
    char quoted[72];
    if (failed(r) || !type || is_one_of(type, c->arch->checkpoint.types)) return;
    error_set(r->err, GEMMA_UNSUPPORTED,
        "Its model_type is \"%s\", but its architecture is that of a Gemma %d; correct the wrong one.",
              quote(type, quoted), c->arch->generation);
}

/* ------------------------------------------------------------------------------------------ RoPE */

/* How positions of one kind of layer are rotated: each key in the object that goes first, else in the
 * other. */
typedef struct {
    const JsonNode *first, *second;
} Rope;

static const JsonNode *find_rope(const Rope *rope, const char *key) {
    const JsonNode *node = json_find(rope->first, key);
    return node ? node : json_find(rope->second, key);
}

/* {"rope_type": "linear", "factor": 8}; "type" is the older name. *factor stays 0 where positions are not
 * scaled. */
static void read_factor(Reader *r, const Rope *rope, double *factor) {
    const JsonNode *type = find_rope(rope, "rope_type"), *number = find_rope(rope, "factor");
    char quoted[72];
    if (!type) type = find_rope(rope, "type");
    if (failed(r) || !type || json_equals(type, "default")) return;
    if (!json_equals(type, "linear")) {
        error_set(r->err, GEMMA_UNSUPPORTED, "It scales RoPE by \"%s\"; \"linear\" is converted.",
            quote(type, quoted));
        return;
    }
    read_found(r, "factor", number, factor);
    if (!failed(r) && !number)
        error_set(r->err, GEMMA_BAD_FILE,
            "It scales RoPE by \"linear\", but the factor is missing; add \"factor\" beside \"rope_type\".");
    if (*factor == 1) *factor = 0;
}

/* Only a part of each head is rotated: neither the engine nor llama.cpp does so for a Gemma. */
static void check_partial(Reader *r, const JsonNode *object) {
    double part = 1;
    read_found(r, "partial_rotary_factor", json_get(object, "partial_rotary_factor"), &part);
    if (!failed(r) && part != 1)
        error_set(r->err, GEMMA_UNSUPPORTED,
            "partial_rotary_factor is %g; RoPE of whole heads (1) is converted.", part);
}

static void check_object(Reader *r, const char *key, const JsonNode *node) {
    if (!failed(r) && is_told(node) && node->kind != JSON_OBJECT)
        error_set(r->err, GEMMA_BAD_FILE, "\"%s\" is no object of RoPE's settings.", key);
}

/* Gemma 1 and 2 have one kind of RoPE. A rope_scaling that says anything takes the place of
 * rope_parameters. */
static void read_one_rope(Reader *r, HfConfig *c, const JsonNode *scaling, const JsonNode *parameters) {
    Rope rope = {scaling && scaling->n > 0 ? scaling : parameters, NULL};
    const JsonNode *theta = find_rope(&rope, "rope_theta");
    if (json_find(parameters, "full_attention") || json_find(parameters, "sliding_attention"))
        error_set(r->err, GEMMA_UNSUPPORTED,
            "rope_parameters tells kinds of layers apart, but a Gemma %d has one RoPE for all.",
            c->arch->generation);
    read_found(r, "rope_theta", theta ? theta : find(r, "rope_theta"), &c->rope_theta);
    read_factor(r, &rope, &c->rope_factor);
    check_partial(r, rope.first);
    if (!failed(r) && c->rope_factor > 0)
        error_set(r->err, GEMMA_UNSUPPORTED, "It scales RoPE, which Gemma %d does not.", c->arch->generation);
}

/* transformers 5 does not read what rope_parameters says of no kind of layer, other programs take it for the
 * global ones: both must come to the same. */
static void check_flat(Reader *r, const HfConfig *c, const JsonNode *parameters) {
    Rope flat = {parameters, NULL};
    double theta = c->rope_theta, factor = 0;
    bool scales = find_rope(&flat, "rope_type") || find_rope(&flat, "type");
    read_found(r, "rope_theta", json_find(parameters, "rope_theta"), &theta);
    read_factor(r, &flat, &factor);
    check_partial(r, parameters);
    if (!failed(r) && (theta != c->rope_theta || (scales && factor != c->rope_factor)))
        error_set(r->err, GEMMA_UNSUPPORTED,
            "rope_parameters of a Gemma 3 is read by kind of layer; put its settings into "
                  "\"full_attention\" and \"sliding_attention\".");
}

/* Gemma 3 has RoPE of two kinds. A rope_scaling is of the global layers and goes before rope_parameters. */
static void read_two_ropes(Reader *r, HfConfig *c, const JsonNode *scaling, const JsonNode *parameters) {
    Rope global = {scaling, json_get(parameters, "full_attention")},
        local = {json_get(parameters, "sliding_attention"), NULL};
    const JsonNode *theta = find_rope(&global, "rope_theta"), *theta_local = find_rope(&local, "rope_theta");
    double factor_local = 0;
    check_object(r, "full_attention", global.second);
    check_object(r, "sliding_attention", local.first);
    read_found(r, "rope_theta", theta ? theta : find(r, "rope_theta"), &c->rope_theta);
    read_found(r, "rope_local_base_freq", theta_local ? theta_local : find(r, "rope_local_base_freq"),
        &c->rope_theta_local);
    const JsonNode *old = json_find(scaling, "rope_type") ? NULL : json_get(scaling, "type");
    if (!failed(r) && old && !json_equals(old, "default"))
        error_set(r->err, GEMMA_UNSUPPORTED,
            "rope_scaling has the older key \"type\", which transformers 5 does not read; "
            "name it \"rope_type\".");
    read_factor(r, &global, &c->rope_factor);
    read_factor(r, &local, &factor_local);
    check_partial(r, scaling);
    check_partial(r, global.second);
    check_partial(r, local.first);
    if (!failed(r) && factor_local > 0)
        error_set(r->err, GEMMA_UNSUPPORTED,
            "It scales RoPE of sliding-window layers, which a GGUF can't say.");
    check_flat(r, c, parameters);
}

/* transformers 5 says rope_parameters, by kind of layer where there are two; before it was rope_theta,
 * rope_local_base_freq, rope_scaling. Of a mixture, this reads what transformers 5 reads
 * (configuration_utils.py, modeling_rope_utils.py). */
static void read_rope(Reader *r, HfConfig *c) {
    const JsonNode *scaling = json_get(r->text, "rope_scaling"),
        *parameters = json_get(r->text, "rope_parameters");
    check_object(r, "rope_scaling", scaling);
    check_object(r, "rope_parameters", parameters);
    check_partial(r, r->text);
    if (failed(r)) return;
    if (c->arch->rope_base_local == 0) read_one_rope(r, c, scaling, parameters);
    else read_two_ropes(r, c, scaling, parameters);
}

/* ------------------------------------------------------------------------------------------ what a GGUF can't say */

/* The last of each `period` layers is global, all others have a sliding window. */
static void check_layers(Reader *r, const HfConfig *c) {
    int period = c->arch->period, told = period;
    const JsonNode *types = find(r, "layer_types");
    if (failed(r)) return;
    if (!is_told(types)) {
        if (period > 1) read_size(r, "sliding_window_pattern", MAX_LAYER, &told);
        if (!failed(r) && told != period)
            error_set(r->err, GEMMA_UNSUPPORTED,
                "One in %d layers is global (sliding_window_pattern); one in %d was expected.", told,
                      period);
        return;
    }
    if (types->kind != JSON_ARRAY || types->n != (uint32_t)c->n_layer) {
        error_set(r->err, GEMMA_BAD_FILE, "It has %d layers, but layer_types is no list of as many.",
            c->n_layer);
        return;
    }
    const JsonNode *type = json_first(types);
    for (int i = 0; i < c->n_layer; i++, type = json_next(type)) {
        const char *expected = i % period == period - 1 ? "full_attention" : "sliding_attention";
        if (json_equals(type, expected)) continue;
        error_set(r->err, GEMMA_UNSUPPORTED,
            "Layer %d is not of type %s (layer_types), as one in %d being global would have it.", i,
                  expected, period);
        return;
    }
}

/* Readers of the GGUF take 1 / sqrt(head_dim), and for the 27B models, which they know by their layers, 1 /
 * sqrt(n_embd / n_head). */
static void check_attn_scale(Reader *r, const HfConfig *c) {
    bool by_embd = arch_size(c->arch, c->n_layer).scale_by_embd;
    double expected = by_embd ? c->n_embd / c->n_head : c->head_dim, told = DEFAULT_ATTN_SCALAR;
    if (c->arch->generation == 1) return;
    read_number(r, "query_pre_attn_scalar", &told);
    if (!failed(r) && told != expected)
        error_set(r->err, GEMMA_UNSUPPORTED,
            "query_pre_attn_scalar is %g%s; %g is what readers of the GGUF will take.", told,
                  find(r, "query_pre_attn_scalar") ? "" : ", its default,", expected);
}

/* `null_is_fine`: null says nothing. */
static void check_activation(Reader *r, const char *key, const char *also, bool null_is_fine) {
    const JsonNode *name = find(r, key);
    char quoted[72];
    if (failed(r) || !name || (null_is_fine && !is_told(name))) return;
    if (json_equals(name, "gelu_pytorch_tanh") || json_equals(name, also)) return;
    error_set(r->err, GEMMA_UNSUPPORTED, "%s is \"%s\"; gelu_pytorch_tanh was expected.", key,
        quote(name, quoted));
}

/* Gemma 1 goes by hidden_act, whose "gelu" means the same (transformers, configuration_gemma.py); but for a
 * while it went by hidden_activation. Later Gemmas don't read hidden_act. */
static void check_activations(Reader *r, const HfConfig *c) {
    if (c->arch->generation == 1) check_activation(r, "hidden_act", "gelu", false);
    check_activation(r, "hidden_activation", "gelu_pytorch_tanh", c->arch->generation == 1);
}

static void check_attention(Reader *r) {
    bool both_ways = false, biases = false;
    read_bool(r, r->text, "use_bidirectional_attention", &both_ways);
    read_bool(r, r->text, "attention_bias", &biases);
    if (!failed(r) && both_ways)
        error_set(r->err, GEMMA_UNSUPPORTED,
            "use_bidirectional_attention is true; a model that writes text looks back only.");
    if (!failed(r) && biases)
        error_set(r->err, GEMMA_UNSUPPORTED,
            "attention_bias is true; the attention of a Gemma in a GGUF has no biases.");
}

/* Its model_type is that of a text model alone: "gemma3_text". */
static bool says_text_model(const JsonNode *root) {
    const JsonNode *type = json_get(root, "model_type");
    static const char end[] = "_text";
    size_t n = sizeof end - 1;
    return type && type->kind == JSON_STRING && type->n >= n && memcmp(type->text + type->n - n, end, n) == 0;
}

/* A multimodal model's text_config says all of its text model; what stands beside it there is not read. */
static const JsonNode *find_text(const JsonNode *root) {
    const JsonNode *text = json_get(root, "text_config");
    return text && text->kind == JSON_OBJECT && !says_text_model(root) ? text : root;
}

bool hf_config_read(HfConfig *c, const JsonNode *root, GemmaError *err) {
    Reader r = {root, find_text(root), err};
    err->status = GEMMA_OK;
    if (!read_architecture(&r, c)) return false;
    check_model_type(&r, c);
    read_size(&r, "num_hidden_layers", MAX_LAYER, &c->n_layer);
    read_size(&r, "hidden_size", MAX_SIZE, &c->n_embd);
    read_size(&r, "intermediate_size", MAX_SIZE, &c->n_ff);
    read_size(&r, "num_attention_heads", MAX_HEAD, &c->n_head);
    c->n_head_kv = c->arch->generation == 1 ? c->n_head : c->n_head_kv;
    read_size(&r, "num_key_value_heads", MAX_HEAD, &c->n_head_kv);
    read_size(&r, "head_dim", MAX_HEAD, &c->head_dim);
    read_size(&r, "vocab_size", MAX_SIZE, &c->n_vocab);
    read_size(&r, "max_position_embeddings", MAX_SIZE, &c->n_ctx);
    read_number(&r, "rms_norm_eps", &c->rms_eps);
    if (c->arch->generation > 1) read_size(&r, "sliding_window", MAX_SIZE, &c->sliding_window);
    if (c->arch->generation > 1) read_cap(&r, "final_logit_softcapping", &c->final_softcap);
    if (c->arch->generation > 1) read_cap(&r, "attn_logit_softcapping", &c->attn_softcap);
    read_bool(&r, root, "tie_word_embeddings", &c->tied);
    read_bool(&r, r.text, "tie_word_embeddings", &c->tied);
    read_rope(&r, c);
    check_layers(&r, c);
    check_attn_scale(&r, c);
    check_activations(&r, c);
    check_attention(&r);
    if (!failed(&r) && c->arch->attn_softcap > 0 && (c->attn_softcap == 0 || c->final_softcap == 0))
        error_set(err, GEMMA_UNSUPPORTED, "A soft cap of the logits is null; a Gemma %d has both.",
            c->arch->generation);
    if (!failed(&r) && c->arch->attn_softcap == 0 && c->attn_softcap != 0)
        error_set(err, GEMMA_UNSUPPORTED, "attn_logit_softcapping is %g; a Gemma %d has none.",
            c->attn_softcap, c->arch->generation);
    return !failed(&r);
}

/* ------------------------------------------------------------------------------------------ writing */

/* "gemma3.key" in buf. */
static const char *full_key(const HfConfig *c, const char *key, char buf[96]) {
    snprintf(buf, 96, "%s.%s", c->arch->name, key);
    return buf;
}

void hf_config_write(const HfConfig *c, GgufEntries *e) {
    char key[96];
    const struct {
        const char *key;
        int value;
    } sizes[] = {
        {"context_length", c->n_ctx}, {"embedding_length", c->n_embd}, {"block_count", c->n_layer},
            {"feed_forward_length", c->n_ff},
        {"attention.head_count", c->n_head}, {"attention.head_count_kv", c->n_head_kv},
            {"attention.key_length", c->head_dim},
        {"attention.value_length", c->head_dim},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        gguf_put_u32(e, full_key(c, sizes[i].key, key), (uint32_t)sizes[i].value);
    gguf_put_f32(e, full_key(c, "attention.layer_norm_rms_epsilon", key), (float)c->rms_eps);
    if (c->rope_factor > 0) {
        gguf_put_string(e, full_key(c, "rope.scaling.type", key), "linear", 6);
        gguf_put_f32(e, full_key(c, "rope.scaling.factor", key), (float)c->rope_factor);
    }
    /* Readers take 10000 where the file is silent, as those of Gemma 1 and 2 are. */
    if (c->arch->rope_base != 10000 || c->rope_theta != 10000)
        gguf_put_f32(e, full_key(c, "rope.freq_base", key), (float)c->rope_theta);
    if (c->rope_theta_local > 0)
        gguf_put_f32(e, full_key(c, "rope.freq_base_swa", key), (float)c->rope_theta_local);
    if (c->attn_softcap > 0)
        gguf_put_f32(e, full_key(c, "attn_logit_softcapping", key), (float)c->attn_softcap);
    if (c->final_softcap > 0)
        gguf_put_f32(e, full_key(c, "final_logit_softcapping", key), (float)c->final_softcap);
    if (c->sliding_window > 0)
        gguf_put_u32(e, full_key(c, "attention.sliding_window", key), (uint32_t)c->sliding_window);
}
