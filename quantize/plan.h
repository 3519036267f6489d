/* plan.h: which type each tensor of the output gets: the choices of llama-quantize (llama.cpp,
 * src/llama-quant.cpp, llama_tensor_get_type), so that files of a type are the same mixture everywhere. Knows
 * no files and does not quantise. */
#ifndef PLAN_H
#define PLAN_H

#include <regex.h>

#include "source.h"

typedef enum { MIX_NONE, MIX_SMALL, MIX_MEDIUM } Mix;

/* What --type can say. */
typedef struct {
    const char *name;           /* "q4_k_m" */
    QuantType type;             /* of most matrices */
    Mix mix;                    /* which tensors get more bits */
    uint32_t file_type;         /* general.file_type: llama.h, enum llama_ftype */
} OutputType;

/* In capitals or not; NULL when it is not known. */
const OutputType *output_type_by_name(const char *name);
/* All names, separated by commas and spaces. */
void output_type_names(char *text, size_t size);

/* A type for the tensors whose name the pattern (POSIX extended regular expression) matches anywhere. */
typedef struct {
    regex_t pattern;
    QuantType type;
    const char *text;                   /* as it was given, "PATTERN=TYPE" */
} TypeOverride;

typedef struct {
    const OutputType *type;
    const TypeOverride *overrides;      /* the first that matches holds */
    int n_overrides;
    bool has_imatrix;
} PlanRequest;

/* Refuses a pattern that decides nothing: it was meant for something. */
bool plan_check(const Source *s, const PlanRequest *request, GemmaError *err);

/* Sets name, dimensions and type of out[s->n_tensors], in the source's order. Types that rows forbid become
 * notes of the source. */
void plan_tensors(GgufOutTensor *out, Source *s, const PlanRequest *request);

#endif
