/* pack.c: see pack.h. A row is read block by block of 32 columns into codes and scales, whatever the file's packing, and
 * written to its lanes of the panel. The file layouts are drawn in quant.c, the panels in kernels/panel.h. */
#include "pack.h"

#include <string.h>

PanelKind pack_kind(QuantType type) {
    switch (type) {
    case QUANT_Q4_0: return PANEL_P4;
    case QUANT_Q4_1: return PANEL_P4M;
    case QUANT_Q4_K: return PANEL_P4K;
    case QUANT_Q5_0: return PANEL_P5;
    case QUANT_Q5_1: return PANEL_P5M;
    case QUANT_Q5_K: return PANEL_P5K;
    case QUANT_Q6_K: return PANEL_P6K;
    case QUANT_Q8_0: return PANEL_P8;
    case QUANT_F16: return PANEL_F16;
    case QUANT_BF16: return PANEL_BF16;
    case QUANT_F32: return PANEL_F32;
    }
    return PANEL_KINDS;
}

uint64_t pack_bytes(QuantType type, int n_rows, int n_cols) {
    return (uint64_t)panel_tile_bytes(pack_kind(type), n_cols) * (uint64_t)((n_rows + TILE_ROWS - 1) / TILE_ROWS);
}

/* ------------------------------------------------------------------------------------ reading the file */

/* 32 columns of one row. */
typedef struct {
    uint8_t codes[BLOCK_COLS];
    uint16_t scale, min;            /* f16 as in the file: of the block, or d and dmin of its super-block */
    uint8_t sub_scale[2], sub_min;  /* K families; P6K has two (signed) scales, the others one */
} FileBlock;

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t load32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* Low nibbles are columns 0..15, high ones 16..31; bit i of `high` is bit 4 of column i. */
static void codes_of_nibbles(uint8_t *codes, const uint8_t *q, uint32_t high) {
    for (int i = 0; i < 16; i++) {
        codes[i] = (uint8_t)((q[i] & 15) | (high >> i & 1) << 4);
        codes[16 + i] = (uint8_t)(q[i] >> 4 | (high >> (16 + i) & 1) << 4);
    }
}

/* The 6-bit sub-scale and sub-min of block b in the 12 bytes of Q4_K and Q5_K. */
static void k_scales(const uint8_t *s, int b, uint8_t *scale, uint8_t *min) {
    if (b < 4) {
        *scale = s[b] & 63;
        *min = s[b + 4] & 63;
    } else {
        *scale = (uint8_t)((s[b + 4] & 15) | (s[b - 4] >> 6) << 4);
        *min = (uint8_t)((s[b + 4] >> 4) | (s[b] >> 6) << 4);
    }
}

static void read_k45(const uint8_t *p, int b, bool five_bits, FileBlock *out) {
    out->scale = load16(p);
    out->min = load16(p + 2);
    k_scales(p + 4, b, &out->sub_scale[0], &out->sub_min);
    const uint8_t *qh = p + 16, *q = p + 16 + (five_bits ? 32 : 0) + b / 2 * 32;
    int shift = b % 2 * 4;
    for (int i = 0; i < BLOCK_COLS; i++) out->codes[i] = q[i] >> shift & 15;
    if (!five_bits) return;
    for (int i = 0; i < BLOCK_COLS; i++) out->codes[i] |= (uint8_t)((qh[i] >> b & 1) << 4);
}

static void read_q6k(const uint8_t *p, int b, FileBlock *out) {
    int half = b / 4, part = b % 4;     /* 128 columns a half, 32 a part */
    const uint8_t *ql = p + half * 64 + part % 2 * 32, *qh = p + 128 + half * 32;
    int low = part / 2 * 4, high = part * 2;
    for (int i = 0; i < BLOCK_COLS; i++) out->codes[i] = (uint8_t)((ql[i] >> low & 15) | (qh[i] >> high & 3) << 4);
    out->sub_scale[0] = p[192 + 2 * b];
    out->sub_scale[1] = p[192 + 2 * b + 1];
    out->scale = load16(p + 208);
}

/* Block b of a row. */
static void read_block(QuantType type, const uint8_t *row, int b, FileBlock *out) {
    const uint8_t *p = row;
    switch (type) {
    case QUANT_Q4_0:
        p += b * 18;
        codes_of_nibbles(out->codes, p + 2, 0);
        break;
    case QUANT_Q4_1:
        p += b * 20;
        codes_of_nibbles(out->codes, p + 4, 0);
        out->min = load16(p + 2);
        break;
    case QUANT_Q5_0:
        p += b * 22;
        codes_of_nibbles(out->codes, p + 6, load32(p + 2));
        break;
    case QUANT_Q5_1:
        p += b * 24;
        codes_of_nibbles(out->codes, p + 8, load32(p + 4));
        out->min = load16(p + 2);
        break;
    case QUANT_Q8_0:
        p += b * 34;
        for (int i = 0; i < BLOCK_COLS; i++) out->codes[i] = p[2 + i] ^ 0x80;
        break;
    case QUANT_Q4_K: read_k45(p + b / SUPER_BLOCKS * 144, b % SUPER_BLOCKS, false, out); return;
    case QUANT_Q5_K: read_k45(p + b / SUPER_BLOCKS * 176, b % SUPER_BLOCKS, true, out); return;
    case QUANT_Q6_K: read_q6k(p + b / SUPER_BLOCKS * 210, b % SUPER_BLOCKS, out); return;
    default: return;
    }
    out->scale = load16(p);
}

/* ------------------------------------------------------------------------------------ panels */

/* Where the parts of a block lie, in bytes from its start. */
typedef struct {
    int high, scale, min;   /* min: also the second sub-scale of P6K */
} BlockParts;

static BlockParts block_parts(PanelKind kind) {
    switch (kind) {
    case PANEL_P4: case PANEL_P4M: return (BlockParts){0, 256, 288};
    case PANEL_P4K: return (BlockParts){0, 256, 272};
    case PANEL_P5: case PANEL_P5M: return (BlockParts){256, 320, 352};
    case PANEL_P5K: return (BlockParts){256, 320, 336};
    case PANEL_P6K: return (BlockParts){256, 384, 400};
    default: return (BlockParts){0, 512, 0};
    }
}

static bool has_f16_min(PanelKind kind) { return kind == PANEL_P4M || kind == PANEL_P5M; }
static bool has_sub_min(PanelKind kind) { return kind == PANEL_P4K || kind == PANEL_P5K; }

/* Block b of a tile; *super is the header of its super-block. */
static size_t block_offset(PanelKind kind, int b, size_t *super) {
    const PanelInfo *info = &panel_info[kind];
    if (!info->super_bytes) {
        *super = 0;
        return (size_t)b * (size_t)info->block_bytes;
    }
    *super = (size_t)(b / SUPER_BLOCKS) * (size_t)(info->super_bytes + SUPER_BLOCKS * info->block_bytes);
    return *super + (size_t)info->super_bytes + (size_t)(b % SUPER_BLOCKS) * (size_t)info->block_bytes;
}

/* The half h times 2^10, as a half; false when it is not finite or does not fit. */
static bool to_f16e(uint16_t h, uint16_t *out) {
    int exponent = h >> 10 & 31;
    if (exponent > 20) return false;
    if (exponent > 0) *out = (uint16_t)(h + (10 << 10));
    else *out = f32_to_f16(f16_to_f32(h) * 1024);       /* zero or subnormal: exact */
    return true;
}

/* f16e bits as a float: its value, exact. */
static float from_f16e(const uint8_t *p) {
    uint16_t h = load16(p);
    union { uint32_t u; float f; } v = {(uint32_t)(h & 0x7fff) << 13 | (uint32_t)(h & 0x8000) << 16};
    return v.f * F16E_UNIT;
}

static void store16(uint8_t *p, uint16_t x) {
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
}

/* Writes row r of a block; false, with the scale at fault, when one cannot be stored. */
static bool write_block(PanelKind kind, uint8_t *block, uint8_t *super, int r, const FileBlock *in, uint16_t *fault) {
    BlockParts at = block_parts(kind);
    int v = r / 4, lane = r % 4 * 4;
    const uint8_t *q = in->codes;
    if (kind == PANEL_P8) {
        for (int j = 0; j < 8; j++) memcpy(block + (v * 8 + j) * 16 + lane, q + 4 * j, 4);
    } else {
        for (int j = 0; j < 4; j++) {
            uint8_t *codes = block + (v * 4 + j) * 16 + lane;
            for (int c = 0; c < 4; c++) codes[c] = (uint8_t)((q[4 * j + c] & 15) | (q[16 + 4 * j + c] & 15) << 4);
        }
    }
    if (panel_info[kind].code_bits == 5) {
        for (int c = 0; c < 4; c++) {
            int bits = 0;
            for (int j = 0; j < 8; j++) bits |= (q[4 * j + c] >> 4) << j;
            block[at.high + v * 16 + lane + c] = (uint8_t)bits;
        }
    } else if (kind == PANEL_P6K) {
        for (int half = 0; half < 2; half++) {
            for (int c = 0; c < 4; c++) {
                int bits = 0;
                for (int j = 0; j < 4; j++) bits |= (q[16 * half + 4 * j + c] >> 4) << (2 * j);
                block[at.high + (v * 2 + half) * 16 + lane + c] = (uint8_t)bits;
            }
        }
    }

    uint16_t scale, min = 0;
    bool with_min = has_f16_min(kind) || has_sub_min(kind);
    *fault = in->scale;
    if (!to_f16e(in->scale, &scale)) return false;
    *fault = in->min;
    if (with_min && !to_f16e(in->min, &min)) return false;
    if (panel_info[kind].super_bytes) {
        store16(super + 2 * r, scale);
        block[at.scale + r] = in->sub_scale[0];
        if (has_sub_min(kind)) {
            store16(super + 32 + 2 * r, min);
            block[at.min + r] = in->sub_min;
        } else {
            block[at.min + r] = in->sub_scale[1];
        }
    } else {
        store16(block + at.scale + 2 * r, scale);
        if (with_min) store16(block + at.min + 2 * r, min);
    }
    return true;
}

static bool pack_quantised(QuantType type, const uint8_t *rows, int n_rows, int n_cols, uint8_t *tile, PackFault *fault) {
    PanelKind kind = pack_kind(type);
    size_t row_bytes = quant_row_bytes(type, n_cols);
    for (int b = 0; b < n_cols / BLOCK_COLS; b++) {
        size_t super, block = block_offset(kind, b, &super);
        for (int r = 0; r < n_rows; r++) {
            FileBlock in;
            uint16_t bad;
            read_block(type, rows + (size_t)r * row_bytes, b, &in);
            if (write_block(kind, tile + block, tile + super, r, &in, &bad)) continue;
            *fault = (PackFault){r, b * BLOCK_COLS, f16_to_f32(bad)};
            return false;
        }
    }
    return true;
}

/* Columns of 16 values of `size` bytes each; a value with all exponent bits set is infinite or no number. */
static bool pack_float(QuantType type, const uint8_t *rows, int n_rows, int n_cols, uint8_t *tile, PackFault *fault) {
    size_t size = type == QUANT_F32 ? 4 : 2, row_bytes = size * (size_t)n_cols;
    uint32_t exponent = type == QUANT_F32 ? 0x7f800000 : type == QUANT_F16 ? 0x7c00 : 0x7f80;
    for (int r = 0; r < n_rows; r++) {
        const uint8_t *row = rows + (size_t)r * row_bytes;
        for (int k = 0; k < n_cols; k++) {
            const uint8_t *p = row + size * (size_t)k;
            uint32_t bits = size == 4 ? load32(p) : load16(p);
            if ((bits & exponent) == exponent) {
                float value;
                quant_decode_row(type, p, &value, 1);
                *fault = (PackFault){r, k, value};
                return false;
            }
            memcpy(tile + ((size_t)k * TILE_ROWS + (size_t)r) * size, p, size);
        }
    }
    return true;
}

bool pack_tile(QuantType type, const uint8_t *rows, int n_rows, int n_cols, uint8_t *tile, PackFault *fault) {
    PanelKind kind = pack_kind(type);
    if (n_rows < TILE_ROWS) memset(tile, 0, panel_tile_bytes(kind, n_cols));
    return kind < PANEL_FIRST_FLOAT ? pack_quantised(type, rows, n_rows, n_cols, tile, fault)
                                    : pack_float(type, rows, n_rows, n_cols, tile, fault);
}

/* ------------------------------------------------------------------------------------ back to floats */

static void unpack_codes(PanelKind kind, const uint8_t *block, int r, uint8_t *codes) {
    BlockParts at = block_parts(kind);
    int v = r / 4, lane = r % 4 * 4;
    for (int k = 0; k < BLOCK_COLS; k++) {
        int c = k % 4, j = k % 16 / 4, half = k / 16;
        if (kind == PANEL_P8) {
            codes[k] = block[(v * 8 + k / 4) * 16 + lane + c];
            continue;
        }
        codes[k] = block[(v * 4 + j) * 16 + lane + c] >> (4 * half) & 15;
        if (panel_info[kind].code_bits == 5) codes[k] |= (uint8_t)((block[at.high + v * 16 + lane + c] >> (4 * half + j) & 1) << 4);
        if (kind == PANEL_P6K) codes[k] |= (uint8_t)((block[at.high + (v * 2 + half) * 16 + lane + c] >> (2 * j) & 3) << 4);
    }
}

static void unpack_block(PanelKind kind, const uint8_t *block, const uint8_t *super, int r, float *y) {
    BlockParts at = block_parts(kind);
    uint8_t q[BLOCK_COLS];
    unpack_codes(kind, block, r, q);
    if (kind == PANEL_P6K) {
        float d = from_f16e(super + 2 * r);
        float s[2] = {d * (int8_t)block[at.scale + r], d * (int8_t)block[at.min + r]};
        for (int k = 0; k < BLOCK_COLS; k++) y[k] = s[k / 16] * (q[k] - 32);
    } else if (has_sub_min(kind)) {
        float s = from_f16e(super + 2 * r) * block[at.scale + r], m = from_f16e(super + 32 + 2 * r) * block[at.min + r];
        for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * q[k] - m;
    } else {
        float s = from_f16e(block + at.scale + 2 * r);
        if (has_f16_min(kind)) {
            float m = from_f16e(block + at.min + 2 * r);
            for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * q[k] + m;
        } else {
            int offset = kind == PANEL_P4 ? 8 : kind == PANEL_P5 ? 16 : 128;
            for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * (q[k] - offset);
        }
    }
}

void unpack_row(const Matrix *m, int row, float *y) {
    const uint8_t *tile = m->data + (size_t)(row / TILE_ROWS) * m->tile_bytes;
    int r = row % TILE_ROWS;
    if (m->kind >= PANEL_FIRST_FLOAT) {
        QuantType type = m->kind == PANEL_F16 ? QUANT_F16 : m->kind == PANEL_BF16 ? QUANT_BF16 : QUANT_F32;
        size_t size = type == QUANT_F32 ? 4 : 2;
        for (int k = 0; k < m->n_cols; k++) quant_decode_row(type, tile + ((size_t)k * TILE_ROWS + (size_t)r) * size, y + k, 1);
        return;
    }
    for (int b = 0; b < m->n_cols / BLOCK_COLS; b++) {
        size_t super, block = block_offset(m->kind, b, &super);
        unpack_block(m->kind, tile + block, tile + super, r, y + b * BLOCK_COLS);
    }
}
