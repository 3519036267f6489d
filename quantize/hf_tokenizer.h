/* hf_tokenizer.h: everything that a checkpoint's folder says about its tokenizer: the vocabulary, special tokens, whether a
 * text gets <bos>, the chat template; and the GGUF metadata it becomes, as llama.cpp's converter writes it
 * (gguf-py/gguf/vocab.py, SpecialVocab). */
#ifndef HF_TOKENIZER_H
#define HF_TOKENIZER_H

#include "gguf_write.h"
#include "json.h"
#include "source.h"
#include "vocabulary.h"

typedef enum { SPECIAL_BOS, SPECIAL_EOS, SPECIAL_UNK, SPECIAL_SEP, SPECIAL_PAD, SPECIAL_MASK, N_SPECIAL } SpecialToken;
typedef enum { ADD_UNTOLD, ADD_NO, ADD_YES } AddToken;

typedef struct {
    Vocabulary vocabulary;
    int id[N_SPECIAL];              /* -1: untold */
    AddToken add[N_SPECIAL];        /* whether a text gets it; only BOS, EOS and SEP are written */
    char *chat_template;            /* NULL: none */
    size_t n_chat_template;
} HfTokenizer;

/* From tokenizer.model, unless tokenizer.json has other tokens, with what that, tokenizer_config.json, added_tokens.json and
 * config.json (its root is `config`) say besides. The vocabulary gets n_vocab tokens. What is left out becomes a note. */
bool hf_tokenizer_read(HfTokenizer *t, const char *dir, const JsonNode *config, int n_vocab, Source *notes, GemmaError *err);
void hf_tokenizer_write(const HfTokenizer *t, int generation, GgufEntries *e);
void hf_tokenizer_free(HfTokenizer *t);

#endif
