/* The loader gives the same model from pieces of any size, and refuses a file that is not sound, not a Gemma
 * or not whole with one sentence that begins with the file's name and says what is wrong. What metadata
 * leaves open, config.c decides. */
#include <math.h>

#include "calls.h"
#include "config.h"
#include "gemma.h"
#include "test.h"
#include "tiny_gguf.h"

static const TinySpec spec = {"gemma3", QUANT_Q8_0, 2, 64, 4, 1, 32, 64, 64, 16};
enum { WHOLE = 1 << 30 };

static void check_refused(TinyGguf *g, int line, GemmaStatus status, const char *part) {
    size_t n;
    GemmaError err = {0};
    uint8_t *file = tiny_bytes(g, &n);
    GemmaModel *m = tiny_load(file, n, WHOLE, 1, &err);
    if (m || err.status != status || strncmp(err.text, "tiny.gguf: ", 11) || !test_has(err.text, part))
        TEST_FAIL("line %d: %s, status %d, \"%s\" should say \"%s\"", line, m ? "loaded" : "refused",
            err.status, err.text, part);
    gemma_model_free(m);
    free(file);
    tiny_free(g);
}

/* A sound file, once the statements have changed `g`, is refused with a sentence that has `part` in it. */
#define REFUSED_AS(status, part, ...) \
    do { \
        TinyGguf g = tiny_make(&spec, 1); \
        __VA_ARGS__; \
        check_refused(&g, __LINE__, status, part); \
    } while (0)
#define REFUSED(part, ...) REFUSED_AS(GEMMA_BAD_FILE, part, __VA_ARGS__)
#define UNSUPPORTED(part, ...) REFUSED_AS(GEMMA_UNSUPPORTED, part, __VA_ARGS__)

static float *logits_of(GemmaModel *m) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 32, &err);
    int32_t ids[20];
    int n = test_tokenize(m, "a few letters", 13, GEMMA_ADD_BOS, ids, 20),
        n_vocab = gemma_model_plan(m)->shape.n_vocab;
    float *logits = malloc((size_t)n_vocab * sizeof *logits);
    CHECK(test_sync(s, ids, n, &err) == 0 && test_step(s, n, INFINITY, &err) == 0);
    memcpy(logits, gemma_session_logits(s), (size_t)n_vocab * sizeof *logits);
    gemma_session_free(s);
    return logits;
}

TEST(pieces_of_any_size_give_the_same_model) {
    static const size_t pieces[] = {WHOLE, 1, 7, 333, 4096, 65536};
    static const QuantType types[] = {QUANT_F32, QUANT_BF16, QUANT_Q4_0, QUANT_IQ4_NL,
        QUANT_Q2_K, QUANT_Q3_K};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        size_t n;
        TinySpec s = spec;
        s.type = types[t];
        s = tiny_fitted(s);
        uint8_t *file = tiny_gguf(&s, 3, &n);
        float *want = NULL;
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            GemmaError err = {0};
            GemmaModel *m = tiny_load(file, n, pieces[i], 1 + (int)i % 2, &err);
            if (!m) TEST_FAIL("pieces of %zu: %s", pieces[i], err.text);
            if (!m) continue;
            float *logits = logits_of(m);
            if (want && memcmp(want, logits, TINY_VOCAB * sizeof *want))
                TEST_FAIL("pieces of %zu give another model", pieces[i]);
            if (want) free(logits);
            else want = logits;
            gemma_model_free(m);
        }
        free(want);
        free(file);
    }
}

/* A large tensor is packed from a staging block of a few megabytes: its tiles lie across the block's end
 * again and again. */
TEST(a_tensor_larger_than_the_staging_block_is_packed_whole) {
    size_t n;
    TinySpec s = {"gemma", QUANT_F32, 1, 1024, 4, 1, 32, 1024, 64, 0};
    uint8_t *file = tiny_gguf(&s, 3, &n);
    float *want = NULL;
    CHECK(n > 3 * (4 << 20));
    for (size_t piece = WHOLE; piece > 100000; piece = piece == WHOLE ? 3000001 : piece / 9) {
        GemmaError err = {0};
        GemmaModel *m = tiny_load(file, n, piece, 2, &err);
        REQUIRE(m);
        float *logits = logits_of(m);
        if (want) CHECK(!memcmp(want, logits, TINY_VOCAB * sizeof *want));
        free(want);
        want = logits;
        gemma_model_free(m);
    }
    free(want);
    free(file);
}

/* From the last to the first, with gaps between them, and one that no Gemma has. */
TEST(tensors_may_lie_in_any_order_and_be_more_than_needed) {
    float *logits[2];
    for (int turned = 0; turned < 2; turned++) {
        TinyGguf g = tiny_make(&spec, 3);
        TinyBytes data = {0};
        size_t end = g.data.n;
        for (int i = g.n_tensors - 1; turned && i >= 0; i--) {
            size_t from = (size_t)g.tensors[i].offset;
            g.tensors[i].offset = data.n;
            tiny_put(&data, g.data.p + from, end - from);
            end = from;
            for (int k = 0; k < 32 * (i % 3); k++) tiny_put(&data, "\xff", 1);
        }
        if (turned) {
            free(g.data.p);
            g.data = data;
            tiny_add_tensor(&g, &spec, "vision.weight", 32, 7, &(uint64_t){1});
        }
        size_t n;
        GemmaError err = {0};
        uint8_t *file = tiny_bytes(&g, &n);
        GemmaModel *m = tiny_load(file, n, 999, 1, &err);
        if (!m) TEST_FAIL("%s", err.text);
        REQUIRE(m);
        logits[turned] = logits_of(m);
        gemma_model_free(m);
        free(file);
        tiny_free(&g);
    }
    CHECK(!memcmp(logits[0], logits[1], TINY_VOCAB * sizeof **logits));
    free(logits[0]);
    free(logits[1]);
}

TEST(a_file_cut_anywhere_is_refused) {
    size_t n;
    uint8_t *file = tiny_gguf(&spec, 5, &n);
    for (size_t cut = 0; cut < n; cut += cut < 64 ? 7 : 1009) {
        for (int told = 0; told < 2; told++) {      /* the size announced: what came, or what should have
                                                     * come */
            GemmaError err = {0};
            GemmaModel *m = tiny_load_as(told ? n : cut, file, cut, WHOLE, (GemmaOptions){
                .n_threads = 1}, &err);
            CHECK(!m);
            CHECK_INT(err.status, GEMMA_BAD_FILE);
            CHECK_TEXT_HAS(err.text, "tiny.gguf: ");
            CHECK_TEXT_HAS(err.text, told ? "the file ended" : "file");
            gemma_model_free(m);
        }
    }
    free(file);
}

TEST(more_bytes_than_the_file_was_said_to_have_are_refused) {
    size_t n;
    uint8_t *file = tiny_gguf(&spec, 5, &n);
    file = realloc(file, n + 10);
    memset(file + n, 0, 10);
    for (size_t piece = 333; piece <= WHOLE; piece = piece == WHOLE ? WHOLE + 1 : WHOLE) {
        GemmaError err = {0};
        CHECK(!tiny_load_as(n, file, n + 10, piece, (GemmaOptions){.n_threads = 1}, &err));
        CHECK_TEXT_HAS(err.text, "tiny.gguf: more bytes came than the");
        /* a header that goes on */
        CHECK(!tiny_load_as(20, file, n, piece, (GemmaOptions){.n_threads = 1}, &err));
        CHECK_TEXT_HAS(err.text, "tiny.gguf: ");
        /* bytes after the last tensor are nothing to worry about */
        GemmaModel *m = tiny_load(file, n + 10, piece, 1, &err);
        CHECK(m);
        gemma_model_free(m);
    }
    free(file);
}

TEST(other_models_are_refused_by_name) {
    UNSUPPORTED("this file holds a \"llama\" model; this engine runs gemma, gemma2 and gemma3",
        tiny_set_text(&g, "general.architecture", "llama"));
    UNSUPPORTED("\"gemma3n\" model", tiny_set_text(&g, "general.architecture", "gemma3n"));
    UNSUPPORTED("\"gemma-embedding\" model", tiny_set_text(&g, "general.architecture", "gemma-embedding"));
    UNSUPPORTED("tokenizer is \"gpt2\"", tiny_set_text(&g, "tokenizer.ggml.model", "gpt2"));
    UNSUPPORTED("tensor blk.0.attn_q.weight is stored as IQ2_XXS; this engine reads F32, F16, BF16, Q8_0, "
        "Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K",
        tiny_tensor(&g, "blk.0.attn_q.weight")->type = 16);
    UNSUPPORTED("tensor output_norm.weight is stored as unknown",
        tiny_tensor(&g, "output_norm.weight")->type = 200);
    UNSUPPORTED("scales RoPE by \"yarn\"", tiny_set_text(&g, "gemma3.rope.scaling.type", "yarn"));
    REFUSED("this is part 1 of a model in 3 files", tiny_set_u32(&g, "split.count", 3));
    REFUSED("\"general.architecture\" is missing", tiny_remove(&g, "general.architecture"));
    REFUSED("\"general.architecture\" is a 32-bit number; a string was expected",
        tiny_set_u32(&g, "general.architecture", 3));
}

TEST(missing_metadata_is_named) {
    static const char *const keys[] = {"gemma3.block_count", "gemma3.embedding_length",
        "gemma3.feed_forward_length", "gemma3.context_length",
        "gemma3.attention.head_count", "tokenizer.ggml.tokens", "tokenizer.ggml.scores",
        "tokenizer.ggml.model"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        REFUSED(keys[i], tiny_remove(&g, keys[i]));
        REFUSED(keys[i], tiny_put(tiny_set(&g, keys[i], GGUF_BOOL), "\1", 1));
    }
}

TEST(absurd_sizes_are_refused) {
    static const struct { const char *key; double most; } sizes[] = {
        {"block_count", 256}, {"embedding_length", 65536}, {"feed_forward_length", 262144},
            {"attention.head_count", 1024},
        {"attention.head_count_kv", 1024}, {"attention.key_length", 512}, {"attention.value_length", 512},
            {"context_length", 1 << 24},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char key[96], expected[160];
        snprintf(key, sizeof key, "gemma3.%s", sizes[i].key);
        snprintf(expected, sizeof expected, "a whole number from 1 to %.0f was expected", sizes[i].most);
        REFUSED(expected, tiny_set_u32(&g, key, 0));
        REFUSED(expected, tiny_set_u32(&g, key, (uint32_t)sizes[i].most + 1));
        REFUSED(expected, tiny_set_u64(&g, key, UINT64_MAX));
        REFUSED(expected, tiny_put_u64(tiny_set(&g, key, GGUF_INT64), (uint64_t)INT64_MIN));
        REFUSED(expected, tiny_set_f32(&g, key, 1.5f));
        REFUSED(expected, tiny_set_f32(&g, key, NAN));
        REFUSED("a number was expected", tiny_set_text(&g, key, "12"));
    }
    REFUSED("4 query heads and 3 key/value heads", tiny_set_u32(&g, "gemma3.attention.head_count_kv", 3));
    REFUSED("up to 128 times", tiny_set_u32(&g, "gemma3.attention.head_count", 256); tiny_set_u32(&g,
        "gemma3.embedding_length", 8192));
    REFUSED("128 heads of 32 numbers each on an embedding of 64",
        tiny_set_u32(&g, "gemma3.attention.head_count", 128));
    REFUSED("65536 numbers in all", tiny_set_u32(&g, "gemma3.attention.head_count", 1024);
            tiny_set_u32(&g, "gemma3.attention.head_count_kv", 1024);
            tiny_set_u32(&g, "gemma3.embedding_length", 65536);
            tiny_set_u32(&g, "gemma3.attention.key_length", 512);
            tiny_set_u32(&g, "gemma3.attention.value_length", 512));
    UNSUPPORTED("32 numbers in keys, 16 in values", tiny_set_u32(&g, "gemma3.attention.value_length", 16));
    UNSUPPORTED("rotate 8 of them", tiny_set_u32(&g, "gemma3.rope.dimension_count", 8));
    UNSUPPORTED("an embedding length of 72; this engine runs multiples of 32",
        tiny_set_u32(&g, "gemma3.embedding_length", 72));
    UNSUPPORTED("a feed-forward length of 33", tiny_set_u32(&g, "gemma3.feed_forward_length", 33));
    REFUSED("\"gemma3.attention.sliding_window\" is 4294967295",
        tiny_set_u32(&g, "gemma3.attention.sliding_window", UINT32_MAX));
    REFUSED("\"gemma3.attention.layer_norm_rms_epsilon\" is 2; 0 to 1",
        tiny_set_f32(&g, "gemma3.attention.layer_norm_rms_epsilon", 2));
    REFUSED("a finite number was expected", tiny_set_f32(&g, "gemma3.attention.layer_norm_rms_epsilon", NAN));
    REFUSED("\"gemma3.rope.freq_base\" is -1", tiny_set_f32(&g, "gemma3.rope.freq_base", -1));
    REFUSED("\"gemma3.rope.freq_base_swa\" is inf", tiny_set_f32(&g, "gemma3.rope.freq_base_swa", INFINITY));
    REFUSED("\"gemma3.rope.scaling.factor\" is -2", tiny_set_f32(&g, "gemma3.rope.scaling.factor", -2));
    REFUSED("\"gemma3.final_logit_softcapping\" is -30",
        tiny_set_f32(&g, "gemma3.final_logit_softcapping", -30));
}

static void set_list(TinyGguf *g, const char *key, uint32_t type, uint64_t n, const uint32_t *values) {
    TinyBytes *b = tiny_set_array(g, key, type, n);
    for (uint64_t i = 0; i < n; i++) tiny_put(b, &values[i], type == GGUF_BOOL ? 1 : 4);
}

TEST(arrays_per_layer_are_read_or_refused) {
    UNSUPPORTED("\"gemma3.context_length\" differs from layer to layer",
                set_list(&g, "gemma3.context_length", GGUF_UINT32, 2, (uint32_t[]){64, 96}));
    REFUSED("tensor blk.1.ffn_gate.weight should be [", set_list(&g, "gemma3.feed_forward_length",
        GGUF_UINT32, 2, (uint32_t[]){64, 96}));
    REFUSED("\"gemma3.feed_forward_length\" has 1 values", set_list(&g, "gemma3.feed_forward_length",
        GGUF_UINT32, 1, (uint32_t[]){64}));
    REFUSED("\"gemma3.feed_forward_length\" is 0 for layer 0;", set_list(&g, "gemma3.feed_forward_length",
        GGUF_UINT32, 2, (uint32_t[]){0, 0}));
    REFUSED("\"gemma3.attention.head_count\" is a list without numbers",
        set_list(&g, "gemma3.attention.head_count", GGUF_UINT32, 0, NULL));
    REFUSED("is a list without numbers",
        tiny_put_text(tiny_set_array(&g, "gemma3.attention.head_count", GGUF_STRING, 1), "4"));
    REFUSED("\"gemma3.attention.sliding_window_pattern\" has 1 values; one bool for each of 2 layers",
            set_list(&g, "gemma3.attention.sliding_window_pattern", GGUF_BOOL, 1, (uint32_t[]){1}));
    REFUSED("one bool for each of 2 layers", set_list(&g, "gemma3.attention.sliding_window_pattern",
        GGUF_UINT32, 2, (uint32_t[]){1, 0}));
}

TEST(missing_and_misshapen_tensors_are_named) {
    TinyGguf whole = tiny_make(&spec, 1);
    for (int i = 0; i < whole.n_tensors; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "the file has no tensor %s, which its architecture needs",
            whole.tensors[i].name);
        REFUSED(expected, strcpy(g.tensors[i].name, "other"));
        snprintf(expected, sizeof expected, "tensor %s should be [", whole.tensors[i].name);
        REFUSED(expected, g.tensors[i].n_dims = 3; g.tensors[i].dims[g.tensors[i].dims[1] ? 2 : 1] =
            1; g.tensors[i].dims[2] = 1;
                g.tensors[i].dims[0] /= 2);
    }
    tiny_free(&whole);
}

/* -------------------------------------------------------------------- as many tokens as rows, or nearly */

/* Gives the matrix over the vocabulary n rows: those it has, the last one again and again. */
static void set_rows(TinyGguf *g, uint64_t n) {
    TinyTensor *t = tiny_tensor(g, "token_embd.weight");
    size_t row = quant_row_bytes(t->type, (int)t->dims[0]), had = (size_t)t->dims[1] * row;
    uint64_t from = t->offset;
    t->offset = g->data.n;
    t->dims[1] = n;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t copy[4096];
        size_t at = (size_t)i * row < had ? (size_t)i * row : had - row;
        memcpy(copy, g->data.p + from + at, row);
        tiny_put(&g->data, copy, row);
    }
    tiny_pad(&g->data);
}

/* Adds n user-defined tokens "[PAD0]", ... */
static void add_tokens(TinyGguf *g, int n) {
    char piece[32];
    tiny_add_vocabulary(g, TINY_VOCAB);
    TinyBytes *b = &tiny_find(g, "tokenizer.ggml.tokens")->value;
    uint64_t all = (uint64_t)TINY_VOCAB + (uint64_t)n;
    memcpy(b->p + 4, &all, 8);
    for (int i = 0; i < n; i++) {
        snprintf(piece, sizeof piece, "[PAD%d]", i);
        tiny_put_text(b, piece);
    }
    b = &tiny_find(g, "tokenizer.ggml.scores")->value;
    memcpy(b->p + 4, &all, 8);
    for (int i = 0; i < n; i++) tiny_put(b, &(float){-1}, 4);
    b = &tiny_find(g, "tokenizer.ggml.token_type")->value;
    memcpy(b->p + 4, &all, 8);
    for (int i = 0; i < n; i++) tiny_put_u32(b, 4);
}

TEST(padded_rows_and_tokens_without_a_row_are_left_out) {
    static const struct { int more_tokens, more_rows, n_vocab; } cases[] = {
        {0, 0, TINY_VOCAB}, {0, 1, TINY_VOCAB}, {0, 63, TINY_VOCAB}, {1, 0, TINY_VOCAB},
            {5, 2, TINY_VOCAB + 2}, {0, -1, TINY_VOCAB - 1},
        {1000, 0, TINY_VOCAB}, {0, 1024, TINY_VOCAB},
    };
    float *want = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n;
        GemmaError err = {0};
        TinyGguf g = tiny_make(&spec, 3);
        add_tokens(&g, cases[i].more_tokens);
        if (cases[i].more_rows) set_rows(&g, (uint64_t)(TINY_VOCAB + cases[i].more_rows));
        uint8_t *file = tiny_bytes(&g, &n);
        GemmaModel *m = tiny_load(file, n, 999, 1, &err);
        if (!m) TEST_FAIL("case %zu: %s", i, err.text);
        REQUIRE(m);
        int n_vocab = gemma_model_plan(m)->shape.n_vocab;
        CHECK_INT(n_vocab, cases[i].n_vocab);
        float *logits = logits_of(m);
        /* fewer: a space is a byte then */
        if (n_vocab >= TINY_VOCAB && want) CHECK(!memcmp(want, logits, TINY_VOCAB * sizeof *want));
        if (want) free(logits);
        else want = logits;
        /* Neither text nor the sampler nor a caller gets at the others. */
        char buf[256];
        int32_t ids[20];
        int n_ids = test_tokenize(m, "a [PAD0]", 8, GEMMA_PARSE_CONTROL, ids, 20);
        for (int k = 0; k < n_ids; k++) CHECK(ids[k] < n_vocab);
        CHECK_INT(gemma_token_bytes(m, n_vocab, buf), 0);
        GemmaSession *s = gemma_session_new(m, 32, &err);
        CHECK_INT(test_sync(s, &n_vocab, 1, &err), -1);
        CHECK_INT(err.status, GEMMA_BAD_ARGUMENT);
        CHECK_INT(gemma_session_bias(s, n_vocab, 1, &err), GEMMA_BAD_ARGUMENT);
        gemma_session_free(s);
        gemma_model_free(m);
        free(file);
        tiny_free(&g);
    }
    free(want);
    REFUSED("tensor token_embd.weight has 1314 rows for a vocabulary of 289 tokens",
        set_rows(&g, TINY_VOCAB + 1025));
    REFUSED("tensor token_embd.weight has 289 rows for a vocabulary of 1314 tokens", add_tokens(&g, 1025));
}

static GemmaStatus check_header(TinyGguf *g, bool cut, GemmaError *err) {
    size_t n;
    Gguf parsed;
    uint8_t *file = tiny_bytes(g, &n);
    GemmaStatus s = GEMMA_BAD_FILE;
    *err = (GemmaError){0};
    if (gguf_parse(&parsed, file, n, n, err) == GGUF_COMPLETE) {
        s = gemma_check_header(file, cut ? (size_t)parsed.header_size / 2
            : (size_t)parsed.header_size, n, err);
        gguf_free(&parsed);
    }
    free(file);
    tiny_free(g);
    return s;
}

TEST(a_header_is_checked_without_its_weights) {
    GemmaError err;
    TinyGguf g = tiny_make(&spec, 1);
    CHECK_INT(check_header(&g, false, &err), GEMMA_OK);
    g = tiny_make(&spec, 1);
    CHECK_INT(check_header(&g, true, &err), GEMMA_BAD_FILE);
    g = tiny_make(&spec, 1);
    tiny_remove(&g, "tokenizer.ggml.scores");
    CHECK_INT(check_header(&g, false, &err), GEMMA_BAD_FILE);
    CHECK_TEXT_HAS(err.text, "tokenizer.ggml.scores");
    g = tiny_make(&spec, 1);
    strcpy(tiny_tensor(&g, "token_embd.weight")->name, "token_embd.bias");
    CHECK_INT(check_header(&g, false, &err), GEMMA_BAD_FILE);
    CHECK_TEXT_HAS(err.text, "token_embd.weight");
}

TEST(vocabularies_that_do_not_fit_are_refused) {
    REFUSED("has 0 tokens; 2 to 4194304 were expected", tiny_set_array(&g, "tokenizer.ggml.tokens",
        GGUF_STRING, 0));
    REFUSED("this file has no vocabulary", tiny_set_array(&g, "tokenizer.ggml.tokens", GGUF_INT32, 0));
    REFUSED("\"tokenizer.ggml.scores\" has 0 elements, but there are 289 tokens",
        tiny_set_array(&g, "tokenizer.ggml.scores", GGUF_FLOAT32, 0));
    REFUSED("\"tokenizer.ggml.bos_token_id\" is 289;", tiny_set_u32(&g, "tokenizer.ggml.bos_token_id", 289));
    REFUSED("\"tokenizer.ggml.eos_token_id\" is 4294967295;",
        tiny_set_u32(&g, "tokenizer.ggml.eos_token_id", UINT32_MAX));
}

/* The first weights of blk.1.ffn_up, the layer's last but two. */
static uint8_t *ffn_up(TinyGguf *g) { return g->data.p + tiny_tensor(g, "blk.1.ffn_up.weight")->offset; }

TEST(weights_that_are_no_numbers_are_named_with_their_place) {
    static const uint16_t halves[] = {0x7c00, 0xfc00, 0x7e00, 0x5400};      /* inf, -inf, NaN, 64 */
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        REFUSED("tensor blk.1.ffn_up.weight, row 17, column 32: a block scale is",
            memcpy(ffn_up(&g) + 17 * 68 + 34, &halves[i], 2));
    REFUSED("tensor output_norm.weight: weight 3 is nan",
            memcpy(g.data.p + tiny_tensor(&g, "output_norm.weight")->offset + 12, &(float){NAN}, 4));
    REFUSED("tensor blk.1.ffn_up.weight, row 0, column 5: a weight is inf", tiny_free(&g);
            TinySpec s = spec; s.type = QUANT_F32; g = tiny_make(&s, 1);
            memcpy(ffn_up(&g) + 20, &(float){INFINITY}, 4));
}

/* Every time that it is asked, not only the first: there are no logits to go on with. */
TEST(weights_that_overflow_are_told_when_they_are_used) {
    size_t n;
    GemmaError err = {0};
    TinySpec s = spec;
    s.type = QUANT_F32;
    TinyGguf g = tiny_make(&s, 1);
    float *embedding = (float *)(void *)(g.data.p + tiny_tensor(&g, "token_embd.weight")->offset);
    for (int i = 0; i < 64 * TINY_VOCAB; i++) embedding[i] = 3e38f;
    uint8_t *file = tiny_bytes(&g, &n);
    tiny_free(&g);
    GemmaModel *m = tiny_load(file, n, WHOLE, 1, &err);
    free(file);
    REQUIRE(m);
    GemmaSession *session = gemma_session_new(m, 8, &err);
    CHECK_INT(test_sync(session, (int32_t[]){2, 5}, 2, &err), 0);
    for (int i = 0; i < 2; i++) {
        err.status = GEMMA_OK;
        CHECK_INT(test_step(session, 8, INFINITY, &err), -1);
        CHECK_INT(err.status, GEMMA_BAD_NUMBERS);
        CHECK_TEXT_HAS(err.text, "not finite at token 1");
    }
    gemma_session_free(session);
    gemma_model_free(m);
}

/* ---------------------------------------------------------------------------- what metadata leaves open */

/* The configuration of a file that says only what it must; `change` may add to it. */
static Config config_of(const char *architecture, int n_layer, void (*change)(TinyGguf *g)) {
    TinySpec s = {architecture, QUANT_Q4_0, 1, 128, 8, 4, 32, 32, 64, 0};
    TinyGguf t = tiny_make(&s, 1);
    Gguf g;
    Config c = {0};
    GemmaError err = {0};
    char key[96];
    size_t n;
    snprintf(key, sizeof key, "%s.block_count", architecture);
    tiny_set_u32(&t, key, (uint32_t)n_layer);
    snprintf(key, sizeof key, "%s.attention.sliding_window", architecture);
    tiny_remove(&t, key);
    if (change) change(&t);
    uint8_t *file = tiny_bytes(&t, &n);
    if (gguf_parse(&g, file, n, n, &err) != GGUF_COMPLETE || config_read(&c, &g, &err) != GEMMA_OK)
        TEST_FAIL("%s", err.text);
    gguf_free(&g);
    free(file);
    tiny_free(&t);
    return c;
}

/* Window, base and scale of every layer, where every period-th is global. */
static void check_layers(Config c, int window, int period, float base_local, float base, float scale) {
    for (int i = 0; c.layers && i < c.n_layer; i++) {
        bool local = window && (period == 0 || i % period != period - 1);
        CHECK_INT(c.layers[i].window, local ? window : 0);
        CHECK_NEAR(c.ropes[c.layers[i].rope].base, local ? base_local : base, 0);
        CHECK_NEAR(c.ropes[c.layers[i].rope].scale, local ? 1 : scale, 0);
    }
    config_free(&c);
}

TEST(gemma_1_has_global_layers_only) {
    Config c = config_of("gemma", 5, NULL);
    CHECK(!c.arch->post_norms && !c.arch->qk_norms && c.attn_softcap == 0 && c.final_softcap == 0);
    CHECK_NEAR(c.layers[0].attn_scale, 1 / sqrt(32), 1e-7);
    CHECK_NEAR(c.embd_scale, sqrt(128), 1e-5);
    check_layers(c, 0, 0, 0, 10000, 1);
}

TEST(gemma_2_alternates_windows_of_4096_with_global_layers) {
    Config c = config_of("gemma2", 6, NULL);
    CHECK(c.arch->post_norms && !c.arch->qk_norms && c.attn_softcap == 50 && c.final_softcap == 30);
    CHECK_NEAR(c.layers[0].attn_scale, 1 / sqrt(32), 1e-7);
    check_layers(c, 4096, 2, 10000, 10000, 1);
}

static void gemma_3_of_27b(TinyGguf *g) {
    tiny_set_u32(g, "gemma3.attention.sliding_window", 1024);
    tiny_set_f32(g, "gemma3.rope.freq_base", 1e6f);
    tiny_set_text(g, "gemma3.rope.scaling.type", "linear");
    tiny_set_f32(g, "gemma3.rope.scaling.factor", 8);
}

TEST(gemma_3_has_a_global_layer_after_five_local_ones) {
    Config c = config_of("gemma3", 14, gemma_3_of_27b);
    CHECK(c.arch->post_norms && c.arch->qk_norms && c.attn_softcap == 0 && c.final_softcap == 0);
    CHECK_NEAR(c.layers[0].attn_scale, 1 / sqrt(32), 1e-7);
    check_layers(c, 1024, 6, 10000, 1e6f, 1.0f / 8);
}

/* As llama.cpp has it; but the base is Gemma 3's. */
TEST(gemma_3_of_another_size_without_a_window_is_global_and_capped) {
    Config c = config_of("gemma3", 7, NULL);
    CHECK(c.final_softcap == 30);
    check_layers(c, 0, 6, 0, 1e6f, 1);
}

static void say_nothing(TinyGguf *g) {
    static const char *const keys[] = {"attention.layer_norm_rms_epsilon", "attention.key_length",
        "attention.value_length", "attention.head_count_kv"};
    char key[96], architecture[16];
    snprintf(architecture, sizeof architecture, "%.*s", (int)strcspn(g->entries[2].key, "."),
        g->entries[2].key);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(key, sizeof key, "%s.%s", architecture, keys[i]);
        tiny_remove(g, key);
    }
}

/* Ollama's files leave out most of what Gemma 3 has in common. Heads of 32 on an embedding of 128 in 8 heads:
 * only the tensors say that. */
TEST(what_metadata_leave_out_is_what_the_gemma_of_that_size_was_trained_with) {
    static const struct { int n_layer, window; float scale; } sizes[] = {{18, 512, 1}, {26, 512, 1},
        {34, 1024, 0.125f}, {48, 1024, 0.125f}, {62, 1024, 0.125f}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Config c = config_of("gemma3", sizes[i].n_layer, say_nothing);
        CHECK_NEAR(c.rms_eps, 1e-6, 1e-12);
        CHECK(c.layers[0].head_dim == 32 && c.layers[0].n_head_kv == 4 && c.final_softcap == 0);
        check_layers(c, sizes[i].window, 6, 10000, 1e6f, sizes[i].scale);
    }
    Config c = config_of("gemma2", 6, say_nothing);
    CHECK_NEAR(c.rms_eps, 1e-6, 1e-12);
    CHECK(c.layers[0].head_dim == 32 && c.layers[0].n_head_kv == 4);
    check_layers(c, 4096, 2, 10000, 10000, 1);
    c = config_of("gemma", 6, say_nothing);
    CHECK_NEAR(c.rms_eps, 1e-6, 1e-12);
    check_layers(c, 0, 0, 0, 10000, 1);
}

static void names_of_ollama(TinyGguf *g) {
    tiny_set_f32(g, "gemma3.rope.local.freq_base", 500);
    tiny_set_f32(g, "gemma3.rope.global.freq_base", 70000);
    tiny_set_f32(g, "gemma3.rope.scaling.factor", 1);
    tiny_set_u32(g, "gemma3.attention.sliding_window", 32);
}

static void names_of_both(TinyGguf *g) {
    names_of_ollama(g);
    tiny_set_f32(g, "gemma3.rope.freq_base", 80000);
    tiny_set_f32(g, "gemma3.rope.freq_base_swa", 600);
}

static void capped_by_mistake(TinyGguf *g) { tiny_set_f32(g, "gemma3.final_logit_softcapping", 30); }

TEST(keys_that_only_ollama_writes_are_read) {
    check_layers(config_of("gemma3", 34, names_of_ollama), 32, 6, 500, 70000, 1);
    check_layers(config_of("gemma3", 34, names_of_both), 32, 6, 600, 80000, 1);
    Config c = config_of("gemma3", 26, capped_by_mistake);
    CHECK(c.final_softcap == 0);
    config_free(&c);
    c = config_of("gemma3", 34, capped_by_mistake);
    CHECK(c.final_softcap == 30);
    config_free(&c);
}

/* By their number of layers: 1 / sqrt(n_embd / n_head). */
TEST(the_27b_models_scale_attention_by_the_embedding) {
    Config c = config_of("gemma2", 46, NULL);
    CHECK_NEAR(c.layers[0].attn_scale, 1 / sqrt(16), 1e-7);
    config_free(&c);
    c = config_of("gemma3", 62, gemma_3_of_27b);
    CHECK_NEAR(c.layers[0].attn_scale, 1 / sqrt(16), 1e-7);
    config_free(&c);
}

static void pattern_by_period(TinyGguf *g) {
    tiny_set_u32(g, "gemma2.attention.sliding_window", 32);
    tiny_set_u32(g, "gemma2.attention.sliding_window_pattern", 3);
    tiny_set_f32(g, "gemma2.rope.freq_base_swa", 500);
}

static void pattern_by_layer(TinyGguf *g) {
    tiny_set_u32(g, "gemma3.attention.sliding_window", 32);
    set_list(g, "gemma3.attention.sliding_window_pattern", GGUF_BOOL, 4, (uint32_t[]){1, 0, 1, 0});
}

static void lists_of_equal_numbers(TinyGguf *g) {
    set_list(g, "gemma.attention.head_count_kv", GGUF_UINT32, 3, (uint32_t[]){2, 2, 2});
    set_list(g, "gemma.feed_forward_length", GGUF_INT32, 3, (uint32_t[]){64, 64, 64});
    tiny_set_f32(g, "gemma.rope.scale_linear", 4);
}

TEST(metadata_overrules_the_defaults) {
    check_layers(config_of("gemma2", 6, pattern_by_period), 32, 3, 500, 10000, 1);
    check_layers(config_of("gemma3", 4, pattern_by_layer), 32, 2, 10000, 1e6f, 1);
    Config c = config_of("gemma", 3, lists_of_equal_numbers);
    CHECK(c.layers[0].n_head_kv == 2 && c.layers[2].n_ff == 64);
    check_layers(c, 0, 0, 0, 10000, 0.25f);
}

/* Gemma 3 under another name, with other windows, bases and norms. */
TEST(an_architecture_with_nothing_new_is_one_row) {
    static const ArchSize sizes[] = {{5, 64, 4, false, false}, {0}};
    static const Arch row = {.name = "gemma9", .period = 2, .window = 16, .rope_base = 5000,
        .rope_base_local = 700, .attn_softcap = 40, .final_softcap = 20,
                             .final_softcap_global = 20, .qk_norms = true, .sizes = sizes};
    TinySpec s = {"gemma9", QUANT_Q4_0, 5, 128, 8, 4, 32, 32, 64, 0};
    for (int n_layer = 5; n_layer <= 6; n_layer++) {
        s.n_layer = n_layer;
        TinyGguf t = tiny_make(&s, 1);
        Gguf g;
        Config c = {0};
        GemmaError err = {0};
        size_t n;
        tiny_remove(&t, "gemma9.attention.sliding_window");
        uint8_t *file = tiny_bytes(&t, &n);
        REQUIRE(gguf_parse(&g, file, n, n, &err) == GGUF_COMPLETE);
        CHECK_INT(config_read(&c, &g, &err), GEMMA_UNSUPPORTED);
        CHECK_TEXT_HAS(err.text, "this engine runs gemma, gemma2 and gemma3");
        CHECK_INT(config_read_as(&c, &row, &g, &err), GEMMA_OK);
        CHECK(c.attn_softcap == 40 && c.final_softcap == 20 && c.n_ropes == 2);
        check_layers(c, n_layer == 5 ? 64 : 16, 2, 700, 5000, n_layer == 5 ? 0.25f : 1);
        gguf_free(&g);
        free(file);
        tiny_free(&t);
    }
}

/* A plan of the first `n` bytes, or NULL; free the loader. */
static GemmaLoader *estimated(const uint8_t *file, size_t n, uint64_t size, GemmaError *err) {
    size_t room;
    GemmaLoader *l = gemma_loader_new("tiny.gguf", size, err);
    uint8_t *p = gemma_loader_room(l, &room, err);
    CHECK(room >= n);
    memcpy(p, file, n);
    if (gemma_loader_estimate(l, n, err) == GEMMA_OK) return l;
    gemma_loader_free(l);
    return NULL;
}

/* Of what is parsed alike everywhere, WebAssembly tries a part. */
#ifdef __wasm__
enum { STEP = 11 };
#else
enum { STEP = 1 };
#endif

/* From where the sizes are there, every beginning gives them; what is guessed is said, and a whole header
 * leaves nothing to guess. */
TEST(every_beginning_of_a_header_gives_a_plan_that_says_what_it_guessed) {
    size_t n, n_planned = 0;
    GemmaError err = {0};
    unsigned last = GEMMA_GUESSED_SIZES | GEMMA_GUESSED_VOCABULARY | GEMMA_GUESSED_TYPES;
    TinySpec few = tiny_gemma3;
    few.n_layer = 3;        /* the first, an inner and the last one */
    uint8_t *file = tiny_gguf(&few, 1, &n);
    Gguf g;
    REQUIRE(gguf_parse(&g, file, n, n, &err) == GGUF_COMPLETE);
    size_t header = (size_t)g.header_size;
    gguf_free(&g);
    for (size_t cut = header % STEP; cut < n && cut <= header; cut += STEP) {
        err = (GemmaError){0};
        GemmaLoader *l = estimated(file, cut, n, &err);
        if (!l) {
            CHECK(n_planned == 0 || last & GEMMA_GUESSED_SIZES);
            CHECK_INT(err.status, GEMMA_BAD_FILE);
            continue;
        }
        n_planned++;
        const GemmaPlan *p = gemma_loader_plan(l);
        CHECK((p->guessed & ~last) == 0 || !(p->guessed & GEMMA_GUESSED_SIZES));
        last = p->guessed;
        if (!(last & GEMMA_GUESSED_SIZES))
            CHECK(p->shape.n_layer == 3 && p->shape.n_embd == 64 && p->shape.n_ff == 96
            && p->shape.n_ctx_train == 1024);
        if (!(last & GEMMA_GUESSED_VOCABULARY)) CHECK_INT(p->shape.n_vocab, TINY_VOCAB);
        CHECK(gemma_memory_need(l, &(GemmaOptions){.n_threads = 1}, 64) > p->weight_bytes);
        CHECK_INT(gemma_loader_allocate(l, &(GemmaOptions){.n_threads = 1}, &err), cut < header
            ? GEMMA_BAD_ARGUMENT : err.status);
        gemma_loader_free(l);
    }
    CHECK(n_planned > header / STEP / 2);
    CHECK_INT(last, 0);
    free(file);
}

TEST(more_bytes_make_a_better_plan_and_a_whole_header_the_known_one) {
    size_t n, room;
    GemmaError err = {0};
    uint8_t *file = tiny_gguf(&tiny_gemma3, 1, &n);
    GemmaLoader *l = estimated(file, 1500, n, &err);
    REQUIRE(l);
    CHECK_INT(gemma_loader_plan(l)->guessed, GEMMA_GUESSED_TYPES);
    uint8_t *p = gemma_loader_room(l, &room, &err);
    memcpy(p, file + 1500, n - 1500);
    CHECK_INT(gemma_loader_push(l, n - 1500, &err), GEMMA_OK);
    CHECK_INT(gemma_loader_plan(l)->guessed, 0);
    GemmaModel *m = gemma_loader_fill(l, &(GemmaOptions){.n_threads = 1}, &err);
    REQUIRE(m);
    CHECK_INT(gemma_model_plan(m)->shape.n_vocab, TINY_VOCAB);
    gemma_model_free(m);
    free(file);
}

TEST(types_of_a_beginning_and_of_other_parts_are_checked) {
    size_t n;
    GemmaError err = {0};
    TinyGguf g = tiny_make(&tiny_gemma3, 1);
    tiny_tensor(&g, "blk.3.ffn_up.weight")->type = 16;
    tiny_tensor(&g, "token_embd.weight")->type = 2;
    uint8_t *odd = tiny_bytes(&g, &n), *good;
    tiny_free(&g);
    size_t n_good;
    good = tiny_gguf(&tiny_gemma3, 1, &n_good);
    GemmaLoader *l = estimated(good, 1500, n_good, &err);
    REQUIRE(l);
    CHECK_INT(gemma_loader_check_part(l, good, n_good, &err), GEMMA_OK);
    CHECK_INT(gemma_loader_check_part(l, odd, n, &err), GEMMA_UNSUPPORTED);
    CHECK_TEXT_HAS(err.text, "blk.3.ffn_up.weight");
    CHECK_TEXT_HAS(err.text, "IQ2_XXS");
    gemma_loader_free(l);
    free(odd);
    free(good);
}

/* A shape is read as a header's numbers are: sizes that no header may have are refused, and its description
 * makes the same model. */
TEST(a_shape_is_planned_as_a_header_is) {
    GemmaError err = {0};
    GemmaShape published, odd = {"gemma3", 7, 64, 4, 1, 32, 96, 283, 1024, 16};
    CHECK_INT(gemma_published_shape("gemma3-3b", &published, &err), GEMMA_BAD_ARGUMENT);
    for (int i = 0; arch_shape_at(i); i++) {
        CHECK_INT(gemma_published_shape(arch_shape_at(i)->name, &published, &err), GEMMA_OK);
        GemmaLoader *l = gemma_loader_new("shape", 0, &err);
        REQUIRE(gemma_loader_plan_shape(l, &published, "q4_k", &err) == GEMMA_OK);
        const GemmaPlan *p = gemma_loader_plan(l);
        CHECK_INT(p->guessed, GEMMA_GUESSED_TYPES);
        CHECK(!memcmp(&p->shape.n_layer, &published.n_layer,
            sizeof published - offsetof(GemmaShape, n_layer)));
        gemma_loader_free(l);
    }
    int *const sizes[] = {&odd.n_layer, &odd.n_embd, &odd.n_head, &odd.n_head_kv, &odd.head_dim, &odd.n_ff,
        &odd.n_vocab, &odd.n_ctx_train, &odd.window};
    for (size_t i = 0; i <= sizeof sizes / sizeof *sizes; i++) {
        for (int bad = 0; bad < 3 && i < sizeof sizes / sizeof *sizes; bad++) {
            int was = *sizes[i];
            *sizes[i] = bad == 0 ? -1 : bad == 1 ? INT32_MAX : INT32_MIN;
            GemmaLoader *l = gemma_loader_new("shape", 1000000, &err);
            CHECK_INT(gemma_loader_plan_shape(l, &odd, "", &err), GEMMA_UNSUPPORTED);
            gemma_loader_free(l);
            *sizes[i] = was;
        }
    }
    GemmaLoader *l = gemma_loader_new("shape", 0, &err);
    CHECK_INT(gemma_loader_plan_shape(l, &odd, "q9_9", &err), GEMMA_BAD_ARGUMENT);
    gemma_loader_free(l);
    l = gemma_loader_new("shape", 0, &err);
    REQUIRE(gemma_loader_plan_shape(l, &odd, "q8_0", &err) == GEMMA_OK);
    GemmaModel *m = gemma_loader_fill(l, &(GemmaOptions){.n_threads = 1}, &err);
    REQUIRE(m);
    GemmaSession *s = gemma_session_new(m, 32, &err);
    CHECK(test_sync(s, (int32_t[]){1, 2, 3}, 3, &err) == 0 && test_step(s, 3, INFINITY, &err) == 0);
    gemma_session_free(s);
    gemma_model_free(m);
}

int main(void) {
    RUN(pieces_of_any_size_give_the_same_model);
    RUN(a_tensor_larger_than_the_staging_block_is_packed_whole);
    RUN(tensors_may_lie_in_any_order_and_be_more_than_needed);
    RUN(a_file_cut_anywhere_is_refused);
    RUN(more_bytes_than_the_file_was_said_to_have_are_refused);
    RUN(other_models_are_refused_by_name);
    RUN(missing_metadata_is_named);
    RUN(absurd_sizes_are_refused);
    RUN(arrays_per_layer_are_read_or_refused);
    RUN(missing_and_misshapen_tensors_are_named);
    RUN(padded_rows_and_tokens_without_a_row_are_left_out);
    RUN(a_header_is_checked_without_its_weights);
    RUN(vocabularies_that_do_not_fit_are_refused);
    RUN(weights_that_are_no_numbers_are_named_with_their_place);
    RUN(weights_that_overflow_are_told_when_they_are_used);
    RUN(gemma_1_has_global_layers_only);
    RUN(gemma_2_alternates_windows_of_4096_with_global_layers);
    RUN(gemma_3_has_a_global_layer_after_five_local_ones);
    RUN(gemma_3_of_another_size_without_a_window_is_global_and_capped);
    RUN(what_metadata_leave_out_is_what_the_gemma_of_that_size_was_trained_with);
    RUN(keys_that_only_ollama_writes_are_read);
    RUN(the_27b_models_scale_attention_by_the_embedding);
    RUN(metadata_overrules_the_defaults);
    RUN(an_architecture_with_nothing_new_is_one_row);
    RUN(every_beginning_of_a_header_gives_a_plan_that_says_what_it_guessed);
    RUN(more_bytes_make_a_better_plan_and_a_whole_header_the_known_one);
    RUN(types_of_a_beginning_and_of_other_parts_are_checked);
    RUN(a_shape_is_planned_as_a_header_is);
    return test_result();
}
