/* SPDX-License-Identifier: MIT
 * POPULATION certificates: from upper bounds of the errors of calibration samples (POINT), a bound
 * of the error of samples that nobody has looked at, with a stated probability, whatever the
 * distribution of errors is. Two promises: over calibration and new sample together (split
 * conformal), and of almost every calibration (exact binomial). Proofs and assumptions:
 * docs/theory/population.md, statements N1 to N6. And the envelope: what calibration has seen of
 * magnitudes inside the network, and whether a sample lies within. */
#ifndef MPNO_CERTIFY_POPULATION_H
#define MPNO_CERTIFY_POPULATION_H

#include "certify/point.h"
#include "core/value.h"

enum { MPNO_POPULATION_LEAST = 200 }; /* calibration samples */

typedef struct mpno_population_opts {
    double level;      /* of samples whose error is to be bounded: above 0, below 1 */
    double confidence; /* of the second promise, above 0, below 1; 0: leave it out */
} mpno_population_opts;
#define MPNO_POPULATION_OPTS_INIT \
    { 0.95, 0.99 }

/* rank: which of the scores in rising order the bound is, from 1; 0: left out. bound: INFINITY
 * where that score is. */
typedef struct mpno_population {
    double level, confidence;
    int64_t samples, infinite; /* scores; those among them that bound nothing */
    double median, most;       /* of the scores; of an even number the lower median */
    int64_t rank;
    double bound, coverage; /* P(error of a new sample <= bound) >= coverage >= level */
    int64_t sure_rank;
    double sure_bound, risk; /* P(fewer than level of all samples <= sure_bound) <= risk */
} mpno_population;

/* scores: [n], INFINITY where a sample has no bound. E_ARGUMENT: fewer samples than
 * MPNO_POPULATION_LEAST or than level and confidence take (the sentence says how many), or a level
 * that is none; E_NUMERIC: a score that is NaN or negative. */
MPNO_WARN_UNUSED mpno_status mpno_population_bound(mpno_ctx *ctx, const double *scores, int64_t n,
                                                   const mpno_population_opts *opts,
                                                   mpno_population *out);

/* What both promises rest on, a sentence each, by number; NULL after the last. */
const char *mpno_population_assumption(int index);
/* The promises in words. */
void mpno_population_claim(const mpno_population *population, char *text, size_t capacity);
void mpno_population_sure_claim(const mpno_population *population, char *text, size_t capacity);
/* Without the assumptions; an infinite bound is null, and "bounded" false. */
MPNO_WARN_UNUSED mpno_status mpno_population_value(mpno_ctx *ctx, const mpno_population *population,
                                                   mpno_value **out);

/* A list of all assumptions. */
MPNO_WARN_UNUSED mpno_status mpno_population_assumptions(mpno_ctx *ctx, mpno_value **out);

typedef struct mpno_envelope_layer {
    char name[16];
    double norm, most; /* the greatest of calibration (mpno_point_layer) */
} mpno_envelope_layer;

/* Begins as zeros. */
typedef struct mpno_envelope {
    int64_t samples;
    int n_layers;
    mpno_envelope_layer layers[MPNO_MAX_LAYERS];
} mpno_envelope;

/* E_ARGUMENT: layers are not those of earlier points; E_NUMERIC: a magnitude is not finite. */
MPNO_WARN_UNUSED mpno_status mpno_envelope_add(mpno_ctx *ctx, mpno_envelope *envelope,
                                               const mpno_point *point);

typedef struct mpno_envelope_verdict {
    bool inside;
    int layer;                /* outside: the first that is; else -1 */
    const char *what;         /* "norm" or "largest magnitude"; NULL inside */
    double found, calibrated; /* of it */
} mpno_envelope_verdict;
/* Whether no magnitude is above those of calibration; outside, the promises say nothing of the
 * sample and a POINT certificate of its own must. NaN is outside. E_ARGUMENT: the envelope is empty
 * or has other layers. */
MPNO_WARN_UNUSED mpno_status mpno_envelope_test(mpno_ctx *ctx, const mpno_envelope *envelope,
                                                const mpno_point *point,
                                                mpno_envelope_verdict *out);
MPNO_WARN_UNUSED mpno_status mpno_envelope_value(mpno_ctx *ctx, const mpno_envelope *envelope,
                                                 mpno_value **out);
/* E_FORMAT: not what mpno_envelope_value writes; name: of the file, for the sentence. */
MPNO_WARN_UNUSED mpno_status mpno_envelope_read(mpno_ctx *ctx, const char *name,
                                                const mpno_value *value, mpno_envelope *out);

#endif
