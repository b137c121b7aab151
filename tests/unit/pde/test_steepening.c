/* SPDX-License-Identifier: MIT
 * Burgers' equation: the formula of Cole and Hopf, the order in time, 400 trajectories of others
 * (neuraloperator's burgers_test_16.pt), samples that do not see their neighbours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "data/readers.h"
#include "pde/steepening.h"
#include "unit/pde/support.h"

#define PI 3.14159265358979323846
enum { LANES = MPNO_FLOW_LANES, MOST = 4096 };

static mpno_burgers *open_solver(const mpno_burgers_opts *opts) {
    mpno_burgers *b;
    assert_int_equal(mpno_burgers_create(ctx, opts, &b), MPNO_OK);
    assert_true(mpno_burgers_modes(b) <= MOST);
    return b;
}

/* Lane 3 to `end`; returns the number of steps. */
static int run_lane(mpno_burgers *b, double end) {
    double left[LANES] = {0}, dt[LANES];
    int steps = 0;
    for (left[3] = end; left[3] > 0; steps++) {
        mpno_burgers_step_all(b, left, dt);
        assert_true(dt[3] > 0 && dt[3] <= left[3]);
        assert_true(dt[0] >= 0 && dt[0] <= 0);
        left[3] -= dt[3];
    }
    return steps;
}

/* u(x) of coefficients [modes][2]. */
static double value(const double *u, int64_t modes, double length, double x) {
    double sum = u[0];
    for (int64_t k = 1; k < modes; k++) {
        const double a = 2 * PI * (double)k * x / length;
        sum += 2 * (u[2 * k] * cos(a) - u[2 * k + 1] * sin(a));
    }
    return sum;
}

/* ---- the formula ---- */

/* c + a sin(2 pi x / L) + b cos(4 pi x / L) */
typedef struct wave {
    double length, nu, c, a, b;
} wave;

static void wave_modes(const wave *w, int64_t modes, double *u) {
    memset(u, 0, (size_t)(2 * modes) * sizeof *u);
    u[0] = w->c;
    u[3] = -w->a / 2;
    u[4] = w->b / 2;
}

/* u(x, t) = c + v(x - c t, t),  v = integral of (x - y) / t G dy / integral of G dy,
 * G = exp(-((x - y)^2 / 2t + integral of v(., 0) to y) / 2 nu): trapezoids over all y that count,
 * which converge faster than any power of their width. */
static double cole_hopf(const wave *w, double x, double t, int points) {
    const double k = 2 * PI / w->length;
    const double potential = fabs(w->a) / k + fabs(w->b) / (2 * k);
    const double reach = sqrt(2 * t * (2 * potential + 2 * w->nu * 45));
    double top = 0, bottom = 0;
    x -= w->c * t;
    for (int i = -points; i <= points; i++) {
        const double far = reach * i / points, y = x - far;
        const double sum = -w->a / k * cos(k * y) + w->b / (2 * k) * sin(2 * k * y);
        const double g = exp(-(far * far / (2 * t) + sum + potential) / (2 * w->nu));
        top += far / t * g;
        bottom += g;
    }
    return w->c + top / bottom;
}

static double error_of(const wave *w, int64_t size, double cfl, double dt, double end, int *steps) {
    static double u[2 * MOST];
    const mpno_burgers_opts opts = {
        .size = size, .length = w->length, .nu = w->nu, .cfl = cfl, .dt = dt};
    mpno_burgers *b = open_solver(&opts);
    const int64_t modes = mpno_burgers_modes(b);
    double worst = 0;
    wave_modes(w, modes, u);
    mpno_burgers_put(b, 3, u);
    *steps = run_lane(b, end);
    mpno_burgers_get(b, 3, u);
    for (int i = 0; i < 37; i++) {
        const double x = w->length * i / 37, exact = cole_hopf(w, x, end, 4000);
        assert_true(fabs(exact - cole_hopf(w, x, end, 5000)) < 1e-12);
        worst = fmax(worst, fabs(value(u, modes, w->length, x) - exact));
    }
    mpno_burgers_destroy(ctx, &b);
    return worst;
}

static void agrees_with_cole_and_hopf(void **state) {
    (void)state;
    static const wave waves[] = {
        {1, 0.1, 0.3, 1, 0.5}, {1, 0.01, 0.3, 1, 0.5}, {2, 4e-3, 0, 1, -0.7}};
    int steps;
    for (int i = 0; i < 3; i++) {
        assert_true(error_of(&waves[i], 2048, 0.25, 0, 0.5, &steps) < 1e-6);
        assert_true(error_of(&waves[i], 2048, 0, 0.5 / 6000, 0.5, &steps) < 1e-10);
        assert_int_equal(steps, 6000);
    }
}

static void is_of_order_four(void **state) {
    (void)state;
    static const wave w = {1, 0.02, 0.3, 1, 0.5};
    int steps;
    const double coarse = error_of(&w, 512, 0, 0.5 / 80, 0.5, &steps);
    const double fine = error_of(&w, 512, 0, 0.5 / 160, 0.5, &steps);
    assert_true(coarse < 1e-3 && fabs(log2(coarse / fine) - 4) < 0.25);
}

/* A shock that is thinner than the grid shows in the last modes, one that is resolved does not. */
static void tells_what_is_resolved(void **state) {
    (void)state;
    static double u[2 * MOST];
    const wave w = {1, 2e-3, 0, 1, 0.5};
    for (int fine = 0; fine < 2; fine++) {
        const mpno_burgers_opts opts = {
            .size = fine ? 2048 : 128, .length = 1, .nu = w.nu, .cfl = 0.1};
        mpno_burgers *b = open_solver(&opts);
        wave_modes(&w, mpno_burgers_modes(b), u);
        mpno_burgers_put(b, 3, u);
        assert_true(mpno_burgers_tail(b, 3) <= 0);
        run_lane(b, 0.3);
        const double tail = mpno_burgers_tail(b, 3);
        assert_true(fine ? tail < 1e-6 : tail > 1e-2);
        mpno_burgers_destroy(ctx, &b);
    }
}

/* ---- trajectories of others ---- */

static const mpno_named_tensor *tensor(const mpno_tensor_file *file, const char *name) {
    const mpno_named_tensor *t = mpno_tensor_file_find(file, name);
    assert_non_null(t);
    return t;
}

/* tests/data/burgers_16.npz: 400 initial values at 16 points of a box of length 1, and trajectories
 * at the times 0, 0.06, .. 0.96 with nu = 0.01 (the times were found by this comparison: every
 * sixth of the 101 of the PINO paper's set). Initial values between the points are those of the
 * trigonometric polynomial through them. */
static void runs_the_trajectories_of_neuraloperator(void **state) {
    (void)state;
    enum { SAMPLES = 400, TIMES = 17, POINTS = 16 };
    static double x[SAMPLES * POINTS], y[SAMPLES * TIMES * POINTS], u[LANES][2 * MOST];
    const mpno_burgers_opts opts = {.size = 512, .length = 1, .nu = 0.01, .cfl = 0.1};
    mpno_burgers *b = open_solver(&opts);
    const int64_t modes = mpno_burgers_modes(b);
    mpno_tensor_file *file;
    assert_int_equal(mpno_tensor_file_read(ctx, "tests/data/burgers_16.npz", NULL, &file), MPNO_OK);
    assert_int_equal(
        mpno_named_tensor_values(ctx, tensor(file, "x"), 0, SAMPLES * POINTS, MPNO_F64, x),
        MPNO_OK);
    assert_int_equal(
        mpno_named_tensor_values(ctx, tensor(file, "y"), 0, SAMPLES * TIMES * POINTS, MPNO_F64, y),
        MPNO_OK);
    mpno_tensor_file_destroy(ctx, &file);
    double mean = 0, worst = 0;
    for (int first = 0; first < SAMPLES; first += LANES) {
        double top[LANES] = {0}, bottom[LANES] = {0};
        for (int l = 0; l < LANES; l++) {
            memset(u[l], 0, sizeof u[l]);
            for (int k = 0; k <= POINTS / 2; k++) {
                const double scale = (2 * k < POINTS ? 1.0 : 0.5) / POINTS;
                for (int i = 0; i < POINTS; i++) {
                    const double a = 2 * PI * k * i / POINTS;
                    u[l][2 * k] += scale * x[(first + l) * POINTS + i] * cos(a);
                    u[l][2 * k + 1] -= scale * x[(first + l) * POINTS + i] * sin(a);
                }
            }
            mpno_burgers_put(b, l, u[l]);
        }
        for (int t = 0; t < TIMES; t++) {
            double left[LANES] = {0}, dt[LANES];
            bool some = t > 0;
            for (int l = 0; l < LANES; l++) left[l] = t > 0 ? 0.06 : 0;
            while (some) {
                mpno_burgers_step_all(b, left, dt);
                some = false;
                for (int l = 0; l < LANES; l++) some |= (left[l] -= dt[l]) > 0;
            }
            for (int l = 0; l < LANES; l++) {
                mpno_burgers_get(b, l, u[l]);
                const double *wanted = y + ((int64_t)(first + l) * TIMES + t) * POINTS;
                for (int i = 0; i < POINTS; i++) {
                    const double far = value(u[l], modes, 1, i / 16.0) - wanted[i];
                    top[l] += far * far;
                    bottom[l] += wanted[i] * wanted[i];
                }
            }
        }
        for (int l = 0; l < LANES; l++) {
            const double error = sqrt(top[l] / bottom[l]);
            mean += error / SAMPLES;
            worst = fmax(worst, error);
        }
    }
    assert_true(mean < 5e-4 && worst < 5e-3); /* 2e-4 and 1.7e-3; asked for are 1.5e-2 */
    mpno_burgers_destroy(ctx, &b);
}

/* ---- lanes ---- */

/* Each sample alone against all together, in other lanes. */
static void lanes_do_not_meet(void **state) {
    (void)state;
    enum { MODES = 22 };
    static double u[LANES][2 * MODES], alone[2 * MODES], together[2 * MODES];
    const mpno_burgers_opts opts = {.size = 64, .length = 3, .nu = 0.02, .cfl = 0.3};
    mpno_burgers *b = open_solver(&opts), *all = open_solver(&opts);
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    double left[LANES], dt[LANES];
    bool some = true;
    for (int l = 0; l < LANES; l++) {
        for (int k = 0; k < 2 * MODES; k++) {
            u[l][k] = k < 8 ? 0.2 * (1 + l) * mpno_rng_normal(&rng) : 0;
        }
        left[l] = 0.2 + 0.1 * l;
        mpno_burgers_put(all, l, u[l]);
    }
    while (some) {
        mpno_burgers_step_all(all, left, dt);
        some = false;
        for (int l = 0; l < LANES; l++) some |= (left[l] -= dt[l]) > 0;
    }
    for (int l = 0; l < LANES; l++) {
        mpno_burgers_put(b, 3, u[l]);
        run_lane(b, 0.2 + 0.1 * l);
        mpno_burgers_get(b, 3, alone);
        mpno_burgers_get(all, l, together);
        assert_memory_equal(alone, together, sizeof alone);
    }
    mpno_burgers_destroy(ctx, &all);
    mpno_burgers_destroy(ctx, &b);
}

static void says_where_it_blows_up(void **state) {
    (void)state;
    static double u[2 * MOST];
    const wave w = {1, 1e-6, 0, 1, 0.5};
    const mpno_burgers_opts opts = {.size = 256, .length = 1, .nu = 1e-6, .dt = 0.05};
    mpno_burgers *b = open_solver(&opts);
    wave_modes(&w, mpno_burgers_modes(b), u);
    mpno_burgers_put(b, 2, u);
    double left[LANES] = {0}, dt[LANES] = {0};
    left[2] = 1e6;
    for (int i = 0; i < 1000 && !isnan(dt[2]); i++) mpno_burgers_step_all(b, left, dt);
    assert_true(isnan(dt[2]));
    assert_true(dt[5] >= 0 && dt[5] <= 0);
    mpno_burgers_destroy(ctx, &b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_cole_and_hopf),
        cmocka_unit_test(is_of_order_four),
        cmocka_unit_test(tells_what_is_resolved),
        cmocka_unit_test(runs_the_trajectories_of_neuraloperator),
        cmocka_unit_test(lanes_do_not_meet),
        cmocka_unit_test(says_where_it_blows_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
