/* SPDX-License-Identifier: MIT
 * Budgets of norms: what a projection leaves of weights, what a run that trains under one ends
 * with, and what its SET certificate says beside that of a run without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "certify/set.h"
#include "certify/spectral_norm.h"
#include "mpno/trained.h"
#include "train/lipschitz.h"
#include "unit/train/project.h"

static const double SPECTRAL = 1, LINEAR = 0.9;

/* The largest norm of a block, from above. */
static double norm_of(const mpno_model *model, int param) {
    const mpno_matrices m = mpno_param_matrices(model, param);
    double norm;
    assert_int_equal(mpno_spectral_norms(ctx, &m, 12, NULL, &norm), MPNO_OK);
    return norm;
}

static bool is_matrix(const mpno_param *p) {
    return p->weight.role == MPNO_ROLE_WEIGHT_LINEAR && p->ndim > 1;
}
static bool is_gate(const mpno_param *p) {
    return strstr(p->name, "_skips.") != NULL && !is_matrix(p);
}

static double number(const mpno_model *model, int p, size_t i) {
    const mpno_raw_param raw = mpno_model_raw(model, p);
    return model->arithmetic == MPNO_F64 ? ((double *)raw.data)[i] : (double)((float *)raw.data)[i];
}

/* Every matrix is within the budget; scaled ones are near it. Gives how many parameters are. */
static int check_budget(const mpno_model *model) {
    int near = 0;
    for (int p = 0; p < model->n_params; p++) {
        const mpno_param *param = &model->params[p];
        const bool spectral = param->weight.role == MPNO_ROLE_WEIGHT_SPECTRAL;
        const double budget =
            spectral ? SPECTRAL : LINEAR / (double)(is_gate(param) ? 1 : param->weight.blocks);
        if (spectral || is_matrix(param)) {
            const double norm = norm_of(model, p);
            if (!(norm <= budget * (1 + 1e-12)))
                fail_msg("%s has the norm %.9g", param->name, norm);
            near += norm > 0.96 * budget;
        }
        for (size_t i = 0; is_gate(param) && i < mpno_weight_count(&param->weight); i++)
            assert_true(fabs(number(model, p, i)) <= LINEAR);
    }
    return near;
}

static mpno_model *make_model(mpno_format format, int conv, uint64_t seed) {
    mpno_fno_config c = MPNO_FNO_CONFIG_INIT;
    mpno_model *model;
    c.ndim = 2, c.n_modes[0] = 6, c.n_modes[1] = 5;
    c.in_channels = c.out_channels = 1;
    c.hidden_channels = 7, c.n_layers = 2, c.conv_bias_kernel = conv;
    assert_int_equal(mpno_model_create(ctx, &c, format, seed, &model), MPNO_OK);
    return model;
}

static mpno_settings budget_settings(double spectral, double linear) {
    mpno_settings s;
    assert_int_equal(mpno_settings_default(ctx, &s), MPNO_OK);
    s.regularizer.lipschitz_spectral = spectral;
    s.regularizer.lipschitz_linear = linear;
    return s;
}

static mpno_model *projected(mpno_format format, int conv, int threads, double spectral,
                             double linear, int *times) {
    mpno_model *model = make_model(format, conv, 3);
    mpno_settings s = budget_settings(spectral, linear);
    mpno_lipschitz *l;
    const int before = ctx->n_threads;
    ctx->n_threads = threads;
    assert_int_equal(mpno_lipschitz_create(model, &s, &l), MPNO_OK);
    *times = 0;
    while (*times < 10 && mpno_lipschitz_project(l)) ++*times;
    mpno_lipschitz_destroy(&l);
    ctx->n_threads = before;
    mpno_settings_clear(ctx, &s);
    return model;
}

static void projections_meet_the_budget(void **state) {
    (void)state;
    for (int format = 0; format < 2; format++)
        for (int conv = 1; conv <= 3; conv += 2) {
            const mpno_format f = format == 0 ? MPNO_F32 : MPNO_F64;
            int times;
            mpno_model *model = projected(f, conv, 1, SPECTRAL, LINEAR, &times);
            assert_int_equal(times, 1); /* a second one finds nothing to do */
            assert_true(check_budget(model) >= 8);
            mpno_model *other = projected(f, conv, 3, SPECTRAL, LINEAR, &times);
            mpno_model *plain = make_model(f, conv, 3);
            mpno_model *wide = projected(f, conv, 1, 1e6, 1e6, &times);
            assert_int_equal(times, 0);
            for (int p = 0; p < model->n_params; p++) {
                const size_t n = mpno_weight_count(&model->params[p].weight);
                for (size_t i = 0; i < n; i++) {
                    assert_true(number(model, p, i) == number(other, p, i));
                    assert_true(number(plain, p, i) == number(wide, p, i));
                }
            }
            mpno_model_destroy(&model);
            mpno_model_destroy(&other);
            mpno_model_destroy(&plain);
            mpno_model_destroy(&wide);
        }
}

/* A block is scaled as a whole, and the others stay as they are. */
static void only_what_is_too_large_is_scaled(void **state) {
    (void)state;
    int times;
    mpno_model *plain = make_model(MPNO_F64, 1, 3);
    mpno_model *model = projected(MPNO_F64, 1, 1, 1.6, INFINITY, &times);
    int scaled = 0, kept = 0;
    for (int p = 0; p < plain->n_params; p++) {
        const mpno_weight *w = &plain->params[p].weight;
        const int64_t n = w->rows * w->cols * (w->is_complex ? 2 : 1);
        for (int64_t k = 0; k < w->blocks; k++) {
            const size_t first = (size_t)(k * n);
            const double ratio = number(model, p, first) / number(plain, p, first);
            for (size_t i = first; i < first + (size_t)n; i++)
                assert_true(fabs(number(model, p, i) - ratio * number(plain, p, i)) <=
                            1e-14 * fabs(number(plain, p, i)));
            assert_true(ratio <= 1);
            if (ratio < 1) assert_int_equal(w->role, MPNO_ROLE_WEIGHT_SPECTRAL);
            scaled += ratio < 1, kept += ratio == 1;
        }
    }
    assert_true(scaled > 5 && kept > 20);
    mpno_model_destroy(&plain);
    mpno_model_destroy(&model);
}

static mpno_set_certificate certify(const char *output, bool budget) {
    char path[128];
    mpno_trained *trained;
    snprintf(path, sizeof path, "%s/%s", folder, output);
    assert_int_equal(mpno_trained_load(ctx, path, NULL, &trained), MPNO_OK);
    mpno_model *model = (mpno_model *)(uintptr_t)mpno_trained_model(trained);
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    mpno_network *network;
    mpno_set_certificate c;
    opts.grid[0] = POINTS, opts.policy = "mixed";
    assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
    const mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 1.5, .size = 0.5};
    assert_int_equal(mpno_set_certify(model, network, &ball, &c), MPNO_OK);
    if (budget) assert_true(check_budget(model) >= 4);
    mpno_network_destroy(&network);
    mpno_trained_destroy(&trained);
    return c;
}

/* The same run with and without a budget: trained models are within it, and their certificates say
 * something: of targets of deviation 1, to half of that. */
static void runs_end_within_the_budget(void **state) {
    (void)state;
    const char *const with[] = {"regularizer.lipschitz_spectral",
                                "1",
                                "regularizer.lipschitz_linear",
                                "0.9",
                                "regularizer.lipschitz_every",
                                "4",
                                "precision.policy",
                                "mixed",
                                "opt.n_epochs",
                                "30",
                                "eval.every",
                                "30",
                                NULL};
    const char *const without[] = {
        "precision.policy", "mixed", "opt.n_epochs", "30", "eval.every", "30", NULL};
    const double error = train("with", with, false, NULL, MPNO_OK);
    const double free_error = train("without", without, false, NULL, MPNO_OK);
    mpno_set_certificate c = certify("with", true), other = certify("without", false);
    char text[2][400];
    print_message("budget (error %.3g): %s\nnone (error %.3g): %s\n", error,
                  mpno_set_text(&c, text[0], sizeof text[0]), free_error,
                  mpno_set_text(&other, text[1], sizeof text[1]));
    assert_true(!c.vacuous && other.vacuous && error < 0.4); /* and it has learned */
    mpno_set_clear(&c);
    mpno_set_clear(&other);
}

static void other_keys_must_agree(void **state) {
    (void)state;
    const char *const factors[] = {"regularizer.lipschitz_spectral", "1", "model.factorization",
                                   "tucker", NULL};
    const char *const averages[] = {"regularizer.lipschitz_linear", "1", "opt.ema_decay", "0.9",
                                    NULL};
    const char *const every_step[] = {"regularizer.lipschitz_linear",
                                      "1",
                                      "opt.ema_decay",
                                      "0.9",
                                      "regularizer.lipschitz_every",
                                      "1",
                                      "opt.n_epochs",
                                      "1",
                                      NULL};
    train("a", factors, false, NULL, MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "model.factorization=dense"));
    train("b", averages, false, NULL, MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "regularizer.lipschitz_every=1"));
    train("c", every_step, false, NULL, MPNO_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(projections_meet_the_budget),
                                       cmocka_unit_test(only_what_is_too_large_is_scaled),
                                       cmocka_unit_test(runs_end_within_the_budget),
                                       cmocka_unit_test(other_keys_must_agree)};
    return cmocka_run_group_tests(tests, start, finish);
}
