/* SPDX-License-Identifier: MIT
 * Inside of a model: its weights in the layout that the kernels read, and how it becomes a graph.
 */
#ifndef MPNO_MODEL_MODEL_H
#define MPNO_MODEL_MODEL_H

#include "graph/graph.h"
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
    int64_t shape[8];   /* the outside's */
    mpno_weight weight; /* the graph's */
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

/* Copies between the graph's layout (arithmetic format) and the outside order (f64). */
void mpno_param_export(const mpno_param *param, mpno_format arithmetic, const void *data,
                       double *values);
void mpno_param_import(const mpno_param *param, mpno_format arithmetic, void *data,
                       const double *values);

/* The model of fno.c: declares parameters (state-dict order of the PyTorch library), and builds the
 * forward graph of one grid. */
MPNO_WARN_UNUSED mpno_status mpno_fno_check(mpno_ctx *ctx, const mpno_fno_config *config);
MPNO_WARN_UNUSED mpno_status mpno_fno_declare(mpno_model *model);
/* Modes of the weights in each dimension: n_modes, the last one halved. */
void mpno_fno_weight_modes(const mpno_fno_config *config, int64_t *modes);

typedef struct mpno_fno_grid {
    const mpno_fft *fft;
    const int32_t *mode_rows;
} mpno_fno_grid;
MPNO_WARN_UNUSED mpno_status mpno_fno_build(const mpno_model *model, const mpno_fno_grid *on,
                                            mpno_graph *graph, int *input, int *output);

#endif
