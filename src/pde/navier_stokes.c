/* SPDX-License-Identifier: MIT
 * Navier-Stokes flow in two dimensions as vorticity w on a periodic box, solved by vorticity.h:
 *   w_t + u.grad w = nu Laplacian w + f,   u = (psi_y, -psi_x),   -Laplacian psi = w.
 * Recipes: `forcing`, random f and w(0) = 0 (the set of arXiv 2307.15034); `li`, random w(0) and
 * f = 0.1 (sin 2 pi (x + y) + cos 2 pi (x + y)) (Li et al., Fourier neural operator, 2021);
 * `kolmogorov`, random w(0), f = -4 cos 4y and a spin-up (Li et al., PINO, 2021). x and y are
 * stored at the nodes i L/N, from the modes that both the solver and the grid of the file hold. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "pde/lanes.h"
#include "pde/pde.h"
#include "pde/periodic.h"
#include "pde/random_field.h"
#include "pde/vorticity.h"

#define PI 3.14159265358979323846

typedef struct flow_settings {
    mpno_pde_common common;
    int recipe;
    double nu, length, final_time;
    int64_t snapshots;
    double spin_up, alpha, tau, sigma;
    int integrator;
    double cfl, dt;
    int dealias;
    mpno_int_list solve_resolution;
} flow_settings;

enum { FORCING, LI, KOLMOGOROV };
enum { DEALIAS_SQUARE, DEALIAS_CIRCULAR };
enum { LANES = MPNO_FLOW_LANES };

#define MPNO_PDE_SETTINGS flow_settings
#define MPNO_PDE_DEF "pde/navier_stokes.def"
#include "pde/settings_fields.h"

/* A sample in work. */
typedef struct flow_lane {
    mpno_pde_sample sample;
    int64_t stored; /* snapshots; -1: x is not stored, it follows the spin-up */
    double left;    /* time to the next field that is stored */
    int steps;
} flow_lane;

typedef struct flow_worker {
    const struct flow_job *job;
    mpno_flow_lanes *lanes;
    flow_lane lane[LANES];
    _Alignas(64) double left[LANES], dt[LANES]; /* of the step: at most, and taken */
    void *scratch;                              /* of the transforms and the random field */
    double *field;                              /* on the solve grid */
    double *spectrum;                           /* of the solver */
    double *kept;                               /* of the file */
} flow_worker;

typedef struct flow_job {
    const flow_settings *settings; /* borrowed */
    mpno_vorticity *flow;
    mpno_random_field *random;
    mpno_fft *solve, *store;    /* transforms of the solve grid and of the grid of the file */
    int64_t solved[2], kept[2]; /* modes: K1, K2 */
    double *forcing;            /* owned: spectrum of a forcing that is the same for all samples */
    double forcing_most;
    int n_workers;
    flow_worker *workers;
} flow_job;

/* ---- parameters ---- */

static void fill(double *value, double recipe) {
    if (isnan(*value)) *value = recipe;
}

static void fill_from_recipe(flow_settings *s) {
    const bool li = s->recipe == LI, kolmogorov = s->recipe == KOLMOGOROV;
    fill(&s->nu, li ? 1e-3 : kolmogorov ? 1.0 / 40 : 1.0 / 500);
    fill(&s->length, li ? 1 : 2 * PI);
    fill(&s->final_time, !li ? 5 : s->nu >= 1e-3 ? 50 : s->nu >= 1e-4 ? 30 : 20);
    fill(&s->spin_up, kolmogorov ? 100 : 0);
    fill(&s->alpha, s->recipe == FORCING ? 4 : 2.5);
    fill(&s->tau, li ? 7 : 3);
    fill(&s->sigma, pow(s->tau, s->alpha - 1) * (li ? 1 : sqrt(2)));
    fill(&s->cfl, s->integrator == MPNO_FLOW_ETDRK4 ? 2 : 0.5);
    if (s->snapshots == MPNO_UNSET) {
        const double units = fmin(fmax(round(s->final_time), 1), 65536);
        s->snapshots = kolmogorov ? 40 : li ? (int64_t)units : 1;
    }
}

static mpno_status resolve(mpno_ctx *ctx, void *settings) {
    flow_settings *s = settings;
    mpno_int_list *kept = &s->common.resolution, *solved = &s->solve_resolution;
    fill_from_recipe(s);
    MPNO_TRY(mpno_pde_expand(ctx, "resolution", 2, kept));
    MPNO_TRY(mpno_pde_expand_solved(ctx, kept, solved));
    for (int t = 0; t < 2; t++) {
        MPNO_CHECK(ctx, solved->v[t] >= 4, MPNO_E_CONFIG,
                   "resolution: %lld points cannot hold a flow, expected at least 4",
                   (long long)solved->v[t]);
    }
    MPNO_CHECK(ctx, isfinite(s->sigma) && s->sigma > 0, MPNO_E_CONFIG,
               "sigma: tau^(alpha - 1) is %g, out of the range of numbers; give sigma", s->sigma);
    MPNO_CHECK(ctx, s->recipe != FORCING || s->spin_up <= 0, MPNO_E_CONFIG,
               "spin_up: of the recipe forcing x is the forcing, there is no time before it; leave "
               "it out");
    return MPNO_OK;
}

static int describe(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const flow_settings *s = settings;
    const bool series = s->snapshots > 1 || s->common.layout == MPNO_LAYOUT_PDEBENCH;
    mpno_pde_set *x = &sets[0], *y = &sets[1];
    *x = (mpno_pde_set){.name = "x",
                        .meaning = s->recipe == FORCING ? "forcing f" : "vorticity w at t = 0",
                        .element = mpno_pde_element(&s->common),
                        .ndim = 2,
                        .pdebench = s->recipe == FORCING ? "force" : "tensor"};
    *y = *x;
    y->pdebench = "tensor";
    y->name = "y";
    y->meaning = series ? "vorticity w at times t" : "vorticity w at t = final_time";
    y->ndim = series ? 3 : 2;
    for (int t = 0; t < 2; t++) {
        const int64_t n = s->common.resolution.v[t];
        x->shape[t] = n;
        x->axes[t] = (mpno_pde_axis){MPNO_AXIS_SPACE, t ? "y" : "x", 0, s->length / (double)n};
        y->shape[t + series] = n;
        y->axes[t + series] = x->axes[t];
    }
    if (series) {
        const double step = s->final_time / (double)s->snapshots;
        y->shape[0] = s->snapshots;
        y->axes[0] = (mpno_pde_axis){MPNO_AXIS_TIME, "t", step, step};
    }
    return 2;
}

/* ---- memory ---- */

static void release(mpno_ctx *ctx, void *pointer) {
    flow_job *job = pointer;
    for (int i = 0; job->workers && i < job->n_workers; i++) {
        flow_worker *w = &job->workers[i];
        mpno_flow_lanes_destroy(ctx, &w->lanes);
        mpno_free(ctx, w->scratch);
        mpno_free(ctx, w->field);
        mpno_free(ctx, w->spectrum);
        mpno_free(ctx, w->kept);
    }
    mpno_free(ctx, job->workers);
    mpno_free(ctx, job->forcing);
    mpno_fft_destroy(ctx, &job->solve);
    mpno_fft_destroy(ctx, &job->store);
    mpno_random_field_destroy(ctx, &job->random);
    mpno_vorticity_destroy(ctx, &job->flow);
}

static mpno_status create_worker(mpno_ctx *ctx, const flow_job *job, flow_worker *w) {
    const size_t points = (size_t)mpno_fft_points(job->solve);
    const size_t solved = (size_t)(2 * job->solved[0] * job->solved[1]);
    const size_t kept = (size_t)(2 * job->kept[0] * job->kept[1]);
    w->job = job;
    MPNO_TRY(mpno_flow_lanes_create(ctx, job->flow, &w->lanes));
    MPNO_TRY(mpno_alloc_raw(ctx, mpno_periodic_scratch_bytes(job->solve, job->store, job->random),
                            &w->scratch));
    MPNO_TRY(mpno_alloc_array(ctx, points, sizeof(double), &w->field));
    MPNO_TRY(mpno_alloc_array(ctx, solved, sizeof(double), &w->spectrum));
    return mpno_alloc_array(ctx, kept, sizeof(double), &w->kept);
}

/* ---- fields ---- */

/* The spectrum of worker's field, and the largest magnitude in it. */
static double transform_field(const flow_job *job, flow_worker *w) {
    const int64_t points = mpno_fft_points(job->solve);
    double most = 0;
    for (int64_t i = 0; i < points; i++) most = fmax(most, fabs(w->field[i]));
    mpno_periodic_find(job->solve, w->field, w->spectrum, w->scratch);
    return most;
}

static void sample_field(const flow_job *job, flow_worker *w, int64_t number) {
    mpno_random_field_sample(job->random, (uint64_t)job->settings->common.seed, (uint32_t)number, 0,
                             w->scratch, w->field);
}

/* The forcing of li and kolmogorov on the solve grid. */
static void fixed_forcing(const flow_settings *s, double *field) {
    const int64_t n1 = s->solve_resolution.v[0], n2 = s->solve_resolution.v[1];
    for (int64_t i = 0; i < n1; i++) {
        for (int64_t j = 0; j < n2; j++) {
            const double x = 2 * PI * (double)i / (double)n1, y = 2 * PI * (double)j / (double)n2;
            *field++ = s->recipe == LI ? 0.1 * (sin(x + y) + cos(x + y)) : -4 * cos(4 * y);
        }
    }
}

static mpno_status create_forcing(mpno_ctx *ctx, flow_job *job) {
    flow_worker *w = &job->workers[0];
    const size_t bytes = (size_t)(2 * job->solved[0] * job->solved[1]) * sizeof(double);
    if (job->settings->recipe == FORCING) return MPNO_OK;
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &job->forcing));
    fixed_forcing(job->settings, w->field);
    job->forcing_most = transform_field(job, w);
    memcpy(job->forcing, w->spectrum, bytes);
    return MPNO_OK;
}

/* The field of worker's spectrum on the grid of the file. */
static void store(const flow_job *job, flow_worker *w, void *out) {
    const int64_t *solved = job->solved, *kept = job->kept;
    for (int64_t r = 0; r < kept[0]; r++) {
        const int64_t from = (solved[0] - kept[0]) / 2 + r;
        memcpy(w->kept + 2 * r * kept[1], w->spectrum + 2 * from * solved[1],
               (size_t)(2 * kept[1]) * sizeof(double));
    }
    mpno_periodic_store(job->store, w->kept, &job->settings->common, out, w->scratch);
}

static mpno_status prepare(mpno_ctx *ctx, const void *settings, int n_workers, void *pointer) {
    const flow_settings *s = settings;
    flow_job *job = pointer;
    const int64_t *grid = s->solve_resolution.v, *file = s->common.resolution.v;
    const mpno_vorticity_opts opts = {.size = {grid[0], grid[1]},
                                      .length = {s->length, s->length},
                                      .nu = s->nu,
                                      .integrator = (mpno_flow_integrator)s->integrator,
                                      .circular = s->dealias == DEALIAS_CIRCULAR,
                                      .cfl = s->cfl,
                                      .dt = s->dt};
    const mpno_random_field_opts random = {.ndim = 2,
                                           .size = {grid[0], grid[1]},
                                           .boundary = MPNO_PERIODIC,
                                           .alpha = s->alpha,
                                           .tau = s->tau,
                                           .sigma = s->sigma,
                                           .length = {s->length, s->length}};
    job->settings = settings;
    job->n_workers = n_workers;
    MPNO_TRY(mpno_vorticity_create(ctx, &opts, &job->flow));
    mpno_vorticity_modes(job->flow, job->solved);
    for (int t = 0; t < 2; t++) { /* frequencies below that of Nyquist */
        const int64_t fits = (file[t] - 1) / 2;
        const int64_t m = t ? job->solved[1] - 1 : job->solved[0] / 2, most = m < fits ? m : fits;
        job->kept[t] = t ? most + 1 : 2 * most + 1;
    }
    MPNO_TRY(mpno_random_field_create(ctx, &random, &job->random));
    MPNO_TRY(mpno_periodic_create(ctx, 2, grid, job->solved, &job->solve));
    MPNO_TRY(mpno_periodic_create(ctx, 2, file, job->kept, &job->store));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)job->n_workers, sizeof *job->workers, &job->workers));
    for (int i = 0; i < job->n_workers; i++) MPNO_TRY(create_worker(ctx, job, &job->workers[i]));
    return create_forcing(ctx, job);
}

/* ---- samples ---- */

static void begin(void *worker, int index, const mpno_pde_sample *sample) {
    flow_worker *w = worker;
    const flow_job *job = w->job;
    const flow_settings *s = job->settings;
    flow_lane *lane = &w->lane[index];
    lane->sample = *sample;
    sample_field(job, w, lane->sample.number);
    const double most = transform_field(job, w);
    lane->steps = 0;
    lane->stored = s->spin_up > 0 ? -1 : 0;
    lane->left = s->spin_up > 0 ? s->spin_up : s->final_time / (double)s->snapshots;
    if (lane->stored == 0) store(job, w, lane->sample.out[0]);
    if (s->recipe == FORCING) {
        mpno_flow_put(w->lanes, index, NULL, w->spectrum, most);
    } else {
        mpno_flow_put(w->lanes, index, w->spectrum, job->forcing, job->forcing_most);
    }
}

/* Stores the field at which a lane has arrived. */
static void arrive(const flow_job *job, flow_worker *w, int index) {
    const flow_settings *s = job->settings;
    flow_lane *lane = &w->lane[index];
    const size_t points = (size_t)mpno_fft_points(job->store);
    const size_t bytes = points * mpno_pde_value_bytes(&s->common);
    mpno_flow_get(w->lanes, index, w->spectrum);
    store(job, w,
          lane->stored < 0 ? lane->sample.out[0]
                           : (char *)lane->sample.out[1] + (size_t)lane->stored * bytes);
    lane->stored++;
    lane->left = s->final_time / (double)s->snapshots;
}

static void advance(void *worker, const bool *busy) {
    flow_worker *w = worker;
    for (int i = 0; i < LANES; i++) w->left[i] = busy[i] ? w->lane[i].left : 0;
    mpno_flow_step_all(w->lanes, w->left, w->dt);
}

static bool finish(void *worker, int index, mpno_pde_outcome *outcome) {
    flow_worker *w = worker;
    const flow_job *job = w->job;
    const flow_settings *s = job->settings;
    const double dt = w->dt[index];
    flow_lane *lane = &w->lane[index];
    lane->steps++;
    outcome->iterations = lane->steps;
    if (isnan(dt)) {
        snprintf(outcome->failure, sizeof outcome->failure,
                 "the vorticity is not finite after %d steps; give a smaller %s or a finer "
                 "solve_resolution",
                 lane->steps - 1, s->dt > 0 ? "dt" : "cfl");
        return true;
    }
    lane->left -= dt;
    if (lane->left <= 0) arrive(job, w, index);
    return lane->stored == s->snapshots;
}

static void make(void *pointer, int worker, mpno_pde_work *work) {
    static const mpno_lanes_ops ops = {.begin = begin, .advance = advance, .finish = finish};
    const flow_job *job = pointer;
    mpno_lanes_run(&ops, LANES, &job->workers[worker], work);
}

const mpno_pde mpno_pde_navier_stokes = {
    .name = "navier_stokes",
    .summary = "two-dimensional flow on a torus: forcing or initial vorticity to later vorticity",
    .description =
        "    w_t + u.grad w = nu Laplacian w + f on a periodic box, u = (psi_y, -psi_x),\n"
        "    -Laplacian psi = w. Pseudo-spectral in f64. What is random has mean 0 and covariance\n"
        "    sigma^2 (tau^2 - Laplacian)^-alpha.\n"
        "    forcing     x: random f; y: w at time 5, w(0) = 0; Re 500, sides 2 pi\n"
        "    li          x: random w(0); y: w at times 1, 2, ..;\n"
        "                f = 0.1 (sin 2 pi (x + y) + cos 2 pi (x + y)), sides 1\n"
        "    kolmogorov  x: w after a spin-up from a random one; y: w at later times;\n"
        "                f = -4 cos 4y, sides 2 pi\n"
        "    Values stand at the nodes i L/N. Each sample has time steps of its own.\n",
    .grid = "nodes i L/N, i = 0 .. N-1, of a periodic box of sides L = length",
    .fields = fields,
    .matters = matters,
    .n_fields = sizeof fields / sizeof *fields,
    .settings_bytes = sizeof(flow_settings),
    .pdebench = {"Nu", "nu"},
    .resolve = resolve,
    .describe = describe,
    .lanes = LANES,
    .job_bytes = sizeof(flow_job),
    .prepare = prepare,
    .release = release,
    .make = make,
};
