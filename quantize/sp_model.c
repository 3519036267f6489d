/* sp_model.c: see sp_model.h.
 *
 * A protobuf message is a row of fields, each a varint  number << 3 | wire type  and a value:
 *   wire type 0: varint    1: 8 bytes    2: length (varint), bytes    5: 4 bytes
 *
 *   ModelProto     1: SentencePiece, once for each id    2: TrainerSpec
 *   SentencePiece  1: piece    2: score, float    3: type
 *   TrainerSpec    3: model_type (1 unigram, which is the default; 2 BPE; 3 word; 4 char) */
#include "sp_model.h"

#include <string.h>

#include "error.h"
#include "utf8.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { MODEL_UNIGRAM = 1, MODEL_BPE = 2 };
enum { MAX_PIECE = 256 };       /* bytes: what the engine's tokenizer takes */

typedef struct {
    const uint8_t *p;
    size_t n;
} Bytes;

typedef struct {
    uint64_t number;
    int wire;
    uint64_t value;         /* of varints, and the bits of 4 and 8 bytes */
    Bytes bytes;            /* of WIRE_BYTES */
} Field;

static bool fail(GemmaError *err, int id, const char *what) {
    if (id < 0) error_set(err, GEMMA_BAD_FILE, "It is no sound SentencePiece model: %s.", what);
    else error_set(err, GEMMA_BAD_FILE, "It is no sound SentencePiece model: piece %d: %s.", id, what);
    return false;
}

static bool read_varint(Bytes *in, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64 && in->n > 0; shift += 7) {
        uint8_t byte = *in->p++;
        in->n--;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool read_fixed(Bytes *in, size_t size, uint64_t *value) {
    *value = 0;
    if (in->n < size) return false;
    memcpy(value, in->p, size);
    in->p += size;
    in->n -= size;
    return true;
}

/* The next field of *in, which has at least one byte. */
static bool read_field(Bytes *in, Field *f) {
    uint64_t tag;
    if (!read_varint(in, &tag)) return false;
    *f = (Field){.number = tag >> 3, .wire = (int)(tag & 7)};
    switch (f->wire) {
    case WIRE_VARINT: return read_varint(in, &f->value);
    case WIRE_64: return read_fixed(in, 8, &f->value);
    case WIRE_32: return read_fixed(in, 4, &f->value);
    case WIRE_BYTES:
        if (!read_varint(in, &f->value) || f->value > in->n) return false;
        f->bytes = (Bytes){in->p, (size_t)f->value};
        in->p += f->value;
        in->n -= (size_t)f->value;
        return true;
    default: return false;
    }
}

static bool is_utf8(Bytes text) {
    while (text.n > 0) {
        size_t length = utf8_length((const char *)text.p, text.n);
        if (length == 0) return false;
        text.p += length;
        text.n -= length;
    }
    return true;
}

static bool read_piece(Vocabulary *v, int id, Bytes in, GemmaError *err) {
    Bytes text = {0};
    float score = 0;
    uint64_t type = TOKEN_NORMAL;
    Field f;
    while (in.n > 0) {
        if (!read_field(&in, &f)) return fail(err, id, "it is cut off or damaged");
        if (f.number == 1 && f.wire == WIRE_BYTES) text = f.bytes;
        if (f.number == 2 && f.wire == WIRE_32) memcpy(&score, &f.value, 4);
        if (f.number == 3 && f.wire == WIRE_VARINT) type = f.value;
    }
    if (text.n > MAX_PIECE || !is_utf8(text)) return fail(err, id, "its text is too long or not UTF-8");
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE) return fail(err, id, "its type is not known");
    if (!(score > -1e30f && score < 1e30f)) return fail(err, id, "its score is not a finite number");
    return vocabulary_set(v, id, text.n ? (const char *)text.p : "", text.n, score, (TokenType)type, err);
}

static bool read_model_type(Bytes trainer, uint64_t *type, GemmaError *err) {
    Field f;
    while (trainer.n > 0) {
        if (!read_field(&trainer, &f)) return fail(err, -1, "its trainer's settings are cut off or damaged");
        if (f.number == 3 && f.wire == WIRE_VARINT) *type = f.value;
    }
    return true;
}

bool sp_model_read(Vocabulary *v, const uint8_t *bytes, size_t n, GemmaError *err) {
    Field f;
    int n_pieces = 0, id = 0;
    uint64_t type = MODEL_UNIGRAM;
    for (Bytes in = {bytes, n}; in.n > 0;) {
        if (!read_field(&in, &f)) return fail(err, -1, "it is cut off or damaged");
        if (f.number == 1 && f.wire == WIRE_BYTES && n_pieces++ == VOCABULARY_MAX)
            return fail(err, -1, "it has too many pieces");
        if (f.number == 2 && f.wire == WIRE_BYTES && !read_model_type(f.bytes, &type, err)) return false;
    }
    if (n_pieces == 0) return fail(err, -1, "it has no pieces");
    if (type != MODEL_BPE) {
        error_set(err, GEMMA_UNSUPPORTED,
            "It is a SentencePiece model of type %llu; only byte-pair encoding (2) is converted.",
                  (unsigned long long)type);
        return false;
    }
    if (!vocabulary_resize(v, n_pieces, err)) return false;
    for (Bytes in = {bytes, n}; in.n > 0;) {
        read_field(&in, &f);        /* it went well before */
        if (f.number == 1 && f.wire == WIRE_BYTES && !read_piece(v, id++, f.bytes, err)) return false;
    }
    return true;
}
