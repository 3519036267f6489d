/* What JSON is, what it is not, and what comes of it. */
#include "test.h"

#include "json.h"

static GemmaError err;

/* Parses a copy of text[n], which *copy holds from then on. */
static JsonNode *parse(const char *text, size_t n, char **copy) {
    *copy = malloc(n + 1);
    memcpy(*copy, text, n);
    err = (GemmaError){0};
    return json_parse(*copy, n, &err);
}

static bool is_json(const char *text) {
    char *copy;
    JsonNode *root = parse(text, strlen(text), &copy);
    bool good = root != NULL;
    json_free(root);
    free(copy);
    return good;
}

TEST(accepts_json) {
    static const char *const texts[] = {
        "null", " true ", "\t\n\r false", "0", "-0", "-0.5e-10", "1E+5", "123456789012345678901234567890",
            "\"\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "[]", "{}",
        "[1,[2,[]],{}]", "{\"\":0,\"a\":{\"a\":1}}", "\"\\ud83d\\udc1e \\u0000 \xf0\x9f\x90\x9e\"",
            "{\"a\":1,\"A\":2,\"\\u0062\":3}",
        "NaN", "Infinity", "[-Infinity,NaN]", "{\"a\":NaN}", "\xef\xbb\xbf{}", "\xef\xbb\xbf []"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!is_json(texts[i])) TEST_FAIL("%s: %s", texts[i], err.text);
}

TEST(refuses_all_else) {
    static const char *const texts[] = {
        "", " ", "nul", "True", "01", "+1", ".5", "1.", "1e", "1e+", "-", "--1", "0x10", "nan", "Nan",
            "+Infinity", "-NaN", "Inf", "NaN1", "--Infinity", "'a'", "\"", "\"\\", "\"\\x\"", "\"\\u12\"",
            "\"\\u12g4\"",
        "\"\n\"", "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\\ud83d\"", "\"\\udc1e\"",
            "\"\\ud83d\\u0041\"", "\"\\ud83d\\ud83d\"", "[", "[1", "[1,]", "[,1]",
        "[1 2]", "]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\":1 \"b\":2}",
            "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "1 2", "[] []", "\xef\xbb\xbf", "[]\xef\xbb\xbf",
            "\xef\xbb\xbf\xef\xbb\xbf[]", " \xef\xbb\xbf[]", "[1]//"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (is_json(texts[i])) TEST_FAIL("%s was accepted", texts[i]);
        CHECK_TEXT_HAS(err.text, "It is not sound JSON: at byte ");
    }
}

TEST(many_equal_keys_are_found_too) {
    char text[400] = "{";
    for (int i = 0; i < 20; i++) sprintf(text + strlen(text), "\"k%d\":%d,", i, i);
    strcat(text, "\"k7\":0}");
    CHECK(!is_json(text));
    CHECK_TEXT_HAS(err.text, "the same key twice");
}

TEST(bounds_nesting) {
    char text[2 * JSON_MAX_DEPTH + 3];
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        CHECK(is_json(text) == (depth == JSON_MAX_DEPTH));
    }
}

TEST(a_zero_byte_is_no_end) {
    char *copy;
    CHECK(!parse("1\0", 2, &copy));
    free(copy);
    CHECK(!parse("[\0]", 3, &copy));
    free(copy);
}

TEST(values_are_found_and_read) {
    static const char text[] =
        "{\"shape\":[2,-3],\"big\":9223372036854775807,\"too_big\":9223372036854775808,\"half\":0.5,"
        "\"none\":null,\"t\\u0065xt\":\"\\u00e9\\ud83d\\udc1e\\n\"}";
    char *copy;
    JsonNode *root = parse(text, strlen(text), &copy);
    int64_t whole;
    double number;
    REQUIRE(root);
    const JsonNode *shape = json_get(root, "shape"), *string = json_get(root, "text");
    CHECK_INT(root->n, 6);
    CHECK_INT(shape->n, 2);
    CHECK(json_int(json_first(shape), &whole) && whole == 2);
    CHECK(json_int(json_next(json_first(shape)), &whole) && whole == -3);
    CHECK(json_int(json_get(root, "big"), &whole) && whole == INT64_MAX);
    CHECK(!json_int(json_get(root, "too_big"), &whole) && json_double(json_get(root, "too_big"), &number)
        && number == 0x1p63);
    CHECK(!json_int(json_get(root, "half"), &whole) && json_double(json_get(root, "half"), &number)
        && number == 0.5);
    CHECK(!json_get(root, "none") && !json_get(root, "absent") && !json_get(shape, "x")
        && !json_get(NULL, "x"));
    CHECK(!json_int(NULL, &whole) && !json_double(string, &number) && !json_equals(NULL, "x"));
    CHECK(json_equals(string, "\xc3\xa9\xf0\x9f\x90\x9e\n"));
    json_free(root);
    free(copy);
}

int main(void) {
    RUN(accepts_json);
    RUN(refuses_all_else);
    RUN(many_equal_keys_are_found_too);
    RUN(bounds_nesting);
    RUN(a_zero_byte_is_no_end);
    RUN(values_are_found_and_read);
    return test_result();
}
