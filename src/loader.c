/* loader.c: the push parser: the bytes of a GGUF, in file order, become a model. Two buffers pass through it:
 * the header, which grows until it is complete and then stays with the model, and a staging block of a few
 * megabytes, from which whole tiles are packed by all threads as soon as their bytes are there. Knows GGUF
 * and weights; not the forward pass. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "error.h"
#include "model.h"

enum {
    HEADER_STEP = 1 << 20,
    STAGING = 4 << 20,
    COPY_ALIGNMENT = 64,    /* V8 copies into shared memory by words where it can, otherwise by bytes, four
                             * times slower */
    TASK_BYTES = 32 << 10,  /* of the file, packed by one thread before it asks for more */
};

struct GemmaLoader {
    GemmaModel *model;
    char *file_name;
    uint64_t file_size;
    bool planned;               /* the header is complete and checked */
    bool estimated;             /* there is a plan of less: of a header's beginning or a shape. Otherwise the
                                 * model has nothing but bytes */
    bool failed;

    size_t header_room;         /* bytes allocated at model->header */
    size_t header_n;            /* bytes there; beyond header_size they are tensor data that came with its
                                 * end */

    uint8_t *staging;           /* NULL until gemma_loader_allocate */
    size_t staging_room;
    size_t arrival;             /* where in it bytes are pushed to, aligned; before it is room for what
                                 * earlier pushes left */
    size_t begin, end;          /* the bytes there that are not packed yet */
    uint64_t position;          /* of staging[begin] in the file */
    int slot;                   /* the tensor being read */
    int row;                    /* its first row not yet packed */
};

GemmaLoader *gemma_loader_new(const char *file_name, uint64_t file_size, GemmaError *err) {
    GemmaLoader *l = calloc(1, sizeof *l);
    if (l) {
        l->file_name = strdup(file_name);
        l->model = calloc(1, sizeof *l->model);
        l->file_size = file_size;
    }
    if (l && l->file_name && l->model) return l;
    gemma_loader_free(l);
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory to begin loading.");
    return NULL;
}

void gemma_loader_free(GemmaLoader *l) {
    if (!l) return;
    gemma_model_free(l->model);
    free(l->file_name);
    free(l->staging);
    free(l);
}

/* Puts the file's name before the sentence. */
static GemmaStatus fail(GemmaLoader *l, GemmaError *err) {
    char quoted[72];
    GemmaError inner = *err;
    l->failed = true;
    return error_set(err, inner.status, "%s: %s", error_quote(quoted, l->file_name, strlen(l->file_name)),
        inner.text);
}

/* ------------------------------------------------------------------------------------ the header */

static uint64_t room_for(uint64_t n) { return n + n / 4 + HEADER_STEP; }

static uint8_t *header_room(GemmaLoader *l, size_t *n, GemmaError *err) {
    if (l->header_room - l->header_n < HEADER_STEP) {
        size_t room = (size_t)room_for(l->header_n);
        uint8_t *grown = realloc(l->model->header, room);
        if (!grown) {
            error_set(err, GEMMA_NO_MEMORY, "Not enough memory for a file header of more than %zu MB.",
                l->header_n >> 20);
            fail(l, err);
            return NULL;
        }
        l->model->header = grown;
        l->header_room = room;
    }
    *n = HEADER_STEP;
    return l->model->header + l->header_n;
}

static GemmaStatus read_header(GemmaLoader *l, GemmaError *err) {
    GemmaModel *m = l->model;
    GgufResult r = gguf_parse(&m->gguf, m->header, l->header_n, l->file_size, err);
    if (r == GGUF_INCOMPLETE) return GEMMA_OK;
    if (r == GGUF_FAILED) return err->status;
    GemmaStatus s = model_plan(m, err);
    l->planned = s == GEMMA_OK;
    return s;
}

/* A part that gguf-split made has its own header, but it is the beginning of the whole. */
static void mark_part(Gguf *g) {
    GemmaError ignored;
    int64_t count = 0;
    gguf_get_int(g, "split.count", 0, UINT16_MAX, &count, &ignored);
    if (count > 1) g->is_whole = false;
}

static GemmaStatus estimate(GemmaLoader *l, GemmaError *err) {
    GemmaModel *m = l->model;
    if (gguf_parse_beginning(&m->gguf, m->header, l->header_n, l->file_size, err) == GGUF_FAILED)
        return err->status;
    mark_part(&m->gguf);
    GemmaStatus s = model_plan(m, err);
    l->estimated = s == GEMMA_OK;
    return s;
}

/* More bytes have come, for a plan that is not guessed, or less. */
static void forget_estimate(GemmaLoader *l) {
    if (l->estimated) model_forget_plan(l->model);
    l->estimated = false;
}

/* Not with the header: what only reads headers needs none. */
static GemmaStatus open_tokenizer(GemmaModel *m, GemmaError *err) {
    m->tokenizer = tokenizer_new(&m->gguf, m->config.n_vocab, err);
    return m->tokenizer ? GEMMA_OK : err->status;
}

GemmaStatus gemma_check_header(const uint8_t *header, size_t n, uint64_t file_size, GemmaError *err) {
    GemmaLoader *l = gemma_loader_new("", file_size, err);
    if (!l) return err->status;
    l->model->header = malloc(n + 1);
    l->header_n = n;
    if (l->model->header) memcpy(l->model->header, header, n);
    GemmaStatus s = l->model->header ? read_header(l, err) : error_set(err, GEMMA_NO_MEMORY,
        "Not enough memory to check the header.");
    if (s == GEMMA_OK && !l->planned) s = error_set(err, GEMMA_BAD_FILE, "The header ends early.");
    if (s == GEMMA_OK) s = open_tokenizer(l->model, err);
    gemma_loader_free(l);
    return s;
}

const GemmaPlan *gemma_loader_plan(const GemmaLoader *l) {
    return l->planned || l->estimated ? &l->model->plan : NULL;
}

size_t gemma_describe(const GemmaLoader *l, char *json, size_t cap) {
    return describe_json(&l->model->gguf, &l->model->config, l->model->plan.weight_bytes, json, cap);
}

size_t gemma_describe_plan(const GemmaPlan *plan, char *json, size_t cap) {
    return describe_plan(plan, json, cap);
}

static size_t file_row_bytes(const WeightSlot *s) { return quant_row_bytes(s->type, s->n_cols); }

/* Rows that are taken from the staging block together. */
static int slot_rows(const WeightSlot *s) {
    int left = s->n_rows < TILE_ROWS ? s->n_rows : TILE_ROWS;
    return s->matrix ? left : 1;
}

/* Room for the largest of them, or for all but one byte of it. */
static size_t arrival(const GemmaLoader *l) {
    size_t largest = 0;
    for (int i = 0; i < l->model->weights.n_slots; i++) {
        const WeightSlot *s = &l->model->weights.slots[i];
        size_t n = file_row_bytes(s) * (size_t)slot_rows(s);
        if (n > largest) largest = n;
    }
    return (largest + COPY_ALIGNMENT - 1) / COPY_ALIGNMENT * COPY_ALIGNMENT;
}

uint64_t gemma_memory_need(const GemmaLoader *l, const GemmaOptions *options, int n_ctx) {
    uint64_t header = l->planned ? l->header_room : l->file_size ? room_for(model_header_bytes(l->model)) : 0;
    return header + arrival(l) + STAGING + model_need(l->model, options, n_ctx);
}

uint64_t gemma_observer_need(const GemmaLoader *l) { return model_observer_bytes(l->model); }

/* ------------------------------------------------------------------------------------ the weights */

GemmaStatus gemma_loader_allocate(GemmaLoader *l, const GemmaOptions *options, GemmaError *err) {
    GemmaModel *m = l->model;
    if (!l->planned) return error_set(err, GEMMA_BAD_ARGUMENT,
        "The header is not complete yet, and the weights come after it.");
    if (open_tokenizer(m, err) != GEMMA_OK) return fail(l, err);
    l->arrival = l->begin = l->end = arrival(l);
    l->staging_room = l->arrival + STAGING;
    l->staging = malloc(l->staging_room);
    GemmaStatus s = l->staging ? model_allocate(m, options, err) : error_set(err, GEMMA_NO_MEMORY,
        "Not enough memory for the staging block.");
    if (s != GEMMA_OK) return fail(l, err);
    l->position = m->gguf.header_size;
    if (l->header_n > m->gguf.header_size) {
        size_t n = l->header_n - (size_t)m->gguf.header_size;       /* less than HEADER_STEP */
        memcpy(l->staging + l->end, m->header + m->gguf.header_size, n);
        l->end += n;
    } else {
        l->position = l->header_n;      /* in the padding before the first tensor */
    }
    return GEMMA_OK;
}

/* Tiles of one tensor whose rows are all in the staging block. */
typedef struct {
    const WeightSlot *slot;
    const uint8_t *rows;
    int first_row;
    atomic_int failed;
    GemmaError err;             /* of the thread that failed first */
} PackTask;

static void pack_tiles(void *context, int begin, int end, int thread) {
    (void)thread;
    PackTask *t = context;
    for (int i = begin; i < end; i++) {
        GemmaError err;
        int row = t->first_row + i * TILE_ROWS;
        const uint8_t *rows = t->rows + (size_t)i * TILE_ROWS * file_row_bytes(t->slot);
        if (weights_pack_tile(t->slot, row, rows, &err) != GEMMA_OK && !atomic_exchange(&t->failed, 1))
            t->err = err;
    }
}

/* Takes what it can from `rows`, n bytes at the loader's row of its slot; *taken bytes. */
static GemmaStatus take_rows(GemmaLoader *l, const WeightSlot *slot, const uint8_t *rows, size_t n,
    size_t *taken, GemmaError *err) {
    size_t row_bytes = file_row_bytes(slot);
    int left = slot->n_rows - l->row;
    int n_rows = n / row_bytes < (size_t)left ? (int)(n / row_bytes) : left;
    if (slot->matrix && n_rows < left) n_rows -= n_rows % TILE_ROWS;
    *taken = (size_t)n_rows * row_bytes;
    if (!n_rows) return GEMMA_OK;
    if (!slot->matrix) {
        l->row += n_rows;
        return weights_set_vector(slot, rows, err);
    }
    PackTask task = {.slot = slot, .rows = rows, .first_row = l->row};
    int grain = 1 + (int)(TASK_BYTES / (row_bytes * TILE_ROWS));
    pool_run(l->model->pool, (n_rows + TILE_ROWS - 1) / TILE_ROWS, grain, pack_tiles, &task);
    l->row += n_rows;
    if (task.failed) *err = task.err;
    return task.failed ? err->status : GEMMA_OK;
}

/* The bytes that are left are less than a tile. They move to end where the next bytes arrive, unless those
 * can be appended: small pushes should not move a large tile again and again. */
static void make_room(GemmaLoader *l, bool taken) {
    if (!taken && l->end < l->staging_room) return;
    size_t left = l->end - l->begin;
    memmove(l->staging + l->arrival - left, l->staging + l->begin, left);
    l->begin = l->arrival - left;
    l->end = l->arrival;
}

/* Packs every complete tile in the staging block. */
static GemmaStatus take_staging(GemmaLoader *l, GemmaError *err) {
    const Weights *w = &l->model->weights;
    const uint8_t *staged = l->staging + l->begin;
    size_t at = 0, n = l->end - l->begin;
    while (l->slot < w->n_slots) {
        const WeightSlot *slot = &w->slots[l->slot];
        uint64_t want = slot->tensor->offset + (uint64_t)l->row * file_row_bytes(slot),
            here = l->position + at;
        if (here < want) {                      /* padding, or a tensor that we don't use */
            uint64_t skip = want - here, have = n - at;
            at += (size_t)(skip < have ? skip : have);
            if (skip > have) break;
        }
        size_t taken;
        GemmaStatus s = take_rows(l, slot, staged + at, n - at, &taken, err);
        if (s != GEMMA_OK) return s;
        at += taken;
        if (l->row < slot->n_rows) break;
        l->slot++;
        l->row = 0;
    }
    if (l->slot == w->n_slots) at = n;      /* all that follows the last tensor */
    l->begin += at;
    l->position += at;
    make_room(l, at > 0);
    return GEMMA_OK;
}

static GemmaStatus check_sound(const GemmaLoader *l, GemmaError *err) {
    return l->failed ? error_set(err, GEMMA_BAD_ARGUMENT, "The loader has failed before.") : GEMMA_OK;
}

uint8_t *gemma_loader_room(GemmaLoader *l, size_t *n, GemmaError *err) {
    if (check_sound(l, err) != GEMMA_OK) return NULL;
    if (!l->planned) return header_room(l, n, err);
    if (!l->staging) {
        *n = 0;
        return l->model->header + l->header_n;
    }
    *n = l->staging_room - l->end;
    return l->staging + l->end;
}

/* Whether n more bytes may come. */
static GemmaStatus check_more(const GemmaLoader *l, size_t n, GemmaError *err) {
    if (check_sound(l, err) != GEMMA_OK) return err->status;
    uint64_t here = l->staging ? l->position + (l->end - l->begin) : l->header_n;
    if (n > l->file_size - here)
        return error_set(err, GEMMA_BAD_FILE, "More bytes came than the %llu that the file was said to have.",
            (unsigned long long)l->file_size);
    return GEMMA_OK;
}

GemmaStatus gemma_loader_estimate(GemmaLoader *l, size_t n, GemmaError *err) {
    if (check_more(l, n, err) != GEMMA_OK) return fail(l, err);
    if (l->planned) return GEMMA_OK;
    forget_estimate(l);
    l->header_n += n;
    return estimate(l, err) == GEMMA_OK ? GEMMA_OK : fail(l, err);
}

GemmaStatus gemma_loader_check_part(GemmaLoader *l, const uint8_t *bytes, size_t n, GemmaError *err) {
    Gguf part;
    assert(l->estimated);
    /* How long the part is does not matter: what lies beyond these bytes is not looked at. */
    if (gguf_parse_beginning(&part, bytes, n, UINT64_MAX, err) == GGUF_FAILED) return fail(l, err);
    GemmaStatus s = weights_check_part(&l->model->weights, &part, err);
    gguf_free(&part);
    return s == GEMMA_OK ? GEMMA_OK : fail(l, err);
}

GemmaStatus gemma_loader_plan_shape(GemmaLoader *l, const GemmaShape *shape, const char *type,
    GemmaError *err) {
    char quoted[72];
    const QuantInfo *info = quant_by_name(type, strlen(type));
    assert(!l->planned && !l->header_n);
    if (*type && !info) {
        error_set(err, GEMMA_BAD_ARGUMENT, "There is no weight type %s.",
            error_quote(quoted, type, strlen(type)));
        return fail(l, err);
    }
    forget_estimate(l);
    l->model->gguf.file_size = l->file_size;
    GemmaStatus s = model_plan_shape(l->model, shape, info, err);
    l->estimated = s == GEMMA_OK;
    if (s == GEMMA_OK) return s;
    GemmaError inner = *err;
    if (s == GEMMA_BAD_FILE)
        error_set(err, GEMMA_UNSUPPORTED, "This model has sizes that the engine does not support. %s",
        inner.text);
    return fail(l, err);
}

GemmaStatus gemma_loader_push(GemmaLoader *l, size_t n, GemmaError *err) {
    if (l->planned && !l->staging && !l->failed) return GEMMA_OK;
    if (check_more(l, n, err) != GEMMA_OK) return fail(l, err);
    if (!l->planned) {
        forget_estimate(l);
        l->header_n += n;
        return read_header(l, err) == GEMMA_OK ? GEMMA_OK : fail(l, err);
    }
    l->end += n;
    return take_staging(l, err) == GEMMA_OK ? GEMMA_OK : fail(l, err);
}

GemmaModel *gemma_loader_finish(GemmaLoader *l, GemmaError *err) {
    GemmaModel *m = NULL;
    if (!l->planned || !l->staging) {
        error_set(err, GEMMA_BAD_FILE,
            l->header_n < 4 ? "This is not a GGUF file: the file ended after %llu bytes."
                : "The file ended inside its header, after %llu bytes.", (unsigned long long)l->header_n);
        fail(l, err);
    } else if (l->slot < l->model->weights.n_slots) {
        error_set(err, GEMMA_BAD_FILE, "The file ended at byte %llu of %llu, inside tensor %s.",
                  (unsigned long long)(l->position + (l->end - l->begin)), (unsigned long long)l->file_size,
                  l->model->weights.slots[l->slot].name);
        fail(l, err);
    } else {
        m = l->model;
        l->model = NULL;
    }
    gemma_loader_free(l);
    return m;
}

GemmaModel *gemma_loader_fill(GemmaLoader *l, const GemmaOptions *options, GemmaError *err) {
    GemmaModel *m = l->model;
    assert(l->planned || l->estimated);
    m->plan.weight_bytes = m->weights.bytes;
    m->plan.bytes_per_token = m->weights.bytes_per_token;
    GemmaStatus s = model_allocate(m, options, err);
    if (s == GEMMA_OK) s = model_fill(m, err);
    if (s == GEMMA_OK) l->model = NULL;
    else fail(l, err);
    gemma_loader_free(l);
    return s == GEMMA_OK ? m : NULL;
}
