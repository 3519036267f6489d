/* tuner.c: see tuner.h. At first every way has some rounds in a row; then the fastest has most, and the others one now and then, in
 * turn, since the machine changes: another program comes, a laptop leaves its charger. */
#include "tuner.h"

#include <assert.h>
#include <stdbool.h>

enum { TRIALS = 3 };                    /* rounds for each way at first */
static const double FORGET = 1.02;      /* a best time ages by this factor a round of its way */

void tuner_init(Tuner *t, int n, int period) {
    assert(n >= 1 && n <= TUNER_MAX);
    *t = (Tuner){.n = n, .period = period, .choice = n - 1, .favourite = n - 1};
}

void tuner_report(Tuner *t, double seconds) {
    double *best = &t->best[t->choice], aged = *best * FORGET;
    *best = *best == 0 || seconds < aged ? seconds : aged;
    t->round++;
    if (t->round < TRIALS * t->n) {
        t->choice = t->n - 1 - t->round / TRIALS;
        return;
    }
    t->favourite = 0;
    for (int i = 1; i < t->n; i++)
        if (t->best[i] < t->best[t->favourite]) t->favourite = i;
    bool trial = t->round % t->period == 0;
    t->choice = trial ? t->round / t->period % t->n : t->favourite;
}
