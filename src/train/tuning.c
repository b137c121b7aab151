/* SPDX-License-Identifier: MIT
 * The file of mpno tune: see tuning.h and docs/reference/tuning.md. */
#include "train/tuning.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "train/sink.h"

static const mpno_field fields[] = {
    {"mpno_tuning", MPNO_FIELD_INT, offsetof(mpno_tuning, format), "0", "[0,inf)", "format"},
    {"program", MPNO_FIELD_TEXT, offsetof(mpno_tuning, program), "null", "", "version of mpno"},
    {"cpu", MPNO_FIELD_TEXT, offsetof(mpno_tuning, cpu), "null", "", "model of the processor"},
    {"isa", MPNO_FIELD_TEXT, offsetof(mpno_tuning, isa), "null", "", "kernels to use"},
    {"threads_per_core", MPNO_FIELD_CHOICE, offsetof(mpno_tuning, threads_per_core), "all",
     "all|one", "hardware threads of a core to use"},
    {"rates.threads", MPNO_FIELD_INT, offsetof(mpno_tuning, threads), "1", "[1,65536]",
     "threads of the second of each pair"},
    {"rates.gflops", MPNO_FIELD_REALS, offsetof(mpno_tuning, gflops), "[]", "(0,inf)",
     "1e9 f32 operations per second"},
    {"rates.read_gbs", MPNO_FIELD_REALS, offsetof(mpno_tuning, read_gbs), "[]", "(0,inf)",
     "1e9 bytes read per second"},
    {"rates.copy_gbs", MPNO_FIELD_REALS, offsetof(mpno_tuning, copy_gbs), "[]", "(0,inf)",
     "1e9 bytes read and written per second"},
    {"steps.isas", MPNO_FIELD_TEXTS, offsetof(mpno_tuning, isas), "null", "", "kernels measured"},
    {"steps.seconds", MPNO_FIELD_REALS, offsetof(mpno_tuning, seconds), "[]", "(0,inf)",
     "time of a step with each"},
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

mpno_status mpno_tuning_default(mpno_ctx *ctx, mpno_tuning *out) {
    *out = (mpno_tuning){0};
    return mpno_fields_default(ctx, fields, N_FIELDS, out);
}

void mpno_tuning_clear(mpno_ctx *ctx, mpno_tuning *tuning) {
    mpno_fields_clear(ctx, fields, N_FIELDS, tuning);
}

mpno_status mpno_tuning_value(mpno_ctx *ctx, const mpno_tuning *tuning, mpno_value **out) {
    return mpno_fields_dump(ctx, fields, N_FIELDS, tuning, out);
}

int mpno_tuning_choose(const double *seconds, int n) {
    int best = n - 1;
    for (int i = 0; i < n; i++)
        if (seconds[i] < seconds[best]) best = i;
    return seconds[best] < 0.95 * seconds[n - 1] ? best : n - 1;
}

/* ---- files ---- */

#define AGAIN "run `mpno tune` again"

static mpno_status check(mpno_ctx *ctx, const char *path, const mpno_tuning *t) {
    mpno_isa isa;
    MPNO_CHECK(ctx, t->program && t->cpu && t->isa, MPNO_E_FORMAT,
               "%s: `program`, `cpu` or `isa` is missing: " AGAIN, path);
    MPNO_CHECK(ctx, strcmp(t->program, mpno_version()) == 0, MPNO_E_FORMAT,
               "%s was made by mpno %.32s, this is %s, whose kernels may differ: " AGAIN, path,
               t->program, mpno_version());
    MPNO_CHECK(ctx, strcmp(t->cpu, mpno_cpu_model()) == 0, MPNO_E_FORMAT,
               "%s was measured on the processor \"%.64s\", this is \"%s\": " AGAIN " here", path,
               t->cpu, mpno_cpu_model());
    MPNO_CHECK(
        ctx, mpno_isa_parse(t->isa, &isa) && mpno_isa_compiled(isa) && isa <= mpno_cpu_best_isa(),
        MPNO_E_FORMAT, "%s: isa is \"%.32s\", which does not run here: " AGAIN, path, t->isa);
    MPNO_CHECK(
        ctx, t->gflops.n == 2 && t->read_gbs.n == 2 && t->copy_gbs.n == 2, MPNO_E_FORMAT,
        "%s: rates.gflops, rates.read_gbs and rates.copy_gbs have %lld, %lld and %lld numbers, "
        "expected 2 each: " AGAIN,
        path, (long long)t->gflops.n, (long long)t->read_gbs.n, (long long)t->copy_gbs.n);
    MPNO_CHECK(ctx, t->isas.n == (size_t)t->seconds.n, MPNO_E_FORMAT,
               "%s: steps.isas has %zu names and steps.seconds %lld numbers: " AGAIN, path,
               t->isas.n, (long long)t->seconds.n);
    return MPNO_OK;
}

/* The format before everything else, since the keys depend on it. */
static mpno_status check_format(mpno_ctx *ctx, const char *path, const mpno_value *map) {
    const mpno_value *format = mpno_value_get(map, "mpno_tuning");
    MPNO_CHECK(ctx, format != NULL && format->kind == MPNO_VALUE_INT, MPNO_E_FORMAT,
               "%s is not a file of mpno tune: the key mpno_tuning is missing", path);
    MPNO_CHECK(ctx, format->integer == MPNO_TUNING_FORMAT, MPNO_E_FORMAT,
               "%s is a tuning file of format %lld, this mpno reads format %d: " AGAIN, path,
               (long long)format->integer, MPNO_TUNING_FORMAT);
    return MPNO_OK;
}

static mpno_status parse(mpno_ctx *ctx, const char *path, const mpno_mapping *file,
                         mpno_tuning *out) {
    mpno_value *map = NULL;
    mpno_status status = mpno_yaml_parse(ctx, path, (const char *)file->data, file->size, &map);
    if (status == MPNO_OK) status = check_format(ctx, path, map);
    if (status == MPNO_OK) status = mpno_fields_parse(ctx, path, map, fields, N_FIELDS, out);
    if (status == MPNO_OK) status = check(ctx, path, out);
    mpno_value_destroy(ctx, &map);
    return status == MPNO_E_CONFIG ? MPNO_E_FORMAT : status; /* it is no configuration */
}

mpno_status mpno_tuning_read(mpno_ctx *ctx, const char *path, mpno_tuning *out) {
    mpno_mapping file;
    MPNO_CHECK(ctx, mpno_path_exists(path), MPNO_E_IO,
               "there is no tuning file %s: run `mpno tune` first", path);
    MPNO_TRY(mpno_map_open(ctx, path, &file));
    mpno_status status = mpno_tuning_default(ctx, out);
    if (status == MPNO_OK) status = parse(ctx, path, &file, out);
    mpno_map_close(&file);
    if (status != MPNO_OK) mpno_tuning_clear(ctx, out);
    return status;
}

mpno_status mpno_tuning_write(mpno_ctx *ctx, const char *path, const mpno_tuning *tuning) {
    char folder[4096];
    mpno_value *map = NULL;
    char *text = NULL;
    mpno_path_folder(path, folder, sizeof folder);
    MPNO_TRY(mpno_folder_create(ctx, folder));
    MPNO_TRY(mpno_tuning_value(ctx, tuning, &map));
    mpno_status status = mpno_yaml_text(ctx, map, &text);
    if (status == MPNO_OK) status = mpno_file_write_atomic(ctx, path, text, strlen(text));
    mpno_free(ctx, text);
    mpno_value_destroy(ctx, &map);
    return status;
}

/* "Intel(R) Xeon(R) Processor" is "intel-r-xeon-r-processor" in the name of a file. */
mpno_status mpno_tune_path(mpno_ctx *ctx, const char *folder, char *path, size_t capacity) {
    char name[96] = "tune-";
    size_t n = strlen(name);
    for (const char *c = mpno_cpu_model(); *c != '\0'; c++) {
        if (isalnum((unsigned char)*c))
            name[n++] = (char)tolower((unsigned char)*c);
        else if (name[n - 1] != '-')
            name[n++] = '-';
    }
    while (name[n - 1] == '-') n--;
    memcpy(name + n, ".yaml", sizeof ".yaml");
    return mpno_path_join(ctx, folder, name, path, capacity);
}

/* ---- what is done with it ---- */

static void say(const mpno_sink *sink, const mpno_tuning *t) {
    mpno_say(sink, "kernels: %s", t->isa);
    for (size_t i = 0; i < t->isas.n; i++)
        mpno_say(sink, "%s %s %.4f s", i ? "," : ": a step takes", t->isas.v[i], t->seconds.v[i]);
    mpno_say(sink, "\nthreads: %s of each core\n",
             t->threads_per_core == MPNO_THREADS_ONE ? "one" : "all");
    for (int i = 0; i < 2; i++)
        mpno_say(sink, "%lld thread%s: %.1f GF/s in f32, %.1f GB/s read, %.1f GB/s copied\n",
                 (long long)(i ? t->threads : 1), i && t->threads > 1 ? "s" : "", t->gflops.v[i],
                 t->read_gbs.v[i], t->copy_gbs.v[i]);
}

mpno_status mpno_tune_show(mpno_ctx *ctx, const char *path, const mpno_sink *sink, char **json) {
    mpno_tuning tuning;
    mpno_value *map = NULL;
    if (json) *json = NULL;
    MPNO_TRY(mpno_tuning_read(ctx, path, &tuning));
    mpno_say(sink, "%s\n", path);
    say(sink, &tuning);
    mpno_status status = json ? mpno_tuning_value(ctx, &tuning, &map) : MPNO_OK;
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    mpno_tuning_clear(ctx, &tuning);
    return status;
}

mpno_status mpno_tune_reset(mpno_ctx *ctx, const char *path, const mpno_sink *sink, char **json) {
    mpno_value *map = NULL;
    if (json) *json = NULL;
    errno = 0;
    const bool removed = remove(path) == 0;
    MPNO_CHECK(ctx, removed || errno == ENOENT || errno == ENOTDIR, MPNO_E_IO,
               "cannot remove %s: %s", path, strerror(errno));
    mpno_say(sink, removed ? "removed %s\n" : "there is no %s\n", path);
    if (!json) return MPNO_OK;
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = mpno_value_set_bool(ctx, map, "removed", removed);
    if (status == MPNO_OK) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    return status;
}

mpno_status mpno_tune_use(mpno_ctx *ctx, const char *path, bool with_isa) {
    mpno_tuning tuning;
    mpno_isa isa = ctx->isa;
    MPNO_TRY(mpno_tuning_read(ctx, path, &tuning));
    (void)mpno_isa_parse(tuning.isa, &isa); /* checked when it was read */
    if (with_isa && isa < ctx->isa) ctx->isa = isa;
    if (tuning.threads_per_core == MPNO_THREADS_ONE && !ctx->threads_asked && ctx->cpus.cores > 0 &&
        ctx->cpus.cores < ctx->n_threads) {
        ctx->n_threads = ctx->cpus.cores;
        ctx->threads_why = "one for each core, as mpno tune found";
    }
    ctx->rates.threads = (int)tuning.threads;
    for (int i = 0; i < 2; i++) {
        ctx->rates.flops[i] = 1e9 * tuning.gflops.v[i];
        ctx->rates.read[i] = 1e9 * tuning.read_gbs.v[i];
        ctx->rates.copy[i] = 1e9 * tuning.copy_gbs.v[i];
    }
    mpno_tuning_clear(ctx, &tuning);
    return MPNO_OK;
}
