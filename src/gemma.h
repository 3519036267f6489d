/* gemma.h: the engine's one public header, and its manual.
 *
 * Two nouns carry it. A *model* is a loaded checkpoint: immutable weights packed for this machine's kernels,
 * and the scratch memory of the forward pass, one for all. A *session* is one mutable timeline on a model:
 * the tokens so far, their KV cache, a sampler. A model can have many; gemma_step evaluates tokens of several
 * in one batch. A *loader* turns the bytes of a GGUF file, pushed in file order, into a model. One thread at
 * a time may use a model and its sessions.
 *
 * The engine does no I/O, prints nothing, never exits and has no globals. Everything is allocated when it is
 * opened, except a session's keys and values: these are allocated when tokens are first evaluated. The caller
 * frees what it created, sessions before their model. Every *_free accepts NULL.
 *
 * Errors: a function that can fail has a GemmaError as its last parameter. It returns the status, or where it
 * returns a pointer, NULL. Then the error has the status and one sentence fit for a user; otherwise it means
 * nothing. Other results are written through pointers, and only with GEMMA_OK. A function without a
 * GemmaError can't fail; what fails in a gemma_step, gemma_session_left reports for each session. Whatever
 * comes from outside (a file, text, ids, sampling parameters) may be wrong; other misuse is asserted.
 *
 * The order of calls:
 *
 *   loader = gemma_loader_new(file_name, file_size, &err)
 *   repeat: p = gemma_loader_room(loader, &n, &err); copy at most n bytes to p;
 *           gemma_loader_push(loader, copied, &err)
 *       until gemma_loader_plan(loader) is not NULL: the header is read and checked
 *   gemma_loader_allocate(loader, options, &err)    (a caller that only wants the plan stops before this)
 *   repeat the pushes until the file's last byte
 *   model = gemma_loader_finish(loader, &err)
 *   session = gemma_session_new(model, n_ctx, &err)
 *   gemma_tokenize(model, text, n_text, GEMMA_ADD_BOS, &ids, &err)
 *   gemma_session_sync(session, ids.ids, ids.n, NULL, &err)
 *   do gemma_session_step(session, GEMMA_MAX_BATCH, 0.1, &left, &err) while (left > 0)
 *       this is the prefill: other work may run after each 0.1 s
 *   loop: id = gemma_session_sample(session); stop?; gemma_session_push(session, id, &err);
 *         gemma_session_step(session, 1, INFINITY, &left, &err)
 *
 * or, with several sessions, as long as one of them has tokens left: gemma_step(model, sessions, n,
 * GEMMA_MAX_BATCH, 0.1); each whose gemma_session_left() is 0 samples and pushes, or ends.
 */
#ifndef GEMMA_H
#define GEMMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of package.json, too. */
#define GEMMA_VERSION "0.1.0"

typedef enum {
    GEMMA_OK = 0,
    GEMMA_BAD_FILE = 1,     /* the bytes are not a sound GGUF of this model family */
    GEMMA_UNSUPPORTED = 2,  /* sound, but an architecture, tokenizer or weight type that this engine does not
                             * run */
    GEMMA_NO_MEMORY = 3,    /* an allocation failed */
    GEMMA_CONTEXT_FULL = 4, /* the tokens do not fit the session's context */
    GEMMA_BAD_ARGUMENT = 5, /* an id, parameter or text out of range */
    GEMMA_BAD_NUMBERS = 6,  /* the model computed NaN or infinity */
} GemmaStatus;

/* Written by the function that failed; `text` says in one sentence what happened, where, what was expected
 * and what was found. */
typedef struct {
    GemmaStatus status;
    char text[500];
} GemmaError;

typedef struct GemmaLoader GemmaLoader;
typedef struct GemmaModel GemmaModel;
typedef struct GemmaSession GemmaSession;
typedef struct GemmaGrammar GemmaGrammar;

/* ------------------------------------------------------------------------------------------ loading */

/* A model's sizes. Where layers differ, these are the first layer's: a plan by shape is then only a guess. A
 * plan of a file counts each layer's own sizes, and gemma_describe lists them. */
typedef struct {
    const char *architecture;   /* "gemma", "gemma2", "gemma3" */
    int n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff, n_vocab;
    int n_ctx_train;            /* the context that the model was trained for */
    int window;                 /* of its windowed layers; 0: it has none */
} GemmaShape;
enum { GEMMA_MAX_LAYERS = 256, GEMMA_MAX_VOCABULARY = 4 << 20 };

/* The sizes of a published model: "gemma-2b", "gemma3-270m", ... */
GemmaStatus gemma_published_shape(const char *name, GemmaShape *shape, GemmaError *err);

/* What a plan does not know, but takes from published models of that architecture, or from the size of the
 * file. */
typedef enum {
    GEMMA_GUESSED_SIZES = 1,
    GEMMA_GUESSED_VOCABULARY = 2,   /* its length */
    GEMMA_GUESSED_TYPES = 4,        /* of some weights at least, and with them their bytes */
} GemmaGuess;

/* What the header says, before any weight is fetched. Owned by the loader, later by the model. */
typedef struct {
    GemmaShape shape;
    const char *name;           /* general.name, or "" */
    bool chat;                  /* taught to chat, by its metadata (see chat.h) */
    const char *chat_style;     /* whose turns: "turns" (Gemma's own), "functions" (FunctionGemma's),
                                 * "chatml", "llama2", "llama3", "mistral", "phi3", "phi4", "zephyr",
                                 * "openchat", "vicuna", "alpaca"; "" when it has none, or a template that is
                                 * none of these */
    const char *chat_stop;      /* the text that ends an answer, where the vocabulary has no token for it;
                                 * otherwise "" */
    bool chat_leads;            /* an answer begins with a space that is not part of its text */
    const char *type;           /* of most weights: as the file says, or by its size: "Q4_K" */
    unsigned guessed;           /* GemmaGuess; 0: all of this is known */
    uint64_t weight_bytes;      /* packed, as they will lie in memory */
    uint64_t bytes_per_token;   /* packed weights read to decode one token */
} GemmaPlan;

/* How numbers beside the weights are held. */
typedef enum {
    GEMMA_F16_CACHE,            /* int8 activations, keys and values as halves */
    GEMMA_INT8_CACHE,           /* keys and values as bytes: about half the memory, and faster in long
                                 * contexts; head_dim % 32 == 0 */
    GEMMA_EXACT,                /* the yardstick: float matmul on dequantised rows, f32 keys and values;
                                 * slow */
} GemmaPrecision;

typedef struct {
    int n_threads;              /* >= 1 */
    GemmaPrecision precision;
} GemmaOptions;

/* `file_name` (copied) appears in errors. `file_size` in bytes. */
GemmaLoader *gemma_loader_new(const char *file_name, uint64_t file_size, GemmaError *err);
void gemma_loader_free(GemmaLoader *loader);

/* Where to copy the next bytes of the file. *n is how many fit: 0 between the plan and gemma_loader_allocate.
 * Valid until the next call on the loader. */
uint8_t *gemma_loader_room(GemmaLoader *loader, size_t *n, GemmaError *err);

/* Takes the `n` bytes just copied. After an error the loader can only be freed. Bytes pushed beyond the
 * header before gemma_loader_allocate stay in the room; n may be 0. */
GemmaStatus gemma_loader_push(GemmaLoader *loader, size_t n, GemmaError *err);

/* NULL until the header is complete and has been checked, or a plan was made of less. */
const GemmaPlan *gemma_loader_plan(const GemmaLoader *loader);

/* Plans from a header's beginning, for a caller that wants no more than the plan: takes the `n` bytes just
 * copied, and makes a plan of all so far. What they do not say is guessed (GemmaPlan.guessed). A file that
 * gguf-split cut is its first part here, and file_size that of all. More bytes may follow, for a better
 * plan. */
GemmaStatus gemma_loader_estimate(GemmaLoader *loader, size_t n, GemmaError *err);
/* After that: checks the tensors in the beginning of another part of the file, too. */
GemmaStatus gemma_loader_check_part(GemmaLoader *loader, const uint8_t *bytes, size_t n, GemmaError *err);
/* Plans without any byte, on a new loader. type: of most weights, in either case ("q4_0", "q4_k", ...), ""
 * where the size of the file tells; each tensor's is what llama-quantize would choose. A file_size of 0 is
 * that of such a model. */
GemmaStatus gemma_loader_plan_shape(GemmaLoader *loader, const GemmaShape *shape, const char *type,
    GemmaError *err);

/* Bytes of memory that model and one session need in all, never less than the true need: weights, KV
 * cache for n_ctx, activations, tokenizer, staging, thread stacks. n_ctx 0: of the model alone. */
uint64_t gemma_memory_need(const GemmaLoader *loader, const GemmaOptions *options, int n_ctx);

/* The most bytes that 32-bit or 64-bit addresses can hold, in one block and in all. Code that decides by size
 * asks here. */
uint64_t gemma_capacity(int address_bits);

/* Further bytes while this model observes (gemma_observe). */
uint64_t gemma_observer_need(const GemmaLoader *loader);

/* The header as one JSON object (architecture, sizes, tensor types with counts and bytes, metadata with long
 * lists shortened). Returns its length; writes at most `cap` bytes, and a 0 when there is room. */
size_t gemma_describe(const GemmaLoader *loader, char *json, size_t cap);
/* A plan as one JSON object, in the same way. */
size_t gemma_describe_plan(const GemmaPlan *plan, char *json, size_t cap);

/* Allocates the packed weights and starts the threads. Call once, after the plan is there. */
GemmaStatus gemma_loader_allocate(GemmaLoader *loader, const GemmaOptions *options, GemmaError *err);

/* Whether the engine runs the file whose whole header is header[n]: what loading checks before it packs the
 * first weight, for programs that write files. Takes no memory for weights. */
GemmaStatus gemma_check_header(const uint8_t *header, size_t n, uint64_t file_size, GemmaError *err);

/* The model; the loader is freed with success and failure alike. Refuses a file that ended early. */
GemmaModel *gemma_loader_finish(GemmaLoader *loader, GemmaError *err);

/* Random weights in place of the file's, for benchmarks: the model of any plan. It has no tokenizer. The
 * loader is freed, also after a failure. */
GemmaModel *gemma_loader_fill(GemmaLoader *loader, const GemmaOptions *options, GemmaError *err);

void gemma_model_free(GemmaModel *model);
const GemmaPlan *gemma_model_plan(const GemmaModel *model);

/* --------------------------------------------------------------------------------------------- text */

/* Where ids are written to. */
typedef struct {
    int32_t *ids;               /* [cap] */
    int cap;                    /* how many fit; no more are written */
    int n;                      /* becomes how many there are; if that is more than cap, call again with a
                                 * larger array */
} GemmaIds;

typedef enum {
    GEMMA_ADD_BOS = 1,          /* BOS comes first */
    GEMMA_PARSE_CONTROL = 2,    /* the texts of control tokens become those tokens. Otherwise they are
                                 * ordinary text, which is right for anything that a user typed */
} GemmaTextFlags;
/* The ids of a text. flags: any of GemmaTextFlags. GEMMA_UNSUPPORTED: a model of random weights has no
 * vocabulary. */
GemmaStatus gemma_tokenize(const GemmaModel *model, const char *utf8, size_t n, unsigned flags, GemmaIds *ids,
    GemmaError *err);

/* Writes the bytes of a token to buf and returns how many they are, 0 for an id out of range. They end
 * without a 0, and may be a part of a UTF-8 sequence. Those of a control token are its name. */
int gemma_token_bytes(const GemmaModel *model, int32_t id, char buf[256]);

bool gemma_adds_bos(const GemmaModel *model);           /* tokenizer.ggml.add_bos_token, default true */
bool gemma_is_control(const GemmaModel *model, int32_t id); /* a token that is never shown */
bool gemma_is_end(const GemmaModel *model, int32_t id); /* <eos>, <end_of_turn>, <|im_end|>, ...: generation
                                                         * ends here */

/* ------------------------------------------------------------------------------------------- turns */

/* GEMMA_TOOL, in the style "functions" alone: declarations, calls or what tools gave back, which stand in the
 * turn before, of the system or of the assistant, whose text may follow them in the same turn. The names of
 * the style's tokens for tools, <escape> among them, become those tokens. */
typedef enum { GEMMA_SYSTEM = 0, GEMMA_USER = 1, GEMMA_ASSISTANT = 2, GEMMA_TOOL = 3 } GemmaRole;

typedef struct {
    GemmaRole role;
    const char *text;       /* UTF-8, borrowed for the call */
    size_t n;
} GemmaTurn;

typedef enum {
    GEMMA_CONTINUED = 0,        /* after ids whose last turn is the assistant's, still open: what ends it
                                 * comes first */
    GEMMA_NEW = 1,              /* BOS comes first */
} GemmaConversation;

/* Turns as ids, in the file's own style (GemmaPlan.chat_style), such as Gemma's:
 * <start_of_turn>user\n TEXT <end_of_turn>\n <start_of_turn>model\n ... where a system turn is folded into
 * the user turn after it. If the last turn given is the assistant's, it stays open; otherwise an assistant's
 * turn is opened at the end. Text never becomes control tokens, but for GEMMA_TOOL's. GEMMA_UNSUPPORTED: the
 * model has no turns that the engine knows, or none with tools. */
GemmaStatus gemma_chat(const GemmaModel *model, const GemmaTurn *turns, int n_turns,
    GemmaConversation conversation, GemmaIds *ids, GemmaError *err);

/* ------------------------------------------------------------------------------------------- session */

/* Largest number of tokens that one gemma_session_step evaluates; with large models it evaluates fewer at
 * once. */
enum { GEMMA_MAX_BATCH = 256 };

/* n_ctx: most tokens the conversation can hold, 1 to n_ctx_train. */
GemmaSession *gemma_session_new(GemmaModel *model, int n_ctx, GemmaError *err);
void gemma_session_free(GemmaSession *session);

/* Replaces the whole token sequence. Keeps the KV cache of the common prefix; *n_kept (n_kept may be NULL) is
 * how many tokens that are. The last token is always evaluated again. Sliding-window layers can only go back
 * a little: beyond that *n_kept is 0, a normal result. */
GemmaStatus gemma_session_sync(GemmaSession *session, const int32_t *ids, int n, int *n_kept,
    GemmaError *err);

/* Appends one token without evaluating it. GEMMA_CONTEXT_FULL when there is no place for it. */
GemmaStatus gemma_session_push(GemmaSession *session, int32_t id, GemmaError *err);

/* Evaluates tokens of those of the sessions that have some left, in one batch. Of a session that has only its
 * last token left, that is this token with its draft. Of the others' prompts it is up to n_batch tokens,
 * shared out evenly. The logits of 1 + GEMMA_MAX_DRAFT rows fit a batch: sessions that do not fit come first
 * in the next one, and a draft that does not fit is shortened. Returns after about `seconds` (INFINITY: when
 * the batch ends), between two layers if the batch has not ended; the next call with one of its sessions
 * continues it. A call without them gives it up. Sessions do not wait long for each other's prompts: a batch
 * of several is sized to take about 0.12 s; one that a prompt has for itself is sized so that a layer takes
 * no longer than `seconds`, and waits between two layers while others' batches are evaluated. A row's result
 * does not depend on what else is in its batch. */
void gemma_step(GemmaModel *model, GemmaSession *const *sessions, int n, int n_batch, double seconds);
/* *left becomes how many tokens are left to evaluate, with a fraction where layers of some are done; 0: the
 * logits of the last token are ready. Fails when the last step failed for this session: GEMMA_BAD_NUMBERS
 * (its logits are not finite), or GEMMA_NO_MEMORY (for its keys and values). Steps leave out a session that
 * has failed until its next gemma_session_sync; others continue. Any change of its sequence takes a session
 * out of a batch that is under way. */
GemmaStatus gemma_session_left(const GemmaSession *session, double *left, GemmaError *err);
/* gemma_step and gemma_session_left for one session. One that has failed tries again. */
GemmaStatus gemma_session_step(GemmaSession *session, int n_batch, double seconds, double *left,
    GemmaError *err);

/* Speculative decoding: draft tokens. Right after a push it adds as many of n as fit (GEMMA_MAX_DRAFT and the
 * context); the next step then evaluates the pushed token and the draft in one batch, which costs little more
 * than one token where memory is the limit, and leaves the logits after the pushed one. The text stays what
 * it would be without a draft. */
enum { GEMMA_MAX_DRAFT = 7 };
GemmaStatus gemma_session_draft(GemmaSession *session, const int32_t *ids, int n, GemmaError *err);
/* After sampling `id`. True: it was the next draft token, is in the sequence, and the logits are those after
 * it. False: draft tokens that are left are forgotten; push it. */
bool gemma_session_accept(GemmaSession *session, int32_t id);

/* A copy that continues as the session would: tokens, keys and values, sampler, constraint. */
GemmaSession *gemma_session_clone(const GemmaSession *session, GemmaError *err);
/* The session as bytes, for a later gemma_session_restore with the same model file and precision; returns how
 * many they are, and writes them if they are at most `cap`. Keys and values are saved in whole blocks of 64
 * positions; a draft is not. */
uint64_t gemma_session_save(const GemmaSession *session, uint8_t *bytes, uint64_t cap);
/* The session that was saved; it continues bit for bit as that one. Its last tokens (at most 64, all where a
 * ring had lost what earlier ones need) are still to be evaluated. GEMMA_BAD_FILE: bytes of another model,
 * version or precision, or damaged ones. */
GemmaSession *gemma_session_restore(GemmaModel *model, const uint8_t *bytes, uint64_t n, GemmaError *err);

int gemma_session_count(const GemmaSession *session);       /* tokens in the sequence */
/* [count]; valid until the sequence changes */
const int32_t *gemma_session_tokens(const GemmaSession *session);
int gemma_session_context(const GemmaSession *session);     /* n_ctx */
/* [n_vocab], of the last token; valid until the next call that concerns this model. NULL before the first
 * step. Computed anew where other sessions' have replaced them. */
const float *gemma_session_logits(GemmaSession *session);

/* The logits at token i (0-based) of this session in the last step's batch, for perplexity and tests. They
 * replace those of the last token. NULL when i is out of range, or other sessions have stepped since. */
const float *gemma_session_logits_at(GemmaSession *session, int i);

/* -log softmax(logits)[id] of the logits computed last. */
double gemma_session_nll(GemmaSession *session, int32_t id);

/* A token and the logarithm of its probability: log softmax(logits)[id] over the whole vocabulary, before any
 * sampling parameter. */
typedef struct {
    int32_t id;
    float logprob;
} GemmaLogprob;
/* best[n]: the likeliest tokens after the current one, the likeliest first, ties by the lower id; where the
 * vocabulary has fewer, those left over have an id of GEMMA_NO_TOKEN. n is at most GEMMA_MAX_LOGPROBS.
 * *of_id: `id` and its logprob. */
enum { GEMMA_MAX_LOGPROBS = 20 };
void gemma_session_logprobs(GemmaSession *session, int32_t id, GemmaLogprob *of_id,
    GemmaLogprob *best, int n);

/* Embeddings: from its next gemma_session_sync on the session's steps compute no logits, but add up the final
 * hidden states of its tokens. Each sync begins the sum anew. */
GemmaStatus gemma_session_pool(GemmaSession *session, GemmaError *err);
/* vector[n_embd]: the mean of the final hidden states of all its tokens, made a vector of length 1.
 * GEMMA_BAD_ARGUMENT: tokens are left, or the session does not pool. */
GemmaStatus gemma_session_embedding(const GemmaSession *session, float *vector, GemmaError *err);

/* What one kind of operation has cost in the model's steps. */
typedef struct {
    const char *name;           /* such as "attention", or "matmul Q4_0", by the (first) matrix's type */
    double seconds;
    uint64_t calls;
    uint64_t bytes;             /* of packed weights */
    uint64_t macs;              /* multiplications with additions, of matrix products and attention */
} GemmaCost;

/* Counts costs from now on, from zero. */
void gemma_profile(GemmaModel *model);
/* Cost i, from 0; false beyond the last. Operations that were never called have 0 calls. */
bool gemma_cost(const GemmaModel *model, int i, GemmaCost *cost);

/* What has gone into one matrix of a layer: how much a column of it matters, for quantising. (The output head
 * is not observed: it sees only the tokens whose logits are asked for. llama-imatrix leaves it out, too.) */
typedef struct {
    const char *name;           /* of the tensor, such as "blk.3.attn_q.weight"; the model's */
    uint64_t n_tok;
    int n_cols;
    const double *squares;      /* [n_cols]: of each column of the matrix's input the sum of its squares;
                                 * valid until the next step */
} GemmaObserved;

/* Observes from now on, from zero. Changes no result. */
GemmaStatus gemma_observe(GemmaModel *model, GemmaError *err);
/* Matrix i, from 0; false beyond the last, and where nothing is observed. */
bool gemma_observed(const GemmaModel *model, int i, GemmaObserved *observed);

/* ------------------------------------------------------------------------------------------- sampling */

/* Applied in this order: logit bias, penalties, top-k, top-p, min-p, temperature. The best token always
 * stays. */
typedef struct {
    float temperature;          /* 0: greedy */
    int top_k;                  /* 0: off */
    float top_p;                /* 0 (only the best) to 1 (off) */
    float min_p;                /* 0 (off) to 1 (only the best) */
    float repeat_penalty;       /* 1: off; over the last 64 tokens, as are the next two */
    float presence_penalty;     /* 0: off */
    float frequency_penalty;    /* 0: off */
    uint64_t seed;
} GemmaSampling;

/* Sets parameters, restarts the random numbers from the seed, drops all logit biases. */
GemmaStatus gemma_session_sampling(GemmaSession *session, const GemmaSampling *params, GemmaError *err);
/* Adds `bias` to the logit of id (-INFINITY forbids it); at most 1,024 of them. */
GemmaStatus gemma_session_bias(GemmaSession *session, int32_t id, float bias, GemmaError *err);

/* Picks the next token from the logits; does not push it. Never one that stands for an image, audio or video,
 * since this engine reads and writes text. GEMMA_NO_TOKEN where a constraint or biases leave none, and where
 * the constraint is ambiguous. */
enum { GEMMA_NO_TOKEN = -1 };
int32_t gemma_session_sample(GemmaSession *session);

/* ------------------------------------------------------------------------------------------- constraints */

/* A grammar in GBNF, llama.cpp's dialect (see grammar.h); it begins with the rule "root". Compiled once, with
 * or without a model, it serves any number of sessions of any model, one thread at a time. An error says line
 * and column. */
GemmaGrammar *gemma_grammar_new(const char *gbnf, size_t n, GemmaError *err);
/* Sessions that it constrains keep what they need of it. */
void gemma_grammar_free(GemmaGrammar *grammar);
/* *accepts: whether the whole of text[n] is one of the grammar's texts. GEMMA_UNSUPPORTED: it can be read in
 * more ways than can be followed. */
GemmaStatus gemma_grammar_accepts(GemmaGrammar *grammar, const char *text, size_t n, bool *accepts,
    GemmaError *err);

/* From the next token on, the session's text must be one of the grammar's. NULL: it is free. Samples are then
 * drawn from the model's distribution over the tokens that may come next, renormalised: top-k counts such
 * tokens only, top-p and min-p are of their probabilities. Control tokens never fit; an end token does
 * exactly where the text may end. Every tokenisation of the text is possible. The same seed gives the same
 * text with and without drafts. A push of a token that does not fit is refused with GEMMA_BAD_ARGUMENT; a
 * draft is cut where it does not fit. The constraint ends with the push of an end token, and with
 * gemma_session_sync. A clone has it, and so has a session that was saved. */
GemmaStatus gemma_session_constrain(GemmaSession *session, GemmaGrammar *grammar, GemmaError *err);

typedef enum {
    GEMMA_AMBIGUOUS = -1,       /* the text can be read in too many ways to say what may follow it */
    GEMMA_UNCONSTRAINED = 0,
    GEMMA_INCOMPLETE = 1,       /* more must come */
    GEMMA_COMPLETE = 2,         /* the text may end here, or continue */
    GEMMA_ENDED = 3,            /* nothing can come but the end: there is nothing to sample */
} GemmaConstraint;
/* Of the tokens so far, without a draft, and of `next` after them, or GEMMA_NO_TOKEN. */
GemmaConstraint gemma_session_constraint(const GemmaSession *session, int32_t next);

/* The tokens of the text that must come next, as draft tokens. Writes at most cap ids and returns how many. 0
 * where there is a choice. */
int gemma_session_forced(const GemmaSession *session, int32_t *ids, int cap);

#endif
