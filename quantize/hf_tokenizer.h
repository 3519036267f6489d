/* hf_tokenizer.h: everything that a checkpoint's folder says about its tokenizer: the vocabulary, special
 * tokens, whether a text gets <bos>, the chat templates; and the GGUF metadata it becomes, as llama.cpp's
 * converter writes it (gguf-py/gguf/vocab.py, SpecialVocab). */
#ifndef HF_TOKENIZER_H
#define HF_TOKENIZER_H

#include "gguf_write.h"
#include "json.h"
#include "source.h"
#include "vocabulary.h"

typedef enum { SPECIAL_BOS, SPECIAL_EOS, SPECIAL_UNK, SPECIAL_SEP, SPECIAL_PAD, SPECIAL_MASK,
    N_SPECIAL } SpecialToken;
typedef enum { ADD_UNTOLD, ADD_NO, ADD_YES } AddToken;

enum { CHAT_TEMPLATE_NAME = 64 };

typedef struct {
    char name[CHAT_TEMPLATE_NAME];  /* letters, digits, '_'; "default" is the one that counts */
    char *text;
    size_t n;
} ChatTemplate;

typedef struct {
    Vocabulary vocabulary;
    int id[N_SPECIAL];              /* -1: untold */
    AddToken add[N_SPECIAL];        /* whether a text gets it; only BOS, EOS and SEP are written */
    ChatTemplate *templates;        /* [n_templates], each name once */
    int n_templates;
} HfTokenizer;

/* From tokenizer.model, unless tokenizer.json has other tokens, with what that, tokenizer_config.json,
 * added_tokens.json, special_tokens_map.json and config.json (its root is `config`) say besides. The
 * vocabulary gets n_vocab tokens. What is left out becomes a note. */
bool hf_tokenizer_read(HfTokenizer *t, const char *dir, const JsonNode *config, int n_vocab, Source *notes,
    GemmaError *err);
void hf_tokenizer_write(const HfTokenizer *t, int generation, GgufEntries *e);
void hf_tokenizer_free(HfTokenizer *t);

#endif
