/* SPDX-License-Identifier: MIT
 * AdamW on a model's master weights, in one fused pass: unscale, moments, decay, update.
 * Sources: Loshchilov & Hutter, "Decoupled weight decay regularization" (ICLR 2019); conventions of PyTorch and of the
 * neuraloperator library (reference: docs/theory/optimizer). */
#ifndef MPNO_OPTIMIZER_H
#define MPNO_OPTIMIZER_H

#include "mpno/network.h"

/* TORCH: p *= 1 - lr wd first; sqrt(v / (1-b2^t)) + eps; real and imaginary parts apart.
 * NEURALOP: step lr sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps); then p -= lr wd p; v of a complex weight is |g|^2. */
typedef enum mpno_adamw_convention { MPNO_ADAMW_TORCH, MPNO_ADAMW_NEURALOP } mpno_adamw_convention;

typedef struct mpno_adamw_opts {
    size_t size;
    mpno_adamw_convention convention;
    double beta1, beta2, eps, weight_decay;
} mpno_adamw_opts;
#define MPNO_ADAMW_OPTS_INIT {sizeof(mpno_adamw_opts), MPNO_ADAMW_TORCH, 0.9, 0.999, 1e-8, 1e-2}

typedef struct mpno_adamw mpno_adamw;
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_adamw_create(mpno_model *model, const mpno_adamw_opts *opts, mpno_adamw **out);
MPNO_API void mpno_adamw_destroy(mpno_adamw **adamw);
/* One update of the model from the network's gradients, which were made with `loss_scale`; refreshes the network's copies. */
MPNO_API void mpno_adamw_step(mpno_adamw *adamw, mpno_network *network, double learning_rate, double loss_scale);
MPNO_API int64_t mpno_adamw_steps(const mpno_adamw *adamw);
MPNO_API size_t mpno_adamw_bytes(const mpno_adamw *adamw);
/* State for checkpoints: moment 0 or 1 of a parameter, in the outside order, as f64 (exact). */
MPNO_API void mpno_adamw_get_moment(const mpno_adamw *adamw, int moment, int param, double *values);
MPNO_API void mpno_adamw_set_moment(mpno_adamw *adamw, int moment, int param, const double *values);
MPNO_API void mpno_adamw_set_steps(mpno_adamw *adamw, int64_t steps);

#endif
