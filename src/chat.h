/* chat.h: turns -> ids; the only code that emits control tokens, so what a user typed never can. Knows no model. */
#ifndef CHAT_H
#define CHAT_H

#include "tokenizer.h"

/* See gemma_chat. */
int chat_encode(const Tokenizer *t, const GemmaTurn *turns, int n_turns, bool first, bool closed, int32_t *ids, int cap);

/* A chat model: its chat_template contains <start_of_turn>, or general.finetune or general.name says it or instruct
 * (as a word of its own: "gemma-3-270m-it", "Gemma 2B Instruct"; not "unit"). */
bool chat_is_tuned(const Gguf *g);

#endif
