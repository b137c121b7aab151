/* SPDX-License-Identifier: MIT
 * The file of mpno tune: its text, what is refused, what a context takes from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "core/memory.h"
#include "train/tuning.h"

static char folder[64], path[128];

static int make_folder(void **state) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    mpno_ctx *ctx = NULL;
    snprintf(folder, sizeof folder, "/tmp/mpno_tuning_XXXXXX");
    if (mkdtemp(folder) == NULL || mpno_ctx_create(&opts, &ctx) != MPNO_OK) return 1;
    snprintf(path, sizeof path, "%s/deep/tune.yaml", folder);
    *state = ctx;
    return 0;
}

static int drop_folder(void **state) {
    char deep[80];
    mpno_ctx *ctx = *state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    (void)remove(path);
    snprintf(deep, sizeof deep, "%s/deep", folder);
    (void)rmdir(deep);
    return rmdir(folder) != 0;
}

/* The file as it must be written, with one line replaced where `from` is one of its keys. */
static void text_of(char out[2048], const char *key, const char *line) {
    char lines[9][256];
    snprintf(lines[0], 256, "mpno_tuning: 1");
    snprintf(lines[1], 256, "program: \"%s\"", mpno_version());
    snprintf(lines[2], 256, "cpu: \"%s\"", mpno_cpu_model());
    snprintf(lines[3], 256, "isa: portable");
    snprintf(lines[4], 256, "threads_per_core: one");
    snprintf(lines[5], 256,
             "rates:\n  threads: 4\n  gflops: [150.5, 525.0]\n  read_gbs: [10.0, 20.0]\n"
             "  copy_gbs: [11.0, 21.0]");
    snprintf(lines[6], 256, "steps:\n  isas: [portable]\n  seconds: [0.25]");
    *out = '\0';
    for (int i = 0; i < 7; i++) {
        const bool other = key && strncmp(lines[i], key, strlen(key)) == 0;
        strcat(strcat(out, other ? line : lines[i]), "\n");
    }
}

static void put(mpno_ctx *ctx, const char *key, const char *line) {
    char deep[80], text[2048];
    snprintf(deep, sizeof deep, "%s/deep", folder);
    text_of(text, key, line);
    assert_int_equal(mpno_folder_create(ctx, deep), MPNO_OK);
    assert_int_equal(mpno_file_write_atomic(ctx, path, text, strlen(text)), MPNO_OK);
}

static void the_text_is_fixed(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tuning tuning;
    char text[2048];
    mpno_mapping file;
    put(ctx, NULL, NULL);
    assert_int_equal(mpno_tuning_read(ctx, path, &tuning), MPNO_OK);
    assert_int_equal(remove(path), 0);
    assert_int_equal(tuning.threads, 4);
    assert_true(tuning.gflops.v[1] == 525 && tuning.copy_gbs.v[0] == 11);
    assert_int_equal(tuning.threads_per_core, MPNO_THREADS_ONE);
    assert_int_equal(mpno_tuning_write(ctx, path, &tuning), MPNO_OK);
    mpno_tuning_clear(ctx, &tuning);
    text_of(text, NULL, NULL);
    assert_int_equal(mpno_map_open(ctx, path, &file), MPNO_OK);
    char *found = calloc(file.size + 1, 1);
    assert_non_null(found);
    memcpy(found, file.data, file.size);
    mpno_map_close(&file);
    assert_string_equal(found, text);
    free(found);
}

static void what_is_foreign_or_damaged_is_refused(void **state) {
    mpno_ctx *ctx = *state;
    static const struct {
        const char *key, *line, *words;
    } cases[] = {
        {"mpno_tuning", "mpno_tuning: 2", "format 2, this mpno reads format 1"},
        {"mpno_tuning", "mpno_tuning: one", "mpno_tuning is missing"},
        {"mpno_tuning", "", "mpno_tuning is missing"},
        {"program", "program: 0.0.1", "made by mpno 0.0.1"},
        {"program", "", "is missing"},
        {"cpu", "cpu: abacus", "processor \"abacus\""},
        {"isa", "isa: sse9", "\"sse9\", which does not run here"},
        {"threads_per_core", "threads_per_core: two", "expected one of all, one"},
        {"rates", "rates: {threads: 4, gflops: [1.0], read_gbs: [1.0, 1.0], copy_gbs: [1.0, 1.0]}",
         "have 1, 2 and 2 numbers"},
        {"rates",
         "rates: {threads: 4, gflops: [1.0, 0], read_gbs: [1.0, 1.0], copy_gbs: [1.0, 1.0]}",
         "rates.gflops"},
        {"rates", "rates: {speed: 4}", "speed"},
        {"rates", "rates: [", "while parsing"},
        {"steps", "steps: {isas: [portable], seconds: []}", "1 names and steps.seconds 0"},
    };
    mpno_tuning tuning;
    assert_int_equal(mpno_tuning_read(ctx, path, &tuning), MPNO_E_IO);
    assert_non_null(strstr(mpno_ctx_error(ctx), "run `mpno tune` first"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(ctx, cases[i].key, cases[i].line);
        assert_int_equal(mpno_tuning_read(ctx, path, &tuning), MPNO_E_FORMAT);
        if (!strstr(mpno_ctx_error(ctx), cases[i].words))
            fail_msg("case %zu: %s", i, mpno_ctx_error(ctx));
        assert_non_null(strstr(mpno_ctx_error(ctx), "tune.yaml"));
        assert_int_equal(mpno_tune_use(ctx, path, true), MPNO_E_FORMAT);
        assert_true(ctx->rates.threads == 0 && ctx->isa == mpno_cpu_best_isa());
    }
}

static void a_context_takes_rates_kernels_and_threads(void **state) {
    mpno_ctx *ctx = *state;
    put(ctx, NULL, NULL);
    ctx->cpus.cores = 2;
    ctx->n_threads = 4;
    ctx->threads_asked = true;
    assert_int_equal(mpno_tune_use(ctx, path, false), MPNO_OK);
    assert_int_equal(ctx->isa, mpno_cpu_best_isa());
    assert_int_equal(ctx->n_threads, 4);
    assert_true(ctx->rates.threads == 4 && ctx->rates.read[1] == 2e10);
    ctx->threads_asked = false;
    assert_int_equal(mpno_tune_use(ctx, path, true), MPNO_OK);
    assert_int_equal(ctx->isa, MPNO_ISA_PORTABLE);
    assert_int_equal(ctx->n_threads, 2);
    assert_non_null(strstr(ctx->threads_why, "mpno tune"));
    ctx->n_threads = 1; /* fewer than cores: nothing to take */
    assert_int_equal(mpno_tune_use(ctx, path, true), MPNO_OK);
    assert_int_equal(ctx->n_threads, 1);
}

static void noise_chooses_nothing(void **state) {
    (void)state;
    assert_int_equal(mpno_tuning_choose((const double[]){1.0}, 1), 0);
    assert_int_equal(mpno_tuning_choose((const double[]){2.0, 1.0}, 2), 1);
    assert_int_equal(mpno_tuning_choose((const double[]){0.96, 1.0}, 2), 1);
    assert_int_equal(mpno_tuning_choose((const double[]){0.94, 1.0}, 2), 0);
    assert_int_equal(mpno_tuning_choose((const double[]){0.9, 0.8, 1.0}, 3), 1);
}

static void measuring_writes_a_file_that_can_be_read(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tuning tuning;
    assert_int_equal(mpno_tune(ctx, path, NULL, NULL), MPNO_OK);
    assert_int_equal(mpno_tuning_read(ctx, path, &tuning), MPNO_OK);
    assert_int_equal(tuning.threads, ctx->n_threads);
    assert_true(tuning.isas.n >= 1);
    for (int i = 0; i < 2; i++)
        assert_true(tuning.gflops.v[i] > 0.01 && tuning.copy_gbs.v[i] > 0.001);
    mpno_tuning_clear(ctx, &tuning);
    assert_int_equal(mpno_tune_reset(ctx, path, NULL, NULL), MPNO_OK);
    assert_false(mpno_path_exists(path));
    assert_int_equal(mpno_tune_reset(ctx, path, NULL, NULL), MPNO_OK);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_text_is_fixed),
        IN_FOLDER(what_is_foreign_or_damaged_is_refused),
        IN_FOLDER(a_context_takes_rates_kernels_and_threads),
        cmocka_unit_test(noise_chooses_nothing),
        IN_FOLDER(measuring_writes_a_file_that_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
