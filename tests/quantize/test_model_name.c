/* What llama.cpp's gguf-py (Metadata.get_model_id_components and id_to_title, commit 0c1e570) makes of such
 * names. */
#include "test.h"

#include "model_name.h"

static const struct {
    const char *folder;
    uint64_t n_weights;
    ModelName expected;
} CASES[] = {
    {"gemma-2b-it", 2506172416, {"Gemma 2b It", "gemma", "2B", "it", ""}},
    {"gemma-7b", 8537680896, {"Gemma 7b", "gemma", "7B", "", ""}},
    {"gemma-2-2b-it", 2614341888, {"Gemma 2 2b It", "gemma-2", "2B", "it", ""}},
    {"gemma-1.1-2b-it", 2506172416, {"Gemma 1.1 2b It", "gemma-1.1", "2B", "it", ""}},
    {"gemma-3-270m", 268098176, {"Gemma 3 270m", "gemma-3", "270M", "", ""}},
    {"gemma-3-1b-it-qat-q4_0-unquantized", 999885952, {"Gemma 3 1b It Qat Q4_0 Unquantized", "gemma-3", "1B",
        "it-qat-unquantized", ""}},
    {"codegemma-7b-it-32k", 8537680896, {"Codegemma 7b It 32k", "codegemma", "7B", "it-32k", ""}},
    {"x-1.5M-2b", 2506172416, {"X 1.5M 2b", "x", "2B", "1.5m", ""}},
    {"my-gemma-v2", 77, {"My Gemma v2", "my-gemma", "", "", "v2"}},
    {"gemma-3", 100, {"Gemma 3", "gemma", "", "", "3"}},
    {"tiny-gemma1-it", 1839000, {"Tiny Gemma1 It", "", "", "", ""}},
    {"Some Gemma", 5, {"Some Gemma", "", "", "", ""}},
    {"---", 5, {"", "", "", "", ""}},
};

TEST(names_tell_what_llama_cpp_reads_in_them) {
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const ModelName *e = &CASES[i].expected;
        ModelName n;
        model_name_read(&n, CASES[i].folder, CASES[i].n_weights);
        if (strcmp(n.title, e->title) || strcmp(n.basename, e->basename)
            || strcmp(n.size_label, e->size_label) ||
            strcmp(n.finetune, e->finetune) || strcmp(n.version, e->version))
            TEST_FAIL("%s: \"%s\", \"%s\", \"%s\", \"%s\", \"%s\"", CASES[i].folder, n.title, n.basename,
                n.size_label, n.finetune, n.version);
    }
}

TEST(a_long_name_is_cut) {
    char folder[1000];
    ModelName n;
    for (size_t i = 0; i < sizeof folder - 1; i++) folder[i] = i % 3 == 2 ? '-' : 'a';
    folder[sizeof folder - 1] = 0;
    model_name_read(&n, folder, 1);
    CHECK(strlen(n.title) < MODEL_NAME_PART);
}

int main(void) {
    RUN(names_tell_what_llama_cpp_reads_in_them);
    RUN(a_long_name_is_cut);
    return test_result();
}
