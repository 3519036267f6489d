/* vocab_gguf.h: makes GGUF headers in memory that hold a vocabulary and little else, for tests of tokenizer
 * and chat.
 *
 *     Vocab v = {0};
 *     vocab_standard(&v);
 *     vocab_add(&v, "ab", -1, VOCAB_NORMAL);
 *     Tokenizer *t = vocab_open(&v, &err);
 *     ...
 *     tokenizer_free(t);
 *     vocab_free(&v);
 */
#ifndef VOCAB_GGUF_H
#define VOCAB_GGUF_H

#include "test.h"
#include "tokenizer.h"

enum { VOCAB_NORMAL = 1, VOCAB_UNKNOWN, VOCAB_CONTROL, VOCAB_USER_DEFINED, VOCAB_UNUSED, VOCAB_BYTE };

typedef struct {
    uint8_t *p;
    size_t n, room;
} VocabBytes;

typedef struct {
    VocabBytes strings, scores, types, metadata, file;
    int n_tokens, n_metadata;
    bool no_scores, no_types;
    Gguf gguf;
} Vocab;

static inline void vocab_put(VocabBytes *b, const void *p, size_t n) {
    if (b->n + n > b->room) b->p = realloc(b->p, b->room = 2 * (b->n + n));
    memcpy(b->p + b->n, p, n);
    b->n += n;
}
static inline void vocab_put_u32(VocabBytes *b, uint32_t x) { vocab_put(b, &x, 4); }
static inline void vocab_put_u64(VocabBytes *b, uint64_t x) { vocab_put(b, &x, 8); }
static inline void vocab_put_string(VocabBytes *b, const char *s, size_t n) {
    vocab_put_u64(b, n);
    vocab_put(b, s, n);
}

/* Returns the new token's id. */
static inline int vocab_add_n(Vocab *v, const char *text, size_t n, float score, int32_t type) {
    vocab_put_string(&v->strings, text, n);
    vocab_put(&v->scores, &score, 4);
    vocab_put(&v->types, &type, 4);
    return v->n_tokens++;
}
static inline int vocab_add(Vocab *v, const char *text, float score, int32_t type) {
    return vocab_add_n(v, text, strlen(text), score, type);
}

/* Metadata beside the vocabulary's. */
static inline void vocab_key(Vocab *v, const char *key, GgufType type) {
    vocab_put_string(&v->metadata, key, strlen(key));
    vocab_put_u32(&v->metadata, type);
    v->n_metadata++;
}
static inline void vocab_text(Vocab *v, const char *key, const char *text) {
    vocab_key(v, key, GGUF_STRING);
    vocab_put_string(&v->metadata, text, strlen(text));
}
static inline void vocab_number(Vocab *v, const char *key, uint32_t x) {
    vocab_key(v, key, GGUF_UINT32);
    vocab_put_u32(&v->metadata, x);
}
static inline void vocab_bool(Vocab *v, const char *key, bool x) {
    vocab_key(v, key, GGUF_BOOL);
    vocab_put(&v->metadata, &(uint8_t){x}, 1);
}

/* What every file has: "llama", 4 specials (ids 0 to 3), 256 bytes (from VOCAB_BYTES on), 2 for turns, the
 * space. */
enum { VOCAB_PAD, VOCAB_EOS, VOCAB_BOS, VOCAB_UNK, VOCAB_BYTES, VOCAB_TURN = VOCAB_BYTES + 256, VOCAB_END,
    VOCAB_SPACE, VOCAB_OWN };

static inline void vocab_standard(Vocab *v) {
    vocab_text(v, "tokenizer.ggml.model", "llama");
    vocab_add(v, "<pad>", 0, VOCAB_CONTROL);
    vocab_add(v, "<eos>", 0, VOCAB_CONTROL);
    vocab_add(v, "<bos>", 0, VOCAB_CONTROL);
    vocab_add(v, "<unk>", 0, VOCAB_UNKNOWN);
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        vocab_add(v, name, 0, VOCAB_BYTE);
    }
    vocab_add(v, "<start_of_turn>", 0, VOCAB_NORMAL);      /* the types that some conversions give them */
    vocab_add(v, "<end_of_turn>", 0, VOCAB_USER_DEFINED);
    vocab_add(v, "\xe2\x96\x81", -1000, VOCAB_NORMAL);
}

/* Gives token id another text of the same length. */
static inline void vocab_rename(Vocab *v, int id, const char *text) {
    const uint8_t *cursor = v->strings.p;
    for (int i = 0; i < id; i++) gguf_next_string(&cursor);
    memcpy(v->strings.p + (cursor + 8 - v->strings.p), text, strlen(text));
}

/* Letters of their own: single characters as pieces. */
static inline void vocab_letters(Vocab *v, const char *letters) {
    for (; *letters; letters++) vocab_add_n(v, letters, 1, -1000, VOCAB_NORMAL);
}

static inline void vocab_array(VocabBytes *f, const char *key, GgufType type, int n,
    const VocabBytes *values) {
    vocab_put_string(f, key, strlen(key));
    vocab_put_u32(f, GGUF_ARRAY);
    vocab_put_u32(f, type);
    vocab_put_u64(f, (uint64_t)n);
    vocab_put(f, values->p, values->n);
}

/* Makes v->gguf, for functions that want that alone. */
static inline void vocab_parse(Vocab *v) {
    VocabBytes *f = &v->file;
    GemmaError err = {0};
    vocab_put(f, "GGUF", 4);
    vocab_put_u32(f, 3);
    vocab_put_u64(f, 0);
    vocab_put_u64(f, (uint64_t)(v->n_metadata + (v->n_tokens > 0) * (3 - v->no_scores - v->no_types)));
    if (v->n_metadata) vocab_put(f, v->metadata.p, v->metadata.n);
    if (v->n_tokens) {
        vocab_array(f, "tokenizer.ggml.tokens", GGUF_STRING, v->n_tokens, &v->strings);
        if (!v->no_scores) vocab_array(f, "tokenizer.ggml.scores", GGUF_FLOAT32,
            (int)(v->scores.n / 4), &v->scores);
        if (!v->no_types) vocab_array(f, "tokenizer.ggml.token_type", GGUF_INT32,
            (int)(v->types.n / 4), &v->types);
    }
    while (f->n % 32) vocab_put(f, "", 1);
    if (gguf_parse(&v->gguf, f->p, f->n, f->n, &err) != GGUF_COMPLETE) TEST_FAIL("%s", err.text);
}

/* NULL with *err when the tokenizer refuses the file. */
static inline Tokenizer *vocab_open(Vocab *v, GemmaError *err) {
    vocab_parse(v);
    return tokenizer_new(&v->gguf, v->n_tokens, err);
}

static inline void vocab_free(Vocab *v) {
    gguf_free(&v->gguf);
    free(v->strings.p);
    free(v->scores.p);
    free(v->types.p);
    free(v->metadata.p);
    free(v->file.p);
    *v = (Vocab){0};
}

#endif
