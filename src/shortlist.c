/* shortlist.c: see shortlist.h. */
#include "shortlist.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>


/* Tiles of which at first only the most promising one is multiplied. */
enum { GROUP = 16 };
/* At least this many of these, because the row with the largest bound may not have the largest product. */
enum { FIRST = 16 };

static int count_tiles(int n_rows) { return (n_rows + TILE_ROWS - 1) / TILE_ROWS; }
static int count_groups(int n_tiles) { return (n_tiles + GROUP - 1) / GROUP; }
/* Twice k: their products are so close to the k-th largest that few rows are multiplied needlessly. */
static int count_first(int k) { return 2 * k > FIRST ? 2 * k : FIRST; }

uint64_t shortlist_bytes(int n_rows) {
    return (uint64_t)count_tiles(n_rows) * ((SHORTLIST_MOST + 1) * sizeof(float) + sizeof(int32_t));
}

bool shortlist_new(Shortlist *s, int n_rows) {
    size_t n = (size_t)count_tiles(n_rows);
    *s = (Shortlist){.bound = malloc(SHORTLIST_MOST * n * sizeof *s->bound),
        .tiles = malloc(n * sizeof *s->tiles),
                     .sorting = malloc(n * sizeof *s->sorting)};
    if (s->bound && s->tiles && s->sorting) return true;
    shortlist_free(s);
    return false;
}

void shortlist_free(Shortlist *s) {
    free(s->bound);
    free(s->tiles);
    free(s->sorting);
    *s = (Shortlist){0};
}

bool shortlist_pays(const Matrix *w, int k) {
    /* Their products have room in `sorting`, and at most an eighth of the tiles is multiplied in any case. */
    return w->kind == PANEL_P8 && k > 0 && k < w->n_rows / 16
        && count_first(k) <= count_tiles(w->n_rows) / TILE_ROWS / 2;
}

/* ------------------------------------------------------------------------------------ the two passes */

/* The first pass is of all vectors, the second of one: acts, y and bound are then its own. */
typedef struct {
    Shortlist *s;
    Ops *ops;
    const Matrix *w;
    const ActBlock *acts;       /* [n, n_cols / 32] */
    float *y;                   /* [n, n_rows] */
    float *bound;               /* [n, n_tiles] */
    int n, group;
} Task;

static size_t acts_stride(const Matrix *w) { return (size_t)(w->n_cols / BLOCK_COLS) * sizeof(ActBlock); }

/* (In lanes, so that the compiler makes vectors of them.) */
static float largest_of_tile(const Matrix *w, int tile, const float *y) {
    enum { LANES = 4 };
    int begin = tile * TILE_ROWS, n = w->n_rows - begin < TILE_ROWS ? w->n_rows - begin : TILE_ROWS, i = 0;
    float lane[LANES] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    for (y += begin; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = lane[j] > y[i + j] ? lane[j] : y[i + j];
    for (; i < n; i++) lane[0] = lane[0] > y[i] ? lane[0] : y[i];
    float max = lane[0];
    for (int j = 1; j < LANES; j++) max = lane[j] > max ? lane[j] : max;
    return max;
}

static void screen_groups(void *context, int begin, int end, int thread) {
    const Task *t = context;
    int n_tiles = matrix_tiles(t->w);
    for (int g = begin; g < end; g++) {
        int tile = g * t->group, n = n_tiles - tile < t->group ? n_tiles - tile : t->group;
        t->ops->kernels->screen(t->w, tile, n, t->acts, acts_stride(t->w), t->n, t->y, (size_t)t->w->n_rows,
            ops_scratch(t->ops, thread));
        for (int j = 0; j < t->n; j++)
            for (int i = tile; i < tile + n; i++)
                t->bound[j * n_tiles + i] = largest_of_tile(t->w, i, t->y + (size_t)j * (size_t)t->w->n_rows);
    }
}

static void multiply_tiles(void *context, int begin, int end, int thread) {
    const Task *t = context;
    for (int i = begin; i < end; i++)
        t->ops->kernels->matmul[t->w->kind](t->w, t->s->tiles[i], 1, t->acts, 0, 1, t->y, 0,
            ops_scratch(t->ops, thread));
}

static void multiply(const Task *t, int n) {
    pool_run(t->ops->pool, n, 4, multiply_tiles, (void *)t);
    for (int i = 0; i < n; i++) t->bound[t->s->tiles[i]] = -INFINITY;
}

/* The k-th largest of x[n], 1 <= k <= n, whose order is lost. (Hoare's selection; it ends for NaN, too.) */
static float kth_largest(float *x, int n, int k) {
    int from = 0, to = n - 1, at = k - 1;
    while (from < to) {
        float pivot = x[from + (to - from) / 2];
        int i = from - 1, j = to + 1;
        for (;;) {
            do i++; while (x[i] > pivot);
            do j--; while (x[j] < pivot);
            if (i >= j) break;
            float x_i = x[i];
            x[i] = x[j];
            x[j] = x_i;
        }
        if (at <= j) to = j;
        else from = j + 1;
    }
    return x[at];
}

/* Lists the tile with the largest bound of each of the best groups; returns how many: n, or somewhat more
 * where bounds are equal. */
static int list_promising(Shortlist *s, const float *bound, int n_tiles, int n) {
    int n_groups = count_groups(n_tiles), listed = 0;
    for (int g = 0; g < n_groups; g++) {
        int best = g * GROUP;
        for (int i = best + 1; i < (g + 1) * GROUP && i < n_tiles; i++)
            best = bound[i] > bound[best] ? i : best;
        s->tiles[g] = best;
        s->sorting[g] = bound[best];
    }
    float least = kth_largest(s->sorting, n_groups, n);
    for (int g = 0; g < n_groups; g++)
        if (!(bound[s->tiles[g]] < least) && listed < 2 * n) s->tiles[listed++] = s->tiles[g];
    return listed;
}

/* The k-th largest of the products of n listed tiles, which have been multiplied. */
static float kth_product(const Task *t, int n, const ShortlistWant *want) {
    int n_values = 0, k = want->k;
    for (int i = 0; i < want->n_never; i++)
        if (t->bound[want->never[i] / TILE_ROWS] == -INFINITY) t->y[want->never[i]] = -FLT_MAX;
    for (int i = 0; i < n && n_values <= matrix_tiles(t->w) - TILE_ROWS; i++)
        for (int row = t->s->tiles[i] * TILE_ROWS, j = 0; j < TILE_ROWS && row + j < t->w->n_rows; j++)
            t->s->sorting[n_values++] = t->y[row + j];
    return k <= n_values ? kth_largest(t->s->sorting, n_values, k) : -INFINITY;
}

/* Lists tiles that may have one of the k largest, and those of rows that are wanted in any case. */
static int list_rest(Shortlist *s, float *bound, int n_tiles, float kth, const ShortlistWant *want) {
    int listed = 0;
    for (int i = 0; i < want->n_also; i++) {
        float *of_row = &bound[want->also[i] / TILE_ROWS];
        if (*of_row > -INFINITY) *of_row = INFINITY;    /* not multiplied yet */
    }
    for (int i = 0; i < n_tiles; i++)
        if (!(bound[i] < kth)) s->tiles[listed++] = i;
    return listed;
}

/* Rescores one vector, whose bounds are computed. Returns how many tiles it multiplied. */
static int rescore(const Task *t, const ShortlistWant *want) {
    int n_tiles = matrix_tiles(t->w), n_first = list_promising(t->s, t->bound, n_tiles, count_first(want->k));
    multiply(t, n_first);
    int n_rest = list_rest(t->s, t->bound, n_tiles, kth_product(t, n_first, want), want);
    multiply(t, n_rest);
    return n_first + n_rest;
}

void shortlist_matmul(Shortlist *s, Ops *ops, const Matrix *w, const float *x, int n,
    const ShortlistWant *want, float *y) {
    assert(n >= 1 && n <= SHORTLIST_MOST);
    ops_quantize(ops, x, n, w->n_cols);
    double start = clock_read(&ops->clock);
    int n_tiles = matrix_tiles(w), most = 8;
    Task t = {s, ops, w, ops->acts, y, s->bound, n, n > 1 ? most : 1 << tuner_choice(&ops->streams)};
    pool_run(ops->pool, (n_tiles + t.group - 1) / t.group, most / t.group, screen_groups, &t);
    double screened = clock_read(&ops->clock);
    uint64_t bytes = (uint64_t)n_tiles * w->tile_bytes;
    if (n == 1) ops_tune(ops, bytes, screened - start);
    ops_count(ops, OP_SCREEN, screened - start, bytes,
        (uint64_t)n * (uint64_t)n_tiles * TILE_ROWS * (uint64_t)w->n_cols);

    uint64_t multiplied = 0;
    for (int i = 0; i < n; i++) {
        t.acts = ops->acts + (size_t)i * (size_t)(w->n_cols / BLOCK_COLS);
        t.y = y + (size_t)i * (size_t)w->n_rows;
        t.bound = s->bound + i * n_tiles;
        multiplied += (uint64_t)rescore(&t, &want[i]);
    }
    ops_count(ops, OP_SHORTLIST, clock_read(&ops->clock) - screened, multiplied * matrix_tile_bytes(w),
              multiplied * TILE_ROWS * (uint64_t)w->n_cols);
}

void shortlist_rows(Shortlist *s, Ops *ops, const Matrix *w, const float *x, const uint32_t *bits, float *y) {
    _Static_assert(32 % TILE_ROWS == 0, "a word of bits has those of whole tiles");
    double start = clock_read(&ops->clock);
    int n_tiles = matrix_tiles(w), n = 0;
    for (int tile = 0, row = 0; tile < n_tiles; tile++, row += TILE_ROWS)
        if (bits[row / 32] >> (row % 32) & ((1u << TILE_ROWS) - 1)) s->tiles[n++] = tile;
    ops_quantize(ops, x, 1, w->n_cols);
    Task t = {.s = s, .ops = ops, .w = w, .acts = ops->acts, .y = y, .n = 1};
    pool_run(ops->pool, n, 4, multiply_tiles, &t);
    ops_count(ops, OP_SHORTLIST, clock_read(&ops->clock) - start, (uint64_t)n * matrix_tile_bytes(w),
        (uint64_t)n * TILE_ROWS * (uint64_t)w->n_cols);
}
