/* SPDX-License-Identifier: MIT
 * Optimisers: five whole training steps of the PyTorch library (tests/golden/adamw_steps), both
 * conventions of AdamW against a plain statement of their formulas in f64, and every ISA against
 * the portable loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "core/context.h"
#include "kernel/kernel.h"
#include "kernel/update_kernels.h"
#include "model/network.h"
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
    mpno_optimizer *optimizer = NULL;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_optimizer_opts opts = MPNO_OPTIMIZER_OPTS_INIT;
    config.ndim = 2;
    config.n_modes[0] = config.n_modes[1] = 6;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 8;
    config.n_layers = 2;
    config.compat = MPNO_COMPAT_NEURALOP;
    opts.convention = MPNO_CONVENTION_NEURALOP;
    opts.eps = 1e-6;
    opts.weight_decay = 1e-4;
    vectors_open("tests/golden/adamw_steps", &v);
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
    assert_int_equal(mpno_optimizer_create(model, &opts, &optimizer), MPNO_OK);
    double *x = to_f64(vectors_get(&v, "input", "x", &count), 576);
    double *y = to_f64(vectors_get(&v, "input", "target", &count), 576);
    for (int k = 0; k < 5; k++) {
        char name[32];
        mpno_step_result result;
        snprintf(name, sizeof name, "loss_step%d", k);
        assert_int_equal(mpno_network_step(network, 4, x, y, 256, &result), MPNO_OK);
        assert_true(fabs(result.loss / vectors_scalar(&v, name) - 1) < 2e-6);
        mpno_optimizer_step(optimizer, network, 1e-2, 256);
    }
    assert_int_equal(mpno_optimizer_steps(optimizer), 5);
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
    mpno_optimizer_destroy(&optimizer);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

/* One step of either convention as its definition reads, on numbers in the outside order (complex:
 * re, im pairs). */
static void plain_step(const mpno_optimizer_opts *o, bool is_complex, size_t n, double rate, int t,
                       const double *g, double *p, double *m, double *v) {
    const double c1 = 1 - pow(o->beta1, t), c2 = 1 - pow(o->beta2, t);
    const bool modulus = is_complex && o->convention == MPNO_CONVENTION_NEURALOP;
    for (size_t i = 0; i < n; i++) {
        const size_t pair = i - i % 2;
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * g[i];
        if (!modulus) {
            v[i] = o->beta2 * v[i] + (1 - o->beta2) * g[i] * g[i];
        } else if (i == pair) {
            v[i] = o->beta2 * v[i] + (1 - o->beta2) * (g[i] * g[i] + g[i + 1] * g[i + 1]);
        }
        const double square = modulus ? v[pair] : v[i];
        if (o->convention == MPNO_CONVENTION_TORCH) {
            p[i] -= rate * o->weight_decay * p[i];
            p[i] -= rate * (m[i] / c1) / (sqrt(square / c2) + o->eps);
        } else {
            p[i] -= rate * sqrt(c2) / c1 * m[i] / (sqrt(square) + o->eps);
            p[i] -= rate * o->weight_decay * p[i];
        }
    }
}

static void check_near(const double *found, const double *expected, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(found[i] - expected[i]) < 1e-9 * (1 + fabs(expected[i])));
    }
}

static void conventions_are_their_formulas(void **state) {
    const mpno_convention convention = *(const mpno_convention *)*state;
    enum { POINTS = 12, BATCH = 3, STEPS = 4, MAX_PARAMS = 64 };
    mpno_ctx *ctx = NULL;
    mpno_model *model = NULL;
    mpno_optimizer *optimizer = NULL;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_optimizer_opts opts = MPNO_OPTIMIZER_OPTS_INIT;
    opts.convention = convention;
    config.ndim = 1;
    config.n_modes[0] = 6;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 6;
    config.n_layers = 2;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F64, 5, &model), MPNO_OK);
    mpno_network *network = make_network(model, 1, POINTS, BATCH);
    assert_int_equal(mpno_optimizer_create(model, &opts, &optimizer), MPNO_OK);
    const size_t n = mpno_model_n_weights(model);
    const int n_params = mpno_model_n_params(model);
    double *p = calloc(5 * n, sizeof *p);
    assert_non_null(p);
    double *g = p + n, *m = p + 2 * n, *v = p + 3 * n, *now = p + 4 * n;
    size_t first[MAX_PARAMS] = {0}, count[MAX_PARAMS];
    assert_true(n_params < MAX_PARAMS);
    for (int k = 0; k < n_params; k++) {
        count[k] = mpno_model_param_info(model, k).count;
        if (k > 0) first[k] = first[k - 1] + count[k - 1];
        mpno_model_get_param(model, k, p + first[k]);
    }
    double x[BATCH * POINTS], y[BATCH * POINTS];
    for (int i = 0; i < BATCH * POINTS; i++) {
        x[i] = sin(0.7 * i);
        y[i] = cos(0.3 * i);
    }
    for (int t = 1; t <= STEPS; t++) {
        mpno_step_result result;
        assert_int_equal(mpno_network_step(network, BATCH, x, y, 1, &result), MPNO_OK);
        for (int k = 0; k < n_params; k++) {
            const size_t at = first[k];
            mpno_network_get_gradient(network, k, g + at);
            plain_step(&opts, mpno_model_param_info(model, k).is_complex, count[k], 3e-3, t, g + at,
                       p + at, m + at, v + at);
        }
        mpno_optimizer_step(optimizer, network, 3e-3, 1);
    }
    for (int k = 0; k < n_params; k++) {
        mpno_model_get_param(model, k, now);
        check_near(now, p + first[k], count[k]);
        assert_int_equal(mpno_optimizer_get_state(optimizer, 0, k, now), MPNO_OK);
        check_near(now, m + first[k], count[k]);
        assert_int_equal(mpno_optimizer_get_state(optimizer, 1, k, now), MPNO_OK);
        check_near(now, v + first[k], count[k]);
    }
    free(p);
    mpno_optimizer_destroy(&optimizer);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    mpno_ctx_destroy(&ctx);
}

/* Every loop in f32 and f64 against the portable one, which the references above are held to on
 * whichever ISA runs them. */
static void every_isa_gives_the_same_bits(void **state) {
    (void)state;
    enum { N = 2 * 37 * 3, ARRAYS = 5 };
    const mpno_update_scalars s = {.unscale = 0.5,
                                   .limit = 0.4,
                                   .couple = 1e-3,
                                   .before = 0.999,
                                   .after = 0.9999,
                                   .keep1 = 0.9,
                                   .take1 = 0.1,
                                   .keep2 = 0.99,
                                   .take2 = 0.01,
                                   .step = 1e-2,
                                   .root = 3,
                                   .eps = 1e-6,
                                   .direct = 1,
                                   .along = 0.9};
    for (int isa = MPNO_ISA_PORTABLE; isa <= (int)mpno_cpu_best_isa(); isa++) {
        for (int id = 0; id < 2 * MPNO_N_UPDATES; id++) {
            static double a[ARRAYS][N], b[ARRAYS][N];
            const mpno_format format = id < MPNO_N_UPDATES ? MPNO_F32 : MPNO_F64;
            for (int i = 0; i < ARRAYS * N; i++) {
                const bool is_state = i / N > 0 && i / N < 4; /* not negative */
                const double x = is_state ? fabs(sin(i)) : sin(i);
                if (format == MPNO_F64) {
                    a[i / N][i % N] = b[i / N][i % N] = x;
                } else {
                    ((float *)a[i / N])[i % N] = ((float *)b[i / N])[i % N] = (float)x;
                }
            }
            const mpno_update_kernels *one = mpno_update_kernels_get(MPNO_ISA_PORTABLE, format);
            const mpno_update_kernels *two = mpno_update_kernels_get((mpno_isa)isa, format);
            void *const sa[] = {a[1], a[2], a[3]}, *const sb[] = {b[1], b[2], b[3]};
            one->update[id % MPNO_N_UPDATES](a[0], sa, a[4], N, 37, &s);
            two->update[id % MPNO_N_UPDATES](b[0], sb, b[4], N, 37, &s);
            one->accumulate(a[4], a[0], N), two->accumulate(b[4], b[0], N);
            one->average(a[1], a[0], N, 0.3), two->average(b[1], b[0], N, 0.3);
            assert_true(one->sum_squares(a[4], N) == two->sum_squares(b[4], N));
            assert_memory_equal(a, b, sizeof a);
        }
    }
}

/* Every copy is its weight rounded once; how many copies there are. */
static int check_copies(mpno_model *model, mpno_network *network) {
    int n_copies = 0;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        mpno_format format;
        const mpno_raw_param raw = mpno_model_raw(model, p);
        const void *copy = mpno_network_weight_copy(network, p, &format);
        if (!copy) continue;
        uint16_t *expected = malloc(raw.count * sizeof *expected);
        assert_non_null(expected);
        mpno_kernels_get(MPNO_ISA_PORTABLE, MPNO_F32)
            ->store(expected, format, raw.data, (int64_t)raw.count);
        assert_memory_equal(copy, expected, raw.count * sizeof *expected);
        free(expected);
        n_copies++;
    }
    return n_copies;
}

/* The pass that moves a weight also rounds it to the copy that the network reads. */
static void copies_follow_the_weights(void **state) {
    (void)state;
    static const struct {
        mpno_optimizer_kind kind;
        mpno_convention convention;
        bool accumulate;
    } rules[] = {{MPNO_OPTIMIZER_ADAMW, MPNO_CONVENTION_TORCH, false},
                 {MPNO_OPTIMIZER_ADAMW, MPNO_CONVENTION_NEURALOP, false},
                 {MPNO_OPTIMIZER_ADAM, MPNO_CONVENTION_TORCH, true},
                 {MPNO_OPTIMIZER_SGD, MPNO_CONVENTION_TORCH, false},
                 {MPNO_OPTIMIZER_LION, MPNO_CONVENTION_TORCH, false}};
    enum { N_RULES = sizeof rules / sizeof rules[0], POINTS = 20, BATCH = 2 };
    float x[BATCH * POINTS], y[BATCH * POINTS];
    mpno_ctx *ctx = NULL;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    config.ndim = 1;
    config.n_modes[0] = 16;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 37; /* 2 * 9 * 37 * 37 spectral numbers: more than a chunk */
    config.n_layers = 1;
    config.stabilizer = MPNO_STABILIZER_TANH;
    opts.grid[0] = POINTS;
    opts.capacity = BATCH;
    opts.training = true;
    opts.policy = "mixed";
    for (int i = 0; i < BATCH * POINTS; i++) {
        x[i] = sinf(0.7f * (float)i);
        y[i] = cosf(0.3f * (float)i);
    }
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    for (int k = 0; k < 2 * N_RULES; k++) {
        mpno_optimizer_opts rule = MPNO_OPTIMIZER_OPTS_INIT;
        mpno_model *model = NULL;
        mpno_network *network = NULL;
        mpno_optimizer *optimizer = NULL;
        mpno_step_result result;
        rule.kind = rules[k % N_RULES].kind;
        rule.convention = rules[k % N_RULES].convention;
        rule.accumulate = rules[k % N_RULES].accumulate;
        opts.half_format = k < N_RULES ? MPNO_BF16 : MPNO_F16;
        assert_int_equal(mpno_model_create(ctx, &config, MPNO_F32, 1, &model), MPNO_OK);
        assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_OK);
        assert_int_equal(mpno_optimizer_create(model, &rule, &optimizer), MPNO_OK);
        assert_int_equal(mpno_network_step(network, BATCH, x, y, 1, &result), MPNO_OK);
        if (rule.accumulate) mpno_optimizer_accumulate(optimizer, network);
        mpno_optimizer_step(optimizer, network, 0.1, 1);
        assert_true(check_copies(model, network) >= 4);
        mpno_optimizer_destroy(&optimizer);
        mpno_network_destroy(&network);
        mpno_model_destroy(&model);
    }
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    static mpno_convention torch = MPNO_CONVENTION_TORCH, neuralop = MPNO_CONVENTION_NEURALOP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_steps_equal_the_reference),
        {"torch_convention_is_its_formulas", conventions_are_their_formulas, NULL, NULL, &torch},
        {"neuralop_convention_is_its_formulas", conventions_are_their_formulas, NULL, NULL,
         &neuralop},
        cmocka_unit_test(every_isa_gives_the_same_bits),
        cmocka_unit_test(copies_follow_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
