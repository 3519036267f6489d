/* json.c: see json.h. */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "utf8.h"

enum { MAX_NODES = (1 << 29) - 1, MAX_NUMBER = 64, FEW_MEMBERS = 8 };

typedef struct {
    char *text;
    size_t n, at;
    JsonNode *nodes;
    size_t n_nodes, room;
    int depth;
    GemmaError *err;
} Parser;

static bool fail(Parser *p, const char *what) {
    error_set(p->err, GEMMA_BAD_FILE, "It is not sound JSON: at byte %zu %s.", p->at, what);
    return false;
}

/* The next value's index; -1 when there is no room. */
static int64_t add_node(Parser *p, JsonKind kind) {
    if (p->n_nodes == p->room) {
        size_t bigger = p->room ? 2 * p->room : 64;
        JsonNode *nodes = bigger <= MAX_NODES ? realloc(p->nodes, bigger * sizeof *nodes) : NULL;
        if (!nodes) {
            error_set(p->err, GEMMA_NO_MEMORY, "Not enough memory for its %zu values.", p->n_nodes);
            return -1;
        }
        p->nodes = nodes;
        p->room = bigger;
    }
    p->nodes[p->n_nodes] = (JsonNode){.kind = kind, .nodes = 1};
    return (int64_t)p->n_nodes++;
}

static void skip_space(Parser *p) {
    while (p->at < p->n && strchr(" \t\n\r", p->text[p->at]) && p->text[p->at]) p->at++;
}

static bool next_is(Parser *p, char c) {
    return p->at < p->n && p->text[p->at] == c;
}

static bool next_is_digit(Parser *p) {
    return p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9';
}

/* ------------------------------------------------------------------------------------------ strings and numbers */

/* Four hexadecimal digits; -1 when they are not. */
static int32_t read_hex(Parser *p) {
    int32_t code = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        char c = p->at < p->n ? p->text[p->at] : 0;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A'
            && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* After \u: one code point, of two escapes when it lies above U+FFFF; -1 with a sentence. */
static int32_t read_code_point(Parser *p) {
    int32_t code = read_hex(p);
    if (code < 0) fail(p, "four hexadecimal digits were expected");
    if (code < 0xd800 || code > 0xdfff) return code;
    int32_t low = -1;
    if (code < 0xdc00 && p->n - p->at >= 2 && p->text[p->at] == '\\' && p->text[p->at + 1] == 'u') {
        p->at += 2;
        low = read_hex(p);
    }
    if (low < 0xdc00 || low > 0xdfff) {
        fail(p, "half of a surrogate pair stands alone");
        return -1;
    }
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

static size_t put_utf8(char *out, int32_t code) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    out[0] = (char)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | code >> (6 * more));
    for (int i = 1; i <= more; i++) out[i] = (char)(0x80 | (code >> (6 * (more - i)) & 63));
    return (size_t)more + 1;
}

/* After a backslash: writes what the escape means to `out`, which lies before it: an escape is never
 * shorter. */
static bool read_escape(Parser *p, size_t *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = p->at < p->n ? p->text[p->at] : 0;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        p->text[(*out)++] = to[known - from];
        p->at++;
        return true;
    }
    if (c != 'u') return fail(p, "the backslash is followed by no known letter");
    p->at++;
    int32_t code = read_code_point(p);
    if (code < 0) return false;
    *out += put_utf8(p->text + *out, code);
    return true;
}

static bool read_string(Parser *p) {
    int64_t node = add_node(p, JSON_STRING);
    if (node < 0) return false;
    size_t start = ++p->at, out = start;
    for (;;) {
        if (p->at == p->n) return fail(p, "the text ends within a string");
        unsigned char c = (unsigned char)p->text[p->at];
        if (c == '"') break;
        if (c == '\\') {
            p->at++;
            if (!read_escape(p, &out)) return false;
            continue;
        }
        if (c < 0x20) return fail(p, "a string holds a control character");
        size_t length = utf8_length(p->text + p->at, p->n - p->at);
        if (length == 0) return fail(p, "a string is not UTF-8");
        if (out != p->at) memmove(p->text + out, p->text + p->at, length);
        out += length;
        p->at += length;
    }
    p->at++;
    p->nodes[node].text = p->text + start;
    p->nodes[node].n = (uint32_t)(out - start);
    return true;
}

static bool read_digits(Parser *p) {
    if (!next_is_digit(p)) return fail(p, "a digit was expected");
    while (next_is_digit(p)) p->at++;
    return true;
}

/* Whether a word is next; it is read then. */
static bool take_word(Parser *p, const char *word) {
    size_t n = strlen(word);
    if (p->n - p->at < n || memcmp(p->text + p->at, word, n) != 0) return false;
    p->at += n;
    return true;
}

/* Python writes NaN, Infinity and -Infinity: numbers that no question gives. */
static bool read_number(Parser *p) {
    int64_t node = add_node(p, JSON_NUMBER);
    if (node < 0) return false;
    size_t start = p->at;
    if (next_is(p, '-')) p->at++;
    if (take_word(p, "Infinity") || (p->at == start && take_word(p, "NaN"))) {
        p->nodes[node].text = p->text + start;
        p->nodes[node].n = (uint32_t)(p->at - start);
        return true;
    }
    if (next_is(p, '0')) p->at++;
    else if (!read_digits(p)) return false;
    if (next_is(p, '.')) {
        p->at++;
        if (!read_digits(p)) return false;
    }
    if (next_is(p, 'e') || next_is(p, 'E')) {
        p->at++;
        if (next_is(p, '+') || next_is(p, '-')) p->at++;
        if (!read_digits(p)) return false;
    }
    if (p->at - start >= MAX_NUMBER) return fail(p, "a number is too long");
    p->nodes[node].text = p->text + start;
    p->nodes[node].n = (uint32_t)(p->at - start);
    return true;
}

static bool read_word(Parser *p, const char *word, JsonKind kind) {
    return take_word(p, word) ? add_node(p, kind) >= 0 : fail(p, "a value was expected");
}

/* ------------------------------------------------------------------------------------------ arrays and objects */

static int compare_keys(const void *a, const void *b) {
    const JsonNode *x = *(const JsonNode *const *)a, *y = *(const JsonNode *const *)b;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return memcmp(x->text, y->text, x->n);
}

static bool keys_differ(Parser *p, const JsonNode *object) {
    const JsonNode *few[FEW_MEMBERS], **keys = object->n <= FEW_MEMBERS ? few
        : malloc(object->n * sizeof *keys);
    if (!keys) {
        error_set(p->err, GEMMA_NO_MEMORY, "Not enough memory for an object of %" PRIu32 " members.",
            object->n);
        return false;
    }
    const JsonNode *key = json_first(object);
    for (uint32_t i = 0; i < object->n; i++, key = json_next(key + 1)) keys[i] = key;
    qsort(keys, object->n, sizeof *keys, compare_keys);
    bool differ = true;
    for (uint32_t i = 1; i < object->n && differ; i++) differ = compare_keys(&keys[i - 1], &keys[i]) != 0;
    if (keys != few) free(keys);
    return differ || fail(p, "an object ends that has the same key twice");
}

static bool read_value(Parser *p);

static bool read_member(Parser *p) {
    if (!next_is(p, '"')) return fail(p, "a key was expected");
    if (!read_string(p)) return false;
    skip_space(p);
    if (!next_is(p, ':')) return fail(p, "a colon was expected");
    p->at++;
    return read_value(p);
}

static bool read_container(Parser *p, JsonKind kind) {
    char close = kind == JSON_ARRAY ? ']' : '}';
    if (p->depth == JSON_MAX_DEPTH) return fail(p, "it is nested too deeply");
    int64_t node = add_node(p, kind);
    if (node < 0) return false;
    p->depth++;
    p->at++;
    skip_space(p);
    uint32_t n = 0;
    while (!next_is(p, close)) {
        if (n > 0) {
            if (!next_is(p, ',')) return fail(p, "a comma or a closing bracket was expected");
            p->at++;
            skip_space(p);
        }
        if (!(kind == JSON_ARRAY ? read_value(p) : read_member(p))) return false;
        n++;
        skip_space(p);
    }
    p->at++;
    p->depth--;
    p->nodes[node].n = n;
    p->nodes[node].nodes = (uint32_t)(p->n_nodes - (size_t)node) & MAX_NODES;
    return kind == JSON_ARRAY || keys_differ(p, &p->nodes[node]);
}

static bool read_value(Parser *p) {
    skip_space(p);
    switch (p->at < p->n ? p->text[p->at] : 0) {
    case '{': return read_container(p, JSON_OBJECT);
    case '[': return read_container(p, JSON_ARRAY);
    case '"': return read_string(p);
    case 't': return read_word(p, "true", JSON_TRUE);
    case 'f': return read_word(p, "false", JSON_FALSE);
    case 'n': return read_word(p, "null", JSON_NULL);
    case 'N': case 'I': case '-': return read_number(p);
    default: return next_is_digit(p) ? read_number(p) : fail(p, "a value was expected");
    }
}

JsonNode *json_parse(char *text, size_t n, GemmaError *err) {
    Parser p = {.text = text, .n = n, .err = err};
    bool good = n <= JSON_MAX_BYTES;
    if (!good) error_set(err, GEMMA_BAD_FILE, "It has %zu bytes of JSON; at most %d are read.", n,
        JSON_MAX_BYTES);
    take_word(&p, "\xef\xbb\xbf");       /* a byte order mark, as editors under Windows put it */
    good = good && read_value(&p);
    skip_space(&p);
    if (good && p.at < n) good = fail(&p, "something follows the value");
    if (good) return p.nodes;
    free(p.nodes);
    return NULL;
}

void json_free(JsonNode *root) {
    free(root);
}

/* ------------------------------------------------------------------------------------------ asking */

bool json_equals(const JsonNode *node, const char *string) {
    return node && node->kind == JSON_STRING && node->n == strlen(string)
        && memcmp(node->text, string, node->n) == 0;
}

const JsonNode *json_find(const JsonNode *object, const char *key) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    const JsonNode *member = json_first(object);
    for (uint32_t i = 0; i < object->n; i++, member = json_next(member + 1))
        if (json_equals(member, key)) return member + 1;
    return NULL;
}

const JsonNode *json_get(const JsonNode *object, const char *key) {
    const JsonNode *value = json_find(object, key);
    return value && value->kind != JSON_NULL ? value : NULL;
}

/* The number's text with a 0 after it. */
static const char *terminated(const JsonNode *node, char buf[MAX_NUMBER]) {
    memcpy(buf, node->text, node->n);
    buf[node->n] = 0;
    return buf;
}

bool json_int(const JsonNode *node, int64_t *value) {
    char buf[MAX_NUMBER], *end;
    if (!node || node->kind != JSON_NUMBER) return false;
    errno = 0;
    long long whole = strtoll(terminated(node, buf), &end, 10);
    if (errno || *end) return false;
    *value = whole;
    return true;
}

bool json_double(const JsonNode *node, double *value) {
    char buf[MAX_NUMBER];
    if (!node || node->kind != JSON_NUMBER) return false;
    *value = strtod(terminated(node, buf), NULL);
    return isfinite(*value);        /* NaN and Infinity have no value, and neither has 1e999 */
}
