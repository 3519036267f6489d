/* arch.c: see arch.h. Sources: google/gemma_pytorch (config.py) and llama.cpp (src/models/gemma*.cpp) for
 * defaults; the papers arXiv 2403.08295, 2408.00118 and 2503.19786 for the layers; transformers
 * (models/gemma*, configuration_gemma*.py) for checkpoints. */
#include "arch.h"

#include <stdio.h>
#include <string.h>

static const ArchSize gemma2_sizes[] = {{46, 4096, 1, false, true}, {0}};
static const ArchSize gemma3_sizes[] = {
    {18, 512, 1, false, false}, {26, 512, 1, true, false}, {34, 1024, 8, false, false},
        {48, 1024, 8, false, false}, {62, 1024, 8, false, true}, {0}};
static const ArchSize no_sizes[] = {{0}};

static const Arch rows[] = {
    {.name = "gemma", .generation = 1, .period = 1, .rope_base = 10000, .sizes = no_sizes,
     .checkpoint = {{"GemmaForCausalLM", "GemmaModel"}, {"gemma"}, {"gemma", 28, 3072, 16, 16, 256, 24576,
         256000, 8192, 0}}},
    {.name = "gemma2", .generation = 2, .period = 2, .window = 4096, .rope_base = 10000, .attn_softcap = 50,
        .final_softcap = 30, .final_softcap_global = 30,
     .post_norms = true, .sizes = gemma2_sizes,
     .checkpoint = {{"Gemma2ForCausalLM", "Gemma2Model"}, {"gemma2"}, {"gemma2", 26, 2304, 8, 4, 256, 9216,
         256000, 8192, 4096}}},
    /* A model of another size that is silent about the window has none, and then (llama.cpp, gemma3.cpp) its
     * logits are capped at 30. */
    {.name = "gemma3", .generation = 3, .period = 6, .rope_base = 1e6f, .rope_base_local = 10000,
        .final_softcap_global = 30, .post_norms = true, .qk_norms = true,
     .sizes = gemma3_sizes,
     .checkpoint = {{"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", "Gemma3TextModel", "Gemma3Model"},
         {"gemma3_text", "gemma3"},
                    {"gemma3", 26, 2304, 8, 4, 256, 9216, 262208, 131072, 4096}}},
};

/*   name, {architecture, layers, embedding, heads, KV heads, head size, feed-forward, vocabulary, context, window} */
static const ArchShape shapes[] = {
    {"gemma-2b", {"gemma", 18, 2048, 8, 1, 256, 16384, 256000, 8192, 0}},
    {"gemma-7b", {"gemma", 28, 3072, 16, 16, 256, 24576, 256000, 8192, 0}},
    {"gemma2-2b", {"gemma2", 26, 2304, 8, 4, 256, 9216, 256000, 8192, 4096}},
    {"gemma2-9b", {"gemma2", 42, 3584, 16, 8, 256, 14336, 256000, 8192, 4096}},
    {"gemma2-27b", {"gemma2", 46, 4608, 32, 16, 128, 36864, 256000, 8192, 4096}},
    {"gemma3-270m", {"gemma3", 18, 640, 4, 1, 256, 2048, 262144, 32768, 512}},
    {"gemma3-1b", {"gemma3", 26, 1152, 4, 1, 256, 6912, 262144, 32768, 512}},
    {"gemma3-4b", {"gemma3", 34, 2560, 8, 4, 256, 10240, 262144, 131072, 1024}},
    {"gemma3-12b", {"gemma3", 48, 3840, 16, 8, 256, 15360, 262144, 131072, 1024}},
    {"gemma3-27b", {"gemma3", 62, 5376, 32, 16, 128, 21504, 262144, 131072, 1024}},
};

const Arch *arch_at(int i) { return i >= 0 && (size_t)i < sizeof rows / sizeof *rows ? &rows[i] : NULL; }

const Arch *arch_find(const char *name, size_t n) {
    for (int i = 0; arch_at(i); i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0) return &rows[i];
    return NULL;
}

const char *arch_names(char buf[96]) {
    size_t n = 0;
    for (int i = 0; arch_at(i) && n < 96; i++) n += (size_t)
        snprintf(buf + n, 96 - n, "%s%s", i == 0 ? "" : arch_at(i + 1) ? ", " : " and ", rows[i].name);
    return buf;
}

ArchSize arch_size(const Arch *arch, int n_layer) {
    for (const ArchSize *s = arch->sizes; s->n_layer; s++)
        if (s->n_layer == n_layer) return *s;
    return (ArchSize){n_layer, arch->window, 1, false, false};
}

const ArchShape *arch_shape_at(int i) {
    return i >= 0 && (size_t)i < sizeof shapes / sizeof *shapes ? &shapes[i] : NULL;
}
