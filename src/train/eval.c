/* SPDX-License-Identifier: MIT
 * mpno_eval: errors of a trained model on test data. See mpno/run.h. */
#include "core/memory.h"
#include "mpno/run.h"
#include "train/restore.h"
#include "train/sink.h"
#include "train/trainer.h"

static mpno_status evaluate_tests(mpno_ctx *ctx, const mpno_restored *r, const mpno_sets *sets,
                                  mpno_table *table, mpno_value *tests) {
    const mpno_predictor_opts opts = mpno_restored_opts(r);
    MPNO_TRY(mpno_table_column(table, "test", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "samples", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "relative L2", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "relative H1", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "mean square", MPNO_RIGHT));
    for (size_t i = 0; i < sets->n_tests; i++) {
        mpno_metrics metrics;
        MPNO_TRY(mpno_evaluate(r->model, ctx, &sets->tests[i], &opts, &metrics));
        MPNO_TRY(mpno_metrics_put(ctx, tests, sets->tests[i].key, &metrics));
        MPNO_TRY(mpno_table_cell(table, "%s", sets->tests[i].key));
        MPNO_TRY(mpno_table_cell(table, "%lld", (long long)sets->tests[i].n));
        MPNO_TRY(mpno_table_cell(table, "%.5f", metrics.l2));
        MPNO_TRY(mpno_table_cell(table, "%.5f", metrics.h1));
        MPNO_TRY(mpno_table_cell(table, "%.4g", metrics.mse));
    }
    return MPNO_OK;
}

static mpno_status report(mpno_ctx *ctx, const mpno_restored *r, const mpno_sets *sets,
                          const mpno_sink *sink, mpno_table *table, mpno_value *map) {
    mpno_value *tests = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, "test", &tests));
    MPNO_TRY(evaluate_tests(ctx, r, sets, table, tests));
    MPNO_TRY(mpno_restored_report(ctx, r, map));
    const bool averages = mpno_settings_use_ema(&r->checkpoint->settings);
    mpno_say(sink, "%s, epoch %lld, policy %s%s\n", r->checkpoint->path,
             (long long)r->checkpoint->state.epoch, r->policy,
             averages ? ", averaged weights" : "");
    return mpno_say_table(ctx, sink, table);
}

static mpno_status eval(mpno_ctx *ctx, const mpno_restored *r, const mpno_sink *sink, char **json) {
    const mpno_checkpoint *c = r->checkpoint;
    mpno_sets sets = {0};
    mpno_table *table = NULL;
    mpno_value *map = NULL;
    MPNO_CHECK(ctx, c->settings.data.test.n > 0, MPNO_E_CONFIG,
               "%s names no test data: give data.test=FILE", c->path);
    mpno_status status = mpno_sets_read_tests(ctx, &c->settings, &c->state, &sets);
    if (status == MPNO_OK) status = mpno_table_create(ctx, &table);
    if (status == MPNO_OK) status = mpno_value_map(ctx, &map);
    if (status == MPNO_OK) status = report(ctx, r, &sets, sink, table, map);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    mpno_table_destroy(&table);
    mpno_sets_clear(ctx, &sets);
    return status;
}

mpno_status mpno_eval(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                      const mpno_sink *sink, char **json) {
    const int n_threads = ctx->n_threads;
    mpno_restored restored;
    if (json) *json = NULL;
    mpno_override_threads(ctx, overrides);
    mpno_status status = mpno_restore(ctx, checkpoint, overrides, &restored);
    if (status == MPNO_OK) {
        status = eval(ctx, &restored, sink, json);
        mpno_restored_clear(ctx, &restored);
    }
    ctx->n_threads = n_threads;
    return status;
}
