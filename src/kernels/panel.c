/* panel.c: the sizes of matrices, from the geometry that panel.h says. */
#include "panel.h"

static size_t tile_bytes(PanelKind kind, int n_cols) {
    if (kind >= PANEL_FIRST_FLOAT) return (size_t)n_cols * panel_column_bytes(kind);
    PanelFamily f = panel_family(kind);
    size_t n_blocks = (size_t)n_cols / BLOCK_COLS;
    return n_blocks * panel_block_bytes(f) + n_blocks / SUPER_BLOCKS * panel_super_bytes(f);
}

static size_t low_tile_bytes(PanelKind kind, int n_cols) {
    return panel_has_low(panel_family(kind)) ? (size_t)(n_cols / BLOCK_COLS) * LOW_BLOCK_BYTES : 0;
}

Matrix panel_matrix(PanelKind kind, int n_rows, int n_cols, const uint8_t *data) {
    Matrix m = {.kind = kind, .n_rows = n_rows, .n_cols = n_cols,
        .tile_bytes = tile_bytes(kind, n_cols), .data = data,
                .low_tile_bytes = low_tile_bytes(kind, n_cols)};
    m.low = data + (size_t)matrix_tiles(&m) * m.tile_bytes;
    return m;
}

uint64_t panel_matrix_bytes(PanelKind kind, int n_rows, int n_cols) {
    uint64_t n_tiles = (uint64_t)((n_rows + TILE_ROWS - 1) / TILE_ROWS);
    return n_tiles * (tile_bytes(kind, n_cols) + low_tile_bytes(kind, n_cols));
}
