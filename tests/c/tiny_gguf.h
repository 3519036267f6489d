/* tiny_gguf.h: makes small GGUF files in memory, for tests of the loader and the session: random weights, a vocabulary of bytes
 * and a few letters. Tests of fidelity use the files of tests/golden, which llama.cpp has judged. */
#ifndef TINY_GGUF_H
#define TINY_GGUF_H

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
} TinyFile;

static void tiny_put(TinyFile *f, const void *p, size_t n) {
    if (f->n + n > f->room) f->p = realloc(f->p, f->room = (f->n + n) * 2);
    memcpy(f->p + f->n, p, n);
    f->n += n;
}
static void tiny_u32(TinyFile *f, uint32_t x) { tiny_put(f, &x, 4); }
static void tiny_u64(TinyFile *f, uint64_t x) { tiny_put(f, &x, 8); }
static void tiny_text(TinyFile *f, const char *s) {
    tiny_u64(f, strlen(s));
    tiny_put(f, s, strlen(s));
}
static void tiny_kv_u32(TinyFile *f, const char *arch, const char *key, uint32_t x) {
    char full[96];
    snprintf(full, sizeof full, "%s%s%s", arch, *arch ? "." : "", key);
    tiny_text(f, full);
    tiny_u32(f, 4);
    tiny_u32(f, x);
}
static void tiny_kv_text(TinyFile *f, const char *key, const char *text) {
    tiny_text(f, key);
    tiny_u32(f, 8);
    tiny_text(f, text);
}
static void tiny_kv_array(TinyFile *f, const char *key, uint32_t elem_type, uint64_t n) {
    tiny_text(f, key);
    tiny_u32(f, 9);
    tiny_u32(f, elem_type);
    tiny_u64(f, n);
}

/* 6 specials, 256 bytes, 26 letters and a space mark. */
enum { TINY_SPECIALS = 6, TINY_VOCAB = TINY_SPECIALS + 256 + 27 };

static void tiny_piece(char *text, int id) {
    static const char *specials[TINY_SPECIALS] = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"};
    if (id < TINY_SPECIALS) strcpy(text, specials[id]);
    else if (id < TINY_SPECIALS + 256) sprintf(text, "<0x%02X>", id - TINY_SPECIALS);
    else if (id < TINY_SPECIALS + 256 + 26) sprintf(text, "%c", 'a' + id - TINY_SPECIALS - 256);
    else strcpy(text, "\xe2\x96\x81");
}

typedef struct {
    TinyFile header, data;
    const TinySpec *spec;
    uint64_t state;
    int n_tensors;
} TinyWriter;

static void tiny_tensor(TinyWriter *w, const char *name, int n_cols, int n_rows) {
    QuantType type = n_rows ? w->spec->type : QUANT_F32;
    int dims = n_rows ? 2 : 1, rows = n_rows ? n_rows : 1;
    tiny_text(&w->header, name);
    tiny_u32(&w->header, (uint32_t)dims);
    tiny_u64(&w->header, (uint64_t)n_cols);
    if (n_rows) tiny_u64(&w->header, (uint64_t)n_rows);
    tiny_u32(&w->header, type);
    tiny_u64(&w->header, w->data.n);
    w->n_tensors++;
    float x[1024];
    uint8_t row[4096];
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < n_cols; i++) x[i] = n_rows ? 1.7f * test_random_float(&w->state) / sqrtf((float)n_cols) : 1 + 0.1f * test_random_float(&w->state);
        quant_encode_row(type, x, row, n_cols);
        tiny_put(&w->data, row, quant_row_bytes(type, n_cols));
    }
    while (w->data.n % 32) tiny_put(&w->data, "", 1);
}

static void tiny_layer(TinyWriter *w, int i) {
    const TinySpec *s = w->spec;
    bool gemma3 = !strcmp(s->architecture, "gemma3"), post = strcmp(s->architecture, "gemma") != 0;
    struct { const char *part; int n_cols, n_rows; bool used; } parts[] = {
        {"attn_norm", s->n_embd, 0, true}, {"attn_q", s->n_embd, s->n_head * s->head_dim, true},
        {"attn_k", s->n_embd, s->n_head_kv * s->head_dim, true}, {"attn_v", s->n_embd, s->n_head_kv * s->head_dim, true},
        {"attn_q_norm", s->head_dim, 0, gemma3}, {"attn_k_norm", s->head_dim, 0, gemma3},
        {"attn_output", s->n_head * s->head_dim, s->n_embd, true}, {"post_attention_norm", s->n_embd, 0, post},
        {"ffn_norm", s->n_embd, 0, true}, {"ffn_gate", s->n_embd, s->n_ff, true}, {"ffn_up", s->n_embd, s->n_ff, true},
        {"ffn_down", s->n_ff, s->n_embd, true}, {"post_ffw_norm", s->n_embd, 0, post},
    };
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s.weight", i, parts[p].part);
        if (parts[p].used) tiny_tensor(w, name, parts[p].n_cols, parts[p].n_rows);
    }
}

/* The file's bytes (free them); *n is their number. */
static uint8_t *tiny_gguf(const TinySpec *s, uint64_t seed, size_t *n) {
    TinyWriter w = {.spec = s, .state = seed};
    tiny_tensor(&w, "token_embd.weight", s->n_embd, TINY_VOCAB);
    tiny_tensor(&w, "output_norm.weight", s->n_embd, 0);
    for (int i = 0; i < s->n_layer; i++) tiny_layer(&w, i);

    TinyFile f = {0};
    const char *a = s->architecture;
    tiny_put(&f, "GGUF", 4);
    tiny_u32(&f, 3);
    tiny_u64(&f, (uint64_t)w.n_tensors);
    tiny_u64(&f, 16);
    tiny_kv_text(&f, "general.architecture", a);
    tiny_kv_text(&f, "general.name", "tiny");
    tiny_kv_text(&f, "tokenizer.ggml.model", "llama");
    tiny_kv_u32(&f, a, "block_count", (uint32_t)s->n_layer);
    tiny_kv_u32(&f, a, "embedding_length", (uint32_t)s->n_embd);
    tiny_kv_u32(&f, a, "feed_forward_length", (uint32_t)s->n_ff);
    tiny_kv_u32(&f, a, "attention.head_count", (uint32_t)s->n_head);
    tiny_kv_u32(&f, a, "attention.head_count_kv", (uint32_t)s->n_head_kv);
    tiny_kv_u32(&f, a, "attention.key_length", (uint32_t)s->head_dim);
    tiny_kv_u32(&f, a, "attention.value_length", (uint32_t)s->head_dim);
    tiny_kv_u32(&f, a, "context_length", (uint32_t)s->n_ctx);
    tiny_kv_u32(&f, a, "attention.sliding_window", (uint32_t)s->window);
    char epsilon[96];
    snprintf(epsilon, sizeof epsilon, "%s.attention.layer_norm_rms_epsilon", a);
    tiny_text(&f, epsilon);
    tiny_u32(&f, 6);
    tiny_put(&f, &(float){1e-6f}, 4);
    tiny_kv_array(&f, "tokenizer.ggml.tokens", 8, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++) {
        char piece[32];
        tiny_piece(piece, i);
        tiny_text(&f, piece);
    }
    tiny_kv_array(&f, "tokenizer.ggml.scores", 6, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++) tiny_put(&f, &(float){-(float)i}, 4);
    tiny_kv_array(&f, "tokenizer.ggml.token_type", 5, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++) tiny_u32(&f, i == 3 ? 2 : i < TINY_SPECIALS ? 3 : i < TINY_SPECIALS + 256 ? 6 : 1);
    tiny_put(&f, w.header.p, w.header.n);
    while (f.n % 32) tiny_put(&f, "", 1);
    tiny_put(&f, w.data.p, w.data.n);
    free(w.header.p);
    free(w.data.p);
    *n = f.n;
    return f.p;
}

#endif
