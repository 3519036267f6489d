/* gbnf_text.c: see gbnf_text.h. */
#include "gbnf_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"

int32_t gbnf_fail(const GbnfText *in, size_t at, const char *format, ...) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at;) {
        size_t length = utf8_length(in->text + i, in->n - i);
        column++;
        if (in->text[i] == '\n') line++, column = 1;
        i += length ? length : 1;
    }
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    error_set(in->err, GEMMA_BAD_ARGUMENT, "The grammar has an error in line %zu, column %zu: %s", line, column,
        what);
    return -1;
}

int32_t gbnf_no_memory(const GbnfText *in) {
    error_set(in->err, GEMMA_NO_MEMORY, "There is not enough memory to read the grammar of %zu bytes.", in->n);
    return -1;
}
