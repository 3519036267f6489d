/* pool.c: see pool.h. The threads wait for one word, which holds the number of the region and of the threads that take part: the
 * caller writes the work, changes the word, and every such thread takes ranges from one shared counter until it is used up. A
 * fork costs a quarter of a microsecond while the threads spin and tens when they sleep, and a token has about a hundred regions:
 * so a thread spins for some tens of microseconds before it sleeps. */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#ifndef __wasm__
#include <sched.h>
#endif

enum {
    SPINS = 20000,      /* some 20-40 microseconds */
    ACTIVE = 512,       /* more than there can be threads; region numbers may overflow */
};

typedef struct {
    Pool *pool;
    int index;
    pthread_t thread;
} Worker;

struct Pool {
    int n_threads;
    Worker *workers;            /* [n_threads - 1] */

    PoolWork *work;             /* the region: written before `region` is changed */
    void *context;
    int n, grain;
    atomic_bool stop;

    /* Each on a cache line of its own: all threads write them. */
    _Alignas(64) atomic_int next;           /* first item not yet taken */
    _Alignas(64) atomic_int region;         /* its number * ACTIVE + the threads that take part */
    _Alignas(64) atomic_int busy;           /* workers still inside the region */
    _Alignas(64) atomic_int active;         /* threads that take part in the next region */
};

/* Sleeps, unless *word is no longer `value`; may return for no reason. (Not inlined: Node 20's baseline compiler has been seen to lose a
 * local of the function around memory.atomic.wait32.) */
static __attribute__((noinline)) void sleep_on(atomic_int *word, int value) {
#ifdef __wasm__
    __builtin_wasm_memory_atomic_wait32((int *)word, value, -1);
#else
    (void)word, (void)value;
    sched_yield();
#endif
}

/* Until *word is no longer `value`; returns what it is then. */
static int wait_for_change(atomic_int *word, int value) {
    for (int i = 0;; i++) {
        int now = atomic_load_explicit(word, memory_order_acquire);
        if (now != value) return now;
        if (i >= SPINS) sleep_on(word, value);
    }
}

static void wake(atomic_int *word) {
#ifdef __wasm__
    __builtin_wasm_memory_atomic_notify((int *)word, ~0u);
#else
    (void)word;
#endif
}

static void take_ranges(Pool *p, int thread) {
    for (;;) {
        int begin = atomic_fetch_add_explicit(&p->next, p->grain, memory_order_relaxed);
        if (begin >= p->n) return;
        int end = p->n - begin < p->grain ? p->n : begin + p->grain;
        p->work(p->context, begin, end, thread);
    }
}

static void *worker_main(void *arg) {
    Worker *w = arg;
    Pool *p = w->pool;
    for (int seen = 0;;) {
        seen = wait_for_change(&p->region, seen);
        if (p->stop) return NULL;
        if (w->index < (int)((unsigned)seen % ACTIVE)) {
            take_ranges(p, w->index);
            if (atomic_fetch_sub_explicit(&p->busy, 1, memory_order_release) == 1) wake(&p->busy);
            continue;
        }
        for (int active; w->index >= (active = atomic_load(&p->active));) sleep_on(&p->active, active);
    }
}

static void open_region(Pool *p) {
    int active = atomic_load_explicit(&p->active, memory_order_relaxed);
    unsigned number = (unsigned)atomic_load_explicit(&p->region, memory_order_relaxed) / ACTIVE + 1;
    atomic_store_explicit(&p->busy, active - 1, memory_order_relaxed);
    atomic_store_explicit(&p->region, (int)(number * ACTIVE + (unsigned)active), memory_order_release);
    wake(&p->region);
}

Pool *pool_new(int n_threads) {
    Pool *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
    Worker *workers = calloc((size_t)n_threads, sizeof *workers);
    if (!p || !workers) {
        free(p);
        free(workers);
        return NULL;
    }
    *p = (Pool){.n_threads = 1, .workers = workers};
    for (int i = 1; i < n_threads; i++) {
        Worker *w = &workers[i - 1];
        *w = (Worker){.pool = p, .index = i};
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0) break;
        p->n_threads++;
    }
    p->active = p->n_threads;
    return p;
}

void pool_free(Pool *p) {
    if (!p) return;
    p->stop = true;
    pool_set_active(p, p->n_threads);
    open_region(p);
    for (int i = 1; i < p->n_threads; i++) pthread_join(p->workers[i - 1].thread, NULL);
    free(p->workers);
    free(p);
}

int pool_threads(const Pool *p) { return p->n_threads; }
int pool_active(const Pool *p) { return p->active; }

void pool_set_active(Pool *p, int n) {
    if (n == p->active) return;
    atomic_store(&p->active, n);
    wake(&p->active);
}

void pool_run(Pool *p, int n, int grain, PoolWork *work, void *context) {
    if (n <= 0) return;
    if (n <= grain || p->active == 1) {      /* no second thread would find anything to do */
        work(context, 0, n, 0);
        return;
    }
    p->work = work;
    p->context = context;
    p->n = n;
    p->grain = grain;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    open_region(p);
    take_ranges(p, 0);
    for (int left; (left = atomic_load_explicit(&p->busy, memory_order_acquire)) > 0;) wait_for_change(&p->busy, left);
}
