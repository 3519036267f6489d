/* test.h: the C tests' harness. A test program is one file tests/c/test_X.c with its own main; it is built
 * natively (ASan, UBSan) and as wasm, and run by tests/c/c.test.js.
 *
 *     #include "test.h"
 *     TEST(adds_small_numbers) { CHECK(1 + 1 == 2); }
 *     int main(void) {
 *         RUN(adds_small_numbers);
 *         return test_result();
 *     }
 *
 * A failed check prints its place and the test goes on; the program then returns 1. Checks belong to the main
 * thread. */
#ifndef TEST_H
#define TEST_H

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_failures, test_count;

/* A forgotten RUN is a compiler warning (unused function). */
#define TEST(name) static void name(void)

#define RUN(name) test_run(#name, name)

static inline void test_run(const char *name, void (*test)(void)) {
    int before = test_failures;
    test();
    test_count++;
    printf("%s %s\n", test_failures == before ? "ok" : "not ok", name);
    fflush(stdout);
}

/* For main to return. */
static inline int test_result(void) {
    printf("%d tests, %d failed checks\n", test_count, test_failures);
    return test_failures ? 1 : 0;
}

/* At most 20 places are printed: a broken kernel fails everywhere. */
#define TEST_FAIL(...) \
    do { \
        if (++test_failures <= 20) { \
            printf("FAIL %s:%d: ", __FILE__, __LINE__); \
            printf(__VA_ARGS__); \
            printf("\n"); \
        } \
    } while (0)

#define CHECK(cond) \
    do { \
        if (!(cond)) TEST_FAIL("%s", #cond); \
    } while (0)

/* For preconditions: leaves the test, since what follows could not run. */
#define REQUIRE(cond) \
    do { \
        if (!(cond)) { \
            TEST_FAIL("%s", #cond); \
            return; \
        } \
    } while (0)

#define CHECK_INT(a, b) \
    do { \
        long long test_a = (long long)(a), test_b = (long long)(b); \
        if (test_a != test_b) TEST_FAIL("%s is %lld, not %s = %lld", #a, test_a, #b, test_b); \
    } while (0)

/* |a - b| <= tol; NaN fails. */
#define CHECK_NEAR(a, b, tol) \
    do { \
        double test_a = (a), test_b = (b), test_tol = (tol); \
        if (!(fabs(test_a - test_b) <= test_tol)) \
            TEST_FAIL("%s is %.9g, not %s = %.9g within %.3g", #a, test_a, #b, test_b, test_tol); \
    } while (0)

/* Whether `text` has `part` in it, in small or capital letters. */
static inline bool test_has(const char *text, const char *part) {
    for (; *text || !*part; text++) {
        size_t n = 0;
        while (part[n] && tolower((unsigned char)text[n]) == tolower((unsigned char)part[n])) n++;
        if (!part[n]) return true;
    }
    return false;
}

#define CHECK_TEXT_HAS(text, part) \
    do { \
        const char *test_text = (text), *test_part = (part); \
        if (!test_has(test_text, test_part)) TEST_FAIL("\"%s\" does not say \"%s\"", test_text, test_part); \
    } while (0)

/* The tests' random numbers: splitmix64, the same everywhere. Start with any state. */
static inline uint64_t test_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [-1, 1). */
static inline float test_random_float(uint64_t *state) {
    return (float)(int32_t)(test_random(state) >> 32) * 0x1p-31f;
}

#endif
