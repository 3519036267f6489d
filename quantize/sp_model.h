/* sp_model.h: reads tokenizer.model, the protobuf message of a SentencePiece model (google/sentencepiece,
 * src/sentencepiece_model.proto). Only byte-pair encoding, which Gemma has, is accepted. Distrusts every
 * byte. */
#ifndef SP_MODEL_H
#define SP_MODEL_H

#include "vocabulary.h"

bool sp_model_read(Vocabulary *v, const uint8_t *bytes, size_t n, GemmaError *err);

#endif
