/* chat.h: whose turns a file has, and turns -> ids; the only code that emits control tokens, so what a user
 * typed never can. Knows no model. */
#ifndef CHAT_H
#define CHAT_H

#include "tokenizer.h"

typedef struct ChatStyle ChatStyle;

typedef struct {
    bool tuned;                 /* a chat model: it has a chat template, or general.finetune or general.name
                                 * has the word it or instruct ("gemma-3-270m-it", "Gemma 2B Instruct"; not
                                 * "unit") */
    const ChatStyle *style;     /* NULL: no turns, or none that we know */
    bool bos;                   /* a conversation begins with BOS */
    const char *stop;           /* the text that ends an answer where no token does; otherwise "" */
} Chat;

/* n_ids: tokens of the vocabulary from there on don't count. */
void chat_read(Chat *c, const Gguf *g, int n_ids);

/* See GemmaPlan. */
const char *chat_style(const Chat *c);
bool chat_leads(const Chat *c);

/* See gemma_chat. */
GemmaStatus chat_encode(const Chat *c, const Tokenizer *t, const GemmaTurn *turns, int n_turns,
    GemmaConversation conversation, GemmaIds *ids,
                        GemmaError *err);

#endif
