/* SPDX-License-Identifier: MIT
 * A neural operator's configuration and weights, independent of grid, batch size and precision. */
#ifndef MPNO_MODEL_H
#define MPNO_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpno/context.h"
#include "mpno/format.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPNO_MAX_AXES 4

typedef enum mpno_skip {
    MPNO_SKIP_NONE,
    MPNO_SKIP_LINEAR,
    MPNO_SKIP_IDENTITY,
    MPNO_SKIP_SOFT_GATING
} mpno_skip;
typedef enum mpno_norm {
    MPNO_NORM_NONE,
    MPNO_NORM_GROUP,
    MPNO_NORM_INSTANCE,
    MPNO_NORM_BATCH,
    MPNO_NORM_ADA_IN
} mpno_norm;
/* What stands before forward transforms: docs/reference/policies.md. */
typedef enum mpno_stabilizer {
    MPNO_STABILIZER_NONE,
    MPNO_STABILIZER_TANH,
    MPNO_STABILIZER_HARD_CLIP,
    MPNO_STABILIZER_TWO_SIGMA_CLIP,
    MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH,
    MPNO_STABILIZER_SCALE,
    MPNO_STABILIZER_PRESCALE,
    MPNO_STABILIZER_SIGMOID,
    MPNO_STABILIZER_RELU,
    MPNO_STABILIZER_SOFTSIGN,
    MPNO_STABILIZER_ARCSINH,
    MPNO_STABILIZER_LEARNED_TANH,
    MPNO_STABILIZER_RMS_NORM,
    MPNO_STABILIZER_COUNT
} mpno_stabilizer;
typedef enum mpno_placement { MPNO_PLACEMENT_ALL, MPNO_PLACEMENT_FIRST } mpno_placement;
typedef enum mpno_embedding { MPNO_EMBEDDING_NONE, MPNO_EMBEDDING_GRID } mpno_embedding;
/* How spectral weights are kept: whole, or as the factors of a decomposition. */
typedef enum mpno_factorization {
    MPNO_FACTORIZATION_DENSE,
    MPNO_FACTORIZATION_CP,
    MPNO_FACTORIZATION_TUCKER,
    MPNO_FACTORIZATION_TT
} mpno_factorization;
typedef enum mpno_implementation {
    MPNO_IMPLEMENTATION_FACTORIZED,
    MPNO_IMPLEMENTATION_RECONSTRUCTED
} mpno_implementation;
/* In which order a spectrum and factors are multiplied: by the fewest operations (AUTO), the least
 * memory or error bound; the spectrum first, or the dense weight; or, of CP weights, by the options
 * B and C of arXiv 2307.15034 (docs/design/contraction.md). */
typedef enum mpno_contraction_order {
    MPNO_CONTRACTION_AUTO,
    MPNO_CONTRACTION_MEMORY,
    MPNO_CONTRACTION_ERROR,
    MPNO_CONTRACTION_DATA_FIRST,
    MPNO_CONTRACTION_WEIGHT_FIRST,
    MPNO_CONTRACTION_OPTION_B,
    MPNO_CONTRACTION_OPTION_C
} mpno_contraction_order;
#define MPNO_MAX_RANKS 7
/* NEURALOP: reproduce the PyTorch library where it differs from what mpno takes to be right
 * (docs/howto/compat). */
typedef enum mpno_compat { MPNO_COMPAT_NONE, MPNO_COMPAT_NEURALOP } mpno_compat;

#define MPNO_MAX_BLOCKS 64

/* Names and defaults are those of the PyTorch library's FNO. n_modes as the user writes them: the
 * last one is halved for real data (m -> m/2 + 1). */
typedef struct mpno_fno_config {
    int ndim; /* number of entries of n_modes: 1 .. 4 */
    int64_t n_modes[MPNO_MAX_AXES];
    int64_t max_n_modes[MPNO_MAX_AXES]; /* modes that weights are kept for; 0: n_modes */
    int64_t layer_modes[MPNO_MAX_BLOCKS][MPNO_MAX_AXES]; /* those of a block; 0: n_modes */
    int64_t in_channels, out_channels, hidden_channels, n_layers;
    double lifting_channel_ratio, projection_channel_ratio;
    mpno_embedding positional_embedding;
    double grid_start[MPNO_MAX_AXES], grid_stop[MPNO_MAX_AXES]; /* what the embedding spans */
    mpno_norm norm;
    int64_t norm_groups;
    int64_t ada_in_features; /* numbers a sample that norm ADA_IN is steered by */
    bool use_channel_mlp;
    double channel_mlp_expansion, channel_mlp_dropout;
    mpno_skip fno_skip, channel_mlp_skip;
    int64_t conv_bias_kernel; /* above 1: a linear fno_skip is a convolution of so many points */
    bool preactivation, separable;
    bool complex_data;                    /* fields are complex: [batch][grid..][2][channels] */
    double domain_padding[MPNO_MAX_AXES]; /* zeros on both sides, in parts of the grid */
    /* Output points over input points of each block and axis; 0 means 1. */
    double resolution_scaling_factor[MPNO_MAX_BLOCKS][MPNO_MAX_AXES];
    mpno_stabilizer stabilizer;
    mpno_placement stabilizer_placement; /* FIRST: before the first block's transform only */
    double stabilizer_scale;             /* what SCALE divides by */
    double stabilizer_blend;             /* (1 - b) f(x) + b x instead of f(x): 0 .. 1 */
    mpno_compat compat;
    mpno_factorization factorization;
    int n_ranks; /* numbers in rank */
    /* One number: a share of the dense weight's numbers (up to 1, or not whole) or a rank; or the
     * ranks one by one. */
    double rank[MPNO_MAX_RANKS];
    bool fixed_rank_modes; /* tucker: input channels keep their full rank */
    mpno_implementation implementation;
    mpno_contraction_order contraction;
} mpno_fno_config;
#define MPNO_FNO_CONFIG_INIT                                                                       \
    {                                                                                              \
        0, {0}, {0}, {{0}}, 0, 0, 0, 4, 2.0, 2.0, MPNO_EMBEDDING_GRID, {0}, {1, 1, 1, 1}, MPNO_NORM_NONE, \
            1, 0, true, 0.5, 0.0, MPNO_SKIP_LINEAR, MPNO_SKIP_SOFT_GATING, 1, false, false, false, \
            {0}, {{0}}, MPNO_STABILIZER_NONE, MPNO_PLACEMENT_ALL, 1e6, 0, MPNO_COMPAT_NONE,        \
            MPNO_FACTORIZATION_DENSE, 1, {1}, false, MPNO_IMPLEMENTATION_FACTORIZED,               \
            MPNO_CONTRACTION_AUTO                                                                  \
    }

typedef struct mpno_model
    mpno_model; /* one thread at a time when written to; read-only use may be shared */

/* WEIGHT: trained. STATISTIC: a running mean or variance, moved by training steps. COUNTER: of such
 * steps, a whole number. */
typedef enum mpno_param_kind {
    MPNO_PARAM_WEIGHT,
    MPNO_PARAM_STATISTIC,
    MPNO_PARAM_COUNTER
} mpno_param_kind;

/* One weight tensor as the outside sees it: the PyTorch library's name, shape and element order. */
typedef struct mpno_param_info {
    const char *name; /* "fno_blocks.convs.0.weight.tensor"; borrowed from the model */
    mpno_param_kind kind;
    bool is_complex; /* elements are re, im pairs */
    int ndim;
    int64_t shape[8];
    size_t count; /* real numbers in it: twice the elements when complex */
} mpno_param_info;

/* arithmetic: MPNO_F32 or MPNO_F64, the format of the master weights and of all arithmetic. Weights
 * are drawn from `seed` as the PyTorch library draws them (same distributions, other numbers). */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_model_create(mpno_ctx *ctx,
                                                        const mpno_fno_config *config,
                                                        mpno_format arithmetic, uint64_t seed,
                                                        mpno_model **out);
MPNO_API void mpno_model_destroy(mpno_model **model);
MPNO_API const mpno_fno_config *mpno_model_config(const mpno_model *model);
MPNO_API mpno_format mpno_model_arithmetic(const mpno_model *model);

MPNO_API int mpno_model_n_params(const mpno_model *model);
/* Real numbers that are trained; complex counts 2. */
MPNO_API size_t mpno_model_n_weights(const mpno_model *model);
MPNO_API mpno_param_info mpno_model_param_info(const mpno_model *model, int param);
MPNO_API int mpno_model_find_param(const mpno_model *model,
                                   const char *name); /* -1: no such name */
/* values: count numbers in the order of mpno_param_info, f64; one rounding to and none from the
 * master format. */
MPNO_API void mpno_model_get_param(const mpno_model *model, int param, double *values);
MPNO_API void mpno_model_set_param(mpno_model *model, int param, const double *values);
/* Changes the stabiliser for networks made from now on (a precision schedule does that between
 * phases), and the share of x in what it makes of x. LEARNED_TANH: only of models made with it,
 * which have its gains. */
MPNO_API void mpno_model_set_stabilizer(mpno_model *model, mpno_stabilizer stabilizer);
MPNO_API void mpno_model_set_stabilizer_blend(mpno_model *model, double blend);

typedef struct mpno_stabilizer_info {
    const char *name, *formula;
    double lipschitz; /* of a sample (batch) as a whole where it is no function of one value */
    double low, high; /* every result lies between them */
} mpno_stabilizer_info;
MPNO_API const mpno_stabilizer_info *mpno_stabilizer_get(
    mpno_stabilizer stabilizer); /* NULL: no such one */
/* Whether what it makes of a sample depends on the others of the batch. */
MPNO_API bool mpno_stabilizer_couples_batch(mpno_stabilizer stabilizer);
/* Points up to which the sums of a transform with arithmetic of `format` cannot overflow, whatever
 * the field, as long as no |x| is above `largest`; INFINITY: any number. factor: stabilizer_scale,
 * or the gain of LEARNED_TANH; others do not look at it. */
MPNO_API double mpno_stabilizer_safe_points(mpno_stabilizer stabilizer, mpno_format format,
                                            double largest, double factor);

/* Changes the modes of networks made from now on, within max_n_modes: a network that starts with
 * few modes may grow, and a trained one shrink, on the same weights. n_modes: one entry an axis. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_model_set_n_modes(mpno_model *model,
                                                             const int64_t *n_modes);
/* The same of one block, 0 .. n_layers - 1, whose modes n_modes then no longer says. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_model_set_layer_modes(mpno_model *model, int64_t layer,
                                                                 const int64_t *n_modes);
/* Modes of one block: one entry an axis. */
MPNO_API void mpno_model_layer_modes(const mpno_model *model, int64_t layer, int64_t *n_modes);

/* Another model with the same weights, its spectral ones decomposed (or multiplied out) as
 * `factorization`, `n_ranks`, `rank` and `fixed_rank_modes` of `like` say: HOSVD (tucker), TT-SVD,
 * alternating least squares (cp). errors (may be NULL): of each layer the norm of what was lost
 * over that of its weight. Time and memory are those of the dense weight. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_model_refactor(const mpno_model *model,
                                                          const mpno_fno_config *like,
                                                          mpno_model **out, double *errors);

#ifdef __cplusplus
}
#endif

#endif
