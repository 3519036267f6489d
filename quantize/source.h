/* source.h: a model to be written as GGUF, wherever it comes from: its metadata ready for the file, and where
 * each tensor's bytes lie. convert.h makes it of a checkpoint's folder, requantise.h of a GGUF file. Nothing
 * of the weights is in memory. */
#ifndef SOURCE_H
#define SOURCE_H

#include "arch.h"
#include "file.h"
#include "gguf_write.h"

enum { SOURCE_MAX_COLS = 1 << 24 };

typedef struct {
    char *name;                 /* in the GGUF: "blk.0.attn_q.weight" */
    char *label;                /* in the source, for sentences */
    int n_dims;
    uint64_t dims[4];           /* dims[0] is the contiguous one, at most SOURCE_MAX_COLS; unused ones are
                                 * 1 */
    QuantType type;             /* as stored */
    const File *file;           /* of the source's files */
    uint64_t offset;            /* of its first byte in the file; rows follow without gaps */
    bool add_one;               /* a norm, stored as its difference from 1 */
} SourceTensor;

typedef struct {
    const Arch *arch;
    char *name;                 /* general.name; NULL when there is none */
    int n_layer;
    GgufEntries metadata;       /* without general.file_type and general.quantization_version */
    GgufEntries imatrix;        /* quantize.imatrix.*, which a GGUF had: what it was quantised with */
    SourceTensor *tensors;
    size_t n_tensors;
    File *files;
    int n_files;
    Bytes notes;                /* lines of text on what was left out or assumed */
} Source;

void source_free(Source *s);

/* Adds a line to the notes (printf rules). */
__attribute__((format(printf, 2, 3))) void source_note(Source *s, const char *format, ...);

/* Room for n tensors in all. */
bool source_reserve(Source *s, size_t n, GemmaError *err);
/* Takes the tensor away that was added last. */
void source_drop_last(Source *s);

static inline uint64_t source_rows(const SourceTensor *t) { return t->dims[1] * t->dims[2] * t->dims[3]; }
/* Of all tensors, as stored. */
uint64_t source_bytes(const Source *s);

#endif
