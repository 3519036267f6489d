/* foreign.h: names what people give that is not read here, a folder, a file or the tensors of a checkpoint,
 * and says what to do with it. Knows no more of it than its name or its first bytes. */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "json.h"
#include "safetensors.h"

/* False with a sentence when a folder has no config.json or no safetensors, but something that is known. */
bool foreign_check_folder(const char *dir, GemmaError *err);

/* What a file that is neither GGUF nor safetensors is, by its first bytes, with what to do, as the end of a
 * sentence; NULL when it is not known. */
const char *foreign_file(const char *path);

/* In what a tensor says that a checkpoint is quantised, as "GPTQ"; NULL when it does not. `config` is the
 * root of config.json, which may say it, too. */
const char *foreign_quantisation(const SafeTensor *t, const JsonNode *config);

#endif
