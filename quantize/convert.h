/* convert.h: a checkpoint's folder (safetensors, config.json, tokenizer; the layout of PyPI transformers) as
 * the source of a GGUF. */
#ifndef CONVERT_H
#define CONVERT_H

#include "source.h"

/* `name`: general.name, NULL to take the folder's. */
bool convert_open(Source *s, const char *dir, const char *name, GemmaError *err);

#endif
