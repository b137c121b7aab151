/* SPDX-License-Identifier: MIT
 * Every op of ops.def, by its faces: gradients against differences, adjoints against inner
 * products, linearity, cost, refusals. One row of `signatures` describes an op's operands;
 * an op without a row fails the tests. All in f64, where formulas and rounding are far apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "number/format.h"
#include "unit/graph/rig.h"

/* Operands: letters of rig_operand. */
typedef struct signature {
    const mpno_op *op;
    const char *operands;
} signature;

static const signature signatures[] = {{&mpno_op_grid_embed, "f"},
                                       {&mpno_op_take_channels, "F"},
                                       {&mpno_op_stage, "f"},
                                       {&mpno_op_dropout, "f"},
                                       {&mpno_op_times_i, "c"},
                                       {&mpno_op_linear, "fWv"},
                                       {&mpno_op_linear_dx, "FW"},
                                       {&mpno_op_linear_dw, "FfW"},
                                       {&mpno_op_add, "ff"},
                                       {&mpno_op_bias, "fu"},
                                       {&mpno_op_gate, "fu"},
                                       {&mpno_op_convolve, "fK"},
                                       {&mpno_op_convolve_dw, "FfK"},
                                       {&mpno_op_sum_points, "fu"},
                                       {&mpno_op_dot_points, "ffu"},
                                       {&mpno_op_gelu, "f"},
                                       {&mpno_op_gelu_grad, "ff"},
                                       {&mpno_op_tanh, "f"},
                                       {&mpno_op_tanh_grad, "ff"},
                                       {&mpno_op_scale, "f"},
                                       {&mpno_op_squash, "f"},
                                       {&mpno_op_squash_grad, "ff"},
                                       {&mpno_op_learned_tanh, "fx"},
                                       {&mpno_op_learned_tanh_dx, "ffx"},
                                       {&mpno_op_learned_tanh_da, "fx"},
                                       {&mpno_op_sigma_clip, "fm"},
                                       {&mpno_op_sigma_clip_sums, "ffm"},
                                       {&mpno_op_sigma_clip_dx, "ffmm"},
                                       {&mpno_op_moments, "f"},
                                       {&mpno_op_average_samples, "m"},
                                       {&mpno_op_running_moments, "fuu"},
                                       {&mpno_op_batch_statistics, "muu"},
                                       {&mpno_op_sample_sums, "f"},
                                       {&mpno_op_spread_sums, "n"},
                                       {&mpno_op_modulate, "fn"},
                                       {&mpno_op_modulate_sums, "ff"},
                                       {&mpno_op_normalize, "fmuu"},
                                       {&mpno_op_normalize_sums, "ff"},
                                       {&mpno_op_normalize_dx, "ffmmu"},
                                       {&mpno_op_normalize_dw, "mmuu"},
                                       {&mpno_op_fft_forward, "f"},
                                       {&mpno_op_fft_inverse, "s"},
                                       {&mpno_op_line_forward, "f"},
                                       {&mpno_op_line_inverse, "k"},
                                       {&mpno_op_columns_forward, "k"},
                                       {&mpno_op_columns_inverse, "s"},
                                       {&mpno_op_columns_sum, "ku"},
                                       {&mpno_op_columns_moments, "k"},
                                       {&mpno_op_line_normalize, "kmuu"},
                                       {&mpno_op_normalize_columns_sums, "kk"},
                                       {&mpno_op_normalize_columns_dx, "kkmmu"},
                                       {&mpno_op_take_modes, "s"},
                                       {&mpno_op_pad, "f"},
                                       {&mpno_op_crop, "w"},
                                       {&mpno_op_interpolate, "f"},
                                       {&mpno_op_scale_modes, "sY"},
                                       {&mpno_op_scale_modes_dw, "ssY"},
                                       {&mpno_op_contract, "sZ"},
                                       {&mpno_op_contract_dx, "SZ"},
                                       {&mpno_op_contract_dw, "sSZ"},
                                       {&mpno_op_contract_low_rank, "sadb"},
                                       {&mpno_op_contract_low_rank_dw, "sSadb"},
                                       {&mpno_op_rebuild, "labe"},
                                       {&mpno_op_rebuild_dw, "Zlabe"},
                                       {&mpno_op_loss, "ff"},
                                       {&mpno_op_loss_grad, "ffm"}};
enum { N_SIGNATURES = sizeof signatures / sizeof signatures[0] };

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

static const signature *signature_of(const mpno_op *op) {
    for (int i = 0; i < N_SIGNATURES; i++)
        if (signatures[i].op == op) return &signatures[i];
    fail_msg("op %s has no row in this test", op->name);
    return NULL;
}

static void every_op_has_a_row(void **state) {
    (void)state;
    assert_int_equal(mpno_op_count(), N_SIGNATURES);
    for (int i = 0; i < mpno_op_count(); i++) {
        const mpno_op *op = mpno_op_get(i);
        assert_non_null(signature_of(op));
        assert_true(op->shape != NULL && op->forward != NULL && op->cost != NULL);
        for (int k = 0; k < i; k++) assert_string_not_equal(op->name, mpno_op_get(k)->name);
    }
}

/* The node of an op on operands of its own; the n-th operand of a letter is shared between ops of
 * one rig. */
typedef struct pool {
    int edge[128][3];
} pool;

static int make_adjoint(rig *r, pool *p, const mpno_op *op, const char *operands, bool adjoint,
                        int *in) {
    int out;
    int used[128] = {0};
    for (int i = 0; operands[i] != 0; i++) {
        const unsigned char letter = (unsigned char)operands[i];
        int *edge = &p->edge[letter][used[letter]++];
        if (*edge == 0) *edge = rig_operand(r, operands[i]) + 1;
        in[i] = *edge - 1;
    }
    const mpno_attr attr = rig_attr(r, op, adjoint);
    if (mpno_graph_add(r->graph, op, (int)strlen(operands), in, &attr, MPNO_ROLE_ACTIVATION,
                       op->name, &out) != MPNO_OK)
        fail_msg("%s: %s", op->name, mpno_ctx_error(r->ctx));
    return out;
}

static int make_node(rig *r, pool *p, const mpno_op *op, int *in) {
    return make_adjoint(r, p, op, signature_of(op)->operands, false, in);
}

/* ---- linearity and adjoints ---- */

/* A(x) - A(0), the linear part when operand `edge` is x. */
static double *linear_part(rig *r, int out, int edge, const double *x) {
    const size_t n = rig_count(r, edge);
    double *keep = malloc(n * sizeof *keep);
    assert_non_null(keep);
    memcpy(keep, r->data[edge], n * sizeof *keep);
    memcpy(r->data[edge], x, n * sizeof *x);
    double *y = rig_result(r, out);
    memset(r->data[edge], 0, n * sizeof *x);
    double *zero = rig_result(r, out);
    for (size_t i = 0; i < rig_count(r, out); i++) y[i] -= zero[i];
    memcpy(r->data[edge], keep, n * sizeof *keep);
    free(keep), free(zero);
    return y;
}

static double *draw(rig *r, size_t n) {
    double *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = mpno_rng_normal(&r->rng);
    return x;
}

static void check_linear(const mpno_op *op, int grid) {
    rig r;
    pool p = {0};
    int in[MPNO_OP_MAX_IN];
    rig_create(&r, ctx, rig_sizes[grid].ndim, rig_sizes[grid].size, MPNO_FFT_HERMITIAN);
    const int out = make_node(&r, &p, op, in);
    rig_finish(&r, &full, &out, 1);
    const size_t n = rig_count(&r, in[0]);
    double *a = draw(&r, n), *b = draw(&r, n), *both = malloc(n * sizeof *both);
    for (size_t i = 0; i < n; i++) both[i] = a[i] - 2 * b[i];
    double *ya = linear_part(&r, out, in[0], a), *yb = linear_part(&r, out, in[0], b);
    double *y = linear_part(&r, out, in[0], both), most = 0;
    for (size_t i = 0; i < rig_count(&r, out); i++) most = fmax(most, fabs(y[i]));
    assert_true(most > 1e-3);
    for (size_t i = 0; i < rig_count(&r, out); i++)
        if (!(fabs(y[i] - (ya[i] - 2 * yb[i])) <= 1e-12 * most)) fail_msg("%s", op->name);
    free(a), free(b), free(both), free(ya), free(yb), free(y);
    rig_destroy(&r);
}

static void linear_ops_are_linear(void **state) {
    (void)state;
    for (int i = 0; i < mpno_op_count(); i++)
        for (int g = 0; g < RIG_ALL_SIZES; g++)
            if (mpno_op_get(i)->linear_in_first) check_linear(mpno_op_get(i), g);
}

/* a as a map of operand i and b as a map of operand k are adjoint to each other. */
typedef struct adjoint {
    const mpno_op *a;
    int i;
    const mpno_op *b;
    int k;
    const char *operands; /* not NULL: b is the adjoint form (mpno_attr.adjoint) on these */
} adjoint;

static const adjoint adjoints[] = {
    {&mpno_op_stage, 0, &mpno_op_stage, 0, NULL},
    {&mpno_op_dropout, 0, &mpno_op_dropout, 0, NULL},
    {&mpno_op_times_i, 0, &mpno_op_times_i, 0, "c"},
    {&mpno_op_convolve, 0, &mpno_op_convolve, 0, "FK"},
    {&mpno_op_convolve, 1, &mpno_op_convolve_dw, 0, NULL},
    {&mpno_op_average_samples, 0, &mpno_op_average_samples, 0, NULL},
    {&mpno_op_sample_sums, 0, &mpno_op_spread_sums, 0, "i"},
    {&mpno_op_modulate, 1, &mpno_op_modulate_sums, 1, NULL},
    {&mpno_op_take_modes, 0, &mpno_op_take_modes, 0, "g"},
    {&mpno_op_pad, 0, &mpno_op_crop, 0, NULL},
    {&mpno_op_interpolate, 0, &mpno_op_interpolate, 0, "w"},
    {&mpno_op_scale_modes, 0, &mpno_op_scale_modes, 0, "sY"},
    {&mpno_op_scale_modes, 1, &mpno_op_scale_modes_dw, 1, NULL},
    {&mpno_op_grid_embed, 0, &mpno_op_take_channels, 0, NULL},
    {&mpno_op_add, 0, &mpno_op_stage, 0, NULL},
    {&mpno_op_linear, 0, &mpno_op_linear_dx, 0, NULL},
    {&mpno_op_linear, 1, &mpno_op_linear_dw, 0, NULL},
    {&mpno_op_linear_dx, 1, &mpno_op_linear_dw, 1, NULL},
    {&mpno_op_bias, 1, &mpno_op_sum_points, 0, NULL},
    {&mpno_op_gate, 0, &mpno_op_gate, 0, NULL},
    {&mpno_op_gate, 1, &mpno_op_dot_points, 1, NULL},
    {&mpno_op_gelu_grad, 0, &mpno_op_gelu_grad, 0, NULL},
    {&mpno_op_tanh_grad, 0, &mpno_op_tanh_grad, 0, NULL},
    {&mpno_op_scale, 0, &mpno_op_scale, 0, NULL},
    {&mpno_op_squash_grad, 0, &mpno_op_squash_grad, 0, NULL},
    {&mpno_op_learned_tanh_dx, 0, &mpno_op_learned_tanh_dx, 0, NULL},
    {&mpno_op_fft_forward, 0, &mpno_op_fft_inverse, 0, NULL},
    {&mpno_op_line_forward, 0, &mpno_op_line_inverse, 0, NULL},
    {&mpno_op_columns_forward, 0, &mpno_op_columns_inverse, 0, NULL},
    {&mpno_op_contract, 0, &mpno_op_contract_dx, 0, NULL},
    {&mpno_op_contract, 1, &mpno_op_contract_dw, 1, NULL},
    {&mpno_op_contract_dx, 1, &mpno_op_contract_dw, 0, NULL},
    {&mpno_op_contract_low_rank, 0, &mpno_op_contract_low_rank, 0, "Sadb"},
    {&mpno_op_contract_low_rank, 1, &mpno_op_contract_low_rank_dw, 1, NULL},
    {&mpno_op_rebuild, 0, &mpno_op_rebuild_dw, 0, NULL}};
enum { N_ADJOINTS = sizeof adjoints / sizeof adjoints[0] };

static bool takes_blocks(const mpno_op *op) {
    return op == &mpno_op_contract || op == &mpno_op_contract_dx || op == &mpno_op_contract_dw;
}

/* <A x, y> = <x, A' y> under the plain real inner product, which for planar complex numbers is Re
 * sum conj(a) b. */
static void check_adjoint(const adjoint *pair, int grid, mpno_fft_weighting weighting,
                          bool one_block) {
    rig r;
    pool p = {0};
    int in_a[MPNO_OP_MAX_IN], in_b[MPNO_OP_MAX_IN];
    rig_create(&r, ctx, rig_sizes[grid].ndim, rig_sizes[grid].size, weighting);
    r.one_block = one_block;
    const bool form = pair->operands != NULL;
    const int a = make_node(&r, &p, pair->a, in_a);
    const int b = make_adjoint(&r, &p, pair->b,
                               form ? pair->operands : signature_of(pair->b)->operands, form, in_b);
    const int outs[] = {a, b}, from = in_a[pair->i], to = in_b[pair->k];
    rig_finish(&r, &full, outs, 2);
    const size_t n_from = rig_count(&r, from), n_to = rig_count(&r, to);
    assert_int_equal(rig_count(&r, a), n_to);
    assert_int_equal(rig_count(&r, b), n_from);
    double *x = draw(&r, n_from), *y = draw(&r, n_to);
    double *ax = linear_part(&r, a, from, x), *by = linear_part(&r, b, to, y);
    double left = 0, right = 0, size = 0;
    for (size_t i = 0; i < n_to; i++) left += ax[i] * y[i], size += fabs(ax[i] * y[i]);
    for (size_t i = 0; i < n_from; i++) right += x[i] * by[i];
    assert_true(size > 1e-3);
    if (!(fabs(left - right) <= 1e-12 * size))
        fail_msg("%s(%d) and %s(%d): %.17g and %.17g", pair->a->name, pair->i, pair->b->name,
                 pair->k, left, right);
    free(x), free(y), free(ax), free(by);
    rig_destroy(&r);
}

static void adjoints_are_adjoint(void **state) {
    (void)state;
    for (int i = 0; i < N_ADJOINTS; i++)
        for (int g = 0; g < RIG_ALL_SIZES; g++) {
            check_adjoint(&adjoints[i], g, MPNO_FFT_PLAIN, false);
            check_adjoint(&adjoints[i], g, MPNO_FFT_HERMITIAN, false);
            if (takes_blocks(adjoints[i].a)) check_adjoint(&adjoints[i], g, MPNO_FFT_PLAIN, true);
        }
    for (int i = 0; i < mpno_op_count(); i++) {
        const mpno_op *op = mpno_op_get(i);
        bool found = !op->linear_in_first || op == &mpno_op_normalize_sums ||
                     op == &mpno_op_normalize_columns_sums ||
                     op == &mpno_op_columns_sum; /* see below */
        for (int k = 0; k < N_ADJOINTS; k++) found |= adjoints[k].a == op || adjoints[k].b == op;
        if (!found) fail_msg("linear op %s has no adjoint in this test", op->name);
    }
}

/* The two reductions of a norm by their definition; they have no partner among the ops. */
static void sums_of_norms(void **state) {
    (void)state;
    for (int g = 0; g < RIG_ALL_SIZES; g++) {
        rig r;
        pool p = {0};
        int in[MPNO_OP_MAX_IN], both[MPNO_OP_MAX_IN];
        rig_create(&r, ctx, rig_sizes[g].ndim, rig_sizes[g].size, MPNO_FFT_PLAIN);
        const int outs[] = {make_node(&r, &p, &mpno_op_moments, in),
                            make_node(&r, &p, &mpno_op_normalize_sums, both)};
        rig_finish(&r, &full, outs, 2);
        double *moments = rig_result(&r, outs[0]), *sums = rig_result(&r, outs[1]);
        const double *x = r.data[both[0]], *y = r.data[both[1]];
        for (int64_t s = 0; s < r.batch; s++)
            for (int64_t c = 0; c < RIG_INPUTS; c++) {
                double t[4] = {0};
                for (int64_t i = 0; i < r.graph->grids[0].points; i++) {
                    const int64_t at = (s * r.graph->grids[0].points + i) * RIG_INPUTS + c;
                    t[0] += x[at], t[1] += x[at] * x[at], t[2] += x[at] * y[at];
                }
                const int64_t base = 2 * RIG_INPUTS * s;
                assert_true(fabs(moments[base + 2 * c] - t[0]) <= 1e-11);
                assert_true(fabs(moments[base + 2 * c + 1] - t[1]) <= 1e-11 * (1 + t[1]));
                assert_true(fabs(sums[base + c] - t[0]) <= 1e-11);
                assert_true(fabs(sums[base + RIG_INPUTS + c] - t[2]) <= 1e-11);
            }
        free(moments), free(sums);
        rig_destroy(&r);
    }
}

/* Mean and unbiased variance of a batch by their definitions. */
static void statistics_of_batches(void **state) {
    (void)state;
    for (int g = 0; g < RIG_SIZES; g++) {
        rig r;
        rig_create(&r, ctx, rig_sizes[g].ndim, rig_sizes[g].size, MPNO_FFT_PLAIN);
        const int x = rig_operand(&r, 'f'), sums = rig_statistics(&r, x, 3);
        const int in[] = {sums, rig_operand(&r, 'u'), rig_operand(&r, 'u')};
        const int mean = rig_add(&r, &mpno_op_batch_statistics, 3, in), outs[] = {mean, mean + 1};
        rig_finish(&r, &full, outs, 2);
        double *got_mean = rig_result(&r, mean), *got_variance = rig_result(&r, mean + 1);
        const int64_t n = r.batch * r.graph->grids[0].points;
        for (int64_t c = 0; c < RIG_INPUTS; c++) {
            double sum = 0, squares = 0;
            for (int64_t i = 0; i < n; i++) sum += r.data[x][i * RIG_INPUTS + c];
            for (int64_t i = 0; i < n; i++) {
                const double d = r.data[x][i * RIG_INPUTS + c] - sum / (double)n;
                squares += d * d;
            }
            assert_true(fabs(got_mean[c] - sum / (double)n) <= 1e-13);
            assert_true(fabs(got_variance[c] - squares / (double)(n - 1)) <= 1e-13);
        }
        free(got_mean), free(got_variance);
        rig_destroy(&r);
    }
}

/* The share that is dropped, what is left of the others, and what the numbers depend on. */
static void dropped_values(void **state) {
    (void)state;
    rig r;
    rig_create(&r, ctx, 2, rig_sizes[5].size, MPNO_FFT_PLAIN);
    const int x = rig_operand(&r, 'f'), y = rig_unary(&r, &mpno_op_dropout, x);
    r.attr.id = 8;
    const int other = rig_unary(&r, &mpno_op_dropout, x), outs[] = {y, other};
    rig_finish(&r, &full, outs, 2);
    const size_t n = rig_count(&r, x);
    double *first = rig_result(&r, y), *elsewhere = rig_result(&r, other);
    mpno_exec_set_drop_seed(r.exec, 1);
    double *later = rig_result(&r, y);
    mpno_exec_set_drop_seed(r.exec, 0);
    double *again = rig_result(&r, y);
    double dropped = 0, same_place = 0, same_seed = 0;
    for (size_t i = 0; i < n; i++) {
        const double kept = r.data[x][i] / 0.7;
        assert_true(first[i] == 0 || fabs(first[i] - kept) <= 1e-15 * fabs(kept));
        dropped += first[i] == 0;
        same_place += (first[i] == 0) == (elsewhere[i] == 0);
        same_seed += (first[i] == 0) == (later[i] == 0);
    }
    const double sigma = sqrt((double)n);
    assert_true(fabs(dropped - 0.3 * (double)n) < 4 * sqrt(0.21) * sigma);
    assert_true(fabs(same_place - 0.58 * (double)n) < 4 * 0.5 * sigma);
    assert_true(fabs(same_seed - 0.58 * (double)n) < 4 * 0.5 * sigma);
    assert_memory_equal(first, again, n * sizeof *first);
    free(first), free(elsewhere), free(later), free(again);
    rig_destroy(&r);
}

/* ---- gradients ---- */

typedef struct training {
    rig r;
    int input, loss, input_grad;
    int grads[32]; /* of each weight */
    int weight_edge[32];
} training;

static double loss_value(training *t) {
    assert_int_equal(mpno_exec_run(t->r.exec, MPNO_PASS_FORWARD, 0, t->r.batch, 1.0), -1);
    const double *losses = mpno_exec_data(t->r.exec, t->loss);
    double sum = 0;
    const size_t stride = 1 + (size_t)t->r.attr.objective->n_terms;
    for (size_t i = 0; i < rig_count(&t->r, t->loss); i += stride) sum += losses[i];
    return sum;
}

/* Central differences at h and h/2, extrapolated: h^4 and rounding of 1e-16/h stay below 1e-11. */
static double slope(training *t, double *value) {
    const double at = *value, h = 2e-4;
    double d[2];
    for (int i = 0; i < 2; i++) {
        const double step = i == 0 ? h : h / 2;
        *value = at + step;
        const double up = loss_value(t);
        *value = at - step;
        d[i] = (up - loss_value(t)) / (2 * step);
    }
    *value = at;
    return (4 * d[1] - d[0]) / 3;
}

/* Gradient `grad` (times the loss scale) of the numbers of edge `of`, on some of them. */
static void check_gradient(training *t, int of, const double *grad, double loss_scale,
                           const char *what) {
    const size_t n = rig_count(&t->r, of), probes = n < 8 ? n : 8;
    const double noise =
        1e-11 * loss_scale * (1 + loss_value(t)); /* rounding of the loss, over h */
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(grad[i]));
    for (size_t k = 0; k < probes; k++) {
        const size_t i = probes == n ? k : mpno_rng_below(&t->r.rng, n);
        const double expected = loss_scale * slope(t, &t->r.data[of][i]);
        if (!(fabs(grad[i] - expected) <= 1e-6 * fabs(expected) + 1e-8 * most + noise))
            fail_msg("%s, edge %d, number %zu of %zu: gradient %.12g, difference %.12g", what, of,
                     i, n, grad[i], expected);
    }
}

static bool seen[96]; /* by index in the table of ops: part of a checked gradient */

static void mark_seen(const mpno_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++)
        for (int i = 0; i < mpno_op_count(); i++)
            if (mpno_op_get(i) == graph->nodes[n].op) seen[i] = true;
}

/* Differentiates the loss of `prediction` against a target and checks all gradients. */
static void check_training(training *t, int prediction, const char *what) {
    rig *r = &t->r;
    const double loss_scale = 4.0;
    const int both[] = {prediction, rig_on_grid(r, r->graph->edges[prediction].grid,
                                                r->graph->edges[prediction].channels)};
    int requested[40], n = 0;
    t->loss = rig_add(r, &mpno_op_loss, 2, both);
    for (int w = 0; w < r->graph->n_weights; w++) t->weight_edge[w] = t->grads[w] = -1;
    for (int e = 0; e < r->graph->n_edges; e++)
        if (r->graph->edges[e].kind == MPNO_EDGE_PARAM)
            t->weight_edge[r->graph->edges[e].param] = e;
    assert_int_equal(
        mpno_graph_differentiate(r->graph, t->loss, t->grads, t->input, &t->input_grad), MPNO_OK);
    for (int w = 0; w < r->graph->n_weights; w++) {
        if (t->weight_edge[w] >= 0) assert_true((t->grads[w] >= 0) != r->frozen[w]);
        if (t->grads[w] >= 0) requested[n++] = t->grads[w];
    }
    requested[n++] = t->input_grad;
    requested[n++] = t->loss;
    mark_seen(r->graph);
    rig_finish(r, &full, requested, n);
    loss_value(t);
    assert_int_equal(mpno_exec_run(r->exec, MPNO_PASS_BACKWARD, 0, r->batch, loss_scale), -1);
    const size_t bytes = rig_count(r, t->input) * sizeof(double);
    double *input_grad = malloc(bytes);
    assert_non_null(input_grad);
    memcpy(input_grad, mpno_exec_data(r->exec, t->input_grad), bytes);
    check_gradient(t, t->input, input_grad, loss_scale, what);
    for (int w = 0; w < r->graph->n_weights; w++)
        if (t->grads[w] >= 0)
            check_gradient(t, t->weight_edge[w], r->data[t->grads[w]], loss_scale, what);
    free(input_grad);
}

/* kind: letter of the input's kind of field. */
static void start(training *t, int grid, char kind, mpno_fft_weighting weighting, int loss) {
    rig_create(&t->r, ctx, rig_sizes[grid].ndim, rig_sizes[grid].size, weighting);
    t->r.attr.objective = &rig_objectives[loss];
    t->r.attr.groups = grid % 2 == 0 ? RIG_INPUTS : 1;
    t->input = rig_operand(&t->r, kind);
}

/* Twice the channels of x by a linear map, small: it is summed over all points. */
static int rig_doubled(rig *r, int x) {
    const int in[] = {x, rig_weight(r, 1, 2 * RIG_INPUTS, RIG_INPUTS, false)};
    for (size_t i = 0; i < rig_count(r, in[1]); i++)
        r->data[in[1]][i] /= sqrt((double)r->graph->grids[0].points);
    return rig_add(r, &mpno_op_linear, 2, in);
}

/* The graph around one op: its fields come from the input (the second one through a linear map),
 * its spectra from a transform, its sums from a reduction; a spectrum that it gives is transformed
 * back. */
static void check_op_gradient(const mpno_op *op, int grid, mpno_fft_weighting weighting, int loss,
                              bool one_block) {
    training t;
    int in[MPNO_OP_MAX_IN], fields = 0;
    const char *operands = signature_of(op)->operands;
    start(&t, grid, strchr("wc", operands[0]) != NULL ? operands[0] : 'f', weighting, loss);
    t.r.one_block = one_block;
    for (int i = 0; operands[i] != 0; i++) {
        const int square[] = {t.input, operands[i] == 'f' && fields > 0
                                           ? rig_weight(&t.r, 1, RIG_INPUTS, RIG_INPUTS, false)
                                           : -1};
        if (strchr("fwc", operands[i]) != NULL)
            in[i] = fields++ == 0 ? t.input : rig_add(&t.r, &mpno_op_linear, 2, square);
        else if (operands[i] == 's')
            in[i] = rig_unary(&t.r, &mpno_op_fft_forward, rig_unary(&t.r, &mpno_op_stage, t.input));
        else if (operands[i] == 'k')
            in[i] = rig_unary(&t.r, &mpno_op_line_forward, t.input);
        else if (operands[i] == 'm')
            in[i] = operands[0] == 'k' ? rig_unary(&t.r, &mpno_op_columns_moments, in[0])
                                       : rig_unary(&t.r, &mpno_op_moments, t.input);
        else if (operands[i] == 'n')
            in[i] = rig_unary(&t.r, &mpno_op_sample_sums, rig_doubled(&t.r, t.input));
        else
            in[i] = rig_operand(&t.r, operands[i]);
    }
    int y = rig_add(&t.r, op, (int)strlen(operands), in);
    if (op == &mpno_op_take_modes) { /* back to the transform's modes */
        const mpno_attr attr = rig_attr(&t.r, op, true);
        assert_int_equal(
            mpno_graph_add(t.r.graph, op, 1, &y, &attr, MPNO_ROLE_ACTIVATION, "back", &y), MPNO_OK);
    }
    if (t.r.graph->edges[y].kind == MPNO_EDGE_BLOCKS) {
        const int both[] = {rig_unary(&t.r, &mpno_op_fft_forward, t.input), y};
        y = rig_add(&t.r, &mpno_op_contract, 2, both);
    }
    if (t.r.graph->edges[y].kind == MPNO_EDGE_SUMS) y = rig_unary(&t.r, &mpno_op_spread_sums, y);
    if (t.r.graph->edges[y].kind == MPNO_EDGE_SPECTRUM)
        y = rig_unary(&t.r, &mpno_op_fft_inverse, y);
    if (t.r.graph->edges[y].kind == MPNO_EDGE_COLUMNS)
        y = rig_unary(&t.r, &mpno_op_line_inverse, y);
    check_training(&t, y, op->name);
    rig_destroy(&t.r);
}

static void gradient_of_every_op(void **state) {
    (void)state;
    for (int i = 0; i < mpno_op_count(); i++) {
        const mpno_op *op = mpno_op_get(i);
        if (op->backward == NULL || op == &mpno_op_loss) continue;
        for (int g = 0; g < RIG_SIZES; g++)
            for (int loss = 0; loss < RIG_OBJECTIVES; loss++)
                for (int one_block = 0; one_block <= takes_blocks(op); one_block++)
                    check_op_gradient(op, g, (mpno_fft_weighting)(loss % 2), loss, one_block);
    }
}

static void gradient_of_blocks(void **state) {
    (void)state;
    for (int norm = 0; norm < 5; norm++)
        for (int skip = 0; skip < 4; skip++)
            for (int g = skip % 2; g < 2 * RIG_SIZES; g += 2) {
                training t;
                char what[48];
                start(&t, g % RIG_SIZES, 'f', MPNO_FFT_HERMITIAN, (norm + skip) % RIG_OBJECTIVES);
                t.r.in_parts = g >= RIG_SIZES;
                snprintf(what, sizeof what, "norm %d skip %d parts %d", norm, skip, g >= RIG_SIZES);
                /* Two of them, so that every value has several consumers. */
                const int middle = rig_block(&t.r, t.input, norm, skip);
                check_training(&t, rig_block(&t.r, middle, norm, (skip + 1) % 4), what);
                rig_destroy(&t.r);
            }
    for (int i = 0; i < mpno_op_count(); i++)
        if (!seen[i] && mpno_op_get(i) != &mpno_op_batch_statistics) /* see statistics_of_batches */
            fail_msg("op %s is part of no checked gradient", mpno_op_get(i)->name);
}

/* ---- cost, refusals ---- */

static void costs_are_positive(void **state) {
    (void)state;
    for (int i = 0; i < mpno_op_count(); i++) {
        rig r;
        pool p = {0};
        int in[MPNO_OP_MAX_IN];
        const mpno_op *op = mpno_op_get(i);
        rig_create(&r, ctx, 2, rig_sizes[2].size, MPNO_FFT_PLAIN);
        const int edge = make_node(&r, &p, op, in);
        const mpno_node *node = &r.graph->nodes[r.graph->edges[edge].producer];
        const double one = op->cost(r.graph, node, 1).flops,
                     five = op->cost(r.graph, node, 5).flops;
        const bool of_weights = op == &mpno_op_rebuild || op == &mpno_op_rebuild_dw;
        const double expected = of_weights ? one : 5 * one;
        if (!(isfinite(one) && one > 0 && fabs(five - expected) <= 1e-9 * five))
            fail_msg("%s costs %g flops for one sample and %g for five", op->name, one, five);
        rig_destroy(&r);
    }
    /* Products by hand: 2 flops a real, 8 flops a complex multiplication and addition. */
    rig r;
    pool p = {0};
    int in[MPNO_OP_MAX_IN];
    rig_create(&r, ctx, 2, rig_sizes[2].size, MPNO_FFT_PLAIN);
    make_node(&r, &p, &mpno_op_linear, in);
    make_node(&r, &p, &mpno_op_contract, in);
    const double modes = (double)mpno_fft_modes(r.fft);
    assert_true(mpno_op_linear.cost(r.graph, &r.graph->nodes[0], 3).flops == 2.0 * 3 * 20 * 3 * 5);
    assert_true(mpno_op_contract.cost(r.graph, &r.graph->nodes[1], 3).flops ==
                8.0 * 3 * modes * 3 * 5);
    rig_destroy(&r);
}

static void refuse(rig *r, const mpno_op *op, int n, const int *in, const char *sentence) {
    const int nodes = r->graph->n_nodes, edges = r->graph->n_edges;
    int out;
    assert_int_equal(mpno_graph_add(r->graph, op, n, in, &r->attr, MPNO_ROLE_ACTIVATION, "y", &out),
                     MPNO_E_SHAPE);
    if (strstr(mpno_ctx_error(ctx), sentence) == NULL) fail_msg("%s", mpno_ctx_error(ctx));
    assert_int_equal(r->graph->n_nodes, nodes);
    assert_int_equal(r->graph->n_edges, edges);
}

static void shapes_that_do_not_fit(void **state) {
    (void)state;
    rig r;
    rig_create(&r, ctx, 2, rig_sizes[2].size, MPNO_FFT_PLAIN);
    const int f = rig_operand(&r, 'f'), wide = rig_operand(&r, 'F'), w = rig_operand(&r, 'W');
    const int s = rig_operand(&r, 'S'), z = rig_operand(&r, 'Z'), m = rig_operand(&r, 'm');
    refuse(&r, &mpno_op_add, 2, (int[]){f, wide}, "3 and 5 channels");
    refuse(&r, &mpno_op_gelu_grad, 2, (int[]){wide, f}, "5 and 3 channels");
    refuse(&r, &mpno_op_linear, 2, (int[]){wide, w}, "the weight takes 3 channels");
    refuse(&r, &mpno_op_contract, 2, (int[]){s, z}, "the spectral weight takes 3 channels");
    refuse(&r, &mpno_op_loss, 2, (int[]){f, wide}, "3 and 5 channels");
    r.attr.groups = 2;
    refuse(&r, &mpno_op_normalize, 2, (int[]){f, m}, "norm_groups is 2");
    r.attr.groups = 0;
    refuse(&r, &mpno_op_normalize, 2, (int[]){f, m}, "norm_groups is 0");
    r.attr.channels = 4;
    refuse(&r, &mpno_op_take_channels, 1, &f, "4 of 3 channels");
    r.graph->grids[0].points = 21;
    refuse(&r, &mpno_op_fft_forward, 1, &f, "has 20 points, the grid 21");
    r.graph->edges[s].modes++;
    refuse(&r, &mpno_op_fft_inverse, 1, &s, "its operand has");
    rig_destroy(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_op_has_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linear_ops_are_linear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adjoints_are_adjoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_of_norms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statistics_of_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gradient_of_every_op, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gradient_of_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(costs_are_positive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes_that_do_not_fit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
