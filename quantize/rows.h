/* rows.h: a source's tensors cut into pieces of whole rows, small enough that a thread's cache holds them;
 * and a piece as floats. */
#ifndef ROWS_H
#define ROWS_H

#include "source.h"

typedef struct {
    const Source *source;
    int64_t n_pieces;
    int64_t *first_piece;           /* [n_tensors + 1]: of each tensor */
    size_t most_weights;            /* in a piece */
} Rows;

typedef struct {
    size_t tensor;                  /* its number in the source */
    uint64_t first_row;
    int64_t n_rows;
    int n_cols;
} RowPiece;

bool rows_open(Rows *r, const Source *source, GemmaError *err);
void rows_close(Rows *r);

RowPiece rows_piece(const Rows *r, int64_t piece);

/* Reads a piece: raw[] gets the stored bytes, x[] the weights as they will be used (norms with their 1). raw
 * has room for 4 * most_weights. */
bool rows_read(const Rows *r, const RowPiece *piece, uint8_t *raw, float *x, GemmaError *err);

#endif
