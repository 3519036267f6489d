/* verify.c: see verify.h. */
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "workers.h"

/* Of one piece: they are added up in order, so that the result does not depend on the threads. */
typedef struct {
    double differences, weights;    /* sums of squares */
    double most;
} Sums;

typedef struct {
    const Rows *source;
    const Source *written;
    const SourceTensor **same;      /* [n_tensors]: the written tensor of each source tensor */
    uint8_t **raw;                  /* [n_threads] */
    float **x, **y;
    Sums *sums;                     /* [n_pieces] */
    Watch *watch;
} Check;

static bool check_piece(void *context, int64_t i, int thread, const atomic_bool *stop, GemmaError *err) {
    (void)stop;
    Check *c = context;
    RowPiece piece = rows_piece(c->source, i);
    const SourceTensor *t = c->same[piece.tensor];
    size_t row_bytes = quant_row_bytes(t->type, piece.n_cols), n_bytes = (size_t)piece.n_rows * row_bytes;
    size_t n = (size_t)piece.n_rows * (size_t)piece.n_cols;
    uint8_t *raw = c->raw[thread];
    float *x = c->x[thread], *y = c->y[thread];
    if (!rows_read(c->source, &piece, raw, x, err)) return false;
    if (!file_read(t->file, t->offset + piece.first_row * row_bytes, raw, n_bytes, err)) return false;
    for (int64_t r = 0; r < piece.n_rows; r++)
        quant_decode_row(t->type, raw + (size_t)r * row_bytes, y + r * piece.n_cols, piece.n_cols);
    Sums *s = &c->sums[i];
    for (size_t k = 0; k < n; k++) {
        double d = fabs((double)y[k] - (double)x[k]);
        s->differences += d * d;
        s->weights += (double)x[k] * (double)x[k];
        if (!(d <= s->most)) s->most = d;
    }
    watch_add(c->watch, n_bytes, t->name);
    return true;
}

static bool find_same(Check *c, GemmaError *err) {
    const Source *a = c->source->source, *b = c->written;
    for (size_t i = 0; i < a->n_tensors; i++) {
        size_t j = 0;
        while (j < b->n_tensors && strcmp(a->tensors[i].name, b->tensors[j].name) != 0) j++;
        c->same[i] = j < b->n_tensors ? &b->tensors[j] : NULL;
        if (c->same[i] && memcmp(c->same[i]->dims, a->tensors[i].dims, sizeof a->tensors[i].dims) == 0)
            continue;
        error_set(err, GEMMA_BAD_FILE, "Tensor %s is not there as it was written.", a->tensors[i].name);
        return false;
    }
    return true;
}

static void add_up(TensorError *errors, const Check *c) {
    for (size_t i = 0; i < c->source->source->n_tensors; i++) {
        Sums all = {0};
        double n = (double)c->same[i]->dims[0] * (double)source_rows(c->same[i]);
        for (int64_t piece = c->source->first_piece[i]; piece < c->source->first_piece[i + 1]; piece++) {
            all.differences += c->sums[piece].differences;
            all.weights += c->sums[piece].weights;
            all.most = fmax(all.most, c->sums[piece].most);
        }
        double scale = all.weights > 0 ? sqrt(all.weights / n) : 1;
        errors[i] = (TensorError){sqrt(all.differences / n) / scale, all.most / scale};
    }
}

bool verify_tensors(TensorError *errors, const Rows *source, const Source *written, int n_threads,
    Watch *watch, GemmaError *err) {
    size_t n = (size_t)n_threads, room = 4 * source->most_weights + 64;
    Check c = {source, written, calloc(source->source->n_tensors + 1, sizeof *c.same),
        calloc(n, sizeof *c.raw), calloc(n, sizeof *c.x),
               calloc(n, sizeof *c.y), calloc((size_t)source->n_pieces + 1, sizeof *c.sums), watch};
    bool good = c.same && c.raw && c.x && c.y && c.sums;
    for (size_t i = 0; good && i < n; i++) {
        c.raw[i] = malloc(room);
        c.x[i] = malloc(room);
        c.y[i] = malloc(room);
        good = c.raw[i] && c.x[i] && c.y[i];
    }
    if (!good) error_set(err, GEMMA_NO_MEMORY, "Not enough memory for %d threads' rows.", n_threads);
    good = good && find_same(&c, err);
    if (good) {
        watch_begin(watch, "verifying", source_bytes(written));
        good = workers_run(n_threads, source->n_pieces, check_piece, &c, watch, err);
        watch_end(watch);
    }
    if (good) add_up(errors, &c);
    for (size_t i = 0; c.raw && c.x && c.y && i < n; i++) {
        free(c.raw[i]);
        free(c.x[i]);
        free(c.y[i]);
    }
    free(c.same);
    free(c.raw);
    free(c.x);
    free(c.y);
    free(c.sums);
    return good;
}
