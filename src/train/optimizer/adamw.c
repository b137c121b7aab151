/* SPDX-License-Identifier: MIT
 * AdamW in the conventions of PyTorch and of the neuraloperator library; AMSGrad as an option of
 * the first. Source: Loshchilov & Hutter, "Decoupled weight decay regularization" (ICLR 2019). */
#include <math.h>

#include "train/optimizer.h"

static mpno_update_plan plan(const mpno_optimizer_opts *opts) {
    mpno_update_plan p = mpno_adam_plan(opts);
    if (opts->convention == MPNO_CONVENTION_NEURALOP) p.complex = MPNO_UPDATE_ADAM_MODULUS;
    return p;
}

static mpno_update_scalars scalars(const mpno_optimizer_opts *o, double t, double rate) {
    mpno_update_scalars s = mpno_adam_scalars(o, t, rate);
    const double decay = 1 - rate * o->weight_decay;
    if (o->convention == MPNO_CONVENTION_TORCH) {
        s.before = decay;
    } else {
        s.step *= sqrt(1 - pow(o->beta2, t));
        s.root = 1;
        s.after = decay;
    }
    return s;
}

const mpno_optimizer_rule mpno_rule_adamw = {
    .name = "adamw", .check = mpno_adam_check, .plan = plan, .scalars = scalars};
