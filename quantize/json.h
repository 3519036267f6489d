/* json.h: a strict reader of JSON (RFC 8259) for files of foreign make, but for what Python and editors
 * write: NaN, Infinity and -Infinity are numbers without a value, and a byte order mark may come first.
 * Refused, with a sentence that names the byte: anything else that is no JSON, text after the value, strings
 * that are not UTF-8 (halves of surrogate pairs too), equal keys in an object, nesting deeper than
 * JSON_MAX_DEPTH. Memory is at most 16 bytes per value beside the text. Knows nothing of files. */
#ifndef JSON_H
#define JSON_H

#include "gemma.h"

enum { JSON_MAX_BYTES = 256 << 20, JSON_MAX_DEPTH = 64 };

typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } JsonKind;

/* A value. The values inside follow it in memory: those of an array one after the other, of an object key,
 * value, key, value. */
typedef struct {
    const char *text;       /* of strings (decoded, not 0-terminated) and numbers (as written) */
    uint32_t n;             /* strings, numbers: bytes of text; arrays: elements; objects: members */
    uint32_t kind : 3;
    uint32_t nodes : 29;    /* this one and all inside */
} JsonNode;

/* Parses text[n] and decodes its strings in place: `text` is changed, and must stay as long as the result,
 * which is the root of an array for json_free. NULL with *err. */
JsonNode *json_parse(char *text, size_t n, GemmaError *err);
void json_free(JsonNode *root);

/* The value after this one, and the first one inside an array or object (there is one when n > 0). */
static inline const JsonNode *json_next(const JsonNode *node) { return node + node->nodes; }
static inline const JsonNode *json_first(const JsonNode *node) { return node + 1; }

/* The member's value; NULL when it is absent, or `object` is NULL or no object. */
const JsonNode *json_find(const JsonNode *object, const char *key);
/* The same, but NULL when the value is null, too. */
const JsonNode *json_get(const JsonNode *object, const char *key);
bool json_equals(const JsonNode *node, const char *string);

/* The number, when it is written as a whole one and fits. NULL, other kinds, and numbers without a value or
 * beyond a double's, such as 1e999, are false. */
bool json_int(const JsonNode *node, int64_t *value);
bool json_double(const JsonNode *node, double *value);

#endif
