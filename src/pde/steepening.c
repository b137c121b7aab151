/* SPDX-License-Identifier: MIT
 * Burgers' equation: see steepening.h. A row of all arrays is one number of each of the lanes. */
#include "pde/steepening.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "pde/exponential.h"
#include "transform/fft/fft.h"

#define PI 3.14159265358979323846
enum { LANES = MPNO_FLOW_LANES, ROW = MPNO_FLOW_ROW };

struct mpno_burgers {
    mpno_burgers_opts opts;
    const mpno_flow_kernels *kernels;
    mpno_fft *fft;
    int64_t rows;                      /* kept k >= 0 */
    double *u, *s, *sum, *rest, *rate; /* owned, like all: [rows][2][lanes] */
    double *factors;                   /* [MPNO_FLOW_FACTORS][rows][lanes] */
    double *field;                     /* [N][lanes] */
    void *scratch;
    double factors_dt[LANES];
};

static mpno_status allocate(mpno_ctx *ctx, mpno_burgers *b) {
    const size_t values = (size_t)(b->rows * ROW);
    double **const arrays[] = {&b->u, &b->s, &b->sum, &b->rest, &b->rate};
    const mpno_fft_problem problem = {.kind = MPNO_FFT_REAL,
                                      .arithmetic = MPNO_F64,
                                      .ndim = 1,
                                      .size = {b->opts.size},
                                      .keep = {b->rows}};
    MPNO_TRY(mpno_fft_create(ctx, &problem, &b->fft));
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        MPNO_TRY(mpno_alloc_array(ctx, values, sizeof(double), arrays[i]));
    }
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(b->rows * MPNO_FLOW_FACTORS * LANES), sizeof(double),
                              &b->factors));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(b->opts.size * LANES), sizeof(double), &b->field));
    return mpno_alloc_raw(ctx, mpno_fft_scratch_bytes(b->fft, LANES, 1), &b->scratch);
}

mpno_status mpno_burgers_create(mpno_ctx *ctx, const mpno_burgers_opts *opts, mpno_burgers **out) {
    mpno_burgers *b = NULL;
    *out = NULL;
    MPNO_CHECK(ctx, opts->size >= 4 && opts->size <= 1 << 20, MPNO_E_ARGUMENT,
               "Burgers' equation on %lld points, expected 4 to 2^20", (long long)opts->size);
    MPNO_TRY(mpno_alloc(ctx, sizeof *b, &b));
    b->opts = *opts;
    b->kernels = mpno_flow_kernels_get(ctx->isa);
    b->rows = (opts->size - 1) / 3 + 1;
    for (int l = 0; l < LANES; l++) b->factors_dt[l] = -1;
    const mpno_status status = allocate(ctx, b);
    if (status != MPNO_OK) mpno_burgers_destroy(ctx, &b);
    *out = b;
    return status;
}

void mpno_burgers_destroy(mpno_ctx *ctx, mpno_burgers **pointer) {
    mpno_burgers *b = *pointer;
    if (!b) return;
    void *const arrays[] = {b->u, b->s, b->sum, b->rest, b->rate, b->factors, b->field, b->scratch};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) mpno_free(ctx, arrays[i]);
    mpno_fft_destroy(ctx, &b->fft);
    mpno_free(ctx, b);
    *pointer = NULL;
}

int64_t mpno_burgers_modes(const mpno_burgers *b) {
    return b->rows;
}

void mpno_burgers_put(mpno_burgers *b, int lane, const double *u) {
    for (int64_t k = 0; k < b->rows; k++) {
        b->u[k * ROW + lane] = u[2 * k];
        b->u[k * ROW + LANES + lane] = k > 0 ? u[2 * k + 1] : 0;
    }
}

void mpno_burgers_get(const mpno_burgers *b, int lane, double *u) {
    for (int64_t k = 0; k < b->rows; k++) {
        u[2 * k] = b->u[k * ROW + lane];
        u[2 * k + 1] = b->u[k * ROW + LANES + lane];
    }
}

double mpno_burgers_tail(const mpno_burgers *b, int lane) {
    double all = 0, high = 0;
    for (int64_t k = 0; k < b->rows; k++) {
        const double re = b->u[k * ROW + lane], im = b->u[k * ROW + LANES + lane];
        const double square = re * re + im * im;
        all += square;
        if (6 * k >= 5 * b->rows) high += square;
    }
    return all > 0 ? sqrt(high / all) : 0;
}

/* ---- time steps ---- */

static double choose_step(const mpno_burgers *b, double most, double left) {
    const mpno_burgers_opts *o = &b->opts;
    if (left <= 0) return 0;
    double dt = o->dt;
    if (dt <= 0) {
        const double h = o->length / (double)o->size;
        const double decay = o->length / (4 * PI);
        dt = o->cfl * fmin(fmax(h, o->nu / most) / most, decay * decay / o->nu);
        dt = exp2(floor(8 * log2(dt)) / 8);
    }
    return left <= dt * (1 + 1e-9) ? left : dt;
}

static void fill_factors(mpno_burgers *b, int lane, double dt) {
    if (b->factors_dt[lane] == dt) return;
    b->factors_dt[lane] = dt;
    for (int64_t k = 0; k < b->rows; k++) {
        const double wave = 2 * PI / b->opts.length * (double)k;
        mpno_etd_factors(-b->opts.nu * wave * wave * dt, dt, b->factors + k * LANES + lane,
                         b->rows * LANES);
    }
}

/* rate = the coefficients of -(u^2 / 2)_x; most, sum: of |u| and u^2 over the grid. */
static void advect(mpno_burgers *b, const double *u, double most[LANES], double sum[LANES]) {
    const int64_t n = b->opts.size;
    mpno_fft_call call = {.batch = 1,
                          .channels = LANES,
                          .scale = 1,
                          .weighting = MPNO_FFT_HERMITIAN,
                          .field_format = MPNO_F64,
                          .spectrum_format = MPNO_F64,
                          .n_threads = 1,
                          .scratch = b->scratch};
    (void)mpno_fft_inverse(b->fft, &call, u, b->field); /* what is not finite shows in sum */
    memset(most, 0, LANES * sizeof *most);
    memset(sum, 0, LANES * sizeof *sum);
    for (int64_t i = 0; i < n; i++) {
        double *x = b->field + i * LANES;
        for (int l = 0; l < LANES; l++) {
            const double square = x[l] * x[l];
            most[l] = square > most[l] ? square : most[l];
            sum[l] += square;
            x[l] = square;
        }
    }
    for (int l = 0; l < LANES; l++) most[l] = sqrt(most[l]);
    call.scale = 1 / (double)n;
    call.weighting = MPNO_FFT_PLAIN;
    (void)mpno_fft_forward(b->fft, &call, b->field, b->rate);
    for (int64_t k = 0; k < b->rows; k++) {
        const double half = PI / b->opts.length * (double)k;
        double *re = b->rate + k * ROW, *im = re + LANES;
        for (int l = 0; l < LANES; l++) {
            const double was = re[l];
            re[l] = half * im[l];
            im[l] = -half * was;
        }
    }
}

void mpno_burgers_step_all(mpno_burgers *b, const double left[MPNO_FLOW_LANES],
                           double dt[MPNO_FLOW_LANES]) {
    double most[LANES], sum[LANES];
    for (int stage = 0; stage < 4; stage++) {
        advect(b, stage == 0 ? b->u : b->s, most, sum);
        for (int l = 0; stage == 0 && l < LANES; l++) {
            const bool finite = isfinite(sum[l]);
            dt[l] = finite ? choose_step(b, most[l], left[l]) : 0;
            fill_factors(b, l, dt[l]);
            if (!finite) dt[l] = NAN;
        }
        b->kernels->etd_stage(stage, b->rows, b->factors, b->rate, b->u, b->s, b->sum, b->rest);
    }
}
