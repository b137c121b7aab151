/* SPDX-License-Identifier: MIT
 * AdamW: five whole training steps of the PyTorch library (tests/golden/training/adamw_steps), the
 * torch convention against a plain statement of its formulas in f64, and every ISA against the
 * portable loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "core/context.h"
#include "kernel/adamw_kernels.h"
#include "mpno/mpno.h"
#include "unit/train/vectors.h"

static mpno_network *make_network(mpno_model *model, int ndim, int64_t grid, int64_t batch) {
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    mpno_network *network = NULL;
    for (int d = 0; d < ndim; d++) opts.grid[d] = grid;
    opts.capacity = batch;
    opts.training = true;
    assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_OK);
    return network;
}

static double *to_f64(const float *from, size_t n) {
    double *to = malloc(n * sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < n; i++) to[i] = from[i];
    return to;
}

static void five_steps_equal_the_reference(void **state) {
    (void)state;
    static vectors v;
    mpno_ctx *ctx = NULL;
    mpno_model *model = NULL;
    mpno_adamw *adamw = NULL;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_adamw_opts opts = MPNO_ADAMW_OPTS_INIT;
    config.ndim = 2;
    config.n_modes[0] = config.n_modes[1] = 6;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 8;
    config.n_layers = 2;
    config.compat = MPNO_COMPAT_NEURALOP;
    opts.convention = MPNO_ADAMW_NEURALOP;
    opts.eps = 1e-6;
    opts.weight_decay = 1e-4;
    vectors_open("adamw_steps", &v);
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F64, 0, &model), MPNO_OK);
    size_t count = 0;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        double *values = to_f64(vectors_get(&v, "param0", info.name, &count), info.count);
        assert_int_equal(count, info.count);
        mpno_model_set_param(model, p, values);
        free(values);
    }
    mpno_network *network = make_network(model, 2, 12, 4);
    assert_int_equal(mpno_adamw_create(model, &opts, &adamw), MPNO_OK);
    double *x = to_f64(vectors_get(&v, "input", "x", &count), 576);
    double *y = to_f64(vectors_get(&v, "input", "target", &count), 576);
    for (int k = 0; k < 5; k++) {
        char name[32];
        mpno_step_result result;
        snprintf(name, sizeof name, "loss_step%d", k);
        assert_int_equal(mpno_network_step(network, 4, x, y, 256, &result), MPNO_OK);
        assert_true(fabs(result.loss / vectors_scalar(&v, name) - 1) < 2e-6);
        mpno_adamw_step(adamw, network, 1e-2, 256);
    }
    assert_int_equal(mpno_adamw_steps(adamw), 5);
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        const float *expected = vectors_get(&v, "param5", info.name, &count);
        double *values = malloc(info.count * sizeof *values), worst = 0;
        assert_non_null(values);
        mpno_model_get_param(model, p, values);
        for (size_t i = 0; i < info.count; i++) {
            worst = fmax(worst, fabs(values[i] - (double)expected[i]));
        }
        if (worst > 2e-4) fail_msg("%s differs by %g", info.name, worst); /* five steps move 5e-2 */
        free(values);
    }
    free(x);
    free(y);
    free(v.bytes);
    mpno_adamw_destroy(&adamw);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

static void torch_convention_is_its_formulas(void **state) {
    (void)state;
    enum { POINTS = 12, BATCH = 3, STEPS = 4 };
    mpno_ctx *ctx = NULL;
    mpno_model *model = NULL;
    mpno_adamw *adamw = NULL;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_adamw_opts opts = MPNO_ADAMW_OPTS_INIT;
    config.ndim = 1;
    config.n_modes[0] = 6;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 6;
    config.n_layers = 2;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F64, 5, &model), MPNO_OK);
    mpno_network *network = make_network(model, 1, POINTS, BATCH);
    assert_int_equal(mpno_adamw_create(model, &opts, &adamw), MPNO_OK);
    const size_t n = mpno_model_n_weights(model);
    double *p = malloc(5 * n * sizeof *p);
    assert_non_null(p);
    double *g = p + n, *m = p + 2 * n, *v = p + 3 * n, *now = p + 4 * n;
    for (size_t i = 0; i < n; i++) m[i] = v[i] = 0;
    double x[BATCH * POINTS], y[BATCH * POINTS];
    for (int i = 0; i < BATCH * POINTS; i++) {
        x[i] = sin(0.7 * i);
        y[i] = cos(0.3 * i);
    }
    size_t at = 0;
    for (int k = 0; k < mpno_model_n_params(model); at += mpno_model_param_info(model, k++).count) {
        mpno_model_get_param(model, k, p + at);
    }
    const double rate = 3e-3;
    for (int t = 1; t <= STEPS; t++) {
        mpno_step_result result;
        assert_int_equal(mpno_network_step(network, BATCH, x, y, 1, &result), MPNO_OK);
        at = 0;
        for (int k = 0; k < mpno_model_n_params(model);
             at += mpno_model_param_info(model, k++).count) {
            mpno_network_get_gradient(network, k, g + at);
        }
        for (size_t i = 0; i < n; i++) {
            p[i] -= rate * opts.weight_decay * p[i];
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            const double mean = m[i] / (1 - pow(0.9, t)), square = v[i] / (1 - pow(0.999, t));
            p[i] -= rate * mean / (sqrt(square) + 1e-8);
        }
        mpno_adamw_step(adamw, network, rate, 1);
    }
    at = 0;
    for (int k = 0; k < mpno_model_n_params(model); at += mpno_model_param_info(model, k++).count) {
        const size_t count = mpno_model_param_info(model, k).count;
        mpno_model_get_param(model, k, now + at);
        for (size_t i = at; i < at + count; i++) assert_true(fabs(now[i] - p[i]) < 1e-9);
        mpno_adamw_get_moment(adamw, 0, k, now + at);
        for (size_t i = at; i < at + count; i++)
            assert_true(fabs(now[i] - m[i]) < 1e-9 * (1 + fabs(m[i])));
        mpno_adamw_get_moment(adamw, 1, k, now + at);
        for (size_t i = at; i < at + count; i++)
            assert_true(fabs(now[i] - v[i]) < 1e-9 * (1 + v[i]));
    }
    free(p);
    mpno_adamw_destroy(&adamw);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    mpno_ctx_destroy(&ctx);
}

static void every_isa_gives_the_same_bits(void **state) {
    (void)state;
    enum { N = 2 * 37 * 3 };
    const mpno_adamw_scalars s = {.unscale = 0.5,
                                  .before = 0.999,
                                  .beta1 = 0.9,
                                  .beta2 = 0.99,
                                  .step = 1e-2,
                                  .root = 3,
                                  .eps = 1e-6,
                                  .after = 0.9999};
    for (int isa = MPNO_ISA_PORTABLE; isa <= (int)mpno_cpu_best_isa(); isa++) {
        for (int modulus = 0; modulus < 2; modulus++) {
            static float a[4][N], b[4][N];
            for (int i = 0; i < 4 * N; i++) a[i / N][i % N] = b[i / N][i % N] = (float)fabs(sin(i));
            const mpno_adamw_kernels *one = mpno_adamw_kernels_get(MPNO_ISA_PORTABLE, MPNO_F32);
            const mpno_adamw_kernels *two = mpno_adamw_kernels_get((mpno_isa)isa, MPNO_F32);
            if (modulus) {
                one->update_modulus(a[0], a[1], a[2], a[3], 3, 37, &s);
                two->update_modulus(b[0], b[1], b[2], b[3], 3, 37, &s);
            } else {
                one->update(a[0], a[1], a[2], a[3], N, &s);
                two->update(b[0], b[1], b[2], b[3], N, &s);
            }
            assert_memory_equal(a, b, sizeof a);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_steps_equal_the_reference),
        cmocka_unit_test(torch_convention_is_its_formulas),
        cmocka_unit_test(every_isa_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
