/* SPDX-License-Identifier: MIT
 * Advection u_t + beta u_x = 0 on a periodic box of length L, of random sums of sines (waves.h):
 *   u(x, t) = u(x - beta t, 0),
 * evaluated at the nodes i L/N: the error is that of rounding. Source of the recipe: PDEBench
 * (Takamoto et al. 2022). */
#include <math.h>
#include <stddef.h>

#include "core/memory.h"
#include "pde/pde.h"
#include "pde/waves.h"

typedef struct advection_settings {
    mpno_pde_common common;
    double beta, length, final_time;
    int64_t snapshots, waves, k_max;
    double absolute, window;
} advection_settings;

#define MPNO_PDE_SETTINGS advection_settings
#define MPNO_PDE_DEF "pde/advection.def"
#include "pde/settings_fields.h"

static mpno_status resolve(mpno_ctx *ctx, void *settings) {
    advection_settings *s = settings;
    if (s->snapshots == MPNO_UNSET) {
        s->snapshots = s->common.layout == MPNO_LAYOUT_PDEBENCH ? 200 : 1;
    }
    MPNO_CHECK(ctx, fabs(s->beta) * s->final_time / s->length < 1e6, MPNO_E_CONFIG,
               "beta: %g crosses the box %g times until final_time, expected fewer than 1e6",
               s->beta, fabs(s->beta) * s->final_time / s->length);
    return mpno_pde_expand(ctx, "resolution", 1, &s->common.resolution);
}

static int describe(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const advection_settings *s = settings;
    return mpno_pde_series(&s->common, s->length, s->final_time, s->snapshots, sets);
}

static mpno_status prepare(mpno_ctx *ctx, const void *settings, int n_workers, void *pointer) {
    (void)ctx, (void)n_workers;
    *(const advection_settings **)pointer = settings;
    return MPNO_OK;
}

static void release(mpno_ctx *ctx, void *pointer) {
    (void)ctx, (void)pointer;
}

/* The field at time t as an element of the file. */
static void store(const advection_settings *s, const mpno_waves *waves, double t, void *out) {
    const int64_t n = s->common.resolution.v[0];
    for (int64_t i = 0; i < n; i++) {
        const double u = mpno_waves_at(waves, (double)i / (double)n - s->beta * t / s->length);
        if (s->common.format) {
            ((double *)out)[i] = u;
        } else {
            ((float *)out)[i] = (float)u;
        }
    }
}

static void make(void *job, int worker, mpno_pde_work *work) {
    (void)worker;
    const advection_settings *s = *(const advection_settings **)job;
    const mpno_waves_opts opts = {s->waves, s->k_max, s->absolute, s->window};
    const size_t bytes = (size_t)s->common.resolution.v[0] * mpno_pde_value_bytes(&s->common);
    const mpno_pde_outcome outcome = {0};
    mpno_pde_sample sample;
    mpno_waves waves;
    while (mpno_pde_take(work, 0, &sample)) {
        mpno_waves_draw(&opts, (uint64_t)s->common.seed, (uint32_t)sample.number, &waves);
        store(s, &waves, 0, sample.out[0]);
        for (int64_t i = 0; i < s->snapshots; i++) {
            const double t = (double)(i + 1) * s->final_time / (double)s->snapshots;
            store(s, &waves, t, (char *)sample.out[1] + (size_t)i * bytes);
        }
        mpno_pde_give(work, 0, &outcome);
    }
}

const mpno_pde mpno_pde_advection = {
    .name = "advection",
    .summary = "one-dimensional transport at one speed, exact: initial to later values",
    .description =
        "    u_t + beta u_x = 0 on a periodic box. x: u at t = 0, a sum of sines with random\n"
        "    amplitudes in [0, 1], whole numbers of periods up to k_max and phases, of some "
        "samples\n"
        "    the absolute value or a part (PDEBench's recipe); y: u at later times, exact. Values\n"
        "    stand at the nodes i L/N.\n",
    .grid = "nodes i L/N, i = 0 .. N-1, of a periodic box of length L",
    .fields = fields,
    .matters = matters,
    .n_fields = sizeof fields / sizeof *fields,
    .settings_bytes = sizeof(advection_settings),
    .pdebench = {"beta", "beta"},
    .resolve = resolve,
    .describe = describe,
    .lanes = 1,
    .job_bytes = sizeof(advection_settings *),
    .prepare = prepare,
    .release = release,
    .make = make,
};
