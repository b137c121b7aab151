/* SPDX-License-Identifier: MIT
 * A model's spectral weights by other factors: see mpno_model_refactor. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/decompose.h"

/* The factors of one layer of a model, f64, real planes before imaginary ones. */
typedef struct layer_factors {
    const mpno_model *model;
    int n, param[MPNO_MAX_FACTORS];
    size_t count[MPNO_MAX_FACTORS]; /* complex */
    int order;
    int64_t shape[MPNO_MAX_ORDER], ranks[MPNO_MAX_RANKS];
    double *data[MPNO_MAX_FACTORS]; /* owned */
} layer_factors;

static mpno_status open_layer(const mpno_model *model, int layer, layer_factors *f) {
    const mpno_fno_config *c = &model->config;
    mpno_factor list[MPNO_MAX_FACTORS] = {{.name = "tensor"}};
    char name[64];
    *f = (layer_factors){.model = model, .n = 1};
    f->order = mpno_factor_shape(c, f->shape);
    if (c->factorization != MPNO_FACTORIZATION_DENSE) {
        MPNO_TRY(mpno_factor_ranks(model->ctx, c, f->order, f->shape, f->ranks));
        MPNO_TRY(mpno_factor_list(model->ctx, c, 1, list, &f->n));
    }
    for (int i = 0; i < f->n; i++) {
        snprintf(name, sizeof name, "fno_blocks.convs.%d.weight.%.23s", layer, list[i].name);
        f->param[i] = mpno_model_find_param(model, name);
        f->count[i] = mpno_weight_count(&model->params[f->param[i]].weight) / 2;
        MPNO_TRY(mpno_alloc_array(model->ctx, 2 * f->count[i], sizeof(double), &f->data[i]));
    }
    return MPNO_OK;
}

static void close_layer(layer_factors *f) {
    for (int i = 0; i < f->n; i++) mpno_free(f->model->ctx, f->data[i]);
}

static mpno_status read_factors(const layer_factors *f) {
    for (int i = 0; i < f->n; i++) {
        double *pairs;
        MPNO_TRY(mpno_alloc_array(f->model->ctx, 2 * f->count[i], sizeof *pairs, &pairs));
        mpno_model_get_param(f->model, f->param[i], pairs);
        for (size_t k = 0; k < 2 * f->count[i]; k++)
            f->data[i][k % 2 * f->count[i] + k / 2] = pairs[k];
        mpno_free(f->model->ctx, pairs);
    }
    return MPNO_OK;
}

static mpno_status write_factors(const layer_factors *f, mpno_model *model) {
    for (int i = 0; i < f->n; i++) {
        double *pairs;
        MPNO_TRY(mpno_alloc_array(model->ctx, 2 * f->count[i], sizeof *pairs, &pairs));
        for (size_t k = 0; k < 2 * f->count[i]; k++)
            pairs[k] = f->data[i][k % 2 * f->count[i] + k / 2];
        mpno_model_set_param(model, f->param[i], pairs);
        mpno_free(model->ctx, pairs);
    }
    return MPNO_OK;
}

/* The dense weight of a layer. */
static mpno_status multiply_out(const layer_factors *f, double *w) {
    const mpno_factorization kind = f->model->config.factorization;
    if (kind != MPNO_FACTORIZATION_DENSE)
        return mpno_compose(f->model->ctx, kind, f->order, f->shape, f->ranks,
                            (const double *const *)f->data, w);
    memcpy(w, f->data[0], 2 * f->count[0] * sizeof *w);
    return MPNO_OK;
}

static mpno_status decompose(const layer_factors *f, const double *w) {
    const mpno_factorization kind = f->model->config.factorization;
    if (kind != MPNO_FACTORIZATION_DENSE)
        return mpno_decompose(f->model->ctx, kind, f->order, f->shape, f->ranks, w, f->data);
    memcpy(f->data[0], w, 2 * f->count[0] * sizeof *w);
    return MPNO_OK;
}

static double relative_error(const double *a, const double *b, size_t n) {
    double off = 0, all = 0;
    for (size_t i = 0; i < n; i++) off += (a[i] - b[i]) * (a[i] - b[i]), all += b[i] * b[i];
    return all > 0 ? sqrt(off / all) : sqrt(off);
}

/* Of what was written, as it was rounded. */
static mpno_status measure(const layer_factors *to, const double *w, size_t n, double *error) {
    double *made;
    MPNO_TRY(mpno_alloc_array(to->model->ctx, 2 * n, sizeof *made, &made));
    mpno_status status = read_factors(to);
    if (status == MPNO_OK) status = multiply_out(to, made);
    if (status == MPNO_OK) *error = relative_error(made, w, 2 * n);
    mpno_free(to->model->ctx, made);
    return status;
}

static mpno_status refactor_layer(const mpno_model *from, mpno_model *to, int layer,
                                  double *error) {
    layer_factors a = {.n = 0}, b = {.n = 0};
    double *w = NULL;
    size_t n = 1;
    mpno_status status = open_layer(from, layer, &a);
    if (status == MPNO_OK) status = open_layer(to, layer, &b);
    for (int d = 0; d < a.order; d++) n *= (size_t)a.shape[d];
    if (status == MPNO_OK) status = mpno_alloc_array(from->ctx, 2 * n, sizeof *w, &w);
    if (status == MPNO_OK) status = read_factors(&a);
    if (status == MPNO_OK) status = multiply_out(&a, w);
    if (status == MPNO_OK) status = decompose(&b, w);
    if (status == MPNO_OK) status = write_factors(&b, to);
    if (status == MPNO_OK && error != NULL) status = measure(&b, w, n, error);
    if (a.n > 0) close_layer(&a);
    if (b.n > 0) close_layer(&b);
    mpno_free(from->ctx, w);
    return status;
}

mpno_status mpno_model_refactor(const mpno_model *model, const mpno_fno_config *like,
                                mpno_model **out, double *errors) {
    mpno_fno_config config = model->config;
    *out = NULL;
    MPNO_CHECK(model->ctx, mpno_model_has_weights(model), MPNO_E_ARGUMENT,
               "this model was only declared and has no weights to decompose");
    config.factorization = like->factorization;
    config.n_ranks = like->n_ranks;
    memcpy(config.rank, like->rank, sizeof config.rank);
    config.fixed_rank_modes = like->fixed_rank_modes;
    config.implementation = like->implementation;
    config.contraction = like->contraction;
    MPNO_TRY(mpno_model_create(model->ctx, &config, model->arithmetic, 0, out));
    mpno_status status = mpno_model_copy_params(model, *out); /* all but spectral weights */
    for (int l = 0; l < (int)config.n_layers && status == MPNO_OK; l++)
        status = refactor_layer(model, *out, l, errors != NULL ? &errors[l] : NULL);
    if (status != MPNO_OK) mpno_model_destroy(out);
    return status;
}
