/* main.c: the command build/quantize: from a checkpoint's folder or a GGUF to a quantised GGUF. Exit status 2: the command
 * line is wrong; 1: anything else, told in one sentence on stderr. What is left out, the plan and the errors go to stdout. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert.h"
#include "encode.h"
#include "error.h"
#include "manifest.h"
#include "options.h"
#include "requantise.h"
#include "search.h"
#include "verify.h"

enum { QUANTIZATION_VERSION = 2 };      /* ggml.h, GGML_QNT_VERSION */

/* All that one run works with. */
typedef struct {
    const Options *options;
    Source source;
    GgufOutTensor *tensors;     /* of the output, in the source's order */
    Bytes header;
    uint64_t out_size;
    Rows rows;
    Imatrix imatrix;
    Watch watch;
    Output output;
    Manifest manifest;
} Run;

/* ------------------------------------------------------------------------------------------ before anything is written */

static bool open_source(Run *run, GemmaError *err) {
    struct stat about;
    const char *in = run->options->in;
    if (stat(in, &about) == 0 && S_ISDIR(about.st_mode)) return convert_open(&run->source, in, run->options->name, err);
    return requantise_open(&run->source, in, err);
}

static bool check_types(const Run *run, GemmaError *err) {
    for (size_t i = 0; i < run->source.n_tensors; i++) {
        const SourceTensor *from = &run->source.tensors[i];
        const GgufOutTensor *to = &run->tensors[i];
        if (quantizer_supports(to->type) || (from->type == to->type && !from->add_one)) continue;
        error_set(err, GEMMA_UNSUPPORTED, "tensor %s should become %s, which can't be written here", to->name,
                  quant_info(to->type)->name);
        return false;
    }
    return true;
}

/* The metadata gets its last entries, tensors their types and places. */
static bool plan(Run *run, GemmaError *err) {
    const Options *o = run->options;
    Source *s = &run->source;
    PlanRequest request = {o->type, o->overrides, o->n_overrides, o->imatrix != NULL};
    run->tensors = calloc(s->n_tensors + 1, sizeof *run->tensors);
    gguf_put_u32(&s->metadata, "general.quantization_version", QUANTIZATION_VERSION);
    gguf_put_u32(&s->metadata, "general.file_type", o->type->file_type);
    if (run->tensors) {
        plan_tensors(run->tensors, s, &request);
        if (!check_types(run, err)) return false;
        run->out_size = gguf_layout(&run->header, &s->metadata, run->tensors, s->n_tensors);
        /* The metadata is in the header now; a vocabulary is worth freeing. */
        free(s->metadata.bytes.p);
        s->metadata = (GgufEntries){0};
    }
    if (run->out_size) return true;
    error_set(err, GEMMA_NO_MEMORY, "no memory is left for the header");
    return false;
}

static bool check_output(const Run *run, GemmaError *err) {
    struct stat out, in;
    if (stat(run->options->out, &out) != 0) return true;
    for (int i = 0; i < run->source.n_files; i++) {
        if (stat(run->source.files[i].path, &in) != 0 || in.st_dev != out.st_dev || in.st_ino != out.st_ino) continue;
        error_set(err, GEMMA_BAD_ARGUMENT, "%s: the output is the input", run->options->out);
        return false;
    }
    return true;
}

static void print_shape(const GgufOutTensor *t, char text[64]) {
    size_t n = 0;
    for (int i = 0; i < t->n_dims; i++) n += (size_t)snprintf(text + n, 64 - n, "%s%" PRIu64, i ? " x " : "", t->dims[i]);
}

static void print_plan(const Run *run) {
    for (size_t i = 0; i < run->source.n_tensors; i++) {
        const GgufOutTensor *t = &run->tensors[i];
        char shape[64] = "";
        print_shape(t, shape);
        printf("%-36s %16s  %4s -> %-4s %14" PRIu64 " bytes\n", t->name, shape, quant_info(run->source.tensors[i].type)->name,
               quant_info(t->type)->name, t->size);
    }
}

/* ------------------------------------------------------------------------------------------ writing */

static bool verify(Run *run, GemmaError *err) {
    Source written;
    TensorError *errors = calloc(run->source.n_tensors + 1, sizeof *errors);
    if (!errors || !requantise_open(&written, run->output.temporary, err)) {
        free(errors);
        return false;
    }
    bool good = verify_tensors(errors, &run->rows, &written, run->options->n_threads, &run->watch, err);
    for (size_t i = 0; good && i < run->source.n_tensors; i++)
        printf("%-36s %-4s  rms error %.3e, largest %.3e, both of the weights' rms\n", run->tensors[i].name,
               quant_info(run->tensors[i].type)->name, errors[i].rms, errors[i].most);
    source_free(&written);
    free(errors);
    return good;
}

static bool write_manifest(Run *run, GemmaError *err) {
    const Options *o = run->options;
    ManifestJob job = {run->output.temporary, o->out, &run->source, o->split_bytes ? o->split_bytes : MANIFEST_CHUNK_BYTES,
                       o->split_bytes > 0, o->n_threads, &run->watch};
    return manifest_write(&run->manifest, &job, err);
}

/* False with err->status GEMMA_OK: interrupted. */
static bool write_all(Run *run, GemmaError *err) {
    const Options *o = run->options;
    EncodeJob job = {&run->rows, run->tensors, &run->output, o->imatrix ? &run->imatrix : NULL, o->plain, o->n_threads, &run->watch};
    if (!rows_open(&run->rows, &run->source, err)) return false;
    if (o->imatrix && !imatrix_open(&run->imatrix, o->imatrix, err)) return false;
    if (!output_create(&run->output, o->out, run->out_size, err)) return false;
    if (!output_write(&run->output, 0, run->header.p, run->header.n, err) || !encode_tensors(&job, err)) return false;
    if (o->verify && !verify(run, err)) return false;
    if (o->manifest && !write_manifest(run, err)) return false;
    return output_commit(&run->output, err) && (!o->manifest || manifest_commit(&run->manifest, err));
}

/* What was written by halves is gone before a signal takes effect. */
static bool write_output(Run *run, GemmaError *err) {
    watch_open(&run->watch);
    bool good = write_all(run, err);
    output_discard(&run->output);
    manifest_discard(&run->manifest);
    watch_close(&run->watch);
    return good;
}

static bool run_command(const Options *o, GemmaError *err) {
    Run run = {.options = o, .output.fd = -1, .manifest.json.fd = -1};
    bool good = open_source(&run, err) && plan(&run, err);
    if (good && run.source.notes.n) fwrite(run.source.notes.p, 1, run.source.notes.n, stdout);
    if (good && o->dry_run) print_plan(&run);
    else good = good && check_output(&run, err) && write_output(&run, err);
    if (good) printf("%s: %zu tensors, %" PRIu64 " bytes\n", o->dry_run ? "would write" : o->out, run.source.n_tensors, run.out_size);
    imatrix_close(&run.imatrix);
    rows_close(&run.rows);
    source_free(&run.source);
    free(run.tensors);
    free(run.header.p);
    return good;
}

int main(int argc, char **argv) {
    Options options;
    GemmaError err = {0};
    int status = 0;
    if (!options_read(&options, argc, argv, &err)) status = 2;
    else if (options.help) fputs(OPTIONS_HELP, stdout);
    else if (!run_command(&options, &err)) status = 1;
    if (status) fprintf(stderr, "quantize: %s\n", err.text);
    options_free(&options);
    return status;
}
