/* SPDX-License-Identifier: MIT
 * mpno_certify of the kind POPULATION: POINT certificates of calibration samples, one after the
 * other, and what certify/population.h makes of their upper bounds. A sample whose answer is not
 * finite, or of which no bound is known, has an infinite one. See proof.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/population.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "train/proof.h"
#include "train/sink.h"

static const double LEVEL = 0.95;
enum { SUM = MPNO_SHA256_TEXT, REASON = 512 };

typedef struct calibration {
    mpno_proof *proof;
    const mpno_sink *sink;
    int64_t n;
    mpno_population_opts opts;
    double *scores[MPNO_N_DISTANCES]; /* owned: [n], upper bounds of relative distances */
    char *sums;                       /* owned: [n] of SUM, of the samples */
    mpno_point *point;                /* owned: room for one */
    mpno_envelope *envelope;          /* owned */
    mpno_population result[MPNO_N_DISTANCES];
    char sum[SUM];       /* of all samples */
    int64_t first;       /* sample without a bound, -1: none is */
    char reason[REASON]; /* of its having none */
} calibration;

/* -------- the samples -------- */

static mpno_status check_data(const mpno_proof *p, const char *path) {
    MPNO_CHECK(p->ctx, !mpno_restored_trained_on(&p->restored, path), MPNO_E_ARGUMENT,
               "the model was trained or chosen with %s, so that it says nothing of new samples: "
               "give --data FILE with samples that took no part in it",
               path);
    const mpno_value *planned =
        p->restored.planned ? mpno_value_get(p->restored.planned, "data") : NULL;
    MPNO_CHECK(p->ctx, planned == NULL || !mpno_path_same(planned->string, path), MPNO_E_ARGUMENT,
               "precision.policy = auto made its plan with %s, so that it says nothing of new "
               "samples: give --data FILE with samples that took no part in it",
               path);
    return MPNO_OK;
}

static mpno_status open(mpno_proof *p, const mpno_certify_opts *opts, const mpno_sink *sink,
                        calibration *c) {
    mpno_ctx *ctx = p->ctx;
    *c = (calibration){.proof = p, .sink = sink, .first = -1};
    c->n = opts->samples > 0 ? opts->samples : MPNO_POPULATION_LEAST;
    c->opts.level = opts->coverage != 0 ? opts->coverage : LEVEL;
    c->opts.confidence = opts->confidence >= 0 ? opts->confidence : LEVEL;
    for (int i = 0; i < MPNO_N_DISTANCES; i++)
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)c->n, sizeof **c->scores, &c->scores[i]));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)c->n, SUM, &c->sums));
    MPNO_TRY(mpno_alloc(ctx, sizeof *c->point, &c->point));
    MPNO_TRY(mpno_alloc(ctx, sizeof *c->envelope, &c->envelope));
    /* whether so many samples will do is known before they have run */
    return mpno_population_bound(ctx, c->scores[0], c->n, &c->opts, &c->result[0]);
}

static void close(calibration *c) {
    mpno_ctx *ctx = c->proof->ctx;
    for (int i = 0; i < MPNO_N_DISTANCES; i++) mpno_free(ctx, c->scores[i]);
    mpno_free(ctx, c->sums);
    mpno_free(ctx, c->point);
    mpno_free(ctx, c->envelope);
}

static void forgo(calibration *c, int64_t i, const char *reason) {
    for (int k = 0; k < MPNO_N_DISTANCES; k++) c->scores[k][i] = INFINITY;
    if (c->first >= 0) return;
    c->first = i;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
}

static mpno_status keep(calibration *c, int64_t i) {
    const mpno_certificate *m = &c->proof->certificate;
    if (isnan(m->distance[0].lower)) {
        forgo(c, i, m->reason);
        return MPNO_OK;
    }
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const double upper = m->distance[k].relative_upper;
        c->scores[k][i] = isnan(upper) ? INFINITY : upper; /* the exact answer may be zero */
    }
    c->point->n_layers = m->n_layers;
    memcpy(c->point->layers, m->layers, (size_t)m->n_layers * sizeof *m->layers);
    return mpno_envelope_add(c->proof->ctx, c->envelope, c->point);
}

static mpno_status score(calibration *c, const char *path, int64_t i) {
    mpno_proof *p = c->proof;
    mpno_proof_next(p);
    MPNO_TRY(mpno_proof_read_input(p, path, i));
    memcpy(c->sums + i * SUM, p->certificate.input.sha256, SUM);
    c->sums[i * SUM + SUM - 1] = '\n';
    mpno_status status = mpno_proof_run(p);
    if (status == MPNO_E_NUMERIC) {
        forgo(c, i, mpno_ctx_error(p->ctx));
        return MPNO_OK;
    }
    if (status == MPNO_OK) status = mpno_proof_measure(p);
    return status == MPNO_OK ? keep(c, i) : status;
}

static void say_progress(const calibration *c, int64_t done, double started, double *said) {
    const double now = mpno_seconds(), seconds = now - started;
    const bool terminal = c->sink && c->sink->terminal, last = done == c->n;
    if (!c->sink || (!last && now - *said < (terminal ? 0.5 : 30))) return;
    mpno_say(c->sink, "%scalibration: %lld of %lld samples, %.3g samples/s%s",
             terminal ? "\r\033[K" : "", (long long)done, (long long)c->n,
             seconds > 0 ? (double)done / seconds : 0, last || !terminal ? "\n" : "");
    *said = now;
}

static mpno_status calibrate(calibration *c, const char *path) {
    const double started = mpno_seconds();
    double said = started;
    for (int64_t i = 0; i < c->n; i++) {
        MPNO_CHECK(c->proof->ctx, !mpno_stop_wanted(c->sink), MPNO_E_STOPPED,
                   "stopped after %lld of %lld samples", (long long)i, (long long)c->n);
        MPNO_TRY(score(c, path, i));
        say_progress(c, i + 1, started, &said);
    }
    MPNO_TRY(mpno_sha256_of(c->proof->ctx, c->sums, (size_t)c->n * SUM, c->sum));
    for (int k = 0; k < MPNO_N_DISTANCES; k++)
        MPNO_TRY(mpno_population_bound(c->proof->ctx, c->scores[k], c->n, &c->opts, &c->result[k]));
    return MPNO_OK;
}

/* -------- the verdict -------- */

/* The stronger of the promises that were asked for. */
static double bound_of(const mpno_population *p) {
    return p->sure_rank > 0 ? p->sure_bound : p->bound;
}

static mpno_status judge(const calibration *c, double tolerance) {
    mpno_proof *p = c->proof;
    const double bound = bound_of(&c->result[MPNO_DISTANCE_L2]);
    char claim[512], sure[96] = "", reason[REASON + 128], level[MPNO_REAL_TEXT],
                     limit[MPNO_REAL_TEXT], found[MPNO_REAL_TEXT];
    mpno_real_text(c->opts.level, level);
    mpno_real_text(tolerance, limit);
    mpno_real_text(bound, found);
    if (c->opts.confidence > 0)
        snprintf(sure, sizeof sure, ", with confidence %.10g over the calibration samples",
                 c->opts.confidence);
    if (tolerance >= 0)
        snprintf(claim, sizeof claim,
                 "The relative L2 distance of the answer to a new sample from the exact one is at "
                 "most %s with a probability of at least %s%s.",
                 limit, level, sure);
    else
        snprintf(claim, sizeof claim,
                 "The relative L2, H1 and maximum distances of the answer to a new sample from the "
                 "exact one are each at most their bounds with a probability of at least %s%s.",
                 level, sure);
    bool bounded = true;
    for (int k = 0; k < MPNO_N_DISTANCES; k++)
        bounded = bounded && (isfinite(bound_of(&c->result[k])) || (tolerance >= 0 && k > 0));
    if (p->trouble != NULL) return mpno_proof_decide(p, MPNO_VERDICT_UNKNOWN, claim, p->trouble);
    const bool holds = bounded && (tolerance < 0 || bound <= tolerance);
    if (!bounded)
        snprintf(reason, sizeof reason, "too many samples have no bound%s%s",
                 c->first >= 0 ? "; the first: " : ": their exact answers may be zero", c->reason);
    else if (tolerance < 0)
        snprintf(reason, sizeof reason, "the bounds follow from %lld samples", (long long)c->n);
    else
        snprintf(reason, sizeof reason, "the bound %s is %s %s", found, holds ? "at most" : "above",
                 limit);
    return mpno_proof_decide(p, holds ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN, claim,
                             reason);
}

/* -------- text -------- */

static mpno_status bound_cell(mpno_table *table, double value) {
    return isinf(value) ? mpno_table_cell(table, "not bounded")
                        : mpno_proof_bound_cell(table, value, true);
}

static mpno_status fill(const calibration *c, mpno_table *table) {
    static const char *const names[MPNO_N_DISTANCES] = {"L2", "H1", "maximum"};
    const bool sure = c->opts.confidence > 0;
    char heading[2][64];
    snprintf(heading[0], sizeof heading[0], "%.4g %% of new samples", 100 * c->opts.level);
    snprintf(heading[1], sizeof heading[1], "with confidence %.4g %%", 100 * c->opts.confidence);
    MPNO_TRY(mpno_table_column(table, "relative", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "median", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "largest", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, heading[0], MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "of the median", MPNO_RIGHT));
    if (sure) MPNO_TRY(mpno_table_column(table, heading[1], MPNO_RIGHT));
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const mpno_population *r = &c->result[k];
        MPNO_TRY(mpno_table_cell(table, "%s", names[k]));
        MPNO_TRY(mpno_table_cell(table, "%.4g", r->median));
        MPNO_TRY(mpno_table_cell(table, "%.4g", r->most));
        MPNO_TRY(bound_cell(table, r->bound));
        MPNO_TRY(mpno_table_cell(table, "%.3g", r->bound / r->median));
        if (sure) MPNO_TRY(bound_cell(table, r->sure_bound));
    }
    return MPNO_OK;
}

static mpno_status fill_envelope(const calibration *c, mpno_table *table) {
    MPNO_TRY(mpno_table_column(table, "layer", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "greatest size", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "largest", MPNO_RIGHT));
    for (int l = 0; l < c->envelope->n_layers; l++) {
        MPNO_TRY(mpno_table_cell(table, "%s", c->envelope->layers[l].name));
        MPNO_TRY(mpno_table_cell(table, "%.4g", c->envelope->layers[l].norm));
        MPNO_TRY(mpno_table_cell(table, "%.4g", c->envelope->layers[l].most));
    }
    return MPNO_OK;
}

static mpno_status say_rows(const calibration *c,
                            mpno_status (*rows)(const calibration *, mpno_table *)) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(c->proof->ctx, &table));
    mpno_status status = rows(c, table);
    if (status == MPNO_OK) status = mpno_say_table(c->proof->ctx, c->sink, table);
    mpno_table_destroy(&table);
    return status;
}

static mpno_status say(const calibration *c, bool layers) {
    const mpno_sink *sink = c->sink;
    mpno_say(sink, "claim: %s\n", c->proof->certificate.claim.text);
    MPNO_TRY(say_rows(c, fill));
    if (c->first >= 0)
        mpno_say(sink, "%lld samples have no bound; the first, sample %lld: %s\n",
                 (long long)c->result[0].infinite, (long long)c->first, c->reason);
    mpno_say(sink, "This holds if\n");
    for (int i = 0; mpno_population_assumption(i) != NULL; i++)
        mpno_say(sink, "  %d. %s\n", i + 1, mpno_population_assumption(i));
    if (c->envelope->samples == 0) return MPNO_OK;
    mpno_say(sink, "The envelope: greatest size and largest number of each layer's values%s\n",
             layers ? "" : "; --layers shows it");
    return layers ? say_rows(c, fill_envelope) : MPNO_OK;
}

/* -------- the document -------- */

static mpno_status put_data(const calibration *c, mpno_value *document) {
    mpno_ctx *ctx = c->proof->ctx;
    const mpno_certified_sample *input = &c->proof->certificate.input;
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, document, "data", &map));
    MPNO_TRY(mpno_value_set_string(ctx, map, "path", input->path));
    MPNO_TRY(mpno_value_set_string(ctx, map, "key", input->key));
    MPNO_TRY(mpno_value_set_int(ctx, map, "samples", c->n));
    return mpno_value_set_string(ctx, map, "sha256", c->sum);
}

static mpno_status put(const calibration *c, double tolerance, mpno_value *document) {
    mpno_ctx *ctx = c->proof->ctx;
    mpno_value *map = NULL, *value = NULL;
    for (size_t k = 0; k < document->n; k++)
        if (strcmp(document->keys[k], "claim") == 0)
            MPNO_TRY(mpno_value_set_real(ctx, document->items[k], "tolerance",
                                         tolerance >= 0 ? tolerance : NAN));
    MPNO_TRY(mpno_value_set_map(ctx, document, "distances", &map));
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        MPNO_TRY(mpno_population_value(ctx, &c->result[k], &value));
        MPNO_TRY(mpno_value_set(ctx, map, mpno_distance_name((mpno_distance)k), value));
    }
    MPNO_TRY(mpno_envelope_value(ctx, c->envelope, &value));
    MPNO_TRY(mpno_value_set(ctx, document, "envelope", value));
    MPNO_TRY(put_data(c, document));
    MPNO_TRY(mpno_population_assumptions(ctx, &value));
    return mpno_value_set(ctx, document, "assumptions", value);
}

static mpno_status write(const calibration *c, double tolerance, mpno_value **document) {
    const mpno_certificate *certificate = &c->proof->certificate;
    mpno_ctx *ctx = c->proof->ctx;
    MPNO_TRY(mpno_certificate_open(ctx, certificate, document));
    mpno_status status = put(c, tolerance, *document);
    if (status == MPNO_OK) status = mpno_certificate_close(ctx, certificate, *document);
    if (status != MPNO_OK) mpno_value_destroy(ctx, document);
    return status;
}

/* -------- all -------- */

static mpno_status make(calibration *c, const mpno_config *overrides, const mpno_certify_opts *opts,
                        mpno_value **document) {
    mpno_proof *p = c->proof;
    char *path = NULL;
    MPNO_TRY(mpno_strdup(p->ctx, p->certificate.input.path, &path));
    mpno_proof_next(p);
    mpno_status status = mpno_proof_read_input(p, path, c->n - 1); /* are there so many? */
    if (status == MPNO_OK) status = calibrate(c, path);
    mpno_free(p->ctx, path);
    if (status == MPNO_OK) status = mpno_proof_make_plan(p, overrides);
    if (status == MPNO_OK) status = judge(c, opts->tolerance);
    if (status == MPNO_OK) status = write(c, opts->tolerance, document);
    if (status == MPNO_OK) status = say(c, opts->layers);
    return status;
}

mpno_status mpno_proof_population(mpno_proof *p, const mpno_config *overrides,
                                  const mpno_certify_opts *opts, const mpno_sink *sink,
                                  mpno_value **document) {
    calibration c;
    MPNO_TRY(check_data(p, p->certificate.input.path));
    MPNO_TRY(mpno_certificate_set(p->ctx, &p->certificate.kind, "population"));
    mpno_status status = open(p, opts, sink, &c);
    if (status == MPNO_OK) status = make(&c, overrides, opts, document);
    close(&c);
    return status;
}
