/* SPDX-License-Identifier: MIT
 * The runs of an experiment in its folder: data/ (sets that are made), base.yaml, runs/NAME (run
 * folders), results/NAME.json (what came of each). A run with a result is not run again; one that
 * was interrupted goes on from its checkpoint. */
#ifndef MPNO_EXPERIMENT_RUNS_H
#define MPNO_EXPERIMENT_RUNS_H

#include "experiment/design.h"

typedef struct mpno_campaign {
    mpno_ctx *ctx;
    const mpno_design *design;
    const mpno_experiment_opts *opts;
    const mpno_sink *sink; /* may be NULL */
    char folder[2048];
    int n_runs, done; /* of all; finished so far */
    int here;         /* run by this call */
    double seconds;   /* that those took */
    /* [n_cells][n_seeds][2] (equal epochs, equal time), owned; NULL: none */
    mpno_value **results;
} mpno_campaign;

/* A result:
 *   {run, cell: {axis: label}, seed, equal_time, checksum, status: "ok" or "failed", message,
 *    epochs, seconds, seconds_per_epoch, peak_bytes, activation_bytes, train_loss,
 *    step_flops (operations of a step, as planned, mean over the epochs: modes may change),
 *    test: {evaluation: {set: {l2, h1, mse}}},               "as trained" is the first evaluation
 *    spectra: {evaluation: {layer: {signal: [..], noise: [..]}}},
 *    rounding: {format: {signal: [..], noise: [..], floor}}}    the last two where asked for */
static inline mpno_value **mpno_campaign_result(const mpno_campaign *c, int cell, int64_t seed,
                                                bool equal_time) {
    return &c->results[((int64_t)cell * c->design->n_seeds + seed) * 2 + equal_time];
}

/* Makes the data and runs all. On failure too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_campaign_run(mpno_ctx *ctx, const mpno_design *design,
                                               const mpno_experiment_opts *opts,
                                               const mpno_sink *sink, mpno_campaign *out);
void mpno_campaign_clear(mpno_campaign *campaign);

#endif
