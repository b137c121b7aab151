/* SPDX-License-Identifier: MIT
 * Discretisation as JSON, and the three errors of an answer side by side. See discretisation.h. */
#include <math.h>

#include "certify/discretisation.h"
#include "number/format.h"

const char *mpno_convergence_name(mpno_convergence convergence) {
    static const char *const names[] = {"seen", "ended", "none"};
    return names[convergence];
}

static const char *assumption_of(mpno_convergence convergence) {
    static const char *const texts[] = {
        [MPNO_CONVERGENCE_SEEN] =
            "The error keeps falling by the rate that was seen between n/2, n and 2n points; then "
            "it lies between lower and upper. This is an estimate, not a bound.",
        [MPNO_CONVERGENCE_ENDED] =
            "Answers on n and 2n points agree to 1e-12 of their size, as far as f64 tells; finer "
            "grids are taken to agree with them.",
        [MPNO_CONVERGENCE_NONE] =
            "Differences do not fall from grid to grid, so that nothing is "
            "known of the limit: the grid is too coarse for this input."};
    return texts[convergence];
}

static mpno_status put_layers(mpno_ctx *ctx, const mpno_discretisation *d, mpno_format spectrum,
                              mpno_value *map) {
    mpno_value *list, *entry;
    MPNO_TRY(mpno_value_set_list(ctx, map, "layers", &list));
    for (int l = 0; l < d->n_layers; l++) {
        const mpno_discretised_layer *layer = &d->layers[l];
        const double rounding = mpno_format_unit(spectrum) * layer->norm;
        MPNO_TRY(mpno_value_append_map(ctx, list, &entry));
        MPNO_TRY(mpno_value_set_string(ctx, entry, "name", layer->name));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "norm", layer->norm));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "alias", layer->alias));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "cut", layer->cut));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "rounding", rounding));
        MPNO_TRY(mpno_value_set_string(
            ctx, entry, "larger",
            hypot(layer->alias, layer->cut) > rounding ? "discretisation" : "rounding"));
    }
    return MPNO_OK;
}

static mpno_status put_discretisation(mpno_ctx *ctx, const mpno_discretisation *d,
                                      mpno_format spectrum, mpno_value *map) {
    mpno_value *list;
    MPNO_TRY(mpno_value_set_list(ctx, map, "grid", &list));
    for (int a = 0; a < d->ndim; a++) MPNO_TRY(mpno_value_append_int(ctx, list, d->grid[a]));
    MPNO_TRY(mpno_value_set_real(ctx, map, "before", d->before));
    MPNO_TRY(mpno_value_set_real(ctx, map, "after", d->after));
    MPNO_TRY(mpno_value_set_real(ctx, map, "size", d->size));
    MPNO_TRY(mpno_value_set_string(ctx, map, "convergence", mpno_convergence_name(d->convergence)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "rate", d->rate));
    MPNO_TRY(mpno_value_set_real(ctx, map, "error", d->error));
    MPNO_TRY(mpno_value_set_real(ctx, map, "lower", d->lower));
    MPNO_TRY(mpno_value_set_real(ctx, map, "upper", d->upper));
    MPNO_TRY(mpno_value_set_string(ctx, map, "assumption", assumption_of(d->convergence)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "between_points",
                                   "the trigonometric interpolant of the values of the grid"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "spectrum", mpno_format_get(spectrum)->name));
    MPNO_TRY(put_layers(ctx, d, spectrum, map));
    MPNO_TRY(mpno_strip_value(ctx, &d->strip, &list));
    return mpno_value_set(ctx, map, "strip", list);
}

mpno_status mpno_discretisation_value(mpno_ctx *ctx, const mpno_discretisation *d,
                                      mpno_format spectrum, mpno_value **out) {
    MPNO_TRY(mpno_value_map(ctx, out));
    const mpno_status status = put_discretisation(ctx, d, spectrum, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

/* -------- side by side -------- */

const char *mpno_budget_part_name(mpno_budget_part part) {
    static const char *const names[] = {"precision", "discretisation", "model"};
    return names[part];
}

int mpno_budget_binds(const mpno_budget *budget) {
    int largest = -1;
    for (int p = 0; p < MPNO_N_BUDGET_PARTS; p++)
        if (!isnan(budget->part[p]) && (largest < 0 || budget->part[p] > budget->part[largest]))
            largest = p;
    return largest;
}

static mpno_status put_budget(mpno_ctx *ctx, const mpno_budget *budget, mpno_value *map) {
    const int binds = mpno_budget_binds(budget);
    for (int p = 0; p < MPNO_N_BUDGET_PARTS; p++)
        MPNO_TRY(mpno_value_set_real(ctx, map, mpno_budget_part_name((mpno_budget_part)p),
                                     budget->part[p]));
    if (binds < 0) return MPNO_OK;
    return mpno_value_set_string(ctx, map, "binds", mpno_budget_part_name((mpno_budget_part)binds));
}

mpno_status mpno_budget_value(mpno_ctx *ctx, const mpno_budget *budget, mpno_value **out) {
    MPNO_TRY(mpno_value_map(ctx, out));
    const mpno_status status = put_budget(ctx, budget, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}
