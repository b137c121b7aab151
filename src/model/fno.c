/* SPDX-License-Identifier: MIT
 * The graph of a Fourier neural operator in 1 to 4 dimensions.
 *   x -> (x, coordinates) -> lifting MLP -> pad -> blocks -> crop -> projection MLP
 *   block: y = norm(K(stab(x)) + b) + skip(x);  y = act(y);  y = norm(mlp(y) + mlp_skip(x));  y =
 * act(y); with preactivation act and norm come first: x = norm(act(x));  y = K(stab(x)) + b +
 * skip(x);  y = norm(act(y));  y = mlp(y) + mlp_skip(x). K: forward transform, kept modes times a
 * complex weight each, inverse transform, onto another grid if asked. act = GELU, absent at the end
 * of the last block. Semantics and names: the PyTorch library neuraloperator; Li et al., "Fourier
 * neural operator for parametric partial differential equations" (ICLR 2021). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/factors.h"
#include "model/model.h"
#include "model/stabilizer.h"

typedef struct builder {
    const mpno_model *model;
    const mpno_fno_config *config; /* the model's with the modes that are used */
    const mpno_fno_opts *opts;
    mpno_plans *plans;
    mpno_graph *graph;
    mpno_fno_edges *edges;
    int first_param; /* edge of parameter 0; the others follow */
    uint32_t n_drops;
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

static mpno_status add(builder *b, const mpno_op *op, int n_in, const int *in,
                       const mpno_attr *attr, const char *name, int *out) {
    return mpno_graph_add(b->graph, op, n_in, in, attr, MPNO_ROLE_ACTIVATION, name, out);
}

static mpno_status unary(builder *b, const mpno_op *op, int x, const char *name, int *out) {
    return add(b, op, 1, &x, NULL, name, out);
}

static int grid_of(const builder *b, int edge) {
    return b->graph->edges[edge].grid;
}

/* ---- pointwise layers; on complex fields y = fr(x) + i fi(x) ---- */

typedef mpno_status part_builder(builder *b, const char *prefix, int x, int *y);

/* y = part(prefix, x), or of complex fields part(prefix.fr, x) + i part(prefix.fi, x), a tensor of
 * that role. */
static mpno_status in_parts(builder *b, part_builder *part, const char *prefix, mpno_role role,
                            int x, int *y) {
    char name[48];
    int real, both[2];
    if (!b->config->complex_data) return part(b, prefix, x, y);
    snprintf(name, sizeof name, "%s.fr", prefix);
    MPNO_TRY(part(b, name, x, &real));
    snprintf(name, sizeof name, "%s.fi", prefix);
    MPNO_TRY(part(b, name, x, &both[1]));
    MPNO_TRY(unary(b, &mpno_op_times_i, both[1], "times i", &both[1]));
    both[0] = real;
    return mpno_graph_add(b->graph, &mpno_op_add, 2, both, NULL, role, "complex sum", y);
}

static mpno_status drop(builder *b, int *y) {
    const mpno_attr attr = {.rate = b->config->channel_mlp_dropout, .id = b->n_drops++};
    if (!b->opts->training || attr.rate == 0) return MPNO_OK;
    return add(b, &mpno_op_dropout, 1, y, &attr, "dropped out", y);
}

/* Dropout, where there is any, follows every layer of a block's MLP, the last one too. */
static mpno_status mlp_layers(builder *b, const char *prefix, int x, bool dropout, mpno_role role,
                              const char *name, int *out) {
    int hidden;
    const int first[] = {x, param(b, "%s.fcs.0.weight", prefix), param(b, "%s.fcs.0.bias", prefix)};
    MPNO_TRY(add(b, &mpno_op_linear, 3, first, NULL, "mlp hidden", &hidden));
    MPNO_TRY(unary(b, &mpno_op_gelu, hidden, "mlp activation", &hidden));
    if (dropout) MPNO_TRY(drop(b, &hidden));
    const int second[] = {hidden, param(b, "%s.fcs.1.weight", prefix),
                          param(b, "%s.fcs.1.bias", prefix)};
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_linear, 3, second, NULL, role, name, out));
    return dropout ? drop(b, out) : MPNO_OK;
}

static mpno_status lifting_part(builder *b, const char *prefix, int x, int *y) {
    return mlp_layers(b, prefix, x, false, MPNO_ROLE_ACTIVATION, "lifted", y);
}

static mpno_status block_mlp_part(builder *b, const char *prefix, int x, int *y) {
    return mlp_layers(b, prefix, x, true, MPNO_ROLE_ACTIVATION, "mlp output", y);
}

static mpno_status projection_part(builder *b, const char *prefix, int x, int *y) {
    return mlp_layers(b, prefix, x, false, MPNO_ROLE_OUTPUT, "prediction", y);
}

static mpno_status linear_skip_part(builder *b, const char *prefix, int x, int *y) {
    const int in[] = {x, param(b, "%s.conv.weight", prefix)};
    return add(b, &mpno_op_linear, 2, in, NULL, "skip", y);
}

static mpno_status gate_part(builder *b, const char *prefix, int x, int *y) {
    const int in[] = {x, param(b, "%s.weight", prefix)};
    return add(b, &mpno_op_gate, 2, in, NULL, "skip", y);
}

/* ---- between grids ---- */

/* Whether the sums of block `layer`'s transforms are scaled before they are formed. */
static bool prescaled(const builder *b, int layer) {
    return mpno_stabilizer_member_of(mpno_stabilizer_of_layer(b->config, layer))->prescale;
}

static mpno_status take(builder *b, const mpno_mode_map *map, int *spectrum) {
    const mpno_attr attr = {
        .take = map->take, .give = map->give, .n_modes = map->n_modes, .n_given = map->n_given};
    if (map->take == NULL) return MPNO_OK;
    return mpno_graph_add(b->graph, &mpno_op_take_modes, 1, spectrum, &attr, MPNO_ROLE_SPECTRUM,
                          "taken modes", spectrum);
}

/* The spectrum of x: by its columns where they are to be had, else of x staged in the format that
 * transforms read. */
static mpno_status to_spectrum(builder *b, const mpno_spectral *s, bool prescale, int x,
                               int *spectrum) {
    const mpno_attr attr = {.fft = s->forward,
                            .columns = s->lines_in,
                            .scale = 1.0 / (double)mpno_fft_points(s->forward),
                            .weighting = MPNO_FFT_PLAIN,
                            .prescale = prescale};
    const mpno_attr lines = {.columns = s->lines_in};
    int staged, columns;
    if (s->lines_in != NULL) {
        MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_line_forward, 1, &x, &lines, MPNO_ROLE_COLUMNS,
                                "columns", &columns));
        MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_columns_forward, 1, &columns, &attr,
                                MPNO_ROLE_SPECTRUM, "spectrum", spectrum));
        return take(b, &s->before, spectrum);
    }
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_stage, 1, &x, NULL, MPNO_ROLE_TRANSFORM_IN,
                            "transform input", &staged));
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_fft_forward, 1, &staged, &attr, MPNO_ROLE_SPECTRUM,
                            "spectrum", spectrum));
    return take(b, &s->before, spectrum);
}

/* The field on `grid`, or the columns that stand for it; bias: edge, -1: none. */
static mpno_status to_columns(builder *b, const mpno_spectral *s, bool prescale, int spectrum,
                              int bias, int grid, int *y) {
    const mpno_attr attr = {
        .fft = s->inverse,
        .columns = s->lines_out,
        .grid = grid,
        .scale = 1.0,
        .weighting = b->config->complex_data ? MPNO_FFT_PLAIN : MPNO_FFT_HERMITIAN,
        .real_only = b->config->complex_data,
        .prescale = prescale}; /* of its gradient, a forward transform */
    MPNO_TRY(take(b, &s->after, &spectrum));
    if (s->lines_out != NULL) {
        const int in[] = {spectrum, bias};
        return mpno_graph_add(b->graph, &mpno_op_columns_inverse, 2, in, &attr, MPNO_ROLE_COLUMNS,
                              "output columns", y);
    }
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_fft_inverse, 1, &spectrum, &attr,
                            MPNO_ROLE_TRANSFORM_OUT, "transform output", y));
    const int in[] = {*y, bias};
    return bias >= 0 ? add(b, &mpno_op_bias, 2, in, &attr, "biased", y) : MPNO_OK;
}

/* The field that columns stand for; a field is one already. */
static mpno_status to_field(builder *b, const mpno_spectral *s, int *y) {
    const mpno_attr attr = {.columns = s->lines_out};
    if (b->graph->edges[*y].kind != MPNO_EDGE_COLUMNS) return MPNO_OK;
    return mpno_graph_add(b->graph, &mpno_op_line_inverse, 1, y, &attr, MPNO_ROLE_TRANSFORM_OUT,
                          "transform output", y);
}

static mpno_status resample(builder *b, int grid, int *x) {
    mpno_resampling r;
    if (grid_of(b, *x) == grid) return MPNO_OK;
    MPNO_TRY(mpno_resampling_plan(b->plans, b->config, b->model->arithmetic,
                                  mpno_graph_grid(b->graph, *x), &b->graph->grids[grid], &r));
    const mpno_attr lines = {.lines = r.lines, .grid = grid};
    if (r.lines != NULL) return add(b, &mpno_op_interpolate, 1, x, &lines, "interpolated skip", x);
    MPNO_TRY(to_spectrum(b, &r.spectral, false, *x, x));
    MPNO_TRY(to_columns(b, &r.spectral, false, *x, -1, grid, x));
    return to_field(b, &r.spectral, x);
}

/* ---- a block ---- */

/* y += skip(x), on y's grid */
static mpno_status add_skip(builder *b, mpno_skip kind, const char *name, int layer, int x,
                            int *y) {
    char prefix[40];
    int skip = x;
    snprintf(prefix, sizeof prefix, "fno_blocks.%s.%d", name, layer);
    if (kind == MPNO_SKIP_NONE) return MPNO_OK;
    const int kernel[] = {x, param(b, "%s.weight", prefix)};
    const mpno_attr width = {.width = b->config->conv_bias_kernel};
    if (kind == MPNO_SKIP_LINEAR && kernel[1] >= 0) /* conv_bias_kernel */
        MPNO_TRY(add(b, &mpno_op_convolve, 2, kernel, &width, "skip", &skip));
    else if (kind == MPNO_SKIP_LINEAR)
        MPNO_TRY(in_parts(b, linear_skip_part, prefix, MPNO_ROLE_ACTIVATION, x, &skip));
    else if (kind == MPNO_SKIP_SOFT_GATING)
        MPNO_TRY(in_parts(b, gate_part, prefix, MPNO_ROLE_ACTIVATION, x, &skip));
    else if (b->config->complex_data && b->config->compat == MPNO_COMPAT_NEURALOP) {
        /* upstream wraps the identity too: x + i x */
        int both[] = {x, -1};
        MPNO_TRY(unary(b, &mpno_op_times_i, x, "times i", &both[1]));
        MPNO_TRY(add(b, &mpno_op_add, 2, both, NULL, "skip", &skip));
    }
    MPNO_TRY(resample(b, grid_of(b, *y), &skip));
    const int both[] = {*y, skip};
    return add(b, &mpno_op_add, 2, both, NULL, "sum", y);
}

/* The factors that steer an adaptive norm: an MLP of the embedding. */
static mpno_status ada_in_factors(builder *b, int index, int *factors) {
    int hidden;
    const int first[] = {b->edges->embedding, param(b, "fno_blocks.norm.%d.mlp.0.weight", index),
                         param(b, "fno_blocks.norm.%d.mlp.0.bias", index)};
    MPNO_TRY(add(b, &mpno_op_linear, 3, first, NULL, "embedding hidden", &hidden));
    MPNO_TRY(unary(b, &mpno_op_gelu, hidden, "embedding activation", &hidden));
    const int second[] = {hidden, param(b, "fno_blocks.norm.%d.mlp.2.weight", index),
                          param(b, "fno_blocks.norm.%d.mlp.2.bias", index)};
    MPNO_TRY(add(b, &mpno_op_linear, 3, second, NULL, "embedding output", &hidden));
    return mpno_graph_add(b->graph, &mpno_op_sample_sums, 1, &hidden, NULL, MPNO_ROLE_SUMS,
                          "norm factors", factors);
}

/* Sums of y's values and squares for each sample; y: a field, or the columns that stand for it. */
static mpno_status moments(builder *b, const mpno_attr *attr, int y, int *sums) {
    const bool columns = b->graph->edges[y].kind == MPNO_EDGE_COLUMNS;
    return mpno_graph_add(b->graph, columns ? &mpno_op_columns_moments : &mpno_op_moments, 1, &y,
                          attr, MPNO_ROLE_SUMS, "norm sums", sums);
}

/* Statistics of the batch, and what they move the running ones by; or the running ones. */
static mpno_status batch_sums(builder *b, int index, const mpno_attr *attr, int y, bool running,
                              int *sums) {
    const int mean = param(b, "fno_blocks.norm.%d.norm.running_mean", index),
              variance = param(b, "fno_blocks.norm.%d.norm.running_var", index);
    const int in_use[] = {y, mean, variance};
    if (running)
        return mpno_graph_add(b->graph, &mpno_op_running_moments, 3, in_use, NULL, MPNO_ROLE_SUMS,
                              "running sums", sums);
    MPNO_TRY(moments(b, attr, y, sums));
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_average_samples, 1, sums, NULL, MPNO_ROLE_SUMS,
                            "batch sums", sums));
    const int moved[] = {*sums, mean, variance};
    int *statistics = b->edges->statistics;
    MPNO_TRY(mpno_graph_add(b->graph, &mpno_op_batch_statistics, 3, moved, NULL, MPNO_ROLE_SUMS,
                            "batch statistics", &statistics[mean - b->first_param]));
    statistics[variance - b->first_param] = statistics[mean - b->first_param] + 1;
    return MPNO_OK;
}

/* y: a field, or the columns that stand for it (of spectral plan s). */
static mpno_status normalize(builder *b, int index, const mpno_spectral *s, int *y) {
    const mpno_fno_config *c = b->config;
    const bool batch = c->norm == MPNO_NORM_BATCH, group = c->norm == MPNO_NORM_GROUP;
    const bool running = batch && b->opts->running;
    const bool columns = b->graph->edges[*y].kind == MPNO_EDGE_COLUMNS;
    const mpno_attr attr = {.groups = group ? c->norm_groups : c->hidden_channels,
                            .columns = s != NULL ? s->lines_out : NULL,
                            .eps = 1e-5,
                            .batch = batch && !running,
                            .fixed = running};
    const char *inner = batch ? ".norm" : "";
    int sums;
    if (c->norm == MPNO_NORM_NONE) return MPNO_OK;
    if (batch)
        MPNO_TRY(batch_sums(b, index, &attr, *y, running, &sums));
    else
        MPNO_TRY(moments(b, &attr, *y, &sums));
    const int in[] = {*y, sums, param(b, "fno_blocks.norm.%d%s.weight", index, inner),
                      param(b, "fno_blocks.norm.%d%s.bias", index, inner)};
    return add(b, columns ? &mpno_op_line_normalize : &mpno_op_normalize, 4, in, &attr,
               "normalised", y);
}

static mpno_status modulate(builder *b, int index, int *y) {
    int factors;
    if (b->config->norm != MPNO_NORM_ADA_IN) return MPNO_OK;
    MPNO_TRY(ada_in_factors(b, index, &factors));
    const int modulated[] = {*y, factors};
    return add(b, &mpno_op_modulate, 2, modulated, NULL, "modulated", y);
}

static mpno_status norm(builder *b, int index, int *y) {
    MPNO_TRY(normalize(b, index, NULL, y));
    return modulate(b, index, y);
}

/* x as the transform of block `layer` gets it: (1 - blend) f(x) + blend x. */
static mpno_status stabilize(builder *b, int layer, int *x) {
    const mpno_fno_config *c = b->config;
    const mpno_stabilizer_member *member =
        mpno_stabilizer_member_of(mpno_stabilizer_of_layer(c, layer));
    const mpno_attr mine = {.scale = 1 - c->stabilizer_blend},
                    rest = {.scale = c->stabilizer_blend};
    const int gain = member->gain ? param(b, "fno_blocks.stabilizers.%d.gain", layer) : -1;
    int parts[] = {*x, *x};
    if (member->build == NULL || rest.scale == 1) return MPNO_OK;
    MPNO_CHECK(b->graph->ctx, !member->gain || gain >= 0, MPNO_E_ARGUMENT,
               "this model has no gains for the stabiliser learned_tanh: make it with that one");
    MPNO_TRY(member->build(b->graph, c, gain, *x, x));
    if (rest.scale == 0) return MPNO_OK;
    MPNO_TRY(add(b, &mpno_op_scale, 1, x, &mine, "stabilised part", &parts[0]));
    MPNO_TRY(add(b, &mpno_op_scale, 1, &parts[1], &rest, "plain part", &parts[1]));
    return add(b, &mpno_op_add, 2, parts, NULL, "blend", x);
}

/* y = K(stab(x)) + b on grid `grid`, and its norm where that comes next. */
static mpno_status spectral(builder *b, int layer, int x, int grid, int *y) {
    mpno_spectral s;
    int t = x;
    MPNO_TRY(mpno_spectral_plan(b->plans, b->config, layer, &b->opts->transforms,
                                mpno_graph_grid(b->graph, x), &b->graph->grids[grid], &s));
    const mpno_factor_graph product = {.model = b->model,
                                       .plans = b->plans,
                                       .graph = b->graph,
                                       .spectral = &s,
                                       .first_param = b->first_param,
                                       .batch = b->opts->batch,
                                       .training = b->opts->training,
                                       .layer = layer};
    MPNO_TRY(stabilize(b, layer, &t));
    MPNO_TRY(to_spectrum(b, &s, prescaled(b, layer), t, &t));
    b->edges->spectra[layer] = t;
    memcpy(b->edges->kept[layer], s.kept, sizeof s.kept);
    MPNO_TRY(mpno_factor_contract(&product, &t));
    MPNO_TRY(to_columns(b, &s, prescaled(b, layer), t, param(b, "fno_blocks.convs.%d.bias", layer),
                        grid, y));
    if (!b->config->preactivation) MPNO_TRY(normalize(b, 2 * layer, &s, y));
    MPNO_TRY(to_field(b, &s, y));
    return b->config->preactivation ? MPNO_OK : modulate(b, 2 * layer, y);
}

/* y = mlp(y) + skip(x), where the model has one */
static mpno_status channel_mlp(builder *b, int layer, int x, int *y) {
    char prefix[40];
    if (!b->config->use_channel_mlp) return MPNO_OK;
    snprintf(prefix, sizeof prefix, "fno_blocks.channel_mlp.%d", layer);
    MPNO_TRY(in_parts(b, block_mlp_part, prefix, MPNO_ROLE_ACTIVATION, *y, y));
    return add_skip(b, b->config->channel_mlp_skip, "channel_mlp_skips", layer, x, y);
}

static mpno_status block(builder *b, int layer, int grid, int *x) {
    const mpno_fno_config *c = b->config;
    const bool last = layer + 1 == (int)c->n_layers, early = c->preactivation;
    char name[24];
    int y;
    snprintf(name, sizeof name, "block %d", layer);
    MPNO_TRY(mpno_graph_layer(b->graph, name));
    if (early) {
        MPNO_TRY(unary(b, &mpno_op_gelu, *x, "preactivation", x));
        MPNO_TRY(norm(b, 2 * layer, x));
    }
    MPNO_TRY(spectral(b, layer, *x, grid, &y));
    MPNO_TRY(add_skip(b, c->fno_skip, "fno_skips", layer, *x, &y));
    if (!last) MPNO_TRY(unary(b, &mpno_op_gelu, y, "activation", &y));
    if (early) MPNO_TRY(norm(b, 2 * layer + 1, &y));
    MPNO_TRY(channel_mlp(b, layer, *x, &y));
    if (!early) MPNO_TRY(norm(b, 2 * layer + 1, &y));
    if (!early && !last) MPNO_TRY(unary(b, &mpno_op_gelu, y, "block output", &y));
    *x = y;
    return MPNO_OK;
}

/* ---- the chain of grids ---- */

/* Without padding a block has `inner` points on an axis; padding, p zeros on each side of the
 * input's N points, grows with it. Rounded half to even, as Python does. */
static int64_t margin(const builder *b, int d, int64_t inner) {
    const double n = (double)b->graph->grids[0].size[d];
    return (int64_t)nearbyint(nearbyint(b->config->domain_padding[d] * n) * (double)inner / n);
}

/* The grid of `inner` points with its margins; attr: what pad or crop have to know. */
static mpno_status padded_grid(builder *b, const int64_t *inner, mpno_attr *attr, int *index) {
    mpno_grid grid = b->graph->grids[0];
    grid.points = grid.planes > 1 ? grid.planes : 1;
    for (int d = 0; d < grid.ndim; d++) {
        attr->margin[d] = margin(b, d, inner[d]);
        grid.size[d] = inner[d] + 2 * attr->margin[d];
        grid.points *= grid.size[d];
    }
    return mpno_graph_add_grid(b->graph, &grid, index);
}

/* Points of block `layer`'s output without padding, from those of its input. */
static mpno_status scale_grid(builder *b, int layer, int64_t *inner) {
    const bool last = layer + 1 == (int)b->config->n_layers;
    for (int d = 0; d < b->config->ndim; d++) {
        const double factor = b->config->resolution_scaling_factor[layer][d];
        if (factor != 0) inner[d] = (int64_t)nearbyint(factor * (double)inner[d]);
        if (last && b->opts->output_grid[d] > 0) inner[d] = b->opts->output_grid[d];
        MPNO_CHECK(b->graph->ctx, inner[d] >= 1 && inner[d] <= (int64_t)1 << 24, MPNO_E_CONFIG,
                   "block %d would leave %lld points on axis %d; scale less", layer,
                   (long long)inner[d], d);
    }
    return MPNO_OK;
}

static mpno_status blocks(builder *b, int *x) {
    const mpno_fno_config *c = b->config;
    int64_t inner[MPNO_MAX_AXES] = {0};
    mpno_attr attr = {0};
    bool padded = false;
    int grid;
    for (int d = 0; d < c->ndim; d++) {
        inner[d] = b->graph->grids[0].size[d];
        padded |= margin(b, d, inner[d]) > 0;
    }
    MPNO_TRY(padded_grid(b, inner, &attr, &attr.grid));
    if (padded) MPNO_TRY(add(b, &mpno_op_pad, 1, x, &attr, "padded", x));
    for (int l = 0; l < (int)c->n_layers; l++) {
        MPNO_TRY(scale_grid(b, l, inner));
        MPNO_TRY(padded_grid(b, inner, &attr, &grid));
        MPNO_TRY(block(b, l, grid, x));
    }
    MPNO_TRY(mpno_graph_layer(b->graph, "projection"));
    if (!padded) return MPNO_OK;
    mpno_grid bare = b->graph->grids[0];
    bare.points = bare.planes > 1 ? bare.planes : 1;
    for (int d = 0; d < c->ndim; d++) bare.points *= bare.size[d] = inner[d];
    MPNO_TRY(mpno_graph_add_grid(b->graph, &bare, &attr.grid));
    return add(b, &mpno_op_crop, 1, x, &attr, "cropped", x);
}

static mpno_status embedding_input(builder *b) {
    const mpno_grid one = {.ndim = 1, .size = {1}, .points = 1};
    int grid;
    b->edges->embedding = -1;
    if (b->config->norm != MPNO_NORM_ADA_IN) return MPNO_OK;
    MPNO_TRY(mpno_graph_add_grid(b->graph, &one, &grid));
    MPNO_TRY(
        mpno_graph_input(b->graph, "embedding", b->config->ada_in_features, &b->edges->embedding));
    b->graph->edges[b->edges->embedding].grid = grid;
    return MPNO_OK;
}

/* With compat neuralop, weights without max_n_modes meet other frequencies where fewer are kept. */
static mpno_status cut_modes(const mpno_model *model, const mpno_fno_opts *opts,
                             mpno_fno_config *c) {
    for (int l = 0; l < (int)c->n_layers; l++) {
        int64_t n[MPNO_MAX_AXES];
        mpno_model_layer_modes(model, l, n);
        for (int d = 0; d < c->ndim; d++) {
            const int64_t most = opts->most_modes[l][d];
            const bool cut = most > 0 && most < n[d];
            MPNO_CHECK(model->ctx, most >= 0, MPNO_E_ARGUMENT,
                       "block %d is to use %lld modes on axis %d; expected 1 or more, or 0 for all",
                       l, (long long)most, d);
            MPNO_CHECK(
                model->ctx, !cut || c->max_n_modes[0] > 0 || c->compat == MPNO_COMPAT_NONE,
                MPNO_E_CONFIG,
                "block %d is to use %lld of its %lld modes on axis %d: with compat: neuralop "
                "only a model with max_n_modes can use fewer",
                l, (long long)most, (long long)n[d], d);
            c->layer_modes[l][d] = cut ? most : n[d];
        }
    }
    return MPNO_OK;
}

mpno_status mpno_fno_build(const mpno_model *model, const mpno_fno_opts *opts, mpno_plans *plans,
                           mpno_graph *graph, mpno_fno_edges *edges) {
    mpno_fno_config used = model->config;
    const mpno_fno_config *c = &used;
    builder b = {.model = model,
                 .config = c,
                 .opts = opts,
                 .plans = plans,
                 .graph = graph,
                 .edges = edges,
                 .first_param = graph->n_edges};
    mpno_attr place = {0};
    int x, edge;
    if (opts->most_modes != NULL) MPNO_TRY(cut_modes(model, opts, &used));
    MPNO_TRY(mpno_graph_layer(graph, "lifting"));
    for (int p = 0; p < model->n_params; p++) {
        MPNO_TRY(mpno_graph_param(graph, &model->params[p].weight, &edge));
        edges->statistics[p] = -1;
    }
    MPNO_TRY(mpno_graph_input(graph, "input", c->in_channels, &edges->input));
    MPNO_TRY(embedding_input(&b));
    x = edges->input;
    memcpy(place.box.start, c->grid_start, sizeof place.box.start);
    memcpy(place.box.stop, c->grid_stop, sizeof place.box.stop);
    if (c->positional_embedding == MPNO_EMBEDDING_GRID)
        MPNO_TRY(add(&b, &mpno_op_grid_embed, 1, &x, &place, "embedded input", &x));
    MPNO_TRY(in_parts(&b, lifting_part, "lifting", MPNO_ROLE_ACTIVATION, x, &x));
    MPNO_TRY(blocks(&b, &x));
    return in_parts(&b, projection_part, "projection", MPNO_ROLE_OUTPUT, x, &edges->output);
}
