/* SPDX-License-Identifier: MIT
 * Optimisers on a model's master weights: unscale, clip, states, decay and update in one fused
 * pass. Formulas, conventions and sources: docs/theory/optimizer. */
#ifndef MPNO_OPTIMIZER_H
#define MPNO_OPTIMIZER_H

#include "mpno/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mpno_optimizer_kind {
    MPNO_OPTIMIZER_ADAMW,
    MPNO_OPTIMIZER_ADAM,
    MPNO_OPTIMIZER_SGD,
    MPNO_OPTIMIZER_LION
} mpno_optimizer_kind;

/* AdamW only; the others are PyTorch's. TORCH: p *= 1 - lr wd first; sqrt(v / (1-b2^t)) + eps; real
 * and imaginary parts apart. NEURALOP: step lr sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps); then p -=
 * lr wd p; v of a complex weight is |g|^2. */
typedef enum mpno_convention { MPNO_CONVENTION_TORCH, MPNO_CONVENTION_NEURALOP } mpno_convention;

typedef struct mpno_optimizer_opts {
    size_t size;
    mpno_optimizer_kind kind;
    mpno_convention convention;
    double beta1, beta2, eps; /* ADAMW, ADAM; LION without eps */
    double weight_decay;
    double momentum, dampening; /* SGD */
    bool nesterov;              /* SGD */
    bool amsgrad;               /* ADAMW, ADAM */
    bool accumulate;            /* mpno_optimizer_accumulate will be called */
    double clip_norm;           /* 0: no clipping; largest norm of all gradients together */
    double clip_value;          /* 0: no clipping; largest size of each real number of a gradient */
    /* MPNO_F32: states are of the arithmetic format. BF16, F8E4M3, F8E5M2: narrower, rounded
     * stochastically; second moments not below bf16. */
    mpno_format state_format;
    uint64_t seed; /* of that rounding */
} mpno_optimizer_opts;
#define MPNO_OPTIMIZER_OPTS_INIT                                                              \
    {                                                                                         \
        sizeof(mpno_optimizer_opts), MPNO_OPTIMIZER_ADAMW, MPNO_CONVENTION_TORCH, 0.9, 0.999, \
            1e-8, 1e-2, 0, 0, false, false, false, 0, 0, MPNO_F32, 0                          \
    }

/* Borrows the model. One thread at a time. */
typedef struct mpno_optimizer mpno_optimizer;
/* opts: NULL for the defaults. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_optimizer_create(mpno_model *model,
                                                            const mpno_optimizer_opts *opts,
                                                            mpno_optimizer **out);
MPNO_API void mpno_optimizer_destroy(mpno_optimizer **optimizer);
/* One update of the model from the network's gradients, which were made with `loss_scale`;
 * refreshes the network's copies of the weights. */
MPNO_API void mpno_optimizer_step(mpno_optimizer *optimizer, mpno_network *network,
                                  double learning_rate, double loss_scale);
/* Keeps the network's gradients: the next step uses their sum with its own, as if the batches had
 * been one. All of them must have been made with the same loss scale. */
MPNO_API void mpno_optimizer_accumulate(mpno_optimizer *optimizer, mpno_network *network);
/* Forgets what was accumulated (a batch overflowed). */
MPNO_API void mpno_optimizer_discard(mpno_optimizer *optimizer);
MPNO_API int64_t mpno_optimizer_steps(const mpno_optimizer *optimizer);
MPNO_API size_t mpno_optimizer_bytes(const mpno_optimizer *optimizer);
/* Norm of the last step's gradients before clipping; NaN unless clip_norm is set. */
MPNO_API double mpno_optimizer_gradient_norm(const mpno_optimizer *optimizer);

/* State for checkpoints: arrays 0 .. n_states - 1 beside each parameter, named as PyTorch does
 * ("exp_avg", "momentum_buffer"), in the outside order, as f64 (exact). Between steps only: sums of
 * gradients that wait are no part of it. */
MPNO_API int mpno_optimizer_n_states(const mpno_optimizer *optimizer);
MPNO_API const char *mpno_optimizer_state_name(const mpno_optimizer *optimizer, int state);
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_optimizer_get_state(const mpno_optimizer *optimizer,
                                                               int state, int param,
                                                               double *values);
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_optimizer_set_state(mpno_optimizer *optimizer, int state,
                                                               int param, const double *values);
MPNO_API void mpno_optimizer_set_steps(mpno_optimizer *optimizer, int64_t steps);

#ifdef __cplusplus
}
#endif

#endif
