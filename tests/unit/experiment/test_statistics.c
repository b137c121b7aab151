/* SPDX-License-Identifier: MIT
 * Means over seeds and their comparison, against numbers worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_and_deviations),
        cmocka_unit_test(not_worse_within_two_standard_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
