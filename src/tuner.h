/* tuner.h: finds out, while work goes on, which of a few ways of doing the same thing is the fastest here and now. Knows times
 * only: neither what is done nor how. */
#ifndef TUNER_H
#define TUNER_H

#include <stdbool.h>

enum { TUNER_MAX = 8 };

typedef struct {
    int n;                      /* ways */
    int period;
    double best[TUNER_MAX];     /* seconds: the shortest of the last rounds; 0: not tried yet */
    int choice;                 /* the way to use now */
    int favourite;              /* the fastest so far */
    int round;                  /* of all reports */
    bool starting;              /* not all have been tried yet */
    int trials;                 /* of this way, while starting */
} Tuner;

/* n ways, 1 to TUNER_MAX; the last is tried first. period: rounds between two trials of another way, once all are known. */
void tuner_init(Tuner *t, int n, int period);
/* The way, 0 to n - 1, to do the next round in. */
static inline int tuner_choice(const Tuner *t) { return t->choice; }
/* What that round took. */
void tuner_report(Tuner *t, double seconds);

#endif
