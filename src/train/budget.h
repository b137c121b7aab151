/* SPDX-License-Identifier: MIT
 * How many samples of a batch run at once, so that networks fit into memory_limit beside what is
 * there already. Results do not depend on it (mpno_network_opts.micro_batch). */
#ifndef MPNO_TRAIN_BUDGET_H
#define MPNO_TRAIN_BUDGET_H

#include "mpno/network.h"

typedef struct mpno_budget {
    size_t limit;        /* bytes; 0: none */
    size_t held;         /* of them what stays beside the networks */
    int64_t micro_batch; /* asked for; 0: MPNO_MICRO_BATCH_AUTO, fewer where they do not fit */
    const char *use;     /* for messages: "training" */
} mpno_budget;

/* Sets micro_batch of n networks that exist at once: as asked for, or as costs little time, or else
 * each batch in as few parts as fit, all parts of about one size. E_CONFIG when even single samples
 * do not fit, or what was asked for does not: the sentence says what is needed. */
MPNO_WARN_UNUSED mpno_status mpno_budget_divide(const mpno_budget *budget, mpno_model *model,
                                                mpno_network_opts *opts, size_t n);
/* Bytes of a network once it is made. */
MPNO_WARN_UNUSED mpno_status mpno_network_need(mpno_model *model, const mpno_network_opts *opts,
                                               size_t *bytes);
/* Bytes of a checkpoint on its way to the disk: weights and n_states arrays like them in the
 * outside order, one of them in f64, and where an optimiser's states are narrow decoded. */
size_t mpno_checkpoint_need(const mpno_model *model, size_t n_states, bool narrow);

#endif
