/* random_grammar.h: grammars made at random, as a tree and as GBNF text, and a matcher for them that shares
 * nothing with the engine: it finds, for each part and each place of a text, all places where the part may
 * end. For tests and fuzzers. */
#ifndef RANDOM_GRAMMAR_H
#define RANDOM_GRAMMAR_H

#include "test.h"

enum { RG_RULES = 4, RG_NODES = 120, RG_TEXT = 60, RG_GBNF = 6000, RG_NO_MAX = -1 };

typedef enum { RG_LITERAL, RG_CLASS, RG_SEQUENCE, RG_CHOICE, RG_REPEAT, RG_RULE } RgKind;

typedef struct {
    RgKind kind;
    int n_children, children[4];        /* RULE: children[0] is the rule */
    int min, max;
    bool negated;
    int n_chars;                        /* LITERAL: characters; CLASS: pairs of first and last */
    uint32_t chars[8];
} RgNode;

typedef struct {
    RgNode nodes[RG_NODES];
    int n_nodes, n_rules, bodies[RG_RULES];
    char gbnf[RG_GBNF];
    size_t n_gbnf;
} RandomGrammar;

static const uint32_t rg_chars[] = {'a', 'b', 'c', '"', '\\', '\n', 0x7f, 0xe9, 0x20ac, 0x4e00,
    0x1f642, 0x10ffff};
enum { RG_CHARS = sizeof rg_chars / sizeof *rg_chars };

/* ------------------------------------------------------------------------------------------ making */

static inline uint64_t rg_below(uint64_t *state, uint64_t n) { return test_random(state) % n; }

/* Mostly a, b and c, so that texts fit. */
static inline uint32_t rg_char(uint64_t *state) {
    return rg_chars[rg_below(state, rg_below(state, 3) ? 3 : RG_CHARS)];
}

static inline int rg_node(RandomGrammar *g, RgKind kind) {
    g->nodes[g->n_nodes] = (RgNode){.kind = kind};
    return g->n_nodes++;
}

/* A part of rule `rule`. A rule refers to later ones anywhere; to others, and itself, only after a character
 * (`after`). */
static inline int rg_make(RandomGrammar *g, int rule, int depth, bool after, uint64_t *state) {
    int kind = (int)rg_below(state, 10);
    if (depth == 0 || g->n_nodes > RG_NODES - 12) kind = kind < 5 ? 0 : 3;
    if (kind < 3) {
        int node = rg_node(g, RG_LITERAL);
        g->nodes[node].n_chars = (int)rg_below(state, depth ? 4 : 3);
        for (int i = 0; i < g->nodes[node].n_chars; i++) g->nodes[node].chars[i] = rg_char(state);
        return node;
    }
    if (kind < 5) {
        int node = rg_node(g, RG_CLASS);
        RgNode *o = &g->nodes[node];
        o->negated = rg_below(state, 3) == 0;
        o->n_chars = 1 + (int)rg_below(state, 3);
        for (int i = 0; i < o->n_chars; i++) {
            uint32_t lo = rg_char(state), hi = rg_below(state, 2) ? lo : rg_char(state);
            o->chars[2 * i] = lo < hi ? lo : hi;
            o->chars[2 * i + 1] = lo < hi ? hi : lo;
        }
        return node;
    }
    if (kind == 5) {
        int to = after ? (int)rg_below(state, (uint64_t)g->n_rules)
            : rule + 1 + (int)rg_below(state, RG_RULES);
        if (to >= g->n_rules) return rg_make(g, rule, 0, after, state);
        int node = rg_node(g, RG_RULE);
        g->nodes[node].children[0] = to;
        return node;
    }
    int node = rg_node(g, kind < 8 ? RG_SEQUENCE : kind == 8 ? RG_CHOICE : RG_REPEAT), n = kind == 9 ? 1
        : 1 + (int)rg_below(state, 4);
    for (int i = 0; i < n; i++) {
        int child = rg_make(g, rule, depth - 1, after, state);
        g->nodes[node].children[i] = child;
        const RgNode *c = &g->nodes[child];
        if (kind < 8) after = after || (c->kind == RG_CLASS) || (c->kind == RG_LITERAL && c->n_chars);
    }
    RgNode *o = &g->nodes[node];
    o->n_children = n;
    if (kind == 9) {
        static const int counts[][2] = {{0, 1}, {0, RG_NO_MAX}, {1, RG_NO_MAX}, {0, 3}, {2, 2},
            {3, RG_NO_MAX}, {1, 9}, {0, 40}, {12, 30}, {10, RG_NO_MAX}, {0, 0}};
        int k = (int)rg_below(state, sizeof counts / sizeof *counts);
        o->min = counts[k][0];
        o->max = counts[k][1];
    }
    return node;
}

static inline void rg_write(RandomGrammar *g, const char *text) {
    size_t n = strlen(text);
    if (g->n_gbnf + n + 1 > RG_GBNF) return;
    memcpy(g->gbnf + g->n_gbnf, text, n + 1);
    g->n_gbnf += n;
}

static inline int rg_encode(char *buf, uint32_t c) {
    if (c < 0x80) return buf[0] = (char)c, 1;
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6) buf[i] = (char)(0x80 | (c & 0x3f));
    buf[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

static inline void rg_write_char(RandomGrammar *g, uint32_t c, bool in_class) {
    char text[16] = "";
    if (c == '"' || c == '\\' || (in_class && (c == ']' || c == '['))) sprintf(text, "\\%c", (int)c);
    else if (c == '\n') strcpy(text, "\\n");
    else if (c < 0x20 || c == 0x7f) sprintf(text, "\\x%02x", (unsigned)c);
    else if (c % 3 == 0) sprintf(text, c < 0x100 ? "\\x%02X" : c < 0x10000 ? "\\u%04x"
        : "\\U%08X", (unsigned)c);
    else rg_encode(text, c);
    rg_write(g, text);
}

static inline void rg_write_node(RandomGrammar *g, int node) {
    const RgNode *o = &g->nodes[node];
    char text[40];
    switch (o->kind) {
        case RG_LITERAL:
            rg_write(g, "\"");
            for (int i = 0; i < o->n_chars; i++) rg_write_char(g, o->chars[i], false);
            rg_write(g, "\"");
            break;
        case RG_CLASS:
            rg_write(g, o->negated ? "[^" : "[");
            for (int i = 0; i < o->n_chars; i++) {
                rg_write_char(g, o->chars[2 * i], true);
                if (o->chars[2 * i + 1] == o->chars[2 * i]) continue;
                rg_write(g, "-");
                rg_write_char(g, o->chars[2 * i + 1], true);
            }
            rg_write(g, "]");
            break;
        case RG_RULE:
            sprintf(text, "r%d", o->children[0]);
            rg_write(g, o->children[0] ? text : "root");
            break;
        case RG_REPEAT:
            rg_write(g, "(");
            rg_write_node(g, o->children[0]);
            if (o->max == RG_NO_MAX)
                sprintf(text, o->min == 0 ? ")*" : o->min == 1 ? ")+" : "){%d,}", o->min);
            else if (o->min == o->max) sprintf(text, "){%d}", o->min);
            else if (o->min == 0 && o->max == 1) strcpy(text, ")?");
            else sprintf(text, ") { %d , %d }", o->min, o->max);
            rg_write(g, text);
            break;
        default:
            rg_write(g, "( ");
            for (int i = 0; i < o->n_children; i++) {
                if (i) rg_write(g, o->kind == RG_CHOICE ? " |\n " : " # next\n ");
                rg_write_node(g, o->children[i]);
            }
            rg_write(g, ")");
    }
}

/* A grammar that GBNF may still refuse (an empty loop, a rule without an end). */
static inline void random_grammar(RandomGrammar *g, uint64_t *state) {
    g->n_nodes = 0;
    g->n_gbnf = 0;
    g->n_rules = 1 + (int)rg_below(state, RG_RULES);
    for (int r = 0; r < g->n_rules; r++) g->bodies[r] = rg_make(g, r, 4, false, state);
    for (int r = 0; r < g->n_rules; r++) {
        char name[16];
        sprintf(name, r ? "r%d ::= " : "root ::= ", r);
        rg_write(g, name);
        rg_write_node(g, g->bodies[r]);
        rg_write(g, "\n");
    }
}

/* ------------------------------------------------------------------------------------------ matching */

/* What a part does from a place on: where it may end (a bit each), and whether the rest of the text is the
 * beginning of one of its texts. */
typedef struct {
    uint64_t ends;
    bool known, begins;
} RgMatch;

typedef struct {
    const RandomGrammar *g;
    const unsigned char *text;
    int n;
    RgMatch found[RG_NODES][RG_TEXT + 1];
} RgMatcher;

static inline bool rg_in_class(const RgNode *o, uint32_t c) {
    bool in = false;
    for (int i = 0; i < o->n_chars; i++) in = in || (c >= o->chars[2 * i] && c <= o->chars[2 * i + 1]);
    return in != o->negated;
}

/* One character of the class at a place: its bytes, whole (ends) or the first of them (begins). Tried out
 * over all characters that the bytes there leave open. */
static inline RgMatch rg_match_class(const RgNode *o, const unsigned char *text, int n) {
    RgMatch m = {.known = true};
    int length = n == 0 ? 0 : text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0
        ? 3 : text[0] < 0xf8 ? 4 : 0;
    if (n == 0) m.begins = true;
    if (length == 0) return m;
    uint32_t lo = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1)), hi;
    int i = 1;
    for (; i < length && i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) return m;
        lo = lo << 6 | (text[i] & 0x3f);
    }
    lo <<= 6 * (length - i);
    hi = lo + (1u << 6 * (length - i)) - 1;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool any = false;
    for (uint32_t c = lo; c <= hi && !any; c++) any = c >= least[length] && c <= 0x10ffff
        && !(c >= 0xd800 && c <= 0xdfff) && rg_in_class(o, c);
    if (any && i == length) m.ends = 1ull << length;
    if (any && i < length) m.begins = true;
    return m;
}

static inline RgMatch rg_match(RgMatcher *m, int node, int at);

/* The part from each of the places. */
static inline RgMatch rg_match_all(RgMatcher *m, int node, uint64_t places) {
    RgMatch all = {0};
    for (int at = 0; at <= m->n; at++) {
        if (!(places >> at & 1)) continue;
        RgMatch one = rg_match(m, node, at);
        all.ends |= one.ends;
        all.begins = all.begins || one.begins;
    }
    return all;
}

static inline RgMatch rg_match(RgMatcher *m, int node, int at) {
    RgMatch *found = &m->found[node][at], r = {0};
    if (found->known) return *found;
    const RgNode *o = &m->g->nodes[node];
    if (o->kind == RG_LITERAL) {
        char bytes[64];
        int n = 0, i = 0;
        for (int k = 0; k < o->n_chars; k++) n += rg_encode(bytes + n, o->chars[k]);
        while (i < n && at + i < m->n && m->text[at + i] == (unsigned char)bytes[i]) i++;
        if (i == n) r.ends = 1ull << (at + n);
        r.begins = at + i == m->n;
    } else if (o->kind == RG_CLASS) {
        r = rg_match_class(o, m->text + at, m->n - at);
        r.ends <<= at;
    } else if (o->kind == RG_RULE) {
        r = rg_match(m, m->g->bodies[o->children[0]], at);
    } else if (o->kind == RG_CHOICE) {
        for (int i = 0; i < o->n_children; i++) {
            RgMatch child = rg_match(m, o->children[i], at);
            r.ends |= child.ends;
            r.begins = r.begins || child.begins;
        }
    } else if (o->kind == RG_SEQUENCE) {
        r.ends = 1ull << at;
        for (int i = 0; i < o->n_children; i++) {
            RgMatch child = rg_match_all(m, o->children[i], r.ends);
            r.ends = child.ends;
            r.begins = r.begins || child.begins;
        }
    } else {
        uint64_t places = 1ull << at;
        for (int k = 0; places && k <= (o->max == RG_NO_MAX ? o->min + RG_TEXT + 1 : o->max); k++) {
            if (k >= o->min) r.ends |= places;
            if (k == o->max) break;
            RgMatch child = rg_match_all(m, o->children[0], places);
            places = child.ends;
            r.begins = r.begins || child.begins;
        }
    }
    r.known = true;
    return *found = r;
}

/* 'a': the text is of the grammar; 'p': it begins one that is; 'r': neither. At most RG_TEXT bytes. */
static inline char rg_verdict(RgMatcher *m, const RandomGrammar *g, const char *text, int n) {
    memset(m->found, 0, sizeof m->found);
    m->g = g;
    m->text = (const unsigned char *)text;
    m->n = n;
    RgMatch r = rg_match(m, g->bodies[0], 0);
    return r.ends >> n & 1 ? 'a' : r.begins ? 'p' : 'r';
}

/* A text of the part at random, appended at *n; false when it does not fit RG_TEXT bytes. */
static inline bool rg_sample(const RandomGrammar *g, int node, char *text, int *n, int depth,
    uint64_t *state) {
    const RgNode *o = &g->nodes[node];
    if (depth == 0) return false;
    if (o->kind == RG_LITERAL)
        for (int i = 0; i < o->n_chars; i++) {
            if (*n > RG_TEXT - 4) return false;
            *n += rg_encode(text + *n, o->chars[i]);
        }
    if (o->kind == RG_CLASS) {
        uint32_t c = rg_char(state);
        for (int tries = 0; !rg_in_class(o, c); tries++) {
            if (tries == 50) return false;
            c = rg_char(state);
        }
        if (*n > RG_TEXT - 4) return false;
        *n += rg_encode(text + *n, c);
    }
    if (o->kind == RG_RULE) return rg_sample(g, g->bodies[o->children[0]], text, n, depth - 1, state);
    if (o->kind == RG_CHOICE) return rg_sample(g, o->children[rg_below(state, (uint64_t)o->n_children)], text,
        n, depth - 1, state);
    if (o->kind == RG_SEQUENCE)
        for (int i = 0; i < o->n_children; i++)
            if (!rg_sample(g, o->children[i], text, n, depth - 1, state)) return false;
    if (o->kind == RG_REPEAT) {
        int most = o->max == RG_NO_MAX ? o->min + 3 : o->max, times = o->min + (int)rg_below(state,
            (uint64_t)(most - o->min + 1));
        for (int i = 0; i < times; i++)
            if (!rg_sample(g, o->children[0], text, n, depth - 1, state)) return false;
    }
    return true;
}

#endif
