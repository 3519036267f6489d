/* tiny_gguf.h: makes small GGUF files in memory, for tests of the loader and the session: random weights, a
 * vocabulary of bytes and a few letters; a test may change anything about a file before its bytes are made.
 * Tests of fidelity use the files of tests/golden, which llama.cpp has judged.
 *
 *     TinyGguf g = tiny_make(&tiny_gemma3, 5);
 *     tiny_set_u32(&g, "gemma3.block_count", 1000);
 *     uint8_t *file = tiny_bytes(&g, &n);      (free it)
 *     tiny_free(&g);
 */
#ifndef TINY_GGUF_H
#define TINY_GGUF_H

#include "gguf.h"
#include "quant.h"
#include "test.h"

typedef struct {
    const char *architecture;
    QuantType type;             /* of all matrices */
    int n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff, n_ctx, window;
} TinySpec;

static const TinySpec tiny_gemma3 = {"gemma3", QUANT_Q8_0, 7, 64, 4, 1, 32, 96, 1024, 16};

typedef struct {
    uint8_t *p;
    size_t n, room;
} TinyBytes;

typedef struct {
    char key[96];
    uint32_t type;
    TinyBytes value;            /* what follows the type in the file */
} TinyEntry;

typedef struct {
    char name[64];
    uint32_t n_dims, type;
    uint64_t dims[4], offset;   /* from the first tensor's byte */
} TinyTensor;

enum { TINY_MAX_ENTRIES = 64, TINY_MAX_TENSORS = 128 };

typedef struct {
    uint32_t version;
    int n_entries, n_tensors;
    uint64_t more_entries, more_tensors;    /* that the file claims to have beyond them */
    TinyEntry entries[TINY_MAX_ENTRIES];
    TinyTensor tensors[TINY_MAX_TENSORS];
    TinyBytes data;
} TinyGguf;

/* With rows that are multiples of the type's block. */
static inline TinySpec tiny_fitted(TinySpec s) {
    if (quant_info(s.type)->block == 256) s.n_embd = s.n_ff = 256, s.n_head = 8, s.head_dim = 32;
    return s;
}

/* ------------------------------------------------------------------------------------------ bytes */

static inline void tiny_put(TinyBytes *b, const void *p, size_t n) {
    if (b->n + n > b->room) b->p = realloc(b->p, b->room = (b->n + n) * 2);
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}
static inline void tiny_put_u32(TinyBytes *b, uint32_t x) { tiny_put(b, &x, 4); }
static inline void tiny_put_u64(TinyBytes *b, uint64_t x) { tiny_put(b, &x, 8); }
static inline void tiny_put_text(TinyBytes *b, const char *s) {
    tiny_put_u64(b, strlen(s));
    tiny_put(b, s, strlen(s));
}
static inline void tiny_pad(TinyBytes *b) {
    while (b->n % 32) tiny_put(b, "", 1);
}

/* ------------------------------------------------------------------------------------------ entries and tensors */

/* A new entry, also when there is one of that key. */
static inline TinyBytes *tiny_add(TinyGguf *g, const char *key, uint32_t type) {
    if (g->n_entries == TINY_MAX_ENTRIES) abort();
    TinyEntry *e = &g->entries[g->n_entries++];
    *e = (TinyEntry){.type = type};
    snprintf(e->key, sizeof e->key, "%s", key);
    return &e->value;
}

static inline TinyEntry *tiny_find(TinyGguf *g, const char *key) {
    for (int i = 0; i < g->n_entries; i++)
        if (!strcmp(g->entries[i].key, key)) return &g->entries[i];
    return NULL;
}

/* The entry, emptied, with its place in the file; a new one at the end when there was none. */
static inline TinyBytes *tiny_set(TinyGguf *g, const char *key, uint32_t type) {
    TinyEntry *e = tiny_find(g, key);
    if (!e) return tiny_add(g, key, type);
    e->type = type;
    e->value.n = 0;
    return &e->value;
}
static inline void tiny_set_u32(TinyGguf *g, const char *key, uint32_t x) {
    tiny_put_u32(tiny_set(g, key, GGUF_UINT32), x);
}
static inline void tiny_set_u64(TinyGguf *g, const char *key, uint64_t x) {
    tiny_put_u64(tiny_set(g, key, GGUF_UINT64), x);
}
static inline void tiny_set_f32(TinyGguf *g, const char *key, float x) {
    tiny_put(tiny_set(g, key, GGUF_FLOAT32), &x, 4);
}
static inline void tiny_set_text(TinyGguf *g, const char *key, const char *text) {
    tiny_put_text(tiny_set(g, key, GGUF_STRING), text);
}
/* Its elements are to be put behind. */
static inline TinyBytes *tiny_set_array(TinyGguf *g, const char *key, uint32_t elem_type, uint64_t n) {
    TinyBytes *b = tiny_set(g, key, GGUF_ARRAY);
    tiny_put_u32(b, elem_type);
    tiny_put_u64(b, n);
    return b;
}

static inline void tiny_remove(TinyGguf *g, const char *key) {
    TinyEntry *e = tiny_find(g, key);
    if (!e) abort();
    free(e->value.p);
    memmove(e, e + 1, (size_t)(&g->entries[--g->n_entries] - e) * sizeof *e);
}

static inline TinyTensor *tiny_tensor(TinyGguf *g, const char *name) {
    for (int i = 0; i < g->n_tensors; i++)
        if (!strcmp(g->tensors[i].name, name)) return &g->tensors[i];
    abort();
}

/* ------------------------------------------------------------------------------------------ a whole model */

/* 6 specials, 256 bytes, 26 letters and a space mark. */
enum { TINY_SPECIALS = 6, TINY_VOCAB = TINY_SPECIALS + 256 + 27 };

static inline void tiny_piece(char *text, int id) {
    static const char *specials[TINY_SPECIALS] = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>",
        "<end_of_turn>"};
    if (id < TINY_SPECIALS) strcpy(text, specials[id]);
    else if (id < TINY_SPECIALS + 256) sprintf(text, "<0x%02X>", id - TINY_SPECIALS);
    else if (id < TINY_SPECIALS + 256 + 26) sprintf(text, "%c", 'a' + id - TINY_SPECIALS - 256);
    else if (id < TINY_VOCAB) strcpy(text, "\xe2\x96\x81");
    else sprintf(text, "<%d>", id);
}

static inline void tiny_add_vocabulary(TinyGguf *g, int n) {
    char piece[32];
    TinyBytes *b = tiny_set_array(g, "tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        tiny_piece(piece, i);
        tiny_put_text(b, piece);
    }
    b = tiny_set_array(g, "tokenizer.ggml.scores", GGUF_FLOAT32, (uint64_t)n);
    for (int i = 0; i < n; i++) tiny_put(b, &(float){-(float)i}, 4);
    b = tiny_set_array(g, "tokenizer.ggml.token_type", GGUF_INT32, (uint64_t)n);
    for (int i = 0; i < n; i++)
        tiny_put_u32(b, i == 3 ? 2 : i < TINY_SPECIALS ? 3 : i < TINY_SPECIALS + 256 ? 6 : 1);
}

static inline bool tiny_is_encoded(QuantType type) {
    return quant_info(type)->block == 1 || type == QUANT_Q8_0 || type == QUANT_Q4_0;
}

/* Random blocks of a type that quant.h does not encode; what comes back is of a standard deviation near 1 /
 * sqrt(n_cols). */
static inline void tiny_random_row(QuantType type, uint8_t *row, int n_cols, uint64_t *state) {
    static const struct { QuantType type; int d, dmin; float spread; } blocks[] = {
        {QUANT_IQ4_NL, 0, -1, 67}, {QUANT_Q2_K, 80, 82, 9.8f}, {QUANT_Q3_K, 108, -1, 42},
    };
    size_t i = 0;
    while (i < sizeof blocks / sizeof *blocks && blocks[i].type != type) i++;
    if (i == sizeof blocks / sizeof *blocks) abort();
    size_t n = quant_row_bytes(type, n_cols);
    for (size_t k = 0; k < n; k++) row[k] = (uint8_t)test_random(state);
    for (uint8_t *block = row; block < row + n; block += quant_info(type)->bytes) {
        uint16_t d = f32_to_f16((1
            + 0.1f * test_random_float(state)) / (blocks[i].spread * sqrtf((float)n_cols)));
        memcpy(block + blocks[i].d, &d, 2);
        if (blocks[i].dmin >= 0) memcpy(block + blocks[i].dmin, &d, 2);
    }
}

/* A norm has no rows. */
static inline void tiny_add_tensor(TinyGguf *g, const TinySpec *s, const char *name, int n_cols, int n_rows,
    uint64_t *state) {
    if (g->n_tensors == TINY_MAX_TENSORS || n_cols > 1024) abort();
    QuantType type = n_rows ? s->type : QUANT_F32;
    TinyTensor *t = &g->tensors[g->n_tensors++];
    *t = (TinyTensor){.n_dims = n_rows ? 2 : 1, .type = type, .dims = {(uint64_t)n_cols, (uint64_t)n_rows},
        .offset = g->data.n};
    snprintf(t->name, sizeof t->name, "%s", name);
    float x[1024];
    uint8_t row[4096];
    for (int r = 0; r < (n_rows ? n_rows : 1); r++) {
        for (int i = 0; i < n_cols; i++) {
            float random = test_random_float(state);
            x[i] = n_rows ? 1.7f * random / sqrtf((float)n_cols) : 1 + 0.1f * random;
        }
        if (tiny_is_encoded(type)) quant_encode_row(type, x, row, n_cols);
        else tiny_random_row(type, row, n_cols, state);
        tiny_put(&g->data, row, quant_row_bytes(type, n_cols));
    }
    tiny_pad(&g->data);
}

static inline void tiny_add_layer(TinyGguf *g, const TinySpec *s, int i, uint64_t *state) {
    bool gemma3 = !strcmp(s->architecture, "gemma3"), post = strcmp(s->architecture, "gemma") != 0;
    struct { const char *part; int n_cols, n_rows; bool used; } parts[] = {
        {"attn_norm", s->n_embd, 0, true}, {"attn_q", s->n_embd, s->n_head * s->head_dim, true},
        {"attn_k", s->n_embd, s->n_head_kv * s->head_dim, true},
            {"attn_v", s->n_embd, s->n_head_kv * s->head_dim, true},
        {"attn_q_norm", s->head_dim, 0, gemma3}, {"attn_k_norm", s->head_dim, 0, gemma3},
        {"attn_output", s->n_head * s->head_dim, s->n_embd, true},
            {"post_attention_norm", s->n_embd, 0, post},
        {"ffn_norm", s->n_embd, 0, true}, {"ffn_gate", s->n_embd, s->n_ff, true},
            {"ffn_up", s->n_embd, s->n_ff, true},
        {"ffn_down", s->n_ff, s->n_embd, true}, {"post_ffw_norm", s->n_embd, 0, post},
    };
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s.weight", i, parts[p].part);
        if (parts[p].used) tiny_add_tensor(g, s, name, parts[p].n_cols, parts[p].n_rows, state);
    }
}

/* With a vocabulary of n_vocab tokens, at least TINY_VOCAB. */
static inline TinyGguf tiny_make_larger(const TinySpec *s, int n_vocab, uint64_t seed) {
    TinyGguf g = {.version = 3};
    struct { const char *key; int value; } numbers[] = {
        {"block_count", s->n_layer}, {"embedding_length", s->n_embd}, {"feed_forward_length", s->n_ff},
        {"attention.head_count", s->n_head}, {"attention.head_count_kv", s->n_head_kv},
            {"attention.key_length", s->head_dim},
        {"attention.value_length", s->head_dim}, {"context_length", s->n_ctx},
            {"attention.sliding_window", s->window},
    };
    char key[96];
    tiny_set_text(&g, "general.architecture", s->architecture);
    tiny_set_text(&g, "general.name", "tiny");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(key, sizeof key, "%s.%s", s->architecture, numbers[i].key);
        tiny_set_u32(&g, key, (uint32_t)numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", s->architecture);
    tiny_set_f32(&g, key, 1e-6f);
    tiny_set_text(&g, "tokenizer.ggml.model", "llama");
    tiny_add_vocabulary(&g, n_vocab);
    tiny_add_tensor(&g, s, "token_embd.weight", s->n_embd, n_vocab, &seed);
    tiny_add_tensor(&g, s, "output_norm.weight", s->n_embd, 0, &seed);
    for (int i = 0; i < s->n_layer; i++) tiny_add_layer(&g, s, i, &seed);
    return g;
}

static inline TinyGguf tiny_make(const TinySpec *s, uint64_t seed) {
    return tiny_make_larger(s, TINY_VOCAB, seed);
}

static inline void tiny_free(TinyGguf *g) {
    for (int i = 0; i < g->n_entries; i++) free(g->entries[i].value.p);
    free(g->data.p);
    *g = (TinyGguf){0};
}

/* The file's bytes (free them); *n is their number. */
static inline uint8_t *tiny_bytes(const TinyGguf *g, size_t *n) {
    TinyBytes f = {0};
    tiny_put(&f, "GGUF", 4);
    tiny_put_u32(&f, g->version);
    tiny_put_u64(&f, (uint64_t)g->n_tensors + g->more_tensors);
    tiny_put_u64(&f, (uint64_t)g->n_entries + g->more_entries);
    for (int i = 0; i < g->n_entries; i++) {
        tiny_put_text(&f, g->entries[i].key);
        tiny_put_u32(&f, g->entries[i].type);
        tiny_put(&f, g->entries[i].value.p, g->entries[i].value.n);
    }
    for (int i = 0; i < g->n_tensors; i++) {
        const TinyTensor *t = &g->tensors[i];
        tiny_put_text(&f, t->name);
        tiny_put_u32(&f, t->n_dims);
        for (uint32_t d = 0; d < t->n_dims; d++) tiny_put_u64(&f, d < 4 ? t->dims[d] : 1);
        tiny_put_u32(&f, t->type);
        tiny_put_u64(&f, t->offset);
    }
    tiny_pad(&f);
    tiny_put(&f, g->data.p, g->data.n);
    *n = f.n;
    return f.p;
}

static inline uint8_t *tiny_gguf(const TinySpec *s, uint64_t seed, size_t *n) {
    TinyGguf g = tiny_make(s, seed);
    uint8_t *file = tiny_bytes(&g, n);
    tiny_free(&g);
    return file;
}

/* Loads a file in pieces of at most `piece` bytes, told to have `told` bytes; NULL with *err when it is
 * refused. */
static inline GemmaModel *tiny_load_as(uint64_t told, const uint8_t *file, size_t n, size_t piece,
    GemmaOptions options, GemmaError *err) {
    GemmaLoader *l = gemma_loader_new("tiny.gguf", told, err);
    bool allocated = false;
    for (size_t at = 0; at < n;) {
        size_t room;
        uint8_t *p = gemma_loader_room(l, &room, err);
        size_t take = n - at < piece ? n - at : piece;
        if (take > room) take = room;
        if (take) memcpy(p, file + at, take);
        at += take;
        GemmaStatus s = gemma_loader_push(l, take, err);
        if (s == GEMMA_OK && !allocated && gemma_loader_plan(l)) {
            s = gemma_loader_allocate(l, &options, err);
            allocated = true;
            if (s == GEMMA_OK) s = gemma_loader_push(l, 0, err);
        }
        if (s != GEMMA_OK) {
            gemma_loader_free(l);
            return NULL;
        }
    }
    return gemma_loader_finish(l, err);
}

static inline GemmaModel *tiny_load(const uint8_t *file, size_t n, size_t piece, int n_threads,
    GemmaError *err) {
    return tiny_load_as(n, file, n, piece, (GemmaOptions){.n_threads = n_threads}, err);
}

#endif
