/* SPDX-License-Identifier: MIT
 * A model applied to samples: see predictor.h. */
#include "train/predictor.h"

#include <string.h>

#include "core/memory.h"
#include "train/budget.h"
#include "train/objective.h"

mpno_predictor_opts mpno_predictor_opts_of(const mpno_settings *s, const char *policy,
                                           const mpno_train_state *state) {
    mpno_predictor_opts opts = {.policy = policy,
                                .half = mpno_settings_half(s),
                                .arithmetic = mpno_settings_arithmetic_of_transforms(s),
                                .storage = mpno_settings_storage(s, policy),
                                .batch = s->data.test_batch_size,
                                .memory_limit = mpno_settings_memory_limit(s),
                                .y = state->encode_y ? &state->y : NULL,
                                .norms = mpno_settings_norms(s)};
    mpno_settings_most_modes(s, opts.most_modes);
    return opts;
}

mpno_network_opts mpno_predictor_network(const mpno_dataset *data, int64_t n,
                                         const mpno_predictor_opts *opts) {
    mpno_network_opts network = MPNO_NETWORK_OPTS_INIT;
    for (int d = 0; d < data->ndim && d < MPNO_MAX_AXES; d++) network.grid[d] = data->grid[d];
    memcpy(network.output_grid, data->out_grid, sizeof network.output_grid);
    network.capacity = opts->batch < n ? opts->batch : n;
    network.policy = opts->policy;
    network.half_format = opts->half;
    network.transform_arithmetic = opts->arithmetic;
    network.storage = opts->storage;
    memcpy(network.most_modes, opts->most_modes, sizeof network.most_modes);
    return network;
}

/* Bytes of the outputs of a batch, on the grid that a network puts them. */
static size_t output_bytes(const mpno_network *network, const mpno_dataset *data, int64_t batch,
                           int64_t *grid, int64_t *points) {
    mpno_network_output_grid(network, grid);
    *points = data->planes;
    for (int d = 0; d < data->ndim; d++) *points *= grid[d];
    return (size_t)(batch * *points * data->out_channels) * mpno_format_bytes(data->format);
}

mpno_status mpno_predictor_need(mpno_model *model, const mpno_dataset *data, int64_t n,
                                const mpno_predictor_opts *opts, size_t *bytes) {
    mpno_network_opts one = mpno_predictor_network(data, n, opts);
    mpno_network *network;
    int64_t grid[MPNO_MAX_AXES], points;
    one.micro_batch = 1;
    MPNO_TRY(mpno_network_need(model, &one, bytes));
    MPNO_TRY(mpno_network_plan(model, &one, &network));
    *bytes += output_bytes(network, data, one.capacity, grid, &points);
    mpno_network_destroy(&network);
    return MPNO_OK;
}

mpno_status mpno_predictor_create(mpno_model *model, mpno_ctx *ctx, const mpno_dataset *data,
                                  int64_t n, const mpno_predictor_opts *opts, mpno_predictor *out) {
    *out = (mpno_predictor){.ctx = ctx, .opts = *opts, .data = data};
    mpno_network_opts network = mpno_predictor_network(data, n, opts);
    out->opts.batch = network.capacity;
    mpno_budget budget = {.limit = opts->memory_limit, .use = "evaluation"};
    if (budget.limit > 0) {
        mpno_network *planned;
        MPNO_TRY(mpno_network_plan(model, &network, &planned));
        const size_t y = output_bytes(planned, data, network.capacity, out->grid, &out->points);
        mpno_network_destroy(&planned);
        budget.held = mpno_ctx_bytes(ctx) + y;
    }
    MPNO_TRY(mpno_budget_divide(&budget, model, &network, 1));
    MPNO_TRY(mpno_network_create(model, &network, &out->network));
    const size_t bytes =
        output_bytes(out->network, data, network.capacity, out->grid, &out->points);
    if (opts->y) {
        const mpno_status fits =
            mpno_normalizer_check_grid(ctx, opts->y, "predictions", data->ndim, out->grid);
        if (fits != MPNO_OK) mpno_predictor_destroy(out);
        MPNO_TRY(fits);
    }
    mpno_status status = mpno_alloc(ctx, bytes, &out->y);
    if (status != MPNO_OK) mpno_predictor_destroy(out);
    return status;
}

void mpno_predictor_destroy(mpno_predictor *predictor) {
    mpno_network_destroy(&predictor->network);
    mpno_free(predictor->ctx, predictor->y);
    predictor->y = NULL;
}

void mpno_predictor_steer(mpno_network *network, const mpno_dataset *data, int64_t first) {
    if (data->embedding != NULL)
        mpno_network_set_embedding(
            network, mpno_sample(data->embedding, data->format, data->n_features, first));
}

mpno_status mpno_predictor_run(mpno_predictor *predictor, int64_t first, int64_t batch) {
    const mpno_dataset *data = predictor->data;
    const void *x = mpno_sample(data->x, data->format, data->points * data->in_channels, first);
    mpno_predictor_steer(predictor->network, data, first);
    MPNO_TRY(mpno_network_forward(predictor->network, batch, x, predictor->y));
    if (predictor->opts.y) {
        mpno_normalizer_decode(predictor->opts.y, data->format, predictor->y,
                               batch * predictor->points * data->out_channels);
    }
    return MPNO_OK;
}

mpno_status mpno_evaluate(mpno_model *model, mpno_ctx *ctx, const mpno_set *set,
                          const mpno_predictor_opts *opts, mpno_metrics *out) {
    const mpno_dataset *data = set->data;
    mpno_predictor predictor;
    mpno_metrics metrics = {0};
    MPNO_TRY(mpno_predictor_create(model, ctx, data, set->n, opts, &predictor));
    mpno_status status = MPNO_OK;
    for (int64_t i = 0; i < set->n && status == MPNO_OK; i += predictor.opts.batch) {
        int64_t left = set->n - i;
        int64_t batch = left < predictor.opts.batch ? left : predictor.opts.batch;
        status = mpno_predictor_run(&predictor, set->first + i, batch);
        if (status != MPNO_OK) break;
        const void *truth = mpno_sample(data->y, data->format,
                                        data->out_points * data->out_channels, set->first + i);
        status =
            mpno_metrics_add(ctx, &metrics, &opts->norms, data->format, batch, data->ndim,
                             data->out_grid, data->planes, data->out_channels, predictor.y, truth);
    }
    mpno_predictor_destroy(&predictor);
    mpno_metrics_finish(&metrics);
    *out = metrics;
    return status;
}
