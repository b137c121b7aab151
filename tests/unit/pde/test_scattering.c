/* SPDX-License-Identifier: MIT
 * The Helmholtz equation: manufactured solutions, whose error falls faster than powers of the grid;
 * plane waves; the residual against a plain sum; samples that do not see their neighbours. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pde/scattering.h"
#include "unit/pde/support.h"

#define PI 3.14159265358979323846
enum { LANES = MPNO_FLOW_LANES, MOST = 96 * 80 };

static mpno_scattering *open_solver(const mpno_scattering_opts *opts) {
    mpno_scattering *s;
    assert_int_equal(mpno_scattering_create(ctx, opts, &s), MPNO_OK);
    assert_true(opts->size[0] * opts->size[1] <= MOST);
    return s;
}

/* Lane 5 to a residual below 1e-11; gives the number of rounds. */
static int solve(mpno_scattering *s, const double *a, const double complex *f, double complex *u) {
    double residual[LANES];
    int rounds = 0;
    mpno_scattering_put(s, 5, a, (const double *)f);
    do {
        mpno_scattering_round(s, residual);
        assert_true(++rounds < 200);
    } while (residual[5] > 1e-11);
    mpno_scattering_get(s, 5, (double *)u);
    return rounds;
}

static const mpno_scattering_opts usual = {
    .size = {32, 32}, .length = {1, 1.5}, .k = 30, .eta = 0.1};

static double x_of(const mpno_scattering_opts *o, int64_t i, int axis) {
    const int64_t j = axis ? i % o->size[1] : i / o->size[1];
    return (double)j / (double)o->size[axis];
}

/* u = exp(g), g = 0.8 sin 2 pi x + i (4 cos 2 pi y + 2 pi x): all waves, each weaker. */
static double manufactured(int64_t n1, int64_t n2) {
    static double a[MOST];
    static double complex f[MOST], exact[MOST], u[MOST];
    mpno_scattering_opts o = usual;
    o.size[0] = n1;
    o.size[1] = n2;
    const double w1 = 2 * PI / o.length[0], w2 = 2 * PI / o.length[1];
    for (int64_t i = 0; i < n1 * n2; i++) {
        const double x = 2 * PI * x_of(&o, i, 0), y = 2 * PI * x_of(&o, i, 1);
        const double complex g1 = w1 * (0.8 * cos(x) + I), g11 = -w1 * w1 * 0.8 * sin(x);
        const double complex g2 = -I * w2 * 4 * sin(y), g22 = -I * w2 * w2 * 4 * cos(y);
        a[i] = 1 + 0.4 * sin(x) * cos(2 * y);
        exact[i] = cexp(0.8 * sin(x) + I * (4 * cos(y) + x));
        f[i] = (g1 * g1 + g11 + g2 * g2 + g22 + o.k * o.k * (1 + I * o.eta) * a[i]) * exact[i];
    }
    mpno_scattering *s = open_solver(&o);
    solve(s, a, f, u);
    mpno_scattering_destroy(ctx, &s);
    double worst = 0;
    for (int64_t i = 0; i < n1 * n2; i++) worst = fmax(worst, cabs(u[i] - exact[i]));
    return worst;
}

static void solves_what_was_manufactured(void **state) {
    (void)state;
    const double coarse = manufactured(12, 15), middle = manufactured(24, 30);
    assert_true(coarse > 1e-4 && middle < 1e-3 * coarse);
    assert_true(manufactured(40, 60) < 1e-10);
}

/* a = 1 and f = exp(i p x): u = f / (k^2 (1 + i eta) - |p|^2), also of a wave that resonates. */
static void plane_waves_are_exact(void **state) {
    (void)state;
    static double a[MOST];
    static double complex f[MOST], u[MOST];
    const int waves[][2] = {{0, 0}, {3, -2}, {-4, 5}, {5, 0}};
    mpno_scattering *s = open_solver(&usual);
    for (int w = 0; w < 4; w++) {
        for (int64_t i = 0; i < 1024; i++) {
            a[i] = 1;
            f[i] = cexp(2 * PI * I *
                        (waves[w][0] * x_of(&usual, i, 0) + waves[w][1] * x_of(&usual, i, 1)));
        }
        const double p = 2 * PI * waves[w][0], q = 2 * PI * waves[w][1] / 1.5;
        const double complex scale = 900 * (1 + 0.1 * I) - p * p - q * q;
        solve(s, a, f, u);
        for (int64_t i = 0; i < 1024; i++) {
            assert_true(cabs(u[i] * scale - f[i]) < 1e-8);
        }
    }
    mpno_scattering_destroy(ctx, &s);
}

/* The residual that a round gives, before it is small, against derivatives by plain sums. */
static void residual_is_what_it_says(void **state) {
    (void)state;
    enum { N = 8 };
    const mpno_scattering_opts o = {.size = {N, N}, .length = {1, 1}, .k = 12, .eta = 0.05};
    static double a[N * N], residual[LANES];
    static double complex f[N * N], u[N * N], hat[N * N];
    mpno_scattering *s = open_solver(&o);
    for (int i = 0; i < N * N; i++) {
        a[i] = 1 + 0.5 * sin(7.0 * i * i);
        f[i] = cos(3.0 * i * i) + I * sin(5.0 * i);
    }
    mpno_scattering_put(s, 5, a, (const double *)f);
    mpno_scattering_round(s, residual);
    mpno_scattering_get(s, 5, (double *)u);
    double top = 0, bottom = 0;
    for (int m = 0; m < N * N; m++) {
        const int p = m / N - N / 2, q = m % N - N / 2;
        hat[m] = 0;
        for (int i = 0; i < N * N; i++) {
            hat[m] += u[i] * cexp(-2 * PI * I * (p * (i / N) + q * (i % N)) / N) / (N * N);
        }
        hat[m] *= -4 * PI * PI * (p * p + q * q);
    }
    for (int i = 0; i < N * N; i++) {
        double complex left = f[i] - 144 * (1 + 0.05 * I) * a[i] * u[i];
        for (int m = 0; m < N * N; m++) {
            const int p = m / N - N / 2, q = m % N - N / 2;
            left -= hat[m] * cexp(2 * PI * I * (p * (i / N) + q * (i % N)) / N);
        }
        top += pow(cabs(left), 2);
        bottom += pow(cabs(f[i]), 2);
    }
    const double exact = sqrt(top / bottom);
    assert_true(exact > 1e-3 && fabs(residual[5] / exact - 1) < 1e-9);
    mpno_scattering_destroy(ctx, &s);
}

static void lanes_do_not_meet(void **state) {
    (void)state;
    enum { POINTS = 12 * 10 };
    const mpno_scattering_opts o = {.size = {12, 10}, .length = {1, 1}, .k = 15, .eta = 0.1};
    static double a[LANES][POINTS], f[LANES][2 * POINTS], alone[2 * POINTS], all[2 * POINTS];
    double residual[LANES], one[LANES];
    mpno_scattering *s = open_solver(&o), *t = open_solver(&o);
    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < POINTS; i++) {
            a[l][i] = 1 + 0.05 * l * sin(i * (l + 1.0));
            f[l][2 * i] = cos(i * (l + 2.0));
            f[l][2 * i + 1] = sin(i * (l + 3.0));
        }
        mpno_scattering_put(s, l, a[l], f[l]);
    }
    mpno_scattering_round(s, residual);
    mpno_scattering_round(s, residual);
    for (int l = 0; l < LANES; l++) {
        mpno_scattering_put(t, 5, a[l], f[l]);
        mpno_scattering_round(t, one);
        mpno_scattering_round(t, one);
        mpno_scattering_get(t, 5, alone);
        mpno_scattering_get(s, l, all);
        assert_memory_equal(alone, all, sizeof alone);
        assert_memory_equal(&one[5], &residual[l], sizeof(double));
    }
    mpno_scattering_destroy(ctx, &t);
    mpno_scattering_destroy(ctx, &s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solves_what_was_manufactured),
        cmocka_unit_test(plane_waves_are_exact),
        cmocka_unit_test(residual_is_what_it_says),
        cmocka_unit_test(lanes_do_not_meet),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
