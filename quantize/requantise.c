/* requantise.c: see requantise.h. */
#include "requantise.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

enum { FIRST_READ = 1 << 20 };

/* Reads the header, as much of the file as it takes. *bytes, which *g borrows, is to be freed in any case. */
static bool read_header(const File *f, Gguf *g, uint8_t **bytes, GemmaError *err) {
    size_t n = 0;
    GgufResult result = GGUF_INCOMPLETE;
    *bytes = NULL;
    for (size_t want = FIRST_READ; result == GGUF_INCOMPLETE; want *= 2) {
        size_t bigger = want < f->size ? want : (size_t)f->size;
        uint8_t *grown = realloc(*bytes, bigger + 1);
        if (!grown) {
            error_set(err, GEMMA_NO_MEMORY, "no memory is left for its header");
            return false;
        }
        *bytes = grown;
        if (!file_read(f, n, grown + n, bigger - n, err)) return false;
        n = bigger;
        result = gguf_parse(g, *bytes, n, f->size, err);
    }
    return result == GGUF_COMPLETE;
}

/* What the new file's header says anew, or what only holds for the old one. */
static bool is_replaced(GgufString key) {
    return gguf_equals(key, "general.file_type") || gguf_equals(key, "general.quantization_version") ||
           gguf_equals(key, "general.alignment");
}

static bool add_tensor(Source *s, const GgufTensor *t, GemmaError *err) {
    char quoted[72];
    error_quote(quoted, t->name.p, t->name.n);
    if (!quant_info(t->type)) {
        error_set(err, GEMMA_UNSUPPORTED, "tensor %s is stored as %s, which is not read here", quoted, quant_type_name(t->type));
        return false;
    }
    if (!name_is_printable(t->name.p, t->name.n)) {
        error_set(err, GEMMA_BAD_FILE, "tensor \"%s\" has control characters in its name", quoted);
        return false;
    }
    if (t->dims[0] > SOURCE_MAX_COLS) {
        error_set(err, GEMMA_UNSUPPORTED, "tensor %s has rows of %" PRIu64 " weights; at most %d are converted", quoted, t->dims[0],
                  SOURCE_MAX_COLS);
        return false;
    }
    SourceTensor *to = &s->tensors[s->n_tensors];
    *to = (SourceTensor){.name = strndup(t->name.p, t->name.n), .label = strndup(t->name.p, t->name.n), .n_dims = t->n_dims,
                         .type = (QuantType)t->type, .file = &s->files[0], .offset = t->offset};
    memcpy(to->dims, t->dims, sizeof to->dims);
    s->n_tensors++;
    if (to->name && to->label) return true;
    error_set(err, GEMMA_NO_MEMORY, "no memory is left for the names of its tensors");
    return false;
}

static bool read_model(Source *s, const Gguf *g, GemmaError *err) {
    GgufString architecture = {"", 0}, name = {"", 0};
    char key[64], quoted[72];
    int64_t n_layer = 0;
    err->status = GEMMA_OK;
    gguf_get_string(g, "general.architecture", &architecture, err);
    gguf_get_string(g, "general.name", &name, err);
    if (err->status != GEMMA_OK) return false;
    if (!gguf_equals(architecture, "gemma") && !gguf_equals(architecture, "gemma2") && !gguf_equals(architecture, "gemma3")) {
        error_set(err, GEMMA_UNSUPPORTED, "its architecture is \"%s\"; gemma, gemma2 and gemma3 are converted",
                  error_quote(quoted, architecture.p, architecture.n));
        return false;
    }
    memcpy(s->architecture, architecture.p, architecture.n);
    snprintf(key, sizeof key, "%s.block_count", s->architecture);
    if (!gguf_get_int(g, key, 1, 65536, &n_layer, err)) {
        if (err->status == GEMMA_OK) error_set(err, GEMMA_BAD_FILE, "metadata entry \"%s\" is missing", key);
        return false;
    }
    s->n_layer = (int)n_layer;
    if (name.n) s->name = strndup(name.p, name.n);
    for (size_t i = 0; i < g->n_entries; i++)
        if (!is_replaced(g->entries[i].key)) gguf_put_copy(&s->metadata, &g->entries[i]);
    if (!source_reserve(s, g->n_tensors, err)) return false;
    for (size_t i = 0; i < g->n_tensors; i++)
        if (!add_tensor(s, &g->tensors[i], err)) return false;
    return true;
}

bool requantise_open(Source *s, const char *path, GemmaError *err) {
    Gguf g = {0};
    uint8_t *header = NULL;
    *s = (Source){.files = calloc(1, sizeof(File))};
    if (!s->files) {
        error_set(err, GEMMA_NO_MEMORY, "no memory is left");
        return false;
    }
    bool good = file_open(&s->files[0], path, err);
    if (good) {
        s->n_files = 1;
        good = (read_header(&s->files[0], &g, &header, err) && read_model(s, &g, err)) || error_in_file(err, path);
    }
    gguf_free(&g);
    free(header);
    if (!good) source_free(s);
    return good;
}
