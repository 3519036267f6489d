/* Copies of a session continue as it does, bit for bit: clones, and sessions saved and restored, also in the
 * middle of a wrapped ring. Bytes that are not a saved session of this model are refused. */
#include "saved_session.h"
#include "tiny_session.h"

enum { LONG = 520 };

/* A session on LONG tokens that has gone back `back` of them. */
static GemmaSession *make_session(GemmaModel *m, const int32_t *ids, int n, int back) {
    GemmaError err = {0};
    float logits[TINY_VOCAB];
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    test_sync(s, ids, n, &err);
    run(s, 100, logits);
    if (back) test_sync(s, ids, n - back, &err);
    return s;
}

enum { N_MORE = 8 };

/* Tokens more, sampled; the texts of equal sessions are equal. */
static void continue_text(GemmaSession *s, int32_t *text) {
    GemmaError err = {0};
    float logits[TINY_VOCAB];
    run(s, 64, logits);
    for (int i = 0; i < N_MORE; i++) {
        text[i] = gemma_session_sample(s);
        CHECK_INT(gemma_session_push(s, text[i], &err), GEMMA_OK);
        run(s, 1, logits);
    }
}

static uint8_t *save(const GemmaSession *s, uint64_t *n) {
    *n = gemma_session_save(s, NULL, 0);
    uint8_t *bytes = malloc(*n);
    CHECK_INT(gemma_session_save(s, bytes, *n), *n);
    return bytes;
}

TEST(clones_and_restored_sessions_continue_alike) {
    static const struct { int n, back; } states[] = {{1, 0}, {64, 0}, {129, 1}, {LONG, 0},
        {LONG, 64}, {LONG, 400}};
    for (int a = 0; a < N_CASES; a++) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 4096, 1);
        REQUIRE(m);
        int32_t ids[LONG], texts[3][N_MORE];
        uint64_t rng = 5;
        for (int i = 0; i < LONG; i++) ids[i] = (int32_t)(test_random(&rng) % TINY_VOCAB);
        for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
            GemmaSession *s = make_session(m, ids, states[i].n, states[i].back);
            GemmaSampling sampling = {.temperature = 1, .top_k = 40, .top_p = 1,
                .repeat_penalty = 1.1f, .seed = i};
            CHECK_INT(gemma_session_sampling(s, &sampling, &err), GEMMA_OK);
            CHECK_INT(gemma_session_bias(s, 3, -INFINITY, &err), GEMMA_OK);
            uint64_t n;
            uint8_t *bytes = save(s, &n);
            GemmaSession *clone = gemma_session_clone(s, &err), *restored = gemma_session_restore(m,
                bytes, n, &err);
            if (!clone || !restored) TEST_FAIL("%s", err.text);
            else {
                CHECK_INT(gemma_session_count(clone), gemma_session_count(s));
                CHECK_INT(gemma_session_count(restored), gemma_session_count(s));
                continue_text(s, texts[0]);
                continue_text(clone, texts[1]);
                continue_text(restored, texts[2]);
                if (memcmp(texts[0], texts[1], sizeof texts[0]))
                    TEST_FAIL("case %d, state %zu: the clone differs", a, i);
                if (memcmp(texts[0], texts[2], sizeof texts[0]))
                    TEST_FAIL("case %d, state %zu: the restored session differs", a, i);
            }
            free(bytes);
            gemma_session_free(s);
            gemma_session_free(clone);
            gemma_session_free(restored);
        }
        gemma_model_free(m);
    }
}

/* What was evaluated is not evaluated again, but for the tokens behind the last whole block. */
TEST(a_restored_session_evaluates_little) {
    GemmaError err = {0};
    GemmaModel *m = load_case(3, 4096, 1);
    REQUIRE(m);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 3);
    GemmaSession *s = make_session(m, ids, N_TOKENS, 0), *restored;
    uint64_t n;
    uint8_t *bytes = save(s, &n);
    REQUIRE((restored = gemma_session_restore(m, bytes, n, &err)));
    CHECK_INT(test_left(restored, &err), N_TOKENS % 64);
    gemma_session_free(restored);
    gemma_session_free(s);
    gemma_model_free(m);
    free(bytes);
}

TEST(a_clone_has_its_logits_and_its_draft) {
    GemmaError err = {0};
    GemmaModel *m = load_case(0, 4096, 1);
    REQUIRE(m);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 9);
    GemmaSession *s = make_session(m, ids, 50, 0);
    gemma_session_push(s, ids[50], &err);
    gemma_session_draft(s, (int32_t[]){ids[51], ids[52]}, 2, &err);
    CHECK_INT(test_step(s, 1, INFINITY, &err), 0);
    GemmaSession *clone = gemma_session_clone(s, &err);
    REQUIRE(clone);
    CHECK(is_right(m, clone, ids, 51, "clone"));
    CHECK(gemma_session_accept(clone, ids[51]));
    CHECK(is_right(m, clone, ids, 52, "clone after a draft token"));
    CHECK(gemma_session_accept(s, ids[51]) && gemma_session_accept(s, ids[52]));
    CHECK(is_right(m, s, ids, 53, "original"));
    gemma_session_free(clone);
    gemma_session_free(s);
    gemma_model_free(m);
}

TEST(a_clone_of_a_session_that_pools_pools) {
    enum { N_EMBD = 64, READ = 32 };
    GemmaError err = {0};
    GemmaModel *m = load_case(2, 4096, 1);
    REQUIRE(m);
    int32_t ids[N_TOKENS];
    float want[N_EMBD], got[N_EMBD];
    make_tokens(ids, 9);
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    CHECK_INT(gemma_session_pool(s, &err), GEMMA_OK);
    CHECK_INT(gemma_session_embedding(s, want, &err), GEMMA_BAD_ARGUMENT);
    CHECK_INT(test_sync(s, ids, 50, &err), 0);
    CHECK_INT(test_step(s, READ, INFINITY, &err), 50 - READ);       /* half-way */
    GemmaSession *clone = gemma_session_clone(s, &err);
    REQUIRE(clone);
    for (int i = 0; i < 2; i++) {
        while (test_step(i ? clone : s, READ, INFINITY, &err) > 0) {}
        CHECK_INT(gemma_session_embedding(i ? clone : s, i ? got : want, &err), GEMMA_OK);
    }
    CHECK(!memcmp(want, got, sizeof want));
    gemma_session_free(clone);
    gemma_session_free(s);
    gemma_model_free(m);
}

TEST(bytes_that_are_no_session_of_this_model_are_refused) {
    GemmaError err = {0};
    GemmaModel *m = load_case(4, 4096, 1), *other = load_case(0, 4096, 1);
    REQUIRE(m && other);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 3);
    GemmaSession *s = make_session(m, ids, N_TOKENS, 0);
    uint64_t n, rng = 1;
    uint8_t *bytes = save(s, &n), *changed = malloc(n + 8);
    CHECK(!gemma_session_restore(other, bytes, n, &err));
    CHECK_INT(err.status, GEMMA_BAD_FILE);
    for (int i = 0; i < 400; i++) {
        uint64_t length = i % 4 ? n : test_random(&rng) % (n + 8);
        memset(changed + n, 0, 8);
        memcpy(changed, bytes, n);
        /* Mostly in the header, where numbers are believed. */
        for (int k = 0; k < 1 + i % 3; k++) changed[test_random(&rng) % (i % 2 ? 120 : n)] ^= (uint8_t)
            (1 + test_random(&rng) % 255);
        GemmaSession *bad = gemma_session_restore(m, changed, length, &err);
        CHECK(!bad);
        CHECK(err.status == GEMMA_BAD_FILE || err.status == GEMMA_BAD_ARGUMENT);
        gemma_session_free(bad);
    }
    GemmaSession *good = gemma_session_restore(m, bytes, n, &err);
    CHECK(good);
    gemma_session_free(good);
    gemma_session_free(s);
    gemma_model_free(m);
    gemma_model_free(other);
    free(bytes);
    free(changed);
}

TEST(codes_of_more_than_7_bits_are_refused) {
    GemmaError err = {0};
    GemmaModel *m = load_case(4, 4096, 1);
    REQUIRE(m);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 3);
    GemmaSession *s = make_session(m, ids, N_TOKENS, 0), *restored;
    uint64_t n;
    uint8_t *bytes = save(s, &n);
    CHECK((restored = gemma_session_restore(m, bytes, n, &err)) != NULL);
    gemma_session_free(restored);
    bytes[n - sizeof(uint64_t) - 64 * sizeof(float) - 1] |= 128;     /* the last code of the last values */
    seal_session(bytes, n);
    CHECK(!(restored = gemma_session_restore(m, bytes, n, &err)));
    CHECK_INT(err.status, GEMMA_BAD_FILE);
    gemma_session_free(restored);
    gemma_session_free(s);
    gemma_model_free(m);
    free(bytes);
}

int main(void) {
    RUN(clones_and_restored_sessions_continue_alike);
    RUN(a_restored_session_evaluates_little);
    RUN(a_clone_has_its_logits_and_its_draft);
    RUN(a_clone_of_a_session_that_pools_pools);
    RUN(bytes_that_are_no_session_of_this_model_are_refused);
    RUN(codes_of_more_than_7_bits_are_refused);
    return test_result();
}
