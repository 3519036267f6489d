/* options.c: see options.h. */
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

enum { MAX_THREADS = 256, MAX_SPLIT_MIB = 1 << 20 };

const char OPTIONS_HELP[] =
    "usage: quantize --in DIR|FILE.gguf --out FILE.gguf --type T [options]\n"
    "\n"
    "  --in DIR             a Gemma 1, 2 or 3 checkpoint: safetensors, config.json, tokenizer.model or tokenizer.json\n"
    "  --in FILE.gguf       a GGUF, which is quantised again\n"
    "  --type T             f32 f16 bf16 q8_0 q4_0 q4_k q5_k q6_k, or the mixtures q4_k_s q4_k_m q5_k_s q5_k_m; "
                            "in capitals, too\n"
    "  --tensor-type P=T    type T for tensors whose name matches the regular expression P; may be repeated, "
                            "the first match holds\n"
    "  --imatrix FILE       an importance matrix (GGUF), as `gemma imatrix` or llama-imatrix writes it\n"
    "  --plain              round to nearest instead of searching the best scales: faster, less exact\n"
    "  --manifest           also write FILE.gguf.json: sizes and SHA-256 of the file and of its chunks of 16 MiB\n"
    "  --split N            also write the file in parts of N MiB, which become the manifest's chunks\n"
    "  --name TEXT          the model's name; default: the folder's\n"
    "  --threads N          default: all cores\n"
    "  --dry-run            print each tensor's type and size, write nothing\n"
    "  --verify             read the output back and print each tensor's error\n";

static bool wrong(GemmaError *err, const char *option, const char *expected, const char *found) {
    char quoted[72];
    error_set(err, GEMMA_BAD_ARGUMENT, "%s: %s expected, not \"%s\".", option, expected,
        error_quote(quoted, found, strlen(found)));
    return false;
}

static bool read_count(const char *option, const char *text, long max, long *value, GemmaError *err) {
    char *end;
    *value = strtol(text, &end, 10);
    return (*text && !*end && *value >= 1 && *value <= max)
        || wrong(err, option, "a whole number of 1 or more was", text);
}

static bool read_type(Options *o, const char *text, GemmaError *err) {
    char expected[160] = "one of ";
    o->type = output_type_by_name(text);
    if (o->type) return true;
    output_type_names(expected + 7, sizeof expected - 7 - 5);
    strcat(expected, " was");
    return wrong(err, "--type", expected, text);
}

/* "PATTERN=TYPE"; the pattern may have an = itself. */
static bool read_override(Options *o, char *text, GemmaError *err) {
    char *equals = strrchr(text, '=');
    const QuantInfo *info = equals ? quant_by_name(equals + 1, strlen(equals + 1)) : NULL;
    if (!info || equals == text)
        return wrong(err, "--tensor-type", "PATTERN=TYPE, as in ffn_down=q6_k, was", text);
    TypeOverride *more = realloc(o->overrides, (size_t)(o->n_overrides + 1) * sizeof *more);
    if (!more) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for --tensor-type.");
        return false;
    }
    o->overrides = more;
    *equals = 0;
    bool good = regcomp(&more[o->n_overrides].pattern, text, REG_EXTENDED | REG_NOSUB) == 0;
    *equals = '=';
    if (!good) return wrong(err, "--tensor-type", "a regular expression before the = was", text);
    more[o->n_overrides].text = text;
    more[o->n_overrides++].type = info->type;
    return true;
}

static bool read_value(Options *o, const char *option, char *value, GemmaError *err) {
    long count;
    if (strcmp(option, "--in") == 0) o->in = value;
    else if (strcmp(option, "--out") == 0) o->out = value;
    else if (strcmp(option, "--imatrix") == 0) o->imatrix = value;
    else if (strcmp(option, "--name") == 0) o->name = value;
    else if (strcmp(option, "--type") == 0) return read_type(o, value, err);
    else if (strcmp(option, "--tensor-type") == 0) return read_override(o, value, err);
    else if (strcmp(option, "--threads") == 0) {
        if (!read_count(option, value, MAX_THREADS, &count, err)) return false;
        o->n_threads = (int)count;
    } else {
        if (!read_count(option, value, MAX_SPLIT_MIB, &count, err)) return false;
        o->split_bytes = (uint64_t)count << 20;
        o->manifest = true;
    }
    return true;
}

static bool is_one_of(const char *text, const char *const *names) {
    for (; *names; names++)
        if (strcmp(text, *names) == 0) return true;
    return false;
}

static bool check(const Options *o, GemmaError *err) {
    const char *missing = !o->in ? "--in" : !o->out && !o->dry_run ? "--out" : !o->type ? "--type" : NULL;
    if (missing) error_set(err, GEMMA_BAD_ARGUMENT, "%s is missing; quantize --help lists the options.",
        missing);
    return !missing;
}

bool options_read(Options *o, int argc, char **argv, GemmaError *err) {
    static const char *const with_value[] = {"--in", "--out", "--type", "--tensor-type", "--imatrix",
        "--split", "--name", "--threads",
                                             NULL};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (Options){.n_threads = cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores};
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (is_one_of(option, with_value)) {
            if (i + 1 == argc) {
                error_set(err, GEMMA_BAD_ARGUMENT, "%s: A value was expected.", option);
                return false;
            }
            if (!read_value(o, option, argv[++i], err)) return false;
        } else if (strcmp(option, "--plain") == 0) o->plain = true;
        else if (strcmp(option, "--manifest") == 0) o->manifest = true;
        else if (strcmp(option, "--dry-run") == 0) o->dry_run = true;
        else if (strcmp(option, "--verify") == 0) o->verify = true;
        else if (strcmp(option, "--help") == 0) o->help = true;
        else {
            char quoted[72];
            error_set(err, GEMMA_BAD_ARGUMENT, "\"%s\" is not an option; quantize --help lists them.",
                      error_quote(quoted, option, strlen(option)));
            return false;
        }
    }
    return o->help || check(o, err);
}

void options_free(Options *o) {
    for (int i = 0; i < o->n_overrides; i++) regfree(&o->overrides[i].pattern);
    free(o->overrides);
    *o = (Options){0};
}
