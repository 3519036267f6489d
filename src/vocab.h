/* vocab.h: the vocabulary of a tokenizer in memory, and how pieces are found in it. For tokenizer.c and
 * tokenizer_open.c alone. Must not know how texts are cut into pieces, or what a GGUF calls them.
 *
 * Texts and pieces are "canonical": a plain space for each U+2581 (tokenizer.c says why). Pieces stay in the
 * file's header. Beside it lie: an offset and a kind per token, a hash table from text to id, a trie of the
 * pieces to cut out. */
#ifndef VOCAB_H
#define VOCAB_H

#include "tokenizer.h"

/* The file's numbers (llama.h, llama_token_type). */
enum { KIND_NORMAL = 1, KIND_UNKNOWN, KIND_CONTROL, KIND_USER_DEFINED, KIND_UNUSED, KIND_BYTE };

enum {
    ID_BITS = 22,
    MAX_VOCAB = (1 << ID_BITS) - 1,     /* so that a slot can hold an id, and VOCAB_EMPTY is none; Gemma 3 has
                                         * 262,144 */
    MAX_END = 24,
};
#define VOCAB_EMPTY UINT32_MAX

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

GgufString vocab_piece(const Tokenizer *t, int32_t id);

/* The next canonical byte of s at *at, which moves on. */
uint8_t vocab_canonical_byte(GgufString s, size_t *at);
/* out must have room for s.n bytes; returns how many were written. */
size_t vocab_canonical_copy(char *out, GgufString s);

/* The slot that holds canonical text[n], or the empty one where it would go; NULL where too many hash alike. */
uint32_t *vocab_slot(const Tokenizer *t, const char *text, size_t n, uint32_t hash);
uint32_t vocab_hash(const char *text, size_t n);

/* The id of canonical text[n], of any kind; -1 when there is none. */
int32_t vocab_find(const Tokenizer *t, const char *text, size_t n);
/* Only normal pieces come from merges. */
int32_t vocab_find_normal(const Tokenizer *t, const char *text, size_t n);

/* The node below `node` for the byte; 0: none. */
uint32_t vocab_trie_next(const Tokenizer *t, uint32_t node, uint8_t byte);
/* The token to cut out at the start of text[n]: the longest; -1 for none. *length: its canonical bytes. */
int32_t vocab_find_cut(const Tokenizer *t, const char *text, size_t n, bool parse_special, size_t *length);

#endif
