/* requantise.h: a GGUF file as the source of another: metadata and tensors as they are. The parts of a split
 * file are read as one, whichever of them `path` names. */
#ifndef REQUANTISE_H
#define REQUANTISE_H

#include "source.h"

bool requantise_open(Source *s, const char *path, GemmaError *err);

#endif
