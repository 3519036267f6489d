/* random.c: random weights in the place of a file's, for benchmarks: as many bytes, as much work, finite
 * results. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "model.h"

/* xorshift64: fast, and any non-zero state is good enough to give each block other bytes. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void random_bytes(uint8_t *p, size_t n, uint64_t *state) {
    for (size_t i = 0; i < n; i += 8) {
        uint64_t r = next_random(state);
        memcpy(p + i, &r, n - i < 8 ? n - i : 8);
    }
}

/* Where the f16 scales of a block lie, and the standard deviation of what they multiply. */
typedef struct {
    int scale, min;         /* byte offsets; min -1: none */
    float spread;
} BlockScales;

static BlockScales block_scales(QuantType type) {
    switch (type) {
    case QUANT_Q4_0: return (BlockScales){0, -1, 4.6f};
    case QUANT_Q4_1: return (BlockScales){0, 2, 4.6f};
    case QUANT_Q5_0: return (BlockScales){0, -1, 9.2f};
    case QUANT_Q5_1: return (BlockScales){0, 2, 9.2f};
    case QUANT_Q8_0: return (BlockScales){0, -1, 74};
    case QUANT_IQ4_NL: return (BlockScales){0, -1, 67};
    case QUANT_Q2_K: return (BlockScales){80, 82, 9.8f};
    case QUANT_Q3_K: return (BlockScales){108, -1, 42};
    case QUANT_Q4_K: return (BlockScales){0, 2, 170};
    case QUANT_Q5_K: return (BlockScales){0, 2, 340};
    default: return (BlockScales){208, -1, 1370};       /* Q6_K */
    }
}

/* Weights of a standard deviation near 1 / sqrt(n_cols), in the file's layout. The sign of each scale is
 * random: codes have a mean. */
static void random_row(QuantType type, uint8_t *row, int n_cols, uint64_t *state) {
    float spread = 1 / sqrtf((float)n_cols);
    if (quant_info(type)->block == 1) {
        size_t size = (size_t)quant_info(type)->bytes;
        for (int i = 0; i < n_cols; i++) {
            float x = spread * ((float)(next_random(state) >> 40) * 0x1p-23f - 1);
            quant_encode_row(type, &x, row + (size_t)i * size, 1);
        }
        return;
    }
    BlockScales s = block_scales(type);
    size_t bytes = quant_row_bytes(type, n_cols);
    random_bytes(row, bytes, state);
    for (uint8_t *p = row; p < row + bytes; p += quant_info(type)->bytes) {
        uint16_t scale = f32_to_f16(spread / s.spread) | (uint16_t)(next_random(state) >> 63 << 15);
        memcpy(p + s.scale, &scale, 2);
        if (s.min >= 0) memcpy(p + s.min, &scale, 2);
    }
}

typedef struct {
    const WeightSlot *slot;
    uint8_t *rows;              /* room for a tile, a part for each thread */
    size_t stride;
} FillTask;

static void fill_tiles(void *context, int begin, int end, int thread) {
    const FillTask *t = context;
    const WeightSlot *s = t->slot;
    uint8_t *rows = t->rows + (size_t)thread * t->stride;
    for (int tile = begin; tile < end; tile++) {
        uint64_t state = 0x9e3779b97f4a7c15u * (s->offset + (uint64_t)tile + 1);
        int first = tile * TILE_ROWS, n = s->n_rows - first < TILE_ROWS ? s->n_rows - first : TILE_ROWS;
        for (int i = 0; i < n; i++)
            random_row(s->type, rows + (size_t)i * quant_row_bytes(s->type, s->n_cols), s->n_cols, &state);
        GemmaError err;
        weights_pack_tile(s, first, rows, &err);    /* made to be packable */
    }
}

GemmaStatus model_fill(GemmaModel *m, GemmaError *err) {
    size_t stride = 0;
    for (int i = 0; i < m->weights.n_slots; i++) {
        const WeightSlot *s = &m->weights.slots[i];
        size_t n = TILE_ROWS * quant_row_bytes(s->type, s->n_cols);
        if (n > stride) stride = n;
    }
    uint8_t *rows = malloc(stride * (size_t)pool_threads(m->pool));
    if (!rows) return error_set(err, GEMMA_NO_MEMORY, "Not enough memory to make up weights.");
    for (int i = 0; i < m->weights.n_slots; i++) {
        const WeightSlot *s = &m->weights.slots[i];
        if (s->matrix) {
            pool_run(m->pool, matrix_tiles(s->matrix), 4, fill_tiles, &(FillTask){s, rows, stride});
        } else {
            for (int k = 0; k < s->n_cols; k++) (*s->vector)[k] = 1;
        }
    }
    free(rows);
    return GEMMA_OK;
}
