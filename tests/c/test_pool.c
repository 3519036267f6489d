/* The pool hands out every item exactly once, whatever the threads, grain and size, and survives many short regions. */
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

TEST(freeing_null_is_allowed) { pool_free(NULL); }

int main(void) {
    RUN(every_item_once);
    RUN(freeing_null_is_allowed);
    return test_result();
}
