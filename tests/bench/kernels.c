/* kernels.c: how fast the kernels of one variant are, on one thread, beside what the machine could do at
 * most. Best of some runs: on a shared machine the slow ones say nothing.
 *
 *   emcc -std=gnu11 -O3 -msimd128 -mrelaxed-simd -ffp-contract=off -fno-math-errno -Isrc -Isrc/kernels -c FILE
 *       for each FILE of tests/bench/kernels.c src/kernels/[a-z]*.c src/quant.c
 *   emcc -O1 -msimd128 -mrelaxed-simd *.o -sENVIRONMENT=node -sINITIAL_MEMORY=512MB -o bench.js
 *   node bench.js [relaxed | relaxed16 | simd128 | scalar [P4 | another panel kind]]      Node 24 or later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wasm_simd128.h>

#include "kernels.h"
#include "kv8.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of one call: the best of some that take about `budget` seconds together. */
typedef void Job(void *context);
static double best_time(Job *job, void *context, double budget) {
    double best = 1e9, start = now();
    do {
        double t = now();
        job(context);
        t = now() - t;
        if (t < best) best = t;
    } while (now() - start < budget);
    return best;
}

/* ------------------------------------------------------------------------------------------ the machine's limits */

/* What comes from memory is timed in parts of it: many short times, of which some are not interrupted. */
enum { PEAK_STEPS = 4000000, BIG = 256 << 20, PART = 8 << 20 };
static v128_t sink;

/* Twelve independent chains of the dot product that the relaxed kernels are made of. */
static void dot_peak(void *context) {
    v128_t a = wasm_v128_load(context), b = wasm_v128_load((char *)context + 16), acc[12];
    for (int j = 0; j < 12; j++) acc[j] = a;
    for (int i = 0; i < PEAK_STEPS / 12; i++)
        for (int j = 0; j < 12; j++) {
            acc[j] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, acc[j]);
            __asm__ volatile("" : "+r"(acc[j]));
        }
    for (int j = 0; j < 12; j++) sink = wasm_v128_xor(sink, acc[j]);
}

/* One load a cache line, eight streams. */
static void read_memory(void *context) {
    const uint8_t *p = context;
    int sum[8] = {0};
    for (size_t i = 0; i < BIG / 8; i += 64)
        for (int j = 0; j < 8; j++) sum[j] += p[i + j * (size_t)(BIG / 8)];
    for (int j = 0; j < 8; j++) sink = wasm_v128_xor(sink, wasm_i32x4_splat(sum[j]));
}

/* ------------------------------------------------------------------------------------------ matrices */

typedef struct {
    MatmulKernel *kernel;
    Matrix w;
    uint8_t *memory;        /* of BIG bytes, through which the matrix moves; NULL: it stays */
    int n_tok, group;       /* tiles in one call */
    size_t x_stride;
    void *x, *scratch;
    float *y;
} MatmulJob;

static void run_matmul(void *context) {
    MatmulJob *j = context;
    size_t bytes = (size_t)panel_matrix_bytes(j->w.kind, j->w.n_rows, j->w.n_cols) / 64 * 64;
    if (j->memory) j->w = panel_matrix(j->w.kind, j->w.n_rows, j->w.n_cols, j->w.data + 2 * bytes > j->memory
        + BIG ? j->memory : j->w.data + bytes);
    for (int tile = 0, n_tiles = matrix_tiles(&j->w); tile < n_tiles; tile += j->group)
        j->kernel(&j->w, tile, n_tiles - tile < j->group ? n_tiles - tile : j->group, j->x, j->x_stride,
            j->n_tok, j->y, (size_t)j->w.n_rows, j->scratch);
}

static const char *const kind_name[PANEL_KINDS] = {"P2K", "P3K", "P4", "P4N", "P4M", "P4K", "P5", "P5M",
    "P5K", "P6K", "P8", "F16", "BF16", "F32"};

static void bench_matmul(const char *name, MatmulKernel *kernel, PanelKind kind, bool first_plane,
    uint8_t *memory, void *x, float *y, void *scratch) {
    enum { COLS = 2048, TOKENS = 128 };
    MatmulJob job = {.kernel = kernel, .n_tok = TOKENS, .group = 8, .x = x, .y = y, .scratch = scratch};
    job.w = panel_matrix(kind, 512, COLS, memory);
    size_t tile_bytes = first_plane ? job.w.tile_bytes : matrix_tile_bytes(&job.w);
    job.x_stride = kind >= PANEL_FIRST_FLOAT ? COLS * sizeof(float) : COLS / BLOCK_COLS * sizeof(ActBlock);
    printf("%-6s", name);
    double macs = (double)job.w.n_rows * COLS;
    static const int tokens[] = {128, 8, 4, 3, 2};
    for (int i = 0; i < 5; i++) {
        job.n_tok = tokens[i];
        printf(" %8.1f", macs * job.n_tok / best_time(run_matmul, &job, 0.2) * 1e-9);
    }
    static const int few[] = {4, 4, 1, 1, 1, 1};
    static const int rows[] = {0, 0, 128, 0, 0, 0};     /* 128 fit an L2, the others come from memory */
    static const int streams[] = {8, 1, 8, 8, 2, 1};
    for (int i = 0; i < 6; i++) {
        job.n_tok = few[i];
        job.group = streams[i];
        job.w = panel_matrix(kind, rows[i] ? rows[i] : (int)(PART / matrix_tile_bytes(&job.w) * TILE_ROWS),
            COLS, memory);
        job.memory = rows[i] ? NULL : memory;
        double bytes = (double)tile_bytes * matrix_tiles(&job.w),
            products = (double)job.w.n_rows * COLS * job.n_tok;
        printf(job.n_tok > 1 ? " %8.1f" : " %9.1f", (job.n_tok > 1 ? products : bytes) / best_time(run_matmul,
            &job, rows[i] ? 0.1 : 0.5) * 1e-9);
    }
    printf("\n");
    fflush(stdout);
}

/* ------------------------------------------------------------------------------------------ attention */

typedef struct {
    const Kernels *kernels;
    AttendArgs args;
    void *scratch;
} AttendJob;

static void run_attend(void *context) {
    AttendJob *j = context;
    j->kernels->attend(&j->args, j->scratch);
}

/* `cache`: halves of CAP positions of one K/V head. */
static void bench_attend(const Kernels *kernels, uint16_t *cache, float *q, float *out, void *scratch) {
    enum { HEAD_DIM = 256, CAP = 8192, N_BLOCKS = CAP / ATTN_BLOCK };
    static const struct { int n_tok, n_q, pos; } cases[] = {{32, 4, 64}, {32, 4, 512}, {32, 4, 4096},
        {1, 8, 4096}, {1, 4, 4096}, {1, 1, 4096}};
    uint8_t *bytes = malloc(N_BLOCKS * kv8_block_bytes(HEAD_DIM)), *blocks[2][N_BLOCKS];
    for (int b = 0; b < N_BLOCKS; b++) {
        blocks[0][b] = (uint8_t *)(cache + b * 2 * ATTN_BLOCK * HEAD_DIM);
        blocks[1][b] = bytes + b * kv8_block_bytes(HEAD_DIM);
    }
    for (int p = 0; p < CAP; p++) kv8_store(q + p % 64, q + p % 61, HEAD_DIM, blocks[1][p / ATTN_BLOCK],
        p % ATTN_BLOCK);
    for (int i = 0; i < 12; i++) {
        int in_bytes = i / 6, c = i % 6;
        AttendJob job = {kernels, {.q = q, .out = out, .q_stride = (size_t)cases[c].n_q * HEAD_DIM,
            .n_tok = cases[c].n_tok,
                         .n_q = cases[c].n_q, .head_dim = HEAD_DIM, .blocks = blocks[in_bytes],
                             .n_blocks = N_BLOCKS, .in_bytes = in_bytes,
                         .pos = cases[c].pos, .scale = 0.0625f}, scratch};
        double seen = 0;
        for (int t = 0; t < cases[c].n_tok; t++) seen += cases[c].pos + t + 1;
        double time = best_time(run_attend, &job, 0.2);
        printf("attend %2d tokens x %d heads at %4d, %s: %6.1f GMAC/s, %8.1f us\n", cases[c].n_tok,
            cases[c].n_q, cases[c].pos, in_bytes ? "int8" : " f16",
               seen * cases[c].n_q * HEAD_DIM * 2 / time * 1e-9, time * 1e6);
    }
}

/* ------------------------------------------------------------------------------------------ the rest */

typedef struct {
    const Kernels *kernels;
    int op, n;
    float *x, *y;
    void *out;
} VectorJob;
static const char *const vector_ops[] = {"quantize", "rms_norm", "rope", "geglu", "add", "softcap",
    "to_f16", "argmax"};

static void run_vector(void *context) {
    VectorJob *j = context;
    switch (j->op) {
    case 0: j->kernels->quantize(j->x, j->out, j->n); break;
    case 1: j->kernels->rms_norm(j->x, j->y, j->out, j->n, 1e-6f); break;
    case 2: j->kernels->rope(j->out, j->n / 256, 256, j->y); break;
    case 3: j->kernels->geglu(j->out, j->y, j->n); break;
    case 4: j->kernels->add(j->out, j->y, j->n); break;
    case 5: j->kernels->softcap(j->out, j->n, 30); break;
    case 6: j->kernels->to_f16(j->x, j->out, j->n); break;
    default: sink = wasm_i32x4_splat(j->kernels->argmax(j->x, j->n));
    }
}

int main(int argc, char **argv) {
    const Kernels *tables[] = {
#define KERNEL_SET(name) &kernels_##name,
#include "kernels.inc"
    }, *kernels = &kernels_relaxed;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (argc > 1 && strcmp(argv[1], tables[i]->name) == 0) kernels = tables[i];
    uint8_t *memory = aligned_alloc(64, BIG);
    float *x = aligned_alloc(64, 4 << 20), *y = aligned_alloc(64, 64 << 20);
    void *scratch = aligned_alloc(64, ATTEND_SCRATCH > MATMUL_SCRATCH ? ATTEND_SCRATCH : MATMUL_SCRATCH);
    uint32_t rng = 1;
    for (size_t i = 0; i < BIG / 2; i++) {
        rng = rng * 1664525 + 1013904223;
        /* halves and floats that are normal numbers */
        ((uint16_t *)memory)[i] = (uint16_t)((rng >> 16 & 0xbfff) | 0x0400);
    }
    for (int i = 0; i < 1 << 20; i++) x[i] = (float)(i % 15) - 7;
    printf("%s; best of several, one thread\n", kernels->name);
    printf("relaxed dot peak %.1f GMAC/s, memory read %.1f GB/s\n",
        16.0 * PEAK_STEPS / best_time(dot_peak, memory, 0.3) * 1e-9,
        BIG / best_time(read_memory, memory, 0.5) * 1e-9);
    printf("           GMAC/s, tokens:                  4 from memory by tiles    "
        "decode GB/s, from memory by tiles at once:\n");
    printf("           128        8        4        3        2        8        1    "
        "cached         8         2         1\n");
    ActBlock *blocks = aligned_alloc(64, 1 << 20);
    kernels->quantize(x, blocks, 1 << 18);
    for (int kind = 0; kind < PANEL_KINDS; kind++)
        if (argc < 3 || strcmp(argv[2], kind_name[kind]) == 0) bench_matmul(kind_name[kind], kernels->matmul[kind], kind, false, memory, kind < PANEL_FIRST_FLOAT
            ? (void *)blocks : x, y, scratch);
    if (argc > 2) return 0;
    bench_matmul("screen", kernels->screen, PANEL_P8, true, memory, blocks, y, scratch);
    bench_attend(kernels, (uint16_t *)memory, x, y, scratch);
    VectorJob job = {kernels, 0, 1 << 18, x, (float *)memory, y};
    for (job.op = 0; job.op < 8; job.op++) {
        memset(job.out, 0, (size_t)job.n * 4);
        printf("%s %.2f  ", vector_ops[job.op], best_time(run_vector, &job, 0.1) * 1e9 / job.n);
    }
    printf("ns an element\n");
    return 0;
}
