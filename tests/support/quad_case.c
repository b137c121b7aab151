/* SPDX-License-Identifier: MIT
 * Random small networks, see quad_case.h. */
#include "support/quad_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "number/format.h"

enum { MOST_POINTS = 200 }; /* of any grid, so that a case takes milliseconds */

static double between(mpno_rng *rng, double low, double high) {
    return low + (high - low) * mpno_rng_uniform(rng);
}
static int64_t whole(mpno_rng *rng, int64_t low, int64_t high) {
    return low + (int64_t)mpno_rng_below(rng, (uint64_t)(high - low + 1));
}
static bool chance(mpno_rng *rng, double share) {
    return mpno_rng_uniform(rng) < share;
}

static void die(mpno_ctx *ctx, const char *what) {
    fprintf(stderr, "%s: %s\n", what, mpno_ctx_error(ctx));
    abort(); /* a case that cannot be made is a mistake of this file */
}

/* ---- configuration ---- */

static void draw_modes(mpno_rng *rng, mpno_fno_config *c, quad_opts *o) {
    static const int64_t most[] = {12, 12, 6, 3};
    const bool more = chance(rng, 0.2), own = chance(rng, 0.2);
    c->ndim = chance(rng, 0.05) ? 4 : (int)whole(rng, 1, 3);
    do {
        for (int d = 0; d < c->ndim; d++)
            o->grid[d] = chance(rng, 0.05) ? 1 : whole(rng, 2, most[c->ndim - 1]);
    } while (o->grid[0] * (c->ndim > 1 ? o->grid[1] : 1) * (c->ndim > 2 ? o->grid[2] : 1) >
             MOST_POINTS / (c->ndim > 3 ? 3 : 1));
    /* long lines: other ways to transform them */
    if (chance(rng, 0.15)) {
        for (int d = 0; d < c->ndim; d++) o->grid[d] = whole(rng, 1, 2);
        o->grid[whole(rng, 0, c->ndim - 1)] = whole(rng, 13, MOST_POINTS / 2);
    }
    c->n_layers = whole(rng, 1, 3);
    for (int d = 0; d < c->ndim; d++) {
        c->n_modes[d] = whole(rng, 1, o->grid[d] + 2 < 7 ? o->grid[d] + 2 : 7);
        c->max_n_modes[d] = more ? c->n_modes[d] + whole(rng, 0, 3) : 0;
        for (int l = 0; l < c->n_layers && own; l++)
            c->layer_modes[l][d] = whole(rng, 0, c->n_modes[d]);
    }
}

static void draw_norm(mpno_rng *rng, mpno_fno_config *c) {
    if (chance(rng, 0.5)) return;
    c->norm = (mpno_norm)whole(rng, MPNO_NORM_GROUP, MPNO_NORM_ADA_IN);
    if (c->norm == MPNO_NORM_GROUP && c->hidden_channels % 2 == 0) c->norm_groups = 2;
    if (c->norm == MPNO_NORM_ADA_IN) c->ada_in_features = 3;
}

static void draw_factors(mpno_rng *rng, mpno_fno_config *c) {
    if (chance(rng, 0.5)) return;
    c->factorization = (mpno_factorization)whole(rng, MPNO_FACTORIZATION_CP, MPNO_FACTORIZATION_TT);
    c->rank[0] = chance(rng, 0.5) ? between(rng, 0.1, 0.6) : (double)whole(rng, 2, 3);
    c->implementation = (mpno_implementation)whole(rng, 0, 1);
    c->contraction = (mpno_contraction_order)whole(rng, MPNO_CONTRACTION_AUTO,
                                                   c->factorization == MPNO_FACTORIZATION_CP
                                                       ? MPNO_CONTRACTION_OPTION_C
                                                       : MPNO_CONTRACTION_WEIGHT_FIRST);
    if (c->separable && c->contraction > MPNO_CONTRACTION_ERROR)
        c->contraction = MPNO_CONTRACTION_WEIGHT_FIRST;
    c->fixed_rank_modes = c->factorization == MPNO_FACTORIZATION_TUCKER && chance(rng, 0.3);
}

static void draw_stabilizer(mpno_rng *rng, mpno_fno_config *c) {
    do c->stabilizer = (mpno_stabilizer)whole(rng, 0, MPNO_STABILIZER_COUNT - 1);
    while (c->stabilizer == MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH);
    if (chance(rng, 0.25)) c->stabilizer = MPNO_STABILIZER_NONE;
    c->stabilizer_placement = chance(rng, 0.2) ? MPNO_PLACEMENT_FIRST : MPNO_PLACEMENT_ALL;
    c->stabilizer_scale = exp2(between(rng, -2, 8));
    if (chance(rng, 0.25)) c->stabilizer_blend = between(rng, 0, 1);
}

static void draw_blocks(mpno_rng *rng, mpno_fno_config *c) {
    c->in_channels = whole(rng, 1, 3), c->out_channels = whole(rng, 1, 3);
    c->hidden_channels = whole(rng, 2, 6);
    c->lifting_channel_ratio = between(rng, 0.6, 2);
    c->projection_channel_ratio = between(rng, 0.6, 2);
    if (chance(rng, 0.3)) c->positional_embedding = MPNO_EMBEDDING_NONE;
    for (int d = 0; d < c->ndim && chance(rng, 0.3); d++)
        c->grid_start[d] = between(rng, -2, 0), c->grid_stop[d] = between(rng, 0.5, 3);
    c->use_channel_mlp = chance(rng, 0.75);
    c->channel_mlp_expansion = between(rng, 0.5, 1.5);
    c->fno_skip = (mpno_skip)whole(rng, 0, 3), c->channel_mlp_skip = (mpno_skip)whole(rng, 0, 3);
    c->preactivation = chance(rng, 0.25);
    c->separable = chance(rng, 0.2);
    c->complex_data = chance(rng, 0.2);
    if (!c->complex_data) draw_norm(rng, c);
    if (!c->complex_data && c->fno_skip == MPNO_SKIP_LINEAR && c->ndim < 4 && chance(rng, 0.3))
        c->conv_bias_kernel = whole(rng, 2, 4);
}

static bool fits(const mpno_fno_config *c, const int64_t *grid) {
    int64_t points = 1;
    for (int d = 0; d < c->ndim; d++)
        points *= grid[d] + 2 * (int64_t)ceil(c->domain_padding[d] * (double)grid[d]);
    return points >= 1 && points <= 2 * MOST_POINTS;
}

/* Padding and grids that change; what would become large stays as it is. */
static void draw_places(mpno_rng *rng, mpno_fno_config *c, quad_opts *o) {
    static const double factors[] = {0.5, 0.75, 1, 1.5, 2};
    int64_t grid[MPNO_MAX_AXES];
    memcpy(grid, o->grid, sizeof grid);
    const bool padded = chance(rng, 0.25), scaled = chance(rng, 0.25), other = chance(rng, 0.2);
    for (int d = 0; d < c->ndim && padded; d++) {
        c->domain_padding[d] = chance(rng, 0.2) ? 0 : between(rng, 0.1, 0.6);
        if (!fits(c, grid)) c->domain_padding[d] = 0;
    }
    for (int i = 0; i < c->ndim * (int)c->n_layers && scaled; i++) {
        const int l = i / c->ndim, d = i % c->ndim;
        const double factor = factors[whole(rng, 0, 4)];
        const int64_t before = grid[d];
        grid[d] = (int64_t)nearbyint(factor * (double)before);
        if (grid[d] >= 1 && fits(c, grid))
            c->resolution_scaling_factor[l][d] = factor;
        else
            grid[d] = before;
    }
    for (int d = 0; d < c->ndim && other; d++) {
        const int64_t before = grid[d];
        grid[d] = o->output_grid[d] = whole(rng, 1, 9);
        if (!fits(c, grid)) grid[d] = before, o->output_grid[d] = 0;
    }
    if (!c->complex_data && !padded && !scaled && !other && chance(rng, 0.15))
        c->compat = MPNO_COMPAT_NEURALOP;
}

/* ---- weights and data ---- */

/* Far from the first values of training, so that nothing cancels or is one by chance. */
static void draw_weights(mpno_rng *rng, const quad_case *q) {
    const double all = exp2(between(rng, -1, 1));
    for (int p = 0; p < mpno_model_n_params(q->model); p++) {
        const mpno_param_info info = mpno_model_param_info(q->model, p);
        const bool positive = strstr(info.name, "running_var") || strstr(info.name, ".gain");
        const double own = all * exp2(between(rng, -1, 1));
        double *values = malloc(info.count * sizeof *values);
        if (values == NULL) abort();
        if (info.kind == MPNO_PARAM_COUNTER) {
            free(values);
            continue;
        }
        mpno_model_get_param(q->model, p, values);
        for (size_t i = 0; i < info.count; i++) {
            const double noise = mpno_rng_normal(rng);
            values[i] = positive ? exp(0.7 * noise) : own * (values[i] + 0.2 * noise);
        }
        mpno_model_set_param(q->model, p, values);
        free(values);
    }
}

static double stored(mpno_format format, double x) {
    return format == MPNO_F32 ? (double)(float)x : x;
}

/* Noise, one point that stands out, or a constant. */
static void draw_input(mpno_rng *rng, mpno_format format, quad_case *q) {
    const double size = exp2(between(rng, -4, 4)), offset = chance(rng, 0.3) ? size : 0;
    const int64_t kind = chance(rng, 0.85) ? 0 : whole(rng, 1, 2);
    q->input = malloc(q->n_in * sizeof *q->input);
    if (q->input == NULL) abort();
    for (size_t i = 0; i < q->n_in; i++)
        q->input[i] = stored(format, offset + (kind == 0             ? size * mpno_rng_normal(rng)
                                               : kind == 1 && i == 0 ? 8 * size
                                                                     : 0));
    if (q->config.norm != MPNO_NORM_ADA_IN) return;
    q->embedding = malloc((size_t)q->config.ada_in_features * sizeof *q->embedding);
    if (q->embedding == NULL) abort();
    for (int64_t i = 0; i < q->config.ada_in_features; i++)
        q->embedding[i] = stored(format, mpno_rng_normal(rng));
    q->opts.embedding = q->embedding;
}

/* room[0] and room[1]: means and deviations of the n numbers of a sample; those of the channels at
 * their start are the normaliser's. */
static void draw_normalizer(mpno_rng *rng, const quad_case *q, size_t n, int64_t channels,
                            mpno_normalizer *normalizer, double **room) {
    const bool scalar = chance(rng, 0.5);
    for (int k = 0; k < 2; k++) {
        room[k] = malloc(n * sizeof *room[k]);
        if (room[k] == NULL) abort();
        for (size_t i = 0; i < n; i++) {
            const double drawn = k == 0 ? mpno_rng_normal(rng) : exp2(between(rng, -3, 3));
            room[k][i] = i < (scalar ? 1 : (size_t)channels)
                             ? drawn
                             : room[k][scalar ? 0 : i % (size_t)channels];
        }
    }
    *normalizer = (mpno_normalizer){.mean = room[0][0], .std = room[1][0]};
    if (scalar) return;
    normalizer->encoding = MPNO_ENCODING_CHANNEL_WISE;
    normalizer->layout.ndim = q->config.ndim;
    normalizer->layout.planes = q->domain.planes;
    normalizer->layout.channels = channels;
    normalizer->means = room[0], normalizer->stds = room[1];
}

static void draw_policy(mpno_rng *rng, quad_case *q) {
    static const char *const policies[] = {"full", "amp", "half", "fft32", "mixed"};
    static const char *const exceptions[] = {"spectrum=f8e4m3",
                                             "spectrum=bf16",
                                             "activation=f16, block 0/spectrum=f8e5m2",
                                             "transform columns=f8e4m3",
                                             "spectral weight copy=bf16",
                                             "activation=e6m9"};
    q->policy = policies[whole(rng, 0, 4)];
    q->half = chance(rng, 0.5) ? MPNO_F16 : MPNO_BF16;
    if (chance(rng, 0.3)) q->exceptions = exceptions[whole(rng, 0, 5)];
}

static size_t numbers_of(const mpno_fno_config *c, const int64_t *grid, int64_t channels) {
    int64_t n = channels * (c->complex_data ? 2 : 1);
    for (int d = 0; d < c->ndim; d++) n *= grid[d];
    return (size_t)n;
}

void quad_case_draw(mpno_ctx *ctx, uint64_t seed, mpno_format arithmetic, quad_case *q) {
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_TEST, 8);
    *q = (quad_case){.config = MPNO_FNO_CONFIG_INIT};
    mpno_fno_config *c = &q->config;
    draw_modes(&rng, c, &q->opts);
    draw_blocks(&rng, c);
    draw_factors(&rng, c);
    draw_stabilizer(&rng, c);
    draw_places(&rng, c, &q->opts);
    if (mpno_model_create(ctx, c, arithmetic, seed, &q->model) != MPNO_OK)
        die(ctx, quad_case_text(q, seed));
    draw_weights(&rng, q);
    q->domain.ndim = c->ndim, q->domain.planes = c->complex_data ? 2 : 1;
    q->domain.channels = c->out_channels;
    quad_output_grid(c, &q->opts, q->domain.grid);
    for (int d = 0; d < c->ndim; d++) {
        if (chance(&rng, 0.3)) q->domain.measure[d] = exp2(between(&rng, -3, 3));
        q->domain.one_sided[d] = q->domain.grid[d] >= MPNO_ONE_SIDED_POINTS && chance(&rng, 0.3);
    }
    q->n_in = numbers_of(c, q->opts.grid, c->in_channels);
    q->n_out = numbers_of(c, q->domain.grid, c->out_channels);
    draw_input(&rng, arithmetic, q);
    q->normalized = chance(&rng, 0.3);
    if (q->normalized) {
        draw_normalizer(&rng, q, q->n_in, c->in_channels, &q->x, q->rooms);
        draw_normalizer(&rng, q, q->n_out, c->out_channels, &q->y, q->rooms + 2);
        q->opts.x_mean = q->rooms[0], q->opts.x_std = q->rooms[1];
        q->opts.y_mean = q->rooms[2], q->opts.y_std = q->rooms[3];
    }
    draw_policy(&rng, q);
}

void quad_case_drop(quad_case *q) {
    mpno_model_destroy(&q->model);
    free(q->input), free(q->embedding);
    for (int i = 0; i < 4; i++) free(q->rooms[i]);
}

const char *quad_case_text(const quad_case *q, uint64_t seed) {
    static char text[512];
    const mpno_fno_config *c = &q->config;
    int n = snprintf(text, sizeof text, "seed %llu:", (unsigned long long)seed);
    for (int d = 0; d < c->ndim; d++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %lld/%lld", (long long)q->opts.grid[d],
                      (long long)c->n_modes[d]);
    snprintf(text + n, sizeof text - (size_t)n,
             " layers %d norm %d stabiliser %d%s%s%s%s%s%s skips %d %d factors %d order %d width "
             "%lld policy %s %s",
             (int)c->n_layers, (int)c->norm, (int)c->stabilizer, c->complex_data ? " complex" : "",
             c->separable ? " separable" : "", c->preactivation ? " preactivation" : "",
             c->use_channel_mlp ? "" : " no-mlp", c->domain_padding[0] > 0 ? " padded" : "",
             c->compat ? " compat" : "", (int)c->fno_skip, (int)c->channel_mlp_skip,
             (int)c->factorization, (int)c->contraction, (long long)c->conv_bias_kernel,
             q->policy == NULL ? "" : q->policy, q->exceptions == NULL ? "" : q->exceptions);
    return text;
}

/* ---- answers ---- */

mpno_network_opts quad_case_opts(const quad_case *q, const char *policy) {
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    memcpy(opts.grid, q->opts.grid, sizeof opts.grid);
    memcpy(opts.output_grid, q->opts.output_grid, sizeof opts.output_grid);
    opts.policy = policy, opts.half_format = q->half;
    return opts;
}

mpno_network_opts quad_case_low_opts(const quad_case *q) {
    mpno_network_opts opts = quad_case_opts(q, q->policy);
    opts.storage.exceptions = q->exceptions;
    return opts;
}

bool quad_case_answer(mpno_ctx *ctx, const quad_case *q, const char *policy, double *answer) {
    const mpno_format format = mpno_model_arithmetic(q->model);
    const size_t bytes = mpno_format_bytes(format), features = (size_t)q->config.ada_in_features;
    mpno_network_opts opts = quad_case_opts(q, policy);
    mpno_network *network;
    if (strcmp(policy, "full") != 0 || q->policy == policy) opts.storage.exceptions = q->exceptions;
    if (mpno_network_create(q->model, &opts, &network) != MPNO_OK) die(ctx, policy);
    void *x = malloc(q->n_in * bytes), *y = malloc(q->n_out * bytes),
         *e = malloc((features + 1) * bytes);
    if (x == NULL || y == NULL || e == NULL) abort();
    mpno_cast(x, format, q->input, MPNO_F64, q->n_in);
    if (q->normalized) mpno_normalizer_encode(&q->x, format, x, (int64_t)q->n_in);
    if (q->embedding != NULL) {
        mpno_cast(e, format, q->embedding, MPNO_F64, features);
        mpno_network_set_embedding(network, e);
    }
    const mpno_status status = mpno_network_forward(network, 1, x, y);
    if (status != MPNO_OK && status != MPNO_E_NUMERIC) die(ctx, policy);
    if (status == MPNO_OK && q->normalized)
        mpno_normalizer_decode(&q->y, format, y, (int64_t)q->n_out);
    if (status == MPNO_OK) mpno_cast(answer, MPNO_F64, y, format, q->n_out);
    free(x), free(y), free(e);
    mpno_network_destroy(&network);
    return status == MPNO_OK;
}
