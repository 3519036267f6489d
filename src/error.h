/* error.h: how a function of the engine fails: fills a GemmaError with one sentence and returns its status.
 * Knows nothing of models. */
#ifndef ERROR_H
#define ERROR_H

#include "gemma.h"

/* Formats the sentence (printf rules; %s of outside text must be passed through error_quote first), returns
 * status. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
GemmaStatus error_set(GemmaError *err, GemmaStatus status, const char *format, ...);

/* Outside text made safe for a sentence: at most 60 bytes, control characters and broken UTF-8 as '?', "..."
 * when cut. The result lies in buf. */
const char *error_quote(char buf[72], const char *text, size_t n);

#endif
