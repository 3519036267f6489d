/* Grammars: what GBNF accepts and refuses, which texts a grammar accepts, prefix by prefix, against a matcher that is slow and plain;
 * masks against trying each token. */
#include "grammar.h"

#include <stdarg.h>

#include "grammar_inner.h"
#include "test.h"

/* ------------------------------------------------------------------------------------------ GBNF */

/* 'r': no text of the grammar begins so; 'p': some do; 'a': it is one. */
static char verdict_of(Grammar *g, const char *text, size_t n) {
    GrammarState s = grammar_next(g, grammar_start(g), text, n);
    return s == GRAMMAR_DEAD ? 'r' : grammar_may_end(g, s) ? 'a' : 'p';
}

/* Texts after the grammar, each with its verdict before it: "atrue", "ptru", "rx". */
static void check_texts(int line, const char *gbnf, ...) {
    GemmaError err = {0};
    Grammar *g = grammar_new(gbnf, strlen(gbnf), &err);
    if (!g) TEST_FAIL("(line %d) %s", line, err.text);
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

TEST(literals_classes_and_alternatives) {
    TEXTS("root ::= \"yes\" | \"no\" | [0-9] [a-c-]", "ayes", "pye", "ano", "pn", "rx", "p7", "a7a", "a7-", "r7d", "p");
    TEXTS("root ::= [^a-z\\n] .", "rab", "pA", "aAb", "aA\n", "r\n", "a\xc3\xa9\xe2\x82\xac", "p\xc3", "p\xc3\xa9\xe2\x82", "r\xff");
    TEXTS("root ::= \"\\x41\\u00e9\\U0001F642\\t\\\\\\\"\\[\\]\\-\"", "aA\xc3\xa9\xf0\x9f\x99\x82\t\\\"[]-");
    TEXTS("root ::= [\\x00-\\x1f\\U0001F600-\\U0001F64F]", "a\xf0\x9f\x98\x80", "r\xf0\x9f\x99\x90", "r\xf0\x9f\x97", "a\x01", "r ");
}

int main(void) {
    RUN(literals_classes_and_alternatives);
    return test_result();
}
