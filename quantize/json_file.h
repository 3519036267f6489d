/* json_file.h: a JSON file, read and parsed. */
#ifndef JSON_FILE_H
#define JSON_FILE_H

#include "file.h"
#include "json.h"

typedef struct {
    char *text;
    JsonNode *root;         /* NULL: there is no such file */
} JsonFile;

/* dir/name. A file that is missing is an error only when it is `required`. */
bool json_file_open(JsonFile *f, const char *dir, const char *name, bool required, GemmaError *err);
void json_file_close(JsonFile *f);

#endif
