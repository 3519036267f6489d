/* grammar_mask.c: which tokens may come next (grammar_mask of grammar.h).
 *
 * The tries are walked depth first, with the state before each byte on a stack; where the state is dead, the whole subtree is skipped.
 * Plain tokens, nearly all of the vocabulary, are not walked where their number of characters decides: inside a string any plain text may
 * come next, or a known number of its characters. Then the mask of all such tokens, made with the trie, is taken. */
#include <string.h>

#include "grammar_inner.h"

typedef struct {
    Automaton *a;
    uint32_t *bits;
    int32_t states[TOKEN_BYTES_MAX + 1];        /* before the byte at each depth */
} Walk;

static void set_bit(uint32_t *bits, uint32_t id) { bits[id / 32] |= 1u << id % 32; }

/* How many plain characters may come next, up to `most`. *exact: more may not. */
static int plain_length(Automaton *a, int32_t state, int most, bool *exact) {
    int length = 0;
    *exact = true;
    for (; length < most; length++) {
        bool is_exact;
        int32_t next = automaton_plain(a, state, &is_exact);
        *exact = *exact && is_exact;
        if (next == state) return most;
        if (next == STATE_DEAD) break;
        state = next;
    }
    return length;
}

static void walk(Walk *w, const Trie *trie) {
    for (int i = 0; i < trie->n;) {
        TrieNode node = trie->nodes[i];
        uint32_t depth = node.depth_size >> 24, token = node.byte_token & 0xffffff;
        int32_t next = automaton_step(w->a, w->states[depth], (uint8_t)(node.byte_token >> 24));
        if (next == STATE_DEAD) {
            i += (int)(node.depth_size & 0xffffff);
            continue;
        }
        if (token) set_bit(w->bits, token - 1);
        w->states[depth + 1] = next;
        if (++i % 1024 == 0 && automaton_is_full(w->a)) automaton_forget(w->a, w->states, (int)depth + 2);
    }
}

void grammar_mask(Grammar *g, GrammarState s, const TokenTrie *t, uint32_t *bits) {
    Automaton *a = &g->automaton;
    memset(bits, 0, (size_t)t->n_words * sizeof *bits);
    if (s == GRAMMAR_DEAD) return;
    if (automaton_is_full(a)) automaton_forget(a, &s, 1);
    Walk w = {.a = a, .bits = bits, .states = {s}};
    bool exact;
    int length = plain_length(a, s, t->plain_chars, &exact);
    memcpy(bits, t->plain_masks + (size_t)length * (size_t)t->n_words, (size_t)t->n_words * sizeof *bits);
    if (!exact && length < t->plain_chars) walk(&w, &t->plain);
    walk(&w, &t->rest);
    for (int i = 0; i < t->n_same; i++)
        if (bits[t->same[i][0] / 32] >> t->same[i][0] % 32 & 1) set_bit(bits, (uint32_t)t->same[i][1]);
}
