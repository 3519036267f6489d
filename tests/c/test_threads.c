/* Two sessions answer in one batch, are aborted anywhere, and go back anywhere: what each says is what it
 * says alone in a fresh session of another engine, also where a prompt's batch waits between two layers for
 * the other's. Also built under TSan (tests/c/tsan.mk), there with two threads. With ROUNDS=100 in its
 * environment, 500 interleavings. */
#include "model.h"
#include "tiny_session.h"

#ifdef __SANITIZE_THREAD__
enum { N_THREADS = 2 };
#else
enum { N_THREADS = 1 };     /* they would wait for each other on a busy machine */
#endif
static int rounds = 4;      /* of each case */
enum { CONTEXT = 640, MOST_WRITTEN = 10 };

/* A session that answers, and what it has said in this round. */
typedef struct {
    GemmaSession *session;
    int32_t ids[CONTEXT];           /* prompt and answer */
    int n_prompt, n_written, most;
    GemmaSampling sampling;
    int steps_left;                 /* before it is aborted */
} Speaker;

/* By this clock each layer takes long. */
static double time_now;
static double slow_clock(void) { return time_now += 0.1; }

static int below(uint64_t *rng, int n) { return (int)(test_random(rng) % (uint64_t)n); }

/* A prompt that shares a prefix with what this session has read; now and then so long that rings wrap. */
static void ask(Speaker *s, uint64_t *rng) {
    GemmaError err = {0};
    int n = s->n_prompt + s->n_written, more = below(rng, 20) ? 1 + below(rng, 40) : 450, how = below(rng, 3);
    int shared = how == 0 ? n : how == 1 ? below(rng, n + 1) : below(rng, n / 8 + 1);
    if (shared + more > CONTEXT - MOST_WRITTEN) shared = below(rng, 40);
    s->n_prompt = shared + more;
    for (int i = shared; i < s->n_prompt; i++) s->ids[i] = (int32_t)(test_random(rng) % TINY_VOCAB);
    s->n_written = 0;
    s->most = 1 + below(rng, MOST_WRITTEN);
    s->steps_left = below(rng, 3) ? 1 << 30 : below(rng, 12);
    s->sampling = (GemmaSampling){.temperature = below(rng, 4) ? 1 : 0, .top_k = below(rng, 2) ? 40 : 0,
        .top_p = 1, .repeat_penalty = 1,
                                  .seed = (uint32_t)below(rng, 1000)};
    CHECK_INT(gemma_session_sampling(s->session, &s->sampling, &err), GEMMA_OK);
    CHECK(test_sync(s->session, s->ids, s->n_prompt, &err) >= 0);
}

/* Samples where all is evaluated. False when the answer has ended or is aborted. */
static bool speak(Speaker *s) {
    GemmaError err = {0};
    if (s->steps_left-- <= 0) return false;
    double left = test_left(s->session, &err);
    CHECK(left >= 0);
    if (left > 0) return true;
    int32_t id = gemma_session_sample(s->session);
    s->ids[s->n_prompt + s->n_written++] = id;
    if (s->n_written < s->most) CHECK_INT(gemma_session_push(s->session, id, &err), GEMMA_OK);
    return s->n_written < s->most;
}

/* The answer that a new session of `m` gives by itself. */
static void answer_alone(GemmaModel *m, const Speaker *s, int32_t *answer) {
    GemmaError err = {0};
    Speaker alone = *s;
    alone.session = gemma_session_new(m, CONTEXT, &err);
    alone.n_written = 0;
    alone.steps_left = 1 << 30;
    gemma_session_sampling(alone.session, &s->sampling, &err);
    CHECK_INT(test_sync(alone.session, s->ids, s->n_prompt, &err), 0);
    do gemma_step(m, &alone.session, 1, 256, INFINITY);
    while (speak(&alone));
    memcpy(answer, alone.ids + s->n_prompt, MOST_WRITTEN * sizeof *answer);
    gemma_session_free(alone.session);
}

TEST(interleaved_and_aborted_answers_are_those_of_a_fresh_engine) {
    int n_aborted = 0, n_together = 0, n_parked = 0;
    for (int a = 0; a < N_CASES; a++) {
        GemmaError err = {0};
        /* which only answers alone, each time in a new session */
        GemmaModel *m = load_case(a, 4096, N_THREADS), *fresh = load_case(a, 1 << 20, 1);
        REQUIRE(m && fresh);
        m->batch.workspace.ops.clock = clock_new(slow_clock);
        uint64_t rng = (uint64_t)a + 1;
        static Speaker s[2];
        for (int i = 0; i < 2; i++) s[i] = (Speaker){.session = gemma_session_new(m, CONTEXT, &err)};
        for (int round = 0; round < rounds; round++) {
            bool speaking[2] = {true, true};
            for (int i = 0; i < 2; i++) ask(&s[i], &rng);
            int batch = 1 + below(&rng, 256), slices = below(&rng, 2);
            while (speaking[0] || speaking[1]) {
                GemmaSession *wanted[2];
                int n = 0;
                for (int i = 0; i < 2; i++)
                    if (speaking[i]) wanted[n++] = s[i].session;
                gemma_step(m, wanted, n, batch, slices ? 0 : INFINITY);
                n_together += n == 2;
                n_parked += m->batch.workspace.parked.n_rows > 0;
                for (int i = 0; i < 2; i++) speaking[i] = speaking[i] && speak(&s[i]);
            }
            for (int i = 0; i < 2; i++) {
                int32_t answer[MOST_WRITTEN];
                answer_alone(fresh, &s[i], answer);
                n_aborted += s[i].n_written < s[i].most;
                if (memcmp(answer, s[i].ids + s[i].n_prompt, (size_t)s[i].n_written * sizeof *answer))
                    TEST_FAIL("case %d, round %d, session %d: another answer", a, round, i);
            }
        }
        for (int i = 0; i < 2; i++) gemma_session_free(s[i].session);
        gemma_model_free(m);
        gemma_model_free(fresh);
    }
    CHECK(n_aborted > rounds / 2 && n_together > 5 * rounds && n_parked > rounds);
}

int main(void) {
    const char *wanted = getenv("ROUNDS");
    if (wanted) rounds = atoi(wanted);
    RUN(interleaved_and_aborted_answers_are_those_of_a_fresh_engine);
    return test_result();
}
