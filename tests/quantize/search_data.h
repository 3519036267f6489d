/* search_data.h: the weights with which search_vs_llama.c measures and tests/c/test_search.c tests: the same
 * floats on every machine, for nothing is used but operations that are rounded exactly. */
#ifndef SEARCH_DATA_H
#define SEARCH_DATA_H

#include "quant.h"
#include "test.h"

/* Nearly: the sum of twelve numbers from -0.5 to 0.5. */
static inline double data_gaussian(uint64_t *state) {
    double sum = 0;
    for (int i = 0; i < 12; i++) sum += (double)(test_random(state) >> 11) * 0x1p-53 - 0.5;
    return sum;
}

/* x[n], about 0.02 in size: Student's t with `freedom` degrees of freedom, or Gaussian for 0. */
static inline void data_weights(float *x, int n, int freedom) {
    uint64_t state = (uint64_t)freedom + 1;
    for (int i = 0; i < n; i++) {
        double z = data_gaussian(&state), squares = 0;
        for (int k = 0; k < freedom; k++) {
            double a = data_gaussian(&state);
            squares += a * a;
        }
        x[i] = (float)(0.02 * (freedom ? z / sqrt(squares / freedom) : z));
    }
}

/* importance[n]: from nearly 0 to 1, most of them small. */
static inline void data_importance(float *importance, int n) {
    uint64_t state = 100;
    for (int j = 0; j < n; j++) {
        float u = test_random_float(&state);
        importance[j] = u * u * u * u;
    }
}

/* Of rows decoded from `bytes`: the root mean square of their differences from x, and that with columns
 * counted as search.h says. */
typedef struct {
    double plain, weighted;
} DataErrors;

static inline double data_mean_square(const float *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sum / n;
}

static inline DataErrors data_errors(QuantType type, const float *x, int n_rows, int n_cols,
    const float *importance,
                                     const uint8_t *bytes) {
    DataErrors e = {0, 0};
    float *y = malloc((size_t)n_cols * sizeof *y);
    int block = quant_info(type)->block;
    for (int r = 0; r < n_rows; r++, x += n_cols) {
        double row_square = data_mean_square(x, n_cols), r32 = 0, s = 0;
        quant_decode_row(type, bytes + (size_t)r * quant_row_bytes(type, n_cols), y, n_cols);
        for (int j = 0; j < n_cols; j++) {
            if (j % block == 0) s = block == 256 ? 2 * data_mean_square(x + j, 256) : row_square;
            if (j % 32 == 0) r32 = sqrt(data_mean_square(x + j, 32));
            double d = (double)y[j] - x[j], v = importance ? importance[j] * sqrt(s + (double)x[j] * x[j])
                : r32 + fabs(x[j]);
            if (type == QUANT_Q6_K && !importance) v = (double)x[j] * x[j];
            e.plain += d * d;
            e.weighted += v * d * d;
        }
    }
    free(y);
    return (DataErrors){sqrt(e.plain / ((double)n_rows * n_cols)),
        sqrt(e.weighted / ((double)n_rows * n_cols))};
}

#endif
