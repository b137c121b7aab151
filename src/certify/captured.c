/* SPDX-License-Identifier: MIT
 * Captured rounding errors, see captured.h. With x = x_h + x_l and w = w_h + w_l, x_h multiples of
 * 2^(e - b) below 2^e and w_h multiples of 2^(f - b) below 2^f, every partial sum of n products x_h
 * w_h is a multiple of 2^(e + f - 2b) below n 2^(e + f): exact while n 2^(2b) <= 2^53, in any order
 * and with or without fused operations. What is left, x_l w + x_h w_l, is 2^-b times smaller, and
 * so are its rounding errors, which are bounded. */
#include "certify/captured.h"

#include <math.h>

#include "core/memory.h"
#include "core/parallel.h"

#define U 0x1p-53
enum { ROWS = 64 }; /* of a task */

int mpno_captured_bits(int64_t n) {
    int bits = 0;
    while (((int64_t)1 << bits) < n) bits++;
    return (53 - bits) / 2;
}

mpno_split mpno_captured_split(const double *x, int64_t n, int bits, double *high, double *low) {
    double most = 0;
    int exponent;
    mpno_split norms = {0};
    for (int64_t i = 0; i < n; i++) most = fabs(x[i]) > most ? fabs(x[i]) : most;
    (void)frexp(most, &exponent); /* most < 2^exponent */
    /* adding 1.5 2^52 units leaves a multiple of the unit; |x| <= 2^51 units */
    const double shift = ldexp(1.5, exponent - bits + 52);
    for (int64_t i = 0; i < n; i++) {
        const double sum = x[i] + shift;
        high[i] = sum - shift;
        low[i] = x[i] - high[i];
        norms.high += high[i] * high[i];
        norms.low += low[i] * low[i];
    }
    return norms;
}

/* An element: exact = high + low + b, but for what `low` is off by. */
static double miss(double y, double high, double low, double b) {
    double sum, rest;
    mpno_two_sum(high, b, &sum, &rest);
    const double difference = sum - y, residual = difference + (rest + low);
    return fabs(residual) + 4 * U * (fabs(difference) + fabs(rest) + fabs(low));
}

/* What products below the least normal number may lose, with room for as many as there are. */
#define TINY 0x1p-1000

/* -------- rows -------- */

typedef struct linear_job {
    const mpno_kernels *kernels;
    int64_t rows, inputs, outputs, room; /* room: numbers of a task */
    int bits;
    const double *x, *b, *y;
    const double *w, *w_high, *w_low; /* [inputs][outputs] */
    mpno_split w_norms;
    double w_norm; /* Frobenius */
    double *rooms, *sums;
} linear_job;

static void linear_rows(void *argument, int64_t task, int thread) {
    const linear_job *j = argument;
    const int64_t first = task * ROWS, left = j->rows - first, rows = left < ROWS ? left : ROWS,
                  n = j->inputs, m = j->outputs;
    double *high = j->rooms + thread * j->room, *low = high + ROWS * n, *product = low + ROWS * n,
           *rest = product + ROWS * m;
    const double *x = j->x + first * n, *y = j->y + first * m;
    const mpno_split norms = mpno_captured_split(x, rows * n, j->bits, high, low);
    j->kernels->gemm(rows, m, n, high, n, j->w_high, m, product, m, 0);
    j->kernels->gemm(rows, m, n, low, n, j->w, m, rest, m, 0);
    j->kernels->gemm(rows, m, n, high, n, j->w_low, m, rest, m, 1);
    /* of one element at most what all of them together are off by */
    const double off = 1.01 * (double)(2 * n + 4) * U *
                       (sqrt(norms.low) * j->w_norm + sqrt(norms.high * j->w_norms.low));
    double sum = 0;
    for (int64_t i = 0; i < rows * m; i++) {
        const double e = miss(y[i], product[i], rest[i], j->b != NULL ? j->b[i % m] : 0);
        sum += e * e;
    }
    const double norm = sqrt(sum) + off;
    j->sums[task] = norm * norm;
}

mpno_status mpno_captured_linear(mpno_ctx *ctx, int64_t rows, int64_t inputs, int64_t outputs,
                                 const double *x, const double *w, const double *b, const double *y,
                                 double *error) {
    const int64_t tasks = (rows + ROWS - 1) / ROWS, count = inputs * outputs;
    const mpno_kernels *kernels = mpno_kernels_get(ctx->isa, MPNO_F64);
    linear_job j = {.kernels = kernels,
                    .rows = rows,
                    .inputs = inputs,
                    .outputs = outputs,
                    .x = x,
                    .b = b,
                    .y = y};
    double *parts = NULL;
    j.room = 2 * ROWS * (inputs + outputs);
    j.bits = mpno_captured_bits(inputs);
    mpno_status status = mpno_alloc_array(ctx, (size_t)(3 * count), sizeof *parts, &parts);
    if (status == MPNO_OK)
        status =
            mpno_alloc_array(ctx, (size_t)(ctx->n_threads * j.room), sizeof *j.rooms, &j.rooms);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, (size_t)tasks, sizeof *j.sums, &j.sums);
    if (status == MPNO_OK) {
        double *turned = parts, *high = parts + count, *low = high + count, sum = 0;
        kernels->transpose(turned, outputs, w, inputs, outputs, inputs);
        j.w_norms = mpno_captured_split(turned, count, j.bits, high, low);
        j.w_norm = sqrt(j.w_norms.high) + sqrt(j.w_norms.low);
        j.w = turned, j.w_high = high, j.w_low = low;
        mpno_parallel(ctx->n_threads, tasks, linear_rows, &j);
        for (int64_t t = 0; t < tasks; t++) sum += j.sums[t];
        *error = (1 + 1e-9) * sqrt(sum / (double)rows) + TINY;
    }
    mpno_free(ctx, parts);
    mpno_free(ctx, j.rooms);
    mpno_free(ctx, j.sums);
    return status;
}

double mpno_captured_gelu(int64_t rows, int64_t channels, const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < rows * channels; i++) {
        const double off = x[i] > 0 ? 2.5 * x[i] : 11 * fabs(y[i]) + 0.5 * fabs(x[i]);
        sum += off * off;
    }
    return (1 + 1e-9) * U * sqrt(sum / (double)rows) + TINY;
}

/* -------- modes -------- */

typedef struct modes_job {
    const mpno_captured_modes *m;
    const mpno_kernels *kernels;
    int bits;
    int64_t room;
    double *rooms, *sums;
} modes_job;

static void one_mode(void *argument, int64_t mode, int thread) {
    const modes_job *j = argument;
    const int64_t n = j->m->inputs, m = j->m->outputs, plane = n * m;
    const double *x = j->m->x + mode * 2 * n, *y = j->m->y + mode * 2 * m,
                 *w = j->m->w + (j->m->blocks != NULL ? j->m->blocks[mode] : 0) * 2 * plane;
    double *w_high = j->rooms + thread * j->room, *w_low = w_high + 2 * plane,
           *high = w_low + 2 * plane, *low = high + 2 * n, *product = low + 2 * n,
           *rest = product + 2 * m;
    const mpno_split of_w = mpno_captured_split(w, 2 * plane, j->bits, w_high, w_low),
                     of_x = mpno_captured_split(x, 2 * n, j->bits, high, low);
    const mpno_planes matrix = {(void *)w, m, 1, plane, NULL}, m_high = {w_high, m, 1, plane, NULL},
                      m_low = {w_low, m, 1, plane, NULL}, row_high = {high, n, 1, n, NULL},
                      row_low = {low, n, 1, n, NULL}, first = {product, m, 1, m, NULL},
                      second = {rest, m, 1, m, NULL};
    (void)j->kernels->gemm_complex(1, m, n, &row_high, &m_high, &first, 0);
    (void)j->kernels->gemm_complex(1, m, n, &row_low, &matrix, &second, 0);
    (void)j->kernels->gemm_complex(1, m, n, &row_high, &m_low, &second, 1);
    const double norm_w = sqrt(of_w.high) + sqrt(of_w.low),
                 off = 1.5 * (double)(4 * n + 4) * U *
                       (sqrt(of_x.low) * norm_w + sqrt(of_x.high * of_w.low));
    double sum = 0;
    for (int64_t i = 0; i < 2 * m; i++) {
        const double e = miss(y[i], product[i], rest[i], 0);
        sum += e * e;
    }
    const double norm = sqrt(sum) + off;
    j->sums[mode] = norm * norm * (j->m->weights != NULL ? j->m->weights[mode] : 1);
}

mpno_status mpno_captured_contract(mpno_ctx *ctx, const mpno_captured_modes *modes, double *error) {
    const int64_t plane = modes->inputs * modes->outputs;
    modes_job j = {.m = modes,
                   .kernels = mpno_kernels_get(ctx->isa, MPNO_F64),
                   .bits = mpno_captured_bits(2 * modes->inputs),
                   .room = 4 * (plane + modes->inputs + modes->outputs)};
    mpno_status status =
        mpno_alloc_array(ctx, (size_t)(ctx->n_threads * j.room), sizeof *j.rooms, &j.rooms);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, (size_t)modes->modes, sizeof *j.sums, &j.sums);
    if (status == MPNO_OK) {
        double sum = 0;
        mpno_parallel(ctx->n_threads, modes->modes, one_mode, &j);
        for (int64_t k = 0; k < modes->modes; k++) sum += j.sums[k];
        *error = (1 + 1e-9) * sqrt(sum) + TINY;
    }
    mpno_free(ctx, j.rooms);
    mpno_free(ctx, j.sums);
    return status;
}
