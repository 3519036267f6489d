/* safetensors.h: the tensors of a checkpoint in the safetensors format, in one file or sharded by an index:
 * where their bytes lie. Format: https://huggingface.co/docs/safetensors. Distrusts every byte: after
 * opening, each tensor lies in its file, no two overlap, and its size is that of its shape. Knows no
 * models. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "file.h"

enum { SAFETENSORS_MAX_DIMS = 8, SAFETENSORS_OTHER_TYPE = -1 };

typedef struct {
    char *name;
    char dtype[12];             /* as written: "BF16" */
    int type;                   /* QUANT_F32, QUANT_F16, QUANT_BF16, or SAFETENSORS_OTHER_TYPE */
    int n_dims;
    uint64_t dims[SAFETENSORS_MAX_DIMS];    /* the last one is the contiguous one */
    int shard;
    uint64_t offset, size;      /* bytes, from the start of the shard */
} SafeTensor;

typedef struct {
    File *shards;
    int n_shards;
    size_t n_dir;               /* bytes of the shards' paths before the names that an index gives them */
    SafeTensor *tensors;        /* sorted by name */
    size_t n_tensors;
    bool index_is_left;         /* model.safetensors was read; an index and what it names, beside it, were
                                 * not */
} Safetensors;

/* Opens what lies in folder `dir`: model.safetensors, or else model.safetensors.index.json with its shards,
 * or else shards whose names tell how many there are. */
bool safetensors_open(Safetensors *s, const char *dir, GemmaError *err);
void safetensors_close(Safetensors *s);

/* NULL when absent. */
const SafeTensor *safetensors_find(const Safetensors *s, const char *name);

/* Adds the tensors of one file's header, which is json[n] (changed by this) in a file of file_size bytes, as
 * shard number `shard`. They stay unsorted. */
bool safetensors_add_header(Safetensors *s, int shard, char *json, size_t n, uint64_t file_size,
    GemmaError *err);

#endif
