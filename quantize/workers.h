/* workers.h: a queue of numbered tasks for threads. Knows nothing of what they do. */
#ifndef WORKERS_H
#define WORKERS_H

#include <stdatomic.h>

#include "gemma.h"
#include "watch.h"

/* Task `i` by thread `thread`, which a long one may end early when *stop becomes true. False: it failed, and
 * no more are begun. */
typedef bool WorkerTask(void *context, int64_t i, int thread, const atomic_bool *stop, GemmaError *err);

/* Runs tasks 0 to n_tasks - 1, begun in this order, on n_threads threads, while the caller's thread watches.
 * False when a task failed (*err is that of the first in order among those that did) or the watch was
 * interrupted (then err->status is GEMMA_OK). */
bool workers_run(int n_threads, int64_t n_tasks, WorkerTask *task, void *context, Watch *watch,
    GemmaError *err);

#endif
