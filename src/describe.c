/* describe.c: see describe.h. */
#include "describe.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant.h"
#include "utf8.h"

/* Code that runs once per file is compiled for size: modules are downloaded. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

enum {
    SHOWN_STRING = 2000,        /* bytes of a string */
    SHOWN_ELEMENT = 200,        /* bytes of a string in an array */
    SHOWN_ELEMENTS = 8,
    METADATA_BUDGET = 1 << 20,  /* bytes, after which no further entry begins */
};

/* Counts all that is written, keeps what fits. */
typedef struct {
    char *text;
    size_t n, cap;
} Out;

static void put(Out *o, const char *text, size_t n) {
    if (o->n < o->cap) memcpy(o->text + o->n, text, n < o->cap - o->n ? n : o->cap - o->n);
    o->n += n;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void put_format(Out *o, const char *format, ...) {
    char text[200];     /* only for our own words and numbers */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(o, text, (size_t)n);
}

/* A JSON string of at most about `most` bytes of s; broken UTF-8 becomes U+FFFD. */
static void put_string(Out *o, GgufString s, size_t most) {
    put(o, "\"", 1);
    size_t i = 0;
    while (i < s.n && i < most) {
        size_t length = utf8_length(s.p + i, s.n - i);
        unsigned char c = (unsigned char)s.p[i];
        if (length == 0) put(o, "\xef\xbf\xbd", 3);
        else if (c < 0x20) put_format(o, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\') put(o, "\\", 1);
            put(o, s.p + i, length);
        }
        i += length ? length : 1;
    }
    if (i < s.n) put(o, "\xe2\x80\xa6", 3);
    put(o, "\"", 1);
}

/* The shortest digits that read back as the same number. */
static void put_number(Out *o, double number, bool is_float) {
    char text[40];
    if (!isfinite(number)) {
        put(o, "null", 4);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        double read = strtod(text, NULL);
        if (is_float ? (float)read == (float)number : read == number) break;
    }
    put(o, text, strlen(text));
}

/* Element i of a numeric entry. 64-bit integers do not pass through a double. */
static void put_element(Out *o, const GgufEntry *e, uint64_t i) {
    uint64_t whole;
    switch (e->elem_type) {
    case GGUF_UINT64:
        memcpy(&whole, e->value + i * 8, 8);
        put_format(o, "%" PRIu64, whole);
        break;
    case GGUF_INT64:
        memcpy(&whole, e->value + i * 8, 8);
        put_format(o, "%" PRId64, (int64_t)whole);
        break;
    case GGUF_BOOL:
        if (gguf_number_at(e, i) != 0) put(o, "true", 4);
        else put(o, "false", 5);
        break;
    default:
        put_number(o, gguf_number_at(e, i), e->elem_type == GGUF_FLOAT32);
    }
}

static void put_elements(Out *o, const GgufEntry *e, uint64_t n) {
    const uint8_t *cursor = e->value;
    put(o, "[", 1);
    for (uint64_t i = 0; i < n; i++) {
        if (i) put(o, ", ", 2);
        if (e->elem_type == GGUF_STRING) put_string(o, gguf_next_string(&cursor), SHOWN_ELEMENT);
        else put_element(o, e, i);
    }
    put(o, "]", 1);
}

static void put_value(Out *o, const GgufEntry *e) {
    static const char *const type_name[] = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32",
        "bool", "string",
                                            "array", "uint64", "int64", "float64"};
    const uint8_t *cursor = e->value;
    if (e->type == GGUF_STRING) put_string(o, gguf_next_string(&cursor), SHOWN_STRING);
    else if (e->type != GGUF_ARRAY) put_element(o, e, 0);
    else if (e->count <= SHOWN_ELEMENTS) put_elements(o, e, e->count);
    else {
        put_format(o, "{\"type\": \"array\", \"of\": \"%s\", \"count\": %" PRIu64 ", \"first\": ",
            type_name[e->elem_type], e->count);
        put_elements(o, e, SHOWN_ELEMENTS);
        put(o, "}", 1);
    }
}

/* A size of the layers, at `offset` in LayerConfig: one number, or where layers differ, one for each. */
static void put_layer_size(Out *o, const Config *c, const char *name, size_t offset) {
    bool differ = false;
    int first, size;
    memcpy(&first, (const char *)&c->layers[0] + offset, sizeof first);
    put_format(o, ", \"%s\": ", name);
    for (int i = 1; i < c->n_layer; i++) differ |= memcmp(&first, (const char *)&c->layers[i] + offset,
        sizeof first) != 0;
    for (int i = 0; i < (differ ? c->n_layer : 1); i++) {
        memcpy(&size, (const char *)&c->layers[i] + offset, sizeof size);
        put_format(o, "%s%d", !differ ? "" : i ? ", " : "[", size);
    }
    if (differ) put(o, "]", 1);
}

static void put_sizes(Out *o, const Config *c) {
    if (!c || !c->layers) {
        put(o, "null", 4);
        return;
    }
    int window = 0, n_local = 0;
    for (int i = 0; i < c->n_layer; i++) {
        if (!c->layers[i].window) continue;
        window = c->layers[i].window;
        n_local++;
    }
    put_format(o, "{\"n_layer\": %d, \"n_embd\": %d", c->n_layer, c->n_embd);
    put_layer_size(o, c, "n_head", offsetof(LayerConfig, n_head));
    put_layer_size(o, c, "n_head_kv", offsetof(LayerConfig, n_head_kv));
    put_layer_size(o, c, "head_dim", offsetof(LayerConfig, head_dim));
    put_layer_size(o, c, "n_ff", offsetof(LayerConfig, n_ff));
    if (c->n_caches < c->n_layer) put_format(o, ", \"kvLayers\": %d", c->n_caches);
    put_format(o, ", \"n_vocab\": %d, \"n_ctx_train\": %d, \"window\": %d, \"localLayers\": %d}", c->n_vocab,
        c->n_ctx_train, window,
               n_local);
}

/* Types in the order of their numbers, those that occur. */
static void put_types(Out *o, const Gguf *g) {
    bool first = true;
    put(o, "{", 1);
    for (uint32_t type = 0; type < 256; type++) {
        uint64_t count = 0, bytes = 0;
        for (size_t i = 0; i < g->n_tensors; i++) {
            if (g->tensors[i].type != type) continue;
            count++;
            bytes += g->tensors[i].size;
        }
        if (!count) continue;
        const char *name = quant_type_name(type);
        put(o, ", ", first ? 0 : 2);
        if (strcmp(name, "unknown") == 0) put_format(o, "\"type %" PRIu32 "\"", type);
        else put_format(o, "\"%s\"", name);
        put_format(o, ": {\"count\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", count, bytes);
        first = false;
    }
    put(o, "}", 1);
}

static void put_text_entry(Out *o, const Gguf *g, const char *key) {
    const GgufEntry *e = gguf_find(g, key);
    if (e && e->type == GGUF_STRING) put_value(o, e);
    else put(o, "null", 4);
}

size_t describe_json(const Gguf *g, const Config *c, uint64_t weight_bytes, char *json, size_t cap) {
    Out o = {.text = json, .cap = cap};
    uint64_t parameters = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const uint64_t *dims = g->tensors[i].dims;
        parameters += dims[0] * dims[1] * dims[2] * dims[3];
    }
    put_format(&o, "{\"architecture\": ");
    put_text_entry(&o, g, "general.architecture");
    put_format(&o, ", \"name\": ");
    put_text_entry(&o, g, "general.name");
    put_format(&o, ", \"version\": %" PRIu32 ", \"fileSize\": %" PRIu64 ", \"headerSize\": %" PRIu64,
        g->version, g->file_size,
               g->header_size);
    put_format(&o, ", \"weightBytes\": %" PRIu64 ", \"parameters\": %" PRIu64 ", \"sizes\": ",
        weight_bytes, parameters);
    put_sizes(&o, c);
    put_format(&o, ", \"tensorCount\": %zu, \"types\": ", g->n_tensors);
    put_types(&o, g);
    put_format(&o, ", \"metadata\": {");
    size_t shown = 0;
    for (; shown < g->n_entries && o.n < METADATA_BUDGET; shown++) {
        if (shown) put(&o, ", ", 2);
        put_string(&o, g->entries[shown].key, SHOWN_STRING);
        put(&o, ": ", 2);
        put_value(&o, &g->entries[shown]);
    }
    put_format(&o, "}, \"metadataOmitted\": %zu}", g->n_entries - shown);
    if (o.n < cap) json[o.n] = 0;
    return o.n;
}

static void put_text(Out *o, const char *key, const char *text) {
    put_format(o, "\"%s\": ", key);
    put_string(o, (GgufString){text, strlen(text)}, SHOWN_STRING);
}

static void put_shape(Out *o, const GemmaShape *s) {
    put(o, "{", 1);
    put_text(o, "architecture", s->architecture);
    put_format(o, ", \"layers\": %d, \"embd\": %d, \"heads\": %d, \"kv\": %d, \"dim\": %d", s->n_layer,
        s->n_embd, s->n_head, s->n_head_kv, s->head_dim);
    put_format(o, ", \"ff\": %d, \"vocab\": %d, \"ctx\": %d, \"window\": %d}", s->n_ff, s->n_vocab,
        s->n_ctx_train, s->window);
}

size_t describe_plan(const GemmaPlan *p, char *json, size_t cap) {
    static const char *const guesses[] = {"sizes", "vocabulary", "types"};
    Out o = {.text = json, .cap = cap};
    put_format(&o, "{\"shape\": ");
    put_shape(&o, &p->shape);
    put_format(&o, ", ");
    put_text(&o, "name", p->name);
    put_format(&o, ", \"chat\": %s, ", p->chat ? "true" : "false");
    put_text(&o, "chatStyle", p->chat_style);
    put_format(&o, ", ");
    put_text(&o, "chatStop", p->chat_stop);
    put_format(&o, ", \"chatLeads\": %s, \"type\": \"%s\", \"guessed\": [", p->chat_leads ? "true"
        : "false", p->type);
    bool first = true;
    for (int i = 0; i < 3; i++) {
        if (!(p->guessed >> i & 1)) continue;
        put_format(&o, "%s\"%s\"", first ? "" : ", ", guesses[i]);
        first = false;
    }
    put_format(&o, "], \"weightBytes\": %" PRIu64 ", \"bytesPerToken\": %" PRIu64 "}", p->weight_bytes,
        p->bytes_per_token);
    if (o.n < cap) json[o.n] = 0;
    return o.n;
}

#ifdef __clang__
#pragma clang attribute pop
#endif
