/* The tuner finds the fastest way, keeps looking, and follows the machine when it changes; on coarse clocks,
 * too. */
#include "test.h"
#include "tuner.h"

enum { WAYS = 4, PERIOD = 16, ROUNDS = 400 };

static const Clock fine = {.now = clock_now, .tick = 0};

/* Rounds in which `way` was chosen, of ROUNDS that take seconds[way], give or take a tenth. */
static int rounds_of(Tuner *t, int way, const double *seconds, uint64_t *rng) {
    int n = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int choice = tuner_choice(t);
        CHECK(choice >= 0 && choice < t->n);
        n += choice == way;
        tuner_report(t, &fine, seconds[choice] * (1 + 0.1 * test_random_float(rng)), 1);
    }
    return n;
}

TEST(the_fastest_way_is_found_and_followed) {
    uint64_t rng = 1;
    for (int fastest = 0; fastest < WAYS; fastest++) {
        double seconds[WAYS] = {3, 3, 3, 3};
        seconds[fastest] = 2;
        Tuner t;
        tuner_init(&t, WAYS, PERIOD);
        CHECK(rounds_of(&t, fastest, seconds, &rng) > ROUNDS * 3 / 4);
        int other = (fastest + 1) % WAYS;
        seconds[other] = 1;
        rounds_of(&t, other, seconds, &rng);
        CHECK(rounds_of(&t, other, seconds, &rng) > ROUNDS * 3 / 4);
        seconds[other] = 4;     /* what was the best gets slow */
        rounds_of(&t, fastest, seconds, &rng);
        CHECK(rounds_of(&t, fastest, seconds, &rng) > ROUNDS * 3 / 4);
    }
}

TEST(a_hopeless_way_is_tried_once_at_first) {
    Tuner t;
    static const double seconds[WAYS] = {8, 4, 2, 1};
    int rounds[WAYS] = {0};
    tuner_init(&t, WAYS, PERIOD);
    for (int i = 0; i < 10; i++) {
        rounds[tuner_choice(&t)]++;
        tuner_report(&t, &fine, seconds[tuner_choice(&t)], 1);
    }
    for (int i = 0; i < WAYS - 1; i++) CHECK_INT(rounds[i], 1);
    CHECK_INT(rounds[WAYS - 1], 7);
}

TEST(one_way_is_always_chosen) {
    Tuner t;
    tuner_init(&t, 1, PERIOD);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(tuner_choice(&t), 0);
        tuner_report(&t, &fine, 1, 1);
    }
}

/* A clock that tests set and that moves by ticks. */
static double coarse_time, coarse_tick;
static double coarse_now(void) { return floor(coarse_time / coarse_tick) * coarse_tick; }

/* What is measured has `amount`, and after it comes what is not: as the output head in a token, whose time it
 * shares with all other weights. */
typedef struct {
    const double *seconds;      /* of each way, for an amount of 1 */
    double amount, gap;
} Work;

/* The seconds that pass in `duration` of work, times those that would if the fastest way were always
 * taken. */
static double slowness(Tuner *t, Clock *c, const Work *w, double duration, uint64_t *rng) {
    double fastest = w->seconds[0], end = coarse_time + duration, took = 0, amount = 0;
    for (int i = 1; i < t->n; i++) fastest = fmin(fastest, w->seconds[i]);
    while (coarse_time < end) {
        double start = clock_read(c), real = w->amount * w->seconds[tuner_choice(t)] * (1
            + 0.05 * test_random_float(rng));
        coarse_time += real;
        took += real;
        amount += w->amount;
        tuner_report(t, c, clock_read(c) - start, w->amount);
        coarse_time += w->gap * (1 + 0.2 * test_random_float(rng));
    }
    return took / (amount * fastest);
}

/* 5 ms by a clock of 100 ms take 0 or 100, 130 ms take 100 or 200. In a minute that is tuned, and stays
 * so. */
TEST(a_coarse_clock_spoils_no_choice) {
    static const double ways[][WAYS] = {{8, 4, 2, 1}, {1, 2, 3, 4}, {1.6, 1, 1.6, 1.7}, {1.2, 1.1, 1.0, 3}};
    static const struct { double tick, unit, gap; } clocks[] = {
        {1e-3, 0.0004, 0.005}, {0.016667, 0.005, 0.0003}, {0.1, 0.005, 0.0003}, {0.1, 0.002, 0.006},
            {0.1, 0.13, 0.001}};
    for (int seed = 1; seed <= 20; seed++)
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
            for (size_t k = 0; k < sizeof clocks / sizeof *clocks; k++) {
                uint64_t rng = (uint64_t)seed;
                double seconds[WAYS];
                for (int j = 0; j < WAYS; j++) seconds[j] = ways[i][j] * clocks[k].unit;
                coarse_tick = clocks[k].tick;
                coarse_time = 1000;
                Clock c = clock_new(coarse_now);
                Tuner t;
                tuner_init(&t, WAYS, PERIOD);
                Work w = {seconds, 1, clocks[k].gap};
                slowness(&t, &c, &w, 120, &rng);
                double slow = slowness(&t, &c, &w, 240, &rng);
                if (slow > 1.4) TEST_FAIL("ways %zu, clock %zu, seed %d: %.2f times as slow as the fastest",
                    i, k, seed, slow);
                double turned[WAYS];        /* the machine changes */
                for (int j = 0; j < WAYS; j++) turned[j] = seconds[WAYS - 1 - j];
                w.seconds = turned;
                slowness(&t, &c, &w, 600, &rng);
                slow = slowness(&t, &c, &w, 240, &rng);
                if (slow > 1.4) TEST_FAIL(
                    "ways %zu, clock %zu, seed %d, turned: %.2f times as slow as the fastest", i,
                    k, seed, slow);
            }
}

int main(void) {
    RUN(the_fastest_way_is_found_and_followed);
    RUN(a_hopeless_way_is_tried_once_at_first);
    RUN(one_way_is_always_chosen);
    RUN(a_coarse_clock_spoils_no_choice);
    return test_result();
}
