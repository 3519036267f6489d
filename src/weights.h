/* weights.h: one field per tensor, named as in the file: blk.3.attn_q.weight is layers[3].attn_q. The list of
 * tensors, with their shapes, exists once, in weights.c. Knows GGUF's directory, not its bytes; not the
 * forward pass. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "config.h"
#include "pack.h"

/* Matrices are [n_out, n_in]. Norm weights hold 1 + w. NULL: this model has no such norm. */
typedef struct {
    float *attn_norm;               /* [n_embd] */
    Matrix attn_q;                  /* [n_head * head_dim, n_embd] */
    Matrix attn_k, attn_v;          /* [n_head_kv * head_dim, n_embd]; none where the layer reads another's
                                     * keys and values, nor: */
    float *attn_k_norm;             /* [head_dim] */
    float *attn_q_norm;             /* [head_dim] */
    Matrix attn_output;             /* [n_embd, n_head * head_dim] */
    float *post_attention_norm;     /* [n_embd] */
    float *ffn_norm;                /* [n_embd] */
    Matrix ffn_gate, ffn_up;        /* [n_ff, n_embd] */
    Matrix ffn_down;                /* [n_embd, n_ff] */
    float *post_ffw_norm;           /* [n_embd] */
} LayerWeights;

/* Where a tensor's data goes. */
typedef struct {
    char name[64];
    const GgufTensor *tensor;   /* NULL where no file, or not all of its header, is there */
    QuantType type;
    Matrix *matrix;             /* or, for a norm, NULL and: */
    float **vector;
    int n_rows, n_cols;         /* a vector has one row */
    uint64_t offset;            /* from `memory` */
} WeightSlot;

typedef struct {
    Matrix token_embd;              /* [n_vocab, n_embd] */
    float *output_norm;             /* [n_embd] */
    Matrix output;                  /* [n_vocab, n_embd]; the same panels as token_embd when the file ties
                                     * them */
    LayerWeights *layers;           /* [n_layer] */

    bool tied;                      /* output is token_embd */
    WeightSlot *slots;              /* in file order */
    int n_slots;
    uint64_t bytes;                 /* of all packed weights */
    uint64_t file_bytes;            /* of the same in a file */
    uint64_t bytes_per_token;       /* read to decode one token: all but an untied embedding */
    uint8_t *memory;                /* NULL until weights_allocate */
} Weights;

/* Lists the model's tensors and checks that the file has each, with its shape and a known type. Of a header's
 * beginning (g->is_whole is false), those that are not there are taken to be of the types that llama-quantize
 * would choose for `type`. */
GemmaStatus weights_bind(Weights *w, const Config *c, const Gguf *g, QuantType type, GemmaError *err);
/* Checks the types of the tensors that `part`, the beginning of another part of the file, has of this
 * model. */
GemmaStatus weights_check_part(const Weights *w, const Gguf *part, GemmaError *err);

/* Allocates `bytes` and points every field into it; contents undefined. */
GemmaStatus weights_allocate(Weights *w, GemmaError *err);
void weights_free(Weights *w);

/* Packs rows [first_row, first_row + n_rows), a whole tile (or the last one), of a matrix slot; rows in the
 * file's layout. */
GemmaStatus weights_pack_tile(const WeightSlot *slot, int first_row, const uint8_t *rows, GemmaError *err);
/* Decodes a vector slot's only row. */
GemmaStatus weights_set_vector(const WeightSlot *slot, const uint8_t *row, GemmaError *err);

#endif
