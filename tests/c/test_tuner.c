/* The tuner ends up with the way that is fastest, goes on looking, and follows the machine when it changes. */
#include "test.h"
#include "tuner.h"

enum { WAYS = 4, PERIOD = 16, ROUNDS = 400 };

/* Rounds in which `way` was chosen, of ROUNDS that take seconds[way], give or take a tenth. */
static int rounds_of(Tuner *t, int way, const double *seconds, uint64_t *rng) {
    int n = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int choice = tuner_choice(t);
        CHECK(choice >= 0 && choice < t->n);
        n += choice == way;
        tuner_report(t, seconds[choice] * (1 + 0.1 * test_random_float(rng)));
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
        tuner_report(&t, seconds[tuner_choice(&t)]);
    }
    for (int i = 0; i < WAYS - 1; i++) CHECK_INT(rounds[i], 1);
    CHECK_INT(rounds[WAYS - 1], 7);
}

TEST(one_way_is_always_chosen) {
    Tuner t;
    tuner_init(&t, 1, PERIOD);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(tuner_choice(&t), 0);
        tuner_report(&t, 1);
    }
}

int main(void) {
    RUN(the_fastest_way_is_found_and_followed);
    RUN(a_hopeless_way_is_tried_once_at_first);
    RUN(one_way_is_always_chosen);
    return test_result();
}
