/* automaton.h: the states of a program, found as texts come to them. A state is the set of all ways in which
 * the text so far can be read; a way is a node of bytes that may come next, and a stack. Knows nothing of
 * GBNF or tokens.
 *
 * Stacks are lists of entries that exist once each, so they share their lower parts and compare by number;
 * states exist once each, too. What a state does with a byte is looked up in its row after the first time. */
#ifndef AUTOMATON_H
#define AUTOMATON_H

#include "program.h"

enum {
    STATE_DEAD = -1,            /* no text leads here */
    STATE_UNKNOWN = -2,         /* in a row: not computed yet */
    AUTOMATON_MAX_WAYS = 4096,  /* of a state; more are dropped */
    AUTOMATON_MAX_ENTRIES = 1 << 19,        /* of all stacks; ways that need more are dropped */
    AUTOMATON_MAX_CLOSURE = 1 << 18,        /* nodes seen between two bytes; ways beyond are dropped */
};

typedef struct {
    int32_t node, stack;        /* node 0 with stack 0: the text may end here */
} Way;

/* One entry of a stack: a node to return to, or the count of a repetition (rounds done). Entry 0 is the
 * bottom. */
typedef struct {
    int32_t below, node, count; /* count -1: return to `node`; else `node` is the number of the repetition */
    int32_t counter;            /* the uppermost entry from here down that is a count, or 0 */
    int32_t base;               /* this stack with that count 0; -1: not computed yet */
} StackEntry;

typedef struct {
    int32_t ways, n;            /* place in the automaton's ways, ascending by node and stack */
    int32_t row;                /* place in rows, -1: none yet */
    int32_t plain;              /* the state after any plain character, or STATE_UNKNOWN (see
                                 * automaton_plain) */
    int32_t holds;              /* -1: a free number */
    uint32_t hash;
    bool plain_exact;
    uint8_t takes_plain;        /* 0: not computed yet; 1: yes; 2: no (see automaton_takes_plain) */
} State;

typedef struct {
    Program program;
    State *states;
    Way *ways;
    int32_t *rows;              /* [row][n_classes] */
    StackEntry *entries;
    int n_states, n_ways, n_rows, n_entries, cap_states, cap_ways, cap_rows, cap_entries;
    int32_t free;               /* a number that may be used again (its `ways` is the next such), or -1 */
    int32_t *state_table, *entry_table;     /* hash tables of numbers; -1: empty */
    int n_state_table, n_entry_table;
    size_t limit;               /* bytes from which automaton_tidy forgets */
    int64_t work;               /* ways that may still be followed, see automaton_allow */
    bool overflowed;            /* since the last automaton_allow ways were dropped, or memory was short */
    struct AutomatonScratch *scratch;
} Automaton;

/* Takes the program over, success or not. False when memory is short. */
bool automaton_open(Automaton *a, Program program);
void automaton_close(Automaton *a);

/* Until the next call about `work` ways are followed, where states are not known yet; what is asked beyond
 * that overflows. States that an overflow has made incomplete are not remembered as what follows others. */
void automaton_allow(Automaton *a, int64_t work);

int32_t automaton_start(Automaton *a);
int32_t automaton_compute(Automaton *a, int32_t state, int byte_class);

/* The state after one more byte. */
static inline int32_t automaton_step(Automaton *a, int32_t state, uint8_t byte) {
    int byte_class = a->program.class_of[byte];
    int32_t row = a->states[state].row;
    int32_t next = row < 0 ? STATE_UNKNOWN : a->rows[(size_t)row * (size_t)a->program.n_classes
        + (size_t)byte_class];
    return next == STATE_UNKNOWN ? automaton_compute(a, state, byte_class) : next;
}

static inline bool automaton_may_end(const Automaton *a, int32_t state) {
    return a->ways[a->states[state].ways].node == 0;
}

/* The state of all ways on which any plain character may come next, after it; STATE_DEAD: there are none.
 * *exact: the state's other ways take no plain character at all, so that this is the state after any. */
int32_t automaton_plain(Automaton *a, int32_t state, bool *exact);

/* Whether any text of plain characters may come next, of at least PLAIN_CHARS_MAX (token_trie.h). Where the
 * text so far ends inside a character, every rest of that character must be allowed. */
bool automaton_takes_plain(Automaton *a, int32_t state);

bool automaton_is_full(const Automaton *a);
/* Forgets all states but those held and the given ones. Numbers of states that stay do not change. */
void automaton_forget(Automaton *a, const int32_t *keep, int n_keep);

#endif
