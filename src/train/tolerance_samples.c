/* SPDX-License-Identifier: MIT
 * The samples of a plan. From the file's beginning: those that sites are measured on, those that
 * plans are tried on, references, and fresh ones, on which nothing depends. Errors of 16 samples
 * are spread so much that their mean square may be a fifth off; how much larger or smaller it is
 * than that of all is nearly the same for every site, since it is samples that are hard or easy. So
 * everything is stored in each format once on the references too, and the quotient of the mean
 * squares corrects the sites (a ratio estimator).
 *
 * What is foretold of new samples is not the sum of squares, which chose the plan, but the root
 * mean square of the plan's own errors over the samples measured on and the references. With v the
 * variance of the squares of n samples over the square of their mean, its relative standard error
 * is sqrt(v / n) / 2 (delta method). Where a few samples have most of the squares, v says too
 * little as often as not, and no mean square tells another one: there the median is what can be
 * foretold. See tolerance.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "train/sink.h"
#include "train/tolerance.h"

/* Samples in memory at once; points of all fresh samples together, a shadow run each; points that
 * are done in seconds. */
enum { CHUNK = 16, MOST_POINTS = 1 << 24, CHEAP_POINTS = 1 << 19 };
static const double LEVEL = 0.95;
/* Where the square of the error of f32 is more than this of a plan's, it is looked at closely. */
static const double NEAR_F32 = 0.01;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t most_of(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Windows of one trajectory resemble each other: of those there are no further samples. */
static int64_t further_samples(const mpno_tolerance_job *j, int64_t available) {
    const bool windows = j->restored->checkpoint->settings.data.time_in != MPNO_UNSET;
    const int64_t used = j->calibration + j->held_out;
    return windows || available <= used ? 0 : available - used;
}

mpno_status mpno_tolerance_divide(mpno_tolerance_job *j, int64_t available) {
    const int64_t most = MPNO_TOLERANCE_CALIBRATION + MPNO_TOLERANCE_HELD_OUT,
                  n = least(j->data->n, most);
    MPNO_CHECK(j->ctx, n >= 2, MPNO_E_SHAPE,
               "%s has 1 sample; a plan is made on some and proved on others: give 2 or more, best "
               "%lld",
               j->file, (long long)(most + MPNO_TOLERANCE_REFERENCES + MPNO_TOLERANCE_FRESH));
    j->calibration = n / 2;
    j->held_out = n - j->calibration;
    const int64_t rest = further_samples(j, available), fresh = MPNO_TOLERANCE_FRESH,
                  cheap = least(CHEAP_POINTS / j->data->points, MPNO_TOLERANCE_MOST),
                  half = rest >= fresh && rest < 2 * fresh ? rest - fresh : rest / 2;
    j->references = least(half, most_of(MPNO_TOLERANCE_REFERENCES, cheap));
    j->fresh = least(least(rest - j->references, most_of(fresh, cheap)),
                     1 + MOST_POINTS / j->data->points);
    return MPNO_OK;
}

/* -------- pieces of the file -------- */

/* What the job has of samples while a piece stands in their place. */
typedef struct piece {
    mpno_dataset *data, *fields;
} piece;

static mpno_status read_piece(mpno_tolerance_job *j, int64_t first, int64_t n, bool fields,
                              piece *out) {
    mpno_tensor_file *file = NULL;
    bool has_truth;
    MPNO_TRY(mpno_restored_select(j->ctx, j->restored, j->file, first, n, NULL, &file));
    mpno_status status =
        mpno_restored_dataset(j->ctx, j->restored, j->file, file, &has_truth, &out->data);
    if (status == MPNO_OK && fields)
        status = mpno_restored_fields(j->ctx, j->restored, j->file, file, MPNO_F64, &has_truth,
                                      &out->fields);
    mpno_tensor_file_destroy(j->ctx, &file);
    for (int d = 0; d < j->data->ndim && status == MPNO_OK; d++)
        out->data->out_grid[d] = j->grid[d];
    return status;
}

/* Exchanges the samples of the job with those of the piece. */
static void exchange(mpno_tolerance_job *j, piece *p) {
    const piece mine = {j->data, j->fields};
    j->data = p->data, j->fields = p->fields;
    *p = mine;
}

typedef mpno_status visitor(mpno_tolerance_job *j, int64_t first, int64_t n, void *user);

/* visit: with the samples first .. first + n - 1 of `count` from `from` on as those of the job,
 * counted from 0. */
static mpno_status visit_pieces(mpno_tolerance_job *j, int64_t from, int64_t count, bool fields,
                                visitor *visit, void *user) {
    mpno_status status = MPNO_OK;
    for (int64_t i = 0; i < count && status == MPNO_OK; i += CHUNK) {
        piece p = {NULL, NULL};
        const int64_t n = least(CHUNK, count - i);
        status = read_piece(j, from + i, n, fields, &p);
        if (status == MPNO_OK) {
            exchange(j, &p);
            status = visit(j, i, n, user);
            exchange(j, &p);
        }
        mpno_dataset_destroy(j->ctx, &p.data);
        mpno_dataset_destroy(j->ctx, &p.fields);
        if (status == MPNO_OK && mpno_stop_wanted(j->sink))
            status = mpno_fail(j->ctx, MPNO_E_STOPPED, "stopped before all samples were looked at");
    }
    return status;
}

/* -------- references -------- */

typedef struct comparison {
    const mpno_tolerance_use *uses;
    int n;
    double *sum;  /* [n] */
    double *each; /* distances under the first use; NULL: not asked for */
    double most;  /* of all */
    double *room; /* owned: answers in f32 and under a use */
} comparison;

static mpno_status compare(mpno_tolerance_job *j, int64_t first, int64_t n, void *user) {
    comparison *c = user;
    double *full = c->room, *other = c->room + CHUNK * j->values;
    bool finite = false;
    MPNO_TRY(mpno_tolerance_answer(j, &j->policies[0], 0, n, full, &finite));
    MPNO_CHECK(j->ctx, finite, MPNO_E_NUMERIC, "%s", mpno_ctx_error(j->ctx));
    for (int k = 0; k < c->n; k++) {
        if (!isfinite(c->sum[k])) continue;
        MPNO_TRY(mpno_tolerance_answer(j, &c->uses[k], 0, n, other, &finite));
        for (int64_t i = 0; i < n && finite; i++) {
            const double d =
                mpno_tolerance_distance(other + i * j->values, full + i * j->values, j->values);
            c->sum[k] += d * d;
            c->most = fmax(c->most, d);
            if (c->each != NULL && k == 0) c->each[first + i] = d;
        }
        if (!finite) c->sum[k] = c->most = INFINITY;
    }
    return MPNO_OK;
}

static mpno_status compare_references(mpno_tolerance_job *j, const mpno_tolerance_use *uses, int n,
                                      double *sum, double *most, double *each) {
    comparison c = {.uses = uses, .n = n, .sum = sum, .each = each};
    for (int k = 0; k < n; k++) sum[k] = 0;
    *most = 0;
    if (j->references == 0) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(2 * CHUNK * j->values), sizeof *c.room, &c.room));
    const mpno_status status =
        visit_pieces(j, j->calibration + j->held_out, j->references, false, compare, &c);
    mpno_free(j->ctx, c.room);
    *most = c.most;
    return status;
}

mpno_status mpno_tolerance_references(mpno_tolerance_job *j, const mpno_tolerance_use *use,
                                      double *sum, double *most) {
    return compare_references(j, use, 1, sum, most, NULL);
}

mpno_status mpno_tolerance_spread(mpno_tolerance_job *j) {
    char text[MPNO_TOLERANCE_FORMATS][512];
    mpno_tolerance_use uses[MPNO_TOLERANCE_FORMATS];
    double sum[MPNO_TOLERANCE_FORMATS], most, *room;
    const double n = (double)j->calibration, all = n + (double)j->references;
    for (int f = 0; f < MPNO_TOLERANCE_FORMATS; f++) {
        j->spread[f] = 1;
        mpno_tolerance_everything(f, text[f], sizeof text[f]);
        uses[f] = (mpno_tolerance_use){.policy = "full", .half = MPNO_F16, .storage = text[f]};
    }
    if (j->references == 0) return MPNO_OK;
    MPNO_TRY(compare_references(j, uses + 1, MPNO_TOLERANCE_FORMATS - 1, sum + 1, &most, NULL));
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(j->calibration * j->values), sizeof *room, &room));
    mpno_status status = MPNO_OK;
    for (int f = 1; f < MPNO_TOLERANCE_FORMATS && status == MPNO_OK; f++) {
        double moved;
        status = mpno_tolerance_moved(j, &uses[f], room, &moved);
        const double square = moved * moved;
        if (status == MPNO_OK && square > 0 && isfinite(square) && isfinite(sum[f]))
            j->spread[f] = (square * n + sum[f]) / all / square;
    }
    mpno_free(j->ctx, room);
    return status;
}

/* -------- samples by POINT -------- */

typedef struct test {
    double *scores;    /* owned: upper bounds */
    double *room;      /* owned: answers */
    mpno_point *point; /* owned */
} test;

/* A sample without a bound has an infinite one. */
static mpno_status score(mpno_tolerance_job *j, int64_t first, int64_t n, void *user) {
    test *t = user;
    bool finite = false;
    MPNO_TRY(mpno_tolerance_answer(j, &j->plan, 0, n, t->room, &finite));
    for (int64_t i = 0; i < n; i++) {
        double *found = &t->scores[first + i];
        *found = INFINITY;
        if (!finite) continue;
        const mpno_status status = mpno_tolerance_certify(j, i, t->room + i * j->values, t->point);
        if (status == MPNO_E_NUMERIC) continue;
        MPNO_TRY(status);
        if (t->point->size[MPNO_DISTANCE_L2].lower > 0) *found = mpno_tolerance_relative(t->point);
    }
    return MPNO_OK;
}

/* The root mean square of errors, and how uncertain it is. */
static double mean_error(const double *errors, int64_t n, double *uncertainty) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++) mean += errors[i] * errors[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        variance += pow(errors[i] * errors[i] - mean, 2) / (double)(n - 1);
    *uncertainty = mean > 0 ? sqrt(variance / (double)n) / mean / 2 : 0;
    if (n < 2 || !isfinite(mean)) *uncertainty = NAN;
    return isfinite(mean) ? sqrt(mean) : NAN;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the errors. */
static double median(double *errors, int64_t n) {
    qsort(errors, (size_t)n, sizeof *errors, by_size);
    const double middle = (errors[(n - 1) / 2] + errors[n / 2]) / 2;
    return isfinite(middle) ? middle : NAN;
}

/* Scores of n samples of the file from `from` on. */
static mpno_status run_test(mpno_tolerance_job *j, int64_t from, int64_t n, test *t) {
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)n + 1, sizeof *t->scores, &t->scores));
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(CHUNK * j->values), sizeof *t->room, &t->room));
    MPNO_TRY(mpno_alloc(j->ctx, sizeof *t->point, &t->point));
    return visit_pieces(j, from, n, true, score, t);
}

static void clear_test(mpno_ctx *ctx, test *t) {
    mpno_free(ctx, t->scores);
    mpno_free(ctx, t->room);
    mpno_free(ctx, t->point);
}

/* -------- what is foretold -------- */

/* Distances of the plan's answers to the samples measured on from those in f32. */
static mpno_status move_measured(mpno_tolerance_job *j, double *room, double *moved) {
    bool finite = false;
    MPNO_TRY(mpno_tolerance_answer(j, &j->plan, 0, j->calibration, room, &finite));
    for (int64_t i = 0; i < j->calibration; i++)
        moved[i] = finite ? mpno_tolerance_distance(room + i * j->values, j->full + i * j->values,
                                                    j->values)
                          : INFINITY;
    return MPNO_OK;
}

/* Their errors, and the mean square of those in f32; room: answers. */
static mpno_status certify_measured(mpno_tolerance_job *j, const double *room, double *errors,
                                    double *square) {
    mpno_point *point;
    mpno_status status = mpno_alloc(j->ctx, sizeof *point, &point);
    *square = 0;
    for (int64_t i = 0; i < j->calibration && status == MPNO_OK; i++) {
        status = mpno_tolerance_certify(j, i, room + i * j->values, point);
        if (status != MPNO_OK) break;
        errors[i] = mpno_tolerance_relative(point);
        const double f32 = mpno_tolerance_distance(j->full + i * j->values,
                                                   mpno_certifier_answer(j->certifier), j->values);
        *square += f32 * f32 / (double)j->calibration;
    }
    mpno_free(j->ctx, point);
    return status;
}

/* Errors of the plan itself in place of what it moved answers by. */
static mpno_status look_closely(mpno_tolerance_job *j, const double *room, double *errors,
                                double *square) {
    test t = {0};
    MPNO_TRY(certify_measured(j, room, errors, square));
    mpno_status status = run_test(j, j->calibration + j->held_out, j->references, &t);
    if (status == MPNO_OK)
        memcpy(errors + j->calibration, t.scores, (size_t)j->references * sizeof *errors);
    clear_test(j->ctx, &t);
    return status;
}

static double square_of_choices(const mpno_tolerance_job *j) {
    double square = j->cut_same * j->cut_same;
    for (int i = 0; i < j->n_sites; i++)
        if (!mpno_tolerance_is_copy(j, i)) square += pow(j->sites[i].error[j->sites[i].choice], 2);
    return square;
}

static mpno_status foretell(mpno_tolerance_job *j, double *room, double *errors) {
    const int64_t n = j->calibration + j->references;
    double sum, most, unused, square = j->policies[0].error * j->policies[0].error;
    MPNO_TRY(move_measured(j, room, errors));
    MPNO_TRY(compare_references(j, &j->plan, 1, &sum, &most, errors + j->calibration));
    if (!isfinite(sum)) errors[j->calibration] = INFINITY;
    const double moved = mean_error(errors, n, &unused);
    if (!j->brief && square > NEAR_F32 * (moved * moved + square))
        MPNO_TRY(look_closely(j, room, errors, &square));
    else
        for (int64_t i = 0; i < n; i++) errors[i] = hypot(errors[i], j->policies[0].error);
    j->predicted = mean_error(errors, n, &j->predicted_uncertainty);
    j->same = j->predicted_same = NAN;
    if (j->standard != NULL) return MPNO_OK;
    j->same = mean_error(errors, j->calibration, &unused);
    j->predicted_same = sqrt(square_of_choices(j) + square);
    return MPNO_OK;
}

mpno_status mpno_tolerance_foretell(mpno_tolerance_job *j, double *room) {
    double *errors;
    const size_t n = (size_t)(j->calibration + j->references);
    MPNO_TRY(mpno_alloc_array(j->ctx, n, sizeof *errors, &errors));
    const mpno_status status = foretell(j, room, errors);
    if (status == MPNO_OK) j->predicted_median = median(errors, (int64_t)n);
    mpno_free(j->ctx, errors);
    return status;
}

/* -------- fresh samples -------- */

static mpno_status run_fresh(mpno_tolerance_job *j, test *t) {
    MPNO_TRY(run_test(j, j->calibration + j->held_out + j->references, j->fresh, t));
    for (int64_t i = 0; i < j->fresh; i++) {
        j->fresh_worst = fmax(j->fresh_worst, t->scores[i]);
        j->fresh_above += !(t->scores[i] <= j->tolerance);
    }
    j->fresh_error = mean_error(t->scores, j->fresh, &j->fresh_uncertainty);
    return MPNO_OK;
}

/* Why samples give no bound of new ones; empty: they do. */
static void find_reason(mpno_tolerance_job *j) {
    const mpno_settings *s = &j->restored->checkpoint->settings;
    if (mpno_restored_trained_on(j->restored, j->file))
        snprintf(j->no_population, sizeof j->no_population,
                 "the model was trained or chosen with this file");
    else if (s->data.time_in != MPNO_UNSET)
        snprintf(j->no_population, sizeof j->no_population,
                 "samples are windows of trajectories, which resemble each other");
    else if (j->fresh < MPNO_POPULATION_LEAST)
        snprintf(j->no_population, sizeof j->no_population,
                 "it takes %d samples on which the plan does not depend, and %lld were left%s",
                 MPNO_POPULATION_LEAST, (long long)j->fresh,
                 j->fresh > MOST_POINTS / j->data->points
                     ? " of so many points in the time of a plan: mpno certify --data takes more"
                     : "");
}

mpno_status mpno_tolerance_fresh(mpno_tolerance_job *j) {
    const mpno_population_opts opts = {.level = LEVEL, .confidence = LEVEL};
    test t = {0};
    mpno_status status = MPNO_OK;
    j->fresh_error = j->fresh_uncertainty = j->fresh_median = NAN;
    find_reason(j);
    if (j->brief) return MPNO_OK;
    if (j->fresh > 0) status = run_fresh(j, &t);
    if (status == MPNO_OK && j->no_population[0] == '\0')
        status = mpno_population_bound(j->ctx, t.scores, j->fresh, &opts, &j->population);
    if (status == MPNO_OK && j->fresh > 0) j->fresh_median = median(t.scores, j->fresh);
    clear_test(j->ctx, &t);
    return status;
}
