/* shard_set.c: see shard_set.h. */
#include "shard_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"

enum { N_END = sizeof "-00001-of-00003.safetensors" - 1 };

/* Of how many files the name is one; 0: it is no shard's. *n_prefix: bytes of the name before that. */
static int read_name(const char *name, size_t *n_prefix) {
    size_t n = strlen(name);
    if (n <= N_END) return 0;
    *n_prefix = n - N_END;
    const char *end = name + *n_prefix;
    if (end[0] != '-' || strspn(end + 1, "0123456789") != 5 || memcmp(end + 6, "-of-", 4) != 0 ||
        strspn(end + 10, "0123456789") != 5 || strcmp(end + 15, ".safetensors") != 0)
        return 0;
    return atoi(end + 10);
}

static bool no_memory(GemmaError *err) {
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the names of the shards.");
    return false;
}

static bool add_name(ShardSet *set, const char *dir, const char *name, GemmaError *err) {
    size_t n_prefix = 0;
    int count = read_name(name, &n_prefix);
    if (count == 0) return true;
    if (set->count == 0) {
        set->count = count;
        set->prefix = strndup(name, n_prefix);
        return set->prefix || no_memory(err);
    }
    if (set->count == count && strlen(set->prefix) == n_prefix && memcmp(set->prefix, name, n_prefix) == 0)
        return true;
    error_set(err, GEMMA_BAD_FILE,
        "%s has no model.safetensors.index.json, and shards of several models, "
        "such as %s-00001-of-%05d.safetensors and those of %d: keep those of one.",
        dir, set->prefix, set->count, count);
    return false;
}

bool shard_set_find(ShardSet *set, const char *dir, GemmaError *err) {
    *set = (ShardSet){0};
    DIR *folder = opendir(dir);
    if (!folder) {
        error_set(err, GEMMA_BAD_FILE, "%s can't be read: %s.", dir, strerror(errno));
        return false;
    }
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(folder));)
        good = add_name(set, dir, entry->d_name, err);
    closedir(folder);
    if (!good) shard_set_free(set);
    return good;
}

void shard_set_free(ShardSet *set) {
    free(set->prefix);
    *set = (ShardSet){0};
}

char *shard_set_path(const ShardSet *set, const char *dir, int i) {
    size_t n = strlen(set->prefix) + N_END + 16;
    char *name = malloc(n), *path = NULL;
    if (name) {
        snprintf(name, n, "%s-%05d-of-%05d.safetensors", set->prefix, i + 1, set->count);
        path = path_join(dir, name);
    }
    free(name);
    return path;
}
