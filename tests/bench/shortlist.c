/* shortlist.c: how often the two passes of the output head miss one of the best tokens, over a text, and how
 * much they multiply.
 *
 *   emcc -std=gnu11 -O3 -msimd128 -mrelaxed-simd -ffp-contract=off -fno-math-errno -pthread \
 *       -Isrc -Isrc/kernels -DGEMMA_KERNELS=kernels_relaxed16 -c FILE
 *       for each FILE of tests/bench/shortlist.c src/[a-z]*.c (but session.c, which is in here)
 *       src/kernels/[a-z]*.c
 *   emcc -O1 -msimd128 -mrelaxed-simd *.o -sENVIRONMENT=node -sNODERAWFS -pthread -sINITIAL_MEMORY=1GB \
 *       -o shortlist.js
 *   node shortlist.js MODEL.gguf TEXT TOKENS        Node 24 or later */
#include "../../src/session.c"
#include "../c/calls.h"

#include <stdio.h>

enum { WINDOW = 1024, N_K = 3 };
static const int ks[N_K] = {1, 40, 128};

static GemmaModel *load(const char *path, GemmaError *err) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    uint64_t size = (uint64_t)ftell(f);
    rewind(f);
    GemmaLoader *l = gemma_loader_new(path, size, err);
    bool allocated = false;
    for (uint64_t done = 0; l && done < size;) {
        size_t room;
        uint8_t *to = gemma_loader_room(l, &room, err);
        if (!to) return NULL;
        if (room == 0 || room > size - done) room = (size_t)(size - done);
        room = fread(to, 1, room, f);
        done += room;
        if (gemma_loader_push(l, room, err) != GEMMA_OK) return NULL;
        if (!allocated && gemma_loader_plan(l)) {
            if (gemma_loader_allocate(l, &(GemmaOptions){.n_threads = 1}, err) != GEMMA_OK) return NULL;
            allocated = true;
        }
    }
    fclose(f);
    return l ? gemma_loader_finish(l, err) : NULL;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Tokens among the k best of `all` whose logit in `some` is another, or that something not among them
 * reaches. */
static int count_misses(const float *all, const float *some, int n, float kth) {
    int misses = 0;
    for (int i = 0; i < n; i++) {
        if (all[i] >= kth) misses += memcmp(all + i, some + i, sizeof *all) != 0;
        else misses += some[i] >= kth;
    }
    return misses;
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: shortlist MODEL.gguf TEXT TOKENS\n"), 2;
    GemmaError err = {0};
    GemmaModel *m = load(argv[1], &err);
    FILE *f = fopen(argv[2], "rb");
    if (!m || !f) return fprintf(stderr, "%s\n", m ? argv[2] : err.text), 1;
    static char text[4 << 20];
    size_t n_text = fread(text, 1, sizeof text, f);
    static int32_t ids[2 << 20];
    int n_ids = test_tokenize(m, text, n_text, 0, ids, sizeof ids / sizeof *ids), most = atoi(argv[3]);
    if (n_ids > most) n_ids = most;
    int n_vocab = m->config.n_vocab, n_tokens = 0;
    GemmaSession *s = gemma_session_new(m, WINDOW, &err);
    Workspace *t = &m->batch.workspace;
    float *sorted = malloc((size_t)n_vocab * sizeof *sorted);
    uint64_t misses[N_K] = {0}, tiles[N_K] = {0};
    gemma_profile(m);
    for (int window = 0; window < n_ids; window += WINDOW) {
        int n = n_ids - window < WINDOW ? n_ids - window : WINDOW;
        for (int at = 0, batch; at < n; at += batch) {
            batch = n - at < t->batch ? n - at : t->batch;
            if (!kv_cache_reserve(&s->cache, at, at + batch))
                return fprintf(stderr, "no memory for keys and values\n"), 1;
            transformer_begin(t, &(BatchPart){
                .cache = &s->cache, .ids = ids + window + at, .n_tok = batch, .pos = at}, 1);
            while (transformer_layer(t)) {}
            for (int i = 0; i < batch; i += 8) {
                int rows = batch - i < 8 ? batch - i : 8;
                transformer_logits(t, t->x + (size_t)i * (size_t)m->config.n_embd, 0, rows);
                float *of_rows = malloc((size_t)rows * (size_t)n_vocab * sizeof *of_rows);
                memcpy(of_rows, t->logits, (size_t)rows * (size_t)n_vocab * sizeof *of_rows);
                for (int j = 0; j < rows; j++) {
                    const float *all = of_rows + (size_t)j * (size_t)n_vocab;
                    int n_large = 0;
                    float max = all[0];
                    for (int k = 1; k < n_vocab; k++) max = all[k] > max ? all[k] : max;
                    for (float floor = max - 10; n_large < ks[N_K - 1]; floor -= 10) {
                        n_large = 0;
                        for (int k = 0; k < n_vocab; k++)
                            if (all[k] >= floor) sorted[n_large++] = all[k];
                    }
                    qsort(sorted, (size_t)n_large, sizeof *sorted, by_size);
                    for (int k = 0; k < N_K; k++) {
                        OpCost before = t->ops.cost[OP_SHORTLIST];
                        if (!transformer_prefers_best(t, ks[k]))
                            return fprintf(stderr, "this model's head has no two planes\n"), 1;
                        transformer_best_logits(t, t->x + (size_t)(i + j) * (size_t)m->config.n_embd,
                            &(ShortlistWant){.k = ks[k]}, 0, 1);
                        tiles[k] += (t->ops.cost[OP_SHORTLIST].bytes - before.bytes) / matrix_tile_bytes(
                            &m->weights.output);
                        misses[k] += (uint64_t)count_misses(all, t->logits, n_vocab, sorted[ks[k] - 1]);
                    }
                    n_tokens++;
                }
                free(of_rows);
            }
        }
        fprintf(stderr, "%d tokens:", n_tokens);
        for (int k = 0; k < N_K; k++)
            fprintf(stderr, "  best %d: %llu misses, %.2f %% of the rows multiplied", ks[k],
                (unsigned long long)misses[k],
                    100.0 * (double)tiles[k] / n_tokens / matrix_tiles(&m->weights.output));
        fprintf(stderr, "\n");
    }
    free(sorted);
    return 0;
}
