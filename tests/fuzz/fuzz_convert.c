/* fuzz_convert SECONDS SEED: damaged and made-up JSON texts, safetensors headers, SentencePiece models,
 * tokenizer.json and config.json files, for the readers of build/quantize. What must hold: a file is refused
 * with a sentence, or gives something sound: JSON whose values lie in the text, tensors that fill their file,
 * tokens that all have a text; and of vocabulary and configuration a GGUF header that the engine's reader
 * accepts. Memory stays within what the size of the input allows. */
#include <float.h>

#include "error.h"
#include "fuzz.h"
#include "gguf_write.h"
#include "hf_config.h"
#include "json.h"
#include "safetensors.h"
#include "sp_model.h"
#include "tokenizer_json.h"
#include "utf8.h"

enum { MB = 1 << 20 };

typedef struct {
    char *p;
    size_t n;
} Text;

static long n_read[5];

static uint64_t below(uint64_t *state, uint64_t n) { return test_random(state) % n; }

static void append(Text *t, const void *p, size_t n) {
    char *bigger = malloc(t->n + n + 1);
    if (t->n) memcpy(bigger, t->p, t->n);
    if (n) memcpy(bigger + t->n, p, n);
    free(t->p);
    *t = (Text){bigger, t->n + n};
}

static void say(Text *t, const char *text) { append(t, text, strlen(text)); }

static void check_sentence(const GemmaError *err) {
    size_t n = strlen(err->text);
    CHECK(err->status > GEMMA_OK && err->status <= GEMMA_BAD_NUMBERS && n > 15 && n < sizeof err->text);
    for (size_t i = 0; i < n; i++) CHECK((uint8_t)err->text[i] >= 0x20);
}

/* ------------------------------------------------------------------------------------------ damage */

static const char *const PIECES[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d\\udc1e", "\\ud83d", "\\u0000", "null", "true",
        "NaN", "Infinity", "\xef\xbb\xbf", "-", "0", "1e999", "-0.0", "18446744073709551616",
    "9007199254740993", "4294967295", "-1", "1e-999", "\xe2\x96\x81", "\xff", "\xc0\x80", "\xed\xa0\x80",
        "\x01", "\n", " ", "[[[[[[[[", "{\"a\":{\"a\":{\"a\":",
    "\"dtype\":", "\"shape\":[", "\"data_offsets\":[0,0]", "\"BF16\"", "\"id\":", "\"content\":\"\"",
        "\"merges\":", "\"vocab\":", "<0x09>", "\\t", "[0]", "{}",
};

static void splice(Text *t, size_t at, size_t n_old, const char *p, size_t n) {
    char *bigger = malloc(t->n + n + 1);
    memcpy(bigger, t->p, at);
    if (n) memcpy(bigger + at, p, n);
    memcpy(bigger + at + n, t->p + at + n_old, t->n - at - n_old);
    free(t->p);
    *t = (Text){bigger, t->n - n_old + n};
}

static void damage(Text *t, uint64_t *state) {
    if (t->n == 0) return;
    size_t at = (size_t)below(state, t->n), rest = t->n - at,
        cut = (size_t)below(state, rest < 40 ? rest + 1 : 40);
    const char *piece = PIECES[below(state, sizeof PIECES / sizeof *PIECES)];
    switch (below(state, 7)) {
    case 0: t->p[at] ^= (char)(1 << below(state, 8)); break;
    case 1: t->p[at] = (char)test_random(state); break;
    case 2: splice(t, at, 0, piece, strlen(piece)); break;
    case 3: splice(t, at, cut, piece, strlen(piece)); break;
    case 4: splice(t, at, cut, NULL, 0); break;
    case 5: splice(t, (size_t)below(state, t->n), 0, t->p + at, cut); break;
    default: if (below(state, 4) == 0) t->n = at;
    }
}

static void damage_some(Text *t, uint64_t *state) {
    for (int i = (int)below(state, 6) - 1; i > 0; i--) damage(t, state);
}

/* ------------------------------------------------------------------------------------------ JSON */

static void make_value(Text *t, int depth, uint64_t *state) {
    static const char *const plain[] = {"null", "true", "false", "0", "-1.5e3", "\"\"",
        "\"a\\n\\u00e9\\ud83d\\udc1e\"", "123456789012", "\"\xc3\xa9\xf0\x9f\x90\x9e\"", "1e5"};
    int kind = depth > 70 ? 0 : (int)below(state, depth > 3 ? 12 : 4);
    if (kind == 1 || kind == 2) {
        int n = (int)below(state, 4);
        say(t, kind == 1 ? "[" : "{");
        for (int i = 0; i < n; i++) {
            char key[16];
            snprintf(key, sizeof key, "%s\"k%d\":", i ? "," : "", (int)below(state, 60));
            say(t, kind == 2 ? key : i ? "," : "");
            make_value(t, depth + 1, state);
        }
        say(t, kind == 1 ? "]" : "}");
    } else if (kind == 3 && below(state, 20) == 0) {
        for (int i = (int)below(state, 100); i > 0; i--) say(t, "[");
    } else {
        say(t, plain[below(state, sizeof plain / sizeof *plain)]);
    }
}

/* Every value lies in the text, and the numbers of values add up. */
static const JsonNode *check_value(const JsonNode *node, const char *text, size_t n) {
    const JsonNode *end = json_next(node), *inside = json_first(node);
    int64_t whole;
    double number;
    char written[100];        /* json.c takes shorter ones */
    switch (node->kind) {
    case JSON_STRING:
        CHECK(node->text >= text && node->text + node->n <= text + n);
        for (uint32_t i = 0; i < node->n;) {
            size_t length = utf8_length(node->text + i, node->n - i);
            CHECK(length > 0);
            i += length ? (uint32_t)length : 1;
        }
        break;
    case JSON_NUMBER:
        CHECK(node->text >= text && node->text + node->n <= text + n);
        snprintf(written, sizeof written, "%.*s", (int)node->n, node->text);
        /* not of Infinity, NaN and 1e999 */
        CHECK(json_double(node, &number) == (bool)isfinite(strtod(written, NULL)));
        if (json_int(node, &whole)) CHECK_NEAR(number, (double)whole, 1024);
        break;
    case JSON_ARRAY:
        for (uint32_t i = 0; i < node->n; i++) inside = check_value(inside, text, n);
        break;
    case JSON_OBJECT:
        for (uint32_t i = 0; i < node->n; i++) {
            CHECK(inside->kind == JSON_STRING);
            inside = check_value(check_value(inside, text, n), text, n);
        }
        break;
    default: break;
    }
    CHECK(inside == end);
    return end;
}

/* NULL when it is refused. */
static JsonNode *parse(Text *t) {
    GemmaError err = {0};
    fuzz_limit_memory(fuzz.used + 48 * t->n + 4096);
    JsonNode *root = json_parse(t->p, t->n, &err);
    if (!root) check_sentence(&err);
    fuzz_check_memory();
    return root;
}

static void try_json(uint64_t *state) {
    Text t = {0};
    make_value(&t, 0, state);
    damage_some(&t, state);
    JsonNode *root = parse(&t);
    if (root) check_value(root, t.p, t.n);
    n_read[0] += root != NULL;
    json_free(root);
    free(t.p);
}

/* ------------------------------------------------------------------------------------------ safetensors */

static void try_safetensors(uint64_t *state) {
    static const char *const dtypes[] = {"BF16", "F32", "F16", "I64", "BOOL", "F64", "U8"};
    static const int sizes[] = {2, 4, 2, 8, 1, 8, 1};
    Text t = {0};
    uint64_t at = 0;
    say(&t, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0, n = (int)below(state, 6); i < n; i++) {
        int kind = (int)below(state, 7), rows = (int)below(state, 4), cols = 1 + (int)below(state, 40);
        uint64_t size = (uint64_t)(rows * cols * sizes[kind]);
        char line[200];
        snprintf(line, sizeof line,
            ",\"t%d\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[%llu,%llu]}", i,
            dtypes[kind], rows, cols,
                 (unsigned long long)at, (unsigned long long)(at + size));
        say(&t, line);
        at += size;
    }
    say(&t, "}");
    damage_some(&t, state);
    Safetensors s = {0};
    GemmaError err = {0};
    uint64_t file_size = 8 + t.n + at;
    fuzz_limit_memory(fuzz.used + 200 * t.n + 4 * MB);
    if (safetensors_add_header(&s, 0, t.p, t.n, file_size, &err)) {
        uint64_t total = 0;
        n_read[1]++;
        for (size_t i = 0; i < s.n_tensors; i++) {
            CHECK(s.tensors[i].offset >= 8 + t.n && s.tensors[i].size <= file_size
                && s.tensors[i].offset <= file_size - s.tensors[i].size);
            CHECK(strlen(s.tensors[i].name) > 0);
            total += s.tensors[i].size;
        }
        CHECK_INT(total, at);
    } else {
        check_sentence(&err);
    }
    safetensors_close(&s);
    free(t.p);
}

/* ------------------------------------------------------------------------------------------ vocabularies */

/* What was put reads back as a GGUF. Frees the entries. */
static void check_header(GgufEntries *e) {
    Bytes header = {0};
    GemmaError err = {0};
    Gguf g = {0};
    uint64_t size = gguf_layout(&header, e, NULL, 0);
    CHECK(gguf_parse(&g, header.p, header.n, size, &err) == GGUF_COMPLETE && g.n_entries == e->n);
    gguf_free(&g);
    free(header.p);
    free(e->bytes.p);
}

static void check_vocabulary(const Vocabulary *v) {
    GgufEntries e = {0};
    CHECK(v->n > 0 && v->n <= VOCABULARY_MAX);
    gguf_put_array(&e, "tokens", GGUF_STRING, (uint64_t)v->n);
    for (int id = 0; id < v->n; id++) {
        const Token *t = &v->tokens[id];
        CHECK(t->text && t->n <= 256 && t->type >= TOKEN_NORMAL && t->type <= TOKEN_BYTE
            && fabsf(t->score) <= FLT_MAX);
        bytes_put_string(&e.bytes, t->text, t->n);
    }
    check_header(&e);
}

static void put_varint(Text *t, uint64_t n) {
    for (; n > 127; n >>= 7) append(t, &(char){(char)(n | 128)}, 1);
    append(t, &(char){(char)n}, 1);
}

static void put_field(Text *t, int number, const Text *payload) {
    put_varint(t, (uint64_t)(number << 3 | 2));
    put_varint(t, payload->n);
    append(t, payload->p, payload->n);
}

static void try_sp_model(uint64_t *state) {
    Text t = {0};
    for (int i = (int)below(state, 8); i >= 0; i--) {
        Text piece = {0}, name = {0};
        float score = (float)-i;
        for (int k = (int)below(state, 5); k >= 0; k--) say(&name, below(state, 3) ? "a" : "\xe2\x96\x81");
        put_field(&piece, 1, &name);
        put_varint(&piece, 2 << 3 | 5);
        append(&piece, &score, 4);
        put_varint(&piece, 3 << 3);
        put_varint(&piece, 1 + below(state, 6));
        put_field(&t, 1, &piece);
        free(piece.p);
        free(name.p);
    }
    Text trainer = {0};
    put_varint(&trainer, 3 << 3);
    put_varint(&trainer, 2);
    put_field(&t, 2, &trainer);
    free(trainer.p);
    damage_some(&t, state);
    Vocabulary v = {0};
    GemmaError err = {0};
    fuzz_limit_memory(fuzz.used + 100 * t.n + 4096);
    bool good = sp_model_read(&v, (const uint8_t *)t.p, t.n, &err);
    fuzz_check_memory();
    fuzz_limit_memory(0);
    if (good) check_vocabulary(&v);
    else check_sentence(&err);
    n_read[2] += good;
    vocabulary_free(&v);
    free(t.p);
}

static void try_tokenizer_json(uint64_t *state) {
    static const char sound[] =
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\",\"special\":true},"
        "{\"id\":9,\"content\":\"\xe2\x96\x81\xe2\x96\x81\",\"special\":false}],"
        "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,"
        "\"vocab\":{\"<pad>\":0,\"\\t\":1,\"<0x0A>\":2,\"a\":3,\"b\":4,\"\xe2\x96\x81\":5,\"ab\":6,"
        "\"\xe2\x96\x81" "ab\":7,\"<unused0>\":8},\"merges\":[[\"a\",\"b\"],\"\xe2\x96\x81 ab\"]}}";
    Text t = {0};
    say(&t, sound);
    damage_some(&t, state);
    JsonNode *root = parse(&t);
    Vocabulary v = {0};
    GemmaError err = {0};
    fuzz_limit_memory(0);       /* an id of up to 2^22 makes a vocabulary of that size */
    bool good = root && tokenizer_json_read(&v, root, &err);
    if (good && v.n < 10000) check_vocabulary(&v);
    if (root && !good) check_sentence(&err);
    n_read[3] += good;
    vocabulary_free(&v);
    json_free(root);
    free(t.p);
}

/* ------------------------------------------------------------------------------------------ config.json */

static void try_config(uint64_t *state) {
    static const char *const sound[] = {
        "{\"architectures\":[\"GemmaForCausalLM\"],\"hidden_size\":256,\"num_hidden_layers\":3,"
        "\"rope_theta\":10000.0,\"vocab_size\":640,\"rope_parameters\":null}",
        "{\"architectures\":[\"Gemma2ForCausalLM\"],\"head_dim\":64,\"query_pre_attn_scalar\":64,"
        "\"layer_types\":[\"sliding_attention\",\"full_attention\"],"
        "\"num_hidden_layers\":2,\"final_logit_softcapping\":30.0,\"sliding_window\":4096}",
        "{\"architectures\":[\"Gemma3ForConditionalGeneration\"],"
        "\"text_config\":{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8.0},\"num_hidden_layers\":7,"
        "\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1e6,\"rope_type\":\"linear\",\"factor\":8},"
        "\"sliding_attention\":{\"rope_theta\":1e4}}}}",
    };
    Text t = {0};
    say(&t, sound[below(state, 3)]);
    damage_some(&t, state);
    JsonNode *root = parse(&t);
    HfConfig c;
    GemmaError err = {0};
    bool good = root && hf_config_read(&c, root, &err);
    if (good) {
        GgufEntries e = {0};
        CHECK(c.n_layer > 0 && c.n_embd > 0 && c.n_head > 0 && c.n_vocab > 0
            && (uint64_t)c.n_head * (uint64_t)c.head_dim < INT32_MAX);
        hf_config_write(&c, &e);
        check_header(&e);
    }
    if (root && !good) check_sentence(&err);
    n_read[4] += good;
    json_free(root);
    free(t.p);
}

static void input(uint64_t *state) {
    static void (*const all[])(uint64_t *) = {try_json, try_safetensors, try_sp_model,
        try_tokenizer_json, try_config};
    size_t before = fuzz.used;
    all[below(state, 5)](state);
    fuzz_limit_memory(0);
    CHECK_INT(fuzz.used, before);       /* nothing leaks */
}

int main(int argc, char **argv) {
    int status = fuzz_main(argc, argv, "fuzz_convert", input);
    printf("read: %ld JSON texts, %ld safetensors headers, %ld SentencePiece models, %ld tokenizer.json, "
        "%ld config.json\n", n_read[0], n_read[1], n_read[2], n_read[3], n_read[4]);
    return status;
}
