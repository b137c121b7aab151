/* SPDX-License-Identifier: MIT
 * POINT certificates, see point.h. */
#include "certify/point.h"

#include <math.h>
#include <stdio.h>

#include "certify/running.h"
#include "core/memory.h"
#include "kernel/field_kernels.h"

#define U 0x1p-53
/* What underflow may take, of all numbers together; and squares that vanish. */
#define TINY 0x1p-500

struct mpno_certifier {
    mpno_ctx *ctx;
    mpno_certifier_opts opts;
    mpno_model *model; /* owned, f64 */
    mpno_network *network;
    mpno_running *running;
    mpno_grid grid;                          /* of the answer */
    int64_t in_values, out_values, channels; /* of a sample; of the answer */
    double *x, *y, *difference;              /* owned: encoded input, shadow's answer */
};

const char *mpno_distance_name(mpno_distance distance) {
    static const char *const names[MPNO_N_DISTANCES] = {"l2", "h1", "max"};
    return names[distance];
}

/* -------- the shadow -------- */

static mpno_status make_network(mpno_certifier *c) {
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    for (int d = 0; d < MPNO_MAX_AXES; d++) {
        opts.grid[d] = c->opts.grid[d];
        opts.output_grid[d] = c->opts.output_grid[d];
    }
    opts.unfused = opts.accurate = true;
    MPNO_TRY(mpno_network_create(c->model, &opts, &c->network));
    return mpno_running_create(c->network, c->model, &c->running);
}

static mpno_status make_room(mpno_certifier *c) {
    const mpno_fno_config *config = mpno_model_config(c->model);
    int64_t grid[MPNO_MAX_AXES], points = config->complex_data ? 2 : 1;
    c->grid = (mpno_grid){.ndim = config->ndim, .planes = (int)points, .points = points};
    mpno_network_output_grid(c->network, grid);
    for (int d = 0; d < config->ndim; d++) {
        points *= c->opts.grid[d];
        c->grid.size[d] = grid[d];
        c->grid.points *= grid[d];
    }
    c->channels = config->out_channels;
    c->in_values = points * config->in_channels;
    c->out_values = c->grid.points * c->channels;
    MPNO_TRY(mpno_alloc_array(c->ctx, (size_t)c->in_values, sizeof *c->x, &c->x));
    MPNO_TRY(mpno_alloc_array(c->ctx, (size_t)c->out_values, sizeof *c->y, &c->y));
    return mpno_alloc_array(c->ctx, (size_t)c->out_values, sizeof *c->difference, &c->difference);
}

mpno_status mpno_certifier_create(const mpno_model *model, const mpno_certifier_opts *opts,
                                  mpno_certifier **out) {
    mpno_certifier *c;
    *out = NULL;
    MPNO_TRY(mpno_alloc(model->ctx, sizeof *c, &c));
    *c = (mpno_certifier){.ctx = model->ctx, .opts = *opts};
    mpno_status status = mpno_model_copy(model, MPNO_F64, &c->model);
    if (status == MPNO_OK) status = make_network(c);
    if (status == MPNO_OK) status = make_room(c);
    if (status != MPNO_OK) mpno_certifier_destroy(&c);
    *out = c;
    return status;
}

void mpno_certifier_destroy(mpno_certifier **certifier) {
    if (certifier == NULL || *certifier == NULL) return;
    mpno_certifier *c = *certifier;
    mpno_running_destroy(&c->running);
    mpno_network_destroy(&c->network);
    mpno_model_destroy(&c->model);
    mpno_free(c->ctx, c->x);
    mpno_free(c->ctx, c->y);
    mpno_free(c->ctx, c->difference);
    mpno_free(c->ctx, c);
    *certifier = NULL;
}

/* -------- normalisers -------- */

static double mean_at(const mpno_normalizer *n, int64_t i) {
    const int64_t count = mpno_normalizer_count(n);
    return count > 0 ? n->means[i % count] : n->mean;
}
static double std_at(const mpno_normalizer *n, int64_t i) {
    const int64_t count = mpno_normalizer_count(n);
    return (count > 0 ? n->stds[i % count] : n->std) + MPNO_NORMALIZER_EPS;
}

/* x = (input - mean) / (std + eps) in three roundings; gives the norm of what they may be off by.
 */
static double encode(mpno_certifier *c, const double *input) {
    const mpno_normalizer *n = c->opts.x;
    double sum = 0;
    for (int64_t i = 0; i < c->in_values; i++) c->x[i] = input[i];
    if (n == NULL) return 0;
    for (int64_t i = 0; i < c->in_values; i++) {
        const double off = 4 * U * (fabs(input[i]) + fabs(mean_at(n, i))) / std_at(n, i);
        sum += off * off;
    }
    mpno_normalizer_encode(n, MPNO_F64, c->x, c->in_values);
    const double rows = (double)(c->in_values / mpno_model_config(c->model)->in_channels);
    return sqrt(sum / rows) * (1 + 1e-9) + TINY;
}

/* The shadow's answer in physical units; gives the norm of its distance from the exact one. */
static double decode(mpno_certifier *c) {
    const mpno_normalizer *n = c->opts.y;
    const double error = mpno_running_output(c->running)->error;
    double most = 0, sum = 0;
    if (n == NULL) return error;
    for (int64_t i = 0; i < c->out_values; i++) {
        const double std = std_at(n, i), off = 4 * U * (fabs(c->y[i]) * std + fabs(mean_at(n, i)));
        most = fmax(most, std);
        sum += off * off;
    }
    mpno_normalizer_decode(n, MPNO_F64, c->y, c->out_values);
    return (most * error + sqrt(sum / (double)c->grid.points)) * (1 + 1e-9) + TINY;
}

/* -------- distances -------- */

/* Of a field in the norm of fields (graph/bound.h): factors to L2, H1 and the largest magnitude,
 * which none of them exceeds. Central differences have the norm 1 / h at most; with one-sided ends
 * sqrt(|D|_1 |D|_inf) <= sqrt(4 * 40 / 6) / h < 5.2 / h. */
static void factors(const mpno_certifier *c, double factor[MPNO_N_DISTANCES]) {
    double measure = 1, slopes = 1;
    for (int d = 0; d < c->grid.ndim; d++) {
        const double length = c->opts.norms.measure[d] > 0 ? c->opts.norms.measure[d] : 1,
                     step = length / (double)c->grid.size[d],
                     slope = (c->opts.norms.one_sided[d] ? 5.2 : 1) / step;
        measure *= length;
        slopes += slope * slope;
    }
    factor[MPNO_DISTANCE_L2] = sqrt(measure * c->grid.planes);
    factor[MPNO_DISTANCE_H1] = factor[MPNO_DISTANCE_L2] * sqrt(slopes);
    factor[MPNO_DISTANCE_MOST] = sqrt((double)c->grid.points);
}

/* Norms of a field of the answer's shape, all channels together, as they are computed. */
static mpno_status norms_of(const mpno_certifier *c, const double *field,
                            double norm[MPNO_N_DISTANCES]) {
    const size_t channels = (size_t)c->channels;
    mpno_objective objective = c->opts.norms;
    double *zero = NULL, *loss = NULL, sum[2] = {0};
    objective.n_terms = 1;
    objective.channel_weights = NULL;
    objective.n_channel_weights = 0;
    mpno_status status = mpno_alloc_array(c->ctx, (size_t)c->out_values, sizeof *zero, &zero);
    if (status == MPNO_OK) status = mpno_alloc_array(c->ctx, 2 * channels, sizeof *loss, &loss);
    for (int k = 0; k < 2 && status == MPNO_OK; k++) {
        objective.term[0] = (mpno_loss_term){k == 0 ? MPNO_LOSS_L2 : MPNO_LOSS_H1, true, 1.0};
        mpno_field_kernels_get(MPNO_F64)->loss(&objective, loss, field, zero, &c->grid,
                                               c->channels);
        for (size_t i = 0; i < channels; i++) sum[k] += loss[2 * i] * loss[2 * i];
    }
    norm[MPNO_DISTANCE_L2] = sqrt(sum[0]);
    norm[MPNO_DISTANCE_H1] = sqrt(sum[1]);
    norm[MPNO_DISTANCE_MOST] = 0;
    for (int64_t i = 0; i < c->out_values; i++)
        norm[MPNO_DISTANCE_MOST] = fmax(norm[MPNO_DISTANCE_MOST], fabs(field[i]));
    mpno_free(c->ctx, zero);
    mpno_free(c->ctx, loss);
    return status;
}

/* [d - B, d + B], d enlarged by the roundings of its sum; of H1 those of differences beside. */
static void intervals(const mpno_certifier *c, const double norm[MPNO_N_DISTANCES],
                      const double bound[MPNO_N_DISTANCES],
                      mpno_interval interval[MPNO_N_DISTANCES]) {
    const double sum = ((double)c->out_values + 100) * U;
    double factor[MPNO_N_DISTANCES];
    factors(c, factor);
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const double differences = k == MPNO_DISTANCE_H1 ? 8 * U * norm[MPNO_DISTANCE_L2] *
                                                               factor[k] / factor[MPNO_DISTANCE_L2]
                                                         : 0;
        const double off = bound[k] + sum * norm[k] + differences;
        interval[k] = (mpno_interval){fmax(0, norm[k] - off), norm[k] + off};
    }
}

static void put_layers(const mpno_certifier *c, mpno_point *out) {
    const mpno_graph *graph = mpno_network_graph(c->network);
    out->n_layers = 0;
    for (int l = 0; l < graph->n_layers; l++) {
        const mpno_bound *b = mpno_running_layer(c->running, l);
        if (b == NULL) continue;
        mpno_point_layer *line = &out->layers[out->n_layers++];
        *line = (mpno_point_layer){.norm = b->norm, .most = b->most, .error = b->error};
        snprintf(line->name, sizeof line->name, "%s", graph->layers[l]);
    }
}

static mpno_status measure(mpno_certifier *c, const double *answer, double error, mpno_point *out) {
    double norm[MPNO_N_DISTANCES], factor[MPNO_N_DISTANCES];
    factors(c, factor);
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        out->shadow[k] = factor[k] * error * (1 + 1e-9);
        MPNO_CHECK(c->ctx, isfinite(out->shadow[k]), MPNO_E_NUMERIC,
                   "the bound of the shadow run's error is not finite");
    }
    MPNO_TRY(norms_of(c, c->y, norm));
    intervals(c, norm, out->shadow, out->size);
    for (int64_t i = 0; i < c->out_values; i++) {
        c->difference[i] = answer[i] - c->y[i];
        MPNO_CHECK(c->ctx, isfinite(c->difference[i]), MPNO_E_NUMERIC,
                   "value %lld of the answer is %g and that of the shadow run %g; a certificate "
                   "needs finite numbers",
                   (long long)i, answer[i], c->y[i]);
    }
    MPNO_TRY(norms_of(c, c->difference, norm));
    intervals(c, norm, out->shadow, out->distance);
    return MPNO_OK;
}

mpno_status mpno_certifier_run(mpno_certifier *c, const double *input, const double *answer,
                               mpno_point *out) {
    const double input_error = encode(c, input);
    MPNO_TRY(mpno_running_run(c->running, c->x, c->opts.embedding, input_error, c->y));
    put_layers(c, out);
    return measure(c, answer, decode(c), out);
}

const double *mpno_certifier_answer(const mpno_certifier *c) {
    return c->y;
}
