/* all.c: all C tests as one program, for WebAssembly, where linking takes long. The first argument names the
 * test to run: each has its main under the name test_X_main (wasm/build.mk). */
#include <stdio.h>
#include <string.h>

#define ONE(name) int name##_main(void);
#include "all.inc" /* ONE(test_X) for each, which make writes */
#undef ONE

int main(int argc, char **argv) {
    const char *wanted = argc > 1 ? argv[1] : "";
#define ONE(name) \
    if (!strcmp(wanted, #name)) return name##_main();
#include "all.inc"
    fprintf(stderr, "a test's name is expected, as test_pool; found \"%s\"\n", wanted);
    return 2;
}
