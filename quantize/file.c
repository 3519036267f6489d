/* file.c: see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

static bool refused(GemmaError *err, const char *path) {
    error_set(err, GEMMA_BAD_FILE, "%s: can't be read: %s", path, strerror(errno));
    return false;
}

bool file_open(File *f, const char *path, GemmaError *err) {
    struct stat about;
    *f = (File){.fd = open(path, O_RDONLY | O_CLOEXEC), .path = strdup(path)};
    if (f->fd < 0 || !f->path || fstat(f->fd, &about) != 0) refused(err, path);
    else if (!S_ISREG(about.st_mode)) error_set(err, GEMMA_BAD_FILE, "%s: is not a file", path);
    else {
        f->size = (uint64_t)about.st_size;
        return true;
    }
    file_close(f);
    return false;
}

void file_close(File *f) {
    if (f->path && f->fd >= 0) close(f->fd);
    free(f->path);
    *f = (File){.fd = -1};
}

bool file_read(const File *f, uint64_t offset, void *to, size_t n, GemmaError *err) {
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(f->fd, (char *)to + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refused(err, f->path);
        if (got == 0) {
            error_set(err, GEMMA_BAD_FILE, "%s: ends at byte %" PRIu64 ", but %zu bytes from byte %" PRIu64 " on are needed: has it "
                      "changed?", f->path, offset + done, n, offset);
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

char *file_load(const char *path, size_t max, size_t *n, GemmaError *err) {
    File f;
    if (!file_open(&f, path, err)) return NULL;
    char *bytes = NULL;
    if (f.size > max) {
        error_set(err, GEMMA_BAD_FILE, "%s: has %" PRIu64 " bytes; at most %zu are expected of such a file", path, f.size, max);
    } else {
        *n = (size_t)f.size;
        bytes = malloc(*n + 1);
        if (!bytes) error_set(err, GEMMA_NO_MEMORY, "%s: no memory is left for its %zu bytes", path, *n);
        else if (!file_read(&f, 0, bytes, *n, err)) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (bytes) bytes[*n] = 0;
    file_close(&f);
    return bytes;
}

char *file_load_optional(const char *path, size_t max, size_t *n, bool *missing, GemmaError *err) {
    *n = 0;
    *missing = access(path, F_OK) != 0 && errno == ENOENT;
    return *missing ? NULL : file_load(path, max, n, err);
}

bool error_in_file(GemmaError *err, const char *path) {
    char sentence[sizeof err->text];
    size_t n = strlen(path);
    memcpy(sentence, err->text, sizeof sentence);
    if (strncmp(sentence, path, n) != 0 || !strchr(":/", sentence[n])) error_set(err, err->status, "%s: %s", path, sentence);
    return false;
}

bool name_is_printable(const char *name, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

char *path_join(const char *dir, const char *name) {
    size_t n = strlen(dir) + strlen(name) + 2;
    char *path = malloc(n);
    if (path) snprintf(path, n, "%s%s%s", dir, dir[0] && dir[strlen(dir) - 1] == '/' ? "" : "/", name);
    return path;
}
