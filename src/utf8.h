/* utf8.h: where one character of UTF-8 ends. Knows nothing else. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at text[0..n) (Unicode 15, table 3-7: no overlong forms, no surrogates,
 * at most U+10FFFF); 0 when it is broken, cut off, or n is 0. */
static inline size_t utf8_length(const char *text, size_t n) {
    const unsigned char *t = (const unsigned char *)text;
    if (n == 0) return 0;
    if (t[0] < 0x80) return 1;
    size_t length = t[0] >= 0xc2 && t[0] <= 0xdf ? 2 : t[0] >= 0xe0 && t[0] <= 0xef ? 3 : t[0] >= 0xf0
        && t[0] <= 0xf4 ? 4 : 0;
    if (length == 0 || length > n) return 0;
    unsigned char low = t[0] == 0xe0 ? 0xa0 : t[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = t[0] == 0xed ? 0x9f : t[0] == 0xf4 ? 0x8f : 0xbf;
    if (t[1] < low || t[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (t[i] < 0x80 || t[i] > 0xbf) return 0;
    return length;
}

#endif
