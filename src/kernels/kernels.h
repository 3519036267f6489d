/* kernels.h: the contract of every kernel: formula, shapes, aliasing, exactness. A variant is a function
 * named after its ISA (op_scalar, op_simd128, op_relaxed) in the file of that ISA, and a line in kernels.inc.
 * Kernels know panels and plain arrays: no tensors, threads or models. Arrays never overlap unless said; last
 * index fastest; n_* are counts of elements.
 *
 * Exactness. scalar.c defines every op. For quantised matrices the integer dot products are bit-exact in all
 * variants; floats agree to rounding. Inside one variant a row's result does not depend on how many rows or
 * tokens are computed in one call: all paths add the blocks of a row in ascending order with the same
 * operations.
 *
 * Instructions. Vectors have 16 bytes everywhere, so what counts is how much one instruction does. The
 * relaxed dot product of bytes is one on ARM (SDOT: all of ARMv8.2) and on x86 with AVX-VNNI; other x86 has
 * its half in one (PMADDUBSW), for which relaxed16 is there. An i32 lane is a row of the panel, so no kernel
 * sums across lanes, which is slow on both; f32 sums use the fused multiply-add that both have. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stdbool.h>
#include "panel.h"

/* y[n_tok][row] = sum over k of w[row][k] * x[n_tok][k], for the rows of tiles [tile, tile + n_tiles).
 *
 * x: quantised kinds read ActBlock[n_cols / 32] a token, float kinds float[n_cols] a token; x_stride bytes
 * from token to token. y: y[t * y_stride + row], y_stride in floats; `row` counts from the matrix's first
 * row. Rows of the last tile's padding are not written. scratch: MATMUL_SCRATCH bytes, 16-byte aligned, the
 * caller's own.
 *
 * Quantised kinds, per block b of 32 columns (per 16 in P3K and P6K), with isum = sum of q_w * q_x, where q_w
 * has the code's offset in it (in P4N: is the table's value):
 *     y += float(isum) * (s * x_scale)   and, with a minimum,   y += m * (float(sum q_x) * x_scale)
 * where s, m are f16e bits read as f32 (times an exact integer sub-scale in the K families). P2K sums up both
 * groups in integers:
 *     y += float(sum of sub-scale * isum) * (d * x_scale)   and
 *     y -= dmin * (float(sum of sub-min * sum q_x) * x_scale) */
typedef void MatmulKernel(const Matrix *w, int tile, int n_tiles, const void *x, size_t x_stride, int n_tok,
                          float *y, size_t y_stride, void *scratch);
enum { MATMUL_SCRATCH = 128 << 10 };

/* For a P8 matrix, upper bounds from the first plane alone: y[t * y_stride + row] = mean + 6 * sigma. The
 * four bits of each weight that are not read are taken as random: 0..15, with mean 7.5 and variance 85/4. So
 *     mean    = 16 * sum over blocks of s * x_scale * isum,
 *               isum = sum of (upper code - 8) * q_x, plus 7.5/16 of the sum of q_x
 *     sigma^2 = sum over blocks of (s * x_scale)^2 * 85/4 * sum q_x^2
 * (7.5/16 of a sum is rounded to an integer: an error of 8 beside a sigma of 584 and more.) With random bits,
 * a row lies above its bound in one case of 10^9. Weights are not random, but their last bits nearly are. */
static inline int screen_middle(const ActBlock *x) { return (15 * (x->sum[0] + x->sum[1]) + 16) >> 5; }
/* Of (6 * sigma / 16)^2 for a step of 1. */
static inline float screen_variance(const ActBlock *x) {
    return 0.375f * 0.375f * 21.25f * (float)x->squares;
}

enum { ATTN_BLOCK = 64, ATTN_MAX_QUERIES = 128, ATTN_MAX_HEAD_DIM = 512 };

/* The attention of n_tok consecutive tokens and the n_q query heads that share one K/V head.
 *
 *     out[t][h] = sum_p softmax_p(score(t, h, p)) * v[p],   score = cap(scale * q[t][h] . k[p])
 *     p from max(0, pos + t - window + 1) (0 without a window) to pos + t;
 *     cap(s) = softcap * tanh(s / softcap), if softcap > 0
 *
 * Softmax over each block of ATTN_BLOCK positions (that start at multiples of ATTN_BLOCK) gives a part: the
 * weighted mean of its values, but for the division by the sum of weights; parts are merged in ascending
 * order. So a query's result does not depend on n_tok or n_q.
 *
 * The cache consists of blocks: block b has positions [64 b, 64 b + 64) and lies at blocks[b % n_blocks]. In
 * it, at head_at, are this K/V head's keys k[ATTN_BLOCK][head_dim] and after them its values
 * v[ATTN_BLOCK][head_dim], as halves.
 *
 * With in_bytes set, a head's keys and values are a block of kv8.h. Queries become bytes as activations do
 * (`quantize`), and of each part the weights times the scales of their positions, too; then both products are
 * sums of integers, exact in every variant. */
typedef struct {
    const float *q;             /* q[t * q_stride + h * head_dim + i] */
    float *out;                 /* the same layout */
    size_t q_stride;            /* floats */
    int n_tok, n_q, head_dim;   /* head_dim a multiple of 4, at most ATTN_MAX_HEAD_DIM; n_tok * n_q <=
                                 * ATTN_MAX_QUERIES */
    uint8_t *const *blocks;     /* [n_blocks], 16-byte aligned; those without a position that a query sees may
                                 * be NULL */
    int n_blocks;
    size_t head_at;             /* bytes */
    bool in_bytes;              /* head_dim is then a multiple of 32 */
    int pos;                    /* position of token 0 */
    int window;                 /* 0: none */
    float scale, softcap;
} AttendArgs;
/* The first block that the first token looks at, and how many blocks it is to its own. */
static inline int attend_first_block(const AttendArgs *a) {
    return a->window > 0 && a->pos + 1 > a->window ? (a->pos + 1 - a->window) / ATTN_BLOCK : 0;
}
static inline int attend_n_blocks(const AttendArgs *a) {
    return a->pos / ATTN_BLOCK + 1 - attend_first_block(a);
}
/* What lies at head_at of the block that holds `pos`. */
static inline const void *attend_head_at(const AttendArgs *a, int pos) {
    return a->blocks[pos / ATTN_BLOCK % a->n_blocks] + a->head_at;
}
/* Floats of a part: out[head_dim] = sum of exp(score - max) * v, then max, the sum of exp(score - max), and
 * two of padding. */
static inline int attend_part_floats(const AttendArgs *a) { return a->head_dim + 4; }
enum { ATTEND_SCRATCH = (2 * ATTN_BLOCK * ATTN_MAX_HEAD_DIM + ATTN_MAX_QUERIES * (ATTN_BLOCK + 16)) * 4 };

#define QUANTIZE_TINY 0x1p-100f

typedef struct {
    const char *name;           /* "scalar", "simd128", "relaxed", "relaxed16" */

    MatmulKernel *matmul[PANEL_KINDS];
    MatmulKernel *screen;

    /* out[n / 32] = x[n] as int8, blocks of 32: scale = max|x| / 127, q = x * (127 / max|x|) rounded to
     * nearest, ties to even: the same bytes in all variants. n % 32 == 0. A block with max|x| < QUANTIZE_TINY
     * counts as zeros (127 / max must be finite); one with an infinity or a NaN gets zeros and a scale that
     * is not finite, so that every product with it is NaN. */
    void (*quantize)(const float *x, ActBlock *out, int n);

    /* y = x / sqrt(mean(x^2) + eps) * weight. y may be x. (RMSNorm, arXiv 1910.07467; weight holds Gemma's 1
     * + w.) */
    void (*rms_norm)(const float *x, const float *weight, float *y, int n, float eps);

    /* Rotates, in place, the pairs (x[i], x[i + head_dim / 2]) of each of n_head heads by the angle whose
     * cosine and sine are cos_sin[i], cos_sin[head_dim / 2 + i]: the half-split (NEOX) form of RoPE, arXiv
     * 2104.09864. */
    void (*rope)(float *x, int n_head, int head_dim, const float *cos_sin);

    /* out = attention, see AttendArgs. scratch: ATTEND_SCRATCH bytes, 16-byte aligned. */
    void (*attend)(const AttendArgs *a, void *scratch);

    /* The same for one token (n_tok = 1), by several threads: the parts of blocks [begin, end), counted from
     * attend_first_block, for each of n_q queries: parts[block][n_q][attend_part_floats]; then all of them
     * merged to out. Gives the bits that attend gives. */
    void (*attend_blocks)(const AttendArgs *a, int begin, int end, float *parts, void *scratch);
    void (*attend_merge)(const AttendArgs *a, const float *parts);

    /* gate[n] = gelu(gate) * up, gelu(x) = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))): GeGLU, arXiv
     * 2002.05202. */
    void (*geglu)(float *gate, const float *up, int n);

    /* y[n] += x[n] */
    void (*add)(float *y, const float *x, int n);

    /* x[n] = cap * tanh(x / cap) */
    void (*softcap)(float *x, int n, float cap);

    /* out[n] = x[n] as f16, round to nearest even, overflow to infinity. */
    void (*to_f16)(const float *x, uint16_t *out, int n);

    /* The index of the largest x, the lowest one on ties; NaN is never chosen (0 when all are NaN). */
    int (*argmax)(const float *x, int n);
} Kernels;

/* kernels_scalar, kernels_simd128, ... */
#define KERNEL_SET(name) extern const Kernels kernels_##name;
#include "kernels.inc"

/* The yardstick behind --exact, one for all variants (scalar.c): no quantised activations, no f16 cache. */

/* sum over k of w[k] * x[k], in double. */
float dot_exact(const float *w, const float *x, int n);
/* attend with keys and values as floats. */
void attend_exact(const AttendArgs *a);

#endif
