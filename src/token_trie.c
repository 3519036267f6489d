/* token_trie.c: see token_trie.h.
 *
 * All tokens' bytes are sorted once (a radix sort, byte by byte); tokens that follow each other share the
 * path of the bytes they have in common, so nodes come out in depth-first order. A node's size is known when
 * the path leaves it. */
#include "token_trie.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "utf8.h"

typedef struct {
    uint32_t at;                /* of its bytes */
    int32_t id;
    uint16_t n;
    int16_t plain;              /* characters of a plain token; -1: it is none */
} Word;

typedef struct {
    TokenTrie *t;
    char *bytes;
    Word *words, *sorted;
    int n_words, n_bytes, cap_bytes;
    int next[258];              /* where the next word with a byte goes, while they are sorted by it */
} Maker;

/* ------------------------------------------------------------------------------------------ the vocabulary */

static int count_plain(const char *bytes, int n) {
    int chars = 0;
    for (int i = 0; i < n; chars++) {
        unsigned char c = (unsigned char)bytes[i];
        size_t length = c >= 0x20 && c != '"' && c != '\\' && c != 0x7f
            ? utf8_length(bytes + i, (size_t)(n - i)) : 0;
        if (length == 0 || chars == PLAIN_CHARS_MAX) return -1;
        i += (int)length;
    }
    return chars;
}

static bool read_words(Maker *m, TokenBytes *bytes_of, const void *vocabulary) {
    for (int32_t id = 0; id < m->t->n_vocab; id++) {
        if (!memory_grow((void **)&m->bytes, &m->cap_bytes, m->n_bytes + (int64_t)TOKEN_BYTES_MAX, 1))
            return false;
        int n = bytes_of(vocabulary, id, m->bytes + m->n_bytes);
        if (n <= 0) continue;
        int plain = count_plain(m->bytes + m->n_bytes, n);
        m->words[m->n_words++] = (Word){(uint32_t)m->n_bytes, id, (uint16_t)n, (int16_t)plain};
        m->n_bytes += n;
        if (plain > m->t->plain_chars) m->t->plain_chars = plain;
    }
    return true;
}

static int compare(const Maker *m, const Word *a, const Word *b) {
    int order = memcmp(m->bytes + a->at, m->bytes + b->at, a->n < b->n ? a->n : b->n);
    if (order == 0) order = (int)a->n - (int)b->n;
    return order ? order : a->id - b->id;
}

/* The byte at `depth`, or -1 where the word ends. */
static int byte_at(const Maker *m, const Word *w, int depth) {
    return w->n == depth ? -1 : (unsigned char)m->bytes[w->at + (uint32_t)depth];
}

/* Sorts words that are equal in their first `depth` bytes. (As deep as a token is long: what it needs of the
 * stack is little.) */
static void sort_words(Maker *m, Word *words, int n, int depth) {
    if (n < 24) {
        for (int i = 1; i < n; i++) {
            Word word = words[i];
            int k = i;
            for (; k > 0 && compare(m, &words[k - 1], &word) > 0; k--) words[k] = words[k - 1];
            words[k] = word;
        }
        return;
    }
    /* Those that end here first, then by the byte that follows. */
    int *next = m->next;
    memset(next, 0, sizeof m->next);
    for (int i = 0; i < n; i++) next[2 + byte_at(m, &words[i], depth)]++;
    for (int i = 1; i < 258; i++) next[i] += next[i - 1];
    for (int i = 0; i < n; i++) m->sorted[next[1 + byte_at(m, &words[i], depth)]++] = words[i];
    memcpy(words, m->sorted, (size_t)n * sizeof *words);
    for (int i = 0, end; i < n; i = end) {
        int byte = byte_at(m, &words[i], depth);
        for (end = i + 1; end < n && byte_at(m, &words[end], depth) == byte; end++) {}
        if (byte >= 0 && end - i > 1) sort_words(m, words + i, end - i, depth + 1);
    }
}

/* ------------------------------------------------------------------------------------------ tries */

static int common(const Maker *m, const Word *a, const Word *b) {
    int n = a->n < b->n ? a->n : b->n, i = 0;
    while (i < n && m->bytes[a->at + (uint32_t)i] == m->bytes[b->at + (uint32_t)i]) i++;
    return i;
}

/* The nodes of the words that are plain, or of those that are not; with trie->nodes NULL, counts only. */
static void fill_trie(const Maker *m, Trie *trie, bool plain) {
    int open[TOKEN_BYTES_MAX], depth = 0, n = 0;
    const Word *last = NULL;
    for (int i = 0; i < m->n_words; i++) {
        const Word *w = &m->words[i];
        if ((w->plain >= 0) != plain) continue;
        int same = last ? common(m, last, w) : 0;
        if (last && same == w->n) continue;             /* the same bytes again */
        for (; depth > same; depth--)
            if (trie->nodes) trie->nodes[open[depth - 1]].depth_size += (uint32_t)(n - open[depth - 1]);
        for (; depth < w->n; depth++, n++) {
            open[depth] = n;
            if (!trie->nodes) continue;
            uint32_t byte = (unsigned char)m->bytes[w->at + (uint32_t)depth], token = depth + 1 == w->n
                ? (uint32_t)w->id + 1 : 0;
            trie->nodes[n] = (TrieNode){byte << 24 | token, (uint32_t)depth << 24};
        }
        last = w;
    }
    for (; depth > 0 && trie->nodes; depth--) trie->nodes[open[depth - 1]].depth_size += (uint32_t)
        (n - open[depth - 1]);
    trie->n = n;
}

static bool make_trie(const Maker *m, Trie *trie, bool plain) {
    fill_trie(m, trie, plain);
    trie->nodes = malloc(((size_t)trie->n + 1) * sizeof *trie->nodes);
    if (trie->nodes) fill_trie(m, trie, plain);
    return trie->nodes != NULL;
}

static bool is_same(const Maker *m, int i) {
    const Word *a = &m->words[i - 1], *b = &m->words[i];
    return a->n == b->n && memcmp(m->bytes + a->at, m->bytes + b->at, a->n) == 0;
}

static bool list_same(const Maker *m) {
    TokenTrie *t = m->t;
    for (int i = 1; i < m->n_words; i++) t->n_same += is_same(m, i);
    t->same = malloc(((size_t)t->n_same + 1) * sizeof *t->same);
    if (!t->same) return false;
    for (int i = 1, first = 0, n = 0; i < m->n_words; i++) {
        if (!is_same(m, i)) first = i;
        else t->same[n][0] = m->words[first].id, t->same[n++][1] = m->words[i].id;
    }
    return true;
}

static bool make_masks(const Maker *m) {
    TokenTrie *t = m->t;
    size_t n = (size_t)t->n_words;
    t->plain_masks = calloc((size_t)(t->plain_chars + 1) * n + 1, sizeof *t->plain_masks);
    if (!t->plain_masks) return false;
    for (int i = 0; i < m->n_words; i++) {
        const Word *w = &m->words[i];
        if (w->plain >= 0) t->plain_masks[(size_t)w->plain * n + (size_t)w->id / 32] |= 1u << w->id % 32;
    }
    for (size_t i = n; i < (size_t)(t->plain_chars + 1) * n; i++) t->plain_masks[i] |= t->plain_masks[i - n];
    return true;
}

TokenTrie *token_trie_new(TokenBytes *bytes_of, const void *vocabulary, int n_vocab, GemmaError *err) {
    if (n_vocab < 0 || n_vocab > (1 << 24) - 2) {
        error_set(err, GEMMA_BAD_ARGUMENT, "A constraint needs a vocabulary of at most %d tokens, found %d.",
            (1 << 24) - 2, n_vocab);
        return NULL;
    }
    TokenTrie *t = calloc(1, sizeof *t);
    Maker m = {.t = t, .words = malloc(((size_t)n_vocab + 1) * sizeof(Word)),
        .sorted = malloc(((size_t)n_vocab + 1) * sizeof(Word))};
    bool ok = t && m.words && m.sorted;
    if (ok) {
        t->n_vocab = n_vocab;
        t->n_words = (n_vocab + 31) / 32;
        ok = read_words(&m, bytes_of, vocabulary);
    }
    if (ok) {
        sort_words(&m, m.words, m.n_words, 0);
        ok = make_trie(&m, &t->plain, true) && make_trie(&m, &t->rest, false) && list_same(&m)
            && make_masks(&m);
    }
    /* A subtree's size has 24 bits. */
    bool too_large = ok && (t->plain.n >= 1 << 24 || t->rest.n >= 1 << 24);
    free(m.words);
    free(m.sorted);
    free(m.bytes);
    if (ok && !too_large) {
        t->bytes = sizeof *t + ((size_t)t->plain.n + (size_t)t->rest.n) * sizeof(TrieNode)
            + (size_t)t->n_same * sizeof *t->same +
                   (size_t)(t->plain_chars + 1) * (size_t)t->n_words * sizeof *t->plain_masks;
        return t;
    }
    if (too_large) error_set(err, GEMMA_BAD_ARGUMENT,
        "The vocabulary's texts are too long for a constraint.");
    else error_set(err, GEMMA_NO_MEMORY,
        "There is not enough memory to prepare a vocabulary of %d tokens for constraints.", n_vocab);
    token_trie_free(t);
    return NULL;
}

void token_trie_free(TokenTrie *t) {
    if (!t) return;
    free(t->plain.nodes);
    free(t->rest.nodes);
    free(t->same);
    free(t->plain_masks);
    free(t);
}
