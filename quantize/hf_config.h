/* hf_config.h: the hyper-parameters in a checkpoint's config.json (PyPI transformers) and the GGUF metadata
 * they become. What a GGUF of this architecture can't say, such as another pattern of layers, is refused: the
 * file would compute something else. */
#ifndef HF_CONFIG_H
#define HF_CONFIG_H

#include "arch.h"
#include "gguf_write.h"
#include "json.h"

typedef struct {
    const Arch *arch;
    int n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim, n_vocab, n_ctx;
    double rms_eps;
    double rope_theta;          /* of global layers */
    double rope_theta_local;    /* of sliding-window layers; 0: the file is silent */
    double rope_factor;         /* linear scaling of positions in global layers; 0: none */
    int sliding_window;
    double attn_softcap, final_softcap;     /* 0: none */
    bool tied;                  /* the output head should be the embedding; the tensors that there are
                                 * decide */
} HfConfig;

bool hf_config_read(HfConfig *c, const JsonNode *root, GemmaError *err);
void hf_config_write(const HfConfig *c, GgufEntries *e);

#endif
