/* pool.c: see pool.h. The threads wait for one word, which holds the number of the region and of the threads
 * that take part: the caller writes the work, changes the word, and every such thread takes ranges from its
 * own slice of the items, and when that is used up from those of the others. So each thread walks through
 * memory without gaps, which the processor's prefetching rewards: taken from one counter by turns, the
 * weights of a 2B came at 26 GB/s to two threads, so at 33. A fork costs a quarter of a microsecond while the
 * threads spin and tens when they sleep, and a token has about a hundred regions: so a thread spins for some
 * tens of microseconds before it sleeps. */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#ifdef __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif !defined __wasm__
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

/* Items that one thread begins with, and others help to finish. On a separate cache line, because all threads
 * may write it. */
typedef struct {
    _Alignas(64) _Atomic int64_t next;      /* the first not taken yet; each thread adds a grain once the last
                                             * is taken */
    int64_t end;
} Slice;

struct Pool {
    int n_threads;
    Worker *workers;            /* [n_threads - 1] */
    Slice *slices;              /* [n_threads] */

    PoolWork *work;             /* the region: written before `region` is changed */
    void *context;
    int grain;
    atomic_bool stop;

    /* Each is on a separate cache line, because all threads write them. */
    _Alignas(64) atomic_int region;         /* its number * ACTIVE + the threads that take part */
    _Alignas(64) atomic_int busy;           /* workers still inside the region */
    _Alignas(64) atomic_int active;         /* threads that take part in the next region */
};

/* Sleeps, unless *word is no longer `value`; may return for no reason. (Not inlined: Node 20's baseline
 * compiler has been seen to lose a local of the function around memory.atomic.wait32.) */
static __attribute__((noinline)) void sleep_on(atomic_int *word, int value) {
#ifdef __wasm__
    __builtin_wasm_memory_atomic_wait32((int *)word, value, -1);
#elif defined __linux__
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
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
#elif defined __linux__
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void)word;
#endif
}

static void take_ranges(Pool *p, int thread, int active) {
    for (int i = 0; i < active; i++) {
        Slice *slice = &p->slices[(thread + i) % active];
        for (int64_t begin; (begin = atomic_fetch_add_explicit(&slice->next, p->grain,
            memory_order_relaxed)) < slice->end;)
            p->work(p->context, (int)begin, (int)(slice->end - begin < p->grain ? slice->end
                : begin + p->grain), thread);
    }
}

static void *worker_main(void *arg) {
    Worker *w = arg;
    Pool *p = w->pool;
    for (int seen = 0;;) {
        seen = wait_for_change(&p->region, seen);
        if (p->stop) return NULL;
        int active = (int)((unsigned)seen % ACTIVE);
        if (w->index < active) {
            take_ranges(p, w->index, active);
            if (atomic_fetch_sub_explicit(&p->busy, 1, memory_order_release) == 1) wake(&p->busy);
            continue;
        }
        while (w->index >= (active = atomic_load(&p->active))) sleep_on(&p->active, active);
    }
}

static void open_region(Pool *p, int active) {
    unsigned number = (unsigned)atomic_load_explicit(&p->region, memory_order_relaxed) / ACTIVE + 1;
    atomic_store_explicit(&p->busy, active - 1, memory_order_relaxed);
    atomic_store_explicit(&p->region, (int)(number * ACTIVE + (unsigned)active), memory_order_release);
    wake(&p->region);
}

Pool *pool_new(int n_threads) {
    Pool *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
    Worker *workers = calloc((size_t)n_threads, sizeof *workers);
    Slice *slices = aligned_alloc(64, (size_t)n_threads * sizeof *slices);
    if (!p || !workers || !slices) {
        free(p);
        free(workers);
        free(slices);
        return NULL;
    }
    *p = (Pool){.n_threads = 1, .workers = workers, .slices = slices};
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
    open_region(p, p->n_threads);
    for (int i = 1; i < p->n_threads; i++) pthread_join(p->workers[i - 1].thread, NULL);
    free(p->workers);
    free(p->slices);
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
    int active = p->active;
    if (n <= 0) return;
    if (n <= grain || active == 1) {      /* no second thread would find anything to do */
        work(context, 0, n, 0);
        return;
    }
    p->work = work;
    p->context = context;
    p->grain = grain;
    int64_t grains = (n + (int64_t)grain - 1) / grain;
    for (int i = 0; i < active; i++) {
        int64_t end = grains * (i + 1) / active * grain;
        atomic_store_explicit(&p->slices[i].next, grains * i / active * grain, memory_order_relaxed);
        p->slices[i].end = end < n ? end : n;
    }
    open_region(p, active);
    take_ranges(p, 0, active);
    for (int left; (left = atomic_load_explicit(&p->busy, memory_order_acquire)) > 0;)
        wait_for_change(&p->busy, left);
}
