/* session.h: what one timeline consists of; shared by the files that change it (session.c), evaluate it
 * (batch.c) and copy it (snapshot.c). */
#ifndef SESSION_H
#define SESSION_H

#include "constraint.h"
#include "kv_cache.h"
#include "model.h"
#include "sampler.h"

/* Which of a session's rows have logits: none but whole_row; those that sampling needs of all rows; all of
 * all rows. */
typedef enum { KEPT_ONE, KEPT_BEST, KEPT_ALL } LogitsKept;

struct GemmaSession {
    GemmaModel *model;          /* borrowed */
    KvCache cache;
    Sampler sampler;
    int32_t *tokens;            /* [n_ctx] */
    int n_ctx;
    int n_tokens;               /* the whole sequence, the draft at its end included */
    int n_done;                 /* evaluated: the cache holds [0, n_done) */
    int n_draft;                /* draft tokens at the end */
    Constraint constraint;      /* of tokens from constraint.begin on */
    GemmaError failure;         /* why the last step did not evaluate this session; GEMMA_OK: it did */

    float *hidden;              /* [1 + GEMMA_MAX_DRAFT, n_embd]: final hidden states of the last token that
                                 * is no draft, and of the draft */
    bool has_hidden;
    int row;                    /* of hidden, that is the current one */
    uint64_t logits;            /* when the workspace's logits were this session's; see Batch.n_logits */
    int logits_row;             /* where in them those of hidden's first row lie */
    LogitsKept kept;
    int whole_row;              /* of hidden, whose logits are all there in any case; -1: none */
    bool asked_all;             /* someone asked for all logits of this token, and so may for those of the
                                 * next */
    bool other_sampling;        /* since then: now it may need others */

    double *pooled;             /* [n_embd]: while pooling, the sum of the final hidden states of n_pooled
                                 * tokens. NULL: not pooling */
    int n_pooled;

    uint64_t pass;              /* the last that this session was part of; see Batch.n_passes */
    int pass_row, pass_n;       /* its rows in it */
};

static inline int session_pending(const GemmaSession *s) { return s->n_tokens - s->n_done; }

/* Forgets a draft, and a pass that is under way. What they left in the cache is written over: rings can go
 * back further than that. */
void session_drop_draft(GemmaSession *s);

/* See gemma_session_constrain; the text begins at token `begin`. */
GemmaStatus session_constrain(GemmaSession *s, GemmaGrammar *grammar, int begin, GemmaError *err);

/* Bytes of a session of n_ctx when its cache is full. */
uint64_t session_bytes(const Config *c, int n_ctx, GemmaPrecision precision);

#endif
