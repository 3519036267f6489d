/* shortlist.h: the largest products of a matrix with one vector, for little more than half of the matrix's bytes. The first plane of
 * 8-bit codes tells a bound for each row; rows whose bound is above what the k-th largest product is at least are then multiplied
 * whole. A vocabulary has 262,144 rows, of which a sampler wants the best few. Knows matrices, not what they mean. */
#ifndef SHORTLIST_H
#define SHORTLIST_H

#include "ops.h"

typedef struct {
    float *bound;           /* [n_tiles]: the largest of a tile's bounds; -INFINITY once the tile was multiplied */
    int32_t *tiles;         /* [n_tiles]: those to multiply */
    float *sorting;         /* [n_tiles] */
} Shortlist;

uint64_t shortlist_bytes(int n_rows);
/* For matrices of up to n_rows rows. False when memory is short. */
bool shortlist_new(Shortlist *s, int n_rows);
void shortlist_free(Shortlist *s);

/* Whether the k largest can be had cheaper than all: the matrix has two planes and k is small beside its rows. */
bool shortlist_pays(const Matrix *w, int k);

/* The products y[n_rows] = w * x, exact for the k largest and for rows also[n_also]; in the place of any other some number that is
 * not above the k-th largest. Wrong only if a product lies above its bound, see `screen` in kernels.h. */
void shortlist_matmul(Shortlist *s, Ops *ops, const Matrix *w, const float *x, int k, const int32_t *also, int n_also, float *y);

#endif
