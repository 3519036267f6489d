/* foreign.c: see foreign.h. */
#include "foreign.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"

#define SAVE_AGAIN "save it again as safetensors with transformers: " \
    "AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW)"
#define TAKE_ORIGINAL "give the checkpoint in safetensors that it was made of"

/* By pattern of fnmatch, in a folder without safetensors; the first that matches. */
static const struct {
    const char *pattern, *advice;
} FOLDERS[] = {
    {"adapter_config.json", "a LoRA adapter, not a whole model: merge it into its model with PEFT's "
                            "merge_and_unload, and give what save_pretrained writes then"},
    {"adapter_model.*", "a LoRA adapter, not a whole model: merge it into its model with PEFT's "
                        "merge_and_unload, and give what save_pretrained writes then"},
    {"pytorch_model*.bin*", "a PyTorch checkpoint: " SAVE_AGAIN},
    {"consolidated*.pth", "a PyTorch checkpoint: " TAKE_ORIGINAL},
    {"*.pth", "a PyTorch checkpoint: " TAKE_ORIGINAL},
    {"*.pt", "a PyTorch checkpoint: " TAKE_ORIGINAL},
    {"*.ckpt", "a PyTorch checkpoint: " TAKE_ORIGINAL},
    {"tf_model.h5", "a TensorFlow checkpoint: " SAVE_AGAIN},
    {"flax_model.msgpack", "a Flax checkpoint: " SAVE_AGAIN},
    {"*.weights.h5", "a Keras checkpoint: " TAKE_ORIGINAL},
    {"*.keras", "a Keras checkpoint: " TAKE_ORIGINAL},
    {"*.onnx", "an ONNX model: " TAKE_ORIGINAL},
    {"onnx", "ONNX models: " TAKE_ORIGINAL},
    {"*.task", "a MediaPipe model: " TAKE_ORIGINAL},
    {"*.tflite", "a LiteRT model: " TAKE_ORIGINAL},
    {"*.litertlm", "a LiteRT model: " TAKE_ORIGINAL},
    {"*.sbs", "a model of gemma.cpp: " TAKE_ORIGINAL},
    {"_METADATA", "a JAX (Orbax) checkpoint: " TAKE_ORIGINAL},
    {"*.gguf", "a GGUF: give that file as --in"},
    {"*.bin", "a PyTorch checkpoint: " SAVE_AGAIN},
};
enum { N_FOLDERS = sizeof FOLDERS / sizeof *FOLDERS };

/* ------------------------------------------------------------------------------------------ folders */

static bool is_there(const char *dir, const char *name) {
    struct stat about;
    char *path = path_join(dir, name);
    bool there = path && stat(path, &about) == 0;
    free(path);
    return there;
}

/* What a folder holds, as far as it matters here. Of several that match, the first by name. */
typedef struct {
    bool config, weights;
    char *first[N_FOLDERS];     /* a name for each pattern; NULL: none */
    char *model;                /* a folder inside that has a config.json */
    char *cached;               /* a folder inside that the cache of Hugging Face names
                                 * "models--OWNER--NAME" */
} Listing;

static void keep_first(char **name, const char *found) {
    if (*name && strcmp(*name, found) <= 0) return;
    free(*name);
    *name = strdup(found);
}

static void look_at(Listing *l, const char *dir, const char *name) {
    bool is_adapter = strncmp(name, "adapter_", 8) == 0;
    l->config = l->config || strcmp(name, "config.json") == 0;
    l->weights = l->weights || (!is_adapter && (fnmatch("*.safetensors", name, 0) == 0
        || fnmatch("*.safetensors.index.json", name, 0) == 0));
    for (int i = 0; i < N_FOLDERS; i++)
        if (fnmatch(FOLDERS[i].pattern, name, 0) == 0) keep_first(&l->first[i], name);
    char *inside = name[0] == '.' ? NULL : path_join(name, "config.json");
    if (inside && is_there(dir, inside)) keep_first(&l->model, name);
    if (strncmp(name, "models--", 8) == 0) keep_first(&l->cached, name);
    free(inside);
}

static void list_folder(Listing *l, const char *dir) {
    *l = (Listing){0};
    DIR *opened = opendir(dir);
    for (struct dirent *entry; opened && (entry = readdir(opened)) != NULL;) look_at(l, dir, entry->d_name);
    if (opened) closedir(opened);
}

static void free_listing(Listing *l) {
    for (int i = 0; i < N_FOLDERS; i++) free(l->first[i]);
    free(l->model);
    free(l->cached);
}

/* The newest snapshot of a model in the cache of Hugging Face, "DIR/snapshots/REVISION", to be freed:
 * refs/main names it. */
static char *snapshot_of(const char *dir) {
    GemmaError ignored;
    size_t n;
    bool missing;
    char *snapshots = path_join(dir, "snapshots"), *refs = path_join(dir, "refs/main"), *path = NULL;
    char *revision = snapshots && refs ? file_load_optional(refs, 200, &n, &missing, &ignored) : NULL;
    if (revision) revision[strcspn(revision, "\r\n/")] = 0;
    if (revision && *revision && is_there(snapshots, revision)) path = path_join(snapshots, revision);
    if (snapshots && !path) {
        Listing l;
        list_folder(&l, snapshots);
        if (l.model) path = path_join(snapshots, l.model);
        free_listing(&l);
    }
    free(revision);
    free(refs);
    free(snapshots);
    return path;
}

static void refuse(GemmaError *err, const char *dir, const char *what, const char *instead) {
    error_set(err, GEMMA_BAD_FILE, "%s %s; give %s.", dir, what, instead ? instead
        : "the folder of a checkpoint in it");
}

static void refuse_cache(GemmaError *err, const char *dir, const Listing *l) {
    char *model = path_join(dir, l->cached), *snapshot = model ? snapshot_of(model) : NULL;
    refuse(err, dir, "is the cache of Hugging Face, not the folder of a checkpoint", snapshot);
    free(snapshot);
    free(model);
}

bool foreign_check_folder(const char *dir, GemmaError *err) {
    Listing l;
    int known = 0;
    bool good = true;
    list_folder(&l, dir);
    while (known < N_FOLDERS && !l.first[known]) known++;
    if (l.config && l.weights) {
        /* It looks like a checkpoint. */
    } else if (!l.config && is_there(dir, "snapshots")) {
        char *snapshot = snapshot_of(dir);
        refuse(err, dir, "is the root of a model in the cache of Hugging Face, not the folder of a checkpoint",
            snapshot);
        free(snapshot);
        good = false;
    } else if (!l.config && l.cached) {
        refuse_cache(err, dir, &l);
        good = false;
    } else if (known < N_FOLDERS && !l.weights) {
        error_set(err, GEMMA_UNSUPPORTED, "%s has no safetensors, but %s: %s.", dir, l.first[known],
            FOLDERS[known].advice);
        good = false;
    } else if (!l.config && !l.weights && l.model) {
        char *model = path_join(dir, l.model);
        refuse(err, dir, "has no config.json, but a folder in it has one", model);
        free(model);
        good = false;
    }
    free_listing(&l);
    return good;
}

/* ------------------------------------------------------------------------------------------ files */

const char *foreign_file(const char *path) {
    static const struct {
        size_t at;
        const char *bytes, *what;
    } known[] = {
        {0, "PK\3\4", "it is a zip archive, as PyTorch's .bin, .pt and .pth are: " TAKE_ORIGINAL},
        {0, "\x80\2", "it is a PyTorch checkpoint: " TAKE_ORIGINAL},
        {0, "\x89HDF", "it is an HDF5 file, as TensorFlow and Keras write: " TAKE_ORIGINAL},
        {4, "TFL3", "it is a LiteRT model: " TAKE_ORIGINAL},
        {0, "LITERTLM", "it is a LiteRT model: " TAKE_ORIGINAL},
        {0, "\x1f\x8b", "it is compressed with gzip: unpack it first"},
        {0, "\x28\xb5\x2f\xfd", "it is compressed with zstd: unpack it first"},
        {0, "lmgg", "it is a file of llama.cpp from before GGUF: get the model as GGUF"},
        {0, "tjgg", "it is a file of llama.cpp from before GGUF: get the model as GGUF"},
        {0, "fmgg", "it is a file of llama.cpp from before GGUF: get the model as GGUF"},
        {0, "<!DOCTYPE", "it is a web page: the download needs a login, or another address"},
        {0, "<!doctype", "it is a web page: the download needs a login, or another address"},
        {0, "<html", "it is a web page: the download needs a login, or another address"},
    };
    File f;
    GemmaError ignored;
    uint64_t header = 0;
    char start[16] = "";
    if (!file_open(&f, path, &ignored)) return NULL;
    size_t n = f.size < sizeof start ? (size_t)f.size : sizeof start;
    uint64_t size = f.size;
    bool good = file_read(&f, 0, start, n, &ignored);
    file_close(&f);
    if (!good) return NULL;
    if (size == 0) return "it is empty: get it again";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].bytes);
        if (known[i].at + length <= n && memcmp(start + known[i].at, known[i].bytes, length) == 0)
            return known[i].what;
    }
    memcpy(&header, start, 8);
    if (n > 8 && start[8] == '{' && header <= size - 8)
        return "it is a safetensors file: give the folder that holds it and config.json";
    return NULL;
}

/* ------------------------------------------------------------------------------------------ quantised checkpoints */

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

const char *foreign_quantisation(const SafeTensor *t, const JsonNode *config) {
    static const struct {
        const char *end, *method;
    } parts[] = {
        {".qweight", "GPTQ or AWQ"}, {".qzeros", "GPTQ or AWQ"}, {".g_idx", "GPTQ"},
            {".weight.absmax", "bitsandbytes"},
        {".weight.quant_map", "bitsandbytes"}, {".SCB", "bitsandbytes"},
            {".weight_packed", "compressed-tensors"},
        {".weight_scale", "compressed-tensors or FP8"}, {".weight_scale_inv", "FP8"}, {".input_scale", "FP8"},
            {".W_q", "HQQ"},
        {".scales", "GPTQ, AWQ or MLX"}, {".biases", "MLX"},
    };
    static const struct {
        const char *told, *method;
    } methods[] = {
        {"gptq", "GPTQ"}, {"awq", "AWQ"}, {"bitsandbytes", "bitsandbytes"}, {"fp8", "FP8"},
            {"fbgemm_fp8", "FP8"}, {"hqq", "HQQ"},
        {"compressed-tensors", "compressed-tensors"}, {"torchao", "torchao"}, {"aqlm", "AQLM"},
            {"eetq", "EETQ"}, {"quanto", "Quanto"},
    };
    const char *found = strncmp(t->dtype, "F8_", 3) == 0 ? "FP8" : NULL;
    for (size_t i = 0; !found && i < sizeof parts / sizeof *parts; i++)
        if (ends(t->name, parts[i].end)) found = parts[i].method;
    if (!found) return NULL;
    const JsonNode *told = json_get(config, "quantization_config");
    if (!told) told = json_get(json_get(config, "text_config"), "quantization_config");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (json_equals(json_get(told, "quant_method"), methods[i].told)) return methods[i].method;
    return json_get(config, "quantization") && ends(t->name, "s") ? "MLX" : found;
}
