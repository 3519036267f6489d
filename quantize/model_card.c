/* model_card.c: see model_card.h. Keys as in llama.cpp's gguf-py/gguf/metadata.py. */
#include "model_card.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json_file.h"
#include "model_name.h"

enum { MAX_README = 4 << 20, MAX_ITEMS = 64 };

static bool no_memory(GemmaError *err) {
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory to describe the model.");
    return false;
}

/* ------------------------------------------------------------------------------------------ the name */

/* The folder's name; in the cache of Hugging Face, ".../models--OWNER--NAME/snapshots/REVISION", the
 * model's. */
static void read_name(ModelName *name, const char *dir, uint64_t n_weights) {
    char *real = realpath(dir, NULL), *slash = real ? strrchr(real, '/') : NULL, *cached = real
        ? strstr(real, "/models--") : NULL;
    const char *folder = slash && slash[1] ? slash + 1 : "model";
    char *snapshots = cached ? strstr(cached, "/snapshots/") : NULL;
    if (snapshots && snapshots + strlen("/snapshots") == slash) {
        *snapshots = 0;
        char *part = strstr(cached + strlen("/models--"), "--");
        folder = part ? part + 2 : cached + strlen("/models--");
    }
    model_name_read(name, folder, n_weights);
    free(real);
}

static void put_part(GgufEntries *e, const char *key, const char *part) {
    if (*part) gguf_put_string(e, key, part, strlen(part));
}

/* "270M", "2.5B": at least two digits. */
static void size_label(uint64_t n_weights, char label[MODEL_NAME_PART]) {
    static const struct {
        double above, unit;
        char letter;
    } scales[] = {{1e12, 1e12, 'T'}, {1e9, 1e9, 'B'}, {1e6, 1e6, 'M'}, {0, 1e3, 'K'}};
    int i = 0;
    while (i < 3 && (double)n_weights <= scales[i].above) i++;
    double scaled = (double)n_weights / scales[i].unit;
    snprintf(label, MODEL_NAME_PART, "%.*f%c", scaled < 0.5 ? 2 : scaled < 9.5 ? 1 : 0, scaled,
        scales[i].letter);
}

/* ------------------------------------------------------------------------------------------ README.md */

/* The settings that a README begins with, between two lines "---": of YAML only what model cards use,
 * "key: text", "key: [a, b]", and "key:" followed by lines "- item". */
typedef struct {
    char *text;                 /* lines that say something, each with \n at its end; NULL: there is no
                                 * README */
} FrontMatter;

/* Cuts off a comment: a # at the line's start or after a space, but not between quotes. */
static void cut_comment(char *line) {
    char quote = 0, before = ' ';
    for (char *c = line; *c; before = *c++) {
        if (quote && *c == quote) quote = 0;
        else if (!quote && (*c == '"' || *c == '\'') && strchr(" \t[,", before)) quote = *c;
        else if (!quote && *c == '#' && strchr(" \t", before)) *c = 0;
        if (!*c) return;
    }
}

/* Leaves of a README its settings; without the second "---" there are none. */
static void keep_settings(char *text) {
    char *out = text, *next = text;
    bool begun = false, ended = false;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) next += 3;      /* a byte order mark */
    for (char *line = next; *line && !ended; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        bool is_fence = strcmp(line, "---") == 0;
        if (!begun && !is_fence) break;
        ended = begun && is_fence;
        begun = true;
        if (is_fence) continue;
        cut_comment(line);
        size_t n = strlen(line);
        while (n > 0 && strchr(" \t", line[n - 1])) n--;
        if (n == 0) continue;
        memmove(out, line, n);
        out[n] = '\n';
        out += n + 1;
    }
    if (!ended) out = text;
    *out = 0;
}

static bool front_matter_open(FrontMatter *f, const char *dir, GemmaError *err) {
    char *path = path_join(dir, "README.md");
    if (!path) return no_memory(err);
    size_t n;
    bool missing;
    f->text = file_load_optional(path, MAX_README, &n, &missing, err);
    free(path);
    if (f->text) keep_settings(f->text);
    return f->text || missing;
}

/* Without spaces and quotes around it; changes the text. */
static char *trimmed(char *text) {
    text += strspn(text, " \t\"'");
    size_t n = strlen(text);
    while (n > 0 && strchr(" \t\r\"'", text[n - 1])) n--;
    text[n] = 0;
    return text;
}

/* The values of a key, to be freed with `copy`, into which they point; returns how many. */
static int front_matter_get(const FrontMatter *f, const char *key, char *items[MAX_ITEMS], char **copy) {
    int n = 0;
    bool inside = false;
    *copy = f->text ? strdup(f->text) : NULL;
    for (char *line = *copy, *next; line && *line && n < MAX_ITEMS; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = 0;
        char *item = line + strspn(line, " ");
        if (inside && item[0] == '-' && item[1] == ' ') {
            items[n++] = trimmed(item + 2);
            continue;
        }
        inside = strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':';
        char *value = inside ? trimmed(line + strlen(key) + 1) : "";
        if (*value == '[') {
            value[strcspn(value, "]")] = 0;
            char *rest;
            for (char *part = strtok_r(value + 1, ",", &rest); part
                && n < MAX_ITEMS; part = strtok_r(NULL, ",", &rest))
                items[n++] = trimmed(part);
        } else if (*value) items[n++] = value;
    }
    return n;
}

static void put_text(GgufEntries *e, const FrontMatter *f, const char *from, const char *key) {
    char *items[MAX_ITEMS], *copy;
    if (front_matter_get(f, from, items, &copy) > 0) gguf_put_string(e, key, items[0], strlen(items[0]));
    free(copy);
}

/* The items of two keys as one list. */
static void put_list(GgufEntries *e, const FrontMatter *f, const char *first, const char *second,
    const char *key) {
    char *items[2 * MAX_ITEMS], *copies[2];
    int n = front_matter_get(f, first, items, &copies[0]);
    n += front_matter_get(f, second, items + n, &copies[1]);
    if (n > 0) gguf_put_array(e, key, GGUF_STRING, (uint64_t)n);
    for (int i = 0; i < n; i++) bytes_put_string(&e->bytes, items[i], strlen(items[i]));
    free(copies[0]);
    free(copies[1]);
}

/* The rest of a text that begins so, or NULL. */
static const char *after(const char *text, const char *start) {
    size_t n = strlen(start);
    return strncmp(text, start, n) == 0 ? text + n : NULL;
}

static bool is_address(const char *text) {
    return after(text, "https://") || after(text, "http://") || after(text, "ssh://");
}

/* "google/gemma-2b" of an address at Hugging Face, or NULL. */
static const char *id_in_address(const char *address) {
    const char *id = after(address, "https://huggingface.co/");
    if (!id) id = after(address, "http://huggingface.co/");
    const char *slash = id ? strchr(id, '/') : NULL;
    return slash && slash > id && slash[1] && !strchr(slash + 1, '/') ? id : NULL;
}

/* "general.KIND.INDEX.PART" */
static void put_origin_part(GgufEntries *e, const char *kind, int index, const char *part, const char *text) {
    char key[64];
    snprintf(key, sizeof key, "general.%s.%d.%s", kind, index, part);
    put_part(e, key, text);
}

/* What this work was made of: `item` is "OWNER/NAME" at Hugging Face, an address, or a name. */
static void put_origin(GgufEntries *e, const char *kind, int index, const char *item, uint64_t n_weights) {
    enum { MOST = 2 * MODEL_NAME_PART };
    const char *id = is_address(item) ? id_in_address(item) : item;
    const char *slash = id && !strchr(id, ' ') ? strchr(id, '/') : NULL;
    char owner[MODEL_NAME_PART] = "", address[MOST + 32] = "";
    bool has_owner = slash && *id != '.' && slash - id < MODEL_NAME_PART;
    if (has_owner) memcpy(owner, id, (size_t)(slash - id));
    if (has_owner && strlen(id) < MOST) snprintf(address, sizeof address, "https://huggingface.co/%s", id);

    ModelName name = {0}, owner_name;
    if (id) model_name_read(&name, slash ? slash + 1 : id, n_weights);
    model_name_read(&owner_name, owner, n_weights);
    put_origin_part(e, kind, index, "name", name.title);
    put_origin_part(e, kind, index, "version", name.version);
    put_origin_part(e, kind, index, "organization", owner_name.title);
    put_origin_part(e, kind, index, "repo_url", is_address(item) ? item : address);
}

/* By the first of the keys that the README has. */
static void put_origins(GgufEntries *e, const FrontMatter *f, const char *const keys[3], const char *kind,
    uint64_t n_weights) {
    char *items[MAX_ITEMS], *copy = NULL, count_key[64];
    int n = 0;
    for (int i = 0; i < 3 && n == 0; i++) {
        free(copy);
        n = front_matter_get(f, keys[i], items, &copy);
    }
    snprintf(count_key, sizeof count_key, "general.%s.count", kind);
    if (n > 0) gguf_put_u32(e, count_key, (uint32_t)n);
    for (int i = 0; i < n; i++) put_origin(e, kind, i, items[i], n_weights);
    free(copy);
}

/* ------------------------------------------------------------------------------------------ generation_config.json */

static bool put_sampling(GgufEntries *e, const char *dir, GemmaError *err) {
    static const struct {
        const char *from, *key;
    } numbers[] = {{"top_p", "general.sampling.top_p"}, {"min_p", "general.sampling.min_p"},
        {"temperature", "general.sampling.temp"},
                   {"repetition_penalty", "general.sampling.penalty_repeat"}};
    JsonFile f;
    if (!json_file_open(&f, dir, "generation_config.json", false, err)) return false;
    int64_t top_k;
    double number;
    if (json_int(json_get(f.root, "top_k"), &top_k) && top_k >= 0 && top_k <= INT32_MAX)
        gguf_put_i32(e, "general.sampling.top_k", (int32_t)top_k);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (json_double(json_get(f.root, numbers[i].from), &number) && fabs(number) <= FLT_MAX)
            gguf_put_f32(e, numbers[i].key, (float)number);
    json_file_close(&f);
    return true;
}

bool model_card_write(GgufEntries *e, const char *dir, const char *name, uint64_t n_weights, char **shown,
    GemmaError *err) {
    FrontMatter readme = {0};
    ModelName of_folder;
    read_name(&of_folder, dir, n_weights);
    if (!*of_folder.size_label) size_label(n_weights, of_folder.size_label);
    *shown = strdup(name ? name : of_folder.title);
    if (!*shown) return no_memory(err);
    gguf_put_string(e, "general.type", "model", 5);
    if (!put_sampling(e, dir, err) || !front_matter_open(&readme, dir, err)) return false;
    put_part(e, "general.name", *shown);
    put_part(e, "general.version", of_folder.version);
    put_part(e, "general.finetune", of_folder.finetune);
    put_part(e, "general.basename", of_folder.basename);
    put_part(e, "general.size_label", of_folder.size_label);
    put_text(e, &readme, "license", "general.license");
    put_text(e, &readme, "license_name", "general.license.name");
    put_text(e, &readme, "license_link", "general.license.link");
    put_origins(e, &readme, (const char *[]){"base_model", "base_models", "base_model_sources"},
        "base_model", n_weights);
    put_origins(e, &readme, (const char *[]){"datasets", "dataset", "dataset_sources"}, "dataset", n_weights);
    put_list(e, &readme, "tags", "pipeline_tag", "general.tags");
    put_list(e, &readme, "language", "languages", "general.languages");
    free(readme.text);
    return true;
}
