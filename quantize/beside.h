/* beside.h: what lies at the names that a run will write, the GGUF's, its manifest's and its parts': whether
 * they may be replaced, and what an earlier run left there that describes another file. Knows nothing of what
 * is written. */
#ifndef BESIDE_H
#define BESIDE_H

#include "source.h"

typedef struct {
    const char *in, *imatrix;   /* as given; imatrix may be NULL */
    const Source *source;
    const char *out;
    bool manifest;              /* OUT.json is written, too */
    int n_parts;                /* so are OUT.part-00000 ...; 0: none */
} Beside;

/* "OUT.json", "OUT.part-00007", to be freed; NULL when memory is short. */
char *beside_manifest_path(const char *out);
char *beside_part_path(const char *out, int number);

/* Refuses names that hold anything but a file, and those of files that this run reads or could read: they
 * would be lost. */
bool beside_check(const Beside *b, GemmaError *err);

/* Removes the manifest that an earlier run left and its parts that this run does not replace: they describe
 * another file. Only what such a manifest names is removed. Adds a line to *notes for it. */
bool beside_clear(const Beside *b, Bytes *notes, GemmaError *err);

#endif
