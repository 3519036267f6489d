/* gbnf_text.h: a grammar's text, and errors that name a place in it. Must not know what a grammar is. */
#ifndef GBNF_TEXT_H
#define GBNF_TEXT_H

#include "error.h"

typedef struct {
    const char *text;
    size_t n;
    GemmaError *err;
} GbnfText;

/* Both return -1. `at`: the byte; the error names its line and column. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int32_t gbnf_fail(const GbnfText *in, size_t at, const char *format, ...);
int32_t gbnf_no_memory(const GbnfText *in);

#endif
