/* program.h: a checked grammar as nodes that an automaton over bytes goes through: characters become
 * sequences of bytes, alternatives that begin alike share their beginnings, repetitions stay counters. Knows
 * nothing of states or tokens. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "gbnf.h"

typedef enum {
    NODE_RETURN,        /* the rule ends: on to the node on the stack. There is one such node, number 0 */
    NODE_BYTES,         /* one byte, of ranges[first .. first + n), which ascend: on to the range's node */
    NODE_SPLIT,         /* on to each of targets[first .. first + n) */
    NODE_CALL,          /* rule `first`, and then node n. Where n is NODE_RETURN, nothing needs to go on the
                         * stack */
    NODE_ENTER,         /* repetition `first` begins: its counter goes on the stack */
    NODE_LOOP,          /* one more time is done of repetition `first` */
} NodeKind;

/* What a node of bytes does with a plain character (token_trie.h). */
typedef enum { PLAIN_NEVER, PLAIN_SOME, PLAIN_ALWAYS } NodePlain;

typedef struct {
    uint8_t kind, plain;
    int32_t first, n;
    int32_t then;       /* PLAIN_ALWAYS: the node after any plain character */
} ProgramNode;

typedef struct {
    uint8_t lo, hi;
    int32_t then;
} ByteRange;

/* From min to max times (GBNF_NO_MAX), at least 0 where the body may be empty: empty rounds fill up. */
typedef struct {
    int32_t min, max, body, then;
} Repetition;

typedef struct {
    ProgramNode *nodes;
    ByteRange *ranges;
    int32_t *targets, *entries;         /* entries[rule] */
    Repetition *repetitions;
    int n_nodes, n_ranges, n_targets, n_repetitions, cap_nodes, cap_ranges, cap_targets, cap_repetitions;
    int root;                           /* its first node */
    /* Bytes that no node tells apart are of one class; classes ascend with their bytes. */
    int n_classes;
    uint8_t class_of[256], first_of[256];
} Program;

enum { PROGRAM_MAX_NODES = 2000000 };

/* On failure returns false, and *p holds nothing. */
bool program_make(Program *p, const Gbnf *g, GemmaError *err);
void program_free(Program *p);

#endif
