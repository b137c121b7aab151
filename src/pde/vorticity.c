/* SPDX-License-Identifier: MIT
 * The solver of vorticity.h. Between two steps `planes` holds, for each of the N1 lines of the
 * grid, the velocity z = u + iv transformed along x only: [N1][2 K2 - 1][2][lanes], ky from -m2 to
 * m2. A stage first goes line by line: transform along y, square, back; then column by column:
 * transform along x, advection, the integrator's sums, the velocity of the result, and back along
 * x. So a stage reads and writes the planes twice and the fields of the spectrum once, and all
 * else stays in the first two caches. */
#include "pde/vorticity.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "pde/exponential.h"
#include "transform/fft/line.h"
#include "transform/fft/rows.h"

#define PI 3.14159265358979323846
enum { LANES = MPNO_FLOW_LANES, ROW = MPNO_FLOW_ROW };

struct mpno_vorticity {
    mpno_vorticity_opts opts;
    const mpno_flow_kernels *kernels;
    const mpno_fft_kernels *fft;
    int64_t m[2], rows, columns, lines; /* rows: kept kx, columns: kept ky >= 0 */
    mpno_line forward[2], inverse[2];   /* along x: all frequencies in their order; y: kept ones */
    double *kx, *ky, *inverse_square, *keep; /* owned: [rows], [columns], [columns][rows] twice */
    int32_t *place, *mirror;                 /* owned: [rows] */
    double h;
};

struct mpno_flow_lanes {
    const mpno_vorticity *flow;
    double *w, *f, *s, *sum, *rest; /* owned, like all: [columns][rows][2][lanes] */
    double *factors;                /* of ETDRK4: [columns][MPNO_FLOW_FACTORS][rows][lanes] */
    double *planes;
    double *in[2], *out[2]; /* full columns ky and -ky: of z, whose dropped rows stay 0; of z^2 */
    double *line, *n, *scratch;
    double force[LANES]; /* max |f| */
    double factors_dt[LANES];
    bool changed; /* lanes were put: planes do not belong to w */
};

/* ---- the plan ---- */

static int64_t largest_kept(const mpno_vorticity_opts *o, int axis) {
    const double n1 = (double)o->size[0], n2 = (double)o->size[1];
    const int64_t below_nyquist = (o->size[axis] - 1) / 2;
    const int64_t radius = (int64_t)floor(sqrt(0.15 * (n1 * n1 + n2 * n2)));
    if (!o->circular) return (o->size[axis] - 1) / 3;
    return radius < below_nyquist ? radius : below_nyquist;
}

static bool kept(const mpno_vorticity *flow, int64_t k1, int64_t k2) {
    const double n1 = (double)flow->opts.size[0], n2 = (double)flow->opts.size[1];
    return !flow->opts.circular || (double)(k1 * k1 + k2 * k2) <= 0.15 * (n1 * n1 + n2 * n2);
}

static void fill_tables(mpno_vorticity *flow) {
    const mpno_vorticity_opts *o = &flow->opts;
    const double scale = 0.25 / ((double)o->size[0] * (double)o->size[1]);
    for (int64_t r = 0; r < flow->rows; r++) {
        const int64_t k = r - flow->m[0];
        flow->kx[r] = 2 * PI / o->length[0] * (double)k;
        flow->place[r] = (int32_t)(k < 0 ? k + o->size[0] : k);
        flow->mirror[r] = (int32_t)(k > 0 ? o->size[0] - k : -k);
    }
    for (int64_t c = 0; c < flow->columns; c++) {
        flow->ky[c] = 2 * PI / o->length[1] * (double)c;
        for (int64_t r = 0; r < flow->rows; r++) {
            const double square = flow->kx[r] * flow->kx[r] + flow->ky[c] * flow->ky[c];
            const bool on = square > 0 && kept(flow, r - flow->m[0], c);
            flow->inverse_square[c * flow->rows + r] = on ? 1 / square : 0;
            flow->keep[c * flow->rows + r] = on ? scale : 0;
        }
    }
}

static mpno_status plan(mpno_ctx *ctx, mpno_vorticity *flow) {
    const mpno_vorticity_opts *o = &flow->opts;
    const size_t rows = (size_t)flow->rows, columns = (size_t)flow->columns;
    const int64_t first[2] = {0, -flow->m[1]}, k[2] = {o->size[0], flow->lines};
    MPNO_TRY(mpno_alloc_array(ctx, rows, sizeof(double), &flow->kx));
    MPNO_TRY(mpno_alloc_array(ctx, columns, sizeof(double), &flow->ky));
    MPNO_TRY(mpno_alloc_array(ctx, rows * columns, sizeof(double), &flow->inverse_square));
    MPNO_TRY(mpno_alloc_array(ctx, rows * columns, sizeof(double), &flow->keep));
    MPNO_TRY(mpno_alloc_array(ctx, rows, sizeof(int32_t), &flow->place));
    MPNO_TRY(mpno_alloc_array(ctx, rows, sizeof(int32_t), &flow->mirror));
    fill_tables(flow);
    for (int t = 0; t < 2; t++) {
        MPNO_TRY(mpno_line_create(ctx, MPNO_F64, o->size[t], first[t], k[t], false, false,
                                  &flow->forward[t]));
        MPNO_TRY(mpno_line_create(ctx, MPNO_F64, o->size[t], first[t], k[t], true, false,
                                  &flow->inverse[t]));
    }
    return MPNO_OK;
}

mpno_status mpno_vorticity_create(mpno_ctx *ctx, const mpno_vorticity_opts *opts,
                                  mpno_vorticity **out) {
    mpno_vorticity *flow = NULL;
    *out = NULL;
    for (int t = 0; t < 2; t++) {
        MPNO_CHECK(ctx, opts->size[t] >= 4 && opts->size[t] <= 65536, MPNO_E_ARGUMENT,
                   "a flow of %lld points, expected 4 to 65536", (long long)opts->size[t]);
    }
    MPNO_TRY(mpno_alloc(ctx, sizeof *flow, &flow));
    flow->opts = *opts;
    flow->kernels = mpno_flow_kernels_get(ctx->isa);
    flow->fft = mpno_fft_kernels_get(ctx->isa, MPNO_F64);
    for (int t = 0; t < 2; t++) flow->m[t] = largest_kept(opts, t);
    flow->rows = 2 * flow->m[0] + 1;
    flow->columns = flow->m[1] + 1;
    flow->lines = 2 * flow->m[1] + 1;
    flow->h =
        fmin(opts->length[0] / (double)opts->size[0], opts->length[1] / (double)opts->size[1]);
    flow->h /= 2 * PI;
    const mpno_status status = plan(ctx, flow);
    if (status != MPNO_OK) mpno_vorticity_destroy(ctx, &flow);
    *out = flow;
    return status;
}

void mpno_vorticity_destroy(mpno_ctx *ctx, mpno_vorticity **pointer) {
    mpno_vorticity *flow = *pointer;
    if (!flow) return;
    for (int t = 0; t < 2; t++) {
        mpno_line_destroy(ctx, &flow->forward[t]);
        mpno_line_destroy(ctx, &flow->inverse[t]);
    }
    mpno_free(ctx, flow->kx);
    mpno_free(ctx, flow->ky);
    mpno_free(ctx, flow->inverse_square);
    mpno_free(ctx, flow->keep);
    mpno_free(ctx, flow->place);
    mpno_free(ctx, flow->mirror);
    mpno_free(ctx, flow);
    *pointer = NULL;
}

void mpno_vorticity_modes(const mpno_vorticity *flow, int64_t keep[2]) {
    keep[0] = flow->rows;
    keep[1] = flow->columns;
}

static int stages(const mpno_vorticity *flow) {
    return flow->opts.integrator == MPNO_FLOW_ETDRK4 ? 4 : 2;
}

double mpno_vorticity_flops(const mpno_vorticity *flow) {
    enum { POINT = 7, VELOCITY = 12, ADVECTION = 12, INTEGRATE = 8 }; /* see tmpl/flow.h */
    const double lines = (double)flow->lines, n1 = (double)flow->opts.size[0];
    const double x = lines * (flow->forward[0].flops + flow->inverse[0].flops);
    const double y = n1 * (flow->forward[1].flops + flow->inverse[1].flops);
    const double modes = (double)(flow->rows * flow->columns);
    const double points = n1 * (double)flow->opts.size[1];
    return stages(flow) * (x + y + POINT * points + (VELOCITY + ADVECTION + INTEGRATE) * modes);
}

double mpno_vorticity_bytes(const mpno_vorticity *flow) {
    const double planes = (double)(flow->opts.size[0] * flow->lines);
    const double modes = (double)(flow->rows * flow->columns);
    /* Planes are read and written twice a stage. Heun: w, f read and s written; s, w, f read and w
     * written. ETDRK4: w, f and 5 factors read, 3 written; 4, 3, 2; 3, 2, 2; 2, 1, 1. */
    const bool etd = flow->opts.integrator == MPNO_FLOW_ETDRK4;
    const double complexes =
        4 * stages(flow) * planes + (etd ? 2 + 3 + 4 + 2 + 3 + 2 + 2 + 1 : 7) * modes;
    return sizeof(double) * (2 * complexes + (etd ? 5 + 3 + 2 + 1 : 0) * modes);
}

/* ---- lanes ---- */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static mpno_status allocate(mpno_ctx *ctx, mpno_flow_lanes *lanes) {
    const mpno_vorticity *flow = lanes->flow;
    const bool etd = flow->opts.integrator == MPNO_FLOW_ETDRK4;
    const int64_t modes = flow->rows * flow->columns, n1 = flow->opts.size[0];
    const int64_t n2 = flow->opts.size[1];
    int64_t scratch = 0;
    for (int t = 0; t < 2; t++) {
        scratch = larger(scratch, mpno_line_scratch(&flow->forward[t], flow->fft, LANES));
        scratch = larger(scratch, mpno_line_scratch(&flow->inverse[t], flow->fft, LANES));
    }
    const struct {
        double **to;
        int64_t count;
    } arrays[] = {
        {&lanes->w, modes * ROW},
        {&lanes->f, modes * ROW},
        {&lanes->s, modes * ROW},
        {&lanes->sum, etd ? modes * ROW : 0},
        {&lanes->rest, etd ? modes * ROW : 0},
        {&lanes->factors, etd ? modes * MPNO_FLOW_FACTORS * LANES : 0},
        {&lanes->planes, n1 * flow->lines * ROW},
        {&lanes->in[0], n1 * ROW},
        {&lanes->in[1], n1 * ROW},
        {&lanes->out[0], n1 * ROW},
        {&lanes->out[1], n1 * ROW},
        {&lanes->line, n2 * ROW},
        {&lanes->n, flow->rows * ROW},
        {&lanes->scratch, scratch},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)arrays[i].count, sizeof(double), arrays[i].to));
    }
    return MPNO_OK;
}

mpno_status mpno_flow_lanes_create(mpno_ctx *ctx, const mpno_vorticity *flow,
                                   mpno_flow_lanes **out) {
    mpno_flow_lanes *lanes = NULL;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *lanes, &lanes));
    lanes->flow = flow;
    lanes->changed = true;
    for (int l = 0; l < LANES; l++) lanes->factors_dt[l] = -1;
    const mpno_status status = allocate(ctx, lanes);
    if (status != MPNO_OK) mpno_flow_lanes_destroy(ctx, &lanes);
    *out = lanes;
    return status;
}

void mpno_flow_lanes_destroy(mpno_ctx *ctx, mpno_flow_lanes **pointer) {
    mpno_flow_lanes *lanes = *pointer;
    if (!lanes) return;
    double *const arrays[] = {lanes->w,     lanes->f,       lanes->s,      lanes->sum,
                              lanes->rest,  lanes->factors, lanes->planes, lanes->in[0],
                              lanes->in[1], lanes->out[0],  lanes->out[1], lanes->line,
                              lanes->n,     lanes->scratch};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) mpno_free(ctx, arrays[i]);
    mpno_free(ctx, lanes);
    *pointer = NULL;
}

/* One lane of a field of the spectrum, with what is masked 0 and, where both k and -k are held,
 * the second made from the first: the field is real to the last bit. */
static void put(const mpno_vorticity *flow, int lane, const double *from, double *field) {
    for (int64_t c = 0; c < flow->columns; c++) {
        for (int64_t r = 0; r < flow->rows; r++) {
            const bool other = c == 0 && r < flow->m[0];
            const int64_t source = other ? flow->rows - 1 - r : r;
            const double *x = from ? from + 2 * (source * flow->columns + c) : NULL;
            const bool on = x && flow->keep[c * flow->rows + r] > 0;
            double *to = field + (c * flow->rows + r) * ROW + lane;
            to[0] = on ? x[0] : 0;
            to[LANES] = !on ? 0 : other ? -x[1] : x[1];
        }
    }
}

void mpno_flow_put(mpno_flow_lanes *lanes, int lane, const double *w, const double *f,
                   double most) {
    put(lanes->flow, lane, w, lanes->w);
    put(lanes->flow, lane, f, lanes->f);
    lanes->force[lane] = most;
    lanes->changed = true;
}

void mpno_flow_get(const mpno_flow_lanes *lanes, int lane, double *w) {
    const mpno_vorticity *flow = lanes->flow;
    for (int64_t r = 0; r < flow->rows; r++) {
        for (int64_t c = 0; c < flow->columns; c++) {
            const double *from = lanes->w + (c * flow->rows + r) * ROW + lane;
            *w++ = from[0];
            *w++ = from[LANES];
        }
    }
}

/* ---- time steps ---- */

static double choose_step(const mpno_flow_lanes *lanes, int lane, double most, double left) {
    const mpno_vorticity_opts *o = &lanes->flow->opts;
    const double h = lanes->flow->h;
    if (left <= 0) return 0;
    double dt = o->dt;
    if (dt <= 0) {
        const double box = pow(o->length[0] * o->length[1] / (4 * PI * PI), 0.75);
        const double force = lanes->force[lane];
        dt = o->cfl * h * h / (o->nu * (force > 0 ? sqrt(force) * box : 1));
        if (most > 0) dt = fmin(dt, o->cfl * h / sqrt(most));
        if (o->integrator == MPNO_FLOW_ETDRK4) dt = exp2(floor(8 * log2(dt)) / 8);
    }
    return left <= dt * (1 + 1e-9) ? left : dt;
}

static void fill_factors(mpno_flow_lanes *lanes, int lane, double dt) {
    const mpno_vorticity *flow = lanes->flow;
    if (lanes->factors_dt[lane] == dt) return;
    lanes->factors_dt[lane] = dt;
    for (int64_t c = 0; c < flow->columns; c++) {
        double *to = lanes->factors + c * MPNO_FLOW_FACTORS * flow->rows * LANES + lane;
        const int64_t plane = flow->rows * LANES;
        for (int64_t r = 0; r < flow->rows; r++, to += LANES) {
            const double square = flow->kx[r] * flow->kx[r] + flow->ky[c] * flow->ky[c];
            mpno_etd_factors(-flow->opts.nu * square * dt, dt, to, plane);
        }
    }
}

/* ---- one stage ---- */

static mpno_flow_column column_of(const mpno_vorticity *flow, int64_t c) {
    return (mpno_flow_column){.rows = flow->rows,
                              .place = flow->place,
                              .mirror = flow->mirror,
                              .kx = flow->kx,
                              .ky = flow->ky[c],
                              .inverse = flow->inverse_square + c * flow->rows,
                              .keep = flow->keep + c * flow->rows};
}

/* Rows x of the planes at one ky. */
static mpno_fft_rows plane_column(const mpno_flow_lanes *lanes, int64_t ky) {
    const mpno_vorticity *flow = lanes->flow;
    return (mpno_fft_rows){.data = lanes->planes + (ky + flow->m[1]) * ROW,
                           .stride = flow->lines * ROW,
                           .plane = LANES};
}

/* The velocity of column c of w, transformed along x into the planes. */
static void column_in(mpno_flow_lanes *lanes, int64_t c, const double *w) {
    const mpno_vorticity *flow = lanes->flow;
    const mpno_flow_column column = column_of(flow, c);
    flow->kernels->velocity(&column, w + c * flow->rows * ROW, lanes->in[0], lanes->in[1]);
    for (int side = 0; side < (c > 0 ? 2 : 1); side++) {
        const mpno_fft_rows from = mpno_rows_dense(lanes->in[side], LANES);
        const mpno_fft_rows to = plane_column(lanes, side ? -c : c);
        mpno_line_run(&flow->inverse[0], flow->fft, &to, &from, LANES, lanes->scratch);
    }
}

/* n of column c from the planes. */
static void column_out(mpno_flow_lanes *lanes, int64_t c) {
    const mpno_vorticity *flow = lanes->flow;
    const mpno_flow_column column = column_of(flow, c);
    for (int side = 0; side < (c > 0 ? 2 : 1); side++) {
        const mpno_fft_rows from = plane_column(lanes, side ? -c : c);
        const mpno_fft_rows to = mpno_rows_dense(lanes->out[side], LANES);
        mpno_line_run(&flow->forward[0], flow->fft, &to, &from, LANES, lanes->scratch);
    }
    flow->kernels->advection(&column, lanes->out[0], lanes->out[c > 0],
                             lanes->f + c * flow->rows * ROW, lanes->n);
}

/* Velocities of the planes become their squares; most, sum: of |z|^2 over the grid. */
static void square_lines(mpno_flow_lanes *lanes, double most[LANES], double sum[LANES]) {
    const mpno_vorticity *flow = lanes->flow;
    memset(most, 0, LANES * sizeof *most);
    memset(sum, 0, LANES * sizeof *sum);
    for (int64_t x = 0; x < flow->opts.size[0]; x++) {
        const mpno_fft_rows kept_rows =
            mpno_rows_dense(lanes->planes + x * flow->lines * ROW, LANES);
        const mpno_fft_rows line = mpno_rows_dense(lanes->line, LANES);
        mpno_line_run(&flow->inverse[1], flow->fft, &line, &kept_rows, LANES, lanes->scratch);
        flow->kernels->square(flow->opts.size[1], lanes->line, most, sum);
        mpno_line_run(&flow->forward[1], flow->fft, &kept_rows, &line, LANES, lanes->scratch);
    }
}

/* What the integrator does with n of column c; returns the field whose velocity comes next. */
static const double *integrate(mpno_flow_lanes *lanes, int stage, int64_t c,
                               const mpno_flow_step *step) {
    const mpno_vorticity *flow = lanes->flow;
    const mpno_flow_column column = column_of(flow, c);
    const int64_t at = c * flow->rows * ROW;
    double *w = lanes->w + at, *s = lanes->s + at;
    if (flow->opts.integrator == MPNO_FLOW_ETDRK4) {
        const double *factors = lanes->factors + c * MPNO_FLOW_FACTORS * flow->rows * LANES;
        flow->kernels->etd_stage(stage, flow->rows, factors, lanes->n, w, s, lanes->sum + at,
                                 lanes->rest + at);
        return stage == 3 ? lanes->w : lanes->s;
    }
    if (stage == 0) {
        flow->kernels->heun_predict(&column, step, lanes->n, w, s);
        return lanes->s;
    }
    flow->kernels->heun_correct(&column, step, lanes->n, s, w);
    return lanes->w;
}

void mpno_flow_step_all(mpno_flow_lanes *lanes, const double left[MPNO_FLOW_LANES],
                        double dt[MPNO_FLOW_LANES]) {
    const mpno_vorticity *flow = lanes->flow;
    const bool etd = flow->opts.integrator == MPNO_FLOW_ETDRK4;
    _Alignas(64) mpno_flow_step step = {.nu = flow->opts.nu};
    _Alignas(64) double most[LANES], sum[LANES];
    if (lanes->changed) {
        for (int64_t c = 0; c < flow->columns; c++) column_in(lanes, c, lanes->w);
    }
    lanes->changed = false;
    for (int stage = 0; stage < stages(flow); stage++) {
        square_lines(lanes, most, sum);
        for (int l = 0; stage == 0 && l < LANES; l++) {
            const bool finite = isfinite(sum[l]);
            step.dt[l] = finite ? choose_step(lanes, l, most[l], left[l]) : 0;
            dt[l] = finite ? step.dt[l] : NAN;
            if (etd) fill_factors(lanes, l, step.dt[l]);
        }
        for (int64_t c = 0; c < flow->columns; c++) {
            column_out(lanes, c);
            column_in(lanes, c, integrate(lanes, stage, c, &step));
        }
    }
}
