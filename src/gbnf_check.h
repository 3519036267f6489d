/* gbnf_check.h: what a grammar's tree must be before an automaton is made of it: every rule is known and can
 * end, none begins with itself, no loop is empty, and nested repetitions multiply to a number that can be
 * followed. Must not know how the tree was read. */
#ifndef GBNF_CHECK_H
#define GBNF_CHECK_H

#include "gbnf.h"
#include "gbnf_text.h"

/* False with an error that names its place in the text. Sets the nodes' `nullable`, the rules' `refs` with the
 * references' `y`, and the root. */
bool gbnf_check(Gbnf *g, const GbnfText *in);

#endif
