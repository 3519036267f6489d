/* watch.h: what the main thread does while others work: shows progress on a terminal, and notices Ctrl-C. */
#ifndef WATCH_H
#define WATCH_H

#include <signal.h>
#include <stdatomic.h>

#include "gemma.h"

typedef struct {
    const char *doing;              /* "quantising" */
    uint64_t total;                 /* bytes */
    _Atomic uint64_t done;
    _Atomic(const char *) label;    /* what is at hand; borrowed */
    double begun, shown;            /* seconds */
    bool terminal;
    sigset_t signals;
    int caught;                     /* the signal that asked to stop; 0: none */
} Watch;

/* From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT wait for watch_tick, in this thread and those it starts.
 * Those that are ignored stay ignored. */
void watch_open(Watch *w);
/* They take effect again; one that was caught does now. */
void watch_close(Watch *w);

void watch_begin(Watch *w, const char *doing, uint64_t total);
/* From any thread: this many bytes of `label` are done. */
void watch_add(Watch *w, uint64_t bytes, const char *label);
void watch_end(Watch *w);

/* Waits for some milliseconds. False: a signal asks to stop. */
bool watch_tick(Watch *w);

#endif
