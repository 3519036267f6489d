/* The sampler's rules against the plainest implementation of them, which sorts everything; and that it draws
 * by the probabilities. */
#include <limits.h>

#include "sampler.h"
#include "test.h"

enum { N_VOCAB = 5000 };    /* 40 blocks of the sampler's passes, the last not full */

static const GemmaSampling off = {.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 7};

/* ----------------------------------------------------------------------------- the plain implementation */

typedef struct {
    int32_t id;
    double logit, p;        /* p at temperature 1, of the best: 1 */
} Token;

static int better_first(const void *a, const void *b) {
    const Token *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Marks with 1 the tokens that top-k, top-p and min-p leave, with 2 those so near to a limit that rounding
 * decides. */
static void plain_filter(const float *logits, const GemmaSampling *s, uint8_t *kept) {
    static Token all[N_VOCAB];
    int n = 0;
    memset(kept, 0, N_VOCAB);
    for (int i = 0; i < N_VOCAB; i++)
        if (logits[i] > -INFINITY) all[n++] = (Token){i, logits[i], 0};
    qsort(all, (size_t)n, sizeof *all, better_first);
    if (s->top_k > 0 && s->top_k < n) n = s->top_k;
    double total = 0, sum = 0;
    for (int i = 0; i < n; i++) total += all[i].p = exp(all[i].logit - all[0].logit);
    for (int i = 0; i < n; i++) {
        /* Float exponentials have a relative error of 2e-7; 1e-5 is far beyond what their sums gather. */
        bool inside = sum < (s->top_p + 1e-5) * total && all[i].p > s->min_p * (1 - 1e-5);
        bool surely = sum < (s->top_p - 1e-5) * total && all[i].p > s->min_p * (1 + 1e-5);
        if (s->top_p == 1) surely |= inside && all[i].p > s->min_p * (1 + 1e-5);
        kept[all[i].id] = i == 0 || surely ? 1 : inside ? 2 : 0;
        sum += all[i].p;
    }
}

/* A sampler with scratch memory for itself. */
typedef struct {
    Sampler sampler;
    SamplerScratch *scratch;
} Picker;

static Picker *picker_new(int n_vocab) {
    Picker *p = malloc(sizeof *p);
    sampler_init(&p->sampler);
    p->scratch = sampler_scratch_new(n_vocab);
    return p;
}

static void picker_free(Picker *p) {
    sampler_scratch_free(p->scratch);
    free(p);
}

static int32_t pick(Picker *p, const float *logits, const int32_t *recent, int n_recent) {
    return sampler_pick(&p->sampler, p->scratch, logits, recent, n_recent);
}

/* Logits of a language model's shape, or flat ones, in steps that make ties; some forbidden, some not
 * numbers. */
static void make_logits(float *logits, uint64_t *state) {
    double scale = (double[]){0.1, 3, 12}[test_random(state) % 3], step = test_random(state) % 2
        ? 0.25 : 1e-4;
    bool holes = test_random(state) % 2;
    for (int i = 0; i < N_VOCAB; i++) {
        double x = test_random_float(state) + test_random_float(state) + test_random_float(state);
        logits[i] = (float)(round(x * scale / step) * step);
        if (holes && test_random(state) % 4 == 0) logits[i] = test_random(state) % 2 ? -INFINITY : NAN;
    }
}

TEST(keeps_what_sorting_everything_keeps) {
    static float logits[N_VOCAB];
    static uint8_t kept[N_VOCAB];
    uint64_t state = 1;
    GemmaError err;
    Picker *s = picker_new(N_VOCAB);
    for (int round = 0; round < 200; round++) {
        make_logits(logits, &state);
        GemmaSampling p = off;
        p.seed = test_random(&state);
        if (test_random(&state) % 2) p.top_k = 1 + (int)
            (test_random(&state) % (int[]){3, 60, 5100}[test_random(&state) % 3]);
        if (test_random(&state) % 2) p.top_p = (float[]){
            0, 0.01f, 0.5f, 0.95f, 0.9999f}[test_random(&state) % 5];
        if (test_random(&state) % 2) p.min_p = (float[]){0.01f, 0.5f, 0.999f}[test_random(&state) % 3];
        p.temperature = 50;     /* so that every token left is likely to come up */
        plain_filter(logits, &p, kept);
        int n_kept = 0, n_near = 0, n_seen = 0;
        for (int i = 0; i < N_VOCAB; i++) n_kept += kept[i] == 1, n_near += kept[i] == 2;
        CHECK(sampler_set(&s->sampler, &p, &err) == GEMMA_OK);
        int draws = n_kept > 20 ? 50 : 20 * (n_kept + n_near < 20 ? n_kept + n_near : 20);
        for (int i = 0; i < draws; i++) {
            int32_t id = pick(s, logits, NULL, 0);
            if (kept[id] == 0) TEST_FAIL("round %d: token %d does not belong (k %d, p %g, min-p %g)", round,
                (int)id, p.top_k, p.top_p, p.min_p);
            if (kept[id] == 1) n_seen++, kept[id] = 3;
        }
        /* Each of n about equally likely tokens, at most 20, is missed by 20 n draws with a probability of
         * e^-20. */
        if (n_kept <= 20) CHECK_INT(n_seen, n_kept);
    }
    picker_free(s);
}

/* ------------------------------------------------------------------------------------------ distribution */

/* sum of (seen - expected)^2 / expected over the tokens of probability p[n]. */
static double chi_square(Picker *s, const float *logits, const double *p, int n, int draws) {
    int *seen = calloc(N_VOCAB, sizeof *seen);
    double chi = 0;
    for (int i = 0; i < draws; i++) seen[pick(s, logits, NULL, 0)]++;
    for (int i = 0; i < n; i++) {
        double expected = p[i] * draws;
        if (expected > 0) chi += (seen[i] - expected) * (seen[i] - expected) / expected;
        else CHECK_INT(seen[i], 0);
    }
    free(seen);
    return chi;
}

/* Softmax of logits / temperature over the ids of 0 to n - 1 that are kept. */
static void softmax(const float *logits, const bool *kept, int n, double temperature, double *p) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += p[i] = kept[i] ? exp(logits[i] / temperature) : 0;
    for (int i = 0; i < n; i++) p[i] /= sum;
}

TEST(draws_by_the_probabilities) {
    enum { N = 12, N_SMALL = 200 };     /* a quarter of a million draws: two blocks */
    float logits[N_SMALL];
    double p[N];
    bool all[N], five[N];
    GemmaError err;
    for (int i = 0; i < N_SMALL; i++) logits[i] = -INFINITY;
    for (int i = 0; i < N; i++) {
        logits[i] = 0.3f * (float)((i * 5) % N);
        all[i] = true;
        five[i] = (i * 5) % N >= N - 5;
    }
    Picker *s = picker_new(N_SMALL);
    struct { GemmaSampling set; const bool *kept; } cases[] = {
        {off, all}, {off, all}, {off, all}, {off, five}, {off, five},
    };
    cases[1].set.temperature = 0.5f;
    cases[2].set.min_p = 1e-6f;                                             /* through the candidates */
    cases[3].set.top_k = 5;
    cases[3].set.temperature = 2;
    softmax(logits, all, N, 1, p);
    /* p to the middle of the fifth token */
    cases[4].set.top_p = 0;
    for (int i = 0; i < N; i++) cases[4].set.top_p += (float)
        (five[i] ? p[i] * ((i * 5) % N == N - 5 ? 0.5 : 1) : 0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        softmax(logits, cases[c].kept, N, cases[c].set.temperature, p);
        CHECK(sampler_set(&s->sampler, &cases[c].set, &err) == GEMMA_OK);
        /* 11 degrees of freedom: chi^2 is above 44.4 once in 10^5 runs of a right sampler; the seed is fixed,
         * so this run either is one or isn't. A sampler that gives one token 15 % too much is beyond it. */
        double chi = chi_square(s, logits, p, N, 50000);
        if (chi > 44.4) TEST_FAIL("case %d: chi-square %g", (int)c, chi);
    }
    picker_free(s);
}

TEST(draws_evenly_over_a_whole_flat_vocabulary) {
    enum { N_FLAT = 1000 };     /* 8 blocks, the last not full */
    static float logits[N_FLAT];
    static double p[N_FLAT];
    GemmaError err;
    Picker *s = picker_new(N_FLAT);
    for (int i = 0; i < N_FLAT; i++) p[i] = 1.0 / N_FLAT;
    for (int through_candidates = 0; through_candidates < 2; through_candidates++) {
        GemmaSampling set = off;
        if (through_candidates) set.min_p = 0.5f;
        CHECK(sampler_set(&s->sampler, &set, &err) == GEMMA_OK);
        /* 999 degrees of freedom: about normal, standard deviation 44.7; 4.5 of them. */
        double chi = chi_square(s, logits, p, N_FLAT, 25000);
        if (fabs(chi - 999) > 201) TEST_FAIL("chi-square %g", chi);
    }
    picker_free(s);
}

TEST(equal_seeds_give_equal_texts) {
    static float logits[N_VOCAB];
    uint64_t state = 3;
    GemmaError err;
    make_logits(logits, &state);
    Picker *a = picker_new(N_VOCAB), *b = picker_new(N_VOCAB);
    GemmaSampling p = off;
    p.top_k = 64;
    p.top_p = 0.95f;
    p.temperature = 2;
    sampler_set(&a->sampler, &p, &err);
    int32_t first[100];
    for (int i = 0; i < 100; i++) first[i] = pick(a, logits, NULL, 0);
    sampler_set(&a->sampler, &p, &err);
    sampler_set(&b->sampler, &p, &err);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(pick(a, logits, NULL, 0), first[i]);
        CHECK_INT(pick(b, logits, NULL, 0), first[i]);
    }
    p.seed++;
    sampler_set(&b->sampler, &p, &err);
    int same = 0;
    for (int i = 0; i < 100; i++) same += pick(b, logits, NULL, 0) == first[i];
    CHECK(same < 90);
    picker_free(a);
    picker_free(b);
}

/* ------------------------------------------------------------------------------------------ greedy, penalties, bias */

static Picker *greedy(int n_vocab) {
    GemmaError err;
    Picker *s = picker_new(n_vocab);
    GemmaSampling p = off;
    p.temperature = 0;
    sampler_set(&s->sampler, &p, &err);
    return s;
}

TEST(greedy_takes_the_best_and_the_lower_id_of_equals) {
    static float logits[N_VOCAB];
    Picker *s = greedy(N_VOCAB);
    uint64_t state = 9;
    for (int round = 0; round < 120; round++) {
        make_logits(logits, &state);
        int best = -1;
        for (int i = 0; i < N_VOCAB; i++)
            if (logits[i] > -INFINITY && (best < 0 || logits[i] > logits[best])) best = i;
        CHECK_INT(pick(s, logits, NULL, 0), best);
    }
    picker_free(s);
    for (int n = 1; n < 20; n++) {      /* vocabularies smaller than a vector */
        s = greedy(n);
        for (int i = 0; i < n; i++) logits[i] = i == n - 1 ? 0.0f : -0.0f;
        CHECK_INT(pick(s, logits, NULL, 0), 0);
        logits[n - 1] = 1;
        CHECK_INT(pick(s, logits, NULL, 0), n - 1);
        picker_free(s);
    }
}

TEST(numbers_that_are_none_are_never_picked) {
    static float logits[N_VOCAB];
    GemmaError err;
    GemmaSampling p = off;
    GemmaSampling kinds[] = {off, off, off, off, off};
    kinds[1].temperature = 0;
    kinds[2].top_k = 10;
    kinds[3].top_p = 0.9f;
    kinds[4].min_p = 0.1f;
    Picker *s = picker_new(N_VOCAB);
    for (int k = 0; k < 5; k++) {
        p = kinds[k];
        sampler_set(&s->sampler, &p, &err);
        for (int i = 0; i < N_VOCAB; i++) logits[i] = i % 2 ? NAN : -INFINITY;
        CHECK_INT(pick(s, logits, NULL, 0), GEMMA_NO_TOKEN);
        logits[4321] = -1e30f;
        for (int i = 0; i < 10; i++) CHECK_INT(pick(s, logits, NULL, 0), 4321);
        logits[17] = INFINITY;
        CHECK_INT(pick(s, logits, NULL, 0), 17);
        for (int i = 0; i < N_VOCAB; i++) logits[i] = 3e38f * (i % 2 ? 1.0f : -1.0f);
        for (int i = 0; i < 10; i++) CHECK_INT(pick(s, logits, NULL, 0) % 2, 1);
    }
    picker_free(s);
}

TEST(penalties_act_on_the_last_64_tokens) {
    float logits[6] = {1.0f, 0.9f, 0.8f, -0.5f, -0.6f, -0.7f};
    int32_t recent[100];
    GemmaError err;
    Picker *s = picker_new(6);
    GemmaSampling p = off;
    p.temperature = 0;
    p.repeat_penalty = 2;
    sampler_set(&s->sampler, &p, &err);
    for (int i = 0; i < 100; i++) recent[i] = i < 36 ? 0 : 1;
    CHECK_INT(pick(s, logits, recent, 100), 0);     /* 0 is 65 tokens ago, 1 halved */
    CHECK_INT(pick(s, logits, recent, 99), 2);      /* both halved */
    for (int i = 0; i < 3; i++) logits[i] = -1;
    recent[0] = 3;
    CHECK_INT(pick(s, logits, recent, 1), 4);       /* below zero, doubled: -1 */

    p.repeat_penalty = 1;
    p.presence_penalty = 0.05f;
    sampler_set(&s->sampler, &p, &err);
    CHECK_INT(pick(s, logits, recent, 1), 3);       /* -0.55 is still the best */
    recent[1] = recent[2] = 3;
    CHECK_INT(pick(s, logits, recent, 3), 3);       /* presence counts once */
    p.frequency_penalty = 0.02f;
    sampler_set(&s->sampler, &p, &err);
    CHECK_INT(pick(s, logits, recent, 2), 3);       /* -0.59 */
    CHECK_INT(pick(s, logits, recent, 3), 4);       /* -0.61 */
    CHECK(logits[3] == -0.5f);                              /* the caller's logits are left alone */
    picker_free(s);
}

TEST(biases_come_first_and_setting_drops_them) {
    float logits[3] = {2, 1, 0};
    GemmaError err;
    Picker *s = greedy(3);
    CHECK(sampler_bias(&s->sampler, 2, 5, &err) == GEMMA_OK);
    CHECK_INT(pick(s, logits, NULL, 0), 2);
    CHECK(sampler_bias(&s->sampler, 2, -INFINITY, &err) == GEMMA_OK);
    CHECK(sampler_bias(&s->sampler, 0, -INFINITY, &err) == GEMMA_OK);
    CHECK_INT(pick(s, logits, NULL, 0), 1);
    GemmaSampling p = off;
    p.temperature = 0;
    p.repeat_penalty = 3;
    sampler_set(&s->sampler, &p, &err);
    CHECK_INT(pick(s, logits, NULL, 0), 0);
    /* before the penalty: (2 + 10) / 3 = 4; after it, 10.67 */
    CHECK(sampler_bias(&s->sampler, 0, 10, &err) == GEMMA_OK);
    CHECK(sampler_bias(&s->sampler, 1, 4, &err) == GEMMA_OK);         /* 5 */
    CHECK_INT(pick(s, logits, (int32_t[]){0}, 1), 1);

    CHECK(sampler_bias(&s->sampler, 0, NAN, &err) == GEMMA_BAD_ARGUMENT);
    CHECK(sampler_bias(&s->sampler, 0, INFINITY, &err) == GEMMA_BAD_ARGUMENT);
    for (int i = 2; i < 1024; i++) CHECK(sampler_bias(&s->sampler, 0, 0, &err) == GEMMA_OK);
    CHECK(sampler_bias(&s->sampler, 0, 0, &err) == GEMMA_BAD_ARGUMENT);
    CHECK_TEXT_HAS(err.text, "1024");
    picker_free(s);
}

TEST(every_end_of_a_control_works) {
    static float logits[N_VOCAB];
    GemmaError err;
    Picker *s = picker_new(N_VOCAB);
    for (int i = 0; i < N_VOCAB; i++) logits[i] = i % 7;
    logits[77] = 7;
    static const float top_p[] = {0, 1e-30f, 1}, min_p[] = {0, 1}, temperature[] = {0, 1e-40f, 1e-6f, 100};
    static const int top_k[] = {0, 1, N_VOCAB, INT_MAX};
    for (int i = 0; i < 3 * 2 * 4 * 4; i++) {
        GemmaSampling p = off;
        p.top_p = top_p[i % 3];
        p.min_p = min_p[i / 3 % 2];
        p.temperature = temperature[i / 6 % 4];
        p.top_k = top_k[i / 24];
        CHECK_INT(sampler_set(&s->sampler, &p, &err), GEMMA_OK);
        CHECK_INT(sampler_bias(&s->sampler, 5, 0, &err), GEMMA_OK);
        int n_also;
        int32_t also[SAMPLER_MAX_ALSO];
        CHECK(sampler_reach(&s->sampler, N_VOCAB, false, NULL, 0, also, &n_also) >= 0);
        for (int draws = 0; draws < 10; draws++) {
            int32_t id = pick(s, logits, NULL, 0);
            CHECK(id >= 0 && id < N_VOCAB);
            if (p.top_p < 1 || p.min_p == 1 || p.temperature < 1e-5f || p.top_k == 1) CHECK_INT(id, 77);
        }
    }
    picker_free(s);
}

TEST(parameters_out_of_range_are_refused_by_name) {
    GemmaError err;
    Picker *s = picker_new(4);
    struct { const char *name; size_t at; float value; } cases[] = {
#define BAD(field, value) {#field, offsetof(GemmaSampling, field), value}
        BAD(temperature, -0.1f), BAD(temperature, NAN), BAD(temperature, INFINITY), BAD(top_p, -0.1f),
            BAD(top_p, 1.1f), BAD(top_p, NAN),
        BAD(min_p, -0.1f), BAD(min_p, 1.1f), BAD(min_p, NAN), BAD(repeat_penalty, 0),
            BAD(repeat_penalty, NAN),
        BAD(presence_penalty, INFINITY), BAD(presence_penalty, NAN), BAD(frequency_penalty, -INFINITY),
            BAD(frequency_penalty, NAN),
#undef BAD
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        GemmaSampling p = off;
        memcpy((char *)&p + cases[i].at, &cases[i].value, sizeof(float));
        CHECK(sampler_set(&s->sampler, &p, &err) == GEMMA_BAD_ARGUMENT);
        CHECK_TEXT_HAS(err.text, cases[i].name);
    }
    GemmaSampling p = off;
    p.top_k = -1;
    CHECK(sampler_set(&s->sampler, &p, &err) == GEMMA_BAD_ARGUMENT);
    CHECK_TEXT_HAS(err.text, "top_k");
    picker_free(s);
}

/* ------------------------------------------------------------------------------------------ some tokens only */

/* Which tokens a test allows, and how often it was asked for all of them. */
typedef struct {
    uint32_t bits[(N_VOCAB + 31) / 32];
    const float *logits;
    int n_asked;
} Some;

static bool is_allowed(void *context, int32_t id) {
    return ((Some *)context)->bits[id / 32] >> (id % 32) & 1;
}
static const uint32_t *all_allowed(void *context, const float **logits) {
    Some *some = context;
    some->n_asked++;
    *logits = some->logits;
    return some->bits;
}

static void allow(Some *some, int32_t id) { some->bits[id / 32] |= 1u << id % 32; }

static int32_t pick_some(Picker *p, Some *some, bool few, const int32_t *recent, int n_recent) {
    SamplerAllowed allowed = {some, is_allowed, all_allowed, few ? some->bits : NULL};
    return sampler_pick_allowed(&p->sampler, p->scratch, some->logits, recent, n_recent, &allowed);
}

TEST(some_tokens_are_picked_as_if_the_others_were_forbidden) {
    static float logits[N_VOCAB], masked[N_VOCAB];
    static Some some;
    uint64_t state = 5;
    GemmaError err;
    Picker *want = picker_new(N_VOCAB), *got = picker_new(N_VOCAB);
    for (int round = 0; round < 120; round++) {
        make_logits(logits, &state);
        int most = (int[]){1, 2, 40, 2500, 4900}[test_random(&state) % 5];
        some = (Some){.logits = logits};
        for (int i = 0; i < most; i++) allow(&some, (int32_t)(test_random(&state) % N_VOCAB));
        for (int i = 0; i < N_VOCAB; i++) masked[i] = is_allowed(&some, i) ? logits[i] : -INFINITY;
        GemmaSampling p = off;
        p.seed = test_random(&state);
        p.temperature = (float[]){0, 0.3f, 1, 1.5f, 50}[test_random(&state) % 5];
        if (test_random(&state) % 3) p.top_k = 1 + (int)
            (test_random(&state) % (int[]){3, 60, 5100}[test_random(&state) % 3]);
        if (test_random(&state) % 2) p.top_p = (float[]){
            0, 0.01f, 0.5f, 0.95f, 0.9999f}[test_random(&state) % 5];
        if (test_random(&state) % 2) p.min_p = (float[]){0.01f, 0.5f, 0.999f}[test_random(&state) % 3];
        if (test_random(&state) % 2) p.repeat_penalty = 1.3f, p.presence_penalty = 0.5f,
            p.frequency_penalty = 0.1f;
        bool alone = p.temperature > 0 && p.top_k == 0 && p.top_p == 1 && p.min_p == 0,
            ordered = p.temperature == 0 || (p.top_k > 0 && p.top_k < N_VOCAB);
        CHECK(sampler_set(&want->sampler, &p, &err) == GEMMA_OK && sampler_set(&got->sampler, &p,
            &err) == GEMMA_OK);
        for (int i = 0; i < 3; i++) {
            int32_t id = (int32_t)(test_random(&state) % N_VOCAB);
            float bias = i ? test_random_float(&state) * 5 : -INFINITY;
            CHECK(sampler_bias(&want->sampler, id, bias, &err) == GEMMA_OK && sampler_bias(&got->sampler, id,
                bias, &err) == GEMMA_OK);
        }
        int32_t recent[20];
        for (int i = 0; i < 20; i++) recent[i] = (int32_t)(test_random(&state) % N_VOCAB);
        bool none = true;
        for (int i = 0; i < N_VOCAB; i++) none &= !(masked[i] > -INFINITY);
        for (int i = 0; i < 10; i++) {
            bool few = ordered && i % 2;
            int32_t b = pick_some(got, &some, few, recent, 20);
            if (none) CHECK_INT(b, -1);
            if (none || b < 0) break;
            int32_t a = sampler_pick(&want->sampler, want->scratch, masked, recent, 20);
            CHECK(is_allowed(&some, b));
            /* With temperature alone the first draw is from all tokens: another token, of the same
             * distribution. */
            if (!alone && a != b) TEST_FAIL(
                "round %d: token %d, not %d (temperature %g, k %d, p %g, min-p %g)", round, b, a,
                p.temperature, p.top_k, p.top_p, p.min_p);
        }
        /* one number a token */
        CHECK(!memcmp(want->sampler.rng, got->sampler.rng, sizeof got->sampler.rng) || none);
    }
    picker_free(want);
    picker_free(got);
}

TEST(all_logits_are_asked_for_only_where_the_best_are_not_allowed) {
    static float logits[N_VOCAB];
    static Some some;
    GemmaError err;
    Picker *s = picker_new(N_VOCAB);
    for (int i = 0; i < N_VOCAB; i++) logits[i] = 20 - 0.01f * (float)i;
    some = (Some){.logits = logits};
    for (int i = 0; i < N_VOCAB; i += 3) allow(&some, i);       /* of the best ones every third */
    for (int i = 100; i < N_VOCAB; i++) allow(&some, i);
    GemmaSampling p = off;
    struct { float temperature, top_p; int top_k, n_asked; } cases[] = {
        {0, 1, 0, 0}, {1, 1, 1, 0}, {1, 0.9f, 4, 0}, {1, 1, 40, 1}, {1, 0.9f, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        p.temperature = cases[i].temperature, p.top_p = cases[i].top_p, p.top_k = cases[i].top_k;
        sampler_set(&s->sampler, &p, &err);
        some.n_asked = 0;
        pick_some(s, &some, false, NULL, 0);
        CHECK_INT(some.n_asked, cases[i].n_asked);
    }
    picker_free(s);
}

/* 100,000 draws against the conditional distribution: half of the probability belongs to tokens that are not
 * allowed. */
TEST(some_tokens_are_drawn_by_their_conditional_probabilities) {
    static float logits[N_VOCAB];
    static Some some;
    enum { N = 24, SMALL = 150, DRAWS = 100000 };
    GemmaError err;
    Picker *s = picker_new(SMALL);
    for (int i = 0; i < SMALL; i++) logits[i] = i < N ? 0.15f * (float)((i * 5) % N) : -3;
    some = (Some){.logits = logits};
    for (int i = 0; i < N; i++)
        if (i % 2) allow(&some, i);
    static const struct { float temperature, top_p, min_p; int top_k; bool few; } cases[] = {
        {1, 1, 0, 0, false}, {1.5f, 1, 0, 0, false}, {1, 1, 0, 0, true}, {0.7f, 1, 0, 6, false},
            {0.7f, 1, 0, 6, true}, {1, 0.8f, 0, 0, false}, {1, 0.8f, 0, 0, true},
        {1, 1, 0.2f, 0, false}, {2, 0.9f, 0.1f, 10, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        GemmaSampling p = off;
        p.temperature = cases[c].temperature, p.top_p = cases[c].top_p, p.min_p = cases[c].min_p,
            p.top_k = cases[c].top_k;
        p.seed = c;
        sampler_set(&s->sampler, &p, &err);
        double expected[N], chi = 0;
        bool kept[N];
        static uint8_t marks[N_VOCAB];
        static float masked[N_VOCAB];
        for (int i = 0; i < N_VOCAB; i++) masked[i] = i < SMALL && is_allowed(&some, i)
            ? logits[i] : -INFINITY;
        plain_filter(masked, &p, marks);
        int seen[N] = {0}, n_kept = 0;
        for (int i = 0; i < N; i++) n_kept += kept[i] = marks[i] != 0;
        softmax(masked, kept, N, p.temperature, expected);
        for (int i = 0; i < DRAWS; i++) {
            int32_t id = pick_some(s, &some, cases[c].few, NULL, 0);
            CHECK(id >= 0 && id < N && kept[id]);
            if (id >= 0 && id < N) seen[id]++;
        }
        for (int i = 0; i < N; i++)
            if (kept[i]) chi += pow(seen[i] - expected[i] * DRAWS, 2) / (expected[i] * DRAWS);
        /* Of n - 1 degrees of freedom: mean n - 1, variance 2 (n - 1). Five deviations beyond. */
        double limit = n_kept - 1 + 5 * sqrt(2.0 * (n_kept - 1));
        if (!(chi < limit)) TEST_FAIL("case %zu: chi-squared is %g of %d tokens", c, chi, n_kept);
    }
    picker_free(s);
}

int main(void) {
    RUN(keeps_what_sorting_everything_keeps);
    RUN(draws_by_the_probabilities);
    RUN(draws_evenly_over_a_whole_flat_vocabulary);
    RUN(equal_seeds_give_equal_texts);
    RUN(greedy_takes_the_best_and_the_lower_id_of_equals);
    RUN(numbers_that_are_none_are_never_picked);
    RUN(penalties_act_on_the_last_64_tokens);
    RUN(biases_come_first_and_setting_drops_them);
    RUN(every_end_of_a_control_works);
    RUN(parameters_out_of_range_are_refused_by_name);
    RUN(some_tokens_are_picked_as_if_the_others_were_forbidden);
    RUN(all_logits_are_asked_for_only_where_the_best_are_not_allowed);
    RUN(some_tokens_are_drawn_by_their_conditional_probabilities);
    return test_result();
}
