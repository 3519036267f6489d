/* tiny_session.h: sessions on tiny models of every architecture and of each way to hold keys and values, for
 * the tests of what must not change a bit of their logits. */
#ifndef TINY_SESSION_H
#define TINY_SESSION_H

#include "calls.h"
#include "gemma.h"
#include "test.h"
#include "tiny_gguf.h"

enum { N_TOKENS = 300 };

static inline void make_tokens(int32_t *ids, uint64_t seed) {
    for (int i = 0; i < N_TOKENS; i++) ids[i] = (int32_t)(test_random(&seed) % TINY_VOCAB);
}

/* Evaluates what is pending in batches of n_batch; copies the last token's logits. */
static inline void run(GemmaSession *s, int n_batch, float *logits) {
    GemmaError err = {0};
    double left;
    while ((left = test_step(s, n_batch, INFINITY, &err)) > 0) {}
    if (left < 0) TEST_FAIL("%s", err.text);
    memcpy(logits, gemma_session_logits(s), TINY_VOCAB * sizeof *logits);
}

/* The logits of a fresh session after ids[n]. */
static inline void reference(GemmaModel *m, const int32_t *ids, int n, int n_batch, float *logits) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    CHECK_INT(test_sync(s, ids, n, &err), 0);
    run(s, n_batch, logits);
    gemma_session_free(s);
}

/* The logits after each of ids[N_TOKENS], of one fresh session. */
static inline void all_references(GemmaModel *m, const int32_t *ids, float (*logits)[TINY_VOCAB]) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    CHECK_INT(test_sync(s, ids, N_TOKENS, &err), 0);
    for (int at = 0, end; at < N_TOKENS; at = end) {
        end = N_TOKENS - (int)test_step(s, 256, INFINITY, &err);
        for (int i = at; i < end; i++)
            memcpy(logits[i], gemma_session_logits_at(s, i - at), sizeof logits[i]);
    }
    gemma_session_free(s);
}

static const struct { TinySpec spec; GemmaPrecision precision; } cases[] = {
    {{"gemma", QUANT_Q4_0, 2, 64, 4, 1, 32, 96, 1024, 0}, GEMMA_F16_CACHE},
    {{"gemma2", QUANT_Q8_0, 3, 64, 4, 2, 32, 96, 1024, 32}, GEMMA_F16_CACHE},
    {{"gemma3", QUANT_F16, 7, 64, 4, 1, 32, 96, 1024, 16}, GEMMA_F16_CACHE},
    {{"gemma2", QUANT_Q4_0, 3, 64, 4, 2, 32, 96, 1024, 32}, GEMMA_INT8_CACHE},
    {{"gemma3", QUANT_Q8_0, 7, 64, 4, 1, 64, 96, 1024, 16}, GEMMA_INT8_CACHE},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static inline GemmaModel *load(const uint8_t *file, size_t n, size_t piece, int n_threads,
    GemmaPrecision precision) {
    GemmaError err = {0};
    GemmaModel *m = tiny_load_as(n, file, n, piece, (GemmaOptions){n_threads, precision}, &err);
    if (!m) TEST_FAIL("%s", err.text);
    return m;
}

/* The model of one of the cases. */
static inline GemmaModel *load_case(int a, size_t piece, int n_threads) {
    size_t n;
    uint8_t *file = tiny_gguf(&cases[a].spec, 5, &n);
    GemmaModel *m = load(file, n, piece, n_threads, cases[a].precision);
    free(file);
    return m;
}

/* The logits that a fresh session has after tokens[n]. */
static inline bool is_right(GemmaModel *m, GemmaSession *s, const int32_t *tokens, int n, const char *what) {
    float want[TINY_VOCAB], got[TINY_VOCAB];
    memcpy(got, gemma_session_logits(s), sizeof got);
    reference(m, tokens, n, 256, want);
    if (!memcmp(want, got, sizeof want)) return true;
    TEST_FAIL("%s: other logits after %d tokens", what, n);
    return false;
}

#endif
