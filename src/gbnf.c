/* gbnf.c: see gbnf.h.
 *
 *   text  = { rule }                              a rule ends at the end of its line
 *   rule  = name "::=" choice                     names: letters, digits and -
 *   choice = sequence { "|" sequence }            a line may break after ::= and |, and anywhere inside ( )
 *   sequence = { item { "*" | "+" | "?" | "{m}" | "{m,}" | "{m,n}" } }
 *   item  = "literal" | [class] | [^class] | . | name | ( choice ) | <token>
 *
 * The tree is in one array; a node's children are a list. */
#include "gbnf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gbnf_check.h"
#include "memory.h"
#include "utf8.h"

/* What runs once a grammar is made small rather than fast: modules are downloaded. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

typedef struct {
    Gbnf *g;
    GbnfText in;
    size_t at;
    int height;                         /* of the groups around this place */
    int32_t *index;                     /* hash table of rules by name; -1: empty */
    int n_index, any;                   /* slots; the class of all characters or -1 */
} Parser;

/* ------------------------------------------------------------------------------------------ errors */

static const char *found(const Parser *p, char buf[72]) {
    if (p->at >= p->in.n) return "the end of the text";
    if (p->in.text[p->at] == '\n' || p->in.text[p->at] == '\r') return "the end of the line";
    size_t length = utf8_length(p->in.text + p->at, p->in.n - p->at);
    char quoted[72];
    snprintf(buf, 72, "'%s'", error_quote(quoted, p->in.text + p->at, length ? length : 1));
    return buf;
}

static int32_t expected(Parser *p, const char *what) {
    char buf[72];
    return gbnf_fail(&p->in, p->at, "expected %s, found %s.", what, found(p, buf));
}

/* ------------------------------------------------------------------------------------------ the tree */

static int32_t new_node(Parser *p, GbnfKind kind, size_t at) {
    Gbnf *g = p->g;
    if (g->n_nodes == GBNF_MAX_NODES)
        return gbnf_fail(&p->in, at, "a grammar may have at most %d parts.", GBNF_MAX_NODES);
    if (!memory_grow((void **)&g->nodes, &g->cap_nodes, g->n_nodes + 1, sizeof *g->nodes))
        return gbnf_no_memory(&p->in);
    g->nodes[g->n_nodes] = (GbnfNode){
        .kind = (uint8_t)kind, .height = 1, .first = -1, .next = -1, .parent = INT32_MIN, .y = -1,
        .at = (uint32_t)at};
    return g->n_nodes++;
}

/* `last` is the child before it, or -1. */
static bool add_child(Parser *p, int32_t parent, int32_t last, int32_t child) {
    GbnfNode *nodes = p->g->nodes;
    if (last < 0) nodes[parent].first = child;
    else nodes[last].next = child;
    nodes[child].parent = parent;
    if (nodes[parent].height <= nodes[child].height) nodes[parent].height = (uint16_t)
        (nodes[child].height + 1);
    if (nodes[parent].height + p->height <= GBNF_MAX_HEIGHT) return true;
    gbnf_fail(&p->in, nodes[child].at, "groups and repetitions may be nested at most %d deep.", GBNF_MAX_HEIGHT);
    return false;
}

static bool add_range(Parser *p, uint32_t lo, uint32_t hi) {
    Gbnf *g = p->g;
    if (!memory_grow((void **)&g->ranges, &g->cap_ranges, g->n_ranges + 1, sizeof *g->ranges))
        return gbnf_no_memory(&p->in) >= 0;
    g->ranges[g->n_ranges++] = (GbnfRange){lo, hi};
    return true;
}

static uint32_t hash_name(const char *name, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

/* Rules of one chain in the index: a text that was made to have more costs no time. */
enum { MAX_PROBES = 256 };

static void put_into_index(Parser *p, int32_t rule) {
    uint32_t slot = hash_name(p->in.text + p->g->rules[rule].at,
        p->g->rules[rule].n_name) & (uint32_t)(p->n_index - 1);
    while (p->index[slot] >= 0) slot = (slot + 1) & (uint32_t)(p->n_index - 1);
    p->index[slot] = rule;
}

/* The rule of this name, made where it is new. */
static int32_t rule_of(Parser *p, size_t at, size_t n) {
    Gbnf *g = p->g;
    if (2 * (g->n_rules + 1) > p->n_index) {
        int n_index = p->n_index ? 2 * p->n_index : 64;
        int32_t *index = malloc((size_t)n_index * sizeof *index);
        if (!index) return gbnf_no_memory(&p->in);
        free(p->index);
        p->index = index;
        p->n_index = n_index;
        memset(index, 0xff, (size_t)n_index * sizeof *index);
        for (int r = 0; r < g->n_rules; r++) put_into_index(p, r);
    }
    uint32_t slot = hash_name(p->in.text + at, n) & (uint32_t)(p->n_index - 1);
    for (int probes = 0; p->index[slot] >= 0; slot = (slot + 1) & (uint32_t)(p->n_index - 1)) {
        if (++probes > MAX_PROBES) return gbnf_fail(&p->in, at, "too many names of rules hash alike.");
        const GbnfRule *r = &g->rules[p->index[slot]];
        if (r->n_name == n && memcmp(p->in.text + r->at, p->in.text + at, n) == 0) return p->index[slot];
    }
    if (!memory_grow((void **)&g->rules, &g->cap_rules, g->n_rules + 1, sizeof *g->rules))
        return gbnf_no_memory(&p->in);
    g->rules[g->n_rules] = (GbnfRule){.body = -1, .refs = -1, .at = (uint32_t)at, .n_name = (uint32_t)n};
    put_into_index(p, g->n_rules);
    return g->n_rules++;
}

/* ------------------------------------------------------------------------------------------ the text */

/* The byte there, or 0 at the end. (A NUL in the text fits nothing.) */
static char peek(const Parser *p, size_t ahead) { return p->at + ahead < p->in.n ? p->in.text[p->at + ahead] : 0; }

static void skip_space(Parser *p, bool newlines) {
    for (;; p->at++) {
        char c = peek(p, 0);
        if (c == '#')
            while (p->at + 1 < p->in.n && p->in.text[p->at + 1] != '\n' && p->in.text[p->at + 1] != '\r') p->at++;
        else if (c != ' ' && c != '\t' && !(newlines && (c == '\n' || c == '\r'))) return;
    }
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || is_digit(c);
}

static size_t skip_name(Parser *p) {
    size_t start = p->at;
    while (is_word(peek(p, 0))) p->at++;
    return p->at - start;
}

static bool read_hex(Parser *p, int digits, uint32_t *c) {
    *c = 0;
    for (int i = 0; i < digits; i++) {
        char d = peek(p, 0);
        int value = is_digit(d) ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : d >= 'A' && d <= 'F'
            ? d - 'A' + 10 : -1;
        if (value < 0) return expected(p, "a hexadecimal digit") >= 0;
        *c = *c << 4 | (uint32_t)value;
        p->at++;
    }
    return true;
}

static bool read_escape(Parser *p, uint32_t *c) {
    size_t start = p->at++;
    char kind = peek(p, 0);
    p->at++;
    switch (kind) {
        case 'x': return read_hex(p, 2, c);
        case 'u': return read_hex(p, 4, c);
        case 'U':
            if (!read_hex(p, 8, c)) return false;
            if (*c > 0x10ffff) return gbnf_fail(&p->in, start, "a character is at most U+10FFFF, found U+%X.",
                (unsigned)*c) >= 0;
            return true;
        case 't': *c = '\t'; return true;
        case 'r': *c = '\r'; return true;
        case 'n': *c = '\n'; return true;
        case '\\': case '"': case '[': case ']': case '-': *c = (uint32_t)kind; return true;
        default:
            p->at = start + 1;
            return expected(p, "one of x u U t r n \\ \" [ ] - after a backslash") >= 0;
    }
}

static bool read_char(Parser *p, uint32_t *c) {
    if (peek(p, 0) == '\\') return read_escape(p, c);
    size_t length = utf8_length(p->in.text + p->at, p->in.n - p->at);
    if (length == 0) return expected(p, "a character in UTF-8") >= 0;
    const unsigned char *t = (const unsigned char *)p->in.text + p->at;
    *c = length == 1 ? t[0] : t[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) *c = *c << 6 | (t[i] & 0x3fu);
    p->at += length;
    return true;
}

static int encode(char buf[4], uint32_t c) {
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, c >>= 6) buf[i] = (char)(0x80 | (c & 0x3f));
    buf[0] = (char)(lead[n] | c);
    return n;
}

/* ------------------------------------------------------------------------------------------ items */

static int32_t read_literal(Parser *p) {
    Gbnf *g = p->g;
    int32_t node = new_node(p, GBNF_LITERAL, p->at++);
    if (node < 0) return -1;
    int start = g->n_bytes;
    while (peek(p, 0) != '"') {
        size_t at = p->at;
        uint32_t c;
        if (at >= p->in.n) return expected(p, "'\"' at the end of the literal");
        if (!read_char(p, &c)) return -1;
        if (c >= 0xd800 && c <= 0xdfff)
            return gbnf_fail(&p->in, at, "U+%X is half of a surrogate pair, not a character.", (unsigned)c);
        if (!memory_grow((void **)&g->bytes, &g->cap_bytes, g->n_bytes + 4, 1)) return gbnf_no_memory(&p->in);
        g->n_bytes += encode(g->bytes + g->n_bytes, c);
    }
    p->at++;
    g->nodes[node].x = start;
    g->nodes[node].y = g->n_bytes - start;
    return node;
}

static int by_lo(const void *a, const void *b) {
    uint32_t x = ((const GbnfRange *)a)->lo, y = ((const GbnfRange *)b)->lo;
    return (x > y) - (x < y);
}

/* Makes the ranges from `start` on ascend and not touch, and takes the surrogates out; with `negate`, all
 * other characters. */
static bool normalise(Parser *p, int start, bool negate) {
    Gbnf *g = p->g;
    if (!add_range(p, 0xd800, 0xdfff)) return false;
    int n = g->n_ranges - start;
    if (!negate) g->n_ranges--, n--;
    qsort(g->ranges + start, (size_t)n, sizeof *g->ranges, by_lo);
    int end = g->n_ranges;
    uint32_t from = 0;          /* negated: the first character not yet decided */
    for (int i = start; i < end;) {
        GbnfRange r = g->ranges[i++];
        for (; i < end && g->ranges[i].lo <= r.hi + 1; i++)
            if (g->ranges[i].hi > r.hi) r.hi = g->ranges[i].hi;
        if (negate) {
            if (r.lo > from && !add_range(p, from, r.lo - 1)) return false;
            from = r.hi + 1;
            continue;
        }
        if (r.lo < 0xd800 && !add_range(p, r.lo, r.hi < 0xd800 ? r.hi : 0xd7ff)) return false;
        if (r.hi > 0xdfff && !add_range(p, r.lo > 0xdfff ? r.lo : 0xe000, r.hi)) return false;
    }
    if (negate && from <= 0x10ffff && !add_range(p, from, 0x10ffff)) return false;
    g->n_ranges -= end - start;
    memmove(g->ranges + start, g->ranges + end, (size_t)(g->n_ranges - start) * sizeof *g->ranges);
    return true;
}

static int32_t read_class(Parser *p) {
    Gbnf *g = p->g;
    int32_t node = new_node(p, GBNF_CLASS, p->at++);
    if (node < 0) return -1;
    size_t class_at = p->at - 1;
    bool negate = peek(p, 0) == '^';
    p->at += negate;
    int start = g->n_ranges;
    while (peek(p, 0) != ']') {
        size_t at = p->at;
        uint32_t lo, hi;
        if (at >= p->in.n) return expected(p, "']' at the end of the class");
        if (!read_char(p, &lo)) return -1;
        hi = lo;
        if (peek(p, 0) == '-' && peek(p, 1) != ']') {
            p->at++;
            if (!read_char(p, &hi)) return -1;
            if (hi < lo) return gbnf_fail(&p->in, at, "the range U+%X to U+%X is empty: its ends are exchanged.",
                (unsigned)lo, (unsigned)hi);
        }
        if (!add_range(p, lo, hi)) return -1;
    }
    p->at++;
    if (g->n_ranges == start && !negate) return gbnf_fail(&p->in, class_at, "the class names no character.");
    if (!normalise(p, start, negate)) return -1;
    if (g->n_ranges == start) return gbnf_fail(&p->in, class_at, "no character fits the class.");
    g->nodes[node].x = start;
    g->nodes[node].y = g->n_ranges - start;
    return node;
}

static int32_t read_any(Parser *p) {
    Gbnf *g = p->g;
    int32_t node = new_node(p, GBNF_CLASS, p->at++);
    if (node < 0) return -1;
    if (p->any < 0) {
        p->any = g->n_ranges;
        if (!add_range(p, 0, 0xd7ff) || !add_range(p, 0xe000, 0x10ffff)) return -1;
    }
    g->nodes[node].x = p->any;
    g->nodes[node].y = 2;
    return node;
}

/* Tokens in which models write calls of tools. */
static const char *const tokens[] = {"<start_function_call>", "<end_function_call>", "<escape>"};
enum { N_TOKENS = sizeof tokens / sizeof *tokens };

int gbnf_token_bytes(const char *name, size_t n, char *bytes) {
    for (int i = 0; i < N_TOKENS; i++) {
        if (strlen(tokens[i]) != n || memcmp(tokens[i], name, n) != 0) continue;
        memcpy(bytes, name, n);
        bytes[0] = (char)GBNF_TOKEN_BYTE;
        return (int)n;
    }
    return 0;
}

static int32_t read_token(Parser *p) {
    Gbnf *g = p->g;
    size_t start = p->at, n = 0;
    while (start + n < p->in.n && n < GBNF_MAX_TOKEN && p->in.text[start + n] != '>') n++;
    n++;
    if (!memory_grow((void **)&g->bytes, &g->cap_bytes, g->n_bytes + GBNF_MAX_TOKEN, 1))
        return gbnf_no_memory(&p->in);
    if (start + n > p->in.n || n > GBNF_MAX_TOKEN || !gbnf_token_bytes(p->in.text + start, n,
        g->bytes + g->n_bytes))
        return gbnf_fail(&p->in, start, "no other tokens than <start_function_call>, <end_function_call> and <escape> "
            "are supported: a grammar describes text.");
    int32_t node = new_node(p, GBNF_LITERAL, start);
    if (node < 0) return -1;
    g->nodes[node].x = g->n_bytes;
    g->nodes[node].y = (int32_t)n;
    g->n_bytes += (int)n;
    p->at += n;
    return node;
}

static int32_t read_reference(Parser *p) {
    size_t at = p->at, n = skip_name(p);
    int32_t rule = rule_of(p, at, n), node = rule < 0 ? -1 : new_node(p, GBNF_RULE, at);
    if (node >= 0) p->g->nodes[node].x = rule;
    return node;
}

static int32_t read_choice(Parser *p, bool nested);

static int32_t read_group(Parser *p) {
    size_t start = p->at++;
    skip_space(p, true);
    if ((p->height += 3) > GBNF_MAX_HEIGHT) return gbnf_fail(&p->in, start, "groups may be nested at most %d deep.",
        GBNF_MAX_HEIGHT / 3);
    int32_t node = read_choice(p, true);
    p->height -= 3;
    if (node < 0) return -1;
    if (peek(p, 0) != ')') return expected(p, "'|', an item or ')'");
    p->at++;
    return node;
}

/* An item without its repetitions, -1 for an error, -2 when none begins here. */
static int32_t read_item(Parser *p) {
    char c = peek(p, 0);
    if (c == '"') return read_literal(p);
    if (c == '[') return read_class(p);
    if (c == '.') return read_any(p);
    if (c == '(') return read_group(p);
    if (is_word(c)) return read_reference(p);
    if (c == '<') return read_token(p);
    if (c == '!' && peek(p, 1) == '<')
        return gbnf_fail(&p->in, p->at, "a text without a token (!<...>) is not supported.");
    return -2;
}

static bool read_count(Parser *p, int32_t *count) {
    if (!is_digit(peek(p, 0))) return expected(p, "a number") >= 0;
    size_t start = p->at;
    int64_t value = 0;
    for (; is_digit(peek(p, 0)); p->at++)
        if (value <= INT32_MAX) value = value * 10 + (peek(p, 0) - '0');
    if (value >= INT32_MAX)
        return gbnf_fail(&p->in, start, "a repetition count may be at most %d.", INT32_MAX - 1) >= 0;
    *count = (int32_t)value;
    return true;
}

static bool read_counts(Parser *p, bool nested, int32_t *min, int32_t *max) {
    size_t start = p->at++;
    skip_space(p, nested);
    if (!read_count(p, min)) return false;
    skip_space(p, nested);
    *max = *min;
    if (peek(p, 0) == ',') {
        p->at++;
        skip_space(p, nested);
        *max = GBNF_NO_MAX;
        if (is_digit(peek(p, 0)) && !read_count(p, max)) return false;
        skip_space(p, nested);
    }
    if (peek(p, 0) != '}') return expected(p, "'}' after the counts") >= 0;
    p->at++;
    if (*max != GBNF_NO_MAX && *max < *min)
        return gbnf_fail(&p->in, start, "the minimum %d is above the maximum %d.", (int)*min, (int)*max) >= 0;
    return true;
}

/* Wraps the item in the repetitions that follow it. */
static int32_t read_repeats(Parser *p, int32_t item, bool nested) {
    for (;;) {
        skip_space(p, nested);
        size_t at = p->at;
        char c = peek(p, 0);
        int32_t min = c == '+', max = c == '?' ? 1 : GBNF_NO_MAX;
        if (c == '{') {
            if (!read_counts(p, nested, &min, &max)) return -1;
        } else if (c == '*' || c == '+' || c == '?') p->at++;
        else return item;
        int32_t node = new_node(p, GBNF_REPEAT, at);
        if (node < 0 || !add_child(p, node, -1, item)) return -1;
        p->g->nodes[node].x = min;
        p->g->nodes[node].y = max;
        item = node;
    }
}

/* One item stands for itself. */
static int32_t read_sequence(Parser *p, bool nested) {
    int32_t sequence = new_node(p, GBNF_SEQUENCE, p->at), last = -1;
    if (sequence < 0) return -1;
    for (;;) {
        char c = peek(p, 0);
        if (c && strchr("*+?{", c)) return expected(p, "an item to repeat");
        int32_t item = read_item(p);
        if (item == -2) break;
        if (item >= 0) item = read_repeats(p, item, nested);
        if (item < 0 || !add_child(p, sequence, last, item)) return -1;
        last = item;
    }
    return last >= 0 && p->g->nodes[sequence].first == last ? last : sequence;
}

static int32_t read_choice(Parser *p, bool nested) {
    size_t at = p->at;
    int32_t first = read_sequence(p, nested), choice = first, last = first;
    while (first >= 0 && peek(p, 0) == '|') {
        p->at++;
        skip_space(p, true);
        if (choice == first && ((choice = new_node(p, GBNF_CHOICE, at)) < 0
            || !add_child(p, choice, -1, first))) return -1;
        int32_t next = read_sequence(p, nested);
        if (next < 0 || !add_child(p, choice, last, next)) return -1;
        last = next;
    }
    return choice;
}

static bool read_rule(Parser *p) {
    size_t at = p->at, n = skip_name(p);
    if (n == 0) return expected(p, "the name of a rule (letters, digits and -)") >= 0;
    int32_t rule = rule_of(p, at, n);
    if (rule < 0) return false;
    skip_space(p, false);
    if (peek(p, 0) != ':' || peek(p, 1) != ':' || peek(p, 2) != '=') return expected(p, "'::='") >= 0;
    p->at += 3;
    skip_space(p, true);
    int32_t body = read_choice(p, false);
    if (body < 0) return false;
    p->g->rules[rule].body = body;
    p->g->nodes[body].parent = -1 - rule;
    if (p->at < p->in.n && peek(p, 0) != '\n' && peek(p, 0) != '\r')
        return expected(p, "an item or the end of the line") >= 0;
    skip_space(p, true);
    return true;
}

bool gbnf_parse(Gbnf *g, const char *text, size_t n, GemmaError *err) {
    *g = (Gbnf){0};
    Parser p = {.g = g, .in = {text, n, err}, .any = -1};
    bool ok = n <= GBNF_MAX_TEXT;
    if (!ok) error_set(err, GEMMA_BAD_ARGUMENT, "A grammar may have at most %d bytes; this one has %zu.",
        GBNF_MAX_TEXT, n);
    if (ok) skip_space(&p, true);
    while (ok && p.at < n) ok = read_rule(&p);
    ok = ok && gbnf_check(g, &p.in);
    free(p.index);
    if (!ok) gbnf_free(g);
    return ok;
}

void gbnf_free(Gbnf *g) {
    free(g->nodes);
    free(g->rules);
    free(g->ranges);
    free(g->bytes);
    *g = (Gbnf){0};
}

#ifdef __clang__
#pragma clang attribute pop
#endif
