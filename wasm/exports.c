/* exports.c: the crossing. Each function translates one call of gemma.h for JavaScript and decides nothing:
 * ints and doubles only (addresses and sizes are exact in a double); strings, ids and logits lie in memory. A
 * module instance holds one loader or model; sessions and grammars are named by their addresses. What can
 * fail returns its result, which is never negative (0 where there is none), or minus the GemmaStatus; the
 * sentence is then at gx_error(). */
#include <stdlib.h>

#include "gemma.h"

enum { GX_MAX_SESSIONS = 64 };      /* in one step; of more, others are asked for the next time */

static struct {
    GemmaLoader *loader;
    GemmaModel *model;
    GemmaError err;
    char *scratch;              /* what JavaScript writes before a call, or reads after it */
    size_t scratch_size;
    GemmaTurn *turns;           /* of the next gx_chat */
    int n_turns, turns_room;
} x;

static double address(const void *p) { return (double)(uintptr_t)p; }
static void *pointer(double p) { return (void *)(uintptr_t)p; }

double gx_error(void) { return address(x.err.text); }
static double no_memory(void) {
    x.err = (GemmaError){GEMMA_NO_MEMORY, "The engine has no memory for what it is asked."};
    return -GEMMA_NO_MEMORY;
}
/* Results of gemma.h, as JavaScript gets them. */
static double made(const void *p) { return p ? address(p) : -(double)x.err.status; }
static double counted(GemmaStatus status, double n) { return status == GEMMA_OK ? n : -(double)status; }

enum { SCRATCH_MUCH = 1 << 20 };       /* a saved session has a hundred times as much: that is memory for
                                        * others afterwards */

/* `size` bytes that stay as they are until the next gx_scratch. */
double gx_scratch(double size) {
    if (size > (double)x.scratch_size
        || (x.scratch_size > SCRATCH_MUCH && size < (double)x.scratch_size / 4)) {
        free(x.scratch);
        x.scratch = malloc((size_t)size);
        x.scratch_size = x.scratch ? (size_t)size : 0;
    }
    return x.scratch ? address(x.scratch) : no_memory();
}

/* ------------------------------------------------------------------------------------ loading */

int gx_loader_new(double file_name, double file_size) {
    gemma_loader_free(x.loader);
    x.loader = gemma_loader_new(pointer(file_name), (uint64_t)file_size, &x.err);
    return x.loader ? 0 : -(int)x.err.status;
}

double gx_loader_room(void) {
    size_t n;
    return made(gemma_loader_room(x.loader, &n, &x.err));
}

double gx_loader_room_size(void) {
    size_t n;
    return gemma_loader_room(x.loader, &n, &x.err) ? (double)n : -(double)x.err.status;
}

int gx_loader_push(double n) { return -(int)gemma_loader_push(x.loader, (size_t)n, &x.err); }
int gx_loader_estimate(double n) { return -(int)gemma_loader_estimate(x.loader, (size_t)n, &x.err); }
int gx_loader_check_part(double bytes, double n) {
    return -(int)gemma_loader_check_part(x.loader, pointer(bytes), (size_t)n, &x.err);
}
int gx_loader_planned(void) { return gemma_loader_plan(x.loader) != NULL; }

/* sizes: int32 in the order of GemmaShape after its architecture; 0: `name` is not an architecture, but that
 * of a published shape. */
int gx_loader_plan_shape(double name, double sizes, double type) {
    GemmaShape shape;
    const int32_t *n = pointer(sizes);
    if (n) shape = (GemmaShape){pointer(name), n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]};
    else if (gemma_published_shape(pointer(name), &shape, &x.err) != GEMMA_OK) return -(int)x.err.status;
    return -(int)gemma_loader_plan_shape(x.loader, &shape, pointer(type), &x.err);
}

double gx_memory_need(int n_threads, int precision, int n_ctx) {
    return (double)gemma_memory_need(x.loader, &(GemmaOptions){n_threads, (GemmaPrecision)precision}, n_ctx);
}
double gx_capacity(int address_bits) { return (double)gemma_capacity(address_bits); }
double gx_observer_need(void) { return (double)gemma_observer_need(x.loader); }

/* The length of the header's JSON; written to the scratch buffer as far as it fits. */
double gx_describe(void) { return (double)gemma_describe(x.loader, x.scratch, x.scratch_size); }

int gx_loader_allocate(int n_threads, int precision) {
    return -(int)gemma_loader_allocate(x.loader, &(GemmaOptions){
        n_threads, (GemmaPrecision)precision}, &x.err);
}

int gx_loader_finish(void) {
    x.model = gemma_loader_finish(x.loader, &x.err);
    x.loader = NULL;
    return x.model ? 0 : -(int)x.err.status;
}

int gx_loader_fill(int n_threads, int precision) {
    x.model = gemma_loader_fill(x.loader, &(GemmaOptions){n_threads, (GemmaPrecision)precision}, &x.err);
    x.loader = NULL;
    return x.model ? 0 : -(int)x.err.status;
}

/* The length of the plan's JSON; written to the scratch buffer as far as it fits. */
double gx_plan(void) {
    return (double)gemma_describe_plan(x.model ? gemma_model_plan(x.model) : gemma_loader_plan(x.loader),
        x.scratch, x.scratch_size);
}

/* ------------------------------------------------------------------------------------ text */

/* How many ids there are; at most `cap` are written. */
double gx_tokenize(double text, double n, int flags, double ids, int cap) {
    GemmaIds to = {.ids = pointer(ids), .cap = cap};
    GemmaStatus status = gemma_tokenize(x.model, pointer(text), (size_t)n, (unsigned)flags, &to, &x.err);
    return counted(status, to.n);
}

int gx_token_bytes(int id, double buf) { return gemma_token_bytes(x.model, id, pointer(buf)); }
int gx_adds_bos(void) { return gemma_adds_bos(x.model); }
int gx_is_control(int id) { return gemma_is_control(x.model, id); }
int gx_is_end(int id) { return gemma_is_end(x.model, id); }

void gx_turns_clear(void) { x.n_turns = 0; }

/* The text must stay where it is until gx_chat. */
double gx_turns_add(int role, double text, double n) {
    if (x.n_turns == x.turns_room) {
        int room = 2 * x.turns_room + 4;
        GemmaTurn *grown = realloc(x.turns, (size_t)room * sizeof *grown);
        if (!grown) return no_memory();
        x.turns = grown;
        x.turns_room = room;
    }
    x.turns[x.n_turns++] = (GemmaTurn){(GemmaRole)role, pointer(text), (size_t)n};
    return 0;
}

/* See gx_tokenize. conversation: GemmaConversation. */
double gx_chat(int conversation, double ids, int cap) {
    GemmaIds to = {.ids = pointer(ids), .cap = cap};
    GemmaStatus status = gemma_chat(x.model, x.turns, x.n_turns,
        (GemmaConversation)conversation, &to, &x.err);
    return counted(status, to.n);
}

/* ------------------------------------------------------------------------------------ the session */

double gx_session_new(int n_ctx) { return made(gemma_session_new(x.model, n_ctx, &x.err)); }
void gx_session_free(double session) { gemma_session_free(pointer(session)); }

/* sessions: n handles. Then ask gx_session_left of each. */
void gx_step(double sessions, int n, int n_batch, double seconds) {
    GemmaSession *list[GX_MAX_SESSIONS];
    const double *handles = pointer(sessions);
    for (int i = 0; i < n && i < GX_MAX_SESSIONS; i++) list[i] = pointer(handles[i]);
    gemma_step(x.model, list, n < GX_MAX_SESSIONS ? n : GX_MAX_SESSIONS, n_batch, seconds);
}

double gx_session_clone(double session) { return made(gemma_session_clone(pointer(session), &x.err)); }
double gx_session_save(double session, double bytes, double cap) {
    return (double)gemma_session_save(pointer(session), pointer(bytes), (uint64_t)cap);
}
double gx_session_restore(double bytes, double n) {
    return made(gemma_session_restore(x.model, pointer(bytes), (uint64_t)n, &x.err));
}

/* Writes n + 1 pairs of an int32 and a float: `id` and the n likeliest tokens, with the logarithms of their
 * probabilities. */
void gx_session_logprobs(double session, int id, double pairs, int n) {
    GemmaLogprob *to = pointer(pairs);
    gemma_session_logprobs(pointer(session), id, to, to + 1, n);
}

int gx_session_pool(double session) { return -(int)gemma_session_pool(pointer(session), &x.err); }
int gx_session_embedding(double session, double vector) {
    return -(int)gemma_session_embedding(pointer(session), pointer(vector), &x.err);
}

/* How many tokens need not be evaluated again. */
double gx_session_sync(double session, double ids, int n) {
    int n_kept = 0;
    GemmaStatus status = gemma_session_sync(pointer(session), pointer(ids), n, &n_kept, &x.err);
    return counted(status, n_kept);
}
int gx_session_push(double session, int id) { return -(int)gemma_session_push(pointer(session), id, &x.err); }
int gx_session_draft(double session, double ids, int n) {
    return -(int)gemma_session_draft(pointer(session), pointer(ids), n, &x.err);
}
int gx_session_accept(double session, int id) { return gemma_session_accept(pointer(session), id); }
double gx_session_left(double session) {
    double left = 0;
    GemmaStatus status = gemma_session_left(pointer(session), &left, &x.err);
    return counted(status, left);
}
double gx_session_step(double session, int n_batch, double seconds) {
    double left = 0;
    GemmaStatus status = gemma_session_step(pointer(session), n_batch, seconds, &left, &x.err);
    return counted(status, left);
}
int gx_session_count(double session) { return gemma_session_count(pointer(session)); }
double gx_session_tokens(double session) { return address(gemma_session_tokens(pointer(session))); }
int gx_session_context(double session) { return gemma_session_context(pointer(session)); }
/* GEMMA_NO_TOKEN where none may come. */
int gx_session_sample(double session) { return gemma_session_sample(pointer(session)); }
int gx_n_vocab(void) { return gemma_model_plan(x.model)->shape.n_vocab; }
double gx_logits(double session) { return address(gemma_session_logits(pointer(session))); }
double gx_logits_at(double session, int i) { return address(gemma_session_logits_at(pointer(session), i)); }
double gx_nll(double session, int id) { return gemma_session_nll(pointer(session), id); }

double gx_grammar_new(double gbnf, double n) {
    return made(gemma_grammar_new(pointer(gbnf), (size_t)n, &x.err));
}
void gx_grammar_free(double grammar) { gemma_grammar_free(pointer(grammar)); }
int gx_grammar_accepts(double grammar, double text, double n) {
    bool accepts = false;
    GemmaStatus status = gemma_grammar_accepts(pointer(grammar), pointer(text), (size_t)n, &accepts, &x.err);
    return status == GEMMA_OK ? accepts : -(int)status;
}

/* grammar: 0 where the text is free again. */
int gx_session_constrain(double session, double grammar) {
    return -(int)gemma_session_constrain(pointer(session), pointer(grammar), &x.err);
}
/* next: GEMMA_NO_TOKEN for the text as it is. */
int gx_session_constraint(double session, int next) {
    return gemma_session_constraint(pointer(session), next);
}
int gx_session_forced(double session, double ids, int cap) {
    return gemma_session_forced(pointer(session), pointer(ids), cap);
}

void gx_profile(void) { gemma_profile(x.model); }

static GemmaCost cost(int i) {
    GemmaCost c = {0};
    gemma_cost(x.model, i, &c);
    return c;
}

/* 0 beyond the last. */
double gx_cost_name(int i) { return address(cost(i).name); }
double gx_cost_seconds(int i) { return cost(i).seconds; }
double gx_cost_calls(int i) { return (double)cost(i).calls; }
double gx_cost_bytes(int i) { return (double)cost(i).bytes; }
double gx_cost_macs(int i) { return (double)cost(i).macs; }

int gx_observe(void) { return -(int)gemma_observe(x.model, &x.err); }

static GemmaObserved observed(int i) {
    GemmaObserved o = {0};
    gemma_observed(x.model, i, &o);
    return o;
}

/* 0 beyond the last. */
double gx_observed_name(int i) { return address(observed(i).name); }
double gx_observed_tokens(int i) { return (double)observed(i).n_tok; }
int gx_observed_columns(int i) { return observed(i).n_cols; }
double gx_observed_squares(int i) { return address(observed(i).squares); }

/* `seed` is a whole number below 2^53. */
int gx_sampling(double session, double temperature, int top_k, double top_p, double min_p, double repeat,
    double presence, double frequency,
                double seed) {
    GemmaSampling params = {(float)temperature, top_k, (float)top_p, (float)min_p, (float)repeat,
        (float)presence, (float)frequency,
                            (uint64_t)seed};
    return -(int)gemma_session_sampling(pointer(session), &params, &x.err);
}

int gx_bias(double session, int id, double bias) {
    return -(int)gemma_session_bias(pointer(session), id, (float)bias, &x.err);
}
