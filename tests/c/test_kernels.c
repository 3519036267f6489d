/* Tests of src/kernels: every variant against scalar.c, scalar.c against plain references, and the promise
 * that a row's or a query's result is the same bits alone and in any company. */
#include "kernels.h"
#include "kv8.h"
#include "quant.h"
#include "test.h"

/* A wasm program has the variant that it was compiled for, the native one all. */
#ifdef __wasm__
static const Kernels *const tables[] = {&kernels_scalar, &GEMMA_KERNELS};
#else
static const Kernels *const tables[] = {
#define KERNEL_SET(name) &kernels_##name,
#include "kernels.inc"
};
#endif
enum { N_TABLES = sizeof tables / sizeof *tables, N_VARIANTS = N_TABLES - 1 };
static const Kernels *const *const variants = tables + 1;

/* Says which variant and case a failed check means. */
#define CHECK_CASE(cond, ...) \
    do { \
        if (!(cond)) TEST_FAIL(__VA_ARGS__); \
    } while (0)

static void *new_bytes(size_t n) {
    void *p = aligned_alloc(64, (n + 63) / 64 * 64);
    if (!p) abort();
    return p;
}

TEST(every_op_is_in_every_table) {
    for (int i = 0; i < N_TABLES; i++) {
#define KERNELS_SCALAR
#define KERNEL(field, function) CHECK_CASE(tables[i]->field, "%s has no %s", tables[i]->name, #field);
#include "kernels.inc"
    }
}

/* ------------------------------------------------------------------------------------------ matrices */

static const char *const kind_name[PANEL_KINDS] = {"P2K", "P3K", "P4", "P4N", "P4M", "P4K", "P5", "P5M",
    "P5K", "P6K", "P8", "F16", "BF16", "F32"};

static bool kind_has_min(PanelKind kind) {
    return kind == PANEL_P4M || kind == PANEL_P4K || kind == PANEL_P5M || kind == PANEL_P5K;
}

/* A half with its exponent raised by 10; `integers`: 1. Otherwise of either sign, 2^-10 to 2^2. */
static uint16_t random_f16e(uint64_t *rng, bool integers) {
    if (integers) return 25 << 10;
    uint64_t r = test_random(rng);
    return (uint16_t)((r & 0x83ff) | (15 + (r >> 20) % 12) << 10);
}

/* Bytes of the codes of a block, in the first plane. */
static int code_bytes(PanelKind kind) { return 64 * (kind == PANEL_P8 ? 4 : (int)panel_family(kind).bits); }

/* What panel.h draws. */
static const struct { int block_bytes, super_bytes; } drawn[PANEL_KINDS] = {
    [PANEL_P2K] = {160, 64}, [PANEL_P3K] = {224, 32}, [PANEL_P4] = {288, 0}, [PANEL_P4N] = {288, 0},
        [PANEL_P4M] = {320, 0}, [PANEL_P4K] = {288, 64},
    [PANEL_P5] = {352, 0}, [PANEL_P5M] = {384, 0}, [PANEL_P5K] = {352, 64}, [PANEL_P6K] = {416, 32},
        [PANEL_P8] = {288, 0},
};

TEST(geometry_is_as_drawn) {
    for (int kind = 0; kind < PANEL_FIRST_FLOAT; kind++) {
        PanelFamily f = panel_family(kind);
        CHECK_CASE((int)panel_block_bytes(f) == drawn[kind].block_bytes, "block of %s: %d", kind_name[kind],
            (int)panel_block_bytes(f));
        CHECK_CASE((int)panel_super_bytes(f) == drawn[kind].super_bytes, "header of %s: %d", kind_name[kind],
            (int)panel_super_bytes(f));
        CHECK_CASE((int)panel_scale_at(f) == code_bytes(kind), "scales of %s: %d", kind_name[kind],
            (int)panel_scale_at(f));
        /* Block 9 is the second of its super-block. */
        int before = 9 * drawn[kind].block_bytes + (drawn[kind].super_bytes
            ? 2 * drawn[kind].super_bytes : 0);
        CHECK_CASE((int)panel_block_at(f, 9) == before, "block 9 of %s: %d", kind_name[kind],
            (int)panel_block_at(f, 9));
    }
    for (int kind = PANEL_FIRST_FLOAT; kind < PANEL_KINDS; kind++)
        CHECK((int)panel_matrix_bytes(kind, 16, 3) == 3 * 16 * (kind == PANEL_F32 ? 4 : 2));
}

/* `integers`: all scales are 1 and all minimums small integers, so that every result is an exact integer. */
static void fill_block(PanelKind kind, uint8_t *block, uint64_t *rng, bool integers) {
    int codes = code_bytes(kind);
    for (int i = 0; i < drawn[kind].block_bytes; i++) block[i] = (uint8_t)test_random(rng);
    uint8_t *scales = block + codes;
    if (drawn[kind].super_bytes == 0) {
        for (int i = 0; i < (drawn[kind].block_bytes - codes) / 2; i++) {
            uint16_t h = random_f16e(rng, integers);
            memcpy(scales + 2 * i, &h, 2);
        }
    } else if (integers && kind == PANEL_P2K) {
        for (int i = 0; i < 32; i++) scales[i] = 1 | (scales[i] & 0x70);
    } else if (integers) {
        for (int i = 0; i < 16; i++) scales[i] = 1;
        for (int i = 16; i < 32; i++) scales[i] = kind_has_min(kind) ? scales[i] % 8 : 1;
    }
}

/* A matrix of random bytes where any byte is a sound weight; ends exactly where the last tile does, for ASan
 * to see. */
static Matrix random_matrix(PanelKind kind, int n_rows, int n_cols, uint64_t *rng, bool integers) {
    size_t n_bytes = panel_matrix_bytes(kind, n_rows, n_cols);
    uint8_t *data = new_bytes(n_bytes), *p = data;
    Matrix w = panel_matrix(kind, n_rows, n_cols, data);
    if (kind >= PANEL_FIRST_FLOAT) {
        for (size_t i = 0; i < n_bytes / (panel_column_bytes(kind) / 16); i++) {
            float f = integers ? (float)(test_random(rng) % 31) - 15 : test_random_float(rng);
            uint16_t half = f32_to_f16(f);
            uint32_t bits;
            memcpy(&bits, &f, 4);
            if (kind == PANEL_F16) memcpy(data + 2 * i, &half, 2);
            else if (kind == PANEL_BF16) memcpy(data + 2 * i, (uint16_t[]){(uint16_t)(bits >> 16)}, 2);
            else memcpy(data + 4 * i, &f, 4);
        }
        return w;
    }
    for (int tile = 0; tile < matrix_tiles(&w); tile++)
        for (int b = 0; b < n_cols / BLOCK_COLS; b++, p += drawn[kind].block_bytes) {
            if (drawn[kind].super_bytes > 0 && b % SUPER_BLOCKS == 0)
                for (int i = 0; i < drawn[kind].super_bytes / 2; i++, p += 2) {
                    uint16_t h = random_f16e(rng, integers);
                    memcpy(p, &h, 2);
                }
            fill_block(kind, p, rng, integers);
        }
    for (; p < data + n_bytes; p++) *p = (uint8_t)test_random(rng);     /* the second plane */
    return w;
}

static double f16e_value(const uint8_t *p, int i) {
    uint16_t h = (uint16_t)(p[2 * i] | p[2 * i + 1] << 8);
    if ((h & 0x7c00) == 0) return 0;
    return (h >> 15 ? -1 : 1) * ldexp(1024 + (h & 1023), (h >> 10 & 31) - 25 - 10);
}

/* The code of one weight of a block, following panel.h's text; `low` is the block in the second plane. */
static int code_at(PanelKind kind, const uint8_t *block, const uint8_t *low, int r, int c) {
    int bits = (int)panel_family(kind).bits, v = r / 4, byte = 4 * (r % 4) + c % 4, j = c / 4 % 4,
        at = 16 * (4 * v + j) + byte;
    if (bits == 2) return block[16 * (2 * v + c / 16) + byte] >> 2 * j & 3;
    if (bits == 3) {
        const uint8_t *p = block + 48 * v + byte;
        int n = c / 4;
        return n == 3 ? p[0] / 64 + 4 * (p[32] / 64 % 2) : n == 7 ? p[16] / 64 + 4 * (p[32] / 128) : n < 3
            ? p[16 * n] % 8 : p[16 * (n - 4)] / 8 % 8;
    }
    if (bits == 5) {
        const uint8_t *p = block + 16 * 5 * v + byte;
        int n = c / 4;
        return n < 5 ? p[16 * n] % 32 : n == 5 ? p[0] / 32 + p[16] / 32 % 4 * 8 : n == 6 ? p[32] / 32
            + p[48] / 32 % 4 * 8
            : p[64] / 32 + p[16] / 128 * 8 + p[48] / 128 * 16;
    }
    if (bits == 6) {
        const uint8_t *p = block + 16 * (6 * v + 3 * (c / 16)) + byte;
        return j < 3 ? p[16 * j] % 64 : p[0] / 64 + p[16] / 64 * 4 + p[32] / 64 * 16;
    }
    int q = c < 16 ? block[at] % 16 : block[at] / 16;
    return bits < 8 ? q : 16 * q + (c < 16 ? low[at] % 16 : low[at] / 16);
}

/* Weight [row][col]. */
static double weight_at(const Matrix *w, int row, int col) {
    int block_bytes = drawn[w->kind].block_bytes, super_bytes = drawn[w->kind].super_bytes;
    const uint8_t *tile = w->data + (size_t)(row / 16) * w->tile_bytes;
    int r = row % 16, c = col % 32, b = col / 32;
    if (w->kind >= PANEL_FIRST_FLOAT) {
        const uint8_t *p = tile + (size_t)col * panel_column_bytes(w->kind);
        float f;
        if (w->kind == PANEL_F32) return memcpy(&f, p + 4 * r, 4), f;
        uint16_t h = (uint16_t)(p[2 * r] | p[2 * r + 1] << 8);
        return w->kind == PANEL_F16 ? f16_to_f32(h) : bf16_to_f32(h);
    }
    const uint8_t *super = tile + (size_t)(b / 8) * (super_bytes + 8 * block_bytes);
    const uint8_t *block = super_bytes ? super + super_bytes + b % 8 * block_bytes
        : tile + (size_t)b * block_bytes;
    int q = code_at(w->kind, block, w->low + (size_t)(row / 16) * w->low_tile_bytes + (size_t)b * 256, r, c);
    const uint8_t *s = block + code_bytes(w->kind);
    switch (w->kind) {
    case PANEL_P4: return f16e_value(s, r) * (q - 8);
    case PANEL_P4N: return f16e_value(s, r) * quant_iq4_nl[q];
    case PANEL_P5: return f16e_value(s, r) * (q - 16);
    case PANEL_P8: return f16e_value(s, r) * (q - 128);
    case PANEL_P4M: case PANEL_P5M: return f16e_value(s, r) * q + f16e_value(s + 32, r);
    case PANEL_P2K: return f16e_value(super, r) * (s[2 * r + c / 16] % 16) * q - f16e_value(super + 32,
        r) * (s[2 * r + c / 16] / 16);
    case PANEL_P3K: return f16e_value(super, r) * (int8_t)s[16 * (c / 16) + r] * (q - 4);
    case PANEL_P6K: return f16e_value(super, r) * (int8_t)s[16 * (c / 16) + r] * (q - 32);
    default: return f16e_value(super, r) * s[r] * q - f16e_value(super + 32, r) * s[16 + r];
    }
}

/* Activations of n_tok tokens in the form that the kind reads, and the same as doubles. */
typedef struct {
    void *x;
    size_t stride;
    double *value;      /* [n_tok][n_cols] */
} Activations;

static Activations random_activations(const Matrix *w, int n_tok, uint64_t *rng, bool integers) {
    int n_cols = w->n_cols, limit = n_cols <= 256 ? 127 : 7;     /* integers: every sum stays below 2^24 */
    bool is_float = w->kind >= PANEL_FIRST_FLOAT;
    size_t stride = is_float ? (size_t)n_cols * 4 + 16 : (size_t)n_cols / 32 * sizeof(ActBlock) + 16;
    Activations a = {new_bytes(stride * (size_t)n_tok), stride,
        new_bytes((size_t)n_tok * n_cols * sizeof(double))};
    for (int t = 0; t < n_tok; t++)
        for (int k = 0; k < n_cols; k++) {
            int q = (int)(test_random(rng) % (2 * (unsigned)limit + 1)) - limit;
            double *value = &a.value[(size_t)t * n_cols + k];
            if (is_float) {
                float f = integers ? (float)q : test_random_float(rng);
                ((float *)((char *)a.x + t * stride))[k] = f;
                *value = f;
                continue;
            }
            ActBlock *block = (ActBlock *)((char *)a.x + t * stride) + k / 32;
            if (k % 32 == 0) {
                *block = (ActBlock){.scale = F16E_UNIT};
                if (!integers) block->scale *= 0.01f + fabsf(test_random_float(rng));
            }
            block->q[k % 32] = (int8_t)q;
            block->sum[k % 32 / 16] += q;
            block->squares += q * q;
            *value = q * (double)(block->scale / F16E_UNIT);
        }
    return a;
}

static void free_activations(Activations *a) {
    free(a->x);
    free(a->value);
}

static const struct { int n_rows, n_cols; } shapes[] = {{1, 32}, {15, 64}, {16, 96}, {17, 256}, {33, 512},
    {49, 1280}, {31, 2080}, {129, 64}};
static const int batches[] = {1, 2, 3, 4, 5, 7, 8, 9, 33};
enum { MAX_BATCH = 33, N_SHAPES = sizeof shapes / sizeof *shapes,
    N_BATCHES = sizeof batches / sizeof *batches };

static Matrix shape_matrix(PanelKind kind, int shape, uint64_t *rng, bool integers) {
    int n_cols = shapes[shape].n_cols;
    if (drawn[kind].super_bytes > 0) n_cols = (n_cols + 255) / 256 * 256;
    return random_matrix(kind, shapes[shape].n_rows, n_cols, rng, integers);
}

/* With scales of 1 every sum is an integer below 2^24: no rounding, so all variants and the reference are
 * equal. */
static void check_integers(PanelKind kind, int shape, void *scratch) {
    uint64_t rng = (uint64_t)(kind * 100 + shape);
    enum { N_TOK = 4 };
    Matrix w = shape_matrix(kind, shape, &rng, true);
    Activations a = random_activations(&w, N_TOK, &rng, true);
    float *y = new_bytes((size_t)N_TOK * w.n_rows * sizeof *y);
    for (int i = 0; i < N_TABLES; i++)
        for (int n_tok = 1; n_tok <= N_TOK; n_tok++) {
            tables[i]->matmul[kind](&w, 0, matrix_tiles(&w), a.x, a.stride, n_tok, y,
                (size_t)w.n_rows, scratch);
            for (int t = 0; t < n_tok; t++)
                for (int row = 0; row < w.n_rows; row++) {
                    double sum = 0;
                    for (int k = 0; k < w.n_cols; k++) sum += weight_at(&w, row, k)
                        * a.value[(size_t)t * w.n_cols + k];
                    CHECK_CASE(y[t * w.n_rows + row] == sum,
                        "%s %s %dx%d token %d of %d row %d: %.9g, not %.9g", tables[i]->name,
                               kind_name[kind], w.n_rows, w.n_cols, t, n_tok, row,
                                   y[t * w.n_rows + row], sum);
                }
        }
    free((void *)w.data);
    free_activations(&a);
    free(y);
}

TEST(integer_parts_of_matmul_are_exact) {
    void *scratch = new_bytes(MATMUL_SCRATCH);
    for (int kind = 0; kind < PANEL_KINDS; kind++)
        for (int shape = 0; shape < N_SHAPES; shape++) check_integers(kind, shape, scratch);
    free(scratch);
}

/* Against the reference: 3e-6 of the sum of magnitudes (f32 rounding over at most 80 blocks or 2,080
 * columns). Inside a variant: the same bits for any number of tokens and any cut into tiles. */
static void check_floats(PanelKind kind, int shape, void *scratch) {
    uint64_t rng = (uint64_t)(kind * 100 + shape + 7);
    Matrix w = shape_matrix(kind, shape, &rng, false);
    size_t n_rows = (size_t)w.n_rows, y_stride = n_rows + 3;
    Activations a = random_activations(&w, MAX_BATCH, &rng, false);
    float *all = new_bytes(MAX_BATCH * y_stride * sizeof *all),
        *y = new_bytes(MAX_BATCH * y_stride * sizeof *y);
    double *ref = new_bytes(n_rows * sizeof *ref), *size = new_bytes(n_rows * sizeof *size);
    int last = MAX_BATCH - 1;
    for (int row = 0; row < w.n_rows; row++) {
        ref[row] = size[row] = 0;
        for (int k = 0; k < w.n_cols; k++) {
            double term = weight_at(&w, row, k) * a.value[(size_t)last * w.n_cols + k];
            ref[row] += term;
            size[row] += fabs(term);
        }
    }
    for (int i = 0; i < N_TABLES; i++) {
        MatmulKernel *matmul = tables[i]->matmul[kind];
        if (i == 0) {   /* one token is enough for the slow one */
            matmul(&w, 0, matrix_tiles(&w), (char *)a.x + last * a.stride, a.stride, 1, all + last * y_stride,
                y_stride, scratch);
        } else {
            matmul(&w, 0, matrix_tiles(&w), a.x, a.stride, MAX_BATCH, all, y_stride, scratch);
        }
        for (int row = 0; row < w.n_rows; row++)
            CHECK_CASE(fabs(all[last * y_stride + row] - ref[row]) <= 3e-6 * size[row],
                "%s %s %dx%d row %d: %.9g, not %.9g",
                       tables[i]->name, kind_name[kind], w.n_rows, w.n_cols, row,
                           all[last * y_stride + row], ref[row]);
        if (i == 0) continue;
        for (int b = 0; b < N_BATCHES; b++) {
            /* The first batch also tile by tile, the others in one piece. */
            int n_tok = batches[b], step = b == 0 ? 1 : matrix_tiles(&w);
            for (size_t k = 0; k < MAX_BATCH * y_stride; k++) y[k] = -77;
            for (int tile = 0; tile < matrix_tiles(&w); tile += step)
                matmul(&w, tile, step, a.x, a.stride, n_tok, y, y_stride, scratch);
            for (int t = 0; t < n_tok; t++) {
                CHECK_CASE(memcmp(y + t * y_stride, all + t * y_stride, n_rows * sizeof *y) == 0,
                           "%s %s %dx%d: token %d of %d differs from the same token of %d", tables[i]->name,
                               kind_name[kind],
                           w.n_rows, w.n_cols, t, n_tok, MAX_BATCH);
                /* rows of padding */
                for (size_t k = n_rows; k < y_stride; k++) CHECK(y[t * y_stride + k] == -77);
            }
        }
    }
    free((void *)w.data);
    free_activations(&a);
    free(all);
    free(y);
    free(ref);
    free(size);
}

TEST(matmul_agrees_and_does_not_depend_on_the_batch) {
    void *scratch = new_bytes(MATMUL_SCRATCH);
    for (int kind = 0; kind < PANEL_KINDS; kind++)
        for (int shape = 0; shape < N_SHAPES; shape++) check_floats(kind, shape, scratch);
    free(scratch);
}

/* A bound of 6 sigma: of 20,000 products of random codes none lies above it, and half of them above its
 * middle. */
TEST(screening_bounds_hold_and_agree) {
    enum { ROWS = 20000, COLS = 128 };
    void *scratch = new_bytes(MATMUL_SCRATCH);
    float *y = new_bytes(ROWS * sizeof *y), *bound = new_bytes(ROWS * sizeof *bound),
        *expected = new_bytes(ROWS * sizeof *expected);
    uint64_t rng = 11;
    Matrix w = random_matrix(PANEL_P8, ROWS, COLS, &rng, false);
    Activations a = random_activations(&w, 1, &rng, false);
    kernels_scalar.screen(&w, 0, matrix_tiles(&w), a.x, a.stride, 1, expected, ROWS, scratch);
    for (int i = 0; i < N_TABLES; i++) {
        int above_mean = 0;
        tables[i]->matmul[PANEL_P8](&w, 0, matrix_tiles(&w), a.x, a.stride, 1, y, ROWS, scratch);
        for (int step = 1; step <= 8; step += 7) {
            for (int tile = 0; tile < matrix_tiles(&w); tile += step) {
                int n = matrix_tiles(&w) - tile < step ? matrix_tiles(&w) - tile : step;
                tables[i]->screen(&w, tile, n, a.x, a.stride, 1, bound, ROWS, scratch);
            }
            for (int row = 0; row < ROWS; row++) {
                double variance = 0;
                for (int k = 0; k < COLS; k++) {
                    double step_size = f16e_value(w.data + (size_t)(row / 16) * w.tile_bytes
                        + (size_t)(k / 32) * 288 + 256, row % 16);
                    variance += 85.0 / 4 * pow(step_size * a.value[k], 2);
                }
                above_mean += step == 1 && y[row] > bound[row] - 6 * sqrt(variance);
                CHECK_CASE(y[row] <= bound[row], "%s row %d: %g is above %g", tables[i]->name, row,
                    y[row], bound[row]);
                CHECK_CASE(fabsf(bound[row] - expected[row]) <= 1e-5f * (float)(fabs(expected[row])
                    + 6 * sqrt(variance)), "%s row %d: %g, not %g",
                           tables[i]->name, row, bound[row], expected[row]);
            }
        }
        CHECK(above_mean > ROWS / 2 - 500 && above_mean < ROWS / 2 + 500);
    }
    free((void *)w.data);
    free_activations(&a);
    free(y);
    free(bound);
    free(expected);
    free(scratch);
}

/* A row's bound is the same bits for any number of tokens in one call. */
TEST(screening_does_not_depend_on_the_batch) {
    enum { ROWS = 75, COLS = 416, MOST = 19, STRIDE = ROWS + 3 };
    void *scratch = new_bytes(MATMUL_SCRATCH);
    uint64_t rng = 12;
    Matrix w = random_matrix(PANEL_P8, ROWS, COLS, &rng, false);
    Activations a = random_activations(&w, MOST, &rng, false);
    float alone[MOST][STRIDE], y[MOST][STRIDE];
    for (int i = 0; i < N_TABLES; i++) {
        for (int t = 0; t < MOST; t++)
            tables[i]->screen(&w, 0, matrix_tiles(&w), (char *)a.x + t * a.stride, a.stride, 1, alone[t],
                STRIDE, scratch);
        for (int n_tok = 2; n_tok <= MOST; n_tok++) {
            for (int t = 0; t < MOST; t++)
                for (int k = 0; k < STRIDE; k++) y[t][k] = -77;
            for (int tile = 0; tile < matrix_tiles(&w); tile += 2) {
                int n = matrix_tiles(&w) - tile < 2 ? matrix_tiles(&w) - tile : 2;
                tables[i]->screen(&w, tile, n, a.x, a.stride, n_tok, y[0], STRIDE, scratch);
            }
            for (int t = 0; t < n_tok; t++) {
                CHECK_CASE(!memcmp(y[t], alone[t], ROWS * sizeof(float)), "%s: token %d of %d differs",
                    tables[i]->name, t, n_tok);
                for (int k = ROWS; k < STRIDE; k++) CHECK(y[t][k] == -77);
            }
        }
    }
    free((void *)w.data);
    free_activations(&a);
    free(scratch);
}

TEST(matmul_takes_more_tokens_than_its_scratch_holds) {
    enum { N_TOK = 517, COLS = 64 };
    void *scratch = new_bytes(MATMUL_SCRATCH);
    for (int kind = 0; kind < PANEL_KINDS; kind++) {
        if (drawn[kind].super_bytes > 0) continue;
        uint64_t rng = (uint64_t)kind;
        Matrix w = random_matrix(kind, 16, COLS, &rng, false);
        Activations a = random_activations(&w, N_TOK, &rng, false);
        float *y = new_bytes(N_TOK * 16 * sizeof *y), one[16];
        for (int i = 0; i < N_VARIANTS; i++) {
            variants[i]->matmul[kind](&w, 0, 1, a.x, a.stride, N_TOK, y, 16, scratch);
            for (int t = 0; t < N_TOK; t += 43) {
                variants[i]->matmul[kind](&w, 0, 1, (char *)a.x + t * a.stride, a.stride, 1,
                    one, 16, scratch);
                CHECK_CASE(memcmp(one, y + t * 16, sizeof one) == 0, "%s %s token %d", variants[i]->name,
                    kind_name[kind], t);
            }
        }
        free((void *)w.data);
        free_activations(&a);
        free(y);
    }
    free(scratch);
}

TEST(activations_that_are_not_finite_make_results_that_are_not_finite) {
    void *scratch = new_bytes(MATMUL_SCRATCH);
    float x[256], y[2 * 16];
    ActBlock q[2][8];
    for (int i = 0; i < N_TABLES; i++)
        for (int kind = 0; kind < PANEL_FIRST_FLOAT; kind++) {
            uint64_t rng = (uint64_t)kind;
            Matrix w = random_matrix(kind, 16, 256, &rng, false);
            for (int k = 0; k < 256; k++) x[k] = 1;
            tables[i]->quantize(x, q[0], 256);
            x[70] = i % 2 ? NAN : INFINITY;
            tables[i]->quantize(x, q[1], 256);
            tables[i]->matmul[kind](&w, 0, 1, q, sizeof q[0], 2, y, 16, scratch);
            for (int row = 0; row < 16; row++) CHECK(isfinite(y[row]) && !isfinite(y[16 + row]));
            free((void *)w.data);
        }
    free(scratch);
}

/* Sums that run in 16 bits have to end before they overflow: all codes and all activations at their
 * extremes. */
TEST(the_largest_sums_are_exact) {
    void *scratch = new_bytes(MATMUL_SCRATCH);
    enum { COLS = 256, TOKENS = 4 };
    static float x[TOKENS][COLS], expected[TOKENS][16], found[TOKENS][16];
    static ActBlock q[TOKENS][COLS / 32];
    for (int t = 0; t < TOKENS; t++) {
        for (int k = 0; k < COLS; k++) x[t][k] = t % 2 ? -127 : 127;
        kernels_scalar.quantize(x[t], q[t], COLS);
    }
    for (int kind = 0; kind < PANEL_FIRST_FLOAT; kind++)
        for (int code = 0; code < 256; code += 255) {
            uint64_t rng = (uint64_t)kind;
            Matrix w = random_matrix(kind, 16, COLS, &rng, true);
            size_t super = 0;
            for (int b = 0; b < COLS / 32; b++) {
                if (b % SUPER_BLOCKS == 0) super += (size_t)drawn[kind].super_bytes;
                memset((uint8_t *)w.data + super + (size_t)b * drawn[kind].block_bytes, code,
                    (size_t)code_bytes(kind));
            }
            memset((uint8_t *)w.low, code, w.low_tile_bytes);
            kernels_scalar.matmul[kind](&w, 0, 1, q, sizeof q[0], TOKENS, expected[0], 16, scratch);
            for (int i = 0; i < N_VARIANTS; i++)
                for (int n_tok = 1; n_tok <= TOKENS; n_tok++) {
                    variants[i]->matmul[kind](&w, 0, 1, q, sizeof q[0], n_tok, found[0], 16, scratch);
                    CHECK_CASE(memcmp(found, expected, (size_t)n_tok * sizeof found[0]) == 0,
                        "%s %s: codes %d, %d tokens",
                               variants[i]->name, kind_name[kind], code, n_tok);
                }
            free((void *)w.data);
        }
    free(scratch);
}

TEST(dot_exact_sums_in_double) {
    float w[3] = {1e8f, 1, -1e8f}, x[3] = {1, 1, 1};
    CHECK(dot_exact(w, x, 3) == 1);
}

/* ------------------------------------------------------------------------------------------ attention */

typedef struct { int head_dim, n_q, n_tok, pos, cap, window; float scale, softcap; } AttendCase;

static const AttendCase attend_cases[] = {
    {8, 1, 1, 0, 64, 0, 0.35f, 0},          /* a query that sees only itself */
    {64, 1, 1, 63, 64, 0, 0.125f, 0},       /* the last slot of a block */
    {64, 4, 1, 200, 256, 0, 0.125f, 0},
    {256, 4, 32, 100, 256, 0, 0.0625f, 0},
    {256, 4, 7, 57, 128, 0, 0.0625f, 50},   /* across a block's end */
    {20, 3, 9, 0, 64, 0, 0.2f, 0},          /* odd sizes: single queries, single vectors */
    {32, 2, 5, 1000, 128, 64, 0.2f, 0},     /* ring, wrapped; the window starts inside a block */
    {32, 1, 33, 500, 192, 96, 0.2f, 30},
    {16, 2, 30, 250, 128, 1, 0.3f, 0},      /* sees only itself */
    {16, 8, 16, 90, 128, 3, 0.3f, 0},
    {512, 1, 3, 70, 128, 0, 0.04f, 0},
    {16, 1, 128, 3, 192, 10, 0.3f, 0},
    {64, 2, 8, 130, 192, 0, 50, 0},         /* scores in the thousands: one position takes all */
};
enum { N_ATTEND_CASES = sizeof attend_cases / sizeof *attend_cases };

/* k, v[cap][head_dim] */
static void attend_reference(const AttendArgs *a, int t, int h, const double *k, const double *v,
    double *out) {
    int cap = a->n_blocks * ATTN_BLOCK;
    const float *q = a->q + t * a->q_stride + (size_t)h * a->head_dim;
    int pos = a->pos + t, first = a->window > 0 && pos - a->window + 1 > 0 ? pos - a->window + 1 : 0;
    double *score = new_bytes((size_t)(pos + 1) * sizeof *score), max = -INFINITY, sum = 0;
    for (int p = first; p <= pos; p++) {
        double dot = 0;
        for (int i = 0; i < a->head_dim; i++) dot += q[i] * k[(p % cap) * a->head_dim + i];
        score[p] = a->scale * dot;
        if (a->softcap > 0) score[p] = a->softcap * tanh(score[p] / a->softcap);
        max = fmax(max, score[p]);
    }
    for (int i = 0; i < a->head_dim; i++) out[i] = 0;
    for (int p = first; p <= pos; p++) {
        double weight = exp(score[p] - max);
        sum += weight;
        for (int i = 0; i < a->head_dim; i++) out[i] += weight * v[(p % cap) * a->head_dim + i];
    }
    for (int i = 0; i < a->head_dim; i++) out[i] /= sum;
    free(score);
}

/* The ways in which a cache can hold numbers. */
typedef enum { HALVES, FLOATS, BYTES } Held;

/* Blocks that hold k, v[cap][head_dim], of a second K/V head, so that each is at head_at of its block; each
 * with a separate allocation. */
static uint8_t **make_blocks(const AttendCase *c, const float *k, const float *v, Held held, uint64_t *rng,
    size_t *head_at) {
    int n_blocks = c->cap / ATTN_BLOCK;
    size_t n = (size_t)ATTN_BLOCK * c->head_dim, head_bytes = held == BYTES ? kv8_block_bytes(c->head_dim)
        : 2 * n * (held == FLOATS ? 4 : 2);
    uint8_t **blocks = new_bytes(n_blocks * sizeof *blocks);
    for (int b = 0; b < n_blocks; b++) {
        blocks[b] = new_bytes(2 * head_bytes);
        /* what nobody may look at */
        for (size_t i = 0; i < 2 * head_bytes; i++) blocks[b][i] = (uint8_t)(test_random(rng) & 127);
        void *head = blocks[b] + head_bytes;
        for (size_t i = 0; i < n && held == FLOATS; i++) ((float *)head)[i] = k[b * n + i], ((float *)head)
            [n + i] = v[b * n + i];
        for (size_t i = 0; i < n && held == HALVES; i++)
            ((uint16_t *)head)[i] = f32_to_f16(k[b * n + i]),
                ((uint16_t *)head)[n + i] = f32_to_f16(v[b * n + i]);
    }
    for (int p = c->pos + c->n_tok - c->cap > 0 ? c->pos + c->n_tok - c->cap : 0; p < c->pos + c->n_tok
        && held == BYTES; p++) {
        size_t slot = (size_t)(p % c->cap), at = slot * c->head_dim;
        kv8_store(k + at, v + at, c->head_dim, blocks[slot / ATTN_BLOCK] + head_bytes,
            (int)slot % ATTN_BLOCK);
    }
    *head_at = head_bytes;
    return blocks;
}

static void free_blocks(uint8_t **blocks, int cap) {
    for (int b = 0; b < cap / ATTN_BLOCK; b++) free(blocks[b]);
    free(blocks);
}

static void check_attend(const AttendCase *c, int index, bool bytes, void *scratch) {
    uint64_t rng = (uint64_t)index;
    size_t n_kv = (size_t)c->cap * c->head_dim;
    size_t q_stride = (size_t)c->n_q * c->head_dim + 4, n = (size_t)c->n_tok * q_stride;
    float *k32 = new_bytes(4 * n_kv), *v32 = new_bytes(4 * n_kv), *q = new_bytes(4 * n),
        *out = new_bytes(4 * n), *alone = new_bytes(4 * n);
    double *k64 = new_bytes(8 * n_kv), *v64 = new_bytes(8 * n_kv), ref[ATTN_MAX_HEAD_DIM];
    for (size_t i = 0; i < n_kv; i++) {
        k64[i] = k32[i] = f16_to_f32(f32_to_f16(2 * test_random_float(&rng)));
        /* a subnormal half now and then */
        v64[i] = v32[i] = f16_to_f32(f32_to_f16(i % 97 == 0 ? 1e-6f : test_random_float(&rng)));
    }
    for (size_t i = 0; i < n; i++) q[i] = 2 * test_random_float(&rng);
    size_t head_at, exact_at;
    uint8_t **blocks = make_blocks(c, k32, v32, bytes ? BYTES : HALVES, &rng, &head_at);
    uint8_t **exact_blocks = make_blocks(c, k32, v32, FLOATS, &rng, &exact_at);
    AttendArgs a = {.q = q, .out = out, .q_stride = q_stride, .n_tok = c->n_tok, .n_q = c->n_q,
        .head_dim = c->head_dim, .blocks = blocks,
                    .n_blocks = c->cap / ATTN_BLOCK, .head_at = head_at, .in_bytes = bytes, .pos = c->pos,
                        .window = c->window,
                    .scale = c->scale, .softcap = c->softcap};
    AttendArgs exact = a;
    exact.blocks = exact_blocks, exact.head_at = exact_at, exact.in_bytes = false;
    /* Errors of f32 in a score of size s shift its weight by s * 2^-24 or so. Steps of bytes are 1/63 of a
     * value, and for a weight 1/127. */
    double tolerance = bytes ? 0.04 : c->scale > 1 ? 5e-3 : 5e-6;
    float *scalar = new_bytes(4 * n);
    for (int i = 0; i <= N_TABLES; i++) {
        if (bytes && i == N_TABLES) break;
        const char *name = i < N_TABLES ? tables[i]->name : "exact";
        for (size_t j = 0; j < n; j++) out[j] = -77;
        if (i < N_TABLES) tables[i]->attend(&a, scratch);
        else attend_exact(&exact);
        for (int t = 0; t < c->n_tok; t++) {
            for (int h = 0; h < c->n_q; h++) {
                attend_reference(&a, t, h, k64, v64, ref);
                for (int d = 0; d < c->head_dim; d++) {
                    float found = out[t * q_stride + (size_t)h * c->head_dim + d];
                    CHECK_CASE(fabs(found - ref[d]) <= tolerance,
                        "%s case %d token %d head %d element %d: %.9g, not %.9g", name, index,
                               t, h, d, found, ref[d]);
                }
            }
            for (size_t j = (size_t)c->n_q * c->head_dim; j < q_stride; j++)
                CHECK(out[t * q_stride + j] == -77);
        }
        if (i == 0) memcpy(scalar, out, 4 * n);
        /* Between variants a rounded weight may be one step apart, where exp() differs in its last bit. */
        for (size_t j = 0; j < n && bytes; j++)
            CHECK_CASE(fabsf(out[j] - scalar[j]) <= 0.01f, "%s case %d: %.9g, not %.9g", name, index,
                out[j], scalar[j]);
        if (i == N_TABLES) continue;
        for (int t = 0; t < c->n_tok; t++)
            for (int h = 0; h < c->n_q; h++) {
                size_t at = t * q_stride + (size_t)h * c->head_dim;
                AttendArgs one = a;
                one.q += at, one.out = alone + at, one.n_tok = one.n_q = 1, one.pos += t;
                tables[i]->attend(&one, scratch);
                CHECK_CASE(memcmp(alone + at, out + at, (size_t)c->head_dim * sizeof *out) == 0,
                           "%s case %d: token %d head %d alone differs", name, index, t, h);
            }
        for (int t = 0; t < c->n_tok; t++) {    /* all heads of a token, in parts made from the last to the
                                                 * first */
            AttendArgs one = a;
            one.q += t * q_stride, one.out = alone, one.n_tok = 1, one.pos += t;
            int n_blocks = attend_n_blocks(&one);
            float *parts = new_bytes((size_t)n_blocks * c->n_q * attend_part_floats(&one) * sizeof *parts);
            for (int end = n_blocks, begin; end > 0; end = begin) {
                begin = end > 3 ? end - 2 : end - 1;
                tables[i]->attend_blocks(&one, begin, end, parts, scratch);
            }
            tables[i]->attend_merge(&one, parts);
            CHECK_CASE(memcmp(alone, out + t * q_stride, (size_t)c->n_q * c->head_dim * sizeof *out) == 0,
                       "%s case %d: token %d in parts differs", name, index, t);
            free(parts);
        }
    }
    free_blocks(blocks, c->cap), free_blocks(exact_blocks, c->cap);
    free(scalar), free(k32), free(v32), free(k64), free(v64), free(q), free(out), free(alone);
}

TEST(attention_agrees_and_does_not_depend_on_the_batch) {
    void *scratch = new_bytes(ATTEND_SCRATCH);
    for (int i = 0; i < N_ATTEND_CASES; i++) check_attend(&attend_cases[i], i, false, scratch);
    free(scratch);
}

TEST(attention_to_bytes_agrees_and_does_not_depend_on_the_batch) {
    void *scratch = new_bytes(ATTEND_SCRATCH);
    for (int i = 0; i < N_ATTEND_CASES; i++)
        if (attend_cases[i].head_dim % 32 == 0 && attend_cases[i].scale < 1)
            check_attend(&attend_cases[i], i, true, scratch);
    free(scratch);
}

/* Bytes are within half a step of what they were made of; zeros stay zeros, and values that are not finite
 * are seen. */
TEST(an_int8_cache_holds_what_it_was_given) {
    enum { DIM = 96 };
    uint64_t rng = 3;
    uint8_t *block = new_bytes(kv8_block_bytes(DIM));
    kv8_clear(DIM, block);
    float kv[2][DIM], q[DIM], out[DIM];
    void *scratch = new_bytes(ATTEND_SCRATCH);
    AttendArgs a = {.q = q, .out = out, .n_tok = 1, .n_q = 1, .head_dim = DIM, .blocks = &block,
        .n_blocks = 1, .in_bytes = true, .scale = 1};
    for (int i = 0; i < DIM; i++) q[i] = 1;
    for (int size = 0; size < 4; size++) {
        for (int i = 0; i < 2 * DIM; i++) kv[i / DIM][i % DIM] = test_random_float(&rng) * (float[]){
            0, 1, 1e-20f, 1e5f}[size];
        kv8_store(kv[0], kv[1], DIM, block, 0);
        for (int i = 0; i < N_TABLES; i++) {
            tables[i]->attend(&a, scratch);
            float largest = 0;
            for (int k = 0; k < DIM; k++) largest = fmaxf(largest, fabsf(kv[1][k]));
            for (int k = 0; k < DIM; k++) CHECK(fabsf(out[k] - kv[1][k]) <= largest / 63 * 0.5001f);
        }
    }
    for (int which = 0; which < 2; which++) {
        for (int i = 0; i < 2 * DIM; i++) kv[i / DIM][i % DIM] = 1;
        kv[1][7] = which ? NAN : INFINITY;
        kv8_store(kv[0], kv[1], DIM, block, 0);
        for (int i = 0; i < N_TABLES; i++) {
            tables[i]->attend(&a, scratch);
            CHECK(!isfinite(out[7]) && !isfinite(out[0]));
        }
    }
    free(block);
    free(scratch);
}

/* ------------------------------------------------------------------------------------------ vectors */

enum { MAX_N = 70, PAD = 8 };

static void random_floats(float *x, int n, float size, uint64_t *rng) {
    for (int i = 0; i < n; i++) x[i] = size * test_random_float(rng);
}

TEST(quantize_gives_the_same_bytes_in_all_variants) {
    static float x[64 * 32];
    static ActBlock expected[64], found[64];
    uint64_t rng = 1;
    for (int b = 0; b < 64; b++) {
        random_floats(x + 32 * b, 32, ldexpf(1, b - 32), &rng);
        if (b % 5 == 1)     /* ties: x * (127 / max) is a whole number and a half */
            for (int i = 0; i < 32; i++) x[32 * b + i] = i == 9 ? 127 : (float)i - 16.5f;
    }
    memset(x, 0, 32 * sizeof *x);
    x[32 * 2] = 1e-40f, x[32 * 3 + 5] = NAN, x[32 * 4 + 6] = -INFINITY, x[32 * 5] = 3e38f;
    for (int i = 1; i < 32; i++) x[32 * 2 + i] = 0;
    kernels_scalar.quantize(x, expected, 64 * 32);
    CHECK(expected[0].scale == 0 && expected[0].q[0] == 0 && expected[2].scale == 0);
    CHECK(!isfinite(expected[3].scale) && !isfinite(expected[4].scale));
    CHECK(expected[6].q[9] == 127 && expected[6].q[16] == 0 && expected[6].q[15] == -2
        && expected[6].scale == F16E_UNIT);
    for (int b = 6; b < 64; b++)
        for (int i = 0; i < 32; i++) {
            double scale = expected[b].scale / F16E_UNIT;
            CHECK(fabs(expected[b].q[i] * scale - x[32 * b + i]) <= 0.50001 * scale);
        }
    for (int i = 0; i < N_VARIANTS; i++) {
        variants[i]->quantize(x, found, 64 * 32);
        for (int b = 0; b < 64; b++) {
            CHECK(memcmp(found[b].q, expected[b].q, 32) == 0);
            CHECK(memcmp(found[b].sum, expected[b].sum, sizeof found[b].sum) == 0);
            CHECK(found[b].scale == expected[b].scale || (isnan(found[b].scale) && isnan(expected[b].scale)));
        }
    }
}

TEST(rms_norm_agrees) {
    uint64_t rng = 2;
    float x[MAX_N], weight[MAX_N], expected[MAX_N], found[MAX_N + PAD];
    for (int n = 1; n <= MAX_N; n++) {
        random_floats(x, n, 30, &rng);
        random_floats(weight, n, 2, &rng);
        kernels_scalar.rms_norm(x, weight, expected, n, 1e-6f);
        for (int i = 0; i < N_VARIANTS; i++) {
            memcpy(found, x, (size_t)n * sizeof *x);
            found[n] = -77;
            variants[i]->rms_norm(found, weight, found, n, 1e-6f);      /* in place */
            for (int j = 0; j < n; j++) CHECK_NEAR(found[j], expected[j], 1e-6);
            CHECK(found[n] == -77);
        }
    }
    float zeros[4] = {0}, y[4];
    variants[0]->rms_norm(zeros, weight, y, 4, 1e-6f);
    CHECK(y[0] == 0);
}

TEST(rope_agrees) {
    uint64_t rng = 3;
    float x[3 * 64], cos_sin[64], found[3 * 64];
    for (int head_dim = 2; head_dim <= 64; head_dim += 2) {
        random_floats(x, 3 * head_dim, 4, &rng);
        random_floats(cos_sin, head_dim, 1, &rng);
        for (int i = 0; i < N_VARIANTS; i++) {
            float expected[3 * 64];
            memcpy(expected, x, sizeof x);
            memcpy(found, x, sizeof x);
            kernels_scalar.rope(expected, 3, head_dim, cos_sin);
            variants[i]->rope(found, 3, head_dim, cos_sin);
            for (int j = 0; j < 3 * head_dim; j++) CHECK_NEAR(found[j], expected[j], 1e-6);
        }
    }
    /* cos 0, sin 1: (a, b) becomes (-b, a) */
    float right_angle[4] = {1, 2, 3, 4}, quarter[4] = {0, 0, 1, 1};
    kernels_scalar.rope(right_angle, 1, 4, quarter);
    CHECK(right_angle[0] == -3 && right_angle[1] == -4 && right_angle[2] == 1 && right_angle[3] == 2);
}

TEST(geglu_add_and_softcap_agree) {
    uint64_t rng = 4;
    float x[MAX_N], y[MAX_N], expected[MAX_N], found[MAX_N + PAD];
    static const float sizes[] = {0.01f, 1, 10, 1000};
    for (int n = 1; n <= MAX_N; n++)
        for (int op = 0; op < 3; op++)
            for (int i = 0; i < N_VARIANTS; i++) {
                float size = sizes[n % 4];
                random_floats(x, n, size, &rng);
                random_floats(y, n, 1, &rng);
                memcpy(expected, x, sizeof x);
                memcpy(found, x, sizeof x);
                found[n] = -77;
                if (op == 0) kernels_scalar.geglu(expected, y, n), variants[i]->geglu(found, y, n);
                if (op == 1) kernels_scalar.add(expected, y, n), variants[i]->add(found, y, n);
                if (op == 2) kernels_scalar.softcap(expected, n, 30), variants[i]->softcap(found, n, 30);
                /* softcap: 2e-7 of the cap; geglu: some roundings of the gate */
                for (int j = 0; j < n; j++)
                    CHECK_NEAR(found[j], expected[j], op == 2 ? 1e-5 : op == 1 ? 0
                    : 2e-6 * fmaxf(size, 0.5f));
                CHECK(found[n] == -77);
            }
    for (int i = 0; i < N_VARIANTS; i++) {
        float special[4] = {NAN, 1e30f, -1e30f, 0}, ones[4] = {1, 1, 1, 1};
        variants[i]->geglu(special, ones, 4);
        CHECK(isnan(special[0]) && special[1] == 1e30f && fabsf(special[2]) < 1e-6f && special[3] == 0);
        float logits[4] = {NAN, 1e30f, -1e30f, 0};
        variants[i]->softcap(logits, 4, 30);
        CHECK(isnan(logits[0]) && logits[1] == 30 && logits[2] == -30 && logits[3] == 0);
    }
}

TEST(to_f16_is_bit_exact) {
    static float x[1 << 16];
    static uint16_t expected[1 << 16], found[(1 << 16) + 1];
    uint64_t rng = 5;
    static const float special[] = {0, -0.0f, 65504, 65519.99f, 65520, -1e10f, INFINITY, -INFINITY, NAN,
        5.9604645e-8f, 2.98e-8f,
                                    2.9802322e-8f, 6.1035156e-5f, 6.1e-5f, 1e-40f, 2049, 2051,
                                        1.00048828125f};
    for (int i = 0; i < 1 << 16; i++) {
        uint32_t bits = (uint32_t)test_random(&rng);
        /* more of those near the halves' range */
        if (i % 2) bits = (bits & 0x80ffffff) | (0x30 + bits % 25) << 24;
        memcpy(&x[i], &bits, 4);
    }
    memcpy(x, special, sizeof special);
    kernels_scalar.to_f16(x, expected, 1 << 16);
    for (int i = 0; i < N_VARIANTS; i++) {
        variants[i]->to_f16(x, found, 1 << 16);
        for (int j = 0; j < 1 << 16; j++)
            CHECK_CASE(found[j] == expected[j] || x[j] != x[j], "%s to_f16(%.9g): %04x, not %04x",
                variants[i]->name, x[j], found[j], expected[j]);
        CHECK((found[8] & 0x7c00) == 0x7c00 && (found[8] & 0x3ff) != 0);
        for (int n = 1; n < 9; n++) {
            found[n] = 0xabcd;
            variants[i]->to_f16(x, found, n);
            CHECK(found[n] == 0xabcd && found[n - 1] == expected[n - 1]);
        }
    }
}

TEST(argmax_takes_the_lowest_of_equals_and_never_nan) {
    uint64_t rng = 6;
    static float x[1000];
    for (int i = 0; i < N_TABLES; i++) {
        for (int n = 1; n < 70; n++) {
            random_floats(x, n, 1, &rng);
            int a = (int)(test_random(&rng) % (unsigned)n), b = (int)(test_random(&rng) % (unsigned)n);
            x[a] = x[b] = 2;
            CHECK_INT(tables[i]->argmax(x, n), a < b ? a : b);
        }
        random_floats(x, 1000, 1, &rng);
        x[0] = x[500] = NAN, x[777] = 3;
        CHECK_INT(tables[i]->argmax(x, 1000), 777);
        float only[6] = {NAN, NAN, -INFINITY, NAN, -INFINITY, NAN};
        CHECK_INT(tables[i]->argmax(only, 6), 2);
        CHECK_INT(tables[i]->argmax(only, 2), 0);
    }
}

int main(void) {
    RUN(every_op_is_in_every_table);
    RUN(geometry_is_as_drawn);
    RUN(integer_parts_of_matmul_are_exact);
    RUN(matmul_agrees_and_does_not_depend_on_the_batch);
    RUN(screening_bounds_hold_and_agree);
    RUN(screening_does_not_depend_on_the_batch);
    RUN(matmul_takes_more_tokens_than_its_scratch_holds);
    RUN(activations_that_are_not_finite_make_results_that_are_not_finite);
    RUN(the_largest_sums_are_exact);
    RUN(dot_exact_sums_in_double);
    RUN(attention_agrees_and_does_not_depend_on_the_batch);
    RUN(attention_to_bytes_agrees_and_does_not_depend_on_the_batch);
    RUN(an_int8_cache_holds_what_it_was_given);
    RUN(quantize_gives_the_same_bytes_in_all_variants);
    RUN(rms_norm_agrees);
    RUN(rope_agrees);
    RUN(geglu_add_and_softcap_agree);
    RUN(to_f16_is_bit_exact);
    RUN(argmax_takes_the_lowest_of_equals_and_never_nan);
    return test_result();
}
