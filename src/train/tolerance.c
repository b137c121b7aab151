/* SPDX-License-Identifier: MIT
 * mpno_plan_tolerance: a format for every role and layer of a trained model. Errors of formats are
 * measured on a few samples (tolerance_measure.c), choices are made by them and proved on others
 * (tolerance_choose.c). See mpno/tolerance.h; the method is that of docs/howto/plan_precision.md.
 */
#include "train/tolerance.h"

#include <math.h>
#include <string.h>

#include "core/float_environment.h"
#include "core/memory.h"
#include "train/proof.h"
#include "train/trainer.h"

/* -------- data -------- */

static mpno_status read_data(mpno_tolerance_job *j) {
    mpno_tensor_file *file = NULL;
    int64_t available;
    j->file = mpno_restored_data(j->restored, j->opts->data);
    MPNO_CHECK(j->ctx, j->file != NULL, MPNO_E_CONFIG,
               "there are no data to measure errors on: give --data FILE; the checkpoint's "
               "configuration names no test data");
    MPNO_TRY(mpno_restored_select(j->ctx, j->restored, j->file, 0,
                                  MPNO_TOLERANCE_CALIBRATION + MPNO_TOLERANCE_HELD_OUT, &available,
                                  &file));
    mpno_status status =
        mpno_restored_dataset(j->ctx, j->restored, j->file, file, &j->has_truth, &j->data);
    if (status == MPNO_OK)
        status = mpno_restored_fields(j->ctx, j->restored, j->file, file, MPNO_F64, &j->has_truth,
                                      &j->fields);
    mpno_tensor_file_destroy(j->ctx, &file);
    return status == MPNO_OK ? mpno_tolerance_divide(j, available) : status;
}

/* -------- the job -------- */

/* The row of policies.def with the model's stabiliser, so that a model trained with the plan gets
 * the same one. */
static const char *base_policy(const mpno_restored *r) {
    return mpno_model_config(r->model)->stabilizer == MPNO_STABILIZER_TANH ? "mixed" : "full";
}

static void add_policy(mpno_tolerance_job *j, const char *policy, mpno_format half) {
    j->policies[j->n_policies++] =
        (mpno_tolerance_use){.policy = policy, .half = half, .reference_worst = NAN};
}

static void list_policies(mpno_tolerance_job *j) {
    const mpno_format halves[] = {MPNO_F16, MPNO_BF16};
    add_policy(j, "full", MPNO_F16);
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < mpno_policy_count() && j->n_policies < MPNO_TOLERANCE_POLICIES; i++)
            if (strcmp(mpno_policy_name(i), "full") != 0)
                add_policy(j, mpno_policy_name(i), halves[f]);
}

/* Where answers lie, and how many numbers they have. */
static mpno_status find_shape(mpno_tolerance_job *j) {
    const mpno_dataset *d = j->data;
    const mpno_predictor_opts stored = mpno_restored_opts(j->restored);
    const mpno_network_opts opts = mpno_predictor_network(d, 1, &stored);
    mpno_network *network;
    MPNO_TRY(mpno_network_plan(j->restored->model, &opts, &network));
    mpno_network_output_grid(network, j->grid);
    mpno_network_destroy(&network);
    j->values = d->planes * d->out_channels;
    for (int i = 0; i < d->ndim; i++) {
        j->values *= j->grid[i];
        j->data->out_grid[i] = j->grid[i];
    }
    return MPNO_OK;
}

/* Mean over all samples of the relative distance of answers in f32 from the truth. */
static mpno_status find_model_error(const mpno_tolerance_job *j, double *out) {
    const int64_t n = j->calibration + j->held_out;
    double *room, *truth;
    bool finite = false;
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(n + 1) * (size_t)j->values, sizeof *room, &room));
    truth = room + n * j->values;
    const mpno_status status = mpno_tolerance_answer(j, &j->policies[0], 0, n, room, &finite);
    *out = finite ? 0 : NAN;
    for (int64_t i = 0; i < n && finite; i++) {
        mpno_cast(truth, MPNO_F64, mpno_sample(j->data->y, j->data->format, j->values, i),
                  j->data->format, (size_t)j->values);
        *out += mpno_tolerance_distance(room + i * j->values, truth, j->values) / (double)n;
    }
    mpno_free(j->ctx, room);
    return status;
}

/* A tenth of what the model itself is wrong by: of the samples where they have the truth, else as
 * its training found. */
static mpno_status find_tolerance(mpno_tolerance_job *j) {
    const mpno_checkpoint *c = j->restored->checkpoint;
    double error = c->state.best_error;
    j->tolerance = j->opts->tolerance;
    if (!isnan(j->tolerance)) return MPNO_OK;
    j->tolerance_from = "a tenth of the model's error on the samples";
    if (j->has_truth && !(j->brief && error > 0))
        MPNO_TRY(find_model_error(j, &error));
    else
        j->tolerance_from = "a tenth of the model's validation error";
    MPNO_CHECK(j->ctx, error > 0 && isfinite(error), MPNO_E_CONFIG,
               "%s has no '%s' and the checkpoint no validation error, of which the tolerance is "
               "to be a tenth: give --tolerance a number such as 1e-3",
               j->file, c->settings.data.y_key);
    j->tolerance = error / 10;
    return MPNO_OK;
}

mpno_status mpno_tolerance_make(mpno_tolerance_job *j) {
    MPNO_CHECK(j->ctx, mpno_model_arithmetic(j->restored->model) == MPNO_F32, MPNO_E_CONFIG,
               "%s computes in f64 and stores nothing narrower: give precision.policy=full to plan "
               "for arithmetic in f32",
               j->restored->checkpoint->path);
    MPNO_TRY(read_data(j));
    MPNO_TRY(find_shape(j));
    j->base = base_policy(j->restored);
    list_policies(j);
    MPNO_TRY(mpno_tolerance_cost(j, &j->policies[0]));
    MPNO_TRY(find_tolerance(j));
    return mpno_tolerance_choose(j);
}

void mpno_tolerance_clear(mpno_tolerance_job *j) {
    mpno_certifier_destroy(&j->certifier);
    mpno_dataset_destroy(j->ctx, &j->data);
    mpno_dataset_destroy(j->ctx, &j->fields);
    mpno_free(j->ctx, j->full);
    mpno_free(j->ctx, j->embedding);
    mpno_free(j->ctx, j->shadow);
    mpno_free(j->ctx, j->bound);
    mpno_free(j->ctx, j->tensors);
    mpno_free(j->ctx, j->scratch);
}

mpno_status mpno_tolerance_can_prove(mpno_ctx *ctx) {
    const mpno_float_environment around = mpno_float_environment_find(ctx->n_threads);
    const char *trouble = mpno_proof_trouble(&around);
    MPNO_CHECK(ctx, trouble == NULL, MPNO_E_UNSUPPORTED, "%s", trouble);
    return MPNO_OK;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_tolerance_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_tolerance_opts: size is %zu, expected %zu; start from "
               "MPNO_TOLERANCE_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_CHECK(ctx, isnan(opts->tolerance) || (opts->tolerance > 0 && isfinite(opts->tolerance)),
               MPNO_E_ARGUMENT,
               "the tolerance is %g; expected a number above 0 such as 1e-3, of the relative L2 "
               "distance from the exact answer",
               opts->tolerance);
    MPNO_CHECK(ctx, opts->minimise == MPNO_MINIMISE_MEMORY || opts->minimise == MPNO_MINIMISE_TIME,
               MPNO_E_ARGUMENT, "minimise is neither memory nor time");
    return mpno_tolerance_can_prove(ctx);
}

static mpno_status plan(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                        const mpno_tolerance_opts *opts, const mpno_sink *sink, char **json) {
    mpno_restored restored;
    mpno_tolerance_job *j;
    MPNO_TRY(mpno_restore(ctx, checkpoint, overrides, &restored));
    mpno_status status = mpno_alloc(ctx, sizeof *j, &j);
    if (status == MPNO_OK) {
        j->ctx = ctx;
        j->restored = &restored;
        j->opts = opts;
        j->sink = sink;
        status = mpno_tolerance_make(j);
        if (status == MPNO_OK) status = mpno_tolerance_report(j, json);
        mpno_tolerance_clear(j);
        mpno_free(ctx, j);
    }
    mpno_restored_clear(ctx, &restored);
    return status;
}

mpno_status mpno_plan_tolerance(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                                const mpno_tolerance_opts *opts, const mpno_sink *sink,
                                char **json) {
    const mpno_tolerance_opts defaults = MPNO_TOLERANCE_OPTS_INIT;
    const int n_threads = ctx->n_threads;
    if (json) *json = NULL;
    if (opts == NULL) opts = &defaults;
    mpno_override_threads(ctx, overrides);
    mpno_status status = check_opts(ctx, opts);
    if (status == MPNO_OK) status = plan(ctx, checkpoint, overrides, opts, sink, json);
    ctx->n_threads = n_threads;
    return status;
}
