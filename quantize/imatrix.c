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

/* llama-imatrix's older format: n_entries i32 | name length i32, name | ... */
static bool is_old_format(const uint8_t *bytes, size_t n) {
    int32_t n_entries, length;
    if (n < 8) return false;
    memcpy(&n_entries, bytes, 4);
    memcpy(&length, bytes + 4, 4);
    if (n_entries < 1 || n_entries > 100000 || length < 1 || length > 200 || (size_t)length > n - 8)
        return false;
    for (int32_t i = 0; i < length; i++)
        if (bytes[8 + i] < 0x21 || bytes[8 + i] > 0x7e) return false;
    return true;
}

static bool ends(GgufString text, const char *with) {
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p + text.n - n, with, n) == 0;
}

/* How many tensors it tells of. */
static uint32_t count_entries(const Imatrix *m) {
    uint32_t n = 0;
    for (size_t i = 0; i < m->gguf.n_tensors; i++) n += ends(m->gguf.tensors[i].name, ".in_sum2");
    return n;
}

static bool read_matrix(Imatrix *m, size_t n, GemmaError *err) {
    GgufString type = {"imatrix", 7};
    char quoted[72];
    if (is_old_format(m->bytes, n)) {
        error_set(err, GEMMA_UNSUPPORTED,
            "It is an importance matrix in the older format of llama-imatrix (.dat); a GGUF is read: convert "
                  "it with llama-imatrix --in-file IT --output-format gguf -o IT.gguf.");
        return false;
    }
    if (gguf_parse(&m->gguf, m->bytes, n, n, err) != GGUF_COMPLETE) return false;
    err->status = GEMMA_OK;
    gguf_get_string(&m->gguf, "general.type", &type, err);
    if (err->status != GEMMA_OK) return false;
    if (gguf_equals(type, "imatrix") && count_entries(m) > 0) return true;
    error_set(err, GEMMA_BAD_FILE,
        "It is no importance matrix, but a GGUF of type \"%s\" with %zu tensors; "
        "expected one that gemma imatrix or llama-imatrix writes.",
        error_quote(quoted, type.p, type.n), m->gguf.n_tensors);
    return false;
}

bool imatrix_open(Imatrix *m, const char *path, GemmaError *err) {
    size_t n;
    *m = (Imatrix){.bytes = (uint8_t *)file_load(path, MAX_IMATRIX, &n, err)};
    if (!m->bytes) return false;
    if (read_matrix(m, n, err)) return true;
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

bool imatrix_read(const Imatrix *m, const char *tensor, int n_cols, float *importance, bool *found,
    GemmaError *err) {
    const GgufTensor *sums = find(m, tensor, "in_sum2"), *counts = find(m, tensor, "counts");
    float count = 0;
    if (counts && counts->size >= 4) memcpy(&count, m->bytes + counts->offset, 4);
    *found = sums && count > 0;
    if (!*found) return true;
    if (sums->size != (uint64_t)n_cols * 4) {
        error_set(err, GEMMA_BAD_FILE,
            "The importance matrix has %llu numbers for tensor %s; %d were expected: is it of another model?",
                  (unsigned long long)sums->size / 4, tensor, n_cols);
        return false;
    }
    memcpy(importance, m->bytes + sums->offset, (size_t)n_cols * 4);
    for (int i = 0; i < n_cols; i++) {
        importance[i] /= count;
        if (isfinite(importance[i]) && importance[i] >= 0) continue;
        error_set(err, GEMMA_BAD_FILE,
            "The importance matrix has no sound number for column %d of tensor %s.", i, tensor);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------ as a whole */

bool imatrix_check(const Imatrix *m, Source *s, GemmaError *err) {
    size_t n_found = 0, n_missing = 0;
    const char *first_missing = NULL;
    uint64_t most_cols = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (s->tensors[i].dims[0] > most_cols) most_cols = s->tensors[i].dims[0];
    float *importance = malloc((size_t)most_cols * sizeof *importance + 1);
    bool good = importance != NULL;
    if (!good) error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the importance matrix.");
    for (size_t i = 0; good && i < s->n_tensors; i++) {
        const SourceTensor *t = &s->tensors[i];
        bool found;
        good = imatrix_read(m, t->name, (int)t->dims[0], importance, &found, err);
        n_found += good && found;
        if (!good || found || t->n_dims < 2 || strncmp(t->name, "blk.", 4) != 0) continue;
        if (n_missing++ == 0) first_missing = t->name;
    }
    free(importance);
    if (good && n_found == 0) {
        error_set(err, GEMMA_BAD_FILE,
            "The importance matrix tells of %u tensors, but of none that this model has: "
            "is it of another model?", count_entries(m));
        good = false;
    }
    if (good && n_missing > 0)
        source_note(s, "the importance matrix leaves out %zu matrices, the first of them %s: "
            "all their columns count the same", n_missing, first_missing);
    return good;
}

void imatrix_describe(const Imatrix *m, const char *path, GgufEntries *e) {
    const GgufEntry *datasets = gguf_find(&m->gguf, "imatrix.datasets");
    int64_t n_chunks = 0;
    GemmaError ignored;
    gguf_put_string(e, "quantize.imatrix.file", path, strlen(path));
    if (datasets && datasets->type == GGUF_ARRAY && datasets->elem_type == GGUF_STRING
        && datasets->count > 0) {
        const uint8_t *cursor = datasets->value;
        GgufString first = gguf_next_string(&cursor);
        gguf_put_string(e, "quantize.imatrix.dataset", first.p, first.n);
    }
    gguf_put_u32(e, "quantize.imatrix.entries_count", count_entries(m));
    if (gguf_get_int(&m->gguf, "imatrix.chunk_count", 1, UINT32_MAX, &n_chunks, &ignored))
        gguf_put_u32(e, "quantize.imatrix.chunks_count", (uint32_t)n_chunks);
}
