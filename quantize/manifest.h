/* manifest.h: writes the manifest of a GGUF, a JSON file beside it by which a page can tell and check the
 * download before and during it, and the GGUF cut into files for hosts that limit their size or can't serve
 * ranges. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "output.h"
#include "source.h"
#include "watch.h"

enum {
    MANIFEST_CHUNK_BYTES = 16 << 20,        /* what the page's store keeps as a record
                                             * (web/weights/store/store.js) */
    MANIFEST_MAX_CHUNKS = 100000,
};

/* Chunks of a file of `size` bytes; MANIFEST_MAX_CHUNKS + 1 when they are more than that: such a manifest is
 * not written. */
int manifest_count_chunks(uint64_t size, uint64_t chunk_bytes);

typedef struct {
    const char *gguf;           /* the file to be described, as it is called now */
    const char *path;           /* as it will be called */
    const Source *source;
    uint64_t chunk_bytes;
    bool split;                 /* write each chunk as a file, too */
    int n_threads;
    Watch *watch;
} ManifestJob;

/* The files written; none of them has its name yet. */
typedef struct {
    Output json;
    Output *parts;              /* [n_parts]; NULL unless split */
    int n_parts;
} Manifest;

/* False with err->status GEMMA_OK: the watch was interrupted. */
bool manifest_write(Manifest *m, const ManifestJob *job, GemmaError *err);
bool manifest_commit(Manifest *m, GemmaError *err);
/* Removes what has no name yet. */
void manifest_discard(Manifest *m);

#endif
