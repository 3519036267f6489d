/* gbnf_check.c: see gbnf_check.h.
 *
 * Two properties of nodes follow from those of their children and of the rules they name: may it be empty, and
 * can it end at all? propagate() finds both in one pass from what is known to what follows. */
#include "gbnf_check.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* As in gbnf.c. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

/* Of nested counts multiplied: more of them make texts ambiguous in more ways than can be kept. */
#define MAX_REPEATED 4294967296.0

typedef struct {
    Gbnf *g;
    const GbnfText *in;
} Check;

/* References between rules: those of rule r are nodes[start[r]] to nodes[start[r + 1]]. */
typedef struct {
    int *start;
    int32_t *nodes;
    int n, cap;
} Edges;

/* Adds the references below the node; with `leftmost`, those before which nothing needs to stand. */
static bool add_edges(const Gbnf *g, Edges *e, int32_t node, bool leftmost) {
    if (g->nodes[node].kind == GBNF_RULE) {
        if (!memory_grow((void **)&e->nodes, &e->cap, e->n + 1, sizeof *e->nodes)) return false;
        e->nodes[e->n++] = node;
        return true;
    }
    for (int32_t child = g->nodes[node].first; child >= 0; child = g->nodes[child].next) {
        if (!add_edges(g, e, child, leftmost)) return false;
        if (leftmost && g->nodes[node].kind == GBNF_SEQUENCE && !g->nodes[child].nullable) break;
    }
    return true;
}

static bool make_edges(Check *c, Edges *e, bool leftmost) {
    const Gbnf *g = c->g;
    *e = (Edges){.start = malloc(((size_t)g->n_rules + 1) * sizeof *e->start)};
    bool ok = e->start != NULL;
    for (int r = 0; ok && r < g->n_rules; r++) {
        e->start[r] = e->n;
        ok = g->rules[r].body < 0 || add_edges(g, e, g->rules[r].body, leftmost);
    }
    if (ok) e->start[g->n_rules] = e->n;
    else gbnf_no_memory(c->in);
    return ok;
}

static void free_edges(Edges *e) {
    free(e->start);
    free(e->nodes);
}

/* Visits all rules depth first; order[]: the rules, each after those it refers to (but for circles). *circle:
 * a reference that closes a circle, or -1. False when memory is short. */
static bool depth_first(Check *c, const Edges *e, int32_t *order, int32_t *circle) {
    int n = c->g->n_rules, n_order = 0, depth = 0;
    int *next = calloc((size_t)n, sizeof *next);        /* 0: not seen; else the next edge + 1; -1: done */
    int32_t *stack = malloc((size_t)n * sizeof *stack);
    *circle = -1;
    for (int r = 0; next && stack && r < n; r++) {
        if (next[r]) continue;
        next[stack[depth++] = r] = e->start[r] + 1;
        while (depth) {
            int32_t at = stack[depth - 1];
            if (next[at] - 1 == e->start[at + 1]) {
                next[at] = -1;
                order[n_order++] = at;
                depth--;
                continue;
            }
            int32_t node = e->nodes[next[at]++ - 1], to = c->g->nodes[node].x;
            if (next[to] > 0 && *circle < 0) *circle = node;
            if (next[to] == 0) next[stack[depth++] = to] = e->start[to] + 1;
        }
    }
    bool ok = next && stack;
    free(next);
    free(stack);
    return ok || gbnf_no_memory(c->in) >= 0;
}

static int fail_about_rule(Check *c, size_t at, int32_t rule, const char *what) {
    char quoted[72];
    const GbnfRule *r = &c->g->rules[rule];
    return gbnf_fail(c->in, at, "rule \"%s\" %s", error_quote(quoted, c->in->text + r->at, r->n_name), what);
}

/* What propagate() works on: which nodes have the property; how many children of a sequence have not; those
 * whose parents must hear of it. */
typedef struct {
    bool *has;
    int32_t *missing, *stack;
    int depth;
} Property;

static void mark(Property *q, int32_t node) {
    if (q->has[node]) return;
    q->has[node] = true;
    q->stack[q->depth++] = node;
}

static void mark_leaves(const Gbnf *g, Property *q, int32_t node, bool nullable) {
    const GbnfNode *o = &g->nodes[node];
    for (int32_t child = o->first; child >= 0; child = g->nodes[child].next) {
        q->missing[node]++;
        mark_leaves(g, q, child, nullable);
    }
    if ((o->kind == GBNF_LITERAL && (!nullable || o->y == 0)) || (o->kind == GBNF_CLASS && !nullable)
        || (o->kind == GBNF_SEQUENCE && o->first < 0) ||
        (o->kind == GBNF_REPEAT && o->x == 0)) mark(q, node);
}

/* has[node]: the node may be empty (`nullable`), or some text fits it. False when memory is short. */
static bool propagate(Check *c, bool *has, bool nullable) {
    const Gbnf *g = c->g;
    Property q = {.has = has, .missing = calloc((size_t)g->n_nodes, sizeof(int32_t)),
        .stack = malloc((size_t)g->n_nodes * sizeof(int32_t))};
    bool ok = q.missing && q.stack;
    for (int r = 0; ok && r < g->n_rules; r++) mark_leaves(g, &q, g->rules[r].body, nullable);
    while (q.depth) {
        int32_t parent = g->nodes[q.stack[--q.depth]].parent;
        if (parent < 0) {
            for (int32_t ref = g->rules[-1 - parent].refs; ref >= 0; ref = g->nodes[ref].y) mark(&q, ref);
        } else if (g->nodes[parent].kind != GBNF_SEQUENCE || --q.missing[parent] == 0) mark(&q, parent);
    }
    free(q.missing);
    free(q.stack);
    return ok || gbnf_no_memory(c->in) >= 0;
}

/* Every reference of a rule that counts has a rule; and each rule gets the list of its references. */
static bool check_references(Check *c, const Edges *all) {
    Gbnf *g = c->g;
    for (int i = 0; i < all->n; i++) {
        GbnfNode *ref = &g->nodes[all->nodes[i]];
        if (g->rules[ref->x].body < 0) return fail_about_rule(c, ref->at, ref->x, "is used but not defined.")
            >= 0;
        ref->y = g->rules[ref->x].refs;
        g->rules[ref->x].refs = all->nodes[i];
    }
    for (int r = 0; r < g->n_rules; r++)        /* of a rule that was defined again */
        if (g->rules[r].body < 0) return fail_about_rule(c, g->rules[r].at, r, "is used but not defined.")
            >= 0;
    g->root = -1;
    for (int r = 0; r < g->n_rules; r++)
        if (g->rules[r].n_name == 4 && memcmp(c->in->text + g->rules[r].at, "root", 4) == 0) g->root = r;
    return g->root >= 0 || gbnf_fail(c->in, c->in->n, "a rule \"root\" is missing, at which texts start.") >= 0;
}

/* Which nodes may be empty. has[] is all false before and after. */
static bool find_nullable(Check *c, bool *has) {
    Gbnf *g = c->g;
    if (!propagate(c, has, true)) return false;
    for (int i = 0; i < g->n_nodes; i++) g->nodes[i].nullable = has[i];
    memset(has, 0, (size_t)g->n_nodes * sizeof *has);
    return true;
}

static bool check_ends(Check *c, bool *has) {
    const Gbnf *g = c->g;
    if (!propagate(c, has, false)) return false;
    for (int r = 0; r < g->n_rules; r++)
        if (!has[g->rules[r].body])
            return fail_about_rule(c, g->nodes[g->rules[r].body].at, r,
            "never ends: each of its ways needs itself again.") >= 0;
    return true;
}

static bool check_loops(Check *c, int32_t node) {
    const GbnfNode *nodes = c->g->nodes;
    if (nodes[node].kind == GBNF_REPEAT && nodes[node].y == GBNF_NO_MAX && nodes[nodes[node].first].nullable)
        return gbnf_fail(c->in, nodes[node].at, "an unbounded repetition repeats what may be empty.") >= 0;
    for (int32_t child = nodes[node].first; child >= 0; child = nodes[child].next)
        if (!check_loops(c, child)) return false;
    return true;
}

/* The largest product of nested counts in the node; below 0 when it is too large. */
static double repeated(Check *c, const double *of_rule, int32_t node) {
    const GbnfNode *o = &c->g->nodes[node];
    double most = o->kind == GBNF_RULE ? of_rule[o->x] : 1;
    for (int32_t child = o->first; child >= 0; child = c->g->nodes[child].next) {
        double below = repeated(c, of_rule, child);
        if (below < 0) return -1;
        if (below > most) most = below;
    }
    int32_t count = o->kind != GBNF_REPEAT ? 1 : o->y > o->x ? o->y : o->x;
    if (count > 1) most *= count;
    if (most > MAX_REPEATED) return gbnf_fail(c->in, o->at, "nested repetitions multiply to more than %.0f times.",
        MAX_REPEATED);
    return most;
}

static bool check_repetitions(Check *c, const int32_t *order) {
    int n = c->g->n_rules;
    double *of_rule = malloc((size_t)n * sizeof *of_rule);
    if (!of_rule) return gbnf_no_memory(c->in) >= 0;
    for (int r = 0; r < n; r++) of_rule[r] = 1;
    bool ok = true;
    for (int i = 0; ok && i < n; i++)
        ok = (of_rule[order[i]] = repeated(c, of_rule, c->g->rules[order[i]].body)) > 0;
    free(of_rule);
    return ok;
}

bool gbnf_check(Gbnf *g, const GbnfText *in) {
    Check *c = &(Check){g, in};
    Edges all = {0}, left = {0};
    int32_t circle, *order = malloc(((size_t)g->n_rules + 1) * sizeof *order);
    bool *has = calloc((size_t)g->n_nodes + 1, sizeof *has);
    bool ok = (order && has) || gbnf_no_memory(c->in) >= 0;
    ok = ok && make_edges(c, &all, false) && check_references(c, &all) && find_nullable(c, has);
    ok = ok && make_edges(c, &left, true) && depth_first(c, &left, order, &circle);
    if (ok && circle >= 0) ok = fail_about_rule(c, g->nodes[circle].at, g->nodes[circle].x,
        "begins with itself (left recursion).") >= 0;
    ok = ok && check_ends(c, has);
    for (int r = 0; ok && r < g->n_rules; r++) ok = check_loops(c, g->rules[r].body);
    ok = ok && depth_first(c, &all, order, &circle) && check_repetitions(c, order);
    free(order);
    free(has);
    free_edges(&all);
    free_edges(&left);
    return ok;
}

#ifdef __clang__
#pragma clang attribute pop
#endif
