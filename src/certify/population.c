/* SPDX-License-Identifier: MIT
 * See population.h. Ranks: the least k with k / (n + 1) >= level, and the least k for which
 * Bin(n, level) reaches k with a probability of at most 1 - confidence. */
#include "certify/population.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/binomial.h"
#include "core/memory.h"

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* k / (n + 1) is rounded as the level was that somebody wrote as a decimal number: 19 of 20 are
 * 0.95. */
static int64_t rank_of(int64_t n, double level) {
    int64_t k = (int64_t)(level * (double)(n + 1));
    while (k > 1 && (double)(k - 1) / (double)(n + 1) >= level) k--;
    while (k < 1 || (double)k / (double)(n + 1) < level) k++;
    return k;
}

/* The least number of samples for which one of their ranks will do. */
static int64_t least_for_level(double level) {
    int64_t n = (int64_t)(level / (1 - level));
    while (n > 1 && rank_of(n - 1, level) <= n - 1) n--;
    while (n < 1 || rank_of(n, level) > n) n++;
    return n;
}

static int64_t least_for_confidence(double level, double risk) {
    int64_t n = (int64_t)(log(risk) / log(level)) - 2;
    if (n < 1) n = 1;
    while (mpno_binomial_tail(n, level, n) > risk) n++;
    return n;
}

static mpno_status check_opts(mpno_ctx *ctx, int64_t n, const mpno_population_opts *o) {
    static const double least = 1e-6; /* farther from 0 and 1 no number of samples is enough */
    MPNO_CHECK(ctx, o->level >= least && o->level <= 1 - least, MPNO_E_ARGUMENT,
               "the level of a population certificate is %g; it must lie between %g and 1 - %g",
               o->level, least, least);
    MPNO_CHECK(ctx, o->confidence == 0 || (o->confidence >= least && o->confidence <= 1 - least),
               MPNO_E_ARGUMENT,
               "the confidence of a population certificate is %g; it must lie between %g and 1 - "
               "%g, or be 0 to leave that promise out",
               o->confidence, least, least);
    MPNO_CHECK(ctx, n >= MPNO_POPULATION_LEAST, MPNO_E_ARGUMENT,
               "%lld calibration samples; a population certificate takes at least %d", (long long)n,
               MPNO_POPULATION_LEAST);
    MPNO_CHECK(ctx, rank_of(n, o->level) <= n, MPNO_E_ARGUMENT,
               "%lld calibration samples are too few for level %.10g, which takes %lld; give more, "
               "or ask for a level of at most %.6g",
               (long long)n, o->level, (long long)least_for_level(o->level),
               floor(1e6 * (double)n / (double)(n + 1)) / 1e6);
    if (o->confidence == 0) return MPNO_OK;
    const double risk = 1 - o->confidence;
    MPNO_CHECK(ctx, mpno_binomial_tail(n, o->level, n) <= risk, MPNO_E_ARGUMENT,
               "%lld calibration samples are too few for level %.10g with confidence %.10g, which "
               "takes %lld; give more, or ask for a level of at most %.4g with that confidence",
               (long long)n, o->level, o->confidence,
               (long long)least_for_confidence(o->level, risk),
               floor(1e4 * pow(risk, 1 / (double)n)) / 1e4);
    return MPNO_OK;
}

mpno_status mpno_population_bound(mpno_ctx *ctx, const double *scores, int64_t n,
                                  const mpno_population_opts *opts, mpno_population *out) {
    memset(out, 0, sizeof *out);
    MPNO_TRY(check_opts(ctx, n, opts));
    int64_t infinite = 0;
    for (int64_t i = 0; i < n; i++) {
        MPNO_CHECK(ctx, scores[i] >= 0, MPNO_E_NUMERIC,
                   "score %lld of a population certificate is %g; scores are bounds of errors: 0, "
                   "above, or infinite where a sample has none",
                   (long long)i, scores[i]);
        infinite += isinf(scores[i]) ? 1 : 0;
    }
    double *sorted;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n, sizeof *sorted, &sorted));
    memcpy(sorted, scores, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    out->level = opts->level, out->confidence = opts->confidence;
    out->samples = n, out->infinite = infinite;
    out->median = sorted[(n - 1) / 2], out->most = sorted[n - 1];
    out->rank = rank_of(n, opts->level);
    out->bound = sorted[out->rank - 1];
    out->coverage = (double)out->rank / (double)(n + 1);
    if (opts->confidence > 0) {
        out->sure_rank = mpno_binomial_rank(n, opts->level, 1 - opts->confidence);
        out->sure_bound = sorted[out->sure_rank - 1];
        out->risk = mpno_binomial_tail(n, opts->level, out->sure_rank);
    }
    mpno_free(ctx, sorted);
    return MPNO_OK;
}

/* -------- words -------- */

const char *mpno_population_assumption(int index) {
    static const char *const texts[] = {
        "Calibration samples and new ones are drawn independently from one distribution (for the "
        "first promise it is enough that they are exchangeable).",
        "No calibration sample took part in training, nor in the choice of the model, of its "
        "formats or of the level.",
        "Each score is at least the error of its sample, as POINT certificates prove it.",
        "New samples run through the same weights, formats and grid as calibration samples did.",
        "The probability is that of a sample before it is drawn; of samples that lie inside the "
        "envelope alone it may differ: at most (1 - level) / (share inside) of these have a "
        "greater "
        "error."};
    return index >= 0 && (size_t)index < sizeof texts / sizeof *texts ? texts[index] : NULL;
}

/* Six digits, rounded upwards: (1 + 5.1e-6) (1 - 5e-6) > 1. */
static void tell_bound(double bound, char *text, size_t capacity) {
    if (isinf(bound))
        snprintf(text, capacity, "not bounded (the score of that rank is infinite)");
    else
        snprintf(text, capacity, "at most %.6g", bound * (1 + 5.1e-6));
}

void mpno_population_claim(const mpno_population *p, char *text, size_t capacity) {
    char bound[64];
    tell_bound(p->bound, bound, sizeof bound);
    snprintf(
        text, capacity,
        "The error of a new sample is %s, with a probability of at least %.4f over calibration "
        "and new sample (score %lld of %lld in rising order).",
        bound, floor(1e4 * p->coverage) / 1e4, (long long)p->rank, (long long)p->samples);
}

void mpno_population_sure_claim(const mpno_population *p, char *text, size_t capacity) {
    char bound[64];
    if (p->sure_rank == 0) {
        snprintf(text, capacity, "%s", "");
        return;
    }
    tell_bound(p->sure_bound, bound, sizeof bound);
    snprintf(text, capacity,
             "With confidence %.10g over the calibration samples, the error of a new sample is %s "
             "with a probability of at least %.10g (score %lld of %lld in rising order).",
             p->confidence, bound, p->level, (long long)p->sure_rank, (long long)p->samples);
}

/* -------- JSON -------- */

static mpno_status put_promise(mpno_ctx *ctx, mpno_value *map, const char *key, int64_t rank,
                               double bound, const char *claim, mpno_value **out) {
    MPNO_TRY(mpno_value_set_map(ctx, map, key, out));
    MPNO_TRY(mpno_value_set_int(ctx, *out, "rank", rank));
    MPNO_TRY(mpno_value_set_bool(ctx, *out, "bounded", !isinf(bound)));
    MPNO_TRY(mpno_value_set_real(ctx, *out, "bound", bound));
    return mpno_value_set_string(ctx, *out, "claim", claim);
}

static mpno_status put_population(mpno_ctx *ctx, const mpno_population *p, mpno_value *map) {
    mpno_value *promise;
    char claim[320];
    MPNO_TRY(mpno_value_set_real(ctx, map, "level", p->level));
    MPNO_TRY(mpno_value_set_int(ctx, map, "samples", p->samples));
    MPNO_TRY(mpno_value_set_int(ctx, map, "infinite", p->infinite));
    MPNO_TRY(mpno_value_set_real(ctx, map, "median", p->median));
    MPNO_TRY(mpno_value_set_real(ctx, map, "largest", p->most));
    mpno_population_claim(p, claim, sizeof claim);
    MPNO_TRY(put_promise(ctx, map, "marginal", p->rank, p->bound, claim, &promise));
    MPNO_TRY(mpno_value_set_real(ctx, promise, "coverage", p->coverage));
    if (p->sure_rank > 0) {
        mpno_population_sure_claim(p, claim, sizeof claim);
        MPNO_TRY(put_promise(ctx, map, "confident", p->sure_rank, p->sure_bound, claim, &promise));
        MPNO_TRY(mpno_value_set_real(ctx, promise, "confidence", p->confidence));
        MPNO_TRY(mpno_value_set_real(ctx, promise, "risk", p->risk));
    }
    return MPNO_OK;
}

mpno_status mpno_population_assumptions(mpno_ctx *ctx, mpno_value **out) {
    mpno_status status = mpno_value_list(ctx, out);
    for (int i = 0; status == MPNO_OK && mpno_population_assumption(i) != NULL; i++) {
        mpno_value *text;
        status = mpno_value_string(ctx, mpno_population_assumption(i), &text);
        if (status == MPNO_OK) status = mpno_value_append(ctx, *out, text);
    }
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

mpno_status mpno_population_value(mpno_ctx *ctx, const mpno_population *population,
                                  mpno_value **out) {
    MPNO_TRY(mpno_value_map(ctx, out));
    const mpno_status status = put_population(ctx, population, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}
