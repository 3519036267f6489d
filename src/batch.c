/* batch.c: see batch.h. */
#include "batch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "session.h"

/* More threads are not always faster: cores are shared with other programs, and some are slow or only halves
 * of one. So a quarter, a half, three quarters and all of them are tried. */
enum { THREAD_WAYS = 4, THREAD_PERIOD = 128 };
static int thread_ways(const Pool *pool) {
    return pool_threads(pool) < THREAD_WAYS ? pool_threads(pool) : THREAD_WAYS;
}
static int threads_of(const Pool *pool, int way) {
    int ways = thread_ways(pool);
    return (pool_threads(pool) * (way + 1) + ways - 1) / ways;
}

uint64_t batch_bytes(const Config *c, int n_ctx, int n_threads) {
    return workspace_bytes(c, n_ctx, n_threads) + sampler_scratch_bytes(c->n_vocab);
}

bool batch_new(Batch *b, GemmaModel *m) {
    *b = (Batch){0};
    tuner_init(&b->threads, thread_ways(m->pool), THREAD_PERIOD);
    b->sampling = sampler_scratch_new(m->config.n_vocab);
    if (m->tokenizer) b->media = tokenizer_media(m->tokenizer, &b->n_media);
    b->media_logits = malloc((size_t)(b->n_media + 1) * sizeof *b->media_logits);
    if (b->sampling && b->media_logits && workspace_new(&b->workspace, &m->config, &m->weights,
        model_kernels(), m->pool, m->options.precision)) return true;
    batch_free(b);
    return false;
}

void batch_free(Batch *b) {
    workspace_free(&b->workspace);
    sampler_scratch_free(b->sampling);
    free(b->media_logits);
    free(b->observed);
    free(b->squares);
    *b = (Batch){0};
}

/* ------------------------------------------------------------------------------------ forming a batch */

/* Batches are multiples of UNIT; what fewer rows cost, for which memory is the limit, says nothing of them.
 * FIRST: the speed is not known yet, and the caller wants to be back in time. */
enum { FIRST = 16, UNIT = 8 };

/* A pass that other sessions wait for should take no longer. One that a prompt has for itself is as long as
 * is fast, but waits between two layers when others come: then their pass and some of its layers take
 * turns. */
static const double PASS_SECONDS = 0.12;
/* What is left of a pass that others may as well wait for. */
static const double REST_SECONDS = 0.02;

static Clock *batch_clock(Batch *b) { return &b->workspace.ops.clock; }

static int least(int a, int b) { return a < b ? a : b; }

/* Rows of a batch of which one layer takes no longer than `seconds`: between layers a pass can be left. */
static int rows_within(const Batch *b, double seconds) {
    if (isinf(seconds)) return GEMMA_MAX_BATCH;
    double n = b->row_seconds > 0 ? seconds / b->row_seconds : FIRST;
    return n > GEMMA_MAX_BATCH ? GEMMA_MAX_BATCH : n < UNIT ? UNIT : (int)n / UNIT * UNIT;
}

/* One token, and the draft after it, which goes with it. */
static bool is_decoding(const GemmaSession *s) { return session_pending(s) == 1 + s->n_draft; }

typedef struct {
    BatchPart parts[MAX_PARTS];
    GemmaSession *sessions[MAX_PARTS];
    int n_parts, n_rows;
    int n_logits;               /* rows whose logits will be computed, at most MAX_PARTS */
    bool is_long;               /* no decoding session and no parked pass waits for it */
} Plan;

/* The session's next n_tok tokens; nothing where there is no place for them, or no memory. */
static void add_part(Plan *p, GemmaSession *s, int n_tok) {
    int n_logits = n_tok == session_pending(s) && !s->pooled ? 1 + s->n_draft : 0;
    if (n_tok < 1 || p->n_parts == MAX_PARTS || p->n_logits + n_logits > MAX_PARTS) return;
    if (!kv_cache_reserve(&s->cache, s->n_done, s->n_done + n_tok)) {
        error_set(&s->failure, GEMMA_NO_MEMORY,
            "Not enough memory for tokens %d to %d of this session, whose keys and values take %llu MB so far; "
            "close another session, or choose a shorter context.",
            s->n_done, s->n_done + n_tok - 1, (unsigned long long)(kv_cache_used(&s->cache) >> 20));
        return;
    }
    p->parts[p->n_parts] = (BatchPart){
        .cache = &s->cache, .ids = s->tokens + s->n_done, .n_tok = n_tok, .pos = s->n_done};
    p->sessions[p->n_parts++] = s;
    p->n_rows += n_tok;
    p->n_logits += n_logits;
}

/* Forgets draft tokens beyond the first n: they are only a guess. */
static void trim_draft(GemmaSession *s, int n) {
    if (s->n_draft <= n) return;
    constraint_trim_draft(&s->constraint, n);
    s->n_tokens -= s->n_draft - n;
    s->n_draft = n;
}

/* Whether one of the parts is the session's. */
static bool has_session(GemmaSession *const *sessions, int n_parts, const GemmaSession *s) {
    for (int i = 0; i < n_parts; i++)
        if (sessions[i] == s) return true;
    return false;
}

static bool is_parked(const Batch *b, const GemmaSession *s) {
    const ParkedPass *p = &b->workspace.parked;
    return p->n_rows && has_session(b->parked, p->n_parts, s);
}

static bool any_parked(const Batch *b, GemmaSession *const *sessions, int n) {
    for (int i = 0; i < n; i++)
        if (is_parked(b, sessions[i])) return true;
    return false;
}

static bool can_step(const Batch *b, const GemmaSession *s) {
    return session_pending(s) > 0 && s->failure.status == GEMMA_OK && !is_parked(b, s);
}

/* Those that decode, and beside them tokens of prompts, shared out evenly. */
static Plan form_batch(const Batch *b, GemmaSession *const *sessions, int n, int n_batch, double seconds) {
    Plan p = {.n_parts = 0};
    int n_prompts = 0, n_layer = b->workspace.c->n_layer;
    for (int i = 0; i < n; i++) n_prompts += can_step(b, sessions[i]) && !is_decoding(sessions[i]);
    int places = n_prompts ? MAX_PARTS - 1 : MAX_PARTS;     /* one is left for a prompt, however many
                                                             * decode */
    for (int i = 0; i < n && p.n_logits < places; i++) {
        GemmaSession *s = sessions[(b->turn + i) % n];
        if (!can_step(b, s) || !is_decoding(s)) continue;
        trim_draft(s, places - p.n_logits - 1);
        add_part(&p, s, session_pending(s));
    }
    p.is_long = !p.n_rows && !any_parked(b, sessions, n);
    int most = rows_within(b, p.is_long ? seconds : fmin(seconds, PASS_SECONDS / n_layer));
    most = least(least(most, n_batch < 1 ? 1 : n_batch), b->workspace.batch - p.n_rows);
    for (int i = 0; i < n && n_prompts > 0; i++) {
        GemmaSession *s = sessions[(b->turn + i) % n];
        if (!can_step(b, s) || is_decoding(s)) continue;
        int share = n_prompts > 1 ? most / n_prompts / UNIT * UNIT : most, before = p.n_rows;
        add_part(&p, s, least(session_pending(s), share < UNIT ? least(most, UNIT) : share));
        most -= p.n_rows - before;
        n_prompts--;
    }
    return p;
}

static void begin_pass(Batch *b, GemmaSession *const *sessions, int n, int n_batch, double seconds) {
    Plan p = form_batch(b, sessions, n, n_batch, seconds);
    b->turn = (b->turn + 1) % n;
    if (!p.n_parts) return;
    b->n_passes++;
    b->is_long = p.is_long;
    memcpy(b->sessions, p.sessions, sizeof b->sessions);
    transformer_begin(&b->workspace, p.parts, p.n_parts);
}

static void park_pass(Batch *b) {
    b->workspace.parked.n_rows = 0;     /* one of sessions that nobody asks for */
    memcpy(b->parked, b->sessions, sizeof b->parked);
    transformer_park(&b->workspace);
}

static void resume_pass(Batch *b) {
    b->n_passes++;
    b->is_long = true;
    b->pass_seconds = -INFINITY;        /* nobody has counted them */
    memcpy(b->sessions, b->parked, sizeof b->sessions);
    transformer_resume(&b->workspace);
}

/* ------------------------------------------------------------------------------------ a pass */

/* Gives up the session's parts. Whether others are left. */
static bool forget_parts(GemmaSession **sessions, BatchPart *parts, int n_parts, const GemmaSession *s) {
    bool wanted = false;
    for (int i = 0; i < n_parts; i++) {
        if (sessions[i] == s) {
            sessions[i] = NULL;
            parts[i].cache = NULL;
        }
        wanted |= sessions[i] != NULL;
    }
    return wanted;
}

void batch_forget(Batch *b, const GemmaSession *s) {
    Workspace *ws = &b->workspace;
    if (ws->n_rows && !forget_parts(b->sessions, ws->parts, ws->n_parts, s)) transformer_abandon(ws);
    if (ws->parked.n_rows && !forget_parts(b->parked, ws->parked.parts, ws->parked.n_parts, s))
        ws->parked.n_rows = 0;
}

static bool is_under_way(const Batch *b, GemmaSession *const *sessions, int n) {
    for (int i = 0; i < n && b->workspace.n_rows; i++)
        if (has_session(b->sessions, b->workspace.n_parts, sessions[i])) return true;
    return false;
}

/* Whether the pass under way is one that others should not wait for, and there are others. */
static bool should_park(const Batch *b, GemmaSession *const *sessions, int n) {
    const Workspace *ws = &b->workspace;
    double left = b->row_seconds * ws->n_rows * (ws->c->n_layer - ws->layer);
    if (!b->is_long || any_parked(b, sessions, n) || left <= REST_SECONDS) return false;
    for (int i = 0; i < n; i++)
        if (can_step(b, sessions[i]) && !has_session(b->sessions, ws->n_parts, sessions[i])) return true;
    return false;
}

/* Sees to it that a pass is under way, unless none of the sessions needs one. Of passes that none of them is
 * part of the longest waits: its sessions may be stepped in turns with these. */
static void choose_pass(Batch *b, GemmaSession *const *sessions, int n, int n_batch, double seconds) {
    Workspace *ws = &b->workspace;
    bool under_way = is_under_way(b, sessions, n), parked = any_parked(b, sessions, n);
    if (!under_way && !parked && ws->n_rows > ws->parked.n_rows) park_pass(b);
    else if (!under_way) transformer_abandon(ws);
    if (!under_way && parked) return resume_pass(b);
    if (under_way) {
        if (!should_park(b, sessions, n)) return;
        park_pass(b);
    }
    begin_pass(b, sessions, n, n_batch, seconds);
    if (under_way && !ws->n_rows) resume_pass(b);   /* no memory was left for the others */
}

/* Layers, as many as end before `until`, and at least one. False when some are left. */
static bool continue_pass(Batch *b, double until) {
    Clock *clock = batch_clock(b);
    double before = clock_read(clock), now, took;
    int n_rows = b->workspace.n_rows;
    bool more;
    do {
        more = transformer_layer(&b->workspace);
        now = clock_read(clock);
        took = now - before;
        before = now;
        double of_row = n_rows < UNIT ? 0 : clock_add(&b->row_sum, clock, took, n_rows);
        if (of_row > 0) b->row_seconds = of_row;
    } while (more && now + took < until);
    return !more;
}

/* A sum of finite numbers times zero is zero; one NaN or infinity makes it NaN. (In lanes, so that the
 * compiler may vectorise it.) */
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

/* Adds up the hidden states x[n, n_embd]. */
static void add_to_pool(GemmaSession *s, const float *x, int n) {
    int n_embd = s->model->config.n_embd;
    if (!s->n_pooled) memset(s->pooled, 0, (size_t)n_embd * sizeof *s->pooled);
    for (int i = 0; i < n; i++, x += n_embd)
        for (int j = 0; j < n_embd; j++) s->pooled[j] += x[j];
    s->n_pooled += n;
}

/* Rows of the workspace's logits, as they come together. */
typedef struct {
    ShortlistWant want[MAX_PARTS];
    int32_t also[MAX_PARTS][SAMPLER_MAX_ALSO];
    const uint32_t *few[MAX_PARTS];     /* where a constraint leaves few tokens, those; otherwise NULL */
    int n;
} LogitsRows;

/* The tokens that a constraint leaves i draft tokens further, where they are few; otherwise NULL. */
static const uint32_t *few_allowed(const Batch *b, const GemmaSession *s, int i) {
    if (!s->constraint.grammar || !transformer_prefers_some(&b->workspace)) return NULL;
    return constraint_few(&s->constraint, s->model->vocabulary, i).bits;
}

/* Finds what sampling needs of each of the session's rows. False where some of them need more than the best
 * logits. */
static bool want_best(const Batch *b, const GemmaSession *s, LogitsRows *rows) {
    if (s->asked_all) return false;
    for (int i = 0; i <= s->n_draft; i++) {
        int32_t *also = rows->also[rows->n + i];
        int n_before = s->n_tokens - s->n_draft + i, n_also;
        bool constrained = s->constraint.grammar != NULL;
        rows->few[rows->n + i] = few_allowed(b, s, i);
        if (rows->few[rows->n + i]) continue;
        int k = sampler_reach(&s->sampler, s->model->config.n_vocab, constrained, s->tokens, n_before,
            also, &n_also);
        if (!transformer_prefers_best(&b->workspace, k)) return false;
        rows->want[rows->n + i] = (ShortlistWant){k, also, n_also, b->media, b->n_media};
    }
    return true;
}

/* Gives the session the next rows, and copies its hidden states to where their logits are computed from. */
static void add_rows(Batch *b, GemmaSession *s, LogitsRows *rows) {
    Workspace *ws = &b->workspace;
    size_t n_embd = (size_t)ws->c->n_embd;
    s->logits = b->n_logits;
    s->logits_row = rows->n;
    s->whole_row = -1;
    s->other_sampling = s->asked_all = false;
    memcpy(ws->normed + (size_t)rows->n * n_embd, s->hidden,
        (size_t)(1 + s->n_draft) * n_embd * sizeof *s->hidden);
    rows->n += 1 + s->n_draft;
}

/* The logits of rows that want the best ones only, or few; those of rows that want the best come together. */
static void evaluate_best(Batch *b, const LogitsRows *rows, int n) {
    Workspace *ws = &b->workspace;
    for (int i = 0, end; i < n; i = end) {
        const float *x = ws->normed + (size_t)i * (size_t)ws->c->n_embd;
        for (end = i; end < n && !rows->few[end]; end++) {}
        if (end > i) transformer_best_logits(ws, x, rows->want + i, i, end - i);
        else transformer_some_logits(ws, x, rows->few[i], end++);
    }
}

static bool some_finite(const float *x, const uint32_t *bits, int n) {
    float zero = 0;
    for (int w = 0; w < (n + 31) / 32; w++)
        for (uint32_t left = bits[w]; left; left &= left - 1) zero += x[w * 32 + __builtin_ctz(left)] * 0.0f;
    return zero == 0;
}

static bool rows_finite(const Workspace *ws, const GemmaSession *s, const LogitsRows *rows) {
    int n_vocab = ws->c->n_vocab;
    for (int row = s->logits_row; row <= s->logits_row + s->n_draft; row++) {
        const float *x = ws->logits + (size_t)row * (size_t)n_vocab;
        const uint32_t *few = s->kept == KEPT_BEST ? rows->few[row] : NULL;
        if (!(few ? some_finite(x, few, n_vocab) : all_finite(x, n_vocab))) return false;
    }
    return true;
}

/* The logits of ready[n]: sessions whose last token has been evaluated, and whose hidden states are there.
 * Those of which sampling asks only the best ones come first, the others after them. */
static void evaluate_logits(Batch *b, GemmaSession *const *ready, int n) {
    Workspace *ws = &b->workspace;
    LogitsRows rows = {.n = 0};
    b->n_logits++;
    for (int i = 0; i < n; i++) {
        ready[i]->kept = want_best(b, ready[i], &rows) ? KEPT_BEST : KEPT_ALL;
        if (ready[i]->kept == KEPT_BEST) add_rows(b, ready[i], &rows);
    }
    int n_best = rows.n;
    for (int i = 0; i < n; i++)
        if (ready[i]->kept == KEPT_ALL) add_rows(b, ready[i], &rows);
    evaluate_best(b, &rows, n_best);
    if (rows.n > n_best) transformer_logits(ws, ws->normed + (size_t)n_best * (size_t)ws->c->n_embd, n_best,
        rows.n - n_best);
    for (int i = 0; i < n; i++) {
        GemmaSession *s = ready[i];
        if (rows_finite(ws, s, &rows)) continue;
        error_set(&s->failure, GEMMA_BAD_NUMBERS,
            "The model computed numbers that are not finite at token %d: "
            "its weights are damaged or not a Gemma's.", s->n_done - 1);
        s->n_done -= s->pass_n;     /* a repeated call fails in the same way */
        session_drop_draft(s);
    }
}

static void end_pass(Batch *b) {
    const Workspace *ws = &b->workspace;
    GemmaSession *ready[MAX_PARTS];
    int n_ready = 0;
    for (int i = 0; i < ws->n_parts; i++) {
        GemmaSession *s = b->sessions[i];
        const BatchPart *p = &ws->parts[i];
        if (!s) continue;
        s->pass = b->n_passes;
        s->pass_row = p->row;
        s->pass_n = p->n_tok;
        s->n_done += p->n_tok;
        size_t n_embd = (size_t)ws->c->n_embd, first = (size_t)(p->row + p->n_tok - 1 - s->n_draft);
        if (s->pooled) add_to_pool(s, ws->x + (size_t)p->row * n_embd, p->n_tok);
        if (session_pending(s) || s->pooled) continue;
        memcpy(s->hidden, ws->x + first * n_embd, (size_t)(1 + s->n_draft) * n_embd * sizeof *s->hidden);
        s->has_hidden = true;
        s->row = 0;
        ready[n_ready++] = s;
    }
    if (n_ready) evaluate_logits(b, ready, n_ready);
}

void gemma_step(GemmaModel *m, GemmaSession *const *sessions, int n, int n_batch, double seconds) {
    Batch *b = &m->batch;
    double start = clock_read(batch_clock(b));
    if (n < 1) return;
    choose_pass(b, sessions, n, n_batch, seconds);
    if (!b->workspace.n_rows) return;
    bool decoding = b->workspace.n_rows == 1, ended;
    if (b->workspace.layer == 0) b->pass_seconds = 0;
    pool_set_active(m->pool, decoding ? threads_of(m->pool, tuner_choice(&b->threads))
        : pool_threads(m->pool));
    ended = continue_pass(b, start + seconds);
    if (ended) end_pass(b);
    b->pass_seconds += clock_read(batch_clock(b)) - start;
    if (ended && decoding && b->pass_seconds > 0)
        tuner_report(&b->threads, batch_clock(b), b->pass_seconds, 1);
}

GemmaStatus gemma_session_left(const GemmaSession *s, double *left, GemmaError *err) {
    const Batch *b = &s->model->batch;
    const Workspace *ws = &b->workspace;
    if (s->failure.status != GEMMA_OK) {
        *err = s->failure;
        return err->status;
    }
    *left = session_pending(s);
    for (int i = 0; i < ws->n_parts && ws->n_rows; i++)
        if (b->sessions[i] == s) *left -= (double)ws->parts[i].n_tok * ws->layer / ws->c->n_layer;
    for (int i = 0; i < ws->parked.n_parts && ws->parked.n_rows; i++)
        if (b->parked[i] == s) *left -= (double)ws->parked.parts[i].n_tok * ws->parked.layer / ws->c->n_layer;
    return GEMMA_OK;
}

GemmaStatus gemma_session_step(GemmaSession *s, int n_batch, double seconds, double *left, GemmaError *err) {
    s->failure.status = GEMMA_OK;
    gemma_step(s->model, &s, 1, n_batch, seconds);
    return gemma_session_left(s, left, err);
}

/* ------------------------------------------------------------------------------------ logits */

/* Makes ws->logits' first row that of x[n_embd], which is the session's `row`. */
static const float *compute_logits(Batch *b, GemmaSession *s, const float *x) {
    transformer_logits(&b->workspace, x, 0, 1);
    s->logits = ++b->n_logits;
    s->logits_row = -s->row;
    s->kept = KEPT_ONE;
    s->whole_row = s->row;
    return b->workspace.logits;
}

const float *batch_logits(Batch *b, GemmaSession *s, bool all) {
    size_t row = (size_t)s->row, n_embd = (size_t)b->workspace.c->n_embd;
    if (!s->has_hidden) return NULL;
    bool there = s->logits == b->n_logits, whole = s->kept == KEPT_ALL || s->whole_row == s->row;
    if (!there || (s->kept == KEPT_ONE && !whole)) return compute_logits(b, s, s->hidden + row * n_embd);
    if (all && !whole) {
        transformer_logits(&b->workspace, s->hidden + row * n_embd, s->logits_row + s->row, 1);
        s->whole_row = s->row;
    }
    return b->workspace.logits + (size_t)(s->logits_row + s->row) * (size_t)b->workspace.c->n_vocab;
}

static int32_t sample_any(Batch *b, GemmaSession *s, float *logits) {
    for (int i = 0; i < b->n_media; i++) {
        b->media_logits[i] = logits[b->media[i]];
        logits[b->media[i]] = -INFINITY;
    }
    int32_t id = sampler_pick(&s->sampler, b->sampling, logits, s->tokens, s->n_tokens - s->n_draft);
    for (int i = 0; i < b->n_media; i++) logits[b->media[i]] = b->media_logits[i];
    return id;
}

/* For the sampler. */
static bool allows(void *context, int32_t id) {
    GemmaSession *s = context;
    return constraint_allows(&s->constraint, s->model->vocabulary, id);
}
static const uint32_t *all_allowed(void *context, const float **logits) {
    GemmaSession *s = context;
    *logits = batch_logits(&s->model->batch, s, true);
    return constraint_mask(&s->constraint, s->model->vocabulary).bits;
}

int32_t batch_sample(Batch *b, GemmaSession *s) {
    float *logits = (float *)batch_logits(b, s, s->other_sampling);     /* the workspace's */
    if (!s->constraint.grammar) return sample_any(b, s, logits);
    SamplerAllowed allowed = {s, allows, all_allowed, few_allowed(b, s, 0)};
    int32_t id = sampler_pick_allowed(&s->sampler, b->sampling, logits, s->tokens,
        s->n_tokens - s->n_draft, &allowed);
    return s->constraint.is_ambiguous ? GEMMA_NO_TOKEN : id;
}

const float *gemma_session_logits(GemmaSession *s) {
    s->asked_all = true;
    return batch_logits(&s->model->batch, s, true);
}

const float *gemma_session_logits_at(GemmaSession *s, int i) {
    Batch *b = &s->model->batch;
    if (s->pass != b->n_passes || b->workspace.n_rows || i < 0 || i >= s->pass_n) return NULL;
    session_drop_draft(s);
    size_t n_embd = (size_t)b->workspace.c->n_embd;
    memcpy(s->hidden, b->workspace.x + (size_t)(s->pass_row + i) * n_embd, n_embd * sizeof *s->hidden);
    s->has_hidden = true;
    s->row = 0;
    return compute_logits(b, s, s->hidden);
}

double gemma_session_nll(GemmaSession *s, int32_t id) {
    const float *x = gemma_session_logits(s);
    int n = s->model->config.n_vocab;
    double max = x[model_kernels()->argmax(x, n)], sum = 0;
    for (int i = 0; i < n; i++) sum += exp(x[i] - max);
    return max + log(sum) - x[id];
}

void gemma_session_logprobs(GemmaSession *s, int32_t id, GemmaLogprob *of_id, GemmaLogprob *best, int n) {
    assert(n <= GEMMA_MAX_LOGPROBS);
    const float *x = gemma_session_logits(s);
    int n_vocab = s->model->config.n_vocab, n_best = 0;
    double max = x[model_kernels()->argmax(x, n_vocab)], sum = 0;
    for (int i = 0; i < n_vocab; i++) {
        sum += exp(x[i] - max);
        if (n == 0 || (n_best == n && !(x[i] > best[n - 1].logprob))) continue;
        int at = n_best < n ? n_best++ : n - 1;
        for (; at > 0 && x[i] > best[at - 1].logprob; at--) best[at] = best[at - 1];
        best[at] = (GemmaLogprob){i, x[i]};
    }
    double log_sum = max + log(sum);
    for (int i = 0; i < n; i++) best[i] = i < n_best ? (GemmaLogprob){
        best[i].id, (float)(best[i].logprob - log_sum)} : (GemmaLogprob){GEMMA_NO_TOKEN, -INFINITY};
    *of_id = (GemmaLogprob){id, id >= 0 && id < n_vocab ? (float)(x[id] - log_sum) : -INFINITY};
}

GemmaStatus gemma_session_embedding(const GemmaSession *s, float *vector, GemmaError *err) {
    int n = s->model->config.n_embd;
    if (!s->pooled || !s->n_pooled || session_pending(s))
        return error_set(err, GEMMA_BAD_ARGUMENT,
            "This session has no embedding: it must pool, and all its tokens must be evaluated.");
    double square = 0;
    for (int i = 0; i < n; i++) square += s->pooled[i] * s->pooled[i];
    if (!isfinite(square)) return error_set(err, GEMMA_BAD_NUMBERS,
        "The model computed hidden states that are not finite numbers.");
    for (int i = 0; i < n; i++) vector[i] = square > 0 ? (float)(s->pooled[i] / sqrt(square)) : 0;
    return GEMMA_OK;
}

/* ------------------------------------------------------------------- costs, and what goes into matrices */

void gemma_profile(GemmaModel *m) {
    Ops *ops = &m->batch.workspace.ops;
    ops->profiling = true;
    memset(ops->cost, 0, sizeof ops->cost);
}

bool gemma_cost(const GemmaModel *m, int i, GemmaCost *cost) {
    if (i < 0 || i >= OP_KINDS) return false;
    const OpCost *c = &m->batch.workspace.ops.cost[i];
    *cost = (GemmaCost){op_name[i], c->seconds, c->calls, c->bytes, c->macs};
    return true;
}

static void stop_observing(Batch *b) {
    free(b->observed);
    free(b->squares);
    b->observed = b->workspace.ops.observed = NULL;
    b->squares = NULL;
    b->workspace.ops.n_observed = 0;
}

GemmaStatus gemma_observe(GemmaModel *m, GemmaError *err) {
    const Weights *w = &m->weights;
    Batch *b = &m->batch;
    stop_observing(b);
    size_t n_cols = model_observed_columns(m);
    b->observed = calloc((size_t)w->n_slots, sizeof *b->observed);
    b->squares = calloc(n_cols, sizeof *b->squares);
    if (!b->observed || !b->squares) {
        stop_observing(b);
        return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for sums over %llu columns.",
            (unsigned long long)n_cols);
    }
    Ops *ops = &b->workspace.ops;
    double *at = b->squares;
    for (int i = 0; i < w->n_slots; i++) {
        const WeightSlot *slot = &w->slots[i];
        if (!model_is_observed(m, slot)) continue;
        b->observed[ops->n_observed++] = (OpsObserved){.w = slot->matrix, .squares = at};
        at += slot->n_cols;
    }
    ops->observed = b->observed;
    return GEMMA_OK;
}

bool gemma_observed(const GemmaModel *m, int i, GemmaObserved *observed) {
    const Ops *ops = &m->batch.workspace.ops;
    if (i < 0 || i >= ops->n_observed) return false;
    const OpsObserved *o = &m->batch.observed[i];
    const WeightSlot *slot = m->weights.slots;
    while (slot->matrix != o->w) slot++;
    *observed = (GemmaObserved){slot->name, o->n_tok, o->w->n_cols, o->squares};
    return true;
}
