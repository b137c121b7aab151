/* SPDX-License-Identifier: MIT
 * Upper bounds of spectral norms. With G_0 = A^H A and G_(j+1) = G_j^2, each scaled by a power of
 * two, |A|_2 <= |G_j|_F^(1 / 2^(j+1)) in exact arithmetic (Delattre et al., arXiv 2305.16173). Here
 * every product G^H G is made Hermitian as it is stored, comes with a bound E of its own rounding,
 * and the roots are taken backwards through |G_j|_2^2 <= 2^s |G_(j+1)|_2 + E, so that nothing is
 * assumed of errors of earlier products. Names of statements: docs/theory/spectral_norm.md. */
#include "certify/spectral_norm.h"

#include <math.h>
#include <string.h>

#include "certify/upwards.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"

enum { MOST_STEPS = 60 };

/* planes[0] re, planes[1] im (NULL: real), row after row. */
typedef struct matrix {
    int64_t rows, cols;
    double *planes[2];
} matrix;

static double largest(const matrix *m) {
    double most = 0;
    for (int p = 0; p < 2 && m->planes[p] != NULL; p++)
        for (int64_t i = 0; i < m->rows * m->cols; i++) {
            const double x = fabs(m->planes[p][i]);
            if (!(x <= DBL_MAX)) return INFINITY;
            if (x > most) most = x;
        }
    return most;
}

/* Divides by the power of two that brings the greatest component into [1/2, 1); its exponent. */
static int scale(matrix *m) {
    int exponent;
    (void)frexp(largest(m), &exponent);
    const double half = ldexp(1, -exponent / 2), rest = ldexp(1, -(exponent - exponent / 2));
    for (int p = 0; p < 2 && m->planes[p] != NULL; p++)
        for (int64_t i = 0; i < m->rows * m->cols; i++)
            m->planes[p][i] = m->planes[p][i] * half * rest; /* 2^-exponent may be no number */
    return exponent;
}

/* S2: not below |m|_F^2, for m as scale() leaves it. */
static double square_bound(const matrix *m) {
    double sum = 0;
    for (int p = 0; p < 2 && m->planes[p] != NULL; p++)
        for (int64_t i = 0; i < m->rows * m->cols; i++) sum += m->planes[p][i] * m->planes[p][i];
    return mpno_up(sum, 2 * m->rows * m->cols + 1);
}

/* S2: not below the product of the greatest sums of moduli of rows and of columns. sums: [cols]. */
static double sums_bound(const matrix *m, double *sums) {
    double most_row = 0, most_col = 0;
    memset(sums, 0, (size_t)m->cols * sizeof *sums);
    for (int64_t i = 0; i < m->rows; i++) {
        double row = 0;
        for (int64_t k = 0; k < m->cols; k++) {
            const double re = m->planes[0][i * m->cols + k];
            const double im = m->planes[1] == NULL ? 0 : m->planes[1][i * m->cols + k];
            const double size = sqrt(re * re + im * im);
            row += size;
            sums[k] += size;
        }
        if (row > most_row) most_row = row;
    }
    for (int64_t k = 0; k < m->cols; k++)
        if (sums[k] > most_col) most_col = sums[k];
    return mpno_up(most_row * most_col, m->rows + m->cols + 7);
}

/* Row r of m^H m, from the diagonal on: one more of m's rows at a time. */
static void gram_row(const matrix *m, int64_t r, double *restrict re, double *restrict im) {
    const int64_t n = m->cols;
    for (int64_t i = 0; i < m->rows; i++) {
        const double *restrict a = m->planes[0] + i * n;
        const double x = a[r];
        if (m->planes[1] == NULL) {
            for (int64_t k = r; k < n; k++) re[k] += x * a[k];
            continue;
        }
        const double *restrict b = m->planes[1] + i * n;
        const double y = b[r];
        for (int64_t k = r; k < n; k++) {
            re[k] += x * a[k] + y * b[k];
            im[k] += x * b[k] - y * a[k];
        }
    }
}

/* product = m^H m rounded, Hermitian to the last bit. */
static void gram(const matrix *m, matrix *product) {
    const int64_t n = m->cols;
    double *re = product->planes[0], *im = product->planes[1];
    memset(re, 0, (size_t)(n * n) * sizeof *re);
    if (im != NULL) memset(im, 0, (size_t)(n * n) * sizeof *im);
    for (int64_t r = 0; r < n; r++) {
        gram_row(m, r, re + r * n, im == NULL ? NULL : im + r * n);
        if (im != NULL) im[r * n + r] = 0;
        for (int64_t k = r + 1; k < n; k++) {
            re[k * n + r] = re[r * n + k];
            if (im != NULL) im[k * n + r] = -im[r * n + k];
        }
    }
}

static double lesser(double a, double b) {
    return a < b ? a : b;
}

/* Of a matrix of finite numbers, not all zero; a has no more columns than rows and is
 * scaled; b is room for two products, sums for a row. */
static double bound_of(matrix *a, matrix b[2], double *sums, int steps) {
    double square[MOST_STEPS + 2] = {0}, error[MOST_STEPS + 2] = {0};
    int shift[MOST_STEPS + 2] = {0};
    const int exponent = scale(a);
    matrix *m = a;
    for (int j = 0; j <= steps + 1; j++) {
        const double frobenius = square_bound(m);
        square[j] = lesser(frobenius, sums_bound(m, sums)); /* of |m|_2^2 */
        if (j == steps + 1) break;
        error[j] = mpno_up(3.0 * (double)m->rows * (DBL_EPSILON / 2) * frobenius, 1); /* S3 */
        gram(m, &b[j % 2]);
        m = &b[j % 2];
        shift[j] = scale(m);
    }
    double norm = mpno_up(sqrt(square[steps + 1]), 1);
    for (int j = steps; j >= 0; j--) { /* S4 */
        const double from_next = mpno_up(ldexp(norm, shift[j]) + error[j], 2);
        norm = mpno_up(sqrt(lesser(square[j], from_next)), 1);
    }
    norm = ldexp(mpno_up(norm, 1), exponent); /* S5 */
    return norm < DBL_MIN ? nextafter(norm, INFINITY) : norm;
}

typedef struct job {
    mpno_matrices in;
    const double *planes[2]; /* in place of in.data, where it is NULL */
    int steps;
    double *bounds;  /* [blocks] */
    double *scratch; /* [threads][room] */
    size_t room;
} job;

static double number(const job *j, int64_t block, int plane, int64_t at) {
    if (j->in.data == NULL) return j->planes[plane][at];
    const int64_t parts = j->in.is_complex ? 2 : 1;
    const int64_t i = (block * parts + plane) * j->in.rows * j->in.cols + at;
    return mpno_real_at(j->in.format, j->in.data, i);
}

/* The long side becomes that of rows, so that products have the short one: a matrix has the norm of
 * its transpose. */
static void load(const job *j, int64_t block, matrix *a) {
    const bool turned = j->in.rows < j->in.cols;
    for (int p = 0; p < 2 && a->planes[p] != NULL; p++)
        for (int64_t i = 0; i < a->rows; i++)
            for (int64_t k = 0; k < a->cols; k++)
                a->planes[p][i * a->cols + k] =
                    number(j, block, p, turned ? k * a->rows + i : i * a->cols + k);
}

static void bound_block(void *argument, int64_t block, int thread) {
    const job *j = argument;
    const int64_t rows = j->in.rows > j->in.cols ? j->in.rows : j->in.cols;
    const int64_t cols = j->in.rows > j->in.cols ? j->in.cols : j->in.rows;
    double *at = j->scratch + (size_t)thread * j->room;
    matrix m[3] = {
        {rows, cols, {NULL, NULL}}, {cols, cols, {NULL, NULL}}, {cols, cols, {NULL, NULL}}};
    for (int i = 0; i < 3; i++)
        for (int p = 0; p < (j->in.is_complex ? 2 : 1); p++) {
            m[i].planes[p] = at;
            at += m[i].rows * m[i].cols;
        }
    load(j, block, &m[0]);
    const double most = largest(&m[0]);
    if (most > 0 && most <= DBL_MAX)
        j->bounds[block] = bound_of(&m[0], m + 1, at, j->steps);
    else
        j->bounds[block] = most;
}

/* Numbers of scratch of a thread. */
static size_t room_of(const mpno_matrices *in) {
    const int64_t side = in->rows < in->cols ? in->rows : in->cols;
    return (size_t)(in->rows * in->cols + 2 * side * side) * (in->is_complex ? 2 : 1) +
           (size_t)side;
}

size_t mpno_spectral_norms_scratch(const mpno_matrices *matrices, int n_threads) {
    return (size_t)n_threads * room_of(matrices) * sizeof(double);
}

void mpno_spectral_norms_into(const mpno_matrices *matrices, int steps, int n_threads,
                              double *scratch, double *bounds) {
    job j = {.in = *matrices,
             .steps = steps,
             .bounds = bounds,
             .scratch = scratch,
             .room = room_of(matrices)};
    mpno_parallel(n_threads, matrices->blocks, bound_block, &j);
}

static mpno_status run(mpno_ctx *ctx, job *j, double *bounds, double *most) {
    const mpno_matrices *in = &j->in;
    const int64_t side = INT64_C(1) << 24;
    MPNO_CHECK(
        ctx,
        in->blocks >= 1 && in->rows >= 1 && in->cols >= 1 && in->rows <= side && in->cols <= side,
        MPNO_E_ARGUMENT,
        "spectral norms of %lld matrices of %lld rows and %lld columns; there must be at "
        "least one, with sides from 1 to %lld",
        (long long)in->blocks, (long long)in->rows, (long long)in->cols, (long long)side);
    MPNO_CHECK(ctx, j->steps >= 0 && j->steps <= MOST_STEPS, MPNO_E_ARGUMENT,
               "a spectral norm with %d steps; give 0 to %d", j->steps, MOST_STEPS);
    MPNO_CHECK(ctx, in->format == MPNO_F32 || in->format == MPNO_F64, MPNO_E_ARGUMENT,
               "spectral norms of matrices in %s; they must be f32 or f64",
               mpno_format_get(in->format)->name);
    j->room = room_of(in);
    double *made = NULL;
    j->scratch = NULL;
    mpno_status status =
        mpno_alloc(ctx, mpno_spectral_norms_scratch(in, ctx->n_threads), &j->scratch);
    if (status == MPNO_OK && bounds == NULL)
        status = mpno_alloc_array(ctx, (size_t)in->blocks, sizeof *made, &made);
    if (status == MPNO_OK) {
        j->bounds = bounds == NULL ? made : bounds;
        mpno_parallel(ctx->n_threads, in->blocks, bound_block, j);
        double greatest = 0;
        for (int64_t b = 0; b < in->blocks; b++)
            if (j->bounds[b] > greatest) greatest = j->bounds[b];
        if (most != NULL) *most = greatest;
    }
    mpno_free(ctx, made);
    mpno_free(ctx, j->scratch);
    return status;
}

mpno_status mpno_spectral_norms(mpno_ctx *ctx, const mpno_matrices *matrices, int steps,
                                double *bounds, double *most) {
    job j = {.in = *matrices, .steps = steps};
    return run(ctx, &j, bounds, most);
}

mpno_status mpno_spectral_norm(mpno_ctx *ctx, int64_t rows, int64_t cols, const double *re,
                               const double *im, int steps, double *bound) {
    job j = {.in = {NULL, MPNO_F64, 1, rows, cols, im != NULL}, .planes = {re, im}, .steps = steps};
    return run(ctx, &j, bound, NULL);
}

mpno_matrices mpno_param_matrices(const mpno_model *model, int param) {
    const mpno_param *p = &model->params[param];
    return (mpno_matrices){p->data,        model->arithmetic, p->weight.blocks,
                           p->weight.rows, p->weight.cols,    p->weight.is_complex};
}

mpno_status mpno_block_norms(mpno_ctx *ctx, const mpno_matrices *m, int steps, mpno_bound *out) {
    const int64_t plane = m->rows * m->cols, count = plane * (m->is_complex ? 2 : 1);
    const size_t bytes = mpno_format_bytes(m->format);
    const mpno_kernels *kernels = mpno_kernels_get(ctx->isa, MPNO_F64);
    double *block;
    *out = (mpno_bound){0};
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)count, sizeof *block, &block));
    for (int64_t k = 0; k < m->blocks; k++) {
        double sum = 0, most = 0;
        kernels->load(block, (const char *)m->data + (size_t)(k * count) * bytes, m->format, count);
        for (int64_t i = 0; i < plane; i++) {
            const double im = m->is_complex ? block[plane + i] : 0;
            const double square = block[i] * block[i] + im * im;
            sum += square;
            most = fmax(most, square);
        }
        out->most = fmax(out->most, MPNO_ENLARGED * sqrt(most));
        out->frobenius = fmax(out->frobenius, MPNO_ENLARGED * sqrt(sum));
    }
    mpno_free(ctx, block);
    out->norm = out->frobenius;
    if (m->rows == 1 || m->cols == 1) return MPNO_OK;
    return mpno_spectral_norms(ctx, m, steps, NULL, &out->norm);
}
