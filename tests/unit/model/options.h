/* SPDX-License-Identifier: MIT
 * Every option of the FNO as a table that tests go through, and a model with its networks and data
 * for one of them. Functions assert rather than return a status. */
#ifndef TESTS_UNIT_MODEL_OPTIONS_H
#define TESTS_UNIT_MODEL_OPTIONS_H

#include "unit/model/support.h"

enum { OPTION_BATCH = 3, EMBEDDING = 3 };

typedef struct option {
    const char *name;
    void (*set)(mpno_fno_config *c); /* NULL: of the network, not of the model */
    int n_axes;                      /* the most that it is for */
    bool other_output_grid;
    mpno_statistics statistics;
} option;

static inline void set_group_norm(mpno_fno_config *c) {
    c->norm = MPNO_NORM_GROUP, c->norm_groups = 2;
}
static inline void set_batch_norm(mpno_fno_config *c) {
    c->norm = MPNO_NORM_BATCH;
}
static inline void set_ada_in(mpno_fno_config *c) {
    c->norm = MPNO_NORM_ADA_IN, c->ada_in_features = EMBEDDING;
}
static inline void set_preactivation(mpno_fno_config *c) {
    c->preactivation = true, c->norm = MPNO_NORM_INSTANCE;
}
static inline void set_separable(mpno_fno_config *c) {
    c->separable = true;
}
static inline void set_max_n_modes(mpno_fno_config *c) {
    for (int d = 0; d < c->ndim; d++) c->n_modes[d] = 3, c->max_n_modes[d] = 6;
}
static inline void set_padding(mpno_fno_config *c) {
    for (int d = 0; d < c->ndim; d++) c->domain_padding[d] = d == 1 ? 0 : 0.25;
}
static inline void set_scaling(mpno_fno_config *c) {
    static const double factors[2][3] = {{2, 0.5, 1}, {0.75, 1.5, 2}};
    for (int l = 0; l < 2; l++)
        memcpy(c->resolution_scaling_factor[l], factors[l], sizeof factors[l]);
    c->fno_skip = MPNO_SKIP_IDENTITY;
}
static inline void set_scaling_as_upstream(mpno_fno_config *c) {
    set_scaling(c);
    c->compat = MPNO_COMPAT_NEURALOP;
}
static inline void set_padding_and_scaling(mpno_fno_config *c) {
    set_padding(c);
    set_scaling(c);
}
static inline void set_convolution(mpno_fno_config *c) {
    c->conv_bias_kernel = 3;
}
static inline void set_even_convolution(mpno_fno_config *c) {
    c->conv_bias_kernel = 4;
    c->domain_padding[0] = 0.5;
}
static inline void set_complex(mpno_fno_config *c) {
    c->complex_data = true;
    c->channel_mlp_skip = MPNO_SKIP_IDENTITY;
}
static inline void set_complex_all(mpno_fno_config *c) {
    set_complex(c);
    set_padding_and_scaling(c);
    c->preactivation = c->separable = true;
    c->channel_mlp_dropout = 0.25;
    c->stabilizer = MPNO_STABILIZER_TANH;
}
static inline void set_complex_as_upstream(mpno_fno_config *c) {
    set_complex(c);
    c->fno_skip = MPNO_SKIP_IDENTITY;
    c->compat = MPNO_COMPAT_NEURALOP;
}
static inline void set_dropout(mpno_fno_config *c) {
    c->channel_mlp_dropout = 0.25;
}
static inline void set_boundaries(mpno_fno_config *c) {
    for (int d = 0; d < c->ndim; d++) c->grid_start[d] = -1 - d, c->grid_stop[d] = 2;
}
static inline void set_factors(mpno_fno_config *c, mpno_factorization factorization, double rank) {
    c->factorization = factorization;
    c->rank[0] = rank;
}
static inline void set_cp(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_CP, 83);
    c->contraction = MPNO_CONTRACTION_DATA_FIRST;
}
static inline void set_cp_weight_first(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_CP, 0.4);
    c->implementation = MPNO_IMPLEMENTATION_RECONSTRUCTED;
}
static inline void set_cp_option_b(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_CP, 0.4);
    c->contraction = MPNO_CONTRACTION_OPTION_B;
}
static inline void set_cp_option_c(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_CP, 0.4);
    c->contraction = MPNO_CONTRACTION_OPTION_C;
}
static inline void set_tucker(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_TUCKER, 0.5);
    c->contraction = MPNO_CONTRACTION_DATA_FIRST;
}
static inline void set_tucker_weight_first(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_TUCKER, 0.3);
    c->contraction = MPNO_CONTRACTION_WEIGHT_FIRST;
    c->fixed_rank_modes = true;
}
static inline void set_tt(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_TT, 0.5);
    c->contraction = MPNO_CONTRACTION_DATA_FIRST;
}
static inline void set_tt_least_memory(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_TT, 3);
    c->contraction = MPNO_CONTRACTION_MEMORY;
}
static inline void set_cp_with_others(mpno_fno_config *c) {
    set_padding_and_scaling(c);
    set_max_n_modes(c);
    set_cp(c);
    c->norm = MPNO_NORM_GROUP;
}
static inline void set_tucker_with_others(mpno_fno_config *c) {
    set_complex(c);
    set_max_n_modes(c);
    set_factors(c, MPNO_FACTORIZATION_TUCKER, 0.6);
    c->compat = MPNO_COMPAT_NEURALOP;
}
static inline void set_separable_factors(mpno_fno_config *c) {
    set_factors(c, MPNO_FACTORIZATION_TUCKER, 0.6);
    c->separable = true;
}
static inline void set_all(mpno_fno_config *c) {
    set_padding_and_scaling(c);
    set_max_n_modes(c);
    set_dropout(c);
    c->norm = MPNO_NORM_BATCH;
    c->preactivation = c->separable = true;
    c->conv_bias_kernel = 3, c->fno_skip = MPNO_SKIP_LINEAR;
    c->channel_mlp_skip = MPNO_SKIP_LINEAR;
    c->stabilizer = MPNO_STABILIZER_TANH;
}

static const option options[] = {
    {"group norm", set_group_norm, 3, false, MPNO_STATISTICS_AUTO},
    {"batch norm", set_batch_norm, 3, false, MPNO_STATISTICS_AUTO},
    {"batch norm, fixed", set_batch_norm, 3, false, MPNO_STATISTICS_RUNNING},
    {"ada_in", set_ada_in, 3, false, MPNO_STATISTICS_AUTO},
    {"preactivation", set_preactivation, 3, false, MPNO_STATISTICS_AUTO},
    {"separable", set_separable, 3, false, MPNO_STATISTICS_AUTO},
    {"max_n_modes", set_max_n_modes, 3, false, MPNO_STATISTICS_AUTO},
    {"domain_padding", set_padding, 3, false, MPNO_STATISTICS_AUTO},
    {"resolution_scaling_factor", set_scaling, 3, false, MPNO_STATISTICS_AUTO},
    {"resolution_scaling_factor, upstream", set_scaling_as_upstream, 3, false,
     MPNO_STATISTICS_AUTO},
    {"padding and scaling", set_padding_and_scaling, 3, false, MPNO_STATISTICS_AUTO},
    {"output_grid", NULL, 3, true, MPNO_STATISTICS_AUTO},
    {"conv_bias_kernel", set_convolution, 3, false, MPNO_STATISTICS_AUTO},
    {"conv_bias_kernel, even", set_even_convolution, 3, true, MPNO_STATISTICS_AUTO},
    {"complex_data", set_complex, 3, false, MPNO_STATISTICS_AUTO},
    {"complex_data with all", set_complex_all, 3, true, MPNO_STATISTICS_AUTO},
    {"complex_data, upstream", set_complex_as_upstream, 3, false, MPNO_STATISTICS_AUTO},
    {"channel_mlp_dropout", set_dropout, 3, false, MPNO_STATISTICS_AUTO},
    {"grid_boundaries", set_boundaries, 3, false, MPNO_STATISTICS_AUTO},
    {"cp", set_cp, 3, false, MPNO_STATISTICS_AUTO},
    {"cp, weight first", set_cp_weight_first, 3, false, MPNO_STATISTICS_AUTO},
    {"cp, option B", set_cp_option_b, 3, false, MPNO_STATISTICS_AUTO},
    {"cp, option C", set_cp_option_c, 3, false, MPNO_STATISTICS_AUTO},
    {"tucker", set_tucker, 3, false, MPNO_STATISTICS_AUTO},
    {"tucker, weight first", set_tucker_weight_first, 3, false, MPNO_STATISTICS_AUTO},
    {"tt", set_tt, 3, false, MPNO_STATISTICS_AUTO},
    {"tt, least memory", set_tt_least_memory, 3, false, MPNO_STATISTICS_AUTO},
    {"cp with others", set_cp_with_others, 3, true, MPNO_STATISTICS_AUTO},
    {"tucker with others", set_tucker_with_others, 3, false, MPNO_STATISTICS_AUTO},
    {"separable factors", set_separable_factors, 3, false, MPNO_STATISTICS_AUTO},
    {"all", set_all, 3, true, MPNO_STATISTICS_AUTO},
};
enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* A model with an option, and data of a batch. */
typedef struct rig {
    mpno_ctx *ctx;
    mpno_model *model;
    const option *with;
    mpno_format arithmetic;
    mpno_network_opts opts;
    int64_t n_in, n_out; /* numbers of a batch's input and output */
    void *x, *y, *embedding;
} rig;

/* opts: as for inference; callers change what they test. */
static inline rig make_deep_rig(const option *with, int n_layers, int ndim, const int64_t *grid,
                                mpno_format arithmetic, const char *policy, mpno_format half,
                                int n_threads) {
    rig r = {.ctx = make_ctx(n_threads), .with = with, .arithmetic = arithmetic};
    mpno_fno_config config = small_config(ndim);
    config.n_layers = n_layers;
    int64_t out[MPNO_MAX_AXES];
    mpno_network *planned;
    if (with->set != NULL) with->set(&config);
    r.model = make_model(r.ctx, &config, arithmetic);
    r.opts = make_opts(ndim, grid, OPTION_BATCH, false, policy, half);
    r.opts.statistics = with->statistics;
    for (int d = 0; d < ndim && with->other_output_grid; d++)
        r.opts.output_grid[d] = d == 1 ? grid[d] - 1 : grid[d] + 3;
    if (mpno_network_plan(r.model, &r.opts, &planned) != MPNO_OK)
        fail_msg("%s: %s", with->name, mpno_ctx_error(r.ctx));
    mpno_network_output_grid(planned, out);
    mpno_network_destroy(&planned);
    const int64_t numbers = OPTION_BATCH * 2 * (config.complex_data ? 2 : 1);
    r.n_in = numbers * points_of(ndim, grid), r.n_out = numbers * points_of(ndim, out);
    r.x = make_data(arithmetic, r.n_in, 0), r.y = make_data(arithmetic, r.n_out, 1);
    r.embedding = make_data(arithmetic, OPTION_BATCH * EMBEDDING, 2);
    return r;
}

static inline rig make_rig(const option *with, int ndim, const int64_t *grid,
                           mpno_format arithmetic, const char *policy, mpno_format half,
                           int n_threads) {
    return make_deep_rig(with, 2, ndim, grid, arithmetic, policy, half, n_threads);
}

static inline void drop_rig(rig *r) {
    free(r->x), free(r->y), free(r->embedding);
    mpno_model_destroy(&r->model);
    drop_ctx(r->ctx);
}

static inline mpno_network *rig_network(const rig *r, bool training) {
    mpno_network_opts opts = r->opts;
    opts.training = opts.input_gradient = training;
    mpno_network *network = make_network(r->ctx, r->model, &opts);
    mpno_network_set_embedding(network, r->embedding);
    mpno_network_set_dropout(network, 5, 7);
    return network;
}

#endif
