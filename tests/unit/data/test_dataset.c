/* SPDX-License-Identifier: MIT
 * Datasets: order of axes, choice of samples, and sentences for what does not fit. */
#include "support.h"

#include <math.h>
#include <unistd.h>

#include "core/memory.h"
#include "data/dataset.h"
#include "data/safetensors.h"

static const char *const DARCY = "examples/data/darcy_test_16.pt";

static void darcy_becomes_pairs_of_fields(void **state) {
    mpno_ctx *ctx = *state;
    mpno_dataset *set;
    assert_ok(ctx, mpno_dataset_read(ctx, DARCY, NULL, &set));
    assert_int_equal(set->n, 50);
    assert_int_equal(set->ndim, 2);
    assert_int_equal(set->grid[0], 16);
    assert_int_equal(set->grid[1], 16);
    assert_int_equal(set->points, 256);
    assert_int_equal(set->in_channels, 1);
    assert_int_equal(set->out_channels, 1);
    double x = 0, y = 0;
    for (int i = 0; i < 50 * 256; i++) {
        x += (double)((const float *)set->x)[i];
        y += (double)((const float *)set->y)[i];
    }
    assert_true(x == 6298);
    assert_true(fabs(y / 5100.8868 - 1) < 1e-7);
    assert_true(fabs((double)((const float *)set->y)[(49 * 16 + 2) * 16 + 1] - 0.1346997) < 1e-6);
    mpno_dataset_destroy(ctx, &set);
}

static void offset_and_number_choose_samples(void **state) {
    mpno_ctx *ctx = *state;
    mpno_dataset *set;
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    opts.offset = 40;
    opts.n_samples = 10;
    opts.format = MPNO_F64;
    assert_ok(ctx, mpno_dataset_read(ctx, DARCY, &opts, &set));
    assert_int_equal(set->n, 10);
    assert_true(fabs(((const double *)set->y)[(9 * 16 + 1) * 16 + 2] - 0.0709566) < 1e-7);
    mpno_dataset_destroy(ctx, &set);
    opts.n_samples = 11;
    assert_fails(ctx, mpno_dataset_read(ctx, DARCY, &opts, &set), MPNO_E_CONFIG,
                 "the file holds 50");
    opts.n_samples = 0;
    opts.offset = 50;
    assert_fails(ctx, mpno_dataset_read(ctx, DARCY, &opts, &set), MPNO_E_CONFIG,
                 "the file holds 50");
    opts.offset = -1;
    assert_fails(ctx, mpno_dataset_read(ctx, DARCY, &opts, &set), MPNO_E_CONFIG, "negative");
    opts.offset = INT64_MAX;
    opts.n_samples = INT64_MAX;
    assert_int_equal(mpno_dataset_read(ctx, DARCY, &opts, &set), MPNO_E_CONFIG);
}

/* A list with tensors x and y of the given shapes, filled with 0, 1, 2, ... as f64. */
static mpno_tensor_file *make_pair(mpno_ctx *ctx, int nx, const int64_t *x, int ny,
                                   const int64_t *y) {
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    for (int k = 0; k < 2; k++) {
        mpno_named_tensor *tensor;
        assert_ok(ctx, mpno_tensor_file_add(ctx, file, k ? "y" : "x", MPNO_ELEMENT_F64, k ? ny : nx,
                                            k ? y : x, &tensor));
        for (int64_t i = 0; i < mpno_named_tensor_count(tensor); i++)
            ((double *)tensor->data)[i] = (double)i;
    }
    return file;
}

static void channels_first_is_turned_around(void **state) {
    mpno_ctx *ctx = *state;
    const int64_t x[] = {2, 3, 4, 5}, y[] = {2, 4, 5};
    mpno_tensor_file *file = make_pair(ctx, 4, x, 3, y);
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    mpno_dataset *set;
    for (int wide = 0; wide < 2; wide++) {
        opts.ndim = 2;
        opts.format = wide ? MPNO_F64 : MPNO_F32;
        assert_ok(ctx, mpno_dataset_from_tensors(ctx, "pair", file, &opts, &set));
        assert_int_equal(set->in_channels, 3);
        assert_int_equal(set->out_channels, 1);
        for (int n = 0; n < 2; n++)
            for (int p = 0; p < 20; p++)
                for (int c = 0; c < 3; c++) {
                    int to = (n * 20 + p) * 3 + c, from = (n * 3 + c) * 20 + p;
                    double value =
                        wide ? ((const double *)set->x)[to] : (double)((const float *)set->x)[to];
                    assert_true(value == from);
                }
        mpno_dataset_destroy(ctx, &set);
    }
    mpno_tensor_file_destroy(ctx, &file);
}

/* Node (i, j) of a 2 x 3 part of a 4 x 6 grid is node (2i, 2j); y lies on 8 x 6. */
static void every_second_node(void **state) {
    mpno_ctx *ctx = *state;
    const int64_t x[] = {2, 3, 4, 6}, y[] = {2, 8, 6};
    mpno_tensor_file *file = make_pair(ctx, 4, x, 3, y);
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    mpno_dataset *set, *part;
    opts.ndim = 2;
    opts.other_grid = true;
    opts.format = MPNO_F64;
    assert_ok(ctx, mpno_dataset_from_tensors(ctx, "pair", file, &opts, &set));
    assert_ok(ctx, mpno_dataset_subsample(ctx, set, 2, &part));
    assert_int_equal(part->points, 6);
    assert_int_equal(part->out_points, 12);
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 3; j++) {
                const double *u = part->x, *v = part->y;
                for (int c = 0; c < 3 && i < 2; c++)
                    assert_true(u[((n * 2 + i) * 3 + j) * 3 + c] ==
                                ((n * 3 + c) * 4 + 2 * i) * 6 + 2 * j);
                assert_true(v[(n * 4 + i) * 3 + j] == (n * 8 + 2 * i) * 6 + 2 * j);
            }
    mpno_dataset_destroy(ctx, &part);
    assert_fails(ctx, mpno_dataset_subsample(ctx, set, 4, &part), MPNO_E_SHAPE,
                 "4 does not divide the points of all axes: inputs lie on (4, 6)");
    assert_null(part);
    mpno_dataset_destroy(ctx, &set);
    mpno_tensor_file_destroy(ctx, &file);
}

static void shapes_that_do_not_fit_are_explained(void **state) {
    static const struct {
        int nx, ny, ndim;
        int64_t x[4], y[4];
        const char *part;
    } cases[] = {
        {3, 3, 0, {2, 4, 5}, {3, 4, 5}, "same number of samples"},
        {3, 3, 0, {2, 4, 5}, {2, 5, 4}, "grids differ at axis 1 (4 and 5 points)"},
        {3, 3, 0, {0, 4, 5}, {0, 4, 5}, "(0, 4, 5): it holds no samples"},
        {3, 3, 0, {2, 0, 5}, {2, 0, 5}, "empty"},
        {1, 1, 0, {2}, {2}, "at least one spatial axis"},
        {3, 2, 0, {2, 4, 5}, {2, 4}, "'y' has shape (2, 4): with 2 spatial axes"},
        {4, 3, 0, {2, 1, 4, 5}, {2, 4, 5}, "with 3 spatial axes"},
        {3, 3, 4, {2, 4, 5}, {2, 4, 5}, "with 4 spatial axes"},
    };
    mpno_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_tensor_file *file = make_pair(ctx, cases[i].nx, cases[i].x, cases[i].ny, cases[i].y);
        mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
        mpno_dataset *set;
        opts.ndim = cases[i].ndim;
        assert_fails(ctx, mpno_dataset_from_tensors(ctx, "pair", file, &opts, &set), MPNO_E_SHAPE,
                     cases[i].part);
        assert_null(set);
        mpno_tensor_file_destroy(ctx, &file);
    }
}

static void values_that_are_not_finite_are_located(void **state) {
    mpno_ctx *ctx = *state;
    const int64_t x[] = {2, 3, 4, 5}, y[] = {2, 4, 5};
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    mpno_dataset *set;
    opts.ndim = 2;
    opts.offset = 1;
    mpno_tensor_file *file = make_pair(ctx, 4, x, 3, y);
    ((double *)file->tensors[0].data)[(1 * 3 + 2) * 20 + 3 * 5 + 1] = NAN;
    assert_fails(ctx, mpno_dataset_from_tensors(ctx, "set.pt", file, &opts, &set), MPNO_E_NUMERIC,
                 "set.pt: 'x' has the value nan in sample 1, channel 2, at grid point (3, 1)");
    ((double *)file->tensors[0].data)[(1 * 3 + 2) * 20 + 3 * 5 + 1] = 1e300;
    assert_fails(ctx, mpno_dataset_from_tensors(ctx, "set.pt", file, &opts, &set), MPNO_E_NUMERIC,
                 "(as f32)");
    opts.format = MPNO_F64;
    assert_ok(ctx, mpno_dataset_from_tensors(ctx, "set.pt", file, &opts, &set));
    mpno_dataset_destroy(ctx, &set);
    ((double *)file->tensors[1].data)[0] = INFINITY; /* in sample 0, which is not taken */
    assert_ok(ctx, mpno_dataset_from_tensors(ctx, "set.pt", file, &opts, &set));
    mpno_dataset_destroy(ctx, &set);
    mpno_tensor_file_destroy(ctx, &file);
}

static void keys_and_readers_can_be_chosen(void **state) {
    mpno_ctx *ctx = *state;
    char path[] = "/tmp/mpno-test-dataset-XXXXXX";
    const int64_t shape[] = {2, 4};
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    mpno_dataset *set;
    int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    mpno_tensor_file *file = make_pair(ctx, 2, shape, 2, shape);
    assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
    mpno_tensor_file_destroy(ctx, &file);
    assert_fails(ctx, mpno_dataset_read(ctx, path, NULL, &set), MPNO_E_ARGUMENT,
                 "safetensors (.safetensors)");
    opts.reader = "safetensors";
    opts.y_key = "x";
    assert_ok(ctx, mpno_dataset_read(ctx, path, &opts, &set));
    assert_int_equal(set->ndim, 1);
    mpno_dataset_destroy(ctx, &set);
    opts.y_key = "yy";
    assert_fails(ctx, mpno_dataset_read(ctx, path, &opts, &set), MPNO_E_FORMAT, "did you mean 'y'");
    opts.reader = "tensors";
    assert_fails(ctx, mpno_dataset_read(ctx, path, &opts, &set), MPNO_E_ARGUMENT,
                 "no reader 'tensors'");
    unlink(path);
    assert_fails(ctx, mpno_dataset_read(ctx, "tests/data/fno2d_default.pt", NULL, &set),
                 MPNO_E_FORMAT, "no tensor 'x'");
    opts.size = 3;
    opts.reader = NULL;
    assert_fails(ctx, mpno_dataset_read(ctx, DARCY, &opts, &set), MPNO_E_ARGUMENT, "OPTS_INIT");
}

static void memory_may_run_out_anywhere(void **state) {
    mpno_ctx *ctx = *state;
    mpno_dataset *set;
    mpno_status status = MPNO_E_MEMORY;
    for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_dataset_read(ctx, DARCY, NULL, &set);
        assert_true(status == MPNO_OK || (!set && mpno_ctx_bytes(ctx) == 0));
    }
    assert_int_equal(status, MPNO_OK);
    mpno_alloc_fail_after(ctx, -1);
    mpno_dataset_destroy(ctx, &set);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(darcy_becomes_pairs_of_fields),
        TEST(offset_and_number_choose_samples),
        TEST(channels_first_is_turned_around),
        TEST(every_second_node),
        TEST(shapes_that_do_not_fit_are_explained),
        TEST(values_that_are_not_finite_are_located),
        TEST(keys_and_readers_can_be_chosen),
        TEST(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
