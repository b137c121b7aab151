/* SPDX-License-Identifier: MIT
 * The calibration of a POPULATION certificate, while it is made or checked: see
 * proof_population.c. */
#ifndef MPNO_TRAIN_CALIBRATION_H
#define MPNO_TRAIN_CALIBRATION_H

#include "certify/population.h"
#include "train/proof_kind.h"

enum { SUM = MPNO_SHA256_TEXT };

typedef struct mpno_calibration {
    int64_t n;
    mpno_population_opts opts;
    char *path, *key;                 /* owned: of the data */
    double *scores[MPNO_N_DISTANCES]; /* owned: [n], upper bounds of relative distances */
    char *sums;                       /* owned: [n] of SUM, of the samples */
    mpno_point *point;                /* owned: room for one */
    mpno_envelope *envelope;          /* owned */
    mpno_population result[MPNO_N_DISTANCES];
    char sum[SUM];    /* of all samples */
    int64_t first;    /* sample without a bound, -1: none is */
    char reason[512]; /* of its having none; "": not known, or the exact answer may be zero */
} mpno_calibration;

/* The stronger of the promises that were asked for. */
static inline double mpno_calibration_bound(const mpno_population *p) {
    return p->sure_rank > 0 ? p->sure_bound : p->bound;
}

/* What an envelope looks at, of a sample that was measured. */
void mpno_calibration_point(const mpno_certificate *measured, mpno_point *out);

/* mpno_proof_kind: a recorded calibration beside its samples or, where one is given, a new sample
 * beside the calibration. */
MPNO_WARN_UNUSED mpno_status mpno_calibration_check(mpno_proof_job *job);

#endif
