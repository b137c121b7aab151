/* SPDX-License-Identifier: MIT
 * Darcy flow -div(a grad u) = f in the unit box, u = 0 on its boundary, through a medium of two
 * phases: a = high where a Gaussian random field is at least `threshold`, low elsewhere. x is a, y
 * is u, both at the nodes i/N, i = 0 .. N-1: node 0 stands on the boundary, the far boundary i = N
 * is not stored. Error: that of the grid, of first order in the solve grid's spacing along the
 * interfaces (order 2 for smooth a), and the tolerance. Source of the recipe: Li et al., Fourier
 * neural operator (2021), appendix A.3. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "pde/multigrid.h"
#include "pde/pde.h"
#include "pde/random_field.h"

typedef struct darcy_settings {
    mpno_pde_common common;
    int64_t ndim;
    double alpha, tau, sigma;
    int boundary;
    double threshold, high, low, forcing;
    int x;
    mpno_int_list solve_resolution;
    double tolerance;
    int64_t max_iterations;
} darcy_settings;

enum { X_VALUE, X_PHASE };

#define MPNO_PDE_SETTINGS darcy_settings
#define MPNO_PDE_DEF "pde/darcy.def"
#include "pde/settings_fields.h"

typedef struct darcy_worker {
    mpno_multigrid *grid;
    void *scratch;             /* of the random field */
    double *field, *a, *f, *u; /* at the nodes of the solve grid */
} darcy_worker;

typedef struct darcy_job {
    const darcy_settings *settings; /* borrowed */
    mpno_random_field *field;
    int64_t nodes[3], step[3], kept[3]; /* of the solve grid; between kept nodes; of
                                              the file. 2-D and 1-D lie in the last axes */
    int n_workers;
    darcy_worker *workers;
} darcy_job;

static mpno_status resolve(mpno_ctx *ctx, void *settings) {
    darcy_settings *s = settings;
    mpno_int_list *kept = &s->common.resolution, *solved = &s->solve_resolution;
    MPNO_TRY(mpno_pde_expand(ctx, "resolution", s->ndim, kept));
    if (solved->n == 0) *solved = *kept;
    MPNO_TRY(mpno_pde_expand(ctx, "solve_resolution", s->ndim, solved));
    for (int64_t t = 0; t < s->ndim; t++) {
        MPNO_CHECK(ctx, solved->v[t] % kept->v[t] == 0, MPNO_E_CONFIG,
                   "solve_resolution: %lld is no multiple of resolution %lld, so that its nodes do "
                   "not hold those of the file; choose %lld",
                   (long long)solved->v[t], (long long)kept->v[t],
                   (long long)((solved->v[t] / kept->v[t] + 1) * kept->v[t]));
        MPNO_CHECK(ctx, solved->v[t] <= 2 * solved->v[0] && solved->v[0] <= 2 * solved->v[t],
                   MPNO_E_CONFIG,
                   "resolution: axes of %lld and %lld points to be solved, expected none to have "
                   "more than twice as many as another",
                   (long long)solved->v[0], (long long)solved->v[t]);
    }
    MPNO_CHECK(ctx, s->x == X_VALUE || s->common.layout == MPNO_LAYOUT_MPNO, MPNO_E_CONFIG,
               "x: PDEBench's layout holds the coefficient, not the phase; leave x out");
    if (isnan(s->sigma)) s->sigma = pow(s->tau, s->alpha - 0.5 * (double)s->ndim);
    MPNO_CHECK(ctx, isfinite(s->sigma) && s->sigma > 0, MPNO_E_CONFIG,
               "sigma: tau^(alpha - ndim/2) is %g, out of the range of numbers; give sigma",
               s->sigma);
    return MPNO_OK;
}

static int describe(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]) {
    const darcy_settings *s = settings;
    const mpno_element values = mpno_pde_element(&s->common);
    sets[0] = (mpno_pde_set){
        .name = "x",
        .meaning = s->x == X_PHASE ? "phase: 1 where a = high, 0 where a = low" : "coefficient a",
        .element = s->x == X_PHASE ? MPNO_ELEMENT_U8 : values,
        .ndim = (int)s->ndim};
    for (int64_t t = 0; t < s->ndim; t++) {
        static const char *const names[] = {"x", "y", "z"};
        const int64_t n = s->common.resolution.v[t];
        sets[0].shape[t] = n;
        sets[0].axes[t] = (mpno_pde_axis){MPNO_AXIS_SPACE, names[t], 0, 1.0 / (double)n};
    }
    sets[0].pdebench = "nu";
    sets[1] = sets[0];
    sets[1].name = "y";
    sets[1].meaning = "solution u";
    sets[1].element = values;
    sets[1].pdebench = "tensor";
    if (s->common.layout == MPNO_LAYOUT_PDEBENCH) { /* which has one time, of no meaning */
        memmove(sets[1].shape + 1, sets[0].shape, (size_t)s->ndim * sizeof *sets[0].shape);
        memmove(sets[1].axes + 1, sets[0].axes, (size_t)s->ndim * sizeof *sets[0].axes);
        sets[1].shape[0] = 1;
        sets[1].axes[0] = (mpno_pde_axis){MPNO_AXIS_TIME, "t", 0, 1};
        sets[1].ndim++;
    }
    return 2;
}

static int64_t count(const darcy_job *job) {
    return job->nodes[0] * job->nodes[1] * job->nodes[2];
}

static mpno_status create_worker(mpno_ctx *ctx, const darcy_job *job, darcy_worker *w) {
    const darcy_settings *s = job->settings;
    const int64_t n = count(job);
    const size_t bytes = (size_t)n * sizeof(double);
    MPNO_TRY(mpno_multigrid_create(ctx, (int)s->ndim, s->solve_resolution.v, &w->grid));
    MPNO_TRY(mpno_alloc_raw(ctx, mpno_random_field_scratch_bytes(job->field), &w->scratch));
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &w->field));
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &w->a));
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &w->u));
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &w->f));
    for (int64_t i = 0; i < n; i++) w->f[i] = s->forcing;
    return MPNO_OK;
}

static void release(mpno_ctx *ctx, void *pointer) {
    darcy_job *job = pointer;
    for (int i = 0; job->workers && i < job->n_workers; i++) {
        darcy_worker *w = &job->workers[i];
        mpno_multigrid_destroy(ctx, &w->grid);
        mpno_free(ctx, w->scratch);
        mpno_free(ctx, w->field);
        mpno_free(ctx, w->a);
        mpno_free(ctx, w->u);
        mpno_free(ctx, w->f);
    }
    mpno_free(ctx, job->workers);
    mpno_random_field_destroy(ctx, &job->field);
}

static mpno_status prepare(mpno_ctx *ctx, const void *settings, int n_workers, void *pointer) {
    const darcy_settings *s = settings;
    darcy_job *job = pointer;
    mpno_random_field_opts opts = {.ndim = (int)s->ndim,
                                   .boundary = (mpno_field_boundary)s->boundary,
                                   .alpha = s->alpha,
                                   .tau = s->tau,
                                   .sigma = s->sigma};
    const int64_t unused = 3 - s->ndim;
    for (int64_t t = 0; t < 3; t++) {
        const bool used = t >= unused;
        job->kept[t] = used ? s->common.resolution.v[t - unused] : 1;
        job->step[t] = used ? s->solve_resolution.v[t - unused] / job->kept[t] : 1;
        job->nodes[t] = used ? s->solve_resolution.v[t - unused] + 1 : 1;
        if (used) opts.size[t - unused] = s->solve_resolution.v[t - unused];
    }
    job->settings = settings;
    job->n_workers = n_workers;
    MPNO_TRY(mpno_random_field_create(ctx, &opts, &job->field));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)job->n_workers, sizeof *job->workers, &job->workers));
    for (int i = 0; i < job->n_workers; i++) MPNO_TRY(create_worker(ctx, job, &job->workers[i]));
    return MPNO_OK;
}

/* a at all nodes from the field, whose periodic kind does not hold the far boundary. */
static void make_coefficient(const darcy_job *job, darcy_worker *w) {
    const darcy_settings *s = job->settings;
    int64_t have[3] = {1, 1, 1};
    for (int t = 0; t < s->ndim; t++) {
        have[t + 3 - s->ndim] = mpno_random_field_points(job->field, t);
    }
    double *a = w->a;
    for (int64_t i = 0; i < job->nodes[0]; i++) {
        for (int64_t j = 0; j < job->nodes[1]; j++) {
            const double *row = w->field + ((i % have[0]) * have[1] + j % have[1]) * have[2];
            for (int64_t k = 0; k < job->nodes[2]; k++) {
                *a++ = row[k < have[2] ? k : 0] >= s->threshold ? s->high : s->low;
            }
        }
    }
}

/* The kept nodes of `values` as an element of the file. */
static void store(const darcy_job *job, const double *values, mpno_element element, void *out) {
    const double high = job->settings->high;
    int64_t n = 0;
    for (int64_t i = 0; i < job->kept[0]; i++) {
        for (int64_t j = 0; j < job->kept[1]; j++) {
            const double *row =
                values + (i * job->step[0] * job->nodes[1] + j * job->step[1]) * job->nodes[2];
            for (int64_t k = 0; k < job->kept[2]; k++, n++) {
                const double v = row[k * job->step[2]];
                if (element == MPNO_ELEMENT_U8) {
                    ((unsigned char *)out)[n] = v == high;
                } else if (element == MPNO_ELEMENT_F32) {
                    ((float *)out)[n] = (float)v;
                } else {
                    ((double *)out)[n] = v;
                }
            }
        }
    }
}

static void make_sample(const darcy_job *job, darcy_worker *w, const mpno_pde_sample *sample,
                        mpno_pde_outcome *outcome) {
    const darcy_settings *s = job->settings;
    mpno_multigrid_result result;
    mpno_pde_set sets[MPNO_PDE_MAX_SETS];
    outcome->failure[0] = '\0';
    mpno_random_field_sample(job->field, (uint64_t)s->common.seed, (uint32_t)sample->number, 0,
                             w->scratch, w->field);
    make_coefficient(job, w);
    const bool solved = mpno_multigrid_solve(w->grid, w->a, w->f, s->tolerance,
                                             (int)s->max_iterations, w->u, &result);
    outcome->iterations = result.iterations;
    if (!solved) {
        snprintf(outcome->failure, sizeof outcome->failure,
                 "the residual is %.2g after %d iterations, above tolerance %g; raise tolerance or "
                 "max_iterations",
                 result.residual, result.iterations, s->tolerance);
    }
    describe(s, sets);
    store(job, w->a, sets[0].element, sample->out[0]);
    store(job, w->u, sets[1].element, sample->out[1]);
}

static void make(void *job, int worker, mpno_pde_work *work) {
    mpno_pde_sample sample;
    mpno_pde_outcome outcome;
    while (mpno_pde_take(work, 0, &sample)) {
        make_sample(job, &((darcy_job *)job)->workers[worker], &sample, &outcome);
        mpno_pde_give(work, 0, &outcome);
    }
}

const mpno_pde mpno_pde_darcy = {
    .name = "darcy",
    .summary = "steady flow through a medium of two phases: its coefficient to the pressure",
    .description =
        "    -div(a grad u) = f in the unit box, u = 0 on its boundary. a is high where a "
        "Gaussian\n"
        "    random field is at least threshold (phase 1), low elsewhere (phase 0); x is a, y is\n"
        "    u. Values stand at the nodes i/N, i = 0 .. N-1: node 0 lies on the boundary, the far\n"
        "    boundary is not stored. Control volumes around the nodes, harmonic means of a on\n"
        "    their faces, conjugate gradients with multigrid in f64.\n"
        "    neuraloperator's small data sets look like high 0.36, low 0.02, alpha 3, tau 10.\n",
    .grid =
        "nodes i/N, i = 0 .. N-1, of the unit box: node 0 on the boundary, far boundary excluded",
    .fields = fields,
    .matters = matters,
    .n_fields = sizeof fields / sizeof *fields,
    .settings_bytes = sizeof(darcy_settings),
    .pdebench = {"beta", "forcing"},
    .resolve = resolve,
    .describe = describe,
    .lanes = 1,
    .job_bytes = sizeof(darcy_job),
    .prepare = prepare,
    .release = release,
    .make = make,
};
