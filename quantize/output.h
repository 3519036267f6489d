/* output.h: a file that is there whole or not at all: written under another name beside its own, synced to
 * the disk, renamed at the end. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "gemma.h"

typedef struct {
    char *path, *temporary;     /* NULL after commit and discard */
    int fd;
} Output;

/* Creates it and reserves `size` bytes, so that a full disk is reported before the work. An existing file of
 * that name stays until the commit. */
bool output_create(Output *o, const char *path, uint64_t size, GemmaError *err);
/* Whether the disk has `size` bytes more, beside what is reserved; a disk that doesn't say so has them.
 * `what`: of the output, as the error names it. */
bool output_check_room(const Output *o, uint64_t size, const char *what, GemmaError *err);
/* Bytes at an offset; from any thread. */
bool output_write(const Output *o, uint64_t offset, const void *p, size_t n, GemmaError *err);
/* Nothing more will be written. */
bool output_close(Output *o, GemmaError *err);
/* Closes it if it is open, and gives the file its name. After a failure, discard it. */
bool output_commit(Output *o, GemmaError *err);
/* Removes what was written; nothing after a commit. */
void output_discard(Output *o);

#endif
