/* SPDX-License-Identifier: MIT
 * What an optimiser is: which loop it runs, which states that loop keeps, and the scalars of a
 * step. Pure functions of the options; optimizer.c holds the states and runs the loops. */
#ifndef MPNO_TRAIN_OPTIMIZER_H
#define MPNO_TRAIN_OPTIMIZER_H

#include "core/context.h"
#include "kernel/update_kernels.h"
#include "mpno/optimizer.h"
#include "mpno/model.h"

#define MPNO_MAX_STATES 3

typedef struct mpno_update_plan {
    mpno_update_id real, complex;        /* the loops for real and complex weights */
    int n_states;                        /* arrays of the size of the weights, zero at first */
    const char *states[MPNO_MAX_STATES]; /* their names in checkpoints: PyTorch's */
} mpno_update_plan;

typedef struct mpno_optimizer_rule {
    const char *name;
    /* E_ARGUMENT with what is wrong with the options that only this rule reads. */
    mpno_status (*check)(mpno_ctx *ctx, const mpno_optimizer_opts *opts);
    mpno_update_plan (*plan)(const mpno_optimizer_opts *opts);
    /* Of step t = 1, 2, ..; unscale and limit are not the rule's business. */
    mpno_update_scalars (*scalars)(const mpno_optimizer_opts *opts, double t, double rate);
} mpno_optimizer_rule;

#define X(name, text) extern const mpno_optimizer_rule mpno_rule_##name;
#include "train/optimizers.def"
#undef X

const mpno_optimizer_rule *mpno_optimizer_rule_get(mpno_optimizer_kind kind);

/* Bytes that an optimiser of the model keeps: states, sums of gradients, and where states of narrow
 * formats are decoded to. */
size_t mpno_optimizer_need(const mpno_model *model, const mpno_optimizer_opts *opts);

/* Shared by adam.c and adamw.c: checks of betas and eps, states, and the scalars of PyTorch's step
 * without decay. */
MPNO_WARN_UNUSED mpno_status mpno_adam_check(mpno_ctx *ctx, const mpno_optimizer_opts *opts);
mpno_update_plan mpno_adam_plan(const mpno_optimizer_opts *opts);
mpno_update_scalars mpno_adam_scalars(const mpno_optimizer_opts *opts, double t, double rate);

#endif
