/* SPDX-License-Identifier: MIT
 * Data sources: what the function gives is what arrives, in whole, in part and through keys; what
 * it may not say and do. */
#include "data/source.h"

#include <math.h>

#include "core/memory.h"
#include "data/dataset.h"
#include "data/readers.h"
#include "data/select.h"
#include "unit/data/support.h"

enum { SAMPLES = 5, ROWS = 2, COLUMNS = 3, POINTS = ROWS * COLUMNS };

/* What the function of the tests is told and remembers. */
typedef struct plan {
    int calls;
    int64_t fails_at, poison_at; /* -1: never */
} plan;

static float value_x(int64_t sample, int channel, int point) {
    return (float)(100 * sample + 10 * channel + point);
}

static mpno_status give(int64_t sample, void *x, void *y, void *user) {
    plan *p = user;
    p->calls++;
    if (sample == p->fails_at) return MPNO_E_IO;
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < POINTS; i++) ((float *)x)[c * POINTS + i] = value_x(sample, c, i);
    if (sample == p->poison_at) ((float *)x)[POINTS + 4] = NAN;
    if (y)
        for (int i = 0; i < POINTS; i++) ((float *)y)[i] = -value_x(sample, 0, i);
    return MPNO_OK;
}

static mpno_data_source source_of(plan *p) {
    mpno_data_source source = MPNO_DATA_SOURCE_INIT;
    source.ndim = 2;
    source.grid[0] = ROWS;
    source.grid[1] = COLUMNS;
    source.n_samples = SAMPLES;
    source.in_channels = 2;
    source.read = give;
    source.user = p;
    return source;
}

static const plan good = {.fails_at = -1, .poison_at = -1};

static mpno_dataset_opts two_axes(void) {
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    opts.ndim = 2;
    return opts;
}

static void a_data_set_holds_what_the_function_gave(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    const mpno_data_source source = source_of(&p);
    mpno_dataset_opts opts = two_axes();
    mpno_dataset *data;
    opts.offset = 1;
    opts.n_samples = 3;
    assert_ok(ctx, mpno_data_source_add(ctx, "mine", &source));
    assert_ok(ctx, mpno_dataset_read(ctx, "source:mine", &opts, &data));
    assert_int_equal(data->n, 3);
    assert_int_equal(data->in_channels, 2);
    assert_int_equal(data->out_channels, 1);
    for (int64_t s = 0; s < 3; s++)
        for (int i = 0; i < POINTS; i++) {
            for (int c = 0; c < 2; c++)
                assert_true(((float *)data->x)[(s * POINTS + i) * 2 + c] == value_x(s + 1, c, i));
            assert_true(((float *)data->y)[s * POINTS + i] == -value_x(s + 1, 0, i));
        }
    mpno_dataset_destroy(ctx, &data);
    mpno_data_source_remove(ctx, "mine");
}

static void keys_take_parts_of_it(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    const mpno_data_source source = source_of(&p);
    const char *const keys[] = {"x[4:0:-2, 1, :, 1]"};
    mpno_select_opts opts = {.n = 1, .n_required = 1, .keys = keys};
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_data_source_add(ctx, "mine", &source));
    assert_fails(ctx, mpno_tensor_file_select(ctx, "source:mine", &opts, &file), MPNO_E_CONFIG,
                 "-2");
    const char *const forward[] = {"x[0:5:2, 1, :, 1]"};
    opts.keys = forward;
    assert_ok(ctx, mpno_tensor_file_select(ctx, "source:mine", &opts, &file));
    const float *values = file->tensors[0].data;
    assert_int_equal(file->tensors[0].bytes, 3 * ROWS * sizeof(float));
    for (int s = 0; s < 3; s++)
        for (int row = 0; row < ROWS; row++)
            assert_true(values[s * ROWS + row] == value_x(2 * s, 1, row * COLUMNS + 1));
    mpno_tensor_file_destroy(ctx, &file);
    mpno_data_source_remove(ctx, "mine");
}

static void a_whole_read_asks_once_for_each_sample(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    const mpno_data_source source = source_of(&p);
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_data_source_add(ctx, "mine", &source));
    assert_ok(ctx, mpno_tensor_file_list(ctx, "source:mine", NULL, &file));
    assert_int_equal(p.calls, 0);
    assert_int_equal(file->n, 2);
    mpno_tensor_file_destroy(ctx, &file);
    assert_ok(ctx, mpno_tensor_file_read(ctx, "source:mine", NULL, &file));
    assert_int_equal(p.calls, SAMPLES);
    assert_true(((float *)file->tensors[1].data)[POINTS] == -value_x(1, 0, 0));
    mpno_tensor_file_destroy(ctx, &file);
    mpno_data_source_remove(ctx, "mine");
}

static void inputs_alone_need_no_outputs(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    mpno_data_source source = source_of(&p);
    mpno_tensor_file *file;
    source.out_channels = 0;
    assert_ok(ctx, mpno_data_source_add(ctx, "inputs", &source));
    assert_ok(ctx, mpno_tensor_file_read(ctx, "source:inputs", NULL, &file));
    assert_int_equal(file->n, 1);
    mpno_tensor_file_destroy(ctx, &file);
    mpno_data_source_remove(ctx, "inputs");
}

static void several_sources_come_and_go(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    const mpno_data_source source = source_of(&p);
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_data_source_add(ctx, "a", &source));
    assert_ok(ctx, mpno_data_source_add(ctx, "b", &source));
    assert_ok(ctx, mpno_data_source_add(ctx, "c", &source));
    mpno_data_source_remove(ctx, "a");
    mpno_data_source_remove(ctx, "nobody");
    assert_ok(ctx, mpno_tensor_file_list(ctx, "source:c", NULL, &file));
    mpno_tensor_file_destroy(ctx, &file);
    assert_fails(ctx, mpno_tensor_file_list(ctx, "source:a", NULL, &file), MPNO_E_IO, "source:a");
    mpno_data_source_remove(ctx, "b");
    mpno_data_source_remove(ctx, "c");
}

static void what_the_function_does_wrong_is_named(void **state) {
    mpno_ctx *ctx = *state;
    plan failing = {.fails_at = 3, .poison_at = -1}, poisoned = {.fails_at = -1, .poison_at = 2};
    const mpno_data_source first = source_of(&failing), second = source_of(&poisoned);
    const mpno_dataset_opts opts = two_axes();
    mpno_dataset *data;
    assert_ok(ctx, mpno_data_source_add(ctx, "failing", &first));
    assert_ok(ctx, mpno_data_source_add(ctx, "poisoned", &second));
    assert_fails(ctx, mpno_dataset_read(ctx, "source:failing", &opts, &data), MPNO_E_IO,
                 "source:failing: its function read failed for sample 3");
    assert_fails(ctx, mpno_dataset_read(ctx, "source:poisoned", &opts, &data), MPNO_E_NUMERIC,
                 "sample 2, channel 1, at grid point (1, 1)");
    assert_null(data);
    mpno_data_source_remove(ctx, "failing");
    mpno_data_source_remove(ctx, "poisoned");
}

static void wrong_sources_are_refused(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    const mpno_data_source whole = source_of(&p);
    mpno_data_source s;
#define REFUSED(change, part) \
    s = whole;                \
    change;                   \
    assert_fails(ctx, mpno_data_source_add(ctx, "mine", &s), MPNO_E_ARGUMENT, part)
    REFUSED(s.size = 0, "MPNO_DATA_SOURCE_INIT");
    REFUSED(s.read = NULL, "no function read");
    REFUSED(s.ndim = 0, "ndim 0");
    REFUSED(s.ndim = 5, "ndim 5");
    REFUSED(s.grid[1] = 0, "grid[1] = 0");
    REFUSED(s.n_samples = 0, "0 samples");
    REFUSED(s.in_channels = 0, "0 input");
    REFUSED(s.out_channels = -1, "-1 output");
    REFUSED(s.format = MPNO_F16, "MPNO_F32 or MPNO_F64");
    REFUSED(s.n_samples = INT64_MAX, "more values");
#undef REFUSED
    static const char *const names[] = {
        "", "a b", "a/b", NULL, "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_fails(ctx, mpno_data_source_add(ctx, names[i], &whole), MPNO_E_ARGUMENT,
                     "expected 1 to 63 letters");
    assert_fails(ctx, mpno_data_source_add(ctx, "mine", NULL), MPNO_E_ARGUMENT, "size 0");
    assert_ok(ctx, mpno_data_source_add(ctx, "mine", &whole));
    assert_fails(ctx, mpno_data_source_add(ctx, "mine", &whole), MPNO_E_ARGUMENT, "already");
    mpno_data_source_remove(ctx, "mine");
}

static void memory_may_fail_anywhere(void **state) {
    mpno_ctx *ctx = *state;
    plan p = good;
    const mpno_data_source source = source_of(&p);
    const mpno_dataset_opts opts = two_axes();
    for (int64_t n = 0;; n++) {
        mpno_dataset *data = NULL;
        mpno_alloc_fail_after(ctx, n);
        mpno_status status = mpno_data_source_add(ctx, "mine", &source);
        if (status == MPNO_OK) status = mpno_dataset_read(ctx, "source:mine", &opts, &data);
        mpno_alloc_fail_after(ctx, -1);
        mpno_dataset_destroy(ctx, &data);
        mpno_data_source_remove(ctx, "mine");
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
    }
}

static void a_context_frees_its_sources(void **state) {
    (void)state;
    mpno_ctx *ctx;
    plan p = good;
    const mpno_data_source source = source_of(&p);
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_ok(ctx, mpno_data_source_add(ctx, "left", &source));
    mpno_ctx_destroy(&ctx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_data_set_holds_what_the_function_gave),
        TEST(keys_take_parts_of_it),
        TEST(a_whole_read_asks_once_for_each_sample),
        TEST(inputs_alone_need_no_outputs),
        TEST(several_sources_come_and_go),
        TEST(what_the_function_does_wrong_is_named),
        TEST(wrong_sources_are_refused),
        TEST(memory_may_fail_anywhere),
        cmocka_unit_test(a_context_frees_its_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
