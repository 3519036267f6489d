/* fuzz.h: the fuzzers' main. Each input is made from a number alone, its seed: `fuzz_X SECONDS SEED` tries
 * the inputs SEED, SEED + 1, ... until the time is up, and at least one. A crash, a report of a sanitizer, a
 * failed check, an input that takes too long or too much memory: each ends the program with the line that
 * runs this input again. Knows nothing of what is fuzzed.
 *
 * Bounds, checked for each input: FUZZ_MAX_SECONDS of processor time, and the bytes that the input itself
 * says (fuzz_limit_memory). */
#ifndef FUZZ_H
#define FUZZ_H

#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

/* The sanitizers' interface; gcc comes without the header sanitizer/allocator_interface.h. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
    void (*free_hook)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *p);
void __sanitizer_set_death_callback(void (*callback)(void));

enum { FUZZ_MAX_SECONDS = 120 };    /* a hundred times what the slowest input needs: only what hangs comes to
                                     * it */

static struct {
    const char *name;
    uint64_t seed;
    volatile size_t used, most, limit;  /* bytes allocated, the most since the limit was set, the limit (0:
                                         * none) */
} fuzz;

static void fuzz_say_seed(void) {
    char line[120];
    int n = snprintf(line, sizeof line, "\nREPRODUCE: make fuzz && build/fuzz/%s 0 %llu\n", fuzz.name,
        (unsigned long long)fuzz.seed);
    if (write(STDOUT_FILENO, line, (size_t)n) != n) _exit(3);
}

static void fuzz_died(int signal_number) {
    const char *why = signal_number == SIGABRT ? "aborted\n" : "took too long\n";
    if (write(STDOUT_FILENO, why, strlen(why)) > 0) fuzz_say_seed();
    _exit(2);
}

/* Threads of a pool allocate nothing, so plain additions do. */
static void fuzz_count_malloc(const volatile void *p, size_t n) {
    (void)p;
    fuzz.used += n;
    if (fuzz.used > fuzz.most) fuzz.most = fuzz.used;
}
static void fuzz_count_free(const volatile void *p) { fuzz.used -= __sanitizer_get_allocated_size(p); }

/* From here on more than `bytes` allocated at once are a failure. */
static inline void fuzz_limit_memory(uint64_t bytes) {
    fuzz.limit = (size_t)bytes;
    fuzz.most = fuzz.used;
}

static inline void fuzz_check_memory(void) {
    if (fuzz.limit && fuzz.most > fuzz.limit)
        TEST_FAIL("%zu bytes were allocated at once; at most %zu were expected", fuzz.most, fuzz.limit);
}

static inline int fuzz_main(int argc, char **argv, const char *name, void (*input)(uint64_t *state)) {
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    fuzz.name = name;
    fuzz.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    __sanitizer_set_death_callback(fuzz_say_seed);
    __sanitizer_install_malloc_and_free_hooks(fuzz_count_malloc, fuzz_count_free);
    signal(SIGABRT, fuzz_died);
    signal(SIGVTALRM, fuzz_died);
    long n = 0;
    time_t end = time(NULL) + (time_t)seconds;
    do {
        struct itimerval limit = {.it_value.tv_sec = FUZZ_MAX_SECONDS};
        setitimer(ITIMER_VIRTUAL, &limit, NULL);
        uint64_t state = fuzz.seed * 0x2545f4914f6cdd1dull;
        fuzz_limit_memory(0);
        input(&state);
        fuzz_check_memory();
        if (test_failures) {
            fuzz_say_seed();
            return 1;
        }
        fuzz.seed++;
        n++;
    } while (time(NULL) < end);
    printf("%s: %ld inputs\n", name, n);
    return 0;
}

#endif
