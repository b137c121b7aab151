/* SPDX-License-Identifier: MIT
 * The weights of a Fourier neural operator: what a configuration may be, and the names, shapes and
 * first values of its parameters in the order of the PyTorch library's state dict. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/factors.h"
#include "model/model.h"
#include "model/stabilizer.h"
#include "model/spectral.h"

static mpno_status check_positive(mpno_ctx *ctx, const char *key, int64_t value) {
    MPNO_CHECK(ctx, value >= 1 && value <= 65536, MPNO_E_CONFIG,
               "model.%s is %lld; it must be a whole number from 1 to 65536", key,
               (long long)value);
    return MPNO_OK;
}

static mpno_status check_max_modes(mpno_ctx *ctx, const mpno_fno_config *c) {
    for (int d = 0; d < c->ndim; d++) {
        MPNO_CHECK(ctx, (c->max_n_modes[d] > 0) == (c->max_n_modes[0] > 0), MPNO_E_CONFIG,
                   "model.max_n_modes has fewer entries than model.n_modes; give %d", c->ndim);
        MPNO_CHECK(ctx,
                   c->max_n_modes[d] == 0 ||
                       (c->max_n_modes[d] <= 65536 && c->n_modes[d] <= c->max_n_modes[d]),
                   MPNO_E_CONFIG,
                   "model.n_modes[%d] is %lld, above model.max_n_modes[%d] = %lld (at most 65536); "
                   "raise the maximum",
                   d, (long long)c->n_modes[d], d, (long long)c->max_n_modes[d]);
        const int64_t most = c->max_n_modes[d] > 0 ? c->max_n_modes[d] : c->n_modes[d];
        for (int l = 0; l < (int)c->n_layers; l++)
            MPNO_CHECK(
                ctx, c->layer_modes[l][d] >= 0 && c->layer_modes[l][d] <= most, MPNO_E_CONFIG,
                "modes of block %d: %lld on axis %d; there are weights for %lld, and 0 means "
                "n_modes",
                l, (long long)c->layer_modes[l][d], d, (long long)most);
    }
    return MPNO_OK;
}

/* Options of the blocks, and which of them exclude each other. */
static mpno_status check_blocks(mpno_ctx *ctx, const mpno_fno_config *c) {
    MPNO_CHECK(ctx, c->norm != MPNO_NORM_ADA_IN || c->ada_in_features >= 1, MPNO_E_CONFIG,
               "model.norm is ada_in, but model.ada_in_features is %lld; give the length of the "
               "vector that steers it",
               (long long)c->ada_in_features);
    MPNO_CHECK(ctx, c->channel_mlp_dropout >= 0 && c->channel_mlp_dropout < 1, MPNO_E_CONFIG,
               "model.channel_mlp_dropout is %g; it must be at least 0 and below 1",
               c->channel_mlp_dropout);
    MPNO_CHECK(ctx, c->conv_bias_kernel >= 1 && c->conv_bias_kernel <= 63, MPNO_E_CONFIG,
               "model.conv_bias_kernel is %lld; it must be from 1 to 63",
               (long long)c->conv_bias_kernel);
    MPNO_CHECK(ctx, c->conv_bias_kernel == 1 || c->ndim <= 3, MPNO_E_CONFIG,
               "model.conv_bias_kernel is %lld on %d axes; it is for 1 to 3 axes",
               (long long)c->conv_bias_kernel, c->ndim);
    MPNO_CHECK(ctx, c->conv_bias_kernel == 1 || c->fno_skip == MPNO_SKIP_LINEAR, MPNO_E_CONFIG,
               "model.conv_bias_kernel is %lld, but model.fno_skip is not linear: it is the linear "
               "skip that becomes a convolution",
               (long long)c->conv_bias_kernel);
    MPNO_CHECK(ctx, mpno_stabilizer_get(c->stabilizer) != NULL, MPNO_E_CONFIG,
               "model.stabilizer is number %d; there are %d", (int)c->stabilizer,
               MPNO_STABILIZER_COUNT);
    MPNO_CHECK(ctx, isfinite(c->stabilizer_scale) && c->stabilizer_scale > 0, MPNO_E_CONFIG,
               "model.stabilizer_scale is %g; it must be above 0", c->stabilizer_scale);
    MPNO_CHECK(ctx, c->stabilizer_blend >= 0 && c->stabilizer_blend <= 1, MPNO_E_CONFIG,
               "the blend of a stabiliser is %g; it must be from 0 to 1", c->stabilizer_blend);
    MPNO_CHECK(ctx, !c->complex_data || c->norm == MPNO_NORM_NONE, MPNO_E_UNSUPPORTED,
               "model.complex_data together with model.norm is not supported; leave the norm out");
    MPNO_CHECK(ctx, !c->complex_data || c->conv_bias_kernel == 1, MPNO_E_UNSUPPORTED,
               "model.complex_data together with model.conv_bias_kernel is not supported");
    return MPNO_OK;
}

static mpno_status check_places(mpno_ctx *ctx, const mpno_fno_config *c) {
    bool padded = false, scaled = false;
    for (int d = 0; d < c->ndim; d++) {
        MPNO_CHECK(ctx, c->domain_padding[d] >= 0 && c->domain_padding[d] <= 16, MPNO_E_CONFIG,
                   "model.domain_padding[%d] is %g; it must be from 0 to 16 times the grid", d,
                   c->domain_padding[d]);
        MPNO_CHECK(ctx,
                   isfinite(c->grid_start[d]) && isfinite(c->grid_stop[d]) &&
                       c->grid_start[d] != c->grid_stop[d],
                   MPNO_E_CONFIG,
                   "model.grid_boundaries[%d] is [%g, %g]; give two different numbers", d,
                   c->grid_start[d], c->grid_stop[d]);
        padded |= c->domain_padding[d] > 0;
        for (int l = 0; l < (int)c->n_layers; l++) {
            const double factor = c->resolution_scaling_factor[l][d];
            MPNO_CHECK(ctx, factor == 0 || (factor >= 1.0 / 64 && factor <= 64), MPNO_E_CONFIG,
                       "model.resolution_scaling_factor of block %d is %g; it must be from 1/64 to "
                       "64",
                       l, factor);
            scaled |= factor != 0 && factor != 1;
        }
    }
    MPNO_CHECK(ctx, !padded || !scaled || c->compat == MPNO_COMPAT_NONE, MPNO_E_UNSUPPORTED,
               "model.domain_padding together with model.resolution_scaling_factor is inconsistent "
               "in the PyTorch library and not reproduced: leave compat out, or one of the two");
    return MPNO_OK;
}

static mpno_status check_factors(mpno_ctx *ctx, const mpno_fno_config *c) {
    const bool dense = c->factorization == MPNO_FACTORIZATION_DENSE,
               option = c->contraction == MPNO_CONTRACTION_OPTION_B ||
                        c->contraction == MPNO_CONTRACTION_OPTION_C;
    int64_t shape[MPNO_MAX_ORDER], ranks[MPNO_MAX_RANKS];
    MPNO_CHECK(ctx, !dense || (c->contraction == MPNO_CONTRACTION_AUTO && !c->fixed_rank_modes),
               MPNO_E_CONFIG,
               "model.%s is given, but model.factorization is dense: nothing would read it",
               c->fixed_rank_modes ? "fixed_rank_modes" : "contraction");
    MPNO_CHECK(ctx, !c->fixed_rank_modes || c->factorization == MPNO_FACTORIZATION_TUCKER,
               MPNO_E_CONFIG,
               "model.fixed_rank_modes is read with model.factorization = tucker only: leave it "
               "out");
    MPNO_CHECK(ctx, !option || c->factorization == MPNO_FACTORIZATION_CP, MPNO_E_CONFIG,
               "model.contraction = B and C are orders for model.factorization = cp");
    MPNO_CHECK(ctx,
               !c->separable || c->contraction <= MPNO_CONTRACTION_ERROR ||
                   c->contraction == MPNO_CONTRACTION_WEIGHT_FIRST,
               MPNO_E_CONFIG,
               "model.separable weights have nothing to contract the data with first: leave "
               "model.contraction out, or give weight-first");
    if (dense) return MPNO_OK;
    return mpno_factor_ranks(ctx, c, mpno_factor_shape(c, shape), shape, ranks);
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
    MPNO_TRY(check_max_modes(ctx, c));
    MPNO_TRY(check_blocks(ctx, c));
    MPNO_TRY(check_factors(ctx, c));
    return check_places(ctx, c);
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

/* The parts of a layer: complex fields have two of everything pointwise, for y = fr(x) + i fi(x).
 */
static int n_parts(const mpno_fno_config *c) {
    return c->complex_data ? 2 : 1;
}
static const char *part_name(const mpno_fno_config *c, int part) {
    return !c->complex_data ? "" : part == 0 ? ".fr" : ".fi";
}

static mpno_status declare_mlp(mpno_model *model, const char *name, int64_t in, int64_t hidden,
                               int64_t out) {
    const int64_t width[] = {in, hidden, out};
    for (int k = 0; k < 2 * n_parts(&model->config); k++) {
        const int i = k % 2;
        const char *part = part_name(&model->config, k / 2);
        const mpno_param w = matrix(width[i + 1], width[i]);
        const mpno_param b =
            vector(width[i + 1], 0, 0, MPNO_ROLE_WEIGHT_LINEAR, MPNO_INIT_UNIFORM, w.init_scale);
        MPNO_TRY(declare(model, &w, "%s%s.fcs.%d.weight", name, part, i));
        MPNO_TRY(declare(model, &b, "%s%s.fcs.%d.bias", name, part, i));
    }
    return MPNO_OK;
}

/* A factor's numbers in the order of the state dict, as one matrix whose last dimension is the
 * columns. */
static mpno_param factor_param(const mpno_factor *f) {
    mpno_param p = {.ndim = f->ndim,
                    .weight = {1, 1, f->shape[f->ndim - 1], true, MPNO_ROLE_WEIGHT_FACTOR},
                    .turned = f->turned,
                    .init = f->deviation > 0 ? MPNO_INIT_NORMAL : MPNO_INIT_ONE,
                    .init_scale = f->deviation / sqrt(2.0)};
    for (int d = 0; d < f->ndim; d++) p.shape[d] = f->shape[d];
    for (int d = 0; d + 1 < f->ndim; d++) p.weight.rows *= f->shape[d];
    if (f->turned) p.weight.cols = p.weight.rows, p.weight.rows = f->shape[f->ndim - 1];
    return p;
}

static mpno_status declare_factors(mpno_model *model, int layer, double deviation) {
    mpno_factor factors[MPNO_MAX_FACTORS];
    int n;
    MPNO_TRY(mpno_factor_list(model->ctx, &model->config, deviation, factors, &n));
    for (int i = 0; i < n; i++) {
        const mpno_param p = factor_param(&factors[i]);
        MPNO_TRY(declare(model, &p, "fno_blocks.convs.%d.weight.%s", layer, factors[i].name));
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
    const int lead = c->separable ? 1 : 2;
    mpno_param weight = {.weight = {1, c->separable ? 1 : h, h, true, MPNO_ROLE_WEIGHT_SPECTRAL},
                         .init = MPNO_INIT_NORMAL,
                         .init_scale = deviation / sqrt(2.0)};
    MPNO_TRY(declare(model, &bias, "fno_blocks.convs.%d.bias", layer));
    if (c->factorization != MPNO_FACTORIZATION_DENSE)
        return declare_factors(model, layer, deviation);
    weight.ndim = mpno_factor_shape(c, weight.shape);
    for (int d = lead; d < weight.ndim; d++) weight.weight.blocks *= weight.shape[d];
    return declare(model, &weight, "fno_blocks.convs.%d.weight.tensor", layer);
}

/* The linear skip as a convolution of conv_bias_kernel points per axis. */
static mpno_status declare_convolution(mpno_model *model, int layer) {
    const mpno_fno_config *c = &model->config;
    const int64_t h = c->hidden_channels;
    mpno_param p = matrix(h, h);
    p.ndim = 2 + c->ndim;
    for (int d = 0; d < c->ndim; d++) p.weight.blocks *= p.shape[2 + d] = c->conv_bias_kernel;
    p.init_scale = 1.0 / sqrt((double)(h * p.weight.blocks));
    return declare(model, &p, "fno_blocks.fno_skips.%d.weight", layer);
}

static mpno_status declare_skip(mpno_model *model, mpno_skip kind, const char *name, int layer) {
    const mpno_fno_config *c = &model->config;
    const mpno_param linear = matrix(c->hidden_channels, c->hidden_channels);
    const mpno_param gate =
        vector(c->hidden_channels, 1, c->ndim, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ONE, 0);
    for (int part = 0; part < n_parts(c); part++) {
        if (kind == MPNO_SKIP_LINEAR)
            MPNO_TRY(declare(model, &linear, "fno_blocks.%s.%d%s.conv.weight", name, layer,
                             part_name(c, part)));
        if (kind == MPNO_SKIP_SOFT_GATING)
            MPNO_TRY(declare(model, &gate, "fno_blocks.%s.%d%s.weight", name, layer,
                             part_name(c, part)));
    }
    return MPNO_OK;
}

static mpno_status declare_ada_in(mpno_model *model, int index) {
    enum { WIDTH = 512 }; /* upstream's */
    const int64_t width[] = {model->config.ada_in_features, WIDTH,
                             2 * model->config.hidden_channels};
    for (int i = 0; i < 2; i++) {
        mpno_param w = matrix(width[i + 1], width[i]);
        const mpno_param b =
            vector(width[i + 1], 0, 0, MPNO_ROLE_WEIGHT_LINEAR, MPNO_INIT_UNIFORM, w.init_scale);
        w.ndim = 2;
        MPNO_TRY(declare(model, &w, "fno_blocks.norm.%d.mlp.%d.weight", index, 2 * i));
        MPNO_TRY(declare(model, &b, "fno_blocks.norm.%d.mlp.%d.bias", index, 2 * i));
    }
    return MPNO_OK;
}

static mpno_status declare_norm(mpno_model *model, int index) {
    const int64_t h = model->config.hidden_channels;
    const bool batch = model->config.norm == MPNO_NORM_BATCH;
    const mpno_param one = vector(h, 0, 0, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ONE, 0);
    const mpno_param zero = vector(h, 0, 0, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ZERO, 0);
    mpno_param mean = zero, variance = one, count = vector(1, 0, 0, zero.weight.role, zero.init, 0);
    const char *inner = batch ? ".norm" : "";
    if (model->config.norm == MPNO_NORM_ADA_IN) return declare_ada_in(model, index);
    if (model->config.norm != MPNO_NORM_GROUP && !batch) return MPNO_OK;
    MPNO_TRY(declare(model, &one, "fno_blocks.norm.%d%s.weight", index, inner));
    MPNO_TRY(declare(model, &zero, "fno_blocks.norm.%d%s.bias", index, inner));
    if (!batch) return MPNO_OK;
    mean.kind = variance.kind = MPNO_PARAM_STATISTIC;
    count.kind = MPNO_PARAM_COUNTER, count.ndim = 0;
    MPNO_TRY(declare(model, &mean, "fno_blocks.norm.%d.norm.running_mean", index));
    MPNO_TRY(declare(model, &variance, "fno_blocks.norm.%d.norm.running_var", index));
    return declare(model, &count, "fno_blocks.norm.%d.norm.num_batches_tracked", index);
}

/* Where the stabiliser learns one. They come last: the others are drawn as without them. */
static mpno_status declare_gain(mpno_model *model, int layer) {
    const mpno_param gain = vector(1, 0, 0, MPNO_ROLE_WEIGHT_VECTOR, MPNO_INIT_ONE, 0);
    const mpno_stabilizer used = mpno_stabilizer_of_layer(&model->config, layer);
    if (!mpno_stabilizer_member_of(used)->gain) return MPNO_OK;
    return declare(model, &gain, "fno_blocks.stabilizers.%d.gain", layer);
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
    for (int l = 0; l < n_layers; l++)
        MPNO_TRY(c->conv_bias_kernel > 1 ? declare_convolution(model, l)
                                         : declare_skip(model, c->fno_skip, "fno_skips", l));
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
    MPNO_TRY(declare_mlp(model, "projection", h, (int64_t)(c->projection_channel_ratio * (double)h),
                         c->out_channels));
    for (int l = 0; l < n_layers; l++) MPNO_TRY(declare_gain(model, l));
    return MPNO_OK;
}
