/* SPDX-License-Identifier: MIT
 * The table of equations. */
#include <string.h>

#include "core/memory.h"
#include "pde/pde.h"

#define X(name) extern const mpno_pde mpno_pde_##name;
#include "pde/pdes.def"
#undef X

static const mpno_pde *const pdes[] = {
#define X(name) &mpno_pde_##name,
#include "pde/pdes.def"
#undef X
};

enum { N_PDES = sizeof pdes / sizeof *pdes };

const mpno_pde *mpno_pde_at(size_t index) {
    return index < N_PDES ? pdes[index] : NULL;
}

mpno_status mpno_pde_find(mpno_ctx *ctx, const char *name, const mpno_pde **out) {
    const char *names[N_PDES];
    for (size_t i = 0; i < N_PDES; i++) {
        names[i] = pdes[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *out = pdes[i];
            return MPNO_OK;
        }
    }
    *out = NULL;
    const char *near = mpno_nearest_name(name, names, N_PDES);
    return mpno_fail(ctx, MPNO_E_ARGUMENT,
                     "unknown equation '%.60s'%s%s; 'mpno help generate' lists them", name,
                     near ? "; did you mean " : "", near ? near : "");
}

mpno_status mpno_pde_job_create(mpno_ctx *ctx, const mpno_pde *pde, const void *settings,
                                int n_workers, void **out) {
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, pde->job_bytes, out));
    const mpno_status status = pde->prepare(ctx, settings, n_workers, *out);
    if (status != MPNO_OK) mpno_pde_job_destroy(ctx, pde, out);
    return status;
}

void mpno_pde_job_destroy(mpno_ctx *ctx, const mpno_pde *pde, void **job) {
    if (!*job) return;
    pde->release(ctx, *job);
    mpno_free(ctx, *job);
    *job = NULL;
}

mpno_status mpno_pde_expand(mpno_ctx *ctx, const char *key, int64_t ndim, mpno_int_list *list) {
    if (list->n == 1) {
        for (int64_t t = 1; t < ndim; t++) list->v[t] = list->v[0];
        list->n = ndim;
    }
    MPNO_CHECK(ctx, list->n == ndim, MPNO_E_CONFIG,
               "%s: expected one number or %lld, one for each axis, found %lld", key,
               (long long)ndim, (long long)list->n);
    return MPNO_OK;
}

mpno_status mpno_pde_expand_solved(mpno_ctx *ctx, const mpno_int_list *resolution,
                                   mpno_int_list *solved) {
    if (solved->n == 0) *solved = *resolution;
    MPNO_TRY(mpno_pde_expand(ctx, "solve_resolution", resolution->n, solved));
    for (int64_t t = 0; t < resolution->n; t++)
        MPNO_CHECK(ctx, solved->v[t] >= resolution->v[t], MPNO_E_CONFIG,
                   "solve_resolution: %lld is coarser than resolution %lld; give at least as many "
                   "points",
                   (long long)solved->v[t], (long long)resolution->v[t]);
    return MPNO_OK;
}

size_t mpno_pde_value_bytes(const mpno_pde_common *common) {
    return mpno_element_bytes(mpno_pde_element(common));
}

mpno_element mpno_pde_element(const mpno_pde_common *common) {
    return common->format ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32;
}

int mpno_pde_series(const mpno_pde_common *common, double length, double final_time,
                    int64_t snapshots, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const bool series = snapshots > 1 || common->layout == MPNO_LAYOUT_PDEBENCH;
    const int64_t n = common->resolution.v[0];
    const double step = final_time / (double)snapshots;
    const mpno_pde_axis place = {MPNO_AXIS_SPACE, "x", 0, length / (double)n};
    sets[0] = (mpno_pde_set){.name = "x",
                             .meaning = "u at t = 0",
                             .element = mpno_pde_element(common),
                             .ndim = 1,
                             .shape = {n},
                             .axes = {place},
                             .pdebench = "tensor"};
    sets[1] = sets[0];
    sets[1].name = "y";
    sets[1].meaning = series ? "u at times t" : "u at t = final_time";
    if (series) {
        sets[1].ndim = 2;
        sets[1].shape[0] = snapshots;
        sets[1].shape[1] = n;
        sets[1].axes[0] = (mpno_pde_axis){MPNO_AXIS_TIME, "t", step, step};
        sets[1].axes[1] = place;
    }
    return 2;
}
