/* SPDX-License-Identifier: MIT
 * When precision rises: see precision.h. */
#include "train/precision.h"

#include <math.h>

#include "core/memory.h"
#include "model/network.h"
#include "train/budget.h"
#include "train/gradient_error.h"
#include "number/format.h"

enum { PREDICTION_INTERVAL = 50, GRADIENT_INTERVAL = 150 };

static bool by_gradient(const mpno_settings *s) {
    return s->precision.measure == MPNO_MEASURE_GRADIENT;
}

/* The first epoch that begins at least an interval after each decision: every so many epochs. */
bool mpno_precision_due(const mpno_settings *s, const mpno_schedule *schedule, int64_t epoch) {
    if (!schedule->adaptive || schedule->level + 1 >= schedule->n || epoch == 0) return false;
    const int64_t standard = by_gradient(s) ? GRADIENT_INTERVAL : PREDICTION_INTERVAL;
    const int64_t interval = s->precision.interval == MPNO_UNSET ? standard : s->precision.interval;
    const int64_t steps = schedule->epoch_steps > 0 ? schedule->epoch_steps : 1;
    return epoch % ((interval + steps - 1) / steps) == 0;
}

static mpno_network_opts opts_of(const mpno_settings *s, const mpno_network_opts *training) {
    mpno_network_opts opts = *training;
    opts.training = by_gradient(s);
    opts.input_gradient = false;
    return opts;
}

mpno_status mpno_precision_need(const mpno_settings *s, mpno_model *model,
                                const mpno_network_opts *training, size_t *bytes) {
    mpno_network_opts opts = opts_of(s, training);
    size_t low, full;
    *bytes = 0;
    if (!mpno_settings_adapts(s)) return MPNO_OK;
    MPNO_TRY(mpno_network_need(model, &opts, &low));
    opts.policy = "full";
    MPNO_TRY(mpno_network_need(model, &opts, &full));
    *bytes = low + full;
    return MPNO_OK;
}

/* ---- predictions ---- */

static mpno_status predict(const mpno_precision_probe *p, const char *policy, void **y,
                           int64_t *values) {
    const mpno_fno_config *c = mpno_model_config(p->model);
    mpno_network_opts opts = opts_of(p->settings, p->opts);
    mpno_network *network = NULL;
    int64_t grid[MPNO_MAX_AXES];
    opts.policy = policy;
    MPNO_TRY(mpno_network_create(p->model, &opts, &network));
    mpno_network_output_grid(network, grid);
    *values = c->out_channels * (c->complex_data ? 2 : 1);
    for (int d = 0; d < c->ndim; d++) *values *= grid[d];
    mpno_status status = mpno_alloc_array(p->ctx, (size_t)(p->n * *values),
                                          mpno_format_bytes(mpno_model_arithmetic(p->model)), y);
    mpno_network_set_embedding(network, p->embedding);
    if (status == MPNO_OK) status = mpno_network_forward(network, p->n, p->x, *y);
    mpno_network_destroy(&network);
    return status;
}

/* Mean over the samples of |a - b| / |target|, each with `values` numbers; room: three times as
 * many.
 */
static double mean_distance(const mpno_precision_probe *p, const void *a, const void *b,
                            const void *target, int64_t values, double *room) {
    const mpno_format format = mpno_model_arithmetic(p->model);
    const void *const from[] = {a, b, target};
    double mean = 0;
    for (int64_t s = 0; s < p->n; s++) {
        double square = 0, size = 0;
        for (int k = 0; k < 3; k++)
            mpno_cast(room + k * values, MPNO_F64,
                      (const char *)from[k] + (size_t)(s * values) * mpno_format_bytes(format),
                      format, (size_t)values);
        for (int64_t i = 0; i < values; i++) {
            const double d = room[i] - room[values + i], t = room[2 * values + i];
            square += d * d, size += t * t;
        }
        mean += size > 0 ? sqrt(square / size) / (double)p->n : 0;
    }
    return mean;
}

static mpno_status compare_predictions(const mpno_precision_probe *p, mpno_precision_finding *out) {
    void *low = NULL, *full = NULL;
    double *room = NULL;
    int64_t values = 0;
    mpno_status status = predict(p, p->opts->policy, &low, &values);
    if (status == MPNO_OK) status = predict(p, "full", &full, &values);
    if (status == MPNO_OK)
        status = mpno_alloc_array(p->ctx, (size_t)values, 3 * sizeof *room, &room);
    if (status == MPNO_OK) {
        out->error = mean_distance(p, low, full, p->y, values, room);
        out->training_error = mean_distance(p, full, p->y, p->y, values, room);
        out->share = out->training_error > 0 ? out->error / out->training_error : INFINITY;
    }
    mpno_free(p->ctx, low);
    mpno_free(p->ctx, full);
    mpno_free(p->ctx, room);
    return status;
}

/* ---- gradients ---- */

/* A network under the policy, which has run the passes of a step. */
static mpno_status differentiate(const mpno_precision_probe *p, const char *policy, double scale,
                                 mpno_network **network, bool *overflow) {
    mpno_network_opts opts = opts_of(p->settings, p->opts);
    mpno_step_result result = {0};
    opts.policy = policy;
    MPNO_TRY(mpno_network_create(p->model, &opts, network));
    mpno_network_set_embedding(*network, p->embedding);
    mpno_network_set_dropout(*network, (uint64_t)p->settings->seed, p->step);
    const mpno_status status = mpno_network_step(*network, p->n, p->x, p->y, scale, &result);
    *overflow = result.overflow;
    return status;
}

/* Gradients that overflow say something about the loss scale, which is halved when they do so in a
 * step: nothing is decided then. */
static mpno_status compare_gradients(const mpno_precision_probe *p, mpno_precision_finding *out) {
    mpno_network *low = NULL, *full = NULL;
    mpno_gradient_error error;
    bool overflow = false, none = false;
    mpno_status status = differentiate(p, p->opts->policy, p->loss_scale, &low, &overflow);
    if (status == MPNO_OK) status = differentiate(p, "full", 1, &full, &none);
    if (status == MPNO_OK) {
        mpno_gradient_compare(p->model, low, p->loss_scale, full, 1, &error);
        out->error = out->share = error.all.size > 0 && !overflow ? error.all.error : 0;
    }
    mpno_network_destroy(&low);
    mpno_network_destroy(&full);
    return status;
}

mpno_status mpno_precision_measure(const mpno_precision_probe *p, mpno_precision_finding *out) {
    *out = (mpno_precision_finding){0};
    MPNO_TRY(by_gradient(p->settings) ? compare_gradients(p, out) : compare_predictions(p, out));
    out->raises = out->share >= p->settings->precision.fraction;
    return MPNO_OK;
}
