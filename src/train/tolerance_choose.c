/* SPDX-License-Identifier: MIT
 * The plan: choices within the tolerance by the model of squares (certify/planner.h), run on the
 * samples held out, whose distance from the exact answer is proved (POINT, certify/point.h); where
 * one is above the tolerance, a smaller budget and again. Policies are tried on the same samples: a
 * plan is never worse than the best of them. See tolerance.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "train/sink.h"
#include "train/tolerance.h"

/* A plan that others' samples are to keep to leaves room: their errors vary. */
static const double FIRST_SAFETY = 1.02, MORE_SAFETY = 1.02;
enum { MOST_TRIES = 12 };
/* Estimates of time that differ by less are the same. */
static const double FASTER = 0.97;

mpno_status mpno_tolerance_certify(const mpno_tolerance_job *j, int64_t sample,
                                   const double *answer, mpno_point *out) {
    const mpno_dataset *d = j->fields;
    if (j->embedding != NULL)
        memcpy(j->embedding, mpno_sample(d->embedding, MPNO_F64, d->n_features, sample),
               (size_t)d->n_features * sizeof *j->embedding);
    const double *x = mpno_sample(d->x, MPNO_F64, d->points * d->in_channels, sample);
    return mpno_certifier_run(j->certifier, x, answer, out);
}

double mpno_tolerance_relative(const mpno_point *point) {
    return nextafter(point->distance[MPNO_DISTANCE_L2].upper / point->size[MPNO_DISTANCE_L2].lower,
                     INFINITY);
}

/* -------- the samples held out -------- */

static mpno_status make_certifier(mpno_tolerance_job *j) {
    if (j->fields->embedding != NULL)
        MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)j->fields->n_features, sizeof *j->embedding,
                                  &j->embedding));
    return mpno_restored_certifier(j->restored, j->fields, j->grid, j->embedding, &j->certifier);
}

/* What the shadow run of each sample gave, kept: to judge other answers by without another run. */
static mpno_status run_shadows(mpno_tolerance_job *j, const double *full) {
    mpno_point *point;
    MPNO_TRY(mpno_alloc(j->ctx, sizeof *point, &point));
    mpno_status status = MPNO_OK;
    for (int64_t i = 0; i < j->held_out && status == MPNO_OK; i++) {
        status = mpno_tolerance_certify(j, j->calibration + i, full + i * j->values, point);
        if (status != MPNO_OK) break;
        memcpy(j->shadow + i * j->values, mpno_certifier_answer(j->certifier),
               (size_t)j->values * sizeof *j->shadow);
        if (!(point->size[MPNO_DISTANCE_L2].lower > 0))
            status = mpno_fail(j->ctx, MPNO_E_NUMERIC,
                               "%s: the exact answer to sample %lld may be zero, so that there is "
                               "no relative distance from it: leave the sample out",
                               j->file, (long long)(j->calibration + i));
        if (status != MPNO_OK) break;
        j->bound[i] = point->shadow[MPNO_DISTANCE_L2] / point->size[MPNO_DISTANCE_L2].lower;
        if (mpno_stop_wanted(j->sink))
            status = mpno_fail(j->ctx, MPNO_E_STOPPED, "stopped before the plan was made");
    }
    mpno_free(j->ctx, point);
    return status;
}

/* A bound from the shadows that are kept: with d the distance from one and b how far that is from
 * the exact answer, both relative to the latter at most (1 + b) d + b. The factor is more than any
 * rounding, so that the certifier, which has the last word, finds no more. */
static void judge(const mpno_tolerance_job *j, const double *answers, mpno_tolerance_use *use) {
    double sum = 0;
    use->worst = 0;
    for (int64_t i = 0; i < j->held_out; i++) {
        const double b = j->bound[i],
                     d = mpno_tolerance_distance(answers + i * j->values, j->shadow + i * j->values,
                                                 j->values);
        sum += d * d;
        use->worst = fmax(use->worst, ((1 + b) * d + b) * (1 + 1e-6));
    }
    use->error = sqrt(sum / (double)j->held_out);
}

static mpno_status try_use(const mpno_tolerance_job *j, mpno_tolerance_use *use, double *room) {
    bool finite = false;
    MPNO_TRY(mpno_tolerance_answer(j, use, j->calibration, j->held_out, room, &finite));
    use->error = NAN, use->worst = INFINITY, use->reference_worst = NAN;
    if (finite) judge(j, room, use);
    return MPNO_OK;
}

static mpno_status try_policies(mpno_tolerance_job *j, double *room) {
    for (int i = 1; i < j->n_policies; i++) {
        MPNO_TRY(mpno_tolerance_cost(j, &j->policies[i]));
        MPNO_TRY(try_use(j, &j->policies[i], room));
    }
    return MPNO_OK;
}

static mpno_status look_at_held_out(mpno_tolerance_job *j, double *room) {
    bool finite = false;
    const size_t n = (size_t)j->held_out;
    mpno_tolerance_use *full = &j->policies[0];
    MPNO_TRY(mpno_alloc_array(j->ctx, n * (size_t)j->values, sizeof *j->shadow, &j->shadow));
    MPNO_TRY(mpno_alloc_array(j->ctx, n, sizeof *j->bound, &j->bound));
    MPNO_TRY(make_certifier(j));
    MPNO_TRY(mpno_tolerance_answer(j, full, j->calibration, j->held_out, room, &finite));
    MPNO_CHECK(j->ctx, finite, MPNO_E_NUMERIC, "%s", mpno_ctx_error(j->ctx));
    MPNO_TRY(run_shadows(j, room));
    judge(j, room, full);
    MPNO_CHECK(j->ctx, full->worst <= j->tolerance, MPNO_E_NUMERIC,
               "tolerance %g: with everything stored in f32 answers of this model are up to %.3g "
               "from the exact ones, relative L2 distance; give a tolerance of %.2g or more",
               j->tolerance, full->worst, 1.1 * full->worst);
    return try_policies(j, room);
}

/* -------- the plan -------- */

/* What is as large as something more accurate, and no faster, is never chosen. */
static void drop_inferior(const mpno_tolerance_job *j, int site, mpno_planner_site *s) {
    for (int f = 1; f < MPNO_TOLERANCE_FORMATS; f++)
        for (int other = 0; other < MPNO_TOLERANCE_FORMATS; other++) {
            bool inferior = other != f && s->square[other] <= s->square[f] &&
                            (other < f || s->square[other] < s->square[f]) &&
                            s->cost[other] <= s->cost[f];
            for (int i = 0; i < j->n_tensors; i++)
                if (j->tensors[i].site == site &&
                    j->tensors[i].bytes[other] != j->tensors[i].bytes[f])
                    inferior = false;
            if (inferior) s->square[f] = INFINITY;
        }
}

static void make_sites(const mpno_tolerance_job *j, mpno_planner_site *sites) {
    for (int i = 0; i < j->n_sites; i++) {
        for (int f = 0; f < MPNO_TOLERANCE_FORMATS; f++) {
            sites[i].square[f] = j->sites[i].error[f] * j->sites[i].error[f] * j->spread[f];
            sites[i].cost[f] = j->sites[i].seconds[f];
        }
        drop_inferior(j, i, &sites[i]);
    }
    for (int i = 0; i < j->n_cuts; i++)
        for (int k = 0; k < MPNO_PLANNER_CHOICES; k++) {
            const mpno_tolerance_cut *c = &j->cuts[i];
            sites[j->n_sites + i].square[k] = c->error[k] * c->error[k];
            sites[j->n_sites + i].cost[k] = c->seconds[k];
        }
}

/* The plan that the choices of the sites are, with its memory. */
static mpno_status make_plan(mpno_tolerance_job *j) {
    MPNO_TRY(mpno_tolerance_text(j, j->storage));
    j->plan = (mpno_tolerance_use){.policy = j->base, .half = MPNO_F16, .storage = j->storage};
    if (mpno_tolerance_is_cut(j)) j->plan.modes = (const mpno_tolerance_modes *)&j->modes;
    return mpno_tolerance_cost(j, &j->plan);
}

static double square_of(const mpno_tolerance_job *j, const mpno_planner_site *sites) {
    double sum = j->cut_error * j->cut_error;
    for (int i = 0; i < j->n_sites; i++)
        if (!mpno_tolerance_is_copy(j, i)) sum += sites[i].square[j->sites[i].choice];
    return sum;
}

/* Site `site`, or all of its role, in another format, where that keeps to the budget and takes less
 * memory. */
static mpno_status try_move(mpno_tolerance_job *j, const mpno_planner_site *sites, double budget,
                            int site, bool all, int format) {
    int before[MPNO_TOLERANCE_SITES];
    const size_t bytes = j->plan.activation_bytes;
    for (int i = 0; i < j->n_sites; i++) {
        before[i] = j->sites[i].choice;
        if (i == site || (all && j->sites[i].role == j->sites[site].role))
            j->sites[i].choice = format;
    }
    if (square_of(j, sites) <= budget) MPNO_TRY(make_plan(j));
    if (j->plan.activation_bytes < bytes) return MPNO_OK;
    for (int i = 0; i < j->n_sites; i++) j->sites[i].choice = before[i];
    return make_plan(j);
}

/* Tensors can lie so that gaps are left between them, and more memory is taken than they need: what
 * is elsewhere may then be worth storing in less. */
static mpno_status close_gaps(mpno_tolerance_job *j, const mpno_planner_site *sites, double budget,
                              size_t needed) {
    for (int move = 0; move < 2 * j->n_sites; move++)
        for (int f = 1; f < MPNO_TOLERANCE_FORMATS && j->plan.activation_bytes > needed; f++)
            MPNO_TRY(try_move(j, sites, budget, move % j->n_sites, move < j->n_sites, f));
    return MPNO_OK;
}

/* The choices of least memory or time within the budget, into those of the sites and cuts. */
static mpno_status solve(mpno_tolerance_job *j, const mpno_planner_site *sites, double budget,
                         size_t *bytes) {
    int choice[MPNO_TOLERANCE_SITES + MPNO_TOLERANCE_CUTS];
    const mpno_planner_problem problem = {.n_sites = j->n_sites + j->n_cuts,
                                          .n_choices = MPNO_TOLERANCE_FORMATS,
                                          .n_tensors = j->n_tensors,
                                          .n_steps = j->n_steps,
                                          .sites = sites,
                                          .tensors = j->tensors,
                                          .scratch = j->scratch};
    mpno_planner_answer answer = {.choice = choice};
    MPNO_TRY(j->opts->minimise == MPNO_MINIMISE_TIME
                 ? mpno_planner_least_cost(j->ctx, &problem, budget, &answer)
                 : mpno_planner_least_memory(j->ctx, &problem, budget, &answer));
    for (int i = 0; i < j->n_sites; i++) j->sites[i].choice = choice[i];
    for (int i = 0; i < j->n_cuts; i++) j->cuts[i].choice = choice[j->n_sites + i];
    *bytes = answer.bytes;
    return MPNO_OK;
}

/* What is staged may have the format of the site that it is read from for nothing, if that one
 * stays as it is. Whether there is any such site. */
static bool give_copies(const mpno_tolerance_job *j, mpno_planner_site *sites) {
    bool any = false;
    for (int i = 0; i < j->n_sites; i++) {
        const int from = j->sites[i].staged, format = from < 0 ? 0 : j->sites[from].choice;
        if (format == 0 || !isfinite(j->sites[i].error[format])) continue;
        sites[i].square[format] = 0;
        for (int f = 0; f < MPNO_TOLERANCE_FORMATS; f++)
            if (f != format) sites[from].square[f] = INFINITY;
        any = true;
    }
    return any;
}

/* Once more with what copies in the first answer leave of the budget, which that answer keeps to as
 * well: squares add up over all sites but these. */
static mpno_status solve_again(mpno_tolerance_job *j, const mpno_planner_site *sites, double budget,
                               size_t *bytes) {
    const size_t n = (size_t)(j->n_sites + j->n_cuts);
    mpno_planner_site *given;
    MPNO_TRY(mpno_alloc_array(j->ctx, n + 1, sizeof *given, &given));
    memcpy(given, sites, n * sizeof *given);
    const mpno_status status = give_copies(j, given) ? solve(j, given, budget, bytes) : MPNO_OK;
    mpno_free(j->ctx, given);
    return status;
}

/* Choices whose error is at most tolerance / safety, that of f32 itself included. */
static mpno_status choose(mpno_tolerance_job *j, const mpno_planner_site *sites, double *room) {
    const double within = j->tolerance / j->safety, f32 = j->policies[0].error,
                 budget = fmax(0, within * within - f32 * f32);
    size_t bytes;
    MPNO_TRY(solve(j, sites, budget, &bytes));
    MPNO_TRY(solve_again(j, sites, budget, &bytes));
    MPNO_TRY(mpno_tolerance_join_cuts(j, room));
    MPNO_TRY(make_plan(j));
    if (j->opts->minimise == MPNO_MINIMISE_MEMORY) MPNO_TRY(close_gaps(j, sites, budget, bytes));
    j->predicted = sqrt(square_of(j, sites) + f32 * f32);
    return MPNO_OK;
}

/* The largest error on the samples held out, proved, and on the references, measured: truncation
 * may do much to few samples, which 16 need not show. */
static mpno_status try_plan(mpno_tolerance_job *j, double *room, double *worst) {
    double sum;
    MPNO_TRY(try_use(j, &j->plan, room));
    *worst = j->plan.worst;
    if (!(*worst <= j->tolerance)) return MPNO_OK;
    MPNO_TRY(mpno_tolerance_references(j, &j->plan, &sum, &j->plan.reference_worst));
    *worst = fmax(*worst, j->plan.reference_worst);
    return MPNO_OK;
}

static mpno_status search(mpno_tolerance_job *j, double *room) {
    mpno_planner_site *sites;
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(j->n_sites + j->n_cuts) + 1, sizeof *sites, &sites));
    make_sites(j, sites);
    mpno_status status = MPNO_OK;
    j->safety = FIRST_SAFETY;
    for (j->n_tries = 1; status == MPNO_OK; j->n_tries++) {
        if (j->n_tries == MOST_TRIES) j->safety = INFINITY; /* everything in f32 */
        status = choose(j, sites, room);
        double worst = INFINITY;
        if (status == MPNO_OK) status = try_plan(j, room, &worst);
        if (status != MPNO_OK || worst <= j->tolerance || !isfinite(j->safety)) break;
        const double found = worst / j->predicted; /* how far off the model is */
        j->safety = fmax(MORE_SAFETY * j->safety, isfinite(found) ? found : 2 * j->safety);
    }
    mpno_free(j->ctx, sites);
    return status;
}

static bool is_better(const mpno_tolerance_job *j, const mpno_tolerance_use *a,
                      const mpno_tolerance_use *b) {
    if (j->opts->minimise == MPNO_MINIMISE_TIME) return a->seconds < FASTER * b->seconds;
    return a->activation_bytes < b->activation_bytes;
}

/* Of the plan beside policies. */
static mpno_status time_all(mpno_tolerance_job *j) {
    mpno_tolerance_use uses[MPNO_TOLERANCE_POLICIES + 1];
    if (j->opts->minimise != MPNO_MINIMISE_TIME) return MPNO_OK;
    memcpy(uses, j->policies, (size_t)j->n_policies * sizeof *uses);
    uses[j->n_policies] = j->plan;
    MPNO_TRY(mpno_tolerance_times(j, uses, j->n_policies + 1));
    memcpy(j->policies, uses, (size_t)j->n_policies * sizeof *uses);
    j->plan = uses[j->n_policies];
    return MPNO_OK;
}

bool mpno_tolerance_is_within(const mpno_tolerance_job *j, const mpno_tolerance_use *use) {
    return use->worst <= j->tolerance && !(use->reference_worst > j->tolerance);
}

/* A policy that keeps to the tolerance, with the references as a plan has to, and costs less. */
static mpno_status compare_with_policies(mpno_tolerance_job *j) {
    for (int i = 0; i < j->n_policies; i++) {
        double sum;
        mpno_tolerance_use *p = &j->policies[i];
        if (!mpno_tolerance_is_within(j, p) || !is_better(j, p, &j->plan)) continue;
        MPNO_TRY(mpno_tolerance_references(j, p, &sum, &p->reference_worst));
        if (!mpno_tolerance_is_within(j, p)) continue;
        j->plan = *p;
        j->standard = p;
        j->cut_error = j->cut_same = 0; /* it has none */
    }
    return MPNO_OK;
}

/* The proof of what is handed out, by the certifier itself. */
static mpno_status prove(mpno_tolerance_job *j, double *room) {
    bool finite = false;
    mpno_point *point;
    MPNO_TRY(mpno_tolerance_answer(j, &j->plan, j->calibration, j->held_out, room, &finite));
    MPNO_TRY(mpno_alloc(j->ctx, sizeof *point, &point));
    mpno_status status = MPNO_OK;
    j->plan.worst = 0;
    for (int64_t i = 0; i < j->held_out && status == MPNO_OK; i++) {
        status = mpno_tolerance_certify(j, j->calibration + i, room + i * j->values, point);
        if (status == MPNO_OK) j->plan.worst = fmax(j->plan.worst, mpno_tolerance_relative(point));
    }
    mpno_free(j->ctx, point);
    MPNO_TRY(status);
    MPNO_CHECK(j->ctx, j->plan.worst <= j->tolerance, MPNO_E_NUMERIC,
               "the plan's answers are proved to be within %.3g of the exact ones, which is more "
               "than the tolerance %g; give a tolerance of %.2g or more",
               j->plan.worst, j->tolerance, 1.1 * j->plan.worst);
    return MPNO_OK;
}

mpno_status mpno_tolerance_choose(mpno_tolerance_job *j) {
    const int64_t most = j->held_out > j->calibration ? j->held_out : j->calibration;
    double *room;
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(most * j->values), sizeof *room, &room));
    mpno_status status = look_at_held_out(j, room);
    if (status == MPNO_OK) status = mpno_tolerance_measure(j);
    if (status == MPNO_OK) status = mpno_tolerance_spread(j);
    if (status == MPNO_OK) status = search(j, room);
    if (status == MPNO_OK) status = time_all(j);
    if (status == MPNO_OK) status = compare_with_policies(j);
    if (status == MPNO_OK) status = mpno_tolerance_foretell(j, room);
    if (status == MPNO_OK) status = prove(j, room);
    if (status == MPNO_OK) status = mpno_tolerance_fresh(j);
    mpno_free(j->ctx, room);
    return status;
}
