/* ops.h: tensor operations: a kernel spread over the pool's threads. A result never depends on how the work
 * was shared. Knows matrices and arrays, not which model they belong to. */
#ifndef OPS_H
#define OPS_H

#include "clock.h"
#include "gemma.h"
#include "kernels/kernels.h"
#include "pool.h"
#include "tuner.h"

/* What operations have cost: matmuls by the kind of their panels, then the others. */
enum {
    OP_EMBED = PANEL_KINDS, OP_NORM, OP_QUANTIZE, OP_ROPE, OP_STORE_KV, OP_ATTENTION, OP_GEGLU,
        OP_ADD, OP_SOFTCAP,
    OP_SCREEN, OP_SHORTLIST, OP_KINDS
};
extern const char *const op_name[OP_KINDS];

typedef struct {
    double seconds;
    uint64_t calls;
    uint64_t bytes;             /* of weights */
    uint64_t macs;              /* multiplications, of matmuls and attention */
} OpCost;

/* What has gone into a matrix while observing. */
typedef struct {
    const Matrix *w;
    uint64_t n_tok;
    double *squares;            /* [w->n_cols]: of each column of the input the sum of its squares */
} OpsObserved;

/* The largest inputs that there will be. */
typedef struct {
    int n_tok, n_cols;          /* of a matmul */
    int n_head, head_dim;       /* of attention */
} OpsLimits;

typedef struct {
    OpsLimits most;
    const Kernels *kernels;
    Pool *pool;                 /* borrowed */
    GemmaPrecision precision;
    Clock clock;                /* that tuning and the profile go by */
    uint8_t *scratch;           /* a part for each thread */
    size_t scratch_stride;
    ActBlock *acts;             /* [max_tok, max_cols / 32]: the quantised input of a matmul */
    float *parts;               /* attention of one token by several threads, over contexts of up to n_pos */
    int n_pos;
    Tuner streams;              /* tiles that one token's matmuls walk together: 1 << choice; for the time of
                                 * a byte */
    uint64_t tuning_bytes;      /* of the largest such matmul */
    bool profiling;
    OpCost cost[OP_KINDS];      /* added to while profiling */
    OpsObserved *observed;      /* [n_observed], borrowed: the matrices whose inputs ops_matmul adds up. NULL:
                                 * not observing */
    int n_observed;
} Ops;

/* Bytes that ops_new and ops_fit allocate. */
uint64_t ops_bytes(int n_threads, const OpsLimits *most, int n_pos);
/* False when memory is short. */
bool ops_new(Ops *ops, const Kernels *kernels, Pool *pool, GemmaPrecision precision, const OpsLimits *most);
/* Makes sure that attention over a context of n_pos is possible. False when memory is short; then nothing has
 * changed. */
bool ops_fit(Ops *ops, int n_pos);
void ops_free(Ops *ops);

/* x[i] = w[ids[i]] * scale, x[n_tok, w->n_cols] */
void ops_embed(Ops *ops, const Matrix *w, const int32_t *ids, int n_tok, float scale, float *x);

/* One matrix of a matmul and its result y[n_tok, w->n_rows]. */
typedef struct {
    const Matrix *w;
    float *y;
} MatmulTerm;
enum { OPS_MAX_TERMS = 3 };

/* terms[i].y = x * terms[i].w^T for up to OPS_MAX_TERMS matrices of equal n_cols: x[n_tok, n_cols] is
 * quantised once and the matrices' rows are shared out together. */
void ops_matmul(Ops *ops, const float *x, int n_tok, const MatmulTerm *terms, int n_terms);

/* For shortlist.c: the quantised x[n_tok, n] in ops->acts, a thread's scratch for one kernel, and a cost
 * added while profiling. */
void ops_quantize(Ops *ops, const float *x, int n_tok, int n);
void *ops_scratch(const Ops *ops, int thread);
void ops_count(Ops *ops, int op, double seconds, uint64_t bytes, uint64_t macs);

/* Records that a matmul of one token over this many bytes took `seconds` with the current number of streams.
 * The largest, the output head, show how fast the memory is. */
void ops_tune(Ops *ops, uint64_t bytes, double seconds);

/* y[n_rows, n] = RMSNorm of each row of x[n_rows, n]; y may be x. */
void ops_rms_norm(Ops *ops, const float *x, const float *weight, float *y, int n_rows, int n, float eps);

/* Rotates x[n_tok, n_head * head_dim] in place; cos_sin[n_tok, head_dim]. */
void ops_rope(Ops *ops, float *x, int n_tok, int n_head, int head_dim, const float *cos_sin);

/* Rows [row, row + n_tok) of a batch are positions pos .. pos + n_tok - 1 of one sequence, whose keys and
 * values lie in a cache's blocks. */
typedef struct {
    uint8_t *const *blocks;     /* [n_blocks], see KvLayer */
    int n_blocks;
    int row, n_tok, pos;
} OpsSequence;
enum { OPS_MAX_SEQUENCES = 16 };

/* A batch's attention: what all its sequences share. Rows of no sequence are left out. */
typedef struct {
    const OpsSequence *sequences;   /* [n_sequences], at most OPS_MAX_SEQUENCES */
    int n_sequences;
    const float *q;             /* [n_tok, n_head * head_dim] */
    const float *k, *v;         /* [n_tok, n_head_kv * head_dim] */
    float *out;                 /* [n_tok, n_head * head_dim] */
    int n_head, n_head_kv, head_dim;
    int window;
    float scale, softcap;
} OpsAttention;
/* A block of a cache has, for one K/V head after the other, the following bytes: k[ATTN_BLOCK][head_dim] and
 * v[ATTN_BLOCK][head_dim] as halves or (exact) floats, or what kernels/kv8.h says. */
size_t ops_kv_head_bytes(int head_dim, GemmaPrecision precision);
/* k and v go to the caches. */
void ops_store_kv(Ops *ops, const OpsAttention *a);
/* out = attention of q over what the caches hold. */
void ops_attention(Ops *ops, const OpsAttention *a);

/* gate[n_tok, n] = gelu(gate) * up */
void ops_geglu(Ops *ops, float *gate, const float *up, int n_tok, int n);
/* y[n_tok, n] += x */
void ops_add(Ops *ops, float *y, const float *x, int n_tok, int n);
/* x[n] = cap * tanh(x / cap) */
void ops_softcap(Ops *ops, float *x, int n, float cap);

#endif
