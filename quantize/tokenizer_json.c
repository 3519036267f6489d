/* tokenizer_json.c: see tokenizer_json.h.
 *
 *   {"model": {"type": "BPE", "byte_fallback": true, "vocab": {TOKEN: ID, ...},
 *              "merges": [[A, B], ...] or ["A B", ...]},
 *    "added_tokens": [{"id": ID, "content": TOKEN, "special": true}, ...]}
 *
 * Scores: the tokens that a merge makes are numbered in the order of their first merge, those that none makes
 * (single characters) follow by id; the score is minus that number, as SentencePiece's trainer gave it. Two
 * tokens are merged when the joined text has the best score: the same choice as by the merge of the lowest
 * rank, since the merges of a token follow one another.
 *
 * Gemma's files have "\t" where SentencePiece has the byte <0x09>, without which a vocabulary of bytes is not
 * whole. */
#include "tokenizer_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "utf8.h"

enum { MAX_TOKEN = 256 };       /* bytes: what the engine's tokenizer takes */

/* Open addressing: from a text to its id. The texts are the vocabulary's. */
typedef struct {
    int32_t *slots;         /* ids; -1: empty */
    uint32_t mask;
} Index;

static bool fail(GemmaError *err, const char *what) {
    error_set(err, GEMMA_BAD_FILE, "It is no tokenizer of the kind that Gemma has: %s.", what);
    return false;
}

static bool no_memory(GemmaError *err) {
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the tokenizer.");
    return false;
}

/* ------------------------------------------------------------------------------------------ from text to id */

static uint32_t hash_text(const char *text, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)text[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The slot of the text, or the empty one where it would go. */
static int32_t *find_slot(const Index *index, const Vocabulary *v, const char *text, size_t n) {
    for (uint32_t at = hash_text(text, n);; at++) {
        int32_t *slot = &index->slots[at & index->mask];
        if (*slot < 0 || (v->tokens[*slot].n == n && memcmp(v->tokens[*slot].text, text, n) == 0))
            return slot;
    }
}

static bool index_open(Index *index, const Vocabulary *v, GemmaError *err) {
    uint32_t n = 16;
    while (n < 2 * (uint32_t)v->n) n *= 2;
    *index = (Index){malloc(n * sizeof *index->slots), n - 1};
    if (!index->slots) return no_memory(err);
    for (uint32_t i = 0; i < n; i++) index->slots[i] = -1;
    for (int id = 0; id < v->n; id++)
        if (v->tokens[id].text) *find_slot(index, v, v->tokens[id].text, v->tokens[id].n) = id;
    return true;
}

/* ------------------------------------------------------------------------------------------ reading */

static bool read_id(const JsonNode *node, int64_t *id) {
    return json_int(node, id) && *id >= 0 && *id < VOCABULARY_MAX;
}

/* One more than the largest id in vocab and added tokens; 0 with a sentence. */
static int count_tokens(const JsonNode *vocab, const JsonNode *added, GemmaError *err) {
    int64_t id, n = 0;
    const JsonNode *token = json_first(vocab);
    for (uint32_t i = 0; i < vocab->n; i++, token = json_next(token + 1)) {
        if (!read_id(token + 1, &id) || token->n > MAX_TOKEN)
            return fail(err, "a token of its vocab has no sound id, or is too long");
        if (id >= n) n = id + 1;
    }
    token = added ? json_first(added) : NULL;
    for (uint32_t i = 0; added && i < added->n; i++, token = json_next(token)) {
        const JsonNode *content = json_get(token, "content");
        if (!read_id(json_get(token, "id"), &id) || !content || content->kind != JSON_STRING
            || content->n > MAX_TOKEN)
            return fail(err, "an added token has no sound id and content");
        if (id >= n) n = id + 1;
    }
    return n > 0 ? (int)n : fail(err, "its vocab is empty");
}

/* Tokens are normal for now. */
static bool read_vocab(Vocabulary *v, const JsonNode *vocab, GemmaError *err) {
    const JsonNode *token = json_first(vocab);
    for (uint32_t i = 0; i < vocab->n; i++, token = json_next(token + 1)) {
        int64_t id;
        read_id(token + 1, &id);
        if (v->tokens[id].text) return fail(err, "two tokens of its vocab have the same id");
        if (!vocabulary_set(v, (int)id, token->text, token->n, 0, TOKEN_NORMAL, err)) return false;
    }
    return true;
}

/* The text that a merge makes; false with a sentence. */
static bool merged_text(const JsonNode *merge, char text[2 * MAX_TOKEN], size_t *n, GemmaError *err) {
    if (merge->kind == JSON_STRING) {       /* "A B": tokens have ▁ for a space, so there is only this one */
        const char *space = memchr(merge->text, ' ', merge->n);
        if (!space || merge->n > 2 * MAX_TOKEN) return fail(err, "a merge is not two tokens");
        size_t n_left = (size_t)(space - merge->text);
        *n = merge->n - 1;
        memcpy(text, merge->text, n_left);
        memcpy(text + n_left, space + 1, *n - n_left);
        return true;
    }
    if (merge->kind != JSON_ARRAY || merge->n != 2) return fail(err, "a merge is not two tokens");
    const JsonNode *a = json_first(merge), *b = json_next(a);
    if (a->kind != JSON_STRING || b->kind != JSON_STRING || a->n > MAX_TOKEN || b->n > MAX_TOKEN)
        return fail(err, "a merge is not two tokens");
    *n = a->n + b->n;
    memcpy(text, a->text, a->n);
    memcpy(text + a->n, b->text, b->n);
    return true;
}

/* order[id] = how many tokens had their first merge before this one; -1 where no merge makes it. */
static bool order_by_merges(int32_t *order, const Vocabulary *v, const JsonNode *merges, GemmaError *err) {
    Index index;
    if (!index_open(&index, v, err)) return false;
    for (int id = 0; id < v->n; id++) order[id] = -1;
    const JsonNode *merge = json_first(merges);
    int32_t n_made = 0;
    bool good = true;
    for (uint32_t i = 0; good && i < merges->n; i++, merge = json_next(merge)) {
        char text[2 * MAX_TOKEN];
        size_t n;
        good = merged_text(merge, text, &n, err);
        int32_t id = good ? *find_slot(&index, v, text, n) : 0;
        if (good && id < 0) good = fail(err, "a merge makes a token that its vocab lacks");
        if (good && order[id] < 0) order[id] = v->tokens[id].type == TOKEN_NORMAL ? n_made++ : 0;
    }
    free(index.slots);
    return good;
}

/* ------------------------------------------------------------------------------------------ SentencePiece's form */

static bool mark_added(Vocabulary *v, const JsonNode *added, GemmaError *err) {
    const JsonNode *token = added ? json_first(added) : NULL;
    for (uint32_t i = 0; added && i < added->n; i++, token = json_next(token)) {
        const JsonNode *content = json_get(token, "content"), *special = json_get(token, "special");
        int64_t id;
        read_id(json_get(token, "id"), &id);
        if (!vocabulary_set_added(v, (int)id, content->text, content->n, special
            && special->kind == JSON_TRUE, err)) return false;
    }
    return true;
}

static bool mark_bytes(Vocabulary *v, GemmaError *err) {
    int tab = -1, n_bytes = 0;
    bool has_tab_byte = false;
    for (int id = 0; id < v->n; id++) {
        Token *t = &v->tokens[id];
        if (t->type != TOKEN_NORMAL) continue;
        if (t->n == 1 && t->text[0] == '\t') tab = id;
        if (!vocabulary_is_byte(t->text, t->n)) continue;
        t->type = TOKEN_BYTE;
        n_bytes++;
        if (memcmp(t->text, "<0x09>", 6) == 0) has_tab_byte = true;
    }
    if (n_bytes > 0 && !has_tab_byte && tab >= 0)
        return vocabulary_set(v, tab, "<0x09>", 6, 0, TOKEN_BYTE, err);
    return true;
}

/* Whether no merge can make the token and it is no single character: text never becomes it. */
static bool is_unreachable(const Token *t, int32_t order) {
    return order < 0 && utf8_length(t->text, t->n) != t->n;
}

static void set_scores(Vocabulary *v, const int32_t *order) {
    int32_t next = 0;
    for (int id = 0; id < v->n; id++)
        if (v->tokens[id].type == TOKEN_NORMAL && order[id] >= next) next = order[id] + 1;
    for (int id = 0; id < v->n; id++) {
        Token *t = &v->tokens[id];
        if (t->type != TOKEN_NORMAL) continue;
        if (is_unreachable(t, order[id])) {
            bool is_tag = t->text[0] == '<' && t->text[t->n - 1] == '>';
            t->type = is_tag || vocabulary_looks_special(t->text, t->n) ? TOKEN_CONTROL : TOKEN_UNUSED;
            t->score = -1000;
        } else {
            t->score = -(float)(order[id] >= 0 ? order[id] : next++);
        }
    }
}

static bool is_gemmas_kind(const JsonNode *model, const JsonNode *added, GemmaError *err) {
    const JsonNode *vocab = json_get(model, "vocab"), *merges = json_get(model, "merges"),
        *fallback = json_get(model, "byte_fallback");
    if (!json_equals(json_get(model, "type"), "BPE") || !fallback || fallback->kind != JSON_TRUE)
        return fail(err, "its model is not BPE with byte_fallback");
    if (!vocab || vocab->kind != JSON_OBJECT || !merges || merges->kind != JSON_ARRAY)
        return fail(err, "its model has no vocab (an object) and merges (a list)");
    return !added || added->kind == JSON_ARRAY || fail(err, "its added_tokens are no list");
}

bool tokenizer_json_read(Vocabulary *v, const JsonNode *root, GemmaError *err) {
    const JsonNode *model = json_get(root, "model"), *added = json_get(root, "added_tokens");
    if (!is_gemmas_kind(model, added, err)) return false;
    int n = count_tokens(json_get(model, "vocab"), added, err);
    if (n == 0 || !vocabulary_resize(v, n, err) || !read_vocab(v, json_get(model, "vocab"), err))
        return false;
    int32_t *order = malloc((size_t)n * sizeof *order);
    /* Merges name tokens as they are in the vocab, so they come before the texts are changed; but added ones
     * take no number. */
    bool good = order || no_memory(err);
    if (good) {
        const JsonNode *token = added ? json_first(added) : NULL;
        for (uint32_t i = 0; added && i < added->n; i++, token = json_next(token)) {
            int64_t id;
            read_id(json_get(token, "id"), &id);
            v->tokens[id].type = TOKEN_USER_DEFINED;
        }
    }
    good = good && order_by_merges(order, v, json_get(model, "merges"), err) && mark_added(v, added, err)
        && mark_bytes(v, err) &&
           vocabulary_pad(v, err);
    if (good) set_scores(v, order);
    free(order);
    return good;
}
