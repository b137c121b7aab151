/* SPDX-License-Identifier: MIT
 * Ranges know weights and fields as the network meets them: copies of weights in every format,
 * rounding and scale; weights that are made from factors; operands that are rounded to bf16 on
 * their way into a product; and fields that a norm reads rounded and its statistics did not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "certify/range/range.h"
#include "model/network.h"
#include "number/format.h"
#include "unit/model/support.h"

static mpno_ctx *ctx;

static int open_context(void **state) {
    (void)state;
    ctx = make_ctx(1);
    return 0;
}
static int close_context(void **state) {
    (void)state;
    drop_ctx(ctx);
    return 0;
}

/* ---- a graph of a few nodes in f32 ---- */

enum { WIDE = 16, POINTS = 8, MOST_WEIGHTS = 4 };

typedef struct few {
    mpno_graph *graph;
    mpno_exec *exec;
    mpno_policy policy;
    mpno_range_walk walk;
    mpno_range_weight weights[MOST_WEIGHTS];
    float *data[MOST_WEIGHTS], *x;
    int param[MOST_WEIGHTS], input;
} few;

static float *floats(int64_t n) {
    float *data = aligned_alloc(64, ((size_t)n * sizeof *data + 63) / 64 * 64);
    assert_non_null(data);
    return data;
}

static void few_begin(few *f, const char *policy, mpno_format half) {
    const mpno_grid grid = {.ndim = 1, .size = {POINTS}, .points = POINTS};
    *f = (few){.x = floats(POINTS * WIDE)};
    assert_int_equal(mpno_policy_make(ctx, policy, MPNO_F32, half, &f->policy), MPNO_OK);
    assert_int_equal(mpno_graph_create(ctx, &grid, &f->graph), MPNO_OK);
    assert_int_equal(mpno_graph_layer(f->graph, "few"), MPNO_OK);
}

/* Parameters come before the input, as in a network. */
static int few_param(few *f, int i, mpno_weight weight, double value) {
    assert_int_equal(mpno_graph_param(f->graph, &weight, &f->param[i]), MPNO_OK);
    const int64_t n = (int64_t)mpno_weight_count(&weight);
    f->data[i] = floats(n);
    for (int64_t k = 0; k < n; k++) f->data[i][k] = (float)value;
    f->weights[i] = (mpno_range_weight){f->data[i], MPNO_F32};
    return f->param[i];
}

static void few_input(few *f, double value) {
    assert_int_equal(mpno_graph_input(f->graph, "input", WIDE, &f->input), MPNO_OK);
    for (int i = 0; i < POINTS * WIDE; i++) f->x[i] = (float)value;
}

static int few_add(few *f, const mpno_op *op, int n_in, const int *in, const mpno_attr *attr) {
    int out;
    assert_int_equal(
        mpno_graph_add(f->graph, op, n_in, in, attr, MPNO_ROLE_ACTIVATION, op->name, &out),
        MPNO_OK);
    return out;
}

/* Plans the run of edge `out`, and walks. */
static void few_walk(few *f, int out, double range) {
    const mpno_exec_opts opts = {.policy = &f->policy,
                                 .capacity = 1,
                                 .n_threads = 1,
                                 .requested = &out,
                                 .n_requested = 1,
                                 .external_output = -1};
    assert_int_equal(mpno_exec_create(f->graph, &opts, &f->exec), MPNO_OK);
    assert_int_equal(mpno_exec_realise(f->exec), MPNO_OK);
    mpno_exec_bind(f->exec, f->input, f->x, MPNO_F32);
    for (int i = 0; i < MOST_WEIGHTS; i++)
        if (f->data[i] != NULL) mpno_exec_bind(f->exec, f->param[i], f->data[i], MPNO_F32);
    assert_int_equal(mpno_range_open(ctx, f->graph, f->exec, &f->policy, f->weights, MOST_WEIGHTS,
                                     1, -1, &f->walk),
                     MPNO_OK);
    mpno_range_input(&f->walk, f->input, range);
    assert_int_equal(mpno_range_run(&f->walk), MPNO_OK);
}

/* Largest number of edge `out` when it is run. */
static double few_run(few *f, int out, double range) {
    double most = 0;
    few_walk(f, out, range);
    assert_int_equal(mpno_exec_run(f->exec, MPNO_PASS_FORWARD, 0, 1, 1.0), -1);
    const mpno_format format = mpno_exec_format(f->exec, out);
    for (int i = 0; i < POINTS * WIDE; i++) {
        double y;
        mpno_cast(
            &y, MPNO_F64,
            (const char *)mpno_exec_data(f->exec, out) + (size_t)i * mpno_format_bytes(format),
            format, 1);
        most = fmax(most, fabs(y));
    }
    return most;
}

static void few_end(few *f) {
    mpno_range_close(&f->walk);
    mpno_exec_destroy(&f->exec);
    mpno_graph_destroy(&f->graph);
    for (int i = 0; i < MOST_WEIGHTS; i++) free(f->data[i]);
    free(f->x);
}

/* Terms that cancel leave a small result, and a sum of half of them that is none of f32. */
static void sums_on_the_way_are_in_range_too(void **state) {
    const mpno_weight weight = {1, WIDE, WIDE, false, MPNO_ROLE_WEIGHT_VECTOR},
                      vector = {1, 1, WIDE, false, MPNO_ROLE_WEIGHT_VECTOR};
    (void)state;
    for (int large = 0; large < 2; large++) {
        few f;
        few_begin(&f, "full", MPNO_F16);
        few_param(&f, 0, vector, 10);
        few_param(&f, 1, weight, 0);
        for (int i = 0; i < WIDE * WIDE; i++)
            f.data[1][i] = (i % 2 ? 1.0f : -1.0f) * (large ? 3e37f : 3e35f);
        few_input(&f, 0);
        const int bias[] = {f.input, f.param[0]};
        const int in[] = {few_add(&f, &mpno_op_bias, 2, bias, NULL), f.param[1]};
        const int out = few_add(&f, &mpno_op_linear, 2, in, NULL);
        few_walk(&f, out, 0.01);
        const double most = mpno_range_most(&f.walk, out);
        assert_true(large ? isinf(most) : most > 1e34 && most < 1e36);
        few_end(&f);
    }
}

/* ---- copies of weights ---- */

/* What a network would store of all n numbers: scales are found in a pass of their own. */
static void stored(const float *from, int64_t n, int64_t row, mpno_storage s, double *back) {
    unsigned char scales[64];
    _Atomic uint32_t most[64] = {0};
    unsigned char bytes[4 * WIDE * WIDE * 2];
    mpno_codec codec = {.format = s.format,
                        .rounding = s.rounding,
                        .scaling = s.scaling,
                        .key = {3, 4},
                        .base = bytes,
                        .row = row,
                        .inner = n,
                        .count = 1,
                        .scales = scales,
                        .most = most};
    const mpno_codec_kernels *k = mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F32);
    codec.n_scales = mpno_codec_scales(s.scaling, row, n / row, 1);
    assert_true(codec.n_scales <= 64);
    memset(scales, 127, sizeof scales);
    for (int pass = 0; pass < 3; pass++) {
        (void)k->store(&codec, bytes, from, n);
        if (pass < 2 && s.scaling != MPNO_SCALING_NONE && s.scaling != MPNO_SCALING_BLOCK)
            (void)mpno_codec_renew(&codec);
    }
    mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F64)->load(&codec, back, bytes, n);
}

static void compare_copy(mpno_storage s, bool is_complex) {
    const mpno_weight weight = {1, WIDE, WIDE, is_complex,
                                is_complex ? MPNO_ROLE_WEIGHT_SPECTRAL : MPNO_ROLE_WEIGHT_LINEAR};
    const int64_t one = WIDE * WIDE, n = one * (is_complex ? 2 : 1);
    double values[2 * WIDE * WIDE], slack[WIDE * WIDE], back[2 * WIDE * WIDE];
    char text[64];
    mpno_rng rng = mpno_rng_make(5, MPNO_STREAM_TEST, 6);
    few f;
    few_begin(&f, "mixed", MPNO_F16);
    snprintf(text, sizeof text, "%s=%s", is_complex ? "spectral weight copy" : "weight copy",
             mpno_format_get(s.format)->name);
    assert_int_equal(mpno_policy_override(ctx, &f.policy, text, s.rounding, s.scaling), MPNO_OK);
    few_param(&f, 0, weight, 0);
    for (int64_t i = 0; i < n; i++) /* of many sizes */
        f.data[0][i] = (float)(mpno_rng_normal(&rng) * exp2(-14 * mpno_rng_uniform(&rng)));
    few_input(&f, 1);
    const mpno_node node = {.op = &mpno_op_linear, .n_in = 2, .in = {f.input, f.param[0]}};
    f.walk = (mpno_range_walk){
        .ctx = ctx, .graph = f.graph, .policy = f.policy, .weights = f.weights, .n_weights = 1};
    mpno_range_block(&f.walk, &node, 1, 0, values, slack);
    stored(f.data[0], n, WIDE, mpno_range_copy(&f.walk, &node, 0), back);
    const double most = mpno_range_copy_most(&f.walk, &node, 0);
    double worst = 0, loose = 0;
    for (int64_t i = 0; i < one; i++) {
        const double off = is_complex ? hypot(back[i] - values[i], back[one + i] - values[one + i])
                                      : fabs(back[i] - values[i]);
        if (!(off <= slack[i]))
            fail_msg("%s, rounding %d, scaling %d: %g is %g, slack %g", text, s.rounding, s.scaling,
                     values[i], back[i], slack[i]);
        assert_true(fabs(back[i]) <= most);
        worst = fmax(worst, off), loose = fmax(loose, slack[i]);
    }
    /* exact where a number says all there is to know, else of the size of what may happen */
    assert_true(loose == 0 ? worst == 0 : worst > 0);
    f.walk = (mpno_range_walk){0};
    few_end(&f);
}

static void weights_are_read_as_they_are_stored(void **state) {
    static const mpno_format formats[] = {MPNO_F16, MPNO_BF16, MPNO_F8E4M3,
                                          MPNO_FORMAT_SIMULATED(5, 2)};
    (void)state;
    for (int f = 0; f < 4; f++)
        for (int rounding = 0; rounding < 3; rounding++)
            for (int scaling = MPNO_SCALING_NONE; scaling <= MPNO_SCALING_BLOCK; scaling++)
                for (int is_complex = 0; is_complex < 2; is_complex++)
                    if (scaling != MPNO_SCALING_SHELL)
                        compare_copy((mpno_storage){formats[f], (mpno_rounding)rounding,
                                                    (mpno_scaling)scaling},
                                     is_complex);
}

/* ---- weights from factors ---- */

typedef struct rebuilt {
    const mpno_range_walk *walk;
    const mpno_graph *graph;
    double worst; /* error over slack */
    int seen;
} rebuilt;

static void look(void *user, const mpno_sight *sight) {
    rebuilt *r = user;
    const mpno_edge *e = &r->graph->edges[sight->edge];
    if (e->kind != MPNO_EDGE_BLOCKS) return;
    const mpno_weight *w = &r->graph->weights[e->param];
    const mpno_range *range = &r->walk->edges[sight->edge];
    const size_t one = (size_t)(w->rows * w->cols), n = mpno_weight_count(w);
    double *x = malloc(n * sizeof *x);
    assert_non_null(x);
    mpno_cast(x, MPNO_F64, sight->data, sight->format, n);
    for (size_t k = 0; k < n / 2; k++) {
        const size_t at = k / one * 2 * one + k % one;
        const double off = hypot(x[at] - range->values[at], x[at + one] - range->values[at + one]);
        assert_true(fabs(x[at]) <= range->most[0] && range->slack[k] < INFINITY);
        r->worst = fmax(r->worst, off / range->slack[k]);
    }
    r->seen++;
    free(x);
}

static void factors_give_the_weight_that_the_network_makes(void **state) {
    static const int64_t grid[] = {12, 15};
    (void)state;
    for (int kind = MPNO_FACTORIZATION_CP; kind <= MPNO_FACTORIZATION_TT; kind++)
        for (int half = 0; half < 2; half++) {
            mpno_fno_config config = small_config(2);
            config.factorization = (mpno_factorization)kind, config.rank[0] = 0.4;
            config.implementation = MPNO_IMPLEMENTATION_RECONSTRUCTED;
            mpno_model *model = make_model(ctx, &config, MPNO_F32);
            const mpno_network_opts opts =
                make_opts(2, grid, 1, false, half ? "mixed" : "full", MPNO_F16);
            mpno_network *network = make_network(ctx, model, &opts);
            mpno_policy policy;
            mpno_range_walk walk;
            mpno_range_weight *weights = calloc((size_t)model->n_params, sizeof *weights);
            assert_non_null(weights);
            for (int p = 0; p < model->n_params; p++)
                weights[p] = (mpno_range_weight){model->params[p].data, MPNO_F32};
            assert_int_equal(mpno_policy_make(ctx, opts.policy, MPNO_F32, MPNO_F16, &policy),
                             MPNO_OK);
            assert_int_equal(
                mpno_range_open(ctx, mpno_network_graph(network), mpno_network_exec(network),
                                &policy, weights, model->n_params, 1, -1, &walk),
                MPNO_OK);
            assert_int_equal(mpno_range_run(&walk), MPNO_OK);
            rebuilt r = {.walk = &walk, .graph = mpno_network_graph(network)};
            const mpno_observer observer = {look, &r};
            mpno_network_observe(network, &observer);
            void *x = make_data(MPNO_F32, 12 * 15 * 2, 1), *y = make_data(MPNO_F32, 12 * 15 * 2, 2);
            assert_int_equal(mpno_network_forward(network, 1, x, y), MPNO_OK);
            assert_int_equal(r.seen, 2);
            /* in f32 by chance far below the worst case; where it is rounded, at a quarter of it */
            if (!(r.worst <= 1) || r.worst < (half ? 0.25 : 1e-4)) fail_msg("%g", r.worst);
            mpno_range_close(&walk);
            mpno_network_destroy(&network);
            mpno_model_destroy(&model);
            free(weights);
            free(x);
            free(y);
        }
}

/* ---- products of bf16 ---- */

/* 1 + 2^-8 and a bit becomes 1 + 2^-7 on either side of the product. */
static void operands_that_become_bf16_are_counted(void **state) {
    const double above = 1 + 0x1.001p-8;
    const mpno_weight weight = {1, WIDE, WIDE, false, MPNO_ROLE_WEIGHT_VECTOR};
    few f;
    (void)state;
    few_begin(&f, "full", MPNO_BF16);
    f.policy.pointwise = f.policy.products = MPNO_BF16;
    few_param(&f, 0, weight, above);
    few_input(&f, above);
    const int in[] = {f.input, f.param[0]};
    const int out = few_add(&f, &mpno_op_linear, 2, in, NULL);
    const double reached = few_run(&f, out, above), bound = mpno_range_most(&f.walk, out);
    assert_true(reached > WIDE * above * above * (1 + 0x1p-8));
    assert_true(reached <= bound && bound <= 1.02 * reached);
    few_end(&f);
}

/* ---- copies that are only known roughly ---- */

/* Stochastic rounding made 1.5 of every 1.01, and nobody can know. */
static void what_a_copy_may_be_is_counted(void **state) {
    static const int32_t rows[] = {0};
    (void)state;
    for (int spectral = 0; spectral < 2; spectral++) {
        const mpno_weight weight = {1, WIDE, WIDE, spectral,
                                    spectral ? MPNO_ROLE_WEIGHT_SPECTRAL : MPNO_ROLE_WEIGHT_LINEAR};
        const mpno_fft_problem problem = {.kind = MPNO_FFT_REAL,
                                          .arithmetic = MPNO_F32,
                                          .ndim = 1,
                                          .size = {POINTS},
                                          .keep = {1}};
        float master[2 * WIDE * WIDE] = {0};
        mpno_fft *fft;
        few f;
        few_begin(&f, "full", MPNO_F16);
        assert_int_equal(
            mpno_policy_override(ctx, &f.policy, "weight copy=e5m1, spectral weight copy=e5m1",
                                 MPNO_ROUND_STOCHASTIC, MPNO_SCALING_NONE),
            MPNO_OK);
        assert_int_equal(mpno_fft_create(ctx, &problem, &fft), MPNO_OK);
        few_param(&f, 0, weight, 1.5);
        for (int i = 0; i < WIDE * WIDE; i++) master[i] = 1.01f;
        for (int i = WIDE * WIDE; spectral && i < 2 * WIDE * WIDE; i++) f.data[0][i] = 0;
        f.weights[0].data = master;
        few_input(&f, 1);
        const mpno_attr there = {.fft = fft, .scale = 1.0 / POINTS}, by = {.mode_rows = rows},
                        back = {.fft = fft, .scale = 1, .weighting = MPNO_FFT_HERMITIAN};
        int x = f.input;
        if (spectral) x = few_add(&f, &mpno_op_stage, 1, &x, NULL);
        if (spectral) x = few_add(&f, &mpno_op_fft_forward, 1, &x, &there);
        const int in[] = {x, f.param[0]};
        int out = few_add(&f, spectral ? &mpno_op_contract : &mpno_op_linear, 2, in, &by);
        if (spectral) out = few_add(&f, &mpno_op_fft_inverse, 1, &out, &back);
        const double reached = few_run(&f, out, 1), bound = mpno_range_most(&f.walk, out);
        assert_true(fabs(reached - 1.5 * WIDE) < 1e-3);
        if (!(reached <= bound && bound <= 1.1 * reached)) fail_msg("%g, bound %g", reached, bound);
        few_end(&f);
        mpno_fft_destroy(ctx, &fft);
    }
}

/* ---- norms in f32 ---- */

/* One number of a channel differs from the others, by so little that its variance is lost in that
 * of large numbers, or by enough to come to the root of n - 1, past which f32 may round. */
static void a_norm_loses_what_arithmetic_loses(void **state) {
    mpno_rng rng = mpno_rng_make(8, MPNO_STREAM_TEST, 2);
    double lost = 0, past = 0;
    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        const mpno_attr norm = {.groups = WIDE, .eps = 1e-5};
        const bool large = trial % 2;
        const double value =
            large ? 2e7 * (1 + mpno_rng_uniform(&rng)) : 1e5 * mpno_rng_uniform(&rng);
        few f;
        few_begin(&f, "full", MPNO_F16);
        few_input(&f, value);
        for (int c = 0; c < WIDE; c++)
            f.x[3 * WIDE + c] += (float)(large ? 2 + 2 * c : 50 * (1 + mpno_rng_uniform(&rng)));
        double most = 0;
        for (int i = 0; i < POINTS * WIDE; i++) most = fmax(most, fabs((double)f.x[i]));
        const int sums = few_add(&f, &mpno_op_moments, 1, &f.input, &norm);
        const int of[] = {f.input, sums, -1, -1};
        const int out = few_add(&f, &mpno_op_normalize, 4, of, &norm);
        const double reached = few_run(&f, out, most), bound = mpno_range_most(&f.walk, out);
        if (!(reached <= bound)) fail_msg("%g: %.9g, bound %.9g", value, reached, bound);
        if (large) lost = fmax(lost, reached / sqrt(POINTS - 1));
        if (!large) past = fmax(past, reached / sqrt(POINTS - 1));
        few_end(&f);
    }
    assert_true(lost > 10 && past > 1 + 1e-5);
}

/* ---- norms of rounded fields ---- */

/* A constant field has no variance: what a norm makes of it is only what rounding left, over the
 * root of eps. The statistics are those of the product, the norm reads it, or what gelu makes of
 * it, as it was stored. */
static void a_norm_may_read_what_its_statistics_did_not(void **state) {
    (void)state;
    for (int behind_gelu = 0; behind_gelu < 2; behind_gelu++) {
        const mpno_weight weight = {1, WIDE, WIDE, false, MPNO_ROLE_WEIGHT_VECTOR};
        const mpno_attr norm = {.groups = WIDE, .eps = 1e-5};
        const double value = 100.0 / WIDE;
        few f;
        few_begin(&f, "amp", MPNO_BF16);
        f.policy.products = MPNO_F32;
        few_param(&f, 0, weight, value * 1.0039);
        few_input(&f, 1);
        const int in[] = {f.input, f.param[0]};
        int y = few_add(&f, &mpno_op_linear, 2, in, NULL);
        if (behind_gelu) y = few_add(&f, &mpno_op_gelu, 1, &y, NULL);
        const int sums = few_add(&f, &mpno_op_moments, 1, &y, &norm);
        const int of[] = {y, sums, -1, -1};
        const int out = few_add(&f, &mpno_op_normalize, 4, of, &norm);
        const double reached = few_run(&f, out, 1), bound = mpno_range_most(&f.walk, out);
        assert_true(reached > 2 * sqrt(POINTS)); /* more than any norm of what it is the norm of */
        if (!(reached <= bound && bound <= 8 * reached)) fail_msg("%g, bound %g", reached, bound);
        few_end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_on_the_way_are_in_range_too),
        cmocka_unit_test(weights_are_read_as_they_are_stored),
        cmocka_unit_test(factors_give_the_weight_that_the_network_makes),
        cmocka_unit_test(operands_that_become_bf16_are_counted),
        cmocka_unit_test(what_a_copy_may_be_is_counted),
        cmocka_unit_test(a_norm_loses_what_arithmetic_loses),
        cmocka_unit_test(a_norm_may_read_what_its_statistics_did_not),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
