/* SPDX-License-Identifier: MIT
 * mpno_certify of the kind DISCRETISATION: how far the answer on a grid is from that on ever finer
 * ones (certify/discretisation.h, an estimate), beside what precision does (POINT, proved) and how
 * far the model is from the truth (measured), all in L2 over the size of the answer. See proof.h.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/discretisation.h"
#include "model/network.h"
#include "number/format.h"
#include "train/proof.h"
#include "train/sink.h"

typedef struct estimate {
    mpno_proof *proof;
    mpno_format spectrum; /* that spectra are stored in */
    mpno_discretisation found;
    mpno_budget budget;
} estimate;

/* -------- numbers -------- */

static mpno_status find_format(estimate *e) {
    const mpno_proof *p = e->proof;
    const mpno_predictor_opts stored = mpno_restored_opts(&p->restored);
    const mpno_network_opts opts = mpno_predictor_network(p->input, 1, &stored);
    mpno_policy policy;
    MPNO_TRY(mpno_network_opts_policy(p->restored.model, &opts, &policy));
    e->spectrum = mpno_policy_storage(&policy, MPNO_ROLE_SPECTRUM, false, "block 0").format;
    return MPNO_OK;
}

static mpno_status run(estimate *e) {
    const mpno_proof *p = e->proof;
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

static void compare(estimate *e) {
    const mpno_discretisation *d = &e->found;
    e->budget.part[MPNO_BUDGET_PRECISION] =
        e->proof->certificate.distance[MPNO_DISTANCE_L2].relative_upper;
    e->budget.part[MPNO_BUDGET_DISCRETISATION] =
        d->convergence != MPNO_CONVERGENCE_NONE && d->size > 0 ? d->error / d->size : NAN;
    e->budget.part[MPNO_BUDGET_MODEL] = mpno_proof_model_error(e->proof);
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

static mpno_status fill_layers(const estimate *e, mpno_table *table) {
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

static mpno_status fill_budget(const estimate *e, mpno_table *table) {
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

static mpno_status say_rows(const estimate *e, const mpno_sink *sink,
                            mpno_status (*rows)(const estimate *, mpno_table *)) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(e->proof->ctx, &table));
    mpno_status status = rows(e, table);
    if (status == MPNO_OK) status = mpno_say_table(e->proof->ctx, sink, table);
    mpno_table_destroy(&table);
    return status;
}

/* The bound by analytic strips, and what each block has of it. */
static mpno_status fill_strips(const estimate *e, mpno_table *table) {
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

static mpno_status say_strips(const estimate *e, const mpno_sink *sink) {
    char text[512];
    mpno_say(sink, "%s\n", mpno_strip_text(&e->found.strip, text, sizeof text));
    return e->found.strip.n_layers > 0 ? say_rows(e, sink, fill_strips) : MPNO_OK;
}

static mpno_status say(const estimate *e, const mpno_sink *sink) {
    say_grids(&e->found, sink);
    MPNO_TRY(say_rows(e, sink, fill_layers));
    MPNO_TRY(say_strips(e, sink));
    return say_rows(e, sink, fill_budget);
}

/* What there is in place of a verdict's reason. */
static mpno_status conclude(const estimate *e) {
    mpno_proof *p = e->proof;
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
    return mpno_proof_decide(p, none ? MPNO_VERDICT_UNKNOWN : MPNO_VERDICT_VERIFIED, NULL, text);
}

/* -------- the document -------- */

static mpno_status put(const estimate *e, mpno_value *document) {
    const mpno_certificate *c = &e->proof->certificate;
    mpno_ctx *ctx = e->proof->ctx;
    mpno_value *value = NULL;
    MPNO_TRY(mpno_discretisation_value(ctx, &e->found, e->spectrum, &value));
    MPNO_TRY(mpno_value_set(ctx, document, "discretisation", value));
    MPNO_TRY(mpno_budget_value(ctx, &e->budget, &value));
    MPNO_TRY(mpno_value_set(ctx, document, "budget", value));
    MPNO_TRY(mpno_certificate_copy(ctx, c, "input", document));
    return mpno_certificate_copy(ctx, c, "answer", document);
}

static mpno_status write(const estimate *e, mpno_value **document) {
    const mpno_certificate *certificate = &e->proof->certificate;
    mpno_ctx *ctx = e->proof->ctx;
    MPNO_TRY(mpno_certificate_open(ctx, certificate, document));
    mpno_status status = put(e, *document);
    if (status == MPNO_OK) status = mpno_certificate_close(ctx, certificate, *document);
    if (status != MPNO_OK) mpno_value_destroy(ctx, document);
    return status;
}

mpno_status mpno_proof_discretisation(mpno_proof *p, const mpno_sink *sink, mpno_value **document) {
    estimate e = {.proof = p};
    MPNO_TRY(mpno_certificate_set(p->ctx, &p->certificate.kind, "discretisation"));
    MPNO_TRY(find_format(&e));
    MPNO_TRY(run(&e));
    compare(&e);
    MPNO_TRY(conclude(&e));
    MPNO_TRY(write(&e, document));
    return say(&e, sink);
}
