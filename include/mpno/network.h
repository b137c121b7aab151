/* SPDX-License-Identifier: MIT
 * A network: a model made ready for one grid, one batch capacity and one precision. Several may
 * share one model's weights (other grids, training and evaluation); a network never outlives its
 * model. Creation allocates everything; forward and step allocate nothing. One thread at a time. */
#ifndef MPNO_NETWORK_H
#define MPNO_NETWORK_H

#include "mpno/loss.h"
#include "mpno/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where batch norm takes its statistics from. AUTO: from the batch when training, else the running
 * ones. RUNNING when training: the running statistics stay as they are. */
typedef enum mpno_statistics {
    MPNO_STATISTICS_AUTO,
    MPNO_STATISTICS_BATCH,
    MPNO_STATISTICS_RUNNING
} mpno_statistics;

/* What the backward pass makes again rather than keeping it from the forward pass. */
typedef enum mpno_recompute {
    MPNO_RECOMPUTE_NONE,  /* nothing that takes a matrix product: more memory, fewer operations */
    MPNO_RECOMPUTE_CHEAP, /* what is inside a tile program: one tensor a block is kept */
    MPNO_RECOMPUTE_FULL,  /* most blocks too: from the outputs of a few, with the same bits */
    MPNO_RECOMPUTE_AUTO   /* NONE where all that is kept stays in a cache and the bits are the same
                             (nothing is stored narrow), else CHEAP */
} mpno_recompute;

/* What the storage of a policy is changed by. exceptions: "ROLE=FORMAT, LAYER/ROLE=FORMAT, .." such
 * as "spectrum=f8e4m3, block 2/spectrum=f16", or NULL (docs/reference/policies.md). */
typedef struct mpno_storage_opts {
    const char *exceptions;
    mpno_rounding rounding;
    mpno_scaling scaling;
    /* Scales of tensors, channels and shells are those of the values themselves, which are made
     * until the scales stay: some runs for one. Else they are those of the last run. Of blocks they
     * are always those of the values. */
    bool just_in_time;
} mpno_storage_opts;

/* policy: a row of policies.def by name: "full", "amp", "half", "fft32", "mixed". half_format: what
 * "half" means there, MPNO_F16 or MPNO_BF16. The policy decides formats; the stabiliser is the
 * model's. */
typedef struct mpno_network_opts {
    size_t size;
    int64_t grid[MPNO_MAX_AXES];
    int64_t capacity;         /* largest batch */
    bool training;            /* false: forward only, far less memory */
    mpno_objective objective; /* training only; its channel weights outlive the network */
    bool input_gradient;      /* training only: mpno_network_input_gradient is wanted */
    bool unfused;             /* every op on its own, all values stored: a check of the lowering */
    const char *policy;
    mpno_format half_format;
    int64_t output_grid[MPNO_MAX_AXES]; /* of the last block; 0: as the configuration scales */
    mpno_statistics statistics;
    /* Samples that run at once, so that less memory is needed: a batch runs in parts, with the same
     * results bit for bit (the gradients of weights are sums over the samples that go on). 0: all;
     * MPNO_MICRO_BATCH_AUTO: as few as cost little time, all where the results would be others.
     * Not with batch norm when training, nor with input_gradient. */
    int64_t micro_batch;
    bool apart; /* no tensor takes the place of one that is read for the last time: a check of that
                 */
    mpno_recompute recompute;
    /* MPNO_F16, MPNO_BF16: transforms round every result of a butterfly to it, where the policy has
     * them read (forward) or write (inverse) half a format; MPNO_F32: never. */
    mpno_format transform_arithmetic;
    bool keep_spectra; /* what spectral weights multiply stays readable: mpno_network_spectrum */
    mpno_storage_opts storage;
    /* Modes of each block and axis that the network uses at most, counted as in n_modes; 0: those
     * of the model. The weights stay the model's. */
    int64_t most_modes[MPNO_MAX_BLOCKS][MPNO_MAX_AXES];
    bool accurate; /* transforms whose bound of rounding errors grows least, not the fastest: for
                      certificates */
} mpno_network_opts;
enum { MPNO_MICRO_BATCH_AUTO = -1 };
#define MPNO_NETWORK_OPTS_INIT                                                                    \
    {                                                                                             \
        sizeof(mpno_network_opts), {0}, 1, false, MPNO_OBJECTIVE_INIT, false, false, "full",      \
            MPNO_F16, {0}, MPNO_STATISTICS_AUTO, 0, false, MPNO_RECOMPUTE_CHEAP, MPNO_F32, false, \
            {NULL, MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO, false}, {{0}}, false               \
    }

typedef struct mpno_network mpno_network;

MPNO_API MPNO_WARN_UNUSED mpno_status mpno_network_create(mpno_model *model,
                                                          const mpno_network_opts *opts,
                                                          mpno_network **out);
MPNO_API void mpno_network_destroy(mpno_network **network);

/* Everything but the memory: for asking. A planned network may be asked and destroyed, nothing
 * else. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_network_plan(mpno_model *model,
                                                        const mpno_network_opts *opts,
                                                        mpno_network **out);

/* x: [batch][grid..][in_channels], y: [batch][output grid..][out_channels], both of the model's
 * arithmetic format, channels last; of complex data [batch][grid..][2][channels], real first.
 * E_NUMERIC when a stored tensor is not finite: the sentence names the first layer and tensor. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_network_forward(mpno_network *network, int64_t batch,
                                                           const void *x, void *y);

/* The grid that predictions and targets lie on: one entry an axis. */
MPNO_API void mpno_network_output_grid(const mpno_network *network, int64_t *grid);
/* Norm ada_in: the vectors that steer the samples of the runs that follow, [batch][ada_in_features]
 * of the arithmetic format, borrowed. Nothing to do for other norms. */
MPNO_API void mpno_network_set_embedding(mpno_network *network, const void *values);
/* Which values dropout drops in the steps that follow is a function of these two and the place. */
MPNO_API void mpno_network_set_dropout(mpno_network *network, uint64_t seed, uint64_t step);
/* To which side stochastic rounding goes in what follows is a function of these two and the place.
 */
MPNO_API void mpno_network_set_rounding(mpno_network *network, uint64_t seed, uint64_t step);
/* Scales of tensors, channels and modes are those that the last run has found. After this the next
 * run finds them for itself, in some runs more. */
MPNO_API void mpno_network_forget_scales(mpno_network *network);

typedef struct mpno_step_result {
    double loss;   /* sum over batch and channels of the per-sample loss, unscaled */
    bool overflow; /* a gradient was not finite and loss_scale > 1: skip this step, halve the scale
                    */
} mpno_step_result;

/* Forward, loss, backward. Gradients of loss_scale * loss land in the network
 * (mpno_network_gradient), replacing the last ones. E_NUMERIC: not finite in the forward pass, or
 * in the backward pass at loss_scale <= 1. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_network_step(mpno_network *network, int64_t batch,
                                                        const void *x, const void *target,
                                                        double loss_scale,
                                                        mpno_step_result *result);

/* Gradient of parameter `param` after a step, in the outside order of mpno_param_info, divided by
 * the step's loss scale. */
MPNO_API void mpno_network_get_gradient(const mpno_network *network, int param, double *values);
/* dL/dx: [batch][grid..][in_channels] of the arithmetic format, scaled by loss_scale; borrowed;
 * NULL unless input_gradient. */
MPNO_API const void *mpno_network_input_gradient(const mpno_network *network);
/* Refreshes the low-precision weight copies; the optimiser calls it, and whoever sets parameters
 * must. */
MPNO_API void mpno_network_refresh_weights(mpno_network *network);

/* Samples of a batch that run at once. */
MPNO_API int64_t mpno_network_micro_batch(const mpno_network *network);

/* What a network needs, known without running it. Layers are named by text: "lifting", "block 0",
 * .., "projection", "loss". */
typedef struct mpno_tensor_line {
    const char *name; /* "block 1: spectrum" */
    const char *layer;
    const char *role;   /* "activation", "spectrum", ... */
    mpno_format format; /* as stored */
    mpno_scaling scaling;
    size_t bytes; /* of the samples that run at once, scales included */
    bool kept;    /* lives from the forward into the backward pass */
} mpno_tensor_line;
/* The instructions that multiply bf16 in this network, "amx-bf16" or "avx512-bf16"; NULL: its
 * products are of the arithmetic type. It depends on the CPU, and so do the last bits of results.
 */
MPNO_API const char *mpno_network_bf16_products(const mpno_network *network);
MPNO_API int mpno_network_n_tensors(const mpno_network *network); /* every tensor that is stored */
MPNO_API mpno_tensor_line mpno_network_tensor(const mpno_network *network, int index);

typedef struct mpno_layer_line {
    const char *layer;
    size_t parameters;  /* real numbers */
    double flops;       /* of one execution at capacity, recomputation included */
    size_t bytes;       /* largest sum of tensors of this layer alive at once */
    size_t state_bytes; /* its weight copies and, when training, gradients */
} mpno_layer_line;
MPNO_API int mpno_network_n_layers(const mpno_network *network);
MPNO_API mpno_layer_line mpno_network_layer(const mpno_network *network, int index);

/* Measures from now on, from zero, how long each layer takes. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_network_watch(mpno_network *network);
/* Seconds since then, over all runs; where one pass over memory serves two layers its time is
 * divided by their operations. index -1: all layers. */
typedef struct mpno_layer_seconds {
    double forward, backward;
} mpno_layer_seconds;
MPNO_API mpno_layer_seconds mpno_network_layer_seconds(const mpno_network *network, int index);

typedef struct mpno_network_cost {
    double flops, useful_flops; /* executed; and without recomputation and transforms' overhead */
    size_t activation_bytes;    /* the arena: tensors and scratch, placed by liveness */
    size_t lower_bound_bytes;   /* largest live set: no placement can be smaller */
    size_t gradient_bytes, weight_copy_bytes; /* state besides the optimiser's moments */
} mpno_network_cost;
MPNO_API mpno_network_cost mpno_network_get_cost(const mpno_network *network);

#ifdef __cplusplus
}
#endif

#endif
