/* A packed row is, bit for bit, the file's row: every weight type and scale, whole and partial tiles. */
#include "pack.h"
#include "test.h"

static const QuantType types[] = {QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q4_0, QUANT_Q4_1, QUANT_Q5_0,
    QUANT_Q5_1, QUANT_Q8_0,
                                  QUANT_IQ4_NL, QUANT_Q2_K, QUANT_Q3_K, QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K};
enum { N_TYPES = sizeof types / sizeof *types, N_COLS = 512, MOST_ROWS = 35 };

/* Byte offsets of a block's halves; -1: none. */
static void halves(QuantType type, int at[2]) {
    at[0] = type == QUANT_Q6_K ? 208 : type == QUANT_Q3_K ? 108 : type == QUANT_Q2_K ? 80 : 0;
    at[1] = type == QUANT_Q4_1 || type == QUANT_Q5_1 || type == QUANT_Q4_K || type == QUANT_Q5_K ? 2
        : type == QUANT_Q2_K ? 82 : -1;
}

/* Random bytes whose halves are finite and below 64: about one in four is subnormal or zero. */
static void random_rows(QuantType type, uint8_t *rows, int n_rows, uint64_t *state) {
    const QuantInfo *info = quant_info(type);
    size_t n = quant_row_bytes(type, N_COLS) * (size_t)n_rows;
    if (info->block == 1) {
        for (size_t i = 0; i < n; i += (size_t)info->bytes) {
            float x = test_random_float(state) * (test_random(state) % 4 ? 1 : 1e-6f);
            quant_encode_row(type, &x, rows + i, 1);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) rows[i] = (uint8_t)test_random(state);
    int at[2];
    halves(type, at);
    for (size_t i = 0; i < n; i += (size_t)info->bytes) {
        for (int h = 0; h < 2; h++) {
            if (at[h] < 0) continue;
            uint16_t bits = f32_to_f16(63 * test_random_float(state) * (test_random(state) % 4 ? 1 : 1e-7f));
            memcpy(rows + i + at[h], &bits, 2);
        }
    }
}

/* Packs the rows and compares what comes back with what the file says; rows that fill up the last tile have
 * zero weights. */
static void check_rows(QuantType type, const uint8_t *rows, int n_rows, int n_cols) {
    size_t row_bytes = quant_row_bytes(type, n_cols), n_bytes = pack_bytes(type, n_rows, n_cols);
    uint8_t *data = malloc(n_bytes);
    memset(data, 0xff, n_bytes);
    Matrix m = panel_matrix(pack_kind(type), n_rows, n_cols, data);
    for (int tile = 0; tile < matrix_tiles(&m); tile++) {
        PackFault fault;
        int first = tile * TILE_ROWS, n = n_rows - first < TILE_ROWS ? n_rows - first : TILE_ROWS;
        CHECK(pack_tile(type, rows + (size_t)first * row_bytes, n, &m, tile, &fault));
    }
    int wrong = 0;
    for (int r = 0; r < matrix_tiles(&m) * TILE_ROWS; r++) {
        float want[N_COLS], got[N_COLS];
        unpack_row(&m, r, got);
        if (r < n_rows) {
            quant_decode_row(type, rows + (size_t)r * row_bytes, want, n_cols);
            for (int k = 0; k < n_cols; k++) wrong += memcmp(want + k, got + k, sizeof *want) != 0;
        } else {
            for (int k = 0; k < n_cols; k++) wrong += got[k] != 0;
        }
    }
    if (wrong) TEST_FAIL("%s, %d rows of %d: %d weights differ", quant_type_name(type), n_rows,
        n_cols, wrong);
    free(data);
}

TEST(rows_survive_bit_for_bit) {
    uint64_t state = 1;
    uint8_t *rows = malloc(MOST_ROWS * N_COLS * 4);
    for (int t = 0; t < N_TYPES; t++) {
        for (int n_rows = 1; n_rows <= MOST_ROWS; n_rows++) {
            random_rows(types[t], rows, n_rows, &state);
            check_rows(types[t], rows, n_rows, N_COLS);
            check_rows(types[t], rows, n_rows, quant_info(types[t])->block == 1 ? 33 + n_rows : 256);
        }
    }
    free(rows);
}

/* Q4_1 has a scale and a minimum of every value in turn: zeros, subnormals, the smallest and the largest that
 * a panel holds. */
TEST(every_scale_below_64_survives) {
    enum { TILE_BLOCKS = TILE_ROWS * N_COLS / BLOCK_COLS, LARGEST = 0x53ff };
    static uint8_t rows[TILE_BLOCKS * 20];
    uint64_t state = 4;
    for (int first = 0; first <= LARGEST; first += TILE_BLOCKS) {
        for (int i = 0; i < TILE_BLOCKS; i++) {
            int h = first + i < LARGEST ? first + i : LARGEST;
            uint16_t halves[2] = {(uint16_t)(h | i % 2 << 15), (uint16_t)((LARGEST - h) | i / 2 % 2 << 15)};
            memcpy(rows + i * 20, halves, 4);
            for (int k = 4; k < 20; k++) rows[i * 20 + k] = (uint8_t)test_random(&state);
        }
        check_rows(QUANT_Q4_1, rows, TILE_ROWS, N_COLS);
    }
}

/* A scale that is infinite, no number, or too large for the panel is told with its place. */
TEST(bad_scales_are_refused_with_their_place) {
    static const uint16_t bad[] = {0x7c00, 0xfc00, 0x7e00, 0x5400};     /* inf, -inf, NaN, 64 */
    static uint8_t rows[TILE_ROWS * N_COLS * 4], tile[TILE_ROWS * N_COLS * 4];
    for (int t = 0; t < N_TYPES; t++) {
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            QuantType type = types[t];
            const QuantInfo *info = quant_info(type);
            if (info->block == 1) continue;
            uint64_t state = 2;
            random_rows(type, rows, TILE_ROWS, &state);
            int at[2];
            halves(type, at);
            memcpy(rows + 3 * quant_row_bytes(type, N_COLS) + (size_t)info->bytes + at[b % 2 && at[1] >= 0],
                &bad[b], 2);
            PackFault fault = {-1, -1, 0};
            Matrix m = panel_matrix(pack_kind(type), TILE_ROWS, N_COLS, tile);
            CHECK(!pack_tile(type, rows, TILE_ROWS, &m, 0, &fault));
            CHECK_INT(fault.row, 3);
            CHECK_INT(fault.col, info->block);
        }
    }
}

/* Of several bad scales the leftmost is told, then the uppermost, then the block's own before its minimum. */
TEST(the_first_bad_scale_is_told) {
    static uint8_t rows[TILE_ROWS * N_COLS], tile[TILE_ROWS * N_COLS * 2];
    static const struct { int row, block, half; } in_order[] = {{9, 0, 0}, {9, 0, 1}, {2, 1, 1},
        {3, 1, 0}, {15, 1, 0}};
    enum { N = sizeof in_order / sizeof *in_order };
    uint64_t state = 5;
    size_t bytes = 144, row_bytes = quant_row_bytes(QUANT_Q4_K, N_COLS);
    Matrix m = panel_matrix(PANEL_P4K, TILE_ROWS, N_COLS, tile);
    random_rows(QUANT_Q4_K, rows, TILE_ROWS, &state);
    for (int i = N - 1; i >= 0; i--) {
        uint16_t bad = f32_to_f16((float)(64 + i));
        memcpy(rows + (size_t)in_order[i].row * row_bytes + (size_t)in_order[i].block * bytes
            + 2 * in_order[i].half, &bad, 2);
        PackFault fault = {-1, -1, 0};
        CHECK(!pack_tile(QUANT_Q4_K, rows, TILE_ROWS, &m, 0, &fault));
        CHECK_INT(fault.row, in_order[i].row);
        CHECK_INT(fault.col, in_order[i].block * 256);
        CHECK(fault.value == (float)(64 + i));
    }
}

TEST(float_weights_must_be_finite) {
    static const QuantType floats[] = {QUANT_F32, QUANT_F16, QUANT_BF16};
    static uint8_t rows[TILE_ROWS * N_COLS * 4], tile[TILE_ROWS * N_COLS * 4];
    for (int t = 0; t < 3; t++) {
        uint64_t state = 3;
        random_rows(floats[t], rows, TILE_ROWS, &state);
        float nan = NAN;
        quant_encode_row(floats[t], &nan, rows + 5 * quant_row_bytes(floats[t], N_COLS)
            + 7 * (size_t)quant_info(floats[t])->bytes, 1);
        PackFault fault = {-1, -1, 0};
        Matrix m = panel_matrix(pack_kind(floats[t]), TILE_ROWS, N_COLS, tile);
        CHECK(!pack_tile(floats[t], rows, TILE_ROWS, &m, 0, &fault));
        CHECK_INT(fault.row, 5);
        CHECK_INT(fault.col, 7);
        CHECK(isnan(fault.value));
    }
}

int main(void) {
    RUN(rows_survive_bit_for_bit);
    RUN(every_scale_below_64_survives);
    RUN(bad_scales_are_refused_with_their_place);
    RUN(the_first_bad_scale_is_told);
    RUN(float_weights_must_be_finite);
    return test_result();
}
