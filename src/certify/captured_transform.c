/* SPDX-License-Identifier: MIT
 * Captured errors of transforms, see captured_transform.h. A number is a pair a + r, r no more than
 * half a unit of a's last place; an axis is a product with a real matrix (the last axis: cosines
 * and sines of a real line) or with two (complex axes). As in captured.c leading parts multiply
 * exactly; the sums of what is left are off by at most terms u times the product of Frobenius
 * norms, and that is added up. */
#include "certify/captured_transform.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "certify/captured.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "transform/fft/roots.h"

#define U 0x1p-53
/* Roots of unity are those of long double, a few units of its last place off. */
#define ROOT_OFF (4 * (double)LDBL_EPSILON)
enum { WIDTH = 256 }; /* columns of a task, or one group where that is wider */

typedef struct pairs {
    double *a, *r;
} pairs;

/* An axis of n numbers to m: [outer][n][groups][group] to [outer][m][groups][group]. Complex: a
 * group is [2][channels], and out = (C -+ i S) in. */
typedef struct axis {
    mpno_ctx *ctx;
    const mpno_kernels *kernels;
    int64_t outer, n, m, groups, group;
    bool complex, inverse;
    double *high[2], *low[2];   /* [m][n] of cosines (or of all), of sines: leading part, rest */
    double high_norm, low_norm; /* Frobenius, of the larger matrix */
    int bits;
    int64_t together, room; /* groups of a task; numbers of a thread's room */
    pairs from, to;
    double *rooms, *offs; /* offs: of a task, squared */
} axis;

/* -------- matrices -------- */

static mpno_status make_matrices(axis *x) {
    const size_t count = (size_t)(x->n * x->m);
    double *values;
    MPNO_TRY(mpno_alloc_array(x->ctx, 4 * count, sizeof *values, &values));
    for (int i = 0; i < 2; i++)
        x->high[i] = values + 2 * (size_t)i * count, x->low[i] = x->high[i] + count;
    return MPNO_OK;
}

/* Entry `at` of matrix i, |value| <= 2: leading part a multiple of 2^(1 - bits). */
static void set(axis *x, int i, int64_t at, long double value) {
    const double shift = ldexp(1.5, 53 - x->bits);
    const double rounded = (double)value;
    x->high[i][at] = (rounded + shift) - shift;
    x->low[i][at] = (double)(value - x->high[i][at]);
}

static void measure_matrices(axis *x) {
    for (int i = 0; i < (x->complex ? 2 : 1); i++) {
        double high = 0, low = 0;
        for (int64_t k = 0; k < x->n * x->m; k++) {
            high += x->high[i][k] * x->high[i][k];
            low += x->low[i][k] * x->low[i][k];
        }
        x->high_norm = fmax(x->high_norm, sqrt(high));
        x->low_norm = fmax(x->low_norm, sqrt(low));
    }
}

/* The frequency j of an axis with K kept. */
static int64_t frequency(int64_t j, int64_t keep, bool last) {
    return last ? j : j - keep / 2;
}

static void fill(axis *x, int64_t size, int64_t keep, bool last) {
    for (int64_t k = 0; k < keep; k++)
        for (int64_t p = 0; p < size; p++) {
            const int64_t f = frequency(k, keep, last);
            long double cosine, sine;
            mpno_root((((f * p) % size) + size) % size, size, &cosine, &sine);
            if (last && !x->inverse) {
                set(x, 0, (2 * k) * size + p, cosine);
                set(x, 0, (2 * k + 1) * size + p, -sine);
            } else if (last) {
                const long double weight = k > 0 && 2 * k != size ? 2 : 1;
                set(x, 0, p * 2 * keep + 2 * k, weight * cosine);
                set(x, 0, p * 2 * keep + 2 * k + 1, -weight * sine);
            } else {
                const int64_t at = x->inverse ? p * keep + k : k * size + p;
                set(x, 0, at, cosine);
                set(x, 1, at, sine);
            }
        }
    measure_matrices(x);
}

/* -------- a product -------- */

typedef struct block {
    double *high, *low, *whole; /* of the operand, [n][width] */
    double *lead[2], *rest[2];  /* of both products, [m][width] */
} block;

/* The operand's columns parted, r among the rest; gives the norms of the rest and of all. */
static void part(const axis *x, const block *b, int64_t first, int64_t width, int64_t stride,
                 double *rest_norm, double *norm) {
    const int64_t n = x->n * width;
    double rest = 0;
    for (int64_t j = 0; j < x->n; j++)
        memcpy(b->whole + j * width, x->from.a + first + j * stride,
               (size_t)width * sizeof(double));
    const mpno_split parts = mpno_captured_split(b->whole, n, x->bits, b->high, b->low);
    for (int64_t i = 0; i < n; i++) {
        b->low[i] += x->from.r[first + i / width * stride + i % width];
        rest += b->low[i] * b->low[i];
    }
    *rest_norm = sqrt(rest);
    *norm = sqrt(parts.high) + sqrt(parts.low);
}

static void join(const axis *x, const block *b, int64_t first, int64_t width, int64_t stride) {
    const int64_t half = x->group / 2;
    for (int64_t k = 0; k < x->m; k++)
        for (int64_t c = 0; c < width; c++) {
            const int64_t at = k * width + c, to = first + k * stride + c;
            double lead = b->lead[0][at], rest = b->rest[0][at];
            if (x->complex) {
                const bool imaginary = c % x->group >= half;
                const int64_t other = imaginary ? at - half : at + half;
                const double sign = imaginary == x->inverse ? 1 : -1;
                lead += sign * b->lead[1][other]; /* exact */
                rest += sign * b->rest[1][other];
            }
            mpno_two_sum(lead, rest, &x->to.a[to], &x->to.r[to]);
        }
}

static void multiply(void *argument, int64_t task, int thread) {
    const axis *x = argument;
    const int64_t tasks = (x->groups + x->together - 1) / x->together, outer = task / tasks,
                  first_group = task % tasks * x->together, left = x->groups - first_group,
                  width = (left < x->together ? left : x->together) * x->group,
                  stride = x->groups * x->group, most = x->together * x->group;
    double *room = x->rooms + thread * x->room;
    block b = {.high = room, .low = room + x->n * most, .whole = room + 2 * x->n * most};
    for (int i = 0; i < 2; i++) {
        b.lead[i] = room + (3 * x->n + 2 * i * x->m) * most;
        b.rest[i] = b.lead[i] + x->m * most;
    }
    double rest, norm;
    part(x, &b, (outer * x->n) * stride + first_group * x->group, width, stride, &rest, &norm);
    for (int i = 0; i < (x->complex ? 2 : 1); i++) {
        x->kernels->gemm(x->m, width, x->n, x->high[i], x->n, b.high, width, b.lead[i], width, 0);
        x->kernels->gemm(x->m, width, x->n, x->high[i], x->n, b.low, width, b.rest[i], width, 0);
        x->kernels->gemm(x->m, width, x->n, x->low[i], x->n, b.whole, width, b.rest[i], width, 1);
    }
    join(x, &b, (outer * x->m) * stride + first_group * x->group, width, stride);
    /* the sums of the rest; the sum of the operand's two small parts; the product of the small
     * parts that is left out (r of at most u a); roots. Both matrices of a complex axis. */
    const double off =
        (2 * (double)x->n + 8) * U * (x->high_norm * rest + x->low_norm * norm) * 1.01 +
        ROOT_OFF * sqrt((double)(x->n * x->m)) * norm * 2;
    x->offs[task] = (x->complex ? 4 : 1) * off * off;
}

/* One axis; *off: the distance of all pairs from the exact numbers, carried on. */
static mpno_status run(axis *x, double *off) {
    x->together = WIDTH / x->group > 0 ? WIDTH / x->group : 1;
    if (x->together > x->groups) x->together = x->groups;
    x->room = (3 * x->n + 4 * x->m) * x->together * x->group;
    const int64_t tasks = x->outer * ((x->groups + x->together - 1) / x->together);
    double sum = 0;
    mpno_status status =
        mpno_alloc_array(x->ctx, (size_t)(x->ctx->n_threads * x->room), sizeof(double), &x->rooms);
    if (status == MPNO_OK)
        status = mpno_alloc_array(x->ctx, (size_t)tasks, sizeof(double), &x->offs);
    if (status == MPNO_OK) {
        mpno_parallel(x->ctx->n_threads, tasks, multiply, x);
        for (int64_t t = 0; t < tasks; t++) sum += x->offs[t];
        /* the norm of an axis is at most sqrt(2 n), n the points or twice the frequencies */
        *off = sqrt(2.0 * (double)(x->n > x->m ? x->n : x->m)) * *off + sqrt(sum);
    }
    mpno_free(x->ctx, x->rooms);
    mpno_free(x->ctx, x->offs);
    return status;
}

/* -------- a transform -------- */

typedef struct transform {
    mpno_ctx *ctx;
    const mpno_fft_problem *problem;
    bool inverse;
    int64_t channels;
    double *values; /* owned: four tensors as large as the largest one between axes */
    pairs now, next;
    double off;
} transform;

/* Numbers of the tensor in which the axes from d on are points, the others frequencies (or the
 * other way round): the largest of all. */
static size_t largest(const transform *t) {
    const mpno_fft_problem *p = t->problem;
    int64_t most = 0;
    for (int cut = 0; cut <= p->ndim; cut++) {
        int64_t numbers = t->channels * (cut == p->ndim ? 1 : 2);
        for (int d = 0; d < p->ndim; d++) numbers *= d < cut ? p->size[d] : p->keep[d];
        most = numbers > most ? numbers : most;
    }
    return (size_t)most;
}

static mpno_status one_axis(transform *t, int d) {
    const mpno_fft_problem *p = t->problem;
    const bool last = d + 1 == p->ndim;
    const int64_t modes = last ? 2 * p->keep[d] : p->keep[d];
    axis x = {.ctx = t->ctx,
              .kernels = mpno_kernels_get(t->ctx->isa, MPNO_F64),
              .outer = 1,
              .n = t->inverse ? modes : p->size[d],
              .m = t->inverse ? p->size[d] : modes,
              .groups = 1,
              .group = last ? t->channels : 2 * t->channels,
              .complex = !last,
              .inverse = t->inverse,
              .from = t->now,
              .to = t->next};
    for (int k = 0; k < d; k++) x.outer *= p->size[k];
    for (int k = d + 1; k < p->ndim; k++) x.groups *= p->keep[k];
    x.bits = mpno_captured_bits(4 * x.n); /* both products, matrices up to 2 */
    MPNO_TRY(make_matrices(&x));
    fill(&x, p->size[d], p->keep[d], last);
    const mpno_status status = run(&x, &t->off);
    mpno_free(t->ctx, x.high[0]);
    const pairs swap = t->now;
    t->now = t->next, t->next = swap;
    return status;
}

/* What the computed result is off by. Forward: points times it, without a rounding of the scale. */
static double compare(const transform *t, const double *computed) {
    const mpno_fft_problem *p = t->problem;
    const int64_t keep = p->keep[p->ndim - 1];
    int64_t points = 1, modes = 1;
    for (int d = 0; d < p->ndim; d++) points *= p->size[d], modes *= p->keep[d];
    const int64_t rows = t->inverse ? points : modes,
                  width = t->inverse ? t->channels : 2 * t->channels;
    const double scale = t->inverse ? 1 : (double)points;
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t k = i % keep;
        const double weight = !t->inverse && k > 0 ? 2 : 1; /* graph/bound.h */
        for (int64_t c = 0; c < width; c++) {
            const double r = t->now.r[i * width + c],
                         difference = fma(-scale, computed[i * width + c], t->now.a[i * width + c]),
                         off = fabs(difference + r) + 2 * U * (fabs(difference) + fabs(r));
            sum += weight * off * off;
        }
    }
    const double factor = t->inverse ? 1 / sqrt((double)points) : 1 / (double)points;
    return (1 + 1e-9) * factor * (sqrt(sum) + 1.5 * t->off);
}

mpno_status mpno_captured_transform(mpno_ctx *ctx, const mpno_fft_problem *problem, bool inverse,
                                    int64_t channels, const double *field, const double *spectrum,
                                    double *error) {
    transform t = {.ctx = ctx, .problem = problem, .inverse = inverse, .channels = channels};
    const size_t room = largest(&t);
    int64_t start = channels * (inverse ? 2 : 1);
    MPNO_TRY(mpno_alloc_array(ctx, 4 * room, sizeof(double), &t.values)); /* zeros */
    t.now = (pairs){t.values, t.values + room};
    t.next = (pairs){t.values + 2 * room, t.values + 3 * room};
    for (int d = 0; d < problem->ndim; d++) start *= inverse ? problem->keep[d] : problem->size[d];
    for (int64_t i = 0; i < start; i++) t.now.a[i] = inverse ? spectrum[i] : field[i];
    mpno_status status = MPNO_OK;
    for (int i = 0; i < problem->ndim && status == MPNO_OK; i++)
        status = one_axis(&t, inverse ? i : problem->ndim - 1 - i);
    if (status == MPNO_OK) *error = compare(&t, inverse ? field : spectrum);
    mpno_free(ctx, t.values);
    return status;
}
