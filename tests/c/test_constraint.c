/* Sessions whose text a grammar constrains: it is always one of the grammar's, and the same with drafts,
 * threads, other sessions in the batch, and after a clone or a restore in its middle. */
#include "session.h"
#include "tiny_session.h"

enum { MOST = 60 };

static const char NAMES[] = "root ::= \"{\" pair (\",\" pair)* \"}\"\npair ::= [a-e]+ \":\" [0-9]{1,3}\n";

static GemmaGrammar *grammar_of(const char *gbnf) {
    GemmaError err = {0};
    GemmaGrammar *g = gemma_grammar_new(gbnf, strlen(gbnf), &err);
    if (!g) TEST_FAIL("%s", err.text);
    return g;
}

static GemmaSession *session_on(GemmaModel *m, const int32_t *ids, int n, const GemmaSampling *sampling) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 512, &err);
    CHECK_INT(test_sync(s, ids, n, &err), 0);
    CHECK_INT(gemma_session_sampling(s, sampling, &err), GEMMA_OK);
    return s;
}

static void evaluate(GemmaSession *s) {
    GemmaError err = {0};
    while (test_step(s, 64, INFINITY, &err) > 0) {}
}

/* How a text is written. */
typedef struct {
    bool forced;                /* with what the grammar forces as drafts */
    const int32_t *draft;       /* [n_draft]: or with these drafts: right ones, or wrong ones */
    int n_draft;
    bool logits;                /* someone looks at all logits of each token */
} Way;

/* Samples up to MOST tokens; returns how many, without an end token. */
static int write_text(GemmaSession *s, int32_t *text, Way way) {
    GemmaModel *m = s->model;
    GemmaError err = {0};
    for (int n = 0; n < MOST; n++) {
        if (gemma_session_constraint(s, GEMMA_NO_TOKEN) == GEMMA_ENDED) return n;
        evaluate(s);
        if (way.logits) gemma_session_logits(s);
        int32_t id = gemma_session_sample(s), draft[GEMMA_MAX_DRAFT];
        if (id < 0 || gemma_is_end(m, id)) return n;
        text[n] = id;
        if (gemma_session_accept(s, id)) continue;
        if (gemma_session_push(s, id, &err) != GEMMA_OK) TEST_FAIL("%s", err.text);
        int n_draft = way.forced ? gemma_session_forced(s, draft, GEMMA_MAX_DRAFT) : 0;
        if (n_draft) gemma_session_draft(s, draft, n_draft, &err);
        else if (n + 1 < way.n_draft) gemma_session_draft(s, way.draft + n + 1, way.n_draft - n - 1, &err);
    }
    return MOST;
}

static size_t bytes_of(GemmaModel *m, const int32_t *ids, int n, char *bytes) {
    size_t length = 0;
    for (int i = 0; i < n; i++) {
        char buf[256];
        int k = gemma_token_bytes(m, ids[i], buf);
        memcpy(bytes + length, buf, (size_t)k);
        length += (size_t)k;
    }
    return length;
}

/* Whether the text is one of the grammar's, or if it was cut the beginning of one. */
static void check_text(GemmaModel *m, GemmaGrammar *g, const int32_t *text, int n) {
    char bytes[MOST * 256];
    size_t length = bytes_of(m, text, n, bytes);
    bool accepts = false;
    GemmaError err = {0};
    CHECK_INT(gemma_grammar_accepts(g, bytes, length, &accepts, &err), GEMMA_OK);
    if (n < MOST && !accepts) TEST_FAIL("%.*s is not of the grammar", (int)length, bytes);
}

static const GemmaSampling ways_to_sample[] = {
    {.temperature = 0, .top_p = 1, .repeat_penalty = 1},
    {.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 1},
    {.temperature = 1.5f, .top_p = 0.9f, .repeat_penalty = 1, .seed = 2},
    {.temperature = 0.8f, .top_k = 8, .top_p = 0.95f, .repeat_penalty = 1.2f, .seed = 3},
    {.temperature = 2, .top_k = 3, .top_p = 1, .min_p = 0.1f, .repeat_penalty = 1, .presence_penalty = 0.5f,
        .frequency_penalty = 0.2f, .seed = 4},
};
enum { N_WAYS = sizeof ways_to_sample / sizeof *ways_to_sample };

TEST(a_text_is_of_the_grammar_and_the_same_with_drafts_and_threads) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 3);
    for (int a = 0; a < N_CASES; a += 2) {
        GemmaModel *m = load_case(a, 4096, 1), *threaded = load_case(a, 4096, 3);
        GemmaGrammar *g = grammar_of(NAMES);
        REQUIRE(m && threaded && g);
        for (int w = a / 2; w < N_WAYS; w += 2) {
            int32_t want[MOST], got[MOST], wrong[MOST] = {0};
            int n = 0;
            for (int way = 0; way < 6; way++) {
                GemmaError err = {0};
                GemmaSession *s = session_on(way == 5 ? threaded : m, ids, 20, &ways_to_sample[w]);
                CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
                Way how = {.forced = way == 1, .draft = way == 2 ? want : way == 3 ? wrong : NULL,
                    .n_draft = way == 2 || way == 3 ? n : 0, .logits = way == 4};
                int n_got = write_text(s, way ? got : want, how);
                if (way == 0) check_text(m, g, want, n = n_got);
                else if (n_got != n || memcmp(want, got, (size_t)n * sizeof *want))
                    TEST_FAIL("case %d, sampling %d: way %d gives another text", a, w, way);
                gemma_session_free(s);
            }
        }
        gemma_grammar_free(g);
        gemma_model_free(m);
        gemma_model_free(threaded);
    }
}

TEST(a_clone_and_a_restored_session_continue_in_the_middle) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 4);
    GemmaModel *m = load_case(2, 4096, 1);
    REQUIRE(m);
    for (int at = 0; at < 12; at += 3) {
        GemmaError err = {0};
        GemmaGrammar *g = grammar_of(NAMES);
        GemmaSession *s = session_on(m, ids, 100, &ways_to_sample[3]);
        CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
        int32_t texts[3][MOST];
        for (int i = 0; i < at && gemma_session_constraint(s, GEMMA_NO_TOKEN) != GEMMA_ENDED; i++) {
            evaluate(s);
            int32_t id = gemma_session_sample(s);
            if (gemma_is_end(m, id)) break;
            CHECK_INT(gemma_session_push(s, id, &err), GEMMA_OK);
        }
        uint64_t size = gemma_session_save(s, NULL, 0);
        uint8_t *bytes = malloc(size);
        CHECK_INT(gemma_session_save(s, bytes, size), size);
        GemmaSession *clone = gemma_session_clone(s, &err), *restored = gemma_session_restore(m,
            bytes, size, &err);
        gemma_grammar_free(g);      /* they have what they need */
        if (!clone || !restored) TEST_FAIL("%s", err.text);
        else {
            CHECK_INT(gemma_session_constraint(restored, GEMMA_NO_TOKEN), gemma_session_constraint(s, GEMMA_NO_TOKEN));
            int n = write_text(s, texts[0], (Way){0});
            CHECK_INT(write_text(clone, texts[1], (Way){.forced = true}), n);
            CHECK_INT(write_text(restored, texts[2], (Way){0}), n);
            CHECK(!memcmp(texts[0], texts[1], (size_t)n * sizeof(int32_t))
                && !memcmp(texts[0], texts[2], (size_t)n * sizeof(int32_t)));
        }
        /* Bytes of the grammar's text, and its place, that were changed. */
        uint64_t rng = (uint64_t)at + 1;
        for (int i = 0; i < 60; i++) {
            uint8_t *changed = malloc(size);
            memcpy(changed, bytes, size);
            changed[test_random(&rng) % (i % 2 && size > 200 ? 200 : size)] ^= (uint8_t)(1
                + test_random(&rng) % 255);
            GemmaSession *bad = gemma_session_restore(m, changed, size, &err);
            CHECK(!bad);
            gemma_session_free(bad);
            free(changed);
        }
        free(bytes);
        gemma_session_free(s);
        gemma_session_free(clone);
        gemma_session_free(restored);
    }
    gemma_model_free(m);
}

TEST(sessions_of_one_batch_have_different_constraints) {
    static const char *const texts[] = {NAMES, "root ::= \"a\" [b-e]{5,9}",
        "root ::= [0-9]+ \".\" [0-9]+", NULL};
    enum { N = 4 };
    GemmaError err = {0};
    int32_t ids[N_TOKENS], want[N][MOST], got[N][MOST];
    int n_want[N], n_got[N] = {0};
    make_tokens(ids, 5);
    GemmaModel *m = load_case(1, 4096, 1);
    REQUIRE(m);
    GemmaGrammar *g[N];
    GemmaSession *s[N];
    for (int i = 0; i < N; i++) {
        g[i] = texts[i] ? grammar_of(texts[i]) : NULL;
        s[i] = session_on(m, ids + i, 30 + i, &ways_to_sample[i]);
        CHECK_INT(gemma_session_constrain(s[i], g[i], &err), GEMMA_OK);
        n_want[i] = write_text(s[i], want[i], (Way){0});
        if (g[i]) check_text(m, g[i], want[i], n_want[i]);
        gemma_session_free(s[i]);
        s[i] = session_on(m, ids + i, 30 + i, &ways_to_sample[i]);
        CHECK_INT(gemma_session_constrain(s[i], g[i], &err), GEMMA_OK);
    }
    bool going[N] = {true, true, true, true};
    for (int round = 0; round < MOST; round++) {
        for (int left = 1; left > 0;) {
            gemma_step(m, s, N, 64, INFINITY);
            left = 0;
            for (int i = 0; i < N; i++) left += going[i] && test_left(s[i], &err) > 0;
        }
        for (int i = 0; i < N; i++) {
            if (!going[i]) continue;
            int32_t id = gemma_session_constraint(s[i], GEMMA_NO_TOKEN) == GEMMA_ENDED ? -1 : gemma_session_sample(s[i]);
            going[i] = id >= 0 && !gemma_is_end(m, id) && gemma_session_push(s[i], id, &err) == GEMMA_OK;
            if (going[i]) got[i][n_got[i]++] = id;
        }
    }
    for (int i = 0; i < N; i++) {
        CHECK_INT(n_got[i], n_want[i]);
        CHECK(n_got[i] == n_want[i] && !memcmp(got[i], want[i], (size_t)n_want[i] * sizeof *want[i]));
        gemma_session_free(s[i]);
        gemma_grammar_free(g[i]);
    }
    gemma_model_free(m);
}

static int32_t only_token(GemmaModel *m, const char *text) {
    int32_t id = -1;
    CHECK_INT(test_tokenize(m, text, strlen(text), 0, &id, 1), 1);
    return id;
}

TEST(tokens_that_do_not_fit_are_refused_and_the_end_ends_it) {
    GemmaError err = {0};
    int32_t ids[N_TOKENS];
    make_tokens(ids, 6);
    GemmaModel *m = load_case(0, 4096, 1);
    REQUIRE(m);
    GemmaGrammar *g = grammar_of("root ::= \"a\" \"b\"?");
    GemmaSession *s = session_on(m, ids, 10, &ways_to_sample[0]);
    int32_t a = only_token(m, "a"), b = only_token(m, "b"), end = 0;
    while (!gemma_is_end(m, end)) end++;
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_UNCONSTRAINED);
    CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_INCOMPLETE);
    CHECK_INT(gemma_session_push(s, b, &err), GEMMA_BAD_ARGUMENT);
    CHECK_INT(gemma_session_push(s, end, &err), GEMMA_BAD_ARGUMENT);
    CHECK_INT(gemma_session_count(s), 10);
    evaluate(s);
    CHECK_INT(gemma_session_constraint(s, a), GEMMA_COMPLETE);
    CHECK_INT(gemma_session_constraint(s, b), GEMMA_INCOMPLETE);
    CHECK_INT(gemma_session_push(s, a, &err), GEMMA_OK);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_COMPLETE);
    CHECK_INT(gemma_session_constraint(s, b), GEMMA_ENDED);
    CHECK_INT(gemma_session_draft(s, (int32_t[]){b, b, a}, 3, &err), GEMMA_OK);
    CHECK_INT(test_left(s, &err), 2);      /* cut where it does not fit */
    evaluate(s);
    int32_t id = gemma_session_sample(s);
    CHECK(id == b || gemma_is_end(m, id));
    CHECK_INT(gemma_session_push(s, b, &err), GEMMA_OK);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_ENDED);
    evaluate(s);
    CHECK(gemma_is_end(m, gemma_session_sample(s)));
    CHECK_INT(gemma_session_push(s, end, &err), GEMMA_OK);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_UNCONSTRAINED);

    /* A sync ends it, and so does none. */
    CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
    test_sync(s, ids, 10, &err);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_UNCONSTRAINED);
    CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
    CHECK_INT(gemma_session_constrain(s, NULL, &err), GEMMA_OK);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_UNCONSTRAINED);
    CHECK_INT(gemma_session_push(s, b, &err), GEMMA_OK);
    gemma_session_free(s);

    /* Where biases forbid all that fits, there is no token. */
    s = session_on(m, ids, 10, &ways_to_sample[0]);
    for (int32_t i = 0; i < TINY_VOCAB; i++) {
        char buf[256];
        if (gemma_token_bytes(m, i, buf) && buf[0] == 'a')
            CHECK_INT(gemma_session_bias(s, i, -INFINITY, &err), GEMMA_OK);
    }
    CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
    evaluate(s);
    CHECK_INT(gemma_session_sample(s), -1);
    gemma_session_free(s);
    gemma_grammar_free(g);
    gemma_model_free(m);
}

TEST(where_a_text_is_too_ambiguous_there_is_no_token) {
    GemmaError err = {0};
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    char gbnf[4096];
    int length = sprintf(gbnf, "root ::= [a-z]* (");
    for (int i = 0; i < 40; i++)
        length += sprintf(gbnf + length, "%s\"a\" [a-z]{%d}", i ? " | " : "", 4000 + i);
    sprintf(gbnf + length, ")");
    GemmaModel *m = load_case(0, 4096, 1);
    REQUIRE(m);
    GemmaGrammar *g = grammar_of(gbnf);
    GemmaSession *s = session_on(m, ids, 10, &ways_to_sample[1]);
    GemmaSession *other = session_on(m, ids, 10, &ways_to_sample[1]);
    CHECK_INT(gemma_session_constrain(s, g, &err), GEMMA_OK);
    int32_t a = only_token(m, "a");
    int n = 0;
    while (n < 400 && gemma_session_constraint(s, GEMMA_NO_TOKEN) == GEMMA_INCOMPLETE
        && gemma_session_push(s, a, &err) == GEMMA_OK) n++;
    CHECK(n > 50 && n < 400);
    evaluate(s);
    CHECK_INT(gemma_session_constraint(s, GEMMA_NO_TOKEN), GEMMA_AMBIGUOUS);
    CHECK_INT(gemma_session_sample(s), GEMMA_NO_TOKEN);
    /* Another text of the grammar is not concerned, and a session continues without it. */
    CHECK_INT(gemma_session_constrain(other, g, &err), GEMMA_OK);
    CHECK_INT(gemma_session_push(other, a, &err), GEMMA_OK);
    evaluate(other);
    CHECK(gemma_session_sample(other) >= 0);
    CHECK_INT(gemma_session_constraint(other, GEMMA_NO_TOKEN), GEMMA_INCOMPLETE);
    CHECK_INT(gemma_session_constrain(s, NULL, &err), GEMMA_OK);
    CHECK(gemma_session_sample(s) >= 0);
    bool accepts;
    char text[9000];
    memset(text, 'a', sizeof text);
    CHECK_INT(gemma_grammar_accepts(g, text, sizeof text, &accepts, &err), GEMMA_UNSUPPORTED);
    CHECK_INT(gemma_grammar_accepts(g, text, 50, &accepts, &err), GEMMA_OK);
    CHECK(!accepts);
    gemma_session_free(s);
    gemma_session_free(other);
    gemma_grammar_free(g);
    gemma_model_free(m);
}

int main(void) {
    RUN(a_text_is_of_the_grammar_and_the_same_with_drafts_and_threads);
    RUN(a_clone_and_a_restored_session_continue_in_the_middle);
    RUN(sessions_of_one_batch_have_different_constraints);
    RUN(tokens_that_do_not_fit_are_refused_and_the_end_ends_it);
    RUN(where_a_text_is_too_ambiguous_there_is_no_token);
    return test_result();
}
