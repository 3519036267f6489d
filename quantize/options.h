/* options.h: the command line of build/quantize. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "plan.h"

typedef struct {
    const char *in, *out, *imatrix, *name;      /* of argv; NULL where not given */
    const OutputType *type;
    bool plain, manifest, dry_run, verify, help;
    uint64_t split_bytes;                       /* 0: not split */
    TypeOverride *overrides;
    int n_overrides;
    int n_threads;
} Options;

extern const char OPTIONS_HELP[];

/* False: the command line is wrong, *err says how. options_free in any case. */
bool options_read(Options *o, int argc, char **argv, GemmaError *err);
void options_free(Options *o);

#endif
