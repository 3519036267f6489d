/* The k largest products of a matrix by two passes are those of one: the same rows, the same bits, for one
 * vector or several. */
#include "shortlist.h"
#include "model.h"
#include "pack.h"
#include "test.h"

enum { COLS = 96, MOST = SHORTLIST_MOST };

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Rows of Q8_0 like those of an embedding: most are alike, one in eight is four times as large. */
static Matrix random_rows(int n_rows, uint64_t *state) {
    size_t row_bytes = quant_row_bytes(QUANT_Q8_0, COLS);
    uint8_t *data = malloc(pack_bytes(QUANT_Q8_0, n_rows, COLS) + PANEL_OVERREAD),
        *rows = malloc(TILE_ROWS * row_bytes);
    Matrix m = panel_matrix(PANEL_P8, n_rows, COLS, data);
    for (int tile = 0; tile < matrix_tiles(&m); tile++) {
        int n = n_rows - tile * TILE_ROWS < TILE_ROWS ? n_rows - tile * TILE_ROWS : TILE_ROWS;
        for (int i = 0; i < n; i++) {
            float row[COLS], size = test_random(state) % 8 ? 0.02f : 0.08f;
            for (int k = 0; k < COLS; k++)
                row[k] = size * (test_random_float(state) + test_random_float(state)
                + test_random_float(state));
            quant_encode_row(QUANT_Q8_0, row, rows + (size_t)i * row_bytes, COLS);
        }
        PackFault fault;
        CHECK(pack_tile(QUANT_Q8_0, rows, n, &m, tile, &fault));
    }
    free(rows);
    return m;
}

/* Of one vector: y has what `want` wants of the products all[n], and nothing that reaches the k-th in the
 * place of another. */
static void check_best(const float *all, const float *y, int n, const ShortlistWant *want) {
    size_t bytes = (size_t)n * sizeof(float);
    float *sorted = malloc(bytes);
    memcpy(sorted, all, bytes);
    for (int i = 0; i < want->n_never; i++) sorted[want->never[i]] = -INFINITY;
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    int best = 0;
    for (int i = 0; i < n; i++) {
        if (want->n_never && want->never[0] == i) CHECK(isfinite(y[i]));
        else if (all[i] >= sorted[want->k - 1]) {
            best++;
            CHECK(!memcmp(y + i, all + i, sizeof *y));
        } else {
            CHECK(y[i] < sorted[want->k - 1]);
        }
    }
    CHECK_INT(best, want->k);
    for (int i = 0; i < want->n_also; i++) CHECK(!memcmp(y + want->also[i], all + want->also[i], sizeof *y));
    free(sorted);
}

TEST(the_best_are_those_of_all) {
    uint64_t state = 1;
    static const int n_rows[] = {8192, 20001}, counts[] = {1, 2, 3, 5, MOST}, ks[] = {1, 2, 7};
    for (int shape = 0; shape < 2; shape++)
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            Matrix w = random_rows(n_rows[shape], &state);
            Pool *pool = pool_new(n_threads);
            Ops ops;
            Shortlist s;
            OpsLimits most = {.n_tok = MOST, .n_cols = COLS, .n_head = 1, .head_dim = 32};
            CHECK(ops_new(&ops, model_kernels(), pool, false, &most) && shortlist_new(&s, w.n_rows));
            size_t floats = (size_t)w.n_rows * MOST;
            float *all = malloc(floats * sizeof *all), *y = malloc(floats * sizeof *y);
            for (int round = 0; round < 10; round++) {
                int n = counts[round % 5];
                float x[MOST * COLS];
                int32_t also[MOST][2], never[MOST];
                ShortlistWant want[MOST];
                for (int k = 0; k < n * COLS; k++) x[k] = test_random_float(&state)
                    * (k % COLS == round ? 30 : 1);
                ops_matmul(&ops, x, n, (MatmulTerm[]){{&w, all}}, 1);
                for (int i = 0; i < n; i++) {
                    const float *products = all + (size_t)i * (size_t)w.n_rows;
                    never[i] = 0;
                    for (int row = 1; row < w.n_rows - 1; row++) never[i] = products[row] > products[never[i]]
                        ? row : never[i];
                    also[i][0] = (int32_t)(test_random(&state) % (uint64_t)w.n_rows);
                    also[i][0] -= also[i][0] == never[i] && never[i] > 0;
                    also[i][1] = w.n_rows - 1;
                    want[i] = (ShortlistWant){
                        shape == 1 && i % 4 == 3 ? 19 : ks[(round + i) % 3], also[i], i % 3,
                        &never[i], i % 2};
                    CHECK(shortlist_pays(&w, want[i].k));
                }
                shortlist_matmul(&s, &ops, &w, x, n, want, y);
                for (int i = 0; i < n; i++) {
                    size_t at = (size_t)i * (size_t)w.n_rows;
                    check_best(all + at, y + at, w.n_rows, &want[i]);
                }
            }
            free(all);
            free(y);
            shortlist_free(&s);
            ops_free(&ops);
            pool_free(pool);
            free((void *)w.data);
        }
}

TEST(equal_rows_and_numbers_that_are_none_end_it_too) {
    uint64_t state = 2;
    Matrix w = random_rows(8192, &state);
    Pool *pool = pool_new(2);
    Ops ops;
    Shortlist s;
    OpsLimits most = {.n_tok = 1, .n_cols = COLS, .n_head = 1, .head_dim = 32};
    CHECK(ops_new(&ops, model_kernels(), pool, false, &most) && shortlist_new(&s, w.n_rows));
    float x[COLS] = {0}, *y = malloc((size_t)w.n_rows * sizeof *y);
    shortlist_matmul(&s, &ops, &w, x, 1, &(ShortlistWant){.k = 3}, y);      /* all products are zero */
    for (int i = 0; i < w.n_rows; i++) CHECK(y[i] == 0);
    x[40] = NAN;
    shortlist_matmul(&s, &ops, &w, x, 1, &(ShortlistWant){.k = 3}, y);
    for (int i = 0; i < w.n_rows; i++) CHECK(isnan(y[i]));
    free(y);
    shortlist_free(&s);
    ops_free(&ops);
    pool_free(pool);
    free((void *)w.data);
}

TEST(it_is_used_only_where_it_pays) {
    Matrix large = panel_matrix(PANEL_P8, 262144, 640, NULL), small = panel_matrix(PANEL_P8, 4096, 640, NULL);
    Matrix other = panel_matrix(PANEL_P6K, 262144, 768, NULL);
    CHECK(shortlist_pays(&large, 1) && shortlist_pays(&large, 64) && shortlist_pays(&large, 200));
    CHECK(!shortlist_pays(&large, 0) && !shortlist_pays(&large, 300) && !shortlist_pays(&small, 1)
        && !shortlist_pays(&other, 1));
}

int main(void) {
    RUN(the_best_are_those_of_all);
    RUN(equal_rows_and_numbers_that_are_none_end_it_too);
    RUN(it_is_used_only_where_it_pays);
    return test_result();
}
