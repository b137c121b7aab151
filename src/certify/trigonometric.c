/* SPDX-License-Identifier: MIT
 * See trigonometric.h. One axis after the other, each by the matrix of its interpolant, whose
 * elements are values of the Dirichlet kernel at multiples of 1 / (from to): angles are reduced as
 * whole numbers, so that none loses digits. */
#include "certify/trigonometric.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/field_kernels.h"

/* The interpolant of 1 at point j and 0 elsewhere, at point i of the other grid. */
static double element(int64_t from, int64_t to, int64_t i, int64_t j) {
    const double pi = 3.14159265358979323846;
    const int64_t all = from * to;
    const int64_t apart = ((i * from - j * to) % all + all) % all; /* x = apart / all */
    if (apart == 0) return 1;
    const double top = sin(pi * (double)(apart % (2 * to)) / (double)to); /* sin(pi from x) */
    const double angle = pi * (double)apart / (double)all;
    if (apart % to == 0) return 0; /* another point of the grid */
    return top / ((double)from * (from % 2 == 0 ? tan(angle) : sin(angle)));
}

typedef struct axis_job {
    int64_t from, to, inner; /* inner: values of a point of this axis */
    const double *matrix, *in;
    double *out;
} axis_job;

static void one_row(void *argument, int64_t task, int thread) {
    const axis_job *j = argument;
    const int64_t outer = task / j->to, i = task % j->to;
    (void)thread;
    mpno_field_kernels_get(MPNO_F64)->apply_matrix(
        j->out + task * j->inner, j->in + outer * j->from * j->inner, j->matrix + i * j->from, 0, 1,
        1, j->from, j->inner);
}

/* Values with the first n axes on the grid `to`. */
static size_t size_after(int ndim, const int64_t *from, const int64_t *to, int64_t width, int n) {
    size_t size = (size_t)width;
    for (int d = 0; d < ndim; d++) size *= (size_t)(d < n ? to[d] : from[d]);
    return size;
}

mpno_status mpno_trigonometric(mpno_ctx *ctx, int ndim, const int64_t *from, const int64_t *to,
                               int64_t width, const double *in, double *out) {
    double *made[MPNO_FFT_MAX_DIMS] = {NULL}, *matrix = NULL;
    mpno_status status = MPNO_OK;
    const double *last = in;
    for (int d = 0; d < ndim && status == MPNO_OK; d++) {
        const size_t size = size_after(ndim, from, to, width, d + 1);
        int64_t inner = width, outer = 1;
        for (int e = d + 1; e < ndim; e++) inner *= from[e];
        for (int e = 0; e < d; e++) outer *= to[e];
        if (d + 1 < ndim) status = mpno_alloc_array(ctx, size, sizeof(double), &made[d]);
        if (status == MPNO_OK)
            status = mpno_alloc_array(ctx, (size_t)(from[d] * to[d]), sizeof *matrix, &matrix);
        if (status != MPNO_OK) break;
        for (int64_t i = 0; i < to[d]; i++)
            for (int64_t k = 0; k < from[d]; k++)
                matrix[i * from[d] + k] = element(from[d], to[d], i, k);
        axis_job job = {from[d], to[d], inner, matrix, last, d + 1 < ndim ? made[d] : out};
        mpno_parallel(ctx->n_threads, outer * to[d], one_row, &job);
        last = job.out;
        mpno_free(ctx, matrix);
        matrix = NULL;
    }
    for (int d = 0; d < ndim; d++) mpno_free(ctx, made[d]);
    mpno_free(ctx, matrix);
    return status;
}

void mpno_every_second(int ndim, const int64_t *to, int64_t width, const double *in, double *out) {
    int64_t points = 1, at[MPNO_FFT_MAX_DIMS] = {0};
    for (int d = 0; d < ndim; d++) points *= to[d];
    for (int64_t p = 0; p < points; p++) {
        int64_t place = 0;
        for (int d = 0; d < ndim; d++) place = place * 2 * to[d] + 2 * at[d];
        memcpy(out + p * width, in + place * width, (size_t)width * sizeof *out);
        for (int d = ndim - 1; d >= 0 && ++at[d] == to[d]; d--) at[d] = 0;
    }
}
