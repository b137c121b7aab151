/* SPDX-License-Identifier: MIT
 * What a run minimises, from the keys opt.training_loss, h1_boundary, loss_measure and
 * loss_weights.
 */
#ifndef MPNO_TRAIN_OBJECTIVE_H
#define MPNO_TRAIN_OBJECTIVE_H

#include "train/config.h"

/* E_CONFIG names the key. The channel weights are borrowed from the settings; how many there must
 * be is known only with the model. */
MPNO_WARN_UNUSED mpno_status mpno_settings_objective(mpno_ctx *ctx, const mpno_settings *settings,
                                                     mpno_objective *out);
/* Where errors are measured: the boundary and the measure of resolved settings. */
mpno_objective mpno_settings_norms(const mpno_settings *settings);

#endif
