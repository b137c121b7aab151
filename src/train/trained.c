/* SPDX-License-Identifier: MIT
 * A trained model for use in a program: see mpno/trained.h. */
#include "mpno/trained.h"

#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "train/restore.h"

struct mpno_trained {
    mpno_ctx *ctx;
    mpno_restored restored;
    mpno_predictor predictor; /* of the last grid; network == NULL: none yet */
    int64_t grid[MPNO_MAX_AXES];
};

mpno_status mpno_trained_load(mpno_ctx *ctx, const char *checkpoint, const mpno_config *overrides,
                              mpno_trained **out) {
    mpno_trained *t;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *t, &t));
    t->ctx = t->predictor.ctx = ctx;
    mpno_status status = mpno_restore(ctx, checkpoint, overrides, &t->restored);
    if (status == MPNO_OK && t->restored.checkpoint->settings.data.embedding_key) {
        status = mpno_fail(ctx, MPNO_E_UNSUPPORTED,
                           "%s is steered by a vector for each sample: use mpno_predict, or a "
                           "network with mpno_network_set_embedding",
                           checkpoint);
    }
    if (status != MPNO_OK) {
        mpno_trained_destroy(&t);
        return status;
    }
    *out = t;
    return MPNO_OK;
}

void mpno_trained_destroy(mpno_trained **trained) {
    if (!trained || !*trained) return;
    mpno_trained *t = *trained;
    mpno_predictor_destroy(&t->predictor);
    mpno_restored_clear(t->ctx, &t->restored);
    mpno_free(t->ctx, t);
    *trained = NULL;
}

const mpno_model *mpno_trained_model(const mpno_trained *trained) {
    return trained->restored.model;
}

static mpno_status check_grid(const mpno_trained *t, const int64_t *grid) {
    const int ndim = mpno_model_config(t->restored.model)->ndim;
    for (int d = 0; d < ndim; d++)
        MPNO_CHECK(t->ctx, grid[d] >= 1, MPNO_E_ARGUMENT,
                   "grid[%d] is %lld: expected 1 or more points along each of the %d axes", d,
                   (long long)grid[d], ndim);
    return MPNO_OK;
}

mpno_status mpno_trained_output_grid(mpno_trained *t, const int64_t *grid, int64_t *out) {
    mpno_network *network = NULL;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    MPNO_TRY(check_grid(t, grid));
    memcpy(opts.grid, grid, sizeof *grid * (size_t)mpno_model_config(t->restored.model)->ndim);
    MPNO_TRY(mpno_network_plan(t->restored.model, &opts, &network));
    mpno_network_output_grid(network, out);
    mpno_network_destroy(&network);
    return MPNO_OK;
}

/* x as a dataset, which checks it. */
static mpno_status take_inputs(const mpno_trained *t, mpno_format format, int64_t n,
                               const int64_t *grid, const void *x, mpno_dataset **out) {
    const mpno_fno_config *config = mpno_model_config(t->restored.model);
    const bool wide = format == MPNO_F64, pairs = config->complex_data;
    const mpno_element element = pairs ? (wide ? MPNO_ELEMENT_C128 : MPNO_ELEMENT_C64)
                                       : (wide ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32);
    int64_t shape[MPNO_MAX_AXES + 2] = {n, config->in_channels};
    memcpy(shape + 2, grid, sizeof *grid * (size_t)config->ndim);
    mpno_tensor_file *file;
    bool has_truth;
    MPNO_TRY(mpno_tensor_file_create(t->ctx, &file));
    mpno_status status =
        mpno_tensor_file_add_view(t->ctx, file, t->restored.checkpoint->settings.data.x_key,
                                  element, config->ndim + 2, shape, x);
    if (status == MPNO_OK)
        status = mpno_restored_dataset(t->ctx, &t->restored, "the inputs", file, &has_truth, out);
    mpno_tensor_file_destroy(t->ctx, &file);
    return status;
}

/* The predictor of the last call where it serves, else a new one. */
static mpno_status prepare(mpno_trained *t, const mpno_dataset *data) {
    mpno_predictor_opts opts = mpno_restored_opts(&t->restored);
    const int64_t wanted = data->n < opts.batch ? data->n : opts.batch;
    const bool same = memcmp(t->grid, data->grid, sizeof t->grid) == 0;
    if (!t->predictor.network || !same || t->predictor.opts.batch < wanted) {
        mpno_predictor_destroy(&t->predictor);
        MPNO_TRY(
            mpno_predictor_create(t->restored.model, t->ctx, data, data->n, &opts, &t->predictor));
        memcpy(t->grid, data->grid, sizeof t->grid);
    }
    t->predictor.data = data;
    return MPNO_OK;
}

/* Sample `i` of y, channels first, from one that was computed, channels last. */
static void store(const mpno_predictor *p, mpno_format format, int64_t i, const void *from,
                  void *y) {
    const mpno_dataset *data = p->data;
    const int64_t channels = data->out_channels, planes = data->planes, points = p->points / planes;
    int64_t to = i * p->points * channels;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t point = 0; point < points; point++)
            for (int64_t k = 0; k < planes; k++, to++) {
                const int64_t at = (point * planes + k) * channels + c;
                const double value = mpno_real_at(data->format, from, at);
                if (format == MPNO_F64)
                    ((double *)y)[to] = value;
                else
                    ((float *)y)[to] = (float)value;
            }
}

static mpno_status run(mpno_trained *t, mpno_format format, const mpno_dataset *data, void *y) {
    MPNO_TRY(prepare(t, data));
    mpno_predictor *p = &t->predictor;
    for (int64_t first = 0; first < data->n; first += p->opts.batch) {
        const int64_t left = data->n - first;
        const int64_t batch = left < p->opts.batch ? left : p->opts.batch;
        MPNO_TRY(mpno_predictor_run(p, first, batch));
        for (int64_t i = 0; i < batch; i++)
            store(p, format, first + i,
                  mpno_sample(p->y, data->format, p->points * data->out_channels, i), y);
    }
    return MPNO_OK;
}

mpno_status mpno_trained_predict(mpno_trained *t, mpno_format format, int64_t n,
                                 const int64_t *grid, const void *x, void *y) {
    MPNO_CHECK(t->ctx, format == MPNO_F32 || format == MPNO_F64, MPNO_E_ARGUMENT,
               "format is %d: arrays are MPNO_F32 or MPNO_F64", (int)format);
    MPNO_CHECK(t->ctx, n >= 1, MPNO_E_ARGUMENT, "n is %lld: expected 1 or more samples",
               (long long)n);
    MPNO_CHECK(t->ctx, x && y, MPNO_E_ARGUMENT, "%s is NULL", x ? "y" : "x");
    MPNO_TRY(check_grid(t, grid));
    mpno_dataset *data = NULL;
    MPNO_TRY(take_inputs(t, format, n, grid, x, &data));
    mpno_status status = run(t, format, data, y);
    t->predictor.data = NULL;
    mpno_dataset_destroy(t->ctx, &data);
    return status;
}
