/* Rates are right and finite by fine clocks and by coarse ones: of the clock itself, and of the engine that
 * goes by it. */
#include "clock.h"
#include "model.h"
#include "tiny_session.h"

static double time_now, tick;
static double now_by_ticks(void) { return floor((time_now += 1e-7) / tick) * tick; }

TEST(a_rate_is_told_when_the_clock_has_moved_often_enough) {
    static const double ticks[] = {1e-8, 1e-4, 1e-3, 0.016667, 0.1};
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++)
        for (double takes = 0.0005; takes < 1; takes *= 3) {
            tick = ticks[i];
            time_now = 1e5;
            Clock c = clock_new(now_by_ticks);
            ClockSum sum = {0};
            int n_rates = 0, n = 0;
            for (; n < 100000 && n_rates < 5; n++) {
                double start = clock_read(&c);
                time_now += takes;
                double rate = clock_add(&sum, &c, clock_read(&c) - start, 2);
                CHECK(rate >= 0);
                if (rate > 0) CHECK_NEAR(rate / (takes / 2), 1, 0.3);
                n_rates += rate > 0;
                time_now += takes / 10;
            }
            CHECK_INT(n_rates, 5);
            if (ticks[i] < 1e-7) CHECK_INT(n, 5);
            CHECK(c.tick >= tick * 0.999 && c.tick < takes * 1.2 + 1.001 * tick);
        }
}

/* A clock that stands, or goes back, never tells a rate. */
TEST(a_clock_that_stands_tells_nothing) {
    tick = 1;
    time_now = 10;
    Clock c = clock_new(now_by_ticks);
    ClockSum sum = {0};
    for (int i = 0; i < 1000; i++) {
        double start = clock_read(&c);
        if (i == 500) time_now = 5;
        CHECK(!(clock_add(&sum, &c, clock_read(&c) - start, 1) > 0));
    }
}

/* Every reading takes 5 ms, and nothing else takes time. */
static double now_by_readings(void) {
    time_now += 0.005;
    return now_by_ticks();
}

/* A layer of a large batch is read before and after: 5 ms for all of its rows. */
TEST(what_a_row_costs_is_known_by_a_coarse_clock) {
    enum { BATCH = 64, N = 2 * BATCH };
    int32_t ids[N_TOKENS];
    make_tokens(ids, 7);
    GemmaModel *m = load_case(2, 1 << 20, 1);
    REQUIRE(m);
    float want[TINY_VOCAB], got[TINY_VOCAB];
    reference(m, ids, N, BATCH, want);
    for (int i = 0; i < 2; i++) {
        tick = i ? 0.1 : 1e-6;
        m->batch.row_seconds = 0;
        m->batch.row_sum = (ClockSum){0};
        m->batch.workspace.ops.clock = clock_new(now_by_readings);
        int rounds = i ? 40 : 10;
        for (int round = 0; round < rounds; round++) reference(m, ids, N, BATCH, got);
        CHECK(!memcmp(want, got, sizeof got));
        /* a single duration by the coarse clock would tell 0 or 20 */
        double of_layer = m->batch.row_seconds * BATCH / 0.005;
        CHECK(of_layer > 0.5 && of_layer < 2);
    }
    gemma_model_free(m);
}

int main(void) {
    RUN(a_rate_is_told_when_the_clock_has_moved_often_enough);
    RUN(a_clock_that_stands_tells_nothing);
    RUN(what_a_row_costs_is_known_by_a_coarse_clock);
    return test_result();
}
