/* SPDX-License-Identifier: MIT
 * mpno_advise: each policy on one batch. Predictions are compared with those of `full` and with the
 * truth; tensors are counted and compared with those of `full`; with a truth gradients are looked
 * at too, of a few samples. The stabiliser is the checkpoint's: a policy changes formats only. */
#include "train/advise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "train/objective.h"
#include "train/sink.h"
#include "train/trainer.h"

enum { ROUNDS = 3, GRADIENT_SAMPLES = 4 };

/* -------- data -------- */

static mpno_status read_data(mpno_advice *a, const mpno_advise_opts *opts) {
    const mpno_settings *s = &a->restored->checkpoint->settings;
    a->file = mpno_restored_data(a->restored, opts->data);
    MPNO_CHECK(a->ctx, a->file != NULL, MPNO_E_CONFIG,
               "there are no data to try policies on: give --data FILE; the checkpoint's "
               "configuration names no test data");
    const int64_t samples = opts->samples > 0 ? opts->samples : s->data.test_batch_size;
    MPNO_TRY(mpno_restored_read(a->ctx, a->restored, a->file, samples, &a->has_truth, &a->data));
    a->batch = a->data->n < samples ? a->data->n : samples;
    return MPNO_OK;
}

/* -------- networks -------- */

static mpno_status network_opts(const mpno_advice *a, const mpno_trial *t, bool training,
                                int64_t capacity, mpno_network_opts *out) {
    const mpno_settings *s = &a->restored->checkpoint->settings;
    MPNO_TRY(mpno_settings_network(a->ctx, s, t->policy, out));
    for (int d = 0; d < a->data->ndim && d < MPNO_MAX_AXES; d++) out->grid[d] = a->data->grid[d];
    memcpy(out->output_grid, a->data->out_grid, sizeof out->output_grid);
    mpno_network_opts_widen(out); /* rows of policies.def alone are tried */
    out->policy = t->policy;
    out->half_format = t->half;
    out->training = training;
    out->capacity = capacity;
    return MPNO_OK;
}

static mpno_status make_network(const mpno_advice *a, const mpno_trial *t, bool training,
                                int64_t capacity, mpno_network **out) {
    mpno_network_opts opts;
    MPNO_TRY(network_opts(a, t, training, capacity, &opts));
    MPNO_TRY(mpno_network_create(a->restored->model, &opts, out));
    mpno_network_set_embedding(*out, a->data->embedding);
    return MPNO_OK;
}

/* Room for predictions of the batch, on the grid that the network puts them. */
static mpno_status make_room(const mpno_advice *a, const mpno_network *network, int64_t *grid,
                             int64_t *values, void **out) {
    mpno_network_output_grid(network, grid);
    *values = a->batch * a->data->planes * a->data->out_channels;
    for (int d = 0; d < a->data->ndim; d++) *values *= grid[d];
    return mpno_alloc_array(a->ctx, (size_t)*values, mpno_format_bytes(a->data->format), out);
}

/* -------- what a training step would take -------- */

static mpno_status plan_training(const mpno_advice *a, mpno_trial *t) {
    const mpno_settings *s = &a->restored->checkpoint->settings;
    mpno_network_opts opts;
    mpno_network *network;
    double *seconds, bandwidth;
    MPNO_TRY(network_opts(a, t, true, s->data.batch_size, &opts));
    MPNO_TRY(mpno_network_plan(a->restored->model, &opts, &network));
    const mpno_exec *exec = mpno_network_exec(network);
    const int n = mpno_exec_n_steps(exec);
    t->training = mpno_half_bytes_of(a->restored->model, network);
    t->training.under_full =
        t == &a->trials[0] ? t->training.activations : a->trials[0].training.activations;
    mpno_status status = mpno_alloc_array(a->ctx, (size_t)n, sizeof *seconds, &seconds);
    if (status == MPNO_OK) {
        status = mpno_exec_estimate(exec, seconds, &bandwidth);
        for (int i = 0; i < n && status == MPNO_OK; i++) t->step_seconds += seconds[i];
        mpno_free(a->ctx, seconds);
    }
    mpno_network_destroy(&network);
    return status;
}

/* -------- one policy -------- */

/* The pass of a network with a census of it, then beside the reference. y: target, or room. */
static mpno_status look(const mpno_advice *a, mpno_network *network, mpno_network *reference,
                        int64_t batch, const void *y, double loss_scale,
                        mpno_tensor_records *records, int *bad) {
    mpno_tally tally;
    mpno_shadow shadow;
    MPNO_TRY(mpno_tally_create(network, a->ctx->n_threads, a->ctx, &tally));
    const mpno_observer observer = mpno_tally_observer(&tally);
    mpno_network_observe(network, &observer);
    mpno_status status = mpno_network_rehearse(network, batch, a->data->x, y, loss_scale, bad);
    mpno_network_observe(network, NULL);
    if (status == MPNO_OK)
        status = mpno_shadow_run(network, reference, batch, a->data->x, y, loss_scale, &shadow);
    if (status == MPNO_OK) {
        status = mpno_records_add(a->ctx, network, &tally, &shadow, records);
        mpno_shadow_clear(&shadow);
    }
    mpno_tally_clear(&tally);
    return status;
}

static mpno_status measure(const mpno_advice *a, mpno_network *network, void *y, mpno_trial *t) {
    t->seconds = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        const double start = mpno_seconds();
        MPNO_TRY(mpno_network_forward(network, a->batch, a->data->x, y));
        t->seconds = fmin(t->seconds, mpno_seconds() - start);
    }
    return MPNO_OK;
}

static mpno_status relative_l2(const mpno_advice *a, const int64_t *grid, const void *y,
                               const void *truth, double *out) {
    const mpno_objective norms = mpno_settings_norms(&a->restored->checkpoint->settings);
    mpno_metrics metrics = {0};
    MPNO_TRY(mpno_metrics_add(a->ctx, &metrics, &norms, a->data->format, a->batch, a->data->ndim,
                              grid, a->data->planes, a->data->out_channels, y, truth));
    mpno_metrics_finish(&metrics);
    *out = metrics.l2;
    return MPNO_OK;
}

/* y: what the network predicted, in physical units in the end; full: the same of `full`. */
static mpno_status score(const mpno_advice *a, const int64_t *grid, int64_t values, void *y,
                         const void *full, mpno_trial *t) {
    const mpno_train_state *state = &a->restored->checkpoint->state;
    if (state->encode_y) mpno_normalizer_decode(&state->y, a->data->format, y, values);
    MPNO_TRY(relative_l2(a, grid, y, full, &t->difference));
    return a->has_truth ? relative_l2(a, grid, y, a->data->y, &t->error) : MPNO_OK;
}

/* What the records of the forward pass say as a whole. */
static void sum_up(mpno_trial *t, int n_forward) {
    t->headroom = INFINITY;
    for (int i = 0; i < n_forward; i++) {
        const mpno_tensor_record *r = &t->records.v[i];
        const double room = mpno_record_headroom(r);
        t->lost += r->lost;
        t->compared += r->compared;
        if (room < t->headroom) {
            t->headroom = room;
            t->tightest = r;
        }
    }
    for (int i = n_forward; i < t->records.n; i++) {
        const mpno_tensor_record *r = &t->records.v[i];
        if (r->compared > 0 && !(t->gradient_decibel <= r->decibel))
            t->gradient_decibel = r->decibel;
    }
}

typedef struct references {
    mpno_network *forward, *training; /* training NULL: no truth */
    int64_t grid[MPNO_MAX_AXES];
    int64_t values, few;     /* of predictions; samples that gradients are of */
    void *full, *y, *target; /* predictions of full, physical; room for others; encoded truth */
} references;

/* Gradients of a few samples. */
static mpno_status look_at_gradients(const mpno_advice *a, const references *r, mpno_trial *t) {
    const mpno_train_state *state = &a->restored->checkpoint->state;
    const bool scaled = t->half == MPNO_F16 && strcmp(t->policy, "full") != 0;
    const double scale = scaled ? state->loss_scale.scale : 1;
    mpno_tensor_records all = {0};
    mpno_network *network;
    int bad = -1;
    MPNO_TRY(make_network(a, t, true, r->few, &network));
    mpno_status status = look(a, network, r->training, r->few, r->target, scale, &all, &bad);
    t->gradients_finite = bad < 0;
    if (status == MPNO_OK && bad < 0 && t != &a->trials[0]) /* both have run, scaled alike */
        mpno_gradient_compare(a->restored->model, network, scale, r->training, scale, &t->gradient);
    for (int i = 0; i < all.n && status == MPNO_OK; i++) {
        if (!all.v[i].gradient) continue;
        const size_t n = (size_t)t->records.n;
        status = mpno_realloc_array(a->ctx, &t->records.v, n, n + 1, sizeof *t->records.v);
        if (status != MPNO_OK) break;
        t->records.v[n] = all.v[i];
        t->records.n = t->records.room = (int)n + 1;
        all.v[i].shells = NULL; /* taken */
        all.v[i].n_shells = 0;
    }
    mpno_records_clear(a->ctx, &all);
    mpno_network_destroy(&network);
    return status;
}

static mpno_status run_network(const mpno_advice *a, references *r, mpno_network *network,
                               mpno_trial *t) {
    int bad = -1;
    t->activation_bytes = mpno_network_get_cost(network).activation_bytes;
    MPNO_TRY(look(a, network, r->forward, a->batch, r->y, 1, &t->records, &bad));
    if (bad >= 0) {
        const mpno_graph *graph = mpno_network_graph(network);
        snprintf(t->broken, sizeof t->broken, "%s, %s", graph->layers[graph->edges[bad].layer],
                 graph->edges[bad].name);
        return MPNO_OK;
    }
    MPNO_TRY(measure(a, network, r->y, t));
    return score(a, r->grid, r->values, r->y, r->full, t);
}

static mpno_status try_policy(const mpno_advice *a, references *r, mpno_trial *t) {
    mpno_network *network;
    MPNO_TRY(make_network(a, t, false, a->batch, &network));
    mpno_status status = run_network(a, r, network, t);
    mpno_network_destroy(&network);
    const int n_forward = t->records.n;
    if (status == MPNO_OK && r->training != NULL && t->broken[0] == '\0')
        status = look_at_gradients(a, r, t);
    if (status == MPNO_OK) status = plan_training(a, t);
    sum_up(t, n_forward);
    return status;
}

/* -------- all of them -------- */

/* The first samples of the truth as the loss sees them. */
static mpno_status make_target(const mpno_advice *a, references *r) {
    const mpno_train_state *state = &a->restored->checkpoint->state;
    const int64_t values = r->values / a->batch * r->few;
    const size_t bytes = (size_t)values * mpno_format_bytes(a->data->format);
    MPNO_TRY(mpno_alloc_raw(a->ctx, bytes, &r->target));
    memcpy(r->target, a->data->y, bytes);
    if (state->encode_y) mpno_normalizer_encode(&state->y, a->data->format, r->target, values);
    return make_network(a, &a->trials[0], true, r->few, &r->training);
}

static mpno_status open_references(const mpno_advice *a, references *r) {
    const mpno_trial *full = &a->trials[0];
    const mpno_train_state *state = &a->restored->checkpoint->state;
    MPNO_TRY(make_network(a, full, false, a->batch, &r->forward));
    MPNO_TRY(make_room(a, r->forward, r->grid, &r->values, &r->full));
    MPNO_TRY(make_room(a, r->forward, r->grid, &r->values, &r->y));
    if (state->encode_y)
        MPNO_TRY(
            mpno_normalizer_check_grid(a->ctx, &state->y, "predictions", a->data->ndim, r->grid));
    MPNO_TRY(mpno_network_forward(r->forward, a->batch, a->data->x, r->full));
    if (state->encode_y) mpno_normalizer_decode(&state->y, a->data->format, r->full, r->values);
    r->few = a->batch < GRADIENT_SAMPLES ? a->batch : GRADIENT_SAMPLES;
    return a->has_truth ? make_target(a, r) : MPNO_OK;
}

static void close_references(const mpno_advice *a, references *r) {
    mpno_network_destroy(&r->forward);
    mpno_network_destroy(&r->training);
    mpno_free(a->ctx, r->full);
    mpno_free(a->ctx, r->y);
    mpno_free(a->ctx, r->target);
}

static void add_trial(mpno_advice *a, const char *policy, mpno_format half) {
    if (a->n_trials == MPNO_MOST_TRIALS) return;
    a->trials[a->n_trials++] = (mpno_trial){.policy = policy,
                                            .half = half,
                                            .difference = NAN,
                                            .error = NAN,
                                            .seconds = NAN,
                                            .gradient_decibel = NAN};
}

static mpno_status try_all(mpno_advice *a, const mpno_advise_opts *opts, const mpno_sink *sink) {
    const mpno_format halves[] = {MPNO_F16, MPNO_BF16};
    references r = {0};
    add_trial(a, "full", MPNO_F16);
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < mpno_policy_count(); i++)
            if (strcmp(mpno_policy_name(i), "full") != 0 &&
                (opts->half_format == MPNO_FORMAT_COUNT || opts->half_format == halves[f]))
                add_trial(a, mpno_policy_name(i), halves[f]);
    mpno_status status = open_references(a, &r);
    for (int i = 0; i < a->n_trials && status == MPNO_OK; i++) {
        if (mpno_stop_wanted(sink))
            status = mpno_fail(a->ctx, MPNO_E_STOPPED, "stopped before all policies were tried");
        else
            status = try_policy(a, &r, &a->trials[i]);
    }
    close_references(a, &r);
    return status;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_advise_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_advise_opts: size is %zu, expected %zu; start from MPNO_ADVISE_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_CHECK(ctx,
               opts->half_format == MPNO_FORMAT_COUNT || opts->half_format == MPNO_F16 ||
                   opts->half_format == MPNO_BF16,
               MPNO_E_ARGUMENT, "half_format is neither f16 nor bf16 nor MPNO_FORMAT_COUNT");
    MPNO_CHECK(ctx, opts->samples >= 0, MPNO_E_ARGUMENT,
               "samples is %lld; it must be at least 1, or 0 for a batch of evaluation",
               (long long)opts->samples);
    return MPNO_OK;
}

static mpno_status advise(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                          const mpno_advise_opts *opts, const mpno_sink *sink, char **json) {
    mpno_restored restored;
    mpno_advice *a;
    MPNO_TRY(mpno_restore(ctx, checkpoint, overrides, &restored));
    mpno_status status = mpno_alloc(ctx, sizeof *a, &a);
    if (status == MPNO_OK) {
        a->ctx = ctx;
        a->restored = &restored;
        status = read_data(a, opts);
        if (status == MPNO_OK) status = try_all(a, opts, sink);
        if (status == MPNO_OK) status = mpno_advice_report(a, sink, json);
        for (int i = 0; i < a->n_trials; i++) mpno_records_clear(ctx, &a->trials[i].records);
        mpno_dataset_destroy(ctx, &a->data);
        mpno_free(ctx, a);
    }
    mpno_restored_clear(ctx, &restored);
    return status;
}

mpno_status mpno_advise(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                        const mpno_advise_opts *opts, const mpno_sink *sink, char **json) {
    const mpno_advise_opts defaults = MPNO_ADVISE_OPTS_INIT;
    const int n_threads = ctx->n_threads;
    if (json) *json = NULL;
    if (opts == NULL) opts = &defaults;
    MPNO_TRY(check_opts(ctx, opts));
    mpno_override_threads(ctx, overrides);
    const mpno_status status = advise(ctx, checkpoint, overrides, opts, sink, json);
    ctx->n_threads = n_threads;
    return status;
}
