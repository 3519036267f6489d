/* fuzz_gguf SECONDS SEED: plans from beginnings of damaged and made-up GGUF files, and loads them in pieces
 * of random sizes. What must hold: a file is refused with a sentence, or gives a model that answers: a text
 * tokenizes, a session evaluates it and samples ids of the vocabulary (or says that the numbers are not
 * finite). Memory stays below 2 files + 16 MB until the header is checked, then below what gemma_memory_need
 * promised + 16 MB; models that need more than 512 MB are not opened, as a page without that memory would
 * not. Run in the repository's root, where tests/golden is. */
#include <math.h>

#include "calls.h"
#include "error.h"
#include "fuzz.h"
#include "gemma.h"
#include "pool.h"
#include "tiny_gguf.h"

enum { MB = 1 << 20, N_CTX = 64 };

typedef struct {
    uint8_t *p;
    size_t n;
} File;

static File golden[3];
static long n_loaded, n_answered, n_estimated;

static void read_golden(void) {
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "tests/golden/tiny-gemma%d.gguf", i + 1);
        FILE *f = fopen(path, "rb");
        if (!f) {
            printf("%s is missing: run this in the repository's root\n", path);
            exit(1);
        }
        fseek(f, 0, SEEK_END);
        golden[i].n = (size_t)ftell(f);
        golden[i].p = malloc(golden[i].n);
        rewind(f);
        if (fread(golden[i].p, 1, golden[i].n, f) != golden[i].n) exit(1);
        fclose(f);
    }
}

static uint64_t below(uint64_t *state, uint64_t n) { return test_random(state) % n; }

/* A number that a parser might stumble over. */
static uint64_t extreme(uint64_t *state) {
    static const uint64_t around[] = {0, 1, 4, 16, 32, 64, 256, 512, 1024, 65536, 1 << 20, 1 << 24,
        (uint64_t)1 << 31, (uint64_t)1 << 32,
                                      (uint64_t)1 << 48, (uint64_t)1 << 53, (uint64_t)1 << 61,
                                          (uint64_t)1 << 63};
    uint64_t x = around[below(state, sizeof around / sizeof *around)];
    switch (below(state, 6)) {
    case 0: return x - 1 - below(state, 40);
    case 1: return x + 1 + below(state, 40);
    case 2: return below(state, 300);
    case 3: return test_random(state) >> below(state, 64);
    default: return x;
    }
}

/* ------------------------------------------------------------------------------------------ damage to bytes */

static void splice(File *f, size_t at, size_t n_old, const uint8_t *p, size_t n) {
    uint8_t *bigger = malloc(f->n + n + 1);
    memcpy(bigger, f->p, at);
    if (n) memcpy(bigger + at, p, n);
    memcpy(bigger + at + n, f->p + at + n_old, f->n - at - n_old);
    free(f->p);
    *f = (File){bigger, f->n - n_old + n};
}

/* Most places are in the header, whose size is about `header`. */
static void damage(File *f, size_t header, uint64_t *state) {
    if (f->n < 40) return;
    size_t range = below(state, 4) ? (header < f->n ? header : f->n) : f->n,
        at = (size_t)below(state, range - 8);
    if (below(state, 4) == 0) at = (size_t)below(state, 32);    /* counts and the first keys */
    uint64_t number = extreme(state);
    switch (below(state, 7)) {
    case 0: f->p[at] ^= (uint8_t)(1 << below(state, 8)); break;
    case 1: f->p[at] = (uint8_t)number; break;
    case 2: memcpy(f->p + at, &number, 4); break;
    case 3: memcpy(f->p + at, &number, 8); break;
    case 4: splice(f, at, (size_t)below(state, 2) * (size_t)below(state, f->n - at), NULL, 0); break;
    case 5: f->n = at; break;
    default: {
        const File *from = &golden[below(state, 3)];
        size_t start = (size_t)below(state, from->n - 100), n = 1 + (size_t)below(state, 100);
        splice(f, at, below(state, 2) ? n * (at + n < f->n) : 0, from->p + start, n);
    }
    }
}

static File damaged_golden(uint64_t *state) {
    const File *whole = &golden[below(state, 3)];
    File f = {malloc(whole->n), whole->n};
    memcpy(f.p, whole->p, f.n);
    for (int i = 1 << below(state, 3); i > 0; i--) damage(&f, 40000, state);
    return f;
}

/* ------------------------------------------------------------------------------------------ damage to structure */

static void change_entry(TinyGguf *g, uint64_t *state) {
    TinyEntry *e = &g->entries[below(state, (uint64_t)g->n_entries)];
    uint64_t number = extreme(state);
    char key[96];
    strcpy(key, e->key);
    switch (below(state, 7)) {
    case 0: tiny_remove(g, key); break;
    case 1: e->type = (uint32_t)below(state, 14); break;
    case 2: tiny_set_u32(g, key, (uint32_t)number); break;
    case 3: tiny_set_u64(g, key, number); break;
    case 4: {
        union { uint32_t bits; float f; } x = {(uint32_t)test_random(state)};
        tiny_set_f32(g, key, below(state, 2) ? (float)number : x.f);
        break;
    }
    case 5: tiny_put_u32(tiny_set_array(g, key, (uint32_t)below(state, 13), below(state, 2) ? number : 1),
        (uint32_t)number); break;
    default: tiny_add(g, below(state, 2) ? key : "extra", (uint32_t)below(state, 13)); break;
    }
}

static void change_tensor(TinyGguf *g, uint64_t *state) {
    TinyTensor *t = &g->tensors[below(state, (uint64_t)g->n_tensors)],
        *other = &g->tensors[below(state, (uint64_t)g->n_tensors)];
    uint64_t number = extreme(state);
    switch (below(state, 7)) {
    case 0: t->name[below(state, 10)] ^= 1; break;
    case 1: t->n_dims = (uint32_t)below(state, 6); break;
    case 2: t->dims[below(state, 4)] = number; break;
    case 3: t->type = below(state, 3) ? (uint32_t)below(state, 32) : (uint32_t)number; break;
    case 4: t->offset = below(state, 2) ? number : t->offset + 32 * (below(state, 3) - 1); break;
    case 5: {
        uint64_t offset = t->offset;
        t->offset = other->offset;
        other->offset = offset;
        break;
    }
    default: g->n_tensors -= (int)below(state, 2) * (g->n_tensors > 1); break;
    }
}

/* Keys that no tiny file has, with values that are often sound. */
static void add_setting(TinyGguf *g, const char *architecture, uint64_t *state) {
    static const char *const keys[] = {"rope.freq_base", "rope.freq_base_swa", "rope.scaling.factor",
        "attn_logit_softcapping",
        "final_logit_softcapping", "attention.sliding_window_pattern", "rope.dimension_count",
            "attention.sliding_window", "attention.value_length"};
    static const float values[] = {0, 1, 2, 6, 32, 10000, 1e6f, 1e-30f, 1e30f, -1, NAN, INFINITY};
    char key[96];
    snprintf(key, sizeof key, "%s.%s", architecture, keys[below(state, sizeof keys / sizeof *keys)]);
    if (g->n_entries + 8 > TINY_MAX_ENTRIES) return;
    tiny_set_f32(g, key, values[below(state, sizeof values / sizeof *values)]);
    if (below(state, 4) == 0) tiny_set_u32(g, "general.alignment", 1u << below(state, 18));
}

static File made_up(uint64_t *state) {
    static const char *const architectures[] = {"gemma", "gemma2", "gemma3"};
    static const QuantType types[] = {QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q8_0, QUANT_Q4_0, QUANT_IQ4_NL,
        QUANT_Q2_K, QUANT_Q3_K};
    TinySpec s = {architectures[below(state, 3)], types[below(state, sizeof types / sizeof *types)],
        1 + (int)below(state, 3),
                  32 * (1 + (int)below(state, 3)), 4, 1 << below(state, 3), 8 << below(state, 4),
                      32 * (1 + (int)below(state, 3)),
                  1 + (int)below(state, 100), (int)below(state, 40)};
    s = tiny_fitted(s);
    TinyGguf g = tiny_make(&s, test_random(state));
    for (int i = (int)below(state, 3); i > 0; i--) add_setting(&g, s.architecture, state);
    for (int i = (int)below(state, 4) - 1; i > 0; i--) change_entry(&g, state);
    for (int i = (int)below(state, 4) - 1; i > 0 && g.n_tensors > 1; i--) change_tensor(&g, state);
    if (below(state, 20) == 0) g.more_entries = extreme(state);
    if (below(state, 20) == 0) g.more_tensors = extreme(state);
    File f;
    f.p = tiny_bytes(&g, &f.n);
    tiny_free(&g);
    if (below(state, 4) == 0) damage(&f, 8000, state);
    return f;
}

/* ------------------------------------------------------------------------------------------ use */

static void check_sentence(const GemmaError *err) {
    size_t n = strlen(err->text);
    CHECK(err->status > GEMMA_OK && err->status <= GEMMA_BAD_NUMBERS && n > 15 && n < sizeof err->text);
    for (size_t i = 0; i < n; i++) CHECK((uint8_t)err->text[i] >= 0x20);
}

static void use(GemmaModel *m, uint64_t *state) {
    GemmaError err = {0};
    const GemmaPlan *plan = gemma_model_plan(m);
    int n_ctx = plan->shape.n_ctx_train < N_CTX ? plan->shape.n_ctx_train : N_CTX;
    GemmaSession *s = gemma_session_new(m, n_ctx, &err);
    if (!s) {
        check_sentence(&err);
        return;
    }
    int32_t ids[N_CTX];
    static const char text[] = "The <b>sea\n\n at night, \xc3\xa9 <end_of_turn>";
    int n = test_tokenize(m, text, sizeof text - 1, GEMMA_PARSE_CONTROL | (gemma_adds_bos(m) ? GEMMA_ADD_BOS
        : 0), ids, N_CTX);
    CHECK(n > 0);
    if (n > n_ctx) n = n_ctx;
    for (int i = 0; i < n; i++) CHECK(ids[i] >= 0 && ids[i] < plan->shape.n_vocab);
    CHECK(test_sync(s, ids, n, &err) == 0);
    GemmaSampling sampling = {.temperature = 1, .top_k = (int)below(state, 50), .top_p = 0.9f, .min_p = 0,
        .repeat_penalty = 1.1f, .seed = 1};
    CHECK(gemma_session_sampling(s, &sampling, &err) == GEMMA_OK);
    for (int i = 0; i < 4; i++) {
        double left;
        while ((left = test_step(s, 1 + (int)below(state, 40), below(state, 2) ? 0 : INFINITY, &err)) > 0) {}
        if (left < 0) {
            check_sentence(&err);
            break;
        }
        n_answered += i == 0;
        int32_t id = gemma_session_sample(s);
        char buf[256];
        CHECK(id >= 0 && id < plan->shape.n_vocab && gemma_token_bytes(m, id, buf) <= 256);
        if (gemma_session_push(s, id, &err) != GEMMA_OK) break;
    }
    gemma_session_free(s);
}

/* The plan is there: whether to go on. */
static bool allocate(GemmaLoader *l, const File *f, GemmaOptions options, GemmaError *err) {
    const GemmaPlan *plan = gemma_loader_plan(l);
    int n_ctx = plan->shape.n_ctx_train < N_CTX ? plan->shape.n_ctx_train : N_CTX;
    uint64_t need = gemma_memory_need(l, &options, n_ctx);
    size_t n = gemma_describe(l, NULL, 0);
    char *json = malloc(n + 1);
    CHECK(gemma_describe(l, json, n + 1) == n && strlen(json) == n && json[n - 1] == '}');
    free(json);
    fuzz_check_memory();
    if (need > 512 * MB) {
        error_set(err, GEMMA_NO_MEMORY, "the model needs too much memory for a fuzzer");
        return false;
    }
    fuzz_limit_memory(fuzz.used + f->n + need + 16 * MB);
    return gemma_loader_allocate(l, &options, err) == GEMMA_OK;
}

static void load_and_use(const File *f, uint64_t *state) {
    GemmaError err = {0};
    GemmaOptions options = {.n_threads = 1 + (below(state, 8) == 0), .precision = below(state, 8)
        ? GEMMA_F16_CACHE : below(state, 2) ? GEMMA_EXACT : GEMMA_INT8_CACHE};
    uint64_t told = below(state, 16) ? f->n : extreme(state);
    size_t piece = (size_t)1 << below(state, 22);
    /* each piece reads the header from its start */
    if (piece < 4096 && f->n > 4096 * piece) piece = 1 + f->n / 4096;
    fuzz_limit_memory(fuzz.used + 2 * f->n + 16 * MB);
    GemmaLoader *l = gemma_loader_new("fuzz.gguf", told, &err);
    bool allocated = false, good = true;
    for (size_t at = 0; at < f->n && good;) {
        size_t room, want = 1 + (size_t)below(state, piece);
        uint8_t *p = gemma_loader_room(l, &room, &err);
        good = p != NULL;
        if (!good) break;   /* memory is short */
        size_t n = f->n - at < want ? f->n - at : want;
        if (n > room) n = room;
        memcpy(p, f->p + at, n);
        at += n;
        good = gemma_loader_push(l, n, &err) == GEMMA_OK;
        if (good && !allocated && gemma_loader_plan(l)) {
            good = allocated = allocate(l, f, options, &err);
            if (good) good = gemma_loader_push(l, 0, &err) == GEMMA_OK;
        }
    }
    GemmaModel *m = NULL;
    if (good) m = gemma_loader_finish(l, &err);
    else gemma_loader_free(l);
    n_loaded += m != NULL;
    if (m) use(m, state);
    else check_sentence(&err);
    gemma_model_free(m);
}

/* Plans from beginnings of the file, each longer than the one before: a sentence, or a plan that can be
 * described and needs memory. */
static void estimate(const File *f, uint64_t *state) {
    GemmaError err = {0};
    uint64_t told = below(state, 8) ? f->n : f->n + (extreme(state) >> 1);
    fuzz_limit_memory(fuzz.used + 2 * f->n + 16 * MB);
    GemmaLoader *l = gemma_loader_new("fuzz.gguf", told, &err);
    bool good = true;
    for (size_t at = 0; at < f->n && good;) {
        size_t room, n = (size_t)below(state, f->n - at + 1);
        uint8_t *p = gemma_loader_room(l, &room, &err);
        if (!p || !room) break;     /* memory is short, or the header is whole */
        if (n > room) n = room;
        memcpy(p, f->p + at, n);
        at += n + (n == 0);
        good = gemma_loader_estimate(l, n, &err) == GEMMA_OK;
        if (!good) break;
        const GemmaPlan *plan = gemma_loader_plan(l);
        CHECK(plan->shape.n_layer >= 1 && plan->shape.n_layer <= GEMMA_MAX_LAYERS && plan->shape.n_vocab >= 1
            && plan->shape.n_vocab <= GEMMA_MAX_VOCABULARY);
        CHECK(gemma_memory_need(l, &(GemmaOptions){.n_threads = 1}, 1) > 0);
        char json[4096];
        size_t length = gemma_describe_plan(plan, json, sizeof json);
        CHECK(length < sizeof json && strlen(json) == length && json[length - 1] == '}');
        gemma_describe(l, NULL, 0);
        if (n == 0) break;
    }
    if (!good) check_sentence(&err);
    else if (gemma_loader_plan(l) && gemma_loader_plan(l)->guessed && gemma_loader_check_part(l, f->p, f->n,
        &err) != GEMMA_OK) check_sentence(&err);
    n_estimated += good;
    gemma_loader_free(l);
}

static void input(uint64_t *state) {
    size_t before = fuzz.used;
    File f = below(state, 3) ? made_up(state) : damaged_golden(state);
    estimate(&f, state);
    load_and_use(&f, state);
    free(f.p);
    CHECK_INT(fuzz.used, before);       /* nothing leaks */
}

int main(int argc, char **argv) {
    read_golden();
    pool_free(pool_new(2));     /* the C library keeps a thread's first memory: not to be taken for a leak */
    int status = fuzz_main(argc, argv, "fuzz_gguf", input);
    printf("%ld loaded, %ld answered, %ld planned from beginnings\n", n_loaded, n_answered, n_estimated);
    return status;
}
