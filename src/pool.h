/* pool.h: fork-join over threads. The caller is thread 0; the others spin shortly for the next region, then
 * sleep. Knows no maths. */
#ifndef POOL_H
#define POOL_H

typedef struct Pool Pool;

/* n_threads >= 1 in all, the caller included. If fewer can be started the pool has fewer: see pool_threads.
 * NULL when memory is short. */
Pool *pool_new(int n_threads);
void pool_free(Pool *pool);
int pool_threads(const Pool *pool);

/* How many of them take part in regions from now on, 1 to pool_threads(); the others sleep. At first, all
 * do. */
void pool_set_active(Pool *pool, int n);
int pool_active(const Pool *pool);

/* A share of the work: items [begin, end) by thread `thread`, which is below pool_active(). */
typedef void PoolWork(void *context, int begin, int end, int thread);

/* Calls work for disjoint ranges of at most `grain` items that cover [0, n), taken dynamically by all
 * threads, and returns when all are done. Results must not depend on which thread does what. Not
 * reentrant. */
void pool_run(Pool *pool, int n, int grain, PoolWork *work, void *context);

#endif
