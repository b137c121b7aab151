/* SPDX-License-Identifier: MIT
 * Prediction from arrays in memory: the same numbers as mpno_predict writes, on any grid and in any
 * batches; training on a source; what may not be asked. */
#include "mpno/trained.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"
#include "data/readers.h"
#include "mpno/data_source.h"
#include "unit/data/support.h"

enum { SAMPLES = 12, GRID = 8, POINTS = GRID * GRID };

static char folder[] = "/tmp/mpno-trained-XXXXXX";
static char run_folder[64], output[64];

/* Two channels in, one out, all values a function of sample and place. */
static mpno_status give(int64_t sample, void *x, void *y, void *user) {
    (void)user;
    for (int i = 0; i < 2 * POINTS; i++)
        ((float *)x)[i] = (float)((7 * i + 13 * sample + i * i % 5) % 17) / 17;
    for (int i = 0; y && i < POINTS; i++)
        ((float *)y)[i] = 3 + ((float *)x)[i] - ((float *)x)[POINTS + i];
    return MPNO_OK;
}

static void add_source(mpno_ctx *ctx) {
    mpno_data_source source = MPNO_DATA_SOURCE_INIT;
    source.ndim = 2;
    source.grid[0] = source.grid[1] = GRID;
    source.n_samples = SAMPLES;
    source.in_channels = 2;
    source.read = give;
    assert_ok(ctx, mpno_data_source_add(ctx, "mine", &source));
}

/* One run for all tests. */
static int train_once(void **state) {
    (void)state;
    mpno_ctx *ctx;
    mpno_config *config;
    if (!mkdtemp(folder) || mpno_ctx_create(NULL, &ctx) != MPNO_OK) return -1;
    snprintf(run_folder, sizeof run_folder, "%s/run", folder);
    snprintf(output, sizeof output, "%s/y.safetensors", folder);
    const char *const keys[][2] = {{"output", run_folder},        {"data.train", "source:mine"},
                                   {"data.test", "source:mine"},  {"data.batch_size", "4"},
                                   {"data.test_batch_size", "5"}, {"data.encode_input", "true"},
                                   {"model.n_modes", "[4, 4]"},   {"model.hidden_channels", "4"},
                                   {"model.n_layers", "1"},       {"opt.n_epochs", "1"}};
    add_source(ctx);
    assert_ok(ctx, mpno_config_load(ctx, NULL, &config));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_ok(ctx, mpno_config_override(config, keys[i][0], keys[i][1]));
    assert_ok(ctx, mpno_train(ctx, config, false, NULL, NULL));
    mpno_config_destroy(&config);
    mpno_data_source_remove(ctx, "mine");
    const int leaked = mpno_ctx_bytes(ctx) != 0;
    mpno_ctx_destroy(&ctx);
    return leaked ? -1 : 0;
}

static int remove_files(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void inputs(float *x) {
    for (int64_t i = 0; i < SAMPLES; i++)
        assert_int_equal(give(i, x + 2 * POINTS * i, NULL, NULL), MPNO_OK);
}

static void equals_what_predict_writes(void **state) {
    mpno_ctx *ctx = *state;
    static float x[SAMPLES * 2 * POINTS], y[SAMPLES * POINTS];
    const int64_t grid[2] = {GRID, GRID};
    mpno_trained *trained;
    mpno_tensor_file *file;
    inputs(x);
    add_source(ctx);
    assert_ok(ctx, mpno_predict(ctx, run_folder, "source:mine", output, NULL, NULL, NULL, NULL));
    mpno_data_source_remove(ctx, "mine");
    assert_ok(ctx, mpno_trained_load(ctx, run_folder, NULL, &trained));
    assert_int_equal(mpno_model_config(mpno_trained_model(trained))->in_channels, 2);
    assert_ok(ctx, mpno_trained_predict(trained, MPNO_F32, SAMPLES, grid, x, y));
    mpno_trained_destroy(&trained);
    assert_ok(ctx, mpno_tensor_file_read(ctx, output, NULL, &file));
    assert_int_equal(file->tensors[0].bytes, sizeof y);
    assert_memory_equal(file->tensors[0].data, y, sizeof y);
    mpno_tensor_file_destroy(ctx, &file);
}

static void batches_and_formats_do_not_matter(void **state) {
    mpno_ctx *ctx = *state;
    static float x[SAMPLES * 2 * POINTS], y[SAMPLES * POINTS], one[POINTS];
    static double wide_x[SAMPLES * 2 * POINTS], wide_y[SAMPLES * POINTS];
    const int64_t grid[2] = {GRID, GRID};
    mpno_trained *trained;
    inputs(x);
    assert_ok(ctx, mpno_trained_load(ctx, run_folder, NULL, &trained));
    for (int64_t i = SAMPLES - 1; i >= 0;
         i--) /* one, then all, then one: plans are made and kept */
        assert_ok(ctx, mpno_trained_predict(trained, MPNO_F32, 1, grid, x + 2 * POINTS * i, one));
    assert_ok(ctx, mpno_trained_predict(trained, MPNO_F32, SAMPLES, grid, x, y));
    assert_memory_equal(one, y, sizeof one);
    for (int i = 0; i < SAMPLES * 2 * POINTS; i++) wide_x[i] = x[i];
    assert_ok(ctx, mpno_trained_predict(trained, MPNO_F64, SAMPLES, grid, wide_x, wide_y));
    for (int i = 0; i < SAMPLES * POINTS; i++) assert_true(wide_y[i] == (double)y[i]);
    mpno_trained_destroy(&trained);
}

static void other_grids_are_taken(void **state) {
    mpno_ctx *ctx = *state;
    static float x[2 * 12 * 10], y[12 * 10];
    const int64_t grid[2] = {12, 10}, again[2] = {GRID, GRID};
    int64_t out[2];
    mpno_trained *trained;
    for (int i = 0; i < 240; i++) x[i] = (float)(i % 11);
    assert_ok(ctx, mpno_trained_load(ctx, run_folder, NULL, &trained));
    assert_ok(ctx, mpno_trained_output_grid(trained, grid, out));
    assert_int_equal(out[0], 12);
    assert_int_equal(out[1], 10);
    assert_ok(ctx, mpno_trained_predict(trained, MPNO_F32, 1, grid, x, y));
    const float before = y[0];
    assert_ok(ctx, mpno_trained_predict(trained, MPNO_F32, 1, again, x, y));
    assert_ok(ctx, mpno_trained_predict(trained, MPNO_F32, 1, grid, x, y));
    assert_true(y[0] == before);
    mpno_trained_destroy(&trained);
}

static void wrong_calls_are_named(void **state) {
    mpno_ctx *ctx = *state;
    static float x[2 * 2 * POINTS], y[2 * POINTS];
    const int64_t grid[2] = {GRID, GRID}, empty[2] = {GRID, 0};
    int64_t out[2];
    mpno_trained *t;
    assert_fails(ctx, mpno_trained_load(ctx, "/nowhere/run", NULL, &t), MPNO_E_IO, "/nowhere/run");
    assert_null(t);
    assert_ok(ctx, mpno_trained_load(ctx, run_folder, NULL, &t));
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F16, 1, grid, x, y), MPNO_E_ARGUMENT,
                 "MPNO_F64");
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F32, 0, grid, x, y), MPNO_E_ARGUMENT, "n is 0");
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F32, -3, grid, x, y), MPNO_E_ARGUMENT,
                 "n is -3");
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F32, 1, empty, x, y), MPNO_E_ARGUMENT,
                 "grid[1] is 0");
    assert_fails(ctx, mpno_trained_output_grid(t, empty, out), MPNO_E_ARGUMENT, "grid[1] is 0");
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F32, 1, grid, NULL, y), MPNO_E_ARGUMENT,
                 "x is NULL");
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F32, 1, grid, x, NULL), MPNO_E_ARGUMENT,
                 "y is NULL");
    x[3 * POINTS + 9] = 1.0f / 0.0f;
    assert_fails(ctx, mpno_trained_predict(t, MPNO_F32, 2, grid, x, y), MPNO_E_NUMERIC,
                 "sample 1, channel 1, at grid point (1, 1)");
    x[3 * POINTS + 9] = 0;
    assert_ok(ctx, mpno_trained_predict(t, MPNO_F32, 2, grid, x, y));
    mpno_trained_destroy(&t);
}

static void memory_may_fail_anywhere(void **state) {
    mpno_ctx *ctx = *state;
    static float x[2 * POINTS], y[POINTS];
    const int64_t grid[2] = {GRID, GRID};
    for (int64_t n = 0;; n += n < 40 ? 1 : 17) {
        mpno_trained *t = NULL;
        mpno_alloc_fail_after(ctx, n);
        mpno_status status = mpno_trained_load(ctx, run_folder, NULL, &t);
        if (status == MPNO_OK) status = mpno_trained_predict(t, MPNO_F32, 1, grid, x, y);
        mpno_alloc_fail_after(ctx, -1);
        mpno_trained_destroy(&t);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
    }
}

static void a_source_that_is_gone_is_named(void **state) {
    mpno_ctx *ctx = *state;
    assert_fails(ctx, mpno_eval(ctx, run_folder, NULL, NULL, NULL, NULL), MPNO_E_IO, "source:mine");
    add_source(ctx);
    assert_ok(ctx, mpno_eval(ctx, run_folder, NULL, NULL, NULL, NULL));
    mpno_data_source_remove(ctx, "mine");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(equals_what_predict_writes), TEST(batches_and_formats_do_not_matter),
        TEST(other_grids_are_taken),      TEST(wrong_calls_are_named),
        TEST(memory_may_fail_anywhere),   TEST(a_source_that_is_gone_is_named),
    };
    return cmocka_run_group_tests(tests, train_once, remove_files);
}
