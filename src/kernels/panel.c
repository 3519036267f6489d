/* panel.c: the sizes of the panel layouts drawn in panel.h. */
#include "panel.h"

const PanelInfo panel_info[PANEL_KINDS] = {
    [PANEL_P2K]  = {.block_bytes = 160, .super_bytes = 64, .code_bits = 2},
    [PANEL_P3K]  = {.block_bytes = 224, .super_bytes = 32, .code_bits = 3},
    [PANEL_P4]   = {.block_bytes = 288, .super_bytes = 0,  .code_bits = 4},
    [PANEL_P4N]  = {.block_bytes = 288, .super_bytes = 0,  .code_bits = 4},
    [PANEL_P4M]  = {.block_bytes = 320, .super_bytes = 0,  .code_bits = 4},
    [PANEL_P4K]  = {.block_bytes = 288, .super_bytes = 64, .code_bits = 4},
    [PANEL_P5]   = {.block_bytes = 352, .super_bytes = 0,  .code_bits = 5},
    [PANEL_P5M]  = {.block_bytes = 384, .super_bytes = 0,  .code_bits = 5},
    [PANEL_P5K]  = {.block_bytes = 352, .super_bytes = 64, .code_bits = 5},
    [PANEL_P6K]  = {.block_bytes = 416, .super_bytes = 32, .code_bits = 6},
    [PANEL_P8]   = {.block_bytes = 288, .super_bytes = 0,  .code_bits = 8},
    [PANEL_F16]  = {.block_bytes = 32,  .super_bytes = 0,  .code_bits = 16},
    [PANEL_BF16] = {.block_bytes = 32,  .super_bytes = 0,  .code_bits = 16},
    [PANEL_F32]  = {.block_bytes = 64,  .super_bytes = 0,  .code_bits = 32},
};

static size_t tile_bytes(PanelKind kind, int n_cols) {
    const PanelInfo *info = &panel_info[kind];
    if (kind >= PANEL_FIRST_FLOAT)
        return (size_t)n_cols * info->block_bytes;
    size_t n_blocks = n_cols / BLOCK_COLS;
    return n_blocks * info->block_bytes + n_blocks / SUPER_BLOCKS * info->super_bytes;
}

static size_t low_tile_bytes(PanelKind kind, int n_cols) { return kind == PANEL_P8 ? (size_t)(n_cols / BLOCK_COLS) * LOW_BLOCK_BYTES : 0; }

Matrix panel_matrix(PanelKind kind, int n_rows, int n_cols, const uint8_t *data) {
    Matrix m = {.kind = kind, .n_rows = n_rows, .n_cols = n_cols, .tile_bytes = tile_bytes(kind, n_cols), .data = data,
                .low_tile_bytes = low_tile_bytes(kind, n_cols)};
    m.low = data + (size_t)matrix_tiles(&m) * m.tile_bytes;
    return m;
}

uint64_t panel_matrix_bytes(PanelKind kind, int n_rows, int n_cols) {
    uint64_t n_tiles = (uint64_t)((n_rows + TILE_ROWS - 1) / TILE_ROWS);
    return n_tiles * (tile_bytes(kind, n_cols) + low_tile_bytes(kind, n_cols));
}
