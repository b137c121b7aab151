/* SPDX-License-Identifier: MIT
 * How precision errors are spread over the frequencies: the spectra that the weights of a trained
 * model meet, under a policy and in full, shell by shell. */
#ifndef MPNO_EXPERIMENT_FREQUENCY_H
#define MPNO_EXPERIMENT_FREQUENCY_H

#include "core/value.h"
#include "mpno/run.h"

/* Of the model in a run folder, on its first test set (at most 16 samples), under what overrides
 * say: {"block 0": {"signal": [..], "noise": [..]}, ..}, root mean squares of the values of shells
 * 0, 1, .. that lie wholly within the kept modes. Made in the context `of`, owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_frequency_measure(mpno_ctx *ctx, const char *run,
                                                    const mpno_config *overrides, mpno_ctx *of,
                                                    mpno_value **out);

/* What rounding the solutions of the same test set to a format does to their spectra, transformed
 * exactly: {"f16": {"signal": [..], "noise": [..], "floor": w}, ..} as above, of shells below half
 * the points of every axis; floor: 0.424 u rms / sqrt(n), what docs/design/modes.md expects of
 * every mode. */
MPNO_WARN_UNUSED mpno_status mpno_frequency_rounding(mpno_ctx *ctx, const char *run, mpno_ctx *of,
                                                     mpno_value **out);

#endif
