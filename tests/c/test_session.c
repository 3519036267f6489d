/* A session gives the same logits, bit for bit, in batches of any size, with any number of threads, and after
 * going back to a shared prefix. Fidelity to llama.cpp is tested in tests/golden. */
#include "model.h"
#include "session.h"
#include "tiny_session.h"

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
            for (int b = threads > 1; b < 5; b += 2) {      /* some sizes with one thread, the others with
                                                             * four */
                bool first = threads == 1 && b == 0;
                reference(m, ids, N_TOKENS, batches[b], first ? want : got);
                if (!first && memcmp(want, got, sizeof want))
                    TEST_FAIL("%s: batch %d, %d threads differ", cases[a].spec.architecture,
                    batches[b], threads);
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
        test_sync(s, ids, N_TOKENS, &err);
        double left = N_TOKENS, before;
        int n_steps = 0;
        do {
            before = left;
            left = test_step(s, 100, 0, &err);
            CHECK(left >= 0 && left < before);
            n_steps++;
        } while (left > 0 && n_steps % 5);      /* then, in the middle of a batch: */
        gemma_session_push(s, 3, &err);
        test_step(s, 256, 0, &err);
        CHECK(test_sync(s, ids, N_TOKENS, &err) < N_TOKENS);
        for (n_steps = 0; test_step(s, 100, 0, &err) > 0; n_steps++) {}
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
        test_sync(s, ids, N_TOKENS, &err);
        run(s, 100, got);
        /* 10 back: any ring still has the window. 250 back and forth: rings may have to be rebuilt. */
        for (int shared = N_TOKENS - 10; shared > 0; shared -= 120) {
            make_tokens(other, (uint64_t)shared);
            memcpy(other, ids, (size_t)shared * sizeof *ids);
            if (shared < N_TOKENS - 10) test_sync(s, ids, N_TOKENS, &err), run(s, 64, got);
            int kept = test_sync(s, other, N_TOKENS, &err);
            CHECK(kept == shared || kept == 0);
            if (shared == N_TOKENS - 10) CHECK_INT(kept, shared);
            run(s, 64, got);
            reference(m, other, N_TOKENS, 64, want);
            if (memcmp(want, got, sizeof want))
                TEST_FAIL("%s: %d shared tokens differ", cases[a].spec.architecture, shared);
        }
        gemma_session_free(s);
        gemma_model_free(m);
    }
}

/* Layer 1 has half the feed-forward size and half the key and value heads of the others. */
TEST(layers_may_differ_in_size) {
    TinySpec spec = {"gemma3", QUANT_Q8_0, 3, 64, 4, 2, 32, 64, 1024, 16};
    TinyGguf g = tiny_make(&spec, 5);
    static const struct { const char *name; int dim; } halved[] = {
        {"blk.1.ffn_gate.weight", 1}, {"blk.1.ffn_up.weight", 1}, {"blk.1.ffn_down.weight", 0},
            {"blk.1.attn_k.weight", 1}, {"blk.1.attn_v.weight", 1}};
    for (size_t i = 0; i < sizeof halved / sizeof *halved; i++) tiny_tensor(&g, halved[i].name)
        ->dims[halved[i].dim] /= 2;
    static const struct { const char *key; uint32_t of_layer[3]; } lists[] = {
        {"gemma3.feed_forward_length", {64, 32, 64}}, {"gemma3.attention.head_count_kv", {2, 1, 2}}};
    for (int i = 0; i < 2; i++) {
        TinyBytes *b = tiny_set_array(&g, lists[i].key, GGUF_UINT32, 3);
        for (int j = 0; j < 3; j++) tiny_put_u32(b, lists[i].of_layer[j]);
    }
    size_t n;
    uint8_t *file = tiny_bytes(&g, &n);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    for (int precision = GEMMA_F16_CACHE; precision <= GEMMA_EXACT; precision++) {
        GemmaModel *m = load(file, n, n, 2, (GemmaPrecision)precision);
        REQUIRE(m);
        float one[TINY_VOCAB], many[TINY_VOCAB];
        reference(m, ids, 100, 1, one);
        reference(m, ids, 100, 256, many);
        CHECK(!memcmp(one, many, sizeof one));
        gemma_model_free(m);
    }
    free(file);
    tiny_free(&g);
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
    test_sync(s, ids, 40, &err);
    CHECK_INT(test_step(s, 20, INFINITY, &err), 20);       /* also before the end of a prompt */
    float early[TINY_VOCAB], got[4][TINY_VOCAB];
    CHECK(gemma_session_logits_at(s, 13));
    memcpy(early, gemma_session_logits(s), sizeof early);
    CHECK_INT(test_sync(s, ids + 1, 39, &err), 0);
    CHECK_INT(test_sync(s, ids, 40, &err), 0);
    CHECK_INT(test_step(s, 40, INFINITY, &err), 0);
    for (int i = 0; i < 4; i++) memcpy(got[i], gemma_session_logits_at(s, 13 * i), sizeof got[i]);
    CHECK(!gemma_session_logits_at(s, 40));
    CHECK(!memcmp(got[1], early, sizeof early));
    for (int i = 0; i < 4; i++) {
        float want[TINY_VOCAB];
        reference(m, ids, 13 * i + 1, 256, want);
        CHECK(!memcmp(got[i], want, sizeof want));
    }
    CHECK(!gemma_session_logits_at(s, 0));      /* others have stepped since */
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
    CHECK_INT(test_sync(s, ids, 11, &err), -1);
    CHECK_INT(err.status, GEMMA_CONTEXT_FULL);
    CHECK_TEXT_HAS(err.text, "11 tokens");
    CHECK_INT(test_sync(s, (int32_t[]){TINY_VOCAB}, 1, &err), -1);
    CHECK_INT(test_sync(s, (int32_t[]){-1}, 1, &err), -1);
    CHECK_INT(test_sync(s, ids, 0, &err), -1);
    CHECK_INT(gemma_session_bias(s, TINY_VOCAB, 1, &err), GEMMA_BAD_ARGUMENT);
    CHECK_INT(gemma_session_bias(s, -1, 1, &err), GEMMA_BAD_ARGUMENT);
    CHECK_INT(test_sync(s, ids, 10, &err), 0);
    CHECK_INT(test_step(s, 256, INFINITY, &err), 0);
    CHECK_INT(gemma_session_push(s, 1, &err), GEMMA_CONTEXT_FULL);
    gemma_session_free(s);
    gemma_model_free(m);
}

/* The text: ids. At each position guesses of which the first `right` are the text's; those must be accepted,
 * the next one not. */
TEST(a_draft_changes_no_bit_whether_right_or_wrong) {
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
        CHECK_INT(test_sync(s, ids, at, &err), 0);
        run(s, 256, got);
        while (at < N_TOKENS) {
            int n_guess = at * 7 % 9, right = at * 5 % (n_guess + 1), fits = N_TOKENS - at - 1;
            int32_t guess[8];
            for (int i = 0; i < n_guess; i++) guess[i] = i < right && i < fits ? ids[at + 1 + i]
                : (ids[(at + 1 + i) % N_TOKENS] + 1) % TINY_VOCAB;
            CHECK_INT(gemma_session_push(s, ids[at++], &err), GEMMA_OK);
            CHECK_INT(gemma_session_draft(s, guess, n_guess, &err), GEMMA_OK);
            CHECK_INT(test_step(s, 1, INFINITY, &err), 0);
            if (right > GEMMA_MAX_DRAFT) right = GEMMA_MAX_DRAFT;
            for (int i = 0;; i++) {
                CHECK_INT(gemma_session_count(s), at);
                if (memcmp(want[at - 1], gemma_session_logits(s), sizeof got))
                    TEST_FAIL("%s: after %d tokens, guess %d", cases[a].spec.architecture, at, i);
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

/* ------------------------------------------------------------------------------------ several sessions */

enum { MOST_SESSIONS = 12, LONG = 600 };

/* Sessions that begin at different times and have prompts of different lengths, some with a draft now and
 * then; all in one batch, in slices. */
TEST(a_row_does_not_depend_on_what_else_is_in_its_batch) {
    static const int counts[] = {2, 3, 8, MOST_SESSIONS};
    for (int a = 0; a < N_CASES; a++) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 4096, 2);
        REQUIRE(m);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            int n = counts[c];
            uint64_t rng = (uint64_t)a * 10 + c;
            GemmaSession *s[MOST_SESSIONS];
            static int32_t ids[MOST_SESSIONS][LONG];
            int at[MOST_SESSIONS];
            for (int i = 0; i < n; i++) {
                s[i] = gemma_session_new(m, LONG, &err);
                for (int j = 0; j < LONG; j++) ids[i][j] = (int32_t)(test_random(&rng) % TINY_VOCAB);
                /* one is long: its rings wrap beside the others */
                at[i] = n <= 3 && i == 0 ? 480 : 1 + (int)(test_random(&rng) % 90);
                CHECK_INT(test_sync(s[i], ids[i], at[i], &err), 0);
            }
            for (int round = 0, n_ready = 0; round < 12 || n_ready < n; round++) {
                gemma_step(m, s, n, 1 + (int)(test_random(&rng) % 256), round % 3 ? 0 : INFINITY);
                n_ready = 0;
                for (int i = 0; i < n; i++) {
                    double left = test_left(s[i], &err);
                    CHECK(left >= 0);
                    n_ready += left == 0 && round >= 12;        /* before that each goes on */
                    if (left > 0 || round >= 12) continue;
                    while (gemma_session_accept(s[i], ids[i][at[i]])) at[i]++;
                    CHECK_INT(gemma_session_push(s[i], ids[i][at[i]++], &err), GEMMA_OK);
                    int32_t draft[3] = {ids[i][at[i]], ids[i][at[i] + 1], 1};
                    if (test_random(&rng) % 8 == 0)
                        CHECK_INT(gemma_session_draft(s[i], draft, 3, &err), GEMMA_OK);
                }
                if (round > 2000) {
                    TEST_FAIL("%d sessions never end", n);
                    break;
                }
            }
            for (int i = 0; i < n; i += n > 3 ? 3 : 1)
                is_right(m, s[i], ids[i], at[i], cases[a].spec.architecture);
            for (int i = 0; i < n; i++) gemma_session_free(s[i]);
        }
        gemma_model_free(m);
    }
}

/* A prompt of one session, and another that decodes: the prompt gets small batches, and both make progress in
 * each. */
/* A session samples next to others what it samples alone, for any samplers and drafts of the others. And
 * where the best logits tell all that it needs, they are found by two passes for all such rows at once. */
TEST(the_best_logits_of_a_batch_are_those_of_each_session_alone) {
    enum { N = 4, ROUNDS = 12, VOCAB = 20000 };
    static const GemmaSampling sampling[N] = {
        {.top_p = 1, .repeat_penalty = 1}, {.temperature = 1, .top_k = 4, .top_p = 0.9f,
            .repeat_penalty = 1, .seed = 3},
        /* the last one needs all */
        {.top_p = 1, .repeat_penalty = 1.3f}, {.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 4},
    };
    GemmaError err = {0};
    size_t n_bytes;
    TinyGguf g = tiny_make_larger(&tiny_gemma3, VOCAB, 5);
    uint8_t *file = tiny_bytes(&g, &n_bytes);
    tiny_free(&g);
    GemmaModel *m = load(file, n_bytes, 1 << 16, 2, GEMMA_F16_CACHE);
    free(file);
    REQUIRE(m);
    int32_t alone[N][ROUNDS], together[N][ROUNDS];
    static float logits[N][VOCAB];
    OpCost *cost = m->batch.workspace.ops.cost;
    gemma_profile(m);
    for (int joined = 0; joined < 2; joined++) {
        GemmaSession *s[N];
        int n = joined ? N : 1;
        int32_t (*ids)[ROUNDS] = joined ? together : alone;
        for (int first = 0; first < N; first += n) {
            for (int i = first; i < first + n; i++) {
                s[i] = gemma_session_new(m, 64, &err);
                CHECK_INT(gemma_session_sampling(s[i], &sampling[i], &err), GEMMA_OK);
                CHECK_INT(test_sync(s[i], (int32_t[]){2, 300 + i, 400}, 3, &err), 0);
            }
            int n_sampled[N] = {0};
            for (bool more = true; more;) {
                uint64_t screens = cost[OP_SCREEN].calls;
                gemma_step(m, s + first, n, 256, INFINITY);
                /* one for all that can do with it */
                CHECK_INT(cost[OP_SCREEN].calls - screens, first < N - 1);
                more = false;
                for (int i = first; i < first + n; i++) {
                    if (n_sampled[i] == ROUNDS) continue;
                    CHECK(test_left(s[i], &err) == 0);
                    int32_t id;
                    do {
                        int at = n_sampled[i]++;
                        ids[i][at] = id = gemma_session_sample(s[i]);
                        if (joined && id != alone[i][at])
                            TEST_FAIL("session %d, token %d: %d, not %d", i, at, (int)id, (int)alone[i][at]);
                    } while (n_sampled[i] < ROUNDS && gemma_session_accept(s[i], id));
                    if (n_sampled[i] == ROUNDS) continue;
                    more = true;
                    CHECK_INT(gemma_session_push(s[i], id, &err), GEMMA_OK);
                    /* Together with others, two of them have drafts: a right token, and one that may be
                     * wrong. */
                    if (joined && i % 2 == 0)
                        CHECK_INT(gemma_session_draft(s[i], (int32_t[]){alone[i][n_sampled[i]], 7}, 2, &err),
                        GEMMA_OK);
                }
            }
            for (int i = first; i < first + n; i++) {
                const float *all = gemma_session_logits(s[i]);
                if (!joined) memcpy(logits[i], all, sizeof logits[i]);
                else CHECK(!memcmp(logits[i], all, sizeof logits[i]));
            }
            for (int i = first; i < first + n; i++) gemma_session_free(s[i]);
        }
    }
    gemma_model_free(m);
}

/* The logits of one row are computed anew where those of another session lie meanwhile; those of the next
 * draft token, which was evaluated with it, are so, too. */
TEST(logits_of_a_draft_are_right_after_another_session_computed_its_own) {
    int32_t ids[N_TOKENS];
    make_tokens(ids, 22);
    GemmaError err = {0};
    GemmaModel *m = load_case(1, 4096, 1);
    REQUIRE(m);
    GemmaSession *s = gemma_session_new(m, 64, &err), *other = gemma_session_new(m, 64, &err);
    CHECK_INT(test_sync(s, ids, 10, &err), 0);
    CHECK_INT(test_sync(other, ids + 50, 10, &err), 0);
    for (int i = 0; i < 2; i++) CHECK_INT(test_step(i ? other : s, 256, INFINITY, &err), 0);
    CHECK_INT(gemma_session_push(s, ids[10], &err), GEMMA_OK);
    CHECK_INT(gemma_session_draft(s, ids + 11, 3, &err), GEMMA_OK);
    CHECK_INT(test_step(s, 1, INFINITY, &err), 0);
    for (int at = 11;; at++) {
        CHECK(is_right(m, s, ids, at, "before the other"));
        if (at == 14) break;
        gemma_session_logits(other);
        if (at != 12) CHECK(is_right(m, s, ids, at, "after the other"));
        CHECK(gemma_session_accept(s, ids[at]));
    }
    gemma_session_free(s);
    gemma_session_free(other);
    gemma_model_free(m);
}

TEST(a_long_prompt_leaves_room_for_those_that_decode) {
    GemmaError err = {0};
    GemmaModel *m = load_case(2, 4096, 1);
    REQUIRE(m);
    int32_t ids[N_TOKENS];
    make_tokens(ids, 3);
    GemmaSession *both[2] = {gemma_session_new(m, 1024, &err), gemma_session_new(m, 1024, &err)};
    test_sync(both[0], ids, 10, &err);
    gemma_step(m, both, 1, 256, INFINITY);
    test_sync(both[1], ids, N_TOKENS, &err);
    double left = N_TOKENS;
    int n = 10, n_passes = 0;
    while (left > 0 && n < N_TOKENS) {
        gemma_session_push(both[0], ids[n++], &err);
        do gemma_step(m, both, 2, 64, 0);
        while (test_left(both[0], &err) > 0);
        double now = test_left(both[1], &err);
        CHECK(now < left && left - now <= 64);
        left = now;
        n_passes++;
    }
    CHECK(left == 0 && n_passes >= N_TOKENS / 64);
    is_right(m, both[0], ids, n, "decoding");
    is_right(m, both[1], ids, N_TOKENS, "prompt");
    gemma_session_free(both[0]);
    gemma_session_free(both[1]);
    gemma_model_free(m);
}

/* Time by which a row costs ROW_SECONDS in every layer of `timed`, and a layer LAYER_SECONDS more. */
static const double ROW_SECONDS = 0.0002, LAYER_SECONDS = 0.002;
static const Workspace *timed;
static double time_now;
static int layer_before, rows_before;
static double clock_by_rows(void) {
    if (timed->layer != layer_before || timed->n_rows != rows_before)
        time_now += LAYER_SECONDS + ROW_SECONDS * timed->n_rows;
    layer_before = timed->layer;
    rows_before = timed->n_rows;
    return time_now;
}

/* The longest that a session waits for one of its n tokens, beside another that reads. Begins to write when
 * that one's batch is under way. */
static double longest_wait(GemmaModel *m, GemmaSession **both, int32_t *ids, int n) {
    GemmaError err = {0};
    double longest = 0;
    for (int i = 0; i < n; i++) {
        double start = time_now;
        gemma_session_push(both[0], ids[10 + i], &err);
        do gemma_step(m, both, 2, 256, 0.1);
        while (test_left(both[0], &err) > 0);
        longest = fmax(longest, time_now - start);
    }
    return longest;
}

/* A prompt that is alone gets large batches, which take most of a second here. One that begins to write then
 * does not wait for their end, and the layers that were computed are not lost. */
TEST(a_batch_under_way_does_not_stop_one_that_writes) {
    GemmaError err = {0};
    GemmaModel *m = load_case(2, 4096, 1);
    REQUIRE(m);
    int32_t ids[2][N_TOKENS];
    GemmaSession *both[2];
    for (int i = 0; i < 2; i++) {
        make_tokens(ids[i], (uint64_t)i + 5);
        both[i] = gemma_session_new(m, 1024, &err);
    }
    timed = &m->batch.workspace;
    m->batch.workspace.ops.clock = clock_new(clock_by_rows);
    test_sync(both[0], ids[0], 10, &err);
    CHECK_INT(test_step(both[0], 256, INFINITY, &err), 0);
    for (int round = 0; round < 2; round++) {       /* at first the engine does not know what a row costs */
        test_sync(both[1], ids[1], 1, &err);
        test_sync(both[1], ids[1], N_TOKENS, &err);
        double start = time_now;
        while (test_left(both[1], &err) > 0) gemma_step(m, both + 1, 1, 256, 0.1);
        /* two batches */
        if (round) CHECK(time_now - start < 7 * (N_TOKENS * ROW_SECONDS + 3 * LAYER_SECONDS));
    }
    test_sync(both[1], (int32_t[]){1}, 1, &err);
    test_sync(both[1], ids[1], N_TOKENS, &err);
    gemma_step(m, both + 1, 1, 256, 0.1);
    double left = test_left(both[1], &err);
    CHECK(left < N_TOKENS && left > N_TOKENS - 128);
    CHECK(longest_wait(m, both, ids[0], 1) < 0.2);
    CHECK_INT(m->batch.workspace.parked.n_rows, 256);
    CHECK(test_left(both[1], &err) <= left);
    CHECK(longest_wait(m, both, ids[0] + 1, 40) < 0.2);
    CHECK_INT(test_left(both[1], &err), 0);
    is_right(m, both[0], ids[0], 51, "writing");
    is_right(m, both[1], ids[1], N_TOKENS, "reading");
    for (int i = 0; i < 2; i++) gemma_session_free(both[i]);
    gemma_model_free(m);
}

/* A session that is stepped on its own, as for the probabilities of its prompt, and others take turns:
 * nobody's work is lost. */
TEST(sessions_that_are_stepped_in_turns_keep_their_passes) {
    for (int a = 1; a < N_CASES; a += 3) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 4096, 1);
        REQUIRE(m);
        int32_t ids[2][N_TOKENS];
        GemmaSession *s[2];
        for (int i = 0; i < 2; i++) {
            make_tokens(ids[i], (uint64_t)i + 1);
            s[i] = gemma_session_new(m, 1024, &err);
            test_sync(s[i], ids[i], N_TOKENS, &err);
        }
        double left = N_TOKENS;
        for (int turn = 0; left > 0 && turn < 1000; turn++) {
            gemma_step(m, s, 1, 256, 0);
            double now = test_left(s[0], &err);
            CHECK(now < left);
            left = now;
            if (test_left(s[1], &err) > 0) gemma_step(m, s + 1, 1, 8, INFINITY);
            CHECK(test_left(s[0], &err) == left);
        }
        while (test_left(s[1], &err) > 0) gemma_step(m, s + 1, 1, 8, INFINITY);
        for (int i = 0; i < 2; i++) is_right(m, s[i], ids[i], N_TOKENS, cases[a].spec.architecture);
        for (int i = 0; i < 2; i++) gemma_session_free(s[i]);
        gemma_model_free(m);
    }
}

/* Sessions that are changed, given up or closed in the middle of a batch that others need. */
TEST(leaving_a_batch_disturbs_nobody) {
    for (int a = 1; a < N_CASES; a += 3) {
        GemmaError err = {0};
        GemmaModel *m = load_case(a, 4096, 1);
        REQUIRE(m);
        uint64_t rng = (uint64_t)a;
        int32_t ids[3][N_TOKENS];
        int n[3] = {100, 100, 100};
        GemmaSession *s[3];
        for (int i = 0; i < 3; i++) {
            make_tokens(ids[i], (uint64_t)i + 1);
            s[i] = gemma_session_new(m, 1024, &err);
            test_sync(s[i], ids[i], n[i], &err);
        }
        for (int round = 0; round < 40; round++) {
            for (int slices = (int)(test_random(&rng) % 5); slices > 0; slices--) gemma_step(m, s, 3, 40, 0);
            int i = (int)(test_random(&rng) % 3);
            switch (test_random(&rng) % 4) {
            case 0:
                gemma_session_free(s[i]);
                s[i] = gemma_session_new(m, 1024, &err);
                /* fall through */
            case 1:
                n[i] = 1 + (int)(test_random(&rng) % 200);
                CHECK(test_sync(s[i], ids[i], n[i], &err) >= 0);
                break;
            case 2:
                if (n[i] == 250) break;
                CHECK_INT(gemma_session_push(s[i], ids[i][n[i]], &err), GEMMA_OK);
                n[i]++;
                break;
            default:
                gemma_step(m, &s[i], 1, 256, 0);        /* alone: what the others had under way waits, or is
                                                         * given up */
            }
        }
        for (int left = 3; left > 0;) {
            gemma_step(m, s, 3, 256, INFINITY);
            left = 0;
            for (int i = 0; i < 3; i++) left += test_left(s[i], &err) > 0;
        }
        for (int i = 0; i < 3; i++) is_right(m, s[i], ids[i], n[i], cases[a].spec.architecture);
        for (int i = 0; i < 3; i++) gemma_session_free(s[i]);
        gemma_model_free(m);
    }
}

/* To sums the squares of RMSNorm(row of token_embd) * attn_norm, for n ids: what goes into the first layer's
 * queries, keys and values. */
static void add_first_inputs(TinyGguf *g, const int32_t *ids, int n, double sums[64]) {
    const TinyTensor *embd = tiny_tensor(g, "token_embd.weight"),
        *norm = tiny_tensor(g, "blk.0.attn_norm.weight");
    float x[64], weight[64];
    memcpy(weight, g->data.p + norm->offset, sizeof weight);
    for (int t = 0; t < n; t++) {
        quant_decode_row((QuantType)embd->type, g->data.p + embd->offset
            + (size_t)ids[t] * quant_row_bytes((QuantType)embd->type, 64), x, 64);
        double mean = 0;
        /* embeddings are scaled by sqrt(n_embd) */
        for (int i = 0; i < 64; i++) mean += 64.0 * x[i] * x[i] / 64;
        for (int i = 0; i < 64; i++) sums[i] += 64.0 * x[i] * x[i] / (mean + 1e-6) * weight[i] * weight[i];
    }
}

/* What a loader that has seen the header says. */
static uint64_t observer_need(const uint8_t *file, size_t n) {
    GemmaError err = {0};
    GemmaLoader *l = gemma_loader_new("tiny.gguf", n, &err);
    for (size_t at = 0, room; !gemma_loader_plan(l); at += room) {
        uint8_t *p = gemma_loader_room(l, &room, &err);
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
        CHECK(!gemma_observed(m, 0, &o));
        CHECK_INT(gemma_observe(m, &err), GEMMA_OK);
        CHECK_INT(test_sync(s, ids, N_TOKENS, &err), 0);
        run(s, 64, got);
        CHECK(!memcmp(want, got, sizeof want));
        double first[64] = {0};
        add_first_inputs(&g, ids, N_TOKENS, first);
        int n_seen = 0;
        for (; gemma_observed(m, n_seen, &o); n_seen++) {
            CHECK_INT(o.n_tok, N_TOKENS);
            CHECK_INT(o.n_cols, tiny_tensor(&g, o.name)->dims[0]);
            columns += (uint64_t)o.n_cols;
            for (int i = 0; i < o.n_cols; i++) CHECK(o.squares[i] > 0);
            bool of_first = !strcmp(o.name, "blk.0.attn_q.weight") || !strcmp(o.name, "blk.0.attn_k.weight")
                || !strcmp(o.name, "blk.0.attn_v.weight");
            for (int i = 0; i < 64 && of_first; i++) CHECK_NEAR(o.squares[i], first[i], 1e-5 * first[i]);
        }
        CHECK_INT(n_seen, 7 * cases[a].spec.n_layer);
        CHECK(need >= columns * sizeof *o.squares && need < columns * sizeof *o.squares + 4096);
        CHECK(gemma_observed(m, 0, &q) && gemma_observed(m, 1, &k));
        CHECK(!memcmp(q.squares, k.squares, 64 * sizeof *q.squares));
        CHECK_INT(gemma_observe(m, &err), GEMMA_OK);
        CHECK(gemma_observed(m, 0, &o) && o.n_tok == 0 && o.squares[0] == 0);
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
        "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<audio_soft_token>", "<|vision_start|>",
            "<image>", "[multimodal]", "<|Video|>", "<EOI>",
        "<img>", "<start_of_word>", "<imagery_of_x>", "<|im_start|>", "image_of", "<video>",
    };
    static const uint32_t kinds[N_NAMES] = {USER, CONTROL, CONTROL, USER, CONTROL, CONTROL, USER, CONTROL,
        CONTROL, USER, CONTROL, CONTROL, CONTROL, USER, USER};
    GemmaError err = {0};
    GemmaModel *m = load_with_names(names, kinds, N_NAMES);
    REQUIRE(m);
    GemmaSession *s = gemma_session_new(m, 64, &err);
    int first = TINY_SPECIALS + 256;
    CHECK_INT(test_sync(s, (int32_t[]){2, first + 20}, 2, &err), 0);
    CHECK_INT(test_step(s, 8, INFINITY, &err), 0);
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
    RUN(layers_may_differ_in_size);
    RUN(every_position_has_its_logits);
    RUN(an_int8_cache_is_refused_where_heads_do_not_fit);
    RUN(limits_are_told_and_leave_the_session_usable);
    RUN(a_draft_changes_no_bit_whether_right_or_wrong);
    RUN(a_row_does_not_depend_on_what_else_is_in_its_batch);
    RUN(the_best_logits_of_a_batch_are_those_of_each_session_alone);
    RUN(logits_of_a_draft_are_right_after_another_session_computed_its_own);
    RUN(a_long_prompt_leaves_room_for_those_that_decode);
    RUN(a_batch_under_way_does_not_stop_one_that_writes);
    RUN(sessions_that_are_stepped_in_turns_keep_their_passes);
    RUN(leaving_a_batch_disturbs_nobody);
    RUN(observing_changes_no_bit_and_sums_the_squares_of_each_matrix_input);
    RUN(tokens_of_images_and_sounds_are_never_sampled);
    return test_result();
}
