/* SPDX-License-Identifier: MIT
 * Certificates of the kind POPULATION: POINT certificates of calibration samples, one after the
 * other, and what certify/population.h makes of their upper bounds, the scores, which are recorded.
 * A sample whose answer is not finite, or of which no bound is known, has an infinite one. See
 * proof_kind.h; calibration_check.c looks at the samples again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "train/calibration.h"
#include "train/sink.h"

static const double LEVEL = 0.95;

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

static mpno_status allocate(mpno_proof_job *job, int64_t n) {
    mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    c->n = n;
    c->first = -1;
    for (int i = 0; i < MPNO_N_DISTANCES; i++)
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)n, sizeof **c->scores, &c->scores[i]));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n, SUM, &c->sums));
    MPNO_TRY(mpno_alloc(ctx, sizeof *c->point, &c->point));
    return mpno_alloc(ctx, sizeof *c->envelope, &c->envelope);
}

static void clear(mpno_proof_job *job) {
    mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    for (int i = 0; i < MPNO_N_DISTANCES; i++) mpno_free(ctx, c->scores[i]);
    mpno_free(ctx, c->sums);
    mpno_free(ctx, c->point);
    mpno_free(ctx, c->envelope);
    mpno_free(ctx, c->path);
    mpno_free(ctx, c->key);
}

static void forgo(mpno_calibration *c, int64_t i, const char *reason) {
    for (int k = 0; k < MPNO_N_DISTANCES; k++) c->scores[k][i] = INFINITY;
    if (c->reason[0] == '\0') snprintf(c->reason, sizeof c->reason, "%s", reason);
}

static mpno_status keep(const mpno_proof *p, mpno_calibration *c, int64_t i) {
    const mpno_certificate *m = &p->certificate;
    if (isnan(m->distance[0].lower)) {
        forgo(c, i, m->reason);
        return MPNO_OK;
    }
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const double upper = m->distance[k].relative_upper;
        c->scores[k][i] = isnan(upper) ? INFINITY : upper; /* the exact answer may be zero */
    }
    mpno_calibration_point(m, c->point);
    return mpno_envelope_add(p->ctx, c->envelope, c->point);
}

static mpno_status score(mpno_proof *p, mpno_calibration *c, int64_t i) {
    mpno_proof_next(p);
    MPNO_TRY(mpno_proof_read_input(p, c->path, i));
    memcpy(c->sums + i * SUM, p->certificate.input.sha256, SUM);
    c->sums[i * SUM + SUM - 1] = '\n';
    mpno_status status = mpno_proof_run(p);
    if (status == MPNO_E_NUMERIC) {
        forgo(c, i, mpno_ctx_error(p->ctx));
        return MPNO_OK;
    }
    if (status == MPNO_OK) status = mpno_proof_measure(p);
    return status == MPNO_OK ? keep(p, c, i) : status;
}

static void say_progress(const mpno_proof_job *job, int64_t done, double started, double *said) {
    const mpno_calibration *c = job->found;
    const mpno_sink *sink = job->sink;
    const double now = mpno_seconds(), seconds = now - started;
    const bool terminal = sink && sink->terminal, last = done == c->n;
    if (!sink || (!last && now - *said < (terminal ? 0.5 : 30))) return;
    mpno_say(sink, "%scalibration: %lld of %lld samples, %.3g samples/s%s",
             terminal ? "\r\033[K" : "", (long long)done, (long long)c->n,
             seconds > 0 ? (double)done / seconds : 0, last || !terminal ? "\n" : "");
    *said = now;
}

static mpno_status bound(const mpno_proof_job *job) {
    mpno_calibration *c = job->found;
    for (int k = 0; k < MPNO_N_DISTANCES; k++)
        MPNO_TRY(
            mpno_population_bound(job->proof->ctx, c->scores[k], c->n, &c->opts, &c->result[k]));
    for (int64_t i = 0; i < c->n && c->first < 0; i++)
        if (isinf(c->scores[MPNO_DISTANCE_L2][i])) c->first = i;
    return MPNO_OK;
}

static mpno_status calibrate(mpno_proof_job *job) {
    mpno_calibration *c = job->found;
    const double started = mpno_seconds();
    double said = started;
    for (int64_t i = 0; i < c->n; i++) {
        MPNO_CHECK(job->proof->ctx, !mpno_stop_wanted(job->sink), MPNO_E_STOPPED,
                   "stopped after %lld of %lld samples", (long long)i, (long long)c->n);
        MPNO_TRY(score(job->proof, c, i));
        say_progress(job, i + 1, started, &said);
    }
    return mpno_sha256_of(job->proof->ctx, c->sums, (size_t)c->n * SUM, c->sum);
}

static mpno_status measure(mpno_proof_job *job) {
    const mpno_certify_opts *opts = job->opts;
    const mpno_certified_sample *input = &job->proof->certificate.input;
    mpno_calibration *c = job->found;
    mpno_proof *p = job->proof;
    MPNO_TRY(check_data(p, input->path));
    MPNO_TRY(allocate(job, opts->samples > 0 ? opts->samples : MPNO_POPULATION_LEAST));
    c->opts.level = opts->coverage != 0 ? opts->coverage : LEVEL;
    c->opts.confidence = opts->confidence >= 0 ? opts->confidence : LEVEL;
    MPNO_TRY(mpno_strdup(p->ctx, input->path, &c->path));
    MPNO_TRY(mpno_strdup(p->ctx, input->key, &c->key));
    MPNO_TRY(bound(job)); /* whether so many samples will do is known before they have run */
    mpno_proof_next(p);
    MPNO_TRY(mpno_proof_read_input(p, c->path, c->n - 1)); /* are there so many? */
    MPNO_TRY(calibrate(job));
    return bound(job);
}

/* -------- a recorded one -------- */

static mpno_status take_scores(mpno_proof_job *job, const mpno_value *distances) {
    mpno_calibration *c = job->found;
    const mpno_value *map, *list;
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const char *name = mpno_distance_name((mpno_distance)k);
        MPNO_TRY(mpno_proof_recorded(job, distances, name, MPNO_VALUE_MAP, &map));
        MPNO_CHECK(job->proof->ctx, mpno_value_get(map, "scores") != NULL, MPNO_E_UNSUPPORTED,
                   "it does not record the scores of its samples, from which its bounds follow: "
                   "make it again with mpno certify");
        MPNO_TRY(mpno_proof_recorded(job, map, "scores", MPNO_VALUE_LIST, &list));
        if (k == 0) MPNO_TRY(allocate(job, (int64_t)list->n));
        if (list->n != (size_t)c->n)
            return mpno_proof_refute(job,
                                     "distances.%s.scores has %zu entries, of l2 there are %lld",
                                     name, list->n, (long long)c->n);
        for (size_t i = 0; i < list->n; i++) {
            const mpno_value *score = list->items[i];
            const bool none = score->kind == MPNO_VALUE_NULL;
            if (!none && (!(score->real >= 0) ||
                          (score->kind != MPNO_VALUE_REAL && score->kind != MPNO_VALUE_INT)))
                return mpno_proof_refute(job,
                                         "distances.%s.scores[%zu] is no bound of an error: "
                                         "expected a number from 0 on, or null",
                                         name, i);
            c->scores[k][i] = none ? INFINITY : score->real;
        }
    }
    return MPNO_OK;
}

static mpno_status take_level(mpno_proof_job *job, const mpno_value *distances) {
    mpno_calibration *c = job->found;
    const mpno_value *map, *value;
    MPNO_TRY(mpno_proof_recorded(job, distances, "l2", MPNO_VALUE_MAP, &map));
    MPNO_TRY(mpno_proof_recorded(job, map, "level", MPNO_VALUE_REAL, &value));
    c->opts.level = value->real;
    if (mpno_value_get(map, "confident") == NULL) return MPNO_OK;
    MPNO_TRY(mpno_proof_recorded(job, map, "confident", MPNO_VALUE_MAP, &map));
    MPNO_TRY(mpno_proof_recorded(job, map, "confidence", MPNO_VALUE_REAL, &value));
    c->opts.confidence = value->real;
    return MPNO_OK;
}

static mpno_status take_data(mpno_proof_job *job) {
    const char *expected = job->proof->restored.checkpoint->settings.data.x_key;
    mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    const mpno_value *map, *value;
    MPNO_TRY(mpno_proof_recorded(job, job->recorded->document, "data", MPNO_VALUE_MAP, &map));
    MPNO_TRY(mpno_proof_recorded(job, map, "path", MPNO_VALUE_STRING, &value));
    MPNO_TRY(mpno_strdup(ctx, value->string, &c->path));
    MPNO_TRY(mpno_proof_recorded(job, map, "key", MPNO_VALUE_STRING, &value));
    MPNO_TRY(mpno_strdup(ctx, value->string, &c->key));
    if (strcmp(c->key, expected) != 0)
        return mpno_proof_refute(job,
                                 "the inputs of the checkpoint stand under '%s', the certificate "
                                 "says '%s'",
                                 expected, c->key);
    MPNO_TRY(mpno_proof_recorded(job, map, "sha256", MPNO_VALUE_STRING, &value));
    snprintf(c->sum, sizeof c->sum, "%s", value->string);
    return MPNO_OK;
}

static mpno_status take_envelope(mpno_proof_job *job) {
    mpno_calibration *c = job->found;
    const mpno_value *map;
    MPNO_TRY(mpno_proof_recorded(job, job->recorded->document, "envelope", MPNO_VALUE_MAP, &map));
    if (mpno_envelope_read(job->proof->ctx, "envelope", map, c->envelope) == MPNO_OK)
        return MPNO_OK;
    /* of no samples at all there is an empty one */
    const mpno_value *samples = mpno_value_get(map, "samples");
    if (samples != NULL && samples->kind == MPNO_VALUE_INT && samples->integer == 0) return MPNO_OK;
    job->refuted = true;
    return MPNO_E_FORMAT;
}

static mpno_status recall(mpno_proof_job *job) {
    mpno_calibration *c = job->found;
    const mpno_value *distances;
    MPNO_TRY(
        mpno_proof_recorded(job, job->recorded->document, "distances", MPNO_VALUE_MAP, &distances));
    MPNO_TRY(take_data(job));
    MPNO_TRY(take_level(job, distances));
    MPNO_TRY(take_scores(job, distances));
    MPNO_TRY(take_envelope(job));
    const mpno_status status = bound(job);
    if (status == MPNO_E_ARGUMENT) job->refuted = true; /* no such certificate can be made */
    MPNO_TRY(status);
    const int64_t kept = c->envelope->samples, infinite = c->result[0].infinite;
    if (kept > c->n || kept < c->n - infinite)
        return mpno_proof_refute(job,
                                 "envelope.samples is %lld, but %lld of %lld samples have a bound",
                                 (long long)kept, (long long)(c->n - infinite), (long long)c->n);
    return MPNO_OK;
}

static mpno_status find(mpno_proof_job *job) {
    return job->recorded != NULL ? recall(job) : measure(job);
}

/* -------- the verdict -------- */

static mpno_status conclude(const mpno_proof_job *job) {
    const mpno_calibration *c = job->found;
    mpno_proof *p = job->proof;
    const double tolerance = p->certificate.claim.tolerance;
    const double bound = mpno_calibration_bound(&c->result[MPNO_DISTANCE_L2]);
    char claim[512], sure[96] = "", reason[256], level[MPNO_REAL_TEXT], limit[MPNO_REAL_TEXT],
                     found[MPNO_REAL_TEXT];
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
        bounded = bounded &&
                  (isfinite(mpno_calibration_bound(&c->result[k])) || (tolerance >= 0 && k > 0));
    if (p->trouble != NULL) return mpno_proof_decide(p, MPNO_VERDICT_UNKNOWN, claim, p->trouble);
    const bool holds = bounded && (!(tolerance >= 0) || bound <= tolerance);
    if (!bounded && c->first >= 0)
        snprintf(reason, sizeof reason, "too many samples have no bound; the first is sample %lld",
                 (long long)c->first);
    else if (!bounded)
        snprintf(reason, sizeof reason,
                 "too many samples have no bound: their exact answers may be zero");
    else if (!(tolerance >= 0))
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

static mpno_status fill(const mpno_proof_job *job, mpno_table *table) {
    const mpno_calibration *c = job->found;
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

static mpno_status fill_envelope(const mpno_proof_job *job, mpno_table *table) {
    const mpno_calibration *c = job->found;
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

static mpno_status say(const mpno_proof_job *job) {
    const mpno_calibration *c = job->found;
    const mpno_sink *sink = job->sink;
    const bool layers = job->opts != NULL && job->opts->layers;
    mpno_say(sink, "claim: %s\n", job->proof->certificate.claim.text);
    MPNO_TRY(mpno_proof_say_rows(job, fill));
    if (c->first >= 0)
        mpno_say(sink, "%lld samples have no bound; the first, sample %lld%s%s\n",
                 (long long)c->result[0].infinite, (long long)c->first, c->reason[0] ? ": " : "",
                 c->reason);
    mpno_say(sink, "This holds if\n");
    for (int i = 0; mpno_population_assumption(i) != NULL; i++)
        mpno_say(sink, "  %d. %s\n", i + 1, mpno_population_assumption(i));
    if (c->envelope->samples == 0 || job->opts == NULL) return MPNO_OK;
    mpno_say(sink, "The envelope: greatest size and largest number of each layer's values%s\n",
             layers ? "" : "; --layers shows it");
    return layers ? mpno_proof_say_rows(job, fill_envelope) : MPNO_OK;
}

/* -------- the document -------- */

static mpno_status put_data(const mpno_proof_job *job, mpno_value *document) {
    const mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, document, "data", &map));
    MPNO_TRY(mpno_value_set_string(ctx, map, "path", c->path));
    MPNO_TRY(mpno_value_set_string(ctx, map, "key", c->key));
    MPNO_TRY(mpno_value_set_int(ctx, map, "samples", c->n));
    return mpno_value_set_string(ctx, map, "sha256", c->sum);
}

static mpno_status put_distances(const mpno_proof_job *job, mpno_value *document) {
    const mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *map = NULL, *value = NULL, *list = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, document, "distances", &map));
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        MPNO_TRY(mpno_population_value(ctx, &c->result[k], &value));
        MPNO_TRY(mpno_value_set(ctx, map, mpno_distance_name((mpno_distance)k), value));
        MPNO_TRY(mpno_value_set_list(ctx, value, "scores", &list));
        for (int64_t i = 0; i < c->n; i++)
            MPNO_TRY(mpno_value_append_real(ctx, list, c->scores[k][i]));
    }
    return MPNO_OK;
}

static mpno_status put(const mpno_proof_job *job, mpno_value *document) {
    const mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *value = NULL;
    MPNO_TRY(put_distances(job, document));
    MPNO_TRY(mpno_envelope_value(ctx, c->envelope, &value));
    MPNO_TRY(mpno_value_set(ctx, document, "envelope", value));
    MPNO_TRY(put_data(job, document));
    MPNO_TRY(mpno_population_assumptions(ctx, &value));
    return mpno_value_set(ctx, document, "assumptions", value);
}

/* near: ranks and bounds are taken as they stand; the risk is a quotient of sums. */
const mpno_proof_kind mpno_proof_population = {.name = "population",
                                               .kind = MPNO_CERTIFICATE_POPULATION,
                                               .size = sizeof(mpno_calibration),
                                               .near = 1e-12,
                                               .find = find,
                                               .conclude = conclude,
                                               .put = put,
                                               .say = say,
                                               .check = mpno_calibration_check,
                                               .clear = clear};
