/* sampler.h: logits -> id. Owns the random number generator. Knows neither text nor model. */
#ifndef SAMPLER_H
#define SAMPLER_H

#include "gemma.h"

enum { SAMPLER_MAX_BIASES = 1024 };

typedef struct {
    int32_t id;
    float bias;
} Bias;

/* A session's: parameters, and the state of the random numbers. A copy of it continues as it would. */
typedef struct {
    GemmaSampling params;
    uint64_t rng[4];
    int n_bias;
    Bias bias[SAMPLER_MAX_BIASES];
} Sampler;

/* Memory for picking, of which nothing is kept between two picks: one for all sessions. */
typedef struct SamplerScratch SamplerScratch;
SamplerScratch *sampler_scratch_new(int n_vocab);
void sampler_scratch_free(SamplerScratch *scratch);
uint64_t sampler_scratch_bytes(int n_vocab);

/* Greedy, without biases or penalties. */
void sampler_init(Sampler *s);
GemmaStatus sampler_set(Sampler *s, const GemmaSampling *params, GemmaError *err);
/* `id` is one of the vocabulary. */
GemmaStatus sampler_bias(Sampler *s, int32_t id, float bias, GemmaError *err);

/* Where not every token may be picked. */
typedef struct {
    void *context;
    bool (*allows)(void *context, int32_t id);      /* this one */
    /* All that may be, a bit each: bits[(n_vocab + 31) / 32]. *logits become those of all tokens. */
    const uint32_t *(*all)(void *context, const float **logits);
    const uint32_t *few;        /* not NULL: all that may be, which are few; only their logits count */
} SamplerAllowed;

/* How many of the largest logits decide what would be picked, however the others are among themselves: 0 for
 * all of them. also[SAMPLER_MAX_ALSO]: n_also tokens whose logits count in any case, since biases or
 * penalties change them. `constrained`: for sampler_pick_allowed, which most often finds enough tokens among
 * these, and otherwise asks for all. */
enum { SAMPLER_MAX_ALSO = 128 };
int sampler_reach(const Sampler *s, int n_vocab, bool constrained, const int32_t *recent, int n_recent,
    int32_t *also, int *n_also);

/* logits[n_vocab] are not changed. recent[n_recent]: the tokens before (the last 64 count). Ties go to the
 * lower id. Equal seeds give equal text for any number of threads: one uniform number is drawn per call, none
 * when greedy. */
int32_t sampler_pick(Sampler *s, SamplerScratch *scratch, const float *logits, const int32_t *recent,
    int n_recent);

/* The same of some tokens, as if the others' logits were -infinity; -1 when there are none. */
int32_t sampler_pick_allowed(Sampler *s, SamplerScratch *scratch, const float *logits,
    const int32_t *recent, int n_recent,
                             const SamplerAllowed *allowed);

#endif
