/* SPDX-License-Identifier: MIT
 * The vorticity solver: exact decays, an independent solver that multiplies in the spectrum by a
 * plain sum and steps by Runge and Kutta, orders of both integrators, balances of energy and
 * enstrophy, and samples that do not see their neighbours. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "pde/vorticity.h"
#include "unit/pde/support.h"

#define PI 3.14159265358979323846
enum { LANES = MPNO_FLOW_LANES };

/* ---- a solver by hand: all modes -m1 .. m1, -m2 .. m2 ---- */

enum { MOST = 4096 };

typedef struct plain {
    mpno_vorticity_opts opts;
    int64_t m[2], n;
} plain;

static plain plain_of(const mpno_vorticity_opts *opts) {
    plain p = {.opts = *opts, .m = {(opts->size[0] - 1) / 3, (opts->size[1] - 1) / 3}};
    p.n = (2 * p.m[0] + 1) * (2 * p.m[1] + 1);
    assert_true(p.n <= MOST);
    return p;
}

static int64_t at(const plain *p, int64_t k1, int64_t k2) {
    return (k1 + p->m[0]) * (2 * p->m[1] + 1) + k2 + p->m[1];
}

static double square_of(const plain *p, int64_t k1, int64_t k2) {
    const double x = 2 * PI / p->opts.length[0] * (double)k1;
    const double y = 2 * PI / p->opts.length[1] * (double)k2;
    return x * x + y * y;
}

/* d w(k) / dt = -sum over p + q = k of u(p).(i q) w(q) + f(k) - nu |k|^2 w(k) */
static void plain_rate(const plain *p, const double complex *w, const double complex *f,
                       double complex *rate) {
    const double sx = 2 * PI / p->opts.length[0], sy = 2 * PI / p->opts.length[1];
    const int64_t m1 = p->m[0], m2 = p->m[1];
    for (int64_t a = -m1; a <= m1; a++) {
        for (int64_t b = -m2; b <= m2; b++) {
            double complex sum = 0;
            for (int64_t c = -m1; c <= m1; c++) {
                for (int64_t d = -m2; d <= m2; d++) {
                    const int64_t e = a - c, g = b - d;
                    if ((c == 0 && d == 0) || llabs(e) > m1 || llabs(g) > m2) continue;
                    const double complex psi = w[at(p, c, d)] / square_of(p, c, d);
                    const double complex u = I * sy * (double)d * psi;
                    const double complex v = -I * sx * (double)c * psi;
                    sum += (u * sx * (double)e + v * sy * (double)g) * I * w[at(p, e, g)];
                }
            }
            const int64_t i = at(p, a, b);
            rate[i] = f[i] - sum - p->opts.nu * square_of(p, a, b) * w[i];
        }
    }
    rate[at(p, 0, 0)] = 0;
}

static void plain_run(const plain *p, double complex *w, const double complex *f, double end,
                      int steps) {
    static double complex k[4][MOST], x[MOST];
    const double dt = end / steps;
    for (int s = 0; s < steps; s++) {
        for (int stage = 0; stage < 4; stage++) {
            const double ahead = stage == 0 ? 0 : stage == 3 ? dt : dt / 2;
            for (int64_t i = 0; i < p->n; i++) {
                x[i] = w[i] + (stage > 0 ? ahead * k[stage - 1][i] : 0);
            }
            plain_rate(p, x, f, k[stage]);
        }
        for (int64_t i = 0; i < p->n; i++) {
            w[i] += dt / 6 * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]);
        }
    }
}

/* A real field with the modes up to `reach`. */
static void plain_random(const plain *p, uint32_t number, double size, int64_t reach,
                         double complex *w) {
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, number);
    memset(w, 0, (size_t)p->n * sizeof *w);
    for (int64_t a = -reach; a <= reach; a++) {
        for (int64_t b = -reach; b <= reach; b++) {
            const double re = mpno_rng_normal(&rng), im = mpno_rng_normal(&rng);
            if (b < 0 || (b == 0 && a <= 0) || a * a + b * b > reach * reach) continue;
            w[at(p, a, b)] = size * (re + I * im);
            w[at(p, -a, -b)] = size * (re - I * im);
        }
    }
}

/* ---- between both ---- */

static void half_of(const plain *p, const double complex *w, double *half) {
    for (int64_t a = -p->m[0]; a <= p->m[0]; a++) {
        for (int64_t b = 0; b <= p->m[1]; b++) {
            *half++ = creal(w[at(p, a, b)]);
            *half++ = cimag(w[at(p, a, b)]);
        }
    }
}

static double distance(const plain *p, const double complex *w, const double *half) {
    double far = 0, top = 0;
    for (int64_t a = -p->m[0]; a <= p->m[0]; a++) {
        for (int64_t b = 0; b <= p->m[1]; b++, half += 2) {
            const double complex x = w[at(p, a, b)];
            far = fmax(far, cabs(x - (half[0] + I * half[1])));
            top = fmax(top, cabs(x));
        }
    }
    return far / top;
}

typedef struct solver {
    mpno_vorticity *flow;
    mpno_flow_lanes *lanes;
} solver;

static solver open_solver(const mpno_vorticity_opts *opts) {
    solver s;
    assert_int_equal(mpno_vorticity_create(ctx, opts, &s.flow), MPNO_OK);
    assert_int_equal(mpno_flow_lanes_create(ctx, s.flow, &s.lanes), MPNO_OK);
    return s;
}

static void close_solver(solver *s) {
    mpno_flow_lanes_destroy(ctx, &s->lanes);
    mpno_vorticity_destroy(ctx, &s->flow);
}

/* Lane 5 from w to `end`; returns the number of steps. */
static int run_lane(const solver *s, double end) {
    double left[LANES] = {0}, dt[LANES];
    int steps = 0;
    for (left[5] = end; left[5] > 0; steps++) {
        mpno_flow_step_all(s->lanes, left, dt);
        assert_true(dt[5] > 0 && dt[5] <= left[5]);
        assert_true(dt[0] >= 0 && dt[0] <= 0);
        left[5] -= dt[5];
    }
    return steps;
}

static const mpno_vorticity_opts small = {.size = {14, 11},
                                          .length = {2 * PI, 3},
                                          .nu = 0.02,
                                          .integrator = MPNO_FLOW_ETDRK4,
                                          .cfl = 0.5};

/* All modes of one |k| together: advection is zero as a sum of terms that are not. */
static void decays_as_taylor_and_green(void **state) {
    (void)state;
    mpno_vorticity_opts opts = small;
    opts.size[0] = opts.size[1] = 32;
    opts.length[1] = 2 * PI;
    for (int integrator = 0; integrator < 2; integrator++) {
        opts.integrator = (mpno_flow_integrator)integrator;
        opts.dt = integrator == MPNO_FLOW_HEUN ? 1e-4 : 1e-2;
        const plain p = plain_of(&opts);
        static double complex w[MOST];
        static double half[2 * MOST];
        plain_random(&p, 1, 1, 9, w);
        for (int64_t a = -p.m[0]; a <= p.m[0]; a++) {
            for (int64_t b = -p.m[1]; b <= p.m[1]; b++) {
                if (a * a + b * b != 25) w[at(&p, a, b)] = 0;
            }
        }
        w[at(&p, 0, 5)] = w[at(&p, 0, -5)] = 3;
        solver s = open_solver(&opts);
        half_of(&p, w, half);
        mpno_flow_put(s.lanes, 5, half, NULL, 0);
        run_lane(&s, 0.3);
        for (int64_t i = 0; i < p.n; i++) w[i] *= exp(-25 * opts.nu * 0.3);
        mpno_flow_get(s.lanes, 5, half);
        assert_true(distance(&p, w, half) < 1e-10);
        close_solver(&s);
    }
}

/* Error against the plain solver at dt. */
static double error_at(mpno_vorticity_opts opts, double dt, double end, const double complex *w,
                       const double complex *f, const double complex *exact) {
    static double half[2 * MOST], force[2 * MOST];
    const plain p = plain_of(&opts);
    opts.dt = dt;
    solver s = open_solver(&opts);
    half_of(&p, w, half);
    half_of(&p, f, force);
    mpno_flow_put(s.lanes, 5, half, force, 1);
    run_lane(&s, end);
    mpno_flow_get(s.lanes, 5, half);
    close_solver(&s);
    return distance(&p, exact, half);
}

static void has_the_order_of_its_integrator(void **state) {
    (void)state;
    static double complex w[MOST], f[MOST], exact[MOST];
    const double end = 0.4;
    const plain p = plain_of(&small);
    plain_random(&p, 2, 0.6, 3, w);
    plain_random(&p, 3, 0.8, 2, f);
    memcpy(exact, w, sizeof w);
    plain_run(&p, exact, f, end, 400);
    mpno_vorticity_opts opts = small;
    opts.integrator = MPNO_FLOW_HEUN;
    double coarse = error_at(opts, end / 80, end, w, f, exact);
    double fine = error_at(opts, end / 160, end, w, f, exact);
    assert_true(coarse < 1e-3 && fabs(log2(coarse / fine) - 2) < 0.1);
    opts.integrator = MPNO_FLOW_ETDRK4;
    coarse = error_at(opts, end / 20, end, w, f, exact);
    fine = error_at(opts, end / 40, end, w, f, exact);
    assert_true(coarse < 1e-4 && fabs(log2(coarse / fine) - 4) < 0.25);
    assert_true(error_at(opts, end / 400, end, w, f, exact) < 1e-9);
}

/* Energy sum |w|^2 / 2 |k|^2 changes by -nu sum |w|^2 + Re sum f conj(w) / |k|^2, enstrophy
 * sum |w|^2 / 2 by -nu sum |k|^2 |w|^2 + Re sum f conj(w); sums over all k. */
static void balances(const plain *p, const double *w, const double *f, double amount[2],
                     double rate[2]) {
    amount[0] = amount[1] = rate[0] = rate[1] = 0;
    for (int64_t a = -p->m[0]; a <= p->m[0]; a++) {
        for (int64_t b = 0; b <= p->m[1]; b++, w += 2, f += 2) {
            if (a == 0 && b == 0) continue;
            const double k = square_of(p, a, b), twice = b > 0 ? 2 : 1;
            const double ww = twice * (w[0] * w[0] + w[1] * w[1]);
            const double fw = twice * (f[0] * w[0] + f[1] * w[1]);
            amount[0] += ww / (2 * k);
            amount[1] += ww / 2;
            rate[0] += fw / k - p->opts.nu * ww;
            rate[1] += fw - p->opts.nu * k * ww;
        }
    }
}

static void energy_and_enstrophy_balance(void **state) {
    (void)state;
    enum { STEPS = 200 };
    static double complex w[MOST], f[MOST];
    static double half[2 * MOST], force[2 * MOST];
    mpno_vorticity_opts opts = small;
    opts.size[0] = opts.size[1] = 36;
    opts.dt = 2e-3;
    const plain p = plain_of(&opts);
    plain_random(&p, 4, 0.4, 5, w);
    plain_random(&p, 5, 0.4, 4, f);
    half_of(&p, w, half);
    half_of(&p, f, force);
    solver s = open_solver(&opts);
    mpno_flow_put(s.lanes, 5, half, force, 1);
    double begin[2], amount[2], rate[2], change[2] = {0};
    for (int i = 0; i <= STEPS; i++) { /* Simpson's rule */
        if (i > 0) assert_int_equal(run_lane(&s, opts.dt), 1);
        mpno_flow_get(s.lanes, 5, half);
        balances(&p, half, force, amount, rate);
        if (i == 0) memcpy(begin, amount, sizeof begin);
        const double weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
        for (int q = 0; q < 2; q++) change[q] += weight * opts.dt / 3 * rate[q];
    }
    for (int q = 0; q < 2; q++) {
        assert_true(fabs(change[q]) > 0.01 * begin[q]);
        assert_true(fabs(amount[q] - begin[q] - change[q]) < 1e-8 * begin[q]);
    }
    close_solver(&s);
}

/* Each lane alone against all together, in other lanes and refilled at other times. */
static void lanes_do_not_meet(void **state) {
    (void)state;
    enum { SAMPLES = 11 };
    static double complex w[MOST];
    static double half[SAMPLES][2 * MOST], alone[SAMPLES][2 * MOST], together[2 * MOST];
    mpno_vorticity_opts opts = small;
    for (int integrator = 0; integrator < 2; integrator++) {
        opts.integrator = (mpno_flow_integrator)integrator;
        const plain p = plain_of(&opts);
        const size_t bytes = (size_t)(2 * (2 * p.m[0] + 1) * (p.m[1] + 1)) * sizeof(double);
        solver s = open_solver(&opts);
        for (int i = 0; i < SAMPLES; i++) {
            plain_random(&p, 20 + (uint32_t)i, 0.3 + 0.2 * i, 3, w);
            half_of(&p, w, half[i]);
            mpno_flow_put(s.lanes, 5, half[i], half[i], 1 + i);
            run_lane(&s, 0.2);
            mpno_flow_get(s.lanes, 5, alone[i]);
        }
        double left[LANES] = {0}, dt[LANES];
        int held[LANES], next = 0, done = 0;
        for (int l = 0; l < LANES; l++) held[l] = -1;
        while (done < SAMPLES) {
            for (int l = 0; l < LANES; l++) {
                if (held[l] >= 0 || next == SAMPLES) continue;
                held[l] = next++;
                left[l] = 0.2;
                mpno_flow_put(s.lanes, l, half[held[l]], half[held[l]], 1 + held[l]);
            }
            mpno_flow_step_all(s.lanes, left, dt);
            for (int l = 0; l < LANES; l++) {
                left[l] -= dt[l];
                if (held[l] < 0 || left[l] > 0) continue;
                mpno_flow_get(s.lanes, l, together);
                assert_memory_equal(together, alone[held[l]], bytes);
                held[l] = -1;
                done++;
            }
        }
        close_solver(&s);
    }
}

/* What only one of the masks keeps is small in a smooth flow. */
static void masks_agree_on_smooth_flows(void **state) {
    (void)state;
    static double complex w[MOST], exact[MOST];
    static double half[8 * MOST], wide[8 * MOST];
    mpno_vorticity_opts opts = small;
    opts.size[0] = opts.size[1] = 48;
    opts.length[1] = 2 * PI;
    opts.dt = 1e-2;
    opts.nu = 0.1;
    const plain p = plain_of(&opts);
    plain_random(&p, 6, 0.1, 2, w);
    half_of(&p, w, half);
    solver s = open_solver(&opts);
    mpno_flow_put(s.lanes, 5, half, NULL, 0);
    run_lane(&s, 0.5);
    mpno_flow_get(s.lanes, 5, half);
    close_solver(&s);
    opts.circular = true;
    s = open_solver(&opts);
    int64_t keep[2];
    mpno_vorticity_modes(s.flow, keep);
    assert_int_equal(keep[0], 47);
    assert_int_equal(keep[1], 24);
    memset(wide, 0, sizeof wide);
    for (int64_t a = -p.m[0]; a <= p.m[0]; a++) {
        for (int64_t b = 0; b <= p.m[1]; b++) {
            double *to = wide + 2 * ((a + 23) * 24 + b);
            to[0] = creal(w[at(&p, a, b)]);
            to[1] = cimag(w[at(&p, a, b)]);
        }
    }
    mpno_flow_put(s.lanes, 5, wide, NULL, 0);
    run_lane(&s, 0.5);
    mpno_flow_get(s.lanes, 5, wide);
    for (int64_t a = -p.m[0]; a <= p.m[0]; a++) {
        for (int64_t b = -p.m[1]; b <= p.m[1]; b++) {
            const int64_t k1 = b < 0 ? -a : a, k2 = b < 0 ? -b : b;
            const double *from = wide + 2 * ((k1 + 23) * 24 + k2);
            exact[at(&p, a, b)] = from[0] + (b < 0 ? -1 : 1) * I * from[1];
        }
    }
    assert_true(distance(&p, exact, half) < 1e-10);
    close_solver(&s);
}

/* Far too long steps: the lane says so and its neighbours go on. */
static void says_where_it_blows_up(void **state) {
    (void)state;
    static double complex w[MOST];
    static double half[2 * MOST], calm[2 * MOST];
    mpno_vorticity_opts opts = small;
    opts.dt = 0.05;
    const plain p = plain_of(&opts);
    solver s = open_solver(&opts);
    plain_random(&p, 7, 1e4, 3, w);
    half_of(&p, w, half);
    mpno_flow_put(s.lanes, 2, half, NULL, 0);
    for (size_t i = 0; i < 2 * MOST; i++) calm[i] = 1e-6 * half[i];
    mpno_flow_put(s.lanes, 5, calm, NULL, 0);
    double left[LANES] = {0}, dt[LANES];
    left[2] = left[5] = 1e3;
    for (int i = 0; i < 100; i++) {
        mpno_flow_step_all(s.lanes, left, dt);
        assert_true(dt[5] > 0);
    }
    assert_true(isnan(dt[2]));
    close_solver(&s);
}

/* The same with the kernels of other instruction sets. */
static void every_instruction_set(void **state) {
    static const mpno_isa caps[] = {MPNO_ISA_PORTABLE, MPNO_ISA_AVX2};
    const mpno_isa best = ctx->isa;
    for (int i = 0; i < 2; i++) {
        if (caps[i] < best) ctx->isa = caps[i];
        decays_as_taylor_and_green(state);
        has_the_order_of_its_integrator(state);
        lanes_do_not_meet(state);
    }
    ctx->isa = best;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decays_as_taylor_and_green),
        cmocka_unit_test(has_the_order_of_its_integrator),
        cmocka_unit_test(energy_and_enstrophy_balance),
        cmocka_unit_test(lanes_do_not_meet),
        cmocka_unit_test(masks_agree_on_smooth_flows),
        cmocka_unit_test(says_where_it_blows_up),
        cmocka_unit_test(every_instruction_set),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
