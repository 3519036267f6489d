/* fuzz_tokenizer SECONDS SEED: throws vocabularies, whole and damaged, and texts of random bytes and of the
 * vocabulary's own pieces at tokenizer and chat. What must hold: no report of the sanitizers, every text
 * comes back from its ids, ids are in range, user text holds no control token, and the ids never outnumber
 * the bytes. */
#include "calls.h"
#include "chat.h"
#include "fuzz.h"
#include "vocab_gguf.h"

enum { MAX_TEXT = 2000 };

static const char *const parts[] = {
    "a", "b", "ab", "abc", "\xe2\x96\x81", "\xe2\x96\x81" "a", " ", "  ", "\n", "\n\n", "\xc3\xa9",
        "\xe6\x97\xa5", "\xf0\x9f\x99\x82",
    "<b>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<unk>", "<0x41>", "\xe2\x96", "\xff",
        "user", "model", "\nh", "",
    "<|im_start|>", "<|im_end|>", "<|im_sep|>", "[INST]", "<<SYS>>", "<|user|>", "<|assistant|>", "<|end|>",
        "eos_token", "GPT4 Correct ",
    "USER: ", "ASSISTANT:", "### Instruction:", "### Response:", "<|start_header_id|>",
        "<|end_header_id|>", "<", "[",
};
enum { N_PARTS = sizeof parts / sizeof *parts };

static void make_vocab(Vocab *v, uint64_t *state) {
    vocab_standard(v);
    for (int n = (int)(test_random(state) % 60); n > 0; n--) {
        char piece[128] = "";
        for (int k = 1 + (int)(test_random(state) % 3); k > 0; k--)
            strcat(piece, parts[test_random(state) % N_PARTS]);
        vocab_add(v, piece, (float)(test_random(state) % 8), test_random(state) % 4 ? VOCAB_NORMAL
            : 1 + (int32_t)(test_random(state) % 6));
    }
    if (test_random(state) % 2) {
        char template[128] = "";
        for (int k = (int)(test_random(state) % 5); k > 0; k--)
            strcat(template, parts[test_random(state) % N_PARTS]);
        vocab_text(v, "tokenizer.chat_template", template);
    }
    if (test_random(state) % 8 == 0) vocab_bool(v, "tokenizer.ggml.add_bos_token", false);
    v->no_types = test_random(state) % 8 == 0;
}

/* Free of U+2581, which comes back as a space. */
static size_t make_text(char *text, uint64_t *state) {
    size_t n = 0, size = test_random(state) % (test_random(state) % 4 ? 60 : MAX_TEXT);
    bool bytes = test_random(state) % 3 == 0;
    while (n < size) {
        const char *part = parts[test_random(state) % N_PARTS];
        size_t length = strlen(part);
        if (bytes) text[n++] = (char)test_random(state);
        else if (n + length > size) break;
        else n += (size_t)(stpcpy(text + n, part) - (text + n));
    }
    for (size_t i = 0; i + 2 < n; i++)
        if (memcmp(text + i, "\xe2\x96\x81", 3) == 0) text[i + 2] = ' ';
    return n;
}

static int count_controls(const Tokenizer *t, const int32_t *ids, int n) {
    int controls = 0;
    for (int i = 0; i < n; i++) controls += tokenizer_is_control(t, ids[i]);
    return controls;
}

static void fuzz_text(const Tokenizer *t, const Chat *c, int n_vocab, uint64_t *state) {
    static char text[MAX_TEXT + 64], back[(MAX_TEXT + 64) * 256];
    static int32_t ids[2 * MAX_TEXT + 64];
    size_t n = make_text(text, state), n_back = 0;
    for (int special = 0; special < 2; special++) {
        int n_ids = tokenizer_encode(t, text, n, false, special, ids, MAX_TEXT);
        CHECK(n_ids >= 0 && (size_t)n_ids <= n);
        n_back = 0;
        for (int i = 0; i < n_ids; i++) {
            CHECK(ids[i] >= 0 && ids[i] < n_vocab);
            CHECK(special || !tokenizer_is_control(t, ids[i]));
            n_back += (size_t)tokenizer_decode(t, ids[i], back + n_back);
        }
        CHECK(n_back == n && memcmp(back, text, n) == 0);
    }
    size_t half = n / 2;
    GemmaTurn turns[] = {{(GemmaRole)(test_random(state) % 3), text, half},
        {(GemmaRole)(test_random(state) % 3), text + half, n - half}};
    GemmaConversation conversation = test_random(state) % 2 ? GEMMA_NEW : GEMMA_CONTINUED;
    int n_ids = test_chat(c, t, turns, 2, conversation, ids, 2 * MAX_TEXT), controls = n_ids > 0
        ? count_controls(t, ids, n_ids) : 0;
    CHECK(c->style ? n_ids >= 0 && n_ids <= 2 * MAX_TEXT : n_ids == -1);
    if (!c->style || !half) return;
    /* As many control tokens as with other text. */
    turns[0].text = turns[1].text = "x";
    turns[0].n = turns[1].n = 1;
    n_ids = test_chat(c, t, turns, 2, conversation, ids, 2 * MAX_TEXT);
    CHECK_INT(controls, count_controls(t, ids, n_ids));
}

/* Changes some bytes of the header, and opens what gguf_parse still takes. */
static void fuzz_damage(Vocab *v, uint64_t *state) {
    Gguf g;
    GemmaError err = {0};
    char buf[256];
    for (int i = 1 + (int)(test_random(state) % 6); i > 0; i--)
        v->file.p[test_random(state) % v->file.n] = (uint8_t)test_random(state);
    if (gguf_parse(&g, v->file.p, v->file.n, v->file.n, &err) != GGUF_COMPLETE) return;
    err = (GemmaError){0};
    Tokenizer *t = tokenizer_new(&g, v->n_tokens, &err);
    if (!t) {
        CHECK(err.status != GEMMA_OK && strlen(err.text) > 10);
    } else {
        int32_t ids[64];
        CHECK(tokenizer_encode(t, "<b> ab\n\nuser", 12, true, true, ids, 64) > 0);
        for (int id = -1; id < v->n_tokens + 1; id++) CHECK(tokenizer_decode(t, id, buf) <= 256);
    }
    Chat c;
    chat_read(&c, &g, v->n_tokens);
    tokenizer_free(t);
    gguf_free(&g);
}

/* The texts of one vocabulary. */
static void input(uint64_t *state) {
    Vocab v = {0};
    GemmaError err = {0};
    make_vocab(&v, state);
    Tokenizer *t = vocab_open(&v, &err);
    if (!t) TEST_FAIL("%s", err.text);
    Chat c;
    chat_read(&c, &v.gguf, v.n_tokens);
    for (int i = 0; i < 20 && t; i++) fuzz_text(t, &c, v.n_tokens, state);
    tokenizer_free(t);
    fuzz_damage(&v, state);
    vocab_free(&v);
}

int main(int argc, char **argv) { return fuzz_main(argc, argv, "fuzz_tokenizer", input); }
