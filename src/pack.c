/* pack.c: see pack.h. Four rows are packed side by side, a block of the file at a time, in vectors of four
 * 32-bit words, one of each row: most formats hold their codes such that a vector of the panel is such words
 * as they are, or words shifted and masked. Every function of the way from file to panel is inlined with a
 * constant type, so each type gets a separate loop without branches. The file layouts are drawn in quant.c,
 * the panels in kernels/panel.h. */
#include "pack.h"

#include <math.h>
#include <string.h>

PanelKind pack_kind(QuantType type) {
    switch (type) {
    case QUANT_Q2_K: return PANEL_P2K;
    case QUANT_Q3_K: return PANEL_P3K;
    case QUANT_Q4_0: return PANEL_P4;
    case QUANT_IQ4_NL: return PANEL_P4N;
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
    return panel_matrix_bytes(pack_kind(type), n_rows, n_cols);
}

static inline uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t load32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ------------------------------------------------------------------------------------ panels */

static bool has_f16_min(PanelFamily f) { return f.has_min && !f.has_super; }

/* ------------------------------------------------------------------------------------ four rows side by side */

#define INLINE static inline __attribute__((always_inline))     /* the type becomes a constant */

/* A word of each of four rows. */
typedef uint32_t Quad __attribute__((vector_size(16)));
typedef int32_t QuadInt __attribute__((vector_size(16)));
typedef float QuadFloat __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint16_t Halves __attribute__((vector_size(8)));

/* Four rows of a file at one of their blocks. */
typedef struct {
    const uint8_t *row[4];
    Quad live;          /* all bits of a row's word; none of a row that the last tile lacks, which reads as
                         * zeros */
} Rows;

INLINE Quad words(const Rows *r, int at) {
    return (Quad){load32(r->row[0] + at), load32(r->row[1] + at), load32(r->row[2] + at),
        load32(r->row[3] + at)} & r->live;
}

INLINE Quad halves(const Rows *r, int at) {
    return (Quad){load16(r->row[0] + at), load16(r->row[1] + at), load16(r->row[2] + at),
        load16(r->row[3] + at)} & r->live;
}

INLINE void store(uint8_t *p, Quad x) { memcpy(p, &x, 16); }

INLINE void store_halves(uint8_t *p, Quad x) {
    Halves h = __builtin_convertvector(x, Halves);
    memcpy(p, &h, 8);
}

/* Byte i of the four words goes to p + (i % 2) * near + (i / 2) * far. */
INLINE void store_bytes(uint8_t *p, size_t near, size_t far, Quad x) {
    Bytes b = (Bytes)x;
    Quad t = (Quad)(Bytes){b[0], b[4], b[8], b[12], b[1], b[5], b[9], b[13], b[2], b[6], b[10], b[14], b[3],
        b[7], b[11], b[15]};
    for (int i = 0; i < 4; i++) memcpy(p + (size_t)(i % 2) * near + (size_t)(i / 2) * far, &(uint32_t){
        t[i]}, 4);
}

/* ------------------------------------------------------------------------------------ scales */

enum { F16E_TOO_LARGE = 21 << 10 };     /* 64, and with larger exponents infinity and NaN */

/* Halves times 2^10, as halves. The lanes of *bad get bits where one is not finite or does not fit. */
INLINE Quad to_f16e(Quad h, Quad *bad) {
    Quad rest = h & 0x7fff;
    *bad |= (Quad)(rest >= F16E_TOO_LARGE);
    /* A subnormal counts units of 2^-24; in f16e's bias and at f32's place for the fraction that is 2^-126, a
     * normal float. */
    QuadFloat subnormal = __builtin_convertvector((QuadInt)rest, QuadFloat) * 0x1p-126f;
    Quad normal = (Quad)(rest >= 1 << 10);
    return (h & 0x8000) | (normal & (rest + (10 << 10))) | (~normal & (Quad)subnormal >> 13);
}

INLINE void pack_scales(const Rows *r, int at, uint8_t *out, Quad *bad) {
    store_halves(out, to_f16e(halves(r, at), bad));
}

/* ------------------------------------------------------------------------------------ codes of 5 and 6 bits */

/* Rows 4v..4v+3 of a block whose codes are k_0..k_7, as panel.h names them. */
INLINE void store_5_bits(uint8_t *block, int v, const Quad k[8]) {
    uint8_t *out = block + v * 80;
    store(out, k[0] | (k[5] & 0x07070707) << 5);
    store(out + 16, k[1] | (k[5] & 0x18181818) << 2 | (k[7] & 0x08080808) << 4);
    store(out + 32, k[2] | (k[6] & 0x07070707) << 5);
    store(out + 48, k[3] | (k[6] & 0x18181818) << 2 | (k[7] & 0x10101010) << 3);
    store(out + 64, k[4] | (k[7] & 0x07070707) << 5);
}

INLINE void store_6_bits(uint8_t *block, int v, const Quad k[8]) {
    for (int half = 0; half < 2; half++, k += 4)
        for (int i = 0; i < 3; i++)
            store(block + (v * 6 + half * 3 + i) * 16, k[i] | (k[3] >> 2 * i & 0x03030303) << 6);
}

/* ------------------------------------------------------------------------------------ blocks of 32 columns */

/* Exchanges the bits of each word under `mask` with those `shift` above them. */
INLINE Quad swap_bits(Quad x, uint32_t mask, int shift) {
    Quad differ = (x ^ x >> shift) & mask;
    return x ^ differ ^ differ << shift;
}

/* Bit 4j + c to bit 8c + j: an 8 x 4 matrix of bits transposed. */
INLINE Quad transpose_bits(Quad x) {
    x = swap_bits(x, 0x0c0c0c0c, 2);
    x = swap_bits(x, 0x22222222, 1);
    x = swap_bits(x, 0x0000f0f0, 12);
    return swap_bits(x, 0x00cc00cc, 6);
}

/* Rows 4v..4v+3 of a block. The file has the codes of columns i and 16 + i in one byte, as the panel has; but
 * for codes of 8 bits. */
INLINE void pack_32(QuantType type, const Rows *r, int v, uint8_t *block, uint8_t *low, Quad *bad) {
    PanelKind kind = pack_kind(type);
    PanelFamily f = panel_family(kind);
    int header = has_f16_min(f) ? 4 : 2;
    pack_scales(r, 0, block + panel_scale_at(f) + 8 * v, bad);
    if (has_f16_min(f)) pack_scales(r, 2, block + panel_min_at(f) + 8 * v, bad);
    if (kind == PANEL_P8) {
        for (int j = 0; j < 4; j++) {
            Quad a = words(r, header + 4 * j) ^ (r->live & 0x80808080),
                b = words(r, header + 16 + 4 * j) ^ (r->live & 0x80808080);
            store(block + (v * 4 + j) * 16, (a >> 4 & 0x0f0f0f0f) | (b & 0xf0f0f0f0));
            store(low + (v * 4 + j) * 16, (a & 0x0f0f0f0f) | (b & 0x0f0f0f0f) << 4);
        }
        return;
    }
    if (kind == PANEL_P5 || kind == PANEL_P5M) {
        Quad high = transpose_bits(words(r, header)), k[8];
        for (int j = 0; j < 4; j++) {
            Quad pair = words(r, header + 4 + 4 * j);
            k[j] = (pair & 0x0f0f0f0f) | (high >> j & 0x01010101) << 4;
            k[4 + j] = (pair >> 4 & 0x0f0f0f0f) | (high >> (4 + j) & 0x01010101) << 4;
        }
        store_5_bits(block, v, k);
        return;
    }
    for (int j = 0; j < 4; j++) store(block + (v * 4 + j) * 16, words(r, header + 4 * j));
}

/* ------------------------------------------------------------------------------------ blocks of 256 columns */

/* Q4_K has the codes of two blocks in the low and high nibbles of 32 bytes, from `at`. */
INLINE void pack_nibbles(const Rows *r, int at, int v, uint8_t *low, uint8_t *high) {
    for (int j = 0; j < 4; j++) {
        Quad a = words(r, at + 4 * j), b = words(r, at + 16 + 4 * j);
        store(low + (v * 4 + j) * 16, (a & 0x0f0f0f0f) | (b & 0x0f0f0f0f) << 4);
        store(high + (v * 4 + j) * 16, (a >> 4 & 0x0f0f0f0f) | (b & 0xf0f0f0f0));
    }
}

/* Takes from each of n words the field that `mask` picks in each byte after a shift, and puts these side by
 * side into the bytes of one word. */
INLINE Quad gather_fields(const Quad *x, int n, int shift, uint32_t mask, int width) {
    Quad fields = {0};
    for (int j = 0; j < n; j++) fields |= (x[j] >> shift & mask) << (width * j);
    return fields;
}

/* Rows 4v..4v+3 of 8 blocks after their header at `super`. */
INLINE void pack_k45(QuantType type, const Rows *r, int v, uint8_t *super, Quad *bad) {
    PanelFamily f = panel_family(pack_kind(type));
    bool five_bits = type == QUANT_Q5_K;
    size_t size = panel_block_bytes(f);
    uint8_t *blocks = super + panel_super_bytes(f);
    pack_scales(r, 0, super + 8 * v, bad);
    pack_scales(r, 2, super + PANEL_DMIN_AT + 8 * v, bad);

    Quad s0 = words(r, 4), s1 = words(r, 8), s2 = words(r, 12);
    uint8_t *scale = blocks + panel_scale_at(f) + 4 * v, *min = blocks + panel_min_at(f) + 4 * v;
    store_bytes(scale, size, 2 * size, s0 & 0x3f3f3f3f);
    store_bytes(min, size, 2 * size, s1 & 0x3f3f3f3f);
    store_bytes(scale + 4 * size, size, 2 * size, (s2 & 0x0f0f0f0f) | (s0 >> 2 & 0x30303030));
    store_bytes(min + 4 * size, size, 2 * size, (s2 >> 4 & 0x0f0f0f0f) | (s1 >> 2 & 0x30303030));

    if (!five_bits) {
        for (size_t b = 0; b < SUPER_BLOCKS; b += 2)
            pack_nibbles(r, 16 + (int)b * 16, v, blocks + b * size, blocks + (b + 1) * size);
        return;
    }
    Quad high[8];
    for (int n = 0; n < 8; n++) high[n] = words(r, 16 + 4 * n);
    for (int b = 0; b < SUPER_BLOCKS; b++) {
        Quad k[8];
        for (int n = 0; n < 8; n++) k[n] = (words(r, 48 + b / 2 * 32 + 4 * n) >> (b % 2 * 4) & 0x0f0f0f0f)
            | (high[n] >> b & 0x01010101) << 4;
        store_5_bits(blocks + (size_t)b * size, v, k);
    }
}

INLINE void pack_q2k(const Rows *r, int v, uint8_t *super, Quad *bad) {
    PanelFamily f = panel_family(PANEL_P2K);
    size_t size = panel_block_bytes(f);
    uint8_t *blocks = super + panel_super_bytes(f);
    pack_scales(r, 80, super + 8 * v, bad);
    pack_scales(r, 82, super + PANEL_DMIN_AT + 8 * v, bad);
    for (size_t b = 0; b < SUPER_BLOCKS; b++)
        store_halves(blocks + b * size + panel_scale_at(f) + 8 * v, halves(r, 2 * (int)b));
    for (int half = 0; half < 2; half++) {
        Quad q[8];
        for (int n = 0; n < 8; n++) q[n] = words(r, 16 + half * 32 + 4 * n);
        for (int p = 0; p < 4; p++) {
            uint8_t *out = blocks + (size_t)(half * 4 + p) * size + v * 32;
            store(out, gather_fields(q, 4, 2 * p, 0x03030303, 2));
            store(out + 16, gather_fields(q + 4, 4, 2 * p, 0x03030303, 2));
        }
    }
}

INLINE void pack_q3k(const Rows *r, int v, uint8_t *super, Quad *bad) {
    PanelFamily f = panel_family(PANEL_P3K);
    size_t size = panel_block_bytes(f);
    uint8_t *blocks = super + panel_super_bytes(f);
    pack_scales(r, 108, super + 8 * v, bad);
    for (int i = 0; i < 4; i++) {   /* the sub-scales of blocks 2i and 2i + 1 */
        Quad s = (words(r, 96 + i % 2 * 4) >> (i / 2 * 4) & 0x0f0f0f0f)
            | (words(r, 104) >> (2 * i) & 0x03030303) << 4;
        Bytes less_32 = (Bytes)s - 32;
        store_bytes(blocks + (size_t)(2 * i) * size + panel_scale_at(f) + 4 * v, TILE_ROWS, size,
            (Quad)less_32);
    }
    Quad high[8];
    for (int n = 0; n < 8; n++) high[n] = words(r, 4 * n);
    for (int half = 0; half < 2; half++) {
        Quad low[8];
        for (int n = 0; n < 8; n++) low[n] = words(r, 32 + half * 32 + 4 * n);
        for (int p = 0; p < 4; p++) {
            int b = half * 4 + p;
            uint8_t *out = blocks + (size_t)b * size + v * 48;
            Quad k[8];
            for (int n = 0; n < 8; n++) k[n] = (low[n] >> (2 * p) & 0x03030303) | (high[n] >> b & 0x01010101)
                << 2;
            store(out, k[0] | k[4] << 3 | (k[3] & 0x03030303) << 6);
            store(out + 16, k[1] | k[5] << 3 | (k[7] & 0x03030303) << 6);
            store(out + 32, k[2] | k[6] << 3 | (k[3] & 0x04040404) << 4 | (k[7] & 0x04040404) << 5);
        }
    }
}

INLINE void pack_q6k(const Rows *r, int v, uint8_t *super, Quad *bad) {
    PanelFamily f = panel_family(PANEL_P6K);
    size_t size = panel_block_bytes(f);
    pack_scales(r, 208, super + 8 * v, bad);
    /* In each half, blocks 0 and 2 share the bytes of their low bits, and so do 1 and 3. All four share the
     * bytes of their high bits. */
    for (int half = 0; half < 2; half++) {
        uint8_t *blocks = super + panel_super_bytes(f) + (size_t)half * 4 * size;
        for (int i = 0; i < 2; i++)
            store_bytes(blocks + (size_t)(2 * i) * size + panel_scale_at(f) + 4 * v, TILE_ROWS, size,
                words(r, 192 + half * 8 + i * 4));
        Quad high[8];
        for (int n = 0; n < 8; n++) high[n] = words(r, 128 + half * 32 + 4 * n);
        for (int b = 0; b < 4; b++) {
            Quad k[8];
            for (int n = 0; n < 8; n++)
                k[n] = (words(r, half * 64 + b % 2 * 32 + 4 * n) >> (b / 2 * 4) & 0x0f0f0f0f)
                    | (high[n] >> (2 * b) & 0x03030303) << 4;
            store_6_bits(blocks + (size_t)b * size, v, k);
        }
    }
}

/* ------------------------------------------------------------------------------------ floats */

/* Of n columns; a value with all exponent bits set is infinite or no number. */
INLINE void pack_floats(QuantType type, const Rows *r, int n, int v, uint8_t *out, Quad *bad) {
    uint32_t exponent = type == QUANT_F32 ? 0x7f800000 : type == QUANT_F16 ? 0x7c00 : 0x7f80;
    for (int k = 0; k < n; k++) {
        Quad x = type == QUANT_F32 ? words(r, 4 * k) : halves(r, 2 * k);
        *bad |= (Quad)((x & exponent) == exponent);
        if (type == QUANT_F32) store(out + k * 64 + 16 * v, x);
        else store_halves(out + k * 32 + 8 * v, x);
    }
}

/* ------------------------------------------------------------------------------------ tiles */

/* Rows first..first+3 of n_rows; in the place of a missing one, any that may be read. */
INLINE Rows four_rows(const uint8_t *rows, size_t row_bytes, int first, int n_rows) {
    Rows r = {0};
    for (int i = 0; i < 4; i++) {
        bool live = first + i < n_rows;
        r.row[i] = rows + (live ? (size_t)(first + i) * row_bytes : 0);
        r.live[i] = live ? ~0u : 0;
    }
    return r;
}

/* False when a value cannot be packed. */
INLINE bool pack_rows(QuantType type, const uint8_t *rows, int n_rows, int n_cols, uint8_t *tile,
    uint8_t *low) {
    bool is_float = pack_kind(type) >= PANEL_FIRST_FLOAT;
    const QuantInfo *info = quant_info(type);
    int cols = is_float ? BLOCK_COLS : info->block;     /* taken at once */
    Matrix columns = panel_matrix(pack_kind(type), TILE_ROWS, cols, NULL);
    size_t step = quant_row_bytes(type, cols);
    Rows r[4];
    for (int v = 0; v < 4; v++) r[v] = four_rows(rows, quant_row_bytes(type, n_cols), 4 * v, n_rows);
    Quad bad = {0};
    for (int k = 0; k < n_cols; k += cols, tile += columns.tile_bytes, low += columns.low_tile_bytes) {
        for (int v = 0; v < 4; v++) {
            Rows here = r[v];       /* a copy that no store can be thought to change */
            if (is_float) pack_floats(type, &here, n_cols - k < cols ? n_cols - k : cols, v, tile, &bad);
            else if (type == QUANT_Q2_K) pack_q2k(&here, v, tile, &bad);
            else if (type == QUANT_Q3_K) pack_q3k(&here, v, tile, &bad);
            else if (type == QUANT_Q6_K) pack_q6k(&here, v, tile, &bad);
            else if (type == QUANT_Q4_K || type == QUANT_Q5_K) pack_k45(type, &here, v, tile, &bad);
            else pack_32(type, &here, v, tile, low, &bad);
            for (int i = 0; i < 4; i++) r[v].row[i] += step;
        }
    }
    return !(bad[0] | bad[1] | bad[2] | bad[3]);
}

/* ------------------------------------------------------------------------------------ faults */

/* The first row with a bad scale in the first block column that has one. */
static bool find_scale_fault(QuantType type, const uint8_t *rows, int n_rows, int n_cols, PackFault *fault) {
    const QuantInfo *info = quant_info(type);
    size_t row_bytes = quant_row_bytes(type, n_cols);
    int at = type == QUANT_Q6_K ? 208 : type == QUANT_Q3_K ? 108 : type == QUANT_Q2_K ? 80 : 0;
    int n = panel_family(pack_kind(type)).has_min ? 2 : 1;
    for (int b = 0; b < n_cols / info->block; b++) {
        for (int i = 0; i < n_rows * n; i++) {
            uint16_t h = load16(rows + (size_t)(i / n) * row_bytes + (size_t)b * (size_t)info->bytes
                + at + i % n * 2);
            if ((h & 0x7fff) < F16E_TOO_LARGE) continue;
            *fault = (PackFault){i / n, b * info->block, f16_to_f32(h)};
            return true;
        }
    }
    return false;
}

static bool find_float_fault(QuantType type, const uint8_t *rows, int n_rows, int n_cols, PackFault *fault) {
    enum { AT_ONCE = 256 };
    size_t size = (size_t)quant_info(type)->bytes;
    float values[AT_ONCE];
    for (int i = 0; i < n_rows; i++) {
        for (int k = 0, n; k < n_cols; k += n, rows += (size_t)n * size) {
            n = n_cols - k < AT_ONCE ? n_cols - k : AT_ONCE;
            quant_decode_row(type, rows, values, n);
            for (int j = 0; j < n; j++) {
                if (isfinite(values[j])) continue;
                *fault = (PackFault){i, k + j, values[j]};
                return true;
            }
        }
    }
    return false;
}

bool pack_find_fault(QuantType type, const uint8_t *rows, int n_rows, int n_cols, PackFault *fault) {
    return pack_kind(type) < PANEL_FIRST_FLOAT ? find_scale_fault(type, rows, n_rows, n_cols, fault)
                                               : find_float_fault(type, rows, n_rows, n_cols, fault);
}

/* ------------------------------------------------------------------------------------ any type */

static bool pack_any(QuantType type, const uint8_t *rows, int n_rows, int n_cols, uint8_t *tile,
    uint8_t *low) {
    switch (type) {
    case QUANT_Q2_K: return pack_rows(QUANT_Q2_K, rows, n_rows, n_cols, tile, low);
    case QUANT_Q3_K: return pack_rows(QUANT_Q3_K, rows, n_rows, n_cols, tile, low);
    case QUANT_Q4_0: return pack_rows(QUANT_Q4_0, rows, n_rows, n_cols, tile, low);
    case QUANT_IQ4_NL: return pack_rows(QUANT_IQ4_NL, rows, n_rows, n_cols, tile, low);
    case QUANT_Q4_1: return pack_rows(QUANT_Q4_1, rows, n_rows, n_cols, tile, low);
    case QUANT_Q4_K: return pack_rows(QUANT_Q4_K, rows, n_rows, n_cols, tile, low);
    case QUANT_Q5_0: return pack_rows(QUANT_Q5_0, rows, n_rows, n_cols, tile, low);
    case QUANT_Q5_1: return pack_rows(QUANT_Q5_1, rows, n_rows, n_cols, tile, low);
    case QUANT_Q5_K: return pack_rows(QUANT_Q5_K, rows, n_rows, n_cols, tile, low);
    case QUANT_Q6_K: return pack_rows(QUANT_Q6_K, rows, n_rows, n_cols, tile, low);
    case QUANT_Q8_0: return pack_rows(QUANT_Q8_0, rows, n_rows, n_cols, tile, low);
    case QUANT_F16: return pack_rows(QUANT_F16, rows, n_rows, n_cols, tile, low);
    case QUANT_BF16: return pack_rows(QUANT_BF16, rows, n_rows, n_cols, tile, low);
    case QUANT_F32: return pack_rows(QUANT_F32, rows, n_rows, n_cols, tile, low);
    }
    return false;
}

bool pack_tile(QuantType type, const uint8_t *rows, int n_rows, const Matrix *m, int tile, PackFault *fault) {
    uint8_t *data = (uint8_t *)m->data + (size_t)tile * m->tile_bytes, *low = (uint8_t *)m->low
        + (size_t)tile * m->low_tile_bytes;
    if (pack_any(type, rows, n_rows, m->n_cols, data, low)) return true;
    *fault = (PackFault){0};
    pack_find_fault(type, rows, n_rows, m->n_cols, fault);
    return false;
}

/* ------------------------------------------------------------------------------------ back to floats */

/* f16e bits as a float: its value, exact. */
static float from_f16e(const uint8_t *p) {
    uint16_t h = load16(p);
    union { uint32_t u; float f; } v = {(uint32_t)(h & 0x7fff) << 13 | (uint32_t)(h & 0x8000) << 16};
    return v.f * F16E_UNIT;
}

static void unpack_codes(PanelKind kind, const uint8_t *block, const uint8_t *low, int r, uint8_t *codes) {
    int v = r / 4, lane = r % 4 * 4;
    for (int k = 0; k < BLOCK_COLS; k++) {
        int c = k % 4, j = k % 16 / 4, half = k / 16, at_code = (v * 4 + j) * 16 + lane + c;
        if (kind == PANEL_P2K) {
            codes[k] = block[(v * 2 + half) * 16 + lane + c] >> (2 * j) & 3;
            continue;
        }
        if (kind == PANEL_P3K) {
            const uint8_t *p = block + v * 48 + lane + c;
            codes[k] = (uint8_t)(j < 3 ? p[16 * j] >> (3 * half) & 7 : p[16 * half] >> 6
                | (p[32] >> (6 + half) & 1) << 2);
            continue;
        }
        if (panel_family(kind).bits == 5) {
            const uint8_t *p = block + v * 80 + lane + c;
            const uint8_t last[3] = {p[0] >> 5 | (p[16] >> 5 & 3) << 3, p[32] >> 5 | (p[48] >> 5 & 3) << 3,
                p[64] >> 5 | (p[16] >> 7) << 3 | (p[48] >> 7) << 4};
            codes[k] = k < 20 ? p[16 * (k / 4)] & 31 : last[k / 4 - 5];
            continue;
        }
        if (kind == PANEL_P6K) {
            const uint8_t *p = block + v * 96 + half * 48 + lane + c;
            codes[k] = (uint8_t)(j < 3 ? p[16 * j] & 63 : p[0] >> 6 | p[16] >> 6 << 2 | p[32] >> 6 << 4);
            continue;
        }
        codes[k] = block[at_code] >> (4 * half) & 15;
        if (kind == PANEL_P8) codes[k] = (uint8_t)(codes[k] << 4 | (low[at_code] >> (4 * half) & 15));
    }
}

static void unpack_block(PanelKind kind, const uint8_t *block, const uint8_t *low, const uint8_t *super,
    int r, float *y) {
    PanelFamily f = panel_family(kind);
    const uint8_t *scale = block + panel_scale_at(f), *second = scale + panel_scale_bytes(f),
        *min = block + panel_min_at(f);
    uint8_t q[BLOCK_COLS];
    unpack_codes(kind, block, low, r, q);
    if (kind == PANEL_P3K || kind == PANEL_P6K) {
        int offset = kind == PANEL_P3K ? 4 : 32;
        float d = from_f16e(super + 2 * r);
        float s[2] = {d * (int8_t)scale[r], d * (int8_t)second[r]};
        for (int k = 0; k < BLOCK_COLS; k++) y[k] = s[k / 16] * (q[k] - offset);
    } else if (kind == PANEL_P2K) {
        float d = from_f16e(super + 2 * r), dmin = from_f16e(super + PANEL_DMIN_AT + 2 * r);
        for (int k = 0; k < BLOCK_COLS; k++) {
            uint8_t sub = scale[2 * r + k / 16];
            y[k] = d * (sub & 15) * q[k] - dmin * (sub >> 4);
        }
    } else if (f.has_super) {
        float s = from_f16e(super + 2 * r) * scale[r], m = from_f16e(super + PANEL_DMIN_AT + 2 * r) * min[r];
        for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * q[k] - m;
    } else {
        float s = from_f16e(scale + 2 * r);
        if (has_f16_min(f)) {
            float m = from_f16e(min + 2 * r);
            for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * q[k] + m;
        } else if (kind == PANEL_P4N) {
            for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * quant_iq4_nl[q[k]];
        } else {
            int offset = kind == PANEL_P4 ? 8 : kind == PANEL_P5 ? 16 : 128;
            for (int k = 0; k < BLOCK_COLS; k++) y[k] = s * (q[k] - offset);
        }
    }
}

void unpack_row(const Matrix *m, int row, float *y) {
    const uint8_t *tile = m->data + (size_t)(row / TILE_ROWS) * m->tile_bytes,
        *low = m->low + (size_t)(row / TILE_ROWS) * m->low_tile_bytes;
    int r = row % TILE_ROWS;
    if (m->kind >= PANEL_FIRST_FLOAT) {
        QuantType type = m->kind == PANEL_F16 ? QUANT_F16 : m->kind == PANEL_BF16 ? QUANT_BF16 : QUANT_F32;
        size_t size = type == QUANT_F32 ? 4 : 2;
        for (int k = 0; k < m->n_cols; k++)
            quant_decode_row(type, tile + ((size_t)k * TILE_ROWS + (size_t)r) * size, y + k, 1);
        return;
    }
    PanelFamily f = panel_family(m->kind);
    for (int b = 0; b < m->n_cols / BLOCK_COLS; b++) {
        unpack_block(m->kind, tile + panel_block_at(f, b), low + b * LOW_BLOCK_BYTES,
            tile + panel_super_at(f, b), r, y + b * BLOCK_COLS);
    }
}
