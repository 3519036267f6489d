/* gguf_write.h: writes the header of a GGUF file, version 3: metadata, then the directory of tensors, whose
 * places it decides. The layout is drawn in src/gguf.c. Knows nothing of models and of files. */
#ifndef GGUF_WRITE_H
#define GGUF_WRITE_H

#include "gguf.h"
#include "quant.h"

/* Bytes that grow. When memory is short, `failed` is set and nothing more is put. Start with {0}, free p. */
typedef struct {
    uint8_t *p;
    size_t n, room;
    bool failed;
} Bytes;

void bytes_put(Bytes *b, const void *p, size_t n);
void bytes_put_u32(Bytes *b, uint32_t value);
void bytes_put_u64(Bytes *b, uint64_t value);
/* Its length, then its bytes. */
void bytes_put_string(Bytes *b, const char *text, size_t n);

/* Metadata entries, in the order in which they are put; the caller puts no key twice. Start with {0}. */
typedef struct {
    Bytes bytes;
    uint64_t n;
} GgufEntries;

void gguf_put_u32(GgufEntries *e, const char *key, uint32_t value);
void gguf_put_i32(GgufEntries *e, const char *key, int32_t value);
void gguf_put_f32(GgufEntries *e, const char *key, float value);
void gguf_put_bool(GgufEntries *e, const char *key, bool value);
void gguf_put_string(GgufEntries *e, const char *key, const char *text, size_t n);
/* The elements are put into e->bytes by the caller, right after this. */
void gguf_put_array(GgufEntries *e, const char *key, GgufType elem_type, uint64_t count);
/* An entry of a file that was read, as it is. */
void gguf_put_copy(GgufEntries *e, const GgufEntry *entry);

/* All of `more`, after what is there. */
void gguf_put_all(GgufEntries *e, const GgufEntries *more);

enum { GGUF_ALIGNMENT = 32 };

/* A tensor of the file to be written. */
typedef struct {
    const char *name;
    int n_dims;
    uint64_t dims[4];           /* dims[0] is the contiguous one */
    QuantType type;
    uint64_t offset, size;      /* from the start of the file; set by gguf_layout */
} GgufOutTensor;

/* Appends the whole header to *header, padded to the first tensor, and places the tensors one after the
 * other. Returns the size of the file; 0 when memory is short. */
uint64_t gguf_layout(Bytes *header, const GgufEntries *e, GgufOutTensor *tensors, size_t n_tensors);

#endif
