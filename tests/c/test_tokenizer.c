/* The tokenizer's rules on small vocabularies, against hand-made results and the plainest implementation;
 * files that are wrong. Agreement with the sentencepiece library on real vocabularies is tested in
 * tests/golden. */
#include "tokenizer.h"

#include <time.h>

#include "test.h"
#include "utf8.h"
#include "vocab_gguf.h"

#define SPACE "\xe2\x96\x81"

/* The ids that the text should have, -1 at the end. */
static void check_ids(const Tokenizer *t, const char *text, bool parse_special,
    const int32_t *expected, int line) {
    int32_t ids[64];
    int n = tokenizer_encode(t, text, strlen(text), false, parse_special, ids, 64), i = 0;
    while (i < n && i < 64 && ids[i] == expected[i]) i++;
    if (i != n || expected[i] != -1)
        TEST_FAIL("(line %d) \"%s\": %d tokens, number %d is %d, not %d", line, text, n, i,
            i < n ? (int)ids[i] : -1, (int)expected[i]);
}
#define CHECK_IDS(t, text, ...) check_ids(t, text, false, (int32_t[]){__VA_ARGS__, -1}, __LINE__)
#define CHECK_SPECIAL_IDS(t, text, ...) check_ids(t, text, true, (int32_t[]){__VA_ARGS__, -1}, __LINE__)

static void check_round_trip(const Tokenizer *t, const char *text, size_t n) {
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    char *back = malloc((n + 1) * 256);
    int n_ids = tokenizer_encode(t, text, n, false, false, ids, (int)n + 1);
    size_t n_back = 0;
    for (int i = 0; i < n_ids; i++) n_back += (size_t)tokenizer_decode(t, ids[i], back + n_back);
    CHECK(n_back == n && memcmp(back, text, n) == 0);
    free(ids);
    free(back);
}

/* ------------------------------------------------------------------------------------------ merging */

TEST(joins_the_best_score_first_and_the_leftmost_of_equals) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    int a = vocab_add(&v, "a", -10, VOCAB_NORMAL), b = vocab_add(&v, "b", -10, VOCAB_NORMAL);
    int ab = vocab_add(&v, "ab", -3, VOCAB_NORMAL), bb = vocab_add(&v, "bb", -2, VOCAB_NORMAL);
    int aa = vocab_add(&v, "aa", -5, VOCAB_NORMAL), aaa = vocab_add(&v, "aaa", -4, VOCAB_NORMAL);
    int zero = vocab_add(&v, "xy", 0.0f, VOCAB_NORMAL), minus_zero = vocab_add(&v, "yx", -0.0f, VOCAB_NORMAL);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_IDS(t, "ab", ab);
    CHECK_IDS(t, "abb", a, bb);         /* bb before ab */
    CHECK_IDS(t, "bbb", bb, b);         /* leftmost */
    CHECK_IDS(t, "aab", a, ab);         /* ab before aa, though aa stands left */
    CHECK_IDS(t, "aaaa", aaa, a);       /* aa; then aa+a is better than a+a */
    CHECK_IDS(t, "xyx", zero, VOCAB_BYTES + 'x');           /* -0 is no worse and no better than 0 */
    CHECK_IDS(t, "yxy", minus_zero, VOCAB_BYTES + 'y');
    CHECK_INT(aa + 1, aaa);
    tokenizer_free(t);
    vocab_free(&v);
}

TEST(what_is_no_piece_becomes_its_bytes) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    int a = vocab_add(&v, "a", -10, VOCAB_NORMAL);
    vocab_add(&v, "unused", -1, VOCAB_UNUSED);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_IDS(t, "a\xc3\xa9", a, VOCAB_BYTES + 0xc3, VOCAB_BYTES + 0xa9);
    CHECK_IDS(t, "\xff" "a\xe2\x96", VOCAB_BYTES + 0xff, a, VOCAB_BYTES + 0xe2, VOCAB_BYTES + 0x96);
    CHECK_IDS(t, "<0x41>", VOCAB_BYTES + '<', VOCAB_BYTES + '0', VOCAB_BYTES + 'x', VOCAB_BYTES + '4',
        VOCAB_BYTES + '1', VOCAB_BYTES + '>');
    CHECK_INT(tokenizer_encode(t, "unused", 6, false, false, NULL, 0), 6);
    CHECK_INT(tokenizer_encode(t, "", 0, false, false, NULL, 0), 0);
    tokenizer_free(t);
    vocab_free(&v);
}

TEST(spaces_are_marks_and_marks_are_spaces) {
    Vocab v = {0};
    GemmaError err;
    char buf[256];
    vocab_standard(&v);
    int a = vocab_add(&v, "a", -10, VOCAB_NORMAL), space_a = vocab_add(&v, SPACE "a", -1, VOCAB_NORMAL);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_IDS(t, " a", space_a);
    CHECK_IDS(t, "a  a", a, VOCAB_SPACE, space_a);
    CHECK_IDS(t, "a" SPACE "a", a, space_a);        /* as SentencePiece has it: a mark in the text is read as
                                                     * a space */
    CHECK_INT(tokenizer_decode(t, space_a, buf), 2);
    CHECK(memcmp(buf, " a", 2) == 0);
    tokenizer_free(t);
    vocab_free(&v);
}

/* The definition, in as many steps as there are merges, each of them over the whole text. */
static int plain_encode(const char *const *pieces, const float *scores, int n_pieces, int first_id,
    const char *text, int32_t *ids) {
    int starts[64], n = 0, n_text = (int)strlen(text);
    for (int i = 0; i < n_text; i += (int)utf8_length(text + i, (size_t)(n_text - i))) starts[n++] = i;
    starts[n] = n_text;
    for (;;) {
        int best = -1;
        float best_score = 0;
        for (int i = 0; i + 1 < n; i++)
            for (int p = 0; p < n_pieces; p++)
                if ((int)strlen(pieces[p]) == starts[i + 2] - starts[i] && memcmp(pieces[p], text + starts[i],
                    strlen(pieces[p])) == 0 &&
                    (best < 0 || scores[p] > best_score)) {
                    best = i;
                    best_score = scores[p];
                }
        if (best < 0) break;
        memmove(starts + best + 1, starts + best + 2, (size_t)(n - best - 1) * sizeof *starts);
        n--;
    }
    int n_ids = 0;
    for (int i = 0; i < n; i++) {
        int found = -1, length = starts[i + 1] - starts[i];
        for (int p = 0; p < n_pieces; p++)
            if ((int)strlen(pieces[p]) == length && memcmp(pieces[p], text + starts[i], (size_t)length) == 0)
                found = p;
        if (found >= 0) ids[n_ids++] = first_id + found;
        else for (int j = 0; j < length; j++) ids[n_ids++] = VOCAB_BYTES + (uint8_t)text[starts[i] + j];
    }
    return n_ids;
}

TEST(equals_the_plain_implementation) {
    enum { N_PIECES = 60, N_TEXTS = 100 };
    static const char *const letters[] = {"a", "b", "c", "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x99\x82"};
    char store[N_PIECES][32];
    const char *pieces[N_PIECES];
    float scores[N_PIECES];
    uint64_t state = 11;
    GemmaError err;
    for (int round = 0; round < 20; round++) {
        Vocab v = {0};
        vocab_standard(&v);
        int n = 0;
        /* the last letter has only bytes */
        for (int i = 0; i < 5; i++) pieces[n] = strcpy(store[n], letters[i]), n++;
        while (n < N_PIECES) {
            *store[n] = 0;
            for (int k = 2 + (int)(test_random(&state) % 4); k > 0; k--)
                strcat(store[n], letters[test_random(&state) % (k > 2 ? 2 : 6)]);
            bool new = true;
            for (int i = 0; i < n; i++) new &= strcmp(store[i], store[n]) != 0;
            pieces[n] = store[n];
            n += new;
        }
        for (int i = 0; i < n; i++) {
            scores[i] = -(float)(test_random(&state) % 12);      /* with ties */
            vocab_add(&v, pieces[i], scores[i], VOCAB_NORMAL);
        }
        Tokenizer *t = vocab_open(&v, &err);
        REQUIRE(t);
        for (int i = 0; i < N_TEXTS; i++) {
            char text[200] = "";
            int32_t ids[200], expected[200];
            for (int k = (int)(test_random(&state) % 40); k > 0; k--)
                strcat(text, letters[test_random(&state) % 6]);
            int n_expected = plain_encode(pieces, scores, n, VOCAB_OWN, text, expected);
            CHECK_INT(tokenizer_encode(t, text, strlen(text), false, false, ids, 200), n_expected);
            if (memcmp(ids, expected, (size_t)n_expected * sizeof *ids) != 0)
                TEST_FAIL("round %d: \"%s\"", round, text);
        }
        tokenizer_free(t);
        vocab_free(&v);
    }
}

/* ------------------------------------------------------------------------------------------ cuts */

TEST(user_defined_tokens_are_cut_out_first_the_longest_of_them) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    vocab_letters(&v, "abc");
    int a = VOCAB_OWN, b = a + 1;
    int ab = vocab_add(&v, "ab", -1, VOCAB_NORMAL);
    int newline = vocab_add(&v, "\n", 0, VOCAB_USER_DEFINED),
        three = vocab_add(&v, "\n\n\n", 0, VOCAB_USER_DEFINED);
    int bold = vocab_add(&v, "<b>", 0, VOCAB_USER_DEFINED);
    int two_spaces = vocab_add(&v, "  ", 0, VOCAB_USER_DEFINED);                    /* as files have it: */
    int three_spaces = vocab_add(&v, SPACE SPACE SPACE, 0, VOCAB_USER_DEFINED);     /* both ways */
    int space_a = vocab_add(&v, SPACE "a", -1, VOCAB_NORMAL);
    vocab_add(&v, "a<", -1, VOCAB_NORMAL);
    vocab_add(&v, "b\n", -1, VOCAB_NORMAL);
    vocab_add(&v, "", 0, VOCAB_USER_DEFINED);       /* matches nowhere */
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_IDS(t, "ab\n", ab, newline);              /* no merge reaches into a cut */
    CHECK_IDS(t, "\n\n", newline, newline);
    CHECK_IDS(t, "\n\n\n\n", three, newline);
    CHECK_IDS(t, "a<b>b", a, bold, b);
    CHECK_IDS(t, "<b", VOCAB_BYTES + '<', b);
    CHECK_IDS(t, "  a", two_spaces, a);
    CHECK_IDS(t, " a", space_a);
    CHECK_IDS(t, "      a", three_spaces, three_spaces, a);
    CHECK_IDS(t, " " SPACE " ", three_spaces);
    tokenizer_free(t);
    vocab_free(&v);
}

TEST(control_tokens_come_from_text_only_when_asked) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    vocab_letters(&v, "<>_abcdefhijklmnopqrstuvwxyz");
    int mask = vocab_add(&v, "<mask>", 0, VOCAB_CONTROL), bold = vocab_add(&v, "<b>", 0, VOCAB_USER_DEFINED);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    static const char *const names[] = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>",
        "<end_of_turn>", "<mask>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t id = -1, ids[64];
        size_t n = strlen(names[i]);
        CHECK_INT(tokenizer_encode(t, names[i], n, false, true, &id, 1), 1);
        CHECK(tokenizer_is_control(t, id));
        CHECK_INT(tokenizer_control(t, names[i]), id);
        CHECK_INT(tokenizer_encode(t, names[i], n, false, false, ids, 64), (int)n);
        for (size_t k = 0; k < n; k++) CHECK(!tokenizer_is_control(t, ids[k]));
        check_round_trip(t, names[i], n);
    }
    CHECK_SPECIAL_IDS(t, "<mask><b><mask", mask, bold, VOCAB_OWN, VOCAB_OWN + 14, VOCAB_OWN + 3,
        VOCAB_OWN + 20, VOCAB_OWN + 12);
    CHECK_INT(tokenizer_control(t, "<b>"), -1);
    CHECK_INT(tokenizer_control(t, "<0x00>"), -1);
    CHECK_INT(tokenizer_control(t, "<nothing>"), -1);
    CHECK(!tokenizer_is_control(t, bold));
    CHECK(!tokenizer_is_control(t, -1) && !tokenizer_is_control(t, 1 << 30));
    tokenizer_free(t);
    vocab_free(&v);
}

/* ------------------------------------------------------------------------------------------ all texts */

/* But for U+2581, which SentencePiece reads as a space: none is in these. */
TEST(any_bytes_come_back) {
    Vocab v = {0};
    GemmaError err;
    uint64_t state = 5;
    vocab_standard(&v);
    vocab_letters(&v, "abcdefgh");
    vocab_add(&v, "ab", -1, VOCAB_NORMAL);
    vocab_add(&v, SPACE "a", -2, VOCAB_NORMAL);
    vocab_add(&v, "\xc3\xa9", -3, VOCAB_NORMAL);
    vocab_add(&v, "  ", 0, VOCAB_USER_DEFINED);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    for (int round = 0; round < 300; round++) {
        char text[100];
        size_t n = test_random(&state) % sizeof text;
        bool letters = test_random(&state) % 2;
        for (size_t i = 0; i < n; i++) {
            uint64_t random = test_random(&state);
            text[i] = letters ? "ab  \xc3\xa9\xe2\x96"[random % 8] : (char)random;
        }
        check_round_trip(t, text, n);
    }
    for (int id = 0; id < VOCAB_OWN; id++) {        /* every byte alone */
        char buf[256];
        if (id < VOCAB_BYTES || id >= VOCAB_BYTES + 256) continue;
        CHECK_INT(tokenizer_decode(t, id, buf), 1);
        CHECK_INT((uint8_t)buf[0], id - VOCAB_BYTES);
    }
    tokenizer_free(t);
    vocab_free(&v);
}

TEST(time_is_in_proportion_to_the_text) {
    enum { N = 1000000 };
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    vocab_letters(&v, "ab");
    char run[257] = "";
    for (int i = 1; i <= 256; i++) {
        run[i - 1] = 'a';
        if ((i & (i - 1)) == 0 && i > 1) vocab_add(&v, run, (float)i, VOCAB_NORMAL);
    }
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    char *text = malloc(N);
    clock_t start = clock();
    memset(text, 'a', N);
    /* the 64 left at the end are one piece */
    CHECK_INT(tokenizer_encode(t, text, N, false, false, NULL, 0), N / 256 + 1);
    for (int i = 0; i < N; i += 2) text[i] = 'b';
    CHECK_INT(tokenizer_encode(t, text, N, false, false, NULL, 0), N);
    memset(text, ' ', N);
    CHECK_INT(tokenizer_encode(t, text, N, false, false, NULL, 0), N);
    memset(text, 0xe2, N);
    CHECK_INT(tokenizer_encode(t, text, N, false, false, NULL, 0), N);
    /* About 2 s with sanitizers on a slow machine; a quadratic step would take hours. */
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 60);
    free(text);
    tokenizer_free(t);
    vocab_free(&v);
}

TEST(writes_no_more_than_cap_and_counts_all) {
    Vocab v = {0};
    GemmaError err;
    int32_t ids[4] = {-7, -7, -7, -7};
    vocab_standard(&v);
    vocab_letters(&v, "a");
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_INT(tokenizer_encode(t, "aaaaa", 5, true, false, ids, 3), 6);
    CHECK_INT(ids[0], VOCAB_BOS);
    CHECK_INT(ids[2], VOCAB_OWN);
    CHECK_INT(ids[3], -7);
    char buf[256];
    CHECK_INT(tokenizer_decode(t, -1, buf), 0);
    CHECK_INT(tokenizer_decode(t, v.n_tokens, buf), 0);
    CHECK_INT(tokenizer_decode(t, VOCAB_TURN, buf), 15);
    CHECK(memcmp(buf, "<start_of_turn>", 15) == 0);
    tokenizer_free(t);
    vocab_free(&v);
}

/* ------------------------------------------------------------------------------------------ files */

TEST(settings_come_from_the_metadata) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    int a = vocab_add(&v, "a", -10, VOCAB_NORMAL), space_a = vocab_add(&v, SPACE "a", -1, VOCAB_NORMAL);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_INT(tokenizer_bos(t), VOCAB_BOS);
    CHECK(tokenizer_adds_bos(t));
    CHECK(tokenizer_is_end(t, VOCAB_EOS) && tokenizer_is_end(t, VOCAB_END));
    CHECK(!tokenizer_is_end(t, VOCAB_BOS) && !tokenizer_is_end(t, a) && !tokenizer_is_end(t, -1));
    CHECK_IDS(t, "a", a);
    tokenizer_free(t);
    vocab_free(&v);

    vocab_standard(&v);
    vocab_add(&v, "a", -10, VOCAB_NORMAL);
    vocab_add(&v, SPACE "a", -1, VOCAB_NORMAL);
    vocab_number(&v, "tokenizer.ggml.bos_token_id", VOCAB_PAD);
    vocab_number(&v, "tokenizer.ggml.eos_token_id", VOCAB_UNK);
    vocab_number(&v, "tokenizer.ggml.eot_token_id", (uint32_t)a);
    vocab_bool(&v, "tokenizer.ggml.add_bos_token", false);
    vocab_bool(&v, "tokenizer.ggml.add_space_prefix", true);
    t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_INT(tokenizer_bos(t), VOCAB_PAD);
    CHECK(!tokenizer_adds_bos(t));
    CHECK(tokenizer_is_end(t, VOCAB_UNK) && tokenizer_is_end(t, a) && tokenizer_is_end(t, VOCAB_END));
    CHECK_IDS(t, "a", space_a);
    CHECK_INT(tokenizer_encode(t, "", 0, false, false, NULL, 0), 0);
    tokenizer_free(t);
    vocab_free(&v);
}

TEST(without_types_all_but_bytes_and_controls_are_normal) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    int x = vocab_add(&v, "x", 0, VOCAB_CONTROL);
    v.no_types = true;
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_IDS(t, "x!", x, VOCAB_BYTES + '!');
    CHECK(tokenizer_is_control(t, VOCAB_TURN) && tokenizer_is_control(t, VOCAB_BOS));
    tokenizer_free(t);
    vocab_free(&v);
}

/* Opens and frees v; the refusal must be of `status` and say `part`. */
static void check_refused(Vocab *v, GemmaStatus status, const char *part) {
    GemmaError err = {0};
    Tokenizer *t = vocab_open(v, &err);
    CHECK(!t);
    CHECK_INT(err.status, status);
    CHECK_TEXT_HAS(err.text, part);
    tokenizer_free(t);
    vocab_free(v);
}

TEST(files_that_are_wrong_are_refused_with_a_sentence) {
    Vocab v = {0};
    char long_piece[300];
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.model");
    vocab_text(&v, "tokenizer.ggml.model", "gpt2");
    check_refused(&v, GEMMA_UNSUPPORTED, "\"gpt2\"");
    vocab_number(&v, "tokenizer.ggml.model", 1);
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.model");
    vocab_text(&v, "tokenizer.ggml.model", "llama");
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.tokens");
    vocab_text(&v, "tokenizer.ggml.model", "llama");
    vocab_number(&v, "tokenizer.ggml.tokens", 5);
    check_refused(&v, GEMMA_BAD_FILE, "array of strings");

    vocab_standard(&v);
    v.no_scores = true;
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.scores");
    vocab_standard(&v);
    vocab_put_u32(&v.scores, 0);
    check_refused(&v, GEMMA_BAD_FILE, "elements");
    vocab_standard(&v);
    v.types.n -= 4;
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.token_type");
    vocab_standard(&v);
    vocab_add(&v, "x", NAN, VOCAB_NORMAL);
    check_refused(&v, GEMMA_BAD_FILE, "score of token 263");
    vocab_standard(&v);
    vocab_add(&v, "x", 0, 7);
    check_refused(&v, GEMMA_BAD_FILE, "token 263 has type 7");
    vocab_standard(&v);
    memset(long_piece, 'x', sizeof long_piece);
    vocab_add_n(&v, long_piece, 257, 0, VOCAB_NORMAL);
    check_refused(&v, GEMMA_BAD_FILE, "257 bytes");

    vocab_text(&v, "tokenizer.ggml.model", "llama");
    vocab_add(&v, "<bos>", 0, VOCAB_CONTROL);
    check_refused(&v, GEMMA_BAD_FILE, "<0x00>");
    vocab_standard(&v);
    vocab_rename(&v, VOCAB_BOS, "<xos>");
    check_refused(&v, GEMMA_BAD_FILE, "<bos>");
    vocab_standard(&v);
    vocab_number(&v, "tokenizer.ggml.bos_token_id", VOCAB_OWN);
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.bos_token_id");
    vocab_standard(&v);
    vocab_number(&v, "tokenizer.ggml.eos_token_id", 4000000000u);
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.eos_token_id");
    vocab_standard(&v);
    vocab_text(&v, "tokenizer.ggml.add_space_prefix", "yes");
    check_refused(&v, GEMMA_BAD_FILE, "tokenizer.ggml.add_space_prefix");

    vocab_standard(&v);     /* more to cut out than any model has */
    for (int i = 0; i < 65536; i++) {
        snprintf(long_piece, sizeof long_piece, "%05d", i);
        memset(long_piece + 5, 'x', 251);
        vocab_add_n(&v, long_piece, 256, 0, VOCAB_USER_DEFINED);
    }
    check_refused(&v, GEMMA_BAD_FILE, "too many or too long");
}

/* As Ollama writes SentencePiece's vocabularies: the types of user-defined pieces are lost, their scores are
 * not. */
TEST(many_pieces_that_no_merge_makes_are_user_defined) {
    for (int n = 90; n <= 180; n += 90) {
        Vocab v = {0};
        GemmaError err;
        char piece[16];
        vocab_standard(&v);
        vocab_letters(&v, "<>abh0123456789");
        for (int i = 0; i < 300; i++) vocab_add(&v, "filler", -2000, VOCAB_NORMAL);
        int ab = vocab_add(&v, "ab", -0.0f, VOCAB_NORMAL), aab = vocab_add(&v, "aab", -1, VOCAB_NORMAL),
            first = v.n_tokens;
        for (int i = 0; i < n; i++) {
            snprintf(piece, sizeof piece, "<h%d>", i);
            vocab_add(&v, piece, 0, VOCAB_NORMAL);
        }
        Tokenizer *t = vocab_open(&v, &err);
        REQUIRE(t);
        CHECK_IDS(t, "aab", aab);       /* the best of the merges is -0, and stays one */
        CHECK_IDS(t, "ab", ab);
        int32_t ids[8];
        CHECK_INT(tokenizer_encode(t, "<h7>", 4, false, false, ids, 8), n > 100 ? 1 : 4);
        if (n > 100) CHECK_IDS(t, "ab<h7>ab<h77>", ab, first + 7, ab, first + 77);
        CHECK(!tokenizer_is_control(t, first + 7));
        tokenizer_free(t);
        vocab_free(&v);
    }
}

/* As speech models have them, numbered, and as bad for a trie as can be: long and different from their first
 * bytes on. */
TEST(a_vocabulary_may_have_many_added_tokens) {
    enum { N = 40000 };
    char piece[64];
    for (int kind = VOCAB_CONTROL; kind <= VOCAB_USER_DEFINED; kind++) {
        for (int numbered = 0; numbered < 2; numbered++) {
            Vocab v = {0};
            GemmaError err;
            vocab_standard(&v);
            for (int i = 0; i < N; i++) {
                if (numbered) snprintf(piece, sizeof piece, "<custom_token_%d>", i);
                else snprintf(piece, sizeof piece, "<%08x and a long tail of the token %d>",
                    (unsigned)i * 2654435761u, i);
                vocab_add(&v, piece, -1000, kind);
            }
            Tokenizer *t = vocab_open(&v, &err);
            if (!t) TEST_FAIL("%s", err.text);
            REQUIRE(t);
            for (int i = 0; i < N; i += 999) {
                int32_t id = -1;
                char text[256];
                int n = tokenizer_decode(t, VOCAB_OWN + i, text);
                CHECK_INT(tokenizer_encode(t, text, (size_t)n, false, true, &id, 1), 1);
                CHECK_INT(id, VOCAB_OWN + i);
                CHECK(tokenizer_encode(t, text, (size_t)n - 1, false, true, &id, 1) > 1);
                CHECK((tokenizer_encode(t, text, (size_t)n, false, false, &id,
                    1) == 1) == (kind == VOCAB_USER_DEFINED));
            }
            CHECK(tokenizer_bytes(&v.gguf, v.n_tokens) < 40 << 20);
            tokenizer_free(t);
            vocab_free(&v);
        }
    }
}

TEST(of_equal_pieces_the_first_counts) {
    Vocab v = {0};
    GemmaError err;
    vocab_standard(&v);
    int first = vocab_add(&v, "x", 0, VOCAB_NORMAL);
    for (int i = 0; i < 1000; i++) vocab_add(&v, "x", 5, VOCAB_NORMAL);
    int cut = vocab_add(&v, "<i>", 0, VOCAB_USER_DEFINED);
    vocab_add(&v, "<i>", 0, VOCAB_USER_DEFINED);
    Tokenizer *t = vocab_open(&v, &err);
    REQUIRE(t);
    CHECK_IDS(t, "x<i>x", first, cut, first);
    tokenizer_free(t);
    vocab_free(&v);
}

int main(void) {
    RUN(joins_the_best_score_first_and_the_leftmost_of_equals);
    RUN(what_is_no_piece_becomes_its_bytes);
    RUN(spaces_are_marks_and_marks_are_spaces);
    RUN(equals_the_plain_implementation);
    RUN(user_defined_tokens_are_cut_out_first_the_longest_of_them);
    RUN(control_tokens_come_from_text_only_when_asked);
    RUN(any_bytes_come_back);
    RUN(time_is_in_proportion_to_the_text);
    RUN(writes_no_more_than_cap_and_counts_all);
    RUN(settings_come_from_the_metadata);
    RUN(without_types_all_but_bytes_and_controls_are_normal);
    RUN(files_that_are_wrong_are_refused_with_a_sentence);
    RUN(many_pieces_that_no_merge_makes_are_user_defined);
    RUN(a_vocabulary_may_have_many_added_tokens);
    RUN(of_equal_pieces_the_first_counts);
    return test_result();
}
