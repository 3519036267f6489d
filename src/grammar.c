/* grammar.c: see grammar.h. The mask is in grammar_mask.c. */
#include "grammar.h"

#include <assert.h>
#include <stdlib.h>

#include "grammar_inner.h"

Grammar *grammar_new(const char *gbnf, size_t n, GemmaError *err) {
    Gbnf tree;
    Program program;
    Grammar *g = NULL;
    if (!gbnf_parse(&tree, gbnf, n, err)) return NULL;
    bool ok = program_make(&program, &tree, err);
    gbnf_free(&tree);
    if (!ok) return NULL;
    g = malloc(sizeof *g);
    if (!g) program_free(&program);
    if (!g || !automaton_open(&g->automaton, program)) {
        free(g);
        error_set(err, GEMMA_NO_MEMORY, "There is not enough memory for the grammar.");
        return NULL;
    }
    return g;
}

void grammar_free(Grammar *g) {
    if (g) automaton_close(&g->automaton);
    free(g);
}

int grammar_token_bytes(const char *name, size_t n, char *bytes) { return gbnf_token_bytes(name, n, bytes); }

GrammarState grammar_start(Grammar *g) {
    if (automaton_is_full(&g->automaton)) automaton_forget(&g->automaton, NULL, 0);
    return automaton_start(&g->automaton);
}

GrammarState grammar_next(Grammar *g, GrammarState s, const char *bytes, size_t n) {
    assert(s == GRAMMAR_DEAD || grammar_has(g, s));
    for (size_t i = 0; i < n && s != GRAMMAR_DEAD; i++) {
        if (i % 64 == 0 && automaton_is_full(&g->automaton)) automaton_forget(&g->automaton, &s, 1);
        s = automaton_step(&g->automaton, s, (uint8_t)bytes[i]);
    }
    return s;
}

bool grammar_may_end(const Grammar *g, GrammarState s) {
    assert(s == GRAMMAR_DEAD || grammar_has(g, s));
    return s != GRAMMAR_DEAD && automaton_may_end(&g->automaton, s);
}

/* The only byte that may come next, or -1. */
static int only_byte(const Automaton *a, int32_t state) {
    int byte = -1;
    for (int i = 0; i < a->states[state].n; i++) {
        const ProgramNode *node = &a->program.nodes[a->ways[a->states[state].ways + i].node];
        const ByteRange *r = &a->program.ranges[node->first];
        if (node->kind != NODE_BYTES || node->n != 1 || r->lo != r->hi || (byte >= 0 && byte != r->lo))
            return -1;
        byte = r->lo;
    }
    return byte;
}

size_t grammar_forced(Grammar *g, GrammarState s, char *bytes, size_t cap) {
    size_t n = 0;
    assert(s == GRAMMAR_DEAD || grammar_has(g, s));
    if (s != GRAMMAR_DEAD && automaton_is_full(&g->automaton)) automaton_forget(&g->automaton, &s, 1);
    while (s != GRAMMAR_DEAD && n < cap) {
        int byte = only_byte(&g->automaton, s);
        if (byte < 0) break;
        bytes[n++] = (char)byte;
        s = automaton_step(&g->automaton, s, (uint8_t)byte);
    }
    return n;
}

void grammar_hold(Grammar *g, GrammarState s) {
    assert(s == GRAMMAR_DEAD || grammar_has(g, s));
    if (s != GRAMMAR_DEAD) g->automaton.states[s].holds++;
}

void grammar_release(Grammar *g, GrammarState s) {
    assert(s == GRAMMAR_DEAD || (grammar_has(g, s) && g->automaton.states[s].holds > 0));
    if (s != GRAMMAR_DEAD) g->automaton.states[s].holds--;
}

void grammar_allow(Grammar *g, int64_t work) { automaton_allow(&g->automaton, work); }

bool grammar_overflowed(const Grammar *g) { return g->automaton.overflowed; }
