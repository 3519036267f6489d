/* tuner.c: see tuner.h. At first every way has some rounds in a row, or one if it is hopeless: a single thread of eight would otherwise make
 * the first words come slowly. Then the fastest has most rounds, and the others one now and then, in turn, since the machine changes: another
 * program comes, a laptop leaves its charger. */
#include "tuner.h"

#include <assert.h>

enum { TRIALS = 3 };                    /* rounds for each way at first */
static const double HOPELESS = 1.5;     /* times as slow as the best so far */
static const double FORGET = 1.02;      /* a best time ages by this factor a round of its way */

void tuner_init(Tuner *t, int n, int period) {
    assert(n >= 1 && n <= TUNER_MAX);
    *t = (Tuner){.n = n, .period = period, .choice = n - 1, .favourite = n - 1, .starting = true};
}

void tuner_report(Tuner *t, double seconds) {
    double *best = &t->best[t->choice], aged = *best * FORGET;
    *best = *best == 0 || seconds < aged ? seconds : aged;
    t->round++;
    for (int i = 0; i < t->n; i++)
        if (t->best[i] > 0 && t->best[i] < t->best[t->favourite]) t->favourite = i;
    if (t->starting) {
        bool hopeless = *best > HOPELESS * t->best[t->favourite];
        if (++t->trials < TRIALS && !hopeless) return;
        t->trials = 0;
        t->starting = t->choice > 0;
        if (t->starting) {
            t->choice--;
            return;
        }
    }
    bool trial = t->round % t->period == 0;
    t->choice = trial ? t->round / t->period % t->n : t->favourite;
}
