/* model.h: what a loaded checkpoint is made of; shared by the files that build one (loader.c, random.c) and
 * those that use it. */
#ifndef MODEL_H
#define MODEL_H

#include "batch.h"
#include "chat.h"
#include "config.h"
#include "constraint.h"
#include "kernels/kernels.h"
#include "pool.h"
#include "tokenizer.h"
#include "weights.h"

struct GemmaModel {
    char *name;             /* general.name */
    uint8_t *header;        /* the file's bytes up to its first tensor; the tokenizer's pieces lie in it.
                             * NULL: made of a shape */
    Gguf gguf;
    Config config;
    Weights weights;
    Tokenizer *tokenizer;   /* NULL: its weights are random */
    TextTokens *vocabulary; /* NULL until a session is constrained */
    Chat chat;
    GemmaOptions options;
    Pool *pool;             /* NULL until the weights are allocated */
    Batch batch;
    GemmaPlan plan;
};

/* Config, the list of weights, name, chat and plan, from gguf: a header or the beginning of one. */
GemmaStatus model_plan(GemmaModel *m, GemmaError *err);
/* The same from a shape. `type`: of most weights, NULL where the size of the file tells. */
GemmaStatus model_plan_shape(GemmaModel *m, const GemmaShape *shape, const QuantInfo *type, GemmaError *err);
/* Forgets all of these, and gguf. */
void model_forget_plan(GemmaModel *m);

/* Bytes before the first tensor; of a shape, or a header's beginning, about. */
uint64_t model_header_bytes(const GemmaModel *m);

/* Allocates the weights and the workspace, and starts the threads. */
GemmaStatus model_allocate(GemmaModel *m, const GemmaOptions *options, GemmaError *err);

/* Bytes that model and session need, beside the header. */
uint64_t model_need(const GemmaModel *m, const GemmaOptions *options, int n_ctx);

/* Fills the weights with random ones. */
GemmaStatus model_fill(GemmaModel *m, GemmaError *err);

/* A matrix in a layer: what goes into these is observed where that is asked for (gemma_observe). */
bool model_is_observed(const GemmaModel *m, const WeightSlot *slot);
/* Columns of all of them, and the bytes that sums over these take. */
size_t model_observed_columns(const GemmaModel *m);
uint64_t model_observer_bytes(const GemmaModel *m);

/* The kernels that this module was linked with. */
const Kernels *model_kernels(void);

#endif
