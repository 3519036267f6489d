/* encode.h: the weights of a source, quantised and written to their places in the output: rows are shared out
 * to threads, and each piece is read, converted and written by one of them, so that the bytes don't depend on
 * how many there are. */
#ifndef ENCODE_H
#define ENCODE_H

#include "imatrix.h"
#include "output.h"
#include "rows.h"
#include "watch.h"

typedef struct {
    const Rows *rows;                   /* of the source */
    const GgufOutTensor *tensors;       /* the source's, in its order, placed */
    const Output *output;
    const Imatrix *imatrix;             /* NULL: none */
    bool plain;                         /* round to nearest, search nothing */
    int n_threads;
    Watch *watch;
} EncodeJob;

/* Refuses tensors with weights that are not finite. False with err->status GEMMA_OK: the watch was
 * interrupted. */
bool encode_tensors(const EncodeJob *job, GemmaError *err);

#endif
