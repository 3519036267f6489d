/* session.c: one timeline: the tokens, how many of them the cache holds, and the next one. Decides what is
 * evaluated again; batch.c decides when. */
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"

uint64_t session_bytes(const Config *c, int n_ctx, GemmaPrecision precision) {
    uint64_t hidden = (1 + GEMMA_MAX_DRAFT) * (uint64_t)c->n_embd * sizeof(float);
    return sizeof(GemmaSession) + kv_cache_bytes(c, n_ctx, precision)
        + (uint64_t)n_ctx * sizeof(int32_t) + hidden;
}

GemmaSession *gemma_session_new(GemmaModel *m, int n_ctx, GemmaError *err) {
    int most = m->config.n_ctx_train;
    if (n_ctx < 1 || n_ctx > most) {
        error_set(err, GEMMA_BAD_ARGUMENT, "A context of %d tokens was asked for; this model takes 1 to %d.",
            n_ctx, most);
        return NULL;
    }
    void *spare = memory_spare();
    GemmaSession *s = spare ? calloc(1, sizeof *s) : NULL;
    if (s) {
        s->model = m;
        s->n_ctx = n_ctx;
        s->tokens = malloc((size_t)n_ctx * sizeof *s->tokens);
        s->hidden = malloc((1 + GEMMA_MAX_DRAFT) * (size_t)m->config.n_embd * sizeof *s->hidden);
        sampler_init(&s->sampler);
        if (s->tokens && s->hidden && ops_fit(&m->batch.workspace.ops, n_ctx) &&
            kv_cache_new(&s->cache, &m->config, n_ctx, m->options.precision)) {
            free(spare);
            return s;
        }
    }
    gemma_session_free(s);
    free(spare);
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for a context of %d tokens: %llu MB are needed.",
        n_ctx,
              (unsigned long long)(session_bytes(&m->config, n_ctx, m->options.precision) >> 20));
    return NULL;
}

void gemma_session_free(GemmaSession *s) {
    if (!s) return;
    batch_forget(&s->model->batch, s);
    constraint_end(&s->constraint);
    kv_cache_free(&s->cache);
    free(s->tokens);
    free(s->hidden);
    free(s->pooled);
    free(s);
}

void session_drop_draft(GemmaSession *s) {
    batch_forget(&s->model->batch, s);
    constraint_trim_draft(&s->constraint, 0);
    s->n_tokens -= s->n_draft;
    if (s->n_done > s->n_tokens) s->n_done = s->n_tokens;
    s->n_draft = 0;
}

int gemma_session_count(const GemmaSession *s) { return s->n_tokens - s->n_draft; }
const int32_t *gemma_session_tokens(const GemmaSession *s) { return s->tokens; }
int gemma_session_context(const GemmaSession *s) { return s->n_ctx; }

static GemmaStatus check_id(const GemmaSession *s, int32_t id, GemmaError *err) {
    int n_vocab = s->model->config.n_vocab;
    if (id >= 0 && id < n_vocab) return GEMMA_OK;
    return error_set(err, GEMMA_BAD_ARGUMENT, "Token id %d is outside the vocabulary of %d.",
        (int)id, n_vocab);
}

GemmaStatus gemma_session_sync(GemmaSession *s, const int32_t *ids, int n, int *n_kept, GemmaError *err) {
    if (n < 1) return error_set(err, GEMMA_BAD_ARGUMENT, "A sequence needs at least one token.");
    if (n > s->n_ctx) return error_set(err, GEMMA_CONTEXT_FULL,
        "The prompt has %d tokens, the context holds %d.", n, s->n_ctx);
    for (int i = 0; i < n; i++) {
        if (check_id(s, ids[i], err) != GEMMA_OK) return err->status;
    }
    session_drop_draft(s);
    constraint_end(&s->constraint);
    s->failure.status = GEMMA_OK;
    int same = 0, most = s->n_done < n - 1 ? s->n_done : n - 1;
    while (same < most && s->tokens[same] == ids[same]) same++;
    s->n_done = kv_cache_rewind(&s->cache, s->pooled ? 0 : same);     /* the sum takes all tokens */
    s->n_pooled = 0;
    memmove(s->tokens, ids, (size_t)n * sizeof *ids);
    s->n_tokens = n;
    if (n_kept) *n_kept = s->n_done;
    return GEMMA_OK;
}

GemmaStatus gemma_session_pool(GemmaSession *s, GemmaError *err) {
    if (!s->pooled) s->pooled = calloc((size_t)s->model->config.n_embd, sizeof *s->pooled);
    s->n_pooled = 0;
    return s->pooled ? GEMMA_OK : error_set(err, GEMMA_NO_MEMORY,
        "Not enough memory for the sum of a text's hidden states.");
}

GemmaStatus gemma_session_push(GemmaSession *s, int32_t id, GemmaError *err) {
    if (check_id(s, id, err) != GEMMA_OK) return err->status;
    session_drop_draft(s);
    if (s->n_tokens == s->n_ctx)
        return error_set(err, GEMMA_CONTEXT_FULL, "The context of %d tokens is full.", s->n_ctx);
    if (s->constraint.grammar && !constraint_push(&s->constraint, s->model->vocabulary, id, false))
        return error_set(err, GEMMA_BAD_ARGUMENT,
            "Token %d does not fit the session's constraint at token %d.", (int)id, s->n_tokens);
    s->tokens[s->n_tokens++] = id;
    return GEMMA_OK;
}

GemmaStatus gemma_session_draft(GemmaSession *s, const int32_t *ids, int n, GemmaError *err) {
    if (n < 0 || session_pending(s) != 1)
        return error_set(err, GEMMA_BAD_ARGUMENT,
            "A draft needs exactly one token that waits to be evaluated; there are %d.", session_pending(s));
    batch_forget(&s->model->batch, s);
    if (n > GEMMA_MAX_DRAFT) n = GEMMA_MAX_DRAFT;
    if (n > s->n_ctx - s->n_tokens) n = s->n_ctx - s->n_tokens;
    for (int i = 0; i < n; i++) {
        if (check_id(s, ids[i], err) != GEMMA_OK) return err->status;
    }
    if (s->constraint.grammar) {
        int fits = 0;
        while (fits < n && constraint_push(&s->constraint, s->model->vocabulary, ids[fits], true)) fits++;
        n = fits;
    }
    memcpy(s->tokens + s->n_tokens, ids, (size_t)n * sizeof *ids);
    s->n_tokens += n;
    s->n_draft = n;
    return GEMMA_OK;
}

bool gemma_session_accept(GemmaSession *s, int32_t id) {
    bool right = s->n_draft > 0 && session_pending(s) == 0 && s->tokens[s->n_tokens - s->n_draft] == id;
    if (right) {
        if (s->constraint.grammar) constraint_accept(&s->constraint);
        s->n_draft--;
        s->row++;
    } else {
        session_drop_draft(s);
    }
    return right;
}

GemmaStatus gemma_session_sampling(GemmaSession *s, const GemmaSampling *params, GemmaError *err) {
    s->other_sampling = true;
    return sampler_set(&s->sampler, params, err);
}

GemmaStatus gemma_session_bias(GemmaSession *s, int32_t id, float bias, GemmaError *err) {
    if (check_id(s, id, err) != GEMMA_OK) return err->status;
    s->other_sampling = true;
    return sampler_bias(&s->sampler, id, bias, err);
}

/* ------------------------------------------------------------------------------------ constraints */

GemmaStatus session_constrain(GemmaSession *s, GemmaGrammar *grammar, int begin, GemmaError *err) {
    GemmaModel *m = s->model;
    if (!grammar && !s->constraint.grammar) return GEMMA_OK;
    session_drop_draft(s);
    constraint_end(&s->constraint);
    s->other_sampling = true;
    if (!grammar) return GEMMA_OK;
    if (!m->tokenizer) return error_set(err, GEMMA_UNSUPPORTED,
        "A model of random weights has no vocabulary, so its text can't be constrained.");
    if (!m->vocabulary) m->vocabulary = text_tokens_new(m->tokenizer, m->config.n_vocab, err);
    if (!m->vocabulary) return err->status;
    if (!constraint_begin(&s->constraint, grammar, m->vocabulary, begin))
        return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for a session's constraint.");
    return GEMMA_OK;
}

GemmaStatus gemma_session_constrain(GemmaSession *s, GemmaGrammar *grammar, GemmaError *err) {
    return session_constrain(s, grammar, gemma_session_count(s), err);
}

GemmaConstraint gemma_session_constraint(const GemmaSession *s, int32_t next) {
    return constraint_place(&s->constraint, s->model->vocabulary, next);
}

int gemma_session_forced(const GemmaSession *s, int32_t *ids, int cap) {
    return s->constraint.grammar ? constraint_forced(&s->constraint, s->model->tokenizer, ids, cap) : 0;
}

int32_t gemma_session_sample(GemmaSession *s) {
    return batch_sample(&s->model->batch, s);
}
