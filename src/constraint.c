/* constraint.c: see constraint.h.
 *
 * A whole mask costs a walk over the vocabulary's trie. So masks are kept for the states that were asked
 * last: a text comes back to the same state again and again, inside a string or after each comma. */
#include "constraint.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

enum {
    N_MASKS = 16,           /* kept; more than a token and its draft ask for */
    MOST_FEW = 2048,        /* tokens of which one speaks as few */
    MOST_ENDS = 16,
    FORCED_BYTES = 256,     /* looked ahead for a draft */
    /* Ways followed for one token, tenths of a second. The schemas of MaskBench need at most 91,000. */
    MOST_WORK = 1 << 21,
};

/* ------------------------------------------------------------------------------------ the vocabulary */

struct TextTokens {
    const Tokenizer *t;
    TokenTrie *trie;
    int n_vocab;
    uint64_t fingerprint;       /* of what its masks depend on */
    int32_t ends[MOST_ENDS];
    int n_ends;
    uint32_t *text;             /* tokens that stand for text */
};

static size_t mask_words(int n_vocab) { return ((size_t)n_vocab + 31) / 32; }
static bool has(const uint32_t *bits, int32_t id) { return bits[id / 32] >> (id % 32) & 1; }

/* The bytes by which grammars mean a token; 0 for one that stands for nothing in a text. */
static int meant_bytes(const Tokenizer *t, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    char name[TOKEN_BYTES_MAX];
    if (tokenizer_is_end(t, id)) return 0;
    if (tokenizer_is_control(t, id))
        return grammar_token_bytes(name, (size_t)tokenizer_decode(t, id, name), buf);
    int n = tokenizer_decode(t, id, buf);
    return memchr(buf, GRAMMAR_TOKEN_BYTE, (size_t)n) ? 0 : n;
}

/* The bytes of a token that stands for text, for the trie; 0 for any other. */
static int text_bytes(const void *context, int32_t id, char buf[TOKEN_BYTES_MAX]) {
    const TextTokens *v = context;
    return has(v->text, id) ? meant_bytes(v->t, id, buf) : 0;
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n) {
    for (const uint8_t *p = bytes; n; n--) h = (h ^ *p++) * 0x100000001b3u;
    return (h ^ 0xff) * 0x100000001b3u;
}

TextTokens *text_tokens_new(const Tokenizer *t, int n_vocab, GemmaError *err) {
    TextTokens *v = calloc(1, sizeof *v);
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory to constrain texts of a vocabulary of %d tokens.",
        n_vocab);
    if (!v) return NULL;
    *v = (TextTokens){.t = t, .n_vocab = n_vocab, .fingerprint = 0xcbf29ce484222325u,
        .text = calloc(mask_words(n_vocab), sizeof *v->text)};
    if (!v->text) {
        text_tokens_free(v);
        return NULL;
    }
    int n_media;
    const int32_t *media = tokenizer_media(t, &n_media);
    for (int32_t id = 0; id < n_vocab; id++) {
        char buf[256];
        if (tokenizer_is_end(t, id) && v->n_ends < MOST_ENDS) v->ends[v->n_ends++] = id;
        if (meant_bytes(t, id, buf)) v->text[id / 32] |= 1u << id % 32;
        v->fingerprint = mix(v->fingerprint, buf, (size_t)tokenizer_decode(t, id, buf));
    }
    for (int i = 0; i < n_media; i++) v->text[media[i] / 32] &= ~(1u << media[i] % 32);
    v->fingerprint = mix(v->fingerprint, v->text, mask_words(n_vocab) * sizeof *v->text);
    v->trie = token_trie_new(text_bytes, v, n_vocab, err);
    if (v->trie) return v;
    text_tokens_free(v);
    return NULL;
}

void text_tokens_free(TextTokens *v) {
    if (!v) return;
    token_trie_free(v->trie);
    free(v->text);
    free(v);
}

static bool is_end(const TextTokens *v, int32_t id) {
    for (int i = 0; i < v->n_ends; i++)
        if (v->ends[i] == id) return true;
    return false;
}

/* ------------------------------------------------------------------------------------ grammars */

typedef struct {
    GrammarState state;         /* held; GRAMMAR_DEAD: this one is free */
    uint32_t *bits;
    int n;                      /* tokens */
    uint64_t used;              /* when it was asked for last */
} KeptMask;

struct GemmaGrammar {
    Grammar *g;
    char *text;
    size_t n;
    int owners;                 /* references: its creator's, and one for each constraint */
    uint64_t vocabulary;        /* whose masks these are */
    size_t n_words;             /* that each has room for */
    KeptMask masks[N_MASKS];
    uint64_t n_asked;
};

GemmaGrammar *gemma_grammar_new(const char *gbnf, size_t n, GemmaError *err) {
    Grammar *g = grammar_new(gbnf, n, err);
    if (!g) return NULL;
    GemmaGrammar *grammar = calloc(1, sizeof *grammar);
    char *text = malloc(n + 1);
    if (!grammar || !text) {
        grammar_free(g);
        free(grammar);
        free(text);
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for a grammar of %llu bytes.",
            (unsigned long long)n);
        return NULL;
    }
    memcpy(text, gbnf, n);
    *grammar = (GemmaGrammar){.g = g, .text = text, .n = n, .owners = 1};
    for (int i = 0; i < N_MASKS; i++) grammar->masks[i].state = GRAMMAR_DEAD;
    return grammar;
}

static void forget_masks(GemmaGrammar *grammar) {
    for (int i = 0; i < N_MASKS; i++) {
        if (grammar->masks[i].state != GRAMMAR_DEAD) grammar_release(grammar->g, grammar->masks[i].state);
        grammar->masks[i].state = GRAMMAR_DEAD;
    }
}

void gemma_grammar_free(GemmaGrammar *grammar) {
    if (!grammar || --grammar->owners > 0) return;
    forget_masks(grammar);
    for (int i = 0; i < N_MASKS; i++) free(grammar->masks[i].bits);
    grammar_free(grammar->g);
    free(grammar->text);
    free(grammar);
}

GemmaStatus gemma_grammar_accepts(GemmaGrammar *grammar, const char *text, size_t n, bool *accepts,
    GemmaError *err) {
    GrammarState s = GRAMMAR_DEAD;
    grammar_allow(grammar->g, INT64_MAX);
    s = grammar_next(grammar->g, grammar_start(grammar->g), text, n);
    *accepts = s != GRAMMAR_DEAD && grammar_may_end(grammar->g, s);
    return grammar_overflowed(grammar->g) ? error_set(err, GEMMA_UNSUPPORTED,
        "The text is too ambiguous for the grammar: it can be read in more ways than can be followed.")
        : GEMMA_OK;
}

/* Room for masks of this vocabulary. False when memory is short. */
static bool make_room(GemmaGrammar *grammar, const TextTokens *v) {
    size_t n_words = mask_words(v->n_vocab);
    if (n_words <= grammar->n_words) return true;
    for (int i = 0; i < N_MASKS; i++) {
        uint32_t *grown = realloc(grammar->masks[i].bits, n_words * sizeof *grown);
        if (!grown) return false;
        grammar->masks[i].bits = grown;
    }
    grammar->n_words = n_words;
    return true;
}

static void fill_mask(GemmaGrammar *grammar, const TextTokens *v, KeptMask *m) {
    size_t n_words = mask_words(v->n_vocab);
    grammar_mask(grammar->g, m->state, v->trie, m->bits);
    if (grammar_may_end(grammar->g, m->state))
        for (int i = 0; i < v->n_ends; i++) m->bits[v->ends[i] / 32] |= 1u << v->ends[i] % 32;
    m->n = 0;
    for (size_t i = 0; i < n_words; i++) m->n += __builtin_popcount(m->bits[i]);
}

static const KeptMask *mask_of(GemmaGrammar *grammar, const TextTokens *v, GrammarState state) {
    KeptMask *oldest = grammar->masks;
    if (grammar->vocabulary != v->fingerprint) forget_masks(grammar);
    grammar->vocabulary = v->fingerprint;
    for (int i = 0; i < N_MASKS; i++) {
        KeptMask *m = &grammar->masks[i];
        if (m->state == state) {
            m->used = ++grammar->n_asked;
            return m;
        }
        if (m->used < oldest->used) oldest = m;
    }
    if (oldest->state != GRAMMAR_DEAD) grammar_release(grammar->g, oldest->state);
    *oldest = (KeptMask){.state = state, .bits = oldest->bits};
    fill_mask(grammar, v, oldest);
    if (grammar_overflowed(grammar->g)) {
        oldest->state = GRAMMAR_DEAD;
    } else {
        oldest->used = ++grammar->n_asked;
        grammar_hold(grammar->g, state);
    }
    return oldest;
}

/* ------------------------------------------------------------------------------------ places in a text */

bool constraint_begin(Constraint *c, GemmaGrammar *grammar, const TextTokens *v, int begin) {
    if (!make_room(grammar, v)) return false;
    *c = (Constraint){.grammar = grammar, .begin = begin, .states = {grammar_start(grammar->g)}};
    grammar_hold(grammar->g, c->states[0]);
    grammar->owners++;
    return true;
}

void constraint_end(Constraint *c) {
    if (!c->grammar) return;
    for (int i = 0; i <= c->n_draft; i++) grammar_release(c->grammar->g, c->states[i]);
    gemma_grammar_free(c->grammar);
    *c = (Constraint){.grammar = NULL};
}

void constraint_copy(Constraint *to, const Constraint *from) {
    *to = *from;
    if (!to->grammar) return;
    for (int i = 0; i <= to->n_draft; i++) grammar_hold(to->grammar->g, to->states[i]);
    to->grammar->owners++;
}

/* After a token of text; GRAMMAR_DEAD where it does not fit, and for any other token. */
static GrammarState next(const Constraint *c, const TextTokens *v, GrammarState state, int32_t id) {
    char buf[256];
    int n = text_bytes(v, id, buf);
    grammar_allow(c->grammar->g, MOST_WORK);
    return n > 0 ? grammar_next(c->grammar->g, state, buf, (size_t)n) : GRAMMAR_DEAD;
}

bool constraint_allows(Constraint *c, const TextTokens *v, int32_t id) {
    if (is_end(v, id)) return grammar_may_end(c->grammar->g, c->states[0]);
    bool allows = next(c, v, c->states[0], id) != GRAMMAR_DEAD;
    c->is_ambiguous |= grammar_overflowed(c->grammar->g);
    return allows;
}

void constraint_trim_draft(Constraint *c, int n) {
    for (; c->n_draft > n; c->n_draft--) grammar_release(c->grammar->g, c->states[c->n_draft]);
}

bool constraint_push(Constraint *c, const TextTokens *v, int32_t id, bool draft) {
    if (!draft) constraint_trim_draft(c, 0);
    if (!draft && is_end(v, id) && grammar_may_end(c->grammar->g, c->states[0])) {
        constraint_end(c);
        return true;
    }
    GrammarState after = next(c, v, c->states[c->n_draft], id);
    bool overflowed = grammar_overflowed(c->grammar->g);
    if (!draft) c->is_ambiguous |= overflowed;
    if (after == GRAMMAR_DEAD || (draft && overflowed)) return false;
    grammar_hold(c->grammar->g, after);
    if (draft) {
        c->states[++c->n_draft] = after;
    } else {
        grammar_release(c->grammar->g, c->states[0]);
        c->states[0] = after;
    }
    return true;
}

void constraint_accept(Constraint *c) {
    grammar_release(c->grammar->g, c->states[0]);
    memmove(c->states, c->states + 1, (size_t)c->n_draft * sizeof *c->states);
    c->n_draft--;
}

TokenMask constraint_mask(Constraint *c, const TextTokens *v) {
    grammar_allow(c->grammar->g, MOST_WORK);
    const KeptMask *m = mask_of(c->grammar, v, c->states[0]);
    c->is_ambiguous |= grammar_overflowed(c->grammar->g);
    return (TokenMask){m->bits, m->n};
}

/* In a text that takes any of these next, thousands of tokens fit. */
static bool takes_anything(Grammar *g, GrammarState state) {
    static const char *const any[] = {"e", "Z", "7"};
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if (grammar_next(g, state, any[i], 1) == GRAMMAR_DEAD) return false;
    return true;
}

static TokenMask few_after(GemmaGrammar *grammar, const TextTokens *v, GrammarState state) {
    const TokenMask many = {NULL, -1};
    grammar_allow(grammar->g, MOST_WORK);
    if (takes_anything(grammar->g, state)) return many;
    const KeptMask *m = mask_of(grammar, v, state);
    return m->n <= MOST_FEW && !grammar_overflowed(grammar->g) ? (TokenMask){m->bits, m->n} : many;
}

TokenMask constraint_few(const Constraint *c, const TextTokens *v, int i) {
    return few_after(c->grammar, v, c->states[i]);
}

GemmaConstraint constraint_place(const Constraint *c, const TextTokens *v, int32_t id) {
    if (!c->grammar) return GEMMA_UNCONSTRAINED;
    if (c->is_ambiguous) return GEMMA_AMBIGUOUS;
    GrammarState state = id == GEMMA_NO_TOKEN ? c->states[0] : next(c, v, c->states[0], id);
    if (state == GRAMMAR_DEAD || !grammar_may_end(c->grammar->g, state)) return GEMMA_INCOMPLETE;
    return few_after(c->grammar, v, state).n == v->n_ends ? GEMMA_ENDED : GEMMA_COMPLETE;
}

/* The control token at p[n], which begins with GRAMMAR_TOKEN_BYTE; *length: of its bytes. -1: it is cut, or
 * the vocabulary does not have it. */
static int32_t token_at(const Tokenizer *t, const char *p, size_t n, size_t *length) {
    const char *close = memchr(p, '>', n);
    char name[GRAMMAR_MAX_TOKEN + 1];
    *length = close ? (size_t)(close - p) + 1 : n;
    if (!close || *length > GRAMMAR_MAX_TOKEN) return -1;
    memcpy(name, p, *length);
    name[0] = '<';
    name[*length] = 0;
    return tokenizer_control(t, name);
}

int constraint_forced(const Constraint *c, const Tokenizer *t, int32_t *ids, int cap) {
    char bytes[FORCED_BYTES];
    size_t n = grammar_forced(c->grammar->g, c->states[c->n_draft], bytes, sizeof bytes);
    int n_ids = 0;
    for (size_t at = 0; at < n && n_ids < cap;) {
        const char *mark = memchr(bytes + at, GRAMMAR_TOKEN_BYTE, n - at);
        size_t length = mark ? (size_t)(mark - bytes) - at : n - at;
        if (length) {
            int count = tokenizer_encode(t, bytes + at, length, false, false, ids + n_ids, cap - n_ids);
            if (count < 0) break;
            n_ids += count;
        } else {
            int32_t id = token_at(t, bytes + at, n - at, &length);
            if (id < 0) break;
            ids[n_ids++] = id;
        }
        at += length;
    }
    return n_ids < cap ? n_ids : cap;
}

const char *constraint_text(const Constraint *c, size_t *n) {
    *n = c->grammar->n;
    return c->grammar->text;
}
