/* SPDX-License-Identifier: MIT
 * Means over seeds and their comparison, against numbers worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "core/rng.h"
#include "experiment/statistics.h"

static void means_and_deviations(void **state) {
    (void)state;
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9}, some[] = {1, NAN, 3, INFINITY}, one[] = {7};
    mpno_spread s = mpno_spread_of(values, 8);
    assert_true(s.n == 8 && s.mean == 5);
    assert_true(fabs(s.deviation - sqrt(32.0 / 7)) < 1e-15);
    s = mpno_spread_of(some, 4);
    assert_true(s.n == 2 && s.mean == 2 && fabs(s.deviation - sqrt(2)) < 1e-15);
    s = mpno_spread_of(one, 1);
    assert_true(s.n == 1 && s.mean == 7 && s.deviation == 0);
    s = mpno_spread_of(one, 0);
    assert_true(s.n == 0 && isnan(s.mean));
}

static void not_worse_within_two_standard_errors(void **state) {
    (void)state;
    const mpno_spread reference = {4, 1.0, 0.2}, none = {0, NAN, 0};
    mpno_spread own = {9, 1.2, 0.3}; /* 2 sqrt(0.04 / 4 + 0.09 / 9) = 0.2828 */
    mpno_comparison c = mpno_compare_spreads(&own, &reference);
    assert_true(fabs(c.excess - 0.2) < 1e-15 && fabs(c.allowed - 2 * sqrt(0.02)) < 1e-15);
    assert_true(c.not_worse);
    own.mean = 1.2829;
    assert_false(mpno_compare_spreads(&own, &reference).not_worse);
    own.mean = 0.5;
    assert_true(mpno_compare_spreads(&own, &reference).not_worse);
    assert_false(mpno_compare_spreads(&own, &none).not_worse);
    assert_false(mpno_compare_spreads(&none, &reference).not_worse);
}

/* Worked out by hand. */
static void trends_and_their_intervals(void **state) {
    (void)state;
    const double x[] = {0, 1, 2, 3, 4}, exact[] = {10, 10.2, 10.4, 10.6, 10.8};
    mpno_trend t = mpno_trend_of(x, exact, 5);
    assert_true(fabs(t.change - 0.8 / 10.4) < 1e-14 && t.half_width < 1e-13);
    const double y[] = {1, 3, 2, 5, 4}; /* slope 0.8, rests -0.4 .8 -1 1.2 -.6: s^2 = 3.6 / 3 */
    t = mpno_trend_of(x, y, 5);
    assert_true(fabs(t.change - 0.8 * 4 / 3) < 1e-14);
    assert_true(fabs(t.half_width - 5.841 * sqrt(1.2 / 10) * 4 / 3) < 1e-12);
    assert_true(isnan(mpno_trend_of(x, y, 2).change));
}

/* Of noise about a constant the interval holds 0 in 99 of 100 cases, within four
 * standard deviations. */
static void intervals_hold_what_they_promise(void **state) {
    (void)state;
    mpno_rng rng = mpno_rng_make(7, MPNO_STREAM_TEST, 1);
    int held = 0;
    for (int i = 0; i < 4000; i++) {
        double x[40], y[40];
        const size_t n = i % 2 ? 8 : 40;
        for (size_t k = 0; k < n; k++) {
            x[k] = (double)k;
            y[k] = 1 + 0.1 * mpno_rng_normal(&rng);
        }
        const mpno_trend t = mpno_trend_of(x, y, n);
        held += fabs(t.change) <= t.half_width;
    }
    assert_true(fabs(held - 3960.0) < 4 * sqrt(4000 * 0.01 * 0.99));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_and_deviations),
        cmocka_unit_test(not_worse_within_two_standard_errors),
        cmocka_unit_test(trends_and_their_intervals),
        cmocka_unit_test(intervals_hold_what_they_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
