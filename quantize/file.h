/* file.h: reading files: whole small ones, and ranges of large ones from any thread. Every failure is a
 * sentence that names the path. Knows no formats. */
#ifndef FILE_H
#define FILE_H

#include "gemma.h"

typedef struct {
    int fd;
    uint64_t size;
    char *path;
} File;

/* A regular file, opened for reading. Refused, with what it is: anything else, and the pointer that git-lfs
 * leaves in place of a file. */
bool file_open(File *f, const char *path, GemmaError *err);
void file_close(File *f);

/* Bytes [offset, offset + n) to `to`. */
bool file_read(const File *f, uint64_t offset, void *to, size_t n, GemmaError *err);

/* The whole file of at most `max` bytes, with a 0 after it, to be freed; NULL with *err. */
char *file_load(const char *path, size_t max, size_t *n, GemmaError *err);
/* The same when there is such a file. `missing`: there is none; then NULL without an error. */
char *file_load_optional(const char *path, size_t max, size_t *n, bool *missing, GemmaError *err);

/* Puts "path: " before the sentence of *err, unless that names it, or a file in it, already; returns
 * false. */
bool error_in_file(GemmaError *err, const char *path);

/* Whether a name from a file can stand in a sentence: no control characters. */
bool name_is_printable(const char *name, size_t n);

/* "dir/name", to be freed; NULL when memory is short. */
char *path_join(const char *dir, const char *name);

#endif
