/* pack.h: from a file's row-by-row layout to the kernels' panels (kernels/panel.h), and back to floats one
 * row at a time. Knows no models, files or threads. */
#ifndef PACK_H
#define PACK_H

#include "kernels/panel.h"
#include "quant.h"

PanelKind pack_kind(QuantType type);

/* Bytes of the packed matrix. */
uint64_t pack_bytes(QuantType type, int n_rows, int n_cols);

/* Why a tile cannot be packed. */
typedef struct {
    int row, col;       /* the first column of the block, or the column of a float matrix */
    float value;        /* the scale or weight that is not finite, or a scale whose magnitude is 64 or more */
} PackFault;

/* Writes tile `tile` of m, whose memory the caller owns, from n_rows rows (16, fewer in the last tile) in the
 * file's layout. False with *fault otherwise; `row` counts within the tile. Tiles may be packed in any order
 * and in parallel. */
bool pack_tile(QuantType type, const uint8_t *rows, int n_rows, const Matrix *m, int tile, PackFault *fault);

/* Whether rows in the file's layout, of any number, can't be packed; the first reason. */
bool pack_find_fault(QuantType type, const uint8_t *rows, int n_rows, int n_cols, PackFault *fault);

/* y[n_cols] = the weights of a row: bit for bit what quant_decode_row gives for the file's row. */
void unpack_row(const Matrix *m, int row, float *y);

#endif
