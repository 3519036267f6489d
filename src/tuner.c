/* tuner.c: see tuner.h. At first every way has some reports in a row, or one round if it is hopeless: a
 * single thread of eight would otherwise make the first words come slowly. Then the fastest has most rounds,
 * and the others one now and then, in turn, since the machine changes: another program comes, a laptop leaves
 * its charger. */
#include "tuner.h"

#include <assert.h>

enum { TRIALS = 3 };                    /* reports for each way at first */
enum { FEWEST_ROUNDS = 8 };             /* of the favourite between two trials: on a coarse clock a round is
                                         * long */
static const double HOPELESS = 1.5;     /* times as slow as the best so far */
static const double FORGET = 1.02;      /* a best time ages by this factor a round of its way */

void tuner_init(Tuner *t, int n, int period) {
    assert(n >= 1 && n <= TUNER_MAX);
    *t = (Tuner){.n = n, .period = period, .choice = n - 1, .favourite = n - 1, .starting = true};
}

/* A round of the way chosen took so long, for an amount of 1. */
static void note_time(Tuner *t, double time) {
    double *best = &t->best[t->choice], aged = *best * FORGET;
    *best = *best == 0 || time < aged ? time : aged;
    for (int i = 0; i < t->n; i++)
        if (t->best[i] > 0 && t->best[i] < t->best[t->favourite]) t->favourite = i;
}

void tuner_report(Tuner *t, const Clock *clock, double seconds, double amount) {
    double time = clock_add(&t->sum, clock, seconds, amount);
    t->reports++;
    if (time == 0) return;
    t->rounds++;
    note_time(t, time);
    if (t->starting) {
        bool hopeless = t->best[t->choice] > HOPELESS * t->best[t->favourite];
        if (t->reports < TRIALS && !hopeless) return;
        t->starting = t->choice > 0;
        t->choice = t->starting ? t->choice - 1 : t->favourite;
    } else if (t->reports >= t->period && t->rounds >= FEWEST_ROUNDS) {
        t->choice = t->next;
        t->next = (t->next + 1) % t->n;
    } else {
        t->choice = t->favourite;
        return;
    }
    t->reports = t->rounds = 0;
}
