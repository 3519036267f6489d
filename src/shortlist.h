/* shortlist.h: the largest products of a matrix with some vectors, for little more than half of the matrix's
 * bytes. The first plane of 8-bit codes tells a bound for each row; rows whose bound is above what the k-th
 * largest product is at least are then multiplied whole. All vectors are screened together, then each has its
 * own rows multiplied. A vocabulary has 262,144 rows, of which a sampler wants the best few. Knows matrices,
 * not what they mean. */
#ifndef SHORTLIST_H
#define SHORTLIST_H

#include "ops.h"

enum { SHORTLIST_MOST = 8 };    /* vectors at once */

typedef struct {
    float *bound;           /* [SHORTLIST_MOST, n_tiles]: the largest of a tile's bounds; -INFINITY once the
                             * tile was multiplied */
    int32_t *tiles;         /* [n_tiles]: those to multiply */
    float *sorting;         /* [n_tiles] */
} Shortlist;

uint64_t shortlist_bytes(int n_rows);
/* For matrices of up to n_rows rows. False when memory is short. */
bool shortlist_new(Shortlist *s, int n_rows);
void shortlist_free(Shortlist *s);

/* Whether it is cheaper to find the k largest than to compute all: the matrix has two planes and k is small
 * beside its rows. */
bool shortlist_pays(const Matrix *w, int k);

/* The products of one vector that are wanted: the k largest, without those of rows never[n_never], and those
 * of rows also[n_also]. */
typedef struct {
    int k;
    const int32_t *also;
    int n_also;
    const int32_t *never;
    int n_never;
} ShortlistWant;

/* The products y[n, n_rows] of vectors x[n, w->n_cols], n <= SHORTLIST_MOST: exact where want[n] wants them;
 * in the place of any other some number that is not above the k-th largest; of rows never[n_never] any finite
 * number. Wrong only if a product lies above its bound, see `screen` in kernels.h. */
void shortlist_matmul(Shortlist *s, Ops *ops, const Matrix *w, const float *x, int n,
    const ShortlistWant *want, float *y);

/* The products of x[w->n_cols] with those rows of a quantised matrix that have a bit in
 * bits[(n_rows + 31) / 32], and with some other rows. */
void shortlist_rows(Shortlist *s, Ops *ops, const Matrix *w, const float *x, const uint32_t *bits, float *y);

#endif
