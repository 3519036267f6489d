/* plan.c: see plan.h. */
#include "plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"

static const OutputType OUTPUT_TYPES[] = {
    {"f32", QUANT_F32, MIX_NONE, 0}, {"f16", QUANT_F16, MIX_NONE, 1}, {"bf16", QUANT_BF16, MIX_NONE, 32},
    {"q4_0", QUANT_Q4_0, MIX_NONE, 2}, {"q8_0", QUANT_Q8_0, MIX_NONE, 7}, {"q4_k", QUANT_Q4_K, MIX_NONE, 14},
    {"q4_k_s", QUANT_Q4_K, MIX_SMALL, 14}, {"q4_k_m", QUANT_Q4_K, MIX_MEDIUM, 15},
        {"q5_k", QUANT_Q5_K, MIX_NONE, 16},
    {"q5_k_s", QUANT_Q5_K, MIX_SMALL, 16}, {"q5_k_m", QUANT_Q5_K, MIX_MEDIUM, 17},
        {"q6_k", QUANT_Q6_K, MIX_NONE, 18},
};
enum { N_OUTPUT_TYPES = sizeof OUTPUT_TYPES / sizeof *OUTPUT_TYPES };

const OutputType *output_type_by_name(const char *name) {
    for (int i = 0; i < N_OUTPUT_TYPES; i++)
        if (strcasecmp(name, OUTPUT_TYPES[i].name) == 0) return &OUTPUT_TYPES[i];
    return NULL;
}

void output_type_names(char *text, size_t size) {
    size_t n = 0;
    for (int i = 0; i < N_OUTPUT_TYPES && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", OUTPUT_TYPES[i].name);
}

/* ----------------------------------------------------------------------------- llama-quantize's choices */

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

/* Vectors and norms stay as they are: they are small, and errors in them reach everything. */
static bool is_matrix(const SourceTensor *t) {
    return t->n_dims >= 2 && ends(t->name, ".weight") && !ends(t->name, "_norm.weight");
}

static bool is_quantised(QuantType type) {
    return quant_info(type)->block > 1;
}

/* First and last eighth of the layers, and every third between them. */
static bool gets_more_bits(int layer, int n_layer) {
    return layer < n_layer / 8 || layer >= 7 * n_layer / 8 || (layer - n_layer / 8) % 3 == 2;
}

/* Values and down projections are the most sensitive. */
static QuantType mixed_type(const SourceTensor *t, const Source *s, const PlanRequest *request) {
    QuantType type = request->type->type;
    int layer;
    bool is_value = ends(t->name, ".attn_v.weight"), is_down = ends(t->name, ".ffn_down.weight");
    if ((!is_value && !is_down) || sscanf(t->name, "blk.%d.", &layer) != 1) return type;
    bool early = layer < s->n_layer / 8;
    switch (request->type->mix) {
    case MIX_MEDIUM: return gets_more_bits(layer, s->n_layer) ? QUANT_Q6_K : type;
    case MIX_SMALL: return type == QUANT_Q4_K && (is_value ? layer < 4 : early) ? QUANT_Q5_K : type;
    default: return type == QUANT_Q4_0 && request->has_imatrix && is_down && early ? QUANT_Q4_1 : type;
    }
}

/* The output head, often the embedding itself: every token's probability goes through it. */
static QuantType head_type(const SourceTensor *t, QuantType type) {
    if (t->dims[0] % (uint64_t)quant_info(type)->block) return QUANT_Q8_0;
    return type == QUANT_Q8_0 ? type : QUANT_Q6_K;
}

/* A type whose blocks divide rows of n weights. */
static QuantType fitting_type(QuantType type, uint64_t n) {
    if (n % (uint64_t)quant_info(type)->block == 0) return type;
    QuantType smaller = type == QUANT_Q4_K ? QUANT_Q5_0 : type == QUANT_Q5_K ? QUANT_Q5_1 : type == QUANT_Q6_K
        ? QUANT_Q8_0 : QUANT_F16;
    return n % (uint64_t)quant_info(smaller)->block == 0 ? smaller : QUANT_F16;
}

static const TypeOverride *find_override(const char *name, const PlanRequest *request) {
    for (int i = 0; i < request->n_overrides; i++)
        if (regexec(&request->overrides[i].pattern, name, 0, NULL, 0) == 0) return &request->overrides[i];
    return NULL;
}

static QuantType wanted_type(const SourceTensor *t, const Source *s, bool is_head,
    const PlanRequest *request) {
    if (!is_matrix(t)) return t->add_one ? QUANT_F32 : t->type;
    const TypeOverride *override = find_override(t->name, request);
    if (override) return override->type;
    if (!is_quantised(request->type->type)) return request->type->type;
    return is_head ? head_type(t, request->type->type) : mixed_type(t, s, request);
}

bool plan_check(const Source *s, const PlanRequest *request, GemmaError *err) {
    for (int i = 0; i < request->n_overrides; i++) {
        const TypeOverride *override = &request->overrides[i];
        bool used = false;
        char quoted[72];
        for (size_t k = 0; !used && k < s->n_tensors; k++)
            used = is_matrix(&s->tensors[k]) && find_override(s->tensors[k].name, request) == override;
        if (used) continue;
        error_set(err, GEMMA_BAD_ARGUMENT,
            "--tensor-type \"%s\" decides no tensor's type: its pattern matches no matrix, or those before it "
            "match all of them; without it, --dry-run lists the names.",
            error_quote(quoted, override->text, strlen(override->text)));
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------ the plan */

/* How many tensors got which type instead of which: one note for each pair. */
static void note_fallbacks(const GgufOutTensor *out, const QuantType *wanted, Source *s) {
    for (size_t i = 0; i < s->n_tensors; i++) {
        size_t n = 0, n_before = 0;
        if (out[i].type == wanted[i]) continue;
        for (size_t j = 0; j < s->n_tensors; j++) {
            bool same = out[j].type == out[i].type && wanted[j] == wanted[i];
            n += same;
            n_before += same && j < i;
        }
        const QuantInfo *instead_of = quant_info(wanted[i]);
        if (n_before == 0)
            source_note(s, "%s instead of %s: %zu tensors whose rows (%" PRIu64 " weights in %s) are no multiple of %d",
                        quant_info(out[i].type)->name, instead_of->name, n, out[i].dims[0], out[i].name,
                            instead_of->block);
    }
}

void plan_tensors(GgufOutTensor *out, Source *s, const PlanRequest *request) {
    bool tied = true;
    QuantType *wanted = malloc((s->n_tensors + 1) * sizeof *wanted);
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, "output.weight") == 0) tied = false;
    for (size_t i = 0; i < s->n_tensors; i++) {
        const SourceTensor *t = &s->tensors[i];
        QuantType type = wanted_type(t, s, strcmp(t->name, tied ? "token_embd.weight" : "output.weight") == 0,
            request);
        out[i] = (GgufOutTensor){
            .name = t->name, .n_dims = t->n_dims, .type = is_matrix(t)
            ? fitting_type(type, t->dims[0]) : type};
        memcpy(out[i].dims, t->dims, sizeof out[i].dims);
        if (wanted) wanted[i] = type;
    }
    if (wanted) note_fallbacks(out, wanted, s);
    free(wanted);
}
