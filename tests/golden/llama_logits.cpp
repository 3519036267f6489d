// llama_logits.cpp: llama.cpp's logits at every position of a token sequence, and its tokenizer's ids: the
// outside judge of make_golden.py.
//
//   llama_logits logits MODEL IDS OUT f32|f16    OUT: float32 [n_tokens, n_vocab]; the last word is the type
//                                                of the KV cache
//   llama_logits tokenize MODEL TEXT_FILE        prints ids, BOS first, control texts as text
//
// Build against a llama.cpp tree:
//   g++ -O2 llama_logits.cpp -I$L/include -I$L/ggml/include -L$L/build/bin -lllama -lggml -lggml-base
#include "llama.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

static int logits(llama_model *model, const char *ids_file, const char *out_file, bool f32) {
    std::ifstream in(ids_file);
    std::vector<llama_token> ids{std::istream_iterator<llama_token>(in), {}};
    auto params = llama_context_default_params();
    params.n_ctx = params.n_batch = (uint32_t)(ids.size() + 255) / 256 * 256;
    params.n_threads = params.n_threads_batch = 2;
    params.swa_full = true;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = f32 ? GGML_TYPE_F32 : GGML_TYPE_F16;
    auto *ctx = llama_init_from_model(model, params);
    auto batch = llama_batch_init((int)ids.size(), 0, 1);
    batch.n_tokens = (int)ids.size();
    for (size_t i = 0; i < ids.size(); i++) {
        batch.token[i] = ids[i];
        batch.pos[i] = (int)i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    if (!ctx || llama_decode(ctx, batch)) return 2;
    FILE *out = fopen(out_file, "wb");
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (size_t i = 0; i < ids.size(); i++) fwrite(llama_get_logits_ith(ctx, (int)i), 4, n_vocab, out);
    return fclose(out);
}

static int tokenize(llama_model *model, const char *text_file) {
    std::ifstream in(text_file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    std::vector<llama_token> ids(text.size() + 16);
    int n = llama_tokenize(llama_model_get_vocab(model), text.data(), (int)text.size(),
                           ids.data(), (int)ids.size(), true, false);
    for (int i = 0; i < n; i++) printf("%d ", ids[i]);
    return n < 0;
}

int main(int argc, char **argv) {
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    ggml_backend_load_all();
    if (argc < 4) return 1;
    bool only_vocab = !strcmp(argv[1], "tokenize");
    auto params = llama_model_default_params();
    params.vocab_only = only_vocab;
    auto *model = llama_model_load_from_file(argv[2], params);
    if (!model) return 2;
    return only_vocab ? tokenize(model, argv[3]) : logits(model, argv[3], argv[4], !strcmp(argv[5], "f32"));
}
