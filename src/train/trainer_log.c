/* SPDX-License-Identifier: MIT
 * What a run writes down: config.yaml, metrics.csv (no times: equal runs give equal files),
 * log.jsonl, TensorBoard events, the summary. Epochs are counted from 1 there: row e says what
 * holds after e epochs. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "graph/policy.h"
#include "train/modes.h"
#include "train/sink.h"
#include "train/trainer.h"

enum { FIXED_COLUMNS = 6, MAX_COLUMNS = 256, COLUMN_NAME = 80 };

static double wall_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* YAML shown as it stands. */
static mpno_status board_config(mpno_trainer *t, const char *yaml) {
    mpno_text text = {.ctx = t->ctx};
    mpno_status status = mpno_text_add(&text, "```\n%s```\n", yaml);
    if (status == MPNO_OK)
        status = mpno_tensorboard_text(t->board, 0, wall_time(), "config", text.data);
    mpno_text_discard(&text);
    return status;
}

static mpno_status write_config(mpno_trainer *t, bool resume) {
    char path[4096];
    mpno_value *tree = NULL;
    char *yaml = NULL;
    MPNO_TRY(mpno_path_join(t->ctx, t->settings->output, "config.yaml", path, sizeof path));
    MPNO_TRY(mpno_fields_dump(t->ctx, mpno_settings_fields(), mpno_settings_n_fields(), t->settings,
                              &tree));
    mpno_status status = mpno_yaml_text(t->ctx, tree, &yaml);
    mpno_value_destroy(t->ctx, &tree);
    if (status == MPNO_OK) status = mpno_file_write_atomic(t->ctx, path, yaml, strlen(yaml));
    if (status == MPNO_OK && t->board && !resume) status = board_config(t, yaml);
    mpno_free(t->ctx, yaml);
    return status;
}

/* Whether the training loss is told by resolution too. */
static bool several(const mpno_trainer *t) {
    return t->sets.n_train > 1;
}

static mpno_status open_runlog(mpno_trainer *t, bool resume) {
    static const char *const fixed[FIXED_COLUMNS] = {"epoch",      "phase",         "learning_rate",
                                                     "loss_scale", "skipped_steps", "train_loss"};
    char names[MAX_COLUMNS][COLUMN_NAME];
    const char *columns[MAX_COLUMNS];
    size_t n = 0;
    for (; n < FIXED_COLUMNS; n++) columns[n] = fixed[n];
    if (t->sets.n_validation > 0) {
        columns[n++] = "validation_l2";
        columns[n++] = "validation_h1";
    }
    for (size_t i = 0; several(t) && i < t->sets.n_train && n < MAX_COLUMNS; i++) {
        snprintf(names[n], COLUMN_NAME, "train_%s_loss", t->sets.train[i].key);
        columns[n] = names[n];
        n++;
    }
    for (size_t i = 0; i < t->sets.n_tests && n + 2 <= MAX_COLUMNS; i++) {
        snprintf(names[n], COLUMN_NAME, "test_%s_l2", t->sets.tests[i].key);
        snprintf(names[n + 1], COLUMN_NAME, "test_%s_h1", t->sets.tests[i].key);
        columns[n] = names[n];
        columns[n + 1] = names[n + 1];
        n += 2;
    }
    return mpno_runlog_open(t->ctx, t->settings->output, columns, n,
                            resume ? t->state.epoch + 1 : -1, &t->log);
}

/* Facts of the process: the start and every resume are events. */
static mpno_status log_start(mpno_trainer *t, bool resume) {
    mpno_value *fields = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_value_set_string(t->ctx, fields, "version", mpno_version());
    if (status == MPNO_OK) {
        status = mpno_value_set_string(t->ctx, fields, "isa", mpno_ctx_isa(t->ctx));
    }
    if (status == MPNO_OK) {
        status = mpno_value_set_int(t->ctx, fields, "threads", mpno_ctx_n_threads(t->ctx));
    }
    if (status == MPNO_OK) {
        status = mpno_value_set_int(t->ctx, fields, "parameters",
                                    (int64_t)mpno_model_n_weights(t->model));
    }
    if (status == MPNO_OK) {
        status = mpno_runlog_event(t->log, resume ? "resume" : "start",
                                   resume ? t->state.epoch + 1 : -1, fields);
    }
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

mpno_status mpno_trainer_open_log(mpno_trainer *t, bool resume) {
    MPNO_TRY(mpno_folder_create(t->ctx, t->settings->output));
    MPNO_TRY(open_runlog(t, resume));
    if (t->settings->report.tensorboard) {
        MPNO_TRY(mpno_tensorboard_open(t->ctx, t->settings->output,
                                       resume ? t->state.epoch + 1 : -1, wall_time(), &t->board));
    }
    MPNO_TRY(write_config(t, resume));
    return log_start(t, resume);
}

static mpno_status put_tensor(mpno_ctx *ctx, const mpno_tensor_line *line, mpno_value *map) {
    MPNO_TRY(mpno_value_set_string(ctx, map, "name", line->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", line->layer));
    MPNO_TRY(mpno_value_set_string(ctx, map, "role", line->role));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", mpno_format_get(line->format)->name));
    if (line->scaling != MPNO_SCALING_NONE)
        MPNO_TRY(mpno_value_set_string(ctx, map, "scaling", mpno_scaling_text(line->scaling)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "bytes", (int64_t)line->bytes));
    return mpno_value_set_bool(ctx, map, "kept", line->kept);
}

mpno_status mpno_tensors_list(mpno_ctx *ctx, const mpno_network *network, mpno_value **out) {
    mpno_value *list = NULL;
    MPNO_TRY(mpno_value_list(ctx, &list));
    for (int i = 0; i < mpno_network_n_tensors(network); i++) {
        const mpno_tensor_line line = mpno_network_tensor(network, i);
        mpno_value *map = NULL;
        mpno_status status = mpno_value_map(ctx, &map);
        if (status == MPNO_OK) {
            status = put_tensor(ctx, &line, map);
            if (status != MPNO_OK) mpno_value_destroy(ctx, &map);
        }
        if (status == MPNO_OK) status = mpno_value_append(ctx, list, map);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &list);
            return status;
        }
    }
    *out = list;
    return MPNO_OK;
}

static mpno_status fill_phase(mpno_trainer *t, mpno_value *fields) {
    const mpno_settings *s = t->settings;
    const mpno_phase *phase = &t->schedule.phase[t->phase];
    const size_t finest = (size_t)(mpno_sets_finest(&t->sets) - t->sets.train);
    size_t activations = 0, state = mpno_optimizer_bytes(t->optimizer);
    for (size_t i = 0; i < t->sets.n_train; i++) {
        if (!t->networks[i]) continue;
        const mpno_network_cost cost = mpno_network_get_cost(t->networks[i]);
        activations += cost.activation_bytes;
        state += cost.gradient_bytes + cost.weight_copy_bytes;
    }
    const mpno_stabilizer used = mpno_settings_stabilizer(s, phase);
    mpno_value *tensors = NULL;
    const char *products = mpno_network_bf16_products(t->networks[finest]);
    MPNO_TRY(mpno_value_set_string(t->ctx, fields, "policy", phase->policy));
    if (products != NULL)
        MPNO_TRY(mpno_value_set_string(t->ctx, fields, "bf16_products", products));
    MPNO_TRY(mpno_value_set_string(t->ctx, fields, "half",
                                   mpno_format_get(mpno_settings_half(s))->name));
    MPNO_TRY(mpno_value_set_string(t->ctx, fields, "stabilizer", mpno_stabilizer_get(used)->name));
    const double blend = mpno_model_config(t->model)->stabilizer_blend;
    if (blend > 0) MPNO_TRY(mpno_value_set_real(t->ctx, fields, "blend", blend));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "step", t->state.step));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "activation_bytes", (int64_t)activations));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "state_bytes", (int64_t)state));
    MPNO_TRY(mpno_value_set_real(t->ctx, fields, "step_flops",
                                 mpno_network_get_cost(t->networks[finest]).flops));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "micro_batch",
                                mpno_network_micro_batch(t->networks[finest])));
    MPNO_TRY(mpno_tensors_list(t->ctx, t->networks[finest], &tensors));
    return mpno_value_set(t->ctx, fields, "tensors", tensors);
}

/* A phase has begun, or its stabiliser lets more of the field through. */
mpno_status mpno_trainer_log_phase(mpno_trainer *t, int64_t epoch) {
    mpno_value *fields = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = fill_phase(t, fields);
    if (status == MPNO_OK) status = mpno_runlog_event(t->log, "phase", epoch + 1, fields);
    if (status == MPNO_OK && t->board) {
        status = mpno_tensorboard_text(t->board, epoch + 1, wall_time(), "policy",
                                       t->schedule.phase[t->phase].policy);
    }
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

/* Modes have changed: whoever watches is told, too. */
mpno_status mpno_trainer_log_modes(mpno_trainer *t) {
    const mpno_fno_config *c = mpno_model_config(t->model);
    const size_t finest = (size_t)(mpno_sets_finest(&t->sets) - t->sets.train);
    const mpno_network_cost cost = mpno_network_get_cost(t->networks[finest]);
    mpno_value *fields = NULL, *layers = NULL;
    char text[512] = "";
    for (int64_t l = 0; l < c->n_layers; l++)
        for (int d = 0; d < c->ndim; d++) {
            int64_t n[MPNO_MAX_AXES];
            const size_t used = strlen(text);
            mpno_model_layer_modes(t->model, l, n);
            snprintf(text + used, sizeof text - used, "%s%lld", d == 0 ? " " : "x",
                     (long long)n[d]);
        }
    mpno_say(t->sink, "epoch %lld: modes of the blocks%s\n", (long long)t->state.epoch + 1, text);
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_modes_list(t->ctx, t->model, &layers);
    if (status == MPNO_OK) status = mpno_value_set(t->ctx, fields, "layers", layers);
    if (status == MPNO_OK)
        status =
            mpno_value_set_int(t->ctx, fields, "activation_bytes", (int64_t)cost.activation_bytes);
    if (status == MPNO_OK) status = mpno_value_set_real(t->ctx, fields, "step_flops", cost.flops);
    if (status == MPNO_OK) status = mpno_runlog_event(t->log, "modes", t->state.epoch + 1, fields);
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

mpno_status mpno_trainer_log_event(mpno_trainer *t, const char *event, int64_t epoch,
                                   const mpno_value *fields, const mpno_value *board_fields) {
    MPNO_TRY(mpno_runlog_event(t->log, event, epoch, fields));
    if (t->board == NULL || board_fields == NULL) return MPNO_OK;
    return mpno_tensorboard_scalars(t->board, epoch, wall_time(), board_fields);
}

/* What a decision saw, whether or not the precision rises. */
mpno_status mpno_trainer_log_precision(mpno_trainer *t, int64_t epoch,
                                       const mpno_precision_finding *f) {
    const char *policy = t->schedule.phase[t->phase].policy;
    mpno_value *fields = NULL;
    char measure[32];
    mpno_settings_choice(t->settings, "precision.measure", measure, sizeof measure);
    if (f->raises)
        mpno_say(t->sink, "epoch %lld: precision error %.3g of the %s, from now on policy %s\n",
                 (long long)epoch + 1, f->share,
                 f->training_error > 0 ? "training error" : "gradient", policy);
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_value_set_string(t->ctx, fields, "measure", measure);
    if (status == MPNO_OK) status = mpno_value_set_real(t->ctx, fields, "error", f->error);
    if (status == MPNO_OK && f->training_error > 0)
        status = mpno_value_set_real(t->ctx, fields, "training_error", f->training_error);
    if (status == MPNO_OK) status = mpno_value_set_real(t->ctx, fields, "share", f->share);
    if (status == MPNO_OK) status = mpno_value_set_bool(t->ctx, fields, "raised", f->raises);
    if (status == MPNO_OK) status = mpno_value_set_string(t->ctx, fields, "policy", policy);
    if (status == MPNO_OK) status = mpno_runlog_event(t->log, "precision", epoch + 1, fields);
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

mpno_status mpno_trainer_log_skip(mpno_trainer *t, int64_t batch) {
    mpno_value *fields = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_value_set_int(t->ctx, fields, "batch", batch + 1);
    if (status == MPNO_OK) {
        status = mpno_value_set_real(t->ctx, fields, "new_loss_scale", t->state.loss_scale.scale);
    }
    if (status == MPNO_OK) {
        status = mpno_runlog_event(t->log, "skipped_step", t->state.epoch + 1, fields);
    }
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

mpno_status mpno_trainer_log_early_stop(mpno_trainer *t) {
    mpno_value *fields = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_value_set_int(t->ctx, fields, "best_epoch", t->state.best_epoch);
    if (status == MPNO_OK) {
        status = mpno_value_set_real(t->ctx, fields, "best_error", t->state.best_error);
    }
    if (status == MPNO_OK) {
        status = mpno_runlog_event(t->log, "early_stop", t->state.epoch, fields);
    }
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

mpno_status mpno_metrics_put(mpno_ctx *ctx, mpno_value *map, const char *key,
                             const mpno_metrics *metrics) {
    mpno_value *entry = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, key, &entry));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "l2", metrics->l2));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "h1", metrics->h1));
    return mpno_value_set_real(ctx, entry, "mse", metrics->mse);
}

static mpno_status put_errors(mpno_trainer *t, mpno_value *map) {
    mpno_value *tests = NULL;
    if (t->sets.n_validation > 0) {
        MPNO_TRY(mpno_metrics_put(t->ctx, map, "validation", &t->validation));
    }
    MPNO_TRY(mpno_value_set_map(t->ctx, map, "test", &tests));
    for (size_t i = 0; i < t->sets.n_tests; i++) {
        MPNO_TRY(mpno_metrics_put(t->ctx, tests, t->sets.tests[i].key, &t->tests[i]));
    }
    return MPNO_OK;
}

static mpno_status write_row(mpno_trainer *t, bool evaluated) {
    const bool validated = t->validated == t->state.epoch;
    double row[MAX_COLUMNS] = {(double)t->state.epoch,
                               (double)t->phase + 1,
                               t->rate,
                               mpno_trainer_loss_scale(t),
                               (double)t->state.loss_scale.skipped,
                               t->train_loss};
    size_t n = FIXED_COLUMNS;
    if (t->sets.n_validation > 0) {
        row[n++] = validated ? t->validation.l2 : NAN;
        row[n++] = validated ? t->validation.h1 : NAN;
    }
    for (size_t i = 0; several(t) && i < t->sets.n_train && n < MAX_COLUMNS; i++)
        row[n++] = t->set_loss[i];
    for (size_t i = 0; i < t->sets.n_tests && n + 2 <= MAX_COLUMNS; i++) {
        row[n++] = evaluated ? t->tests[i].l2 : NAN;
        row[n++] = evaluated ? t->tests[i].h1 : NAN;
    }
    return mpno_runlog_row(t->log, row);
}

/* Mean norm of the gradients before clipping, and how many steps were clipped. */
static mpno_status put_clipping(mpno_trainer *t, mpno_value *fields) {
    const mpno_clipping *c = &t->clipping;
    if (c->steps == 0) return MPNO_OK;
    MPNO_TRY(mpno_value_set_real(t->ctx, fields, "gradient_norm", c->sum / (double)c->steps));
    return mpno_value_set_int(t->ctx, fields, "clipped_steps", c->clipped);
}

static mpno_status put_set_losses(mpno_trainer *t, mpno_value *fields) {
    mpno_value *map = NULL;
    if (!several(t)) return MPNO_OK;
    MPNO_TRY(mpno_value_set_map(t->ctx, fields, "train", &map));
    for (size_t i = 0; i < t->sets.n_train; i++)
        MPNO_TRY(mpno_value_set_real(t->ctx, map, t->sets.train[i].key, t->set_loss[i]));
    return MPNO_OK;
}

static mpno_status fill_epoch(mpno_trainer *t, double seconds, bool evaluated, mpno_value *fields) {
    MPNO_TRY(mpno_value_set_string(t->ctx, fields, "policy", t->schedule.phase[t->phase].policy));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "phase", t->phase + 1));
    MPNO_TRY(mpno_value_set_real(t->ctx, fields, "learning_rate", t->rate));
    MPNO_TRY(mpno_value_set_real(t->ctx, fields, "loss_scale", mpno_trainer_loss_scale(t)));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "skipped_steps", t->state.loss_scale.skipped));
    MPNO_TRY(mpno_value_set_real(t->ctx, fields, "train_loss", t->train_loss));
    MPNO_TRY(mpno_value_set_real(t->ctx, fields, "seconds", seconds));
    MPNO_TRY(mpno_value_set_int(t->ctx, fields, "bytes", (int64_t)mpno_ctx_bytes(t->ctx)));
    MPNO_TRY(put_set_losses(t, fields));
    MPNO_TRY(put_clipping(t, fields));
    if (evaluated) return put_errors(t, fields);
    if (t->sets.n_validation == 0 || t->validated != t->state.epoch) return MPNO_OK;
    return mpno_metrics_put(t->ctx, fields, "validation", &t->validation);
}

mpno_status mpno_trainer_log_epoch(mpno_trainer *t, double seconds) {
    const bool evaluated = t->evaluated == t->state.epoch;
    mpno_value *fields = NULL;
    MPNO_TRY(write_row(t, evaluated));
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = fill_epoch(t, seconds, evaluated, fields);
    if (status == MPNO_OK) status = mpno_runlog_event(t->log, "epoch", t->state.epoch, fields);
    if (status == MPNO_OK && t->board) {
        status = mpno_tensorboard_scalars(t->board, t->state.epoch, wall_time(), fields);
    }
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

static mpno_status fill_summary(mpno_trainer *t, mpno_value *map) {
    const mpno_settings *s = t->settings;
    char policy[32], compat[32];
    MPNO_TRY(put_errors(t, map));
    MPNO_TRY(mpno_value_set_real(t->ctx, map, "seconds_per_epoch",
                                 t->epochs_here ? t->seconds / (double)t->epochs_here : NAN));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "peak_bytes", (int64_t)mpno_ctx_peak_bytes(t->ctx)));
    MPNO_TRY(mpno_value_set_real(t->ctx, map, "train_loss", t->epochs_here ? t->train_loss : NAN));
    MPNO_TRY(
        mpno_value_set_int(t->ctx, map, "parameters", (int64_t)mpno_model_n_weights(t->model)));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "epochs", t->state.epoch));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "steps", t->state.step));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "skipped_steps", t->state.loss_scale.skipped));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "best_epoch", t->state.best_epoch));
    MPNO_TRY(mpno_value_set_bool(t->ctx, map, "stopped_early", t->state.early.stopped));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "seed", s->seed));
    MPNO_TRY(mpno_value_set_string(
        t->ctx, map, "policy", mpno_settings_choice(s, "precision.policy", policy, sizeof policy)));
    MPNO_TRY(
        mpno_value_set_string(t->ctx, map, "format", mpno_format_get(mpno_settings_half(s))->name));
    MPNO_TRY(mpno_value_set_string(t->ctx, map, "arithmetic",
                                   mpno_format_get(mpno_settings_arithmetic(s))->name));
    MPNO_TRY(mpno_value_set_string(t->ctx, map, "compat",
                                   mpno_settings_choice(s, "compat", compat, sizeof compat)));
    MPNO_TRY(mpno_value_set_string(t->ctx, map, "isa", mpno_ctx_isa(t->ctx)));
    MPNO_TRY(mpno_value_set_int(t->ctx, map, "threads", mpno_ctx_n_threads(t->ctx)));
    MPNO_TRY(mpno_value_set_string(t->ctx, map, "version", mpno_version()));
    return mpno_value_set_string(t->ctx, map, "output", s->output);
}

mpno_status mpno_trainer_summary(mpno_trainer *t, mpno_value **out) {
    mpno_value *map = NULL;
    *out = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &map));
    mpno_status status = fill_summary(t, map);
    if (status != MPNO_OK) {
        mpno_value_destroy(t->ctx, &map);
        return status;
    }
    *out = map;
    return MPNO_OK;
}
