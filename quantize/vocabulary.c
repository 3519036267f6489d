/* vocabulary.c: see vocabulary.h. Scores and types of added tokens are those of llama.cpp's converter
 * (conversion/base.py, _create_vocab_sentencepiece, does_token_look_special). */
#include "vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

static const float SCORE_ADDED = -1000, SCORE_PAD = -10000;

static bool no_memory(GemmaError *err) {
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the vocabulary.");
    return false;
}

bool vocabulary_resize(Vocabulary *v, int n, GemmaError *err) {
    if (n < 1 || n > VOCABULARY_MAX) {
        error_set(err, GEMMA_BAD_FILE, "The vocabulary has %d tokens; 1 to %d are expected.", n,
            VOCABULARY_MAX);
        return false;
    }
    for (int id = n; id < v->n; id++) free(v->tokens[id].text);
    if (v->n > n) v->n = n;
    Token *tokens = realloc(v->tokens, (size_t)n * sizeof *tokens);
    if (!tokens) return no_memory(err);
    v->tokens = tokens;
    for (; v->n < n; v->n++) v->tokens[v->n] = (Token){0};
    return true;
}

void vocabulary_free(Vocabulary *v) {
    for (int id = 0; id < v->n; id++) free(v->tokens[id].text);
    free(v->tokens);
    *v = (Vocabulary){0};
}

bool vocabulary_set(Vocabulary *v, int id, const char *text, size_t n, float score, TokenType type,
    GemmaError *err) {
    char *copy = malloc(n + 1);
    if (!copy) return no_memory(err);
    memcpy(copy, text, n);
    free(v->tokens[id].text);
    v->tokens[id] = (Token){copy, (uint32_t)n, score, type};
    return true;
}

/* Every ▁ in text[n] becomes a space; returns the new length. */
static size_t plain_spaces(char *text, size_t n) {
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        bool mark = n - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0;
        text[out++] = mark ? ' ' : text[i];
        i += mark ? 3 : 1;
    }
    return out;
}

bool vocabulary_set_added(Vocabulary *v, int id, const char *text, size_t n, bool special, GemmaError *err) {
    bool control = special || vocabulary_looks_special(text, n);
    if (!vocabulary_set(v, id, text, n, SCORE_ADDED, control ? TOKEN_CONTROL : TOKEN_USER_DEFINED, err))
        return false;
    Token *t = &v->tokens[id];
    if (!control) t->n = (uint32_t)plain_spaces(t->text, t->n);
    return true;
}

bool vocabulary_pad(Vocabulary *v, GemmaError *err) {
    for (int id = 0; id < v->n; id++) {
        char name[24];
        if (v->tokens[id].text) continue;
        int n = snprintf(name, sizeof name, "[PAD%d]", id);
        if (!vocabulary_set(v, id, name, (size_t)n, SCORE_PAD, TOKEN_UNUSED, err)) return false;
    }
    return true;
}

static bool begins(const char *text, size_t n, const char *with) {
    return n >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, size_t n, const char *with) {
    return n >= strlen(with) && memcmp(text + n - strlen(with), with, strlen(with)) == 0;
}

bool vocabulary_looks_special(const char *text, size_t n) {
    static const char *const names[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (n == strlen(names[i]) && begins(text, n, names[i])) return true;
    return (begins(text, n, "<|") && ends(text, n, "|>"))
        || (begins(text, n, "<unused") && ends(text, n, ">"));
}

bool vocabulary_is_byte(const char *text, size_t n) {
    return n == 6 && begins(text, n, "<0x") && ends(text, n, ">")
        && strspn(text + 3, "0123456789ABCDEF") == 2;
}

int vocabulary_find(const Vocabulary *v, const char *text, size_t n) {
    for (int id = 0; id < v->n; id++)
        if (v->tokens[id].text && v->tokens[id].n == n && memcmp(v->tokens[id].text, text, n) == 0) return id;
    return -1;
}
