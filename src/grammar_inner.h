/* grammar_inner.h: what grammar.c and grammar_mask.c share, and tests of the cache. */
#ifndef GRAMMAR_INNER_H
#define GRAMMAR_INNER_H

#include "automaton.h"
#include "grammar.h"

struct Grammar {
    Automaton automaton;
};

static inline bool grammar_has(const Grammar *g, GrammarState s) {
    return s >= 0 && s < g->automaton.n_states && g->automaton.states[s].holds >= 0;
}

#endif
