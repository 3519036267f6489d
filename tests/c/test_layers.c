/* Models whose layers differ in everything that LayerConfig says, as GGUF's lists and keys say it: against a
 * forward pass that is written here from the papers' formulas, in double, over all positions at once, and
 * without a cache. */
#include <math.h>

#include "config.h"
#include "describe.h"
#include "gemma.h"
#include "kv_cache.h"
#include "test.h"
#include "tiny_gguf.h"
#include "tiny_session.h"

/* ------------------------------------------------------------------------------------------ the model */

enum { N_LAYERS = 8, N_EMBD = 64, WINDOW = 16, N_SHARED = 3, LENGTH = 150, WIDEST = 512 };
enum { RING = (WINDOW + GEMMA_MAX_BATCH + KV_REWIND + 63 + 63) / 64 };      /* blocks of 64 positions */
static const float BASE = 5e5f, BASE_LOCAL = 7000, ROPE_FACTOR = 2;

typedef struct {
    bool local;
    int n_head, n_head_kv, head_dim, n_ff, kv_layer;
} Layer;

/* The last three have no keys and values of their own. */
static const Layer layers[N_LAYERS] = {
    {true, 4, 2, 32, 96, 0}, {false, 2, 1, 64, 64, 1}, {true, 2, 1, 96, 32, 2}, {false, 4, 2, 64, 128, 3},
    {true, 4, 1, 32, 64, 4}, {false, 8, 2, 64, 160, 3}, {true, 2, 1, 32, 64, 4}, {true, 3, 1, 32, 32, 4},
};

static void put_list(TinyGguf *g, const char *key, size_t field) {
    TinyBytes *b = tiny_set_array(g, key, GGUF_UINT32, N_LAYERS);
    for (int i = 0; i < N_LAYERS; i++)
        tiny_put_u32(b, *(const uint32_t *)(const void *)((const char *)&layers[i] + field));
}

static void add_layer(TinyGguf *g, int i, bool own_kv, uint64_t *seed) {
    const Layer *l = &layers[i];
    TinySpec s = {"gemma3", QUANT_F32, N_LAYERS, N_EMBD, l->n_head, l->n_head_kv, l->head_dim, l->n_ff,
        1024, WINDOW};
    TinyGguf own = {0};
    tiny_add_layer(&own, &s, i, seed);
    for (int t = 0; t < own.n_tensors; t++) {
        bool kv = strstr(own.tensors[t].name, "attn_k") || strstr(own.tensors[t].name, "attn_v");
        if (kv && !own_kv) continue;
        TinyTensor *to = &g->tensors[g->n_tensors++];
        size_t end = t + 1 < own.n_tensors ? own.tensors[t + 1].offset : own.data.n;
        *to = own.tensors[t];
        to->offset = g->data.n;
        tiny_put(&g->data, own.data.p + own.tensors[t].offset, end - own.tensors[t].offset);
    }
    free(own.data.p);
}

/* n_shared: that the file claims. Layer 7 has keys and values in any case, as files have that llama-quantize
 * wrote; they are not read. */
static TinyGguf make_model(int n_shared) {
    TinySpec s = {"gemma3", QUANT_F32, 0, N_EMBD, 4, 2, 32, 96, 1024, WINDOW};
    uint64_t seed = 3;
    TinyGguf g = tiny_make(&s, 5);
    tiny_set_u32(&g, "gemma3.block_count", N_LAYERS);
    put_list(&g, "gemma3.attention.head_count", offsetof(Layer, n_head));
    put_list(&g, "gemma3.attention.head_count_kv", offsetof(Layer, n_head_kv));
    put_list(&g, "gemma3.attention.key_length", offsetof(Layer, head_dim));
    put_list(&g, "gemma3.attention.value_length", offsetof(Layer, head_dim));
    put_list(&g, "gemma3.feed_forward_length", offsetof(Layer, n_ff));
    TinyBytes *b = tiny_set_array(&g, "gemma3.attention.sliding_window_pattern", GGUF_BOOL, N_LAYERS);
    for (int i = 0; i < N_LAYERS; i++) tiny_put(b, &(uint8_t){layers[i].local}, 1);
    tiny_set_f32(&g, "gemma3.rope.freq_base", BASE);
    tiny_set_f32(&g, "gemma3.rope.freq_base_swa", BASE_LOCAL);
    tiny_set_f32(&g, "gemma3.rope.scaling.factor", ROPE_FACTOR);
    tiny_set_u32(&g, "gemma3.attention.shared_kv_layers", (uint32_t)n_shared);
    for (int i = 0; i < N_LAYERS; i++) add_layer(&g, i, i < N_LAYERS - n_shared || i == 7, &seed);
    return g;
}

/* ------------------------------------------------------------------------------------------ the plain pass */

static const float *weights_of(TinyGguf *g, int layer, const char *part) {
    char name[64];
    if (layer < 0) snprintf(name, sizeof name, "%s.weight", part);
    else snprintf(name, sizeof name, "blk.%d.%s.weight", layer, part);
    return (const float *)(const void *)(g->data.p + tiny_tensor(g, name)->offset);
}

/* y[n_out] = w[n_out, n_in] x */
static void multiply(const float *w, const double *x, int n_in, int n_out, double *y) {
    for (int i = 0; i < n_out; i++) {
        y[i] = 0;
        for (int k = 0; k < n_in; k++) y[i] += (double)w[(size_t)i * (size_t)n_in + (size_t)k] * x[k];
    }
}

static void norm(const float *w, const double *x, int n, double *y) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    double scale = 1 / sqrt(sum / n + 1e-6);
    for (int i = 0; i < n; i++) y[i] = x[i] * scale * (double)w[i];
}

static void rotate(double *x, int head_dim, double base, double pos) {
    for (int i = 0; i < head_dim / 2; i++) {
        double angle = pos * pow(base, -2.0 * i / head_dim), a = x[i], b = x[i + head_dim / 2];
        x[i] = a * cos(angle) - b * sin(angle);
        x[i + head_dim / 2] = a * sin(angle) + b * cos(angle);
    }
}

/* Normed and rotated heads. */
static void make_heads(const float *w, const float *head_norm, const Layer *l, int n_head, const double *x,
    int pos, double *heads) {
    multiply(w, x, N_EMBD, n_head * l->head_dim, heads);
    for (int h = 0; h < n_head; h++) {
        double *head = heads + h * l->head_dim;
        norm(head_norm, head, l->head_dim, head);
        rotate(head, l->head_dim, l->local ? (double)BASE_LOCAL : (double)BASE, l->local ? pos
            : pos / (double)ROPE_FACTOR);
    }
}

typedef struct {
    double x[LENGTH][N_EMBD];
    double k[N_LAYERS][LENGTH][WIDEST], v[N_LAYERS][LENGTH][WIDEST];
} Pass;

static void attend(TinyGguf *g, Pass *p, int i, int pos, const double *x, double *out) {
    const Layer *l = &layers[i];
    int share = l->n_head / l->n_head_kv, first = l->local && pos >= WINDOW ? pos - WINDOW + 1 : 0;
    double q[WIDEST], mixed[WIDEST] = {0}, weight[LENGTH];
    make_heads(weights_of(g, i, "attn_q"), weights_of(g, i, "attn_q_norm"), l, l->n_head, x, pos, q);
    for (int h = 0; h < l->n_head; h++) {
        int at = h / share * l->head_dim;
        double sum = 0;
        for (int t = first; t <= pos; t++) {
            double score = 0;
            for (int j = 0; j < l->head_dim; j++)
                score += q[h * l->head_dim + j] * p->k[l->kv_layer][t][at + j];
            sum += weight[t] = exp(score / sqrt(l->head_dim));
        }
        for (int t = first; t <= pos; t++)
            for (int j = 0; j < l->head_dim; j++)
                mixed[h * l->head_dim + j] += weight[t] / sum * p->v[l->kv_layer][t][at + j];
    }
    multiply(weights_of(g, i, "attn_output"), mixed, l->n_head * l->head_dim, N_EMBD, out);
}

static void feed(TinyGguf *g, int i, const double *x, double *out) {
    double gate[WIDEST], up[WIDEST];
    multiply(weights_of(g, i, "ffn_gate"), x, N_EMBD, layers[i].n_ff, gate);
    multiply(weights_of(g, i, "ffn_up"), x, N_EMBD, layers[i].n_ff, up);
    for (int j = 0; j < layers[i].n_ff; j++)
        gate[j] *= (1 + tanh(sqrt(2 / acos(-1)) * (gate[j] + 0.044715 * pow(gate[j], 3)))) / 2 * up[j];
    multiply(weights_of(g, i, "ffn_down"), gate, layers[i].n_ff, N_EMBD, out);
}

static void pass_layer(TinyGguf *g, Pass *p, int i) {
    double h[N_EMBD], sub[N_EMBD];
    for (int pos = 0; pos < LENGTH && layers[i].kv_layer == i; pos++) {
        norm(weights_of(g, i, "attn_norm"), p->x[pos], N_EMBD, h);
        make_heads(weights_of(g, i, "attn_k"), weights_of(g, i, "attn_k_norm"), &layers[i],
            layers[i].n_head_kv, h, pos, p->k[i][pos]);
        multiply(weights_of(g, i, "attn_v"), h, N_EMBD, layers[i].n_head_kv * layers[i].head_dim,
            p->v[i][pos]);
    }
    for (int pos = 0; pos < LENGTH; pos++) {
        double *x = p->x[pos];
        norm(weights_of(g, i, "attn_norm"), x, N_EMBD, h);
        attend(g, p, i, pos, h, sub);
        norm(weights_of(g, i, "post_attention_norm"), sub, N_EMBD, sub);
        for (int j = 0; j < N_EMBD; j++) x[j] += sub[j];
        norm(weights_of(g, i, "ffn_norm"), x, N_EMBD, h);
        feed(g, i, h, sub);
        norm(weights_of(g, i, "post_ffw_norm"), sub, N_EMBD, sub);
        for (int j = 0; j < N_EMBD; j++) x[j] += sub[j];
    }
}

/* logits[LENGTH][TINY_VOCAB] */
static void plain_logits(TinyGguf *g, const int32_t *ids, double (*logits)[TINY_VOCAB]) {
    Pass *p = calloc(1, sizeof *p);
    const float *embd = weights_of(g, -1, "token_embd");
    for (int pos = 0; pos < LENGTH; pos++)
        for (int j = 0; j < N_EMBD; j++) p->x[pos][j] = (double)embd[ids[pos] * N_EMBD + j] * sqrt(N_EMBD);
    for (int i = 0; i < N_LAYERS; i++) pass_layer(g, p, i);
    for (int pos = 0; pos < LENGTH; pos++) {
        double h[N_EMBD];
        norm(weights_of(g, -1, "output_norm"), p->x[pos], N_EMBD, h);
        multiply(embd, h, N_EMBD, TINY_VOCAB, logits[pos]);
    }
    free(p);
}

/* ------------------------------------------------------------------------------------------ tests */

static double furthest(const float *found, const double *wanted) {
    double most = 0;
    for (int i = 0; i < TINY_VOCAB; i++) most = fmax(most, fabs((double)found[i] - wanted[i]));
    return most;
}

TEST(layers_that_differ_in_everything_are_computed_as_the_papers_say) {
    static double wanted[LENGTH][TINY_VOCAB];
    static const double tolerance[] = {[GEMMA_F16_CACHE] = 0.03, [GEMMA_INT8_CACHE] = 0.3,
        [GEMMA_EXACT] = 1e-4};
    TinyGguf g = make_model(N_SHARED);
    size_t n;
    uint8_t *file = tiny_bytes(&g, &n);
    int32_t ids[N_TOKENS];
    GemmaError err = {0};
    make_tokens(ids, 7);
    plain_logits(&g, ids, wanted);
    for (int precision = GEMMA_F16_CACHE; precision <= GEMMA_EXACT; precision++) {
        GemmaModel *m = load(file, n, 1 << 20, 2, (GemmaPrecision)precision);
        REQUIRE(m);
        double most = 0;
        GemmaSession *s = gemma_session_new(m, 1024, &err);
        CHECK_INT(test_sync(s, ids, LENGTH, &err), 0);
        for (int at = 0, end; at < LENGTH; at = end) {
            end = LENGTH - (int)test_step(s, 100, INFINITY, &err);
            for (int i = at; i < end; i++)
                most = fmax(most, furthest(gemma_session_logits_at(s, i - at), wanted[i]));
        }
        CHECK_NEAR(most, 0, tolerance[precision]);
        gemma_session_free(s);
        gemma_model_free(m);
    }
    free(file);
    tiny_free(&g);
}

/* The logits of a fresh session after ids[n]; where windows fill, and from before the first turn of the rings
 * on, they are read one by one, else in small batches. */
static void one_by_one(GemmaModel *m, const int32_t *ids, int n, float *logits) {
    GemmaError err = {0};
    GemmaSession *s = gemma_session_new(m, 1024, &err);
    const int ends[] = {2 * WINDOW + 8, RING * 64 - 8, n};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(test_sync(s, ids, ends[i], &err), i ? ends[i - 1] : 0);
        run(s, i == 1 ? 7 : 1, logits);
    }
    gemma_session_free(s);
}

/* Alone, in batches, copied, saved, and far beyond the first turn of the rings. */
TEST(sessions_whose_layers_share_keys_and_values_are_bit_equal) {
    TinyGguf g = make_model(N_SHARED);
    size_t n;
    uint8_t *file = tiny_bytes(&g, &n);
    static int32_t ids[600];
    uint64_t seed = 9;
    for (int i = 0; i < 600; i++) ids[i] = (int32_t)(test_random(&seed) % TINY_VOCAB);
    for (int precision = GEMMA_F16_CACHE; precision <= GEMMA_EXACT; precision++) {
        GemmaError err = {0};
        GemmaModel *m = load(file, n, n, 2, (GemmaPrecision)precision);
        REQUIRE(m);
        float one[TINY_VOCAB], found[TINY_VOCAB];
        one_by_one(m, ids, 600, one);
        GemmaSession *s = gemma_session_new(m, 1024, &err);
        test_sync(s, ids, 590, &err);
        run(s, 256, found);
        GemmaSession *copy = gemma_session_clone(s, &err);
        uint64_t size = gemma_session_save(s, NULL, 0);
        uint8_t *bytes = malloc(size);
        CHECK_INT(gemma_session_save(s, bytes, size), size);
        GemmaSession *restored = gemma_session_restore(m, bytes, size, &err);
        REQUIRE(copy && restored);
        GemmaSession *all[] = {s, copy, restored};
        for (int i = 0; i < 3; i++) {
            CHECK(test_sync(all[i], ids, 600, &err) >= 512);
            run(all[i], 256, found);
            CHECK(!memcmp(found, one, sizeof one));
        }
        for (int i = 0; i < 3; i++) gemma_session_free(all[i]);
        free(bytes);
        gemma_model_free(m);
    }
    free(file);
    tiny_free(&g);
}

/* Bytes of memory that the file of `g` needs with a context of n_ctx, and what its caches take of it. */
static uint64_t needed(TinyGguf *g, int n_ctx, uint64_t *caches) {
    size_t n, room;
    GemmaError err = {0};
    uint8_t *file = tiny_bytes(g, &n);
    GemmaLoader *l = gemma_loader_new("tiny.gguf", n, &err);
    for (size_t at = 0; !gemma_loader_plan(l) && at < n; at += room) {
        uint8_t *p = gemma_loader_room(l, &room, &err);
        if (room > n - at) room = n - at;
        memcpy(p, file + at, room);
        if (gemma_loader_push(l, room, &err) != GEMMA_OK) TEST_FAIL("%s", err.text);
    }
    uint64_t need = gemma_memory_need(l, &(GemmaOptions){.n_threads = 1}, n_ctx);
    gemma_loader_free(l);
    Gguf header;
    Config c = {0};
    CHECK(gguf_parse(&header, file, n, n, &err) == GGUF_COMPLETE
        && config_read(&c, &header, &err) == GEMMA_OK);
    *caches = kv_cache_bytes(&c, n_ctx, GEMMA_F16_CACHE);
    for (int i = 0; i < c.n_layer; i++) {
        bool own = i < N_LAYERS - N_SHARED || c.n_caches == N_LAYERS;
        CHECK_INT(c.layers[i].kv_layer, own ? i : layers[i].kv_layer);
    }
    config_free(&c);
    gguf_free(&header);
    free(file);
    return need;
}

TEST(a_layer_that_reads_anothers_keys_and_values_costs_no_cache) {
    enum { POSITION = 2 * 2, TABLE = sizeof(void *) };
    TinyGguf shared = make_model(N_SHARED), own = make_model(0);
    uint64_t shared_caches, own_caches, none;
    uint64_t saved = needed(&own, 1024, &own_caches) - needed(&shared, 1024, &shared_caches);
    uint64_t expected = 0;
    for (int i = 0; i < N_LAYERS - N_SHARED; i++)
        expected += sizeof(KvLayer) + (uint64_t)(layers[i].local ? RING
            : 16) * (64u * POSITION * (unsigned)(layers[i].n_head_kv * layers[i].head_dim) + TABLE);
    CHECK_INT(shared_caches, expected);
    CHECK(saved >= own_caches - shared_caches);
    CHECK(needed(&shared, 64, &none) < needed(&shared, 1024, &none));
    tiny_free(&shared);
    tiny_free(&own);
}

TEST(what_is_described_says_the_sizes_of_each_layer) {
    for (int differ = 0; differ < 2; differ++) {
        TinySpec same = {"gemma3", QUANT_F32, 3, N_EMBD, 4, 2, 32, 96, 1024, WINDOW};
        TinyGguf g = differ ? make_model(N_SHARED) : tiny_make(&same, 5);
        size_t n;
        GemmaError err = {0};
        Gguf header;
        Config c;
        char json[1 << 16];
        uint8_t *file = tiny_bytes(&g, &n);
        CHECK(gguf_parse(&header, file, n, n, &err) == GGUF_COMPLETE
            && config_read(&c, &header, &err) == GEMMA_OK);
        CHECK(describe_json(&header, &c, 0, json, sizeof json) < sizeof json);
        CHECK_TEXT_HAS(json, differ ? "\"n_head\": [4, 2, 2, 4, 4, 8, 2, 3], " : "\"n_head\": 4, ");
        CHECK_TEXT_HAS(json, differ ? "\"n_head_kv\": [2, 1, 1, 2, 1, 2, 1, 1], " : "\"n_head_kv\": 2, ");
        CHECK_TEXT_HAS(json, differ ? "\"head_dim\": [32, 64, 96, 64, 32, 64, 32, 32], "
            : "\"head_dim\": 32, ");
        CHECK_TEXT_HAS(json, differ ? "\"n_ff\": [96, 64, 32, 128, 64, 160, 64, 32], \"kvLayers\": 5, "
            : "\"n_ff\": 96, \"n_vocab\"");
        config_free(&c);
        gguf_free(&header);
        free(file);
        tiny_free(&g);
    }
}

static void refused(const char *says, GemmaStatus status, TinyGguf g) {
    size_t n;
    GemmaError err = {0};
    uint8_t *file = tiny_bytes(&g, &n);
    GemmaModel *m = tiny_load(file, n, n, 1, &err);
    CHECK(!m);
    CHECK_INT(err.status, status);
    CHECK_TEXT_HAS(err.text, says);
    free(file);
    tiny_free(&g);
}

static TinyGguf with_list(const char *key, const uint32_t *values) {
    TinyGguf g = make_model(N_SHARED);
    TinyBytes *b = tiny_set_array(&g, key, GGUF_UINT32, N_LAYERS);
    for (int i = 0; i < N_LAYERS; i++) tiny_put_u32(b, values[i]);
    return g;
}

TEST(layers_that_do_not_fit_each_other_are_refused) {
    TinyGguf g = make_model(N_SHARED);
    tiny_set_u32(&g, "gemma3.attention.shared_kv_layers", N_LAYERS - 1);    /* no global layer is left */
    refused("none of the first 1 layers", GEMMA_BAD_FILE, g);
    g = make_model(N_SHARED);
    tiny_set_u32(&g, "gemma3.attention.shared_kv_layers", N_LAYERS);
    refused("\"gemma3.attention.shared_kv_layers\" is 8", GEMMA_BAD_FILE, g);
    refused("layer 5 reads the keys and values of layer 3", GEMMA_BAD_FILE,
            with_list("gemma3.attention.head_count_kv", (uint32_t[]){2, 1, 1, 2, 1, 1, 1, 1}));
    static const uint32_t sizes[N_LAYERS] = {32, 64, 96, 128, 160, 128, 160, 160};
    g = with_list("gemma3.attention.key_length", sizes);
    TinyBytes *b = tiny_set_array(&g, "gemma3.attention.value_length", GGUF_UINT32, N_LAYERS);
    for (int i = 0; i < N_LAYERS; i++) tiny_put_u32(b, sizes[i]);
    refused("more than 4 sizes", GEMMA_UNSUPPORTED, g);
}

/* Gemma 4's way to say them: one number for global layers, one for the others. */
TEST(windowed_layers_may_have_head_sizes_of_their_own) {
    TinySpec s = {"gemma3", QUANT_F32, 2, 64, 2, 1, 64, 64, 256, 16};
    TinyGguf g = tiny_make(&s, 5);
    tiny_set_u32(&g, "gemma3.attention.key_length_swa", 32);
    tiny_set_u32(&g, "gemma3.attention.value_length_swa", 32);
    tiny_set_u32(&g, "gemma3.attention.sliding_window_pattern", 2);
    size_t n;
    GemmaError err = {0};
    uint8_t *file = tiny_bytes(&g, &n);
    Gguf header;
    Config c = {0};
    REQUIRE(gguf_parse(&header, file, n, n, &err) == GGUF_COMPLETE);
    CHECK_INT(config_read(&c, &header, &err), GEMMA_OK);
    CHECK(c.layers[0].window == 16 && c.layers[0].head_dim == 32 && c.layers[1].window == 0
        && c.layers[1].head_dim == 64 && c.n_ropes == 2);
    config_free(&c);
    gguf_free(&header);
    free(file);
    tiny_free(&g);
}

int main(void) {
    RUN(layers_that_differ_in_everything_are_computed_as_the_papers_say);
    RUN(sessions_whose_layers_share_keys_and_values_are_bit_equal);
    RUN(what_is_described_says_the_sizes_of_each_layer);
    RUN(a_layer_that_reads_anothers_keys_and_values_costs_no_cache);
    RUN(layers_that_do_not_fit_each_other_are_refused);
    RUN(windowed_layers_may_have_head_sizes_of_their_own);
    return test_result();
}
