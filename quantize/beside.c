/* beside.c: see beside.h. */
#include "beside.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "json_file.h"

static bool no_memory(GemmaError *err) {
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the names of the output.");
    return false;
}

char *beside_manifest_path(const char *out) {
    size_t n = strlen(out) + 8;
    char *path = malloc(n);
    if (path) snprintf(path, n, "%s.json", out);
    return path;
}

char *beside_part_path(const char *out, int number) {
    size_t n = strlen(out) + 32;
    char *path = malloc(n);
    if (path) snprintf(path, n, "%s.part-%05d", out, number);
    return path;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ------------------------------------------------------------------------------------------ an earlier manifest */

/* The manifest of an earlier run with this output; f->root is NULL when there is none, or the file is
 * something else. */
static void open_manifest(JsonFile *f, const char *out) {
    GemmaError ignored;
    size_t n = strlen(out);
    char *folder = strndup(out, n - strlen(file_name(out))), *path = beside_manifest_path(file_name(out));
    *f = (JsonFile){0};
    if (folder && path) json_file_open(f, *folder ? folder : ".", path, false, &ignored);
    const JsonNode *chunks = json_get(f->root, "chunks");
    bool is_ours = json_equals(json_get(f->root, "file"), file_name(out))
        && json_get(f->root, "sha256") && chunks &&
                   chunks->kind == JSON_ARRAY;
    if (!is_ours) json_file_close(f);
    free(folder);
    free(path);
}

/* ------------------------------------------------------------------------------------------ what may be replaced */

static bool is_same(const char *path, const struct stat *out) {
    struct stat about;
    return path && stat(path, &about) == 0 && about.st_dev == out->st_dev && about.st_ino == out->st_ino;
}

static bool is_gguf(const char *path) {
    File f;
    GemmaError ignored;
    char magic[4] = "";
    bool good = file_open(&f, path, &ignored) && f.size >= 4 && file_read(&f, 0, magic, 4, &ignored);
    if (good) file_close(&f);
    return good && memcmp(magic, "GGUF", 4) == 0;
}

/* Whether it is one of the files of a checkpoint's folder. GGUF files there are results, not inputs. */
static bool is_in_folder(const char *in, const struct stat *out) {
    DIR *dir = opendir(in);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir)) != NULL;) {
        char *path = path_join(in, entry->d_name);
        found = is_same(path, out) && !is_gguf(path);
        free(path);
    }
    if (dir) closedir(dir);
    return found;
}

/* Whether `path` may come to be, or be replaced. */
static bool check_path(const Beside *b, const char *path, bool is_earlier_result, GemmaError *err) {
    struct stat about;
    if (stat(path, &about) != 0) return true;
    if (!S_ISREG(about.st_mode)) {
        error_set(err, GEMMA_BAD_FILE, "%s is there and is not a file; choose another --out.", path);
        return false;
    }
    bool is_input = is_same(b->in, &about) || is_same(b->imatrix, &about)
        || (!is_earlier_result && is_in_folder(b->in, &about));
    for (int i = 0; i < b->source->n_files; i++)
        is_input = is_input || is_same(b->source->files[i].path, &about);
    if (is_input) error_set(err, GEMMA_BAD_ARGUMENT,
        "%s: The output is the input, which would be lost; choose another --out.", path);
    return !is_input;
}

bool beside_check(const Beside *b, GemmaError *err) {
    JsonFile earlier;
    if (!check_path(b, b->out, false, err)) return false;
    open_manifest(&earlier, b->out);
    bool is_ours = earlier.root != NULL, good = true;
    json_file_close(&earlier);
    if (b->manifest) {
        char *path = beside_manifest_path(b->out);
        good = path ? check_path(b, path, is_ours, err) : no_memory(err);
        free(path);
    }
    for (int i = 0; good && i < b->n_parts; i++) {
        char *path = beside_part_path(b->out, i);
        good = path ? check_path(b, path, is_ours, err) : no_memory(err);
        free(path);
    }
    return good;
}

/* ------------------------------------------------------------------------------------------ what is out of date */

static bool remove_file(const char *path, GemmaError *err) {
    if (unlink(path) == 0 || errno == ENOENT) return true;
    error_set(err, GEMMA_BAD_FILE, "%s describes the file that was there before, and can't be removed: %s.",
        path, strerror(errno));
    return false;
}

/* The part's number when a manifest's chunk is in a file of the name that this program gives it; else -1. */
static int part_number(const JsonNode *file, const char *out) {
    const char *name = file_name(out);
    size_t n = strlen(name), n_digits;
    char digits[12] = "";
    if (!file || file->kind != JSON_STRING || file->n <= n + 6 || memcmp(file->text, name, n) != 0 ||
        memcmp(file->text + n, ".part-", 6) != 0)
        return -1;
    n_digits = file->n - n - 6;
    if (n_digits < 5 || n_digits > 8) return -1;
    memcpy(digits, file->text + n + 6, n_digits);
    return strspn(digits, "0123456789") == n_digits ? atoi(digits) : -1;
}

static void note_removed(const Beside *b, int n_removed, Bytes *notes) {
    char line[160];
    if (n_removed == 0 && b->manifest) return;
    if (n_removed == 0) snprintf(line, sizeof line,
        "removed: the manifest of the file that was there before\n");
    else snprintf(line, sizeof line, "removed: %d parts of the file that was there before\n", n_removed);
    bytes_put(notes, line, strlen(line));
}

bool beside_clear(const Beside *b, Bytes *notes, GemmaError *err) {
    JsonFile earlier;
    int n_removed = 0;
    open_manifest(&earlier, b->out);
    if (!earlier.root) return true;
    const JsonNode *chunks = json_get(earlier.root, "chunks"), *chunk = json_first(chunks);
    char *path = beside_manifest_path(b->out);
    /* first: from here on nothing describes a file that is not there */
    bool good = path ? remove_file(path, err) : no_memory(err);
    free(path);
    for (uint32_t i = 0; good && i < chunks->n; i++, chunk = json_next(chunk)) {
        int number = part_number(json_get(chunk, "file"), b->out);
        if (number < b->n_parts) continue;
        path = beside_part_path(b->out, number);
        good = path ? remove_file(path, err) : no_memory(err);
        free(path);
        n_removed++;
    }
    json_file_close(&earlier);
    if (good) note_removed(b, n_removed, notes);
    return good;
}
