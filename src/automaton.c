/* automaton.c: see automaton.h.
 *
 * Between two bytes the ways are followed through calls, returns, splits and counters until each stands at a
 * node of bytes: close_ways(). Counters keep a set of ways small by what they mean: of two ways that differ
 * only in a count which has reached its minimum, the one with the smaller count can do all that the other
 * can, so the other is dropped. */
#include "automaton.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "token_trie.h"

enum { LIMIT_BYTES = 8 << 20 };

/* A place already seen between two bytes. */
typedef struct {
    int32_t node, stack, count;
    uint32_t round;
} Seen;

/* A way with its count apart: {base, count} of its stack. */
typedef struct {
    int32_t base, count, stack;
    bool may_leave;             /* the count has reached its minimum */
} Counted;

typedef struct AutomatonScratch {
    Way *todo, *out;
    int n_todo, n_out, cap_todo, cap_out, n_seen, n_seen_table, n_closed;
    Seen *seen;                 /* hash table */
    uint32_t round;             /* older marks count as empty */
    Counted *counted;
    int cap_counted;
    int32_t *path;
    int cap_path;
} AutomatonScratch;

static uint32_t mix(uint32_t h, uint32_t value) {
    h = (h ^ value) * 0x9e3779b1u;
    return h ^ h >> 15;
}

/* ------------------------------------------------------------------------------------------ stacks */

/* A hash table of twice `n` slots at least, all empty; NULL when memory is short. */
static int32_t *new_table(int n, int *n_table) {
    int size = 256;
    while (size < 2 * n) size *= 2;
    int32_t *table = malloc((size_t)size * sizeof *table);
    if (!table) return NULL;
    memset(table, 0xff, (size_t)size * sizeof *table);
    *n_table = size;
    return table;
}

static uint32_t entry_slot(const Automaton *a, int32_t below, int32_t node, int32_t count) {
    return mix(mix(mix(7, (uint32_t)below), (uint32_t)node),
        (uint32_t)count) & (uint32_t)(a->n_entry_table - 1);
}

static bool rebuild_entry_table(Automaton *a, int n) {
    int n_table;
    int32_t *table = new_table(n, &n_table);
    if (!table) return false;
    free(a->entry_table);
    a->entry_table = table;
    a->n_entry_table = n_table;
    for (int32_t i = 1; i < a->n_entries; i++) {
        const StackEntry *e = &a->entries[i];
        uint32_t slot = entry_slot(a, e->below, e->node, e->count);
        while (table[slot] >= 0) slot = (slot + 1) & (uint32_t)(n_table - 1);
        table[slot] = i;
    }
    return true;
}

/* The stack with one more entry; -1 when there are too many. */
static int32_t push_entry(Automaton *a, int32_t below, int32_t node, int32_t count) {
    if (below < 0) return -1;
    uint32_t slot = entry_slot(a, below, node, count);
    for (; a->entry_table[slot] >= 0; slot = (slot + 1) & (uint32_t)(a->n_entry_table - 1)) {
        const StackEntry *e = &a->entries[a->entry_table[slot]];
        if (e->below == below && e->node == node && e->count == count) return a->entry_table[slot];
    }
    if (a->n_entries == AUTOMATON_MAX_ENTRIES || !memory_grow((void **)&a->entries, &a->cap_entries,
        a->n_entries + 1, sizeof *a->entries) ||
        (2 * (a->n_entries + 1) > a->n_entry_table && !rebuild_entry_table(a, 2 * a->n_entries))) {
        a->overflowed = true;
        return -1;
    }
    int32_t number = a->n_entries++;
    a->entries[number] = (StackEntry){
        below, node, count, count >= 0 ? number : a->entries[below].counter, -1};
    slot = entry_slot(a, below, node, count);
    while (a->entry_table[slot] >= 0) slot = (slot + 1) & (uint32_t)(a->n_entry_table - 1);
    a->entry_table[slot] = number;
    return number;
}

/* The stack with its uppermost count 0; -1 when there are too many. */
static int32_t base_of(Automaton *a, int32_t stack) {
    AutomatonScratch *w = a->scratch;
    int n = 0;
    int32_t counter = a->entries[stack].counter, at = stack;
    if (counter == 0) return stack;
    for (; at != counter && a->entries[at].base < 0; at = a->entries[at].below) {
        if (!memory_grow((void **)&w->path, &w->cap_path, n + 1, sizeof *w->path)) return -1;
        w->path[n++] = at;
    }
    StackEntry e = a->entries[at];
    int32_t base = e.base >= 0 ? e.base : push_entry(a, e.below, e.node, 0);
    if (base >= 0) a->entries[at].base = base;
    while (n > 0 && base >= 0) {
        at = w->path[--n];
        base = push_entry(a, base, a->entries[at].node, -1);
        if (base >= 0) a->entries[at].base = base;
    }
    return base;
}

/* ------------------------------------------------------------------------------------------ between two bytes */

/* The mark of this place, which is new where its round is another than the work's. NULL when memory is short
 * or too much was seen. */
static Seen *find_seen(Automaton *a, int32_t node, int32_t stack) {
    AutomatonScratch *w = a->scratch;
    if (w->n_closed > AUTOMATON_MAX_CLOSURE) return NULL;
    if (2 * (w->n_seen + 1) > w->n_seen_table) {
        int n = w->n_seen_table ? 2 * w->n_seen_table : 256;
        Seen *bigger = calloc((size_t)n, sizeof *bigger);
        if (!bigger) return NULL;
        for (int i = 0; i < w->n_seen_table; i++) {
            if (w->seen[i].round != w->round) continue;
            uint32_t slot = mix(mix(3, (uint32_t)w->seen[i].node),
                (uint32_t)w->seen[i].stack) & (uint32_t)(n - 1);
            while (bigger[slot].round) slot = (slot + 1) & (uint32_t)(n - 1);
            bigger[slot] = w->seen[i];
        }
        free(w->seen);
        w->seen = bigger;
        w->n_seen_table = n;
    }
    uint32_t slot = mix(mix(3, (uint32_t)node), (uint32_t)stack) & (uint32_t)(w->n_seen_table - 1);
    while (w->seen[slot].round == w->round && (w->seen[slot].node != node || w->seen[slot].stack != stack))
        slot = (slot + 1) & (uint32_t)(w->n_seen_table - 1);
    return &w->seen[slot];
}

/* Whether a way came here before, in this round, with a count no larger. Says so of this way to those that
 * come later. */
static bool was_seen(Automaton *a, int32_t node, int32_t stack, int32_t count) {
    Seen *s = find_seen(a, node, stack);
    if (!s) {
        a->overflowed = true;
        return true;
    }
    bool is_new = s->round != a->scratch->round;
    if (!is_new && s->count <= count) return true;
    a->scratch->n_seen += is_new;
    *s = (Seen){node, stack, count, a->scratch->round};
    return false;
}

static void add_todo(Automaton *a, int32_t node, int32_t stack) {
    AutomatonScratch *w = a->scratch;
    if (stack < 0) return;
    if (!memory_grow((void **)&w->todo, &w->cap_todo, w->n_todo + 1, sizeof *w->todo)) a->overflowed = true;
    else w->todo[w->n_todo++] = (Way){node, stack};
}

static void add_out(Automaton *a, int32_t node, int32_t stack) {
    AutomatonScratch *w = a->scratch;
    if (!memory_grow((void **)&w->out, &w->cap_out, w->n_out + 1, sizeof *w->out)) a->overflowed = true;
    else w->out[w->n_out++] = (Way){node, stack};
}

/* The repetition has `count` rounds done, above `stack`. Among the places seen, negative numbers stand for
 * it: its minimum is reached, and a way with a smaller count can stand for this one; its body begins. */
static void follow_repetition(Automaton *a, int32_t number, int32_t count, int32_t stack) {
    const Repetition r = a->program.repetitions[number];
    if (r.max == GBNF_NO_MAX && count > r.min) count = r.min;
    if (count >= r.min) {
        if (was_seen(a, -1 - 2 * number, stack, count)) return;
        add_todo(a, r.then, stack);
    }
    if (r.max != GBNF_NO_MAX && count == r.max) return;
    int32_t inside = push_entry(a, stack, number, count);
    if (inside >= 0 && !was_seen(a, -2 - 2 * number, inside, 0)) add_todo(a, r.body, inside);
}

/* Follows one way until it stands at bytes or branches. */
static void follow(Automaton *a, Way way) {
    const Program *p = &a->program;
    int32_t stack = way.stack;
    for (int32_t at = way.node; stack >= 0;) {
        const ProgramNode *node = &p->nodes[at];
        a->scratch->n_closed++;
        switch ((NodeKind)node->kind) {
            case NODE_BYTES: add_out(a, at, stack); return;
            case NODE_RETURN:
                if (stack == 0) {
                    add_out(a, 0, 0);
                    return;
                }
                at = a->entries[stack].node;
                stack = a->entries[stack].below;
                continue;
            case NODE_CALL:
                if (was_seen(a, at, stack, 0)) return;
                if (node->n != 0) stack = push_entry(a, stack, node->n, -1);
                at = p->entries[node->first];
                continue;
            case NODE_SPLIT:
                if (was_seen(a, at, stack, 0)) return;
                for (int i = 0; i < node->n; i++) add_todo(a, p->targets[node->first + i], stack);
                return;
            case NODE_ENTER: follow_repetition(a, node->first, 0, stack); return;
            case NODE_LOOP: follow_repetition(a, node->first, a->entries[stack].count + 1,
                a->entries[stack].below); return;
        }
    }
}

static int by_place(const void *x, const void *y) {
    const Way *a = x, *b = y;
    return a->node != b->node ? (a->node > b->node) - (a->node < b->node)
        : (a->stack > b->stack) - (a->stack < b->stack);
}

static int by_count(const void *x, const void *y) {
    const Counted *a = x, *b = y;
    if (a->base != b->base) return (a->base > b->base) - (a->base < b->base);
    return (a->count > b->count) - (a->count < b->count);
}

static int by_stack(const void *x, const void *y) {
    const Counted *a = x, *b = y;
    return (a->stack > b->stack) - (a->stack < b->stack);
}

/* Drops those of n ways at one node that another way can stand for. Returns how many are left. */
static int drop_weaker(Automaton *a, Way *ways, int n) {
    AutomatonScratch *w = a->scratch;
    if (!memory_grow((void **)&w->counted, &w->cap_counted, n, sizeof *w->counted)) return n;
    for (int i = 0; i < n; i++) {
        int32_t base = base_of(a, ways[i].stack), counter = a->entries[ways[i].stack].counter;
        if (base < 0) return n;
        StackEntry e = a->entries[counter];
        w->counted[i] = (Counted){
            base, counter ? e.count : 0, ways[i].stack, counter
            && e.count >= a->program.repetitions[e.node].min};
    }
    qsort(w->counted, (size_t)n, sizeof *w->counted, by_count);
    int left = 0;
    for (int i = 0; i < n; i++) {
        const Counted *last = left ? &w->counted[left - 1] : NULL;
        if (last && last->may_leave && last->base == w->counted[i].base) continue;
        w->counted[left++] = w->counted[i];
    }
    qsort(w->counted, (size_t)left, sizeof *w->counted, by_stack);
    for (int i = 0; i < left; i++) ways[i].stack = w->counted[i].stack;
    return left;
}

static void begin_closing(Automaton *a) {
    AutomatonScratch *w = a->scratch;
    w->n_todo = w->n_out = w->n_seen = w->n_closed = 0;
    if (++w->round == 0) {
        memset(w->seen, 0, (size_t)w->n_seen_table * sizeof *w->seen);
        w->round = 1;
    }
}

/* From the ways to do to the ways of a state. */
static void close_ways(Automaton *a) {
    AutomatonScratch *w = a->scratch;
    while (w->n_todo) follow(a, w->todo[--w->n_todo]);
    a->work -= w->n_closed + w->n_out;
    if (w->n_out < 2) return;
    bool sorted = true;
    for (int i = 1; i < w->n_out && sorted; i++) sorted = by_place(&w->out[i - 1], &w->out[i]) < 0;
    if (!sorted) qsort(w->out, (size_t)w->n_out, sizeof *w->out, by_place);
    int n = 0;
    for (int i = 0, end; i < w->n_out; i = end) {
        int first = n;
        for (end = i; end < w->n_out && w->out[end].node == w->out[i].node; end++)
            if (end == i || w->out[end].stack != w->out[end - 1].stack) w->out[n++] = w->out[end];
        if (n - first > 1) n = first + drop_weaker(a, w->out + first, n - first);
    }
    if (n > AUTOMATON_MAX_WAYS) {
        n = AUTOMATON_MAX_WAYS;
        a->overflowed = true;
    }
    w->n_out = n;
}

/* ------------------------------------------------------------------------------------------ states */

static bool rebuild_state_table(Automaton *a, int n) {
    int n_table;
    int32_t *table = new_table(n, &n_table);
    if (!table) return false;
    free(a->state_table);
    a->state_table = table;
    a->n_state_table = n_table;
    for (int32_t i = 0; i < a->n_states; i++) {
        if (a->states[i].holds < 0) continue;
        uint32_t slot = a->states[i].hash & (uint32_t)(n_table - 1);
        while (table[slot] >= 0) slot = (slot + 1) & (uint32_t)(n_table - 1);
        table[slot] = i;
    }
    return true;
}

static int32_t free_number(Automaton *a) {
    int32_t number = a->free;
    if (number >= 0) {
        a->free = a->states[number].ways;
        return number;
    }
    return memory_grow((void **)&a->states, &a->cap_states, a->n_states + 1, sizeof *a->states)
        ? a->n_states++ : -1;
}

static uint32_t hash_ways(const Way *ways, int n) {
    uint32_t h = (uint32_t)n;
    for (int i = 0; i < n; i++) h = mix(mix(h, (uint32_t)ways[i].node), (uint32_t)ways[i].stack);
    return h;
}

/* The state of the ways found by close_ways. */
static int32_t intern(Automaton *a) {
    AutomatonScratch *w = a->scratch;
    if (w->n_out == 0) return STATE_DEAD;
    uint32_t hash = hash_ways(w->out, w->n_out), slot = hash & (uint32_t)(a->n_state_table - 1);
    size_t bytes = (size_t)w->n_out * sizeof *w->out;
    for (; a->state_table[slot] >= 0; slot = (slot + 1) & (uint32_t)(a->n_state_table - 1)) {
        const State *s = &a->states[a->state_table[slot]];
        if (s->hash == hash && s->n == w->n_out && memcmp(a->ways + s->ways, w->out, bytes) == 0)
            return a->state_table[slot];
    }
    int32_t number = -1;
    if (memory_grow((void **)&a->ways, &a->cap_ways, a->n_ways + (int64_t)w->n_out, sizeof *a->ways) &&
        (2 * (a->n_states + 1) <= a->n_state_table || rebuild_state_table(a, 2 * a->n_states))) number =
            free_number(a);
    if (number < 0) {
        a->overflowed = true;
        return STATE_DEAD;
    }
    memcpy(a->ways + a->n_ways, w->out, bytes);
    a->states[number] = (State){.ways = a->n_ways, .n = w->n_out, .row = -1, .plain = STATE_UNKNOWN,
        .hash = hash};
    a->n_ways += w->n_out;
    slot = hash & (uint32_t)(a->n_state_table - 1);
    while (a->state_table[slot] >= 0) slot = (slot + 1) & (uint32_t)(a->n_state_table - 1);
    a->state_table[slot] = number;
    return number;
}

void automaton_allow(Automaton *a, int64_t work) {
    a->work = work;
    a->overflowed = false;
}

/* Whether `ways` may still be followed, which counts them. */
static bool may_follow(Automaton *a, int ways) {
    if (a->work <= 0) a->overflowed = true;
    a->work -= ways;
    return !a->overflowed;
}

int32_t automaton_start(Automaton *a) {
    begin_closing(a);
    add_todo(a, a->program.root, 0);
    close_ways(a);
    return intern(a);
}

/* Adds the places reached by this byte; narrows *lo to *hi to the bytes that reach the same ones. */
static void add_next(Automaton *a, Way way, uint8_t byte, int *lo, int *hi) {
    const ProgramNode *node = &a->program.nodes[way.node];
    const ByteRange *ranges = a->program.ranges + node->first;
    int from = 0, to = node->kind == NODE_BYTES ? node->n : 0, n = to;
    while (from < to) {             /* the first range that does not end before the byte */
        int middle = (from + to) / 2;
        if (ranges[middle].hi < byte) from = middle + 1;
        else to = middle;
    }
    bool fits = from < n && ranges[from].lo <= byte;
    int first = fits ? ranges[from].lo : from > 0 ? ranges[from - 1].hi + 1 : 0;
    int last = fits ? ranges[from].hi : from < n ? ranges[from].lo - 1 : 255;
    if (first > *lo) *lo = first;
    if (last < *hi) *hi = last;
    if (fits) add_todo(a, ranges[from].then, way.stack);
}

static bool add_row(Automaton *a, int32_t state) {
    size_t size = (size_t)a->program.n_classes * sizeof *a->rows;
    if (a->states[state].row >= 0) return true;
    if (!memory_grow((void **)&a->rows, &a->cap_rows, a->n_rows + 1, size)) return false;
    int32_t *row = a->rows + (size_t)a->n_rows * (size_t)a->program.n_classes;
    for (int i = 0; i < a->program.n_classes; i++) row[i] = STATE_UNKNOWN;
    a->states[state].row = a->n_rows++;
    return true;
}

int32_t automaton_compute(Automaton *a, int32_t state, int byte_class) {
    uint8_t byte = a->program.first_of[byte_class];
    int lo = 0, hi = 255;
    if (!may_follow(a, a->states[state].n)) return STATE_DEAD;
    begin_closing(a);
    for (int i = 0; i < a->states[state].n; i++)
        add_next(a, a->ways[a->states[state].ways + i], byte, &lo, &hi);
    close_ways(a);
    int32_t next = intern(a);
    if (a->overflowed || !add_row(a, state)) return next;
    int32_t *row = a->rows + (size_t)a->states[state].row * (size_t)a->program.n_classes;
    for (int i = a->program.class_of[lo]; i <= a->program.class_of[hi]; i++) row[i] = next;
    return next;
}

int32_t automaton_plain(Automaton *a, int32_t state, bool *exact) {
    if (a->states[state].plain == STATE_UNKNOWN) {
        bool is_exact = true;
        if (!may_follow(a, a->states[state].n)) {
            *exact = false;
            return STATE_DEAD;
        }
        begin_closing(a);
        for (int i = 0; i < a->states[state].n; i++) {
            Way way = a->ways[a->states[state].ways + i];
            const ProgramNode *node = &a->program.nodes[way.node];
            if (node->plain == PLAIN_ALWAYS) add_todo(a, node->then, way.stack);
            else if (node->plain == PLAIN_SOME) is_exact = false;
        }
        close_ways(a);
        int32_t next = intern(a);
        *exact = is_exact;
        if (a->overflowed) return next;
        a->states[state].plain = next;
        a->states[state].plain_exact = is_exact;
    }
    *exact = a->states[state].plain_exact;
    return a->states[state].plain;
}

static bool takes_plain_chars(Automaton *a, int32_t state) {
    for (int i = 0; i < PLAIN_CHARS_MAX; i++) {
        bool exact;
        int32_t next = automaton_plain(a, state, &exact);
        if (next == state) return true;
        if (next == STATE_DEAD) return false;
        state = next;
    }
    return true;
}

/* Any byte that continues a character leads to one state, and that takes plain text. */
static bool takes_rest_of_char(Automaton *a, int32_t state) {
    int32_t next = automaton_step(a, state, 0x80);
    for (int byte = 0x81; byte <= 0xbf; byte++)
        if (automaton_step(a, state, (uint8_t)byte) != next) return false;
    return next != STATE_DEAD && automaton_takes_plain(a, next);
}

bool automaton_takes_plain(Automaton *a, int32_t state) {
    if (a->states[state].takes_plain == 0) {
        bool takes = takes_plain_chars(a, state) || takes_rest_of_char(a, state);
        if (a->overflowed) return takes;
        a->states[state].takes_plain = takes ? 1 : 2;
    }
    return a->states[state].takes_plain == 1;
}

/* ------------------------------------------------------------------------------------------ the cache */

static size_t bytes_used(const Automaton *a) {
    return (size_t)a->n_states * (sizeof *a->states + 8) + (size_t)a->n_ways * sizeof *a->ways
        + (size_t)a->n_entries * (sizeof *a->entries + 8) +
           (size_t)a->n_rows * (size_t)a->program.n_classes * sizeof *a->rows;
}

bool automaton_is_full(const Automaton *a) { return bytes_used(a) > a->limit; }

/* Keeps the stacks of the states that are left, moved down. kept[i]: the new number of entry i. */
static void keep_entries(Automaton *a, int32_t *kept) {
    memset(kept, 0, (size_t)a->n_entries * sizeof *kept);
    kept[0] = 1;
    for (int i = 0; i < a->n_ways; i++) kept[a->ways[i].stack] = 1;
    for (int i = a->n_entries - 1; i > 0; i--)          /* an entry is newer than what is below it */
        if (kept[i]) kept[a->entries[i].below] = 1;
    int n = 0;
    for (int i = 0; i < a->n_entries; i++) {
        if (!kept[i]) continue;
        StackEntry e = a->entries[i];
        kept[i] = n++;
        a->entries[kept[i]] = (StackEntry){kept[e.below], e.node, e.count, kept[e.counter], -1};
    }
    a->entries[0].below = a->entries[0].counter = 0;
    a->n_entries = n;
    for (int i = 0; i < a->n_ways; i++) a->ways[i].stack = kept[a->ways[i].stack];
}

void automaton_forget(Automaton *a, const int32_t *keep, int n_keep) {
    int64_t n_ways = 0;
    int32_t *kept = malloc((size_t)a->n_entries * sizeof *kept);
    for (int i = 0; i < n_keep; i++)
        if (keep[i] >= 0) a->states[keep[i]].holds++;
    for (int i = 0; i < a->n_states; i++)
        if (a->states[i].holds > 0) n_ways += a->states[i].n;
    Way *ways = malloc((size_t)(n_ways + 1) * sizeof *ways);
    if (ways && kept) {
        int n = 0;
        a->free = -1;
        while (a->n_states && a->states[a->n_states - 1].holds <= 0) a->n_states--;
        for (int i = 0; i < a->n_states; i++) {
            State *s = &a->states[i];
            if (s->holds <= 0) {
                *s = (State){.ways = a->free, .holds = -1};
                a->free = i;
                continue;
            }
            memcpy(ways + n, a->ways + s->ways, (size_t)s->n * sizeof *ways);
            s->ways = n;
            s->row = -1;
            s->plain = STATE_UNKNOWN;
            s->takes_plain = 0;
            n += s->n;
        }
        free(a->ways);
        a->ways = ways;
        a->n_ways = n;
        a->cap_ways = (int)n_ways + 1;
        ways = NULL;
        a->n_rows = 0;
        keep_entries(a, kept);
        for (int i = 0; i < a->n_states; i++)
            if (a->states[i].holds >= 0)
                a->states[i].hash = hash_ways(a->ways + a->states[i].ways, a->states[i].n);
        /* The tables are as large as they were, or larger than what is left needs: this can only fail where
         * it does not matter. */
        memset(a->state_table, 0xff, (size_t)a->n_state_table * sizeof *a->state_table);
        memset(a->entry_table, 0xff, (size_t)a->n_entry_table * sizeof *a->entry_table);
        if (!rebuild_state_table(a, a->n_states) || !rebuild_entry_table(a, a->n_entries))
            a->overflowed = true;
        a->limit = 2 * bytes_used(a) > LIMIT_BYTES ? 2 * bytes_used(a) : LIMIT_BYTES;
    }
    for (int i = 0; i < n_keep; i++)
        if (keep[i] >= 0) a->states[keep[i]].holds--;
    free(ways);
    free(kept);
}

bool automaton_open(Automaton *a, Program program) {
    *a = (Automaton){.program = program, .free = -1, .limit = LIMIT_BYTES, .work = INT64_MAX,
        .scratch = calloc(1, sizeof *a->scratch)};
    bool ok = a->scratch && memory_grow((void **)&a->entries, &a->cap_entries, 1, sizeof *a->entries);
    if (ok) {
        a->entries[0] = (StackEntry){.count = -1};
        a->n_entries = 1;
        ok = rebuild_entry_table(a, 256) && rebuild_state_table(a, 256);
    }
    if (!ok) automaton_close(a);
    return ok;
}

void automaton_close(Automaton *a) {
    if (a->scratch) {
        free(a->scratch->todo);
        free(a->scratch->out);
        free(a->scratch->seen);
        free(a->scratch->counted);
        free(a->scratch->path);
    }
    free(a->scratch);
    free(a->states);
    free(a->ways);
    free(a->rows);
    free(a->entries);
    free(a->state_table);
    free(a->entry_table);
    program_free(&a->program);
    *a = (Automaton){0};
}
