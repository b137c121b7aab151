/* SPDX-License-Identifier: MIT
 * mpno_train: a whole training run. See mpno/run.h. */
#include <string.h>

#include "core/memory.h"
#include "mpno/run.h"
#include "report/human.h"
#include "train/report.h"
#include "train/sink.h"
#include "train/trainer.h"

void mpno_text_free(mpno_ctx *ctx, char *text) {
    mpno_free(ctx, text);
}

static mpno_status say_result(const mpno_trainer *t, const mpno_sink *sink) {
    mpno_table *table = NULL;
    char bytes[MPNO_HUMAN_CAPACITY], seconds[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_table_create(t->ctx, &table));
    mpno_status status = mpno_table_column(table, "test", MPNO_LEFT);
    if (status == MPNO_OK) status = mpno_table_column(table, "samples", MPNO_RIGHT);
    if (status == MPNO_OK) status = mpno_table_column(table, "relative L2", MPNO_RIGHT);
    if (status == MPNO_OK) status = mpno_table_column(table, "relative H1", MPNO_RIGHT);
    for (size_t i = 0; i < t->sets.n_tests && status == MPNO_OK; i++) {
        status = mpno_table_cell(table, "%s", t->sets.tests[i].key);
        if (status == MPNO_OK) {
            status = mpno_table_cell(table, "%lld", (long long)t->sets.tests[i].n);
        }
        if (status == MPNO_OK) status = mpno_table_cell(table, "%.4f", t->tests[i].l2);
        if (status == MPNO_OK) status = mpno_table_cell(table, "%.4f", t->tests[i].h1);
    }
    if (status == MPNO_OK && t->sets.n_tests > 0) status = mpno_say_table(t->ctx, sink, table);
    mpno_table_destroy(&table);
    if (mpno_trainer_stopped_early(t)) {
        mpno_say(sink, "stopped early after epoch %lld: the weights are those of epoch %lld\n",
                 (long long)t->state.epoch, (long long)t->state.best_epoch);
    }
    if (t->epochs_here > 0) {
        mpno_say(sink, "%s per epoch, peak memory %s, %lld skipped steps; run folder %s\n",
                 mpno_human_seconds(t->seconds / (double)t->epochs_here, seconds),
                 mpno_human_bytes(mpno_ctx_peak_bytes(t->ctx), bytes),
                 (long long)t->state.loss_scale.skipped, t->settings->output);
    }
    return status;
}

static mpno_status finish(mpno_trainer *t, const mpno_sink *sink, char **json) {
    mpno_value *summary = NULL;
    MPNO_TRY(mpno_trainer_summary(t, &summary));
    mpno_status status = mpno_runlog_summary(t->log, summary);
    if (status == MPNO_OK) status = mpno_runlog_event(t->log, "end", t->state.epoch, NULL);
    if (status == MPNO_OK) status = say_result(t, sink);
    if (status == MPNO_OK && json) status = mpno_json_text(t->ctx, summary, false, json);
    mpno_value_destroy(t->ctx, &summary);
    return status;
}

static mpno_status write_report(mpno_ctx *ctx, const char *folder, mpno_tensorboard *board,
                                const mpno_sink *sink) {
    mpno_report_result result;
    mpno_status status = mpno_report_write(ctx, folder, NULL, board, &result);
    if (status != MPNO_OK) {
        return mpno_fail_in(ctx, status, "the run is complete, but its report is not");
    }
    mpno_say(sink, "report %s\n", result.path);
    return MPNO_OK;
}

static mpno_status run(mpno_ctx *ctx, mpno_config *config, bool resume, const mpno_sink *sink,
                       char **json) {
    mpno_trainer trainer;
    MPNO_TRY(mpno_trainer_open(ctx, &config->settings, resume, sink, &trainer));
    mpno_say(sink, "%zu parameters, %lld training samples, %d threads, %s\n",
             mpno_model_n_weights(trainer.model), (long long)mpno_sets_samples(&trainer.sets),
             mpno_ctx_n_threads(ctx), mpno_ctx_isa(ctx));
    if (resume) mpno_say(sink, "going on after epoch %lld\n", (long long)trainer.state.epoch);
    mpno_status status = mpno_trainer_run(&trainer);
    if (status == MPNO_OK) status = finish(&trainer, sink, json);
    mpno_tensorboard *board = trainer.board;
    trainer.board = NULL;
    mpno_trainer_close(&trainer); /* its memory is not needed any more */
    if (status == MPNO_OK && config->settings.report.html) {
        status = write_report(ctx, config->settings.output, board, sink);
    }
    mpno_tensorboard_close(&board);
    return status;
}

mpno_status mpno_train(mpno_ctx *ctx, mpno_config *config, bool resume, const mpno_sink *sink,
                       char **json) {
    const int n_threads = ctx->n_threads;
    if (json) *json = NULL;
    MPNO_TRY(mpno_config_resolve(config, NULL));
    if (config->settings.n_threads > 0) ctx->n_threads = (int)config->settings.n_threads;
    mpno_status status = run(ctx, config, resume, sink, json);
    ctx->n_threads = n_threads;
    return status;
}
