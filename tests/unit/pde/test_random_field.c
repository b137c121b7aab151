/* SPDX-License-Identifier: MIT
 * Random fields: covariance at pairs of nodes against the sum over modes, within 4 standard
 * errors; the same field on every grid; numbers that depend on seed, sample and field alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pde/random_field.h"
#include "unit/pde/support.h"

#define PI 3.14159265358979323846

typedef struct sampler {
    mpno_random_field_opts opts;
    mpno_random_field *field;
    void *scratch;
    int64_t n;
    double *values;
} sampler;

static sampler open_sampler(mpno_random_field_opts opts) {
    sampler s = {.opts = opts, .n = 1};
    assert_int_equal(mpno_random_field_create(ctx, &opts, &s.field), MPNO_OK);
    s.scratch = aligned_alloc(64, (mpno_random_field_scratch_bytes(s.field) + 63) / 64 * 64);
    for (int t = 0; t < opts.ndim; t++) s.n *= mpno_random_field_points(s.field, t);
    s.values = malloc((size_t)s.n * sizeof(double));
    assert_true(s.scratch && s.values);
    return s;
}

static void close_sampler(sampler *s) {
    free(s->scratch);
    free(s->values);
    mpno_random_field_destroy(ctx, &s->field);
}

/* Mode j of an axis at x: written from the header. */
static double mode(mpno_field_boundary boundary, int64_t j, double x) {
    const double root = sqrt(2.0);
    if (boundary == MPNO_NEUMANN) return j ? root * cos(PI * (double)j * x) : 1;
    if (boundary == MPNO_DIRICHLET) return root * sin(PI * (double)(j + 1) * x);
    const double k = (double)((j + 1) / 2);
    if (j == 0) return 1;
    return root * (j % 2 ? cos(2 * PI * k * x) : sin(2 * PI * k * x));
}

static double wave_number(mpno_field_boundary boundary, int64_t j) {
    if (boundary == MPNO_NEUMANN) return PI * (double)j;
    if (boundary == MPNO_DIRICHLET) return PI * (double)(j + 1);
    return 2 * PI * (double)((j + 1) / 2);
}

static double at(const sampler *s, int64_t i, const int64_t j[3]) {
    double v = 1;
    for (int t = s->opts.ndim - 1; t >= 0; t--) {
        const int64_t n = mpno_random_field_points(s->field, t);
        v *= mode(s->opts.boundary, j[t], (double)(i % n) / (double)s->opts.size[t]);
        i /= n;
    }
    return v;
}

static double covariance(const sampler *s, int64_t a, int64_t b) {
    const mpno_random_field_opts *o = &s->opts;
    int64_t m[3] = {1, 1, 1}, j[3];
    double sum = 0;
    for (int t = 0; t < o->ndim; t++) {
        m[t] = o->boundary == MPNO_NEUMANN     ? o->size[t]
               : o->boundary == MPNO_DIRICHLET ? o->size[t] - 1
                                               : 2 * ((o->size[t] - 1) / 2) + 1;
    }
    for (j[0] = 0; j[0] < m[0]; j[0]++) {
        for (j[1] = 0; j[1] < m[1]; j[1]++) {
            for (j[2] = 0; j[2] < m[2]; j[2]++) {
                double lambda = 0;
                for (int t = 0; t < o->ndim; t++) {
                    const double length = o->length[t] > 0 ? o->length[t] : 1;
                    lambda += pow(wave_number(o->boundary, j[t]) / length, 2);
                }
                if (lambda <= 0) continue;
                const double c = o->sigma * pow(lambda + o->tau * o->tau, -o->alpha / 2);
                sum += c * c * at(s, a, j) * at(s, b, j);
            }
        }
    }
    return sum;
}

static void check_covariance(mpno_random_field_opts opts, int64_t n_samples) {
    enum { PAIRS = 12 };
    sampler s = open_sampler(opts);
    double sum[PAIRS] = {0};
    int64_t first[PAIRS], second[PAIRS];
    for (int p = 0; p < PAIRS; p++) {
        first[p] = (7 * p + 3) % s.n;
        second[p] = p % 3 == 0 ? first[p] : (11 * p * p + 5) % s.n;
    }
    for (int64_t k = 0; k < n_samples; k++) {
        mpno_random_field_sample(s.field, 11, (uint32_t)k, 0, s.scratch, s.values);
        for (int p = 0; p < PAIRS; p++) sum[p] += s.values[first[p]] * s.values[second[p]];
    }
    for (int p = 0; p < PAIRS; p++) {
        const double c = covariance(&s, first[p], second[p]);
        const double square =
            covariance(&s, first[p], first[p]) * covariance(&s, second[p], second[p]) + c * c;
        const double error = sqrt(square / (double)n_samples);
        assert_true(fabs(sum[p] / (double)n_samples - c) <= 4 * error + 1e-12);
    }
    close_sampler(&s);
}

static void covariances(void **state) {
    (void)state;
    static const mpno_field_boundary all[] = {MPNO_NEUMANN, MPNO_DIRICHLET, MPNO_PERIODIC};
    for (int b = 0; b < 3; b++) {
        mpno_random_field_opts opts = {1, {9}, all[b], 1.5, 4, 2, {0}};
        check_covariance(opts, 100000);
        opts = (mpno_random_field_opts){2, {8, 6}, all[b], 2, 3, 3, {0}};
        check_covariance(opts, 100000);
        opts = (mpno_random_field_opts){3, {4, 5, 6}, all[b], 2.5, 5, 1, {1, 2, 0.5}};
        check_covariance(opts, 100000);
        opts = (mpno_random_field_opts){2, {6, 8}, all[b], 2, 3, 3, {2 * PI, 1.5}};
        check_covariance(opts, 100000);
    }
}

/* A field smooth enough that the modes of the coarse grid are all that counts. */
static void finer_grids_keep_the_field(void **state) {
    (void)state;
    static const mpno_field_boundary all[] = {MPNO_NEUMANN, MPNO_DIRICHLET, MPNO_PERIODIC};
    for (int b = 0; b < 3; b++) {
        for (int ndim = 1; ndim <= 3; ndim++) {
            mpno_random_field_opts opts = {ndim, {12, 12, 12}, all[b], 16, 1, 1, {0}};
            sampler coarse = open_sampler(opts);
            for (int t = 0; t < ndim; t++) opts.size[t] = 24;
            sampler fine = open_sampler(opts);
            mpno_random_field_sample(coarse.field, 5, 77, 2, coarse.scratch, coarse.values);
            mpno_random_field_sample(fine.field, 5, 77, 2, fine.scratch, fine.values);
            double top = 0, worst = 0;
            for (int64_t i = 0; i < coarse.n; i++) {
                int64_t rest = i, k = 0, stride = 1;
                for (int t = ndim - 1; t >= 0; t--) {
                    const int64_t n = mpno_random_field_points(coarse.field, t);
                    k += 2 * (rest % n) * stride;
                    stride *= mpno_random_field_points(fine.field, t);
                    rest /= n;
                }
                top = fmax(top, fabs(coarse.values[i]));
                worst = fmax(worst, fabs(coarse.values[i] - fine.values[k]));
            }
            assert_true(top > 0 && worst < 1e-6 * top);
            close_sampler(&coarse);
            close_sampler(&fine);
        }
    }
}

static void samples_differ(void **state) {
    (void)state;
    sampler s = open_sampler((mpno_random_field_opts){2, {8, 8}, MPNO_NEUMANN, 2, 3, 3, {0}});
    const size_t bytes = (size_t)s.n * sizeof(double);
    double *first = malloc(bytes);
    mpno_random_field_sample(s.field, 1, 1, 0, s.scratch, first);
    const uint64_t others[][3] = {{2, 1, 0}, {1, 2, 0}, {1, 1, 1}};
    for (size_t i = 0; i < 3; i++) {
        mpno_random_field_sample(s.field, others[i][0], (uint32_t)others[i][1],
                                 (uint32_t)others[i][2], s.scratch, s.values);
        assert_memory_not_equal(first, s.values, bytes);
    }
    mpno_random_field_sample(s.field, 1, 1, 0, s.scratch, s.values);
    assert_memory_equal(first, s.values, bytes);
    free(first);
    close_sampler(&s);
}

/* The forcing of the Navier-Stokes sets, 27 sqrt(2) (9 - Laplacian)^-2 on (0, 2 pi)^2: its standard
 * deviation, 1.368, from the sum over all modes. */
static void forcing_has_its_deviation(void **state) {
    (void)state;
    const mpno_random_field_opts opts = {2, {32, 32},     MPNO_PERIODIC,   4,
                                         3, 27 * sqrt(2), {2 * PI, 2 * PI}};
    sampler s = open_sampler(opts);
    double sum = 0, exact = 0;
    const int64_t n = 2000;
    for (int64_t k = 0; k < n; k++) {
        mpno_random_field_sample(s.field, 3, (uint32_t)k, 0, s.scratch, s.values);
        for (int64_t i = 0; i < s.n; i++) sum += s.values[i] * s.values[i];
    }
    for (int k1 = -15; k1 <= 15; k1++) {
        for (int k2 = -15; k2 <= 15; k2++) {
            if (k1 || k2) exact += 2 * 729 * pow(k1 * k1 + k2 * k2 + 9, -4);
        }
    }
    assert_true(fabs(sqrt(exact) - 1.368) < 0.001);
    /* a mean of squares over 4 independent modes at least: relative error below sqrt(2 / 4 n) */
    assert_true(fabs(sum / (double)(n * s.n) / exact - 1) < 4 * sqrt(0.5 / (double)n));
    close_sampler(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covariances),
        cmocka_unit_test(finer_grids_keep_the_field),
        cmocka_unit_test(samples_differ),
        cmocka_unit_test(forcing_has_its_deviation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
