/* The pool hands out every item exactly once, for any threads, grain and size, and survives many short
 * regions. */
#include <limits.h>
#include <stdatomic.h>

#include "pool.h"
#include "test.h"

enum { MOST = 1000 };

static void count_items(void *context, int begin, int end, int thread) {
    (void)thread;
    unsigned char *seen = context;
    for (int i = begin; i < end; i++) seen[i]++;
}

TEST(every_item_once) {
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        Pool *pool = pool_new(n_threads);
        REQUIRE(pool);
        CHECK(pool_threads(pool) == n_threads);
        for (int round = 0; round < 300; round++) {
            int n = round * 7 % MOST, grain = 1 + round % 13;
            unsigned char seen[MOST] = {0};
            pool_run(pool, n, grain, count_items, seen);
            int wrong = 0;
            for (int i = 0; i < MOST; i++) wrong += seen[i] != (i < n);
            CHECK_INT(wrong, 0);
        }
        pool_free(pool);
    }
}

static void note_threads(void *context, int begin, int end, int thread) {
    (void)begin, (void)end;
    unsigned char *took_part = context;
    took_part[thread] = 1;
}

TEST(only_active_threads_take_part_and_all_come_back) {
    enum { THREADS = 4 };
    Pool *pool = pool_new(THREADS);
    REQUIRE(pool);
    CHECK_INT(pool_active(pool), THREADS);
    for (int round = 0; round < 2000; round++) {
        int active = 1 + round / 3 * 7 % THREADS, wrong = 0;
        unsigned char seen[64] = {0}, took_part[THREADS] = {0};
        pool_set_active(pool, active);
        pool_run(pool, 64, 1, count_items, seen);
        pool_run(pool, 64, 1, note_threads, took_part);
        for (int i = 0; i < 64; i++) wrong += seen[i] != 1;
        for (int i = active; i < THREADS; i++) wrong += took_part[i];
        CHECK_INT(wrong, 0);
    }
    pool_set_active(pool, 1);
    pool_free(pool);
}

static void add_items(void *context, int begin, int end, int thread) {
    (void)thread;
    atomic_fetch_add((_Atomic int64_t *)context, (int64_t)end - begin);
}

TEST(as_many_items_as_an_int_can_count_are_each_taken_once) {
    Pool *pool = pool_new(4);
    REQUIRE(pool);
    static const int grains[] = {1 << 20, INT_MAX / 2, INT_MAX - 1};
    for (int i = 0; i < 3; i++) {
        _Atomic int64_t n = 0;
        pool_run(pool, INT_MAX, grains[i], add_items, &n);
        CHECK_INT(n, INT_MAX);
    }
    pool_free(pool);
}

TEST(freeing_null_is_allowed) { pool_free(NULL); }

int main(void) {
    RUN(every_item_once);
    RUN(only_active_threads_take_part_and_all_come_back);
    RUN(as_many_items_as_an_int_can_count_are_each_taken_once);
    RUN(freeing_null_is_allowed);
    return test_result();
}
