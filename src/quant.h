/* quant.h: the block formats of GGUF tensors: how many bytes a row has, how a row becomes floats, and the
 * plain encoding of a row (no search for better scales: that is quantize/'s). The layouts are drawn in
 * quant.c. Knows no kernels. */
#ifndef QUANT_H
#define QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ggml's type numbers, as stored in files. */
typedef enum {
    QUANT_F32 = 0, QUANT_F16 = 1, QUANT_Q4_0 = 2, QUANT_Q4_1 = 3, QUANT_Q5_0 = 6, QUANT_Q5_1 = 7,
        QUANT_Q8_0 = 8,
    QUANT_Q2_K = 10, QUANT_Q3_K = 11, QUANT_Q4_K = 12, QUANT_Q5_K = 13, QUANT_Q6_K = 14, QUANT_IQ4_NL = 20,
        QUANT_BF16 = 30,
} QuantType;

typedef struct {
    QuantType type;
    const char *name;       /* "Q4_K" */
    int block;              /* weights a block */
    int bytes;              /* bytes a block */
} QuantInfo;

/* NULL for a type that this engine does not read. */
const QuantInfo *quant_info(uint32_t type);
/* Format i of those that it reads, from 0; NULL beyond the last. */
const QuantInfo *quant_at(int i);
/* The type of most weights in a file of this general.file_type (llama.h, enum llama_ftype); NULL where this
 * engine does not read it. */
const QuantInfo *quant_by_file_type(uint32_t file_type);
/* The name of any ggml type, also of those not read here ("IQ2_XXS"); "unknown" past the list. */
const char *quant_type_name(uint32_t type);
/* By its name in either case; NULL if not one of ours. */
const QuantInfo *quant_by_name(const char *name, size_t n);

/* Bytes of a row of n weights; n must be a multiple of the block. */
size_t quant_row_bytes(QuantType type, int n);

/* y[n] = the row's weights. */
void quant_decode_row(QuantType type, const uint8_t *row, float *y, int n);
/* The reference encoding (round to nearest, scale from the largest magnitude); types F32, F16, BF16, Q8_0,
 * Q4_0. */
void quant_encode_row(QuantType type, const float *x, uint8_t *row, int n);

/* What the codes of IQ4_NL mean. */
extern const int8_t quant_iq4_nl[16];

float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float f);       /* round to nearest even, overflow to infinity */
static inline float bf16_to_f32(uint16_t h) {
    union { uint32_t u; float f; } v = {(uint32_t)h << 16};
    return v.f;
}

#endif
