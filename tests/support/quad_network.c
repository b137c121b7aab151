/* SPDX-License-Identifier: MIT
 * The oracle's network, see quad_network.h: layers and blocks in the order of
 *   x -> (x, coordinates) -> lifting MLP -> zeros around -> blocks -> crop -> projection MLP
 *   block:               y = norm(K(stab x) + b) + skip(x);  y = act y;
 *                        y = norm(mlp(y) + mlp_skip(x));  y = act y
 *   with preactivation:  x = norm(act x);  y = K(stab x) + b + skip(x);  y = norm(act y);
 *                        y = mlp(y) + mlp_skip(x)
 * act = GELU, but not at the end of the last block. */
#include "support/quad_network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/quad_spectrum.h"

const char *quad_arithmetic(void) {
    return QUAD_NAME;
}

const char *quad_refuses(const mpno_fno_config *c, const quad_opts *opts) {
    bool moved = false;
    for (int d = 0; d < c->ndim; d++) {
        moved |= opts->output_grid[d] > 0 && opts->output_grid[d] != opts->grid[d];
        for (int l = 0; l < c->n_layers; l++) {
            const double factor = c->resolution_scaling_factor[l][d];
            moved |= factor != 0 && factor != 1;
        }
    }
    if (c->stabilizer == MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH) return "a stabiliser of a batch";
    if (c->compat == MPNO_COMPAT_NEURALOP && c->complex_data) return "upstream's complex data";
    if (c->compat == MPNO_COMPAT_NEURALOP && moved) return "upstream's change of grid";
    return NULL;
}

static int64_t round_even(double x) {
    return (int64_t)nearbyint(x);
}

/* ---- functions of one value, or of all of a sample ---- */

typedef quad function(quad x, quad gain);

static quad gelu(quad x, quad gain) {
    (void)gain;
    return x * (1 + QUAD(erf)(x / QUAD(sqrt)((quad)2))) / 2;
}
static quad clip(quad x, quad gain) {
    (void)gain;
    return x < -1 ? -1 : x > 1 ? 1 : x;
}
static quad shrink(quad x, quad gain) {
    return x / gain;
}
static quad sigmoid(quad x, quad gain) {
    (void)gain;
    return 1 / (1 + QUAD(exp)(-x));
}
static quad relu(quad x, quad gain) {
    (void)gain;
    return x > 0 ? x : 0;
}
static quad softsign(quad x, quad gain) {
    (void)gain;
    return x / (1 + QUAD(fabs)(x));
}
static quad arcsinh(quad x, quad gain) {
    (void)gain;
    return QUAD(asinh)(x);
}
static quad squeeze(quad x, quad gain) {
    return gain * QUAD(tanh)(x / gain);
}

static size_t numbers_of(const quad_field *x) {
    return (size_t)(quad_points(x->ndim, x->size) * x->planes * x->channels);
}

static quad_field each(quad_run *run, const quad_field *x, function *f, quad gain) {
    quad_field y = quad_field_like(run, x, x->size, x->channels);
    for (size_t i = 0; i < numbers_of(x); i++) y.v[i] = f(x->v[i], gain);
    return y;
}

static quad_field sum_of(quad_run *run, const quad_field *a, const quad_field *b) {
    quad_field y = quad_field_like(run, a, a->size, a->channels);
    for (size_t i = 0; i < numbers_of(a); i++) y.v[i] = a->v[i] + b->v[i];
    return y;
}

/* Mean over all rows of channels first .. first + n - 1 of (x - centre)^power. */
static quad mean_of(const quad_field *x, int64_t first, int64_t n, quad centre, int power) {
    const int64_t rows = (int64_t)numbers_of(x) / x->channels;
    quad sum = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = first; c < first + n; c++) {
            const quad apart = x->v[r * x->channels + c] - centre;
            sum += power == 2 ? apart * apart : apart;
        }
    return sum / (quad)(rows * n);
}

static quad epsilon(void) {
    return (quad)1 / 100000;
}

static quad_field two_sigma_clip(quad_run *run, const quad_field *x) {
    quad_field y = quad_field_like(run, x, x->size, x->channels);
    const quad mean = mean_of(x, 0, x->channels, 0, 1),
               reach = 2 * QUAD(sqrt)(mean_of(x, 0, x->channels, mean, 2));
    for (size_t i = 0; i < numbers_of(x); i++) {
        const quad low = mean - reach, high = mean + reach;
        y.v[i] = x->v[i] < low ? low : x->v[i] > high ? high : x->v[i];
    }
    return y;
}

static quad_field rms_norm(quad_run *run, const quad_field *x) {
    quad_field y = quad_field_like(run, x, x->size, x->channels);
    for (int64_t c = 0; c < x->channels; c++) {
        const quad size = QUAD(sqrt)(mean_of(x, c, 1, 0, 2) + epsilon());
        for (size_t i = (size_t)c; i < numbers_of(x); i += (size_t)x->channels)
            y.v[i] = x->v[i] / size;
    }
    return y;
}

static quad_field stabilize(quad_run *run, int layer, const quad_field *x) {
    static function *const table[MPNO_STABILIZER_COUNT] = {
        [MPNO_STABILIZER_TANH] = squeeze,    [MPNO_STABILIZER_HARD_CLIP] = clip,
        [MPNO_STABILIZER_SCALE] = shrink,    [MPNO_STABILIZER_SIGMOID] = sigmoid,
        [MPNO_STABILIZER_RELU] = relu,       [MPNO_STABILIZER_SOFTSIGN] = softsign,
        [MPNO_STABILIZER_ARCSINH] = arcsinh, [MPNO_STABILIZER_LEARNED_TANH] = squeeze};
    const mpno_fno_config *c = run->config;
    const mpno_stabilizer kind = c->stabilizer;
    const quad blend = (quad)c->stabilizer_blend;
    quad gain = 1;
    quad_field y = *x;
    if (layer > 0 && c->stabilizer_placement == MPNO_PLACEMENT_FIRST) return *x;
    if (kind == MPNO_STABILIZER_SCALE) gain = (quad)c->stabilizer_scale;
    if (kind == MPNO_STABILIZER_LEARNED_TANH)
        gain = *quad_param(run, NULL, "fno_blocks.stabilizers.%d.gain", layer);
    if (kind == MPNO_STABILIZER_TWO_SIGMA_CLIP)
        y = two_sigma_clip(run, x);
    else if (kind == MPNO_STABILIZER_RMS_NORM)
        y = rms_norm(run, x);
    else if (table[kind] != NULL)
        y = each(run, x, table[kind], gain);
    else
        return *x; /* none, prescale */
    for (size_t i = 0; i < numbers_of(x); i++) y.v[i] = (1 - blend) * y.v[i] + blend * x->v[i];
    return y;
}

/* ---- layers at each point ---- */

/* y[o] = sum_i w[o][i] x[i] + b[o] */
static quad_field linear(quad_run *run, const quad_field *x, const quad *w, const quad *b,
                         int64_t outputs) {
    quad_field y = quad_field_like(run, x, x->size, outputs);
    const int64_t rows = (int64_t)numbers_of(x) / x->channels, n = x->channels;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++) {
            quad sum = b == NULL ? 0 : b[o];
            for (int64_t i = 0; i < n; i++) sum += w[o * n + i] * x->v[r * n + i];
            y.v[r * outputs + o] = sum;
        }
    return y;
}

typedef quad_field pointwise(quad_run *run, const char *prefix, const quad_field *x);

static quad_field mlp(quad_run *run, const char *prefix, const quad_field *x) {
    mpno_param_info info;
    quad_field y = *x;
    for (int i = 0; i < 2; i++) {
        const quad *w = quad_param(run, &info, "%s.fcs.%d.weight", prefix, i),
                   *b = quad_param(run, NULL, "%s.fcs.%d.bias", prefix, i);
        y = linear(run, &y, w, b, info.shape[0]);
        if (i == 0) y = each(run, &y, gelu, 0);
    }
    return y;
}

static quad_field linear_skip(quad_run *run, const char *prefix, const quad_field *x) {
    return linear(run, x, quad_param(run, NULL, "%s.conv.weight", prefix), NULL, x->channels);
}

static quad_field gate(quad_run *run, const char *prefix, const quad_field *x) {
    const quad *g = quad_param(run, NULL, "%s.weight", prefix);
    quad_field y = quad_field_like(run, x, x->size, x->channels);
    for (size_t i = 0; i < numbers_of(x); i++) y.v[i] = g[i % (size_t)x->channels] * x->v[i];
    return y;
}

/* Complex values x = a + i b: (fr(a) - fi(b)) + i (fr(b) + fi(a)). */
static quad_field in_parts(quad_run *run, pointwise *f, const char *prefix, const quad_field *x) {
    char name[64];
    if (x->planes == 1) return f(run, prefix, x);
    snprintf(name, sizeof name, "%s.fr", prefix);
    const quad_field fr = f(run, name, x);
    snprintf(name, sizeof name, "%s.fi", prefix);
    const quad_field fi = f(run, name, x);
    quad_field y = quad_field_like(run, x, x->size, fr.channels);
    const size_t c = (size_t)fr.channels;
    for (size_t row = 0; row < numbers_of(&fr) / c; row += 2)
        for (size_t o = 0; o < c; o++) {
            const size_t real = row * c + o, imaginary = real + c;
            y.v[real] = fr.v[real] - fi.v[imaginary];
            y.v[imaginary] = fr.v[imaginary] + fi.v[real];
        }
    return y;
}

/* y[p] = sum over offsets of W[offset] x[p + offset], zero outside; offsets from
 * -floor((width - 1) / 2) on. */
static quad_field convolve(quad_run *run, const quad *w, int64_t width, const quad_field *x) {
    const int64_t c = x->channels, points = quad_points(x->ndim, x->size);
    int64_t places = 1;
    quad_field y = quad_field_like(run, x, x->size, c);
    for (int d = 0; d < x->ndim; d++) places *= width;
    for (int64_t p = 0; p < points; p++)
        for (int64_t k = 0; k < places; k++) {
            int64_t rest = p, offset = k, from = 0, stride = 1;
            bool inside = true;
            for (int d = x->ndim - 1; d >= 0; d--) {
                const int64_t at = rest % x->size[d] + offset % width - (width - 1) / 2;
                inside &= at >= 0 && at < x->size[d];
                from += at * stride, stride *= x->size[d];
                rest /= x->size[d], offset /= width;
            }
            for (int64_t o = 0; inside && o < c; o++)
                for (int64_t i = 0; i < c; i++)
                    y.v[p * c + o] += w[(o * c + i) * places + k] * x->v[from * c + i];
        }
    return y;
}

/* ---- norms ---- */

/* y = g x + h with g and h from an MLP of the embedding. */
static void modulate(quad_run *run, const double *embedding, int index, quad_field *y) {
    const int64_t c = y->channels;
    const quad_field one = {
        .ndim = 1, .planes = 1, .size = {1}, .channels = run->config->ada_in_features};
    quad_field e = quad_field_like(run, &one, one.size, one.channels);
    mpno_param_info info;
    for (int64_t i = 0; i < e.channels; i++) e.v[i] = (quad)embedding[i];
    for (int i = 0; i < 3; i += 2) {
        const quad *w = quad_param(run, &info, "fno_blocks.norm.%d.mlp.%d.weight", index, i),
                   *b = quad_param(run, NULL, "fno_blocks.norm.%d.mlp.%d.bias", index, i);
        e = linear(run, &e, w, b, info.shape[0]);
        if (i == 0) e = each(run, &e, gelu, 0);
    }
    for (size_t i = 0; i < numbers_of(y); i++) {
        const int64_t channel = (int64_t)i % c;
        y->v[i] = e.v[channel] * y->v[i] + e.v[c + channel];
    }
}

/* (x - mean) / sqrt(variance + 1e-5) gamma + beta */
static quad_field norm(quad_run *run, const double *embedding, int index, const quad_field *x) {
    const mpno_fno_config *c = run->config;
    const bool batch = c->norm == MPNO_NORM_BATCH;
    const int64_t channels = x->channels,
                  width = c->norm == MPNO_NORM_GROUP ? channels / c->norm_groups : 1;
    const char *inner = batch ? ".norm" : "";
    if (c->norm == MPNO_NORM_NONE) return *x;
    const quad *gamma = NULL, *beta = NULL, *means = NULL, *variances = NULL;
    if (batch || c->norm == MPNO_NORM_GROUP) {
        gamma = quad_param(run, NULL, "fno_blocks.norm.%d%s.weight", index, inner);
        beta = quad_param(run, NULL, "fno_blocks.norm.%d%s.bias", index, inner);
    }
    if (batch) {
        means = quad_param(run, NULL, "fno_blocks.norm.%d.norm.running_mean", index);
        variances = quad_param(run, NULL, "fno_blocks.norm.%d.norm.running_var", index);
    }
    quad_field y = quad_field_like(run, x, x->size, channels);
    double most = 1;
    for (int64_t channel = 0; channel < channels; channel++) {
        const int64_t first = channel / width * width;
        const quad mean = batch ? means[channel] : mean_of(x, first, width, 0, 1),
                   variance = batch ? variances[channel] : mean_of(x, first, width, mean, 2),
                   g = gamma == NULL ? 1 : gamma[channel], b = beta == NULL ? 0 : beta[channel];
        for (size_t i = (size_t)channel; i < numbers_of(x); i += (size_t)channels)
            y.v[i] = (x->v[i] - mean) / QUAD(sqrt)(variance + epsilon()) * g + b;
        most = fmax(most, (double)(mean_of(x, first, width, 0, 2) / (variance + epsilon())));
    }
    run->condition *= most;
    if (c->norm == MPNO_NORM_ADA_IN) modulate(run, embedding, index, &y);
    return y;
}

/* ---- between grids ---- */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Frequencies that the weights of a block and both grids have. */
static quad_spectrum kept_by(const mpno_fno_config *c, int layer, const int64_t *in,
                             const int64_t *out) {
    quad_spectrum z = {.ndim = c->ndim};
    for (int d = 0; d < c->ndim; d++) {
        const bool half = d == c->ndim - 1 && !c->complex_data;
        const int64_t own = c->layer_modes[layer][d], modes = own > 0 ? own : c->n_modes[d],
                      points = least(in[d], out[d]);
        z.kept[d] = half ? least(modes / 2, points / 2) + 1 : least(modes, points);
        z.first[d] = half ? 0 : -(z.kept[d] / 2);
    }
    return z;
}

/* The same function on another grid: frequencies below half of both; all where an axis stays. */
static quad_field resample(quad_run *run, const quad_field *x, const int64_t *size) {
    quad_spectrum z = {.ndim = x->ndim};
    bool moved = false;
    for (int d = 0; d < x->ndim; d++) {
        const bool half = d == x->ndim - 1 && x->planes == 1, stays = x->size[d] == size[d];
        const int64_t n = least(x->size[d], size[d]), most = (n - 1) / 2;
        z.kept[d] = half ? (stays ? n / 2 : most) + 1 : stays ? n : 2 * most + 1;
        z.first[d] = half ? 0 : -(z.kept[d] / 2);
        moved |= !stays;
    }
    if (!moved) return *x;
    const quad_spectrum spectrum = quad_forward(run, x, &z);
    return quad_inverse(run, &spectrum, x, size);
}

/* x on a grid of `size` points, its point 0 at `margin` of it; zero elsewhere. Negative margins
 * crop. */
static quad_field place(quad_run *run, const quad_field *x, const int64_t *size,
                        const int64_t *margin) {
    quad_field y = quad_field_like(run, x, size, x->channels);
    const int64_t row = x->planes * x->channels;
    for (int64_t p = 0; p < quad_points(y.ndim, size); p++) {
        int64_t rest = p, from = 0, stride = 1;
        bool inside = true;
        for (int d = y.ndim - 1; d >= 0; d--) {
            const int64_t at = rest % size[d] - margin[d];
            inside &= at >= 0 && at < x->size[d];
            from += at * stride, stride *= x->size[d];
            rest /= size[d];
        }
        if (inside) memcpy(y.v + p * row, x->v + from * row, (size_t)row * sizeof *y.v);
    }
    return y;
}

/* ---- a block ---- */

/* y + skip(x) */
static quad_field plus_skip(quad_run *run, mpno_skip kind, const char *name, int index,
                            const quad_field *x, const quad_field *y) {
    char prefix[48];
    quad_field s = *x;
    const int64_t width = run->config->conv_bias_kernel;
    snprintf(prefix, sizeof prefix, "fno_blocks.%s.%d", name, index);
    if (kind == MPNO_SKIP_NONE) return *y;
    if (kind == MPNO_SKIP_LINEAR && width > 1 && strcmp(name, "fno_skips") == 0)
        s = convolve(run, quad_param(run, NULL, "%s.weight", prefix), width, x);
    else if (kind == MPNO_SKIP_LINEAR)
        s = in_parts(run, linear_skip, prefix, x);
    else if (kind == MPNO_SKIP_SOFT_GATING)
        s = in_parts(run, gate, prefix, x);
    s = resample(run, &s, y->size);
    return sum_of(run, y, &s);
}

/* The bias of complex data is real. */
static quad_field convolution(quad_run *run, int index, const quad_field *x, const int64_t *size) {
    const quad_field t = stabilize(run, index, x);
    const quad_spectrum kept = kept_by(run->config, index, x->size, size);
    quad_spectrum z = quad_forward(run, &t, &kept);
    z = quad_contract(run, index, &z);
    quad_field y = quad_inverse(run, &z, x, size);
    const quad *bias = quad_param(run, NULL, "fno_blocks.convs.%d.bias", index);
    const size_t c = (size_t)y.channels;
    for (size_t i = 0; i < numbers_of(&y); i++)
        if (y.planes == 1 || i / c % 2 == 0) y.v[i] += bias[i % c];
    return y;
}

static quad_field block(quad_run *run, const double *embedding, int index, quad_field x,
                        const int64_t *size) {
    const mpno_fno_config *c = run->config;
    const bool early = c->preactivation, last = index + 1 == c->n_layers;
    char prefix[48];
    if (early) {
        x = each(run, &x, gelu, 0);
        x = norm(run, embedding, 2 * index, &x);
    }
    quad_field y = convolution(run, index, &x, size);
    if (!early) y = norm(run, embedding, 2 * index, &y);
    y = plus_skip(run, c->fno_skip, "fno_skips", index, &x, &y);
    if (!last) y = each(run, &y, gelu, 0);
    if (early) y = norm(run, embedding, 2 * index + 1, &y);
    if (c->use_channel_mlp) {
        snprintf(prefix, sizeof prefix, "fno_blocks.channel_mlp.%d", index);
        y = in_parts(run, mlp, prefix, &y);
        y = plus_skip(run, c->channel_mlp_skip, "channel_mlp_skips", index, &x, &y);
    }
    if (early) return y;
    y = norm(run, embedding, 2 * index + 1, &y);
    return last ? y : each(run, &y, gelu, 0);
}

/* ---- the network ---- */

/* Points of block `index`'s output without padding, in place of those of its input. */
static void scale_grid(const mpno_fno_config *c, const quad_opts *opts, int index, int64_t *inner) {
    for (int d = 0; d < c->ndim; d++) {
        const double factor = c->resolution_scaling_factor[index][d];
        if (factor != 0) inner[d] = round_even(factor * (double)inner[d]);
        if (index + 1 == c->n_layers && opts->output_grid[d] > 0) inner[d] = opts->output_grid[d];
    }
}

void quad_output_grid(const mpno_fno_config *config, const quad_opts *opts, int64_t *grid) {
    for (int d = 0; d < config->ndim; d++) grid[d] = opts->grid[d];
    for (int l = 0; l < config->n_layers; l++) scale_grid(config, opts, l, grid);
}

/* The grid with zeros around it, p on each side of the input's N points and in proportion later. */
static void surround(const mpno_fno_config *c, const quad_opts *opts, const int64_t *inner,
                     int64_t *size, int64_t *margin) {
    for (int d = 0; d < c->ndim; d++) {
        const double n = (double)opts->grid[d];
        margin[d] = round_even((double)round_even(c->domain_padding[d] * n) * (double)inner[d] / n);
        size[d] = inner[d] + 2 * margin[d];
    }
}

static quad_field blocks(quad_run *run, const quad_opts *opts, quad_field x) {
    const mpno_fno_config *c = run->config;
    int64_t inner[MPNO_MAX_AXES], size[MPNO_MAX_AXES], margin[MPNO_MAX_AXES];
    memcpy(inner, opts->grid, sizeof inner);
    surround(c, opts, inner, size, margin);
    x = place(run, &x, size, margin);
    for (int l = 0; l < c->n_layers; l++) {
        scale_grid(c, opts, l, inner);
        surround(c, opts, inner, size, margin);
        x = block(run, opts->embedding, l, x, size);
    }
    for (int d = 0; d < c->ndim; d++) margin[d] = -margin[d];
    return place(run, &x, inner, margin);
}

/* Coordinates start + (stop - start) i / N behind the channels of x, real. */
static quad_field embed(quad_run *run, const quad_field *x) {
    const mpno_fno_config *c = run->config;
    quad_field y = quad_field_like(run, x, x->size, x->channels + c->ndim);
    for (int64_t row = 0; row < quad_points(x->ndim, x->size) * x->planes; row++) {
        quad *to = y.v + row * y.channels;
        memcpy(to, x->v + row * x->channels, (size_t)x->channels * sizeof *to);
        int64_t point = row / x->planes;
        for (int d = c->ndim - 1; d >= 0 && row % x->planes == 0; d--) {
            const quad start = (quad)c->grid_start[d], stop = (quad)c->grid_stop[d];
            to[x->channels + d] =
                start + (stop - start) * (quad)(point % x->size[d]) / (quad)x->size[d];
            point /= x->size[d];
        }
    }
    return y;
}

static quad deviation(double std) {
    return (quad)std + (quad)1 / 10000000;
}

double quad_network_run(const mpno_model *model, const quad_opts *opts, const double *input,
                        quad_number *output) {
    quad_run run = {.model = model, .config = mpno_model_config(model), .condition = 1};
    const mpno_fno_config *c = run.config;
    const quad_field like = {.ndim = c->ndim, .planes = c->complex_data ? 2 : 1};
    quad_field x = quad_field_like(&run, &like, opts->grid, c->in_channels);
    for (size_t i = 0; i < numbers_of(&x); i++)
        x.v[i] = opts->x_mean == NULL
                     ? (quad)input[i]
                     : ((quad)input[i] - (quad)opts->x_mean[i]) / deviation(opts->x_std[i]);
    if (c->positional_embedding == MPNO_EMBEDDING_GRID) x = embed(&run, &x);
    x = in_parts(&run, mlp, "lifting", &x);
    x = blocks(&run, opts, x);
    x = in_parts(&run, mlp, "projection", &x);
    for (size_t i = 0; i < numbers_of(&x); i++) {
        const quad y = opts->y_mean == NULL
                           ? x.v[i]
                           : x.v[i] * deviation(opts->y_std[i]) + (quad)opts->y_mean[i];
        output[i].high = (double)y;
        output[i].low = (double)(y - (quad)output[i].high);
    }
    quad_run_end(&run);
    return run.condition;
}
