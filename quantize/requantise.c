/* requantise.c: see requantise.h.
 *
 * llama.cpp's gguf-split cuts a file into parts NAME-00001-of-00003.gguf and so on, each a complete GGUF
 * file. The first has the metadata, and each has some of the tensors. Three keys mark a part, and no whole
 * file has any of them: split.no (from 0 on), split.count and split.tensors.count (of all parts). */
#include "requantise.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "foreign.h"

enum { FIRST_READ = 1 << 20, MAX_PARTS = 1000 };

/* Which part of how many a file is; count 1: it is whole. */
typedef struct {
    int64_t no, count, n_tensors;
} Split;

/* Reads the header, as much of the file as it takes. *g borrows *bytes. The caller frees *bytes, also after
 * an error. */
static bool read_header(const File *f, Gguf *g, uint8_t **bytes, GemmaError *err) {
    size_t n = 0;
    GgufResult result = GGUF_INCOMPLETE;
    *bytes = NULL;
    for (size_t want = FIRST_READ; result == GGUF_INCOMPLETE; want *= 2) {
        size_t bigger = want < f->size ? want : (size_t)f->size;
        uint8_t *grown = realloc(*bytes, bigger + 1);
        if (!grown) {
            error_set(err, GEMMA_NO_MEMORY, "Not enough memory for its header.");
            return false;
        }
        *bytes = grown;
        if (!file_read(f, n, grown + n, bigger - n, err)) return false;
        n = bigger;
        result = gguf_parse(g, *bytes, n, f->size, err);
    }
    const char *what = result == GGUF_FAILED ? foreign_file(f->path) : NULL;
    if (what) error_set(err, GEMMA_UNSUPPORTED, "This is not a GGUF file; %s.", what);
    return result == GGUF_COMPLETE;
}

/* What a multimodal model's file has besides its text model, as Ollama writes it: tensors by how their names
 * begin, and metadata by what follows the architecture's name. The engine reads neither, and llama.cpp
 * expects them in a file of their own (mmproj). */
static const struct {
    const char *tensors, *metadata;
} OTHER_PARTS[] = {{"v.", ".vision."}, {"mm.", ".mm."}, {"a.", ".audio."}};
enum { N_OTHER_PARTS = sizeof OTHER_PARTS / sizeof *OTHER_PARTS };

static bool begins(GgufString text, const char *with) {
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p, with, n) == 0;
}

/* Which of OTHER_PARTS a tensor is of; -1: none. */
static int other_part(GgufString name) {
    for (int i = 0; i < N_OTHER_PARTS; i++)
        if (begins(name, OTHER_PARTS[i].tensors)) return i;
    return -1;
}

static bool is_of_other_part(GgufString key, const char *architecture) {
    GgufString rest = {key.p + strlen(architecture), key.n - strlen(architecture)};
    if (!begins(key, architecture)) return false;
    for (int i = 0; i < N_OTHER_PARTS; i++)
        if (begins(rest, OTHER_PARTS[i].metadata)) return true;
    return false;
}

/* What the new file's header says anew, or what only holds for the old one. */
static bool is_replaced(GgufString key) {
    return gguf_equals(key, "general.file_type") || gguf_equals(key, "general.quantization_version") ||
           gguf_equals(key, "general.alignment") || begins(key, "split.");
}

static bool add_tensor(Source *s, const File *file, const GgufTensor *t, GemmaError *err) {
    char quoted[72];
    error_quote(quoted, t->name.p, t->name.n);
    if (!quant_info(t->type)) {
        error_set(err, GEMMA_UNSUPPORTED, "Tensor %s is stored as %s, which is not read here.", quoted,
            quant_type_name(t->type));
        return false;
    }
    if (!name_is_printable(t->name.p, t->name.n)) {
        error_set(err, GEMMA_BAD_FILE, "Tensor \"%s\" has control characters in its name.", quoted);
        return false;
    }
    if (t->dims[0] > SOURCE_MAX_COLS) {
        error_set(err, GEMMA_UNSUPPORTED,
            "Tensor %s has rows of %" PRIu64 " weights; at most %d are converted.", quoted, t->dims[0],
                  SOURCE_MAX_COLS);
        return false;
    }
    SourceTensor *to = &s->tensors[s->n_tensors];
    *to = (SourceTensor){.name = strndup(t->name.p, t->name.n), .label = strndup(t->name.p, t->name.n),
        .n_dims = t->n_dims,
                         .type = (QuantType)t->type, .file = file, .offset = t->offset};
    memcpy(to->dims, t->dims, sizeof to->dims);
    s->n_tensors++;
    if (to->name && to->label) return true;
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the names of its tensors.");
    return false;
}

/* What GGUF files hold besides models, by general.type or general.architecture, and what to do with it. */
static const struct {
    const char *kind, *sentence;
} OTHER_KINDS[] = {
    {"adapter", "it is a LoRA adapter, not a whole model: merge it into its model with llama-export-lora, "
                "and give the result"},
    {"imatrix", "it is an importance matrix, not a model: give the model as --in, and this as --imatrix"},
    {"mmproj", "it is the vision part of a model (mmproj): give the file of the text model"},
    {"clip", "it is the vision part of a model (mmproj): give the file of the text model"},
    {"controlvector", "it is a control vector, not a model: give the model's file"},
};

static bool refuse_other_kinds(const Gguf *g, GgufString architecture, GemmaError *err) {
    GgufString type = {"", 0};
    err->status = GEMMA_OK;
    gguf_get_string(g, "general.type", &type, err);
    if (err->status != GEMMA_OK) return false;
    for (size_t i = 0; i < sizeof OTHER_KINDS / sizeof *OTHER_KINDS; i++) {
        if (!gguf_equals(type, OTHER_KINDS[i].kind) && !gguf_equals(architecture, OTHER_KINDS[i].kind))
            continue;
        error_set(err, GEMMA_UNSUPPORTED, "%s.", OTHER_KINDS[i].sentence);
        return false;
    }
    return true;
}

static bool read_metadata(Source *s, const Gguf *g, GemmaError *err) {
    GgufString architecture = {"", 0}, name = {"", 0};
    char key[64], quoted[72];
    int64_t n_layer = 0;
    err->status = GEMMA_OK;
    gguf_get_string(g, "general.architecture", &architecture, err);
    gguf_get_string(g, "general.name", &name, err);
    if (err->status != GEMMA_OK || !refuse_other_kinds(g, architecture, err)) return false;
    s->arch = arch_find(architecture.p, architecture.n);
    if (!s->arch) {
        char names[96];
        error_set(err, GEMMA_UNSUPPORTED, "Its architecture is \"%s\"; %s are converted.",
            error_quote(quoted, architecture.p, architecture.n),
                  arch_names(names));
        return false;
    }
    snprintf(key, sizeof key, "%s.block_count", s->arch->name);
    if (!gguf_get_int(g, key, 1, 65536, &n_layer, err)) {
        if (err->status == GEMMA_OK) error_set(err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is missing.", key);
        return false;
    }
    s->n_layer = (int)n_layer;
    if (name.n) s->name = strndup(name.p, name.n);
    for (size_t i = 0; i < g->n_entries; i++) {
        GgufString entry = g->entries[i].key;
        bool is_imatrix = begins(entry, "quantize.imatrix.");
        if (is_replaced(entry) || is_of_other_part(entry, s->arch->name)) continue;
        gguf_put_copy(is_imatrix ? &s->imatrix : &s->metadata, &g->entries[i]);
    }
    return true;
}

/* Adds to *n_seen how many tensors the file has, those that are left out among them. */
static bool add_tensors(Source *s, const File *file, const Gguf *g, size_t *n_seen, GemmaError *err) {
    size_t n[N_OTHER_PARTS] = {0}, first[N_OTHER_PARTS];
    if (!source_reserve(s, s->n_tensors + g->n_tensors, err)) return false;
    for (size_t i = 0; i < g->n_tensors; i++) {
        int part = other_part(g->tensors[i].name);
        if (part < 0 && !add_tensor(s, file, &g->tensors[i], err)) return false;
        if (part >= 0 && n[part]++ == 0) first[part] = i;
    }
    *n_seen += g->n_tensors;
    for (int part = 0; part < N_OTHER_PARTS; part++) {
        char quoted[72];
        if (n[part] == 0) continue;
        GgufString name = g->tensors[first[part]].name;
        error_quote(quoted, name.p, name.n);
        if (n[part] == 1) source_note(s, "left out: %s", quoted);
        else source_note(s, "left out: %s and %zu more of %s", quoted, n[part] - 1,
            OTHER_PARTS[part].tensors);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------ parts */

static bool read_split(Split *split, const Gguf *g, GemmaError *err) {
    *split = (Split){0, 1, -1};
    err->status = GEMMA_OK;
    gguf_get_int(g, "split.count", 0, MAX_PARTS, &split->count, err);
    if (err->status == GEMMA_OK) gguf_get_int(g, "split.no", 0, MAX_PARTS - 1, &split->no, err);
    if (err->status == GEMMA_OK)
        gguf_get_int(g, "split.tensors.count", 0, GGUF_MAX_TENSORS, &split->n_tensors, err);
    if (split->count < 2) *split = (Split){0, 1, -1};
    return err->status == GEMMA_OK;
}

/* Of which part of how many a file's name speaks: *number 0 when it speaks of none. */
static void read_part_name(const char *path, int *number, int *count) {
    size_t n = strlen(path), n_end = strlen("-00001-of-00003.gguf");
    *number = *count = 0;
    if (n <= n_end) return;
    const char *end = path + n - n_end;
    if (end[0] != '-' || strspn(end + 1, "0123456789") != 5 || memcmp(end + 6, "-of-", 4) != 0 ||
        strspn(end + 10, "0123456789") != 5 || strcmp(end + 15, ".gguf") != 0)
        return;
    *number = atoi(end + 1);
    *count = atoi(end + 10);
}

/* The path of part i, from 0 on, of those that `path` names one of, to be freed; the path itself where the
 * file is whole. */
static char *part_path(const char *path, const Split *split, int i) {
    char *part = strdup(path), number[16];
    if (!part || split->count == 1) return part;
    snprintf(number, sizeof number, "%05d", i + 1);
    memcpy(part + strlen(part) - strlen("00001-of-00003.gguf"), number, 5);
    return part;
}

/* Reads of the file that was named whether it is whole. */
static bool find_parts(Split *split, const char *path, GemmaError *err) {
    File f;
    Gguf g = {0};
    uint8_t *header = NULL;
    int number, count;
    if (!file_open(&f, path, err)) return false;
    bool good = read_header(&f, &g, &header, err) && read_split(split, &g, err);
    read_part_name(path, &number, &count);
    if (good && split->count > 1 && (number != split->no + 1 || count != split->count)) {
        error_set(err, GEMMA_BAD_FILE,
            "It is part %d of a model in %d files; give all of them the names that they had, such as "
                  "NAME-%05d-of-%05d.gguf.", (int)split->no + 1, (int)split->count, (int)split->no + 1,
                      (int)split->count);
        good = false;
    }
    gguf_free(&g);
    free(header);
    file_close(&f);
    return good || error_in_file(err, path);
}

/* Adds what the next file holds. */
static bool add_file(Source *s, const char *path, Split *whole, size_t *n_seen, GemmaError *err) {
    Gguf g = {0};
    Split own;
    uint8_t *header = NULL;
    int i = s->n_files;
    File *f = &s->files[i];
    if (!file_open(f, path, err)) return false;
    s->n_files++;
    bool good = read_header(f, &g, &header, err) && read_split(&own, &g, err);
    if (good && (own.no != i || own.count != whole->count)) {
        error_set(err, GEMMA_BAD_FILE,
            "It says that it is part %d of %d; part %d of %d was expected: "
            "get the parts again, all of the same model.",
            (int)own.no + 1, (int)own.count, i + 1, (int)whole->count);
        good = false;
    }
    if (good && i == 0) {
        *whole = own;
        good = read_metadata(s, &g, err);
    }
    good = good && add_tensors(s, f, &g, n_seen, err);
    gguf_free(&g);
    free(header);
    return good || error_in_file(err, path);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const SourceTensor *)a)->name, ((const SourceTensor *)b)->name);
}

/* The parts are of one model, and all of it. */
static bool check_parts(const Source *s, const Split *whole, size_t n_seen, GemmaError *err) {
    if (s->n_tensors == 0) {
        error_set(err, GEMMA_BAD_FILE,
            "It has no tensors, only metadata, such as a vocabulary: give the model's file.");
        return false;
    }
    if (whole->count == 1) return true;
    if ((int64_t)n_seen != whole->n_tensors) {
        error_set(err, GEMMA_BAD_FILE,
            "Its %d parts have %zu tensors, but should have %lld: "
            "get the parts again, all of the same model.", s->n_files, n_seen, (long long)whole->n_tensors);
        return false;
    }
    SourceTensor *sorted = malloc((s->n_tensors + 1) * sizeof *sorted);
    if (!sorted) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the list of tensors.");
        return false;
    }
    bool good = true;
    memcpy(sorted, s->tensors, s->n_tensors * sizeof *sorted);
    qsort(sorted, s->n_tensors, sizeof *sorted, compare_names);
    for (size_t i = 1; good && i < s->n_tensors; i++) {
        good = compare_names(&sorted[i - 1], &sorted[i]) != 0;
        if (!good) error_set(err, GEMMA_BAD_FILE, "Two of its parts hold tensor %s.", sorted[i].name);
    }
    free(sorted);
    return good;
}

static bool add_files(Source *s, const char *path, Split *whole, GemmaError *err) {
    size_t n_seen = 0;
    for (int i = 0; i < whole->count; i++) {
        char *part = part_path(path, whole, i);
        if (!part) error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the name of part %d.", i + 1);
        bool good = part && add_file(s, part, whole, &n_seen, err);
        if (part && !good && s->n_files == i) {     /* it could not be opened */
            char sentence[sizeof err->text];
            memcpy(sentence, err->text, sizeof sentence);
            error_set(err, err->status, "Part %d of %d is needed, too. %s", i + 1,
                (int)whole->count, sentence);
        }
        free(part);
        if (!good) return false;
    }
    return check_parts(s, whole, n_seen, err) || error_in_file(err, path);
}

bool requantise_open(Source *s, const char *path, GemmaError *err) {
    Split whole;
    *s = (Source){0};
    if (!find_parts(&whole, path, err)) return false;
    s->files = calloc((size_t)whole.count, sizeof *s->files);
    if (!s->files) error_set(err, GEMMA_NO_MEMORY, "Not enough memory.");
    else if (add_files(s, path, &whole, err)) return true;
    source_free(s);
    return false;
}
