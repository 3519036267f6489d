/* workers.c: see workers.h. */
#include "workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "error.h"

typedef struct {
    atomic_bool stop;
    pthread_mutex_t mutex;      /* guards what follows */
    int64_t next, n_tasks;
    int n_running;
    int64_t failed_task;        /* -1: none */
    GemmaError failure;
    WorkerTask *task;
    void *context;
} Queue;

typedef struct {
    Queue *queue;
    int thread;
    pthread_t id;
} Worker;

static void *work(void *argument) {
    Worker *worker = argument;
    Queue *q = worker->queue;
    GemmaError err = {0};
    pthread_mutex_lock(&q->mutex);
    while (q->next < q->n_tasks && !q->stop) {
        int64_t i = q->next++;
        pthread_mutex_unlock(&q->mutex);
        bool good = q->task(q->context, i, worker->thread, &q->stop, &err);
        pthread_mutex_lock(&q->mutex);
        if (good) continue;
        q->stop = true;
        if (q->failed_task < 0 || i < q->failed_task) {
            q->failed_task = i;
            q->failure = err;
        }
    }
    q->n_running--;
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}

static bool is_running(Queue *q) {
    pthread_mutex_lock(&q->mutex);
    bool running = q->n_running > 0;
    pthread_mutex_unlock(&q->mutex);
    return running;
}

bool workers_run(int n_threads, int64_t n_tasks, WorkerTask *task, void *context, Watch *watch,
    GemmaError *err) {
    Queue q = {.mutex = PTHREAD_MUTEX_INITIALIZER, .n_tasks = n_tasks, .failed_task = -1, .task = task,
        .context = context};
    Worker *workers = calloc((size_t)n_threads, sizeof *workers);
    int n_started = 0;
    err->status = GEMMA_OK;
    q.n_running = workers ? n_threads : 0;
    for (int i = 0; workers && i < n_threads; i++) {
        workers[i] = (Worker){.queue = &q, .thread = i};
        if (pthread_create(&workers[i].id, NULL, work, &workers[i]) != 0) break;
        n_started++;
    }
    if (workers && n_started < n_threads) {         /* fewer do the same */
        pthread_mutex_lock(&q.mutex);
        q.n_running -= n_threads - n_started;
        pthread_mutex_unlock(&q.mutex);
    }
    bool stopped = false;
    while (is_running(&q)) {
        if (watch_tick(watch)) continue;
        stopped = true;
        q.stop = true;
    }
    for (int i = 0; i < n_started; i++) pthread_join(workers[i].id, NULL);
    free(workers);
    pthread_mutex_destroy(&q.mutex);
    if (q.failed_task >= 0 && !stopped) *err = q.failure;
    if (n_started == 0) error_set(err, GEMMA_NO_MEMORY, "No thread could be started.");
    return n_started > 0 && q.failed_task < 0 && !stopped;
}
