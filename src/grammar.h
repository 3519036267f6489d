/* grammar.h: GBNF text -> an automaton over bytes with a stack, built as texts need it -> which tokens may
 * come next. Knows bytes and a trie of the vocabulary; not sessions, sampling or models. */
#ifndef GRAMMAR_H
#define GRAMMAR_H

#include "token_trie.h"

/* A compiled grammar and the states seen so far, which are a cache: used by one thread at a time, by any
 * number of sessions. */
typedef struct Grammar Grammar;

/* A state stands for all that texts with the same continuations have in common; equal texts give equal
 * states. GRAMMAR_DEAD: no text of the grammar begins so. Every other state can be continued to a text of the
 * grammar, or is one.
 *
 * Each call that takes a Grammar may forget all states that are not held, but for those it is given and
 * gives: hold what you keep. */
typedef int GrammarState;
enum { GRAMMAR_DEAD = -1 };

/* GBNF is llama.cpp's dialect, whole but for its tokens (<think>, !<[7]>): texts have no control tokens but
 * those of grammar_token_bytes. A text starts at rule "root"; of two rules of one name the last counts. A
 * character is a code point of well-formed UTF-8.
 *
 * GEMMA_BAD_ARGUMENT, with line and column: the text is not GBNF; a rule is unknown, refers to itself before
 * any character (left recursion) or can never end; an unbounded repetition repeats nothing; repetitions are
 * nested whose counts multiply to more than 2^32; the text is larger than 1 MiB, holds more than 500,000
 * parts, or parts more than 400 deep. Time and memory are proportional to the text. */
Grammar *grammar_new(const char *gbnf, size_t n, GemmaError *err);
void grammar_free(Grammar *g);

enum { GRAMMAR_TOKEN_BYTE = 0xff, GRAMMAR_MAX_TOKEN = 32 };
/* A grammar may name the control tokens of tool calls, <start_function_call>, <end_function_call> and
 * <escape>. In texts such a token stands as GRAMMAR_TOKEN_BYTE, which no UTF-8 has, and the rest of its name:
 * GRAMMAR_MAX_TOKEN bytes at most. Returns how many; 0 for any other name. */
int grammar_token_bytes(const char *name, size_t n, char *bytes);

GrammarState grammar_start(Grammar *g);
/* The state after these n bytes, which may end inside a character. */
GrammarState grammar_next(Grammar *g, GrammarState s, const char *bytes, size_t n);
/* Whether the text so far is a text of the grammar. */
bool grammar_may_end(const Grammar *g, GrammarState s);
/* The bytes that must come next in every text, at most `cap`. 0 where there is a choice or the text may
 * end. */
size_t grammar_forced(Grammar *g, GrammarState s, char *bytes, size_t cap);

/* Held states are counted: as many releases as holds. GRAMMAR_DEAD may be held. */
void grammar_hold(Grammar *g, GrammarState s);
void grammar_release(Grammar *g, GrammarState s);

/* bits[(n_vocab + 31) / 32]: sets the bit of each token of the trie whose bytes may come next, clears all
 * others. */
void grammar_mask(Grammar *g, GrammarState s, const TokenTrie *t, uint32_t *bits);

/* Until the next call, texts may be read in about `work` ways together, counted at each byte that comes to a
 * state for the first time. A grammar begins with no limit. */
void grammar_allow(Grammar *g, int64_t work);
/* Whether since the last grammar_allow a text was so ambiguous or so deep that it could not be followed: by
 * its limit, in more than 4,096 ways at one place, or with stacks of half a million entries. Texts of the
 * grammar may have been refused then; no other text was accepted. */
bool grammar_overflowed(const Grammar *g);

#endif
