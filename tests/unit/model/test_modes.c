/* SPDX-License-Identifier: MIT
 * Modes between grids. Odd grids have no Nyquist frequency, so that a block made of transforms and
 * linear skips is a map between band-limited functions: asked for a finer output grid it must give
 * the same function, sampled at more places, for every skip and number of axes. And the modes that
 * a model uses of those it has weights for: set_n_modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "model/network.h"
#include "number/format.h"
#include "unit/model/support.h"

/* GELU(x) is x in f64 where x > 40. Biases that lift every hidden value that far make the whole
 * network a linear map; each layer meets what the one before it was lifted by, hence the factors.
 * The outputs carry some 1e4 of that, with 1e-12 of rounding. */
static void make_linear(mpno_model *model) {
    static const struct {
        const char *layer;
        double bias;
    } lifts[] = {{"lifting", 50}, {"channel_mlp", 500}, {"projection", 5000}};
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        for (int i = 0; i < 3 && strstr(info.name, ".fcs.0.bias") != NULL; i++)
            if (strstr(info.name, lifts[i].layer) != NULL)
                set_named(model, info.name, lifts[i].bias);
    }
}

/* One forward pass in f64; output: owned by the caller. */
static double *run(mpno_ctx *ctx, mpno_model *model, const int64_t *grid, const int64_t *out,
                   const void *x, int64_t n) {
    const int ndim = mpno_model_config(model)->ndim;
    mpno_network_opts opts = make_opts(ndim, grid, 1, false, "full", MPNO_F16);
    double *y = malloc((size_t)n * sizeof *y);
    for (int d = 0; d < ndim; d++) opts.output_grid[d] = out == NULL ? 0 : out[d];
    mpno_network *network = make_network(ctx, model, &opts);
    if (mpno_network_forward(network, 1, x, y) != MPNO_OK) fail_msg("%s", mpno_ctx_error(ctx));
    mpno_network_destroy(&network);
    return y;
}

static double largest(const double *y, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(y[i]));
    return most;
}

/* The trigonometric interpolant through an odd number n of points: weight of the one at distance s.
 */
static double dirichlet(double s, int64_t n) {
    const double pi = 3.14159265358979323846;
    const double below = sin(pi * s);
    return fabs(below) < 1e-12 ? 1 : sin(pi * (double)n * s) / ((double)n * below);
}

/* Value c of the interpolant through a coarse field at node `at` of the fine grid. */
static double interpolate(const double *coarse, int ndim, const int64_t *grid, const int64_t *out,
                          int64_t at, int64_t c, int64_t width) {
    double sum = 0;
    for (int64_t i = 0; i < points_of(ndim, grid); i++) {
        double weight = 1;
        int64_t from = i, to = at;
        for (int d = ndim - 1; d >= 0; d--) {
            weight *= dirichlet(
                (double)(to % out[d]) / (double)out[d] - (double)(from % grid[d]) / (double)grid[d],
                grid[d]);
            from /= grid[d], to /= out[d];
        }
        sum += weight * coarse[i * width + c];
    }
    return sum;
}

/* The largest difference at some of the fine nodes. */
static double difference(const double *coarse, const double *fine, int ndim, const int64_t *grid,
                         const int64_t *out, int64_t width) {
    double most = 0;
    for (int64_t at = 0; at < points_of(ndim, out); at += 1 + points_of(ndim, out) / 97)
        for (int64_t c = 0; c < width; c++)
            most = fmax(most, fabs(interpolate(coarse, ndim, grid, out, at, c, width) -
                                   fine[at * width + c]));
    return most;
}

static double output_grid_error(const mpno_fno_config *config, const int64_t *grid) {
    mpno_ctx *ctx = make_ctx(1);
    mpno_model *model = make_model(ctx, config, MPNO_F64);
    const int64_t width = 2 * (config->complex_data ? 2 : 1);
    const int64_t n = width * points_of(config->ndim, grid);
    int64_t out[MPNO_MAX_AXES], n_fine = width;
    for (int d = 0; d < config->ndim; d++) n_fine *= out[d] = 2 * grid[d] + 1 - d;
    make_linear(model);
    double *x = make_data(MPNO_F64, n, 0);
    double *coarse = run(ctx, model, grid, NULL, x, n);
    double *fine = run(ctx, model, grid, out, x, n_fine);
    const double error =
        difference(coarse, fine, config->ndim, grid, out, width) / largest(coarse, n);
    assert_true(largest(coarse, n) > 0.01);
    free(x), free(coarse), free(fine);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
    return error;
}

static mpno_fno_config block_config(int i) {
    mpno_fno_config c = small_config(1 + i % 3);
    c.n_layers = 1;
    c.fno_skip = (mpno_skip)(i / 3 % 4);
    c.complex_data = i / 12 % 2 == 1;
    c.use_channel_mlp = i / 24 % 2 == 1;
    c.channel_mlp_skip = (mpno_skip)((i / 3 + 1) % 4);
    /* fewer than the grid has, odd counts and all of them */
    for (int d = 0; d < c.ndim; d++) c.n_modes[d] = d == 0 ? 6 : 5;
    for (int d = 0; i / 48 == 1 && d < c.ndim; d++) c.n_modes[d] = 16;
    return c;
}

static void an_output_grid_samples_the_same_function(void **state) {
    (void)state;
    static const int64_t grids[][3] = {{15}, {15, 9}, {7, 5, 9}};
    for (int i = 0; i < 2 * 48; i++) {
        const mpno_fno_config c = block_config(i);
        const double error = output_grid_error(&c, grids[c.ndim - 1]);
        if (!(error <= 1e-10))
            fail_msg("%d axes, skip %d, complex %d, mlp %d: off by %g", c.ndim, c.fno_skip,
                     c.complex_data, c.use_channel_mlp, error);
    }
    /* upstream's is not the same function */
    mpno_fno_config c = block_config(1);
    assert_int_equal(c.fno_skip, MPNO_SKIP_NONE);
    c.compat = MPNO_COMPAT_NEURALOP;
    assert_true(output_grid_error(&c, grids[1]) > 1e-6);
}

/* ---- n_modes within max_n_modes ---- */

static const int64_t mode_grid[] = {12, 10};
enum { MODE_VALUES = 12 * 10 * 2 };

static mpno_fno_config mode_config(int64_t n, int64_t most, mpno_compat compat) {
    mpno_fno_config c = small_config(2);
    for (int d = 0; d < 2; d++) c.n_modes[d] = n, c.max_n_modes[d] = most;
    c.compat = compat;
    return c;
}

static void set_modes(mpno_model *model, int64_t n) {
    const int64_t modes[] = {n, n};
    assert_int_equal(mpno_model_set_n_modes(model, modes), MPNO_OK);
}

/* Zeroes the weights of rows outside frequencies -floor(n/2) .. and of columns above n/2, of so
 * many blocks. */
static void zero_outer_modes(mpno_model *model, int64_t n, int blocks) {
    for (int l = 0; l < blocks; l++) {
        char name[48];
        snprintf(name, sizeof name, "fno_blocks.convs.%d.weight.tensor", l);
        const int p = mpno_model_find_param(model, name);
        const mpno_param_info info = mpno_model_param_info(model, p);
        const int64_t rows = info.shape[2], columns = info.shape[3];
        double *w = malloc(info.count * sizeof *w);
        mpno_model_get_param(model, p, w);
        for (size_t i = 0; i < info.count; i++) {
            const int64_t column = (int64_t)(i / 2) % columns;
            const int64_t k = (int64_t)(i / 2) / columns % rows - rows / 2;
            if (k < -(n / 2) || k >= n - n / 2 || column > n / 2) w[i] = 0;
        }
        mpno_model_set_param(model, p, w);
        free(w);
    }
}

/* Few modes of many are the same as many whose outer weights are zero; growing into weights of zero
 * changes nothing, and shrinking and growing back gives the old bits. */
static void unused_modes_are_as_zero(void **state) {
    (void)state;
    static const int64_t counts[][2] = {{4, 8}, {3, 8}, {5, 8}, {5, 7}, {4, 7}, {6, 9}, {1, 8}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const int64_t few = counts[i][0], most = counts[i][1];
        mpno_ctx *ctx = make_ctx(1);
        const mpno_fno_config c = mode_config(few, most, MPNO_COMPAT_NONE);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        double *x = make_data(MPNO_F64, MODE_VALUES, 0);
        double *small = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        set_modes(model, most);
        double *large = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        zero_outer_modes(model, few, 2);
        double *zeroed = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        set_modes(model, few);
        double *again = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        double off = 0, moved = 0;
        for (int k = 0; k < MODE_VALUES; k++) {
            off = fmax(off, fabs(small[k] - zeroed[k]));
            moved = fmax(moved, fabs(small[k] - large[k]));
        }
        if (!(off <= 1e-13 && moved > 1e-4))
            fail_msg("%lld of %lld modes: %g apart, %g with weights", (long long)few,
                     (long long)most, off, moved);
        assert_memory_equal(small, again, MODE_VALUES * sizeof *small);
        free(x), free(small), free(large), free(zeroed), free(again);
        mpno_model_destroy(&model);
        drop_ctx(ctx);
    }
}

/* One block with few modes is one whose outer weights are zero; the other keeps its own. */
static void blocks_have_modes_of_their_own(void **state) {
    (void)state;
    static const int64_t counts[][2] = {{4, 8}, {3, 8}, {5, 7}, {6, 9}};
    for (size_t i = 0; i < 4; i++) {
        const int64_t few[] = {counts[i][0], counts[i][0]}, most = counts[i][1];
        int64_t told[2];
        mpno_ctx *ctx = make_ctx(1);
        const mpno_fno_config c = mode_config(most, most, MPNO_COMPAT_NONE);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        double *x = make_data(MPNO_F64, MODE_VALUES, 0);
        double *all = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        assert_int_equal(mpno_model_set_layer_modes(model, 0, few), MPNO_OK);
        double *small = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        mpno_model_layer_modes(model, 0, told);
        assert_int_equal(told[0], few[0]);
        mpno_model_layer_modes(model, 1, told);
        assert_int_equal(told[1], most);
        const int64_t back[] = {most, most};
        assert_int_equal(mpno_model_set_layer_modes(model, 0, back), MPNO_OK);
        zero_outer_modes(model, few[0], 1);
        double *zeroed = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
        double off = 0, moved = 0;
        for (int k = 0; k < MODE_VALUES; k++) {
            off = fmax(off, fabs(small[k] - zeroed[k]));
            moved = fmax(moved, fabs(small[k] - all[k]));
        }
        assert_true(off <= 1e-13 && moved > 1e-4);
        free(x), free(all), free(small), free(zeroed);
        mpno_model_destroy(&model);
        drop_ctx(ctx);
    }
}

/* The spectra of the first block with few and with many modes hold the same numbers at the same
 * frequencies, and their formats are the policy's. */
static void kept_spectra_can_be_read(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config c = mode_config(8, 8, MPNO_COMPAT_NONE);
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    double *x = make_data(MPNO_F64, MODE_VALUES, 0), y[MODE_VALUES];
    const double *values[2];
    mpno_spectrum_view view[2];
    mpno_network *network[2];
    for (int i = 0; i < 2; i++) {
        mpno_network_opts opts = make_opts(2, mode_grid, 1, false, "full", MPNO_F16);
        opts.keep_spectra = true;
        set_modes(model, i == 0 ? 8 : 5);
        network[i] = make_network(ctx, model, &opts);
        assert_int_equal(mpno_network_forward(network[i], 1, x, y), MPNO_OK);
        view[i] = mpno_network_spectrum(network[i], 0);
        values[i] = view[i].data;
        assert_int_equal(view[i].format, MPNO_F64);
        assert_int_equal(view[i].points, 120);
    }
    const int64_t row = 2 * view[0].channels;
    assert_true(view[0].kept[0] == 8 && view[0].kept[1] == 5);
    assert_true(view[1].kept[0] == 5 && view[1].kept[1] == 3);
    for (int64_t a = 0; a < 5; a++)
        for (int64_t b = 0; b < 3; b++) {
            const double *many = values[0] + ((a - 2 + 4) * 5 + b) * row;
            const double *few = values[1] + (a * 3 + b) * row;
            for (int64_t j = 0; j < row; j++) assert_true(fabs(many[j] - few[j]) <= 1e-14);
            assert_true(fabs(few[0]) > 1e-6);
        }
    for (int i = 0; i < 2; i++) mpno_network_destroy(&network[i]);
    free(x);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

/* A model without a maximum may shrink, and grow back to what it was made with. */
static void shrinking_without_a_maximum(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config c = mode_config(6, 0, MPNO_COMPAT_NONE);
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    double *x = make_data(MPNO_F64, MODE_VALUES, 0);
    double *before = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
    set_modes(model, 3);
    double *less = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
    set_modes(model, 6);
    double *after = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
    assert_memory_equal(before, after, MODE_VALUES * sizeof *before);
    assert_memory_not_equal(before, less, MODE_VALUES * sizeof *before);
    free(x), free(before), free(less), free(after);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

/* A network that uses fewer modes than its model is that of a model with fewer, bit for bit; a
 * number above the model's is none. */
static void a_network_may_use_fewer_modes(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config c = mode_config(6, 6, MPNO_COMPAT_NONE),
                          upstream = mode_config(4, 0, MPNO_COMPAT_NEURALOP);
    const int64_t few[] = {4, 3};
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    double *x = make_data(MPNO_F64, MODE_VALUES, 0), y[MODE_VALUES];
    double *all = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
    mpno_network_opts opts = make_opts(2, mode_grid, 1, false, "full", MPNO_F16);
    for (int d = 0; d < 2; d++) opts.most_modes[0][d] = few[d], opts.most_modes[1][d] = 8;
    mpno_network *network = make_network(ctx, model, &opts);
    assert_int_equal(mpno_network_forward(network, 1, x, y), MPNO_OK);
    mpno_network_destroy(&network);
    double *again = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
    assert_memory_equal(all, again, sizeof y); /* the model is as it was */
    assert_int_equal(mpno_model_set_layer_modes(model, 0, few), MPNO_OK);
    double *small = run(ctx, model, mode_grid, NULL, x, MODE_VALUES);
    assert_memory_equal(small, y, sizeof y);
    assert_true(memcmp(all, y, sizeof y) != 0);
    mpno_model_destroy(&model);
    model = make_model(ctx, &upstream, MPNO_F64);
    opts.most_modes[0][1] = 4;
    assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_OK);
    mpno_network_destroy(&network);
    opts.most_modes[0][0] = 3;
    assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "only a model with max_n_modes can use fewer"));
    mpno_model_destroy(&model);
    free(x), free(all), free(again), free(small);
    drop_ctx(ctx);
}

static void refuse_modes(mpno_ctx *ctx, mpno_model *model, int64_t n, const char *sentence) {
    const int64_t modes[] = {4, n}, before = mpno_model_config(model)->n_modes[1];
    assert_int_equal(mpno_model_set_n_modes(model, modes), MPNO_E_CONFIG);
    if (strstr(mpno_ctx_error(ctx), sentence) == NULL) fail_msg("%s", mpno_ctx_error(ctx));
    assert_int_equal(mpno_model_config(model)->n_modes[1], before);
}

static void modes_that_cannot_be(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config bounded = mode_config(4, 8, MPNO_COMPAT_NONE),
                          free_one = mode_config(4, 0, MPNO_COMPAT_NONE),
                          upstream = mode_config(4, 0, MPNO_COMPAT_NEURALOP);
    mpno_model *model = make_model(ctx, &bounded, MPNO_F64);
    refuse_modes(ctx, model, 9, "n_modes[1] is 9, above model.max_n_modes[1] = 8");
    refuse_modes(ctx, model, 0, "n_modes[1] is 0");
    const int64_t nine[] = {4, 9}, none[] = {4, 0}, four[] = {4, 4};
    assert_int_equal(mpno_model_set_layer_modes(model, 1, nine), MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "modes of block 1: 9 on axis 1"));
    assert_int_equal(mpno_model_set_layer_modes(model, 1, none), MPNO_E_CONFIG);
    assert_int_equal(mpno_model_set_layer_modes(model, 2, four), MPNO_E_ARGUMENT);
    mpno_model_destroy(&model);
    model = make_model(ctx, &free_one, MPNO_F64);
    refuse_modes(ctx, model, 5, "above the 4 that the model has weights for");
    mpno_model_destroy(&model);
    model = make_model(ctx, &upstream, MPNO_F64);
    refuse_modes(ctx, model, 2, "only a model with max_n_modes");
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_grid_samples_the_same_function),
        cmocka_unit_test(unused_modes_are_as_zero),
        cmocka_unit_test(blocks_have_modes_of_their_own),
        cmocka_unit_test(kept_spectra_can_be_read),
        cmocka_unit_test(shrinking_without_a_maximum),
        cmocka_unit_test(a_network_may_use_fewer_modes),
        cmocka_unit_test(modes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
