/* SPDX-License-Identifier: MIT
 * Optimisers, clipping, averages and learning rates against PyTorch, through the keys of a
 * configuration: tests/data/optimizers and lr_schedules, made by tests/golden/make_optimizers.py.
 * A row of optimizers.def or lr_schedules.def without a case there fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "model/network.h"
#include "mpno/mpno.h"
#include "train/config.h"
#include "train/ema.h"
#include "train/optimizer.h"
#include "unit/train/vectors.h"

enum { STEPS = 10, POINTS = 8 };
static const double tolerance = 1e-12;

/* The resolved configuration of "KEY=VALUE KEY=VALUE". */
static mpno_config *make_config(mpno_ctx *ctx, const char *keys) {
    mpno_config *config = NULL;
    char text[700];
    snprintf(text, sizeof text, "model.n_modes=[8] model.hidden_channels=4 data.train=none %s",
             keys);
    assert_int_equal(mpno_config_load(ctx, NULL, &config), MPNO_OK);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (mpno_config_override(config, word, value) != MPNO_OK)
            fail_msg("%s", mpno_ctx_error(ctx));
    }
    if (mpno_config_resolve(config, NULL) != MPNO_OK) fail_msg("%s", mpno_ctx_error(ctx));
    return config;
}

typedef struct rig {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *network;
    mpno_optimizer *optimizer;
    mpno_ema *ema;
} rig;

static rig make_rig(const mpno_settings *settings, bool accumulate) {
    rig r = {0};
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts network = MPNO_NETWORK_OPTS_INIT;
    mpno_optimizer_opts opts = mpno_settings_optimizer(settings);
    opts.accumulate = accumulate;
    config.ndim = 1;
    config.n_modes[0] = network.grid[0] = POINTS;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 4;
    config.n_layers = 1;
    network.training = true;
    assert_int_equal(mpno_ctx_create(NULL, &r.ctx), MPNO_OK);
    assert_int_equal(mpno_model_create(r.ctx, &config, MPNO_F64, 1, &r.model), MPNO_OK);
    assert_int_equal(mpno_network_create(r.model, &network, &r.network), MPNO_OK);
    assert_int_equal(mpno_optimizer_create(r.model, &opts, &r.optimizer), MPNO_OK);
    if (!isnan(settings->opt.ema_decay)) {
        assert_int_equal(mpno_ema_create(r.model, settings->opt.ema_decay, &r.ema), MPNO_OK);
    }
    return r;
}

static void drop_rig(rig *r) {
    mpno_ema_destroy(&r->ema);
    mpno_optimizer_destroy(&r->optimizer);
    mpno_network_destroy(&r->network);
    mpno_model_destroy(&r->model);
    assert_int_equal(mpno_ctx_bytes(r->ctx), 0);
    mpno_ctx_destroy(&r->ctx);
}

typedef enum target { WEIGHTS, GRADIENTS, AVERAGES } target;

/* The first n real and m complex weights of the model (in the order of its parameters), or what
 * stands beside them: set to `real` and `cplx` times scale, all others to zero; or compared. */
static void visit(rig *r, target what, bool compare, const double *real, size_t n,
                  const double *cplx, size_t m, double scale, const char *name) {
    size_t used[2] = {0, 0};
    const size_t count[2] = {n, m};
    const double *const from[2] = {real, cplx};
    for (int p = 0; p < mpno_model_n_params(r->model); p++) {
        const mpno_param_info info = mpno_model_param_info(r->model, p);
        const int kind = info.is_complex ? 1 : 0;
        double *values = calloc(info.count, sizeof *values);
        assert_non_null(values);
        if (compare && what == WEIGHTS) mpno_model_get_param(r->model, p, values);
        if (compare && what == AVERAGES) mpno_ema_get(r->ema, p, values);
        for (size_t i = 0; i < info.count && used[kind] < count[kind]; i++, used[kind]++) {
            const double expected = from[kind][used[kind]] * scale;
            if (!compare) {
                values[i] = expected;
            } else if (!(fabs(values[i] - expected) <= tolerance * fmax(1, fabs(expected)))) {
                fail_msg("%s: number %zu (%s) is %.17g, expected %.17g", name, used[kind],
                         kind ? "complex" : "real", values[i], expected);
            }
        }
        if (!compare && what == WEIGHTS) mpno_model_set_param(r->model, p, values);
        if (!compare && what == GRADIENTS) {
            mpno_param_import(&r->model->params[p], MPNO_F64,
                              mpno_network_raw_gradient(r->network, p), values);
        }
        free(values);
    }
    assert_true(used[0] == n && used[1] == m);
}

typedef struct way {
    const char *name;
    int parts;         /* a gradient comes in so many equal parts */
    double loss_scale; /* and so many times too large */
} way;

static void run_case(const vectors *v, const char *name, const mpno_settings *settings,
                     const way *w) {
    rig r = make_rig(settings, w->parts > 1);
    size_t n, m, count;
    const double *real = vectors_get_f64(v, "input", "real", &n);
    const double *cplx = vectors_get_f64(v, "input", "complex", &m);
    const double *g_real = vectors_get_f64(v, "input", "gradients_real", &count);
    const double *g_cplx = vectors_get_f64(v, "input", "gradients_complex", &count);
    const double *p_real = vectors_get_f64(v, "real", name, &count);
    const double *p_cplx = vectors_get_f64(v, "complex", name, &count);
    visit(&r, WEIGHTS, false, real, n, cplx, m, 1, name);
    for (int k = 0; k < STEPS; k++) {
        visit(&r, GRADIENTS, false, g_real + (size_t)k * n, n, g_cplx + (size_t)k * m, m,
              w->loss_scale / w->parts, name);
        for (int i = 1; i < w->parts; i++) mpno_optimizer_accumulate(r.optimizer, r.network);
        mpno_optimizer_step(r.optimizer, r.network, settings->opt.learning_rate, w->loss_scale);
        visit(&r, WEIGHTS, true, p_real + (size_t)k * n, n, p_cplx + (size_t)k * m, m, 1, name);
        if (!r.ema) continue;
        const double *a_real = vectors_get_f64(v, "average_real", name, &count);
        const double *a_cplx = vectors_get_f64(v, "average_complex", name, &count);
        a_real += (size_t)k * n, a_cplx += (size_t)k * m;
        mpno_ema_update(r.ema, k + 1);
        visit(&r, AVERAGES, true, a_real, n, a_cplx, m, 1, name);
        mpno_ema_swap(r.ema);
        visit(&r, WEIGHTS, true, a_real, n, a_cplx, m, 1, name);
        visit(&r, AVERAGES, true, p_real + (size_t)k * n, n, p_cplx + (size_t)k * m, m, 1, name);
        mpno_ema_swap(r.ema);
    }
    assert_int_equal(mpno_optimizer_steps(r.optimizer), STEPS);
    drop_rig(&r);
}

static void steps_are_those_of_pytorch(void **state) {
    (void)state;
    static const way ways[] = {
        {"plain", 1, 1}, {"scaled", 1, 1024}, {"in two parts", 2, 1}, {"in four", 4, 64}};
    static vectors v;
    bool seen[64] = {false};
    const char *at = NULL;
    char name[64], keys[512];
    mpno_ctx *ctx = NULL;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    vectors_open("tests/data/optimizers", &v);
    while (vectors_next_case(&v, &at, name, keys)) {
        mpno_config *config = make_config(ctx, keys);
        seen[config->settings.opt.optimizer] = true;
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            run_case(&v, name, &config->settings, &ways[i]);
        }
        mpno_config_destroy(&config);
    }
    for (int kind = 0; mpno_optimizer_rule_get((mpno_optimizer_kind)kind); kind++) {
        if (!seen[kind])
            fail_msg("no case of %s", mpno_optimizer_rule_get((mpno_optimizer_kind)kind)->name);
    }
    free(v.bytes);
    mpno_ctx_destroy(&ctx);
}

static void rates_are_those_of_pytorch(void **state) {
    (void)state;
    static vectors v;
    bool seen[MPNO_LR_COUNT] = {false};
    const char *at = NULL;
    char name[64], keys[512];
    mpno_ctx *ctx = NULL;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    vectors_open("tests/data/lr_schedules", &v);
    while (vectors_next_case(&v, &at, name, keys)) {
        mpno_config *config = make_config(ctx, keys);
        const mpno_lr_opts opts = mpno_settings_lr(&config->settings);
        mpno_lr_state memory = mpno_lr_start(&opts);
        size_t n, n_metrics = 0;
        const double *rates = vectors_get_f64(&v, "rates", name, &n), *metrics = NULL;
        if (opts.kind == MPNO_LR_plateau) {
            metrics = vectors_get_f64(&v, "metrics", name, &n_metrics);
            assert_int_equal(n, n_metrics);
        }
        seen[opts.kind] = true;
        for (size_t e = 0; e < n; e++) { /* of one step each */
            const double rate = mpno_lr_at(&opts, &memory, (int64_t)e, (int64_t)e);
            if (!(fabs(rate - rates[e]) <= tolerance * opts.base)) {
                fail_msg("%s: epoch %zu has the rate %.17g, expected %.17g", name, e, rate,
                         rates[e]);
            }
            mpno_lr_epoch_end(&opts, &memory, (int64_t)e, metrics ? metrics[e] : NAN);
        }
        mpno_config_destroy(&config);
    }
    for (int kind = 0; kind < MPNO_LR_COUNT; kind++) {
        if (!seen[kind]) fail_msg("no case of %s", mpno_lr_name((mpno_lr_kind)kind));
    }
    free(v.bytes);
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_pytorch),
        cmocka_unit_test(rates_are_those_of_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
