/* SPDX-License-Identifier: MIT
 * The training loop: see trainer.h. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/files.h"
#include "core/memory.h"
#include "model/network.h"
#include "report/human.h"
#include "train/budget.h"
#include "train/modes.h"
#include "train/precision.h"
#include "train/sink.h"

double mpno_trainer_loss_scale(const mpno_trainer *t) {
    return t->scaled ? t->state.loss_scale.scale : 1;
}

static mpno_status open_model(mpno_trainer *t) {
    const mpno_settings *s = t->settings;
    const int phase = mpno_schedule_at(&t->schedule, t->state.epoch, 0);
    const mpno_fno_config config = mpno_settings_model(s, &t->schedule.phase[phase]);
    MPNO_TRY(mpno_model_create(t->ctx, &config, mpno_settings_arithmetic(s), (uint64_t)s->seed,
                               &t->model));
    if (s->precision.modes.n > 0) MPNO_TRY(mpno_modes_apply(&t->state.modes, t->model));
    if (s->model.factorization == MPNO_FACTORIZATION_DENSE)
        MPNO_TRY(mpno_modes_zero_unused(t->ctx, s, t->model));
    const mpno_optimizer_opts opts = mpno_settings_optimizer(s);
    MPNO_TRY(mpno_optimizer_create(t->model, &opts, &t->optimizer));
    MPNO_TRY(mpno_lipschitz_create(t->model, s, &t->lipschitz));
    (void)mpno_lipschitz_project(t->lipschitz);
    return isnan(s->opt.ema_decay) ? MPNO_OK : mpno_ema_create(t->model, s->opt.ema_decay, &t->ema);
}

static mpno_status open_buffers(mpno_trainer *t) {
    const size_t n = t->sets.n_train;
    MPNO_TRY(mpno_alloc_array(t->ctx, n, sizeof(mpno_network *), &t->networks));
    MPNO_TRY(mpno_alloc_array(t->ctx, n, sizeof(mpno_network *), &t->ahead));
    MPNO_TRY(mpno_alloc_array(t->ctx, n, sizeof *t->set_loss, &t->set_loss));
    MPNO_TRY(mpno_rollout_make(t->ctx, t->settings, &t->sets, &t->state, &t->rollout));
    MPNO_TRY(mpno_batches_make(t->ctx, t->settings, &t->sets, &t->state, &t->batches));
    return mpno_alloc_array(t->ctx, t->sets.n_tests, sizeof *t->tests, &t->tests);
}

static mpno_status read_checkpoint(mpno_trainer *t) {
    mpno_checkpoint *checkpoint = NULL;
    MPNO_TRY(mpno_checkpoint_read(t->ctx, t->settings->output, &checkpoint));
    const uint64_t data_checksum = t->state.data_checksum;
    mpno_status status = mpno_checkpoint_same_run(t->ctx, checkpoint, t->settings);
    if (status == MPNO_OK && checkpoint->state.data_checksum != data_checksum) {
        status = mpno_fail(t->ctx, MPNO_E_CONFIG,
                           "cannot resume: the data of %s%s are not those that the checkpoint was "
                           "trained on",
                           t->settings->data.train.v[0],
                           t->settings->data.train.n > 1 ? " and what follows it" : "");
    }
    if (status == MPNO_OK) {
        mpno_train_state_clear(t->ctx, &t->state);
        t->state = checkpoint->state;
        checkpoint->state.x = checkpoint->state.y = (mpno_normalizer){0}; /* taken */
        t->schedule.level = (int)t->state.level;
        status = open_model(t);
    }
    if (status == MPNO_OK) status = mpno_checkpoint_load_model(t->ctx, checkpoint, t->model);
    if (status == MPNO_OK) {
        status = mpno_checkpoint_load_optimizer(t->ctx, checkpoint, t->model, t->optimizer);
    }
    if (status == MPNO_OK && t->ema) {
        status = mpno_checkpoint_load_ema(t->ctx, checkpoint, t->model, t->ema);
    }
    mpno_checkpoint_destroy(t->ctx, &checkpoint);
    return status;
}

/* Whether and how data are streamed decides their order: it is what it was, unless keys say
 * otherwise. */
static mpno_status take_streaming(mpno_trainer *t) {
    mpno_checkpoint *checkpoint = NULL;
    mpno_settings *s = t->settings;
    MPNO_TRY(mpno_checkpoint_read(t->ctx, s->output, &checkpoint));
    const mpno_settings *was = &checkpoint->settings;
    if (s->data.streaming == MPNO_STREAMING_AUTO) s->data.streaming = was->data.streaming;
    if (s->data.window == MPNO_UNSET && s->data.streaming == MPNO_STREAMING_ALWAYS)
        s->data.window = was->data.window;
    mpno_checkpoint_destroy(t->ctx, &checkpoint);
    return MPNO_OK;
}

static void say_streaming(const mpno_trainer *t, size_t bytes) {
    char size[MPNO_HUMAN_CAPACITY];
    if (t->settings->data.streaming != MPNO_STREAMING_ALWAYS) return;
    mpno_say(t->sink,
             "training data are streamed: %s, in windows of %lld samples; first one pass "
             "over all of it\n",
             mpno_human_bytes(bytes, size), (long long)t->settings->data.window);
}

/* A new run never overwrites an older one. */
static mpno_status check_folder(mpno_ctx *ctx, const char *folder) {
    char path[4096];
    MPNO_TRY(mpno_path_join(ctx, folder, "last.safetensors", path, sizeof path));
    MPNO_CHECK(ctx, !mpno_path_exists(path), MPNO_E_CONFIG,
               "output: the folder %s holds a run already: continue it with --resume, or choose "
               "another folder",
               folder);
    return MPNO_OK;
}

/* A network on the grid of a training set, for the largest batch of all sets on that grid. */
static mpno_status network_opts(const mpno_trainer *t, size_t set, const mpno_phase *phase,
                                mpno_network_opts *out) {
    const mpno_settings *s = t->settings;
    const mpno_dataset *data = t->sets.train[set].data;
    mpno_network_opts opts;
    MPNO_TRY(mpno_settings_network(t->ctx, s, phase->policy, &opts));
    for (int d = 0; d < data->ndim && d < MPNO_MAX_AXES; d++) opts.grid[d] = data->grid[d];
    if (s->data.output_grid == MPNO_OUTPUT_GRID_OWN)
        memcpy(opts.output_grid, data->out_grid, sizeof opts.output_grid);
    for (size_t i = set; i < t->sets.n_train; i++) {
        const int64_t batch = mpno_batches_capacity(s, &t->sets.train[i]);
        if (mpno_sets_twin(&t->sets, i) == set && batch > opts.capacity) opts.capacity = batch;
    }
    *out = opts;
    return MPNO_OK;
}

/* Targets must lie where the model's scaling factors put its predictions: asked of networks that
 * are only planned, before anything of the run is written. */
static mpno_status check_output_grid(const mpno_trainer *t, size_t set) {
    const mpno_dataset *data = t->sets.train[set].data;
    int64_t grid[MPNO_MAX_AXES];
    mpno_network *network;
    mpno_network_opts opts;
    MPNO_TRY(network_opts(t, set, &t->schedule.phase[0], &opts));
    MPNO_TRY(mpno_network_plan(t->model, &opts, &network));
    mpno_network_output_grid(network, grid);
    mpno_network_destroy(&network);
    for (int d = 0; d < data->ndim; d++)
        MPNO_CHECK(t->ctx, grid[d] == data->out_grid[d], MPNO_E_SHAPE,
                   "model.resolution_scaling_factor makes %lld of the %lld points on axis %d, but "
                   "the outputs of the training data have %lld there: change the factors, or give "
                   "data.output_grid = own",
                   (long long)grid[d], (long long)data->grid[d], d, (long long)data->out_grid[d]);
    return MPNO_OK;
}

enum { LOG_BYTES = 1 << 16 }; /* of the logs, more than enough */

/* What a look of the diagnostics writes into the log is put together in memory: as measured 1.3 KiB
 * a tensor, of which there are up to 24 in a block and 12 outside, gradients included. */
static size_t look_bytes(const mpno_settings *s) {
    return s->report.diagnostics ? (size_t)(12 + 24 * s->model.n_layers) * 1400 : 0;
}

/* Memory that networks of training must leave: to a checkpoint, to an evaluation, to a decision on
 * modes, to logs that are not open yet. */
static mpno_status spare_memory(const mpno_trainer *t, const mpno_phase *phase, size_t *bytes) {
    const mpno_set *finest = mpno_sets_finest(&t->sets);
    mpno_network_opts training;
    MPNO_TRY(network_opts(t, (size_t)(finest - t->sets.train), phase, &training));
    const mpno_predictor_opts opts = mpno_predictor_opts_of(t->settings, phase->policy, &t->state);
    const size_t states = (size_t)mpno_optimizer_n_states(t->optimizer) + (t->ema ? 1 : 0);
    size_t comparing;
    MPNO_TRY(mpno_modes_need(t->settings, t->model, &training, training.capacity, bytes));
    MPNO_TRY(mpno_precision_need(t->settings, t->model, &training, &comparing));
    if (comparing > *bytes) *bytes = comparing;
    const size_t checkpoint =
        mpno_checkpoint_need(t->model, states, t->settings->opt.state_format != 0);
    if (checkpoint > *bytes) *bytes = checkpoint;
    for (size_t i = 0; i < t->sets.n_validation + t->sets.n_tests; i++) {
        const mpno_set *set = i < t->sets.n_validation ? &t->sets.validation[i]
                                                       : &t->sets.tests[i - t->sets.n_validation];
        size_t needed;
        MPNO_TRY(mpno_predictor_need(t->model, set->data, set->n, &opts, &needed));
        if (needed > *bytes) *bytes = needed;
    }
    *bytes += look_bytes(t->settings) + (t->log ? 0 : LOG_BYTES);
    return MPNO_OK;
}

/* Options of the networks of a phase, one for each of the grids, and behind them those that predict
 * the steps of a roll-out: opts has room for two of each set. */
static mpno_status plan_phase(const mpno_trainer *t, const mpno_phase *phase,
                              mpno_network_opts *opts) {
    const mpno_settings *s = t->settings;
    mpno_budget budget = {.limit = mpno_settings_memory_limit(s),
                          .micro_batch = s->micro_batch == MPNO_UNSET ? 0 : s->micro_batch,
                          .use = "training"};
    size_t n = 0;
    if (budget.limit > 0) MPNO_TRY(spare_memory(t, phase, &budget.held));
    budget.held += mpno_ctx_bytes(t->ctx);
    for (size_t i = 0; i < t->sets.n_train; i++)
        if (mpno_sets_twin(&t->sets, i) == i) MPNO_TRY(network_opts(t, i, phase, &opts[n++]));
    for (size_t i = 0, grids = n; i < grids && s->rollout.steps > 1; i++) {
        opts[n] = opts[i];
        opts[n++].training = false;
    }
    return mpno_budget_divide(&budget, t->model, opts, n);
}

/* Whether the networks of all phases fit into the memory, with all modes that they may get, asked
 * before the run folder is made. */
static mpno_status check_memory(const mpno_trainer *t) {
    const bool changes = t->settings->modes.rule != MPNO_MODES_FIXED;
    mpno_network_opts *opts;
    mpno_status status = MPNO_OK;
    if (mpno_settings_memory_limit(t->settings) == 0) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(t->ctx, 2 * t->sets.n_train, sizeof *opts, &opts));
    if (changes) status = mpno_modes_apply_most(t->model);
    for (int i = 0; i < t->schedule.n && status == MPNO_OK; i++)
        status = plan_phase(t, &t->schedule.phase[i], opts);
    mpno_free(t->ctx, opts);
    MPNO_TRY(status);
    return changes ? mpno_modes_apply(&t->state.modes, t->model) : MPNO_OK;
}

/* Steps of an epoch before batch `index`: opt.accumulate batches make one. */
static int64_t steps_before(const mpno_trainer *t, int64_t index) {
    const int64_t each = t->settings->opt.accumulate;
    return (index + each - 1) / each;
}

static mpno_status open_all(mpno_trainer *t, bool resume) {
    mpno_settings *s = t->settings;
    if (!resume) MPNO_TRY(check_folder(t->ctx, s->output));
    MPNO_TRY(mpno_modes_check_training(t->ctx, s));
    MPNO_TRY(mpno_settings_schedule(t->ctx, s, &t->schedule));
    t->lr = mpno_settings_lr(s);
    t->state.best_error = NAN;
    t->state.lr = mpno_lr_start(&t->lr);
    t->state.early = mpno_early_stopping_start();
    t->state.modes = mpno_modes_begin(s);
    t->state.loss_scale =
        mpno_loss_scale_make(s->precision.loss_scale, s->precision.growth_interval);
    size_t bytes;
    if (resume) MPNO_TRY(take_streaming(t));
    MPNO_TRY(mpno_streaming_decide(t->ctx, s, &bytes));
    say_streaming(t, bytes);
    MPNO_TRY(mpno_sets_read_training(t->ctx, s, &t->state, &t->sets));
    MPNO_TRY(resume ? read_checkpoint(t) : open_model(t));
    MPNO_TRY(mpno_sets_read_tests(t->ctx, s, &t->state, &t->sets));
    MPNO_TRY(open_buffers(t));
    if (s->report.diagnostics)
        MPNO_TRY(mpno_diagnostics_create(t->ctx, s->report.diagnostics_every,
                                         mpno_settings_memory_limit(s), &t->diagnostics));
    t->state.epoch_steps = steps_before(t, t->batches.n);
    mpno_schedule_fit(&t->schedule, t->state.epoch_steps);
    mpno_batches_prepare(&t->batches, t->state.epoch);
    for (size_t i = 0; i < t->sets.n_train; i++) MPNO_TRY(check_output_grid(t, i));
    MPNO_TRY(check_memory(t));
    return mpno_trainer_open_log(t, resume);
}

mpno_status mpno_trainer_open(mpno_ctx *ctx, mpno_settings *settings, bool resume,
                              const mpno_sink *sink, mpno_trainer *trainer) {
    *trainer = (mpno_trainer){.ctx = ctx, .settings = settings, .sink = sink, .phase = -1};
    if (sink && sink->write) {
        trainer->progress = mpno_progress_make(sink->write, sink->user, sink->terminal,
                                               sink->terminal, sink->columns);
    }
    mpno_status status = open_all(trainer, resume);
    if (status != MPNO_OK) mpno_trainer_close(trainer);
    return status;
}

static void destroy_networks(mpno_trainer *t) {
    mpno_diagnostics_drop_networks(t->diagnostics);
    for (size_t i = 0; t->networks && i < t->sets.n_train; i++)
        mpno_network_destroy(&t->networks[i]);
    for (size_t i = 0; t->ahead && i < t->sets.n_train; i++) mpno_network_destroy(&t->ahead[i]);
}

void mpno_trainer_close(mpno_trainer *t) {
    destroy_networks(t);
    mpno_optimizer_destroy(&t->optimizer);
    mpno_ema_destroy(&t->ema);
    mpno_lipschitz_destroy(&t->lipschitz);
    mpno_model_destroy(&t->model);
    mpno_diagnostics_destroy(&t->diagnostics);
    mpno_batches_clear(&t->batches);
    mpno_rollout_clear(&t->rollout);
    mpno_sets_clear(t->ctx, &t->sets);
    mpno_train_state_clear(t->ctx, &t->state);
    mpno_runlog_close(&t->log);
    mpno_tensorboard_close(&t->board);
    mpno_free(t->ctx, t->networks);
    mpno_free(t->ctx, t->ahead);
    mpno_free(t->ctx, t->set_loss);
    mpno_free(t->ctx, t->tests);
    *t = (mpno_trainer){.ctx = t->ctx, .phase = -1};
}

/* Whoever sets a limit is told what comes of it. */
static void say_parts(const mpno_trainer *t) {
    if (mpno_settings_memory_limit(t->settings) == 0 && t->settings->micro_batch == MPNO_UNSET)
        return;
    for (size_t i = 0; i < t->sets.n_train; i++) {
        if (!t->networks[i] || mpno_network_parts(t->networks[i]) <= 1) continue;
        mpno_say(t->sink, "policy %s: batches on grid %s run %lld samples at a time\n",
                 t->schedule.phase[t->phase].policy, t->sets.train[i].key,
                 (long long)mpno_network_micro_batch(t->networks[i]));
    }
}

/* The networks of the phase that step `step` of an epoch belongs to. Weights and moments stay as
 * they are. */
static mpno_status enter_phase(mpno_trainer *t, int64_t epoch, int64_t step) {
    const int phase = mpno_schedule_at(&t->schedule, epoch, step);
    const mpno_phase now = mpno_settings_phase(t->settings, &t->schedule, phase, epoch), *p = &now;
    if (phase == t->phase && p->blend == mpno_model_config(t->model)->stabilizer_blend)
        return MPNO_OK;
    destroy_networks(t);
    mpno_model_set_stabilizer(t->model, mpno_settings_stabilizer(t->settings, p));
    mpno_model_set_stabilizer_blend(t->model, p->blend);
    mpno_network_opts *opts;
    MPNO_TRY(mpno_alloc_array(t->ctx, 2 * t->sets.n_train, sizeof *opts, &opts));
    mpno_status status = plan_phase(t, p, opts);
    size_t n = 0;
    for (size_t i = 0; i < t->sets.n_train && status == MPNO_OK; i++)
        if (mpno_sets_twin(&t->sets, i) == i)
            status = mpno_network_create(t->model, &opts[n++], &t->networks[i]);
    for (size_t i = 0; i < t->sets.n_train && status == MPNO_OK; i++)
        if (t->networks[i] && t->settings->rollout.steps > 1)
            status = mpno_network_create(t->model, &opts[n++], &t->ahead[i]);
    mpno_free(t->ctx, opts);
    MPNO_TRY(status);
    const bool begins = mpno_schedule_begins(&t->schedule, t->phase, phase, epoch, step);
    t->phase = phase;
    t->scaled = mpno_settings_scale_loss(t->ctx, t->settings, p->policy);
    say_parts(t);
    if (begins || p->blend > 0) MPNO_TRY(mpno_trainer_log_phase(t, epoch));
    return mpno_trainer_diagnose_phase(t);
}

/* What the sum over samples and channels of `samples` is divided by. */
static double reduction(const mpno_trainer *t, int64_t samples) {
    const mpno_settings *s = t->settings;
    return s->opt.loss_reduction == MPNO_REDUCTION_MEAN
               ? (double)samples * (double)s->model.out_channels
               : 1.0;
}

/* After weights have changed; all but one that knows. */
static void refresh_networks(mpno_trainer *t, const mpno_network *but) {
    for (size_t i = 0; i < t->sets.n_train; i++)
        if (t->networks[i] && t->networks[i] != but) mpno_network_refresh_weights(t->networks[i]);
    for (size_t i = 0; i < t->sets.n_train; i++)
        if (t->ahead[i]) mpno_network_refresh_weights(t->ahead[i]);
}

static void take_step(mpno_trainer *t, mpno_network *network, int64_t epoch, double scale) {
    t->rate = mpno_lr_at(&t->lr, &t->state.lr, epoch, t->state.step);
    mpno_optimizer_step(t->optimizer, network, t->rate, scale * reduction(t, t->step_samples));
    t->state.step++;
    const bool scaled = mpno_lipschitz_step(t->lipschitz, t->state.step);
    refresh_networks(t, scaled ? NULL : network);
    if (t->ema) mpno_ema_update(t->ema, t->state.step);
    const double norm = mpno_optimizer_gradient_norm(t->optimizer);
    if (!isnan(norm)) {
        t->clipping.sum += norm;
        t->clipping.steps++;
        t->clipping.clipped += norm > t->settings->opt.grad_clip_norm;
    }
    if (t->scaled) mpno_loss_scale_good(&t->state.loss_scale);
}

/* Batch `index` of an epoch. opt.accumulate batches, or what is left of an epoch, make a step; an
 * overflow of scaled gradients in one of them skips it. */
static mpno_status train_batch(mpno_trainer *t, int64_t epoch, int64_t index, int64_t *done,
                               double *loss) {
    const mpno_batches *batches = &t->batches;
    const bool ends = (index + 1) % t->settings->opt.accumulate == 0 || index + 1 == batches->n;
    mpno_step_result result = {0};
    const double scale = mpno_trainer_loss_scale(t);
    const mpno_batch *batch;
    MPNO_TRY(mpno_batches_gather(&t->batches, index, &batch));
    const size_t twin = mpno_sets_twin(&t->sets, batch->set);
    mpno_network *network = t->networks[twin], *ahead = t->ahead[twin];
    const void *target;
    mpno_network_set_embedding(network, batches->embedding);
    if (ahead) mpno_network_set_embedding(ahead, batches->embedding);
    MPNO_TRY(mpno_rollout_advance(&t->rollout, &t->batches, batch, index, ahead, &target));
    /* a batch's number over the run: the same after a resume */
    const int64_t number = epoch * batches->n + index;
    mpno_network_set_dropout(network, (uint64_t)t->settings->seed, (uint64_t)number);
    mpno_network_set_rounding(network, (uint64_t)t->settings->seed, (uint64_t)number);
    if (index == 0) /* so does a run that is resumed here */
        for (size_t i = 0; i < t->sets.n_train; i++)
            if (t->networks[i] != NULL) mpno_network_forget_scales(t->networks[i]);
    MPNO_TRY(mpno_diagnostics_begin(t->diagnostics, network, number));
    MPNO_TRY(mpno_network_step(network, batch->n, batches->x, target, scale, &result));
    *loss += result.loss;
    *done += batch->n;
    t->step_samples += batch->n;
    t->set_loss[batch->set] += result.loss / (double)t->sets.train[batch->set].n / reduction(t, 1);
    if (result.overflow) {
        mpno_loss_scale_overflow(&t->state.loss_scale);
        mpno_optimizer_discard(t->optimizer);
        t->broken = true;
        MPNO_TRY(mpno_trainer_log_skip(t, index));
    }
    if (!t->broken && !ends) mpno_optimizer_accumulate(t->optimizer, network);
    if (!t->broken && ends) take_step(t, network, epoch, scale);
    if (ends) {
        t->broken = false;
        t->step_samples = 0;
    }
    const mpno_diagnosed_batch seen = {.number = number,
                                       .n = batch->n,
                                       .x = batches->x,
                                       .target = target,
                                       .embedding = batches->embedding,
                                       .loss_scale = scale,
                                       .seed = (uint64_t)t->settings->seed};
    return mpno_diagnostics_end(t->diagnostics, t->model, network, &seen);
}

static mpno_progress_state progress_state(const mpno_trainer *t, int64_t epoch, int64_t step,
                                          int64_t done, double loss, double seconds) {
    const int64_t n = mpno_sets_samples(&t->sets);
    const double epochs_left =
        (double)(t->settings->opt.n_epochs - epoch) - (double)done / (double)n;
    const double samples = (double)done + (double)n * (double)t->epochs_here;
    const double spent = t->seconds + seconds;
    return (mpno_progress_state){
        .epoch = epoch,
        .n_epochs = t->settings->opt.n_epochs,
        .step = step,
        .n_steps = t->batches.n,
        .loss = loss,
        .samples_per_second = seconds > 0 ? (double)done / seconds : 0,
        .eta_seconds = samples > 0 ? spent / samples * (double)n * epochs_left : -1,
        .bytes = mpno_ctx_bytes(t->ctx),
        .policy = t->schedule.phase[t->phase].policy,
        .loss_scale = mpno_trainer_loss_scale(t)};
}

static mpno_status train_epoch(mpno_trainer *t, int64_t epoch, double *seconds) {
    const double start = mpno_seconds();
    double loss = 0;
    int64_t done = 0;
    memset(t->set_loss, 0, t->sets.n_train * sizeof *t->set_loss);
    t->clipping = (mpno_clipping){0};
    t->rate = mpno_lr_at(&t->lr, &t->state.lr, epoch, t->state.step);
    for (int64_t i = 0; i < t->batches.n; i++) {
        if (i % t->settings->opt.accumulate == 0)
            MPNO_TRY(enter_phase(t, epoch, steps_before(t, i)));
        MPNO_TRY(train_batch(t, epoch, i, &done, &loss));
        if (t->progress.write) {
            const double time = mpno_seconds();
            mpno_progress_state state = progress_state(
                t, epoch, i + 1, done, loss / (double)done / reduction(t, 1), time - start);
            t->progress.width = t->sink->columns; /* the terminal may have been resized */
            mpno_progress_step(&t->progress, &state, time);
        }
    }
    if (mpno_lipschitz_project(t->lipschitz)) refresh_networks(t, NULL);
    *seconds = mpno_seconds() - start;
    t->train_loss = loss / (double)done / reduction(t, 1);
    return MPNO_OK;
}

/* The mean over all validation samples, of whatever resolution. */
static mpno_status validate(mpno_trainer *t, const mpno_predictor_opts *opts) {
    double samples = 0;
    t->validation = (mpno_metrics){0};
    for (size_t i = 0; i < t->sets.n_validation; i++) samples += (double)t->sets.validation[i].n;
    for (size_t i = 0; i < t->sets.n_validation; i++) {
        const mpno_set *set = &t->sets.validation[i];
        const double part = (double)set->n / samples;
        mpno_metrics metrics;
        MPNO_TRY(mpno_evaluate(t->model, t->ctx, set, opts, &metrics));
        t->validation.l2 += part * metrics.l2;
        t->validation.h1 += part * metrics.h1;
        t->validation.mse += part * metrics.mse;
        t->validation.count += metrics.count;
    }
    return MPNO_OK;
}

/* Errors of the weights that the model holds: on the validation data, and on the tests if asked. */
static mpno_status evaluate_model(mpno_trainer *t, bool tests) {
    const mpno_predictor_opts opts =
        mpno_predictor_opts_of(t->settings, t->schedule.phase[t->phase].policy, &t->state);
    MPNO_TRY(validate(t, &opts));
    for (size_t i = 0; tests && i < t->sets.n_tests; i++) {
        MPNO_TRY(mpno_evaluate(t->model, t->ctx, &t->sets.tests[i], &opts, &t->tests[i]));
    }
    return MPNO_OK;
}

static mpno_status evaluate(mpno_trainer *t, bool tests) {
    const bool averages = mpno_settings_use_ema(t->settings);
    if (averages) mpno_ema_swap(t->ema);
    mpno_status status = evaluate_model(t, tests);
    if (averages) mpno_ema_swap(t->ema);
    t->validated = t->state.epoch;
    if (tests) t->evaluated = t->state.epoch;
    return status;
}

/* Whether the run listens to the validation error after every epoch, whatever eval.every says. */
static bool listens(const mpno_trainer *t) {
    return t->sets.n_validation > 0 &&
           (t->settings->opt.early_stopping != MPNO_UNSET || t->lr.kind == MPNO_LR_plateau);
}

/* What the error of an epoch means for the next one. Upstream's plateau is fed with the training
 * error. */
static void heed(mpno_trainer *t, int64_t epoch) {
    const mpno_settings *s = t->settings;
    const bool validated = t->sets.n_validation > 0 && s->compat == MPNO_COMPAT_NONE;
    mpno_lr_epoch_end(&t->lr, &t->state.lr, epoch, validated ? t->validation.l2 : t->train_loss);
    if (s->opt.early_stopping == MPNO_UNSET) return;
    mpno_early_stopping_add(&t->state.early, t->validation.l2, s->opt.early_stopping,
                            s->opt.min_delta);
}

bool mpno_trainer_stopped_early(const mpno_trainer *t) {
    return t->state.early.stopped;
}

static mpno_status write_checkpoint(mpno_trainer *t, const char *name) {
    char path[4096];
    MPNO_TRY(mpno_path_join(t->ctx, t->settings->output, name, path, sizeof path));
    return mpno_checkpoint_write(t->ctx, path, t->settings, &t->state, t->model, t->optimizer,
                                 t->ema);
}

/* last.safetensors with the bytes of best.safetensors, which hold the same epoch: reading them back
 * takes a quarter of the time of making them again. */
static mpno_status copy_best(mpno_trainer *t) {
    char best[4096], last[4096];
    mpno_mapping file;
    MPNO_TRY(mpno_path_join(t->ctx, t->settings->output, "best.safetensors", best, sizeof best));
    MPNO_TRY(mpno_path_join(t->ctx, t->settings->output, "last.safetensors", last, sizeof last));
    MPNO_TRY(mpno_map_open(t->ctx, best, &file));
    mpno_status status = mpno_file_write_atomic(t->ctx, last, file.data, file.size);
    mpno_map_close(&file);
    return status;
}

/* The weights of best.safetensors. */
static mpno_status restore_best(mpno_trainer *t) {
    char path[4096];
    mpno_checkpoint *best = NULL;
    MPNO_TRY(mpno_path_join(t->ctx, t->settings->output, "best.safetensors", path, sizeof path));
    MPNO_TRY(mpno_checkpoint_read(t->ctx, path, &best));
    mpno_status status = mpno_checkpoint_load_model(t->ctx, best, t->model);
    if (status == MPNO_OK && t->ema) {
        status = mpno_checkpoint_load_ema(t->ctx, best, t->model, t->ema);
    }
    mpno_checkpoint_destroy(t->ctx, &best);
    return status;
}

/* Best goes first: were the program killed in between, the resumed epoch writes the same best
 * again. */
static mpno_status keep(mpno_trainer *t, bool evaluated, bool last) {
    const bool due = last || t->state.epoch % t->settings->checkpoint.every == 0;
    bool best = due;
    if (t->sets.n_validation > 0) {
        best = evaluated && !(t->validation.l2 >= t->state.best_error);
        if (best) t->state.best_error = t->validation.l2;
    }
    if (best) {
        t->state.best_epoch = t->state.epoch;
        MPNO_TRY(write_checkpoint(t, "best.safetensors"));
    }
    if (t->state.early.stopped) {
        MPNO_TRY(mpno_trainer_log_early_stop(t));
        MPNO_TRY(restore_best(t));
    } else if (best && due) {
        return copy_best(t);
    }
    return due ? write_checkpoint(t, "last.safetensors") : MPNO_OK;
}

static void report_epoch(mpno_trainer *t, int64_t epoch, bool evaluated, double seconds) {
    if (!t->progress.write) return;
    char extra[256] = "";
    size_t length = 0;
    if (t->validated == t->state.epoch && t->sets.n_validation > 0) {
        length = (size_t)snprintf(extra, sizeof extra, "validation L2 %.4f", t->validation.l2);
    }
    for (size_t i = 0; evaluated && i < t->sets.n_tests && length < sizeof extra; i++) {
        int more =
            snprintf(extra + length, sizeof extra - length, "%s%s L2 %.4f H1 %.4f",
                     length ? "  " : "", t->sets.tests[i].key, t->tests[i].l2, t->tests[i].h1);
        if (more > 0) length += (size_t)more;
    }
    mpno_progress_state state =
        progress_state(t, epoch, t->batches.n, mpno_sets_samples(&t->sets), t->train_loss, seconds);
    mpno_progress_epoch(&t->progress, &state, *extra ? extra : NULL);
}

/* Modes for the epoch that begins, judged by its first batch. */
static mpno_status choose_modes(mpno_trainer *t, int64_t epoch) {
    const mpno_batch *batch;
    mpno_network_opts opts;
    bool changed;
    if (!mpno_modes_due(t->settings, epoch)) return MPNO_OK;
    MPNO_TRY(mpno_batches_gather(&t->batches, 0, &batch));
    MPNO_TRY(network_opts(t, batch->set, &t->schedule.phase[t->phase], &opts));
    const mpno_mode_probe probe = {.ctx = t->ctx,
                                   .settings = t->settings,
                                   .model = t->model,
                                   .optimizer = t->optimizer,
                                   .opts = &opts,
                                   .n = batch->n,
                                   .x = t->batches.x,
                                   .y = t->batches.y,
                                   .embedding = t->batches.embedding};
    MPNO_TRY(mpno_modes_decide(&probe, &t->state.modes, &changed));
    if (!changed) return MPNO_OK;
    t->phase = -1;
    MPNO_TRY(enter_phase(t, epoch, 0));
    return mpno_trainer_log_modes(t);
}

/* Whether the precision rises for the epoch that begins, judged by its first batch. */
static mpno_status choose_precision(mpno_trainer *t, int64_t epoch) {
    const mpno_batch *batch;
    mpno_network_opts opts;
    mpno_precision_finding finding;
    if (!mpno_precision_due(t->settings, &t->schedule, epoch)) return MPNO_OK;
    MPNO_TRY(mpno_batches_gather(&t->batches, 0, &batch));
    MPNO_TRY(network_opts(t, batch->set, &t->schedule.phase[t->phase], &opts));
    const mpno_network *network = t->networks[mpno_sets_twin(&t->sets, batch->set)];
    opts.micro_batch = mpno_network_micro_batch(network);
    const mpno_precision_probe probe = {.ctx = t->ctx,
                                        .settings = t->settings,
                                        .model = t->model,
                                        .opts = &opts,
                                        .loss_scale = mpno_trainer_loss_scale(t),
                                        .step = (uint64_t)(epoch * t->batches.n),
                                        .n = batch->n,
                                        .x = t->batches.x,
                                        .y = t->batches.y,
                                        .embedding = t->batches.embedding};
    MPNO_TRY(mpno_precision_measure(&probe, &finding));
    if (finding.raises) t->schedule.level++;
    t->state.level = t->schedule.level;
    MPNO_TRY(enter_phase(t, epoch, 0));
    return mpno_trainer_log_precision(t, epoch, &finding);
}

static mpno_status run_epoch(mpno_trainer *t, int64_t epoch, bool *stop) {
    double seconds = 0;
    MPNO_TRY(enter_phase(t, epoch, 0));
    mpno_batches_begin(&t->batches, epoch);
    MPNO_TRY(choose_modes(t, epoch));
    MPNO_TRY(choose_precision(t, epoch));
    MPNO_TRY(train_epoch(t, epoch, &seconds));
    mpno_mode_state_heed(&t->state.modes, t->train_loss);
    t->state.epoch = epoch + 1;
    *stop = mpno_stop_wanted(t->sink);
    const bool end = t->state.epoch == t->settings->opt.n_epochs;
    const bool due = end || t->state.epoch % t->settings->eval.every == 0;
    if (due || listens(t)) MPNO_TRY(evaluate(t, due));
    heed(t, epoch);
    report_epoch(t, epoch, due, seconds);
    t->seconds += seconds;
    t->epochs_here++;
    MPNO_TRY(mpno_trainer_log_epoch(t, seconds));
    MPNO_TRY(mpno_trainer_diagnose_epoch(t));
    return keep(t, due || listens(t), end || *stop || t->state.early.stopped);
}

static mpno_status log_failure(mpno_trainer *t, int64_t epoch, const char *reason,
                               const mpno_failure *f) {
    mpno_value *fields = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_value_set_string(t->ctx, fields, "reason", reason);
    if (status == MPNO_OK) status = mpno_value_set_int(t->ctx, fields, "step", t->state.step + 1);
    if (status == MPNO_OK && f->tensor != NULL) {
        status = mpno_value_set_string(t->ctx, fields, "diagnosis", f->name);
        if (status == MPNO_OK) status = mpno_value_set_string(t->ctx, fields, "layer", f->layer);
        if (status == MPNO_OK) status = mpno_value_set_string(t->ctx, fields, "tensor", f->tensor);
    }
    if (status == MPNO_OK) status = mpno_runlog_event(t->log, "failed", epoch + 1, fields);
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

/* Not finite: the run ends here; the last checkpoint stays. */
static mpno_status explain(mpno_trainer *t, mpno_status status, int64_t epoch) {
    if (status != MPNO_E_NUMERIC) return status;
    char reason[1024], path[4096];
    snprintf(reason, sizeof reason, "%s", mpno_ctx_error(t->ctx));
    const bool kept = mpno_path_join(t->ctx, t->settings->output, "last.safetensors", path,
                                     sizeof path) == MPNO_OK &&
                      mpno_path_exists(path);
    const mpno_failure failure = mpno_trainer_failure(t);
    const bool logged = log_failure(t, epoch, reason, &failure) == MPNO_OK;
    return mpno_fail(t->ctx, status,
                     "epoch %lld, step %lld: %s%s%.500s%s; the keys are precision.policy, "
                     "precision.format, opt.learning_rate%s%s%s",
                     (long long)epoch + 1, (long long)t->state.step + 1, failure.name,
                     failure.name[0] ? ": " : "", reason, failure.before,
                     t->state.encode_x ? "" : ", data.encode_input (true: inputs of order 1)",
                     kept ? "; the last checkpoint is kept" : "",
                     logged ? "" : "; log.jsonl could not be written");
}

mpno_status mpno_trainer_run(mpno_trainer *t) {
    bool stop = false;
    const int64_t n_epochs = t->settings->opt.n_epochs;
    for (int64_t epoch = t->state.epoch; epoch < n_epochs && !stop; epoch++) {
        if (t->state.early.stopped) break;
        mpno_status status = run_epoch(t, epoch, &stop);
        if (status != MPNO_OK) {
            if (t->progress.write) mpno_progress_clear(&t->progress);
            return explain(t, status, epoch);
        }
    }
    if (t->progress.write) mpno_progress_clear(&t->progress);
    const bool finished = t->state.epoch == n_epochs || t->state.early.stopped;
    if (stop && !finished) {
        return mpno_fail(t->ctx, MPNO_E_STOPPED,
                         "stopped after epoch %lld of %lld, go on with --resume",
                         (long long)t->state.epoch, (long long)n_epochs);
    }
    if (t->evaluated == t->state.epoch && !t->state.early.stopped) return MPNO_OK;
    /* Resumed when all was done already, or the best weights are back. */
    MPNO_TRY(enter_phase(t, t->state.epoch - 1, t->state.epoch_steps - 1));
    return evaluate(t, true);
}
