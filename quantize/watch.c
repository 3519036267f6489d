/* watch.c: see watch.h. */
#include "watch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static const double SHOW_SECONDS = 0.1;
enum { WAIT_NANOSECONDS = 5000000 };

/* A signal that the program was started to ignore, as by nohup, stays ignored: sigtimedwait would take it all
 * the same. */
static void add_signal(Watch *w, int number) {
    struct sigaction now;
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&w->signals, number);
}

void watch_open(Watch *w) {
    memset(w, 0, sizeof *w);
    w->terminal = isatty(STDERR_FILENO);
    sigemptyset(&w->signals);
    add_signal(w, SIGINT);
    add_signal(w, SIGTERM);
    add_signal(w, SIGHUP);
    add_signal(w, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &w->signals, NULL);
}

void watch_close(Watch *w) {
    if (w->caught) {
        signal(w->caught, SIG_DFL);
        raise(w->caught);
    }
    pthread_sigmask(SIG_UNBLOCK, &w->signals, NULL);
}

void watch_begin(Watch *w, const char *doing, uint64_t total) {
    w->doing = doing;
    w->total = total;
    w->done = 0;
    w->label = "";
    w->begun = w->shown = clock_now();
}

void watch_add(Watch *w, uint64_t bytes, const char *label) {
    w->done += bytes;
    w->label = label;
}

static void show(const Watch *w, double now) {
    double done = (double)w->done, total = (double)w->total, rate = done / (now - w->begun);
    fprintf(stderr, "\r%s %3.0f %%  %.2f of %.2f GB, %.0f MB/s, %.0f s left  %s\033[K", w->doing, total > 0
        ? 100 * done / total : 100,
            done / 1e9, total / 1e9, rate / 1e6, rate > 0 ? (total - done) / rate : 0, w->label);
    fflush(stderr);
}

void watch_end(Watch *w) {
    if (w->terminal) fputs("\r\033[K", stderr);
}

bool watch_tick(Watch *w) {
    const struct timespec wait = {.tv_nsec = WAIT_NANOSECONDS};
    int caught = sigtimedwait(&w->signals, NULL, &wait);
    if (caught > 0) w->caught = caught;
    double now = clock_now();
    if (w->terminal && now - w->shown >= SHOW_SECONDS) {
        w->shown = now;
        show(w, now);
    }
    return w->caught == 0;
}
