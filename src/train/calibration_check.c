/* SPDX-License-Identifier: MIT
 * A recorded calibration beside its samples, and a new sample beside a calibration: see
 * calibration.h. Of the samples all inputs are summed and some are measured again, evenly spread:
 * those that agree say nothing of the others, whose number is told. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "train/calibration.h"
#include "train/sink.h"

enum { SPOT_CHECKS = 8, TEXT = 1024 };

void mpno_calibration_point(const mpno_certificate *measured, mpno_point *out) {
    out->n_layers = measured->n_layers;
    memcpy(out->layers, measured->layers, (size_t)measured->n_layers * sizeof *out->layers);
}

/* -------- samples of the calibration -------- */

static mpno_status check_sums(mpno_proof_job *job) {
    mpno_calibration *c = job->found;
    mpno_proof *p = job->proof;
    char sum[SUM];
    for (int64_t i = 0; i < c->n; i++) {
        mpno_proof_next(p);
        MPNO_TRY(mpno_proof_read_input(p, job->data, i));
        memcpy(c->sums + i * SUM, p->certificate.input.sha256, SUM);
        c->sums[i * SUM + SUM - 1] = '\n';
    }
    MPNO_TRY(mpno_sha256_of(p->ctx, c->sums, (size_t)c->n * SUM, sum));
    if (strcmp(sum, c->sum) == 0) return MPNO_OK;
    return mpno_proof_refute(job,
                             "the first %lld samples of %s are not those of the certificate: their "
                             "SHA-256 is %s, expected %s",
                             (long long)c->n, job->data, sum, c->sum);
}

/* Both scores are the true distance and at most twice the room of the f64 run that measured it. */
static mpno_status compare_scores(mpno_proof_job *job, int64_t i, bool bounded) {
    const mpno_calibration *c = job->found;
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const mpno_certified_distance *d = &job->proof->certificate.distance[k];
        const bool finite = bounded && !isnan(d->relative_upper);
        const double now = finite ? d->relative_upper : INFINITY, then = c->scores[k][i];
        const double room = finite ? 2 * (d->relative_upper - d->relative_lower) : 0;
        if (now == then || fabs(now - then) <= room) continue;
        return mpno_proof_refute(job,
                                 "the %s score of sample %lld is %.17g, the certificate says "
                                 "%.17g",
                                 mpno_distance_name((mpno_distance)k), (long long)i, now, then);
    }
    return MPNO_OK;
}

/* Two f64 runs of a layer are apart by twice its error in the norm; in the largest number by that
 * of all points together, of which padding makes at most twice as many an axis. */
static mpno_status compare_envelope(mpno_proof_job *job, int64_t i) {
    const mpno_calibration *c = job->found;
    const mpno_envelope *e = c->envelope;
    const mpno_dataset *d = job->proof->input;
    double points = d->planes;
    for (int a = 0; a < d->ndim; a++)
        points *= 2 * fmax((double)d->grid[a], (double)job->proof->output_grid[a]);
    if (e->n_layers != c->point->n_layers)
        return mpno_proof_refute(job, "the network has %d layers, the envelope %d",
                                 c->point->n_layers, e->n_layers);
    for (int l = 0; l < e->n_layers; l++) {
        const mpno_point_layer *now = &c->point->layers[l];
        const mpno_envelope_layer *then = &e->layers[l];
        if (strcmp(now->name, then->name) != 0)
            return mpno_proof_refute(job, "layer %d is %s, the envelope says %s", l, now->name,
                                     then->name);
        if (now->norm - 2 * now->error <= then->norm &&
            now->most - 2 * sqrt(points) * now->error <= then->most)
            continue;
        return mpno_proof_refute(job,
                                 "sample %lld of the calibration has norm %.17g and largest "
                                 "magnitude %.17g in %s, the envelope %.17g and %.17g",
                                 (long long)i, now->norm, now->most, now->name, then->norm,
                                 then->most);
    }
    return MPNO_OK;
}

/* *bounded: POINT knows a bound of it; else *reason says why not. */
static mpno_status measure(mpno_proof_job *job, const char *path, int64_t i, bool *bounded,
                           char reason[TEXT]) {
    mpno_calibration *c = job->found;
    mpno_proof *p = job->proof;
    mpno_proof_next(p);
    MPNO_TRY(mpno_proof_read_input(p, path, i));
    mpno_status status = mpno_proof_run(p);
    *bounded = status == MPNO_OK;
    if (status == MPNO_E_NUMERIC) {
        snprintf(reason, TEXT, "%s", mpno_ctx_error(p->ctx));
        return MPNO_OK;
    }
    MPNO_TRY(status);
    MPNO_TRY(mpno_proof_measure(p));
    *bounded = !isnan(p->certificate.distance[0].lower);
    if (!*bounded) snprintf(reason, TEXT, "%s", p->certificate.reason);
    mpno_calibration_point(&p->certificate, c->point);
    return MPNO_OK;
}

static mpno_status check_samples(mpno_proof_job *job, char reason[TEXT]) {
    mpno_calibration *c = job->found;
    const int64_t wanted = job->checks->samples > 0 ? job->checks->samples : SPOT_CHECKS;
    const int64_t checked = wanted < c->n ? wanted : c->n;
    char trouble[TEXT];
    for (int64_t k = 0; k < checked; k++) {
        const int64_t i = k * c->n / checked;
        bool bounded;
        MPNO_CHECK(job->proof->ctx, !mpno_stop_wanted(job->sink), MPNO_E_STOPPED,
                   "stopped after %lld of %lld samples", (long long)k, (long long)checked);
        MPNO_TRY(measure(job, job->data, i, &bounded, trouble));
        MPNO_TRY(compare_scores(job, i, bounded));
        if (bounded) MPNO_TRY(compare_envelope(job, i));
    }
    const size_t used = strlen(reason);
    snprintf(reason + used, TEXT - used,
             "; all inputs are those of then, and %lld of %lld samples "
             "were measured again",
             (long long)checked, (long long)c->n);
    MPNO_TRY(mpno_value_map(job->proof->ctx, &job->told));
    return mpno_value_set_int(job->proof->ctx, job->told, "samples_measured_again", checked);
}

static mpno_status check_calibration(mpno_proof_job *job, char reason[TEXT]) {
    const mpno_calibration *c = job->found;
    MPNO_CHECK(job->proof->ctx, job->data != NULL, MPNO_E_IO,
               "the bounds follow from the scores, but there is no file %s with the calibration "
               "samples that these are of: say where it is with --data FILE",
               job->checks->data ? job->checks->data : c->path);
    MPNO_TRY(check_sums(job));
    MPNO_CHECK(job->proof->ctx, job->same_kernels, MPNO_E_UNSUPPORTED,
               "the bounds follow from the scores, but the kernels that computed the answers, %s, "
               "do not run here, so that no score can be measured again",
               job->recorded->environment.isa);
    return check_samples(job, reason);
}

/* -------- a new sample -------- */

static mpno_status check_grid(const mpno_proof_job *job) {
    const mpno_proof *p = job->proof;
    const mpno_value *grid = mpno_value_get(job->recorded->plan, "grid");
    char found[64], expected[64];
    int64_t calibrated[MPNO_MAX_AXES] = {0};
    const int ndim = p->input->ndim; /* the checkpoint's, and so the plan's that was compared */
    bool same = true;
    for (int d = 0; d < ndim; d++) {
        calibrated[d] = grid->items[d]->integer;
        same = same && calibrated[d] == p->input->grid[d];
    }
    MPNO_CHECK(p->ctx, same, MPNO_E_UNSUPPORTED,
               "%s lies on %s points, calibration samples on %s: the certificate speaks of that "
               "grid alone",
               job->checks->input, mpno_grid_key(ndim, p->input->grid, found, sizeof found),
               mpno_grid_key(ndim, calibrated, expected, sizeof expected));
    return MPNO_OK;
}

static mpno_status fill_bounds(const mpno_proof_job *job, mpno_table *table) {
    static const char *const names[MPNO_N_DISTANCES] = {"L2", "H1", "maximum"};
    const mpno_calibration *c = job->found;
    MPNO_TRY(mpno_table_column(table, "relative", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "by the certificate, at most", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "measured here, at most", MPNO_RIGHT));
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        MPNO_TRY(mpno_table_cell(table, "%s", names[k]));
        MPNO_TRY(mpno_proof_bound_cell(table, mpno_calibration_bound(&c->result[k]), true));
        MPNO_TRY(
            mpno_proof_bound_cell(table, job->proof->certificate.distance[k].relative_upper, true));
    }
    return MPNO_OK;
}

static mpno_status add_row(mpno_table *table, const char *layer, const char *what, double found,
                           double calibrated) {
    if (found <= calibrated) return MPNO_OK;
    MPNO_TRY(mpno_table_cell(table, "%s", layer));
    MPNO_TRY(mpno_table_cell(table, "%s", what));
    MPNO_TRY(mpno_table_cell(table, "%.7g", found));
    return mpno_table_cell(table, "%.7g", calibrated);
}

static mpno_status fill_outside(const mpno_proof_job *job, mpno_table *table) {
    const mpno_calibration *c = job->found;
    const mpno_envelope *e = c->envelope;
    MPNO_TRY(mpno_table_column(table, "layer", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "outside is", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "this sample", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "calibration, at most", MPNO_RIGHT));
    for (int l = 0; l < e->n_layers; l++) {
        const mpno_point_layer *now = &c->point->layers[l];
        MPNO_TRY(add_row(table, now->name, "its size (norm)", now->norm, e->layers[l].norm));
        MPNO_TRY(add_row(table, now->name, "its largest magnitude", now->most, e->layers[l].most));
    }
    return MPNO_OK;
}

static mpno_status put_sample(mpno_proof_job *job, const mpno_envelope_verdict *at, bool bounded) {
    const mpno_calibration *c = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *map, *inner;
    MPNO_TRY(mpno_value_map(ctx, &job->told));
    MPNO_TRY(mpno_value_set_map(ctx, job->told, "sample", &map));
    MPNO_TRY(mpno_value_set_string(ctx, map, "path", job->checks->input));
    MPNO_TRY(mpno_value_set_int(ctx, map, "sample", job->checks->sample));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "inside", at->inside));
    if (!at->inside && bounded) {
        MPNO_TRY(mpno_value_set_map(ctx, map, "leaves", &inner));
        MPNO_TRY(mpno_value_set_string(ctx, inner, "layer", c->envelope->layers[at->layer].name));
        MPNO_TRY(mpno_value_set_string(ctx, inner, "quantity", at->what));
        MPNO_TRY(mpno_value_set_real(ctx, inner, "found", at->found));
        MPNO_TRY(mpno_value_set_real(ctx, inner, "calibrated", at->calibrated));
    }
    MPNO_TRY(mpno_value_set_map(ctx, map, "measured", &inner));
    for (int k = 0; k < MPNO_N_DISTANCES; k++)
        MPNO_TRY(mpno_value_set_real(ctx, inner, mpno_distance_name((mpno_distance)k),
                                     job->proof->certificate.distance[k].relative_upper));
    return MPNO_OK;
}

/* What follows for the sample. */
static void judge(const mpno_proof_job *job, const mpno_envelope_verdict *at, bool bounded,
                  char reason[TEXT]) {
    const mpno_calibration *c = job->found;
    const mpno_population *l2 = &c->result[MPNO_DISTANCE_L2];
    char where[TEXT / 2], sure[64] = "";
    snprintf(where, sizeof where, "sample %lld of %.400s", (long long)job->checks->sample,
             job->checks->input);
    if (l2->sure_rank > 0) snprintf(sure, sizeof sure, ", with confidence %.10g", l2->confidence);
    if (at->inside)
        snprintf(reason, TEXT,
                 "%s is inside the envelope: the bounds apply, its relative L2 distance is at most "
                 "%.6g with a probability of at least %.10g%s",
                 where, mpno_calibration_bound(l2) * (1 + 5.1e-6), l2->level, sure);
    else if (!bounded)
        snprintf(reason, TEXT, "%s is outside the envelope, as it has no bound: %.300s", where,
                 job->proof->certificate.reason);
    else
        snprintf(reason, TEXT,
                 "%s is outside the envelope: the %s of %s is %.7g, of calibration samples at most "
                 "%.7g. The certificate does not speak of it: certify it by itself, with mpno "
                 "certify CHECKPOINT --input FILE --sample N",
                 where, at->what, c->envelope->layers[at->layer].name, at->found, at->calibrated);
}

static mpno_status test_sample(mpno_proof_job *job, mpno_verdict *verdict, char reason[TEXT]) {
    const mpno_verify_opts *o = job->checks;
    mpno_calibration *c = job->found;
    mpno_proof *p = job->proof;
    mpno_envelope_verdict at = {.inside = false, .layer = -1};
    char trouble[TEXT] = "";
    bool bounded;
    mpno_proof_next(p);
    MPNO_TRY(mpno_proof_read_input(p, o->input, o->sample));
    MPNO_TRY(check_grid(job));
    MPNO_TRY(measure(job, o->input, o->sample, &bounded, trouble));
    if (!bounded) MPNO_TRY(mpno_certificate_set(p->ctx, &p->certificate.reason, trouble));
    if (bounded) MPNO_TRY(mpno_envelope_test(p->ctx, c->envelope, c->point, &at));
    mpno_say(job->sink, "sample %lld of %s\n", (long long)o->sample, o->input);
    MPNO_TRY(mpno_proof_say_rows(job, fill_bounds));
    if (bounded && !at.inside) MPNO_TRY(mpno_proof_say_rows(job, fill_outside));
    MPNO_TRY(put_sample(job, &at, bounded));
    if (*verdict != MPNO_VERDICT_VERIFIED) return MPNO_OK; /* it promises nothing of any sample */
    judge(job, &at, bounded, reason);
    if (!at.inside) *verdict = MPNO_VERDICT_UNKNOWN;
    return MPNO_OK;
}

/* -------- both -------- */

mpno_status mpno_calibration_check(mpno_proof_job *job) {
    mpno_proof *p = job->proof;
    mpno_verdict verdict = (mpno_verdict)p->certificate.verdict;
    char reason[TEXT];
    char *claim = NULL; /* measuring leaves another one */
    snprintf(reason, sizeof reason, "%s", p->certificate.reason);
    MPNO_TRY(mpno_strdup(p->ctx, p->certificate.claim.text, &claim));
    mpno_status status = job->checks->input != NULL ? test_sample(job, &verdict, reason)
                                                    : check_calibration(job, reason);
    if (status == MPNO_OK) status = mpno_proof_decide(p, verdict, claim, reason);
    mpno_free(p->ctx, claim);
    return status;
}
