/* Compares quantize/search.c with llama.cpp's quantisers: for each type, distribution and row length the root
 * mean square error of the weights read back, ours / llama.cpp's, plain and weighted as quantize/search.h
 * says, without importance and with some; and the nanoseconds that a weight takes in one thread. A tool for
 * measuring, not a test; it needs a build of llama.cpp:
 *
 *     LLAMA=path/to/llama.cpp
 *     gcc -std=gnu11 -O3 -march=native -ffp-contract=off -fno-math-errno -Wno-psabi \
 *         -Isrc -Iquantize -Itests/c -Itests/quantize -I$LLAMA/ggml/include \
 *         tests/quantize/search_vs_llama.c quantize/search*.c src/quant.c \
 *         -L$LLAMA/build/bin -lggml -lggml-base -Wl,-rpath,$LLAMA/build/bin -lm -o build/search_vs_llama
 *     build/search_vs_llama [type ...]
 *
 * With --table it prints llama.cpp's errors as tests/c/test_search.c has them. */
#include <time.h>

#include "ggml.h"
#include "search.h"
#include "search_data.h"

static const QuantType types[] = {QUANT_Q4_0, QUANT_Q4_1, QUANT_Q5_0, QUANT_Q5_1, QUANT_Q8_0, QUANT_Q4_K,
    QUANT_Q5_K, QUANT_Q6_K};
enum { N_TYPES = sizeof types / sizeof *types, N_WEIGHTS = 1 << 17, MOST_COLS = 16384 };

static float x[N_WEIGHTS], importance[MOST_COLS];
static uint8_t ours[N_WEIGHTS * 2], theirs[N_WEIGHTS * 2];

static double nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void print_table(void) {
    for (int t = 0; t < N_TYPES; t++) {
        printf("    {QUANT_%s, {", quant_type_name(types[t]));
        for (int freedom = 0; freedom <= 3; freedom += 3) {
            data_weights(x, N_WEIGHTS, freedom);
            ggml_quantize_chunk((enum ggml_type)types[t], x, theirs, 0, N_WEIGHTS / 2048, 2048, NULL);
            DataErrors e = data_errors(types[t], x, N_WEIGHTS / 2048, 2048, NULL, theirs);
            printf("%s{%.4e, %.4e}", freedom ? ", " : "", e.plain, e.weighted);
        }
        printf("}},\n");
    }
}

static void compare(QuantType type, int freedom, int n_cols, const float *weighing) {
    int n_rows = N_WEIGHTS / n_cols;
    double best[3] = {1e9, 1e9, 1e9};
    for (int repeat = 0; repeat < 5; repeat++) {
        double at[4] = {nanoseconds()};
        quantize_rows(type, x, n_rows, n_cols, weighing, true, ours);
        at[1] = nanoseconds();
        quantize_rows(type, x, n_rows, n_cols, weighing, false, ours);
        at[2] = nanoseconds();
        ggml_quantize_chunk((enum ggml_type)type, x, theirs, 0, n_rows, n_cols, weighing);
        at[3] = nanoseconds();
        for (int i = 0; i < 3; i++) best[i] = fmin(best[i], (at[i + 1] - at[i]) / N_WEIGHTS);
    }
    DataErrors our = data_errors(type, x, n_rows, n_cols, weighing, ours),
        their = data_errors(type, x, n_rows, n_cols, weighing, theirs);
    printf("%-5s %-9s %6d %-10s | %9.3e %8.4f %8.4f | %6.2f %6.2f %6.2f\n", quant_type_name(type),
           freedom == 0 ? "gaussian" : freedom == 3 ? "student 3" : "student 4", n_cols, weighing ? "some"
               : "none", their.plain,
           our.plain / their.plain, our.weighted / their.weighted, best[1], best[2], best[0]);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const int freedoms[] = {0, 4, 3}, columns[] = {2048, 16384};
    data_importance(importance, MOST_COLS);
    if (argc == 2 && !strcmp(argv[1], "--table")) {
        print_table();
        return 0;
    }
    printf("%34s | %9s %17s | %20s\n", "", "RMS error", "ours / llama.cpp", "ns per weight");
    printf("%-5s %-9s %6s %-10s | %9s %8s %8s | %6s %6s %6s\n", "type", "weights", "cols", "importance",
        "llama.cpp", "plain", "weighted", "ours", "llama",
           "plain");
    for (int t = 0; t < N_TYPES; t++) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++) wanted |= quant_by_name(argv[i], strlen(argv[i]))
            == quant_info(types[t]);
        for (int k = 0; wanted && k < 12; k++) {
            data_weights(x, N_WEIGHTS, freedoms[k / 4]);
            compare(types[t], freedoms[k / 4], columns[k / 2 % 2], k % 2 ? importance : NULL);
        }
    }
    return 0;
}
