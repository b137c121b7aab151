/* SPDX-License-Identifier: MIT
 * Adam as torch.optim.Adam: weight decay d enters as g + d p; AMSGrad as an option.
 * Sources: Kingma & Ba, "Adam: a method for stochastic optimization" (ICLR 2015); Reddi, Kale &
 * Kumar, "On the convergence of Adam and beyond" (ICLR 2018). */
#include <math.h>

#include "train/optimizer.h"

mpno_status mpno_adam_check(mpno_ctx *ctx, const mpno_optimizer_opts *opts) {
    MPNO_CHECK(ctx, opts->eps > 0, MPNO_E_ARGUMENT, "Adam's eps is %g, expected eps > 0",
               opts->eps);
    MPNO_CHECK(ctx, !opts->amsgrad || opts->convention == MPNO_CONVENTION_TORCH, MPNO_E_ARGUMENT,
               "AMSGrad exists in the torch convention only: leave amsgrad or the convention "
               "neuralop out");
    return MPNO_OK;
}

mpno_update_plan mpno_adam_plan(const mpno_optimizer_opts *opts) {
    const mpno_update_id id = opts->amsgrad ? MPNO_UPDATE_AMSGRAD : MPNO_UPDATE_ADAM;
    return (mpno_update_plan){.real = id,
                              .complex = id,
                              .n_states = opts->amsgrad ? 3 : 2,
                              .states = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}};
}

mpno_update_scalars mpno_adam_scalars(const mpno_optimizer_opts *o, double t, double rate) {
    return (mpno_update_scalars){.before = 1,
                                 .after = 1,
                                 .take1 = 1 - o->beta1,
                                 .keep2 = o->beta2,
                                 .take2 = 1 - o->beta2,
                                 .step = rate / (1 - pow(o->beta1, t)),
                                 .root = 1 / sqrt(1 - pow(o->beta2, t)),
                                 .eps = o->eps};
}

static mpno_update_scalars scalars(const mpno_optimizer_opts *opts, double t, double rate) {
    mpno_update_scalars s = mpno_adam_scalars(opts, t, rate);
    s.couple = opts->weight_decay;
    return s;
}

const mpno_optimizer_rule mpno_rule_adam = {
    .name = "adam", .check = mpno_adam_check, .plan = mpno_adam_plan, .scalars = scalars};
