/* sampler.h: logits -> id. Owns the random number generator. Knows neither text nor model. */
#ifndef SAMPLER_H
#define SAMPLER_H

#include "gemma.h"

typedef struct Sampler Sampler;

Sampler *sampler_new(int n_vocab);
void sampler_free(Sampler *s);
uint64_t sampler_bytes(int n_vocab);

GemmaStatus sampler_set(Sampler *s, const GemmaSampling *params, GemmaError *err);
GemmaStatus sampler_bias(Sampler *s, int32_t id, float bias, GemmaError *err);

/* How many of the largest logits decide what sampler_pick would choose, however the others are among themselves: 0 for all of them.
 * also[SAMPLER_MAX_ALSO]: n_also tokens whose logits count in any case, since biases or penalties change them. */
enum { SAMPLER_MAX_ALSO = 128 };
int sampler_reach(const Sampler *s, const int32_t *recent, int n_recent, int32_t *also, int *n_also);

/* logits[n_vocab] are not changed. recent[n_recent]: the tokens before (the last 64 count). Ties go to the lower id.
 * The text of equal seeds is equal whatever the number of threads: one uniform number is drawn per call, none when greedy. */
int32_t sampler_pick(Sampler *s, const float *logits, const int32_t *recent, int n_recent);

#endif
