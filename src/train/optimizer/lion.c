/* SPDX-License-Identifier: MIT
 * Lion. Source: Chen et al., "Symbolic discovery of optimization algorithms" (NeurIPS 2023),
 * algorithm 2. */
#include "train/optimizer.h"

static mpno_status check(mpno_ctx *ctx, const mpno_optimizer_opts *opts) {
    (void)ctx, (void)opts;
    return MPNO_OK;
}

static mpno_update_plan plan(const mpno_optimizer_opts *opts) {
    (void)opts;
    return (mpno_update_plan){.real = MPNO_UPDATE_LION,
                              .complex = MPNO_UPDATE_LION,
                              .n_states = 1,
                              .states = {"exp_avg"}};
}

static mpno_update_scalars scalars(const mpno_optimizer_opts *o, double t, double rate) {
    (void)t;
    return (mpno_update_scalars){.before = 1 - rate * o->weight_decay,
                                 .keep1 = o->beta1,
                                 .take1 = 1 - o->beta1,
                                 .keep2 = o->beta2,
                                 .take2 = 1 - o->beta2,
                                 .step = rate};
}

const mpno_optimizer_rule mpno_rule_lion = {
    .name = "lion", .check = check, .plan = plan, .scalars = scalars};
