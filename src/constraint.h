/* constraint.h: a text that a grammar constrains, token by token: where it stands, and which tokens may come
 * next. Owns grammars as callers hold them, and the masks of a vocabulary. Knows grammars and tokens; neither
 * sessions nor sampling. */
#ifndef CONSTRAINT_H
#define CONSTRAINT_H

#include "grammar.h"
#include "tokenizer.h"

/* What must be known of a model's tokens: which of them are text, and which end one. */
typedef struct TextTokens TextTokens;
/* Borrows the tokenizer. Takes a fraction of a second. NULL with an error when memory is short. */
TextTokens *text_tokens_new(const Tokenizer *t, int n_vocab, GemmaError *err);
void text_tokens_free(TextTokens *v);

/* A text's place in a grammar, and the places after each token of a draft. */
typedef struct {
    GemmaGrammar *grammar;      /* NULL: the text is free */
    int begin;                  /* the first token of the text */
    GrammarState states[1 + GEMMA_MAX_DRAFT];   /* held: [0] is where the text stands, [i] after i draft
                                                 * tokens */
    int n_draft;
    bool is_ambiguous;          /* the text can be read in too many ways to say what may follow it */
} Constraint;

/* False when memory is short; *c was empty and then still is. */
bool constraint_begin(Constraint *c, GemmaGrammar *grammar, const TextTokens *v, int begin);
void constraint_end(Constraint *c);
/* *to was empty. */
void constraint_copy(Constraint *to, const Constraint *from);

/* What these say holds while c->is_ambiguous does not; they set it where the text is too ambiguous. */

/* Whether the token may come next. */
bool constraint_allows(Constraint *c, const TextTokens *v, int32_t id);
/* Appends a token behind the draft, or with `draft` false in its place; false for one that does not fit. An
 * end token ends the constraint. */
bool constraint_push(Constraint *c, const TextTokens *v, int32_t id, bool draft);
/* The first token of the draft has come true. */
void constraint_accept(Constraint *c);
/* Forgets all but the first n tokens of the draft. */
void constraint_trim_draft(Constraint *c, int n);

/* See gemma_session_constraint. */
GemmaConstraint constraint_place(const Constraint *c, const TextTokens *v, int32_t next);
/* See gemma_session_forced. */
int constraint_forced(const Constraint *c, const Tokenizer *t, int32_t *ids, int cap);

/* Tokens, a bit each: token i is bit i % 32 of bits[i / 32]. */
typedef struct {
    const uint32_t *bits;
    int n;                      /* how many there are */
} TokenMask;
/* All tokens that may come next; valid until the next mask is asked for. */
TokenMask constraint_mask(Constraint *c, const TextTokens *v);
/* All that may come after states[i], where they are few; valid until masks of 15 other states have been asked
 * for. n is -1 where they are many, which is found out for less than a mask costs, or cannot be known. */
TokenMask constraint_few(const Constraint *c, const TextTokens *v, int i);

/* The grammar's text; borrowed. */
const char *constraint_text(const Constraint *c, size_t *n);

#endif
