/* tokenizer_open.c: makes a tokenizer of a GGUF's vocabulary, which it distrusts. */
#include "vocab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

enum {
    MAX_PIECE = 256,                    /* bytes; gemma_token_bytes promises that no more are written. Gemma's
                                         * longest has 48 */
    MAX_TRIE = 1 << 24,                 /* nodes, of 16 bytes each; Gemma 3 needs about 9,000, and 40,000
                                         * tokens more 45,000 */
    FEW_ZEROS = 100,                    /* normal pieces of score 0 in a vocabulary whose types are whole;
                                         * Gemma 3 has 6,400 where they are not */
};

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
    for (uint32_t i = 0; i < n_slots; i++) t->slot[i] = VOCAB_EMPTY;
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
        size_t n = vocab_canonical_copy(text, piece);
        if (n == 0) continue;
        uint32_t hash = vocab_hash(text, n);
        uint32_t *slot = vocab_slot(t, text, n, hash);
        if (!slot) return error_set(err, GEMMA_BAD_FILE,
            "Too many tokens of the vocabulary hash alike (up to token %d); "
                                      "the file is damaged or made to slow loading.", (int)id);
        if (*slot == VOCAB_EMPTY) *slot = (hash & ~(uint32_t)MAX_VOCAB) | (uint32_t)id;
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
        int32_t id = vocab_find(t, control_names[i], strlen(control_names[i]));
        if (id >= 0) t->kind[id] = KIND_CONTROL;
    }
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", byte);
        int32_t id = t->byte_id[byte] = vocab_find(t, name, (size_t)n);
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
            if (!is_media(vocab_piece(t, id), t->kind[id])) continue;
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

static uint32_t trie_add(Tokenizer *t, uint32_t node, uint8_t byte) {
    t->trie[t->n_trie] = (TrieNode){.sibling = t->trie[node].child, .id = -1, .byte = byte};
    t->trie[node].child = t->n_trie;
    return t->n_trie++;
}

static void index_cuts(Tokenizer *t) {
    for (int32_t id = 0; id < t->n_vocab; id++) {
        if (t->kind[id] != KIND_CONTROL && t->kind[id] != KIND_USER_DEFINED) continue;
        GgufString piece = vocab_piece(t, id);
        uint32_t node = 0;
        for (size_t at = 0; at < piece.n;) {
            uint8_t byte = vocab_canonical_byte(piece, &at);
            uint32_t next = vocab_trie_next(t, node, byte);
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
