/* SPDX-License-Identifier: MIT
 * Models: creation, initial weights, and the two orders of a weight tensor. */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "number/format.h"

static void draw(mpno_param *p, mpno_format arithmetic, mpno_rng *rng, double *values) {
    const size_t count = mpno_weight_count(&p->weight);
    for (size_t i = 0; i < count; i++) switch (p->init) {
            case MPNO_INIT_UNIFORM:
                values[i] = p->init_scale * (2.0 * mpno_rng_uniform(rng) - 1.0);
                break;
            case MPNO_INIT_NORMAL:
                values[i] = p->init_scale * mpno_rng_normal(rng);
                break;
            case MPNO_INIT_ZERO:
                values[i] = 0.0;
                break;
            case MPNO_INIT_ONE:
                values[i] = p->weight.is_complex && i % 2 == 1 ? 0.0 : 1.0;
                break;
        }
    mpno_param_import(p, arithmetic, p->data, values);
}

static mpno_status fill(mpno_model *model, uint64_t seed) {
    size_t largest = 1;
    for (int i = 0; i < model->n_params; i++) {
        mpno_param *p = &model->params[i];
        const size_t count = mpno_weight_count(&p->weight);
        if (count > largest) largest = count;
        MPNO_TRY(
            mpno_alloc_array(model->ctx, count, mpno_format_bytes(model->arithmetic), &p->data));
    }
    double *values;
    MPNO_TRY(mpno_alloc_array(model->ctx, largest, sizeof(double), &values));
    for (int i = 0; i < model->n_params; i++) {
        mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_INIT, (uint32_t)i);
        draw(&model->params[i], model->arithmetic, &rng, values);
    }
    mpno_free(model->ctx, values);
    return MPNO_OK;
}

mpno_status mpno_model_declare(mpno_ctx *ctx, const mpno_fno_config *config, mpno_format arithmetic,
                               mpno_model **out) {
    mpno_model *model;
    *out = NULL;
    MPNO_CHECK(ctx, arithmetic == MPNO_F32 || arithmetic == MPNO_F64, MPNO_E_ARGUMENT,
               "the arithmetic of a model is f32 or f64, not %s",
               mpno_format_get(arithmetic)->name);
    MPNO_TRY(mpno_fno_check(ctx, config));
    MPNO_TRY(mpno_alloc(ctx, sizeof *model, &model));
    model->ctx = ctx;
    model->config = *config;
    model->arithmetic = arithmetic;
    const mpno_status status = mpno_fno_declare(model);
    if (status != MPNO_OK) mpno_model_destroy(&model);
    *out = model;
    return status;
}

bool mpno_model_has_weights(const mpno_model *model) {
    return model->n_params > 0 && model->params[model->n_params - 1].data != NULL;
}

mpno_status mpno_model_create(mpno_ctx *ctx, const mpno_fno_config *config, mpno_format arithmetic,
                              uint64_t seed, mpno_model **out) {
    MPNO_TRY(mpno_model_declare(ctx, config, arithmetic, out));
    const mpno_status status = fill(*out, seed);
    if (status != MPNO_OK) mpno_model_destroy(out);
    return status;
}

void mpno_model_destroy(mpno_model **model) {
    if (model == NULL || *model == NULL) return;
    mpno_ctx *ctx = (*model)->ctx;
    for (int i = 0; i < (*model)->n_params; i++) mpno_free(ctx, (*model)->params[i].data);
    mpno_free(ctx, (*model)->params);
    mpno_free(ctx, *model);
    *model = NULL;
}

const mpno_fno_config *mpno_model_config(const mpno_model *model) {
    return &model->config;
}

mpno_format mpno_model_arithmetic(const mpno_model *model) {
    return model->arithmetic;
}

int mpno_model_n_params(const mpno_model *model) {
    return model->n_params;
}

size_t mpno_model_n_weights(const mpno_model *model) {
    size_t total = 0;
    for (int i = 0; i < model->n_params; i++)
        if (model->params[i].kind == MPNO_PARAM_WEIGHT)
            total += mpno_weight_count(&model->params[i].weight);
    return total;
}

mpno_param_info mpno_model_param_info(const mpno_model *model, int param) {
    const mpno_param *p = &model->params[param];
    mpno_param_info info = {.name = p->name,
                            .kind = p->kind,
                            .is_complex = p->weight.is_complex,
                            .ndim = p->ndim,
                            .count = mpno_weight_count(&p->weight)};
    memcpy(info.shape, p->shape, sizeof info.shape);
    return info;
}

int mpno_model_find_param(const mpno_model *model, const char *name) {
    for (int i = 0; i < model->n_params; i++)
        if (strcmp(model->params[i].name, name) == 0) return i;
    return -1;
}

mpno_raw_param mpno_model_raw(const mpno_model *model, int param) {
    const mpno_param *p = &model->params[param];
    return (mpno_raw_param){p->data, mpno_weight_count(&p->weight), p->weight.is_complex,
                            p->weight.rows * p->weight.cols};
}

/* Where number i of the outside order lies in the graph's layout. Blocks (modes of spectral
 * weights, points of kernels) are outside (rows, columns, blocks) of numbers or re, im pairs, and
 * inside [blocks][rows][columns], for complex ones [blocks][2][rows][columns]. */
static size_t inside_index(const mpno_param *p, size_t i) {
    const mpno_weight *w = &p->weight;
    const size_t parts = w->is_complex ? 2 : 1, blocks = (size_t)w->blocks, rows = (size_t)w->rows;
    const size_t part = i % parts, block = i / parts % blocks;
    size_t channel = i / parts / blocks;
    if (p->turned) channel = channel % rows * (size_t)w->cols + channel / rows;
    return (block * parts + part) * (size_t)(w->rows * w->cols) + channel;
}

void mpno_param_export(const mpno_param *param, mpno_format arithmetic, const void *data,
                       double *values) {
    const size_t count = mpno_weight_count(&param->weight);
    for (size_t i = 0; i < count; i++) {
        const size_t at = inside_index(param, i);
        values[i] = mpno_real_at(arithmetic, data, (int64_t)at);
    }
}

void mpno_param_import(const mpno_param *param, mpno_format arithmetic, void *data,
                       const double *values) {
    const size_t count = mpno_weight_count(&param->weight);
    for (size_t i = 0; i < count; i++) {
        const size_t at = inside_index(param, i);
        if (arithmetic == MPNO_F64)
            ((double *)data)[at] = values[i];
        else
            ((float *)data)[at] = (float)values[i];
    }
}

void mpno_model_get_param(const mpno_model *model, int param, double *values) {
    mpno_param_export(&model->params[param], model->arithmetic, model->params[param].data, values);
}

void mpno_model_set_param(mpno_model *model, int param, const double *values) {
    mpno_param_import(&model->params[param], model->arithmetic, model->params[param].data, values);
}

mpno_status mpno_model_copy_params(const mpno_model *from, mpno_model *to) {
    for (int p = 0; p < to->n_params; p++) {
        const int source = mpno_model_find_param(from, to->params[p].name);
        double *values;
        if (source < 0) continue;
        const size_t n = mpno_weight_count(&to->params[p].weight);
        if (n != mpno_weight_count(&from->params[source].weight)) continue;
        MPNO_TRY(mpno_alloc_array(to->ctx, n, sizeof *values, &values));
        mpno_model_get_param(from, source, values);
        mpno_model_set_param(to, p, values);
        mpno_free(to->ctx, values);
    }
    return MPNO_OK;
}

mpno_status mpno_model_copy(const mpno_model *model, mpno_format arithmetic, mpno_model **out) {
    MPNO_TRY(mpno_model_create(model->ctx, &model->config, arithmetic, 0, out));
    const mpno_status status = mpno_model_copy_params(model, *out);
    if (status != MPNO_OK) mpno_model_destroy(out);
    return status;
}

void mpno_model_set_stabilizer(mpno_model *model, mpno_stabilizer stabilizer) {
    model->config.stabilizer = stabilizer;
}

void mpno_model_set_stabilizer_blend(mpno_model *model, double blend) {
    model->config.stabilizer_blend = blend;
}

mpno_status mpno_model_set_n_modes(mpno_model *model, const int64_t *n_modes) {
    mpno_fno_config changed = model->config;
    const bool bounded = changed.max_n_modes[0] > 0;
    MPNO_CHECK(model->ctx, bounded || changed.compat == MPNO_COMPAT_NONE, MPNO_E_CONFIG,
               "with compat: neuralop only a model with max_n_modes can change its n_modes");
    for (int d = 0; d < changed.ndim; d++) {
        MPNO_CHECK(model->ctx, bounded || n_modes[d] <= changed.n_modes[d], MPNO_E_CONFIG,
                   "n_modes[%d] = %lld is above the %lld that the model has weights for; make the "
                   "model with max_n_modes",
                   d, (long long)n_modes[d], (long long)changed.n_modes[d]);
        changed.n_modes[d] = n_modes[d];
        if (!bounded) changed.max_n_modes[d] = model->config.n_modes[d];
    }
    MPNO_TRY(mpno_fno_check(model->ctx, &changed));
    model->config = changed;
    return MPNO_OK;
}

mpno_status mpno_model_set_layer_modes(mpno_model *model, int64_t layer, const int64_t *n_modes) {
    mpno_fno_config changed = model->config;
    MPNO_CHECK(model->ctx, layer >= 0 && layer < changed.n_layers, MPNO_E_ARGUMENT,
               "there is no block %lld; the model has %lld", (long long)layer,
               (long long)changed.n_layers);
    MPNO_CHECK(model->ctx, changed.max_n_modes[0] > 0 || changed.compat == MPNO_COMPAT_NONE,
               MPNO_E_CONFIG,
               "with compat: neuralop only a model with max_n_modes can change its n_modes");
    for (int d = 0; d < changed.ndim; d++) {
        MPNO_CHECK(model->ctx, n_modes[d] >= 1, MPNO_E_CONFIG,
                   "n_modes[%d] is %lld; it must be at least 1", d, (long long)n_modes[d]);
        changed.layer_modes[layer][d] = n_modes[d];
    }
    MPNO_TRY(mpno_fno_check(model->ctx, &changed));
    model->config = changed;
    return MPNO_OK;
}

void mpno_model_layer_modes(const mpno_model *model, int64_t layer, int64_t *n_modes) {
    const mpno_fno_config *c = &model->config;
    for (int d = 0; d < c->ndim; d++)
        n_modes[d] = c->layer_modes[layer][d] > 0 ? c->layer_modes[layer][d] : c->n_modes[d];
}
