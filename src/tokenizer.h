/* tokenizer.h: bytes <-> ids by the SentencePiece BPE model inside a GGUF. Knows nothing of turns or
 * models. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "gguf.h"

typedef struct Tokenizer Tokenizer;

/* Borrows the header bytes behind g, which must outlive the tokenizer. Tokens of the file from n_ids on are
 * left out: the model has no rows for them. GEMMA_UNSUPPORTED names a tokenizer.ggml.model
 * other than "llama"; GEMMA_BAD_FILE: arrays missing or of unequal length, a needed token absent. */
Tokenizer *tokenizer_new(const Gguf *g, int n_ids, GemmaError *err);
void tokenizer_free(Tokenizer *t);
/* Bytes that a tokenizer of n_vocab tokens takes beside the header (an upper bound, for plans). */
uint64_t tokenizer_bytes(const Gguf *g, int n_vocab);

/* See gemma_tokenize. Time proportional to n log n at most. Decoding the ids gives the text's bytes back,
 * broken UTF-8 too, but for U+2581 (▁), which SentencePiece reads as a space. */
int tokenizer_encode(const Tokenizer *t, const char *utf8, size_t n, bool add_bos, bool parse_special,
    int32_t *ids, int cap);
/* See gemma_token_bytes. */
int tokenizer_decode(const Tokenizer *t, int32_t id, char buf[256]);

int32_t tokenizer_bos(const Tokenizer *t);
int32_t tokenizer_eos(const Tokenizer *t);      /* the metadata's, or <eos>; -1: none */
/* The id of a control token by its text ("<start_of_turn>"), -1 when absent. */
int32_t tokenizer_control(const Tokenizer *t, const char *text);
bool tokenizer_adds_bos(const Tokenizer *t);
bool tokenizer_is_control(const Tokenizer *t, int32_t id);
/* The *n tokens that stand for images, audio and video; NULL when there are none. */
const int32_t *tokenizer_media(const Tokenizer *t, int *n);
bool tokenizer_is_end(const Tokenizer *t, int32_t id);     /* the metadata's eos and eot ids, and control
                                                            * tokens whose names say so */

#endif
