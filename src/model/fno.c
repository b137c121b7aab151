/* SPDX-License-Identifier: MIT
 * Fourier neural operator in 1 to 4 dimensions: its weights and its graph.
 *   x -> (x, coordinates) -> lifting MLP -> blocks -> projection MLP
 *   block: y = norm(K(stab(x)) + b) + skip(x);  y = act(y);  y = norm(mlp(y) + mlp_skip(x));  y =
 * act(y) K: forward transform, kept modes times a complex weight each, inverse transform. act =
 * GELU, absent in the last block. Semantics and names: the PyTorch library neuraloperator; Li et
 * al., "Fourier neural operator for parametric partial differential equations" (ICLR 2021). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/model.h"

void mpno_fno_weight_modes(const mpno_fno_config *config, int64_t *modes) {
    for (int d = 0; d < config->ndim; d++) modes[d] = config->n_modes[d];
    modes[config->ndim - 1] = modes[config->ndim - 1] / 2 + 1;
}

static mpno_status check_positive(mpno_ctx *ctx, const char *key, int64_t value) {
    MPNO_CHECK(ctx, value >= 1 && value <= 65536, MPNO_E_CONFIG,
               "model.%s is %lld; it must be a whole number from 1 to 65536", key,
               (long long)value);
    return MPNO_OK;
}

mpno_status mpno_fno_check(mpno_ctx *ctx, const mpno_fno_config *c) {
    MPNO_CHECK(ctx, c->ndim >= 1 && c->ndim <= MPNO_MAX_AXES, MPNO_E_CONFIG,
               "model.n_modes has %d entries; give one per dimension, 1 to %d", c->ndim,
               MPNO_MAX_AXES);
    for (int d = 0; d < c->ndim; d++)
        MPNO_CHECK(ctx, c->n_modes[d] >= 1 && c->n_modes[d] <= 65536, MPNO_E_CONFIG,
                   "model.n_modes[%d] is %lld; it must be a whole number from 1 to 65536", d,
                   (long long)c->n_modes[d]);
    MPNO_TRY(check_positive(ctx, "in_channels", c->in_channels));
    MPNO_TRY(check_positive(ctx, "out_channels", c->out_channels));
    MPNO_TRY(check_positive(ctx, "hidden_channels", c->hidden_channels));
    MPNO_CHECK(ctx, c->n_layers >= 1 && c->n_layers <= MPNO_MAX_LAYERS - 2, MPNO_E_CONFIG,
               "model.n_layers is %lld; it must be from 1 to %d", (long long)c->n_layers,
               MPNO_MAX_LAYERS - 2);
    const struct {
        const char *key;
        double value;
    } ratios[] = {{"lifting_channel_ratio", c->lifting_channel_ratio},
                  {"projection_channel_ratio", c->projection_channel_ratio},
                  {"channel_mlp_expansion", c->channel_mlp_expansion}};
    for (int i = 0; i < (c->use_channel_mlp ? 3 : 2); i++)
        MPNO_CHECK(ctx,
                   ratios[i].value * (double)c->hidden_channels >= (i < 2 ? 1.0 : 0.5 + 1e-9) &&
                       ratios[i].value <= 1024,
                   MPNO_E_CONFIG,
                   "model.%s is %g; with %lld hidden channels it leaves no channel (or too many)",
                   ratios[i].key, ratios[i].value, (long long)c->hidden_channels);
    if (c->norm == MPNO_NORM_GROUP)
        MPNO_CHECK(ctx, c->norm_groups >= 1 && c->hidden_channels % c->norm_groups == 0,
                   MPNO_E_CONFIG,
                   "model.norm_groups is %lld; it must divide the %lld hidden channels",
                   (long long)c->norm_groups, (long long)c->hidden_channels);
    return MPNO_OK;
}

/* ---- weights ---- */

static mpno_status declare(mpno_model *model, const mpno_param *like, const char *format, ...) {
    if (model->n_params == model->capacity) {
        const int wider = model->capacity == 0 ? 64 : 2 * model->capacity;
        MPNO_TRY(mpno_realloc_array(model->ctx, &model->params, (size_t)model->capacity,
                                    (size_t)wider, sizeof *model->params));
        model->capacity = wider;
    }
    mpno_param *p = &model->params[model->n_params++];
    *p = *like;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->name, sizeof p->name, format, arguments);
    va_end(arguments);
    return MPNO_OK;
}

/* A vector of n numbers whose outside shape is (lead ones, n, trail ones). */
static mpno_param vector(int64_t n, int lead, int trail, mpno_role role, mpno_init init,
                         double scale) {
    mpno_param p = {.ndim = lead + 1 + trail,
                    .weight = {1, 1, n, false, role},
                    .init = init,
                    .init_scale = scale};
    for (int d = 0; d < p.ndim; d++) p.shape[d] = d == lead ? n : 1;
    return p;
}

static mpno_param matrix(int64_t outputs, int64_t inputs) {
    return (mpno_param){.ndim = 3,
                        .shape = {outputs, inputs, 1},
                        .weight = {1, outputs, inputs, false, MPNO_ROLE_WEIGHT_LINEAR},
                        .init = MPNO_INIT_UNIFORM,
                        .init_scale = 1.0 / sqrt((double)inputs)};
}

static mpno_status declare_mlp(mpno_model *model, const char *name, int64_t in, int64_t hidden,
                               int64_t out) {
    const int64_t width[] = {in, hidden, out};
    for (int i = 0; i < 2; i++) {
        const mpno_param w = matrix(width[i + 1], width[i]);
        const mpno_param b =
            vector(width[i + 1], 0, 0, MPNO_ROLE_WEIGHT_LINEAR, MPNO_INIT_UNIFORM, w.init_scale);
        MPNO_TRY(declare(model, &w, "%s.fcs.%d.weight", name, i));
        MPNO_TRY(declare(model, &b, "%s.fcs.%d.bias", name, i));
    }
    return MPNO_OK;
}

static mpno_status declare_conv(mpno_model *model, int layer) {
    const mpno_fno_config *c = &model->config;
    const int64_t h = c->hidden_channels;
    const double deviation =
        sqrt(2.0 / (double)(h + h)); /* of a complex weight in all, and of the bias */
    const mpno_param bias =
        vector(h, 0, c->ndim, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_NORMAL, deviation);
    mpno_param weight = {.ndim = 2 + c->ndim,
                         .shape = {h, h},
                         .weight = {1, h, h, true, MPNO_ROLE_WEIGHT_SPECTRAL},
                         .init = MPNO_INIT_NORMAL,
                         .init_scale = deviation / sqrt(2.0)};
    mpno_fno_weight_modes(c, weight.shape + 2);
    for (int d = 0; d < c->ndim; d++) weight.weight.blocks *= weight.shape[2 + d];
    MPNO_TRY(declare(model, &bias, "fno_blocks.convs.%d.bias", layer));
    return declare(model, &weight, "fno_blocks.convs.%d.weight.tensor", layer);
}

static mpno_status declare_skip(mpno_model *model, mpno_skip kind, const char *name, int layer) {
    const mpno_fno_config *c = &model->config;
    const mpno_param linear = matrix(c->hidden_channels, c->hidden_channels);
    const mpno_param gate =
        vector(c->hidden_channels, 1, c->ndim, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ONE, 0);
    if (kind == MPNO_SKIP_LINEAR)
        return declare(model, &linear, "fno_blocks.%s.%d.conv.weight", name, layer);
    if (kind == MPNO_SKIP_SOFT_GATING)
        return declare(model, &gate, "fno_blocks.%s.%d.weight", name, layer);
    return MPNO_OK;
}

static mpno_status declare_norm(mpno_model *model, int index) {
    const int64_t h = model->config.hidden_channels;
    const mpno_param weight = vector(h, 0, 0, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ONE, 0);
    const mpno_param bias = vector(h, 0, 0, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ZERO, 0);
    if (model->config.norm != MPNO_NORM_GROUP) return MPNO_OK;
    MPNO_TRY(declare(model, &weight, "fno_blocks.norm.%d.weight", index));
    return declare(model, &bias, "fno_blocks.norm.%d.bias", index);
}

static int64_t in_width(const mpno_fno_config *c) {
    return c->in_channels + (c->positional_embedding == MPNO_EMBEDDING_GRID ? c->ndim : 0);
}

mpno_status mpno_fno_declare(mpno_model *model) {
    const mpno_fno_config *c = &model->config;
    const int64_t h = c->hidden_channels;
    const int n_layers = (int)c->n_layers;
    char name[48];
    for (int l = 0; l < n_layers; l++) MPNO_TRY(declare_conv(model, l));
    for (int l = 0; l < n_layers; l++) MPNO_TRY(declare_skip(model, c->fno_skip, "fno_skips", l));
    for (int l = 0; l < n_layers && c->use_channel_mlp; l++) {
        snprintf(name, sizeof name, "fno_blocks.channel_mlp.%d", l);
        /* Python's round: halves to even, as nearbyint in the default mode */
        MPNO_TRY(declare_mlp(model, name, h,
                             (int64_t)nearbyint(c->channel_mlp_expansion * (double)h), h));
    }
    for (int l = 0; l < n_layers && c->use_channel_mlp; l++)
        MPNO_TRY(declare_skip(model, c->channel_mlp_skip, "channel_mlp_skips", l));
    for (int i = 0; i < 2 * n_layers; i++) MPNO_TRY(declare_norm(model, i));
    MPNO_TRY(declare_mlp(model, "lifting", in_width(c),
                         (int64_t)(c->lifting_channel_ratio * (double)h), h));
    return declare_mlp(model, "projection", h, (int64_t)(c->projection_channel_ratio * (double)h),
                       c->out_channels);
}

/* ---- graph ---- */

typedef struct builder {
    const mpno_model *model;
    mpno_graph *graph;
    const mpno_fno_grid *on;
    int first_param; /* edge of parameter 0; the others follow */
} builder;

/* Edge of the parameter with this name, -1 when the model has none. */
static int param(const builder *b, const char *format, ...) {
    char name[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const int index = mpno_model_find_param(b->model, name);
    return index < 0 ? -1 : b->first_param + index;
}

static mpno_status unary(builder *b, const mpno_op *op, int x, mpno_role role, const char *name,
                         int *out) {
    return mpno_graph_add(b->graph, op, 1, &x, NULL, role, name, out);
}

static mpno_status mlp(builder *b, const char *prefix, int x, mpno_role role, const char *name,
                       int *out) {
    int hidden;
    const int first[] = {x, param(b, "%s.fcs.0.weight", prefix), param(b, "%s.fcs.0.bias", prefix)};
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_linear, 3, first, NULL, MPNO_ROLE_ACTIVATION,
                            "mlp hidden", &hidden));
    MPNO_TRY(unary(b, &mpno_op_gelu, hidden, MPNO_ROLE_ACTIVATION, "mlp activation", &hidden));
    const int second[] = {hidden, param(b, "%s.fcs.1.weight", prefix),
                          param(b, "%s.fcs.1.bias", prefix)};
    return mpno_graph_add(b->graph, &mpno_op_linear, 3, second, NULL, role, name, out);
}

/* y += skip(x) */
static mpno_status add_skip(builder *b, mpno_skip kind, const char *name, int layer, int x,
                            int *y) {
    int skip = x;
    const int linear[] = {x, param(b, "fno_blocks.%s.%d.conv.weight", name, layer)};
    const int gate[] = {x, param(b, "fno_blocks.%s.%d.weight", name, layer)};
    if (kind == MPNO_SKIP_NONE) return MPNO_OK;
    if (kind == MPNO_SKIP_LINEAR)
        MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_linear, 2, linear, NULL, MPNO_ROLE_ACTIVATION,
                                "skip", &skip));
    if (kind == MPNO_SKIP_SOFT_GATING)
        MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_gate, 2, gate, NULL, MPNO_ROLE_ACTIVATION,
                                "skip", &skip));
    const int both[] = {*y, skip};
    return mpno_graph_add(b->graph, &mpno_op_add, 2, both, NULL, MPNO_ROLE_ACTIVATION, "sum", y);
}

static mpno_status norm(builder *b, int index, int *y) {
    const mpno_fno_config *c = &b->model->config;
    const mpno_attr attr = {
        .groups = c->norm == MPNO_NORM_GROUP ? c->norm_groups : c->hidden_channels, .eps = 1e-5};
    int sums;
    if (c->norm == MPNO_NORM_NONE) return MPNO_OK;
    MPNO_TRY(unary(b, &mpno_op_moments, *y, MPNO_ROLE_SUMS, "norm sums", &sums));
    const int in[] = {*y, sums, param(b, "fno_blocks.norm.%d.weight", index),
                      param(b, "fno_blocks.norm.%d.bias", index)};
    return mpno_graph_add(b->graph, &mpno_op_normalize, 4, in, &attr, MPNO_ROLE_ACTIVATION,
                          "normalised", y);
}

/* y = K(stab(x)) + b */
static mpno_status spectral(builder *b, int layer, int x, int *y) {
    const double points = (double)mpno_graph_grid(b->graph, x)->points;
    const mpno_attr forward = {
        .fft = b->on->fft, .scale = 1.0 / points, .weighting = MPNO_FFT_PLAIN};
    const mpno_attr inverse = {.fft = b->on->fft, .scale = 1.0, .weighting = MPNO_FFT_HERMITIAN};
    const mpno_attr product = {.mode_rows = b->on->mode_rows};
    int t = x;
    if (b->model->config.stabilizer == MPNO_STABILIZER_TANH)
        MPNO_TRY(unary(b, &mpno_op_tanh, t, MPNO_ROLE_ACTIVATION, "stabilised", &t));
    MPNO_TRY(unary(b, &mpno_op_stage, t, MPNO_ROLE_TRANSFORM_IN, "transform input", &t));
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_fft_forward, 1, &t, &forward, MPNO_ROLE_SPECTRUM,
                            "spectrum", &t));
    const int in[] = {t, param(b, "fno_blocks.convs.%d.weight.tensor", layer)};
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_contract, 2, in, &product, MPNO_ROLE_SPECTRUM,
                            "contracted spectrum", &t));
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_fft_inverse, 1, &t, &inverse,
                            MPNO_ROLE_TRANSFORM_OUT, "transform output", &t));
    const int with_bias[] = {t, param(b, "fno_blocks.convs.%d.bias", layer)};
    return mpno_graph_add(b->graph, &mpno_op_bias, 2, with_bias, NULL, MPNO_ROLE_ACTIVATION,
                          "biased", y);
}

static mpno_status block(builder *b, int layer, int *x) {
    const mpno_fno_config *c = &b->model->config;
    const bool last = layer + 1 == (int)c->n_layers;
    char name[48];
    int y;
    snprintf(name, sizeof name, "block %d", layer);
    MPNO_TRY(mpno_graph_layer(b->graph, name));
    MPNO_TRY(spectral(b, layer, *x, &y));
    MPNO_TRY(norm(b, 2 * layer, &y));
    MPNO_TRY(add_skip(b, c->fno_skip, "fno_skips", layer, *x, &y));
    if (!last) MPNO_TRY(unary(b, &mpno_op_gelu, y, MPNO_ROLE_ACTIVATION, "activation", &y));
    if (c->use_channel_mlp) {
        snprintf(name, sizeof name, "fno_blocks.channel_mlp.%d", layer);
        MPNO_TRY(mlp(b, name, y, MPNO_ROLE_ACTIVATION, "mlp output", &y));
        MPNO_TRY(add_skip(b, c->channel_mlp_skip, "channel_mlp_skips", layer, *x, &y));
    }
    MPNO_TRY(norm(b, 2 * layer + 1, &y));
    if (!last) MPNO_TRY(unary(b, &mpno_op_gelu, y, MPNO_ROLE_ACTIVATION, "block output", &y));
    *x = y;
    return MPNO_OK;
}

mpno_status mpno_fno_build(const mpno_model *model, const mpno_fno_grid *on, mpno_graph *graph,
                           int *input, int *output) {
    builder b = {.model = model, .graph = graph, .on = on, .first_param = graph->n_edges};
    const mpno_attr embed = {.box = {{0}, {1, 1, 1, 1}}};
    int x, edge;
    MPNO_TRY(mpno_graph_layer(graph, "lifting"));
    for (int p = 0; p < model->n_params; p++)
        MPNO_TRY(mpno_graph_param(graph, &model->params[p].weight, &edge));
    MPNO_TRY(mpno_graph_input(graph, "input", model->config.in_channels, input));
    x = *input;
    if (model->config.positional_embedding == MPNO_EMBEDDING_GRID)
        MPNO_TRY(mpno_graph_add(graph, &mpno_op_grid_embed, 1, &x, &embed, MPNO_ROLE_ACTIVATION,
                                "embedded input", &x));
    MPNO_TRY(mlp(&b, "lifting", x, MPNO_ROLE_ACTIVATION, "lifted", &x));
    for (int l = 0; l < (int)model->config.n_layers; l++) MPNO_TRY(block(&b, l, &x));
    MPNO_TRY(mpno_graph_layer(graph, "projection"));
    return mlp(&b, "projection", x, MPNO_ROLE_OUTPUT, "prediction", output);
}
