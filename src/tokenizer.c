/* tokenizer.c: see tokenizer.h. SentencePiece's BPE (google/sentencepiece, src/bpe_model.cc) over the
 * vocabulary in a GGUF.
 *
 * Encoding, in three steps:
 *   1. Spaces. SentencePiece writes a space as U+2581 (▁), and reads a ▁ in a text as a space. We go the
 *      other way and bring both, in texts and in pieces, to a plain space ("canonical" below): that never
 *      makes a text longer, and serves files that store user-defined pieces with spaces
 *      (convert_hf_to_gguf.py does so) like those that store them with ▁. A run that mixes both is one run
 *      for SentencePiece. llama.cpp and PyPI tokenizers cut before they turn spaces into ▁, and differ there.
 *   2. Cuts. At each position the longest user-defined piece is cut out. No merge crosses it.
 *   3. Merges. What lies between two cuts starts as single characters; the neighbours whose joined piece has
 *      the best score are joined, leftmost first on ties, until none is left. A remaining part that is no
 *      piece becomes its bytes (<0xXX>).
 *
 * Control tokens are cut out in step 2 when asked for, and are no pieces otherwise: their text then merges
 * like any other.
 *
 * Pieces stay in the file's header. Beside it lie: an offset and a kind per token, a hash table from text to
 * id, a trie of the pieces to cut out. */
#include "tokenizer.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "utf8.h"

/* The file's numbers (llama.h, llama_token_type). */
enum { KIND_NORMAL = 1, KIND_UNKNOWN, KIND_CONTROL, KIND_USER_DEFINED, KIND_UNUSED, KIND_BYTE };

enum {
    ID_BITS = 22,
    MAX_VOCAB = (1 << ID_BITS) - 1,     /* so that a slot can hold an id, and EMPTY is none; Gemma 3 has
                                         * 262,144 */
    MAX_PIECE = 256,                    /* bytes; gemma_token_bytes promises that no more are written. Gemma's
                                         * longest has 48 */
    MAX_TRIE = 1 << 24,                 /* nodes, of 16 bytes each; Gemma 3 needs about 9,000, and 40,000
                                         * tokens more 45,000 */
    MAX_END = 24,
    FEW_ZEROS = 100,                    /* normal pieces of score 0 in a vocabulary whose types are whole;
                                         * Gemma 3 has 6,400 where they are not */
    MAX_PROBES = 4096,                  /* at half load a run of this length is a file made to collide, not
                                         * chance */
};
static const uint32_t EMPTY = UINT32_MAX;

/* A node of the trie; 0 is the root, and as a link means "none". */
typedef struct {
    uint32_t child, sibling;    /* the first node one byte further; the next alternative to this byte */
    int32_t id;                 /* of the piece that ends here, -1: none does */
    uint8_t byte;
} TrieNode;

struct Tokenizer {
    const uint8_t *strings;     /* the GGUF array of pieces: (length u64, bytes) each; borrowed */
    const uint8_t *scores;      /* float[n_listed], unaligned; borrowed */
    uint64_t n_listed;          /* tokens in the file */
    int32_t n_vocab;            /* those of them that are used */
    uint32_t *offset;           /* [n_vocab]: of the piece's length, from `strings` (a header has at most 2^28
                                 * bytes) */
    uint8_t *kind;              /* [n_vocab] */
    uint32_t *slot;             /* [slot_mask + 1], open addressing: an id, and the top bits of its hash above
                                 * ID_BITS */
    uint32_t slot_mask;
    size_t longest;             /* bytes of the longest canonical piece */
    TrieNode *trie;
    uint32_t n_trie;
    int32_t byte_id[256];
    int32_t bos;
    int32_t eos;
    int32_t end[MAX_END];       /* ids that end a generation */
    int n_end;
    bool add_bos, add_space_prefix;
    int32_t *media;             /* [n_media] */
    int n_media;
};

/* ------------------------------------------------------------------------------------------ pieces */

static GgufString piece_of(const Tokenizer *t, int32_t id) {
    const uint8_t *cursor = t->strings + t->offset[id];
    return gguf_next_string(&cursor);
}

/* The next canonical byte of s at *at, which moves on. */
static uint8_t canonical_byte(GgufString s, size_t *at) {
    if (s.n - *at >= 3 && memcmp(s.p + *at, "\xe2\x96\x81", 3) == 0) {
        *at += 3;
        return ' ';
    }
    return (uint8_t)s.p[(*at)++];
}

/* out must have room for s.n bytes; returns how many were written. */
static size_t canonical_copy(char *out, GgufString s) {
    size_t n = 0;
    for (size_t at = 0; at < s.n;) out[n++] = (char)canonical_byte(s, &at);
    return n;
}

/* FNV-1a, and murmur3's last step so that the low bits are good enough for linear probing. */
static uint32_t hash_text(const char *text, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)text[i]) * 16777619u;
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

/* Whether a piece, made canonical, is text[n]. */
static bool piece_equals(const Tokenizer *t, int32_t id, const char *text, size_t n) {
    GgufString piece = piece_of(t, id);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (at == piece.n || canonical_byte(piece, &at) != (uint8_t)text[i]) return false;
    return at == piece.n;
}

/* The slot that holds canonical text[n], or the empty one where it would go; NULL after MAX_PROBES. */
static uint32_t *find_slot(const Tokenizer *t, const char *text, size_t n, uint32_t hash) {
    uint32_t tag = hash & ~(uint32_t)MAX_VOCAB;
    for (uint32_t probe = 0; probe < MAX_PROBES; probe++) {
        uint32_t *slot = &t->slot[(hash + probe) & t->slot_mask];
        if (*slot == EMPTY) return slot;
        if ((*slot & ~(uint32_t)MAX_VOCAB) == tag && piece_equals(t, (int32_t)(*slot & MAX_VOCAB), text, n))
            return slot;
    }
    return NULL;
}

/* The id of canonical text[n], of any kind; -1 when there is none. */
static int32_t find_piece(const Tokenizer *t, const char *text, size_t n) {
    if (n == 0 || n > t->longest) return -1;
    const uint32_t *slot = find_slot(t, text, n, hash_text(text, n));
    return slot && *slot != EMPTY ? (int32_t)(*slot & MAX_VOCAB) : -1;
}

/* Only normal pieces come from merges. */
static int32_t find_normal(const Tokenizer *t, const char *text, size_t n) {
    int32_t id = find_piece(t, text, n);
    return id >= 0 && t->kind[id] == KIND_NORMAL ? id : -1;
}

/* ------------------------------------------------------------------------------------------ the trie of cuts */

static uint32_t trie_next(const Tokenizer *t, uint32_t node, uint8_t byte) {
    uint32_t next = t->trie[node].child;
    while (next && t->trie[next].byte != byte) next = t->trie[next].sibling;
    return next;
}

static uint32_t trie_add(Tokenizer *t, uint32_t node, uint8_t byte) {
    t->trie[t->n_trie] = (TrieNode){.sibling = t->trie[node].child, .id = -1, .byte = byte};
    t->trie[node].child = t->n_trie;
    return t->n_trie++;
}

/* The token to cut out at the start of text[n]: the longest; -1 for none. *length: its canonical bytes. */
static int32_t find_cut(const Tokenizer *t, const char *text, size_t n, bool parse_special, size_t *length) {
    int32_t best = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        node = trie_next(t, node, (uint8_t)text[i]);
        if (!node) break;
        int32_t id = t->trie[node].id;
        if (id < 0 || (t->kind[id] == KIND_CONTROL && !parse_special)) continue;
        best = id;
        *length = i + 1;
    }
    return best;
}

/* ------------------------------------------------------------------------------------------ opening */

/* The entry `key` as an array of `count` elements; NULL with a sentence otherwise. */
static const GgufEntry *find_array(const Gguf *g, const char *key, GgufType type, uint64_t count,
    GemmaError *err) {
    const GgufEntry *e = gguf_find(g, key);
    if (!e) {
        error_set(err, GEMMA_BAD_FILE, "Metadata entry \"%s\" is missing, which the tokenizer needs.", key);
    } else if (e->type != GGUF_ARRAY || e->elem_type != type) {
        error_set(err, GEMMA_BAD_FILE,
            "Metadata entry \"%s\" is not the array of %s that the tokenizer needs.", key,
                  type == GGUF_STRING ? "strings" : type == GGUF_FLOAT32 ? "32-bit floats"
                      : "32-bit integers");
    } else if (e->count != count) {
        error_set(err, GEMMA_BAD_FILE, "Metadata entry \"%s\" has %llu elements, but there are %llu tokens.",
            key,
                  (unsigned long long)e->count, (unsigned long long)count);
    } else {
        return e;
    }
    return NULL;
}

static GemmaStatus check_model(const Gguf *g, GemmaError *err) {
    GgufString model = {0};
    char quoted[72];
    err->status = GEMMA_OK;
    if (!gguf_get_string(g, "tokenizer.ggml.model", &model, err)) {
        if (err->status != GEMMA_OK) return err->status;
        return error_set(err, GEMMA_BAD_FILE,
            "Metadata entry \"tokenizer.ggml.model\" is missing: the file has no tokenizer.");
    }
    if (gguf_equals(model, "llama")) return GEMMA_OK;
    error_quote(quoted, model.p, model.n);
    return error_set(err, GEMMA_UNSUPPORTED,
        "The file's tokenizer is \"%s\"; only \"llama\" (SentencePiece, as Gemma has it) is supported.",
        quoted);
}

/* Slots for n_vocab tokens: a power of two, at most half full. */
static uint64_t count_slots(int n_vocab) {
    uint64_t n = 16;
    while (n < 2 * (uint64_t)n_vocab) n *= 2;
    return n;
}

/* These are always control tokens. Some conversions mark them as normal or user-defined, and then a user
 * could type them. Gemma's own vocabularies have the first four, fine-tuned ones some of the others. The ends
 * come last. */
static const char *const control_names[] = {
    "<bos>", "<start_of_turn>", "<|im_start|>", "<|im_sep|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|system|>", "<|user|>", "<|assistant|>",
    "[INST]", "[/INST]", "<start_function_declaration>", "<end_function_declaration>",
        "<start_function_call>", "<end_function_call>",
    "<end_function_response>", "<escape>", "<eos>", "<end_of_turn>", "<|im_end|>", "<|eot_id|>", "<|end|>",
        "<|endoftext|>", "<|end_of_turn|>",
    "<start_function_response>",
};
enum { N_CONTROL = sizeof control_names / sizeof *control_names, N_END = 8 };

static const GgufEntry *array_of(const Gguf *g, const char *key, GgufType type) {
    const GgufEntry *e = gguf_find(g, key);
    return e && e->type == GGUF_ARRAY && e->elem_type == type ? e : NULL;
}

/* Of a score: 0, not -0. */
static bool is_zero(const uint8_t *score) {
    uint32_t bits;
    memcpy(&bits, score, sizeof bits);
    return bits == 0;
}

/* The most nodes that the trie of a file can have: one for each byte of a piece that may be cut out, and the
 * root. Vocabularies grow by what people add to them (speech models add 28,672 tokens), so memory is planned
 * by what the file holds. */
static uint64_t most_nodes(const Gguf *g) {
    uint64_t n = 1;
    for (int i = 0; i < N_CONTROL; i++) n += strlen(control_names[i]);
    const GgufEntry *tokens = array_of(g, "tokenizer.ggml.tokens", GGUF_STRING),
        *kinds = array_of(g, "tokenizer.ggml.token_type", GGUF_INT32);
    const GgufEntry *scores = array_of(g, "tokenizer.ggml.scores", GGUF_FLOAT32);
    if (!tokens || !kinds) return n;
    const uint8_t *cursor = tokens->value;
    for (uint64_t i = 0; i < tokens->count && i < kinds->count; i++) {
        size_t bytes = gguf_next_string(&cursor).n;
        double kind = gguf_number_at(kinds, i);
        bool zero = scores && i < scores->count && is_zero(scores->value + 4 * i);
        if (kind == KIND_UNKNOWN || kind == KIND_CONTROL || kind == KIND_USER_DEFINED
            || (kind == KIND_NORMAL && zero)) n += bytes;
    }
    return n;
}

static GemmaStatus allocate(Tokenizer *t, const Gguf *g, GemmaError *err) {
    uint32_t n_slots = (uint32_t)count_slots(t->n_vocab);
    uint64_t n_nodes = most_nodes(g);
    if (n_nodes > MAX_TRIE)
        return error_set(err, GEMMA_BAD_FILE,
            "The control and user-defined tokens have %llu bytes, too many or too long; "
            "at most %d are expected.", (unsigned long long)n_nodes, MAX_TRIE);
    t->offset = malloc((size_t)t->n_vocab * sizeof *t->offset);
    t->kind = malloc((size_t)t->n_vocab * sizeof *t->kind);
    t->slot = malloc(n_slots * sizeof *t->slot);
    t->trie = malloc((size_t)n_nodes * sizeof *t->trie);
    if (!t->offset || !t->kind || !t->slot || !t->trie)
        return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the tokenizer's tables.");
    t->slot_mask = n_slots - 1;
    for (uint32_t i = 0; i < n_slots; i++) t->slot[i] = EMPTY;
    t->trie[0] = (TrieNode){.id = -1};
    t->n_trie = 1;
    return GEMMA_OK;
}

/* Fills offset and slot. Of equal pieces the first is found. */
static GemmaStatus index_pieces(Tokenizer *t, GemmaError *err) {
    const uint8_t *cursor = t->strings;
    for (int32_t id = 0; id < t->n_vocab; id++) {
        t->offset[id] = (uint32_t)(cursor - t->strings);
        GgufString piece = gguf_next_string(&cursor);
        if (piece.n > MAX_PIECE)
            return error_set(err, GEMMA_BAD_FILE,
                "Token %d of the vocabulary has %zu bytes; at most %d are expected.", (int)id,
                             piece.n, MAX_PIECE);
        char text[MAX_PIECE];
        size_t n = canonical_copy(text, piece);
        if (n == 0) continue;
        uint32_t hash = hash_text(text, n);
        uint32_t *slot = find_slot(t, text, n, hash);
        if (!slot) return error_set(err, GEMMA_BAD_FILE,
            "Too many tokens of the vocabulary hash alike (up to token %d); "
                                      "the file is damaged or made to slow loading.", (int)id);
        if (*slot == EMPTY) *slot = (hash & ~(uint32_t)MAX_VOCAB) | (uint32_t)id;
        if (n > t->longest) t->longest = n;
    }
    return GEMMA_OK;
}

static GemmaStatus read_scores(Tokenizer *t, const Gguf *g, GemmaError *err) {
    const GgufEntry *e = find_array(g, "tokenizer.ggml.scores", GGUF_FLOAT32, t->n_listed, err);
    if (!e) return err->status;
    for (int32_t id = 0; id < t->n_vocab; id++)
        if (!isfinite(gguf_number_at(e, (uint64_t)id)))
            return error_set(err, GEMMA_BAD_FILE, "The score of token %d is not a finite number.", (int)id);
    t->scores = e->value;
    return GEMMA_OK;
}

/* SentencePiece gives the pieces that merges make the scores -0, -1, -2, ... and user-defined ones 0. Ollama
 * writes these scores, and most user- defined pieces as normal: of very many normal pieces that score 0,
 * merges make at most one. */
static void restore_user_defined(Tokenizer *t) {
    int32_t zeros = 0;
    for (int32_t id = 0; id < t->n_vocab; id++) zeros += t->kind[id] == KIND_NORMAL
        && is_zero(t->scores + 4 * (size_t)id);
    if (zeros <= FEW_ZEROS || zeros > t->n_vocab / 4) return;       /* where most are 0, scores say nothing */
    for (int32_t id = 0; id < t->n_vocab; id++)
        if (t->kind[id] == KIND_NORMAL && is_zero(t->scores + 4 * (size_t)id))
            t->kind[id] = KIND_USER_DEFINED;
}

static GemmaStatus read_kinds(Tokenizer *t, const Gguf *g, GemmaError *err) {
    memset(t->kind, KIND_NORMAL, (size_t)t->n_vocab);
    if (gguf_find(g, "tokenizer.ggml.token_type")) {
        const GgufEntry *e = find_array(g, "tokenizer.ggml.token_type", GGUF_INT32, t->n_listed, err);
        if (!e) return err->status;
        for (int32_t id = 0; id < t->n_vocab; id++) {
            double kind = gguf_number_at(e, (uint64_t)id);
            if (kind < KIND_NORMAL || kind > KIND_BYTE)
                return error_set(err, GEMMA_BAD_FILE, "Token %d has type %.0f; %d to %d are known.", (int)id,
                    kind, KIND_NORMAL,
                                 KIND_BYTE);
            /* <unk> is found only where control tokens are, and never shown either: one kind less to think
             * of. Which tokens are bytes, their text decides below. */
            t->kind[id] = kind == KIND_UNKNOWN ? KIND_CONTROL : kind == KIND_BYTE ? KIND_UNUSED
                : (uint8_t)kind;
        }
        restore_user_defined(t);
    }
    for (int i = 0; i < N_CONTROL; i++) {
        int32_t id = find_piece(t, control_names[i], strlen(control_names[i]));
        if (id >= 0) t->kind[id] = KIND_CONTROL;
    }
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", byte);
        int32_t id = t->byte_id[byte] = find_piece(t, name, (size_t)n);
        if (id < 0) return error_set(err, GEMMA_BAD_FILE,
            "The vocabulary has no token %s; all 256 bytes are needed.", name);
        t->kind[id] = KIND_BYTE;
    }
    return GEMMA_OK;
}

/* Whether `word` of lower-case letters stands in s between other characters than letters. */
static bool has_word(GgufString s, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0, begin = 0; i <= s.n; i++) {
        char c = i < s.n ? (char)(s.p[i] | 0x20) : ' ';
        if (c >= 'a' && c <= 'z') continue;
        size_t k = 0;
        while (k < n && i - begin == n && (s.p[begin + k] | 0x20) == word[k]) k++;
        if (k == n) return true;
        begin = i + 1;
    }
    return false;
}

/* Whether a token stands for an image, audio or video, or for where one begins and ends: <start_of_image>,
 * <image_soft_token>, <|audio|>, <|vision_start|>. Their type differs: <start_of_image> is user-defined in
 * Gemma 3's own files, control in those of fine-tunes. So a user-defined one must be more than one word:
 * <img> is HTML. */
static bool is_media(GgufString piece, uint8_t kind) {
    static const char *const words[] = {"image", "images", "img", "audio", "video", "vision", "multimodal",
        "boi", "eoi", "boa", "eoa"};
    if (kind != KIND_CONTROL && kind != KIND_USER_DEFINED) return false;
    char first = piece.n > 2 ? piece.p[0] : 0, last = piece.n > 2 ? piece.p[piece.n - 1] : 0;
    if (!(first == '<' && last == '>') && !(first == '[' && last == ']')) return false;
    bool tag = first == '<' && !memchr(piece.p, '_', piece.n) && !memchr(piece.p, '|', piece.n)
        && !memchr(piece.p, '-', piece.n);
    if (kind == KIND_USER_DEFINED && tag) return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_word(piece, words[i])) return true;
    return false;
}

static GemmaStatus list_media(Tokenizer *t, GemmaError *err) {
    for (int pass = 0; pass < 2; pass++) {
        int n = 0;
        for (int32_t id = 0; id < t->n_vocab; id++) {
            if (!is_media(piece_of(t, id), t->kind[id])) continue;
            if (pass) t->media[n] = id;
            n++;
        }
        t->n_media = n;
        if (!n || pass) break;
        t->media = malloc((size_t)n * sizeof *t->media);
        if (!t->media) return error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the tokenizer.");
    }
    return GEMMA_OK;
}

static void index_cuts(Tokenizer *t) {
    for (int32_t id = 0; id < t->n_vocab; id++) {
        if (t->kind[id] != KIND_CONTROL && t->kind[id] != KIND_USER_DEFINED) continue;
        GgufString piece = piece_of(t, id);
        uint32_t node = 0;
        for (size_t at = 0; at < piece.n;) {
            uint8_t byte = canonical_byte(piece, &at);
            uint32_t next = trie_next(t, node, byte);
            node = next ? next : trie_add(t, node, byte);
        }
        if (node && t->trie[node].id < 0) t->trie[node].id = id;
    }
}

/* An id from the metadata; -1 when the file does not have it. */
static GemmaStatus read_id(const Tokenizer *t, const Gguf *g, const char *key, int32_t *id, GemmaError *err) {
    int64_t value = -1;
    err->status = GEMMA_OK;
    gguf_get_int(g, key, 0, t->n_vocab - 1, &value, err);
    *id = (int32_t)value;
    return err->status;
}

static void add_end(Tokenizer *t, double id) {
    if (id >= 0 && id < t->n_vocab && !tokenizer_is_end(t, (int32_t)id) && t->n_end < MAX_END)
        t->end[t->n_end++] = (int32_t)id;
}

static GemmaStatus read_settings(Tokenizer *t, const Gguf *g, GemmaError *err) {
    if (read_id(t, g, "tokenizer.ggml.bos_token_id", &t->bos, err) != GEMMA_OK) return err->status;
    int32_t eot;
    if (read_id(t, g, "tokenizer.ggml.eos_token_id", &t->eos, err) != GEMMA_OK) return err->status;
    if (read_id(t, g, "tokenizer.ggml.eot_token_id", &eot, err) != GEMMA_OK) return err->status;
    if (t->eos < 0) t->eos = tokenizer_control(t, "<eos>");
    add_end(t, t->eos);
    add_end(t, eot);
    /* Ollama's, where there are several */
    const GgufEntry *more = gguf_find(g, "tokenizer.ggml.eos_token_ids");
    for (uint64_t i = 0; more && more->elem_type != GGUF_STRING && i < more->count && i < MAX_END; i++)
        add_end(t, gguf_number_at(more, i));
    for (int i = N_CONTROL - N_END; i < N_CONTROL; i++) add_end(t, tokenizer_control(t, control_names[i]));
    if (t->bos < 0) t->bos = tokenizer_control(t, "<bos>");
    if (t->bos < 0) return error_set(err, GEMMA_BAD_FILE,
        "The vocabulary has no <bos>, which every text begins with.");
    t->add_bos = true;
    gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &t->add_bos, err);
    gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix, err);
    return err->status;
}

static GemmaStatus open_tokenizer(Tokenizer *t, const Gguf *g, int n_ids, GemmaError *err) {
    if (check_model(g, err) != GEMMA_OK) return err->status;
    const GgufEntry *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    tokens = find_array(g, "tokenizer.ggml.tokens", GGUF_STRING, tokens ? tokens->count : 0, err);
    if (!tokens) return err->status;
    if (tokens->count == 0 || tokens->count > MAX_VOCAB)
        return error_set(err, GEMMA_BAD_FILE, "The vocabulary has %llu tokens; 1 to %d are possible.",
                         (unsigned long long)tokens->count, MAX_VOCAB);
    t->strings = tokens->value;
    t->n_listed = tokens->count;
    t->n_vocab = (uint64_t)n_ids < tokens->count ? n_ids : (int32_t)tokens->count;
    if (allocate(t, g, err) != GEMMA_OK || index_pieces(t, err) != GEMMA_OK
        || read_scores(t, g, err) != GEMMA_OK ||
        read_kinds(t, g, err) != GEMMA_OK)
        return err->status;
    if (list_media(t, err) != GEMMA_OK) return err->status;
    index_cuts(t);
    return read_settings(t, g, err);
}

Tokenizer *tokenizer_new(const Gguf *g, int n_ids, GemmaError *err) {
    Tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the tokenizer.");
        return NULL;
    }
    if (open_tokenizer(t, g, n_ids, err) == GEMMA_OK) return t;
    tokenizer_free(t);
    return NULL;
}

void tokenizer_free(Tokenizer *t) {
    if (!t) return;
    free(t->offset);
    free(t->kind);
    free(t->slot);
    free(t->trie);
    free(t->media);
    free(t);
}

uint64_t tokenizer_bytes(const Gguf *g, int n_vocab) {
    return sizeof(Tokenizer) + (uint64_t)n_vocab * (sizeof(uint32_t) + 1)
        + count_slots(n_vocab) * sizeof(uint32_t) +
           most_nodes(g) * sizeof(TrieNode);
}

/* ------------------------------------------------------------------------------------------ merging */

/* A run of bytes that is joined so far; a list in the order of the text. */
typedef struct {
    uint32_t start, n;          /* bytes of the segment; n is 0 once it was joined to the one before */
    uint32_t prev, next;        /* NONE at the ends */
} Symbol;

/* Two neighbours that could be joined. Stale when either has grown or gone since: then the sizes no longer
 * add up. */
typedef struct {
    uint32_t rank, left;        /* the heap's order: best score first, then leftmost */
    uint32_t n;                 /* bytes of both */
} Merge;

static const uint32_t NONE = UINT32_MAX;

typedef struct {
    const Tokenizer *t;
    const char *text;           /* of the current segment, canonical */
    Symbol *symbols;
    Merge *heap;                /* its first is the best; children of i are 2i+1 and 2i+2 */
    size_t n_heap, symbol_room, heap_room;
    int32_t *ids;               /* the output: at most cap are written, all are counted */
    int cap, n_ids;
    bool failed;                /* memory was short */
} Encoder;

static void emit(Encoder *e, int32_t id) {
    if (e->n_ids < e->cap) e->ids[e->n_ids] = id;
    e->n_ids++;
}

/* Room for `count` items of `size` bytes: grown by half at least, so that growing costs time in
 * proportion. */
static void *reserve(Encoder *e, void *items, size_t *room, size_t count, size_t size) {
    if (count <= *room) return items;
    size_t bigger = *room + *room / 2;
    if (bigger < count) bigger = count;
    void *p = realloc(items, bigger * size);
    if (!p) {
        e->failed = true;
        return items;
    }
    *room = bigger;
    return p;
}

static bool before(Merge a, Merge b) { return a.rank != b.rank ? a.rank < b.rank : a.left < b.left; }

/* Scores as whole numbers in the opposite order, so that the best is the smallest. */
static uint32_t rank_of(const Tokenizer *t, int32_t id) {
    float score;
    uint32_t bits;
    memcpy(&score, t->scores + (size_t)id * sizeof score, sizeof score);
    score += 0.0f;      /* -0.0, which Gemma 3's best piece has, becomes 0.0 */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/* Puts the pair of `left` and its right neighbour on the heap, when joined they are a piece. */
static void consider(Encoder *e, uint32_t left) {
    if (left == NONE || e->symbols[left].next == NONE) return;
    const Symbol *a = &e->symbols[left], *b = &e->symbols[a->next];
    uint32_t n = a->n + b->n;
    int32_t id = find_normal(e->t, e->text + a->start, n);
    if (id < 0) return;
    e->heap = reserve(e, e->heap, &e->heap_room, e->n_heap + 1, sizeof *e->heap);
    if (e->failed) return;
    Merge merge = {rank_of(e->t, id), left, n};
    size_t i = e->n_heap++;
    for (; i > 0 && before(merge, e->heap[(i - 1) / 2]); i = (i - 1) / 2) e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = merge;
}

static Merge take_best(Encoder *e) {
    Merge best = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= e->n_heap) break;
        if (child + 1 < e->n_heap && before(e->heap[child + 1], e->heap[child])) child++;
        if (!before(e->heap[child], last)) break;
        e->heap[i] = e->heap[child];
        i = child;
    }
    e->heap[i] = last;
    return best;
}

/* One symbol per character, or per byte where the UTF-8 is broken; they lie in the list in order. */
static uint32_t split(Encoder *e, size_t n) {
    uint32_t count = 0;
    for (size_t at = 0; at < n;) {
        size_t length = utf8_length(e->text + at, n - at);
        if (length == 0) length = 1;
        e->symbols = reserve(e, e->symbols, &e->symbol_room, (size_t)count + 1, sizeof *e->symbols);
        if (e->failed) return 0;
        e->symbols[count] = (Symbol){(uint32_t)at, (uint32_t)length, count ? count - 1 : NONE, count + 1};
        count++;
        at += length;
    }
    if (count) e->symbols[count - 1].next = NONE;
    return count;
}

/* Encodes text[n], a segment between two cuts. */
static void encode_segment(Encoder *e, const char *text, size_t n) {
    e->text = text;
    uint32_t count = split(e, n);
    for (uint32_t i = 0; i < count && !e->failed; i++) consider(e, i);
    while (e->n_heap && !e->failed) {
        Merge merge = take_best(e);
        Symbol *a = &e->symbols[merge.left];
        if (a->n == 0 || a->next == NONE || a->n + e->symbols[a->next].n != merge.n) continue;
        Symbol *b = &e->symbols[a->next];
        a->n = merge.n;
        a->next = b->next;
        b->n = 0;
        if (a->next != NONE) e->symbols[a->next].prev = merge.left;
        consider(e, a->prev);
        consider(e, merge.left);
    }
    if (e->failed || count == 0) return;
    for (uint32_t i = 0; i != NONE; i = e->symbols[i].next) {
        const Symbol *s = &e->symbols[i];
        int32_t id = find_normal(e->t, text + s->start, s->n);
        if (id >= 0) emit(e, id);
        else for (uint32_t j = 0; j < s->n; j++) emit(e, e->t->byte_id[(uint8_t)text[s->start + j]]);
    }
}

int tokenizer_encode(const Tokenizer *t, const char *utf8, size_t n, bool add_bos, bool parse_special,
    int32_t *ids, int cap) {
    Encoder e = {.t = t, .ids = ids, .cap = cap};
    if (n > INT_MAX - 2) return -1;
    char *text = malloc(n + 1);
    if (!text) return -1;
    size_t n_text = 0;
    if (t->add_space_prefix && n) text[n_text++] = ' ';
    n_text += canonical_copy(text + n_text, (GgufString){utf8, n});

    if (add_bos) emit(&e, t->bos);
    size_t start = 0, at = 0, length = 0;
    while (at < n_text && !e.failed) {
        int32_t cut = find_cut(t, text + at, n_text - at, parse_special, &length);
        if (cut < 0) {
            at++;
            continue;
        }
        encode_segment(&e, text + start, at - start);
        emit(&e, cut);
        start = at += length;
    }
    encode_segment(&e, text + start, n_text - start);
    free(text);
    free(e.symbols);
    free(e.heap);
    return e.failed ? -1 : e.n_ids;
}

/* ------------------------------------------------------------------------------------------ decoding */

int tokenizer_decode(const Tokenizer *t, int32_t id, char buf[256]) {
    if (id < 0 || id >= t->n_vocab) return 0;
    GgufString piece = piece_of(t, id);
    if (t->kind[id] != KIND_BYTE) return (int)canonical_copy(buf, piece);
    unsigned byte = 0;
    for (int i = 3; i < 5; i++) {
        char digit = piece.p[i];        /* <0xXX>, as read_kinds found it */
        byte = byte * 16 + (unsigned)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
    }
    buf[0] = (char)byte;
    return 1;
}

int32_t tokenizer_bos(const Tokenizer *t) { return t->bos; }
int32_t tokenizer_eos(const Tokenizer *t) { return t->eos; }
bool tokenizer_adds_bos(const Tokenizer *t) { return t->add_bos; }

int32_t tokenizer_control(const Tokenizer *t, const char *text) {
    int32_t id = find_piece(t, text, strlen(text));
    return id >= 0 && t->kind[id] == KIND_CONTROL ? id : -1;
}

const int32_t *tokenizer_media(const Tokenizer *t, int *n) {
    *n = t->n_media;
    return t->media;
}

bool tokenizer_is_control(const Tokenizer *t, int32_t id) {
    return id >= 0 && id < t->n_vocab && t->kind[id] == KIND_CONTROL;
}

bool tokenizer_is_end(const Tokenizer *t, int32_t id) {
    for (int i = 0; i < t->n_end; i++)
        if (id == t->end[i]) return true;
    return false;
}
