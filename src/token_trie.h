/* token_trie.h: the bytes of a vocabulary's tokens as tries in flat arrays, to be walked without recursion;
 * and, of tokens that are plain text, one mask for each length. Knows neither tokenizer nor grammars. */
#ifndef TOKEN_TRIE_H
#define TOKEN_TRIE_H

#include "error.h"

/* A plain character may stand in most strings as it is: no control character, no DEL, neither " nor \. A
 * token of plain characters only, at most this many, is a plain token. */
enum { PLAIN_CHARS_MAX = 32 };
#define PLAIN_RANGES {{0x20, 0x21}, {0x23, 0x5b}, {0x5d, 0x7e}, {0x80, 0xd7ff}, {0xe000, 0x10ffff}}

enum { TOKEN_BYTES_MAX = 256 };

/* Nodes in depth-first order; the children of one node in the order of their bytes.
 *
 *     byte_token:  31..24 the byte     23..0 the token that ends here + 1, or 0
 *     depth_size:  31..24 depth (0: a first byte)     23..0 nodes of the subtree, this one too: how far to skip */
typedef struct {
    uint32_t byte_token, depth_size;
} TrieNode;

typedef struct {
    int n;
    TrieNode *nodes;
} Trie;

typedef struct TokenTrie {
    int n_vocab, n_words;       /* a mask has n_words = (n_vocab + 31) / 32 words */
    Trie plain, rest;           /* plain tokens; all others */
    int n_same;
    int32_t (*same)[2];         /* {token in a trie, another token of the same bytes} */
    int plain_chars;            /* of the longest plain token */
    uint32_t *plain_masks;      /* [plain_chars + 1][n_words]: row i: the plain tokens of at most i
                                 * characters */
    size_t bytes;               /* of memory, all in all */
} TokenTrie;

/* Writes the token's bytes, returns how many; 0: no text comes of this token (control tokens, end tokens),
 * and it is in no trie. */
typedef int TokenBytes(const void *vocabulary, int32_t id, char buf[TOKEN_BYTES_MAX]);

/* At most 2^24 - 2 tokens. Fails with GEMMA_NO_MEMORY and GEMMA_BAD_ARGUMENT (too many tokens). */
TokenTrie *token_trie_new(TokenBytes *bytes_of, const void *vocabulary, int n_vocab, GemmaError *err);
void token_trie_free(TokenTrie *t);

#endif
