/* vocab.c: see vocab.h. */
#include "vocab.h"

#include <string.h>

enum { MAX_PROBES = 4096 };     /* at half load a run of this length is a file made to collide, not chance */

GgufString vocab_piece(const Tokenizer *t, int32_t id) {
    const uint8_t *cursor = t->strings + t->offset[id];
    return gguf_next_string(&cursor);
}

uint8_t vocab_canonical_byte(GgufString s, size_t *at) {
    if (s.n - *at >= 3 && memcmp(s.p + *at, "\xe2\x96\x81", 3) == 0) {
        *at += 3;
        return ' ';
    }
    return (uint8_t)s.p[(*at)++];
}

size_t vocab_canonical_copy(char *out, GgufString s) {
    size_t n = 0;
    for (size_t at = 0; at < s.n;) out[n++] = (char)vocab_canonical_byte(s, &at);
    return n;
}

/* FNV-1a, and murmur3's last step so that the low bits are good enough for linear probing. */
uint32_t vocab_hash(const char *text, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)text[i]) * 16777619u;
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

/* Whether a piece, made canonical, is text[n]. */
static bool piece_equals(const Tokenizer *t, int32_t id, const char *text, size_t n) {
    GgufString piece = vocab_piece(t, id);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (at == piece.n || vocab_canonical_byte(piece, &at) != (uint8_t)text[i]) return false;
    return at == piece.n;
}

uint32_t *vocab_slot(const Tokenizer *t, const char *text, size_t n, uint32_t hash) {
    uint32_t tag = hash & ~(uint32_t)MAX_VOCAB;
    for (uint32_t probe = 0; probe < MAX_PROBES; probe++) {
        uint32_t *slot = &t->slot[(hash + probe) & t->slot_mask];
        if (*slot == VOCAB_EMPTY) return slot;
        if ((*slot & ~(uint32_t)MAX_VOCAB) == tag && piece_equals(t, (int32_t)(*slot & MAX_VOCAB), text, n))
            return slot;
    }
    return NULL;
}

int32_t vocab_find(const Tokenizer *t, const char *text, size_t n) {
    if (n == 0 || n > t->longest) return -1;
    const uint32_t *slot = vocab_slot(t, text, n, vocab_hash(text, n));
    return slot && *slot != VOCAB_EMPTY ? (int32_t)(*slot & MAX_VOCAB) : -1;
}

int32_t vocab_find_normal(const Tokenizer *t, const char *text, size_t n) {
    int32_t id = vocab_find(t, text, n);
    return id >= 0 && t->kind[id] == KIND_NORMAL ? id : -1;
}

/* ------------------------------------------------------------------------------------------ the trie of cuts */

uint32_t vocab_trie_next(const Tokenizer *t, uint32_t node, uint8_t byte) {
    uint32_t next = t->trie[node].child;
    while (next && t->trie[next].byte != byte) next = t->trie[next].sibling;
    return next;
}

int32_t vocab_find_cut(const Tokenizer *t, const char *text, size_t n, bool parse_special, size_t *length) {
    int32_t best = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        node = vocab_trie_next(t, node, (uint8_t)text[i]);
        if (!node) break;
        int32_t id = t->trie[node].id;
        if (id < 0 || (t->kind[id] == KIND_CONTROL && !parse_special)) continue;
        best = id;
        *length = i + 1;
    }
    return best;
}
