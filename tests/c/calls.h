/* calls.h: calls of the engine whose results tests want as values: -1 where they fail. */
#ifndef CALLS_H
#define CALLS_H

#include "chat.h"

static inline int test_sync(GemmaSession *s, const int32_t *ids, int n, GemmaError *err) {
    int n_kept;
    return gemma_session_sync(s, ids, n, &n_kept, err) == GEMMA_OK ? n_kept : -1;
}

static inline double test_left(const GemmaSession *s, GemmaError *err) {
    double left;
    return gemma_session_left(s, &left, err) == GEMMA_OK ? left : -1;
}

static inline double test_step(GemmaSession *s, int n_batch, double seconds, GemmaError *err) {
    double left;
    return gemma_session_step(s, n_batch, seconds, &left, err) == GEMMA_OK ? left : -1;
}

static inline int test_tokenize(const GemmaModel *m, const char *text, size_t n, unsigned flags,
    int32_t *ids, int cap) {
    GemmaIds to = {.ids = ids, .cap = cap};
    GemmaError err;
    return gemma_tokenize(m, text, n, flags, &to, &err) == GEMMA_OK ? to.n : -1;
}

static inline int test_chat(const Chat *c, const Tokenizer *t, const GemmaTurn *turns, int n_turns,
    GemmaConversation conversation, int32_t *ids, int cap) {
    GemmaIds to = {.ids = ids, .cap = cap};
    GemmaError err;
    return chat_encode(c, t, turns, n_turns, conversation, &to, &err) == GEMMA_OK ? to.n : -1;
}

#endif
