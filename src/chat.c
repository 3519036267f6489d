/* chat.c: see chat.h. The turns are those of Google's chat templates for Gemma 1, 2 and 3 (`tokenizer.chat_template` in their
 * files), a system message that of Gemma 3's:
 *
 *     <bos><start_of_turn>user\n SYSTEM \n\n TEXT <end_of_turn>\n <start_of_turn>model\n TEXT <end_of_turn>\n ...
 *
 * What stands between two control tokens is encoded in one piece, as a template's whole text would be, since pieces may
 * cross its parts. */
#include "chat.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* ------------------------------------------------------------------------------------------ text */

/* The code point of the well-formed character of `length` bytes at p. */
static uint32_t code_point(const char *p, size_t length) {
    const uint8_t *b = (const uint8_t *)p;
    uint32_t c = length == 1 ? b[0] : length == 2 ? b[0] & 0x1fu : length == 3 ? b[0] & 0x0fu : b[0] & 0x07u;
    for (size_t i = 1; i < length; i++) c = c << 6 | (b[i] & 0x3fu);
    return c;
}

/* What Python's str.strip takes for white space, which is behind `trim` in the templates. */
static bool is_space(uint32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static GgufString trim(GgufString s) {
    while (s.n) {
        size_t length = utf8_length(s.p, s.n);
        if (!length || !is_space(code_point(s.p, length))) break;
        s.p += length;
        s.n -= length;
    }
    while (s.n) {
        size_t length = 1;
        while (length < 4 && length < s.n && ((uint8_t)s.p[s.n - length] & 0xc0) == 0x80) length++;
        const char *last = s.p + s.n - length;
        if (utf8_length(last, length) != length || !is_space(code_point(last, length))) break;
        s.n -= length;
    }
    return s;
}

/* ------------------------------------------------------------------------------------------ turns */

typedef struct {
    const Tokenizer *t;
    int32_t start, end;     /* <start_of_turn>, <end_of_turn> */
    int32_t *ids;           /* at most cap are written, all are counted */
    int cap, n;
    bool failed;            /* memory was short */
} Writer;

static void put_id(Writer *w, int32_t id) {
    if (w->n < w->cap) w->ids[w->n] = id;
    w->n++;
}

static void put_text(Writer *w, const char *text, size_t n) {
    int room = w->n < w->cap ? w->cap - w->n : 0;
    int count = tokenizer_encode(w->t, text, n, false, false, room ? w->ids + w->n : NULL, room);
    if (count < 0 || count > INT_MAX / 2 - w->n) w->failed = true;
    else w->n += count;
}

/* Between two turns; also after an <end_of_turn> that the model wrote itself. */
static void put_newline(Writer *w) { put_text(w, "\n", 1); }

/* A turn up to its <end_of_turn>, which is left out. `head` comes before the text as it is. */
static void put_turn(Writer *w, const char *role, GgufString head, GgufString text) {
    size_t n_role = strlen(role);
    put_id(w, w->start);
    char *whole = malloc(n_role + head.n + text.n + 1);
    if (!whole) {
        w->failed = true;
        return;
    }
    memcpy(whole, role, n_role);
    if (head.n) memcpy(whole + n_role, head.p, head.n);
    if (text.n) memcpy(whole + n_role + head.n, text.p, text.n);
    put_text(w, whole, n_role + head.n + text.n);
    free(whole);
}

static void put_end(Writer *w) {
    put_id(w, w->end);
    put_newline(w);
}

/* The texts of the system turns turns[n], each followed by an empty line; malloced. False when memory is short. */
static bool join_system(const GemmaTurn *turns, int n, GgufString *system) {
    size_t size = 1;
    for (int i = 0; i < n; i++) size += turns[i].n + 2;
    char *p = malloc(size);
    *system = (GgufString){p, 0};
    if (!p) return false;
    for (int i = 0; i < n; i++) {
        if (turns[i].n == 0) continue;
        memcpy(p + system->n, turns[i].text, turns[i].n);
        memcpy(p + system->n + turns[i].n, "\n\n", 2);
        system->n += turns[i].n + 2;
    }
    return true;
}

int chat_encode(const Tokenizer *t, const GemmaTurn *turns, int n_turns, bool first, bool closed, int32_t *ids, int cap) {
    Writer w = {.t = t, .start = tokenizer_control(t, "<start_of_turn>"), .end = tokenizer_control(t, "<end_of_turn>"),
                .ids = ids, .cap = cap};
    const GgufString nothing = {NULL, 0};
    if (w.start < 0 || w.end < 0) return -2;
    if (first) {
        put_id(&w, tokenizer_bos(t));
    } else {
        if (!closed) put_id(&w, w.end);
        put_newline(&w);
    }
    for (int i = 0; i < n_turns && !w.failed;) {
        int n_system = 0;
        while (i + n_system < n_turns && turns[i + n_system].role == GEMMA_SYSTEM) n_system++;
        GgufString system;
        if (!join_system(turns + i, n_system, &system)) return -1;
        i += n_system;
        bool user = i < n_turns && turns[i].role == GEMMA_USER;
        /* A system message that no user turn follows makes a user turn of its own. */
        if (user) put_turn(&w, "user\n", system, trim((GgufString){turns[i].text, turns[i].n}));
        else if (system.n) put_turn(&w, "user\n", nothing, trim(system));
        if (user || system.n) put_end(&w);
        free((char *)system.p);
        i += user;
        if (i == n_turns || turns[i].role != GEMMA_ASSISTANT) continue;
        put_turn(&w, "model\n", nothing, trim((GgufString){turns[i].text, turns[i].n}));
        /* The last turn stays open: a caller goes on with it, or with the next turns after it (`closed` false). */
        if (++i < n_turns) put_end(&w);
    }
    bool open = n_turns > 0 && turns[n_turns - 1].role == GEMMA_ASSISTANT;
    if (!open) put_turn(&w, "model\n", nothing, nothing);
    return w.failed ? -1 : w.n;
}

/* ------------------------------------------------------------------------------------------ which models */

static bool contains(GgufString s, const char *part) {
    size_t n = strlen(part);
    for (; s.n >= n; s.p++, s.n--)
        if (memcmp(s.p, part, n) == 0) return true;
    return false;
}

static bool word_is(const char *p, size_t n, const char *word) {
    if (n != strlen(word)) return false;
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)p[i]) != word[i]) return false;
    return true;
}

/* Whether one of the words of s (letters and digits) is "it" or "instruct". */
static bool says_tuned(GgufString s) {
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && isalnum((unsigned char)s.p[end])) end++;
        if (word_is(s.p + i, end - i, "it") || word_is(s.p + i, end - i, "instruct")) return true;
        i = end + 1;
    }
    return false;
}

/* The text of an entry; empty when it is missing or no string, which is not for this file to judge. */
static GgufString text_of(const Gguf *g, const char *key) {
    GgufString s = {"", 0};
    GemmaError ignored;
    gguf_get_string(g, key, &s, &ignored);
    return s;
}

bool chat_is_tuned(const Gguf *g) {
    return contains(text_of(g, "tokenizer.chat_template"), "<start_of_turn>") || says_tuned(text_of(g, "general.finetune")) ||
           says_tuned(text_of(g, "general.name"));
}
