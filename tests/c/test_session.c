/* A session gives the same logits, bit for bit, in batches of any size, with any number of threads, and after going back to a shared
 * prefix. Fidelity to llama.cpp is tested in tests/golden. */
#include <math.h>

#include "gemma.h"
#include "test.h"
#include "tiny_gguf.h"

enum { N_TOKENS = 300 };

static void make_tokens(int32_t *ids, uint64_t seed) {
    for (int i = 0; i < N_TOKENS; i++) ids[i] = (int32_t)(test_random(&seed) % TINY_VOCAB);
}

/* Evaluates what is pending in batches of n_batch; copies the last token's logits. */
static void run(GemmaSession *s, int n_batch, float *logits) {
    GemmaError err = {0};
    double left;
    while ((left = gemma_session_step(s, n_batch, INFINITY, &err)) > 0) {}
    if (left < 0) TEST_FAIL("%s", err.text);
    memcpy(logits, gemma_session_logits(s), TINY_VOCAB * sizeof *logits);
}

/* The logits of a fresh session after ids[n]. */
static void reference(GemmaModel *m, const int32_t *ids, int n, int n_batch, float *logits) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    CHECK_INT(gemma_session_sync(s, ids, n, &err), 0);
    run(s, n_batch, logits);
    gemma_session_free(s);
}

/* The logits after each of ids[N_TOKENS], of one fresh session. */
static void all_references(GemmaModel *m, const int32_t *ids, float (*logits)[TINY_VOCAB]) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    CHECK_INT(gemma_session_sync(s, ids, N_TOKENS, &err), 0);
    for (int at = 0, end; at < N_TOKENS; at = end) {
        end = N_TOKENS - (int)gemma_session_step(s, 256, INFINITY, &err);
        for (int i = at; i < end; i++) memcpy(logits[i], gemma_session_logits_at(s, i - at), sizeof logits[i]);
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

static GemmaModel *load(const uint8_t *file, size_t n, size_t piece, int n_threads, GemmaPrecision precision) {
    GemmaError err = {0};
    GemmaModel *m = tiny_load_as(n, file, n, piece, (GemmaOptions){n_threads, precision}, &err);
    if (!m) TEST_FAIL("%s", err.text);
    return m;
}

/* The model of one of the cases. */
static GemmaModel *load_case(int a, size_t piece, int n_threads) {
    size_t n;
    uint8_t *file = tiny_gguf(&cases[a].spec, 5, &n);
    GemmaModel *m = load(file, n, piece, n_threads, cases[a].precision);
    free(file);
    return m;
}

TEST(pieces_batches_and_threads_change_no_bit) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    for (int a = 0; a < N_CASES; a++) {
        size_t n;
        uint8_t *file = tiny_gguf(&cases[a].spec, 5, &n);
        float want[TINY_VOCAB], got[TINY_VOCAB];
        static const size_t pieces[] = {1 << 30, 4096, 333};
        static const int batches[] = {1, 2, 7, 128, 256};
        for (int threads = 1; threads <= 4; threads += 3) {
            GemmaModel *m = load(file, n, pieces[threads % 3], threads, cases[a].precision);
            if (!m) break;
            for (int b = threads > 1; b < 5; b += 2) {      /* some sizes with one thread, the others with four */
                bool first = threads == 1 && b == 0;
                reference(m, ids, N_TOKENS, batches[b], first ? want : got);
                if (!first && memcmp(want, got, sizeof want)) TEST_FAIL("%s: batch %d, %d threads differ", cases[a].spec.architecture, batches[b], threads);
            }
            gemma_model_free(m);
        }
        free(file);
    }
}

/* Nobody waits for a batch: after every layer others may act, and may even take the tokens back. */
TEST(a_batch_in_slices_and_one_given_up_change_no_bit) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    for (int a = 0; a < N_CASES; a++) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 1 << 20, 1);
        REQUIRE(m);
        float want[TINY_VOCAB], got[TINY_VOCAB];
        reference(m, ids, N_TOKENS, 256, want);
        GemmaSession *s = gemma_session_new(m, 1024, &err);
        gemma_session_sync(s, ids, N_TOKENS, &err);
        double left = N_TOKENS, before;
        int n_steps = 0;
        do {
            before = left;
            left = gemma_session_step(s, 100, 0, &err);
            CHECK(left >= 0 && left < before);
            n_steps++;
        } while (left > 0 && n_steps % 5);      /* then, in the middle of a batch: */
        gemma_session_push(s, 3, &err);
        gemma_session_step(s, 256, 0, &err);
        CHECK(gemma_session_sync(s, ids, N_TOKENS, &err) < N_TOKENS);
        for (n_steps = 0; gemma_session_step(s, 100, 0, &err) > 0; n_steps++) {}
        CHECK(n_steps > cases[a].spec.n_layer);
        memcpy(got, gemma_session_logits(s), sizeof got);
        if (memcmp(want, got, sizeof want)) TEST_FAIL("%s differs", cases[a].spec.architecture);
        gemma_session_free(s);
        gemma_model_free(m);
    }
}

TEST(going_back_to_a_prefix_changes_no_bit) {
    for (int a = 0; a < N_CASES; a++) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 1 << 20, 1);
        REQUIRE(m);
        GemmaSession *s = gemma_session_new(m, 1024, &err);
        int32_t ids[N_TOKENS], other[N_TOKENS];
        make_tokens(ids, 7);
        float want[TINY_VOCAB], got[TINY_VOCAB];
        gemma_session_sync(s, ids, N_TOKENS, &err);
        run(s, 100, got);
        /* 10 back: any ring still has the window. 250 back and forth: rings may have to be rebuilt. */
        for (int shared = N_TOKENS - 10; shared > 0; shared -= 120) {
            make_tokens(other, (uint64_t)shared);
            memcpy(other, ids, (size_t)shared * sizeof *ids);
            if (shared < N_TOKENS - 10) gemma_session_sync(s, ids, N_TOKENS, &err), run(s, 64, got);
            int kept = gemma_session_sync(s, other, N_TOKENS, &err);
            CHECK(kept == shared || kept == 0);
            if (shared == N_TOKENS - 10) CHECK_INT(kept, shared);
            run(s, 64, got);
            reference(m, other, N_TOKENS, 64, want);
            if (memcmp(want, got, sizeof want)) TEST_FAIL("%s: %d shared tokens differ", cases[a].spec.architecture, shared);
        }
        gemma_session_free(s);
        gemma_model_free(m);
    }
}

TEST(every_position_has_its_logits) {
    size_t n;
    uint8_t *file = tiny_gguf(&tiny_gemma3, 5, &n);
    GemmaError err = {0};
    GemmaModel *m = tiny_load(file, n, 1 << 20, 2, &err);
    free(file);
    REQUIRE(m);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    gemma_session_sync(s, ids, 40, &err);
    CHECK_INT(gemma_session_step(s, 40, INFINITY, &err), 0);
    for (int i = 0; i < 40; i += 13) {
        float want[TINY_VOCAB];
        reference(m, ids, i + 1, 256, want);
        CHECK(!memcmp(gemma_session_logits_at(s, i), want, sizeof want));
    }
    CHECK(!gemma_session_logits_at(s, 40));
    gemma_session_free(s);
    gemma_model_free(m);
}

TEST(an_int8_cache_is_refused_where_heads_do_not_fit) {
    TinySpec spec = tiny_gemma3;
    spec.head_dim = 16;
    size_t n;
    uint8_t *file = tiny_gguf(&spec, 5, &n);
    GemmaError err = {0};
    CHECK(!tiny_load_as(n, file, n, n, (GemmaOptions){1, GEMMA_INT8_CACHE}, &err));
    CHECK_TEXT_HAS(err.text, "16 elements");
    free(file);
}

TEST(limits_are_told_and_leave_the_session_usable) {
    size_t n;
    uint8_t *file = tiny_gguf(&tiny_gemma3, 5, &n);
    GemmaError err = {0};
    GemmaModel *m = tiny_load(file, n, 1 << 20, 1, &err);
    free(file);
    REQUIRE(m);
    CHECK(!gemma_session_new(m, 0, &err));
    CHECK(!gemma_session_new(m, 1025, &err));
    CHECK_TEXT_HAS(err.text, "1 to 1024");
    GemmaSession *s = gemma_session_new(m, 10, &err);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    CHECK_INT(gemma_session_sync(s, ids, 11, &err), -1);
    CHECK_INT(err.status, GEMMA_NO_ROOM);
    CHECK_TEXT_HAS(err.text, "11 tokens");
    CHECK_INT(gemma_session_sync(s, (int32_t[]){TINY_VOCAB}, 1, &err), -1);
    CHECK_INT(gemma_session_sync(s, (int32_t[]){-1}, 1, &err), -1);
    CHECK_INT(gemma_session_sync(s, ids, 0, &err), -1);
    CHECK_INT(gemma_session_sync(s, ids, 10, &err), 0);
    CHECK_INT(gemma_session_step(s, 256, INFINITY, &err), 0);
    CHECK_INT(gemma_session_push(s, 1, &err), GEMMA_NO_ROOM);
    gemma_session_free(s);
    gemma_model_free(m);
}

/* The text: ids. At each position guesses of which the first `right` are the text's; those must be accepted, the next one not. */
TEST(guesses_change_no_bit_whether_right_or_wrong) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 21);
    for (int a = 0; a < N_CASES; a++) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 4096, 2);
        REQUIRE(m);
        GemmaSession *s = gemma_session_new(m, N_TOKENS, &err);
        static float want[N_TOKENS][TINY_VOCAB];
        float got[TINY_VOCAB];
        all_references(m, ids, want);
        int at = 60;        /* tokens that are known */
        CHECK_INT(gemma_session_sync(s, ids, at, &err), 0);
        run(s, 256, got);
        while (at < N_TOKENS) {
            int n_guess = at * 7 % 9, right = at * 5 % (n_guess + 1), fits = N_TOKENS - at - 1;
            int32_t guess[8];
            for (int i = 0; i < n_guess; i++) guess[i] = i < right && i < fits ? ids[at + 1 + i] : (ids[(at + 1 + i) % N_TOKENS] + 1) % TINY_VOCAB;
            CHECK_INT(gemma_session_push(s, ids[at++], &err), GEMMA_OK);
            CHECK_INT(gemma_session_draft(s, guess, n_guess, &err), GEMMA_OK);
            CHECK_INT(gemma_session_step(s, 1, INFINITY, &err), 0);
            if (right > GEMMA_MAX_DRAFT) right = GEMMA_MAX_DRAFT;
            for (int i = 0;; i++) {
                CHECK_INT(gemma_session_count(s), at);
                if (memcmp(want[at - 1], gemma_session_logits(s), sizeof got)) TEST_FAIL("%s: after %d tokens, guess %d", cases[a].spec.architecture, at, i);
                if (at == N_TOKENS) break;
                bool accepted = gemma_session_accept(s, ids[at]);
                CHECK(accepted == (i < right));
                if (!accepted) break;
                at++;
            }
        }
        gemma_session_free(s);
        gemma_model_free(m);
    }
}

/* To sums the squares of RMSNorm(row of token_embd) * attn_norm, for n ids: what goes into the first layer's queries, keys and values. */
static void add_first_inputs(TinyGguf *g, const int32_t *ids, int n, double sums[64]) {
    const TinyTensor *embd = tiny_tensor(g, "token_embd.weight"), *norm = tiny_tensor(g, "blk.0.attn_norm.weight");
    float x[64], weight[64];
    memcpy(weight, g->data.p + norm->offset, sizeof weight);
    for (int t = 0; t < n; t++) {
        quant_decode_row((QuantType)embd->type, g->data.p + embd->offset + (size_t)ids[t] * quant_row_bytes((QuantType)embd->type, 64), x, 64);
        double mean = 0;
        for (int i = 0; i < 64; i++) mean += 64.0 * x[i] * x[i] / 64;      /* embeddings are scaled by sqrt(n_embd) */
        for (int i = 0; i < 64; i++) sums[i] += 64.0 * x[i] * x[i] / (mean + 1e-6) * weight[i] * weight[i];
    }
}

/* What a loader that has seen the header says. */
static uint64_t observer_need(const uint8_t *file, size_t n) {
    GemmaError err = {0};
    GemmaLoader *l = gemma_loader_new("tiny.gguf", n, &err);
    for (size_t at = 0, room; !gemma_loader_plan(l); at += room) {
        uint8_t *p = gemma_loader_room(l, &room);
        if (room > n - at) room = n - at;
        memcpy(p, file + at, room);
        CHECK_INT(gemma_loader_push(l, room, &err), GEMMA_OK);
    }
    uint64_t need = gemma_observer_need(l);
    gemma_loader_free(l);
    return need;
}

TEST(observing_changes_no_bit_and_sums_the_squares_of_each_matrix_input) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    for (int a = 0; a < N_CASES; a++) {
        size_t n;
        TinyGguf g = tiny_make(&cases[a].spec, 5);
        uint8_t *file = tiny_bytes(&g, &n);
        GemmaError err = {0};
        GemmaModel *m = load(file, n, n, 2, cases[a].precision);
        uint64_t need = observer_need(file, n), columns = 0;
        free(file);
        REQUIRE(m);
        float want[TINY_VOCAB], got[TINY_VOCAB];
        reference(m, ids, N_TOKENS, 64, want);
        GemmaSession *s = gemma_session_new(m, 1024, &err);
        GemmaObserved o, q, k;
        CHECK(!gemma_session_observed(s, 0, &o));
        CHECK_INT(gemma_session_observe(s, true, &err), GEMMA_OK);
        CHECK_INT(gemma_session_sync(s, ids, N_TOKENS, &err), 0);
        run(s, 64, got);
        CHECK(!memcmp(want, got, sizeof want));
        double first[64] = {0};
        add_first_inputs(&g, ids, N_TOKENS, first);
        int n_seen = 0;
        for (; gemma_session_observed(s, n_seen, &o); n_seen++) {
            CHECK_INT(o.n_tok, N_TOKENS);
            CHECK_INT(o.n_cols, tiny_tensor(&g, o.name)->dims[0]);
            columns += (uint64_t)o.n_cols;
            for (int i = 0; i < o.n_cols; i++) CHECK(o.squares[i] > 0);
            bool of_first = !strcmp(o.name, "blk.0.attn_q.weight") || !strcmp(o.name, "blk.0.attn_k.weight") || !strcmp(o.name, "blk.0.attn_v.weight");
            for (int i = 0; i < 64 && of_first; i++) CHECK_NEAR(o.squares[i], first[i], 1e-5 * first[i]);
        }
        CHECK_INT(n_seen, 7 * cases[a].spec.n_layer);
        CHECK(need >= columns * sizeof *o.squares && need < columns * sizeof *o.squares + 4096);
        CHECK(gemma_session_observed(s, 0, &q) && gemma_session_observed(s, 1, &k));
        CHECK(!memcmp(q.squares, k.squares, 64 * sizeof *q.squares));
        CHECK_INT(gemma_session_observe(s, true, &err), GEMMA_OK);
        CHECK(gemma_session_observed(s, 0, &o) && o.n_tok == 0 && o.squares[0] == 0);
        CHECK_INT(gemma_session_observe(s, false, &err), GEMMA_OK);
        CHECK(!gemma_session_observed(s, 0, &o));
        gemma_session_free(s);
        gemma_model_free(m);
        tiny_free(&g);
    }
}

/* The model with the vocabulary's letters renamed and retyped: token "a" + i is names[i] of kinds[i]. */
static GemmaModel *load_with_names(const char *const *names, const uint32_t *kinds, int n_names) {
    TinyGguf g = tiny_make(&tiny_gemma3, 5);
    int first = TINY_SPECIALS + 256;
    char piece[32];
    TinyBytes *b = tiny_set_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++) {
        tiny_piece(piece, i);
        tiny_put_text(b, i >= first && i < first + n_names ? names[i - first] : piece);
    }
    b = tiny_set_array(&g, "tokenizer.ggml.token_type", GGUF_INT32, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++) {
        uint32_t kind = i == 3 ? 2 : i < TINY_SPECIALS ? 3 : i < first ? 6 : 1;
        tiny_put_u32(b, i >= first && i < first + n_names ? kinds[i - first] : kind);
    }
    size_t n;
    GemmaError err = {0};
    uint8_t *file = tiny_bytes(&g, &n);
    tiny_free(&g);
    GemmaModel *m = tiny_load(file, n, n, 1, &err);
    free(file);
    if (!m) TEST_FAIL("%s", err.text);
    return m;
}

TEST(tokens_of_images_and_sounds_are_never_sampled) {
    enum { CONTROL = 3, USER = 4, N_MEDIA = 9, N_NAMES = 15 };
    static const char *const names[N_NAMES] = {
        "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<audio_soft_token>", "<|vision_start|>", "<image>", "[multimodal]", "<|Video|>", "<EOI>",
        "<img>", "<start_of_word>", "<imagery_of_x>", "<|im_start|>", "image_of", "<video>",
    };
    static const uint32_t kinds[N_NAMES] = {USER, CONTROL, CONTROL, USER, CONTROL, CONTROL, USER, CONTROL, CONTROL, USER, CONTROL, CONTROL, CONTROL, USER, USER};
    GemmaError err = {0};
    GemmaModel *m = load_with_names(names, kinds, N_NAMES);
    REQUIRE(m);
    GemmaSession *s = gemma_session_new(m, 64, &err);
    int first = TINY_SPECIALS + 256;
    CHECK_INT(gemma_session_sync(s, (int32_t[]){2, first + 20}, 2, &err), 0);
    CHECK_INT(gemma_session_step(s, 8, INFINITY, &err), 0);
    float before[TINY_VOCAB];
    memcpy(before, gemma_session_logits(s), sizeof before);
    for (int i = 0; i < N_NAMES; i++) {
        for (int greedy = 0; greedy < 2; greedy++) {
            GemmaSampling p = {.temperature = greedy ? 0 : 1, .top_p = 1, .repeat_penalty = 1, .seed = 3};
            CHECK_INT(gemma_session_sampling(s, &p, &err), GEMMA_OK);
            CHECK_INT(gemma_session_bias(s, first + i, 1000, &err), GEMMA_OK);
            int32_t id = gemma_session_sample(s);
            if ((id == first + i) != (i >= N_MEDIA)) TEST_FAIL("%s: %d was sampled", names[i], (int)id);
        }
    }
    CHECK(!memcmp(before, gemma_session_logits(s), sizeof before));
    gemma_session_free(s);
    gemma_model_free(m);
}

int main(void) {
    RUN(pieces_batches_and_threads_change_no_bit);
    RUN(a_batch_in_slices_and_one_given_up_change_no_bit);
    RUN(going_back_to_a_prefix_changes_no_bit);
    RUN(every_position_has_its_logits);
    RUN(an_int8_cache_is_refused_where_heads_do_not_fit);
    RUN(limits_are_told_and_leave_the_session_usable);
    RUN(guesses_change_no_bit_whether_right_or_wrong);
    RUN(observing_changes_no_bit_and_sums_the_squares_of_each_matrix_input);
    RUN(tokens_of_images_and_sounds_are_never_sampled);
    return test_result();
}
