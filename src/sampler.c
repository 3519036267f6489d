/* sampler.c: see sampler.h.
 *
 * A vocabulary has 262,144 logits and a token takes a few milliseconds, so nothing here sorts the vocabulary:
 *   - One vectorised pass finds the maximum of each block of 128 logits. The k-th largest of these maxima is
 *     a lower bound of the k-th largest logit, so top-k has to look only into the few blocks above it.
 *   - Top-p without top-k sums the probabilities in one vectorised pass, then takes tokens from the most
 *     probable down until they have the share p, twice as deep (in logits) each time.
 *   - What is left are candidates, ordered by (logit, best first; id), of which a quickselect keeps the first
 *     k, or the first that have the probability p.
 * Where only some tokens are allowed, the result is the same as if the others' logits were -infinity, but all
 * of them are asked for only when that is needed:
 *   - Greedy and with top-k, the likeliest tokens are tested one after the other until there are k.
 *   - With temperature alone, a token is drawn from all. If it is not allowed, another is drawn from the
 *     allowed ones, independently of the first. An allowed token of probability p is drawn with
 *     p + (1 - S) p / S = p / S, where S is the probability of all allowed ones.
 *   - Top-p and min-p without top-k are of the renormalised probabilities, and need S: they ask for all.
 * Loops over 8 lanes stand where the compiler shall vectorise what it may not reorder by itself: float sums
 * and maxima. */
#include "sampler.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

enum {
    PENALTY_WINDOW = 64,    /* tokens */
    BLOCK = 128,            /* logits */
    LANES = 8,
    SPARE = 16,             /* how many tokens are tested beyond one and a half times top-k, since some may
                             * not be allowed */
};

struct SamplerScratch {
    int n_vocab, n_block;
    float *adjusted;        /* [n_vocab]: logits with biases and penalties */
    float *block_max;       /* [n_block] */
    double *block_sum;      /* [n_block]: of weights */
    uint64_t *candidates;   /* [n_vocab]: see candidate() */
};

/* ------------------------------------------------------------------------------------------ random numbers */

/* splitmix64 (Steele, Lea, Flood 2014), which spreads a seed over the state of the generator proper. */
static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

/* xoshiro256** (Blackman, Vigna 2018). Uniform in [0, 1), of 53 bits. */
static double draw(uint64_t s[4]) {
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return (double)(result >> 11) * 0x1p-53;
}

/* ------------------------------------------------------------------------------------------ setting up */

SamplerScratch *sampler_scratch_new(int n_vocab) {
    SamplerScratch *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->n_vocab = n_vocab;
    x->n_block = (n_vocab + BLOCK - 1) / BLOCK;
    x->adjusted = malloc((size_t)n_vocab * sizeof *x->adjusted);
    x->block_max = malloc((size_t)x->n_block * sizeof *x->block_max);
    x->block_sum = malloc((size_t)x->n_block * sizeof *x->block_sum);
    x->candidates = malloc((size_t)n_vocab * sizeof *x->candidates);
    if (x->adjusted && x->block_max && x->block_sum && x->candidates) return x;
    sampler_scratch_free(x);
    return NULL;
}

void sampler_scratch_free(SamplerScratch *x) {
    if (!x) return;
    free(x->adjusted);
    free(x->block_max);
    free(x->block_sum);
    free(x->candidates);
    free(x);
}

uint64_t sampler_scratch_bytes(int n_vocab) {
    uint64_t n = (uint64_t)n_vocab, n_block = (n + BLOCK - 1) / BLOCK;
    return sizeof(SamplerScratch) + n * (sizeof(float) + sizeof(uint64_t))
        + n_block * (sizeof(float) + sizeof(double));
}

void sampler_init(Sampler *s) {
    s->params = (GemmaSampling){.top_p = 1, .repeat_penalty = 1};
    s->n_bias = 0;
    memset(s->rng, 0, sizeof s->rng);
}

static GemmaStatus bad(GemmaError *err, const char *name, double value, const char *expected) {
    return error_set(err, GEMMA_BAD_ARGUMENT, "%s is %g; %s was expected.", name, value, expected);
}

/* Comparisons are written so that NaN fails them. */
GemmaStatus sampler_set(Sampler *s, const GemmaSampling *p, GemmaError *err) {
    if (!(p->temperature >= 0 && p->temperature <= 100))
        return bad(err, "temperature", p->temperature, "a number from 0 to 100");
    if (p->top_k < 0) return bad(err, "top_k", p->top_k, "0 (off) or more");
    if (!(p->top_p >= 0 && p->top_p <= 1)) return bad(err, "top_p", p->top_p, "a number from 0 to 1 (off)");
    if (!(p->min_p >= 0 && p->min_p <= 1)) return bad(err, "min_p", p->min_p, "a number from 0 (off) to 1");
    if (!(p->repeat_penalty > 0 && p->repeat_penalty <= 100))
        return bad(err, "repeat_penalty", p->repeat_penalty, "a number above 0 (1 is off), up to 100");
    if (!(fabsf(p->presence_penalty) <= 100))
        return bad(err, "presence_penalty", p->presence_penalty, "a number from -100 to 100 (0 is off)");
    if (!(fabsf(p->frequency_penalty) <= 100))
        return bad(err, "frequency_penalty", p->frequency_penalty, "a number from -100 to 100 (0 is off)");
    s->params = *p;
    s->n_bias = 0;
    uint64_t state = p->seed;
    for (int i = 0; i < 4; i++) s->rng[i] = splitmix(&state);
    return GEMMA_OK;
}

GemmaStatus sampler_bias(Sampler *s, int32_t id, float bias, GemmaError *err) {
    if (!(bias < INFINITY)) return bad(err, "a logit bias", bias,
        "a finite number, or -infinity to forbid the token,");
    if (s->n_bias == SAMPLER_MAX_BIASES)
        return error_set(err, GEMMA_BAD_ARGUMENT, "There are more than %d logit biases.", SAMPLER_MAX_BIASES);
    s->bias[s->n_bias++] = (Bias){id, bias};
    return GEMMA_OK;
}

/* ------------------------------------------------------------------------------------------ biases and penalties */

static bool adjusts(const Sampler *s) {
    return s->n_bias > 0 || s->params.repeat_penalty != 1 || s->params.presence_penalty != 0
        || s->params.frequency_penalty != 0;
}

/* The repetition penalty of Keskar et al. 2019 (CTRL), section 4.1, in the form that also lowers negative
 * logits; presence and frequency penalty as in OpenAI's interface: logit - presence - count * frequency. */
static float *adjust(const Sampler *s, SamplerScratch *scratch, const float *logits, const int32_t *recent,
    int n_recent) {
    const GemmaSampling *p = &s->params;
    float *x = scratch->adjusted;
    memcpy(x, logits, (size_t)scratch->n_vocab * sizeof *x);
    for (int i = 0; i < s->n_bias; i++) x[s->bias[i].id] += s->bias[i].bias;
    if (n_recent > PENALTY_WINDOW) {
        recent += n_recent - PENALTY_WINDOW;
        n_recent = PENALTY_WINDOW;
    }
    for (int i = 0; i < n_recent; i++) {
        int count = 1;
        bool seen = false;
        for (int j = 0; j < i; j++) seen |= recent[j] == recent[i];
        if (seen) continue;
        for (int j = i + 1; j < n_recent; j++) count += recent[j] == recent[i];
        assert(recent[i] >= 0 && recent[i] < scratch->n_vocab);
        float *logit = &x[recent[i]];
        *logit = *logit > 0 ? *logit / p->repeat_penalty : *logit * p->repeat_penalty;
        *logit -= p->presence_penalty + (float)count * p->frequency_penalty;
    }
    return x;
}

/* ------------------------------------------------------------------------------------------ passes over all logits */

static int block_size(const SamplerScratch *s, int block) {
    int left = s->n_vocab - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

/* Largest of x[n]; -INFINITY when there is none. NaN is never larger. */
static float max_of(const float *x, int n) {
    float lane[LANES], max = -INFINITY;
    int i = 0;
    for (int j = 0; j < LANES; j++) lane[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = lane[j] < x[i + j] ? x[i + j] : lane[j];
    for (int j = 0; j < LANES; j++) max = max < lane[j] ? lane[j] : max;
    for (; i < n; i++) max = max < x[i] ? x[i] : max;
    return max;
}

/* e^x for x <= 0, within 2e-7 of it relatively; 0 below -87, where floats end, and for NaN. Cephes' expf: 2^n
 * e^r, with |r| <= ln(2)/2, in operations that vectorise; so its result is the same on every machine, too. */
static inline float exp_negative(float x) {
    float y = x > -87.0f ? x : -87.0f;
    int32_t n = (int32_t)(y * 1.44269504f - 0.5f);      /* rounds to nearest, as y <= 0 */
    float r = y - (float)n * 0.693359375f + (float)n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return x > -87.0f ? p * power : 0.0f;
}

/* A token's probability, but for the factor that makes them add up to 1. */
static inline float weight_of(float logit, float max, float inv_temperature) {
    return exp_negative((logit - max) * inv_temperature);
}

static float sum_weights(const float *x, int n, float max, float inv_temperature) {
    float lane[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += weight_of(x[i + j], max, inv_temperature);
    for (int j = 0; j < LANES; j++) sum += lane[j];
    for (; i < n; i++) sum += weight_of(x[i], max, inv_temperature);
    return sum;
}

/* Fills block_sum; returns the sum of all weights. */
static double sum_blocks(SamplerScratch *s, const float *x, float max, float inv_temperature) {
    double sum = 0;
    for (int b = 0; b < s->n_block; b++)
        sum += s->block_sum[b] = sum_weights(x + b * BLOCK, block_size(s, b), max, inv_temperature);
    return sum;
}

/* The first position of `value` in x[n], which has it. */
static int position_of(const float *x, int n, float value) {
    int i = 0;
    while (i < n - 1 && x[i] != value) i++;
    return i;
}

static int32_t argmax(const SamplerScratch *s, const float *x, float max) {
    int b = position_of(s->block_max, s->n_block, max);
    return b * BLOCK + position_of(x + b * BLOCK, block_size(s, b), max);
}

/* ------------------------------------------------------------------------------------------ candidates */

/* One number, so that the smaller is the better token: the logit, made a whole number of the opposite order,
 * then the id. */
static uint64_t candidate(float logit, int32_t id) {
    uint32_t bits;
    logit += 0.0f;      /* -0.0 equals 0.0 */
    memcpy(&bits, &logit, sizeof bits);
    bits = bits >> 31 ? bits : ~bits & 0x7fffffffu;
    return (uint64_t)bits << 32 | (uint32_t)id;
}

static int by_rank(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int32_t candidate_id(uint64_t c) { return (int32_t)(uint32_t)c; }

static float candidate_logit(uint64_t c) {
    uint32_t bits = (uint32_t)(c >> 32);
    float logit;
    bits = bits >> 31 ? bits : ~bits & 0x7fffffffu;
    memcpy(&logit, &bits, sizeof logit);
    return logit;
}

static void swap(uint64_t *a, uint64_t *b) {
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

/* Moves the candidates of c[n] (n >= 2) up to the median of three of them to the front; returns how many: 1
 * to n - 1. */
static int partition(uint64_t *c, int n) {
    uint64_t *low = c, *middle = c + n / 2, *high = c + n - 1;
    if (*middle < *low) swap(middle, low);
    if (*high < *low) swap(high, low);
    if (*high < *middle) swap(high, middle);
    uint64_t pivot = n == 2 ? *low : *middle;
    int i = -1, j = n;
    for (;;) {      /* Hoare's scheme */
        do i++; while (c[i] < pivot);
        do j--; while (c[j] > pivot);
        if (i >= j) return j + 1;
        swap(&c[i], &c[j]);
    }
}

/* What a candidate counts for: 1 each, or its weight at temperature 1. */
typedef enum { COUNT, WEIGHT } Measure;

static double measure(const uint64_t *c, int n, Measure m, float max) {
    if (m == COUNT) return n;
    double sum = 0;
    for (int i = 0; i < n; i++) sum += weight_of(candidate_logit(c[i]), max, 1);
    return sum;
}

/* Brings the fewest best candidates of c[n] whose measures reach `target` to the front, in no order; returns
 * how many: at least 1 of n >= 1, all when the target can't be reached. */
static int select_best(uint64_t *c, int n, Measure m, double target, float max) {
    int from = 0, to = n;       /* the last one to keep lies in c[from, to) */
    while (to - from > 1) {
        int front = partition(c + from, to - from);
        double reached = measure(c + from, front, m, max);
        if (reached >= target) {
            to = from + front;
        } else {
            target -= reached;
            from += front;
        }
    }
    return to;
}

/* The tokens with logits of at least `floor` (NaN and -INFINITY never are candidates). */
static int gather(SamplerScratch *s, const float *x, float floor) {
    int n = 0;
    for (int b = 0; b < s->n_block; b++) {
        if (!(s->block_max[b] >= floor)) continue;
        for (int i = b * BLOCK, end = i + block_size(s, b); i < end; i++)
            if (x[i] >= floor && x[i] > -INFINITY) s->candidates[n++] = candidate(x[i], i);
    }
    return n;
}

/* Brings the k best tokens to the front of the candidates; returns how many: k, or all there are. */
static int gather_top_k(SamplerScratch *s, const float *x, int k, float max) {
    float floor = -INFINITY;
    if (k < s->n_block) {
        for (int b = 0; b < s->n_block; b++) s->candidates[b] = candidate(s->block_max[b], b);
        select_best(s->candidates, s->n_block, COUNT, k, max);
        floor = INFINITY;
        for (int i = 0; i < k; i++) floor = fminf(floor, candidate_logit(s->candidates[i]));
    }
    int n = gather(s, x, floor);
    return k < n ? select_best(s->candidates, n, COUNT, k, max) : n;
}

/* Tokens of less than min_p of the best one's probability have smaller logits. */
static float min_logit(const GemmaSampling *p, float max) {
    return p->min_p > 0 ? max + logf(p->min_p) : -INFINITY;
}

/* What min-p leaves of candidates[n]. */
static int filter_min_p(SamplerScratch *s, const GemmaSampling *p, int n, float max) {
    float least = min_logit(p, max);
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (candidate_logit(s->candidates[i]) >= least) s->candidates[kept++] = s->candidates[i];
    return kept;
}

/* Keeps what top-p and min-p leave of candidates[n], which are all that there are. */
static int filter_candidates(SamplerScratch *s, const GemmaSampling *p, int n, float max) {
    if (p->top_p < 1) n = select_best(s->candidates, n, WEIGHT, p->top_p * measure(s->candidates, n,
        WEIGHT, max), max);
    return filter_min_p(s, p, n, max);
}

/* In order, so that what is drawn does not depend on tokens that are not among them. */
static void sort_candidates(SamplerScratch *s, int n) {
    qsort(s->candidates, (size_t)n, sizeof *s->candidates, by_rank);
}

/* Gathers what top-k, top-p and min-p leave, at least one token. */
static int filter(SamplerScratch *s, const GemmaSampling *p, const float *x, float max) {
    if (p->top_k > 0) {
        int n = gather_top_k(s, x, p->top_k, max);
        sort_candidates(s, n);
        return filter_candidates(s, p, n, max);
    }
    if (p->top_p == 1) return gather(s, x, min_logit(p, max));
    double target = p->top_p * sum_blocks(s, x, max, 1), reached = 0;
    /* Most often a few tokens have most of the probability: look further down only if they have not. At 128
     * below the best weights are 0. */
    float drop = 4;
    int n;
    do {        /* at least once: p may be 0 */
        n = gather(s, x, max - drop);
        reached = measure(s->candidates, n, WEIGHT, max);
        drop *= 2;
    } while (drop <= 128 && reached < target);
    return filter_min_p(s, p, select_best(s->candidates, n, WEIGHT, target, max), max);
}

/* ------------------------------------------------------------------------------------------ picking */

/* By weight at the temperature, u in [0, 1). */
static int32_t pick_candidate(const uint64_t *c, int n, float max, float inv_temperature, double u) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += weight_of(candidate_logit(c[i]), max, inv_temperature);
    double left = u * sum;
    int32_t id = -1;
    for (int i = 0; i < n && left >= 0; i++) {
        double weight = weight_of(candidate_logit(c[i]), max, inv_temperature);
        if (weight == 0) continue;
        id = candidate_id(c[i]);
        left -= weight;
    }
    return id;
}

/* The same over all tokens, without making candidates of them. */
static int32_t pick_any(SamplerScratch *s, const float *x, float max, float inv_temperature, double u) {
    double left = u * sum_blocks(s, x, max, inv_temperature);
    int last = 0;       /* the block that u falls into: the last with any weight when rounding leads beyond
                         * it */
    for (int b = 0; b < s->n_block; b++) {
        if (s->block_sum[b] == 0) continue;
        last = b;
        if (left < s->block_sum[b]) break;
        left -= s->block_sum[b];
    }
    int32_t id = -1;
    for (int i = last * BLOCK, end = i + block_size(s, last); i < end && left >= 0; i++) {
        double weight = weight_of(x[i], max, inv_temperature);
        if (weight == 0) continue;
        id = i;
        left -= weight;
    }
    return id;
}

/* How many tokens top-k or greedy sampling chooses from; 0: any number. */
static int choice(const GemmaSampling *p, int n_vocab) {
    return p->temperature == 0 ? 1 : p->top_k < n_vocab ? p->top_k : 0;
}

/* How many of the likeliest tokens are tested to find k that are allowed. */
static int tested(int k, int n_vocab) {
    int n = k + k / 2 + SPARE;
    return n < n_vocab ? n : n_vocab;
}

int sampler_reach(const Sampler *s, int n_vocab, bool constrained, const int32_t *recent, int n_recent,
    int32_t *also, int *n_also) {
    *n_also = 0;
    int k = choice(&s->params, n_vocab);
    if (k && constrained) k = tested(k, n_vocab);
    if (!adjusts(s) || k == 0) return k;
    if (s->n_bias > SAMPLER_MAX_ALSO - PENALTY_WINDOW) return 0;
    for (int i = 0; i < s->n_bias; i++) also[(*n_also)++] = s->bias[i].id;
    for (int i = n_recent > PENALTY_WINDOW ? n_recent - PENALTY_WINDOW : 0; i < n_recent; i++)
        also[(*n_also)++] = recent[i];
    return k + *n_also;     /* this many may be overtaken by others */
}

static float inverse(float temperature) { return fminf(1.0f / temperature, 1e30f); }

static bool has_temperature_alone(const GemmaSampling *p) {
    return p->top_k == 0 && p->top_p == 1 && p->min_p == 0;
}

static float max_of_blocks(SamplerScratch *scratch, const float *x) {
    for (int b = 0; b < scratch->n_block; b++)
        scratch->block_max[b] = max_of(x + b * BLOCK, block_size(scratch, b));
    return max_of(scratch->block_max, scratch->n_block);
}

/* By u in [0, 1), of logits whose largest, `max`, is a number or INFINITY. */
static int32_t pick(const GemmaSampling *p, SamplerScratch *scratch, const float *x, float max, double u) {
    /* Infinity has all the probability there is. */
    if (p->temperature == 0 || max == INFINITY) return argmax(scratch, x, max);
    float inv_temperature = inverse(p->temperature);
    if (has_temperature_alone(p)) return pick_any(scratch, x, max, inv_temperature, u);
    return pick_candidate(scratch->candidates, filter(scratch, p, x, max), max, inv_temperature, u);
}

int32_t sampler_pick(Sampler *s, SamplerScratch *scratch, const float *logits, const int32_t *recent,
    int n_recent) {
    const float *x = adjusts(s) ? adjust(s, scratch, logits, recent, n_recent) : logits;
    float max = max_of_blocks(scratch, x);
    if (max == -INFINITY) return GEMMA_NO_TOKEN;
    return pick(&s->params, scratch, x, max, s->params.temperature == 0 ? 0 : draw(s->rng));
}

/* ------------------------------------------------------------------------------------------ picking of some */

/* Picks from candidates[n], n >= 1: the allowed tokens that top-k leaves. The best is first where top-k drops
 * some, or where one is infinite. */
static int32_t pick_filtered(const GemmaSampling *p, SamplerScratch *scratch, int n, float max, double u) {
    if (p->temperature == 0 || max == INFINITY) return candidate_id(scratch->candidates[0]);
    n = filter_candidates(scratch, p, n, max);
    return pick_candidate(scratch->candidates, n, max, inverse(p->temperature), u);
}

static int32_t pick_of_few(const GemmaSampling *p, SamplerScratch *scratch, const float *x,
    const uint32_t *few, double u) {
    int n = 0, n_words = (scratch->n_vocab + 31) / 32, k = choice(p, scratch->n_vocab);
    for (int w = 0; w < n_words; w++) {
        for (uint32_t bits = few[w]; bits; bits &= bits - 1) {
            int32_t id = w * 32 + __builtin_ctz(bits);
            if (x[id] > -INFINITY) scratch->candidates[n++] = candidate(x[id], id);
        }
    }
    if (n == 0) return -1;
    float max = -INFINITY;
    for (int i = 0; i < n; i++) max = fmaxf(max, candidate_logit(scratch->candidates[i]));
    if (k > 0 && k < n) n = select_best(scratch->candidates, n, COUNT, k, max);
    if (k > 0 || max == INFINITY) sort_candidates(scratch, n);
    return pick_filtered(p, scratch, n, max, u);
}

/* Gathers the k likeliest of those that are allowed, the best first; 0 when they can't be told from the
 * likeliest of all. */
static int gather_allowed(SamplerScratch *s, const float *x, int k, float max,
    const SamplerAllowed *allowed) {
    int most = tested(k, s->n_vocab), n = gather_top_k(s, x, most, max), kept = 0;
    sort_candidates(s, n);
    for (int i = 0; i < n && kept < k; i++)
        if (allowed->allows(allowed->context, candidate_id(s->candidates[i])))
            s->candidates[kept++] = s->candidates[i];
    return kept == k ? k : 0;
}

/* A number in [0, 1) that has nothing to do with u. */
static double another(double u) {
    uint64_t state = (uint64_t)(u * 0x1p53);
    return (double)(splitmix(&state) >> 11) * 0x1p-53;
}

int32_t sampler_pick_allowed(Sampler *s, SamplerScratch *scratch, const float *logits,
    const int32_t *recent, int n_recent,
                             const SamplerAllowed *allowed) {
    const GemmaSampling *p = &s->params;
    double u = p->temperature == 0 ? 0 : draw(s->rng);
    const float *x = adjusts(s) ? adjust(s, scratch, logits, recent, n_recent) : logits;
    if (allowed->few) return pick_of_few(p, scratch, x, allowed->few, u);
    int k = choice(p, scratch->n_vocab);
    if (k || has_temperature_alone(p)) {
        float max = max_of_blocks(scratch, x);
        int n = max == -INFINITY || !k ? 0 : gather_allowed(scratch, x, k, max, allowed);
        if (n) return pick_filtered(p, scratch, n, candidate_logit(scratch->candidates[0]), u);
        if (max > -INFINITY && !k) {
            int32_t id = pick(p, scratch, x, max, u);
            if (allowed->allows(allowed->context, id)) return id;
            u = another(u);
        }
    }
    const uint32_t *all = allowed->all(allowed->context, &logits);
    float *masked = adjust(s, scratch, logits, recent, n_recent);
    for (int i = 0; i < scratch->n_vocab; i++) masked[i] = all[i / 32] >> (i % 32)
        & 1 ? masked[i] : -INFINITY;
    float max = max_of_blocks(scratch, masked);
    return max == -INFINITY ? -1 : pick(p, scratch, masked, max, u);
}
