/* SPDX-License-Identifier: MIT
 * Inside of mpno_certify and mpno_verify: a trained model, one input and its answer as a POINT
 * certificate speaks of them, step by step: checkpoint, input, answer, plan, measurement. Each step
 * fills its part of the certificate. Other kinds are made of the same steps: proof_kind.h. */
#ifndef MPNO_TRAIN_PROOF_H
#define MPNO_TRAIN_PROOF_H

#include "certify/certificate.h"
#include "core/float_environment.h"
#include "report/table.h"
#include "train/restore.h"

typedef struct mpno_proof {
    mpno_ctx *ctx;
    mpno_restored restored;
    mpno_dataset *input; /* owned: f64, as it stands in the file */
    int64_t at;          /* sample of it that counts */
    bool has_truth;      /* its y is the truth */
    int64_t output_grid[MPNO_MAX_AXES];
    double *exact;       /* owned: the f64 run's answer, likewise; NULL: nothing was measured */
    double *answer;      /* owned: in the order of data files; NULL: none yet */
    mpno_certifier *certifier; /* owned: of the last measurement; NULL: none */
    const char *trouble; /* why nothing can be proved in this process; NULL: nothing is known */
    mpno_certificate certificate; /* owned */
} mpno_proof;

void mpno_proof_clear(mpno_proof *proof);

/* Starts a proof with the sum of a checkpoint, a file. */
MPNO_WARN_UNUSED mpno_status mpno_proof_start(mpno_ctx *ctx, const char *path, mpno_proof *out);
/* data: for a plan where the policy is auto and the configuration names no test data, or NULL. */
MPNO_WARN_UNUSED mpno_status mpno_proof_restore(mpno_proof *proof, const mpno_config *overrides,
                                                const char *data, const mpno_sink *sink);
/* Sample `sample` of a data file, and its sum. */
MPNO_WARN_UNUSED mpno_status mpno_proof_read_input(mpno_proof *proof, const char *path,
                                                   int64_t sample);
/* In place of an input, where its shapes alone count: those of the model on a plan's grids. */
MPNO_WARN_UNUSED mpno_status mpno_proof_read_grids(mpno_proof *proof, const mpno_value *plan);
/* The answer of the same number in a file of predictions, or the only one in it. It decides on the
 * output grid. */
MPNO_WARN_UNUSED mpno_status mpno_proof_read_answer(mpno_proof *proof, const char *path);
/* The answer that the restored model gives, as mpno_predict has it of this sample alone. Where the
 * output grid is not known (0) the model decides. */
MPNO_WARN_UNUSED mpno_status mpno_proof_run(mpno_proof *proof);
/* Writes it: [1, channels, grid..] in the model's arithmetic type. */
MPNO_WARN_UNUSED mpno_status mpno_proof_write_answer(const mpno_proof *proof, const char *path);
/* Forgets input, answer and measurement: another sample may follow. */
void mpno_proof_next(mpno_proof *proof);
/* What says how the answer was computed; after input and answer. */
MPNO_WARN_UNUSED mpno_status mpno_proof_make_plan(mpno_proof *proof, const mpno_config *overrides);
/* Kernels, threads and how they round, as found before anything was read. */
MPNO_WARN_UNUSED mpno_status mpno_proof_look_around(mpno_proof *proof,
                                                    const mpno_float_environment *around);
/* Why nothing can be proved under it; NULL: things can. */
const char *mpno_proof_trouble(const mpno_float_environment *around);
/* [points][channels] of the sample, f64 in physical units. */
const double *mpno_proof_input(const mpno_proof *proof);
/* Of the exact answer from the truth in the file, in L2 over the size of the answer; NaN: the file
 * has none on this grid. After measuring. */
double mpno_proof_model_error(const mpno_proof *proof);
/* The vector that steers the model on the sample, input->n_features numbers; NULL: none does. */
const double *mpno_proof_steering(const mpno_proof *proof);
/* The bounds, and the verdict on the certificate's claim. What no bound is known of, or a processor
 * that does not round as it should, is no failure but a verdict of UNKNOWN with no numbers. */
MPNO_WARN_UNUSED mpno_status mpno_proof_measure(mpno_proof *proof);

/* The overrides that a plan keeps, as a configuration (owned by the caller). */
MPNO_WARN_UNUSED mpno_status mpno_proof_overrides(mpno_ctx *ctx, const mpno_value *plan,
                                                  mpno_config **out);

const char *mpno_verdict_name(mpno_verdict verdict); /* "VERIFIED", "REFUTED", "UNKNOWN" */

/* Takes copies of the texts. */
MPNO_WARN_UNUSED mpno_status mpno_proof_decide(mpno_proof *proof, mpno_verdict verdict,
                                               const char *claim, const char *reason);

/* A tensor that the answer's network stores in few bits: how far the answer of a network is from
 * the exact one that stores this one so and all others in full, in L2. */
typedef struct mpno_proof_site {
    char layer[16], role[32];
    const char *format;
    double distance; /* NaN: not finite */
} mpno_proof_site;
enum { MPNO_MOST_SITES = 512 };
/* Runs the network once for each, and once with none of them: *arithmetic. After measuring. sites:
 * room for MPNO_MOST_SITES. */
MPNO_WARN_UNUSED mpno_status mpno_proof_sites(const mpno_proof *proof, mpno_proof_site *sites,
                                              int *n, double *arithmetic);
/* One HTML document about the certificate and its sites, written whole. */
MPNO_WARN_UNUSED mpno_status mpno_proof_page(const mpno_proof *proof, const char *path);

/* Seven digits, rounded upwards or downwards; "-" of NaN. */
MPNO_WARN_UNUSED mpno_status mpno_proof_bound_cell(mpno_table *table, double value, bool up);
MPNO_WARN_UNUSED mpno_status mpno_proof_fill_distances(const mpno_certificate *certificate,
                                                       mpno_table *table);
MPNO_WARN_UNUSED mpno_status mpno_proof_fill_layers(const mpno_certificate *certificate,
                                                    mpno_table *table);
/* Text for a person: claim, distances, layers where asked for. */
MPNO_WARN_UNUSED mpno_status mpno_proof_say(mpno_ctx *ctx, const mpno_certificate *certificate,
                                            bool layers, const mpno_sink *sink);
#endif
