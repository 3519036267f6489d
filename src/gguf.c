/* gguf.c: see gguf.h. A header is read in one pass by a Reader that hands out bytes only after checking that
 * they are there; all else is asked from the parsed entries. Numbers are little endian in the file and on
 * every machine we run on.
 *
 *   "GGUF" | version u32 | n_tensors u64 | n_entries u64
 *   n_entries times:  key string | type u32 | value
 *   n_tensors times:  name string | n_dims u32 | n_dims times dim u64 | ggml type u32 | offset u64
 *   padding to general.alignment | tensor data; offsets count from here
 *
 *   string:  length u64 | bytes          array value:  element type u32 | count u64 | elements
 */
#include "gguf.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "quant.h"

enum {
    MAX_NAME = 1024,        /* bytes of a key or tensor name; the longest known ones have 60 */
    MAX_TENSOR_TYPE = 255,  /* ggml has about 40 types; a number beyond this is damage, not news */
    MIN_ALIGNMENT = 8,
    MAX_ALIGNMENT = 65536,
    DEFAULT_ALIGNMENT = 32,
};

/* ------------------------------------------------------------------------------------------ reading */

typedef struct {
    const uint8_t *bytes;
    uint64_t pos, n, file_size;     /* pos <= n <= file_size */
    GgufResult result;              /* COMPLETE as long as all went well */
    const char *section;            /* for sentences: "Metadata entry" or "Tensor", number `index`, called
                                     * `name` */
    uint64_t index;
    GgufString name;                /* p is NULL while it is not known */
    GemmaError *err;
} Reader;

/* Sets *err to "the place: the sentence"; returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool fail(Reader *r, const char *format, ...) {
    char sentence[360], quoted[72];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (!r->section)
        error_set(r->err, GEMMA_BAD_FILE, "The GGUF header is broken: %s", sentence);
    else if (!r->name.p)
        error_set(r->err, GEMMA_BAD_FILE, "%s %" PRIu64 ": %s", r->section, r->index, sentence);
    else
        error_set(r->err, GEMMA_BAD_FILE, "%s %" PRIu64 " (\"%s\"): %s", r->section, r->index,
                  error_quote(quoted, r->name.p, r->name.n), sentence);
    r->result = GGUF_FAILED;
    return false;
}

static bool no_memory(Reader *r) {
    error_set(r->err, GEMMA_NO_MEMORY, "Not enough memory for the directory of the file.");
    r->result = GGUF_FAILED;
    return false;
}

/* The next `count` bytes; NULL when they are not there yet (INCOMPLETE) or never will be (FAILED). */
static const uint8_t *take(Reader *r, uint64_t count, const char *what) {
    if (count > r->file_size - r->pos) {
        fail(r, "%s takes %" PRIu64 " bytes from byte %" PRIu64 " on, but the file ends at byte %" PRIu64 ".",
            what, count,
             r->pos, r->file_size);
        return NULL;
    }
    if (r->pos + count > GGUF_MAX_HEADER) {
        fail(r, "%s ends at byte %" PRIu64 "; a header may have at most %d bytes.", what, r->pos + count,
            GGUF_MAX_HEADER);
        return NULL;
    }
    if (count > r->n - r->pos) {
        r->result = GGUF_INCOMPLETE;
        return NULL;
    }
    const uint8_t *p = r->bytes + r->pos;
    r->pos += count;
    return p;
}

static bool read_u32(Reader *r, uint32_t *value, const char *what) {
    const uint8_t *p = take(r, 4, what);
    if (p) memcpy(value, p, 4);
    return p != NULL;
}

static bool read_u64(Reader *r, uint64_t *value, const char *what) {
    const uint8_t *p = take(r, 8, what);
    if (p) memcpy(value, p, 8);
    return p != NULL;
}

static bool read_string(Reader *r, GgufString *s, const char *what) {
    uint64_t n;
    if (!read_u64(r, &n, what)) return false;
    const uint8_t *p = take(r, n, what);
    if (!p) return false;
    *s = (GgufString){(const char *)p, (size_t)n};
    return true;
}

/* A key or the name of a tensor, which sentences use from then on. */
static bool read_name(Reader *r, GgufString *name) {
    uint64_t n;
    r->name = (GgufString){NULL, 0};
    if (!read_u64(r, &n, "its name's length")) return false;
    if (n == 0 || n > MAX_NAME)
        return fail(r, "its name claims %" PRIu64 " bytes; 1 to %d are possible.", n, MAX_NAME);
    const uint8_t *p = take(r, n, "its name");
    if (!p) return false;
    *name = r->name = (GgufString){(const char *)p, (size_t)n};
    return true;
}

/* Bytes of one value; 0 for strings, arrays and numbers that are no type. */
static unsigned type_size(uint32_t type) {
    static const uint8_t size[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof size ? size[type] : 0;
}

static bool read_values(Reader *r, GgufType type, uint64_t count) {
    /* The least that the values can take, so that an absurd count fails at once and products stay far below
     * 2^64. */
    uint64_t unit = type == GGUF_STRING ? 8 : type_size(type);
    if (count > 1 && count > (r->file_size - r->pos) / unit)
        return fail(r, "it claims %" PRIu64 " values of at least %" PRIu64 " bytes, but only %" PRIu64
                    " bytes of the file are left.", count, unit, r->file_size - r->pos);
    if (type != GGUF_STRING) return take(r, count * unit, "its value") != NULL;
    GgufString s;
    for (uint64_t i = 0; i < count; i++)
        if (!read_string(r, &s, "a string in it")) return false;
    return true;
}

/* Makes room for one more item of `size` bytes; memory follows the bytes that were read, not what the file
 * claims. */
static bool grow(Reader *r, void **items, size_t n, size_t *capacity, size_t size) {
    if (n < *capacity) return true;
    size_t bigger = *capacity ? *capacity * 2 : 64;
    void *p = realloc(*items, bigger * size);
    if (!p) return no_memory(r);
    *items = p;
    *capacity = bigger;
    return true;
}

static bool read_entry(Reader *r, GgufEntry *e) {
    uint32_t type;
    if (!read_name(r, &e->key) || !read_u32(r, &type, "its type")) return false;
    if (type > GGUF_FLOAT64) return fail(r, "its value has type %" PRIu32 "; GGUF has 0 to %d.", type,
        GGUF_FLOAT64);
    e->type = e->elem_type = (GgufType)type;
    e->count = 1;
    if (e->type == GGUF_ARRAY) {
        if (!read_u32(r, &type, "its elements' type")) return false;
        if (type > GGUF_FLOAT64) return fail(r, "its elements have type %" PRIu32 "; GGUF has 0 to %d.", type,
            GGUF_FLOAT64);
        if (type == GGUF_ARRAY) return fail(r, "it is an array of arrays, which this engine does not read.");
        e->elem_type = (GgufType)type;
        if (!read_u64(r, &e->count, "its number of elements")) return false;
    }
    e->value = r->bytes + r->pos;
    return read_values(r, e->elem_type, e->count);
}

static bool read_entries(Reader *r, Gguf *g, uint64_t n_entries) {
    size_t capacity = 0;
    r->section = "Metadata entry";
    for (r->index = 0; r->index < n_entries; r->index++) {
        if (!grow(r, (void **)&g->entries, g->n_entries, &capacity, sizeof *g->entries)) return false;
        GgufEntry e = {0};
        if (!read_entry(r, &e)) {
            if (e.value) g->cut = e;
            return false;
        }
        g->entries[g->n_entries++] = e;
    }
    return true;
}

/* Reads a line of the directory. Its offset still counts from the first tensor's byte. */
static bool read_tensor(Reader *r, GgufTensor *t) {
    uint32_t n_dims;
    if (!read_name(r, &t->name) || !read_u32(r, &n_dims, "its number of dimensions")) return false;
    if (n_dims < 1 || n_dims > 4)
        return fail(r, "it claims %" PRIu32 " dimensions; 1 to 4 are possible.", n_dims);
    t->n_dims = (int)n_dims;
    uint64_t weights = 1;
    for (int i = 0; i < 4; i++) {
        t->dims[i] = 1;
        if (i >= t->n_dims) continue;
        if (!read_u64(r, &t->dims[i], "its dimensions")) return false;
        if (t->dims[i] == 0) return fail(r, "dimension %d is 0.", i);
        if (t->dims[i] > INT64_MAX / weights) return fail(r, "its dimensions have a product beyond 2^63.");
        weights *= t->dims[i];
    }
    if (!read_u32(r, &t->type, "its type") || !read_u64(r, &t->offset, "its offset")) return false;
    if (t->type > MAX_TENSOR_TYPE) return fail(r, "its weight type %" PRIu32 " does not exist.", t->type);
    const QuantInfo *info = quant_info(t->type);
    t->size = 0;
    if (!info) return true;
    if (t->dims[0] % (uint64_t)info->block)
        return fail(r, "a row of %" PRIu64 " weights does not divide into %s blocks of %d.", t->dims[0],
            info->name, info->block);
    uint64_t blocks = weights / (uint64_t)info->block;
    if (blocks > INT64_MAX / (uint64_t)info->bytes) return fail(r, "its size is beyond 2^63 bytes.");
    t->size = blocks * (uint64_t)info->bytes;
    return true;
}

/* ------------------------------------------------------------------------------------------ parsing */

static int compare_strings(const void *a, const void *b) {
    const GgufString *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return memcmp(x->p, y->p, x->n);
}

/* Sorts names[n]; fails when two are equal. */
static bool all_distinct(Reader *r, GgufString *names, size_t n, const char *what) {
    char quoted[72];
    qsort(names, n, sizeof *names, compare_strings);
    r->section = NULL;
    for (size_t i = 1; i < n; i++)
        if (compare_strings(&names[i - 1], &names[i]) == 0)
            return fail(r, "it has two %s \"%s\".", what, error_quote(quoted, names[i].p, names[i].n));
    return true;
}

static bool check_names(Reader *r, const Gguf *g) {
    size_t most = g->n_entries > g->n_tensors ? g->n_entries : g->n_tensors;
    GgufString *names = malloc((most + 1) * sizeof *names);
    if (!names) return no_memory(r);
    for (size_t i = 0; i < g->n_entries; i++) names[i] = g->entries[i].key;
    bool good = all_distinct(r, names, g->n_entries, "metadata entries");
    if (good) {
        for (size_t i = 0; i < g->n_tensors; i++) names[i] = g->tensors[i].name;
        good = all_distinct(r, names, g->n_tensors, "tensors");
    }
    free(names);
    return good;
}

static bool read_preamble(Reader *r, Gguf *g, uint64_t *n_tensors, uint64_t *n_entries) {
    char quoted[72];
    if (r->file_size < 4) {
        error_set(r->err, GEMMA_BAD_FILE, "This is not a GGUF file: the file ends at byte %" PRIu64 ".",
            r->file_size);
        r->result = GGUF_FAILED;
        return false;
    }
    const uint8_t *magic = take(r, 4, "the mark \"GGUF\"");
    if (!magic) return false;
    if (memcmp(magic, "GGUF", 4) != 0) {
        error_set(r->err, GEMMA_BAD_FILE,
            "This is not a GGUF file: it begins with \"%s\", not with \"GGUF\".",
                  error_quote(quoted, (const char *)magic, 4));
        r->result = GGUF_FAILED;
        return false;
    }
    if (!read_u32(r, &g->version, "the version")) return false;
    bool swapped = g->version && (g->version & 0xffff) == 0;
    if (swapped || g->version < 2 || g->version > 3) {
        if (swapped) error_set(r->err, GEMMA_UNSUPPORTED,
            "This is a big-endian GGUF file; only little-endian ones are read.");
        else error_set(r->err, GEMMA_UNSUPPORTED,
            "This is a GGUF file of version %" PRIu32 "; versions 2 and 3 are read.", g->version);
        r->result = GGUF_FAILED;
        return false;
    }
    if (!read_u64(r, n_tensors, "the number of tensors")) return false;
    if (*n_tensors > GGUF_MAX_TENSORS)
        return fail(r, "it claims %" PRIu64 " tensors; at most %d are read.", *n_tensors, GGUF_MAX_TENSORS);
    if (!read_u64(r, n_entries, "the number of metadata entries")) return false;
    if (*n_entries > GGUF_MAX_ENTRIES)
        return fail(r, "it claims %" PRIu64 " metadata entries; at most %d are read.", *n_entries,
            GGUF_MAX_ENTRIES);
    return true;
}

static bool read_directory(Reader *r, Gguf *g) {
    uint64_t n_tensors = 0, n_entries = 0;
    if (!read_preamble(r, g, &n_tensors, &n_entries)) return false;
    if (!read_entries(r, g, n_entries)) return false;
    size_t capacity = 0;
    r->section = "Tensor";
    for (r->index = 0; r->index < n_tensors; r->index++) {
        if (!grow(r, (void **)&g->tensors, g->n_tensors, &capacity, sizeof *g->tensors)) return false;
        if (!read_tensor(r, &g->tensors[g->n_tensors])) return false;
        g->n_tensors++;
    }
    return true;
}

static int compare_tensors(const void *a, const void *b) {
    const GgufTensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

/* Turns offsets into bytes of the file, sorts by them and checks that tensors lie in the file, one after the
 * other. */
static bool place_tensors(Reader *r, Gguf *g) {
    char quoted[72], other[72];
    int64_t alignment = DEFAULT_ALIGNMENT;
    r->err->status = GEMMA_OK;
    gguf_get_int(g, "general.alignment", MIN_ALIGNMENT, MAX_ALIGNMENT, &alignment, r->err);
    if (r->err->status != GEMMA_OK) {
        r->result = GGUF_FAILED;
        return false;
    }
    if (alignment & (alignment - 1))
        return fail(r, "general.alignment is %" PRId64 ", not a power of two.", alignment);
    g->alignment = (uint32_t)alignment;
    g->header_size = (r->pos + g->alignment - 1) / g->alignment * g->alignment;
    if (g->header_size > g->file_size) {
        if (g->n_tensors)
            return fail(r, "the file ends at byte %" PRIu64 ", before its first tensor (byte %" PRIu64 "): "
                "is the download incomplete?", g->file_size, g->header_size);
        g->header_size = g->file_size;
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        GgufTensor *t = &g->tensors[i];
        error_quote(quoted, t->name.p, t->name.n);
        if (t->offset % g->alignment)
            return fail(r, "tensor \"%s\" has offset %" PRIu64 ", not a multiple of %" PRIu32 ".", quoted,
                t->offset, g->alignment);
        uint64_t room = g->file_size - g->header_size;
        if (t->offset > room || t->size > room - t->offset) {
            /* Offset and size are below 2^64 and 2^63: the end may be beyond what 64 bits hold. */
            error_set(r->err, GEMMA_BAD_FILE,
                "The file ends at byte %" PRIu64 ", but tensor \"%s\" needs %" PRIu64
                      " bytes from offset %" PRIu64 " after byte %" PRIu64 " on: is the download incomplete?",
                      g->file_size, quoted, t->size, t->offset, g->header_size);
            r->result = GGUF_FAILED;
            return false;
        }
        t->offset += g->header_size;
    }
    if (g->n_tensors) qsort(g->tensors, g->n_tensors, sizeof *g->tensors, compare_tensors);
    for (size_t i = 1; i < g->n_tensors; i++) {
        const GgufTensor *before = &g->tensors[i - 1], *t = &g->tensors[i];
        if (t->offset < before->offset + before->size)
            return fail(r, "tensors \"%s\" and \"%s\" overlap at byte %" PRIu64 ".",
                error_quote(other, before->name.p, before->name.n),
                        error_quote(quoted, t->name.p, t->name.n), t->offset);
    }
    if (g->header_size > r->n) r->result = GGUF_INCOMPLETE;     /* of the padding */
    return r->result == GGUF_COMPLETE;
}

GgufResult gguf_parse_beginning(Gguf *g, const uint8_t *bytes, size_t n, uint64_t file_size,
    GemmaError *err) {
    assert(n <= file_size);
    Reader r = {.bytes = bytes, .n = n, .file_size = file_size, .result = GGUF_COMPLETE, .err = err};
    *g = (Gguf){.file_size = file_size};
    g->is_whole = read_directory(&r, g);
    if (r.result != GGUF_FAILED && check_names(&r, g) && g->is_whole) place_tensors(&r, g);
    if (r.result == GGUF_FAILED) gguf_free(g);
    return r.result;
}

GgufResult gguf_parse(Gguf *g, const uint8_t *bytes, size_t n, uint64_t file_size, GemmaError *err) {
    GgufResult result = gguf_parse_beginning(g, bytes, n, file_size, err);
    if (result == GGUF_INCOMPLETE) gguf_free(g);
    return result;
}

void gguf_free(Gguf *g) {
    if (!g) return;
    free(g->entries);
    free(g->tensors);
    *g = (Gguf){0};
}

/* ------------------------------------------------------------------------------------------ asking */

bool gguf_equals(GgufString s, const char *text) {
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

const GgufEntry *gguf_find(const Gguf *g, const char *key) {
    for (size_t i = 0; i < g->n_entries; i++)
        if (gguf_equals(g->entries[i].key, key)) return &g->entries[i];
    return NULL;
}

const GgufTensor *gguf_find_tensor(const Gguf *g, const char *name) {
    for (size_t i = 0; i < g->n_tensors; i++)
        if (gguf_equals(g->tensors[i].name, name)) return &g->tensors[i];
    return NULL;
}

static const char *type_name(GgufType type) {
    static const char *const name[] = {"an 8-bit number", "an 8-bit number", "a 16-bit number",
        "a 16-bit number",
        "a 32-bit number", "a 32-bit number", "a float", "a bool", "a string", "an array", "a 64-bit number",
        "a 64-bit number", "a double"};
    return name[type];
}

static bool is_number(GgufType type) {
    return type != GGUF_BOOL && type != GGUF_STRING && type != GGUF_ARRAY;
}

static bool wrong_type(const GgufEntry *e, const char *expected, GemmaError *err) {
    char quoted[72];
    error_set(err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is %s; %s was expected.",
        error_quote(quoted, e->key.p, e->key.n),
              type_name(e->type), expected);
    return false;
}

bool gguf_get_int(const Gguf *g, const char *key, int64_t min, int64_t max, int64_t *value, GemmaError *err) {
    const GgufEntry *e = gguf_find(g, key);
    if (!e) return false;
    if (!is_number(e->type)) return wrong_type(e, "a number", err);
    /* As a double only for the sentence and for floats: 64-bit integers are compared exactly. */
    double number = gguf_number_at(e, 0);
    int64_t whole = 0;
    bool fits = true;
    if (e->type == GGUF_UINT64 || e->type == GGUF_INT64) {
        memcpy(&whole, e->value, 8);
        fits = e->type == GGUF_INT64 || whole >= 0;
    } else {
        /* Within 2^53 every whole number is exact; beyond, no float is meant as a count. */
        fits = number >= -0x1p53 && number <= 0x1p53 && number == floor(number);
        if (fits) whole = (int64_t)number;
    }
    if (!fits || whole < min || whole > max) {
        error_set(err, GEMMA_BAD_FILE,
            "Metadata entry \"%s\" is %.17g; a whole number from %" PRId64 " to %" PRId64
                  " was expected.", key, number, min, max);
        return false;
    }
    *value = whole;
    return true;
}

bool gguf_get_float(const Gguf *g, const char *key, float *value, GemmaError *err) {
    const GgufEntry *e = gguf_find(g, key);
    if (!e) return false;
    if (!is_number(e->type)) return wrong_type(e, "a number", err);
    double number = gguf_number_at(e, 0);
    if (!(fabs(number) <= FLT_MAX)) {
        error_set(err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is %g; a finite number was expected.", key,
            number);
        return false;
    }
    *value = (float)number;
    return true;
}

bool gguf_get_bool(const Gguf *g, const char *key, bool *value, GemmaError *err) {
    const GgufEntry *e = gguf_find(g, key);
    if (!e) return false;
    if (e->type != GGUF_BOOL) return wrong_type(e, "a bool", err);
    if (e->value[0] > 1) {
        error_set(err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is a bool of value %d; 0 or 1 was expected.",
            key, e->value[0]);
        return false;
    }
    *value = e->value[0] == 1;
    return true;
}

bool gguf_get_string(const Gguf *g, const char *key, GgufString *value, GemmaError *err) {
    const GgufEntry *e = gguf_find(g, key);
    if (!e) return false;
    if (e->type != GGUF_STRING) return wrong_type(e, "a string", err);
    const uint8_t *cursor = e->value;
    *value = gguf_next_string(&cursor);
    return true;
}

double gguf_number_at(const GgufEntry *e, uint64_t i) {
    assert(i < e->count && type_size(e->elem_type));
    const uint8_t *p = e->value + i * type_size(e->elem_type);
    union { uint8_t u8; int8_t i8; uint16_t u16; int16_t i16; uint32_t u32; int32_t i32; uint64_t u64;
        int64_t i64; float f; double d; } v;
    memcpy(&v, p, type_size(e->elem_type));
    switch (e->elem_type) {
    case GGUF_UINT8: return v.u8;
    case GGUF_INT8: return v.i8;
    case GGUF_UINT16: return v.u16;
    case GGUF_INT16: return v.i16;
    case GGUF_UINT32: return v.u32;
    case GGUF_INT32: return v.i32;
    case GGUF_FLOAT32: return v.f;
    case GGUF_BOOL: return v.u8 != 0;
    case GGUF_UINT64: return (double)v.u64;
    case GGUF_INT64: return (double)v.i64;
    default: return v.d;
    }
}

GgufString gguf_next_string(const uint8_t **cursor) {
    uint64_t n;
    memcpy(&n, *cursor, 8);
    GgufString s = {(const char *)*cursor + 8, (size_t)n};
    *cursor += 8 + n;
    return s;
}
