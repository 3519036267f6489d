/* chat.c: see chat.h. Whose turns a file has is recognised as llama.cpp does it (llama-chat.cpp): by texts
 * that its chat template contains. No template is run: the table below says what each of the known ones
 * writes, such as Google's for Gemma 1 to 3:
 *
 *     <bos><start_of_turn>user\n SYSTEM \n\n TEXT <end_of_turn>\n <start_of_turn>model\n TEXT <end_of_turn>\n ...
 *
 * What stands between two control tokens is encoded in one piece, as a template's whole text would be, since
 * pieces may cross its parts. */
#include "chat.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "utf8.h"

/* What runs once a turn is made small rather than fast: modules are downloaded. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

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
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f
               || c == 0x3000;
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

/* ------------------------------------------------------------------------------------------ the styles */

typedef struct {
    const char *before, *after;
} Around;

/* In `before` and `after`, what stands between < and > or [ and ] is a control token where the vocabulary has
 * it, and text otherwise; EOS is the file's end token, under any name. */
#define EOS "<eos>"
struct ChatStyle {
    const char *name;           /* as gemma.h lists them */
    const char *marks[2];       /* the first style is taken of which the template contains both */
    Around system, user, assistant;
    const char *end;            /* what ends an answer: `assistant.after` begins with it */
    bool folds_system;          /* a system text goes into the user's turn, before the user's text */
    bool trims;                 /* white space around texts is not part of them */
    bool leads;                 /* an answer begins with a space */
    bool needs_tokens;          /* without its tokens in the vocabulary this is not the style */
    bool has_tools;             /* tools have tokens of their own: tool_tokens */
};

static const ChatStyle styles[] = {
    {"phi4", {"<|im_start|>", "<|im_sep|>"}, {"<|im_start|>system<|im_sep|>", "<|im_end|>"},
        {"<|im_start|>user<|im_sep|>", "<|im_end|>"},
     {"<|im_start|>assistant<|im_sep|>", "<|im_end|>"}, .end = "<|im_end|>"},
    {"chatml", {"<|im_start|>"}, {"<|im_start|>system\n", "<|im_end|>\n"},
        {"<|im_start|>user\n", "<|im_end|>\n"},
     {"<|im_start|>assistant\n", "<|im_end|>\n"}, .end = "<|im_end|>"},
    {"llama2", {"[INST]", "<<SYS>>"}, {"<<SYS>>\n", "\n<</SYS>>\n\n"}, {"[INST] ", " [/INST]"}, {"", EOS},
        .end = EOS, .folds_system = true,
     .leads = true},
    {"mistral", {"[INST]"}, {"", "\n\n"}, {"[INST] ", " [/INST]"}, {"", EOS}, .end = EOS,
        .folds_system = true, .leads = true},
    {"phi3", {"<|assistant|>", "<|end|>"}, {"<|system|>\n", "<|end|>\n"}, {"<|user|>\n", "<|end|>\n"},
        {"<|assistant|>\n", "<|end|>\n"},
     .end = "<|end|>"},
    {"zephyr", {"<|user|>", "<|endoftext|>"}, {"<|system|>\n", "<|endoftext|>\n"},
        {"<|user|>\n", "<|endoftext|>\n"},
     {"<|assistant|>\n", "<|endoftext|>\n"}, .end = "<|endoftext|>"},
    {"zephyr", {"<|user|>", "eos_token"}, {"<|system|>\n", EOS "\n"}, {"<|user|>\n", EOS "\n"},
        {"<|assistant|>\n", EOS "\n"}, .end = EOS},
    {"functions", {"<start_of_turn>", "<start_function_declaration>"},
        {"<start_of_turn>developer\n", "<end_of_turn>\n"},
     {"<start_of_turn>user\n", "<end_of_turn>\n"}, {"<start_of_turn>model\n", "<end_of_turn>\n"},
         .end = "<end_of_turn>", .trims = true,
     .needs_tokens = true, .has_tools = true},
    {"turns", {"<start_of_turn>"}, {"", "\n\n"}, {"<start_of_turn>user\n", "<end_of_turn>\n"},
        {"<start_of_turn>model\n", "<end_of_turn>\n"},
     .end = "<end_of_turn>", .folds_system = true, .trims = true, .needs_tokens = true},
    {"openchat", {"GPT4 Correct ", "<end_of_turn>"}, {"", "<end_of_turn>"},
        {"GPT4 Correct User: ", "<end_of_turn>"},
     {"GPT4 Correct Assistant:", "<end_of_turn>"}, .end = "<end_of_turn>", .leads = true},
    {"openchat", {"GPT4 Correct "}, {"", "<|end_of_turn|>"}, {"GPT4 Correct User: ", "<|end_of_turn|>"},
     {"GPT4 Correct Assistant:", "<|end_of_turn|>"}, .end = "<|end_of_turn|>", .leads = true},
    {"vicuna", {"USER: ", "ASSISTANT:"}, {"", "\n\n"}, {"USER: ", "\n"}, {"ASSISTANT:", EOS "\n"}, .end = EOS,
        .leads = true},
    {"alpaca", {"### Instruction:", "### Response:"}, {"", "\n\n"}, {"### Instruction:\n", "\n\n"},
        {"### Response:\n", EOS "\n\n"}, .end = EOS},
    {"llama3", {"<|start_header_id|>", "<|end_header_id|>"},
        {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
     {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
         {"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
     .end = "<|eot_id|>", .trims = true},
};
enum { N_STYLES = sizeof styles / sizeof *styles };

/* ------------------------------------------------------------------------------------------ turns */

typedef struct {
    const Tokenizer *t;
    char *text;             /* since the last control token, not encoded yet */
    size_t n_text, room;
    int32_t *ids;           /* at most cap are written, all are counted */
    int cap, n;
    bool failed;            /* memory was short */
} Writer;

static void put_text(Writer *w, GgufString s) {
    if (w->failed || s.n == 0) return;
    if (s.n > w->room - w->n_text) {
        size_t room = 2 * w->n_text + s.n + 256;
        char *grown = realloc(w->text, room);
        if (!grown) {
            w->failed = true;
            return;
        }
        w->text = grown;
        w->room = room;
    }
    memcpy(w->text + w->n_text, s.p, s.n);
    w->n_text += s.n;
}

static void flush_text(Writer *w) {
    if (w->failed || w->n_text == 0) return;
    int room = w->n < w->cap ? w->cap - w->n : 0;
    int count = tokenizer_encode(w->t, w->text, w->n_text, false, false, room ? w->ids + w->n : NULL, room);
    if (count < 0 || count > INT_MAX / 2 - w->n) w->failed = true;
    else w->n += count;
    w->n_text = 0;
}

static void put_id(Writer *w, int32_t id) {
    flush_text(w);
    if (w->n < w->cap) w->ids[w->n] = id;
    w->n++;
}

/* Bytes of the name at p that may be one of a control token: up to the bracket that closes it; 0 when none
 * does. */
static size_t name_length(const char *p) {
    const char *close = *p == '<' ? strchr(p, '>') : *p == '[' ? strchr(p, ']') : NULL;
    return close ? (size_t)(close - p) + 1 : 0;
}

/* The control token of that name; -1 when the vocabulary has none. */
static int32_t control_of(const Tokenizer *t, const char *name, size_t n) {
    char text[64];
    if (n == 0 || n >= sizeof text) return -1;
    memcpy(text, name, n);
    text[n] = 0;
    int32_t end = strcmp(text, EOS) == 0 ? tokenizer_eos(t) : -1;
    return end >= 0 ? end : tokenizer_control(t, text);
}

/* What a template says itself. */
static void put_fixed(Writer *w, const char *p) {
    while (*p) {
        size_t n = name_length(p);
        int32_t id = control_of(w->t, p, n);
        if (id >= 0) put_id(w, id);
        else put_text(w, (GgufString){p, n = 1});
        p += n;
    }
}

static void put_turn(Writer *w, const ChatStyle *s, Around around, GgufString text) {
    put_fixed(w, around.before);
    put_text(w, s->trims ? trim(text) : text);
    put_fixed(w, around.after);
}

static GgufString text_of_turn(const GemmaTurn *turn) { return (GgufString){turn->text, turn->n}; }

/* System turns turns[n] in the user's turn, with the user's text after them, or alone. */
static void put_folded(Writer *w, const ChatStyle *s, const GemmaTurn *turns, int n, const GemmaTurn *user) {
    bool any = user != NULL;
    for (int i = 0; i < n; i++) any |= turns[i].n > 0;
    if (!any) return;
    put_fixed(w, s->user.before);
    size_t start = w->n_text;
    for (int i = 0; i < n; i++) {
        if (turns[i].n == 0) continue;
        put_fixed(w, s->system.before);
        put_text(w, text_of_turn(&turns[i]));
        put_fixed(w, s->system.after);
    }
    if (user) {
        put_text(w, s->trims ? trim(text_of_turn(user)) : text_of_turn(user));
    } else if (s->trims && w->text) {       /* the system text is all that the user says */
        GgufString all = trim((GgufString){w->text + start, w->n_text - start});
        memmove(w->text + start, all.p, all.n);
        w->n_text = start + all.n;
    }
    put_fixed(w, s->user.after);
}

/* An answer, up to its end. */
static void put_answer(Writer *w, const ChatStyle *s, GgufString text) {
    put_fixed(w, s->assistant.before);
    if (s->leads) put_text(w, (GgufString){" ", 1});
    put_text(w, s->trims ? trim(text) : text);
}

static void put_turns(Writer *w, const ChatStyle *s, const GemmaTurn *turns, int n_turns) {
    for (int i = 0; i < n_turns && !w->failed;) {
        int n_system = 0;
        while (i + n_system < n_turns && turns[i + n_system].role == GEMMA_SYSTEM) n_system++;
        const GemmaTurn *user = i + n_system < n_turns && turns[i + n_system].role == GEMMA_USER
            ? &turns[i + n_system] : NULL;
        if (s->folds_system) {
            put_folded(w, s, turns + i, n_system, user);
        } else {
            for (int k = i; k < i + n_system; k++)
                if (turns[k].n) put_turn(w, s, s->system, text_of_turn(&turns[k]));
            if (user) put_turn(w, s, s->user, text_of_turn(user));
        }
        i += n_system + (user != NULL);
        if (i == n_turns || turns[i].role != GEMMA_ASSISTANT) continue;
        put_answer(w, s, text_of_turn(&turns[i]));
        /* The last turn stays open: a caller continues it, or adds the next turns after it. */
        if (++i < n_turns) put_fixed(w, s->assistant.after);
    }
}

/* ------------------------------------------------------------------------------------------ turns with tools */

static const char *const tool_tokens[] = {"<start_function_declaration>", "<end_function_declaration>",
    "<start_function_call>", "<end_function_call>",
                                          "<start_function_response>", "<end_function_response>", "<escape>"};
enum { N_TOOL_TOKENS = sizeof tool_tokens / sizeof *tool_tokens };

/* The token whose name stands at p[n], or -1; *length: of the name. */
static int32_t tool_token_at(const Tokenizer *t, const char *p, size_t n, size_t *length) {
    for (int i = 0; i < N_TOOL_TOKENS; i++) {
        *length = strlen(tool_tokens[i]);
        if (*length <= n && memcmp(p, tool_tokens[i], *length) == 0)
            return tokenizer_control(t, tool_tokens[i]);
    }
    return -1;
}

static void put_tool_text(Writer *w, GgufString s) {
    size_t start = 0;
    for (size_t i = 0, length; i < s.n; i++) {
        int32_t id = s.p[i] == '<' ? tool_token_at(w->t, s.p + i, s.n - i, &length) : -1;
        if (id < 0) continue;
        put_text(w, (GgufString){s.p + start, i - start});
        put_id(w, id);
        start = i + length;
        i = start - 1;
    }
    put_text(w, (GgufString){s.p + start, s.n - start});
}

static void open_turn(Writer *w, const Around **open, const Around *own) {
    if (*open) put_fixed(w, (*open)->after);
    put_fixed(w, own->before);
    *open = own;
}

/* `open`: whose turn stands open before the first, or NULL. */
static void put_turns_with_tools(Writer *w, const ChatStyle *s, const GemmaTurn *turns, int n_turns,
    const Around *open) {
    const Around *own[] = {&s->system, &s->user, &s->assistant};
    bool after_tool = false;
    for (int i = 0; i < n_turns; i++) {
        GemmaRole role = turns[i].role;
        bool tool = role == GEMMA_TOOL, continues = tool ? open && open != &s->user : after_tool
            && role == GEMMA_ASSISTANT && open == &s->assistant;
        if (role == GEMMA_SYSTEM && turns[i].n == 0) continue;
        if (role == GEMMA_SYSTEM && open == &s->system) put_text(w, (GgufString){"\n\n", 2});
        else if (!continues) open_turn(w, &open, tool ? (open ? &s->assistant : &s->system) : own[role]);
        if (tool) put_tool_text(w, text_of_turn(&turns[i]));
        else put_text(w, s->trims ? trim(text_of_turn(&turns[i])) : text_of_turn(&turns[i]));
        after_tool = tool;
    }
    if (n_turns == 0 || open != &s->assistant) open_turn(w, &open, &s->assistant);
}

static GemmaStatus check_roles(const ChatStyle *s, const GemmaTurn *turns, int n_turns, GemmaError *err) {
    for (int i = 0; i < n_turns; i++) {
        if (turns[i].role > GEMMA_TOOL)
            return error_set(err, GEMMA_BAD_ARGUMENT, "Turn %d has role %d; 0 to %d are known.", i,
            (int)turns[i].role, GEMMA_TOOL);
        if (turns[i].role == GEMMA_TOOL && !s->has_tools)
            return error_set(err, GEMMA_UNSUPPORTED,
                "Turns of style \"%s\" have no tokens for tools; describe the tools in the text.", s->name);
    }
    return GEMMA_OK;
}

GemmaStatus chat_encode(const Chat *c, const Tokenizer *t, const GemmaTurn *turns, int n_turns,
    GemmaConversation conversation, GemmaIds *ids,
                        GemmaError *err) {
    const ChatStyle *s = c->style;
    if (!s) return error_set(err, GEMMA_UNSUPPORTED,
        "This model has no turns that the engine knows; load it without chat.");
    if (check_roles(s, turns, n_turns, err) != GEMMA_OK) return err->status;
    Writer w = {.t = t, .ids = ids->ids, .cap = ids->cap};
    if (conversation == GEMMA_NEW && c->bos) put_id(&w, tokenizer_bos(t));
    if (s->has_tools) {
        put_turns_with_tools(&w, s, turns, n_turns, conversation == GEMMA_CONTINUED ? &s->assistant : NULL);
    } else {
        if (conversation == GEMMA_CONTINUED) put_fixed(&w, s->assistant.after);
        put_turns(&w, s, turns, n_turns);
        if (n_turns == 0 || turns[n_turns - 1].role != GEMMA_ASSISTANT) put_fixed(&w, s->assistant.before);
    }
    flush_text(&w);
    free(w.text);
    if (w.failed) return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the tokens of %d turns.",
        n_turns);
    ids->n = w.n;
    return GEMMA_OK;
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

/* Which of names[n] are tokens of the vocabulary below n_ids. */
static unsigned find_tokens(const Gguf *g, int n_ids, const char *const *names, int n) {
    const GgufEntry *e = gguf_find(g, "tokenizer.ggml.tokens");
    unsigned found = 0;
    if (!e || e->type != GGUF_ARRAY || e->elem_type != GGUF_STRING) return 0;
    const uint8_t *cursor = e->value;
    for (uint64_t id = 0; id < e->count && id < (uint64_t)n_ids; id++) {
        GgufString piece = gguf_next_string(&cursor);
        for (int i = 0; i < n; i++)
            if (gguf_equals(piece, names[i])) found |= 1u << i;
    }
    return found;
}

static const ChatStyle *style_named(const char *name) {
    int i = 0;
    while (i < N_STYLES && strcmp(styles[i].name, name) != 0) i++;
    return &styles[i];
}

static const ChatStyle *style_of_template(GgufString template, bool has_turns, bool has_tools) {
    for (int i = 0; i < N_STYLES; i++) {
        const ChatStyle *s = &styles[i];
        bool has_tokens = (has_turns || !s->needs_tokens) && (has_tools || !s->has_tools);
        if (contains(template, s->marks[0]) && (!s->marks[1] || contains(template, s->marks[1]))
            && has_tokens) return s;
    }
    return NULL;
}

void chat_read(Chat *c, const Gguf *g, int n_ids) {
    static const char *const names[] = {"<start_of_turn>", "<end_of_turn>", "<|im_start|>", "<|im_end|>"};
    const unsigned all_tools = (1u << N_TOOL_TOKENS) - 1;
    GgufString template = text_of(g, "tokenizer.chat_template");
    unsigned found = find_tokens(g, n_ids, names, 4);
    bool has_turns = (found & 3) == 3, has_chatml = (found & 12) == 12;
    bool has_tools = has_turns && find_tokens(g, n_ids, tool_tokens, N_TOOL_TOKENS) == all_tools;
    *c = (Chat){.tuned = template.n > 0 || says_tuned(text_of(g, "general.finetune"))
        || says_tuned(text_of(g, "general.name")), .stop = ""};
    c->style = style_of_template(template, has_turns, has_tools);
    /* Without a template, tokens decide: a Gemma's vocabulary has the tokens of ChatML or of tools only for
     * that purpose. */
    c->tuned |= has_chatml || has_tools;
    if (!c->style && (template.n == 0 || contains(template, "<start_of_turn>")))
        c->style = has_chatml ? style_named("chatml") : has_tools ? style_named("functions") : has_turns
            ? style_named("turns") : NULL;
    if (!c->style) return;
    GemmaError ignored;
    c->bos = true;
    gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &c->bos, &ignored);
    c->bos |= c->style->needs_tokens || contains(template, "bos_token") || contains(template, "<bos>");
    const char *end = c->style->end;
    if (strcmp(end, EOS) != 0 && !find_tokens(g, n_ids, &end, 1)) c->stop = end;
}

const char *chat_style(const Chat *c) { return c->style ? c->style->name : ""; }
bool chat_leads(const Chat *c) { return c->style && c->style->leads; }

#ifdef __clang__
#pragma clang attribute pop
#endif
