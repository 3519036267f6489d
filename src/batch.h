/* batch.h: which rows of which sessions are evaluated next: forms batches of the sessions that have tokens
 * pending, runs their passes in slices, and gives each session its final hidden states and, until those of
 * others replace them, its logits. One for a model. Knows sessions and the forward pass; not what tokens mean
 * or how they are sampled. */
#ifndef BATCH_H
#define BATCH_H

#include "sampler.h"
#include "transformer.h"
#include "tuner.h"

typedef struct {
    Workspace workspace;
    SamplerScratch *sampling;
    const int32_t *media;               /* [n_media]: tokens that are never sampled; borrowed from the
                                         * tokenizer */
    int n_media;
    float *media_logits;                /* [n_media]: theirs, while others are chosen from */
    GemmaSession *sessions[MAX_PARTS];  /* of each part of the pass under way; NULL: given up */
    GemmaSession *parked[MAX_PARTS];    /* and of the one that waits */
    bool is_long;                       /* the pass under way was sized with no decoding session waiting for
                                         * it */
    int turn;                           /* begins the next batch: of more sessions than fit, others come first
                                         * each time */
    uint64_t n_passes;                  /* begun or resumed so far; see GemmaSession.pass */
    uint64_t n_logits;                  /* times that the workspace's logits were computed; see
                                         * GemmaSession.logits */
    double pass_seconds;                /* that the pass under way has taken; below 0: not known */
    double row_seconds;                 /* what a row of the last large batches cost in a layer; 0: not known
                                         * yet */
    ClockSum row_sum;
    Tuner threads;                      /* with how many to evaluate one row; see threads_of */
    OpsObserved *observed;              /* the workspace's, while observing; and what they point to */
    double *squares;
} Batch;

/* Bytes that batch_new allocates, for contexts of up to n_ctx. */
uint64_t batch_bytes(const Config *c, int n_ctx, int n_threads);
/* False when memory is short; *b is then empty. */
bool batch_new(Batch *b, GemmaModel *m);
void batch_free(Batch *b);

/* Takes the session out of a pass that is under way. */
void batch_forget(Batch *b, const GemmaSession *s);

/* The logits [n_vocab] of the session's current row, valid until the next step or call of any session; NULL
 * before its first step. All of them, or with `all` false maybe only those that its sampler needs. */
const float *batch_logits(Batch *b, GemmaSession *s, bool all);

/* See gemma_session_sample. */
int32_t batch_sample(Batch *b, GemmaSession *s);

#endif
