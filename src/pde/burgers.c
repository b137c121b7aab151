/* SPDX-License-Identifier: MIT
 * Burgers' equation u_t + (u^2 / 2)_x = nu u_xx on a periodic box of length L, solved by
 * steepening.h. Recipes: `li`, u(0) with covariance 625 (25 - d_xx)^-2, nu = 0.1, u(0) to u(1) (Li
 * et al., Fourier neural operator, 2021); `pino`, smoother ones, 625^2 (25 - d_xx)^-4, nu = 0.01
 * (Li et al., PINO, 2021; neuraloperator's small sets hold every eighth point and every sixth time,
 * 0.06, .. 0.96); `pdebench`, sums of sines, viscosity nu / pi, to time 2 (Takamoto et al. 2022). x
 * and y are stored at the nodes i L/N, from the modes that both the solver and the grid of the file
 * hold. A sample of which the solve grid does not resolve a shock fails. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "pde/lanes.h"
#include "pde/pde.h"
#include "pde/periodic.h"
#include "pde/random_field.h"
#include "pde/steepening.h"
#include "pde/waves.h"

#define PI 3.14159265358979323846
#define MOST_TAIL 1e-3 /* mpno_burgers_tail of a field that is resolved: see there */

typedef struct burgers_settings {
    mpno_pde_common common;
    int recipe;
    double nu, length, final_time;
    int64_t snapshots;
    double alpha, tau, sigma;
    int64_t waves, k_max;
    double absolute, window;
    double cfl, dt;
    mpno_int_list solve_resolution;
} burgers_settings;

enum { LI, PINO, PDEBENCH };
enum { LANES = MPNO_FLOW_LANES };

#define MPNO_PDE_SETTINGS burgers_settings
#define MPNO_PDE_DEF "pde/burgers.def"
#include "pde/settings_fields.h"

/* A sample in work. */
typedef struct burgers_lane {
    mpno_pde_sample sample;
    int64_t stored; /* snapshots */
    double left;    /* time to the next one */
    int steps;
} burgers_lane;

typedef struct burgers_worker {
    const struct burgers_job *job;
    mpno_burgers *solver;
    burgers_lane lane[LANES];
    double left[LANES], dt[LANES]; /* of the step: at most, and taken */
    void *scratch;                 /* of the transforms and the random field */
    double *field;                 /* on the solve grid */
    double *spectrum;              /* of the solver */
} burgers_worker;

typedef struct burgers_job {
    const burgers_settings *settings; /* borrowed */
    mpno_random_field *random;
    mpno_fft *solve, *store; /* transforms of the solve grid and of the grid of the file */
    int n_workers;
    burgers_worker *workers;
} burgers_job;

/* ---- parameters ---- */

static double viscosity(const burgers_settings *s) {
    return s->recipe == PDEBENCH ? s->nu / PI : s->nu;
}

static void fill(double *value, double recipe) {
    if (isnan(*value)) *value = recipe;
}

static mpno_status resolve(mpno_ctx *ctx, void *settings) {
    burgers_settings *s = settings;
    mpno_int_list *kept = &s->common.resolution, *solved = &s->solve_resolution;
    fill(&s->nu, s->recipe == LI ? 0.1 : 0.01);
    fill(&s->final_time, s->recipe == PDEBENCH ? 2 : 1);
    fill(&s->alpha, s->recipe == LI ? 2 : 4);
    fill(&s->sigma, pow(s->tau, s->alpha));
    if (s->snapshots == MPNO_UNSET) {
        s->snapshots = s->common.layout == MPNO_LAYOUT_PDEBENCH ? 200 : 1;
    }
    MPNO_TRY(mpno_pde_expand(ctx, "resolution", 1, kept));
    if (solved->n == 0) {
        int64_t n = 256;
        while (n < 65536 && (double)n < 4 * s->length / viscosity(s)) n *= 2;
        *solved = (mpno_int_list){1, {n > kept->v[0] ? n : kept->v[0]}};
    }
    MPNO_TRY(mpno_pde_expand_solved(ctx, kept, solved));
    MPNO_CHECK(ctx, isfinite(s->sigma) && s->sigma > 0, MPNO_E_CONFIG,
               "sigma: tau^alpha is %g, out of the range of numbers; give sigma", s->sigma);
    return MPNO_OK;
}

static int describe(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const burgers_settings *s = settings;
    return mpno_pde_series(&s->common, s->length, s->final_time, s->snapshots, sets);
}

/* ---- memory ---- */

static void release(mpno_ctx *ctx, void *pointer) {
    burgers_job *job = pointer;
    for (int i = 0; job->workers && i < job->n_workers; i++) {
        burgers_worker *w = &job->workers[i];
        mpno_burgers_destroy(ctx, &w->solver);
        mpno_free(ctx, w->scratch);
        mpno_free(ctx, w->field);
        mpno_free(ctx, w->spectrum);
    }
    mpno_free(ctx, job->workers);
    mpno_fft_destroy(ctx, &job->solve);
    mpno_fft_destroy(ctx, &job->store);
    mpno_random_field_destroy(ctx, &job->random);
}

static mpno_status create_worker(mpno_ctx *ctx, const burgers_job *job, burgers_worker *w) {
    const burgers_settings *s = job->settings;
    const mpno_burgers_opts opts = {.size = s->solve_resolution.v[0],
                                    .length = s->length,
                                    .nu = viscosity(s),
                                    .cfl = s->cfl,
                                    .dt = s->dt};
    w->job = job;
    MPNO_TRY(mpno_burgers_create(ctx, &opts, &w->solver));
    MPNO_TRY(mpno_alloc_raw(ctx, mpno_periodic_scratch_bytes(job->solve, job->store, job->random),
                            &w->scratch));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)opts.size, sizeof(double), &w->field));
    return mpno_alloc_array(ctx, 2 * (size_t)mpno_burgers_modes(w->solver), sizeof(double),
                            &w->spectrum);
}

static mpno_status prepare(mpno_ctx *ctx, const void *settings, int n_workers, void *pointer) {
    const burgers_settings *s = settings;
    burgers_job *job = pointer;
    const int64_t solved = s->solve_resolution.v[0], file = s->common.resolution.v[0];
    const int64_t modes = (solved - 1) / 3 + 1, fits = (file - 1) / 2 + 1;
    const int64_t stored = modes < fits ? modes : fits;
    const mpno_random_field_opts random = {.ndim = 1,
                                           .size = {solved},
                                           .boundary = MPNO_PERIODIC,
                                           .alpha = s->alpha,
                                           .tau = s->tau,
                                           .sigma = s->sigma,
                                           .length = {s->length}};
    job->settings = settings;
    job->n_workers = n_workers;
    MPNO_TRY(mpno_random_field_create(ctx, &random, &job->random));
    MPNO_TRY(mpno_periodic_create(ctx, 1, &solved, &modes, &job->solve));
    MPNO_TRY(mpno_periodic_create(ctx, 1, &file, &stored, &job->store));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)job->n_workers, sizeof *job->workers, &job->workers));
    for (int i = 0; i < job->n_workers; i++) MPNO_TRY(create_worker(ctx, job, &job->workers[i]));
    return MPNO_OK;
}

/* ---- samples ---- */

/* The initial values of a sample in worker's field. */
static void draw(const burgers_job *job, burgers_worker *w, int64_t number) {
    const burgers_settings *s = job->settings;
    const int64_t n = s->solve_resolution.v[0];
    const uint64_t seed = (uint64_t)s->common.seed;
    if (s->recipe != PDEBENCH) {
        mpno_random_field_sample(job->random, seed, (uint32_t)number, 0, w->scratch, w->field);
        return;
    }
    const mpno_waves_opts opts = {s->waves, s->k_max, s->absolute, s->window};
    mpno_waves waves;
    mpno_waves_draw(&opts, seed, (uint32_t)number, &waves);
    for (int64_t i = 0; i < n; i++) w->field[i] = mpno_waves_at(&waves, (double)i / (double)n);
}

/* The field of worker's spectrum on the grid of the file. */
static void store(const burgers_job *job, burgers_worker *w, void *out) {
    mpno_periodic_store(job->store, w->spectrum, &job->settings->common, out, w->scratch);
}

static void begin(void *worker, int index, const mpno_pde_sample *sample) {
    burgers_worker *w = worker;
    const burgers_job *job = w->job;
    const burgers_settings *s = job->settings;
    burgers_lane *lane = &w->lane[index];
    lane->sample = *sample;
    draw(job, w, lane->sample.number);
    mpno_periodic_find(job->solve, w->field, w->spectrum, w->scratch);
    store(job, w, lane->sample.out[0]);
    mpno_burgers_put(w->solver, index, w->spectrum);
    lane->steps = 0;
    lane->stored = 0;
    lane->left = s->final_time / (double)s->snapshots;
}

/* Stores the field at which a lane has arrived; false: it is not resolved. */
static bool arrive(const burgers_job *job, burgers_worker *w, int index,
                   mpno_pde_outcome *outcome) {
    const burgers_settings *s = job->settings;
    burgers_lane *lane = &w->lane[index];
    const size_t bytes = (size_t)s->common.resolution.v[0] * mpno_pde_value_bytes(&s->common);
    const double tail = mpno_burgers_tail(w->solver, index);
    if (tail > MOST_TAIL) {
        snprintf(outcome->failure, sizeof outcome->failure,
                 "a shock is thinner than the grid: the last modes hold %.2g of u, at most %g is "
                 "allowed; give a solve_resolution above %lld",
                 tail, MOST_TAIL, (long long)s->solve_resolution.v[0]);
        return false;
    }
    mpno_burgers_get(w->solver, index, w->spectrum);
    store(job, w, (char *)lane->sample.out[1] + (size_t)lane->stored * bytes);
    lane->stored++;
    lane->left = s->final_time / (double)s->snapshots;
    return true;
}

static void advance(void *worker, const bool *busy) {
    burgers_worker *w = worker;
    for (int i = 0; i < LANES; i++) w->left[i] = busy[i] ? w->lane[i].left : 0;
    mpno_burgers_step_all(w->solver, w->left, w->dt);
}

static bool finish(void *worker, int index, mpno_pde_outcome *outcome) {
    burgers_worker *w = worker;
    const burgers_job *job = w->job;
    const double dt = w->dt[index];
    burgers_lane *lane = &w->lane[index];
    lane->steps++;
    outcome->iterations = lane->steps;
    if (isnan(dt)) {
        snprintf(outcome->failure, sizeof outcome->failure,
                 "u is not finite after %d steps; give a smaller %s or a finer solve_resolution",
                 lane->steps - 1, job->settings->dt > 0 ? "dt" : "cfl");
        return true;
    }
    lane->left -= dt;
    if (lane->left <= 0 && !arrive(job, w, index, outcome)) return true;
    return lane->stored == job->settings->snapshots;
}

static void make(void *pointer, int worker, mpno_pde_work *work) {
    static const mpno_lanes_ops ops = {.begin = begin, .advance = advance, .finish = finish};
    const burgers_job *job = pointer;
    mpno_lanes_run(&ops, LANES, &job->workers[worker], work);
}

const mpno_pde mpno_pde_burgers = {
    .name = "burgers",
    .summary = "one-dimensional viscous flow: initial to later values",
    .description =
        "    u_t + (u^2 / 2)_x = nu u_xx on a periodic box. Pseudo-spectral in f64, order 4 in\n"
        "    time. x: u at t = 0; y: u at final_time, or at several times.\n"
        "    li          u(0) random with covariance sigma^2 (tau^2 - d_xx)^-alpha; nu 0.1\n"
        "    pino        smoother ones, nu 0.01: neuraloperator's sets; with --final_time 0.96\n"
        "                --snapshots 16 their times\n"
        "    pdebench    u(0) a sum of sines with random amplitudes in [0, 1], periods and "
        "phases,\n"
        "                of some samples the absolute value or a part; viscosity nu / pi\n"
        "    Values stand at the nodes i L/N. Each sample has time steps of its own.\n",
    .grid = "nodes i L/N, i = 0 .. N-1, of a periodic box of length L",
    .fields = fields,
    .matters = matters,
    .n_fields = sizeof fields / sizeof *fields,
    .settings_bytes = sizeof(burgers_settings),
    .pdebench = {"Nu", "nu"},
    .resolve = resolve,
    .describe = describe,
    .lanes = LANES,
    .job_bytes = sizeof(burgers_job),
    .prepare = prepare,
    .release = release,
    .make = make,
};
