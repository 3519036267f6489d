/* arch.h: ONE TABLE, one row for each architecture: what distinguishes a model family and is not in a file's
 * metadata. Code that must know which model this is asks here; nothing else compares architecture names.
 * Knows no files and computes nothing. */
#ifndef ARCH_H
#define ARCH_H

#include "gemma.h"

/* What the published models of one number of layers were trained with, where a file does not say it. */
typedef struct {
    int n_layer;                /* 0 ends the list */
    int window;
    float rope_factor;          /* of positions in global layers: they are divided by it */
    bool never_capped;          /* even if the file caps logits: Ollama's first files of the 1B say 30 */
    bool scale_by_embd;         /* scores are scaled by 1/sqrt(n_embd / n_head), as in the 27B models, not by
                                 * 1/sqrt(head_dim) */
} ArchSize;

/* What checkpoints of PyPI's transformers (config.json) say and leave out. */
typedef struct {
    const char *classes[5];     /* of "architectures"; NULL ends them */
    const char *types[3];       /* of "model_type"; NULL ends them */
    GemmaShape shape;           /* sizes where config.json is silent */
} ArchCheckpoint;

typedef struct {
    const char *name;           /* general.architecture, and the prefix of its keys */
    int generation;             /* 1 for Gemma 1, and so on: later ones have other settings in config.json */
    int period;                 /* the last of each `period` layers is global, the others see a window; 1: all
                                 * are global */
    int window;                 /* where the file is silent and its number of layers is none of `sizes` */
    float rope_base;            /* of global layers, where the file is silent */
    float rope_base_local;      /* of windowed layers, where the file is silent; 0: that of global layers */
    float attn_softcap;         /* where the file is silent; 0: this architecture never caps scores */
    float final_softcap;
    float final_softcap_global; /* the same for a model without windowed layers; 0: this architecture never
                                 * caps logits */
    bool post_norms;            /* a sub-layer's output is normed, too */
    bool qk_norms;              /* each head of q and k is normed */
    const ArchSize *sizes;
    ArchCheckpoint checkpoint;
} Arch;
/* The names of all of them in buf, for a sentence: "gemma, gemma2 and gemma3". */
const char *arch_names(char buf[96]);

/* NULL when there is none of that name. */
const Arch *arch_find(const char *name, size_t n);
/* Row i of the table, from 0; NULL beyond the last. */
const Arch *arch_at(int i);
/* Its size for a number of layers: one of its list, or its defaults. */
ArchSize arch_size(const Arch *arch, int n_layer);

/* A published model's shape: for benchmarks without a file, and for what a header's beginning does not
 * say. */
typedef struct {
    const char *name;           /* "gemma-2b" */
    GemmaShape shape;
} ArchShape;
/* Shape i, from 0; NULL beyond the last. */
const ArchShape *arch_shape_at(int i);

#endif
