/* fuzz_grammar SECONDS SEED: grammars made at random, whole, damaged, or strung together of GBNF's own parts,
 * and texts on the way through them. What must hold: a grammar is refused with its line and column, or
 * compiled within FUZZ_MEMORY; a text is read as the plain matcher reads it, prefix by prefix, however often
 * the cache forgets (more strictly where limits have cut ways); a mask has the tokens that fit one by one,
 * and no other. */
#include "fuzz.h"
#include "grammar_inner.h"
#include "grammar_walk.h"

enum { N_WORDS = 200, MAX_GBNF = 2 * RG_GBNF, FUZZ_MEMORY = 192 << 20 };

static const char *const parts[] = {
    "root", " ::= ", "\n", "a", "b-1", "|", "(", ")", "[", "]", "[^", "-", "*", "+", "?", "{", "}", ",", "0",
        "1", "9", "100000", "4294967296", "{2,}",
    "{0,100000}", "{3,5}", "\"a\"", "\"", "\\", "\\x41", "\\u20ac", "\\U0001F642", "\\ud800", ".", "#", " ",
        "\t", "\r\n", "\xe2\x82\xac", "\xff", "\"\"",
    "root ::= ", "\na ::= ", "\nb-1 ::= ", "[a-z]", "[^\"\\\\]", "<escape>", "!",
        "\"ab\" | \"ac\"", "a*", "(a)?",
};
enum { N_PARTS = sizeof parts / sizeof *parts };

static uint64_t below(uint64_t *state, uint64_t n) { return test_random(state) % n; }

/* ------------------------------------------------------------------------------------------ words */

typedef struct {
    char bytes[N_WORDS][12];
    int n[N_WORDS];
} Words;

static int bytes_of(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    const Words *w = vocabulary;
    memcpy(buf, w->bytes[id], (size_t)w->n[id]);
    return w->n[id];
}

/* Each byte, whole characters, and words of few of them; some are no text. */
static void make_words(Words *w, uint64_t *state) {
    for (int id = 0; id < N_WORDS; id++) {
        w->n[id] = 0;
        if (id % 4 == 0) w->bytes[id][w->n[id]++] = (char)test_random(state);
        for (int k = (int)below(state, 4); id % 4 && k > 0 && w->n[id] <= 8; k--)
            w->n[id] += rg_encode(w->bytes[id] + w->n[id], rg_char(state));
    }
}

static void check_mask(Grammar *g, GrammarState s, const TokenTrie *t, const Words *w) {
    uint32_t bits[(N_WORDS + 31) / 32];
    grammar_hold(g, s);
    grammar_mask(g, s, t, bits);
    for (int id = 0; id < N_WORDS; id++) {
        bool in = bits[id / 32] >> id % 32 & 1, fits = w->n[id] && grammar_next(g, s, w->bytes[id],
            (size_t)w->n[id]) != GRAMMAR_DEAD;
        if (in != fits && !grammar_overflowed(g))
            TEST_FAIL("token %d is %sin the mask", id, in ? "" : "not ");
    }
    grammar_release(g, s);
}

/* ------------------------------------------------------------------------------------------ grammars */

static size_t string_together(char *gbnf, uint64_t *state) {
    size_t n = 0;
    for (int k = (int)below(state, below(state, 2) ? 12 : 150); k > 0; k--) n += (size_t)
        (stpcpy(gbnf + n, parts[below(state, N_PARTS)]) - (gbnf + n));
    return n;
}

static size_t damage(char *gbnf, size_t n, uint64_t *state) {
    for (int k = 1 + (int)below(state, 5); k > 0 && n; k--) {
        size_t at = below(state, n), length = below(state, n - at < 30 ? n - at + 1 : 30);
        const char *part = parts[below(state, N_PARTS)];
        switch (below(state, 4)) {
        case 0: gbnf[at] = (char)test_random(state); break;
        case 1: memmove(gbnf + at, gbnf + at + length, n - at - length); n -= length; break;
        case 2:
            if (n + length > MAX_GBNF - 200) break;
            memmove(gbnf + at + length, gbnf + at, n - at);
            n += length;
            break;
        default:
            length = strlen(part);
            memmove(gbnf + at + length, gbnf + at, n - at);
            memcpy(gbnf + at, part, length);
            n += length;
        }
    }
    return n;
}

/* What holds for any grammar: its forced text may come, its masks are right, and texts through it end nowhere
 * but where they may. */
static void walk(Grammar *g, const TokenTrie *t, const Words *w, uint64_t *state) {
    char text[RG_TEXT + 8], forced[32];
    for (int k = 0; k < 3; k++) {
        if (k == 2) g->automaton.limit = 0;
        int n = random_walk(g, text, state), at = (int)below(state, (uint64_t)n + 1);
        GrammarState s = grammar_next(g, grammar_start(g), text, (size_t)at);
        if (s == GRAMMAR_DEAD) continue;
        grammar_hold(g, s);
        size_t n_forced = grammar_forced(g, s, forced, sizeof forced);
        CHECK(!n_forced || !grammar_may_end(g, s));
        CHECK(grammar_next(g, s, forced, n_forced) != GRAMMAR_DEAD);
        check_mask(g, s, t, w);
        grammar_release(g, s);
    }
}

static void input(uint64_t *state) {
    static RandomGrammar r;
    static Words words;
    static char gbnf[MAX_GBNF];
    GemmaError err = {0};
    fuzz_limit_memory(FUZZ_MEMORY);
    int kind = (int)below(state, 3);            /* 0: whole, 1: damaged, 2: strung together */
    random_grammar(&r, state);
    size_t n = r.n_gbnf;
    memcpy(gbnf, r.gbnf, n);
    if (kind == 1) n = damage(gbnf, n, state);
    if (kind == 2) n = string_together(gbnf, state);
    char *exact = malloc(n + 1);                /* so that a byte too far is seen */
    memcpy(exact, gbnf, n);
    Grammar *g = grammar_new(exact, n, &err);
    free(exact);
    if (!g) {
        CHECK_INT(err.status, GEMMA_BAD_ARGUMENT);
        return;
    }
    make_words(&words, state);
    TokenTrie *t = token_trie_new(bytes_of, &words, N_WORDS, &err);
    char text[RG_TEXT + 8];
    for (int k = 0; kind == 0 && k < 4; k++) {
        if (k == 3) g->automaton.limit = 0;
        compare_prefixes(g, &r, text, random_walk(g, text, state));
        int length = 0;
        if (!rg_sample(&r, r.bodies[0], text, &length, 30, state)) continue;
        GrammarState s = grammar_next(g, grammar_start(g), text, (size_t)length);
        CHECK((s != GRAMMAR_DEAD && grammar_may_end(g, s)) || grammar_overflowed(g));
        if (length) text[below(state, (uint64_t)length)] = (char)rg_char(state);
        compare_prefixes(g, &r, text, length);
    }
    if (t) walk(g, t, &words, state);
    token_trie_free(t);
    grammar_free(g);
}

int main(int argc, char **argv) { return fuzz_main(argc, argv, "fuzz_grammar", input); }
