/* allowed.c: which tokens a grammar allows, for judges. Writes the vocabulary, then of each case the tokens
 * of its text and before each of them, and after the last, a mask over the vocabulary.
 *
 *   gcc -std=gnu11 -O3 -march=native -Isrc -o build/allowed tests/constraint/allowed.c \
 *       src/{grammar,grammar_mask,gbnf,program,automaton}.c \
 *       src/{token_trie,tokenizer,gguf,quant,memory,error}.c -lm
 *   build/allowed MODEL.gguf < CASES     CASES: as tests/bench/masks.js writes them
 *
 * Numbers are int32. The vocabulary: how many; of each token its kind (0: text, 1: control, 2: end), its
 * length, its bytes. A case: tokens n; n + 1 times a mask, whether the text may end there, and the next token
 * (-1 after the last). A text that the grammar refuses is cut there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "tokenizer.h"

static void put(int32_t x) { fwrite(&x, 4, 1, stdout); }

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

static int kind_of(const Tokenizer *t, int32_t id) {
    return tokenizer_is_end(t, id) ? 2 : tokenizer_is_control(t, id) ? 1 : 0;
}

static int bytes_of(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    return kind_of(vocabulary, id) ? 0 : tokenizer_decode(vocabulary, id, buf);
}

static void run_case(const char *gbnf, size_t n_gbnf, const char *text, size_t n_text, const Tokenizer *t,
    const TokenTrie *trie) {
    GemmaError err;
    Grammar *g = grammar_new(gbnf, n_gbnf, &err);
    int32_t *ids = malloc((n_text + 1) * sizeof *ids);
    uint32_t *bits = malloc((size_t)trie->n_words * sizeof *bits);
    int n = tokenizer_encode(t, text, n_text, false, false, ids, (int)n_text + 1);
    char bytes[TOKEN_BYTES_MAX];
    GrammarState s = g ? grammar_start(g) : GRAMMAR_DEAD;
    int fits = 0;
    for (GrammarState at = s; fits < n && at != GRAMMAR_DEAD; fits++)
        at = grammar_next(g, at, bytes, (size_t)tokenizer_decode(t, ids[fits], bytes));
    put(g ? fits : -1);
    if (g) s = grammar_start(g);
    for (int i = 0; g && i <= fits; i++) {
        memset(bits, 0, (size_t)trie->n_words * sizeof *bits);
        if (s != GRAMMAR_DEAD) grammar_mask(g, s, trie, bits);
        fwrite(bits, sizeof *bits, (size_t)trie->n_words, stdout);
        put(s != GRAMMAR_DEAD && grammar_may_end(g, s));
        put(i < fits ? ids[i] : -1);
        if (i < fits) s = grammar_next(g, s, bytes, (size_t)tokenizer_decode(t, ids[i], bytes));
    }
    free(ids);
    free(bits);
    grammar_free(g);
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: allowed MODEL.gguf < CASES\n"), 2;
    GemmaError err = {0};
    int n_vocab;
    Tokenizer *t = open_tokenizer(argv[1], &n_vocab, &err);
    TokenTrie *trie = t ? token_trie_new(bytes_of, t, n_vocab, &err) : NULL;
    if (!trie) return fprintf(stderr, "%s: %s\n", argv[1], err.text), 1;
    put(n_vocab);
    for (int32_t id = 0; id < n_vocab; id++) {
        char buf[TOKEN_BYTES_MAX];
        int n = tokenizer_decode(t, id, buf);
        put(kind_of(t, id));
        put(n);
        fwrite(buf, 1, (size_t)n, stdout);
    }
    size_t n_gbnf, n_text;
    while (scanf("%zu %zu", &n_gbnf, &n_text) == 2 && getchar() == '\n') {
        char *both = malloc(n_gbnf + n_text + 1);
        if (fread(both, 1, n_gbnf + n_text, stdin) != n_gbnf + n_text)
            return fprintf(stderr, "The last case is cut.\n"), 1;
        run_case(both, n_gbnf, both + n_gbnf, n_text, t, trie);
        free(both);
    }
    return 0;
}
