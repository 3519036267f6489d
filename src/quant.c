/* quant.c: see quant.h. Each format has its picture, its formula and its functions in one place; the table at
 * the end is what the public functions look into. The formulas, and the order of their roundings, are those
 * of ggml (ggml-quants.c, dequantize_row_* and quantize_row_*_ref), so that results agree with it bit for
 * bit.
 *
 * In the pictures d and m are f16, numbers in [] count bytes, and w[i] is the block's weight i. */
#include "quant.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------ floats */

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

static uint16_t load16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static void store16(uint8_t *p, uint16_t h) {
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

/* f16:  sign 1 | exponent 5 (bias 15) | fraction 10.   f32:  sign 1 | exponent 8 (bias 127) | fraction 23. */
float f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest < 0x0400) return float_of(sign | bits_of((float)rest * 0x1p-24f));     /* zero and subnormals */
    if (rest >= 0x7c00) return float_of(sign | 0x7f800000 | (rest & 0x3ff) << 13);  /* infinity, NaN */
    return float_of(sign | ((rest << 13) + ((127 - 15) << 23)));
}

uint16_t f32_to_f16(float f) {
    uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);   /* 65520 and more round to infinity */
    if (rest < 0x38800000) {
        /* Below 2^-14 a f16 counts units of 2^-24, which is the last bit of a float in [0.5, 1): the addition
         * rounds. */
        return (uint16_t)(sign | (bits_of(float_of(rest) + 0.5f) - bits_of(0.5f)));
    }
    /* Half a unit less one, plus one if the last bit kept is odd: ties to even. A carry moves into the
     * exponent. */
    rest += 0xfff + (rest >> 13 & 1);
    return (uint16_t)(sign | (rest - ((127 - 15) << 23)) >> 13);
}

static uint16_t f32_to_bf16(float f) {
    uint32_t bits = bits_of(f);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 64);   /* NaN stays NaN */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void decode_f32(const uint8_t *row, float *y, int n) {
    memcpy(y, row, (size_t)n * 4);
}

static void encode_f32(const float *x, uint8_t *row, int n) {
    memcpy(row, x, (size_t)n * 4);
}

static void decode_f16(const uint8_t *row, float *y, int n) {
    for (int i = 0; i < n; i++) y[i] = f16_to_f32(load16(row + 2 * i));
}

static void encode_f16(const float *x, uint8_t *row, int n) {
    for (int i = 0; i < n; i++) store16(row + 2 * i, f32_to_f16(x[i]));
}

static void decode_bf16(const uint8_t *row, float *y, int n) {
    for (int i = 0; i < n; i++) y[i] = bf16_to_f32(load16(row + 2 * i));
}

static void encode_bf16(const float *x, uint8_t *row, int n) {
    for (int i = 0; i < n; i++) store16(row + 2 * i, f32_to_bf16(x[i]));
}

/* ------------------------------------------------------------------------------------------ blocks of 32
 *
 * Q8_0   d[2] | q[32], signed                       w[i] = d * q[i]
 * Q4_0   d[2] | q[16]                               w[i] = d * (q_i - 8)
 * Q4_1   d[2] | m[2] | q[16]                        w[i] = d * q_i + m
 * Q5_0   d[2] | h[4] | q[16]                        w[i] = d * (q_i - 16)
 * Q5_1   d[2] | m[2] | h[4] | q[16]                 w[i] = d * q_i + m
 * IQ4_NL d[2] | q[16]                               w[i] = d * quant_iq4_nl[q_i]
 *
 * q byte j:  | q_(j+16), 4 bits | q_j, 4 bits |     and bit i of h (little endian) is the fifth bit of q_i.
 */

static void decode_q8_0(const uint8_t *row, float *y, int n) {
    for (; n > 0; n -= 32, row += 34, y += 32) {
        float d = f16_to_f32(load16(row));
        for (int i = 0; i < 32; i++) y[i] = d * (int8_t)row[2 + i];
    }
}

/* Codes of 4 bits, and the fifth bits from `high` when not NULL. */
static void unpack_32(const uint8_t *q, const uint8_t *high, int codes[32]) {
    for (int j = 0; j < 16; j++) {
        codes[j] = q[j] & 15;
        codes[j + 16] = q[j] >> 4;
    }
    for (int i = 0; high && i < 32; i++) codes[i] |= (high[i / 8] >> (i % 8) & 1) << 4;
}

static void decode_q4_0(const uint8_t *row, float *y, int n) {
    int codes[32];
    for (; n > 0; n -= 32, row += 18, y += 32) {
        float d = f16_to_f32(load16(row));
        unpack_32(row + 2, NULL, codes);
        for (int i = 0; i < 32; i++) y[i] = d * (float)(codes[i] - 8);
    }
}

static void decode_q4_1(const uint8_t *row, float *y, int n) {
    int codes[32];
    for (; n > 0; n -= 32, row += 20, y += 32) {
        float d = f16_to_f32(load16(row)), m = f16_to_f32(load16(row + 2));
        unpack_32(row + 4, NULL, codes);
        for (int i = 0; i < 32; i++) y[i] = d * (float)codes[i] + m;
    }
}

static void decode_q5_0(const uint8_t *row, float *y, int n) {
    int codes[32];
    for (; n > 0; n -= 32, row += 22, y += 32) {
        float d = f16_to_f32(load16(row));
        unpack_32(row + 6, row + 2, codes);
        for (int i = 0; i < 32; i++) y[i] = d * (float)(codes[i] - 16);
    }
}

static void decode_q5_1(const uint8_t *row, float *y, int n) {
    int codes[32];
    for (; n > 0; n -= 32, row += 24, y += 32) {
        float d = f16_to_f32(load16(row)), m = f16_to_f32(load16(row + 2));
        unpack_32(row + 8, row + 4, codes);
        for (int i = 0; i < 32; i++) y[i] = d * (float)codes[i] + m;
    }
}

const int8_t quant_iq4_nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static void decode_iq4_nl(const uint8_t *row, float *y, int n) {
    int codes[32];
    for (; n > 0; n -= 32, row += 18, y += 32) {
        float d = f16_to_f32(load16(row));
        unpack_32(row + 2, NULL, codes);
        for (int i = 0; i < 32; i++) y[i] = d * (float)quant_iq4_nl[codes[i]];
    }
}

/* d = max |x| / 127, q = x / d rounded half away from zero. */
static void encode_q8_0(const float *x, uint8_t *row, int n) {
    for (; n > 0; n -= 32, row += 34, x += 32) {
        float largest = 0;
        for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[i]));
        float d = largest / 127;
        float inverse = d != 0 ? 1 / d : 0;
        store16(row, f32_to_f16(d));
        for (int i = 0; i < 32; i++) row[2 + i] = (uint8_t)(int8_t)
            fmaxf(fminf(roundf(x[i] * inverse), 127), -127);
    }
}

/* d = the x of largest magnitude / -8, so that it gets code 0, the end that reaches further: q = x / d + 8
 * rounded. */
static void encode_q4_0(const float *x, uint8_t *row, int n) {
    for (; n > 0; n -= 32, row += 18, x += 32) {
        float largest = 0;
        for (int i = 0; i < 32; i++)
            if (fabsf(x[i]) > fabsf(largest)) largest = x[i];
        float d = largest / -8;
        float inverse = d != 0 ? 1 / d : 0;
        store16(row, f32_to_f16(d));
        int codes[32];
        for (int i = 0; i < 32; i++) codes[i] = (int)fmaxf(fminf(x[i] * inverse + 8.5f, 15), 0);
        for (int j = 0; j < 16; j++) row[2 + j] = (uint8_t)(codes[j] | codes[j + 16] << 4);
    }
}

/* ------------------------------------------------------------------------------------------ blocks of 256 */

/* Q4_K and Q5_K: 8 groups of 32 weights, each with a scale s_g and a minimum m_g of 6 bits.
 *
 * Q4_K   d[2] | dmin[2] | s[12] | q[128]            w[i] = (d * s_g) * q_i - (dmin * m_g),  g = i / 32
 * Q5_K   d[2] | dmin[2] | s[12] | h[32] | q[128]    the same
 *
 * s byte:      0..3    | s_(j+4) bits 5,4 | s_j |                     j = byte's number
 *              4..7    | m_(j+4) bits 5,4 | m_j |                     j = byte's number - 4
 *              8..11   | m_(j+4) bits 3..0 | s_(j+4) bits 3..0 |      j = byte's number - 8
 * q byte 32 p + j:  | q of group 2p+1, weight j | q of group 2p, weight j |     p = 0..3
 * h byte j:    bit g is the fifth bit of weight j of group g.
 */
static void unpack_scales(const uint8_t *s, int g, int *scale, int *min) {
    if (g < 4) {
        *scale = s[g] & 63;
        *min = s[g + 4] & 63;
    } else {
        *scale = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
        *min = s[g + 4] >> 4 | s[g] >> 6 << 4;
    }
}

/* One block; `high` (h) is NULL for Q4_K. */
static void decode_k_block(const uint8_t *block, const uint8_t *high, const uint8_t *q, float *y) {
    float d = f16_to_f32(load16(block)), dmin = f16_to_f32(load16(block + 2));
    for (int g = 0; g < 8; g++) {
        int scale, min;
        unpack_scales(block + 4, g, &scale, &min);
        float group_d = d * (float)scale, group_min = dmin * (float)min;
        for (int j = 0; j < 32; j++) {
            int code = q[g / 2 * 32 + j] >> (g % 2 * 4) & 15;
            if (high) code |= (high[j] >> g & 1) << 4;
            y[g * 32 + j] = group_d * (float)code - group_min;
        }
    }
}

static void decode_q4_k(const uint8_t *row, float *y, int n) {
    for (; n > 0; n -= 256, row += 144, y += 256) decode_k_block(row, NULL, row + 16, y);
}

static void decode_q5_k(const uint8_t *row, float *y, int n) {
    for (; n > 0; n -= 256, row += 176, y += 256) decode_k_block(row, row + 16, row + 48, y);
}

/* Q6_K: 16 groups of 16 weights, each with a signed scale of 8 bits.
 *
 *        q[128] | h[64] | s[16] | d[2]              w[i] = (d * s_g) * (q_i - 32),  g = i / 16
 *
 * The two halves of the block (128 weights) use the two halves of q and h alike. Within a half, weight i = 32
 * p + j, p = 0..3:
 *        low 4 bits:   q byte 32 (p % 2) + j, its low half for p < 2, its high half for the others
 *        high 2 bits:  h byte j, bits 2p and 2p+1
 */
static void decode_q6_k(const uint8_t *row, float *y, int n) {
    for (; n > 0; n -= 256, row += 210, y += 256) {
        const uint8_t *q = row, *high = row + 128, *scales = row + 192;
        float d = f16_to_f32(load16(row + 208));
        for (int i = 0; i < 256; i++) {
            int half = i / 128, p = i % 128 / 32, j = i % 32;
            int code = (q[half * 64 + p % 2 * 32 + j] >> (p / 2 * 4) & 15)
                | (high[half * 32 + j] >> (2 * p) & 3) << 4;
            y[i] = d * (int8_t)scales[i / 16] * (float)(code - 32);
        }
    }
}

/* Q2_K: 16 groups of 16 weights, each with a scale s_g and a minimum m_g of 4 bits.
 *
 *        s[16] | q[64] | d[2] | dmin[2]             w[i] = (d * s_g) * q_i - (dmin * m_g),  g = i / 16
 *
 * s byte g:          | m_g | s_g |
 * q byte 32 half + j:  bits 2p and 2p+1 are weight j of the block of 32 weights b = 4 half + p
 */
static void decode_q2_k(const uint8_t *row, float *y, int n) {
    for (; n > 0; n -= 256, row += 84, y += 256) {
        const uint8_t *s = row, *q = row + 16;
        float d = f16_to_f32(load16(row + 80)), dmin = f16_to_f32(load16(row + 82));
        for (int i = 0; i < 256; i++) {
            int b = i / 32, code = q[b / 4 * 32 + i % 32] >> (b % 4 * 2) & 3;
            y[i] = d * (float)(s[i / 16] & 15) * (float)code - dmin * (float)(s[i / 16] >> 4);
        }
    }
}

/* Q3_K: 16 groups of 16 weights, each with a signed scale of 6 bits.
 *
 *        h[32] | q[64] | s[12] | d[2]               w[i] = (d * (s_g - 32)) * (q_i - 4),  g = i / 16
 *
 * Block of 32 weights b = 4 half + p, weight j of it:
 *        low 2 bits:   q byte 32 half + j, bits 2p and 2p+1
 *        third bit:    h byte j, bit b
 * s byte:      0..7    | s_(j+8) bits 3..0 | s_j bits 3..0 |          j = byte's number
 *              8..11   | s_(j+12) | s_(j+8) | s_(j+4) | s_j |         bits 5,4 of each, j = byte's number - 8
 */
static void decode_q3_k(const uint8_t *row, float *y, int n) {
    for (; n > 0; n -= 256, row += 110, y += 256) {
        const uint8_t *high = row, *q = row + 32, *s = row + 96;
        float d = f16_to_f32(load16(row + 108));
        for (int i = 0; i < 256; i++) {
            int b = i / 32, j = i % 32, g = i / 16;
            int scale = (s[g % 8] >> (g / 8 * 4) & 15) | (s[8 + g % 4] >> (g / 4 * 2) & 3) << 4;
            int code = (q[b / 4 * 32 + j] >> (b % 4 * 2) & 3) | (high[j] >> b & 1) << 2;
            y[i] = d * (float)(scale - 32) * (float)(code - 4);
        }
    }
}

/* ------------------------------------------------------------------------------------------ the table */

typedef struct {
    QuantInfo info;
    void (*decode)(const uint8_t *row, float *y, int n);
    void (*encode)(const float *x, uint8_t *row, int n);    /* NULL: not offered here */
} Format;

static const Format FORMATS[] = {
    {{QUANT_F32, "F32", 1, 4}, decode_f32, encode_f32},
    {{QUANT_F16, "F16", 1, 2}, decode_f16, encode_f16},
    {{QUANT_BF16, "BF16", 1, 2}, decode_bf16, encode_bf16},
    {{QUANT_Q8_0, "Q8_0", 32, 34}, decode_q8_0, encode_q8_0},
    {{QUANT_Q4_0, "Q4_0", 32, 18}, decode_q4_0, encode_q4_0},
    {{QUANT_Q4_1, "Q4_1", 32, 20}, decode_q4_1, NULL},
    {{QUANT_Q5_0, "Q5_0", 32, 22}, decode_q5_0, NULL},
    {{QUANT_Q5_1, "Q5_1", 32, 24}, decode_q5_1, NULL},
    {{QUANT_IQ4_NL, "IQ4_NL", 32, 18}, decode_iq4_nl, NULL},
    {{QUANT_Q2_K, "Q2_K", 256, 84}, decode_q2_k, NULL},
    {{QUANT_Q3_K, "Q3_K", 256, 110}, decode_q3_k, NULL},
    {{QUANT_Q4_K, "Q4_K", 256, 144}, decode_q4_k, NULL},
    {{QUANT_Q5_K, "Q5_K", 256, 176}, decode_q5_k, NULL},
    {{QUANT_Q6_K, "Q6_K", 256, 210}, decode_q6_k, NULL},
};
enum { N_FORMATS = sizeof FORMATS / sizeof FORMATS[0] };

static const Format *find_format(uint32_t type) {
    for (int i = 0; i < N_FORMATS; i++)
        if (FORMATS[i].info.type == type) return &FORMATS[i];
    return NULL;
}

const QuantInfo *quant_info(uint32_t type) {
    const Format *format = find_format(type);
    return format ? &format->info : NULL;
}

const QuantInfo *quant_at(int i) { return i >= 0 && i < N_FORMATS ? &FORMATS[i].info : NULL; }

const QuantInfo *quant_by_file_type(uint32_t file_type) {
    static const struct {
        uint8_t file_type, type;
    } kinds[] = {
        {0, QUANT_F32}, {1, QUANT_F16}, {2, QUANT_Q4_0}, {3, QUANT_Q4_1}, {7, QUANT_Q8_0}, {8, QUANT_Q5_0},
            {9, QUANT_Q5_1}, {10, QUANT_Q2_K},
        {11, QUANT_Q3_K}, {12, QUANT_Q3_K}, {13, QUANT_Q3_K}, {14, QUANT_Q4_K}, {15, QUANT_Q4_K},
            {16, QUANT_Q5_K}, {17, QUANT_Q5_K},
        {18, QUANT_Q6_K}, {21, QUANT_Q2_K}, {25, QUANT_IQ4_NL}, {32, QUANT_BF16},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].file_type == file_type) return quant_info(kinds[i].type);
    return NULL;
}

const char *quant_type_name(uint32_t type) {
    /* enum ggml_type, with the types that ggml has removed again. */
    static const char *const names[] = {
        "F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K",
            "Q5_K", "Q6_K",
        "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16",
            "I32", "I64", "F64",
        "IQ1_M", "BF16", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8",
            "IQ4_NL_8_8", "MXFP4",
        "NVFP4", "Q1_0"};
    return type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const QuantInfo *quant_by_name(const char *name, size_t n) {
    for (int i = 0; i < N_FORMATS; i++) {
        const char *known = FORMATS[i].info.name;
        if (strlen(known) != n) continue;
        size_t same = 0;
        while (same < n && upper(name[same]) == known[same]) same++;
        if (same == n) return &FORMATS[i].info;
    }
    return NULL;
}

size_t quant_row_bytes(QuantType type, int n) {
    const QuantInfo *info = quant_info(type);
    assert(info && n % info->block == 0);
    return (size_t)(n / info->block) * (size_t)info->bytes;
}

void quant_decode_row(QuantType type, const uint8_t *row, float *y, int n) {
    const Format *format = find_format(type);
    assert(format && n % format->info.block == 0);
    format->decode(row, y, n);
}

void quant_encode_row(QuantType type, const float *x, uint8_t *row, int n) {
    const Format *format = find_format(type);
    assert(format && format->encode && n % format->info.block == 0);
    format->encode(x, row, n);
}
