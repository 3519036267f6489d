/* clock.c: see clock.h. */
#include "clock.h"

#include <math.h>
#include <time.h>

/* A duration is wrong by up to a tick, and a sum of many by about the root of how many ticks it has: here by
 * a quarter at most. */
enum { TICKS = 16 };
/* Readings in a row at first, which take microseconds: a fine clock moves meanwhile. */
enum { FIRST_READINGS = 200 };

double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_read(Clock *c) {
    double now = c->now(), moved = now - c->last;
    if (moved > 0 && moved < c->tick) c->tick = moved;
    c->last = now;
    return now;
}

Clock clock_new(double (*now)(void)) {
    Clock c = {.now = now, .last = now(), .tick = INFINITY};
    for (int i = 0; i < FIRST_READINGS; i++) clock_read(&c);
    return c;
}

double clock_add(ClockSum *sum, const Clock *c, double seconds, double amount) {
    sum->seconds += seconds;
    sum->amount += amount;
    if (sum->seconds < TICKS * c->tick) return 0;
    double rate = sum->seconds / sum->amount;
    *sum = (ClockSum){0};
    return rate;
}
