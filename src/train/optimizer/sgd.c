/* SPDX-License-Identifier: MIT
 * Gradient descent as torch.optim.SGD: the first step takes the whole gradient into the momentum,
 * later ones 1 - dampening of it. Source: Sutskever, Martens, Dahl & Hinton, "On the importance of
 * initialization and momentum in deep learning" (ICML 2013). */
#include "train/optimizer.h"

static mpno_status check(mpno_ctx *ctx, const mpno_optimizer_opts *o) {
    MPNO_CHECK(ctx, o->momentum >= 0 && o->momentum < 1, MPNO_E_ARGUMENT,
               "SGD's momentum is %g, expected a value in [0, 1)", o->momentum);
    MPNO_CHECK(ctx, o->dampening >= 0 && o->dampening <= 1, MPNO_E_ARGUMENT,
               "SGD's dampening is %g, expected a value in [0, 1]", o->dampening);
    MPNO_CHECK(ctx, !o->nesterov || (o->momentum > 0 && o->dampening == 0), MPNO_E_ARGUMENT,
               "Nesterov's step needs a momentum and no dampening, found momentum %g and "
               "dampening %g",
               o->momentum, o->dampening);
    return MPNO_OK;
}

static mpno_update_plan plan(const mpno_optimizer_opts *o) {
    const mpno_update_id id = o->momentum > 0 ? MPNO_UPDATE_MOMENTUM : MPNO_UPDATE_SGD;
    return (mpno_update_plan){.real = id,
                              .complex = id,
                              .n_states = o->momentum > 0 ? 1 : 0,
                              .states = {"momentum_buffer"}};
}

static mpno_update_scalars scalars(const mpno_optimizer_opts *o, double t, double rate) {
    return (mpno_update_scalars){.couple = o->weight_decay,
                                 .keep1 = o->momentum,
                                 .take1 = t > 1 ? 1 - o->dampening : 1,
                                 .step = rate,
                                 .direct = o->nesterov ? 1 : 0,
                                 .along = o->nesterov ? o->momentum : 1};
}

const mpno_optimizer_rule mpno_rule_sgd = {
    .name = "sgd", .check = check, .plan = plan, .scalars = scalars};
