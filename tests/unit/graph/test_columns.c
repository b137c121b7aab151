/* SPDX-License-Identifier: MIT
 * Ops on columns (a transform that stops halfway) against those on the fields that they stand for.
 * All in f64. Gradients, adjoints and costs are those of every op, see test_ops.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "unit/graph/rig.h"

static mpno_ctx *ctx;
static mpno_policy full;

static int set_up(void **state) {
    (void)state;
    return rig_open(&ctx, &full);
}

static int tear_down(void **state) {
    (void)state;
    return rig_close(&ctx);
}

static void check_equal(const double *a, const double *b, size_t n, const char *what) {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(a[i]));
    assert_true(most > 1e-3);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= 1e-12 * most)) fail_msg("%s: %.17g, %.17g", what, a[i], b[i]);
}

/* The transform in two parts is the whole one, and sums by columns are those of the fields that
 * they stand for. */
static void columns_stand_for_fields(void **state) {
    (void)state;
    for (int g = 0; g < 2 * RIG_ALL_SIZES; g++) {
        rig r;
        rig_create(&r, ctx, rig_sizes[g / 2].ndim, rig_sizes[g / 2].size,
                   g % 2 ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN);
        const int c = rig_operand(&r, 'k'), dy = rig_operand(&r, 'f'), u = rig_operand(&r, 'u');
        const int s = rig_operand(&r, 's'), v = rig_operand(&r, 'u');
        const int x = rig_unary(&r, &mpno_op_line_inverse, c),
                  dc = rig_unary(&r, &mpno_op_line_forward, dy);
        const int fields[] = {dy, x}, columns[] = {dc, c}, of_field[] = {dy, u},
                  of_columns[] = {dc, v}, biased[] = {s, u};
        const int plain[] = {rig_unary(&r, &mpno_op_fft_inverse, s), u};
        const struct {
            const char *what;
            int a, b;
        } pairs[] = {
            {"moments", rig_unary(&r, &mpno_op_moments, x),
             rig_unary(&r, &mpno_op_columns_moments, c)},
            {"products", rig_add(&r, &mpno_op_normalize_sums, 2, fields),
             rig_add(&r, &mpno_op_normalize_columns_sums, 2, columns)},
            {"sums", rig_add(&r, &mpno_op_sum_points, 2, of_field),
             rig_add(&r, &mpno_op_columns_sum, 2, of_columns)},
            {"forward", rig_unary(&r, &mpno_op_fft_forward, dy),
             rig_unary(&r, &mpno_op_columns_forward, dc)},
            {"inverse", rig_add(&r, &mpno_op_bias, 2, plain),
             rig_unary(&r, &mpno_op_line_inverse,
                       rig_add(&r, &mpno_op_columns_inverse, 2, biased))},
        };
        enum { N_PAIRS = sizeof pairs / sizeof pairs[0] };
        int outs[2 * N_PAIRS];
        for (int i = 0; i < N_PAIRS; i++) outs[2 * i] = pairs[i].a, outs[2 * i + 1] = pairs[i].b;
        rig_finish(&r, &full, outs, 2 * N_PAIRS);
        for (int i = 0; i < N_PAIRS; i++) {
            double *a = rig_result(&r, pairs[i].a), *b = rig_result(&r, pairs[i].b);
            check_equal(a, b, rig_count(&r, pairs[i].a), pairs[i].what);
            free(a), free(b);
        }
        rig_destroy(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_stand_for_fields, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
