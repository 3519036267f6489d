/* A packed row is, bit for bit, the file's row: every weight type, whole and partial tiles. */
#include "pack.h"
#include "test.h"

static const QuantType types[] = {QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q4_0, QUANT_Q4_1, QUANT_Q5_0, QUANT_Q5_1, QUANT_Q8_0,
                                  QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K};
enum { N_TYPES = sizeof types / sizeof *types, N_COLS = 512, MOST_ROWS = 35 };

/* Byte offsets of a block's halves; -1: none. */
static void halves(QuantType type, int at[2]) {
    at[0] = type == QUANT_Q6_K ? 208 : 0;
    at[1] = type == QUANT_Q4_1 || type == QUANT_Q5_1 || type == QUANT_Q4_K || type == QUANT_Q5_K ? 2 : -1;
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

TEST(rows_survive_bit_for_bit) {
    uint64_t state = 1;
    uint8_t *rows = malloc(MOST_ROWS * N_COLS * 4);
    for (int t = 0; t < N_TYPES; t++) {
        for (int n_rows = 1; n_rows <= MOST_ROWS; n_rows += 17) {
            QuantType type = types[t];
            size_t row_bytes = quant_row_bytes(type, N_COLS);
            random_rows(type, rows, n_rows, &state);
            uint8_t *data = malloc(pack_bytes(type, n_rows, N_COLS));
            Matrix m = {pack_kind(type), n_rows, N_COLS, panel_tile_bytes(pack_kind(type), N_COLS), data};
            for (int tile = 0; tile < matrix_tiles(&m); tile++) {
                PackFault fault;
                int first = tile * TILE_ROWS, n = n_rows - first < TILE_ROWS ? n_rows - first : TILE_ROWS;
                CHECK(pack_tile(type, rows + (size_t)first * row_bytes, n, N_COLS, data + (size_t)tile * m.tile_bytes, &fault));
            }
            int wrong = 0;
            for (int r = 0; r < n_rows; r++) {
                float want[N_COLS], got[N_COLS];
                quant_decode_row(type, rows + (size_t)r * row_bytes, want, N_COLS);
                unpack_row(&m, r, got);
                for (int k = 0; k < N_COLS; k++) wrong += want[k] != got[k];
            }
            if (wrong) TEST_FAIL("%s, %d rows: %d weights differ", quant_type_name(type), n_rows, wrong);
            free(data);
        }
    }
    free(rows);
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
            memcpy(rows + 3 * quant_row_bytes(type, N_COLS) + (size_t)info->bytes + at[b % 2 && at[1] >= 0], &bad[b], 2);
            PackFault fault = {-1, -1, 0};
            CHECK(!pack_tile(type, rows, TILE_ROWS, N_COLS, tile, &fault));
            CHECK_INT(fault.row, 3);
            CHECK_INT(fault.col, info->block);
        }
    }
}

TEST(float_weights_must_be_finite) {
    static const QuantType floats[] = {QUANT_F32, QUANT_F16, QUANT_BF16};
    static uint8_t rows[TILE_ROWS * N_COLS * 4], tile[TILE_ROWS * N_COLS * 4];
    for (int t = 0; t < 3; t++) {
        uint64_t state = 3;
        random_rows(floats[t], rows, TILE_ROWS, &state);
        float nan = NAN;
        quant_encode_row(floats[t], &nan, rows + 5 * quant_row_bytes(floats[t], N_COLS) + 7 * (size_t)quant_info(floats[t])->bytes, 1);
        PackFault fault = {-1, -1, 0};
        CHECK(!pack_tile(floats[t], rows, TILE_ROWS, N_COLS, tile, &fault));
        CHECK_INT(fault.row, 5);
        CHECK_INT(fault.col, 7);
        CHECK(isnan(fault.value));
    }
}

int main(void) {
    RUN(rows_survive_bit_for_bit);
    RUN(bad_scales_are_refused_with_their_place);
    RUN(float_weights_must_be_finite);
    return test_result();
}
