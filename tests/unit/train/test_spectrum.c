/* SPDX-License-Identifier: MIT
 * Radial spectra: a wave has its power in its own shell, and the shells sum to the mean square, in
 * one to three dimensions, on even, odd and unequal grids, for f32 and f64, several
 * channels and complex fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "train/spectrum.h"

#define PI 3.14159265358979323846

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static void shells_sum_to_the_mean_square(void **state) {
    (void)state;
    static const struct {
        int ndim;
        int64_t grid[3], channels;
        int planes;
    } cases[] = {{1, {64}, 1, 1},     {1, {15}, 3, 1},     {2, {16, 16}, 1, 1},
                 {2, {12, 31}, 2, 1}, {2, {9, 14}, 1, 2},  {3, {8, 6, 5}, 2, 1},
                 {1, {16}, 2, 2},     {3, {4, 7, 6}, 1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t channels = cases[i].channels;
        int64_t n = channels * cases[i].planes;
        for (int d = 0; d < cases[i].ndim; d++) n *= cases[i].grid[d];
        double *field = calloc((size_t)n, sizeof *field), square = 0, sum = 0;
        float *narrow = calloc((size_t)n, sizeof *narrow);
        assert_true(field && narrow);
        for (int64_t k = 0; k < n; k++) {
            narrow[k] = (float)(sin(0.7 * (double)(k * k % 1009)) + 0.3);
            field[k] = narrow[k];
            square += field[k] * field[k] * cases[i].planes / (double)n;
        }
        mpno_spectrum spectrum;
        assert_int_equal(mpno_spectrum_create(ctx, cases[i].ndim, cases[i].grid, cases[i].planes,
                                              cases[i].channels, &spectrum),
                         MPNO_OK);
        const size_t values = spectrum.n_shells * (size_t)channels;
        double *power = calloc(values, 2 * sizeof *power);
        assert_non_null(power);
        mpno_spectrum_transform(&spectrum, MPNO_F64, field);
        mpno_spectrum_add(&spectrum, power);
        mpno_spectrum_transform(&spectrum, MPNO_F32, narrow);
        mpno_spectrum_add(&spectrum, power + values);
        for (size_t s = 0; s < values; s++) {
            sum += power[s] / (double)channels;
            assert_true(fabs(power[s] - power[values + s]) <= 1e-13 * square);
        }
        assert_true(fabs(sum - square) <= 1e-13 * square);
        mpno_spectrum_destroy(&spectrum);
        free(field), free(narrow), free(power);
    }
}

/* 2 cos(2 pi (3 x + 4 y)) + 5: 25 in shell 0, 2 in shell 5. Nyquist's wave: 1 in shell 8. */
static void waves_have_their_shells(void **state) {
    (void)state;
    static const int64_t grid[] = {16, 16};
    double field[256], nyquist[256], power[16] = {0}, other[16] = {0};
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            field[16 * i + j] = 2 * cos(2 * PI * (3 * i + 4 * j) / 16) + 5;
            nyquist[16 * i + j] = j % 2 ? -1 : 1;
        }
    mpno_spectrum spectrum;
    assert_int_equal(mpno_spectrum_create(ctx, 2, grid, 1, 1, &spectrum), MPNO_OK);
    assert_int_equal(spectrum.n_shells, 12); /* |(8, 8)| = 11.3 */
    mpno_spectrum_transform(&spectrum, MPNO_F64, field);
    mpno_spectrum_add(&spectrum, power);
    mpno_spectrum_transform(&spectrum, MPNO_F64, nyquist);
    mpno_spectrum_add(&spectrum, other);
    for (int s = 0; s < 12; s++) {
        assert_true(fabs(power[s] - (s == 0 ? 25 : s == 5 ? 2 : 0)) < 1e-12);
        assert_true(fabs(other[s] - (s == 8)) < 1e-12);
    }
    mpno_spectrum_destroy(&spectrum);
}

static void memory_may_fail(void **state) {
    (void)state;
    static const int64_t grid[] = {6, 10};
    mpno_status status;
    int64_t n = 0;
    do {
        mpno_spectrum spectrum;
        mpno_alloc_fail_after(ctx, n++);
        status = mpno_spectrum_create(ctx, 2, grid, 1, 2, &spectrum);
        mpno_alloc_fail_after(ctx, -1);
        if (status == MPNO_OK)
            mpno_spectrum_destroy(&spectrum);
        else
            assert_int_equal(status, MPNO_E_MEMORY);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    } while (status != MPNO_OK);
    assert_true(n > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shells_sum_to_the_mean_square),
                                       cmocka_unit_test(waves_have_their_shells),
                                       cmocka_unit_test(memory_may_fail)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
