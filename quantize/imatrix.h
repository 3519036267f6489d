/* imatrix.h: an importance matrix: for each column of a tensor's matrix, the mean square of what it is
 * multiplied with. The file is a GGUF as llama-imatrix writes it: F32 tensors NAME.in_sum2 [n_cols] (sums of
 * squares) and NAME.counts [1] (of how many). */
#ifndef IMATRIX_H
#define IMATRIX_H

#include "source.h"

typedef struct {
    uint8_t *bytes;         /* the whole file */
    Gguf gguf;
} Imatrix;

bool imatrix_open(Imatrix *m, const char *path, GemmaError *err);
void imatrix_close(Imatrix *m);

/* Refuses a matrix that tells nothing of the source's tensors, or something that can't be: before anything is
 * written. Matrices of layers that it leaves out become a note of the source. */
bool imatrix_check(const Imatrix *m, Source *s, GemmaError *err);
/* What llama-quantize writes of it: quantize.imatrix.file, .dataset, .entries_count, .chunks_count. */
void imatrix_describe(const Imatrix *m, const char *path, GgufEntries *e);

/* importance[n_cols] of a tensor; *found false when the matrix does not tell it. False when its size is wrong
 * or a number not finite. */
bool imatrix_read(const Imatrix *m, const char *tensor, int n_cols, float *importance, bool *found,
    GemmaError *err);

#endif
