/* model_name.h: what the name of a checkpoint's folder, such as "gemma-2-2b-it", tells of the model: by the
 * rules of llama.cpp (gguf-py/gguf/metadata.py, get_model_id_components) as far as Gemma's names need
 * them. */
#ifndef MODEL_NAME_H
#define MODEL_NAME_H

#include <stdint.h>

enum { MODEL_NAME_PART = 128 };

/* "" for what is unknown. */
typedef struct {
    char title[MODEL_NAME_PART];        /* "Gemma 2 2b It": the words in lower case get a capital letter */
    char basename[MODEL_NAME_PART];     /* "gemma-2" */
    char size_label[MODEL_NAME_PART];   /* "2B" */
    char finetune[MODEL_NAME_PART];     /* "it" */
    char version[MODEL_NAME_PART];
} ModelName;

/* A size that has nothing to do with n_weights is not taken for one. */
void model_name_read(ModelName *name, const char *folder, uint64_t n_weights);

#endif
