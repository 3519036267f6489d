/* hf_tokenizer.c: see hf_tokenizer.h. */
#include "hf_tokenizer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json_file.h"
#include "sp_model.h"
#include "tokenizer_json.h"

enum { MAX_SP_MODEL = 64 << 20, MAX_TEMPLATE = 1 << 20, MAX_TEMPLATES = 64 };

/* As settings files name them, and as GGUF does (one is misspelt there). */
static const struct {
    const char *name, *id_key, *add_key;
} SPECIAL[N_SPECIAL] = {
    [SPECIAL_BOS] = {"bos", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.add_bos_token"},
    [SPECIAL_EOS] = {"eos", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_eos_token"},
    [SPECIAL_UNK] = {"unk", "tokenizer.ggml.unknown_token_id", NULL},
    [SPECIAL_SEP] = {"sep", "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.add_sep_token"},
    [SPECIAL_PAD] = {"pad", "tokenizer.ggml.padding_token_id", NULL},
    [SPECIAL_MASK] = {"mask", "tokenizer.ggml.mask_token_id", NULL},
};

typedef struct {
    JsonFile tokenizer, settings, added;    /* tokenizer.json, tokenizer_config.json, added_tokens.json */
    JsonFile map;                           /* special_tokens_map.json */
} Files;

/* ------------------------------------------------------------------------------------------ the vocabulary */

static bool read_sp_model(HfTokenizer *t, const char *dir, bool *missing, GemmaError *err) {
    char *path = path_join(dir, "tokenizer.model");
    size_t n = 0;
    char *bytes = path ? file_load_optional(path, MAX_SP_MODEL, &n, missing, err) : NULL;
    bool good = *missing;
    if (bytes) good = sp_model_read(&t->vocabulary, (const uint8_t *)bytes, n, err)
        || error_in_file(err, path);
    if (!path) error_set(err, GEMMA_NO_MEMORY, "Not enough memory to read tokenizer.model.");
    free(bytes);
    free(path);
    return good;
}

/* Whether the pieces of tokenizer.model are the tokens of tokenizer.json; those that the latter adds are not
 * compared. */
static bool same_tokens(const Vocabulary *model, const Vocabulary *json) {
    for (int id = 0; id < model->n || id < json->n; id++) {
        const Token *a = id < model->n ? &model->tokens[id] : NULL, *b = id < json->n
            ? &json->tokens[id] : NULL;
        if (b && (b->type == TOKEN_CONTROL || b->type == TOKEN_USER_DEFINED)) continue;
        if (!a || !b || a->n != b->n || memcmp(a->text, b->text, a->n) != 0) return false;
    }
    return true;
}

/* Where tokenizer.json says other tokens than tokenizer.model, it goes before it, as it does for
 * transformers. */
static bool prefer_json(HfTokenizer *t, const JsonNode *tokenizer, Source *notes, GemmaError *err) {
    Vocabulary json = {0};
    if (!tokenizer_json_read(&json, tokenizer, err)) {
        vocabulary_free(&json);
        if (err->status == GEMMA_NO_MEMORY) return false;
        source_note(notes, "left out: tokenizer.json, beside tokenizer.model: %s", err->text);
        return true;
    }
    if (same_tokens(&t->vocabulary, &json)) {
        vocabulary_free(&json);
        return true;
    }
    source_note(notes, "left out: tokenizer.model, whose tokens differ from those of tokenizer.json");
    vocabulary_free(&t->vocabulary);
    t->vocabulary = json;
    return true;
}

static bool read_vocabulary(HfTokenizer *t, const Files *files, const char *dir, Source *notes,
    GemmaError *err) {
    bool missing = false;
    if (!read_sp_model(t, dir, &missing, err)) return false;
    if (!missing) return !files->tokenizer.root || prefer_json(t, files->tokenizer.root, notes, err);
    if (files->tokenizer.root)
        return tokenizer_json_read(&t->vocabulary, files->tokenizer.root, err)
            || error_in_file(err, "tokenizer.json");
    error_set(err, GEMMA_BAD_FILE, "%s has neither tokenizer.model nor tokenizer.json.", dir);
    return false;
}

/* Sets or describes one token. Ids that the model has no row for are counted in *n_left_out. */
static bool add_token(HfTokenizer *t, int64_t id, const JsonNode *text, bool special, int *n_left_out,
    GemmaError *err) {
    if (id < 0 || !text || text->kind != JSON_STRING) {
        error_set(err, GEMMA_BAD_FILE, "An added token has no sound id and text.");
        return false;
    }
    if (id < t->vocabulary.n) return vocabulary_set_added(&t->vocabulary, (int)id, text->text, text->n,
        special, err);
    ++*n_left_out;
    return true;
}

/* tokenizer.json's {"added_tokens": [{"id": ID, "content": TOKEN, "special": true}]}: transformers 5 says
 * nowhere else what a fine-tune added to the pieces of tokenizer.model. */
static bool apply_list(HfTokenizer *t, const JsonNode *tokenizer, int *n_left_out, GemmaError *err) {
    const JsonNode *list = json_get(tokenizer, "added_tokens");
    if (!list || list->kind != JSON_ARRAY) return true;
    const JsonNode *token = json_first(list);
    for (uint32_t i = 0; i < list->n; i++, token = json_next(token)) {
        const JsonNode *special = json_get(token, "special");
        int64_t id = -1;
        json_int(json_get(token, "id"), &id);
        if (!add_token(t, id, json_get(token, "content"), special && special->kind == JSON_TRUE,
            n_left_out, err))
            return error_in_file(err, "tokenizer.json");
    }
    return true;
}

/* {TOKEN: ID}: the older way; such tokens are user-defined. */
static bool apply_added_tokens(HfTokenizer *t, const JsonNode *root, int *n_left_out, GemmaError *err) {
    if (!root || root->kind != JSON_OBJECT) return true;
    const JsonNode *member = json_first(root);
    for (uint32_t i = 0; i < root->n; i++, member = json_next(member + 1)) {
        int64_t id = -1;
        json_int(member + 1, &id);
        if (!add_token(t, id, member, false, n_left_out, err)) return error_in_file(err, "added_tokens.json");
    }
    return true;
}

/* {"added_tokens_decoder": {"ID": {"content": TOKEN, "special": true}}} */
static bool apply_decoder(HfTokenizer *t, const JsonNode *settings, int *n_left_out, GemmaError *err) {
    const JsonNode *decoder = json_get(settings, "added_tokens_decoder");
    if (!decoder || decoder->kind != JSON_OBJECT) return true;
    const JsonNode *member = json_first(decoder);
    for (uint32_t i = 0; i < decoder->n; i++, member = json_next(member + 1)) {
        char digits[12] = "", *end;
        if (member->n < sizeof digits) memcpy(digits, member->text, member->n);
        long id = strtol(digits, &end, 10);
        const JsonNode *text = json_get(member + 1, "content"), *special = json_get(member + 1, "special");
        if (!add_token(t, *digits && !*end ? id : -1, text, special && special->kind == JSON_TRUE,
            n_left_out, err))
            return error_in_file(err, "tokenizer_config.json");
    }
    return true;
}

/* What several files say of one token, the last holds. */
static bool complete_vocabulary(HfTokenizer *t, const Files *files, int n_vocab, Source *notes,
    GemmaError *err) {
    int n_left_out[4] = {t->vocabulary.n > n_vocab ? t->vocabulary.n - n_vocab : 0}, most = 0;
    if (!vocabulary_resize(&t->vocabulary, n_vocab, err) || !apply_list(t, files->tokenizer.root,
        &n_left_out[1], err) ||
        !apply_added_tokens(t, files->added.root, &n_left_out[2], err) ||
        !apply_decoder(t, files->settings.root, &n_left_out[3], err) || !vocabulary_pad(&t->vocabulary, err))
        return false;
    for (int i = 0; i < 4; i++)
        if (n_left_out[i] > most) most = n_left_out[i];
    if (most) source_note(notes, "left out: %d tokens from id %d on, for which the model has no row",
        most, n_vocab);
    return true;
}

/* ------------------------------------------------------------------------------------------ special tokens */

/* The text of a token in tokenizer_config.json or, where that is silent, in special_tokens_map.json: a
 * string, or {"content": string}. NULL when untold. */
static const JsonNode *token_text(const Files *files, const char *name) {
    char key[32];
    snprintf(key, sizeof key, "%s_token", name);
    const JsonNode *node = json_get(files->settings.root, key);
    if (!node) node = json_get(files->map.root, key);
    if (node && node->kind == JSON_OBJECT) node = json_get(node, "content");
    return node && node->kind == JSON_STRING ? node : NULL;
}

static bool same_text(const JsonNode *a, const JsonNode *b) {
    return a && b && a->kind == JSON_STRING && b->kind == JSON_STRING && a->n == b->n
        && memcmp(a->text, b->text, a->n) == 0;
}

static const JsonNode *special_of(const JsonNode *step) {
    return json_get(json_get(step, "SpecialToken"), "id");
}

static const JsonNode *element(const JsonNode *list, uint32_t i) {
    const JsonNode *node = json_first(list);
    while (i-- > 0) node = json_next(node);
    return node;
}

/* What the template puts around one text, and between two: {"single": [<bos>, A], "pair": [<bos>, A, <bos>,
 * B]}. */
static void read_template(HfTokenizer *t, const JsonNode *processor, const Files *files) {
    const JsonNode *single = json_get(processor, "single"), *pair = json_get(processor, "pair");
    if (!single || single->kind != JSON_ARRAY || single->n < 2) return;
    const JsonNode *first = special_of(element(single, 0)),
        *last = special_of(element(single, single->n - 1));
    const JsonNode *bos = token_text(files, "bos"), *eos = token_text(files, "eos");
    if (first) t->add[SPECIAL_BOS] = !bos || same_text(first, bos) ? ADD_YES : ADD_NO;
    if (last) t->add[SPECIAL_EOS] = !eos || same_text(last, eos) ? ADD_YES : ADD_NO;
    if (!pair || pair->kind != JSON_ARRAY) return;
    uint32_t begin = first && pair->n > 0 && same_text(special_of(element(pair, 0)), first), end = pair->n;
    if (last && end > begin && same_text(special_of(element(pair, end - 1)), last)) end--;
    if (end < begin + 3) return;
    const JsonNode *between = special_of(element(pair, begin + 1));
    bool separates = between && !last && (same_text(between, token_text(files, "sep"))
        || same_text(between, eos));
    t->add[SPECIAL_SEP] = separates ? ADD_YES : ADD_NO;
}

static void read_post_processor(HfTokenizer *t, const Files *files) {
    const JsonNode *post = json_get(files->tokenizer.root, "post_processor"),
        *list = json_get(post, "processors");
    if (json_equals(json_get(post, "type"), "TemplateProcessing")) read_template(t, post, files);
    for (uint32_t i = 0; list && list->kind == JSON_ARRAY && i < list->n; i++)
        if (json_equals(json_get(element(list, i), "type"), "TemplateProcessing"))
            read_template(t, element(list, i), files);
}

/* The id of a token by the list of tokenizer.json, whose texts are those of the settings; -1 when it is not
 * there. */
static int64_t added_id(const JsonNode *tokenizer, const JsonNode *text) {
    const JsonNode *list = json_get(tokenizer, "added_tokens");
    int64_t id = -1;
    if (!list || list->kind != JSON_ARRAY) return -1;
    const JsonNode *token = json_first(list);
    for (uint32_t i = 0; i < list->n; i++, token = json_next(token))
        if (same_text(json_get(token, "content"), text) && json_int(json_get(token, "id"), &id)) return id;
    return -1;
}

/* config.json's own number; a list of several, as of Gemma 3's ends, is no answer. */
static int64_t config_id(const JsonNode *config, const char *name) {
    char key[32];
    int64_t id;
    snprintf(key, sizeof key, "%s_token_id", name);
    const JsonNode *node = json_get(config, key);
    if (!node) node = json_get(json_get(config, "text_config"), key);
    return json_int(node, &id) ? id : -1;
}

static void read_special(HfTokenizer *t, const Files *files, const JsonNode *config) {
    const JsonNode *settings = files->settings.root;
    read_post_processor(t, files);
    for (int i = 0; i < N_SPECIAL; i++) {
        char key[32];
        snprintf(key, sizeof key, "add_%s_token", SPECIAL[i].name);
        const JsonNode *add = json_get(settings, key), *text = token_text(files, SPECIAL[i].name);
        if (t->add[i] == ADD_UNTOLD && add && add->kind == JSON_TRUE) t->add[i] = ADD_YES;
        if (t->add[i] == ADD_UNTOLD && add && add->kind == JSON_FALSE) t->add[i] = ADD_NO;
        int64_t id = text ? added_id(files->tokenizer.root, text) : -1;
        if (id < 0 || id >= t->vocabulary.n) id = config_id(config, SPECIAL[i].name);
        if ((id < 0 || id >= t->vocabulary.n) && text)
            id = vocabulary_find(&t->vocabulary, text->text, text->n);
        t->id[i] = id >= 0 && id < t->vocabulary.n ? (int)id : -1;
    }
}

/* ------------------------------------------------------------------------------------------ chat templates */

/* Adds a template by its name. The name becomes a part of a key: characters other than letters and digits
 * become '_'. Of two with the same name, the first counts. */
static bool add_template(HfTokenizer *t, const char *name, size_t n_name, const char *text, size_t n,
    GemmaError *err) {
    char key[CHAT_TEMPLATE_NAME] = "";
    for (size_t i = 0; i < n_name && i < sizeof key - 1; i++) {
        bool plain = (name[i] >= '0' && name[i] <= '9') || ((name[i] | 32) >= 'a' && (name[i] | 32) <= 'z');
        key[i] = plain ? name[i] : '_';
    }
    if (!*key || t->n_templates == MAX_TEMPLATES) return true;
    for (int i = 0; i < t->n_templates; i++)
        if (strcmp(t->templates[i].name, key) == 0) return true;
    ChatTemplate *more = realloc(t->templates, (size_t)(t->n_templates + 1) * sizeof *more);
    if (more) t->templates = more;
    char *copy = more ? malloc(n + 1) : NULL;
    if (!copy) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the chat template.");
        return false;
    }
    memcpy(copy, text, n);
    more[t->n_templates] = (ChatTemplate){.text = copy, .n = n};
    strcpy(more[t->n_templates++].name, key);
    return true;
}

/* A string, the default one, or a list of {name, template}. *told: it is one of them. */
static bool add_templates(HfTokenizer *t, const JsonNode *node, bool *told, GemmaError *err) {
    bool good = true;
    *told = node && (node->kind == JSON_STRING || node->kind == JSON_ARRAY);
    if (!*told) return true;
    if (node->kind == JSON_STRING) return add_template(t, "default", 7, node->text, node->n, err);
    const JsonNode *entry = json_first(node);
    for (uint32_t i = 0; good && i < node->n; i++, entry = json_next(entry)) {
        const JsonNode *name = json_get(entry, "name"), *text = json_get(entry, "template");
        bool sound = name && text && name->kind == JSON_STRING && text->kind == JSON_STRING;
        if (sound) good = add_template(t, name->text, name->n, text->text, text->n, err);
    }
    return good;
}

/* A file of one template. A missing one is fine. */
static bool add_template_file(HfTokenizer *t, const char *dir, const char *file, const char *name, bool *told,
    GemmaError *err) {
    char *path = path_join(dir, file);
    size_t n = 0;
    bool missing = false;
    char *text = path ? file_load_optional(path, MAX_TEMPLATE, &n, &missing, err) : NULL;
    if (!path) error_set(err, GEMMA_NO_MEMORY, "Not enough memory to read %s.", file);
    bool good = missing || (text && add_template(t, name, strlen(name), text, n, err));
    *told = text != NULL;
    free(text);
    free(path);
    return good;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* additional_chat_templates/NAME.jinja */
static bool add_named_files(HfTokenizer *t, const char *dir, GemmaError *err) {
    char *folder = path_join(dir, "additional_chat_templates"), *names[MAX_TEMPLATES];
    DIR *opened = folder ? opendir(folder) : NULL;
    int n = 0;
    bool good = true, told;
    for (struct dirent *entry; opened && n < MAX_TEMPLATES && (entry = readdir(opened)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length > 6 && strcmp(entry->d_name + length - 6, ".jinja") == 0
            && (names[n] = strdup(entry->d_name))) n++;
    }
    qsort(names, (size_t)n, sizeof *names, compare_names);
    for (int i = 0; i < n; i++) {
        char *stem = strndup(names[i], strlen(names[i]) - 6);
        if (good && !stem) error_set(err, GEMMA_NO_MEMORY,
            "Not enough memory for the name of a chat template.");
        good = good && stem && add_template_file(t, folder, names[i], stem, &told, err);
        free(stem);
        free(names[i]);
    }
    if (opened) closedir(opened);
    free(folder);
    return good;
}

/* In tokenizer_config.json, chat_template.jinja with its kin, or chat_template.json: the first that there
 * is. */
static bool read_chat_templates(HfTokenizer *t, const Files *files, const char *dir, GemmaError *err) {
    bool told;
    if (!add_templates(t, json_get(files->settings.root, "chat_template"), &told, err)) return false;
    if (told) return true;
    if (!add_template_file(t, dir, "chat_template.jinja", "default", &told, err)) return false;
    if (told) return add_named_files(t, dir, err);
    JsonFile f;
    if (!json_file_open(&f, dir, "chat_template.json", false, err)) return false;
    bool good = add_templates(t, json_get(f.root, "chat_template"), &told, err);
    json_file_close(&f);
    return good;
}

/* As gguf-py's add_chat_template does: the default one under its own key, the others by name, and a list of
 * their names. */
static void write_chat_templates(const HfTokenizer *t, GgufEntries *e) {
    const ChatTemplate *standard = NULL;
    for (int i = 0; i < t->n_templates; i++) {
        const ChatTemplate *one = &t->templates[i];
        char key[CHAT_TEMPLATE_NAME + 32];
        snprintf(key, sizeof key, "tokenizer.chat_template.%s", one->name);
        if (strcmp(one->name, "default") == 0) standard = one;
        else gguf_put_string(e, key, one->text, one->n);
    }
    int n_named = t->n_templates - (standard != NULL);
    if (n_named > 0) gguf_put_array(e, "tokenizer.chat_templates", GGUF_STRING, (uint64_t)n_named);
    for (int i = 0; n_named > 0 && i < t->n_templates; i++)
        if (&t->templates[i] != standard)
            bytes_put_string(&e->bytes, t->templates[i].name, strlen(t->templates[i].name));
    if (standard) gguf_put_string(e, "tokenizer.chat_template", standard->text, standard->n);
}

/* ------------------------------------------------------------------------------------------ all of it */

bool hf_tokenizer_read(HfTokenizer *t, const char *dir, const JsonNode *config, int n_vocab, Source *notes,
    GemmaError *err) {
    Files files = {0};
    *t = (HfTokenizer){0};
    bool good = json_file_open(&files.tokenizer, dir, "tokenizer.json", false, err) &&
                json_file_open(&files.settings, dir, "tokenizer_config.json", false, err) &&
                json_file_open(&files.added, dir, "added_tokens.json", false, err) &&
                json_file_open(&files.map, dir, "special_tokens_map.json", false, err) &&
                read_vocabulary(t, &files, dir, notes, err) && complete_vocabulary(t, &files,
                    n_vocab, notes, err);
    if (good) {
        read_special(t, &files, config);
        good = read_chat_templates(t, &files, dir, err);
    }
    json_file_close(&files.tokenizer);
    json_file_close(&files.settings);
    json_file_close(&files.added);
    json_file_close(&files.map);
    if (!good) hf_tokenizer_free(t);
    return good;
}

void hf_tokenizer_free(HfTokenizer *t) {
    vocabulary_free(&t->vocabulary);
    for (int i = 0; i < t->n_templates; i++) free(t->templates[i].text);
    free(t->templates);
    *t = (HfTokenizer){0};
}

static void write_vocabulary(const Vocabulary *v, GgufEntries *e) {
    gguf_put_string(e, "tokenizer.ggml.model", "llama", 5);
    gguf_put_string(e, "tokenizer.ggml.pre", "default", 7);
    gguf_put_array(e, "tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)v->n);
    for (int id = 0; id < v->n; id++) bytes_put_string(&e->bytes, v->tokens[id].text, v->tokens[id].n);
    gguf_put_array(e, "tokenizer.ggml.scores", GGUF_FLOAT32, (uint64_t)v->n);
    for (int id = 0; id < v->n; id++) bytes_put(&e->bytes, &v->tokens[id].score, 4);
    gguf_put_array(e, "tokenizer.ggml.token_type", GGUF_INT32, (uint64_t)v->n);
    for (int id = 0; id < v->n; id++) bytes_put_u32(&e->bytes, v->tokens[id].type);
}

/* The end of a turn, which Gemma 1's settings don't tell; readers of later models know it by its name. */
static void write_end_of_turn(const Vocabulary *v, GgufEntries *e) {
    int id = vocabulary_find(v, "<end_of_turn>", 13);
    if (id >= 0) gguf_put_u32(e, "tokenizer.ggml.eot_token_id", (uint32_t)id);
}

void hf_tokenizer_write(const HfTokenizer *t, int generation, GgufEntries *e) {
    write_vocabulary(&t->vocabulary, e);
    for (int i = 0; i < N_SPECIAL; i++)
        if (t->id[i] >= 0) gguf_put_u32(e, SPECIAL[i].id_key, (uint32_t)t->id[i]);
    for (int i = 0; i < N_SPECIAL; i++)
        if (SPECIAL[i].add_key && t->add[i] != ADD_UNTOLD)
            gguf_put_bool(e, SPECIAL[i].add_key, t->add[i] == ADD_YES);
    if (generation == 1) write_end_of_turn(&t->vocabulary, e);
    write_chat_templates(t, e);
    gguf_put_bool(e, "tokenizer.ggml.add_space_prefix", false);
}
