/* SPDX-License-Identifier: MIT
 * A neural operator's configuration and weights, independent of grid, batch size and precision. */
#ifndef MPNO_MODEL_H
#define MPNO_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpno/context.h"
#include "mpno/format.h"

#define MPNO_MAX_AXES 4

typedef enum mpno_skip { MPNO_SKIP_NONE, MPNO_SKIP_LINEAR, MPNO_SKIP_IDENTITY, MPNO_SKIP_SOFT_GATING } mpno_skip;
typedef enum mpno_norm { MPNO_NORM_NONE, MPNO_NORM_GROUP, MPNO_NORM_INSTANCE } mpno_norm;
typedef enum mpno_stabilizer { MPNO_STABILIZER_NONE, MPNO_STABILIZER_TANH } mpno_stabilizer;
typedef enum mpno_embedding { MPNO_EMBEDDING_NONE, MPNO_EMBEDDING_GRID } mpno_embedding;
/* NEURALOP: reproduce the PyTorch library where it differs from what mpno takes to be right (docs/howto/compat). */
typedef enum mpno_compat { MPNO_COMPAT_NONE, MPNO_COMPAT_NEURALOP } mpno_compat;

/* Names and defaults are those of the PyTorch library's FNO. n_modes as the user writes them: the last one is halved for
 * real data (m -> m/2 + 1). */
typedef struct mpno_fno_config {
    int ndim; /* number of entries of n_modes: 1 .. 4 */
    int64_t n_modes[MPNO_MAX_AXES];
    int64_t in_channels, out_channels, hidden_channels, n_layers;
    double lifting_channel_ratio, projection_channel_ratio;
    mpno_embedding positional_embedding;
    mpno_norm norm;
    int64_t norm_groups;
    bool use_channel_mlp;
    double channel_mlp_expansion;
    mpno_skip fno_skip, channel_mlp_skip;
    mpno_stabilizer stabilizer;
    mpno_compat compat;
} mpno_fno_config;
#define MPNO_FNO_CONFIG_INIT                                                                        \
    {0, {0}, 0, 0, 0, 4, 2.0, 2.0, MPNO_EMBEDDING_GRID, MPNO_NORM_NONE, 1, true, 0.5,               \
     MPNO_SKIP_LINEAR, MPNO_SKIP_SOFT_GATING, MPNO_STABILIZER_NONE, MPNO_COMPAT_NONE}

typedef struct mpno_model mpno_model; /* one thread at a time when written to; read-only use may be shared */

/* One weight tensor as the outside sees it: the PyTorch library's name, shape and element order. */
typedef struct mpno_param_info {
    const char *name;   /* "fno_blocks.convs.0.weight.tensor"; borrowed from the model */
    bool is_complex;    /* elements are re, im pairs */
    int ndim;
    int64_t shape[8];
    size_t count;       /* real numbers in it: twice the elements when complex */
} mpno_param_info;

/* arithmetic: MPNO_F32 or MPNO_F64, the format of the master weights and of all arithmetic. Weights are drawn from `seed` as
 * the PyTorch library draws them (same distributions, other numbers). */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_model_create(mpno_ctx *ctx, const mpno_fno_config *config,
                                                        mpno_format arithmetic, uint64_t seed, mpno_model **out);
MPNO_API void mpno_model_destroy(mpno_model **model);
MPNO_API const mpno_fno_config *mpno_model_config(const mpno_model *model);
MPNO_API mpno_format mpno_model_arithmetic(const mpno_model *model);

MPNO_API int mpno_model_n_params(const mpno_model *model);
MPNO_API size_t mpno_model_n_weights(const mpno_model *model); /* real numbers in all; complex counts 2 */
MPNO_API mpno_param_info mpno_model_param_info(const mpno_model *model, int param);
MPNO_API int mpno_model_find_param(const mpno_model *model, const char *name); /* -1: no such name */
/* values: count numbers in the order of mpno_param_info, f64; one rounding to and none from the master format. */
MPNO_API void mpno_model_get_param(const mpno_model *model, int param, double *values);
MPNO_API void mpno_model_set_param(mpno_model *model, int param, const double *values);
/* Changes the stabiliser for networks made from now on (a precision schedule does that between phases). */
MPNO_API void mpno_model_set_stabilizer(mpno_model *model, mpno_stabilizer stabilizer);

#endif
