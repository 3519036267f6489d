/* tuner.h: finds out, while it works, which of a few ways to do the same thing is the fastest here and now.
 * Knows times and amounts only: neither what is done nor how. */
#ifndef TUNER_H
#define TUNER_H

#include <stdbool.h>

#include "clock.h"

enum { TUNER_MAX = 8 };

typedef struct {
    int n;                      /* ways */
    int period;
    double best[TUNER_MAX];     /* seconds for an amount of 1: the shortest of the last rounds; 0: not tried
                                 * yet */
    int choice;                 /* the way to use now */
    int favourite;              /* the fastest so far */
    int next;                   /* the way that the next trial is of */
    ClockSum sum;               /* of the round under way: as many reports as the clock needs, which on a fine
                                 * one is one */
    int reports, rounds;        /* of this way, while starting; later since the last trial */
    bool starting;              /* not all have been tried yet */
} Tuner;

/* n ways, 1 to TUNER_MAX; the last is tried first. period: reports between two trials of another way, once
 * all are known. */
void tuner_init(Tuner *t, int n, int period);
/* The way, 0 to n - 1, to do the next work in. */
static inline int tuner_choice(const Tuner *t) { return t->choice; }
/* What that took, by the clock, and how much it was. */
void tuner_report(Tuner *t, const Clock *clock, double seconds, double amount);

#endif
