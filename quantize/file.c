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
    error_set(err, GEMMA_BAD_FILE, "%s can't be read: %s.", path, strerror(errno));
    return false;
}

static const char *kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    return S_ISSOCK(mode) ? "a socket" : "a device";
}

/* What git checks out in place of a large file where git-lfs did not fetch it. */
static bool is_lfs_pointer(const File *f) {
    static const char first_line[] = "version https://git-lfs.github.com/spec/";
    enum { LARGEST_POINTER = 1024, N = sizeof first_line - 1 };
    char found[N];
    GemmaError ignored;
    return f->size >= N && f->size <= LARGEST_POINTER && file_read(f, 0, found, N, &ignored)
        && memcmp(found, first_line, N) == 0;
}

/* Places are read in any order, so it must be a regular file. Others are not even opened: that may wait for
 * ever, or move a device; O_NONBLOCK is for one that takes the file's place meanwhile. */
bool file_open(File *f, const char *path, GemmaError *err) {
    struct stat about;
    *f = (File){.fd = -1, .path = strdup(path)};
    bool there = f->path && stat(path, &about) == 0;
    if (there && S_ISREG(about.st_mode)) {
        f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        there = f->fd >= 0 && fstat(f->fd, &about) == 0;
    }
    f->size = there ? (uint64_t)about.st_size : 0;
    if (!there) refused(err, path);
    else if (!S_ISREG(about.st_mode)) error_set(err, GEMMA_BAD_FILE, "%s is %s; a file was expected.", path,
        kind_of(about.st_mode));
    else if (is_lfs_pointer(f))
        error_set(err, GEMMA_BAD_FILE,
            "%s is a git-lfs pointer, not the file itself: run \"git lfs pull\" in its folder, or download "
                  "the file.", path);
    else return true;
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
            error_set(err, GEMMA_BAD_FILE,
                "%s ends at byte %" PRIu64 ", but %zu bytes from byte %" PRIu64 " on are needed: has it "
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
        error_set(err, GEMMA_BAD_FILE, "%s has %" PRIu64 " bytes; at most %zu are expected of such a file.",
            path, f.size, max);
    } else {
        *n = (size_t)f.size;
        bytes = malloc(*n + 1);
        if (!bytes) error_set(err, GEMMA_NO_MEMORY, "%s: Not enough memory for its %zu bytes.", path, *n);
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
    struct stat about;
    *n = 0;
    *missing = lstat(path, &about) != 0 && errno == ENOENT;     /* a link to nothing is there: its file was
                                                                 * not downloaded */
    return *missing ? NULL : file_load(path, max, n, err);
}

bool error_in_file(GemmaError *err, const char *path) {
    char sentence[sizeof err->text];
    size_t n = strlen(path);
    memcpy(sentence, err->text, sizeof sentence);
    if (strncmp(sentence, path, n) != 0 || !strchr(":/ ", sentence[n]))
        error_set(err, err->status, "%s: %s", path, sentence);
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
