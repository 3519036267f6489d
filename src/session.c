/* session.c: one conversation: the tokens, how many of them the cache holds, and the next one. Decides what is evaluated again;
 * the forward pass decides nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "model.h"
#include "sampler.h"
#include "transformer.h"

struct GemmaSession {
    GemmaModel *model;          /* borrowed */
    Transformer transformer;
    Sampler *sampler;
    int32_t *tokens;            /* [n_ctx] */
    int n_ctx;
    int n_tokens;               /* the whole sequence, guesses at its end included */
    int n_done;                 /* evaluated: the cache holds [0, n_done) */
    int n_draft;                /* guesses at the end, of which nobody knows yet */
    int row;                    /* of the transformer's logits that is the current one */
    int partial;                /* the token of the last batch of which only the logits that sampling needs are there; -1: all are */
    const int32_t *media;       /* [n_media]: tokens that are never sampled; borrowed from the tokenizer */
    int n_media;
    float *media_logits;        /* [n_media]: theirs, while others are chosen from */
    bool other_sampling;        /* since then: now it may need others */
    double token_seconds;       /* what a token of the last large batch cost in a layer; 0: not known yet */
    Tuner threads;              /* with how many to evaluate one token; see threads_of */
    OpsObserved *observed;      /* the transformer's, while observing; and what they point to */
    double *squares;
};

/* More threads are not always faster: cores are shared with other programs, and some are slow or only halves of one. So a quarter,
 * a half, three quarters and all of them are tried. */
enum { THREAD_WAYS = 4, THREAD_PERIOD = 128 };
static int thread_ways(const Pool *pool) { return pool_threads(pool) < THREAD_WAYS ? pool_threads(pool) : THREAD_WAYS; }
static int threads_of(const Pool *pool, int way) {
    int ways = thread_ways(pool);
    return (pool_threads(pool) * (way + 1) + ways - 1) / ways;
}

GemmaSession *gemma_session_new(GemmaModel *m, int n_ctx, GemmaError *err) {
    int most = m->config.n_ctx_train;
    if (n_ctx < 1 || n_ctx > most) {
        error_set(err, GEMMA_BAD_ARGUMENT, "a context of %d tokens was asked for; this model takes 1 to %d", n_ctx, most);
        return NULL;
    }
    GemmaSession *s = calloc(1, sizeof *s);
    if (s) {
        s->model = m;
        s->n_ctx = n_ctx;
        s->tokens = malloc((size_t)n_ctx * sizeof *s->tokens);
        s->partial = -1;
        s->sampler = sampler_new(m->config.n_vocab);
        if (m->tokenizer) s->media = tokenizer_media(m->tokenizer, &s->n_media);
        s->media_logits = malloc((size_t)(s->n_media + 1) * sizeof *s->media_logits);
        tuner_init(&s->threads, thread_ways(m->pool), THREAD_PERIOD);
        if (s->tokens && s->sampler && s->media_logits &&
            transformer_new(&s->transformer, &m->config, &m->weights, model_kernels(), m->pool, m->options.precision, n_ctx)) {
            return s;
        }
    }
    gemma_session_free(s);
    uint64_t need = transformer_bytes(&m->config, n_ctx, pool_threads(m->pool), m->options.precision);
    error_set(err, GEMMA_NO_MEMORY, "no memory for a context of %d tokens: %llu MB are needed", n_ctx, (unsigned long long)(need >> 20));
    return NULL;
}

void gemma_session_free(GemmaSession *s) {
    if (!s) return;
    transformer_free(&s->transformer);
    sampler_free(s->sampler);
    free(s->tokens);
    free(s->media_logits);
    free(s->observed);
    free(s->squares);
    free(s);
}

/* Forgets guesses, and a pass that is under way. What they left in the cache is written over: rings can go back further than that. */
static void drop_draft(GemmaSession *s) {
    transformer_abandon(&s->transformer);
    s->n_tokens -= s->n_draft;
    if (s->n_done > s->n_tokens) s->n_done = s->n_tokens;
    s->n_draft = 0;
}

int gemma_session_count(const GemmaSession *s) { return s->n_tokens - s->n_draft; }
int gemma_session_context(const GemmaSession *s) { return s->n_ctx; }

static GemmaStatus check_id(const GemmaSession *s, int32_t id, GemmaError *err) {
    int n_vocab = s->model->config.n_vocab;
    if (id >= 0 && id < n_vocab) return GEMMA_OK;
    return error_set(err, GEMMA_BAD_ARGUMENT, "token id %d is outside the vocabulary of %d", (int)id, n_vocab);
}

int gemma_session_sync(GemmaSession *s, const int32_t *ids, int n, GemmaError *err) {
    if (n < 1) {
        error_set(err, GEMMA_BAD_ARGUMENT, "a sequence needs at least one token");
        return -1;
    }
    if (n > s->n_ctx) {
        error_set(err, GEMMA_NO_ROOM, "the prompt has %d tokens, the context holds %d", n, s->n_ctx);
        return -1;
    }
    for (int i = 0; i < n; i++) {
        if (check_id(s, ids[i], err) != GEMMA_OK) return -1;
    }
    drop_draft(s);
    int same = 0, most = s->n_done < n - 1 ? s->n_done : n - 1;
    while (same < most && s->tokens[same] == ids[same]) same++;
    s->n_done = kv_cache_rewind(&s->transformer.cache, same);
    memmove(s->tokens, ids, (size_t)n * sizeof *ids);
    s->n_tokens = n;
    return s->n_done;
}

GemmaStatus gemma_session_push(GemmaSession *s, int32_t id, GemmaError *err) {
    if (check_id(s, id, err) != GEMMA_OK) return err->status;
    drop_draft(s);
    if (s->n_tokens == s->n_ctx) return error_set(err, GEMMA_NO_ROOM, "the context of %d tokens is full", s->n_ctx);
    s->tokens[s->n_tokens++] = id;
    return GEMMA_OK;
}

GemmaStatus gemma_session_draft(GemmaSession *s, const int32_t *ids, int n, GemmaError *err) {
    if (n < 0 || s->n_tokens - s->n_done != 1)
        return error_set(err, GEMMA_BAD_ARGUMENT, "guesses come after one token that is to be evaluated; there are %d", s->n_tokens - s->n_done);
    if (n > GEMMA_MAX_DRAFT) n = GEMMA_MAX_DRAFT;
    if (n > s->n_ctx - s->n_tokens) n = s->n_ctx - s->n_tokens;
    for (int i = 0; i < n; i++) {
        if (check_id(s, ids[i], err) != GEMMA_OK) return err->status;
    }
    memcpy(s->tokens + s->n_tokens, ids, (size_t)n * sizeof *ids);
    s->n_tokens += n;
    s->n_draft = n;
    return GEMMA_OK;
}

bool gemma_session_accept(GemmaSession *s, int32_t id) {
    bool right = s->n_draft > 0 && s->n_done == s->n_tokens && s->tokens[s->n_tokens - s->n_draft] == id;
    if (right) {
        s->n_draft--;
        s->row++;
    } else {
        drop_draft(s);
    }
    return right;
}

/* A sum of finite numbers times zero is zero; one NaN or infinity makes it NaN. (In lanes, so that the compiler may vectorise it.) */
static bool all_finite(const float *x, int n) {
    enum { LANES = 16 };
    float lane[LANES] = {0}, zero = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += x[i + j] * 0.0f;
    for (int j = 0; j < LANES; j++) zero += lane[j];
    for (; i < n; i++) zero += x[i] * 0.0f;
    return zero == 0;
}

/* The logits after the last token of a batch of n; only the best ones where those tell all that sampling asks. */
static void evaluate_logits(GemmaSession *s, int n) {
    int32_t also[SAMPLER_MAX_ALSO];
    int n_also, k = sampler_reach(s->sampler, s->tokens, s->n_tokens, also, &n_also);
    if (k) k += s->n_media;     /* these may be among the best, but are not chosen from */
    bool best = s->n_draft == 0 && transformer_best_logits(&s->transformer, n - 1, k, also, n_also);
    if (!best) transformer_logits(&s->transformer, n - 1 - s->n_draft, 1 + s->n_draft);
    s->partial = best ? n - 1 : -1;
    s->other_sampling = false;
    s->row = 0;
}

static void complete_logits(GemmaSession *s) {
    if (s->partial >= 0) transformer_logits(&s->transformer, s->partial, 1);
    s->partial = -1;
}

/* Batches are multiples of UNIT; what fewer tokens cost, for which memory is the limit, says nothing of them. FIRST: the speed is not known
 * yet, and the caller wants to be back in time. */
enum { FIRST = 16, UNIT = 8 };

/* Tokens of a batch of which one layer takes no longer than `seconds`: between layers a pass can be left. */
static int batch_within(const GemmaSession *s, double seconds) {
    if (isinf(seconds)) return GEMMA_MAX_BATCH;
    double n = s->token_seconds > 0 ? seconds / s->token_seconds : FIRST;
    return n > GEMMA_MAX_BATCH ? GEMMA_MAX_BATCH : n < UNIT ? UNIT : (int)n / UNIT * UNIT;
}

static int least(int a, int b) { return a < b ? a : b; }

static void begin_pass(GemmaSession *s, int n_batch, double seconds) {
    Transformer *t = &s->transformer;
    int n = s->n_tokens - s->n_done;
    /* guesses go with the token before them */
    if (!s->n_draft) n = least(n, least(n_batch < 1 ? 1 : n_batch, least(t->batch, batch_within(s, seconds))));
    s->partial = -1;
    transformer_begin(t, s->tokens + s->n_done, n, s->n_done);
}

/* Layers, as many as end before `until`, and at least one. False when some are left. */
static bool continue_pass(GemmaSession *s, double until) {
    Transformer *t = &s->transformer;
    double before = clock_seconds(), now, took;
    int n = t->n_pass;
    bool more;
    do {
        more = transformer_layer(t);
        now = clock_seconds();
        took = now - before;
        before = now;
    } while (more && now + took < until);
    if (n >= UNIT) s->token_seconds = took / n;
    return !more;
}

double gemma_session_step(GemmaSession *s, int n_batch, double seconds, GemmaError *err) {
    Transformer *t = &s->transformer;
    if (s->n_done == s->n_tokens) return 0;
    double start = clock_seconds();
    bool at_once = !t->n_pass, decoding = s->n_tokens - s->n_done == 1;
    pool_set_active(s->model->pool, decoding ? threads_of(s->model->pool, tuner_choice(&s->threads)) : pool_threads(s->model->pool));
    if (at_once) begin_pass(s, n_batch, seconds);
    if (!continue_pass(s, start + seconds)) {
        return s->n_tokens - s->n_done - (double)t->n_pass * t->layer / s->model->config.n_layer;
    }
    int n = t->n_tok;
    s->n_done += n;
    if (s->n_done < s->n_tokens) return s->n_tokens - s->n_done;
    evaluate_logits(s, n);
    if (decoding && at_once) tuner_report(&s->threads, clock_seconds() - start);
    if (all_finite(t->logits, (1 + s->n_draft) * s->model->config.n_vocab)) return 0;
    error_set(err, GEMMA_BAD_NUMBERS, "the model computed numbers that are not finite at token %d: its weights are damaged or not a Gemma's",
              s->n_done - 1);
    s->n_done -= n;     /* who asks again is told again */
    drop_draft(s);
    return -1;
}

static float *current_logits(const GemmaSession *s) {
    return s->transformer.logits + (size_t)s->row * (size_t)s->model->config.n_vocab;
}

const float *gemma_session_logits(GemmaSession *s) {
    complete_logits(s);
    return s->transformer.n_tok ? current_logits(s) : NULL;
}

const float *gemma_session_logits_at(GemmaSession *s, int i) {
    if (i < 0 || i >= s->transformer.n_tok) return NULL;
    drop_draft(s);
    s->partial = -1;
    transformer_logits(&s->transformer, i, 1);
    s->row = 0;
    return s->transformer.logits;
}

double gemma_session_nll(GemmaSession *s, int32_t id) {
    complete_logits(s);
    const float *x = current_logits(s);
    int n = s->model->config.n_vocab;
    double max = x[model_kernels()->argmax(x, n)], sum = 0;
    for (int i = 0; i < n; i++) sum += exp(x[i] - max);
    return max + log(sum) - x[id];
}

void gemma_session_profile(GemmaSession *s, bool on) {
    Ops *ops = &s->transformer.ops;
    ops->profiling = on;
    if (on) memset(ops->cost, 0, sizeof ops->cost);
}

bool gemma_session_cost(const GemmaSession *s, int i, GemmaCost *cost) {
    if (i < 0 || i >= OP_KINDS) return false;
    const OpCost *c = &s->transformer.ops.cost[i];
    *cost = (GemmaCost){op_name[i], c->seconds, c->calls, c->bytes, c->macs};
    return true;
}

static void stop_observing(GemmaSession *s) {
    free(s->observed);
    free(s->squares);
    s->observed = s->transformer.ops.observed = NULL;
    s->squares = NULL;
    s->transformer.ops.n_observed = 0;
}

GemmaStatus gemma_session_observe(GemmaSession *s, bool on, GemmaError *err) {
    const Weights *w = &s->model->weights;
    stop_observing(s);
    if (!on) return GEMMA_OK;
    size_t n_cols = model_observed_columns(s->model);
    s->observed = calloc((size_t)w->n_slots, sizeof *s->observed);
    s->squares = calloc(n_cols, sizeof *s->squares);
    if (!s->observed || !s->squares) {
        stop_observing(s);
        return error_set(err, GEMMA_NO_MEMORY, "no memory for sums over %llu columns", (unsigned long long)n_cols);
    }
    Ops *ops = &s->transformer.ops;
    double *at = s->squares;
    for (int i = 0; i < w->n_slots; i++) {
        const WeightSlot *slot = &w->slots[i];
        if (!model_is_observed(s->model, slot)) continue;
        s->observed[ops->n_observed++] = (OpsObserved){.w = slot->matrix, .squares = at};
        at += slot->n_cols;
    }
    ops->observed = s->observed;
    return GEMMA_OK;
}

bool gemma_session_observed(const GemmaSession *s, int i, GemmaObserved *observed) {
    if (i < 0 || i >= s->transformer.ops.n_observed) return false;
    const OpsObserved *o = &s->observed[i];
    const WeightSlot *slot = s->model->weights.slots;
    while (slot->matrix != o->w) slot++;
    *observed = (GemmaObserved){slot->name, o->n_tok, o->w->n_cols, o->squares};
    return true;
}

GemmaStatus gemma_session_sampling(GemmaSession *s, const GemmaSampling *params, GemmaError *err) {
    s->other_sampling = true;
    return sampler_set(s->sampler, params, err);
}

GemmaStatus gemma_session_bias(GemmaSession *s, int32_t id, float bias, GemmaError *err) {
    if (check_id(s, id, err) != GEMMA_OK) return err->status;
    s->other_sampling = true;
    return sampler_bias(s->sampler, id, bias, err);
}

int32_t gemma_session_sample(GemmaSession *s) {
    if (s->other_sampling) complete_logits(s);
    float *logits = current_logits(s);
    for (int i = 0; i < s->n_media; i++) {
        s->media_logits[i] = logits[s->media[i]];
        logits[s->media[i]] = -INFINITY;
    }
    int32_t id = sampler_pick(s->sampler, logits, s->tokens, s->n_tokens - s->n_draft);
    for (int i = 0; i < s->n_media; i++) logits[s->media[i]] = s->media_logits[i];
    return id;
}
