/* verify.h: reads an output back and tells how far each tensor is from its source. */
#ifndef VERIFY_H
#define VERIFY_H

#include "rows.h"
#include "watch.h"

typedef struct {
    double rms;             /* of the differences, as a share of the root mean square of the weights */
    double most;            /* largest difference, as a share of the same */
} TensorError;

/* errors[n_tensors]: the tensors of `written`, a GGUF of the source's tensors with the same names and shapes.
 * False with err->status GEMMA_OK: the watch was interrupted. */
bool verify_tensors(TensorError *errors, const Rows *source, const Source *written, int n_threads,
    Watch *watch, GemmaError *err);

#endif
