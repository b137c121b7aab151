/* SPDX-License-Identifier: MIT
 * Diffusion and reaction: uniform values against a solver of ordinary equations, small waves
 * against the exponential of their matrix, orders in time and space, the error that the tolerance
 * promises. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "pde/reaction.h"
#include "unit/pde/support.h"

#define PI 3.14159265358979323846

static const mpno_reaction_opts usual = {
    .size = {16, 16}, .length = {2, 2}, .diffusion = {1e-3, 5e-3}, .k = 5e-3, .tolerance = 1e-8};

static mpno_reaction *open_solver(const mpno_reaction_opts *opts) {
    mpno_reaction *r;
    assert_int_equal(mpno_reaction_create(ctx, opts, &r), MPNO_OK);
    return r;
}

/* The same everywhere: u' = u - u^3 - k - v, v' = u - v by the classical Runge-Kutta method. */
static void ordinary(double k, double end, int steps, double y[2]) {
    const double h = end / steps;
    for (int s = 0; s < steps; s++) {
        double f[4][2], x[2] = {y[0], y[1]};
        for (int stage = 0; stage < 4; stage++) {
            f[stage][0] = x[0] - x[0] * x[0] * x[0] - k - x[1];
            f[stage][1] = x[0] - x[1];
            for (int i = 0; i < 2; i++) x[i] = y[i] + (stage < 2 ? h / 2 : h) * f[stage][i];
        }
        for (int i = 0; i < 2; i++) y[i] += h / 6 * (f[0][i] + 2 * f[1][i] + 2 * f[2][i] + f[3][i]);
    }
}

static void uniform_values_follow_the_ordinary_equation(void **state) {
    (void)state;
    static const double starts[][2] = {{1.2, -0.3}, {-0.4, 0.8}, {3.0, 1.0}};
    mpno_reaction_opts o = usual;
    o.tolerance = 1e-9;
    mpno_reaction *r = open_solver(&o);
    for (int i = 0; i < 3; i++) {
        double exact[2] = {starts[i][0], starts[i][1]};
        double *y = mpno_reaction_values(r);
        int steps = 0;
        for (int c = 0; c < 512; c++) y[c] = starts[i][c / 256];
        mpno_reaction_start(r);
        assert_true(mpno_reaction_run(r, 2.5, &steps) && mpno_reaction_run(r, 2.5, &steps));
        ordinary(usual.k, 5, 20000, exact);
        y = mpno_reaction_values(r);
        /* some thousand steps, each with an error of the tolerance and of one sign */
        for (int c = 0; c < 512; c++) assert_true(fabs(y[c] - exact[c / 256]) < 4e-6);
    }
    mpno_reaction_destroy(ctx, &r);
}

/* k = 0 and values so small that u^3 is nothing: cos(p (i + 1/2) pi / N1) cos(q (j + 1/2) pi / N2)
 * is an eigenvector of the discrete Laplacian, so its amplitudes obey a matrix of two by two. */
static void small_waves_follow_their_matrix(void **state) {
    (void)state;
    enum { P = 2, Q = 3 };
    mpno_reaction_opts o = usual;
    o.size[0] = 12;
    o.size[1] = 20;
    o.length[1] = 3;
    o.k = 0;
    o.dt = 1e-3;
    o.diffusion[0] = 0.02;
    mpno_reaction *r = open_solver(&o);
    double *y = mpno_reaction_values(r), shape[240];
    for (int i = 0; i < 12; i++) {
        for (int j = 0; j < 20; j++) {
            shape[20 * i + j] = cos(P * (i + 0.5) * PI / 12) * cos(Q * (j + 0.5) * PI / 20);
            y[20 * i + j] = 1e-6 * shape[20 * i + j];
            y[240 + 20 * i + j] = -3e-6 * shape[20 * i + j];
        }
    }
    const double h1 = 2.0 / 12, h2 = 3.0 / 20;
    const double l = (4 * pow(sin(P * PI / 24) / h1, 2)) + 4 * pow(sin(Q * PI / 40) / h2, 2);
    double a[2] = {1e-6, -3e-6}, term[2] = {1e-6, -3e-6}; /* the exponential as a series */
    for (int n = 1; n < 60; n++) {
        const double u = ((1 - o.diffusion[0] * l) * term[0] - term[1]) / n;
        const double v = (term[0] - (1 + o.diffusion[1] * l) * term[1]) / n;
        a[0] += term[0] = u;
        a[1] += term[1] = v;
    }
    int steps = 0;
    mpno_reaction_start(r);
    assert_true(mpno_reaction_run(r, 1, &steps));
    assert_int_equal(steps, 1000);
    y = mpno_reaction_values(r);
    for (int c = 0; c < 480; c++) {
        assert_true(fabs(y[c] - a[c / 240] * shape[c % 240]) < 1e-6 * 1e-6);
    }
    mpno_reaction_destroy(ctx, &r);
}

/* Averages over cells of smooth values without flow through the boundary. */
static void smooth_start(mpno_reaction *r, const int64_t size[2]) {
    double *y = mpno_reaction_values(r);
    for (int s = 0; s < 2; s++) {
        for (int64_t i = 0; i < size[0]; i++) {
            for (int64_t j = 0; j < size[1]; j++) {
                const double a = PI * (double)(1 + s), w1 = a / (double)size[0] / 2;
                const double b = 2 * PI, w2 = b / (double)size[1] / 2;
                const double x = a * ((double)i + 0.5) / (double)size[0];
                const double z = b * ((double)j + 0.5) / (double)size[1];
                *y++ = 0.3 + cos(x) * sin(w1) / w1 + (1 - s) * cos(z) * sin(w2) / w2;
            }
        }
    }
    mpno_reaction_start(r);
}

/* u at time 1 as averages over 8 x 8 cells. */
static void coarse_result(mpno_reaction_opts o, int64_t n, double dt, double out[64]) {
    int steps = 0;
    o.size[0] = o.size[1] = n;
    o.dt = dt;
    o.diffusion[0] = o.diffusion[1] = 0.05;
    mpno_reaction *r = open_solver(&o);
    smooth_start(r, o.size);
    assert_true(mpno_reaction_run(r, 1, &steps));
    const double *y = mpno_reaction_values(r);
    const int64_t m = n / 8;
    memset(out, 0, 64 * sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            out[i / m * 8 + j / m] += y[i * n + j] / (double)(m * m);
        }
    }
    mpno_reaction_destroy(ctx, &r);
}

static double distance(const double *a, const double *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / n);
}

static void is_of_second_order(void **state) {
    (void)state;
    double a[64], b[64], c[64];
    coarse_result(usual, 16, 2e-3, a); /* space */
    coarse_result(usual, 32, 2e-3, b);
    coarse_result(usual, 64, 2e-3, c);
    assert_true(distance(a, b, 64) > 1e-4);
    assert_true(fabs(log2(distance(a, b, 64) / distance(b, c, 64)) - 2) < 0.1);
    coarse_result(usual, 32, 0.005, a); /* time */
    coarse_result(usual, 32, 0.0025, b);
    coarse_result(usual, 32, 0.00125, c);
    assert_true(distance(a, b, 64) > 1e-6);
    assert_true(fabs(log2(distance(a, b, 64) / distance(b, c, 64)) - 2) < 0.05);
}

/* From noise, as the recipe has it. The tolerance is that of a step: of all, 70 (tolerance 1e-4)
 * and 290 (1e-6), 2.3e-4 and 1.5e-5 were measured. */
static void tolerance_is_kept(void **state) {
    (void)state;
    double exact[2048], found[2048];
    mpno_reaction_opts o = usual;
    o.size[0] = o.size[1] = 32;
    for (int pass = 0; pass < 3; pass++) {
        o.tolerance = pass == 0 ? 1e-9 : pass == 1 ? 1e-4 : 1e-6;
        mpno_reaction *r = open_solver(&o);
        mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
        int steps = 0;
        for (int c = 0; c < 2048; c++) mpno_reaction_values(r)[c] = mpno_rng_normal(&rng);
        mpno_reaction_start(r);
        for (int t = 0; t < 20; t++) assert_true(mpno_reaction_run(r, 0.25, &steps));
        memcpy(pass == 0 ? exact : found, mpno_reaction_values(r), sizeof exact);
        if (pass == 1) assert_true(distance(exact, found, 2048) < 5e-4);
        if (pass == 2) assert_true(distance(exact, found, 2048) < 3e-5);
        mpno_reaction_destroy(ctx, &r);
    }
}

static void says_that_it_blows_up(void **state) {
    (void)state;
    mpno_reaction_opts o = usual;
    int steps = 0;
    o.dt = 1;
    mpno_reaction *r = open_solver(&o);
    for (int c = 0; c < 512; c++) mpno_reaction_values(r)[c] = 1e200;
    mpno_reaction_start(r);
    assert_false(mpno_reaction_run(r, 5, &steps));
    mpno_reaction_destroy(ctx, &r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_values_follow_the_ordinary_equation),
        cmocka_unit_test(small_waves_follow_their_matrix),
        cmocka_unit_test(is_of_second_order),
        cmocka_unit_test(tolerance_is_kept),
        cmocka_unit_test(says_that_it_blows_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
