/* fuzz_session SECONDS SEED: two sessions of one model are led through random syncs, pushes, steps of any
 * size, alone and together, clones, saves, restores, samples and texts that a grammar constrains, on random
 * small models of all architectures. What must hold: whenever logits are ready they are, bit for bit, those
 * of a fresh session that was given the same tokens at once; counts and refusals are those of gemma.h; greedy
 * sampling takes the largest logit; a constrained text is the grammar's when it may end, with copies made in
 * its middle; bytes that are no saved session, or one with other numbers or another grammar in it, do no
 * harm. */
#include <math.h>

#include "calls.h"
#include "fuzz.h"
#include "gemma.h"
#include "random_grammar.h"
#include "saved_session.h"
#include "tiny_gguf.h"

enum { MAX_CTX = 600, N_OPERATIONS = 9, MAX_WRITTEN = 30 };

static uint64_t below(uint64_t *state, uint64_t n) { return test_random(state) % n; }

/* What the session should hold. */
typedef struct {
    GemmaModel *model;
    GemmaSession *session;
    int n_ctx, n;
    int32_t ids[MAX_CTX];
    bool pending;               /* tokens not yet evaluated */
} Case;

static GemmaModel *make_model(int n_ctx, uint64_t *state) {
    static const char *const architectures[] = {"gemma", "gemma2", "gemma3"};
    static const QuantType types[] = {QUANT_F16, QUANT_Q8_0, QUANT_Q4_0, QUANT_IQ4_NL,
        QUANT_Q2_K, QUANT_Q3_K};
    TinySpec s = {architectures[below(state, 3)], types[below(state, sizeof types / sizeof *types)],
        1 + (int)below(state, 7), 32, 4,
                  1 << below(state, 3), below(state, 2) ? 8 : 32, 32, n_ctx,
                      1 + (int)below(state, below(state, 2) ? 20 : 200)};
    s = tiny_fitted(s);
    if (s.n_embd == 256) s.n_layer = 1 + s.n_layer % 2;     /* not to take all the time */
    size_t n;
    GemmaError err = {0};
    uint8_t *file = tiny_gguf(&s, test_random(state), &n);
    GemmaOptions options = {1 + (below(state, 4) == 0), s.head_dim % 32 == 0 && below(state, 2)
        ? GEMMA_INT8_CACHE : GEMMA_F16_CACHE};
    GemmaModel *m = tiny_load_as(n, file, n, n, options, &err);
    if (!m) TEST_FAIL("%s", err.text);
    free(file);
    return m;
}

static void check_logits(Case *c) {
    float want[TINY_VOCAB];
    GemmaError err = {0};
    GemmaSession *fresh = gemma_session_new(c->model, c->n_ctx, &err);
    CHECK(test_sync(fresh, c->ids, c->n, &err) == 0);
    while (test_step(fresh, GEMMA_MAX_BATCH, INFINITY, &err) > 0) {}
    memcpy(want, gemma_session_logits(fresh), sizeof want);
    gemma_session_free(fresh);
    const float *got = gemma_session_logits(c->session);
    CHECK(got && !memcmp(got, want, sizeof want));
    CHECK(gemma_session_count(c->session) == c->n);
    int best = 0;
    for (int i = 1; i < TINY_VOCAB; i++) best = want[i] > want[best] ? i : best;
    CHECK_INT(gemma_session_sample(c->session), best);
}

/* Keeps a random part of the tokens and changes or adds some: often near the end, as a conversation that goes
 * on or back does. */
static void change(Case *c, uint64_t *state) {
    GemmaError err = {0};
    int32_t ids[MAX_CTX];
    int shared = below(state, 3) ? c->n - (int)below(state, (uint64_t)(c->n < 80 ? c->n + 1 : 80))
        : (int)below(state, (uint64_t)c->n + 1);
    int n = shared + (int)below(state, below(state, 2) ? 10 : 300);
    n = n < 1 ? 1 : n > c->n_ctx ? c->n_ctx : n;
    if (shared > n) shared = n;
    memcpy(ids, c->ids, (size_t)shared * sizeof *ids);
    for (int i = shared; i < n; i++) ids[i] = (int32_t)below(state, TINY_VOCAB);
    int same = 0, kept = test_sync(c->session, ids, n, &err);
    while (same < n && same < c->n && ids[same] == c->ids[same]) same++;
    CHECK(kept >= 0 && kept < n && kept <= same);
    memcpy(c->ids, ids, sizeof ids);
    c->n = n;
    c->pending = true;
}

static void append(Case *c, int32_t id) {
    c->ids[c->n++] = id;
    c->pending = true;
}

static void push(Case *c, uint64_t *state) {
    GemmaError err = {0};
    int32_t id = (int32_t)below(state, TINY_VOCAB);
    bool full = c->n == c->n_ctx;
    CHECK_INT(gemma_session_push(c->session, id, &err), full ? GEMMA_CONTEXT_FULL : GEMMA_OK);
    if (full) return;
    append(c, id);
}

/* One batch, or all that is left; or a layer of it; alone, or with the other session. */
static void step(Case *c, int n, uint64_t *state) {
    GemmaError err = {0};
    bool all = below(state, 4) != 0;
    int n_batch = 1 + (int)below(state, below(state, 2) ? 300 : 20);
    double left, seconds = below(state, 2) ? 0 : INFINITY;
    GemmaSession *both[2] = {c[0].session, n > 1 ? c[1].session : NULL};
    do {
        gemma_step(c->model, both, n, n_batch, seconds);
        left = 0;
        for (int i = 0; i < n; i++) left += test_left(c[i].session, &err);
    } while (all && left > 0);
    for (int i = 0; i < n; i++) {
        left = test_left(c[i].session, &err);
        CHECK(left >= 0);
        if (left == 0 && c[i].pending) check_logits(&c[i]);
        c[i].pending = left != 0;
    }
}

/* Restores bytes with some changed, whose checksum is right; what can be restored can be stepped. */
static void restore_changed(const Case *c, uint8_t *bytes, uint64_t n, uint64_t *state) {
    GemmaError err = {0};
    for (int i = 1 + (int)below(state, 4); i > 0; i--)
        bytes[below(state, below(state, 2) ? 120 : n - 8)] = (uint8_t)test_random(state);
    if (below(state, 4) == 0) n -= below(state, n - 8);
    seal_session(bytes, n);
    GemmaSession *s = gemma_session_restore(c->model, bytes, n, &err);
    for (int i = 0; s && i < 3; i++) {
        if (gemma_session_count(s) == 0) gemma_session_push(s, 1, &err);
        if (test_step(s, 50, INFINITY, &err) == 0 && gemma_session_logits(s)) gemma_session_sample(s);
    }
    gemma_session_free(s);
}

/* A copy takes the session's place. */
static void copy(Case *c, uint64_t *state) {
    GemmaError err = {0};
    GemmaSession *s;
    if (below(state, 2)) {
        s = gemma_session_clone(c->session, &err);
    } else {
        uint64_t n = gemma_session_save(c->session, NULL, 0);
        uint8_t *bytes = malloc(n);
        CHECK(gemma_session_save(c->session, bytes, n) == n);
        s = gemma_session_restore(c->model, bytes, n, &err);
        restore_changed(c, bytes, n, state);
        free(bytes);
        c->pending = true;
    }
    if (!s) {
        TEST_FAIL("%s", err.text);
        return;
    }
    gemma_session_free(c->session);
    c->session = s;
}

/* Pushes a token at random. Returns whether it fits; nothing has happened otherwise. */
static bool push_any(Case *c, uint64_t *state) {
    GemmaError err = {0};
    int32_t id = (int32_t)below(state, TINY_VOCAB);
    if (gemma_is_end(c->model, id)) return false;
    GemmaConstraint place = gemma_session_constraint(c->session, GEMMA_NO_TOKEN);
    GemmaStatus status = gemma_session_push(c->session, id, &err);
    CHECK(status == GEMMA_OK || status == GEMMA_BAD_ARGUMENT);
    if (status == GEMMA_OK) append(c, id);
    else CHECK(gemma_session_constraint(c->session, GEMMA_NO_TOKEN) == place && gemma_session_count(c->session) == c->n);
    return status == GEMMA_OK;
}

/* The text from token `begin` on is the grammar's just where the session says that it may end. */
static void check_text(const Case *c, GemmaGrammar *g, int begin) {
    char text[MAX_WRITTEN * 256];
    size_t n = 0;
    for (int i = begin; i < c->n; i++) n += (size_t)gemma_token_bytes(c->model, c->ids[i], text + n);
    bool accepts, is_whole = gemma_session_constraint(c->session, GEMMA_NO_TOKEN) != GEMMA_INCOMPLETE;
    GemmaError err = {0};
    CHECK_INT(gemma_grammar_accepts(g, text, n, &accepts, &err), GEMMA_OK);
    CHECK(accepts == is_whole);
}

/* Writes a text that a random grammar constrains, hot, with copies on the way. */
static void write_constrained(Case *c, uint64_t *state) {
    static RandomGrammar r;
    GemmaError err = {0};
    GemmaGrammar *g = NULL;
    while (!g) {
        random_grammar(&r, state);
        g = gemma_grammar_new(r.gbnf, r.n_gbnf, &err);
    }
    int begin = c->n;
    gemma_session_sampling(c->session, &(GemmaSampling){
        .temperature = 1.5f, .top_p = 1, .repeat_penalty = 1, .seed = test_random(state)}, &err);
    CHECK_INT(gemma_session_constrain(c->session, g, &err), GEMMA_OK);
    while (c->n < c->n_ctx && c->n - begin < MAX_WRITTEN && !test_failures) {
        check_text(c, g, begin);
        if (below(state, 8) == 0) copy(c, state);
        if (below(state, 4) == 0 && push_any(c, state)) continue;
        while (test_step(c->session, GEMMA_MAX_BATCH, INFINITY, &err) > 0) {}
        int32_t id = gemma_session_sample(c->session);
        if (gemma_session_constraint(c->session, GEMMA_NO_TOKEN) == GEMMA_INCOMPLETE)
            CHECK(id >= 0 && !gemma_is_end(c->model, id));
        if (id < 0 || gemma_is_end(c->model, id)) break;
        CHECK_INT(gemma_session_push(c->session, id, &err), GEMMA_OK);
        append(c, id);
    }
    check_text(c, g, begin);
    CHECK_INT(gemma_session_constrain(c->session, NULL, &err), GEMMA_OK);
    gemma_session_sampling(c->session, &(GemmaSampling){.top_p = 1, .repeat_penalty = 1}, &err);
    gemma_grammar_free(g);
}

static void input(uint64_t *state) {
    GemmaError err = {0};
    Case c[2] = {{.n_ctx = 1 + (int)below(state, below(state, 2) ? MAX_CTX : MAX_CTX / 6)}};
    c[1].n_ctx = c[0].n_ctx;
    c[0].model = c[1].model = make_model(c[0].n_ctx, state);
    if (!c[0].model) return;
    for (int i = 0; i < 2; i++) {
        c[i].session = gemma_session_new(c[i].model, c[i].n_ctx, &err);
        gemma_session_sampling(c[i].session, &(GemmaSampling){.top_p = 1, .repeat_penalty = 1}, &err);
        change(&c[i], state);
    }
    for (int i = 0; i < N_OPERATIONS && !test_failures; i++) {
        Case *one = &c[below(state, 2)];
        switch (below(state, 7)) {
        case 0: change(one, state); break;
        case 1: push(one, state); break;
        case 2: copy(one, state); break;
        case 3: step(c, 2, state); break;
        case 4: write_constrained(one, state); break;
        default: step(one, 1, state);
        }
    }
    for (int i = 0; i < 2; i++) gemma_session_free(c[i].session);
    gemma_model_free(c[0].model);
}

int main(int argc, char **argv) { return fuzz_main(argc, argv, "fuzz_session", input); }
