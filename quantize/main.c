/* main.c: the command build/quantize: from a checkpoint's folder or a GGUF to a quantised GGUF. Exit status
 * 2: the command line is wrong; 1: anything else, told in one sentence on stderr. What is left out, the plan
 * and the errors go to stdout. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside.h"
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
    Beside beside;
    int stdout_error;           /* errno of the first failure to write there; 0: none */
} Run;

/* ------------------------------------------------------------------------------------------ stdout */

/* Text for stdout. A failure does not stop the work: the file is worth more than the report. */
__attribute__((format(printf, 2, 3))) static void say(Run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (vprintf(format, args) < 0 && !run->stdout_error) run->stdout_error = errno;
    va_end(args);
}

static void say_bytes(Run *run, const Bytes *text) {
    if (text->n && fwrite(text->p, 1, text->n, stdout) < text->n && !run->stdout_error)
        run->stdout_error = errno;
}

/* Whether all of it was written. A reader that closes the pipe has read enough: that is no failure.
 * `written`: the output, NULL when there is none. */
static bool check_stdout(Run *run, const char *written, GemmaError *err) {
    if (fflush(stdout) != 0 && !run->stdout_error) run->stdout_error = errno;
    if (!run->stdout_error || run->stdout_error == EPIPE) return true;
    error_set(err, GEMMA_BAD_FILE, "Standard output can't be written: %s%s%s.", strerror(run->stdout_error),
              written ? "; the file is whole: " : "", written ? written : "");
    return false;
}

/* --------------------------------------------------------------------------- before anything is written */

static bool open_source(Run *run, GemmaError *err) {
    struct stat about;
    const char *in = run->options->in;
    if (stat(in, &about) == 0 && S_ISDIR(about.st_mode))
        return convert_open(&run->source, in, run->options->name, err);
    return requantise_open(&run->source, in, err);
}

static bool check_types(const Run *run, GemmaError *err) {
    for (size_t i = 0; i < run->source.n_tensors; i++) {
        const SourceTensor *from = &run->source.tensors[i];
        const GgufOutTensor *to = &run->tensors[i];
        if (quantizer_supports(to->type) || (from->type == to->type && !from->add_one)) continue;
        error_set(err, GEMMA_UNSUPPORTED, "Tensor %s should become %s, which can't be written here.",
            to->name,
                  quant_info(to->type)->name);
        return false;
    }
    return true;
}

static bool open_imatrix(Run *run, GemmaError *err) {
    const char *path = run->options->imatrix;
    return !path || (imatrix_open(&run->imatrix, path, err)
        && (imatrix_check(&run->imatrix, &run->source, err) || error_in_file(err, path)));
}

/* What the engine would refuse is refused here: a file that it does not run is worth nothing. */
static bool check_model(const Run *run, GemmaError *err) {
    return gemma_check_header(run->header.p, run->header.n, run->out_size, err) == GEMMA_OK
        || error_in_file(err, run->options->in);
}

/* The metadata gets its last entries, tensors their types and places. */
static bool plan(Run *run, GemmaError *err) {
    const Options *o = run->options;
    Source *s = &run->source;
    PlanRequest request = {o->type, o->overrides, o->n_overrides, o->imatrix != NULL};
    if (!plan_check(s, &request, err)) return false;
    run->tensors = calloc(s->n_tensors + 1, sizeof *run->tensors);
    gguf_put_u32(&s->metadata, "general.quantization_version", QUANTIZATION_VERSION);
    gguf_put_u32(&s->metadata, "general.file_type", o->type->file_type);
    if (o->imatrix) imatrix_describe(&run->imatrix, o->imatrix, &s->metadata);
    else gguf_put_all(&s->metadata, &s->imatrix);
    if (run->tensors) {
        plan_tensors(run->tensors, s, &request);
        if (!check_types(run, err)) return false;
        run->out_size = gguf_layout(&run->header, &s->metadata, run->tensors, s->n_tensors);
        /* The metadata is in the header now; a vocabulary is worth freeing. */
        free(s->metadata.bytes.p);
        s->metadata = (GgufEntries){0};
    }
    if (run->out_size) return true;
    error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the header.");
    return false;
}

/* Before the work: it may take hours. */
static bool check_output(Run *run, GemmaError *err) {
    const Options *o = run->options;
    uint64_t chunk_bytes = o->split_bytes ? o->split_bytes : MANIFEST_CHUNK_BYTES;
    int n_chunks = manifest_count_chunks(run->out_size, chunk_bytes);
    if (o->manifest && n_chunks > MANIFEST_MAX_CHUNKS) {
        error_set(err, GEMMA_BAD_ARGUMENT,
            "%s makes more than %d chunks of %" PRIu64 " bytes; give a larger --split.", o->out,
                  MANIFEST_MAX_CHUNKS, chunk_bytes);
        return false;
    }
    run->beside = (Beside){o->in, o->imatrix, &run->source, o->out, o->manifest, o->split_bytes
        ? n_chunks : 0};
    return beside_check(&run->beside, err);
}

static void print_shape(const GgufOutTensor *t, char text[64]) {
    size_t n = 0;
    for (int i = 0; i < t->n_dims; i++) n += (size_t)
        snprintf(text + n, 64 - n, "%s%" PRIu64, i ? " x " : "", t->dims[i]);
}

static void print_plan(Run *run) {
    for (size_t i = 0; i < run->source.n_tensors; i++) {
        const GgufOutTensor *t = &run->tensors[i];
        char shape[64] = "";
        print_shape(t, shape);
        say(run, "%-36s %16s  %4s -> %-4s %14" PRIu64 " bytes\n", t->name, shape,
            quant_info(run->source.tensors[i].type)->name,
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
        say(run, "%-36s %-4s  rms error %.3e, largest %.3e, both of the weights' rms\n", run->tensors[i].name,
            quant_info(run->tensors[i].type)->name, errors[i].rms, errors[i].most);
    source_free(&written);
    free(errors);
    return good;
}

static bool write_manifest(Run *run, GemmaError *err) {
    const Options *o = run->options;
    ManifestJob job = {run->output.temporary, o->out, &run->source, o->split_bytes ? o->split_bytes
        : MANIFEST_CHUNK_BYTES,
                       o->split_bytes > 0, o->n_threads, &run->watch};
    return manifest_write(&run->manifest, &job, err);
}

/* False with err->status GEMMA_OK: interrupted. */
static bool write_all(Run *run, GemmaError *err) {
    const Options *o = run->options;
    EncodeJob job = {&run->rows, run->tensors, &run->output, o->imatrix ? &run->imatrix : NULL, o->plain,
        o->n_threads, &run->watch};
    if (!rows_open(&run->rows, &run->source, err)) return false;
    if (!output_create(&run->output, o->out, run->out_size, err)) return false;
    if (o->split_bytes && !output_check_room(&run->output, run->out_size, "The parts", err)) return false;
    if (!output_write(&run->output, 0, run->header.p, run->header.n, err) || !encode_tensors(&job, err))
        return false;
    if (o->verify && !verify(run, err)) return false;
    if (o->manifest && !write_manifest(run, err)) return false;
    Bytes removed = {0};
    bool good = output_close(&run->output, err) && beside_clear(&run->beside, &removed, err)
        && output_commit(&run->output, err) &&
                (!o->manifest || manifest_commit(&run->manifest, err));
    say_bytes(run, &removed);
    free(removed.p);
    return good;
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
    bool good = open_source(&run, err) && open_imatrix(&run, err) && plan(&run, err)
        && check_model(&run, err);
    if (good) say_bytes(&run, &run.source.notes);
    if (good && o->dry_run) print_plan(&run);
    else good = good && check_output(&run, err) && write_output(&run, err);
    if (good) {
        say(&run, "%s: %zu tensors, %" PRIu64 " bytes\n", o->dry_run ? "would write" : o->out,
            run.source.n_tensors, run.out_size);
        good = check_stdout(&run, o->dry_run ? NULL : o->out, err);
    }
    imatrix_close(&run.imatrix);
    rows_close(&run.rows);
    source_free(&run.source);
    free(run.tensors);
    free(run.header.p);
    return good;
}

static bool print_help(const Options *o, GemmaError *err) {
    Run run = {.options = o};
    say(&run, "%s", OPTIONS_HELP);
    return check_stdout(&run, NULL, err);
}

/* A failed write is reported by write itself, not by a signal that leaves half-written files. Descriptors 0
 * to 2 are taken, so that no file opened later gets the number of a closed stdout and receives the report. */
static void guard_streams(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) close(fd);
}

int main(int argc, char **argv) {
    Options options;
    GemmaError err = {0};
    int status = 0;
    guard_streams();
    if (!options_read(&options, argc, argv, &err)) status = 2;
    else if (options.help) status = print_help(&options, &err) ? 0 : 1;
    else if (!run_command(&options, &err)) status = 1;
    if (status) fprintf(stderr, "quantize: %s\n", err.text);
    options_free(&options);
    return status;
}
