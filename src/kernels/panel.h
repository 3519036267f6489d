/* panel.h: how weights lie in memory once packed: the contract between pack.c, which writes panels, and the
 * kernels, which read them. Knows no tensors, files or threads.
 *
 * A matrix [n_rows, n_cols] (n_cols contiguous in the file) is cut into tiles of 16 rows; the last one is
 * padded with rows of zero weights. Tiles follow each other. Inside a quantised tile come n_cols / 32 blocks
 * of 32 columns:
 *
 *   family   file types          a block of 16 rows x 32 columns, bytes                            super
 *   P2K      Q2_K                codes 128, sub-scales and sub-mins 16 x 2 x u8                      160  B  + 64 per 8 blocks
 *   P3K      Q3_K                codes 192, sub-scale 2 x 16 x i8                                    224  B  + 32 per 8 blocks
 *   P4       Q4_0                codes 256, scale 16 x f16e                                          288  B
 *   P4N      IQ4_NL              codes 256, scale 16 x f16e                                          288  B
 *   P4M      Q4_1                codes 256, scale 16 x f16e, min 16 x f16e                           320  B
 *   P4K      Q4_K                codes 256, sub-scale 16 x u8, sub-min 16 x u8                       288  B  + 64 per 8 blocks
 *   P5       Q5_0                codes 320, scale 16 x f16e                                          352  B
 *   P5M      Q5_1                codes 320, scale 16 x f16e, min 16 x f16e                           384  B
 *   P5K      Q5_K                codes 320, sub-scale 16 x u8, sub-min 16 x u8                       352  B  + 64 per 8 blocks
 *   P6K      Q6_K                codes 384, sub-scale 2 x 16 x i8                                    416  B  + 32 per 8 blocks
 *   P8       Q8_0                upper halves of codes 256, scale 16 x f16e                          288  B   + 256 in a second plane
 *
 * The K families put a super-block header before each 8 blocks: d 16 x f16e and, in P2K, P4K and P5K, dmin 16
 * x f16e.
 *
 * codes, 4 bits: 16 vectors (v, j), v = 0..3 (which 4 rows) outermost, j = 0..3. Byte 4r + c of vector (v, j)
 * belongs to row
 *     4v + r: its low nibble is column 4j + c, its high nibble column 16 + 4j + c. So an i32 lane is a row, and four
 *     neighbouring columns lie in its bytes, as a byte dot product wants them.
 *
 *       byte   0    1    2    3  |  4    5    6    7  | ...                    (v, j) = (0, 0)
 *       row    0    0    0    0  |  1    1    1    1  | ...
 *       low    k0   k1   k2   k3 |  k0   k1   k2   k3 | ...
 *       high   k16  k17  k18  k19|  k16  k17  ...
 *
 * codes of 5, 6 and 3 bits: most lie where one mask finds them, and the bits that are left over make the
 * others. In the following,
 *     byte 4r + c of a vector (v, i) is of row 4v + r, and k_n is the code of column 4n + c.
 * codes, 5 bits: 20 vectors (v, i), i = 0..4.
 *
 *       bits       7       6, 5          4..0
 *       (v, 0)     k5, bits 2..0         k0
 *       (v, 1)     k7, 3   k5, bits 4, 3 k1
 *       (v, 2)     k6, bits 2..0         k2
 *       (v, 3)     k7, 4   k6, bits 4, 3 k3
 *       (v, 4)     k7, bits 2..0         k4
 *
 * codes, 6 bits: 24 vectors (v, 3 half + i), i = 0..2: the lower 6 bits are k_(4 half + i), the others bits
 * 2i + 1, 2i of k_(4 half + 3). codes, 2 bits: 8 vectors (v, half). Byte 4r + c of (v, half): bits 2j, 2j + 1
 * are the code of row 4v + r, column 16 half + 4j + c. After
 *     them bytes 2r and 2r + 1 belong to row r, columns 0..15 and 16..31: a sub-scale in the low nibble, a
 *     sub-min in the high one.
 * codes, 3 bits: 12 vectors (v, i), i = 0..2.
 *
 *       bits       7       6       5..3   2..0
 *       (v, 0)     k3, bits 1, 0   k4     k0
 *       (v, 1)     k7, bits 1, 0   k5     k1
 *       (v, 2)     k7, 2   k3, 2   k6     k2
 *
 * codes, 8 bits: two planes. The upper four bits of weight + 128 lie as the codes of P4, with the scales; the
 * lower four bits of all
 *     tiles come after that, 256 bytes a block, in the same order. So the first plane alone is a matrix of
 *     half the bytes, from which a row's product can be told to within a bound: see `screen` in kernels.h.
 *
 * The meaning of a code q, with a scale s and, where there is one, a minimum m of its row and group of
 * columns:
 *
 *   P2K       w = (d * sub-scale) * q - (dmin * sub-min), groups of 16 as P6K
 *   P3K       w = (d * sub-scale) * (q - 4), groups of 16 as P6K
 *   P4N       w = s * quant_iq4_nl[q]
 *   P4        w = s * (q - 8)
 *   P5        w = s * (q - 16)
 *   P8        w = s * (q - 128)
 *   P4M, P5M  w = s * q + m
 *   P4K, P5K  w = (d * sub-scale) * q - (dmin * sub-min)
 *   P6K       w = (d * sub-scale) * (q - 32), groups of 16: sub-scale 0 columns 0..15, 1 columns 16..31
 *
 * These are, bit for bit, the values that the file's format defines (products d * sub-scale are exact in
 * f32).
 *
 * f16e: a half with its exponent raised by 10 (bias 25): value = f16 bits read with f32's bias, times 2^102.
 * A half that was subnormal in the file becomes a normal number, since widening subnormals costs a hundred
 * cycles each; in return magnitudes of 64 and more cannot be stored, and pack.c refuses them.
 *
 * Float matrices (F16, BF16, F32 as in the file): a tile holds, for each column k, the 16 rows' values. */
#ifndef PANEL_H
#define PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TILE_ROWS = 16, BLOCK_COLS = 32, SUPER_BLOCKS = 8 };

typedef enum {
    /* int8 activations */
    PANEL_P2K, PANEL_P3K, PANEL_P4, PANEL_P4N, PANEL_P4M, PANEL_P4K, PANEL_P5, PANEL_P5M, PANEL_P5K,
        PANEL_P6K, PANEL_P8,
    /* float ones */
    PANEL_F16, PANEL_BF16, PANEL_F32,
    PANEL_KINDS,
    PANEL_FIRST_FLOAT = PANEL_F16,
} PanelKind;

/* The geometry of a quantised family: all sizes, and where the parts of a block lie, follow from it. A
 * constant wherever a kernel or a packer is inlined with a constant kind. */
typedef struct {
    unsigned bits;          /* of a code */
    unsigned groups;        /* of columns that have a scale of their own in a block */
    bool has_min;
    bool has_super;         /* small integers under a super-block header in place of f16e: its d and, with
                             * minimums, its dmin */
} PanelFamily;

static inline PanelFamily panel_family(PanelKind kind) {
    switch (kind) {
    case PANEL_P2K: return (PanelFamily){.bits = 2, .groups = 2, .has_min = true, .has_super = true};
    case PANEL_P3K: return (PanelFamily){.bits = 3, .groups = 2, .has_super = true};
    case PANEL_P4: case PANEL_P4N: return (PanelFamily){.bits = 4, .groups = 1};
    case PANEL_P4M: return (PanelFamily){.bits = 4, .groups = 1, .has_min = true};
    case PANEL_P4K: return (PanelFamily){.bits = 4, .groups = 1, .has_min = true, .has_super = true};
    case PANEL_P5: return (PanelFamily){.bits = 5, .groups = 1};
    case PANEL_P5M: return (PanelFamily){.bits = 5, .groups = 1, .has_min = true};
    case PANEL_P5K: return (PanelFamily){.bits = 5, .groups = 1, .has_min = true, .has_super = true};
    case PANEL_P6K: return (PanelFamily){.bits = 6, .groups = 2, .has_super = true};
    case PANEL_P8: return (PanelFamily){.bits = 8, .groups = 1};
    default: return (PanelFamily){0};
    }
}

/* Codes of 8 bits have a second plane. */
static inline bool panel_has_low(PanelFamily f) { return f.bits == 8; }
enum { LOW_BLOCK_BYTES = TILE_ROWS * BLOCK_COLS / 2 };

/* In a block, the codes come first. Then scales: f16e, or of each group a byte; then minimums in the same
 * form. (P2K: see its codes.) */
static inline size_t panel_scale_at(PanelFamily f) {
    return TILE_ROWS * BLOCK_COLS * (panel_has_low(f) ? 4 : f.bits) / 8;
}
static inline size_t panel_scale_bytes(PanelFamily f) { return f.has_super ? TILE_ROWS : 2 * TILE_ROWS; }
static inline size_t panel_min_at(PanelFamily f) { return panel_scale_at(f) + panel_scale_bytes(f); }
static inline size_t panel_block_bytes(PanelFamily f) {
    return panel_scale_at(f) + panel_scale_bytes(f) * (f.has_min ? 2 : f.groups);
}

/* In a super-block header, d comes first; then dmin. */
enum { PANEL_DMIN_AT = 2 * TILE_ROWS };
static inline size_t panel_super_bytes(PanelFamily f) {
    return !f.has_super ? 0 : f.has_min ? 2 * PANEL_DMIN_AT : PANEL_DMIN_AT;
}

/* In a quantised tile, where the header of block b's super-block lies, and the block. */
static inline size_t panel_super_at(PanelFamily f, int b) {
    return (size_t)(b / SUPER_BLOCKS) * (panel_super_bytes(f) + SUPER_BLOCKS * panel_block_bytes(f));
}
static inline size_t panel_block_at(PanelFamily f, int b) {
    return panel_super_at(f, b) + panel_super_bytes(f) + (size_t)(b % SUPER_BLOCKS) * panel_block_bytes(f);
}

/* Of a float matrix: bytes of one column of a tile. */
static inline size_t panel_column_bytes(PanelKind kind) {
    return kind == PANEL_F32 ? 4 * TILE_ROWS : 2 * TILE_ROWS;
}

/* Kernels read ahead: this many bytes after a matrix must be readable. */
enum { PANEL_OVERREAD = 2048 };

/* A packed matrix. Immutable, 16-byte aligned. */
typedef struct {
    PanelKind kind;
    int n_rows, n_cols;
    size_t tile_bytes;          /* from one tile to the next */
    const uint8_t *data;        /* [ceil(n_rows / 16)] tiles */
    size_t low_tile_bytes;      /* the same of the second plane; 0 without one */
    const uint8_t *low;
} Matrix;

/* The matrix that lies at `data`, and its bytes. */
Matrix panel_matrix(PanelKind kind, int n_rows, int n_cols, const uint8_t *data);
uint64_t panel_matrix_bytes(PanelKind kind, int n_rows, int n_cols);
static inline int matrix_tiles(const Matrix *m) { return (m->n_rows + TILE_ROWS - 1) / TILE_ROWS; }
/* Of a tile, both planes. */
static inline size_t matrix_tile_bytes(const Matrix *m) { return m->tile_bytes + m->low_tile_bytes; }

/* What f16e bits must be multiplied with after reading them with f32's exponent bias; quantised activations
 * carry it in their scale, so that kernels need not. */
#define F16E_UNIT 0x1p102f

/* 32 activations as int8: x = q * scale / F16E_UNIT. */
typedef struct {
    int8_t q[BLOCK_COLS];       /* -127..127 */
    float scale;                /* (largest magnitude / 127) * F16E_UNIT; 0 for a block of zeros */
    int32_t sum[2];             /* of q[0..15] and of q[16..31] */
    int32_t squares;            /* sum of q * q */
} ActBlock;

#endif
