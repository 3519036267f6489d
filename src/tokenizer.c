/* tokenizer.c: see tokenizer.h. SentencePiece's BPE (google/sentencepiece, src/bpe_model.cc) over the
 * vocabulary in a GGUF.
 *
 * Encoding, in three steps:
 *   1. Spaces. SentencePiece writes a space as U+2581 (▁), and reads a ▁ in a text as a space. We go the
 *      other way and bring both, in texts and in pieces, to a plain space ("canonical" below): that never
 *      makes a text longer, and serves files that store user-defined pieces with spaces
 *      (convert_hf_to_gguf.py does so) like those that store them with ▁. A run that mixes both is one run
 *      for SentencePiece. llama.cpp and PyPI tokenizers cut before they turn spaces into ▁, and differ there.
 *   2. Cuts. At each position the longest user-defined piece is cut out. No merge crosses it.
 *   3. Merges. What lies between two cuts starts as single characters; the neighbours whose joined piece has
 *      the best score are joined, leftmost first on ties, until none is left. A remaining part that is no
 *      piece becomes its bytes (<0xXX>).
 *
 * Control tokens are cut out in step 2 when asked for, and are no pieces otherwise: their text then merges
 * like any other. */
#include "vocab.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* ------------------------------------------------------------------------------------------ merging */

/* A run of bytes that is joined so far; a list in the order of the text. */
typedef struct {
    uint32_t start, n;          /* bytes of the segment; n is 0 once it was joined to the one before */
    uint32_t prev, next;        /* NONE at the ends */
} Symbol;

/* Two neighbours that could be joined. Stale when either has grown or gone since: then the sizes no longer
 * add up. */
typedef struct {
    uint32_t rank, left;        /* the heap's order: best score first, then leftmost */
    uint32_t n;                 /* bytes of both */
} Merge;

static const uint32_t NONE = UINT32_MAX;

typedef struct {
    const Tokenizer *t;
    const char *text;           /* of the current segment, canonical */
    Symbol *symbols;
    Merge *heap;                /* its first is the best; children of i are 2i+1 and 2i+2 */
    size_t n_heap, symbol_room, heap_room;
    int32_t *ids;               /* the output: at most cap are written, all are counted */
    int cap, n_ids;
    bool failed;                /* memory was short */
} Encoder;

static void emit(Encoder *e, int32_t id) {
    if (e->n_ids < e->cap) e->ids[e->n_ids] = id;
    e->n_ids++;
}

/* Room for `count` items of `size` bytes: grown by half at least, so that growing costs time in
 * proportion. */
static void *reserve(Encoder *e, void *items, size_t *room, size_t count, size_t size) {
    if (count <= *room) return items;
    size_t bigger = *room + *room / 2;
    if (bigger < count) bigger = count;
    void *p = realloc(items, bigger * size);
    if (!p) {
        e->failed = true;
        return items;
    }
    *room = bigger;
    return p;
}

static bool before(Merge a, Merge b) { return a.rank != b.rank ? a.rank < b.rank : a.left < b.left; }

/* Scores as whole numbers in the opposite order, so that the best is the smallest. */
static uint32_t rank_of(const Tokenizer *t, int32_t id) {
    float score;
    uint32_t bits;
    memcpy(&score, t->scores + (size_t)id * sizeof score, sizeof score);
    score += 0.0f;      /* -0.0, which Gemma 3's best piece has, becomes 0.0 */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/* Puts the pair of `left` and its right neighbour on the heap, when joined they are a piece. */
static void consider(Encoder *e, uint32_t left) {
    if (left == NONE || e->symbols[left].next == NONE) return;
    const Symbol *a = &e->symbols[left], *b = &e->symbols[a->next];
    uint32_t n = a->n + b->n;
    int32_t id = vocab_find_normal(e->t, e->text + a->start, n);
    if (id < 0) return;
    e->heap = reserve(e, e->heap, &e->heap_room, e->n_heap + 1, sizeof *e->heap);
    if (e->failed) return;
    Merge merge = {rank_of(e->t, id), left, n};
    size_t i = e->n_heap++;
    for (; i > 0 && before(merge, e->heap[(i - 1) / 2]); i = (i - 1) / 2) e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = merge;
}

static Merge take_best(Encoder *e) {
    Merge best = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= e->n_heap) break;
        if (child + 1 < e->n_heap && before(e->heap[child + 1], e->heap[child])) child++;
        if (!before(e->heap[child], last)) break;
        e->heap[i] = e->heap[child];
        i = child;
    }
    e->heap[i] = last;
    return best;
}

/* One symbol per character, or per byte where the UTF-8 is broken; they lie in the list in order. */
static uint32_t split(Encoder *e, size_t n) {
    uint32_t count = 0;
    for (size_t at = 0; at < n;) {
        size_t length = utf8_length(e->text + at, n - at);
        if (length == 0) length = 1;
        e->symbols = reserve(e, e->symbols, &e->symbol_room, (size_t)count + 1, sizeof *e->symbols);
        if (e->failed) return 0;
        e->symbols[count] = (Symbol){(uint32_t)at, (uint32_t)length, count ? count - 1 : NONE, count + 1};
        count++;
        at += length;
    }
    if (count) e->symbols[count - 1].next = NONE;
    return count;
}

/* Encodes text[n], a segment between two cuts. */
static void encode_segment(Encoder *e, const char *text, size_t n) {
    e->text = text;
    uint32_t count = split(e, n);
    for (uint32_t i = 0; i < count && !e->failed; i++) consider(e, i);
    while (e->n_heap && !e->failed) {
        Merge merge = take_best(e);
        Symbol *a = &e->symbols[merge.left];
        if (a->n == 0 || a->next == NONE || a->n + e->symbols[a->next].n != merge.n) continue;
        Symbol *b = &e->symbols[a->next];
        a->n = merge.n;
        a->next = b->next;
        b->n = 0;
        if (a->next != NONE) e->symbols[a->next].prev = merge.left;
        consider(e, a->prev);
        consider(e, merge.left);
    }
    if (e->failed || count == 0) return;
    for (uint32_t i = 0; i != NONE; i = e->symbols[i].next) {
        const Symbol *s = &e->symbols[i];
        int32_t id = vocab_find_normal(e->t, text + s->start, s->n);
        if (id >= 0) emit(e, id);
        else for (uint32_t j = 0; j < s->n; j++) emit(e, e->t->byte_id[(uint8_t)text[s->start + j]]);
    }
}

int tokenizer_encode(const Tokenizer *t, const char *utf8, size_t n, bool add_bos, bool parse_special,
    int32_t *ids, int cap) {
    Encoder e = {.t = t, .ids = ids, .cap = cap};
    if (n > INT_MAX - 2) return -1;
    char *text = malloc(n + 1);
    if (!text) return -1;
    size_t n_text = 0;
    if (t->add_space_prefix && n) text[n_text++] = ' ';
    n_text += vocab_canonical_copy(text + n_text, (GgufString){utf8, n});

    if (add_bos) emit(&e, t->bos);
    size_t start = 0, at = 0, length = 0;
    while (at < n_text && !e.failed) {
        int32_t cut = vocab_find_cut(t, text + at, n_text - at, parse_special, &length);
        if (cut < 0) {
            at++;
            continue;
        }
        encode_segment(&e, text + start, at - start);
        emit(&e, cut);
        start = at += length;
    }
    encode_segment(&e, text + start, n_text - start);
    free(text);
    free(e.symbols);
    free(e.heap);
    return e.failed ? -1 : e.n_ids;
}

/* ------------------------------------------------------------------------------------------ decoding */

int tokenizer_decode(const Tokenizer *t, int32_t id, char buf[256]) {
    if (id < 0 || id >= t->n_vocab) return 0;
    GgufString piece = vocab_piece(t, id);
    if (t->kind[id] != KIND_BYTE) return (int)vocab_canonical_copy(buf, piece);
    unsigned byte = 0;
    for (int i = 3; i < 5; i++) {
        char digit = piece.p[i];        /* <0xXX>, as read_kinds found it */
        byte = byte * 16 + (unsigned)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
    }
    buf[0] = (char)byte;
    return 1;
}

int32_t tokenizer_bos(const Tokenizer *t) { return t->bos; }
int32_t tokenizer_eos(const Tokenizer *t) { return t->eos; }
bool tokenizer_adds_bos(const Tokenizer *t) { return t->add_bos; }

int32_t tokenizer_control(const Tokenizer *t, const char *text) {
    int32_t id = vocab_find(t, text, strlen(text));
    return id >= 0 && t->kind[id] == KIND_CONTROL ? id : -1;
}

const int32_t *tokenizer_media(const Tokenizer *t, int *n) {
    *n = t->n_media;
    return t->media;
}

bool tokenizer_is_control(const Tokenizer *t, int32_t id) {
    return id >= 0 && id < t->n_vocab && t->kind[id] == KIND_CONTROL;
}

bool tokenizer_is_end(const Tokenizer *t, int32_t id) {
    for (int i = 0; i < t->n_end; i++)
        if (id == t->end[i]) return true;
    return false;
}
