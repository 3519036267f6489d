/* grammar_walk.h: random texts through a grammar, and what the engine says of their beginnings against the
 * plain matcher. For tests and fuzzers. */
#ifndef GRAMMAR_WALK_H
#define GRAMMAR_WALK_H

#include "grammar.h"
#include "random_grammar.h"

static RgMatcher matcher;

/* The longest beginning of the text that both read alike, prefix by prefix; fails where they differ. */
static inline void compare_prefixes(Grammar *g, const RandomGrammar *r, const char *text, int n) {
    GrammarState s = grammar_start(g);
    for (int i = 0; i <= n; i++) {
        if (i) s = grammar_next(g, s, text + i - 1, 1);
        char verdict = s == GRAMMAR_DEAD ? 'r' : grammar_may_end(g, s) ? 'a' : 'p',
            expected = rg_verdict(&matcher, r, text, i);
        if (verdict == expected) continue;
        /* Ways that were cut may only make it stricter. */
        if (grammar_overflowed(g) && (verdict == 'r' || expected == 'a')) return;
        TEST_FAIL("%c, not %c, after %d bytes of \"%.*s\" in\n%s", verdict, expected, i, n, text, r->gbnf);
        return;
    }
}

/* Bytes that may come next, mostly. */
static inline int random_walk(Grammar *g, char *text, uint64_t *random) {
    GrammarState s = grammar_start(g);
    int n = 0;
    for (int tries = 0; n < RG_TEXT && tries < 4000; tries++) {
        char byte[4];
        int length = rg_encode(byte, tries % 3 ? rg_char(random)
            : (uint32_t)(test_random(random) % 0x10ffff));
        byte[0] = tries % 8 == 7 ? (char)test_random(random) : byte[test_random(random) % (uint64_t)length];
        GrammarState next = grammar_next(g, s, byte, 1);
        if (next == GRAMMAR_DEAD && test_random(random) % 500) continue;
        text[n++] = byte[0];
        if (next == GRAMMAR_DEAD) break;
        s = next;
    }
    return n;
}

#endif
