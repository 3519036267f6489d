/* vocabulary.h: the tokens of a model by id, each with text, score and type as SentencePiece and GGUF have
 * them, from any kind of file. Knows no file formats. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include "gemma.h"

/* The numbers of both SentencePiece (sentencepiece_model.proto) and GGUF (tokenizer.ggml.token_type). */
typedef enum { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED,
    TOKEN_BYTE } TokenType;

typedef struct {
    char *text;             /* [n], UTF-8, not 0-terminated; NULL until it is set */
    uint32_t n;
    float score;
    TokenType type;
} Token;

typedef struct {
    Token *tokens;
    int n;
} Vocabulary;

enum { VOCABULARY_MAX = 4 << 20 };

/* Makes it hold n tokens: ids that are new are not set, ids from n on are dropped. */
bool vocabulary_resize(Vocabulary *v, int n, GemmaError *err);
void vocabulary_free(Vocabulary *v);

/* id is below v->n; the text is copied. */
bool vocabulary_set(Vocabulary *v, int id, const char *text, size_t n, float score, TokenType type,
    GemmaError *err);
/* A token that the tokenizer's settings add or describe: control when it is special or looks so, else
 * user-defined, with plain spaces. */
bool vocabulary_set_added(Vocabulary *v, int id, const char *text, size_t n, bool special, GemmaError *err);
/* Ids that are not set become the unused tokens "[PAD<id>]". */
bool vocabulary_pad(Vocabulary *v, GemmaError *err);

/* Whether a token is named like one that no text should contain, such as "<unused7>". */
bool vocabulary_looks_special(const char *text, size_t n);
/* Whether text[n] is "<0x00>" ... "<0xFF>". */
bool vocabulary_is_byte(const char *text, size_t n);

/* -1 when there is none. */
int vocabulary_find(const Vocabulary *v, const char *text, size_t n);

#endif
