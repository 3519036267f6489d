/* The GGUF reader distrusts every byte: a header cut anywhere is incomplete or told to be broken, counts,
 * lengths, dimensions and offsets of any size are refused with a sentence that names them, and memory follows
 * the bytes that are there, not what they claim. */
#include "gguf.h"
#include "test.h"
#include "tiny_gguf.h"

static const TinySpec spec = {"gemma3", QUANT_Q4_0, 1, 32, 2, 1, 16, 32, 64, 16};

static GgufResult parse(const uint8_t *file, size_t n, uint64_t file_size, GemmaError *err) {
    Gguf g;
    *err = (GemmaError){0};
    /* A copy that ends where the bytes do, for ASan to see a read beyond them. */
    uint8_t *copy = malloc(n + (n == 0));
    memcpy(copy, file, n);
    GgufResult result = gguf_parse(&g, copy, n, file_size, err);
    if (result == GGUF_COMPLETE) gguf_free(&g);
    free(copy);
    return result;
}

static void check_refused(TinyGguf *g, int line, GemmaStatus status, const char *part) {
    size_t n;
    GemmaError err;
    uint8_t *file = tiny_bytes(g, &n);
    GgufResult result = parse(file, n, n, &err);
    if (result != GGUF_FAILED || err.status != status || !test_has(err.text, part))
        TEST_FAIL("line %d: result %d, status %d, \"%s\" should say \"%s\"", line, result, err.status,
            err.text, part);
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

TEST(a_sound_file_is_read) {
    size_t n;
    GemmaError err;
    uint8_t *file = tiny_gguf(&spec, 1, &n);
    CHECK_INT(parse(file, n, n, &err), GGUF_COMPLETE);
    file[4] = 2;
    CHECK_INT(parse(file, n, n, &err), GGUF_COMPLETE);      /* version 2 has the same layout */
    free(file);
}

TEST(a_header_cut_anywhere_is_incomplete_and_broken_when_the_file_ends_there) {
    size_t n;
    GemmaError err;
    Gguf g;
    uint8_t *file = tiny_gguf(&spec, 1, &n);
    CHECK_INT(gguf_parse(&g, file, n, n, &err), GGUF_COMPLETE);
    size_t header = (size_t)g.header_size;
    gguf_free(&g);
    for (size_t cut = 0; cut < n; cut += cut < header ? 1 : 997) {
        CHECK_INT(parse(file, cut, n, &err), cut < header ? GGUF_INCOMPLETE : GGUF_COMPLETE);
        CHECK_INT(parse(file, cut, cut, &err), GGUF_FAILED);
        CHECK_TEXT_HAS(err.text, strstr(err.text, "it claims") ? "bytes of the file are left"
            : "the file ends at byte");
    }
    free(file);
}

TEST(other_files_are_told_what_they_are) {
    GemmaError err;
    CHECK_INT(parse((const uint8_t *)"PK\3\4....", 8, 8, &err), GGUF_FAILED);
    CHECK_TEXT_HAS(err.text, "this is not a GGUF file: it begins with \"PK??\"");
    REFUSED_AS(GEMMA_UNSUPPORTED, "version 1; versions 2 and 3 are read", g.version = 1);
    REFUSED_AS(GEMMA_UNSUPPORTED, "version 4;", g.version = 4);
    REFUSED_AS(GEMMA_UNSUPPORTED, "big-endian", g.version = 3u << 24);
    REFUSED_AS(GEMMA_UNSUPPORTED, "version 0;", g.version = 0);
}

TEST(absurd_counts_are_refused) {
    REFUSED("it claims 18446744073709551615 tensors", g.more_tensors = UINT64_MAX - (uint64_t)g.n_tensors);
    REFUSED("it claims 65537 tensors; at most 65536", g.more_tensors = 65537 - (uint64_t)g.n_tensors);
    REFUSED("metadata entries; at most 65536", g.more_entries = UINT64_MAX / 2);
    /* the first tensor was taken for an entry */
    REFUSED("tensor 0: its name claims", g.more_entries = 1);
    REFUSED("tensor 15: its name claims 0 bytes", g.more_tensors = 1);
    REFUSED("1 to 4 are possible", g.tensors[2].n_dims = 0);
    REFUSED("it claims 5 dimensions", g.tensors[2].n_dims = 5);
}

TEST(lengths_near_2_to_the_64_are_refused) {
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, (uint64_t)INT64_MAX + 1, (uint64_t)1 << 61,
        1 << 28, 1 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        /* as the length of a string */
        REFUSED("metadata entry 1 (\"general.name\"): a string in it takes",
            tiny_put_u64(tiny_set(&g, "general.name", GGUF_STRING), lengths[i]));
        /* as a number of elements */
        REFUSED("(\"a\"): it claims", tiny_set_array(&g, "a", GGUF_STRING, lengths[i]));
        REFUSED("(\"a\"): it claims", tiny_set_array(&g, "a", GGUF_FLOAT64, lengths[i]));
        /* of a string in an array */
        REFUSED("a string in it takes",
            tiny_put_u64(tiny_set_array(&g, "general.name", GGUF_STRING, 1), lengths[i]));
        /* of a key: the bytes of one entry's value are read as the next entry */
        REFUSED("its name claims", tiny_put_u64(&tiny_find(&g, "general.name")->value,
            lengths[i]); g.more_entries = 1);
    }
    REFUSED("its name claims 0 bytes; 1 to 1024 are possible", tiny_add(&g, "", GGUF_UINT8));
}

/* Where file_size says that all of it can still come, a header may not grow without end. */
TEST(a_header_has_at_most_256_megabytes) {
    size_t n;
    GemmaError err;
    TinyGguf g = tiny_make(&spec, 1);
    tiny_put_u64(tiny_set(&g, "general.name", GGUF_STRING), (uint64_t)1 << 40);
    uint8_t *file = tiny_bytes(&g, &n);
    CHECK_INT(parse(file, n, (uint64_t)1 << 41, &err), GGUF_FAILED);
    CHECK_TEXT_HAS(err.text, "a header may have at most 268435456 bytes");
    free(file);
    tiny_free(&g);
}

TEST(types_that_do_not_exist_are_refused) {
    REFUSED("metadata entry 1 (\"general.name\"): its value has type 13", tiny_set(&g, "general.name", 13));
    REFUSED("its value has type 4294967295", tiny_set(&g, "general.name", UINT32_MAX));
    REFUSED("its elements have type 13", tiny_set_array(&g, "a", 13, 1));
    REFUSED("it is an array of arrays", tiny_set_array(&g, "a", GGUF_ARRAY, 1));
    REFUSED("(\"token_embd.weight\"): its weight type 256 does not exist", g.tensors[0].type = 256);
    REFUSED("its weight type 4294967295 does not exist", g.tensors[0].type = UINT32_MAX);
}

TEST(dimensions_are_multiplied_with_care) {
    REFUSED("(\"token_embd.weight\"): dimension 1 is 0", g.tensors[0].dims[1] = 0);
    REFUSED("a product beyond 2^63", g.tensors[0].dims[1] = UINT64_MAX);
    REFUSED("a product beyond 2^63", g.tensors[0].n_dims = 4; g.tensors[0].dims[2] = g.tensors[0].dims[3] =
        (uint64_t)1 << 31);
    REFUSED("its size is beyond 2^63 bytes", g.tensors[1].dims[0] = (uint64_t)1 << 62);
    REFUSED("a row of 33 weights does not divide into Q4_0 blocks of 32", g.tensors[0].dims[0] = 33);
    REFUSED("is the download incomplete?", g.tensors[0].dims[1] = (uint64_t)1 << 40);
}

TEST(offsets_must_be_aligned_inside_the_file_and_apart) {
    REFUSED("tensor \"output_norm.weight\" has offset 5216, not a multiple of 64",
            tiny_set_u32(&g, "general.alignment", 64); g.tensors[1].offset = 5216);
    REFUSED("not a multiple of 32", g.tensors[1].offset++);
    REFUSED("needs 128 bytes from offset 18446744073709551584", g.tensors[1].offset = UINT64_MAX - 31);
    REFUSED("tensors \"token_embd.weight\" and \"output_norm.weight\" overlap", g.tensors[1].offset -= 32);
    REFUSED("overlap", g.tensors[1].offset = g.tensors[0].offset);
    REFUSED("general.alignment is 24, not a power of two", tiny_set_u32(&g, "general.alignment", 24));
    REFUSED("\"general.alignment\" is 0;", tiny_set_u32(&g, "general.alignment", 0));
    REFUSED("\"general.alignment\" is 2147483648;", tiny_set_u32(&g, "general.alignment", 1u << 31));
    REFUSED("\"general.alignment\" is a string; a number was expected",
        tiny_set_text(&g, "general.alignment", "32"));
}

TEST(names_are_unique) {
    REFUSED("it has two metadata entries \"general.name\"",
        tiny_put_text(tiny_add(&g, "general.name", GGUF_STRING), "b"));
    REFUSED("it has two tensors \"token_embd.weight\"", strcpy(g.tensors[1].name, "token_embd.weight"));
}

/* What is shown of a file is short, whole UTF-8 without control characters. */
TEST(sentences_show_hostile_names_safely) {
    REFUSED("(\"?[31mred?\"): dimension 0 is 0",
        strcpy(g.tensors[0].name, "\33[31mred\xff"); g.tensors[0].dims[0] = 0);
    REFUSED("xxx...\"): dimension 0 is 0", memset(g.tensors[0].name, 'x', 63); g.tensors[0].dims[0] = 0);
}

/* ------------------------------------------------------------------------------------------ asking */

static Gguf ask_parse(uint8_t **file, void (*change)(TinyGguf *g)) {
    size_t n;
    GemmaError err = {0};
    Gguf g = {0};
    TinyGguf t = tiny_make(&spec, 1);
    change(&t);
    *file = tiny_bytes(&t, &n);
    if (gguf_parse(&g, *file, n, n, &err) != GGUF_COMPLETE) TEST_FAIL("%s", err.text);
    tiny_free(&t);
    return g;
}

static void add_numbers(TinyGguf *g) {
    tiny_set_u64(g, "big", UINT64_MAX);
    tiny_put_u64(tiny_add(g, "negative", GGUF_INT64), (uint64_t)-5);
    tiny_put(tiny_add(g, "byte", GGUF_INT8), "\xfb", 1);
    tiny_set_f32(g, "half", 0.5f);
    tiny_set_f32(g, "nan", NAN);
    tiny_put(tiny_add(g, "huge", GGUF_FLOAT64), &(double){1e300}, 8);
    tiny_set_f32(g, "seven", 7);
    tiny_put(tiny_add(g, "bool", GGUF_BOOL), "\2", 1);
    tiny_put_u32(tiny_set_array(g, "list", GGUF_UINT32, 1), 3);
}

TEST(numbers_of_any_type_are_given_when_they_fit) {
    uint8_t *file;
    Gguf g = ask_parse(&file, add_numbers);
    static const struct { const char *key; int64_t value; const char *refusal; } ints[] = {
        {"big", 0, "\"big\" is 1.8446744073709552e+19; a whole number from -10 to 100 was expected"},
        {"negative", -5, NULL}, {"byte", -5, NULL}, {"half", 0, "\"half\" is 0.5; a whole number"},
            {"nan", 0, "\"nan\" is"},
        {"huge", 0, "\"huge\" is 1"}, {"seven", 7, NULL},
            {"bool", 0, "\"bool\" is a bool; a number was expected"},
        {"list", 0, "\"list\" is an array; a number was expected"},
            {"general.name", 0, "is a string; a number was expected"},
    };
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        GemmaError err = {0};
        int64_t value = 42;
        bool found = gguf_get_int(&g, ints[i].key, -10, 100, &value, &err);
        CHECK_INT(found, !ints[i].refusal);
        CHECK_INT(value, found ? ints[i].value : 42);
        if (ints[i].refusal) CHECK_TEXT_HAS(err.text, ints[i].refusal);
    }
    GemmaError err = {0};
    float x = 1;
    bool b = false;
    GgufString s;
    CHECK(gguf_get_float(&g, "half", &x, &err) && x == 0.5f);
    CHECK(!gguf_get_float(&g, "absent", &x, &err) && x == 0.5f && err.status == GEMMA_OK);
    CHECK(!gguf_get_float(&g, "nan", &x, &err));
    CHECK_TEXT_HAS(err.text, "a finite number was expected");
    CHECK(!gguf_get_float(&g, "huge", &x, &err));
    CHECK(!gguf_get_bool(&g, "bool", &b, &err));
    CHECK_TEXT_HAS(err.text, "\"bool\" is a bool of value 2; 0 or 1 was expected");
    CHECK(!gguf_get_string(&g, "list", &s, &err));
    CHECK_TEXT_HAS(err.text, "\"list\" is an array; a string was expected");
    gguf_free(&g);
    free(file);
}

/* Every beginning of a header gives the entries and tensors that end in it, as the whole has them. */
TEST(every_beginning_of_a_header_gives_what_is_there) {
    size_t n;
    GemmaError err = {0};
    Gguf whole, part;
    uint8_t *file = tiny_gguf(&spec, 1, &n);
    CHECK_INT(gguf_parse(&whole, file, n, n, &err), GGUF_COMPLETE);
    size_t n_entries = 0, n_tensors = 0;
    bool was_cut = false;
    for (size_t cut = 0; cut <= whole.header_size; cut++) {
        uint8_t *copy = malloc(cut + (cut == 0));
        memcpy(copy, file, cut);
        CHECK_INT(gguf_parse_beginning(&part, copy, cut, n, &err), cut < whole.header_size ? GGUF_INCOMPLETE
            : GGUF_COMPLETE);
        CHECK(part.n_entries >= n_entries && part.n_tensors >= n_tensors
            && (part.n_tensors == 0 || part.n_entries == whole.n_entries));
        n_entries = part.n_entries;
        n_tensors = part.n_tensors;
        for (size_t i = 0; i < n_entries; i++) {
            const GgufEntry *a = &part.entries[i], *b = &whole.entries[i];
            CHECK(a->key.n == b->key.n && a->type == b->type && a->count == b->count
                && a->value - copy == b->value - file);
        }
        for (size_t i = 0; i < n_tensors; i++) {
            const GgufTensor *a = &part.tensors[i], *b = &whole.tensors[i];
            CHECK(a->name.n == b->name.n && a->type == b->type && !memcmp(a->dims, b->dims, sizeof a->dims));
        }
        if (gguf_equals(part.cut.key, "tokenizer.ggml.tokens")) {
            was_cut = true;
            CHECK_INT(part.cut.count, TINY_VOCAB);
            CHECK(!gguf_find(&part, "tokenizer.ggml.tokens"));
        }
        CHECK_INT(part.is_whole, part.n_tensors == whole.n_tensors);
        gguf_free(&part);
        free(copy);
    }
    CHECK(was_cut);
    gguf_free(&whole);
    free(file);
}

int main(void) {
    RUN(a_sound_file_is_read);
    RUN(a_header_cut_anywhere_is_incomplete_and_broken_when_the_file_ends_there);
    RUN(other_files_are_told_what_they_are);
    RUN(absurd_counts_are_refused);
    RUN(lengths_near_2_to_the_64_are_refused);
    RUN(a_header_has_at_most_256_megabytes);
    RUN(types_that_do_not_exist_are_refused);
    RUN(dimensions_are_multiplied_with_care);
    RUN(offsets_must_be_aligned_inside_the_file_and_apart);
    RUN(names_are_unique);
    RUN(sentences_show_hostile_names_safely);
    RUN(numbers_of_any_type_are_given_when_they_fit);
    RUN(every_beginning_of_a_header_gives_what_is_there);
    return test_result();
}
