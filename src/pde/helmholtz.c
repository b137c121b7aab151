/* SPDX-License-Identifier: MIT
 * Waves of one frequency in a random medium: Laplacian u + k^2 (1 + i eta) a u = f on a periodic
 * box, a = 1 + contrast tanh g, g a Gaussian random field, f a narrow source of strength -1 in the
 * middle; solved by scattering.h. x is a, y the real and imaginary part of u at the nodes i L/N,
 * from the modes that both grids hold. The spectrum of u has its peak at |p| = k, k L / 2 pi modes
 * from the middle, so that a network which keeps fewer modes cannot hold u: the case in which
 * truncation of modes fails. Recipe: our own. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "pde/lanes.h"
#include "pde/pde.h"
#include "pde/periodic.h"
#include "pde/random_field.h"
#include "pde/scattering.h"

#define PI 3.14159265358979323846

typedef struct wave_settings {
    mpno_pde_common common;
    double k, absorption, length, contrast, alpha, tau, sigma, width, tolerance;
    int64_t max_iterations;
    mpno_int_list solve_resolution;
} wave_settings;

enum { LANES = MPNO_FLOW_LANES };

#define MPNO_PDE_SETTINGS wave_settings
#define MPNO_PDE_DEF "pde/helmholtz.def"
#include "pde/settings_fields.h"

/* A sample in work. */
typedef struct wave_lane {
    mpno_pde_sample sample;
    int iterations;
} wave_lane;

typedef struct wave_worker {
    const struct wave_job *job;
    mpno_scattering *solver;
    wave_lane lane[LANES];
    double residual[LANES];
    void *scratch;           /* of the transforms and the random field */
    double *a, *field;       /* on the solve grid: the medium; u, complex */
    double *part, *spectrum; /* one part of it, and its modes */
} wave_worker;

typedef struct wave_job {
    const wave_settings *settings; /* borrowed */
    mpno_random_field *random;
    mpno_fft *solve, *store; /* from the solve grid, and to the grid of the file */
    double *source;          /* owned: f on the solve grid, complex */
    int n_workers;
    wave_worker *workers;
} wave_job;

/* ---- parameters ---- */

static mpno_status resolve(mpno_ctx *ctx, void *settings) {
    wave_settings *s = settings;
    mpno_int_list *kept = &s->common.resolution, *solved = &s->solve_resolution;
    MPNO_CHECK(ctx, s->common.layout == MPNO_LAYOUT_MPNO, MPNO_E_CONFIG,
               "layout: PDEBench has no files of this equation; leave it out");
    MPNO_TRY(mpno_pde_expand(ctx, "resolution", 2, kept));
    /* The shortest waves are those where a is largest. */
    const double waves = s->k * s->length * sqrt(1 + s->contrast) / (2 * PI);
    if (solved->n == 0) {
        int64_t n = 16;
        while (n < 65536 && (double)n < 6 * waves) n *= 2;
        solved->n = 2;
        for (int t = 0; t < 2; t++) solved->v[t] = n > kept->v[t] ? n : kept->v[t];
    }
    MPNO_TRY(mpno_pde_expand_solved(ctx, kept, solved));
    for (int t = 0; t < 2; t++) {
        MPNO_CHECK(
            ctx, (double)solved->v[t] >= 3 * waves, MPNO_E_CONFIG,
            "solve_resolution: %lld points for %.4g waves a side, expected at least 3 a wave",
            (long long)solved->v[t], waves);
    }
    if (isnan(s->width)) s->width = 1 / s->k;
    /* The variance is that of the integral over all modes: sigma^2 tau^(2 - 2 alpha) L^2 / (4 pi
     * (alpha - 1)). */
    if (isnan(s->sigma)) {
        s->sigma = pow(s->tau, s->alpha - 1) * sqrt(4 * PI * (s->alpha - 1)) / s->length;
    }
    MPNO_CHECK(ctx, isfinite(s->sigma) && s->sigma > 0, MPNO_E_CONFIG,
               "sigma: tau^(alpha - 1) is %g, out of the range of numbers; give sigma", s->sigma);
    return MPNO_OK;
}

static int describe(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const wave_settings *s = settings;
    mpno_pde_set *x = &sets[0], *y = &sets[1];
    *x = (mpno_pde_set){
        .name = "x", .meaning = "medium a", .element = mpno_pde_element(&s->common), .ndim = 2};
    *y = *x;
    y->name = "y";
    y->meaning = "wave u, real and imaginary part";
    y->ndim = 3;
    y->shape[0] = 2;
    y->axes[0] = (mpno_pde_axis){MPNO_AXIS_CHANNEL, "channel", 0, 1};
    for (int t = 0; t < 2; t++) {
        const int64_t n = s->common.resolution.v[t];
        x->shape[t] = y->shape[t + 1] = n;
        x->axes[t] = (mpno_pde_axis){MPNO_AXIS_SPACE, t ? "y" : "x", 0, s->length / (double)n};
        y->axes[t + 1] = x->axes[t];
    }
    return 2;
}

/* ---- memory ---- */

static void release(mpno_ctx *ctx, void *pointer) {
    wave_job *job = pointer;
    for (int i = 0; job->workers && i < job->n_workers; i++) {
        wave_worker *w = &job->workers[i];
        void *const arrays[] = {w->scratch, w->a, w->field, w->part, w->spectrum};
        for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) mpno_free(ctx, arrays[k]);
        mpno_scattering_destroy(ctx, &w->solver);
    }
    mpno_free(ctx, job->workers);
    mpno_free(ctx, job->source);
    mpno_fft_destroy(ctx, &job->solve);
    mpno_fft_destroy(ctx, &job->store);
    mpno_random_field_destroy(ctx, &job->random);
}

static mpno_status create_worker(mpno_ctx *ctx, const wave_job *job, wave_worker *w) {
    const wave_settings *s = job->settings;
    const int64_t *solved = s->solve_resolution.v;
    const size_t points = (size_t)(solved[0] * solved[1]);
    const mpno_scattering_opts opts = {.size = {solved[0], solved[1]},
                                       .length = {s->length, s->length},
                                       .k = s->k,
                                       .eta = s->absorption};
    w->job = job;
    MPNO_TRY(mpno_scattering_create(ctx, &opts, &w->solver));
    MPNO_TRY(mpno_alloc_raw(ctx, mpno_periodic_scratch_bytes(job->solve, job->store, job->random),
                            &w->scratch));
    MPNO_TRY(mpno_alloc_array(ctx, points, sizeof(double), &w->a));
    MPNO_TRY(mpno_alloc_array(ctx, points, 2 * sizeof(double), &w->field));
    MPNO_TRY(mpno_alloc_array(ctx, points, sizeof(double), &w->part));
    return mpno_alloc_array(ctx, 2 * (size_t)mpno_fft_modes(job->solve), sizeof(double),
                            &w->spectrum);
}

/* exp(-r^2 / 2 width^2) / (2 pi width^2), negative, r from the middle: the box is so much wider
 * that what would come around does not count. */
static mpno_status create_source(mpno_ctx *ctx, wave_job *job) {
    const wave_settings *s = job->settings;
    const int64_t n1 = s->solve_resolution.v[0], n2 = s->solve_resolution.v[1];
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(n1 * n2), 2 * sizeof(double), &job->source));
    for (int64_t i = 0; i < n1 * n2; i++) {
        const double x = s->length * ((double)(i / n2) / (double)n1 - 0.5);
        const double y = s->length * ((double)(i % n2) / (double)n2 - 0.5);
        const double square = s->width * s->width;
        job->source[2 * i] = -exp(-(x * x + y * y) / (2 * square)) / (2 * PI * square);
    }
    return MPNO_OK;
}

static mpno_status prepare(mpno_ctx *ctx, const void *settings, int n_workers, void *pointer) {
    const wave_settings *s = settings;
    wave_job *job = pointer;
    const int64_t *solved = s->solve_resolution.v, *file = s->common.resolution.v;
    const mpno_random_field_opts random = {.ndim = 2,
                                           .size = {solved[0], solved[1]},
                                           .boundary = MPNO_PERIODIC,
                                           .alpha = s->alpha,
                                           .tau = s->tau,
                                           .sigma = s->sigma,
                                           .length = {s->length, s->length}};
    int64_t keep[2];
    for (int t = 0; t < 2; t++) { /* frequencies below that of Nyquist of the file's grid */
        const int64_t most = (file[t] - 1) / 2;
        keep[t] = t ? most + 1 : 2 * most + 1;
    }
    job->settings = settings;
    job->n_workers = n_workers;
    MPNO_TRY(mpno_random_field_create(ctx, &random, &job->random));
    MPNO_TRY(mpno_periodic_create(ctx, 2, solved, keep, &job->solve));
    MPNO_TRY(mpno_periodic_create(ctx, 2, file, keep, &job->store));
    MPNO_TRY(create_source(ctx, job));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)job->n_workers, sizeof *job->workers, &job->workers));
    for (int i = 0; i < job->n_workers; i++) MPNO_TRY(create_worker(ctx, job, &job->workers[i]));
    return MPNO_OK;
}

/* ---- samples ---- */

/* A real field of the solve grid on the grid of the file. */
static void store(const wave_job *job, wave_worker *w, const double *field, void *out) {
    mpno_periodic_find(job->solve, field, w->spectrum, w->scratch); /* finite: it was solved */
    mpno_periodic_store(job->store, w->spectrum, &job->settings->common, out, w->scratch);
}

static void begin(void *worker, int index, const mpno_pde_sample *sample) {
    wave_worker *w = worker;
    const wave_job *job = w->job;
    const wave_settings *s = job->settings;
    wave_lane *lane = &w->lane[index];
    lane->sample = *sample;
    mpno_random_field_sample(job->random, (uint64_t)s->common.seed, (uint32_t)lane->sample.number,
                             0, w->scratch, w->a);
    const int64_t points = mpno_fft_points(job->solve);
    for (int64_t i = 0; i < points; i++) w->a[i] = 1 + s->contrast * tanh(w->a[i]);
    store(job, w, w->a, lane->sample.out[0]);
    mpno_scattering_put(w->solver, index, w->a, job->source);
    lane->iterations = 0;
}

static void advance(void *worker, const bool *busy) {
    wave_worker *w = worker;
    (void)busy; /* idle lanes hold what was solved */
    mpno_scattering_round(w->solver, w->residual);
}

static bool finish(void *worker, int index, mpno_pde_outcome *outcome) {
    wave_worker *w = worker;
    const wave_job *job = w->job;
    const double residual = w->residual[index];
    const wave_settings *s = job->settings;
    wave_lane *lane = &w->lane[index];
    const int64_t points = mpno_fft_points(job->solve);
    const size_t bytes = (size_t)mpno_fft_points(job->store) * mpno_pde_value_bytes(&s->common);
    lane->iterations += MPNO_SCATTERING_ROUND;
    outcome->iterations = lane->iterations;
    if (!(residual <= s->tolerance)) {
        if (isfinite(residual) && lane->iterations < s->max_iterations) return false;
        snprintf(outcome->failure, sizeof outcome->failure,
                 "the residual is %.2g after %d iterations, above tolerance %g; raise tolerance or "
                 "max_iterations",
                 residual, lane->iterations, s->tolerance);
        return true;
    }
    mpno_scattering_get(w->solver, index, w->field);
    for (int part = 0; part < 2; part++) {
        for (int64_t i = 0; i < points; i++) w->part[i] = w->field[2 * i + part];
        store(job, w, w->part, (char *)lane->sample.out[1] + (size_t)part * bytes);
    }
    return true;
}

static void make(void *pointer, int worker, mpno_pde_work *work) {
    static const mpno_lanes_ops ops = {.begin = begin, .advance = advance, .finish = finish};
    const wave_job *job = pointer;
    mpno_lanes_run(&ops, LANES, &job->workers[worker], work);
}

const mpno_pde mpno_pde_helmholtz = {
    .name = "helmholtz",
    .summary = "waves of one frequency in a random medium: the medium to the wave",
    .description =
        "    Laplacian u + k^2 (1 + i eta) a u = f on a periodic box. x: a = 1 + contrast tanh g, "
        "g\n"
        "    random with covariance sigma^2 (tau^2 - Laplacian)^-alpha; f: a narrow source in the\n"
        "    middle; y: the real and imaginary part of u, whose spectrum has its peak at k, so "
        "that\n"
        "    networks that keep fewer than k length / 2 pi modes cannot hold it. Spectral in f64,\n"
        "    convergent Born series. Values stand at the nodes i L/N.\n",
    .grid = "nodes i L/N, i = 0 .. N-1, of a periodic box of sides L = length",
    .fields = fields,
    .matters = matters,
    .n_fields = sizeof fields / sizeof *fields,
    .settings_bytes = sizeof(wave_settings),
    .resolve = resolve,
    .describe = describe,
    .lanes = LANES,
    .job_bytes = sizeof(wave_job),
    .prepare = prepare,
    .release = release,
    .make = make,
};
