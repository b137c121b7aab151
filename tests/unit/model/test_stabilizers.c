/* SPDX-License-Identifier: MIT
 * Every row of stabilisers.def: values against formulas of this file, Lipschitz constants and
 * ranges on random fields, gradients of whole networks against differences, and the number of
 * points up to which a transform is safe against sums that are rounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "model/model.h"
#include "model/stabilizer.h"
#include "unit/graph/rig.h"
#include "unit/model/support.h"

static mpno_ctx *ctx;
static mpno_policy full;

static int set_up(void **state) {
    (void)state;
    return rig_open(&ctx, &full);
}

static int tear_down(void **state) {
    (void)state;
    return rig_close(&ctx);
}

enum { GAIN_TENTHS = 8 }; /* the rig's learned number is 0.8 */
#define FACTOR 3.0        /* model.stabilizer_scale */

/* One stabiliser on a field x [2][points][RIG_INPUTS] that the test fills. */
typedef struct bench {
    rig r;
    int x, y;
    int64_t points;
} bench;

static void open_bench(bench *b, mpno_stabilizer kind, int size) {
    const mpno_stabilizer_member *member = mpno_stabilizer_member_of(kind);
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    config.hidden_channels = RIG_INPUTS;
    config.stabilizer_scale = FACTOR;
    rig_create(&b->r, ctx, rig_sizes[size].ndim, rig_sizes[size].size, MPNO_FFT_PLAIN);
    b->points = b->r.graph->grids[0].points;
    b->x = b->y = rig_operand(&b->r, 'f');
    const int gain = member->gain ? rig_operand(&b->r, 'x') : -1;
    if (member->build != NULL)
        assert_int_equal(member->build(b->r.graph, &config, gain, b->x, &b->y), MPNO_OK);
    if (b->y == b->x) b->y = rig_unary(&b->r, &mpno_op_stage, b->x);
    rig_finish(&b->r, &full, &b->y, 1);
}

static void fill(bench *b, double size) {
    for (size_t i = 0; i < rig_count(&b->r, b->x); i++)
        b->r.data[b->x][i] = size * mpno_rng_normal(&b->r.rng);
}

typedef struct moments {
    double mean, deviation;
} moments;

static moments moments_of(const double *x, int64_t n, int64_t stride) {
    moments m = {0, 0};
    for (int64_t i = 0; i < n; i++) m.mean += x[i * stride] / (double)n;
    for (int64_t i = 0; i < n; i++) m.deviation += pow(x[i * stride] - m.mean, 2) / (double)n;
    m.deviation = sqrt(m.deviation);
    return m;
}

static double clamp(double x, double low, double high) {
    return fmin(fmax(x, low), high);
}

/* Value i of the field by its definition. */
static double expected(const bench *b, mpno_stabilizer kind, const double *x, size_t i) {
    const int64_t sample = b->points * RIG_INPUTS;
    const double *mine = x + (int64_t)i / sample * sample, a = GAIN_TENTHS / 10.0, v = x[i];
    const bool batch = kind == MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH;
    moments m;
    double square = 0;
    switch (kind) {
        case MPNO_STABILIZER_TANH:
            return tanh(v);
        case MPNO_STABILIZER_HARD_CLIP:
            return clamp(v, -1, 1);
        case MPNO_STABILIZER_TWO_SIGMA_CLIP:
        case MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH:
            m = moments_of(batch ? x : mine, (batch ? 2 : 1) * sample, 1);
            return clamp(v, m.mean - 2 * m.deviation, m.mean + 2 * m.deviation);
        case MPNO_STABILIZER_SCALE:
            return v / FACTOR;
        case MPNO_STABILIZER_SIGMOID:
            return 0.5 + 0.5 * tanh(v / 2);
        case MPNO_STABILIZER_RELU:
            return fmax(v, 0);
        case MPNO_STABILIZER_SOFTSIGN:
            return v / (1 + fabs(v));
        case MPNO_STABILIZER_ARCSINH:
            return copysign(log(fabs(v) + sqrt(1 + v * v)), v);
        case MPNO_STABILIZER_LEARNED_TANH:
            return a * tanh(v / a);
        case MPNO_STABILIZER_RMS_NORM:
            for (int64_t p = 0; p < b->points; p++)
                square += pow(mine[p * RIG_INPUTS + (int64_t)i % RIG_INPUTS], 2);
            return v / sqrt(square / (double)b->points + 1e-5);
        default:
            return v;
    }
}

static void values_and_ranges(void **state) {
    (void)state;
    for (int k = 0; k < MPNO_STABILIZER_COUNT; k++) {
        const mpno_stabilizer_info *info = mpno_stabilizer_get((mpno_stabilizer)k);
        for (int round = 0; round < 3; round++) {
            bench b;
            open_bench(&b, (mpno_stabilizer)k, 3);
            fill(&b, pow(30, round) / 10);
            double *y = rig_result(&b.r, b.y);
            for (size_t i = 0; i < rig_count(&b.r, b.y); i++) {
                const double want = expected(&b, (mpno_stabilizer)k, b.r.data[b.x], i);
                if (!(fabs(y[i] - want) <= 1e-13 * (1 + fabs(want))))
                    fail_msg("%s: %.17g, expected %.17g", info->name, y[i], want);
                assert_true(y[i] >= info->low && y[i] <= info->high);
            }
            free(y);
            rig_destroy(&b.r);
        }
    }
    assert_null(mpno_stabilizer_get(MPNO_STABILIZER_COUNT));
}

/* NaN must not be hidden: a run has to end at it. */
static void nan_stays(void **state) {
    (void)state;
    for (int k = 0; k < MPNO_STABILIZER_COUNT; k++) {
        bench b;
        open_bench(&b, (mpno_stabilizer)k, 3);
        b.r.data[b.x][5] = NAN;
        assert_true(mpno_exec_run(b.r.exec, MPNO_PASS_FORWARD, 0, 2, 1.0) >= 0 ||
                    isnan(((const double *)mpno_exec_data(b.r.exec, b.y))[5]));
        rig_destroy(&b.r);
    }
}

static bool of_one_value(mpno_stabilizer kind) {
    return kind != MPNO_STABILIZER_RMS_NORM && kind != MPNO_STABILIZER_TWO_SIGMA_CLIP &&
           kind != MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH;
}

/* 110,040 pairs each: of single values, or of whole samples and batches. The constant of a function
 * of one value is reached, too. */
static void lipschitz_constants_hold(void **state) {
    (void)state;
    for (int k = 0; k < MPNO_STABILIZER_COUNT; k++) {
        const mpno_stabilizer kind = (mpno_stabilizer)k;
        const double factor = kind == MPNO_STABILIZER_SCALE ? 1 / FACTOR : 1,
                     constant = factor * mpno_stabilizer_get(kind)->lipschitz;
        double most = 0;
        for (int round = 0; round < 2; round++) {
            bench b;
            double dx = 0, dy = 0;
            open_bench(&b, kind, 5);
            const size_t n = rig_count(&b.r, b.x);
            assert_true(2 * n >= 100000);
            fill(&b, round == 0 ? 2 : 1e-3);
            double *x = malloc(n * sizeof *x);
            assert_non_null(x);
            memcpy(x, b.r.data[b.x], n * sizeof *x);
            double *y = rig_result(&b.r, b.y);
            for (size_t i = 0; i < n; i++)
                b.r.data[b.x][i] += (round == 0 ? 0.5 : 1e-3) * mpno_rng_normal(&b.r.rng);
            double *other = rig_result(&b.r, b.y);
            for (size_t i = 0; i < n; i++) {
                const double in = b.r.data[b.x][i] - x[i], out = other[i] - y[i];
                dx += in * in, dy += out * out;
                if (of_one_value(kind) && fabs(in) > 1e-6) most = fmax(most, fabs(out / in));
            }
            if (!of_one_value(kind)) most = fmax(most, sqrt(dy / dx));
            free(x), free(y), free(other);
            rig_destroy(&b.r);
        }
        if (!(most <= constant * (1 + 1e-9)) || (of_one_value(kind) && most < 0.99 * constant))
            fail_msg("%s: slopes up to %g, constant %g", mpno_stabilizer_get(kind)->name, most,
                     constant);
    }
}

/* ---- whole networks ---- */

static double loss_of(mpno_network *net, int64_t batch, const double *x, const double *t) {
    mpno_step_result result;
    if (mpno_network_step(net, batch, x, t, 1, &result) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return result.loss;
}

static double slope_of(mpno_network *net, int64_t batch, double *x, const double *t, double *at) {
    const double h = 1e-5, middle = *at;
    *at = middle + h;
    mpno_network_refresh_weights(net);
    const double up = loss_of(net, batch, x, t);
    *at = middle - h;
    mpno_network_refresh_weights(net);
    const double down = loss_of(net, batch, x, t);
    *at = middle;
    mpno_network_refresh_weights(net);
    return (up - down) / (2 * h);
}

static void near(const char *what, double got, double want) {
    if (!(fabs(got - want) <= 1e-6 * fabs(want) + 1e-8))
        fail_msg("%s: gradient %.12g, difference %.12g", what, got, want);
}

static void check_network(const mpno_fno_config *config, const char *name) {
    enum { BATCH = 3, POINTS = 8 * 10 };
    const int64_t grid[] = {8, 10};
    mpno_model *model = make_model(ctx, config, MPNO_F64);
    mpno_network_opts opts = make_opts(2, grid, BATCH, true, "full", MPNO_F16);
    opts.input_gradient = true;
    mpno_network *net = make_network(ctx, model, &opts);
    double *x = make_data(MPNO_F64, BATCH * POINTS * 2, 1),
           *t = make_data(MPNO_F64, BATCH * POINTS * 2, 2);
    double grad[16], gain = 0;
    loss_of(net, BATCH, x, t);
    const int param = mpno_model_find_param(model, "fno_blocks.stabilizers.0.gain");
    assert_int_equal(param >= 0, config->stabilizer == MPNO_STABILIZER_LEARNED_TANH);
    if (param >= 0) mpno_network_get_gradient(net, param, &gain);
    for (int i = 0; i < 16; i++)
        grad[i] = ((const double *)mpno_network_input_gradient(net))[i * 29];
    for (int i = 0; i < 16; i++) near(name, grad[i], slope_of(net, BATCH, x, t, x + i * 29));
    if (param >= 0) {
        assert_true(gain != 0);
        near("gain", gain, slope_of(net, BATCH, x, t, mpno_model_raw(model, param).data));
    }
    free(x), free(t);
    mpno_network_destroy(&net);
    mpno_model_destroy(&model);
}

static void gradients_through_networks(void **state) {
    (void)state;
    for (int k = 0; k < MPNO_STABILIZER_COUNT; k++)
        for (int form = 0; form < 3; form++) {
            mpno_fno_config config = small_config(2);
            char name[64];
            config.stabilizer = (mpno_stabilizer)k;
            config.stabilizer_scale = FACTOR;
            config.stabilizer_placement = form == 1 ? MPNO_PLACEMENT_FIRST : MPNO_PLACEMENT_ALL;
            config.stabilizer_blend = form == 2 ? 0.3 : 0;
            snprintf(name, sizeof name, "%s, form %d", mpno_stabilizer_get(config.stabilizer)->name,
                     form);
            check_network(&config, name);
        }
}

/* Predictions of a small network. Owned by the caller. */
static float *predict(const mpno_fno_config *config, int64_t batch, const float *x,
                      const char *policy, mpno_format transforms, int threads) {
    const int64_t grid[] = {8, 10};
    mpno_ctx *mine = make_ctx(threads);
    mpno_model *model = make_model(mine, config, MPNO_F32);
    mpno_network_opts opts = make_opts(2, grid, batch, false, policy, MPNO_BF16);
    opts.transform_arithmetic = transforms;
    mpno_network *net = make_network(mine, model, &opts);
    float *y = malloc((size_t)(batch * 80 * 2) * sizeof *y);
    assert_non_null(y);
    assert_int_equal(mpno_network_forward(net, batch, x, y), MPNO_OK);
    mpno_network_destroy(&net);
    mpno_model_destroy(&model);
    drop_ctx(mine);
    return y;
}

static bool same(const mpno_fno_config *a, const mpno_fno_config *b, const float *x,
                 mpno_format transforms) {
    float *ya = predict(a, 3, x, "half", transforms, 1),
          *yb = predict(b, 3, x, "half", transforms, 2);
    const bool equal = memcmp(ya, yb, 3 * 160 * sizeof *ya) == 0;
    free(ya), free(yb);
    return equal;
}

/* Where a stabiliser stands, how much of it is there, and what it does not change. */
static void placement_and_blend(void **state) {
    (void)state;
    float *x = make_data(MPNO_F32, 3 * 160, 1);
    for (int i = 0; i < 3 * 160; i++) x[i] *= 20; /* so that clips have something to do */
    for (int k = 1; k < MPNO_STABILIZER_COUNT; k++) {
        mpno_fno_config all = small_config(2);
        all.stabilizer = (mpno_stabilizer)k;
        mpno_fno_config first = all, none = all, gone = all, one = all, one_first;
        first.stabilizer_placement = MPNO_PLACEMENT_FIRST;
        none.stabilizer = MPNO_STABILIZER_NONE;
        gone.stabilizer_blend = 1;
        one.n_layers = 1;
        one_first = one;
        one_first.stabilizer_placement = MPNO_PLACEMENT_FIRST;
        assert_true(same(&all, &all, x, MPNO_F32)); /* on one thread and on two */
        assert_true(same(&gone, &none, x, MPNO_F32));
        assert_true(same(&one, &one_first, x, MPNO_F32));
        const bool identity = k == MPNO_STABILIZER_PRESCALE;
        assert_int_equal(same(&all, &none, x, MPNO_F32), identity);
        assert_int_equal(same(&all, &first, x, MPNO_F32), identity);
        /* Powers of two: bf16 has the range for them, so that not a bit changes. */
        if (identity) assert_true(same(&all, &none, x, MPNO_BF16));
    }
    free(x);
}

/* A sample alone and beside others. */
static void batch_mates_matter_to_one_only(void **state) {
    (void)state;
    float *x = make_data(MPNO_F32, 3 * 160, 1);
    for (int k = 0; k < MPNO_STABILIZER_COUNT; k++) {
        mpno_fno_config config = small_config(2);
        config.stabilizer = (mpno_stabilizer)k;
        float *alone = predict(&config, 1, x, "full", MPNO_F32, 1),
              *among = predict(&config, 3, x, "full", MPNO_F32, 1);
        assert_int_equal(memcmp(alone, among, 160 * sizeof *x) != 0,
                         mpno_stabilizer_couples_batch((mpno_stabilizer)k));
        free(alone), free(among);
    }
    mpno_fno_config config = small_config(2);
    const int64_t grid[] = {8, 10};
    config.stabilizer = MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    mpno_network_opts opts = make_opts(2, grid, 3, true, "full", MPNO_F16);
    mpno_network *net;
    opts.micro_batch = 1;
    assert_int_equal(mpno_network_create(model, &opts, &net), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "two_sigma_clip_batch"));
    mpno_model_set_stabilizer(model, MPNO_STABILIZER_LEARNED_TANH);
    opts.micro_batch = 0;
    assert_int_equal(mpno_network_create(model, &opts, &net), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "no gains"));
    mpno_model_destroy(&model);
    free(x);
}

/* ---- range ---- */

/* What a stabiliser makes of a field that is `largest` everywhere. */
static double of_constant(mpno_stabilizer kind, double largest) {
    bench b;
    open_bench(&b, kind, 3);
    for (size_t i = 0; i < rig_count(&b.r, b.x); i++) b.r.data[b.x][i] = largest;
    double *y = rig_result(&b.r, b.y);
    const double value = y[0];
    free(y);
    rig_destroy(&b.r);
    return value;
}

/* The sum at frequency 0 of as many points as are said to be safe does not overflow f16; and the
 * number is no smaller than it must be: where the values reach their bound, with 0.1 % more it
 * does (f16 rounds up to infinity from 65520 on). */
static void safe_points_are_observed(void **state) {
    (void)state;
    const double sizes[] = {0.01, 1, 40, 65504};
    for (int k = 0; k < MPNO_STABILIZER_COUNT; k++)
        for (int i = 0; i < 4; i++) {
            const mpno_stabilizer kind = (mpno_stabilizer)k;
            const double factor =
                kind == MPNO_STABILIZER_LEARNED_TANH ? GAIN_TENTHS / 10.0 : FACTOR;
            const double value = of_constant(kind, sizes[i]),
                         n = mpno_stabilizer_safe_points(kind, MPNO_F16, sizes[i], factor);
            if (kind == MPNO_STABILIZER_PRESCALE) {
                assert_true(isinf(n));
                continue;
            }
            assert_true(n >= 1 && n == floor(n));
            assert_true(isfinite(mpno_f16_to_f32(mpno_f16_from_f64(n * value))));
            const bool reached = sizes[i] >= 40 || mpno_stabilizer_get(kind)->high == INFINITY;
            const bool slow = kind == MPNO_STABILIZER_SOFTSIGN && sizes[i] < 1e3;
            const bool small = kind == MPNO_STABILIZER_RMS_NORM && sizes[i] < 1;
            if (reached && !slow && !small && n > 1)
                assert_true(isinf(mpno_f16_to_f32(mpno_f16_from_f64(ceil(1.001 * n) * value))));
            assert_true(mpno_stabilizer_safe_points(kind, MPNO_BF16, sizes[i], factor) > 1e30);
        }
    assert_true(mpno_stabilizer_safe_points(MPNO_STABILIZER_TANH, MPNO_F16, 1e9, 1) == 65504);
    assert_true(mpno_stabilizer_safe_points(MPNO_STABILIZER_NONE, MPNO_F16, 4, 1) == 16376);
    assert_true(mpno_stabilizer_safe_points(MPNO_STABILIZER_PRESCALE, MPNO_F16, 1e5, 1) == 0);
    assert_true(mpno_stabilizer_safe_points(MPNO_STABILIZER_COUNT, MPNO_F16, 1, 1) == 0);
}

/* The kept modes of a field of ones (or random) by f16 arithmetic; whether they are finite. */
static bool transformed(int ndim, const int64_t *size, mpno_format arithmetic, bool prescale,
                        bool random, float *spectrum) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_REAL, .arithmetic = arithmetic, .ndim = ndim};
    mpno_fft *fft;
    int64_t points = points_of(ndim, size);
    for (int d = 0; d < ndim; d++) problem.size[d] = size[d], problem.keep[d] = 2;
    assert_int_equal(mpno_fft_create(ctx, &problem, &fft), MPNO_OK);
    float *x = make_data(MPNO_F32, points, 3);
    for (int64_t i = 0; i < points && !random; i++) x[i] = 1;
    void *scratch;
    assert_int_equal(mpno_alloc(ctx, mpno_fft_scratch_bytes(fft, 1, 1), &scratch), MPNO_OK);
    const mpno_fft_call call = {.batch = 1,
                                .channels = 1,
                                .scale = 1.0 / (double)points,
                                .field_format = MPNO_F32,
                                .spectrum_format = MPNO_F32,
                                .n_threads = 1,
                                .prescale = prescale,
                                .scratch = scratch};
    const bool bad = mpno_fft_forward(fft, &call, x, spectrum) != 0;
    mpno_free(ctx, scratch);
    mpno_fft_destroy(ctx, &fft);
    free(x);
    return !bad;
}

/* 65504 points of a field of ones are safe in f16, 65536 are not; scaled before they are added any
 * number is, on grids of every kind; and bf16, which has the range for either, gives equal bits. */
static void prescaled_transforms_stay_in_range(void **state) {
    (void)state;
    const struct {
        int ndim;
        int64_t size[3];
    } grids[] = {{1, {65504}}, {1, {65536}}, {2, {256, 256}}, {3, {64, 64, 64}}, {2, {243, 300}}};
    for (int g = 0; g < 5; g++) {
        float with[32] = {0}, without[32] = {0};
        const int ndim = grids[g].ndim;
        const int64_t *size = grids[g].size;
        assert_int_equal(transformed(ndim, size, MPNO_F16, false, false, without),
                         points_of(ndim, size) <= 65504);
        assert_true(transformed(ndim, size, MPNO_F16, true, false, with));
        const int zero = ndim == 1 ? 0 : ndim == 2 ? 4 : 12; /* planes of re, im */
        if (!(fabsf(with[zero] - 1) < 4e-3f)) fail_msg("grid %d: %g", g, (double)with[zero]);
        assert_true(transformed(ndim, size, MPNO_BF16, true, true, with));
        assert_true(transformed(ndim, size, MPNO_BF16, false, true, without));
        assert_memory_equal(with, without, sizeof with);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_ranges),
        cmocka_unit_test(nan_stays),
        cmocka_unit_test(lipschitz_constants_hold),
        cmocka_unit_test(gradients_through_networks),
        cmocka_unit_test(placement_and_blend),
        cmocka_unit_test(batch_mates_matter_to_one_only),
        cmocka_unit_test(safe_points_are_observed),
        cmocka_unit_test(prescaled_transforms_stay_in_range),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
