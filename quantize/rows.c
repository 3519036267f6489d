/* rows.c: see rows.h. */
#include "rows.h"

#include <stdlib.h>

#include "error.h"

enum { PIECE_WEIGHTS = 1 << 18 };

static int64_t rows_in_piece(const SourceTensor *t) {
    return t->dims[0] < PIECE_WEIGHTS ? (int64_t)(PIECE_WEIGHTS / t->dims[0]) : 1;
}

bool rows_open(Rows *r, const Source *source, GemmaError *err) {
    *r = (Rows){.source = source, .first_piece = malloc((source->n_tensors + 1) * sizeof *r->first_piece)};
    if (!r->first_piece) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the list of pieces.");
        return false;
    }
    for (size_t i = 0; i < source->n_tensors; i++) {
        const SourceTensor *t = &source->tensors[i];
        int64_t n_rows = (int64_t)source_rows(t), most = rows_in_piece(t);
        r->first_piece[i] = r->n_pieces;
        r->n_pieces += (n_rows + most - 1) / most;
        size_t weights = (size_t)(n_rows < most ? n_rows : most) * (size_t)t->dims[0];
        if (weights > r->most_weights) r->most_weights = weights;
    }
    r->first_piece[source->n_tensors] = r->n_pieces;
    return true;
}

void rows_close(Rows *r) {
    free(r->first_piece);
    *r = (Rows){0};
}

RowPiece rows_piece(const Rows *r, int64_t piece) {
    size_t low = 0, high = r->source->n_tensors;        /* first_piece[low] <= piece < first_piece[high] */
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (r->first_piece[middle] <= piece) low = middle;
        else high = middle;
    }
    const SourceTensor *t = &r->source->tensors[low];
    int64_t most = rows_in_piece(t), first = (piece - r->first_piece[low]) * most,
        left = (int64_t)source_rows(t) - first;
    return (RowPiece){low, (uint64_t)first, left < most ? left : most, (int)t->dims[0]};
}

bool rows_read(const Rows *r, const RowPiece *piece, uint8_t *raw, float *x, GemmaError *err) {
    const SourceTensor *t = &r->source->tensors[piece->tensor];
    size_t row_bytes = quant_row_bytes(t->type, piece->n_cols), n_rows = (size_t)piece->n_rows,
        n_cols = (size_t)piece->n_cols;
    if (!file_read(t->file, t->offset + piece->first_row * row_bytes, raw, n_rows * row_bytes, err))
        return false;
    for (size_t i = 0; i < n_rows; i++) quant_decode_row(t->type, raw + i * row_bytes, x + i * n_cols,
        piece->n_cols);
    for (size_t i = 0; t->add_one && i < n_rows * n_cols; i++) x[i] += 1;
    return true;
}
