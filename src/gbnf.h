/* gbnf.h: GBNF text -> a tree for each rule, checked: every rule is known and can end, none is
 * left-recursive, no loop is empty. Distrusts every byte. Knows nothing of automata, and of tokens a few
 * names. */
#ifndef GBNF_H
#define GBNF_H

#include "error.h"

enum {
    GBNF_MAX_TEXT = 1 << 20,    /* bytes */
    GBNF_MAX_NODES = 500000,
    GBNF_MAX_HEIGHT = 400,      /* of a rule's tree: low enough for recursion */
    GBNF_NO_MAX = -1,
    GBNF_MAX_TOKEN = 32,        /* bytes of a token's name */
    GBNF_TOKEN_BYTE = 0xff,
};

typedef enum { GBNF_CHOICE, GBNF_SEQUENCE, GBNF_LITERAL, GBNF_CLASS, GBNF_RULE, GBNF_REPEAT } GbnfKind;

typedef struct {
    uint8_t kind;
    bool nullable;              /* the empty text fits */
    uint16_t height;
    int32_t first, next;        /* child, sibling; -1: none */
    int32_t parent;             /* of the top node of rule r: -1 - r */
    /* LITERAL: place in bytes, length. CLASS: place in ranges, how many. RULE: the rule, the next reference
     * to it or -1. REPEAT: at least, at most or GBNF_NO_MAX. */
    int32_t x, y;
    uint32_t at;                /* in the text */
} GbnfNode;

/* Code points. A class's ranges ascend, do not touch, and hold no surrogates. */
typedef struct {
    uint32_t lo, hi;
} GbnfRange;

typedef struct {
    int32_t body;               /* its top node; -1: not defined (never so after gbnf_parse) */
    int32_t refs;               /* the first reference, -1: none */
    uint32_t at, n_name;        /* where its name stands first */
} GbnfRule;

typedef struct {
    GbnfNode *nodes;
    GbnfRule *rules;
    GbnfRange *ranges;
    char *bytes;
    int n_nodes, n_rules, n_ranges, n_bytes, root;
    int cap_nodes, cap_rules, cap_ranges, cap_bytes;
} Gbnf;

/* A grammar may name control tokens of tool calls: <start_function_call>, <end_function_call>, <escape>. Such
 * a token stands in the tree, and in texts, as GBNF_TOKEN_BYTE, which no UTF-8 has, and the rest of its name.
 * Writes that; returns its length, 0 for all other names. */
int gbnf_token_bytes(const char *name, size_t n, char *bytes);

/* On failure returns false, and *g holds nothing. */
bool gbnf_parse(Gbnf *g, const char *text, size_t n, GemmaError *err);
void gbnf_free(Gbnf *g);

#endif
