/* manifest.c: see manifest.h.
 *
 *   {"file": "gemma-2b.gguf", "name": "Gemma 2B", "architecture": "gemma", "size": BYTES, "sha256": HEX,
 *    "licence": {"name": TEXT, "url": TEXT}, "notice": TEXT,
 *    "chunkSize": BYTES, "chunks": [{"sha256": HEX, "file": "gemma-2b.gguf.part-00000"}, ...]}
 *
 * "file" of a chunk is there when the GGUF was split. The last chunk is shorter. */
#include "manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beside.h"
#include "error.h"
#include "sha256.h"
#include "workers.h"

enum { READ_BYTES = 1 << 20 };

static const char LICENCE_NAME[] = "Gemma Terms of Use", LICENCE_URL[] = "https://ai.google.dev/gemma/terms";
static const char NOTICE[] =
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms";

typedef struct {
    const ManifestJob *job;
    File gguf;
    uint8_t (*digests)[32];     /* of the whole file, then of each chunk */
    Output *parts;
} Hashing;

int manifest_count_chunks(uint64_t size, uint64_t chunk_bytes) {
    uint64_t n = (size + chunk_bytes - 1) / chunk_bytes;
    return n > MANIFEST_MAX_CHUNKS ? MANIFEST_MAX_CHUNKS + 1 : (int)n;
}

typedef struct {
    uint64_t begin, end;        /* bytes of the file */
    Output *part;               /* NULL, or where they are to be copied */
    uint8_t *digest;            /* [32]: what comes of it */
} Range;

static bool hash_range(const Hashing *h, const Range *r, const atomic_bool *stop, GemmaError *err) {
    uint8_t *bytes = malloc(READ_BYTES);
    bool good = bytes != NULL;
    Sha256 sha;
    if (!good) error_set(err, GEMMA_NO_MEMORY, "Not enough memory to hash the file.");
    sha256_begin(&sha);
    for (uint64_t at = r->begin; good && at < r->end && !*stop; at += READ_BYTES) {
        size_t n = r->end - at < READ_BYTES ? (size_t)(r->end - at) : READ_BYTES;
        good = file_read(&h->gguf, at, bytes, n, err)
            && (!r->part || output_write(r->part, at - r->begin, bytes, n, err));
        if (!good) break;
        sha256_add(&sha, bytes, n);
        watch_add(h->job->watch, n, "");
    }
    sha256_end(&sha, r->digest);
    free(bytes);
    return good;
}

/* "gemma-2b.gguf.part-00007" */
static bool create_part(const Range *r, const char *gguf, int number, GemmaError *err) {
    char *path = beside_part_path(gguf, number);
    if (!path) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory to name a part.");
        return false;
    }
    bool good = output_create(r->part, path, r->end - r->begin, err);
    free(path);
    return good;
}

/* Task 0 is the whole file, which takes as long as all the others together. */
static bool hash_task(void *context, int64_t i, int thread, const atomic_bool *stop, GemmaError *err) {
    (void)thread;
    Hashing *h = context;
    uint64_t size = h->gguf.size, chunk = h->job->chunk_bytes, begin = (uint64_t)(i - 1) * chunk;
    if (i == 0) return hash_range(h, &(Range){0, size, NULL, h->digests[0]}, stop, err);
    Range r = {begin, size - begin < chunk ? size : begin + chunk, h->parts ? &h->parts[i - 1] : NULL,
        h->digests[i]};
    if (!r.part) return hash_range(h, &r, stop, err);
    return create_part(&r, h->job->path, (int)(i - 1), err) && hash_range(h, &r, stop, err)
        && output_close(r.part, err);
}

/* ------------------------------------------------------------------------------------------ the JSON */

static void put(Bytes *b, const char *text) {
    bytes_put(b, text, strlen(text));
}

static void put_string(Bytes *b, const char *text) {
    put(b, "\"");
    for (; *text; text++) {
        char escape[8];
        if (*text == '"' || *text == '\\') bytes_put(b, "\\", 1);
        if ((unsigned char)*text >= 0x20) bytes_put(b, text, 1);
        else {
            sprintf(escape, "\\u%04x", *text);
            put(b, escape);
        }
    }
    put(b, "\"");
}

static void put_member(Bytes *b, const char *key, const char *value) {
    put(b, "    ");
    put_string(b, key);
    put(b, ": ");
    put_string(b, value);
    put(b, ",\n");
}

static void put_number(Bytes *b, const char *key, uint64_t value) {
    char line[80];
    sprintf(line, "    \"%s\": %" PRIu64 ",\n", key, value);
    put(b, line);
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static Bytes describe(const Hashing *h, int n_chunks) {
    const ManifestJob *job = h->job;
    Bytes b = {0};
    char hex[65];
    sha256_hex(h->digests[0], hex);
    put(&b, "{\n");
    put_member(&b, "file", file_name(job->path));
    put_member(&b, "name", job->source->name ? job->source->name : "");
    put_member(&b, "architecture", job->source->arch->name);
    put_number(&b, "size", h->gguf.size);
    put_member(&b, "sha256", hex);
    put(&b, "    \"licence\": {\"name\": ");
    put_string(&b, LICENCE_NAME);
    put(&b, ", \"url\": ");
    put_string(&b, LICENCE_URL);
    put(&b, "},\n");
    put_member(&b, "notice", NOTICE);
    put_number(&b, "chunkSize", job->chunk_bytes);
    put(&b, "    \"chunks\": [");
    for (int i = 0; i < n_chunks; i++) {
        sha256_hex(h->digests[i + 1], hex);
        put(&b, i ? ",\n        {\"sha256\": " : "\n        {\"sha256\": ");
        put_string(&b, hex);
        if (h->parts) put(&b, ", \"file\": ");
        if (h->parts) put_string(&b, file_name(h->parts[i].path));
        put(&b, "}");
    }
    put(&b, "\n    ]\n}\n");
    return b;
}

static bool write_json(Manifest *m, const Hashing *h, int n_chunks, GemmaError *err) {
    Bytes b = describe(h, n_chunks);
    char *path = beside_manifest_path(h->job->path);
    bool good = path && !b.failed;
    if (!good) error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the manifest.");
    good = good && output_create(&m->json, path, b.n, err) && output_write(&m->json, 0, b.p, b.n, err);
    free(path);
    free(b.p);
    return good;
}

/* ------------------------------------------------------------------------------------------ all of it */

static bool hash_all(Manifest *m, Hashing *h, GemmaError *err) {
    const ManifestJob *job = h->job;
    int n_chunks = manifest_count_chunks(h->gguf.size, job->chunk_bytes);
    h->digests = malloc((size_t)(n_chunks + 1) * 32);
    h->parts = job->split ? calloc((size_t)n_chunks, sizeof *h->parts) : NULL;
    for (int i = 0; h->parts && i < n_chunks; i++) h->parts[i].fd = -1;
    m->parts = h->parts;
    m->n_parts = h->parts ? n_chunks : 0;
    if (!h->digests || (job->split && !h->parts)) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory to hash %d chunks.", n_chunks);
        return false;
    }
    watch_begin(job->watch, "hashing", 2 * h->gguf.size);
    bool good = workers_run(job->n_threads, n_chunks + 1, hash_task, h, job->watch, err);
    watch_end(job->watch);
    return good && write_json(m, h, n_chunks, err);
}

bool manifest_write(Manifest *m, const ManifestJob *job, GemmaError *err) {
    Hashing h = {.job = job};
    *m = (Manifest){.json.fd = -1};
    if (!file_open(&h.gguf, job->gguf, err)) return false;
    bool good = hash_all(m, &h, err);
    file_close(&h.gguf);
    free(h.digests);
    if (!good) manifest_discard(m);
    return good;
}

bool manifest_commit(Manifest *m, GemmaError *err) {
    for (int i = 0; i < m->n_parts; i++)
        if (!output_commit(&m->parts[i], err)) return false;
    return output_commit(&m->json, err);
}

void manifest_discard(Manifest *m) {
    output_discard(&m->json);
    for (int i = 0; i < m->n_parts; i++) output_discard(&m->parts[i]);
    free(m->parts);
    *m = (Manifest){.json.fd = -1};
}
