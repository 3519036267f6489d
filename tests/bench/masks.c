/* masks.c: what constraints cost. Compiles grammars, runs texts through them token by token, and times every
 * mask on the way.
 *
 *   gcc -std=gnu11 -O3 -march=native -Isrc -o masks tests/bench/masks.c \
 *       src/{grammar,grammar_mask,gbnf,program,automaton}.c \
 *       src/{token_trie,tokenizer,gguf,quant,memory,error}.c -lm
 *   emcc (the same, but for -march) -msimd128 -sENVIRONMENT=node -sNODERAWFS -sALLOW_MEMORY_GROWTH -o masks.js
 *   node masks.js ...
 *   masks MODEL.gguf CASES > table      CASES: for each case a line with the bytes of grammar and text, "G T",
 *                                       then both, then a line end */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "grammar_inner.h"
#include "tokenizer.h"

enum { MAX_SAMPLES = 1 << 20 };

typedef struct {
    double *us;
    int n;
} Samples;

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add(Samples *s, double us) {
    if (!s->us) s->us = malloc(MAX_SAMPLES * sizeof *s->us);
    if (s->n < MAX_SAMPLES) s->us[s->n++] = us;
}

static void show(const char *name, Samples *s) {
    double sum = 0;
    if (s->n == 0) return;
    qsort(s->us, (size_t)s->n, sizeof *s->us, by_size);
    for (int i = 0; i < s->n; i++) sum += s->us[i];
    printf("%-8s n %6d   average %9.1f us   p50 %9.1f   p90 %9.1f   p99 %9.1f   max %9.1f\n", name, s->n,
        sum / s->n, s->us[s->n / 2],
           s->us[s->n * 9 / 10], s->us[s->n * 99 / 100], s->us[s->n - 1]);
}

static Tokenizer *open_tokenizer(const char *path, int *n_vocab, GemmaError *err) {
    static Gguf g;
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    uint64_t size = (uint64_t)ftell(f);
    rewind(f);
    size_t n = size < 32u << 20 ? (size_t)size : 32u << 20;
    uint8_t *bytes = malloc(n);
    n = fread(bytes, 1, n, f);
    fclose(f);
    if (gguf_parse(&g, bytes, n, size, err) != GGUF_COMPLETE) return NULL;
    *n_vocab = (int)gguf_find(&g, "tokenizer.ggml.tokens")->count;
    return tokenizer_new(&g, *n_vocab, err);
}

static int bytes_of(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    return tokenizer_is_control(vocabulary, id) || tokenizer_is_end(vocabulary, id) ? 0
        : tokenizer_decode(vocabulary, id, buf);
}

static bool run_case(const char *gbnf, size_t n_gbnf, const char *text, size_t n_text, const Tokenizer *t,
    const TokenTrie *trie, Samples *compile,
                     Samples *mask) {
    GemmaError err;
    double start = now_us();
    Grammar *g = grammar_new(gbnf, n_gbnf, &err);
    add(compile, now_us() - start);
    if (!g) return fprintf(stderr, "%s\n", err.text), false;
    int32_t *ids = malloc((n_text + 1) * sizeof *ids);
    uint32_t *bits = malloc((size_t)trie->n_words * sizeof *bits);
    int n = tokenizer_encode(t, text, n_text, false, false, ids, (int)n_text + 1);
    GrammarState s = grammar_start(g);
    for (int i = 0; i < n && s != GRAMMAR_DEAD; i++) {
        char bytes[TOKEN_BYTES_MAX];
        start = now_us();
        grammar_mask(g, s, trie, bits);
        add(mask, now_us() - start);
        if (!(bits[ids[i] / 32] >> ids[i] % 32 & 1)) {
            fprintf(stderr, "token %d of \"%.*s\" is not allowed\n", i,
                (int)(n_text < 60 ? n_text : 60), text);
            break;
        }
        s = grammar_next(g, s, bytes, (size_t)tokenizer_decode(t, ids[i], bytes));
    }
    bool ends = grammar_may_end(g, s);
    free(ids);
    free(bits);
    grammar_free(g);
    return ends;
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: masks MODEL.gguf CASES\n"), 2;
    GemmaError err = {0};
    int n_vocab, n_cases = 0, n_ended = 0;
    Tokenizer *t = open_tokenizer(argv[1], &n_vocab, &err);
    FILE *f = fopen(argv[2], "rb");
    if (!t || !f) return fprintf(stderr, "%s\n", f ? err.text : argv[2]), 1;
    double start = now_us();
    TokenTrie *trie = token_trie_new(bytes_of, t, n_vocab, &err);
    if (!trie) return fprintf(stderr, "%s\n", err.text), 1;
    printf("trie     %.1f ms, %.2f MB, %d + %d nodes, plain tokens of at most %d characters, "
        "%d of bytes seen before\n", (now_us() - start) / 1e3,
        (double)trie->bytes / 1e6, trie->plain.n, trie->rest.n, trie->plain_chars, trie->n_same);
    Samples compile = {0}, mask = {0};
    size_t n_gbnf, n_text;
    for (; fscanf(f, "%zu %zu", &n_gbnf, &n_text) == 2 && fgetc(f) == '\n'; n_cases++) {
        char *both = malloc(n_gbnf + n_text + 1);
        if (fread(both, 1, n_gbnf + n_text, f) != n_gbnf + n_text)
            return fprintf(stderr, "%s is cut\n", argv[2]), 1;
        n_ended += run_case(both, n_gbnf, both + n_gbnf, n_text, t, trie, &compile, &mask);
        free(both);
    }
    printf("cases    %d, of which %d texts are the grammar's\n", n_cases, n_ended);
    show("compile", &compile);
    show("mask", &mask);
    return 0;
}
