/* safetensors.c: see safetensors.h.
 *
 *   n u64 | header: n bytes of JSON | data
 *   header:  {"NAME": {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [begin, end]}, ...,
 *             "__metadata__": {...}}
 *
 * Offsets count from the data's first byte. The tensors fill the data without gaps. */
#include "safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "quant.h"
#include "shard_set.h"

enum {
    MAX_HEADER = 100000000,     /* the format's own limit */
    MAX_INDEX = 64 << 20,
    MAX_TENSORS = 65536,        /* of a file */
    MAX_SHARDS = 1024,
    MAX_NAME = 256,
};

static const struct {
    const char *name;
    uint64_t bytes;
    int type;
} DTYPES[] = {
    {"F32", 4, QUANT_F32}, {"F16", 2, QUANT_F16}, {"BF16", 2, QUANT_BF16}, {"F64", 8, SAFETENSORS_OTHER_TYPE},
    {"I64", 8, SAFETENSORS_OTHER_TYPE}, {"I32", 4, SAFETENSORS_OTHER_TYPE},
        {"I16", 2, SAFETENSORS_OTHER_TYPE},
    {"I8", 1, SAFETENSORS_OTHER_TYPE}, {"U64", 8, SAFETENSORS_OTHER_TYPE}, {"U32", 4, SAFETENSORS_OTHER_TYPE},
    {"U16", 2, SAFETENSORS_OTHER_TYPE}, {"U8", 1, SAFETENSORS_OTHER_TYPE},
        {"BOOL", 1, SAFETENSORS_OTHER_TYPE},
    {"F8_E4M3", 1, SAFETENSORS_OTHER_TYPE}, {"F8_E5M2", 1, SAFETENSORS_OTHER_TYPE},
};
enum { N_DTYPES = sizeof DTYPES / sizeof DTYPES[0] };

static bool no_memory(GemmaError *err) {
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the directory of its tensors.");
    return false;
}

/* ------------------------------------------------------------------------------------------ a header */

static bool fail(GemmaError *err, const SafeTensor *t, const char *what) {
    error_set(err, GEMMA_BAD_FILE, "Tensor %s: %s.", t->name, what);
    return false;
}

static bool read_name(SafeTensor *t, const JsonNode *name, GemmaError *err) {
    char quoted[72];
    if (name->n == 0 || name->n > MAX_NAME || !name_is_printable(name->text, name->n)) {
        error_set(err, GEMMA_BAD_FILE,
            "Tensor \"%s\" has a name of %" PRIu32 " bytes; 1 to %d, no control characters, were expected.",
                  error_quote(quoted, name->text, name->n), name->n, MAX_NAME);
        return false;
    }
    t->name = strndup(name->text, name->n);
    return t->name || no_memory(err);
}

/* *bytes: of one weight; 0 for a dtype that is not known: whether the tensor is needed, others decide. */
static bool read_dtype(SafeTensor *t, const JsonNode *about, uint64_t *bytes, GemmaError *err) {
    const JsonNode *dtype = json_get(about, "dtype");
    char quoted[72];
    for (int i = 0; i < N_DTYPES; i++) {
        if (!json_equals(dtype, DTYPES[i].name)) continue;
        strcpy(t->dtype, DTYPES[i].name);
        t->type = DTYPES[i].type;
        *bytes = DTYPES[i].bytes;
        return true;
    }
    if (!dtype || dtype->kind != JSON_STRING) return fail(err, t, "its dtype is missing");
    snprintf(t->dtype, sizeof t->dtype, "%s", error_quote(quoted, dtype->text, dtype->n));
    t->type = SAFETENSORS_OTHER_TYPE;
    *bytes = 0;
    return true;
}

/* *bytes, of one weight, becomes the size of the whole tensor. */
static bool read_shape(SafeTensor *t, const JsonNode *about, uint64_t *bytes, GemmaError *err) {
    const JsonNode *shape = json_get(about, "shape");
    if (!shape || shape->kind != JSON_ARRAY) return fail(err, t, "its shape is missing");
    if (shape->n > SAFETENSORS_MAX_DIMS) return fail(err, t, "it has more than 8 dimensions");
    t->n_dims = (int)shape->n;
    const JsonNode *dim = json_first(shape);
    for (int i = 0; i < t->n_dims; i++, dim = json_next(dim)) {
        int64_t n;
        if (!json_int(dim, &n) || n < 0) return fail(err, t, "a dimension is no whole number of 0 or more");
        if (n > 0 && *bytes > (uint64_t)INT64_MAX / (uint64_t)n)
            return fail(err, t, "its size is beyond 2^63 bytes");
        t->dims[i] = (uint64_t)n;
        *bytes *= (uint64_t)n;
    }
    return true;
}

/* `bytes`: of the whole tensor, NULL where its dtype is not known. */
static bool read_offsets(SafeTensor *t, const JsonNode *about, const uint64_t *bytes, uint64_t data_start,
    uint64_t file_size, GemmaError *err) {
    const JsonNode *offsets = json_get(about, "data_offsets");
    int64_t begin, end;
    if (!offsets || offsets->kind != JSON_ARRAY || offsets->n != 2 || !json_int(json_first(offsets), &begin)
        ||
        !json_int(json_next(json_first(offsets)), &end) || begin < 0 || end < begin)
        return fail(err, t, "its data_offsets are not two whole numbers, begin and end");
    if (bytes && (uint64_t)(end - begin) != *bytes) {
        error_set(err, GEMMA_BAD_FILE,
            "Tensor %s: its shape needs %" PRIu64 " bytes, but its data_offsets span %" PRId64 ".", t->name,
                  *bytes, end - begin);
        return false;
    }
    if ((uint64_t)end > file_size - data_start) {
        error_set(err, GEMMA_BAD_FILE,
            "Tensor %s: needs the bytes up to %" PRIu64 ", but the file ends at byte %" PRIu64
                  ": is it complete?", t->name, data_start + (uint64_t)end, file_size);
        return false;
    }
    t->offset = data_start + (uint64_t)begin;
    t->size = (uint64_t)(end - begin);
    return true;
}

static int compare_offsets(const void *a, const void *b) {
    const SafeTensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static bool fills_data(SafeTensor *tensors, size_t n, uint64_t data_start, uint64_t file_size,
    GemmaError *err) {
    if (n) qsort(tensors, n, sizeof *tensors, compare_offsets);
    uint64_t at = data_start;
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].offset < at) return fail(err, &tensors[i], "it overlaps the tensor before it");
        if (tensors[i].offset > at) return fail(err, &tensors[i], "a gap lies before it");
        at += tensors[i].size;
    }
    if (at == file_size) return true;
    error_set(err, GEMMA_BAD_FILE, "Its tensors end at byte %" PRIu64 ", but the file at byte %" PRIu64 ".",
        at, file_size);
    return false;
}

bool safetensors_add_header(Safetensors *s, int shard, char *json, size_t n, uint64_t file_size,
    GemmaError *err) {
    uint64_t data_start = 8 + (uint64_t)n;
    size_t before = s->n_tensors;
    JsonNode *root = json_parse(json, n, err);
    if (!root) return false;
    bool good = root->kind == JSON_OBJECT && root->n <= MAX_TENSORS;
    if (!good) error_set(err, GEMMA_BAD_FILE, "Its header is no object of at most %d tensors.", MAX_TENSORS);
    SafeTensor *bigger = good ? realloc(s->tensors, (before + root->n + 1) * sizeof *bigger) : NULL;
    if (good && !bigger) good = no_memory(err);
    if (bigger) s->tensors = bigger;
    const JsonNode *name = json_first(root);
    for (uint32_t i = 0; good && i < root->n; i++, name = json_next(name + 1)) {
        if (json_equals(name, "__metadata__")) continue;
        SafeTensor *t = &s->tensors[s->n_tensors];
        *t = (SafeTensor){.shard = shard};
        uint64_t bytes;
        good = read_name(t, name, err);
        if (good) s->n_tensors++;
        good = good && read_dtype(t, name + 1, &bytes, err);
        bool is_sized = good && bytes > 0;
        good = good && read_shape(t, name + 1, &bytes, err) &&
               read_offsets(t, name + 1, is_sized ? &bytes : NULL, data_start, file_size, err);
    }
    json_free(root);
    return good && fills_data(s->tensors + before, s->n_tensors - before, data_start, file_size, err);
}

static bool add_file(Safetensors *s, const char *path, GemmaError *err) {
    File *f = &s->shards[s->n_shards];
    uint64_t n;
    if (!file_open(f, path, err)) return false;
    s->n_shards++;
    if (f->size < 8) {
        error_set(err, GEMMA_BAD_FILE, "%s has %" PRIu64 " bytes; a safetensors file has at least 8.",
            path, f->size);
        return false;
    }
    if (!file_read(f, 0, &n, 8, err)) return false;
    if (n > MAX_HEADER || n > f->size - 8) {
        error_set(err, GEMMA_BAD_FILE,
            "%s claims a header of %" PRIu64 " bytes, but has %" PRIu64 " bytes in all; is it a safetensors "
                  "file?", path, n, f->size);
        return false;
    }
    char *json = malloc((size_t)n + 1);
    if (!json) return no_memory(err);
    bool good = file_read(f, 8, json, (size_t)n, err);
    if (good && !safetensors_add_header(s, s->n_shards - 1, json, (size_t)n, f->size, err))
        good = error_in_file(err, path);
    free(json);
    return good;
}

/* ------------------------------------------------------------------------------------------ an index */

/* The shard's number in s; -1 when it has not been opened. */
static int find_shard(const Safetensors *s, const JsonNode *name) {
    for (int i = 0; i < s->n_shards; i++)
        if (json_equals(name, s->shards[i].path + s->n_dir)) return i;
    return -1;
}

/* Whether it names a file in the index' folder, or in a folder inside. */
static bool is_inside(const JsonNode *name) {
    if (name->kind != JSON_STRING || name->n == 0 || name->n > MAX_NAME || !name_is_printable(name->text,
        name->n)) return false;
    for (uint32_t start = 0, end = 0; start <= name->n; start = end + 1) {
        for (end = start; end < name->n && name->text[end] != '/';) end++;
        bool is_parent = end - start == 2 && memcmp(name->text + start, "..", 2) == 0;
        if (end == start || is_parent) return false;
    }
    return true;
}

static bool open_shard(Safetensors *s, const char *dir, const JsonNode *name, const JsonNode *tensor,
    GemmaError *err) {
    char quoted[72], shown[72];
    if (!is_inside(name)) {
        error_set(err, GEMMA_BAD_FILE, "Tensor %s: the name of a file beside the index was expected.",
                  error_quote(quoted, tensor->text, tensor->n));
        return false;
    }
    if (s->n_shards == MAX_SHARDS) {
        error_set(err, GEMMA_BAD_FILE, "It names more than %d files.", MAX_SHARDS);
        return false;
    }
    char *file = strndup(name->text, name->n), *path = file ? path_join(dir, file) : NULL;
    bool good = path || no_memory(err);
    if (good && !add_file(s, path, err)) {
        good = false;
        if (s->n_shards == 0 || strcmp(s->shards[s->n_shards - 1].path, path) != 0) {
            char sentence[sizeof err->text];
            memcpy(sentence, err->text, sizeof sentence);
            error_set(err, err->status, "Tensor %s should be in shard %s. %s",
                error_quote(quoted, tensor->text, tensor->n),
                      error_quote(shown, name->text, name->n), sentence);
        }
    }
    free(file);
    free(path);
    return good;
}

/* Every tensor of the index is in the shard that it names. */
static bool index_holds(const Safetensors *s, const JsonNode *weight_map, GemmaError *err) {
    char quoted[72], shown[72];
    const JsonNode *name = json_first(weight_map);
    for (uint32_t i = 0; i < weight_map->n; i++, name = json_next(name + 1)) {
        char tensor[MAX_NAME + 1] = "";
        if (name->n <= MAX_NAME) memcpy(tensor, name->text, name->n);
        const SafeTensor *t = safetensors_find(s, tensor);
        if (t && t->shard == find_shard(s, name + 1)) continue;
        error_set(err, GEMMA_BAD_FILE, "Tensor %s should be in shard %s, but is not there.",
            error_quote(quoted, name->text, name->n),
                  error_quote(shown, name[1].text, name[1].n));
        return false;
    }
    return true;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const SafeTensor *)a)->name, ((const SafeTensor *)b)->name);
}

static bool sort_names(Safetensors *s, GemmaError *err) {
    if (s->n_tensors) qsort(s->tensors, s->n_tensors, sizeof *s->tensors, compare_names);
    for (size_t i = 1; i < s->n_tensors; i++)
        if (compare_names(&s->tensors[i - 1], &s->tensors[i]) == 0)
            return fail(err, &s->tensors[i], "two shards hold it");
    return true;
}

static bool open_index(Safetensors *s, const char *dir, char *text, size_t n, GemmaError *err) {
    JsonNode *root = json_parse(text, n, err);
    if (!root) return false;
    const JsonNode *weight_map = json_get(root, "weight_map");
    bool good = weight_map && weight_map->kind == JSON_OBJECT;
    if (!good) error_set(err, GEMMA_BAD_FILE,
        "It has no weight_map, the object that tells each tensor's file.");
    char *any = good ? path_join(dir, "") : NULL;
    s->n_dir = any ? strlen(any) : 0;
    free(any);
    s->shards = any ? calloc(MAX_SHARDS, sizeof *s->shards) : NULL;
    if (good && !s->shards) good = no_memory(err);
    const JsonNode *name = good ? json_first(weight_map) : NULL;
    for (uint32_t i = 0; good && i < weight_map->n; i++, name = json_next(name + 1))
        if (find_shard(s, name + 1) < 0) good = open_shard(s, dir, name + 1, name, err);
    good = good && sort_names(s, err) && index_holds(s, weight_map, err);
    json_free(root);
    return good;
}

/* ------------------------------------------------------------------------------------------ a folder */

/* All shards, whose names tell how many there are. */
static bool open_set(Safetensors *s, const char *dir, const ShardSet *set, GemmaError *err) {
    if (set->count > MAX_SHARDS) {
        error_set(err, GEMMA_BAD_FILE, "%s has shards of a model in more than %d files.", dir, MAX_SHARDS);
        return false;
    }
    s->shards = calloc((size_t)set->count, sizeof *s->shards);
    bool good = s->shards || no_memory(err);
    for (int i = 0; good && i < set->count; i++) {
        char *path = shard_set_path(set, dir, i);
        good = path ? add_file(s, path, err) : no_memory(err);
        free(path);
    }
    return good && sort_names(s, err);
}

static bool open_single(Safetensors *s, const char *path, GemmaError *err) {
    s->shards = calloc(1, sizeof *s->shards);
    if (!s->shards) return no_memory(err);
    return add_file(s, path, err) && sort_names(s, err);
}

/* Without an index. Where there are no shards either, the sentence is that of the single file. */
static bool open_unindexed(Safetensors *s, const char *dir, const char *single, GemmaError *err) {
    ShardSet set;
    if (!shard_set_find(&set, dir, err)) return false;
    bool good = set.count > 0 ? open_set(s, dir, &set, err) : open_single(s, single, err);
    shard_set_free(&set);
    return good;
}

/* In transformers' order (modeling_utils.py): a single file goes before an index. */
static bool open_folder(Safetensors *s, const char *dir, const char *single, const char *index,
    GemmaError *err) {
    if (access(single, F_OK) == 0) {
        s->index_is_left = access(index, F_OK) == 0;
        return open_single(s, single, err);
    }
    size_t n = 0;
    bool missing = false;
    char *text = file_load_optional(index, MAX_INDEX, &n, &missing, err);
    if (missing) return open_unindexed(s, dir, single, err);
    bool good = text && (open_index(s, dir, text, n, err) || error_in_file(err, index));
    free(text);
    return good;
}

bool safetensors_open(Safetensors *s, const char *dir, GemmaError *err) {
    *s = (Safetensors){0};
    char *index = path_join(dir, "model.safetensors.index.json"),
        *single = path_join(dir, "model.safetensors");
    bool good = index && single ? open_folder(s, dir, single, index, err) : no_memory(err);
    free(index);
    free(single);
    if (!good) safetensors_close(s);
    return good;
}

void safetensors_close(Safetensors *s) {
    for (int i = 0; i < s->n_shards; i++) file_close(&s->shards[i]);
    for (size_t i = 0; i < s->n_tensors; i++) free(s->tensors[i].name);
    free(s->shards);
    free(s->tensors);
    *s = (Safetensors){0};
}

const SafeTensor *safetensors_find(const Safetensors *s, const char *name) {
    SafeTensor key = {.name = (char *)name};
    return s->n_tensors ? bsearch(&key, s->tensors, s->n_tensors, sizeof *s->tensors, compare_names) : NULL;
}
