/* gguf.h: reads the header of a GGUF file (version 2 and 3, little endian): metadata and tensor directory.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Distrusts every byte: all counts,
 * lengths and offsets are checked against the bytes at hand and against `file_size` before use. Knows nothing
 * of Gemma. */
#ifndef GGUF_H
#define GGUF_H

#include "gemma.h"

/* Bytes inside the header buffer: borrowed, not 0-terminated. */
typedef struct {
    const char *p;
    size_t n;
} GgufString;

typedef enum {
    GGUF_UINT8 = 0, GGUF_INT8, GGUF_UINT16, GGUF_INT16, GGUF_UINT32, GGUF_INT32, GGUF_FLOAT32, GGUF_BOOL,
    GGUF_STRING, GGUF_ARRAY, GGUF_UINT64, GGUF_INT64, GGUF_FLOAT64,
} GgufType;

typedef struct {
    GgufString key;
    GgufType type;          /* GGUF_ARRAY for arrays */
    GgufType elem_type;     /* arrays: type of the elements, never GGUF_ARRAY (nested arrays are refused) */
    uint64_t count;         /* arrays: number of elements; 1 otherwise */
    const uint8_t *value;   /* the first element's bytes, unaligned */
} GgufEntry;

typedef struct {
    GgufString name;
    int n_dims;             /* 1..4 */
    uint64_t dims[4];       /* dims[0] is the contiguous one (n_in of a matrix); unused ones are 1 */
    uint32_t type;          /* ggml type number; see quant.h */
    uint64_t offset;        /* from the first byte of the file */
    uint64_t size;          /* bytes */
} GgufTensor;

typedef struct {
    uint32_t version;
    uint64_t file_size;
    uint64_t header_size;   /* bytes up to the tensor data, alignment included */
    uint32_t alignment;
    GgufEntry *entries;     /* in file order */
    size_t n_entries;
    GgufTensor *tensors;    /* in order of offset */
    size_t n_tensors;
    bool is_whole;          /* false: only the header's beginning was there. Entries and tensors are those
                             * that end in it. Tensors are in file order, and their offsets count from the
                             * first tensor's byte */
    GgufEntry cut;          /* of a beginning: the entry that it ends in, where its type and count are there;
                             * its value is not. Otherwise its key has no bytes */
} Gguf;

enum { GGUF_MAX_HEADER = 256 << 20, GGUF_MAX_ENTRIES = 65536, GGUF_MAX_TENSORS = 65536 };

typedef enum { GGUF_FAILED = -1, GGUF_INCOMPLETE = 0, GGUF_COMPLETE = 1 } GgufResult;

/* Parses the first `n` bytes of a file of `file_size` bytes. INCOMPLETE: the header continues past n (call
 * again with more; it fails for good when n == file_size). On COMPLETE, *g borrows `bytes`, which must stay;
 * gguf_free it. Refused: unknown tensor types of unknown size stay allowed here with size 0 only when quant.h
 * does not know them (the caller refuses them by name); duplicate keys or tensor names; tensors that overlap,
 * lie outside the file or are not aligned; products beyond 2^63. */
GgufResult gguf_parse(Gguf *g, const uint8_t *bytes, size_t n, uint64_t file_size, GemmaError *err);
/* The same, and on INCOMPLETE *g holds what is there (gguf_free it). */
GgufResult gguf_parse_beginning(Gguf *g, const uint8_t *bytes, size_t n, uint64_t file_size, GemmaError *err);
void gguf_free(Gguf *g);

/* NULL when absent. */
const GgufEntry *gguf_find(const Gguf *g, const char *key);
const GgufTensor *gguf_find_tensor(const Gguf *g, const char *name);

/* Scalars of any numeric type, converted when the value fits; false when absent (then *value is left alone,
 * so set a default first) - a present entry of the wrong type or out of range is GEMMA_BAD_FILE in *err and
 * false. */
bool gguf_get_int(const Gguf *g, const char *key, int64_t min, int64_t max, int64_t *value, GemmaError *err);
bool gguf_get_float(const Gguf *g, const char *key, float *value, GemmaError *err);
bool gguf_get_bool(const Gguf *g, const char *key, bool *value, GemmaError *err);
bool gguf_get_string(const Gguf *g, const char *key, GgufString *value, GemmaError *err);

/* Element i of a numeric array (or the scalar itself for i = 0), as a double. */
double gguf_number_at(const GgufEntry *e, uint64_t i);
/* Walks an array of strings: pass cursor = e->value first; returns the string and moves the cursor. */
GgufString gguf_next_string(const uint8_t **cursor);

bool gguf_equals(GgufString s, const char *text);

#endif
