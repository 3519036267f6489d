/* gguf_write.c: see gguf_write.h. */
#include "gguf_write.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------ bytes */

void bytes_put(Bytes *b, const void *p, size_t n) {
    if (b->failed || n == 0) return;
    if (n > b->room - b->n) {
        size_t bigger = b->room ? b->room : 4096;
        while (bigger - b->n < n) bigger *= 2;
        uint8_t *grown = realloc(b->p, bigger);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->p = grown;
        b->room = bigger;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_put_u32(Bytes *b, uint32_t value) {
    bytes_put(b, &value, 4);
}

void bytes_put_u64(Bytes *b, uint64_t value) {
    bytes_put(b, &value, 8);
}

void bytes_put_string(Bytes *b, const char *text, size_t n) {
    bytes_put_u64(b, n);
    bytes_put(b, text, n);
}

/* ------------------------------------------------------------------------------------------ metadata */

static void put_key(GgufEntries *e, const char *key, GgufType type) {
    bytes_put_string(&e->bytes, key, strlen(key));
    bytes_put_u32(&e->bytes, type);
    e->n++;
}

void gguf_put_u32(GgufEntries *e, const char *key, uint32_t value) {
    put_key(e, key, GGUF_UINT32);
    bytes_put_u32(&e->bytes, value);
}

void gguf_put_i32(GgufEntries *e, const char *key, int32_t value) {
    put_key(e, key, GGUF_INT32);
    bytes_put(&e->bytes, &value, 4);
}

void gguf_put_f32(GgufEntries *e, const char *key, float value) {
    put_key(e, key, GGUF_FLOAT32);
    bytes_put(&e->bytes, &value, 4);
}

void gguf_put_bool(GgufEntries *e, const char *key, bool value) {
    uint8_t byte = value;
    put_key(e, key, GGUF_BOOL);
    bytes_put(&e->bytes, &byte, 1);
}

void gguf_put_string(GgufEntries *e, const char *key, const char *text, size_t n) {
    put_key(e, key, GGUF_STRING);
    bytes_put_string(&e->bytes, text, n);
}

void gguf_put_array(GgufEntries *e, const char *key, GgufType elem_type, uint64_t count) {
    put_key(e, key, GGUF_ARRAY);
    bytes_put_u32(&e->bytes, elem_type);
    bytes_put_u64(&e->bytes, count);
}

/* Bytes of `count` values from p on. */
static size_t values_size(GgufType type, uint64_t count, const uint8_t *p) {
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type != GGUF_STRING) return (size_t)count * sizes[type];
    const uint8_t *cursor = p;
    for (uint64_t i = 0; i < count; i++) gguf_next_string(&cursor);
    return (size_t)(cursor - p);
}

void gguf_put_copy(GgufEntries *e, const GgufEntry *entry) {
    bytes_put_string(&e->bytes, entry->key.p, entry->key.n);
    bytes_put_u32(&e->bytes, entry->type);
    if (entry->type == GGUF_ARRAY) {
        bytes_put_u32(&e->bytes, entry->elem_type);
        bytes_put_u64(&e->bytes, entry->count);
    }
    bytes_put(&e->bytes, entry->value, values_size(entry->elem_type, entry->count, entry->value));
    e->n++;
}

void gguf_put_all(GgufEntries *e, const GgufEntries *more) {
    bytes_put(&e->bytes, more->bytes.p, more->bytes.n);
    e->bytes.failed = e->bytes.failed || more->bytes.failed;
    e->n += more->n;
}

/* ------------------------------------------------------------------------------------------ the whole header */

static uint64_t aligned(uint64_t n) {
    return (n + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

static uint64_t tensor_bytes(const GgufOutTensor *t) {
    uint64_t rows = 1;
    for (int i = 1; i < t->n_dims; i++) rows *= t->dims[i];
    return rows * quant_row_bytes(t->type, (int)t->dims[0]);
}

uint64_t gguf_layout(Bytes *header, const GgufEntries *e, GgufOutTensor *tensors, size_t n_tensors) {
    bytes_put(header, "GGUF", 4);
    bytes_put_u32(header, 3);
    bytes_put_u64(header, n_tensors);
    bytes_put_u64(header, e->n);
    bytes_put(header, e->bytes.p, e->bytes.n);
    uint64_t at = 0;
    for (size_t i = 0; i < n_tensors; i++) {
        GgufOutTensor *t = &tensors[i];
        bytes_put_string(header, t->name, strlen(t->name));
        bytes_put_u32(header, (uint32_t)t->n_dims);
        for (int d = 0; d < t->n_dims; d++) bytes_put_u64(header, t->dims[d]);
        bytes_put_u32(header, t->type);
        bytes_put_u64(header, at);
        t->offset = at;
        t->size = tensor_bytes(t);
        at = aligned(at + t->size);
    }
    static const uint8_t padding[GGUF_ALIGNMENT];
    bytes_put(header, padding, aligned(header->n) - header->n);
    for (size_t i = 0; i < n_tensors; i++) tensors[i].offset += header->n;
    return header->failed || e->bytes.failed ? 0 : header->n + at;
}
