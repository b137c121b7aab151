/* SPDX-License-Identifier: MIT
 * Diffusion and reaction of two substances (FitzHugh and Nagumo) in a square without flow through
 * its boundary, from noise: reaction.h. x holds u and v at the start, y at later times, as averages
 * over the cells of the file. Source of the recipe and its numbers: PDEBench (Takamoto et al.
 * 2022), whose program has the same finite volumes. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "pde/pde.h"
#include "pde/reaction.h"

typedef struct reaction_settings {
    mpno_pde_common common;
    double Du, Dv, k, length, final_time;
    int64_t snapshots;
    double sigma, tolerance, dt;
    mpno_int_list solve_resolution;
} reaction_settings;

#define MPNO_PDE_SETTINGS reaction_settings
#define MPNO_PDE_DEF "pde/diffusion_reaction.def"
#include "pde/settings_fields.h"

typedef struct reaction_job {
    const reaction_settings *settings; /* borrowed */
    int n_workers;
    mpno_reaction **solvers; /* owned, of each worker */
} reaction_job;

static mpno_status resolve(mpno_ctx *ctx, void *settings) {
    reaction_settings *s = settings;
    mpno_int_list *kept = &s->common.resolution, *solved = &s->solve_resolution;
    if (s->snapshots == MPNO_UNSET) {
        s->snapshots = s->common.layout == MPNO_LAYOUT_PDEBENCH ? 100 : 1;
    }
    MPNO_TRY(mpno_pde_expand(ctx, "resolution", 2, kept));
    if (solved->n == 0) *solved = *kept;
    MPNO_TRY(mpno_pde_expand(ctx, "solve_resolution", 2, solved));
    for (int t = 0; t < 2; t++) {
        MPNO_CHECK(ctx, solved->v[t] % kept->v[t] == 0, MPNO_E_CONFIG,
                   "solve_resolution: %lld is no multiple of resolution %lld, so that its cells do "
                   "not make up those of the file; choose %lld",
                   (long long)solved->v[t], (long long)kept->v[t],
                   (long long)((solved->v[t] / kept->v[t] + 1) * kept->v[t]));
    }
    return MPNO_OK;
}

/* Channels come before the axes of space, in PDEBench's layout behind them. */
static int describe(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const reaction_settings *s = settings;
    const bool last = s->common.layout == MPNO_LAYOUT_PDEBENCH, series = s->snapshots > 1 || last;
    const double step = s->final_time / (double)s->snapshots;
    mpno_pde_set *x = &sets[0], *y = &sets[1];
    *x = (mpno_pde_set){.name = "x",
                        .meaning = "u and v at t = 0",
                        .element = mpno_pde_element(&s->common),
                        .ndim = 3,
                        .pdebench = "data"};
    const int channel = last ? 2 : 0;
    x->shape[channel] = 2;
    x->axes[channel] = (mpno_pde_axis){MPNO_AXIS_CHANNEL, "channel", 0, 1};
    for (int t = 0; t < 2; t++) {
        const int64_t n = s->common.resolution.v[t];
        const double h = s->length / (double)n;
        x->shape[t + !last] = n;
        x->axes[t + !last] =
            (mpno_pde_axis){MPNO_AXIS_SPACE, t ? "y" : "x", -0.5 * s->length + 0.5 * h, h};
    }
    *y = *x;
    y->name = "y";
    y->meaning = series ? "u and v at times t" : "u and v at t = final_time";
    if (series) {
        y->ndim++;
        memcpy(y->shape + 1, x->shape, 3 * sizeof *x->shape);
        memcpy(y->axes + 1, x->axes, 3 * sizeof *x->axes);
        y->shape[0] = s->snapshots;
        y->axes[0] = (mpno_pde_axis){MPNO_AXIS_TIME, "t", step, step};
    }
    return 2;
}

static void release(mpno_ctx *ctx, void *pointer) {
    reaction_job *job = pointer;
    for (int i = 0; job->solvers && i < job->n_workers; i++) {
        mpno_reaction_destroy(ctx, &job->solvers[i]);
    }
    mpno_free(ctx, job->solvers);
}

static mpno_status prepare(mpno_ctx *ctx, const void *settings, int n_workers, void *pointer) {
    const reaction_settings *s = settings;
    reaction_job *job = pointer;
    const int64_t *solved = s->solve_resolution.v;
    const mpno_reaction_opts opts = {.size = {solved[0], solved[1]},
                                     .length = {s->length, s->length},
                                     .diffusion = {s->Du, s->Dv},
                                     .k = s->k,
                                     .tolerance = s->tolerance,
                                     .dt = s->dt};
    job->settings = settings;
    job->n_workers = n_workers;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)job->n_workers, sizeof(mpno_reaction *), &job->solvers));
    for (int i = 0; i < job->n_workers; i++) {
        MPNO_TRY(mpno_reaction_create(ctx, &opts, &job->solvers[i]));
    }
    return MPNO_OK;
}

/* Averages over the cells of the file. */
static void store(const reaction_settings *s, const double *values, void *out) {
    const int64_t *kept = s->common.resolution.v, *solved = s->solve_resolution.v;
    const int64_t m1 = solved[0] / kept[0], m2 = solved[1] / kept[1];
    const bool last = s->common.layout == MPNO_LAYOUT_PDEBENCH;
    for (int64_t i = 0; i < 2 * kept[0]; i++) {
        const int64_t c = i / kept[0], row = i % kept[0];
        for (int64_t j = 0; j < kept[1]; j++) {
            const double *from = values + (i * m1 * solved[1]) + j * m2;
            double sum = 0;
            for (int64_t k = 0; k < m1 * m2; k++) sum += from[k / m2 * solved[1] + k % m2];
            const int64_t at = last ? (row * kept[1] + j) * 2 + c : i * kept[1] + j;
            if (s->common.format) {
                ((double *)out)[at] = sum / (double)(m1 * m2);
            } else {
                ((float *)out)[at] = (float)(sum / (double)(m1 * m2));
            }
        }
    }
}

static void make_sample(const reaction_settings *s, mpno_reaction *solver,
                        const mpno_pde_sample *sample, mpno_pde_outcome *outcome) {
    const int64_t *kept = s->common.resolution.v, *solved = s->solve_resolution.v;
    const size_t bytes = (size_t)(2 * kept[0] * kept[1]) * mpno_pde_value_bytes(&s->common);
    mpno_rng rng =
        mpno_rng_make((uint64_t)s->common.seed, MPNO_STREAM_FIELD, (uint32_t)sample->number);
    double *values = mpno_reaction_values(solver);
    *outcome = (mpno_pde_outcome){0};
    for (int64_t i = 0; i < 2 * solved[0] * solved[1]; i++) {
        values[i] = s->sigma * mpno_rng_normal(&rng);
    }
    store(s, values, sample->out[0]);
    mpno_reaction_start(solver);
    for (int64_t i = 0; i < s->snapshots; i++) {
        if (!mpno_reaction_run(solver, s->final_time / (double)s->snapshots,
                               &outcome->iterations)) {
            snprintf(outcome->failure, sizeof outcome->failure,
                     "the values are not finite after %d steps; give a smaller %s",
                     outcome->iterations, s->dt > 0 ? "dt" : "tolerance");
            return;
        }
        store(s, mpno_reaction_values(solver), (char *)sample->out[1] + (size_t)i * bytes);
    }
}

static void make(void *pointer, int worker, mpno_pde_work *work) {
    const reaction_job *job = pointer;
    mpno_pde_sample sample;
    mpno_pde_outcome outcome;
    while (mpno_pde_take(work, 0, &sample)) {
        make_sample(job->settings, job->solvers[worker], &sample, &outcome);
        mpno_pde_give(work, 0, &outcome);
    }
}

const mpno_pde mpno_pde_diffusion_reaction = {
    .name = "diffusion_reaction",
    .summary = "two substances that diffuse and react in a square: noise to later patterns",
    .description =
        "    u_t = Du Laplacian u + u - u^3 - k - v,  v_t = Dv Laplacian v + u - v in a square, "
        "no\n"
        "    flow through its boundary (FitzHugh and Nagumo; PDEBench's recipe). x: u and v at\n"
        "    t = 0, normal numbers independent in each cell; y: u and v at later times. Values "
        "are\n"
        "    averages over cells: finite volumes of order 2, Runge-Kutta-Chebyshev steps in f64.\n",
    .grid = "averages over N equal cells of each side, the middle of the square is 0",
    .fields = fields,
    .matters = matters,
    .n_fields = sizeof fields / sizeof *fields,
    .settings_bytes = sizeof(reaction_settings),
    .groups = true,
    .resolve = resolve,
    .describe = describe,
    .lanes = 1,
    .job_bytes = sizeof(reaction_job),
    .prepare = prepare,
    .release = release,
    .make = make,
};
