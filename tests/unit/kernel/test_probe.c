/* SPDX-License-Identifier: MIT
 * The loops that the bench measures the machine with do what they say: all values are read, and
 * every multiply-add happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "kernel/probe_kernels.h"

enum { VALUES = 3 * 128 };

/* Small whole numbers: their sums are exact in any order. */
static void read_sums_every_value(void **state) {
    (void)state;
    float *x = aligned_alloc(64, VALUES * sizeof *x);
    assert_non_null(x);
    for (int isa = 0; isa <= (int)mpno_cpu_best_isa(); isa++) {
        const mpno_probe_kernels *kernels = mpno_probe_kernels_get((mpno_isa)isa);
        for (int i = 0; i < VALUES; i++) x[i] = (float)i;
        assert_true(kernels->read(x, VALUES) == (float)(VALUES * (VALUES - 1) / 2));
        for (int i = 0; i < VALUES; i++) { /* each value alone */
            for (int k = 0; k < VALUES; k++) x[k] = (float)(k == i);
            assert_true(kernels->read(x, VALUES) == 1);
        }
    }
    free(x);
}

/* x <- x/2 + 1 from 12 x lanes starting points: x_r = 2 + (x_0 - 2) / 2^r, and the starting points
 * of both halves, 1 + i/100 and 2 - i/100, sum to 3 a pair. */
static void every_multiply_add_happens(void **state) {
    (void)state;
    for (int isa = 0; isa <= (int)mpno_cpu_best_isa(); isa++) {
        const mpno_probe_kernels *kernels = mpno_probe_kernels_get((mpno_isa)isa);
        const double values = (double)kernels->flops_per_round / 2;
        for (int rounds = 0; rounds < 12; rounds++) {
            const double expected = values * (2 + (1.5 - 2) / (double)(1 << rounds));
            assert_true(fabs((double)kernels->multiply_add(rounds) / expected - 1) < 1e-5);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_sums_every_value),
        cmocka_unit_test(every_multiply_add_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
