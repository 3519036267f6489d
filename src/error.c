/* error.c: see error.h. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

GemmaStatus error_set(GemmaError *err, GemmaStatus status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->status = status;
    return status;
}

enum { QUOTE_MAX = 60 };

const char *error_quote(char buf[72], const char *text, size_t n) {
    size_t used = 0, i = 0;
    while (i < n) {
        size_t length = utf8_length(text + i, n - i);
        bool shown = length > 0 && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
        /* C1 control characters, U+0080 to U+009F. */
        if (length == 2 && (unsigned char)text[i] == 0xc2 && (unsigned char)text[i + 1] < 0xa0) shown = false;
        size_t width = shown ? length : 1;
        if (used + width > QUOTE_MAX) break;
        if (shown) memcpy(buf + used, text + i, length);
        else buf[used] = '?';
        used += width;
        i += length ? length : 1;
    }
    if (i < n) {
        memcpy(buf + used, "...", 3);
        used += 3;
    }
    buf[used] = 0;
    return buf;
}
