/* source.c: see source.h. */
#include "source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

void source_drop_last(Source *s) {
    SourceTensor *last = &s->tensors[--s->n_tensors];
    free(last->name);
    free(last->label);
}

void source_free(Source *s) {
    while (s->n_tensors > 0) source_drop_last(s);
    for (int i = 0; i < s->n_files; i++) file_close(&s->files[i]);
    free(s->tensors);
    free(s->files);
    free(s->name);
    free(s->metadata.bytes.p);
    free(s->imatrix.bytes.p);
    free(s->notes.p);
    *s = (Source){0};
}

void source_note(Source *s, const char *format, ...) {
    char line[600];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    strcat(line, "\n");
    bytes_put(&s->notes, line, strlen(line));
}

uint64_t source_bytes(const Source *s) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n_tensors; i++) {
        const SourceTensor *t = &s->tensors[i];
        bytes += source_rows(t) * quant_row_bytes(t->type, (int)t->dims[0]);
    }
    return bytes;
}

bool source_reserve(Source *s, size_t n, GemmaError *err) {
    SourceTensor *tensors = realloc(s->tensors, (n + 1) * sizeof *tensors);
    if (!tensors) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the list of %zu tensors.", n);
        return false;
    }
    s->tensors = tensors;
    return true;
}
