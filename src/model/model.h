/* SPDX-License-Identifier: MIT
 * Inside of a model: its weights in the layout that the kernels read, and how it becomes a graph.
 */
#ifndef MPNO_MODEL_MODEL_H
#define MPNO_MODEL_MODEL_H

#include "graph/graph.h"
#include "model/spectral.h"
#include "mpno/model.h"

typedef enum mpno_init {
    MPNO_INIT_UNIFORM,
    MPNO_INIT_NORMAL,
    MPNO_INIT_ZERO,
    MPNO_INIT_ONE
} mpno_init;

typedef struct mpno_param {
    char name[64];
    int ndim;
    int64_t shape[8]; /* the outside's */
    mpno_param_kind kind;
    mpno_weight weight; /* the graph's */
    bool turned;        /* outside it is a matrix [cols][rows] */
    mpno_init init;
    double init_scale; /* UNIFORM: half width; NORMAL: standard deviation of a real number */
    void *data;        /* owned; of the model's arithmetic format, in the graph's layout; NULL while
                          the model is only declared */
} mpno_param;

struct mpno_model {
    mpno_ctx *ctx;
    mpno_fno_config config;
    mpno_format arithmetic;
    mpno_param *params;
    int n_params, capacity;
};

/* A model of names and shapes without memory for weights, as large as you like: it can be planned
 * (mpno_network_plan) and asked for its parameters, but neither made into a network nor read or
 * written. mpno_model_create is this, then memory, then a draw. */
MPNO_WARN_UNUSED mpno_status mpno_model_declare(mpno_ctx *ctx, const mpno_fno_config *config,
                                                mpno_format arithmetic, mpno_model **out);
bool mpno_model_has_weights(const mpno_model *model);

/* A weight tensor as it lies in memory. Complex: [count / 2 / plane][2][plane], real plane first.
 */
typedef struct mpno_raw_param {
    void *data;
    size_t count;
    bool is_complex;
    int64_t plane;
} mpno_raw_param;
mpno_raw_param mpno_model_raw(const mpno_model *model, int param);

/* Copies the parameters that both have under one name with as many numbers. */
MPNO_WARN_UNUSED mpno_status mpno_model_copy_params(const mpno_model *from, mpno_model *to);
/* Another model of the same weights that computes in `arithmetic`. What only stabilisers of before
 * have, such as gains, stays behind. */
MPNO_WARN_UNUSED mpno_status mpno_model_copy(const mpno_model *model, mpno_format arithmetic,
                                             mpno_model **out);

/* Copies between the graph's layout (arithmetic format) and the outside order (f64). */
void mpno_param_export(const mpno_param *param, mpno_format arithmetic, const void *data,
                       double *values);
void mpno_param_import(const mpno_param *param, mpno_format arithmetic, void *data,
                       const double *values);

/* fno_params.c: the parameters, in the order of the PyTorch library's state dict. */
MPNO_WARN_UNUSED mpno_status mpno_fno_check(mpno_ctx *ctx, const mpno_fno_config *config);
MPNO_WARN_UNUSED mpno_status mpno_fno_declare(mpno_model *model);

/* fno.c: the forward graph on the graph's first grid. */
typedef struct mpno_fno_opts {
    bool training;                      /* dropout */
    bool running;                       /* batch norm: by the running statistics */
    mpno_transforms transforms;         /* of spectral convolutions; skips have the model's own */
    int64_t batch;                      /* that orders of contraction are chosen for */
    int64_t output_grid[MPNO_MAX_AXES]; /* of the last block; 0: as the configuration scales */
    const int64_t (*most_modes)[MPNO_MAX_AXES]; /* [MPNO_MAX_BLOCKS]: mpno_network_opts */
} mpno_fno_opts;

typedef struct mpno_fno_edges {
    int input, output;
    int embedding;                /* [batch][ada_in_features], -1: none */
    int spectra[MPNO_MAX_BLOCKS]; /* what the spectral weights of each block multiply */
    int64_t kept[MPNO_MAX_BLOCKS][MPNO_MAX_AXES]; /* its modes along each axis (mpno_spectral) */
    int *statistics; /* of each parameter: what a running statistic is moved by, -1: none; of the
                        caller, n_params of them */
} mpno_fno_edges;
MPNO_WARN_UNUSED mpno_status mpno_fno_build(const mpno_model *model, const mpno_fno_opts *opts,
                                            mpno_plans *plans, mpno_graph *graph,
                                            mpno_fno_edges *edges);

#endif
