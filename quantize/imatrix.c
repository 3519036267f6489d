/* imatrix.c: see imatrix.h. */
#include "imatrix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "quant.h"

enum { MAX_IMATRIX = 256 << 20 };

bool imatrix_open(Imatrix *m, const char *path, GemmaError *err) {
    size_t n;
    *m = (Imatrix){.bytes = (uint8_t *)file_load(path, MAX_IMATRIX, &n, err)};
    if (!m->bytes) return false;
    if (gguf_parse(&m->gguf, m->bytes, n, n, err) == GGUF_COMPLETE) return true;
    error_in_file(err, path);
    imatrix_close(m);
    return false;
}

void imatrix_close(Imatrix *m) {
    gguf_free(&m->gguf);
    free(m->bytes);
    *m = (Imatrix){0};
}

static const GgufTensor *find(const Imatrix *m, const char *tensor, const char *part) {
    char name[160];
    snprintf(name, sizeof name, "%s.%s", tensor, part);
    const GgufTensor *t = gguf_find_tensor(&m->gguf, name);
    return t && t->type == QUANT_F32 ? t : NULL;
}

bool imatrix_read(const Imatrix *m, const char *tensor, int n_cols, float *importance, bool *found, GemmaError *err) {
    const GgufTensor *sums = find(m, tensor, "in_sum2"), *counts = find(m, tensor, "counts");
    float count = 0;
    if (counts && counts->size >= 4) memcpy(&count, m->bytes + counts->offset, 4);
    *found = sums && count > 0;
    if (!*found) return true;
    if (sums->size != (uint64_t)n_cols * 4) {
        error_set(err, GEMMA_BAD_FILE, "the importance matrix has %llu numbers for tensor %s; %d were expected: is it of another model?",
                  (unsigned long long)sums->size / 4, tensor, n_cols);
        return false;
    }
    memcpy(importance, m->bytes + sums->offset, (size_t)n_cols * 4);
    for (int i = 0; i < n_cols; i++) {
        importance[i] /= count;
        if (isfinite(importance[i]) && importance[i] >= 0) continue;
        error_set(err, GEMMA_BAD_FILE, "the importance matrix has no sound number for column %d of tensor %s", i, tensor);
        return false;
    }
    return true;
}
