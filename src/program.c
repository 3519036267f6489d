/* program.c: see program.h.
 *
 * Everything is compiled back to front: compile(node, then) gives the node where a text of `node` begins that
 * is followed by what comes from `then` on. So alternatives meet again without extra nodes, and a call that
 * is its rule's last needs no place on the stack. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "token_trie.h"

/* Code that runs once per grammar is compiled for size: modules are downloaded. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

enum {
    UNROLL = 64,                /* the most nodes that a repetition may have when it is written out */
    UNROLL_TIMES = 8,
    MAX_BRANCHINGS = 100,       /* of literals that begin alike, one within the other: they are recursions */
};

typedef struct {
    Program *p;
    const Gbnf *g;
    int32_t *queue;             /* rules to compile */
    int n_queue;
    int32_t *scratch;           /* stack of children being worked on */
    int n_scratch, cap_scratch;
    int branchings;             /* around the place being compiled */
    bool failed;
} Builder;

/* ------------------------------------------------------------------------------------------ nodes */

static int32_t add_node(Builder *b, ProgramNode node) {
    Program *p = b->p;
    if (b->failed || p->n_nodes == PROGRAM_MAX_NODES || !memory_grow((void **)&p->nodes, &p->cap_nodes,
        p->n_nodes + 1, sizeof *p->nodes)) {
        b->failed = true;
        return 0;
    }
    p->nodes[p->n_nodes] = node;
    return p->n_nodes++;
}

static void add_range(Builder *b, uint32_t lo, uint32_t hi, int32_t then) {
    Program *p = b->p;
    if (!memory_grow((void **)&p->ranges, &p->cap_ranges, p->n_ranges + 1, sizeof *p->ranges))
        b->failed = true;
    else p->ranges[p->n_ranges++] = (ByteRange){(uint8_t)lo, (uint8_t)hi, then};
}

static bool is_plain_start(const ByteRange *r) {
    return (r->lo <= 0x7e && r->hi >= 0x20 && !(r->lo == r->hi && (r->lo == '"' || r->lo == '\\')))
        || (r->lo <= 0xf4 && r->hi >= 0xc2);
}

/* A node of the ranges from `first` on. */
static int32_t bytes_node(Builder *b, int first) {
    Program *p = b->p;
    int n = p->n_ranges - first;
    uint8_t plain = PLAIN_NEVER;
    for (int i = 0; !b->failed && i < n; i++)
        if (is_plain_start(&p->ranges[first + i])) plain = PLAIN_SOME;
    return add_node(b, (ProgramNode){.kind = NODE_BYTES, .plain = plain, .first = first, .n = n});
}

static int32_t byte_node(Builder *b, char byte, int32_t then) {
    int first = b->p->n_ranges;
    add_range(b, (uint8_t)byte, (uint8_t)byte, then);
    return bytes_node(b, first);
}

static void push(Builder *b, int32_t value) {
    if (!memory_grow((void **)&b->scratch, &b->cap_scratch, b->n_scratch + 1, sizeof *b->scratch))
        b->failed = true;
    else b->scratch[b->n_scratch++] = value;
}

/* A node that continues at each scratch value from `start` on; removes them from the scratch. */
static int32_t split_node(Builder *b, int start) {
    Program *p = b->p;
    int n = b->n_scratch - start, first = p->n_targets;
    if (n == 1) return b->scratch[b->n_scratch = start];
    b->n_scratch = start;
    if (b->failed || !memory_grow((void **)&p->targets, &p->cap_targets, p->n_targets + n,
        sizeof *p->targets)) {
        b->failed = true;
        return 0;
    }
    memcpy(p->targets + first, b->scratch + start, (size_t)n * sizeof *p->targets);
    p->n_targets += n;
    return add_node(b, (ProgramNode){.kind = NODE_SPLIT, .first = first, .n = n});
}

static int32_t either(Builder *b, int32_t one, int32_t other) {
    int start = b->n_scratch;
    push(b, one);
    push(b, other);
    return b->failed ? 0 : split_node(b, start);
}

/* ------------------------------------------------------------------------------------------ characters */

/* The characters of a class that are encoded in one number of bytes; nodes for 0 to 3 more bytes of any
 * value, made when needed. */
typedef struct {
    const GbnfRange *ranges;
    int n;
    uint32_t lo, hi;
    int32_t any[4];
} Chars;

/* 1: all characters from lo to hi are of the class, 0: none, -1: some. */
static int covers(const Chars *c, uint32_t lo, uint32_t hi) {
    int from = 0, to = c->n;
    uint32_t least = lo > c->lo ? lo : c->lo, most = hi < c->hi ? hi : c->hi;
    while (from < to) {         /* the first range that does not end before `least` */
        int middle = (from + to) / 2;
        if (c->ranges[middle].hi < least) from = middle + 1;
        else to = middle;
    }
    if (least > most || from == c->n || c->ranges[from].lo > most) return 0;
    return c->ranges[from].lo <= lo && c->ranges[from].hi >= hi && least == lo && most == hi ? 1 : -1;
}

static int32_t any_rest(Builder *b, Chars *c, int more) {
    if (c->any[more] >= 0) return c->any[more];
    int32_t then = any_rest(b, c, more - 1);
    int first = b->p->n_ranges;
    add_range(b, 0x80, 0xbf, then);
    return c->any[more] = bytes_node(b, first);
}

/* The node for the last `more` bytes of the characters from `base` on; -1 when none is of the class. */
static int32_t rest_of_char(Builder *b, Chars *c, uint32_t base, int more) {
    int covered = covers(c, base, base + (1u << 6 * more) - 1);
    if (covered == 0) return -1;
    if (covered == 1) return any_rest(b, c, more);
    int32_t then[64];
    for (uint32_t v = 0; v < 64; v++) then[v] = rest_of_char(b, c, base + (v << 6 * (more - 1)), more - 1);
    int first = b->p->n_ranges;
    for (uint32_t v = 0, end; v < 64; v = end) {
        for (end = v + 1; end < 64 && then[end] == then[v];) end++;
        if (then[v] >= 0) add_range(b, 0x80 + v, 0x7f + end, then[v]);
    }
    return b->p->n_ranges > first ? bytes_node(b, first) : -1;
}

static bool is_always_plain(const GbnfRange *ranges, int n) {
    static const GbnfRange plain[] = PLAIN_RANGES;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        bool covered = false;
        for (int k = 0; k < n && !covered; k++) covered = ranges[k].lo <= plain[i].lo
            && ranges[k].hi >= plain[i].hi;
        if (!covered) return false;
    }
    return true;
}

static int32_t compile_class(Builder *b, const GbnfRange *ranges, int n, int32_t then) {
    /* First bytes by the length of the character: lead byte, how many of them, first and last character. */
    static const struct { uint32_t lead, n, lo, hi; } lengths[] = {
        {0x00, 128, 0, 0x7f}, {0xc0, 32, 0x80, 0x7ff}, {0xe0, 16, 0x800, 0xffff},
            {0xf0, 8, 0x10000, 0x10ffff},
    };
    ByteRange leads[256];
    int n_leads = 0;
    for (int more = 0; more < 4; more++) {
        Chars c = {.ranges = ranges, .n = n, .lo = lengths[more].lo, .hi = lengths[more].hi,
            .any = {then, -1, -1, -1}};
        for (uint32_t v = 0; v < lengths[more].n; v++) {
            int32_t to = rest_of_char(b, &c, v << 6 * more, more);
            uint8_t byte = (uint8_t)(lengths[more].lead + v);
            if (to < 0) continue;
            if (n_leads && leads[n_leads - 1].then == to && leads[n_leads - 1].hi + 1 == byte)
                leads[n_leads - 1].hi = byte;
            else leads[n_leads++] = (ByteRange){byte, byte, to};
        }
    }
    int first = b->p->n_ranges;
    for (int i = 0; i < n_leads; i++) add_range(b, leads[i].lo, leads[i].hi, leads[i].then);
    int32_t node = bytes_node(b, first);
    if (!b->failed && is_always_plain(ranges, n)) {
        b->p->nodes[node].plain = PLAIN_ALWAYS;
        b->p->nodes[node].then = then;
    }
    return node;
}

static int32_t compile_literal(Builder *b, const char *bytes, int n, int32_t then) {
    while (n > 0) then = byte_node(b, bytes[--n], then);
    return then;
}

/* ------------------------------------------------------------------------------------------ alternatives */

static int32_t compile(Builder *b, int32_t node, int32_t then);
static int32_t compile_call(Builder *b, int32_t rule, int32_t then);

/* The children from `child` on, one after the other. */
static int32_t compile_sequence(Builder *b, int32_t child, int32_t then) {
    int start = b->n_scratch;
    for (; child >= 0; child = b->g->nodes[child].next) push(b, child);
    while (!b->failed && b->n_scratch > start) then = compile(b, b->scratch[--b->n_scratch], then);
    return then;
}

/* The literal an alternative begins with, which is not empty, or NULL. */
static const GbnfNode *first_literal(const Gbnf *g, int32_t node) {
    const GbnfNode *o = &g->nodes[node];
    if (o->kind == GBNF_SEQUENCE && o->first >= 0) o = &g->nodes[o->first];
    return o->kind == GBNF_LITERAL && o->y > 0 ? o : NULL;
}

typedef struct {
    const char *bytes;
    int n;
    int32_t node;
} Beginning;

static int by_bytes(const void *a, const void *b) {
    const Beginning *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, (size_t)(x->n < y->n ? x->n : y->n));
    return order ? order : x->n - y->n;
}

/* The alternatives, which ascend and are equal in their first `done` bytes, from there on. */
static int32_t compile_beginnings(Builder *b, const Beginning *list, int n, int done, int32_t then) {
    int start = b->n_scratch, same = list[0].n, at = 0;
    const Beginning *last = &list[n - 1];
    for (int i = done; i < same; i++)
        if (i == last->n || last->bytes[i] != list[0].bytes[i]) same = i;
    for (; at < n && list[at].n == same && !b->failed; at++) {
        const GbnfNode *o = &b->g->nodes[list[at].node];
        int32_t rest = o->kind == GBNF_LITERAL ? then : compile_sequence(b, b->g->nodes[o->first].next, then);
        push(b, rest);
    }
    if (b->branchings == MAX_BRANCHINGS) {
        for (; at < n && !b->failed; at++) push(b, compile_beginnings(b, list + at, 1, same, then));
    } else if (at < n) {
        ByteRange *next = malloc(256 * sizeof *next);
        int n_next = 0;
        b->branchings++;
        if (!next) b->failed = true;
        for (int end; at < n && !b->failed; at = end) {
            char byte = list[at].bytes[same];
            for (end = at + 1; end < n && list[end].bytes[same] == byte;) end++;
            next[n_next++] = (ByteRange){
                (uint8_t)byte, (uint8_t)byte, compile_beginnings(b, list + at, end - at, same + 1, then)};
        }
        b->branchings--;
        int first = b->p->n_ranges;
        for (int i = 0; i < n_next; i++) add_range(b, next[i].lo, next[i].hi, next[i].then);
        free(next);
        push(b, bytes_node(b, first));
    }
    return b->failed ? 0 : compile_literal(b, list[0].bytes + done, same - done, split_node(b, start));
}

/* The rule an alternative begins with, or -1. */
static int32_t first_rule(const Gbnf *g, int32_t node) {
    const GbnfNode *o = &g->nodes[node];
    if (o->kind == GBNF_SEQUENCE && o->first >= 0) o = &g->nodes[o->first];
    return o->kind == GBNF_RULE ? o->x : -1;
}

typedef struct {
    int32_t rule, node;
} Call;

static int by_rule(const void *a, const void *b) {
    const Call *x = a, *y = b;
    return x->rule != y->rule ? (x->rule > y->rule) - (x->rule < y->rule)
        : (x->node > y->node) - (x->node < y->node);
}

/* Alternatives that begin with the same rule call it once. Two calls are two ways to read a text, and where the
 * rule leads back here, the ways double with each level. */
static void push_calls(Builder *b, Call *list, int n, int32_t then) {
    qsort(list, (size_t)n, sizeof *list, by_rule);
    for (int i = 0, end; i < n && !b->failed; i = end) {
        int start = b->n_scratch;
        for (end = i; end < n && list[end].rule == list[i].rule && !b->failed; end++) {
            const GbnfNode *o = &b->g->nodes[list[end].node];
            push(b, o->kind == GBNF_RULE ? then : compile_sequence(b, b->g->nodes[o->first].next, then));
        }
        if (!b->failed) push(b, compile_call(b, list[i].rule, split_node(b, start)));
    }
}

static bool is_one_char(const Gbnf *g, int32_t node) {
    const GbnfNode *o = &g->nodes[node];
    static const uint8_t length[16] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 4};
    return o->kind == GBNF_CLASS || (o->kind == GBNF_LITERAL && o->y > 0
        && o->y == length[(uint8_t)g->bytes[o->x] >> 4]);
}

static int by_lo(const void *a, const void *b) {
    uint32_t x = ((const GbnfRange *)a)->lo, y = ((const GbnfRange *)b)->lo;
    return (x > y) - (x < y);
}

/* Alternatives of one character each are one class. */
static int32_t compile_united(Builder *b, int32_t choice, int32_t then) {
    const Gbnf *g = b->g;
    GbnfRange *all = NULL;
    int n = 0, cap = 0, n_united = 0;
    for (int32_t child = g->nodes[choice].first; child >= 0 && !b->failed; child = g->nodes[child].next) {
        const GbnfNode *o = &g->nodes[child];
        if (!is_one_char(g, child)) continue;
        if (!memory_grow((void **)&all, &cap, n + (o->kind == GBNF_CLASS ? o->y : 1), sizeof *all))
            b->failed = true;
        else if (o->kind == GBNF_CLASS) {
            memcpy(all + n, g->ranges + o->x, (size_t)o->y * sizeof *all);
            n += o->y;
        } else {
            const uint8_t *t = (const uint8_t *)g->bytes + o->x;
            uint32_t c = o->y == 1 ? t[0] : t[0] & (0xffu >> (o->y + 1));
            for (int i = 1; i < o->y; i++) c = c << 6 | (t[i] & 0x3fu);
            all[n++] = (GbnfRange){c, c};
        }
    }
    if (!b->failed) qsort(all, (size_t)n, sizeof *all, by_lo);
    for (int i = 0; i < n && !b->failed; i++) {
        if (n_united && all[i].lo <= all[n_united - 1].hi + 1) {
            if (all[i].hi > all[n_united - 1].hi) all[n_united - 1].hi = all[i].hi;
        } else all[n_united++] = all[i];
    }
    int32_t node = b->failed ? 0 : compile_class(b, all, n_united, then);
    free(all);
    return node;
}

static int32_t compile_choice(Builder *b, int32_t choice, int32_t then) {
    const Gbnf *g = b->g;
    int start = b->n_scratch, n_literals = 0, n_calls = 0, n_chars = 0, n_classes = 0;
    for (int32_t child = g->nodes[choice].first; child >= 0; child = g->nodes[child].next) {
        n_literals += first_literal(g, child) != NULL;
        n_calls += first_rule(g, child) >= 0;
        n_chars += is_one_char(g, child);
        n_classes += g->nodes[child].kind == GBNF_CLASS;
    }
    bool unite = n_classes && n_chars > 1;
    Beginning *list = malloc((size_t)(n_literals + 1) * sizeof *list);
    Call *calls = malloc((size_t)(n_calls + 1) * sizeof *calls);
    if (!list || !calls) b->failed = true;
    n_literals = n_calls = 0;
    if (unite) push(b, compile_united(b, choice, then));
    for (int32_t child = g->nodes[choice].first; child >= 0 && !b->failed; child = g->nodes[child].next) {
        const GbnfNode *literal = first_literal(g, child);
        if (unite && is_one_char(g, child)) continue;
        int32_t rule = first_rule(g, child);
        if (literal) list[n_literals++] = (Beginning){g->bytes + literal->x, literal->y, child};
        else if (rule >= 0) calls[n_calls++] = (Call){rule, child};
        else push(b, compile(b, child, then));
    }
    if (!b->failed && n_literals) {
        qsort(list, (size_t)n_literals, sizeof *list, by_bytes);
        push(b, compile_beginnings(b, list, n_literals, 0, then));
    }
    if (!b->failed) push_calls(b, calls, n_calls, then);
    free(list);
    free(calls);
    return b->failed ? 0 : split_node(b, start);
}

/* ------------------------------------------------------------------------------------------ repetitions and rules */

/* About how many nodes the compiled node has, no more than counts for UNROLL. */
static int weigh(const Gbnf *g, int32_t node) {
    const GbnfNode *o = &g->nodes[node];
    int n = o->kind == GBNF_LITERAL ? o->y : o->kind == GBNF_CLASS ? 1 + o->y / 2 : 1;
    for (int32_t child = o->first; child >= 0 && n <= UNROLL; child = g->nodes[child].next)
        n += weigh(g, child);
    int times = o->kind != GBNF_REPEAT ? 1 : o->y == GBNF_NO_MAX ? o->x + (o->x > 1) : o->y;
    return n <= UNROLL && times > 1 ? (times <= UNROLL ? n * times : UNROLL + 1) : n;
}

static int32_t compile_repeat(Builder *b, const GbnfNode *o, int32_t then) {
    Program *p = b->p;
    int32_t min = o->x, max = o->y, body = o->first;
    if (max == 0) return then;
    if (max == GBNF_NO_MAX && min <= 1) {
        int32_t loop = add_node(b, (ProgramNode){.kind = NODE_SPLIT}), inner = compile(b, body, loop);
        if (b->failed) return 0;
        int32_t both = either(b, inner, then);
        if (!b->failed) p->nodes[loop] = p->nodes[both];
        return min ? inner : loop;
    }
    int times = max == GBNF_NO_MAX ? min : max;
    if (times == 1 || (times <= UNROLL_TIMES && times * weigh(b->g, body) <= UNROLL)) {
        if (max == GBNF_NO_MAX) then = compile_repeat(b, &(GbnfNode){
            .first = body, .x = 0, .y = GBNF_NO_MAX}, then);
        int32_t end = then;
        for (int i = times; i > 0 && !b->failed; i--) {
            then = compile(b, body, then);
            if (i > min) then = either(b, then, end);
        }
        return then;
    }
    if (b->g->nodes[body].nullable) min = 0;
    if (!memory_grow((void **)&p->repetitions, &p->cap_repetitions, p->n_repetitions + 1,
        sizeof *p->repetitions)) b->failed = true;
    if (b->failed) return 0;
    int r = p->n_repetitions++;
    int32_t loop = add_node(b, (ProgramNode){.kind = NODE_LOOP, .first = r});
    int32_t inner = compile(b, body, loop);
    if (b->failed) return 0;
    p->repetitions[r] = (Repetition){min, max, inner, then};
    return add_node(b, (ProgramNode){.kind = NODE_ENTER, .first = r});
}

static int32_t compile_call(Builder *b, int32_t rule, int32_t then) {
    if (b->p->entries[rule] == -1) {
        b->p->entries[rule] = -2;       /* in the queue */
        b->queue[b->n_queue++] = rule;
    }
    return add_node(b, (ProgramNode){.kind = NODE_CALL, .first = rule, .n = then});
}

static int32_t compile(Builder *b, int32_t node, int32_t then) {
    const GbnfNode *o = &b->g->nodes[node];
    if (b->failed) return 0;
    switch ((GbnfKind)o->kind) {
        case GBNF_CHOICE: return compile_choice(b, node, then);
        case GBNF_SEQUENCE: return compile_sequence(b, o->first, then);
        case GBNF_LITERAL: return compile_literal(b, b->g->bytes + o->x, o->y, then);
        case GBNF_CLASS: return compile_class(b, b->g->ranges + o->x, o->y, then);
        case GBNF_RULE: return compile_call(b, o->x, then);
        case GBNF_REPEAT: return compile_repeat(b, o, then);
    }
    return then;
}

static void find_classes(Program *p) {
    bool begins[257] = {true};
    for (int i = 0; i < p->n_ranges; i++) begins[p->ranges[i].lo] = begins[p->ranges[i].hi + 1] = true;
    for (int byte = 0; byte < 256; byte++) {
        if (begins[byte]) p->first_of[p->n_classes++] = (uint8_t)byte;
        p->class_of[byte] = (uint8_t)(p->n_classes - 1);
    }
}

bool program_make(Program *p, const Gbnf *g, GemmaError *err) {
    *p = (Program){0};
    Builder b = {.p = p, .g = g, .queue = malloc((size_t)g->n_rules * sizeof(int32_t))};
    p->entries = malloc((size_t)g->n_rules * sizeof *p->entries);
    b.failed = !b.queue || !p->entries;
    if (!b.failed) memset(p->entries, 0xff, (size_t)g->n_rules * sizeof *p->entries);
    int32_t end = add_node(&b, (ProgramNode){.kind = NODE_RETURN});
    if (!b.failed) compile_call(&b, g->root, end);
    for (int i = 0; !b.failed && i < b.n_queue; i++)
        p->entries[b.queue[i]] = compile(&b, g->rules[b.queue[i]].body, end);
    free(b.queue);
    free(b.scratch);
    if (b.failed) {
        if (p->n_nodes == PROGRAM_MAX_NODES)
            error_set(err, GEMMA_BAD_ARGUMENT, "The grammar is too large: it needs more than %d nodes.",
            PROGRAM_MAX_NODES);
        else error_set(err, GEMMA_NO_MEMORY, "There is not enough memory to compile the grammar.");
        program_free(p);
        return false;
    }
    p->root = p->entries[g->root];
    find_classes(p);
    return true;
}

void program_free(Program *p) {
    free(p->nodes);
    free(p->ranges);
    free(p->targets);
    free(p->entries);
    free(p->repetitions);
    *p = (Program){0};
}

#ifdef __clang__
#pragma clang attribute pop
#endif
