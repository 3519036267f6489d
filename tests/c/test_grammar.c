/* Grammars: what GBNF accepts and refuses; which texts a grammar accepts, prefix by prefix, against a matcher
 * that is slow and plain; masks against trying each token; the cache; limits. */
#include "grammar.h"

#include <stdarg.h>

#include "grammar_inner.h"
#include "grammar_walk.h"

static Grammar *compile(const char *gbnf) {
    GemmaError err = {0};
    Grammar *g = grammar_new(gbnf, strlen(gbnf), &err);
    if (!g) TEST_FAIL("%s", err.text);
    return g;
}

/* 'r': no text of the grammar begins so; 'p': some do; 'a': it is one. */
static char verdict_of(Grammar *g, const char *text, size_t n) {
    GrammarState s = grammar_next(g, grammar_start(g), text, n);
    return s == GRAMMAR_DEAD ? 'r' : grammar_may_end(g, s) ? 'a' : 'p';
}

/* Texts after the grammar, each with its verdict before it: "atrue", "ptru", "rx". */
static void check_texts(int line, const char *gbnf, ...) {
    Grammar *g = compile(gbnf);
    va_list texts;
    va_start(texts, gbnf);
    for (const char *text; g && (text = va_arg(texts, const char *));) {
        char verdict = verdict_of(g, text + 1, strlen(text + 1));
        if (verdict != *text) TEST_FAIL("(line %d) \"%s\": %c, not %c", line, text + 1, verdict, *text);
    }
    va_end(texts);
    grammar_free(g);
}
#define TEXTS(...) check_texts(__LINE__, __VA_ARGS__, (const char *)NULL)

static void check_refused(int line, const char *gbnf, size_t n, int at_line, int at_column) {
    GemmaError err = {0};
    char place[60];
    Grammar *g = grammar_new(gbnf, n, &err);
    snprintf(place, sizeof place, "line %d, column %d:", at_line, at_column);
    if (g) TEST_FAIL("(line %d) accepted: %.80s", line, gbnf);
    else if (err.status != GEMMA_BAD_ARGUMENT || (at_line && !test_has(err.text, place)))
        TEST_FAIL("(line %d) %d %s", line, err.status, err.text);
    grammar_free(g);
}
#define REFUSED(gbnf, at_line, at_column) check_refused(__LINE__, gbnf, strlen(gbnf), at_line, at_column)

/* ------------------------------------------------------------------------------------------ GBNF */

TEST(literals_classes_and_alternatives) {
    TEXTS("root ::= \"yes\" | \"no\" | [0-9] [a-c-]", "ayes", "pye", "ano", "pn", "rx", "p7", "a7a",
        "a7-", "r7d", "p");
    TEXTS("root ::= [^a-z\\n] .", "rab", "pA", "aAb", "aA\n", "r\n", "a\xc3\xa9\xe2\x82\xac", "p\xc3",
        "p\xc3\xa9\xe2\x82", "r\xff");
    TEXTS("root ::= \"\\x41\\u00e9\\U0001F642\\t\\r\\n\\\\\\\"\\[\\]\\-\"",
        "aA\xc3\xa9\xf0\x9f\x99\x82\t\r\n\\\"[]-");
    TEXTS("root ::= [\\x00-\\x1f\\U0001F600-\\U0001F64F]", "a\xf0\x9f\x98\x80", "r\xf0\x9f\x99\x90",
        "r\xf0\x9f\x97", "a\x01", "r ");
    TEXTS("root ::= [\\]\\[\\\\^a-]+", "a]", "a[\\^a-", "rb");
}

TEST(spaces_lines_and_comments) {
    TEXTS("# a comment\n\n  root::=a-1|\n  # between\n \"y\"# end\n\r\n"
          "\ta-1 ::=\n (\n \"x\"\n\n # in a group\n [0-9] |\n\"z\" )\r\n", "ax5", "ay", "az", "px");
    TEXTS("root ::= | \"a\" |", "a", "aa");
    TEXTS("root ::= \"a\" ( ) (|) \"\" \"b\"", "aab");
    TEXTS("root ::= \"a\"{ 2 , 3 } [b] { 1 }(\"c\"\n{\n2,\n}\n)", "aaabcc", "aaaabcccc", "rab", "paabc");
    TEXTS("root ::= \"old\"\nroot ::= \"new\"", "anew", "rold");        /* the last of one name */
    TEXTS("root ::= \"old\" never-there\nroot ::= \"new\"\nnever-there ::= \"x\"", "anew");
}

TEST(repetitions) {
    TEXTS("root ::= \"a\"*", "a", "aaaaaa", "rb", "raab");
    TEXTS("root ::= \"ab\"+", "aab", "aabab", "paba", "p", "raa");
    TEXTS("root ::= \"a\"?", "a", "aa", "raa");
    TEXTS("root ::= [ab]{4}", "aabab", "paba", "raaaaa");
    TEXTS("root ::= [ab]{4,}", "aabababab", "paaa");
    TEXTS("root ::= [ab]{0,4} \"c\"", "ac", "aababc", "raaaaa");
    TEXTS("root ::= \"a\"{0} \"b\"{0,0} \"c\"", "ac", "ra", "rb");
    TEXTS("root ::= (\"0x\" [A-F0-9]{2} \" \"?){3,5}", "a0xFF 0x12 0xAB", "a0xFF0x120xAB0x000x01",
        "p0xFF 0x12 ", "r0xFF 0x12 0xAB 0x00 0x00 0");
    TEXTS("root ::= \"a\"{2}{3}", "aaaaaaa", "raaaaaaa", "paaaaa");
    TEXTS("root ::= (\"a\"?){0,20} \"b\"", "ab", "aaaaaaaaaaaaaaaaaaaaab", "raaaaaaaaaaaaaaaaaaaaa");
    TEXTS("root ::= ((\"a\"?){0,20} \"b\"?){9,12}", "a", "ab", "aaaabaab", "abbbbbbbbbbbb", "rbbbbbbbbbbbbb");
}

TEST(tokens_of_tools_are_no_text) {
    TEXTS("root ::= <escape> [a-z]* <escape> (\"x\" | <end_function_call>)?",
        "a\xff" "escape>ab\xff" "escape>", "r<escape>", "p\xff" "escape>a\xff" "esc",
          "a\xff" "escape>\xff" "escape>\xff" "end_function_call>", "r\xff" "end_function_call>");
    TEXTS("root ::= .* [^a] (<start_function_call> | \"b\"){2}", "r\xff", "pab<", "abbb",
        "ab\xff" "start_function_call>b");
}

TEST(long_counts_are_counted) {
    char text[6002];
    memset(text, 'x', sizeof text);
    Grammar *g = compile("root ::= \"\\\"\" [^\"]{5000,6000} \"\\\"\"");
    REQUIRE(g);
    text[0] = text[5000] = '"';
    CHECK_INT(verdict_of(g, text, 5001), 'r');
    text[5000] = 'x', text[5001] = '"';
    CHECK_INT(verdict_of(g, text, 5002), 'a');
    text[5001] = 'x', text[6001] = '"';
    CHECK_INT(verdict_of(g, text, 6002), 'a');
    text[6001] = 'x';
    CHECK_INT(verdict_of(g, text, 6001), 'p');
    CHECK_INT(verdict_of(g, text, 6002), 'r');
    grammar_free(g);
    TEXTS("root ::= \"a\"{0,2147483646}", "aaaaa", "rb");
    TEXTS("root ::= (\"a\"{9,65535} \"b\"){9,65535}", "paaaaaaaaaaaaaaaaaab", "raaaab");
}

TEST(rules_and_recursion) {
    TEXTS("root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= num | \"(\" expr \")\"\nnum ::= [0-9]+",
        "a1+2", "a(1+(2))+3", "p(1+", "r1)", "r+");
    TEXTS("root ::= \"a\" root | \"b\"", "aaaab", "pa", "rba");
    TEXTS("root ::= \"a\" root \"b\" | \"\"", "a", "aaabb", "paab", "raba");
    TEXTS("root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | [0-9]", "a[1,[2,[]]]",
        "p[[[[", "r[1,]");
    TEXTS("root ::= (\"x\" root){10,20} | \"y\"", "ay", "axyxyxyxyxyxyxyxyxyxy", "pxyxy", "ryx");
}

/* Facts from the tests of llama.cpp (MIT): which of its grammars accept which texts. */
TEST(accepts_as_llama_cpp) {
    TEXTS("root ::= expression\nexpression ::= term ws ((\"+\"|\"-\") ws term)*\n"
          "term ::= factor ws ((\"*\"|\"/\") ws factor)*\n"
          "factor ::= number | variable | \"(\" expression \")\" | function-call\n"
          "number ::= [0-9]+\nvariable ::= [a-zA-Z_][a-zA-Z0-9_]*\n"
          "function-call ::= variable ws \"(\" (expression (\",\" ws expression)*)? \")\"\nws ::= [ \\t\\n\\r]?",
          "a42", "ax1+y2", "a(a+b)*(c-d)", "afunc()", "af(g(x), h(y, z))", "a123+456*789-123/456",
          "r+", "r/ 3x", "rx + + y", "rfunc(,)", "rfunc(x y)",
          "p(a + b", "rx + y)", "p42 +", "pfunc(", "pf(g(x), h(y, z)");
    TEXTS("root ::= ... \"abc\" ...", "aaaaabcccc",
        "a\xf0\x9f\x94\xb5\xf0\x9f\x9f\xa0\xe2\x9c\x85" "abc\xe2\x9d\x8c\xf0\x9f\x9f\xa0\xf0\x9f\x94\xb5",
        "raaabcccc",
          "raaaaabcccc", "paaaabccc");
    TEXTS("root ::= cons+ vowel* cons? (vowel cons)*\nvowel ::= [aeiouy]\ncons ::= [bcdfghjklmnpqrstvwxyz]",
        "ayes", "anoyes", "acrwth", "afour", "abryyyy", "ryess",
          "ryesno", "rforty", "pcatyyy");
    REFUSED("root ::= \"a\"{,}", 1, 14);
    REFUSED("root ::= \"a\"{,10}", 1, 14);
    REFUSED("root ::= (((((([^x]*){0,99}){0,99}){0,99}){0,99}){0,99}){0,99}", 1, 50);
}

TEST(refuses_what_is_no_gbnf) {
    REFUSED("", 1, 1);
    REFUSED("x ::= \"a\"\n", 2, 1);
    REFUSED("root = \"a\"", 1, 6);
    REFUSED("root ::= \"a", 1, 12);
    REFUSED("root ::= \"\xc3\xa9\xc3\xa9\" $", 1, 15);
    REFUSED("root ::= \"a\"\n\n  \"b\"", 3, 3);
    REFUSED("root ::= \"\\q\"", 1, 12);
    REFUSED("root ::= \"\\x4\"", 1, 14);
    REFUSED("root ::= \"\\U00110000\"", 1, 11);
    REFUSED("root ::= \"\\ud800\"", 1, 11);
    REFUSED("root ::= [\\ud800-\\udfff]", 1, 10);
    REFUSED("root ::= [^\\x00-\\U0010ffff]", 1, 10);
    REFUSED("root ::= []", 1, 10);
    REFUSED("root ::= [z-a]", 1, 11);
    REFUSED("root ::= [a", 1, 12);
    REFUSED("root ::= (\"a\"", 1, 14);
    REFUSED("root ::= \"a\")", 1, 13);
    REFUSED("root ::= * \"a\"", 1, 10);
    REFUSED("root ::= \"a\"{3,2}", 1, 13);
    REFUSED("root ::= \"a\"{99999999999999999999}", 1, 14);
    REFUSED("root ::= \"a\"{2", 1, 15);
    REFUSED("root ::= <think>", 1, 10);
    REFUSED("root ::= \"a\" <escape", 1, 14);
    REFUSED("root ::= !<escape>", 1, 10);
    REFUSED("root ::= <", 1, 10);
    REFUSED("root ::= \"a\xff\"", 1, 12);
    check_refused(__LINE__, "root ::= \"a\"\0", 13, 1, 13);
    REFUSED("root ::= a_b\na ::= \"x\"", 1, 11);
}

TEST(refuses_rules_that_lead_nowhere) {
    REFUSED("root ::= \"a\" b", 1, 14);
    REFUSED("root ::= root \"a\" | \"b\"", 1, 10);
    /* through what may be empty */
    REFUSED("root ::= \"x\" | a\na ::= b? \"\" c\nb ::= \"b\"\nc ::= a \"c\"", 4, 7);
    REFUSED("root ::= (a | \"x\")? root \"y\" | \"z\"\na ::= \"a\"", 1, 21);
    REFUSED("root ::= \"x\" | a{0,30} a\na ::= (\"\" | \"b\") root", 2, 18);
    REFUSED("root ::= \"a\" root", 1, 10);
    REFUSED("root ::= \"a\" | b\nb ::= \"b\" c\nc ::= \"c\" b", 2, 7);
    REFUSED("root ::= (\"a\"?)*", 1, 16);
    REFUSED("root ::= (a | b)+\na ::= \"\"\nb ::= \"b\"", 1, 17);
    REFUSED("root ::= (\"a\"*){3,}", 1, 16);
    REFUSED("root ::= (\"a\"{0,100000}){0,100000}", 1, 25);
    REFUSED("root ::= a{0,100000}\na ::= \"b\" c{100000,}\nc ::= [a-z]", 1, 11);
}

/* A text of `n` times `part`, after `before` and before `after`. */
static char *repeat_text(const char *before, const char *part, int n, const char *after) {
    char *text = malloc(strlen(before) + strlen(part) * (size_t)n + strlen(after) + 1),
        *end = stpcpy(text, before);
    for (int i = 0; i < n; i++) end = stpcpy(end, part);
    strcpy(end, after);
    return text;
}

static void check_many(int line, const char *before, const char *part, int n, const char *after,
    bool refused) {
    char *text = repeat_text(before, part, n, after);
    GemmaError err = {0};
    Grammar *g = grammar_new(text, strlen(text), &err);
    if (refused != !g) TEST_FAIL("(line %d) %d times \"%s\": %s", line, n, part, g ? "accepted" : err.text);
    grammar_free(g);
    free(text);
}
#define MANY(before, part, n, after, refused) check_many(__LINE__, before, part, n, after, refused)

TEST(limits) {
    MANY("root ::= ", "\"aa\" ", 100000, "", false);
    MANY("root ::= \"", "a", GBNF_MAX_TEXT - 20, "\"", false);
    MANY("root ::= \"", "a", GBNF_MAX_TEXT, "\"", true);
    MANY("root ::= ", ".", GBNF_MAX_NODES + 1, "", true);
    MANY("root ::= ", "(", 100, "\"a\"", true);
    MANY("root ::= ", "(", 1000000, "", true);
    MANY("root ::= \"a\"", "?", 300, "", false);
    MANY("root ::= \"a\"", "?", 1000, "", true);
    MANY("root ::= ", "|", 400000, "", false);
    MANY("root ::= [", "ab", 500000, "]", false);
    char *chain = malloc(40 * 30000), *end = chain;
    for (int i = 0; i < 30000; i++) end += i ? sprintf(end, "r%d ::= r%d?\n", i, i + 1)
        : sprintf(end, "root ::= r1\n");
    end += sprintf(end, "r30000 ::= \"x\"");
    Grammar *g = compile(chain);
    if (g) CHECK_INT(verdict_of(g, "x", 1), 'a');
    grammar_free(g);
    sprintf(end, "\nr30000 ::= r1 \"x\"");
    REFUSED(chain, 0, 0);
    /* Names that were made to hash alike. */
    end = chain + sprintf(chain, "root ::= \"x\"\n");
    for (unsigned i = 0, n = 0; n < 300; i++) {
        char name[16];
        uint32_t h = 2166136261u;
        sprintf(name, "r%u", i);
        for (const char *c = name; *c; c++) h = (h ^ (unsigned char)*c) * 16777619u;
        if ((h ^ h >> 15) % 4096) continue;
        end += sprintf(end, "%s ::= \"y\"\n", name);
        n++;
    }
    REFUSED(chain, 259, 1);
    free(chain);
}

TEST(deep_texts_and_ambiguous_ones_keep_to_the_limits) {
    char *deep = repeat_text("", "[", 100000, "");
    Grammar *g = compile("root ::= \"[\" root? \"]\"");
    REQUIRE(g);
    CHECK_INT(verdict_of(g, deep, 100000), 'p');
    CHECK(!grammar_overflowed(g));
    grammar_free(g);
    free(deep);
    /* 20 ways to divide each text, at each place: the counts that matter are few. */
    char *text = repeat_text("", "a", 3000, "");
    g = compile("root ::= [a-z]{0,4000} [a-z]{0,4000} ([a-c]{1,4000} | .{100,4000})* \"!\"?");
    if (g) {
        CHECK_INT(verdict_of(g, text, 3000), 'a');
        GrammarState s = grammar_next(g, grammar_start(g), text, 3000);
        CHECK(g->automaton.states[s].n < 300);
        CHECK(!grammar_overflowed(g));
    }
    grammar_free(g);
    /* Counts below their minimum all matter. */
    g = compile("root ::= ([a-z] [a-z]?){1000,60000}");
    if (g) {
        CHECK_INT(verdict_of(g, text, 999), 'p');
        CHECK_INT(verdict_of(g, text, 1000), 'a');
        CHECK(!grammar_overflowed(g));
    }
    grammar_free(g);
    free(text);
}

TEST(alternatives_that_begin_with_one_rule_are_one_way) {
    Grammar *g = compile("root ::= e\ne ::= t | t \"+\" e | t \"-\" e | n | t\nt ::= \"a\" | \"(\" e \")\"\n"
        "n ::= \"\" | \"n\" e");
    char *deep = repeat_text("", "(", 500, "");
    REQUIRE(g);
    CHECK_INT(verdict_of(g, deep, 500), 'p');
    CHECK(g->automaton.states[grammar_next(g, grammar_start(g), deep, 500)].n < 10);
    CHECK(!grammar_overflowed(g));
    grammar_free(g);
    free(deep);
    TEXTS("root ::= e\ne ::= t | t \"+\" e | t \"-\" e\nt ::= \"a\" | \"(\" e \")\"", "aa", "aa+a-a", "a((a))-(a+a)",
        "p((a)", "pa+", "ra)", "r+a", "raa");
    TEXTS("root ::= t | t t | u t | u \"x\" | t\nt ::= \"a\"?\nu ::= \"a\" | \"b\"", "a", "aa", "aaa", "aax", "ab",
        "aba", "rbb", "raaa", "raxa");
    TEXTS("root ::= (t | t \",\"){2,3}\nt ::= [0-9]", "a12", "a1,2,3", "a1,2,", "p1", "r,1", "r1,,2");
}

TEST(what_is_too_ambiguous_is_said_and_forgotten) {
    enum { N_COUNTS = 16 };     /* each has about n ways for n letters */
    char *text = repeat_text("", "a", 600, ""), gbnf[1000] = "root ::= \"!\"";
    for (int i = 0; i < N_COUNTS; i++)
        sprintf(gbnf + strlen(gbnf), " | ([a-z] [a-z]?){%d,60000}", 5000 + i);
    Grammar *g = compile(gbnf);
    REQUIRE(g);
    CHECK_INT(verdict_of(g, text, 600), 'r');       /* more than 4,096 ways */
    CHECK(grammar_overflowed(g));
    grammar_allow(g, INT64_MAX);
    CHECK(!grammar_overflowed(g));
    CHECK_INT(verdict_of(g, text, 200), 'p');
    CHECK(!grammar_overflowed(g));
    grammar_free(g);
    /* Less work than a text needs. What it did find is used, and the rest found by the next try. */
    g = compile("root ::= [a-z]* \"a\" [a-z]{400}");
    grammar_allow(g, 2000);
    CHECK_INT(verdict_of(g, text, 500), 'r');
    CHECK(grammar_overflowed(g));
    grammar_allow(g, INT64_MAX);
    CHECK_INT(verdict_of(g, text, 500), 'a');
    grammar_allow(g, 2000);
    CHECK_INT(verdict_of(g, text, 500), 'a');
    CHECK(!grammar_overflowed(g));
    grammar_free(g);
    free(text);
}

/* ---------------------------------------------------------------------------- against the plain matcher */

static Grammar *make_grammar(RandomGrammar *r, uint64_t *random) {
    GemmaError err;
    random_grammar(r, random);
    return grammar_new(r->gbnf, r->n_gbnf, &err);
}

TEST(reads_texts_as_the_plain_matcher) {
    static RandomGrammar r;
    uint64_t random = 15;
    int n_grammars = 0, n_sampled = 0;
    for (int i = 0; i < 1500; i++) {
        Grammar *g = make_grammar(&r, &random);
        if (!g) continue;
        n_grammars++;
        if (i % 5 == 0) g->automaton.limit = 0;         /* forgets at every step */
        char text[RG_TEXT + 8];
        for (int k = 0; k < 4; k++) compare_prefixes(g, &r, text, random_walk(g, text, &random));
        for (int k = 0; k < 4; k++) {
            int n = 0;
            if (!rg_sample(&r, r.bodies[0], text, &n, 30, &random)) continue;
            n_sampled++;
            if (verdict_of(g, text, (size_t)n) != 'a')
                TEST_FAIL("\"%.*s\" is refused by\n%s", n, text, r.gbnf);
            if (n) text[test_random(&random) % (uint64_t)n] = (char)rg_char(&random);
            compare_prefixes(g, &r, text, n);
        }
        CHECK(!grammar_overflowed(g));
        grammar_free(g);
    }
    CHECK(n_grammars > 900);
    CHECK(n_sampled > 2000);
}

/* ------------------------------------------------------------------------------------------ forced text */

TEST(forced_text_is_what_must_come) {
    Grammar *g = compile("root ::= \"{\\\"name\\\":\" [a-z] (\"\\u00e9x\" | \"\\u00e8x\" | \"\") \"end\"");
    REQUIRE(g);
    char bytes[32];
    GrammarState s = grammar_start(g);
    CHECK_INT(grammar_forced(g, s, bytes, sizeof bytes), 8);
    CHECK(memcmp(bytes, "{\"name\":", 8) == 0);
    CHECK_INT(grammar_forced(g, s, bytes, 3), 3);
    s = grammar_next(g, s, bytes, 3);
    CHECK_INT(grammar_forced(g, s, bytes, sizeof bytes), 5);
    s = grammar_next(g, s, "ame\":", 5);
    CHECK_INT(grammar_forced(g, s, bytes, sizeof bytes), 0);
    s = grammar_next(g, s, "q", 1);
    CHECK_INT(grammar_forced(g, s, bytes, sizeof bytes), 0);
    s = grammar_next(g, s, "e", 1);
    CHECK_INT(grammar_forced(g, s, bytes, sizeof bytes), 2);
    s = grammar_next(g, s, "nd", 2);
    CHECK_INT(grammar_forced(g, s, bytes, sizeof bytes), 0);
    CHECK_INT(grammar_forced(g, GRAMMAR_DEAD, bytes, sizeof bytes), 0);
    grammar_free(g);
    static RandomGrammar r;
    uint64_t random = 3;
    for (int i = 0; i < 300; i++) {
        if (!(g = make_grammar(&r, &random))) continue;
        s = grammar_start(g);
        size_t n = grammar_forced(g, s, bytes, sizeof bytes);
        for (size_t k = 0; k <= n; k++) {
            int possible = 0;
            for (int byte = 0; byte < 256; byte++) possible += grammar_next(g, s, (char[]){(char)byte}, 1)
                != GRAMMAR_DEAD;
            if (k < n) CHECK(possible == 1 && !grammar_may_end(g, s));
            else if (n < sizeof bytes) CHECK(possible != 1 || grammar_may_end(g, s));
            if (k < n) s = grammar_next(g, s, bytes + k, 1);
        }
        grammar_free(g);
    }
}

/* ------------------------------------------------------------------------------------------ masks */

enum { N_VOCAB = 500 };

typedef struct {
    char text[N_VOCAB][24];
    int n[N_VOCAB];
} Words;

static int word_bytes(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    const Words *w = vocabulary;
    memcpy(buf, w->text[id], (size_t)w->n[id]);
    return w->n[id];
}

/* Words of the random grammars' characters; bytes alone; the same bytes twice; tokens without bytes. */
static void make_words(Words *w, uint64_t *random) {
    for (int i = 0; i < N_VOCAB; i++) {
        w->n[i] = 0;
        if (i < 256) w->text[i][w->n[i]++] = (char)i;
        else if (i % 50)
            for (int k = 1 + (int)(test_random(random) % 5); k > 0; k--)
                w->n[i] += rg_encode(w->text[i] + w->n[i], rg_char(random));
    }
}

static void check_mask(Grammar *g, GrammarState s, const TokenTrie *t, const Words *w, const char *gbnf) {
    uint32_t bits[(N_VOCAB + 31) / 32];
    grammar_mask(g, s, t, bits);
    for (int i = 0; i < N_VOCAB; i++) {
        bool expected = w->n[i] && grammar_next(g, s, w->text[i], (size_t)w->n[i]) != GRAMMAR_DEAD,
            allowed = bits[i / 32] >> i % 32 & 1;
        if (allowed == expected) continue;
        TEST_FAIL("token %d \"%.*s\" is %s in\n%s", i, w->n[i], w->text[i], allowed ? "allowed"
            : "not allowed", gbnf);
        return;
    }
}

TEST(masks_are_the_tokens_whose_bytes_fit) {
    static RandomGrammar r;
    static Words words;
    uint64_t random = 7;
    GemmaError err;
    for (int i = 0; i < 400; i++) {
        Grammar *g = make_grammar(&r, &random);
        if (!g) continue;
        if (i % 20 == 0 || words.n[0] == 0) make_words(&words, &random);
        TokenTrie *t = token_trie_new(word_bytes, &words, N_VOCAB, &err);
        REQUIRE(t);
        char text[RG_TEXT + 8];
        int n = random_walk(g, text, &random);
        GrammarState s = grammar_start(g);
        for (int k = 0; k <= n && s != GRAMMAR_DEAD; k++) {
            if (i % 5 == 0) g->automaton.limit = 0;
            grammar_hold(g, s);
            check_mask(g, s, t, &words, r.gbnf);
            grammar_release(g, s);
            if (k < n) s = grammar_next(g, s, text + k, 1);
        }
        check_mask(g, GRAMMAR_DEAD, t, &words, r.gbnf);
        token_trie_free(t);
        grammar_free(g);
    }
}

TEST(masks_of_strings_count_characters) {
    static const char *const gbnf[] = {
        "root ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]* \"\\\"\"",
            "root ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]{0,9} \"\\\"\"", "root ::= \"\\\"\" .{2,12} \"\\\"\"",
        "root ::= \"\\\"\" ([^\"\\\\\\x00-\\x1f] | \"\\\\\" .){0,10} \"\\\"\"",
            "root ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]{0,9} [a-c]* \"\\\"\"",
        "root ::= \"\\\"\" ([^\"\\\\a\\x00-\\x1f] | \"a\" | \"a\\\"\" \"\\\"\") * \"\\\"\"",
            "root ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]{0,9} | \"\\\"\" [^a]*",
        "root ::= \"\\\"\" char{0,9} \"\\\"\"\nchar ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" [a-z]",
            "root ::= \"\\\"\" (.{9} .{9} | .{0,50} \"a\") \"\\\"\"",
        /* Any key but those that begin with "ba", or with the character U+E9: most plain tokens fit, few do
         * not. */
        "root ::= \"\\\"\" ([^\"\\\\b\\x00-\\x1f] char* | \"b\" ([^\"\\\\a\\x00-\\x1f] char*)?) \"\\\"\"\n"
            "char ::= [^\"\\\\\\x00-\\x1f]",
        "root ::= \"\\\"\" [^\"\\\\\\u00e9\\x00-\\x1f] char* \"\\\"\"\nchar ::= [^\"\\\\\\x00-\\x1f]",
        "root ::= \"\\\"\" ([c-z] | \"b\" .* | \"\\u20ac\" .{40,}) \"\\\"\"",
    };
    static Words words;
    uint64_t random = 11;
    GemmaError err;
    make_words(&words, &random);
    TokenTrie *t = token_trie_new(word_bytes, &words, N_VOCAB, &err);
    REQUIRE(t);
    for (size_t i = 0; i < sizeof gbnf / sizeof *gbnf; i++) {
        Grammar *g = compile(gbnf[i]);
        if (!g) continue;
        GrammarState s = grammar_next(g, grammar_start(g), "\"", 1);
        for (int k = 0; k < 14 && s != GRAMMAR_DEAD; k++) {
            check_mask(g, s, t, &words, gbnf[i]);
            s = grammar_next(g, s, k % 3 ? "a" : "\xe2\x82\xac", k % 3 ? 1 : 3);
        }
        grammar_free(g);
    }
    token_trie_free(t);
}

static int no_bytes(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    (void)vocabulary, (void)id, (void)buf;
    return 0;
}

static int long_bytes(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    (void)vocabulary;
    memset(buf, 'a' + id % 2, TOKEN_BYTES_MAX);
    return TOKEN_BYTES_MAX - id % 3;
}

/* Tokens as long as can be, of which one ends, or parts from the others, at each byte: sorting them is as
 * deep as it can be. */
static int deep_bytes(const void *vocabulary, int32_t id, char *bytes) {
    (void)vocabulary;
    memset(bytes, 'a', TOKEN_BYTES_MAX);
    if (id < TOKEN_BYTES_MAX) bytes[id] = 'b';
    return TOKEN_BYTES_MAX;
}

TEST(tries_of_strange_vocabularies) {
    GemmaError err;
    uint32_t bits[2] = {~0u, ~0u};
    Grammar *g = compile("root ::= \"a\"+");
    REQUIRE(g);
    TokenTrie *t = token_trie_new(no_bytes, NULL, 40, &err);
    REQUIRE(t);
    grammar_mask(g, grammar_start(g), t, bits);
    CHECK(bits[0] == 0 && bits[1] == 0);
    token_trie_free(t);
    t = token_trie_new(long_bytes, NULL, 40, &err);
    REQUIRE(t);
    grammar_mask(g, grammar_start(g), t, bits);
    CHECK(bits[0] == 0x55555555 && bits[1] == 0x55);
    token_trie_free(t);
    t = token_trie_new(no_bytes, NULL, 0, &err);
    REQUIRE(t);
    token_trie_free(t);
    t = token_trie_new(deep_bytes, NULL, TOKEN_BYTES_MAX + 40, &err);
    REQUIRE(t);
    uint32_t many[(TOKEN_BYTES_MAX + 40 + 31) / 32];
    grammar_mask(g, grammar_start(g), t, many);
    for (int id = 0; id < TOKEN_BYTES_MAX + 40; id++)
        CHECK_INT(many[id / 32] >> id % 32 & 1, id >= TOKEN_BYTES_MAX);
    token_trie_free(t);
    CHECK(!token_trie_new(no_bytes, NULL, 1 << 24, &err));
    CHECK_INT(err.status, GEMMA_BAD_ARGUMENT);
    grammar_free(g);
}

/* ------------------------------------------------------------------------------------------ the cache */

TEST(held_states_outlive_the_cache) {
    Grammar *g = compile("root ::= \"[\" (item (\",\" item)*)? \"]\"\nitem ::= [a-z]{0,3000} | root");
    REQUIRE(g);
    GrammarState held[20];
    const char *texts[20] = {"[", "[[[", "[abc", "[abc,", "[[x],[y", "[[]]", "[]", "[[[[[[[[[", "[a,b,c",
        "[[,", "x", "[aa", "[aaa", "[aaaa", "[aaaaa", "[[a", "[[aa", "[[[a", "[[[aa", "["};
    for (int i = 0; i < 20; i++) {
        held[i] = grammar_next(g, grammar_start(g), texts[i], strlen(texts[i]));
        grammar_hold(g, held[i]);
        if (i % 4 == 0) g->automaton.limit = 0;
    }
    char long_text[2000];
    memset(long_text, 'q', sizeof long_text);
    long_text[0] = '[';
    size_t limit = 1 << 14;
    for (int round = 0; round < 5; round++) {
        g->automaton.limit = limit;
        CHECK_INT(verdict_of(g, long_text, sizeof long_text), 'p');
        CHECK(g->automaton.n_states < 2200);
        for (int i = 0; i < 20; i++) {
            GrammarState again = grammar_next(g, grammar_start(g), texts[i], strlen(texts[i]));
            CHECK_INT(again, held[i]);                  /* the same state still, by the same number */
        }
    }
    for (int i = 0; i < 20; i++) grammar_release(g, held[i]);
    g->automaton.limit = 0;
    grammar_start(g);
    CHECK_INT(g->automaton.n_states, 1);
    grammar_free(g);
}

int main(void) {
    RUN(literals_classes_and_alternatives);
    RUN(spaces_lines_and_comments);
    RUN(repetitions);
    RUN(tokens_of_tools_are_no_text);
    RUN(long_counts_are_counted);
    RUN(rules_and_recursion);
    RUN(accepts_as_llama_cpp);
    RUN(refuses_what_is_no_gbnf);
    RUN(refuses_rules_that_lead_nowhere);
    RUN(limits);
    RUN(deep_texts_and_ambiguous_ones_keep_to_the_limits);
    RUN(alternatives_that_begin_with_one_rule_are_one_way);
    RUN(what_is_too_ambiguous_is_said_and_forgotten);
    RUN(reads_texts_as_the_plain_matcher);
    RUN(forced_text_is_what_must_come);
    RUN(masks_are_the_tokens_whose_bytes_fit);
    RUN(masks_of_strings_count_characters);
    RUN(tries_of_strange_vocabularies);
    RUN(held_states_outlive_the_cache);
    return test_result();
}
