/* model_name.c: see model_name.h. */
#include "model_name.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_WORDS = 32 };

/* TYPE: of weights, "q4_0" */
typedef enum { WORD_PLAIN, WORD_VERSION, WORD_SIZE, WORD_TUNING, WORD_TYPE } WordKind;

typedef struct {
    char *text;
    WordKind kind;
    bool in_basename;
} Word;

/* The length of "12" or "1.5" at the start of text. */
static size_t number_length(const char *text) {
    size_t n = strspn(text, "0123456789");
    while (n > 0 && text[n] == '.' && isdigit((unsigned char)text[n + 1]))
        n += 1 + strspn(text + n + 1, "0123456789");
    return n;
}

static bool is_version(const char *word) {
    if (*word == 'v' || *word == 'V') word++;
    size_t n = number_length(word);
    return n > 0 && word[n] == 0;
}

/* "270m", "1.1B": a number and its unit, which becomes a capital letter; as a context's length, a small
 * one. */
static bool is_size(char *word, uint64_t n_weights, bool *believable) {
    size_t n = number_length(word);
    const char *units = "KMBT", *unit = n > 0 && word[n] && !word[n + 1]
        ? strchr(units, toupper((unsigned char)word[n])) : NULL;
    if (!unit) return false;
    double told = strtod(word, NULL) * pow(1000, (double)(unit - units + 1)), found = (double)n_weights;
    *believable = fabs(told - found) <= floor(7 * found / 8);
    word[n] = (char)(*believable ? *unit : tolower((unsigned char)*unit));
    return true;
}

static WordKind kind_of(char *word, bool first, uint64_t n_weights) {
    bool believable;
    if (is_version(word)) return WORD_VERSION;
    if (tolower((unsigned char)word[0]) == 'q' && isdigit((unsigned char)word[1])) return WORD_TYPE;
    if (first) return WORD_PLAIN;
    if (is_size(word, n_weights, &believable)) return believable ? WORD_SIZE : WORD_TUNING;
    return strcasecmp(word, "chat") == 0 || strcasecmp(word, "instruct") == 0 ? WORD_TUNING : WORD_PLAIN;
}

/* Both have room: a part is as long as the whole name at most. */
static void append(char *part, const char *word, char separator) {
    size_t n = strlen(part);
    if (n > 0) part[n++] = separator;
    strcpy(part + n, word);
}

static void add_to_title(char *title, const char *word) {
    bool lower = true;
    for (const char *c = word; *c; c++) lower = lower && !isupper((unsigned char)*c);
    append(title, word, ' ');
    char *first = title + strlen(title) - strlen(word);
    bool digits = isdigit((unsigned char)word[0]) || is_version(word);
    if (lower && !digits) *first = (char)toupper((unsigned char)*first);
}

/* The basename are the words and versions at the start; a version that ends the whole name is the model's. */
static void mark_basename(Word *words, int n) {
    for (int i = 0; i < n; i++) {
        bool is_word = words[i].kind == WORD_PLAIN && isalpha((unsigned char)words[i].text[0]);
        if (!is_word && words[i].kind != WORD_VERSION) break;
        words[i].in_basename = true;
    }
    for (int i = n - 1; i >= 0 && words[i].in_basename && words[i].kind == WORD_VERSION; i--)
        words[i].in_basename = false;
}

void model_name_read(ModelName *name, const char *folder, uint64_t n_weights) {
    char text[MODEL_NAME_PART] = "", *rest;
    Word words[MAX_WORDS];
    int n = 0;
    *name = (ModelName){0};
    strncpy(text, folder, sizeof text - 1);
    bool is_sentence = strchr(text, ' ') != NULL;
    for (char *word = strtok_r(text, "- ", &rest); word && n < MAX_WORDS; word = strtok_r(NULL,
        "- ", &rest)) {
        add_to_title(name->title, word);
        words[n] = (Word){.text = word, .kind = kind_of(word, n == 0, n_weights)};
        n++;
    }
    if (is_sentence) return;
    mark_basename(words, n);
    for (int i = 0; i < n; i++) {
        const Word *w = &words[i];
        if (w->kind == WORD_TYPE) continue;
        char *part = w->kind == WORD_SIZE ? name->size_label : w->kind == WORD_VERSION ? name->version
            : name->finetune;
        append(w->in_basename ? name->basename : part, w->text, '-');
    }
    if (!*name->size_label && !*name->finetune && !*name->version) *name->basename = 0;
}
