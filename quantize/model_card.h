/* model_card.h: what a checkpoint's folder says about the model as a work: its name, licence, tags, what it
 * was made of (README.md), sampling advice (generation_config.json); and the GGUF metadata "general.*" it
 * becomes. */
#ifndef MODEL_CARD_H
#define MODEL_CARD_H

#include "gguf_write.h"

/* Puts general.type, name and what belongs to it, license, base models, data sets, tags, languages, sampling.
 * `name`: NULL to take the folder's. *shown is the name that was put. The caller frees it. */
bool model_card_write(GgufEntries *e, const char *dir, const char *name, uint64_t n_weights, char **shown,
    GemmaError *err);

#endif
