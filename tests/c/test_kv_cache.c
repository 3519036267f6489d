/* Rings of sliding-window layers, far beyond their first turn: after going back from any position, a
 * session's logits are those of a fresh session, bit for bit, for every type of keys and values. */
#include <math.h>

#include "calls.h"
#include "gemma.h"
#include "test.h"
#include "tiny_gguf.h"

enum { N_TEXTS = 4, N_TOKENS = 700, N_ROUNDS = 200, N_CTX = 704 };

/* Four texts; each shares a beginning with the one before it. */
typedef struct {
    int32_t ids[N_TEXTS][N_TOKENS];
    float logits[N_TEXTS][N_TOKENS][TINY_VOCAB];     /* of fresh sessions, after each token */
} Texts;

static void make_texts(Texts *t) {
    static const int shared[N_TEXTS] = {0, 300, 520, 447};
    uint64_t seed = 11;
    for (int a = 0; a < N_TEXTS; a++) {
        for (int i = 0; i < N_TOKENS; i++)
            t->ids[a][i] = i < shared[a] ? t->ids[a - 1][i] : (int32_t)(test_random(&seed) % TINY_VOCAB);
    }
}

static void make_references(Texts *t, GemmaModel *m) {
    GemmaError err = {0};
    for (int a = 0; a < N_TEXTS; a++) {
        GemmaSession *s = gemma_session_new(m, N_CTX, &err);
        double left = N_TOKENS, before;
        CHECK_INT(test_sync(s, t->ids[a], N_TOKENS, &err), 0);
        for (int at = 0; left > 0; at += (int)(before - left)) {
            before = left;
            left = test_step(s, GEMMA_MAX_BATCH, INFINITY, &err);
            for (int i = 0; i < (int)(before - left); i++)
                memcpy(t->logits[a][at + i], gemma_session_logits_at(s, i), sizeof t->logits[a][0]);
        }
        gemma_session_free(s);
    }
}

static bool same_logits(GemmaSession *s, const Texts *t, int a, int n) {
    return !memcmp(gemma_session_logits(s), t->logits[a][n - 1], sizeof t->logits[a][0]);
}

/* Of two texts of so many tokens, how many are the same at the beginning. */
static int common(const Texts *t, int a, int n_a, int b, int n_b) {
    int n = n_a < n_b ? n_a : n_b, i = 0;
    while (i < n && t->ids[a][i] == t->ids[b][i]) i++;
    return i;
}

/* Begins to read a text, and leaves the batch in its first layer. Returns the tokens that are there. */
static int abandon(GemmaSession *s, const Texts *t, int a, int n) {
    GemmaError err = {0};
    int kept = test_sync(s, t->ids[a], n, &err);
    test_step(s, GEMMA_MAX_BATCH, 0, &err);
    return kept;
}

/* The next token of text a, and wrong drafts after it. */
static void draft(GemmaSession *s, const Texts *t, int a, int n) {
    GemmaError err = {0};
    int32_t wrong[GEMMA_MAX_DRAFT];
    for (int i = 0; i < GEMMA_MAX_DRAFT; i++) wrong[i] = (t->ids[a][(n + 1 + i) % N_TOKENS] + 1) % TINY_VOCAB;
    CHECK_INT(gemma_session_push(s, t->ids[a][n], &err), GEMMA_OK);
    CHECK_INT(gemma_session_draft(s, wrong, GEMMA_MAX_DRAFT, &err), GEMMA_OK);
    CHECK_INT(test_step(s, 1, INFINITY, &err), 0);
    if (!same_logits(s, t, a, n + 1)) TEST_FAIL("drafts after %d tokens differ", n);
    CHECK(!gemma_session_accept(s, t->ids[a][(n + 1) % N_TOKENS]));
}

/* What was kept in each round is written to kept[n_rounds]. */
static void go_back_and_forth(GemmaModel *m, const Texts *t, const char *name, int n_rounds, int *kept) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, N_CTX, &err);
    uint64_t seed = 3;
    int text = 0, n = 0, high = 0, n_short = 0, n_rebuilt = 0;
    for (int round = 0; round < n_rounds; round++) {
        uint64_t random = test_random(&seed);
        int other = random % 3 ? text : (int)(random / 3 % N_TEXTS), span = round % 16 ? 110 : N_TOKENS;
        int next = n - span + 40 + (int)(random / 100 % (uint64_t)(2 * span)), batch = (int[]){
            1 + round % 9, 64, 256}[round % 3];
        /* about as far as rings go back */
        if (round % 4 == 3) other = text, next = high - 300 - (int)(random / 100 % 150);
        next = next < 1 ? 1 : next > N_TOKENS ? N_TOKENS : next;
        if (round % 5 == 2) {
            int most = n + 200 < N_TOKENS ? n + 200 : N_TOKENS;
            text = round % 2 ? text : (text + 1) % N_TEXTS;
            n = abandon(s, t, text, most);
            if (!n) high = 0;
        }
        int same = common(t, text, n, other, next);
        if (same == next) same--;
        kept[round] = test_sync(s, t->ids[other], next, &err);
        CHECK(kept[round] == same || kept[round] == 0);
        high = kept[round] && high > next ? high : next;
        n_short += kept[round] > 0 && kept[round] < n;
        n_rebuilt += same > 0 && kept[round] == 0;
        while (test_step(s, batch, INFINITY, &err) > 0) {}
        if (!same_logits(s, t, other, next)) TEST_FAIL("%s, round %d: %d of %d tokens were kept of %d", name,
            round, kept[round], next, n);
        text = other;
        n = next;
        if (round % 7 == 3 && n < N_TOKENS) draft(s, t, text, n++);
    }
    /* the rounds are of both kinds */
    if (n_rounds == N_ROUNDS) CHECK(n_short > n_rounds / 8 && n_rebuilt > 2);
    gemma_session_free(s);
}

TEST(two_hundred_random_rewinds_equal_fresh_sessions) {
    static const TinySpec specs[] = {
        {"gemma2", QUANT_Q4_0, 2, 32, 1, 1, 32, 32, 1024, 16},
        {"gemma3", QUANT_Q8_0, 2, 32, 2, 2, 32, 32, 1024, 100},
    };
    static const struct { const char *name; GemmaPrecision precision; int n_rounds[2]; } types[] = {
        {"f16", GEMMA_F16_CACHE, {N_ROUNDS, 50}}, {"int8", GEMMA_INT8_CACHE, {N_ROUNDS, 50}},
            {"exact", GEMMA_EXACT, {50, 20}},
    };
    Texts *t = malloc(sizeof *t);
    REQUIRE(t);
    make_texts(t);
    for (int c = 0; c < 2; c++) {
        int kept[3][N_ROUNDS];
        for (size_t p = 0; p < 3; p++) {
            size_t n;
            GemmaError err = {0};
            uint8_t *file = tiny_gguf(&specs[c], 5, &n);
            GemmaModel *m = tiny_load_as(n, file, n, n, (GemmaOptions){1, types[p].precision}, &err);
            free(file);
            if (!m) {
                TEST_FAIL("%s", err.text);
                break;
            }
            make_references(t, m);
            go_back_and_forth(m, t, types[p].name, types[p].n_rounds[c], kept[p]);
            gemma_model_free(m);
            /* one rule for all */
            CHECK(!memcmp(kept[0], kept[p], (size_t)types[p].n_rounds[c] * sizeof kept[0][0]));
        }
    }
    free(t);
}

int main(void) {
    RUN(two_hundred_random_rewinds_equal_fresh_sessions);
    return test_result();
}
