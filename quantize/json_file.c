/* json_file.c: see json_file.h. */
#include "json_file.h"

#include <stdlib.h>

#include "error.h"

bool json_file_open(JsonFile *f, const char *dir, const char *name, bool required, GemmaError *err) {
    *f = (JsonFile){0};
    char *path = path_join(dir, name);
    if (!path) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory to read %s.", name);
        return false;
    }
    size_t n = 0;
    bool missing = false;
    f->text = required ? file_load(path, JSON_MAX_BYTES, &n, err) : file_load_optional(path, JSON_MAX_BYTES,
        &n, &missing, err);
    if (f->text && !(f->root = json_parse(f->text, n, err))) error_in_file(err, path);
    free(path);
    bool good = f->root || missing;
    if (!good) json_file_close(f);
    return good;
}

void json_file_close(JsonFile *f) {
    json_free(f->root);
    free(f->text);
    *f = (JsonFile){0};
}
