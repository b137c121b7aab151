/* SPDX-License-Identifier: MIT
 * Certificates of the kind DISCRETISATION: how far the answer on a grid is from that on ever finer
 * ones (certify/discretisation.h, an estimate), beside what precision does (POINT, proved) and how
 * far the model is from the truth (measured), all in L2 over the size of the answer. See
 * proof_kind.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/discretisation.h"
#include "model/network.h"
#include "number/format.h"
#include "train/proof_kind.h"
#include "train/sink.h"

typedef struct estimate {
    mpno_format spectrum; /* that spectra are stored in */
    mpno_discretisation found;
    mpno_budget budget;
    const mpno_value *strip; /* what is recorded of it, where other kernels proved it; or NULL */
} estimate;

/* -------- numbers -------- */

static mpno_status find_format(mpno_proof *p, estimate *e) {
    mpno_network *network = NULL;
    MPNO_TRY(mpno_proof_plan_network(p, &network));
    e->spectrum =
        mpno_policy_storage(mpno_network_policy(network), MPNO_ROLE_SPECTRUM, false, "block 0")
            .format;
    mpno_network_destroy(&network);
    return MPNO_OK;
}

static mpno_status run(const mpno_proof *p, estimate *e) {
    const mpno_train_state *state = &p->restored.checkpoint->state;
    mpno_discretiser_opts opts = {.x = state->encode_x ? &state->x : NULL,
                                  .y = state->encode_y ? &state->y : NULL,
                                  .embedding = mpno_proof_steering(p)};
    mpno_discretiser *discretiser = NULL;
    for (int d = 0; d < p->input->ndim; d++) opts.grid[d] = p->input->grid[d];
    MPNO_TRY(mpno_discretiser_create(p->restored.model, &opts, &discretiser));
    const mpno_status status = mpno_discretiser_run(discretiser, mpno_proof_input(p), &e->found);
    mpno_discretiser_destroy(&discretiser);
    return status;
}

static void measure(const mpno_proof *p, estimate *e) {
    const mpno_discretisation *d = &e->found;
    e->budget.part[MPNO_BUDGET_PRECISION] =
        p->certificate.distance[MPNO_DISTANCE_L2].relative_upper;
    e->budget.part[MPNO_BUDGET_DISCRETISATION] =
        d->convergence != MPNO_CONVERGENCE_NONE && d->size > 0 ? d->error / d->size : NAN;
    e->budget.part[MPNO_BUDGET_MODEL] = mpno_proof_model_error(p);
}

/* -------- text -------- */

static const char *grid_text(const mpno_discretisation *d, int64_t times, int64_t part, char *out,
                             size_t capacity) {
    int64_t grid[MPNO_MAX_AXES];
    for (int a = 0; a < d->ndim; a++) grid[a] = times * d->grid[a] / part;
    return mpno_grid_key(d->ndim, grid, out, capacity);
}

static void say_grids(const mpno_discretisation *d, const mpno_sink *sink) {
    char half[64], whole[64], twice[64];
    mpno_say(
        sink, "answers on %s and %s points differ by %.4g of their size, on %s and %s by %.4g\n",
        grid_text(d, 1, 2, half, sizeof half), grid_text(d, 1, 1, whole, sizeof whole),
        d->before / d->size, whole, grid_text(d, 2, 1, twice, sizeof twice), d->after / d->size);
    if (d->convergence == MPNO_CONVERGENCE_SEEN)
        mpno_say(sink,
                 "error ~ n^-%.2f: if that goes on, the answer on %s is between %.4g and %.4g of "
                 "its size from that on ever finer grids\n",
                 d->rate, whole, d->lower / d->size, d->upper / d->size);
}

static mpno_status fill_layers(const mpno_proof_job *job, mpno_table *table) {
    const estimate *e = job->found;
    const mpno_discretisation *d = &e->found;
    char heading[32];
    snprintf(heading, sizeof heading, "rounding to %s", mpno_format_get(e->spectrum)->name);
    MPNO_TRY(mpno_table_column(table, "modes of", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "size", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "aliases", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "not on the grid", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, heading, MPNO_RIGHT));
    for (int l = 0; l < d->n_layers; l++) {
        const mpno_discretised_layer *layer = &d->layers[l];
        MPNO_TRY(mpno_table_cell(table, "%s", layer->name));
        MPNO_TRY(mpno_table_cell(table, "%.4g", layer->norm));
        MPNO_TRY(mpno_table_cell(table, "%.3g", layer->alias));
        MPNO_TRY(mpno_table_cell(table, "%.3g", layer->cut));
        MPNO_TRY(mpno_table_cell(table, "%.3g", mpno_format_unit(e->spectrum) * layer->norm));
    }
    return MPNO_OK;
}

static mpno_status fill_budget(const mpno_proof_job *job, mpno_table *table) {
    const estimate *e = job->found;
    static const char *const how[MPNO_N_BUDGET_PARTS] = {
        "proved upper bound", "estimated from three grids", "measured, from the truth in the file"};
    const int binds = mpno_budget_binds(&e->budget);
    MPNO_TRY(mpno_table_column(table, "error", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "relative L2", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "how", MPNO_LEFT));
    for (int k = 0; k < MPNO_N_BUDGET_PARTS; k++) {
        const double part = e->budget.part[k];
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_budget_part_name((mpno_budget_part)k)));
        MPNO_TRY(isnan(part) ? mpno_table_cell(table, "not known")
                             : mpno_table_cell(table, "%.4g", part));
        MPNO_TRY(mpno_table_cell(table, "%s%s", isnan(part) ? "" : how[k],
                                 k == binds ? "; this one binds" : ""));
    }
    return MPNO_OK;
}

/* The bound by analytic strips, and what each block has of it. */
static mpno_status fill_strips(const mpno_proof_job *job, mpno_table *table) {
    const estimate *e = job->found;
    const mpno_strip *s = &e->found.strip;
    MPNO_TRY(mpno_table_column(table, "strip of", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "radius", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "size there", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "aliases, at most", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "of the answer's error", MPNO_RIGHT));
    for (int l = 0; l < s->n_layers; l++) {
        MPNO_TRY(mpno_table_cell(table, "%s", s->layers[l].name));
        MPNO_TRY(mpno_table_cell(table, "%.3g", s->layers[l].radius));
        MPNO_TRY(mpno_table_cell(table, "%.3g", s->layers[l].size));
        MPNO_TRY(mpno_table_cell(table, "%.3g", s->layers[l].alias));
        MPNO_TRY(mpno_table_cell(table, "%.3g", s->layers[l].error / s->size));
    }
    return MPNO_OK;
}

static mpno_status say_strips(const mpno_proof_job *job) {
    const estimate *e = job->found;
    char text[512];
    mpno_say(job->sink, "%s\n", mpno_strip_text(&e->found.strip, text, sizeof text));
    return e->found.strip.n_layers > 0 ? mpno_proof_say_rows(job, fill_strips) : MPNO_OK;
}

static mpno_status say(const mpno_proof_job *job) {
    const estimate *e = job->found;
    say_grids(&e->found, job->sink);
    MPNO_TRY(mpno_proof_say_rows(job, fill_layers));
    MPNO_TRY(say_strips(job));
    return mpno_proof_say_rows(job, fill_budget);
}

/* What there is in place of a verdict's reason. */
static mpno_status conclude(const mpno_proof_job *job) {
    const estimate *e = job->found;
    const bool none = e->found.convergence == MPNO_CONVERGENCE_NONE;
    const int binds = mpno_budget_binds(&e->budget);
    char text[256];
    if (none)
        snprintf(text, sizeof text,
                 "differences do not fall from grid to grid: the grid is too coarse for this "
                 "input, and nothing is known of the limit");
    else if (binds < 0)
        snprintf(text, sizeof text, "the exact answer may be zero, so that nothing is relative");
    else
        snprintf(text, sizeof text, "%s binds, the largest error of those that are known",
                 mpno_budget_part_name((mpno_budget_part)binds));
    return mpno_proof_decide(job->proof, none ? MPNO_VERDICT_UNKNOWN : MPNO_VERDICT_VERIFIED, NULL,
                             text);
}

/* -------- the document -------- */

static mpno_status put(const mpno_proof_job *job, mpno_value *document) {
    const mpno_certificate *c = &job->proof->certificate;
    const estimate *e = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *value = NULL;
    MPNO_TRY(mpno_discretisation_value(ctx, &e->found, e->spectrum, &value));
    MPNO_TRY(mpno_value_set(ctx, document, "discretisation", value));
    if (e->strip != NULL) {
        mpno_value *strip, *map = value;
        MPNO_TRY(mpno_value_clone(ctx, e->strip, &strip));
        MPNO_TRY(mpno_value_set(ctx, map, "strip", strip));
    }
    MPNO_TRY(mpno_budget_value(ctx, &e->budget, &value));
    MPNO_TRY(mpno_value_set(ctx, document, "budget", value));
    MPNO_TRY(mpno_certificate_copy(ctx, c, "input", document));
    return mpno_certificate_copy(ctx, c, "answer", document);
}

/* -------- a recorded one -------- */

/* Differences of answers are told from nothing down to this part of the answer's size
 * (certify/discretisation.h), and so is one run's from another's. */
static const double RESOLVED = 1e-12;

/* *now becomes what is recorded, if that is no farther from it than room. */
static mpno_status take(mpno_proof_job *job, const mpno_value *map, const char *entry,
                        const char *key, double room, double *now) {
    const mpno_value *value;
    if (isnan(*now)) return MPNO_OK; /* null then too, or the documents differ */
    MPNO_TRY(mpno_proof_recorded(job, map, key, MPNO_VALUE_REAL, &value));
    if (!(fabs(value->real - *now) <= room))
        return mpno_proof_differs(job, "%s.%s is %.17g, the certificate says %.17g", entry, key,
                                  *now, value->real);
    *now = value->real;
    return MPNO_OK;
}

static mpno_status take_layers(mpno_proof_job *job, const mpno_value *map, mpno_discretisation *d) {
    const mpno_value *layers;
    MPNO_TRY(mpno_proof_recorded(job, map, "layers", MPNO_VALUE_LIST, &layers));
    if (layers->n != (size_t)d->n_layers)
        return mpno_proof_refute(job, "discretisation.layers has %zu entries, the network has %d",
                                 layers->n, d->n_layers);
    for (int l = 0; l < d->n_layers; l++) {
        const mpno_value *row = layers->items[l];
        const double room = RESOLVED * d->layers[l].norm;
        MPNO_TRY(take(job, row, d->layers[l].name, "norm", room, &d->layers[l].norm));
        MPNO_TRY(take(job, row, d->layers[l].name, "alias", room, &d->layers[l].alias));
        MPNO_TRY(take(job, row, d->layers[l].name, "cut", room, &d->layers[l].cut));
    }
    return MPNO_OK;
}

/* The upper bound of POINT is at most twice its room above the true distance, now as then; the
 * model's error is off by what the f64 run is, in the answer and in its size. */
static mpno_status take_budget(mpno_proof_job *job, estimate *e) {
    const mpno_certified_distance *d = &job->proof->certificate.distance[MPNO_DISTANCE_L2];
    double *part = e->budget.part;
    const mpno_value *map;
    const double shadow = d->shadow / d->size_lower;
    MPNO_TRY(mpno_proof_recorded(job, job->recorded->document, "budget", MPNO_VALUE_MAP, &map));
    const mpno_value *model = mpno_value_get(map, "model");
    const bool truth = model != NULL && model->kind != MPNO_VALUE_NULL;
    MPNO_CHECK(job->proof->ctx, !truth || !isnan(part[MPNO_BUDGET_MODEL]), MPNO_E_UNSUPPORTED,
               "budget.model cannot be found again: %s has no truth on the grid of the answer",
               job->proof->certificate.input.path);
    MPNO_TRY(take(job, map, "budget", "precision", 2 * (d->relative_upper - d->relative_lower),
                  &part[MPNO_BUDGET_PRECISION]));
    MPNO_TRY(take(job, map, "budget", "model", 4 * shadow * (1 + part[MPNO_BUDGET_MODEL]),
                  &part[MPNO_BUDGET_MODEL]));
    if (!isnan(part[MPNO_BUDGET_DISCRETISATION]))
        part[MPNO_BUDGET_DISCRETISATION] = e->found.error / e->found.size;
    return MPNO_OK;
}

/* The bound of strips hangs on noise of the f64 run, which is another one under other kernels. Then
 * a recorded bound is proved where it is not below the one that is proved now; its layers and its
 * radii only say how it came about. */
static mpno_status take_strip(mpno_proof_job *job, const mpno_value *map, estimate *e) {
    const mpno_strip *now = &e->found.strip;
    const mpno_value *strip;
    MPNO_TRY(mpno_proof_recorded(job, map, "strip", MPNO_VALUE_MAP, &strip));
    const bool closes = strcmp(mpno_value_get_string(strip, "verdict", ""), "VERIFIED") == 0;
    const double error = mpno_value_get_real(strip, "error"),
                 size = mpno_value_get_real(strip, "size");
    if (job->same_kernels) return MPNO_OK; /* it is compared, as all is */
    if (closes && !(error < size && fabs(size - now->size) <= RESOLVED * now->size))
        return mpno_proof_refute(job, "discretisation.strip closes with error %.17g and size %.17g",
                                 error, size);
    if (closes && !(error >= now->error * (1 - RESOLVED)))
        return mpno_proof_differs(job,
                                  "discretisation.strip.error is at most %.17g, the certificate "
                                  "says %.17g",
                                  now->error, error);
    e->strip = strip;
    return MPNO_OK;
}

/* What was measured then, where it is what is measured now; all else follows from it. */
static mpno_status take_recorded(mpno_proof_job *job) {
    estimate *e = job->found;
    mpno_discretisation *d = &e->found;
    const mpno_value *map;
    MPNO_TRY(
        mpno_proof_recorded(job, job->recorded->document, "discretisation", MPNO_VALUE_MAP, &map));
    const double room = RESOLVED * d->size;
    MPNO_TRY(take(job, map, "discretisation", "before", room, &d->before));
    MPNO_TRY(take(job, map, "discretisation", "after", room, &d->after));
    MPNO_TRY(take(job, map, "discretisation", "size", room, &d->size));
    MPNO_TRY(take_layers(job, map, d));
    MPNO_TRY(take_strip(job, map, e));
    mpno_discretisation_judge(d);
    return take_budget(job, e);
}

static mpno_status find(mpno_proof_job *job) {
    estimate *e = job->found;
    MPNO_TRY(find_format(job->proof, e));
    MPNO_TRY(run(job->proof, e));
    measure(job->proof, e);
    return job->recorded != NULL ? take_recorded(job) : MPNO_OK;
}

/* near: what follows from the numbers that were taken is one logarithm or a few products away. */
const mpno_proof_kind mpno_proof_discretisation = {.name = "discretisation",
                                                   .kind = MPNO_CERTIFICATE_DISCRETISATION,
                                                   .size = sizeof(estimate),
                                                   .one_answer = true,
                                                   .near = 1e-12,
                                                   .find = find,
                                                   .conclude = conclude,
                                                   .put = put,
                                                   .say = say};
