/* SPDX-License-Identifier: MIT
 * Random fields by a fast transform along one axis after the other: see random_field.h. An axis is
 * transformed with all others as its channels and then becomes the last one, so that after the last
 * transform all stand in their order again. Cosines and sines are the halves of a transform of
 * twice the length. */
#include "pde/random_field.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "transform/fft/fft.h"

#define PI 3.14159265358979323846
enum { MAX_DIMS = 3, TILE = 32 };

struct mpno_random_field {
    mpno_random_field_opts opts;
    int64_t modes[MAX_DIMS], points[MAX_DIMS], kept[MAX_DIMS], length[MAX_DIMS];
    mpno_fft *fft[MAX_DIMS];
    int64_t n_data, n_spectrum, n_line; /* most values between, in and after the transforms */
    size_t fft_bytes;
};

static void shape_axis(mpno_random_field *f, int t) {
    const int64_t n = f->opts.size[t];
    const bool periodic = f->opts.boundary == MPNO_PERIODIC;
    f->kept[t] = periodic ? (n - 1) / 2 + 1 : n;
    f->length[t] = periodic ? n : 2 * n;
    f->points[t] = periodic ? n : n + 1;
    f->modes[t] = periodic ? 2 * f->kept[t] - 1 : f->opts.boundary == MPNO_DIRICHLET ? n - 1 : n;
}

/* Product of the other axes when axis t is transformed: those before it are points already. */
static int64_t others(const mpno_random_field *f, int t) {
    int64_t n = 1;
    for (int s = 0; s < f->opts.ndim; s++) {
        if (s != t) n *= s < t ? f->points[s] : f->modes[s];
    }
    return n;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

mpno_status mpno_random_field_create(mpno_ctx *ctx, const mpno_random_field_opts *opts,
                                     mpno_random_field **out) {
    *out = NULL;
    mpno_random_field *f = NULL;
    MPNO_CHECK(ctx, opts->ndim >= 1 && opts->ndim <= MAX_DIMS, MPNO_E_ARGUMENT,
               "a random field of %d dimensions, expected 1 to %d", opts->ndim, MAX_DIMS);
    MPNO_TRY(mpno_alloc(ctx, sizeof *f, &f));
    f->opts = *opts;
    mpno_status status = MPNO_OK;
    for (int t = 0; t < opts->ndim; t++) {
        if (f->opts.length[t] <= 0) f->opts.length[t] = 1;
        shape_axis(f, t);
    }
    for (int t = 0; status == MPNO_OK && t < opts->ndim; t++) {
        const int64_t n = others(f, t);
        const mpno_fft_problem problem = {.kind = MPNO_FFT_REAL,
                                          .arithmetic = MPNO_F64,
                                          .ndim = 1,
                                          .size = {f->length[t]},
                                          .keep = {f->kept[t]}};
        status = mpno_fft_create(ctx, &problem, &f->fft[t]);
        if (status != MPNO_OK) break;
        f->n_data = larger(f->n_data, n * larger(f->modes[t], f->points[t]));
        f->n_spectrum = larger(f->n_spectrum, 2 * n * f->kept[t]);
        f->n_line = larger(f->n_line, n * f->length[t]);
        const size_t bytes = mpno_fft_scratch_bytes(f->fft[t], n, 1);
        if (bytes > f->fft_bytes) f->fft_bytes = bytes;
    }
    if (status != MPNO_OK) {
        mpno_random_field_destroy(ctx, &f);
        return status;
    }
    *out = f;
    return MPNO_OK;
}

void mpno_random_field_destroy(mpno_ctx *ctx, mpno_random_field **field) {
    if (!*field) return;
    for (int t = 0; t < (*field)->opts.ndim; t++) mpno_fft_destroy(ctx, &(*field)->fft[t]);
    mpno_free(ctx, *field);
    *field = NULL;
}

int64_t mpno_random_field_points(const mpno_random_field *field, int axis) {
    return field->points[axis];
}

int64_t mpno_random_field_modes(const mpno_random_field *field, int axis) {
    return field->modes[axis];
}

static size_t aligned(int64_t values) {
    return mpno_aligned((size_t)values * sizeof(double));
}

size_t mpno_random_field_scratch_bytes(const mpno_random_field *f) {
    return aligned(f->n_data) + aligned(f->n_spectrum) + aligned(f->n_line) + f->fft_bytes;
}

/* Wave number of mode j of an axis of length 1. */
static double wave(mpno_field_boundary boundary, int64_t j) {
    switch (boundary) {
        case MPNO_NEUMANN:
            return PI * (double)j;
        case MPNO_DIRICHLET:
            return PI * (double)(j + 1);
        case MPNO_PERIODIC:
            break;
    }
    return 2 * PI * (double)((j + 1) / 2);
}

double mpno_random_field_coefficient(const mpno_random_field *f, const int64_t j[3]) {
    const mpno_random_field_opts *o = &f->opts;
    double lambda = 0;
    for (int t = 0; t < o->ndim; t++) {
        const double k = wave(o->boundary, j[t]) / o->length[t];
        lambda += k * k;
    }
    return lambda > 0 ? o->sigma * pow(lambda + o->tau * o->tau, -o->alpha / 2) : 0;
}

/* Number of a mode, shell by shell of the largest index, so that it does not depend on the grid. */
static int64_t mode_number(int ndim, const int64_t j[3]) {
    if (ndim == 1) return j[0];
    const int64_t m = larger(j[0], larger(j[1], ndim == 3 ? j[2] : 0)), side = m + 1;
    if (ndim == 2) return m * m + (j[0] == m ? j[1] : side + j[0]);
    if (j[0] == m) return m * m * m + j[1] * side + j[2];
    if (j[1] == m) return m * m * m + side * side + j[0] * side + j[2];
    return m * m * m + side * side + m * side + j[0] * m + j[1];
}

static void draw(const mpno_random_field *f, uint64_t seed, uint32_t sample, uint32_t which,
                 double *out) {
    const int d = f->opts.ndim;
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_FIELD, sample);
    const int64_t n1 = d > 1 ? f->modes[1] : 1, n2 = d > 2 ? f->modes[2] : 1;
    for (int64_t j0 = 0; j0 < f->modes[0]; j0++) {
        for (int64_t j1 = 0; j1 < n1; j1++) {
            for (int64_t j2 = 0; j2 < n2; j2++) {
                const int64_t j[3] = {j0, j1, j2};
                rng.index = 4 * (((uint64_t)which << 40) + (uint64_t)mode_number(d, j));
                *out++ = mpno_random_field_coefficient(f, j) * mpno_rng_normal(&rng);
            }
        }
    }
}

static void scale_row(int64_t n, double factor, const double *in, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = factor * in[i];
}

/* Rows of modes to [frequency][real, imaginary][n]: cosines are real, sines imaginary parts. */
static void pack(const mpno_random_field *f, int t, int64_t n, const double *data,
                 double *spectrum) {
    const double root = sqrt(2.0);
    const size_t bytes = (size_t)n * sizeof(double);
    for (int64_t k = 0; k < f->kept[t]; k++) {
        double *re = spectrum + 2 * k * n, *im = re + n;
        memset(re, 0, 2 * bytes);
        switch (f->opts.boundary) {
            case MPNO_NEUMANN:
                scale_row(n, k ? root : 1, data + k * n, re);
                break;
            case MPNO_DIRICHLET:
                if (k) scale_row(n, -root, data + (k - 1) * n, im);
                break;
            case MPNO_PERIODIC:
                scale_row(n, k ? root : 1, data + (k ? 2 * k - 1 : 0) * n, re);
                if (k) scale_row(n, -root, data + 2 * k * n, im);
                break;
        }
    }
}

/* [rows][n] to [n][rows], tile by tile. */
static void transpose(int64_t rows, int64_t n, const double *in, double *out) {
    for (int64_t r = 0; r < rows; r += TILE) {
        for (int64_t c = 0; c < n; c += TILE) {
            const int64_t r_end = r + TILE < rows ? r + TILE : rows;
            const int64_t c_end = c + TILE < n ? c + TILE : n;
            for (int64_t j = c; j < c_end; j++) {
                for (int64_t i = r; i < r_end; i++) out[j * rows + i] = in[i * n + j];
            }
        }
    }
}

void mpno_random_field_sample(const mpno_random_field *f, uint64_t seed, uint32_t sample,
                              uint32_t which, void *scratch, double *out) {
    char *at = scratch;
    double *data = (double *)(void *)at;
    double *spectrum = (double *)(void *)(at + aligned(f->n_data));
    double *line = (double *)(void *)(at + aligned(f->n_data) + aligned(f->n_spectrum));
    const mpno_fft_call call = {.batch = 1,
                                .scale = 1,
                                .weighting = MPNO_FFT_PLAIN,
                                .field_format = MPNO_F64,
                                .spectrum_format = MPNO_F64,
                                .n_threads = 1,
                                .scratch = (char *)(void *)line + aligned(f->n_line)};
    draw(f, seed, sample, which, data);
    for (int t = 0; t < f->opts.ndim; t++) {
        mpno_fft_call this_call = call;
        this_call.channels = others(f, t);
        pack(f, t, this_call.channels, data, spectrum);
        (void)mpno_fft_inverse(f->fft[t], &this_call, spectrum, line); /* finite by construction */
        transpose(f->points[t], this_call.channels, line, t + 1 == f->opts.ndim ? out : data);
    }
}
