/* grammar_mask.c: which tokens may come next (grammar_mask of grammar.h).
 *
 * The tries are walked depth first, with the state before each byte on a stack; where the state is dead, the
 * whole subtree is skipped. Plain tokens, nearly all of the vocabulary, are not walked where their number of
 * characters decides: inside a string any plain text may come next, or a known number of its characters. Then
 * the mask of all such tokens, made with the trie, is taken. */
#include <string.h>

#include "grammar_inner.h"

typedef struct {
    Automaton *a;
    uint32_t *bits;
    int32_t states[TOKEN_BYTES_MAX + 1];        /* before the byte at each depth */
} Walk;

static void set_bit(uint32_t *bits, uint32_t id) { bits[id / 32] |= 1u << id % 32; }
static void clear_bit(uint32_t *bits, uint32_t id) { bits[id / 32] &= ~(1u << id % 32); }
static bool get_bit(const uint32_t *bits, uint32_t id) { return bits[id / 32] >> id % 32 & 1; }

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

static void set_subtree(uint32_t *bits, const TrieNode *nodes, bool value) {
    for (uint32_t i = 0, n = nodes[0].depth_size & 0xffffff; i < n; i++) {
        uint32_t token = nodes[i].byte_token & 0xffffff;
        if (token == 0) continue;
        if (value) set_bit(bits, token - 1);
        else clear_bit(bits, token - 1);
    }
}

/* Whether more plain tokens begin with a byte after which any plain text may come than with one that may not
 * come. */
static bool takes_most(Automaton *a, int32_t state, const Trie *plain) {
    int64_t balance = 0;
    for (int i = 0, size; i < plain->n; i += size) {
        size = (int)(plain->nodes[i].depth_size & 0xffffff);
        int32_t next = automaton_step(a, state, (uint8_t)(plain->nodes[i].byte_token >> 24));
        if (next == STATE_DEAD) balance -= size;
        else if (automaton_takes_plain(a, next)) balance += size;
    }
    return balance > 0;
}

/* The plain tokens. A subtree is not walked where the state is dead or takes any plain text: its tokens are
 * all out or all in. The bits start as what most of them will be. */
static void walk_plain(Walk *w, const TokenTrie *t) {
    const Trie *trie = &t->plain;
    bool most = takes_most(w->a, w->states[0], trie);
    if (most) memcpy(w->bits, t->plain_masks + (size_t)t->plain_chars * (size_t)t->n_words,
        (size_t)t->n_words * sizeof *w->bits);
    for (int i = 0; i < trie->n;) {
        const TrieNode *node = &trie->nodes[i];
        uint32_t depth = node->depth_size >> 24, token = node->byte_token & 0xffffff;
        int32_t next = automaton_step(w->a, w->states[depth], (uint8_t)(node->byte_token >> 24));
        bool all = next != STATE_DEAD && automaton_takes_plain(w->a, next);
        if (next == STATE_DEAD || all) {
            if (all != most) set_subtree(w->bits, node, all);
            i += (int)(node->depth_size & 0xffffff);
            continue;
        }
        if (token && !most) set_bit(w->bits, token - 1);
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
    if (exact || length == t->plain_chars)
        memcpy(bits, t->plain_masks + (size_t)length * (size_t)t->n_words, (size_t)t->n_words * sizeof *bits);
    else walk_plain(&w, t);
    walk(&w, &t->rest);
    for (int i = 0; i < t->n_same; i++) {
        uint32_t first = (uint32_t)t->same[i][0], other = (uint32_t)t->same[i][1];
        if (get_bit(bits, first)) set_bit(bits, other);
        else clear_bit(bits, other);
    }
}
