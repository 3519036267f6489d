/* weights.c: see weights.h. */
#include "weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"

/* ------------------------------------------------------------------------------------ the list of tensors */

/* Called once for each tensor that the model can have. */
typedef GemmaStatus Visit(void *context, const WeightSlot *slot, bool required);

static GemmaStatus visit_matrix(Visit *visit, void *context, const char *name, Matrix *m, int n_out, int n_in,
    bool required) {
    WeightSlot slot = {.matrix = m, .n_rows = n_out, .n_cols = n_in};
    snprintf(slot.name, sizeof slot.name, "%s.weight", name);
    return visit(context, &slot, required);
}

static GemmaStatus visit_vector(Visit *visit, void *context, const char *name, float **v, int n, bool used) {
    if (!used) return GEMMA_OK;
    WeightSlot slot = {.vector = v, .n_rows = 1, .n_cols = n};
    snprintf(slot.name, sizeof slot.name, "%s.weight", name);
    return visit(context, &slot, true);
}

static GemmaStatus visit_layer(Visit *visit, void *context, LayerWeights *l, const Config *c, int i) {
    char name[48];
    GemmaStatus s;
    const LayerConfig *layer = &c->layers[i];
    int n_q = layer->n_head * layer->head_dim, n_kv = layer->n_head_kv * layer->head_dim;
    bool own_kv = layer->kv_layer == i;
#define NAME(part) (snprintf(name, sizeof name, "blk.%d.%s", i, part), name)
#define MATRIX(field, n_out, n_in, used) \
    if ((used) && (s = visit_matrix(visit, context, NAME(#field), &l->field, n_out, n_in, true)) != GEMMA_OK) return s
#define VECTOR(field, n, used) \
    if ((s = visit_vector(visit, context, NAME(#field), &l->field, n, used)) != GEMMA_OK) return s
    VECTOR(attn_norm, c->n_embd, true);
    MATRIX(attn_q, n_q, c->n_embd, true);
    MATRIX(attn_k, n_kv, c->n_embd, own_kv);
    MATRIX(attn_v, n_kv, c->n_embd, own_kv);
    VECTOR(attn_q_norm, layer->head_dim, c->arch->qk_norms);
    VECTOR(attn_k_norm, layer->head_dim, c->arch->qk_norms && own_kv);
    MATRIX(attn_output, c->n_embd, n_q, true);
    VECTOR(post_attention_norm, c->n_embd, c->arch->post_norms);
    VECTOR(ffn_norm, c->n_embd, true);
    MATRIX(ffn_gate, layer->n_ff, c->n_embd, true);
    MATRIX(ffn_up, layer->n_ff, c->n_embd, true);
    MATRIX(ffn_down, c->n_embd, layer->n_ff, true);
    VECTOR(post_ffw_norm, c->n_embd, c->arch->post_norms);
#undef NAME
#undef MATRIX
#undef VECTOR
    return GEMMA_OK;
}

static GemmaStatus visit_all(Weights *w, const Config *c, Visit *visit, void *context) {
    GemmaStatus s = visit_matrix(visit, context, "token_embd", &w->token_embd, c->n_vocab, c->n_embd, true);
    if (s == GEMMA_OK) s = visit_vector(visit, context, "output_norm", &w->output_norm, c->n_embd, true);
    if (s == GEMMA_OK) s = visit_matrix(visit, context, "output", &w->output, c->n_vocab, c->n_embd, false);
    for (int i = 0; i < c->n_layer && s == GEMMA_OK; i++)
        s = visit_layer(visit, context, &w->layers[i], c, i);
    return s;
}

/* ------------------------------------------------------------------------------------ binding */

enum { SLOTS_PER_LAYER = 13, SLOTS_OUTSIDE = 3, ALIGNMENT = 64 };

typedef struct {
    Weights *w;
    const Gguf *g;
    QuantType type;         /* about that of tensors which a header's beginning does not show */
    GemmaError *err;
} Binding;

static void add_slot(Weights *w, const WeightSlot *slot) {
    WeightSlot *s = &w->slots[w->n_slots++];
    *s = *slot;
    s->offset = w->bytes;
    uint64_t bytes = slot->matrix ? pack_bytes(slot->type, slot->n_rows, slot->n_cols)
        : (uint64_t)slot->n_cols * sizeof(float);
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    w->bytes += bytes;
    w->file_bytes += quant_row_bytes(slot->type, slot->n_cols) * (uint64_t)slot->n_rows;
    if (slot->matrix == &w->output) w->tied = false;
    w->bytes_per_token += bytes;
}

static GemmaStatus check_type(const WeightSlot *slot, const GgufTensor *t, GemmaError *err) {
    if (quant_info(t->type)) return GEMMA_OK;
    return error_set(err, GEMMA_UNSUPPORTED,
        "Tensor %s is stored as %s; this engine reads F32, F16, BF16, Q8_0, Q4_0, Q4_1, "
                     "Q5_0, Q5_1, IQ4_NL, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K.", slot->name,
                         quant_type_name(t->type));
}

/* `padded`: rows beyond those of the slot are never read. */
static GemmaStatus check_tensor(const WeightSlot *slot, const GgufTensor *t, bool padded, GemmaError *err) {
    uint64_t n_cols = (uint64_t)slot->n_cols, n_rows = (uint64_t)slot->n_rows;
    if (t->dims[0] != n_cols || (padded ? t->dims[1] < n_rows : t->dims[1] != n_rows) || t->dims[2] != 1
        || t->dims[3] != 1) {
        return error_set(err, GEMMA_BAD_FILE,
            "Tensor %s should be [%llu, %llu] by the metadata, but is [%llu, %llu, %llu, %llu].",
                         slot->name, (unsigned long long)n_cols, (unsigned long long)n_rows,
                             (unsigned long long)t->dims[0],
                         (unsigned long long)t->dims[1], (unsigned long long)t->dims[2],
                             (unsigned long long)t->dims[3]);
    }
    return check_type(slot, t, err);
}

/* What llama-quantize chooses: the tied head gets more bits, and rows that K-quants' 256 don't divide fall
 * back. */
static QuantType usual_type(const Binding *b, const WeightSlot *slot) {
    QuantType type = b->type;
    if (slot->vector) return QUANT_F32;
    if (quant_info(type)->block == 1 || type == QUANT_Q8_0) return type;
    if (slot->matrix == &b->w->token_embd) type = QUANT_Q6_K;
    if (slot->n_cols % quant_info(type)->block == 0) return type;
    switch (type) {
    case QUANT_Q2_K: case QUANT_Q3_K: return QUANT_IQ4_NL;
    case QUANT_Q4_K: return QUANT_Q5_0;
    case QUANT_Q5_K: return QUANT_Q5_1;
    default: return QUANT_Q8_0;
    }
}

static bool is_padded(const Weights *w, const WeightSlot *slot) {
    return slot->matrix == &w->token_embd || slot->matrix == &w->output;
}

static GemmaStatus bind_tensor(void *context, const WeightSlot *spec, bool required) {
    Binding *b = context;
    WeightSlot slot = *spec;
    slot.tensor = gguf_find_tensor(b->g, slot.name);
    if (!slot.tensor && !required) return GEMMA_OK;
    if (!slot.tensor && b->g->is_whole)
        return error_set(b->err, GEMMA_BAD_FILE, "The file has no tensor %s, which its architecture needs.",
            slot.name);
    GemmaStatus s = slot.tensor ? check_tensor(&slot, slot.tensor, is_padded(b->w, &slot), b->err) : GEMMA_OK;
    if (s != GEMMA_OK) return s;
    slot.type = slot.tensor ? (QuantType)slot.tensor->type : usual_type(b, &slot);
    add_slot(b->w, &slot);
    return GEMMA_OK;
}

static int by_file_offset(const void *a, const void *b) {
    uint64_t x = ((const WeightSlot *)a)->tensor->offset, y = ((const WeightSlot *)b)->tensor->offset;
    return x < y ? -1 : x > y;
}

GemmaStatus weights_bind(Weights *w, const Config *c, const Gguf *g, QuantType type, GemmaError *err) {
    *w = (Weights){.tied = true};
    w->layers = calloc((size_t)c->n_layer, sizeof *w->layers);
    w->slots = calloc((size_t)(SLOTS_OUTSIDE + SLOTS_PER_LAYER * c->n_layer), sizeof *w->slots);
    GemmaStatus s = w->layers && w->slots ? visit_all(w, c, bind_tensor, &(Binding){w, g, type, err})
                                          : error_set(err, GEMMA_NO_MEMORY,
                                              "Not enough memory for the list of %d layers.", c->n_layer);
    if (s != GEMMA_OK) {
        weights_free(w);
        return s;
    }
    if (g->is_whole) qsort(w->slots, (size_t)w->n_slots, sizeof *w->slots, by_file_offset);
    for (int i = 0; i < w->n_slots && !w->tied; i++) {
        const WeightSlot *slot = &w->slots[i];
        if (slot->matrix == &w->token_embd)
            w->bytes_per_token -= pack_bytes(slot->type, slot->n_rows, slot->n_cols);
    }
    return GEMMA_OK;
}

GemmaStatus weights_check_part(const Weights *w, const Gguf *part, GemmaError *err) {
    for (int i = 0; i < w->n_slots; i++) {
        const WeightSlot *slot = &w->slots[i];
        const GgufTensor *t = gguf_find_tensor(part, slot->name);
        GemmaStatus s = t ? check_type(slot, t, err) : GEMMA_OK;
        if (s != GEMMA_OK) return s;
    }
    return GEMMA_OK;
}

/* ------------------------------------------------------------------------------------ memory and contents */

GemmaStatus weights_allocate(Weights *w, GemmaError *err) {
    if (!(w->memory = memory_aligned(w->bytes + PANEL_OVERREAD))) {
        return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the weights: %llu MB are needed.",
            (unsigned long long)(w->bytes >> 20));
    }
    for (int i = 0; i < w->n_slots; i++) {
        const WeightSlot *s = &w->slots[i];
        uint8_t *at = w->memory + s->offset;
        if (!s->matrix) {
            *s->vector = (float *)(void *)at;
            continue;
        }
        *s->matrix = panel_matrix(pack_kind(s->type), s->n_rows, s->n_cols, at);
    }
    if (w->tied) w->output = w->token_embd;
    return GEMMA_OK;
}

void weights_free(Weights *w) {
    free(w->layers);
    free(w->slots);
    free(w->memory);
    *w = (Weights){0};
}

GemmaStatus weights_pack_tile(const WeightSlot *slot, int first_row, const uint8_t *rows, GemmaError *err) {
    const Matrix *m = slot->matrix;
    int n_rows = slot->n_rows - first_row < TILE_ROWS ? slot->n_rows - first_row : TILE_ROWS;
    PackFault fault;
    if (pack_tile(slot->type, rows, n_rows, m, first_row / TILE_ROWS, &fault)) return GEMMA_OK;
    const char *what = m->kind < PANEL_FIRST_FLOAT ? "a block scale" : "a weight";
    return error_set(err, GEMMA_BAD_FILE,
        "Tensor %s, row %d, column %d: %s is %g; finite numbers below 64 are expected there.",
                     slot->name, first_row + fault.row, fault.col, what, (double)fault.value);
}

GemmaStatus weights_set_vector(const WeightSlot *slot, const uint8_t *row, GemmaError *err) {
    float *v = *slot->vector;
    quant_decode_row(slot->type, row, v, slot->n_cols);
    for (int i = 0; i < slot->n_cols; i++) {
        if (isfinite(v[i])) continue;
        return error_set(err, GEMMA_BAD_FILE, "Tensor %s: weight %d is %g, not a finite number.", slot->name,
            i, (double)v[i]);
    }
    return GEMMA_OK;
}
