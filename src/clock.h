/* clock.h: how long work takes, for telling what is faster. Results never depend on it. Some clocks are
 * coarse: that of a browser which resists fingerprinting moves by 16 or 100 ms at a time, and work of 5 ms
 * takes 0 or 100 ms by it. So a single duration is not trusted: durations are added up until the clock has
 * moved often enough. Knows nothing of the work. */
#ifndef CLOCK_H
#define CLOCK_H

typedef struct {
    double (*now)(void);    /* seconds from some moment on */
    double last;            /* what it said when it was last read */
    double tick;            /* the least by which it was seen to move; INFINITY: not seen to move yet */
} Clock;

/* The machine's clock. */
double clock_now(void);
/* A clock whose tick is known if it is fine. now: clock_now, or what a test gives. */
Clock clock_new(double (*now)(void));
/* Seconds, by the clock; and learns its tick. */
double clock_read(Clock *c);

/* Durations that are added up, and how much was done in them. */
typedef struct { double seconds, amount; } ClockSum;

/* Adds a duration. The seconds per amount once the sum tells them, which begins a new sum; else 0. On a fine
 * clock every duration tells. */
double clock_add(ClockSum *sum, const Clock *c, double seconds, double amount);

#endif
