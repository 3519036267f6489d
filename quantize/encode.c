/* encode.c: see encode.h. */
#include "encode.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "pack.h"
#include "search.h"
#include "workers.h"

typedef struct {
    uint8_t *raw, *out;
    float *x, *importance;
} Buffers;

/* The first tensor in the source's order that has weights which are not finite, or no longer are in the
 * output's type. */
typedef struct {
    pthread_mutex_t mutex;
    size_t tensor;              /* SIZE_MAX: none so far */
    uint64_t count, row;        /* of such weights; where the first one is */
    int col;
    float value;
} Flaw;

typedef struct {
    const EncodeJob *job;
    Buffers *buffers;           /* [n_threads] */
    Flaw flaw;
} Encoding;

static bool is_finite(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (bits & 0x7f800000) != 0x7f800000;
}

static uint64_t count_not_finite(const float *x, size_t n) {
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++) count += !is_finite(x[i]);
    return count;
}

/* Weights that the engine would refuse in their type (pack.h): of 16-bit floats what has become infinite, of
 * blocks all those whose scale is too large. They are infinite in y, the others are not. */
static uint64_t count_unfit(QuantType type, const uint8_t *rows, const RowPiece *piece, float *y) {
    size_t n = (size_t)piece->n_rows * (size_t)piece->n_cols, n_bytes = (size_t)quant_info(type)->bytes,
        n_block = (size_t)quant_info(type)->block;
    uint64_t count = 0;
    PackFault fault;
    if (!pack_find_fault(type, rows, (int)piece->n_rows, piece->n_cols, &fault)) return 0;
    for (size_t i = 0; i < n; i += n_block, rows += n_bytes) {
        bool fits = !pack_find_fault(type, rows, 1, (int)n_block, &fault);
        for (size_t k = 0; k < n_block; k++) y[i + k] = fits ? 0 : INFINITY;
        count += fits ? 0 : n_block;
    }
    return count;
}

/* `count` weights of x are bad, those that are not finite in y. Pieces come in any order: the earliest tensor
 * counts, and in it the earliest row. */
static void note_flaw(Flaw *flaw, const RowPiece *piece, const float *x, const float *y, uint64_t count) {
    int64_t first = 0;
    while (is_finite(y[first])) first++;
    uint64_t row = piece->first_row + (uint64_t)(first / piece->n_cols);
    pthread_mutex_lock(&flaw->mutex);
    if (piece->tensor < flaw->tensor) {
        flaw->tensor = piece->tensor;
        flaw->count = 0;
    }
    if (piece->tensor == flaw->tensor) {
        if (flaw->count == 0 || row < flaw->row) {
            flaw->row = row;
            flaw->col = (int)(first % piece->n_cols);
            flaw->value = x[first];
        }
        flaw->count += count;
    }
    pthread_mutex_unlock(&flaw->mutex);
}

/* Whether an earlier tensor is refused already; the rest of a refused one is still counted. */
static bool is_in_vain(Flaw *flaw, size_t tensor) {
    pthread_mutex_lock(&flaw->mutex);
    bool in_vain = flaw->tensor < tensor;
    pthread_mutex_unlock(&flaw->mutex);
    return in_vain;
}

static bool encode_piece(void *context, int64_t i, int thread, const atomic_bool *stop, GemmaError *err) {
    (void)stop;
    Encoding *e = context;
    const EncodeJob *job = e->job;
    Buffers *b = &e->buffers[thread];
    RowPiece piece = rows_piece(job->rows, i);
    const SourceTensor *from = &job->rows->source->tensors[piece.tensor];
    const GgufOutTensor *to = &job->tensors[piece.tensor];
    if (is_in_vain(&e->flaw, piece.tensor)) return true;
    if (!rows_read(job->rows, &piece, b->raw, b->x, err)) return false;
    uint64_t bad = count_not_finite(b->x, (size_t)piece.n_rows * (size_t)piece.n_cols);
    if (bad > 0) note_flaw(&e->flaw, &piece, b->x, b->x, bad);
    if (bad > 0) return true;

    bool copy = from->type == to->type && !from->add_one, found = false;
    if (!copy && job->imatrix && !imatrix_read(job->imatrix, to->name, piece.n_cols, b->importance, &found,
        err)) return false;
    if (!copy) quantize_rows(to->type, b->x, piece.n_rows, piece.n_cols, found ? b->importance : NULL,
        job->plain, b->out);
    /* what counts is no longer needed */
    bad = count_unfit((QuantType)to->type, copy ? b->raw : b->out, &piece, b->importance);
    if (bad > 0) note_flaw(&e->flaw, &piece, b->x, b->importance, bad);
    size_t row_bytes = quant_row_bytes(to->type, piece.n_cols), n_bytes = (size_t)piece.n_rows * row_bytes;
    if (!output_write(job->output, to->offset + piece.first_row * row_bytes, copy ? b->raw : b->out, n_bytes,
        err)) return false;
    watch_add(job->watch, (uint64_t)piece.n_rows * quant_row_bytes(from->type, piece.n_cols), to->name);
    return true;
}

static bool tell_flaw(const Encoding *e, GemmaError *err) {
    const Flaw *flaw = &e->flaw;
    const SourceTensor *t = &e->job->rows->source->tensors[flaw->tensor];
    const GgufOutTensor *to = &e->job->tensors[flaw->tensor];
    if (is_finite(flaw->value)) {
        error_set(err, GEMMA_BAD_NUMBERS,
            "%s: tensor %s has %" PRIu64 " weights that are too large for %s; the first one, in row %" PRIu64
                  ", column %d, is %g: choose another type for it, such as --tensor-type %s=bf16.",
                      t->file->path, t->label, flaw->count,
                  quant_type_name(to->type), flaw->row, flaw->col, flaw->value, to->name);
        return false;
    }
    error_set(err, GEMMA_BAD_NUMBERS,
        "%s: tensor %s has %" PRIu64 " weights that are no finite numbers; the first one, in row %" PRIu64
              ", column %d, is %s.", t->file->path, t->label, flaw->count, flaw->row, flaw->col,
              isnan(flaw->value) ? "NaN" : "infinite");
    return false;
}

bool encode_tensors(const EncodeJob *job, GemmaError *err) {
    Encoding e = {.job = job, .buffers = calloc((size_t)job->n_threads, sizeof(Buffers)),
                  .flaw = {.mutex = PTHREAD_MUTEX_INITIALIZER, .tensor = SIZE_MAX}};
    size_t room = 4 * job->rows->most_weights + 64;
    bool good = e.buffers != NULL;
    for (int i = 0; good && i < job->n_threads; i++) {
        e.buffers[i] = (Buffers){malloc(room), malloc(room), malloc(room), malloc(room)};
        good = e.buffers[i].raw && e.buffers[i].out && e.buffers[i].x && e.buffers[i].importance;
    }
    if (!good) error_set(err, GEMMA_NO_MEMORY, "Not enough memory for %d threads' rows.", job->n_threads);
    else {
        watch_begin(job->watch, "quantising", source_bytes(job->rows->source));
        good = workers_run(job->n_threads, job->rows->n_pieces, encode_piece, &e, job->watch, err);
        watch_end(job->watch);
        if (good && e.flaw.tensor != SIZE_MAX) good = tell_flaw(&e, err);
    }
    for (int i = 0; e.buffers && i < job->n_threads; i++) {
        free(e.buffers[i].raw);
        free(e.buffers[i].out);
        free(e.buffers[i].x);
        free(e.buffers[i].importance);
    }
    free(e.buffers);
    pthread_mutex_destroy(&e.flaw.mutex);
    return good;
}
