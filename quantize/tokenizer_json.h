/* tokenizer_json.h: from the byte-pair tokenizer of a tokenizer.json (PyPI tokenizers) to the SentencePiece
 * form that GGUF's model "llama" has: instead of a list of merges, each token has a score, and the better
 * score is merged first. Knows no files. */
#ifndef TOKENIZER_JSON_H
#define TOKENIZER_JSON_H

#include "json.h"
#include "vocabulary.h"

bool tokenizer_json_read(Vocabulary *v, const JsonNode *root, GemmaError *err);

#endif
