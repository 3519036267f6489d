/* wasm_matmul.h: the matrix products of the WebAssembly variants, written once for all panel kinds; kernels.h
 * has the contract. A kernel is matmul_quant or matmul_float inlined with a constant description of its
 * panel.
 *
 * The including file first defines MADD (see wasm_inline.h) and how four columns of four rows are multiplied:
 *
 *   Weights, weights(codes)        codes (byte 4r + c: row r, column c) as dot() wants them
 *   Acts, acts(staged, j)          columns 4j..4j+3 of one token, repeated for each row, as dot() wants them
 *   Staged, stage(x)               the block of activations from which acts() reads
 *   dot(run, isum, weights, acts, ones, first, last)
 *                                  adds, for each row r, the sum over c of weight * activation, exactly: to
 *                                  *isum, or first to *run, of which `first` begins a new one and `last` adds
 *                                  it to *isum
 *   RUN_DOTS(bits)                 dots in a run that *run can hold, for codes of this many bits; divides 8
 *                                  (4 with groups of 16)
 *   SPLIT_8                        dot() takes codes of at most 7 bits: those of 8 come as two of 4, from two
 *                                  planes as they lie or two tables
 *   LOOKUP(table, bytes)           table[byte], of bytes 0..15
 *   FOUR_AT_ONCE                   four tokens take codes of 4 bits as they come
 *
 * One token ("decode", bound by memory): up to 8 tiles are walked in lockstep, since one core only reaches
 * the memory's rate with many streams of cache lines in flight. The activations of a block stay in registers;
 * sums lie in scratch.
 *
 * More tokens ("prefill", bound by dot products): the codes of a tile are unpacked once, a chunk of columns
 * at a time, then all tokens run over them in register tiles of 16 rows x 2 tokens:
 *
 *                     token 0, columns 4j..   token 1
 *      rows  0..3         isum[0][0]         isum[1][0]        j = 0..7: 4 loads of weights, 2 of activations, 8 dots;
 *      rows  4..7         isum[0][1]         isum[1][1]        after each block (or group) integers become floats and
 *      rows  8..11        isum[0][2]         isum[1][2]        join the sums in scratch
 *      rows 12..15        isum[0][3]         isum[1][3]
 */
#ifndef WASM_MATMUL_H
#define WASM_MATMUL_H

#include "kernels.h"
#include "quant.h"
#include "wasm_inline.h"

/* Vectors of 4 rows in a tile, groups of 4 columns in a block. */
enum { VECS = TILE_ROWS / 4, QUADS = BLOCK_COLS / 4 };
/* (Indices into vectors are unsigned: only then does LLVM turn a constant one into the offset of the
 * load.) */
/* Tiles in lockstep; blocks unpacked at once; tokens whose sums fit the scratch. */
enum { LOCKSTEP = 8, CHUNK_BLOCKS = 32, MAX_TOKENS = 256 };
/* With few tokens the memory is the limit, too. A short chunk is read while the products of the one before
 * are still under way, so that neither waits for the other: 4 tokens from memory, P4 33 -> 46 GMAC/s, P5 28
 * -> 44 (AMD Genoa). */
enum { FEW_TOKENS = 15, FEW_CHUNK_BLOCKS = 4 };

/* A quantised panel kind; a constant in every kernel. */
typedef struct {
    unsigned bits;      /* of a code */
    bool has_min;
    bool super;         /* 8-bit sub-scales under super-block headers */
    unsigned groups;    /* of columns with their own scale in a block: 1, or 2 in P2K, P3K and P6K */
    bool table;         /* codes of 4 bits that are looked up, and are of 8 bits then: quant_iq4_nl + 128 */
    bool bare;          /* panels without scales: 1 / F16E_UNIT each (values of an int8 cache) */
    bool screen;        /* the first plane of 8-bit codes alone, see `screen` in kernels.h */
    PanelFamily panel;  /* how it lies in memory */
} Family;

INLINE Family family(PanelKind kind) {
    PanelFamily f = panel_family(kind);
    bool table = kind == PANEL_P4N;
    return (Family){.bits = table ? 8 : f.bits, .groups = f.groups, .has_min = f.has_min,
        .super = f.has_super, .table = table, .panel = f};
}
INLINE Family first_plane(void) {
    Family f = family(PANEL_P8);
    f.screen = true;
    return f;
}

INLINE bool has_low(Family f) { return panel_has_low(f.panel) && !f.screen; }
/* Sub-scales and sub-mins are multiplied with integers, and only what comes of both groups with the
 * super-block's floats. */
INLINE bool integer_scales(Family f) { return f.groups == 2 && f.has_min; }
INLINE bool is_split(Family f) { return f.bits == 8 && !f.screen && SPLIT_8; }
INLINE size_t run_dots(Family f) {
    size_t n = RUN_DOTS(is_split(f) || f.screen ? 4 : f.bits), most = QUADS / f.groups;
    return n < most ? n : most;
}
/* The number that is subtracted from every code when it is multiplied (from the upper half of a split
 * code). */
INLINE int code_offset(Family f) { return f.has_min ? 0 : is_split(f) || f.screen ? 8 : 1 << (f.bits - 1); }

/* Constants kept in registers, see hidden_i32. */
typedef struct { v128_t first4, low2, bit2, low3, bits23, bit3, bits34, low4, bit4, bits45, low5, low6, f16,
    ones, bare, table, upper_table, lower_table; } Masks;
INLINE Masks load_masks(void) {
    v128_t table = wasm_v128_xor(wasm_v128_load(quant_iq4_nl), wasm_i8x16_splat(-128)),
        low4 = wasm_i8x16_splat(15);
    return (Masks){.first4 = hidden_i32(0x0000000f), .low2 = hidden_i32(0x03030303),
        .bit2 = hidden_i32(0x04040404),
                   .low3 = hidden_i32(0x07070707), .bits23 = hidden_i32(0x0c0c0c0c),
                       .bit3 = hidden_i32(0x08080808),
                   .bits34 = hidden_i32(0x18181818), .low4 = hidden_i32(0x0f0f0f0f),
                       .bit4 = hidden_i32(0x10101010),
                   .bits45 = hidden_i32(0x30303030), .low5 = hidden_i32(0x1f1f1f1f),
                       .low6 = hidden_i32(0x3f3f3f3f), .f16 = hidden_i32(F16_MASK),
                       .ones = hidden_i32(0x00010001),
                   .bare = hidden_f32(1 / F16E_UNIT), .table = keep(table),
                   .upper_table = keep(wasm_v128_and(wasm_u16x8_shr(table, 4), low4)),
                       .lower_table = keep(wasm_v128_and(table, low4))};
}

/* ------------------------------------------------------------------------------------------ codes and scales */

INLINE v128_t high4(v128_t bytes, Masks m) { return wasm_v128_and(wasm_u16x8_shr(bytes, 4), m.low4); }

/* Rows 4v..4v+3 of a block whose codes are not of 4 or 8 bits, as they lie: see panel.h. */
typedef struct { v128_t x[6]; } Raw;

INLINE Raw load_raw(Family f, const uint8_t *block, size_t v) {
    Raw raw = {0};
    if (f.bits % 4 == 0) return raw;
    UNROLL for (size_t i = 0; i < f.bits; i++) raw.x[i] = keep(wasm_v128_load(block + (f.bits * v + i) * 16));
    return raw;
}

/* The code of quad 7 - n (n = 0..2), of the bits that the other codes of 5 bits leave. */
INLINE v128_t last_of_5_bits(Raw raw, size_t n, Masks m) {
    v128_t low = wasm_v128_and(wasm_u16x8_shr(raw.x[2 * (2 - n)], 5), m.low3);
    if (n > 0) return wasm_v128_or(low, wasm_v128_and(wasm_u16x8_shr(raw.x[2 * (2 - n) + 1], 2), m.bits34));
    return wasm_v128_or(low, wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(raw.x[1], 4), m.bit3),
        wasm_v128_and(wasm_u16x8_shr(raw.x[3], 3), m.bit4)));
}

/* The last code of 6 bits of three vectors. */
INLINE v128_t last_of_6_bits(const v128_t x[3], Masks m) {
    return wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(x[0], 6), m.low2),
                        wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(x[1], 4), m.bits23),
                            wasm_v128_and(wasm_u16x8_shr(x[2], 2), m.bits45)));
}

/* The codes of quads j and j + 4 (j = 0..3) of rows 4v..4v+3, all bits, offset included; of split codes the
 * upper halves, and the others in `lows`. `low` is the block in the second plane. (Shifts are of 16-bit
 * lanes: a shift of bytes would build another mask at each use.) */
INLINE void unpack_pair(Family f, const uint8_t *block, const uint8_t *low, size_t v, size_t j,
    Raw raw, Masks m,
                        v128_t codes[2], v128_t lows[2]) {
    if (f.bits == 2) {
        for (size_t half = 0; half < 2; half++)
            codes[half] = wasm_v128_and(j ? wasm_u16x8_shr(raw.x[half], 2 * j) : raw.x[half], m.low2);
        return;
    }
    if (f.bits == 3) {
        for (size_t half = 0; half < 2; half++) {
            v128_t top = wasm_v128_and(wasm_u16x8_shr(raw.x[half], 6), m.low2),
                third = wasm_v128_and(wasm_u16x8_shr(raw.x[2], 4 + half), m.bit2);
            codes[half] = j == 3 ? wasm_v128_or(top, third) : wasm_v128_and(half ? wasm_u16x8_shr(raw.x[j], 3)
                : raw.x[j], m.low3);
        }
        return;
    }
    if (f.bits == 5) {
        codes[0] = wasm_v128_and(raw.x[j], m.low5);
        codes[1] = j == 0 ? wasm_v128_and(raw.x[4], m.low5) : last_of_5_bits(raw, 3 - j, m);
        return;
    }
    if (f.bits == 6) {
        for (size_t half = 0; half < 2; half++)
            codes[half] = j == 3 ? last_of_6_bits(raw.x + 3 * half, m)
                : wasm_v128_and(raw.x[3 * half + j], m.low6);
        return;
    }
    v128_t x = keep(wasm_v128_load(block + (4 * v + j) * 16));
    codes[0] = wasm_v128_and(x, m.low4);
    codes[1] = high4(x, m);
    if (f.table)
        for (size_t half = 0; half < 2; half++) {
            if (is_split(f)) lows[half] = LOOKUP(m.lower_table, codes[half]);
            codes[half] = LOOKUP(is_split(f) ? m.upper_table : m.table, codes[half]);
        }
    if (has_low(f)) {
        v128_t y = keep(wasm_v128_load(low + (4 * v + j) * 16));
        lows[0] = wasm_v128_and(y, m.low4);
        lows[1] = high4(y, m);
        if (!is_split(f))
            for (size_t half = 0; half < 2; half++)
                codes[half] = wasm_v128_or(wasm_i16x8_shl(codes[half], 4), lows[half]);
    }
}

/* The super-block header of one tile: d / F16E_UNIT and -dmin of each row. */
typedef struct { v128_t d[VECS], minus_dmin[VECS]; } Super;

INLINE void load_super(Family f, const uint8_t *header, Masks m, Super *super) {
    for (size_t v = 0; v < VECS; v++) {
        super->d[v] = read_f16(header + 8 * v, m.f16);
        if (f.has_min)
            super->minus_dmin[v] = wasm_f32x4_mul(read_f16(header + PANEL_DMIN_AT + 8 * v, m.f16),
                wasm_f32x4_splat(-F16E_UNIT));
    }
}

/* Of 4 rows in one block, by group: scales / F16E_UNIT; minimum in true size. With integer_scales: sub-scales
 * in 32 bits each, by group; sub-mins in pairs of 16 bits. */
typedef struct { v128_t scale[2], min; } Scales;

INLINE v128_t u8_to_f32(const uint8_t *p) {
    return wasm_f32x4_convert_i32x4(
        wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p))));
}
INLINE v128_t i8_to_f32(const uint8_t *p) {
    return wasm_f32x4_convert_i32x4(
        wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p))));
}

INLINE Scales load_scales(Family f, const uint8_t *block, const Super *super, size_t v, Masks m) {
    const uint8_t *p = block + panel_scale_at(f.panel), *min = block + panel_min_at(f.panel);
    Scales s = {0};
    if (!f.super) {
        s.scale[0] = read_f16(p + 8 * v, m.f16);
        if (f.has_min) s.min = wasm_f32x4_mul(read_f16(min + 8 * v, m.f16), wasm_f32x4_splat(F16E_UNIT));
    } else if (integer_scales(f)) {
        v128_t pairs = wasm_u16x8_load8x8(p + 8 * v);
        s.scale[0] = wasm_v128_and(pairs, m.first4);
        s.scale[1] = wasm_v128_and(wasm_u32x4_shr(pairs, 16), m.first4);
        s.min = wasm_u16x8_shr(pairs, 4);
    } else if (f.has_min) {
        s.scale[0] = wasm_f32x4_mul(super->d[v], u8_to_f32(p + 4 * v));
        s.min = wasm_f32x4_mul(super->minus_dmin[v], u8_to_f32(min + 4 * v));
    } else {
        for (size_t g = 0; g < 2; g++)
            s.scale[g] = wasm_f32x4_mul(super->d[v], i8_to_f32(p + g * panel_scale_bytes(f.panel) + 4 * v));
    }
    return s;
}

/* ------------------------------------------------------------------------------------------ one block's arithmetic
 * Every path is made of these three in this order, so that all give the same bits. */

/* Where the integer sum of a group starts: minus the codes' offset times the sum of its activations. */
INLINE v128_t start_isum(Family f, const ActBlock *x, size_t group) {
    int sum = f.groups == 2 ? x->sum[group] : x->sum[0] + x->sum[1];
    return wasm_i32x4_splat(-code_offset(f) * sum + (f.screen ? screen_middle(x) : 0));
}

INLINE v128_t add_group(v128_t y, v128_t isum, v128_t scale, v128_t x_scale) {
    return MADD(wasm_f32x4_convert_i32x4(isum), wasm_f32x4_mul(scale, x_scale), y);
}

/* The same when screening, with what the products' variance is multiplied with. */
INLINE void add_screened(v128_t isum, v128_t scale, v128_t x_scale, v128_t x_variance, v128_t *y,
    v128_t *variance) {
    v128_t both = wasm_f32x4_mul(scale, x_scale);
    *y = MADD(wasm_f32x4_convert_i32x4(isum), both, *y);
    *variance = MADD(wasm_f32x4_mul(both, both), x_variance, *variance);
}

/* isum * sub-scale: both fit 16 bits, and the upper half of a sub-scale is 0. */
INLINE v128_t sub_scaled(v128_t isum, v128_t sub_scale) { return wasm_i32x4_dot_i16x8(isum, sub_scale); }

/* float(sum q_x) * x_scale, what minimums are multiplied with. With integer_scales: the sums of both groups
 * in 16 bits each. */
INLINE v128_t min_factor(Family f, const ActBlock *x) {
    if (integer_scales(f)) return wasm_i32x4_splat((x->sum[0] & 0xffff) | (int)((unsigned)x->sum[1] << 16));
    return wasm_f32x4_splat((float)(x->sum[0] + x->sum[1]) * (x->scale * (1 / F16E_UNIT)));
}

INLINE v128_t true_scale(const ActBlock *x) { return wasm_f32x4_splat(x->scale * (1 / F16E_UNIT)); }

/* ------------------------------------------------------------------------------------------ one token */

/* A block of activations, in registers. */
typedef struct { v128_t start[2], scale, true_scale, min_factor, variance; Acts quad[QUADS]; } BlockActs;

INLINE BlockActs load_acts(Family f, const ActBlock *x) {
    BlockActs a;
    Staged staged = stage(x);
    UNROLL for (size_t j = 0; j < QUADS; j++) a.quad[j] = acts(&staged, j);
    UNROLL for (size_t g = 0; g < 2; g++) a.start[g] = start_isum(f, x, g);
    a.scale = wasm_v128_load32_splat(&x->scale);
    a.true_scale = true_scale(x);
    a.min_factor = min_factor(f, x);
    a.variance = wasm_f32x4_splat(screen_variance(x));
    return a;
}

/* The integer dot products of rows 4v..4v+3, by group. */
INLINE void block_isums(Family f, const uint8_t *block, const uint8_t *low, size_t v, const BlockActs *a,
    Masks m, v128_t *isum) {
    Raw raw = load_raw(f, block, v);
    v128_t upper = a->start[0], run[2], upper_run;
    UNROLL for (size_t g = 0; g < f.groups; g++) isum[g] = is_split(f) ? wasm_i32x4_splat(0) : a->start[g];
    UNROLL for (size_t j = 0; j < 4; j++) {
        v128_t codes[2], lows[2];
        unpack_pair(f, block, low, v, j, raw, m, codes, lows);
        UNROLL for (size_t half = 0; half < 2; half++) {
            size_t g = f.groups == 2 ? half : 0, nth = f.groups == 2 ? j : 2 * j + half;
            v128_t code = codes[half];
            bool first = nth % run_dots(f) == 0, last = (nth + 1) % run_dots(f) == 0;
            if (is_split(f)) {
                dot(&upper_run, &upper, weights(code), a->quad[4 * half + j], m.ones, first, last);
                code = lows[half];
            }
            dot(&run[g], &isum[g], weights(code), a->quad[4 * half + j], m.ones, first, last);
        }
    }
    if (is_split(f)) isum[0] = wasm_i32x4_add(isum[0], wasm_i32x4_shl(upper, 4));
}

typedef struct {
    v128_t sum[LOCKSTEP][VECS];
    v128_t variance[LOCKSTEP][VECS];
    Super super[LOCKSTEP];
} DecodeScratch;

/* All products of tiles [tile, tile + n_tiles), at most LOCKSTEP, with one token, in s->sum. `ahead` (a
 * constant): fetch the next block meanwhile. */
INLINE void decode_tiles(Family f, const Matrix *w, int tile, int n_tiles, const ActBlock *x,
    DecodeScratch *s, bool ahead) {
    Masks m = load_masks();
    for (int i = 0; i < n_tiles; i++)
        for (size_t v = 0; v < VECS; v++) s->sum[i][v] = s->variance[i][v] = wasm_f32x4_splat(0);
    const uint8_t *column = w->data + tile * w->tile_bytes, *low_column = w->low + tile * w->low_tile_bytes;
    for (int b = 0; b < w->n_cols / BLOCK_COLS; b++, x++, column += panel_block_bytes(f.panel),
        low_column += LOW_BLOCK_BYTES) {
        if (f.super && b % SUPER_BLOCKS == 0) {
            for (int i = 0; i < n_tiles; i++) load_super(f, column + i * w->tile_bytes, m, &s->super[i]);
            column += panel_super_bytes(f.panel);
        }
        BlockActs a = load_acts(f, x);
        for (int i = 0; i < n_tiles; i++) {
            const uint8_t *block = keep_pointer(column + i * w->tile_bytes);
            const uint8_t *low = has_low(f) ? keep_pointer(low_column + i * w->low_tile_bytes) : NULL;
            UNROLL for (size_t v = 0; v < VECS; v++) {
                if (ahead) {
                    prefetch(block + panel_block_bytes(f.panel) + v * 64);
                    if (has_low(f)) prefetch(low + LOW_BLOCK_BYTES + v * 64);
                }
                v128_t isum[2], y = s->sum[i][v];
                block_isums(f, block, low, v, &a, m, isum);
                Scales scales = load_scales(f, block, &s->super[i], v, m);
                if (f.screen) {
                    add_screened(isum[0], scales.scale[0], a.scale, a.variance, &s->sum[i][v],
                        &s->variance[i][v]);
                    continue;
                }
                if (integer_scales(f)) {
                    v128_t total = wasm_i32x4_add(sub_scaled(isum[0], scales.scale[0]),
                        sub_scaled(isum[1], scales.scale[1]));
                    y = add_group(y, total, s->super[i].d[v], a.scale);
                    y = add_group(y, wasm_i32x4_dot_i16x8(scales.min, a.min_factor),
                        s->super[i].minus_dmin[v], a.true_scale);
                } else {
                    for (size_t g = 0; g < f.groups; g++) y = add_group(y, isum[g], scales.scale[g], a.scale);
                    if (f.has_min) y = MADD(scales.min, a.min_factor, y);
                }
                s->sum[i][v] = y;
            }
        }
    }
}

/* ------------------------------------------------------------------------------------------ many tokens */

/* A block of a tile, unpacked: Weights[groups of dots][VECS], then scales[groups][VECS], then minimums[VECS],
 * then with integer scales d[VECS] and -dmin[VECS]. Split codes have the upper halves first. In vectors: */
INLINE size_t dots(Family f) { return is_split(f) ? 2 * QUADS : QUADS; }
INLINE size_t unpacked_scales(Family f) { return dots(f) * VECS * (sizeof(Weights) / sizeof(v128_t)); }
INLINE size_t unpacked_block(Family f) {
    return unpacked_scales(f) + (f.bare ? 0 : f.groups + f.has_min + 2 * integer_scales(f)) * VECS;
}

INLINE void unpack_block(Family f, const uint8_t *block, const uint8_t *low, const Super *super, Masks m,
    v128_t *out) {
    Weights *w = (Weights *)out;
    for (size_t v = 0; v < VECS; v++) {
        Raw raw = load_raw(f, block, v);
        for (size_t j = 0; j < 4; j++) {
            v128_t codes[2], lows[2];
            unpack_pair(f, block, low, v, j, raw, m, codes, lows);
            for (size_t half = 0; half < 2; half++) {
                size_t d = 4 * half + j;
                w[d * VECS + v] = weights(codes[half]);
                if (is_split(f)) w[(QUADS + d) * VECS + v] = weights(lows[half]);
            }
        }
        Scales s = load_scales(f, block, super, v, m);
        for (size_t g = 0; g < f.groups; g++) out[unpacked_scales(f) + g * VECS + v] = s.scale[g];
        v128_t *rest = out + unpacked_scales(f) + f.groups * VECS + v;
        if (f.has_min) rest[0] = s.min;
        if (integer_scales(f)) rest[VECS] = super->d[v], rest[2 * VECS] = super->minus_dmin[v];
    }
}

/* Adds n_blocks unpacked blocks to sum[n][VECS] of n tokens (a constant, 1 or 2) that lie x_stride bytes
 * apart, and when screening to variance[n][VECS]. */
INLINE void prefill_tile(Family f, const v128_t *unpacked, int n_blocks, const ActBlock *x, size_t x_stride,
    int n, Masks m,
                         v128_t *sum, v128_t *variance) {
    const size_t group_dots = dots(f) / f.groups;
    for (int b = 0; b < n_blocks; b++, x++, unpacked += unpacked_block(f)) {
        const Weights *w = keep_pointer(unpacked);
        const v128_t *scale = (const v128_t *)w + unpacked_scales(f), *min = scale + f.groups * VECS;
        const ActBlock *xt[2] = {keep_pointer(x), keep_pointer((const char *)x + x_stride)};
        Staged staged[2];
        UNROLL for (int t = 0; t < n; t++) staged[t] = stage(xt[t]);
        v128_t total[2][VECS];
        UNROLL for (size_t g = 0; g < f.groups; g++) {
            v128_t isum[2][VECS], run[2][VECS];
            UNROLL for (int t = 0; t < n; t++)
                UNROLL for (size_t v = 0; v < VECS; v++) isum[t][v] = start_isum(f, xt[t], g);
            UNROLL for (size_t d = 0; d < group_dots; d++) {
                if (d == QUADS)     /* all upper halves are in */
                    UNROLL for (int i = 0; i < 2 * VECS; i++) isum[i / VECS][i % VECS] =
                        wasm_i32x4_shl(isum[i / VECS][i % VECS], 4);
                Acts a[2];
                UNROLL for (int t = 0; t < n; t++) a[t] = acts(&staged[t], (g * group_dots + d) % QUADS);
                UNROLL for (size_t v = 0; v < VECS; v++) {
                    Weights wv = w[(g * group_dots + d) * VECS + v];
                    UNROLL for (int t = 0; t < n; t++)
                        dot(&run[t][v], &isum[t][v], wv, a[t], m.ones, d % run_dots(f) == 0,
                            (d + 1) % run_dots(f) == 0);
                }
            }
            UNROLL for (int t = 0; t < n; t++) {
                v128_t x_scale = wasm_v128_load32_splat(&xt[t]->scale),
                    x_variance = wasm_f32x4_splat(f.screen ? screen_variance(xt[t]) : 0);
                UNROLL for (size_t v = 0; v < VECS; v++)
                    if (integer_scales(f)) {
                        v128_t scaled = sub_scaled(isum[t][v], scale[g * VECS + v]);
                        total[t][v] = g == 0 ? scaled : wasm_i32x4_add(total[t][v], scaled);
                    } else if (f.screen) {
                        add_screened(isum[t][v], scale[v], x_scale, x_variance, &sum[t * VECS + v],
                            &variance[t * VECS + v]);
                    } else sum[t * VECS + v] = add_group(sum[t * VECS + v], isum[t][v], f.bare ? m.bare
                        : scale[g * VECS + v], x_scale);
            }
        }
        if (f.has_min)
            UNROLL for (int t = 0; t < n; t++) {
                v128_t factor = min_factor(f, xt[t]), x_scale = wasm_v128_load32_splat(&xt[t]->scale),
                    x_true = true_scale(xt[t]);
                UNROLL for (size_t v = 0; v < VECS; v++) {
                    v128_t *y = &sum[t * VECS + v];
                    if (integer_scales(f)) {
                        *y = add_group(*y, total[t][v], min[VECS + v], x_scale);
                        *y = add_group(*y, wasm_i32x4_dot_i16x8(min[v], factor), min[2 * VECS + v], x_true);
                    } else *y = MADD(min[v], factor, *y);
                }
            }
    }
}

typedef struct {
    v128_t sum[MAX_TOKENS * VECS];
    v128_t variance[FEW_TOKENS * VECS];
    v128_t unpacked[CHUNK_BLOCKS * (QUADS * VECS * 2 + 5 * VECS)];
} PrefillScratch;
_Static_assert(sizeof(PrefillScratch) <= MATMUL_SCRATCH && sizeof(DecodeScratch) <= MATMUL_SCRATCH,
    "scratch");

/* All products of one tile with n_tok <= MAX_TOKENS tokens, in s->sum[n_tok][VECS]. Screening takes no more
 * tokens than that. */
INLINE void prefill_one(Family f, const Matrix *w, int tile, const ActBlock *x, size_t x_stride, int n_tok,
    PrefillScratch *s) {
    Masks m = load_masks();
    Super super;
    int n_blocks = w->n_cols / BLOCK_COLS, chunk = n_tok <= FEW_TOKENS ? FEW_CHUNK_BLOCKS : CHUNK_BLOCKS;
    const uint8_t *block = w->data + tile * w->tile_bytes, *low = w->low + tile * w->low_tile_bytes;
    for (int i = 0; i < n_tok * VECS; i++) s->sum[i] = wasm_f32x4_splat(0);
    for (int i = 0; i < n_tok * VECS && f.screen; i++) s->variance[i] = wasm_f32x4_splat(0);
    for (int begin = 0; begin < n_blocks; begin += chunk) {
        int n = n_blocks - begin < chunk ? n_blocks - begin : chunk;
        for (int b = 0; b < n; b++, block += panel_block_bytes(f.panel), low += LOW_BLOCK_BYTES) {
            if (f.super && (begin + b) % SUPER_BLOCKS == 0) {
                load_super(f, block, m, &super);
                block += panel_super_bytes(f.panel);
            }
            unpack_block(f, block, low, &super, m, s->unpacked + b * unpacked_block(f));
        }
        const ActBlock *xt = x + begin;
        v128_t *sum = s->sum, *variance = s->variance;
        int t = 0;
        for (; t + 2 <= n_tok; t += 2, sum += 2 * VECS, variance += 2 * VECS,
            xt = (const ActBlock *)((const char *)xt + 2 * x_stride))
            prefill_tile(f, s->unpacked, n, xt, x_stride, 2, m, sum, variance);
        if (t < n_tok) prefill_tile(f, s->unpacked, n, xt, x_stride, 1, m, sum, variance);
    }
}

/* ------------------------------------------------------------------------------------------ four tokens
 * Four do not earn back what it costs to store unpacked codes and to load them again: here they are used as
 * they come from memory, two vectors of rows and all tokens at a time. (AMD EPYC: P4 41 -> 48 GMAC/s, from
 * memory 36 -> 41. With minimums or super-blocks nothing is won.) */

enum { FOUR = 4 };

INLINE bool goes_by_four(Family f) { return FOUR_AT_ONCE && f.bits == 4 && !f.table && !f.has_min && !f.super; }

/* Adds a block of a tile to sum[FOUR][VECS]. */
INLINE void four_block(Family f, const uint8_t *block, const ActBlock *x, size_t x_stride, Masks m,
    v128_t *sum) {
    const ActBlock *xt[FOUR];
    Staged staged[FOUR];
    v128_t start[FOUR];
    UNROLL for (size_t t = 0; t < FOUR; t++) {
        xt[t] = keep_pointer((const char *)x + t * x_stride);
        staged[t] = stage(xt[t]);
        start[t] = keep(start_isum(f, xt[t], 0));
    }
    UNROLL for (size_t pair = 0; pair < VECS; pair += 2) {
        v128_t run[FOUR][2], isum[FOUR][2];
        UNROLL for (size_t t = 0; t < FOUR; t++) isum[t][0] = isum[t][1] = start[t];
        UNROLL for (size_t j = 0; j < 4; j++) {
            v128_t codes[2][2], lows[2];
            UNROLL for (size_t v = 0; v < 2; v++)
                unpack_pair(f, block, NULL, pair + v, j, (Raw){0}, m, codes[v], lows);
            UNROLL for (size_t half = 0; half < 2; half++)
                UNROLL for (size_t t = 0; t < FOUR; t++) {
                    Acts a = acts(&staged[t], 4 * half + j);
                    size_t nth = 2 * j + half;
                    UNROLL for (size_t v = 0; v < 2; v++)
                        dot(&run[t][v], &isum[t][v], weights(codes[v][half]), a, m.ones,
                            nth % run_dots(f) == 0, (nth + 1) % run_dots(f) == 0);
                }
        }
        UNROLL for (size_t v = 0; v < 2; v++) {
            v128_t scale = load_scales(f, block, NULL, pair + v, m).scale[0];
            UNROLL for (size_t t = 0; t < FOUR; t++) {
                v128_t *y = &sum[t * VECS + pair + v];
                *y = add_group(*y, isum[t][v], scale, wasm_v128_load32_splat(&xt[t]->scale));
            }
        }
    }
}

INLINE void four_tokens(Family f, const Matrix *w, int tile, const ActBlock *x, size_t x_stride, v128_t *sum) {
    Masks m = load_masks();
    const uint8_t *block = w->data + tile * w->tile_bytes;
    for (int i = 0; i < FOUR * VECS; i++) sum[i] = wasm_f32x4_splat(0);
    for (int b = 0; b < w->n_cols / BLOCK_COLS; b++, x++, block += panel_block_bytes(f.panel))
        four_block(f, keep_pointer(block), x, x_stride, m, sum);
}

/* ------------------------------------------------------------------------------------------ the kernels */

/* Writes the sums of one tile and token, without the rows of padding. (Not by memcpy of a length that is not
 * constant: that would be a call out of the module for each tile and token.) */
INLINE void store_rows(const Matrix *w, int tile, const v128_t *sum, float *y) {
    int row = tile * TILE_ROWS, n = w->n_rows - row;
    if (n >= TILE_ROWS) memcpy(y + row, sum, TILE_ROWS * sizeof *y);
    else
        for (int i = 0; i < n; i++) y[row + i] = ((const float *)sum)[i];
}

/* sum[n] = what `screen` promises, from the means and variances of n vectors of rows. */
INLINE void make_bounds(v128_t *sum, const v128_t *variance, int n) {
    for (int i = 0; i < n; i++)
        sum[i] = wasm_f32x4_mul(wasm_f32x4_add(sum[i], wasm_f32x4_sqrt(variance[i])), wasm_f32x4_splat(16));
}

INLINE void matmul_quant(Family f, const Matrix *w, int tile, int n_tiles, const void *x,
    size_t x_stride, int n_tok,
                         float *y, size_t y_stride, void *scratch) {
    int end = tile + n_tiles;
    if (n_tok == 1) {
        DecodeScratch *s = scratch;
        for (int n; tile < end; tile += n) {
            n = end - tile < LOCKSTEP ? end - tile : LOCKSTEP;
            /* Several streams are not faster for it, a single one is: P4 17 -> 20 GB/s, P6K 12 -> 15 (AMD
             * Genoa). */
            if (n == 1) decode_tiles(f, w, tile, 1, x, s, true);
            else decode_tiles(f, w, tile, n, x, s, false);
            if (f.screen) make_bounds(&s->sum[0][0], &s->variance[0][0], n * VECS);
            for (int i = 0; i < n; i++) store_rows(w, tile + i, s->sum[i], y);
        }
        return;
    }
    PrefillScratch *s = scratch;
    const int most = f.screen ? FEW_TOKENS : MAX_TOKENS;
    for (; tile < end; tile++)
        for (int begin = 0, n; begin < n_tok; begin += n) {
            n = n_tok - begin < most ? n_tok - begin : most;
            const ActBlock *xt = (const ActBlock *)((const char *)x + begin * x_stride);
            if (goes_by_four(f) && n == FOUR) four_tokens(f, w, tile, xt, x_stride, s->sum);
            else prefill_one(f, w, tile, xt, x_stride, n, s);
            if (f.screen) make_bounds(s->sum, s->variance, n * VECS);
            for (int t = 0; t < n; t++) store_rows(w, tile, &s->sum[t * VECS], y + (begin + t) * y_stride);
        }
}

/* ------------------------------------------------------------------------------------------ float weights */

/* Rows 4v..4v+3 of the column at p. */
INLINE v128_t load_floats(PanelKind kind, const uint8_t *p, size_t v, Masks m) {
    switch (kind) {
    case PANEL_F16: return wasm_f32x4_mul(read_f16(p + 8 * v, m.f16), wasm_f32x4_splat(F16_UNIT));
    case PANEL_BF16: return wasm_i32x4_shl(wasm_u32x4_load16x4(p + 8 * v), 16);
    default: return wasm_v128_load(p + 16 * v);
    }
}
INLINE size_t column_bytes(PanelKind kind) { return TILE_ROWS * (kind == PANEL_F32 ? 4 : 2); }

/* Adds n_cols columns of a tile to sum[n][VECS] of n tokens (a constant, 1 or 2). */
INLINE void float_tile(PanelKind kind, const uint8_t *columns, int n_cols, const float *x, size_t x_stride,
    int n, Masks m, v128_t *sum) {
    const float *xt[2] = {x, (const float *)((const char *)x + x_stride)};
    v128_t acc[2][VECS];
    for (int t = 0; t < n; t++)
        for (size_t v = 0; v < VECS; v++) acc[t][v] = sum[t * VECS + v];
    for (int k = 0; k < n_cols; k++, columns += column_bytes(kind)) {
        v128_t w[VECS];
        for (size_t v = 0; v < VECS; v++) w[v] = load_floats(kind, columns, v, m);
        for (int t = 0; t < n; t++) {
            v128_t a = wasm_v128_load32_splat(xt[t] + k);
            for (size_t v = 0; v < VECS; v++) acc[t][v] = MADD(w[v], a, acc[t][v]);
        }
    }
    for (int t = 0; t < n; t++)
        for (size_t v = 0; v < VECS; v++) sum[t * VECS + v] = acc[t][v];
}

/* Columns taken at once: of each tile in lockstep; of a tile that all tokens pass, as floats in scratch. */
enum { FLOAT_STEP = 32, FLOAT_CHUNK = 256 };

typedef struct {
    v128_t sum[MAX_TOKENS * VECS];
    v128_t chunk[FLOAT_CHUNK * VECS];
} FloatScratch;
_Static_assert(sizeof(FloatScratch) <= MATMUL_SCRATCH, "scratch");

INLINE void matmul_float(PanelKind kind, const Matrix *w, int tile, int n_tiles, const void *x,
    size_t x_stride, int n_tok,
                         float *y, size_t y_stride, void *scratch) {
    Masks m = load_masks();
    FloatScratch *s = scratch;
    int end = tile + n_tiles, n_cols = w->n_cols;
    if (n_tok == 1) {
        for (int n; tile < end; tile += n) {
            n = end - tile < LOCKSTEP ? end - tile : LOCKSTEP;
            for (int i = 0; i < n * VECS; i++) s->sum[i] = wasm_f32x4_splat(0);
            for (int k = 0; k < n_cols; k += FLOAT_STEP)
                for (int i = 0; i < n; i++)
                    float_tile(kind, w->data + (tile + i) * w->tile_bytes + k * column_bytes(kind),
                               n_cols - k < FLOAT_STEP ? n_cols - k : FLOAT_STEP, (const float *)x + k, 0, 1,
                                   m, &s->sum[i * VECS]);
            for (int i = 0; i < n; i++) store_rows(w, tile + i, &s->sum[i * VECS], y);
        }
        return;
    }
    for (; tile < end; tile++)
        for (int begin = 0, tokens; begin < n_tok; begin += tokens) {
            tokens = n_tok - begin < MAX_TOKENS ? n_tok - begin : MAX_TOKENS;
            for (int i = 0; i < tokens * VECS; i++) s->sum[i] = wasm_f32x4_splat(0);
            for (int k = 0; k < n_cols; k += FLOAT_CHUNK) {
                int n = n_cols - k < FLOAT_CHUNK ? n_cols - k : FLOAT_CHUNK;
                const uint8_t *columns = w->data + tile * w->tile_bytes + k * column_bytes(kind);
                for (int i = 0; i < n; i++)
                    for (size_t v = 0; v < VECS; v++)
                        s->chunk[i * VECS + v] = load_floats(kind, columns + i * column_bytes(kind), v, m);
                const char *xt = (const char *)x + begin * x_stride + (size_t)k * sizeof(float);
                const uint8_t *chunk = (const uint8_t *)s->chunk;
                int t = 0;
                for (; t + 2 <= tokens; t += 2, xt += 2 * x_stride)
                    float_tile(PANEL_F32, chunk, n, (const float *)xt, x_stride, 2, m, &s->sum[t * VECS]);
                if (t < tokens) float_tile(PANEL_F32, chunk, n, (const float *)xt, x_stride, 1, m,
                    &s->sum[t * VECS]);
            }
            for (int t = 0; t < tokens; t++)
                store_rows(w, tile, &s->sum[t * VECS], y + (begin + t) * y_stride);
        }
}

/* Defines matmul_<name>_<isa> for every kind, and screen_<isa>. */
#define MATMUL_KERNELS(isa) \
    MATMUL_KERNEL(matmul_p2k_##isa,  matmul_quant, family(PANEL_P2K)) \
    MATMUL_KERNEL(matmul_p3k_##isa,  matmul_quant, family(PANEL_P3K)) \
    MATMUL_KERNEL(matmul_p4_##isa,   matmul_quant, family(PANEL_P4)) \
    MATMUL_KERNEL(matmul_p4n_##isa,  matmul_quant, family(PANEL_P4N)) \
    MATMUL_KERNEL(matmul_p4m_##isa,  matmul_quant, family(PANEL_P4M)) \
    MATMUL_KERNEL(matmul_p4k_##isa,  matmul_quant, family(PANEL_P4K)) \
    MATMUL_KERNEL(matmul_p5_##isa,   matmul_quant, family(PANEL_P5)) \
    MATMUL_KERNEL(matmul_p5m_##isa,  matmul_quant, family(PANEL_P5M)) \
    MATMUL_KERNEL(matmul_p5k_##isa,  matmul_quant, family(PANEL_P5K)) \
    MATMUL_KERNEL(matmul_p6k_##isa,  matmul_quant, family(PANEL_P6K)) \
    MATMUL_KERNEL(matmul_p8_##isa,   matmul_quant, family(PANEL_P8)) \
    MATMUL_KERNEL(screen_##isa,      matmul_quant, first_plane()) \
    MATMUL_KERNEL(matmul_f16_##isa,  matmul_float, PANEL_F16) \
    MATMUL_KERNEL(matmul_bf16_##isa, matmul_float, PANEL_BF16) \
    MATMUL_KERNEL(matmul_f32_##isa,  matmul_float, PANEL_F32)

#define MATMUL_KERNEL(name, inlined, description) \
    void name(const Matrix *w, int tile, int n_tiles, const void *x, size_t x_stride, int n_tok, \
              float *y, size_t y_stride, void *scratch) { \
        inlined(description, w, tile, n_tiles, x, x_stride, n_tok, y, y_stride, scratch); \
    }

#endif
