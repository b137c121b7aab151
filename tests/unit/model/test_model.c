/* SPDX-License-Identifier: MIT
 * Models: the parameters that the PyTorch library would have, by name, shape and number; both
 * orders of a weight; the distributions they are drawn from; wrong configurations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "model/model.h"
#include "unit/model/support.h"

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    ctx = make_ctx(1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    drop_ctx(ctx);
    return 0;
}

static mpno_fno_config default_2d(int64_t modes, int64_t hidden) {
    mpno_fno_config c = MPNO_FNO_CONFIG_INIT;
    c.ndim = 2;
    c.n_modes[0] = c.n_modes[1] = modes;
    c.in_channels = c.out_channels = 1;
    c.hidden_channels = hidden;
    return c;
}

static void numbers_of_weights(void **state) {
    (void)state;
    /* Counted by PyTorch (complex numbers twice) for the library's FNO with defaults. */
    static const struct {
        int64_t modes, hidden;
        size_t weights;
    } published[] = {{8, 24, 191881}, {16, 32, 1192801}};
    for (int i = 0; i < 2; i++) {
        const mpno_fno_config c = default_2d(published[i].modes, published[i].hidden);
        mpno_model *model = make_model(ctx, &c, MPNO_F32);
        assert_int_equal(mpno_model_n_weights(model), published[i].weights);
        size_t sum = 0;
        for (int p = 0; p < mpno_model_n_params(model); p++)
            sum += mpno_model_param_info(model, p).count;
        assert_int_equal(sum, published[i].weights);
        mpno_model_destroy(&model);
        assert_null(model);
    }
}

/* One line of a state dict: name and shape as PyTorch prints them, "z" behind complex ones. */
static void describe(const mpno_param_info *info, char *text, size_t size) {
    int n = snprintf(text, size, "%s", info->name);
    for (int d = 0; d < info->ndim; d++)
        n += snprintf(text + n, size - (size_t)n, " %lld", (long long)info->shape[d]);
    if (info->is_complex) snprintf(text + n, size - (size_t)n, " z");
}

static void check_lines(const mpno_model *model, const char *const *lines, int n) {
    assert_int_equal(mpno_model_n_params(model), n);
    for (int p = 0; p < n; p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        char text[128];
        size_t count = info.is_complex ? 2 : 1;
        for (int d = 0; d < info.ndim; d++) count *= (size_t)info.shape[d];
        describe(&info, text, sizeof text);
        assert_string_equal(text, lines[p]);
        assert_int_equal(info.count, count);
        assert_int_equal(mpno_model_find_param(model, info.name), p);
    }
    assert_int_equal(mpno_model_find_param(model, "no such name"), -1);
}

static void names_and_shapes(void **state) {
    (void)state;
    static const char *const plain[] = {"fno_blocks.convs.0.bias 24 1 1",
                                        "fno_blocks.convs.0.weight.tensor 24 24 8 5 z",
                                        "fno_blocks.convs.1.bias 24 1 1",
                                        "fno_blocks.convs.1.weight.tensor 24 24 8 5 z",
                                        "fno_blocks.fno_skips.0.conv.weight 24 24 1",
                                        "fno_blocks.fno_skips.1.conv.weight 24 24 1",
                                        "fno_blocks.channel_mlp.0.fcs.0.weight 12 24 1",
                                        "fno_blocks.channel_mlp.0.fcs.0.bias 12",
                                        "fno_blocks.channel_mlp.0.fcs.1.weight 24 12 1",
                                        "fno_blocks.channel_mlp.0.fcs.1.bias 24",
                                        "fno_blocks.channel_mlp.1.fcs.0.weight 12 24 1",
                                        "fno_blocks.channel_mlp.1.fcs.0.bias 12",
                                        "fno_blocks.channel_mlp.1.fcs.1.weight 24 12 1",
                                        "fno_blocks.channel_mlp.1.fcs.1.bias 24",
                                        "fno_blocks.channel_mlp_skips.0.weight 1 24 1 1",
                                        "fno_blocks.channel_mlp_skips.1.weight 1 24 1 1",
                                        "lifting.fcs.0.weight 48 3 1",
                                        "lifting.fcs.0.bias 48",
                                        "lifting.fcs.1.weight 24 48 1",
                                        "lifting.fcs.1.bias 24",
                                        "projection.fcs.0.weight 48 24 1",
                                        "projection.fcs.0.bias 48",
                                        "projection.fcs.1.weight 1 48 1",
                                        "projection.fcs.1.bias 1"};
    mpno_fno_config c = default_2d(8, 24);
    c.n_layers = 2;
    mpno_model *model = make_model(ctx, &c, MPNO_F32);
    check_lines(model, plain, sizeof plain / sizeof plain[0]);
    mpno_model_destroy(&model);

    static const char *const other[] = {"fno_blocks.convs.0.bias 6 1 1 1",
                                        "fno_blocks.convs.0.weight.tensor 6 6 3 4 3 z",
                                        "fno_blocks.fno_skips.0.weight 1 6 1 1 1",
                                        "fno_blocks.norm.0.weight 6",
                                        "fno_blocks.norm.0.bias 6",
                                        "fno_blocks.norm.1.weight 6",
                                        "fno_blocks.norm.1.bias 6",
                                        "lifting.fcs.0.weight 9 5 1",
                                        "lifting.fcs.0.bias 9",
                                        "lifting.fcs.1.weight 6 9 1",
                                        "lifting.fcs.1.bias 6",
                                        "projection.fcs.0.weight 3 6 1",
                                        "projection.fcs.0.bias 3",
                                        "projection.fcs.1.weight 2 3 1",
                                        "projection.fcs.1.bias 2"};
    c = small_config(3);
    c.n_modes[0] = 3, c.n_modes[1] = 4, c.n_modes[2] = 5;
    c.in_channels = 5;
    c.hidden_channels = 6;
    c.n_layers = 1;
    c.lifting_channel_ratio = 1.5;
    c.projection_channel_ratio = 0.5;
    c.positional_embedding = MPNO_EMBEDDING_NONE;
    c.norm = MPNO_NORM_GROUP;
    c.norm_groups = 3;
    c.use_channel_mlp = false;
    c.fno_skip = MPNO_SKIP_SOFT_GATING;
    model = make_model(ctx, &c, MPNO_F64);
    check_lines(model, other, sizeof other / sizeof other[0]);
    assert_int_equal(mpno_model_arithmetic(model), MPNO_F64);
    assert_int_equal(mpno_model_config(model)->norm_groups, 3);
    mpno_model_destroy(&model);
}

/* Skips and norms without weights have no parameters; Python rounds halves to even. */
static void parameters_that_come_and_go(void **state) {
    (void)state;
    static const struct {
        mpno_skip fno, mlp;
        mpno_norm norm;
        bool use_mlp;
        int n_params;
    } cases[] = {
        {MPNO_SKIP_NONE, MPNO_SKIP_NONE, MPNO_NORM_NONE, false, 4 + 8},
        {MPNO_SKIP_IDENTITY, MPNO_SKIP_LINEAR, MPNO_NORM_INSTANCE, false, 4 + 8},
        {MPNO_SKIP_LINEAR, MPNO_SKIP_LINEAR, MPNO_NORM_NONE, true, 4 + 2 + 8 + 2 + 8},
        {MPNO_SKIP_SOFT_GATING, MPNO_SKIP_IDENTITY, MPNO_NORM_GROUP, true, 4 + 2 + 8 + 8 + 8}};
    for (int i = 0; i < 4; i++) {
        mpno_fno_config c = small_config(1);
        c.fno_skip = cases[i].fno, c.channel_mlp_skip = cases[i].mlp;
        c.norm = cases[i].norm, c.use_channel_mlp = cases[i].use_mlp;
        mpno_model *model = make_model(ctx, &c, MPNO_F32);
        assert_int_equal(mpno_model_n_params(model), cases[i].n_params);
        mpno_model_destroy(&model);
    }
    static const struct { int64_t hidden, mlp; } halves[] = {{5, 2}, {7, 4}, {9, 4}, {11, 6}};
    for (int i = 0; i < 4; i++) {
        mpno_fno_config c = small_config(1);
        c.hidden_channels = halves[i].hidden;
        mpno_model *model = make_model(ctx, &c, MPNO_F32);
        const int p = mpno_model_find_param(model, "fno_blocks.channel_mlp.0.fcs.0.bias");
        assert_int_equal(mpno_model_param_info(model, p).shape[0], halves[i].mlp);
        mpno_model_destroy(&model);
    }
}

static void values_go_in_and_out(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++) {
        const mpno_format arithmetic = t == 0 ? MPNO_F32 : MPNO_F64;
        mpno_fno_config c = small_config(2);
        c.n_modes[0] = 3, c.norm = MPNO_NORM_GROUP, c.norm_groups = 2;
        mpno_model *model = make_model(ctx, &c, arithmetic);
        for (int p = 0; p < mpno_model_n_params(model); p++) {
            const int64_t n = (int64_t)mpno_model_param_info(model, p).count;
            double *in = make_data(MPNO_F64, n, (uint32_t)p);
            double *out = malloc((size_t)n * sizeof *out);
            mpno_model_set_param(model, p, in);
            mpno_model_get_param(model, p, out);
            for (int64_t i = 0; i < n; i++)
                assert_true(out[i] == (t == 0 ? (double)(float)in[i] : in[i]));
            free(in), free(out);
        }
        mpno_model_destroy(&model);
    }
}

/* Inside, a spectral weight is [modes][re, im][inputs][outputs]; outside it is [inputs][outputs]
 * [modes] of pairs. Linear maps lie alike. */
static void the_two_orders(void **state) {
    (void)state;
    mpno_fno_config c = small_config(2);
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    const int p = mpno_model_find_param(model, "fno_blocks.convs.1.weight.tensor");
    const int64_t h = 8, modes = 4 * 3;
    double *values = malloc((size_t)(2 * h * h * modes) * sizeof *values);
    for (int64_t i = 0; i < h; i++)
        for (int64_t o = 0; o < h; o++)
            for (int64_t k = 0; k < modes; k++)
                for (int64_t part = 0; part < 2; part++)
                    values[((i * h + o) * modes + k) * 2 + part] =
                        (double)(1000000 * part + 10000 * k + 100 * i + o);
    mpno_model_set_param(model, p, values);
    const mpno_raw_param raw = mpno_model_raw(model, p);
    assert_true(raw.is_complex && raw.plane == h * h && raw.count == (size_t)(2 * h * h * modes));
    for (int64_t k = 0; k < modes; k++)
        for (int64_t part = 0; part < 2; part++)
            for (int64_t i = 0; i < h; i++)
                for (int64_t o = 0; o < h; o++)
                    assert_true(((double *)raw.data)[((k * 2 + part) * h + i) * h + o] ==
                                (double)(1000000 * part + 10000 * k + 100 * i + o));
    free(values);
    mpno_model_destroy(&model);
}

/* Mean, deviation and largest magnitude of a parameter. */
typedef struct moments {
    double mean, deviation, largest;
    size_t n;
} moments;

static moments moments_of(const mpno_model *model, int p) {
    moments m = {.n = mpno_model_param_info(model, p).count};
    double *v = malloc(m.n * sizeof *v), squares = 0;
    assert_non_null(v);
    mpno_model_get_param(model, p, v);
    for (size_t i = 0; i < m.n; i++) {
        m.mean += v[i];
        squares += v[i] * v[i];
        m.largest = fmax(m.largest, fabs(v[i]));
    }
    m.mean /= (double)m.n;
    m.deviation = sqrt(squares / (double)m.n - m.mean * m.mean);
    free(v);
    return m;
}

/* Deviations of n numbers are off by 1/sqrt(2n) (normal) of themselves: five times that. */
static void check_deviation(const moments *m, double expected) {
    const double n = (double)m->n;
    assert_true(fabs(m->deviation / expected - 1) <= 5 / sqrt(2 * n));
    assert_true(fabs(m->mean) <= 5 * expected / sqrt(n));
}

static void initial_weights(void **state) {
    (void)state;
    mpno_fno_config c = default_2d(16, 24);
    c.norm = MPNO_NORM_GROUP;
    mpno_model *model = make_model(ctx, &c, MPNO_F32);
    const double total = sqrt(2.0 / (24 + 24));
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        const moments m = moments_of(model, p);
        if (info.is_complex) { /* |w|^2 has the mean total^2, half of it in each part */
            check_deviation(&m, total / sqrt(2.0));
        } else if (strstr(info.name, "convs") != NULL) {
            check_deviation(&m, total);
        } else if (strstr(info.name, "norm") != NULL || strstr(info.name, "mlp_skips") != NULL) {
            const double value = strstr(info.name, "bias") != NULL ? 0.0 : 1.0;
            assert_true(m.mean == value && m.largest == value);
        } else { /* a linear map and its bias: uniform, half width 1/sqrt(inputs) */
            char name[80];
            snprintf(name, sizeof name, "%s", info.name);
            if (strstr(name, "bias") != NULL) strcpy(strstr(name, "bias"), "weight");
            const mpno_param_info map =
                mpno_model_param_info(model, mpno_model_find_param(model, name));
            const double width = 1.0 / sqrt((double)map.shape[1]);
            assert_true(m.largest <= width * (1 + 1e-7));
            if (m.n >= 100) {
                assert_true(m.largest >= 0.95 * width);
                check_deviation(&m, width / sqrt(3.0));
            }
        }
    }
    mpno_model_destroy(&model);
}

/* Numbers of which a and b have the same value in the same place. */
static size_t same_values(const mpno_model *a, const mpno_model *b, int p) {
    const size_t n = mpno_model_param_info(a, p).count;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    size_t same = 0;
    mpno_model_get_param(a, p, x);
    mpno_model_get_param(b, p, y);
    for (size_t i = 0; i < n; i++) same += x[i] == y[i];
    free(x), free(y);
    return same;
}

static void seeds(void **state) {
    (void)state;
    const mpno_fno_config c = small_config(2);
    mpno_model *a, *b, *other, *wide;
    assert_int_equal(mpno_model_create(ctx, &c, MPNO_F32, 7, &a), MPNO_OK);
    assert_int_equal(mpno_model_create(ctx, &c, MPNO_F32, 7, &b), MPNO_OK);
    assert_int_equal(mpno_model_create(ctx, &c, MPNO_F32, 8, &other), MPNO_OK);
    assert_int_equal(mpno_model_create(ctx, &c, MPNO_F64, 7, &wide), MPNO_OK);
    for (int p = 0; p < mpno_model_n_params(a); p++) {
        const mpno_param_info info = mpno_model_param_info(a, p);
        assert_int_equal(same_values(a, b, p), info.count);
        if (strstr(info.name, "mlp_skips") == NULL) assert_int_equal(same_values(a, other, p), 0);
        double *x = malloc(info.count * sizeof *x), *y = malloc(info.count * sizeof *y);
        mpno_model_get_param(a, p, x);
        mpno_model_get_param(wide, p, y);
        for (size_t i = 0; i < info.count; i++) assert_true(x[i] == (double)(float)y[i]);
        free(x), free(y);
    }
    /* Tensors of one shape have numbers of their own. */
    double first[16 * 12 * 16], second[16 * 12 * 16];
    const int conv = mpno_model_find_param(a, "fno_blocks.convs.0.weight.tensor");
    const int next = mpno_model_find_param(a, "fno_blocks.convs.1.weight.tensor");
    assert_true(mpno_model_param_info(a, conv).count <= sizeof first / sizeof first[0]);
    mpno_model_get_param(a, conv, first);
    mpno_model_get_param(a, next, second);
    for (size_t i = 0; i < mpno_model_param_info(a, conv).count; i++)
        assert_true(first[i] != second[i]);
    mpno_model_destroy(&a), mpno_model_destroy(&b);
    mpno_model_destroy(&other), mpno_model_destroy(&wide);
}

static void refuse(const mpno_fno_config *c, const char *sentence) {
    mpno_model *model = (mpno_model *)&ctx;
    assert_int_equal(mpno_model_create(ctx, c, MPNO_F32, 0, &model), MPNO_E_CONFIG);
    assert_null(model);
    if (strstr(mpno_ctx_error(ctx), sentence) == NULL) fail_msg("%s", mpno_ctx_error(ctx));
}

static void wrong_configurations(void **state) {
    (void)state;
    mpno_fno_config c;
    mpno_model *model;
#define REFUSE(change, sentence) c = small_config(2), change, refuse(&c, sentence)
    REFUSE(c.ndim = 0, "n_modes has 0 entries");
    REFUSE(c.ndim = 5, "n_modes has 5 entries");
    REFUSE(c.n_modes[1] = 0, "n_modes[1] is 0");
    REFUSE(c.n_modes[0] = -3, "n_modes[0] is -3");
    REFUSE(c.in_channels = 0, "in_channels is 0");
    REFUSE(c.out_channels = 100000, "out_channels is 100000");
    REFUSE(c.hidden_channels = -1, "hidden_channels is -1");
    REFUSE(c.n_layers = 0, "n_layers is 0");
    REFUSE(c.n_layers = 65, "n_layers is 65");
    REFUSE(c.lifting_channel_ratio = 0.1, "lifting_channel_ratio is 0.1");
    REFUSE(c.projection_channel_ratio = -2, "projection_channel_ratio is -2");
    REFUSE(c.channel_mlp_expansion = 0, "channel_mlp_expansion is 0");
    REFUSE(c.channel_mlp_expansion = NAN, "channel_mlp_expansion is nan");
    REFUSE(c.lifting_channel_ratio = INFINITY, "lifting_channel_ratio is inf");
    REFUSE((c.norm = MPNO_NORM_GROUP, c.norm_groups = 3), "norm_groups is 3; it must divide");
    REFUSE((c.norm = MPNO_NORM_GROUP, c.norm_groups = 0), "norm_groups is 0");
#undef REFUSE
    c = small_config(2);
    assert_int_equal(mpno_model_create(ctx, &c, MPNO_F16, 0, &model), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "f32 or f64, not f16"));
    /* Groups of a norm that is not there do not matter. */
    c.norm_groups = 3;
    model = make_model(ctx, &c, MPNO_F32);
    mpno_model_destroy(&model);
}

static void failing_allocations(void **state) {
    (void)state;
    const mpno_fno_config c = small_config(2);
    mpno_status status = MPNO_E_MEMORY;
    for (int n = 0; status != MPNO_OK; n++) {
        mpno_model *model = (mpno_model *)&ctx;
        mpno_alloc_fail_after(ctx, n);
        status = mpno_model_create(ctx, &c, MPNO_F32, 0, &model);
        mpno_alloc_fail_after(ctx, -1);
        assert_true(status == MPNO_OK ? n > 10 : status == MPNO_E_MEMORY && model == NULL);
        mpno_model_destroy(&model);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_of_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_and_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parameters_that_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_go_in_and_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_two_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(initial_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(seeds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_configurations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_allocations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
