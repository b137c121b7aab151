/* SPDX-License-Identifier: MIT
 * Factorised weights: ranks, counts and first values of the PyTorch library, decompositions, and
 * models whose weights are kept by other factors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "model/decompose.h"
#include "model/factors.h"
#include "model/network.h"
#include "unit/model/support.h"

static mpno_fno_config shape_config(mpno_factorization factorization, double rank) {
    mpno_fno_config c = small_config(2);
    c.hidden_channels = 32;
    c.n_modes[0] = c.n_modes[1] = 16;
    c.factorization = factorization;
    c.rank[0] = rank;
    return c;
}

/* By tensorly 0.8 (validate_tucker_rank, _cp_, _tt_) on (32, 32, 16, 9). */
static void ranks_are_those_of_tensorly(void **state) {
    (void)state;
    static const struct {
        mpno_factorization factorization;
        double rank;
        bool fixed;
        int n;
        int64_t ranks[MPNO_MAX_RANKS];
    } cases[] = {{MPNO_FACTORIZATION_TUCKER, 0.1, false, 4, {18, 18, 9, 5}},
                 {MPNO_FACTORIZATION_TUCKER, 0.1, true, 4, {32, 14, 7, 4}},
                 {MPNO_FACTORIZATION_TUCKER, 0.5, false, 4, {27, 27, 13, 8}},
                 {MPNO_FACTORIZATION_TUCKER, 6, false, 4, {6, 6, 6, 6}},
                 {MPNO_FACTORIZATION_CP, 0.1, false, 1, {166}},
                 {MPNO_FACTORIZATION_CP, 0.05, false, 1, {83}},
                 {MPNO_FACTORIZATION_CP, 7, false, 1, {7}},
                 {MPNO_FACTORIZATION_TT, 0.1, false, 5, {1, 22, 17, 9, 1}},
                 {MPNO_FACTORIZATION_TT, 0.9, false, 5, {1, 67, 51, 26, 1}},
                 {MPNO_FACTORIZATION_TT, 5, false, 5, {1, 5, 5, 5, 1}}};
    mpno_ctx *ctx = make_ctx(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mpno_fno_config c = shape_config(cases[i].factorization, cases[i].rank);
        int64_t shape[MPNO_MAX_ORDER], ranks[MPNO_MAX_RANKS];
        c.fixed_rank_modes = cases[i].fixed;
        const int order = mpno_factor_shape(&c, shape);
        assert_int_equal(mpno_factor_ranks(ctx, &c, order, shape, ranks), MPNO_OK);
        for (int k = 0; k < cases[i].n; k++)
            if (ranks[k] != cases[i].ranks[k])
                fail_msg("case %zu, rank %d: %lld", i, k, (long long)ranks[k]);
    }
    drop_ctx(ctx);
}

/* tensorly-torch's own: the factors' deviation is such that a dense weight from them has the one
 * that the library asks for, of cp and tucker; of tt its formula divides by the ranks themselves.
 */
static void first_values(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const double s = sqrt(2.0 / 64);
    const struct {
        mpno_factorization factorization;
        const char *name;
        double deviation;
    } cases[] = {{MPNO_FACTORIZATION_CP, "factors.factor_1", pow(s / sqrt(166), 1 / 4.0)},
                 {MPNO_FACTORIZATION_TUCKER, "core", pow(s / sqrt(18. * 18 * 9 * 5), 1 / 5.0)},
                 {MPNO_FACTORIZATION_TT, "factors.factor_1", pow(s / (22. * 17 * 9), 1 / 4.0)}};
    for (int i = 0; i < 3; i++) {
        const mpno_fno_config c = shape_config(cases[i].factorization, 0.1);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        char name[64];
        snprintf(name, sizeof name, "fno_blocks.convs.1.weight.%s", cases[i].name);
        const int p = mpno_model_find_param(model, name);
        assert_true(p >= 0);
        const size_t n = mpno_model_param_info(model, p).count;
        double *values = malloc(n * sizeof *values), sum = 0;
        mpno_model_get_param(model, p, values);
        for (size_t k = 0; k < n; k++) sum += values[k] * values[k];
        const double got = sqrt(2 * sum / (double)n);
        assert_true(fabs(got / cases[i].deviation - 1) < 4 / sqrt((double)n));
        if (i == 0) { /* weights are one, not one and i */
            mpno_model_get_param(
                model, mpno_model_find_param(model, "fno_blocks.convs.0.weight.weights"), values);
            for (int k = 0; k < 332; k++) assert_true(values[k] == (k % 2 == 0));
        }
        free(values);
        mpno_model_destroy(&model);
    }
    drop_ctx(ctx);
}

/* Operations of the best tree of all for one layer: CP on two axes. */
static double best_flops(mpno_ctx *ctx, const mpno_fno_config *c, int64_t rank, int64_t batch) {
    enum { M1, M2, I, O, B, R };
    const uint32_t r = 1u << R;
    const mpno_contract_problem p = {
        .n_operands = 6,
        .operand = {r, 1u << I | r, 1u << O | r, 1u << M1 | r, 1u << M2 | r,
                    1u << M1 | 1u << M2 | 1u << B | 1u << I},
        .output = 1u << M1 | 1u << M2 | 1u << B | 1u << O,
        .size = {c->n_modes[0], c->n_modes[1] / 2 + 1, c->hidden_channels, c->hidden_channels,
                 batch, rank},
        .element_bytes = 8};
    mpno_contract_path path;
    assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_FLOPS, &path), MPNO_OK);
    return mpno_contract_cost_of(&p, &path).flops;
}

/* What a network does with a spectrum and its factors takes hardly more operations than the best
 * order of all, for small batches and large ones. */
static void the_cheaper_way_is_taken(void **state) {
    (void)state;
    static const int64_t batches[] = {1, 8, 24, 32, 40, 64, 256};
    mpno_ctx *ctx = make_ctx(1);
    bool data_first = false, weight_first = false;
    for (int i = 0; i < 7; i++) {
        mpno_fno_config c = small_config(2);
        c.n_modes[0] = 32, c.n_modes[1] = 30;
        c.hidden_channels = 32, c.n_layers = 1;
        c.factorization = MPNO_FACTORIZATION_CP, c.rank[0] = 300;
        mpno_model *model;
        mpno_network *network;
        assert_int_equal(mpno_model_declare(ctx, &c, MPNO_F32, &model), MPNO_OK);
        const mpno_network_opts opts =
            make_opts(2, (int64_t[]){64, 64}, batches[i], false, "full", MPNO_F16);
        assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
        const mpno_graph *g = mpno_network_graph(network);
        double flops = 0;
        for (int n = 0; n < g->n_nodes; n++) {
            const mpno_node *node = &g->nodes[n];
            const bool low_rank = node->op == &mpno_op_contract_low_rank,
                       dense = node->op == &mpno_op_contract;
            data_first |= low_rank, weight_first |= dense;
            if (low_rank || dense || node->op == &mpno_op_rebuild)
                flops += node->op->cost(g, node, batches[i]).flops;
        }
        const double best = best_flops(ctx, &c, 300, batches[i]);
        if (!(flops >= 0.999 * best && flops <= 1.03 * best))
            fail_msg("%lld samples: %g operations, the best order takes %g", (long long)batches[i],
                     flops, best);
        mpno_network_destroy(&network), mpno_model_destroy(&model);
    }
    assert_true(data_first && weight_first);
    drop_ctx(ctx);
}

static void eigenvectors(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 10, 33};
    for (int i = 0; i < 5; i++) {
        const int n = sizes[i];
        double *a = make_data(MPNO_F64, 2 * n * n, 3),
               *kept = malloc(2 * sizeof *a * (size_t)(n * n)),
               *v = malloc(2 * sizeof *a * (size_t)(n * n)), last = INFINITY;
        for (int r = 0; r < n; r++)
            for (int c = 0; c <= r; c++) {
                a[c * n + r] = a[r * n + c];
                a[(n + c) * n + r] = r == c ? 0 : -a[(n + r) * n + c];
                if (r == c) a[(n + r) * n + c] = 0;
            }
        memcpy(kept, a, 2 * sizeof *a * (size_t)(n * n));
        mpno_hermitian_vectors(n, a, v);
        for (int c = 0; c < n; c++) { /* A v = lambda v, lambda falling */
            double lambda = 0, length = 0;
            for (int pass = 0; pass < 2; pass++)
                for (int r = 0; r < n; r++) {
                    double re = 0, im = 0;
                    for (int k = 0; k < n; k++) {
                        const double x = kept[r * n + k], y = kept[(n + r) * n + k];
                        re += x * v[k * n + c] - y * v[(n + k) * n + c];
                        im += x * v[(n + k) * n + c] + y * v[k * n + c];
                    }
                    const double p = v[r * n + c], q = v[(n + r) * n + c];
                    if (pass == 0) lambda += p * re + q * im, length += p * p + q * q;
                    if (pass == 1) assert_true(hypot(re - lambda * p, im - lambda * q) < 1e-12 * n);
                }
            assert_true(fabs(length - 1) < 1e-12 && lambda <= last + 1e-12);
            last = lambda;
        }
        free(a), free(kept), free(v);
    }
}

static mpno_fno_config with_factors(mpno_factorization factorization, int n, const double *rank) {
    mpno_fno_config c = small_config(2);
    c.hidden_channels = 6;
    c.n_modes[0] = 4, c.n_modes[1] = 5;
    c.factorization = factorization;
    c.n_ranks = n;
    for (int i = 0; i < n; i++) c.rank[i] = rank[i];
    return c;
}

/* Errors of dense -> factors -> dense, and that the network computes the same. */
static void round_trips(void **state) {
    (void)state;
    static const struct {
        mpno_factorization factorization;
        int n;
        double rank[MPNO_MAX_RANKS], most;
    } cases[] = {{MPNO_FACTORIZATION_TUCKER, 4, {6, 6, 4, 3}, 1e-13},
                 {MPNO_FACTORIZATION_TT, 5, {1, 6, 12, 3, 1}, 1e-13},
                 {MPNO_FACTORIZATION_TUCKER, 4, {5, 6, 4, 2}, 0.8},
                 {MPNO_FACTORIZATION_TT, 5, {1, 5, 10, 3, 1}, 0.8},
                 {MPNO_FACTORIZATION_CP, 1, {16}, 0.6}};
    const mpno_fno_config dense = with_factors(MPNO_FACTORIZATION_DENSE, 1, (double[]){1});
    mpno_ctx *ctx = make_ctx(2);
    mpno_model *from = make_model(ctx, &dense, MPNO_F64);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const mpno_fno_config like =
            with_factors(cases[i].factorization, cases[i].n, cases[i].rank);
        mpno_model *factors, *back;
        double errors[2], none[2];
        assert_int_equal(mpno_model_refactor(from, &like, &factors, errors), MPNO_OK);
        assert_int_equal(mpno_model_refactor(factors, &dense, &back, none), MPNO_OK);
        for (int l = 0; l < 2; l++) {
            if (!(errors[l] <= cases[i].most)) fail_msg("case %zu: error %g", i, errors[l]);
            assert_true(cases[i].most < 1e-10 || errors[l] > 1e-3); /* something was lost */
            assert_true(none[l] <= 1e-13);
        }
        const double *a = make_data(MPNO_F64, 2 * 2 * 64, 4);
        double y[2][2 * 2 * 64];
        mpno_model *models[] = {factors, back};
        for (int m = 0; m < 2; m++) {
            const mpno_network_opts opts =
                make_opts(2, (int64_t[]){8, 8}, 2, false, "full", MPNO_F16);
            mpno_network *network = make_network(ctx, models[m], &opts);
            assert_int_equal(mpno_network_forward(network, 2, a, y[m]), MPNO_OK);
            mpno_network_destroy(&network);
        }
        for (int k = 0; k < 2 * 2 * 64; k++) assert_true(fabs(y[0][k] - y[1][k]) <= 1e-12);
        free((void *)(uintptr_t)a);
        mpno_model_destroy(&factors), mpno_model_destroy(&back);
    }
    mpno_model_destroy(&from);
    drop_ctx(ctx);
}

/* What is of low rank is found again, from one kind of factors to another. */
static void low_rank_is_found_again(void **state) {
    (void)state;
    const double low[] = {3}, tucker[] = {3, 3, 3, 3}, train[] = {1, 3, 3, 3, 1}, more[] = {4};
    const mpno_fno_config from_config = with_factors(MPNO_FACTORIZATION_CP, 1, low);
    const struct {
        mpno_fno_config config;
        double most;
    } to[] = {{with_factors(MPNO_FACTORIZATION_TUCKER, 4, tucker), 1e-7},
              {with_factors(MPNO_FACTORIZATION_TT, 5, train), 1e-7},
              {with_factors(MPNO_FACTORIZATION_CP, 1, more), 1e-2}};
    mpno_ctx *ctx = make_ctx(1);
    mpno_model *from = make_model(ctx, &from_config, MPNO_F64);
    for (int i = 0; i < 3; i++) {
        mpno_model *other;
        double errors[2];
        assert_int_equal(mpno_model_refactor(from, &to[i].config, &other, errors), MPNO_OK);
        for (int l = 0; l < 2; l++)
            if (!(errors[l] <= to[i].most)) fail_msg("case %d: error %g", i, errors[l]);
        mpno_model_destroy(&other);
    }
    mpno_model_destroy(&from);
    drop_ctx(ctx);
}

static void refusals(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config c = with_factors(MPNO_FACTORIZATION_TUCKER, 1, (double[]){0.5});
    mpno_model *declared, *other;
    assert_int_equal(mpno_model_declare(ctx, &c, MPNO_F32, &declared), MPNO_OK);
    assert_int_equal(mpno_model_refactor(declared, &c, &other, NULL), MPNO_E_ARGUMENT);
    mpno_model_destroy(&declared);
    mpno_model *made = make_model(ctx, &c, MPNO_F32);
    c.rank[0] = -1;
    assert_int_equal(mpno_model_refactor(made, &c, &other, NULL), MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "model.rank is -1"));
    c.rank[0] = 0.5;
    for (int64_t after = 0;; after++) { /* memory may run out anywhere */
        mpno_alloc_fail_after(ctx, after);
        const mpno_status status = mpno_model_refactor(made, &c, &other, NULL);
        mpno_alloc_fail_after(ctx, -1);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
    }
    mpno_model_destroy(&other), mpno_model_destroy(&made);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_are_those_of_tensorly),
                                       cmocka_unit_test(first_values),
                                       cmocka_unit_test(the_cheaper_way_is_taken),
                                       cmocka_unit_test(eigenvectors),
                                       cmocka_unit_test(round_trips),
                                       cmocka_unit_test(low_rank_is_found_again),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
