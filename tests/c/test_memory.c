/* What an address size can hold, and that blocks around each limit are had or refused. (The modules' own
 * allocators: tests/engine/large.test.js.) */
#include "gemma.h"
#include "memory.h"
#include "test.h"

static const uint64_t GIB = 1u << 30;

TEST(each_address_size_holds_less_than_it_addresses) {
    CHECK(gemma_capacity(32) < 4 * GIB && gemma_capacity(32) > 3.9 * (double)GIB);
    CHECK(gemma_capacity(64) < 16 * GIB && gemma_capacity(64) > 15.9 * (double)GIB);
}

TEST(blocks_are_aligned_and_whole_or_refused) {
    static const double tenths[] = {0, 1, 19, 21, 39, 41};
    for (int i = 0; i < 6; i++) {
        uint64_t bytes = (uint64_t)(tenths[i] / 10 * (double)GIB) + 1;
        bool fits = bytes <= gemma_capacity(8 * sizeof(void *));
        /* a program of tests has another allocator */
        if (sizeof(void *) == 4 && fits && bytes > GIB) continue;
        uint8_t *p = memory_aligned(bytes);
        CHECK(!p == !fits);
        if (!p) continue;
        CHECK_INT((uintptr_t)p % 64, 0);
        p[0] = p[bytes - 1] = 1;
        free(p);
    }
    CHECK(!memory_aligned(gemma_capacity(64) + 1));
    CHECK(!memory_aligned(UINT64_MAX));
    if (sizeof(void *) == 4) CHECK(!memory_aligned(((uint64_t)1 << 32) + 5));      /* not 5 bytes */
}

int main(void) {
    RUN(each_address_size_holds_less_than_it_addresses);
    RUN(blocks_are_aligned_and_whole_or_refused);
    return test_result();
}
